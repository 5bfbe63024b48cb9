"""Motion capture seen from a room: geometry by hand, and nothing about a pose but its place and facing changes."""

from __future__ import annotations

import numpy as np
import pytest

import posebench as pb
from posebench.datasets.room import room_cameras, seen_by, yaw_of

RNG = np.random.default_rng(0)


def clip(n: int = 6, **facts) -> pb.PoseSet:
    poses = RNG.normal(size=(n, 17, 3)) * 200 + [4000, 1000, -2000]
    given = {"skeleton": "h36m17", "unit": "mm", "reference": "world", "origin": "absolute"}
    given |= {"sequence": ["a"] * (n // 2) + ["b"] * (n - n // 2), "frame": np.arange(n)}
    return pb.PoseSet(poses, **{**given, **facts})


def test_cameras_stand_level_at_their_height_and_see_the_middle_of_the_room() -> None:
    for camera in room_cameras(distance=4000, height=1500, target=900):
        place = -camera.R.T @ camera.t
        assert np.hypot(place[0], place[2]) == pytest.approx(4000)
        assert place[1] == pytest.approx(1500)
        # What is above in the room is above in the picture: y is down there.
        assert camera.to_camera([[0.0, 1900.0, 0.0]])[0, 1] < camera.to_camera([[0.0, 900.0, 0.0]])[0, 1]
        assert camera.R[0, 1] == pytest.approx(0)  # the horizon is level
        np.testing.assert_allclose(camera.project([[0.0, 900.0, 0.0]]), [[500, 500]])
        assert np.linalg.det(camera.R) == pytest.approx(1)


def test_consecutive_cameras_are_neighbours() -> None:
    places = np.array([-camera.R.T @ camera.t for camera in room_cameras()])
    apart = np.linalg.norm(places - np.roll(places, 1, axis=0), axis=1)
    np.testing.assert_allclose(apart, 5000 * np.sqrt(2))


def test_views_hold_the_same_body_and_the_keys_of_each_frame() -> None:
    before = clip(valid=RNG.random((6, 17)) > 0.1)
    after = seen_by(before, room_cameras(3))
    assert len(after) == 18
    assert after.reference == "camera"
    assert after.camera.values.tolist() == ["cam1"] * 6 + ["cam2"] * 6 + ["cam3"] * 6
    np.testing.assert_array_equal(after.frame, np.tile(before.frame, 3))
    np.testing.assert_array_equal(after.valid, np.tile(before.valid, (3, 1)))
    distances = np.linalg.norm(before.poses[:, :, None] - before.poses[:, None], axis=3)
    seen = np.linalg.norm(after.poses[:, :, None] - after.poses[:, None], axis=3)
    np.testing.assert_allclose(seen, np.tile(distances, (3, 1, 1)), atol=1e-8)
    chirality = np.linalg.det(before.poses[:, 1:4] - before.poses[:, :1])
    np.testing.assert_allclose(
        np.linalg.det(after.poses[:, 1:4] - after.poses[:, :1]), np.tile(chirality, 3), rtol=1e-6
    )


def test_each_sequence_is_centred_in_the_room_and_turned_by_an_angle_of_its_own() -> None:
    before = clip()
    camera = room_cameras(1)[0]
    after = seen_by(before, [camera])
    world = camera.to_world(after.poses.reshape(-1, 3)).reshape(after.poses.shape)
    for name in ("a", "b"):
        rows = before.sequence.values == name
        np.testing.assert_allclose(world[rows, 0].mean(0)[[0, 2]], 0, atol=1e-9)
        np.testing.assert_allclose(world[rows, :, 1], before.poses[rows, :, 1], atol=1e-9)
        x, _, z = before.poses[rows][0, 1] - before.poses[rows][0, 0]
        moved = world[rows][0, 1] - world[rows][0, 0]
        yaw = yaw_of(name)
        np.testing.assert_allclose(moved[0], np.cos(yaw) * x + np.sin(yaw) * z)
        np.testing.assert_allclose(moved[2], -np.sin(yaw) * x + np.cos(yaw) * z)
    assert yaw_of("a", seed=1) != yaw_of("a")


def test_angles_cover_the_circle() -> None:
    angles = np.array([yaw_of(str(i)) for i in range(400)])
    assert np.histogram(angles, 8, (0, 2 * np.pi))[0].min() > 25


@pytest.mark.parametrize(
    "facts", [{"unit": "m"}, {"reference": "camera"}, {"origin": "root"}, {"sequence": None}, {"skeleton": None}]
)
def test_other_poses_are_refused(facts: dict) -> None:
    with pytest.raises(pb.InputError, match="array"):
        seen_by(clip(**facts), room_cameras())


@pytest.mark.parametrize(("n", "distance"), [(0, 5000), (4, 0), (4, float("inf"))])
def test_a_room_without_cameras_is_refused(n: int, distance: float) -> None:
    with pytest.raises(pb.UsageError, match="one camera or more"):
        room_cameras(n, distance=distance)
