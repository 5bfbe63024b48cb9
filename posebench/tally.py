"""Tally: the mergeable sums behind a report.

A tally keeps, per cell (one subject, action, sequence and camera) and metric, four sums; per metric and joint, two; and
the ends of motion runs. Tallies of any split of a set merge into the tally of the whole; every value of a report, total
or per group, is taken from the merged sums at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from posebench.kernels import PoseFlag
from posebench.metrics.clusters import ClusterState
from posebench.metrics.fields import ACROSS_FRAMES, Floats, Setup, error_fields, field_key, in_mm, reduce_metric
from posebench.metrics.motion import MotionState, error_vectors
from posebench.metrics.registry import FieldKind, Metric
from posebench.metrics.structure import SpreadState

#: What is told the values (n,) of a metric, and the items (n, K) that they come from.
Keep = Callable[[Metric, Floats, Floats], None]


@dataclass
class Tally:
    """Sums of the given metrics over some poses."""

    metrics: tuple[Metric, ...]
    setup: Setup
    #: (cells, metrics, 4).
    sums: Floats = field(init=False)
    #: Per metric: (items, 2), sum and count.
    items: list[Floats] = field(init=False)
    counts: Counter[str] = field(default_factory=Counter)
    motion: MotionState | None = None
    spread: SpreadState | None = None
    clusters: ClusterState | None = None

    def __post_init__(self) -> None:
        self.sums = np.zeros((0, len(self.metrics), 4))
        self.items = [np.zeros((len(self.setup.metric_items(metric)), 2)) for metric in self.metrics]
        kinds = {metric.field for metric in self.metrics}
        if kinds & {FieldKind.VELOCITY, FieldKind.ACCELERATION}:
            self.motion = MotionState(len(self.setup.joints))
        if FieldKind.BONE_SPREAD in kinds:
            self.spread = SpreadState(len(self.setup.bones()))
        if self.setup.clusters is not None:
            self.clusters = ClusterState(self.setup.clusters)

    def add(
        self,
        pred: Floats | npt.NDArray[np.float32],
        gt: Floats | npt.NDArray[np.float32],
        valid: npt.NDArray[np.bool_] | None,
        cells: npt.NDArray[np.int64],
        frames: npt.NDArray[np.int64] | None,
        keep: Keep | None = None,
    ) -> npt.NDArray[np.uint16]:
        """Add poses (N, J, 3), each of a cell numbered from 0; returns their flags, to be judged by the caller.

        `keep` is called with each metric that has values per pose.
        """
        plan = self.setup.clusters
        assigned = None if plan is None else plan.assign(pred, gt, valid)
        fields, flags = error_fields(self.metrics, pred, gt, valid, self.setup, assigned)
        self._grow(int(cells.max(initial=-1)) + 1)
        values = np.empty(len(flags))
        for m, metric in enumerate(self.metrics):
            if metric.field in ACROSS_FRAMES:
                continue
            cell_sums = np.zeros((len(self.sums), 4))
            columns = self.setup.columns(metric)
            reduce_metric(metric, fields, flags, cells, values, cell_sums, self.items[m], columns)
            self.sums[:, m] += cell_sums
            if keep is not None:
                items = fields[field_key(metric)]
                keep(metric, values, items if columns is None else items[:, list(columns)])
        self._count(flags, valid)
        if self.clusters is not None and assigned is not None:
            self.clusters.update(assigned, cells, (flags & int(PoseFlag.UNSCORABLE)) == 0)
        if self.motion is not None or self.spread is not None:
            p, g, known = in_mm(pred, gt, valid, self.setup)
            known = known & ((flags & int(PoseFlag.UNSCORABLE)) == 0)[:, None]
            if self.spread is not None:
                self.spread.update(p, g, known, self.setup, cells)
            if self.motion is not None:
                assert frames is not None
                self.motion.update(error_vectors(p, g, known, self.setup), cells, frames)
        return flags

    def merge(self, other: Tally, rows: npt.NDArray[np.int64]) -> None:
        """Add another tally whose cell c is this one's rows[c]."""
        self._grow(int(rows.max(initial=-1)) + 1)
        np.add.at(self.sums, rows[: len(other.sums)], other.sums)
        for mine, theirs in zip(self.items, other.items, strict=True):
            mine += theirs
        self.counts.update(other.counts)
        if self.motion is not None and other.motion is not None:
            self.motion.merge(other.motion, rows)
        if self.spread is not None and other.spread is not None:
            self.spread.merge(other.spread, rows)
        if self.clusters is not None and other.clusters is not None:
            self.clusters.merge(other.clusters, rows)

    def copy(self) -> Tally:
        """A tally with the same sums, to be added to without touching this one."""
        twin = copy(self)
        twin.sums, twin.counts = self.sums.copy(), self.counts.copy()
        twin.items = [items.copy() for items in self.items]
        twin.clusters = None if self.clusters is None else self.clusters.copy()
        twin.motion, twin.spread = deepcopy(self.motion), deepcopy(self.spread)
        return twin

    def cell_sums(self, m: int) -> Floats:
        """The four sums (cells, 4) of the m-th metric."""
        kind = self.metrics[m].field
        if kind not in (FieldKind.VELOCITY, FieldKind.ACCELERATION):
            return self.sums[:, m]
        assert self.motion is not None
        sums = self.motion.sums(kind)
        return np.concatenate([sums, np.zeros((len(self.sums) - len(sums), 4))])

    def _grow(self, cells: int) -> None:
        missing = cells - len(self.sums)
        if missing > 0:
            self.sums = np.concatenate([self.sums, np.zeros((missing, *self.sums.shape[1:]))])

    def _count(self, flags: npt.NDArray[np.uint16], valid: npt.NDArray[np.bool_] | None) -> None:
        def number(flag: PoseFlag) -> int:
            return int(np.count_nonzero(flags & int(flag)))

        lost = PoseFlag.UNSCORABLE
        if any(metric.needs_root for metric in self.metrics):
            lost |= PoseFlag.ROOT_INVALID
        self.counts.update(
            gt_frames=len(flags),
            scored=int(np.count_nonzero((flags & int(lost | PoseFlag.MISSING)) == 0)),
            missing=number(PoseFlag.MISSING),
            unscorable=number(lost),
            degenerate=number(PoseFlag.DEGENERATE),
            ambiguous=number(PoseFlag.AMBIGUOUS),
            negative_scale=number(PoseFlag.NEGATIVE_SCALE),
            invalid_joints=0 if valid is None else int(np.count_nonzero(~valid[:, self.setup.joints])),
        )
