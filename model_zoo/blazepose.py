"""BlazePose as a frozen 2D branch: a public network that nobody here trained, read for x and y only.

Bazarevsky, Grishchenko, Raveendran, Zhu, Zhang, Grundmann: BlazePose: On-device real-time body pose tracking, 2020
(arXiv 2006.10204). Its networks come inside public packages under the Apache licence 2.0; `posebench data fetch
blazepose` brings one. They also give a depth, which is dropped unread: it would be supervision in 3D.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.conversion import convert_needed
from posebench.datasets.catalog import locate
from posebench.errors import InputError, MissingExtraError, UsageError
from posebench.io.hashing import sha256_of
from posebench.poses import PoseSet
from posebench.skeletons import H36M17, get_skeleton

Floats = npt.NDArray[np.float64]

#: SHA-256 of the networks that are known -> their names.
KNOWN = {
    "f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61": "blazepose-lite",
    "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f": "blazepose-full",
    "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe": "blazepose-heavy",
}
#: Sides of the picture that the networks take, in px.
SIZE = 256
#: What the networks give for each point: x, y, z, and logits of being visible and of being there.
_POINTS, _NUMBERS = 39, 5
_BODY = get_skeleton("blazepose33")
#: A picture in which the network sees a person with less than this has none.
_PRESENCE = 0.5


def find_network() -> Path:
    """The best of the networks that is there: heavy, full or lite.

    Raises
    ------
    UsageError
        If none was fetched; the message says how.
    """
    folder = locate("blazepose")
    for kind in ("heavy", "full", "lite"):
        for path in sorted(folder.glob(f"**/pose_landmark_{kind}.tflite")):
            return path
    raise UsageError(f"{folder}: holds no pose_landmark_*.tflite; run posebench data fetch blazepose")


class BlazePose:
    """One of the networks, ready to run on square pictures that a person fills.

    Parameters
    ----------
    path : path
        A `.tflite` file; its SHA-256 must be one of `KNOWN`.
    threads : int

    Attributes
    ----------
    name : str

    Raises
    ------
    InputError
        If the file is missing or is none of these networks.
    MissingExtraError
        If the extra zoo is not installed.
    """

    def __init__(self, path: str | os.PathLike[str], *, threads: int = 1) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:
            raise MissingExtraError("running BlazePose", "ai-edge-litert", "zoo") from None
        file = Path(path)
        if not file.is_file():
            raise InputError(f"{file}: is missing; posebench data fetch blazepose brings the network")
        digest = sha256_of(file)
        if digest not in KNOWN:
            raise InputError(f"{file}: is none of the networks {', '.join(KNOWN.values())}; its SHA-256 is {digest}")
        self.name = KNOWN[digest]
        self._network: Any = Interpreter(str(file), num_threads=threads)
        self._network.allocate_tensors()
        self._input = self._network.get_input_details()[0]["index"]
        named = {detail["name"]: detail["index"] for detail in self._network.get_output_details()}
        self._points, self._presence = named["Identity"], named["Identity_1"]

    def __call__(self, picture: npt.NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Find the joints of the person in a square picture.

        Parameters
        ----------
        picture : (S, S, 3) uint8
            RGB.

        Returns
        -------
        points : (17, 2)
            H36M-17 in px of the picture. The network knows neither H36M's nose nor its head: these are NaN.
        confidence : (17,)
            The network's probability that the joint is in the picture and not hidden; the least of those that a joint
            is derived from. 0 everywhere if it sees no person.

        Raises
        ------
        InputError
            If the picture is not square.
        """
        height, width = picture.shape[:2]
        if height != width:
            raise InputError(f"a picture has {width} × {height} px; BlazePose takes squares")
        self._network.set_tensor(self._input, _sized(picture)[None].astype(np.float32) / 255)
        self._network.invoke()
        found = np.asarray(self._network.get_tensor(self._points), np.float64).reshape(_POINTS, _NUMBERS)[: len(_BODY)]
        present = float(self._network.get_tensor(self._presence)[0, 0]) >= _PRESENCE
        # Its coordinates count from the picture's edge; here whole numbers are the middles of pixels.
        pixels = found[:, :2] * (width / SIZE) - 0.5
        sure = _sigmoid(found[:, 3]) * _sigmoid(found[:, 4]) * present
        return to_h36m17(pixels), _least(sure)


def to_h36m17(points: Floats) -> Floats:
    """BlazePose's 33 points (33, D) as H36M-17 (17, D), D up to 3; NaN for what they do not give.

    Examples
    --------
    >>> body = np.zeros((33, 2))
    >>> body[23], body[24] = (1, 0), (3, 0)
    >>> to_h36m17(body)[0].tolist()
    [2.0, 0.0]
    """
    padded = np.zeros((1, len(_BODY), 3))
    padded[0, :, : points.shape[1]] = points
    found = convert_needed(PoseSet(padded, skeleton=_BODY), H36M17, ())
    known = np.ones(len(H36M17), np.bool_) if found.valid is None else found.valid[0]
    return np.where(known[:, None], found.poses[0, :, : points.shape[1]], np.nan)


def _least(sure: Floats) -> Floats:
    """Confidence (17,) of joints: the least of those that come into each."""
    return np.array([sure[parts].min() if parts.any() else 0.0 for parts in _parts()])


@cache
def _parts() -> npt.NDArray[np.bool_]:
    """Which of the 33 points come into each joint of H36M-17, (17, 33)."""
    return np.stack([to_h36m17(column[:, None])[:, 0] for column in np.eye(len(_BODY))], axis=1) > 0


def _sized(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    if len(picture) == SIZE:
        return picture
    import PIL.Image

    image = PIL.Image.fromarray(picture).resize((SIZE, SIZE), PIL.Image.Resampling.BILINEAR)
    return np.asarray(image)


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))))


__all__ = ["KNOWN", "BlazePose", "find_network", "to_h36m17"]
