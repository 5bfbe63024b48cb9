"""Joints in 2D: exact ones and their noise, how they are kept, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from model_zoo.epipolarpose.detections import Detections, detect, ids_of, read_detections, true_joints, write_detections
from posebench.datasets.views import MultiViewSet, UnlabelledView
from posebench.errors import InputError, UsageError
from tests.support.zoo import Footage, footage, refusals, rewritten, standing


@pytest.fixture(scope="module")
def seen() -> Footage:
    return footage({"S1/a": standing(20), "S2/a": standing(20, seed=1)})


@pytest.fixture(scope="module")
def dataset(seen, tmp_path_factory) -> MultiViewSet:
    return seen.write(tmp_path_factory.mktemp("set"))


@pytest.fixture
def path(tmp_path, seen) -> Path:
    write_detections(seen.found(1.0), seen.view(), tmp_path / "found.npz")
    return tmp_path / "found.npz"


# Exact joints and noise


def test_joints_without_noise_are_those_of_the_labels(dataset, seen) -> None:
    found = true_joints(dataset)
    np.testing.assert_array_equal(found.points, seen.joints)
    assert (found.confidence == 1).all()
    assert found.source == "ground truth"


def test_noise_has_its_size_in_the_cameras_pictures_and_not_in_the_crops(dataset, seen) -> None:
    found = true_joints(dataset, noise=5.0, seed=1)
    off = found.points - seen.joints
    # Into the whole picture of the camera: from the pixel to the ray by the crop's camera, and back by the whole one's.
    back = np.array([np.diag(whole)[:2] / np.diag(crop)[:2] for whole, crop in zip(seen.whole, seen.K, strict=True)])
    assert np.ptp(back[:, 0]) > 0.5
    for part in (back[:, 0] < np.median(back[:, 0]), back[:, 0] >= np.median(back[:, 0])):
        assert np.std(off[part] * back[part, None, :]) == pytest.approx(5.0, rel=0.06)
    assert np.mean(off * back[:, None, :]) == pytest.approx(0, abs=0.2)
    assert found.source == "ground truth + 5 px"


def test_a_seed_gives_its_noise_every_time(dataset) -> None:
    first, again, other = (true_joints(dataset, noise=2.0, seed=seed).points for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 0.1


@pytest.mark.parametrize("noise", [-1.0, float("nan"), float("inf")])
def test_noise_that_is_no_number_of_px_is_refused(dataset, noise) -> None:
    with pytest.raises(UsageError, match=f"noise is {noise}, expected px, 0 or more"):
        true_joints(dataset, noise=noise)


# What detections are


def test_a_joint_that_was_not_found_has_no_confidence() -> None:
    points = np.zeros((2, 17, 2))
    points[0, 3, 1], points[1, 4, 0] = np.nan, np.inf
    found = Detections(points, np.ones((2, 17)), "x")
    assert np.argwhere(np.isnan(found.points).all(axis=-1)).tolist() == [[0, 3], [1, 4]]
    assert np.argwhere(found.confidence == 0).tolist() == [[0, 3], [1, 4]]


@pytest.mark.parametrize("confidence", [-0.1, 1.1, np.nan])
def test_a_confidence_that_is_no_probability_is_refused(confidence) -> None:
    with pytest.raises(UsageError, match="not between 0 and 1"):
        Detections(np.zeros((1, 17, 2)), np.full((1, 17), confidence), "x")


def test_detections_of_other_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"expected \(1, 17, 2\) and \(1, 17\)"):
        Detections(np.zeros((1, 16, 2)), np.ones((1, 16)), "x")


def test_something_that_finds_joints_sees_every_picture_once() -> None:
    pictures = [np.full((4, 4, 3), value, np.uint8) for value in (3, 1, 2)]
    view = UnlabelledView(pictures.__getitem__, ["s"] * 3, ["a", "b", "c"], [0] * 3, np.tile(np.eye(3), (3, 1, 1)))
    calls = []

    def find(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.full((17, 2), float(picture[0, 0, 0])), np.full(17, picture[0, 0, 0] / 10)

    found = detect(view, find, source="mean", progress=lambda *call: calls.append(call))
    assert found.points[:, 0, 0].tolist() == [3, 1, 2]
    assert found.confidence[:, 5].tolist() == [0.3, 0.1, 0.2]
    assert calls == [(1, 3, "pictures"), (2, 3, "pictures"), (3, 3, "pictures")]


# Files


def test_detections_come_back_from_a_file_as_they_were(tmp_path, seen) -> None:
    found = seen.found(1.0)
    found.points[2, 3] = np.nan
    before = Detections(found.points, found.confidence, "by hand")
    write_detections(before, seen.view(), tmp_path / "d.npz")
    after = read_detections(tmp_path / "d.npz", seen.view())
    np.testing.assert_array_equal(after.points, before.points)
    np.testing.assert_array_equal(after.confidence, before.confidence)
    assert after.source == "by hand"


def test_a_data_set_and_its_view_without_labels_give_one_file(tmp_path, dataset) -> None:
    found = true_joints(dataset)
    write_detections(found, dataset, tmp_path / "a.npz")
    write_detections(found, dataset.unlabelled(), tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert ids_of(dataset)[0] == f"{dataset.subject[0]}/{dataset.sequence[0]}"


def test_detections_of_other_pictures_are_refused(path, seen, tmp_path) -> None:
    with pytest.raises(InputError, match="its detections are of other pictures"):
        read_detections(path, seen.take(np.arange(len(seen))[::-1]).view())
    with pytest.raises(InputError, match="array 'points' has shape"):
        read_detections(path, seen.take([0, 1]).view())
    with pytest.raises(UsageError, match="detections of 160 pictures, and 2 pictures"):
        write_detections(seen.found(), seen.take([0, 1]).view(), tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"confidence": np.full((160, 17), 2.0)}, "a confidence that is not between 0 and 1"),
        ({"confidence": np.ones((160, 17), np.int64)}, "array 'confidence' has shape (160, 17) and type int64"),
        ({"source": np.array(["a"])}, "array 'source' has shape (1,)"),
        ({"frame": None}, "expected the arrays"),
        ({"points": np.zeros((160, 17, 3))}, "array 'points' has shape (160, 17, 3)"),
    ],
)
def test_what_are_no_detections_is_refused_in_one_sentence(path, seen, change, words) -> None:
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        read_detections(rewritten(path, **change), seen.view())
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_or_cut_is_refused(path, seen) -> None:
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match="complete"):
        read_detections(path, seen.view())
    path.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        read_detections(path, seen.view())


def test_two_thousand_damaged_files_raise_nothing_but_errors_of_the_project(tmp_path, seen) -> None:
    few = seen.take([0, 1, 2])
    write_detections(few.found(), few.view(), tmp_path / "good.npz")
    assert refusals(tmp_path / "good.npz", lambda file: read_detections(file, few.view()), seed=1) > 1000
