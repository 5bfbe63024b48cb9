"""What is examined: both sides as arrays that can be compared, a sample of whole stretches, and trial changes to them.

Nothing here refuses what scoring refuses: what cannot be matched or measured becomes a finding or stays unknown. Files
stay where they are; the sample is copied, and everything else is read in blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.conversion import convert_needed
from posebench.doctor.model import Evidence, Finding
from posebench.errors import InputError
from posebench.matching import Match, key_codes, match
from posebench.metrics.evaluate import Poses, as_poseset
from posebench.poses import PoseSet
from posebench.protocols import Protocol
from posebench.skeletons import Skeleton, get_skeleton, skeleton_names
from posebench.units import BONE_MM, PERSON_MM

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

MM = {"mm": 1.0, "m": 1000.0}
#: Poses read at a time.
BLOCK = 8192
#: Poses that alignments are searched on, at most, and the longest stretch of one sequence among them.
SAMPLE = 8000
STRETCH = 400


def load(pred: Poses, gt: Poses | None, protocol: Protocol) -> tuple[PoseSet, PoseSet | None]:
    """Both sides as sets; plain arrays have the joints of the protocol's skeleton if they have as many."""
    return _side(pred, "pred", protocol), None if gt is None else _side(gt, "gt", protocol)


def _side(given: Poses, name: str, protocol: Protocol) -> PoseSet:
    found = as_poseset(given, name)
    if isinstance(given, PoseSet):
        return found
    return found.replace(skeleton=protocol.skeleton if _fits(found, protocol.skeleton) else None)


def _fits(poses: PoseSet, skeleton: Skeleton) -> bool:
    return bool(poses.poses.shape[1] == len(skeleton))


def same_size(n_joints: int) -> list[Skeleton]:
    """The known skeletons with so many joints."""
    return [skeleton for name in skeleton_names() if len(skeleton := get_skeleton(name)) == n_joints]


