"""The ablation with an unfrozen 2D branch: one network makes the labels that it learns from, in every step anew.

The joints in 2D of the network in training (a soft-argmax of the same heat maps, depth summed out) say where the two
cameras of a batch stand to each other, and are triangulated by linear least squares that gradients pass through. What
comes out is the label of both pictures. With `through` the gradient of the loss reaches the joints by way of their
label as well, so that the label comes to meet the network; without, labels are taken as they are.

Kocabas et al. (CVPR 2019, section 3) keep the 2D branch frozen because otherwise all joints are drawn into one place.
So the figure of validation here is no error: it is how widely the joints are spread, in percent of the box.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model_zoo.configs import TrainingConfig
from model_zoo.epipolarpose.batches import Batch, Examples
from model_zoo.epipolarpose.geometry.robust import pooled_pose
from model_zoo.epipolarpose.loop import Task, find
from model_zoo.epipolarpose.losses import joint_loss
from model_zoo.epipolarpose.network import PoseNet
from posebench.datasets.views import UnlabelledView
from posebench.skeletons import H36M17

FIGURE = "spread of the joints, % of the box"
_ROOT = H36M17.root


def unfrozen_task(
    network: PoseNet,
    view: UnlabelledView,
    examples: Examples,
    pictures: npt.NDArray[np.int64],
    aside: Examples | None,
    config: TrainingConfig,
    facts: Mapping[str, Any],
) -> Task:
    """What is trained.

    Parameters
    ----------
    network : PoseNet
    view : UnlabelledView
    examples : Examples
        Pairs; what their labels say is not looked at.
    pictures : (P, 2)
        Of the examples, as rows of the view.
    aside : Examples, optional
        Of which the spread is measured. The last weights are the result: a spread is no measure of quality.
    config : TrainingConfig
    facts : mapping
    """
    # A batch is of one subject's sequences by two cameras, which together say how the cameras stand.
    first, second = pictures.T
    rigs = np.array(
        [
            f"{sequence.partition('/')[0]} {a} {b}"
            for sequence, a, b in zip(view.sequence[first], view.camera[first], view.camera[second], strict=True)
        ]
    )
    groups = np.unique(rigs, return_inverse=True)[1].astype(np.int64)

    def loss(net: PoseNet, heatmaps: Tensor, batch: Batch) -> tuple[Tensor, int]:
        found = net.joints_3d(heatmaps).positions
        labels, known = online_labels(found[..., :2], batch.matrices, view.intrinsics[batch.pictures])
        wanted = labels if config.through else labels.detach()
        # Without a finite value in unknown joints there would be no finite gradient either.
        wanted = torch.where(known[..., None], wanted, found.detach())
        return joint_loss(found, wanted, known, side=net.config.side, beta=config.beta) / 3, int(known.sum())

    check = functools.partial(spread_of_joints, side=config.network.side)
    stated = {
        **facts,
        "learnt": "labels made online by the network in training",
        "through": config.through,
        "spread_at_the_start": None if aside is None else check(find(network, aside, config.batch, 2)),
    }
    return Task(network, examples, check, aside, FIGURE, None, stated, groups, loss)


def spread_of_joints(found: npt.NDArray[np.float64], side: int = 1) -> float:
    """The mean distance of joints (N, J, D) from the middle of their pose, in percent of `side`.

    Examples
    --------
    >>> spread_of_joints(np.array([[[0.0, 0.0], [30.0, 40.0]]]), side=100)
    25.0
    """
    plane = found[..., :2]
    return float(100 * np.linalg.norm(plane - plane.mean(axis=1, keepdims=True), axis=-1).mean() / side)


def online_labels(
    found: Tensor, matrices: npt.NDArray[np.float64], K: npt.NDArray[np.float64]
) -> tuple[Tensor, Tensor]:
    """Labels of pairs out of their joints in 2D, with gradients; R and t are estimated from all pairs together.

    Parameters
    ----------
    found : Tensor, (2 P, J, 2)
        In px of the crops; first and second picture of each pair, one after the other.
    matrices : (2 P, 2, 3)
        From px of the pictures to px of the crops.
    K : (2 P, 3, 3)
        Intrinsics of the pictures.

    Returns
    -------
    labels : Tensor, (2 P, J, 3)
        u, v and depth relative to the root, in px of the crops.
    known : Tensor of bool, (2 P, J)
        All false if the cameras' pose cannot be told.
    """
    device = found.device
    A = torch.from_numpy(matrices).to(device)
    points = torch.linalg.solve(A[:, None, :, :2], (found.double() - A[:, None, :, 2])[..., None])[..., 0]
    cameras = torch.from_numpy(K).to(device)
    ones = torch.ones_like(points[..., :1])
    rays = torch.linalg.solve(cameras[:, None], torch.cat([points, ones], -1)[..., None])[..., 0]
    rays = rays[..., :2] / rays[..., 2:]
    focal = float(np.median(np.sqrt(K[:, 0, 0] * K[:, 1, 1])))
    flat = (focal * rays.detach()).cpu().numpy()
    pose = pooled_pose(flat[0::2], flat[1::2], *([np.diag([focal, focal, 1.0])] * 2))
    if not pose.known:
        return torch.zeros(*found.shape[:2], 3, device=device), torch.zeros(
            found.shape[:2], dtype=torch.bool, device=device
        )
    R, t = (torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in (pose.R, pose.t))
    first = triangulated(rays[0::2], rays[1::2], R, t)
    seen = torch.stack([first, first @ R.T + t], 1).flatten(0, 1)
    depth = seen[..., 2:]
    root = depth[:, [_ROOT]]
    both = (seen[..., 2].detach() > 1e-3).unflatten(0, (-1, 2)).all(1).repeat_interleave(2, 0)
    sound = both & both[:, [_ROOT]]
    safe = torch.where(sound[..., None], depth, torch.ones_like(depth))
    pixels = (seen @ cameras.transpose(1, 2))[..., :2] / safe
    focals = (cameras[:, 0, 0] * cameras[:, 1, 1]).sqrt()[:, None, None]
    scale = torch.linalg.norm(A[:, :, 0], dim=1)[:, None, None]
    plane = (A[:, None, :, :2] @ pixels[..., None])[..., 0] + A[:, None, :, 2]
    deep = (depth / torch.where(sound[:, [_ROOT], None], root, torch.ones_like(root)) - 1) * focals * scale
    return torch.cat([plane, deep], -1).float(), sound


def triangulated(first: Tensor, second: Tensor, R: Tensor, t: Tensor) -> Tensor:
    """Points (P, J, 3) in the first camera out of rays (P, J, 2) of both, by linear least squares, with gradients.

    Each ray says x Z = X and y Z = Y in its camera: four equations in the three coordinates (Hartley and Zisserman,
    Multiple View Geometry, section 12.2, the inhomogeneous method; nobody stands at infinity here).

    Parameters
    ----------
    first, second : Tensor, (P, J, 2)
        x / z and y / z.
    R : Tensor, (3, 3)
    t : Tensor, (3,)

    Examples
    --------
    >>> R, t = torch.eye(3, dtype=torch.float64), torch.tensor([-1.0, 0.0, 0.0], dtype=torch.float64)
    >>> rays = torch.tensor([[[0.0, 0.25]]], dtype=torch.float64), torch.tensor([[[-0.25, 0.25]]], dtype=torch.float64)
    >>> triangulated(*rays, R, t).round(decimals=6).tolist()
    [[[0.0, 1.0, 4.0]]]
    """
    one, none = torch.ones_like(first[..., 0]), torch.zeros_like(first[..., 0])
    x, y = first.unbind(-1)
    rows = [torch.stack([one, none, -x], -1), torch.stack([none, one, -y], -1)]
    sides = [none, none]
    for axis in (0, 1):
        rows.append(R[axis] - second[..., axis, None] * R[2])
        sides.append(second[..., axis] * t[2] - t[axis])
    A, b = torch.stack(rows, -2), torch.stack(sides, -1)[..., None]
    # The normal equations: four rows and three unknowns of like size, in float64.
    AT = A.transpose(-1, -2)
    return torch.linalg.solve(AT @ A, AT @ b)[..., 0]


__all__ = ["FIGURE", "online_labels", "spread_of_joints", "triangulated", "unfrozen_task"]
