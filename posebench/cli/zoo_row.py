"""`posebench zoo row`: all the steps of a row of results, one after another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from posebench.errors import MissingExtraError, UsageError


def _print_rows(asked: bool) -> None:
    if not asked:
        return
    from model_zoo.rows import get_row, list_rows

    for name in list_rows():
        typer.echo(f"{name}: {get_row(name).description}")
    raise typer.Exit


def row(
    name: Annotated[str, typer.Argument(metavar="ROW", help="One of --list.", show_default=False)],
    data: Annotated[
        Path, typer.Option("--data", help="Folder that was rendered or prepared (posebench data).", show_default=False)
    ],
    backbone: Annotated[Path, typer.Option("--backbone", help="ImageNet weights to begin with.", show_default=False)],
    mpii: Annotated[
        Path | None,
        typer.Option("--mpii", help="Prepared MPII, where the 2D branch learns from it.", show_default=False),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option("--work", help="Folder for everything on the way; by default POSEBENCH_RUNS.", show_default=False),
    ] = None,
    results: Annotated[Path, typer.Option("--results", help="Folder for the results.")] = Path("results"),
    seed: Annotated[int, typer.Option("--seed", help="Of the 3D branch and the refinement unit.", min=0)] = 0,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print the commands that are still to be run, and stop.")
    ] = False,
    list_rows: Annotated[
        bool, typer.Option("--list", help="Name all rows and stop.", callback=_print_rows, is_eager=True)
    ] = False,
) -> None:
    """Train, predict and score a row of results: every step, of which those that are done are not done again.

    Rows share what they have in common, so one folder (--work) serves them all. Stopped at any moment, the same command
    goes on.

    Example: posebench zoo row open4v-small-lite0-ss --data open4v --backbone WEIGHTS.pth --seed 0
    """
    from posebench.ending import run_step
    from posebench.io.atomic import atomic_write

    try:
        from model_zoo.epipolarpose.run_folder import runs_folder
        from model_zoo.rows import facts, filled, get_row, placeholders, steps
    except ModuleNotFoundError as error:
        missing = (error.name or "model_zoo").partition(".")[0]
        if missing not in ("model_zoo", "torch"):
            raise
        raise MissingExtraError("posebench zoo row", missing, "zoo") from None
    chosen = get_row(name)
    places = {
        "data": str(data),
        "work": str(runs_folder() if work is None else work),
        "results": str(results),
        "backbone": str(backbone),
    }
    if "mpii" in placeholders(chosen):
        if mpii is None:
            raise UsageError(f"{name}: its 2D branch learns from MPII; name the prepared folder with --mpii")
        places["mpii"] = str(mpii)
    for step in steps(chosen, seed):
        made = Path(filled(step.makes, places))
        if made.is_file():
            continue
        command = [filled(part, places) for part in step.command]
        typer.echo("posebench " + " ".join(command))
        if plan:
            continue
        made.parent.mkdir(parents=True, exist_ok=True)
        code = run_step(command)
        if code or not made.is_file():
            # The step has said itself what was wrong.
            typer.echo(
                f"posebench {' '.join(command[:2])} did not make {made}; the same command goes on here", err=True
            )
            raise typer.Exit(code or 1)
    if not plan:
        import yaml

        folder = results / name
        seeds = sorted({int(path.stem.rpartition("-seed")[2]) for path in folder.glob("*-seed*.json")})
        with atomic_write(folder / "run.yaml") as handle:
            handle.write(yaml.safe_dump(facts(chosen, seeds), sort_keys=False, width=120).encode())
        typer.echo(f"results: {folder}")
