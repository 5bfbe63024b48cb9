"""The notebooks: their cells run as plain Python, and what they show is what posebench shows now."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import posebench as pb
from posebench.resources import resource

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def cells(path: Path, kind: str) -> list[dict]:
    return [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == kind]


def source(cell: dict) -> str:
    return "".join(cell["source"])


def shown(cell: dict, kind: str) -> str:
    return "".join("".join(output.get("data", {}).get(kind, "")) for output in cell["outputs"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_the_cells_of_a_notebook_run_one_after_the_other(path, tmp_path) -> None:
    code = "\n".join(source(cell) for cell in cells(path, "code"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, env=environment, text=True, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_was_run_from_top_to_bottom_and_holds_no_error(path) -> None:
    code = cells(path, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert {output["output_type"] for cell in code for output in cell["outputs"]} == {"execute_result"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_says_nothing_of_the_machine_that_ran_it(path) -> None:
    notebook = json.loads(path.read_text("utf-8"))
    assert list(notebook["metadata"]) == ["kernelspec"]
    assert not any(cell["metadata"] for cell in notebook["cells"])
    assert path.stat().st_size < 100_000
    assert not re.search(r"site-packages|20\d\d-\d\d-\d\d", path.read_text("utf-8"))


def test_the_reading_of_a_report_shows_what_posebench_shows_now() -> None:
    folder = resource("examples", "pose2sim")
    report = pb.score(folder / "pred_cam01_cam02.npz", folder / "gt.npz")
    first, *_ = cells(ROOT / "examples" / "reading_a_report.ipynb", "code")
    assert shown(first, "text/html") == report._repr_html_()
    assert shown(first, "text/plain") == str(report).rstrip("\n")
    assert shown(first, "text/markdown") == report._repr_markdown_()


def test_the_reading_of_a_report_compares_the_two_predictions() -> None:
    folder = resource("examples", "pose2sim")
    tables = [
        cell for cell in cells(ROOT / "examples" / "reading_a_report.ipynb", "code") if "pivot_table" in source(cell)
    ]
    for name in ("pred_cam01_cam02.npz", "pred_cam01_cam04.npz"):
        value = pb.score(folder / name, folder / "gt.npz").metrics["MPJPE"].value
        assert f"{value:.2f}" in shown(tables[-1], "text/plain")
