"""Crops of the data sets that their makers hand out: labels held against dots painted into the recordings."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from posebench.datasets.catalog import check, read_sums
from posebench.datasets.footage import read_video
from posebench.datasets.mpi_inf_3dhp import read_3dhp_train
from posebench.datasets.prepared import Prepared, prepare, writer
from posebench.datasets.prepared.crops import box_around, faults
from posebench.datasets.prepared.h36m import TAIL
from posebench.datasets.views import MultiViewSet, open_unlabelled
from posebench.errors import InputError, MissingExtraError, UsageError
from posebench.io import child
from posebench.io.hashing import sha256_of
from tests.support.cameras import looking
from tests.support.forking import forking
from tests.support.recordings import (
    CHEST,
    H36M_CAMERAS,
    IN_32,
    JOINTS,
    centroid,
    dhp_camera,
    dot,
    h36m_cameras,
    metadata_xml,
    mpii_points,
    seen,
    world,
    write_3dhp_test,
    write_3dhp_train,
    write_h36m,
    write_mpii,
    write_positions,
    write_video,
)

pytest.importorskip("av")


@pytest.fixture(scope="module", autouse=True)
def quick():
    """What these tests say of files holds in whatever process they are parsed."""
    if sys.platform == "win32":
        yield
        return
    with forking() as run, pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "run", run)
        yield


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut in this process; what several processes do is tested apart."""

    def run(place, waiting, total, make, words, *, workers, progress, start, given) -> int:
        start(*given)
        return sum(make(place, task) for task in waiting)

    monkeypatch.setattr(writer, "run_parts", run)
    monkeypatch.setattr(writer, "leave_with_parent", lambda: None)


@pytest.fixture(scope="module")
def h36m_root(tmp_path_factory) -> Path:
    return write_h36m(tmp_path_factory.mktemp("h36m"), ("S1", "Directions 1"), ("S9", "Photo"), frames=4)


def crops(root: Path, out: Path, name: str = "h36m", **options) -> Prepared:
    given = {"subjects": ["S1"], "stride": 1, "pixels": 64} if name == "h36m" else {"pixels": 64}
    return prepare(name, out, folder=root, **given | options)


def triangulated(views: MultiViewSet, rows: list[int]) -> np.ndarray:
    """Joints (17, 3) in the world from pixels alone, by the null space of the projections."""
    found = []
    for joint in range(17):
        equations = []
        for row in rows:
            camera = views.calibrated(row)
            P = camera.K @ np.column_stack([camera.R, camera.t])
            u, v = views.joints[row, joint]
            equations += [u * P[2] - P[0], v * P[2] - P[1]]
        point = np.linalg.svd(np.array(equations) / 1000)[2][-1]
        found.append(point[:3] / point[3])
    return np.array(found)


# The box


def test_a_box_is_the_projection_of_two_metres_at_the_pelvis() -> None:
    from posebench.cameras import Camera

    camera = Camera("c", [[1000, 0, 320], [0, 1210, 240], [0, 0, 1]], [], np.eye(3), np.zeros(3), "mm", (640, 480))
    pose = np.full((17, 3), [500.0, -200, 4000])
    pose[5] = [9000, 9000, 100]  # the box is the pelvis' alone
    crop = box_around(pose, camera, 256)
    # Corners 1 m to each side; pixels stay square, so the side is that of the focal lengths' geometric mean, 1100.
    assert (crop.left + crop.side / 2, crop.top + crop.side / 2) == (1000 * 500 / 4000 + 320, 1210 * -200 / 4000 + 240)
    assert (crop.side, crop.size) == (pytest.approx(1100 * 2000 / 4000), 256)


