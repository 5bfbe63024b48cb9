"""PCK, NPCK, AUC and CPS: shares of what is correct, where the threshold belongs, and their twins."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebench.errors import UsageError
from posebench.metrics import auc, cps, mpjpe, npck, pck, pmpjpe, resolve
from posebench.metrics.evaluate import evaluate
from tests.support import twins
from tests.support.compare import assert_values, same_values
from tests.support.poses import KINDS, MODERATE, cases, make_case, masked

#: A root and three joints; the errors of PRED are 0, 50, 150 and 200 mm.
GT = np.array([[[0, 0, 0], [0, 100, 0], [0, 200, 0], [0, 300, 0]]], float)
PRED = GT + [[[0, 0, 0], [30, 0, 40], [0, 0, 150], [0, 200, 0]]]

FROM_0_TO_150 = tuple(range(0, 151, 5))
FROM_0_TO_195 = tuple(range(0, 196, 5))


# ------------------------------------------------------------------------------------------------------------------ PCK


def test_an_error_at_the_threshold_is_wrong():
    assert pck(PRED, GT) == 50


def test_unless_the_threshold_is_inclusive():
    assert pck(PRED, GT, inclusive=True) == 75


def test_the_threshold_is_in_millimetres():
    assert pck(PRED, GT, threshold=50.001) == 50
    assert pck(PRED, GT, threshold=50) == 25


def test_the_root_counts_as_a_joint_unless_left_out():
    assert pck(PRED, GT, joints=[1, 2, 3]) == pytest.approx(100 / 3)


def test_pck_is_root_centred_unless_asked_otherwise():
    assert pck(PRED + [0, 0, 5000], GT) == 50
    assert pck(PRED + [0, 0, 5000], GT, root=None) == 0


def test_whole_millimetres_fall_on_the_right_side_of_the_threshold():
    rng = np.random.default_rng(0)
    gt = rng.integers(-900, 900, (300, 17, 3)).astype(float)
    pred = gt.copy()
    pred[:, 5] += [0, 150, 0]
    pred[:, 6] += [90, 0, 120]
    np.testing.assert_allclose(pck(pred, gt, reduce="none"), 100 * 15 / 17)
    np.testing.assert_allclose(pck(pred, gt, inclusive=True, reduce="none"), 100)


def test_npck_forgives_size_and_nothing_else():
    assert npck(0.2 * GT, GT) == 100
    assert pck(0.2 * GT, GT) == 50
    assert npck(0.2 * PRED, GT) == npck(PRED, GT)


def test_a_masked_joint_is_neither_right_nor_wrong():
    valid = np.array([[True, True, False, True]])
    assert pck(PRED, GT, valid=valid) == pytest.approx(200 / 3)


def test_a_prediction_without_extent_is_right_only_near_the_root():
    assert pck(np.zeros_like(GT), GT) == 50
    assert npck(np.full_like(GT, 5.0), GT) == 50


@pytest.mark.parametrize("threshold", [0, -1, float("nan"), float("inf")])
def test_a_threshold_must_be_positive_and_finite(threshold):
    for metric in (pck, npck):
        with pytest.raises(UsageError):
            metric(PRED, GT, threshold=threshold)


@pytest.mark.parametrize("kind", KINDS)
def test_equals_its_twin_on_every_kind_of_pose(kind):
    case = masked(make_case(kind, n=17), np.random.default_rng(0))
    if kind == "whole numbers":  # errors of exactly 2 must not decide
        same_values(pck, twins.pck, case, threshold=2.1)
        return
    same_values(pck, twins.pck, case)
    same_values(npck, twins.npck, case)
    for align in ("procrustes", "root"):
        if kind not in ("collinear", "collinear prediction", "mirrored round"):  # not unique
            same_values(cps, twins.cps, case, align=align)


#: Thresholds that no error meets by construction.
thresholds = st.floats(1, 1500).map(lambda t: t + 0.0123456789)


@MODERATE
@given(cases(), thresholds, st.booleans())
def test_pck_equals_its_twin(case, threshold, inclusive):
    same_values(pck, twins.pck, case, threshold=threshold, inclusive=inclusive)


@MODERATE
@given(cases(), thresholds, st.sampled_from(twins.SCALES), st.booleans())
def test_npck_equals_its_twin(case, threshold, scale, inclusive):
    same_values(npck, twins.npck, case, threshold=threshold, scale=scale, inclusive=inclusive)


@MODERATE
@given(cases(), st.lists(st.floats(0.1, 1000), min_size=2, max_size=6))
def test_pck_never_falls_when_the_threshold_rises(case, several):
    values = [pck(case.pred, case.gt, threshold=t, reduce="none", **case.options) for t in sorted(several)]
    for lower, higher in itertools.pairwise(values):
        held = ~np.isnan(lower)
        assert (higher[held] >= lower[held]).all()
        assert (higher[held] <= 100).all() and (lower[held] >= 0).all()


# ------------------------------------------------------------------------------------------------------------------ AUC


def test_a_perfect_prediction_scores_thirty_of_thirty_one_thresholds():
    assert auc(GT, GT) == pytest.approx(100 * 30 / 31)
    assert round(auc(GT, GT), 3) == 96.774


def test_the_forty_thresholds_of_the_multi_person_ports():
    assert auc(GT, GT, thresholds="0:195:5") == pytest.approx(100 * 39 / 40)


def test_the_continuous_area_has_no_such_gap():
    assert auc(GT, GT, thresholds="continuous=150") == 100
    assert auc(PRED, GT, thresholds="continuous=150") == pytest.approx(100 * (1 + 2 / 3 + 0 + 0) / 4)


def test_auc_is_the_mean_of_pck_over_thresholds():
    by_hand = np.mean([pck(PRED, GT, threshold=t) for t in (20, 60, 160)])
    assert auc(PRED, GT, thresholds=[20, 60, 160]) == pytest.approx(by_hand)


def test_the_stop_is_included():
    assert auc(PRED, GT, thresholds="50:200:50") == pytest.approx(np.mean([25, 50, 50, 75]))


@pytest.mark.parametrize(
    "several",
    ["0:150:7", "150:0:5", "0:150:0", "0:150:-5", "0:150", "a:b:c", "0:inf:5", "continuous=0", "continuous=x",
     "continuous", [], [-1.0], [float("nan")], [float("inf")]],
)  # fmt: skip
def test_thresholds_that_are_not_understood_are_refused(several):
    with pytest.raises(UsageError):
        auc(PRED, GT, thresholds=several)


@MODERATE
@given(cases(kinds=tuple(k for k in KINDS if k not in ("whole numbers",))))
def test_auc_equals_its_twin(case):
    same_values(auc, twins.auc, case, {"thresholds": FROM_0_TO_150})
    same_values(auc, twins.auc, case, {"thresholds": FROM_0_TO_195}, thresholds="0:195:5")
    same_values(auc, twins.auc_continuous, case, {"limit": 150.0}, thresholds="continuous=150")
    same_values(auc, twins.auc, case, {"thresholds": (33.3, 7.7)}, thresholds=[33.3, 7.7])


@MODERATE
@given(
    cases(kinds=("human", "gaussian", "mirrored", "planar", "far", "tiny", "huge", "another unit", "near collinear"))
)
def test_the_normalised_area_equals_its_twin(case):
    ours = evaluate(resolve("NAUC"), case.pred, case.gt, case.root, case.joints, case.valid, "none")
    assert_values(ours, twins.nauc(case.pred, case.gt, thresholds=FROM_0_TO_150, **case.options), case)


@MODERATE
@given(cases(kinds=("human",)))
def test_the_area_lies_within_the_shares_at_its_ends(case):
    area = auc(case.pred, case.gt, reduce="none", thresholds="5:150:5", **case.options)
    last = pck(case.pred, case.gt, reduce="none", **case.options)
    first = pck(case.pred, case.gt, threshold=5, reduce="none", **case.options)
    held = ~np.isnan(area)
    assert (first[held] <= area[held] + 1e-9).all() and (area[held] <= last[held] + 1e-9).all()


# ------------------------------------------------------------------------------------------------------------------ CPS


def test_cps_is_what_the_worst_joint_leaves_of_300_mm():
    assert cps(PRED, GT, align="root") == pytest.approx(100)
    assert cps(np.concatenate([PRED, GT]), np.concatenate([GT, GT]), align="root") == pytest.approx(200)


def test_a_perfect_prediction_has_a_cps_of_300():
    gt = make_case("human", n=2).gt
    assert cps(2 * gt + 7, gt) == pytest.approx(300)
    assert cps(gt + 7, gt, align="root") == pytest.approx(300)


def test_a_pose_beyond_300_mm_adds_nothing_and_takes_nothing():
    assert cps(GT + [[[0, 0, 0], [0, 0, 0], [0, 0, 0], [9000, 0, 0]]], GT, align="root") == 0


def test_cps_is_the_area_under_the_share_of_poses_by_their_worst_joint():
    case = make_case("human", n=17)
    worst = np.array([twins.worst(twins.procrustes_row(p, g)) for p, g in zip(case.pred, case.gt, strict=True)])
    steps = np.arange(0, 300, 0.01) + 0.005
    area = np.mean([(worst < t).mean() for t in steps]) * 300
    assert cps(case.pred, case.gt) == pytest.approx(area, abs=0.01)


@MODERATE
@given(
    cases(kinds=("human", "gaussian", "planar", "mirrored", "far", "tiny", "similar", "coincident", "near collinear"))
)
def test_cps_equals_its_twin(case):
    same_values(cps, twins.cps, case, align="root")
    same_values(cps, twins.cps, case, align="procrustes")


# -------------------------------------------------------------------------------------------- what all have in common


@pytest.mark.parametrize("metric", [mpjpe, pmpjpe, pck, npck, auc, cps])
def test_masked_joints_never_change_a_result(metric):
    case = make_case("human", n=3)
    rng = np.random.default_rng(0)
    one, other = masked(case, rng, keep=(0,)), masked(case, np.random.default_rng(0), keep=(0,))
    other.pred[~other.valid] = -1e9
    other.gt[~other.valid] = 1e9
    np.testing.assert_array_equal(one.valid, other.valid)
    ours = metric(one.pred, one.gt, reduce="none", valid=one.valid)
    np.testing.assert_array_equal(ours, metric(other.pred, other.gt, reduce="none", valid=other.valid))
