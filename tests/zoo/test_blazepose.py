"""BlazePose: which point is which joint, where its pixels are, and that its depth is never read."""

from __future__ import annotations

import hashlib
import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model_zoo import blazepose
from model_zoo.blazepose import KNOWN, BlazePose, find_network, to_h36m17
from posebench.errors import InputError, MissingExtraError, UsageError
from posebench.skeletons import H36M17

#: Joint of H36M-17 -> the points that it is the mean of, as the model's card numbers them.
POINTS = {
    "pelvis": [23, 24], "RHip": [24], "RKnee": [26], "RAnkle": [28], "LHip": [23], "LKnee": [25], "LAnkle": [27],
    "spine": [11, 12, 23, 24], "thorax": [11, 12], "LShoulder": [11], "LElbow": [13], "LWrist": [15],
    "RShoulder": [12], "RElbow": [14], "RWrist": [16],
}  # fmt: skip


class Fake:
    """Stands in for the interpreter; what it answers is set by tests."""

    answer: np.ndarray
    presence = 1.0
    looks = 0
    #: What it answers to a picture, if it looks at all.
    sees: Callable[[np.ndarray], np.ndarray] | None = None

    def __init__(self, path: str, num_threads: int) -> None:
        self.threads = num_threads

    def allocate_tensors(self) -> None: ...

    def invoke(self) -> None:
        Fake.looks += 1
        if Fake.sees is not None:
            Fake.answer = Fake.sees(Fake.given[0])

    def get_input_details(self) -> list[dict]:
        return [{"index": 7}]

    def get_output_details(self) -> list[dict]:
        # Not in order of their names: networks list them as they like.
        return [
            {"name": "Identity_1", "index": 2},
            {"name": "Identity_4", "index": 5},
            {"name": "Identity", "index": 1},
        ]

    def set_tensor(self, index: int, picture: np.ndarray) -> None:
        assert index == 7
        Fake.given = picture

    def get_tensor(self, index: int) -> np.ndarray:
        return {1: Fake.answer.reshape(1, -1).astype(np.float32), 2: np.array([[Fake.presence]], np.float32)}[index]


@pytest.fixture
def network(monkeypatch, tmp_path) -> BlazePose:
    """The network, looking once, with an interpreter that answers what the test says: at first points at random."""
    pytest.importorskip("cv2")
    module = types.ModuleType("ai_edge_litert.interpreter")
    module.Interpreter = Fake
    monkeypatch.setitem(sys.modules, "ai_edge_litert", types.ModuleType("ai_edge_litert"))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", module)
    file = tmp_path / "net.tflite"
    file.write_bytes(b"a network")
    monkeypatch.setitem(blazepose.KNOWN, hashlib.sha256(b"a network").hexdigest(), "made up")
    Fake.answer = np.random.default_rng(0).uniform(0, 256, (39, 5))
    Fake.answer[:, 3:] = 40
    Fake.presence, Fake.looks, Fake.sees = 1.0, 0, None
    return BlazePose(file, looks=0)


def picture(size: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (size, size, 3)).astype(np.uint8)


def test_points_become_joints_by_their_names() -> None:
    points = np.random.default_rng(0).normal(size=(33, 2))
    found = to_h36m17(points)
    for number, joint in enumerate(H36M17.joints):
        if joint in POINTS:
            np.testing.assert_allclose(found[number], points[POINTS[joint]].mean(axis=0), atol=1e-12)
        else:
            assert joint in ("nose", "head")
            assert np.isnan(found[number]).all()


def test_a_joint_is_as_sure_as_the_least_sure_point_that_it_comes_from(network) -> None:
    visible, there = np.random.default_rng(3).normal(0, 2, (2, 39))
    Fake.answer[:, 3], Fake.answer[:, 4] = visible, there
    _, confidence = network(picture(256))
    sure = [1 / (1 + np.exp(-v)) / (1 + np.exp(-p)) for v, p in zip(visible, there, strict=True)]
    for number, joint in enumerate(H36M17.joints):
        expected = min(sure[point] for point in POINTS[joint]) if joint in POINTS else 0.0
        assert confidence[number] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("size", [100, 256, 512])
