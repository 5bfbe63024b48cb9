"""`posebench data`: which data sets are there, how the others are got, and what posebench makes of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posebench.errors import UsageError

if TYPE_CHECKING:
    from posebench.datasets.catalog import DataSet

app = typer.Typer(
    help="Data sets: what is there, how to get it, under which licence it comes.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

#: What a fetched folder holds once its licence was shown.
_LICENCE = "LICENCE.txt"

Name = Annotated[str, typer.Argument(metavar="NAME", help="A data set (posebench data list).", show_default=False)]
Folder = Annotated[
    Path | None,
    typer.Option("--folder", help="That of the data set, if it is not where it is looked for.", show_default=False),
]

Workers = Annotated[
    int | None, typer.Option("--workers", help="Processes; else one for each core.", show_default=False)
]


@app.command("list")
def list_data() -> None:
    """List the data sets, where each lies, and how to get those that are missing.

    Each is looked for in the folder of its name below POSEBENCH_DATA, then below posebench's cache folder.

    Example: posebench data list
    """
    from posebench.datasets.catalog import CATALOGUE, DATA, cache_folder, data_folders, find

    folders = data_folders()
    lines = [f"{DATA}: {folders[0] if len(folders) > 1 else 'not set'}", f"cache: {cache_folder()}"]
    for name, dataset in CATALOGUE.items():
        place = find(name)
        lines += ["", f"{name}: {dataset.what}"]
        if place is not None:
            lines.append(f"  is in {place}")
        else:
            lines.append("  is missing; to get it:")
            lines += [f"    {step}" for step in dataset.steps]
    _print(lines)


@app.command("fetch")
def fetch(
    name: Name,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Folder for it; else one of its name in the cache folder.", show_default=False),
    ] = None,
) -> None:
    """Fetch a data set that comes through a package client, check its SHA-256 and unpack it.

    What is complete is not fetched again; an interrupted fetch goes on where it stopped.

    Example: posebench data fetch pose2sim
    """
    from posebench.datasets import fetching
    from posebench.datasets.catalog import get_dataset
    from posebench.io.atomic import atomic_write

    def tell(what: str) -> None:
        print(f"posebench: fetching {_printable(what)}", file=sys.stderr)

    fetched = fetching.fetch(name, to, progress=tell)
    licence = fetched.folder / _LICENCE
    if not licence.is_file():
        text = "\n".join(_terms(get_dataset(name)))
        _print(text.splitlines())
        with atomic_write(licence) as handle:
            handle.write(f"{text}\n".encode())
    state = f"fetched {len(fetched.new)} packages" if fetched.new else "is complete, nothing was fetched"
    _print([f"{fetched.folder}: {state}"])


@app.command("verify")
def verify(name: Name, folder: Folder = None) -> None:
    """Hold every file of a data set against its SHA-256; exit code 1 if one differs or is missing.

    Example: posebench data verify pose2sim
    """
    from posebench.datasets.catalog import check

    found = check(name, folder)
    for note in found.notes:
        print(f"posebench: note: {_printable(note)}", file=sys.stderr)
    if found.wrong:
        more = f" (and {len(found.wrong) - 1} further faults)" if len(found.wrong) > 1 else ""
        print(f"posebench: {_printable(found.wrong[0] + more)}", file=sys.stderr)
        raise typer.Exit(1)
    _print([f"{found.folder}: {found.hashed} files match their SHA-256"] if found.hashed else [])


@app.command("card")
def card(name: Name) -> None:
    """Show licence and attribution of a data set, and what derives from it.

    Example: posebench data card hdm05
    """
    from posebench.datasets.catalog import find, get_dataset

    dataset = get_dataset(name)
    place = find(name)
    own = None if place is None else place / _LICENCE
    lines = _terms(dataset)
    if name == "open4v" and own is not None and own.is_file():
        lines += ["", own.read_text(encoding="utf-8", errors="replace")[: 1 << 16].rstrip()]
    _print([*lines, "", "To get it:", *(f"  {step}" for step in dataset.steps)])


@app.command("prepare")
def prepare(
    name: Name,
    out: Annotated[Path, typer.Option("--out", help="Folder for what is made.", show_default=False)],
    folder: Folder = None,
    pixels: Annotated[int, typer.Option("--pixels", help="Side of the crops in px.")] = 256,
    subjects: Annotated[
        str | None,
        typer.Option("--subjects", help="Of h36m, mpi-inf-3dhp, as S1,S9; else all.", show_default=False),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option("--stride", help="Every so-manieth training frame of these; else 5.", show_default=False),
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option("--annotations", help="List of mpii; else the one in its folder.", show_default=False),
    ] = None,
    workers: Workers = None,
) -> None:
    """Make the files that training and scoring read: crops of h36m, mpi-inf-3dhp and mpii, from your own copy; of
    pose2sim crops, cameras and 3D reference; of open4v an index without labels.

    The same command goes on where an earlier one stopped. Crops need the extra data.

    Example: posebench data prepare pose2sim --out pose2sim-crops
    """
    from posebench.datasets.catalog import get_dataset, locate

    get_dataset(name)
    if name in ("h36m", "mpi-inf-3dhp", "mpii"):
        _crops(name, out, folder, pixels, subjects, stride, annotations, workers)
        return
    given = {"--subjects": subjects, "--stride": stride, "--annotations": annotations, "--workers": workers}
    if any(value is not None for value in given.values()):
        option = next(option for option, value in given.items() if value is not None)
        raise UsageError(f"{option} is for crops of h36m, mpi-inf-3dhp and mpii; leave it out for {name}")
    if name == "pose2sim":
        from posebench.datasets import pose2sim

        made = pose2sim.prepare(out, folder=folder, pixels=pixels)
        _print([f"{out}: {made.pictures} pictures of {made.frames} frames", "", *made.table])
    elif name == "open4v":
        from posebench.datasets.views import strip_labels

        counts = strip_labels(locate(name) if folder is None else folder, out)
        _print([f"{out}: {count} pictures of {split} without labels" for split, count in counts.items()])
    else:
        raise UsageError(f"nothing is prepared of {name}; prepared are pose2sim, open4v, h36m, mpi-inf-3dhp and mpii")


def _crops(
    name: str,
    out: Path,
    folder: Path | None,
    pixels: int,
    subjects: str | None,
    stride: int | None,
    annotations: Path | None,
    workers: int | None,
) -> None:
    """Cut crops, and say what was left out."""
    from posebench.cli.progress import step_bar
    from posebench.datasets.prepared import prepare as cut

    chosen = None if subjects is None else [each.strip() for each in subjects.split(",") if each.strip()]
    with step_bar("cutting") as bar:
        made = cut(
            name, out, folder=folder, pixels=pixels, subjects=chosen, stride=stride, annotations=annotations,
            workers=workers, progress=bar,
        )  # fmt: skip
    notes = [*made.notes, *(f"{count} left out: {why}" for why, count in made.left_out.items())]
    for note in notes:
        print(f"posebench: note: {_printable(note)}", file=sys.stderr)
    lines = [f"{split}: {count} pictures" for split, count in made.pictures.items()]
    _print([f"{out}: {made.new} pictures cut now", *lines])


@app.command("render")
def render(
    name: Name,
    out: Annotated[Path, typer.Option("--out", help="Folder for pictures and labels.", show_default=False)],
    size: Annotated[str, typer.Option("--size", help="tiny, small or full.")] = "small",
    motions: Annotated[
        str, typer.Option("--motions", help="mocap: of CMU and HDM05; synthetic: made up, needs no data.")
    ] = "mocap",
    pixels: Annotated[int, typer.Option("--pixels", help="Side of the pictures in px.")] = 256,
    seed: Annotated[int, typer.Option("--seed", help="Of all that is drawn at random.")] = 0,
    workers: Workers = None,
) -> None:
    """Render the data set open4v; the same command goes on where an earlier one stopped.

    Needs the extra data. Motion capture is read from the folder that POSEBENCH_DATA names.

    Example: posebench data render open4v --size tiny --motions synthetic --out open4v
    """
    if name != "open4v":
        raise UsageError(f"{name} is not rendered; open4v is")
    from posebench.cli.progress import step_bar
    from posebench.datasets import open4v

    with step_bar("rendering") as bar:
        made = open4v.render(out, size=size, pixels=pixels, motions=motions, seed=seed, workers=workers, progress=bar)
    lines = [f"{split}: {count} pictures" for split, count in made.pictures.items()]
    _print([f"{out}: {made.new} pictures rendered now", *lines])


def _terms(dataset: DataSet) -> list[str]:
    return [
        f"{dataset.name}: {dataset.what}",
        f"Licence: {dataset.licence}",
        f"Attribution: {dataset.attribution}",
        f"Made of it: {dataset.derived}",
    ]


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(_printable(line))


def _printable(text: str) -> str:
    """File names may hold bytes that are no text."""
    return text.encode("utf-8", "backslashreplace").decode()
