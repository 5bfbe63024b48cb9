"""Bars of an error per joint, one per model and joint, in the order of the skeleton."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from posebench.errors import InputError
from posebench.figures.results import Named
from posebench.report.content import clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Inches per joint, and what each further model adds.
_BAR, _MORE = 0.14, 0.07


@dataclass(frozen=True)
class JointBars:
    """A metric's value per joint and model: values[m][j], None where nothing was scored."""

    metric: str
    unit: str
    models: tuple[str, ...]
    joints: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    incomplete: bool


def measure(results: Sequence[Named], metric: str = "MPJPE") -> JointBars:
    """The values per joint that the results hold.

    Raises
    ------
    UsageError
        If a result does not have the metric.
    InputError
        If a result has no values per joint of it.
    """
    found = [named.metric(metric) for named in results]
    joints: tuple[str, ...] = ()
    values = []
    for named, told in zip(results, found, strict=True):
        of = {key: each[told.name] for key, each in named.report.groups.get("joint", {}).items() if told.name in each}
        if not of:
            raise InputError(f"{named.path}: has no {told.name} per joint")
        joints = joints or tuple(of)
        values.append(tuple(of.get(joint) for joint in joints))
    return JointBars(
        found[0].name,
        found[0].unit,
        tuple(named.name for named in results),
        joints,
        tuple(values),
        any(each.incomplete for each in found),
    )


def draw(bars: JointBars) -> Figure:
    """Horizontal bars, the first joint on top, with the mean over joints of each model as a line.

    Examples
    --------
    >>> from posebench.drawing import figure_bytes
    >>> figure_bytes(draw(JointBars("MPJPE", "mm", ("ours",), ("hip", "knee"), ((10.0, 20.0),), False)), "pdf")[:4]
    b'%PDF'
    """
    from posebench.drawing import plain_style
    from posebench.figures.charts import COLOURS, FONT_SIZE, legend_rows, new_chart, put_legend, refuse_too_many

    refuse_too_many(bars.models)
    step = _BAR + _MORE * (len(bars.models) - 1)
    with plain_style():
        rows = legend_rows(bars.models)
        figure, axes = new_chart(step * (len(bars.joints) + 0.6), left=0.85, legend_rows=rows)
        thick = 0.78 / len(bars.models)
        for m, values in enumerate(bars.values):
            places = [j + thick * (m - (len(bars.models) - 1) / 2) for j in range(len(bars.joints))]
            axes.barh(
                places, [value or 0.0 for value in values], thick, color=COLOURS[m], linewidth=0, label=bars.models[m]
            )
            for place, value in zip(places, values, strict=True):
                if value is not None and len(bars.models) == 1:
                    axes.annotate(
                        f"{value:.0f}", (value, place), xytext=(2, 0), textcoords="offset points", va="center",
                        fontsize=FONT_SIZE - 1.5,
                    )  # fmt: skip
        axes.set_ylim(len(bars.joints) - 0.5, -0.5)
        axes.set_yticks(range(len(bars.joints)), [clean(joint) for joint in bars.joints], parse_math=False)
        axes.tick_params(axis="y", length=0)
        axes.margins(x=0.08)
        axes.grid(axis="x", linewidth=0.4, color="#D9D9D9")
        mark = " (incomplete)" if bars.incomplete else ""
        axes.set_xlabel(f"{bars.metric}, {bars.unit}{mark}", fontsize=FONT_SIZE)
        put_legend(figure, axes, bars.models)
    return figure


__all__ = ["JointBars", "draw", "measure"]
