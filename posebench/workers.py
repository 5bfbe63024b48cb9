"""Processes that work is spread over: how they are started, how many threads they take, and how they end.

What they do is the business of `posebench.scoring.shards` and of `posebench.datasets.open4v.parts`.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess

#: One thread in each process for libraries that start their own: processes are what work is spread over.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back, also from processes that are started inside: while they start, they could only fall over it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # It comes with the first process, and would let signals in again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables that processes started inside inherit."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def leave_with_parent() -> None:
    """Let a process finish its part on Ctrl-C, which reaches all of them; it ends when the first one is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


__all__ = ["ONE_THREAD", "environment", "leave_with_parent", "uninterrupted"]
