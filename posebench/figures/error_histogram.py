"""How the error is spread over frames: a histogram per model, with its median."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.figures.results import Named

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

BINS = 40
#: The axis ends where so many percent of the worst model's frames lie below; what is beyond goes into the last bin.
_SHOWN = 99.0


@dataclass(frozen=True)
class Histogram:
    """Percent of frames per bin and model; the last bin holds everything beyond its left edge."""

    metric: str
    unit: str
    models: tuple[str, ...]
    edges: Floats
    #: (models, bins).
    percent: Floats
    medians: tuple[float, ...]
    #: Frames of each model, and how many of them lie beyond the last edge.
    frames: tuple[int, ...]
    beyond: tuple[int, ...]


def measure(results: Sequence[Named], metric: str = "MPJPE", *, bins: int = BINS) -> Histogram:
    """Count the frames of results that have values per frame.

    Raises
    ------
    UsageError
        If a result does not have the metric.
    InputError
        If the values per frame are not there, or there are none.
    """
    told = [named.metric(metric) for named in results]
    values = [named.frames(metric) for named in results]
    for named, of in zip(results, values, strict=True):
        if not len(of):
            raise InputError(f"{named.path}: no frame was scored for {told[0].name}")
    low = min(0.0, *(float(of.min()) for of in values))
    high = max(float(np.percentile(of, _SHOWN)) for of in values)
    edges = np.linspace(low, high if high > low else low + 1.0, bins + 1)
    counts = np.array([np.histogram(np.minimum(of, edges[-1]), edges)[0] for of in values])
    return Histogram(
        told[0].name,
        told[0].unit,
        tuple(named.name for named in results),
        edges,
        100 * counts / counts.sum(1, keepdims=True),
        tuple(float(np.median(of)) for of in values),
        tuple(len(of) for of in values),
        tuple(int(np.count_nonzero(of > edges[-1])) for of in values),
    )


def draw(found: Histogram) -> Figure:
    """One outline per model, filled lightly, with a line at its median.

    Examples
    --------
    >>> from posebench.drawing import figure_bytes
    >>> edges, percent = np.array([0.0, 10, 20]), np.array([[60.0, 40.0]])
    >>> figure_bytes(draw(Histogram("MPJPE", "mm", ("a",), edges, percent, (8.0,), (10,), (1,))), "pdf")[:4]
    b'%PDF'
    """
    from posebench.drawing import plain_style
    from posebench.figures.charts import COLOURS, DASHES, FONT_SIZE, legend_rows, new_chart, put_legend, refuse_too_many

    refuse_too_many(found.models)
    names = [f"{name}: median {median:.1f}" for name, median in zip(found.models, found.medians, strict=True)]
    with plain_style():
        figure, axes = new_chart(1.7, legend_rows=legend_rows(names))
        for m, percent in enumerate(found.percent):
            axes.stairs(
                percent, found.edges, color=COLOURS[m], linestyle=DASHES[m], linewidth=1.1, label=names[m], zorder=3
            )
            axes.stairs(percent, found.edges, color=COLOURS[m], fill=True, alpha=0.15, linewidth=0, zorder=2)
            axes.axvline(found.medians[m], color=COLOURS[m], linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=2)
        axes.set_xlim(found.edges[0], found.edges[-1])
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", linewidth=0.4, color="#D9D9D9")
        axes.set_ylabel("frames, %", fontsize=FONT_SIZE)
        beyond = max(100 * b / n for b, n in zip(found.beyond, found.frames, strict=True))
        tail = f" (up to {beyond:.1f} % beyond)" if beyond else ""
        axes.set_xlabel(f"{found.metric} of a frame, {found.unit}{tail}", fontsize=FONT_SIZE)
        put_legend(figure, axes, names)
    return figure


__all__ = ["Histogram", "draw", "measure"]
