"""Where every picture's joints are in 2D: what labels are made from, and how it is kept in a file.

The 2D branch gives them in training (`network`). Beside it: the exact joints of a data set that has labels, with or
without noise, and `model_zoo.blazepose`, a public network that is frozen by nature.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from posebench.datasets.views import MultiViewSet, UnlabelledView
from posebench.errors import InputError, UsageError
from posebench.io.array_file import read_arrays, write_arrays
from posebench.io.atomic import atomic_write
from posebench.skeletons import H36M17

Floats = npt.NDArray[np.float64]

#: Bytes of a file of detections: 408 for each picture.
SIZE_LIMIT = 2 * 2**30
_NAMES = ("points", "confidence", "sequence", "camera", "frame", "source")


@dataclass(frozen=True, eq=False)
class Detections:
    """Joints of N pictures in 2D.

    points : (N, 17, 2)
        H36M-17 in px of the picture; whole numbers are the middles of pixels. NaN where nothing was found.
    confidence : (N, 17)
        Between 0 and 1; 0 wherever a point is NaN. 1 says nothing but that the source does not doubt it.
    source : str
        In a word, as reports name it: `ground truth`, `blazepose-heavy`.

    Examples
    --------
    >>> found = Detections(np.zeros((1, 17, 2)), np.ones((1, 17)), "made up")
    >>> len(found), found.confidence[0, 3]
    (1, np.float64(1.0))
    """

    points: Floats
    confidence: Floats
    source: str

    def __post_init__(self) -> None:
        n, joints = len(self.points), len(H36M17)
        if self.points.shape != (n, joints, 2) or self.confidence.shape != (n, joints):
            raise UsageError(
                f"detections have shapes {self.points.shape} and {self.confidence.shape}, expected "
                f"{(n, joints, 2)} and {(n, joints)}"
            )
        lost = ~np.asarray(np.isfinite(self.points).all(axis=-1))
        known = np.isfinite(self.confidence) & (self.confidence >= 0) & (self.confidence <= 1)
        if not known.all():
            raise UsageError("detections have a confidence that is not between 0 and 1")
        object.__setattr__(self, "points", np.where(lost[..., None], np.nan, self.points))
        object.__setattr__(self, "confidence", np.where(lost, 0.0, self.confidence))

    def __len__(self) -> int:
        return len(self.points)


def true_joints(dataset: MultiViewSet, *, noise: float = 0.0, seed: int = 0) -> Detections:
    """The joints that a data set's own labels name: exact, or with noise. This looks at labels in 2D.

    Parameters
    ----------
    dataset : MultiViewSet
    noise : float
        Standard deviation of normal noise on either coordinate, in px of the camera's whole picture, in which it does
        not depend on how large a crop was cut.
    seed : int

    Raises
    ------
    UsageError
        If the noise is negative or no number.
    """
    if not (np.isfinite(noise) and noise >= 0):
        raise UsageError(f"noise is {noise}, expected px, 0 or more")
    points = dataset.joints.astype(np.float64)
    if noise > 0:
        scale = dataset.intrinsics[:, 0, 0] / dataset.camera_intrinsics[:, 0, 0]
        random = np.random.default_rng(seed)
        points = points + noise * scale[:, None, None] * random.standard_normal(points.shape)
    confidence = np.asarray(np.isfinite(points).all(axis=-1), np.float64)
    return Detections(points, confidence, f"ground truth + {noise:g} px" if noise else "ground truth")


def write_detections(found: Detections, view: UnlabelledView | MultiViewSet, path: str | os.PathLike[str]) -> None:
    """Keep detections, with the ids of the pictures that they belong to.

    Raises
    ------
    UsageError
        If their numbers differ.
    InputError
        If the file cannot be written.
    """
    if len(found) != len(view):
        raise UsageError(f"there are detections of {len(found)} pictures, and {len(view)} pictures")
    with atomic_write(path) as handle:
        write_arrays(
            handle,
            {
                "points": found.points,
                "confidence": found.confidence,
                "sequence": ids_of(view),
                "camera": view.camera,
                "frame": view.frame,
                "source": np.array(found.source),
            },
        )


def read_detections(path: str | os.PathLike[str], view: UnlabelledView) -> Detections:
    """Detections of exactly the pictures of a view, in its order.

    Raises
    ------
    InputError
        If the file is damaged, or is of other pictures.
    """
    file = Path(path)
    arrays = read_arrays(file, _NAMES, SIZE_LIMIT)
    n = len(view)
    shapes = {"points": (n, len(H36M17), 2), "confidence": (n, len(H36M17)), "sequence": (n,), "camera": (n,)}
    for name, shape in {**shapes, "frame": (n,), "source": ()}.items():
        kinds = "U" if name in ("sequence", "camera", "source") else "i" if name == "frame" else "f"
        if arrays[name].shape != shape or arrays[name].dtype.kind not in kinds:
            raise InputError(
                f"{file}: array {name!r} has shape {arrays[name].shape} and type {arrays[name].dtype}, expected "
                f"{shape}; make the detections again from these pictures"
            )
    same = (
        np.array_equal(arrays["sequence"], view.sequence)
        and np.array_equal(arrays["camera"], view.camera)
        and np.array_equal(arrays["frame"], view.frame)
    )
    if not same:
        raise InputError(f"{file}: its detections are of other pictures; make them again from these")
    try:
        return Detections(
            arrays["points"].astype(np.float64), arrays["confidence"].astype(np.float64), str(arrays["source"])
        )
    except ValueError as error:  # a UsageError, or a text of numbers that are no characters
        raise InputError(f"{file}: {error}") from None


def detect(
    view: UnlabelledView,
    find: Callable[[npt.NDArray[np.uint8]], tuple[Floats, Floats]],
    *,
    source: str,
    progress: Callable[[float, float, str], None] | None = None,
) -> Detections:
    """Run something that finds joints over every picture.

    Parameters
    ----------
    view : UnlabelledView
    find : callable
        Picture (H, W, 3), RGB -> points (17, 2) in its px, and confidence (17,).
    source : str
        What `find` is called.
    progress : callable, optional
        Called with pictures done, their number, and a word.
    """
    points = np.full((len(view), len(H36M17), 2), np.nan)
    confidence = np.zeros(points.shape[:2])
    for i, picture in enumerate(view.images()):
        points[i], confidence[i] = find(picture)
        if progress is not None:
            progress(i + 1, len(view), "pictures")
    return Detections(points, confidence, source)


def ids_of(view: UnlabelledView | MultiViewSet) -> npt.NDArray[np.str_]:
    """Ids of the pictures' sequences, as a view without labels has them."""
    return view.sequence if isinstance(view, UnlabelledView) else view.unlabelled().sequence


__all__ = ["Detections", "detect", "ids_of", "read_detections", "true_joints", "write_detections"]
