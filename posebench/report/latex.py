"""A report as LaTeX: booktabs tables without caption or float, and a paragraph under them that says what they hold.

A comment before the tables has the whole hashes and the notes. Names from files are text: every character that TeX
acts on is escaped. A table that may be wider than a column of text has units under the names of its columns, and where
it is wider all the same, TeX shrinks it to the width of the line.
"""

from __future__ import annotations

from collections.abc import Sequence

from posebench.report.content import RAISED, Cell, Column, Content, Table, content, facts
from posebench.report.model import Report

#: Characters, two between columns, that a line of one of two columns may not hold.
_WIDE = 48
_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "`": r"\textasciigrave{}",
        '"': r"\char34{}",
        # A row that starts with these is read as an argument of the \\ before it.
        "[": "{[}",
        "]": "{]}",
        "*": "{*}",
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
        "†": r"$\dagger$",
        "²": "$^2$",
        "–": "--",
        "…": r"\ldots{}",
    }
    | {character: f"\\{character}" for character in "_%&#${}"}
    | {raised: rf"\textsuperscript{{{letter}}}" for raised, letter in RAISED.items()}
)


def latex(report: Report, by: Sequence[str] = ()) -> str:
    r"""The report as a fragment for ``\input``, inside or outside of a float."""
    return latex_of(content(report, by), facts(report, hash_digits=None))


def latex_of(parts: Content, provenance: Sequence[str]) -> str:
    """As `latex`, for any content; `provenance` are the facts with their hashes whole."""
    packages = "booktabs,graphicx" if any(map(_is_wide, parts.tables)) else "booktabs"
    comments = (
        *provenance,
        *(f"note: {note}" for note in parts.notes),
        rf"needs \usepackage{{{packages}}}",
    )
    return "".join(
        [
            *(f"% {line}\n" for line in comments),
            "\n\\par\\medskip\n".join(_tabular(table) for table in parts.tables),
            f"\n\\par\\smallskip\n{_legend(parts)}\n",
        ]
    )


def escape(text: str) -> str:
    r"""Text that TeX sets as it is.

    Examples
    --------
    >>> print(escape("100 % of $x_1$"))
    100 \% of \$x\_1\$
    """
    return text.translate(_ESCAPES)


def _tabular(table: Table) -> str:
    wide = _is_wide(table)
    heads = [_broken(column) if wide else escape(column.heading) for column in table.columns]
    rows = [[_cell(cell) for cell in row] for row in table.rows]
    lines = [
        rf"\begin{{tabular}}{{{''.join('r' if column.right else 'l' for column in table.columns)}}}",
        r"\toprule",
        _row(heads),
        r"\midrule",
        *(_row(row) for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    if wide:
        fits = r"\noindent\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\box0}\else\box0\fi"
        lines = [r"\begingroup\setbox0=\hbox{\ignorespaces", *lines[:-1], rf"{lines[-1]}}}{fits}\endgroup"]
    return "\n".join(lines)


def _is_wide(table: Table) -> bool:
    """Whether it may not fit into a column of text; only TeX knows the widths of its letters."""
    cells = ([column.heading, *(row[i].text for row in table.rows)] for i, column in enumerate(table.columns))
    return sum(max(map(len, column)) + 2 for column in cells) > _WIDE


def _broken(column: Column) -> str:
    """A heading with its unit on a line of its own."""
    name, bracket, unit = column.heading.rpartition(" (")
    if not bracket:
        return escape(column.heading)
    return rf"\shortstack[{'r' if column.right else 'l'}]{{{escape(name)}\\({escape(unit)}}}"


def _cell(cell: Cell) -> str:
    return (rf"\textbf{{{escape(cell.text)}}}" if cell.strong else escape(cell.text)) + escape(cell.mark)


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _legend(parts: Content) -> str:
    """Facts and footnotes in print, so that no number stands without its protocol; notes are in the comment only."""
    sentences = [*parts.facts, *(f"{footnote.mark} {footnote.text}" for footnote in parts.footnotes)]
    return rf"{{\footnotesize {' '.join(escape(line[:1].upper() + line[1:]) + '.' for line in sentences)}\par}}"
