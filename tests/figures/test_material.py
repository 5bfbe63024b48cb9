"""The poses of a figure: taken evenly from whole ones, of a file or else of motion capture."""

from __future__ import annotations

import numpy as np
import pytest

import posebench as pb
from posebench.errors import InputError, UsageError
from posebench.figures.material import ground_truth, pick, sequence_codes
from posebench.poses import PoseSet
from tests.support.poses import people

POSES = people(np.random.default_rng(0), 12)


def test_poses_are_taken_evenly() -> None:
    picked = pick(PoseSet(POSES, skeleton="h36m17", frame=np.arange(12)), 5)
    assert picked.poses.frame.tolist() == [0, 2, 4, 7, 9]
    assert (picked.given, picked.left_out) == (12, 0)


def test_of_few_poses_all_are_taken() -> None:
    assert len(pick(PoseSet(POSES, skeleton="h36m17"), 99).poses) == 12


def test_poses_that_lack_a_joint_or_have_no_extent_are_left_out_and_counted() -> None:
    poses, valid = POSES.copy(), np.ones((12, 17), bool)
    poses[3] = [1.0, 2.0, 3.0]
    valid[5, 4] = False
    poses[5, 4] = np.nan
    picked = pick(PoseSet(poses, valid=valid, skeleton="h36m17", frame=np.arange(12)), 99)
    assert picked.poses.frame.tolist() == [0, 1, 2, 4, 6, 7, 8, 9, 10, 11]
    assert picked.words == "10 of 10 poses of array (2 that lack a joint or have no extent left out)"


def test_a_joint_that_is_not_finite_is_named() -> None:
    poses = POSES.copy()
    poses[7, 10, 1] = np.inf
    with pytest.raises(InputError, match=r"pose 7, joint 10 \(head\) is \[.*inf.*\] and is not masked"):
        pick(PoseSet(poses, skeleton="h36m17"), 2)


def test_a_set_without_a_whole_pose_is_refused() -> None:
    with pytest.raises(InputError, match="has no pose with every joint"):
        pick(PoseSet(np.zeros((3, 17, 3)), skeleton="h36m17"), 2)
    with pytest.raises(UsageError, match="the number of poses is 0"):
        pick(PoseSet(POSES, skeleton="h36m17"), 0)


def test_a_file_in_metres_is_read_in_millimetres(tmp_path) -> None:
    path = tmp_path / "gt.npz"
    pb.write(PoseSet(POSES / 1000, skeleton="h36m17", unit="m", reference="camera"), path)
    found = ground_truth(path)
    assert found.unit == "mm"
    np.testing.assert_allclose(found.poses, POSES)


def test_what_a_file_does_not_say_is_assumed_aloud(tmp_path) -> None:
    path = tmp_path / "gt.npy"
    np.save(path, POSES)
    found = ground_truth(path)
    assert (found.skeleton.name, found.reference, found.unit) == ("h36m17", "camera", "mm")
    notes = "\n".join(found.notes)
    for words in ("skeleton of", "assumed: h36m17", "reference of", "assumed: camera", "unit of"):
        assert words in notes


def test_joints_that_nobody_named_are_refused(tmp_path) -> None:
    path = tmp_path / "gt.npy"
    np.save(path, POSES[:, :16])
    with pytest.raises(InputError, match="does not say what its 16 joints are; name the skeleton with --gt-skeleton"):
        ground_truth(path)


def test_without_a_file_there_must_be_motion_capture(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("POSEBENCH_DATA", raising=False)
    with pytest.raises(UsageError, match="give a file with --gt, or set the environment variable POSEBENCH_DATA"):
        ground_truth(None)
    monkeypatch.setenv("POSEBENCH_DATA", str(tmp_path))
    with pytest.raises(InputError, match="holds no clips"):
        ground_truth(None)


@pytest.mark.mocap
def test_motion_capture_is_seen_by_four_cameras_and_says_where_it_is_from(monkeypatch, mocap_root) -> None:
    import posebench.figures.material as material

    monkeypatch.setattr(material, "SUBJECTS", ("08",))
    said: list[str] = []
    found = ground_truth(None, say=said.append)
    assert (found.reference, found.unit, found.camera.names) == ("camera", "mm", ("cam1", "cam2", "cam3", "cam4"))
    assert found.subject.names == ("08",)
    assert (found.poses[:, 0, 2] > 1000).all()  # before every camera
    assert "mocap.cs.cmu.edu" in found.notes[-1]
    assert said and said[0].startswith("reading ")


def test_a_sequence_is_the_same_in_every_camera_and_another_of_another_person() -> None:
    poses = PoseSet(
        POSES[:6],
        sequence=list("aabbaa"),
        camera=list("121212"),
        subject=list("xxxxyy"),
    )
    codes = sequence_codes(poses).tolist()
    assert codes[0] == codes[1] and codes[2] == codes[3] and codes[4] == codes[5]
    assert len(set(codes)) == 3
    assert sequence_codes(PoseSet(POSES)) is None
