"""`posebench zoo pretrain2d`, `detect` and `train`: the 2D branch, what it finds, and the 3D branch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posebench.cli import completion
from posebench.errors import InputError, MissingExtraError, UsageError

if TYPE_CHECKING:
    from model_zoo.epipolarpose.loop import Trained

_Data = Annotated[
    Path, typer.Option("--data", help="Folder that was rendered or prepared (posebench data).", show_default=False)
]
_Config = Annotated[
    str,
    typer.Option(
        "--config",
        help="Name of a configuration (see --list-configs), or a .yaml file.",
        show_default=False,
        autocompletion=completion.configs,
    ),
]
_Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Folder of the run, which goes on where it stopped; by default one of the configuration's name in "
        "POSEBENCH_RUNS, or in posebench's cache.",
        show_default=False,
    ),
]
_Backbone = Annotated[
    Path | None, typer.Option("--backbone", help="ImageNet weights to begin with.", show_default=False)
]
_Start = Annotated[
    Path | None,
    typer.Option("--start", help="Weights of the 2D branch to begin with, .safetensors.", show_default=False),
]
_Seed = Annotated[int | None, typer.Option("--seed", help="Instead of the configuration's.", show_default=False)]
_Accelerator = Annotated[str, typer.Option("--accelerator", help="auto, cpu, cuda or mps.")]
_Devices = Annotated[int, typer.Option("--devices", help="How many; leave it alone under torchrun.")]
_Precision = Annotated[str, typer.Option("--precision", help="32, bf16, or 64.")]


def _print_configs(asked: bool) -> None:
    if not asked:
        return
    with _zoo():
        from model_zoo.configs import list_configs
    for name in list_configs():
        typer.echo(name)
    raise typer.Exit


_List = Annotated[
    bool,
    typer.Option("--list-configs", help="Name all configurations and stop.", callback=_print_configs, is_eager=True),
]


def pretrain2d(
    data: _Data,
    config: _Config,
    start: _Start = None,
    out: _Out = None,
    backbone: _Backbone = None,
    seed: _Seed = None,
    accelerator: _Accelerator = "auto",
    devices: _Devices = 1,
    precision: _Precision = "32",
    list_configs: _List = False,
) -> None:
    """Train the 2D branch from labels in 2D, of the split that the configuration names.

    Ctrl-C keeps the state; the same command goes on from it.

    Example: posebench zoo pretrain2d --data open4v --config open4v-small-r18-2d --out runs/2d
    """
    from posebench.cli.progress import step_bar

    with _zoo():
        from model_zoo.configs import load_config
        from model_zoo.epipolarpose.loop import Where
        from model_zoo.epipolarpose.pretraining import pretrain
    from posebench.datasets.views import MultiViewSet

    settings = load_config(config, seed=seed)
    place = _place(out, settings.name)
    dataset = MultiViewSet(data, settings.split)
    with _told_of(place), step_bar(settings.name) as bar:
        done = pretrain(
            dataset,
            settings,
            place,
            start=start,
            backbone=backbone,
            where=Where(accelerator, devices, precision),
            progress=bar,
        )
    _report(done)


def train(
    data: _Data,
    config: _Config,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            help="Labels that posebench zoo labels made; none for a fully supervised configuration.",
            show_default=False,
        ),
    ] = None,
    start: _Start = None,
    out: _Out = None,
    backbone: _Backbone = None,
    seed: _Seed = None,
    accelerator: _Accelerator = "auto",
    devices: _Devices = 1,
    precision: _Precision = "32",
    list_configs: _List = False,
) -> None:
    """Train the 3D branch, from labels that geometry made or, for configurations called -fs, from ground truth.

    Self-supervised training reads the pictures, the index in `views` and the labels, and no label of the data set.
    Ctrl-C keeps the state; the same command goes on from it.

    Example: posebench zoo train --data open4v --config open4v-small-r18-ss --labels l.npz --start runs/2d/network.safetensors
    """  # noqa: E501 - an example is one line
    from posebench.cli.progress import step_bar

    with _zoo():
        from model_zoo.configs import load_config
        from model_zoo.epipolarpose.label_files import read_labels
        from model_zoo.epipolarpose.loop import Where
        from model_zoo.epipolarpose.supervision import supervised_labels
        from model_zoo.epipolarpose.training import train as train_branch
    from posebench.datasets.views import MultiViewSet, open_unlabelled

    settings = load_config(config, seed=seed)
    if (labels is None) != (settings.kind == "full"):
        word = "needs --labels" if labels is None else "learns from ground truth; leave out --labels"
        raise UsageError(f"the configuration {settings.name} {word}")
    place = _place(out, settings.name)
    if labels is None:
        dataset = MultiViewSet(data, settings.split)
        view, known = dataset.unlabelled(), supervised_labels(dataset)
    else:
        view = open_unlabelled(data, settings.split)
        known = read_labels(labels, view)
    with _told_of(place), step_bar(settings.name) as bar:
        done = train_branch(
            view,
            known,
            settings,
            place,
            start=start,
            backbone=backbone,
            where=Where(accelerator, devices, precision),
            progress=bar,
        )
    _report(done)


def detect(
    data: _Data,
    weights: Annotated[Path, typer.Option("--weights", help="Of the 2D branch, .safetensors.", show_default=False)],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="File for the joints in 2D, .npz.", show_default=False)
    ],
    split: Annotated[str, typer.Option("--split", help="Of the data set.")] = "train",
    batch: Annotated[int, typer.Option("--batch", help="Pictures at a time.", min=1, max=4096)] = 32,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda or mps.")] = "cpu",
) -> None:
    """Find joints in 2D with the frozen 2D branch, for posebench zoo labels --joints.

    Example: posebench zoo detect --data open4v --split train --weights runs/2d/network.safetensors -o joints.npz
    """
    from posebench.cli.outputs import data_files, refuse_unwritable
    from posebench.cli.progress import step_bar

    with _zoo():
        from model_zoo.epipolarpose.detections import write_detections
        from model_zoo.epipolarpose.network import load_network
        from model_zoo.epipolarpose.pretraining import detect_joints
    from posebench.datasets.views import open_unlabelled

    if output.suffix != ".npz":
        raise UsageError(f"{output}: is not called .npz, which is what detections are kept in")
    refuse_unwritable(output, [weights, *data_files(data)])
    network = load_network(weights)
    view = open_unlabelled(data, split)
    with step_bar("joints in 2D") as bar:
        found = detect_joints(
            network, view, source=f"2D branch {weights.stem}", batch=batch, device=device, progress=bar
        )
    write_detections(found, view, output)
    typer.echo(f"joints in 2D of {len(found)} pictures; median confidence {_median(found.confidence):.2f}")


# -------------------------------------------------------------------------------------------------------------- helpers


@contextmanager
def _zoo() -> Iterator[None]:
    """Imports of the zoo, whose packages may be missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "model_zoo").partition(".")[0]
        if missing not in ("model_zoo", "torch", "safetensors"):
            raise
        raise MissingExtraError("posebench zoo", missing, "zoo") from None


def _place(out: Path | None, name: str) -> Path:
    from model_zoo.epipolarpose.run_folder import runs_folder

    place = runs_folder() / name if out is None else out
    if place.exists() and not place.is_dir():
        raise InputError(f"{place}: is no folder, and a run needs one")
    return place


@contextmanager
def _told_of(place: Path) -> Iterator[None]:
    """Say where the run is, and on Ctrl-C how it goes on."""
    chief = os.environ.get("RANK", "0") == "0"
    if chief:
        typer.echo(f"run: {place} (log.csv says how it goes)", err=True)
    try:
        yield
    except KeyboardInterrupt:
        if chief and (place / "checkpoint.safetensors").exists():
            typer.echo(f"the state is kept in {place}; the same command goes on from it", err=True)
        raise


def _report(done: Trained) -> None:
    if os.environ.get("RANK", "0") != "0":
        return
    typer.echo(f"weights: {done.weights}")
    typer.echo(f"steps: {done.steps}")
    if done.value == done.value:
        typer.echo(f"{done.figure}: {done.value:.2f}, after step {done.step}, whose weights these are")


def _median(values: Any) -> float:
    import numpy as np

    return float(np.median(values))
