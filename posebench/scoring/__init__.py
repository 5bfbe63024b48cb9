"""Scoring: `sides` makes two sets comparable, `fitness` says which metrics apply, `scorer` adds up, `many` does so
under several protocols at once, `shards` for sets of many files.
"""

from posebench.scoring.explaining import explain
from posebench.scoring.many import ProtocolReports, score_protocols
from posebench.scoring.scorer import Progress, Scorer, score
from posebench.scoring.shards import score_shards

__all__ = ["Progress", "ProtocolReports", "Scorer", "explain", "score", "score_protocols", "score_shards"]
