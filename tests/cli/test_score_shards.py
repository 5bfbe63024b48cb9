"""`posebench score` on folders and globs, as a user sees it: the report, refusals, a kill in the middle, Ctrl-C."""

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

import posebench as pb
from tests.cli.conftest import refused
from tests.cli.test_process import COMMAND, environment
from tests.scoring.plain import pair, poseset

FILES = ("--pred", "pred.npz", "--gt", "gt.npz")
SHARDS = ("--pred", "pred", "--gt", "gt")
GLOBS = ("--pred", "pred/*", "--gt", "gt/*.npz", "--jobs", "1")


@pytest.fixture
def shards(folder) -> Path:
    """The two files cut into shards of five poses beside them."""
    for side in ("pred", "gt"):
        whole = pb.read(f"{side}.npz")
        Path(side).mkdir()
        for number, start in enumerate(range(0, len(whole), 5)):
            pb.write(whole[slice(start, start + 5)], f"{side}/{number}.npz")
    Path("link.json").symlink_to("gt/1.npz")
    return folder


def table(out: str) -> str:
    """What is printed, from the protocol on."""
    return out.partition("\n")[2]


def test_shards_print_what_the_whole_prints(posebench, shards) -> None:
    whole = posebench("score", *FILES, "--by", "action", "--by", "joint", "--explain")
    found = posebench("score", *SHARDS, "--by", "action", "--by", "joint", "--explain", "--jobs", 1)
    assert (found.code, found.out) == (0, whole.out)
    quoted = posebench("score", "--pred", "pred/[0-9].npz", "--gt", "gt/*", "--jobs", 1)
    assert table(quoted.out) == table(posebench("score", *FILES).out)


def test_results_are_written_and_gates_judged(posebench, shards) -> None:
    outputs = [word for name in ("r.json", "r.csv", "r.md", "r.tex", "r.html") for word in ("-o", name)]
    found = posebench("score", *SHARDS, "--jobs", 1, *outputs, "--fail-over", "WorstJoint=1")
    assert found.code == 1
    assert "posebench: WorstJoint is " in found.sentence
    result = json.loads(Path("r.json").read_text())
    assert result["inputs"]["pred"]["shards"] == 3
    assert not Path("r.frames.npz").exists()
    assert "this report has only its numbers" in Path("r.html").read_text()


