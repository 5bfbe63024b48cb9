"""Predictions that are not there: NaN where the ground truth holds the joint must not raise a score."""

from __future__ import annotations

import numpy as np

from posebench.conformance.cases.declaring import Cases
from posebench.conformance.model import REFUSAL, Problem, defect
from posebench.conformance.people import noise, people
from posebench.conformance.plain import (
    THRESHOLDS,
    Floats,
    Mask,
    aligned_errors,
    area,
    frame_mean,
    root_errors,
    scaled_errors,
    share,
)

CASES = Cases()

_FRAMES = "frames with missing joints dropped silently"
_JOINTS = "missing joints dropped silently"
_ZERO = "NaN replaced by zero"
_RIGHT = "NaN counted as correct"


def _scene(seed: int) -> tuple[Floats, Floats, Floats]:
    """Six poses; two lack a wrist in the prediction. Then the same with nothing missing, for plain means."""
    gt = people(6, seed)
    whole = gt + noise(6, seed + 1, 80.0)
    pred = whole.copy()
    pred[1, 13] = pred[4, 16] = pred[4, 15] = np.nan
    return pred, gt, whole


@CASES.add(
    "C-NAN-MPJPE",
    "MPJPE",
    "a predicted joint that is NaN is refused, or makes the number NaN",
    trouble="nanmean leaves out what a model failed on, or NaN becomes zero",
    source="dropping a model's worst tenth moved one MPJPE from 127.6 to 103.6",
)
def _mpjpe() -> Problem:
    pred, gt, whole = _scene(70)
    there = _there(pred)
    errors = root_errors(whole, gt)
    return Problem(
        pred,
        gt,
        REFUSAL,
        (
            defect(_JOINTS, frame_mean(errors, there), float(errors[there].mean())),
            defect(_FRAMES, frame_mean(errors[there.all(1)])),
            defect(_ZERO, frame_mean(root_errors(np.nan_to_num(pred), gt))),
            defect(_RIGHT, float(np.where(there, errors, 0.0).mean())),
        ),
        sound=whole,
    )


@CASES.add(
    "C-NAN-PMPJPE",
    "PMPJPE",
    "a predicted pose that is NaN is refused, or makes the number NaN",
    trouble="a failed SVD gives 0, so the pose scores as perfect; or it is left out",
    source="except blocks around the SVD",
)
def _pmpjpe() -> Problem:
    gt = people(6, 72)
    pred = gt + noise(6, 73, 80.0)
    whole = pred.copy()
    each = aligned_errors(pred, gt).mean(1)
    pred[3] = np.nan
    rest = np.delete(each, 3)
    replaced = frame_mean(aligned_errors(np.nan_to_num(pred), gt))
    return Problem(
        pred,
        gt,
        REFUSAL,
        (
            defect("failed alignment counted as perfect", float(rest.sum() / 6)),
            defect("frames with missing predictions dropped silently", float(rest.mean())),
            defect(_ZERO, replaced),
        ),
        sound=whole,
    )


@CASES.add(
    "C-NAN-NMPJPE",
    "NMPJPE",
    "a predicted joint that is NaN is refused, or makes the number NaN",
    trouble="the scale is fitted to the joints that are there, which flatters them",
    source="definitions: only the ground truth's mask takes a joint out",
)
def _nmpjpe() -> Problem:
    pred, gt, whole = _scene(74)
    there = _there(pred)

    def scale(seen: Floats, g: Floats) -> float:
        known = np.isfinite(seen).all(-1)
        return float((seen[known] * g[known]).sum() / (seen[known] ** 2).sum())

    fitted = scaled_errors(pred, gt, scale)
    whole_errors = scaled_errors(whole, gt)
    return Problem(
        pred,
        gt,
        REFUSAL,
        (
            defect(_JOINTS, frame_mean(np.nan_to_num(fitted), there), float(fitted[there].mean())),
            defect(_FRAMES, frame_mean(whole_errors[there.all(1)])),
            defect(_ZERO, frame_mean(scaled_errors(np.nan_to_num(pred), gt))),
        ),
        sound=whole,
    )


@CASES.add(
    "C-NAN-PCK",
    "PCK@150",
    "a predicted joint that is NaN is wrong, or refused",
    trouble="not (NaN >= t) is true, so NaN counts as correct; or the joint or frame is left out",
    source="comparisons written the wrong way round; definitions: it counts as wrong",
)
def _pck() -> Problem:
    pred, gt, whole = _scene(86)
    pred[0, 5] += 700.0
    there, errors = _there(pred), root_errors(whole, gt)
    errors[0, 5] = 999.0
    below = (errors < 150).astype(float)
    return Problem(
        pred,
        gt,
        REFUSAL,
        (
            defect(_RIGHT, 100 * float(np.where(there, below, 1.0).mean())),
            defect(_JOINTS, 100 * frame_mean(below, there), 100 * float(below[there].mean())),
            defect(_FRAMES, 100 * frame_mean(below[there.all(1)])),
        ),
        also=(100 * float(np.where(there, below, 0.0).mean()),),
        sound=whole,
    )


@CASES.add(
    "C-NAN-AUC",
    "AUC(0:150:5)",
    "a predicted joint that is NaN is wrong at every threshold, or refused",
    trouble="as with PCK",
    source="definitions: a missing prediction never raises a score",
)
def _auc() -> Problem:
    pred, gt, whole = _scene(78)
    there, errors = _there(pred), root_errors(whole, gt)
    # Below no threshold where missing, and by the defect below each, 0 included.
    wrong, right = np.where(there, errors, np.inf), np.where(there, errors, -1.0)

    def areas(found: Floats, valid: Mask | None = None) -> tuple[float, ...]:
        # Without threshold 0 as well: that is asked by other cases.
        return area(found, valid=valid), area(found, THRESHOLDS[1:], valid)

    return Problem(
        pred,
        gt,
        REFUSAL,
        (
            defect(_RIGHT, *areas(right)),
            defect(_JOINTS, *areas(errors, there)),
            defect(_FRAMES, *areas(errors[there.all(1)])),
        ),
        also=areas(wrong),
        sound=whole,
    )


@CASES.add(
    "C-INF-PCK",
    "PCK@150",
    "a predicted root at infinity leaves no joint right, or is refused",
    trouble="infinity less infinity is NaN, and NaN counts as correct",
    source="as C-NAN-PCK",
)
def _infinite() -> Problem:
    gt = people(4, 80)
    pred = gt + noise(4, 81, 60.0)
    whole = pred.copy()
    errors = root_errors(whole, gt)
    pred[2, 0] = np.inf
    rest = [share(errors[[row]]) for row in (0, 1, 3)]
    return Problem(
        pred,
        gt,
        REFUSAL,
        (
            # inf - inf at the root itself is NaN, the other joints are infinitely far; or everything is NaN.
            defect(_RIGHT, (sum(rest) + 100) / 4, (sum(rest) + 100 / 17) / 4),
            defect(_FRAMES, sum(rest) / 3),
        ),
        also=(sum(rest) / 4,),
        sound=whole,
    )


def _there(pred: Floats) -> Mask:
    return np.asarray(np.isfinite(pred).all(-1), np.bool_)
