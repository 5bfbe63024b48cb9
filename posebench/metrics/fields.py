"""Error fields of a chunk of poses: what every metric reduces.

A metric asks for (field kind, alignment); whatever several metrics ask for is computed once, and all alignments of the
joints in one pass of the kernels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.kernels import Alignment, PoseFlag, aligned_errors
from posebench.metrics.clusters import Assigned, ClusterPlan
from posebench.metrics.registry import FieldKind, Metric
from posebench.skeletons import Skeleton

Floats = npt.NDArray[np.float64]
FieldKey = tuple[FieldKind, Alignment | str | None]

#: Kinds whose items are not taken frame by frame; `motion` and `structure` keep states of their own for them.
ACROSS_FRAMES = frozenset({FieldKind.VELOCITY, FieldKind.ACCELERATION, FieldKind.BONE_SPREAD, FieldKind.KAPPA})


@dataclass(frozen=True)
class Setup:
    """Which joints are scored, where the roots are, and in what unit the coordinates come."""

    joints: npt.NDArray[np.int64]
    pred_root: int | None
    gt_root: int | None
    root: int
    pred_unit: float = 1.0
    gt_unit: float = 1.0
    skeleton: Skeleton | None = None
    #: Metrics that are taken over some of the joints only, by their place in `joints`.
    metric_columns: tuple[tuple[str, tuple[int, ...]], ...] = ()
    #: The cluster banks of the metrics that use any.
    clusters: ClusterPlan | None = None

    def columns(self, metric: Metric) -> tuple[int, ...] | None:
        """Which items of its field a metric is taken over; None for all."""
        return dict(self.metric_columns).get(metric.key)

    def metric_items(self, metric: Metric) -> tuple[str, ...]:
        """Names of the items that a metric is taken over."""
        names, columns = self.items(metric.field), self.columns(metric)
        return names if columns is None else tuple(names[column] for column in columns)

    def bones(self) -> list[tuple[int, int]]:
        """The skeleton's bones between scored joints."""
        chosen = set(self.joints.tolist())
        assert self.skeleton is not None
        return [bone for bone in self.skeleton.bones if set(bone) <= chosen]

    def mirrored_bones(self) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """Left and right bones between scored joints."""
        chosen = self.bones()
        assert self.skeleton is not None
        pairs = [(self.skeleton.bones[a], self.skeleton.bones[b]) for a, b in self.skeleton.mirrored_bones]
        return [pair for pair in pairs if pair[0] in chosen and pair[1] in chosen]

    def hinges(self) -> list[tuple[int, int, int]]:
        """(parent, joint, child) triples of scored joints at which an angle is defined."""
        chosen = set(self.joints.tolist())
        assert self.skeleton is not None
        return [hinge for hinge in self.skeleton.hinges if set(hinge) <= chosen]

    def items(self, kind: FieldKind) -> tuple[str, ...]:
        """Names of a field's items."""
        if kind is FieldKind.ROOT:
            return ("root",)
        if kind in (FieldKind.CLUSTERS, FieldKind.KAPPA):
            return ("pose",)
        names = self.skeleton.joints if self.skeleton else None
        if kind in (FieldKind.JOINTS, FieldKind.VELOCITY, FieldKind.ACCELERATION):
            return tuple(names[j] if names else str(j) for j in self.joints)
        assert names is not None
        if kind is FieldKind.ANGLES:
            return tuple(names[joint] for _, joint, _ in self.hinges())
        if kind is FieldKind.MIRRORED_BONES:
            return tuple(f"{names[a]}-{names[b]}" for (a, b), _ in self.mirrored_bones())
        return tuple(f"{names[a]}-{names[b]}" for a, b in self.bones())


