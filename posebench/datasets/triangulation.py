"""Points in space from pixels of several calibrated cameras: linear, refined, and robust against one wrong view.

Reference poses of real footage are made with it; how pixels were found, and whose they are, is the business of others.
V views, N points; pixels are undistorted, as `undistort_points` gives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from posebench.cameras import Camera
from posebench.errors import UsageError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_STEPS = 10
_LENS_STEPS = 50
#: Points freed from distortion at once: their arrays stay in the processor's cache.
_LENS_POINTS = 4096


@dataclass(frozen=True, eq=False)
class Triangulated:
    """Points, and how the views agree with them.

    points : (N, 3)
        In the unit of the cameras; NaN where they are unknown.
    used : (V, N) bool
        The views that each was made from.
    offsets : (V, N, 2)
        Pixel minus projected point, in px; NaN where the point is unknown or behind the camera.
    """

    points: Floats
    used: Bools
    offsets: Floats

    @property
    def errors(self) -> Floats:
        """Lengths of the offsets (V, N) in px."""
        return np.asarray(np.linalg.norm(self.offsets, axis=-1))


def triangulate(
    pixels: npt.ArrayLike,
    weights: npt.ArrayLike,
    cameras: Sequence[Camera],
    *,
    max_error: float = np.inf,
) -> Triangulated:
    """Points that minimise the weighted squared reprojection error.

    Where three or more views see a point and one of them is off by more than `max_error`, the view is dropped without
    which the others agree best. A point that still disagrees, or that fewer than two views see, is unknown.

    Parameters
    ----------
    pixels : array, (V, N, 2)
        Undistorted, in px.
    weights : array, (V, N)
        From 0, which says that the view does not see the point.
    cameras : sequence of Camera
        V of them, in one unit.
    max_error : float
        In px.

    Raises
    ------
    UsageError
        If shapes do not fit.

    References
    ----------
    R. Hartley, A. Zisserman: Multiple View Geometry, section 12.2 (linear); K. Levenberg, 1944 (refinement).

    Examples
    --------
    >>> K = [[1000, 0, 500], [0, 1000, 500], [0, 0, 1]]
    >>> rig = [Camera(name, K, [], np.eye(3), [x, 0, 0], "mm") for name, x in (("left", 100), ("right", -100))]
    >>> point = np.array([[10.0, 20.0, 2000.0]])
    >>> seen = [camera.project(point) for camera in rig]
    >>> triangulate(seen, np.ones((2, 1)), rig).points.round(6).tolist()
    [[10.0, 20.0, 2000.0]]
    """
    seen, w = _checked(pixels, weights, cameras)
    points = _solve(seen, w, cameras)
    worst = _worst(points, seen, w, cameras)
    doubtful = (worst > max_error) & ((w > 0).sum(0) >= 3)
    kept = w
    if doubtful.any():
        rows = np.flatnonzero(doubtful)
        kept = w.copy()
        for view in range(len(cameras)):
            fewer = w[:, rows].copy()
            fewer[view] = 0
            candidate = _solve(seen[:, rows], fewer, cameras)
            candidate_worst = _worst(candidate, seen[:, rows], fewer, cameras)
            better = (w[view, rows] > 0) & (candidate_worst < worst[rows])
            chosen = rows[better]
            points[chosen], worst[chosen], kept[:, chosen] = (
                candidate[better],
                candidate_worst[better],
                fewer[:, better],
            )
    points[~(worst <= max_error)] = np.nan
    used = (kept > 0) & np.isfinite(points).all(-1)
    offsets = np.where(w[..., None] > 0, seen - pinhole(points, cameras), np.nan)
    return Triangulated(points, used, offsets)


def pinhole(points: Floats, cameras: Sequence[Camera]) -> Floats:
    """World points (N, 3) as undistorted pixels (V, N, 2); NaN behind a camera."""
    return np.stack([replace(camera, dist=[], fisheye=False).project(points) for camera in cameras])


def undistort_points(pixels: npt.ArrayLike, camera: Camera) -> Floats:
    """Where pixels (..., 2) would lie without the lens' distortion, in px of the same intrinsics.

    Examples
    --------
    >>> camera = Camera("a", [[1000, 0, 500], [0, 1000, 500], [0, 0, 1]], [0.1, 0, 0, 0], np.eye(3), [0, 0, 0], "mm")
    >>> undistort_points(camera.project([[0.3, 0.2, 1.0]]), camera).round(6).tolist()
    [[800.0, 700.0]]
    """
    seen = np.asarray(pixels, np.float64)
    inverse = np.linalg.inv(camera.K[:2, :2])
    rays = (seen - camera.K[:2, 2]) @ inverse.T
    lens = replace(camera, K=np.eye(3), R=np.eye(3), t=np.zeros(3))
    flat = rays.reshape(-1, 2)
    ideal = flat.copy()
    for start in range(0, len(flat), _LENS_POINTS):
        rows = np.arange(start, min(start + _LENS_POINTS, len(flat)))
        for _ in range(_LENS_STEPS):
            before = ideal[rows]
            after = before + (flat[rows] - lens.project(_rays(before)))
            ideal[rows] = after
            # What a step leaves as it was, all further steps do.
            rows = rows[(after != before).any(-1)]
            if not len(rows):
                break
    return np.asarray(ideal.reshape(rays.shape) @ camera.K[:2, :2].T + camera.K[:2, 2])


def _rays(flat: Floats) -> Floats:
    """Normalised image coordinates (..., 2) as points at depth 1."""
    return np.concatenate([flat, np.ones((*flat.shape[:-1], 1))], axis=-1)


def triangulate_linear(pixels: npt.ArrayLike, weights: npt.ArrayLike, cameras: Sequence[Camera]) -> Floats:
    """Points (N, 3) by the direct linear transform; NaN where fewer than two views see a point.

    Parameters
    ----------
    pixels : array, (V, N, 2)
        Undistorted, in px; anything where the weight is 0.
    weights : array, (V, N)
        Of the equations, from 0.
    cameras : sequence of Camera
        V of them, in one unit.

    Raises
    ------
    UsageError
        If shapes do not fit.

    References
    ----------
    R. Hartley, A. Zisserman: Multiple View Geometry, section 12.2.

    Examples
    --------
    >>> K = [[1000, 0, 500], [0, 1000, 500], [0, 0, 1]]
    >>> rig = [Camera(name, K, [], np.eye(3), [x, 0, 0], "mm") for name, x in (("left", 100), ("right", -100))]
    >>> point = np.array([[10.0, 20.0, 2000.0]])
    >>> triangulate_linear([camera.project(point) for camera in rig], np.ones((2, 1)), rig).round(6).tolist()
    [[10.0, 20.0, 2000.0]]
    """
    seen, w = _checked(pixels, weights, cameras)
    # A length of the scene, so that the four unknowns are of one size.
    scale = max(float(np.median([np.linalg.norm(camera.t) for camera in cameras])), 1e-12)
    rows = []
    for view, camera in enumerate(cameras):
        rays = (seen[view] - camera.K[:2, 2]) @ np.linalg.inv(camera.K[:2, :2]).T
        projection = np.column_stack([camera.R, camera.t / scale])
        rows.append(w[view][:, None, None] * (rays[..., None] * projection[2] - projection[:2]))
    solution = np.linalg.svd(np.concatenate(rows, axis=1))[2][:, -1]
    with np.errstate(all="ignore"):
        points = np.asarray(scale * solution[:, :3] / solution[:, 3:])
    points[((w > 0).sum(0) < 2) | ~np.isfinite(points).all(-1)] = np.nan
    return points


def _checked(pixels: npt.ArrayLike, weights: npt.ArrayLike, cameras: Sequence[Camera]) -> tuple[Floats, Floats]:
    """Pixels (V, N, 2), zero where a view does not see a point, and weights (V, N)."""
    seen, w = np.asarray(pixels, np.float64), np.asarray(weights, np.float64)
    if seen.ndim != 3 or seen.shape != (len(cameras), *w.shape[1:], 2) or w.shape != seen.shape[:2]:
        raise UsageError(
            f"pixels have shape {seen.shape} and weights {w.shape}, expected (V, N, 2) and (V, N) for {len(cameras)} "
            "cameras"
        )
    return np.where(w[..., None] > 0, seen, 0.0), w


def _solve(pixels: Floats, weights: Floats, cameras: Sequence[Camera]) -> Floats:
    """The linear solution, refined; NaN where fewer than two views see a point."""
    return _refine(triangulate_linear(pixels, weights, cameras), pixels, weights, cameras)


def _refine(points: Floats, pixels: Floats, weights: Floats, cameras: Sequence[Camera]) -> Floats:
    """Levenberg and Marquardt's steps on every point for itself; a step that makes it worse is not taken."""
    known = np.isfinite(points).all(-1)
    x, seen, squares = points[known], pixels[:, known], weights[:, known] ** 2
    damping = np.full(len(x), 1e-3)
    cost = _cost(x, seen, squares, cameras)
    for _ in range(_STEPS):
        normal, gradient = np.zeros((len(x), 3, 3)), np.zeros((len(x), 3))
        for view, camera in enumerate(cameras):
            residual, jacobian = _residual(x, seen[view], camera)
            weighted = squares[view][:, None, None] * jacobian
            normal += np.einsum("nki,nkj->nij", weighted, jacobian)
            gradient += np.einsum("nki,nk->ni", weighted, residual)
        diagonal = np.einsum("nii->ni", normal)
        damped = normal + (damping[:, None] * diagonal + 1e-12)[:, None] * np.eye(3)
        trial = x + np.linalg.solve(damped, gradient[..., None])[..., 0]
        trial_cost = _cost(trial, seen, squares, cameras)
        better = trial_cost < cost
        x, cost = np.where(better[:, None], trial, x), np.where(better, trial_cost, cost)
        damping *= np.where(better, 0.1, 10.0)
    refined = points.copy()
    refined[known] = x
    return refined


