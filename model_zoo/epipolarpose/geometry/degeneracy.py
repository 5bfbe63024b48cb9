"""What makes a pose between two cameras unknowable, and how it is seen in the points."""

from __future__ import annotations

from enum import Enum

import numpy as np

from model_zoo.epipolarpose.geometry.arrays import Floats, homogeneous, rays_of
from model_zoo.epipolarpose.geometry.fundamental import evenly, normalised

#: Points that are looked at, at most.
_LOOKED_AT = 2000


class Reason(Enum):
    """Why a pose is left out; the value says it in words."""

    TOO_FEW_POINTS = "fewer points are known than determine a pose"
    TOO_FEW_INLIERS = "too few points agree on a pose"
    NO_PARALLAX = "the points move as if the camera only turned"
    PLANAR = "all points lie on a plane"
    MOTIONLESS = "the joints stay where they are, so more frames say nothing more"
    CHEIRALITY_TIE = "no pose puts clearly most of the points in front of both cameras"
    UNCERTAIN = "the points leave the pose too uncertain"

    def __str__(self) -> str:
        return self.value


def turn_noise(first: Floats, second: Floats, K1: Floats, K2: Floats) -> float:
    """Noise in px (standard deviation per coordinate) that would explain known points (N, 2) by a turn of the camera.

    References
    ----------
    G. Wahba, A Least Squares Estimate of Satellite Attitude, SIAM Review 1965; Hartley and Zisserman, Multiple View
    Geometry, section 8.4 (a camera that turns).

    Examples
    --------
    >>> K = np.diag([1000.0, 1000, 1])
    >>> points = np.array([[0.0, 0], [100, 0], [0, 100]])
    >>> round(turn_noise(points, points, K, K), 6)
    0.0
    """
    x, y = _some(first, second)
    rays1, rays2 = (rays / np.linalg.norm(rays, axis=1)[:, None] for rays in (rays_of(x, K1), rays_of(y, K2)))
    u, _, vt = np.linalg.svd(rays2.T @ rays1)
    R = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    return _explained(K2 @ R @ np.linalg.inv(K1), x, y, freedoms=3)


def plane_noise(first: Floats, second: Floats) -> float:
    """Noise in px (standard deviation per coordinate) that would explain known points (N, 2) by a plane.

    References
    ----------
    Hartley and Zisserman, Multiple View Geometry, algorithm 4.2 (the homography) and section 13.1 (planes).

    Examples
    --------
    >>> points = np.array([[0.0, 0], [100, 0], [0, 100], [100, 100], [30, 40]])
    >>> round(plane_noise(points, points * 2 + 7), 6)
    0.0
    """
    x, y = _some(first, second)
    ones = np.ones(len(x))
    (u, to_u), (v, to_v) = normalised(x, ones), normalised(y, ones)
    nothing = np.zeros_like(u)
    rows = np.concatenate(
        [
            np.concatenate([nothing, -u, v[:, 1:2] * u], axis=1),
            np.concatenate([u, nothing, -v[:, :1] * u], axis=1),
        ]
    )
    H = np.linalg.svd(np.linalg.qr(rows, mode="r"))[2][-1].reshape(3, 3)
    return _explained(np.linalg.inv(to_v) @ H @ to_u, x, y, freedoms=8)


def _explained(H: Floats, first: Floats, second: Floats, freedoms: int) -> float:
    """Robust scale of the first-order distances from y = H x, corrected for the numbers that were fitted."""
    u = homogeneous(first) @ H.T
    with np.errstate(all="ignore"):
        seen = u[:, :2] / u[:, 2:]
        # The derivative of the seen point by the given one (N, 2, 2).
        slope = (H[None, :2, :2] - seen[:, :, None] * H[None, 2:, :2]) / u[:, 2, None, None]
        covariance = np.eye(2) + slope @ np.swapaxes(slope, 1, 2)
        off = second - seen
        usable = np.isfinite(covariance).all((1, 2)) & np.isfinite(off).all(1)
    squares = np.einsum("ni,nij,nj->n", off[usable], np.linalg.inv(covariance[usable]), off[usable])
    many = 2 * len(first)
    if len(squares) < len(first) / 2 or many <= freedoms:
        return float("inf")
    # The median of a chi-squared variable with two degrees of freedom is 2 log 2.
    return float(np.sqrt(np.median(squares) / (2 * np.log(2)) * many / (many - freedoms)))


def _some(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    rows = evenly(np.arange(len(first)), _LOOKED_AT)
    return first[rows], second[rows]
