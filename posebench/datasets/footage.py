"""Video and the pictures cut out of it: frames one by one, and squares without distortion whose intrinsics are exact.

Pixel (0, 0) has its middle at (0, 0), as in OpenCV. Decoding needs the package av (the extra `data`).
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.cameras import Camera
from posebench.datasets.open4v.scene import Crop
from posebench.errors import InputError, MissingExtraError, UsageError

Floats = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]

#: Sides of a frame in px that are still decoded.
_LARGEST = 8192
#: A picture that an encoder fitted into a frame is scaled by at most this, and leaves at most this share of it empty.
_MOST_FITTING = 0.01


@dataclass(frozen=True)
class Video:
    """What a video's header says: width and height in px, number of frames (None if unsaid), frames per second."""

    path: Path
    width: int
    height: int
    frames: int | None
    fps: float | None


def video_facts(path: str | os.PathLike[str]) -> Video:
    """Read the header of a video.

    Raises
    ------
    MissingExtraError
        If the package av is not installed.
    InputError
        If the file cannot be read, is no video, or its frames are larger than 8192 px.
    """
    av = _av()
    try:
        with av.open(os.fspath(path)) as container:
            return _facts(Path(path), container)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _undecodable(path, error) from None


def read_video(path: str | os.PathLike[str], frames: Container[int] | None = None) -> Iterator[Picture]:
    """The frames of a video (H, W, 3), RGB, one by one.

    Parameters
    ----------
    path : path
    frames : container of int, optional
        Numbers from 0 of those that are wanted; by default all. The others are decoded and passed over.

    Raises
    ------
    MissingExtraError
        If the package av is not installed.
    InputError
        If the file cannot be read or decoded, if a frame is damaged, or if it ends before the last frame that its
        header promises.
    """
    av = _av()
    count = 0
    try:
        with av.open(os.fspath(path)) as container:
            facts = _facts(Path(path), container)
            for frame in _frames(container, path):
                if (frame.width, frame.height) != (facts.width, facts.height):
                    raise InputError(f"{os.fspath(path)}: frame {count} has another size than the first")
                count += 1
                if frames is None or count - 1 in frames:
                    yield frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _undecodable(path, error, count) from None
    if facts.frames is not None and count < facts.frames:
        raise InputError(
            f"{os.fspath(path)}: ends after {count} frames, but its header promises {facts.frames}; it is truncated, "
            "fetch it again"
        )


def read_picture(path: Path) -> Picture:
    """A .jpg or .png picture (H, W, 3), RGB.

    Raises
    ------
    MissingExtraError
        If Pillow is not installed.
    InputError
        If it is missing, damaged or larger than 8192 px.
    """
    try:
        import PIL.Image
    except ImportError:
        raise MissingExtraError("reading pictures", "Pillow", "data") from None
    try:
        with PIL.Image.open(path, formats=("JPEG", "PNG")) as file:
            if max(file.size) > _LARGEST:
                raise InputError(f"{path}: has {file.size[0]} × {file.size[1]} px, at most {_LARGEST} are decoded")
            return np.array(file.convert("RGB"))
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: is missing") from None
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise InputError(f"{path}: is no whole picture: {error}") from None


def _av() -> Any:
    try:
        import av
    except ImportError:
        raise MissingExtraError("reading videos", "av", "data") from None
    return av


def _frames(container: Any, path: str | os.PathLike[str]) -> Iterator[Any]:
    """The decoded frames; those that are damaged are refused, of which the decoder would guess what is missing."""
    count = 0
    for packet in container.demux(video=0):
        if packet.is_corrupt:
            raise InputError(f"{os.fspath(path)}: is cut off within a frame; it is truncated, fetch it again")
        for frame in packet.decode():
            if frame.is_corrupt:
                raise InputError(f"{os.fspath(path)}: frame {count} is damaged; fetch the video again")
            count += 1
            yield frame


def _facts(path: Path, container: Any) -> Video:
    if not container.streams.video:
        raise InputError(f"{path}: holds no video; it is damaged, truncated or something else")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise InputError(f"{path}: does not say how its frames are coded; it is damaged or truncated, fetch it again")
    stream.thread_type = "AUTO"
    width, height = int(stream.codec_context.width), int(stream.codec_context.height)
    if not (0 < width <= _LARGEST and 0 < height <= _LARGEST):
        raise InputError(f"{path}: its frames have {width} × {height} px, expected 1 to {_LARGEST}")
    rate = stream.average_rate
    return Video(path, width, height, int(stream.frames) or None, None if not rate else float(rate))


