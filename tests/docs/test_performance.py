"""The page of timings shows what was measured, and what is compared gives the same results. No time is looked at."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.pages import ROOT, script

performance = script("make_performance")
BENCHMARKS = ROOT / "benchmarks"
SCRIPTS = sorted(path.stem for path in BENCHMARKS.glob("*.py"))


def renderer():
    spec = importlib.util.spec_from_file_location("peer_render", BENCHMARKS / "peer_jobs" / "render.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(**changes) -> dict:
    """A peer that takes twice as long."""
    return {
        "package": "numpy", "peer": "a peer", "own": "ours", "unit": "pose", "dtype": "float64", "threads": 1,
        "number": [10, 10], "agrees": True, "result": "0 apart", "peer_wall": 4e-6, "peer_cpu": 2e-6, "own_wall": 1e-6,
        "own_cpu": 1e-6, "differs": "no checks", "reason": "it is in C",
    } | changes  # fmt: skip


# ----------------------------------------------------------------------------------------------------------------- page


def test_the_pages_show_what_was_saved() -> None:
    assert [page.name for page in performance.pages()] == ["explain.md", "performance.md", "scaling.md"]
    for page in performance.pages():
        text = page.read_text("utf-8")
        assert performance.made(text) == text, "python docs/make_performance.py --write"


def test_every_output_that_was_saved_is_shown_and_comes_from_a_script() -> None:
    saved = sorted(path.stem for path in performance.SAVED.glob("*.json"))
    assert sorted(performance.shown()) == saved
    assert set(saved) <= set(SCRIPTS)


def test_the_readme_names_every_script() -> None:
    readme = (BENCHMARKS / "README.md").read_text("utf-8")
    assert [name for name in SCRIPTS if f"| `{name}.py` |" not in readme] == []


def test_a_block_is_replaced_by_the_saved_output_and_the_text_around_it_stays(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(performance, "SAVED", tmp_path)
    saved = {"command": "python benchmarks/x.py", "measured": "2026-01-02", "remark": "busy", "output": "1 s\n"}
    (tmp_path / "x.json").write_text(json.dumps(saved), "utf-8")
    page = "Before\n\n<!-- measured: x -->\n2 s, typed by hand\n<!-- end: x -->\n\nAfter\n"
    made = "<!-- measured: x -->\n\n`python benchmarks/x.py`, 2026-01-02; busy.\n\n1 s\n\n<!-- end: x -->\n"
    assert performance.made(page) == f"Before\n\n{made}\nAfter\n"


def test_an_output_that_was_never_saved_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(performance, "SAVED", tmp_path)
    with pytest.raises(SystemExit, match=r"y\.json is not there; measure with --run y"):
        performance.made("<!-- measured: y -->\n<!-- end: y -->\n")


def test_a_script_that_is_not_there_is_named() -> None:
    with pytest.raises(SystemExit, match=r"benchmarks has no script nothing\.py"):
        performance.measure("nothing", [], None)


def test_a_page_that_shows_something_else_than_was_saved_is_named(tmp_path, monkeypatch) -> None:
    (tmp_path / "x.json").write_text('{"command": "c", "measured": "d", "remark": "", "output": "1 s"}', "utf-8")
    page = tmp_path / "page.md"
    page.write_text("<!-- measured: x -->\n2 s\n<!-- end: x -->\n", "utf-8")
    for name, value in (("SAVED", tmp_path), ("DOCS", tmp_path)):
        monkeypatch.setattr(performance, name, value)
    monkeypatch.setattr(sys, "argv", ["make_performance.py"])
    with pytest.raises(SystemExit, match=r"page\.md: not what was saved"):
        performance.main()
    monkeypatch.setattr(sys, "argv", ["make_performance.py", "--write"])
    performance.main()
    assert "1 s" in page.read_text("utf-8")


# --------------------------------------------------------------------------------------------------------------- tables


def test_a_peer_that_is_faster_is_named_with_the_reason_and_others_are_not() -> None:
    rows = [row(), row(peer="a fast peer", peer_cpu=5e-7)]
    table = renderer().table({"name": "Job", "introduction": "What is done.", "rows": rows})
    assert "| a peer | ours | float64 | 1 | 0 apart | pose | 4 µs (2 µs) | 1 µs (1 µs) | 4.0 | 2.0 |" in table
    assert table.split("less computing time:\n\n")[1] == "- a fast peer: 0.5 (float64, 1 thread); it is in C\n"


def test_results_that_should_agree_and_do_not_are_marked() -> None:
    line = renderer().line
    assert "| DIFFERENT: 3 mm apart |" in line(row(agrees=False, result="3 mm apart"))
    assert "DIFFERENT" not in line(row(agrees=None)) + line(row())


# ---------------------------------------------------------------------------------------------------------------- peers


def peers(folder: Path, *arguments: str) -> dict:
    """What a run with few poses measured."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "peers.py"), "--poses", "400", "--looped", "20", "--repeats", "1"]
        + ["--json", str(folder / "found.json"), *arguments],
        env={name: value for name, value in os.environ.items() if name != "POSEBENCH_DATA"} | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((folder / "found.json").read_text("utf-8"))
    for job in found["jobs"]:
        assert job["rows"]
        for each in job["rows"]:
            assert each["agrees"] is not False, f"{each['peer']}: {each['result']}"
            assert each["peer"] in done.stdout
    return found


def test_peers_that_are_not_installed_are_named_and_the_others_give_the_same_results(tmp_path) -> None:
    found = peers(tmp_path, "--job", "procrustes")
    assert {"numpy", "scipy"} <= set(found["versions"])
    for package, module in (("roma", "roma"), ("torchmetrics", "torchmetrics"), ("mmpose", "mmpose")):
        if not find_spec("torch") and package != "mmpose":
            continue  # neither is asked for without torch
        assert (package in found["missing"]) == (find_spec(module) is None)


@pytest.mark.slow
def test_every_job_gives_the_results_of_every_peer_that_is_installed(tmp_path) -> None:
    found = peers(tmp_path)
    assert [job["name"] for job in found["jobs"]] == [
        "Scoring",
        "Procrustes alignment",
        "Clustering",
        "Reading",
        "Triangulation",
    ]
