"""Lifting: what a camera projects comes back, and what no camera can have seen is named."""

from __future__ import annotations

import numpy as np
import pytest

from posebench.errors import InputError
from posebench.lifting import lift_uvd
from tests.support.layouts import CAMERA, projected, standing

POSES = 1000 * standing(5)
DEPTH = POSES[:, 0, 2]


def test_what_was_projected_comes_back():
    np.testing.assert_allclose(lift_uvd(projected(POSES), CAMERA, DEPTH), POSES, rtol=0, atol=1e-8)


def test_every_pose_may_have_its_own_camera_with_skew():
    cameras = np.stack([CAMERA + [[i, 3.0 * i, i], [0, -i, 5 * i], [0, 0, 0]] for i in range(5)])
    np.testing.assert_allclose(lift_uvd(projected(POSES, cameras), cameras, DEPTH), POSES, rtol=0, atol=1e-8)


def test_one_depth_serves_all_poses():
    level = POSES + [0, 0, 1] * (4000 - DEPTH)[:, None, None]
    for depth in (4000, 4000.0, np.float32(4000), np.array(4000)):
        np.testing.assert_allclose(lift_uvd(projected(level), CAMERA, depth), level, rtol=0, atol=1e-8)


def test_lists_and_float32_come_back_as_float64():
    lifted = lift_uvd(projected(POSES).astype("f4").tolist(), CAMERA.tolist(), DEPTH.tolist())
    assert lifted.dtype == np.float64
    np.testing.assert_allclose(lifted, POSES, rtol=0, atol=0.01)
    assert lift_uvd(np.zeros((0, 17, 3)), CAMERA, 1).shape == (0, 17, 3)


def test_a_joint_that_is_not_valid_may_hold_anything():
    uvd, valid = projected(POSES), np.ones((5, 17), bool)
    for joint, garbage in enumerate(([np.nan] * 3, [np.inf] * 3, [0, 0, -1e9], [-1e30] * 3)):
        uvd[2, joint], valid[2, joint] = garbage, False
    lifted = lift_uvd(uvd, CAMERA, DEPTH, valid=valid)
    assert np.isnan(lifted[~valid]).all()
    np.testing.assert_allclose(lifted[valid], POSES[valid], rtol=0, atol=1e-8)


def changed(array, index, value):
    copy = np.array(array, float)
    copy[index] = value
    return copy


UVD = projected(POSES)
SEVERAL = np.stack([CAMERA] * 5)


@pytest.mark.parametrize(
    ("uvd", "camera", "depth", "message"),
    [
        (UVD[0], CAMERA, DEPTH, r"uvd: poses have shape \(17, 3\), expected \(N, J, 3\)"),
        (UVD[..., :2], CAMERA, DEPTH, r"shape \(5, 17, 2\)"),
        (UVD.astype(str), CAMERA, DEPTH, "expected numbers"),
        (UVD, CAMERA[:2], DEPTH, r"intrinsics have shape \(2, 3\), expected \(3, 3\) or \(5, 3, 3\)"),
        (UVD, SEVERAL[:4], DEPTH, r"shape \(4, 3, 3\)"),
        (UVD, "camera", DEPTH, "intrinsics is no array of numbers"),
        (UVD, CAMERA.T, DEPTH, "intrinsics are no camera's"),
        (UVD, np.zeros((3, 3)), DEPTH, "intrinsics are no camera's"),
        (UVD, changed(CAMERA, (0, 2), np.nan), DEPTH, "intrinsics are no camera's"),
        (UVD, changed(SEVERAL, (3, 1, 1), -1), DEPTH, "intrinsics of pose 3 are no camera's"),
        (UVD, CAMERA, DEPTH[:4], r"root_depth has shape \(4,\), expected \(\) or \(5,\)"),
        (UVD, CAMERA, DEPTH[:, None], r"root_depth has shape \(5, 1\)"),
        (UVD, CAMERA, 0, "root_depth is 0, expected a distance above 0"),
        (UVD, CAMERA, -4000, "root_depth is -4000"),
        (UVD, CAMERA, np.nan, "root_depth is nan"),
        (UVD, CAMERA, changed(DEPTH, 3, np.inf), "root_depth of pose 3 is inf"),
        (UVD, CAMERA, [1, [2]], "root_depth is no array of numbers"),
        (changed(UVD, (1, 5, 0), np.nan), CAMERA, DEPTH, "uvd of pose 1, joint 5 is not finite"),
        (changed(UVD, (1, 5, 2), np.inf), CAMERA, DEPTH, "uvd of pose 1, joint 5 is not finite"),
        (changed(UVD, (4, 16, 2), -6000), CAMERA, DEPTH, "pose 4, joint 16 has the relative depth -6000, .* root's 4"),
        (changed(UVD, (4, 16, 2), -4000), CAMERA, 4000, "pose 4, joint 16 .* not in front of the camera"),
        (changed(UVD, (2, 3, 0), 1e308), CAMERA, DEPTH, "pose 2, joint 3 is so far away"),
        (UVD, CAMERA, DEPTH / 10_000, "are both in one unit"),
    ],
)
def test_what_no_camera_saw_is_named(uvd, camera, depth, message):
    with pytest.raises(InputError, match=message):
        lift_uvd(uvd, camera, depth)


@pytest.mark.parametrize("valid", [np.ones((5, 17)), np.ones((5, 16), bool), np.ones(17, bool)])
def test_a_mask_is_one_flag_per_joint(valid):
    with pytest.raises(InputError, match=r"expected bool and \(5, 17\)"):
        lift_uvd(UVD, CAMERA, DEPTH, valid=valid)
