"""`posebench zoo`: the models that posebench trains and runs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posebench.cli import completion, zoo_label_poses, zoo_predict, zoo_refine, zoo_row, zoo_training
from posebench.errors import InputError, MissingExtraError, UsageError

if TYPE_CHECKING:
    from model_zoo.epipolarpose.detections import Detections

app = typer.Typer(
    help="Models: EpipolarPose, from labels made by geometry to predictions.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("labels")
def labels(
    data: Annotated[
        Path, typer.Option("--data", help="Folder that was rendered or prepared (posebench data).", show_default=False)
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="File for the labels, .npz.", show_default=False)],
    split: Annotated[str, typer.Option("--split", help="Of the data set.")] = "train",
    joints: Annotated[
        str,
        typer.Option(
            "--joints",
            help="Where joints in 2D come from: truth, truth+5 (with 5 px of noise), blazepose, a .tflite file of "
            "BlazePose, or an .npz of detections.",
        ),
    ] = "blazepose",
    extrinsics: Annotated[
        str, typer.Option("--extrinsics", help="estimated: from the joints; known: as the data set says.")
    ] = "estimated",
    pool: Annotated[
        str, typer.Option("--pool", help="Over what a camera pose is estimated: frame, sequence or rig.")
    ] = "sequence",
    fixed: Annotated[
        str, typer.Option("--fixed", help="Where cameras are known not to move: sequence, subject or all.")
    ] = "subject",
    combine: Annotated[
        str, typer.Option("--combine", help="pair: a label for each pair of pictures; median: one for each picture.")
    ] = "pair",
    min_confidence: Annotated[
        float, typer.Option("--min-confidence", help="Joints that a picture is less sure of are masked.")
    ] = 0.3,
    seed: Annotated[int, typer.Option("--seed", help="Of the noise.")] = 0,
    detections: Annotated[
        Path | None,
        typer.Option("--detections", help="Also keep the joints in 2D in this .npz.", show_default=False),
    ] = None,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Hold the labels against the ground truth, once they are made.")
    ] = False,
    protocol: Annotated[
        str, typer.Option("--protocol", help="By which they are evaluated.", autocompletion=completion.protocols)
    ] = "open4v",
) -> None:
    """Make labels in 3D out of joints in 2D, by epipolar geometry.

    Nothing but pictures, intrinsics and ids goes in; R and t too with --extrinsics known. What is doubtful is left out,
    and the report, beside the labels as .json, says what and why.

    Example: posebench zoo labels --data open4v --split train --joints truth+5 -o labels.npz --evaluate
    """
    from posebench.cli.outputs import data_files, refuse_unwritable, write_json
    from posebench.cli.progress import step_bar

    try:
        from model_zoo.epipolarpose.detections import write_detections
        from model_zoo.epipolarpose.evaluation import evaluate_labels
        from model_zoo.epipolarpose.label_files import write_labels
        from model_zoo.epipolarpose.labels import LabelConfig, make_labels
    except ModuleNotFoundError as error:
        if error.name != "model_zoo":
            raise
        raise MissingExtraError("posebench zoo", "model_zoo", "zoo") from None
    from posebench.datasets.views import MultiViewSet, open_unlabelled
    from posebench.protocols import get_protocol

    config = LabelConfig(extrinsics, pool, fixed, combine, min_confidence=min_confidence)  # type: ignore[arg-type]
    for path in (output, detections):
        if path is not None and path.suffix != ".npz":
            raise UsageError(f"{path}: is not called .npz, which is what labels and detections are kept in")
    report_path = output.with_suffix(".json")
    outputs = [output, report_path, *([detections] if detections else [])]
    if len({path.absolute() for path in outputs}) < len(outputs):
        raise UsageError(f"{output}: is to hold both the labels and the joints in 2D; name two files")
    for path in outputs:
        refuse_unwritable(path, [Path(joints), *data_files(data)])
    _check_source(joints)
    get_protocol(protocol)
    truth = MultiViewSet(data, split) if evaluate else None
    if truth is not None and not truth.has_poses:
        raise InputError(f"{data}: the split {split} has no poses to evaluate labels by; leave out --evaluate")
    view = open_unlabelled(data, split, with_extrinsics=extrinsics == "known")
    with step_bar("joints in 2D") as bar:
        found = _joints(joints, data, split, seed, bar)
    if detections is not None:
        write_detections(found, view, detections)
    with step_bar("labels") as bar:
        made = make_labels(view, found, config, progress=bar)
    write_labels(made, output)
    report = dict(made.report)
    write_json(report, report_path)
    for line in _summary(report):
        typer.echo(line)
    if truth is None:
        return
    quality = evaluate_labels(made, truth, protocol=protocol)
    write_json({**report, "evaluation": quality.to_dict()}, report_path)
    named = (f"{name} {'n/a' if value is None else f'{value:.2f}'}" for name, value in quality.metrics.items())
    typer.echo(f"against ground truth ({protocol}): {', '.join(named)}")
    if quality.rotation is not None:
        typer.echo(f"rotations: median error {quality.rotation[0]:.3f}°, largest {quality.rotation[1]:.2f}°")


def _summary(report: dict[str, object]) -> list[str]:
    pairs, joints = report["pairs"], report["joints"]
    assert isinstance(pairs, dict) and isinstance(joints, dict)
    lines = [
        f"joints in 2D: {report['source']}",
        f"labels: {report['labels']}, from {pairs['labelled']} of {pairs['offered']} pairs of pictures",
    ]
    lines += [f"  {count} pairs left out: {reason}" for reason, count in pairs["left_out"].items()]
    lines.append(f"joints: {joints['known']} of {joints['offered']} of all pairs")
    lines += [f"  {count} masked: {reason}" for reason, count in joints["masked"].items() if count]
    if report["reprojection_px"] is not None:
        lines.append(
            f"reprojection error: median {report['reprojection_px']:.2f} px; noise {report['noise_px']:.2f} px"
        )
    return lines


def _joints(source: str, data: Path, split: str, seed: int, progress: object) -> Detections:
    """Joints in 2D from where the option says."""
    from model_zoo.epipolarpose.detections import detect, read_detections, true_joints
    from posebench.datasets.views import MultiViewSet, open_unlabelled

    if _is_truth(source):
        return true_joints(MultiViewSet(data, split), noise=_noise(source), seed=seed)
    view = open_unlabelled(data, split)
    if source.endswith(".npz"):
        return read_detections(source, view)
    from model_zoo.blazepose import BlazePose, find_network

    network = BlazePose(find_network() if source == "blazepose" else source)
    return detect(view, network, source=network.name, progress=progress)  # type: ignore[arg-type]


def _check_source(source: str) -> None:
    """Refuse what says nothing, before any work."""
    if _is_truth(source):
        _noise(source)
    elif source != "blazepose" and Path(source).suffix not in (".npz", ".tflite"):
        raise UsageError(
            f"--joints {source}: expected truth, truth+PX, blazepose, or a file that is called .npz or .tflite"
        )


def _is_truth(source: str) -> bool:
    return source == "truth" or source.startswith("truth+")


def _noise(source: str) -> float:
    _, plus, text = source.partition("+")
    try:
        noise = float(text) if plus else 0.0
    except ValueError:
        noise = -1.0
    if not (noise >= 0 and math.isfinite(noise)):
        raise UsageError(f"--joints {source}: after truth+ comes a number of px, as in truth+5")
    return noise


app.command("label-poses")(zoo_label_poses.label_poses)
app.command("predict")(zoo_predict.predict)
app.command("list")(zoo_predict.list_)
app.command("show")(zoo_predict.show)


app.command("train-refiner")(zoo_refine.train_refiner)
app.command("refine")(zoo_refine.refine)


app.command("pretrain2d")(zoo_training.pretrain2d)
app.command("detect")(zoo_training.detect)
app.command("train")(zoo_training.train)


app.command("row")(zoo_row.row)
