"""Processes that work is spread over: how they are started, how many threads they take, and how they end.

What they do is the business of `posebench.scoring.shards`, of `posebench.datasets.open4v.parts` and of
`posebench.banks.sharded`. Processes on other machines are those of `posebench.scheduling`.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from typing import Any, Protocol, TypeVar

from posebench.errors import InputError, PosebenchError, UsageError
from posebench.kernels.dispatch import threads
from posebench.skeletons import Skeleton, register_skeleton, registered_skeletons

Shared = TypeVar("Shared")
Item = TypeVar("Item")
T = TypeVar("T")

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


# Work that comes in items, whose results are wanted in the order of the items


class Spread(Protocol):
    """`function(shared, item)` for every item, results in the order of the items, few of them under way at a time."""

    def __call__(self, function: Callable[[Shared, Item], T], shared: Shared, items: Iterable[Item]) -> Iterator[T]:
        """Results in the order of the items; raises what the function raises."""


@dataclass(frozen=True)
class Failure:
    """A `PosebenchError` on its way from another process: the sentence, and whether the call was bad."""

    sentence: str
    usage: bool


def guarded(function: Callable[[Shared, Item], T], shared: Shared, item: Item) -> T | Failure:
    """The result, or what went wrong as plain data."""
    try:
        return function(shared, item)
    except PosebenchError as error:
        return Failure(str(error), isinstance(error, UsageError))


def checked(outcome: T | Failure) -> T:
    """The result; raises what went wrong."""
    if isinstance(outcome, Failure):
        raise UsageError(outcome.sentence) if outcome.usage else InputError(outcome.sentence)
    return outcome


def spread_here(function: Callable[[Shared, Item], T], shared: Shared, items: Iterable[Item]) -> Iterator[T]:
    """A `Spread` without other processes.

    Examples
    --------
    >>> list(spread_here(lambda shared, item: shared * item, 2, [1, 2]))
    [2, 4]
    """
    for item in items:
        yield function(shared, item)


@contextmanager
def processes(jobs: int, what: str) -> Iterator[Spread]:
    """A `Spread` over so many processes, which share the cores and end with the block; `what` are the words for errors.

    Raises
    ------
    InputError
        If a process is ended from outside.
    """
    if jobs == 1:
        yield spread_here
        return
    pool = ProcessPoolExecutor(
        jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_begin, initargs=(registered_skeletons(),)
    )

    def spread(function: Callable[[Shared, Item], T], shared: Shared, items: Iterable[Item]) -> Iterator[T]:
        pending: deque[Future[Any]] = deque()
        for item in items:
            pending.append(pool.submit(guarded, function, shared, item))
            if len(pending) >= 3 * jobs:
                yield checked(pending.popleft().result())
        while pending:
            yield checked(pending.popleft().result())

    try:
        with environment({**ONE_THREAD, "POSEBENCH_THREADS": str(max(1, threads() // jobs))}), uninterrupted():
            for _ in range(jobs):
                pool.submit(int)  # starts one more as long as none is idle
        yield spread
    except BrokenProcessPool:
        raise InputError(
            f"{what}: a process was ended from outside, perhaps for want of memory; take fewer --jobs, or smaller "
            "shards"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(skeletons: Sequence[Skeleton]) -> None:
    leave_with_parent()
    for skeleton in skeletons:
        register_skeleton(skeleton)


__all__ = [
    "ONE_THREAD",
    "Failure",
    "Spread",
    "checked",
    "environment",
    "guarded",
    "leave_with_parent",
    "processes",
    "spread_here",
    "uninterrupted",
]
