"""Arrays in, a number out: what `pb.mpjpe(pred, gt)` and its kin share.

The scorer does the same for whole sets with keys, groups and several metrics at once; it does not come through here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError, UsageError
from posebench.kernels import PoseFlag, map_chunks
from posebench.metrics.fields import ACROSS_FRAMES, Setup, error_fields, field_key, reduce_metric
from posebench.metrics.grammar import MetricSpec
from posebench.metrics.registry import FieldKind, Metric, Needs, resolve
from posebench.poses import PoseSet
from posebench.skeletons import H36M17, Skeleton, get_skeleton

#: (N, J, 3) numbers, or a PoseSet.
Poses = npt.ArrayLike | PoseSet
Array = npt.ArrayLike
Joints = Sequence[int] | npt.NDArray[np.integer[Any]] | None
Reduce = Literal["mean", "none"]
#: A float, or an array (N,) for reduce="none".
Result = Any


def evaluate(
    metric: str | MetricSpec,
    pred: Poses,
    gt: Poses,
    root: int | None,
    joints: Joints,
    valid: Array | None,
    reduce: Reduce,
    skeleton: str | Skeleton | None = None,
) -> Result:
    """Value of one metric on two arrays of poses, or one value per pose."""
    return evaluate_metric(resolve(metric), pred, gt, root, joints, valid, reduce, skeleton)


def evaluate_metric(
    metric: Metric,
    pred: Poses,
    gt: Poses,
    root: int | None,
    joints: Joints,
    valid: Array | None,
    reduce: Reduce,
    skeleton: str | Skeleton | None = None,
) -> Result:
    """As `evaluate`, for a metric that is resolved already."""
    if reduce not in ("mean", "none"):
        raise UsageError(f"reduce is {reduce!r}, expected 'mean' or 'none'")
    (values,) = _pose_values([metric], pred, gt, root, joints, valid, skeleton)
    if reduce == "none":
        return values
    scored = values[~np.isnan(values)]
    if not len(scored):
        raise InputError(
            f"none of the {len(values)} poses can be scored by {metric.key}: their joints or their roots are masked, "
            "or all joints of a pose coincide"
        )
    return float(scored.mean())


def per_pose(
    pred: Poses,
    gt: Poses,
    metrics: Sequence[str] = ("MPJPE", "NMPJPE", "PMPJPE"),
    *,
    root: int = 0,
    joints: Joints = None,
    valid: Array | None = None,
    skeleton: str | Skeleton | None = None,
) -> dict[str, npt.NDArray[np.float64]]:
    """Several metrics of every pose in one pass: {canonical spelling: array (N,)}, NaN where a pose cannot be scored.

    Parameters
    ----------
    pred, gt, root, joints, valid
        As in `mpjpe`.
    metrics : sequence of str
        Spellings of metrics that have a value for each pose: all but MPJVE, MPJAE and BoneSpread.
    skeleton : str or Skeleton, optional
        For metrics of bones and angles.

    Raises
    ------
    InputError, UsageError
        As `mpjpe`; UsageError for a metric without values per pose.

    Examples
    --------
    >>> gt = np.random.default_rng(0).normal(size=(2, 17, 3)) * 300
    >>> sorted(per_pose(gt, gt))
    ['MPJPE', 'NMPJPE', 'PMPJPE']
    """
    chosen = metrics_per_pose(metrics)
    values = _pose_values(chosen, pred, gt, root, joints, valid, skeleton)
    return {metric.key: column for metric, column in zip(chosen, values, strict=True)}


def metrics_per_pose(metrics: Sequence[str]) -> list[Metric]:
    """The metrics of a list of spellings, each of which has a value for each pose."""
    if isinstance(metrics, str) or not metrics:
        raise UsageError(f"metrics is {metrics!r}, expected a list of spellings, as in ['MPJPE', 'PCK@100']")
    chosen = [resolve(metric) for metric in metrics]
    for metric in chosen:
        if metric.field in ACROSS_FRAMES:
            raise UsageError(f"{metric.key} is taken across frames and has no value per pose")
        if metric.cluster is not None:
            raise UsageError(f"{metric.key} needs a bank: pss(pred, gt, bank, reduce='none') gives its values per pose")
    return chosen


def _pose_values(
    metrics: Sequence[Metric],
    pred: Poses,
    gt: Poses,
    root: int | None,
    joints: Joints,
    valid: Array | None,
    skeleton: str | Skeleton | None,
) -> npt.NDArray[np.float64]:
    """Values (M, N) of every metric for every pose."""
    p, g, mask = pair(pred, gt, valid)
    for metric in metrics:  # all share one setup; making it for each checks what each of them needs
        setup = make_setup(p, g, root, joints, skeleton, metric)
    values = np.empty((len(metrics), len(g)))

    def fill(rows: slice) -> None:
        known = None if mask is None else mask[rows]
        fields, flags = error_fields(metrics, p.take(rows), g.poses[rows], known, setup)
        numbers = np.arange(rows.start, rows.stop)
        refuse_non_finite(flags, p, g, numbers, numbers, setup, mask)
        cells = np.zeros(len(flags), np.int64)
        for m, metric in enumerate(metrics):
            items = fields[field_key(metric)].shape[1]
            reduce_metric(metric, fields, flags, cells, values[m, rows], np.zeros((1, 4)), np.zeros((items, 2)))

    for _ in map_chunks(fill, len(g)):
        pass
    return values


def pair(pred: Poses, gt: Poses, valid: Array | None) -> tuple[PoseSet, PoseSet, npt.NDArray[np.bool_] | None]:
    """Both sides as PoseSets of the same shape, and the ground truth's mask."""
    p, g = as_poseset(pred, "pred"), as_poseset(gt, "gt")
    if p.poses.shape != g.poses.shape:
        raise InputError(
            f"{p.source} has shape {p.poses.shape} and {g.source} has shape {g.poses.shape}; both must be the same "
            "(N, J, 3)"
        )
    if not len(g):
        raise InputError(f"{g.source} holds no poses")
    mask = g.valid
    if valid is not None:
        mask = g.replace(valid=valid).valid
    return p, g, mask


