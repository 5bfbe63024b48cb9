"""The model that comes with posebench: it is what its card says, and finds the person in the example's picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("cv2")

import posebench as pb
from model_zoo.configs import load_config
from model_zoo.registry import FOLDER, get_card, list_models, open_model
from model_zoo.rows import get_row
from model_zoo.weights import read_weights
from posebench.cli.app import app
from posebench.protocols import get_protocol
from posebench.resources import resource

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=list_models())
def name(request) -> str:
    return request.param


def test_there_is_a_model() -> None:
    assert "open4v-small-lite0-ss" in list_models()


def test_it_fits_a_wheel_and_its_hashes_are_right(name: str) -> None:
    model = open_model(name)
    files = [FOLDER / model.card.weights.file, *([model.refiner] if model.refiner else [])]
    assert sum(path.stat().st_size for path in files) <= 12_000_000


def test_its_weights_were_made_by_the_recipe_of_the_card(name: str) -> None:
    card = get_card(name)
    row = get_row(card.recipe)
    notes = read_weights(FOLDER / card.weights.file).header["notes"]
    config = load_config(row.config, seed=card.seed)
    # Whatever JSON makes of it.
    assert notes["config"] == json.loads(json.dumps(config.to_dict()))
    assert notes["facts"]["uses_3d"] is False


def test_its_numbers_are_those_of_the_results_that_come_along(name: str) -> None:
    card = get_card(name)
    assert card.measured
    for each in card.measured:
        result = json.loads(resource("results", f"shipped-{name}", f"{each.protocol}-seed{card.seed}.json").read_text())
        assert each.value == pytest.approx(result["metrics"][each.metric]["value"], abs=0.005)
        assert each.poses == result["metrics"][each.metric]["n"]
        assert each.protocol_sha256 == get_protocol(each.protocol).sha256


def test_it_finds_the_pose_in_the_picture_that_comes_along(name: str, tmp_path) -> None:
    example = resource("examples", "zoo")
    command = [
        "zoo",
        "predict",
        "--model",
        name,
        "--images",
        example / "person.jpg",
        "--camera",
        example / "camera.json",
    ]
    app([str(word) for word in [*command, "--device", "cpu", "-o", tmp_path / "pred.npz"]], standalone_mode=False)
    pred, truth = pb.read(tmp_path / "pred.npz"), pb.read(example / "gt.npz")
    assert pred.unit == "scale-free"
    # Another processor rounds elsewhere; the mean pose of the training subjects has 213 mm here.
    assert float(pb.pmpjpe(pred=pred.poses, gt=truth.poses)) == pytest.approx(91.35, abs=3)


@pytest.mark.checkout
def test_make_demo_zoo_names_what_is_there() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    assert "ZOO_MODEL ?= open4v-small-lite0-ss\n" in text
    assert all(
        (ROOT / "examples" / "data" / "zoo" / file).is_file() for file in ("person.jpg", "camera.json", "gt.npz")
    )
