"""`posebench published`: the numbers that others printed, where they come from and what they were measured with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from posebench.cli import completion

app = typer.Typer(
    help="Published results: where each number comes from, and what is known of it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

File = Annotated[
    Path | None, typer.Option("--file", help="A .yaml file of one's own, read as well.", show_default=False)
]
Format = Annotated[
    str | None,
    typer.Option("--format", help="text, json, csv or markdown; else a table for the terminal.", show_default=False),
]


@app.command("list")
def list_published(
    dataset: Annotated[str | None, typer.Option("--dataset", help="As in h36m or 3dhp.", show_default=False)] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric",
            help="A metric with all of its variants, or one.",
            show_default=False,
            autocompletion=completion.metrics,
        ),
    ] = None,
    method: Annotated[str | None, typer.Option("--method", help="Whole name of a method.", show_default=False)] = None,
    file: File = None,
    form: Format = None,
) -> None:
    """List published numbers; those that are known to be printed and were never found are among them.

    Example: posebench published list --dataset h36m --metric PMPJPE
    """
    from posebench.published import published_results
    from posebench.published.showing import content_of, rendered
    from posebench.report.terminal import show_content

    if form is not None:
        rendered((), form)
    found = published_results(dataset=dataset, metric=metric, method=method, file=file)
    if form is None:
        show_content(content_of(found))
    else:
        typer.echo(rendered(found, form), nl=False)


@app.command("show")
def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="As posebench published list names it.", show_default=False)],
    file: File = None,
    form: Format = None,
) -> None:
    """Show everything that is known of one number.

    Example: posebench published show epipolarpose-full-r50-mpjpe
    """
    from posebench.published import published_result
    from posebench.published.showing import described, rendered

    if form is not None:
        rendered((), form)
    entry = published_result(id, file=file)
    typer.echo(described(entry) if form in (None, "text") else rendered([entry], str(form)), nl=False)


@app.command("validate")
def validate(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A .yaml file; else those of posebench.", show_default=False)
    ] = None,
) -> None:
    """Check a file of published results: every field, unit, protocol and link; exit code 2 with the first fault.

    Example: posebench published validate mine.yaml
    """
    from posebench.published.registry import library

    shipped = len(library().entries)
    entries = library(file).entries[0 if file is None else shipped :]
    empty = sum(entry.value is None for entry in entries)
    count = "1 entry is" if len(entries) == 1 else f"{len(entries)} entries are"
    typer.echo(f"{file or 'posebench'}: {count} in order, {empty} of them without a value")
