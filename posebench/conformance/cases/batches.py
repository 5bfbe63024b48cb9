"""Batches: how poses are told from coordinates, what becomes of the last batch, groups, and sides of other lengths."""

from __future__ import annotations

import numpy as np

from posebench.conformance.cases.declaring import Cases
from posebench.conformance.model import REFUSAL, Problem, defect
from posebench.conformance.people import FIGURE, noise, people
from posebench.conformance.plain import Floats, aligned_errors, centred, frame_mean, norms, root_errors, taken_apart

CASES = Cases()

_AXIS = "batch size taken for the coordinate axis"
#: Batch sizes that codes use.
_SIZES = (8, 10, 16, 20, 32, 50, 64, 100, 128, 200, 256, 300, 400, 500, 512)


@CASES.add(
    "C-BATCH-3",
    "MPJPE",
    "three poses are three poses",
    trouble="shape[0] == 3 is taken for the coordinate axis, so that batches of 3 are transposed in silence",
    source="shape tests on the first axis",
)
def _three() -> Problem:
    return _small_batch(3)


@CASES.add(
    "C-BATCH-2",
    "MPJPE",
    "two poses are two poses",
    trouble="shape[0] == 2 is taken for the coordinate axis",
    source="shape tests on the first axis",
)
def _two() -> Problem:
    return _small_batch(2)


def _small_batch(n: int) -> Problem:
    gt = people(n, 20 + n)
    pred = gt + noise(n, 30 + n, 40.0)
    p, g = centred(pred), centred(gt)
    sideways = [
        float(norms(taken_apart(p) - taken_apart(g)).mean()),
        float(norms(taken_apart(pred) - taken_apart(gt)).mean()),
        float(root_errors(taken_apart(pred).swapaxes(0, 1), taken_apart(gt).swapaxes(0, 1)).mean()),
        float(norms(_turned(p) - _turned(g)).mean()),
        float(norms(centred(_turned(pred)) - centred(_turned(gt))).mean()),
    ]
    return Problem(pred, gt, frame_mean(root_errors(pred, gt)), (defect(_AXIS, *sideways),))


def _turned(poses: Floats) -> Floats:
    return np.swapaxes(poses, 0, 2)


@CASES.add(
    "C-BATCH-3-PMPJPE",
    "PMPJPE",
    "three poses are aligned one by one",
    trouble="shape[0] == 3 is taken for the coordinate axis, and joints are aligned over the batch",
    source="Procrustes code derived from functions of one pose (3, J)",
)
def _three_aligned() -> Problem:
    gt = people(3, 26)
    pred = gt + noise(3, 27, 40.0)
    sideways = [
        frame_mean(aligned_errors(way(pred), way(gt)))
        for way in (_turned, lambda x: taken_apart(x).swapaxes(0, 1), taken_apart)
    ]
    flat = aligned_errors(pred.reshape(1, -1, 3), gt.reshape(1, -1, 3))
    return Problem(
        pred,
        gt,
        frame_mean(aligned_errors(pred, gt)),
        (defect(_AXIS, *sideways), defect("one similarity for the whole batch", frame_mean(flat))),
    )


@CASES.add(
    "C-BATCH-1",
    "PMPJPE",
    "a batch of one pose is a batch",
    trouble="squeeze() takes the axis of the poses away",
    source="codes that squeeze singleton axes",
)
def _one() -> Problem:
    gt = people(1, 28)
    pred = gt + noise(1, 29, 40.0)
    return Problem(
        pred,
        gt,
        frame_mean(aligned_errors(pred, gt)),
        raising="a single pose raises",
        not_finite="a single pose gives NaN",
    )


@CASES.add(
    "C-LAST-BATCH",
    "MPJPE",
    "1,027 poses, in a mean of all of them",
    trouble="the last incomplete batch is dropped, or weighs as much as a full one",
    source="data loaders with drop_last, meters that average the means of batches",
)
def _last_batch() -> Problem:
    n = 1027
    errors = 20.0 + np.arange(n) ** 2 / 2000.0
    gt = np.repeat(FIGURE[None], n, 0)
    pred = gt.copy()
    pred[:, 1:, 1] += errors[:, None]
    each = errors * 16 / 17
    dropped = [float(each[: n // size * size].mean()) for size in _SIZES]
    means = [float(np.mean([each[at : at + size].mean() for at in range(0, n, size)])) for size in _SIZES]
    return Problem(
        pred,
        gt,
        float(each.mean()),
        (defect("last incomplete batch dropped", *dropped), defect("mean of the means of batches", *means)),
    )


@CASES.add(
    "C-BY-ACTION",
    "PMPJPE",
    "by=labels gives each action the mean of its own poses",
    trouble="an action gets the mean of the batch that it came in, so that all in a batch get the same number",
    source="per-action Procrustes errors taken from batch means",
)
def _by_action() -> Problem:
    labels = np.array(["walk", "sit", "walk", "phone", "sit", "walk", "walk"])
    gt = people(len(labels), 40)
    size = {"walk": 15.0, "sit": 60.0, "phone": 110.0}
    pred = gt + noise(len(labels), 41, 1.0) * np.array([size[label] for label in labels])[:, None, None]
    each = aligned_errors(pred, gt).mean(1)
    names = sorted(set(labels.tolist()))
    return Problem(
        pred,
        gt,
        {name: float(each[labels == name].mean()) for name in names},
        (
            defect("every action gets the mean of its batch", {name: float(each.mean()) for name in names}),
            defect(
                "each action aligned by one similarity",
                {
                    name: frame_mean(
                        aligned_errors(pred[labels == name].reshape(1, -1, 3), gt[labels == name].reshape(1, -1, 3))
                    )
                    for name in names
                },
            ),
        ),
        {"by": labels},
    )


@CASES.add(
    "C-FEWER",
    "MPJPE",
    "fewer predictions than ground truth are refused",
    trouble="zip() and slices cut the longer side, and the poses that a model failed on are never missed",
    source="dropping a model's worst tenth moved one MPJPE from 127.6 to 103.6",
)
def _fewer() -> Problem:
    gt = people(6, 42)
    whole = gt + noise(6, 43, 40.0)
    pred = whole[:5]
    each = root_errors(pred, gt[:5]).mean(1)
    return Problem(
        pred,
        gt,
        REFUSAL,
        (defect("missing frames dropped silently", float(each.mean()), float(each.sum() / 6)),),
        sound=whole,
    )


@CASES.add(
    "C-BROADCAST",
    "MPJPE",
    "one prediction for five poses is refused",
    trouble="NumPy and torch repeat it without a word, and a model is scored on a pose that it predicted once",
    source="how array libraries treat axes of length 1",
)
def _broadcast() -> Problem:
    gt = people(5, 44)
    whole = gt + noise(5, 45, 40.0)
    pred = whole[:1]
    repeated = frame_mean(root_errors(np.repeat(pred, 5, 0), gt))
    first = frame_mean(root_errors(pred, gt[:1]))
    return Problem(
        pred,
        gt,
        REFUSAL,
        (
            defect("one prediction repeated for all poses", repeated),
            defect("missing frames dropped silently", first, first / 5),
        ),
        sound=whole,
    )
