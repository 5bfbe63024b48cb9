"""Crops of boxes: where pixels and joints go, how they are varied, and how they are kept."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("cv2")

from model_zoo.epipolarpose import crops as module
from model_zoo.epipolarpose.batches import ahead, examples_of, held_out, order
from model_zoo.epipolarpose.crops import (
    PLAIN,
    Augmentation,
    Variation,
    build_crops,
    cover,
    crop_matrix,
    cut,
    draw,
    vary,
    vary_joints,
)
from model_zoo.epipolarpose.geometry import to_image_space
from posebench.datasets.views import UnlabelledView
from posebench.errors import InputError, UsageError
from tests.support.two_views import crowd, rotation


def dot(x: float, y: float, size: int = 96) -> np.ndarray:
    """A picture with a soft dot, whose centre of mass is where it says."""
    v, u = np.mgrid[:size, :size]
    value = 250 * np.exp(-((u - x) ** 2 + (v - y) ** 2) / 18)
    return np.repeat(value[..., None], 3, 2).round().astype(np.uint8)


def mass_centre(picture: np.ndarray) -> np.ndarray:
    weight = picture[..., 0].astype(float)
    v, u = np.mgrid[: len(picture), : len(picture)]
    return np.array([(weight * u).sum(), (weight * v).sum()]) / weight.sum()


def view_of(pictures: list[np.ndarray], offset: int = 0) -> UnlabelledView:
    n = len(pictures)
    K = np.broadcast_to(np.eye(3), (n, 3, 3))
    return UnlabelledView(lambda i: pictures[i], ["p/s"] * n, ["a"] * n, np.arange(n) + offset, K)


# Cutting


@pytest.mark.parametrize("box", [(10.0, 20.0, 60.0), (31.3, 18.7, 26.0), (-20.0, -9.5, 130.0)])
@pytest.mark.parametrize("size", [32, 96])
def test_a_dot_comes_to_lie_where_the_matrix_says(box: tuple, size: int) -> None:
    at = np.array([44.25, 31.5])
    scale = size / box[2]
    expected = (at - box[:2]) * scale - 0.5  # the box's left edge is the crop's, half a pixel before its first middle
    assert (crop_matrix(box, size) @ [*at, 1]).tolist() == pytest.approx(expected.tolist())
    assert mass_centre(cut(dot(*at), box, size)) == pytest.approx(expected, abs=0.06)


def test_a_box_as_large_as_the_picture_is_the_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    assert np.array_equal(cut(picture, [-0.5, -0.5, 40.0], 40), picture)


def test_a_small_crop_averages_what_falls_into_its_pixels() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    expected = picture.reshape(16, 4, 16, 4, 3).mean((1, 3))
    assert np.abs(cut(picture, [-0.5, -0.5, 64.0], 16) - expected).max() <= 0.5


def test_outside_of_the_picture_it_is_black() -> None:
    found = cut(np.full((20, 20, 3), 200, np.uint8), [-20.5, -0.5, 40.0], 40)
    assert (found[:20, 20:] == 200).all()
    assert (found[:, :20] == 0).all()
    assert (found[20:] == 0).all()


@pytest.mark.parametrize("box", [(3.2, 5.9, 47.3), (3.2, 5.9, 147.3)])
def test_a_margin_changes_nothing_inside(box: tuple) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert np.array_equal(cut(picture, box, 32, pad=5)[5:-5, 5:-5], cut(picture, box, 32))


@pytest.mark.parametrize("box", [(0.0, 0.0, 0.0), (0.0, np.nan, 3.0), (0.0, 0.0, -1.0)])
def test_a_box_without_a_side_is_refused(box: tuple) -> None:
    with pytest.raises(UsageError, match="expected finite px and a side above 0"):
        cut(np.zeros((8, 8, 3), np.uint8), box, 8)


# Variations


@pytest.mark.parametrize(
    "variation", [Variation(25.0), Variation(-30.0, 0.75), Variation(0.0, 1.25), Variation(90.0, 1.1)]
)
def test_pixels_and_joints_are_varied_alike(variation: Variation) -> None:
    at = np.array([55.0, 40.0])
    found = vary(dot(*at), variation, 64, 16)
    assert mass_centre(found) == pytest.approx(vary_joints(at, variation, 64, 16), abs=0.06)


def test_a_turn_goes_from_x_to_y_about_the_middle() -> None:
    middle = 47.5
    found = vary_joints(np.array([middle + 10, middle, 7.0]), Variation(90.0), 64, 16)
    assert found == pytest.approx([31.5, 31.5 + 10, 7.0])


@pytest.mark.parametrize("variation", [Variation(30.0), Variation(-17.0, 1.25), Variation(8.0, 0.75)])
def test_a_turned_and_enlarged_crop_is_what_a_turned_camera_sees(variation: Variation) -> None:
    K = np.array([[300.0, 0, 40], [0, 300, 52], [0, 0, 1]])
    poses = 1000 * crowd(4, 17)
    before = to_image_space(poses, K)
    angle, side, pad = np.radians(variation.angle), 64, 16
    roll = rotation(0, 0, variation.angle)
    assert roll[:2, :2] == pytest.approx(np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]))
    # The camera with its axis turned, whose principal point goes where the crop's does, and with a shorter lens.
    point = vary_joints(K[:2, 2], variation, side, pad)
    turned = np.array([[300 / variation.scale, 0, point[0]], [0, 300 / variation.scale, point[1]], [0, 0, 1]])
    expected = to_image_space(poses @ roll.T, turned)
    np.testing.assert_allclose(vary_joints(before, variation, side, pad), expected, atol=1e-9)


def test_the_plain_crop_is_what_is_cut_without_a_margin() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    box = (3.2, 5.9, 47.3)
    assert np.array_equal(vary(cut(picture, box, 32, pad=5), PLAIN, 32, 5), cut(picture, box, 32))


def test_gain_multiplies_channels() -> None:
    picture = np.full((20, 20, 3), [100, 200, 50], np.uint8)
    found = vary(picture, Variation(gain=(1.1, 2.0, 0.8)), 10, 5)
    assert found.reshape(-1, 3).tolist() == [[110, 255, 40]] * 100


def test_variations_keep_within_their_bounds_and_follow_the_seed() -> None:
    augmentation = Augmentation()
    drawn = [draw(augmentation, np.random.default_rng(seed)) for seed in range(500)]
    angles = np.array([each.angle for each in drawn])
    assert 0.5 < (angles != 0).mean() < 0.7
    assert np.abs(angles).max() <= 30
    assert np.abs(angles).max() > 28
    for values, (low, high) in (
        ([each.scale for each in drawn], (0.75, 1.25)),
        ([each.gain for each in drawn], (0.8, 1.2)),
    ):
        assert low <= np.min(values) < low + 0.02
        assert high - 0.02 < np.max(values) <= high
    assert draw(augmentation, np.random.default_rng(7)) == drawn[7]


def test_covers_come_from_other_pictures_and_leave_something() -> None:
    others = np.full((3, 40, 40, 3), [[[[50]]], [[[60]]], [[[70]]]], np.uint8)
    shares = []
    for seed in range(50):
        pixels = np.zeros((30, 30, 3), np.uint8)
        cover(pixels, others, 7, np.random.default_rng(seed))
        assert set(np.unique(pixels)) <= {0, 50, 60, 70}
        shares.append((pixels > 0).any(-1).mean())
    assert min(shares) > 0
    assert max(shares) < 0.5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rotation": 200.0}, "rotation is 200.0, expected a number from 0 to 180"),
        ({"rotation_share": float("nan")}, "rotation_share is nan"),
        ({"cover_pieces": 2.5}, "cover_pieces is 2.5"),
        ({"scale": (1.25, 0.75)}, "expected two numbers from 0.1 to 10, the smaller first"),
        ({"gain": (0.8,)}, "expected two numbers"),
    ],
)
def test_an_augmentation_that_cannot_be_is_refused(wrong: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Augmentation(**wrong)


# On disk


def pictures(n: int = 6) -> list[np.ndarray]:
    return list(np.random.default_rng(1).integers(0, 256, (n, 20, 20, 3), np.uint8))


BOXES = np.tile([2.0, 3.0, 12.0], (6, 1)) + np.arange(6)[:, None] / 4


def test_crops_are_cut_once_and_are_those_that_cut_gives(tmp_path) -> None:
    shots = pictures()
    view = view_of(shots)
    made = build_crops(view, BOXES, np.array([4, 1, 4]), 16, tmp_path)
    assert made.pictures.tolist() == [1, 4]
    assert np.array_equal(made.pixels[1], cut(shots[4], BOXES[4], 16, pad=made.pad))
    before = made.pixels.copy()
    (file,) = tmp_path.iterdir()
    stamp = file.stat().st_mtime_ns
    assert np.array_equal(build_crops(view, BOXES, np.array([1, 4]), 16, tmp_path).pixels, before)
    assert file.stat().st_mtime_ns == stamp
    assert np.array_equal(np.load(file), before)


@pytest.mark.parametrize("change", ["box", "size", "ids", "pixels", "pictures"])
def test_other_crops_have_another_file(change: str, tmp_path) -> None:
    shots, boxes = pictures(), BOXES.copy()
    rows = np.arange(6)
    build_crops(view_of(shots), boxes, rows, 16, tmp_path)
    if change == "box":
        boxes[3, 0] += 1e-9
    if change == "pixels":
        shots[2] = shots[2] ^ 1
    build_crops(
        view_of(shots, offset=change == "ids"),
        boxes,
        rows[:5] if change == "pictures" else rows,
        32 if change == "size" else 16,
        tmp_path,
    )
    assert len(list(tmp_path.glob("*.npy"))) == 2


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_build_that_was_killed_goes_on_and_gives_the_same(stop: int, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", 1)
    shots = pictures()
    whole = build_crops(view_of(shots), BOXES, np.arange(6), 16, tmp_path / "whole").pixels.copy()
    cuts = []
    plain = module.cut

    def dying(picture: np.ndarray, *rest, **more) -> np.ndarray:
        cuts.append(picture)
        if len(cuts) > stop:
            raise KeyboardInterrupt
        return plain(picture, *rest, **more)

    monkeypatch.setattr(module, "cut", dying)
    with pytest.raises(KeyboardInterrupt):
        build_crops(view_of(shots), BOXES, np.arange(6), 16, tmp_path / "part")
    (part,) = (tmp_path / "part").glob("*.part")
    part.write_bytes(part.read_bytes() + b"half a picture")
    cuts.clear()
    stop = 99
    made = build_crops(view_of(shots), BOXES, np.arange(6), 16, tmp_path / "part")
    assert np.array_equal(made.pixels, whole)
    assert [file.suffix for file in (tmp_path / "part").iterdir()] == [".npy"]


def test_a_damaged_file_of_crops_is_refused(tmp_path) -> None:
    view = view_of(pictures())
    build_crops(view, BOXES, np.arange(6), 16, tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"\.npy: is damaged; remove it, and the crops are cut anew"):
        build_crops(view, BOXES, np.arange(6), 16, tmp_path)


def test_pictures_without_a_box_are_refused(tmp_path) -> None:
    boxes = BOXES.copy()
    boxes[2] = np.nan
    with pytest.raises(InputError, match="picture 2 has no box, as 1 in all"):
        build_crops(view_of(pictures()), boxes, np.arange(6), 16, tmp_path)
    with pytest.raises(UsageError, match=r"boxes of shape \(5, 3\), and 6 pictures"):
        build_crops(view_of(pictures()), boxes[:5], np.arange(5), 16, tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        build_crops(view_of(pictures()), BOXES, np.arange(6), 16, tmp_path / "file" / "crops")


# Batches


def test_joints_of_examples_lie_where_their_dots_do(tmp_path) -> None:
    at = np.array([[30.0, 40.0], [52.0, 47.0], [41.0, 33.0]])
    view = view_of([dot(*each) for each in at])
    boxes = np.array([[5.0, 9.0, 70.0], [12.0, 14.0, 64.0], [0.0, 0.0, 90.0]])
    made = build_crops(view, boxes, np.arange(3), 64, tmp_path)
    joints = np.column_stack([at, [7.0, -7.0, 9.0]])[:, None, None]
    examples = examples_of(made, np.arange(3)[:, None], joints, np.ones((3, 1), bool))
    quiet = Augmentation(rotation_share=1.0, cover_share=0.0)
    for batch in (examples.plain(np.arange(3)), examples.varied([(0, 0), (5, 1), (9, 2)], quiet, seed=3)):
        for pixels, joint in zip(batch.pixels, batch.joints[:, 0], strict=True):
            assert mass_centre(pixels) == pytest.approx(joint[:2], abs=0.1)
    plain = examples.plain(np.arange(3)).joints[:, 0, 2]
    assert plain == pytest.approx([7 * 64 / 70, -7.0, 9 * 64 / 90])


def test_a_batch_depends_on_seed_pass_and_index_alone(tmp_path) -> None:
    made = build_crops(view_of(pictures()), BOXES, np.arange(6), 16, tmp_path)
    joints = np.random.default_rng(0).uniform(0, 20, (3, 2, 17, 3))
    examples = examples_of(made, np.arange(6).reshape(3, 2), joints, np.ones((3, 17), bool))
    together = examples.varied([(0, 1), (0, 2), (1, 1)], Augmentation(), seed=5)
    assert together.pixels.shape == (6, 16, 16, 3)
    alone = examples.varied([(0, 2)], Augmentation(), seed=5)
    assert np.array_equal(together.pixels[2:4], alone.pixels)
    assert np.array_equal(together.joints[2:4], alone.joints)
    assert not np.array_equal(together.pixels[:2], together.pixels[4:])
    assert not np.array_equal(alone.pixels, examples.varied([(0, 2)], Augmentation(), seed=6).pixels)


def test_every_pass_sees_each_example_once_in_another_order() -> None:
    seen = [pair for step in range(20) for pair in order(step, 4, 10, seed=2)]
    passes = [[index for number, index in seen if number == each] for each in range(8)]
    assert all(sorted(each) == list(range(10)) for each in passes)
    assert all(one != other for one, other in pairwise(passes))


def test_whole_sequences_are_set_aside_whatever_their_order() -> None:
    names = np.array([f"p/{number}" for number in range(20)] * 2)
    kept = held_out(names, 0.1)
    assert kept.sum() == 4
    assert set(names[kept]) == set(names[::-1][held_out(names[::-1], 0.1)])
    assert set(names[kept]).isdisjoint(names[~kept])
    assert not held_out(names, 0.0).any()
    with pytest.raises(InputError, match="there are 1 sequences to learn from, of which 1 would be set aside"):
        held_out(names[:1], 0.1)


def test_batches_come_in_order_and_errors_with_them() -> None:
    assert list(ahead(lambda step: step**2, range(20), threads=3)) == [step**2 for step in range(20)]

    def failing(step: int) -> int:
        if step == 3:
            raise InputError("a picture is damaged")
        return step

    came = []
    with pytest.raises(InputError, match="a picture is damaged"):
        came += list(map(came.append, ahead(failing, range(20))))
    assert came == [0, 1, 2]
    with pytest.raises(UsageError, match="0 threads"):
        next(ahead(failing, range(3), threads=0))