def error_fields(
    metrics: Iterable[Metric],
    pred: npt.NDArray[Any],
    gt: npt.NDArray[Any],
    valid: npt.NDArray[np.bool_] | None,
    setup: Setup,
    assigned: Assigned | None = None,
) -> tuple[dict[FieldKey, Floats], npt.NDArray[np.uint16]]:
    """Every field that the metrics ask for, and the flags of the poses (N,); `assigned` are their clusters."""
    metrics = [metric for metric in metrics if metric.field not in ACROSS_FRAMES]
    keys = {(metric.field, metric.alignment) for metric in metrics if metric.cluster is None}
    alignments = sorted({a for kind, a in keys if kind is FieldKind.JOINTS and a is not None}) or [Alignment.ROOT]
    result = aligned_errors(
        pred,
        gt,
        valid,
        alignments,
        joints=setup.joints,
        pred_root=setup.pred_root,
        gt_root=setup.gt_root,
        pred_unit=setup.pred_unit,
        gt_unit=setup.gt_unit,
    )
    fields: dict[FieldKey, Floats] = {
        (FieldKind.JOINTS, alignment): result.errors[f] for f, alignment in enumerate(alignments)
    }
    rest = sorted((key for key in keys if key[0] is not FieldKind.JOINTS), key=str)
    if rest:
        p, g, known = in_mm(pred, gt, valid, setup)
        with np.errstate(invalid="ignore", over="ignore"):  # what is missing is marked, not computed
            for kind, alignment in rest:
                fields[kind, alignment] = _FIELDS[kind](p, g, known, setup)
            if any(kind is FieldKind.ROOT for kind, _ in rest):
                # The root may not be among the joints that the kernels have looked at.
                known_root = known[:, setup.root]
                for side, flag in ((p, PoseFlag.MISSING), (g, PoseFlag.BAD_GROUND_TRUTH)):
                    result.flags[known_root & ~np.isfinite(side[:, setup.root]).all(axis=1)] |= int(flag)
    if assigned is not None and setup.clusters is not None:
        result.flags[:] |= assigned.flags
        for metric in metrics:
            if metric.cluster is not None:
                fields[field_key(metric)] = setup.clusters.field(metric, assigned)
    return fields, result.flags


def field_key(metric: Metric) -> FieldKey:
    """Where a metric's field stands among the fields of a chunk."""
    return metric.field, metric.alignment if metric.cluster is None else metric.key


def reduce_metric(
    metric: Metric,
    fields: dict[FieldKey, Floats],
    flags: npt.NDArray[np.uint16],
    cells: npt.NDArray[np.int64],
    values: Floats,
    cell_sums: Floats,
    item_sums: Floats,
    columns: tuple[int, ...] | None = None,
) -> None:
    """Fill values (N,) with a metric's value per pose and add to its sums; `kernels.reductions` says what they are.

    `columns` are the items that count, all by default.
    """
    from posebench.kernels.reductions import reduce_field

    field = fields[field_key(metric)]
    if metric.field is not FieldKind.JOINTS:
        # A degenerate ground truth is out of every mean; the kernels have seen to it for fields of joints.
        field[(flags & int(PoseFlag.UNSCORABLE)) != 0] = np.nan
    if columns is not None:
        field = np.ascontiguousarray(field[:, list(columns)])
    thresholds = np.array(metric.reduction.thresholds, np.float64)
    reduce_field(field, int(metric.reduction.kind), thresholds, cells, values, cell_sums, item_sums)


