"""Aligned poses themselves, for those who build a loss of their own on them."""

from __future__ import annotations

import torch
from torch import Tensor

from posebench.errors import InputError
from posebench.torch.evaluate import pair
from posebench.torch.rotation import best_rotation, product, reach


def align_similarity(pred: Tensor, gt: Tensor, *, check: bool = True) -> Tensor:
    """Predictions (N, J, 3) after rotation, translation and scale onto the ground truth.

    Examples
    --------
    >>> pred = torch.randn(1, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    >>> torch.allclose(align_similarity(pred, 3 * pred + 7), 3 * pred + 7)
    True
    """
    return _aligned(pred, gt, True, check)


def align_rigid(pred: Tensor, gt: Tensor, *, check: bool = True) -> Tensor:
    """Predictions (N, J, 3) after rotation and translation onto the ground truth.

    Examples
    --------
    >>> pred = torch.randn(1, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    >>> torch.allclose(align_rigid(pred, pred + 7), pred + 7)
    True
    """
    return _aligned(pred, gt, False, check)


def _aligned(pred: Tensor, gt: Tensor, scale: bool, check: bool) -> Tensor:
    p, g, _ = pair(pred, gt, None)
    finite = torch.ones(len(p), dtype=torch.bool, device=p.device)
    for side, name in ((p, "pred"), (g, "gt")):
        fine = side.isfinite().all(2).all(1)
        if check and not bool(fine.all()):
            raise InputError(f"{name}: pose {int((~fine).nonzero()[0, 0])} is not finite")
        finite = finite & fine
    keep = finite[:, None, None]
    p, g = p.where(keep, 0.0), g.where(keep, 0.0)  # no decomposition takes NaN
    p_mean, g_mean = p.mean(1, keepdim=True), g.mean(1, keepdim=True)
    p, g = p - p_mean, g - g_mean
    size = reach(p)
    shape = p / size
    turned = product(shape, best_rotation(p, g).transpose(-1, -2))
    if not scale:
        return torch.where(keep, size * turned + g_mean, torch.nan)
    square = (shape * shape).sum((1, 2), keepdim=True)
    factor = (turned * g).sum((1, 2), keepdim=True) / torch.where(square > 0, square, 1.0)
    return torch.where(keep, factor * turned + g_mean, torch.nan)


__all__ = ["align_rigid", "align_similarity"]
