"""`posebench bank`: make banks of cluster centres for the Pose Structure Score, and look at those there are."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posebench.cli import completion, options
from posebench.errors import InputError, UsageError

if TYPE_CHECKING:
    from posebench.banks import ClusterBank, Step
    from posebench.banks.card import BankCard
    from posebench.banks.recipe import GroundTruth, Plan, Reading

app = typer.Typer(
    help="Cluster banks of the Pose Structure Score: make, list, show, verify and draw them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

#: Joints on a line of a card.
_PER_LINE = 9


# ---------------------------------------------------------------------------------------------------------------- build


@app.command("build")
def build(
    gt: Annotated[
        list[Path],
        typer.Option(
            "--gt",
            help="Ground truth: a file, a quoted glob, or a folder for all readable files below it; .bvh and .amc are "
            "clips of CMU or HDM05; repeatable.",
            show_default=False,
        ),
    ],
    k: Annotated[list[int], typer.Option("-k", help="Number of centres; repeatable.", show_default=False)],
    name: Annotated[
        str, typer.Option("--name", help="What the banks are called: NAME-k50, NAME-k100, ...", show_default=False)
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the banks.")] = Path("."),
    cameras: Annotated[
        str | None,
        typer.Option(
            "--cameras",
            help="h36m-like: see poses of a world (y up) from four cameras of a room; else the files' own reference.",
            show_default=False,
        ),
    ] = None,
    canonical: Annotated[bool, typer.Option("--canonical", help="Turn poses to the front, for PSS-canonical.")] = False,
    skeleton: Annotated[
        str,
        typer.Option(
            "--skeleton", help="Skeleton of the bank: a name or a .yaml file.", autocompletion=completion.skeletons
        ),
    ] = "h36m17",
    joints: Annotated[
        str | None,
        typer.Option(
            "--joints", help="Joints of the skeleton, separated by commas, or mpii16; else all.", show_default=False
        ),
    ] = None,
    centring: Annotated[str, typer.Option("--centring", help="Centre poses on their root or their mean.")] = "root",
    stride: Annotated[int, typer.Option("--stride", help="Keep every n-th frame of a sequence.")] = 1,
    min_distance: Annotated[
        float,
        typer.Option("--min-distance", help="Keep poses this far from the last one kept; their norm is 1."),
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="Of k-means.")] = 0,
    seeds: Annotated[
        int, typer.Option("--seeds", help="Number of seeds, for an ensemble: NAME-k50, NAME-k50-seed1, ...")
    ] = 1,
    algorithm: Annotated[
        str, typer.Option("--algorithm", help="auto, lloyd, minibatch, or sharded: Lloyd's, by passes over the files.")
    ] = "auto",
    init: Annotated[
        str,
        typer.Option("--init", help="Where sharded begins: k-means++ (on evenly spaced poses) or k-means|| (on all)."),
    ] = "k-means++",
    n_init: Annotated[
        int, typer.Option("--n-init", help="Runs of Lloyd's algorithm, of which the best is taken.")
    ] = 10,
    max_iter: Annotated[int, typer.Option("--max-iter", help="Most iterations of a run.")] = 300,
    tol: Annotated[float, typer.Option("--tol", help="Shift of the centres at which a run ends.")] = 1e-4,
    split: Annotated[
        str, typer.Option("--split", help="For the card: which part of the data this is.", show_default=False)
    ] = "",
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            help="For the card: name|licence|attribution; known of CMU and HDM05; repeatable.",
            show_default=False,
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            help="Folder for the state of the work: the same command goes on from there after an interruption.",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", min=1, help="Processes, for --algorithm sharded.  [default: as many as cores]", show_default=False
        ),
    ] = None,
    scheduler: options.SchedulerAddress = None,
    gt_skeleton: options.GtSkeleton = None,
    gt_reference: options.GtReference = None,
) -> None:
    """Cluster ground-truth poses into banks, one for each -k and seed: NAME-k50.npz and its card NAME-k50.json.

    Frames of motion capture that nobody captured are left out. The same files, options and versions give the same
    bytes. With --jobs or --scheduler each file is a shard of which only sums come back, as with --algorithm sharded.

    Example: posebench bank build --gt train.npz -k 50 -k 100 --name mine
    """
    from posebench.banks.recipe import Plan, Recipe, gt_files, joints_of, source_of
    from posebench.cli.outputs import refuse_unwritable
    from posebench.cli.sharded import processes_of
    from posebench.skeletons import get_skeleton

    if jobs is not None or scheduler is not None:
        if algorithm not in ("auto", "sharded"):
            raise UsageError(f"--jobs and --scheduler are for --algorithm sharded, not for {algorithm}")
        algorithm = "sharded"
    recipe = Recipe(cameras, canonical, stride, get_skeleton(skeleton), gt_skeleton, gt_reference)
    if seeds < 1:
        raise UsageError(f"--seeds {seeds}: expected a number from 1")
    plans = [
        Plan(
            name=f"{name}-k{centres}" + (f"-seed{number}" if number > seed else ""),
            k=centres,
            recipe=recipe,
            seed=number,
            joints=joints_of(joints),
            centring=centring,
            min_distance=min_distance,
            algorithm=algorithm,
            init=init,
            n_init=n_init,
            max_iter=max_iter,
            tol=tol,
            sources=tuple(source_of(text) for text in source or ()),
            split=split,
        )
        for centres in dict.fromkeys(k)
        for number in range(seed, seed + seeds)
    ]
    files = gt_files(gt)
    _refuse_unspeakable(gt, files)
    command = _command(plans, gt, name, seeds, skeleton, joints)
    banks = [_Job(replace(plan, command=command), output / f"{plan.name}.npz") for plan in plans]
    for bank in banks:
        for path in (bank.target, bank.target.with_suffix(".json")):
            refuse_unwritable(path, files)
    if checkpoint is not None:
        checkpoint.mkdir(exist_ok=True)
        banks = _left_to_do(banks, files)
    if not banks:
        return
    try:
        if algorithm == "sharded":
            _run_sharded(banks, files, checkpoint, min(processes_of(jobs, scheduler), len(files)), scheduler)
        else:
            _run(banks, files, checkpoint)
    except KeyboardInterrupt:
        if checkpoint is not None:
            _say(f"the same command goes on from what is in {checkpoint}")
        raise


def _refuse_unspeakable(gt: Sequence[Path], files: Sequence[Path]) -> None:
    """Find out before any work that a card could not name what the bank was made of."""
    from posebench.banks.recipe import portable

    for path, told in (*((path, portable(path)) for path in gt), *((path, path.name) for path in files)):
        if not told.isprintable():
            raise InputError(
                f"{path}: the card of a bank cannot spell this name, as it holds line breaks or bytes of no text; "
                "rename the file, or name a link to it"
            )


def _command(
    plans: Sequence[Plan], gt: Sequence[Path], name: str, seeds: int, skeleton: str, joints: str | None
) -> str:
    """What builds the banks again, elsewhere too: everything that decides their centres and cards is said."""
    from posebench.banks.recipe import portable

    first, recipe = plans[0], plans[0].recipe
    said: list[tuple[str, object]] = [("--gt", path) for path in gt]
    said += [("-k", k) for k in dict.fromkeys(plan.k for plan in plans)]
    said += [("--name", name), ("--cameras", recipe.cameras), ("--skeleton", _named(skeleton)), ("--joints", joints)]
    said += [("--centring", first.centring), ("--stride", recipe.stride), ("--min-distance", first.min_distance)]
    said += [("--seed", first.seed), ("--seeds", seeds), ("--algorithm", first.algorithm)]
    said += [("--init", first.init)] if first.algorithm == "sharded" else []
    said += [("--n-init", first.n_init), ("--max-iter", first.max_iter), ("--tol", first.tol)]
    said += [("--split", first.split or None)]
    said += [("--source", f"{each.name}|{each.licence}|{each.attribution}") for each in first.sources]
    said += [("--gt-skeleton", _named(recipe.said_skeleton)), ("--gt-reference", recipe.said_reference)]
    words = [
        f"{option} {portable(value) if isinstance(value, Path) else shlex.quote(str(value))}"
        for option, value in said
        if value is not None
    ]
    return " ".join(["posebench bank build", *words, *["--canonical"] * recipe.canonical])


def _named(skeleton: str | None) -> str | Path | None:
    """A skeleton's name, or the path of its file."""
    return Path(skeleton) if skeleton is not None and skeleton.endswith((".yaml", ".yml")) else skeleton


