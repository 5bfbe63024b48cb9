"""The metrics in plain NumPy, and the wrong turns that codes take, for the expected values of the cases.

Nothing here comes from the rest of posebench, so that its kernels are measured like anybody's. One pose is (J, 3), a
batch (N, J, 3), errors are (N, J); all in mm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Turn = Literal["proper", "reflect", "whole", "first", "det of H", "transposed", "none"]

THRESHOLDS = np.arange(0.0, 151.0, 5.0)


def norms(difference: Floats) -> Floats:
    """Length of each vector (..., 3)."""
    found: Floats = np.sqrt((difference * difference).sum(-1))
    return found


def centred(poses: Floats, root: int = 0) -> Floats:
    """Each pose (..., J, 3) relative to its joint `root`."""
    return poses - poses[..., root : root + 1, :]


def about_mean(poses: Floats) -> Floats:
    """Each pose relative to the mean of its joints."""
    found: Floats = poses - poses.mean(-2, keepdims=True)
    return found


def root_errors(pred: Floats, gt: Floats, root: int = 0) -> Floats:
    """Distances (..., J) after each side is centred on its root."""
    return norms(centred(pred, root) - centred(gt, root))


def frame_mean(errors: Floats, valid: Mask | None = None) -> float:
    """Mean over poses of each pose's mean over its valid joints; poses without a valid joint are left out."""
    known = np.ones(errors.shape, bool) if valid is None else valid
    counts = known.sum(1)
    sums = np.where(known, errors, 0.0).sum(1)
    return float((sums[counts > 0] / counts[counts > 0]).mean())


def share(errors: Floats, threshold: float = 150.0, valid: Mask | None = None) -> float:
    """PCK in percent, strictly below the threshold."""
    return 100 * frame_mean((errors < threshold).astype(float), valid)


def area(errors: Floats, thresholds: Floats = THRESHOLDS, valid: Mask | None = None) -> float:
    """AUC in percent: the mean of PCK over the thresholds."""
    return float(np.mean([share(errors, threshold, valid) for threshold in thresholds]))


def ratio(above: float, below: float) -> float:
    """A quotient, 0 where there is nothing below."""
    return float(above / below) if below else 0.0


def least_squares(p: Floats, g: Floats) -> float:
    """The scale <p,g>/<p,p> of one pose."""
    return ratio((p * g).sum(), (p * p).sum())


def scaled_errors(
    pred: Floats, gt: Floats, scale: Callable[[Floats, Floats], float] = least_squares, root: int = 0
) -> Floats:
    """Distances (N, J) after each root-centred prediction is scaled."""
    p, g = centred(pred, root), centred(gt, root)
    return np.stack([norms(scale(a, b) * a - b) for a, b in zip(p, g, strict=True)])


def aligned_errors(pred: Floats, gt: Floats, used: Mask | None = None, **how: Any) -> Floats:
    """Distances (N, J) after `aligned`, which sees the joints `used` (N, J)."""
    masks = [None] * len(gt) if used is None else list(used)
    return np.stack([norms(aligned(p, g, m, **how) - g) for p, g, m in zip(pred, gt, masks, strict=True)])


def aligned(
    p: Floats,
    g: Floats,
    used: Mask | None = None,
    *,
    turn: Turn = "proper",
    scale: Literal["optimal", "none", "norms", "all singular values", "negative"] = "optimal",
) -> Floats:
    """A pose after rotation, scale and translation onto g; "proper" and "optimal" are the definition (Umeyama 1991)."""
    seen = slice(None) if used is None else used
    p_mean, g_mean = p[seen].mean(0), g[seen].mean(0)
    a, b = p[seen] - p_mean, g[seen] - g_mean
    rotation, trace, whole = rotated(a.T @ b, turn)
    size = (a * a).sum()
    factor = {
        "optimal": ratio(trace, size),
        "none": 1.0,
        "norms": ratio(float(np.sqrt((b * b).sum())), float(np.sqrt(size))),
        "all singular values": ratio(whole, size),
        "negative": -ratio(whole, size),
    }[scale]
    found: Floats = factor * (p - p_mean) @ rotation.T + g_mean
    return found


def rotated(h: Floats, turn: Turn) -> tuple[Floats, float, float]:
    """The rotation made of H = p^T g, the sum of singular values that goes with it, and the sum of all of them."""
    u, sigma, vt = np.linalg.svd(h)
    d = float(np.sign(np.linalg.det(u) * np.linalg.det(vt)))
    if turn == "det of H":
        d = float(np.sign(np.linalg.det(h)))
    if turn in ("reflect", "whole"):
        d = 1.0
    ends = np.array([d, 1.0, 1.0] if turn == "first" else [1.0, 1.0, d])
    rotation = vt.T @ np.diag(ends) @ u.T
    if turn == "whole" and np.linalg.det(rotation) < 0:
        rotation = -rotation
    if turn == "transposed":
        rotation = rotation.T
    if turn == "none":
        rotation = np.eye(3)
    return rotation, float((ends * sigma).sum()), float(sigma.sum())


def taken_apart(poses: Floats) -> Floats:
    """A batch of 3 poses as a code sees it that takes its first axis for the coordinates: (poses, joints, 3)."""
    return np.moveaxis(poses, 0, -1)
