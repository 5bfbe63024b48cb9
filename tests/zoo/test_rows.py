"""Rows of results: every command is one that posebench has, and what one makes the next one finds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from model_zoo.configs import list_configs, load_config
from model_zoo.rows import facts, get_row, list_rows, placeholders, steps
from posebench.cli.app import app
from posebench.errors import UsageError
from posebench.protocols import get_protocol

SMALL = [name for name in list_rows() if name.startswith("open4v-small-lite0")]


def test_every_configuration_of_the_3d_branch_has_a_row() -> None:
    wanted = {name for name in list_configs() if load_config(name).kind != "2d" and "tiny" not in name}
    assert {get_row(name).config for name in list_rows()} == wanted


@pytest.mark.parametrize("name", list_rows())
def test_what_a_step_reads_was_made_before_or_is_the_users(name: str) -> None:
    made = set()
    for step in steps(get_row(name), 0):
        for part in step.command:
            if part.startswith(("{work}", "{results}")) and not any(old.startswith(part) for old in made):
                assert step.makes.startswith(part), f"{step.text()}: nothing has made {part}"
        assert set(re.findall(r"{(\w+)}", step.text())) <= set(placeholders(get_row(name)))
        made.add(step.makes)
    assert all(get_protocol(protocol) for protocol in get_row(name).family.scored.values())


@pytest.mark.parametrize("name", SMALL)
def test_no_self_supervised_row_learns_from_ground_truth_in_3d(name: str) -> None:
    row = get_row(name)
    learning = [step.text() for step in steps(row, 0) if " train" in step.text() or "labels" in step.command]
    opens_3d = [text for text in learning if "{data}/labels" in text or "--reference truth" in text]
    assert bool(opens_3d) == (row.refined == "truth")
    with_3d = bool({"full", "subject-subset"} & set(row.supervision))
    assert with_3d == (load_config(row.config).kind == "full" or row.refined == "truth")


def test_an_unknown_row_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no row 'nothing'; known are"):
        get_row("nothing")


# The command


@pytest.fixture
def runner(monkeypatch, tmp_path):
    """What runs `posebench zoo row`, with steps that only write what they promise; and the commands that were run."""
    ran: list[list[str]] = []
    promised = {step.text(): step.makes for name in SMALL for step in steps(get_row(name), 0)}
    places = {"work": tmp_path / "w", "results": tmp_path / "r", "data": "d", "backbone": "b"}
    made = {text.format(**places): Path(makes.format(**places)) for text, makes in promised.items()}

    def run(command):
        ran.append(command)
        made["posebench " + " ".join(command)].write_text("made")
        return 0

    monkeypatch.setattr("posebench.ending.run_step", run)

    def go(name: str, *options: str):
        given = ["zoo", "row", name, "--data", "d", "--backbone", "b"]
        return CliRunner().invoke(
            app, [*given, "--work", str(places["work"]), "--results", str(places["results"]), *options]
        )

    return go, ran, made


def test_what_is_done_is_not_done_again_and_rows_share_it(runner, tmp_path) -> None:
    go, ran, _ = runner
    assert go("open4v-small-lite0-ss").exit_code == 0
    assert [command[:2] for command in ran][:4] == [
        ["zoo", each] for each in ("pretrain2d", "detect", "labels", "train")
    ]
    ran.clear()
    assert go("open4v-small-lite0-ss-ru").exit_code == 0
    assert [command[1] for command in ran if command[0] == "zoo"] == ["predict", "train-refiner", "refine", "refine"]
    told = yaml.safe_load((tmp_path / "r" / "open4v-small-lite0-ss-ru" / "run.yaml").read_text())
    assert told == facts(get_row("open4v-small-lite0-ss-ru"), [0])
    ran.clear()
    assert go("open4v-small-lite0-ss-ru").exit_code == 0
    assert ran == []


def test_a_plan_names_what_is_left_and_runs_nothing(runner) -> None:
    go, ran, _ = runner
    said = go("open4v-small-lite0-fs", "--plan")
    assert ran == []
    assert [line.split()[2] for line in said.stdout.splitlines() if "zoo" in line] == [
        "pretrain2d",
        "train",
        "detect",
        "predict",
        "detect",
        "predict",
    ]


def test_a_step_that_fails_ends_the_row_with_its_status(runner, monkeypatch, tmp_path) -> None:
    go, _, _ = runner
    monkeypatch.setattr("posebench.ending.run_step", lambda command: 3)
    said = go("open4v-small-lite0-fs")
    assert said.exit_code == 3
    assert "posebench zoo pretrain2d did not make" in said.stderr
    assert not (tmp_path / "r" / "open4v-small-lite0-fs" / "run.yaml").exists()