def in_mm(
    pred: npt.NDArray[Any], gt: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None, setup: Setup
) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Both sides as float64 in mm, and the mask; whatever stands in a masked joint becomes 0."""
    p = np.asarray(pred, np.float64) * setup.pred_unit
    g = np.asarray(gt, np.float64) * setup.gt_unit
    if valid is None:
        return p, g, np.ones(g.shape[:2], np.bool_)
    keep = valid[..., None]
    return np.where(keep, p, 0.0), np.where(keep, g, 0.0), valid


def _root_errors(p: Floats, g: Floats, known: npt.NDArray[np.bool_], setup: Setup) -> Floats:
    errors = np.linalg.norm(p[:, setup.root] - g[:, setup.root], axis=1)
    return _mark(errors, known[:, setup.root], np.isfinite(p[:, setup.root]).all(axis=1))[:, None]


def _bone_errors(p: Floats, g: Floats, known: npt.NDArray[np.bool_], setup: Setup) -> Floats:
    """|length in p - length in g| per bone."""
    return np.abs(signed_bone_errors(p, g, known, setup))


def signed_bone_errors(p: Floats, g: Floats, known: npt.NDArray[np.bool_], setup: Setup) -> Floats:
    """Length in p minus length in g per bone (N, B), in mm; NaN where g lacks the bone, inf where p does."""
    a, b = np.array(setup.bones(), np.int64).reshape(-1, 2).T
    lengths_p = np.linalg.norm(p[:, b] - p[:, a], axis=2)
    lengths_g = np.linalg.norm(g[:, b] - g[:, a], axis=2)
    return _mark(lengths_p - lengths_g, known[:, a] & known[:, b], np.isfinite(lengths_p))


def _symmetry_errors(p: Floats, g: Floats, known: npt.NDArray[np.bool_], setup: Setup) -> Floats:
    """|left length - right length| in p per mirrored pair of bones; g only says which are scored."""
    pairs = np.array(setup.mirrored_bones(), np.int64).reshape(-1, 2, 2)
    ends = pairs.reshape(len(pairs), 4)
    left = np.linalg.norm(p[:, ends[:, 1]] - p[:, ends[:, 0]], axis=2)
    right = np.linalg.norm(p[:, ends[:, 3]] - p[:, ends[:, 2]], axis=2)
    return _mark(np.abs(left - right), known[:, ends].all(2), np.isfinite(left) & np.isfinite(right))


def _angle_errors(p: Floats, g: Floats, known: npt.NDArray[np.bool_], setup: Setup) -> Floats:
    """|angle in p - angle in g| per hinge, in degrees; a bone of no length has no angle."""
    hinges = np.array(setup.hinges(), np.int64).reshape(-1, 3)
    angle_p, angle_g = joint_angles(p, hinges), joint_angles(g, hinges)
    defined = known[:, hinges].all(2) & np.isfinite(angle_g)
    # A predicted bone without length has lost its angle: as wrong as an angle can be.
    collapsed = np.isfinite(p[:, hinges]).all((2, 3)) & ~np.isfinite(angle_p)
    errors = np.where(collapsed, np.maximum(angle_g, 180.0 - angle_g), np.abs(angle_p - angle_g))
    return _mark(errors, defined, np.isfinite(p[:, hinges]).all((2, 3)))


def joint_angles(poses: Floats, hinges: npt.NDArray[np.int64]) -> Floats:
    """Angle (N, A) between the two bones that meet at each hinge (A, 3), in degrees: 180 for a stretched limb."""
    first = poses[:, hinges[:, 0]] - poses[:, hinges[:, 1]]
    second = poses[:, hinges[:, 2]] - poses[:, hinges[:, 1]]
    # atan2 of the cross and the dot product keeps its precision near 0 and 180 degrees, where arccos loses it.
    cross = np.linalg.norm(np.cross(first, second), axis=2)
    dot = (first * second).sum(2)
    no_length = (first == 0).all(2) | (second == 0).all(2)
    return np.where(no_length, np.nan, np.degrees(np.arctan2(cross, dot)))


def _mark(errors: Floats, known: npt.NDArray[np.bool_] | np.bool_, present: npt.NDArray[np.bool_] | np.bool_) -> Floats:
    """NaN where the ground truth does not hold the item, +inf where the prediction does not."""
    return np.where(known, np.where(present, errors, np.inf), np.nan)


_FIELDS = {
    FieldKind.ROOT: _root_errors,
    FieldKind.BONES: _bone_errors,
    FieldKind.MIRRORED_BONES: _symmetry_errors,
    FieldKind.ANGLES: _angle_errors,
}
