"""Machines that lack something: a home, caches that may be written, a terminal, anybody who reads or answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import posebench as pb
from posebench.resources import resource
from tests.cli.test_process import COMMAND, environment, run
from tests.faults import limits, whole

pytestmark = pytest.mark.skipif(os.name != "posix", reason="rights and shells of POSIX")

SCORE = ("score", "--pred", "pred.npz", "--gt", "gt.npz", "-m", "MPJPE", "-o", "out/r.json")
#: Runs the command line without root's right to pass over permissions.
BARE = "from tests.faults.limits import no_privileges\nheld = no_privileges()\nheld.__enter__()\n"


def bare(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """The command in a process whose user may do only what permissions say; a variable that is "" is not set."""
    said = environment(**changes)
    root = str(Path(__file__).parents[2])
    said = {name: value for name, value in said.items() if value} | {"PYTHONPATH": f"{said['PYTHONPATH']}:{root}"}
    code = BARE + COMMAND[-1]
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=said, timeout=300, check=False)


@pytest.fixture
def locked(work):
    """A folder that nobody may write to."""
    folder = work / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    yield folder
    folder.chmod(0o700)


# Homes and caches


@pytest.mark.parametrize("home", [pytest.param("", marks=pytest.mark.slow), "locked"], ids=["none", "read-only"])
def test_neither_a_home_nor_a_cache_folder_is_needed_to_score_and_to_draw(home: str, work, locked) -> None:
    places = {"HOME": str(locked) if home == "locked" else home, "XDG_CACHE_HOME": str(locked) if home else ""}
    places |= {"MPLCONFIGDIR": str(locked) if home else "", "XDG_CONFIG_HOME": ""}
    found = bare(*SCORE, **places)
    assert found.returncode == 0, found.stderr
    assert "Traceback" not in found.stderr
    assert pb.Report.load(work / "out" / "r.json").coverage.scored == 60
    drawn = bare("figure", "joints", "a.json", "-o", "out/j.svg", **places)
    assert drawn.returncode == 0, drawn.stderr
    whole.check(work / "out" / "j.svg")


@pytest.mark.slow
def test_an_installation_that_nobody_may_write_to_works_without_a_home(work) -> None:
    place = work / "installed"
    for source, where in ((Path(pb.__file__).parent, "posebench"), (resource("clusters"), "posebench/clusters")):
        shutil.copytree(source, place / where, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    folders = [place, *(path for path in place.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o500)
    try:
        found = bare(*SCORE, PYTHONPATH=str(place), HOME="/nowhere", XDG_CACHE_HOME="", NUMBA_CACHE_DIR="")
    finally:
        for folder in folders:
            folder.chmod(0o700)
    assert found.returncode == 0, found.stderr
    assert "Traceback" not in found.stderr
    assert not list(place.rglob("*.nbi"))


def test_a_cache_that_may_not_be_written_is_named_where_it_is_needed(work, locked) -> None:
    found = bare("data", "fetch", "pose2sim", HOME="/nowhere", XDG_CACHE_HOME=str(locked), PIP_NO_INDEX="1")
    assert (found.returncode, found.stdout) == (2, "")
    last = found.stderr.splitlines()[-1]
    assert last.startswith(f"posebench: {locked}/posebench/pose2sim: cannot be written: Permission denied")


def test_a_user_whom_nobody_knows_and_who_has_no_home_is_told_so(work) -> None:
    from posebench.datasets import catalog

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("XDG_CACHE_HOME")
        patch.delenv("HOME", raising=False)
        patch.setattr(catalog.Path, "home", classmethod(_nobody))
        with pytest.raises(pb.PosebenchError, match="no home folder to keep anything in; name a folder with XDG_CACHE"):
            catalog.cache_folder()
        patch.setenv("POSEBENCH_DATA", str(work))
        assert catalog.data_folders() == [work]
        assert catalog.find("hdm05") is None


def _nobody(_: type) -> Path:
    raise RuntimeError("Could not determine home directory.")


# Standard streams


@pytest.mark.parametrize(
    ("arguments", "closed"),
    [
        (SCORE, "<&- >&- 2>&-"),
        (("convert", "pred.npz", "out/r.json"), "<&-"),
        (("convert", "pred.npz", "out/r.json"), ">&-"),
    ],
    ids=["all", "stdin", "stdout"],
)
def test_closed_streams_are_no_reason_not_to_work(arguments: tuple[str, ...], closed: str, work) -> None:
    line = ["bash", "-c", f'"$@" {closed}', "bash", *COMMAND, *arguments]
    found = subprocess.run(line, capture_output=True, text=True, env=environment(), timeout=120, check=False)
    assert (found.returncode, "Traceback" in found.stderr) == (0, False)
    whole.check(work / "out" / "r.json")


@pytest.mark.parametrize("words", ["published list", "bank list", "table 2"])
def test_a_pager_that_is_quit_ends_the_command_without_a_word(words: str, work) -> None:
    line = ["bash", "-c", 'set -o pipefail; "$@" | head -n 1', "bash", *COMMAND, *words.split()]
    found = subprocess.run(line, capture_output=True, text=True, env=environment(), timeout=120, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    assert len(found.stdout.splitlines()) == 1


def test_a_command_in_the_background_ends_on_sigterm_all_the_same(work) -> None:
    """Shells let what they start in the background ignore Ctrl-C."""
    slow = "import os, signal, posebench.scoring as s; s.score = lambda *a, **k: os.kill(os.getpid(), signal.SIGTERM); "
    line = f"trap '' INT; exec '{sys.executable}' -c \"$1\" score --pred pred.npz --gt gt.npz"
    found = subprocess.run(
        ["bash", "-c", line, "bash", slow + COMMAND[-1]],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=120,
        check=False,
    )
    assert (found.returncode, found.stdout) == (143, "")
    assert found.stderr.splitlines()[-1] == "posebench: terminated"


def test_no_room_for_the_kernels_is_no_reason_not_to_score(work) -> None:
    """No file may grow, so that nothing can be kept; what is printed is the same."""
    usual = run("score", "--pred", "pred.npz", "--gt", "gt.npz", "-m", "MPJPE")
    with limits.file_size(0):
        found = run("score", "--pred", "pred.npz", "--gt", "gt.npz", "-m", "MPJPE")
    assert (found.returncode, found.stdout) == (0, usual.stdout)
