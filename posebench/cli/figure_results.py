"""`posebench figure joints|errors|pck|poses|faults`: charts for a results section, of results or of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posebench.cli import completion, options
from posebench.errors import UsageError

if TYPE_CHECKING:
    from posebench.poses import PoseSet

Output = Annotated[
    list[Path], typer.Option("-o", "--output", help="Write .png, .svg or .pdf; repeatable.", show_default=False)
]
Results = Annotated[
    list[str],
    typer.Argument(metavar="RESULT...", help="Results of posebench score -o: FILE or NAME=FILE.", show_default=False),
]
MetricName = Annotated[
    str, typer.Option("--metric", "-m", help="A metric of the results.", autocompletion=completion.metrics)
]


def joints(results: Results, output: Output, metric: MetricName = "MPJPE") -> None:
    """Draw an error per joint as bars, side by side for several results.

    Example: posebench figure joints base=a.json ours=b.json -o joints.pdf
    """
    _check(output, _files(results))
    from posebench.figures import joint_bars
    from posebench.figures.results import read_results

    found = joint_bars.measure(read_results(results), metric)
    _save(joint_bars.draw(found), output, f"{found.metric} of {len(found.joints)} joints, {', '.join(found.models)}")


def errors(
    results: Results,
    output: Output,
    metric: MetricName = "MPJPE",
    bins: Annotated[int, typer.Option("--bins", help="Number of bins.", min=5, max=500)] = 40,
) -> None:
    """Draw how an error is spread over frames, from the values per frame beside the results.

    Example: posebench figure errors base=a.json ours=b.json -o errors.pdf
    """
    _check(output, _files(results))
    from posebench.figures import error_histogram
    from posebench.figures.results import read_results

    found = error_histogram.measure(read_results(results), metric, bins=bins)
    frames = " and ".join(f"{n} frames of {name}" for name, n in zip(found.models, found.frames, strict=True))
    _save(error_histogram.draw(found), output, f"{found.metric} of {frames}")


def faults(results: Results, output: Output) -> None:
    """Draw what an error is made of, from results of posebench score --explain.

    Example: posebench figure faults base=a.json ours=b.json -o faults.pdf
    """
    _check(output, _files(results))
    from posebench.figures import fault_bars
    from posebench.figures.results import read_results

    found = fault_bars.measure(read_results(results))
    _save(fault_bars.draw(found), output, f"{found.error} of {', '.join(found.models)} by fault")


def pck(
    pred: Annotated[
        list[str],
        typer.Option("--pred", help="Predictions: FILE or NAME=FILE; repeatable.", show_default=False),
    ],
    gt: options.Gt,
    output: Output,
    metric: Annotated[
        str,
        typer.Option(
            "--metric", "-m", help="PCK, or NPCK for predictions without a scale.", autocompletion=completion.metrics
        ),
    ] = "PCK",
    end: Annotated[int, typer.Option("--up-to", help="Largest threshold in mm.")] = 150,
    protocol: options.ProtocolName = "standard",
    pred_unit: options.PredUnit = None,
    gt_unit: options.GtUnit = None,
    pred_skeleton: options.PredSkeleton = None,
    gt_skeleton: options.GtSkeleton = None,
) -> None:
    """Draw the PCK curve: the share of joints whose error is below a threshold.

    Example: posebench figure pck --pred base=a.npz --pred ours=b.npz --gt gt.npz -o pck.pdf
    """
    _refuse_all(protocol)
    preds = {name: path for word in pred for name, path in _named(word).items()}
    if len(preds) < len(pred):
        raise UsageError("two predictions have the same name; name them, as in ours=FILE")
    _check(output, [gt, *preds.values()])
    from posebench.cli.figure import say
    from posebench.figures import pck_curve

    sides = {name: _read(path, pred_unit, pred_skeleton) for name, path in preds.items()}
    truth = _read(gt, gt_unit, gt_skeleton)
    found = pck_curve.measure(sides, truth, metric=metric, end=end, protocol=protocol, say=say)
    values = ", ".join(f"{name} {value:.2f} %" for name, value in zip(found.models, found.values, strict=True))
    _save(pck_curve.draw(found), output, f"{found.metric}: {values}")


def poses(
    pred: options.Pred,
    gt: options.Gt,
    output: Output,
    pick: Annotated[str, typer.Option("--pick", help="worst, typical or all.")] = "all",
    protocol: options.ProtocolName = "standard",
    pred_unit: options.PredUnit = None,
    gt_unit: options.GtUnit = None,
    pred_skeleton: options.PredSkeleton = None,
    gt_skeleton: options.GtSkeleton = None,
) -> None:
    """Draw the worst and typical frames as skeletons, from the camera and from the side.

    Example: posebench figure poses --pred pred.npz --gt gt.npz -o poses.pdf
    """
    _refuse_all(protocol)
    _check(output, [pred, gt])
    from posebench.figures import pose_grid

    if pick not in pose_grid.PICKS:
        raise UsageError(f"--pick {pick}: expected one of {', '.join(pose_grid.PICKS)}")
    sides = _read(pred, pred_unit, pred_skeleton), _read(gt, gt_unit, gt_skeleton)
    found = pose_grid.measure(*sides, pick=pick, protocol=protocol)
    _save(pose_grid.draw(found), output, f"{len(found.poses)} frames of {found.source}")


def _refuse_all(protocol: str) -> None:
    if protocol == "all":
        raise UsageError("a chart is drawn under one protocol; name it instead of --protocol all")


def _named(word: str) -> dict[str, Path]:
    from posebench.comparison.load import named_paths

    found = named_paths([word])
    for name, paths in found.items():
        if len(paths) > 1:
            raise UsageError(f"{name}: {len(paths)} files; a chart shows one per name")
    return {name: paths[0] for name, paths in found.items()}


def _files(results: Sequence[str]) -> list[Path]:
    from posebench.comparison.load import named_paths

    return [path for paths in named_paths(results).values() for path in paths]


def _check(outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Find out before any work that a figure could not be written, or would replace an input."""
    from posebench.cli.outputs import refuse_unwritable
    from posebench.drawing import figure_kind

    for path in outputs:
        figure_kind(path)
        refuse_unwritable(path, inputs)


def _read(path: Path, unit: str | None, skeleton: str | None) -> PoseSet:
    from posebench.io import read

    return read(path, unit=unit, skeleton=skeleton)


def _save(figure: object, outputs: Sequence[Path], what: str) -> None:
    from posebench.cli.figure import tell
    from posebench.drawing import save_figure

    save_figure(figure, outputs)  # type: ignore[arg-type]
    tell(outputs, what)
