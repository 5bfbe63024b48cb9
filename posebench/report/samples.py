"""Samples: what a report keeps for those who want to look and not only count: a few poses, and how errors are spread.

Their size does not depend on the number of frames. `posebench.scoring.sampling` takes them while a set is scored; they
are shown by the HTML report and are no part of the result JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from posebench.skeletons import Skeleton

    Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SampledPose:
    """One scored frame: prediction and ground truth (J, 3) in mm, as the metric compares them."""

    #: What it stands for: "worst", or the share of frames whose error is smaller, as in "50 %".
    why: str
    error: float
    #: Row of the ground truth, from 0.
    row: int
    #: Subject, action, sequence, camera and frame, as far as the ground truth says them.
    keys: dict[str, str]
    #: NaN where a joint is masked or missing.
    pred: Floats
    gt: Floats


@dataclass(frozen=True, eq=False)
class ErrorCurve:
    """Share of joints whose error is below a threshold: `within[t]` in percent, for t = 0, 1, … mm."""

    #: The metrics that take their errors from this alignment, over the same joints.
    metrics: tuple[str, ...]
    #: How the prediction is brought onto the ground truth before errors are taken, in words.
    aligned: str
    within: Floats


@dataclass(frozen=True, eq=False)
class Centres:
    """Centres (k, J, 3) of the bank behind a PSS, as they are drawn."""

    bank: str
    poses: Floats
    skeleton: Skeleton
    #: Which axis points up, see `posebench.drawing.View`.
    up: str


@dataclass(frozen=True, eq=False)
class Samples:
    """What was sampled from a run.

    Examples
    --------
    >>> import numpy as np
    >>> import posebench as pb
    >>> gt = np.random.default_rng(0).normal(size=(50, 17, 3)) * 300
    >>> pred = gt + 30 * (np.arange(17)[:, None] > 0)
    >>> samples = pb.score(pred, gt, metrics=["MPJPE", "PCK"], samples=True).samples
    >>> samples.metric, samples.poses[0].why, round(float(samples.curves[0].within[150]))
    ('MPJPE', '50 %', 100)
    """

    #: The metric by whose error poses were chosen; None if no metric is a mean distance of joints.
    metric: str | None
    #: The joints that are drawn.
    skeleton: Skeleton
    up: str
    #: Ends (B + 1,) of classes of the error per frame in mm, and how many frames (B,) are in each.
    edges: Floats
    counts: npt.NDArray[np.int64]
    curves: tuple[ErrorCurve, ...] = ()
    poses: tuple[SampledPose, ...] = ()
    #: By the spelling of a PSS.
    centres: dict[str, Centres] = field(default_factory=dict)
    #: Error below which a share of the frames lies: {0.5: median}; exact to 2 %.
    quantiles: dict[float, float] = field(default_factory=dict)
    #: How many stretches of the frames were searched for a worst one each.
    stretches: int = 0