def as_poseset(poses: Poses, name: str) -> PoseSet:
    """A PoseSet as it is; plain numbers as mm in the camera reference, H36M-17 if they have 17 joints."""
    if isinstance(poses, PoseSet):
        return poses
    found = PoseSet(poses, unit="mm", reference="camera", source=name)
    return found.replace(skeleton=H36M17) if found.poses.shape[1] == len(H36M17) else found


def scorable(pred: PoseSet, gt: PoseSet, mask: npt.NDArray[np.bool_] | None, setup: Setup) -> npt.NDArray[np.bool_]:
    """The mask (N, J) less the poses whose ground truth cannot be scored; raises where something is not finite."""
    _, flags = error_fields([resolve("MPJPE")], pred.take(slice(None)), gt.poses, mask, setup)
    rows = np.arange(len(gt))
    refuse_non_finite(flags, pred, gt, rows, rows, setup, mask)
    known = np.ones(gt.poses.shape[:2], np.bool_) if mask is None else mask
    usable: npt.NDArray[np.bool_] = known & ((flags & int(PoseFlag.UNSCORABLE)) == 0)[:, None]
    return usable


def make_setup(
    pred: PoseSet,
    gt: PoseSet,
    root: int | None,
    joints: Joints,
    skeleton: str | Skeleton | None,
    metric: Metric,
) -> Setup:
    """Check root, joints, skeleton and the facts of both sides against what the metric needs."""
    n_joints = gt.poses.shape[1]
    if root is not None and (not isinstance(root, int | np.integer) or isinstance(root, bool)):
        raise UsageError(f"root is {root!r}, expected the index of a joint, or None")
    if root is not None and not 0 <= root < n_joints:
        raise UsageError(f"root is {root}, expected a joint from 0 to {n_joints - 1}, or None")
    if root is None and metric.needs_root:
        raise UsageError(f"{metric.key} needs a root: the index of the joint that both sides are centred on")
    try:
        chosen = np.arange(n_joints) if joints is None else np.asarray(joints)
    except ValueError:
        chosen = np.zeros(0)
    if chosen.ndim != 1 or not len(chosen) or chosen.dtype.kind not in "iu":
        raise UsageError(f"joints must be a list of joint indices, got {joints!r}")
    chosen = chosen.astype(np.int64)
    if chosen.min() < 0 or chosen.max() >= n_joints or len(np.unique(chosen)) < len(chosen):
        raise UsageError(f"joints are {chosen.tolist()}, expected different indices from 0 to {n_joints - 1}")
    known = get_skeleton(skeleton) if skeleton is not None else gt.skeleton
    needs_names = metric.field in (
        FieldKind.BONES,
        FieldKind.MIRRORED_BONES,
        FieldKind.ANGLES,
        FieldKind.BONE_SPREAD,
    )
    if needs_names and known is None:
        raise UsageError(f"the poses have {n_joints} joints of an unknown skeleton; pass skeleton=")
    if known is not None and len(known) != n_joints:
        raise UsageError(f"skeleton {known.name} has {len(known)} joints, the poses have {n_joints}")
    refuse_scale_free(metric, pred, gt)
    refuse_other_reference(metric, pred, gt)
    at = None if root is None else int(root)
    setup = Setup(chosen, at, at, 0 if at is None else at, unit_factor(pred), unit_factor(gt), known)
    if needs_names and not setup.items(metric.field):
        raise UsageError(f"the chosen joints of {known.name if known else ''} hold no {metric.field.value}")
    return setup


