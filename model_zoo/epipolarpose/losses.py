"""The loss of training: smooth L1 between joints as the network says them and as labels do, over known joints.

Coordinates are in sides of the crop, depth like u and v, so that one β serves crops of every size. A difference below β
is squared. Labels lie within about ±0.5: with the usual β of 1 the loss would never be anything but a square.
"""

from __future__ import annotations

import torch
from torch import Tensor

from posebench.errors import UsageError


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
        (), float32.

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
    each = torch.nn.functional.smooth_l1_loss(found.float() / side, wanted.float() / side, beta=beta, reduction="none")
    return torch.where(known[..., None], each, torch.zeros((), device=each.device)).sum()


__all__ = ["joint_loss"]
