"""MPJVE and MPJAE: differences in time that stay within their sequence, and the frame rate."""

from __future__ import annotations

import numpy as np

from posebench.conformance.cases.declaring import Cases
from posebench.conformance.model import Problem, convention, defect
from posebench.conformance.people import FIGURE, noise
from posebench.conformance.plain import Floats, centred, norms

CASES = Cases()

_LABELS = np.array(["walk"] * 5 + ["sit"] * 4)
_BOUNDARY = "differences cross sequence boundaries"


def _film(seed: int) -> tuple[Floats, Floats]:
    """Two sequences of a moving person; the error jumps between them."""
    n = len(_LABELS)
    sway = np.sin(np.arange(n)[:, None, None] * 0.4 + np.arange(17)[None, :, None]) * 120.0
    gt = FIGURE + sway + np.arange(n)[:, None, None] * [30.0, 0.0, 5.0]
    pred = gt + noise(n, seed, 12.0)
    pred[5:, 1:] += [260.0, -180.0, 90.0]
    return pred, gt


def _steps(vectors: Floats, order: int) -> list[Floats]:
    return [norms(np.diff(vectors[name == _LABELS], order, axis=0)) for name in ("walk", "sit")]


def _mean(parts: list[Floats]) -> float:
    return float(np.concatenate(parts).mean())


@CASES.add(
    "C-MOTION-BOUNDARY",
    "MPJVE(per=frame)",
    "velocities are taken within each sequence",
    trouble="the last frame of one sequence and the first of the next make a velocity",
    source="several codes that difference the whole array",
)
def _boundary() -> Problem:
    pred, gt = _film(130)
    errors = centred(pred) - centred(gt)
    return Problem(
        pred,
        gt,
        _mean(_steps(errors, 1)),
        (
            defect(_BOUNDARY, float(norms(np.diff(errors, axis=0)).mean())),
            convention("not centred on the root", _mean(_steps(pred - gt, 1))),
            convention("mean of the sequences' means", float(np.mean([part.mean() for part in _steps(errors, 1)]))),
            defect(
                "difference of speeds in place of velocities",
                _mean([np.abs(a - b) for a, b in zip(_steps(centred(pred), 1), _steps(centred(gt), 1), strict=True)]),
            ),
        ),
        {"sequence": _LABELS},
    )


@CASES.add(
    "C-MOTION-ACCEL",
    "MPJAE(per=frame)",
    "accelerations are taken within each sequence",
    trouble="three frames of two sequences make an acceleration",
    source="several codes that difference the whole array",
)
def _acceleration() -> Problem:
    pred, gt = _film(132)
    errors = centred(pred) - centred(gt)
    return Problem(
        pred,
        gt,
        _mean(_steps(errors, 2)),
        (
            defect(_BOUNDARY, float(norms(np.diff(errors, 2, axis=0)).mean())),
            convention("not centred on the root", _mean(_steps(pred - gt, 2))),
            defect("first differences in place of second", _mean(_steps(errors, 1))),
        ),
        {"sequence": _LABELS},
    )


@CASES.add(
    "C-MOTION-RATE",
    "MPJVE",
    "fps=50 gives mm/s",
    trouble="mm per frame under the same name",
    source="mm/frame and mm/s are printed under one name",
)
def _rate() -> Problem:
    return _timed(134, 1, {"the frame rate left out": 1.0})


@CASES.add(
    "C-MOTION-RATE-ACCEL",
    "MPJAE",
    "fps=50 gives mm/s^2, by the square of the frame rate",
    trouble="mm/frame^2, or the frame rate not squared; mm/frame^2 and m/s^2 are both called accel",
    source="definitions",
)
def _rate_of_acceleration() -> Problem:
    return _timed(136, 2, {"the frame rate left out": 1.0, "the frame rate not squared": 50.0})


def _timed(seed: int, order: int, factors: dict[str, float]) -> Problem:
    pred, gt = (side[:5] for side in _film(seed))
    per_frame = float(norms(np.diff(centred(pred) - centred(gt), order, axis=0)).mean())
    right = per_frame * 50.0**order
    return Problem(
        pred,
        gt,
        right,
        tuple(defect(name, per_frame * factor) for name, factor in factors.items()),
        {"fps": 50.0},
        tolerance=1e-5 * right,
    )
