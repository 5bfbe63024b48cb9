"""Crops: the box of a person out of a picture, at the size that a network takes; kept on disk, and varied for training.

One rule cuts every crop, in training and in prediction: `crop_matrix` says where pixels go, `cut` averages what falls
into each. For training crops are cut once, with a margin around the box, and lie in a file that is mapped into memory;
each time one is used it is turned, scaled, tinted and partly covered in one warp, and its joints with it.

Whole numbers are the middles of pixels. What lies outside of the picture is black.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from model_zoo.epipolarpose.labels import view_sha256
from posebench.datasets.views import MultiViewSet, UnlabelledView
from posebench.errors import InputError, MissingExtraError, UsageError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]
Progress = Callable[[float, float, str], None]

#: Changes whenever crops come out differently, so that old ones are not used.
_RULE = "posebench.crops/1"
#: What is kept around the box on either side, in sides of the crop: with it, little that a turned box shows is black.
MARGIN = 0.15
#: Samples of the picture averaged into a pixel, along each side, at most.
_MOST_SAMPLES = 8
#: Pictures between two safe places to go on from.
_CHUNK = 256
#: Pictures whose pixels enter the name of the file: the same ids may have been rendered anew.
_LOOKED_AT = 16
#: Diameters of what covers a part of a crop, in sides of the crop.
_COVER = (0.05, 0.30)


@cache
def opencv() -> Any:
    """The module cv2, working in the thread that calls it.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import cv2
    except ImportError:
        raise MissingExtraError("cutting pictures", "opencv-python-headless", "zoo") from None
    cv2.setNumThreads(1)
    return cv2


def crop_matrix(box: npt.ArrayLike, size: int) -> Floats:
    """What takes px of a picture to px of the crop (2, 3); its part (2, 2) is a scale, for depths in px too.

    Parameters
    ----------
    box : (3,)
        Left edge, top edge and side, in px.
    size : int
        Pixels of the crop along its side.

    Raises
    ------
    UsageError
        If the box is not finite or has no side.

    Examples
    --------
    >>> (crop_matrix([10.0, 20.0, 40.0], 20) @ [9.5 + 10, 19.5, 1]).tolist()
    [4.25, -0.75]
    """
    left, top, side = np.asarray(box, np.float64).tolist()
    if not (np.isfinite([left, top, side]).all() and side > 0):
        raise UsageError(f"the box is {left:g}, {top:g}, side {side:g}, expected finite px and a side above 0")
    scale = size / side
    return np.array([[scale, 0, -scale * left - 0.5], [0, scale, -scale * top - 0.5]])


