"""What a report says to people: its sentences, tables, marks and footnotes, in one order for every format.

Everything here is one line of printable characters, so that a format adds only its own escapes. Numbers are rounded
for reading; full precision is for `data`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from posebench.errors import InputError
from posebench.report.model import MetricValue, Report

NOTHING = "–"
UP, DOWN = "↑", "↓"
SHORT_HASH = 12
#: Raised letters that stand for footnotes, where a table has more of them than there are signs -> the letter.
RAISED = dict(zip("ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ", "abcdefghijklmnoprstuvwxyz", strict=True))

_DECIMALS = {"mm/s": 1, "mm/s^2": 1}
_LONGEST_NAME = 120
_INCOMPLETE, _FOREIGN = "*", "†"
_FOOTNOTES = {
    _INCOMPLETE: "incomplete: leaves out what the prediction lacks; does not compare",
    _FOREIGN: "a bank that the protocol does not bind; does not compare",
}


@dataclass(frozen=True)
class Cell:
    """A text, and the marks of the footnotes that hold for it."""

    text: str
    mark: str = ""
    #: The best of those that compare.
    strong: bool = False
    #: Where a number comes from, for formats that can show it beside.
    title: str = ""


@dataclass(frozen=True)
class Column:
    """The head of a column; `detail` is unit and direction, where the whole column shares them."""

    title: str
    detail: str = ""
    right: bool = True

    @property
    def heading(self) -> str:
        """Title and detail in one line."""
        return f"{self.title} {self.detail}".rstrip()


@dataclass(frozen=True)
class Table:
    """Rows of cells under their columns."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""


@dataclass(frozen=True)
class Footnote:
    """What a mark means, and the metrics that carry it."""

    mark: str
    text: str
    metrics: tuple[str, ...]


@dataclass(frozen=True)
class Content:
    """A report in the order in which it is read."""

    #: Coverage, protocol, banks: a sentence each.
    facts: tuple[str, ...]
    tables: tuple[Table, ...]
    notes: tuple[str, ...]
    footnotes: tuple[Footnote, ...]


def content(report: Report, by: Sequence[str]) -> Content:
    """Everything that a format for people sets."""
    return Content(
        facts(report),
        (_metric_table(report), *(_group_table(report, group) for group in by), *_explanation(report, by)),
        notes(report),
        footnotes(report),
    )


def _explanation(report: Report, by: Sequence[str]) -> tuple[Table, ...]:
    from posebench.report.explaining import explanation_tables

    return () if report.explanation is None else explanation_tables(report.explanation, by)


def facts(report: Report, hash_digits: int | None = SHORT_HASH) -> tuple[str, ...]:
    """Coverage, protocol and banks; hashes cut to so many digits, or whole if None."""

    def hashed(of: object) -> str:
        return f"sha256 {clean(of)[:hash_digits]}" if of else "sha256 unknown"

    protocol = report.protocol
    return (
        _coverage(report),
        f"protocol {clean(protocol.get('name', 'unknown'))}, version {clean(protocol.get('version', 'unknown'))}, "
        + hashed(protocol.get("sha256")),
        *(
            f"bank {clean(bank.get('name', 'unknown'))}, k = {clean(bank.get('k', 'unknown'))}, "
            + hashed(bank.get("sha256"))
            for bank in report.banks
        ),
    )


def notes(report: Report) -> tuple[str, ...]:
    """The report's notes, each in one line."""
    explained = [] if report.explanation is None else report.explanation.notes
    return tuple(clean(note, None) for note in (*report.notes, *explained))


def footnotes(report: Report) -> tuple[Footnote, ...]:
    """The footnotes that the report's metrics need."""
    found = (
        Footnote(mark, text, tuple(clean(m.name) for m in report.metrics.values() if mark in marks(m)))
        for mark, text in _FOOTNOTES.items()
    )
    return tuple(note for note in found if note.metrics)


def marks(metric: MetricValue) -> str:
    """The marks of a metric: `*` for an incomplete distance, `†` for a bank that the protocol does not bind."""
    foreign = "(bank=" in metric.name or ",bank=" in metric.name
    return (_INCOMPLETE if metric.incomplete else "") + (_FOREIGN if foreign else "")


