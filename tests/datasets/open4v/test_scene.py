"""Cameras, crops, rooms and clothes: geometry by hand, nothing drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from posebench.cameras import Camera
from posebench.datasets.open4v.motions import rng
from posebench.datasets.open4v.scene import (
    ANYWHERE,
    MATERIALS,
    STUDIO,
    WILD,
    Crop,
    box_of,
    crop_around,
    dress,
    looking,
    sample_light,
    sample_look,
    sample_rig,
    sample_room,
)
from tests.support.open4v import stick_body


@pytest.mark.parametrize(("kind", "n"), [(STUDIO, 4), (WILD, 4), (ANYWHERE, 1)])
def test_cameras_stand_within_their_range_and_see_the_middle_of_the_room(kind, n) -> None:
    for seed in range(20):
        for camera in sample_rig(rng(seed), kind, n=n):
            x, y, z = camera.centre
            assert kind.distance[0] <= math.hypot(x, z) <= kind.distance[1]
            assert kind.height[0] <= y <= kind.height[1]
            assert kind.focal[0] <= camera.K[0, 0] <= kind.focal[1]
            u, v = camera.project([[0.0, 900.0, 0.0]])[0]
            assert 300 < u < 700
            assert 200 < v < 800
            # Up in the room is up in the picture.
            assert camera.project([[0.0, 1500.0, 0.0]])[0, 1] < v


def test_the_studio_is_like_that_of_human36m() -> None:
    cameras = sample_rig(rng(3))
    assert [camera.name for camera in cameras] == ["cam1", "cam2", "cam3", "cam4"]
    angles = np.unwrap([math.atan2(camera.centre[2], camera.centre[0]) for camera in cameras])
    # Consecutive cameras are neighbours: each stands a quarter of the way round from the last, give or take.
    assert (np.abs(np.degrees(np.diff(angles)) - 90) < 17).all()
    assert all(1100 < camera.K[0, 0] < 1200 and camera.size == (1000, 1000) for camera in cameras)


def test_a_tilted_camera_still_looks_the_same_way() -> None:
    place, target = np.array([3000.0, 1500, 1000]), np.array([0.0, 900, 0])
    level, tilted = looking(place, target), looking(place, target, 0.3)
    np.testing.assert_allclose(level[2], tilted[2])
    np.testing.assert_allclose(tilted @ tilted.T, np.eye(3), atol=1e-12)
    assert level[0, 1] == pytest.approx(0)
    assert math.asin(np.linalg.norm(np.cross(level[0], tilted[0]))) == pytest.approx(0.3)


def test_a_pixel_of_a_crop_is_the_same_ray_as_in_the_whole_picture() -> None:
    K = np.array([[1145.0, 0, 508.2], [0, 1145, 495.1], [0, 0, 1]])
    crop = Crop(left=312.3, top=140.9, side=431.7, size=256)
    inner = crop.intrinsics(K)
    for u, v in ((0, 0), (255, 255), (17.5, 200)):
        # The left edge of the crop's pixel u is at u - 0.5, and each of its pixels is side / size wide.
        whole = (crop.left + (u + 0.5) * 431.7 / 256, crop.top + (v + 0.5) * 431.7 / 256)
        np.testing.assert_allclose(np.linalg.solve(inner, [u, v, 1]), np.linalg.solve(K, [*whole, 1]), atol=1e-12)


def test_a_crop_shows_two_metres_at_the_pelvis_or_the_whole_body() -> None:
    crop = crop_around(np.array([400.0, 300, 500, 600]), 1000.0, 4000.0, 128)
    assert crop.side == pytest.approx(500)
    assert (crop.left + crop.side / 2, crop.top + crop.side / 2) == pytest.approx((450, 450))
    crop = crop_around(np.array([100.0, 300, 800, 600]), 1000.0, 4000.0, 128)
    assert crop.side == pytest.approx(770)
    assert crop.left < 100 < 800 < crop.left + crop.side


def test_a_box_holds_all_points() -> None:
    np.testing.assert_array_equal(box_of(np.array([[3.0, 9], [-1, 4], [2, 11]])), [-1, 4, 3, 11])


def test_cameras_stand_inside_the_room() -> None:
    for seed in range(20):
        cameras = sample_rig(rng(seed), WILD)
        room = sample_room(rng(seed, "room"), ("brick", "grass"), cameras)
        for camera in cameras:
            assert abs(camera.centre[0]) < room.half[0]
            assert abs(camera.centre[2]) < room.half[1]
            assert 0 < camera.centre[1] < room.height


def test_light_comes_from_above() -> None:
    for seed in range(20):
        for wild in (False, True):
            light = sample_light(rng(seed), wild=wild)
            assert np.linalg.norm(light.towards) == pytest.approx(1)
            assert light.towards[1] > 0.2
            assert min(*light.colour, *light.ambient) > 0


def test_clothes_cover_what_they_should() -> None:
    body, look = stick_body(), sample_look(rng(1))
    dressed = dress(body, look)
    names = np.array(body.bones)[body.weights.argmax(axis=1)]
    covers = {bone: set(dressed.material[names == bone].tolist()) for bone in body.bones}
    skin, hair, _, shirt, trousers, shoes = range(MATERIALS)
    assert covers["Spine1"] == {shirt}
    assert covers["Hips"] == {shirt, trousers}
    assert trousers in covers["LeftUpLeg"]
    assert covers["LeftFoot"] == covers["RightToeBase"] == {shoes}
    assert covers["LeftFingerBase"] == {skin}
    assert covers["Head"] <= {skin, hair}
    moved = np.linalg.norm(dressed.vertices - body.vertices, axis=1)
    np.testing.assert_allclose(moved[dressed.material == shirt], look.shirt.thickness)
    np.testing.assert_allclose(moved[dressed.material == skin], 0, atol=1e-12)


def test_rigs_depend_on_the_seed_alone() -> None:
    first, again, other = (sample_rig(rng(seed)) for seed in (5, 5, 6))
    assert isinstance(first[0], Camera)
    np.testing.assert_array_equal(first[2].R, again[2].R)
    assert not np.allclose(first[2].R, other[2].R)
