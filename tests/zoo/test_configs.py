"""Configurations of training: those that come with the zoo, and what is refused in a file."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch")

from model_zoo.configs import list_configs, load_config
from posebench.errors import InputError, UsageError


@pytest.mark.parametrize("name", list_configs())
def test_a_configuration_can_be_loaded_and_says_what_it_is(name: str) -> None:
    config = load_config(name)
    assert config.name == name
    assert (config.kind == "2d") == name.endswith(("-2d", "-2d-target"))
    assert (config.kind == "unfrozen") == ("unfrozen" in name)
    assert (config.kind == "full") == ("-fs" in name)
    assert config.split == ("pretrain2d" if name.endswith("-2d") else "train")
    assert max(config.drops, default=0) < config.epochs
    assert config.batch % 4 == 0
    assert bool(config.subjects) == name.endswith("-one")


def test_both_branches_of_a_family_have_one_network() -> None:
    for family in ("open4v-tiny", "open4v-small-lite0", "open4v-small-r18", "open4v-full-r50"):
        found = [load_config(name).network for name in list_configs() if name.startswith(family)]
        # How far depth reaches means nothing to the 2D branch.
        networks = {replace(network, depth_boxes=1.0) for network in found}
        assert len(networks) == 1
    (paper,) = {load_config(name).network for name in list_configs() if name.split("-")[0] in ("mpii", "h36m", "3dhp")}
    assert (paper.backbone, paper.side, paper.depth, paper.cells) == ("resnet50", 256, 64, 64)


def test_the_papers_settings() -> None:
    config = load_config("h36m-r50-ss")
    assert (config.epochs, config.drops, config.batch, config.rate) == (140, (90, 120), 32, 1e-3)
    assert [config.rate_of(epoch) for epoch in (0, 89, 90, 119, 120)] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4, 1e-5])


def test_the_seed_can_be_given() -> None:
    assert load_config("open4v-tiny-ss", seed=4).seed == 4


def test_a_file_extends_another_one_field_by_field(tmp_path) -> None:
    (tmp_path / "mine.yaml").write_text("extends: open4v-tiny-ss\nnetwork: {side: 32}\nsubjects: [p1]\nbeta: 0.5\n")
    config, base = load_config(tmp_path / "mine.yaml"), load_config("open4v-tiny-ss")
    assert (config.name, config.network.side, config.subjects, config.beta) == ("mine", 32, ("p1",), 0.5)
    assert (config.network.depth, config.epochs) == (base.network.depth, base.epochs)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "holds no fields"),
        ("extends: ../x", "extends '../x', expected the name of a configuration"),
        ("extends: [a]", "expected the name of a configuration"),
        (f"extends: {'x' * 300}", "expected the name of a configuration"),
        ("extends: 'a\n\n  b'", "expected the name of a configuration"),
        ("extends: nowhere", "extends 'nowhere', which lies neither beside it nor among those that ship"),
        ("extends: mine", "more than 4 deep"),
        ("extends: open4v-tiny-ss\nepoch: 3", "there is no field 'epoch'; known are name, description, kind"),
        ("extends: open4v-tiny-ss\nepochs: 3\nepochs: 4", "'epochs' stands twice"),
        ("extends: open4v-tiny-ss\nepochs: 3.0", "epochs is 3.0, expected a whole number from 1 to 100000"),
        ("extends: open4v-tiny-ss\nrate: .nan", "rate is nan, expected a number"),
        ("extends: open4v-tiny-ss\nrate: true", "rate is True, expected a number"),
        ("extends: open4v-tiny-ss\nkind: 3d", "kind is '3d', expected one of 2d, self, full"),
        ("extends: open4v-tiny-ss\nsubjects: p1", "subjects is 'p1', expected a list"),
        ("extends: open4v-tiny-ss\ndrops: [3, 2]", "drops are .3, 2., expected epochs in rising order"),
        ("extends: open4v-tiny-ss\nnetwork: {backbone: {a: b}}", "there is no backbone {'a': 'b'}; known are"),
        ("extends: open4v-tiny-ss\nnetwork: 3", "network is 3, expected fields"),
        ("extends: open4v-tiny-ss\nnetwork: {side: 33}", "network: side must be a multiple of 32"),
        (
            "extends: open4v-tiny-ss\nlabels: {joints: all}",
            "labels: joints is 'all', expected one of any, truth, found",
        ),
        ("extends: open4v-tiny-ss\naugmentation: {scale: 1}", "augmentation: scale is 1, expected two numbers"),
        ("extends: open4v-tiny-ss\naugmentation: {flip: true}", "augmentation: there is no field 'flip'"),
        ("description: a\nkind: 2d", "the field network is missing"),
    ],
)
def test_a_file_that_says_something_wrong_is_refused(text: str, message: str, tmp_path) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        load_config(tmp_path / "mine.yaml")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no configuration 'open5v'; known are 3dhp-r50-fs"):
        load_config("open5v")
