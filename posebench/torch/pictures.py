"""PCKh on tensors: points in pictures, measured by the size of each person's head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from posebench.metrics.head import PCKH_JOINTS
from posebench.metrics.head import pckh as pckh_of_arrays
from posebench.torch.evaluate import arrays


def pckh(
    pred2d: Tensor,
    gt2d: Tensor,
    head_sizes: Tensor,
    visible: Tensor | None = None,
    threshold: float = 0.5,
    *,
    joints: Sequence[int] | None = PCKH_JOINTS,
    reduce: Literal["mean", "joint"] = "mean",
) -> Tensor:
    """Share of joints in 2D off by at most `threshold` head sizes, in percent; best is 100. No gradient.

    As `posebench.pckh`, which counts on the host.

    Examples
    --------
    >>> gt = torch.zeros(1, 16, 2)
    >>> pred = gt.clone()
    >>> pred[0, 0, 0], pred[0, 1, 0] = 15, 15.1
    >>> round(pckh(pred, gt, torch.tensor([30.0])).item(), 2)
    92.86
    """
    share = pckh_of_arrays(*arrays(pred2d, gt2d, head_sizes, visible), threshold, joints=joints, reduce=reduce)  # type: ignore[call-overload]
    device = gt2d.device if isinstance(gt2d, Tensor) else None
    return torch.as_tensor(share, dtype=torch.float64 if _is_double(pred2d, gt2d) else torch.float32, device=device)


def _is_double(*sides: Tensor) -> bool:
    return any(isinstance(side, Tensor) and side.dtype is torch.float64 for side in sides)


__all__ = ["pckh"]
