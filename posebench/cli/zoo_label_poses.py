"""`posebench zoo label-poses`: labels as files of poses, so that they are scored as predictions are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from posebench.errors import InputError, MissingExtraError


def label_poses(
    data: Annotated[
        Path, typer.Option("--data", help="Folder that the labels were made of, with ground truth.", show_default=False)
    ],
    labels: Annotated[Path, typer.Option("--labels", help="As posebench zoo labels wrote them.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Folder for pred.npz and gt.npz.", show_default=False)],
    split: Annotated[str, typer.Option("--split", help="Of the data set.")] = "train",
) -> None:
    """Write labels as poses, and the ground truth of all that could have been labelled, for posebench score.

    Joints that a label masks are masked in the ground truth; pairs without a label are missing: score with
    --allow-missing.

    Example: posebench zoo label-poses --data open4v --labels labels.npz --out label-poses
    """
    try:
        from model_zoo.epipolarpose.label_files import read_labels
        from model_zoo.epipolarpose.label_poses import write_label_poses
    except ModuleNotFoundError as error:
        if error.name != "model_zoo":
            raise
        raise MissingExtraError("posebench zoo", "model_zoo", "zoo") from None
    from posebench.cli.outputs import data_files, refuse_unwritable
    from posebench.datasets.views import MultiViewSet, open_unlabelled

    made = read_labels(labels, open_unlabelled(data, split))
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror or error}") from None
    for name in ("pred.npz", "gt.npz"):
        refuse_unwritable(out / name, [labels, *data_files(data)])
    held, offered = write_label_poses(made, MultiViewSet(data, split), out)
    typer.echo(f"{out}: {held} labels as poses, {offered} poses in the ground truth")
