"""PCKh: the metric of 2D benchmarks, whose yardstick is the size of each person's head.

It is no error of poses in 3D, so it stands outside the registry: it has no spelling, and no protocol can name it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, overload

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError, UsageError
from posebench.skeletons import get_skeleton

Floats = npt.NDArray[np.float64]

#: Joints of mpii16 that PCKh scores: all but pelvis (6) and thorax (7).
PCKH_JOINTS = (0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15)

_JOINTS = 16


@overload
def pckh(
    pred2d: npt.ArrayLike,
    gt2d: npt.ArrayLike,
    head_sizes: npt.ArrayLike,
    visible: npt.ArrayLike | None = None,
    threshold: float = 0.5,
    *,
    joints: Sequence[int] | None = PCKH_JOINTS,
    reduce: Literal["mean"] = "mean",
) -> float: ...


@overload
def pckh(
    pred2d: npt.ArrayLike,
    gt2d: npt.ArrayLike,
    head_sizes: npt.ArrayLike,
    visible: npt.ArrayLike | None = None,
    threshold: float = 0.5,
    *,
    joints: Sequence[int] | None = PCKH_JOINTS,
    reduce: Literal["joint"],
) -> Floats: ...


def pckh(
    pred2d: npt.ArrayLike,
    gt2d: npt.ArrayLike,
    head_sizes: npt.ArrayLike,
    visible: npt.ArrayLike | None = None,
    threshold: float = 0.5,
    *,
    joints: Sequence[int] | None = PCKH_JOINTS,
    reduce: Literal["mean", "joint"] = "mean",
) -> float | Floats:
    """Share of joints in 2D off by at most `threshold` head sizes, in percent; from 0 to 100, the best.

    It takes points in pictures and the size of each head, which poses in 3D do not have, so no protocol and no
    `--metric` knows it; it is this function alone.

    Parameters
    ----------
    pred2d, gt2d : array, (P, J, 2)
        In px, both counted from the same first pixel. A prediction that is not finite is wrong.
    head_sizes : array, (P,)
        In px: 0.6 times the diagonal of the head box, as `posebench.datasets.read_mpii(...).head_sizes`.
    visible : array of bool, (P, J), optional
        The joints that are scored; by default those whose ground truth is finite. The benchmark scores whatever is
        annotated, hidden joints too.
    threshold : float
        In head sizes; an error of exactly so much is correct.
    joints : sequence of int, optional
        By default MPII's 16 without pelvis and thorax; None for all.
    reduce : {"mean", "joint"}
        One share over all scored joints, so that joints that are annotated more often weigh more; or one share per
        joint of `joints`, NaN where it is never scored.

    Returns
    -------
    float, or array (len(joints),)

    Raises
    ------
    InputError
        If shapes do not fit, a scored joint has no ground truth or its person no head size, or nothing is scored.
    UsageError
        If the threshold is not positive, or `joints` or `reduce` is not as above.

    References
    ----------
    Andriluka et al., CVPR 2014, PCKh@0.5; evalMPII.zip (0.6 times the diagonal, at most the threshold), and the
    weighted mean without pelvis and thorax of Xiao et al., Simple baselines, ECCV 2018.

    Examples
    --------
    >>> gt = np.zeros((1, 16, 2))
    >>> pred = gt.copy()
    >>> pred[0, 0], pred[0, 1] = [15, 0], [15.1, 0]
    >>> round(pckh(pred, gt, [30.0]), 2)
    92.86
    """
    pred, gt = np.asarray(pred2d, np.float64), np.asarray(gt2d, np.float64)
    sizes = np.asarray(head_sizes, np.float64)
    if gt.ndim != 3 or gt.shape[2] != 2 or pred.shape != gt.shape:
        raise InputError(f"pred2d has shape {pred.shape} and gt2d {gt.shape}, expected (P, J, 2) of both")
    if sizes.shape != (len(gt),):
        raise InputError(f"head_sizes has shape {sizes.shape}, expected ({len(gt)},): one for each person")
    if not (isinstance(threshold, int | float | np.number) and 0 < threshold < np.inf):
        raise UsageError(f"threshold is {threshold!r}, expected a positive number of head sizes")
    if reduce not in ("mean", "joint"):
        raise UsageError(f"reduce is {reduce!r}, expected mean or joint")
    chosen = list(range(gt.shape[1])) if joints is None else list(joints)
    if joints is PCKH_JOINTS and gt.shape[1] != _JOINTS:
        names = ", ".join(get_skeleton("mpii16").joints)
        raise InputError(
            f"there are {gt.shape[1]} joints, expected MPII's 16 ({names}); choose joints=, or None for all"
        )
    if not chosen or not all(0 <= joint < gt.shape[1] for joint in chosen):
        raise UsageError(f"joints are {chosen}, expected numbers from 0 to {gt.shape[1] - 1}")
    scored = np.asarray(np.isfinite(gt).all(axis=2))
    if visible is not None:
        mask = np.asarray(visible)
        if mask.shape != gt.shape[:2] or not np.isin(mask, (0, 1)).all():
            raise InputError(f"visible has shape {mask.shape}, expected flags of shape {gt.shape[:2]}")
        without = (mask != 0) & ~scored
        if without[:, chosen].any():
            person, joint = np.argwhere(without)[0]
            raise InputError(f"joint {joint} of person {person} is marked visible and has no ground truth")
        scored = mask != 0
    scored = scored[:, chosen]
    lacking = scored.any(axis=1) & ~(np.isfinite(sizes) & (sizes > 0))
    if lacking.any():
        raise InputError(
            f"person {int(np.flatnonzero(lacking)[0])} has no head size, as {int(lacking.sum())} in all; "
            "leave them out, or take the boxes from gt_valid.mat"
        )
    if not scored.any():
        raise InputError("no joint is visible, so there is nothing to score")
    with np.errstate(invalid="ignore", divide="ignore"):
        errors = np.linalg.norm(pred[:, chosen] - gt[:, chosen], axis=2)
        right = scored & (errors <= threshold * sizes[:, None])
        if reduce == "joint":
            return np.asarray(100.0 * right.sum(axis=0) / scored.sum(axis=0))
    return float(100.0 * right.sum() / scored.sum())
