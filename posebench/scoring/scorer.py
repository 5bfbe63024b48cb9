"""Scoring: predictions and ground truth in, a report out.

`score` does it in one go; a `Scorer` takes a set piece by piece, in a training loop or from shards, and merges with
other scorers. Both check first that the two sides can be compared at all, then add chunk after chunk to a `Tally`.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from posebench import __version__
from posebench.errors import InputError, UsageError
from posebench.frames import FrameTable, origin_of
from posebench.kernels import PoseFlag, map_chunks
from posebench.kernels.kinds import ITEM_COUNT, ITEM_SUM, POSE_COUNT, POSE_SUM
from posebench.matching import Match
from posebench.metrics.evaluate import (
    Poses,
    as_poseset,
    refuse_non_finite,
    unit_factor,
)
from posebench.metrics.fields import Setup, in_mm
from posebench.metrics.motion import error_vectors, time_factor
from posebench.metrics.registry import FieldKind, Metric, Needs, resolve
from posebench.poses import TEXT_KEYS, PoseSet
from posebench.protocols import Protocol, get_protocol
from posebench.protocols.selection import same_subject
from posebench.report import Coverage, MetricValue, Report
from posebench.scoring.bindings import Bindings
from posebench.scoring.explaining import Explained, Explainer, members
from posebench.scoring.fitness import fitting_metrics, is_absolute
from posebench.scoring.intervals import WIDTHS, report_intervals
from posebench.scoring.recording import MOTION, Recorder, record_motion
from posebench.scoring.sampling import Sampler, keepers
from posebench.scoring.sides import Cell, Pair, Rows, Sides, extra_note
from posebench.statistics import Interval
from posebench.tally import Tally

if TYPE_CHECKING:
    from posebench.banks import ClusterBank
    from posebench.report.samples import Samples

Progress = Callable[[int], None]


def score(
    pred: Poses | str | Path,
    gt: Poses | str | Path,
    *,
    protocol: str | Path | Protocol = "standard",
    metrics: Sequence[str | Metric] | None = None,
    also: Sequence[str | Metric] = (),
    banks: Sequence[str | Path | ClusterBank] = (),
    allow_missing: bool = False,
    allow_extra: bool = False,
    frames: bool = False,
    samples: bool = False,
    explain: bool = False,
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
    banks : sequence of str, path or ClusterBank
        Cluster banks beside those that the protocol binds: each gives PSS under a name with its own, as in
        ``"PSS@50(bank=mine)"``, which compares with no other bank's.
    allow_missing : bool
        Score although the prediction lacks frames or joints: they count as wrong in PCK, NPCK, AUC and CPS, and
        distances are marked incomplete.
    allow_extra : bool
        Leave out predictions for which there is no ground truth, with a note that counts them.
    frames : bool
        Keep the values per frame: `report.frames`, a `FrameTable` that can be saved beside the result.
    samples : bool
        Keep what the HTML report shows of single poses and of the spread of errors: `report.samples`.
    explain : bool
        Say how much of MPJPE each fault has put there: `report.explanation`.
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
        scorer = Scorer(protocol, metrics=metrics, also=also, banks=banks, allow_missing=allow_missing)
        sides = [load(pred, "pred"), load(gt, "gt")]
        hashes = [background.submit(_sha256, side.path if isinstance(side, PoseSet) else None) for side in sides]
        prepared = scorer.prepare(Sides(*sides, allow_missing=allow_missing, allow_extra=allow_extra, whole=True))
        if frames:
            prepared.record()
        if samples:
            prepared.sample()
        if explain:
            prepared.explain(whole=True)
        run([prepared], progress)
        prepared.commit()
        report = scorer.report()
        report.inputs = inputs(sides, hashes)
        report.frames = prepared.frames(report)
        report.samples = prepared.samples()
    return report


class Scorer:
    """Scores a set piece by piece; pieces and scorers in any split give the same report.

    Parameters
    ----------
    protocol, metrics, also, banks, allow_missing, explain
        As in `score`. To explain, frames at the ends of runs are kept until their neighbours come.

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
        banks: Sequence[str | Path | ClusterBank] = (),
        allow_missing: bool = False,
        explain: bool = False,
    ) -> None:
        self.protocol = get_protocol(protocol)
        self.allow_missing = allow_missing
        self.explain = explain
        self._explained: Explained | None = None
        self._bindings = Bindings(self.protocol, banks)
        further = _resolved(also)
        #: What was asked for by name, and so is refused aloud where it does not fit; the protocol's own is left out.
        self._chosen = {metric.key for metric in further}
        if metrics is not None:
            self._chosen |= {metric.key for metric in _resolved(metrics)}
        of_banks = self._bindings.metrics()
        self._chosen |= {metric.key for metric in of_banks}
        asked = _resolved(self.protocol.metrics if metrics is None else metrics)
        self.metrics = _unique([*asked, *further, *of_banks])
        self._tally: Tally | None = None
        self._cells: dict[Cell, int] = {}
        self._keys: tuple[str, ...] = ()
        self._fps: float | None = None
        self._matched: list[str] = []
        self._notes: list[str] = []
        #: Whether the protocol's selection was applied; None before the first piece.
        self._applied: bool | None = None
        #: Poses of the ground truth before the selection.
        self._offered = 0

    def update(self, pred: Poses, gt: Poses, *, progress: Progress | None = None) -> None:
        """Add predictions and their ground truth; frames are not remembered, so a piece given twice counts twice.

        Raises
        ------
        InputError
            As `score`. What was added before stays as it was.
        """
        prepared = self.prepare(Sides(pred, gt, allow_missing=self.allow_missing, whole=False))
        if self.explain:
            prepared.explain(whole=False)
        run([prepared], progress)
        prepared.commit()

    def prepare(self, sides: Sides) -> Prepared:
        """Everything that is checked before poses are added; nothing is added yet.

        Raises
        ------
        InputError
            As `score`.
        """
        pair = sides.pair(self.protocol)
        if self._applied not in (None, pair.definition_only is None):
            raise InputError(
                f"the selection of protocol {self.protocol.name} fits some pieces and not others, of which "
                f"{pair.gt.source} is the first; all must say their dataset, or none"
            )
        notes = [*pair.pred.notes, *pair.gt.notes, *pair.notes]
        metrics = fitting_metrics(
            self.metrics if self._tally is None else self._tally.metrics,
            self._chosen if self._tally is None else {metric.key for metric in self._tally.metrics},
            self.protocol,
            pair.pred,
            pair.gt,
            self._bindings,
            notes,
        )
        fps = pair.gt.fps or pair.pred.fps if any(Needs.FPS in metric.needs for metric in metrics) else None
        if self._fps is not None and fps is not None and fps != self._fps:
            raise InputError(f"{pair.gt.source} has {fps} frames per second; what came before had {self._fps}")
        setup = self._setup(pair.pred, pair.gt, metrics)
        minus_gt_root = self.protocol.absolute_pred and is_absolute(metrics, self.protocol, pair.pred)
        return Prepared(self, pair, setup, Tally(metrics, setup), notes, minus_gt_root)

    def merge(self, other: Scorer) -> None:
        """Add everything that another scorer of the same protocol and metrics has seen.

        Raises
        ------
        UsageError
            If protocol, metrics or frame rate differ.
        """
        if not isinstance(other, Scorer):
            raise UsageError(f"{type(other).__name__} does not merge with a Scorer; give another Scorer")
        if [metric.key for metric in other.metrics] != [metric.key for metric in self.metrics]:
            raise UsageError(
                f"scorers of different metrics do not merge: {', '.join(map(str, self.metrics))} and "
                f"{', '.join(map(str, other.metrics))}"
            )
        if other.explain != self.explain:
            raise UsageError("scorers that explain and such that do not do not merge")
        if other._tally is None:
            return
        if other._bindings.hashes(other._tally.metrics) != self._bindings.hashes(other._tally.metrics):
            raise UsageError("scorers of different cluster banks do not merge")
        if (other.protocol.sha256, other.allow_missing) != (self.protocol.sha256, self.allow_missing):
            raise UsageError("scorers of different protocols, or of different allow_missing, do not merge")
        if self._applied not in (None, other._applied):
            raise UsageError("scorers with the protocol's selection and without do not merge")
        if self._fps is not None and other._fps not in (None, self._fps):
            raise UsageError(f"scorers of {self._fps} and {other._fps} frames per second do not merge")
        self._absorb(other._tally, list(other._cells), other._keys, other._fps, other._explained)
        self._applied, self._offered = other._applied, self._offered + other._offered
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
        ends, remarks = self._intervals(tally)
        metrics = {}
        for m, metric in enumerate(tally.metrics):
            metrics[metric.key] = MetricValue(
                metric.key,
                self._value(m, rows),
                metric.unit,
                metric.family.higher_is_better,
                self._count(m, rows),
                ends[m],
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
        report = Report(
            metrics,
            coverage,
            self._protocol_record(),
            banks=self._bindings.records(tally.metrics),
            environment=_environment(),
            notes=[
                *(*self._notes, *self._selected(coverage), *_remarks(coverage)),
                *(*self._remarks_on_clusters(tally), *remarks),
            ],
            available_groups=(*available_groups(self.protocol, self._keys), *_cluster_groups(tally)),
            default_groups=tuple(g for g in self.protocol.by if g in available_groups(self.protocol, self._keys)),
            _grouper=self._group,
        )
        if tally.clusters is not None:
            report.confusions = {key: counts.copy() for key, counts in tally.clusters.confusion.items()}
        if self._explained is not None:
            report.explanation = self._explained.explanation(list(self._cells), self.protocol, self._keys)
        return report

    def _setup(self, pred: PoseSet, gt: PoseSet, metrics: Sequence[Metric]) -> Setup:
        skeleton = self.protocol.skeleton

        def root(name: str | None) -> int | None:
            return None if name is None else skeleton.index(name)

        joints = self.protocol.joints
        return Setup(
            np.array([skeleton.index(joint) for joint in joints], np.int64),
            root(self.protocol.pred_root),
            root(self.protocol.gt_root),
            skeleton.root,
            unit_factor(pred),
            unit_factor(gt),
            skeleton,
            tuple(
                (metric, tuple(joints.index(joint) for joint in members))
                for metric, members in self.protocol.metric_joints.items()
            ),
            self._bindings.plan(metrics, skeleton),
        )

    def _protocol_record(self) -> dict[str, Any]:
        record = self.protocol.to_dict()
        if record["selection"] is not None:
            record["selection"] = {**record["selection"], "applied": bool(self._applied)}
        return record

    def _selected(self, coverage: Coverage) -> list[str]:
        if self.protocol.selection is None or not self._applied:
            return []
        n, name = coverage.gt_frames, self.protocol.name
        return [f"protocol {name} selects {n} of the {self._offered} frames of the ground truth"]

    def _remarks_on_clusters(self, tally: Tally) -> list[str]:
        state = tally.clusters
        if state is None:
            return []
        remarks = []
        rows = np.arange(len(self._cells))
        for m, metric in enumerate(tally.metrics):
            if metric.cluster is None:
                continue
            lost = tally.counts["gt_frames"] - self._count(m, rows)
            if lost:
                remarks.append(
                    f"{metric.key} leaves out {lost} frames whose ground truth lacks a joint of its bank, or extent"
                )
            if metric.key in state.ensembles and (spread := state.spread(metric.key)) is not None:
                banks = len(self._bindings.of(metric))
                remarks.append(f"{metric.key}: standard deviation over its {banks} banks {spread:.2f} %")
        if state.lying:
            remarks.append(
                f"{state.lying} poses of the ground truth lie on their side and were not turned to the front"
            )
        return remarks

    # Adding up

    def _absorb(
        self,
        piece: Tally,
        names: Iterable[Cell],
        keys: tuple[str, ...],
        fps: float | None,
        explained: Explained | Explainer | None = None,
    ) -> None:
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
        if explained is not None:
            self._explained = (self._explained or Explained.like(explained)).merged(explained, rows)
        self._tally, self._cells, self._keys, self._fps = merged, cells, keys, self._fps or fps

    def _remember(self, found: Match, notes: list[str]) -> None:
        if found.how not in self._matched:
            self._matched.append(found.how)
        self._notes += [note for note in dict.fromkeys(notes) if note not in self._notes]

    def _commit(self, prepared: Prepared) -> None:
        """Add what was prepared and run."""
        pair = prepared.pair
        fps = pair.gt.fps or pair.pred.fps if any(Needs.FPS in m.needs for m in prepared.tally.metrics) else None
        keys = tuple(key for key in TEXT_KEYS if key in pair.gt.keys)
        self._absorb(prepared.tally, pair.frames.names, keys, fps, prepared.explainer)
        self._applied = pair.definition_only is None
        self._offered += len(pair.gt)
        notes = list(prepared.notes)
        if pair.frames.found.extra:
            notes.append(extra_note(pair.frames.found.extra))
        if pair.definition_only is not None:
            notes.append(
                f"definition only: protocol {self.protocol.name} selects frames of "
                f"{self.protocol.selection.dataset if self.protocol.selection else ''}, but {pair.definition_only}"
            )
        self._remember(pair.frames.found, notes)

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
        if pooling in ("action", "subject", "sequence"):
            names = list(self._cells)
            groups: dict[Cell, list[int]] = {}
            for row in rows.tolist():
                groups.setdefault(names[row][WIDTHS[pooling]], []).append(row)
            values = [self._pooled(tally, m, np.array(members), joint=False) for members in groups.values()]
        else:
            values = [self._pooled(tally, m, rows, joint=pooling == "joint")]
        present = [value for value in values if value is not None]
        return float(np.mean(present)) if present else None

    def _pooled(self, tally: Tally, m: int, rows: npt.NDArray[np.int64], *, joint: bool) -> float | None:
        metric = tally.metrics[m]
        if metric.field is FieldKind.KAPPA:
            assert tally.clusters is not None
            return tally.clusters.kappa(metric.key, rows)
        if metric.field is FieldKind.BONE_SPREAD:
            assert tally.spread is not None
            value = tally.spread.value(rows)
            return value if np.isfinite(value) else None
        sums = tally.cell_sums(m)[rows].sum(0)
        by_item = joint and not metric.reduction.kind.of_one_item
        total, count = (sums[ITEM_SUM], sums[ITEM_COUNT]) if by_item else (sums[POSE_SUM], sums[POSE_COUNT])
        return float(total / count) * self._factor(metric) if count else None

    def _factor(self, metric: Metric) -> float:
        """From the unit of the sums to that of the metric."""
        return time_factor(metric, self._fps) if metric.field in MOTION else 1.0

    def _intervals(self, tally: Tally) -> tuple[list[Interval | None], list[str]]:
        """The 95 % interval of each metric, and what is to be said of them."""
        joint = self.protocol.pooling == "joint"
        by_item = [joint and not metric.reduction.kind.of_one_item for metric in tally.metrics]
        found, remarks = report_intervals(tally, list(self._cells), self.protocol.pooling, by_item)
        ends: list[Interval | None] = []
        for metric, interval in zip(tally.metrics, found, strict=True):
            least, most = metric.family.range
            factor = self._factor(metric)
            ends.append(interval and (_at_least(interval[0] * factor, least), _at_most(interval[1] * factor, most)))
        return ends, remarks

    def _count(self, m: int, rows: npt.NDArray[np.int64]) -> int:
        tally = self._tally
        assert tally is not None
        if tally.metrics[m].field is FieldKind.KAPPA:
            assert tally.clusters is not None
            return tally.clusters.scored(tally.metrics[m].key, rows)
        if tally.metrics[m].field is FieldKind.BONE_SPREAD:
            assert tally.spread is not None
            return int(tally.spread.moments[..., 0].sum(0).max(initial=0))
        return int(tally.cell_sums(m)[rows, POSE_COUNT].sum())

    def _group(self, group: str) -> dict[str, dict[str, float | None]]:
        tally = self._tally
        assert tally is not None
        if group in ("joint", "part", "joint_group"):
            return _by_joint(tally, group, self.protocol)
        if group == "setting":
            return self._by_setting()
        if group.startswith(_CLUSTER):
            return _by_cluster(tally, group)
        return {
            name: {metric.key: self._value(m, np.array(rows)) for m, metric in enumerate(tally.metrics)}
            for name, rows in members(list(self._cells), group).items()
        }

    def _by_setting(self) -> dict[str, dict[str, float | None]]:
        """Values over the subjects of each of the protocol's settings; frames weigh alike, as in the whole."""
        tally = self._tally
        assert tally is not None
        result = {}
        for name, subjects in self.protocol.settings.items():
            rows = [
                row
                for row, cell in enumerate(self._cells)
                if cell[0] is not None and any(same_subject(cell[0], subject) for subject in subjects)
            ]
            if rows:
                result[name] = {metric.key: self._value(m, np.array(rows)) for m, metric in enumerate(tally.metrics)}
        return result


#: A group's name is that of its metric with this in place of PSS: `cluster@50`.
_CLUSTER = "cluster"


def cluster_groups(metrics: Iterable[Metric]) -> tuple[str, ...]:
    """The groups by cluster that a report with these metrics has, if they can be scored."""
    return tuple(
        m.key.replace("PSS", _CLUSTER, 1) for m in metrics if m.cluster is not None and m.cluster.kind == "hit"
    )


def _cluster_groups(tally: Tally) -> tuple[str, ...]:
    return () if tally.clusters is None else tuple(key.replace("PSS", _CLUSTER, 1) for key in tally.clusters.confusion)


def _by_cluster(tally: Tally, group: str) -> dict[str, dict[str, float | None]]:
    """For each cluster that the ground truth is in, the share of its poses whose prediction is in it too."""
    assert tally.clusters is not None
    key = group.replace(_CLUSTER, "PSS", 1)
    counts = tally.clusters.confusion[key]
    width = len(str(len(counts) - 1))
    return {
        f"{cluster:0{width}d}": {key: float(100 * row[cluster] / row.sum())}
        for cluster, row in enumerate(counts)
        if row.sum()
    }


def _by_joint(tally: Tally, group: str, protocol: Protocol) -> dict[str, dict[str, float | None]]:
    """Values per joint, or per body part, of the metrics that are means over joints."""
    skeleton = tally.setup.skeleton
    assert skeleton is not None
    joints = [skeleton.joints[j] for j in tally.setup.joints]
    members: dict[str, tuple[str, ...]] = {joint: (joint,) for joint in joints}
    if group != "joint":
        members = dict(skeleton.parts if group == "part" else protocol.joint_groups)
    result: dict[str, dict[str, float | None]] = {}
    for name, of in members.items():
        if not set(of) & set(joints):
            continue
        result[name] = {}
        for m, metric in enumerate(tally.metrics):
            if metric.splits_by_joint:
                items = tally.setup.metric_items(metric)
                rows = [items.index(joint) for joint in of if joint in items]
                total, count = tally.items[m][rows].sum(0)
                result[name][metric.key] = float(total / count) if count else None
    return result


@dataclass
class Prepared:
    """A piece that was found fit to be scored, and the tally that `run` fills."""

    scorer: Scorer
    pair: Pair
    setup: Setup
    tally: Tally
    notes: list[str]
    #: Whether the ground truth's root is taken off an absolute prediction.
    minus_gt_root: bool = False
    #: Keeps values per frame, where they are asked for.
    recorder: Recorder | None = None
    #: Keeps single poses and the spread of errors, where they are asked for.
    sampler: Sampler | None = None
    #: Shares the errors out among faults, where that is asked for.
    explainer: Explainer | None = None
    _scorable: npt.NDArray[np.bool_] | None = None

    def record(self) -> None:
        """Keep the values per frame of what `run` adds."""
        n, pooling = len(self.pair.frames), self.scorer.protocol.pooling
        self.recorder = Recorder(self.tally.metrics, n, joint_pooling=pooling == "joint")
        if self.recorder.motion:
            self._scorable = np.zeros(n, np.bool_)

    def frames(self, report: Report) -> FrameTable | None:
        """The values per frame that were kept, as those of this report."""
        if self.recorder is None:
            return None
        gt, fps = self.pair.gt, self.pair.gt.fps or self.pair.pred.fps
        record_motion(self.recorder, self.pair, self._error_vectors, fps)
        return self.recorder.table(gt, self.pair.frames.gt_rows, origin_of(report, gt.dataset))

    def sample(self) -> None:
        """Keep samples of what `run` adds."""
        pooling = self.scorer.protocol.pooling
        n = len(self.pair.frames)
        self.sampler = Sampler(self.tally.metrics, self.setup, n, joint_pooling=pooling == "joint")

    def samples(self) -> Samples | None:
        """The samples that were kept."""
        if self.sampler is None:
            return None
        return self.sampler.samples(self.pair, self._poses, self.setup, self.scorer._bindings, self.tally.metrics)

    def explain(self, *, whole: bool) -> None:
        """Share out the errors of what `run` adds; `whole` if these are all the frames there are."""
        self.explainer = Explainer(self.pair, self.setup, self._poses, whole)

    def _poses(self, rows: Rows) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
        """Prediction, ground truth and its mask of some of the poses that are scored."""
        pred, gt, frames = self.pair.pred, self.pair.gt, self.pair.frames
        of_gt = frames.gt_chunk(rows)
        taken, true = pred.take(frames.pred_chunk(rows)), gt.poses[of_gt]
        if self.minus_gt_root:
            assert self.setup.gt_root is not None
            unit = self.setup.gt_unit / self.setup.pred_unit
            taken = taken - true[:, [self.setup.gt_root]].astype(np.float64) * unit
        return taken, true, None if gt.valid is None else gt.valid[of_gt]

    def _error_vectors(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """What motion metrics take the differences of."""
        assert self._scorable is not None
        p, g, known = in_mm(*self._poses(rows), self.setup)
        return error_vectors(p, g, known & self._scorable[rows, None], self.setup)

    def add(self, rows: slice) -> tuple[Tally, npt.NDArray[np.int64]]:
        """The tally of some of the poses, and the cells that its cells are."""
        pred, gt, frames = self.pair.pred, self.pair.gt, self.pair.frames
        present, local = np.unique(frames.cells[rows], return_inverse=True)
        tally = Tally(self.tally.metrics, self.setup)
        of_gt, of_pred = frames.gt_chunk(rows), frames.pred_chunk(rows)
        numbers = None if gt.frame is None else gt.frame[of_gt]
        keep = keepers(rows, [watcher for watcher in (self.recorder, self.sampler) if watcher is not None])
        flags = tally.add(*self._poses(rows), local, numbers, keep)
        if self._scorable is not None:
            self._scorable[rows] = (flags & int(PoseFlag.UNSCORABLE)) == 0
        gt_rows, pred_rows = (
            np.arange(found.start, found.stop) if isinstance(found, slice) else found for found in (of_gt, of_pred)
        )
        refuse_non_finite(
            flags, pred, gt, pred_rows, gt_rows, self.setup, gt.valid, allow_missing=self.scorer.allow_missing
        )
        return tally, present

    def clear(self) -> None:
        """An empty tally again."""
        self.tally = Tally(self.tally.metrics, self.setup)

    def commit(self) -> None:
        """Hand the tally to the scorer; until then the scorer is as it was."""
        self.scorer._commit(self)


def run(prepared: Sequence[Prepared], progress: Progress | None) -> None:
    """Fill the tallies of pieces that share their frames, in one pass over the poses."""

    def add(rows: slice) -> list[tuple[Tally, npt.NDArray[np.int64]]]:
        return [piece.add(rows) for piece in prepared]

    n = len(prepared[0].pair.frames)
    for tallies in map_chunks(add, n):
        for piece, (tally, present) in zip(prepared, tallies, strict=True):
            piece.tally.merge(tally, present)
        if progress is not None:
            progress(tallies[0][0].counts["gt_frames"])
    for piece in prepared:
        if piece.explainer is not None:
            piece.explainer.run()


def available_groups(protocol: Protocol, keys: Sequence[str]) -> tuple[str, ...]:
    """What a report under a protocol can be grouped by, given the keys of the ground truth."""
    return (
        *(key for key in keys if key != "frame"),
        "joint",
        "part",
        *(["setting"] if protocol.settings and "subject" in keys else []),
        *(["joint_group"] if protocol.joint_groups else []),
    )


def load(poses: Poses | str | Path, side: str) -> Poses:
    """Poses as they are; those in a file read."""
    if isinstance(poses, str | Path):
        from posebench.io import read

        return read(poses)
    as_poseset(poses, side)
    return poses


def inputs(sides: Sequence[Poses], hashes: Sequence[Future[str | None]]) -> dict[str, dict[str, Any]]:
    """What a report records of its inputs."""
    return {
        name: {"path": side.path if isinstance(side, PoseSet) else None, "sha256": digest.result()}
        for name, side, digest in zip(("pred", "gt"), sides, hashes, strict=True)
    }


def _at_least(value: float, least: float | None) -> float:
    return value if least is None else max(value, least)


def _at_most(value: float, most: float | None) -> float:
    return value if most is None else min(value, most)


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


__all__ = ["Prepared", "Progress", "Scorer", "available_groups", "cluster_groups", "inputs", "load", "run", "score"]
