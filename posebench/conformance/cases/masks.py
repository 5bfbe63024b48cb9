"""Joints that the ground truth does not hold: out of the alignment as well as out of the mean."""

from __future__ import annotations

import numpy as np

from posebench.conformance.cases.declaring import Cases
from posebench.conformance.model import Deviation, Problem, convention, defect
from posebench.conformance.people import noise, people
from posebench.conformance.plain import (
    Floats,
    Mask,
    aligned_errors,
    centred,
    frame_mean,
    least_squares,
    norms,
    root_errors,
    share,
)

CASES = Cases()

_COUNTED = "masked joints counted"


def _scene(seed: int) -> tuple[Floats, Floats, Mask]:
    """Six poses; joints 13 and 16 are unknown in some of them, and wild numbers stand there."""
    gt = people(6, seed)
    pred = gt + noise(6, seed + 1, 40.0)
    valid = np.ones(gt.shape[:2], bool)
    valid[0, [13, 16]] = valid[2, 13] = valid[3, [3, 6, 13, 16]] = False
    gt[~valid] += 2500.0
    return pred, gt, valid


def _pooled(errors: Floats, valid: Mask) -> Deviation:
    return convention("pooled over joints, not over frames", float(errors[valid].mean()))


@CASES.add(
    "C-MASK-MPJPE",
    "MPJPE",
    "each pose's mean is over its valid joints, and all poses weigh the same",
    trouble="masked joints are counted, or count as right; or joints are pooled over all frames",
    source="definitions; pooled: MMPose, MeTRAbs",
)
def _mpjpe() -> Problem:
    pred, gt, valid = _scene(50)
    errors = root_errors(pred, gt)
    return Problem(
        pred,
        gt,
        frame_mean(errors, valid),
        (
            defect(_COUNTED, frame_mean(errors)),
            defect("masked joints counted as right", float(np.where(valid, errors, 0.0).mean())),
            _pooled(errors, valid),
        ),
        {"valid": valid},
    )


@CASES.add(
    "C-MASK-PMPJPE",
    "PMPJPE",
    "the similarity is fitted to the valid joints",
    trouble="the alignment sees masked joints: one invisible outlier bends the whole pose",
    source="evaluators that apply the mask to the errors only",
)
def _pmpjpe() -> Problem:
    pred, gt, valid = _scene(52)
    right, bent = aligned_errors(pred, gt, valid), aligned_errors(pred, gt)
    return Problem(
        pred,
        gt,
        frame_mean(right, valid),
        (
            defect("alignment uses masked joints", frame_mean(bent, valid), float(bent[valid].mean())),
            defect(_COUNTED, frame_mean(bent), frame_mean(right)),
            _pooled(right, valid),
        ),
        {"valid": valid},
    )


@CASES.add(
    "C-MASK-NMPJPE",
    "NMPJPE",
    "the scale is fitted to the valid joints",
    trouble="the scale sees masked joints",
    source="evaluators that apply the mask to the errors only",
)
def _nmpjpe() -> Problem:
    pred, gt, valid = _scene(54)
    p, g = centred(pred), centred(gt)
    right, bent = (
        np.stack([norms(least_squares(a[m], b[m]) * a - b) for a, b, m in zip(p, g, masks, strict=True)])
        for masks in (valid, np.ones_like(valid))
    )
    return Problem(
        pred,
        gt,
        frame_mean(right, valid),
        (
            defect("scale uses masked joints", frame_mean(bent, valid), float(bent[valid].mean())),
            defect(_COUNTED, frame_mean(bent), frame_mean(right)),
            _pooled(right, valid),
        ),
        {"valid": valid},
    )


