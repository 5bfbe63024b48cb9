"""PoseSet: poses with everything that says what they are, and the matching of predictions to ground truth.

A `PoseSet` is what a file becomes and what a scorer reads: coordinates, which joints are valid, the keys that name
each frame, and the facts without which a number is meaningless (unit, reference, origin, skeleton). It may hold a
memory map, so nothing here copies the coordinates.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.skeletons import Skeleton, get_skeleton, named_skeleton

Unit = Literal["mm", "m", "scale-free"]
Reference = Literal["camera", "world", "canonical", "unknown"]
Origin = Literal["absolute", "root"]

UNITS: tuple[str, ...] = get_args(Unit)
REFERENCES: tuple[str, ...] = get_args(Reference)
ORIGINS: tuple[str, ...] = get_args(Origin)

#: The key columns that name a frame; `frame` is a number, the others are text.
TEXT_KEYS = ("subject", "action", "sequence", "camera")
KEYS = (*TEXT_KEYS, "frame")


@dataclass(frozen=True, eq=False)
class KeyColumn:
    """One text key per frame, stored as codes into a sorted tuple of names: small, and quick to group by."""

    codes: npt.NDArray[np.int32]
    names: tuple[str, ...]

    @classmethod
    def of(cls, values: npt.ArrayLike | Sequence[str] | KeyColumn, n: int, key: str) -> KeyColumn:
        """Encode one value per frame, or one value for all frames."""
        if isinstance(values, KeyColumn):
            if len(values.codes) != n:
                raise InputError(f"key {key!r} has {len(values.codes)} values for {n} poses")
            return values
        try:
            array = np.asarray(values)
        except ValueError as error:  # UnicodeDecodeError among them: text and bytes in one list
            raise InputError(f"key {key!r} cannot be read: {error}") from None
        if array.dtype.kind == "O" and any(value is None for value in array.reshape(-1)):
            raise InputError(f"key {key!r} holds None; leave the key out, or name every pose")
        if array.ndim == 0:
            return cls(np.zeros(n, np.int32), (key_text(array[()]),))
        if array.ndim != 1 or len(array) != n:
            raise InputError(f"key {key!r} has shape {array.shape}, expected ({n},): one value per pose")
        if n == 0:
            return cls(np.zeros(0, np.int32), ())
        # Keys change rarely from frame to frame, so only the starts of runs are sorted.
        starts = np.flatnonzero(np.concatenate(([True], array[1:] != array[:-1])))
        texts = [key_text(value) for value in array[starts].tolist()]
        names = tuple(sorted(set(texts)))
        where = {name: code for code, name in enumerate(names)}
        codes = np.repeat(np.array([where[text] for text in texts], np.int32), np.diff(np.append(starts, n)))
        return cls(codes, names)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> KeyColumn:
        return KeyColumn(self.codes[rows], self.names)

    @property
    def values(self) -> npt.NDArray[np.str_]:
        """The column as an array of text."""
        return np.array(self.names, dtype=np.str_)[self.codes] if self.names else np.zeros(0, np.str_)


def key_text(value: object) -> str:
    """A key's value as text: bytes decoded, whole numbers without a point, so that 9, 9.0, b'9' and '9' agree."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, float | np.floating) and value.is_integer():
        return str(int(value))
    return str(value)


