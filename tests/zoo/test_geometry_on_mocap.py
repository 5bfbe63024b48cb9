"""Two cameras 72 degrees apart see motion capture: what is lost where nobody says how the cameras stand."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from model_zoo.epipolarpose.geometry import (
    frame_poses,
    opencv_essential,
    pooled_pose,
    poselib_essential,
    triangulate_pair,
    triangulate_pose,
)
from posebench.datasets import read_cmu
from posebench.datasets.room import room_cameras
from tests.support.two_views import degrees_between

pytestmark = pytest.mark.mocap

CAMERAS = room_cameras(5)[0], room_cameras(5)[1]
TURN = CAMERAS[1].R @ CAMERAS[0].R.T


@cache
def walk(root: Path) -> np.ndarray:
    """Poses (N, 17, 3) in mm of one clip about the middle of the room."""
    poses = read_cmu(root / "cmu-mocap" / "bvh" / "05" / "05_06.bvh")[1::3].poses.astype(np.float64)
    return poses - poses[:, 0].mean(0) * [1, 0, 1]


def watched(poses: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    first, second = (
        camera.project(poses.reshape(-1, 3)).reshape(len(poses), 17, 2) + rng.normal(0, noise, (len(poses), 17, 2))
        for camera in CAMERAS
    )
    return first, second


def pmpjpe(pred: np.ndarray, gt: np.ndarray) -> float:
    """Pose by pose, in plain NumPy."""
    errors = []
    for p, g in zip(pred, gt, strict=True):
        p, g = p - p.mean(0), g - g.mean(0)
        u, s, vt = np.linalg.svd(p.T @ g)
        d = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
        errors.append(np.linalg.norm((s * d).sum() / (p * p).sum() * p @ (u * d) @ vt - g, axis=1).mean())
    return float(np.mean(errors))


@pytest.mark.parametrize("method", [poselib_essential, opencv_essential])
def test_without_noise_poses_are_exact_with_and_without_calibration(mocap_root: Path, method) -> None:
    pytest.importorskip("poselib" if method is poselib_essential else "cv2")
    poses = walk(mocap_root)
    views = watched(poses, 0)
    K1, K2 = (camera.K for camera in CAMERAS)
    assert pmpjpe(triangulate_pair(*views, CAMERAS).points, poses) < 0.01
    found = pooled_pose(*views, K1, K2, estimator=method)
    assert degrees_between(found.R, TURN) < 0.01
    assert pmpjpe(triangulate_pose(*views, K1, K2, found.R, found.t).points, poses) < 0.01


@pytest.mark.parametrize("noise", [2.0, 5.0, 10.0])
def test_pooled_poses_without_calibration_are_within_five_percent_of_those_with_it(
    mocap_root: Path, noise: float
) -> None:
    pytest.importorskip("poselib")
    poses = walk(mocap_root)
    views = watched(poses, noise)
    K1, K2 = (camera.K for camera in CAMERAS)
    found = pooled_pose(*views, K1, K2)
    without = pmpjpe(triangulate_pose(*views, K1, K2, found.R, found.t).points, poses)
    assert without < 1.05 * pmpjpe(triangulate_pair(*views, CAMERAS).points, poses)
    assert found.noise == pytest.approx(noise, rel=0.1)


def test_single_frames_of_noisy_joints_are_mostly_left_out_and_none_that_is_kept_is_far_off(
    mocap_root: Path,
) -> None:
    pytest.importorskip("poselib")
    poses = walk(mocap_root)
    K1, K2 = (camera.K for camera in CAMERAS)
    together = pooled_pose(*watched(poses, 2.0), K1, K2)
    found = frame_poses(*watched(poses[::40], 2.0), K1, K2)
    off = [degrees_between(pose.R, TURN) for pose in found.poses if pose.known]
    assert len(off) + sum(found.left_out.values()) == len(poses[::40])
    assert sum(found.left_out.values()) > len(off)
    assert all(error < 30 for error in off)
    assert degrees_between(together.R, TURN) < 0.5
    exact = frame_poses(*watched(poses[::100], 0), K1, K2)
    assert not exact.left_out
    assert max(degrees_between(pose.R, TURN) for pose in exact.poses) < 0.01
