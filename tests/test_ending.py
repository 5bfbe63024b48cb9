"""SIGTERM as Ctrl-C: what keeps a state on the one keeps it on the other, and started processes hear of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import posebench as pb
from posebench import ending
from posebench.ending import end_with_parent, run_step, terminated, termination_as_interrupt, wait_for

pytestmark = pytest.mark.skipif(not hasattr(signal, "raise_signal"), reason="signals of POSIX")


def test_sigterm_interrupts_and_everything_is_as_before_afterwards() -> None:
    with pytest.raises(KeyboardInterrupt), termination_as_interrupt():
        assert not terminated()
        signal.raise_signal(signal.SIGTERM)
    assert terminated()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with termination_as_interrupt():
        assert not terminated()


def test_ctrl_c_is_not_taken_for_sigterm() -> None:
    with pytest.raises(KeyboardInterrupt), termination_as_interrupt():
        signal.raise_signal(signal.SIGINT)
    assert not terminated()


def test_whoever_handles_ctrl_c_handles_sigterm() -> None:
    noted: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: noted.append(number))
    try:
        with termination_as_interrupt():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGINT, before)
    assert noted == [signal.SIGINT]


def test_where_ctrl_c_is_ignored_sigterm_still_ends() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt), termination_as_interrupt():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGINT, before)


def test_somebody_elses_handler_stays() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with termination_as_interrupt():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_a_thread_leaves_signals_alone() -> None:
    seen: list[object] = []

    def look() -> None:
        with termination_as_interrupt():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


class Process:
    """One that gets a signal of this process while it is waited for, and ends when it is waited for again."""

    def __init__(self, number: int | None) -> None:
        self.number, self.told, self.waits = number, 0, 0

    def wait(self) -> int:
        self.waits += 1
        if self.number is not None and self.waits == 1:
            signal.raise_signal(self.number)
        return 3

    def terminate(self) -> None:
        self.told += 1


@pytest.mark.parametrize(("number", "told"), [(signal.SIGTERM, 1), (signal.SIGINT, 0)])
def test_a_process_that_was_started_hears_of_sigterm_and_is_waited_for(number: int, told: int) -> None:
    process = Process(number)
    with pytest.raises(KeyboardInterrupt), termination_as_interrupt():
        wait_for(process)  # type: ignore[arg-type]
    assert (process.told, process.waits) == (told, 2)


def test_the_exit_code_of_a_process_is_given() -> None:
    assert wait_for(Process(None)) == 3  # type: ignore[arg-type]


def test_a_step_runs_and_its_exit_code_is_given(capfd) -> None:
    assert run_step(["protocols", "show", "nothing-of-that-name"], output=2) == 2
    assert "nothing-of-that-name" in capfd.readouterr().err
    assert run_step(["--version"]) == 0
    assert "posebench" in capfd.readouterr().out


def test_a_step_whose_parent_is_another_ends_as_by_sigterm(monkeypatch) -> None:
    monkeypatch.setattr(ending, "_LOOK", 0.01)
    monkeypatch.setenv("POSEBENCH_STEP_OF", "4711")
    parents = iter([4711, 4711, 1])
    with pytest.raises(KeyboardInterrupt), termination_as_interrupt():
        end_with_parent(lambda: next(parents))
        assert "POSEBENCH_STEP_OF" not in os.environ  # what it starts itself is no step of that process
        time.sleep(30)
    assert terminated()


@pytest.mark.parametrize("told", ["", "x", None])
def test_a_command_that_is_no_step_has_no_watch(monkeypatch, told) -> None:
    if told is not None:
        monkeypatch.setenv("POSEBENCH_STEP_OF", told)
    before = threading.active_count()
    end_with_parent(lambda: pytest.fail("looked"))
    assert threading.active_count() == before


def children(parent: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def alive(process: int) -> bool:
    """Whether it runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def waited(true: Callable[[], bool]) -> bool:
    return any(true() or time.sleep(0.05) for _ in range(1200))


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes as Linux shows them")
def test_a_step_does_not_outlive_a_parent_that_was_killed(tmp_path) -> None:
    poses = np.random.default_rng(0).normal(size=(3000, 17, 3)) * 300
    pb.write(pb.PoseSet(poses, skeleton="h36m17", unit="mm", reference="camera"), tmp_path / "gt.npz")
    # It would work for hours.
    step = ["bank", "build", "--gt", "gt.npz", "--gt-skeleton", "h36m17", "-k", "300", "--name", "a"]
    step += ["--n-init", "100000", "--tol", "0", "--checkpoint", "state"]
    code = f"from posebench.ending import run_step; run_step({step!r})"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        assert waited(lambda: any((tmp_path / "state").glob("*.npz"))), "the step never began"
        (child,) = children(parent.pid)
        assert alive(child)
    finally:
        parent.kill()
        parent.wait()
    assert waited(lambda: not alive(child))
    assert not list(tmp_path.glob("a-*"))
