"""What the charts of a results section share: their size, axes, colours and legend.

Plain axes at the width of a column, made to be read in print: no frame where nothing is measured, thin lines behind,
and colours that colour-blind readers tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from posebench.drawing import new_figure
from posebench.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Okabe and Ito's palette without its yellow, which is too light for lines (Wong, Points of view: color blindness,
#: Nature Methods 8, 2011).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#4D4D4D")
#: Lines differ in more than their colour.
DASHES: tuple[tuple[float, tuple[float, ...]] | str, ...] = (
    "solid", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)), (0, (3, 1)), (0, (8, 2)), (0, (1, 1)),
)  # fmt: skip
#: Dots per inch of a PNG: small charts, seen large on screens.
_DPI = 220
#: Points.
FONT_SIZE = 7.5
#: Inches: a chart's width, and what is around its axes.
WIDTH, LEFT, RIGHT, BELOW, ABOVE = 3.5, 0.55, 0.12, 0.42, 0.12


def refuse_too_many(names: Sequence[str]) -> None:
    """Raise if there are more models than colours.

    Raises
    ------
    UsageError
        If so.
    """
    if len(names) > len(COLOURS):
        raise UsageError(f"{len(names)} models are too many for one chart; draw {len(COLOURS)} at most")


def new_chart(height: float, *, width: float = WIDTH, left: float = LEFT, legend_rows: int = 0) -> tuple[Figure, Axes]:
    """A figure of one chart, with room for so many rows of a legend above it; call it within `plain_style`."""
    above = ABOVE + 0.13 * legend_rows
    figure = new_figure(width, height + above + BELOW)
    figure.set_dpi(_DPI)
    whole = figure.get_figheight()
    axes = figure.add_axes((left / width, BELOW / whole, 1 - (left + RIGHT) / width, height / whole))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_linewidth(0.6)
    axes.tick_params(labelsize=FONT_SIZE, width=0.6, length=2.5)
    axes.set_axisbelow(True)
    return figure, axes


def legend_rows(names: Sequence[str]) -> int:
    """Rows that a legend takes: one entry each, none for a single model."""
    return len(names) if len(names) > 1 else 0


def put_legend(figure: Figure, axes: Axes, names: Sequence[str]) -> None:
    """The legend of what is drawn, above the axes; names from files are text and nothing else."""
    handles = axes.get_legend_handles_labels()[0][: len(names)]
    if legend_rows(names):
        legend = figure.legend(
            handles,
            list(names),
            loc="upper left",
            bbox_to_anchor=(LEFT / figure.get_figwidth(), 1.0),
            ncols=1,
            frameon=False,
            fontsize=FONT_SIZE,
            handlelength=2.2,
            labelspacing=0.25,
            borderpad=0.3,
            borderaxespad=0.1,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)


__all__ = ["COLOURS", "DASHES", "FONT_SIZE", "legend_rows", "new_chart", "put_legend", "refuse_too_many"]
