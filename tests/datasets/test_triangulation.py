"""Points from pixels of several cameras."""

from __future__ import annotations

import numpy as np
import pytest

from posebench.cameras import Camera
from posebench.datasets.triangulation import triangulate, undistort_points
from posebench.errors import UsageError
from tests.support.pose2sim import rig, seen, world

CAMERAS = [Camera(name, K, [], R, t, "mm") for name, (K, R, t) in rig().items()]
PIXELS = np.stack([seen(world(0), K, R, t) for K, R, t in rig().values()])
ALL = np.ones((4, 25))


def test_points_come_back_from_their_pixels() -> None:
    found = triangulate(PIXELS, ALL, CAMERAS)
    np.testing.assert_allclose(found.points, world(0), atol=1e-6)
    assert found.used.all()
    assert found.errors.max() < 1e-8


def test_the_refined_point_is_a_minimum_of_the_weighted_reprojection_error() -> None:
    random = np.random.default_rng(0)
    pixels, weights = PIXELS + random.normal(0, 3, PIXELS.shape), random.uniform(0.3, 1, (4, 25))
    found = triangulate(pixels, weights, CAMERAS).points

    def cost(points: np.ndarray) -> np.ndarray:
        projected = np.stack([seen(points, K, R, t) for K, R, t in rig().values()])
        return (weights**2 * ((pixels - projected) ** 2).sum(-1)).sum(0)

    for step in np.vstack([np.eye(3), -np.eye(3)]):
        assert (cost(found + 0.5 * step) > cost(found)).all()


def test_one_wrong_view_of_three_or_more_is_dropped() -> None:
    pixels = PIXELS.copy()
    pixels[2, 7] += 120
    found = triangulate(pixels, ALL, CAMERAS, max_error=20)
    np.testing.assert_allclose(found.points, world(0), atol=1e-6)
    assert found.used[:, 7].tolist() == [True, True, False, True]
    assert found.errors[2, 7] == pytest.approx(120 * np.sqrt(2))


def test_a_point_on_which_two_views_disagree_is_unknown() -> None:
    pixels, weights = PIXELS[:2].copy(), np.ones((2, 25))
    pixels[1, 3, 1] += 150
    found = triangulate(pixels, weights, CAMERAS[:2], max_error=20)
    assert np.flatnonzero(np.isnan(found.points).any(1)).tolist() == [3]
    assert not found.used[:, 3].any()


def test_a_point_that_one_view_sees_is_unknown() -> None:
    weights = ALL.copy()
    weights[1:, 4] = 0
    found = triangulate(PIXELS, weights, CAMERAS)
    assert np.isnan(found.points[4]).all()
    assert np.isfinite(found.points[5]).all()


def test_views_of_weight_zero_may_hold_anything() -> None:
    pixels, weights = PIXELS.copy(), ALL.copy()
    pixels[0, 1], weights[0, 1] = np.nan, 0
    np.testing.assert_allclose(triangulate(pixels, weights, CAMERAS).points, world(0), atol=1e-6)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match=r"pixels have shape \(4, 25, 2\).* 3 cameras"):
        triangulate(PIXELS, ALL, CAMERAS[:3])


def test_undistorted_points_lie_where_a_pinhole_sees_them() -> None:
    K, R, t = rig()["cam02"]
    k1, k2, p1, p2 = -0.12, 0.05, 0.002, -0.001
    inside = world(1) @ R.T + t
    x, y = (inside[:, :2] / inside[:, 2:]).T
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2**2
    bent = np.column_stack(
        [x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y]
    )
    camera = Camera("a", K, [k1, k2, p1, p2], R, t, "mm")
    flat = undistort_points(bent * np.diag(K)[:2] + K[:2, 2], camera)
    np.testing.assert_allclose(flat, seen(world(1), K, R, t), atol=1e-6)


@pytest.mark.parametrize("dist", [[-0.2, 0.05, 0.001, -0.001, 0.0], [0.6, 0, 0, 0], []])
def test_undistorting_gives_the_same_bits_as_fifty_steps_for_all_points(dist: list[float]) -> None:
    K = np.array([[1000.0, 0, 500], [0, 1010, 480], [0, 0, 1]])
    camera = Camera("a", K, dist, np.eye(3), [0, 0, 0], "mm")
    lens = Camera("a", np.eye(3), dist, np.eye(3), [0, 0, 0], "mm")
    pixels = np.random.default_rng(0).uniform(-300, 1300, (3, 2000, 2))
    pixels[1, 7] = np.nan
    rays = (pixels - K[:2, 2]) @ np.linalg.inv(K[:2, :2]).T
    ideal = rays.copy()
    for _ in range(50):
        ideal += rays - lens.project(np.concatenate([ideal, np.ones((3, 2000, 1))], axis=-1))
    np.testing.assert_array_equal(undistort_points(pixels, camera), ideal @ K[:2, :2].T + K[:2, 2])
