"""Labels are exact: they reproject, they triangulate, and depend on nothing but the seed. Nothing is drawn here."""

from __future__ import annotations

import numpy as np
import pytest

from posebench import read
from posebench.datasets.open4v.labels import Views, joined, read_labels, write_labels
from posebench.datasets.open4v.retarget import perform
from posebench.datasets.open4v.splits import SPLITS, Clip
from posebench.datasets.open4v.stage import Stage, body_names, cast_of, placed
from posebench.errors import InputError
from posebench.skeletons import H36M17
from tests.support.open4v import Blank, stick_body

SIZE = 256
SEED = 7


def clip(split: str, frames: int = 5, take: int = 1) -> Clip:
    subject = "syn01" if split in ("train", "pretrain2d") else "syn05"
    return Clip(split, subject, f"{subject}_{take:02d}", 1, take=take, frames=frames)


def views_of(split: str, seed: int = SEED, **given) -> Views:
    chosen = clip(split, **given)
    bodies = {name: stick_body(0.9 + 0.02 * i) for i, name in enumerate(body_names(chosen, seed))}
    shots = list(Stage(Blank(SIZE), bodies, seed).shots(chosen, "jpg"))  # type: ignore[arg-type]
    assert all(shot.pixels.shape == (SIZE, SIZE, 3) for shot in shots)
    return joined([shot.labels for shot in shots])


def triangulated(pixels: np.ndarray, projections: np.ndarray) -> np.ndarray:
    """A point (3,) from its pixels (V, 2) in views with projections (V, 3, 4), by linear least squares."""
    rows = np.concatenate([[x * P[2] - P[0], y * P[2] - P[1]] for (x, y), P in zip(pixels, projections, strict=True)])
    rows /= np.linalg.norm(rows[:, :3], axis=1, keepdims=True)
    return np.linalg.lstsq(rows[:, :3], -rows[:, 3], rcond=None)[0]


@pytest.mark.parametrize("split", ["train", "test", "wild"])
def test_poses_in_the_camera_reproject_onto_the_joints(split: str) -> None:
    views = views_of(split)
    seen = np.einsum("nij,nkj->nki", views.intrinsics, views.poses)
    np.testing.assert_allclose(seen[..., :2] / seen[..., 2:], views.joints, atol=1e-9)
    # In the camera's whole picture they are where the crop says.
    whole = np.einsum("nij,nkj->nki", views.camera_intrinsics, views.poses)
    whole = whole[..., :2] / whole[..., 2:]
    left_top, side = views.crop[:, None, :2], views.crop[:, None, 2:]
    np.testing.assert_allclose((whole - left_top) / side * SIZE - 0.5, views.joints, atol=1e-9)


@pytest.mark.parametrize("split", ["train", "wild"])
def test_four_views_triangulate_to_the_same_body_in_every_camera(split: str) -> None:
    views = views_of(split)
    projections = views.intrinsics @ views.extrinsics
    for instant in range(0, len(views), 4):
        rows = slice(instant, instant + 4)
        assert len(set(views.frame[rows].tolist())) == 1
        assert views.camera[rows].tolist() == ["cam1", "cam2", "cam3", "cam4"]
        world = np.stack([triangulated(views.joints[rows, joint], projections[rows]) for joint in range(17)])
        for row in range(instant, instant + 4):
            R, t = views.extrinsics[row, :, :3], views.extrinsics[row, :, 3]
            assert np.abs(world @ R.T + t - views.poses[row]).max() < 0.01  # mm


def test_neighbouring_cameras_alone_triangulate_it_too() -> None:
    views = views_of("train")
    projections = views.intrinsics @ views.extrinsics
    for a in range(4):
        rows = [a, (a + 1) % 4]
        world = np.stack([triangulated(views.joints[rows, joint], projections[rows]) for joint in range(17)])
        R, t = views.extrinsics[a, :, :3], views.extrinsics[a, :, 3]
        assert np.abs(world @ R.T + t - views.poses[a]).max() < 0.01


def test_middles_are_middles_in_every_picture() -> None:
    poses = views_of("train").poses
    at = {joint: poses[:, H36M17.index(joint)] for joint in H36M17.joints}
    np.testing.assert_allclose(at["pelvis"], (at["LHip"] + at["RHip"]) / 2, atol=1e-9)
    np.testing.assert_allclose(at["thorax"], (at["LShoulder"] + at["RShoulder"]) / 2, atol=1e-9)
    np.testing.assert_allclose(at["spine"], (at["pelvis"] + at["thorax"]) / 2, atol=1e-9)


def test_boxes_hold_the_body_and_pictures_hold_the_boxes() -> None:
    views = views_of("wild")
    assert (views.joints.min(axis=1) >= views.box[:, :2] - 1e-3).all()
    assert (views.joints.max(axis=1) <= views.box[:, 2:] + 1e-3).all()
    assert (views.box[:, :2] > -0.5).all()
    assert (views.box[:, 2:] < SIZE - 0.5).all()


def test_cameras_stay_for_a_subject_of_the_studio_and_change_in_the_wild() -> None:
    for split, same in (("train", True), ("wild", False)):
        first, second = (views_of(split, take=take) for take in (1, 2))
        assert np.allclose(first.extrinsics[:4], second.extrinsics[:4]) == same
        assert np.allclose(first.camera_intrinsics[:4], second.camera_intrinsics[:4]) == same


