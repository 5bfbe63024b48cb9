"""Where coordinates are measured from and in what: other units, roots as origins, world to camera and back.

Pure functions from a `PoseSet` to a new one that says what it is now; each refuses what would have to be guessed. They
allocate one array for the result and work through the poses in blocks, so that a mapped file is never copied whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.cameras.camera import MM, Camera, Floats, nearest_rotation
from posebench.cameras.rig import Rig
from posebench.errors import InputError, UsageError
from posebench.matching import describe_keys
from posebench.poses import PoseSet

Rows = npt.NDArray[np.int64]

#: Poses moved at a time.
BLOCK = 8192
#: A file's own unit is doubted where it puts the farthest camera outside this range from the world's origin, in mm.
REACH_MM = (30.0, 200_000.0)


def to_unit(poses: PoseSet, unit: str) -> PoseSet:
    """The same poses in mm or m: coordinates, root depths and the translation of extrinsics.

    Parameters
    ----------
    poses : PoseSet
    unit : {"mm", "m"}

    Raises
    ------
    InputError
        If the unit of the poses is unknown, or they have no scale.
    UsageError
        If there is no such unit.

    Examples
    --------
    >>> to_unit(PoseSet(np.ones((1, 17, 3)), unit="m"), "mm").poses[0, 0].tolist()
    [1000.0, 1000.0, 1000.0]
    """
    if unit not in ("mm", "m"):
        raise UsageError(f"there is no unit {unit!r} to convert to; known are mm, m")
    if poses.unit is None:
        raise InputError(f"{poses.source} does not say its unit; say it with --from-unit mm or --from-unit m")
    if poses.unit == "scale-free":
        raise InputError(f"{poses.source} is scale-free: no unit can be given to coordinates that have no scale")
    if poses.unit == unit:
        return poses
    factor = MM[poses.unit] / MM[unit]
    changes: dict[str, Any] = {"poses": _by_blocks(poses, lambda part, rows: part * factor), "unit": unit}
    if poses.extrinsics is not None:
        changes["extrinsics"] = poses.extrinsics * np.array([1, 1, 1, factor])
    if poses.root_depth is not None:
        changes["root_depth"] = poses.root_depth * factor
    return poses.replace(**changes)


def to_root(poses: PoseSet) -> PoseSet:
    """The same poses relative to their skeleton's root joint; in a camera, `root_depth` keeps the root's depth.

    Raises
    ------
    InputError
        If the poses are relative to their root already, their skeleton is unknown, or a root is invalid or not finite.

    Examples
    --------
    >>> poses = PoseSet(np.full((1, 17, 3), 5.0), skeleton="h36m17", unit="m", reference="camera", origin="absolute")
    >>> centred = to_root(poses)
    >>> centred.poses[0, 3].tolist(), centred.origin, centred.root_depth.tolist()
    ([0.0, 0.0, 0.0], 'root', [5.0])
    """
    if poses.origin == "root":
        raise InputError(f"{poses.source} is relative to the root already (origin root)")
    if poses.skeleton is None:
        raise InputError(
            f"{poses.source} does not say its skeleton, so its root is unknown; say it with --from-skeleton"
        )
    root = poses.skeleton.root
    roots = poses.poses[:, root].astype(np.float64)
    known = np.isfinite(roots).all(1)
    if poses.valid is not None:
        known &= poses.valid[:, root]
    if not known.all():
        row = int(np.flatnonzero(~known)[0])
        raise InputError(
            f"{poses.source}: the root {poses.skeleton.joints[root]} is not known in {int((~known).sum())} of "
            f"{len(poses)} poses, the first at row {row}{_keys_of(poses, row)}; such poses have no place for an origin"
        )
    changes: dict[str, Any] = {
        "poses": _by_blocks(poses, lambda part, rows: part - roots[rows, None]),
        "origin": "root",
    }
    if poses.reference == "camera" and poses.origin == "absolute":
        changes["root_depth"] = roots[:, 2]
    elif poses.reference == "camera" and poses.root_depth is None:
        changes["notes"] = (
            *poses.notes,
            f"root_depth of {poses.source} not kept: it does not say that its coordinates are absolute "
            "(--from-origin absolute)",
        )
    return poses.replace(**changes)


def to_axes(poses: PoseSet, axes: str) -> PoseSet:
    """The same poses with their axes renamed or reversed: what the file says of its reference becomes true.

    Reference, cameras and depths are kept as they are, since they are taken to be right and the coordinates wrong. One
    reversed axis alone, or three, mirror the body.

    Parameters
    ----------
    poses : PoseSet
    axes : str
        Which axis of the poses becomes each of the new ones: ``"x,-z,y"`` takes -z for y and y for z.

    Raises
    ------
    UsageError
        If `axes` does not name x, y and z once each.

    Examples
    --------
    >>> to_axes(PoseSet([[[1.0, 2.0, 3.0]]]), "x,-z,y").poses.tolist()
    [[[1.0, -3.0, 2.0]]]
    """
    words = [word.strip() for word in axes.split(",")]
    if sorted(word.removeprefix("-") for word in words) != ["x", "y", "z"]:
        raise UsageError(f"axes are {axes!r}, expected x, y and z once each, as in x,-y,z")
    order = ["xyz".index(word.removeprefix("-")) for word in words]
    signs = np.array([-1.0 if word.startswith("-") else 1.0 for word in words])
    return poses.replace(poses=_by_blocks(poses, lambda part, rows: part[..., order] * signs))


def _keys_of(poses: PoseSet, row: int) -> str:
    return f" ({describe_keys(poses, row, poses.keys)})" if poses.keys else ""


def to_camera(poses: PoseSet, cameras: Mapping[str, Camera] | None = None, *, camera: str | None = None) -> PoseSet:
    """Poses of the world as the cameras see them: x right, y down, z forward.

    Root-relative poses are rotated only, which a note says.

    Parameters
    ----------
    poses : PoseSet
        In the world reference. The key column `camera` says which camera each pose is for.
    cameras : mapping of str to Camera, optional
        As `read_cameras` gives them; by default the set's own extrinsics.
    camera : str, optional
        For sets without a `camera` column: the one camera to take, or ``"all"`` for a copy of the poses per camera. A
        single camera need not be named.

    Returns
    -------
    PoseSet
        In the camera reference, with the key `camera`, intrinsics and extrinsics.

    Raises
    ------
    InputError
        If the reference is not the world, it is open whether coordinates are absolute, a camera or a unit is not known,
        or no pose lies before its camera.
    UsageError
        If `camera` is missing or superfluous.

    Examples
    --------
    >>> K = [[1000, 0, 500], [0, 1000, 500], [0, 0, 1]]
    >>> rig = {"front": Camera("front", K, [], np.eye(3), [0, 0, 5], unit="m")}
    >>> world = PoseSet(np.zeros((1, 17, 3)), unit="mm", reference="world", origin="absolute")
    >>> seen = to_camera(world, rig)
    >>> seen.poses[0, 0].tolist(), seen.camera.names
    ([0.0, 0.0, 5000.0], ('front',))
    """
    _refuse_reference(poses, "world", "camera")
    move = _plan(poses, cameras, camera, "camera")
    middles = np.full((len(move.codes), 3), np.nan)

    def change(part: Floats, rows: Rows) -> Floats:
        moved = part
        for code in np.unique(move.codes[rows]):
            mine = move.codes[rows] == code
            moved[mine] = part[mine] @ move.views[code].R.T + (move.views[code].t if move.absolute else 0.0)
        middles[rows] = _middles(moved, None if poses.valid is None else poses.valid[move.source_rows(rows)])
        return moved

    moved = _by_blocks(poses, change, move)
    notes = _sight(poses, move, middles) if move.absolute else ()
    return _result(poses, move, moved, "camera", notes)


def to_world(poses: PoseSet, cameras: Mapping[str, Camera] | None = None, *, camera: str | None = None) -> PoseSet:
    """Poses in cameras as poses of the world: the inverse of `to_camera`.

    Parameters
    ----------
    poses : PoseSet
        In the camera reference.
    cameras, camera
        As for `to_camera`; ``"all"`` has no meaning here.

    Returns
    -------
    PoseSet
        In the world reference; keys, intrinsics and extrinsics stay those of the camera that saw each pose.

    Raises
    ------
    InputError, UsageError
        As `to_camera`.

    Examples
    --------
    >>> K = [[1000, 0, 500], [0, 1000, 500], [0, 0, 1]]
    >>> rig = {"front": Camera("front", K, [], np.eye(3), [0, 0, 5], unit="m")}
    >>> seen = PoseSet(np.full((1, 17, 3), 6.0), unit="m", reference="camera", origin="absolute")
    >>> to_world(seen, rig).poses[0, 0].tolist()
    [6.0, 6.0, 1.0]
    """
    _refuse_reference(poses, "camera", "world")
    if camera == "all":
        raise UsageError("each pose lies in one camera: name it, --camera all is for --to camera")
    move = _plan(poses, cameras, camera, "world")

    def change(part: Floats, rows: Rows) -> Floats:
        moved = part
        for code in np.unique(move.codes[rows]):
            mine = move.codes[rows] == code
            moved[mine] = (part[mine] - (move.views[code].t if move.absolute else 0.0)) @ move.views[code].R
        return moved

    return _result(poses, move, _by_blocks(poses, change, move), "world", ())


def _refuse_reference(poses: PoseSet, needed: str, wanted: str) -> None:
    if poses.reference == wanted:
        raise InputError(f"{poses.source} is in the {wanted} reference already")
    if poses.reference == "unknown":
        raise InputError(
            f"{poses.source} does not say its reference; if it is the {needed}, say so with --from-reference {needed}"
        )
    if poses.reference != needed:
        raise InputError(
            f"{poses.source} is in the {poses.reference} reference, from which no camera leads to the {wanted}; if "
            f"it is in the {needed}'s, say so with --from-reference {needed}"
        )
    if poses.origin is None:
        raise InputError(
            f"{poses.source} does not say whether its coordinates are absolute or relative to the root; say it with "
            "--from-origin absolute or --from-origin root"
        )


# --------------------------------------------------------------------------------------------- which camera sees what


@dataclass(frozen=True)
class _View:
    """A camera as a set needs it: its translation in the set's unit."""

    R: Floats
    t: Floats
    camera: Camera | None = None