@dataclass(frozen=True)
class _Job:
    """A bank and the file that it goes to."""

    plan: Plan
    target: Path


def _left_to_do(jobs: Sequence[_Job], files: Sequence[Path]) -> list[_Job]:
    """The banks that an interrupted build had not finished."""
    from posebench.banks.recipe import input_files

    hashed = input_files(files)
    left = []
    for job in jobs:
        if job.plan.is_built(job.target, hashed):
            _say(f"note: {job.target} is built already, by this very command from these files")
        else:
            left.append(job)
    return left


def _run(jobs: Sequence[_Job], files: Sequence[Path], checkpoint: Path | None) -> None:
    """Read the files once and build one bank after the other."""
    from posebench.cli.progress import step_bar

    first = jobs[0].plan
    with step_bar("reading") as show:
        ground = first.recipe.read(files, keep=first.algorithm != "minibatch", progress=_reading(show))
    _build(jobs, ground, checkpoint)


def _run_sharded(
    jobs: Sequence[_Job], files: Sequence[Path], checkpoint: Path | None, processes: int, scheduler: str | None
) -> None:
    """Survey the files once and build one bank after the other, in processes or on other machines."""
    from posebench.cli.progress import step_bar
    from posebench.scheduling import spread_over

    with spread_over(processes, scheduler, str(files[0].parent), _say) as spread:
        with step_bar("reading") as show:
            ground = jobs[0].plan.survey(files, spread, _reading(show))
        _build(jobs, ground, checkpoint)


