"""Model cards and the models there are: found, read strictly, and held against their weights."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from model_zoo import registry  # noqa: E402
from model_zoo.card import Measured, ModelCard, TrainingData, WeightsFile, read_card, write_card  # noqa: E402
from model_zoo.epipolarpose.network import MODEL, PoseNet, PoseNetConfig, save_network  # noqa: E402
from model_zoo.registry import create_model, get_card, list_models, open_model  # noqa: E402
from posebench import get_protocol, read  # noqa: E402
from posebench.errors import InputError, UsageError  # noqa: E402
from posebench.io.hashing import sha256_of  # noqa: E402
from tests.cli import conftest  # noqa: E402
from tests.cli.conftest import refused  # noqa: E402

posebench = conftest.posebench

CONFIG = PoseNetConfig("resnet18", side=32, depth=4, channels=4)
NAME = "open4v-tiny"


def untrained(seed: int) -> PoseNet:
    """Random weights, large enough for the joints to leave the middle."""
    network = PoseNet(CONFIG, seed=seed)
    with torch.no_grad():
        for parameter in network.head.parameters():
            parameter.mul_(50)
    return network


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with weights that nobody trained."""
    folder = tmp_path_factory.mktemp("made")
    save_network(folder / f"{NAME}.safetensors", untrained(3), half=False)
    return folder


@pytest.fixture
def shipped(made, tmp_path, monkeypatch) -> Path:
    """The registry's folder, with one model in it."""
    folder = tmp_path / "weights"
    shutil.copytree(made, folder)
    write_card(card(folder), folder)
    monkeypatch.setattr(registry, "FOLDER", folder)
    return folder


def card(folder: Path, **changes: object) -> ModelCard:
    protocol, banks = get_protocol("open4v"), {"open4v-k50": "a" * 64}
    number = Measured("PMPJPE", 61.5, "mm", "Open4V tiny", "test", 40, protocol.name, protocol.sha256, banks)
    told = ModelCard(
        NAME,
        "Made up for tests",
        MODEL,
        asdict(CONFIG),
        WeightsFile(f"{NAME}.safetensors", sha256_of(folder / f"{NAME}.safetensors")),
        None,
        (TrainingData("Open4V tiny", "train", ("multi-view",), "CC BY-SA 3.0"),),
        "open4v-tiny-ss",
        0,
        "Apache-2.0",
        "Somebody, CVPR 2031",
        (number,),
    )
    return replace(told, **changes)


def test_a_card_comes_back_as_it_was_written(shipped) -> None:
    assert read_card(shipped / f"{NAME}.yaml") == card(shipped)


def test_models_are_listed_by_pattern(shipped) -> None:
    assert list_models() == (NAME,)
    assert list_models("open4v-*") == (NAME,)
    assert list_models("h36m-*") == ()


def test_a_model_is_made_with_its_weights(shipped) -> None:
    network = create_model(NAME)
    expected = untrained(3).state_dict()
    assert not network.training
    assert all(torch.equal(tensor, expected[name]) for name, tensor in network.state_dict().items())


def test_weights_are_opened_with_the_card_beside_them_or_without(shipped) -> None:
    path = shipped / f"{NAME}.safetensors"
    with_card, by_card = open_model(path), open_model(shipped / f"{NAME}.yaml")
    assert with_card.card == by_card.card == get_card(NAME)
    (shipped / f"{NAME}.yaml").unlink()
    alone = open_model(path)
    assert (alone.name, alone.card, alone.sha256) == (str(path), None, with_card.sha256)


def test_other_weights_than_the_card_names_are_refused(shipped) -> None:
    save_network(shipped / f"{NAME}.safetensors", untrained(4), half=False)
    with pytest.raises(InputError, match=r"open4v-tiny\.safetensors: has the SHA-256 .* names"):
        create_model(NAME)
    (shipped / f"{NAME}.safetensors").unlink()
    with pytest.raises(InputError, match=r"is missing, and open4v-tiny\.yaml names it"):
        create_model(NAME)


def test_a_card_of_another_file_is_refused(shipped) -> None:
    shutil.copy(shipped / f"{NAME}.safetensors", shipped / "other.safetensors")
    write_card(card(shipped, name="other"), shipped)
    with pytest.raises(InputError, match=r"is the card of open4v-tiny\.safetensors, and not of other\.safetensors"):
        open_model(shipped / "other.safetensors")


def test_a_card_with_another_configuration_is_refused(shipped) -> None:
    write_card(card(shipped, config=asdict(replace(CONFIG, depth=8))), shipped)
    with pytest.raises(InputError, match="but the weights are of"):
        create_model(NAME)


def test_a_name_that_is_not_there_is_refused(shipped, monkeypatch, tmp_path) -> None:
    with pytest.raises(UsageError, match="there is no model 'x'; known are open4v-tiny; or give"):
        create_model("x")
    monkeypatch.setattr(registry, "FOLDER", tmp_path / "empty")
    with pytest.raises(UsageError, match="posebench ships none yet"):
        get_card("x")


FAULTS = [
    ("name", "Open4V", "lower-case"),
    ("seed", True, "a whole number from 0"),
    ("seed", -1, "a whole number from 0"),
    ("summary", "  ", "text"),
    ("config", [1], "names with values"),
    ("data", [], "one of them at least"),
    ("weights", {"file": "../a.safetensors", "sha256": "0" * 64}, "beside the card"),
    ("weights", {"file": "a.pt", "sha256": "0" * 64}, "beside the card"),
    ("weights", {"file": "a.safetensors", "sha256": "0" * 63}, "64 hexadecimal digits"),
    ("weights", {"file": "a.safetensors", "sha256": "0" * 64, "size": 3}, "no place for 'size'"),
    ("weights", "a.safetensors", "expected fields with names"),
    ("measured", [{"metric": "PMPJPE"}], "lacks the field"),
]


