"""Two cameras and what they see, by plain NumPy: the tests' own way from points to pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

K1 = np.array([[1145.0, 0, 512], [0, 1143, 515], [0, 0, 1]])
K2 = np.array([[1149.0, 2, 508], [0, 1147, 508], [0, 0, 1]])


def rotation(x: float, y: float, z: float) -> np.ndarray:
    """About the axes, one after the other, in degrees."""
    a, b, c = np.radians([x, y, z])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


#: 75 degrees round a point 5 m in front of the first camera; a translation of length 1, as all that can be seen.
R = rotation(4, 75, -3)
T = np.array([0.0, 0.0, 5.0]) - R @ [0.0, 0.0, 5.0]
T /= np.linalg.norm(T)
#: The length that T had, in m.
BASELINE = float(np.linalg.norm(np.array([0.0, 0.0, 5.0]) - R @ [0.0, 0.0, 5.0]))


def pixels(points: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Points (..., 3) in a camera as pixels (..., 2)."""
    seen = points @ K.T
    return seen[..., :2] / seen[..., 2:]


@dataclass(frozen=True)
class Seen:
    """Points (..., 3) in the first camera, in units of the baseline, and their pixels in both pictures (..., 2)."""

    points: np.ndarray
    first: np.ndarray
    second: np.ndarray


def seen(points: np.ndarray, noise: float = 0.0, seed: int = 0) -> Seen:
    """What both cameras see of points (..., 3) given in m."""
    rng = np.random.default_rng(seed)
    first, second = pixels(points, K1), pixels(points @ R.T + BASELINE * T, K2)
    if noise:
        first, second = (picture + rng.normal(0, noise, picture.shape) for picture in (first, second))
    return Seen(points / BASELINE, first, second)


def crowd(*shape: int, seed: int = 0) -> np.ndarray:
    """Points (*shape, 3) in m, about as far spread as a person who walks about in a room."""
    return np.random.default_rng(seed).uniform(-1, 1, (*shape, 3)) * [1.2, 0.9, 1.2] + [0, 0, 5]


def degrees_between(one: np.ndarray, other: np.ndarray) -> float:
    """Angle of the turn between two rotations, or between two directions; exact for small angles too."""
    if one.ndim == 2:
        return float(np.degrees(2 * np.arcsin(min(1.0, np.linalg.norm(one - other) / np.sqrt(8)))))
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(one, other)), one @ other)))
