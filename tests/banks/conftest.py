"""Poses for banks: a few hundred people, few enough to compare with arithmetic on fractions."""

from __future__ import annotations

import numpy as np
import pytest

from posebench.banks import ClusterBank
from tests.support.poses import people


@pytest.fixture(scope="session")
def gt() -> np.ndarray:
    """Ground truth (400, 17, 3) in mm, every pose different."""
    return people(np.random.default_rng(7), 400)


@pytest.fixture(scope="session")
def bank(gt: np.ndarray) -> ClusterBank:
    """Twelve centres of `gt`."""
    return ClusterBank.build(gt, k=12, skeleton="h36m17", seed=3, n_init=2)
