"""How a command ends early: by Ctrl-C, or by SIGTERM, which is taken as Ctrl-C but for the exit code.

Schedulers and `docker stop` send SIGTERM some seconds before they kill; whoever keeps a state on Ctrl-C keeps it then.
"""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

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


__all__ = ["terminated", "termination_as_interrupt", "wait_for"]
