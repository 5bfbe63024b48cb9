"""The optimal rotation between two poses, with a gradient that stays finite.

The gradient that torch takes through an SVD divides by differences of singular values and is NaN or infinite where two
of them agree. The rotation itself knows no such trouble: it depends on sums of singular values alone. `best_rotation`
carries that gradient.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

#: Sums of singular values below this share of the largest count as less in the gradient, by dtype.
DAMPING = {torch.float32: 1e-4, torch.float64: 1e-6}


def product(a: Tensor, b: Tensor) -> Tensor:
    """Matrix product of (..., I, K) and (..., K, J) by sums: neither autocast nor TF32 shortens its numbers."""
    return (a[..., :, :, None] * b[..., None, :, :]).sum(-2)


class _BestRotation(torch.autograd.Function):
    """R = V D U' of H = U S V', D = diag(1, 1, d).

    R H is symmetric at the optimum. A change dH of H turns R by a skew matrix W with W Y + Y W = dH' R' - R dH, where
    Y = R H = V diag(s1, s2, d s3) V'. In the basis V that is one division by y_i + y_j for each pair of axes.
    """

    @staticmethod
    def forward(ctx: Any, h: Tensor, reflect: bool) -> Tensor:
        """Rotations (N, 3, 3) from cross-covariances (N, 3, 3)."""
        u, s, vt = torch.linalg.svd(h)
        v, y = vt.transpose(-1, -2).clone(), s.clone()
        if not reflect:
            # From det(U V'), never from det(H), which is 0 for planar poses.
            d = torch.where(_det(product(u, vt)) < 0, -1.0, 1.0).to(h.dtype)
            y[:, 2] = y[:, 2] * d
            rotation = product(torch.stack([v[..., 0], v[..., 1], v[..., 2] * d[:, None]], -1), u.transpose(-1, -2))
        else:
            rotation = product(v, u.transpose(-1, -2))
        ctx.save_for_backward(rotation, v, y)
        return rotation

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Gradient with respect to the cross-covariances."""
        rotation, v, y = ctx.saved_tensors
        back = rotation.transpose(-1, -2)
        a = product(product(v.transpose(-1, -2), product(gradients[0], back)), v)
        sums = y[:, :, None] + y[:, None, :]
        floor = DAMPING[y.dtype] * y[:, :1, None]
        bottom = sums * sums + floor * floor
        inverse = torch.where(bottom > 0, sums / torch.where(bottom > 0, bottom, 1.0), 0.0)
        inverse = inverse * (1.0 - torch.eye(3, dtype=y.dtype, device=y.device))
        c = product(product(v, a * inverse), v.transpose(-1, -2))
        return product(back, c.transpose(-1, -2) - c), None


def best_rotation(p: Tensor, g: Tensor, *, reflect: bool = False) -> Tensor:
    """Rotations (N, 3, 3) that bring centred poses p (N, K, 3) onto centred poses g with the least squared error.

    They act on columns: ``g ~ p @ rotation.transpose(-1, -2)``. `reflect` allows improper ones. First derivatives only;
    along directions in which the rotation is (nearly) free they are damped towards 0.

    Examples
    --------
    >>> p = torch.tensor([[[1.0, 0, 0], [0, 1, 0], [-1, -1, 0]]])
    >>> best_rotation(p, p[..., [1, 0, 2]]).round().int().tolist()
    [[[0, 1, 0], [1, 0, 0], [0, 0, -1]]]

    References
    ----------
    Umeyama, PAMI 1991.
    """
    h = (_unit(p)[:, :, :, None] * _unit(g)[:, :, None, :]).sum(1)
    rotation: Tensor = _BestRotation.apply(h, reflect)
    return rotation


def reach(poses: Tensor) -> Tensor:
    """Largest coordinate (N, 1, 1) of each pose, 1 where all are 0; a constant for the gradient."""
    size = poses.detach().abs().amax((1, 2), keepdim=True)
    return torch.where(size > 0, size, 1.0)


def _unit(poses: Tensor) -> Tensor:
    """Poses whose largest coordinate is 1, so that products stay inside the range of their dtype."""
    return poses / reach(poses)


def _det(m: Tensor) -> Tensor:
    """Determinants of (N, 3, 3)."""
    return (m[:, 0] * torch.linalg.cross(m[:, 1], m[:, 2])).sum(-1)


__all__ = ["best_rotation", "product", "reach"]