def cut(picture: Pixels, box: npt.ArrayLike, size: int, *, pad: int = 0) -> Pixels:
    """The crop (size + 2 pad, size + 2 pad, 3) of a box, each pixel an average over what it covers in the picture.

    Parameters
    ----------
    picture : (H, W, 3)
    box : (3,)
        Left edge, top edge and side, in px.
    size : int
        Pixels along the side of the box.
    pad : int
        Pixels around the box on every side; with them, what is inside of the box stays the same to the last bit.

    Raises
    ------
    UsageError
        As `crop_matrix` does.
    """
    cv2 = opencv()
    side = float(np.asarray(box, np.float64)[2])
    samples = int(np.clip(side / size, 1, _MOST_SAMPLES)) if side > 0 else 1
    matrix = crop_matrix(box, size * samples)
    matrix[:, 2] += pad * samples
    whole = (size + 2 * pad) * samples
    fine = cv2.warpAffine(picture, matrix, (whole, whole), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    if samples == 1:
        return np.asarray(fine)
    small = (size + 2 * pad, size + 2 * pad)
    return np.asarray(cv2.resize(fine, small, interpolation=cv2.INTER_AREA))


# ------------------------------------------------------------------------------------------------------------ on disk


@dataclass(frozen=True, eq=False)
class Crops:
    """Crops of n pictures, with a margin, as they lie in a file.

    pictures : (n,)
        Rows of the view, rising.
    pixels : (n, stored, stored, 3) uint8
        Mapped into memory, and not to be written to.
    side, pad : int
        Pixels of the box, and of the margin on every side of it.
    matrices : (n, 2, 3)
        From px of the picture to px of the crop with its margin.
    key : str
        What the crops are made of, as a hash.
    """

    pictures: Ints
    pixels: Pixels
    side: int
    pad: int
    matrices: Floats
    key: str

    def __len__(self) -> int:
        return len(self.pictures)

    def rows_of(self, pictures: Ints) -> Ints:
        """Where the crops of pictures lie, which must be there."""
        return np.asarray(np.searchsorted(self.pictures, pictures), np.int64)


def build_crops(
    view: UnlabelledView | MultiViewSet,
    boxes: Floats,
    pictures: Ints,
    side: int,
    folder: str | os.PathLike[str],
    *,
    progress: Progress | None = None,
) -> Crops:
    """Cut crops of pictures, or map the file of those that were cut before.

    A build that is interrupted goes on where it was; one that another process makes at the same time is waited for.
    Memory does not grow with the number of pictures.

    Parameters
    ----------
    view : UnlabelledView or MultiViewSet
        Of which nothing but pictures, ids and intrinsics is read.
    boxes : (N, 3)
        Left edge, top edge and side of every picture of the view, in px.
    pictures : (n,)
        Which are cut; each once, whatever their order.
    side : int
        Pixels along the side of the box.
    folder : path
        Made if it is not there.
    progress : callable, optional
        Called with pictures done, their number, and a word.

    Raises
    ------
    UsageError
        If the boxes are not those of the view.
    InputError
        If a picture has no box, cannot be read, or the file cannot be written.
    """
    if boxes.shape != (len(view), 3):
        raise UsageError(f"there are boxes of shape {boxes.shape}, and {len(view)} pictures")
    rows = np.unique(np.asarray(pictures, np.int64))
    bad = rows[~(np.isfinite(boxes[rows]).all(axis=1) & (boxes[rows, 2] > 0))]
    if len(bad):
        raise InputError(f"picture {bad[0]} has no box, as {len(bad)} in all; leave such pictures out")
    pad = round(MARGIN * side)
    key = _key(view, boxes, rows, side)
    path = Path(folder) / f"{key}.npy"
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _build(view, boxes, rows, side, pad, path, progress)
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
    matrices = np.array([crop_matrix(boxes[row], side) for row in rows]).reshape(-1, 2, 3)
    matrices[:, :, 2] += pad
    return Crops(rows, _mapped(path, (len(rows), side + 2 * pad, side + 2 * pad, 3)), side, pad, matrices, key)


def _key(view: UnlabelledView | MultiViewSet, boxes: Floats, rows: Ints, side: int) -> str:
    unlabelled = view if isinstance(view, UnlabelledView) else view.unlabelled()
    digest = hashlib.sha256(f"{_RULE} {view_sha256(unlabelled)} {side};".encode())
    digest.update(rows.tobytes())
    digest.update(np.ascontiguousarray(boxes[rows]).tobytes())
    for row in rows[np.linspace(0, len(rows) - 1, min(_LOOKED_AT, len(rows))).astype(np.int64)]:
        digest.update(view.image(int(row)).tobytes())
    return digest.hexdigest()[:32]


def _build(
    view: UnlabelledView | MultiViewSet,
    boxes: Floats,
    rows: Ints,
    side: int,
    pad: int,
    path: Path,
    progress: Progress | None,
) -> None:
    """Write the file part by part beside its name, then give it its name."""
    shape = (len(rows), side + 2 * pad, side + 2 * pad, 3)
    head, size = _header(shape), int(np.prod(shape[1:]))
    part = path.with_suffix(".part")
    with open(os.open(part, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as handle:
        _lock(handle)
        if path.is_file():
            # Another process has made it while this one waited.
            part.unlink(missing_ok=True)
            return
        # The last chunk may not have reached the disk whole.
        chunks = (os.fstat(handle.fileno()).st_size - len(head)) // size // _CHUNK
        done = max(0, chunks - 1) * _CHUNK
        handle.truncate(len(head) + done * size)
        handle.write(head)
        handle.seek(0, os.SEEK_END)
        for first in range(done, len(rows), _CHUNK):
            chunk = [cut(view.image(int(row)), boxes[row], side, pad=pad) for row in rows[first : first + _CHUNK]]
            handle.write(np.stack(chunk).tobytes())
            handle.flush()
            os.fsync(handle.fileno())
            if progress is not None:
                progress(min(first + _CHUNK, len(rows)), len(rows), "crops")
        os.replace(part, path)


def _header(shape: tuple[int, ...]) -> bytes:
    """The beginning of an .npy file of bytes."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return head.getvalue()


def _lock(handle: BinaryIO) -> None:
    """Wait until no other process writes the file, where the system can tell."""
    try:
        import fcntl
    except ImportError:
        return
    fcntl.flock(handle, fcntl.LOCK_EX)


def _mapped(path: Path, shape: tuple[int, ...]) -> Pixels:
    """The pixels of a file, which must be exactly so many."""
    head = _header(shape)
    try:
        with path.open("rb") as handle:
            same = handle.read(len(head)) == head
        if not same or path.stat().st_size != len(head) + int(np.prod(shape)):
            raise InputError(f"{path}: is damaged; remove it, and the crops are cut anew")
        return np.memmap(path, np.uint8, "r", len(head), shape) if shape[0] else np.zeros(shape, np.uint8)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


# -------------------------------------------------------------------------------------------------------- augmentation


@dataclass(frozen=True)
class Augmentation:
    """How crops are varied; the defaults are the paper's. Nothing is mirrored.

    rotation, rotation_share : float
        Up to so many degrees either way, of this share of the crops.
    scale : (float, float)
        Between what the box is enlarged: a person in a box of 1.25 looks smaller, and its depths are.
    gain : (float, float)
        Between what each channel is multiplied with.
    cover_share : float
        Of the crops are partly covered, by pieces of other pictures.
    cover_pieces : int
        At most; there is one at least.

    Examples
    --------
    >>> Augmentation(rotation_share=0.0).scale
    (0.75, 1.25)
    """

    rotation: float = 30.0
    rotation_share: float = 0.6
    scale: tuple[float, float] = (0.75, 1.25)
    gain: tuple[float, float] = (0.8, 1.2)
    cover_share: float = 0.5
    cover_pieces: int = 7

    def __post_init__(self) -> None:
        ranges = {"rotation": (0, 180), "rotation_share": (0, 1), "cover_share": (0, 1), "cover_pieces": (1, 100)}
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if not (type(value) in (int, float) and least <= value <= most) or (
                name == "cover_pieces" and type(value) is not int
            ):
                raise UsageError(f"{name} is {ascii(value)[:80]}, expected a number from {least} to {most}")
        for name in ("scale", "gain"):
            pair = getattr(self, name)
            if not (
                isinstance(pair, tuple)
                and len(pair) == 2
                and all(type(value) in (int, float) for value in pair)
                and 0.1 <= pair[0] <= pair[1] <= 10
            ):
                raise UsageError(
                    f"{name} is {ascii(pair)[:80]}, expected two numbers from 0.1 to 10, the smaller first"
                )


@dataclass(frozen=True)
class Variation:
    """One way to vary a crop.

    angle : float
        Degrees by which the picture is turned, from x towards y.
    scale : float
        By which the box is enlarged.
    gain : tuple of float
        For red, green and blue.
    """

    angle: float = 0.0
    scale: float = 1.0
    gain: tuple[float, ...] = (1.0, 1.0, 1.0)


#: The crop as it is: exactly what `cut` gives for the box.
PLAIN = Variation()


def draw(augmentation: Augmentation, random: np.random.Generator) -> Variation:
    """A variation by chance."""
    turned = random.random() < augmentation.rotation_share
    angle = random.uniform(-augmentation.rotation, augmentation.rotation)
    scale = random.uniform(*augmentation.scale)
    return Variation(angle if turned else 0.0, scale, tuple(random.uniform(*augmentation.gain, 3).tolist()))


def variation_matrix(variation: Variation, side: int, pad: int) -> Floats:
    """What takes px of a crop with its margin to px of the varied one (2, 3): a turn and a scale about the middle.

    Examples
    --------
    >>> variation_matrix(PLAIN, 8, 2).tolist()
    [[1.0, -0.0, -2.0], [0.0, 1.0, -2.0]]
    """
    angle = np.radians(variation.angle)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / variation.scale
    before, after = (side + 2 * pad - 1) / 2, (side - 1) / 2
    return np.column_stack([turn, after - turn @ [before, before]])


def vary(pixels: Pixels, variation: Variation, side: int, pad: int) -> Pixels:
    """A crop (side, side, 3) out of one with its margin, in one warp."""
    if variation is PLAIN:
        return np.array(pixels[pad : pad + side, pad : pad + side])
    cv2 = opencv()
    matrix = variation_matrix(variation, side, pad)
    found = cv2.warpAffine(pixels, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    levels = np.arange(256)[:, None] * np.array(variation.gain)
    return np.asarray(cv2.LUT(found, np.clip(np.rint(levels), 0, 255).astype(np.uint8)[None]))


def vary_joints(joints: Floats, variation: Variation, side: int, pad: int) -> Floats:
    """Joints (..., D), u and v or u, v and w, in px of a crop with its margin, in px of the varied one.

    A turn of the picture is a turn of the camera about its axis, which leaves depths alone; a larger box has larger
    pixels, and depths are in these.

    Examples
    --------
    >>> vary_joints(np.array([4.0, 2.0, 6.0]), Variation(90.0, 2.0), 5, 1).round(6).tolist()
    [2.5, 2.5, 3.0]
    """
    matrix = variation_matrix(variation, side, pad)
    plane = joints[..., :2] @ matrix[:, :2].T + matrix[:, 2]
    return np.concatenate([plane, joints[..., 2:] / variation.scale], axis=-1)


def cover(pixels: Pixels, others: Pixels, most: int, random: np.random.Generator) -> None:
    """Put from one to `most` ellipses out of other pictures over a crop, in place (Sárándi et al., 2018).

    Parameters
    ----------
    pixels : (side, side, 3)
    others : (n, stored, stored, 3)
        Not smaller than the crop.
    most : int
    random : numpy.random.Generator
    """
    side, stored = len(pixels), others.shape[1]
    for _ in range(int(random.integers(1, most + 1))):
        height, width = np.maximum(2, np.rint(random.uniform(*_COVER, 2) * side)).astype(int).tolist()
        other = int(random.integers(len(others)))
        top, left = (int(random.integers(stored - size + 1)) for size in (height, width))
        piece = others[other, top : top + height, left : left + width]
        top, left = (int(random.integers(side - size + 1)) for size in (height, width))
        y, x = np.ogrid[:height, :width]
        inside = ((2 * y + 1) / height - 1) ** 2 + ((2 * x + 1) / width - 1) ** 2 <= 1
        pixels[top : top + height, left : left + width][inside] = piece[inside]


__all__ = [
    "MARGIN",
    "PLAIN",
    "Augmentation",
    "Crops",
    "Variation",
    "build_crops",
    "cover",
    "crop_matrix",
    "cut",
    "draw",
    "opencv",
    "variation_matrix",
    "vary",
    "vary_joints",
]
