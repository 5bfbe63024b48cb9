"""Behaviours of public scorers that ours must not share, one test each; see docs/conventions.md.

Where a row names a number, the numbers here are of the same making: they show what the defect would have printed.
"""

from __future__ import annotations

import numpy as np
import pytest

from posebench.errors import InputError
from posebench.metrics import auc, mpjpe, nmpjpe, npck, pck, pmpjpe
from tests.support import twins
from tests.support.poses import make_case, people, rotations

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("metric", [mpjpe, nmpjpe, pmpjpe, pck, npck, auc])
def test_batches_of_two_and_three_poses_are_batches(metric, n):
    """Defect: `shape[0]` of 2 or 3 is taken for the coordinate axis and the array transposed."""
    case = make_case("human", n=n)
    alone = [metric(case.pred[i : i + 1], case.gt[i : i + 1]) for i in range(n)]
    assert metric(case.pred, case.gt) == pytest.approx(np.mean(alone), rel=1e-12)


def test_three_poses_of_three_joints_are_not_taken_for_their_transpose():
    gt = RNG.normal(0, 300, (3, 3, 3))
    pred = gt + RNG.normal(0, 30, gt.shape)
    np.testing.assert_allclose(mpjpe(pred, gt, reduce="none"), twins.mpjpe(pred, gt))
    np.testing.assert_allclose(pmpjpe(pred, gt, reduce="none"), twins.pmpjpe(pred, gt))


def test_one_invisible_outlier_does_not_enter_the_alignment():
    """Defect: the alignment uses masked joints; one invisible outlier makes 400 mm of 29 mm."""
    gt = people(np.random.default_rng(5), 1)
    pred = gt + np.random.default_rng(6).normal(0, 20, gt.shape)
    valid = np.ones((1, 17), bool)
    valid[0, 16] = False
    clean = pmpjpe(pred, gt, valid=valid)
    pred[0, 16] += [0, 0, 20_000]
    assert pmpjpe(pred, gt, valid=valid) == clean < 35
    # What the defect prints: aligned with the outlier, averaged without it.
    aligned = twins.procrustes_row(pred[0], gt[0])
    assert aligned[:16].mean() > 300


def test_not_a_number_in_a_masked_joint_is_no_error():
    """Defect: NaN in a masked joint raises."""
    gt = people(np.random.default_rng(5), 1)
    pred = gt + np.random.default_rng(6).normal(0, 20, gt.shape)
    valid = np.ones((1, 17), bool)
    valid[0, 16] = False
    clean = pmpjpe(pred, gt, valid=valid)
    pred[0, 16] = gt[0, 16] = np.nan
    assert pmpjpe(pred, gt, valid=valid) == clean


def test_each_pose_of_a_batch_keeps_its_own_procrustes_error():
    """Defect: the per-action Procrustes error is the mean of a batch that mixes actions: all actions get one number."""
    walking, sitting = make_case("human", n=3, seed=1), make_case("gaussian", n=4, seed=2)
    pred, gt = np.concatenate([walking.pred, sitting.pred]), np.concatenate([walking.gt, sitting.gt])
    values = pmpjpe(pred, gt, reduce="none")
    assert values[:3].mean() == pytest.approx(pmpjpe(walking.pred, walking.gt))
    assert values[3:].mean() == pytest.approx(pmpjpe(sitting.pred, sitting.gt))
    assert values[:3].mean() < 100 < 200 < values[3:].mean()


def test_a_reflection_is_put_right_by_one_axis_not_by_all():
    """Defect: the reflection is fixed by negating the whole rotation: 331 mm instead of 87."""
    gt = people(np.random.default_rng(1), 1)
    gt = gt - gt.mean(1, keepdims=True)
    pred = gt * [1, 1, -1]  # seen from behind: right but for its depth
    pred = pred @ rotations(np.random.default_rng(2), 1)[0]
    u, sigma, vt = np.linalg.svd(pred[0].T @ gt[0])
    negated = -(vt.T @ u.T)
    assert np.linalg.det(negated) == pytest.approx(1)
    defect = np.linalg.norm(sigma.sum() / (pred**2).sum() * pred[0] @ negated.T - gt[0], axis=1).mean()
    right = pmpjpe(pred, gt)
    assert right == pytest.approx(twins.pmpjpe(pred, gt)[0], rel=1e-9)
    assert right < 0.4 * defect


def test_a_flat_pose_keeps_all_three_columns_of_its_rotation():
    """Defect: sign(det(H)) is 0 for planar poses, and zeroes a column of the rotation."""
    gt = people(np.random.default_rng(1), 1)
    flat = gt * [1, 1, 0]
    turn = rotations(np.random.default_rng(2), 1)[0]
    assert pmpjpe(flat @ turn, flat) == pytest.approx(0, abs=1e-9)
    assert pmpjpe(flat @ turn, gt) == pytest.approx(twins.pmpjpe(flat @ turn, gt)[0], rel=1e-9)
    assert np.linalg.matrix_rank((flat - flat.mean(1, keepdims=True))[0].T @ (flat @ turn)[0]) == 2


def test_a_mirrored_pose_is_not_perfect():
    """Defect: reflections are allowed."""
    gt = people(np.random.default_rng(3), 1)
    mirrored = gt * [-1, 1, 1]
    assert pmpjpe(mirrored, gt) > 30
    assert pmpjpe(mirrored, gt, variant="norm_ratio_reflect") == pytest.approx(0, abs=1e-9)


def test_a_pose_of_nothing_is_not_perfect():
    """Defect: an SVD that fails returns 0, so a NaN pose scores as perfect."""
    gt = people(np.random.default_rng(3), 2)
    pred = gt + 0.0
    pred[1] = np.nan
    for metric in (mpjpe, nmpjpe, pmpjpe, pck, npck, auc):
        with pytest.raises(InputError, match="pose 1, joint 0"):
            metric(pred, gt)


@pytest.mark.parametrize("n", [1, 4095, 4097, 8193])
def test_the_last_incomplete_batch_counts(n):
    """Defect: the last incomplete batch is dropped from the mean."""
    gt = np.tile([[[0.0, 0, 0], [0, 100, 0]]], (n, 1, 1))
    pred = gt.copy()
    pred[-1, 1, 0] = 2.0 * n
    assert mpjpe(pred, gt) == pytest.approx(1)
    assert pmpjpe(pred, gt, reduce="none").shape == (n,)


def test_collinear_poses_fall_back_to_the_decomposition():
    """Defect: a closed-form rotation of rank-1 poses is anything at all."""
    line = np.linspace(-400, 400, 9)[:, None]
    gt = (line * [1.0, 2, 2] / 3)[None]
    for direction in ([0, 0, 1], [1, 0, 0], [-1, -2, -2], [2, -2, 1], [-1.0, -2, -2.0000001]):
        pred = (0.3 * line * np.array(direction) / np.linalg.norm(direction))[None] + 50
        assert pmpjpe(pred, gt) == pytest.approx(0, abs=1e-6 * 400)


def test_a_joint_that_is_missing_never_raises_a_score():
    """Dropping the worst tenth of a model's joints must not be possible from the prediction's side."""
    case = make_case("human", n=5)
    worst = np.argsort(np.linalg.norm(case.pred - case.gt, axis=2).ravel())[-8:]
    case.pred.reshape(-1, 3)[worst] = np.nan
    for metric in (mpjpe, nmpjpe, pmpjpe, pck, npck, auc):
        with pytest.raises(InputError):
            metric(case.pred, case.gt)
