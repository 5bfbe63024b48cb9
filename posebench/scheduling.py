"""Work spread over machines by Dask: reaching a scheduler, checking its workers, and handing out items of work.

Dask is asked for little: it runs `function(shared, item)` somewhere, and again elsewhere if a worker dies. What is
shared goes out once, as a result that Dask can make anew. Only a few items are under way at a time, so that results
do not pile up. What the work is, is the business of `posebench.scoring.shard_dask` and `posebench.banks.sharded`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from posebench import __version__
from posebench.errors import InputError, MissingExtraError, UsageError
from posebench.kernels.dispatch import one_thread, threads
from posebench.skeletons import Skeleton, register_skeleton, registered_skeletons
from posebench.workers import ONE_THREAD, Failure, Spread, checked, guarded, processes, uninterrupted

if TYPE_CHECKING:
    from distributed import Client, Future

#: The word for workers on this machine that are started for the occasion.
LOCAL = "local"
#: Seconds that a scheduler has to answer, that it may be without workers, and between two looks at them.
ANSWER, PATIENCE, _LOOK = 10.0, 120.0, 0.5
#: Set by Dask for its workers, to 64 kB. Chunks of poses are then mapped and zeroed anew for every array, which costs a
#: third of a second of system time for 250,000 poses; unset, glibc learns to keep what is freed.
_TRIM = "MALLOC_TRIM_THRESHOLD_"
#: The name under which posebench is installed.
_PACKAGE = "posebench-hpe"
#: Packages whose versions may change the last bit of a sum.
_NUMBERS = ("numpy", "numba", "scikit-learn")

Shared = TypeVar("Shared")
Item = TypeVar("Item")
T = TypeVar("T")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Told:
    """What every item of work needs: by whom it was sent, the skeletons known there, and what the items share."""

    version: str
    skeletons: tuple[Skeleton, ...]
    shared: Any


@contextmanager
def open_scheduler(
    scheduler: str | Client, workers: int = 1, say: Say | None = None, answer: float = ANSWER
) -> Iterator[Scheduler]:
    """A scheduler by its address; ``"local"`` is one with so many workers on this machine, which ends with the block.

    Parameters
    ----------
    scheduler : str or distributed.Client
        A client is used as it is, and left open.
    workers : int
        Worker processes of ``"local"``; they share the cores.
    say : callable, optional
        Called with a sentence if versions differ that may change the last bit of a number.
    answer : float
        Seconds that a scheduler has to answer, and to have a worker.

    Raises
    ------
    MissingExtraError
        If Dask is not installed.
    InputError
        If no scheduler answers at the address, it has no workers, or these have another version of posebench.
    """
    try:
        import distributed
    except ImportError:
        raise MissingExtraError("--scheduler", "dask", "distributed") from None
    if isinstance(scheduler, distributed.Client):
        yield _ready(Scheduler(scheduler), say, answer)
        return
    if not isinstance(scheduler, str) or not scheduler:
        raise UsageError(f"scheduler is {scheduler!r}, expected the address of a Dask scheduler, or {LOCAL!r}")
    with _quiet():
        cluster = _local(workers) if scheduler == LOCAL else None
        try:
            client = _client(scheduler if cluster is None else cluster.scheduler_address, answer)
            try:
                yield _ready(Scheduler(client), say, PATIENCE if cluster else answer)
            finally:
                client.close()
        finally:
            if cluster is not None:
                cluster.close()


@contextmanager
def spread_over(jobs: int, scheduler: str | Client | None, what: str, say: Say | None = None) -> Iterator[Spread]:
    """Processes here, or the workers of a scheduler; `what` are the words for errors.

    Raises
    ------
    MissingExtraError, InputError
        As `open_scheduler`.
    """
    if scheduler is None:
        with processes(jobs, what) as spread:
            yield spread
    else:
        with open_scheduler(scheduler, jobs, say) as farm:
            yield farm


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask from logging what is told here in a sentence: workers that die, connections that break."""
    names = [name for name in logging.Logger.manager.loggerDict if name.partition(".")[0] in ("distributed", "tornado")]
    before = {name: logging.getLogger(name).level for name in names}
    try:
        for name in names:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def _local(workers: int) -> Any:
    """Worker processes on this machine that Ctrl-C leaves to the one that started them."""
    import dask
    from distributed import LocalCluster

    each = {**ONE_THREAD, "POSEBENCH_THREADS": str(max(1, threads() // workers))}
    environ = "distributed.nanny.pre-spawn-environ"
    settings = {
        # Workers look at what they do a hundred times in a second, for a dashboard that is not there.
        "distributed.worker.profile.enabled": False,
        # They have the C library give back what is freed at once, and take as long to be given it again: see _TRIM.
        environ: {name: value for name, value in dask.config.get(environ, {}).items() if name != _TRIM},
    }
    with uninterrupted(), dask.config.set(settings):
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # its HTTP server, which there is all the same
            memory_limit=0,  # shards are mapped: pages that can go at any time would count
            silence_logs=logging.CRITICAL,
            env=each,
        )


def _client(address: str, answer: float) -> Client:
    from distributed import Client

    try:
        # A client that fails to connect goes on trying, and says so for a while; one that meets silence waits for ever.
        with ThreadPoolExecutor(1) as aside:
            aside.submit(_ask, address, answer).result()
        return Client(address, timeout=answer, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        why = f" ({error})" if isinstance(error, ValueError) else ""
        raise InputError(
            f"--scheduler {address}: no Dask scheduler answers there within {answer:g} s{why}; start one with `dask "
            "scheduler`, which prints its address, and workers with `dask worker ADDRESS`"
        ) from None


def _ask(address: str, answer: float) -> None:
    """Ask for a scheduler's identity; raises OSError if none tells it in time."""
    from distributed import Security, rpc

    async def ask() -> None:
        async with rpc(address, timeout=answer, connection_args=Security().get_connection_args("client")) as there:
            if (await there.identity()).get("type") != "Scheduler":
                raise ValueError("what answers is no scheduler")

    asyncio.run(asyncio.wait_for(ask(), answer))


def _ready(scheduler: Scheduler, say: Say | None, answer: float) -> Scheduler:
    from distributed import TimeoutError as NoWorker

    try:
        scheduler.client.wait_for_workers(1, timeout=answer)
    except (NoWorker, TimeoutError):
        raise InputError(
            f"{scheduler.address}: has no workers; start some with `dask worker {scheduler.address}` on machines that "
            "see the shards"
        ) from None
    scheduler.check_workers(say)
    return scheduler


class Scheduler:
    """Hands items of work to the workers of a Dask scheduler."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.address = str(client.scheduler.address) if client.scheduler is not None else "the scheduler"
        self._checked: set[str] = set()
        self._threads, self._looked, self._last_worker = 1, -_LOOK, time.monotonic()

    def __call__(self, function: Callable[[Shared, Item], T], shared: Shared, items: Iterable[Item]) -> Iterator[T]:
        """`function(shared, item)` for all items, results in the order of the items.

        Raises
        ------
        InputError
            If the function does; if the scheduler or its workers are gone, or an item has taken several workers down.
        """
        return self._run(function, shared, items, ordered=True)

    def finished(self, function: Callable[[Shared, Item], T], shared: Shared, items: Iterable[Item]) -> Iterator[T]:
        """As when called, but results as they come."""
        return self._run(function, shared, items, ordered=False)

    def check_workers(self, say: Say | None = None) -> None:
        """Raise if a worker that was not looked at before has another version of posebench, or none."""
        here = sorted(self._nthreads())
        new = [address for address in here if address not in self._checked]
        if not new:
            return
        own = _version(_PACKAGE)
        for address, version in self._version_at(new, _PACKAGE).items():
            if version != own:
                has = f"has posebench {version}" if version else f"has no posebench ({_PACKAGE})"
                raise InputError(
                    f"the worker {address} of {self.address} {has}, and here is {own or __version__}; install the "
                    "same everywhere"
                )
        for package in _NUMBERS if say is not None else ():
            own = _version(package)
            other = sorted({version or "none" for version in self._version_at(new, package).values() if version != own})
            if other:
                assert say is not None
                say(
                    f"workers of {self.address} have {package} {', '.join(other)}, and here is {own}: the last bits "
                    "of a number may differ from those of a run here"
                )
        self._checked.update(new)

    def _version_at(self, addresses: list[str], package: str) -> dict[str, str]:
        """Versions by worker; empty where the package is not installed."""
        # A function of the standard library, so that a worker without posebench can run it.
        try:
            found = self.client.run(metadata.version, package, workers=addresses, on_error="return")
        except (OSError, RuntimeError, ValueError):
            return {}  # they are gone again; what a worker is told holds the version too
        return {
            address: "" if isinstance(version, metadata.PackageNotFoundError) else version
            for address, version in found.items()
            if isinstance(version, str | metadata.PackageNotFoundError)
        }

    def _nthreads(self) -> dict[str, int]:
        try:
            return dict(self.client.nthreads())
        except (OSError, RuntimeError) as error:
            raise self._lost() from error

    def _lost(self) -> InputError:
        return InputError(
            f"{self.address}: the connection to the scheduler was lost; start the same command again once it is there"
        )

    def _run(
        self, function: Callable[[Shared, Item], T], shared: Shared, items: Iterable[Item], *, ordered: bool
    ) -> Iterator[T]:
        told = Told(__version__, registered_skeletons(), shared)
        holder = self._submit(_same, told)
        running: dict[Future, int] = {}
        ready: dict[int, T] = {}
        coming = enumerate(items)
        given = handed = 0
        try:
            while True:
                self._look()
                # In order, what waits for one that is slow counts too, so that it does not pile up.
                while given - handed < 2 * self._threads + 2:
                    number, item = next(coming, (None, None))
                    if number is None:
                        break
                    running[self._submit(_work, holder, function, item)] = number
                    given += 1
                if not running and not ready:
                    return
                if running:
                    self._collect(running, ready)
                for number in sorted(ready):
                    if ordered and number != handed:
                        break
                    result = ready.pop(number)
                    handed += 1
                    yield result
        finally:
            self._forget([*running, holder])

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Future:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large arguments: banks of many centres
            return self.client.submit(function, *arguments, pure=False)

    def _look(self) -> None:
        """See now and then whether there are workers, and who is new."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        self._looked = now
        found = self._nthreads()
        if found:
            self._last_worker, self._threads = now, sum(found.values())
            self.check_workers()
        elif now - self._last_worker > PATIENCE:
            raise InputError(
                f"{self.address}: has had no workers for {PATIENCE:g} s; start some with `dask worker {self.address}`, "
                "and the same command again"
            )

    def _collect(self, running: dict[Future, int], ready: dict[int, T]) -> None:
        """Move what is done from one to the other, after a while at the latest."""
        from distributed import TimeoutError as NotYet
        from distributed import wait
        from distributed.scheduler import KilledWorker

        try:
            with self.client.as_current():
                done = wait(list(running), timeout=_LOOK, return_when="FIRST_COMPLETED").done
        except (NotYet, TimeoutError):
            return
        except CancelledError as error:
            raise self._lost() from error
        failures = []
        for future in sorted(done, key=running.__getitem__):
            try:
                outcome = future.result(timeout=PATIENCE)
            except (NotYet, TimeoutError):
                return  # whoever held it is gone: it is made again, if there is still somebody
            except KilledWorker as error:
                raise InputError(
                    f"{self.address}: {1 + error.allowed_failures} workers died over the same shard, the last was "
                    f"{error.last_worker.address}; perhaps they want memory: take smaller shards, or fewer threads in "
                    "each worker"
                ) from None
            except (CancelledError, OSError) as error:
                raise self._lost() from error
            except (ImportError, AttributeError, RuntimeError):
                self.check_workers()  # a worker that came late, with another version
                raise
            number = running.pop(future)
            future.release()
            if isinstance(outcome, Failure):
                failures.append(outcome)
            else:
                ready[number] = outcome
        for failure in failures[:1]:
            checked(failure)

    def _forget(self, futures: list[Future]) -> None:
        """Let go of work that nobody waits for any more."""
        try:
            self.client.cancel(futures)
        except (OSError, RuntimeError, CancelledError):
            return


def _same(told: Told) -> Told:
    return told


def _work(told: Told, function: Callable[[Any, Any], T], item: Any) -> T | Failure:
    """What a worker does with an item."""
    if told.version != __version__:
        return Failure(
            f"the worker on {socket.gethostname()} has posebench {__version__}, and the command came from "
            f"{told.version}; install the same everywhere",
            usage=False,
        )
    for skeleton in told.skeletons:
        register_skeleton(skeleton)
    with one_thread():
        return guarded(function, told.shared, item)


def see_files(*paths: Path) -> None:
    """Raise unless this worker sees the files.

    Raises
    ------
    InputError
        With the worker's machine.
    """
    for path in paths:
        if not os.access(path, os.R_OK):
            raise InputError(
                f"{path}: cannot be read by the worker on {socket.gethostname()}; shards must lie where every worker "
                "sees them, under the same path"
            )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


__all__ = ["ANSWER", "LOCAL", "Scheduler", "open_scheduler", "see_files", "spread_over"]
