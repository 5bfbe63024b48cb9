"""Scoring: `sides` makes two sets comparable, `fitness` says which metrics apply, `scorer` adds up, `many` does so
under several protocols at once.
"""

from posebench.scoring.many import ProtocolReports, score_protocols
from posebench.scoring.scorer import Progress, Scorer, score

__all__ = ["Progress", "ProtocolReports", "Scorer", "score", "score_protocols"]
