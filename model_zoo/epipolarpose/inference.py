"""Prediction: pictures through a network, and its joints back into the camera.

    picture -> box -> crop -> network -> u, v, w in px of the crop -> of the picture -> points in the camera

Crops are cut as in training (`crops`) from boxes made as in training (`boxes`). Where nobody gives a box, the network
looks twice: at the whole picture, and at the box of the joints that it found there. Without the depth of the root a
pose is known up to scale, and stays so.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from model_zoo.epipolarpose.boxes import boxes_to_look_at, whole_box
from model_zoo.epipolarpose.crops import crop_matrix, cut
from model_zoo.epipolarpose.geometry.depth import from_image_space
from model_zoo.epipolarpose.network import PoseNet, PoseNetConfig
from model_zoo.epipolarpose.pictures import Boxes, Source
from posebench.datasets import footage
from posebench.datasets.footage import Picture
from posebench.datasets.open4v.scene import Crop
from posebench.errors import InputError, UsageError
from posebench.poses import PoseSet
from posebench.skeletons import H36M17

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: Memory that one crop takes on its way, in sizes of its heat maps: measured were 1.5 (EfficientNet-Lite0) and 1.7
#: (ResNet-50) at 256 px, 2.3 (ResNet-18) at 128 px.
_HEATMAPS = 3
#: Share of the memory that is free.
_SHARE = 0.25
_MOST = {"cpu": 32}
_MOST_ELSEWHERE = 256
#: Bytes of pictures that are held at a time.
_PICTURES = 256 * 2**20


@dataclass(frozen=True, eq=False)
class Prediction:
    """Joints of N pictures.

    joints : (N, 17, 3)
        u and v in px of the picture, and depth relative to the root in px at the root's depth.
    confidence : (N, 17)
        `softargmax.peak_mass`.
    box : (N, 3)
        Left edge, top edge and side of the square that the network looked at, in px.
    whole : (N,) bool
        Whether that is the whole picture, since no person was found in it.
    intrinsics : (N, 3, 3)
    seconds : float
        That it took, reading pictures included.
    """

    joints: Floats
    confidence: Floats
    box: Floats
    whole: Bools
    intrinsics: Floats
    seconds: float = 0.0

    def __len__(self) -> int:
        return len(self.joints)

    @property
    def valid(self) -> Bools:
        """Joints (N, 17) that lie in front of the camera."""
        f = np.sqrt(self.intrinsics[:, 0, 0] * self.intrinsics[:, 1, 1])
        return np.asarray(self.joints[..., 2] / f[:, None] > -1 + 1e-9)

    def camera_points(self, root_depth: npt.ArrayLike | None = None) -> Floats:
        """Joints (N, 17, 3) in the camera, in the unit of the depths of the roots; without them, these are 1."""
        depth = np.ones(len(self)) if root_depth is None else root_depth
        return from_image_space(self.joints, self.intrinsics, depth, valid=self.valid)


def predict(
    network: PoseNet,
    source: Source,
    *,
    boxes: Boxes | Floats | None = None,
    device: str = "auto",
    batch: int | None = None,
    progress: Callable[[float, float, str], None] | None = None,
    seen: Callable[[int, Sequence[Picture], Prediction], None] | None = None,
) -> Prediction:
    """Joints of all pictures of a source.

    Parameters
    ----------
    network : PoseNet
        For 17 joints; it is put on the device and into evaluation mode.
    source : Source
    boxes : Boxes or array (N, 3), optional
        The squares to look at, as a table or for each picture; rows of NaN have none. By default the network finds
        them.
    device : str
        auto, cpu, cuda, cuda:1, mps: as torch spells it.
    batch : int, optional
        Crops that go through the network at a time; by default what a quarter of the free memory holds.
    progress : callable, optional
        Called with pictures done, their number, and a word.
    seen : callable, optional
        Called with the first row, the pictures and the predictions of each batch.

    Raises
    ------
    InputError
        If a picture cannot be read, there are none, a box is missing, lies outside of its picture or is of another
        one, or the memory does not suffice.
    UsageError
        If there is no such device, or the network has other joints.
    """
    if network.config.joints != len(H36M17):
        raise UsageError(f"the network has {network.config.joints} joints, expected the {len(H36M17)} of {H36M17.name}")
    place = find_device(device)
    size = batch or fitting_batch(network.config, place)
    if size < 1:
        raise UsageError(f"--batch is {size}, expected a whole number from 1")
    run = _Run(network.to(place).eval(), place)
    begun, done = time.monotonic(), 0
    parts: list[Prediction] = []
    for pictures in _batches(source.pictures(), size):
        rows = range(done, done + len(pictures))
        try:
            part = _predicted(run, source, rows, pictures, boxes)
        except torch.OutOfMemoryError:
            raise InputError(f"{place}: has no memory for {len(pictures)} crops; give a smaller --batch") from None
        parts.append(part)
        if seen is not None:
            seen(done, pictures, part)
        done = rows.stop
        if progress is not None:
            rate = done / max(time.monotonic() - begun, 1e-9)
            progress(done, max(source.count or 0, done), f"{rate:.1f} pictures/s")
    if not parts:
        raise InputError(f"{source.name}: has no pictures")
    if isinstance(boxes, Boxes):
        boxes.refuse_foreign(source, done)
    names = ("joints", "confidence", "box", "whole", "intrinsics")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Prediction(**joined, seconds=time.monotonic() - begun)


def pose_set(found: Prediction, source: Source, *, root_depth: Floats | None = None) -> PoseSet:
    """Predictions as poses in the camera: in mm with the depths of the roots in mm, else scale-free.

    Where the intrinsics were assumed, `dataset` says so, since that lasts in a file.
    """
    fov = source.assumed_fov
    assumed = None if fov is None else f"pictures with an assumed field of view of {fov:g} degrees"
    valid = found.valid
    return PoseSet(
        np.where(valid[..., None], found.camera_points(root_depth), 0.0),
        valid=None if valid.all() else valid,
        skeleton=H36M17,
        unit="scale-free" if root_depth is None else "mm",
        reference="camera",
        origin="absolute",
        dataset=assumed,
        intrinsics=found.intrinsics,
        root_depth=root_depth,
        source=source.name,
        notes=() if assumed is None else (f"{source.name}: are {assumed}",),
        **source.keys(len(found)),
    )


def find_device(name: str) -> torch.device:
    """The device of a name, if it is there; for ``auto`` a graphics card before the processor.

    Raises
    ------
    UsageError
        If there is no such device; the message says which there are.

    Examples
    --------
    >>> find_device("cpu")
    device(type='cpu')
    """
    there = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    there += ["mps"] if torch.backends.mps.is_available() else []
    there += ["cpu"]
    if name == "auto":
        return torch.device(there[0])
    if name not in (*there, *(each.partition(":")[0] for each in there)):
        raise UsageError(f"there is no device {ascii(name)[:80]} here; there are auto, {', '.join(there)}")
    return torch.device(name)


def fitting_batch(config: PoseNetConfig, device: torch.device) -> int:
    """How many crops at a time a quarter of the free memory holds; at most 32 on the processor, 256 elsewhere.

    Examples
    --------
    >>> 1 <= fitting_batch(PoseNetConfig(), torch.device("cpu")) <= 32
    True
    """
    one = _HEATMAPS * 4 * config.joints * config.depth * config.cells**2
    most = _MOST.get(device.type, _MOST_ELSEWHERE)
    return int(np.clip(_SHARE * _free_memory(device) // one, 1, most))


def _free_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # systems that do not say
        return 2**31


@dataclass(frozen=True)
class _Run:
    """A network on its device."""

    network: PoseNet
    device: torch.device

    def joints(self, pictures: Sequence[Picture], box: Floats, source: Source) -> tuple[Floats, Floats]:
        """Joints (N, 17, 3) in px of the pictures, and confidences (N, 17), of what lies in boxes."""
        size = self.network.config.side
        crops = np.stack([_crop(*pair, size, source) for pair in zip(pictures, box, strict=True)])
        with torch.inference_mode():
            given = torch.from_numpy(crops).to(self.device).permute(0, 3, 1, 2)
            found: Any = self.network.joints_3d(self.network(given))
            uvw = found.positions.to("cpu", torch.float64).numpy()
            confidence = found.confidence.to("cpu", torch.float64).numpy()
        if not np.isfinite(uvw).all():
            raise InputError("the network gives joints that are no numbers; its weights are damaged or not trained")
        return to_picture(uvw, box, size), confidence


def to_picture(uvw: Floats, box: Floats, size: int) -> Floats:
    """Joints (N, J, 3) from px of crops of `size` px to px of the pictures that boxes (N, 3) were cut from.

    Examples
    --------
    >>> to_picture(np.array([[[4.25, -0.75, 5.0]]]), np.array([[10.0, 20.0, 40.0]]), 20).tolist()
    [[[19.5, 19.5, 10.0]]]
    """
    matrix = np.array([crop_matrix(each, size) for each in box])
    scale = matrix[:, 0, 0][:, None, None]
    pixels = (uvw[..., :2] - matrix[:, None, :, 2]) / scale
    return np.concatenate([pixels, uvw[..., 2:] / scale], axis=-1)


def _predicted(
    run: _Run, source: Source, rows: range, pictures: Sequence[Picture], boxes: Boxes | Floats | None
) -> Prediction:
    intrinsics = np.array([source.intrinsics(row, picture) for row, picture in zip(rows, pictures, strict=True)])
    squares = np.array([whole_box(picture.shape) for picture in pictures])
    if boxes is None:
        joints, confidence = run.joints(pictures, squares, source)
        given = boxes_to_look_at(joints[..., :2], confidence, squares)
    else:
        joints, confidence = np.zeros((len(pictures), len(H36M17), 3)), np.zeros((len(pictures), len(H36M17)))
        given = boxes.of(source, rows) if isinstance(boxes, Boxes) else boxes[rows.start : rows.stop]
        _refuse_outside(given, squares, source, rows)
    there = np.isfinite(given).all(axis=1) & (given[:, 2] > 0)
    box = np.where(there[:, None], given, squares)
    # A whole picture has been looked at already, unless boxes were given.
    again = np.flatnonzero(there if boxes is None else np.ones_like(there))
    if len(again):
        joints[again], confidence[again] = run.joints([pictures[row] for row in again.tolist()], box[again], source)
    # Depths are told from the root, which lies where it is said to lie.
    joints[..., 2] -= joints[:, [H36M17.root], 2]
    return Prediction(joints, confidence, box, ~there, intrinsics)


def _refuse_outside(box: Floats, squares: Floats, source: Source, rows: range) -> None:
    """Raise if a box does not touch its picture, which is then another's."""
    with np.errstate(invalid="ignore"):
        apart = (box[:, :2] >= squares[:, :2] + squares[:, 2:]) | (box[:, :2] + box[:, 2:] <= squares[:, :2])
    outside = np.flatnonzero(apart.any(axis=1))
    if len(outside):
        place = source.places(rows.stop)[rows[outside[0]]]
        raise InputError(f"{source.name}: the box of {place} lies outside of it; are these boxes of other pictures?")


def _crop(picture: Picture, box: Floats, size: int, source: Source) -> Picture:
    if source.camera is None:
        return cut(picture, box, size)
    left, top, side = box.tolist()
    return footage.cut(picture, source.camera, Crop(left, top, side, size))


def _batches(pictures: Iterator[Picture], size: int) -> Iterator[list[Picture]]:
    held: list[Picture] = []
    for picture in pictures:
        held.append(picture)
        if len(held) == size or sum(each.nbytes for each in held) >= _PICTURES:
            yield held
            held = []
    if held:
        yield held


__all__ = [
    "Prediction",
    "find_device",
    "fitting_batch",
    "pose_set",
    "predict",
    "to_picture",
]