def _residual(points: Floats, pixels: Floats, camera: Camera) -> tuple[Floats, Floats]:
    """Pixel minus projection (N, 2), and the Jacobian of the projection (N, 2, 3)."""
    inside = camera.to_camera(points)
    depth = np.where(inside[:, 2:] == 0, 1e-12, inside[:, 2:])
    ratio = inside[:, :2] / depth
    by_camera = np.concatenate([np.broadcast_to(np.eye(2), (len(points), 2, 2)), -ratio[..., None]], axis=2)
    jacobian = camera.K[:2, :2] @ (by_camera / depth[..., None]) @ camera.R
    return pixels - (ratio @ camera.K[:2, :2].T + camera.K[:2, 2]), jacobian


def _cost(points: Floats, pixels: Floats, squares: Floats, cameras: Sequence[Camera]) -> Floats:
    """The weighted sum of squares (N,); infinite behind a camera that counts."""
    errors = ((pixels - pinhole(points, cameras)) ** 2).sum(-1)
    errors = np.where(np.isfinite(errors), errors, np.inf)
    return np.asarray((np.where(squares > 0, errors, 0.0) * squares).sum(0))


def _worst(points: Floats, pixels: Floats, weights: Floats, cameras: Sequence[Camera]) -> Floats:
    """The largest error (N,) among the views that count, in px; infinite where the point is unknown."""
    errors = np.linalg.norm(pixels - pinhole(points, cameras), axis=-1)
    errors = np.where(np.isfinite(errors), errors, np.inf)
    return np.asarray(np.where(np.isfinite(points).all(-1), np.where(weights > 0, errors, 0.0).max(0), np.inf))


__all__ = ["Triangulated", "pinhole", "triangulate", "triangulate_linear", "undistort_points"]
