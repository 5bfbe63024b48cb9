"""`posebench protocols`: what the named protocols are and exactly how they are defined."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="Named, versioned definitions of how to score.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_protocols() -> None:
    """List the protocols that posebench knows, with the sentence that tells what each does."""
    from posebench.protocols import get_protocol, protocol_names

    for name in protocol_names():
        protocol = get_protocol(name)
        typer.echo(f"{protocol.name}/{protocol.version}  {protocol.sha256[:12]}  {protocol.summary}")


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="Name of a protocol, or a .yaml file.")]) -> None:
    """Show everything that a protocol's numbers depend on, as YAML.

    Example: posebench protocols show standard
    """
    import yaml

    from posebench.protocols import get_protocol

    protocol = get_protocol(name)
    facts = {"name": protocol.name, "version": protocol.version, "sha256": protocol.sha256, "summary": protocol.summary}
    text = yaml.safe_dump({**facts, "source": protocol.source, "definition": protocol.definition()}, sort_keys=False)
    typer.echo(text, nl=False)
