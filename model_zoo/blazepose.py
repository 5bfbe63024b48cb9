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
#: Beside those of the body: the middle of the hips, and the end of a circle about it that holds the whole person.
_HIPS, _CIRCLE = 33, 34
#: The network's squares are so many times as large as that circle; no circle is smaller than this share of a picture.
_ROOM, _LEAST_RADIUS = 1.25, 0.02
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

    The network was trained on squares around the middle of the hips, with the person upright. Where these are, it says
    itself: what it finds in a picture tells the square to look at next.

    Parameters
    ----------
    path : path
        A `.tflite` file; its SHA-256 must be one of `KNOWN`.
    looks : int
        How often it looks again, at the square that it found before. On real footage two looks bring its median error
        from 6.1 to 4.4 px of 256, on rendered bodies from 4.2 to 4.1 (`docs/labels.md`).
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

    def __init__(self, path: str | os.PathLike[str], *, looks: int = 2, threads: int = 1) -> None:
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
        self.looks = looks
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
        scale = width / SIZE
        # From the network's square, whose edges are at 0 and 256, to px of the picture.
        into = np.array([[scale, 0, -0.5], [0, scale, -0.5]])
        found, present = self._run(picture, into)
        for _ in range(self.looks):
            middle, end = (into[:, :2] @ found[point, :2] + into[:, 2] for point in (_HIPS, _CIRCLE))
            if not present or not np.linalg.norm(end - middle) > _LEAST_RADIUS * width:
                break
            into = _square(middle, end)
            found, present = self._run(picture, into)
        pixels = found[: len(_BODY), :2] @ into[:, :2].T + into[:, 2]
        sure = _sigmoid(found[: len(_BODY), 3]) * _sigmoid(found[: len(_BODY), 4]) * present
        return to_h36m17(pixels), _least(sure)

    def _run(self, picture: npt.NDArray[np.uint8], into: Floats) -> tuple[Floats, bool]:
        """Everything that the network says of a square of the picture: (39, 5), and whether somebody is there."""
        self._network.set_tensor(self._input, _cut(picture, into)[None].astype(np.float32) / 255)
        self._network.invoke()
        found = np.asarray(self._network.get_tensor(self._points), np.float64).reshape(_POINTS, _NUMBERS)
        return found, float(self._network.get_tensor(self._presence)[0, 0]) >= _PRESENCE


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


def _square(middle: Floats, end: Floats) -> Floats:
    """The map (2, 3) into the picture of the square around a person whose circle has a middle and an end above it."""
    up = end - middle
    radius = float(np.linalg.norm(up))
    down = -up / radius
    right = np.array([down[1], -down[0]])
    turn = 2 * _ROOM * radius / SIZE * np.column_stack([right, down])
    return np.column_stack([turn, middle - turn @ np.full(2, SIZE / 2)])


def _cut(picture: npt.NDArray[np.uint8], into: Floats) -> npt.NDArray[np.uint8]:
    """What the network's square shows of a picture; black beyond its edges."""
    try:
        import cv2
    except ImportError:
        raise MissingExtraError("running BlazePose", "opencv-python-headless", "zoo") from None
    scale = float(np.sqrt(abs(np.linalg.det(into[:, :2]))))
    if scale >= 2:
        # A warp looks at four pixels only, so where more of them fall into one, they are averaged first.
        size = max(1, round(len(picture) / scale))
        factor = size / len(picture)
        picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA).astype(np.uint8)
        into = np.column_stack([into[:, :2] * factor, (into[:, 2] + 0.5) * factor - 0.5])
    # The middle of pixel (i, j) of the square is at (i, j) + 0.5.
    middles = np.column_stack([into[:, :2], into[:, 2] + into[:, :2] @ [0.5, 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(picture, middles, (SIZE, SIZE), flags=flags), np.uint8)


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))))


__all__ = ["KNOWN", "BlazePose", "find_network", "to_h36m17"]
