"""A table of the paper as text: terminal, Markdown, LaTeX and HTML for people, JSON and CSV for programs.

How a format sets a table is the business of `posebench.report`; what stands in it, and its footnotes, are decided here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from posebench.errors import InputError, UsageError
from posebench.report.content import (
    DOWN,
    NOTHING,
    RAISED,
    SHORT_HASH,
    UP,
    Cell,
    Column,
    Content,
    Footnote,
    Table,
    clean,
    number,
)
from posebench.report.data import safe_name, table_text
from posebench.tables.building import DATA
from posebench.tables.model import Number, PaperTable, Recipe, Row
from posebench.tables.running import places_of

KINDS = ("terminal", "md", "tex", "csv", "html", "json")
#: File ending -> kind.
_ENDINGS = {".txt": "terminal", **{f".{kind}": kind for kind in KINDS[1:]}}

#: Beside the best number where there is no bold type.
_BEST = "◂"
_BEST_TEXT = "no number that compares with it is better"
CSV_COLUMNS = (
    "row",
    "kind",
    "data",
    "run",
    "protocol",
    "column",
    "metric",
    "value",
    "unit",
    "higher_is_better",
    "ci95_low",
    "ci95_high",
    "seeds",
    "seed_sd",
    "status",
    "best",
    "does_not_compare",
    "remarks",
    "source",
    "sha256",
)


def refuse_unknown(kind: str) -> None:
    """Raise a `UsageError` if there is no such format."""
    if kind not in KINDS:
        raise UsageError(f"--format {kind}: there is no such format; known are {', '.join(KINDS)}")


def kind_of_file(path: Path) -> str:
    """The format that a file's ending names.

    Raises
    ------
    UsageError
        If the ending is not known.
    """
    if path.suffix.lower() not in _ENDINGS:
        raise UsageError(f"{path}: a table cannot be written so; known endings are {', '.join(_ENDINGS)}")
    return _ENDINGS[path.suffix.lower()]


def rendered(table: PaperTable, kind: str, *, sources: bool = False) -> str:
    """A table as text of one of `KINDS`, with a newline at its end.

    Raises
    ------
    UsageError
        If the kind is unknown.
    InputError
        If a number is not finite.
    """
    refuse_unknown(kind)
    if kind == "json":
        try:
            return json.dumps(table.to_dict(), indent=2, allow_nan=False) + "\n"
        except ValueError as error:
            raise InputError(f"the table cannot be written as JSON: {error}") from None
    if kind == "csv":
        comments = (*_facts(table, None), *_notes(table), *_missing_lines(table))
        return table_text(comments, CSV_COLUMNS, _records(table))
    if kind == "html":
        from posebench.tables.html import html_of

        return html_of(content_of(table, bold=True, sources=sources), _head(table))
    if kind == "md":
        from posebench.report.markdown import markdown_of

        return markdown_of(content_of(table, bold=True, sources=sources))
    if kind == "tex":
        from posebench.report.latex import latex_of

        provenance = (*_facts(table, None), *_source_lines(table))
        return latex_of(content_of(table, bold=True, sources=False), provenance)
    from posebench.report.terminal import plain_text_of

    return plain_text_of(content_of(table, sources=sources))


def write_table(table: PaperTable, path: Path, *, sources: bool = False) -> None:
    """Write in the format of the file's ending; the file is there whole, or as it was before."""
    from posebench.io.atomic import atomic_write

    data = rendered(table, kind_of_file(path), sources=sources).encode("utf-8")
    with atomic_write(path) as file:
        file.write(data)


def print_table(table: PaperTable, *, sources: bool = False) -> None:
    """Print to stdout: with colours and to the width of a terminal, else as plain text."""
    from posebench.report.terminal import show_content

    show_content(content_of(table, sources=sources))