def test_poses_behind_the_camera_outside_its_picture_or_unknown_are_told_apart() -> None:
    from posebench.cameras import Camera

    camera = Camera("c", [[1000, 0, 320], [0, 1000, 240], [0, 0, 1]], [], np.eye(3), np.zeros(3), "mm", (640, 480))
    poses = np.tile(np.array([0.0, 0, 4000]), (5, 17, 1))
    poses[1, 3, 2] = -10
    poses[2, :, 0] = 4000
    poses[3, 16, 1] = np.nan
    poses[4, 0, 2] = 100  # 20,000 px for two metres
    unknown, unseen = faults(poses, camera)
    assert unknown.tolist() == [False, False, False, True, False]
    assert unseen.tolist() == [False, True, True, False, True]


# Human3.6M


@pytest.mark.usefixtures("at_once")
def test_labels_of_human36m_lie_on_what_its_videos_show(h36m_root, tmp_path) -> None:
    made = crops(h36m_root, tmp_path, pixels=256)
    assert (made.pictures, made.new, made.left_out, made.notes) == ({"train": 16}, 16, {}, ())
    views = MultiViewSet(tmp_path, "train")
    for row in range(len(views)):
        joint = int(views.frame[row]) % 17
        assert np.linalg.norm(centroid(views.image(row)) - views.joints[row, joint]) < 0.5
    assert views.visible.all()
    assert views.instants.shape == (4, 4)
    assert sorted(set(views.camera.tolist())) == sorted(H36M_CAMERAS)
    assert (views.subject[0], views.action[0], views.sequence[0]) == ("S1", "Directions", "Directions 1")
    for row in range(len(views)):
        placed = h36m_cameras()[H36M_CAMERAS.index(views.camera[row])]
        pose = 1000 * placed.sees(world(int(views.frame[row])) / 1000)
        np.testing.assert_allclose(views.ground_truth().poses[row], pose, atol=0.01)
        side = 256 / (views.intrinsics[row, 0, 0] / placed.focal[0])
        assert side == pytest.approx(2000 * np.sqrt(placed.focal[0] * placed.focal[1]) / pose[0, 2])
        # The pelvis is in the middle.
        np.testing.assert_allclose(views.joints[row, 0], [127.5, 127.5], atol=1e-3)


@pytest.mark.usefixtures("at_once")
def test_joints_of_four_crops_meet_in_the_pose(h36m_root, tmp_path) -> None:
    crops(h36m_root, tmp_path)
    views = MultiViewSet(tmp_path, "train")
    for instant in views.instants.tolist():
        np.testing.assert_allclose(triangulated(views, instant), world(int(views.frame[instant[0]])), atol=0.05)


@pytest.mark.usefixtures("at_once")
def test_training_and_test_subjects_have_splits_and_strides_of_their_own(h36m_root, tmp_path) -> None:
    made = crops(h36m_root, tmp_path, subjects=["S9", "S1"], stride=2)
    assert made.pictures == {"train": 8, "test": 4}
    assert sorted(set(MultiViewSet(tmp_path, "train").frame.tolist())) == [0, 2]
    assert set(MultiViewSet(tmp_path, "test").frame.tolist()) == {0}
    free = open_unlabelled(tmp_path, "test", with_extrinsics=True)
    assert free.R.shape == (4, 3, 3)
    assert free.image(0).shape == (64, 64, 3)


@pytest.mark.usefixtures("at_once")
def test_the_release_by_camera_gives_the_same_labels(h36m_root, tmp_path) -> None:
    pytest.importorskip("cdflib")
    from tests.datasets.test_h36m import write_cdf

    root = tmp_path / "mono"
    (root / "S1").mkdir(parents=True)
    (root / "S1" / "Videos").symlink_to(h36m_root / "S1" / "Videos")
    (root / "metadata.xml").write_text(metadata_xml(h36m_cameras()))
    for camera in h36m_cameras():
        rows = np.zeros((4, 32, 3), np.float32)
        rows[:, IN_32] = [1000 * camera.sees(world(frame) / 1000) for frame in range(4)]
        name = f"Directions 1.{camera.name}.cdf"
        write_cdf(root / "S1" / "MyPoseFeatures" / "D3_Positions_mono" / name, rows.reshape(4, 96))
    crops(root, tmp_path / "a")
    crops(h36m_root, tmp_path / "b")
    a, b = (MultiViewSet(tmp_path / each, "train") for each in "ab")
    np.testing.assert_allclose(a.joints, b.joints, atol=1e-3)
    np.testing.assert_allclose(a.intrinsics, b.intrinsics, atol=1e-3)


