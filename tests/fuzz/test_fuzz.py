"""Damaged files of every kind: each gives a value or a sentence, in bounded time and memory, and nothing else.

The slow test reads 20,000 files per reader; with `POSEBENCH_FUZZ` naming a folder it goes on where it was stopped.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numba.core.event import install_listener, trigger_event

from posebench.errors import PosebenchError
from tests.fuzz import campaign, faulty, worker
from tests.fuzz.odd_files import KINDS
from tests.fuzz.targets import ROOT, TARGETS

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="watches a process as Linux lets it")

#: Files of each reader: in the quick test, and in the slow one.
FEW, MANY = 150, 20_000
ZOO = {
    "labels",
    "views",
    "zoo-labels",
    "zoo-detections",
    "zoo-errors",
    "boxes-csv",
    "boxes-json",
    "config",
    "model-card",
}
TORCH = {"weights", "weights-pt"}


def _there(name: str) -> bool:
    """Whether what the reader needs is installed."""
    from importlib.util import find_spec

    return name not in TORCH or bool(find_spec("torch") and find_spec("safetensors"))


NAMES = [name for name in TARGETS if _there(name)]


def _is_fine(found: campaign.Campaign, files: int) -> None:
    assert not found.findings, "\n\n".join(
        f"file {number}: {what}" for number, what in list(found.findings.items())[:3]
    )
    assert found.files == files
    assert found.outcomes["refused"] > files / 50  # the damage is noticed,
    assert files - found.outcomes["refused"] > files / 400  # and some of it does no harm


@pytest.fixture(scope="module")
def together(tmp_path_factory) -> Path:
    """The first files of all readers, read in one process."""
    folder = tmp_path_factory.mktemp("fuzz")
    campaign.run_together(NAMES, FEW, folder)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_few_damaged_files_are_read_or_refused(name: str, together: Path) -> None:
    _is_fine(campaign.run(name, FEW, together / name), FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_twenty_thousand_damaged_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    _is_fine(campaign.run(name, MANY, Path(os.environ.get("POSEBENCH_FUZZ") or tmp_path).resolve() / name), MANY)


@pytest.mark.parametrize("name", ["h5", "mat", "mat73"])
@pytest.mark.parametrize("files", [4, pytest.param(200, marks=pytest.mark.slow)])
def test_damaged_files_that_another_process_parses_are_read_or_refused(name: str, files: int, tmp_path: Path) -> None:
    target = TARGETS[name]
    (tmp_path / "whole").mkdir()
    whole = target.whole(tmp_path / "whole")
    path = tmp_path / target.file
    refused = 0
    for number in range(MANY, MANY + files):
        path.write_bytes(target.damaged(whole, number))
        try:
            target.read(path)
        except PosebenchError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 0


@pytest.fixture(scope="module")
def noticed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("faulty")
    gentle = [name for name in faulty.FAULTY if name != "faulty-crashes"]
    campaign.run_together(gentle, 2, folder)
    return folder


@pytest.mark.parametrize("name", faulty.SAYS)
def test_what_no_reader_may_do_is_noticed(name: str, noticed: Path) -> None:
    found = campaign.run(f"faulty-{name}", 2, noticed / f"faulty-{name}")
    assert list(found.findings) == [0, 1]
    assert all(faulty.SAYS[name] in what for what in found.findings.values()), found.findings


def _work(seconds: float) -> None:
    start = time.process_time()
    while time.process_time() - start < seconds:
        pass


@pytest.mark.parametrize("hard", [False, True])
def test_the_time_of_a_compiler_is_not_the_file_s(hard: bool) -> None:
    noisy = signal.signal(signal.SIGPROF, worker._too_late)
    try:
        with install_listener("numba:compile", worker.Uncounted()), worker.limited_time(0.3, hard):
            for _ in range(3):
                with trigger_event("numba:compile"), trigger_event("numba:compile"):
                    _work(0.2)
            with pytest.raises(worker.TooLateError):
                _work(30)
    finally:
        signal.signal(signal.SIGPROF, noisy)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_number_gives_the_same_damage(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    whole = target.whole(tmp_path)
    one, again = ([target.damaged(whole, number) for number in range(20)] for _ in range(2))
    assert one == again
    assert len(set(one)) > 15


# What is no file


@pytest.fixture(scope="module")
def answers() -> dict[tuple[str, str], str]:
    """(reader, kind of thing that is no file) -> what the reader made of it."""
    command = [sys.executable, "-m", "tests.fuzz.odd_files", *NAMES]
    found = {}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            # A reader that waits for ever keeps its "begun".
            out, _ = process.communicate(timeout=1800)
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
    for line in out.splitlines():
        name, kind, said = json.loads(line)
        found[name, kind] = said
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_file_is_refused_at_once(name: str, kind: str, answers) -> None:
    assert answers.get((name, kind), "").startswith("refused: ")
    assert "\n" not in answers[name, kind]


@pytest.mark.checkout
def test_the_figures_of_the_documentation_name_every_reader() -> None:
    page = (ROOT / "docs" / "security.md").read_text("utf-8")
    rows = [line.split("|")[1].strip() for line in page.splitlines() if line.count("|") == 10]
    assert set(TARGETS) <= set(rows)
    assert np.all([name in TARGETS or name in ("reader", "---") for name in rows])
