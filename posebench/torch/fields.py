"""Errors of tensors: what `posebench.metrics.fields` and the kernels give for arrays, written with torch.

Masked joints and poses that cannot be scored become 0 before anything is computed from them, so that whatever stands
there, NaN too, reaches neither a value nor a gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from posebench.kernels.fields import Alignment
from posebench.metrics.fields import Setup
from posebench.metrics.registry import FieldKind, Metric
from posebench.torch.rotation import best_rotation, product, reach

#: Joints spread less than this share of their largest coordinate coincide (rounding of one point).
_COINCIDENT = 1e-14


@dataclass(frozen=True)
class Batch:
    """Both sides in one dtype, with the joints that count and what the masks say."""

    #: All joints (N, J, 3), 0 where the ground truth does not hold them; `known` (N, J) bool.
    pred: Tensor
    gt: Tensor
    known: Tensor
    setup: Setup
    #: Poses (N,) whose ground truth has joints that do not all coincide, and those whose root can be used.
    scorable: Tensor
    root_ok: Tensor
    #: Poses (N,) all of whose joints coincide, or that have but one.
    p_point: Tensor
    g_point: Tensor
    #: Poses (N,) with a coordinate that nothing can be computed from, where nobody asked for a check.
    lost: Tensor | None = None


def make_batch(pred: Tensor, gt: Tensor, known: Tensor, setup: Setup) -> Batch:
    """What all fields are taken from; poses (N, J, 3) of one floating dtype, known (N, J) bool."""
    p, g = (torch.where(known[..., None], side, 0.0) for side in (pred, gt))
    joints = setup.joints.tolist()
    chosen = known[:, joints]
    count = chosen.sum(1)
    p_point, g_point = _coincide(p[:, joints], chosen), _coincide(g[:, joints], chosen)
    scorable = (count > 0) & ~((count > 1) & g_point)
    root_ok = torch.ones_like(scorable)
    if setup.gt_root is not None:
        # The root alone, centred on itself, would be perfect whatever is predicted.
        at_root = _first(g[:, joints], chosen)[:, 0] == g[:, setup.gt_root]
        root_ok = known[:, setup.gt_root] & ~((count == 1) & at_root.all(1))
    return Batch(p, g, known, setup, scorable, root_ok, p_point, g_point)


def items(batch: Batch, metric: Metric) -> tuple[Tensor, Tensor]:
    """Errors (N, K) of the items of a metric, and which of them (N, K) the ground truth holds."""
    if metric.field is FieldKind.JOINTS:
        assert metric.alignment is not None
        return _joint_errors(batch, metric.alignment)
    errors, known = _FIELDS[metric.field](batch)
    return errors, known & batch.scorable[:, None]


def _joint_errors(b: Batch, alignment: Alignment) -> tuple[Tensor, Tensor]:
    joints = b.setup.joints.tolist()
    known = b.known[:, joints] & b.scorable[:, None]
    if alignment.needs_root:
        known = known & b.root_ok[:, None]
    if alignment is Alignment.SCALE_PROCRUSTES or alignment >= Alignment.SCALE_LEAST_SQUARES_MEAN:
        known = known & ~b.g_point[:, None]
    keep = known[..., None]
    pred, gt = torch.where(keep, b.pred[:, joints], 0.0), torch.where(keep, b.gt[:, joints], 0.0)
    p_root, g_root = (
        torch.zeros_like(side[:, :1]) if root is None else side[:, [root]]
        for side, root in ((b.pred, b.setup.pred_root), (b.gt, b.setup.gt_root))
    )
    rooted_p, rooted_g = torch.where(keep, pred - p_root, 0.0), torch.where(keep, gt - g_root, 0.0)
    if alignment is Alignment.NONE:
        residual = pred - gt
    elif alignment <= Alignment.ROOT_Z:
        residual = rooted_p - rooted_g
        if alignment is not Alignment.ROOT:
            return residual[..., alignment - Alignment.ROOT_X].abs(), known
    elif alignment < Alignment.SIMILARITY:
        residual = _scaled(b, alignment, pred, gt, rooted_p, rooted_g, g_root, known)
    else:
        residual = _turned(b, alignment, pred, gt, p_root, g_root, known)
    return torch.linalg.vector_norm(residual, dim=-1), known


def _scaled(
    b: Batch,
    alignment: Alignment,
    pred: Tensor,
    gt: Tensor,
    rooted_p: Tensor,
    rooted_g: Tensor,
    g_root: Tensor,
    known: Tensor,
) -> Tensor:
    """Prediction times a scale, minus ground truth."""
    moved, target = rooted_p, rooted_g
    if alignment is Alignment.SCALE_LEAST_SQUARES_MEAN:
        moved, target = _centred(pred, known, b.p_point)[0], _centred(gt, known, b.g_point)[0]
    elif alignment is Alignment.SCALE_LEAST_SQUARES_ABSOLUTE:
        moved, target = torch.where(known[..., None], rooted_p + g_root, 0.0), gt
    shape = moved / reach(moved)
    if alignment is Alignment.SCALE_NORM_RATIO:
        return _ratio(_size(target), _size(shape)) * shape - target
    if alignment is Alignment.SCALE_PROCRUSTES:
        # The scale of the mean-centred poses, which are smaller or larger by their own reach.
        p, g = _centred(pred, known, b.p_point)[0], _centred(gt, known, b.g_point)[0]
        size = reach(p)
        scale = _ratio(_dot(_rotated(p / size, g), g), _dot(p / size, p / size))
        return scale * (moved / size) - target
    return _ratio(_dot(shape, target), _dot(shape, shape)) * shape - target


def _turned(
    b: Batch, alignment: Alignment, pred: Tensor, gt: Tensor, p_root: Tensor, g_root: Tensor, known: Tensor
) -> Tensor:
    """Prediction after the optimal rotation and some scale, minus ground truth."""
    (p, p_mean), (g, g_mean) = _centred(pred, known, b.p_point), _centred(gt, known, b.g_point)
    size = reach(p)
    shape = p / size
    rotation = best_rotation(p, g, reflect=alignment is Alignment.PROCRUSTES_NORM_RATIO_REFLECT)
    turned = product(shape, rotation.transpose(-1, -2))
    if alignment in (Alignment.SIMILARITY, Alignment.SIMILARITY_REROOTED):
        scale = _ratio(_dot(turned, g), _dot(shape, shape))
    elif alignment in (Alignment.RIGID, Alignment.RIGID_REROOTED):
        scale = torch.where(b.p_point[:, None, None], 0.0, size)
    else:
        scale = _ratio(_size(g), _size(shape))
    residual = scale * turned - g
    if alignment in (Alignment.SIMILARITY_REROOTED, Alignment.RIGID_REROOTED):
        # The roots are moved like any other point, then taken off.
        moved = product((p_root - p_mean) / size, rotation.transpose(-1, -2))
        residual = torch.where(known[..., None], residual - scale * moved + (g_root - g_mean), 0.0)
    return residual


def _rotated(p: Tensor, g: Tensor) -> Tensor:
    return product(p, best_rotation(p, g).transpose(-1, -2))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((1, 2), keepdim=True)


def _size(poses: Tensor) -> Tensor:
    return torch.linalg.vector_norm(poses, dim=(1, 2), keepdim=True)


def _ratio(top: Tensor, bottom: Tensor) -> Tensor:
    """top / bottom, 0 where there is nothing to divide by: the limit of a pose in one point."""
    return torch.where(bottom > 0, top / torch.where(bottom > 0, bottom, 1.0), 0.0)


def _first(poses: Tensor, known: Tensor) -> Tensor:
    """The first known joint (N, 1, 3) of each pose."""
    first = known.to(torch.int8).argmax(1)
    return poses[torch.arange(len(poses), device=poses.device), first][:, None]


def _coincide(poses: Tensor, known: Tensor) -> Tensor:
    """Poses (N,) whose known joints lie in one point up to its rounding."""
    start = _first(poses, known).detach()
    spread = torch.where(known[..., None], poses.detach() - start, 0.0).abs().amax((1, 2))
    return spread <= _COINCIDENT * start.abs().amax((1, 2))


def _centred(poses: Tensor, known: Tensor, is_point: Tensor) -> tuple[Tensor, Tensor]:
    """Poses (N, K, 3) minus the mean of their known joints, 0 elsewhere, and that mean (N, 1, 3)."""
    keep = known[..., None]
    # The first joint goes first, so that little cancels far from the origin.
    start = _first(poses, known)
    shifted = torch.where(keep, poses - start, 0.0)
    mean = shifted.sum(1, keepdim=True) / known.sum(1).clamp(min=1)[:, None, None]
    return torch.where(keep & ~is_point[:, None, None], shifted - mean, 0.0), start + mean


# Fields of other items than joints


def _root_errors(b: Batch) -> tuple[Tensor, Tensor]:
    root = b.setup.root
    return torch.linalg.vector_norm(b.pred[:, [root]] - b.gt[:, [root]], dim=2), b.known[:, [root]]


def signed_bone_errors(b: Batch) -> tuple[Tensor, Tensor]:
    """Length in the prediction minus length in the ground truth per bone (N, B), and which bones are known."""
    ends = b.setup.bones()
    return _lengths(b.pred, ends) - _lengths(b.gt, ends), b.known[:, ends].all(2)


def _bone_errors(b: Batch) -> tuple[Tensor, Tensor]:
    errors, known = signed_bone_errors(b)
    return errors.abs(), known


def _symmetry_errors(b: Batch) -> tuple[Tensor, Tensor]:
    pairs = b.setup.mirrored_bones()
    left, right = (_lengths(b.pred, [pair[side] for pair in pairs]) for side in (0, 1))
    return (left - right).abs(), b.known[:, [[*one, *other] for one, other in pairs]].all(2)


def _angle_errors(b: Batch) -> tuple[Tensor, Tensor]:
    hinges = b.setup.hinges()
    (angle_p, has_p), (angle_g, has_g) = _angles(b.pred, hinges), _angles(b.gt, hinges)
    # A predicted bone without length has lost its angle: as wrong as an angle can be.
    errors = torch.where(has_p, (angle_p - angle_g).abs(), torch.maximum(angle_g, 180.0 - angle_g))
    return errors, b.known[:, hinges].all(2) & has_g


def _lengths(poses: Tensor, bones: list[tuple[int, int]]) -> Tensor:
    ends = poses[:, bones]
    return torch.linalg.vector_norm(ends[:, :, 1] - ends[:, :, 0], dim=2)


def _angles(poses: Tensor, hinges: list[tuple[int, int, int]]) -> tuple[Tensor, Tensor]:
    """Angles (N, A) in degrees, and where both bones have a length."""
    points = poses[:, hinges]
    first, second = points[:, :, 0] - points[:, :, 1], points[:, :, 2] - points[:, :, 1]
    defined = (first != 0).any(2) & (second != 0).any(2)
    cross = torch.linalg.vector_norm(torch.linalg.cross(first, second), dim=2)
    dot = torch.where(defined, (first * second).sum(2), 1.0)  # atan2(0, 0) has no gradient
    return torch.rad2deg(torch.atan2(cross, dot)), defined


_FIELDS: dict[FieldKind, Callable[[Batch], tuple[Tensor, Tensor]]] = {
    FieldKind.ROOT: _root_errors,
    FieldKind.BONES: _bone_errors,
    FieldKind.MIRRORED_BONES: _symmetry_errors,
    FieldKind.ANGLES: _angle_errors,
}

__all__ = ["Batch", "items", "make_batch", "signed_bone_errors"]
