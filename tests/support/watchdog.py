"""Breaks off what does not come back, so that a test of a file that could be read for ever fails instead of hanging."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

#: Processor time in seconds, some hundred times what is needed: no measurement, and a busy machine changes nothing.
SECONDS = 60


@contextlib.contextmanager
def watchdog() -> Iterator[None]:
    """Raise TimeoutError inside after so much processor time, where the system can count it."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def bark(signum: int, frame: object) -> None:
        raise TimeoutError(f"not done after {SECONDS} s of processor time")

    before = signal.signal(signal.SIGPROF, bark)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
