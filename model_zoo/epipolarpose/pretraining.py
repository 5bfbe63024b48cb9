"""The 2D branch: learnt from labels in 2D, then frozen, and run over pictures to find joints in them.

All labelled joints are learnt, hidden ones too: MPII annotates them and PCKh scores them, and a network that was never
told where a hidden joint is puts it anywhere. How sure it is says the confidence, by which labels leave joints out.

PCKh needs head boxes, which rendered data have not. Here a head is 0.6 times as large as thorax and top of the head are
apart in the picture, and at least a twentieth of the box, for heads that are seen along that line. Values are for the
selection of a model; they are no values of MPII's benchmark.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from model_zoo.configs import TrainingConfig
from model_zoo.epipolarpose.batches import Examples, examples_of, held_out
from model_zoo.epipolarpose.boxes import boxes_of, boxes_to_look_at, whole_box
from model_zoo.epipolarpose.crops import build_crops, crop_matrix, cut
from model_zoo.epipolarpose.detections import Detections, Floats, ids_of
from model_zoo.epipolarpose.loop import Task, Told, Trained, Where, as_crops, fit_task
from model_zoo.epipolarpose.network import Frozen, PoseNet, load_backbone, load_network
from model_zoo.epipolarpose.run_folder import runs_folder
from model_zoo.epipolarpose.supervision import of_subjects
from posebench.datasets.views import MultiViewSet, UnlabelledView
from posebench.errors import InputError, UsageError
from posebench.io.hashing import sha256_of
from posebench.metrics.head import pckh
from posebench.skeletons import H36M17

#: What the length from thorax to the top of the head is multiplied with, and the least size of a head in boxes.
HEAD_SHARE, LEAST_HEAD = 0.6, 0.05
#: H36M-17 without pelvis, spine and thorax, as PCKh leaves out MPII's pelvis and thorax.
SCORED = tuple(i for i, joint in enumerate(H36M17.joints) if joint not in ("pelvis", "spine", "thorax"))
FIGURE = "PCKh of pictures set aside, %"


def pretrain(
    dataset: MultiViewSet,
    config: TrainingConfig,
    folder: str | os.PathLike[str],
    *,
    start: str | os.PathLike[str] | None = None,
    backbone: str | os.PathLike[str] | None = None,
    crops: str | os.PathLike[str] | None = None,
    where: Where | None = None,
    progress: Told | None = None,
) -> Trained:
    """Train the 2D branch, or go on with it.

    Parameters
    ----------
    dataset : MultiViewSet
        Of which joints in 2D are learnt, and nothing in 3D is read.
    config : TrainingConfig
        Of the kind `2d`.
    folder : path
        Of the run.
    start : path, optional
        Weights of a 2D branch of the same configuration of the network to begin with.
    backbone : path, optional
        Public ImageNet weights to begin with; not together with `start`.
    crops : path, optional
        Folder for the crops; by default beside all runs.
    where : Where, optional
    progress : callable, optional

    Raises
    ------
    UsageError
        If the configuration is of another kind.
    InputError
        If nothing can be learnt from the data set; and as `fit_task` does.
    """
    if config.kind != "2d":
        raise UsageError(f"{config.name} is a configuration for the 3D branch; run posebench zoo train")
    known = np.asarray(np.isfinite(dataset.joints).all(axis=-1))
    joints = dataset.joints.astype(np.float64)
    boxes = boxes_of(joints, known)
    sequences = ids_of(dataset)
    usable = of_subjects(sequences, config.subjects) & np.isfinite(boxes).all(axis=1) & (boxes[:, 2] > 0)
    pictures = np.flatnonzero(usable)
    if not len(pictures):
        raise InputError(f"{dataset.folder}: no picture of the split {dataset.split} has two joints in 2D")
    network = begin(config, start, backbone)
    made = build_crops(
        dataset, boxes, pictures, config.network.side, crops or runs_folder() / "crops", progress=progress
    )
    examples = examples_of(made, pictures[:, None], joints[pictures][:, None], known[pictures])
    kept = held_out(sequences[pictures], config.held_out)
    aside = some(examples.part(kept), config.validation_pictures) if kept.any() else None
    facts = {
        "learnt": "joints in 2D",
        "uses_3d": False,
        "split": dataset.split,
        "pictures": int((~kept).sum()),
        "set_aside": int(kept.sum()),
        "start_sha256": None if start is None else sha256_of(Path(start)),
        "backbone_sha256": None if backbone is None else sha256_of(Path(backbone)),
    }
    task = Task(network, examples.part(~kept), _pckh_of(aside), aside, FIGURE, True, facts)
    return fit_task(task, config, folder, where=where, progress=progress)


def begin(
    config: TrainingConfig, start: str | os.PathLike[str] | None, backbone: str | os.PathLike[str] | None
) -> PoseNet:
    """The network that training begins with: that of a run before, or a new one, with ImageNet weights or without.

    Raises
    ------
    UsageError
        If both are named, or the network before is of another configuration.
    """
    if start is not None and backbone is not None:
        raise UsageError("training begins with the 2D branch or with a backbone, not with both")
    if start is None:
        network = PoseNet(config.network, seed=config.seed)
        if backbone is not None:
            load_backbone(network, backbone)
        return network
    network = load_network(start)
    # How far depth reaches means nothing in two dimensions.
    if replace(network.config, depth_boxes=config.network.depth_boxes) != config.network:
        raise UsageError(
            f"{os.fspath(start)}: is a network with {network.config}, and {config.name} is for {config.network}"
        )
    network.config = config.network
    return network


def some(examples: Examples, pictures: int) -> Examples:
    """So many pictures of examples at most, evenly spread over them."""
    count = min(len(examples), max(1, pictures // examples.views))
    return examples.part(np.linspace(0, len(examples) - 1, count).round().astype(np.int64))


def head_sizes(joints: Floats, side: float) -> Floats:
    """Sizes of heads (P,) for PCKh out of joints (P, 17, 2), where there are no head boxes; NaN without a head.

    Parameters
    ----------
    joints : (P, 17, 2)
        H36M-17 in px.
    side : float
        Of the boxes, in the same px.

    Examples
    --------
    >>> joints = np.zeros((2, 17, 2))
    >>> joints[0, H36M17.index("head")] = [0, 30]
    >>> head_sizes(joints, 100).tolist()
    [18.0, 5.0]
    """
    length = np.linalg.norm(joints[:, H36M17.index("head")] - joints[:, H36M17.index("thorax")], axis=-1)
    return np.asarray(np.maximum(HEAD_SHARE * length, LEAST_HEAD * side))


def _pckh_of(aside: Examples | None) -> Any:
    """What holds found joints against those of the examples."""
    if aside is None:
        return lambda found: float("nan")
    wanted = aside.joints.reshape(-1, *aside.joints.shape[2:]) - aside.crops.pad
    sizes = head_sizes(wanted, aside.crops.side)
    scored = np.repeat(aside.known, aside.views, axis=0) & np.isfinite(sizes)[:, None]
    if not scored[:, SCORED].any():
        raise InputError("no picture that is set aside shows thorax and head, without which there is no PCKh")
    return lambda found: pckh(found, wanted, sizes, scored, joints=SCORED)


# ------------------------------------------------------------------------------------------------- the branch at work


def detect_joints(
    network: PoseNet,
    view: UnlabelledView | MultiViewSet,
    *,
    source: str,
    batch: int = 32,
    device: str = "cpu",
    progress: Told | None = None,
) -> Detections:
    """Joints in 2D of every picture, by a frozen copy of a network: in the whole picture, then in the box found there.

    Parameters
    ----------
    network : PoseNet
    view : UnlabelledView or MultiViewSet
        Of which pictures alone are read.
    source : str
        What the detections are called.
    batch : int
        Crops at a time; memory does not grow with the pictures.
    device : str
    progress : callable, optional
        Called with pictures done, their number, and a word.

    Returns
    -------
    Detections
        Confidences are `softargmax.peak_mass`.
    """
    branch = Frozen(network).to(device)
    points = np.full((len(view), len(H36M17), 2), np.nan)
    confidence = np.zeros(points.shape[:2])
    for first in range(0, len(view), batch):
        rows = range(first, min(first + batch, len(view)))
        whole = np.array([whole_box(view.image(row).shape) for row in rows])
        points[rows], confidence[rows] = _found(branch, view, rows, whole)
        boxes = boxes_to_look_at(points[rows], confidence[rows], whole)
        good = np.isfinite(boxes).all(axis=1)
        again = np.array(rows)[good]
        if len(again):
            points[again], confidence[again] = _found(branch, view, again.tolist(), boxes[good])
        if progress is not None:
            progress(rows.stop, len(view), "pictures")
    return Detections(points, confidence, source)


def _found(
    branch: Frozen, view: UnlabelledView | MultiViewSet, rows: range | list[int], boxes: Floats
) -> tuple[Floats, npt.NDArray[np.float64]]:
    """Joints in px of the pictures and their confidences, of the boxes of some pictures."""
    side = branch.network.config.side
    crops = np.stack([cut(view.image(row), box, side) for row, box in zip(rows, boxes, strict=True)])
    device = next(branch.parameters()).device
    with torch.no_grad():
        joints = branch.network.joints_2d(branch(as_crops(crops, device)))
    matrices = np.array([crop_matrix(box, side) for box in boxes])
    pixels = joints.positions.cpu().double().numpy()
    points = (pixels - matrices[:, None, :, 2]) / matrices[:, [0], :1]
    return points, joints.confidence.cpu().double().numpy()


__all__ = ["FIGURE", "SCORED", "begin", "detect_joints", "head_sizes", "pretrain", "some"]
