"""Rotation and translation between two cameras and all points, refined together, and how sure the result is.

For a given pose the best points are known, so they are eliminated: what is left is a least-squares problem in five
numbers, whose residuals are the distances of `correct_matches`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_zoo.epipolarpose.geometry.arrays import Floats, as_matrices, as_pairs, cross_matrix, homogeneous
from model_zoo.epipolarpose.geometry.essential import fundamental_from_pose
from model_zoo.epipolarpose.geometry.triangulation import correct_matches
from posebench.errors import UsageError

#: Residuals beyond so many standard deviations count linearly: Huber's loss, 99.9 % efficient for normal noise.
HUBER = 2.5
#: Degrees of freedom of a pose without scale.
FREEDOMS = 5
_STEPS = 40
_SETTLED = 1e-9
_NOTHING = 1e-6  # share of the noise that residuals may change by
_SMALLEST_STEP = 1e-10
_TINY = 1e-15


@dataclass(frozen=True, eq=False)
class Refined:
    """A pose that minimises the robust reprojection error.

    R : (3, 3)
    t : (3,)
        Of length 1.
    distance : (N,)
        Residuals with sign, in px; NaN for unknown points.
    cost : float
        Sum of their robust squares, in px².
    """

    R: Floats
    t: Floats
    distance: Floats
    cost: float


def refine_pose(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    K1: npt.ArrayLike,
    K2: npt.ArrayLike,
    R: npt.ArrayLike,
    t: npt.ArrayLike,
    *,
    noise: float,
    valid: npt.ArrayLike | None = None,
) -> Refined:
    """The pose near a given one for which pixels have to be moved least: bundle adjustment of two views.

    Parameters
    ----------
    first, second : array, (N, 2)
        In px.
    K1, K2 : array, (3, 3)
        Intrinsics in px.
    R : array, (3, 3)
        To start from.
    t : array, (3,)
        The same, of any length.
    noise : float
        Standard deviation of the pixels' coordinates; residuals beyond 2.5 of it count linearly.
    valid : array of bool, (N,), optional

    Raises
    ------
    UsageError
        If shapes do not fit, fewer than five points are known, or the noise is not positive.

    References
    ----------
    Hartley and Zisserman, Multiple View Geometry, section 11.4.1 (the cost) and appendix A6.8 (robust losses).

    Examples
    --------
    >>> points = np.random.default_rng(0).uniform(-1, 1, (20, 3)) + [0, 0, 5]
    >>> K = np.diag([1000.0, 1000, 1])
    >>> first, second = 1000 * points[:, :2] / points[:, 2:], 1000 * (points[:, :2] - [1, 0]) / points[:, 2:]
    >>> t = refine_pose(first, second, K, K, np.eye(3), [-1, 0.02, 0.03], noise=1.0).t
    >>> bool(np.allclose(t, [-1, 0, 0], rtol=0, atol=1e-9))
    True
    """
    x, y, known = as_pairs(first, second, valid)
    if x.ndim != 2 or known.sum() < FREEDOMS:
        raise UsageError(f"points have shape {x.shape}, {known.sum()} of them known; expected (N, 2) and five or more")
    if not (np.isfinite(noise) and noise > 0):
        raise UsageError(f"noise is {noise}, expected px above 0")
    cameras = as_matrices(K1, "K1"), as_matrices(K2, "K2")
    rotation, shift = as_matrices(R, "R"), np.asarray(t, np.float64) / np.linalg.norm(t)
    u, v, limit = x[known], y[known], HUBER * noise
    moved = correct_matches(u, v, fundamental_from_pose(rotation, shift, *cameras))
    cost, damping = _huber(moved.distance, limit), 1e-4
    nothing = len(u) * (_NOTHING * noise) ** 2
    for _ in range(_STEPS):
        jacobian = pose_jacobian(moved.first, moved.second, *cameras, rotation, shift)
        residual = np.nan_to_num(moved.distance)
        weight = np.minimum(1.0, limit / np.maximum(np.abs(residual), limit))
        normal = jacobian.T @ (weight[:, None] * jacobian)
        gradient = jacobian.T @ (weight * residual)
        diagonal = np.diag(normal) + _TINY * np.trace(normal)
        step = np.asarray(-np.linalg.solve(normal + damping * np.diag(diagonal), gradient), np.float64)
        trial = _stepped(rotation, shift, step)
        trial_moved = correct_matches(u, v, fundamental_from_pose(*trial, *cameras))
        trial_cost = _huber(trial_moved.distance, limit)
        gain = cost - trial_cost
        if gain > 0:
            (rotation, shift), moved, cost, damping = trial, trial_moved, trial_cost, damping / 10
            if gain <= _SETTLED * cost + nothing:
                break
        elif np.abs(step).max() < _SMALLEST_STEP or damping > 1:
            break
        else:
            damping *= 10
    distance = np.full(len(x), np.nan)
    distance[known] = moved.distance
    return Refined(rotation, shift, distance, cost)


def pose_jacobian(first: Floats, second: Floats, K1: Floats, K2: Floats, R: Floats, t: Floats) -> Floats:
    """How the distances of pairs of points (N, 2) from a pose change with it (N, 5), in px per rad.

    The first three numbers turn the second camera about its axes, the other two turn the unit translation. Exact where
    the points obey the pose, such as those of `correct_matches`; else to first order.

    Examples
    --------
    >>> K = np.diag([1000.0, 1000, 1])
    >>> points = np.array([[0.0, 0.0]])
    >>> pose_jacobian(points, points, K, K, np.eye(3), np.array([1.0, 0, 0])).round(3).tolist()
    [[-707.107, 0.0, 0.0, 0.0, 0.0]]
    """
    into2, into1 = np.linalg.inv(K2).T, np.linalg.inv(K1)
    F = into2 @ cross_matrix(t) @ R @ into1
    turned = cross_matrix(t) @ cross_matrix(np.eye(3)) @ R
    shifted = cross_matrix(_tangents(t)) @ R
    changes = into2 @ np.concatenate([turned, shifted]) @ into1
    u, v = homogeneous(first), homogeneous(second)
    line_v, line_u = (u @ F.T)[:, :2], (v @ F)[:, :2]
    slope = np.sqrt((line_v**2).sum(-1) + (line_u**2).sum(-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        jacobian = np.einsum("ni,kij,nj->nk", v, changes, u, optimize=True) / slope[:, None]
    # A point on its epipole says nothing.
    return np.where(np.isfinite(jacobian).all(1)[:, None], jacobian, 0.0)


def uncertainty_of(jacobian: Floats, noise: float) -> float:
    """Standard deviation, in degrees, of the least certain turn of rotation and translation; inf if it is free.

    Parameters
    ----------
    jacobian : array, (N, 5)
        As of `pose_jacobian`, in px per rad.
    noise : float
        Standard deviation of the residuals in px.

    Examples
    --------
    >>> round(uncertainty_of(np.eye(5) * 100, noise=1.0), 4)
    0.573
    """
    values = np.linalg.svd(jacobian, compute_uv=False)
    if len(values) < FREEDOMS or values[-1] <= 1e-9 * values[0]:
        return float("inf")
    return float(np.degrees(noise / values[-1]))


def _huber(distance: Floats, limit: float) -> float:
    size = np.abs(np.nan_to_num(distance))
    return float(np.where(size <= limit, size * size, limit * (2 * size - limit)).sum())


def _stepped(R: Floats, t: Floats, step: Floats) -> tuple[Floats, Floats]:
    """The pose turned by step[:3] in the second camera, its translation by step[3:]."""
    angle = float(np.linalg.norm(step[:3]))
    turn = np.eye(3)
    if angle > 0:
        axis = cross_matrix(step[:3] / angle)
        turn += np.sin(angle) * axis + (1 - np.cos(angle)) * axis @ axis  # Rodrigues
    u, _, vt = np.linalg.svd(turn @ R)  # a rotation again, whatever was rounded
    moved = t + step[3:] @ _tangents(t)
    return np.asarray(u @ vt), np.asarray(moved / np.linalg.norm(moved))


def _tangents(t: Floats) -> Floats:
    """Two unit vectors (2, 3) across t and each other."""
    return np.linalg.svd(t[None])[2][1:]
