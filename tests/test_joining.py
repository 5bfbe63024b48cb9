"""Sets are joined in their order if they belong together, and refused by name if they do not."""

from __future__ import annotations

import numpy as np
import pytest

import posebench as pb

FACTS = {
    "skeleton": "h36m17",
    "unit": "mm",
    "reference": "camera",
    "origin": "absolute",
    "fps": 25.0,
    "dataset": "3dhp",
}


def part(n: int, value: float = 0.0, source: str = "a.npz", **facts) -> pb.PoseSet:
    return pb.PoseSet(np.full((n, 17, 3), value), source=source, **{**FACTS, **facts})


def test_sets_are_joined_in_their_order_with_all_they_say() -> None:
    joined = pb.concatenate(
        [
            part(2, 1.0, sequence="TS2", frame=[5, 6], action=["b", "c"]),
            part(3, 2.0, "b.npz", sequence="TS1", frame=[5, 6, 7], action="a"),
            part(1, 3.0, "c.npz", sequence="TS3", frame=[5], action="c"),
        ]
    )
    np.testing.assert_array_equal(joined.poses[:, 0, 0], [1, 1, 2, 2, 2, 3])
    assert joined.sequence.values.tolist() == ["TS2", "TS2", "TS1", "TS1", "TS1", "TS3"]
    assert joined.action.values.tolist() == ["b", "c", "a", "a", "a", "c"]
    assert joined.frame.tolist() == [5, 6, 5, 6, 7, 5]
    assert {fact: getattr(joined, fact) for fact in FACTS} == {**FACTS, "skeleton": pb.get_skeleton("h36m17")}
    assert joined.source == "a.npz + b.npz + c.npz"


def test_one_set_is_returned_as_it_is() -> None:
    alone = part(2)
    assert pb.concatenate([alone]) is alone


def test_sets_without_keys_are_joined_too() -> None:
    assert len(pb.concatenate([part(2), part(3)])) == 5


def test_many_sets_are_named_by_the_first() -> None:
    assert pb.concatenate([part(1)] * 5).source == "a.npz and 4 more"


def test_a_set_without_a_mask_holds_every_joint() -> None:
    valid = np.zeros((2, 17), bool)
    joined = pb.concatenate([part(1), part(2, valid=valid)])
    np.testing.assert_array_equal(joined.valid, [[True] * 17, [False] * 17, [False] * 17])
    assert pb.concatenate([part(1), part(1)]).valid is None


def test_camera_facts_stay_one_where_they_are_one() -> None:
    same = pb.concatenate(
        [part(1, intrinsics=np.eye(3), root_depth=4.0), part(2, intrinsics=np.eye(3), root_depth=4.0)]
    )
    assert (same.intrinsics.shape, same.root_depth.shape) == ((3, 3), ())
    other = np.diag([2.0, 2, 1])
    mixed = pb.concatenate(
        [part(1, intrinsics=np.eye(3), root_depth=4.0), part(2, intrinsics=other, root_depth=[5, 6])]
    )
    np.testing.assert_array_equal(mixed.intrinsics, [np.eye(3), other, other])
    assert mixed.root_depth.tolist() == [4, 5, 6]


def test_notes_are_gathered_and_only_what_all_state_stays_stated() -> None:
    joined = pb.concatenate(
        [part(1, notes=["x", "y"], stated=["unit", "fps"]), part(1, notes=["y", "z"], stated=["unit"])]
    )
    assert (joined.notes, joined.stated) == (("x", "y", "z"), frozenset({"unit"}))


def test_single_and_double_precision_become_double() -> None:
    single = part(1).replace(poses=np.zeros((1, 17, 3), np.float32))
    assert pb.concatenate([single, single]).poses.dtype == np.float32
    assert pb.concatenate([single, part(1)]).poses.dtype == np.float64


OTHER = {
    "skeleton": ("3dhp17", "skeleton of the first is h36m17, of the second 3dhp17"),
    "unit": ("m", "unit of the first is mm, of the second m"),
    "reference": ("world", "reference of the first is camera, of the second world"),
    "origin": (None, "origin of the first is absolute, of the second not said"),
    "fps": (50.0, "fps of the first is 25.0, of the second 50.0"),
    "dataset": ("h36m", "dataset of the first is 3dhp, of the second h36m"),
}


@pytest.mark.parametrize(("fact", "value", "words"), [(fact, *each) for fact, each in OTHER.items()], ids=OTHER.keys())
def test_facts_that_differ_are_refused_with_both_files(fact: str, value, words: str) -> None:
    sets = [part(1), part(1), part(1, source="c.npz", **{fact: value})]
    with pytest.raises(pb.InputError, match=rf"^a.npz and c.npz cannot be joined: {words}; say what both are"):
        pb.concatenate(sets)


def test_other_numbers_of_joints_are_refused() -> None:
    sets = [pb.PoseSet(np.zeros((1, j, 3)), source=f"{j}.npz") for j in (14, 16)]
    with pytest.raises(pb.InputError, match=r"^14.npz and 16.npz cannot be joined: their poses have 14 and 16 joints"):
        pb.concatenate(sets)


@pytest.mark.parametrize("key", ["subject", "action", "sequence", "camera"])
@pytest.mark.parametrize("order", [1, -1])
def test_keys_that_only_one_file_has_are_refused(key: str, order: int) -> None:
    sets = [part(1, **{key: "x"}), part(1, source="b.npz")][::order]
    with pytest.raises(
        pb.InputError, match=rf"^a.npz has the key {key} and b.npz has not; give it to both, or to neither"
    ):
        pb.concatenate(sets)


@pytest.mark.parametrize(
    ("fact", "value"), [("intrinsics", np.eye(3)), ("root_depth", 1.0), ("extrinsics", np.eye(4)[:3])]
)
def test_camera_facts_that_only_one_file_has_are_refused(fact: str, value) -> None:
    with pytest.raises(pb.InputError, match=rf"^b.npz has {fact} and a.npz has not"):
        pb.concatenate([part(1), part(1, source="b.npz", **{fact: value})])


def test_a_pose_that_two_files_have_is_refused_with_its_rows() -> None:
    first = part(3, sequence="TS1", frame=[1, 2, 3])
    second = part(3, source="b.npz", sequence=["TS2", "TS1", "TS1"], frame=[2, 4, 2])
    with pytest.raises(
        pb.InputError,
        match=r"^a.npz: row 1 and b.npz: row 2 have the same keys \(sequence=TS1, frame=2\), .* 1 pairs in all; join",
    ):
        pb.concatenate([first, second])


def test_a_frame_that_a_file_has_twice_is_refused() -> None:
    with pytest.raises(pb.InputError, match=r"^a.npz: row 0 and a.npz: row 2 have the same keys \(frame=7\)"):
        pb.concatenate([part(3, frame=[7, 8, 7]), part(1, source="b.npz", frame=[9])])


def test_groups_repeat_within_a_file_but_not_across_files() -> None:
    assert len(pb.concatenate([part(3, subject="S9"), part(2, subject="S11")])) == 5
    with pytest.raises(pb.InputError, match=r"\(subject=S9\), .*; add a sequence or frame numbers to both$"):
        pb.concatenate([part(3, subject="S9"), part(2, source="b.npz", subject="S9")])


def test_nothing_to_join_is_refused() -> None:
    with pytest.raises(pb.UsageError, match="there is nothing to join"):
        pb.concatenate([])
