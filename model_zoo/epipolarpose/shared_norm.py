"""BatchNorm over the pictures of all processes, so that two of them train as one does.

PyTorch's own SyncBatchNorm needs graphics cards; this one is for processors, and for tests of the whole.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class _SumOverAll(torch.autograd.Function):
    """The sum of a tensor over all processes; so is its gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, group: Any) -> Tensor:
        ctx.group = group
        total = values.clone()
        torch.distributed.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        total = slope.clone()
        torch.distributed.all_reduce(total, group=ctx.group)
        return total, None


class SharedBatchNorm(nn.BatchNorm2d):
    """BatchNorm2d whose statistics are those of the batches of all processes together; its weights are named alike.

    Every process must have equally many pictures.
    """

    group: Any = None

    def forward(self, features: Tensor) -> Tensor:
        """Normalised features (N, C, H, W)."""
        if not self.training:
            return super().forward(features)
        count = features.numel() / features.shape[1] * torch.distributed.get_world_size(self.group)
        mean = _SumOverAll.apply(features.sum((0, 2, 3)), self.group) / count
        centred = features - mean[:, None, None]
        variance = _SumOverAll.apply((centred * centred).sum((0, 2, 3)), self.group) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return centred * scale[:, None, None] + self.bias[:, None, None]


def share_norms(network: nn.Module, *, on_processor: bool) -> nn.Module:
    """The network, whose BatchNorms look at the batches of all processes; parameters and names stay.

    Parameters
    ----------
    network : torch.nn.Module
    on_processor : bool
        Else PyTorch's SyncBatchNorm is taken.
    """
    if not on_processor:
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    # A group of its own: what DDP sends at the same time cannot be taken for what is sent here.
    group = torch.distributed.new_group()
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SharedBatchNorm
            module.group = group
    return network


__all__ = ["SharedBatchNorm", "share_norms"]
