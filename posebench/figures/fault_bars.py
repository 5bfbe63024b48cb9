"""What an error is made of: a bar per model, cut into the shares of its faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from posebench.errors import InputError
from posebench.figures.results import Named

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Petroff's colours (Accessible color sequences for data visualization, 2021), one per fault.
_COLOURS = ("#832db6", "#bd1f01", "#ffa90e", "#3f90da", "#92dadd", "#717581", "#a96b59", "#b9ac70")


@dataclass(frozen=True)
class FaultBars:
    """Shares in mm: shares[m][f], None where a model's fault is not told apart."""

    error: str
    models: tuple[str, ...]
    faults: tuple[str, ...]
    shares: tuple[tuple[float | None, ...], ...]


def measure(results: Sequence[Named]) -> FaultBars:
    """The explanations that results hold.

    Raises
    ------
    InputError
        If one has none, or explains another error.
    """
    found = []
    for named in results:
        explained = named.report.explanation
        if explained is None or explained.value is None:
            raise InputError(f"{named.path}: explains nothing; score again with --explain")
        found.append(explained)
    for named, explained in zip(results, found, strict=True):
        if explained.error != found[0].error:
            raise InputError(f"{named.path}: explains {explained.error}, {results[0].path} {found[0].error}")
    faults = tuple(found[0].faults)
    return FaultBars(
        found[0].error,
        tuple(named.name for named in results),
        faults,
        tuple(tuple(each.faults[name].mm if name in each.faults else None for name in faults) for each in found),
    )


def draw(bars: FaultBars) -> Figure:
    """Stacked bars; what takes away from the error hangs to the left of zero.

    Examples
    --------
    >>> from posebench.drawing import figure_bytes
    >>> figure_bytes(draw(FaultBars("MPJPE", ("a",), ("scale", "limbs"), ((5.0, -1.0),))), "pdf")[:4]
    b'%PDF'
    """
    from posebench.drawing import plain_style
    from posebench.figures.charts import FONT_SIZE, new_chart

    with plain_style():
        figure, axes = new_chart(0.3 * len(bars.models) + 0.1, left=0.85, legend_rows=2)
        for m, shares in enumerate(bars.shares):
            right = left = 0.0
            for f, share in enumerate(shares):
                if share is None:
                    continue
                start = right if share >= 0 else left
                colour = _COLOURS[f % len(_COLOURS)]
                axes.barh(m, share, 0.66, left=start, color=colour, linewidth=0.5, edgecolor="white")
                right, left = (right + share, left) if share >= 0 else (right, left + share)
        axes.axvline(0, color="black", linewidth=0.6)
        axes.set_ylim(len(bars.models) - 0.5, -0.5)
        axes.set_yticks(range(len(bars.models)), list(bars.models), parse_math=False)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", linewidth=0.4, color="#D9D9D9")
        axes.set_xlabel(f"share of {bars.error}, mm", fontsize=FONT_SIZE)
        _put_faults(figure, bars.faults)
    return figure


def _put_faults(figure: Figure, faults: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    from posebench.figures.charts import FONT_SIZE

    figure.legend(
        [Patch(color=_COLOURS[f % len(_COLOURS)]) for f in range(len(faults))],
        list(faults),
        loc="upper center",
        ncols=4,
        frameon=False,
        fontsize=FONT_SIZE,
        handlelength=1.0,
        columnspacing=1.2,
        borderaxespad=0.2,
    )


__all__ = ["FaultBars", "draw", "measure"]
