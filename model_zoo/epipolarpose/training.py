"""The 3D branch: learnt from labels in 3D, whoever made them, each by all the pictures that it is of.

Self-supervised training is given pictures without labels and a file of labels made by geometry, and there is no way
from these to ground truth. The model is selected by labels of the same kind, of sequences that were set aside; test
subjects have no part in it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from model_zoo.configs import TrainingConfig
from model_zoo.epipolarpose.batches import Examples, examples_of, held_out
from model_zoo.epipolarpose.crops import build_crops
from model_zoo.epipolarpose.labels import Labels, view_sha256
from model_zoo.epipolarpose.loop import Task, Told, Trained, Where, fit_task
from model_zoo.epipolarpose.pretraining import begin, some
from model_zoo.epipolarpose.run_folder import runs_folder
from model_zoo.epipolarpose.supervision import of_subjects
from model_zoo.epipolarpose.unfrozen import unfrozen_task
from posebench.datasets.views import UnlabelledView
from posebench.errors import InputError, UsageError
from posebench.io.hashing import sha256_of

FIGURE = "distance to labels set aside, % of the box"


def train(
    view: UnlabelledView,
    labels: Labels,
    config: TrainingConfig,
    folder: str | os.PathLike[str],
    *,
    start: str | os.PathLike[str] | None = None,
    backbone: str | os.PathLike[str] | None = None,
    crops: str | os.PathLike[str] | None = None,
    where: Where | None = None,
    progress: Told | None = None,
) -> Trained:
    """Train the 3D branch, or go on with it.

    Parameters
    ----------
    view : UnlabelledView
        The pictures.
    labels : Labels
        Of these pictures.
    config : TrainingConfig
        Of the kind `self`, `full` or `unfrozen`; with the last one labels only say which pictures are pairs, and where
        the boxes are.
    folder : path
        Of the run.
    start : path, optional
        Weights of the 2D branch, of the same configuration of the network.
    backbone : path, optional
        Public ImageNet weights to begin with; not together with `start`.
    crops : path, optional
        Folder for the crops; by default beside all runs.
    where : Where, optional
    progress : callable, optional

    Raises
    ------
    UsageError
        If labels, configuration and beginning do not belong together.
    InputError
        If nothing is left to learn from; and as `fit_task` does.
    """
    check_labels(labels, view, config)
    network = begin(config, start, backbone)
    sequences = view.sequence[labels.pictures[:, 0]]
    chosen = np.flatnonzero(of_subjects(sequences, config.subjects))
    if not len(chosen):
        raise InputError("there is no label to learn from; the report of the labels says what was left out")
    pictures, sequences = labels.pictures[chosen], sequences[chosen]
    made = build_crops(
        view, labels.box, pictures, config.network.side, crops or runs_folder() / "crops", progress=progress
    )
    examples = examples_of(made, pictures, labels.joints[chosen], labels.known[chosen])
    kept = held_out(sequences, config.held_out)
    aside = some(examples.part(kept), config.validation_pictures) if kept.any() else None
    facts = {
        "learnt": labels.report["source"],
        "uses_3d": bool(labels.report.get("uses_3d", False)),
        "labels": {name: labels.report.get(name) for name in ("config", "view_sha256", "detections_sha256")},
        "examples": int((~kept).sum()),
        "set_aside": int(kept.sum()),
        "start_sha256": None if start is None else sha256_of(os.fspath(start)),
        "backbone_sha256": None if backbone is None else sha256_of(os.fspath(backbone)),
    }
    learnt = examples.part(~kept)
    if config.kind == "unfrozen":
        task = unfrozen_task(network, view, learnt, labels.pictures[chosen][~kept], aside, config, facts)
    else:
        task = Task(network, learnt, _distance(aside), aside, FIGURE, False, facts)
    return fit_task(task, config, folder, where=where, progress=progress)


def check_labels(labels: Labels, view: UnlabelledView, config: TrainingConfig) -> None:
    """Refuse labels that are of other pictures, or of another kind than the configuration is for.

    Raises
    ------
    UsageError
        If they are.
    """
    report: Mapping[str, Any] = labels.report
    if len(labels.box) != len(view) or report["view_sha256"] != view_sha256(view):
        raise UsageError(f"the labels are of {len(labels.box)} pictures that are not the {len(view)} of the view")
    if config.kind == "2d":
        raise UsageError(f"{config.name} is a configuration for the 2D branch; run posebench zoo pretrain2d")
    uses_3d = bool(report.get("uses_3d", False))
    if uses_3d != (config.kind == "full"):
        wanted = "ground truth in 3D" if config.kind == "full" else "labels made by geometry"
        raise UsageError(f"{config.name} learns from {wanted}, and the labels are from {report['source']}")
    if uses_3d:
        return
    joints = "truth" if str(report["source"]).startswith("ground truth") else "found"
    told = {"joints": joints, "extrinsics": report["config"]["extrinsics"]}
    for name, value in told.items():
        wanted = getattr(config.labels, name)
        if wanted not in ("any", value):
            raise UsageError(f"{config.name} is for labels whose {name} are {wanted}, and those of these are {value}")


def _distance(aside: Examples | None) -> Any:
    """Mean distance between found and labelled joints, in percent of the box."""
    if aside is None:
        return lambda found: float("nan")
    wanted = aside.joints.reshape(-1, *aside.joints.shape[2:]) - [aside.crops.pad, aside.crops.pad, 0]
    known = np.repeat(aside.known, aside.views, axis=0)
    return lambda found: float(100 * np.linalg.norm(found - wanted, axis=-1)[known].mean() / aside.crops.side)


__all__ = ["FIGURE", "check_labels", "train"]
