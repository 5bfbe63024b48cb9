"""How a command ends early: by Ctrl-C, or by SIGTERM, which is taken as Ctrl-C but for the exit code.

Schedulers and `docker stop` send SIGTERM some seconds before they kill; whoever keeps a state on Ctrl-C keeps it then.
A command that another one started as a step (`run_step`) also ends when that one is gone, killed without a word: else
it would work on for hours, unseen, beside the same command called again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

#: Environment variable that tells a step the number of the process that started it.
_PARENT = "POSEBENCH_STEP_OF"
#: Seconds between two looks at whether that process is there.
_LOOK = 1.0

_told = threading.Event()


@contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM do inside what Ctrl-C does; outside the main thread, or where it is ignored, nothing changes."""
    _told.clear()
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def terminated() -> bool:
    """Whether SIGTERM came."""
    return _told.is_set()


def run_step(command: Sequence[str], *, output: int | None = None) -> int:
    """Run a command of posebench in a process of its own that ends with this one, and wait for its exit code.

    Parameters
    ----------
    command : sequence of str
        What follows `posebench`.
    output : int, optional
        File descriptor that its stdout goes to.

    Raises
    ------
    OSError, ValueError
        If it cannot be started.
    """
    told = {**os.environ, _PARENT: str(os.getpid())}
    # posebench itself, and no shell between
    return wait_for(subprocess.Popen([sys.executable, "-m", "posebench", *command], stdout=output, env=told))  # noqa: S603


def end_with_parent(parent_of: Callable[[], int] = os.getppid) -> None:
    """Where this process is a step of another, take the end of that one for SIGTERM."""
    told = os.environ.pop(_PARENT, "")
    if told.isdecimal():
        threading.Thread(target=_watch, args=(int(told), parent_of), daemon=True).start()


def _watch(parent: int, parent_of: Callable[[], int]) -> None:
    # Orphans get another parent.
    while parent_of() == parent:
        time.sleep(_LOOK)
    os.kill(os.getpid(), signal.SIGTERM)


def wait_for(process: subprocess.Popen[bytes]) -> int:
    """The exit code of a process that posebench started, which on Ctrl-C is given time to keep its state.

    Ctrl-C reaches both; SIGTERM reaches one, and is passed on.
    """
    try:
        return process.wait()
    except KeyboardInterrupt:
        if terminated():
            process.terminate()
        process.wait()
        raise


def _interrupt(number: int, frame: FrameType | None) -> None:
    _told.set()
    # A process in the background ignores Ctrl-C, and is to end now all the same.
    if not callable(signal.getsignal(signal.SIGINT)):
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


__all__ = ["end_with_parent", "run_step", "terminated", "termination_as_interrupt", "wait_for"]
