"""Bone lengths and their spread, symmetry, joint angles: the body seen from inside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebench.errors import InputError, UsageError
from posebench.metrics import bone_length_error, bone_length_spread, joint_angle_error, symmetry_error
from posebench.metrics.evaluate import as_poseset, make_setup
from posebench.metrics.registry import resolve
from posebench.metrics.structure import SpreadState
from posebench.skeletons import H36M17, Skeleton
from tests.support import twins
from tests.support.compare import assert_values
from tests.support.poses import FEW, KINDS, MODERATE, cases, make_case, people, rotations, seeds

PELVIS, RHIP, RKNEE, RANKLE, LHIP, LKNEE, LANKLE, SPINE, THORAX, NOSE, HEAD = range(11)
LSHOULDER, LELBOW, LWRIST, RSHOULDER, RELBOW, RWRIST = range(11, 17)

#: Written out a second time, so that a slip in the skeleton shows.
BONES = (
    (PELVIS, RHIP), (RHIP, RKNEE), (RKNEE, RANKLE), (PELVIS, LHIP), (LHIP, LKNEE), (LKNEE, LANKLE), (PELVIS, SPINE),
    (SPINE, THORAX), (THORAX, NOSE), (NOSE, HEAD), (THORAX, LSHOULDER), (LSHOULDER, LELBOW), (LELBOW, LWRIST),
    (THORAX, RSHOULDER), (RSHOULDER, RELBOW), (RELBOW, RWRIST),
)  # fmt: skip
PAIRS = (
    ((PELVIS, LHIP), (PELVIS, RHIP)), ((LHIP, LKNEE), (RHIP, RKNEE)), ((LKNEE, LANKLE), (RKNEE, RANKLE)),
    ((THORAX, LSHOULDER), (THORAX, RSHOULDER)), ((LSHOULDER, LELBOW), (RSHOULDER, RELBOW)),
    ((LELBOW, LWRIST), (RELBOW, RWRIST)),
)  # fmt: skip
HINGES = (
    (PELVIS, RHIP, RKNEE), (RHIP, RKNEE, RANKLE), (PELVIS, LHIP, LKNEE), (LHIP, LKNEE, LANKLE),
    (PELVIS, SPINE, THORAX), (THORAX, NOSE, HEAD), (THORAX, LSHOULDER, LELBOW), (LSHOULDER, LELBOW, LWRIST),
    (THORAX, RSHOULDER, RELBOW), (RSHOULDER, RELBOW, RWRIST),
)  # fmt: skip

#: Pelvis, right hip, knee and ankle are enough of a leg.
LEG = [PELVIS, RHIP, RKNEE, RANKLE]
STRUCTURE = (bone_length_error, symmetry_error, joint_angle_error)

#: Where lengths and angles mean something.
SOLID = tuple(k for k in KINDS if k not in ("coincident", "whole numbers", "collinear", "collinear prediction"))


def leg(*points) -> np.ndarray:
    """One pose that holds a right leg; the other joints lie in the pelvis and are not scored."""
    pose = np.zeros((1, 17, 3))
    pose[0, LEG] = points
    return pose


STRAIGHT = leg([0, 0, 0], [100, 0, 0], [500, 0, 0], [900, 0, 0])
BENT = leg([0, 0, 0], [100, 0, 0], [500, 0, 0], [500, 300, 0])


def test_the_bones_are_those_of_the_skeleton():
    assert sorted(H36M17.bones) == sorted(BONES)
    pairs = {(H36M17.bones[a], H36M17.bones[b]) for a, b in H36M17.mirrored_bones}
    assert pairs == set(PAIRS)
    assert sorted(H36M17.hinges) == sorted(HINGES)


def test_a_shin_100_mm_short_among_three_bones():
    assert bone_length_error(BENT, STRAIGHT, joints=LEG) == pytest.approx(100 / 3)


def test_a_right_angle_against_a_straight_leg():
    # The hip is straight in both, the knee is off by 90 degrees.
    assert joint_angle_error(BENT, STRAIGHT, joints=LEG) == pytest.approx(45)


def test_an_angle_does_not_depend_on_size():
    assert joint_angle_error(BENT * 1e-3, BENT, joints=LEG) == pytest.approx(0, abs=1e-9)


def test_small_angles_are_not_lost():
    turned = leg([0, 0, 0], [100, 0, 0], [500, 0, 0], [900, 400 * np.tan(1e-7), 0])
    assert joint_angle_error(turned, STRAIGHT, joints=LEG) == pytest.approx(np.degrees(1e-7) / 2, rel=1e-6)


def test_a_predicted_bone_without_length_counts_as_the_largest_error_there_can_be():
    collapsed = leg([0, 0, 0], [100, 0, 0], [500, 0, 0], [500, 0, 0])
    # The true knee is at 90 degrees, so no angle is off by more than 90; the hip is right.
    assert joint_angle_error(collapsed, BENT, joints=LEG) == pytest.approx(45)
    assert joint_angle_error(collapsed, STRAIGHT, joints=LEG) == pytest.approx(90)


def test_a_true_bone_without_length_has_no_angle_to_be_wrong_about():
    collapsed = leg([0, 0, 0], [100, 0, 0], [500, 0, 0], [500, 0, 0])
    assert joint_angle_error(STRAIGHT, collapsed, joints=LEG) == pytest.approx(0, abs=1e-9)


def test_symmetry_looks_at_the_prediction_alone():
    person = people(np.random.default_rng(0), 1)
    lopsided = person.copy()
    lopsided[0, LWRIST] += 0.5 * (person[0, LWRIST] - person[0, LELBOW])
    by_hand = twins.symmetry_error(lopsided, person, pairs=PAIRS)
    assert symmetry_error(lopsided, person) == pytest.approx(by_hand[0])
    assert symmetry_error(lopsided, 3 * person + 9) == symmetry_error(lopsided, person)


def test_an_arm_that_is_always_too_long_has_no_spread():
    gt = np.repeat(people(np.random.default_rng(0), 1), 4, 0)
    pred = gt.copy()
    pred[:, LWRIST] += 0.4 * (gt[:, LWRIST] - gt[:, LELBOW])
    assert bone_length_spread(pred, gt) == pytest.approx(0, abs=1e-9)
    assert bone_length_error(pred, gt) > 1


def test_an_arm_that_breathes_has():
    gt = np.repeat(STRAIGHT, 2, 0)
    pred = gt.copy()
    pred[0, RANKLE, 0] += 30
    pred[1, RANKLE, 0] -= 30
    assert bone_length_spread(pred, gt, joints=LEG) == pytest.approx(30 / 3)


def test_a_masked_end_takes_the_bone_out():
    valid = np.ones((1, 17), bool)
    valid[0, RANKLE] = False
    assert bone_length_error(BENT, STRAIGHT, joints=LEG, valid=valid) == pytest.approx(0, abs=1e-9)


def test_a_pose_without_a_whole_bone_is_left_out():
    gt, pred = np.repeat(STRAIGHT, 2, 0), np.concatenate([BENT, STRAIGHT * 2])
    valid = np.ones((2, 17), bool)
    valid[1, [RHIP, RANKLE]] = False
    assert bone_length_error(pred, gt, joints=LEG, valid=valid) == bone_length_error(BENT, STRAIGHT, joints=LEG)


@pytest.mark.parametrize("metric", [*STRUCTURE, bone_length_spread])
def test_a_ground_truth_whose_joints_coincide_is_out_of_every_mean(metric):
    rng = np.random.default_rng(0)
    gt = people(rng, 4)
    pred = gt + rng.normal(0, 30, gt.shape)
    broken = gt.copy()
    broken[3] = 5.0
    assert metric(pred, broken) == pytest.approx(metric(pred[:3], gt[:3]), rel=1e-12)


@pytest.mark.parametrize("metric", [*STRUCTURE, bone_length_spread])
def test_a_missing_joint_is_refused_and_named(metric):
    rng = np.random.default_rng(0)
    gt = people(rng, 4)
    pred = gt + rng.normal(0, 30, gt.shape)
    pred[2, LWRIST] = np.nan
    with pytest.raises(InputError, match=r"pred: pose 2, joint 13 \(LWrist\)"):
        metric(pred, gt)
    with pytest.raises(InputError, match=r"gt: pose 2, joint 13"):
        metric(gt, pred)


def test_without_a_skeleton_there_are_no_bones():
    pose = np.random.default_rng(0).normal(size=(1, 5, 3))
    for metric in (*STRUCTURE, bone_length_spread):
        with pytest.raises(UsageError, match="skeleton"):
            metric(pose, pose)


def test_a_skeleton_of_another_size_is_refused():
    pose = np.random.default_rng(0).normal(size=(1, 5, 3))
    with pytest.raises(UsageError, match="17 joints"):
        bone_length_error(pose, pose, skeleton="h36m17")


def test_any_skeleton_will_do():
    arm = Skeleton("arm", ("a", "b", "c"), (-1, 0, 1), 0, (), {})
    gt = np.array([[[0, 0, 0], [100, 0, 0], [200, 0, 0]]], float)
    pred = np.array([[[0, 0, 0], [100, 0, 0], [100, 50, 0]]], float)
    assert bone_length_error(pred, gt, skeleton=arm) == pytest.approx(25)
    assert joint_angle_error(pred, gt, skeleton=arm) == pytest.approx(90)
    with pytest.raises(UsageError, match="mirrored bones"):
        symmetry_error(pred, gt, skeleton=arm)


def test_joints_that_share_no_bone_are_refused():
    with pytest.raises(UsageError, match="no bones"):
        bone_length_error(STRAIGHT, STRAIGHT, joints=[RANKLE, HEAD])


@MODERATE
@given(cases(joint_counts=(17,), kinds=SOLID), st.sampled_from([None, tuple(range(17)), (0, 1, 2, 3, 4, 5, 6)]))
def test_structure_equals_its_twins(case, joints):
    options = {"joints": joints, "valid": case.valid}
    for metric, twin, parts in (
        (bone_length_error, twins.bone_length_error, {"bones": BONES}),
        (symmetry_error, twins.symmetry_error, {"pairs": PAIRS}),
    ):
        ours = metric(case.pred, case.gt, reduce="none", **options)
        assert_values(ours, twin(case.pred, case.gt, **parts, **options), case)


@MODERATE
@given(cases(joint_counts=(17,), kinds=("human", "gaussian", "planar", "mirrored", "huge", "near collinear")))
def test_joint_angles_equal_their_twin(case):
    options = {"joints": None, "valid": case.valid}
    ours = joint_angle_error(case.pred, case.gt, reduce="none", **options)
    twin = twins.joint_angle_error(case.pred, case.gt, hinges=HINGES, **options)
    np.testing.assert_allclose(ours, twin, rtol=1e-9, atol=1e-7)


@MODERATE
@given(cases(joint_counts=(17,), kinds=SOLID))
def test_the_spread_equals_its_twin(case):
    if case.valid is not None and not any((case.valid[:, a] & case.valid[:, b]).any() for a, b in BONES):
        with pytest.raises(InputError):
            bone_length_spread(case.pred, case.gt, valid=case.valid)
        return
    ours = bone_length_spread(case.pred, case.gt, valid=case.valid)
    twin = twins.bone_length_spread(case.pred, case.gt, bones=BONES, valid=case.valid)
    np.testing.assert_allclose(ours, twin, rtol=1e-9, atol=1e-10 * case.reach)


@FEW
@given(seeds)
def test_where_the_person_stands_and_faces_does_not_matter(seed):
    case = make_case("human", n=3, seed=seed)
    rng = np.random.default_rng(seed)
    moved = case.pred @ rotations(rng, 3) + rng.normal(0, 1000, (3, 1, 3))
    for metric in STRUCTURE:
        np.testing.assert_allclose(metric(moved, case.gt), metric(case.pred, case.gt), rtol=1e-9)


@pytest.mark.parametrize("metric", STRUCTURE)
def test_a_batch_is_the_mean_of_its_poses(metric):
    for n in (2, 3, 17):
        case = make_case("human", n=n)
        alone = [metric(case.pred[i : i + 1], case.gt[i : i + 1]) for i in range(n)]
        np.testing.assert_allclose(metric(case.pred, case.gt, reduce="none"), alone, rtol=1e-12)


# --------------------------------------------------------------------------------------------------------- SpreadState


@FEW
@given(seeds, st.integers(1, 6), st.integers(1, 4))
def test_the_spread_does_not_depend_on_how_the_frames_were_split(seed, parts, cells):
    rng = np.random.default_rng(seed)
    n = 40
    gt = people(rng, n)
    pred = gt + rng.normal(0, 40, gt.shape)
    known = rng.random((n, 17)) > 0.2
    setup = make_setup(as_poseset(pred, "pred"), as_poseset(gt, "gt"), None, None, None, resolve("BoneSpread"))
    cell, part = rng.integers(0, cells, n), rng.integers(0, parts, n)

    whole = SpreadState(len(setup.bones()))
    whole.update(pred, gt, known, setup, cell)
    merged = SpreadState(len(setup.bones()))
    for k in range(parts):
        # Each part names the cells it has seen in its own order.
        rows = part == k
        names = rng.permutation(cells)
        state = SpreadState(len(setup.bones()))
        state.update(pred[rows], gt[rows], known[rows], setup, np.argsort(names)[cell[rows]])
        state.grow(cells)
        merged.merge(state, names)
    np.testing.assert_allclose(merged.moments[: len(whole.moments)], whole.moments, rtol=1e-9, atol=1e-9)
    everything = np.arange(cells)
    twin = twins.bone_length_spread(pred, gt, bones=setup.bones(), valid=known)
    np.testing.assert_allclose(merged.value(everything), twin, rtol=1e-9)
    np.testing.assert_allclose(whole.value(everything), twin, rtol=1e-9)


def test_the_spread_of_nothing_is_not_a_number():
    assert np.isnan(SpreadState(3).value(np.array([0, 1])))
