"""`posebench zoo predict | list | show`: run a model on pictures, and look at the models there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posebench.cli import completion
from posebench.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from model_zoo.card import ModelCard
    from model_zoo.epipolarpose.inference import Prediction
    from model_zoo.epipolarpose.pictures import Source
    from model_zoo.registry import Model
    from posebench.poses import PoseSet

#: What the file beside a prediction begins with.
SCHEMA = "posebench.prediction/1"


def predict(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            help="A name (posebench zoo list), or a .safetensors file.",
            show_default=False,
            autocompletion=completion.models,
        ),
    ],
    images: Annotated[
        Path,
        typer.Option(
            "--images", help="A folder of .jpg and .png, a picture, a video, or a data set.", show_default=False
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="File for the poses, .npz.", show_default=False)],
    split: Annotated[
        str | None, typer.Option("--split", help="Of a data set.  [default: test]", show_default=False)
    ] = None,
    boxes: Annotated[
        Path | None,
        typer.Option(
            "--boxes",
            help="Where the person is: .csv or .json with picture (or frame), left, top, and side or right, bottom; "
            "for a data set an .npz of detections. Else the model finds the person.",
            show_default=False,
        ),
    ] = None,
    camera: Annotated[
        Path | None, typer.Option("--camera", help="Camera file with the intrinsics.", show_default=False)
    ] = None,
    camera_name: Annotated[
        str | None, typer.Option("--camera-name", help="Which camera of the file.", show_default=False)
    ] = None,
    assume_fov: Annotated[
        float | None,
        typer.Option(
            "--assume-fov",
            help="Without a camera: degrees across the longer side. The poses are marked.",
            show_default=False,
        ),
    ] = None,
    root_depth: Annotated[
        Path | None,
        typer.Option(
            "--root-depth",
            help="Depths of the roots that you know: .csv or .json with picture (or frame) and root_depth in mm, or a "
            "file of poses that states them. Without it poses are scale-free.",
            show_default=False,
        ),
    ] = None,
    refine: Annotated[
        bool | None,
        typer.Option(
            "--refine/--no-refine",
            help="Send poses through the model's refinement unit.  [default: if its card names one]",
            show_default=False,
        ),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    batch: Annotated[
        int | None,
        typer.Option("--batch", help="Pictures at a time; else what the memory holds.", show_default=False),
    ] = None,
    draw: Annotated[
        Path | None,
        typer.Option("--draw", help="Folder for a drawing of each picture, in 2D and 3D.", show_default=False),
    ] = None,
) -> None:
    """Predict 3D poses from pictures, in the cameras.

    What was assumed stands beside the poses, as .json. A data set's labels are never opened.

    Example: posebench zoo predict --model MODEL.safetensors --images open4v --split test -o pred.npz
    """
    from posebench.cli.outputs import data_files, refuse_unwritable, write_json
    from posebench.cli.progress import step_bar

    _need_torch()
    from model_zoo.epipolarpose.inference import find_device, pose_set
    from model_zoo.epipolarpose.inference import predict as predicted
    from model_zoo.epipolarpose.pictures import choose_camera, open_source, read_root_depths
    from model_zoo.registry import open_model
    from posebench.io import write

    if output.suffix != ".npz":
        raise UsageError(f"{output}: is not called .npz, which is what predictions are kept in")
    report_path = output.with_suffix(".json")
    inputs = [path for path in (images, boxes, camera, root_depth, Path(model)) if path is not None]
    for path in (output, report_path):
        refuse_unwritable(path, [*inputs, *data_files(images)])
    if camera_name is not None and camera is None:
        raise UsageError(f"--camera-name {camera_name} needs --camera FILE")
    if batch is not None and batch < 1:
        raise UsageError(f"--batch is {batch}, expected a whole number from 1")
    find_device(device)
    placed = None if camera is None else choose_camera(camera, camera_name)
    source = open_source(images, split=split, camera=placed, fov=assume_fov)
    squares = None if boxes is None else _boxes(boxes, source)
    depths = None if root_depth is None else read_root_depths(root_depth, source)
    chosen = open_model(model)
    refining = _refining(chosen, refine)
    sheets = None
    if draw is not None:
        from model_zoo.epipolarpose.showing import Sheets

        sheets = Sheets(draw, source)
    with step_bar("predicting") as bar:
        found = predicted(chosen.network, source, boxes=squares, device=device, batch=batch, progress=bar, seen=sheets)
    poses = pose_set(found, source, root_depth=depths)
    if refining:
        poses = _refined(poses, chosen)
    write(poses, output)
    report = {
        "schema": SCHEMA,
        "model": {"name": chosen.name, "sha256": chosen.sha256, "refined": refining},
        "images": source.name,
        "boxes": "the model's own joints" if boxes is None else str(boxes),
        "intrinsics": _intrinsics(source, camera),
        "root_depth": None if root_depth is None else str(root_depth),
        **_counts(found, poses),
    }
    write_json(report, report_path)
    for line in _summary(report, output):
        typer.echo(line)


def list_(
    pattern: Annotated[str, typer.Argument(metavar="[PATTERN]", help="As in 'open4v-*'.", show_default=False)] = "*",
) -> None:
    """List the models that come with posebench.

    Example: posebench zoo list 'open4v-*'
    """
    from posebench.report.content import Cell, Column, Content, Table
    from posebench.report.terminal import show_content

    _need_zoo()
    from model_zoo.registry import get_card, list_models

    names = list_models(pattern)
    if not names:
        nothing = "posebench ships no model yet; zoo predict takes the path of a .safetensors file"
        typer.echo(f"no model is called {pattern}" if list_models() else nothing)
        return
    columns = (Column("model", right=False), Column("measured", right=False), Column("summary", right=False))
    rows = tuple((Cell(name), Cell(_measured(card)), Cell(card.summary)) for name in names for card in [get_card(name)])
    show_content(Content((_count(len(names), "model"),), (Table(columns, rows),), (), ()))


def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A model of posebench zoo list, or a card, .yaml.",
            show_default=False,
            autocompletion=completion.models,
        ),
    ],
) -> None:
    """Show a model's card: what it is, what it learnt from, what was measured.

    Example: posebench zoo show card.yaml
    """
    _need_zoo()
    from model_zoo.registry import get_card

    for line in _described(get_card(name)):
        typer.echo(line)


# -------------------------------------------------------------------------------------------------------------- predict


def _need_zoo() -> None:
    try:
        import model_zoo  # noqa: F401
    except ModuleNotFoundError:
        raise MissingExtraError("posebench zoo", "model_zoo", "zoo") from None


def _need_torch() -> None:
    _need_zoo()
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError:
        raise MissingExtraError("posebench zoo predict", "torch", "zoo") from None


def _boxes(path: Path, source: Source) -> Any:
    """Boxes of a table, or for each picture those of detections."""
    from model_zoo.epipolarpose.boxes import boxes_of
    from model_zoo.epipolarpose.detections import read_detections
    from model_zoo.epipolarpose.labels import LabelConfig
    from model_zoo.epipolarpose.pictures import read_boxes

    if path.suffix != ".npz":
        if source.view is not None:
            raise UsageError(f"--boxes {path}: for a data set boxes come from an .npz of detections")
        return read_boxes(path)
    if source.view is None:
        raise UsageError(f"--boxes {path}: detections are those of a data set; for pictures give a .csv or .json")
    found = read_detections(path, source.view)
    return boxes_of(found.points, found.confidence >= LabelConfig().min_confidence)


def _refining(model: Model, asked: bool | None) -> bool:
    if asked and model.refiner is None:
        raise UsageError(f"{model.name}: has no refinement unit that its card would name; leave out --refine")
    return model.refiner is not None and asked is not False


def _refined(poses: PoseSet, model: Model) -> PoseSet:
    from model_zoo.refiner.network import load_refiner, refine

    assert model.refiner is not None
    return refine(poses, load_refiner(model.refiner))


def _intrinsics(source: Source, camera: Path | None) -> str:
    if source.view is not None:
        return "the data set's"
    return str(camera) if camera is not None else f"assumed: field of view {source.assumed_fov:g} degrees"


def _counts(found: Prediction, poses: PoseSet) -> dict[str, Any]:
    return {
        "pictures": len(found),
        "no_person_found": int(found.whole.sum()),
        "joints_behind_the_camera": int((~found.valid).sum()),
        "confidence": float(found.confidence.mean()),
        "unit": poses.unit,
        "seconds": round(found.seconds, 3),
    }


def _summary(report: dict[str, Any], output: Path) -> list[str]:
    seconds = report["seconds"]
    lines = [
        f"{output}: {_count(report['pictures'], 'pose')} by {report['model']['name']}"
        + (", refined" if report["model"]["refined"] else ""),
        f"unit {report['unit']}, intrinsics {report['intrinsics']}, boxes from {report['boxes']}",
    ]
    if report["no_person_found"]:
        lines.append(f"no person found in {_count(report['no_person_found'], 'picture')}: the whole picture was taken")
    if report["joints_behind_the_camera"]:
        lines.append(f"behind the camera, and masked: {_count(report['joints_behind_the_camera'], 'joint')}")
    lines.append(f"{seconds:.1f} s, {report['pictures'] / max(seconds, 1e-3):.1f} pictures/s")
    return lines


def _count(n: int, what: str) -> str:
    return f"1 {what}" if n == 1 else f"{n} {what}s"


# ---------------------------------------------------------------------------------------------------------------- cards


def _measured(card: ModelCard) -> str:
    return ", ".join(f"{each.metric} {each.value:g} {each.unit}".rstrip() for each in card.measured[:3]) or "nothing"


def _described(card: ModelCard) -> list[str]:
    from posebench.protocols import get_protocol, protocol_names
    from posebench.report.content import clean

    lines = [
        f"{card.name}: {card.summary}",
        f"  network: {card.model}, " + ", ".join(f"{name} {value}" for name, value in card.config.items()),
        f"  weights: {card.weights.file}, sha256 {card.weights.sha256}",
        *([f"  refinement: {card.refiner.file}, sha256 {card.refiner.sha256}"] if card.refiner else []),
        f"  trained by: {card.recipe}, seed {card.seed}",
    ]
    lines += [
        f"  data: {data.name}, {data.split}; supervision {', '.join(data.supervision)}; {data.licence}"
        for data in card.data
    ]
    lines += [f"  licence: {card.licence}", f"  paper: {card.paper}"]
    for each in card.measured:
        known = each.protocol in protocol_names() and get_protocol(each.protocol).sha256 == each.protocol_sha256
        lines.append(
            f"  measured: {each.metric} {each.value:g} {each.unit} over {each.poses} poses of {each.data}, {each.split}"
            f"; protocol {each.protocol}, sha256 {each.protocol_sha256[:12]}"
            + ("" if known else ", which is not the one of today: the number does not compare")
        )
        lines += [f"    bank {name}, sha256 {sha256[:12]}" for name, sha256 in each.banks.items()]
    return [clean(line, None) for line in lines]
