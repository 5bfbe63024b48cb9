"""The Pose Structure Score on tensors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from posebench.errors import InputError
from posebench.metrics.clusters import LYING_DEGREES
from posebench.metrics.evaluate import Reduce
from posebench.metrics.structure_score import Variant, bank_and_metric, in_bank_skeleton
from posebench.skeletons import Skeleton
from posebench.torch.evaluate import arrays, masked_mean, pair
from posebench.torch.rotation import reach

if TYPE_CHECKING:
    from posebench.banks import ClusterBank, Layout


def pss(
    pred: Tensor,
    gt: Tensor,
    bank: str | Path | ClusterBank,
    *,
    variant: Variant = "pss",
    valid: Tensor | None = None,
    reduce: Reduce = "mean",
    check: bool = True,
) -> Tensor:
    """Share of predictions whose nearest cluster centre is that of their ground truth, in percent; best is 100.

    As `posebench.pss`, distances in float64 where the device has it. Only ``variant="soft"`` has a gradient. A pose as
    far from two centres as float64 can tell may get the other one than in the core, which settles ties exactly.

    Examples
    --------
    >>> from posebench import ClusterBank
    >>> gt = 300 * torch.randn(200, 17, 3, generator=torch.Generator().manual_seed(0))
    >>> bank = ClusterBank.build(gt.numpy(), k=5, skeleton="h36m17", seed=0)
    >>> pss(2 * gt, gt, bank).item()
    100.0
    """
    found, _ = bank_and_metric(bank, variant, reduce)
    p, g, known = pair(pred, gt, valid)
    dtype = p.dtype
    if p.device.type != "mps":
        p, g = p.double(), g.double()
    named = in_bank_skeleton(np.zeros((1, g.shape[1], 3)), found, "gt")
    assert named.skeleton is not None
    if found.layout.reference == "canonical":
        p, g = _turned_to_front(p, named.skeleton), _turned_to_front(g, named.skeleton)
    columns = [named.skeleton.joints.index(joint) for joint in found.layout.joints]
    p, g, complete = p[:, columns], g[:, columns], known[:, columns].all(1)
    p, g = torch.where(complete[:, None, None], p, 0.0), torch.where(complete[:, None, None], g, 0.0)
    (p_rows, p_has), (g_rows, g_has) = _normalised(p, found.layout), _normalised(g, found.layout)
    finite = g.isfinite().all(2).all(1) & (p.isfinite().all(2).all(1) | ~g_has)
    if check and not bool(finite.all()):
        raise _same_error(pred, gt, bank, variant, valid)
    scored, right = complete & g_has, complete & g_has & p_has
    if check and reduce == "mean" and not bool(scored.any()):
        raise _same_error(pred, gt, bank, variant, valid)
    centres = torch.tensor(found.centres.reshape(found.k, -1), dtype=p.dtype, device=p.device)
    p_squares, g_squares = _squares(p_rows, centres), _squares(g_rows, centres)
    p_label, g_label = p_squares.argmin(1), g_squares.argmin(1)
    if variant == "soft":
        tau = found.card.mean_squared_distance
        overlap = 0.5 * ((-p_squares / tau).log_softmax(1) + (-g_squares / tau).log_softmax(1))
        hits = overlap.exp().sum(1)
    elif variant == "top2":
        hits = (p_squares.topk(2, largest=False).indices == g_label[:, None]).any(1).to(p.dtype)
    else:
        hits = (p_label == g_label).to(p.dtype)
    if variant == "kappa":
        return torch.where(finite.all(), _kappa(p_label, g_label, right, scored, found.k), torch.nan).to(dtype)
    values = torch.where(finite, torch.where(right, 100.0 * hits, 0.0), torch.nan).to(dtype)
    scored = scored | ~finite
    return torch.where(scored, values, torch.nan) if reduce == "none" else masked_mean(values, scored, 0)


def _kappa(p: Tensor, g: Tensor, right: Tensor, scored: Tensor, k: int) -> Tensor:
    """(PSS - e) / (1 - e), e the agreement by chance; NaN where it is not defined."""
    n = scored.sum().to(torch.float32 if g.device.type == "mps" else torch.float64)
    agree = ((p == g) & right).sum() / n
    # One place more than there are clusters, for what is not scored.
    shares = [
        torch.bincount(torch.where(of, label, k), minlength=k + 1)[:k] / n for label, of in ((p, right), (g, scored))
    ]
    chance = (shares[0] * shares[1]).sum()
    return torch.where(chance < 1.0, (agree - chance) / (1.0 - chance), torch.nan)


def _normalised(poses: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
    """Rows (N, D) of norm 1, and which poses (N,) have an extent; the others are 0."""
    root = layout.root_index
    start = poses[:, [max(root, 0)]]
    moved = poses - start
    if root < 0:
        moved = moved - moved.mean(1, keepdim=True)
    spread = (poses - start).detach().abs().amax((1, 2))
    # Written so that NaN has an extent: it is to be noticed, not passed over.
    has = ~(spread <= 1e-14 * poses.detach().abs().amax((1, 2)))
    rows = (moved / reach(moved)).flatten(1)
    size = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return torch.where(has[:, None], rows / torch.where(has[:, None], size, 1.0), 0.0), has


def _squares(rows: Tensor, centres: Tensor) -> Tensor:
    """Squared distances (N, k) of rows (N, D) to centres (k, D), from differences; a block of rows at a time."""
    block = max(1, 2**22 // centres.numel())
    return torch.cat([((part[:, None] - centres) ** 2).sum(2) for part in rows.split(block)])


def _turned_to_front(poses: Tensor, skeleton: Skeleton) -> Tensor:
    """Poses turned about the vertical so that they face the camera; see `metrics.clusters.turned_to_front`."""
    hips = poses[:, skeleton.index("RHip")] - poses[:, skeleton.index("LHip")]
    across = torch.hypot(hips[:, 0], hips[:, 2])
    lying = ~(across > np.tan(np.radians(LYING_DEGREES)) * hips[:, 1].abs())
    safe = torch.where(lying, 1.0, across)
    cos = torch.where(lying, 1.0, -hips[:, 0] / safe)[:, None]
    sin = torch.where(lying, 0.0, -hips[:, 2] / safe)[:, None]
    x, y, z = poses.unbind(2)
    return torch.stack([cos * x + sin * z, y, cos * z - sin * x], 2)


def _same_error(
    pred: Tensor, gt: Tensor, bank: str | Path | ClusterBank, variant: Variant, valid: Tensor | None
) -> InputError:
    """The error that the same poses raise as arrays."""
    from posebench.metrics.structure_score import pss as pss_of_arrays

    p, g, mask = arrays(pred, gt, valid)
    try:
        pss_of_arrays(p, g, bank, variant=variant, valid=mask)
    except InputError as error:
        return error
    return InputError("pred or gt holds coordinates that are not finite")


__all__ = ["pss"]