class PoseSet:
    """A set of poses and the facts that make them comparable.

    Parameters
    ----------
    poses : array, (N, J, 3)
        Coordinates; float32 and float64 are kept as they are, memory maps too, other numbers become float64.
    valid : array of bool, (N, J), optional
        Which joints are known. Missing means all.
    skeleton : str or Skeleton, optional
        What the joints are, by name or .yaml file; None if unknown.
    unit : {"mm", "m", "scale-free"}, optional
        None if unknown.
    reference : {"camera", "world", "canonical", "unknown"}
        The coordinate system that the axes belong to.
    origin : {"absolute", "root"}, optional
        Whether coordinates still hold the position in `reference`, or are relative to the root joint.
    subject, action, sequence, camera : str or array of str, (N,), optional
        Keys that name each frame.
    frame : array of int, (N,), optional
        Number of the frame in its sequence.
    fps : float, optional
        Frames per second.
    dataset : str, optional
    intrinsics : array, (3, 3) or (N, 3, 3), optional
    extrinsics : array, (3, 4) or (N, 3, 4), optional
        World to camera, its translation in `unit`.
    root_depth : array, () or (N,), optional
        Depth of the root joint in the camera, in `unit`.
    source : str
        What messages call this set: usually a file name.
    path : str, optional
        The file that the set was read from.
    stated : collection of str
        Facts such as ``"unit"`` that the user stated by hand: they are believed, never checked against bone lengths.
    notes : sequence of str
        What had to be assumed while reading; reports repeat it.

    Raises
    ------
    InputError
        If shapes, units or keys are not as above.

    Examples
    --------
    >>> import numpy as np
    >>> poses = PoseSet(np.zeros((2, 17, 3)), skeleton="h36m17", unit="mm", action=["Walking", "Eating"])
    >>> len(poses), poses.skeleton.name, poses.action.names
    (2, 'h36m17', ('Eating', 'Walking'))
    """

    def __init__(
        self,
        poses: npt.ArrayLike,
        *,
        valid: npt.ArrayLike | None = None,
        skeleton: str | Skeleton | None = None,
        unit: str | None = None,
        reference: str = "unknown",
        origin: str | None = None,
        subject: Any = None,
        action: Any = None,
        sequence: Any = None,
        camera: Any = None,
        frame: npt.ArrayLike | None = None,
        fps: float | None = None,
        dataset: str | None = None,
        intrinsics: npt.ArrayLike | None = None,
        extrinsics: npt.ArrayLike | None = None,
        root_depth: npt.ArrayLike | None = None,
        source: str = "array",
        path: str | None = None,
        stated: Collection[str] = (),
        notes: Sequence[str] = (),
    ) -> None:
        self.source = source
        self.path = path
        self.stated = frozenset(stated)
        self.notes = tuple(notes)
        self.poses = as_poses(poses, source)
        n, j = self.poses.shape[:2]
        self.valid = self._mask(valid, (n, j))
        # A file of poses names its skeleton; only the user may point to a file that defines one.
        if isinstance(skeleton, str) and path is not None and "skeleton" not in self.stated:
            skeleton = named_skeleton(skeleton)
        self.skeleton = None if skeleton is None else get_skeleton(skeleton)
        if self.skeleton is not None and len(self.skeleton) != j:
            raise InputError(
                f"{source}: the poses have {j} joints, but skeleton {self.skeleton.name} has {len(self.skeleton)}"
            )
        self.unit = _choice(unit, UNITS, "unit", source)
        self.reference = _choice(reference, REFERENCES, "reference", source) or "unknown"
        self.origin = _choice(origin, ORIGINS, "origin", source)
        self.subject = self._key(subject, "subject")
        self.action = self._key(action, "action")
        self.sequence = self._key(sequence, "sequence")
        self.camera = self._key(camera, "camera")
        self.frame = self._frame(frame, n)
        if fps is not None and not (np.isfinite(fps) and fps > 0):
            raise InputError(f"{source}: fps is {fps}, expected a positive number")
        self.fps = None if fps is None else float(fps)
        self.dataset = dataset
        self.intrinsics = self._per_frame(intrinsics, (3, 3), "intrinsics")
        self.extrinsics = self._per_frame(extrinsics, (3, 4), "extrinsics")
        self.root_depth = self._per_frame(root_depth, (), "root_depth")

    def __len__(self) -> int:
        return len(self.poses)

    def __repr__(self) -> str:
        n, j, _ = self.poses.shape
        name = self.skeleton.name if self.skeleton else "unknown"
        return (
            f"PoseSet({n} poses, {j} joints, skeleton={name}, unit={self.unit}, reference={self.reference}, "
            f"origin={self.origin}, keys={list(self.keys)}, source={self.source!r})"
        )

    @property
    def keys(self) -> dict[str, KeyColumn | npt.NDArray[np.int64]]:
        """The key columns that this set has, in the order of `KEYS`."""
        columns = {key: getattr(self, key) for key in KEYS}
        return {key: column for key, column in columns.items() if column is not None}

    def replace(self, **changes: Any) -> PoseSet:
        """A copy with some fields changed; the coordinates are shared unless they are what changes.

        Other coordinates, masks or keys are no longer those of the file, so the path goes.
        """
        if {"poses", "valid", *KEYS} & set(changes):
            changes = {"path": None, **changes}
        return PoseSet(**{**self._fields(), **changes})

    def take(self, rows: slice | npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Coordinates of some rows, NaN at joints that the set calls invalid; row -1 is a pose of NaN."""
        if isinstance(rows, slice):
            if self.valid is None:
                return self.poses[rows]
            return np.where(self.valid[rows][..., None], self.poses[rows], self.poses.dtype.type(np.nan))
        taken = np.full((len(rows), *self.poses.shape[1:]), np.nan, self.poses.dtype)
        there = rows >= 0
        taken[there] = self.poses[rows[there]]
        if self.valid is not None:
            taken[there] = np.where(self.valid[rows[there]][..., None], taken[there], self.poses.dtype.type(np.nan))
        return taken

    def __getitem__(self, rows: slice | npt.NDArray[Any]) -> PoseSet:
        """The poses of the given rows, with their keys."""
        picked: dict[str, Any] = {}
        for name, value in self._fields().items():
            per_frame = name in ("poses", "valid", *KEYS) or (
                name in ("intrinsics", "extrinsics", "root_depth")
                and value is not None
                and value.ndim == {"intrinsics": 3, "extrinsics": 3, "root_depth": 1}[name]
            )
            picked[name] = value[rows] if per_frame and value is not None else value
        picked["path"] = None
        return PoseSet(**picked)

    def _fields(self) -> dict[str, Any]:
        facts = ("fps", "dataset", "intrinsics", "extrinsics", "root_depth", "source", "path", "stated", "notes")
        names = ("poses", "valid", "skeleton", "unit", "reference", "origin", *KEYS, *facts)
        return {name: getattr(self, name) for name in names}

    def _mask(self, valid: npt.ArrayLike | None, shape: tuple[int, int]) -> npt.NDArray[np.bool_] | None:
        if valid is None:
            return None
        mask = np.asarray(valid)
        if mask.shape != shape:
            raise InputError(f"{self.source}: valid has shape {mask.shape}, expected {shape}: one flag per joint")
        if mask.dtype != np.bool_:
            if not np.isin(mask, (0, 1)).all():
                raise InputError(f"{self.source}: valid holds values other than 0 and 1")
            mask = mask.astype(np.bool_)
        return mask

    def _key(self, values: Any, key: str) -> KeyColumn | None:
        if values is None:
            return None
        try:
            return KeyColumn.of(values, len(self.poses), key)
        except InputError as error:
            raise InputError(f"{self.source}: {error}") from None

    def _frame(self, frame: npt.ArrayLike | None, n: int) -> npt.NDArray[np.int64] | None:
        if frame is None:
            return None
        numbers = np.asarray(frame)
        if numbers.shape != (n,):
            raise InputError(f"{self.source}: frame has shape {numbers.shape}, expected ({n},): one number per pose")
        if numbers.dtype.kind == "i":
            return numbers.astype(np.int64, copy=False)
        try:
            values = numbers.astype(np.float64)
        except (ValueError, TypeError):
            values = np.full(n, np.nan)
        # Beyond 2^53 neighbouring whole numbers are one float.
        if not (np.isfinite(values) & (np.abs(values) <= 2.0**53) & (values == np.round(values))).all():
            raise InputError(f"{self.source}: frame holds something other than whole numbers up to 2^53")
        return values.astype(np.int64)

    def _per_frame(self, value: npt.ArrayLike | None, shape: tuple[int, ...], name: str) -> npt.NDArray[Any] | None:
        if value is None:
            return None
        array = np.asarray(value, np.float64)
        if array.shape not in (shape, (len(self.poses), *shape)):
            raise InputError(
                f"{self.source}: {name} has shape {array.shape}, expected {shape} or {(len(self.poses), *shape)}"
            )
        return array


def as_poses(poses: npt.ArrayLike, source: str) -> npt.NDArray[Any]:
    """Check that an array is (N, J, 3) and numeric; float32 and float64 pass without a copy."""
    if callable(getattr(poses, "detach", None)):  # a tensor of PyTorch, perhaps on a graph or a device
        tensor: Any = poses
        tensor = tensor.detach().cpu()
        poses = tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor  # NumPy has none
    try:
        array = poses if isinstance(poses, np.ndarray) else np.asarray(poses)
    except ValueError as error:
        raise InputError(f"{source}: poses are ragged: {error}") from None
    if isinstance(array, np.ma.MaskedArray):
        raise InputError(
            f"{source}: poses are a masked array; pass array.data, and the joints that are known as `valid`"
        )
    if array.dtype.kind not in "fiu":
        raise InputError(f"{source}: poses are of type {array.dtype}, expected numbers of shape (N, J, 3)")
    if array.ndim == 2 and array.shape[1] == 3:
        raise InputError(f"{source}: poses have shape {array.shape}, expected (N, J, 3); for one pose pass poses[None]")
    if array.ndim != 3 or array.shape[2] != 3:
        raise InputError(f"{source}: poses have shape {array.shape}, expected (N, J, 3)")
    if array.shape[1] == 0:
        raise InputError(f"{source}: poses have shape {array.shape}: no joints")
    if array.dtype not in (np.dtype(np.float32), np.dtype(np.float64)) or not array.dtype.isnative:
        # What a stranger's file calls no number may be a signalling one.
        with np.errstate(invalid="ignore"):
            array = array.astype(np.float32 if array.dtype == np.dtype(">f4") else np.float64)
    return array


def _choice(value: str | None, allowed: tuple[str, ...], name: str, source: str) -> Any:
    if value is not None and value not in allowed:
        raise InputError(f"{source}: {name} is {value!r}, expected one of {', '.join(allowed)}")
    return value


__all__ = ["KEYS", "TEXT_KEYS", "KeyColumn", "Origin", "PoseSet", "Reference", "Unit", "as_poses"]