@pytest.mark.usefixtures("at_once")
def test_clips_that_the_release_damaged_are_named_and_s11_directions_is_left_out(tmp_path) -> None:
    root = write_h36m(tmp_path / "h36m", ("S9", "Waiting 1"), frames=1)
    write_positions(root, "S11", "Directions", world(0)[None])  # its videos may be missing or broken
    made = crops(root, tmp_path / "out", subjects=["S9", "S11"])
    assert made.pictures == {"test": 4}
    shifted, gone = sorted(made.notes, key=lambda note: "left out" in note)
    assert shifted.startswith("S9 Waiting 1: the ground truth is shifted")
    assert gone == "S11 Directions left out: its video is damaged in the release"


@pytest.mark.usefixtures("at_once")
def test_a_damaged_clip_whose_video_is_longer_is_left_out_with_a_note(tmp_path) -> None:
    root = write_h36m(tmp_path / "h36m", ("S9", "Waiting 1"), frames=1, video_frames=TAIL + 2)
    write_h36m(root, ("S1", "Waiting 1"), frames=1)
    made = crops(root, tmp_path / "out", subjects=["S1", "S9"])
    assert made.pictures == {"train": 4}
    assert f"has {TAIL + 2} frames, but there are poses of 1" in made.notes[0]


@pytest.mark.usefixtures("at_once")
def test_poses_that_are_not_known_are_left_out_and_counted(h36m_root, tmp_path) -> None:
    root = tmp_path / "h36m"
    (root / "S1").mkdir(parents=True)
    (root / "S1" / "Videos").symlink_to(h36m_root / "S1" / "Videos")
    (root / "metadata.xml").write_text(metadata_xml(h36m_cameras()))
    poses = np.stack([world(frame) for frame in range(5)])
    poses[1, 4] = np.nan
    poses[2] += [0, 0, 90_000]
    write_positions(root, "S1", "Directions 1", poses)
    made = crops(root, tmp_path / "out")
    # Frame 4 of five is behind the end of a video of four.
    assert made.left_out == {
        "joints that are not known": 4, "nobody in the picture": 4, "behind the end of the video": 4
    }  # fmt: skip
    assert sorted(set(MultiViewSet(tmp_path / "out", "train").frame.tolist())) == [0, 3]
    assert json.loads((tmp_path / "out" / "card.json").read_text())["left_out"] == made.left_out


