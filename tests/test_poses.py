"""A PoseSet holds what it was given, says what it is, and refuses what does not belong together."""

from __future__ import annotations

import numpy as np
import pytest

import posebench as pb
from posebench import InputError, PoseSet, UsageError
from posebench.poses import KEYS, KeyColumn, key_text

POSES = np.arange(4 * 17 * 3, dtype=float).reshape(4, 17, 3)


# Coordinates


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_coordinates_are_kept_without_a_copy(dtype) -> None:
    poses = POSES.astype(dtype)
    assert PoseSet(poses).poses is poses


@pytest.mark.parametrize("dtype", ["int16", "uint8", "float16", ">f8", ">i4"])
def test_other_numbers_become_native_float64(dtype: str) -> None:
    poses = (POSES % 100).astype(dtype)
    found = PoseSet(poses).poses
    assert found.dtype == np.dtype("float64")
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, POSES % 100)


def test_swapped_single_precision_stays_single() -> None:
    assert PoseSet(POSES.astype(">f4")).poses.dtype == np.dtype("float32")


def test_lists_become_arrays() -> None:
    np.testing.assert_array_equal(PoseSet(POSES.tolist()).poses, POSES)


@pytest.mark.parametrize(
    ("poses", "words"),
    [
        (POSES[0], r"shape \(17, 3\), expected \(N, J, 3\); for one pose pass poses\[None\]"),
        (POSES[..., :2], r"shape \(4, 17, 2\), expected \(N, J, 3\)"),
        (POSES[None], r"shape \(1, 4, 17, 3\), expected"),
        (np.zeros((4, 0, 3)), "no joints"),
        (np.zeros((0,)), "expected"),
        (POSES.astype(object), "of type object, expected numbers"),
        (POSES.astype(str), "of type <U"),
        (POSES > 0, "of type bool"),
        (POSES + 1j, "of type complex128"),
        ([[[1, 2, 3]], [[1, 2]]], "ragged"),
        ("poses.npz", "of type <U"),
        (None, "of type object"),
    ],
)
def test_what_is_no_set_of_poses_is_refused(poses, words: str) -> None:
    with pytest.raises(InputError, match=f"run.npz: poses.*{words}"):
        PoseSet(poses, source="run.npz")


def test_two_or_three_poses_are_not_taken_for_coordinates() -> None:
    for n in (2, 3):
        assert len(PoseSet(np.zeros((n, 17, 3)))) == n


# Facts


def test_a_skeleton_is_named_or_given_and_must_fit() -> None:
    assert PoseSet(POSES, skeleton="H36M-17").skeleton is pb.get_skeleton("h36m17")
    with pytest.raises(InputError, match="the poses have 16 joints, but skeleton h36m17 has 17"):
        PoseSet(POSES[:, :16], skeleton="h36m17")
    with pytest.raises(UsageError, match="there is no skeleton 'coco'; known are 3dhp17"):
        PoseSet(POSES, skeleton="coco")


@pytest.mark.parametrize(
    ("fact", "value"), [("unit", "cm"), ("unit", "MM"), ("reference", "image"), ("origin", "pelvis")]
)
def test_a_fact_that_does_not_exist_is_refused_with_those_that_do(fact: str, value: str) -> None:
    with pytest.raises(InputError, match=f"{fact} is {value!r}, expected one of "):
        PoseSet(POSES, **{fact: value})


@pytest.mark.parametrize("fps", [0, -25, np.nan, np.inf])
def test_a_frame_rate_is_a_positive_number(fps: float) -> None:
    with pytest.raises(InputError, match="expected a positive number"):
        PoseSet(POSES, fps=fps)


def test_what_is_not_known_is_none() -> None:
    empty = PoseSet(POSES)
    assert (empty.skeleton, empty.unit, empty.origin, empty.fps, empty.valid, empty.dataset) == (None,) * 6
    assert (empty.reference, empty.keys) == ("unknown", {})


def test_camera_parameters_are_for_all_frames_or_for_each() -> None:
    eye = np.eye(3)
    assert PoseSet(POSES, intrinsics=eye).intrinsics.shape == (3, 3)
    assert PoseSet(POSES, intrinsics=np.tile(eye, (4, 1, 1)), root_depth=[1, 2, 3, 4]).root_depth.shape == (4,)
    with pytest.raises(InputError, match=r"intrinsics has shape \(3, 3, 3\), expected \(3, 3\) or \(4, 3, 3\)"):
        PoseSet(POSES, intrinsics=np.tile(eye, (3, 1, 1)))
    with pytest.raises(InputError, match=r"root_depth has shape \(2,\)"):
        PoseSet(POSES, root_depth=[1, 2])


# Masks


@pytest.mark.parametrize("dtype", [bool, int, float, "uint8"])
def test_a_mask_of_zeros_and_ones_is_a_mask(dtype) -> None:
    mask = np.indices((4, 17)).sum(0) % 2
    found = PoseSet(POSES, valid=mask.astype(dtype)).valid
    assert found.dtype == np.bool_
    np.testing.assert_array_equal(found, mask == 1)


@pytest.mark.parametrize("mask", [np.full((4, 17), 0.5), np.full((4, 17), 2), np.full((4, 17), np.nan)])
def test_a_confidence_is_no_mask(mask) -> None:
    with pytest.raises(InputError, match="valid holds values other than 0 and 1"):
        PoseSet(POSES, valid=mask)


@pytest.mark.parametrize("shape", [(4,), (17,), (17, 4), (4, 17, 1), (4, 17, 3)])
def test_a_mask_has_one_flag_per_joint(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"expected \(4, 17\): one flag per joint"):
        PoseSet(POSES, valid=np.ones(shape, bool))