def test_coordinates_count_from_the_edge_and_come_back_in_pixels_of_the_picture(network, size) -> None:
    points, _ = network(picture(size))
    for joint, (x, y) in (("LKnee", Fake.answer[25, :2]), ("RWrist", Fake.answer[16, :2])):
        expected = [x * size / 256 - 0.5, y * size / 256 - 0.5]
        np.testing.assert_allclose(points[H36M17.joints.index(joint)], expected, rtol=1e-5, atol=1e-4)


def test_the_whole_picture_from_edge_to_edge_is_the_whole_picture(network) -> None:
    Fake.answer[25, :2], Fake.answer[26, :2] = 0, 256
    points, _ = network(picture(64))
    assert points[H36M17.joints.index("LKnee")].tolist() == [-0.5, -0.5]
    assert points[H36M17.joints.index("RKnee")].tolist() == [63.5, 63.5]


def test_its_depth_changes_nothing(network) -> None:
    before = network(picture(256))
    for depth in (1e9, -5.0, np.nan):
        Fake.answer[:, 2] = depth
        for one, other in zip(before, network(picture(256)), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("presence", "seen"), [(0.49, False), (0.51, True)])
def test_a_picture_without_a_person_has_no_joint_that_is_sure(network, presence, seen) -> None:
    Fake.presence = presence
    assert bool(network(picture(256))[1].any()) == seen


def test_the_network_is_given_the_picture_as_numbers_up_to_one(network) -> None:
    network(picture(256))
    assert (Fake.given.shape, Fake.given.dtype) == ((1, 256, 256, 3), np.float32)
    np.testing.assert_allclose(Fake.given[0] * 255, picture(256), atol=1e-4)


def test_other_sizes_are_brought_to_the_one_that_it_takes(network) -> None:
    halves = np.zeros((512, 512, 3), np.uint8)
    halves[:, 256:, 0] = 255
    network(halves)
    assert Fake.given.shape == (1, 256, 256, 3)
    assert Fake.given[0, :, :127].max() == 0
    assert Fake.given[0, :, 129:, 0].min() == 1
    assert Fake.given[..., 1:].max() == 0


