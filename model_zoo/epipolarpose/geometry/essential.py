"""The essential matrix: from the fundamental one, into rotation and translation, and the choice among the four of them.

The second camera's coordinates are R x + t of the first one's. The length of t cannot be seen, so t is of length 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_zoo.epipolarpose.geometry.arrays import (
    Bools,
    Floats,
    as_matrices,
    as_pairs,
    cross_matrix,
    of_unit_norm,
    rays_of,
)

#: Two candidates are a tie if the shares of points in front of both cameras differ by less.
TIE = 0.1


@dataclass(frozen=True, eq=False)
class Cheirality:
    """The candidate that puts most points in front of both cameras.

    R : (..., 3, 3)
    t : (..., 3)
    share : (...)
        Of the known points, that lie in front.
    margin : (...)
        Share minus that of the second candidate.
    """

    R: Floats
    t: Floats
    share: Floats
    margin: Floats

    @property
    def tie(self) -> Bools:
        """Whether another candidate is nearly as good (...), or there are no points."""
        return np.asarray(~(self.margin >= TIE))


def essential_from_fundamental(F: npt.ArrayLike, K1: npt.ArrayLike, K2: npt.ArrayLike) -> Floats:
    """The essential matrix (..., 3, 3) nearest to K2ᵀ F K1, of Frobenius norm 1.

    Raises
    ------
    UsageError
        If shapes do not fit.

    References
    ----------
    Hartley and Zisserman, Multiple View Geometry, section 9.6 and result 9.17 (two equal singular values, the third 0).

    Examples
    --------
    >>> E = essential_from_fundamental([[0, 0, 0], [0, 0, -1], [0, 1, 0]], np.eye(3), np.eye(3))
    >>> E.round(4).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, -0.7071], [0.0, 0.7071, 0.0]]
    """
    matrix = np.swapaxes(as_matrices(K2, "K2"), -1, -2) @ as_matrices(F, "F") @ as_matrices(K1, "K1")
    known = np.asarray(np.isfinite(matrix).all((-2, -1)))[..., None, None]
    u, _, vt = np.linalg.svd(np.where(known, matrix, np.eye(3)))
    return np.asarray(np.where(known, (u * [np.sqrt(0.5), np.sqrt(0.5), 0]) @ vt, np.nan))


def essential_from_pose(R: npt.ArrayLike, t: npt.ArrayLike) -> Floats:
    """[t]x R (..., 3, 3), of Frobenius norm 1; NaN without a baseline.

    References
    ----------
    Hartley and Zisserman, Multiple View Geometry, section 9.6.

    Examples
    --------
    >>> essential_from_pose(np.eye(3), [2.0, 0, 0]).round(4).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, -0.7071], [0.0, 0.7071, 0.0]]
    """
    with np.errstate(invalid="ignore"):
        return of_unit_norm(cross_matrix(np.asarray(t, np.float64)) @ as_matrices(R, "R"))


def fundamental_from_pose(R: npt.ArrayLike, t: npt.ArrayLike, K1: npt.ArrayLike, K2: npt.ArrayLike) -> Floats:
    """K2⁻ᵀ [t]x R K1⁻¹ (..., 3, 3), of Frobenius norm 1.

    References
    ----------
    Hartley and Zisserman, Multiple View Geometry, section 9.6.

    Examples
    --------
    >>> fundamental_from_pose(np.eye(3), [1.0, 0, 0], np.eye(3), np.eye(3)).round(4).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, -0.7071], [0.0, 0.7071, 0.0]]
    """
    return fundamental_from_essential(essential_from_pose(R, t), K1, K2)


def fundamental_from_essential(E: npt.ArrayLike, K1: npt.ArrayLike, K2: npt.ArrayLike) -> Floats:
    """K2⁻ᵀ E K1⁻¹ (..., 3, 3), of Frobenius norm 1.

    Examples
    --------
    >>> fundamental_from_essential(np.diag([1.0, 1.0, 0.0]), 2 * np.eye(3), np.eye(3)).round(4).tolist()
    [[0.7071, 0.0, 0.0], [0.0, 0.7071, 0.0], [0.0, 0.0, 0.0]]
    """
    inverse = np.linalg.inv(as_matrices(K2, "K2"))
    E = as_matrices(E, "E")
    return of_unit_norm(np.swapaxes(inverse, -1, -2) @ E @ np.linalg.inv(as_matrices(K1, "K1")))


def decompose(E: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The four poses of an essential matrix: rotations (..., 4, 3, 3), and translations (..., 4, 3) of length 1.

    References
    ----------
    Hartley and Zisserman, Multiple View Geometry, section 9.6.2, result 9.19.

    Examples
    --------
    >>> R, t = decompose([[0, 0, 0], [0, 0, -1], [0, 1, 0]])
    >>> np.abs(t).round(6).tolist()
    [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """
    u, _, vt = np.linalg.svd(as_matrices(E, "E"))
    u *= np.linalg.det(u)[..., None, None]
    vt *= np.linalg.det(vt)[..., None, None]
    w = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    one, other, t = u @ w @ vt, u @ w.T @ vt, u[..., 2]
    return np.stack([one, one, other, other], axis=-3), np.stack([t, -t, t, -t], axis=-2)


