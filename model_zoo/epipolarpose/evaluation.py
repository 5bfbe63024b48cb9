"""How good labels are: held against ground truth, once they are made. Nothing of this goes back into labels.

This is the paper's Table 1. Every label of every picture counts as one pose, over its joints that are not masked;
what was left out is said by the coverage, without which the errors mean nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from model_zoo.epipolarpose.geometry.depth import from_image_space
from model_zoo.epipolarpose.labels import Labels, view_sha256
from posebench.datasets.views import MultiViewSet
from posebench.errors import InputError, UsageError
from posebench.poses import PoseSet
from posebench.report import Report
from posebench.scoring import score
from posebench.skeletons import H36M17

Floats = npt.NDArray[np.float64]

#: Metrics of a table of labels, in order.
METRICS = ("MPJPE", "NMPJPE", "PMPJPE", "PSS@50", "PSS@100")


@dataclass(frozen=True)
class LabelQuality:
    """What a row of the table says.

    metrics : mapping
        Name -> value; None where there is none. MPJPE is known only with R and t, since nothing else tells the scale.
    pairs : float
        Share of the offered pairs that have a label.
    joints : float
        Share of the joints of labels that are not masked.
    rotation : (float, float), optional
        Median and largest error in degrees of the estimated rotations, over the pairs that have a label.
    report : Report
        All that posebench says of these poses.
    """

    metrics: Mapping[str, float | None]
    pairs: float
    joints: float
    rotation: tuple[float, float] | None
    report: Report = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "metrics": dict(self.metrics),
            "pairs": self.pairs,
            "joints": self.joints,
            "rotation_deg": None if self.rotation is None else {"median": self.rotation[0], "max": self.rotation[1]},
            "protocol": self.report.to_dict()["protocol"],
            "banks": self.report.to_dict()["banks"],
        }


def labelled_poses(labels: Labels, intrinsics: Floats) -> PoseSet:
    """The labels as poses in the cameras, (P·V, 17, 3): in mm if they know the depth of the root, else scale-free.

    Parameters
    ----------
    labels : Labels
    intrinsics : (N, 3, 3)
        Of the pictures of the view that they were made from.

    Raises
    ------
    InputError
        If there is no label.
    """
    if not len(labels):
        raise InputError("there is no label, so there are no poses; the report of the labels says what was left out")
    views = labels.pictures.shape[1]
    known = np.repeat(labels.known, views, axis=0)
    uvw = np.where(known[..., None], labels.joints.reshape(-1, len(H36M17), 3), 0.0)
    depth = labels.root_depth.reshape(-1)
    metric = bool(np.isfinite(depth).all())
    K = intrinsics[labels.pictures.reshape(-1)]
    poses = from_image_space(uvw, K, depth if metric else np.ones(len(uvw)), valid=known)
    return PoseSet(
        poses,
        skeleton=H36M17,
        unit="mm" if metric else "scale-free",
        reference="camera",
        origin="absolute",
        valid=known,
        source="labels",
    )


def evaluate_labels(labels: Labels, dataset: MultiViewSet, *, protocol: str = "open4v") -> LabelQuality:
    """Hold labels against the ground truth of the pictures that they are for.

    Parameters
    ----------
    labels : Labels
    dataset : MultiViewSet
        With poses; labels must have been made from its pictures.
    protocol : str
        Whose definition and banks are used; every label counts, whatever the protocol selects.

    Raises
    ------
    InputError
        If the data set has no poses, or there is no label.
    UsageError
        If the labels are of other pictures.
    """
    if len(labels.box) != len(dataset) or labels.report["view_sha256"] != view_sha256(dataset.unlabelled()):
        raise UsageError(
            f"the labels are of {len(labels.box)} pictures that are not the {len(dataset)} pictures of the data set"
        )
    truth = dataset.ground_truth()
    pred = labelled_poses(labels, dataset.intrinsics)
    assert pred.valid is not None
    rows = labels.pictures.reshape(-1)
    # A joint that ground truth does not know says nothing about labels.
    known = pred.valid & np.isfinite(truth.poses[rows]).all(axis=-1)
    if truth.valid is not None:
        known &= truth.valid[rows]
    gt = PoseSet(
        truth.poses[rows],
        skeleton=H36M17,
        unit="mm",
        reference="camera",
        origin="absolute",
        valid=known,
        source="ground truth of the labels",
    )
    report = score(pred, gt, protocol=protocol, allow_missing=True)
    found = {name: report.metrics[name].value if name in report.metrics else None for name in METRICS}
    offered = labels.report["pairs"]["offered"]
    return LabelQuality(
        found,
        labels.report["pairs"]["labelled"] / offered if offered else 0.0,
        float(labels.known.mean()),
        _rotation_error(labels, dataset),
        report,
    )


def _rotation_error(labels: Labels, dataset: MultiViewSet) -> tuple[float, float] | None:
    """Median and largest angle in degrees between estimated and true rotations from camera to camera."""
    if labels.pictures.shape[1] != 2 or labels.report["config"]["extrinsics"] == "known":
        return None
    view = dataset.unlabelled(with_extrinsics=True)
    first, second = labels.pictures.T
    true = view.R[second] @ np.swapaxes(view.R[first], -1, -2)
    angles = angles_between(true, labels.pose[:, 1, :, :3])
    return float(np.median(angles)), float(angles.max())


def angles_between(R: Floats, S: Floats) -> Floats:
    """Angles (N,) in degrees of the turns between rotations (N, 3, 3).

    Examples
    --------
    >>> quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    >>> angles_between(np.eye(3)[None], quarter[None]).tolist()
    [90.0]
    """
    # |R - S| is 2 sqrt(2) |sin(angle / 2)|, which stays exact where the angle is small and its cosine does not.
    half = np.linalg.norm(R - S, axis=(-2, -1)) / (2 * np.sqrt(2))
    return np.asarray(np.degrees(2 * np.arcsin(np.clip(half, 0, 1))))


__all__ = ["METRICS", "LabelQuality", "angles_between", "evaluate_labels", "labelled_poses"]
