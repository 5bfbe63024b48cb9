"""`posebench figure`: the paper's figures 4, 5 and 6, measured and drawn anew, and charts of results."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posebench.cli import completion, figure_results, options
from posebench.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from posebench.poses import PoseSet

app = typer.Typer(
    help="The paper's figures 4, 5 and 6, measured and drawn anew, and charts for a results section.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

#: The banks that ship with posebench.
BANKS = ("cmu-h36m17-k50", "cmu-h36m17-k100")

Output = Annotated[
    list[Path], typer.Option("-o", "--output", help="Write .png, .svg or .pdf; repeatable.", show_default=False)
]
Gt = Annotated[
    Path | None,
    typer.Option(
        "--gt",
        help="Ground truth: .npz, .npy, .json, .csv, .pkl and others; without it, CMU clips below POSEBENCH_DATA.",
        show_default=False,
    ),
]
Up = Annotated[
    str | None,
    typer.Option(
        "--up", help="Axis that points up: -y, y, z or -z; else y in a world, -y in a camera.", show_default=False
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Of all that is drawn at random.")]


@app.command("4")
def figure4(
    output: Annotated[
        list[Path] | None,
        typer.Option("-o", "--output", help="Write .png, .svg or .pdf; repeatable.", show_default=False),
    ] = None,
    gt: Gt = None,
    bank: Annotated[
        list[str] | None,
        typer.Option(
            "--bank",
            autocompletion=completion.banks,
            help=f"Name of a shipped bank, or the path of an .npz; repeatable; else {' and '.join(BANKS)}.",
            show_default=False,
        ),
    ] = None,
    pairs: Annotated[int, typer.Option("--pairs", help="Most pairs at each MPJPE.")] = 2000,
    level: Annotated[
        list[float] | None,
        typer.Option(
            "--level", help="MPJPE of a row of the table, in mm; repeatable; else 20 35 50 75 100.", show_default=False
        ),
    ] = None,
    row: Annotated[
        list[float] | None,
        typer.Option(
            "--row", help="MPJPE of a row of the figure, in mm; repeatable; else 35 53 54.", show_default=False
        ),
    ] = None,
    table: Annotated[
        list[Path] | None,
        typer.Option("--table", help="Also write the table to .md, .csv or .json; repeatable.", show_default=False),
    ] = None,
    seed: Seed = 0,
    up: Up = None,
    gt_skeleton: options.GtSkeleton = None,
    gt_unit: options.GtUnit = None,
    gt_reference: options.GtReference = None,
) -> None:
    """Draw a changed structure beside noise of the same MPJPE, and print what PSS makes of many such pairs.

    Example: posebench figure 4 --gt gt.npz -o figure4.png --table figure4.md
    """
    from posebench.figures import figure4 as figure

    if row and not output:
        raise UsageError("--row is an MPJPE to draw; say where the figure goes with -o FILE")
    for path in table or ():
        figure.table_kind(path)
    names = list(dict.fromkeys(bank or BANKS))
    _check_outputs([*(output or ()), *(table or ())], output or (), gt, names)
    _check_up(up)

    from posebench.banks import find_bank
    from posebench.cli.progress import announce_compilation
    from posebench.figures.material import ground_truth
    from posebench.io import atomic_write
    from posebench.report.terminal import show_content

    banks = [find_bank(name) for name in names]
    announce_compilation()
    poses = ground_truth(gt, skeleton=gt_skeleton, unit=gt_unit, reference=gt_reference, say=say)
    drawn = (row or figure.DRAWN) if output else ()
    found = figure.measure(poses, banks, pairs=pairs, levels=level or figure.LEVELS, drawn=drawn, seed=seed, say=say)
    if output:
        _write(figure.draw(found, up=up), output)
    for path in table or ():
        text = figure.table_text(found, figure.table_kind(path))
        with atomic_write(path) as file:
            file.write(text.encode("utf-8"))
    show_content(figure.table(found))


@app.command("5")
def figure5(
    output: Output,
    gt: Gt = None,
    k: Annotated[int, typer.Option("-k", help="Number of clusters, which are built of these poses.")] = 10,
    poses: Annotated[int, typer.Option("--poses", help="Most poses, taken evenly.")] = 2000,
    seed: Seed = 0,
    up: Up = None,
    gt_skeleton: options.GtSkeleton = None,
    gt_unit: options.GtUnit = None,
    gt_reference: options.GtReference = None,
) -> None:
    """Draw normalised poses, laid out by t-SNE and coloured by cluster, with the clusters' centres.

    Example: posebench figure 5 --gt gt.npz -o figure5.png
    """
    _check_outputs(output, output, gt, [])
    _check_up(up)

    from posebench.cli.progress import announce_compilation
    from posebench.figures import figure5 as figure
    from posebench.figures.material import ground_truth

    announce_compilation()
    given = ground_truth(gt, skeleton=gt_skeleton, unit=gt_unit, reference=gt_reference, say=say)
    _say_notes(given)
    found = figure.measure(given, k=k, poses=poses, seed=seed, say=say)
    _write(figure.draw(found, up=up), output)
    tell(output, f"{found.source} in {k} clusters")


@app.command("6")
def figure6(
    output: Output,
    bank: Annotated[
        str,
        typer.Option("--bank", help="Name of a shipped bank, or the path of an .npz.", autocompletion=completion.banks),
    ] = BANKS[0],
    order: Annotated[str, typer.Option("--order", help="size: the largest cluster first; or number.")] = "size",
    skeleton: Annotated[
        str | None,
        typer.Option(
            "--skeleton",
            help="Whose bones to draw: a name or a .yaml file; else the bank's.",
            show_default=False,
            autocompletion=completion.skeletons,
        ),
    ] = None,
    up: Up = None,
) -> None:
    """Draw the centres of a bank as skeletons, each with its number and its share of the poses.

    Example: posebench figure 6 --bank cmu-h36m17-k100 -o figure6.png
    """
    _check_outputs(output, output, None, [bank])
    _check_up(up)

    from posebench.banks import find_bank
    from posebench.figures import figure6 as figure

    found = figure.measure(find_bank(bank), order=order, skeleton=skeleton)
    _write(figure.draw(found, up=up), output)
    tell(output, f"{found.bank.k} centres of {found.bank.name}")


app.command("joints")(figure_results.joints)
app.command("errors")(figure_results.errors)
app.command("pck")(figure_results.pck)
app.command("poses")(figure_results.poses)
app.command("faults")(figure_results.faults)


def _check_outputs(paths: Sequence[Path], figures: Sequence[Path], gt: Path | None, banks: Sequence[str]) -> None:
    """Find out before any work that something could not be written, or would replace an input."""
    from posebench.cli.outputs import refuse_unwritable
    from posebench.drawing import figure_kind

    for path in figures:
        figure_kind(path)
    files = [Path(bank) for bank in banks if bank.endswith(".npz")]
    inputs = [*([gt] if gt is not None else []), *files, *(file.with_suffix(".json") for file in files)]
    for path in paths:
        refuse_unwritable(path, inputs)


def _check_up(up: str | None) -> None:
    from posebench.drawing import UPS

    if up is not None and up not in UPS:
        raise UsageError(f"--up {up}: expected one of {', '.join(UPS)}")


def _write(figure: Figure, paths: Sequence[Path]) -> None:
    from posebench.drawing import save_figure

    save_figure(figure, paths)


def tell(paths: Sequence[Path], what: str) -> None:
    """Say on stdout what each file holds."""
    for path in paths:
        typer.echo(_printable(f"{path}: {what}"))


def _say_notes(poses: PoseSet) -> None:
    for note in poses.notes:
        say(f"note: {note}")


def say(words: str) -> None:
    """Say on stderr what goes on."""
    # Names from files may hold line breaks; a message is one line.
    print(f"posebench: {_printable(' '.join(words.splitlines()))}", file=sys.stderr)


def _printable(text: str) -> str:
    """What the terminal can say: names may hold bytes that are no text."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
