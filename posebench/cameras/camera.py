"""One calibrated camera: a point of the world in its coordinates, and as a pixel.

A point x of the world is R x + t in the camera: x right, y down, z forward. Files are read in `files.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError, UsageError

Floats = npt.NDArray[np.float64]
CameraUnit = Literal["mm", "cm", "m"]
UNITS: tuple[str, ...] = get_args(CameraUnit)
MM = {"mm": 1.0, "cm": 10.0, "m": 1000.0}

#: How far R Rᵀ may be from the identity: rotations are printed with four digits and more.
ROTATION_TOLERANCE = 1e-3
#: No length or pixel is larger, in any unit; products of such numbers stay finite.
LARGEST = 1e15
#: Numbers of distortion coefficients that OpenCV's models have, less those of tilted and thin-prism lenses.
DIST_LENGTHS = (0, 4, 5, 8)


@dataclass(frozen=True, eq=False)
class Camera:
    """A calibrated camera.

    Parameters
    ----------
    name : str
    K : array, (3, 3)
        Intrinsics in px.
    dist : array, (0,), (4,), (5,) or (8,)
        Lens distortion as OpenCV orders it: k1, k2, p1, p2, k3, k4, k5, k6. With `fisheye` its four k1 to k4.
    R : array, (3, 3)
        Rotation from the world to the camera. What was rounded in a file is replaced by the nearest rotation.
    t : array, (3,)
        Translation from the world to the camera, in `unit`: the world's origin, seen from the camera.
    unit : {"mm", "cm", "m"}, optional
        None if unknown.
    size : (int, int), optional
        Width and height of its pictures in px.
    subject : str, optional
        The only subject that it stood like this for; data sets that were recorded over days calibrate for each.
    fisheye : bool
        Whether the lens follows OpenCV's fisheye model.
    unit_stated : bool
        Whether the unit is somebody's word, and so believed, rather than what a file says.
    source : str
        What messages call the place that it comes from: usually a file name.

    Raises
    ------
    InputError
        If shapes are not as above, numbers are not finite or huge, R is no rotation, or a focal length is not positive.

    Examples
    --------
    >>> K = [[1000, 0, 500], [0, 1000, 500], [0, 0, 1]]
    >>> camera = Camera("front", K, [], np.eye(3), [0, 0, 5], unit="m")
    >>> camera.to_camera([[1.0, 0.0, 0.0]]).tolist(), camera.project([[1.0, 0.0, 0.0]]).tolist()
    ([[1.0, 0.0, 5.0]], [[700.0, 500.0]])
    """

    name: str
    K: Any
    dist: Any
    R: Any
    t: Any
    unit: CameraUnit | None = None
    size: tuple[int, int] | None = None
    subject: str | None = None
    fisheye: bool = False
    unit_stated: bool = True
    source: str = "camera"

    def __post_init__(self) -> None:
        # Arrays of any kind come in, arrays of float64 stay.
        for field, shapes in (("K", ((3, 3),)), ("R", ((3, 3),)), ("t", ((3,), (3, 1), (1, 3)))):
            object.__setattr__(self, field, as_numbers(getattr(self, field), shapes, f"{self}: {field}"))
        object.__setattr__(self, "t", self.t.reshape(3))
        dist = as_numbers(self.dist, None, f"{self}: dist").reshape(-1)
        lengths = (0, 4) if self.fisheye else DIST_LENGTHS
        if len(dist) not in lengths:
            raise InputError(
                f"{self}: dist has {len(dist)} coefficients, expected {' or '.join(map(str, lengths))}"
                + ("" if self.fisheye else ": k1, k2, p1, p2, then k3, then k4, k5, k6")
            )
        object.__setattr__(self, "dist", dist)
        self._check_intrinsics()
        object.__setattr__(self, "R", nearest_rotation(self.R, str(self)))
        if self.unit is not None and self.unit not in UNITS:
            raise InputError(f"{self}: unit is {self.unit!r}, expected one of {', '.join(UNITS)}")

    def _check_intrinsics(self) -> None:
        if not (self.K[0, 0] > 0 and self.K[1, 1] > 0):
            raise InputError(
                f"{self}: focal lengths are {self.K[0, 0]:g} and {self.K[1, 1]:g} px, expected more than 0"
            )
        if self.K[1, 0] != 0 or self.K[2].tolist() != [0, 0, 1]:
            raise InputError(f"{self}: K is {self.K.tolist()}, expected [[fx, skew, cx], [0, fy, cy], [0, 0, 1]] in px")

    def __str__(self) -> str:
        whose = "" if self.subject is None else f" of subject {self.subject}"
        return f"{self.source}: camera {self.name}{whose}"

    @property
    def key(self) -> str:
        """What `read_cameras` files it under: its name, after its subject if it has one."""
        return self.name if self.subject is None else f"{self.subject}/{self.name}"

    @property
    def centre(self) -> Floats:
        """Where the camera stands in the world (3,), in `unit`."""
        return np.asarray(-self.t @ self.R)

    def in_unit(self, unit: CameraUnit) -> Camera:
        """The same camera with its translation in another unit.

        Raises
        ------
        InputError
            If its own unit is unknown.
        UsageError
            If there is no such unit.
        """
        if unit not in UNITS:
            raise UsageError(f"there is no unit {unit!r} for cameras; known are {', '.join(UNITS)}")
        if self.unit is None:
            raise InputError(
                f"{self} does not say the unit of its translation; say it with read_cameras(path, unit=...)"
            )
        return self if unit == self.unit else replace(self, t=self.t * (MM[self.unit] / MM[unit]), unit=unit)

    def to_camera(self, points: npt.ArrayLike) -> Floats:
        """World points (..., 3) in this camera's coordinates, both in `unit`."""
        return np.asarray(np.asarray(points, np.float64) @ self.R.T + self.t)

    def to_world(self, points: npt.ArrayLike) -> Floats:
        """Points (..., 3) in this camera's coordinates as points of the world, both in `unit`."""
        return np.asarray((np.asarray(points, np.float64) - self.t) @ self.R)

    def project(self, points: npt.ArrayLike) -> Floats:
        """World points (..., 3) in `unit` as pixels (..., 2), lens included; NaN for points not before the camera.

        References
        ----------
        OpenCV, camera calibration and 3D reconstruction: the pinhole model with radial, rational and tangential
        distortion, and the fisheye model.
        """
        seen = self.to_camera(points)
        with np.errstate(all="ignore"):
            rays = np.where(seen[..., 2:] > 0, seen[..., :2] / seen[..., 2:], np.nan)
            bent = _through_fisheye(rays, self.dist) if self.fisheye else _through_lens(rays, self.dist)
        return np.asarray(bent @ self.K[:2, :2].T + self.K[:2, 2])


