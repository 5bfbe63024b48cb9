"""The command line in a copy of this process, which a signal reaches before any of its changes to files."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

#: Where `tests` lies.
_ROOT = Path(__file__).parents[2]

#: What is counted besides files that are opened to be written, and forced to disk.
_EVENTS = ("os.rename", "os.remove", "os.mkdir", "os.truncate", "subprocess.Popen")


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, or the number of the signal with a minus; its changes; its stderr."""

    code: int
    changes: int
    err: str


def run(arguments: Sequence[str], folder: Path, *, at: int = 0, by: int = signal.SIGKILL) -> Ended:
    """Run a command, which gets a signal before its change of some number below a folder; by default none."""
    said, told = os.pipe(), os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks where there are threads: they do not go along
        child = os.fork()
    if child == 0:
        _live(arguments, folder, at, by, said[1], told[1])
    for pipe in (said, told):
        os.close(pipe[1])
    with open(said[0], "rb") as err, open(told[0], "rb") as count:
        words = err.read().decode(errors="replace")
        changes = int(count.read() or b"0")
    return Ended(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), changes, words)


@contextmanager
def apart() -> Iterator[Callable[..., Ended]]:
    """A function like `run` that copies another process: torch trains in no copy of one in which it has trained."""
    code = "import model_zoo.epipolarpose.training; from tests.faults.dying import serve; serve()"
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    ) as server:  # fmt: skip
        assert server.stdin is not None
        assert server.stdout is not None

        def run_there(arguments: Sequence[str], folder: Path, *, at: int = 0, by: int = signal.SIGKILL) -> Ended:
            assert server.stdin is not None
            assert server.stdout is not None
            print(json.dumps([list(arguments), str(folder), at, int(by)]), file=server.stdin, flush=True)
            return Ended(**json.loads(server.stdout.readline()))

        yield run_there
        server.stdin.close()


def serve() -> None:
    """What the other process does."""
    for line in sys.stdin:
        arguments, folder, at, by = json.loads(line)
        os.chdir(folder)
        print(json.dumps(asdict(run(arguments, Path(folder), at=at, by=by))), flush=True)


def _live(arguments: Sequence[str], folder: Path, at: int, by: int, said: int, told: int) -> None:
    """The copy; it does not return."""
    count, sync = 0, os.fsync

    def change() -> bool:
        nonlocal count
        count += 1
        return count == at

    def watch(event: str, given: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = given
            if isinstance(path, int) or not flags & (os.O_WRONLY | os.O_RDWR):
                return
        elif event == "subprocess.Popen":
            path = folder
        elif event in _EVENTS:
            path = given[0]
        else:
            return
        if not isinstance(path, int) and os.path.abspath(os.fsdecode(path)).startswith(str(folder)) and change():
            os.kill(os.getpid(), by)

    def synced(descriptor: int) -> None:
        if change():
            if by == signal.SIGKILL and stat.S_ISREG(
                os.fstat(descriptor).st_mode
            ):  # half of it had not reached the disk
                os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            os.kill(os.getpid(), by)
        sync(descriptor)

    code: object = 3
    try:
        from posebench.cli import main

        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(said, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        sys.argv = ["posebench", *arguments]
        os.fsync = synced
        sys.addaudithook(watch)
        main()
    except SystemExit as ended:
        code = ended.code or 0
    finally:
        sys.stderr.flush()
        os.write(told, str(count).encode())
        os._exit(code if isinstance(code, int) else 3)


__all__ = ["Ended", "apart", "run", "serve"]