def _undecodable(path: str | os.PathLike[str], error: Exception, frame: int | None = None) -> InputError:
    if isinstance(error, InputError):
        return error
    where = "" if frame is None else f" at frame {frame}"
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return InputError(
        f"{os.fspath(path)}: cannot be decoded{where}: {said}; it is damaged or truncated, fetch it again"
    )


# ------------------------------------------------------------------------------------------------------------- geometry


@dataclass(frozen=True)
class Fit:
    """Where the pixels of a calibration are in a video: both times `scale`, then `down` px further down."""

    scale: float
    down: float

    def camera(self, camera: Camera, size: tuple[int, int]) -> Camera:
        """The camera of the video."""
        shift = (self.scale - 1) / 2
        moved = np.array([[self.scale, 0, shift], [0, self.scale, shift + self.down], [0, 0, 1]])
        return replace(camera, K=moved @ camera.K, size=size)


def fit_video(video: Video, camera: Camera) -> Fit:
    """How a video shows what its camera was calibrated for.

    It may have the same size, or be scaled by up to 1 % with empty rows above and below, up to 1 % of its height: video
    encoders fit pictures into frames like that. Any other size may have been cut as well as scaled, and is refused.

    Raises
    ------
    InputError
        If it has any other size.
    UsageError
        If the camera does not say the size of its pictures.
    """
    if camera.size is None:
        raise UsageError(f"{camera} does not say the size of its pictures")
    width, height = camera.size
    scale = video.width / width
    padding = video.height - height * scale
    if not (abs(scale - 1) <= _MOST_FITTING and -1e-6 <= padding <= _MOST_FITTING * video.height):
        raise InputError(
            f"{video.path}: has frames of {video.width} × {video.height} px, but camera {camera.name} was calibrated "
            f"for {width} × {height}; give the calibration of this video"
        )
    return Fit(scale, padding / 2)


def cut(picture: Picture, camera: Camera, crop: Crop) -> Picture:
    """A square out of a picture, without the lens' distortion: what a pinhole camera with `crop.intrinsics` sees.

    Each of its pixels is the mean of samples between the picture's pixels, of so many that none is skipped; what is
    outside the picture is black.

    Parameters
    ----------
    picture : array of uint8, (H, W, 3)
    camera : Camera
        Of the picture.
    crop : Crop
        In px of the undistorted picture.

    Returns
    -------
    array of uint8, (size, size, 3)
    """
    # Two pixels lie under each sample.
    fine = max(1, int(np.ceil(crop.side / crop.size / 2)))
    n = crop.size * fine
    steps = (np.arange(n) + 0.5) * (crop.side / n)
    flat = np.stack(np.meshgrid(crop.left + steps, crop.top + steps), axis=-1)
    rays = (flat - camera.K[:2, 2]) @ np.linalg.inv(camera.K[:2, :2]).T
    inside = np.concatenate([rays, np.ones((n, n, 1))], axis=-1)
    place = replace(camera, R=np.eye(3), t=np.zeros(3)).project(inside)
    samples = _between(picture, place[..., 0], place[..., 1])
    means = samples.reshape(crop.size, fine, crop.size, fine, 3).mean(axis=(1, 3))
    return np.asarray(np.clip(np.rint(means), 0, 255).astype(np.uint8))


def undistort_picture(picture: Picture, camera: Camera) -> Picture:
    """The whole picture (H, W, 3) without the lens' distortion, with the same intrinsics."""
    height, width = picture.shape[:2]
    flat = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float64)
    rays = (flat - camera.K[:2, 2]) @ np.linalg.inv(camera.K[:2, :2]).T
    inside = np.concatenate([rays, np.ones((height, width, 1))], axis=-1)
    place = replace(camera, R=np.eye(3), t=np.zeros(3)).project(inside)
    return np.asarray(np.clip(np.rint(_between(picture, place[..., 0], place[..., 1])), 0, 255).astype(np.uint8))


def _between(picture: Picture, x: Floats, y: Floats) -> npt.NDArray[np.float32]:
    """Colours between pixels, bilinearly; black outside."""
    height, width = picture.shape[:2]
    outside = ~((x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5))
    x, y = np.clip(np.nan_to_num(x), 0, width - 1), np.clip(np.nan_to_num(y), 0, height - 1)
    left, top = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, down = ((x - left)[..., None].astype(np.float32), (y - top)[..., None].astype(np.float32))
    upper = picture[top, left] * (1 - across) + picture[top, right] * across
    lower = picture[bottom, left] * (1 - across) + picture[bottom, right] * across
    found = np.asarray(upper * (1 - down) + lower * down)
    found[outside] = 0
    return found


__all__ = ["Fit", "Video", "cut", "fit_video", "read_picture", "read_video", "undistort_picture", "video_facts"]
