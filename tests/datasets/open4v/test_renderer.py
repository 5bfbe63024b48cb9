"""What is drawn agrees with the labels: pixels, what hides what, and the same bytes twice. Needs moderngl and EGL."""

from __future__ import annotations

import ctypes.util
from dataclasses import replace

import numpy as np
import pytest

from posebench.datasets.open4v import renderer as module
from posebench.datasets.open4v.motions import rng, synthetic_motion
from posebench.datasets.open4v.renderer import SHADOWS, TEXTURE, Renderer, open_context, visible
from posebench.datasets.open4v.retarget import perform
from posebench.datasets.open4v.scene import Dressed, Garment, Light, crop_around, sample_rig, sample_room
from posebench.datasets.open4v.splits import Clip
from posebench.datasets.open4v.stage import Stage, body_names
from posebench.errors import InputError, MissingExtraError, UsageError
from tests.support.open4v import STICKS, octahedron, stick_body

IMAGES = {"grey": np.full((TEXTURE, TEXTURE, 3), 100, np.uint8), "noise": np.zeros((TEXTURE, TEXTURE, 3), np.uint8)}
IMAGES["noise"][:] = np.random.default_rng(0).integers(0, 255, IMAGES["noise"].shape)
#: Without a direction, so that what glows looks the same from everywhere.
GLOW = Light(towards=(0, 1, 0), colour=(0, 0, 0), ambient=(4, 4, 4), shadow=0, noise=0)


@pytest.fixture(scope="module")
def renderer():
    pytest.importorskip("moderngl")
    try:
        drawing = Renderer(256, IMAGES)
    except InputError as error:
        pytest.skip(str(error))
    yield drawing
    drawing.close()


def scene(seed: int = 0):
    """Cameras of the studio, a room around them, and the joints of a stick figure in it."""
    cameras = sample_rig(rng(seed))
    body = stick_body()
    performance = perform(body, synthetic_motion("syn01", seed, frames=2, seed=seed))
    middle = performance.joints[0, 0] * [1, 0, 1]
    transforms = performance.transforms[0].copy()
    transforms[:, :, 3] -= middle
    return cameras, sample_room(rng(seed, "room"), ("grey",), cameras), body, transforms, performance.joints[0] - middle


def take_points(renderer: Renderer, points: np.ndarray, radius: float) -> None:
    """Have little octahedra drawn at points (P, 3)."""
    shapes = [octahedron(tuple(point), radius) for point in points]
    vertices = np.concatenate([shape for shape, _ in shapes])
    faces = np.concatenate([triangles + 6 * i for i, (_, triangles) in enumerate(shapes)]).astype(np.int32)
    white = Garment((1, 1, 1), (1, 1, 1))
    renderer.take(faces, Dressed(vertices, np.zeros(len(vertices), int), (white,) * 6))
    renderer.pose(vertices.astype(np.float32), np.tile(np.float32([0, 1, 0]), (len(vertices), 1)))


@pytest.mark.parametrize("seed", range(3))
def test_joints_are_drawn_where_the_labels_say(renderer: Renderer, seed: int) -> None:
    cameras, room, _, _, joints = scene(seed)
    surfaces = [replace(surface, tint=(0, 0, 0)) for surface in (room.floor, room.ceiling, *room.walls)]
    black = replace(room, floor=surfaces[0], ceiling=surfaces[1], walls=tuple(surfaces[2:]))
    for camera in cameras:
        pixels = camera.project(joints)
        box = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])
        K = crop_around(box, camera.K[0, 0], camera.to_camera(joints)[0, 2], 256).intrinsics(camera.K)
        for joint in joints:
            take_points(renderer, joint[None], 25.0)
            drawn = renderer.draw(K, camera.R, camera.t, black, GLOW, shadows=np.zeros((SHADOWS, 3))).astype(float)
            weight = drawn.sum(axis=2)
            assert weight.max() > 700
            rows, columns = np.indices(weight.shape)
            found = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
            seen = K @ camera.to_camera(joint)
            assert np.abs(found - seen[:2] / seen[2]).max() < 0.5