def finite(value: float | None, name: str) -> float | None:
    """The value as a float, or None.

    Raises
    ------
    InputError
        If it is neither a finite number nor None; a report from a damaged file may hold anything.
    """
    try:
        if value is None or math.isfinite(value):
            return None if value is None else float(value)
    except (TypeError, OverflowError):
        pass
    raise InputError(f"the report's {clean(name)} is {clean(repr(value))}, expected a finite number or none")


def clean(text: object, limit: int | None = _LONGEST_NAME) -> str:
    r"""A name from a file in one line: what does not print is spelled out, what is very long loses its middle.

    Control characters, escape sequences, line ends, invisible and direction-changing characters become `\x1b`,
    `\n`, `\u202e`, so that no terminal or document acts on them.

    Examples
    --------
    >>> print(clean("a\x1b[31mb"), clean("abcdefgh", limit=5))
    a\x1b[31mb ab…gh
    """
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
    if limit is None or len(shown) <= limit:
        return shown
    half = (limit - 1) // 2
    return f"{shown[:half]}…{shown[-half:]}"


def _coverage(report: Report) -> str:
    c = report.coverage
    exceptions = (
        (c.missing, "missing", "missing"),
        (c.unscorable, "unscorable", "unscorable"),
        (c.invalid_joints, "joint masked in the ground truth", "joints masked in the ground truth"),
        (c.degenerate, "degenerate prediction", "degenerate predictions"),
        (c.ambiguous, "prediction without a unique rotation", "predictions without a unique rotation"),
        (c.negative_scale, "prediction reflected by its scale", "predictions reflected by their scale"),
    )
    return "; ".join(
        [
            f"scored {clean(c.scored)} of {clean(c.gt_frames)} {'frame' if c.gt_frames == 1 else 'frames'}, "
            f"matched {clean(c.matched)}",
            *(f"{clean(count)} {one if count == 1 else many}" for count, one, many in exceptions if count),
        ]
    )


def _metric_table(report: Report) -> Table:
    intervals = any(m.ci95 is not None for m in report.metrics.values())
    columns = (
        Column("metric", right=False),
        Column("value"),
        Column("unit", right=False),
        Column("best", right=False),
        Column("n"),
        *([Column("95% interval")] if intervals else []),
    )
    return Table(columns, tuple(_metric_row(m)[: len(columns)] for m in report.metrics.values()))


def _metric_row(metric: MetricValue) -> tuple[Cell, ...]:
    ends = [number(end, metric.unit, metric.name) for end in metric.ci95 or ()]
    return (
        Cell(clean(metric.name)),
        _value(metric.value, metric),
        Cell(shown_unit(metric)),
        Cell(_arrow(metric)),
        Cell(clean(metric.n)),
        Cell(f"[{', '.join(ends)}]" if ends else NOTHING),
    )


def _group_table(report: Report, group: str) -> Table:
    """One row per member, one column per metric. A member of an incomplete total may be incomplete: all are marked."""
    members = report.by(group)
    present = {name for values in members.values() for name in values}
    metrics = [m for name, m in report.metrics.items() if name in present]
    return Table(
        (
            Column(clean(group), right=False),
            *(Column(clean(m.name), f"({shown_unit(m) or '1'}) {_arrow(m)}") for m in metrics),
        ),
        tuple(
            (Cell(clean(key) or "(empty)"), *(_value(of.get(m.name), m) for m in metrics))
            for key, of in members.items()
        ),
        f"by {clean(group)}",
    )


def _value(value: float | None, metric: MetricValue) -> Cell:
    return Cell(number(value, metric.unit, metric.name), "" if value is None else marks(metric))


def number(value: float | None, unit: str, name: str) -> str:
    """A number rounded for reading."""
    value = finite(value, name)
    if value is None:
        return NOTHING
    # A prediction far off gives numbers that no column holds.
    return f"{value:z.{_DECIMALS.get(unit, 2)}f}" if abs(value) < 1e7 else f"{value:.3e}"


def shown_unit(metric: MetricValue) -> str:
    """A metric's unit as people write it."""
    return clean(metric.unit).replace("^2", "²")


def _arrow(metric: MetricValue) -> str:
    return UP if metric.higher_is_better else DOWN