def _build(jobs: Sequence[_Job], ground: GroundTruth, checkpoint: Path | None) -> None:
    from posebench.cli.progress import step_bar

    for note in ground.notes:
        _say(f"note: {note}")
    if not (jobs[0].plan.sources or ground.sources):
        _say("note: the cards name no source; say where the poses come from with --source")
    for plan, target in ((job.plan, job.target) for job in jobs):
        state = None if checkpoint is None else checkpoint / f"{plan.name}.npz"
        with step_bar(plan.name) as show:
            bank = plan.build(ground, progress=_fitting(show), checkpoint=state)
        bank.save(target)
        typer.echo(_printable(f"{target}: {_summary(bank)}"))


_Show = Callable[[float, float, str], None]


def _reading(show: _Show | None) -> Reading | None:
    return None if show is None else lambda done, total: show(done, total, f"{done} of {total} files")


def _fitting(show: _Show | None) -> Callable[[Step], None] | None:
    if show is None:
        return None

    def progress(step: Step) -> None:
        # A run seldom takes all its iterations, so the bar leaps at its end.
        done = step.run - 1 + (step.iteration / step.max_iter if step.max_iter else 0)
        show(done, step.runs, f"run {step.run} of {step.runs}, iteration {step.iteration}")

    return progress


def _summary(bank: ClusterBank) -> str:
    kmeans = bank.card.kmeans
    ended = "" if kmeans.converged is None else ", converged" if kmeans.converged else ", not converged"
    return (
        f"{bank.k} centres of {bank.card.poses.used} poses, {kmeans.algorithm}, {kmeans.iterations} iterations{ended}, "
        f"centres {bank.sha256[:12]}"
    )


# -------------------------------------------------------------------------------------------------------- list and show


@app.command("list")
def list_banks() -> None:
    """List the banks that ship with posebench.

    Columns: name, number of centres, joints, reference, poses that were clustered, beginning of the centres' hash.
    """
    from posebench.banks import bank_names, find_bank

    rows = []
    for bank in map(find_bank, bank_names()):
        card = bank.card
        joints = f"{len(card.layout.joints)} of {card.layout.skeleton}"
        rows.append((card.name, f"k={card.k}", joints, card.layout.reference, str(card.poses.used), bank.sha256[:12]))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


