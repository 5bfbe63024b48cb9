"""PMPJPE: the optimal similarity, and the poses on which shortcuts to it fail."""

from __future__ import annotations

import numpy as np

from posebench.conformance.cases.declaring import Cases
from posebench.conformance.model import Problem, convention, defect
from posebench.conformance.people import FIGURE, about, noise, people
from posebench.conformance.plain import (
    Floats,
    about_mean,
    aligned,
    aligned_errors,
    centred,
    frame_mean,
    norms,
    root_errors,
)

CASES = Cases()


@CASES.add(
    "C-PA-EXACT",
    "PMPJPE",
    "a pose that was turned, scaled and moved has no error",
    trouble="the rotation is transposed, the scale or the rotation is left out",
    source="definitions (Umeyama 1991)",
)
def _exact() -> Problem:
    gt = people(3, 90)
    rotation = about((1.0, 2.0, -0.5), 70.0)
    pred = 0.3 * gt @ rotation.T + 500.0
    return Problem(
        pred,
        gt,
        0.0,
        (
            convention("no scale in the alignment", frame_mean(aligned_errors(pred, gt, scale="none"))),
            defect("rotation transposed", frame_mean(aligned_errors(pred, gt, turn="transposed"))),
            defect("no rotation in the alignment", frame_mean(root_errors(pred, gt))),
        ),
        # A pose of some thousand mm in float32.
        tolerance=5e-3,
    )


@CASES.add(
    "C-PMPJPE",
    "PMPJPE",
    "the residual after the optimal similarity of each pose, as it is",
    trouble="both sides are re-rooted after the alignment, or aligned without scale or with the ratio of norms; "
    "one similarity serves the batch; prediction and ground truth are exchanged",
    source="re-rooted: EpipolarPose evaluator; rigid: 3DMPPE; rigid and re-rooted: Integral Human Pose; norms: ElePose",
)
def _general() -> Problem:
    gt = people(5, 92)
    factors = np.array([0.5, 0.8, 1.0, 1.3, 2.0])[:, None, None]
    pred = factors * (gt + noise(5, 93, 70.0)) @ about((0.2, 1.0, 0.4), 35.0).T
    right = frame_mean(aligned_errors(pred, gt))
    flat = aligned_errors(pred.reshape(1, -1, 3), gt.reshape(1, -1, 3))
    return Problem(
        pred,
        gt,
        right,
        (
            convention("re-rooted after the alignment", _rerooted(pred, gt)),
            convention("no scale in the alignment", frame_mean(aligned_errors(pred, gt, scale="none"))),
            convention("no scale in the alignment, re-rooted after it", _rerooted(pred, gt, scale="none")),
            convention("scale is the ratio of norms", frame_mean(aligned_errors(pred, gt, scale="norms"))),
            convention("root left out of the mean", float(aligned_errors(pred, gt)[:, 1:].mean())),
            convention("not aligned", frame_mean(root_errors(pred, gt))),
            defect("rotation transposed", frame_mean(aligned_errors(pred, gt, turn="transposed"))),
            defect("one similarity for the whole batch", frame_mean(flat)),
            defect("prediction and ground truth exchanged", frame_mean(aligned_errors(gt, pred))),
        ),
    )


def _rerooted(pred: Floats, gt: Floats, scale: str = "optimal") -> float:
    turned = np.stack([aligned(p, g, scale=scale) for p, g in zip(pred, gt, strict=True)])  # type: ignore[arg-type]
    return frame_mean(root_errors(turned, gt))


@CASES.add(
    "C-PA-MIRROR",
    "PMPJPE",
    "a mirrored pose is not the pose: reflections are forbidden",
    trouble="reflections are allowed, and left and right exchanged score as perfect; or all of the rotation is negated "
    "to undo one, or the wrong column; or the scale forgets the sign",
    source="MetaPose allows reflections; fixes of det(R) < 0 in public Procrustes codes",
)
def _mirror() -> Problem:
    # Points in pairs on the axes: H is diagonal. The best rotation turns the shortest axis the wrong way.
    a, b, c = 600.0, 350.0, 200.0
    gt = np.zeros((1, 7, 3))
    gt[0, 1:3, 0], gt[0, 3:5, 1], gt[0, 5:7, 2] = (a, -a), (b, -b), (c, -c)
    pred = gt * np.array([-1.0, 1.0, 1.0])
    s = (a * a + b * b - c * c) / (a * a + b * b + c * c)
    expected = 2 * (a * (1 - s) + b * (1 - s) + c * (1 + s)) / 7

    def value(turn: str, scale: str = "optimal") -> float:
        return frame_mean(aligned_errors(pred, gt, turn=turn, scale=scale))

    return Problem(
        pred,
        gt,
        expected,
        (
            defect("Procrustes allowed reflection", value("reflect")),
            defect(
                "reflection undone by negating the whole rotation",
                value("whole"),
                frame_mean(norms(s * about_mean(pred) * [1.0, -1.0, -1.0] - about_mean(gt))),
            ),
            defect("reflection undone in the wrong column", value("first"), value("first", "all singular values")),
            defect("scale forgets the reflection's sign", value("proper", "all singular values")),
            convention("no scale in the alignment", value("proper", "none")),
        ),
    )


