"""Human3.6M's annotation lists, as codes that train on its pictures pickle them: one dict for each picture.

- Of the Integral line (`hm36.py` of Integral Human Pose keeps them as its cache). `joints_3d` are pixels and the depth
  relative to the pelvis, 17 joints and the middle of the shoulders; `joints_3d_cam` are the same joints in the camera,
  in mm. A list that lacks them is lifted with `fl`, `c_p` and `pelvis`, which is ground truth: pixels and relative
  depth alone have no place and no size.
- Of H36M-Toolbox (`generate_labels.py`, for Microsoft's multi-view codes), told by `camera` {R, T, fx, fy, cx, cy}.
  `joints_3d_camera` are the joints in the camera, in mm. What its `joints_3d` are differs from list to list: bones of
  one size, the world, or the camera; so they are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.io.facts import Facts, shown_kind
from posebench.io.layouts.common import Reading
from posebench.io.layouts.image_names import facts_named, image_keys
from posebench.lifting import lift_uvd

Floats = npt.NDArray[np.float64]

#: The joints of H36M-17, in its order; the Integral line's lists have the middle of the shoulders after them.
_JOINTS = 17
#: In mm: by how much the two ways to write a pose in the Integral line's lists may differ.
_AGREE = 1.0
_KEYS = ("subject", "action", "subaction", "camera_id", "image_id")


def read_list(items: list[Any], reading: Reading) -> Facts:
    """Read a list: absolute poses in the cameras, in mm, with intrinsics, and extrinsics where it has them.

    Raises
    ------
    InputError
        If a picture has other fields than the first, another shape, or what it says of its joints disagrees; if the
        list has labels in 2D alone, or no way from pixels to the camera.
    """
    rows = [reading.mapping(item, f"item {i}", "a dict for each picture") for i, item in enumerate(items)]
    facts = _of_toolbox(rows, reading) if "camera" in rows[0] else _of_integral(rows, reading)
    facts.skeleton, facts.unit, facts.reference, facts.origin = "h36m17", "mm", "camera", "absolute"
    facts.dataset = "h36m"
    return facts


def _of_integral(rows: Sequence[Mapping[str, Any]], reading: Reading) -> Facts:
    joints, first = _column(rows, "joints_3d", (None, 3), reading), rows[0]
    if not {"fl", "c_p"} <= first.keys() or not {"joints_3d_cam", "pelvis"} & first.keys():
        raise InputError(
            f"{reading.source}: item 0 has joints_3d and no joints_3d_cam, nor fl, c_p and pelvis to lift them with: "
            "labels in 2D, detections, or poses without a place; read a list of ground truth that has them"
        )
    intrinsics = _intrinsics(_column(rows, "fl", (2,), reading), _column(rows, "c_p", (2,), reading))
    held = _column(rows, "joints_3d_cam", joints.shape[1:], reading) if "joints_3d_cam" in first else None
    depth = _column(rows, "pelvis", (3,), reading)[:, 2] if held is None else held[:, 0, 2]
    if joints.shape[1] not in (_JOINTS, _JOINTS + 1):
        raise InputError(
            f"{reading.source}: has {joints.shape[1]} joints, expected Human3.6M's 17, or 18 with a thorax"
        )
    try:
        poses = lift_uvd(joints, intrinsics, depth)
    except InputError as error:
        raise InputError(f"{reading.source}: {error}") from None
    notes = [f"{reading.source}: joints_3d lifted with fl, c_p and pelvis: ground-truth depth was used"]
    if held is not None:
        apart = ~(np.abs(held - poses) <= _AGREE).all((1, 2))
        if apart.any():
            raise reading.error(
                f"item {int(np.argmax(apart))}",
                "has joints_3d_cam that are not its joints_3d seen by fl and c_p; the list is damaged, or not in mm",
            )
        poses, notes = held, []
    if joints.shape[1] > _JOINTS:
        notes.append(f"{reading.source}: the 18th joint, the middle of the shoulders, is left out")
    facts = facts_named(poses[:, :_JOINTS], image_keys([row.get("image") for row in rows], reading.source))
    facts.valid = _seen(rows, "joints_3d_vis", joints.shape[1], reading)
    facts.intrinsics = intrinsics
    facts.notes += notes
    return facts


def _of_toolbox(rows: Sequence[Mapping[str, Any]], reading: Reading) -> Facts:
    cameras = [reading.mapping(row.get("camera"), f"item {i}: camera", "a dict") for i, row in enumerate(rows)]
    focal, centre = (
        np.column_stack([_column(cameras, name, (), reading, "camera.") for name in names])
        for names in (("fx", "fy"), ("cx", "cy"))
    )
    intrinsics = _intrinsics(focal, centre)
    R = _column(cameras, "R", (3, 3), reading, "camera.")
    place = _column(cameras, "T", (3,), reading, "camera.")
    if "joints_3d_camera" not in rows[0]:
        raise InputError(
            f"{reading.source}: item 0 has no joints_3d_camera, and its joints_3d may be in the world or have bones of "
            "one size; make the list anew with H36M-Toolbox, which writes both"
        )
    poses = _column(rows, "joints_3d_camera", (_JOINTS, 3), reading)
    numbers = np.column_stack([_whole(rows, key, reading) for key in _KEYS])
    # As its pictures are called; camera_id counts from 0, image_id from 1.
    names = [f"s_{s:02d}_act_{a:02d}_subact_{t:02d}_ca_{c + 1:02d}_{i:06d}.jpg" for s, a, t, c, i in numbers.tolist()]
    keys = image_keys(names, reading.source)
    if keys.note or not numbers[:, 4].all():
        raise InputError(
            f"{reading.source}: {', '.join(_KEYS)} are not numbers of Human3.6M, expected actions from 2 to 16 and "
            "pictures from 1"
        )
    facts = facts_named(poses, keys)
    facts.valid = _seen(rows, "joints_vis", _JOINTS, reading)
    facts.intrinsics = intrinsics
    facts.extrinsics = np.concatenate([R, -R @ place[:, :, None]], axis=2)
    return facts


# -------------------------------------------------------------------------------------------------------------- columns


def _column(
    rows: Sequence[Mapping[str, Any]], name: str, shape: tuple[int | None, ...], reading: Reading, above: str = ""
) -> Floats:
    """One array from every row: of this shape but for the axis that is None; columns and lone numbers count as rows."""

    def parts() -> Iterator[Floats]:
        first = shape
        for i, row in enumerate(rows):
            where = f"item {i}: {above}{name}"
            value = row.get(name)
            if isinstance(value, int | float | np.number) and not isinstance(value, bool):
                value = np.array([value])
            array = np.asarray(reading.numbers(value, where), np.float64)
            if len(first) < 2:
                array = array.reshape(first) if array.size == int(np.prod(first)) else array  # type: ignore[arg-type]
            fits = array.ndim == len(first) and all(w in (None, n) for w, n in zip(first, array.shape, strict=True))
            if not fits:
                wanted = str(tuple("J" if n is None else n for n in first)).replace("'", "")
                raise reading.error(where, f"has shape {array.shape}, expected {wanted}, as in every item")
            if not np.isfinite(array).all():
                raise reading.error(where, "holds a number that is not finite")
            first = array.shape
            yield array

    return np.stack(list(parts()))


def _whole(rows: Sequence[Mapping[str, Any]], name: str, reading: Reading) -> npt.NDArray[np.int64]:
    """A whole number below a million from every row."""
    for i, row in enumerate(rows):
        value = row.get(name)
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or not 0 <= value < 10**6:
            raise reading.error(f"item {i}: {name}", f"is {shown_kind(value)}, expected a whole number from 0")
    return np.array([int(row[name]) for row in rows], np.int64)


def _seen(rows: Sequence[Mapping[str, Any]], name: str, joints: int, reading: Reading) -> npt.NDArray[np.bool_] | None:
    """The mask that a list gives of its joints; None if it gives none, or marks nothing."""
    if name not in rows[0]:
        return None
    flags = _column(rows, name, (joints, 3), reading)[:, :_JOINTS] > 0
    return None if flags.all() else np.asarray(flags.all(2))


def _intrinsics(focal: Floats, centre: Floats) -> Floats:
    matrices = np.zeros((len(focal), 3, 3))
    matrices[:, [0, 1], [0, 1]], matrices[:, :2, 2], matrices[:, 2, 2] = focal, centre, 1
    return matrices
