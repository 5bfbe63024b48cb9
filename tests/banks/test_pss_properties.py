"""What the Pose Structure Score rests on: which changes of a pose change its label, and which do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebench.banks import Assigner, ClusterBank, assign_all
from posebench.poses import PoseSet
from tests.support.poses import FEW, people, rotations, seeds


def clear(bank: ClusterBank, poses: np.ndarray, least: float = 1e-6) -> np.ndarray:
    """Poses that are not on a boundary: the second nearest centre is farther by more than rounding."""
    _, distances = bank.two_nearest(poses)
    return poses[distances[:, 1] - distances[:, 0] > least]


def test_a_pose_always_agrees_with_itself(bank, gt):
    np.testing.assert_array_equal(bank.assign(gt), bank.assign(gt.copy()))


@FEW
@given(seed=seeds, size=st.sampled_from([1e-3, 0.37, 1.0, 25.4, 1000.0]))
def test_size_and_place_of_either_side_do_not_matter(bank, seed, size):
    rng = np.random.default_rng(seed)
    poses = clear(bank, people(rng, 20))
    moved = poses * size + rng.normal(0, 1000, (len(poses), 1, 3)) * size
    np.testing.assert_array_equal(bank.assign(moved), bank.assign(poses))


def test_rotation_matters(bank, gt):
    turned = gt @ rotations(np.random.default_rng(0), 1)[0].T
    assert (bank.assign(turned) != bank.assign(gt)).mean() > 0.3


@FEW
@given(seed=seeds)
def test_another_order_of_the_centres_only_renames_the_labels(bank, gt, seed):
    order = np.random.default_rng(seed).permutation(bank.k)
    poses = clear(bank, gt)
    labels, _ = Assigner(bank.layout, [bank.centres[order]]).labels(poses)
    np.testing.assert_array_equal(order[labels[0]], bank.assign(poses))


def plain_label(bank: ClusterBank, pose: np.ndarray) -> int:
    """The definition, in extended precision."""
    centred = pose.astype(np.longdouble) - pose[0]
    return int((((centred / np.sqrt((centred**2).sum()) - bank.centres) ** 2).sum((1, 2))).argmin())


def crossing(bank: ClusterBank, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last pose on the way from start to end that has the label of the start, and the next one, 1e-9 further."""
    low, high = 0.0, 1.0
    label = plain_label(bank, start)
    while high - low > 1e-9:
        middle = (low + high) / 2
        if plain_label(bank, start + middle * (end - start)) == label:
            low = middle
        else:
            high = middle
    return start + low * (end - start), start + high * (end - start)


@pytest.mark.parametrize("i", [0, 100, 200, 399])
def test_a_pose_that_crosses_a_boundary_changes_its_own_label_alone(bank, gt, i):
    centred = gt - gt[:, :1]
    labels = bank.assign(centred)
    other = centred[np.flatnonzero(labels != labels[i])[0]]
    for pose, crossed in zip(crossing(bank, centred[i], other), (False, True), strict=True):
        moved = centred.copy()
        moved[i] = pose
        expected = labels.copy()
        expected[i] = plain_label(bank, pose)
        np.testing.assert_array_equal(bank.assign(moved), expected)
        assert (expected[i] != labels[i]) == crossed


def test_several_banks_in_one_pass_give_what_each_gives_alone(gt):
    banks = [
        ClusterBank.build(gt, k=4, n_init=1),
        ClusterBank.build(gt, k=9, n_init=1),
        ClusterBank.build(gt, k=5, n_init=1, centring="mean"),
        ClusterBank.build(gt, k=5, n_init=1, joints=("pelvis", "head", "LWrist", "RWrist", "LAnkle", "RAnkle")),
    ]
    for bank, found in zip(banks, assign_all(banks, gt), strict=True):
        np.testing.assert_array_equal(found.labels, bank.assign(gt))


def test_many_poses_are_labelled_chunk_by_chunk(bank, gt):
    many = np.tile(gt, (50, 1, 1)).astype(np.float32)
    labels = bank.assign(many)
    np.testing.assert_array_equal(labels, np.tile(labels[: len(gt)], 50))
    squares = bank.squared_distances(many)
    assert squares.shape == (len(many), bank.k)
    np.testing.assert_array_equal(squares.argmin(1), labels)


@pytest.mark.parametrize("threads", ["1", "2", "5"])
def test_labels_do_not_depend_on_threads(bank, gt, threads, monkeypatch):
    expected = bank.assign(np.tile(gt, (60, 1, 1)))
    monkeypatch.setenv("POSEBENCH_THREADS", threads)
    np.testing.assert_array_equal(bank.assign(np.tile(gt, (60, 1, 1))), expected)


def test_no_poses_have_no_labels(bank):
    assert bank.assign(np.zeros((0, 17, 3))).shape == (0,)
    assert bank.two_nearest(np.zeros((0, 17, 3)))[1].shape == (0, 2)
    assert bank.squared_distances(np.zeros((0, 17, 3))).shape == (0, bank.k)


def test_a_set_in_another_skeleton_gets_the_labels_of_its_joints(gt):
    joints = ("pelvis", "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "LShoulder", "LElbow", "LWrist")
    bank = ClusterBank.build(gt, k=5, n_init=1, joints=joints)
    theirs = PoseSet(gt, skeleton="h36m17", reference="camera")
    other = np.zeros((len(gt), 17, 3))
    body = PoseSet(other, skeleton="3dhp17", reference="camera")
    for joint in joints:
        other[:, body.skeleton.index(joint)] = gt[:, theirs.skeleton.index(joint)]
    np.testing.assert_array_equal(bank.assign(body), bank.assign(theirs))


def test_distances_are_missing_where_a_pose_has_no_shape(bank, gt):
    poses = gt[:3].copy()
    poses[1] = 4.0
    labels, distances = bank.two_nearest(poses)
    assert labels[1].tolist() == [-1, -1]
    assert np.isnan(distances[1]).all()
    assert np.isfinite(distances[[0, 2]]).all()
    assert np.isnan(bank.squared_distances(poses)[1]).all()
    assert bank.assign(poses)[1] == -1


@pytest.mark.parametrize("look_up", ["assign", "two_nearest", "squared_distances"])
def test_a_coordinate_that_is_not_finite_is_named(bank, gt, look_up):
    poses = np.tile(gt, (30, 1, 1))
    poses[9000, 12, 1] = np.nan
    poses[11000, 3, 1] = np.inf
    with pytest.raises(ValueError, match=r"mine: pose 9000, joint 12 \(LElbow\) is \[.*nan.*\] and is not masked"):
        getattr(bank, look_up)(PoseSet(poses, source="mine"))
