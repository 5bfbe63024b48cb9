"""How errors are spread: the PCK curve of every alignment, and the histogram of the error per frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from posebench.html.charts import Line, curves, histogram, nice_end
from posebench.html.markup import Markup, tag
from posebench.html.parts import details, wide_table
from posebench.report.content import Cell, Column, Table
from posebench.report.samples import Samples

#: Bars of the histogram, at least; at most twice as many.
_CLASSES = 40
_LINE_STYLES = ("first", "second", "third", "fourth")


def spread(samples: Samples | None) -> list[Any]:
    """Both figures, as far as there are samples."""
    if samples is None:
        return []
    figures = []
    if samples.curves:
        figures.append(_curve_figure(samples))
    if samples.metric is not None and samples.counts.sum():
        figures.append(_histogram_figure(samples))
    return [tag("div", figures, class_="pair")] if figures else []


def _curve_figure(samples: Samples) -> Markup:
    end = len(samples.curves[0].within) - 1
    step = 1 if end <= 250 else 2
    lines = [
        Line(", ".join(curve.metrics), [(t, float(curve.within[t])) for t in range(0, end + 1, step)], style)
        for curve, style in zip(samples.curves, _LINE_STYLES, strict=False)
    ]
    at = sorted({t for curve in samples.curves for name in curve.metrics for t in _threshold(name)})
    title = f"Share of joints whose error is below a threshold of 0 to {end} mm"
    thresholds = sorted({*range(0, end + 1, 25), *(int(t) for t in at if t <= end and t == int(t))} - {0})
    table = Table(
        (Column("mm", right=True), *(Column(_curve_name(curve.metrics), "%") for curve in samples.curves)),
        tuple((Cell(f"{t}"), *(Cell(f"{curve.within[t]:.2f}") for curve in samples.curves)) for t in thresholds),
        title,
    )
    legend = tag(
        "ul",
        (
            tag(
                "li",
                tag("span", class_=f"key {line.style}"),
                tag("b", _curve_name(curve.metrics)),
                f": {curve.aligned}",
            )
            for line, curve in zip(lines, samples.curves, strict=True)
        ),
        class_="legend",
    )
    return tag(
        "figure",
        tag("figcaption", tag("h3", "PCK curve")),
        curves(
            lines, title=title, x="threshold (mm)", y="joints within it (%)", right=end, at=[t for t in at if t <= end]
        ),
        legend,
        details("Numbers as a table", wide_table(table)),
    )


def _curve_name(metrics: Sequence[str]) -> str:
    """The metrics of a curve, those that are shares of joints first."""
    return ", ".join(sorted(metrics, key=lambda name: "PCK" not in name))


def _threshold(name: str) -> list[float]:
    from posebench.metrics import resolve
    from posebench.metrics.registry import FieldKind

    metric = resolve(name)
    is_share = (
        metric.field is FieldKind.JOINTS and len(metric.reduction.thresholds) == 1 and "PCK" in metric.family.name
    )
    return list(metric.reduction.thresholds) if is_share else []


def _histogram_figure(samples: Samples) -> Markup:
    edges, counts = samples.edges.tolist(), samples.counts.tolist()
    n = sum(counts)
    used = [k for k, count in enumerate(counts) if count]
    # The few largest errors would press all others into a corner.
    reached, end = 0, edges[used[-1] + 1]
    for k in used:
        reached += counts[k]
        if reached >= 0.995 * n:
            end = min(end, 1.15 * edges[k + 1])
            break
    step = _class_width(end)
    end = step * math.ceil(end / step - 1e-9)
    width = max(step / 4, end / (2 * _CLASSES)) if end / (step / 4) > _CLASSES * 2 else step / 4
    bounds = [k * width for k in range(round(end / width) + 1)]
    shares = [0.0] * (len(bounds) - 1)
    beyond = 0.0
    for k in used:  # a class that lies in two bars is shared between them by length
        low, high = edges[k], edges[k + 1]
        place = min(int(low / width), len(shares))
        while low < high and place < len(shares):
            stop = min(high, bounds[place + 1])
            shares[place] += 100 * counts[k] * (stop - low) / (edges[k + 1] - edges[k]) / n
            low, place = stop, place + 1
        if low < high:
            beyond += 100 * counts[k] * (high - low) / (edges[k + 1] - edges[k]) / n
    quantiles = [(f"{100 * q:g} % below {value:.0f}", value) for q, value in sorted(samples.quantiles.items())]
    title = f"How many frames have which {samples.metric}, in bars of {width:g} mm"
    table = Table(
        (Column("frames"), Column("have an error below", "mm")),
        tuple((Cell(f"{100 * q:g} %"), Cell(f"{value:.1f}")) for q, value in sorted(samples.quantiles.items())),
        f"Quantiles of {samples.metric} over frames, exact to 1 %",
    )
    rest = f" {beyond:.2g} % of the frames lie beyond the right end." if beyond > 0.005 else ""
    return tag(
        "figure",
        tag("figcaption", tag("h3", f"{samples.metric} per frame")),
        histogram(bounds, shares, title=title, x=f"{samples.metric} of a frame (mm)", y="frames (%)", marks=quantiles),
        tag("p", f"{n:,} frames in bars of {width:g} mm.{rest}", class_="hint"),
        details("Numbers as a table", wide_table(table)),
    )


def _class_width(end: float) -> float:

    return nice_end(end / 10)