def test_a_missing_video_is_named_with_where_it_comes_from(tmp_path) -> None:
    root = write_h36m(tmp_path / "h36m", ("S1", "Eating"), frames=1)
    (root / "S1" / "Videos" / f"Eating.{H36M_CAMERAS[2]}.mp4").unlink()
    with pytest.raises(
        InputError, match=r"lacks 1 videos, the first S1/Videos/Eating.58860488.mp4; get Videos .*vision.imar.ro"
    ):
        crops(root, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_without_calibration_says_what_to_put_there(h36m_root, tmp_path) -> None:
    write_positions(tmp_path, "S1", "Eating", world(0)[None])
    with pytest.raises(InputError, match=r"has no calibration, .* put metadata.xml"):
        crops(tmp_path, tmp_path / "out")


@pytest.mark.parametrize("frames", [1, TAIL + 3])
def test_a_video_of_another_length_than_its_poses_is_refused(tmp_path, frames: int) -> None:
    root = write_h36m(tmp_path / "h36m", ("S1", "Eating"), frames=2, video_frames=2)
    write_positions(root, "S1", "Eating", np.stack([world(0)] * (TAIL + 2 + frames)))
    with pytest.raises(InputError, match=rf"mp4: has 2 frames, but there are poses of {TAIL + 2 + frames}, more than"):
        crops(root, tmp_path / "out")


def test_a_video_of_another_size_than_its_camera_is_refused(tmp_path) -> None:
    root = write_h36m(tmp_path / "h36m", ("S1", "Eating"), frames=1)
    write_video(root / "S1" / "Videos" / f"Eating.{H36M_CAMERAS[1]}.mp4", [np.zeros((500, 500, 3), np.uint8)])
    with pytest.raises(
        InputError, match=r"Eating.55011271.mp4: has frames of 500 × 500 px, but .* calibrated for 1000 × 1000"
    ):
        crops(root, tmp_path / "out")


@pytest.mark.usefixtures("at_once")
def test_a_truncated_video_is_one_sentence_and_what_is_finished_is_kept(tmp_path) -> None:
    root = write_h36m(tmp_path / "h36m", ("S1", "Eating"), frames=3)
    path = root / "S1" / "Videos" / f"Eating.{H36M_CAMERAS[3]}.mp4"
    content = path.read_bytes()
    index = content.index(b"moov") - 4
    begin = content.index(b"mdat") + 4
    # The samples go, the index that promises three frames stays.
    path.write_bytes(content[: begin + 60] + bytes(index - begin - 60) + content[index:])
    with pytest.raises(InputError, match=rf"Eating.{H36M_CAMERAS[3]}.mp4: .*(truncated|damaged)"):
        crops(root, tmp_path / "out")
    assert len(list((tmp_path / "out" / ".parts").rglob("*.npz"))) == 3
    assert not (tmp_path / "out" / "SHA256SUMS").exists()
    path.write_bytes(content)
    assert crops(root, tmp_path / "out").new == 3
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=rf"Eating.{H36M_CAMERAS[3]}.mp4: .*truncated"):
        crops(root, tmp_path / "other")


def test_without_av_the_extra_is_named(h36m_root, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"package av: pip install .*\[data\]"):
        crops(h36m_root, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# The folder


def content(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("at_once")
def test_a_folder_says_whose_data_these_are_and_can_be_verified(h36m_root, tmp_path) -> None:
    crops(h36m_root, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("images", "labels", "views", "card.json", "LICENCE.txt", "SHA256SUMS"),
    }
    assert "may not be redistributed" in (tmp_path / "LICENCE.txt").read_text()
    assert json.loads((tmp_path / "card.json").read_text())["redistribution"] == "not allowed"
    assert set(read_sums(tmp_path / "SHA256SUMS")) == set(content(tmp_path)) - {"SHA256SUMS"}
    assert check("h36m", tmp_path).wrong == ()
    picture = next((tmp_path / "images").rglob("*.jpg"))
    picture.write_bytes(b"other")
    assert [each.partition(":")[0] for each in check("h36m", tmp_path).wrong] == [str(picture)]


def test_one_process_and_two_write_the_same_bytes_and_a_killed_run_goes_on(h36m_root, tmp_path) -> None:
    class Killed(BaseException):
        pass

    def kill(done: float, total: float, words: str) -> None:
        raise Killed

    with pytest.raises(Killed):
        crops(h36m_root, tmp_path / "two", workers=2, progress=kill)
    parts = sorted((tmp_path / "two" / ".parts").rglob("*.npz"))
    for part in parts[1:]:
        part.unlink()
    # Half of a picture of a take that is not done.
    other = next(name for name in H36M_CAMERAS if not parts[0].stem.endswith(name))
    (tmp_path / "two" / "images" / "train" / "S1" / "Directions_1" / f"{other}_000001.jpg").write_bytes(b"half")
    seen_steps: list[tuple[float, float]] = []
    made = crops(
        h36m_root, tmp_path / "two", workers=2, progress=lambda done, total, _: seen_steps.append((done, total))
    )
    assert (made.new, seen_steps) == (12, [(2, 4), (3, 4), (4, 4)])
    crops(h36m_root, tmp_path / "one", workers=1)
    assert content(tmp_path / "one") == content(tmp_path / "two")


@pytest.mark.usefixtures("at_once")
def test_another_preparation_in_the_same_folder_is_refused(h36m_root, tmp_path) -> None:
    crops(h36m_root, tmp_path / "a")
    assert crops(h36m_root, tmp_path / "a").new == 0
    with pytest.raises(InputError, match=r"a: holds another preparation, with pixels 64 instead of 32; name another"):
        crops(h36m_root, tmp_path / "a", pixels=32)
    with pytest.raises(InputError, match="holds another preparation, with stride 1 instead of 2"):
        crops(h36m_root, tmp_path / "a", stride=2)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine").touch()
    with pytest.raises(InputError, match="b: holds other files"):
        crops(h36m_root, tmp_path / "b")


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("hdm05", {}, "no crops are made of 'hdm05'"),
        ("h36m", {"pixels": 8}, "pixels is 8, expected 16 to 2048"),
        ("h36m", {"workers": 0}, "workers is 0, expected 1 or more"),
        ("h36m", {"stride": 0}, "stride is 0, expected 1 or more"),
        ("h36m", {"annotations": "train.json"}, "annotations are chosen for mpii alone"),
        ("mpii", {"stride": 5}, "MPII has single pictures and no subjects"),
        ("h36m", {"subjects": ["S4"]}, "no subject .* 'S4'"),
        ("mpi-inf-3dhp", {"subjects": ["S9"]}, "MPI-INF-3DHP has no subject 'S9'"),
    ],
)
def test_arguments_are_checked_before_anything_is_made(h36m_root, tmp_path, name, given, message) -> None:
    with pytest.raises(UsageError, match=message):
        prepare(name, tmp_path / "out", folder=h36m_root, **given)
    assert not (tmp_path / "out").exists()


