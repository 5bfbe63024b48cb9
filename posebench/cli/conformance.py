"""`posebench conformance`: run the known defects of public scorers as cases against any scorer."""

from __future__ import annotations

from typing import Annotated

import typer

from posebench.cli import completion
from posebench.errors import UsageError


def conformance(
    scorer: Annotated[
        str | None,
        typer.Option(
            "--scorer",
            metavar="MODULE:FUNCTION",
            help="The scorer, also as PATH.py:FUNCTION. Its code runs in this process.",
            show_default=False,
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric",
            help="The scorer is a function of this metric alone, as in MPJPE.",
            show_default=False,
            autocompletion=completion.metrics,
        ),
    ] = None,
    case: Annotated[
        list[str] | None, typer.Option("--case", help="Run this case and no other; repeatable.", show_default=False)
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds that one call may take.")] = 120.0,
    form: Annotated[str, typer.Option("--format", help="terminal, md or json.")] = "terminal",
    show: Annotated[bool, typer.Option("--list", help="Show the cases instead of running them.")] = False,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit 0 whatever is found.")] = False,
) -> None:
    """Find known defects of scorers: small cases with a known answer, against any function that scores poses.

    Running a scorer runs its code, with your rights: run what you would import. Exit code 0 if every case that the
    scorer offers conforms, 1 if one does not or none is offered, 2 if the scorer cannot be loaded.

    Example: posebench conformance --scorer mycode/metrics.py:score --format md
    """
    if scorer is not None and show:
        raise UsageError("--list shows the cases and runs no scorer: leave out --list or --scorer")
    if scorer is None and not show:
        raise UsageError("say which scorer, as in --scorer mycode.metrics:score, or --list to show the cases")

    from posebench.conformance.render import content, listed, refuse_unknown, rendered

    refuse_unknown(form)

    from posebench.conformance.running import chosen_cases
    from posebench.conformance.running import conformance as run

    if scorer is None:
        typer.echo(listed(chosen_cases(case), form), nl=False)
        return

    from posebench.conformance.loading import load_scorer

    function = load_scorer(scorer)
    found = run(function, name=scorer, only_metric=metric, cases=case, limit=timeout)
    if form == "terminal":
        from posebench.report.terminal import show_content

        show_content(content(found))
    else:
        # A path may hold bytes that are no text.
        typer.echo(rendered(found, form).encode("utf-8", "backslashreplace").decode(), nl=False)
    if not found.conforms and not exit_zero:
        raise typer.Exit(1)


__all__ = ["conformance"]
