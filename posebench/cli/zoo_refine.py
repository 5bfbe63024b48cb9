"""`posebench zoo refine` and `posebench zoo train-refiner`: the refinement unit, used and trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posebench.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from model_zoo.refiner.errors import ErrorModel
    from posebench.datasets.views import MultiViewSet
    from posebench.poses import PoseSet

#: `--reference` by its name; anything else is a file of labels.
_TRUTH = "truth"


def refine(
    pred: Annotated[Path, typer.Option("--pred", help="File of predicted poses.", show_default=False)],
    weights: Annotated[
        Path, typer.Option("--weights", help="Of a unit, as train-refiner writes it.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="File for the refined poses.", show_default=False)],
) -> None:
    """Refine predicted poses: the same file again, its poses corrected by a refinement unit.

    Poses must be H36M-17 in the camera; units and places of the roots stay. What lacks a joint stays as it is.

    Example: posebench zoo refine --pred pred.npz --weights run/refiner.safetensors -o refined.npz
    """
    from posebench.cli.outputs import refuse_unwritable
    from posebench.io import read, write

    refuse_unwritable(output, [pred, weights])
    try:
        from model_zoo.refiner.network import load_refiner
        from model_zoo.refiner.network import refine as refined_by
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    unit = load_refiner(weights)
    refined = refined_by(read(pred), unit)
    write(refined, output)
    typer.echo(refined.notes[-1])


def train_refiner(
    data: Annotated[
        Path,
        typer.Option(
            "--data", help="Folder whose ground-truth poses are learned from; no picture is read.", show_default=False
        ),
    ],
    pred: Annotated[
        Path,
        typer.Option("--pred", help="The base model's predictions for the same split.", show_default=False),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--out", help="Folder for the run; one that was begun goes on.", show_default=False)
    ],
    reference: Annotated[
        str,
        typer.Option(
            "--reference",
            help="What the predictions' errors are measured against: truth (3D labels of these pictures), or an .npz "
            "of labels (posebench zoo labels).",
        ),
    ] = _TRUTH,
    split: Annotated[str, typer.Option("--split", help="Of the data set; test subjects are refused.")] = "train",
    width: Annotated[int, typer.Option("--width", help="Features of a layer.")] = 1024,
    dropout: Annotated[float, typer.Option("--dropout", help="Share of the features left out at random.")] = 0.5,
    epochs: Annotated[int, typer.Option("--epochs", help="Times that every pose is seen.")] = 200,
    batch: Annotated[int, typer.Option("--batch", help="Poses per step.")] = 64,
    learning_rate: Annotated[float, typer.Option("--learning-rate", help="Of Adam.")] = 1e-3,
    held_out: Annotated[float, typer.Option("--held-out", help="Share of sequences for validation.")] = 0.1,
    seed: Annotated[int, typer.Option("--seed", help="Of everything random.")] = 0,
) -> None:
    """Train a refinement unit for a base model: on poses of motion capture, with errors like the model's.

    Nothing of test subjects is used. The folder gets refiner.safetensors, errors.npz with the model's errors, log.csv,
    and a checkpoint; the same command after an interruption goes on. Defaults are the paper's.

    Example: posebench zoo train-refiner --data open4v --pred train-pred.npz --reference labels.npz -o run
    """
    from posebench.cli.outputs import refuse_unwritable
    from posebench.cli.progress import step_bar
    from posebench.datasets.views import MultiViewSet
    from posebench.io import read

    try:
        from model_zoo.refiner.errors import write_errors
        from model_zoo.refiner.network import RefinerConfig
        from model_zoo.refiner.training import TrainingConfig, material_of, train
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    for name in ("errors.npz", "refiner.safetensors"):
        if (output / name).exists():
            refuse_unwritable(output / name, [pred, Path(reference)])
    if reference != _TRUTH and Path(reference).suffix != ".npz":
        raise UsageError(f"--reference {reference}: expected truth, or a file of labels that is called .npz")
    config = TrainingConfig(
        RefinerConfig(width, dropout),
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
        held_out=held_out,
        seed=seed,
    )
    dataset = MultiViewSet(data, split)
    material = material_of(dataset.ground_truth())
    errors = _errors(reference, read(pred), dataset, material.lengths())
    card = errors.card
    typer.echo(
        f"errors of {pred}: {card['mpjpe']:.1f} mm of the average body over {card['poses']} poses, against "
        f"{card['reference']}{' (uses 3D)' if card['uses_3d'] else ''}"
    )
    with step_bar("refiner") as bar:
        trained = train(material, errors, config, output, progress=bar)
    write_errors(errors, output / "errors.npz")
    for name in ("NMPJPE", "PMPJPE"):
        before, after = (trained.validation[when][name] for when in ("before", "after"))
        typer.echo(f"held-out sequences: {name} {before:.2f} -> {after:.2f} mm of the average body")
    typer.echo(f"written: {trained.path}")


def _errors(reference: str, pred: PoseSet, dataset: MultiViewSet, lengths: npt.NDArray[np.float64]) -> ErrorModel:
    from model_zoo.epipolarpose.label_files import read_labels
    from model_zoo.refiner.errors import errors_by_labels, errors_by_truth

    if reference == _TRUTH:
        return errors_by_truth(pred, dataset.ground_truth(), lengths)
    view = dataset.unlabelled()
    return errors_by_labels(pred, read_labels(reference, view), view, lengths)


def _missing(error: ModuleNotFoundError) -> Exception:
    """What the user is told if a package is not there; another error as it is."""
    package = (error.name or "").partition(".")[0]
    return MissingExtraError("posebench zoo", package, "zoo") if package in ("model_zoo", "torch") else error


__all__ = ["refine", "train_refiner"]