def _through_lens(rays: Floats, dist: Floats) -> Floats:
    """Ideal normalised image coordinates (..., 2) as the lens shows them."""
    k1, k2, p1, p2, k3, k4, k5, k6 = np.concatenate([dist, np.zeros(8 - len(dist))])
    x, y = rays[..., 0], rays[..., 1]
    r2 = x * x + y * y
    radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    across = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    down = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    return np.stack([across, down], axis=-1)


def _through_fisheye(rays: Floats, dist: Floats) -> Floats:
    """The same for a fisheye lens, whose pictures grow with the angle from the axis."""
    k1, k2, k3, k4 = np.concatenate([dist, np.zeros(4 - len(dist))])
    r = np.linalg.norm(rays, axis=-1, keepdims=True)
    angle = np.arctan(r)
    square = angle * angle
    bent = angle * (1 + square * (k1 + square * (k2 + square * (k3 + square * k4))))
    return np.asarray(np.where(r > 0, rays * (bent / r), rays))


def as_numbers(value: object, shapes: tuple[tuple[int, ...], ...] | None, place: str) -> Floats:
    """Nested lists of numbers as an array of one of the shapes; `place` begins the message that refuses others.

    Raises
    ------
    InputError
        If they are something else.
    """
    expected = "" if shapes is None else f" of shape {shapes[0]}"
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    if array.size == 0 and array.ndim == 1:
        array = array.astype(np.float64)
    if array.dtype.kind not in "iuf":
        raise InputError(f"{place} is not an array of numbers, expected numbers{expected}")
    if shapes is not None and array.shape not in shapes:
        raise InputError(f"{place} has shape {array.shape}, expected {shapes[0]}")
    if not (np.abs(array) <= LARGEST).all():
        raise InputError(f"{place} holds a number that is not finite or beyond {LARGEST:g}")
    return array.astype(np.float64)


def nearest_rotation(R: Floats, place: str) -> Floats:
    """The rotation that a matrix (3, 3) rounds.

    Raises
    ------
    InputError
        If it is none within `ROTATION_TOLERANCE`.
    """
    with np.errstate(all="ignore"):
        off = float(np.abs(R @ R.T - np.eye(3)).max())
    if not off <= ROTATION_TOLERANCE:
        raise InputError(
            f"{place}: R is no rotation: R Rᵀ differs from the identity by {off:.2g}, expected at most "
            f"{ROTATION_TOLERANCE:g}"
        )
    u, _, vt = np.linalg.svd(R)
    nearest = np.asarray(u @ vt)
    if np.linalg.det(nearest) < 0:
        raise InputError(f"{place}: R is a reflection, its determinant is -1: an axis is turned round")
    return nearest


__all__ = ["MM", "UNITS", "Camera", "CameraUnit", "as_numbers", "nearest_rotation"]