@CASES.add(
    "C-MASK-PCK",
    "PCK@150",
    "masked joints are neither right nor wrong",
    trouble="they count as wrong, or a zeroed error counts as right",
    source="errors multiplied by the mask, then compared with the threshold",
)
def _pck() -> Problem:
    pred, gt, valid = _scene(56)
    pred[:, 5] += 400.0
    errors = root_errors(pred, gt)
    below = (errors < 150).astype(float)
    return Problem(
        pred,
        gt,
        share(errors, valid=valid),
        (
            defect("masked joints counted as right", 100 * float(np.where(valid, below, 1.0).mean())),
            defect("masked joints counted as wrong", 100 * float(np.where(valid, below, 0.0).mean())),
            convention("pooled over joints, not over frames", 100 * float(below[valid].mean())),
        ),
        {"valid": valid},
    )


@CASES.add(
    "C-MASK-NAN",
    "PMPJPE",
    "NaN where the ground truth is masked does no harm",
    trouble="the SVD meets NaN and raises, or NaN times zero reaches the mean",
    source="evaluators that multiply by the mask",
)
def _nan() -> Problem:
    pred, gt, valid = _scene(58)
    gt[~valid] = np.nan
    right = aligned_errors(np.where(valid[..., None], pred, 0.0), np.where(valid[..., None], gt, 0.0), valid)
    zeroed = aligned_errors(pred, np.nan_to_num(gt))
    held = valid.all(1)
    return Problem(
        pred,
        gt,
        frame_mean(right, valid),
        (
            defect("masked NaN taken for zero", frame_mean(zeroed, valid), frame_mean(zeroed)),
            defect("frames with masked joints dropped silently", frame_mean(right[held])),
            _pooled(right, valid),
        ),
        {"valid": valid},
        raising="NaN in a masked joint raises",
        not_finite="NaN in a masked joint reaches the mean",
    )


@CASES.add(
    "C-MASK-FRAME",
    "MPJPE",
    "a pose without any valid joint is in no mean",
    trouble="0/0 spoils the mean, or the pose counts as perfect",
    source="sums over joints divided by max(count, 1)",
)
def _frame() -> Problem:
    gt = people(4, 60)
    pred = gt + noise(4, 61, 40.0)
    valid = np.ones(gt.shape[:2], bool)
    valid[1] = False
    errors = root_errors(pred, gt)
    kept = errors[[0, 2, 3]].mean(1)
    return Problem(
        pred,
        gt,
        float(kept.mean()),
        (
            defect("a pose that is masked counts as perfect", float(kept.sum() / 4)),
            defect(_COUNTED, frame_mean(errors)),
        ),
        {"valid": valid},
        raising="a pose without valid joints raises",
        not_finite="a pose without valid joints spoils the mean",
    )


@CASES.add(
    "C-MASK-ROOT",
    "MPJPE",
    "a pose whose root is masked cannot be centred, and is in no mean",
    trouble="it is centred on whatever stands there",
    source="definitions",
)
def _root() -> Problem:
    gt = people(4, 62)
    pred = gt + noise(4, 63, 40.0)
    valid = np.ones(gt.shape[:2], bool)
    valid[2, 0] = False
    gt[2, 0] += 900.0
    errors = root_errors(pred, gt)
    return Problem(
        pred,
        gt,
        frame_mean(errors[[0, 1, 3]]),
        (
            defect(
                "centred on a masked root", frame_mean(errors, valid), frame_mean(errors), float(errors[valid].mean())
            ),
        ),
        {"valid": valid},
    )


@CASES.add(
    "C-POINT-TRUTH",
    "MPJPE",
    "a ground truth whose joints coincide is no pose, and in no mean",
    trouble="placeholder frames of zeros are scored",
    source="definitions: a degenerate ground truth is unscorable",
)
def _point_truth() -> Problem:
    gt = people(4, 64)
    pred = gt + noise(4, 65, 40.0)
    gt[1] = 0.0
    errors = root_errors(pred, gt)
    return Problem(
        pred,
        gt,
        frame_mean(errors[[0, 2, 3]]),
        (
            defect("placeholder ground truth counted", frame_mean(errors)),
            defect("placeholder ground truth counts as perfect", float(errors[[0, 2, 3]].mean(1).sum() / 4)),
        ),
    )
