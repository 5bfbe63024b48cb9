"""Fuzzing one reader: workers that read damaged files, begun again behind whatever ended them, and what came of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from posebench.errors import PosebenchError
from tests.fuzz.faulty import FAULTY
from tests.fuzz.targets import ROOT, TARGETS, Target
from tests.fuzz.worker import ENDED, FINDING, OUTCOMES

#: Seconds of the clock without a further file after which a worker is ended: it waits for something, as for a pipe.
PATIENCE = 300


@dataclass(frozen=True)
class Campaign:
    """What came of the first files of a target.

    target : str
    files : int
    outcomes : mapping from str to int
        How many were refused, read, scored, and so on; `ended` are those of which a library crashed or did not return.
    slowest : float
        Processor time of the slowest file, in seconds.
    memory : int
        Bytes that the process took at most beyond what it had before the first of them.
    findings : mapping from int to str
        Number of a file -> what should not have happened.
    """

    target: str
    files: int
    outcomes: Mapping[str, int]
    slowest: float
    memory: int
    findings: Mapping[int, str]


def _open(folder: Path, count: int) -> np.memmap:
    """The records of a folder, made or lengthened for so many files."""
    (folder / "findings").mkdir(parents=True, exist_ok=True)
    for name, dtype in (("outcomes", np.uint8), ("seconds", np.float32), ("memory", np.int64)):
        path = folder / name
        wanted = 2 if name == "memory" else count
        if not path.exists() or path.stat().st_size < wanted * np.dtype(dtype).itemsize:
            with path.open("ab") as file:
                file.truncate(wanted * np.dtype(dtype).itemsize)
    return np.memmap(folder / "outcomes", np.uint8, "r+")


def run(name: str, count: int, folder: Path) -> Campaign:
    """Let the first `count` files of a target be read, except those that `folder` knows the outcome of."""
    target = _target(name)
    outcomes = _open(folder, count)
    current = np.memmap(folder / "memory", np.int64, "r+")
    while len(left := np.flatnonzero(outcomes[:count] == 0)):
        first = int(left[0])
        last = int(left[-1]) + 1
        command = [sys.executable, "-m", "tests.fuzz.worker", name, str(first), str(last), str(folder)]
        current[0] = -1
        with tempfile.TemporaryFile() as said:
            code = _watched(command, said, outcomes)
            said.seek(0)
            words = said.read().decode("utf-8", "replace")
        if code == 0:
            continue
        number = int(current[0])
        if number < 0 or code == 1:  # no signal, but a mistake in these very files
            raise RuntimeError(f"the worker for {name} broke off at file {number} (code {code}):\n{words[-4000:]}")
        outcomes[number] = ENDED
        reason = _again(name, number, folder) if target.isolated else f"ended the process: {code}\n{words[-2000:]}"
        if reason:
            outcomes[number] = FINDING
            (folder / "findings" / f"{number}.txt").write_text(reason)
    return result(name, folder, count)


def run_together(names: Sequence[str], count: int, folder: Path) -> None:
    """Read the first files of many targets in one process, which saves the time to start; `run` does what is left."""
    # Those that may crash the process come last.
    names = sorted(names, key=lambda name: _target(name).isolated)
    words = [word for name in names for word in (name, "0", str(count), str(folder / name))]
    last = [_open(folder / name, count) for name in names][-1]
    with tempfile.TemporaryFile() as said:
        _watched([sys.executable, "-m", "tests.fuzz.worker", *words], said, last, whole=True)


def _target(name: str) -> Target:
    return TARGETS[name] if name in TARGETS else FAULTY[name]


def _watched(command: list[str], said: IO[bytes], outcomes: np.memmap, *, whole: bool = False) -> int:
    """The worker's exit code; it is ended if nothing comes of it any more. `whole`: there are other records too."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
    ) as worker:
        done = -1
        while True:
            try:
                return worker.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                now = int(np.count_nonzero(outcomes))
                if now == done and not whole:
                    worker.send_signal(signal.SIGKILL)
                    return worker.wait()
                done = now


def _again(name: str, number: int, folder: Path) -> str:
    """What is wrong with a file that ended the process, when it is read as users read it: nothing, if it is refused."""
    target = _target(name)
    with tempfile.TemporaryDirectory() as scratch:
        making, path = Path(scratch, "making"), Path(scratch, target.file)
        making.mkdir()
        path.write_bytes(target.damaged(target.whole(making), number))
        (folder / "findings" / f"{number}.ended{path.suffix}").write_bytes(path.read_bytes())
        try:
            target.read(path)
        except PosebenchError as error:
            return "" if "\n" not in str(error) else f"more than a sentence: {error}"
        except Exception as error:
            return f"raised {error!r}"
    return ""


def result(name: str, folder: Path, count: int | None = None) -> Campaign:
    """What is known of a target so far."""
    outcomes = np.fromfile(folder / "outcomes", np.uint8)[:count]
    seconds = np.fromfile(folder / "seconds", np.float32)[: len(outcomes)]
    counts = {each: int((outcomes == code).sum()) for code, each in enumerate(OUTCOMES) if code}
    findings = {
        int(number): (folder / "findings" / f"{number}.txt").read_text("utf-8", "replace")
        for number in np.flatnonzero(outcomes == FINDING)
    }
    memory = int(np.fromfile(folder / "memory", np.int64)[1])
    return Campaign(name, sum(counts.values()), counts, float(seconds.max(initial=0)), memory, findings)