def refuse_scale_free(metric: Metric, pred: PoseSet, gt: PoseSet) -> None:
    """Raise if a side has no scale and the metric needs one."""
    if Needs.METRIC_SCALE in metric.needs and pred.unit == "scale-free":
        raise InputError(
            f"{pred.source} is scale-free, so {metric.key} has no meaning for it; ask for NMPJPE, PMPJPE or NPCK"
        )
    if gt.unit == "scale-free" and metric.field is not FieldKind.ANGLES:
        raise InputError(f"{gt.source} is scale-free: ground truth must be in mm or m for {metric.key}")


def refuse_other_reference(metric: Metric, pred: PoseSet, gt: PoseSet) -> None:
    """Raise if both sides say their reference, they differ, and the metric would measure the difference."""
    if Needs.SAME_REFERENCE not in metric.needs or "unknown" in (pred.reference, gt.reference):
        return
    if pred.reference != gt.reference:
        raise InputError(
            f"{pred.source} is in the {pred.reference} reference and {gt.source} in the {gt.reference} reference, so "
            f"{metric.key} would measure the rotation between them; bring both to one reference"
        )


def unit_factor(poses: PoseSet) -> float:
    """Factor that brings a set's coordinates to mm; 1 where they have no scale."""
    if poses.unit is None:
        raise InputError(f"{poses.source} does not say its unit; pass unit='mm' or 'm' when reading it")
    return 1000.0 if poses.unit == "m" else 1.0


def refuse_non_finite(
    flags: npt.NDArray[np.uint16],
    pred: PoseSet,
    gt: PoseSet,
    pred_rows: npt.NDArray[np.int64],
    gt_rows: npt.NDArray[np.int64],
    setup: Setup,
    mask: npt.NDArray[np.bool_] | None,
    *,
    allow_missing: bool = False,
) -> None:
    """Raise for the first pose whose ground truth, or whose prediction, is not finite at a joint that counts.

    `flags` (n,) belong to a chunk whose poses are those rows of the two sets; `mask` is the whole ground truth's.
    """
    for side, rows, flag in ((gt, gt_rows, PoseFlag.BAD_GROUND_TRUTH), (pred, pred_rows, PoseFlag.MISSING)):
        bad = np.flatnonzero(flags & int(flag))
        if not len(bad) or (flag is PoseFlag.MISSING and allow_missing):
            continue
        row, gt_row = int(rows[bad[0]]), int(gt_rows[bad[0]])
        roots = [j for j in (setup.pred_root, setup.gt_root, setup.root) if j is not None]
        banks = [] if setup.clusters is None else setup.clusters.joints().tolist()
        wanted = np.unique([*setup.joints.tolist(), *roots, *banks]).astype(int)
        known = np.ones(len(wanted), np.bool_) if mask is None else mask[gt_row, wanted]
        # Squares of more than 1e150 mm leave the range of float64.
        usable = (np.abs(side.take(np.array([row]))[0, wanted]) < np.float64(1e150)).all(1)
        broken = wanted[~usable & known]
        joint = int(broken[0]) if len(broken) else int(wanted[0])
        name = f" ({gt.skeleton.joints[joint]})" if gt.skeleton else ""
        if side is gt:
            rest = "and is not masked; mark it invalid in `valid`, or mend the file"
        else:
            rest = (
                "where the ground truth holds the joint; predict it, mask it in the ground truth's `valid`, or count "
                "it as wrong with --allow-missing"
            )
        masked = side is pred and side.valid is not None and not side.valid[row, joint]
        what = "marked invalid" if masked else str(side.poses[row, joint].tolist())
        raise InputError(f"{side.source}: pose {row}, joint {joint}{name} is {what} {rest}")
