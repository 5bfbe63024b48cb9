"""Labels as poses that `posebench score` takes: what was labelled, against the ground truth of all that was offered.

A pair of pictures without a label is missing from the prediction, so a result says that it is incomplete. A joint that
a label masks teaches nothing and is masked in the ground truth as well, as in `evaluation`; a result counts these.
Ground truth is opened here, after labels were made; nothing goes back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_zoo.epipolarpose.evaluation import labelled_poses
from model_zoo.epipolarpose.labels import Labels, neighbours, view_sha256
from posebench.datasets.views import MultiViewSet, camera_names
from posebench.errors import UsageError
from posebench.io import write
from posebench.poses import KeyColumn, PoseSet

#: A row: a picture, and the picture that it was paired with (itself for labels by median).
Rows = npt.NDArray[np.int64]


def label_poses(labels: Labels, dataset: MultiViewSet) -> tuple[PoseSet, PoseSet]:
    """Labels, and the ground truth of every pair that was offered, matched by keys.

    A picture that two pairs share has two labels, so the key `camera` names both cameras of a pair.

    Parameters
    ----------
    labels : Labels
    dataset : MultiViewSet
        With poses; labels must have been made from its pictures.

    Returns
    -------
    (PoseSet, PoseSet)
        In mm if the labels know the depths of the roots, else scale-free; and ground truth in mm, masked where labels
        are, without the name of its data set: no protocol's selection is of labels.

    Raises
    ------
    UsageError
        If the labels are of other pictures.
    InputError
        If the data set has no poses, or there is no label.
    """
    if len(labels.box) != len(dataset) or labels.report["view_sha256"] != view_sha256(dataset.unlabelled()):
        raise UsageError(
            f"the labels are of {len(labels.box)} pictures that are not the {len(dataset)} pictures of the data set"
        )
    truth = dataset.ground_truth()
    poses = labelled_poses(labels, dataset.intrinsics)
    offered = _offered(dataset, paired=labels.pictures.shape[1] == 2)
    pred = PoseSet(
        poses.poses,
        skeleton=poses.skeleton,
        unit=poses.unit,
        reference="camera",
        origin="absolute",
        valid=poses.valid,
        **_keys(truth, dataset, _rows(labels.pictures)),
    )
    known = np.isfinite(truth.poses[offered[:, 0]]).all(axis=-1)
    if truth.valid is not None:
        known &= truth.valid[offered[:, 0]]
    number, mine = (rows @ (len(dataset), 1) for rows in (offered, _rows(labels.pictures)))
    order = np.argsort(number)
    known[order[np.searchsorted(number, mine, sorter=order)]] &= np.repeat(
        labels.known, labels.pictures.shape[1], axis=0
    )
    gt = PoseSet(
        truth.poses[offered[:, 0]],
        skeleton=truth.skeleton,
        unit="mm",
        reference="camera",
        origin="absolute",
        valid=known,
        **_keys(truth, dataset, offered),
    )
    return pred, gt


def write_label_poses(labels: Labels, dataset: MultiViewSet, folder: Path) -> tuple[int, int]:
    """Write `pred.npz` and `gt.npz` of `label_poses`; how many poses they hold."""
    pred, gt = label_poses(labels, dataset)
    write(pred, folder / "pred.npz")
    write(gt, folder / "gt.npz")
    return len(pred), len(gt)


def _offered(dataset: MultiViewSet, *, paired: bool) -> Rows:
    """Every picture that labels could have been made for, with the one that it is paired with."""
    instants = dataset.instants
    pairs = np.array(neighbours(len(camera_names(dataset.camera))), np.int64).reshape(-1, 2)
    pictures = instants[:, pairs].reshape(-1, 2)
    pictures = pictures[(pictures >= 0).all(axis=1)]
    return _rows(pictures) if paired else _rows(np.unique(pictures)[:, None])


def _rows(pictures: Rows) -> Rows:
    """Pictures of pairs (P, 2), or alone (P, 1), as rows (P·V, 2) of a picture and its partner."""
    return np.stack([pictures.reshape(-1), pictures[:, ::-1].reshape(-1)], axis=1)


def _keys(truth: PoseSet, dataset: MultiViewSet, rows: Rows) -> dict[str, Any]:
    """Keys of rows: those of the pictures, but for the camera."""
    keys = {
        name: column.values[rows[:, 0]]
        for name, column in truth.keys.items()
        if name != "camera" and isinstance(column, KeyColumn)
    }
    mine, other = (dataset.camera[rows[:, side]] for side in (0, 1))
    camera = np.where(rows[:, 0] == rows[:, 1], mine, np.char.add(np.char.add(mine, " with "), other))
    return {**keys, "camera": camera, "frame": dataset.frame[rows[:, 0]]}


__all__ = ["label_poses", "write_label_poses"]
