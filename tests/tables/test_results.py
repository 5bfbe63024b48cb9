"""Folders of results that are damaged, or not what they say: one sentence each, never a number."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from posebench.errors import InputError, UsageError
from posebench.tables import build_table, results
from tests.tables.results import add_run

RUN = "open4v-small-lite0-fs"


@pytest.fixture
def folder(tmp_path) -> Path:
    add_run(tmp_path, RUN, seeds=2)
    return tmp_path


def result(folder: Path, seed: int = 0) -> Path:
    return folder / RUN / f"open4v-seed{seed}.json"


def change(path: Path, *place: str, value: object) -> None:
    data = json.loads(path.read_text("utf-8"))
    inner = data
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    path.write_text(json.dumps(data), "utf-8")


def refused(folder: Path, words: str) -> None:
    with pytest.raises((InputError, UsageError), match=words) as caught:
        build_table(2, results=folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "posebench.result/2"}', "\0" * 100, "[" * 100_000])
def test_a_file_that_is_no_result_is_refused_by_name(folder, text: str) -> None:
    result(folder).write_text(text, "utf-8")
    refused(folder, r"open4v-seed0\.json: ")


def test_half_a_file_is_refused(folder) -> None:
    path = result(folder)
    path.write_bytes(path.read_bytes()[:2000])
    refused(folder, r"open4v-seed0\.json: cannot be read as a result")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("protocol", "version"), "2"),
        (("protocol", "sha256"), None),
        (("protocol", "name"), 7),
        (("coverage", "missing"), "none"),
        (("coverage", "gt_frames"), 1.5),
        (("banks",), [{"name": "open4v-k50"}]),
        (("metrics", "MPJPE", "value"), "12"),
        (("metrics", "MPJPE", "ci95"), [1]),
        (("inputs",), []),
    ],
)
def test_a_result_with_a_wrong_field_is_damaged(folder, place: tuple[str, ...], value: object) -> None:
    change(result(folder), *place, value=value)
    refused(folder, r"open4v-seed0\.json: the result is damaged")


def test_an_interval_that_is_not_finite_is_refused(folder) -> None:
    path = result(folder)
    change(path, "metrics", "MPJPE", "ci95", value=[0.0, float("inf")])
    refused(folder, "interval of MPJPE in .* is inf, expected a finite number")


def test_another_unit_is_refused(folder) -> None:
    for seed in (0, 1):
        change(result(folder, seed), "metrics", "MPJPE", "unit", value="m")
    refused(folder, "MPJPE is in m, expected mm; it is no result of posebench score")


def test_metrics_that_do_not_exist_are_left_alone(folder) -> None:
    for seed in (0, 1):
        data = json.loads(result(folder, seed).read_text("utf-8"))
        data["metrics"]["no metric (("] = data["metrics"]["MPJPE"]
        result(folder, seed).write_text(json.dumps(data), "utf-8")
    row = next(row for row in build_table(2, results=folder).rows if row.recipe)
    assert list(row.numbers) == ["MPJPE", "NMPJPE", "PMPJPE", "PSS@50", "PSS@100"]


def test_a_result_under_another_protocol_than_its_name_says_is_refused(folder) -> None:
    change(result(folder), "protocol", "name", value="standard")
    refused(folder, "is named for protocol open4v, but was scored under standard; rename it, or score again")


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("inputs", "gt", "sha256"), "0" * 64, "the sha256 of the ground truth"),
        (("protocol", "sha256"), "0" * 64, "the sha256 of the protocol"),
        (("protocol", "selection", "applied"), False, "whether the selection was applied"),
        (("banks",), [], "the banks"),
    ],
)
def test_seeds_that_were_not_scored_alike_are_refused(
    folder, place: tuple[str, ...], value: object, words: str
) -> None:
    change(result(folder, 1), *place, value=value)
    refused(folder, rf"open4v-seed1\.json: is no other seed of open4v-seed0\.json: {words} is .* score both again")


def test_a_file_that_is_too_large_is_not_read(folder, monkeypatch) -> None:
    monkeypatch.setattr(results, "MAX_BYTES", 1000)
    refused(folder, r"open4v-seed0\.json: is no result: expected a file of at most 1000 bytes")


def test_what_is_no_file_is_not_read(folder) -> None:
    result(folder).unlink()
    os.mkfifo(result(folder))
    refused(folder, r"open4v-seed0\.json: is no result")


def test_a_run_without_run_yaml_needs_a_recipe_of_its_name(folder) -> None:
    (folder / RUN / "run.yaml").unlink()
    assert any(row.recipe and row.recipe.name == RUN for row in build_table(2, results=folder).rows)
    add_run(folder, "open4v-small-r18-fs")
    (folder / "open4v-small-r18-fs" / "run.yaml").unlink()
    refused(folder, r"run\.yaml: is not there; say in it what the run is, as docs/tables\.md shows")


@pytest.mark.parametrize("text", ["a: [", "a: &x 1\nb: *x", "name: x\nname: y", "- 1"])
def test_a_run_yaml_that_is_damaged_is_refused(folder, text: str) -> None:
    (folder / RUN / "run.yaml").write_text(text, "utf-8")
    refused(folder, r"run\.yaml: ")


def test_folders_with_other_names_and_other_files_are_left_alone(folder) -> None:
    (folder / "Not a run").mkdir()
    (folder / RUN / "open4v-seed0.frames.npz").write_bytes(b"")
    (folder / RUN / "open4v-seedX.json").write_bytes(b"")
    (folder / "README.md").write_bytes(b"")
    assert len([row for row in build_table(2, results=folder).rows if row.recipe]) == 1


def test_a_folder_that_does_not_exist_is_named(tmp_path) -> None:
    refused(tmp_path / "nowhere", "nowhere: there is no such folder")


@pytest.mark.checkout
def test_the_wheel_holds_the_results_where_the_installed_package_looks_for_them() -> None:
    import tomllib

    root = Path(__file__).parents[2]
    wheel = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"]["docs/results"] == "posebench/results"
    assert results.default_folder() == root / "docs" / "results"


def test_every_result_that_ships_is_read_and_says_what_it_is() -> None:
    held = results.open_results(None)
    for name in held.names("*"):
        files = list((held.folder / name).glob("*.json"))
        assert files, f"{name} has no result"
        protocols = {path.name.rpartition("-seed")[0] for path in files}
        for protocol in protocols:
            scored = held.run(name, protocol)
            assert scored is not None
            assert scored.recipe.commands
            # Paths of somebody's machine say nothing to others.
            assert not any(str(side.get("path", "")).startswith("/") for side in scored.report.inputs.values())
