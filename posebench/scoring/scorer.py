"""Scoring: predictions and ground truth in, a report out.

`score` does it in one go; a `Scorer` takes a set piece by piece, in a training loop or from shards, and merges with
other scorers. Both check first that the two sides can be compared at all, then add chunk after chunk to a `Tally`.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench import __version__
from posebench.conversion import convert_needed
from posebench.errors import InputError, UsageError
from posebench.kernels import map_chunks
from posebench.kernels.kinds import ITEM_COUNT, ITEM_SUM, POSE_COUNT, POSE_SUM, ReductionKind
from posebench.matching import Match, match
from posebench.metrics.evaluate import (
    Poses,
    as_poseset,
    refuse_non_finite,
    refuse_other_reference,
    refuse_scale_free,
    unit_factor,
)
from posebench.metrics.fields import Setup
from posebench.metrics.motion import time_factor
from posebench.metrics.registry import FieldKind, Metric, Needs, resolve
from posebench.poses import TEXT_KEYS, PoseSet
from posebench.protocols import Protocol, get_protocol
from posebench.report import Coverage, MetricValue, Report
from posebench.tally import Tally
from posebench.units import refuse_inhuman, settle_unit

Cell = tuple[str | None, ...]
Progress = Callable[[int], None]


def score(
    pred: Poses | str | Path,
    gt: Poses | str | Path,
    *,
    protocol: str | Path | Protocol = "standard",
    metrics: Sequence[str | Metric] | None = None,
    also: Sequence[str | Metric] = (),
    allow_missing: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Score predictions against ground truth under a protocol.

    Parameters
    ----------
    pred, gt : array (N, J, 3), PoseSet, or path
        Plain arrays are mm in the camera reference, with the joints of the protocol's skeleton. Sets and files of
        another skeleton are converted by joint name.
    protocol : str, path or Protocol
    metrics : sequence of str, optional
        Spellings such as ``"PCK@100"``; the protocol's own metrics by default.
    also : sequence of str
        Further metrics, beside those.
    allow_missing : bool
        Score although the prediction lacks frames or joints: they count as wrong in PCK, NPCK, AUC and CPS, and
        distances are marked incomplete.
    progress : callable, optional
        Called with the number of poses done since the last call.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        If the two sides cannot be compared: unit, skeleton, reference, keys, missing or non-finite joints.
    UsageError
        If the protocol or a metric is unknown.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> gt = rng.normal(size=(4, 17, 3)) * 300
    >>> report = score(gt + [0, 0, 50] * (np.arange(17)[:, None] > 0), gt)
    >>> round(report.metrics["MPJPE"].value, 3), report.metrics["PCK@150"].value
    (47.059, 100.0)
    """
    with ThreadPoolExecutor(1) as background:
        scorer = Scorer(protocol, metrics=metrics, also=also, allow_missing=allow_missing)
        sides = [scorer._load(pred, "pred"), scorer._load(gt, "gt")]
        hashes = [background.submit(_sha256, side.path) for side in sides]
        scorer.update(*sides, progress=progress)
        report = scorer.report()
        report.inputs = {
            name: _input(side, digest) for name, side, digest in zip(("pred", "gt"), sides, hashes, strict=True)
        }
    return report


