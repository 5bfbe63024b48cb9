"""The whole method on a rendered data set: labels, training, refinement, prediction, score; a minute or two."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("moderngl")
pytest.importorskip("anny")

import posebench as pb
from posebench.cli import app as command_line
from posebench.datasets.views import MultiViewSet
from posebench.io import write

#: Of `posebench score`, to hold against each other.
METRICS = ("MPJPE", "NMPJPE")


def posebench(*words: object) -> None:
    """Run a command as a user would, in this process."""
    command_line.app([str(word) for word in words], standalone_mode=False)


@pytest.fixture(scope="module")
def open4v(tmp_path_factory) -> Path:
    """Open4V tiny, rendered from synthetic motions; its labels of the training split are gone."""
    folder = tmp_path_factory.mktemp("open4v") / "tiny"
    posebench("data", "render", "open4v", "--size", "tiny", "--motions", "synthetic", "--out", folder)
    return folder


def score(pred: Path, data: Path, result: Path) -> dict[str, float]:
    posebench("score", "--pred", pred, "--gt", data / "labels" / "test.npz", "--protocol", "standard", "-o", result)
    metrics = json.loads(result.read_text())["metrics"]
    return {name: metrics[name]["value"] if isinstance(metrics[name], dict) else metrics[name] for name in METRICS}


def test_labels_training_refinement_prediction_and_score(open4v, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("POSEBENCH_RUNS", str(tmp_path / "runs"))
    labels, run, unit = tmp_path / "labels.npz", tmp_path / "ss", tmp_path / "unit"
    # Joints in 2D are true here: a 2D branch needs more pictures than these to find any.
    posebench("zoo", "labels", "--data", open4v, "--joints", "truth", "-o", labels)
    posebench("zoo", "train", "--data", open4v, "--config", "open4v-tiny-ss", "--labels", labels, "--out", run)
    with (run / "log.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])

    weights = run / "network.safetensors"
    predict = ("zoo", "predict", "--model", weights, "--images", open4v, "--device", "cpu", "--split")
    posebench(*predict, "train", "-o", tmp_path / "train.npz")
    posebench(
        *("zoo", "train-refiner", "--data", open4v, "--pred", tmp_path / "train.npz", "--reference", labels),
        *("--width", 64, "--epochs", 5, "--batch", 16, "--out", unit),
    )
    depths = open4v / "labels" / "test.npz"
    posebench(*predict, "test", "--root-depth", depths, "-o", tmp_path / "test.npz")
    refined = tmp_path / "refined.npz"
    posebench(
        "zoo", "refine", "--pred", tmp_path / "test.npz", "--weights", unit / "refiner.safetensors", "-o", refined
    )

    truth = MultiViewSet(open4v, "test").ground_truth()
    learnt = MultiViewSet(open4v, "train").ground_truth().poses
    mean = (learnt - learnt[:, :1]).mean(axis=0)
    write(truth.replace(poses=truth.poses[:, :1] + mean), tmp_path / "constant.npz")
    constant, found, after = (
        score(tmp_path / f"{name}.npz", open4v, tmp_path / f"{name}.json") for name in ("constant", "test", "refined")
    )
    for metric in METRICS:
        assert found[metric] < 0.97 * constant[metric]
        assert after[metric] < constant[metric]
    # The command measures what the functions measure.
    again = pb.read(tmp_path / "test.npz")
    assert found["MPJPE"] == pytest.approx(float(pb.mpjpe(pred=again.poses, gt=truth.poses)), rel=1e-5)
