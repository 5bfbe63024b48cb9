"""What is wrong with a prediction file, before a number misleads: findings with evidence and the command that helps.

`diagnose` runs the checks, one module for each family of faults; nothing here changes a file.
"""

from posebench.doctor.examine import diagnose
from posebench.doctor.model import Diagnosis, Evidence, Finding

__all__ = ["Diagnosis", "Evidence", "Finding", "diagnose"]
