"""The plain NumPy/SVD twins of `closed_form`: slower, obvious, and the last word where a rotation is nearly ambiguous.

The closed form hands the poses that it cannot certify to `aligned_errors` here. Poses that reach it are scorable: no
bad ground truth, no missing prediction.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from posebench.kernels.fields import AMBIGUOUS_RATIO, Alignment, PoseFlag

Floats = npt.NDArray[np.float64]


def best_rotation(p: Floats, g: Floats, *, reflect: bool = False) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Rotation that brings centred poses p onto centred poses g with the least squared error, by SVD.

    Parameters
    ----------
    p, g : array, (N, K, 3)
        Centred poses; joints to be left out are zero in both.
    reflect : bool
        Allow improper rotations.

    Returns
    -------
    rotation : array, (N, 3, 3)
        Acts on column vectors: ``g ~ p @ rotation.transpose(0, 2, 1)``.
    trace : array, (N,)
        s1 + s2 + d s3, the optimum of trace(R H); divided by |p|^2 it is the optimal scale.
    ambiguous : array of bool, (N,)
        Where (s2 + d s3) / s1 <= 1e-6 (s3 / s1 with reflections): another is as good, this is the SVD's choice.

    References
    ----------
    Umeyama, Least-squares estimation of transformation parameters between two point patterns, PAMI 1991.
    """
    # Unit scale keeps the products of very small and very large poses inside float64's range.
    p = p / np.maximum(np.abs(p).max(axis=(1, 2), keepdims=True), np.finfo(float).tiny)
    g_reach = np.maximum(np.abs(g).max(axis=(1, 2), keepdims=True), np.finfo(float).tiny)
    g = g / g_reach
    u, s, vt = np.linalg.svd(p.transpose(0, 2, 1) @ g)
    # From det(U V'), never from det(H), which is 0 for planar poses.
    d = np.ones(len(p)) if reflect else np.sign(np.linalg.det(u @ vt))
    signed = vt.transpose(0, 2, 1).copy()
    signed[:, :, 2] *= d[:, None]
    rotation = signed @ u.transpose(0, 2, 1)
    trace = s[:, 0] + s[:, 1] + d * s[:, 2]
    # With reflections allowed there are two best ones as soon as s3 vanishes.
    ambiguous = (s[:, 2] if reflect else s[:, 1] + d * s[:, 2]) <= AMBIGUOUS_RATIO * s[:, 0]
    return rotation, trace, ambiguous


