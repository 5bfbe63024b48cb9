"""The box around a body, and the square that is cut out of a recording there, with its labels.

Boxes of poses are EpipolarPose's: the projection of a square of 2000 mm around the pelvis, at its depth. Squares are
without the lens' distortion, so that their intrinsics are exact. Pixel (0, 0) has its middle at (0, 0).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from posebench.cameras import Camera
from posebench.datasets.footage import Picture, cut, read_picture, read_video, video_facts
from posebench.datasets.open4v.labels import Views, crop_row, extrinsics_of, project
from posebench.datasets.open4v.scene import CROP_MM, Crop, box_of
from posebench.datasets.open4v.writer import encoded
from posebench.errors import InputError
from posebench.skeletons import H36M17

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Why rows of annotations are left out, as the card counts them.
UNKNOWN = "joints that are not known"
OUT_OF_VIEW = "nobody in the picture"
BEHIND_END = "behind the end of the video"
NOT_PLACED = "people without joints, place or scale"
#: px of a recording: no box is larger.
_LARGEST_BOX = 8192.0
#: The side of MPII's boxes over the person's scale, which is the height over 200 px, and with it some margin.
MPII_BOX = 200.0 * 1.25


def box_around(pose: Floats, camera: Camera, pixels: int) -> Crop:
    """The projection of the square of 2000 mm that is parallel to the picture and has the pelvis (of 17) in its middle.

    Where focal lengths differ across and down, its side is their geometric mean's: picture elements stay square.

    Examples
    --------
    >>> camera = Camera("front", [[1000, 0, 500], [0, 1000, 500], [0, 0, 1]], [], np.eye(3), np.zeros(3), "mm")
    >>> box_around(np.full((17, 3), [100.0, 0, 4000]), camera, 256)
    Crop(left=275.0, top=250.0, side=500.0, size=256)
    """
    pelvis = pose[H36M17.root]
    side = _side(pelvis[2], camera)
    u, v = project(pelvis, camera.K)
    return Crop(float(u - side / 2), float(v - side / 2), float(side), pixels)


def _side(depth: float | Floats, camera: Camera) -> Floats:
    return np.asarray(CROP_MM * np.sqrt(camera.K[0, 0] * camera.K[1, 1]) / depth)


def faults(poses: Floats, camera: Camera) -> tuple[Bools, Bools]:
    """Which poses (N, 17, 3) in a camera are not known, and which others are not in its picture.

    A pose is in the picture if all of it is before the camera, one joint or more inside the picture, and its box not
    larger than 8192 px.
    """
    unknown = np.asarray(~np.isfinite(poses).all(axis=(1, 2)))
    with np.errstate(all="ignore"):
        before = (poses[..., 2] > 0).all(axis=1) & (_side(poses[:, H36M17.root, 2], camera) <= _LARGEST_BOX)
        inside = _in_picture(poses, camera).any(axis=1)
    return unknown, np.asarray(~(before & inside) & ~unknown)


def _in_picture(points: Floats, camera: Camera) -> Bools:
    """Whether points in the camera (..., 3) are inside its picture, lens included."""
    place = replace(camera, R=np.eye(3), t=np.zeros(3)).project(points)
    if camera.size is None:
        return np.asarray(np.isfinite(place).all(-1))
    return _inside(place, camera.size[0], camera.size[1])


def _inside(pixels: Floats, width: int, height: int) -> Bools:
    """Whether pixels (..., 2) lie in a picture of this size."""
    with np.errstate(invalid="ignore"):
        return np.asarray(((pixels >= -0.5) & (pixels <= np.array([width, height]) - 0.5)).all(-1))


@dataclass(frozen=True, eq=False)
class Take:
    """One camera's recording of a clip, with the frames that are cut out of it.

    split, subject, sequence : str
    camera : Camera
        In mm, of the whole picture; its size is that of the recording.
    recording : path
        A video; or a folder of pictures `img_000001.jpg`, where that is frame 0.
    numbers : (N,) int
        Of the frames in the recording, from 0, rising.
    frames : (N,) int
        What the key `frame` of each is.
    actions : (N,) str
    poses : (N, 17, 3)
        H36M-17 in mm in the camera.
    """

    split: str
    subject: str
    sequence: str
    camera: Camera
    recording: Path
    numbers: Ints
    frames: Ints
    actions: npt.NDArray[np.str_]
    poses: Floats

    labels_3d = True

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def name(self) -> str:
        """Of its part, without blanks."""
        return f"{self.subject}_{self.sequence}_{self.camera.name}".replace(" ", "_")

    def shots(self, pixels: int) -> Iterator[tuple[bytes, Views]]:
        """Pictures as files, with the labels of each.

        Raises
        ------
        InputError
            If the recording is damaged, truncated or of another size than the camera's, or lacks a frame.
        """
        folder = f"images/{self.split}/{self.subject}/{self.sequence}".replace(" ", "_")
        for row, picture in enumerate(self._pictures()):
            pose = self.poses[row].astype(np.float64)
            crop = box_around(pose, self.camera, pixels)
            intrinsics = crop.intrinsics(self.camera.K)
            joints = project(pose, intrinsics)
            visible = _inside(joints, pixels, pixels) & _in_picture(pose, self.camera)
            views = Views(
                image=np.array([f"{folder}/{self.camera.name}_{int(self.frames[row]):06d}.jpg"]),
                subject=np.array([self.subject]),
                action=self.actions[row : row + 1],
                sequence=np.array([self.sequence]),
                camera=np.array([self.camera.name]),
                frame=self.frames[row : row + 1],
                joints=joints[None],
                visible=visible[None],
                box=box_of(joints)[None],
                crop=np.array([crop_row(crop)]),
                intrinsics=intrinsics[None],
                camera_intrinsics=self.camera.K[None],
                poses=pose[None],
                extrinsics=extrinsics_of(self.camera)[None],
            )
            yield encoded(cut(picture, self.camera, crop), "jpg"), views

    def _pictures(self) -> Iterator[Picture]:
        found: Iterator[Picture]
        if self.recording.is_dir():
            found = (read_picture(numbered(self.recording, number)) for number in self.numbers.tolist())
        else:
            found = read_video(self.recording, frozenset(self.numbers.tolist()))
        count = 0
        for picture in found:
            height, width = picture.shape[:2]
            if self.camera.size is not None and (width, height) != self.camera.size:
                raise InputError(another_size(self.recording, (width, height), self.camera))
            count += 1
            yield picture
        if count < len(self):
            raise InputError(
                f"{self.recording}: ends before frame {int(self.numbers[count])}, which is annotated; it is truncated, "
                "fetch it again"
            )


def numbered(folder: Path, number: int) -> Path:
    """The file of a frame, counted from 0, in a folder of pictures that are counted from 1."""
    return folder / f"img_{number + 1:06d}.jpg"


def another_size(recording: Path, size: tuple[int, int], camera: Camera) -> str:
    """What to say of a recording that does not have its camera's size."""
    assert camera.size is not None
    return (
        f"{recording}: has frames of {size[0]} × {size[1]} px, but camera {camera.name} was calibrated for "
        f"{camera.size[0]} × {camera.size[1]}; fetch the original, videos that were scaled or cut have no calibration"
    )


