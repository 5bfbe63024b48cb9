"""What every metric function accepts and refuses: arrays, lists, PoseSets, roots, joints, masks, missing joints."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebench import PoseSet
from posebench.errors import InputError, UsageError
from posebench.metrics import (
    auc,
    axis_error,
    bone_length_error,
    bone_length_spread,
    cps,
    joint_angle_error,
    mpjae,
    mpjpe,
    mpjve,
    mrpe,
    nmpjpe,
    npck,
    pck,
    per_pose,
    pmpjpe,
    symmetry_error,
    worst_joint,
)
from tests.support import twins
from tests.support.poses import FEW, KINDS, MODERATE, make_case, masked, seeds

#: Per pose, over joints, with a root.
JOINT_METRICS = {
    "mpjpe": mpjpe,
    "axis_error": functools.partial(axis_error, axis="z"),
    "worst_joint": worst_joint,
    "pck": pck,
    "npck": npck,
    "auc": auc,
    "cps": cps,
    "cps root": functools.partial(cps, align="root"),
    **{f"nmpjpe {s}": functools.partial(nmpjpe, scale=s) for s in twins.SCALES},
    **{f"pmpjpe {v}": functools.partial(pmpjpe, variant=v) for v in twins.VARIANTS},
}
STRUCTURE = {
    "bone_length_error": bone_length_error,
    "symmetry_error": symmetry_error,
    "joint_angle_error": joint_angle_error,
}
PER_POSE = {**JOINT_METRICS, "mrpe": mrpe, **STRUCTURE}
ACROSS_POSES = {
    "bone_length_spread": bone_length_spread,
    "mpjve": functools.partial(mpjve, fps=50),
    "mpjae": functools.partial(mpjae, fps=50),
}
ALL = {**PER_POSE, **ACROSS_POSES}

HUMAN = make_case("human", n=4)
PRED, GT = HUMAN.pred, HUMAN.gt

every_metric = pytest.mark.parametrize("metric", ALL.values(), ids=ALL)
every_metric_per_pose = pytest.mark.parametrize("metric", PER_POSE.values(), ids=PER_POSE)
every_joint_metric = pytest.mark.parametrize("metric", JOINT_METRICS.values(), ids=JOINT_METRICS)


# ------------------------------------------------------------------------------------------------------ what comes in


@every_metric
def test_arrays_lists_and_pose_sets_are_the_same(metric):
    value = metric(PRED, GT)
    assert isinstance(value, float)
    assert metric(PRED.tolist(), GT.tolist()) == value
    facts = {"unit": "mm", "skeleton": "h36m17", "reference": "camera"}
    assert metric(PoseSet(PRED, **facts), PoseSet(GT, **facts)) == value
    assert metric(PRED, PoseSet(GT, **facts)) == value


@every_metric
def test_a_pose_set_brings_its_own_mask(metric):
    valid = np.ones(GT.shape[:2], bool)
    valid[1:3, [4, 9]] = False
    facts = {"unit": "mm", "skeleton": "h36m17"}
    with_mask = metric(PoseSet(PRED, **facts), PoseSet(GT, valid=valid, **facts))
    assert with_mask == metric(PRED, GT, valid=valid)
    assert with_mask == metric(PRED, GT, valid=valid.tolist()) == metric(PRED, GT, valid=valid.astype(int))


@every_metric
def test_the_prediction_cannot_mask_itself(metric):
    facts = {"unit": "mm", "skeleton": "h36m17"}
    valid = np.ones(GT.shape[:2], bool)
    valid[:, 13:] = False
    with pytest.raises(InputError, match=r"pose 0, joint 13 .*marked invalid where the ground truth holds the joint"):
        metric(PoseSet(PRED, valid=valid, **facts), PoseSet(GT, **facts))
    # Where the ground truth masks the joints as well, nothing is missing.
    assert metric(PoseSet(PRED, valid=valid, **facts), PoseSet(GT, valid=valid, **facts)) == metric(
        PRED, GT, valid=valid
    )


@every_metric
def test_metres_are_understood_where_they_are_declared(metric):
    in_metres = PoseSet(PRED / 1000, unit="m", skeleton="h36m17")
    assert metric(in_metres, PoseSet(GT, unit="mm", skeleton="h36m17")) == pytest.approx(metric(PRED, GT), rel=1e-9)


@every_metric
def test_a_set_that_does_not_say_its_unit_is_refused(metric):
    with pytest.raises(InputError, match="unit"):
        metric(PoseSet(PRED, skeleton="h36m17"), GT)


@every_metric
def test_memory_layout_does_not_matter(metric):
    value = pytest.approx(metric(PRED, GT), rel=1e-12)
    assert metric(np.asfortranarray(PRED), np.asfortranarray(GT)) == value
    assert metric(np.repeat(PRED, 2, 0)[::2], GT[::-1][::-1]) == value
    assert metric(PRED.astype(">f8"), GT) == value


@every_metric
def test_the_inputs_are_left_as_they_were(metric):
    case = masked(HUMAN, np.random.default_rng(0), 0.1, keep=(0,))
    pred, gt, valid = case.pred.copy(), case.gt.copy(), case.valid.copy()
    metric(case.pred, case.gt, valid=case.valid)
    for before, after in ((pred, case.pred), (gt, case.gt), (valid, case.valid)):
        np.testing.assert_array_equal(before, after)


@every_metric
def test_single_precision_is_computed_in_double(metric):
    pred, gt = PRED.astype(np.float32), GT.astype(np.float32)
    assert metric(pred, gt) == pytest.approx(metric(pred.astype(float), gt.astype(float)), rel=1e-12)


@every_metric
def test_one_pose_without_its_batch_axis_is_refused_with_the_remedy(metric):
    with pytest.raises(InputError, match=r"poses\[None\]"):
        metric(PRED[0], GT[0])


@every_metric
@pytest.mark.parametrize(
    ("pred", "gt"),
    [
        (PRED[:3], GT),
        (PRED, GT[:, :16]),
        (PRED[..., :2], GT[..., :2]),
        (PRED.swapaxes(1, 2), GT.swapaxes(1, 2)),
        (PRED[:0], GT[:0]),
        (PRED[:, :0], GT[:, :0]),
        (PRED.astype(complex), GT),
        (PRED > 0, GT),
        ("pred.npz", "gt.npz"),
        (None, GT),
        ([[[1, 2, 3]], [[1, 2]]], GT),
    ],
    ids=["frames", "joints", "2d", "swapped", "no frames", "no joints", "complex", "bool", "text", "none", "ragged"],
)
def test_what_is_not_two_arrays_of_poses_is_refused(metric, pred, gt):
    with pytest.raises(InputError):
        metric(pred, gt)


# --------------------------------------------------------------------------------------------------- roots and joints


@pytest.mark.parametrize(
    "root",
    [-1, 17, 10**9, 0.5, 1.0, "pelvis", True, [0]],
    ids=["-1", "17", "huge", "0.5", "1.0", "name", "True", "list"],
)
def test_a_root_that_is_no_joint_is_refused(root):
    for metric in (*JOINT_METRICS.values(), mrpe, ALL["mpjve"], ALL["mpjae"]):
        with pytest.raises(UsageError, match="root"):
            metric(PRED, GT, root=root)


@pytest.mark.parametrize("name", ["nmpjpe least_squares", "npck", "auc", "axis_error", "mrpe", "mpjve"])
def test_what_needs_a_root_cannot_do_without(name):
    with pytest.raises(UsageError, match="root"):
        ALL[name](PRED, GT, root=None)


@pytest.mark.parametrize(
    "joints",
    [[], [17], [-1], [1, 1], [0.0, 1.0], ["LHip"], 3, [[1], [2]], [[1], [2, 3]], "legs", np.ones(17, bool)],
    ids=["none", "17", "-1", "twice", "floats", "names", "number", "nested", "ragged", "text", "mask"],
)
def test_joints_that_are_no_list_of_joints_are_refused(joints):
    for name, metric in ALL.items():
        if name != "mrpe":
            with pytest.raises(UsageError, match="joints"):
                metric(PRED, GT, joints=joints)


@every_metric
def test_joints_may_come_as_any_sequence(metric):
    if metric is mrpe:
        return
    value = metric(PRED, GT, joints=list(range(1, 17)))
    assert metric(PRED, GT, joints=range(1, 17)) == value
    assert metric(PRED, GT, joints=np.arange(1, 17, dtype=np.uint8)) == value
    assert metric(PRED, GT, joints=tuple(range(1, 17))) == value


@every_joint_metric
def test_the_order_of_the_joints_does_not_matter(metric):
    order = np.random.default_rng(0).permutation(17)
    assert metric(PRED, GT, joints=order) == pytest.approx(metric(PRED, GT), rel=1e-9)


@every_joint_metric
def test_a_subset_that_holds_the_root_is_the_same_as_a_smaller_skeleton(metric):
    chosen = [3, 0, 8, 12, 13, 16]
    smaller = metric(PRED[:, chosen], GT[:, chosen], root=2)
    assert metric(PRED, GT, joints=chosen, root=8) == pytest.approx(smaller, rel=1e-12)


@every_metric_per_pose
def test_an_unknown_reduction_is_refused(metric):
    with pytest.raises(UsageError, match="reduce"):
        metric(PRED, GT, reduce="sum")


@pytest.mark.parametrize("name", ["", "procrustes,", "X", "all", "None", None, "least_squares)"])
def test_variants_that_do_not_exist_are_refused(name):
    for metric in (
        functools.partial(nmpjpe, scale=name),
        functools.partial(npck, scale=name),
        functools.partial(pmpjpe, variant=name),
        functools.partial(cps, align=name),
        functools.partial(axis_error, axis=name),
    ):
        with pytest.raises(UsageError):
            metric(PRED, GT)


@pytest.mark.parametrize(
    "valid",
    [np.ones((4, 16)), np.ones(17), np.full((4, 17), 2), np.full((4, 17), np.nan)],
    ids=["16", "1d", "2", "nan"],
)
def test_a_mask_that_is_not_one_flag_per_joint_is_refused(valid):
    with pytest.raises(InputError, match="valid"):
        mpjpe(PRED, GT, valid=valid)


# ----------------------------------------------------------------------------------------------------- missing joints


@every_metric
@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_a_missing_joint_is_refused_by_pose_and_joint(metric, hole):
    if metric is mrpe:
        return
    broken = PRED.copy()
    broken[2, 6, 1] = hole
    with pytest.raises(InputError, match=r"pred: pose 2, joint 6 \(LAnkle\)"):
        metric(broken, GT)
    with pytest.raises(InputError, match=r"gt: pose 2, joint 6 \(LAnkle\)"):
        metric(PRED, broken)


def test_a_missing_root_is_refused():
    broken = PRED.copy()
    broken[3, 0] = np.nan
    for metric in (*JOINT_METRICS.values(), mrpe):
        with pytest.raises(InputError, match="pose 3, joint 0"):
            metric(broken, GT)


def test_a_missing_root_that_is_not_scored_is_refused_where_it_is_needed():
    broken = PRED.copy()
    broken[3, 0] = np.nan
    with pytest.raises(InputError, match="pose 3, joint 0"):
        mpjpe(broken, GT, joints=range(1, 17))
    assert mpjpe(broken, GT, joints=range(1, 17), root=None) == mpjpe(PRED, GT, joints=range(1, 17), root=None)


@every_metric
def test_a_missing_joint_late_in_a_long_set_is_named_by_its_place_in_the_set(metric):
    if metric is mrpe:
        return
    pred, gt = np.tile(PRED, (1300, 1, 1)), np.tile(GT, (1300, 1, 1))
    pred[5001, 3] = np.nan
    with pytest.raises(InputError, match="pose 5001, joint 3"):
        metric(pred, gt)


@every_joint_metric
@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf, 1e30, -4.5e4])
def test_what_stands_in_a_masked_joint_never_changes_a_result(metric, hole):
    valid = np.ones(GT.shape[:2], bool)
    valid[1:, [2, 7]] = False
    value = metric(PRED, GT, valid=valid)
    pred, gt = PRED.copy(), GT.copy()
    pred[1:, [2, 7]] = hole
    gt[1:, [2, 7]] = -hole
    assert metric(pred, gt, valid=valid) == value
    assert metric(PRED, gt, valid=valid) == metric(pred, GT, valid=valid) == value


@pytest.mark.parametrize("metric", [*STRUCTURE.values(), mrpe, *ACROSS_POSES.values()])
def test_nor_does_it_in_the_metrics_across_joints_or_frames(metric):
    valid = np.ones(GT.shape[:2], bool)
    valid[1:3, [2, 7]] = False
    value = metric(PRED, GT, valid=valid)
    for hole in (np.nan, np.inf, 1e30):
        pred, gt = PRED.copy(), GT.copy()
        pred[1:3, [2, 7]] = hole
        gt[1:3, [2, 7]] = -hole
        assert metric(pred, gt, valid=valid) == value


@every_metric
def test_with_nothing_left_to_score_there_is_no_number(metric):
    with pytest.raises(InputError):
        metric(PRED, GT, valid=np.zeros(GT.shape[:2], bool))


# ----------------------------------------------------------------------------------------------------- what comes out


@every_metric_per_pose
@pytest.mark.parametrize("n", [1, 2, 3, 17])
def test_one_value_per_pose(metric, n):
    case = make_case("human", n=n)
    values = metric(case.pred, case.gt, reduce="none")
    assert values.shape == (n,) and values.dtype == np.float64
    assert metric(case.pred, case.gt) == pytest.approx(values.mean(), rel=1e-12)


@every_metric_per_pose
@FEW
@given(st.sampled_from([2, 3, 17]), st.sampled_from([k for k in KINDS if k != "whole numbers"]), seeds)
def test_a_batch_holds_the_values_of_its_poses(metric, n, kind, seed):
    case = make_case(kind, n=n, seed=seed)
    together = metric(case.pred, case.gt, reduce="none")
    alone = np.concatenate([metric(case.pred[i : i + 1], case.gt[i : i + 1], reduce="none") for i in range(n)])
    np.testing.assert_allclose(together, alone, rtol=1e-12, atol=1e-14 * case.reach)


@MODERATE
@given(st.integers(1, 9000), seeds)
def test_no_pose_of_an_incomplete_chunk_is_dropped(n, seed):
    gt = np.random.default_rng(seed).normal(0, 300, (n, 3, 3))
    pred = gt.copy()
    pred[-1, 1, 0] += 300 * n
    assert mpjpe(pred, gt) == pytest.approx(100)


@pytest.mark.parametrize("metrics", ["MPJPE", [], ()], ids=["a lone spelling", "an empty list", "an empty tuple"])
def test_per_pose_wants_a_list_of_metrics(metrics):
    with pytest.raises(UsageError, match="expected a list of spellings"):
        per_pose(PRED, GT, metrics)
