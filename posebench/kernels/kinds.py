"""The ways in which the errors of one pose become its value."""

from __future__ import annotations

from enum import IntEnum


class ReductionKind(IntEnum):
    """How an error field's row becomes one number; `reductions` holds the compiled form."""

    MEAN = 0  # mean over items, in the field's unit
    WORST = 1  # largest item
    SHARE_BELOW = 2  # percent of items < threshold
    SHARE_UP_TO = 3  # percent of items <= threshold
    AREA = 4  # mean over thresholds of SHARE_BELOW
    AREA_CONTINUOUS = 5  # mean of clip(1 - error / threshold, 0, 1), in percent
    AREA_TRAPEZOID = 7  # trapezoidal mean over thresholds of SHARE_UP_TO
    POSE_AREA = 6  # max(0, threshold - worst item): area under "worst error < t" for t from 0 to threshold

    @property
    def of_one_item(self) -> bool:
        """Whether a pose's value is one item's, not a mean over items."""
        return self in (ReductionKind.WORST, ReductionKind.POSE_AREA)


#: Columns of a cell's sums: sum of pose values, number of poses, sum of item values, number of items.
POSE_SUM, POSE_COUNT, ITEM_SUM, ITEM_COUNT = range(4)
