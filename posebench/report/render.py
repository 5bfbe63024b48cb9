"""Rendering a report: which formats there are, by kind and by file ending, and writing one to a file or the terminal.

What a report says is decided in `content`; how a format sets it, in the module of that format. All output is
deterministic: the same report gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from posebench.errors import UsageError
from posebench.report.model import Report

if TYPE_CHECKING:
    from rich.console import Console


class _Format(NamedTuple):
    #: File ending; empty for a format that goes to the terminal only.
    ending: str
    #: Module and function `(report, by) -> str`, imported on first use.
    home: tuple[str, str]


#: A new format is one line here and a function in a module beside this one.
_FORMATS = {
    "txt": _Format("", ("posebench.report.terminal", "plain_text")),
    "json": _Format(".json", ("posebench.report.data", "json_text")),
    "csv": _Format(".csv", ("posebench.report.data", "csv_text")),
    "md": _Format(".md", ("posebench.report.markdown", "markdown")),
    "tex": _Format(".tex", ("posebench.report.latex", "latex")),
    "html": _Format(".html", ("posebench.html.page", "html")),
}


def kinds() -> tuple[str, ...]:
    """The formats that `render` knows."""
    return tuple(_FORMATS)


def endings() -> tuple[str, ...]:
    """The file endings that `write_report` knows."""
    return tuple(known.ending for known in _FORMATS.values() if known.ending)


def kind_of(path: Path) -> str:
    """The format that a file's ending names, so that a run can be refused before it is made.

    Raises
    ------
    UsageError
        If the ending is not known.
    """
    for kind, known in _FORMATS.items():
        if known.ending and known.ending == path.suffix.lower():
            return kind
    what = f"ending {path.suffix!r}" if path.suffix else "no ending"
    raise UsageError(f"{path}: a report cannot be written with {what}; known endings are {', '.join(endings())}")


def render(report: Report, kind: str, by: Sequence[str] = ()) -> str:
    """A report as text, with a newline at its end.

    Parameters
    ----------
    report : Report
    kind : {"txt", "json", "csv", "md", "tex", "html"}
    by : sequence of str
        Groups to add as tables; the JSON always has all of them.

    Raises
    ------
    UsageError
        If the kind is unknown or the report cannot be grouped so.
    InputError
        If a number of the report is not finite.
    """
    if kind not in _FORMATS:
        raise UsageError(f"there is no report format {kind!r}; known are {', '.join(_FORMATS)}")
    module, function = _FORMATS[kind].home
    return str(getattr(import_module(module), function)(report, tuple(dict.fromkeys(by))))


def write_report(report: Report, path: str | Path, by: Sequence[str] = ()) -> None:
    """Write a report in the format of the file's ending; the file is there whole, or as it was before.

    Raises
    ------
    UsageError
        If the ending is unknown or the report cannot be grouped so.
    InputError
        If the file cannot be written, or a number of the report is not finite.
    """
    from posebench.io.atomic import atomic_write

    data = render(report, kind_of(Path(path)), by).encode("utf-8")
    with atomic_write(path) as file:
        file.write(data)


def print_report(report: Report, by: Sequence[str] = (), console: Console | None = None) -> None:
    """Print a report: with colours and to the width of a terminal, else exactly as `render(report, "txt", by)`."""
    from posebench.report.terminal import show

    show(report, tuple(dict.fromkeys(by)), console)
