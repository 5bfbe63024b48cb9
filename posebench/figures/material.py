"""The poses that figures are made of: a file of ground truth, or else motion capture seen by the cameras of a room."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError, UsageError
from posebench.figures import Say, silent
from posebench.poses import PoseSet
from posebench.skeletons import H36M17

if TYPE_CHECKING:
    from posebench.skeletons import Skeleton

#: Without a file: the clips of these subjects of CMU, every so many of their 120 frames per second, as in
#: examples/make_mocap_example.py.
SUBJECTS = ("02", "08", "09")
STRIDE = 12


@dataclass(frozen=True)
class Material:
    """Whole poses, picked evenly: a set in memory, float64, with a skeleton."""

    poses: PoseSet
    #: How many poses there were to pick from, and how many more lacked a joint or had no extent.
    given: int
    left_out: int

    @property
    def skeleton(self) -> Skeleton:
        """What the joints are."""
        assert self.poses.skeleton is not None
        return self.poses.skeleton

    @property
    def words(self) -> str:
        """Which poses these are.

        Examples
        --------
        >>> gt = PoseSet(np.random.default_rng(0).normal(size=(9, 17, 3)), skeleton="h36m17", source="gt.npz")
        >>> pick(gt, 4).words
        '4 of 9 poses of gt.npz'
        """
        left_out = f" ({self.left_out} that lack a joint or have no extent left out)" if self.left_out else ""
        return f"{len(self.poses)} of {self.given} poses of {self.poses.source}{left_out}"


def ground_truth(
    path: Path | None,
    *,
    skeleton: str | None = None,
    unit: str | None = None,
    reference: str | None = None,
    say: Say = silent,
) -> PoseSet:
    """Poses to make a figure of, in mm unless they have no scale; notes say what was assumed.

    Parameters
    ----------
    path : Path, optional
        A file of poses. Without it, clips of CMU (`SUBJECTS`) at 10 frames per second, seen by the four cameras of a
        room (`posebench.datasets.room`), from the folder that the environment variable POSEBENCH_DATA names.
    skeleton, unit, reference : str, optional
        What the user says of the file.
    say : callable
        Told of work that takes seconds.

    Raises
    ------
    InputError
        If the file cannot be read, its skeleton or unit is unknown, or the folder holds no clips.
    UsageError
        If there is neither file nor folder.
    """
    if path is None:
        return _motion_capture(say)
    from posebench.io import read
    from posebench.references import to_unit
    from posebench.units import settle_unit

    poses = read(path, skeleton=skeleton, unit=unit, reference=reference)
    notes = []
    if poses.skeleton is None:
        if poses.poses.shape[1] != len(H36M17):
            raise InputError(
                f"{path} does not say what its {poses.poses.shape[1]} joints are; name the skeleton with --gt-skeleton"
            )
        notes.append(f"skeleton of {path} assumed: {H36M17.name}")
        poses = poses.replace(skeleton=H36M17)
    if poses.reference == "unknown":
        notes.append(f"reference of {path} assumed: camera")
        poses = poses.replace(reference="camera")
    assert poses.skeleton is not None
    settled = settle_unit(poses, poses.skeleton, "--gt-unit", is_gt=True)
    if settled.unit == "m":
        settled = to_unit(settled, "mm")
    return settled.replace(notes=(*settled.notes, *notes))


def _motion_capture(say: Say) -> PoseSet:
    from posebench.datasets.cmu import CMU_ATTRIBUTION, cmu_clips, read_cmu
    from posebench.datasets.quality import usable_frames
    from posebench.datasets.room import room_cameras, seen_by
    from posebench.joining import concatenate

    data = os.environ.get("POSEBENCH_DATA")
    if not data:
        raise UsageError(
            "this figure is made of poses: give a file with --gt, or set the environment variable POSEBENCH_DATA to "
            "the folder that holds cmu-mocap/bvh"
        )
    clips = [path for path in cmu_clips(data) if path.parent.name in SUBJECTS]
    if not clips:
        raise InputError(f"{data}: holds no clips of the CMU subjects {', '.join(SUBJECTS)}; give a file with --gt")
    say(f"reading {len(clips)} clips of motion capture")
    seen = []
    for path in clips:
        clip = read_cmu(path)
        rows = np.flatnonzero(usable_frames(clip))[::STRIDE]
        seen.append(seen_by(clip[rows], room_cameras()))
    # Millimetres beyond the third decimal differ from one processor's sines to the next.
    joined = concatenate(seen)
    source = (
        f"CMU motion capture, subjects {', '.join(SUBJECTS)}, at {120 // STRIDE} frames per second from four cameras"
    )
    return joined.replace(poses=np.round(joined.poses, 3), source=source, notes=(*joined.notes, CMU_ATTRIBUTION))


def pick(poses: PoseSet, most: int) -> Material:
    """At most so many whole poses, evenly spaced over those that have every joint and some extent.

    Raises
    ------
    UsageError
        If none is asked for.
    InputError
        If there is none, or a joint that is not masked is not finite.

    Examples
    --------
    >>> gt = PoseSet(np.random.default_rng(0).normal(size=(10, 17, 3)), skeleton="h36m17", frame=np.arange(10))
    >>> pick(gt, 4).poses.frame.tolist()
    [0, 2, 5, 7]
    """
    if most < 1:
        raise UsageError(f"the number of poses is {most}, expected one or more")
    whole = _whole(poses)
    if not len(whole):
        raise InputError(f"{poses.source}: has no pose with every joint and some extent")
    n = min(most, len(whole))
    rows = whole[np.arange(n) * len(whole) // n]
    picked = poses[rows]
    return Material(
        picked.replace(poses=np.array(picked.poses, np.float64), valid=None), len(whole), len(poses) - len(whole)
    )


def _whole(poses: PoseSet, chunk: int = 65_536) -> npt.NDArray[np.int64]:
    """Rows of poses with every joint and some extent."""
    found = []
    for start in range(0, len(poses), chunk):
        part = slice(start, start + chunk)
        some = poses.poses[part]
        held = np.ones(some.shape[:2], np.bool_) if poses.valid is None else poses.valid[part]
        bad = np.argwhere(held & ~np.isfinite(some).all(2))
        if len(bad):
            row, joint = bad[0].tolist()
            name = joint if poses.skeleton is None else f"{joint} ({poses.skeleton.joints[joint]})"
            raise InputError(
                f"{poses.source}: pose {start + row}, joint {name} is {some[row, joint].tolist()} and is not masked; "
                "mark it invalid in `valid`, or mend the file"
            )
        with np.errstate(invalid="ignore"):
            extent = (some != some[:, :1]).any((1, 2))
        found.append(start + np.flatnonzero(held.all(1) & extent))
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def sequence_codes(poses: PoseSet) -> npt.NDArray[np.int64] | None:
    """A number (N,) for the sequence of each pose, whichever camera saw it; None if the set does not say.

    Examples
    --------
    >>> gt = PoseSet(np.zeros((3, 17, 3)), sequence=["walk", "walk", "run"], camera=["cam1", "cam2", "cam1"])
    >>> sequence_codes(gt).tolist()
    [1, 1, 0]
    """
    if poses.sequence is None:
        return None
    columns = [column.codes for column in (poses.subject, poses.action, poses.sequence) if column is not None]
    _, codes = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    return codes.astype(np.int64).reshape(-1)


__all__ = ["STRIDE", "SUBJECTS", "Material", "ground_truth", "pick", "sequence_codes"]
