"""Tensors in, a number out: what `posebench.torch.mpjpe(pred, gt)` and its kin share.

What is asked for is checked by the code that checks it for arrays, and so are the poses themselves as soon as something
is wrong with them: the errors are the same, word for word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from posebench.errors import InputError, UsageError
from posebench.kernels.kinds import ReductionKind
from posebench.metrics.evaluate import Reduce, as_poseset, evaluate_metric, make_setup
from posebench.metrics.fields import Setup
from posebench.metrics.grammar import MetricSpec
from posebench.metrics.registry import Metric, Reduction, resolve
from posebench.poses import PoseSet, as_poses
from posebench.skeletons import Skeleton
from posebench.torch.fields import Batch, items, make_batch

Joints: TypeAlias = Sequence[int] | Tensor | None

#: The largest coordinate whose squares stay inside the range of the dtype.
_LARGEST = {torch.float32: 1e18, torch.float64: 1e150}


def evaluate(
    metric: str | MetricSpec | Metric,
    pred: Tensor,
    gt: Tensor,
    root: int | None,
    joints: Joints,
    valid: Tensor | None,
    reduce: Reduce,
    check: bool,
    skeleton: str | Skeleton | None = None,
) -> Tensor:
    """Value of one metric on two tensors of poses, or one value per pose."""
    chosen = resolve(metric)
    if reduce not in ("mean", "none"):
        raise UsageError(f"reduce is {reduce!r}, expected 'mean' or 'none'")
    batch = prepare(chosen, pred, gt, root, joints, valid, check, skeleton)
    values, scored = pose_values(batch, chosen)
    if reduce == "none":
        return torch.where(scored, values, torch.nan)
    if check and not bool(scored.any()):
        raise _same_error(chosen, pred, gt, root, joints, valid, skeleton)
    return masked_mean(values, scored, 0)


def prepare(
    metric: Metric,
    pred: Tensor,
    gt: Tensor,
    root: int | None,
    joints: Joints,
    valid: Tensor | None,
    check: bool,
    skeleton: str | Skeleton | None = None,
) -> Batch:
    """Both sides checked and in one dtype.

    Raises
    ------
    InputError, UsageError
        As the function for arrays; with `check` also where a joint that counts is not finite.
    """
    p, g, known = pair(pred, gt, valid)
    setup = setup_for(metric, g.shape[1], root, joints, skeleton)
    batch = make_batch(p, g, known, setup)
    wanted = setup.joints.tolist()
    uses_root = metric.needs_root or metric.alignment is None
    if setup.gt_root is not None and uses_root:
        wanted = sorted({*wanted, setup.gt_root})
    limit = _LARGEST[p.dtype]
    # Written so that NaN fails.
    p_fine, g_fine = ((side[:, wanted].abs() < limit).all(2).all(1) for side in (batch.pred, batch.gt))
    lost = ~(p_fine & g_fine) & batch.scorable
    if not check:
        # An infinite joint may look as if all others were in one point.
        return replace(batch, lost=lost | ~g_fine)
    if bool(lost.any()):
        raise _same_error(metric, pred, gt, root, joints, valid, skeleton)
    return batch


def pair(pred: Tensor, gt: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Both sides (N, J, 3) in float64 if one of them is, else float32, and the ground truth's mask."""
    p, g = (_as_tensor(side, name) for side, name in ((pred, "pred"), (gt, "gt")))
    if p.shape != g.shape:
        raise InputError(
            f"pred has shape {tuple(p.shape)} and gt has shape {tuple(g.shape)}; both must be the same (N, J, 3)"
        )
    if not len(g):
        raise InputError("gt holds no poses")
    if p.device != g.device:
        raise UsageError(f"pred is on {p.device} and gt on {g.device}; bring both to one device")
    dtype = torch.float64 if torch.float64 in (p.dtype, g.dtype) else torch.float32
    return p.to(dtype), g.to(dtype), known_joints(valid, g)


def known_joints(valid: Tensor | None, gt: Tensor) -> Tensor:
    """The mask (N, J) as bool on the device of the ground truth."""
    if valid is None:
        return torch.ones(gt.shape[:2], dtype=torch.bool, device=gt.device)
    mask = torch.as_tensor(valid, device=gt.device)
    if mask.shape != gt.shape[:2]:
        raise InputError(f"gt: valid has shape {tuple(mask.shape)}, expected {tuple(gt.shape[:2])}: one flag per joint")
    if mask.dtype is not torch.bool:
        if not bool(((mask == 0) | (mask == 1)).all()):
            raise InputError("gt: valid holds values other than 0 and 1")
        mask = mask.to(torch.bool)
    return mask


