"""Ground truth of a few sequences seen by two cameras, and a small bank of it."""

from __future__ import annotations

import numpy as np
import pytest

from posebench.banks import ClusterBank
from posebench.poses import PoseSet
from tests.support.poses import people

N = 240


@pytest.fixture(scope="session")
def gt() -> PoseSet:
    """Poses (240, 17, 3) in mm of twelve sequences, each in both cameras."""
    return PoseSet(
        people(np.random.default_rng(11), N),
        skeleton="h36m17",
        unit="mm",
        reference="camera",
        origin="absolute",
        sequence=np.repeat([f"walk{i % 12}" for i in range(24)], 10),
        camera=np.repeat(["cam1", "cam2"], N // 2),
        frame=np.tile(np.arange(10), 24),
        source="gt.npz",
    )


@pytest.fixture(scope="session")
def banks(gt: PoseSet) -> list[ClusterBank]:
    """Six and twelve centres."""
    return [ClusterBank.build(gt, k=k, seed=1, n_init=2, name=f"people-k{k}", split="all") for k in (6, 12)]