@app.command("show")
def show(
    bank: Annotated[
        str,
        typer.Argument(
            metavar="BANK", help="Name of a shipped bank, or the path of an .npz.", autocompletion=completion.banks
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show a bank's card: everything that its centres depend on.

    Example: posebench bank show cmu-h36m17-k50
    """
    from posebench.banks import bank_path, find_bank

    # A path that was typed is a path, even where the working folder holds nothing of that name.
    found = find_bank(bank_path(bank))
    if json:
        import json as encoder

        typer.echo(encoder.dumps(found.card.to_dict(), indent=1))
    else:
        for line in _card_lines(found.card):
            typer.echo(_printable(line))


def _card_lines(card: BankCard) -> Iterator[str]:
    layout, poses = card.layout, card.poses
    yield f"{card.name}: {card.k} centres of {len(layout.joints)} joints of {layout.skeleton}"
    centred = "the mean of the joints" if layout.root is None else layout.root
    yield f"reference   {layout.reference}; each pose centred on {centred} and divided by its Frobenius norm"
    yield from _line("viewing", card.viewing)
    for start in range(0, len(layout.joints), _PER_LINE):
        yield f"{'joints' if start == 0 else '':<12}{' '.join(layout.joints[start : start + _PER_LINE])}"
    yield from _line("split", card.split)
    for source in card.sources:
        yield from _line("source", f"{source.name}. {source.licence} {source.attribution}".strip())
    if card.files:
        names = [file.name for file in card.files]
        shown = names if len(names) <= _PER_LINE else [*names[:2], "...", names[-1]]
        yield from _line("files", f"{len(names)}: {' '.join(shown)}")
    yield from _line(
        "poses",
        f"{poses.used} of {poses.given}; {poses.thinned} thinned out, {poses.masked} with masked joints, "
        f"{poses.degenerate} degenerate",
    )
    every = "every frame" if card.thinning.stride == 1 else f"one frame in {card.thinning.stride}"
    apart = f", then poses {card.thinning.min_distance:g} apart" if card.thinning.min_distance else ""
    yield from _line("thinning", every + apart)
    yield from _line("k-means", _kmeans_words(card))
    yield from _line(
        "fit",
        f"inertia {card.inertia:.6g}, mean squared distance {card.mean_squared_distance:.6g}; clusters of "
        f"{min(card.cluster_sizes)} to {max(card.cluster_sizes)} poses; {100 * card.near_boundary:.1f} % of the poses "
        "near a boundary",
    )
    for note in card.notes:
        yield from _line("note", note)
    yield from _line("versions", ", ".join(f"{name} {version}" for name, version in card.versions.items()))
    for name, value in (("centres", card.hashes.centres), ("poses", card.hashes.input), ("card", card.sha256)):
        yield from _line("sha256", f"{value}  {name}")
    yield from _line("command", card.command)


def _kmeans_words(card: BankCard) -> str:
    kmeans = card.kmeans
    begin = f"{kmeans.algorithm}, {kmeans.init} on at most {kmeans.seeding_poses} poses, seed {kmeans.seed}"
    if kmeans.algorithm == "minibatch":
        return f"{begin}; {kmeans.epochs} epochs of batches of {kmeans.batch_size}"
    ended = "converged" if kmeans.converged else "not converged"
    return (
        f"{begin}; run {kmeans.run + 1} of {kmeans.n_init}, {kmeans.iterations} of at most {kmeans.max_iter} "
        f"iterations, {ended} to {kmeans.tol:g}"
    )


def _line(label: str, text: str) -> Iterator[str]:
    if text:
        yield f"{label:<12}{text}"


# ------------------------------------------------------------------------------------------------------ verify and plot


@app.command("verify")
def verify(
    banks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="BANK...",
            help="Names of shipped banks, or paths of .npz files.",
            show_default=False,
            autocompletion=completion.banks,
        ),
    ] = None,
    all_banks: Annotated[bool, typer.Option("--all", help="All banks that ship with posebench.")] = False,
) -> None:
    """Verify that both files of a bank are, byte for byte, as they were written; exit 1 if one is not.

    Example: posebench bank verify --all
    """
    from posebench.banks import ClusterBank, bank_names, bank_path

    if bool(banks) == all_banks:
        raise UsageError("name the banks to verify, or say --all")
    names = bank_names() if all_banks else tuple(dict.fromkeys(banks or ()))
    if not names:
        raise InputError("no bank ships with this posebench, so there is nothing to verify")
    paths = [bank_path(name) for name in names]
    for path in paths:
        if path.suffix == ".npz" and not (path.exists() or path.with_suffix(".json").exists()):
            raise InputError(f"{path}: cannot be read: No such file or directory")
    failed = False
    for name, path in zip(names, paths, strict=True):
        try:
            ClusterBank.verify(path)
            bank = ClusterBank.load(path)
        except InputError as error:
            _say(str(error))
            failed = True
        else:
            typer.echo(_printable(f"{name}: as it was written, {bank.k} centres {bank.sha256[:12]}"))
    if failed:
        raise typer.Exit(1)


@app.command("plot")
def plot(
    bank: Annotated[
        str,
        typer.Argument(
            metavar="BANK", help="Name of a shipped bank, or the path of an .npz.", autocompletion=completion.banks
        ),
    ],
    output: Annotated[
        list[Path], typer.Option("-o", "--output", help="Write .png, .svg or .pdf; repeatable.", show_default=False)
    ],
) -> None:
    """Draw the centres of a bank as skeletons; `posebench figure 6` has more options.

    Example: posebench bank plot cmu-h36m17-k50 -o centres.png
    """
    from posebench.cli.figure import figure6

    figure6(output, bank)


def _say(sentence: str) -> None:
    # Names from files may hold line breaks; a message is one line.
    print(f"posebench: {_printable(' '.join(sentence.splitlines()))}", file=sys.stderr)


def _printable(text: str) -> str:
    """What stdout can say: names may hold bytes that are no text, and terminals lack letters."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