def test_large_pictures_are_averaged(network) -> None:
    large = picture(1024)
    network(large)
    blocks = large.reshape(256, 4, 256, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(Fake.given[0] * 255, blocks, atol=1)


def test_logits_that_are_huge_are_no_warning(network) -> None:
    Fake.answer[:, 3], Fake.answer[:, 4] = 1e30, -1e30
    assert network(picture(256))[1].max() < 1e-20


# Looking again


def spots(given: np.ndarray) -> np.ndarray:
    """A network that finds the hips and a knee where it is red, and the end of the circle where it is green."""
    answer = np.full((39, 5), 40.0)
    rows, columns = np.indices(given.shape[:2]) + 0.5
    for colour, points in ((0, (33, 25)), (1, (34, 26))):
        weight = given[..., colour] / given[..., colour].sum()
        answer[points, 0], answer[points, 1] = (columns * weight).sum(), (rows * weight).sum()
    return answer


def spotted(size: int, red: tuple[int, int], green: tuple[int, int]) -> np.ndarray:
    """A picture with two round spots around pixels (x, y)."""
    drawn = np.zeros((size, size, 3), np.uint8)
    rows, columns = np.indices((size, size))
    for colour, (x, y) in ((0, red), (1, green)):
        drawn[(columns - x) ** 2 + (rows - y) ** 2 <= (size / 40) ** 2, colour] = 255
    return drawn


@pytest.mark.parametrize("looks", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [200, 256, 1100])
def test_joints_are_where_they_are_however_often_it_looks(network, looks, size) -> None:
    network.looks, Fake.sees = looks, spots
    red, green = (round(0.55 * size), round(0.45 * size)), (round(0.65 * size), round(0.3 * size))
    points, _ = network(spotted(size, red, green))
    assert Fake.looks == 1 + looks
    off = [points[H36M17.joints.index(joint)] - spot for joint, spot in (("LKnee", red), ("RKnee", green))]
    assert np.abs(off).max() < 0.01 * size / 2.56


def test_the_square_that_it_looks_at_again_has_the_hips_in_its_middle_and_the_person_upright(network) -> None:
    network.looks, Fake.sees = 1, spots
    network(spotted(400, (240, 200), (200, 120)))
    np.testing.assert_allclose(Fake.answer[33, :2], [128, 128], atol=0.5)
    np.testing.assert_allclose(Fake.answer[34, :2], [128, 128 - 128 / 1.25], atol=0.5)


def test_the_square_that_it_looks_at_again_is_not_mirrored(network) -> None:
    network.looks, Fake.sees = 1, spots
    drawn = spotted(400, (200, 220), (200, 140))
    drawn[215:225, 240:250, 2] = 255  # to the right of the hips
    network(drawn)
    columns = np.flatnonzero(Fake.given[0, ..., 2].any(axis=0))
    assert columns.min() > 128


def test_it_does_not_look_again_where_nobody_is_or_where_the_circle_is_a_point(network) -> None:
    network.looks = 2
    Fake.presence = 0.0
    network(picture(256))
    assert Fake.looks == 1
    Fake.presence, Fake.answer[34] = 1.0, Fake.answer[33]
    network(picture(256))
    assert Fake.looks == 2


# What is refused, and which network is taken


def test_pictures_that_are_not_square_are_refused(network) -> None:
    with pytest.raises(InputError, match="a picture has 30 × 20 px; BlazePose takes squares"):
        network(np.zeros((20, 30, 3), np.uint8))


def test_files_that_are_none_of_the_networks_are_refused(network, tmp_path) -> None:
    other = tmp_path / "other.tflite"
    other.write_bytes(b"another network")
    with pytest.raises(InputError, match=r"other\.tflite: is none of the networks blazepose-lite") as caught:
        BlazePose(other)
    assert hashlib.sha256(b"another network").hexdigest() in str(caught.value)
    with pytest.raises(InputError, match="is missing; posebench data fetch blazepose"):
        BlazePose(tmp_path / "nothing.tflite")


def test_without_the_extra_the_message_says_how_to_install_it(monkeypatch, tmp_path) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(MissingExtraError, match=r"ai-edge-litert: pip install 'posebench-hpe\[zoo\]'"):
        BlazePose(tmp_path / "any.tflite")


def test_the_best_network_that_is_there_is_taken(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(blazepose, "locate", lambda name: tmp_path / name)
    folder = tmp_path / "blazepose" / "deep"
    folder.mkdir(parents=True)
    with pytest.raises(UsageError, match="run posebench data fetch blazepose"):
        find_network()
    for kind in ("lite", "full", "heavy"):
        (folder / f"pose_landmark_{kind}.tflite").write_bytes(b"")
        assert find_network().name == f"pose_landmark_{kind}.tflite"


@pytest.fixture(scope="module")
def real() -> Path:
    """A network that was fetched; the test is skipped where there is none."""
    pytest.importorskip("ai_edge_litert")
    try:
        return find_network()
    except UsageError:
        pytest.skip("needs a network: posebench data fetch blazepose")


@pytest.mark.slow
def test_a_network_finds_shoulders_where_they_are_whatever_the_size_of_the_picture(real) -> None:
    data = pytest.importorskip("skimage.data")
    large = data.astronaut()
    network = BlazePose(real)
    assert network.name in KNOWN.values()
    points, confidence = network(large)
    left, right = (H36M17.joints.index(joint) for joint in ("LShoulder", "RShoulder"))
    assert min(confidence[left], confidence[right]) > 0.5
    assert points[left, 0] > points[right, 0] + 100  # she looks at us, and down to her shoulders it is half the picture
    assert (points[[left, right], 1] > 150).all()
    # The mean of 2 by 2 pixels is the same scene with half the pixels: 0.5 lies at 0.
    small = large.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3)).round().astype(np.uint8)
    np.testing.assert_allclose(network(small)[0][[left, right]] * 2 + 0.5, points[[left, right]], atol=6)
