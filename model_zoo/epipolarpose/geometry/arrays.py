"""What the modules beside it share: array types, checked pairs of points, small matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.errors import UsageError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def as_pairs(first: npt.ArrayLike, second: npt.ArrayLike, valid: npt.ArrayLike | None = None) -> tuple[Any, Any, Bools]:
    """The same points in two pictures (..., N, 2), zero where unknown, and which are known in both (..., N).

    Raises
    ------
    UsageError
        If shapes do not fit.
    """
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if x.ndim < 2 or x.shape != y.shape or x.shape[-1] != 2:
        raise UsageError(f"points have shapes {x.shape} and {y.shape}, expected the same (..., N, 2) for both pictures")
    known = np.asarray(np.isfinite(x).all(-1) & np.isfinite(y).all(-1))
    if valid is not None:
        asked = np.asarray(valid)
        if asked.shape != known.shape or asked.dtype != np.bool_:
            raise UsageError(f"valid is of type {asked.dtype} and shape {asked.shape}, expected bool and {known.shape}")
        known &= asked
    if not known.all():
        x, y = np.where(known[..., None], x, 0.0), np.where(known[..., None], y, 0.0)
    return x, y, known


def as_matrices(value: npt.ArrayLike, name: str) -> Floats:
    """An array (..., 3, 3).

    Raises
    ------
    UsageError
        If it has another shape.
    """
    matrix = np.asarray(value, np.float64)
    if matrix.shape[-2:] != (3, 3):
        raise UsageError(f"{name} has shape {matrix.shape}, expected (..., 3, 3)")
    return matrix


def homogeneous(points: Floats) -> Floats:
    """Points (..., 2) as (..., 3) with a last coordinate of 1."""
    return np.concatenate([points, np.ones((*points.shape[:-1], 1))], axis=-1)


def rays_of(points: Floats, K: Floats) -> Floats:
    """Pixels (..., N, 2) as directions (..., N, 3) at depth 1, with the intrinsics K (3, 3) or (..., 3, 3)."""
    return np.asarray(homogeneous(points) @ np.swapaxes(np.linalg.inv(K), -1, -2))


def cross_matrix(t: Floats) -> Floats:
    """[t]x (..., 3, 3), so that [t]x v = t x v.

    Examples
    --------
    >>> cross_matrix(np.array([1.0, 2.0, 3.0])) @ [0.0, 0.0, 1.0]
    array([ 2., -1.,  0.])
    """
    matrix = np.zeros((*t.shape[:-1], 3, 3))
    for row, column, axis in ((2, 1, 0), (0, 2, 1), (1, 0, 2)):
        matrix[..., row, column] = t[..., axis]
        matrix[..., column, row] = -t[..., axis]
    return matrix


def of_unit_norm(matrix: Floats) -> Floats:
    """Matrices (..., 3, 3) of Frobenius norm 1."""
    return np.asarray(matrix / np.linalg.norm(matrix, axis=(-2, -1), keepdims=True))
