"""NMPJPE and the five scales that go by its name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebench.metrics import mpjpe, nmpjpe
from tests.support import twins
from tests.support.compare import assert_values, same_values
from tests.support.poses import KINDS, MODERATE, cases, make_case, people

#: A right angle: pelvis, one joint to the side, one above.
GT = np.array([[[0, 0, 0], [300, 0, 0], [0, 400, 0]]], float)


def test_the_size_of_the_prediction_does_not_matter():
    assert nmpjpe(0.37 * GT + 1000, GT) == pytest.approx(0, abs=1e-9)


def test_the_scale_is_the_least_squares_one():
    pred = GT * [1, 0.5, 1]
    # <p,g> / <p,p> = (300 * 300 + 200 * 400) / (300^2 + 200^2) = 17 / 13
    assert nmpjpe(pred, GT) == pytest.approx((300 * 4 / 13 + abs(200 * 17 / 13 - 400)) / 3)


def test_it_may_exceed_mpjpe():
    # The scale that is best for the squares shrinks the nine joints that were right for the one that was not.
    gt = np.array([[[0, 0, 0]] + [[0, 100, 0]] * 9 + [[0, 100.0, 0]]])
    pred = gt.copy()
    pred[0, -1] = [0, 500, 0]
    assert nmpjpe(pred, gt) > mpjpe(pred, gt)


def test_a_point_reflected_prediction_gets_a_negative_scale():
    assert nmpjpe(-2 * GT, GT) == pytest.approx(0, abs=1e-9)
    assert nmpjpe(-2 * GT, GT, scale="norm_ratio") == pytest.approx(2 * (300 + 400) / 3)


def test_the_ratio_of_norms():
    pred = GT * [1, 0.5, 1]
    s = np.sqrt((300**2 + 400**2) / (300**2 + 200**2))
    assert nmpjpe(pred, GT, scale="norm_ratio") == pytest.approx((abs(300 * s - 300) + abs(200 * s - 400)) / 3)


def test_the_absolute_scale_is_ruled_by_the_depth():
    gt = GT + [0, 0, 10_000]
    pred = 0.5 * GT + [70, 80, 90]  # its own root is taken off, the true one put in its place
    error = nmpjpe(pred, gt, scale="least_squares_absolute")
    assert error == pytest.approx(mpjpe(pred, gt), rel=0.02)
    assert nmpjpe(pred, gt) == pytest.approx(0, abs=1e-9)


def test_the_procrustes_scale_ignores_how_the_prediction_is_turned():
    turned = 2 * GT[..., [1, 2, 0]]
    same_size = GT[..., [1, 2, 0]]
    assert nmpjpe(turned, GT, scale="procrustes") == pytest.approx(mpjpe(same_size, GT))


def test_after_mean_centring_a_wrong_root_costs_only_itself():
    pred = GT.copy()
    pred[0, 0] = [30, 0, 0]
    mean = GT - GT.mean(1, keepdims=True)
    p = pred - pred.mean(1, keepdims=True)
    s = (p * mean).sum() / (p * p).sum()
    assert nmpjpe(pred, GT, scale="least_squares_mean") == pytest.approx(np.linalg.norm(s * p - mean, axis=2).mean())


@pytest.mark.parametrize("scale", twins.SCALES)
def test_a_prediction_without_extent_takes_the_limit(scale):
    pred = np.zeros_like(GT) + [30, 40, 50]
    mean = GT - GT.mean(1, keepdims=True)
    if scale == "least_squares_absolute":  # on absolute coordinates it is a point at the true root, which scales
        gt = GT + [0, 0, 10_000]
        assert nmpjpe(pred, gt, scale=scale) == pytest.approx((300 + 400) / 3, rel=0.01)
    elif scale == "least_squares_mean":
        assert nmpjpe(pred, GT, scale=scale) == pytest.approx(np.linalg.norm(mean, axis=2).mean())
    else:
        assert nmpjpe(pred, GT, scale=scale) == pytest.approx((300 + 400) / 3)


def test_only_least_squares_after_mean_centring_does_without_the_true_root():
    valid = np.array([[False, True, True]])
    pred = GT + 5
    assert np.isfinite(nmpjpe(pred, GT, scale="least_squares_mean", valid=valid))
    for scale in set(twins.SCALES) - {"least_squares_mean"}:
        assert np.isnan(nmpjpe(pred, GT, scale=scale, valid=valid, reduce="none")).all()


@pytest.mark.parametrize("scale", twins.SCALES)
@pytest.mark.parametrize("kind", KINDS)
def test_equals_its_twin_on_every_kind_of_pose(kind, scale):
    case = make_case(kind, n=3)
    same_values(nmpjpe, twins.nmpjpe, case, scale=scale)


@pytest.mark.parametrize("scale", twins.SCALES)
@MODERATE
@given(case=cases())
def test_every_scale_equals_its_twin(scale, case):
    same_values(nmpjpe, twins.nmpjpe, case, scale=scale)


@MODERATE
@given(case=cases(dtypes=("float64",)), factor=st.floats(1e-4, 1e4))
def test_invariant_to_the_size_of_the_prediction(case, factor):
    pred = case.pred.copy()
    held = np.ones(pred.shape[:2], bool) if case.valid is None else case.valid
    pred[held] *= factor
    for scale in ("least_squares", "norm_ratio", "procrustes", "least_squares_mean"):
        before = nmpjpe(case.pred, case.gt, scale=scale, reduce="none", **case.options)
        after = nmpjpe(pred, case.gt, scale=scale, reduce="none", **case.options)
        assert_values(after, before, case)


def test_a_root_that_is_not_scored_takes_no_part_in_the_scale():
    gt = people(np.random.default_rng(0), 4)
    pred = gt + np.random.default_rng(1).normal(0, 40, gt.shape)
    with_root = nmpjpe(pred, gt, joints=range(17))
    without = nmpjpe(pred, gt, joints=range(1, 17))
    assert without == pytest.approx(with_root * 17 / 16)  # its own error is 0, and so are its products
