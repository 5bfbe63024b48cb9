"""`posebench env`: what to put into a bug report."""

from __future__ import annotations

from typing import Annotated

import typer


def env(
    licences: Annotated[bool, typer.Option("--licences", help="Name the licence of each package.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say what posebench runs in: versions, extras, variables that are set. For bug reports.

    Example: posebench env --licences
    """
    import json

    from posebench.environment import environment, in_virtual_environment

    found = environment()
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=1))
        return
    inside = ", in a virtual environment" if in_virtual_environment() else ""
    typer.echo(f"posebench {found.posebench}, {found.python}{inside}")
    typer.echo(f"{found.platform}, {found.processors} processors")
    typer.echo(f"variables set: {', '.join(found.variables) or 'none'}")
    for extra in dict.fromkeys(package.extra for package in found.packages):
        typer.echo(f"extra {extra}:" if extra else "needed:")
        for package in found.packages:
            if package.extra != extra:
                continue
            told = package.version or "not installed"
            if licences and package.version:
                told += f", {package.licence or 'licence not stated'}"
            typer.echo(f"  {package.name} {told}")
