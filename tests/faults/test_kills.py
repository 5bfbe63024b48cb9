"""kill -9, Ctrl-C and SIGTERM at any change of a file: what has its final name is whole, and the same command goes on.

Points are drawn by the name of the case, and so are always the same.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import zlib
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

import posebench as pb
from posebench.tables import building, definitions, results
from posebench.tables.definitions import recipe_of, recipes
from tests.faults import dying, whole
from tests.faults.cases import CASES, Case
from tests.faults.conftest import content, leftovers
from tests.tables.results import facts, ground_truth, noisy

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs copies of a process")

#: One point each of these is tried always; many points of all commands by -m slow.
QUICK = ("score of shards", "convert to npz", "bank build with a checkpoint", "data render", "zoo labels")
POINTS = 8
TRAINING = ("zoo pretrain2d", "zoo train", "zoo train-refiner")
RUN = "open4v-small-lite0-fs"
#: Folders of files that others made, of any content.
ELSEWHERE = ("data/", "fetched/")


def steady(name: str, data: bytes) -> object:
    """What a file holds but for dates, times and the speed of the machine."""
    if name.startswith(ELSEWHERE):
        return data
    if name.endswith(".json"):
        return _undated(json.loads(data))
    if name.endswith("log.csv"):
        return [
            {key: value for key, value in row.items() if key != "images_per_s"}
            for row in csv.DictReader(io.StringIO(data.decode()))
        ]
    if name.endswith(".html"):
        return re.sub(rb"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?", b"", data)
    return data


def _undated(held: object) -> object:
    if isinstance(held, dict):
        return {key: _undated(value) for key, value in held.items() if key not in ("environment", "seconds")}
    return [_undated(each) for each in held] if isinstance(held, list) else held


def finished(folder: Path) -> dict[str, object]:
    return {name: steady(name, data) for name, data in content(folder).items() if not _is_hidden(name)}


def _is_hidden(name: str) -> bool:
    """Whether it is a lock, or what a killed process left under a temporary name."""
    return name.rpartition("/")[2].startswith(".")


def points(name: str, total: int, count: int) -> list[int]:
    """Some numbers of changes, drawn by the name of the case."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    return sorted((1 + random.permutation(total))[:count].tolist())


def nothing_is_half(out: Path) -> None:
    """All files with a final name are whole; those of a set count once its list of hashes is there, which says so."""
    for path in out.rglob("*"):
        place = path.relative_to(out).parts
        listed = f"{place[0]}/" in ELSEWHERE or (place[0] == "set" and path.suffix in (".jpg", ".png"))
        if path.is_file() and not path.name.startswith(".") and not listed:
            whole.check(path)
    for path in out.rglob("SHA256SUMS"):
        whole.sums(path.parent)


def interrupted_and_again(
    name: str,
    arguments: list[str],
    work: Path,
    fresh: Callable[[], None],
    count: int,
    by: int = signal.SIGKILL,
    run: Callable[..., dying.Ended] = dying.run,
) -> None:
    """Run a command to its end, then send it a signal at some points, and run it again after each."""
    fresh()
    whole_run = run(arguments, work)
    assert whole_run.code == 0, whole_run.err
    expected = finished(work / "out")
    assert whole_run.changes > 0
    for point in points(name, whole_run.changes, count):
        fresh()
        ended = run(arguments, work, at=point, by=by)
        nothing_is_half(work / "out")
        if by == signal.SIGKILL:
            assert ended.code == -by
        else:
            _said_so(ended, by, done=finished(work / "out") == expected)
            assert leftovers(work) == []
        again = run(arguments, work)
        assert again.code == 0, again.err
        found = finished(work / "out")
        assert found == expected


def _said_so(ended: dying.Ended, by: int, *, done: bool) -> None:
    """The exit code and one line say what happened, unless the command was as good as done."""
    assert "Traceback" not in ended.err
    if ended.code == 0:
        assert done
        return
    code, word = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}[signal.Signals(by)]
    assert ended.code == code, ended.err
    assert ended.err.splitlines()[-1] == f"posebench: {word}"
    assert ended.err.count(word) == 1


def _fresh(work: Path, case: Case) -> Callable[[], None]:
    def fresh() -> None:
        for name in ("out", "cache", "runs", "work"):
            shutil.rmtree(work / name, ignore_errors=True)
        (work / "out").mkdir()
        if case.prepare is not None:
            case.prepare(work)

    return fresh


@pytest.mark.parametrize("name", QUICK)
def test_a_command_that_was_killed_left_nothing_half_and_goes_on(name: str, work) -> None:
    case = CASES[name]
    if not case.runs:
        pytest.skip("a package that it needs is not installed")
    interrupted_and_again(name, case.arguments, work, _fresh(work, case), 1)


@pytest.mark.parametrize(
    ("name", "by"), [("bank build with a checkpoint", signal.SIGTERM), ("zoo labels", signal.SIGINT)]
)
def test_a_command_that_was_interrupted_says_so_and_goes_on(name: str, by: int, work) -> None:
    case = CASES[name]
    if not case.runs:
        pytest.skip("a package that it needs is not installed")
    interrupted_and_again(name, case.arguments, work, _fresh(work, case), 1, by)


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda by: by.name)
@pytest.mark.parametrize("name", CASES)
def test_no_point_of_any_command_is_the_wrong_one(name: str, by: int, work) -> None:
    case = CASES[name]
    if not case.runs:
        pytest.skip("a package that it needs is not installed")
    trains = case.command in TRAINING
    count = (POINTS if by == signal.SIGKILL else 3) // (3 if trains else 1)
    with dying.apart() if trains else nullcontext(dying.run) as run:
        interrupted_and_again(f"{by} {name}", case.arguments, work, _fresh(work, case), count, by, run)


@pytest.mark.slow
def test_runs_of_a_table_that_were_killed_are_gone_on_with(work, monkeypatch) -> None:
    command = (
        "posebench score --pred {open4v}/pred{seed}.npz --gt {open4v}/truth.npz --protocol open4v --no-frames "
        f"-o {{results}}/{RUN}/open4v-seed{{seed}}.json"
    )
    recipe = recipe_of(facts(RUN, seeds=[0, 1], commands=[command]), "here")
    known = {**recipes(), RUN: recipe}
    for module in (building, definitions, results):
        monkeypatch.setattr(module, "recipes", lambda: known)
    place = work / "poses"
    place.mkdir()
    for name, poses in (("truth", ground_truth()), *((f"pred{k}", noisy(ground_truth(), 30, k)) for k in (0, 1))):
        pb.write(poses, place / f"{name}.npz")
    arguments = f"table 2 --run --only {RUN} --results out/results --path open4v={place} -o out/t.md".split()

    def fresh() -> None:
        shutil.rmtree(work / "out")
        (work / "out" / "results").mkdir(parents=True)

    fresh()
    total = dying.run(arguments, work).changes
    expected = finished(work / "out")
    for point in points("table --run", total, 4):
        fresh()
        assert dying.run(arguments, work, at=point).code == -signal.SIGKILL
        nothing_is_half(work / "out")
        assert dying.run(arguments, work).code == 0
        assert finished(work / "out") == expected
