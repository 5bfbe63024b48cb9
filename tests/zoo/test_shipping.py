"""Shipping: the files that come with posebench are those of a run, rounded, and a card tells what was measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from model_zoo import shipping  # noqa: E402
from model_zoo.card import read_card, write_card  # noqa: E402
from model_zoo.epipolarpose.network import PoseNet, PoseNetConfig, load_network, save_network  # noqa: E402
from model_zoo.refiner.network import Refiner, RefinerConfig, save_refiner  # noqa: E402
from model_zoo.registry import open_model  # noqa: E402
from model_zoo.rows import get_row  # noqa: E402
from posebench.cli.app import app  # noqa: E402
from posebench.errors import InputError  # noqa: E402
from posebench.resources import resource  # noqa: E402
from posebench.skeletons import H36M17  # noqa: E402
from posebench.tables.definitions import read_recipe  # noqa: E402

ROW = get_row("open4v-small-lite0-ss-ru")


@pytest.fixture
def work(tmp_path, monkeypatch) -> Path:
    """Runs of a row, with networks as small as they come."""
    monkeypatch.setattr(shipping, "FOLDER", tmp_path / "weights")
    run = tmp_path / "work" / "open4v-small-lite0-ss-seed1"
    unit = run / "refiner-labels"
    unit.mkdir(parents=True)
    network = PoseNet(PoseNetConfig("efficientnet-lite0", side=32, depth=4, channels=8), seed=3)
    save_network(run / "network.safetensors", network, half=False, notes={"step": 7})
    refiner = Refiner(RefinerConfig(16, 0.1))
    refiner.spread[3 * H36M17.root : 3 * H36M17.root + 3] = 0
    refiner.lengths.fill_(300.0)
    save_refiner(unit / "refiner.safetensors", refiner, half=False, notes={"poses": 5})
    return tmp_path / "work"


def test_a_model_ships_in_half_precision_with_its_unit_and_a_card(work, tmp_path) -> None:
    card = shipping.weights_of(ROW, 1, work, "mine")
    write_card(card, tmp_path / "weights")
    model = open_model(tmp_path / "weights" / "mine.yaml")
    before = load_network(work / "open4v-small-lite0-ss-seed1" / "network.safetensors").state_dict()
    for name, tensor in model.network.state_dict().items():
        if tensor.ndim > 1:
            assert torch.equal(tensor, before[name].half().float()), name
        else:
            assert torch.equal(tensor, before[name]), name
    assert model.refiner == tmp_path / "weights" / "mine-refiner.safetensors"
    assert [part.supervision for part in card.data] == [("2d",), ("multi-view",)]
    assert (card.seed, card.recipe) == (1, ROW.name)


def test_what_no_wheel_can_carry_is_not_shipped(work, monkeypatch) -> None:
    monkeypatch.setattr(shipping, "MOST", 1000)
    with pytest.raises(InputError, match=r"mine.safetensors: the model has \d+ bytes, more than 1000"):
        shipping.weights_of(ROW, 1, work, "mine")


def test_a_card_tells_what_a_result_says(work, tmp_path) -> None:
    example = resource("examples", "pose2sim")
    result = tmp_path / "result.json"
    app(
        ["score", "--pred", str(example / "pred_cam01_cam02.npz"), "--gt", str(example / "gt.npz"), "-o", str(result)],
        standalone_mode=False,
    )
    told = json.loads(result.read_text())
    found = shipping.measured(told, "a set", "test")
    assert [each.metric for each in found] == list(shipping.TOLD)
    assert all(each.value == pytest.approx(told["metrics"][each.metric]["value"], abs=0.005) for each in found)
    assert found[-1].banks == {bank["name"]: bank["sha256"] for bank in told["banks"]}
    card = replace(shipping.weights_of(ROW, 1, work, "mine"), measured=tuple(found))
    write_card(card, tmp_path / "weights")
    assert read_card(tmp_path / "weights" / "mine.yaml") == card


def test_the_folder_of_results_says_how_they_were_made(tmp_path) -> None:
    folder = tmp_path / "shipped-mine"
    folder.mkdir()
    shipping.write_run(folder, ROW, 0, "mine", "Open4V small", "{open4v}", {"test": "open4v"})
    recipe = read_recipe(folder / "run.yaml")
    assert recipe.name == "shipped-mine"
    assert recipe.commands[0].startswith("posebench zoo predict --model mine --images {open4v} --split test")
    assert recipe.commands[1].endswith("-o {results}/shipped-mine/open4v-seed0.json")
