"""Frames of motion capture that are no captured pose: rest poses, empty frames, poses that no body can take."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.poses import PoseSet

Mask = npt.NDArray[np.bool_]

#: Bones that end here bend: the trunk has more joints than the skeleton.
_BENDING = ("spine", "thorax", "neck", "upper_neck", "nose", "head", "head_top", "head_3dhp")
#: mm below the floor where both ankles are in an empty frame only: it puts the body's root on the origin.
_BELOW = 300.0


def usable_frames(poses: PoseSet, *, limb: float = 0.1, trunk: float = 0.5) -> Mask:
    """Which frames of motion capture are captured poses.

    Dropped are the frames that `unusable_frames` lists.

    Parameters
    ----------
    poses : PoseSet
        As a reader of this package made it.
    limb, trunk : float
        As in `unusable_frames`.

    Returns
    -------
    array of bool, (N,)
        For ``poses[usable_frames(poses)]``.

    Raises
    ------
    InputError
        As `unusable_frames`.

    Examples
    --------
    >>> bones = np.zeros((3, 17, 3))
    >>> bones[..., 1] = np.arange(17) * [[100.0], [100.0], [180.0]]
    >>> usable_frames(PoseSet(bones, skeleton="h36m17")).tolist()
    [True, True, False]
    """
    unusable: Mask = np.any(list(unusable_frames(poses, limb=limb, trunk=trunk).values()), axis=0)
    return ~unusable


def unusable_frames(poses: PoseSet, *, limb: float = 0.1, trunk: float = 0.5) -> dict[str, Mask]:
    """Which frames are to be left out, by what is wrong with them; a frame may have several faults.

    - `rest pose`: frame 0 of a clip in CMU's conversion to BVH.
    - `empty`: a frame of CMU or HDM05 without data, in which the body hangs from the origin into the floor.
    - `not finite`: a joint is masked, NaN or infinite.
    - `bone length`: a bone deviates from its median over the clip, among the frames without other faults.

    Parameters
    ----------
    poses : PoseSet
        N frames of one clip, or of several with a `sequence` key.
    limb : float
        Largest relative deviation of bones that cannot bend; in motion capture they are rigid.
    trunk : float
        The same for bones of spine and neck, which shorten as they bend.

    Returns
    -------
    dict of array of bool, (N,)

    Raises
    ------
    InputError
        If the skeleton is not known; or if the poses are CMU's or HDM05's, and are not absolute world coordinates in mm
        with the `frame` of the file, so that rest poses and empty frames do not show.
    """
    if poses.skeleton is None:
        raise InputError(f"{poses.source}: does not say its skeleton, so its bones are not known")
    finite = np.isfinite(poses.poses).all(axis=(1, 2))
    if poses.valid is not None:
        finite &= poses.valid.all(axis=1)
    rest, empty = _not_captured(poses)
    sound = finite & ~rest & ~empty
    long = np.zeros(len(poses), np.bool_)
    for rows in _clips(poses):
        long[rows] = _deviating(poses, rows[sound[rows]], rows, limb, trunk)
    return {"rest pose": rest, "empty": empty, "not finite": ~finite, "bone length": long & sound}


def _not_captured(poses: PoseSet) -> tuple[Mask, Mask]:
    """Rest poses and empty frames of the two databases."""
    nothing = np.zeros(len(poses), np.bool_)
    if poses.dataset not in ("cmu-mocap", "hdm05"):
        return nothing, nothing.copy()
    if (poses.unit, poses.reference, poses.origin) != ("mm", "world", "absolute") or poses.frame is None:
        raise InputError(
            f"{poses.source}: expected absolute world coordinates in mm with the frames of the file, as read; find the "
            "usable frames before the poses are converted"
        )
    assert poses.skeleton is not None
    ankles = [poses.skeleton.index(joint) for joint in ("LAnkle", "RAnkle")]
    empty = (poses.poses[:, ankles, 1] < -_BELOW).all(axis=1)
    rest = (poses.frame == 0) if poses.dataset == "cmu-mocap" else nothing
    return rest, empty & ~rest


def _clips(poses: PoseSet) -> list[npt.NDArray[np.int64]]:
    """The rows of each clip."""
    if poses.sequence is None:
        return [np.arange(len(poses))]
    return [np.flatnonzero(poses.sequence.codes == code) for code in np.unique(poses.sequence.codes)]


def _deviating(
    poses: PoseSet, sound: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], limb: float, trunk: float
) -> Mask:
    """Which of a clip's rows have a bone unlike its median over the sound rows."""
    if not len(sound):
        return np.zeros(len(rows), np.bool_)
    skeleton = poses.skeleton
    assert skeleton is not None
    parents, children = (list(ends) for ends in zip(*skeleton.bones, strict=True))
    with np.errstate(all="ignore"):  # what is not finite has its own fault
        lengths = np.linalg.norm(
            poses.poses[rows][:, children].astype(np.float64) - poses.poses[rows][:, parents], axis=-1
        )
    median = np.median(lengths[np.isin(rows, sound)], axis=0)
    allowed = np.array([trunk if skeleton.joints[child] in _BENDING else limb for child in children])
    found: Mask = (np.abs(lengths - median) > allowed * median).any(axis=1)
    return found


__all__ = ["unusable_frames", "usable_frames"]
