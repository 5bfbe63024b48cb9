"""Made-up poses for the cases: a stick figure of 17 joints in Human3.6M's order, moved by fixed random numbers."""

from __future__ import annotations

import numpy as np

from posebench.conformance.plain import Floats

#: mm, y down as in a camera: pelvis, right and left leg, spine, thorax, neck, head, left and right arm.
FIGURE = np.array(
    [
        [0, 0, 0], [-130, 0, 10], [-140, 440, -20], [-150, 890, 40], [130, 0, -10], [150, 430, -60], [160, 870, 30],
        [0, -230, 15], [0, -480, 0], [5, -580, -30], [0, -700, -10],
        [150, -460, 10], [330, -260, 40], [380, -20, -90], [-150, -455, -10], [-320, -250, -30], [-400, -30, -140],
    ],
    float,
)  # fmt: skip
JOINTS = len(FIGURE)


def people(n: int, seed: int, spread: float = 60.0) -> Floats:
    """Poses (n, 17, 3) in a camera, some metres away."""
    # RandomState, since its numbers are the same in every version of NumPy.
    random = np.random.RandomState(seed)
    places = np.array([0.0, 0.0, 4000.0]) + random.standard_normal((n, 1, 3)) * 400
    poses: Floats = FIGURE + random.standard_normal((n, JOINTS, 3)) * spread + places
    return poses


def noise(n: int, seed: int, size: float, joints: int = JOINTS) -> Floats:
    """Normal errors (n, joints, 3) of so many mm per coordinate."""
    found: Floats = np.random.RandomState(seed).standard_normal((n, joints, 3)) * size
    return found


def about(axis: tuple[float, float, float], degrees: float) -> Floats:
    """The rotation (3, 3) about an axis (Rodrigues)."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    angle = np.radians(degrees)
    found: Floats = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
    return found
