"""`posebench protocols`: what the named protocols are and exactly how they are defined."""

from __future__ import annotations

from typing import Annotated

import typer

from posebench.cli import completion

app = typer.Typer(help="Named, versioned definitions of how to score.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_protocols() -> None:
    """List the protocols that posebench knows, with the sentence that tells what each does."""
    from posebench.protocols import get_protocol, protocol_names

    for name in protocol_names():
        protocol = get_protocol(name)
        typer.echo(f"{protocol.name}/{protocol.version}  {protocol.sha256[:12]}  {protocol.summary}")


@app.command("show")
def show(
    name: Annotated[
        str, typer.Argument(help="Name of a protocol, or a .yaml file.", autocompletion=completion.protocols)
    ],
) -> None:
    """Show everything that a protocol's numbers depend on, as YAML.

    Example: posebench protocols show standard
    """
    import yaml

    from posebench.protocols import get_protocol

    protocol = get_protocol(name)
    facts = {
        "name": protocol.name,
        "version": protocol.version,
        "sha256": protocol.sha256,
        "summary": protocol.summary,
        "source": protocol.source,
        **({"by": list(protocol.by)} if protocol.by else {}),
        "definition": protocol.definition(),
        **({} if protocol.selection is None else {"selection": protocol.selection.to_dict()}),
    }
    typer.echo(yaml.safe_dump(facts, sort_keys=False, allow_unicode=True), nl=False)


@app.command("diff")
def diff(
    first: Annotated[
        str, typer.Argument(help="Name of a protocol, or a .yaml file.", autocompletion=completion.protocols)
    ],
    second: Annotated[str, typer.Argument(help="Another.", autocompletion=completion.protocols)],
) -> None:
    """Show what two protocols differ in, field by field.

    Example: posebench protocols diff standard h36m-videopose3d
    """
    from posebench.protocols import differences, get_protocol

    a, b = get_protocol(first), get_protocol(second)
    found = differences(a, b)
    if not found:
        typer.echo(f"{a.name}/{a.version} and {b.name}/{b.version} score the same frames in the same way")
    for difference in found:
        typer.echo(f"{difference.field}:")
        if difference.only_first or difference.only_second:
            for name, only in ((a.name, difference.only_first), (b.name, difference.only_second)):
                typer.echo(f"  only {name}: {', '.join(only) or 'nothing'}")
        else:
            for name, value in ((a.name, difference.first), (b.name, difference.second)):
                typer.echo(f"  {name}: {_shown(value)}")


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "none"
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_shown(item)}" for key, item in value.items())
    return str(value)
