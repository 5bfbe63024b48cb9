"""A table of the paper as one HTML file that needs no network; every number says on hovering where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from posebench.html.markup import Markup, source_hash, tag
from posebench.report.content import RAISED, Cell, Column, Content, Footnote, Table

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
p { margin: 0; }
.wide { overflow-x: auto; }
tbody th { min-width: 11rem; }
sup { line-height: 0; }
table { border-collapse: collapse; margin: 1.5rem 0; border-top: 2px solid; border-bottom: 2px solid; }
th, td { padding: .25rem .5rem; text-align: left; font-weight: normal; vertical-align: top; }
thead th { border-bottom: 1px solid; font-weight: bold; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td[title] { cursor: help; }
li { overflow-wrap: anywhere; }
@media print { body { max-width: none; font-size: 10pt; } }
"""


def html_of(parts: Content, title: str) -> str:
    """The whole page."""
    policy = f"default-src 'none'; style-src {source_hash(_STYLE)}"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Markup(_STYLE)),
    )
    body = tag(
        "body",
        tag("h1", title),
        (tag("p", fact) for fact in parts.facts),
        (tag("div", _table(table), class_="wide") for table in parts.tables),
        tag("ul", (tag("li", _footnote(note)) for note in parts.footnotes)),
        tag("ul", (tag("li", note) for note in parts.notes)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _table(table: Table) -> Markup:
    heads = (tag("th", column.heading, scope="col", class_=_class(column)) for column in table.columns)
    rows = (tag("tr", _row(row, table.columns)) for row in table.rows)
    return tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows))


def _row(row: Sequence[Cell], columns: Sequence[Column]) -> Iterator[Markup]:
    for place, (cell, column) in enumerate(zip(row, columns, strict=True)):
        yield _cell(cell, column, place == 0)


def _cell(cell: Cell, column: Column, first: bool) -> Markup:
    text = tag("strong", cell.text) if cell.strong else cell.text
    inside = (text, _raised(cell.mark) if cell.mark else None)
    if first:
        return tag("th", inside, scope="row")
    return tag("td", inside, class_=_class(column), title=cell.title or None)


def _footnote(note: Footnote) -> Iterator[str]:
    # Words are no mark.
    yield tag("strong", note.mark) if note.mark.isascii() else _raised(note.mark)
    yield f" {note.text}"


def _raised(mark: str) -> Markup:
    """A mark as the page raises it: letters that are raised already would be too small."""
    return tag("sup", " ".join(RAISED.get(letter, letter) for letter in mark))


def _class(column: Column) -> str | None:
    return "number" if column.right else None
