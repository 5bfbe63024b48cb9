"""PCKh against a loop over people and joints, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from posebench import pckh, resolve
from posebench.errors import InputError, UsageError
from posebench.metrics.head import PCKH_JOINTS


def people(n=40, seed=0):
    rng = np.random.default_rng(seed)
    gt = rng.uniform(0, 500, (n, 16, 2))
    pred = gt + rng.normal(0, 12, gt.shape)
    return pred, gt, rng.uniform(20, 60, n), rng.random((n, 16)) < 0.8


def twin(pred, gt, sizes, visible, threshold, joints):
    """Right and scored joints, counted one by one."""
    right, scored = dict.fromkeys(joints, 0), dict.fromkeys(joints, 0)
    for person in range(len(gt)):
        for joint in joints:
            if visible[person][joint]:
                scored[joint] += 1
                (x, y), (u, v) = pred[person][joint], gt[person][joint]
                right[joint] += math.sqrt((x - u) ** 2 + (y - v) ** 2) / sizes[person] <= threshold
    return right, scored


@pytest.mark.parametrize("threshold", [0.1, 0.5])
def test_pckh_agrees_with_a_count_joint_by_joint(threshold):
    pred, gt, sizes, visible = people()
    right, scored = twin(pred, gt, sizes, visible, threshold, PCKH_JOINTS)
    mean = pckh(pred, gt, sizes, visible, threshold)
    assert mean == pytest.approx(100 * sum(right.values()) / sum(scored.values()), abs=1e-12)
    assert 5 < mean < 99
    by_joint = pckh(pred, gt, sizes, visible, threshold, reduce="joint")
    np.testing.assert_allclose(by_joint, [100 * right[joint] / scored[joint] for joint in PCKH_JOINTS], rtol=1e-12)


def test_pckh_leaves_pelvis_and_thorax_out_unless_they_are_asked_for():
    pred, gt, sizes, _ = people()
    pred[:, 6:8] += 1000
    assert pckh(pred, gt, sizes) == pckh(np.delete(pred, [6, 7], 1), np.delete(gt, [6, 7], 1), sizes, joints=None)
    assert pckh(pred, gt, sizes, joints=[6, 7]) == 0


def test_an_error_of_exactly_half_a_head_is_correct_and_a_missing_prediction_is_not():
    gt = np.zeros((1, 16, 2))
    pred = gt.copy()
    pred[0, 0], pred[0, 1] = [16, 0], np.nan
    assert pckh(pred, gt, [32.0], joints=[0]) == 100
    assert pckh(pred, gt, [31.999], joints=[0]) == 0
    assert pckh(pred, gt, [32.0], joints=[1]) == 0


def test_joints_without_ground_truth_are_not_scored():
    pred, gt, sizes, visible = people()
    hidden = np.where(visible[..., None], gt, np.nan)
    assert pckh(pred, hidden, sizes) == pckh(pred, gt, sizes, visible)
    visible[:, 3] = False
    assert np.isnan(pckh(pred, gt, sizes, visible, reduce="joint")).tolist() == [i == 3 for i in range(14)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sizes": np.ones(3)}, r"head_sizes has shape \(3,\), expected \(40,\)"),
        ({"sizes": np.where(np.arange(40) == 7, np.nan, 30)}, "person 7 has no head size, as 1 in all"),
        ({"sizes": np.zeros(40)}, "person 0 has no head size, as 40 in all"),
        ({"visible": np.zeros((40, 16), bool)}, "no joint is visible"),
        ({"visible": np.full((40, 16), 2)}, "expected flags"),
        ({"gt": np.full((40, 16, 2), np.nan)}, r"joint \d+ of person 0 is marked visible and has no ground truth"),
        ({"pred": np.zeros((40, 15, 2))}, r"pred2d has shape \(40, 15, 2\) and gt2d \(40, 16, 2\)"),
    ],
)
def test_pckh_refuses_what_does_not_belong_together(change, said):
    pred, gt, sizes, visible = people()
    given = {"pred": pred, "gt": gt, "sizes": sizes, "visible": visible} | change
    with pytest.raises(InputError, match=said):
        pckh(given["pred"], given["gt"], given["sizes"], given["visible"])


@pytest.mark.parametrize("options", [{"threshold": 0.0}, {"threshold": math.nan}, {"joints": [16]}, {"reduce": "none"}])
def test_pckh_refuses_choices_that_it_does_not_have(options):
    pred, gt, sizes, _ = people()
    with pytest.raises(UsageError):
        pckh(pred, gt, sizes, **options)


def test_pckh_of_another_skeleton_asks_for_its_joints():
    flat = np.zeros((1, 17, 2))
    with pytest.raises(InputError, match="there are 17 joints, expected MPII's 16"):
        pckh(flat, flat, [1.0])
    assert pckh(flat, flat, [1.0], joints=None) == 100


def test_pckh_is_no_metric_of_protocols():
    with pytest.raises(UsageError, match="PCKh"):
        resolve("PCKh@0.5")
