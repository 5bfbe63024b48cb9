"""The losses of training, over known joints: smooth L1 between joints as the network and as labels say them, and, where
a configuration asks for it, how far heat maps are from a small Gaussian about the label.

Coordinates are in sides of the crop, depth like u and v, so that one β serves crops of every size. A difference below β
is squared. Labels lie within about ±0.5: with the usual β of 1 the loss would never be anything but a square.

A soft-argmax alone is content with any heat map whose mean is right, learns slowly, and is never sure of a joint. The
second loss mends all three; the paper has the first alone.
"""

from __future__ import annotations

import torch
from torch import Tensor

from model_zoo.epipolarpose.softargmax import Joints
from posebench.errors import UsageError

#: The least share of a cell, below which it counts as this much; 1e-12 is about what float32 sums leave exact.
_LEAST = 1e-12


def joint_loss(found: Tensor, wanted: Tensor, known: Tensor, *, side: int, beta: float) -> Tensor:
    """The sum of smooth L1 over known joints and their coordinates; a caller divides it by their number.

    Parameters
    ----------
    found, wanted : Tensor, (N, J, D)
        In px of the crop. What stands in an unknown joint does not matter, if it is finite.
    known : Tensor of bool, (N, J)
    side : int
        Of the crop, in px.
    beta : float
        In sides of the crop, above 0.

    Returns
    -------
    Tensor
        (), float32, or float64 if `found` is.

    Raises
    ------
    UsageError
        If shapes do not fit, or β is not above 0.

    References
    ----------
    Girshick, Fast R-CNN, ICCV 2015, equation 3 (smooth L1); Kocabas et al., CVPR 2019, section 3 (its use here).

    Examples
    --------
    >>> found, wanted = torch.tensor([[[1.0, 8.0]]]), torch.tensor([[[0.0, 0.0]]])
    >>> loss = joint_loss(found, wanted, torch.tensor([[True]]), side=10, beta=0.2)
    >>> round(loss.item(), 6)  # 0.1² / 0.4 + (0.8 - 0.1)
    0.725
    """
    if found.shape != wanted.shape or found.shape[:2] != known.shape:
        raise UsageError(
            f"joints have shapes {tuple(found.shape)} and {tuple(wanted.shape)}, known {tuple(known.shape)}"
        )
    if not beta > 0:
        raise UsageError(f"beta is {beta}, expected a number above 0, in sides of the crop")
    wide = torch.promote_types(found.dtype, torch.float32)
    found, wanted = found.to(wide) / side, wanted.to(wide) / side
    each = torch.nn.functional.smooth_l1_loss(found, wanted, beta=beta, reduction="none")
    return torch.where(known[..., None], each, torch.zeros((), device=each.device)).sum()


def heat_loss(found: Joints, wanted: Tensor, known: Tensor, *, side: int, depth_boxes: float, cells: float) -> Tensor:
    """How far heat maps are from Gaussians about the labels: the sum over known joints, in nats.

    The Kullback-Leibler divergence from the Gaussian to the distribution over x and y, and with labels in 3D that to
    the distribution over z besides. 0 is best. A label outside the crop counts as one on its edge.

    Parameters
    ----------
    found : Joints
    wanted : Tensor, (N, J, 2) or (N, J, 3)
        In px of the crop.
    known : Tensor of bool, (N, J)
    side : int
        Of the crop, in px.
    depth_boxes : float
        As `soft_argmax_3d` has it.
    cells : float
        The deviation of the Gaussian, in cells of the heat map, above 0.

    Returns
    -------
    Tensor
        (), float32, or float64 if `found` is.

    Raises
    ------
    UsageError
        If shapes do not fit, or the deviation is not above 0.

    References
    ----------
    Nibali et al., Numerical Coordinate Regression with Convolutional Neural Networks, arXiv:1801.07372, section 3.3
    (regularisation of heat maps by their divergence from a Gaussian).

    Examples
    --------
    >>> from model_zoo.epipolarpose.softargmax import soft_argmax_2d
    >>> even = soft_argmax_2d(torch.zeros(1, 1, 1, 8, 8), side=32)
    >>> wanted, known = torch.tensor([[[15.5, 15.5]]]), torch.tensor([[True]])
    >>> round(heat_loss(even, wanted, known, side=32, depth_boxes=1.0, cells=1.0).item(), 2)  # ln 64 − ln 2πe
    1.32
    """
    if wanted.shape[:2] != known.shape or found.positions.shape[:2] != known.shape or wanted.shape[-1] not in (2, 3):
        raise UsageError(
            f"joints have shapes {tuple(found.positions.shape)} and {tuple(wanted.shape)}, known {tuple(known.shape)}"
        )
    if not cells > 0:
        raise UsageError(f"the deviation of heat maps is {cells}, expected a number above 0, in cells")
    height, width = found.plane.shape[2:]
    x = _log_gaussian((wanted[..., 0] + 0.5) * width / side - 0.5, width, cells)
    y = _log_gaussian((wanted[..., 1] + 0.5) * height / side - 0.5, height, cells)
    each = _divergence((y[..., None] + x[..., None, :]).flatten(2), found.plane.flatten(2))
    if wanted.shape[-1] == 3:
        deep = found.depth.shape[2]
        z = _log_gaussian(((wanted[..., 2] / (depth_boxes * side) + 1) * deep - 1) / 2, deep, cells)
        each = each + _divergence(z, found.depth)
    return torch.where(known, each, torch.zeros((), device=each.device)).sum()


def _log_gaussian(centre: Tensor, count: int, cells: float) -> Tensor:
    """The logarithm of a Gaussian about centres (N, J) over `count` cells, with sum 1: (N, J, count)."""
    at = torch.arange(count, device=centre.device)
    inside = centre.to(torch.promote_types(centre.dtype, torch.float32)).clamp(0, count - 1)
    return torch.log_softmax(-((at - inside[..., None]) ** 2) / (2 * cells**2), -1)


def _divergence(wanted: Tensor, found: Tensor) -> Tensor:
    """From logarithms (N, J, cells) to shares (N, J, cells): (N, J)."""
    return (wanted.exp() * (wanted - found.clamp(min=_LEAST).log())).sum(-1)


__all__ = ["heat_loss", "joint_loss"]
