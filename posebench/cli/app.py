"""The typer application: which commands there are. What they do is in the file of their group."""

from __future__ import annotations

from typing import Annotated

import typer

from posebench import __version__
from posebench.cli import (
    bank,
    compare,
    conformance,
    convert,
    data,
    demo,
    doctor,
    env,
    figure,
    protocols,
    published,
    score,
    table,
    zoo,
)

# Plain help: rich markup costs a third of the time that help may take.
app = typer.Typer(
    name="posebench",
    help="Metrics and benchmarks for 3D human pose estimation.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("score")(score.score)
app.command("compare")(compare.compare)
app.command("conformance")(conformance.conformance)
app.command("convert")(convert.convert)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("env")(env.env)
app.add_typer(bank.app, name="bank")
app.add_typer(data.app, name="data")
app.add_typer(figure.app, name="figure")
app.add_typer(protocols.app, name="protocols")
app.add_typer(published.app, name="published")
app.command("table")(table.table)
app.add_typer(zoo.app, name="zoo")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"posebench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass
