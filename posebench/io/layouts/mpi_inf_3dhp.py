"""MPI-INF-3DHP in MATLAB files (Mehta et al., 3DV 2017): the test set's annotations, and predictions for it.

`annot_data.mat`, one per test sequence, holds `univ_annot3` and `annot3` (3, 17, 1, F) in mm, camera reference,
`valid_frame` (F, 1) and `activity_annotation` (F, 1). The official evaluation scores the valid frames alone, against
`univ_annot3`: the skeleton scaled to one size for all people. `annot3` is in each person's own scale; some codes are
trained on it and scored against it (D3DP and its line, MMPose), and their numbers are others.

`inference_data.mat` holds predictions as variables `TS1` to `TS6`, in mm, the pelvis in the origin. The evaluation
scripts that read it compare joint by joint, so the order of joints is the official one; say otherwise with
--pred-skeleton. Two kinds are in use:

- (3, 17, 1, N) for the valid frames alone, in their order (P-STMO, PoseFormerV2, MotionAGFormer and others);
- (3, 17, F, K) for all frames of the sequence, by K steps of the model (D3DP and its line); K has to be 1 here.

The first kind cannot number its frames, since only the annotations say which are valid. It gets no `frame`, and is
matched in order within each sequence. The second is numbered from 0, as the annotations are here.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.io.facts import Facts, listing, shown
from posebench.poses import KeyColumn

#: Valid frames of each test sequence, as the release counts them.
VALID_FRAMES = {"TS1": 603, "TS2": 540, "TS3": 505, "TS4": 553, "TS5": 276, "TS6": 452}
#: Names of the activities 1 to 7, as the test set's mpii_get_activity_name.m spells them.
ACTIVITIES = (
    *("Standing/Walking", "Exercising", "Sitting", "Reaching/Crouching", "On The Floor", "Sports", "Miscellaneous"),
)
#: What is read out of these files.
NAMES = ("univ_annot3", "annot3", "valid_frame", "activity_annotation", *VALID_FRAMES)

_JOINTS = 17
_PELVIS = 14

Values = Mapping[str, Any]
Reader = Callable[[Values, Collection[str], Path], Facts]


def layout(names: Collection[str]) -> Reader | None:
    """What reads a MATLAB file with variables of these names; None if it is in neither layout.

    Examples
    --------
    >>> layout(["TS1", "TS2"]).__name__
    'read_predictions'
    >>> layout(["poses"])
    """
    if "univ_annot3" in names or "annot3" in names:
        return read_annotations
    return read_predictions if any(name in names for name in VALID_FRAMES) else None


def read_annotations(values: Values, names: Collection[str], path: Path) -> Facts:
    """The valid frames of a test sequence as ground truth.

    Parameters
    ----------
    values : mapping
        The variables by name, with MATLAB's order of axes.
    names : collection of str
        All variables of the file.
    path : path
        Its folder, or its own name, says which sequence it is: `TS1/annot_data.mat`, `TS1_annot_data.mat`, `TS1.mat`.

    Raises
    ------
    InputError
        If the poses, their number and `valid_frame` do not belong together.
    """
    source = str(path)
    chosen = "univ_annot3" if "univ_annot3" in names else "annot3"
    poses = _annotated(_numbers(values, chosen, source), chosen, source)
    if "valid_frame" not in names:
        raise InputError(
            f"{source}: has no variable 'valid_frame', which says which frames are scored; {listing(names)}"
        )
    valid = _numbers(values, "valid_frame", source).reshape(-1)
    if len(valid) != len(poses) or not np.isin(valid, (0, 1)).all():
        raise InputError(
            f"{source}: variable 'valid_frame' holds {len(valid)} values, expected 0 or 1 for each of the "
            f"{len(poses)} frames"
        )
    rows = np.flatnonzero(valid)
    if not len(rows):
        raise InputError(f"{source}: has no valid frame, so there is nothing to score")
    taken = "univ_annot3 taken, not annot3; " if {"univ_annot3", "annot3"} <= set(names) else ""
    notes = [f"{source}: {taken}{len(poses) - len(rows)} of {len(poses)} frames left out, as valid_frame says"]
    if chosen == "annot3":
        notes.append(
            f"{source}: has no univ_annot3, which the official evaluation uses; annot3 is in the scale of each person"
        )
    subject = _subject(path)
    if subject is None:
        notes.append(f"{source}: neither the file nor its folder is called TS1 to TS6; subject unknown")
    elif len(rows) != VALID_FRAMES[subject]:
        notes.append(f"{source}: has {len(rows)} valid frames, but {subject} as released has {VALID_FRAMES[subject]}")
    return Facts(
        np.ascontiguousarray(poses[rows]),
        subject=None if subject is None else KeyColumn.of(subject, len(rows), "subject"),
        action=_activities(values, names, rows, len(poses), source),
        frame=rows.astype(np.int64),
        skeleton="3dhp17",
        unit="mm",
        reference="camera",
        origin="absolute",
        dataset="3dhp",
        notes=notes,
    )


def read_predictions(values: Values, names: Collection[str], path: Path) -> Facts:
    """Predictions for test sequences, each a variable `TS1` to `TS6`.

    Parameters
    ----------
    values, names, path
        As for `read_annotations`.

    Raises
    ------
    InputError
        If a variable is not of 17 joints, holds several predictions per frame, or its axes cannot be told apart.
    """
    source = str(path)
    sequences = [name for name in VALID_FRAMES if name in names]
    arrays = {name: _numbers(values, name, source) for name in sequences}
    parts = _in_order(arrays, source)
    counts = [len(part) for part in parts]
    poses = np.concatenate(parts)
    notes = []
    frame = None
    if all(count > VALID_FRAMES[name] for name, count in zip(sequences, counts, strict=True)):
        frame = np.concatenate([np.arange(count, dtype=np.int64) for count in counts])
        notes.append(f"{source}: taken to hold all frames of each sequence, numbered from 0")
    elif counts == [VALID_FRAMES[name] for name in sequences]:
        notes.append(f"{source}: holds as many poses as each sequence has valid frames, taken to be these in order")
    else:
        notes.append(f"{source}: does not say which frames its poses belong to")
    ignored = [name for name in names if name not in sequences]
    if ignored:
        notes.append(f"{source}: ignored {', '.join(shown(name, 40) for name in ignored[:8])}")
    return Facts(
        poses,
        subject=KeyColumn(np.repeat(np.arange(len(sequences), dtype=np.int32), counts), tuple(sequences)),
        frame=frame,
        skeleton="3dhp17",
        unit="mm",
        reference="camera",
        origin=None if np.any(poses[:, _PELVIS]) else "root",
        dataset="3dhp",
        notes=notes,
    )


def _numbers(values: Values, name: str, source: str) -> npt.NDArray[Any]:
    value = values.get(name)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
        raise InputError(f"{source}: variable {name!r} is no array of numbers")
    return value


def _annotated(array: npt.NDArray[Any], name: str, source: str) -> npt.NDArray[Any]:
    """Annotations (3, 17, 1, F) as (F, 17, 3); MATLAB drops the last axes where they are 1."""
    if array.ndim < 2 or array.shape[:2] != (3, _JOINTS) or array.size != 51 * max(array.shape[2:], default=1):
        raise InputError(f"{source}: variable {name!r} has shape {_shape(array)}, expected 3 x 17 x 1 x frames")
    return array.reshape(3, _JOINTS, -1).transpose(2, 1, 0)


def _activities(
    values: Values, names: Collection[str], rows: npt.NDArray[Any], frames: int, source: str
) -> KeyColumn | None:
    """The activity of each valid frame by name."""
    if "activity_annotation" not in names:
        return None
    numbers = _numbers(values, "activity_annotation", source).reshape(-1)
    if len(numbers) != frames:
        raise InputError(
            f"{source}: variable 'activity_annotation' holds {len(numbers)} values, expected one for each of the "
            f"{frames} frames"
        )
    numbers = numbers[rows]
    if not np.isin(numbers, range(1, len(ACTIVITIES) + 1)).all():
        raise InputError(f"{source}: variable 'activity_annotation' holds other values than 1 to {len(ACTIVITIES)}")
    return KeyColumn.of(np.array(ACTIVITIES)[numbers.astype(np.int64) - 1], len(rows), "action")


def _subject(path: Path) -> str | None:
    """The test sequence that a file belongs to, from its name or that of its folder."""
    # Absolute, for a name alone has no folder; not resolved, since links are named by who made them.
    by_name = re.match(r"(TS[1-6])(?![0-9A-Za-z])", path.name, re.IGNORECASE)
    by_folder = re.fullmatch(r"TS[1-6]", path.absolute().parent.name, re.IGNORECASE)
    found = by_name or by_folder
    return None if found is None else found[0].upper()


def _in_order(arrays: Mapping[str, npt.NDArray[Any]], source: str) -> list[npt.NDArray[Any]]:
    """Each array as (frames, joints, 3), its axes found by their lengths; one order of axes for all of them."""
    parts = {name: _three_axes(array, name, source) for name, array in arrays.items()}

    def fits(order: tuple[int, ...]) -> bool:
        shapes = [tuple(part.shape[axis] for axis in order) for part in parts.values() if part.ndim == 3]
        return all(shape[1:] == (_JOINTS, 3) for shape in shapes)

    orders = [order for order in itertools.permutations(range(3)) if fits(order)]
    if len(orders) != 1 and any(part.ndim == 3 for part in parts.values()):
        shapes = ", ".join(f"{name} {_shape(array)}" for name, array in arrays.items())
        raise InputError(
            f"{source}: the axes of its variables cannot be told apart ({shapes}); save them as 3 x 17 x 1 x frames"
        )
    return [part.transpose(orders[0]) if part.ndim == 3 else part[None] for part in parts.values()]


def _three_axes(array: npt.NDArray[Any], name: str, source: str) -> npt.NDArray[Any]:
    """An array without its axes of length 1: three axes, or (joints, 3) of a single frame."""
    found = array.reshape([size for size in array.shape if size != 1])
    if sorted(found.shape) == [3, _JOINTS]:
        return found if found.shape[0] == _JOINTS else found.T
    if found.ndim == 4 and found.shape[:2] == (3, _JOINTS):
        raise InputError(
            f"{source}: variable {name!r} has shape {_shape(array)}: several predictions for each frame; save one of "
            "them, 3 x 17 x 1 x frames"
        )
    if found.ndim != 3 or not {3, _JOINTS} <= set(found.shape) or found.size == 0:
        raise InputError(f"{source}: variable {name!r} has shape {_shape(array)}, expected 3 x 17 x 1 x frames")
    return found


def _shape(array: npt.NDArray[Any]) -> str:
    return " x ".join(map(str, array.shape[:8]))