class Scorer:
    """Scores a set piece by piece; pieces and scorers in any split give the same report.

    Parameters
    ----------
    protocol, metrics, also, allow_missing
        As in `score`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> gt = rng.normal(size=(4, 17, 3)) * 300
    >>> pred = gt + rng.normal(size=gt.shape) * 30
    >>> scorer = Scorer("standard", metrics=["MPJPE"])
    >>> scorer.update(pred[:1], gt[:1])
    >>> scorer.update(pred[1:], gt[1:])
    >>> whole = score(pred, gt, metrics=["MPJPE"])
    >>> abs(scorer.report().metrics["MPJPE"].value - whole.metrics["MPJPE"].value) < 1e-9
    True
    """

    def __init__(
        self,
        protocol: str | Path | Protocol = "standard",
        *,
        metrics: Sequence[str | Metric] | None = None,
        also: Sequence[str | Metric] = (),
        allow_missing: bool = False,
    ) -> None:
        self.protocol = get_protocol(protocol)
        self.allow_missing = allow_missing
        further = _resolved(also)
        #: What was asked for by name, and so is refused aloud where it does not fit; the protocol's own is left out.
        self._chosen = {metric.key for metric in further}
        if metrics is not None:
            self._chosen |= {metric.key for metric in _resolved(metrics)}
        self.metrics = _unique([*_resolved(self.protocol.metrics if metrics is None else metrics), *further])
        self._tally: Tally | None = None
        self._cells: dict[Cell, int] = {}
        self._keys: tuple[str, ...] = ()
        self._fps: float | None = None
        self._matched: list[str] = []
        self._notes: list[str] = []

    def update(self, pred: Poses, gt: Poses, *, progress: Progress | None = None) -> None:
        """Add predictions and their ground truth; frames are not remembered, so a piece given twice counts twice.

        Raises
        ------
        InputError
            As `score`. What was added before stays as it was.
        """
        p = self._settle(self._as_poseset(pred, "pred"), "pred")
        g = self._settle(self._as_poseset(gt, "gt"), "gt")
        if not len(g):
            raise InputError(f"{g.source} holds no poses")
        notes = [*p.notes, *g.notes]
        metrics = self._fit(p, g, notes)
        found = match(p, g, allow_missing=self.allow_missing)
        setup = self._setup(p, g)
        cells, names = _cells(g)
        frames = g.frame

        def add(rows: slice) -> tuple[Tally, npt.NDArray[np.int64]]:
            present, local = np.unique(cells[rows], return_inverse=True)
            tally = Tally(metrics, setup)
            valid = None if g.valid is None else g.valid[rows]
            numbers = found.chunk(rows)
            flags = tally.add(p.take(numbers), g.poses[rows], valid, local, None if frames is None else frames[rows])
            gt_rows = np.arange(rows.start, rows.stop)
            pred_rows = gt_rows if isinstance(numbers, slice) else numbers
            refuse_non_finite(flags, p, g, pred_rows, gt_rows, setup, g.valid, allow_missing=self.allow_missing)
            return tally, present

        piece = Tally(metrics, setup)
        for tally, present in map_chunks(add, len(g)):
            piece.merge(tally, present)
            if progress is not None:
                progress(tally.counts["gt_frames"])
        fps = g.fps or p.fps if any(Needs.FPS in metric.needs for metric in metrics) else None
        self._absorb(piece, names, tuple(key for key in TEXT_KEYS if key in g.keys), fps)
        self._remember(found, notes)

    def merge(self, other: Scorer) -> None:
        """Add everything that another scorer of the same protocol and metrics has seen.

        Raises
        ------
        UsageError
            If protocol, metrics or frame rate differ.
        """
        if [metric.key for metric in other.metrics] != [metric.key for metric in self.metrics]:
            raise UsageError(
                f"scorers of different metrics do not merge: {', '.join(map(str, self.metrics))} and "
                f"{', '.join(map(str, other.metrics))}"
            )
        if other._tally is None:
            return
        if (other.protocol.sha256, other.allow_missing) != (self.protocol.sha256, self.allow_missing):
            raise UsageError("scorers of different protocols, or of different allow_missing, do not merge")
        if self._fps is not None and other._fps not in (None, self._fps):
            raise UsageError(f"scorers of {self._fps} and {other._fps} frames per second do not merge")
        self._absorb(other._tally, list(other._cells), other._keys, other._fps)
        self._matched += [how for how in other._matched if how not in self._matched]
        self._notes += [note for note in other._notes if note not in self._notes]

    def report(self) -> Report:
        """The report of everything seen so far.

        Raises
        ------
        InputError
            If nothing was added, or if a motion metric meets a gap between frames.
        """
        if self._tally is None:
            raise InputError("nothing was scored: no poses were added")
        return self._frozen()._report()

    def _frozen(self) -> Scorer:
        """A scorer with these sums that nobody adds to: what a report takes its groups from, whenever it is asked."""
        frozen = copy(self)
        frozen._tally = None if self._tally is None else self._tally.copy()
        frozen._cells, frozen._notes, frozen._matched = dict(self._cells), list(self._notes), list(self._matched)
        return frozen

    def _report(self) -> Report:
        tally = self._tally
        assert tally is not None
        self._refuse_gaps(tally)
        rows = np.arange(len(self._cells))
        incomplete = tally.counts["missing"] > 0
        metrics = {}
        for m, metric in enumerate(tally.metrics):
            metrics[metric.key] = MetricValue(
                metric.key,
                self._value(m, rows),
                metric.unit,
                metric.family.higher_is_better,
                self._count(m, rows),
                incomplete=incomplete and metric.is_distance,
            )
        counts = tally.counts
        coverage = Coverage(
            counts["gt_frames"],
            counts["scored"],
            counts["missing"],
            counts["invalid_joints"],
            counts["degenerate"],
            "; ".join(self._matched),
            counts["unscorable"],
            counts["ambiguous"],
            counts["negative_scale"],
        )
        return Report(
            metrics,
            coverage,
            self.protocol.to_dict(),
            environment=_environment(),
            notes=[*self._notes, *_remarks(coverage)],
            available_groups=(*self._keys, "joint", "part"),
            _grouper=self._group,
        )

    # What can be compared

    def _load(self, poses: Poses | str | Path, side: str) -> PoseSet:
        if isinstance(poses, str | Path):
            from posebench.io import read

            return read(poses)
        return self._as_poseset(poses, side)

    def _as_poseset(self, poses: Poses, side: str) -> PoseSet:
        """Plain arrays hold the joints of the protocol's skeleton, if they have as many; nobody said H36M-17."""
        found = as_poseset(poses, side)
        if isinstance(poses, PoseSet) or found.skeleton == self.protocol.skeleton:
            return found
        return found.replace(skeleton=None)

    def _settle(self, poses: PoseSet, side: str) -> PoseSet:
        """Skeleton and unit of one side, known or refused."""
        wanted = self.protocol.skeleton
        if poses.skeleton is None:
            return self._assume_skeleton(poses, side)
        # A joint that nothing is measured from or at may be lacking.
        roots = (self.protocol.pred_root, self.protocol.gt_root, wanted.joints[wanted.root])
        needed = {*self.protocol.joints, *(root for root in roots if root is not None)}
        # The unit is read off the joints as the file has them; what comes of them is still the file's.
        settled = settle_unit(poses, poses.skeleton, f"--{side}-unit", is_gt=side == "gt")
        return convert_needed(settled, wanted, needed).replace(path=poses.path)

    def _assume_skeleton(self, poses: PoseSet, side: str) -> PoseSet:
        wanted = self.protocol.skeleton
        n_joints = poses.poses.shape[1]
        if n_joints == 25 and poses.path is not None:
            raise InputError(
                f"{poses.source} has 25 joints and does not say its skeleton; they may be BODY-25 or BODY_25B, in "
                f"another order each: say it with --{side}-skeleton body25, --{side}-skeleton body25b or another NAME"
            )
        if n_joints != len(wanted):
            raise InputError(
                f"{poses.source} has {n_joints} joints and does not say its skeleton; protocol "
                f"{self.protocol.name} scores {wanted.name} ({len(wanted)} joints): say it with "
                f"--{side}-skeleton NAME"
            )
        note = f"skeleton of {poses.source} assumed: {wanted.name}"
        poses = poses.replace(skeleton=wanted, notes=(*poses.notes, note))
        poses = settle_unit(poses, wanted, f"--{side}-unit", is_gt=side == "gt")
        if poses.path is not None:
            refuse_inhuman(poses, wanted, f"--{side}-skeleton")
        return poses

    def _fit(self, pred: PoseSet, gt: PoseSet, notes: list[str]) -> tuple[Metric, ...]:
        """The metrics that these two sides can be scored by; what was asked for by name is refused aloud."""
        metrics = self.metrics if self._tally is None else self._tally.metrics
        if self._tally is None and pred.unit == "scale-free":
            left_out = [m for m in metrics if Needs.METRIC_SCALE in m.needs and m.key not in self._chosen]
            metrics = tuple(metric for metric in metrics if metric not in left_out)
            names = ", ".join(metric.key for metric in left_out)
            why = f"{pred.source} is scale-free, and they need a prediction in mm or m"
            if not metrics:
                raise InputError(f"nothing is left of protocol {self.protocol.name}: {names} do not apply, as {why}")
            if left_out:
                notes.append(f"{names} not given: {why}")
        for metric in metrics:
            self._refuse_unfit(metric, pred, gt, notes)
        pooled_by = self.protocol.pooling
        parts = {"action": ("action",), "sequence": ("subject", "action", "sequence")}.get(pooled_by, ())
        if parts and not any(key in gt.keys for key in parts):
            raise InputError(
                f"{gt.source} has no `{pooled_by}` keys, but protocol {self.protocol.name} takes the mean over them"
            )
        if any(Needs.FPS in metric.needs for metric in metrics):
            fps = gt.fps or pred.fps
            if gt.fps and pred.fps and gt.fps != pred.fps:
                raise InputError(f"{pred.source} has {pred.fps} frames per second and {gt.source} has {gt.fps}")
            if self._fps is not None and fps != self._fps:
                raise InputError(f"{gt.source} has {fps} frames per second; what came before had {self._fps}")
        return metrics

    def _refuse_unfit(self, metric: Metric, pred: PoseSet, gt: PoseSet, notes: list[str]) -> None:
        needs = metric.needs
        refuse_scale_free(metric, pred, gt)
        refuse_other_reference(metric, pred, gt)
        if Needs.SAME_REFERENCE in needs and pred.reference != gt.reference:
            silent = pred if pred.reference == "unknown" else gt
            stated = gt if silent is pred else pred
            note = f"reference of {silent.source} assumed: {stated.reference}, as in {stated.source}"
            if note not in notes:
                notes.append(note)
        rooted = metric.alignment is not None and metric.alignment.needs_root
        centred = not rooted or self.protocol.pred_root is not None or self.protocol.gt_root is not None
        if not centred and {pred.origin, gt.origin} == {"root", "absolute"}:
            raise InputError(
                f"{pred.source} has the origin {pred.origin} and {gt.source} the origin {gt.origin}, but protocol "
                f"{self.protocol.name} centres neither, so {metric.key} would measure where the person stands"
            )
        for side, need, flag in ((pred, Needs.ABSOLUTE_PRED, "pred"), (gt, Needs.ABSOLUTE_GT, "gt")):
            if need in needs:
                _refuse_relative(side, metric, flag, self.protocol)
        if Needs.SEQUENCES in needs and gt.frame is None:
            raise InputError(
                f"{gt.source} has no `frame` numbers, which {metric.key} needs to know what is consecutive"
            )
        if Needs.FPS in needs and not (gt.fps or pred.fps):
            raise InputError(
                f"{gt.source} does not say its frame rate, which {metric.key} needs; say it with --fps, or ask for "
                f"{metric.family.name}(per=frame)"
            )

    def _setup(self, pred: PoseSet, gt: PoseSet) -> Setup:
        skeleton = self.protocol.skeleton

        def root(name: str | None) -> int | None:
            return None if name is None else skeleton.index(name)

        return Setup(
            np.array([skeleton.index(joint) for joint in self.protocol.joints], np.int64),
            root(self.protocol.pred_root),
            root(self.protocol.gt_root),
            skeleton.root,
            unit_factor(pred),
            unit_factor(gt),
            skeleton,
        )

    # Adding up

    def _absorb(self, piece: Tally, names: Iterable[Cell], keys: tuple[str, ...], fps: float | None) -> None:
        """Add a piece. If it does not fit, this scorer stays exactly as it was."""
        if self._tally is None:
            merged, cells = Tally(piece.metrics, piece.setup), {}
        elif self._tally.metrics != piece.metrics:
            raise UsageError(
                "pieces scored by different metrics do not merge: "
                f"{', '.join(map(str, self._tally.metrics))} and {', '.join(map(str, piece.metrics))}"
            )
        else:
            merged, cells = self._tally.copy(), dict(self._cells)
            keys = tuple(key for key in self._keys if key in keys)
        rows = np.array([cells.setdefault(name, len(cells)) for name in names], np.int64)
        merged.merge(piece, rows)
        self._tally, self._cells, self._keys, self._fps = merged, cells, keys, self._fps or fps

    def _remember(self, found: Match, notes: list[str]) -> None:
        if found.how not in self._matched:
            self._matched.append(found.how)
        self._notes += [note for note in dict.fromkeys(notes) if note not in self._notes]

    def _refuse_gaps(self, tally: Tally) -> None:
        gap = None if tally.motion is None else tally.motion.first_gap()
        if gap is not None:
            cell, end, start = gap
            where = ", ".join(
                f"{k}={v}" for k, v in zip(TEXT_KEYS, list(self._cells)[cell], strict=True) if v is not None
            )
            asked = [m.key for m in tally.metrics if m.field in (FieldKind.VELOCITY, FieldKind.ACCELERATION)]
            raise InputError(
                f"{', '.join(asked)} need consecutive frames, but {where or 'the ground truth'} goes from frame "
                f"{end} to {start}; score motion on the full frame rate"
            )

    # Taking values out

    def _value(self, m: int, rows: npt.NDArray[np.int64]) -> float | None:
        """Value of the m-th metric over some cells, pooled as the protocol says; None where nothing was scored."""
        tally = self._tally
        assert tally is not None
        pooling = self.protocol.pooling
        if pooling in ("action", "sequence"):
            names = list(self._cells)
            width = slice(1, 2) if pooling == "action" else slice(0, 3)
            groups: dict[Cell, list[int]] = {}
            for row in rows.tolist():
                groups.setdefault(names[row][width], []).append(row)
            values = [self._pooled(tally, m, np.array(members), joint=False) for members in groups.values()]
        else:
            values = [self._pooled(tally, m, rows, joint=pooling == "joint")]
        present = [value for value in values if value is not None]
        return float(np.mean(present)) if present else None

    def _pooled(self, tally: Tally, m: int, rows: npt.NDArray[np.int64], *, joint: bool) -> float | None:
        metric = tally.metrics[m]
        if metric.field is FieldKind.BONE_SPREAD:
            assert tally.spread is not None
            value = tally.spread.value(rows)
            return value if np.isfinite(value) else None
        sums = tally.cell_sums(m)[rows].sum(0)
        by_item = joint and metric.reduction.kind not in (ReductionKind.WORST, ReductionKind.POSE_AREA)
        total, count = (sums[ITEM_SUM], sums[ITEM_COUNT]) if by_item else (sums[POSE_SUM], sums[POSE_COUNT])
        if not count:
            return None
        factor = 1.0
        if metric.field in (FieldKind.VELOCITY, FieldKind.ACCELERATION):
            factor = time_factor(metric, self._fps)
        return float(total / count) * factor

    def _count(self, m: int, rows: npt.NDArray[np.int64]) -> int:
        tally = self._tally
        assert tally is not None
        if tally.metrics[m].field is FieldKind.BONE_SPREAD:
            assert tally.spread is not None
            return int(tally.spread.moments[..., 0].sum(0).max(initial=0))
        return int(tally.cell_sums(m)[rows, POSE_COUNT].sum())

    def _group(self, group: str) -> dict[str, dict[str, float | None]]:
        tally = self._tally
        assert tally is not None
        if group in ("joint", "part"):
            return _by_joint(tally, group)
        place = TEXT_KEYS.index(group)
        members: dict[str, list[int]] = {}
        for row, cell in enumerate(self._cells):
            # A sequence's name alone may repeat from subject to subject.
            parts = cell[:3] if group == "sequence" else cell[place : place + 1]
            names = (part.replace("\\", "\\\\").replace("/", "\\/") for part in parts if part is not None)
            members.setdefault("/".join(names), []).append(row)
        return {
            name: {metric.key: self._value(m, np.array(members[name])) for m, metric in enumerate(tally.metrics)}
            for name in sorted(members)
        }


