"""Points in space from two views, optimally, and from several: linear, or the vector median over pairs of views.

The two-view method finds the nearest pair of pixels that meet exactly, by Hartley and Sturm's polynomial. Most points
are solved by Newton's method and proved to be the global minimum; the others go to the eigenvalues of a companion
matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_zoo.epipolarpose.geometry.arrays import Bools, Floats, as_matrices, as_pairs, rays_of
from model_zoo.epipolarpose.geometry.essential import depths, fundamental_from_pose
from posebench.cameras import Camera
from posebench.datasets.triangulation import pinhole
from posebench.datasets.triangulation import triangulate_linear as _linear
from posebench.errors import UsageError

#: Points solved at once: their arrays stay in the processor's cache.
_CHUNK = 4096
_NEWTON = 8
_SETTLED = 1e-13
#: Share of its bound that the derivative's change may reach before the proof is not trusted, for rounding.
_TRUSTED = 0.9
_LEADING = 1e-14
_POLISHING = 3


@dataclass(frozen=True, eq=False)
class Corrected:
    """Pixels moved as little as possible so that their rays meet.

    first, second : (..., N, 2)
        In px; NaN where they are unknown, or a pixel lies on its epipole.
    distance : (..., N)
        The root of the sum of both squared shifts, in px, with the sign of yᵀ F x.
    """

    first: Floats
    second: Floats
    distance: Floats


@dataclass(frozen=True, eq=False)
class PairPoints:
    """Points that two cameras saw.

    points : (..., N, 3)
        NaN where they are unknown or not in front of both cameras.
    error : (..., N)
        How far the pixels had to be moved, over both pictures, in px; also known for points behind a camera.
    """

    points: Floats
    error: Floats


def correct_matches(first: npt.ArrayLike, second: npt.ArrayLike, F: npt.ArrayLike) -> Corrected:
    """The nearest pairs of pixels that obey F exactly, with both pictures equally noisy.

    Parameters
    ----------
    first, second : array, (..., N, 2)
        In px; NaN where unknown.
    F : array, (3, 3) or (..., 3, 3)
        Of rank 2; one for all points, or with the leading dimensions of the points.

    Raises
    ------
    UsageError
        If shapes do not fit.

    References
    ----------
    Hartley and Sturm: Triangulation, CVIU 1997; Hartley and Zisserman, Multiple View Geometry, algorithm 12.1, steps i
    to ix.

    Examples
    --------
    >>> F = [[0, 0, 0], [0, 0, -1], [0, 1, 0]]  # the rows of two pictures
    >>> moved = correct_matches([[3.0, 5.0]], [[7.0, 9.0]], F)
    >>> moved.first.round(6).tolist(), moved.second.round(6).tolist()
    ([[3.0, 7.0]], [[7.0, 7.0]])
    """
    x, y, known = as_pairs(first, second)
    matrices = as_matrices(F, "F")
    if matrices.shape not in ((3, 3), (*x.shape[:-2], 3, 3)):
        raise UsageError(f"F has shape {matrices.shape}, expected (3, 3) or {(*x.shape[:-2], 3, 3)}")
    matrices = matrices.reshape(-1, 3, 3)
    epipoles1, epipoles2 = _epipoles(matrices), _epipoles(np.swapaxes(matrices, -1, -2))
    shape, count = x.shape, x.shape[-2]
    x, y = x.reshape(-1, 2), y.reshape(-1, 2)
    moved1, moved2, distance = np.empty_like(x), np.empty_like(y), np.empty(len(x))
    single = len(matrices) == 1
    for start in range(0, len(x), _CHUNK):
        rows = slice(start, start + _CHUNK)
        owner = np.zeros(1, np.intp) if single else np.arange(start, min(start + _CHUNK, len(x))) // count
        line = _Lines.of(matrices[owner], epipoles1[owner], epipoles2[owner], x[rows], y[rows])
        shift1, shift2 = line.feet(_best_line(line))
        moved1[rows], moved2[rows] = x[rows] + shift1, y[rows] + shift2
        distance[rows] = np.copysign(np.sqrt((shift1**2).sum(-1) + (shift2**2).sum(-1)), line.d)
    known = known & np.isfinite(distance).reshape(known.shape)
    return Corrected(
        np.where(known[..., None], moved1.reshape(shape), np.nan),
        np.where(known[..., None], moved2.reshape(shape), np.nan),
        np.where(known, distance.reshape(known.shape), np.nan),
    )


def triangulate_pose(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    K1: npt.ArrayLike,
    K2: npt.ArrayLike,
    R: npt.ArrayLike,
    t: npt.ArrayLike,
) -> PairPoints:
    """Points in the first camera's coordinates, in the unit of t, that minimise the squared reprojection error.

    Parameters
    ----------
    first, second : array, (..., N, 2)
        In px without lens distortion; NaN where unknown.
    K1, K2 : array, (3, 3) or (..., 3, 3)
        Intrinsics in px.
    R : array, (3, 3) or (..., 3, 3)
        From the first camera to the second: one, or one for each leading index. Where it is NaN, so are the points.
    t : array, (3,) or (..., 3)

    Raises
    ------
    UsageError
        If shapes do not fit.

    References
    ----------
    As `correct_matches`.

    Examples
    --------
    >>> K = [[1000.0, 0, 500], [0, 1000, 500], [0, 0, 1]]
    >>> found = triangulate_pose([[600.0, 500]], [[500.0, 500]], K, K, np.eye(3), [-1.0, 0, 0])
    >>> found.points.round(6).tolist(), found.error.round(6).tolist()
    ([[1.0, 0.0, 10.0]], [0.0])
    """
    rotation, shift = as_matrices(R, "R"), np.asarray(t, np.float64)
    if shift.shape != rotation.shape[:-1]:
        raise UsageError(f"t has shape {shift.shape}, expected {rotation.shape[:-1]}")
    known = np.asarray(np.isfinite(rotation).all((-2, -1)) & np.isfinite(shift).all(-1))
    usable = np.where(known[..., None, None], rotation, np.eye(3)), np.where(known[..., None], shift, [1.0, 0, 0])
    moved = correct_matches(first, second, fundamental_from_pose(*usable, K1, K2))
    rays1, rays2 = rays_of(moved.first, as_matrices(K1, "K1")), rays_of(moved.second, as_matrices(K2, "K2"))
    depth1, depth2 = depths(*usable, rays1, rays2)
    in_front = (depth1 > 0) & (depth2 > 0) & known[..., None] & np.isfinite(depth1)
    points = np.where(in_front[..., None], depth1[..., None] * rays1, np.nan)
    return PairPoints(points, np.where(known[..., None], np.abs(moved.distance), np.nan))


def triangulate_pair(first: npt.ArrayLike, second: npt.ArrayLike, cameras: tuple[Camera, Camera]) -> PairPoints:
    """Points of the world, in the cameras' unit, that minimise the squared reprojection error in two pictures.

    Parameters
    ----------
    first, second : array, (..., N, 2)
        In px without lens distortion (`posebench.datasets.triangulation.undistort_points`); NaN where unknown.
    cameras : (Camera, Camera)

    Raises
    ------
    UsageError
        If shapes do not fit.

    References
    ----------
    As `correct_matches`.

    Examples
    --------
    >>> K = [[1000, 0, 500], [0, 1000, 500], [0, 0, 1]]
    >>> left, right = (Camera(name, K, [], np.eye(3), [x, 0, 0], "mm") for name, x in (("left", 100), ("right", -100)))
    >>> point = [[10.0, 20.0, 2000.0]]
    >>> triangulate_pair(left.project(point), right.project(point), (left, right)).points.round(6).tolist()
    [[10.0, 20.0, 2000.0]]
    """
    one, other = cameras
    R = other.R @ one.R.T
    seen = triangulate_pose(first, second, one.K, other.K, R, other.t - R @ one.t)
    return PairPoints(one.to_world(seen.points), seen.error)


def triangulate_linear(
    pixels: npt.ArrayLike, cameras: Sequence[Camera], weights: npt.ArrayLike | None = None
) -> Floats:
    """Points (..., 3) of the world by the direct linear transform, from any number of views.

    Parameters
    ----------
    pixels : array, (V, ..., 2)
        In px without lens distortion; NaN where unknown.
    cameras : sequence of Camera
        V of them, in one unit.
    weights : array, (V, ...), optional
        Of the equations, from 0, which says that the view does not see the point. A point that fewer than two views
        see is NaN.

    Raises
    ------
    UsageError
        If shapes do not fit.

    References
    ----------
    Hartley and Zisserman, Multiple View Geometry, section 12.2.

    Examples
    --------
    >>> K = [[1000, 0, 500], [0, 1000, 500], [0, 0, 1]]
    >>> rig = [Camera(f"at {x}", K, [], np.eye(3), [x, 0, 0], "mm") for x in (100, 0, -100)]
    >>> seen = [camera.project([[[10.0, 20.0, 2000.0]]]) for camera in rig]
    >>> triangulate_linear(seen, rig).round(6).tolist()
    [[[10.0, 20.0, 2000.0]]]
    """
    seen, w = _views(pixels, cameras, weights)
    points = _linear(seen.reshape(len(cameras), -1, 2), w.reshape(len(cameras), -1), cameras)
    return points.reshape(*seen.shape[1:-1], 3)


def triangulate_views(
    pixels: npt.ArrayLike,
    cameras: Sequence[Camera],
    *,
    weights: npt.ArrayLike | None = None,
    pairs: Sequence[tuple[int, int]] | None = None,
) -> Floats:
    """Points (..., 3) of the world: the vector median over the optimal points of pairs of views.

    Parameters
    ----------
    pixels : array, (V, ..., N, 2)
        In px without lens distortion; NaN where unknown.
    cameras : sequence of Camera
        V of them, in one unit; consecutive ones are neighbours.
    weights : array, (V, ..., N), optional
        A view of weight 0 does not see the point; the others count in the reprojection error that settles ties.
    pairs : sequence of (int, int), optional
        Of views; by default each and the next.

    Raises
    ------
    UsageError
        If shapes do not fit, or a pair names a view that is not there.

    References
    ----------
    Kocabas et al., CVPR 2019 (the vector median over pairs); Astola et al., Vector Median Filters, Proc. IEEE 1990.

    Examples
    --------
    >>> K = [[1000, 0, 500], [0, 1000, 500], [0, 0, 1]]
    >>> rig = [Camera(f"at {x}", K, [], np.eye(3), [x, 0, 0], "mm") for x in (100, 0, -100)]
    >>> seen = [camera.project([[10.0, 20.0, 2000.0]]) for camera in rig]
    >>> triangulate_views(seen, rig).round(6).tolist()
    [[10.0, 20.0, 2000.0]]
    """
    seen, w = _views(pixels, cameras, weights)
    chosen = list(pairs) if pairs is not None else [(i, i + 1) for i in range(len(cameras) - 1)]
    if not chosen or not all(0 <= i < len(cameras) and 0 <= k < len(cameras) and i != k for i, k in chosen):
        raise UsageError(f"pairs are {chosen}, expected pairs of different views from 0 to {len(cameras) - 1}")
    seen = np.where(w[..., None] > 0, seen, np.nan)
    candidates = np.stack([triangulate_pair(seen[i], seen[k], (cameras[i], cameras[k])).points for i, k in chosen])
    flat = candidates.reshape(len(chosen), -1, 3)
    flat_seen, flat_w = seen.reshape(len(cameras), -1, 2), w.reshape(len(cameras), -1)
    errors = np.empty(flat.shape[:2])
    for row, points in enumerate(flat):
        squares = ((flat_seen - pinhole(points, cameras)) ** 2).sum(-1)
        # A view that the point lies behind, although it sees it, is as far off as can be.
        squares = np.where(flat_w > 0, np.where(np.isfinite(squares), squares, np.inf) * np.maximum(flat_w, 1e-300), 0)
        errors[row] = squares.sum(0)
    return vector_median(candidates, errors.reshape(candidates.shape[:-1]))


def vector_median(candidates: npt.ArrayLike, errors: npt.ArrayLike) -> Floats:
    """Of the candidates for each point, the one with the smallest sum of distances to the others.

    Two candidates are equally far from each other, so the one with the smaller error is taken; so are other ties.

    Parameters
    ----------
    candidates : array, (P, ..., 3)
        NaN where there is none.
    errors : array, (P, ...)
        Of the candidates, such as reprojection errors; those that are NaN count as infinite.

    Returns
    -------
    array of float64, (..., 3)
        NaN where there is no candidate.

    Raises
    ------
    UsageError
        If shapes do not fit.

    References
    ----------
    Astola, Haavisto, Neuvo: Vector Median Filters, Proceedings of the IEEE 78, 1990.

    Examples
    --------
    >>> vector_median([[0.0, 0, 0], [1, 0, 0], [9, 0, 0]], [0.0, 0.0, 0.0]).tolist()
    [1.0, 0.0, 0.0]
    >>> vector_median([[0.0, 0, 0], [1, 0, 0]], [2.0, 3.0]).tolist()
    [0.0, 0.0, 0.0]
    """
    points, cost = np.asarray(candidates, np.float64), np.asarray(errors, np.float64)
    if points.ndim < 2 or points.shape[-1] != 3 or cost.shape != points.shape[:-1] or not len(points):
        raise UsageError(
            f"candidates have shape {points.shape} and errors {cost.shape}, expected (P, ..., 3) and (P, ...)"
        )
    known = np.asarray(np.isfinite(points).all(-1))
    far = np.zeros(cost.shape)
    for other, there in zip(points, known, strict=True):
        far += np.where(there, np.linalg.norm(points - other, axis=-1), 0.0)
    far = np.where(known, far, np.inf)
    # Rounding must not decide between candidates that are equally far.
    tied = far <= far.min(0) * (1 + 1e-12)
    cost = np.where(known & tied, np.where(np.isfinite(cost), cost, np.finfo(np.float64).max), np.inf)
    best = cost.argmin(0)
    median = np.take_along_axis(points, best[None, ..., None], axis=0)[0]
    return np.where(np.asarray(known.any(0))[..., None], median, np.nan)


@dataclass(frozen=True, eq=False)
class _Lines:
    """The epipolar lines near N pairs of points, with the points as origins and the epipoles on the x axes.

    A line through the first epipole is given by t: where it cuts the y axis of the first picture. Its partner in the
    second picture is (-f2 (c t + d), a t + b, c t + d). Letters as in Hartley and Zisserman, section 12.5.
    """

    a: Floats
    b: Floats
    c: Floats
    d: Floats
    f1: Floats
    f2: Floats
    axis1: tuple[Floats, Floats]
    axis2: tuple[Floats, Floats]

    @classmethod
    def of(cls, F: Floats, epipole1: Floats, epipole2: Floats, x: Floats, y: Floats) -> _Lines:
        """F and epipoles: (1, 3, 3) and (1, 3), or one for each of the points (N, 2)."""
        x0, x1, y0, y1 = x[:, 0], x[:, 1], y[:, 0], y[:, 1]
        right = [F[:, i, 0] * x0 + F[:, i, 1] * x1 + F[:, i, 2] for i in range(3)]
        left = [F[:, 0, i] * y0 + F[:, 1, i] * y1 + F[:, 2, i] for i in range(2)]
        p, q, f1 = _axis(epipole1, x0, x1)
        r, s, f2 = _axis(epipole2, y0, y1)
        # Second rows of the rotations are (-q, p) and (-s, r).
        a = r * (p * F[:, 1, 1] - q * F[:, 1, 0]) - s * (p * F[:, 0, 1] - q * F[:, 0, 0])
        b, c = r * right[1] - s * right[0], p * left[1] - q * left[0]
        return cls(a, b, c, y0 * right[0] + y1 * right[1] + right[2], f1, f2, (p, q), (r, s))

    def cost(self, t: Floats) -> Floats:
        """The sum of squared distances of both points from their lines, in px²."""
        w = self.c * t + self.d
        m, u = self.a * t + self.b, self.f1 * t
        v = self.f2 * w
        return np.asarray(t * t / (1 + u * u) + w * w / (m * m + v * v))

    def feet(self, t: Floats) -> tuple[Floats, Floats]:
        """The points of both lines that are nearest to the given ones, relative to these (N, 2) each; t may be inf."""
        endless = np.isinf(t)
        z, one = np.where(endless, 1.0, t), np.where(endless, 0.0, 1.0)
        u, w, m = self.f1 * z, self.c * z + self.d * one, self.a * z + self.b * one
        v = self.f2 * w
        below1, below2 = one * one + u * u, m * m + v * v
        foot1 = _turned_back(self.axis1, z * u / below1, z * one / below1)
        foot2 = _turned_back(self.axis2, w * v / below2, -m * w / below2)
        return foot1, foot2

    def polynomial(self) -> list[Floats]:
        """Coefficients of g(t), from t⁰ to t⁶, whose real roots are where the cost's slope is 0."""
        a, b, c, d = self.a, self.b, self.c, self.d
        f, g = self.f1 * self.f1, self.f2 * self.f2
        P, Q, S = a * a + g * c * c, a * b + g * c * d, b * b + g * d * d
        k = a * d - b * c
        ac, mixed, bd = k * a * c, k * (a * d + b * c), k * b * d
        return [
            -bd,
            S * S - mixed,
            4 * Q * S - ac - 2 * f * bd,
            4 * Q * Q + 2 * P * S - 2 * f * mixed,
            4 * P * Q - 2 * f * ac - f * f * bd,
            P * P - f * f * mixed,
            -f * f * ac,
        ]

    def take(self, rows: npt.NDArray[np.intp]) -> _Lines:
        """The lines of some of the points; their axes stay behind."""
        n = len(self.b)
        fields = (self.a, self.b, self.c, self.d, self.f1, self.f2)
        a, b, c, d, f1, f2 = (np.broadcast_to(value, n)[rows] for value in fields)
        return _Lines(a, b, c, d, f1, f2, self.axis1, self.axis2)


