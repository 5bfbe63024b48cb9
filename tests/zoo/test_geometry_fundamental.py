"""The fundamental matrix, beside OpenCV's."""

from __future__ import annotations

import numpy as np
import pytest

from model_zoo.epipolarpose.geometry import eight_point, ransac_fundamental, sampson
from posebench.errors import UsageError
from tests.support.two_views import K1, K2, R, T, crowd, seen

TRUE = np.linalg.inv(K2).T @ np.array([[0, -T[2], T[1]], [T[2], 0, -T[0]], [-T[1], T[0], 0]]) @ R @ np.linalg.inv(K1)


def same_direction(one: np.ndarray, other: np.ndarray) -> float:
    """How far two matrices are from each other, whatever their scale and sign."""
    one, other = one / np.linalg.norm(one), other / np.linalg.norm(other)
    return float(min(np.abs(one - other).max(), np.abs(one + other).max()))


def test_exact_points_give_the_matrix_of_their_cameras() -> None:
    view = seen(crowd(30))
    assert same_direction(eight_point(view.first, view.second).F, TRUE) < 1e-11


@pytest.mark.parametrize("count", [8, 9, 40])
def test_noisy_points_give_the_matrix_that_opencv_gives(count: int) -> None:
    cv2 = pytest.importorskip("cv2")
    view = seen(crowd(count), noise=1.0)
    theirs, _ = cv2.findFundamentalMat(view.first, view.second, cv2.FM_8POINT)
    mine = eight_point(view.first, view.second).F
    scale = np.linalg.norm(theirs)
    assert same_direction(mine, theirs) < 1e-6
    np.testing.assert_allclose(
        np.abs(sampson(mine, view.first, view.second)),
        np.abs(sampson(theirs / scale, view.first, view.second)),
        atol=1e-4,
    )


def test_a_batch_gives_what_each_pair_gives() -> None:
    view = seen(crowd(4, 17), noise=2.0)
    together = eight_point(view.first, view.second)
    for i in range(4):
        alone = eight_point(view.first[i], view.second[i])
        assert same_direction(together.F[i], alone.F) < 1e-9
        assert together.conditioning[i] == pytest.approx(alone.conditioning, rel=1e-9)


def test_points_of_weight_zero_or_without_pixels_do_not_count() -> None:
    view = seen(crowd(20), noise=1.0)
    expected = eight_point(view.first[3:], view.second[3:]).F
    wrong, weights = view.second.copy(), np.ones(20)
    wrong[:2] += 300
    wrong[2] = np.nan
    weights[:2] = 0
    assert same_direction(eight_point(view.first, wrong, weights).F, expected) < 1e-9


def test_the_matrix_does_not_depend_on_where_the_pictures_begin() -> None:
    view = seen(crowd(20), noise=1.0)
    shift = np.array([[1, 0, 700.0], [0, 1, -300], [0, 0, 1]])
    moved = eight_point(view.first - [700, -300], view.second).F
    assert same_direction(moved @ np.linalg.inv(shift), eight_point(view.first, view.second).F) < 1e-9


def test_fewer_than_eight_points_give_no_matrix() -> None:
    view = seen(crowd(8))
    assert np.isnan(eight_point(view.first[:7], view.second[:7]).F).all()
    assert np.isfinite(eight_point(view.first, view.second).F).all()


def test_the_conditioning_tells_a_plane_from_a_crowd() -> None:
    plane = crowd(30) * [1, 1, 0] + [0, 0, 5]
    flat, full = seen(plane), seen(crowd(30))
    assert eight_point(flat.first, flat.second).conditioning < 1e-12
    assert eight_point(full.first, full.second).conditioning > 1e-3


def test_sampson_distances_are_as_large_as_the_noise() -> None:
    view = seen(crowd(20_000), noise=3.0)
    assert sampson(TRUE, view.first, view.second).std() == pytest.approx(3.0, rel=0.02)


def test_wrong_points_are_found_and_left_out() -> None:
    view = seen(crowd(120), noise=0.5)
    wrong = view.second.copy()
    wrong[:40] = np.random.default_rng(1).uniform(0, 1000, (40, 2))
    F, agrees = ransac_fundamental(view.first, wrong, 1.5)
    assert agrees[40:].mean() > 0.95
    assert agrees[:40].mean() < 0.1
    assert np.abs(sampson(F, view.first[40:], view.second[40:])).mean() < 1.0


def test_the_search_gives_the_same_each_time_and_depends_on_its_seed_only_in_details() -> None:
    view = seen(crowd(60), noise=1.0)
    one, again = (ransac_fundamental(view.first, view.second, 3.0, seed=0)[0] for _ in range(2))
    assert one.tobytes() == again.tobytes()
    other = ransac_fundamental(view.first, view.second, 3.0, seed=1)[0]
    assert np.abs(sampson(other, view.first, view.second)).mean() < 1.5


def test_a_search_without_enough_points_finds_nothing() -> None:
    view = seen(crowd(9))
    valid = np.arange(9) < 7
    F, agrees = ransac_fundamental(view.first, view.second, 1.0, valid=valid)
    assert np.isnan(F).all()
    assert not agrees.any()


def test_what_does_not_fit_is_refused() -> None:
    view = seen(crowd(9))
    with pytest.raises(UsageError, match=r"shapes \(9, 2\) and \(8, 2\)"):
        eight_point(view.first, view.second[:8])
    with pytest.raises(UsageError, match=r"weights have shape \(9,\), expected \(9,\), finite and from 0"):
        eight_point(view.first, view.second, -np.ones(9))
    with pytest.raises(UsageError, match=r"F has shape \(3, 4\)"):
        sampson(np.ones((3, 4)), view.first, view.second)
    with pytest.raises(UsageError, match="threshold is 0"):
        ransac_fundamental(view.first, view.second, 0)
    with pytest.raises(UsageError, match=r"points have shape \(3, 3, 2\), expected \(N, 2\)"):
        ransac_fundamental(view.first.reshape(3, 3, 2), view.second.reshape(3, 3, 2), 1)
    with pytest.raises(UsageError, match="valid is of type int64"):
        ransac_fundamental(view.first, view.second, 1, valid=np.ones(9, np.int64))