def _by_joint(tally: Tally, group: str) -> dict[str, dict[str, float | None]]:
    """Values per joint, or per body part, of the metrics that are means over joints."""
    skeleton = tally.setup.skeleton
    assert skeleton is not None
    joints = [skeleton.joints[j] for j in tally.setup.joints]
    members = (
        {joint: [joint] for joint in joints} if group == "joint" else {k: list(v) for k, v in skeleton.parts.items()}
    )
    result: dict[str, dict[str, float | None]] = {}
    for name, of in members.items():
        rows = [joints.index(joint) for joint in of if joint in joints]
        if not rows:
            continue
        result[name] = {}
        for m, metric in enumerate(tally.metrics):
            if metric.splits_by_joint:
                total, count = tally.items[m][rows].sum(0)
                result[name][metric.key] = float(total / count) if count else None
    return result


def _refuse_relative(side: PoseSet, metric: Metric, flag: str, protocol: Protocol) -> None:
    """Raise unless a side's coordinates still hold the person's position."""
    root = side.poses[:1000, protocol.skeleton.root]
    if side.origin == "root" or (side.origin is None and len(side) and not np.any(root)):
        raise InputError(f"{side.source} is relative to its root, so {metric.key} cannot be taken from it")
    if side.origin is None and side.path is not None:
        raise InputError(
            f"{side.source} does not say whether its coordinates are absolute or relative to the root, which "
            f"{metric.key} needs; say it with --{flag}-origin absolute"
        )


