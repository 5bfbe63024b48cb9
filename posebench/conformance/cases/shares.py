"""PCK and NPCK: strictly below, in percent, which joints, which scale."""

from __future__ import annotations

import numpy as np

from posebench.conformance.cases.declaring import Cases
from posebench.conformance.model import Problem, convention, defect
from posebench.conformance.people import FIGURE, JOINTS, noise, people
from posebench.conformance.plain import centred, norms, root_errors, scaled_errors, share

CASES = Cases()

#: Errors in whole mm of the 16 joints beside the root; three of them lie on the threshold.
_ERRORS = np.array([0, 10, 149, 150, 150, 150, 151, 200, 20, 30, 40, 50, 60, 300, 148, 149], float)


@CASES.add(
    "C-PCK-STRICT",
    "PCK@150",
    "an error of exactly 150 mm is not below 150 mm; the root counts as any joint",
    trouble="<= in place of <; the root left out",
    source="strict: MPI-INF-3DHP's MATLAB code; <=: MeTRAbs",
)
def _strict() -> Problem:
    gt = np.stack([FIGURE, FIGURE])
    pred = gt.copy()
    pred[:, 1:, 0] += _ERRORS
    below = int((_ERRORS < 150).sum())
    return Problem(
        pred,
        gt,
        100 * (below + 1) / JOINTS,
        (
            convention("<= in place of <", 100 * (below + 4) / JOINTS),
            convention("root left out of PCK", 100 * below / (JOINTS - 1)),
            convention("<= in place of <, root left out", 100 * (below + 3) / (JOINTS - 1)),
        ),
    )


@CASES.add(
    "C-PCK-ROOT",
    "PCK@150",
    "joints=1..16: the root centres, and does not count",
    trouble="the root, right by construction, counts all the same and raises the score",
    source="MMPose 0.x and EpipolarPose count all 17; 3DHP's official 14 joints are without pelvis",
)
def _root() -> Problem:
    gt = people(5, 110)
    pred = gt + noise(5, 111, 90.0)
    errors = root_errors(pred, gt)
    return Problem(
        pred,
        gt,
        share(errors[:, 1:]),
        (
            defect("root joint counted in PCK", share(errors)),
            defect("centred on the first of the joints that count", share(root_errors(pred[:, 1:], gt[:, 1:]))),
        ),
        {"joints": np.arange(1, JOINTS)},
    )


@CASES.add(
    "C-PCK-UNIT",
    "PCK@150",
    "150 mm are 0.15 m: poses with unit='m' score as they do in mm",
    trouble="every joint is within 150 metres",
    source="second among what users of such tools report",
)
def _unit() -> Problem:
    gt = people(5, 112)
    pred = gt + noise(5, 113, 90.0)
    return Problem(
        pred / 1000,
        gt / 1000,
        share(root_errors(pred, gt)),
        (defect("metres scored as millimetres", 100.0),),
        {"unit": "m"},
    )


@CASES.add(
    "C-NPCK",
    "NPCK@150",
    "PCK after the least-squares scale of each pose",
    trouble="the scale is left out, or is the ratio of norms; or a whole-batch scale",
    source="the CanonPose line prints NPCK under the name of PCK",
)
def _npck() -> Problem:
    gt = people(8, 114)
    factors = np.array([0.3, 0.5, 0.7, 0.9, 1.1, 1.4, 1.8, 2.5])[:, None, None]
    pred = gt[:, :1] + centred(gt + noise(8, 115, 85.0)) * factors
    p, g = centred(pred), centred(gt)
    together = (p * g).sum() / (p * p).sum()
    ratios = np.sqrt((g * g).sum((1, 2)) / (p * p).sum((1, 2)))[:, None, None]
    return Problem(
        pred,
        gt,
        share(scaled_errors(pred, gt)),
        (
            defect("not scaled", share(root_errors(pred, gt))),
            convention("scale is the ratio of norms", share(norms(ratios * p - g))),
            defect("one scale for the whole batch", share(norms(together * p - g))),
        ),
    )