def _best_line(lines: _Lines) -> Floats:
    """t of the line with the lowest cost (N,); inf where that is the one at infinity."""
    with np.errstate(all="ignore"):
        g = lines.polynomial()
        t = np.zeros(len(lines.b))
        step = np.full(len(t), np.inf)
        for _ in range(_NEWTON):
            value, slope = _value_and_slope(g, t)
            step = value / slope
            t = t - step
            if (np.abs(step) <= _SETTLED * np.abs(t)).all():
                break
        proved = _proved(lines, g, t) & (np.abs(step) <= _SETTLED * np.abs(t))
        rest = np.flatnonzero(~proved)
        if len(rest):
            t[rest] = _by_eigenvalues(lines.take(rest), np.stack([np.broadcast_to(c, len(t))[rest] for c in g], axis=1))
    return t


def _proved(lines: _Lines, g: list[Floats], t: Floats) -> Bools:
    """Whether a root of g is the global minimum (N,).

    Only lines within `reach` of the first point can cost less than t does. If g' cannot change its sign there, g has
    one root there, and t is it.
    """
    cost = lines.cost(t)
    near = 1 - lines.f1 * lines.f1 * cost
    reach = np.sqrt(cost / near)
    change = np.zeros(len(t))
    for power in range(6, 1, -1):
        change = (change + power * np.abs(g[power])) * reach
    return np.asarray((near > 0) & (change < _TRUSTED * np.abs(g[1])))


