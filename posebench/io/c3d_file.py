"""Reading .c3d, the points of optical motion capture, through the package c3d.

Points called as the joints of a known skeleton, in whatever order, are put into its order. A point that was not seen
(residual -1) is invalid. Analog channels are left out.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.io.csv_file import JointOrder
from posebench.io.extras import optional
from posebench.io.facts import Facts, brief, shown
from posebench.io.trc import UNITS


def read_c3d(path: Path) -> Facts:
    """Read a .c3d file.

    Raises
    ------
    InputError
        If the file is damaged or cut off, has no points, or states an unknown unit.
    MissingExtraError
        If the package c3d is not installed.
    """
    c3d = optional("c3d", str(path))
    try:
        with path.open("rb") as file, warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # what they say is checked below
            return _facts(c3d.Reader(file), path)
    except (InputError, FileNotFoundError, PermissionError):
        raise
    except MemoryError:
        raise InputError(f"{path}: claims more than fits into memory; it is damaged") from None
    except Exception as error:  # a damaged file makes the package raise whatever its bytes lead to
        raise InputError(f"{path}: is no complete .c3d file: {brief(error)}; export it again") from None


def _facts(reader: Any, path: Path) -> Facts:
    joints, n = int(reader.point_used), int(reader.last_frame) - int(reader.first_frame) + 1
    if joints == 0 or n <= 0:
        raise InputError(f"{path}: holds {joints} points in {max(n, 0)} frames, expected at least one of each")
    # Six bytes per point are the least that the format has: what does not fit is cut off, and not allocated.
    if n * joints * 6 > path.stat().st_size:
        raise InputError(f"{path}: promises {n} frames of {joints} points, more than the file holds; it is cut off")
    poses, residuals = np.empty((n, joints, 3), np.float32), np.empty((n, joints), np.float32)
    frames: list[int] = []
    for frame, points, _ in reader.read_frames(copy=False):
        poses[len(frames)], residuals[len(frames)] = points[:, :3], points[:, 3]
        frames.append(int(frame))
    if len(frames) < n:
        raise InputError(f"{path}: ends after {len(frames)} of {n} frames; it is cut off")
    order = _order(reader, joints, str(path))
    unit, factor, notes = _unit(reader, str(path))
    poses = poses[:, order.positions] * np.float32(factor)
    seen: npt.NDArray[np.bool_] = residuals[:, order.positions] >= 0
    rate = float(reader.point_rate)
    return Facts(
        poses,
        None if seen.all() else seen,
        skeleton=order.skeleton,
        unit=unit,
        frame=np.array(frames, np.int64),
        fps=rate if rate != 0 else None,
        notes=[*order.notes, *notes],
    )


def _order(reader: Any, joints: int, source: str) -> JointOrder:
    """The order of the points by their labels; as they stand if there are fewer labels than points."""
    parameter = reader.get("POINT:LABELS")
    labels = [] if parameter is None else [str(label).strip() for label in np.ravel(parameter.string_array)]
    if len(labels) < joints:
        note = f"{source}: names {len(labels)} of its {joints} points, kept as they stand"
        return JointOrder(list(range(joints)), None, (note,))
    return JointOrder.by_name(labels[:joints], source)


def _unit(reader: Any, source: str) -> tuple[str | None, float, list[str]]:
    """The unit, what coordinates are multiplied with, and a note if none is stated."""
    parameter = reader.get("POINT:UNITS")
    stated = "" if parameter is None else str(parameter.string_value).strip().strip("\0")
    if not stated:
        return None, 1.0, [f"{source}: states no unit"]
    if stated.lower() not in UNITS:
        raise InputError(f"{source}: POINT:UNITS is {shown(stated)}, expected one of {', '.join(UNITS)}")
    return (*UNITS[stated.lower()], [])
