"""Runs that are missing are made by the commands of their recipes, in processes of posebench."""

from __future__ import annotations

from pathlib import Path

import pytest

import posebench as pb
from posebench.errors import InputError, UsageError
from posebench.tables import Missing, build_table, building, running
from posebench.tables.definitions import read_recipe, recipe_of, recipes
from posebench.tables.model import PaperTable
from posebench.tables.running import make_missing, plan
from tests.tables.results import facts, ground_truth, noisy

RUN = "open4v-small-lite0-fs"
SCORE = (
    "posebench score --pred {open4v}/pred{seed}.npz --gt {open4v}/gt.npz --protocol open4v --no-frames "
    f"-o {{results}}/{RUN}/open4v-seed{{seed}}.json"
)


@pytest.fixture
def data(tmp_path) -> Path:
    """A folder with ground truth, and two predictions whose names hold a space."""
    folder = tmp_path / "my data"
    folder.mkdir()
    pb.write(ground_truth(), folder / "gt.npz")
    for seed in (0, 1):
        pb.write(noisy(ground_truth(), 30, seed), folder / f"pred{seed}.npz")
    return folder


@pytest.fixture
def recipe(monkeypatch):
    """A recipe whose commands only score."""
    found = recipe_of(facts(RUN, seeds=[0, 1], commands=["posebench convert --help", SCORE]), "here")
    monkeypatch.setattr(building, "recipes", lambda: {**recipes(), RUN: found})
    return found


@pytest.fixture
def results(tmp_path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


def test_a_missing_run_is_made_and_shown(recipe, data, results) -> None:
    said: list[str] = []
    made = make_missing(build_table(2, results=results), results=results, paths=[f"open4v={data}"], say=said.append)
    assert made == 1
    assert [line.partition(":")[0] for line in said] == [f"run 1 of 1, step {k} of 3" for k in (1, 2, 3)]
    table = build_table(2, results=results)
    assert table.missing == ()
    row = next(row for row in table.rows if row.recipe)
    values = [
        pb.score(data / f"pred{k}.npz", data / "gt.npz", protocol="open4v").metrics["MPJPE"].value for k in (0, 1)
    ]
    assert row.numbers["MPJPE"].seeds == pytest.approx(values)
    assert read_recipe(results / RUN / "run.yaml") == recipe


def test_the_first_command_that_fails_ends_it_and_the_same_call_goes_on(recipe, data, results, capfd) -> None:
    table = build_table(2, results=results)
    hidden = data / "pred1.npz"
    kept = hidden.read_bytes()
    hidden.unlink()
    with pytest.raises(
        InputError, match=rf"run {RUN}: step 3 of 3 ended with 2: posebench score .*the same call goes on"
    ):
        make_missing(table, results=results, paths=[f"open4v={data}"], say=lambda words: None)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "pred1.npz" in captured.err
    assert not (results / RUN / "run.yaml").exists()
    hidden.write_bytes(kept)
    table = build_table(2, results=results)
    assert [missing.recipe.seeds for missing in table.missing if missing.recipe] == [(1,)]
    assert make_missing(table, results=results, paths=[f"open4v={data}"], say=lambda words: None) == 1
    assert build_table(2, results=results).missing == ()


def test_paths_are_filled_in_word_by_word_and_no_shell_reads_them(recipe) -> None:
    places = {"open4v": "a b; rm -rf $HOME", "results": "r"}
    commands = plan(recipe, places)
    assert commands[0] == ["convert", "--help"]
    assert [command[2] for command in commands[1:]] == [f"a b; rm -rf $HOME/pred{k}.npz" for k in (0, 1)]


def test_a_path_that_is_not_given_is_noticed_before_anything_runs(recipe, results, monkeypatch) -> None:
    monkeypatch.setattr(running, "run_step", lambda *_, **__: pytest.fail("something ran"))
    with pytest.raises(UsageError, match=rf"--run {RUN}: its commands need {{open4v}}; add --path open4v=PATH"):
        make_missing(build_table(2, results=results), results=results, paths=[], say=print)


def test_nothing_but_posebench_is_run() -> None:
    for command in ("rm -rf x", "python -c 1", "'posebench' ; ls'", "/bin/posebench x", "posebench 'a"):
        bad = recipe_of(facts("a", commands=[command]), "here")
        with pytest.raises(InputError, match=r"run a: .*(is no call of posebench|cannot be read as a command)"):
            plan(bad, {})


def test_the_folder_of_runs_is_that_of_the_environment(recipe, results, monkeypatch) -> None:
    monkeypatch.setenv("POSEBENCH_RUNS", "from the environment")
    ran: list[list[str]] = []
    monkeypatch.setattr(running, "_run", lambda recipe, step, steps, command: ran.append(list(command)))
    other = recipe_of(facts(RUN, commands=["posebench zoo list {runs}"]), "here")
    table = with_missing(results, Missing(RUN, "open4v", "", other))
    make_missing(table, results=results, paths=[], say=lambda words: None)
    make_missing(table, results=results, paths=["runs=mine"], say=lambda words: None)
    assert ran == [["zoo", "list", "from the environment"], ["zoo", "list", "mine"]]


def test_steps_that_runs_share_are_done_once(results, monkeypatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(running, "_run", lambda recipe, step, steps, command: ran.append(list(command)))
    found = [recipe_of(facts(name, commands=["posebench zoo list", f"posebench zoo show {name}"]), "") for name in "ab"]
    table = with_missing(results, *(Missing(each.name, "open4v", "", each) for each in found))
    make_missing(table, results=results, paths=[], say=lambda words: None)
    assert [" ".join(command) for command in ran] == ["zoo list", "zoo show a", "zoo show b"]


def test_one_run_of_several_can_be_asked_for(results, monkeypatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(running, "_run", lambda recipe, step, steps, command: ran.append(list(command)))
    found = [recipe_of(facts(name, commands=[f"posebench zoo show {name}"]), "") for name in "ab"]
    table = with_missing(results, *(Missing(each.name, "open4v", "", each) for each in found))
    make_missing(table, results=results, paths=[], only=["b"], say=lambda words: None)
    assert ran == [["zoo", "show", "b"]]
    with pytest.raises(UsageError, match="--only c: is not missing; missing are a, b"):
        make_missing(table, results=results, paths=[], only=["c"], say=print)


def test_a_run_without_a_recipe_is_not_made(results) -> None:
    table = with_missing(results, Missing("x", "open4v", "", None))
    with pytest.raises(UsageError, match="--run x: there is no recipe for it"):
        make_missing(table, results=results, paths=[], say=print)


def test_results_of_an_installed_posebench_are_not_written_to(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(running, "default_folder", lambda: tmp_path / "site-packages" / "posebench" / "results")
    with pytest.raises(UsageError, match="--run needs --results DIR"):
        make_missing(build_table(2, results=tmp_path), results=None, paths=[], say=print)


@pytest.mark.parametrize("text", ["open4v", "=x", "open4v=", "A=b"])
def test_a_path_is_a_name_and_a_place(results, text: str) -> None:
    with pytest.raises(UsageError, match="expected NAME=PATH, as in open4v=DIR"):
        make_missing(build_table(2, results=results), results=results, paths=[text], say=print)


def with_missing(results: Path, *missing: Missing) -> PaperTable:
    """A table that lacks these runs and no other."""
    from dataclasses import replace

    return replace(build_table(2, results=results), missing=missing)