@dataclass(frozen=True)
class _Move:
    """Which view each row of the result takes, and what the result says of itself."""

    views: tuple[_View, ...]
    codes: npt.NDArray[np.integer[Any]]
    absolute: bool
    #: Copies of the set in the result: one, or one per camera.
    copies: int = 1
    facts: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()

    def source_rows(self, rows: Rows) -> Rows:
        """The rows of the set that rows of the result come from."""
        return rows % (len(self.codes) // self.copies) if self.copies > 1 else rows


def _plan(poses: PoseSet, cameras: Mapping[str, Camera] | None, camera: str | None, wanted: str) -> _Move:
    absolute = poses.origin == "absolute"
    notes = []
    if not absolute:
        notes.append(f"{poses.source} is relative to the root: only the rotation of the cameras was applied")
    if cameras is None:
        return _own_plan(poses, camera, absolute, wanted, tuple(notes))
    rig = Rig(cameras)
    names, copies = rig.choose(poses, camera)
    used, codes, renamed = rig.find(poses, names, copies)
    notes += [f"camera {given} of {poses.source} taken to be {found}" for given, found in renamed.items()]
    scaled = poses.unit in ("mm", "m") and (absolute or all(each.unit is not None for each in used))
    if absolute:
        notes += _settle_cameras_unit(poses, used, rig.cameras)
    own = MM[poses.unit] if poses.unit in ("mm", "m") else 1.0
    views = tuple(
        _View(each.R, each.t * (MM[each.unit] / own) if scaled and each.unit is not None else np.zeros(3), each)
        for each in used
    )
    facts: dict[str, Any] = {"camera": names, "intrinsics": _per_row([each.K for each in used], codes)}
    if scaled:
        matrices = [np.column_stack([view.R, view.t]) for view in views]
        facts["extrinsics"] = _per_row(matrices, codes)
    else:
        facts["extrinsics"] = None
        notes.append("extrinsics left out: the unit of the poses or of the cameras is not known")
    for fact in ("intrinsics", "extrinsics"):
        before, now = getattr(poses, fact), facts[fact]
        if before is not None and now is not None and not (before.shape == now.shape and np.allclose(before, now)):
            notes.append(f"{fact} of {poses.source} replaced by those of {rig.source}")
    if poses.root_depth is not None and (absolute or poses.camera is None) and wanted == "camera":
        facts["root_depth"] = None
        why = "the coordinates hold it" if absolute else "it does not say of which camera"
        notes.append(f"root_depth of {poses.source} left out: {why}")
    return _Move(views, codes, absolute, copies, facts, tuple(notes))


def _own_plan(poses: PoseSet, camera: str | None, absolute: bool, wanted: str, notes: tuple[str, ...]) -> _Move:
    """The set's own extrinsics."""
    if poses.extrinsics is None:
        raise InputError(f"{poses.source} holds no extrinsics; give its cameras with --cameras FILE")
    if camera is not None:
        raise UsageError("--camera chooses from a camera file; give one with --cameras FILE")
    if absolute and poses.unit not in ("mm", "m"):
        raise InputError(_needs_unit(poses))
    matrices = poses.extrinsics.reshape(-1, 3, 4)
    different, codes = np.unique(matrices, axis=0, return_inverse=True)
    if not np.isfinite(different).all():
        raise InputError(f"{poses.source}: extrinsics hold a number that is not finite")
    views = tuple(_View(nearest_rotation(each[:, :3], f"{poses.source}: extrinsics"), each[:, 3]) for each in different)
    codes = np.broadcast_to(codes.reshape(-1), len(poses)) if len(matrices) == 1 else codes.reshape(-1)
    return _Move(views, codes, absolute, 1, {}, notes)


def _settle_cameras_unit(poses: PoseSet, used: Sequence[Camera], rig: Sequence[Camera]) -> list[str]:
    """Raise if the unit of poses or cameras is unknown, or what a camera file says of it cannot be; notes otherwise."""
    if poses.unit not in ("mm", "m"):
        raise InputError(_needs_unit(poses))
    reach = max(float(np.linalg.norm(each.t)) for each in rig)
    source = rig[0].source
    for each in used:
        if each.unit is None:
            raise InputError(
                f"{source} does not say the unit of its translations, which are up to {reach:.4g} long; say it with "
                "--cameras-unit mm, --cameras-unit cm or --cameras-unit m"
            )
    farthest = max(float(np.linalg.norm(each.in_unit("mm").t)) for each in rig if each.unit is not None)
    if farthest == 0 or REACH_MM[0] <= farthest <= REACH_MM[1]:
        return []
    sentence = f"in {used[0].unit}, the world's origin is at most {farthest:.4g} mm from the cameras of {source}"
    if used[0].unit_stated:
        return [sentence]
    raise InputError(
        f"{sentence}, which no room is; say the unit of its translations with --cameras-unit mm, --cameras-unit cm or "
        "--cameras-unit m"
    )


def _needs_unit(poses: PoseSet) -> str:
    if poses.unit == "scale-free":
        return (
            f"{poses.source} is scale-free, so its absolute coordinates have no place beside cameras; only coordinates "
            "relative to the root can be rotated (--from-origin root)"
        )
    return f"{poses.source} does not say its unit; say it with --from-unit mm or --from-unit m"


def _sight(poses: PoseSet, move: _Move, middles: Floats) -> tuple[str, ...]:
    """Notes on poses that their cameras cannot have seen; raises if no pose lies before its camera."""
    known = ~np.isnan(middles).any(1)
    ahead = known & (middles[:, 2] > 0)
    camera = move.views[0].camera
    if known.any() and not ahead.any():
        who = (
            f"{poses.source} does not fit its extrinsics"
            if camera is None
            else f"{poses.source} and {camera.source} do not fit"
        )
        raise InputError(
            f"{who}: every pose would lie behind its camera; axes or units of the two worlds differ, or "
            "the file turns cameras into the world instead of the world into cameras"
        )
    behind, outside = [], []
    # A set's own extrinsics may be another camera in every pose: they are counted together.
    for code, view in enumerate(move.views if camera is not None else move.views[:1]):
        mine = known if view.camera is None else known & (move.codes == code)
        total, missed = int(mine.sum()), int((mine & ~ahead).sum())
        name = "" if view.camera is None else f" for {view.camera.key}"
        if missed:
            behind.append(f"{missed} of {total}{name}")
        if view.camera is not None and view.camera.size is not None and total > missed:
            seen = middles[mine & ahead]
            pixels = seen[:, :2] / seen[:, 2:] @ view.camera.K[:2, :2].T + view.camera.K[:2, 2]
            inside = int(((pixels >= 0) & (pixels <= view.camera.size)).all(1).sum())
            if inside < total / 2:
                outside.append(f"{total - inside} of {total}{name}")
    notes = []
    if behind:
        notes.append(f"poses of {poses.source} lie behind their camera: {_first(behind)}")
    if outside:
        notes.append(f"most poses of {poses.source} lie outside the pictures of their camera: {_first(outside)}")
    return tuple(notes)


def _first(items: Sequence[str], limit: int = 8) -> str:
    return ", ".join(items[:limit]) + (f" and {len(items) - limit} more cameras" if len(items) > limit else "")


# ----------------------------------------------------------------------------------------------------------- moving


def _by_blocks(poses: PoseSet, change: Callable[[Floats, Rows], Floats], move: _Move | None = None) -> npt.NDArray[Any]:
    """New coordinates, of the same type, from float64 blocks and the rows of the result that they are."""
    total = len(poses) if move is None else len(move.codes)
    moved = np.empty((total, *poses.poses.shape[1:]), poses.poses.dtype)
    with np.errstate(all="ignore"):  # whatever stands in invalid joints
        for start in range(0, total, BLOCK):
            rows = np.arange(start, min(start + BLOCK, total))
            held = rows if move is None else move.source_rows(rows)
            moved[rows[0] : rows[-1] + 1] = change(poses.poses[held].astype(np.float64), rows)
    return moved


def _middles(part: Floats, valid: npt.NDArray[np.bool_] | None) -> Floats:
    """The mean (n, 3) of the joints of each pose that are known; NaN where none is."""
    known: npt.NDArray[np.bool_] = np.asarray(np.isfinite(part).all(2))
    if valid is not None:
        known = known & valid
    count = known.sum(1, dtype=np.float64)
    return np.asarray(np.where(known[..., None], part, 0.0).sum(1) / count[:, None])


def _per_row(values: Sequence[Floats], codes: npt.NDArray[np.integer[Any]]) -> Floats:
    """One value if all are the same, else one per row."""
    if all(np.array_equal(value, values[0]) for value in values):
        return values[0]
    return np.asarray(np.stack(values)[codes])


def _result(poses: PoseSet, move: _Move, moved: npt.NDArray[Any], reference: str, notes: Sequence[str]) -> PoseSet:
    """The moved set, with keys and facts repeated where it holds copies."""
    changes: dict[str, Any] = {"poses": moved, "reference": reference}
    if move.copies > 1:
        rows = np.tile(np.arange(len(poses)), move.copies)
        per_pose = {"valid": poses.valid, **poses.keys}
        changes |= {name: value[rows] for name, value in per_pose.items() if value is not None}
    changes |= move.facts or {}
    return poses.replace(**changes, notes=(*poses.notes, *move.notes, *notes))


__all__ = ["to_axes", "to_camera", "to_root", "to_unit", "to_world"]
