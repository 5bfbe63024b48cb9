"""`posebench score`: two files in, a report out, and gates for CI."""

from __future__ import annotations

import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posebench.cli import completion, options
from posebench.cli.outputs import refuse_unwritable
from posebench.errors import InputError, UsageError

if TYPE_CHECKING:
    from posebench.metrics import Metric
    from posebench.poses import PoseSet
    from posebench.report import Report


def score(
    pred: options.Pred,
    gt: options.Gt,
    protocol: options.ProtocolName = "standard",
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            "-m",
            autocompletion=completion.metrics,
            help="Metric to take instead of the protocol's, as in PCK@100 or NMPJPE(scale=procrustes); repeatable.",
            show_default=False,
        ),
    ] = None,
    bank: Annotated[
        list[str] | None,
        typer.Option(
            "--bank",
            "-b",
            autocompletion=completion.banks,
            help="Cluster bank for PSS besides the protocol's: a name (posebench bank list) or an .npz; repeatable.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            help="Group by action, subject, sequence, camera, joint, part, or what the protocol adds; repeatable.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "-o", "--output", help="Also write .json, .csv, .md, .tex or .html; repeatable.", show_default=False
        ),
    ] = None,
    pred_unit: options.PredUnit = None,
    gt_unit: options.GtUnit = None,
    pred_skeleton: options.PredSkeleton = None,
    gt_skeleton: options.GtSkeleton = None,
    pred_reference: options.PredReference = None,
    gt_reference: options.GtReference = None,
    pred_origin: options.PredOrigin = None,
    gt_origin: options.GtOrigin = None,
    fps: Annotated[
        float | None, typer.Option("--fps", help="Frames per second, for motion metrics.", show_default=False)
    ] = None,
    allow_missing: Annotated[
        bool,
        typer.Option("--allow-missing", help="Count missing predictions as wrong, and mark distances incomplete."),
    ] = False,
    allow_extra: Annotated[
        bool, typer.Option("--allow-extra", help="Leave out predictions for which there is no ground truth.")
    ] = False,
    frames: Annotated[
        bool | None,
        typer.Option(
            "--frames/--no-frames",
            help="Write values per frame beside a .json result: run.frames.npz beside run.json.  [default: frames]",
            show_default=False,
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say how much of MPJPE each fault has put there: docs/explain.md.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", min=1, help="Processes, for shards.  [default: as many as cores]", show_default=False),
    ] = None,
    scheduler: options.SchedulerAddress = None,
    state: Annotated[
        Path | None,
        typer.Option("--state", help="Folder that keeps finished shards, to go on from there.", show_default=False),
    ] = None,
    fail_over: Annotated[
        list[str] | None,
        typer.Option("--fail-over", help="Exit 1 if an error is larger, as in MPJPE=60.", show_default=False),
    ] = None,
    fail_under: Annotated[
        list[str] | None,
        typer.Option("--fail-under", help="Exit 1 if a score is smaller, as in PCK@150=90.", show_default=False),
    ] = None,
) -> None:
    """Score predictions against ground truth: files, or folders or quoted globs of shards that are one set.

    Example: posebench score --pred pred.npz --gt gt.npz --by action -o result.json
    """
    from posebench.cli.sharded import refuse_groups, refuse_with_shards, refuse_without_shards, score_shards_shown
    from posebench.frames import frames_path
    from posebench.metrics import resolve
    from posebench.protocols import get_protocol
    from posebench.report.render import kind_of, print_report
    from posebench.scoring.shard_files import is_shards

    groups = tuple(dict.fromkeys(word.strip() for text in by or () for word in text.split(",") if word.strip()))
    outputs = tuple(output or ())
    results = [path for path in outputs if kind_of(path) == "json"]
    shards = is_shards(pred) or is_shards(gt)
    beside = [] if frames is False or protocol == "all" or shards else [frames_path(path) for path in results]
    if shards:
        refuse_with_shards(pred, gt, outputs, protocol=protocol, frames=frames)
    else:
        refuse_without_shards(jobs, scheduler, state)
    for path in (*outputs, *beside):
        refuse_unwritable(path, (pred, gt))
    if frames and not results:
        raise UsageError("--frames needs a result that the values can lie beside: add -o NAME.json")
    gates = [_gate(text, over=True) for text in fail_over or ()] + [
        _gate(text, over=False) for text in fail_under or ()
    ]
    if protocol == "all":
        _refuse_with_all(
            metric=metric, bank=bank, by=by, frames=frames, explain=explain, fail_over=fail_over, fail_under=fail_under
        )
    chosen = get_protocol("standard" if protocol == "all" else protocol)
    metrics = None if metric is None else [resolve(name) for name in metric]
    wanted = [resolve(name) for name in chosen.metrics] if metrics is None else metrics
    asked = {m.key for m in wanted}
    also = [gated for gated, _, _ in gates if gated.key not in asked]

    from posebench.cli.progress import announce_compilation, progress_bar
    from posebench.io import read
    from posebench.scoring import score as score_sets
    from posebench.scoring.scorer import available_groups, cluster_groups

    clusters = cluster_groups((*wanted, *also))
    stated: dict[str, dict[str, Any]] = {
        "pred": {"skeleton": pred_skeleton, "unit": pred_unit, "reference": pred_reference, "origin": pred_origin},
        "gt": {"skeleton": gt_skeleton, "unit": gt_unit, "reference": gt_reference, "origin": gt_origin},
    }
    stated = {side: {**facts, "fps": fps} for side, facts in stated.items()}
    how_to_score: dict[str, Any] = {
        "metrics": metrics,
        "also": also,
        "banks": bank or (),
        "allow_missing": allow_missing,
        "allow_extra": allow_extra,
        "explain": explain,
    }
    if shards:
        spread: dict[str, Any] = {"jobs": jobs, "scheduler": scheduler, "state": state}
        report = score_shards_shown(pred, gt, groups, clusters, chosen, stated, **spread, **how_to_score)
    else:
        p, g = read(pred, **stated["pred"]), read(gt, **stated["gt"])
        if protocol == "all":
            _score_all(p, g, outputs, allow_missing, allow_extra)
            return
        refuse_groups(groups, (*available_groups(chosen, tuple(g.keys)), *clusters), gt)
        announce_compilation()
        html = any(kind_of(path) == "html" for path in outputs)
        with progress_bar("scoring", len(g)) as progress:
            report = score_sets(
                p, g, protocol=chosen, frames=bool(beside), samples=html, progress=progress, **how_to_score
            )
    report.command = shlex.join(["posebench", *sys.argv[1:]])
    _say_notes(report.notes)
    groups = groups or report.default_groups
    print_report(report, groups)
    for path in outputs:
        report.save(path, by=groups)
    for path in beside:
        assert report.frames is not None
        report.frames.save(path)
    _judge(report, gates)


