"""The metrics of `posebench.metrics` on tensors (N, J, 3); each means what its namesake there means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from posebench.errors import InputError
from posebench.metrics.correctness import spelled_area, spelled_share
from posebench.metrics.evaluate import Reduce, metrics_per_pose
from posebench.metrics.grammar import MetricSpec
from posebench.metrics.motion import motion_metric, time_factor
from posebench.metrics.registry import FieldKind, Metric, resolve
from posebench.poses import KeyColumn, PoseSet
from posebench.skeletons import Skeleton
from posebench.torch.evaluate import Joints, arrays, evaluate, masked_mean, pose_values, prepare
from posebench.torch.fields import signed_bone_errors


def _align(root: int | None) -> str:
    return f"align={'none' if root is None else 'root'}"


def mpjpe(
    pred: Tensor,
    gt: Tensor,
    *,
    root: int | None = 0,
    joints: Joints = None,
    valid: Tensor | None = None,
    reduce: Reduce = "mean",
    check: bool = True,
) -> Tensor:
    """Mean distance between predicted and true joints, in mm; best is 0.

    Parameters
    ----------
    pred, gt : tensor, (N, J, 3)
        Poses in mm, on one device.
    root, joints, valid, reduce
        As in `posebench.mpjpe`; `valid` (N, J) is a tensor.
    check : bool
        Refuse joints that are not finite and batches without a pose to score, which waits for the device; without it
        both give NaN.

    Returns
    -------
    tensor, () or (N,)
        float64 if an input is, else float32.

    Raises
    ------
    InputError, UsageError
        As `posebench.mpjpe`; UsageError also if the two are on different devices.

    References
    ----------
    Ionescu et al., Human3.6M, PAMI 2014.

    Examples
    --------
    >>> gt = torch.tensor([[[0.0, 0, 0], [0, 100, 0], [0, 200, 0]]])
    >>> pred = (gt + torch.tensor([[0.0, 0, 0], [30, 0, 0], [0, 0, 60]])).requires_grad_()
    >>> loss = mpjpe(pred, gt)
    >>> loss.backward()
    >>> loss.item(), pred.grad[0, 1].tolist()
    (30.0, [0.3333333432674408, 0.0, 0.0])
    """
    return evaluate(f"MPJPE({_align(root)})", pred, gt, root, joints, valid, reduce, check)


def nmpjpe(
    pred: Tensor,
    gt: Tensor,
    *,
    scale: str = "least_squares",
    root: int = 0,
    joints: Joints = None,
    valid: Tensor | None = None,
    reduce: Reduce = "mean",
    check: bool = True,
) -> Tensor:
    """MPJPE after scaling each prediction onto its ground truth, in mm; best is 0.

    As `posebench.nmpjpe`; the gradient goes through the scale too.

    Examples
    --------
    >>> gt = torch.tensor([[[0.0, 0, 0], [0, 100, 0], [0, 200, 50]]])
    >>> nmpjpe(0.25 * gt, gt).item()
    0.0
    """
    spec = MetricSpec("NMPJPE", None, (("scale", scale),))
    return evaluate(spec, pred, gt, root, joints, valid, reduce, check)


def pmpjpe(
    pred: Tensor,
    gt: Tensor,
    *,
    variant: str = "similarity",
    root: int = 0,
    joints: Joints = None,
    valid: Tensor | None = None,
    reduce: Reduce = "mean",
    check: bool = True,
) -> Tensor:
    """Mean joint distance after the optimal similarity of each prediction, in mm; best is 0.

    As `posebench.pmpjpe`. The gradient goes through rotation, scale and translation. It is exact where the optimal
    rotation is well determined; near poses where it is not (collinear or mirrored ones, all joints in one point) the
    part that turns the pose along the free direction is damped, so that the gradient stays finite everywhere.

    Examples
    --------
    >>> gt = 300 * torch.randn(1, 17, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    >>> turned = 2 * gt[..., [1, 2, 0]] + 1000  # a cyclic swap of the axes is a rotation
    >>> round(pmpjpe(turned, gt).item(), 9)
    0.0
    """
    spec = MetricSpec("PMPJPE", None, (("variant", variant),))
    return evaluate(spec, pred, gt, root, joints, valid, reduce, check)


def worst_joint(
    pred: Tensor,
    gt: Tensor,
    *,
    root: int | None = 0,
    joints: Joints = None,
    valid: Tensor | None = None,
    reduce: Reduce = "mean",
    check: bool = True,
) -> Tensor:
    """Distance of the worst joint of each pose, in mm; best is 0. As `posebench.worst_joint`.

    Examples
    --------
    >>> gt = torch.tensor([[[0.0, 0, 0], [0, 100, 0], [0, 200, 0]]])
    >>> worst_joint(gt + torch.tensor([[0.0, 0, 0], [30, 0, 0], [0, 0, 60]]), gt).item()
    60.0
    """
    return evaluate(f"WorstJoint({_align(root)})", pred, gt, root, joints, valid, reduce, check)


def axis_error(
    pred: Tensor,
    gt: Tensor,
    *,
    axis: str,
    root: int = 0,
    joints: Joints = None,
    valid: Tensor | None = None,
    reduce: Reduce = "mean",
    check: bool = True,
) -> Tensor:
    """Mean absolute joint error along ``"x"``, ``"y"`` or ``"z"``, in mm; best is 0. As `posebench.axis_error`.

    Examples
    --------
    >>> gt = torch.tensor([[[0.0, 0, 0], [0, 100, 0], [0, 200, 0]]])
    >>> axis_error(gt + torch.tensor([[0.0, 0, 0], [30, 0, 0], [0, 0, 60]]), gt, axis="z").item()
    20.0
    """
    spec = MetricSpec("MPJPE", None, (("axis", axis),))
    return evaluate(spec, pred, gt, root, joints, valid, reduce, check)


def mrpe(
    pred: Tensor,
    gt: Tensor,
    *,
    root: int = 0,
    valid: Tensor | None = None,
    reduce: Reduce = "mean",
    check: bool = True,
) -> Tensor:
    """Distance of the predicted root joint in absolute coordinates, in mm; best is 0. As `posebench.mrpe`.

    Examples
    --------
    >>> gt = torch.tensor([[[0.0, 0, 4000], [0, 100, 4000]]])
    >>> mrpe(gt + torch.tensor([0.0, 30, 40]), gt).item()
    50.0
    """
    return evaluate("MRPE", pred, gt, root, None, valid, reduce, check)


def pck(
    pred: Tensor,
    gt: Tensor,
    *,
    threshold: float = 150.0,
    inclusive: bool = False,
    root: int | None = 0,
    joints: Joints = None,
    valid: Tensor | None = None,
    reduce: Reduce = "mean",
    check: bool = True,
) -> Tensor:
    """Share of joints whose error is below `threshold` mm, in percent; best is 100. No gradient. As `posebench.pck`.

    Examples
    --------
    >>> gt = torch.tensor([[[0.0, 0, 0], [0, 100, 0], [0, 200, 0], [0, 300, 0]]])
    >>> pck(gt + torch.tensor([[0.0, 0, 0], [0, 0, 0], [0, 0, 149], [0, 0, 150]]), gt).item()
    75.0
    """
    spec = spelled_share("PCK", threshold, inclusive, _align(root))
    return evaluate(spec, pred, gt, root, joints, valid, reduce, check)


def npck(
    pred: Tensor,
    gt: Tensor,
    *,
    threshold: float = 150.0,
    inclusive: bool = False,
    scale: str = "least_squares",
    root: int = 0,
    joints: Joints = None,
    valid: Tensor | None = None,
    reduce: Reduce = "mean",
    check: bool = True,
) -> Tensor:
    """PCK after the scale of NMPJPE, in percent; best is 100. No gradient. As `posebench.npck`.

    Examples
    --------
    >>> gt = torch.tensor([[[0.0, 0, 0], [0, 500, 0], [0, 900, 0]]])
    >>> npck(2 * gt, gt).item()
    100.0
    """
    spec = spelled_share("NPCK", threshold, inclusive, f"scale={scale}")
    return evaluate(spec, pred, gt, root, joints, valid, reduce, check)


def auc(
    pred: Tensor,
    gt: Tensor,
    *,
    thresholds: str | Sequence[float] = "0:150:5",
    root: int = 0,
    joints: Joints = None,
    valid: Tensor | None = None,
    reduce: Reduce = "mean",
    check: bool = True,
) -> Tensor:
    """Mean of PCK over thresholds, in percent. As `posebench.auc`; with ``"continuous=150"`` it has a gradient.

    Examples
    --------
    >>> gt = 300 * torch.randn(1, 17, 3, generator=torch.Generator().manual_seed(0))
    >>> round(auc(gt, gt).item(), 2), auc(gt, gt, thresholds="continuous=150").item()
    (96.77, 100.0)
    """
    return evaluate(spelled_area(thresholds), pred, gt, root, joints, valid, reduce, check)


def cps(
    pred: Tensor,
    gt: Tensor,
    *,
    align: str = "procrustes",
    root: int = 0,
    joints: Joints = None,
    valid: Tensor | None = None,
    reduce: Reduce = "mean",
    check: bool = True,
) -> Tensor:
    """Correct Poses Score: the mean of max(0, 300 - worst joint error), in mm; best is 300. As `posebench.cps`.

    Examples
    --------
    >>> gt = torch.tensor([[[0.0, 0, 0], [0, 100, 0], [0, 200, 0]]])
    >>> cps(gt + torch.tensor([[0.0, 0, 0], [30, 0, 0], [0, 0, 60]]), gt, align="root").item()
    240.0
    """
    spec = MetricSpec("CPS", None, (("align", align),))
    return evaluate(spec, pred, gt, root, joints, valid, reduce, check)


def bone_length_error(
    pred: Tensor,
    gt: Tensor,
    *,
    skeleton: str | Skeleton | None = None,
    joints: Joints = None,
    valid: Tensor | None = None,
    reduce: Reduce = "mean",
    check: bool = True,
) -> Tensor:
    """Mean absolute error of the predicted bone lengths, in mm; best is 0. As `posebench.bone_length_error`.

    Examples
    --------
    >>> gt = 300 * torch.randn(1, 17, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    >>> bone_length_error(gt + 1000, gt).item() < 1e-9
    True
    """
    return evaluate("BoneLength", pred, gt, None, joints, valid, reduce, check, skeleton)


def symmetry_error(
    pred: Tensor,
    gt: Tensor,
    *,
    skeleton: str | Skeleton | None = None,
    joints: Joints = None,
    valid: Tensor | None = None,
    reduce: Reduce = "mean",
    check: bool = True,
) -> Tensor:
    """Mean difference in length between left and right bones of the prediction, in mm. As `posebench.symmetry_error`.

    Examples
    --------
    >>> gt = 300 * torch.randn(1, 17, 3, generator=torch.Generator().manual_seed(0))
    >>> bool(symmetry_error(2 * gt, gt) == 2 * symmetry_error(gt, gt))
    True
    """
    return evaluate("Symmetry", pred, gt, None, joints, valid, reduce, check, skeleton)


def joint_angle_error(
    pred: Tensor,
    gt: Tensor,
    *,
    skeleton: str | Skeleton | None = None,
    joints: Joints = None,
    valid: Tensor | None = None,
    reduce: Reduce = "mean",
    check: bool = True,
) -> Tensor:
    """Mean absolute error of the angle at each joint, in degrees; best is 0. As `posebench.joint_angle_error`.

    Examples
    --------
    >>> gt = 300 * torch.randn(1, 17, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    >>> joint_angle_error(3 * gt, gt).item() < 1e-9
    True
    """
    return evaluate("JointAngle", pred, gt, None, joints, valid, reduce, check, skeleton)


def per_pose(
    pred: Tensor,
    gt: Tensor,
    metrics: Sequence[str] = ("MPJPE", "NMPJPE", "PMPJPE"),
    *,
    root: int = 0,
    joints: Joints = None,
    valid: Tensor | None = None,
    skeleton: str | Skeleton | None = None,
    check: bool = True,
) -> dict[str, Tensor]:
    """Several metrics of every pose: {canonical spelling: tensor (N,)}, NaN where a pose cannot be scored.

    As `posebench.per_pose`.

    Examples
    --------
    >>> gt = 300 * torch.randn(2, 17, 3, generator=torch.Generator().manual_seed(0))
    >>> per_pose(gt, gt, ["MPJPE", "PCK@50"])
    {'MPJPE': tensor([0., 0.]), 'PCK@50': tensor([100., 100.])}
    """
    found = {}
    for metric in metrics_per_pose(metrics):
        values, scored = pose_values(prepare(metric, pred, gt, root, joints, valid, check, skeleton), metric)
        found[metric.key] = torch.where(scored, values, torch.nan)
    return found


def bone_length_spread(
    pred: Tensor,
    gt: Tensor,
    *,
    skeleton: str | Skeleton | None = None,
    joints: Joints = None,
    valid: Tensor | None = None,
    check: bool = True,
) -> Tensor:
    """Standard deviation over frames of each bone's length error, mean over bones. As `posebench.bone_length_spread`.

    Examples
    --------
    >>> gt = 300 * torch.randn(5, 17, 3, generator=torch.Generator().manual_seed(0))
    >>> bone_length_spread(gt, gt).item()
    0.0
    """
    batch = prepare(resolve("BoneSpread"), pred, gt, None, joints, valid, check, skeleton)
    errors, known = signed_bone_errors(batch)
    known = known & batch.scorable[:, None]
    deviations = torch.where(known, errors - masked_mean(errors, known, 0), 0.0)
    count = known.sum(0)
    if check and not bool(count.any()):
        raise InputError("gt: no bone is valid in any pose, so its spread cannot be taken")
    # A norm has a gradient where all deviations are 0, a square root has none.
    spread = torch.linalg.vector_norm(deviations, dim=0) / count.clamp(min=1).to(deviations.dtype).sqrt()
    return masked_mean(spread, count > 0, 0)


def mpjve(
    pred: Tensor,
    gt: Tensor,
    *,
    fps: float | None,
    sequence: Any = None,
    frame: Any = None,
    root: int = 0,
    joints: Joints = None,
    valid: Tensor | None = None,
    check: bool = True,
) -> Tensor:
    """Mean error of joint velocities, in mm/s (mm/frame if `fps` is None); best is 0. As `posebench.mpjve`.

    `sequence` and `frame` are lists, arrays or tensors (N,); consecutive frames are looked for on the host.

    Examples
    --------
    >>> gt = torch.zeros(3, 2, 3) + torch.tensor([[0.0, 0, 0], [0, 100, 0]])
    >>> pred = gt + torch.tensor([0.0, 1, 3])[:, None, None] * torch.tensor([[0.0, 0, 0], [1, 0, 0]])
    >>> mpjve(pred, gt, fps=50).item()  # the second joint moves by 1 and 2 mm, the root by 0
    37.5
    """
    return _motion("MPJVE", pred, gt, fps, sequence, frame, root, joints, valid, check)


def mpjae(
    pred: Tensor,
    gt: Tensor,
    *,
    fps: float | None,
    sequence: Any = None,
    frame: Any = None,
    root: int = 0,
    joints: Joints = None,
    valid: Tensor | None = None,
    check: bool = True,
) -> Tensor:
    """Mean error of joint accelerations, in mm/s^2 (mm/frame^2 if `fps` is None); best is 0. As `posebench.mpjae`.

    Examples
    --------
    >>> gt = torch.zeros(3, 2, 3) + torch.tensor([[0.0, 0, 0], [0, 100, 0]])
    >>> pred = gt + torch.tensor([0.0, 1, 3])[:, None, None] * torch.tensor([[0.0, 0, 0], [1, 0, 0]])
    >>> mpjae(pred, gt, fps=None).item()
    0.5
    """
    return _motion("MPJAE", pred, gt, fps, sequence, frame, root, joints, valid, check)


def _motion(
    name: str,
    pred: Tensor,
    gt: Tensor,
    fps: float | None,
    sequence: Any,
    frame: Any,
    root: int,
    joints: Joints,
    valid: Tensor | None,
    check: bool,
) -> Tensor:
    metric = motion_metric(name, fps)
    batch = prepare(metric, pred, gt, root, joints, valid, check)
    setup, n = batch.setup, len(batch.gt)
    order = torch.as_tensor(in_time(sequence, frame, n, metric), device=batch.gt.device)
    # The scored poses are those of MPJPE: their root is known, their joints do not all coincide.
    chosen = setup.joints.tolist()
    known = batch.known[:, chosen] & (batch.scorable & batch.known[:, root])[:, None]
    vectors = (batch.pred[:, chosen] - batch.pred[:, [root]]) - (batch.gt[:, chosen] - batch.gt[:, [root]])
    vectors, known = vectors[order[:, 0]], known[order[:, 0]]
    linked = order[1:, 1] == order[:-1, 1]
    steps, both = vectors.diff(dim=0), known[1:] & known[:-1] & linked[:, None]
    if metric.field is FieldKind.ACCELERATION:
        steps, both = steps.diff(dim=0), both[1:] & both[:-1]
    if not both.any() if check else not len(both):
        raise InputError(f"gt: no consecutive frames can be scored, which {metric.key} needs")
    errors = torch.linalg.vector_norm(torch.where(both[..., None], steps, 0.0), dim=2)
    return masked_mean(masked_mean(errors, both, 1), both.any(1), 0) * time_factor(metric, fps)


def in_time(sequence: Any, frame: Any, n: int, metric: Metric) -> Any:
    """Rows in the order of time and the code of the sequence of each: array (N, 2)."""
    names, numbers = arrays(sequence, frame)
    keys = KeyColumn.of("" if names is None else names, n, "sequence")
    codes = keys.codes.astype(np.int64)
    # Without numbers, the poses of each sequence count up in the order given.
    given = np.arange(n) if numbers is None else PoseSet(np.zeros((n, 1, 3)), frame=numbers, source="gt").frame
    times = np.asarray(given)
    order = np.lexsort((times, codes))
    if numbers is not None:
        steps = np.where(np.diff(codes[order]) == 0, np.diff(times[order]), 1)
        for i in np.flatnonzero(steps == 0)[:1].tolist():
            raise InputError(f"frame {times[order[i]]} stands twice in one sequence")
        for i in np.flatnonzero(steps != 1)[:1].tolist():
            raise InputError(
                f"gt: {metric.key} needs consecutive frames, but sequence {keys.names[codes[order[i]]]!r} goes from "
                f"{times[order[i]]} to {times[order[i + 1]]}"
            )
    return np.stack([order, codes[order]], axis=1)