# Keys


def test_a_key_is_one_value_per_pose_or_one_for_all() -> None:
    keyed = PoseSet(POSES, subject="S9", action=["b", "a", "a", "b"])
    assert keyed.subject.values.tolist() == ["S9"] * 4
    assert (keyed.action.names, keyed.action.codes.tolist()) == (("a", "b"), [1, 0, 0, 1])
    assert list(keyed.keys) == ["subject", "action"]


def test_keys_stand_in_a_fixed_order() -> None:
    keyed = PoseSet(POSES, frame=range(4), camera="c", sequence="q", action="a", subject="s")
    assert tuple(keyed.keys) == KEYS


@pytest.mark.parametrize("values", [["a"] * 3, [["a"] * 4], [], np.zeros((4, 1), int)])
def test_a_key_of_another_length_is_refused(values) -> None:
    with pytest.raises(InputError, match=r"array: key 'action' has shape .* expected \(4,\): one value per pose"):
        PoseSet(POSES, action=values)


@pytest.mark.parametrize(
    ("value", "text"),
    [(9, "9"), (9.0, "9"), (9.5, "9.5"), (b"S9", "S9"), ("S9", "S9"), (True, "True"), (np.float32(9), "9"), ("", "")],
)
def test_a_key_reads_as_text(value, text: str) -> None:
    assert key_text(value) == text


def test_different_bytes_that_are_no_text_do_not_become_one_name() -> None:
    with_accents = np.array(["José".encode("latin-1"), "Josè".encode("latin-1"), b"a", b"b"])
    try:
        names = PoseSet(POSES, subject=with_accents).subject.names
    except InputError:
        return
    assert len(names) == 4


def test_text_and_bytes_in_one_list_are_read_or_refused_in_words() -> None:
    try:
        names = PoseSet(POSES, subject=["a", "b", "é".encode(), "c"]).subject.names
    except InputError:
        return
    assert "é" in names


def test_an_absent_key_is_not_the_name_none() -> None:
    with pytest.raises(InputError, match="subject"):
        PoseSet(POSES, subject=["a", None, "b", "c"])


def test_runs_of_equal_keys_are_encoded_like_any_others() -> None:
    values = ["b", "b", "a", "c", "c", "c", "a", "b"]
    column = KeyColumn.of(values, 8, "action")
    assert column.values.tolist() == values
    assert column[2:5].values.tolist() == ["a", "c", "c"]
    assert len(column) == 8


@pytest.mark.parametrize(
    "frame", [[0.5, 1, 2, 3], [np.nan, 1, 2, 3], [np.inf, 1, 2, 3], ["a", "b", "c", "d"], [2**60 + 0.0] * 4]
)
def test_frames_are_whole_numbers(frame) -> None:
    with pytest.raises(InputError, match="frame holds something other than whole numbers"):
        PoseSet(POSES, frame=frame)


def test_frames_are_kept_to_the_last_bit() -> None:
    frames = np.array([2**60, 2**60 + 1, -(2**63), 2**63 - 1])
    np.testing.assert_array_equal(PoseSet(POSES, frame=frames).frame, frames)


@pytest.mark.parametrize("frame", [7, [1, 2, 3], [[1, 2, 3, 4]]])
def test_there_is_one_frame_number_per_pose(frame) -> None:
    with pytest.raises(InputError, match=r"expected \(4,\): one number per pose"):
        PoseSet(POSES, frame=frame)


# Parts and changes


def full_set() -> PoseSet:
    return PoseSet(
        POSES, valid=np.indices((4, 17)).sum(0) % 2, skeleton="h36m17", unit="mm", reference="world", origin="absolute",
        subject="S9", action=["a", "b", "c", "d"], frame=[5, 6, 7, 8], fps=50, dataset="x", intrinsics=np.eye(3),
        extrinsics=np.zeros((4, 3, 4)), root_depth=[1.0, 2, 3, 4], source="run.npz", path="run.npz", stated=["unit"],
        notes=["said"],
    )  # fmt: skip


@pytest.mark.parametrize("rows", [slice(1, 3), np.array([1, 2]), np.array([False, True, True, False])])
def test_rows_keep_their_keys_and_facts(rows) -> None:
    part = full_set()[rows]
    np.testing.assert_array_equal(part.poses, POSES[1:3])
    np.testing.assert_array_equal(part.valid, full_set().valid[1:3])
    assert part.action.values.tolist() == ["b", "c"]
    assert (part.frame.tolist(), part.root_depth.tolist(), part.extrinsics.shape) == ([6, 7], [2, 3], (2, 3, 4))
    assert (part.intrinsics.shape, part.unit, part.fps, part.stated, part.notes) == (
        (3, 3), "mm", 50.0, frozenset({"unit"}), ("said",),
    )  # fmt: skip


def test_a_single_row_must_be_asked_for_as_a_slice() -> None:
    with pytest.raises(InputError, match=r"poses\[None\]"):
        full_set()[0]


def test_replacing_a_fact_keeps_the_rest_and_shares_the_coordinates() -> None:
    changed = full_set().replace(unit="m", frame=None)
    assert changed.poses is full_set().poses or np.shares_memory(changed.poses, POSES)
    assert (changed.unit, changed.frame, changed.action.names) == ("m", None, ("a", "b", "c", "d"))


def test_replacing_by_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match=r"run.npz: valid has shape"):
        full_set().replace(poses=POSES[:2])


def test_a_set_says_what_it_is() -> None:
    assert repr(full_set()) == (
        "PoseSet(4 poses, 17 joints, skeleton=h36m17, unit=mm, reference=world, origin=absolute, "
        "keys=['subject', 'action', 'frame'], source='run.npz')"
    )
