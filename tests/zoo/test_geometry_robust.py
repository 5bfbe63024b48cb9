"""The pose of two cameras from joints: how exact, how robust, and what is left out with which reason."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from model_zoo.epipolarpose.geometry import (
    Estimator,
    Reason,
    eight_point_essential,
    estimate_noise,
    frame_poses,
    opencv_essential,
    pooled_pose,
    pooled_pose_of_sequences,
    poselib_essential,
    refine_pose,
    relative_pose,
    robust_scale,
    triangulate_pose,
)
from posebench.errors import InputError, MissingExtraError, UsageError
from tests.support.two_views import K1, K2, R, T, crowd, degrees_between, pixels, rotation, seen

METHODS = {"poselib": poselib_essential, "cv2": opencv_essential, "numpy": eight_point_essential}


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> Estimator:
    pytest.importorskip(request.param)
    return METHODS[request.param]


def test_exact_joints_give_the_exact_pose(method: Estimator) -> None:
    view = seen(crowd(10, 17))
    found = pooled_pose(view.first, view.second, K1, K2, estimator=method)
    assert found.known
    assert degrees_between(found.R, R) < 1e-8
    assert degrees_between(found.t, T) < 1e-8
    assert found.agreeing == found.points == 170
    np.testing.assert_allclose(
        triangulate_pose(view.first, view.second, K1, K2, found.R, found.t).points, view.points, rtol=1e-9
    )


def test_noisy_joints_a_fifth_of_them_wrong_give_the_pose_within_its_uncertainty(method: Estimator) -> None:
    view = seen(crowd(60, 17), noise=3.0)
    rng = np.random.default_rng(5)
    wrong = rng.uniform(size=(60, 17)) < 0.2
    second = np.where(wrong[..., None], rng.uniform(0, 1000, (60, 17, 2)), view.second)
    found = pooled_pose(view.first, second, K1, K2, estimator=method)
    assert degrees_between(found.R, R) < 3 * found.uncertainty < 3
    assert found.noise == pytest.approx(3, rel=0.15)
    assert found.inliers[~wrong].mean() > 0.98
    assert found.inliers[wrong].mean() < 0.15


def test_all_methods_end_in_the_same_minimum() -> None:
    for name in METHODS:
        pytest.importorskip(name)
    view = seen(crowd(40, 17), noise=5.0)
    found = [pooled_pose(view.first, view.second, K1, K2, estimator=method) for method in METHODS.values()]
    assert max(degrees_between(found[0].R, other.R) for other in found) < 0.02


def test_the_same_joints_give_the_same_bytes(method: Estimator) -> None:
    view = seen(crowd(20, 17), noise=4.0)
    one, again = (pooled_pose(view.first, view.second, K1, K2, estimator=method) for _ in range(2))
    assert (one.R.tobytes(), one.t.tobytes(), one.noise) == (again.R.tobytes(), again.t.tobytes(), again.noise)


@pytest.mark.parametrize("noise", [0.3, 2.0, 12.0])
def test_the_noise_is_found_from_the_joints_alone(noise: float) -> None:
    view = seen(crowd(1500), noise=noise)
    found = estimate_noise(view.first, view.second, K1, K2, estimator=eight_point_essential)
    assert found == pytest.approx(noise, rel=0.1)


def test_noise_of_too_few_points_is_unknown() -> None:
    view = seen(crowd(7))
    assert np.isnan(estimate_noise(view.first, view.second, K1, K2, estimator=eight_point_essential))


def test_the_robust_scale_ignores_a_third_of_wrong_residuals() -> None:
    rng = np.random.default_rng(0)
    assert robust_scale([*rng.normal(0, 2, 6000), *rng.uniform(20, 900, 3000)]) == pytest.approx(2, rel=0.05)
    assert robust_scale(np.zeros(5)) == 0
    assert np.isnan(robust_scale([np.nan]))


def test_points_that_are_not_valid_or_unknown_do_not_count() -> None:
    view = seen(crowd(12, 17))
    second, valid = view.second.copy(), np.ones((12, 17), np.bool_)
    second[:, 3] = np.nan
    second[:, 4] += 400
    valid[:, 4] = False
    found = pooled_pose(view.first, second, K1, K2, valid=valid, estimator=eight_point_essential)
    assert found.points == 12 * 15
    assert degrees_between(found.R, R) < 1e-8
    assert not found.inliers[:, 3:5].any()


def test_too_few_points_are_left_out() -> None:
    view = seen(crowd(7))
    found = relative_pose(view.first, view.second, K1, K2, estimator=eight_point_essential)
    assert found.reason is Reason.TOO_FEW_POINTS
    assert not found.known
    assert np.isnan(found.R).all()
    assert np.isnan(found.t).all()


def test_points_that_agree_on_nothing_are_left_out() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.uniform(0, 1000, (2, 40, 2))
    found = relative_pose(first, second, K1, K2, estimator=eight_point_essential, noise=1.0)
    assert found.reason is Reason.TOO_FEW_INLIERS
    assert relative_pose(first, second, K1, K2, estimator=lambda *_: None).reason is Reason.TOO_FEW_INLIERS


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_a_camera_that_only_turns_is_left_out(method: Estimator, noise: float) -> None:
    points = crowd(200)
    first, second = pixels(points, K1), pixels(points @ rotation(2, 9, 1).T, K2)
    rng = np.random.default_rng(0)
    first, second = (picture + rng.normal(0, noise, picture.shape) for picture in (first, second))
    assert relative_pose(first, second, K1, K2, estimator=method).reason is Reason.NO_PARALLAX


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_points_of_a_plane_are_left_out(method: Estimator, noise: float) -> None:
    points = crowd(200) * [1, 1, 0]
    view = seen(points @ rotation(20, -30, 0).T + [0, 0, 5], noise)
    assert relative_pose(view.first, view.second, K1, K2, estimator=method).reason is Reason.PLANAR


def test_joints_that_stay_where_they_are_are_left_out() -> None:
    pose = crowd(17)
    view = seen(np.broadcast_to(pose, (50, 17, 3)), noise=1.0)
    found = pooled_pose(view.first, view.second, K1, K2, estimator=eight_point_essential)
    assert found.reason is Reason.MOTIONLESS
    exact = seen(np.broadcast_to(pose, (50, 17, 3)))
    assert pooled_pose(exact.first, exact.second, K1, K2, estimator=eight_point_essential).reason is Reason.MOTIONLESS
    walking = seen(pose + np.linspace(-1, 1, 50)[:, None, None] * [1.0, 0, 0.5])
    assert pooled_pose(walking.first, walking.second, K1, K2, estimator=eight_point_essential).known


def test_points_in_front_of_different_candidates_are_left_out() -> None:
    points = crowd(60)
    shift = 4.9 * T  # about the baseline; its sign says on which side the camera stands
    inside, other = points @ R.T + shift, points @ R.T - shift
    second = np.concatenate([pixels(inside[:30], K2), pixels(other[30:], K2)])
    found = relative_pose(pixels(points, K1), second, K1, K2, estimator=eight_point_essential)
    assert found.reason is Reason.CHEIRALITY_TIE
    assert found.in_front == pytest.approx(0.5)


def test_a_few_noisy_points_close_together_are_left_out_as_uncertain() -> None:
    view = seen(0.3 * (crowd(17) - [0, 0, 5]) + [0, 0, 5], noise=1.0)
    found = relative_pose(view.first, view.second, K1, K2, estimator=eight_point_essential, noise=1.0)
    assert found.reason is Reason.UNCERTAIN
    assert found.uncertainty > 10


def test_frames_have_poses_of_their_own_and_are_counted_by_reason(method: Estimator) -> None:
    view = seen(crowd(6, 17))
    first = view.first.copy()
    first[2, 4:] = np.nan
    found = frame_poses(first, view.second, K1, K2, estimator=method)
    assert found.left_out == {Reason.TOO_FEW_POINTS: 1}
    for row in (0, 1, 3, 4, 5):
        assert degrees_between(found.R[row], R) < 1e-6
        assert degrees_between(found.t[row], T) < 1e-6
    assert np.isnan(found.R[2]).all()
    assert np.isnan(triangulate_pose(first, view.second, K1, K2, found.R, found.t).points[2]).all()


def test_no_frames_give_no_poses() -> None:
    found = frame_poses(np.zeros((0, 17, 2)), np.zeros((0, 17, 2)), K1, K2, estimator=eight_point_essential)
    assert found.R.shape == (0, 3, 3)
    assert not found.left_out


def test_sequences_of_the_same_cameras_are_pooled() -> None:
    view = seen(crowd(30, 17), noise=2.0)
    parts = [(view.first[:7], view.second[:7]), (view.first[7:], view.second[7:])]
    found = pooled_pose_of_sequences(parts, K1, K2, estimator=eight_point_essential)
    whole = pooled_pose(view.first, view.second, K1, K2, estimator=eight_point_essential)
    assert found.R.tobytes() == whole.R.tobytes()
    assert found.inliers.shape == (30, 17)


def test_refinement_finds_the_minimum_of_the_reprojection_error() -> None:
    view = seen(crowd(80), noise=2.0)
    found = refine_pose(view.first, view.second, K1, K2, rotation(1, -1, 2) @ R, T + [0.03, 0.02, -0.01], noise=100.0)

    def cost(turn: np.ndarray, t: np.ndarray) -> float:
        seen_points = triangulate_pose(view.first, view.second, K1, K2, turn @ found.R, t / np.linalg.norm(t)).points
        one = pixels(seen_points, K1) - view.first
        other = pixels(seen_points @ (turn @ found.R).T + t / np.linalg.norm(t), K2) - view.second
        return float((one**2).sum() + (other**2).sum())

    lowest = cost(np.eye(3), found.t)
    assert lowest == pytest.approx(found.cost, rel=1e-9)
    for axis in np.vstack([np.eye(3), -np.eye(3)]) * 0.02:
        assert cost(rotation(*axis), found.t) > lowest
        moved = cost(np.eye(3), found.t + axis * 0.01)
        assert moved >= lowest - 1e-9


def test_refinement_counts_wrong_points_less() -> None:
    view = seen(crowd(100), noise=1.0)
    wrong = view.second.copy()
    wrong[:10] += 60
    robust = refine_pose(view.first, wrong, K1, K2, R, T, noise=1.0)
    plain = refine_pose(view.first, wrong, K1, K2, R, T, noise=1e6)
    assert degrees_between(robust.R, R) < 0.5 * degrees_between(plain.R, R)


def test_without_the_library_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.zeros((8, 2))
    for package, function in (("poselib", poselib_essential), ("cv2", opencv_essential)):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(MissingExtraError, match=r"posebench-hpe\[zoo\]"):
            function(points, points, 1000.0, 1.0, 0)


def test_what_does_not_fit_is_refused() -> None:
    view = seen(crowd(3, 17))
    with pytest.raises(UsageError, match=r"K1 has shape \(3, 3, 3\), expected \(3, 3\)"):
        relative_pose(view.first, view.second, np.stack([K1] * 3), K2)
    with pytest.raises(InputError, match="K2 is"):
        relative_pose(view.first, view.second, K1, -K2)
    with pytest.raises(UsageError, match="noise is -1"):
        relative_pose(view.first, view.second, K1, K2, noise=-1)
    with pytest.raises(UsageError, match=r"joints have shape \(17, 2\), expected \(N, J, 2\)"):
        pooled_pose(view.first[0], view.second[0], K1, K2)
    with pytest.raises(UsageError, match="got 0 sequences"):
        pooled_pose_of_sequences([], K1, K2)
    with pytest.raises(UsageError, match="4 of them known; expected"):
        refine_pose(view.first[0, :4], view.second[0, :4], K1, K2, R, T, noise=1)
    with pytest.raises(UsageError, match="noise is 0"):
        refine_pose(view.first[0], view.second[0], K1, K2, R, T, noise=0)
