"""MPJPE, its axes, the worst joint and the root: what they mean, and that they equal their twins on every pose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from posebench.metrics import axis_error, mpjpe, mrpe, pmpjpe, worst_joint
from tests.support import twins
from tests.support.compare import assert_values, same_values
from tests.support.poses import KINDS, MODERATE, cases, make_case, people

#: A pelvis and two joints above it.
GT = np.array([[[0, 0, 0], [0, 100, 0], [0, 200, 0]]], float)
OFF = np.array([[[0, 0, 0], [30, 0, 40], [0, 0, -10]]], float)


def test_is_the_mean_of_the_joint_distances_with_the_root_in_it():
    assert mpjpe(GT + OFF, GT) == pytest.approx((0 + 50 + 10) / 3)


def test_where_the_person_stands_does_not_matter():
    assert mpjpe(GT + OFF + [500, -20, 4000], GT) == pytest.approx(20)


def test_without_a_root_it_does():
    assert mpjpe(GT + [0, 300, 400], GT, root=None) == pytest.approx(500)


def test_an_error_of_the_root_spreads_over_all_other_joints():
    pred = GT.copy()
    pred[0, 0, 0] = 30
    assert mpjpe(pred, GT) == pytest.approx(20)
    assert mpjpe(pred, GT, root=1) == pytest.approx(10)


def test_the_root_is_an_index_into_the_full_skeleton_even_where_it_is_not_scored():
    assert mpjpe(GT + OFF, GT, root=0, joints=[2, 1]) == pytest.approx(30)


def test_a_perfect_prediction_scores_exactly_zero():
    for kind in ("human", "far", "tiny", "huge", "planar"):
        gt = make_case(kind, n=3).gt
        assert mpjpe(gt.copy(), gt) == 0


def test_poses_weigh_the_same_however_many_joints_they_hold():
    gt = np.repeat(GT, 2, 0)
    pred = gt + np.array([[[0, 0, 0], [0, 0, 60], [0, 0, 0]], [[0, 0, 0], [0, 0, 90], [0, 0, 0]]])
    valid = np.array([[True, True, True], [True, True, False]])
    assert mpjpe(pred, gt, valid=valid) == pytest.approx((20 + 45) / 2)


def test_the_parts_along_the_axes():
    assert [axis_error(GT + OFF, GT, axis=axis) for axis in "xyz"] == pytest.approx([10, 0, 50 / 3])


def test_the_worst_joint_of_each_pose_is_averaged():
    pred = np.concatenate([GT + OFF, GT])
    assert worst_joint(pred, np.repeat(GT, 2, 0)) == pytest.approx(25)


def test_the_root_error_is_absolute():
    assert mrpe(GT + [0, 30, 40], GT) == pytest.approx(50)
    assert mrpe(GT + OFF, GT, root=1) == pytest.approx(50)


def test_a_pose_whose_true_root_is_masked_is_left_out():
    gt = np.repeat(GT, 2, 0)
    pred = gt + OFF * [[[1]], [[2]]]
    valid = np.array([[True, True, True], [False, True, True]])
    for metric in (mpjpe, worst_joint, mrpe):
        assert metric(pred, gt, valid=valid) == metric(pred[:1], gt[:1])
        assert np.isnan(metric(pred, gt, valid=valid, reduce="none")[1])
    assert np.isfinite(mpjpe(pred, gt, valid=valid, root=None, reduce="none")).all()


def test_one_joint_alone_has_an_error_but_no_shape_to_fit():
    case = make_case("human", n=3)
    alone = mpjpe(case.pred, case.gt, joints=[6], reduce="none")
    difference = (case.pred - case.pred[:, :1] - case.gt + case.gt[:, :1])[:, 6]
    np.testing.assert_allclose(alone, np.linalg.norm(difference, axis=1), rtol=1e-12)
    assert np.isnan(pmpjpe(case.pred, case.gt, joints=[6], reduce="none")).all()


def test_a_ground_truth_whose_joints_coincide_is_out_of_the_mean():
    gt = np.concatenate([GT, np.full_like(GT, 7.0)])
    pred = np.concatenate([GT + OFF, GT * 9])
    for metric in (mpjpe, worst_joint, mrpe):
        assert metric(pred, gt) == metric(pred[:1], gt[:1])


def test_a_prediction_whose_joints_coincide_is_scored_like_any_other():
    assert mpjpe(np.zeros_like(GT), GT) == pytest.approx(100)


def test_metres_and_millimetres_meet_in_millimetres():
    from posebench import PoseSet

    in_metres = PoseSet((GT + OFF) / 1000, unit="m")
    assert mpjpe(in_metres, PoseSet(GT, unit="mm")) == pytest.approx(20)
    assert mpjpe(PoseSet(GT + OFF, unit="mm"), PoseSet(GT / 1000, unit="m")) == pytest.approx(20)


@pytest.mark.parametrize("kind", KINDS)
def test_equals_its_twin_on_every_kind_of_pose(kind):
    for dtype in ("float64", "float32"):
        case = make_case(kind, n=17, dtype=dtype)
        same_values(mpjpe, twins.mpjpe, case)


@MODERATE
@given(cases())
def test_mpjpe_equals_its_twin(case):
    same_values(mpjpe, twins.mpjpe, case)


@MODERATE
@given(cases())
def test_mpjpe_without_root_equals_its_twin(case):
    options = {**case.options, "root": None}
    ours = mpjpe(case.pred, case.gt, reduce="none", **options)
    assert_values(ours, twins.mpjpe(case.pred, case.gt, **options), case)


@MODERATE
@given(cases())
def test_every_axis_equals_its_twin(case):
    for axis in twins.AXES:
        same_values(axis_error, twins.axis_error, case, axis=axis)


@MODERATE
@given(cases())
def test_the_worst_joint_equals_its_twin(case):
    same_values(worst_joint, twins.worst_joint, case)


@MODERATE
@given(cases(subsets=False))
def test_the_root_error_equals_its_twin(case):
    ours = mrpe(case.pred, case.gt, root=case.root, valid=case.valid, reduce="none")
    assert_values(ours, twins.mrpe(case.pred, case.gt, root=case.root, valid=case.valid), case)


@MODERATE
@given(cases(kinds=("human", "gaussian"), masks=False, subsets=False))
def test_the_axes_bound_the_distance(case):
    distance = mpjpe(case.pred, case.gt, root=case.root)
    parts = [axis_error(case.pred, case.gt, root=case.root, axis=axis) for axis in "xyz"]
    assert max(parts) <= distance * (1 + 1e-12) <= sum(parts) * (1 + 2e-12)


def test_the_unit_of_the_input_precision_does_not_matter():
    gt = people(np.random.default_rng(0), 5).astype(np.float32)
    pred = (gt + np.random.default_rng(1).normal(0, 40, gt.shape)).astype(np.float32)
    assert mpjpe(pred, gt) == mpjpe(pred.astype(float), gt.astype(float)) == mpjpe(pred, gt.astype(float))


def test_whole_millimetres_add_up_exactly():
    gt = np.random.default_rng(3).integers(-900, 900, (50, 17, 3)).astype(float)
    pred = gt + np.random.default_rng(4).integers(-900, 900, (50, 1, 3))
    assert (mpjpe(pred, gt, reduce="none") == 0).all()
