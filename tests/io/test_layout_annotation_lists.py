"""Human3.6M's annotation lists, pickled by Python itself: poses in the cameras, or one sentence."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from posebench.errors import InputError
from posebench.io import read
from tests.support.layouts import CAMERA, integral_list, standing, toolbox_list

POSES = 1000 * standing(3)
NAMES = [f"s_09_act_05_subact_02_ca_0{camera}_000{frame:03d}.jpg" for camera, frame in ((1, 1), (1, 65), (4, 1))]
TURN = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
PLACED = (TURN, np.array([100.0, -2000.0, 1500.0]))
KEYS = [(9, 5, 2, 0, 1), (9, 5, 2, 0, 65), (9, 5, 2, 3, 1)]


def save(folder, items, protocol=4):
    path = folder / "list.pkl"
    path.write_bytes(pickle.dumps(items, protocol))
    return path


def assert_known(poses):
    assert (poses.unit, poses.reference, poses.origin, poses.dataset) == ("mm", "camera", "absolute", "h36m")
    assert poses.skeleton.name == "h36m17"
    assert poses.subject.values.tolist() == ["S9"] * 3
    assert poses.action.values.tolist() == ["Greeting"] * 3
    assert poses.sequence.values.tolist() == ["Greeting subact 2"] * 3
    assert poses.camera.values.tolist() == ["1", "1", "4"]
    assert poses.frame.tolist() == [0, 64, 0]
    np.testing.assert_array_equal(poses.intrinsics, np.repeat(CAMERA[None], 3, axis=0))


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_list_of_the_integral_line_gives_poses_in_the_camera(protocol, tmp_path):
    poses = read(save(tmp_path, integral_list(POSES, NAMES), protocol))
    assert_known(poses)
    np.testing.assert_array_equal(poses.poses, POSES)
    assert poses.valid is None
    assert [note.partition(": ")[2] for note in poses.notes] == [
        "the 18th joint, the middle of the shoulders, is left out"
    ]


def test_a_list_without_poses_is_lifted_with_its_pelvis_and_says_so(tmp_path):
    items = integral_list(POSES, NAMES)
    for item in items:
        del item["joints_3d_cam"]
    poses = read(save(tmp_path, items))
    assert_known(poses)
    np.testing.assert_allclose(poses.poses, POSES, rtol=0, atol=1e-8)
    assert "lifted with fl, c_p and pelvis: ground-truth depth was used" in poses.notes[0]


def test_a_list_of_the_toolbox_gives_poses_and_where_the_cameras_stand(tmp_path):
    poses = read(save(tmp_path, toolbox_list(POSES, KEYS, PLACED)))
    assert_known(poses)
    np.testing.assert_array_equal(poses.poses, POSES)
    world = np.array([1.0, 2.0, 3.0])
    R, t = poses.extrinsics[2][:, :3], poses.extrinsics[2][:, 3]
    np.testing.assert_allclose(R @ world + t, TURN @ (world - PLACED[1]), atol=1e-9)
    assert poses.notes == ()


def test_joints_that_a_list_marks_are_masked(tmp_path):
    items = integral_list(POSES, NAMES)
    items[1]["joints_3d_vis"][3] = 0
    valid = read(save(tmp_path, items)).valid
    assert np.argwhere(~valid).tolist() == [[1, 3]]


def test_pictures_of_other_names_have_no_keys_and_a_note(tmp_path):
    poses = read(save(tmp_path, integral_list(POSES, ["a_1.jpg"] * 3)))
    assert (poses.subject, poses.frame, poses.dataset) == (None, None, "h36m")
    assert "says no subject, action and frame" in poses.notes[0]


def test_labels_in_2d_and_detections_are_refused(tmp_path):
    items = [{"image": name, "joints_3d": np.zeros((16, 3)), "joints_3d_vis": np.zeros((16, 3))} for name in NAMES]
    with pytest.raises(InputError, match="item 0 has joints_3d and no joints_3d_cam, nor fl, c_p and pelvis"):
        read(save(tmp_path, items))


def changed(row, field, value, items):
    items[row][field] = value
    return items


def without(row, field, items):
    del items[row][field]
    return items


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda items: without(1, "joints_3d", items), "item 1: joints_3d is .*expected an array of numbers"),
        (lambda items: changed(2, "joints_3d_cam", np.zeros((17, 3)), items), r"item 2: joints_3d_cam has shape \(17"),
        (lambda items: changed(2, "joints_3d_cam", POSES[2][[*range(17), 0]] + 5, items), "item 2 has joints_3d_c"),
        (lambda items: changed(1, "fl", np.array([1.0, np.nan]), items), "item 1: fl holds a number that is not finit"),
        (lambda items: changed(0, "fl", np.array([0.0, 1.0]), items), "intrinsics of pose 0 are no camera's"),
        (lambda items: changed(1, "image", 7, items), "the image name of pose 1 is"),
        (lambda items: [*items[:2], None], "item 2 is .*expected a dict for each picture"),
    ],
)
def test_what_is_wrong_with_a_list_of_the_integral_line_is_named(change, said, tmp_path):
    with pytest.raises(InputError, match=said):
        read(save(tmp_path, change(integral_list(POSES, NAMES))))


def test_poses_of_other_numbers_of_joints_are_refused(tmp_path):
    items = integral_list(POSES, NAMES)
    for item in items:
        item["joints_3d"] = item["joints_3d"][:16]
        item["joints_3d_cam"] = item["joints_3d_cam"][:16]
    with pytest.raises(InputError, match=r"has 16 joints, expected Human3\.6M's 17, or 18 with a thorax"):
        read(save(tmp_path, items))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda items: [without(0, "joints_3d_camera", [item])[0] for item in items], "item 0 has no joints_3d_camera"),
        (lambda items: changed(1, "camera", None, items), "item 1: camera is .*expected a dict"),
        (
            lambda items: changed(1, "camera", {**items[0]["camera"], "T": np.zeros(2)}, items),
            "item 1: camera.T has sh",
        ),
        (lambda items: changed(1, "image_id", 0, items), "are not numbers of Human3.6M"),
        (lambda items: changed(1, "action", 17, items), "are not numbers of Human3.6M, expected actions from 2 to 16"),
        (lambda items: changed(2, "subject", "S9", items), "item 2: subject is .*expected a whole number from 0"),
        (lambda items: changed(2, "subject", True, items), "item 2: subject is .*expected a whole number from 0"),
    ],
)
def test_what_is_wrong_with_a_list_of_the_toolbox_is_named(change, said, tmp_path):
    with pytest.raises(InputError, match=said):
        read(save(tmp_path, change(toolbox_list(POSES, KEYS, PLACED))))
