"""Every ground-truth pose finds its own prediction, or the set is refused with the rows and keys that do not fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebench import InputError, PoseSet, score
from posebench.matching import match
from tests.support.poses import MODERATE


def keyed(n: int, source: str = "array", **keys) -> PoseSet:
    return PoseSet(np.zeros((n, 2, 3)), source=source, **keys)


def rows(pred: PoseSet, gt: PoseSet, **options) -> list[int]:
    found = match(pred, gt, **options).pred_rows
    return list(range(len(gt))) if found is None else found.tolist()


# By order


def test_without_any_keys_row_belongs_to_row() -> None:
    found = match(keyed(3), keyed(3))
    assert (found.pred_rows, found.how, found.missing) == (None, "by order", 0)


@pytest.mark.parametrize("side", ["pred", "gt"])
def test_keys_on_one_side_alone_match_by_order(side: str) -> None:
    sides = {"pred": keyed(3), "gt": keyed(3)} | {side: keyed(3, frame=[7, 7, 7])}
    assert match(sides["pred"], sides["gt"]).how == "by order"


def test_by_order_both_sides_have_the_same_number() -> None:
    with pytest.raises(InputError, match=r"p\.npz has 2 poses and g\.npz has 3: without common keys"):
        match(keyed(2, "p.npz"), keyed(3, "g.npz"))


def test_missing_frames_cannot_be_allowed_without_keys() -> None:
    with pytest.raises(InputError, match="without common keys"):
        match(keyed(2), keyed(3), allow_missing=True)


def test_keys_without_one_in_common_are_refused() -> None:
    with pytest.raises(InputError, match=r"p\.npz has the keys action and g\.npz has frame: none in common"):
        match(keyed(2, "p.npz", action="Walking"), keyed(2, "g.npz", frame=[0, 1]))


# By keys


def test_frames_find_each_other_in_any_order() -> None:
    found = match(keyed(3, frame=[3, 1, 2]), keyed(3, frame=[1, 2, 3]))
    assert (found.pred_rows.tolist(), found.how) == ([1, 2, 0], "by frame")


def test_an_unsorted_ground_truth_finds_its_predictions() -> None:
    assert rows(keyed(3, frame=[1, 2, 3]), keyed(3, frame=[2, 3, 1])) == [1, 2, 0]
    assert rows(keyed(3, frame=[2, 3, 1]), keyed(3, frame=[2, 3, 1])) == [0, 1, 2]


def test_only_keys_that_both_sides_have_are_used() -> None:
    pred = keyed(4, subject="S9", action=["a", "b", "a", "b"], frame=[1, 1, 0, 0])
    gt = keyed(4, action=["a", "a", "b", "b"], camera="left", frame=[0, 1, 0, 1])
    found = match(pred, gt)
    assert (found.pred_rows.tolist(), found.how) == ([2, 0, 3, 1], "by action, frame")


@pytest.mark.parametrize("pred_subject", [9, "9", b"9", 9.0, np.array([9, 9]), np.array([b"9", b"9"]), ["9", b"9"]])
@pytest.mark.parametrize("gt_subject", [9, "9", np.array([9.0, 9.0]), np.array(["9", "9"], object)])
def test_a_subject_is_the_same_as_number_text_or_bytes(pred_subject, gt_subject) -> None:
    assert rows(keyed(2, subject=pred_subject, frame=[1, 0]), keyed(2, subject=gt_subject, frame=[0, 1])) == [1, 0]


def test_a_single_number_of_single_precision_is_that_number() -> None:
    assert rows(keyed(1, subject=np.float32(9)), keyed(1, subject="9")) == [0]


def test_text_that_only_looks_alike_is_not_the_same() -> None:
    with pytest.raises(InputError, match="subject=S09"):
        match(keyed(1, subject="S09"), keyed(1, subject="S9"))


def test_frames_may_be_floats_on_one_side() -> None:
    assert rows(keyed(3, frame=np.array([2.0, 0.0, 1.0])), keyed(3, frame=np.array([0, 1, 2], np.uint8))) == [1, 2, 0]


@pytest.mark.parametrize("start", [2**60, -(2**60), 2**63 - 3, -(2**63)])
def test_huge_frame_numbers_are_kept_apart(start: int) -> None:
    frames = np.array([start, start + 1, start + 2], np.int64)
    assert rows(keyed(3, frame=frames[[2, 0, 1]]), keyed(3, frame=frames)) == [1, 2, 0]


def test_frames_at_both_ends_of_64_bits_in_one_set_are_kept_apart() -> None:
    frames = np.array([-(2**63), 0, 1, 2**63 - 1])
    assert rows(keyed(4, frame=frames[::-1]), keyed(4, frame=frames)) == [3, 2, 1, 0]


def test_many_keys_of_many_values_do_not_run_into_each_other() -> None:
    n = 300
    rng = np.random.default_rng(0)
    keys = {key: [f"{key}{v}" for v in rng.permutation(n)] for key in ("subject", "action", "sequence", "camera")}
    keys["frame"] = rng.integers(-(2**62), 2**62, n)
    order = rng.permutation(n)
    pred = keyed(n, **{key: np.array(column)[order] for key, column in keys.items()})
    assert np.array_equal(order[rows(pred, keyed(n, **keys))], np.arange(n))


# By keys, and in order where only one side numbers its frames


def test_poses_without_frame_numbers_belong_to_the_frames_of_their_keys_in_order() -> None:
    gt = keyed(5, subject=["TS1", "TS2", "TS1", "TS2", "TS1"], frame=[4, 0, 9, 7, 20])
    pred = keyed(5, subject=["TS2", "TS2", "TS1", "TS1", "TS1"])
    found = match(pred, gt)
    assert (found.pred_rows.tolist(), found.how) == ([2, 0, 3, 1, 4], "by subject, in order within each")


def test_the_ground_truth_may_be_the_side_without_frame_numbers() -> None:
    pred = keyed(4, subject=["TS1", "TS1", "TS2", "TS2"], frame=[3, 8, 0, 1])
    assert rows(pred, keyed(4, subject=["TS2", "TS1", "TS2", "TS1"])) == [2, 0, 3, 1]


def test_groups_are_told_apart_by_all_common_keys() -> None:
    gt = keyed(4, subject="S9", action=["a", "b", "a", "b"], camera="left", frame=[0, 0, 1, 1])
    found = match(keyed(4, subject="S9", action=["b", "b", "a", "a"]), gt)
    assert (found.pred_rows.tolist(), found.how) == ([2, 0, 3, 1], "by subject, action, in order within each")


def test_keys_that_name_each_pose_once_are_matched_by_keys_alone() -> None:
    found = match(keyed(2, subject=["S9", "S1"]), keyed(2, subject=["S1", "S9"], frame=[5, 1]))
    assert (found.pred_rows.tolist(), found.how) == ([1, 0], "by subject")


def test_other_numbers_of_poses_under_one_key_are_refused() -> None:
    gt = keyed(4, "g.npz", subject=["TS1", "TS1", "TS2", "TS2"], frame=[0, 1, 0, 1])
    pattern = r"p\.npz has 1 poses of subject=TS2 and g\.npz has 2, while p\.npz has no frame numbers"
    for allowed in (False, True):
        with pytest.raises(InputError, match=pattern):
            match(keyed(3, "p.npz", subject=["TS1", "TS1", "TS2"]), gt, allow_missing=allowed)
    with pytest.raises(InputError, match=r"p\.npz has 2 poses of subject=TS2 and g\.npz has 1, while g\.npz has no"):
        match(
            keyed(3, "p.npz", subject=["TS1", "TS2", "TS2"], frame=[0, 0, 1]), keyed(2, "g.npz", subject=["TS1", "TS2"])
        )


def test_frames_out_of_order_cannot_be_matched_in_order() -> None:
    gt = keyed(4, "g.npz", subject=["TS1", "TS2", "TS1", "TS2"], frame=[3, 5, 4, 4])
    pattern = r"g\.npz: rows 1 and 3, both subject=TS2, have the frames 5 and 4, so order does not say.*of p\.npz"
    with pytest.raises(InputError, match=pattern):
        match(keyed(4, "p.npz", subject=["TS1", "TS1", "TS2", "TS2"]), gt)


def test_frames_that_repeat_within_the_common_keys_cannot_be_matched_in_order() -> None:
    two_cameras = keyed(4, "g.npz", subject="S9", camera=["left", "left", "right", "right"], frame=[0, 1, 0, 1])
    with pytest.raises(InputError, match=r"g\.npz: rows 1 and 2, both subject=S9, have the frames 1 and 0"):
        match(keyed(4, "p.npz", subject="S9"), two_cameras)


def test_two_sides_without_frame_numbers_need_keys_that_name_each_pose_once() -> None:
    with pytest.raises(InputError, match="rows 0 and 1 have the same keys"):
        match(keyed(2, subject="S9"), keyed(2, subject="S9"))


def test_a_key_without_any_prediction_is_refused_or_missing_as_a_whole() -> None:
    gt = keyed(3, "g.npz", subject=["TS1", "TS2", "TS2"], frame=[0, 3, 4])
    pred = keyed(2, "p.npz", subject="TS2")
    with pytest.raises(InputError, match=r"p\.npz lacks 1 of the 3 poses of g\.npz, the first at row 0"):
        match(pred, gt)
    found = match(pred, gt, allow_missing=True)
    assert (found.pred_rows.tolist(), found.missing) == ([-1, 0, 1], 1)
    with pytest.raises(InputError, match=r"p\.npz has 2 poses that g\.npz has not"):
        match(keyed(4, "p.npz", subject=["TS2", "TS2", "TS3", "TS3"]), gt, allow_missing=True)


# What does not fit


def test_a_repeated_key_is_refused_with_its_rows_and_a_key_that_would_help() -> None:
    repeated = keyed(4, "g.npz", action="Walking", frame=[0, 1, 2, 1])
    pattern = (
        r"g\.npz: rows 1 and 3 have the same keys \(action=Walking, frame=1\), and so have 1 pairs.*add subject or"
    )
    with pytest.raises(InputError, match=pattern):
        match(repeated, repeated)
    with pytest.raises(InputError, match=r"p\.npz: rows 0 and 2 have the same keys \(frame=5\)"):
        match(keyed(3, "p.npz", frame=[5, 6, 5]), keyed(3, frame=[5, 6, 7]))


def test_a_key_of_one_side_alone_does_not_make_repeats_on_the_other_acceptable() -> None:
    two_cameras = keyed(4, "p.npz", camera=["left", "left", "right", "right"], frame=[0, 1, 0, 1])
    with pytest.raises(InputError, match=r"p\.npz: rows 0 and 2 have the same keys \(frame=0\)"):
        match(two_cameras, keyed(2, frame=[0, 1]))


def test_a_prediction_without_ground_truth_is_refused_even_when_missing_ones_are_allowed() -> None:
    pred, gt = keyed(3, "p.npz", frame=[0, 1, 9]), keyed(3, "g.npz", frame=[0, 1, 2])
    for allowed in (False, True):
        with pytest.raises(InputError, match=r"p\.npz has 1 poses that g\.npz has not, the first at row 2 \(frame=9\)"):
            match(pred, gt, allow_missing=allowed)


def test_a_ground_truth_without_prediction_is_refused_or_gets_no_row() -> None:
    pred, gt = keyed(2, "p.npz", frame=[3, 0]), keyed(4, "g.npz", frame=[0, 1, 2, 3])
    with pytest.raises(InputError, match=r"p\.npz lacks 2 of the 4 poses of g\.npz, the first at row 1 \(frame=1\)"):
        match(pred, gt)
    found = match(pred, gt, allow_missing=True)
    assert (found.pred_rows.tolist(), found.missing) == ([1, -1, -1, 0], 2)


def test_sets_of_entirely_different_keys_are_refused() -> None:
    with pytest.raises(InputError, match=r"has 2 poses that g\.npz has not"):
        match(keyed(2, subject="S1", frame=[0, 1]), keyed(2, "g.npz", subject="S9", frame=[0, 1]), allow_missing=True)


def test_an_empty_prediction_lacks_everything() -> None:
    found = match(keyed(0, frame=[]), keyed(2, frame=[0, 1]), allow_missing=True)
    assert (found.pred_rows.tolist(), found.missing) == ([-1, -1], 2)


# Any keys


KEY_NAMES = st.sampled_from(["S1", "S9", "S11"])


@st.composite
def key_tables(draw) -> list[tuple]:
    """Different rows of (subject, action, frame)."""
    row = st.tuples(KEY_NAMES, st.sampled_from(["Walking", "Eating", "é"]), st.integers(-(2**63), 2**63 - 1))
    return draw(st.lists(row, min_size=1, max_size=12, unique=True))


@MODERATE
@given(key_tables(), st.randoms(use_true_random=False), st.data())
def test_matching_agrees_with_a_dictionary(table, random, data) -> None:
    shuffled = table.copy()
    random.shuffle(shuffled)
    present = shuffled[: data.draw(st.integers(1, len(shuffled)))]

    def keys_of(part):
        subject, action, frame = zip(*part, strict=True)
        return {"subject": list(subject), "action": list(action), "frame": np.array(frame, np.int64)}

    where = {key: i for i, key in enumerate(present)}
    found = rows(keyed(len(present), **keys_of(present)), keyed(len(table), **keys_of(table)), allow_missing=True)
    assert found == [where.get(key, -1) for key in table]


@MODERATE
@given(st.lists(st.sampled_from("abc"), min_size=2, max_size=20), st.randoms(use_true_random=False), st.booleans())
def test_matching_in_order_agrees_with_queues(subjects, random, gt_is_numbered) -> None:
    shuffled = subjects.copy()
    random.shuffle(shuffled)
    pred_keys, gt_keys = {"subject": shuffled}, {"subject": subjects}
    (gt_keys if gt_is_numbered else pred_keys)["frame"] = np.arange(len(subjects)) * 3
    queues = {name: [i for i, other in enumerate(shuffled) if other == name] for name in subjects}
    expected = [queues[name].pop(0) for name in subjects]
    assert rows(keyed(len(subjects), **pred_keys), keyed(len(subjects), **gt_keys)) == expected


def test_half_a_million_poses_are_matched() -> None:
    n = 543_344
    frames = np.arange(n) % 3000
    subjects = np.repeat(["S9", "S11"], n // 2)
    sequences = (np.arange(n) // 3000).astype(str)
    order = np.random.default_rng(0).permutation(n)
    poses = np.broadcast_to(np.float32(0), (n, 1, 3))
    gt = PoseSet(poses, subject=subjects, sequence=sequences, frame=frames)
    pred = PoseSet(poses, subject=subjects[order], sequence=sequences[order], frame=frames[order])
    found = match(pred, gt).pred_rows
    assert found is not None
    assert np.array_equal(order[found], np.arange(n))


def test_predictions_without_ground_truth_are_left_out_where_that_is_asked_for() -> None:
    gt = PoseSet(np.zeros((3, 17, 3)), subject="TS1", frame=[4, 2, 9])
    pred = PoseSet(np.zeros((6, 17, 3)), subject="TS1", frame=[9, 1, 2, 3, 4, 5])
    with pytest.raises(InputError, match="--allow-extra"):
        match(pred, gt)
    found = match(pred, gt, allow_extra=True)
    assert (found.pred_rows.tolist(), found.extra, found.missing) == ([4, 2, 0], 3, 0)
    with pytest.raises(InputError, match="lacks 1 of the 3"):
        match(pred[np.array([1, 2, 3, 4, 5])], gt, allow_extra=True)
    repeated = PoseSet(np.zeros((2, 17, 3)), subject="TS1", frame=[1, 1])
    with pytest.raises(InputError, match="have the same keys"):
        match(repeated, gt, allow_extra=True)


def test_a_report_counts_the_predictions_that_were_left_out() -> None:
    rng = np.random.default_rng(0)
    poses = rng.normal(size=(6, 17, 3)) * 300
    pred = PoseSet(poses + 1, skeleton="h36m17", unit="mm", frame=np.arange(6))
    gt = PoseSet(poses[::2], skeleton="h36m17", unit="mm", frame=[0, 2, 4])
    report = score(pred, gt, allow_extra=True)
    assert report.metrics["MPJPE"].value == pytest.approx(0, abs=1e-9)
    assert "3 predictions without ground truth are left out" in report.notes
