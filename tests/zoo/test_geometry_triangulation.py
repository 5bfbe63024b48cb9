"""Triangulation: optimal from two views, beside OpenCV and brute force; linear and by median from several."""

from __future__ import annotations

import numpy as np
import pytest

from model_zoo.epipolarpose.geometry import (
    correct_matches,
    fundamental_from_pose,
    triangulate_linear,
    triangulate_pair,
    triangulate_pose,
    triangulate_views,
    vector_median,
)
from model_zoo.epipolarpose.geometry import triangulation as module
from posebench.cameras import Camera
from posebench.datasets.room import room_cameras
from posebench.errors import UsageError
from tests.support.two_views import K1, K2, R, T, crowd, seen

F = fundamental_from_pose(R, T, K1, K2)


def homogeneous(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points, np.ones((*points.shape[:-1], 1))], axis=-1)


def lowest_cost(x: np.ndarray, y: np.ndarray, matrix: np.ndarray) -> float:
    """Over a fine pencil of lines through the first epipole: the sum of squared distances to a line and its partner."""
    epipole = np.linalg.svd(matrix)[2][2]
    angles = np.linspace(0, np.pi, 40_001)
    through = np.stack([np.cos(angles), np.sin(angles), np.zeros_like(angles)], axis=1)
    lines = np.cross(np.broadcast_to(epipole, through.shape), through)
    partners = through @ matrix.T
    one, other = ((line @ point) ** 2 / (line[:, :2] ** 2).sum(1) for line, point in ((lines, x), (partners, y)))
    return float(np.nanmin(one + other))


def test_exact_pixels_stay_and_give_their_points() -> None:
    view = seen(crowd(50, 17))
    moved = correct_matches(view.first, view.second, F)
    np.testing.assert_allclose(moved.first, view.first, atol=1e-9)
    assert np.abs(moved.distance).max() < 1e-9
    found = triangulate_pose(view.first, view.second, K1, K2, R, T)
    np.testing.assert_allclose(found.points, view.points, atol=1e-12)


@pytest.mark.parametrize("noise", [1.0, 10.0, 60.0])
def test_pixels_move_as_opencv_moves_them(noise: float) -> None:
    cv2 = pytest.importorskip("cv2")
    view = seen(crowd(300), noise)
    moved = correct_matches(view.first, view.second, F)
    one, other = cv2.correctMatches(F, view.first[None], view.second[None])
    theirs = ((one[0] - view.first) ** 2).sum(1) + ((other[0] - view.second) ** 2).sum(1)
    assert (moved.distance**2 <= theirs * (1 + 1e-9) + 1e-9).all()
    alike = np.abs(moved.distance**2 - theirs) <= 1e-6 * theirs + 1e-9
    assert noise > 10 or alike.mean() > 0.97  # of far-off pixels OpenCV's rounded roots lose many
    np.testing.assert_allclose(moved.first[alike], one[0][alike], atol=0.05)


def test_points_are_those_of_opencv() -> None:
    cv2 = pytest.importorskip("cv2")
    view = seen(crowd(100), noise=3.0)
    one, other = cv2.correctMatches(F, view.first[None], view.second[None])
    from_origin, projection = K1 @ np.eye(3, 4), K2 @ np.column_stack([R, T])
    theirs = cv2.triangulatePoints(from_origin, projection, one[0].T, other[0].T)
    found = triangulate_pose(view.first, view.second, K1, K2, R, T)
    np.testing.assert_allclose(found.points, (theirs[:3] / theirs[3]).T, atol=1e-6)


@pytest.mark.parametrize(("noise", "place"), [(5.0, 0.0), (80.0, 0.0), (40.0, 1.0), (400.0, 1.0)])
def test_no_other_pair_of_lines_costs_less(noise: float, place: float) -> None:
    # place 1: pixels about the epipoles, where the cost has several minima and rounding is worst.
    rng = np.random.default_rng(int(noise))
    epipoles = [np.linalg.svd(matrix)[2][2] for matrix in (F, F.T)]
    view = seen(crowd(12))
    first, second = (
        (1 - place) * picture + place * epipole[:2] / epipole[2] + rng.normal(0, noise, (12, 2))
        for picture, epipole in zip((view.first, view.second), epipoles, strict=True)
    )
    found = correct_matches(first, second, F)
    for x, y, distance in zip(first, second, found.distance, strict=True):
        assert distance**2 <= lowest_cost(homogeneous(x), homogeneous(y), F) * (1 + 1e-9)
    assert np.abs(np.einsum("ni,ij,nj->n", homogeneous(found.second), F, homogeneous(found.first))).max() < 1e-8


