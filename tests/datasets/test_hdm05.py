"""HDM05 clips: what their names say, and what must hold of real people."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from posebench import InputError, PoseSet, UsageError
from posebench.datasets import HDM05_ATTRIBUTION, HDM05_LICENCE, hdm05_clips, read_hdm05
from posebench.skeletons import H36M17
from tests.support.mocap import amc_text, asf_text

ACTORS = ("bd", "bk", "dg", "mm", "tr")

#: Bones that move as one piece in H36M-17; the trunk bends between pelvis and thorax, and thorax and nose.
RIGID = [name for name in H36M17.bone_names if name not in ("pelvis-spine", "spine-thorax", "thorax-nose")]


def written(folder: Path, name: str = "HDM_bd_squat1Reps_003_120.amc", text: str = "") -> Path:
    path = folder / "hdm05" / name.split("_")[1] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text or amc_text({}, {}), encoding="utf-8")
    (path.parent / f"HDM_{name.split('_')[1]}.asf").write_text(asf_text(), encoding="utf-8")
    return path


def test_a_clip_says_what_it_is(tmp_path: Path) -> None:
    path = written(tmp_path)
    clip = read_hdm05(path)
    assert (clip.unit, clip.reference, clip.origin, clip.dataset) == ("mm", "world", "absolute", "hdm05")
    assert clip.skeleton is H36M17
    assert (clip.subject.names, clip.action.names) == (("bd",), ("squat1Reps",))
    assert clip.sequence.names == ("HDM_bd_squat1Reps_003_120",)
    assert (clip.frame.tolist(), clip.fps) == ([1, 2], 120)
    assert clip.source == clip.path == str(path)
    assert clip.poses[0, H36M17.index("head")] * 0.45 / 25.4 == pytest.approx([10, 28, 34])


def test_the_rate_is_in_the_name(tmp_path: Path) -> None:
    assert read_hdm05(written(tmp_path, "HDM_bd_squat1Reps_003_60.amc")).fps == 60


def test_the_action_may_be_its_class(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert read_hdm05(path, actions="class").action.names == ("exercise",)
    with pytest.raises(UsageError, match="actions is 'short', expected one of description, class"):
        read_hdm05(path, actions="short")


def test_clips_are_found_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("HDM_tr_walk_001_120", "HDM_bd_walk_001_120", "HDM_bd_jump_002_120", "HDM_bd_jump_001_120")
    for name in (*names, "HDM_bd_notes"):
        written(tmp_path, f"{name}.amc")
    assert [path.stem for path in hdm05_clips(tmp_path)] == [*names[:0:-1], names[0]]
    monkeypatch.setenv("POSEBENCH_DATA", str(tmp_path))
    assert hdm05_clips() == hdm05_clips(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSEBENCH_DATA", raising=False)
    with pytest.raises(UsageError, match="set the environment variable POSEBENCH_DATA"):
        hdm05_clips()
    with pytest.raises(InputError, match=r"hdm05: holds no clips such as bd/HDM_bd_squat1Reps_001_120\.amc"):
        hdm05_clips(tmp_path)


def test_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"HDM_bd_squat\.amc: is not called by actor, action, take and rate"):
        read_hdm05(written(tmp_path, "HDM_bd_squat.amc"))
    path = written(tmp_path)
    path.with_name("HDM_bd.asf").unlink()
    with pytest.raises(InputError, match=r"HDM_bd\.asf: cannot be read: No such file"):
        read_hdm05(path)


def test_the_licence_is_at_hand() -> None:
    assert HDM05_LICENCE == "CC BY-SA 3.0"
    assert "Müller" in HDM05_ATTRIBUTION
    assert "2007" in HDM05_ATTRIBUTION


# --------------------------------------------------------------------------------------------------------- real people


@cache
def clip_of(root: Path, actor: str, action: str) -> PoseSet:
    """The shortest clip of an action."""
    paths = (root / "hdm05" / actor).glob(f"HDM_{actor}_{action}_*.amc")
    return read_hdm05(min(paths, key=lambda path: (path.stat().st_size, path.name)))


def lengths(poses: np.ndarray) -> dict[str, np.ndarray]:
    """Bone name -> (N,) in mm."""
    return {
        name: np.linalg.norm(poses[:, child] - poses[:, parent], axis=-1)
        for name, (parent, child) in zip(H36M17.bone_names, H36M17.bones, strict=True)
    }


@pytest.mark.mocap
def test_every_actor_is_there(mocap_root: Path) -> None:
    found = Counter(path.parent.name for path in hdm05_clips(mocap_root))
    assert tuple(sorted(found)) == ACTORS
    assert all(path.stem.startswith(f"HDM_{path.parent.name}_") for path in hdm05_clips(mocap_root))


@pytest.mark.mocap
@pytest.mark.parametrize("actor", ACTORS)
def test_bones_keep_their_lengths(mocap_root: Path, actor: str) -> None:
    every = [lengths(clip_of(mocap_root, actor, action).poses) for action in ("hopBothLegs1hops", "kickLFront1Reps")]
    for bone in RIGID:
        assert np.ptp(np.concatenate([clip[bone] for clip in every])) < 1e-6, bone


@pytest.mark.mocap
@pytest.mark.parametrize("actor", ACTORS)
def test_bones_are_of_human_length(mocap_root: Path, actor: str) -> None:
    bones = {name: values.mean() for name, values in lengths(clip_of(mocap_root, actor, "squat1Reps").poses).items()}
    for side in "LR":
        assert 350 < bones[f"{side}Hip-{side}Knee"] < 480
        assert 370 < bones[f"{side}Knee-{side}Ankle"] < 500
        assert 230 < bones[f"{side}Shoulder-{side}Elbow"] < 350
        # The laboratory's radius ends short of the wrist.
        assert 130 < bones[f"{side}Elbow-{side}Wrist"] < 260
    assert 470 < bones["pelvis-spine"] + bones["spine-thorax"] < 600
    assert 180 < bones["thorax-nose"] + bones["nose-head"] < 290


@pytest.mark.mocap
@pytest.mark.parametrize("actor", ACTORS)
def test_left_and_right_are_alike(mocap_root: Path, actor: str) -> None:
    bones = {name: values.mean() for name, values in lengths(clip_of(mocap_root, actor, "squat1Reps").poses).items()}
    for i, j in H36M17.mirrored_bones:
        left, right = H36M17.bone_names[i], H36M17.bone_names[j]
        tolerance = 0.15 if "Wrist" in left else 0.08
        assert abs(bones[left] / bones[right] - 1) < tolerance, left


@pytest.mark.mocap
@pytest.mark.parametrize("actor", ACTORS)
def test_who_begins_a_squat_stands_upright(mocap_root: Path, actor: str) -> None:
    squat = clip_of(mocap_root, actor, "squat1Reps")
    height = {joint: float(squat.poses[0, j, 1]) for j, joint in enumerate(H36M17.joints)}
    assert height["head"] > height["nose"] > height["thorax"] > height["spine"] > height["pelvis"]
    assert min(height["LShoulder"], height["RShoulder"]) > height["spine"]
    assert min(height["LHip"], height["RHip"]) > height["LKnee"] > height["LAnkle"] > 0
    assert 1500 < height["head"] < 1900
    # In a squat the hips come down; some people lift their heels.
    pelvis, ankle = squat.poses[:, 0, 1], squat.poses[:, H36M17.index("LAnkle"), 1]
    assert np.ptp(pelvis) > 200
    assert np.ptp(ankle) < 100


@pytest.mark.mocap
def test_who_lies_down_ends_near_the_floor(mocap_root: Path) -> None:
    lying = clip_of(mocap_root, "bd", "lieDownFloor")
    height = lying.poses[:, :, 1].max(axis=1)
    assert height[0] > 1500
    assert height.min() < 700


@pytest.mark.mocap
@pytest.mark.parametrize("actor", ACTORS)
def test_left_is_left_and_right_is_right(mocap_root: Path, actor: str) -> None:
    def top(action: str, joint: str) -> float:
        return float(clip_of(mocap_root, actor, action).poses[:, H36M17.index(joint), 1].max())

    assert top("kickLFront1Reps", "LAnkle") > top("kickLFront1Reps", "RAnkle") + 300
    assert top("grabHighR", "RWrist") > top("grabHighR", "LWrist") + 300
