"""Skeletons name joints; bones, mirrored bones, hinges, limbs and parts follow from the names."""

from __future__ import annotations

import pytest

import posebench as pb
from posebench.skeletons import H36M17, Skeleton


def test_h36m17_is_in_the_order_of_the_field() -> None:
    assert H36M17.joints == (
        "pelvis", "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "spine", "thorax", "nose", "head",
        "LShoulder", "LElbow", "LWrist", "RShoulder", "RElbow", "RWrist",
    )  # fmt: skip
    assert H36M17.parents == (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)
    assert (H36M17.root, len(H36M17)) == (0, 17)


def test_a_tree_has_one_bone_less_than_joints() -> None:
    assert len(H36M17.bones) == 16
    assert H36M17.bones[0] == (0, 1)
    assert H36M17.bone_names[:2] == ("pelvis-RHip", "RHip-RKnee")


def test_left_and_right_are_each_others_mirror() -> None:
    names = {(H36M17.joints[a], H36M17.joints[b]) for a, b in H36M17.left_right}
    assert names == {("L" + j, "R" + j) for j in ("Hip", "Knee", "Ankle", "Shoulder", "Elbow", "Wrist")}
    for left, right in H36M17.mirrored_bones:
        assert H36M17.bone_names[left].replace("L", "R") == H36M17.bone_names[right].replace("L", "R")
    assert len(H36M17.mirrored_bones) == 6


def test_hinges_are_where_exactly_two_bones_meet() -> None:
    at = {H36M17.joints[joint] for _, joint, _ in H36M17.hinges}
    assert at == {
        "RHip", "RKnee", "LHip", "LKnee", "spine", "nose", "LShoulder", "LElbow", "RShoulder", "RElbow",
    }  # fmt: skip


def test_limbs_are_the_eight_long_bones() -> None:
    names = {f"{H36M17.joints[a]}-{H36M17.joints[b]}" for a, b in H36M17.limbs}
    assert names == {
        f"{side}{bone}" .replace("-", f"-{side}")
        for side in "LR"
        for bone in ("Hip-Knee", "Knee-Ankle", "Shoulder-Elbow", "Elbow-Wrist")
    }  # fmt: skip


def test_the_parts_of_h36m17_cover_every_joint_once() -> None:
    assert sorted(joint for part in H36M17.parts.values() for joint in part) == sorted(H36M17.joints)


def test_a_joint_is_found_by_its_exact_name() -> None:
    assert H36M17.index("thorax") == 8
    with pytest.raises(pb.UsageError, match="skeleton h36m17 has no joint 'Thorax'; it has pelvis, "):
        H36M17.index("Thorax")


@pytest.mark.parametrize("name", ["h36m17", "H36M17", "h36m-17", "H36M_17"])
def test_case_and_hyphens_do_not_matter_in_the_name_of_a_skeleton(name: str) -> None:
    assert pb.get_skeleton(name) is H36M17


def test_an_unknown_skeleton_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(pb.UsageError, match="there is no skeleton 'coco17'; known are h36m17"):
        pb.get_skeleton("coco17")


@pytest.fixture
def registry(monkeypatch):
    from posebench import skeletons

    monkeypatch.setattr(skeletons, "_REGISTRY", dict(skeletons._REGISTRY))


def test_a_registered_skeleton_is_found_and_scored(registry) -> None:
    stick = Skeleton("stick", ("root", "tip"), (-1, 0), 0, (), {})
    pb.register_skeleton(stick)
    assert pb.get_skeleton("stick") is stick
    assert "stick" in pb.skeleton_names()
    assert (stick.bones, stick.limbs, stick.hinges, stick.mirrored_bones) == (((0, 1),), (), (), ())


@pytest.mark.parametrize("name", ["my-skeleton", "Body_25B", "COCO17"])
def test_a_skeleton_is_found_under_the_name_it_was_registered_by(registry, name: str) -> None:
    stick = Skeleton(name, ("root", "tip"), (-1, 0), 0, (), {})
    pb.register_skeleton(stick)
    assert pb.get_skeleton(name) is stick


def test_a_name_is_not_given_twice(registry) -> None:
    with pytest.raises(pb.UsageError, match="a different skeleton named 'h36m17'"):
        pb.register_skeleton(Skeleton("h36m17", ("root", "tip"), (-1, 0), 0, (), {}))


def test_a_skeleton_whose_parts_do_not_fit_is_refused() -> None:
    with pytest.raises(pb.UsageError, match="2 joints but 1 parents"):
        Skeleton("x", ("a", "b"), (-1,), 0, (), {})
    with pytest.raises(pb.UsageError, match="joint names repeat"):
        Skeleton("x", ("a", "a"), (-1, 0), 0, (), {})


def test_equal_skeletons_are_one_key_of_a_dictionary() -> None:
    assert {H36M17: "h36m17"}[pb.get_skeleton("H36M-17")] == "h36m17"