def test_newtons_method_and_the_eigenvalues_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    view = seen(crowd(400), noise=8.0)
    fast = correct_matches(view.first, view.second, F)
    monkeypatch.setattr(module, "_proved", lambda lines, g, t: np.zeros(len(t), np.bool_))
    slow = correct_matches(view.first, view.second, F)
    np.testing.assert_allclose(fast.distance, slow.distance, rtol=1e-9)
    np.testing.assert_allclose(fast.first, slow.first, atol=1e-6)


def test_parallel_cameras_are_no_special_case() -> None:
    K = np.diag([1000.0, 1000, 1])
    rng = np.random.default_rng(0)
    points = crowd(30)
    first, second = ((1000 * (points[:, :2] - [x, 0]) / points[:, 2:]) + rng.normal(0, 2, (30, 2)) for x in (0, 0.5))
    found = triangulate_pose(first, second, K, K, np.eye(3), [-0.5, 0, 0])
    # The rows of both pictures have to agree: each moves half way.
    np.testing.assert_allclose(found.error, np.abs(first[:, 1] - second[:, 1]) / np.sqrt(2), rtol=1e-9)
    np.testing.assert_allclose(found.points[:, 2], 1000 * 0.5 / (first[:, 0] - second[:, 0]), rtol=1e-9)


def test_the_sign_of_the_distance_is_the_side_of_the_line() -> None:
    view = seen(crowd(100), noise=4.0)
    side = np.einsum("ni,ij,nj->n", homogeneous(view.second), F, homogeneous(view.first))
    np.testing.assert_array_equal(np.sign(correct_matches(view.first, view.second, F).distance), np.sign(side))


def test_a_point_on_its_epipole_or_without_pixels_is_unknown() -> None:
    view = seen(crowd(4))
    first = view.first.copy()
    first[1] = np.nan
    found = triangulate_pose(first, view.second, K1, K2, R, T)
    assert np.isnan(found.points).all(1).tolist() == [False, True, False, False]
    on_it = correct_matches(
        np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]]), np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 0]])
    )
    assert np.isnan(on_it.distance).all()


def test_points_behind_a_camera_are_unknown_but_their_error_is_known() -> None:
    view = seen(crowd(10))
    found = triangulate_pose(view.first, view.second, K1, K2, R, -T)
    assert np.isnan(found.points).all()
    assert found.error.max() < 1e-9


def test_each_frame_can_have_a_pose_of_its_own_or_none() -> None:
    view = seen(crowd(3, 17), noise=2.0)
    poses = np.stack([R, np.full((3, 3), np.nan), R])
    found = triangulate_pose(view.first, view.second, K1, K2, poses, np.stack([T, T, 2 * T]))
    expected = triangulate_pose(view.first, view.second, K1, K2, R, T)
    np.testing.assert_allclose(found.points[0], expected.points[0], rtol=1e-9)
    assert np.isnan(found.points[1]).all()
    assert np.isnan(found.error[1]).all()
    np.testing.assert_allclose(found.points[2], 2 * expected.points[2], rtol=1e-9)


def rig() -> list[Camera]:
    return room_cameras(4)


