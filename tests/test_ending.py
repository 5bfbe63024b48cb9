"""SIGTERM as Ctrl-C: what keeps a state on the one keeps it on the other, and started processes hear of it."""

from __future__ import annotations

import signal
import threading

import pytest

from posebench.ending import terminated, termination_as_interrupt, wait_for

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
