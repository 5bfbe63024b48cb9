"""AUC and CPS: which thresholds, how they are summed up."""

from __future__ import annotations

import numpy as np

from posebench.conformance.cases.declaring import Cases
from posebench.conformance.model import Problem, convention, defect
from posebench.conformance.people import FIGURE, JOINTS, noise, people
from posebench.conformance.plain import THRESHOLDS, Floats, aligned_errors, area, norms, root_errors

CASES = Cases()

_METRIC = "AUC(0:150:5)"


@CASES.add(
    "C-AUC-PERFECT",
    _METRIC,
    "a perfect prediction scores 30 of 31 thresholds, since nothing is below 0",
    trouble="100, by 30 thresholds from 5 mm, by <=, or by an area that is continuous",
    source="MATLAB's 0:5:150 with < in MPI-INF-3DHP's code",
)
def _perfect() -> Problem:
    gt = people(3, 120)
    return Problem(
        gt.copy(),
        gt,
        3000 / 31,
        (
            convention("AUC without threshold 0", 100.0),
            convention("AUC by <= in place of <", 100.0),
            convention("continuous AUC", 100.0),
            defect("AUC without threshold 150", 2900 / 30),
            convention("AUC by the trapezoidal rule", 2950 / 30),
        ),
    )


@CASES.add(
    "C-AUC",
    _METRIC,
    "the mean of PCK over 0, 5, ..., 150 mm",
    trouble="a threshold too few at either end, <=, trapezoids, thresholds up to 195 mm, or no thresholds at all",
    source="MuPoTS ports (0:5:195), MeTRAbs (continuous)",
)
def _area() -> Problem:
    gt = np.stack([FIGURE, FIGURE])
    errors = np.zeros((2, JOINTS))
    # Some on thresholds, some between, some beyond 150 mm.
    errors[0, 1:] = [5, 10, 12, 37, 55, 80, 81, 99, 120, 149, 150, 151, 160, 190, 400, 0]
    errors[1, 1:] = [2, 3, 25, 25, 40, 66, 67, 68, 100, 101, 102, 140, 147, 170, 194, 0]
    pred = gt.copy()
    pred[..., 1] += errors
    curve = np.array([100 * float((errors < t).mean()) for t in THRESHOLDS])
    with_equals = np.array([100 * float((errors <= t).mean()) for t in THRESHOLDS])
    trapezoids = float((curve[1:] + curve[:-1]).sum() / 2 / 30)
    return Problem(
        pred,
        gt,
        float(curve.mean()),
        (
            convention("AUC without threshold 0", float(curve[1:].mean())),
            defect("AUC without threshold 150", float(curve[:-1].mean())),
            convention("AUC by <= in place of <", float(with_equals.mean())),
            convention("AUC by <= without threshold 0", float(with_equals[1:].mean())),
            convention("AUC by the trapezoidal rule", trapezoids),
            convention("AUC over 0, 5, ..., 195 mm", area(errors, np.arange(0.0, 196.0, 5.0))),
            convention("continuous AUC", 100 * float(np.clip(1 - errors / 150, 0, 1).mean())),
            convention("root left out of AUC", area(errors[:, 1:])),
            defect("steps of 1 mm", area(errors, np.arange(0.0, 151.0))),
        ),
    )


@CASES.add(
    "C-CPS",
    "CPS",
    "area under the share of poses whose worst joint is below t, t to 300 mm, after the alignment of PMPJPE",
    trouble="the mean joint in place of the worst, root-centring in place of the alignment, percent in place of mm",
    source="definitions; the CanonPose line means the aligned one",
)
def _cps() -> Problem:
    gt = people(6, 122)
    sizes = np.array([20.0, 40.0, 60.0, 80.0, 110.0, 180.0])[:, None, None]
    pred = gt + noise(6, 123, 1.0) * sizes
    worst = aligned_errors(pred, gt).max(1)

    def curve(errors: Floats) -> float:
        return float(np.maximum(0.0, 300.0 - errors).mean())

    steps = [float((worst[:, None] < grid).mean() * 300) for grid in (np.arange(0.0, 301.0), np.arange(1.0, 301.0))]
    return Problem(
        pred,
        gt,
        curve(worst),
        (
            defect("mean joint in place of the worst", curve(aligned_errors(pred, gt).mean(1))),
            convention("CPS after root-centring", curve(root_errors(pred, gt).max(1))),
            convention("CPS not centred", curve(norms(pred - gt).max(1))),
            convention("CPS summed in steps of 1 mm", *steps),
            convention("CPS as a share", curve(worst) / 3),
        ),
    )