def _refuse_with_all(**options: object) -> None:
    """Options that mean something under one protocol only."""
    for name, value in options.items():
        if value:
            raise UsageError(f"--{name.replace('_', '-')} needs one protocol; name it instead of --protocol all")


def _score_all(pred: PoseSet, gt: PoseSet, outputs: tuple[Path, ...], allow_missing: bool, allow_extra: bool) -> None:
    """Score under every protocol that fits, and print one table."""
    from posebench.cli.progress import announce_compilation, progress_bar
    from posebench.report.many import print_reports
    from posebench.scoring import score_protocols

    announce_compilation()
    with progress_bar("scoring", len(gt)) as progress:
        found = score_protocols(pred, gt, allow_missing=allow_missing, allow_extra=allow_extra, progress=progress)
    print_reports(found.reports, found.refused)
    for path in outputs:
        found.save(path)


def _say_notes(notes: list[str]) -> None:
    for note in notes:
        # File names may hold bytes that are no text.
        print(f"posebench: note: {note.encode('utf-8', 'backslashreplace').decode()}", file=sys.stderr)


Gate = tuple["Metric", float, bool]


def _gate(text: str, *, over: bool) -> Gate:
    """A metric and its limit from `MPJPE=60`; `over` tells which side fails."""
    from posebench.metrics import resolve

    option = "--fail-over" if over else "--fail-under"
    spelling, equals, limit = text.rpartition("=")
    try:
        value = float(limit)
    except ValueError:
        value = float("nan")
    if not equals or not math.isfinite(value):
        raise UsageError(f"{option} {text!r}: expected METRIC=NUMBER, as in MPJPE=60")
    metric = resolve(spelling)
    if over == metric.family.higher_is_better:
        better, other = ("higher", "--fail-under") if over else ("lower", "--fail-over")
        raise UsageError(f"{option} {text!r}: {metric.key} is better when {better}; use {other}")
    return metric, value, over


def _judge(report: Report, gates: list[Gate]) -> None:
    """Exit 1 if a gate is not passed; refuse to judge a number that is incomplete."""
    failed = False
    for metric, limit, over in gates:
        found = report.metrics.get(metric.key)
        if found is None:
            raise InputError(f"the gate on {metric.key} cannot be judged: it is not given, and the notes say why")
        if found.value is None or found.incomplete:
            what = "nothing could be scored" if found.value is None else "it leaves out what the prediction lacks"
            raise InputError(f"the gate on {metric.key} cannot be judged: {what}")
        if (found.value > limit) if over else (found.value < limit):
            failed = True
            side = "above" if over else "below"
            print(f"posebench: {metric.key} is {found.value:.4g} {found.unit}, {side} {limit:g}", file=sys.stderr)
    if failed:
        raise typer.Exit(1)