def exits(vertices: np.ndarray, faces: np.ndarray, eye: np.ndarray, point: np.ndarray) -> bool:
    """Whether a ray from the eye leaves the mesh before it reaches the point, triangle by triangle in float64."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    ray = point - eye
    ab, ac = b - a, c - a
    across = np.cross(ray, ac)
    determinant = np.einsum("fi,fi->f", ab, across)
    with np.errstate(all="ignore"):
        u = np.einsum("fi,fi->f", eye - a, across) / determinant
        turned = np.cross(eye - a, ab)
        v = np.einsum("i,fi->f", ray, turned) / determinant
        t = np.einsum("fi,fi->f", ac, turned) / determinant
    outwards = np.einsum("fi,i->f", np.cross(ab, ac), ray) > 0
    return bool((outwards & (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0) & (t < 1 - 5 / np.linalg.norm(ray))).any())


def test_what_is_hidden_agrees_with_rays_through_the_mesh(renderer: Renderer) -> None:
    compared = hidden = agree = 0
    for seed in range(6):
        cameras, _, body, transforms, _ = scene(seed)
        vertices = body.skin(transforms[None])[0]
        white = Garment((1, 1, 1), (1, 1, 1))
        renderer.take(body.faces, Dressed(vertices, np.zeros(len(vertices), int), (white,) * 6))
        renderer.pose(vertices.astype(np.float32), vertices.astype(np.float32))
        # The middles of all sticks: whatever else a ray leaves before it gets there is in front of them.
        points = np.array([(np.array(start) + end) / 2 for *_, start, end in STICKS])
        points = np.einsum("bij,bj->bi", transforms[:, :, :3], points) + transforms[:, :, 3]
        for camera in cameras:
            seen = camera.to_camera(points)
            at = camera.project(vertices)
            box = np.concatenate([at.min(axis=0), at.max(axis=0)])
            K = crop_around(box, camera.K[0, 0], seen[0, 2], 256).intrinsics(camera.K)
            pixels = seen @ K.T
            result = visible(renderer.backs(K, camera.R, camera.t), pixels[:, :2] / pixels[:, 2:], seen[:, 2])
            expected = [not exits(vertices, body.faces, camera.centre, point) for point in points]
            compared += len(points)
            hidden += len(points) - sum(expected)
            agree += int((result == expected).sum())
    assert hidden > 20
    # Sticks are a few px wide, and a pixel's middle may lie beside one where the ray meets it.
    assert agree / compared > 0.95


def test_a_joint_behind_an_arm_is_hidden_and_one_inside_the_body_is_not(renderer: Renderer) -> None:
    camera = sample_rig(rng(0))[0]
    towards = camera.centre * [1, 0, 1] / np.linalg.norm(camera.centre * [1, 0, 1])
    joint = np.array([0.0, 1000, 0])
    K = crop_around(np.array([400.0, 400, 600, 600]), camera.K[0, 0], 5000.0, 256).intrinsics(camera.K)
    for points, expected in (
        ([joint], True),
        ([joint, joint + 300 * towards], False),
        ([joint, joint - 300 * towards], True),
    ):
        take_points(renderer, np.array(points), 100.0)
        seen = camera.to_camera(joint[None])
        pixels = seen @ K.T
        found = visible(renderer.backs(K, camera.R, camera.t), pixels[:, :2] / pixels[:, 2:], seen[:, 2])
        assert found.tolist() == [expected]


def test_the_same_scene_gives_the_same_bytes(renderer: Renderer) -> None:
    body = stick_body()
    clip = Clip("train", "syn01", "syn01_01", 1, take=1, frames=2)
    bodies = dict.fromkeys(body_names(clip, 0), body)
    drawn = []
    for _ in range(2):
        stage = Stage(_Named(renderer), bodies, 0)  # type: ignore[arg-type]
        drawn.append([shot.pixels for shot in stage.shots(clip, "jpg")])
    assert len(drawn[0]) == 8
    for first, second in zip(*drawn, strict=True):
        np.testing.assert_array_equal(first, second)
    assert drawn[0][0].std() > 5


class _Named:
    """The renderer, with rooms of any images covered with those of the test."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._renderer._layers = dict.fromkeys(("brick", "grass", "gravel", "coffee", "chelsea"), 1) | {"grey": 0}

    def __getattr__(self, name: str):
        return getattr(self._renderer, name)


def test_noise_depends_on_the_seed(renderer: Renderer) -> None:
    cameras, room, _, _, joints = scene()
    noisy = Light((0, 1, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), noise=5)
    take_points(renderer, joints, 20.0)
    K, camera = cameras[0].K, cameras[0]
    drawn = [
        renderer.draw(K, camera.R, camera.t, room, noisy, shadows=joints[:SHADOWS], seed=seed) for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    difference = drawn[0].astype(float) - drawn[2]
    assert 1 < difference.std() < 10


# -------------------------------------------------------------------------------------------------------------- errors


def test_no_egl_is_one_sentence_with_the_packages_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("moderngl")
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    with pytest.raises(InputError, match=r"no libEGL; install Debian's packages libegl1 and libgl1-mesa-dri"):
        open_context()


def test_an_egl_that_cannot_draw_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    moderngl = pytest.importorskip("moderngl")

    def refuse(**_: object) -> None:
        raise RuntimeError("eglInitialize failed")

    monkeypatch.setattr(ctypes.util, "find_library", lambda name: "libEGL.so.1")
    monkeypatch.setattr(moderngl, "create_context", refuse)
    with pytest.raises(InputError, match=r"could not be opened \(eglInitialize failed\); install Debian's packages"):
        open_context()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "moderngl", None)
    with pytest.raises(MissingExtraError, match=r"moderngl: pip install 'posebench-hpe\[data\]'"):
        module.open_context()


def test_sizes_and_images_are_checked_before_anything_is_opened() -> None:
    with pytest.raises(UsageError, match="pictures of 8 px cannot be rendered, expected 16 to 4096"):
        Renderer(8, {})
    with pytest.raises(UsageError, match=r"image 'a' has shape \(4, 4, 3\)"):
        Renderer(64, {"a": np.zeros((4, 4, 3), np.uint8)})
