"""Which frames are captured poses: faults put into good ones here, and those that the databases have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posebench import InputError, PoseSet, concatenate
from posebench.datasets import cmu_clips, read_bvh, read_cmu, read_hdm05, unusable_frames, usable_frames
from posebench.skeletons import H36M17
from tests.support.mocap import amc_text, asf_text, clip_text, written


def standing(n: int = 6, **facts: object) -> PoseSet:
    """A body of round numbers with its ankles 100 mm above the floor."""
    height = {"Ankle": 100, "Knee": 500, "Hip": 900, "Shoulder": 1400, "Elbow": 1100, "Wrist": 900}
    middle = {"pelvis": 900, "spine": 1150, "thorax": 1400, "nose": 1500, "head": 1650}
    side = {"L": 150, "R": -150}
    pose = [
        (0, middle[joint], 0) if joint in middle else (side[joint[0]], height[joint[1:]], 0) for joint in H36M17.joints
    ]
    return PoseSet(np.tile(np.array(pose, np.float64), (n, 1, 1)), skeleton="h36m17", **facts)


def faults(poses: PoseSet, **limits: float) -> dict[str, list[int]]:
    return {
        name: np.flatnonzero(mask).tolist() for name, mask in unusable_frames(poses, **limits).items() if mask.any()
    }


def test_good_frames_are_usable() -> None:
    assert usable_frames(standing()).all()
    assert faults(standing()) == {}


def test_joints_that_are_not_finite_or_masked_are_found() -> None:
    poses = standing()
    poses.poses[1, 5, 2] = np.nan
    poses.poses[2, 0, 0] = np.inf
    assert faults(poses) == {"not finite": [1, 2]}
    valid = np.ones((6, 17), bool)
    valid[4, 9] = False
    assert faults(poses.replace(valid=valid)) == {"not finite": [1, 2, 4]}
    assert usable_frames(poses.replace(valid=valid)).tolist() == [True, False, False, True, False, True]


def test_a_limb_that_changes_its_length_is_found() -> None:
    poses = standing()
    poses.poses[3, H36M17.index("LWrist"), 1] -= 25  # the forearm is 200 long
    assert faults(poses) == {"bone length": [3]}
    assert faults(poses, limb=0.13) == {}


def test_a_trunk_may_bend_but_not_vanish() -> None:
    poses = standing()
    nose = H36M17.index("nose")
    poses.poses[1, nose, 1] -= 40  # the neck is 100 long, the head 150
    poses.poses[2, nose, 1] = 1400
    assert faults(poses) == {"bone length": [2]}
    assert faults(poses, trunk=0.3) == {"bone length": [1, 2]}


def test_bones_are_compared_within_a_clip() -> None:
    clips = [standing(3), standing(3)]
    clips[1].poses[:] *= 0.7
    assert faults(concatenate([clip.replace(sequence=name) for clip, name in zip(clips, "ab", strict=True)])) == {}
    assert faults(concatenate(clips[:1] * 2 + clips[1:])) == {"bone length": [6, 7, 8]}


def test_a_clip_without_a_sound_frame_has_no_bones_to_compare() -> None:
    poses = standing(2)
    poses.poses[:, 3] = np.nan
    assert faults(poses) == {"not finite": [0, 1]}


def test_rest_poses_and_empty_frames_of_cmu_are_found(tmp_path: Path) -> None:
    text = clip_text({}, {}, {}, {}).replace("10 20 30", "0 20 0")
    lines = text.splitlines()
    lines[-2] = " ".join("0" for _ in lines[-2].split())
    clip = read_cmu(written(tmp_path, "\n".join(lines)))
    assert faults(clip) == {"rest pose": [0], "empty": [2]}
    assert faults(clip[1:]) == {"empty": [1]}


def test_the_originals_of_cmu_have_no_rest_pose(tmp_path: Path) -> None:
    (tmp_path / "07.asf").write_text(asf_text(), encoding="utf-8")
    (tmp_path / "07_12.amc").write_text(amc_text({}, {}), encoding="utf-8")
    assert usable_frames(read_cmu(tmp_path / "07_12.amc")).all()


def test_what_was_converted_is_refused_where_faults_would_not_show(tmp_path: Path) -> None:
    clip = read_cmu(written(tmp_path, clip_text({}, {})))
    for change in (
        {"origin": "root"},
        {"reference": "camera"},
        {"unit": "m"},
        {"frame": None},
    ):
        with pytest.raises(InputError, match=r"07_12\.bvh: expected absolute world coordinates in mm with the frames"):
            usable_frames(clip.replace(**change))
    with pytest.raises(InputError, match="array: does not say its skeleton"):
        usable_frames(PoseSet(np.zeros((1, 17, 3))))


@pytest.mark.mocap
@pytest.mark.parametrize(("name", "empty"), [("07_12", [1]), ("09_10", [1, 2, 3, 4]), ("09_11", [])])
def test_frames_without_data_are_found(mocap_root: Path, name: str, empty: list[int]) -> None:
    path = mocap_root / "cmu-mocap" / "bvh" / name[:2] / f"{name}.bvh"
    # The file says itself which they are: every channel is 0.
    assert np.flatnonzero(~read_bvh(path).motion.any(axis=1)).tolist() == empty
    clip = read_cmu(path)
    assert faults(clip) == {"rest pose": [0], **({"empty": empty} if empty else {})}


@pytest.mark.mocap
def test_people_on_the_floor_are_usable(mocap_root: Path) -> None:
    for path in sorted((mocap_root / "hdm05").glob("*/*lieDownFloor*_120.amc"))[::6]:
        assert usable_frames(read_hdm05(path)).all(), path


@pytest.mark.mocap
def test_dancers_who_bend_are_usable(mocap_root: Path) -> None:
    (path,) = (path for path in cmu_clips(mocap_root) if path.stem == "05_16")
    assert np.flatnonzero(~usable_frames(read_cmu(path))).tolist() == [0]
