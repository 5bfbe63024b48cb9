"""Labels out of ground truth in 3D, for training that is fully supervised: the other end of the paper's tables.

They are kept like labels made by geometry, so that both are learnt from alike; their report says `uses_3d`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from model_zoo.epipolarpose.boxes import boxes_of
from model_zoo.epipolarpose.detections import Detections
from model_zoo.epipolarpose.geometry.depth import to_image_space
from model_zoo.epipolarpose.labels import SCHEMA, LabelConfig, Labels, view_sha256
from posebench.datasets.views import MultiViewSet
from posebench.errors import InputError, UsageError
from posebench.skeletons import H36M17

#: What the report of such labels names as their source.
SOURCE = "ground truth in 3D"


def supervised_labels(dataset: MultiViewSet, found: Detections | None = None) -> Labels:
    """A label for each picture, out of its pose in 3D.

    Parameters
    ----------
    dataset : MultiViewSet
        With poses.
    found : Detections, optional
        Around which boxes are laid, as in training without labels; by default around the data set's joints in 2D.

    Raises
    ------
    InputError
        If the data set has no poses, or no picture has a root and a box.
    UsageError
        If the detections are not of these pictures.
    """
    if found is not None and len(found) != len(dataset):
        raise UsageError(f"there are detections of {len(found)} pictures, and {len(dataset)} pictures")
    truth = dataset.ground_truth()
    points = dataset.joints.astype(np.float64) if found is None else found.points
    box = boxes_of(points, np.asarray(np.isfinite(points).all(axis=-1)))
    poses = truth.poses.astype(np.float64)
    poses = poses if truth.valid is None else np.where(truth.valid[..., None], poses, np.nan)
    joints = to_image_space(poses, dataset.intrinsics, root=H36M17.root)
    known = np.asarray(np.isfinite(joints).all(axis=-1))
    pictures = np.flatnonzero(known[:, H36M17.root] & np.isfinite(box).all(axis=1) & (box[:, 2] > 0))
    if not len(pictures):
        raise InputError(f"{dataset.folder}: no picture of the split {dataset.split} has a pose and a box around it")
    known = known[pictures]
    report = {
        "schema": SCHEMA,
        # Nothing was estimated; the reader of labels wants to know all the same.
        "config": asdict(LabelConfig(extrinsics="known", combine="median")),
        "source": SOURCE,
        "uses_3d": True,
        "view_sha256": view_sha256(dataset.unlabelled()),
        "pairs": {"offered": 0, "labelled": 0, "left_out": {}},
        "labels": len(pictures),
    }
    return Labels(
        pictures[:, None],
        np.where(known[..., None], joints[pictures], np.nan)[:, None],
        known,
        np.where(known, 0.0, np.nan),
        poses[pictures][:, [H36M17.root], 2],
        np.full((len(pictures), 1, 3, 4), np.nan),
        box,
        report,
    )


def of_subjects(sequences: npt.NDArray[np.str_], subjects: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which sequences are of these people; all of them if none is named. An id of a sequence begins with its subject.

    Raises
    ------
    InputError
        If somebody is named who has none.

    Examples
    --------
    >>> of_subjects(np.array(["S1/walk", "S11/walk"]), ["S1"]).tolist()
    [True, False]
    """
    if not subjects:
        return np.ones(len(sequences), np.bool_)
    owners = np.array([name.partition("/")[0] for name in sequences.tolist()], np.str_)
    missing = sorted(set(subjects) - set(owners.tolist()))
    if missing:
        raise InputError(
            f"there is nothing of {missing[0]} to learn from; there are {', '.join(np.unique(owners).tolist())[:300]}"
        )
    return np.asarray(np.isin(owners, list(subjects)))


__all__ = ["SOURCE", "of_subjects", "supervised_labels"]
