"""MPJVE and MPJAE: never across sequences, never across gaps, and the same however the frames arrive."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebench.errors import InputError, UsageError
from posebench.metrics import mpjae, mpjve
from posebench.metrics.motion import MotionState
from posebench.metrics.registry import FieldKind
from tests.support import twins
from tests.support.poses import FEW, MODERATE, people, seeds

STILL = np.zeros((4, 2, 3)) + [[0, 0, 0], [0, 100, 0]]


def moving(*steps) -> np.ndarray:
    """The second joint displaced along x by these amounts, frame by frame; the root stays."""
    pred = STILL[: len(steps)].copy()
    pred[:, 1, 0] = steps
    return pred


def test_velocity_is_per_second():
    pred = moving(0, 2, 6, 6)  # steps of 2, 4 and 0 mm, of which the still root takes half
    assert mpjve(pred, STILL, fps=None) == pytest.approx(1)
    assert mpjve(pred, STILL, fps=50) == pytest.approx(50)


def test_acceleration_is_per_second_squared():
    pred = moving(0, 2, 6, 6)  # bends of 2 and 4 mm
    assert mpjae(pred, STILL, fps=None) == pytest.approx(1.5)
    assert mpjae(pred, STILL, fps=10) == pytest.approx(150)


def test_a_constant_offset_does_not_move():
    assert mpjve(STILL + [[0, 0, 0], [50, 0, 0]], STILL, fps=50) == 0


def test_where_the_person_walks_does_not_matter():
    walk = np.arange(4)[:, None, None] * [100.0, 0, 0]
    assert mpjve(STILL + walk, STILL, fps=50) == pytest.approx(0, abs=1e-9)


def test_both_sides_moving_alike_is_no_error():
    dance = moving(0, 30, -20, 90)
    assert mpjve(dance, dance, fps=25) == mpjae(dance, dance, fps=25) == 0


def test_differences_never_cross_from_one_sequence_to_another():
    pred = moving(0, 0, 500, 500)
    assert mpjve(pred, STILL, fps=1, sequence=["a", "a", "b", "b"]) == 0
    assert mpjve(pred, STILL, fps=1) > 80


def test_frames_may_come_in_any_order():
    pred = moving(0, 2, 6, 6)
    order = [2, 0, 3, 1]
    assert mpjae(pred[order], STILL, fps=None, frame=order) == mpjae(pred, STILL, fps=None)


def test_sequences_may_be_interleaved():
    pred = moving(0, 0, 2, 4)  # the sequence "a" goes 0, 2 and "b" goes 0, 4
    assert mpjve(pred, STILL, fps=None, sequence=["a", "b", "a", "b"]) == pytest.approx(1.5)


def test_a_gap_is_refused_and_named():
    with pytest.raises(InputError, match="goes from 1 to 3"):
        mpjve(STILL, STILL, fps=50, frame=[0, 1, 3, 4])


def test_a_frame_that_stands_twice_is_refused():
    with pytest.raises(InputError, match="frame 1 stands twice"):
        mpjve(STILL, STILL, fps=50, frame=[0, 1, 1, 2])


def test_frames_need_not_start_at_zero():
    assert mpjve(moving(0, 2, 6, 6), STILL, fps=None, frame=[7, 8, 9, 10]) == pytest.approx(1)


def test_too_few_frames_are_refused():
    with pytest.raises(InputError, match="MPJVE"):
        mpjve(STILL[:1], STILL[:1], fps=50)
    with pytest.raises(InputError, match="MPJAE"):
        mpjae(STILL[:2], STILL[:2], fps=50)
    with pytest.raises(InputError):
        mpjve(STILL, STILL, fps=50, sequence=["a", "b", "c", "d"])


@pytest.mark.parametrize("fps", [0, -25, float("nan"), float("inf")])
def test_frames_per_second_are_a_positive_number(fps):
    for metric in (mpjve, mpjae):
        with pytest.raises(UsageError, match="fps"):
            metric(STILL, STILL, fps=fps)


def test_a_masked_joint_takes_the_steps_from_and_to_it_out():
    gt = np.zeros((4, 3, 3)) + [[0, 0, 0], [0, 100, 0], [0, 200, 0]]
    pred = gt.copy()
    pred[:, 1, 0] = [0, 900, 6, 8]
    pred[:, 2, 0] = [0, 10, 20, 30]
    valid = np.ones((4, 3), bool)
    valid[1, 1] = False
    # In the first two steps the root and the last joint are left, in the last all three.
    assert mpjve(pred, gt, fps=None, valid=valid) == pytest.approx((10 / 2 + 10 / 2 + (2 + 10) / 3) / 3)


def test_a_masked_root_takes_the_steps_from_and_to_its_frame_out():
    pred = moving(0, 900, 6, 8)
    valid = np.ones((4, 2), bool)
    valid[1, 0] = False
    assert mpjve(pred, STILL, fps=None, valid=valid) == pytest.approx(1)


def test_a_frame_whose_true_joints_coincide_is_out_of_the_mean():
    gt = STILL.copy()
    gt[0] = 7.0
    pred = moving(500, 0, 2, 6)
    assert mpjve(pred, gt, fps=None) == pytest.approx(mpjve(pred[1:], gt[1:], fps=None))
    assert mpjae(pred, gt, fps=None) == pytest.approx(mpjae(pred[1:], gt[1:], fps=None))


def test_a_missing_joint_is_refused_and_named():
    pred = moving(0, 2, 6, 6)
    pred[2, 1, 1] = np.nan
    for metric in (mpjve, mpjae):
        with pytest.raises(InputError, match="pose 2, joint 1"):
            metric(pred, STILL, fps=50)


def recording(rng, n, masks=True):
    """Two people with noise, three sequences whose frames are shuffled among each other, and a mask."""
    gt = people(rng, n)
    pred = gt + rng.normal(0, 40, gt.shape)
    sequence = np.sort(rng.integers(0, 3, n))
    frame = np.concatenate([np.arange((sequence == s).sum()) + rng.integers(0, 100) for s in range(3)])
    valid = rng.random((n, 17)) > 0.15 if masks else np.ones((n, 17), bool)
    order = rng.permutation(n)
    return pred[order], gt[order], sequence[order], frame[order], valid[order]


@MODERATE
@given(seeds, st.integers(9, 40), st.sampled_from([None, 25.0, 50]), st.sampled_from([0, 8]), st.booleans())
def test_equal_their_twins(seed, n, fps, root, subset):
    pred, gt, sequence, frame, valid = recording(np.random.default_rng(seed), n)
    joints = (3, 5, 16, 1) if subset else None
    options = {"fps": fps, "sequence": sequence, "frame": frame, "valid": valid, "root": root, "joints": joints}
    if max(np.bincount(sequence)) < 4:
        return
    for metric, order in ((mpjve, 1), (mpjae, 2)):
        twin = twins.motion_error(pred, gt, order=order, **options)
        if np.isnan(twin):
            with pytest.raises(InputError):
                metric(pred, gt, **options)
        else:
            np.testing.assert_allclose(metric(pred, gt, **options), twin, rtol=1e-9)


# --------------------------------------------------------------------------------------------------------- MotionState


def by_hand(vectors, cells, frames, order):
    """Per cell: sum of frame values, frames, sum of joint values, joints; over runs of consecutive frames."""
    sums = np.zeros((cells.max() + 1, 4))
    at = {(c, f): v for c, f, v in zip(cells.tolist(), frames.tolist(), vectors, strict=True)}
    for (c, f), last in at.items():
        before = [at.get((c, f - k)) for k in range(1, order + 1)]
        if any(v is None for v in before):
            continue
        difference = last - before[0] if order == 1 else last - 2 * before[0] + before[1]
        errors = np.linalg.norm(difference, axis=1)
        errors = errors[~np.isnan(errors)]
        if len(errors):
            sums[c] += [errors.mean(), 1, errors.sum(), len(errors)]
    return sums


@MODERATE
@given(seeds, st.integers(1, 7), st.booleans(), st.booleans())
def test_any_split_of_the_frames_merges_into_the_same_sums(seed, parts, interleaved, gaps):
    rng = np.random.default_rng(seed)
    n, joints, n_cells = 30, 3, 3
    cells = np.sort(rng.integers(0, n_cells, n))
    frames = np.concatenate([np.arange((cells == c).sum()) for c in range(n_cells)])
    if gaps:
        frames = frames + np.cumsum(rng.random(n) < 0.2)
    vectors = rng.normal(size=(n, joints, 3))
    vectors[rng.random((n, joints)) < 0.1] = np.nan
    part = rng.integers(0, parts, n)
    if not interleaved:
        part = np.sort(part)

    merged = MotionState(joints)
    for k in rng.permutation(parts):
        rows = rng.permutation(np.flatnonzero(part == k))
        # Each part names the cells it has seen in its own order.
        names = rng.permutation(n_cells)
        state = MotionState(joints)
        state.update(vectors[rows], np.argsort(names)[cells[rows]], frames[rows])
        merged.merge(state, names)
    whole = MotionState(joints)
    whole.update(vectors, cells, frames)
    streamed = MotionState(joints)
    for k in range(parts):
        streamed.update(vectors[part == k], cells[part == k], frames[part == k])

    for kind, order in ((FieldKind.VELOCITY, 1), (FieldKind.ACCELERATION, 2)):
        expected = by_hand(vectors, cells, frames, order)
        for state in (whole, merged, streamed):
            found = np.zeros_like(expected)
            found[: len(state.sums(kind))] = state.sums(kind)
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert whole.first_gap() == merged.first_gap() == streamed.first_gap()


@FEW
@given(seeds)
def test_single_frames_merge_too(seed):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(8, 2, 3))
    merged = MotionState(2)
    for f in rng.permutation(8):
        one = MotionState(2)
        one.update(vectors[f : f + 1], np.zeros(1, np.int64), np.array([f]))
        merged.merge(one, np.array([0]))
    for kind, order in ((FieldKind.VELOCITY, 1), (FieldKind.ACCELERATION, 2)):
        expected = by_hand(vectors, np.zeros(8, np.int64), np.arange(8), order)
        np.testing.assert_allclose(merged.sums(kind), expected, rtol=1e-12)
    assert merged.first_gap() is None


def test_a_gap_is_known_until_it_is_filled():
    vectors = np.zeros((3, 1, 3))
    zero = np.zeros(1, np.int64)
    state = MotionState(1)
    state.update(vectors[:1], zero, np.array([4]))
    state.update(vectors[2:], zero, np.array([6]))
    assert state.first_gap() == (0, 4, 6)
    state.update(vectors[1:2], zero, np.array([5]))
    assert state.first_gap() is None


def test_merging_the_same_frames_twice_is_refused():
    state, other = MotionState(1), MotionState(1)
    for one in (state, other):
        one.update(np.zeros((2, 1, 3)), np.zeros(2, np.int64), np.array([0, 1]))
    with pytest.raises(InputError, match="twice"):
        state.merge(other, np.array([0]))