def test_labels_in_2d_hold_nothing_in_3d() -> None:
    views = views_of("pretrain2d", frames=10)
    assert views.poses is None
    assert views.extrinsics is None
    assert not SPLITS["pretrain2d"].labels_3d
    assert views.frame.tolist() == list(range(10))
    assert len({tuple(K.ravel()) for K in views.camera_intrinsics}) == 10  # a camera of its own for each picture


def test_the_seed_decides_everything() -> None:
    for split in SPLITS:
        first, again, other = (views_of(split, seed) for seed in (1, 1, 2))
        for name, array in first.arrays().items():
            np.testing.assert_array_equal(array, again.arrays()[name])
        assert not np.allclose(first.joints, other.joints)


def test_poses_do_not_depend_on_the_size_of_the_pictures() -> None:
    body = stick_body()
    small, large = (
        joined([shot.labels for shot in Stage(Blank(size), {"syn01": body}, SEED).shots(clip("train"), "jpg")])  # type: ignore[arg-type]
        for size in (32, 512)
    )
    assert len(body.simplified(1.5 * 2000 / 32).vertices) < len(body.vertices)
    np.testing.assert_array_equal(small.poses, large.poses)
    np.testing.assert_array_equal(small.extrinsics, large.extrinsics)


def test_a_person_keeps_their_body_and_others_take_turns() -> None:
    clips = [clip("train", take=take) for take in (1, 2)]
    assert [body_names(each, SEED) for each in clips] == [("syn01",)] * 2
    assert len(body_names(clip("pretrain2d"), SEED)) == 4
    assert list(cast_of([*clips, clip("test")], SEED)) == ["syn01", "syn05"]
    # Bodies in the wild are others than those of the studio.
    assert not set(body_names(clip("wild"), SEED)) & {"syn01", "syn05"}
    assert cast_of(clips, 1) != cast_of(clips, 2)


def test_a_placed_performance_stands_in_the_middle_and_keeps_its_shape() -> None:
    body = stick_body()
    before = perform(body, clip("train").motion(SEED))
    after = placed(before, np.array([300.0, 800, -200]), 1.1)
    np.testing.assert_allclose(after.joints, body.joints(after.transforms), atol=1e-9)
    np.testing.assert_allclose(after.joints[..., 1], before.joints[..., 1])
    apart = [np.linalg.norm(p.joints[:, :, None] - p.joints[:, None], axis=-1) for p in (before, after)]
    np.testing.assert_allclose(*apart, atol=1e-9)
    moved = placed(before, before.joints[0, 0], 2.0).joints[0, 0]
    np.testing.assert_allclose(moved[[0, 2]], 0, atol=1e-9)


# --------------------------------------------------------------------------------------------------------------- files


def test_labels_come_back_as_they_were_written(tmp_path) -> None:
    views = views_of("test")
    (tmp_path / "labels").mkdir()
    write_labels(views, tmp_path / "labels", "test", dataset="open4v", fps=10)
    again = read_labels(tmp_path, "test")
    for name, array in views.arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], array)


def test_the_poses_are_a_file_that_every_reader_knows(tmp_path) -> None:
    views = views_of("test")
    write_labels(views, tmp_path, "test", dataset="open4v", fps=10)
    poses = read(tmp_path / "test.npz")
    assert (poses.unit, poses.reference, poses.origin, poses.dataset) == ("mm", "camera", "absolute", "open4v")
    assert poses.skeleton is H36M17
    assert list(poses.keys) == ["subject", "action", "sequence", "camera", "frame"]
    np.testing.assert_array_equal(poses.root_depth, views.poses[:, 0, 2])
    np.testing.assert_array_equal(poses.intrinsics, views.intrinsics)


def test_labels_in_2d_have_no_file_of_poses(tmp_path) -> None:
    (tmp_path / "labels").mkdir()
    write_labels(views_of("pretrain2d"), tmp_path / "labels", "pretrain2d", dataset="open4v-pretrain2d", fps=10)
    assert [path.name for path in (tmp_path / "labels").iterdir()] == ["pretrain2d.views.npz"]
    assert read_labels(tmp_path, "pretrain2d").poses is None


def test_labels_of_two_renders_do_not_go_together(tmp_path) -> None:
    folder = tmp_path / "labels"
    folder.mkdir()
    write_labels(views_of("test", frames=4), folder, "test", dataset="open4v", fps=10)
    poses = (folder / "test.npz").read_bytes()
    write_labels(views_of("test", frames=5), folder, "test", dataset="open4v", fps=10)
    (folder / "test.npz").write_bytes(poses)
    with pytest.raises(InputError, match=r"test\.npz: its poses are not those of the pictures in test\.views\.npz"):
        read_labels(tmp_path, "test")


def test_missing_and_damaged_labels_are_named(tmp_path) -> None:
    with pytest.raises(InputError, match=r"train\.views\.npz: cannot be read"):
        read_labels(tmp_path, "train")
    folder = tmp_path / "labels"
    folder.mkdir()
    write_labels(views_of("pretrain2d"), folder, "train", dataset="open4v", fps=10)
    path = folder / "train.views.npz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"train\.views\.npz"):
        read_labels(tmp_path, "train")
