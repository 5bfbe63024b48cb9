"""The demonstration of Pose2Sim: found, triangulated, cut into pictures with labels. Its files are made up here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import posebench as pb
from posebench.datasets import pose2sim
from posebench.datasets.catalog import read_sums
from posebench.datasets.footage import Video
from posebench.datasets.views import MultiViewSet
from posebench.errors import InputError, UsageError
from posebench.io.hashing import sha256_of
from tests.support.pose2sim import BODY, FRAMES, SIZE, calibration, detections, rig, seen, world, write_folder

NAMES = list(BODY)
POSE = "0.8.4/Pose2Sim/S01_Demo_SingleTrial/pose"


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_folder(tmp_path / "pose2sim")


@pytest.fixture
def videos(monkeypatch) -> dict[str, tuple[int, int, int]]:
    """Width, height and frames of the videos that are decoded; each frame is a ramp of its number."""
    known = dict.fromkeys(rig(), (*SIZE, FRAMES))

    def facts(path) -> Video:
        width, height, frames = known[Path(path).stem]
        return Video(Path(path), width, height, frames, 60.0)

    def frames(path):
        width, height, count = known[Path(path).stem]
        ramp = np.stack([*np.meshgrid(np.arange(width) % 256, np.arange(height) // 2)], -1)
        for number in range(count):
            level = np.full((height, width, 1), 40 * number)
            yield np.concatenate([ramp, level], -1).astype(np.uint8)

    monkeypatch.setattr(pose2sim, "video_facts", facts)
    monkeypatch.setattr(pose2sim, "read_video", frames)
    return known


def h36m(points: np.ndarray) -> np.ndarray:
    """H36M-17 in the order that the conventions give, by hand."""
    at = {name: points[..., index, :] for index, name in enumerate(NAMES)}
    pelvis, thorax = (at["LHip"] + at["RHip"]) / 2, (at["LShoulder"] + at["RShoulder"]) / 2
    legs = [at[side + joint] for side in "RL" for joint in ("Hip", "Knee", "Ankle")]
    arms = [at[side + joint] for side in "LR" for joint in ("Shoulder", "Elbow", "Wrist")]
    return np.stack([pelvis, *legs, (pelvis + thorax) / 2, thorax, at["UpperNeck"], at["HeadTop"], *arms], axis=-2)


# Finding and reading


def test_files_and_cameras_are_found(folder) -> None:
    found = pose2sim.locate(folder)
    assert list(found.cameras) == list(found.videos) == ["cam01", "cam02", "cam03", "cam04"]
    K, R, t = rig()["cam03"]
    np.testing.assert_allclose(found.cameras["cam03"].K, K, atol=1e-9)
    np.testing.assert_allclose(found.cameras["cam03"].R, R, atol=1e-9)
    np.testing.assert_allclose(found.cameras["cam03"].t, t, atol=1e-6)


@pytest.mark.parametrize("name", [pose2sim.CALIBRATION, pose2sim.TRC, f"{pose2sim.VIDEOS}/cam02.mp4"])
def test_a_missing_file_is_named(folder, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"{name}: is missing"):
        pose2sim.locate(folder)


def test_files_left_over_between_the_detections_are_not_read(folder) -> None:
    assert list(pose2sim.read_detections(folder / POSE / "cam03_json", "cam03")) == [0, 1, 2]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"people": 1}',
        '{"people": [{}]}',
        '{"people": [{"pose_keypoints_2d": [1, 2, 3]}]}',
        '{"people": [{"pose_keypoints_2d": ["a"]}]}',
        json.dumps({"people": [{"pose_keypoints_2d": [0.0] * 74 + [float("nan")]}]}),
        json.dumps({"people": [{"pose_keypoints_2d": [1e9] * 75}]}),
        "[" * 100_000,
    ],
)
def test_damaged_detections_are_one_sentence(folder, text: str) -> None:
    (folder / POSE / "cam02_json" / "cam02.0001.json").write_text(text)
    with pytest.raises(InputError, match=r"cam02.0001.json: (expected OpenPose's people|holds a number)"):
        pose2sim.reference_3d(pose2sim.locate(folder))


# The reference


def test_the_reference_is_the_person_whom_all_cameras_see(folder) -> None:
    """cam01 and cam02 list two other people first."""
    found = pose2sim.reference_3d(pose2sim.locate(folder))
    assert found.frames.tolist() == [0, 1, 2]
    np.testing.assert_allclose(found.points, [world(frame) for frame in range(FRAMES)], atol=1e-5)
    assert found.used.all()


def test_a_camera_that_sees_nobody_does_not_count(folder) -> None:
    (folder / POSE / "cam04_json" / "cam04.0001.json").write_text('{"people": []}')
    found = pose2sim.reference_3d(pose2sim.locate(folder))
    np.testing.assert_allclose(found.points[1], world(1), atol=1e-5)
    assert not found.used[3, 1].any()


def test_a_detection_without_confidence_does_not_count(folder) -> None:
    path = folder / POSE / "cam01_json" / "cam01.0000.json"
    data = json.loads(path.read_text())
    for person in data["people"]:
        person["pose_keypoints_2d"][:3] = [0, 0, 0.29]
    path.write_text(json.dumps(data))
    found = pose2sim.reference_3d(pose2sim.locate(folder))
    assert found.used[:, 0, 0].tolist() == [False, True, True, True]
    np.testing.assert_allclose(found.points[0], world(0), atol=1e-5)


def test_cameras_with_other_frames_are_refused(folder) -> None:
    (folder / POSE / "cam03_json" / "cam03.0002.json").unlink()
    with pytest.raises(InputError, match=r"cam03_json: has detections of 2 frames, but cam01 of 3"):
        pose2sim.reference_3d(pose2sim.locate(folder))


def test_pose2sims_own_points_come_in_the_same_world(folder) -> None:
    found = pose2sim.read_own_points(pose2sim.locate(folder))
    expected = [[world(f)[NAMES.index(n)] + [0, 0, 10] for n in ("RHip", "LKnee", "UpperNeck")] for f in range(FRAMES)]
    np.testing.assert_allclose(found.poses, expected, atol=1e-2)
    assert (found.unit, found.reference, found.frame.tolist()) == ("mm", "world", [0, 1, 2])


def test_statistics_are_those_of_the_offsets(folder) -> None:
    """All of cam01 is moved by 2 px to the right: the reference follows a part of the way, the rest is its offset."""
    for frame in range(FRAMES):
        path = folder / POSE / "cam01_json" / f"cam01.{frame:04d}.json"
        data = detections("cam01", frame)
        pixels = np.array(data["people"][0]["pose_keypoints_2d"]).reshape(25, 3) + [2, 0, 0]
        path.write_text(json.dumps({"people": [{"pose_keypoints_2d": pixels.reshape(-1).tolist()}]}))
    material = pose2sim.locate(folder)
    found = pose2sim.reference_3d(material)
    own = pose2sim.read_own_points(material)
    facts = pose2sim.statistics(found, own, pose2sim.trc_names(material.trc))
    K, R, t = rig()["cam01"]
    moved = np.stack([seen(world(frame), K, R, t) + [2, 0] for frame in range(FRAMES)])
    offsets = (moved - np.stack([seen(points, K, R, t) for points in found.points])).reshape(-1, 2)
    errors = np.linalg.norm(offsets, axis=-1)
    view = facts["cameras"]["cam01"]
    assert (view["confident"], view["used"]) == (75, 75)
    assert view["median_px"] == pytest.approx(np.median(errors), abs=0.006)
    assert view["rms_px"] == pytest.approx(np.sqrt((errors**2).mean()), abs=0.006)
    assert view["median_offset_px"] == pytest.approx(np.median(offsets, axis=0).tolist(), abs=0.006)
    assert facts["joints_known"] == facts["joints"] == 75
    near = np.linalg.norm(
        found.points[:, NAMES.index("LKnee")] - [world(f)[NAMES.index("LKnee")] + [0, 0, 10] for f in range(3)], axis=-1
    )
    assert facts["own_points"]["median_mm_by_joint"]["LKnee"] == pytest.approx(np.median(near), abs=0.02)


# Pictures and labels


def test_labels_are_the_bodys_joints_in_each_camera_and_crop(folder, videos, tmp_path) -> None:
    made = pose2sim.prepare(tmp_path / "out", folder=folder, pixels=64)
    assert (made.pictures, made.frames) == (4 * FRAMES, FRAMES)
    views = MultiViewSet(tmp_path / "out", "real")
    assert views.instants.shape == (FRAMES, 4)
    gt = views.ground_truth()
    for index in range(len(views)):
        K, R, t = rig()[str(views.camera[index])]
        joints = h36m(world(int(views.frame[index]))) @ R.T + t
        np.testing.assert_allclose(gt.poses[index], joints, atol=1e-2)
        projected = joints @ views.intrinsics[index].T
        # Means of pixels are not quite pixels of means.
        np.testing.assert_allclose(views.joints[index], projected[:, :2] / projected[:, 2:], atol=0.5)
        flat = joints @ K.T
        left, top, side = views._views.crop[index]
        inside = (flat[:, :2] / flat[:, 2:] - [left, top]) * 64 / side - 0.5
        np.testing.assert_allclose(projected[:, :2] / projected[:, 2:], inside, atol=1e-6)
        assert views.image(index).shape == (64, 64, 3)
        assert abs(int(np.median(views.image(index)[..., 2])) - 40 * int(views.frame[index])) < 12
    assert gt.valid is None or gt.valid.all()
    assert (gt.dataset, gt.unit, gt.reference, gt.fps) == ("pose2sim-demo", "mm", "camera", 60.0)


def test_prepared_cameras_reference_and_hashes_can_be_read(folder, videos, tmp_path) -> None:
    out = tmp_path / "out"
    videos["cam01"] = (270, 480, FRAMES)
    pose2sim.prepare(out, folder=folder, pixels=32)
    cameras = pb.read_cameras(out / "cameras.json")
    assert (cameras["cam01"].size, cameras["cam02"].size) == ((270, 480), SIZE)
    scale, rows = 270 / 272, 480 * 270 / 272
    expected = [scale * 135.5 - 0.5, scale * 238.5 - 0.5 + (480 - rows) / 2]
    np.testing.assert_allclose(cameras["cam01"].K[:2, 2], expected, atol=1e-9)
    reference = pb.read(out / "reference" / "world.npz")
    np.testing.assert_allclose(reference.poses, [world(frame) for frame in range(FRAMES)], atol=1e-2)
    assert reference.skeleton.name == "body25b"
    assert len(pb.read(out / "reference" / "pose2sim.npz")) == FRAMES
    assert json.loads((out / "statistics.json").read_text())["videos"]["cam01"]["scale"] == round(scale, 6)
    assert "BSD" in (out / "LICENCE.txt").read_text()
    hashes = read_sums(out / "SHA256SUMS")
    assert {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} == {*hashes, "SHA256SUMS"}
    assert all(sha256_of(out / name) == value for name, value in hashes.items())


def test_preparing_twice_gives_the_same_bytes(folder, videos, tmp_path) -> None:
    for name in ("a", "b"):
        pose2sim.prepare(tmp_path / name, folder=folder, pixels=32)
    again = tmp_path / "a" / "SHA256SUMS"
    assert again.read_bytes() == (tmp_path / "b" / "SHA256SUMS").read_bytes()
    pose2sim.prepare(tmp_path / "a", folder=folder, pixels=32)
    assert again.read_bytes() == (tmp_path / "b" / "SHA256SUMS").read_bytes()


def test_cameras_that_disagree_about_the_number_of_frames_are_refused(folder, videos, tmp_path) -> None:
    videos["cam03"] = (*SIZE, FRAMES - 1)
    with pytest.raises(InputError, match=r"disagree about the number of frames: cam01 3, cam02 3, cam03 2, cam04 3"):
        pose2sim.prepare(tmp_path / "out", folder=folder)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("frames", [FRAMES - 1, FRAMES + 1])
def test_videos_of_another_length_than_the_detections_are_refused(folder, videos, tmp_path, frames: int) -> None:
    videos.update(dict.fromkeys(videos, (*SIZE, frames)))
    with pytest.raises(InputError, match=rf"cam01.mp4: has {frames} frames, but there are detections of 3"):
        pose2sim.prepare(tmp_path / "out", folder=folder, pixels=16)


def test_a_calibration_for_another_resolution_is_refused(folder, videos, tmp_path) -> None:
    (folder / pose2sim.CALIBRATION).write_text(calibration((544, 960)))
    with pytest.raises(InputError, match=r"cam01.mp4: has frames of 272 × 480 px, but .* was calibrated for 544 × 960"):
        pose2sim.prepare(tmp_path / "out", folder=folder)


def test_a_folder_with_other_files_is_left_alone(folder, videos, tmp_path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("")
    with pytest.raises(InputError, match="holds other files"):
        pose2sim.prepare(tmp_path / "out", folder=folder)


def test_what_is_not_there_says_how_to_fetch_it(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("POSEBENCH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(UsageError, match="to get it: posebench data fetch pose2sim"):
        pose2sim.prepare(tmp_path / "out")
    with pytest.raises(UsageError, match="pixels is 8, expected 16 to 2048"):
        pose2sim.prepare(tmp_path / "out", pixels=8)


def test_an_own_folder_without_parts_is_named(folder) -> None:
    shutil.rmtree(folder / "0.8.4")
    with pytest.raises(InputError, match=r"0.8.4/.*/pose: is missing; run posebench data fetch pose2sim"):
        pose2sim.locate(folder)
