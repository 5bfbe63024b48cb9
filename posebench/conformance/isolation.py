"""Calling somebody's function so that whatever it does is an outcome: errors, exits, prints, endless loops.

It runs in a thread of this process with its own stand-ins for stdout, stderr and stdin. That is no sandbox: the
function may do what this process may, and one that ends the process (a crash in C, `os._exit`) ends it.
"""

from __future__ import annotations

import ctypes
import io
import os
import random
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Seconds that a function which is told to stop has for it.
_GRACE = 2.0
_LONGEST_MESSAGE = 160


@dataclass
class Outcome:
    """What came of a call. `alive` says that it runs on and cannot be stopped."""

    value: Any = None
    error: BaseException | None = None
    too_long: bool = False
    alive: bool = False
    printed: int = 0

    @property
    def error_text(self) -> str:
        """The error in one line of printable characters."""
        if self.error is None:
            return ""
        with suppress(BaseException):  # its __str__ is foreign code as well
            text = " ".join(str(self.error).split())
            text = "".join(letter if letter.isprintable() else "?" for letter in text)
            if len(text) > _LONGEST_MESSAGE:
                text = text[:_LONGEST_MESSAGE] + "..."
            return f"{type(self.error).__name__}: {text}" if text else type(self.error).__name__
        return type(self.error).__name__


def called(function: Callable[[], Any], limit: float) -> Outcome:
    """Call `function` and wait for it, at most `limit` seconds."""
    outcome = Outcome()

    def work() -> None:
        try:
            outcome.value = function()
        except BaseException as error:  # SystemExit and KeyboardInterrupt are its own here
            outcome.error = error

    with _kept_state(), _muted(outcome):
        thread = threading.Thread(target=work, daemon=True, name="scorer")
        thread.start()
        thread.join(limit)
        if thread.is_alive():
            outcome.too_long = True
            _stop(thread)
            outcome.alive = thread.is_alive()
    return outcome


def _stop(thread: threading.Thread) -> None:
    """Raise SystemExit inside the thread, again and again while it catches it."""
    assert thread.ident is not None
    for _ in range(4):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
        thread.join(_GRACE / 4)
        if not thread.is_alive():
            return


@contextmanager
def _kept_state() -> Iterator[None]:
    """Put back what the function may change for everybody: random numbers, warnings, the working directory."""
    legacy, own, folder = np.random.get_state(), random.getstate(), os.getcwd()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            np.random.set_state(legacy)
            random.setstate(own)
            os.chdir(folder)


@contextmanager
def _muted(outcome: Outcome) -> Iterator[None]:
    """Take what is printed, also by C code, and count it; reading finds the end of input."""
    streams = sys.stdin, sys.stdout, sys.stderr
    told = io.StringIO()
    with tempfile.TemporaryFile() as raw:
        _flush(streams)
        saved = _redirected(raw.fileno())
        sys.stdin, sys.stdout, sys.stderr = io.StringIO(), told, told
        try:
            yield
        finally:
            sys.stdin, sys.stdout, sys.stderr = streams
            for number, copy in saved:
                os.dup2(copy, number)
                os.close(copy)
            with suppress(ValueError):  # closed by the function
                outcome.printed += len(told.getvalue())
            outcome.printed += os.fstat(raw.fileno()).st_size


def _flush(streams: tuple[Any, ...]) -> None:
    for stream in streams[1:]:
        with suppress(AttributeError, ValueError, OSError):
            stream.flush()


def _redirected(target: int) -> list[tuple[int, int]]:
    """Point descriptors 1 and 2 at `target`; (number, copy of what it was) for those that are open."""
    saved = []
    for number in (1, 2):
        with suppress(OSError):
            saved.append((number, os.dup(number)))
            os.dup2(target, number)
    return saved
