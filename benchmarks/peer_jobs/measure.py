"""What the jobs share: a case, whether two results are the same, and how long both sides take.

Results are compared before anything is timed. Both sides then run in turns, so that other work on the machine slows
both, and the best run of each counts: on the wall, and in computing time of all threads and child processes.
"""

from __future__ import annotations

import importlib
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from score_speed import poses_like_h36m


@dataclass(frozen=True)
class Size:
    """How much is computed.

    poses : int
    looped : int
        Poses for peers that are called pose by pose, and files of text.
    repeats : int
        Runs of each side.
    """

    poses: int
    looped: int
    repeats: int


@dataclass(frozen=True)
class Same:
    """Whether two results agree.

    agrees : bool, optional
        None where they are not expected to; `words` then say by how much they differ.
    words : str
    """

    agrees: bool | None
    words: str


@dataclass(frozen=True)
class Case:
    """One peer beside posebench.

    package : str
        What pip calls the peer.
    peer, own : str
        What is called, in Markdown.
    theirs, ours : callable
        Do the work and return what `compare` takes.
    compare : callable
    number : (int, int)
        How many units the peer and posebench work through.
    unit : str
    dtype : str
        Of what goes in.
    threads : bool
        Whether both can use more than one.
    differs : str
        What the peer computes otherwise, or does not.
    reason : str
        Why the peer may be faster; shown where it is.
    """

    package: str
    peer: str
    own: str
    theirs: Callable[[], Any]
    ours: Callable[[], Any]
    compare: Callable[[Any, Any], Same]
    number: tuple[int, int]
    unit: str = "pose"
    dtype: str = "float64"
    threads: bool = False
    differs: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Job:
    """Cases that do one thing."""

    name: str
    introduction: str
    cases: Callable[[Size, Peers], Iterator[Case]]


@dataclass
class Peers:
    """Packages by their names in Python, as far as they are installed; what is missing is remembered."""

    missing: set[str] = field(default_factory=set)
    versions: dict[str, str] = field(default_factory=dict)

    def get(self, module: str, package: str = "") -> ModuleType | None:
        """A module, or None; `package` is what pip calls it, if otherwise."""
        package = package or module
        try:
            found = importlib.import_module(module)
        except ImportError:
            self.missing.add(package)
            return None
        self.versions[package] = version(package)
        return found


def close(theirs: npt.ArrayLike, ours: npt.ArrayLike, tolerance: float, unit: str) -> Same:
    """Whether all numbers agree to an absolute tolerance."""
    a, b = np.asarray(theirs, np.float64), np.asarray(ours, np.float64)
    if a.shape != b.shape:
        return Same(False, f"shapes {a.shape} and {b.shape}")
    apart = float(np.abs(a - b).max())
    return Same(bool(apart <= tolerance), f"≤ {tolerance:.0e} {unit} apart: {apart:.0e}")


@lru_cache(maxsize=2)
def people(n: int) -> tuple[str, Any, Any, dict[str, Any]]:
    """Poses as `poses_like_h36m` gives them; what was read once is kept."""
    return poses_like_h36m(n)


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """Let every library that is loaded take so many threads."""
    from threadpoolctl import threadpool_limits

    for module, setter in (
        ("torch", "set_num_threads"),
        ("faiss", "omp_set_num_threads"),
        ("cv2", "setNumThreads"),
        ("pyarrow", "set_cpu_count"),
    ):
        if module in sys.modules:
            getattr(sys.modules[module], setter)(threads)
    before = os.environ.get("POSEBENCH_THREADS")
    os.environ["POSEBENCH_THREADS"] = str(threads)
    try:
        with threadpool_limits(threads):
            yield
    finally:
        if before is None:
            del os.environ["POSEBENCH_THREADS"]
        else:
            os.environ["POSEBENCH_THREADS"] = before


def rows(case: Case, repeats: int) -> Iterator[dict[str, Any]]:
    """What was measured of a case: on one thread, and where both can, on all of them."""
    for threads in (1, cores()) if case.threads and cores() > 1 else (1,):
        with limited(threads):
            same = case.compare(case.theirs(), case.ours())  # also compiles, loads, fills the page cache
            theirs, ours = alternating(case.theirs, case.ours, repeats)
        yield {
            "package": case.package,
            "peer": case.peer,
            "own": case.own,
            "unit": case.unit,
            "dtype": case.dtype,
            "threads": threads,
            "number": list(case.number),
            "agrees": same.agrees,
            "result": same.words,
            "peer_wall": theirs[0] / case.number[0],
            "peer_cpu": theirs[1] / case.number[0],
            "own_wall": ours[0] / case.number[1],
            "own_cpu": ours[1] / case.number[1],
            "differs": case.differs,
            "reason": case.reason,
        }


def alternating(
    theirs: Callable[[], object], ours: Callable[[], object], repeats: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Least time on the wall and least computing time (s) of each of two functions that run in turns."""
    best = {theirs: (np.inf, np.inf), ours: (np.inf, np.inf)}
    for _ in range(repeats):
        for function, (wall, cpu) in best.items():
            begun, computed = time.perf_counter(), computing()
            function()
            best[function] = min(wall, time.perf_counter() - begun), min(cpu, computing() - computed)
    return best[theirs], best[ours]


def computing() -> float:
    """Computing time (s) of all threads of this process, and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
