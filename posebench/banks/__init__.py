"""Cluster banks of the Pose Structure Score: k-means centres of ground-truth poses, each with a card.

- `bank.py`: `ClusterBank` (build, assign, save, load, verify) and `assign_all` for several banks in one pass.
- `layout.py`: which joints, centring and reference; brings poses into that form and normalises them.
- `assign.py`: exact labels, chunk by chunk, over the compiled search in `posebench.kernels.nearest`.
- `kmeans.py`, `checkpoint.py`: the clustering and its state on disk. `building.py`: clustering plus card.
- `material.py`, `thin.py`: ground truth on its way in.
- `finding.py`: banks by name.
- `card.py`, `digest.py`: what a bank says of itself, and the hash of its centres.
"""

from __future__ import annotations

from posebench.banks.assign import Assigner, squared_distances, two_nearest
from posebench.banks.bank import Assignment, ClusterBank, assign_all, assigners
from posebench.banks.card import BankCard, Source
from posebench.banks.finding import bank_names, bank_path, ensemble_of, find_bank
from posebench.banks.kmeans import Step
from posebench.banks.layout import Fitted, Layout, Normalised
from posebench.banks.thin import thin_by_distance, thin_by_stride

__all__ = [
    "Assigner",
    "Assignment",
    "BankCard",
    "ClusterBank",
    "Fitted",
    "Layout",
    "Normalised",
    "Source",
    "Step",
    "assign_all",
    "assigners",
    "bank_names",
    "bank_path",
    "ensemble_of",
    "find_bank",
    "squared_distances",
    "thin_by_distance",
    "thin_by_stride",
    "two_nearest",
]
