"""A report in the terminal: coloured and fitted to its width, or as plain text of a fixed width for pipes and `str`.

Names from files reach rich as `Text` of printable characters, so neither its markup nor an escape sequence in them
acts. A table that is too wide is continued below; no number is ever cut or broken.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from posebench.report.content import RAISED, Cell, Column, Content, Table, content
from posebench.report.model import Report

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

#: Columns of the plain text, whatever the environment says, so that it is the same everywhere.
PLAIN_WIDTH = 80
#: A terminal that is narrower breaks the lines itself.
_NARROWEST = 50
_GAP = 2
#: A heading that needs more cells folds.
_WIDEST_HEADING = 32
#: For terminals that have no Unicode.
_ASCII = str.maketrans(
    {"↑": "^", "↓": "v", "–": "-", "─": "-", "†": "+", "²": "^2", "…": "...", "◂": "<"}
    | {raised: f"^{letter}" for raised, letter in RAISED.items()}
)


def plain_text(report: Report, by: Sequence[str] = ()) -> str:
    """The report without colours; sentences are not wrapped, tables are 80 columns wide at most."""
    return plain_text_of(content(report, by))


def plain_text_of(parts: Content) -> str:
    """As `plain_text`, for any content."""
    from rich.console import Console

    console = Console(
        file=io.StringIO(),
        width=PLAIN_WIDTH,
        height=25,
        color_system=None,
        force_terminal=False,
        force_jupyter=False,
        legacy_windows=False,
    )
    with console.capture() as captured:
        _show(parts, console, wrap=False)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def show(report: Report, by: Sequence[str] = (), console: Console | None = None) -> None:
    """Print to a console, stdout if None. Where it is no terminal, the text of `plain_text`."""
    show_content(content(report, by), console)


def show_content(parts: Content, console: Console | None = None) -> None:
    """As `show`, for any content."""
    if console is None:
        from rich.console import Console

        class Stdout(Console):
            def on_broken_pipe(self) -> None:
                """Leave it to the caller: rich would exit with the code of a failed check."""

        console = Stdout()
    if console.is_terminal:
        _show(parts, console, wrap=True)
    else:
        console.out(_speakable(plain_text_of(parts), console.encoding), end="", highlight=False)


def _show(parts: Content, console: Console, wrap: bool) -> None:
    from rich.text import Text

    def say(line: str, style: str = "") -> None:
        console.print(Text(_speakable(line, console.encoding), style=style), soft_wrap=not wrap)

    width = max(console.width, _NARROWEST)
    coverage, *provenance = parts.facts
    say(coverage, "bold")
    for fact in provenance:
        say(fact)
    for table in parts.tables:
        for number, part in enumerate(_fitting(_spoken(table, console.encoding), width)):
            say("")
            if table.title:
                say(table.title + (" (continued)" if number else ""), "bold")
            console.print(part, crop=False)
    if parts.notes or parts.footnotes:
        say("")
    for note in parts.notes:
        say(f"note: {note}", "dim")
    for footnote in parts.footnotes:
        say(f"{footnote.mark} {footnote.text}", "yellow")


def _fitting(table: Table, width: int) -> Iterator[RichTable]:
    """The table in parts that fit, each with the first column; that one may fold to a third of the width."""
    needed = _widths(table)
    least = min(needed[0], width // 3)
    start = 1
    while True:
        stop, used = start, 0
        while stop < len(needed) and (stop == start or least + used + _GAP + needed[stop] <= width):
            used += _GAP + needed[stop]
            stop += 1
        yield _rich(table, [0, *range(start, stop)], [min(needed[0], width - used), *needed[start:stop]])
        if stop == len(needed):
            return
        start = stop


def _widths(table: Table) -> list[int]:
    """Terminal cells that each column needs; a long heading may fold, a number may not."""
    from rich.cells import cell_len

    return [
        max(
            max((cell_len(row[k].text) for row in table.rows), default=0) + _pad(table, k),
            min(max(cell_len(column.title), cell_len(column.detail)), _WIDEST_HEADING),
        )
        for k, column in enumerate(table.columns)
    ]


def _pad(table: Table, k: int) -> int:
    """Room for marks beside a column, so that digits stay under digits."""
    return max((len(row[k].mark) for row in table.rows), default=0)


def _rich(table: Table, chosen: list[int], widths: list[int]) -> RichTable:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    rich = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
    # Said aloud, since rich cuts what it thinks is too wide.
    rich.width = sum(widths) + _GAP * (len(widths) - 1)
    for k, width in zip(chosen, widths, strict=True):
        column = table.columns[k]
        rich.add_column(
            Text(f"{column.title}\n{column.detail}".rstrip()),
            justify="right" if column.right else "left",
            overflow="fold",
            width=width,
        )
    pads = [_pad(table, k) for k in chosen]
    for row in table.rows:
        cells = (row[k] for k in chosen)
        rich.add_row(
            *(
                Text.assemble((c.text, "bold" if c.strong else ""), (c.mark.ljust(pad), "yellow"))
                for c, pad in zip(cells, pads, strict=True)
            )
        )
    return rich


def _spoken(table: Table, encoding: str) -> Table:
    def say(text: str) -> str:
        return _speakable(text, encoding)

    return Table(
        tuple(Column(say(column.title), say(column.detail), column.right) for column in table.columns),
        tuple(tuple(Cell(say(cell.text), say(cell.mark), cell.strong) for cell in row) for row in table.rows),
        say(table.title),
    )


def _speakable(text: str, encoding: str) -> str:
    """The text as far as the terminal's encoding can say it; what it cannot is spelled out."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(encoding, "backslashreplace").decode(encoding)
    return text
