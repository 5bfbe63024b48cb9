"""One pass over all matched poses: their sizes, what is not finite, and how much changes from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from posebench.doctor.material import Case, Floats, Rows, centred, known_joints, row_means, sizes


@dataclass(frozen=True)
class Scan:
    """Of each matched pose (M,), in the order of the case; lengths are those of the file, ground truth in mm."""

    #: Sizes: root mean square distance of the joints from their mean. NaN where no joint is known.
    pred_size: Floats
    gt_size: Floats | None
    #: How far the joint that moved most has moved since the frame before, within the body; NaN at a sequence's start.
    pred_step: Floats
    gt_step: Floats | None
    #: The farthest joint's distance from the mean of the joints.
    reach: Floats
    #: A number that equal poses share, absolute position included.
    digest: Floats
    #: Whether a joint that the file does not mark invalid is not finite, and how often each joint is (J,).
    broken: npt.NDArray[np.bool_]
    broken_joints: Rows


def scan(case: Case) -> Scan:
    """Read everything once, block by block."""
    n, joints = len(case), case.pred.poses.shape[1]
    key = np.random.default_rng(7).normal(size=(joints, 3))
    with_gt = case.gt is not None
    pred_size, gt_size = np.full(n, np.nan), np.full(n if with_gt else 0, np.nan)
    pred_step, gt_step = np.full(n, np.nan), np.full(n if with_gt else 0, np.nan)
    reach, digest = np.full(n, np.nan), np.zeros(n)
    broken, counts = np.zeros(n, np.bool_), np.zeros(joints, np.int64)
    last_p = last_g = None
    for index in case.blocks():
        first = index[0]
        p = case.raw(index)
        finite = bool(np.isfinite(p).all())
        bad = np.zeros(p.shape[:2], np.bool_) if finite else ~known_joints(p)
        if case.pred.valid is not None:
            bad &= case.pred.valid[case.pred_rows[index]]
        broken[index] = bad.any(1)
        counts += bad.sum(0)
        body = centred(p)
        digest[index] = np.tensordot(p if finite else np.where(np.isfinite(p), p, 0.0), key, 2)
        square = np.einsum("njc,njc->nj", body, body)
        pred_size[index] = np.sqrt(row_means(square))
        reach[index] = np.sqrt(np.fmax.reduce(square, axis=1))
        pred_step[index] = _steps(body, last_p)
        last_p = body[-1:]
        if with_gt:
            truth = centred(case.truth(index))
            gt_size[index] = sizes(truth)
            gt_step[index] = _steps(truth, last_g)
            last_g = truth[-1:]
        if first == 0:
            pred_step[0] = np.nan
    starts = np.concatenate(([True], case.group[1:] != case.group[:-1])) if n else np.zeros(0, np.bool_)
    pred_step[starts] = np.nan
    if with_gt:
        gt_step[starts] = np.nan
    return Scan(
        pred_size,
        gt_size if with_gt else None,
        pred_step,
        gt_step if with_gt else None,
        reach,
        digest,
        broken,
        counts,
    )


def _steps(body: Floats, last: Floats | None) -> Floats:
    """Largest change of a coordinate since the frame before (n,)."""
    found = np.full(len(body), np.nan)
    with np.errstate(invalid="ignore"):
        found[1:] = np.fmax.reduce(np.abs(np.diff(body.reshape(len(body), -1), axis=0)), axis=1)
        if last is not None:
            found[:1] = np.fmax.reduce(np.abs(body[:1] - last), axis=(1, 2))
    return found


__all__ = ["Scan", "scan"]
