"""MPJPE and NMPJPE: what is centred on what, what is averaged over what, which scale."""

from __future__ import annotations

import numpy as np

from posebench.conformance.cases.declaring import Cases
from posebench.conformance.model import Problem, convention, defect
from posebench.conformance.people import FIGURE, JOINTS, noise, people
from posebench.conformance.plain import (
    Floats,
    about_mean,
    centred,
    frame_mean,
    least_squares,
    norms,
    ratio,
    root_errors,
    rotated,
    scaled_errors,
)

CASES = Cases()


@CASES.add(
    "C-MPJPE",
    "MPJPE",
    "mean distance of all joints, the root with its zero error among them, each side centred on its root",
    trouble="no centring, centring of the ground truth alone, the root left out of the mean, r.m.s. or mean over axes",
    source="definitions; the prediction as it is: VideoPose3D; without the root: EpipolarPose refiner, Rhodin 2018",
)
def _mpjpe() -> Problem:
    # Offsets of 3-4-0, 0-6-8 and 0-5-12 have lengths 5, 10 and 13; the root has none, and both sides stand elsewhere.
    offsets = np.zeros((JOINTS, 3))
    offsets[1:] = np.resize([[3.0, 4.0, 0.0], [0.0, 6.0, 8.0], [0.0, 5.0, 12.0]], (JOINTS - 1, 3))
    gt = np.stack([FIGURE, FIGURE + 20.0, FIGURE - 30.0])
    steps = np.array([1.0, 2.0, 3.0])[:, None, None] * offsets
    gt[:, 1:] += noise(3, 1, 40.0)[:, 1:]
    moved = np.array([[11.0, 0.0, 0.0], [0.0, 7.0, 0.0], [0.0, 0.0, -9.0]])[:, None]
    pred = gt + steps + moved
    lengths = np.resize([5.0, 10.0, 13.0], JOINTS - 1)
    expected = 2.0 * lengths.sum() / JOINTS  # steps 1, 2 and 3: 2 on average
    return Problem(
        pred,
        gt,
        expected,
        (
            convention("not centred on the root", frame_mean(norms(pred - gt))),
            convention("only the ground truth centred on its root", frame_mean(norms(pred - centred(gt)))),
            convention("centred on the mean of the joints", frame_mean(norms(about_mean(pred) - about_mean(gt)))),
            convention("root left out of the mean", 2.0 * lengths.mean()),
            defect("root mean square in place of the mean", float(np.sqrt((steps**2).sum(-1).mean()))),
            defect("mean over the axes in place of distances", float(np.abs(steps).mean())),
            defect("summed over the axes in place of distances", float(np.abs(steps).sum(-1).mean())),
        ),
    )


@CASES.add(
    "C-ROOT-INDEX",
    "MPJPE",
    "root=14 centres both sides on joint 14",
    trouble="joint 0 is taken for the root, whatever the skeleton",
    source="3DHP's pelvis is joint 15 of 17 (1-based), learnable-triangulation's joint 6",
)
def _root_index() -> Problem:
    gt = people(4, 2)
    pred = gt + noise(4, 3, 35.0)
    return Problem(
        pred,
        gt,
        frame_mean(root_errors(pred, gt, 14)),
        (
            defect("centred on joint 0 whatever the root", frame_mean(root_errors(pred, gt, 0))),
            convention("not centred on the root", frame_mean(norms(pred - gt))),
        ),
        {"root": 14},
    )


@CASES.add(
    "C-UNIT",
    "MPJPE",
    "poses with unit='m' score in mm as they do in mm",
    trouble="metres are taken for millimetres, and the error is a thousandth",
    source="second among what users of such tools report",
)
def _unit() -> Problem:
    gt = people(4, 4) / 1000
    pred = gt + noise(4, 5, 0.045)
    right = frame_mean(root_errors(pred, gt)) * 1000
    return Problem(pred, gt, right, (defect("metres scored as millimetres", right / 1000),), {"unit": "m"})


@CASES.add(
    "C-FLOAT32",
    "MPJPE",
    "errors of a millimetre, ten kilometres from the origin",
    trouble="coordinates are rounded to float32 before the root is subtracted, in steps of 1 mm out there",
    source="codes that turn every input into a float32 tensor first",
)
def _float32() -> Problem:
    gt = people(3, 6) + 1e7
    pred = gt + noise(3, 7, 0.8)
    p, g = pred.astype(np.float32), gt.astype(np.float32)
    narrow = np.sqrt((((p - p[:, :1]) - (g - g[:, :1])) ** 2).sum(-1))
    rounded = frame_mean(root_errors(p.astype(float), g.astype(float)))
    return Problem(
        pred,
        gt,
        frame_mean(root_errors(pred, gt)),
        (defect("coordinates rounded to float32", rounded, float(narrow.mean())),),
    )


@CASES.add(
    "C-ACCUMULATE",
    "MPJPE",
    "the mean of 10,000 equal errors is that error",
    trouble="a running sum in float32 loses what is added to it",
    source="meters that add batch after batch into a float32 tensor",
)
def _accumulate() -> Problem:
    n, error = 10_000, 100.1
    gt = np.zeros((n, 2, 3))
    gt[:, 1, 1] = 500.0
    pred = gt.copy()
    pred[:, 1, 0] = error
    sums = [np.add.accumulate(np.full(n, each, np.float32))[-1] for each in (error / 2, error)]
    return Problem(
        pred,
        gt,
        error / 2,
        (defect("float32 accumulation", float(sums[0]) / n, float(sums[1]) / (2 * n)),),
        # float32 itself is 100.1 within 1e-5.
        tolerance=2e-4,
    )


