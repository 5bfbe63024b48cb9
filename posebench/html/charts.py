"""Charts as inline SVG: bars, curves, a histogram, a matrix. Colours come from the page's style, by class.

Each chart has a sentence that says what it shows; the numbers stand in a table beside it, which `page` puts there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from posebench.html.markup import Child, Markup, tag

_WIDTH, _HEIGHT = 480, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 14, 44
_ROW = 31


@dataclass(frozen=True)
class Bar:
    """One bar: a value, and how it is written; None for nothing to show."""

    label: str
    value: float | None
    shown: str


@dataclass(frozen=True)
class Line:
    """A curve: (x, y) points, and the class that colours it."""

    label: str
    points: Sequence[tuple[float, float]]
    style: str


def bars(items: Sequence[Bar], *, title: str, whole: float | None, largest: float | None = None) -> Markup:
    """Horizontal bars with their names above them, and a mark where the value of the whole lies; any width."""
    values = [bar.value for bar in items if bar.value is not None]
    most = max([*values, whole or 0.0, 0.0]) if largest is None else largest
    most = most * (1.04 if largest is None else 1.0) or 1.0

    def share(value: float) -> str:
        return f"{100 * min(max(value / most, 0.0), 1.0):.2f}%"

    parts: list[Child] = []
    for i, bar in enumerate(items):
        top = i * _ROW
        parts += [
            tag("text", bar.label, x="0", y=top + 13, class_="label"),
            tag("text", bar.shown, x="100%", y=top + 13, class_="value", text_anchor="end"),
            tag("rect", x="0", y=top + 19, width="100%", height="6", rx="3", class_="track"),
        ]
        if bar.value is not None:
            parts.append(tag("rect", x="0", y=top + 19, width=share(bar.value), height="6", rx="3", class_="bar"))
        if whole is not None:
            parts.append(tag("rect", x=share(whole), y=top + 17.5, width="1.5", height="9", class_="whole"))
    height = len(items) * _ROW
    return tag("svg", tag("title", title), parts, class_="bars", width="100%", height=height, role="img")


def curves(
    lines: Sequence[Line], *, title: str, x: str, y: str, right: float, top: float = 100.0, at: Sequence[float] = ()
) -> Markup:
    """Lines over [0, right] × [0, top] with their names at the end; `at` are values of x to mark."""
    parts: list[Child] = [tag("title", title), *_axes(x, y, right, top)]
    for value in at:
        parts.append(
            tag("line", x1=_f(_x(value, right)), x2=_f(_x(value, right)), y1=_TOP, y2=_HEIGHT - _BOTTOM, class_="mark")
        )
        parts.append(tag("text", f"{value:g}", x=_f(_x(value, right) + 4), y=_HEIGHT - _BOTTOM - 6, class_="tick"))
    for line in lines:
        path = "M" + "L".join(f"{_f(_x(px, right))} {_f(_y(py, top))}" for px, py in line.points)
        parts.append(tag("path", d=path, class_=f"line {line.style}"))
    return tag("svg", parts, class_="plot", viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img")


def histogram(
    edges: Sequence[float], counts: Sequence[float], *, title: str, x: str, y: str, marks: Sequence[tuple[str, float]]
) -> Markup:
    """Bars between edges, and named values of x."""
    right, top = edges[-1], _nice(max([*counts, 0.0]))
    parts: list[Child] = [tag("title", title), *_axes(x, y, right, top)]
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        left, end = _x(low, right), _x(high, right)
        height = _HEIGHT - _BOTTOM - _y(count, top)
        if count:
            parts.append(
                tag(
                    "rect",
                    x=_f(left),
                    y=_f(_y(count, top)),
                    width=_f(max(end - left - 1, 0.6)),
                    height=_f(height),
                    class_="bar",
                )
            )
    for k, (name, value) in enumerate(marks):
        at = _x(min(value, right), right)
        side = "end" if at > 0.8 * _WIDTH else "start"
        parts.append(tag("line", x1=_f(at), x2=_f(at), y1=_TOP, y2=_HEIGHT - _BOTTOM, class_="mark"))
        parts.append(
            tag(
                "text",
                name,
                x=_f(at + (4 if side == "start" else -4)),
                y=_TOP + 10 + 15 * k,
                class_="tick",
                text_anchor=side,
            )
        )
    return tag("svg", parts, class_="plot", viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img")


def matrix(shares: Sequence[Sequence[float]], *, title: str, rows: str, columns: str) -> Markup:
    """A square for each share above 0, as strong as its root in eight steps; the diagonal in a colour of its own."""
    height, width = len(shares), len(shares[0])
    levels: dict[tuple[bool, int], list[str]] = {}
    for r, row in enumerate(shares):
        for c, share in enumerate(row):
            if share > 0:
                levels.setdefault((r == c, min(8, math.ceil(8 * math.sqrt(share)))), []).append(f"M{c} {r}h1v1h-1z")
    unit = max(width, height) / 40
    parts: list[Child] = [
        tag("title", title),
        tag("rect", x=0, y=0, width=width, height=height, class_="field"),
        *(
            tag("path", d="".join(cells), class_=f"{'right' if hit else 'wrong'} level{level}")
            for (hit, level), cells in sorted(levels.items())
        ),
        tag("rect", x=0, y=0, width=1, height=1, class_="cursor", hidden=True),
        tag(
            "text",
            columns,
            x=_f(width / 2),
            y=_f(height + 2 * unit),
            class_="axis",
            font_size=_f(1.2 * unit),
            text_anchor="middle",
        ),
        tag(
            "text",
            rows,
            x=_f(-height / 2),
            y=_f(-0.8 * unit),
            class_="axis",
            font_size=_f(1.2 * unit),
            text_anchor="middle",
            transform="rotate(-90)",
        ),
    ]
    box = f"{_f(-2.4 * unit)} {_f(-0.4 * unit)} {_f(width + 2.8 * unit)} {_f(height + 3 * unit)}"
    return tag("svg", parts, class_="matrix", viewBox=box, role="img")


def nice_end(value: float) -> float:
    """A round number that is at least `value`."""
    return _nice(value)


def _axes(x: str, y: str, right: float, top: float) -> list[Markup]:
    parts = []
    for value in _ticks(top):
        at = _f(_y(value, top))
        parts.append(tag("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=at, y2=at, class_="grid"))
        parts.append(
            tag("text", _short(value), x=_LEFT - 6, y=_f(_y(value, top) + 4), class_="tick", text_anchor="end")
        )
    for value in _ticks(right):
        at = _f(_x(value, right))
        parts.append(tag("text", _short(value), x=at, y=_HEIGHT - _BOTTOM + 17, class_="tick", text_anchor="middle"))
    parts.append(
        tag("text", x, x=_f((_LEFT + _WIDTH - _RIGHT) / 2), y=_HEIGHT - 6, class_="axis", text_anchor="middle")
    )
    parts.append(
        tag(
            "text",
            y,
            x=_f(-(_TOP + _HEIGHT - _BOTTOM) / 2),
            y=11,
            class_="axis",
            text_anchor="middle",
            transform="rotate(-90)",
        )
    )
    return parts


def _ticks(end: float) -> list[float]:
    step = _nice(end / 5)
    return [k * step for k in range(int(end / step + 1e-9) + 1)]


def _nice(value: float) -> float:
    if not value > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= value * (1 - 1e-9))


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"


def _x(value: float, right: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * value / right


def _y(value: float, top: float) -> float:
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - value / top)


def _f(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
