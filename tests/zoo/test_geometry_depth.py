"""Pixels and relative depth in pixels, there and back."""

from __future__ import annotations

import numpy as np
import pytest

from model_zoo.epipolarpose.geometry import from_image_space, to_image_space
from posebench.errors import InputError, UsageError
from tests.support.two_views import K1, K2, crowd

POSES = 1000 * crowd(6, 17)


def test_the_numbers_are_pixels_and_depth_times_focal_length_over_the_roots_depth() -> None:
    found = to_image_space(POSES, K1, root=3)
    x, y, z = POSES[2, 5]
    root = POSES[2, 3, 2]
    assert found[2, 5].tolist() == pytest.approx(
        [1145 * x / z + 512, 1143 * y / z + 515, (z - root) * np.sqrt(1145 * 1143) / root]
    )
    assert (found[:, 3, 2] == 0).all()


def test_poses_come_back_with_the_depth_of_their_root() -> None:
    for K in (K1, np.stack([K1, K2] * 3)):
        found = from_image_space(to_image_space(POSES, K), K, POSES[:, 0, 2])
        np.testing.assert_allclose(found, POSES, rtol=1e-12, atol=1e-9)


def test_without_the_roots_depth_poses_come_back_up_to_scale() -> None:
    found = from_image_space(to_image_space(POSES, K1), K1)
    np.testing.assert_allclose(found, POSES / POSES[:, :1, 2:], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("scale", [1e-3, 0.37, 1e4])
def test_the_numbers_do_not_depend_on_the_scale(scale: float) -> None:
    found, expected = to_image_space(scale * POSES, K1), to_image_space(POSES, K1)
    assert (np.abs(found - expected) <= 1e-13 * np.abs(expected[..., :2]).max()).all()


def test_a_crop_enlarges_pixels_and_depth_alike() -> None:
    crop = np.array([[0.25, 0, -40], [0, 0.25, -30], [0, 0, 1]])
    whole, small = to_image_space(POSES, K1), to_image_space(POSES, crop @ K1)
    np.testing.assert_allclose(small, whole * 0.25 - [40, 30, 0], atol=1e-9)


def test_joints_that_are_unknown_or_behind_the_camera_are_unknown() -> None:
    poses = POSES[:3].copy()
    poses[0, 4] = np.nan
    poses[1, 5, 2] = -10
    poses[2, 0, 2] = 0
    unknown = np.isnan(to_image_space(poses, K1)).all(-1)
    assert unknown[0].nonzero()[0].tolist() == [4]
    assert unknown[1].nonzero()[0].tolist() == [5]
    assert unknown[2].all()
    back = from_image_space(to_image_space(poses, K1)[:2], K1, valid=~unknown[:2])
    assert np.isnan(back[0, 4]).all()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match=r"joints have shape \(17, 3\) and the root is 0"):
        to_image_space(POSES[0], K1)
    with pytest.raises(UsageError, match="the root is 17"):
        to_image_space(POSES, K1, root=17)
    with pytest.raises(InputError, match="not in front of the camera"):
        from_image_space([[[500.0, 500, 0], [500, 500, -1200]]], K1)
