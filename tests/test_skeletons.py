"""Skeletons name joints; bones, mirrored bones, hinges, limbs and parts follow from the names."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import posebench as pb
from posebench.skeletons import H36M17, Skeleton
from tests.support.poses import people


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
    with pytest.raises(pb.UsageError, match="there is no skeleton 'coco18'; known are 3dhp17"):
        pb.get_skeleton("coco18")


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


@pytest.mark.parametrize("name", ["my-skeleton", "Body_26", "STICK17"])
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


# All skeletons

NAMES = pb.skeleton_names()
COUNTS = {
    "h36m17": 17, "h36m32": 32, "mpii16": 16, "3dhp17": 17, "3dhp28": 28, "coco17": 17, "coco_wholebody_body": 23,
    "body25": 25, "body25b": 25, "blazepose33": 33, "smpl24": 24, "lsp14": 14, "panoptic19": 19,
}  # fmt: skip
SIDED = ("Hip", "Knee", "Ankle", "Shoulder", "Elbow", "Wrist")


def test_the_skeletons_are_these() -> None:
    assert {name: len(pb.get_skeleton(name)) for name in NAMES} == COUNTS


@pytest.mark.parametrize("name", NAMES)
def test_every_joint_hangs_from_a_joint_without_a_parent(name: str) -> None:
    skeleton = pb.get_skeleton(name)
    assert skeleton.parents[skeleton.root] == -1
    for joint in range(len(skeleton)):
        seen = set()
        while joint != -1:
            assert joint not in seen
            seen.add(joint)
            joint = skeleton.parents[joint]


@pytest.mark.parametrize("name", NAMES)
def test_left_and_right_are_mirror_images_in_every_skeleton(name: str) -> None:
    skeleton = pb.get_skeleton(name)
    sided = {joint for joint in skeleton.joints if joint[0] in "LR"}
    assert {"L" + joint for joint in SIDED} <= sided
    assert {skeleton.joints[i] for pair in skeleton.left_right for i in pair} == sided
    mirror = dict(skeleton.left_right) | {right: left for left, right in skeleton.left_right}
    for left, right in skeleton.left_right:
        assert skeleton.joints[left][1:] == skeleton.joints[right][1:]
        above = skeleton.parents[left]
        assert skeleton.parents[right] == mirror.get(above, above)
    assert len(skeleton.limbs) == 8


@pytest.mark.parametrize("name", NAMES)
def test_parts_hold_both_sides_and_no_joint_twice(name: str) -> None:
    parts = pb.get_skeleton(name).parts
    members = [joint for part in parts.values() for joint in part]
    assert len(set(members)) == len(members)
    for part in parts.values():
        assert {"R" + joint[1:] for joint in part if joint[0] == "L"} == {joint for joint in part if joint[0] == "R"}


def test_no_two_skeletons_have_the_same_joints_in_any_order() -> None:
    """So that the columns of a table tell which it is."""
    assert len({frozenset(pb.get_skeleton(name).joints) for name in NAMES}) == len(NAMES)


def test_body_25_is_not_body_25b() -> None:
    one, other = pb.get_skeleton("BODY-25"), pb.get_skeleton("BODY_25B")
    assert one != other
    assert one.joints[:9] == (
        "nose_tip", "neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist", "pelvis",
    )  # fmt: skip
    assert other.joints == (
        "nose_tip", "LEye", "REye", "LEar", "REar", "LShoulder", "RShoulder", "LElbow", "RElbow", "LWrist", "RWrist",
        "LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle", "upper_neck", "head_top",
        "LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel",
    )  # fmt: skip


def test_the_17_of_h36m32_and_3dhp28_are_where_every_code_takes_them() -> None:
    h36m32, dhp28 = pb.get_skeleton("h36m32").joints, pb.get_skeleton("3dhp28").joints
    moving = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
    assert tuple(h36m32[i] for i in moving) == H36M17.joints
    relevant = [8, 6, 15, 16, 17, 10, 11, 12, 24, 25, 26, 19, 20, 21, 5, 4, 7]  # from 1 on, as in MATLAB
    assert tuple(dhp28[i - 1] for i in relevant) == pb.get_skeleton("3dhp17").joints


def test_eyes_and_ears_of_panoptic19_go_side_by_side() -> None:
    """As its README has it since 2020; before, it gave right eye, left eye, right ear, left ear."""
    assert pb.get_skeleton("panoptic19").joints == (
        "neck", "nose_tip", "pelvis", "LShoulder", "LElbow", "LWrist", "LHip", "LKnee", "LAnkle",
        "RShoulder", "RElbow", "RWrist", "RHip", "RKnee", "RAnkle", "LEye", "LEar", "REye", "REar",
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_table_of_every_skeleton_can_be_written_and_read(name: str, tmp_path) -> None:
    poses = np.random.default_rng(0).normal(size=(2, len(pb.get_skeleton(name)), 3))
    pb.write(pb.PoseSet(poses, skeleton=name, unit="mm"), tmp_path / "a.csv")
    assert pb.read(tmp_path / "a.csv").skeleton == pb.get_skeleton(name)


def test_h36m17_needs_no_yaml() -> None:
    code = "import sys, posebench as pb; pb.get_skeleton('h36m17'); print('yaml' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False"]


def test_a_skeleton_that_runs_in_a_circle_or_has_no_root_is_refused() -> None:
    with pytest.raises(pb.UsageError, match="reached from itself"):
        Skeleton("x", ("a", "b", "c"), (-1, 2, 1), 0, (), {})
    with pytest.raises(pb.UsageError, match="no joint's index"):
        Skeleton("x", ("a", "b"), (-1, 7), 0, (), {})
    with pytest.raises(pb.UsageError, match="the root must be a joint without a parent"):
        Skeleton("x", ("a", "b"), (-1, 0), 1, (), {})


# A user's own

MINE = """\
name: stick
source: "my own"
count: 3
root: pelvis
joints:
  pelvis: null
  LHip: pelvis
  RHip: pelvis
