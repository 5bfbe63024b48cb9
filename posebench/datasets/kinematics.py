"""What the readers of motion capture share beside their formats: turning axes, and H36M-17 out of named points."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from posebench.conversion import SOURCES
from posebench.skeletons import H36M17

Floats = npt.NDArray[np.float64]

#: Joint -> the two that it lies half-way between, in every source; in an order that can be worked off.
MIDDLES = {joint: SOURCES[joint][0] for joint in ("pelvis", "thorax", "spine")}
#: The joints of H36M-17 that a source has to give.
GIVEN = tuple(joint for joint in H36M17.joints if joint not in MIDDLES)


def turn(axes: Floats, about: int, angle: Floats) -> Floats:
    """Axes (3, 3, N) of a frame after it was turned about one of them: right-handed, the two others move.

    `axes[a]` (3, N) is where axis a points to, so the result is the product R · R_about(angle); the angle is in rad.

    Examples
    --------
    >>> turned = turn(np.eye(3)[:, :, None], 2, np.array([np.pi / 2]))
    >>> turned[..., 0].round(6).tolist()
    [[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    a, b = (about + 1) % 3, (about + 2) % 3
    cosine, sine = np.cos(angle), np.sin(angle)
    turned = np.empty_like(axes)
    turned[about] = axes[about]
    turned[a] = cosine * axes[a] + sine * axes[b]
    turned[b] = cosine * axes[b] - sine * axes[a]
    return turned


def h36m17_poses(points: Mapping[str, Floats]) -> Floats:
    """Poses (N, 17, 3) out of the points (N, 3) of the joints in `GIVEN`; the joints in `MIDDLES` are derived.

    Examples
    --------
    >>> points = {joint: np.array([[10.0 * i, 0.0, 0.0]]) for i, joint in enumerate(GIVEN)}
    >>> h36m17_poses(points)[0, H36M17.index("pelvis")].tolist()  # LHip at 30, RHip at 0
    [15.0, 0.0, 0.0]
    """
    poses = np.empty((len(points[GIVEN[0]]), len(H36M17), 3))
    for joint in GIVEN:
        poses[:, H36M17.index(joint)] = points[joint]
    for middle, ends in MIDDLES.items():
        a, b = (H36M17.index(end) for end in ends)
        poses[:, H36M17.index(middle)] = (poses[:, a] + poses[:, b]) / 2
    return poses