def video_length(path: Path, camera: Camera, poses: int) -> int:
    """How many frames a video says to have; as many as there are poses if it does not say.

    Raises
    ------
    MissingExtraError
        If the package av is not installed.
    InputError
        If it cannot be read, or has another size than its camera.
    """
    video = video_facts(path)
    if camera.size is not None and camera.size != (video.width, video.height):
        raise InputError(another_size(path, (video.width, video.height), camera))
    return poses if video.frames is None else video.frames


def usable(take: Take, length: int, left_out: Counter[str]) -> list[Take]:
    """A take with the rows alone that can be cut, in a list; none if there are none. What is left out is counted.

    Parameters
    ----------
    take : Take
    length : int
        Of its recording, in frames.
    left_out : Counter
        To be added to.
    """
    behind = take.numbers >= length
    unknown, unseen = faults(take.poses.astype(np.float64), take.camera)
    left_out[BEHIND_END] += int(behind.sum())
    left_out[UNKNOWN] += int((unknown & ~behind).sum())
    left_out[OUT_OF_VIEW] += int((unseen & ~behind).sum())
    rows = np.flatnonzero(~(behind | unknown | unseen))
    kept = {name: getattr(take, name)[rows] for name in ("numbers", "frames", "actions", "poses")}
    return [replace(take, **kept)] if len(rows) else []


@dataclass(frozen=True, eq=False)
class People:
    """People in single pictures, with joints in 2D alone; what stands there of cameras is NaN.

    split, name : str
        Of the part.
    folder : path
        Of the pictures.
    images : tuple of str
        The file of each of N people.
    numbers : (N,) int
        Of the people in their list, from 0: their key `frame`.
    points : (N, 17, 2)
        H36M-17 in px; NaN where they are not annotated.
    in_view : (N, 17) bool
        Annotated and not marked hidden.
    centres, scales : (N, 2), (N,)
        In px; height over 200 px.
    """

    split: str
    name: str
    folder: Path
    images: tuple[str, ...]
    numbers: Ints
    points: Floats
    in_view: Bools
    centres: Floats
    scales: Floats

    labels_3d = False
    subject = "mpii"

    def __len__(self) -> int:
        return len(self.images)

    def shots(self, pixels: int) -> Iterator[tuple[bytes, Views]]:
        """Pictures as files, with the labels of each.

        Raises
        ------
        InputError
            If a picture is missing or damaged.
        """
        # The pixels themselves are the rays of this camera.
        plain = Camera("picture", np.eye(3), [], np.eye(3), np.zeros(3))
        unknown = np.full((1, 3, 3), np.nan)
        for row, name in enumerate(self.images):
            side = MPII_BOX * float(self.scales[row])
            left, top = (self.centres[row] - side / 2).tolist()
            crop = Crop(left, top, side, pixels)
            picture = read_picture(self.folder / name)
            points = self.points[row]
            joints = (points - [left, top]) * (pixels / side) - 0.5
            height, width = picture.shape[:2]
            visible = self.in_view[row] & _inside(joints, pixels, pixels) & _inside(points, width, height)
            stem = Path(name).stem
            number = int(self.numbers[row])
            views = Views(
                image=np.array([f"images/{self.split}/{self.name}/{stem}_{number:06d}.jpg"]),
                subject=np.array([self.subject]),
                action=np.array([""]),
                sequence=np.array([stem]),
                camera=np.array([plain.name]),
                frame=self.numbers[row : row + 1],
                joints=joints[None],
                visible=visible[None],
                box=box_of(joints[np.isfinite(joints).all(-1)])[None],
                crop=np.array([crop_row(crop)]),
                intrinsics=unknown,
                camera_intrinsics=unknown,
            )
            yield encoded(cut(picture, plain, crop), "jpg"), views


__all__ = [
    "BEHIND_END",
    "MPII_BOX",
    "NOT_PLACED",
    "OUT_OF_VIEW",
    "UNKNOWN",
    "People",
    "Take",
    "another_size",
    "box_around",
    "faults",
    "numbered",
    "usable",
    "video_length",
]
