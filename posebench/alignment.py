"""Centring and alignment of poses: arrays in, arrays out.

The metrics use the compiled kernels; these are the same operations for those who want the aligned poses themselves, to
draw them or to build a loss. Everything is computed in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError, UsageError
from posebench.kernels.reference import Floats, best_rotation
from posebench.poses import as_poses


@dataclass(frozen=True)
class Similarity:
    """x -> scale * rotation @ x + translation, one per pose: scale (N,), rotation (N, 3, 3), translation (N, 3)."""

    scale: Floats
    rotation: Floats
    translation: Floats
    #: Where another rotation is just as good (mirrored or collinear poses).
    ambiguous: npt.NDArray[np.bool_]

    def apply(self, poses: npt.ArrayLike) -> Floats:
        """The transformed poses (N, J, 3)."""
        points = _poses(poses, "poses")
        turned = points @ self.rotation.transpose(0, 2, 1)
        return np.asarray(self.scale[:, None, None] * turned + self.translation[:, None], np.float64)


def centre_root(poses: npt.ArrayLike, root: int = 0) -> Floats:
    """Poses (N, J, 3) minus their root joint.

    Examples
    --------
    >>> centre_root([[[1.0, 2.0, 3.0], [2.0, 2.0, 3.0]]]).tolist()
    [[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]]
    """
    points = _poses(poses, "poses")
    if not 0 <= root < points.shape[1]:
        raise UsageError(f"root is {root}, expected a joint from 0 to {points.shape[1] - 1}")
    return points - points[:, [root]]


def centre_mean(poses: npt.ArrayLike) -> Floats:
    """Poses (N, J, 3) minus the mean of their joints.

    Examples
    --------
    >>> centre_mean([[[1.0, 2.0, 3.0], [3.0, 2.0, 3.0]]]).tolist()
    [[[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]]
    """
    points = _poses(poses, "poses")
    return np.asarray(points - points.mean(1, keepdims=True), np.float64)


def scale_least_squares(pred: npt.ArrayLike, gt: npt.ArrayLike) -> Floats:
    """Scale <p,g>/<p,p> per pose (N,) that brings centred predictions closest to centred ground truth; may be negative.

    A prediction whose joints all lie in the origin gets 0.

    References
    ----------
    Rhodin et al., CVPR 2018.

    Examples
    --------
    >>> scale_least_squares([[[0.0, 0, 0], [2, 0, 0]]], [[[0.0, 0, 0], [1, 0, 0]]]).tolist()
    [0.5]
    """
    p, g = _pair(pred, gt)
    return _ratio((p * g).sum((1, 2)), (p * p).sum((1, 2)))


def scale_norm_ratio(pred: npt.ArrayLike, gt: npt.ArrayLike) -> Floats:
    """Scale |g|/|p| per pose (N,) that gives centred predictions the size of centred ground truth.

    Examples
    --------
    >>> scale_norm_ratio([[[0.0, 0, 0], [0, 2, 0]]], [[[0.0, 0, 0], [1, 0, 0]]]).tolist()
    [0.5]
    """
    p, g = _pair(pred, gt)
    return _ratio(np.linalg.norm(g, axis=(1, 2)), np.linalg.norm(p, axis=(1, 2)))


def fit_similarity(pred: npt.ArrayLike, gt: npt.ArrayLike, *, scale: bool = True, reflect: bool = False) -> Similarity:
    """The similarity (or, without scale, the rigid motion) that brings each prediction closest to its ground truth.

    Parameters
    ----------
    pred, gt : array, (N, J, 3)
    scale : bool
        Fit a scale; otherwise it is 1.
    reflect : bool
        Allow reflections.

    Returns
    -------
    Similarity

    Raises
    ------
    InputError
        If shapes differ or something is not finite.

    References
    ----------
    Umeyama, PAMI 1991.

    Examples
    --------
    >>> pred = np.random.default_rng(0).normal(size=(1, 5, 3))
    >>> gt = 3 * pred[..., [1, 2, 0]] + 7
    >>> bool(np.allclose(fit_similarity(pred, gt).apply(pred), gt))
    True
    """
    p, g = _pair(pred, gt)
    p_mean, g_mean = p.mean(1), g.mean(1)
    centred_p, centred_g = p - p_mean[:, None], g - g_mean[:, None]
    rotation, _, ambiguous = best_rotation(centred_p, centred_g, reflect=reflect)
    factor = np.ones(len(p))
    if scale:
        turned = centred_p @ rotation.transpose(0, 2, 1)
        factor = _ratio((turned * centred_g).sum((1, 2)), (centred_p**2).sum((1, 2)))
    translation = g_mean - factor[:, None] * np.einsum("nij,nj->ni", rotation, p_mean)
    return Similarity(factor, rotation, translation, ambiguous)


def align_similarity(pred: npt.ArrayLike, gt: npt.ArrayLike) -> Floats:
    """Predictions (N, J, 3) after rotation, translation and scale onto the ground truth.

    Examples
    --------
    >>> pred = np.random.default_rng(0).normal(size=(1, 5, 3))
    >>> bool(np.allclose(align_similarity(pred, 3 * pred + 7), 3 * pred + 7))
    True
    """
    return fit_similarity(pred, gt).apply(pred)


def align_rigid(pred: npt.ArrayLike, gt: npt.ArrayLike) -> Floats:
    """Predictions (N, J, 3) after rotation and translation onto the ground truth.

    Examples
    --------
    >>> pred = np.random.default_rng(0).normal(size=(1, 5, 3))
    >>> bool(np.allclose(align_rigid(pred, pred + 7), pred + 7))
    True
    """
    return fit_similarity(pred, gt, scale=False).apply(pred)


def _poses(poses: npt.ArrayLike, name: str) -> Floats:
    points = as_poses(poses, name).astype(np.float64)
    if not np.isfinite(points).all():
        raise InputError(f"{name}: pose {int(np.flatnonzero(~np.isfinite(points).all((1, 2)))[0])} is not finite")
    return points


def _pair(pred: npt.ArrayLike, gt: npt.ArrayLike) -> tuple[Floats, Floats]:
    p, g = _poses(pred, "pred"), _poses(gt, "gt")
    if p.shape != g.shape:
        raise InputError(f"pred has shape {p.shape} and gt has shape {g.shape}; both must be the same (N, J, 3)")
    return p, g


def _ratio(top: npt.NDArray[Any], bottom: npt.NDArray[Any]) -> Floats:
    return np.where(bottom == 0, 0.0, top / np.where(bottom == 0, 1.0, bottom))
