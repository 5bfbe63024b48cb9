"""From an error field to numbers: one value per pose, and sums per cell and per item that merge by adding.

A *cell* is one combination of subject, action, sequence and camera; every grouping and every pooling of a report is
made later from the cells' sums alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from posebench.kernels.compiling import kernel
from posebench.kernels.kinds import ITEM_COUNT, ITEM_SUM, POSE_COUNT, POSE_SUM, ReductionKind

_MEAN = int(ReductionKind.MEAN)
_WORST = int(ReductionKind.WORST)
_SHARE_BELOW = int(ReductionKind.SHARE_BELOW)
_SHARE_UP_TO = int(ReductionKind.SHARE_UP_TO)
_AREA = int(ReductionKind.AREA)
_AREA_TRAPEZOID = int(ReductionKind.AREA_TRAPEZOID)
_AREA_CONTINUOUS = int(ReductionKind.AREA_CONTINUOUS)


@kernel
def reduce_field(field, kind, thresholds, cells, values, cell_sums, item_sums):  # type: ignore[no-untyped-def]
    """Reduce a field (N, K) to values (N,), adding to cell_sums (C, 4) and item_sums (K, 2).

    NaN items are not the ground truth's to score and are left out. Infinite items are missing predictions: wrong under
    a threshold, left out of distances. A pose without any item to score gets NaN and is not counted.
    """
    n, n_items = field.shape
    n_thresholds = thresholds.shape[0]
    limit = thresholds[0] if n_thresholds > 0 else 0.0
    scores = np.empty(n_items)
    item_totals = np.zeros(n_items)
    item_counts = np.zeros(n_items)
    whole = 0  # poses all of whose items counted
    for i in range(n):
        total = 0.0
        count = 0
        if kind == _MEAN:
            for k in range(n_items):
                total += field[i, k]
            if total < np.inf:
                count = n_items
                whole += 1
                for k in range(n_items):
                    item_totals[k] += field[i, k]
            else:
                total = 0.0
                for k in range(n_items):
                    error = field[i, k]
                    if error < np.inf:
                        total += error
                        count += 1
                        item_totals[k] += error
                        item_counts[k] += 1.0
        elif (
            kind == _SHARE_BELOW
            or kind == _SHARE_UP_TO
            or kind == _AREA
            or kind == _AREA_TRAPEZOID
            or kind == _AREA_CONTINUOUS
        ):
            if kind == _SHARE_BELOW:
                for k in range(n_items):
                    scores[k] = 100.0 if field[i, k] < limit else 0.0
            elif kind == _SHARE_UP_TO:
                for k in range(n_items):
                    scores[k] = 100.0 if field[i, k] <= limit else 0.0
            elif kind == _AREA:
                for k in range(n_items):
                    scores[k] = 0.0
                for t in range(n_thresholds):
                    threshold = thresholds[t]
                    for k in range(n_items):
                        scores[k] += 1.0 if field[i, k] < threshold else 0.0
                for k in range(n_items):
                    scores[k] *= 100.0 / n_thresholds
            elif kind == _AREA_TRAPEZOID:
                for k in range(n_items):
                    scores[k] = 0.0
                for t in range(n_thresholds):
                    threshold = thresholds[t]
                    weight = 0.5 if t == 0 or t == n_thresholds - 1 else 1.0
                    for k in range(n_items):
                        scores[k] += weight if field[i, k] <= threshold else 0.0
                for k in range(n_items):
                    scores[k] *= 100.0 / (n_thresholds - 1)
            else:
                for k in range(n_items):
                    scores[k] = 100.0 * (1.0 - field[i, k] / limit) if field[i, k] < limit else 0.0
            masked = 0
            for k in range(n_items):
                masked += field[i, k] != field[i, k]
            count = n_items - masked
            if masked == 0:
                whole += 1
                for k in range(n_items):
                    total += scores[k]
                    item_totals[k] += scores[k]
            else:
                for k in range(n_items):
                    if field[i, k] == field[i, k]:
                        total += scores[k]
                        item_totals[k] += scores[k]
                        item_counts[k] += 1.0
        else:
            worst = -1.0
            for k in range(n_items):
                error = field[i, k]
                if error > worst and (error < np.inf or kind != _WORST):
                    worst = error
            if worst >= 0.0:
                count = 1
                total = worst if kind == _WORST else max(0.0, limit - worst)
        if count == 0:
            values[i] = np.nan
            continue
        value = total / count
        values[i] = value
        cell = cells[i]
        cell_sums[cell, POSE_SUM] += value
        cell_sums[cell, POSE_COUNT] += 1.0
        cell_sums[cell, ITEM_SUM] += total
        cell_sums[cell, ITEM_COUNT] += count
    for k in range(n_items):
        item_sums[k, 0] += item_totals[k]
        item_sums[k, 1] += item_counts[k] + whole


__all__: list[Any] = ["reduce_field"]