parts:
  legs: [LHip, RHip]
"""


def test_a_skeleton_is_read_from_a_file(tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(MINE)
    for given in (path, str(path)):
        mine = pb.get_skeleton(given)
        assert (mine.name, mine.joints, mine.parents) == ("stick", ("pelvis", "LHip", "RHip"), (-1, 0, 0))
        assert (mine.root, mine.left_right, mine.parts) == (0, ((1, 2),), {"legs": ("LHip", "RHip")})
    assert "stick" not in pb.skeleton_names()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: stick", "name: h36m17", "name is 'h36m17', which is a different skeleton already"),
        ("name: stick", "name: Body-25", "name is 'Body-25', which is a different skeleton already"),
        ("name: stick", "name: 17", "name is 17, expected letters"),
        ("name: stick", "name: a/b", "name is 'a/b', expected letters"),
        ("name: stick\n", "", "amiss: 'name'"),
        ("name: stick", "name: stick\nhobby: chess", "amiss: 'hobby'"),
        ("name: stick", "name: stick\nname: stick", "the field 'name' stands twice"),
        ('source: "my own"', "source:", "source is None, expected a line of text"),
        ("count: 3", "count: 4", "count is 4, expected 3, the number of joints"),
        ("count: 3", "count: three", "count is 'three', expected 3"),
        ("count: 3", "count: true", "count is True, expected 3"),
        ("root: pelvis", "root: LHip", "root is 'LHip', expected a joint whose parent is null"),
        ("root: pelvis", "root: head", "root is 'head', expected a joint"),
        ("root: pelvis", "root: [pelvis]", r"root is \['pelvis'\], expected a joint"),
        ("  LHip: pelvis", "  LHip: spine", "joints: the parent of LHip is 'spine', expected one of the joints"),
        ("  LHip: pelvis", "  LHip: {a: b}", "joints: the parent of LHip is {'a': 'b'}, expected one of the joints"),
        ("  LHip: pelvis", "  LHip: RHip", None),
        (
            "  LHip: pelvis\n  RHip: pelvis",
            "  LHip: RHip\n  RHip: LHip",
            "skeleton stick: .*reached from itself",
        ),
        ("  LHip: pelvis", "  RHip: pelvis", "the field 'RHip' stands twice"),
        ("  LHip: pelvis", "  no: pelvis", "a joint is False, expected a name"),
        ("  LHip: pelvis", "  'L Hip': pelvis", "a joint is 'L Hip', expected a name"),
        ("  LHip: pelvis", "  [a]: pelvis", "is not YAML"),
        ("  legs: [LHip, RHip]", "  legs: [LHip, LKnee]", "parts: legs is .*, expected a list of joints, each once"),
        ("  legs: [LHip, RHip]", "  legs: [LHip, LHip]", "parts: legs is .*, expected a list of joints, each once"),
        ("  legs: [LHip, RHip]", "  legs: LHip", "parts: legs is 'LHip', expected a list of joints"),
        ("  legs: [LHip, RHip]", "  legs: [3]", r"parts: legs is \[3\], expected a list of joints"),
        ("parts:\n  legs: [LHip, RHip]", "parts: all", "parts is 'all', expected body parts"),
        ("parts:\n  legs: [LHip, RHip]", "parts: {}", None),
        (MINE, "", "holds None, expected the fields name, source"),
        (MINE, "- a\n- b", r"holds \['a', 'b'\], expected the fields"),
        (MINE, "a: [", "is not YAML"),
        (MINE, "a: !!python/object:os.system x", "is not YAML"),
        (MINE, "a: &x [1]\nb: *x", r"is not YAML: a reference \(\*x\) stands in line 2"),
        (MINE, "[" * 5000, "is not YAML"),
        (MINE, "#" * 300_000, "has 300000 bytes, expected at most"),
    ],
)
def test_a_malformed_file_is_refused_by_file_and_field(tmp_path, old: str, new: str, message: str | None) -> None:
    path = tmp_path / "mine.yaml"
    assert old in MINE
    path.write_text(MINE.replace(old, new))
    if message is None:
        pb.get_skeleton(path)
        return
    with pytest.raises(pb.InputError, match=message) as caught:
        pb.get_skeleton(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_file_that_is_none_is_refused(tmp_path) -> None:
    with pytest.raises(pb.InputError, match=r"none.yaml: cannot be read: No such file"):
        pb.get_skeleton(tmp_path / "none.yaml")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(pb.InputError, match=r"folder.yaml: is no regular file"):
        pb.get_skeleton(tmp_path / "folder.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe9")
    with pytest.raises(pb.InputError, match=r"latin.yaml: is not YAML"):
        pb.get_skeleton(tmp_path / "latin.yaml")


def test_a_file_of_poses_cannot_have_another_file_opened(tmp_path) -> None:
    (tmp_path / "mine.yaml").write_text(MINE)
    np.savez(tmp_path / "a.npz", poses=np.zeros((1, 3, 3)), skeleton=str(tmp_path / "mine.yaml"))
    with pytest.raises(pb.InputError, match="there is no skeleton"):
        pb.read(tmp_path / "a.npz")
    assert pb.read(tmp_path / "a.npz", skeleton=tmp_path / "mine.yaml").skeleton.name == "stick"


def test_the_command_line_takes_a_skeleton_from_a_file(tmp_path, capsys, monkeypatch) -> None:
    from posebench.cli import main

    joints = "".join(f"  {joint}: null\n" for joint in H36M17.joints[::-1])
    text = f"name: upside-down\nsource: me\ncount: 17\nroot: head\njoints:\n{joints}parts: {{}}\n"
    (tmp_path / "mine.yaml").write_text(text)
    gt = people(np.random.default_rng(0), 3)
    np.savez(tmp_path / "gt.npz", poses=gt, unit="mm", skeleton="h36m17", reference="camera")
    np.savez(tmp_path / "pred.npz", poses=gt[:, ::-1], unit="mm", reference="camera")
    files = ["--pred", f"{tmp_path}/pred.npz", "--gt", f"{tmp_path}/gt.npz", "--pred-skeleton", f"{tmp_path}/mine.yaml"]
    monkeypatch.setattr(sys, "argv", ["posebench", "score", *files, "--fail-over", "MPJPE=0.001"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    assert "converted from upside-down to h36m17" in capsys.readouterr().out
