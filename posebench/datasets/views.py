"""Pictures of people from several cameras, for scoring and for training: one with labels, one that cannot reach them.

A folder is laid out as `posebench data render open4v` and `posebench data prepare pose2sim` write it: there are
`labels/SPLIT.npz` and `labels/SPLIT.views.npz`, and pictures below `images`. `strip_labels` writes an index without
labels into `views`: `SPLIT.npz` with pictures, intrinsics and ids, and `SPLIT.extrinsics.npz`. `open_unlabelled` opens
these alone.

Pictures are decoded when they are asked for and kept by nobody, so memory does not grow with their number.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.cameras import Camera
from posebench.datasets.footage import read_picture
from posebench.datasets.open4v.labels import SIZE_LIMIT, Views, read_labels
from posebench.errors import InputError, UsageError
from posebench.io.atomic import atomic_write
from posebench.poses import PoseSet

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Texts = npt.NDArray[np.str_]
Picture = npt.NDArray[np.uint8]

INDEX = "views"
_INDEX: dict[str, tuple[int, ...]] = {"image": (), "sequence": (), "camera": (), "frame": (), "intrinsics": (3, 3)}
_EXTRINSICS: dict[str, tuple[int, ...]] = {"R": (3, 3), "t": (3,)}


class MultiViewSet:
    """A split with its labels: what is scored against, and what supervised training sees.

    N pictures, J = 17 joints (H36M-17).

    Parameters
    ----------
    folder : path
        As described above.
    split : str

    Attributes
    ----------
    subject, action, sequence, camera : (N,) str
    frame : (N,) int
    intrinsics, camera_intrinsics : (N, 3, 3)
        Of the pictures, and of the cameras' whole pictures, in px.
    joints : (N, 17, 2)
        In px of the pictures; NaN where they are unknown.
    visible : (N, 17) bool
    box : (N, 4)
        Left, top, right, bottom in px.

    Raises
    ------
    InputError
        If a file is missing or damaged, or names a picture outside the folder.
    """

    def __init__(self, folder: str | os.PathLike[str], split: str) -> None:
        self.folder, self.split = Path(folder), split
        views = read_labels(folder, split)
        check_names(views.image, self.folder / "labels" / f"{split}.views.npz")
        self._views = views
        self.subject, self.action = views.subject, views.action
        self.sequence, self.camera, self.frame = views.sequence, views.camera, views.frame
        self.intrinsics, self.camera_intrinsics = views.intrinsics, views.camera_intrinsics
        self.joints, self.visible, self.box = views.joints, views.visible, views.box

    def __len__(self) -> int:
        return len(self._views)

    def __repr__(self) -> str:
        known = "with" if self.has_poses else "without"
        return f"MultiViewSet({len(self)} pictures of {self.split}, {known} poses, {str(self.folder)!r})"

    @property
    def has_poses(self) -> bool:
        """Whether there are poses and extrinsics, rather than labels in 2D alone."""
        return self._views.poses is not None

    def image(self, index: int) -> Picture:
        """A picture (H, W, 3), RGB.

        Raises
        ------
        InputError
            If it is missing, damaged or larger than 8192 px.
        UsageError
            If there is no such index.
        """
        return _image(self.folder, self._views.image, index)

    def images(self, indices: Iterable[int] | None = None) -> Iterator[Picture]:
        """Pictures one by one, all of them by default."""
        return (self.image(index) for index in (range(len(self)) if indices is None else indices))

    def calibrated(self, index: int) -> Camera:
        """The camera of a picture, which has no distortion; its translation is in mm.

        Raises
        ------
        InputError
            If the split has labels in 2D alone.
        UsageError
            If there is no such index.
        """
        row = _row(index, len(self))
        if self._views.extrinsics is None:
            raise InputError(f"{self.folder}: the split {self.split} says nothing about where its cameras stand")
        matrix = self._views.extrinsics[row]
        return Camera(str(self.camera[row]), self.intrinsics[row], [], matrix[:, :3], matrix[:, 3], "mm")

    def ground_truth(self) -> PoseSet:
        """The poses in the cameras, H36M-17 in mm, as `posebench score --gt` reads them.

        Raises
        ------
        InputError
            If the split has labels in 2D alone.
        """
        from posebench.io import read

        if not self.has_poses:
            raise InputError(f"{self.folder}: the split {self.split} has labels in 2D alone, and no poses")
        return read(self.folder / "labels" / f"{self.split}.npz")

    @property
    def instants(self) -> Ints:
        """Pictures taken together, (M, V): indices, -1 where a camera has none; V cameras, see `camera_names`."""
        return _instants(_sequences(self._views), self.camera, self.frame)

    def unlabelled(self, *, with_extrinsics: bool = False) -> UnlabelledView:
        """The same pictures without their labels; nothing leads back from it.

        Raises
        ------
        InputError
            If extrinsics are asked for and the split has none.
        """
        return UnlabelledView(*_stripped(self._views, self.folder, with_extrinsics=with_extrinsics))


class UnlabelledView:
    """Pictures that teach nothing but themselves: what self-supervised training may see.

    It holds pictures, intrinsics, and the ids of camera, sequence and frame, by which pictures taken together are
    found; R and t too if they were asked for. It has no other attribute, and `open_unlabelled` reads no file that holds
    a label. Where the squares lie in the cameras' pictures is known from the intrinsics, and they were cut around the
    body; nothing else of it is.

    Attributes
    ----------
    sequence, camera : (N,) str
        A sequence's id holds its subject's.
    frame : (N,) int
    intrinsics : (N, 3, 3)
        Of the pictures, in px.
    R, t : (N, 3, 3), (N, 3)
        World to camera, mm. Only with extrinsics.

    Examples
    --------
    >>> picture = np.zeros((4, 4, 3), np.uint8)
    >>> view = UnlabelledView(lambda index: picture, ["s"], ["front"], [0], np.eye(3)[None])
    >>> view.image(0).shape, view.with_extrinsics
    ((4, 4, 3), False)
    >>> view.R
    Traceback (most recent call last):
    posebench.errors.UsageError: this view holds no extrinsics; open it with with_extrinsics=True
    """

    __slots__ = ("_R", "_load", "_t", "camera", "frame", "intrinsics", "sequence")

    def __init__(
        self,
        load: Callable[[int], Picture],
        sequence: npt.ArrayLike,
        camera: npt.ArrayLike,
        frame: npt.ArrayLike,
        intrinsics: npt.ArrayLike,
        R: npt.ArrayLike | None = None,
        t: npt.ArrayLike | None = None,
    ) -> None:
        # Copies: a part of a larger array would lead to the whole.
        self._load = load
        self.sequence: Texts = np.array(sequence, np.str_)
        self.camera: Texts = np.array(camera, np.str_)
        self.frame: Ints = np.array(frame, np.int64)
        self.intrinsics: Floats = np.array(intrinsics, np.float64)
        self._R = None if R is None else np.array(R, np.float64)
        self._t = None if t is None else np.array(t, np.float64)

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        return f"UnlabelledView({len(self)} pictures, {'with' if self.with_extrinsics else 'without'} extrinsics)"

    @property
    def with_extrinsics(self) -> bool:
        """Whether R and t are there."""
        return self._R is not None

    @property
    def R(self) -> Floats:  # noqa: N802 - a rotation
        """Rotations from the world to the cameras (N, 3, 3)."""
        return _given(self._R)

    @property
    def t(self) -> Floats:
        """Translations from the world to the cameras (N, 3), mm."""
        return _given(self._t)

    def image(self, index: int) -> Picture:
        """A picture (H, W, 3), RGB.

        Raises
        ------
        InputError
            If it is missing, damaged or larger than 8192 px.
        UsageError
            If there is no such index.
        """
        return self._load(_row(index, len(self)))

    def images(self, indices: Iterable[int] | None = None) -> Iterator[Picture]:
        """Pictures one by one, all of them by default."""
        return (self.image(index) for index in (range(len(self)) if indices is None else indices))

    @property
    def instants(self) -> Ints:
        """Pictures taken together, (M, V): indices, -1 where a camera has none; V cameras, see `camera_names`."""
        return _instants(self.sequence, self.camera, self.frame)


def open_unlabelled(folder: str | os.PathLike[str], split: str, *, with_extrinsics: bool = False) -> UnlabelledView:
    """Open a split without its labels; reads the index in `views` and nothing else.

    Parameters
    ----------
    folder : path
        As described above; its `labels` may be gone.
    split : str
    with_extrinsics : bool
        Whether R and t are read too.

    Raises
    ------
    InputError
        If there is no index, or it is damaged; the message says how to make one.
    """
    from posebench.io.array_file import read_arrays

    place = Path(folder)
    path = place / INDEX / f"{split}.npz"
    if not path.is_file():
        raise InputError(
            f"{path}: is missing; make the index without labels: posebench data prepare open4v --folder {place} --out "
            f"{place}"
        )
    arrays = read_arrays(path, _INDEX, SIZE_LIMIT)
    n = _check(arrays, _INDEX, path)
    check_names(arrays["image"], path)
    R = t = None
    if with_extrinsics:
        beside = place / INDEX / f"{split}.extrinsics.npz"
        if not beside.is_file():
            raise InputError(f"{beside}: is missing: nothing is known about where the cameras of {split} stand")
        found = read_arrays(beside, _EXTRINSICS, SIZE_LIMIT)
        if _check(found, _EXTRINSICS, beside) != n:
            raise InputError(f"{beside}: does not have one row for each picture of {path.name}")
        R, t = found["R"], found["t"]
    names = arrays["image"].copy()
    return UnlabelledView(
        _loader(place, names), arrays["sequence"], arrays["camera"], arrays["frame"], arrays["intrinsics"], R, t
    )


def strip_labels(folder: str | os.PathLike[str], out: str | os.PathLike[str]) -> dict[str, int]:
    """Write the index without labels of every split of a folder.

    Parameters
    ----------
    folder : path
        With `labels` and `images`.
    out : path
        Where `views` is put. Another folder than `folder` must hold, or be given, the pictures: `images` of the one can
        be moved or linked there.

    Returns
    -------
    dict
        Split -> number of pictures.

    Raises
    ------
    InputError
        If there are no labels, they are damaged, or the index cannot be written.
    """
    from posebench.io.array_file import write_arrays

    place, target = Path(folder), Path(out) / INDEX
    splits = sorted(path.name.removesuffix(".views.npz") for path in (place / "labels").glob("*.views.npz"))
    if not splits:
        raise InputError(f"{place}: holds no labels/SPLIT.views.npz; name a folder that posebench rendered or prepared")
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{target}: cannot be written: {error.strerror or error}") from None
    counts = {}
    for split in splits:
        views = read_labels(place, split)
        check_names(views.image, place / "labels" / f"{split}.views.npz")
        index = {
            "image": views.image,
            "sequence": _sequences(views),
            "camera": views.camera,
            "frame": views.frame,
            "intrinsics": views.intrinsics,
        }
        files = {f"{split}.npz": index}
        if views.extrinsics is not None:
            files[f"{split}.extrinsics.npz"] = {"R": views.extrinsics[:, :, :3], "t": views.extrinsics[:, :, 3]}
        for name, arrays in files.items():
            with atomic_write(target / name) as handle:
                write_arrays(handle, {key: np.ascontiguousarray(array) for key, array in arrays.items()})
        counts[split] = len(views)
    return counts


# -------------------------------------------------------------------------------------------------------------- helpers


def _stripped(views: Views, folder: Path, *, with_extrinsics: bool) -> tuple[Any, ...]:
    """What `UnlabelledView` is made of."""
    if with_extrinsics and views.extrinsics is None:
        raise InputError(f"{folder}: nothing is known about where its cameras stand")
    matrix = views.extrinsics if with_extrinsics else None
    return (
        _loader(folder, views.image.copy()),
        _sequences(views),
        views.camera,
        views.frame,
        views.intrinsics,
        None if matrix is None else matrix[:, :, :3],
        None if matrix is None else matrix[:, :, 3],
    )


def _sequences(views: Views) -> Texts:
    """Ids of sequences, which say the subject too: a name may stand for several people."""
    return np.char.add(np.char.add(views.subject, "/"), views.sequence)


def _loader(folder: Path, names: Texts) -> Callable[[int], Picture]:
    return lambda index: _image(folder, names, index)


def _given(array: Floats | None) -> Floats:
    if array is None:
        raise UsageError("this view holds no extrinsics; open it with with_extrinsics=True")
    return array


def _row(index: int, n: int) -> int:
    if not -n <= index < n:
        raise UsageError(f"there is no picture {index}; there are {n}")
    return int(index) % n


def camera_names(camera: Texts) -> list[str]:
    """The cameras in their order: by name, numbers in it by value, since neighbours bear consecutive ones.

    Examples
    --------
    >>> camera_names(np.array(["cam10", "cam2", "cam2", "cam1"]))
    ['cam1', 'cam2', 'cam10']
    """

    def parts(name: str) -> list[tuple[int, str]]:
        # Of two numbers the one with more digits is larger.
        found = re.split(r"([0-9]+)", name)
        return [(len(part.lstrip("0")), part.lstrip("0")) if i % 2 else (0, part) for i, part in enumerate(found)]

    return sorted(np.unique(camera).tolist(), key=lambda name: (parts(name), name))


def _instants(sequence: Texts, camera: Texts, frame: Ints) -> Ints:
    names, given = np.unique(camera, return_inverse=True)
    place = {name: column for column, name in enumerate(camera_names(camera))}
    column = np.array([place[name] for name in names.tolist()], np.int64)[given]
    _, number = np.unique(sequence, return_inverse=True)
    # Numbered by sequence, then by frame: one number for both, so that one sort does.
    _, when = np.unique(frame, return_inverse=True)
    instant, row = np.unique(number * (int(when.max(initial=0)) + 1) + when, return_inverse=True)
    found = np.full((len(instant), len(names)), -1, np.int64)
    taken = row, column
    if len(np.unique(row * len(names) + column)) != len(frame):
        raise InputError("two pictures have one sequence, frame and camera")
    found[taken] = np.arange(len(frame))
    return found


def _check(arrays: dict[str, npt.NDArray[Any]], shapes: dict[str, tuple[int, ...]], path: Path) -> int:
    """Check shapes and types; the number of rows."""
    first = next(iter(arrays.values()))
    n = len(first) if first.ndim else 0
    for name, shape in shapes.items():
        array = arrays[name]
        kinds = "U" if name in ("image", "sequence", "camera") else "i" if name == "frame" else "f"
        if array.shape != (n, *shape) or array.dtype.kind not in kinds:
            raise InputError(
                f"{path}: array {name!r} has shape {array.shape} and type {array.dtype}, expected {(n, *shape)}"
            )
    return n


def check_names(names: Texts, path: Path) -> None:
    """Refuse names of pictures that lead out of their folder.

    Raises
    ------
    InputError
        If one does; `path` is the file that names it.
    """
    for name in names.tolist():
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or "\\" in name or ":" in name or not name:
            raise InputError(f"{path}: names the picture {ascii(name)[:120]}, which is not below its folder")


def _image(folder: Path, names: Texts, index: int) -> Picture:
    return read_picture(folder / str(names[_row(index, len(names))]))


__all__ = ["MultiViewSet", "UnlabelledView", "camera_names", "check_names", "open_unlabelled", "strip_labels"]