def setup_for(
    metric: Metric, n_joints: int, root: int | None, joints: Joints, skeleton: str | Skeleton | None
) -> Setup:
    """Which joints count and where the root is, checked as for arrays."""
    example = as_poseset(np.zeros((1, n_joints, 3)), "gt")
    chosen = joints.tolist() if isinstance(joints, Tensor) else joints
    return make_setup(example, example, root, chosen, skeleton, metric)


def pose_values(batch: Batch, metric: Metric) -> tuple[Tensor, Tensor]:
    """One value (N,) per pose, NaN where a coordinate is lost, and which poses are scored."""
    if batch.lost is None:
        errors, known = items(batch, metric)
        return reduced(metric.reduction, errors, known), known.any(1)
    # Zeros, since no decomposition takes NaN, and no comparison tells it.
    keep = ~batch.lost[:, None, None]
    errors, known = items(replace(batch, pred=batch.pred.where(keep, 0.0), gt=batch.gt.where(keep, 0.0)), metric)
    values = reduced(metric.reduction, errors, known)
    return torch.where(batch.lost, torch.nan, values), known.any(1) | batch.lost


def reduced(reduction: Reduction, errors: Tensor, known: Tensor) -> Tensor:
    """Errors (N, K) of the known items as one number per pose."""
    kind, limits = reduction.kind, reduction.thresholds
    if kind is ReductionKind.MEAN:
        return masked_mean(errors, known, 1)
    if kind is ReductionKind.WORST:
        return torch.where(known, errors, 0.0).amax(1)
    if kind is ReductionKind.POSE_AREA:
        return (limits[0] - torch.where(known, errors, 0.0).amax(1)).clamp(min=0.0)
    return masked_mean(100.0 * _shares(kind, limits, errors), known, 1)


def _shares(kind: ReductionKind, limits: Sequence[float], errors: Tensor) -> Tensor:
    """What each item (N, K) adds to a share, from 0 to 1."""
    if kind is ReductionKind.AREA_CONTINUOUS:
        return (1.0 - errors / limits[0]).clamp(min=0.0)
    at = torch.tensor(limits, dtype=errors.dtype, device=errors.device)
    beyond = errors[..., None]
    if kind in (ReductionKind.SHARE_BELOW, ReductionKind.AREA):
        return (beyond < at).to(errors.dtype).mean(-1)
    below = (beyond <= at).to(errors.dtype)
    if kind is ReductionKind.SHARE_UP_TO:
        return below[..., 0]
    return (below.sum(-1) - 0.5 * (below[..., 0] + below[..., -1])) / (len(limits) - 1)


def masked_mean(values: Tensor, known: Tensor, dim: int) -> Tensor:
    """Mean of the known values along a dimension, NaN where there are none."""
    count = known.sum(dim)
    mean = torch.where(known, values, 0.0).sum(dim) / count.clamp(min=1)
    return torch.where(count > 0, mean, torch.nan)


def arrays(*tensors: Any) -> list[Any]:
    """Tensors as arrays, numbers that NumPy does not know as float32; None stays."""
    found = []
    for tensor in tensors:
        if isinstance(tensor, Tensor):
            tensor = tensor.detach().cpu()
            tensor = tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor
            tensor = tensor.numpy()
        found.append(tensor)
    return found


def _as_tensor(side: Any, name: str) -> Tensor:
    """One side as a tensor (N, J, 3) of numbers, on its device."""
    if isinstance(side, PoseSet):
        raise InputError(f"{name}: is a PoseSet, expected a tensor in mm, as torch.from_numpy(poses.poses) makes it")
    if not isinstance(side, Tensor):
        side = torch.from_numpy(np.array(as_poses(side, name)))
    if side.dtype.is_complex or side.dtype is torch.bool or side.ndim != 3 or side.shape[2] != 3 or not side.shape[1]:
        as_poses(np.broadcast_to(np.zeros((), _kind(side)), tuple(side.shape)), name)
        raise InputError(f"{name}: poses have shape {tuple(side.shape)}, expected (N, J, 3)")
    return side if side.is_floating_point() or side.device.type == "mps" else side.double()


def _kind(side: Tensor) -> type:
    """A NumPy type of the same kind."""
    return bool if side.dtype is torch.bool else complex if side.dtype.is_complex else float


def _same_error(
    metric: Metric,
    pred: Tensor,
    gt: Tensor,
    root: int | None,
    joints: Joints,
    valid: Tensor | None,
    skeleton: str | Skeleton | None,
) -> InputError:
    """The error that the same poses raise as arrays."""
    p, g, mask = arrays(pred, gt, valid)
    chosen = joints.tolist() if isinstance(joints, Tensor) else joints
    try:
        evaluate_metric(metric, p, g, root, chosen, mask, "mean", skeleton)
    except InputError as error:
        return error
    return InputError(f"gt or pred has coordinates beyond {_LARGEST[torch.float32]:g} mm, which float32 cannot square")
