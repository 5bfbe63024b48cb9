"""Worst and typical frames as skeletons: the prediction beside its ground truth, from the camera and from the side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from posebench.drawing import Grid, View, page
from posebench.errors import InputError, UsageError
from posebench.metrics.evaluate import Poses
from posebench.protocols import Protocol
from posebench.report.content import clean
from posebench.report.samples import SampledPose, Samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICKS = ("worst", "typical", "all")
#: Degrees from which the side is seen, inches, and dots per inch.
_SIDE, _CELL, _DPI = 90.0, 0.95, 160

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PoseGrid:
    """Frames in the order in which they are drawn, and what they were sampled with."""

    samples: Samples
    poses: tuple[SampledPose, ...]
    source: str


def measure(
    pred: Poses | str | Path,
    gt: Poses | str | Path,
    *,
    pick: str = "all",
    protocol: str | Path | Protocol = "standard",
) -> PoseGrid:
    """Score predictions and take the frames that their report would show.

    Parameters
    ----------
    pred, gt, protocol
        As in `score`.
    pick : {"worst", "typical", "all"}
        The worst frames, one at most from each stretch of the set; or those at the median and at 90 and 99 %.

    Raises
    ------
    UsageError
        If there is no such pick.
    InputError
        If the two sides cannot be compared, or no frame was scored.

    Examples
    --------
    >>> gt = np.random.default_rng(0).normal(size=(50, 17, 3)) * 300
    >>> found = measure(gt + 30 * (np.arange(17)[:, None] > 0), gt, pick="typical")
    >>> [pose.why for pose in found.poses][:1]
    ['50 %']
    """
    from posebench.metrics.evaluate import as_poseset
    from posebench.scoring import score
    from posebench.scoring.scorer import load

    if pick not in PICKS:
        raise UsageError(f"pick is {pick!r}, expected one of {', '.join(PICKS)}")
    sides = load(pred, "pred"), load(gt, "gt")
    metric = "NMPJPE" if as_poseset(sides[0], "pred").unit == "scale-free" else "MPJPE"
    samples = score(*sides, protocol=protocol, metrics=[metric], samples=True).samples
    assert samples is not None
    wanted = {"worst": (True,), "typical": (False,), "all": (True, False)}[pick]
    poses = tuple(
        pose
        for pose in samples.poses
        if (pose.why == "worst") in wanted and all(np.isfinite(s).all(1).any() for s in (pose.pred, pose.gt))
    )
    if not poses:
        raise InputError(f"no frame of {as_poseset(sides[1], 'gt').source} can be drawn")
    return PoseGrid(samples, poses, clean(Path(as_poseset(sides[0], "pred").source).name))


def draw(found: PoseGrid) -> Figure:
    """A row per frame, all to one scale: ground truth and prediction from the camera, then both from the side."""
    samples = found.samples
    front, side = View.of(samples.up), View.of(samples.up, azimuth=_SIDE)
    poses, titles = [], []
    for pose in found.poses:
        pair = [np.asarray(each, np.float64) for each in (pose.gt, pose.pred)]
        poses += [*pair, *(_seen(each, side, front) for each in pair)]
        titles += [_keys(pose), _why(pose), "from the side", "from the side"]
    heading = f"{found.source}: {samples.metric} of single frames"
    grid = Grid(np.array(poses), samples.skeleton, titles, 4, _CELL, front)
    figure = page(grid, heading=heading)
    figure.set_dpi(_DPI)
    return figure


def _seen(pose: Floats, side: View, front: View) -> Floats:
    """A pose turned so that the front shows what the side showed."""
    axes = [np.array([view.right, view.up, view.away]) for view in (side, front)]
    turned: Floats = pose @ axes[0].T @ axes[1]
    return turned


def _why(pose: SampledPose) -> str:
    word = pose.why if pose.why == "worst" else f"at {pose.why}"
    return f"prediction\n{pose.error:.1f} mm, {word}"


def _keys(pose: SampledPose) -> str:
    named = [clean(value, 16) for value in pose.keys.values()]
    return "ground truth\n" + (" ".join(named[-2:]) if named else f"row {pose.row}")


__all__ = ["PICKS", "PoseGrid", "draw", "measure"]