@pytest.mark.parametrize(("field", "value", "words"), FAULTS)
def test_a_field_that_is_wrong_is_named(shipped, field, value, words) -> None:
    changed(shipped, lambda fields: fields.update({field: value}))
    with pytest.raises(InputError, match=words) as caught:
        get_card(NAME)
    assert field in str(caught.value)


NUMBERS = [
    ("metric", "XPJPE", "there is no metric"),
    ("value", float("nan"), "a number"),
    ("value", "61", "a number"),
    ("unit", "m", "expected mm, which is that of PMPJPE"),
    ("poses", 0, "a whole number from 1"),
    ("protocol_sha256", "ab", "64 hexadecimal digits"),
    ("banks", {"k50": 3}, "SHA-256"),
]


@pytest.mark.parametrize(("field", "value", "words"), NUMBERS)
def test_a_measured_number_says_what_it_takes_to_measure_it_again(shipped, field, value, words) -> None:
    changed(shipped, lambda fields: fields["measured"][0].update({field: value}))
    with pytest.raises(InputError, match=words) as caught:
        get_card(NAME)
    assert f"measured, 1.: {field}" in str(caught.value)


def test_supervision_is_said_in_known_words(shipped) -> None:
    changed(shipped, lambda fields: fields["data"][0].update(supervision=["self"]))
    with pytest.raises(InputError, match=r"supervision is .* expected a list of none, 2d, multi-view"):
        get_card(NAME)


def test_a_field_too_many_or_too_few_is_named(shipped) -> None:
    changed(shipped, lambda fields: fields.update(stars=5))
    with pytest.raises(InputError, match="has no place for 'stars'"):
        get_card(NAME)
    changed(shipped, lambda fields: (fields.pop("stars"), fields.pop("licence")))
    with pytest.raises(InputError, match="lacks the field licence"):
        get_card(NAME)


def test_a_card_is_called_as_its_model(shipped) -> None:
    shutil.move(shipped / f"{NAME}.yaml", shipped / "b.yaml")
    with pytest.raises(InputError, match=r"must be called open4v-tiny\.yaml"):
        get_card("b")


def test_what_would_be_no_card_is_not_kept(tmp_path, made) -> None:
    with pytest.raises(UsageError, match="seed"):
        write_card(card(made, seed=-1), tmp_path)
    assert list(tmp_path.iterdir()) == []


def changed(folder: Path, change) -> None:
    path = folder / f"{NAME}.yaml"
    fields = yaml.safe_load(path.read_text())
    change(fields)
    path.write_text(yaml.safe_dump(fields))


# What comes with posebench


def test_what_is_shipped_is_whole() -> None:
    models = [open_model(name) for name in list_models()]
    named = {file.file for each in models for file in (each.card.weights, each.card.refiner) if file is not None}
    assert {path.name for path in registry.FOLDER.glob("*.safetensors")} == named


# The commands


def test_list_says_that_there_is_nothing(posebench, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(registry, "FOLDER", tmp_path)
    run = posebench("zoo", "list")
    assert run.code == 0
    assert len(run.out.splitlines()) == 1
    assert run.out.startswith("posebench ships no model yet")


def test_list_shows_models_and_their_first_numbers(posebench, shipped) -> None:
    out = posebench("zoo", "list").out
    assert NAME in out
    assert "PMPJPE 61.5 mm" in out
    assert posebench("zoo", "list", "h36m-*").out == "no model is called h36m-*\n"


def test_show_tells_what_the_card_says(posebench, shipped) -> None:
    out = posebench("zoo", "show", NAME).out
    sha256 = sha256_of(shipped / f"{NAME}.safetensors")
    for words in ("resnet18", sha256, "multi-view", "CC BY-SA 3.0", "PMPJPE 61.5 mm over 40 poses", "Apache-2.0"):
        assert words in out
    assert "does not compare" not in out


def test_show_says_when_a_number_is_of_another_protocol_than_todays(posebench, shipped) -> None:
    changed(shipped, lambda fields: fields["measured"][0].update(protocol_sha256="0" * 64))
    assert "the number does not compare" in posebench("zoo", "show", NAME).out


def test_show_refuses_what_is_not_there(posebench, shipped) -> None:
    refused(posebench("zoo", "show", "x"), "no model 'x'", NAME)


def test_predictions_go_through_the_refinement_that_the_card_names(posebench, shipped, tmp_path) -> None:
    from model_zoo.refiner.network import Refiner, RefinerConfig, save_refiner

    unit = Refiner(RefinerConfig(width=8))
    with torch.no_grad():
        unit.spread[:3] = 0  # the root is where everything is relative to
        for name, parameter in unit.named_parameters():
            parameter.copy_(0.01 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(name))))
    save_refiner(shipped / "unit.safetensors", unit, half=False)
    write_card(card(shipped, refiner=WeightsFile("unit.safetensors", sha256_of(shipped / "unit.safetensors"))), shipped)
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    PIL.Image.fromarray(noise).save(tmp_path / "a.png")
    poses = {}
    for word in ("--no-refine", "--refine"):
        done = posebench("zoo", "predict", "--model", NAME, "--images", tmp_path / "a.png", "--assume-fov", 60, word,
                         "--device", "cpu", "-o", tmp_path / "pred.npz")  # fmt: skip
        assert done.code == 0, done.err
        assert ("refined" in done.out.splitlines()[0]) == (word == "--refine")
        poses[word] = read(tmp_path / "pred.npz").poses
    assert not np.array_equal(poses["--refine"], poses["--no-refine"])