def depths(R: Floats, t: Floats, rays1: Floats, rays2: Floats) -> tuple[Floats, Floats]:
    """Depths (..., N) in both cameras of where the rays (..., N, 3) at depth 1 meet.

    Rays that pass each other are taken as if they met: the first by its depth in the plane that is seen from the second
    camera, the second by the depth of that point.
    """
    turned = rays1 @ np.swapaxes(R, -1, -2)
    across = np.cross(turned, rays2)
    shift = np.cross(np.broadcast_to(t[..., None, :], rays2.shape), rays2)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth1 = -(shift * across).sum(-1) / (across * across).sum(-1)
    return np.asarray(depth1), np.asarray(depth1 * turned[..., 2] + t[..., None, 2])


def cheirality(
    E: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    K1: npt.ArrayLike,
    K2: npt.ArrayLike,
    *,
    valid: npt.ArrayLike | None = None,
) -> Cheirality:
    """The pose, of the four of an essential matrix, that sees most of the points in front of both cameras.

    Parameters
    ----------
    E : array, (..., 3, 3)
    first, second : array, (..., N, 2)
        In px.
    K1, K2 : array, (3, 3)
        Intrinsics in px.
    valid : array of bool, (..., N), optional

    Raises
    ------
    UsageError
        If shapes do not fit.

    References
    ----------
    Hartley and Zisserman, Multiple View Geometry, section 9.6.3.

    Examples
    --------
    >>> K = np.diag([1000.0, 1000, 1])
    >>> chosen = cheirality(essential_from_pose(np.eye(3), [-1, 0, 0]), [[100.0, 50]], [[-100.0, 50]], K, K)
    >>> (chosen.t.round(6) + 0.0).tolist(), float(chosen.share), bool(chosen.tie)
    ([-1.0, 0.0, 0.0], 1.0, False)
    """
    x, y, known = as_pairs(first, second, valid)
    R, t = decompose(E)
    rays1 = rays_of(x, as_matrices(K1, "K1"))[..., None, :, :]
    rays2 = rays_of(y, as_matrices(K2, "K2"))[..., None, :, :]
    depth1, depth2 = depths(R, t, *np.broadcast_arrays(rays1, rays2 + np.zeros((4, 1, 1))))
    in_front = (depth1 > 0) & (depth2 > 0) & known[..., None, :]
    shares = in_front.sum(-1) / np.maximum(known.sum(-1), 1)[..., None]
    order = np.argsort(-shares, axis=-1, kind="stable")
    best = order[..., :1]
    ordered = np.take_along_axis(shares, order, axis=-1)
    return Cheirality(
        np.take_along_axis(R, best[..., None, None], axis=-3)[..., 0, :, :],
        np.take_along_axis(t, best[..., None], axis=-2)[..., 0, :],
        ordered[..., 0],
        ordered[..., 0] - ordered[..., 1],
    )
