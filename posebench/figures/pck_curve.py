"""The PCK curve: the share of joints whose error is below a threshold, over thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from posebench.errors import UsageError
from posebench.figures import Say, silent
from posebench.metrics import resolve
from posebench.metrics.evaluate import Poses
from posebench.protocols import Protocol
from posebench.report.content import clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Millimetres: where the curve ends unless it is said, and where it may end.
END, MOST = 150, 200


@dataclass(frozen=True)
class Curve:
    """PCK of each model at 0, 1, … mm; percent (models, thresholds)."""

    #: The threshold that the legend quotes, as a metric: PCK@150 or NPCK@150.
    metric: str
    models: tuple[str, ...]
    percent: npt.NDArray[np.float64]
    #: At the end of the curve.
    values: tuple[float, ...]


def measure(
    preds: Mapping[str, Poses | str | Path],
    gt: Poses | str | Path,
    *,
    metric: str = "PCK",
    end: int = END,
    protocol: str | Path | Protocol = "standard",
    say: Say = silent,
) -> Curve:
    """Score predictions at every whole millimetre.

    Parameters
    ----------
    preds : mapping from name to predictions
    gt : ground truth of all of them
    metric : {"PCK", "NPCK"}
        NPCK for predictions without a scale.
    end : int
        Largest threshold in mm.
    protocol
        As in `score`.

    Raises
    ------
    UsageError
        If the metric or the end is another.
    InputError
        If predictions and ground truth cannot be compared.

    Examples
    --------
    >>> gt = np.random.default_rng(0).normal(size=(4, 17, 3)) * 300
    >>> pred = gt + [0, 0, 50.5] * (np.arange(17)[:, None] > 0)
    >>> measure({"off by 50": pred}, gt, end=100).percent[0, [0, 50, 51]].round(1).tolist()
    [0.0, 5.9, 100.0]
    """
    from posebench.scoring import score

    if metric not in ("PCK", "NPCK"):
        raise UsageError(f"the metric is {metric!r}, expected PCK or NPCK")
    if not 1 <= end <= MOST:
        raise UsageError(f"the curve ends at {end} mm, expected a whole number from 1 to {MOST}")
    if not preds:
        raise UsageError("no predictions were given")
    wanted = resolve(f"{metric}@{end}")
    percent, values = [], []
    for name, pred in preds.items():
        say(f"scoring {clean(name)}")
        report = score(pred, gt, protocol=protocol, metrics=[wanted], samples=True)
        assert report.samples is not None
        curve = next(curve for curve in report.samples.curves if wanted.key in curve.metrics)
        percent.append(curve.within[: end + 1])
        value = report.metrics[wanted.key].value
        values.append(float("nan") if value is None else value)
    return Curve(wanted.key, tuple(map(clean, preds)), np.array(percent), tuple(values))


def draw(found: Curve) -> Figure:
    """One line per model.

    Examples
    --------
    >>> from posebench.drawing import figure_bytes
    >>> figure_bytes(draw(Curve("PCK@2", ("a",), np.array([[0.0, 50.0, 80.0]]), (80.0,))), "pdf")[:4]
    b'%PDF'
    """
    from posebench.drawing import plain_style
    from posebench.figures.charts import COLOURS, DASHES, FONT_SIZE, legend_rows, new_chart, put_legend, refuse_too_many

    refuse_too_many(found.models)
    names = [f"{name}: {found.metric} {value:.1f} %" for name, value in zip(found.models, found.values, strict=True)]
    end = found.percent.shape[1] - 1
    with plain_style():
        figure, axes = new_chart(1.9, legend_rows=legend_rows(names))
        for m, percent in enumerate(found.percent):
            axes.plot(np.arange(end + 1), percent, color=COLOURS[m], linestyle=DASHES[m], linewidth=1.3, label=names[m])
        axes.set_xlim(0, end)
        axes.set_ylim(0, 100)
        axes.grid(linewidth=0.4, color="#D9D9D9")
        axes.set_xlabel("threshold, mm", fontsize=FONT_SIZE)
        axes.set_ylabel(f"{found.metric.partition('@')[0]}, %", fontsize=FONT_SIZE)
        put_legend(figure, axes, names)
    return figure


__all__ = ["END", "Curve", "draw", "measure"]