def aligned_errors(
    pred: Floats,
    gt: Floats,
    mask: npt.NDArray[np.bool_],
    pred_root: Floats | None,
    gt_root: Floats | None,
    alignment: Alignment,
) -> tuple[Floats, npt.NDArray[np.uint16]]:
    """Error field (N, K) of one alignment, with flags, for poses (N, K, 3) in mm; mask (N, K) tells valid joints.

    pred_root, gt_root (N, 3) are the root positions, None to leave that side as it is. Masked joints come back NaN.
    """
    keep = mask[..., None]
    # Whatever stands in a masked joint, or in a root that is not valid, is nobody's business.
    pred, gt = np.where(keep, pred, 0.0), np.where(keep, gt, 0.0)
    pred_root, gt_root = (None if r is None else np.where(np.isfinite(r), r, 0.0) for r in (pred_root, gt_root))
    count = mask.sum(1)[:, None, None]
    first = np.argmax(mask, axis=1)
    rows = np.arange(len(pred))

    def centre(poses: Floats) -> tuple[Floats, Floats]:
        # The first joint goes first, so that coinciding joints give exactly zero.
        start = poses[rows, first][:, None]
        shifted = np.where(keep, poses - start, 0.0)
        mean = shifted.sum(1, keepdims=True) / count
        return np.where(keep, shifted - mean, 0.0), start + mean

    p, p_mean = centre(pred)
    g, g_mean = centre(gt)
    rooted_p = np.where(keep, pred - (0.0 if pred_root is None else pred_root[:, None]), 0.0)
    rooted_g = np.where(keep, gt - (0.0 if gt_root is None else gt_root[:, None]), 0.0)
    flags = np.zeros(len(pred), np.uint16)

    def ratio(top: Floats, bottom: Floats) -> Floats:
        degenerate = bottom == 0.0
        flags[degenerate] |= int(PoseFlag.DEGENERATE)
        return np.where(degenerate, 0.0, top / np.where(degenerate, 1.0, bottom))[:, None, None]

    def dot(a: Floats, b: Floats) -> Floats:
        return np.asarray((a * b).sum(axis=(1, 2)), np.float64)

    if alignment is Alignment.ROOT:
        residual = rooted_p - rooted_g
    elif alignment is Alignment.NONE:
        residual = pred - gt
    elif alignment <= Alignment.ROOT_Z:
        axis = alignment - Alignment.ROOT_X
        residual = (rooted_p - rooted_g) * np.eye(3)[axis]
    elif alignment <= Alignment.SCALE_LEAST_SQUARES_MEAN:
        if alignment is Alignment.SCALE_LEAST_SQUARES_MEAN:
            moved, target = p, g
        elif alignment is Alignment.SCALE_LEAST_SQUARES_ABSOLUTE:
            moved = np.where(keep, rooted_p + (0.0 if gt_root is None else gt_root[:, None]), 0.0)
            target = np.where(keep, gt, 0.0)
        else:
            moved, target = rooted_p, rooted_g
        if alignment is Alignment.SCALE_NORM_RATIO:
            scale = ratio(np.sqrt(dot(target, target)), np.sqrt(dot(moved, moved)))
        elif alignment is Alignment.SCALE_PROCRUSTES:
            _, trace, ambiguous = best_rotation(p, g)
            scale = ratio(trace * _reach(p) * _reach(g), dot(p, p))
            flags[ambiguous & (dot(p, p) > 0)] |= int(PoseFlag.AMBIGUOUS)
        else:
            scale = ratio(dot(moved, target), dot(moved, moved))
        flags[scale[:, 0, 0] < 0] |= int(PoseFlag.NEGATIVE_SCALE)
        residual = scale * moved - target
    else:
        rotation, trace, ambiguous = best_rotation(p, g, reflect=alignment is Alignment.PROCRUSTES_NORM_RATIO_REFLECT)
        flags[ambiguous & (dot(p, p) > 0)] |= int(PoseFlag.AMBIGUOUS)
        if alignment in (Alignment.SIMILARITY, Alignment.SIMILARITY_REROOTED):
            scale = ratio(trace * _reach(p) * _reach(g), dot(p, p))
        elif alignment in (Alignment.RIGID, Alignment.RIGID_REROOTED):
            scale = ratio(dot(p, p), dot(p, p))
        else:
            scale = ratio(np.sqrt(dot(g, g)), np.sqrt(dot(p, p)))
        turned = scale * (p @ rotation.transpose(0, 2, 1))
        residual = turned - g
        if alignment in (Alignment.SIMILARITY_REROOTED, Alignment.RIGID_REROOTED):
            # The roots are moved like any other point, then taken off.
            p_root = np.zeros_like(p_mean) if pred_root is None else pred_root[:, None] - p_mean
            g_root = np.zeros_like(g_mean) if gt_root is None else gt_root[:, None] - g_mean
            residual = residual - scale * (p_root @ rotation.transpose(0, 2, 1)) + g_root
    errors = np.linalg.norm(residual, axis=2)
    return np.where(mask, errors, np.nan), flags


def _reach(poses: Floats) -> Floats:
    """The factor that `best_rotation` divides a pose by."""
    return np.asarray(np.maximum(np.abs(poses).max(axis=(1, 2)), np.finfo(float).tiny), np.float64)