def recipe(held: Skeleton, wanted: Skeleton) -> Floats:
    """Weights (K, J) by which the joints of one skeleton are had from another's; NaN rows for those that cannot."""
    many = len(held)
    numbers = np.arange(many)
    basis = np.zeros(((many + 2) // 3, many, 3))
    basis[numbers // 3, numbers, numbers % 3] = 1
    found = convert_needed(PoseSet(basis, skeleton=held), wanted, ())
    weights: Floats = found.poses[numbers // 3, :, numbers % 3].T.astype(np.float64)
    if found.valid is not None:
        weights[~found.valid.all(0)] = np.nan
    return weights


def pick(poses: npt.NDArray[Any], weights: Floats) -> Floats:
    """Joints (n, K, 3) of poses (n, J, 3) by weights (K, J): what a weight of 0 leaves out may be NaN."""
    if weights.shape[0] == weights.shape[1] and np.array_equal(weights, np.eye(len(weights))):
        return np.array(poses, np.float64)
    found = np.full((len(poses), len(weights), 3), np.nan)
    ones = (weights == 1).sum(1) == 1
    alone = ones & ((weights != 0).sum(1) == 1)
    found[:, alone] = poses[:, weights[alone].argmax(1)]
    for k in np.flatnonzero(~alone & np.isfinite(weights).all(1)):
        used = np.flatnonzero(weights[k])
        found[:, k] = (poses[:, used] * weights[k, used, None]).sum(1)
    return found


@dataclass(frozen=True)
class Change:
    """What is done to the prediction before it is held against ground truth: the faults found so far, undone."""

    #: (K, J): which joints of the file are those of the protocol's skeleton.
    weights: Floats
    #: Millimetres in one unit of the file.
    factor: float
    #: (3, 3): new axes from those of the file.
    axes: Floats = field(default_factory=lambda: np.eye(3))
    #: Rotations (n, 3, 3) of the poses of the sample; None for none.
    turns: Floats | None = None
    #: Which pose of the sample belongs to each (n,), -1 for none; None where they stand.
    order: Rows | None = None
    #: Factors (M,) of all matched poses besides `factor`; None for none.
    per_row: Floats | None = None


@dataclass
class Case:
    """Two files under examination, matched and in the order of their sequences; without ground truth, one."""

    pred: PoseSet
    gt: PoseSet | None
    protocol: Protocol
    #: Rows of the prediction and of the ground truth that belong together (M,), by sequence and time.
    pred_rows: Rows
    gt_rows: Rows
    #: Number of the sequence, and time in frames (M,).
    group: Rows
    time: Rows
    how: str | None
    #: The prediction's skeleton as scoring takes it; None where scoring does not know.
    skeleton: Skeleton | None
    gt_weights: Floats | None = None
    gt_factor: float = 1.0
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    #: Which of the M poses are in the sample (n,), and the stretch that each is of.
    sample: Rows = field(default_factory=lambda: np.zeros(0, np.int64))
    stretch: Rows = field(default_factory=lambda: np.zeros(0, np.int64))
    #: The sample's coordinates: (n, J, 3) as in the file, and (n, K, 3) in mm; NaN where not known.
    p: Floats = field(default_factory=lambda: np.zeros((0, 1, 3)))
    g: Floats = field(default_factory=lambda: np.zeros((0, 1, 3)))

    def __len__(self) -> int:
        return len(self.pred_rows)

    @property
    def root(self) -> int:
        """Index of the root in the protocol's skeleton."""
        return self.protocol.skeleton.root

    @property
    def scored(self) -> Rows:
        """Indices of the joints that the protocol scores."""
        return np.array([self.protocol.skeleton.index(joint) for joint in self.protocol.joints], np.int64)

    def raw(self, index: Rows) -> Floats:
        """Coordinates (n, J, 3) of the prediction for some of the M poses, as in the file; NaN where not finite."""
        return _finite(self.pred.take(self.pred_rows[index]))

    def truth(self, index: Rows) -> Floats:
        """Ground truth (n, K, 3) in mm for some of the M poses."""
        assert self.gt is not None and self.gt_weights is not None
        return pick(_finite(self.gt.take(self.gt_rows[index])), self.gt_weights) * self.gt_factor

    def blocks(self) -> Iterator[Rows]:
        """Indices of all M poses, block by block."""
        for start in range(0, len(self), BLOCK):
            yield np.arange(start, min(start + BLOCK, len(self)))

    def changed(self, change: Change) -> Floats:
        """The sample (n, K, 3) in mm after a change."""
        found = pick(self.p, change.weights) * change.factor
        if change.per_row is not None:
            found = found * change.per_row[self.sample][:, None, None]
        if change.order is not None:
            moved = found[change.order]
            moved[change.order < 0] = np.nan
            found = moved
        found = found @ change.axes.T
        if change.turns is not None:
            found = found @ change.turns.transpose(0, 2, 1)
        return found

    def changed_rows(self, change: Change, index: Rows) -> Floats:
        """As `changed` for some of the M poses; changes that are known for the sample alone are left out."""
        found = pick(self.raw(index), change.weights) * change.factor
        if change.per_row is not None:
            found = found * change.per_row[index][:, None, None]
        return found @ change.axes.T

    def errors(self, poses: Floats, truth: Floats | None = None) -> Floats:
        """MPJPE (n,) of poses against the sample's ground truth: both centred on the root, the protocol's joints."""
        g = self.g if truth is None else truth
        return row_means(distances(poses - poses[:, [self.root]], g - g[:, [self.root]])[:, self.scored])

    def evidence(self, before: Floats, after: Floats | None, what: str = "MPJPE") -> Evidence:
        """Means of errors (n,) before and after, over the poses that have both."""
        known = np.isfinite(before)
        if after is not None and (known & np.isfinite(after)).any():
            known &= np.isfinite(after)
        means = [
            float(each[known].mean()) if known.any() else 0.0 for each in (before, *([] if after is None else [after]))
        ]
        return Evidence(what, means[0], means[1] if after is not None else None, "mm", int(known.sum()))


def distances(a: Floats, b: Floats) -> Floats:
    """Distances (n, K) of the joints of poses (n, K, 3)."""
    away = a - b
    return np.asarray(np.sqrt(np.einsum("njc,njc->nj", away, away)), np.float64)


def row_means(values: Floats) -> Floats:
    """Means (n,) over what is finite of (n, K); NaN where nothing is."""
    known = np.isfinite(values)
    if known.all():
        return np.asarray(np.einsum("nk->n", values) / max(values.shape[1], 1), np.float64)
    count = known.sum(1)
    total = np.where(known, values, 0.0).sum(1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def known_joints(poses: Floats) -> npt.NDArray[np.bool_]:
    """Which joints (n, K) of poses (n, K, 3) are finite."""
    return np.asarray(np.isfinite(poses).all(2), np.bool_)


def centred(poses: Floats) -> Floats:
    """Poses (n, K, 3) minus the mean of their known joints."""
    if np.isfinite(poses).all():
        return np.asarray(poses - np.einsum("njc->nc", poses)[:, None] / poses.shape[1], np.float64)
    known = known_joints(poses)
    total = np.where(known[..., None], poses, 0.0).sum(1)
    return np.asarray(poses - (total / np.maximum(known.sum(1), 1)[:, None])[:, None], np.float64)


def sizes(poses: Floats) -> Floats:
    """Root mean square distance (n,) of the known joints from their mean, whatever joints and axes are called."""
    body = centred(poses)
    return np.asarray(np.sqrt(row_means(np.einsum("njc,njc->nj", body, body))), np.float64)


def _finite(poses: npt.NDArray[Any]) -> Floats:
    found = poses.astype(np.float64)
    # Squares of more than 1e150 leave the range of float64.
    found[~(np.abs(found) < 1e150)] = np.nan
    return found


def prepare(
    pred: PoseSet, gt: PoseSet | None, protocol: Protocol, *, allow_missing: bool = False, allow_extra: bool = False
) -> Case:
    """Match both sides and take the sample.

    Raises
    ------
    InputError
        If the ground truth cannot be read as the protocol's skeleton.
    """
    skeleton = pred.skeleton or (protocol.skeleton if _fits(pred, protocol.skeleton) else None)
    findings: list[Finding] = []
    if gt is not None and protocol.selection is not None and protocol.selection.obstacle(gt) is None:
        # Predictions may be for all frames, or for those alone that the protocol selects.
        rows = np.flatnonzero(protocol.selection.rows(gt))
        if len(pred) == len(gt) and not set(pred.keys) & set(gt.keys):
            pred = pred[rows].replace(path=pred.path)
        gt, allow_extra = gt[rows].replace(path=gt.path), True
    found = None if gt is None else _matched(pred, gt, findings, allow_missing=allow_missing, allow_extra=allow_extra)
    if gt is not None and found is not None:
        rows = np.arange(len(gt)) if found.pred_rows is None else found.pred_rows
        gt_rows = np.flatnonzero(rows >= 0)
        pred_rows = rows[gt_rows]
    else:
        pred_rows, gt_rows = np.arange(len(pred)), np.zeros(0, np.int64)
    by = gt if gt is not None and found is not None else pred
    order, group, time = _in_order(pred, by, pred_rows, gt_rows if by is gt else pred_rows)
    case = Case(
        pred,
        gt if found is not None else None,
        protocol,
        pred_rows[order],
        gt_rows[order] if by is gt else gt_rows,
        group,
        time,
        None if found is None else found.how,
        skeleton,
        findings=findings,
    )
    if gt is not None:
        _understand_truth(case, gt)
    case.sample, case.stretch = _stretches(group)
    case.p = case.raw(case.sample)
    if case.gt is not None:
        case.g = case.truth(case.sample)
    return case


def _matched(
    pred: PoseSet, gt: PoseSet, findings: list[Finding], *, allow_missing: bool, allow_extra: bool
) -> Match | None:
    """Prediction rows for the ground truth, as scoring pairs them if it does, else as well as can be done."""
    try:
        return match(pred, gt, allow_missing=allow_missing, allow_extra=allow_extra)
    except InputError as error:
        sentence = str(error)
    advice = (
        "frames are matched by the keys that both files have (subject, action, sequence, camera, frame), else by order"
    )
    try:
        found = match(pred, gt, allow_missing=True, allow_extra=True)
    except InputError:
        found = None
    if found is not None and (found.pred_rows is None or (found.pred_rows >= 0).any()):
        many = len(gt) - found.missing
        findings.append(
            Finding("D-KEYS", "error", sentence, (Evidence("poses matched", many, None, f"of {len(gt)}", many),))
        )
        return found
    if len(pred) == len(gt):
        advice += "; what follows takes the frames to be in the same order"
        findings.append(Finding("D-KEYS", "error", sentence, advice=advice))
        return Match(None, "by order, as a guess")
    findings.append(Finding("D-KEYS", "error", sentence, advice=advice))
    return None


def _in_order(pred: PoseSet, by: PoseSet, pred_rows: Rows, rows: Rows) -> tuple[Rows, Rows, Rows]:
    """The order by sequence and time of matched poses, with the number of the sequence and the time of each."""
    codes = (
        key_codes(by.replace(frame=None))[rows] if len(by.keys) > (by.frame is not None) else np.zeros(len(rows), int)
    )
    frame = by.frame[rows] if by.frame is not None else pred.frame[pred_rows] if pred.frame is not None else None
    time = np.arange(len(rows)) if frame is None else frame
    order = np.lexsort((time, codes))
    c, t = codes[order], time[order]
    if len(order) and ((c[1:] == c[:-1]) & (t[1:] == t[:-1])).any():
        # Several clips under one key: each goes on as long as its frames rise.
        starts = np.concatenate(([True], (codes[1:] != codes[:-1]) | (time[1:] <= time[:-1])))
        return np.arange(len(rows)), np.cumsum(starts) - 1, time.astype(np.int64)
    starts = np.concatenate(([True], c[1:] != c[:-1])) if len(c) else np.zeros(0, np.bool_)
    return order, np.cumsum(starts) - 1, t.astype(np.int64)


def _understand_truth(case: Case, gt: PoseSet) -> None:
    """Which joints of the ground truth are the protocol's, and its unit; what it says wrongly becomes a finding."""
    wanted = case.protocol.skeleton
    skeleton = gt.skeleton or (wanted if _fits(gt, wanted) else None)
    if skeleton is None:
        raise InputError(
            f"{gt.source} has {gt.poses.shape[1]} joints and does not say its skeleton; protocol {case.protocol.name} "
            f"scores {wanted.name} ({len(wanted)} joints): say it with --gt-skeleton NAME"
        )
    case.gt_weights = recipe(skeleton, wanted)
    fits = fitting_unit(gt, skeleton)
    stated = gt.unit if gt.unit in MM else None
    believed = "unit" in gt.stated or gt.path is None
    if stated is not None and fits is not None and fits[0] != stated and not believed:
        case.findings.append(
            Finding(
                "D-GT-UNITS",
                "error",
                f"{gt.source} says its unit is {stated}, but its limbs add up to {fits[1]:.4g}, which is "
                f"a person in {fits[0]}",
                (Evidence("limbs of the ground truth", fits[1] * MM[stated], fits[1] * MM[fits[0]], "mm", len(gt)),),
                advice=f"score with --gt-unit {fits[0]}",
            )
        )
        stated = fits[0]
    case.gt_factor = MM[stated or (fits[0] if fits is not None else "mm")]


def fitting_unit(poses: PoseSet, skeleton: Skeleton) -> tuple[str, float] | None:
    """The unit in which the limbs are a person's, as scoring infers it, and what they add up to; None if in none."""
    limbs = np.array(skeleton.limbs, np.int64)
    rows = np.unique(np.linspace(0, len(poses) - 1, min(len(poses), 2000)).astype(np.int64))
    if not len(limbs) or not len(rows):
        return None
    some = _finite(poses.take(rows))
    total = np.linalg.norm(some[:, limbs[:, 0]] - some[:, limbs[:, 1]], axis=2).sum(1)
    if not np.isfinite(total).any():
        return None
    middle = float(np.median(total[np.isfinite(total)]))
    for unit, factor in MM.items():
        if PERSON_MM[0] <= middle * factor <= PERSON_MM[1]:
            return unit, middle
    return None


def _stretches(group: Rows) -> tuple[Rows, Rows]:
    """Poses of the sample and the stretch of each: all of a small file, else evenly spaced stretches of sequences."""
    n = len(group)
    if n <= SAMPLE:
        return np.arange(n), group.copy()
    starts = np.flatnonzero(np.concatenate(([True], group[1:] != group[:-1])))
    ends = np.append(starts[1:], n)
    pieces = [
        (first, min(first + STRETCH, int(end)))
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        for first in range(start, end, STRETCH)
    ]
    many = max(1, min(len(pieces), SAMPLE // STRETCH))
    if n / len(pieces) < STRETCH / 2:  # short sequences: more of them
        many = min(len(pieces), int(SAMPLE / (n / len(pieces))))
    chosen = [pieces[i] for i in np.unique(np.linspace(0, len(pieces) - 1, many).astype(int))]
    sample = np.concatenate([np.arange(a, b) for a, b in chosen])
    return sample, np.repeat(np.arange(len(chosen)), [b - a for a, b in chosen])


__all__ = [
    "BONE_MM",
    "MM",
    "Case",
    "Change",
    "Floats",
    "Rows",
    "centred",
    "distances",
    "fitting_unit",
    "known_joints",
    "load",
    "pick",
    "prepare",
    "recipe",
    "row_means",
    "same_size",
    "sizes",
]