def _cells(gt: PoseSet) -> tuple[npt.NDArray[np.int64], list[Cell]]:
    """A cell number per pose, and the keys of each cell in the order of its first number."""
    columns = [getattr(gt, key) for key in TEXT_KEYS]
    codes = np.zeros(len(gt), np.int64)
    for column in columns:
        if column is not None:
            codes = codes * max(len(column.names), 1) + column.codes
            if codes.max(initial=0) > 1_000_000:  # keep the table below small
                codes = np.unique(codes, return_inverse=True)[1]
    present = np.flatnonzero(np.bincount(codes))
    table = np.zeros(int(codes.max()) + 1, np.int64)
    table[present] = np.arange(len(present))
    cells = table[codes]
    # Any pose of a cell tells its keys; the last written is one of them.
    witness = np.zeros(len(present), np.int64)
    witness[cells] = np.arange(len(gt))
    names = [
        tuple(None if column is None else column.names[column.codes[row]] for column in columns)
        for row in witness.tolist()
    ]
    return cells, names


def _resolved(metrics: Sequence[str | Metric]) -> list[Metric]:
    """Metrics from spellings."""
    if isinstance(metrics, str):
        raise UsageError(f"metrics is {metrics!r}, expected a list of spellings: [{metrics!r}]")
    return [resolve(metric) for metric in metrics]


