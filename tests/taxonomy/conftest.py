"""People who stand still and people who move, relative to their pelvis, and a short way to explain arrays."""

from __future__ import annotations

import numpy as np
import pytest

import posebench as pb
from posebench.skeletons import H36M17
from tests.support.poses import people

FPS = 50


@pytest.fixture(scope="session")
def gt() -> np.ndarray:
    """Sixty unrelated poses (60, 17, 3) in mm."""
    poses = people(np.random.default_rng(0), 60)
    return poses - poses[:, :1]


@pytest.fixture(scope="session")
def moving() -> np.ndarray:
    """Two seconds in each of ten poses and on the way to the next: (400, 17, 3), at 50 frames per second."""
    keys = people(np.random.default_rng(3), 11)
    time = np.linspace(0, 10, 400, endpoint=False)
    at = time.astype(int)
    share = (time - at)[:, None, None]
    share = share * share * (3 - 2 * share)
    poses = keys[at] * (1 - share) + keys[at + 1] * share
    return poses - poses[:, :1]


def clip(poses: np.ndarray, frame: np.ndarray | None = None, **keys: object) -> pb.PoseSet:
    """A sequence in a camera."""
    numbers = np.arange(len(poses)) if frame is None else frame
    facts = {"skeleton": "h36m17", "unit": "mm", "reference": "camera", "origin": "root", "fps": FPS}
    return pb.PoseSet(poses, **{**facts, "sequence": "walk", "frame": numbers, **keys})


def shares(explained: pb.Explanation) -> dict[str, float]:
    """Percent of the error by fault."""
    return {name: fault.percent or 0.0 for name, fault in explained.faults.items()}


def exchanged(poses: np.ndarray, *parts: str) -> np.ndarray:
    """Poses with the left and right joints of some parts of the body exchanged."""
    wrong = poses.copy()
    for left, right in H36M17.left_right:
        if any(H36M17.joints[left] in H36M17.parts[part] for part in parts):
            wrong[:, [left, right]] = poses[:, [right, left]]
    return wrong


def turned(poses: np.ndarray, joints: list[int], centre: int, rotation: np.ndarray) -> np.ndarray:
    """Poses with some joints turned about another."""
    wrong = poses.copy()
    wrong[:, joints] = (poses[:, joints] - poses[:, [centre]]) @ rotation.T + poses[:, [centre]]
    return wrong