def _by_eigenvalues(lines: _Lines, g: Floats) -> Floats:
    """The best of all roots of g (N, 7) and of the line at infinity (N,)."""
    # In units in which the interesting roots are about 1: the cost of the line through the first point bounds them.
    unit = np.sqrt(lines.cost(np.zeros(len(g))))
    unit = np.where(np.isfinite(unit) & (unit > 0), unit, 1.0)
    scaled = g * unit[:, None] ** np.arange(7)
    largest = np.abs(scaled).max(1)
    fine = np.isfinite(largest) & (largest > 0)
    scaled = np.where(fine[:, None], scaled / largest[:, None], [0.0, 0, 0, 0, 0, 0, 1])
    # Without the sixth power a root lies at infinity; a tiny one puts it far away.
    leading = np.copysign(np.maximum(np.abs(scaled[:, 6]), _LEADING), scaled[:, 6])
    companion = np.zeros((len(g), 6, 6))
    companion[:, np.arange(1, 6), np.arange(5)] = 1
    companion[:, :, 5] = -scaled[:, :6] / leading[:, None]
    roots = np.linalg.eigvals(companion).real * unit[:, None]
    costs = np.stack([lines.cost(t) for t in roots.T], axis=1)
    costs = np.where(np.isfinite(costs), costs, np.inf)
    rows = np.arange(len(g))
    best, lowest = roots[rows, costs.argmin(1)], costs.min(1)
    for _ in range(_POLISHING):
        value, slope = _value_and_slope(list(g.T), best)
        trial = best - value / slope
        cost = lines.cost(trial)
        better = cost <= lowest
        best, lowest = np.where(better, trial, best), np.where(better, cost, lowest)
    endless = 1 / lines.f1**2 + lines.c**2 / (lines.a**2 + lines.f2**2 * lines.c**2)
    return np.where(fine, np.where(endless < lowest, np.inf, best), np.nan)


