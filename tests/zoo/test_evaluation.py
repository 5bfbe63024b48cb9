"""How labels are held against ground truth: by plain twins over what is not masked, with coverage beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from model_zoo.epipolarpose.detections import Detections
from model_zoo.epipolarpose.evaluation import METRICS, angles_between, evaluate_labels, labelled_poses
from model_zoo.epipolarpose.labels import LabelConfig, Labels, make_labels
from posebench.datasets.views import MultiViewSet
from posebench.errors import InputError, UsageError
from tests.support import twins
from tests.support.poses import rotations
from tests.support.zoo import Footage, footage, lifted, standing


@pytest.fixture(scope="module")
def seen() -> Footage:
    return footage({"S1/a": standing(10)})


@pytest.fixture(scope="module")
def dataset(seen, tmp_path_factory) -> MultiViewSet:
    return seen.write(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def found(seen) -> Detections:
    """Off by some px, some not found, and one root among these."""
    exact = seen.found(2.0)
    confidence = np.where(np.random.default_rng(2).random((len(seen), 17)) < 0.1, 0.0, 1.0)
    confidence[:, 0] = 1
    confidence[seen.row("cam1", 4), 0] = 0
    return Detections(exact.points, confidence, "spotted")


def made(dataset: MultiViewSet, found: Detections, config: LabelConfig) -> Labels:
    if config.extrinsics == "estimated":
        pytest.importorskip("poselib")
    return make_labels(dataset.unlabelled(with_extrinsics=config.extrinsics == "known"), found, config)


def twin_of(seen: Footage, labels: Labels, row_of, **options: object) -> float:
    """The mean over poses of the mean over their known joints."""
    values = []
    for label, pictures in enumerate(labels.pictures):
        for side, picture in enumerate(pictures):
            depth = labels.root_depth[label, side]
            pose = lifted(labels.joints[label, side], seen.K[picture], 1.0 if np.isnan(depth) else depth)
            known = labels.known[label]
            row = row_of(np.where(known[:, None], pose, 0.0), seen.poses[picture], valid=known, **options)
            values.append(np.nanmean(row))
    return float(np.mean(values))


@pytest.mark.parametrize("combine", ["pair", "median"])
@pytest.mark.parametrize("extrinsics", ["known", "estimated"])
def test_errors_are_those_of_plain_twins_over_joints_that_are_not_masked(
    seen, dataset, found, extrinsics, combine
) -> None:
    labels = made(dataset, found, LabelConfig(extrinsics, combine=combine))
    assert 0.5 < labels.known.mean() < 1
    metrics = evaluate_labels(labels, dataset).metrics
    assert tuple(metrics) == METRICS
    assert metrics["NMPJPE"] == pytest.approx(twin_of(seen, labels, twins.scaled_row), rel=1e-4)
    assert metrics["PMPJPE"] == pytest.approx(twin_of(seen, labels, twins.procrustes_row), rel=1e-4)
    if extrinsics == "known":
        assert metrics["MPJPE"] == pytest.approx(twin_of(seen, labels, twins.root_row), rel=1e-4)
    else:
        assert metrics["MPJPE"] is None


def test_coverage_counts_pairs_and_joints(dataset, found) -> None:
    labels = made(dataset, found, LabelConfig("known"))
    quality = evaluate_labels(labels, dataset)
    assert quality.pairs == 38 / 40
    assert quality.joints == labels.known.sum() / (38 * 17)


def test_errors_of_rotations_are_those_of_scipy(seen, dataset, found) -> None:
    labels = made(dataset, found, LabelConfig())
    angles = []
    for pose, (first, second) in zip(labels.pose, labels.pictures, strict=True):
        true = Rotation.from_matrix(seen.R[second] @ seen.R[first].T)
        angles.append(np.degrees((Rotation.from_matrix(pose[1, :, :3]) * true.inv()).magnitude()))
    assert max(angles) > 0.01
    assert evaluate_labels(labels, dataset).rotation == pytest.approx((np.median(angles), max(angles)), rel=1e-5)


@pytest.mark.parametrize("config", [LabelConfig("known"), LabelConfig(combine="median")])
def test_there_is_no_error_of_rotations_where_none_was_estimated_or_is_kept(dataset, found, config) -> None:
    assert evaluate_labels(made(dataset, found, config), dataset).rotation is None


def test_angles_between_rotations_are_those_of_scipy_down_to_tiny_ones() -> None:
    rng = np.random.default_rng(0)
    R = rotations(rng, 60)
    axes = rng.normal(size=(60, 3))
    sizes = np.concatenate([np.logspace(-9, 0, 40), np.linspace(1, np.pi, 20)])
    turns = Rotation.from_rotvec(axes / np.linalg.norm(axes, axis=1)[:, None] * sizes[:, None]).as_matrix()
    np.testing.assert_allclose(angles_between(R, turns @ R), np.degrees(sizes), rtol=1e-6)


def test_poses_of_labels_say_their_unit(seen, dataset, found) -> None:
    known = labelled_poses(made(dataset, found, LabelConfig("known")), seen.K)
    assert (known.unit, known.origin, known.reference, len(known)) == ("mm", "absolute", "camera", 76)
    free = labelled_poses(made(dataset, found, LabelConfig(combine="median")), seen.K)
    assert free.unit == "scale-free"
    np.testing.assert_allclose(free.poses[:, 0, 2], 1)


def test_joints_that_ground_truth_does_not_know_do_not_count(seen, found, tmp_path) -> None:
    poses = seen.poses.copy()
    poses[:, 13] = np.nan
    dataset = replace(seen, poses=poses).write(tmp_path)
    labels = made(dataset, found, LabelConfig("known"))
    fewer = replace(labels, known=labels.known & (np.arange(17) != 13))
    expected = twin_of(seen, fewer, twins.root_row)
    assert evaluate_labels(labels, dataset).metrics["MPJPE"] == pytest.approx(expected, rel=1e-4)


def test_what_is_told_is_plain_data(dataset, found) -> None:
    told = evaluate_labels(made(dataset, found, LabelConfig("known")), dataset).to_dict()
    assert set(told) == {"metrics", "pairs", "joints", "rotation_deg", "protocol", "banks"}
    assert told["rotation_deg"] is None
    assert told["protocol"]["name"] == "open4v"


# What cannot be evaluated


def test_no_label_is_nothing_to_evaluate(seen, dataset) -> None:
    nothing = Detections(seen.joints, np.zeros((len(seen), 17)), "nothing")
    with pytest.raises(InputError, match="there is no label"):
        evaluate_labels(made(dataset, nothing, LabelConfig("known")), dataset)


def test_labels_of_other_pictures_are_refused(seen, dataset, found, tmp_path) -> None:
    labels = made(dataset, found, LabelConfig("known"))
    for name, other in (("fewer", seen.take(np.arange(8))), ("turned", seen.take(np.arange(len(seen))[::-1]))):
        with pytest.raises(UsageError, match="the labels are of 40 pictures that are not the"):
            evaluate_labels(labels, other.write(tmp_path / name))


def test_a_data_set_without_poses_is_refused(seen, found, dataset, tmp_path) -> None:
    labels = made(dataset, found, LabelConfig("known"))
    with pytest.raises(InputError, match="has labels in 2D alone"):
        evaluate_labels(labels, seen.write(tmp_path, flat=True))
