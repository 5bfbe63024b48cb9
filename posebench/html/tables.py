"""Tables of a report as HTML: for the page, and for a notebook, which brings a style of its own."""

from __future__ import annotations

from posebench.html.markup import Markup, tag
from posebench.report.content import Cell, Column, Content, Table, content
from posebench.report.model import Report


def table_html(table: Table, *, caption: str | None = None, footnotes: bool = True) -> Markup:
    """A table with heads that name their columns and rows, for eyes and for screen readers."""
    head = tag("tr", (_head(column) for column in table.columns))
    body = (
        tag(
            "tr",
            (
                _cell(cell, column, first=k == 0, marked=footnotes)
                for k, (cell, column) in enumerate(_pairs(row, table))
            ),
        )
        for row in table.rows
    )
    said = table.title if caption is None else caption
    return tag("table", tag("caption", said) if said else None, tag("thead", head), tag("tbody", body))


def notebook_html(report: Report) -> str:
    """The report as a notebook shows it: coverage, the table of metrics, notes and footnotes."""
    return str(notebook_html_of(content(report, ())))


def notebook_html_of(parts: Content) -> Markup:
    """As `notebook_html`, for any content."""
    lines = [*(f"note: {note}" for note in parts.notes), *(f"{f.mark} {f.text}" for f in parts.footnotes)]
    return tag(
        "div",
        (tag("p", tag("strong", fact) if i == 0 else fact) for i, fact in enumerate(parts.facts)),
        (table_html(table) for table in parts.tables),
        tag("ul", (tag("li", line) for line in lines)) if lines else None,
        class_="posebench-report",
    )


def _pairs(row: tuple[Cell, ...], table: Table) -> list[tuple[Cell, Column]]:
    return list(zip(row, table.columns, strict=True))


def _head(column: Column) -> Markup:
    return tag(
        "th",
        column.title,
        (" ", tag("small", column.detail)) if column.detail else None,
        scope="col",
        class_="number" if column.right else None,
        # Notebooks align everything to the right, and have no class of ours.
        align=None if column.right else "left",
    )


def _cell(cell: Cell, column: Column, *, first: bool, marked: bool) -> Markup:
    text = tag("strong", cell.text) if cell.strong else cell.text
    inside = (text, tag("sup", cell.mark) if cell.mark and marked else None)
    align = None if column.right else "left"
    if first:
        return tag("th", inside, scope="row", align=align, title=cell.title or None)
    return tag("td", inside, class_="number" if column.right else None, align=align, title=cell.title or None)
