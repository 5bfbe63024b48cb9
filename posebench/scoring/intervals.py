"""The 95 % intervals of a report, from the sums of its tally: a cluster is a sequence with all its cameras.

Every metric whose sums merge has one: means, also of motion, PSS-kappa from its label counts, BoneSpread from its
moments. Where the ground truth names no sequences, nothing is known about what belongs together, and there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.kernels.kinds import ITEM_COUNT, ITEM_SUM, POSE_COUNT, POSE_SUM
from posebench.metrics.registry import FieldKind, Metric
from posebench.scoring.sides import Cell
from posebench.statistics import FEW_SUBJECTS, FEWEST, ClusterSums, Floats, Interval, intervals
from posebench.tally import Tally

#: Where the names of a pooling's groups stand among the keys of a cell.
WIDTHS = {"action": slice(1, 2), "subject": slice(0, 1), "sequence": slice(0, 3)}


def report_intervals(
    tally: Tally, cells: Sequence[Cell], pooling: str, by_item: Sequence[bool]
) -> tuple[list[Interval | None], list[str]]:
    """The interval of each metric of a tally, in the unit of its sums, and what a reader must know of them.

    `by_item` tells for each metric whether its items weigh alike, instead of its frames.
    """
    if any(cell[2] is None for cell in cells):
        return [None] * len(tally.metrics), []
    names = sorted({cell[:3] for cell in cells}, key=str)
    place = {name: code for code, name in enumerate(names)}
    clusters = np.array([place[cell[:3]] for cell in cells], np.int64)
    if len(names) < FEWEST:
        n = f"{len(names)} sequence{'s' if len(names) > 1 else ''}"
        return [None] * len(tally.metrics), [f"no 95 % intervals: {n}, and they need {FEWEST}"]
    groups = np.zeros(len(cells), np.int64)
    if pooling in ("action", "subject"):
        groups = np.unique([str(cell[WIDTHS[pooling]]) for cell in cells], return_inverse=True)[1].astype(np.int64)
    table = _Table(clusters, groups, len(cells))
    numbers = [_number(tally, m, table, by_item=by_item[m]) for m in range(len(tally.metrics))]
    if pooling == "sequence":
        numbers = [number.by_cluster() for number in numbers]
    found = intervals(numbers)
    if not any(found):
        why = "too few in each group, of too unequal weight, or alike"
        return found, [f"no 95 % intervals: the {len(names)} sequences are {why}"]
    subjects = {cell[0] for cell in cells if cell[0] is not None}
    if not 0 < len(subjects) < FEW_SUBJECTS:
        return found, []
    whose, people = (
        (f"{len(subjects)} subjects", "these subjects") if len(subjects) > 1 else ("1 subject", "this subject")
    )
    return found, [f"{whose}: the 95 % intervals are over sequences ({len(names)}) of {people}, not over people"]


class _Table:
    """Adds up cells to clusters and groups."""

    def __init__(self, clusters: npt.NDArray[np.int64], groups: npt.NDArray[np.int64], cells: int) -> None:
        self._places = clusters, groups
        self._shape = int(clusters.max()) + 1, int(groups.max()) + 1
        self._cells = cells

    def added(self, sums: npt.NDArray[Any]) -> Floats:
        """(clusters, groups, P) from (cells, P); cells that are not there yet hold nothing."""
        whole = np.zeros((*self._shape, sums.shape[1]))
        np.add.at(whole, tuple(place[: len(sums)] for place in self._places), sums)
        return whole


def _number(tally: Tally, m: int, table: _Table, *, by_item: bool) -> ClusterSums:
    metric = tally.metrics[m]
    if metric.field is FieldKind.KAPPA:
        return _kappa(tally, metric, table)
    if metric.field is FieldKind.BONE_SPREAD:
        return _spread(tally, table)
    sums = table.added(tally.cell_sums(m))
    total, count = (ITEM_SUM, ITEM_COUNT) if by_item else (POSE_SUM, POSE_COUNT)
    return ClusterSums.of_means(sums[..., total], sums[..., count])


def _kappa(tally: Tally, metric: Metric, table: _Table) -> ClusterSums:
    assert tally.clusters is not None
    shares = tally.clusters.shares[metric.key]
    k = shares.shape[2]
    sums = table.added(shares.reshape(len(shares), -1))

    def finish(sums: Floats) -> Floats:
        agree, pred, gt = (sums[..., part * k : (part + 1) * k] for part in range(3))
        n = np.maximum(gt.sum(-1), 1.0)
        chance = (pred * gt).sum(-1) / n**2
        usable = (gt.sum(-1) > 0) & (chance < 1.0)
        return np.where(usable, (agree.sum(-1) / n - chance) / np.where(usable, 1.0 - chance, 1.0), np.nan)

    return ClusterSums(sums, sums[..., 2 * k :].sum(-1), finish)


def _spread(tally: Tally, table: _Table) -> ClusterSums:
    assert tally.spread is not None
    count, mean, squares = np.moveaxis(tally.spread.moments, -1, 0)
    bones = count.shape[1]
    # About the mean of all, so that no digits are lost between squares that are almost the same.
    centre = (count * mean).sum(0) / np.maximum(count.sum(0), 1.0)
    parts = (count, count * (mean - centre), squares + count * (mean - centre) ** 2)
    sums = table.added(np.concatenate(parts, axis=1))

    def finish(sums: Floats) -> Floats:
        n, first, second = (sums[..., part * bones : (part + 1) * bones] for part in range(3))
        some = n > 0
        safe = np.where(some, n, 1.0)
        deviations = np.sqrt(np.maximum(second / safe - (first / safe) ** 2, 0.0))
        total, held = np.where(some, deviations, 0.0).sum(-1), some.sum(-1)
        return np.where(held > 0, total / np.maximum(held, 1), np.nan)

    return ClusterSums(sums, sums[..., :bones].max(-1), finish)


__all__ = ["WIDTHS", "report_intervals"]