def _value_and_slope(g: list[Floats], t: Floats) -> tuple[Floats, Floats]:
    """The polynomial and its derivative at t (N,), by Horner's scheme."""
    value, slope = g[6], 6 * g[6]
    for power in range(5, 0, -1):
        value = value * t + g[power]
        slope = slope * t + power * g[power]
    return value * t + g[0], slope


def _axis(epipole: Floats, x0: Floats, x1: Floats) -> tuple[Floats, Floats, Floats]:
    """The direction (p, q) from a point to its epipole, and the epipole's last coordinate at that scale."""
    p, q = epipole[:, 0] - x0 * epipole[:, 2], epipole[:, 1] - x1 * epipole[:, 2]
    length = np.sqrt(p * p + q * q)
    with np.errstate(divide="ignore", invalid="ignore"):
        return p / length, q / length, epipole[:, 2] / length


def _turned_back(axis: tuple[Floats, Floats], along: Floats, across: Floats) -> Floats:
    p, q = axis
    return np.stack([p * along - q * across, q * along + p * across], axis=-1)


def _epipoles(F: Floats) -> Floats:
    """Right null vectors (N, 3) of matrices of rank 2: across the two rows that are least alike."""
    across = np.cross(F, np.roll(F, -1, axis=-2))
    sizes = np.linalg.norm(across, axis=-1)
    best = np.nan_to_num(sizes).argmax(axis=-1)
    rows = np.arange(len(F))
    with np.errstate(invalid="ignore"):
        return np.asarray(across[rows, best] / sizes[rows, best][:, None])


def _views(pixels: npt.ArrayLike, cameras: Sequence[Camera], weights: npt.ArrayLike | None) -> tuple[Floats, Floats]:
    """Pixels (V, ..., 2), and weights (V, ...) that are 0 where a pixel is unknown."""
    seen = np.asarray(pixels, np.float64)
    if seen.ndim < 2 or seen.shape[-1] != 2 or len(seen) != len(cameras) or len(cameras) < 2:
        raise UsageError(
            f"pixels have shape {seen.shape} for {len(cameras)} cameras, expected (V, ..., 2) for two cameras or more"
        )
    w = np.ones(seen.shape[:-1]) if weights is None else np.asarray(weights, np.float64)
    if w.shape != seen.shape[:-1] or not (np.isfinite(w) & (w >= 0)).all():
        raise UsageError(f"weights have shape {w.shape}, expected {seen.shape[:-1]}, finite and from 0")
    return seen, np.where(np.isfinite(seen).all(-1), w, 0.0)
