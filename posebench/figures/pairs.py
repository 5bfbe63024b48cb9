"""Two wrong poses at one distance from a right one: in the first a limb is turned, in the second all joints tremble.

Both distances are exact, not searched for. Turning a chain by an angle a about an axis moves each joint of it by
2 r sin(a / 2), r its distance from the axis, so the mean over the joints, MPJPE, is solved for a; and noise that is
scaled by s moves each joint by s times as much, so MPJPE is solved for s.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.skeletons import Skeleton

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: No chain is turned farther.
LARGEST_ANGLE = np.radians(120.0)
#: Joints and axes drawn for each pose, of which the first is taken that allows the distance.
_DRAWS = 64


@dataclass(frozen=True)
class Pairs:
    """Poses (n, J, 3) relative to their roots, in mm, at one MPJPE from their references."""

    level: float
    #: Which references these are (n,): those that allow the distance.
    rows: Ints
    structural: Floats
    noisy: Floats
    #: The joint (n,) that the chain was turned about, and by how much, in radians.
    joints: Ints
    angles: Floats
    #: Standard deviation (n,) of the noise of each coordinate, in mm.
    sigmas: Floats


def descendants(skeleton: Skeleton, joint: int) -> list[int]:
    """The joints that hang from a joint, directly or not.

    Examples
    --------
    >>> from posebench.skeletons import H36M17
    >>> [H36M17.joints[j] for j in descendants(H36M17, H36M17.index("LHip"))]
    ['LKnee', 'LAnkle']
    """
    found: list[int] = []
    for j in range(len(skeleton)):
        above = skeleton.parents[j]
        while above >= 0 and above != joint:
            above = skeleton.parents[above]
        if above == joint:
            found.append(j)
    return found


def turn_chain(poses: Floats, skeleton: Skeleton, joint: int, axes: Floats, angles: Floats) -> Floats:
    """Poses (n, J, 3) in which all that hangs from a joint is turned about it; every bone keeps its length.

    Parameters
    ----------
    poses : array, (n, J, 3)
    skeleton : Skeleton
    joint : int
    axes : array, (n, 3)
        Unit vectors through the joint.
    angles : array, (n,)
        In radians.

    Returns
    -------
    array, (n, J, 3)

    Examples
    --------
    >>> from posebench.skeletons import Skeleton
    >>> arm = Skeleton("arm", ("shoulder", "elbow", "wrist"), (-1, 0, 1), 0, (), {})
    >>> pose = np.array([[[0.0, 0, 0], [1, 0, 0], [2, 0, 0]]])
    >>> turn_chain(pose, arm, 1, np.array([[0.0, 0, 1]]), np.array([np.pi / 2])).round(12).tolist()
    [[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]]
    """
    chain = descendants(skeleton, joint)
    turned = poses.copy()
    arms = poses[:, chain] - poses[:, [joint]]
    a, sine, cosine = axes[:, None], np.sin(angles)[:, None, None], np.cos(angles)[:, None, None]
    along = (arms * a).sum(2, keepdims=True) * a
    # Rodrigues' formula.
    turned[:, chain] = poses[:, [joint]] + along + cosine * (arms - along) + sine * np.cross(a, arms)
    return turned


class Changes:
    """A limb to turn and noise to add for each pose, drawn once, so that levels differ in size only.

    Parameters
    ----------
    poses : array, (N, J, 3)
        In mm.
    skeleton : Skeleton
    seed : int

    Raises
    ------
    InputError
        If the skeleton has no hip, knee, shoulder or elbow.

    Examples
    --------
    >>> from posebench.metrics import mpjpe
    >>> from posebench.skeletons import H36M17
    >>> gt = np.random.default_rng(0).normal(size=(5, 17, 3)) * 300
    >>> pairs = Changes(gt, H36M17).at(30.0)
    >>> round(mpjpe(pairs.structural, gt[pairs.rows]), 9), round(mpjpe(pairs.noisy, gt[pairs.rows]), 9)
    (30.0, 30.0)
    """

    def __init__(self, poses: Floats, skeleton: Skeleton, seed: int = 0) -> None:
        self._poses = poses - poses[:, [skeleton.root]]
        self._skeleton = skeleton
        self._turnable = sorted({upper for upper, _ in skeleton.limbs})
        if not self._turnable:
            raise InputError(
                f"the poses have no limb to turn: skeleton {skeleton.name} lacks hips and knees, and shoulders "
                "and elbows"
            )
        rng = np.random.default_rng(seed)
        n = len(poses)
        self._joints = np.array(self._turnable)[rng.integers(len(self._turnable), size=(n, _DRAWS))]
        axes = rng.normal(size=(n, _DRAWS, 3))
        self._axes = axes / np.linalg.norm(axes, axis=2, keepdims=True)
        noise = rng.normal(size=poses.shape)
        self._noise = noise - noise[:, [skeleton.root]]

    def at(self, level: float) -> Pairs:
        """All pairs at that MPJPE, in mm; poses of which no drawn limb reaches so far are left out."""
        reaches = self._reach * np.sin(LARGEST_ANGLE / 2) >= level
        rows = np.flatnonzero(reaches.any(1))
        draw = reaches[rows].argmax(1)
        joints, axes = self._joints[rows, draw], self._axes[rows, draw]
        angles = 2 * np.arcsin(level / self._reach[rows, draw])
        structural = np.empty((len(rows), *self._poses.shape[1:]))
        for joint in self._turnable:
            some = joints == joint
            structural[some] = turn_chain(self._poses[rows[some]], self._skeleton, joint, axes[some], angles[some])
        noise = self._noise[rows]
        sigmas = level / np.linalg.norm(noise, axis=2).mean(1)
        noisy = self._poses[rows] + sigmas[:, None, None] * noise
        return Pairs(level, rows, structural, noisy, joints, angles, sigmas)

    @cached_property
    def _reach(self) -> Floats:
        """MPJPE (N, draws) if a chain were turned by 180 degrees."""
        reach = np.empty(self._joints.shape)
        for joint in self._turnable:
            row, draw = np.nonzero(self._joints == joint)
            arms = self._poses[row][:, descendants(self._skeleton, joint)] - self._poses[row][:, [joint]]
            radii = np.linalg.norm(np.cross(self._axes[row, draw][:, None], arms), axis=2)
            reach[row, draw] = 2 * radii.sum(1) / len(self._skeleton)
        return reach


__all__ = ["LARGEST_ANGLE", "Changes", "Pairs", "descendants", "turn_chain"]