def watched(noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Points (5, 17, 3) of a room in mm, and their pixels in four cameras (4, 5, 17, 2)."""
    rng = np.random.default_rng(3)
    points = rng.uniform(-700, 700, (5, 17, 3)) + [0, 900, 0]
    views = np.stack([camera.project(points) for camera in rig()])
    return points, views + (rng.normal(0, noise, views.shape) if noise else 0)


def test_two_cameras_of_a_room_give_points_of_the_room() -> None:
    points, views = watched()
    found = triangulate_pair(views[1], views[2], (rig()[1], rig()[2]))
    np.testing.assert_allclose(found.points, points, atol=1e-8)


def test_the_linear_points_are_the_smallest_singular_vectors() -> None:
    points, views = watched(noise=2.0)
    weights = np.random.default_rng(0).uniform(0.2, 1, (4, 5, 17))
    found = triangulate_linear(views, rig(), weights)
    scale = np.median([np.linalg.norm(camera.t) for camera in rig()])
    for frame, joint in ((0, 0), (4, 16)):
        rows = []
        for camera, view, weight in zip(rig(), views[:, frame, joint], weights[:, frame, joint], strict=True):
            projection = np.column_stack([camera.R, camera.t / scale])
            x, y, _ = np.linalg.inv(camera.K) @ [*view, 1]
            rows += [weight * (x * projection[2] - projection[0]), weight * (y * projection[2] - projection[1])]
        _, vectors = np.linalg.eigh(np.array(rows).T @ np.array(rows))
        np.testing.assert_allclose(found[frame, joint], scale * vectors[:3, 0] / vectors[3, 0], rtol=1e-6)
    assert np.linalg.norm(found - points, axis=-1).mean() < 20


def test_linear_points_of_one_view_are_unknown() -> None:
    _, views = watched()
    weights = np.ones((4, 5, 17))
    weights[1:, 2, 3] = 0
    views[0, 1, 1] = np.nan
    found = triangulate_linear(views, rig(), weights)
    assert np.argwhere(np.isnan(found).any(-1)).tolist() == [[2, 3]]


def test_the_median_of_pairs_survives_a_wrong_view() -> None:
    points, views = watched(noise=1.0)
    views[3] += 150
    found = triangulate_views(views, rig())
    assert np.linalg.norm(found - points, axis=-1).mean() < 20


def test_of_two_candidates_the_one_with_the_smaller_error_is_taken() -> None:
    points, views = watched()
    three = views[:3].copy()
    three[2, 0, 0] += 200  # the pair of the first two is right
    weights = np.ones((3, 5, 17))
    weights[2, 0, 0] = 0.01
    found = triangulate_views(three, rig()[:3], weights=weights)
    np.testing.assert_allclose(found, points, atol=1e-6)


def test_a_view_that_does_not_see_a_joint_leaves_it_to_the_others() -> None:
    points, views = watched()
    weights = np.ones((4, 5, 17))
    views[1, 2, 2] = 1e6
    weights[1, 2, 2] = 0
    weights[:3, 4, 4] = 0
    found = triangulate_views(views, rig(), weights=weights)
    assert np.argwhere(np.isnan(found).any(-1)).tolist() == [[4, 4]]
    np.testing.assert_allclose(found[2, 2], points[2, 2], atol=1e-6)


def test_the_median_has_the_smallest_sum_of_distances_among_what_is_known() -> None:
    rng = np.random.default_rng(0)
    candidates, errors = rng.normal(size=(5, 40, 3)), rng.uniform(size=(5, 40))
    candidates[rng.uniform(size=(5, 40)) < 0.2] = np.nan
    candidates[:, 7] = np.nan
    found = vector_median(candidates, errors)
    for point, choices, cost in zip(found, candidates.swapaxes(0, 1), errors.T, strict=True):
        known = choices[np.isfinite(choices).all(1)]
        if not len(known):
            assert np.isnan(point).all()
            continue
        sums = np.linalg.norm(known[:, None] - known[None], axis=-1).sum(1)
        best = np.flatnonzero(sums <= sums.min() * (1 + 1e-9))
        which = best[cost[np.isfinite(choices).all(1)][best].argmin()]
        np.testing.assert_array_equal(point, known[which])


def test_what_does_not_fit_is_refused() -> None:
    view = seen(crowd(3, 4))
    with pytest.raises(UsageError, match=r"F has shape \(2, 3, 3\), expected \(3, 3\) or \(3, 3, 3\)"):
        correct_matches(view.first, view.second, np.ones((2, 3, 3)))
    with pytest.raises(UsageError, match=r"t has shape \(2, 3\), expected \(3,\)"):
        triangulate_pose(view.first, view.second, K1, K2, R, np.ones((2, 3)))
    with pytest.raises(UsageError, match="for 3 cameras"):
        triangulate_linear(np.ones((4, 5, 2)), rig()[:3])
    with pytest.raises(UsageError, match=r"weights have shape \(4, 4\)"):
        triangulate_linear(np.ones((4, 5, 2)), rig(), np.ones((4, 4)))
    with pytest.raises(UsageError, match=r"pairs are \[\(0, 4\)\], expected pairs of different views from 0 to 3"):
        triangulate_views(np.ones((4, 5, 2)), rig(), pairs=[(0, 4)])
    with pytest.raises(UsageError, match=r"errors \(3,\)"):
        vector_median(np.ones((2, 3)), np.ones(3))