@CASES.add(
    "C-NMPJPE",
    "NMPJPE",
    "one least-squares scale for each root-centred prediction",
    trouble="the ratio of norms, the scale of Procrustes, of mean-centred or absolute coordinates, of the whole batch; "
    "prediction and ground truth exchanged",
    source="MMPose (absolute), EpipolarPose evaluator (Procrustes), ElePose and CanonPose (norms), MetaPose (mean)",
)
def _nmpjpe() -> Problem:
    gt = people(5, 8)
    factors = np.array([0.4, 0.7, 1.0, 1.6, 2.3])[:, None, None]
    pred = gt[:, :1] + centred(gt + noise(5, 9, 90.0)) * factors
    p, g = centred(pred), centred(gt)
    together = least_squares(p, g)
    absolute = np.stack([least_squares(a + b[0], b) * (a + b[0]) - b for a, b in zip(p, gt, strict=True)])
    as_given = np.stack([least_squares(a, b) * a - b for a, b in zip(pred, gt, strict=True)])
    means = np.stack(
        [norms(least_squares(a, b) * a - b) for a, b in zip(about_mean(pred), about_mean(gt), strict=True)]
    )
    return Problem(
        pred,
        gt,
        frame_mean(scaled_errors(pred, gt)),
        (
            convention("scale is the ratio of norms", frame_mean(scaled_errors(pred, gt, _norm_ratio))),
            convention("scale of the optimal similarity", frame_mean(_procrustes_scaled(pred, gt))),
            convention("scaled about the mean of the joints", frame_mean(means)),
            convention(
                "scale fitted to absolute coordinates", frame_mean(norms(absolute)), frame_mean(norms(as_given))
            ),
            convention("not scaled", frame_mean(root_errors(pred, gt))),
            defect("one scale for the whole batch", frame_mean(norms(together * p - g))),
            defect(
                "scale fitted the wrong way round",
                frame_mean(scaled_errors(pred, gt, lambda a, b: least_squares(b, a))),
            ),
            defect("prediction and ground truth exchanged", frame_mean(scaled_errors(gt, pred))),
        ),
    )


@CASES.add(
    "C-SCALE-SIGN",
    "NMPJPE",
    "a least-squares scale below zero is used as it is",
    trouble="the scale's absolute value is taken, or it is clipped at zero; either is no longer least squares",
    source="definitions: the least-squares scale can be negative",
)
def _scale_sign() -> Problem:
    gt = people(3, 10)
    pred = gt[:, :1] - 0.8 * centred(gt) + noise(3, 11, 50.0)
    plain = scaled_errors(pred, gt)
    return Problem(
        pred,
        gt,
        frame_mean(plain),
        (
            defect(
                "scale fitted with absolute value",
                frame_mean(scaled_errors(pred, gt, lambda a, b: abs(least_squares(a, b)))),
            ),
            defect("scale clipped at zero", frame_mean(norms(centred(gt)))),
            convention("scale is the ratio of norms", frame_mean(scaled_errors(pred, gt, _norm_ratio))),
        ),
        raising="a negative scale raises",
        not_finite="a negative scale gives NaN",
    )


@CASES.add(
    "C-SCALE-TINY",
    "NMPJPE",
    "a right prediction in very small units has no error",
    trouble="an epsilon in the denominator outweighs the pose",
    source="guards against division by zero, as in <p,g> / (<p,p> + 1e-8)",
)
def _scale_tiny() -> Problem:
    gt = people(3, 12)
    pred = centred(gt) * 1e-9
    epsilons = [10.0**-power for power in range(4, 16)]
    found = [
        frame_mean(scaled_errors(pred, gt, lambda a, b, e=epsilon: (a * b).sum() / ((a * a).sum() + e)))  # type: ignore[misc]
        for epsilon in epsilons
    ]
    limit = frame_mean(norms(centred(gt)))
    return Problem(
        pred,
        gt,
        0.0,
        (defect("an epsilon outweighs a small prediction", *found, limit),),
        raising="a small prediction raises",
        not_finite="a small prediction gives NaN",
    )


@CASES.add(
    "C-POINT-NMPJPE",
    "NMPJPE",
    "a prediction whose joints coincide has the error of a vanishing scale, the mean distance of joints from the root",
    trouble="0/0: NaN spoils the mean of all poses, or the pose counts as perfect or is left out",
    source="definitions: a degenerate prediction never raises a score",
)
def _point() -> Problem:
    gt = people(4, 13)
    pred = gt + noise(4, 14, 30.0)
    pred[2] = pred[2, :1]
    each = scaled_errors(pred, gt).mean(1)
    return Problem(
        pred,
        gt,
        float(each.mean()),
        (
            defect("degenerate prediction counted as perfect", float(each[[0, 1, 3]].sum() / 4)),
            defect("degenerate prediction left out", float(each[[0, 1, 3]].mean())),
        ),
        raising="a degenerate prediction raises",
        not_finite="a degenerate prediction spoils the mean of all poses",
    )


def _norm_ratio(p: Floats, g: Floats) -> float:
    return ratio(float(np.sqrt((g * g).sum())), float(np.sqrt((p * p).sum())))


def _procrustes_scaled(pred: Floats, gt: Floats) -> Floats:
    def scale(p: Floats, g: Floats) -> float:
        a, b = about_mean(p), about_mean(g)
        return ratio(rotated(a.T @ b, "proper")[1], (a * a).sum())

    return scaled_errors(pred, gt, scale)