def test_a_folder_of_states_is_told_of(posebench, shards) -> None:
    assert "were done before" not in posebench("score", *SHARDS, "--jobs", 1, "--state", "state").err
    assert "3 of 3 shards were done before" in posebench("score", *SHARDS, "--jobs", 1, "--state", "state").err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*SHARDS, "--frames", "-o", "r.json"), "--frames takes files"),
        ((*SHARDS, "--protocol", "all"), "--protocol all takes files"),
        ((*SHARDS, "-o", "gt/result.json"), "lies in gt, where it would be taken for a shard"),
        ((*SHARDS, "--by", "camera", "--jobs", "1"), "cannot group by 'camera': gt/0.npz has subject, action, joint"),
        ((*SHARDS, "--jobs", "0"), "--jobs"),
        ((*FILES, "--jobs", "2"), "--jobs is for shards"),
        ((*FILES, "--state", "state"), "--state is for shards"),
        ((*FILES, "--scheduler", "local"), "--scheduler is for shards"),
        ((*SHARDS, "--scheduler", "tcp://h:1", "--jobs", "2"), "--jobs is for processes on this machine; a scheduler"),
        (("--pred", "pred", "--gt", "gt.npz"), "pred: is a folder, expected a file"),
        (
            ("--pred", "nothere", "--gt", "gt"),
            "nothere: is not there; expected a folder or a pattern of shards for --pred",
        ),
        ((*GLOBS, "-o", "pred/0.npz.json"), "lies in pred/*"),
        ((*GLOBS, "-o", "link.json"), "link.json: cannot be written: it is one of the shards"),
        ((*GLOBS, "--state", "pred"), "pred: lies in pred/*, where its files would be taken for shards"),
        ((*SHARDS, "--state", "."), "holds gt, which is no state; name a folder of its own"),
        ((*SHARDS, "--by", "clusterfoo", "--jobs", "1"), "cannot group by 'clusterfoo': gt/0.npz has subject"),
        ((*FILES, "-m", "MPJPE", "--by", "cluster@50"), "cannot group by 'cluster@50'"),
        (("--pred", "pred/*.csv", "--gt", "gt"), "pred/*.csv: holds no file that posebench reads"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_shards_cannot_have_is_refused_in_a_sentence(posebench, shards, arguments, words: str) -> None:
    refused(posebench("score", *arguments), words)


@pytest.mark.filterwarnings("default")
def test_shards_are_grouped_by_cluster(posebench, shards) -> None:
    out = posebench("score", *SHARDS, "--jobs", 1, "-m", "PSS@50", "--by", "cluster@50").out
    assert "by cluster@50" in out


def test_a_result_beside_the_shards_of_a_pattern_is_written(posebench, shards) -> None:
    Path("pred/notes").mkdir()
    arguments = ("--pred", "pred/*.npz", "--gt", "gt/*.npz", "--jobs", 1, "-m", "MPJPE")
    posebench("score", *arguments, "-o", "pred/result.json", "--state", "pred/notes")
    assert Path("pred/result.json").is_file()


def test_workers_of_dask_print_the_same(posebench, shards) -> None:
    pytest.importorskip("distributed")
    here = posebench("score", *SHARDS, "--by", "action", "--jobs", 1)
    far = posebench("score", *SHARDS, "--by", "action", "--scheduler", "local", "--jobs", 1, "--state", "state")
    assert (far.code, far.out) == (0, here.out)
    assert far.err == here.err
    assert len(list(Path("state").glob("[!.]*.npz"))) == 3


def test_a_scheduler_without_dask_names_the_extra(posebench, shards, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    refused(posebench("score", *SHARDS, "--scheduler", "local"), "pip install 'posebench-hpe[distributed]'")


# Processes


@pytest.fixture
def many(tmp_path, monkeypatch) -> Path:
    """Twelve shards that take a second or so each."""
    monkeypatch.chdir(tmp_path)
    for side in ("pred", "gt"):
        Path(side).mkdir()
    for number in range(12):
        pred, gt = pair(400, seed=number)
        for side, values in (("pred", pred), ("gt", gt)):
            keys = {"sequence": str(number), "frame": np.arange(40_000)}
            pb.write(poseset(np.tile(values, (100, 1, 1)).astype(np.float32), **keys), f"{side}/{number:02d}.npz")
    return tmp_path


SCORED = ("score", *SHARDS, "-m", "PMPJPE", "-m", "PSS-soft@50", "--jobs", "2", "--state", "state", "-o", "run.json")


DASK = ("--scheduler", "local")


def started(*more: str) -> subprocess.Popen[str]:
    if more == DASK:
        pytest.importorskip("distributed")
    return subprocess.Popen(
        [*COMMAND, *SCORED, *more], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for_states(process: subprocess.Popen[str], count: int) -> list[str]:
    """Names of the states, as soon as there are so many."""
    while len(found := sorted(path.name for path in Path("state").glob("[!.]*.npz"))) < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    return found


def result() -> dict:
    """The result without its date."""
    return {key: value for key, value in json.loads(Path("run.json").read_text()).items() if key != "environment"}


def alive(name: str) -> list[str]:
    """Processes of this machine that were started in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "cwd") == name and (process / "cmdline").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return [number for number in found if number != str(os.getpid())]


@pytest.mark.slow
@pytest.mark.parametrize(("after", "more"), [(1, ()), (5, ()), (3, DASK)])
def test_a_run_that_was_killed_goes_on_and_gives_the_same(many, after: int, more: tuple[str, ...]) -> None:
    process = started(*more)
    wait_for_states(process, after)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 60
    while alive(str(many)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert alive(str(many)) == []  # the other processes end with it
    kept = {path.name: path.stat().st_mtime_ns for path in Path("state").glob("[!.]*.npz")}
    again = started()
    _, said = again.communicate(timeout=600)
    assert again.returncode == 0
    assert f"{len(kept)} of 12 shards were done before" in said
    assert all(Path("state", name).stat().st_mtime_ns == when for name, when in kept.items())
    resumed = result()
    other = subprocess.run(
        [*COMMAND, *SCORED[:-6], "--jobs", "1", "-o", "run.json"], env=environment(), check=True, capture_output=True
    )
    assert other.returncode == 0
    assert result() == resumed


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), DASK], ids=["processes", "dask"])
def test_ctrl_c_ends_all_processes_and_keeps_what_is_finished(many, more: tuple[str, ...]) -> None:
    process = started(*more)
    wait_for_states(process, 2)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    assert "stopped; what is finished is kept in state; the same command goes on" in said
    assert "Traceback" not in said
    assert alive(str(many)) == []
    assert len(list(Path("state").glob("[!.]*.npz"))) >= 2
    assert not list(Path("state").glob(".*.npz"))


@pytest.mark.slow
def test_a_process_that_is_ended_from_outside_is_said_so(many) -> None:
    process = started()
    wait_for_states(process, 1)
    workers = [number for number in alive(str(many)) if number != str(process.pid)]
    spawned = [n for n in workers if b"spawn_main" in Path(f"/proc/{n}/cmdline").read_bytes()]
    os.kill(int(spawned[0]), signal.SIGKILL)
    out, said = process.communicate(timeout=120)
    assert (process.returncode, out) == (2, "")
    assert "a process that scored shards was ended from outside" in said