# MPI-INF-3DHP


@pytest.mark.usefixtures("at_once")
def test_labels_of_mpi_inf_3dhp_lie_on_what_its_videos_show(tmp_path) -> None:
    """Frames are numbered as annot.mat does, here from 7; the videos count from 0."""
    root = write_3dhp_train(tmp_path / "3dhp", frames=4, first=7)
    made = crops(root, tmp_path / "out", "mpi-inf-3dhp", stride=1, pixels=256)
    assert made.pictures == {"train": 20}
    views = MultiViewSet(tmp_path / "out", "train")
    assert sorted(set(views.camera.tolist())) == [f"Cam{number}" for number in CHEST]
    assert sorted(set(views.frame.tolist())) == [7, 8, 9, 10]
    for row in range(len(views)):
        frame = int(views.frame[row]) - 7
        assert np.linalg.norm(centroid(views.image(row)) - views.joints[row, frame]) < 0.7
    for instant in views.instants.tolist():
        expected = world(int(views.frame[instant[0]]) - 7)
        np.testing.assert_allclose(triangulated(views, instant), expected, atol=0.05)
    assert (views.ground_truth().fps, views.ground_truth().dataset) == (25.0, "3dhp")


@pytest.mark.usefixtures("at_once")
def test_the_test_sets_cameras_are_fitted_to_its_annotations(tmp_path) -> None:
    root = write_3dhp_test(tmp_path / "3dhp")
    made = crops(root, tmp_path / "out", "mpi-inf-3dhp", pixels=256)
    assert made.pictures == {"test": 10}
    assert made.notes == ("TS1: intrinsics fitted to annot2 and annot3 with a residual of 0.00 px (rms)",)
    views = MultiViewSet(tmp_path / "out", "test")
    assert views.frame.tolist() == [1, *range(3, 12)]
    np.testing.assert_allclose(views._views.camera_intrinsics[0], dhp_camera(1).K, atol=1e-6)
    for row in range(len(views)):
        frame = int(views.frame[row])
        assert np.linalg.norm(centroid(views.image(row)) - views.joints[row, frame % 17]) < 0.7
        # In the size of the person, not that of everybody.
        pose = 1000 * dhp_camera(1).sees(world(frame % 4) / 1000)
        np.testing.assert_allclose(views.ground_truth().poses[row], pose, atol=0.01)
    assert set(views.action.tolist()) == {"Exercising"}


