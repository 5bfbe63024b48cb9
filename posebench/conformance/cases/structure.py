"""PSS: both sides centred and normalised, the nearest centre by distance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from posebench.conformance.cases.declaring import Cases
from posebench.conformance.model import Problem, convention, defect
from posebench.conformance.people import noise, people
from posebench.conformance.plain import Floats, about_mean, centred

CASES = Cases()


def _normalised(poses: Floats) -> Floats:
    lengths = np.sqrt((poses**2).sum((1, 2), keepdims=True))
    found: Floats = poses / np.where(lengths > 0, lengths, 1.0)
    return found


def _nearest(poses: Floats, centres: Floats) -> npt.NDArray[np.int64]:
    found: npt.NDArray[np.int64] = ((poses[:, None] - centres) ** 2).sum((2, 3)).argmin(1)
    return found


def _hits(pred: Floats, gt: Floats, centres: Floats) -> float:
    return 100 * float((_nearest(pred, centres) == _nearest(gt, centres)).mean())


def _centres() -> Floats:
    """Five centres of unequal length, as means of normalised poses are."""
    lengths = np.array([0.95, 0.9, 0.85, 0.97, 0.6])[:, None, None]
    found: Floats = _normalised(centred(people(5, 140, 260.0))) * lengths
    return found


@CASES.add(
    "C-PSS",
    "PSS@5",
    "the share of poses with the nearest of five given centres in common, both sides root-centred and of norm 1",
    trouble="a side is not normalised or not centred, or the largest product is taken for the nearest",
    source="what the paper leaves open: docs/pss.md",
)
def _pss() -> Problem:
    gt = people(60, 141, 240.0)
    pred = gt + noise(60, 142, 120.0)
    p, g, centres = centred(pred), centred(gt), _centres()
    first, second = _normalised(p), _normalised(g)
    products = [np.einsum("njc,kjc->nk", side, centres).argmax(1) for side in (first, second)]
    return Problem(
        pred,
        gt,
        _hits(first, second, centres),
        (
            defect("prediction not normalised", _hits(p, second, centres)),
            defect(
                "neither side normalised, or products in place of distances",
                100 * float((products[0] == products[1]).mean()),
            ),
            defect("not centred on the root", _hits(_normalised(pred), _normalised(gt), centres)),
            convention(
                "centred on the mean of the joints",
                _hits(_normalised(about_mean(pred)), _normalised(about_mean(gt)), centres),
            ),
        ),
        {"centres": centres},
    )


@CASES.add(
    "C-PSS-POINT",
    "PSS@5",
    "a prediction whose joints coincide has no structure, and is wrong",
    trouble="it falls to the centre nearest to the origin, and is right wherever the ground truth is there",
    source="definitions: a degenerate prediction never raises a score",
)
def _point() -> Problem:
    centres = _centres()
    gt = np.stack([centres[0], centres[4], centres[4], centres[2]]) * 1500.0
    pred = gt.copy()
    pred[1] = 0.0
    return Problem(
        pred,
        gt,
        75.0,
        (defect("degenerate prediction has the centre nearest to the origin", 100.0),),
        {"centres": centres},
        raising="a degenerate prediction raises",
        not_finite="a degenerate prediction spoils the mean of all poses",
    )