def _unique(metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    if not metrics:
        raise UsageError("no metric was asked for")
    return tuple({metric.key: metric for metric in metrics}.values())


def _sha256(path: str | None) -> str | None:
    if path is None:
        return None
    from posebench.io import sha256_of

    return sha256_of(path)


def _input(side: PoseSet, digest: Future[str | None]) -> dict[str, Any]:
    return {"path": side.path, "sha256": digest.result()}


def _environment() -> dict[str, str]:
    import numba

    return {
        "posebench": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "platform": platform.platform(terse=True),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _remarks(coverage: Coverage) -> list[str]:
    """Sentences about what a reader must know before the numbers."""
    remarks = []
    if coverage.missing:
        remarks.append(
            f"{coverage.missing} frames lack a prediction or a joint of it: wrong in PCK, NPCK, AUC and CPS, left "
            "out of distances, which are incomplete and compare with nothing"
        )
    if coverage.degenerate:
        remarks.append(
            f"{coverage.degenerate} predictions have all joints in one point and got the limit of their metrics"
        )
    if coverage.ambiguous:
        remarks.append(
            f"{coverage.ambiguous} predictions have no unique optimal rotation; PMPJPE uses the SVD's choice"
        )
    if coverage.negative_scale:
        remarks.append(
            f"{coverage.negative_scale} predictions got a negative least-squares scale: NMPJPE reflected them "
            "through the root"
        )
    return remarks


__all__ = ["Progress", "Scorer", "score"]
