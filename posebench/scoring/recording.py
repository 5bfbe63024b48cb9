"""Values per frame, kept while a set is scored: what becomes the `FrameTable` of a report.

Each chunk writes to its own rows of arrays that exist from the start, so the table does not depend on threads. Motion
metrics need the frame before, which may lie in another chunk; their values are taken in a pass of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from posebench.frames import FrameMetric, FrameTable, Origin
from posebench.kernels.dispatch import CHUNK
from posebench.kernels.kinds import ReductionKind
from posebench.metrics.fields import Floats
from posebench.metrics.motion import time_factor
from posebench.metrics.registry import FieldKind, Metric
from posebench.poses import KeyColumn, PoseSet

if TYPE_CHECKING:
    from posebench.scoring.sides import Pair

#: Metrics across frames, and how many steps in time they take.
MOTION = {FieldKind.VELOCITY: 1, FieldKind.ACCELERATION: 2}
_ABSENT = {
    FieldKind.BONE_SPREAD: "a standard deviation over frames, to which no frame contributes by itself",
    FieldKind.KAPPA: "taken from the shares of all clusters, to which no frame contributes by itself",
}
_TOO_LARGE = "it has values that float32 does not hold"


class Recorder:
    """Values and weights per frame of the metrics of one run; of no metric but those that have some."""

    def __init__(self, metrics: Sequence[Metric], frames: int, *, joint_pooling: bool) -> None:
        self._metrics = tuple(metrics)
        self._rows = {metric.key: row for row, metric in enumerate(m for m in self._metrics if m.field not in _ABSENT)}
        self.values = np.full((len(self._rows), frames), np.nan, np.float32)
        self._weights = np.zeros((len(self._rows) if joint_pooling else 0, frames), np.uint16)

    @property
    def motion(self) -> list[Metric]:
        """The metrics that `add_motion` is for."""
        return [metric for metric in self._metrics if metric.field in MOTION]

    def keep(self, rows: slice, metric: Metric, values: Floats, items: Floats) -> None:
        """Keep a metric's values (n,) of these frames, reduced from items (n, K)."""
        row = self._rows[metric.key]
        with np.errstate(over="ignore"):  # what becomes infinite is noticed in the end
            self.values[row, rows] = values
        if len(self._weights) and not metric.reduction.kind.of_one_item:
            mean = metric.reduction.kind is ReductionKind.MEAN
            counted = np.isfinite(items) if mean else ~np.isnan(items)
            self._weights[row, rows] = np.count_nonzero(counted, axis=1)

    def add_motion(
        self, rows: npt.NDArray[np.int64], steps: int, vectors: Floats, linked: npt.NDArray[np.bool_], fps: float | None
    ) -> None:
        """Keep the metrics of so many steps in time of frames in order of time.

        `vectors` (n, K, 3) are their errors, `linked` (n - 1,) says whether a frame follows the one before it; the
        value of a transition is that of its last frame.
        """
        whole = np.lib.stride_tricks.sliding_window_view(linked, steps).all(1) if len(linked) >= steps else linked[:0]
        errors = np.linalg.norm(np.diff(vectors, n=steps, axis=0)[whole], axis=2)
        usable = ~np.isnan(errors)
        count = usable.sum(1)
        means = np.where(count, np.where(usable, errors, 0.0).sum(1) / np.maximum(count, 1), np.nan)
        for metric in self.motion:
            if MOTION[metric.field] == steps:
                row, last = self._rows[metric.key], rows[steps:][whole]
                with np.errstate(over="ignore"):
                    self.values[row, last] = means * time_factor(metric, fps)
                if len(self._weights):
                    self._weights[row, last] = count

    def table(self, gt: PoseSet, rows: npt.NDArray[np.int64] | None, origin: Origin) -> FrameTable:
        """The table of these rows of the ground truth (None for all)."""
        absent = {m.key: _ABSENT[m.field] for m in self._metrics if m.field in _ABSENT}
        kept: list[int] = []
        metrics: list[FrameMetric] = []
        sets: list[int] = []
        for metric in self._metrics:
            if metric.key in absent:
                continue
            row = self._rows[metric.key]
            if np.isinf(self.values[row]).any():
                absent[metric.key] = _TOO_LARGE
                continue
            weights = None
            if len(self._weights) and not metric.reduction.kind.of_one_item:
                weights = self._same_set(row, sets)
            kept.append(row)
            metrics.append(FrameMetric(metric.key, metric.unit, metric.family.higher_is_better, weights))
        chosen: Any = slice(None) if rows is None else rows
        return FrameTable(
            tuple(metrics),
            self.values if len(kept) == len(self.values) else self.values[kept],
            self._weights[sets],
            {key: _used(column[chosen]) for key, column in gt.keys.items() if isinstance(column, KeyColumn)},
            None if gt.frame is None else gt.frame[chosen],
            origin,
            absent,
        )

    def _same_set(self, row: int, sets: list[int]) -> int:
        """The place among the sets of weights of one that is the same; a new one if there is none."""
        for place, other in enumerate(sets):
            if np.array_equal(self._weights[row], self._weights[other]):
                return place
        sets.append(row)
        return len(sets) - 1


def record_motion(recorder: Recorder, pair: Pair, vectors_of: Any, fps: float | None) -> None:
    """Give a recorder the motion of all frames; `vectors_of(rows)` gives error vectors (n, K, 3) of scored frames."""
    steps = sorted({MOTION[metric.field] for metric in recorder.motion})
    if not steps:
        return
    gt, frames = pair.gt, pair.frames
    assert gt.frame is not None
    numbers = gt.frame if frames.gt_rows is None else gt.frame[frames.gt_rows]
    order = np.lexsort((numbers, frames.cells))
    # Overlapping, so that each transition lies whole in one piece; what lies in two gets the same value twice.
    for start in range(0, len(order), CHUNK):
        rows = order[max(0, start - max(steps)) : start + CHUNK]
        linked = (np.diff(frames.cells[rows]) == 0) & (np.diff(numbers[rows]) == 1)
        vectors = vectors_of(rows)
        for n in steps:
            recorder.add_motion(rows, n, vectors, linked, fps)


def _used(column: KeyColumn) -> KeyColumn:
    """A column without the names that no row has."""
    present, codes = np.unique(column.codes, return_inverse=True)
    return KeyColumn(codes.astype(np.int32), tuple(column.names[code] for code in present.tolist()))


__all__ = ["Recorder", "record_motion"]
