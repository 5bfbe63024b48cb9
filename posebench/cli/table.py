"""`posebench table`: the paper's tables 1 to 4, printed numbers beside numbers regenerated from results."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posebench.errors import UsageError

if TYPE_CHECKING:
    from posebench.tables import PaperTable


def table(
    number: Annotated[int, typer.Argument(metavar="1|2|3|4", help="Of the paper.", show_default=False)],
    data: Annotated[
        str, typer.Option("--data", help="Data set of the regenerated rows: open4v, h36m or 3dhp.")
    ] = "open4v",
    results: Annotated[
        Path | None,
        typer.Option("--results", help="Folder of results; else those that come with posebench.", show_default=False),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="terminal, md, tex, csv, html or json.")] = "terminal",
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "-o", "--output", help="Also write .txt, .md, .tex, .csv, .html or .json; repeatable.", show_default=False
        ),
    ] = None,
    sources: Annotated[
        bool, typer.Option("--sources", help="List below the table which file each number was read from.")
    ] = False,
    check: Annotated[
        float | None,
        typer.Option(
            "--check",
            metavar="TOL",
            help="Exit 1 if a regenerated number is further than this from the published one that it compares with.",
            show_default=False,
        ),
    ] = None,
    run: Annotated[bool, typer.Option("--run", help="First make the runs that are missing.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="With --run: this run and no other; repeatable.", show_default=False),
    ] = None,
    path: Annotated[
        list[str] | None,
        typer.Option(
            "--path",
            metavar="NAME=PATH",
            help="With --run: what {NAME} in a command stands for, as in open4v=DIR; repeatable.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show a table of the paper: what was printed beside what was measured again, and what does not compare.

    Example: posebench table 2 --results results -o table2.tex
    """
    from posebench.cli.outputs import refuse_unwritable
    from posebench.tables.render import kind_of_file, print_table, refuse_unknown, rendered, write_table

    outputs = tuple(output or ())
    refuse_unknown(form)
    kept = [] if results is None else [each for each in results.glob("*/*") if each.is_file()]
    for each in outputs:
        kind_of_file(each)
        refuse_unwritable(each, kept)
    if check is not None and not (math.isfinite(check) and check >= 0):
        raise UsageError(f"--check {check}: expected a number from 0, in the unit of each metric")
    if (only or path) and not run:
        raise UsageError("--only and --path say what --run does; add --run, or leave them out")

    from posebench.tables import build_table

    found = build_table(number, data=data, results=results)
    if run:
        from posebench.tables.running import make_missing

        make_missing(found, results=results, paths=path or (), only=only or (), say=_say)
        found = build_table(number, data=data, results=results)
    if form == "terminal":
        print_table(found, sources=sources)
    else:
        typer.echo(rendered(found, form, sources=sources), nl=False)
    for each in outputs:
        write_table(found, each, sources=sources)
    if check is not None:
        _judge(found, check)


def _judge(found: PaperTable, tolerance: float) -> None:
    """Say what was checked, and exit 1 if a number left its published one."""
    if not found.checked:
        _say("nothing to check: no regenerated number compares with its published one; the footnotes say why")
        return
    off = [each for each in found.checked if abs(each.difference) > tolerance]
    for each in off:
        _say(
            f"{each.metric} of {each.run} is {each.regenerated:.4g}, {each.id} is {each.published:.4g}: "
            f"{each.difference:+.4g}, more than {tolerance:g}"
        )
    count = "1 number" if len(found.checked) == 1 else f"{len(found.checked)} numbers"
    _say(f"checked {count} against what was published: {len(off) or 'none'} further away than {tolerance:g}")
    if off:
        raise typer.Exit(1)


def _say(words: str) -> None:
    # Names from files may hold line breaks and bytes that are no text.
    line = " ".join(words.splitlines())
    print(f"posebench: {line.encode('utf-8', 'backslashreplace').decode()}", file=sys.stderr)
