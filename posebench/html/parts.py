"""Small pieces of the page that several sections use."""

from __future__ import annotations

from collections.abc import Sequence

from posebench.html.markup import Child, Markup, tag
from posebench.html.tables import table_html
from posebench.report.content import Table


def bullets(lines: Sequence[str]) -> Markup:
    """A list of sentences."""
    return tag("ul", (tag("li", line) for line in lines))


def details(summary: str, *children: Child) -> Markup:
    """What is shown when its summary is opened."""
    return tag("details", tag("summary", summary), *children)


def wide_table(table: Table) -> Markup:
    """A table that scrolls by itself where the window is narrow."""
    return tag("div", table_html(table), class_="scroll")
