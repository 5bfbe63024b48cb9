"""What kinds of errors: how the error splits into faults, if the report was asked to explain it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posebench.html.charts import Bar, bars
from posebench.html.groups import MOST_ROWS
from posebench.html.markup import tag
from posebench.html.parts import bullets, details, wide_table
from posebench.report.content import Cell, Column, Table, clean, number
from posebench.report.model import Report


def faults(report: Report) -> list[Any]:
    """Shares of the error as bars and in tables, in the whole and by group."""
    explained = report.explanation
    if explained is None or explained.value is None:
        return []
    from posebench.taxonomy import MEANINGS

    error = clean(explained.error)
    named = [(clean(name), MEANINGS.get(name, ""), fault) for name, fault in explained.faults.items()]
    told = [(name, meaning, fault) for name, meaning, fault in named if fault.mm is not None]

    def mm(value: float | None) -> str:
        return number(value, "mm", error)

    table = Table(
        (
            Column("fault", right=False),
            Column("share", "mm"),
            Column("of the error", "%"),
            Column("then left", "mm"),
        ),
        tuple(
            (Cell(name), Cell(mm(f.mm)), Cell(number(f.percent, "%", error)), Cell(mm(f.left))) for name, _, f in named
        ),
        f"The shares add up to {error}; what is left is {error} without this fault and those above it",
    )
    figure = tag(
        "figure",
        tag("figcaption", tag("h3", f"Shares of {error}")),
        bars(
            [
                Bar(f"{name}: {meaning.removeprefix(name + ', ')}".rstrip(": "), f.mm, f"{mm(f.mm)} mm")
                for name, meaning, f in told
            ],
            title=f"How many mm of {error} each fault has put there",
            whole=None,
        ),
    )
    groups = [
        details(f"By {clean(group)}", wide_table(_by(error, group, members)))
        for group, members in explained.groups.items()
        if len(members) > 1
    ]
    return [
        tag(
            "p",
            f"{error} is {mm(explained.value)} mm over {explained.frames:,} frames. Each fault is held to account for "
            "the part of each joint's error that points along what it did; a share may be negative where errors cancel "
            "each other.",
        ),
        tag("div", figure, wide_table(table), class_="pair"),
        bullets([clean(note, None) for note in explained.notes]) if explained.notes else None,
        groups,
    ]


def _by(error: str, group: str, members: Mapping[str, Mapping[str, float | None]]) -> Table:
    faults = list(dict.fromkeys(name for of in members.values() for name in of))
    return Table(
        (Column(clean(group), right=False), *(Column(clean(name), "mm") for name in faults)),
        tuple(
            (Cell(clean(key) or "(empty)"), *(Cell(number(of.get(name), "mm", error)) for name in faults))
            for key, of in list(members.items())[:MOST_ROWS]
        ),
        f"Shares of {error} by {clean(group)}",
    )
