"""Soft-argmax: from volumetric heat maps to joints, over x, y and z or over x and y alone, and how sure each joint is.

Sun et al., Integral Human Pose Regression, ECCV 2018, equations 1 to 3: the heat map of a joint goes through a softmax
over all its cells, and the joint is the mean of the cells' centres under it. Only the marginals along x, y and z are
needed for that, so the softmax of the whole volume is never kept: it lives block by block, forward and backward.

Where things are: pixel centres are whole numbers. Over a crop of `side` px with W cells along it, cell i is
side / W px wide and its centre lies at side / W · (i + 0.5) − 0.5. Depth is relative to the root, in px of the crop at
the root's depth, and grows away from the camera; D cells span ±`depth_boxes` · side, and the centre of cell k lies at
depth_boxes · side · ((2 k + 1) / D − 1).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from posebench.errors import UsageError

#: Cells whose softmax is held at a time: what fits into a processor's cache, and what fills a graphics card.
_CELLS_CPU = 2**20
_CELLS_OTHER = 2**27


class Joints(NamedTuple):
    """Joints in a crop, in float32, or in float64 for logits in float64.

    positions : Tensor
        (N, J, 3), u and v in px of the crop, and depth relative to the root in px; or (N, J, 2), u and v.
    confidence : Tensor
        (N, J), from 0 to 1, without gradient; see `peak_mass`.
    plane, depth : Tensor
        The distribution over x and y, (N, J, H, W), and that over z, (N, J, D), each with sum 1.
    """

    positions: Tensor
    confidence: Tensor
    plane: Tensor
    depth: Tensor


def soft_argmax_3d(heatmaps: Tensor, *, side: float, depth_boxes: float = 1.0, window: int = 3) -> Joints:
    """Joints as means over x, y and z.

    Parameters
    ----------
    heatmaps : Tensor
        (N, J, D, H, W), logits of any floating type; the softmax is computed in float32, or float64 if they are.
    side : float
        Of the crop, in px.
    depth_boxes : float
        How far the depth axis reaches on either side of the root, in sides of the crop.
    window : int
        Of `peak_mass`, in cells.

    Returns
    -------
    Joints
        Positions (N, J, 3).

    Raises
    ------
    UsageError
        If the heat maps are no five-dimensional floating tensor with cells, or the window is even.

    References
    ----------
    Sun et al., Integral Human Pose Regression, ECCV 2018.

    Examples
    --------
    >>> heatmaps = torch.zeros(1, 1, 4, 4, 4)
    >>> heatmaps[0, 0, 3, 1, 2] = 100.0
    >>> joints = soft_argmax_3d(heatmaps, side=16)
    >>> joints.positions.tolist(), joints.confidence.tolist()
    ([[[9.5, 5.5, 12.0]]], [[1.0]])
    """
    marginals = _marginals(heatmaps)
    x, y, z = marginals.means.unbind(-1)
    depth = heatmaps.shape[2]
    w = depth_boxes * side * ((2 * z + 1) / depth - 1)
    positions = torch.stack([*_pixels(x, y, heatmaps, side), w], -1)
    return Joints(positions, peak_mass(marginals.plane, window=window), marginals.plane, marginals.depth)


def soft_argmax_2d(heatmaps: Tensor, *, side: float, window: int = 3) -> Joints:
    """Joints as means over x and y, depth summed out: u and v of `soft_argmax_3d`.

    Parameters
    ----------
    heatmaps : Tensor
        (N, J, D, H, W), logits.
    side : float
        Of the crop, in px.
    window : int
        Of `peak_mass`, in cells.

    Returns
    -------
    Joints
        Positions (N, J, 2).

    Raises
    ------
    UsageError
        As `soft_argmax_3d` does.

    Examples
    --------
    >>> soft_argmax_2d(torch.zeros(1, 1, 4, 4, 4), side=16).positions.tolist()
    [[[7.5, 7.5]]]
    """
    marginals = _marginals(heatmaps)
    x, y, _ = marginals.means.unbind(-1)
    positions = torch.stack(_pixels(x, y, heatmaps, side), -1)
    return Joints(positions, peak_mass(marginals.plane, window=window), marginals.plane, marginals.depth)


def peak_mass(plane: Tensor, *, window: int = 3) -> Tensor:
    """How sure a joint is: the most that any `window` × `window` cells hold of its distribution over x and y.

    Near 1 for one sharp peak, 0.5 for two that are equal and apart, and window² / (H W) if nothing was found. It is no
    probability that the joint is right.

    Parameters
    ----------
    plane : Tensor
        (N, J, H, W), distributions over the picture, each with sum 1.
    window : int
        Odd, in cells.

    Returns
    -------
    Tensor
        (N, J), without gradient.

    Raises
    ------
    UsageError
        If the window is even or less than 1.

    Examples
    --------
    >>> peak_mass(torch.full((1, 1, 6, 6), 1 / 36)).item()
    0.25
    """
    if window < 1 or window % 2 == 0:
        raise UsageError(f"the window of the confidence must be an odd number of cells, got {window}")
    mean = torch.nn.functional.avg_pool2d(plane.detach(), window, stride=1, padding=window // 2)
    return (mean.amax((2, 3)) * window**2).clamp(max=1)


def _pixels(x: Tensor, y: Tensor, heatmaps: Tensor, side: float) -> list[Tensor]:
    """u and v in px of the crop from x and y in cells."""
    height, width = heatmaps.shape[3:]
    return [side / width * (x + 0.5) - 0.5, side / height * (y + 0.5) - 0.5]


class _Marginals(NamedTuple):
    """What is left of a softmax: its means (N, J, 3) along x, y, z in cells, its sums over depth (N, J, H, W) and over
    the picture (N, J, D).
    """

    means: Tensor
    plane: Tensor
    depth: Tensor


def _marginals(heatmaps: Tensor) -> _Marginals:
    if heatmaps.ndim != 5 or 0 in heatmaps.shape[2:]:
        raise UsageError(f"heat maps must have the shape (N, J, D, H, W), got {tuple(heatmaps.shape)}")
    if not heatmaps.is_floating_point():
        raise UsageError(f"heat maps must be of a floating type, got {heatmaps.dtype}")
    # A network that runs channels last makes heat maps whose depth is innermost in memory. Both orders are read as they
    # lie: for one block of joints at a time the softmax is one pass over neighbouring cells.
    depth_last = heatmaps.stride(2) < heatmaps.stride(4)
    volumes = heatmaps.permute(0, 1, 3, 4, 2) if depth_last else heatmaps
    return _Marginals(*_SoftArgmax.apply(volumes, depth_last))


class _SoftArgmax(torch.autograd.Function):
    """Means of a softmax over volumes (N, J, H, W, D) or (N, J, D, H, W), and its marginals over picture and depth.

    With p the softmax, m the mean of the coordinate c and q a marginal, dm / dlogit = p (c − m), and a slope g of the
    marginal adds p (g − Σ q g): backward needs the logits, means and marginals alone, and computes the softmax again.
    """

    @staticmethod
    def forward(ctx: Any, volumes: Tensor, depth_last: bool) -> tuple[Tensor, Tensor, Tensor]:
        """(N, J, 3) means along x, y, z in cells, (N, J, H, W) and (N, J, D), block by block."""
        n, j = volumes.shape[:2]
        w, h, d = _sizes(volumes, depth_last)
        wide = _wide(volumes)
        means, plane, depth = (volumes.new_empty((n, j, *shape), dtype=wide) for shape in ((3,), (h, w), (d,)))
        for block in _blocks(volumes):
            mass = _softmax(volumes[block], depth_last)
            plane[block] = picture = mass.sum(-1 if depth_last else 2).unflatten(-1, (h, w))
            depth[block] = deep = mass.sum(2 if depth_last else -1)
            along = (picture.sum(2), picture.sum(3), deep)
            means[block] = torch.stack([(each * _cells(each)).sum(-1) for each in along], -1)
        ctx.save_for_backward(volumes, means, plane, depth)
        ctx.depth_last = depth_last
        return means, plane, depth

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor, of_plane: Tensor, of_depth: Tensor) -> tuple[Tensor, None]:
        """The gradient of the logits, in their type and order, from those of means, plane and depth."""
        volumes, means, plane, depth = ctx.saved_tensors
        sizes = _sizes(volumes, ctx.depth_last)
        of_plane = of_plane - (plane * of_plane).sum((2, 3), keepdim=True)
        of_depth = of_depth - (depth * of_depth).sum(2, keepdim=True)
        gradient = torch.empty_like(volumes)
        for block in _blocks(volumes):
            offsets = [
                (torch.arange(size, device=volumes.device) - means[block][..., axis, None])
                * slope[block][..., axis, None]
                for axis, size in enumerate(sizes)
            ]
            across = (offsets[0][..., None, :] + offsets[1][..., None] + of_plane[block]).flatten(2)
            along = offsets[2] + of_depth[block]
            mass = _softmax(volumes[block], ctx.depth_last)
            if ctx.depth_last:
                mass *= across[..., None] + along[:, :, None]
            else:
                mass *= across[:, :, None] + along[..., None]
            gradient[block] = mass.view(volumes[block].shape)
        return gradient, None


def _softmax(volumes: Tensor, depth_last: bool) -> Tensor:
    """The softmax of volumes, at least in float32: (n, j, H W, D) or (n, j, D, H W)."""
    mass = volumes.flatten(2).softmax(-1, dtype=_wide(volumes))
    return mass.unflatten(-1, (-1, volumes.shape[-1]) if depth_last else (volumes.shape[2], -1))


def _wide(volumes: Tensor) -> torch.dtype:
    """What is computed in: float64 for logits in float64, else float32."""
    return torch.promote_types(volumes.dtype, torch.float32)


def _sizes(volumes: Tensor, depth_last: bool) -> tuple[int, int, int]:
    """Cells along x, y and z."""
    first, second, third = volumes.shape[2:]
    return (second, first, third) if depth_last else (third, second, first)


def _cells(marginal: Tensor) -> Tensor:
    """The coordinates 0, 1, ... of the cells of a marginal (..., cells)."""
    return torch.arange(marginal.shape[-1], device=marginal.device)


def _blocks(volumes: Tensor) -> list[tuple[slice, slice]]:
    """Pictures and joints that are worked on together; all of them for a compiler, which makes blocks of its own."""
    n, j = volumes.shape[:2]
    if n == 0 or j == 0 or torch.compiler.is_compiling():
        return [(slice(n), slice(j))]
    limit = _CELLS_CPU if volumes.device.type == "cpu" else _CELLS_OTHER
    volume = volumes[0, 0].numel()
    joints = min(j, max(1, limit // volume))
    pictures = max(1, limit // (volume * joints))
    return [
        (slice(first, first + pictures), slice(joint, joint + joints))
        for first in range(0, n, pictures)
        for joint in range(0, j, joints)
    ]


__all__ = ["Joints", "peak_mass", "soft_argmax_2d", "soft_argmax_3d"]
