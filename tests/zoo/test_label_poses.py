"""Labels as files of poses: what `posebench score` makes of them is the error over what labels hold."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import posebench as pb
from model_zoo.epipolarpose.detections import Detections
from model_zoo.epipolarpose.label_files import write_labels
from model_zoo.epipolarpose.label_poses import label_poses, write_label_poses
from model_zoo.epipolarpose.labels import LabelConfig, Labels, make_labels
from posebench.datasets.views import MultiViewSet
from posebench.errors import UsageError
from tests.support.zoo import Footage, footage, lifted, standing


@pytest.fixture(scope="module")
def seen() -> Footage:
    return footage({"S1/a": standing(6), "S2/a": standing(4, seed=1)})


@pytest.fixture(scope="module")
def dataset(seen, tmp_path_factory) -> MultiViewSet:
    return seen.write(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def found(seen) -> Detections:
    """Off by some px, some joints not found, and the root of one picture among these."""
    exact = seen.found(2.0)
    confidence = np.where(np.random.default_rng(2).random((len(seen), 17)) < 0.05, 0.0, 1.0)
    confidence[:, 0] = 1
    confidence[seen.row("cam1", 4), 0] = 0
    return Detections(exact.points, confidence, "spotted")


def made(dataset: MultiViewSet, found: Detections, combine: str) -> Labels:
    config = LabelConfig("known", combine=combine)
    return make_labels(dataset.unlabelled(with_extrinsics=True), found, config)


def plain_errors(seen: Footage, labels: Labels) -> list[float]:
    """MPJPE of each pose, joint by joint."""
    errors = []
    for label, pictures in enumerate(labels.pictures):
        for side, picture in enumerate(pictures):
            pose = lifted(labels.joints[label, side], seen.K[picture], labels.root_depth[label, side])
            truth = seen.poses[picture]
            known = np.flatnonzero(labels.known[label])
            errors.append(np.mean([np.linalg.norm(pose[j] - pose[0] - truth[j] + truth[0]) for j in known]))
    return errors


@pytest.mark.parametrize(("combine", "offered"), [("pair", 80), ("median", 40)])
def test_scoring_gives_the_mean_over_what_labels_hold(seen, dataset, found, tmp_path, combine, offered: int) -> None:
    labels = made(dataset, found, combine)
    held, of = write_label_poses(labels, dataset, tmp_path)
    assert (held, of) == (labels.pictures.size, offered)
    report = pb.score(tmp_path / "pred.npz", tmp_path / "gt.npz", protocol="open4v", allow_missing=True)
    errors = plain_errors(seen, labels)
    assert report.metrics["MPJPE"].value == pytest.approx(np.mean(errors), rel=1e-9)
    assert report.metrics["MPJPE"].n == len(errors)
    assert report.coverage.missing == offered - len(errors)
    masked = (~labels.known).sum() * labels.pictures.shape[1]
    assert report.coverage.invalid_joints == masked
    assert report.protocol["selection"]["applied"] is False


def test_pairs_without_a_label_are_missing_and_make_the_result_incomplete(seen, dataset, found) -> None:
    labels = made(dataset, found, "pair")
    assert len(labels) == 38  # the root of one picture is unknown, and two pairs need it
    pred, gt = label_poses(labels, dataset)
    report = pb.score(pred, gt, protocol="open4v", allow_missing=True)
    assert report.metrics["MPJPE"].incomplete
    assert report.coverage.missing == 4


def test_a_picture_of_two_pairs_has_a_key_for_each(dataset, found) -> None:
    pred, gt = label_poses(made(dataset, found, "pair"), dataset)
    for poses in (pred, gt):
        keys = list(
            zip(*(poses.keys[name].values for name in ("subject", "sequence", "camera")), poses.frame, strict=True)
        )
        assert len(set(keys)) == len(keys)
    assert gt.camera.names == tuple(
        f"cam{i} with cam{j}" for i, j in ((1, 2), (1, 4), (2, 1), (2, 3), (3, 2), (3, 4), (4, 1), (4, 3))
    )


def test_without_a_scale_there_is_no_mpjpe(dataset, found) -> None:
    pytest.importorskip("poselib")
    labels = make_labels(dataset.unlabelled(), found, LabelConfig())
    pred, _ = label_poses(labels, dataset)
    assert pred.unit == "scale-free"


def test_labels_of_other_pictures_are_refused(dataset, found, tmp_path) -> None:
    other = footage({"S1/a": standing(6)}).write(tmp_path)
    with pytest.raises(UsageError, match="the labels are of 40 pictures that are not the 24 pictures of the data set"):
        label_poses(made(dataset, found, "pair"), other)


def test_the_command_writes_both_files(dataset, found, tmp_path, monkeypatch, capsys) -> None:
    from posebench.cli import main

    labels = made(dataset, found, "pair")
    write_labels(labels, tmp_path / "labels.npz")
    words = ["--data", str(dataset.folder), "--labels", str(tmp_path / "labels.npz"), "--out", str(tmp_path / "poses")]
    monkeypatch.setattr(sys, "argv", ["posebench", "zoo", "label-poses", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert capsys.readouterr().out == f"{tmp_path / 'poses'}: 76 labels as poses, 80 poses in the ground truth\n"
    assert len(pb.read(tmp_path / "poses" / "pred.npz")) == 76
