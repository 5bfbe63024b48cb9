"""`posebench table`: the paper's tables, from a folder of results."""

from __future__ import annotations

from pathlib import Path

import pytest

from posebench.tables import build_table
from posebench.tables.render import rendered
from tests.cli.conftest import refused
from tests.tables.results import add_run

RT, SS = "open4v-small-lite0-ss-rt", "open4v-small-lite0-ss"
PAPER = {"data": "Human3.6M", "gt_root_depth": True, "gt_intrinsics": True, "epoch_by_test_gt": True}


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    add_run(folder, RT, noise=40, supervision=["multi-view-rt"])
    add_run(folder, SS, noise=50, supervision=["multi-view"])
    add_run(folder, "h36m-r50-fs", protocol="h36m-epipolarpose", **PAPER)
    return folder


def test_a_table_is_printed(posebench, results) -> None:
    run = posebench("table", 3, "--results", results)
    assert (run.code, run.err) == (0, "")
    assert run.out == rendered(build_table(3, results=results), "terminal")
    assert f"> {RT}" in run.out


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["terminal", "md", "tex", "csv", "html", "json"])
def test_every_table_of_the_results_that_ship_is_set_in_every_format(posebench, number: int, kind: str) -> None:
    run = posebench("table", number, "--format", kind)
    assert run.code == 0
    assert run.out == rendered(build_table(number), kind)


def test_files_are_written_by_their_endings(posebench, results, tmp_path) -> None:
    names = [tmp_path / f"t.{ending}" for ending in ("md", "tex", "csv", "html", "json", "txt")]
    outputs = [word for path in names for word in ("-o", path)]
    assert posebench("table", 3, "--results", results, "--sources", *outputs).code == 0
    assert all(path.stat().st_size > 1000 for path in names)
    assert "source of" in (tmp_path / "t.md").read_text("utf-8")


def test_a_number_that_left_its_published_one_ends_with_1(posebench, results) -> None:
    run = posebench("table", 2, "--data", "h36m", "--results", results, "--check", 0.5)
    assert run.code == 1
    assert "> h36m-r50-fs" in run.out
    lines = run.err.splitlines()
    assert lines[0].startswith("posebench: MPJPE of h36m-r50-fs is ")
    assert "epipolarpose-full-r50-mpjpe is 51.8: +" in lines[0]
    assert lines[-1] == "posebench: checked 3 numbers against what was published: 3 further away than 0.5"


def test_numbers_within_the_tolerance_are_counted(posebench, results) -> None:
    run = posebench("table", 2, "--data", "h36m", "--results", results, "--check", 1000)
    assert run.code == 0
    assert run.sentence == "posebench: checked 3 numbers against what was published: none further away than 1000"


def test_nothing_to_check_is_said(posebench, results) -> None:
    run = posebench("table", 3, "--results", results, "--check", 1)
    assert run.code == 0
    assert run.sentence.startswith("posebench: nothing to check: no regenerated number compares")


def test_bad_options_are_refused_before_any_work(posebench, results, tmp_path) -> None:
    refused(posebench("table", 5), "there is no table 5")
    refused(posebench("table", "x"), "'x' is not a valid int")
    refused(posebench("table", 4, "--data", "h36m"), "table 4 is not made on 'h36m'")
    refused(posebench("table", 2, "--format", "pdf"), "--format pdf: there is no such format")
    refused(posebench("table", 2, "-o", tmp_path / "t.pdf"), "known endings are")
    refused(posebench("table", 2, "-o", tmp_path / "no" / "t.md"), "No such file or directory")
    refused(posebench("table", 2, "--results", tmp_path / "no"), "there is no such folder")
    refused(posebench("table", 2, "--check", "nan"), "expected a number from 0")
    refused(posebench("table", 2, "--check", "-1"), "expected a number from 0")
    refused(posebench("table", 2, "--path", "a=b"), "add --run")
    refused(posebench("table", 2, "--results", tmp_path, "--run"), "its commands need {open4v}; add --path open4v=PATH")


def test_a_damaged_result_is_one_sentence(posebench, tmp_path) -> None:
    path = add_run(tmp_path, SS) / "open4v-seed0.json"
    path.write_bytes(path.read_bytes()[:1000])
    refused(posebench("table", 3, "--results", tmp_path), "open4v-seed0.json: cannot be read as a result")
