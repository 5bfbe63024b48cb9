"""A report as GitHub Markdown: a list of facts, tables, notes and footnotes, ready to paste into an issue or a page.

Names from files are text and nothing else: no table cell, code, HTML, link, mention or formula comes out of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from posebench.report.content import Cell, Content, Table, content
from posebench.report.model import Report

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", "://": "&#58;//", "www.": "www&#46;"}
_SPECIAL = re.compile(r"[\\`*_~|$#\[\]{}]|[&<>]|(?<!\w)@|://|www\.", re.IGNORECASE)


def markdown(report: Report, by: Sequence[str] = ()) -> str:
    """The report, each part set off by an empty line."""
    return markdown_of(content(report, by))


def markdown_of(parts: Content) -> str:
    """As `markdown`, for any content."""
    return (
        "\n\n".join(
            block
            for block in (
                _list(parts.facts),
                *(_table(table) for table in parts.tables),
                _list([*(f"note: {note}" for note in parts.notes), *(f"{f.mark} {f.text}" for f in parts.footnotes)]),
            )
            if block
        )
        + "\n"
    )


def escape(text: str) -> str:
    r"""Text that Markdown shows as it is.

    Examples
    --------
    >>> print(escape("a|b `c` </script> $x_1$"))
    a\|b \`c\` &lt;/script&gt; \$x\_1\$
    """
    return _SPECIAL.sub(lambda found: _ENTITIES.get(found[0].lower(), "\\" + found[0]), text)


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {escape(line)}" for line in lines)


def _cell(cell: Cell) -> str:
    return f"**{escape(cell.text)}**{escape(cell.mark)}" if cell.strong else escape(cell.text + cell.mark)


def _table(table: Table) -> str:
    rows = [
        [escape(column.heading) for column in table.columns],
        ["--:" if column.right else ":--" for column in table.columns],
        *([_cell(cell) for cell in row] for row in table.rows),
    ]
    title = f"**{escape(table.title)}**\n\n" if table.title else ""
    return title + "\n".join(f"| {' | '.join(row)} |" for row in rows)