@CASES.add(
    "C-PA-PLANAR",
    "PMPJPE",
    "a flat ground truth has its alignment like any other",
    trouble="sign(det(H)) is 0 for planar poses: a column of the rotation is zeroed, which flattens the prediction",
    source="Procrustes codes that take the sign from det(H) in place of det(U V^T)",
)
def _planar() -> Problem:
    gt = people(3, 94) - [0.0, 0.0, 4000.0]
    gt[..., 2] = 0.0
    pred = (gt + noise(3, 95, 60.0)) * 0.8
    return Problem(
        pred,
        gt,
        frame_mean(aligned_errors(pred, gt)),
        (
            defect("planar pose flattened: sign of det(H) is 0", frame_mean(aligned_errors(pred, gt, turn="det of H"))),
            convention("no scale in the alignment", frame_mean(aligned_errors(pred, gt, scale="none"))),
        ),
        raising="a planar pose raises",
        not_finite="a planar pose gives NaN",
    )


@CASES.add(
    "C-PA-COLLINEAR",
    "PMPJPE",
    "joints on a line are aligned along that line",
    trouble="closed forms (quaternions, cross products) lose the rotation where H has rank 1",
    source="fast closed-form rotations without a fall-back to the SVD",
)
def _collinear() -> Problem:
    along = np.linspace(-500.0, 500.0, 9)
    off = np.array([20.0, -35.0, 10.0, 50.0, -15.0, 0.0, 25.0, -40.0, 5.0])
    here, there = np.array([2.0, 1.0, -2.0]) / 3, np.array([-1.0, 2.0, 2.0]) / 3
    gt, pred = (along[:, None] * here)[None], ((along + off)[:, None] * there)[None]
    line = along + off - (along + off).mean()
    s = (line * along).sum() / (line**2).sum()
    unturned = frame_mean(aligned_errors(pred, gt, turn="none"))
    turned_back = frame_mean(aligned_errors(pred, gt, turn="none", scale="negative"))
    return Problem(
        pred,
        gt,
        float(np.abs(s * line - along).mean()),
        (
            defect("rotation lost on a collinear pose", unturned, turned_back),
            defect("collinear pose counted as perfect", 0.0),
            defect(
                "collinear pose not aligned at all",
                frame_mean(norms(pred - gt)),
                frame_mean(norms(centred(pred) - centred(gt))),
            ),
            convention("no scale in the alignment", float(np.abs(line - along).mean())),
        ),
        raising="a collinear pose raises",
        not_finite="a collinear pose gives NaN",
    )


@CASES.add(
    "C-PA-POINT",
    "PMPJPE",
    "a prediction whose joints coincide has the error of a vanishing scale: the mean distance from the joints' mean",
    trouble="0/0: NaN spoils the mean of all poses, or the pose counts as perfect or is left out",
    source="definitions: a degenerate prediction never raises a score",
)
def _point() -> Problem:
    gt = people(4, 96)
    pred = gt + noise(4, 97, 40.0)
    pred[1] = [100.0, 50.0, 4000.0]  # whole numbers, whose mean is exact
    each = aligned_errors(pred, gt).mean(1)
    each[1] = norms(about_mean(gt[1])).mean()
    rest = each[[0, 2, 3]]
    return Problem(
        pred,
        gt,
        float(each.mean()),
        (
            defect("degenerate prediction counted as perfect", float(rest.sum() / 4)),
            defect("degenerate prediction left out", float(rest.mean())),
        ),
        raising="a degenerate prediction raises",
        not_finite="a degenerate prediction spoils the mean of all poses",
    )


@CASES.add(
    "C-PA-FAR",
    "PMPJPE",
    "a pose far from the origin is aligned as one at it",
    trouble="H is made of coordinates that are not centred, or centred after float32 has rounded them",
    source="codes that turn every input into a float32 tensor first",
)
def _far() -> Problem:
    gt = np.stack([FIGURE, FIGURE * 1.1]) + noise(2, 98, 30.0) + 1e7
    pred = gt + noise(2, 99, 0.8)
    rounded = aligned_errors(pred.astype(np.float32).astype(float), gt.astype(np.float32).astype(float))
    return Problem(
        pred,
        gt,
        frame_mean(aligned_errors(pred - 1e7, gt - 1e7)),
        (defect("coordinates rounded to float32", frame_mean(rounded)),),
    )
