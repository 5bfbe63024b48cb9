"""An explanation for people: which fault costs what, where it lies, and the same per action."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from posebench.report.content import NOTHING, Cell, Column, Content, Table, clean, number

if TYPE_CHECKING:
    from posebench.taxonomy import Explanation

_KINDS = ("depth", "plane", "steady", "jitter", "sum")
#: The group that is shown unless others are asked for.
_DEFAULT = "action"


def explanation_tables(explained: Explanation, by: Sequence[str] = ()) -> tuple[Table, ...]:
    """The faults, their parts, the limbs, and the faults of each member of the groups."""
    if explained.value is None:
        return ()
    asked = [group for group in by if group in explained.groups]
    if not asked and len(explained.groups.get(_DEFAULT, {})) > 1:
        asked = [_DEFAULT]
    return (
        _faults(explained),
        _parts("faults, mm", "fault", explained.parts, explained),
        _parts("limbs, mm: what rotation, scale and root leave", "limb", explained.limbs, explained),
        *(_group(explained, group) for group in asked),
    )


def explanation_text(explained: Explanation) -> str:
    """The tables as plain text."""
    from posebench.report.terminal import plain_text_of

    fact = f"{clean(explained.error)} of {explained.frames} frames explained"
    return plain_text_of(Content((fact,), explanation_tables(explained), tuple(map(_clean, explained.notes)), ()))


def explanation_records(explained: Explanation, group: str) -> Iterator[tuple[str, str, float | None]]:
    """(key, fault, mm) of each member of a group, or of the whole, whose group is "all"."""
    members: Mapping[str, Mapping[str, float | None]]
    if group == "all":
        members = {"": {name: fault.mm for name, fault in explained.faults.items()}}
    else:
        members = explained.groups.get(group, {})
    for key, shares in members.items():
        for name in explained.faults:
            yield key, name, shares.get(name)


def _faults(explained: Explanation) -> Table:
    from posebench.taxonomy import MEANINGS

    remarks = {
        "swap": _frames(explained.swapped.get("any", 0)),
        "outliers": _frames(explained.torn.get("frames", 0)),
        "jitter": "" if explained.window is None else f", within {explained.window} frames",
    }
    columns = (
        Column("fault", right=False),
        Column("share", "mm"),
        Column("share", "%"),
        Column("squared", "%"),
        Column("left", "mm"),
        Column("what", right=False),
    )
    rows = [
        (
            Cell(clean(name)),
            _number(fault.mm, "mm"),
            _number(fault.percent, "%", 1),
            _number(fault.squared, "%", 1),
            _number(fault.left, "mm"),
            Cell(MEANINGS.get(name, "") + remarks.get(name, "")),
        )
        for name, fault in explained.faults.items()
    ]
    whole = (Cell("all"), _number(explained.value, "mm"), Cell("100.0"), Cell("100.0"), Cell(""), Cell(""))
    return Table(columns, (*rows, whole), f"{clean(explained.error)} explained")


def _parts(title: str, head: str, parts: Mapping[str, Mapping[str, float | None]], explained: Explanation) -> Table:
    kinds = [kind for kind in _KINDS if any(of.get(kind) is not None for of in parts.values())]
    rows = [(Cell(clean(name)), *(_number(of.get(kind), "mm") for kind in kinds)) for name, of in parts.items()]
    totals = [sum(of.get(kind) or 0.0 for of in parts.values()) for kind in kinds]
    whole = (Cell("all"), *(_number(total, "mm") for total in totals))
    return Table((Column(head, right=False), *map(Column, kinds)), (*rows, whole), title)


def _group(explained: Explanation, group: str) -> Table:
    names = [name for name, fault in explained.faults.items() if fault.mm is not None]
    columns = (Column(clean(group), right=False), Column(clean(explained.error)), *map(Column, map(clean, names)))
    rows = tuple(
        (Cell(clean(key) or "(empty)"), *(_number(of.get(name), "mm") for name in (explained.error, *names)))
        for key, of in explained.groups[group].items()
    )
    return Table(columns, rows, f"explained by {clean(group)}, mm")


def _number(value: float | None, unit: str, decimals: int = 2) -> Cell:
    if value is None:
        return Cell(NOTHING)
    return Cell(number(value, unit, "share") if decimals == 2 else f"{value:z.{decimals}f}")


def _frames(count: int) -> str:
    return f": {count} {'frame' if count == 1 else 'frames'}"


def _clean(note: str) -> str:
    return clean(note, None)


__all__ = ["explanation_records", "explanation_tables", "explanation_text"]
