"""Thinning: every n-th frame of a sequence, or only frames whose pose has changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebench.banks import Layout, thin_by_distance, thin_by_stride
from posebench.banks.thin import sequence_codes
from posebench.errors import InputError, UsageError
from posebench.poses import PoseSet
from tests.support.poses import FEW, seeds

PAIR = Layout("pair", ("pelvis", "head"), "pelvis", "camera")


def turned(angles) -> np.ndarray:
    """Poses (N, 2, 3) of two joints, one at the other's side by an angle in rad."""
    angles = np.asarray(angles, float)
    poses = np.zeros((len(angles), 2, 3))
    poses[:, 1] = np.stack([np.cos(angles), np.sin(angles), np.zeros(len(angles))], axis=1)
    return poses


def greedy(angles, sequences, limit) -> list[int]:
    """Rows kept one by one, by the chord between angles."""
    last: dict = {}
    kept = []
    for i, (angle, sequence) in enumerate(zip(angles, sequences, strict=True)):
        if sequence not in last or 2 * abs(np.sin((angle - last[sequence]) / 2)) >= limit:
            last[sequence] = angle
            kept.append(i)
    return kept


@FEW
@given(seed=seeds, stride=st.integers(1, 5))
def test_a_stride_counts_within_each_sequence(seed, stride):
    sequences = np.random.default_rng(seed).integers(0, 3, 30)
    seen = [0, 0, 0]
    expected = []
    for i, sequence in enumerate(sequences):
        if seen[sequence] % stride == 0:
            expected.append(i)
        seen[sequence] += 1
    assert thin_by_stride(PoseSet(np.zeros((30, 2, 3)), sequence=sequences), stride).tolist() == expected


def test_the_same_sequence_of_another_subject_or_camera_is_another_sequence():
    poses = PoseSet(
        np.zeros((6, 2, 3)),
        subject=["S1", "S1", "S2", "S2", "S2", "S2"],
        sequence="walk",
        camera=["a", "a", "a", "a", "b", "b"],
    )
    assert sequence_codes(poses).tolist() == [0, 0, 1, 1, 2, 2]
    assert thin_by_stride(poses, 2).tolist() == [0, 2, 4]


def test_a_set_without_keys_is_one_sequence():
    assert thin_by_stride(PoseSet(np.zeros((5, 2, 3))), 2).tolist() == [0, 2, 4]


@FEW
@given(seed=seeds, limit=st.sampled_from([0.05, 0.3, 1.0]))
def test_a_pose_is_kept_once_it_has_moved_far_enough_from_the_last_one_kept(seed, limit):
    rng = np.random.default_rng(seed)
    angles, sequences = np.cumsum(rng.uniform(0, 0.2, 60)), rng.integers(0, 2, 60)
    poses = PoseSet(turned(angles) * rng.uniform(1, 9, (60, 1, 1)), sequence=sequences)
    assert thin_by_distance(poses, limit, PAIR).tolist() == greedy(angles, sequences, limit)


def test_a_pose_at_exactly_the_distance_is_kept():
    poses = np.array([[[0.0, 0, 0], [1, 0, 0]], [[0.0, 0, 0], [-1, 0, 0]]])
    assert thin_by_distance(poses, 2.0, PAIR).tolist() == [0, 1]


def test_at_distance_zero_everything_is_kept():
    assert thin_by_distance(turned(np.zeros(5)), 0.0, PAIR).tolist() == [0, 1, 2, 3, 4]


def test_a_sequence_goes_on_from_chunk_to_chunk():
    angles = np.tile([0.0, 0.0, 1.0], 6000)
    assert thin_by_distance(turned(angles), 0.5, PAIR).tolist() == greedy(angles, angles * 0, 0.5)


def test_poses_without_a_shape_are_not_kept_and_not_compared_with():
    poses = turned([0.0, 0.0, 0.3, 0.3])
    poses[1] = 5.0
    valid = np.ones((4, 2), bool)
    valid[2, 1] = False
    assert thin_by_distance(PoseSet(poses, valid=valid), 0.1, PAIR).tolist() == [0, 3]


def test_no_poses_stay_no_poses():
    assert thin_by_distance(np.zeros((0, 2, 3)), 0.1, PAIR).shape == (0,)
    assert thin_by_stride(PoseSet(np.zeros((0, 2, 3))), 3).shape == (0,)


def test_a_coordinate_that_is_not_finite_is_named():
    poses = turned(np.zeros(3))
    poses[2, 1, 0] = np.nan
    with pytest.raises(InputError, match=r"pose 2, joint 1 \(head\)"):
        thin_by_distance(poses, 0.1, PAIR)


@pytest.mark.parametrize("stride", [0, -1, 1.5, True, "2"])
def test_a_stride_is_a_whole_number_from_1(stride):
    with pytest.raises(UsageError, match=r"stride is .*, expected a whole number from 1"):
        thin_by_stride(PoseSet(np.zeros((1, 2, 3))), stride)


@pytest.mark.parametrize("distance", [-0.1, 2.1, float("nan"), "1", None, True])
def test_a_distance_is_a_number_from_0_to_2(distance):
    with pytest.raises(UsageError, match=r"min_distance is .*, expected a number from 0 to 2"):
        thin_by_distance(turned([0.0]), distance, PAIR)