def test_annotations_that_no_pinhole_camera_relates_are_refused(tmp_path) -> None:
    root = write_3dhp_test(tmp_path / "3dhp", off=9.0)
    with pytest.raises(InputError, match=r"annot_data.mat: annot2 is not where a camera .* off by \d+\.\d px \(rms\)"):
        crops(root, tmp_path / "out", "mpi-inf-3dhp")


def test_a_missing_picture_or_video_of_mpi_inf_3dhp_is_named(tmp_path) -> None:
    root = write_3dhp_test(tmp_path / "3dhp")
    (root / "TS1" / "imageSequence" / "img_000002.jpg").unlink()
    with pytest.raises(InputError, match=r"img_000002.jpg: is missing, as 1 pictures of TS1; get it with"):
        crops(root, tmp_path / "out", "mpi-inf-3dhp")
    train = write_3dhp_train(tmp_path / "train", frames=1)
    (train / "S1" / "Seq1" / "imageSequence" / "video_4.avi").unlink()
    with pytest.raises(InputError, match=r"video_4.avi: is missing, as 1 videos of S1 Seq1"):
        crops(train, tmp_path / "out", "mpi-inf-3dhp")
    (train / "S1" / "Seq1" / "camera.calibration").unlink()
    with pytest.raises(InputError, match=r"Seq1: has no camera.calibration"):
        crops(train, tmp_path / "out", "mpi-inf-3dhp")
    with pytest.raises(InputError, match=r"holds neither S1/Seq1/annot.mat nor TS1/annot_data.mat"):
        crops(tmp_path / "train" / "S1", tmp_path / "out", "mpi-inf-3dhp")


@pytest.mark.usefixtures("at_once")
def test_frames_of_mpi_inf_3dhp_without_joints_are_left_out_and_counted(tmp_path) -> None:
    root = write_3dhp_train(tmp_path / "3dhp", frames=3, lost=(0, 1))
    with pytest.raises(InputError, match="row 1 lacks joints"):
        read_3dhp_train(root, subjects=None)
    made = crops(root, tmp_path / "out", "mpi-inf-3dhp", stride=1)
    assert (made.pictures, made.left_out) == ({"train": 14}, {"joints that are not known": 1})
    views = MultiViewSet(tmp_path / "out", "train")
    assert views.frame[views.camera == "Cam0"].tolist() == [0, 2]


def test_one_video_of_another_length_than_the_others_is_refused(tmp_path) -> None:
    root = write_3dhp_train(tmp_path / "3dhp", frames=2)
    pictures = [np.zeros((320, 320, 3), np.uint8)] * 13
    write_video(root / "S1" / "Seq1" / "imageSequence" / "video_7.avi", pictures, 25)
    with pytest.raises(
        InputError, match=r"video_7.avi: has 13 frames, but 2 of them are annotated, more than 10 apart"
    ):
        crops(root, tmp_path / "out", "mpi-inf-3dhp")


# MPII


@pytest.mark.usefixtures("at_once")
def test_labels_of_mpii_lie_on_what_its_pictures_show(tmp_path) -> None:
    root = write_mpii(tmp_path / "mpii", [f"{number:09d}.jpg" for number in range(10)])
    made = crops(root, tmp_path / "out", "mpii", pixels=256)
    assert made.pictures == {"pretrain2d": 10}
    views = MultiViewSet(tmp_path / "out", "pretrain2d")
    names = ["RAnkle", "RKnee", "RHip", "LHip", "LKnee", "LAnkle", "pelvis", "thorax", "nose", "head"]
    for row, name in enumerate(names):
        assert np.linalg.norm(centroid(views.image(row)) - views.joints[row, JOINTS.index(name)]) < 0.7
    # The centre, counted from 1, and the side of 200 px · 0.9 · 1.25.
    inside = (mpii_points() - [160 - 112.5, 170 - 112.5]) * 256 / 225 - 0.5
    np.testing.assert_allclose(views.joints[0, [JOINTS.index(name) for name in names]], inside[:10], atol=1e-9)
    lacking = {JOINTS[j] for j in np.flatnonzero(np.isnan(views.joints[0]).any(-1))}
    assert lacking == {"LElbow", "RElbow"}
    assert not views.visible[:, [JOINTS.index("LElbow"), JOINTS.index("RElbow")]].any()
    assert views.visible[:, 0].all()
    assert not views.has_poses
    assert np.isnan(views.intrinsics).all()
    assert len(views.instants) == 10
    assert open_unlabelled(tmp_path / "out", "pretrain2d").image(3).shape == (256, 256, 3)


