"""Labels of rendered pictures: what is known exactly of each, how it is kept in files, and how these are read again.

A split has two files. `NAME.npz` is a `PoseSet` as every reader of posebench knows it: H36M-17 in mm in the camera,
keys, the intrinsics of the picture and the extrinsics. `NAME.views.npz` lies beside it and holds what belongs to
pictures: their files, joints in px, which joints nothing hides, boxes, and where the picture lies in the whole picture
of its camera.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.cameras import Camera
from posebench.datasets.open4v.scene import Crop
from posebench.errors import InputError
from posebench.io import read, write
from posebench.io.atomic import atomic_write
from posebench.poses import PoseSet
from posebench.skeletons import H36M17

Floats = npt.NDArray[np.float64]

#: Bytes of a file of labels: about 2 kB for each picture.
SIZE_LIMIT = 4 * 2**30

_SHAPES: dict[str, tuple[int, ...]] = {
    "image": (),
    "subject": (),
    "action": (),
    "sequence": (),
    "camera": (),
    "frame": (),
    "joints": (17, 2),
    "visible": (17,),
    "box": (4,),
    "crop": (3,),
    "intrinsics": (3, 3),
    "camera_intrinsics": (3, 3),
}
_LABELS_3D: dict[str, tuple[int, ...]] = {"poses": (17, 3), "extrinsics": (3, 4)}


@dataclass(frozen=True, eq=False)
class Views:
    """Labels of N pictures.

    image : (N,) str
        Files, relative to the folder of the data set.
    subject, action, sequence, camera : (N,) str
    frame : (N,) int
        As the motion's file numbers it.
    joints : (N, 17, 2)
        H36M-17 in px of the picture; whole numbers are the middles of pixels.
    visible : (N, 17) bool
        Joints inside the picture that no part of the body is in front of, other than what is around the joint.
    box : (N, 4)
        Left, top, right, bottom of the body in px of the picture.
    crop : (N, 3)
        Left and upper edge and side of the picture in px of the camera's whole picture.
    intrinsics, camera_intrinsics : (N, 3, 3)
        Of the picture, and of the camera's whole picture.
    poses : (N, 17, 3), optional
        H36M-17 in mm, in the camera; None for splits with labels in 2D only.
    extrinsics : (N, 3, 4), optional
        World to camera, in mm.
    """

    image: npt.NDArray[np.str_]
    subject: npt.NDArray[np.str_]
    action: npt.NDArray[np.str_]
    sequence: npt.NDArray[np.str_]
    camera: npt.NDArray[np.str_]
    frame: npt.NDArray[np.int64]
    joints: Floats
    visible: npt.NDArray[np.bool_]
    box: Floats
    crop: Floats
    intrinsics: Floats
    camera_intrinsics: Floats
    poses: Floats | None = None
    extrinsics: Floats | None = None

    def __len__(self) -> int:
        return len(self.image)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What there is, by name."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in named.items() if value is not None}


def joined(parts: Sequence[Views]) -> Views:
    """Several sets of labels as one, in order.

    Raises
    ------
    InputError
        If there are none.
    """
    if not parts:
        raise InputError("there are no labels to join")
    by_name = [part.arrays() for part in parts]
    return Views(**{name: np.concatenate([arrays[name] for arrays in by_name]) for name in by_name[0]})


def project(points: Floats, intrinsics: Floats) -> Floats:
    """Points (..., 3) in a camera as px (..., 2).

    Examples
    --------
    >>> project(np.array([100.0, 0, 1000]), np.array([[500.0, 0, 63.5], [0, 500, 63.5], [0, 0, 1]])).tolist()
    [113.5, 63.5]
    """
    seen = points @ intrinsics.T
    return np.asarray(seen[..., :2] / seen[..., 2:])


def extrinsics_of(camera: Camera) -> Floats:
    """World to camera (3, 4)."""
    return np.concatenate([camera.R, camera.t[:, None]], axis=1)


def crop_row(crop: Crop) -> tuple[float, float, float]:
    """How `Views.crop` holds a crop."""
    return crop.left, crop.top, crop.side


def pose_set(views: Views, *, dataset: str, fps: float | None) -> PoseSet:
    """The poses of labels in 3D.

    Raises
    ------
    InputError
        If there are none.
    """
    if views.poses is None:
        raise InputError("these are labels in 2D, which have no poses")
    return PoseSet(
        views.poses,
        skeleton=H36M17,
        unit="mm",
        reference="camera",
        origin="absolute",
        subject=views.subject,
        action=views.action,
        sequence=views.sequence,
        camera=views.camera,
        frame=views.frame,
        fps=fps,
        dataset=dataset,
        intrinsics=views.intrinsics,
        extrinsics=views.extrinsics,
        root_depth=views.poses[:, H36M17.root, 2],
        source=dataset,
    )


def write_labels(views: Views, folder: Path, split: str, *, dataset: str, fps: float | None) -> list[Path]:
    """Write the files of a split into a folder; returns their paths.

    Raises
    ------
    InputError
        If they cannot be written.
    """
    from posebench.io.array_file import write_arrays

    written = []
    if views.poses is not None:
        written.append(folder / f"{split}.npz")
        write(pose_set(views, dataset=dataset, fps=fps), written[0])
    path = folder / f"{split}.views.npz"
    arrays = {name: array for name, array in views.arrays().items() if name in _SHAPES}
    with atomic_write(path) as handle:
        write_arrays(handle, arrays)
    return [*written, path]


def read_labels(folder: str | os.PathLike[str], split: str) -> Views:
    """Read the labels of a split of a rendered data set.

    Parameters
    ----------
    folder : path
        That of the data set, which holds `labels`.
    split : str

    Raises
    ------
    InputError
        If a file is missing or damaged, or if the two do not belong together.
    """
    from posebench.io.array_file import read_arrays

    path = Path(folder) / "labels" / f"{split}.views.npz"
    arrays = read_arrays(path, _SHAPES, SIZE_LIMIT)
    _check(arrays, _SHAPES, path)
    beside = path.with_name(f"{split}.npz")
    if not beside.exists():
        return Views(**arrays)
    poses = read(beside)
    texts = {
        key: column.values for key in ("subject", "action", "sequence", "camera") if (column := getattr(poses, key))
    }
    keys = {**texts, "frame": poses.frame}
    if len(poses) != len(arrays["image"]) or any(
        value is None or not np.array_equal(value, arrays[key]) for key, value in keys.items()
    ):
        raise InputError(f"{beside}: its poses are not those of the pictures in {path.name}; render the data set again")
    if poses.extrinsics is None or poses.extrinsics.ndim != 3:
        raise InputError(f"{beside}: has no extrinsics for each pose")
    return Views(**arrays, poses=poses.poses.astype(np.float64), extrinsics=poses.extrinsics)


def _check(arrays: dict[str, npt.NDArray[Any]], shapes: dict[str, tuple[int, ...]], path: Path) -> None:
    n = len(arrays["image"]) if arrays["image"].ndim else 0
    for name, shape in shapes.items():
        array = arrays[name]
        kinds = (
            "U" if name in ("image", "subject", "action", "sequence", "camera") else "b" if name == "visible" else "if"
        )
        if array.shape != (n, *shape) or array.dtype.kind not in kinds:
            raise InputError(
                f"{path}: array {name!r} has shape {array.shape} and type {array.dtype}, expected {(n, *shape)}"
            )


def write_part(views: Views, hashes: Sequence[str], path: Path) -> None:
    """Write the labels of one clip, with the SHA-256 of each picture.

    Raises
    ------
    InputError
        If they cannot be written.
    """
    from posebench.io.array_file import write_arrays

    with atomic_write(path) as handle:
        write_arrays(handle, {**views.arrays(), "sha256": np.array(hashes)})


def read_part(path: Path, *, labels_3d: bool) -> tuple[Views, list[str]]:
    """What `write_part` wrote.

    Raises
    ------
    InputError
        If the file is damaged or not of this kind.
    """
    from posebench.io.array_file import read_arrays

    shapes = {**_SHAPES, **(_LABELS_3D if labels_3d else {})}
    arrays = read_arrays(path, [*shapes, "sha256"], SIZE_LIMIT)
    hashes = arrays.pop("sha256")
    _check(arrays, shapes, path)
    if hashes.shape != arrays["image"].shape:
        raise InputError(f"{path}: does not have one hash for each picture")
    return Views(**arrays), hashes.tolist()


__all__ = [
    "Views",
    "crop_row",
    "extrinsics_of",
    "joined",
    "pose_set",
    "project",
    "read_labels",
    "read_part",
    "write_labels",
    "write_part",
]
