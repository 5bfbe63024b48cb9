"""CMU clips: the joints of a small file written here, and what must hold of real people."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from posebench import InputError, PoseSet, UsageError
from posebench.datasets import CMU_ATTRIBUTION, cmu_clips, read_bvh, read_cmu
from posebench.skeletons import H36M17
from tests.support.mocap import BONES, amc_text, asf_text, clip_text, written

MM = 25.4 / 0.45
SUBJECTS = ("01", "02", "03", "05", "06", "07", "08", "09")

#: Bones that move as one piece in H36M-17; the trunk bends between pelvis and thorax, and thorax and nose.
RIGID = [name for name in H36M17.bone_names if name not in ("pelvis-spine", "spine-thorax", "thorax-nose")]

# ----------------------------------------------------------------------------------------------------- a file made here


def test_joints_stand_where_the_file_puts_them(tmp_path: Path) -> None:
    # Spine1 ends at (0, 5, 4) from the root; the thorax bone is 5 long, the arms begin 1 above its end.
    expected = {
        "pelvis": (0, -2, 0),
        "RHip": (-2, -2, 0),
        "RKnee": (-2, -9, 0),
        "RAnkle": (-2, -17, 0),
        "LHip": (2, -2, 0),
        "LKnee": (2, -9, 0),
        "LAnkle": (2, -17, 0),
        "spine": (0, 4.5, 2),
        "thorax": (0, 11, 4),
        "nose": (0, 12, 4),
        "head": (0, 13, 4),
        "LShoulder": (3, 11, 4),
        "LElbow": (8, 11, 4),
        "LWrist": (11, 11, 4),
        "RShoulder": (-3, 11, 4),
        "RElbow": (-8, 11, 4),
        "RWrist": (-11, 11, 4),
    }
    assert tuple(expected) == H36M17.joints
    poses = read_cmu(written(tmp_path, clip_text({}))).poses
    np.testing.assert_allclose(poses[0] / MM, np.array([*expected.values()]) + [10, 20, 30], atol=1e-12)


def test_the_thorax_turns_with_the_spine(tmp_path: Path) -> None:
    poses = read_cmu(written(tmp_path, clip_text({}, {"Spine1": 90}))).poses / MM - [10, 20, 30]
    turned = poses[1, [H36M17.index(joint) for joint in ("thorax", "head", "LElbow", "RElbow")]]
    np.testing.assert_allclose(turned, [[-6, 5, 4], [-8, 5, 4], [-6, 13, 4], [-6, -3, 4]], atol=1e-12)
    assert np.array_equal(poses[0, :7], poses[1, :7])


def test_a_clip_says_what_it_is(tmp_path: Path) -> None:
    clip = read_cmu(written(tmp_path, clip_text({}, {}, {})))
    assert (clip.unit, clip.reference, clip.origin, clip.dataset) == ("mm", "world", "absolute", "cmu-mocap")
    assert clip.skeleton is H36M17
    assert (clip.subject.names, clip.sequence.names, clip.action) == (("07",), ("07_12",), None)
    assert clip.frame.tolist() == [0, 1, 2]
    assert clip.fps == 120


def test_the_action_comes_from_the_index(tmp_path: Path) -> None:
    first, second = (written(tmp_path, clip_text({}), name) for name in ("07_01.bvh", "07_12.bvh"))
    index = tmp_path / "cmu-mocap" / "motions.csv"
    index.write_text('subject,trial,description\n7,2,run\n7,12,"walk, brisk"\n', encoding="utf-8")
    assert read_cmu(second).action.names == ("walk, brisk",)
    assert read_cmu(first).action is None
    index.write_text("subject;trial;description\n7;12;walk\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"motions\.csv: is not a table with columns subject, trial"):
        read_cmu(second)


def test_the_action_may_be_its_class(tmp_path: Path) -> None:
    first, second = (written(tmp_path, clip_text({}), name) for name in ("07_01.bvh", "07_12.bvh"))
    (tmp_path / "cmu-mocap" / "motions.csv").write_text(
        "subject,trial,description\n7,12,brisk walk\n", encoding="utf-8"
    )
    assert read_cmu(second, actions="class").action.names == ("walk",)
    assert read_cmu(first, actions="class").action is None  # nobody said what is done there
    with pytest.raises(UsageError, match="actions is 'classes', expected one of description, class"):
        read_cmu(second, actions="classes")


def test_the_original_of_a_clip_is_read_beside_its_skeleton(tmp_path: Path) -> None:
    index = tmp_path / "cmu-mocap" / "motions.csv"
    path = index.parent / "asf" / "07" / "07_12.amc"
    path.parent.mkdir(parents=True)
    path.write_text(amc_text({}, {"rhumerus": 90}), encoding="utf-8")
    with pytest.raises(InputError, match=r"07\.asf: cannot be read: No such file"):
        read_cmu(path)
    (path.parent / "07.asf").write_text(asf_text(), encoding="utf-8")
    index.write_text("subject,trial,description\n7,12,brisk walk\n", encoding="utf-8")
    clip = read_cmu(path)
    assert (clip.unit, clip.reference, clip.origin, clip.dataset) == ("mm", "world", "absolute", "cmu-mocap")
    assert (clip.subject.names, clip.sequence.names, clip.action.names) == (("07",), ("07_12",), ("brisk walk",))
    assert (clip.frame.tolist(), clip.fps, clip.path) == ([1, 2], None, str(path))
    arm = [H36M17.index(joint) for joint in ("RShoulder", "RElbow", "RWrist")]
    np.testing.assert_allclose(clip.poses[0, arm] / MM, [[7, 27, 34], [2, 27, 34], [-1, 27, 34]], atol=1e-12)
    np.testing.assert_allclose(clip.poses[1, arm] / MM, [[7, 27, 34], [7, 22, 34], [7, 19, 34]], atol=1e-12)


def test_clips_are_found_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("09_02.bvh", "10_01.bvh", "02_10.bvh", "02_03.bvh", "02_notes.bvh"):
        written(tmp_path, clip_text({}), name)
    assert [path.stem for path in cmu_clips(tmp_path)] == ["02_03", "02_10", "09_02", "10_01"]
    monkeypatch.setenv("POSEBENCH_DATA", str(tmp_path))
    assert cmu_clips() == cmu_clips(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSEBENCH_DATA", raising=False)
    with pytest.raises(UsageError, match="set the environment variable POSEBENCH_DATA"):
        cmu_clips()
    with pytest.raises(InputError, match=r"bvh: holds no clips such as 02/02_01\.bvh"):
        cmu_clips(tmp_path)


def test_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"walk\.bvh: is not called by subject and trial"):
        read_cmu(written(tmp_path, clip_text({}), "walk.bvh"))
    with pytest.raises(InputError, match=r"07_12\.bvh: has no joint 'Head'"):
        read_cmu(written(tmp_path, clip_text({}).replace("JOINT Head", "JOINT Skull")))
    whole = tuple((name, above, (0, 4, 0) if name == "Neck" else offset) for name, above, offset in BONES)
    with pytest.raises(InputError, match="Neck does not begin where Spine1 does"):
        read_cmu(written(tmp_path, clip_text({}, bones=whole)))


# --------------------------------------------------------------------------------------------------------- real people


@cache
def clips_of(root: Path, subject: str) -> tuple[Path, ...]:
    """The two shortest clips of a subject that last for a second at least."""
    paths = [path for path in cmu_clips(root) if path.stem.startswith(f"{subject}_")]
    return tuple(sorted(paths, key=lambda path: path.stat().st_size)[:2])


@cache
def captured(path: Path) -> PoseSet:
    """A clip without the rest pose."""
    return read_cmu(path)[1:]


def lengths(poses: np.ndarray) -> dict[str, np.ndarray]:
    """Bone name -> (N,) in mm."""
    return {
        name: np.linalg.norm(poses[:, child] - poses[:, parent], axis=-1)
        for name, (parent, child) in zip(H36M17.bone_names, H36M17.bones, strict=True)
    }


def between(poses: np.ndarray, a: str, b: str) -> float:
    return float(np.linalg.norm(poses[:, H36M17.index(a)] - poses[:, H36M17.index(b)], axis=-1).mean())


@pytest.mark.mocap
def test_every_subject_is_there(mocap_root: Path) -> None:
    clips = cmu_clips(mocap_root)
    assert tuple(sorted({path.stem[:2] for path in clips})) == SUBJECTS
    assert len({path.stem for path in clips}) == len(clips)


@pytest.mark.mocap
@pytest.mark.parametrize("subject", SUBJECTS)
def test_bones_keep_their_lengths(mocap_root: Path, subject: str) -> None:
    every = [lengths(captured(path).poses) for path in clips_of(mocap_root, subject)]
    for bone in RIGID:
        assert np.ptp(np.concatenate([clip[bone] for clip in every])) < 0.5, bone


@pytest.mark.mocap
@pytest.mark.parametrize("subject", SUBJECTS)
def test_bones_are_of_human_length(mocap_root: Path, subject: str) -> None:
    bones = {name: values.mean() for name, values in lengths(captured(clips_of(mocap_root, subject)[0]).poses).items()}
    for side in "LR":
        assert 350 < bones[f"{side}Hip-{side}Knee"] < 480
        assert 380 < bones[f"{side}Knee-{side}Ankle"] < 480
        assert 250 < bones[f"{side}Shoulder-{side}Elbow"] < 350
        # The laboratory's radius ends short of the wrist.
        assert 130 < bones[f"{side}Elbow-{side}Wrist"] < 260
    assert 470 < bones["pelvis-spine"] + bones["spine-thorax"] < 570
    assert 180 < bones["thorax-nose"] + bones["nose-head"] < 290


@pytest.mark.mocap
@pytest.mark.parametrize("subject", SUBJECTS)
def test_left_and_right_are_alike(mocap_root: Path, subject: str) -> None:
    bones = {name: values.mean() for name, values in lengths(captured(clips_of(mocap_root, subject)[0]).poses).items()}
    pairs = [(H36M17.bone_names[i], H36M17.bone_names[j]) for i, j in H36M17.mirrored_bones]
    assert len(pairs) == 6
    for left, right in pairs:
        tolerance = 0.13 if "Wrist" in left else 0.08
        assert abs(bones[left] / bones[right] - 1) < tolerance, left


@pytest.mark.mocap
@pytest.mark.parametrize("subject", SUBJECTS)
def test_proportions_are_human(mocap_root: Path, subject: str) -> None:
    for path in clips_of(mocap_root, subject):
        poses = captured(path).poses
        leg = np.mean([between(poses, f"{s}Hip", f"{s}Knee") + between(poses, f"{s}Knee", f"{s}Ankle") for s in "LR"])
        upper_arm = np.mean([between(poses, f"{s}Shoulder", f"{s}Elbow") for s in "LR"])
        forearm = np.mean([between(poses, f"{s}Elbow", f"{s}Wrist") for s in "LR"])
        assert 0.54 < between(poses, "pelvis", "thorax") / leg < 0.70
        assert 0.30 < upper_arm / leg < 0.42
        # Measured 1.47 to 1.65, and 2.24 for subject 05; 1.1 to 1.3 would be human, were the radius not too short.
        assert 1.3 < upper_arm / forearm < 2.4
        # Hip joints lie deep inside: their distance is less than what calipers measure.
        assert 1.7 < between(poses, "LShoulder", "RShoulder") / between(poses, "LHip", "RHip") < 2.6


@pytest.mark.mocap
def test_who_walks_is_upright(mocap_root: Path) -> None:
    walk = captured(mocap_root / "cmu-mocap" / "bvh" / "02" / "02_01.bvh")
    assert walk.action.names == ("walk",)
    assert walk.fps == 120
    trunk = walk.poses[:, H36M17.index("thorax")] - walk.poses[:, H36M17.index("pelvis")]
    up = (trunk / np.linalg.norm(trunk, axis=-1, keepdims=True)).mean(axis=0)
    assert up[1] > 0.97
    height = {joint: float(walk.poses[:, j, 1].mean()) for j, joint in enumerate(H36M17.joints)}
    assert height["head"] > height["nose"] > height["thorax"] > height["spine"] > height["pelvis"]
    assert min(height["LShoulder"], height["RShoulder"]) > height["spine"]
    assert min(height["LHip"], height["RHip"]) > height["LKnee"] > height["LAnkle"] > 0
    assert 1300 < height["LShoulder"] < 1500


@pytest.mark.mocap
@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_thorax_bone_lifts_what_hangs_from_it(mocap_root: Path, subject: str) -> None:
    path = clips_of(mocap_root, subject)[0]
    raw, poses = read_bvh(path), read_cmu(path).poses
    world = raw.positions() * MM
    bones = ("Head", "LeftArm", "LeftHand", "RightArm", "RightHand")
    joints = [H36M17.index(joint) for joint in ("nose", "LShoulder", "LWrist", "RShoulder", "RWrist")]
    lift = poses[:, joints] - world[:, [raw.index(bone) for bone in bones]]
    np.testing.assert_allclose(lift, lift[:, :1].repeat(len(joints), axis=1), atol=1e-9)
    length = np.linalg.norm(lift[:, 0], axis=-1)
    assert np.ptp(length) < 1e-9
    assert 100 < length[0] < 140
    # Along the trunk: the end of the last spine bone seen from its beginning.
    trunk = world[:, raw.index("Spine1")] - world[:, raw.index("Spine")]
    cosine = (trunk * lift[:, 0]).sum(axis=-1) / np.linalg.norm(trunk, axis=-1) / length
    assert np.median(cosine[1:]) > 0.85


def test_the_attribution_names_the_database() -> None:
    assert "mocap.cs.cmu.edu" in CMU_ATTRIBUTION
    assert "EIA-0196217" in CMU_ATTRIBUTION