@pytest.mark.usefixtures("at_once")
def test_people_of_the_release_without_joints_are_counted_and_its_test_set_is_not_cut(tmp_path) -> None:
    import PIL.Image

    from tests.datasets.test_mpii import release, saved

    (tmp_path / "mpii" / "images").mkdir(parents=True)
    saved(tmp_path / "mpii", {"RELEASE": release()})
    PIL.Image.fromarray(np.full((720, 1280, 3), 90, np.uint8)).save(tmp_path / "mpii" / "images" / "015601864.jpg")
    made = crops(tmp_path / "mpii", tmp_path / "out", "mpii")
    assert (made.pictures, made.left_out) == ({"pretrain2d": 1}, {"people without joints, place or scale": 1})
    views = MultiViewSet(tmp_path / "out", "pretrain2d")
    visible = {JOINTS[j] for j in np.flatnonzero(views.visible[0])}
    # The right knee is annotated and hidden.
    assert visible == {"RAnkle", "pelvis", "nose", "head"}
    assert np.isfinite(views.joints[0, JOINTS.index("RKnee")]).all()


@pytest.mark.parametrize("name", ["../../secret.jpg", "/etc/picture.jpg", "..\\secret.jpg"])
def test_names_of_pictures_that_lead_out_of_the_folder_are_refused(tmp_path, name: str) -> None:
    root = write_mpii(tmp_path / "mpii", ["a.jpg"], image=name)
    with pytest.raises(InputError, match=r"train.json: names the picture .*, which is not below its folder"):
        crops(root, tmp_path / "out", "mpii")


def test_missing_pictures_and_lists_of_mpii_are_named(tmp_path) -> None:
    root = write_mpii(tmp_path / "mpii", ["a.jpg", "b.jpg"])
    (root / "images" / "b.jpg").unlink()
    with pytest.raises(InputError, match=r"b.jpg: is missing, as 1 pictures that train.json names; get mpii_human"):
        crops(root, tmp_path / "out", "mpii")
    (root / "train.json").unlink()
    with pytest.raises(InputError, match=r"mpii: holds no annotations, such as mpii_human_pose_v1_u12_1.mat"):
        crops(root, tmp_path / "out", "mpii")


@pytest.mark.usefixtures("at_once")
def test_a_damaged_picture_of_mpii_is_one_sentence(tmp_path) -> None:
    root = write_mpii(tmp_path / "mpii", ["a.jpg"])
    whole = (root / "images" / "a.jpg").read_bytes()
    (root / "images" / "a.jpg").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(InputError, match=r"a.jpg: is no whole picture"):
        crops(root, tmp_path / "out", "mpii")


# What the tests stand on


def test_only_wanted_frames_of_a_video_are_converted(tmp_path) -> None:
    path = write_video(tmp_path / "a.mp4", [np.full((64, 64, 3), 40 * number, np.uint8) for number in range(5)])
    levels = [picture.mean() for picture in read_video(path, {1, 4})]
    assert levels == pytest.approx([40, 160], abs=8)


def test_a_painted_dot_is_found_where_it_was_painted() -> None:
    camera = looking("c", [4, 0, 1], [0, 0, 1], dist=(0.0, 0.0, 0.0, 0.0))
    # Straight ahead is the principal point.
    np.testing.assert_allclose(seen(camera, np.array([0.0, 0, 1000])), camera.middle)
    np.testing.assert_allclose(centroid(dot((100, 80), np.array([40.3, 30.6]), 4)), [40.3, 30.6], atol=0.05)
