"""The frame in which poses are refined: axes of the camera, the root at the origin, every body of one size.

The size of a pose is how much longer its bones are than those of the average training body: the median over the bones,
each of which counts by its length. One joint gone astray hardly changes it, and it scales with the pose, so that
millimetres, metres and poses without scale are the same thing to the unit. Of size 1 is a pose as large as the average
training body; its unit is the millimetre of that body.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from posebench.errors import UsageError
from posebench.poses import PoseSet
from posebench.skeletons import H36M17

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

J = len(H36M17)
_PARENTS, _CHILDREN = (np.array(ends) for ends in zip(*H36M17.bones, strict=True))


def bone_lengths(poses: Floats) -> Floats:
    """Lengths (N, 16) of the bones of poses (N, 17, 3), in their unit."""
    return np.asarray(np.linalg.norm(poses[:, _CHILDREN] - poses[:, _PARENTS], axis=-1))


def size_of(poses: Floats, lengths: Floats, known: Bools | None = None) -> Floats:
    """Sizes (N,) of poses, in units of the average body.

    Parameters
    ----------
    poses : (N, 17, 3)
        In any unit.
    lengths : (16,)
        Of the bones of the average body, all above 0.
    known : (N, 17), optional
        Joints to go by; the size is infinite where no bone has both its ends.

    Examples
    --------
    >>> lengths = np.full(16, 100.0)
    >>> poses = np.zeros((1, 17, 3))
    >>> for parent, child in H36M17.bones:
    ...     poses[0, child] = poses[0, parent] + [0, 250, 0]
    >>> poses[0, H36M17.index("LWrist")] = 9e9
    >>> size_of(poses, lengths).tolist()
    [2.5]
    """
    ratios, counts = bone_lengths(poses) / lengths, np.broadcast_to(lengths, (len(poses), len(lengths)))
    if known is not None:
        ends = known[:, _PARENTS] & known[:, _CHILDREN]
        ratios, counts = np.where(ends, ratios, np.inf), np.where(ends, counts, 0.0)
    order = np.argsort(ratios, axis=1, kind="stable")
    weight = np.cumsum(np.take_along_axis(counts, order, 1), axis=1)
    # Where the weights reach one half; several bones of one ratio do not matter.
    middle = (weight >= weight[:, -1:] / 2).argmax(axis=1)
    return np.asarray(np.take_along_axis(ratios, np.take_along_axis(order, middle[:, None], 1), 1)[:, 0])


def centred(poses: Floats) -> Floats:
    """Poses (N, 17, 3) relative to their roots."""
    return poses - poses[:, [H36M17.root]]


def known_joints(poses: PoseSet) -> Bools:
    """Which joints (N, 17) of poses are known."""
    known: Bools = np.isfinite(poses.poses).all(axis=2)
    return known if poses.valid is None else known & poses.valid


def complete_rows(poses: PoseSet) -> Bools:
    """Which poses (N,) know all their joints."""
    return np.asarray(known_joints(poses).all(axis=1))


def turned(poses: Floats, upright: Floats, angle: Floats) -> Floats:
    """Poses (N, 17, 3) turned about axes `upright` (N, 3), unit vectors, by angles (N,) in rad (Rodrigues).

    Examples
    --------
    >>> pose = np.zeros((1, 17, 3))
    >>> pose[0, 1] = [1, 2, 0]
    >>> turned(pose, np.array([[0.0, 1, 0]]), np.array([np.pi / 2]))[0, 1].round(9).tolist()
    [0.0, 2.0, -1.0]
    """
    axis = upright[:, None]
    c, s = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    along = (poses * axis).sum(axis=-1, keepdims=True)
    return np.asarray(poses * c + np.cross(axis, poses) * s + axis * along * (1 - c))


def check_poses(poses: PoseSet) -> None:
    """Refuse poses that the unit does not understand.

    Raises
    ------
    UsageError
        If they are not H36M-17 in the camera.
    """
    if poses.skeleton is None or poses.skeleton.name != H36M17.name:
        name = "no skeleton that is stated" if poses.skeleton is None else poses.skeleton.name
        raise UsageError(
            f"{poses.source}: has {name}, expected h36m17; posebench convert brings poses to it, or states it"
        )
    if poses.reference not in ("camera", "unknown"):
        raise UsageError(
            f"{poses.source}: its poses are in {poses.reference} coordinates, expected those of "
            "the camera; posebench convert brings them there"
        )


def refuse_test_subjects(subjects: Iterable[str], source: str) -> None:
    """Refuse subjects on whom models are tested: nothing may be learned from them.

    Raises
    ------
    UsageError
        If there is one of Open4V or Human3.6M.

    Examples
    --------
    >>> refuse_test_subjects(["cmu01", "cmu02"], "pred.npz")
    Traceback (most recent call last):
    posebench.errors.UsageError: pred.npz: holds cmu02, on whom models are tested; leave only training subjects in it
    """
    from posebench.datasets.open4v.splits import SYNTHETIC_TEST, TEST_SUBJECTS
    from posebench.datasets.prepared.h36m import TEST

    found = sorted({*subjects} & {*TEST_SUBJECTS, *SYNTHETIC_TEST, *TEST})
    if found:
        raise UsageError(
            f"{source}: holds {', '.join(found)}, on whom models are tested; leave only training subjects in it"
        )


__all__ = [
    "bone_lengths",
    "centred",
    "check_poses",
    "complete_rows",
    "known_joints",
    "refuse_test_subjects",
    "size_of",
    "turned",
]