def content_of(table: PaperTable, *, bold: bool = False, sources: bool = False) -> Content:
    """What every format for people sets; without bold type the best numbers carry a mark."""
    marks = _Marks()
    rows = tuple(_cells(row, table, marks, bold) for row in table.rows)
    tables = [Table((Column("", right=False), Column("data", right=False), *_heads(table)), rows)]
    if any(each.ci95 or each.seed_sd is not None for _, _, each in table.numbers()):
        tables.append(_spread(table))
    best = any(each.best for _, _, each in table.numbers())
    footnotes = [*marks.footnotes(), *([Footnote("bold" if bold else _BEST, _BEST_TEXT, ())] if best else [])]
    notes = [*_notes(table), *_missing_lines(table), *(_source_lines(table) if sources else ())]
    return Content(_facts(table, SHORT_HASH), tuple(tables), tuple(notes), tuple(footnotes))


class _Marks:
    """Raised letters, one for each sentence that stands under the table."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}
        self._free = ("".join(letters) for length in (1, 2, 3) for letters in product(RAISED, repeat=length))

    def of(self, sentence: str) -> str:
        """The mark of a sentence."""
        if sentence not in self._found:
            self._found[sentence] = next(self._free)
        return self._found[sentence]

    def footnotes(self) -> Iterator[Footnote]:
        """All sentences, in the order in which they were met."""
        for sentence, mark in self._found.items():
            yield Footnote(mark, sentence, ())


def _head(table: PaperTable) -> str:
    return f"Table {table.number}: {table.title}"


def _facts(table: PaperTable, digits: int | None) -> tuple[str, ...]:
    """What the table is, and the terms of the numbers that compare; hashes cut to so many digits, or whole if None."""
    counts = [sum(row.kind == kind for row in table.rows) for kind in ("published", "regenerated")]
    terms = []
    for term in table.terms:
        words, found, digest = term.rpartition("sha256 ")
        terms.append(f"{words}{found}{digest[:digits]}")
    return (
        f"table {table.number}, {table.title}: {counts[0]} published {_rows(counts[0])}, {counts[1]} regenerated on "
        f"{clean(table.data)}",
        *terms,
    )


def _rows(count: int) -> str:
    return "row" if count == 1 else "rows"


def _heads(table: PaperTable) -> Iterator[Column]:
    for column in table.columns:
        unit, higher = table.units[column]
        yield Column(column, f"({unit}) {UP if higher else DOWN}")


def _cells(row: Row, table: PaperTable, marks: _Marks, bold: bool) -> tuple[Cell, ...]:
    """A row of the table; regenerated ones are told from published ones by their indentation."""
    label = clean(row.label) if row.kind == "published" else f"> {clean(row.label)}"
    shared, own = _shared_remarks(row)
    numbers = (_cell(row, row.numbers.get(column), own, marks, bold) for column in table.columns)
    return (Cell(label, "".join(marks.of(remark) for remark in shared)), Cell(clean(row.data)), *numbers)


def _shared_remarks(row: Row) -> tuple[tuple[str, ...], dict[int, tuple[str, ...]]]:
    """What holds for every number of a regenerated row stands at its name; the rest at the numbers."""
    numbers = list(row.numbers.values())
    remarks = [number.remarks for number in numbers]
    shared: tuple[str, ...] = ()
    if row.kind == "regenerated" and numbers:
        shared = tuple(each for each in remarks[0] if all(each in other for other in remarks))
    return shared, {id(number): tuple(each for each in number.remarks if each not in shared) for number in numbers}


def _cell(row: Row, found: Number | None, own: dict[int, tuple[str, ...]], marks: _Marks, bold: bool) -> Cell:
    if found is None:
        return Cell(NOTHING)
    sentences = [f"does not compare: {clean('; '.join(found.reasons), None)}"] if found.reasons else []
    sentences += [clean(remark, None) for remark in own[id(found)]]
    mark = "".join(marks.of(sentence) for sentence in sentences)
    if found.best and not bold:
        mark += _BEST
    return Cell(_shown(found), mark, found.best and bold, _title(row, found))


def _shown(found: Number) -> str:
    """A published number as it was printed, a regenerated one rounded."""
    if found.value is None:
        return "n/a" if found.status == "not applicable" else NOTHING
    return f"{found.value}" if found.entry is not None else number(found.value, found.unit, found.metric)


def _title(row: Row, found: Number) -> str:
    if found.entry is not None:
        return clean(f"{found.entry.id}: {'; '.join(map(str, found.entry.sources))}", None)
    return "; ".join(f"{clean(of.path, None)} sha256 {of.sha256}" for of in row.origins)


def _spread(table: PaperTable) -> Table:
    """Two kinds of spread side by side, over seeds and over sequences; they are never added."""
    columns = (
        *(Column(name, right=False) for name in ("regenerated", "metric")),
        *(Column("value"), Column("s.d. over", "seeds"), Column("seeds"), Column("95 % interval", "over sequences")),
    )
    rows = []
    for row, _, found in table.numbers():
        if found.entry is not None or found.value is None:
            continue
        ends = [number(end, found.unit, found.metric) for end in found.ci95 or ()]
        rows.append(
            (
                Cell(clean(row.recipe.name if row.recipe is not None else row.label)),
                Cell(clean(found.metric)),
                Cell(_shown(found), title=_title(row, found)),
                Cell(number(found.seed_sd, found.unit, found.metric)),
                Cell(str(len(found.seeds))),
                Cell(f"[{', '.join(ends)}]" if ends else NOTHING),
            )
        )
    return Table(columns, tuple(rows))


def _notes(table: PaperTable) -> Iterator[str]:
    for note in table.notes:
        yield clean(note, None)


def _missing_lines(table: PaperTable) -> Iterator[str]:
    for missing in table.missing:
        recipe = missing.recipe
        if recipe is None:
            yield f"missing: {clean(missing.name)}, a result of {missing.protocol}; there is no recipe for it"
            continue
        seeds = f"{'seed' if len(recipe.seeds) == 1 else 'seeds'} {', '.join(map(str, recipe.seeds))}"
        told = f", {seeds}" if missing.partly or len(recipe.seeds) > 1 else ""
        yield f"missing: {clean(missing.name)}{told}, made by: {clean(_command(table, recipe), None)}"


def _command(table: PaperTable, recipe: Recipe) -> str:
    """The one command that makes a run: its own, or `--run` where it takes several."""
    one = recipe.command or (recipe.commands[0] if len(recipe.commands) == 1 else "")
    if one:
        return one.replace("{seed}", str(recipe.seeds[0])) if len(recipe.seeds) == 1 else one
    data = "" if table.data == DATA else f" --data {table.data}"
    places = "".join(f" --path {name}={name.upper()}" for name in places_of(recipe))
    return f"posebench table {table.number}{data} --run --only {recipe.name}{places}"


def _source_lines(table: PaperTable) -> Iterator[str]:
    for row in table.rows:
        for origin in row.origins:
            yield f"source of {clean(row.label)}: {clean(origin.path, None)}, sha256 {origin.sha256}"
    for row, column, found in table.numbers():
        if found.entry is not None:
            place = "; ".join(map(str, found.entry.sources))
            yield f"source of {clean(row.label)}, {column}: {found.entry.id}: {clean(place, None)}"


def _records(table: PaperTable) -> Iterator[list[str | float | bool | None]]:
    """One record of `CSV_COLUMNS` per number."""
    for row, column, found in table.numbers():
        entry = found.entry
        source = "; ".join(of.path for of in row.origins) if entry is None else f"{entry.id}: " + "; ".join(
            map(str, entry.sources)
        )  # fmt: skip
        low, high = found.ci95 or (None, None)
        names = (
            row.label, row.kind, row.data, "" if row.recipe is None else row.recipe.name, row.protocol or "", column,
            found.metric,
        )  # fmt: skip
        rest = ("; ".join(found.reasons), "; ".join(found.remarks), source, "; ".join(of.sha256 for of in row.origins))
        yield [
            *map(safe_name, names), found.value, safe_name(found.unit), found.higher_is_better, low, high,
            len(found.seeds) if entry is None else None, found.seed_sd, found.status, found.best, *map(safe_name, rest),
        ]  # fmt: skip


__all__ = [
    "CSV_COLUMNS",
    "KINDS",
    "content_of",
    "kind_of_file",
    "print_table",
    "refuse_unknown",
    "rendered",
    "write_table",
]
