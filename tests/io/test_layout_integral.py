"""Joint lists with relative depth: lifted with the file's own camera and depth, and the report says so."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from posebench.errors import InputError
from posebench.io import read, write
from tests.support.layouts import CAMERA, projected, standing

POSES = 1000 * standing(4)
CONTENT = {
    "uvd": projected(POSES),
    "intrinsics": CAMERA,
    "root_depth": POSES[:, 0, 2],
    "subject": np.array(["S9", "S9", "S11", "S11"]),
    "action": np.array(["Walking"] * 4),
    "frame": np.arange(4),
    "skeleton": np.array("h36m17"),
    "fps": np.array(50.0),
}
NOTE = "lifted with the file's root_depth and intrinsics: "


def save(path, content):
    """By NumPy, pickle or json themselves."""
    if path.suffix == ".npz":
        np.savez(path, **content)
    elif path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(content))
    else:
        plain = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in content.items()}
        path.write_text(json.dumps(plain))
    return path


@pytest.mark.parametrize("suffix", [".npz", ".pkl", ".json"])
@pytest.mark.parametrize("name", ["uvd", "joints_uvd"])
def test_joint_lists_become_poses_in_the_camera(suffix, name, tmp_path):
    content = {name if key == "uvd" else key: value for key, value in CONTENT.items()}
    path = save(tmp_path / f"a{suffix}", content)
    poses = read(path)
    np.testing.assert_allclose(poses.poses, POSES, rtol=0, atol=1e-8)
    assert (poses.unit, poses.reference, poses.origin) == ("mm", "camera", "absolute")
    assert (poses.skeleton.name, poses.fps) == ("h36m17", 50.0)
    assert poses.subject.values.tolist() == ["S9", "S9", "S11", "S11"]
    assert poses.action.names == ("Walking",)
    assert poses.frame.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(poses.intrinsics, CAMERA)
    np.testing.assert_array_equal(poses.root_depth, POSES[:, 0, 2])
    assert poses.notes == (f"{path}: {NOTE}ground-truth depth was used",)


@pytest.mark.parametrize("suffix", [".npz", ".pkl", ".json"])
@pytest.mark.parametrize(
    ("stated", "whose"),
    [("predicted", "predicted"), ("ground truth", "ground-truth"), ("ground_truth", "ground-truth")],
)
def test_the_report_says_whose_depth_was_used(suffix, stated, whose, tmp_path):
    value = np.array(stated) if suffix == ".npz" else stated
    poses = read(save(tmp_path / f"a{suffix}", CONTENT | {"root_depth_source": value}))
    assert poses.notes[0].endswith(f": {NOTE}{whose} depth was used")


def test_one_depth_a_camera_per_pose_and_metres_are_fine(tmp_path):
    level = (POSES + [0, 0, 1] * (4000 - POSES[:, :1, 2:])) / 1000
    content = {"uvd": projected(level), "intrinsics": np.stack([CAMERA] * 4), "root_depth": np.array(4.0), "unit": "m"}
    poses = read(save(tmp_path / "a.npz", content))
    np.testing.assert_allclose(poses.poses, level, rtol=0, atol=1e-11)
    assert (poses.unit, poses.root_depth.shape) == ("m", ())


@pytest.mark.parametrize("flags", [bool, np.uint8])
def test_joints_that_are_not_valid_are_not_lifted(flags, tmp_path):
    uvd, valid = CONTENT["uvd"].copy(), np.ones((4, 17), flags)
    uvd[1, 3], valid[1, 3] = np.nan, 0
    poses = read(save(tmp_path / "a.npz", CONTENT | {"uvd": uvd, "valid": valid}))
    assert np.argwhere(~poses.valid).tolist() == [[1, 3]]
    known = valid.astype(bool)
    np.testing.assert_allclose(poses.poses[known], POSES[known], rtol=0, atol=1e-8)


def test_what_was_lifted_can_be_saved_and_read_again(tmp_path, agree):
    poses = read(save(tmp_path / "a.pkl", CONTENT))
    write(poses, tmp_path / "b.npz")
    agree(read(tmp_path / "b.npz"), poses)


def test_poses_come_before_joint_lists(tmp_path):
    poses = read(save(tmp_path / "a.npz", CONTENT | {"poses": POSES}))
    np.testing.assert_array_equal(poses.poses, POSES)
    assert poses.notes == (f"{tmp_path / 'a.npz'}: ignored 'uvd'",)


def test_names_that_mean_nothing_are_mentioned(tmp_path):
    poses = read(save(tmp_path / "a.npz", CONTENT | {"units": np.array("mm")}))
    assert poses.notes[0] == f"{tmp_path / 'a.npz'}: ignored 'units'"


def without(name):
    return {key: value for key, value in CONTENT.items() if key != name}


@pytest.mark.parametrize("suffix", [".npz", ".pkl", ".json"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (without("intrinsics"), "has uvd but no intrinsics, .* add it"),
        (without("root_depth"), "has uvd but no root_depth"),
        (CONTENT | {"joints_uvd": CONTENT["uvd"]}, "has both uvd and joints_uvd"),
        (CONTENT | {"uvd": CONTENT["uvd"][0]}, r"shape \(17, 3\), expected \(N, J, 3\)"),
        (CONTENT | {"uvd": np.array("text")}, "uvd"),
        (CONTENT | {"intrinsics": np.zeros((3, 3))}, "intrinsics are no camera's"),
        (CONTENT | {"intrinsics": np.zeros((2, 2))}, r"intrinsics have shape \(2, 2\)"),
        (CONTENT | {"root_depth": np.array([4000.0, 0, 1, 1])}, "root_depth of pose 1 is 0"),
        (CONTENT | {"root_depth": np.array([4000.0] * 3)}, r"root_depth has shape \(3,\)"),
        (CONTENT | {"root_depth": np.array(4.0)}, "not in front of the camera"),
        (
            CONTENT | {"uvd": np.where(np.arange(3) == 1, np.nan, CONTENT["uvd"])},
            "uvd of pose 0, joint 0 is not finite",
        ),
        (CONTENT | {"reference": np.array("world")}, "says reference 'world', but uvd lifted"),
        (CONTENT | {"origin": np.array("root")}, "says origin 'root', but uvd lifted"),
        (CONTENT | {"unit": np.array("scale-free")}, "says unit 'scale-free', but uvd lifted"),
        (
            CONTENT | {"root_depth_source": np.array("somebody")},
            "root_depth_source is 'somebody', expected 'predicted'",
        ),
        (CONTENT | {"root_depth_source": np.array([1.0, 2.0])}, "root_depth_source is a"),
        (CONTENT | {"valid": np.ones((4, 5), bool)}, r"valid has shape \(4, 5\)"),
        (CONTENT | {"skeleton": np.array("coco17x")}, "there is no skeleton 'coco17x'"),
    ],
)
def test_what_is_wrong_is_named(content, message, suffix, tmp_path):
    path = save(tmp_path / f"bad{suffix}", content)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert f"bad{suffix}: " in str(caught.value)
    assert "\n" not in str(caught.value)
