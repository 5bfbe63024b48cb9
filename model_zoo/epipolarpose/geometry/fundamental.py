"""The fundamental matrix of two pictures: from eight points and more, and from points of which some are wrong.

A point x of the first picture and the same point y in the second obey yᵀ F x = 0, in px, without lens distortion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_zoo.epipolarpose.geometry.arrays import Bools, Floats, as_matrices, as_pairs, homogeneous, of_unit_norm
from posebench.errors import UsageError

MINIMUM = 8
#: Points that samples are drawn from and scored on, at most: more would not find a better sample.
SEARCHED = 2000
#: Samples of eight. With 40 % wrong points one in 60 is free of them.
SAMPLES = 1000
_AT_ONCE = 100
_REFITS = 5
#: Chance of stopping before a sample without wrong points has come up.
_MISSED = 1e-4


@dataclass(frozen=True, eq=False)
class Fundamental:
    """Fundamental matrices, and how well their points determine them.

    F : (..., 3, 3)
        Of rank 2 and Frobenius norm 1; NaN where fewer than eight points are known.
    conditioning : (...)
        The eighth of the nine singular values of the equations, over the first. Near 0 another matrix fits as well: all
        points lie on a plane, the camera only turned, or points coincide.
    """

    F: Floats
    conditioning: Floats


def eight_point(first: npt.ArrayLike, second: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Fundamental:
    """Fundamental matrices by the normalised eight-point algorithm, any number of pairs of pictures at once.

    Parameters
    ----------
    first, second : array, (..., N, 2)
        In px; a point that is NaN in either picture does not count.
    weights : array, (..., N), optional
        Of the equations, from 0, which leaves a point out.

    Raises
    ------
    UsageError
        If shapes do not fit, or a weight is negative or not finite.

    References
    ----------
    Hartley and Zisserman, Multiple View Geometry, algorithm 11.1; R. Hartley: In Defense of the Eight-Point Algorithm,
    PAMI 1997.

    Examples
    --------
    >>> points = np.random.default_rng(0).uniform(-1, 1, (9, 3)) + [0, 0, 5]
    >>> first, second = 1000 * points[:, :2] / points[:, 2:], 1000 * (points[:, :2] - [1, 0]) / points[:, 2:]
    >>> np.abs(eight_point(first, second).F).round(4).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.7071], [0.0, 0.7071, 0.0]]
    """
    x, y, known = as_pairs(first, second)
    w = known.astype(np.float64)
    if weights is not None:
        given = np.asarray(weights, np.float64)
        if given.shape != known.shape or not (np.isfinite(given) & (given >= 0)).all():
            raise UsageError(f"weights have shape {given.shape}, expected {known.shape}, finite and from 0")
        w = w * given
    enough = (w > 0).sum(-1) >= MINIMUM
    w = np.where(enough[..., None], w, 1.0)  # solved like the others, thrown away below
    u, to_u = normalised(x, w)
    v, to_v = normalised(y, w)
    equations = (w[..., None, None] * v[..., :, None] * u[..., None, :]).reshape(*w.shape, 9)
    # R of a QR decomposition has the same singular values, and at most nine rows.
    _, values, vt = np.linalg.svd(np.linalg.qr(equations, mode="r"))
    F = _of_rank_two(vt[..., -1, :].reshape(*w.shape[:-1], 3, 3))
    F = of_unit_norm(np.swapaxes(to_v, -1, -2) @ F @ to_u)
    conditioning = values[..., 7] / values[..., 0] if values.shape[-1] > 7 else np.zeros(enough.shape)
    return Fundamental(np.where(enough[..., None, None], F, np.nan), np.where(enough, conditioning, np.nan))


def sampson(F: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """Signed distance (..., N) in px of pairs of points from those that obey F, to first order.

    Its standard deviation is that of the pixels' coordinates, if both pictures are equally noisy.

    Parameters
    ----------
    F : array, (..., 3, 3)
        Leading dimensions broadcast with those of the points.
    first, second : array, (..., N, 2)
        In px; NaN gives NaN.

    Raises
    ------
    UsageError
        If shapes do not fit.

    References
    ----------
    Hartley and Zisserman, Multiple View Geometry, section 11.4.3.

    Examples
    --------
    >>> F = [[0, 0, 0], [0, 0, -1], [0, 1, 0]]  # y - v = 0: the rows of two pictures
    >>> sampson(F, [[3.0, 5.0]], [[7.0, 9.0]]).round(6).tolist()
    [-2.828427]
    """
    matrix = as_matrices(F, "F")
    x, y, known = as_pairs(first, second)
    # Number by number, which takes a third of the time that products of small matrices do.
    f = matrix[..., None]
    x1, y1, x2, y2 = x[..., 0], x[..., 1], y[..., 0], y[..., 1]
    a2, b2 = (f[..., i, 0, :] * x1 + f[..., i, 1, :] * y1 + f[..., i, 2, :] for i in (0, 1))
    c2 = f[..., 2, 0, :] * x1 + f[..., 2, 1, :] * y1 + f[..., 2, 2, :]
    a1, b1 = (f[..., 0, i, :] * x2 + f[..., 1, i, :] * y2 + f[..., 2, i, :] for i in (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = (x2 * a2 + y2 * b2 + c2) / np.sqrt(a2 * a2 + b2 * b2 + a1 * a1 + b1 * b1)
        return np.asarray(np.where(known, distance, np.nan))


def ransac_fundamental(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    threshold: float,
    *,
    valid: npt.ArrayLike | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
) -> tuple[Floats, Bools]:
    """A fundamental matrix (3, 3) that most points obey, and which do (N,); the plain method, always the same.

    Samples of eight points are scored by their truncated squared residuals, the best is fitted again to what agrees
    with it. Where nothing can be found F is NaN and no point agrees.

    Parameters
    ----------
    first, second : array, (N, 2)
        In px.
    threshold : float
        Largest `sampson` distance of a point that agrees, in px.
    valid : array of bool, (N,), optional
    samples : int
        Of eight points, at most; fewer are drawn where most points agree.
    seed : int

    Raises
    ------
    UsageError
        If shapes do not fit or the threshold is not positive.

    References
    ----------
    Hartley and Zisserman, Multiple View Geometry, algorithms 11.4 and 4.5 (how many samples); Torr and Zisserman:
    MLESAC, CVIU 2000 (the score).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> points = rng.uniform(-1, 1, (40, 3)) + [0, 0, 5]
    >>> first, second = 1000 * points[:, :2] / points[:, 2:], 1000 * (points[:, :2] - [1, 0]) / points[:, 2:]
    >>> second[:8] += rng.uniform(50, 90, (8, 2))
    >>> ransac_fundamental(first, second, 0.5)[1].sum()
    np.int64(32)
    """
    x, y, known = as_pairs(first, second, valid)
    if x.ndim != 2:
        raise UsageError(f"points have shape {x.shape}, expected (N, 2)")
    if not (np.isfinite(threshold) and threshold > 0):
        raise UsageError(f"threshold is {threshold}, expected px above 0")
    rows = np.flatnonzero(known)
    nothing = np.full((3, 3), np.nan), np.zeros(len(x), np.bool_)
    if len(rows) < MINIMUM:
        return nothing
    rows = evenly(rows, SEARCHED)
    u, v = x[rows], y[rows]
    rng = np.random.default_rng(seed)
    best, lowest = nothing[0], np.inf
    for drawn in range(0, samples, _AT_ONCE):
        share = (np.abs(sampson(best, u, v)) <= threshold).mean()
        if drawn >= np.log(_MISSED) / np.log1p(-min(share**MINIMUM, 0.999) - 1e-300):
            break  # a sample without wrong points has come up by now
        draws = np.argpartition(rng.random((_AT_ONCE, len(rows))), MINIMUM - 1, axis=1)[:, :MINIMUM]
        candidates = eight_point(u[draws], v[draws]).F
        costs = _truncated(candidates, u, v, threshold)
        if costs.min() < lowest:
            best, lowest = candidates[costs.argmin()], costs.min()
    for _ in range(_REFITS):
        agrees = known & (np.abs(sampson(best, x, y)) <= threshold)
        if agrees.sum() < MINIMUM:
            return nothing
        again = eight_point(x[agrees], y[agrees]).F
        cost = _truncated(again[None], u, v, threshold)[0]
        if not cost < lowest:
            break
        best, lowest = again, cost
    return best, known & (np.abs(sampson(best, x, y)) <= threshold)


def evenly(rows: npt.NDArray[np.intp], most: int) -> npt.NDArray[np.intp]:
    """At most so many of the rows, evenly spread.

    Examples
    --------
    >>> evenly(np.arange(10), 4).tolist()
    [0, 3, 6, 9]
    """
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).round().astype(np.intp)]


def _truncated(F: Floats, first: Floats, second: Floats, threshold: float) -> Floats:
    """The sum of squared residuals (B,), none of which counts more than the threshold's square."""
    squares = sampson(
        F, np.broadcast_to(first, (len(F), *first.shape)), np.broadcast_to(second, (len(F), *second.shape))
    )
    return np.asarray(np.fmin(squares**2, threshold**2).sum(-1))


def normalised(points: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Homogeneous points about their mean, at a mean distance of √2, and the matrices that bring them there."""
    total = weights.sum(-1)[..., None]
    mean = (weights[..., None] * points).sum(-2) / total
    moved = points - mean[..., None, :]
    distance = (weights * np.linalg.norm(moved, axis=-1)).sum(-1) / total[..., 0]
    scale = np.sqrt(2) / np.where(distance > 0, distance, 1.0)
    matrix = np.zeros((*scale.shape, 3, 3))
    matrix[..., 0, 0] = matrix[..., 1, 1] = scale
    matrix[..., :2, 2] = -scale[..., None] * mean
    matrix[..., 2, 2] = 1
    return homogeneous(scale[..., None, None] * moved), matrix


def _of_rank_two(matrix: Floats) -> Floats:
    u, s, vt = np.linalg.svd(matrix)
    s[..., 2] = 0
    return np.asarray((u * s[..., None, :]) @ vt)
