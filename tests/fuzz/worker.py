"""The process that reads damaged files: with limits, watched, and so that whoever began it knows what came of each.

    python -m tests.fuzz.worker TARGET FIRST LAST FOLDER [TARGET FIRST LAST FOLDER ...]

It may crash or be ended at any file; `campaign` then starts another one behind it. What came of a file stands in
FOLDER/outcomes, one byte each, its processor time in FOLDER/seconds, and what should not have happened in
FOLDER/findings with the file itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numba.core.event import Event, Listener, install_listener

from posebench.errors import MissingExtraError, PosebenchError
from posebench.io import child, child_main
from posebench.poses import KEYS, ORIGINS, REFERENCES, UNITS, KeyColumn, PoseSet
from tests.fuzz.faulty import FAULTY
from tests.fuzz.mutations import CANARY
from tests.fuzz.targets import POSES, ROOT, TARGETS, Target

#: What may come of a file, by the byte that says so; 0 is a file that nobody has read yet.
OUTCOMES = ("not run", "refused", "read", "scored", "score refused", "ended", "finding")
REFUSED, READ, SCORED, SCORE_REFUSED, ENDED, FINDING = range(1, 7)
#: Processor time of one file that another process would parse, in seconds; then this process ends.
HARD_SECONDS = 4.0
#: Memory that one process may take beyond what it has once it is warm, in bytes.
HEADROOM = 2**30
#: Longest message, beside the path.
LONGEST = 700
#: Of the files that are read, those whose number is a multiple of this are scored, for that takes most of the time.
EVERY = 2
METRICS = ["MPJPE", "PMPJPE", "PCK"]


class TooLateError(BaseException):
    """Beyond the time of one file; no reader catches it."""


class SpillError(Exception):
    """Something happened beside what was asked for."""


# ------------------------------------------------------------------------------------------------------------- watching


class Watch:
    """Sees what the interpreter does while a file is read: which files it opens, what it starts, where it writes."""

    FORBIDDEN = (
        *("os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "subprocess.Popen", "os.kill"),
        *("socket.connect", "socket.bind", "socket.getaddrinfo", "pickle.find_class", "webbrowser.open"),
        *("os.chmod", "os.chown", "os.link", "os.symlink", "os.putenv", "shutil.move", "os.setxattr", "pty.spawn"),
    )
    CHANGING = ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "shutil.rmtree", "tempfile.mkdtemp")

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        #: The one folder that may be written to.
        self.inside = os.sep
        #: Where Python, its packages and posebench's own files lie; reading there is no secret.
        self.readable = tuple(
            str(Path(place).resolve()) + os.sep
            for place in {sys.prefix, sys.base_prefix, *filter(os.path.isdir, sys.path), ROOT}
        )
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open":
            path, mode, flags = arguments
            if isinstance(path, int) or path is None:
                return
            place = os.path.realpath(os.fsdecode(path))
            writing = (
                bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)) if isinstance(flags, int) else False
            )
            if place.startswith(self.inside) or (not writing and place.startswith(self.readable)):
                return
            self.seen.append(f"{'wrote' if writing else 'opened'} {place} ({mode})")
        elif event in self.FORBIDDEN:
            self.seen.append(f"{event}{arguments!r:.200}")
        elif event in self.CHANGING and arguments and isinstance(arguments[0], str | bytes):
            place = os.path.realpath(os.fsdecode(arguments[0]))
            if not (place + os.sep).startswith(self.inside):
                self.seen.append(f"{event} {place}")

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        self.on, self.seen = True, []
        try:
            yield
        finally:
            self.on = False


_LIMITED = (resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)


def limit_memory() -> None:
    """Nothing may take much more than what is taken now."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for what, most in zip(_LIMITED, (now + HEADROOM, HEADROOM, 0), strict=True):
        resource.setrlimit(what, (most, resource.getrlimit(what)[1]))


def lift_limits() -> None:
    """As before: what another reader needs has yet to be loaded."""
    for what in _LIMITED:
        resource.setrlimit(what, (resource.getrlimit(what)[1],) * 2)


def forget_peak() -> None:
    """Let `peak_memory` begin again, where the system can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """The most memory that this process has held so far, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _too_late(signum: int, frame: object) -> None:
    raise TooLateError


@contextlib.contextmanager
def limited_time(seconds: float, hard: bool) -> Iterator[None]:
    """Raise after so much processor time; a library that does not return is ended a little later, or soon if hard."""
    # The second clock has no handler: it ends the process, for the first one waits until C code returns.
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_VIRTUAL, HARD_SECONDS if hard else 2 * seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


class Uncounted(Listener):
    """Stops the clocks while numba compiles: that comes once in the life of a process and is no matter of the file."""

    CLOCKS = (signal.ITIMER_PROF, signal.ITIMER_VIRTUAL)

    def __init__(self) -> None:
        self.depth = 0  # a kernel compiles those that it calls
        self.left: list[float] = []

    def on_start(self, event: Event) -> None:
        if self.depth == 0:
            self.left = [signal.setitimer(clock, 0)[0] for clock in self.CLOCKS]
        self.depth += 1

    def on_end(self, event: Event) -> None:
        self.depth -= 1
        if self.depth == 0:
            for clock, seconds in zip(self.CLOCKS, self.left, strict=True):
                signal.setitimer(clock, seconds)  # 0 for one that did not run


def parse_here() -> None:
    """Let the script that another process would run be run in this one, as often as is wanted."""
    child_main.limit = lambda nbytes, seconds: None  # type: ignore[assignment]
    child.run = lambda arguments, seconds: child_main.main(arguments)  # type: ignore[assignment]


# ------------------------------------------------------------------------------------------------------------- checking


def check_set(poses: object) -> None:
    """What a set promises, whatever file it comes from."""
    assert isinstance(poses, PoseSet), type(poses)
    n, j, axes = poses.poses.shape
    assert n > 0
    assert j > 0
    assert axes == 3
    assert poses.poses.dtype in (np.float32, np.float64)
    assert poses.poses.dtype.isnative
    assert poses.valid is None or (poses.valid.shape == (n, j) and poses.valid.dtype == bool)
    assert poses.skeleton is None or len(poses.skeleton) == j
    assert poses.unit in (None, *UNITS)
    assert poses.reference in REFERENCES
    assert poses.origin in (None, *ORIGINS)
    assert poses.fps is None or (np.isfinite(poses.fps) and poses.fps > 0)
    for key in KEYS:
        column = getattr(poses, key)
        if isinstance(column, KeyColumn):
            assert column.codes.shape == (n,)
            assert column.codes.min() >= 0
            assert column.codes.max() < len(column.names)
            assert all(isinstance(name, str) and len(name) <= 255 for name in column.names), column.names
            for name in column.names:
                name.encode()
        elif column is not None:
            assert column.shape == (n,)
            assert column.dtype == np.int64
    for name, shape in (("intrinsics", (3, 3)), ("extrinsics", (3, 4)), ("root_depth", ())):
        value = getattr(poses, name)
        assert value is None or (value.shape in (shape, (n, *shape)) and value.dtype == np.float64), name
    assert poses.dataset is None or isinstance(poses.dataset, str)
    for note in poses.notes:
        assert "\n" not in note
        note.encode()
    poses.poses[:100].copy()  # the numbers are there: no map beyond the end of a file


def check_message(error: PosebenchError, path: Path) -> None:
    """One sentence, of a length that can be read."""
    text = str(error)
    assert text
    assert "\n" not in text, text
    assert len(text) <= LONGEST + len(str(path)), f"a message of {len(text)} characters: {text[:300]}"
    text.encode()
    assert "does not fit into memory" not in text, text


def truth_for(poses: PoseSet, rng: Random) -> PoseSet:
    """Ground truth that a set can be held against: with its own keys, or with those of the undamaged files."""
    n, j, _ = poses.poses.shape
    truth = np.resize(POSES, (min(n, 5000), j, 3)) + np.arange(j)[:, None]
    facts: dict[str, Any] = {"unit": "mm", "skeleton": poses.skeleton, "stated": {"unit"}}
    if rng.random() < 0.7 and n <= 5000:
        facts |= poses.keys
    return PoseSet(truth, **facts)


def score(poses: PoseSet, rng: Random) -> int:
    """Score a set; the report holds numbers, or there is a sentence."""
    from posebench.scoring import score as scored

    if rng.random() < 0.5 and poses.unit is None:
        poses = poses.replace(unit="mm", stated={"unit"})
    try:
        report = scored(
            poses, truth_for(poses, rng), metrics=METRICS, protocol=rng.choice(("standard", "standard", "3dhp-mmpose"))
        )
    except PosebenchError as error:
        check_message(error, Path(poses.source))
        return SCORE_REFUSED
    json.dumps(report.to_dict(), allow_nan=False)
    return SCORED


# -------------------------------------------------------------------------------------------------------------- running


class Worker:
    """Reads the damaged files of one target, one after the other."""

    def __init__(self, target: Target, folder: Path, scratch: Path, watch: Watch) -> None:
        self.target, self.folder, self.scratch, self.watch = target, folder, scratch, watch
        watch.inside = str(scratch) + os.sep
        self.path = scratch / target.file
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if target.prepare is not None:
            target.prepare(scratch)
        with tempfile.TemporaryDirectory() as making:
            self.files = list(target.whole(Path(making)))
        assert self.files
        if target.isolated:
            parse_here()
        os.chdir(scratch)
        self.there = self._listing()
        self.said = tempfile.TemporaryFile()  # noqa: SIM115

    def warm_up(self) -> None:
        """Read the whole files twice, so that everything is loaded; most of them are read or scored."""
        for _ in range(2):
            fine = [self.outcome(content, 0) for content in self.files]
        wrong = [said for outcome, said in fine if outcome not in (READ, SCORED, SCORE_REFUSED)]
        assert len(wrong) <= len(fine) // 3, f"{len(wrong)} of {len(fine)} whole files are not read: {wrong}"
        if self.target.scored:
            for dtype in (np.float32, np.float64):
                for seed in range(3):
                    score(PoseSet(POSES.astype(dtype), unit="mm"), Random(seed))

    def _listing(self) -> set[str]:
        """What lies in the folder of the damaged file, and in the one for temporary files."""
        places = {self.scratch, self.scratch / "tmp", self.path.parent}
        return {entry.path for place in places for entry in os.scandir(place)}

    def outcome(self, content: bytes, number: int) -> tuple[int, str]:
        """What comes of one file, and what was wrong about it."""
        self.path.unlink(missing_ok=True)
        self.path.write_bytes(content)
        rng = Random(f"score {self.target.name} {number}")
        try:
            with (
                self.watch.watching(),
                limited_time(self.target.seconds, self.target.isolated),
                warnings.catch_warnings(),
            ):
                warnings.simplefilter("error")
                outcome, found = self._read()
                if self.target.scored and outcome == READ and number % EVERY == 0:
                    self.watch.on = False  # numba loads what it compiled before
                    outcome = score(found, rng)
                return outcome, ""
        except TooLateError:
            return (
                FINDING,
                f"took more than {self.target.seconds} s of processor time\n{traceback.format_exc(limit=-6)}",
            )
        except MemoryError:
            return FINDING, f"ran out of memory\n{traceback.format_exc(limit=-6)}"
        except Exception:
            return FINDING, traceback.format_exc(limit=-8)
        finally:
            os.chdir(self.scratch)

    def _read(self) -> tuple[int, Any]:
        try:
            found = self.target.read(self.path)
            if self.target.scored:
                check_set(found)
        except MissingExtraError:
            raise
        except PosebenchError as error:
            check_message(error, self.path)
            return REFUSED, None
        return READ, found

    def spilt(self) -> str:
        """What happened beside the reading: files, calls, words."""
        wrong = list(self.watch.seen)
        size = os.fstat(self.said.fileno()).st_size
        if size:
            self.said.seek(0)
            wrong.append(f"said {self.said.read(500)!r}")
            self.said.seek(0)
            self.said.truncate(0)
        new = self._listing() - self.there - {str(self.path)}
        if new:
            wrong.append(f"left behind {sorted(new)[:5]}")
            for place in sorted(new, reverse=True):
                shutil.rmtree(place) if os.path.isdir(place) else Path(place).unlink(missing_ok=True)
        if (Path.cwd() / CANARY).exists():
            wrong.append("ran a call out of the file")
        return "\n".join(wrong)

    def run(self, first: int, last: int) -> None:
        outcomes = np.memmap(self.folder / "outcomes", np.uint8, "r+")
        seconds = np.memmap(self.folder / "seconds", np.float32, "r+")
        memory = np.memmap(self.folder / "memory", np.int64, "r+")
        limit_memory()
        streams = [(number, os.dup(number)) for number in (1, 2)]
        for number, _ in streams:
            os.dup2(self.said.fileno(), number)
        try:
            for number in range(first, last):
                self._one(number, outcomes, seconds, memory)
        finally:
            lift_limits()
            for number, stream in streams:
                os.dup2(stream, number)
                os.close(stream)

    def _one(self, number: int, outcomes: Any, seconds: Any, memory: Any) -> None:
        memory[0] = number
        content = self.target.damaged(self.files, number)
        forget_peak()
        base, start = peak_memory(), time.process_time()
        outcome, wrong = self.outcome(content, number)
        seconds[number] = time.process_time() - start
        memory[1] = max(memory[1], peak_memory() - base)
        wrong = "\n".join(filter(None, (wrong, self.spilt())))
        if wrong:
            outcome = FINDING
            (self.folder / "findings" / f"{number}{Path(self.target.file).suffix}").write_bytes(content)
            (self.folder / "findings" / f"{number}.txt").write_text(wrong, "utf-8", "backslashreplace")
        outcomes[number] = outcome


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGPROF, _too_late)
    targets = {**TARGETS, **FAULTY}
    watch = Watch()
    with install_listener("numba:compile", Uncounted()):
        _read_all(arguments, targets, watch)
    return 0


def _read_all(arguments: list[str], targets: Mapping[str, Target], watch: Watch) -> None:
    for name, first, last, folder in zip(*[iter(arguments)] * 4, strict=True):
        place = Path(folder).resolve()
        with tempfile.TemporaryDirectory(prefix="fuzz", ignore_cleanup_errors=True) as scratch:
            root = Path(scratch).resolve()
            (root / "tmp").mkdir()
            before = os.environ.get("TMPDIR"), tempfile.tempdir
            os.environ["TMPDIR"] = tempfile.tempdir = str(root / "tmp")
            worker = Worker(targets[name], place, root, watch)
            worker.warm_up()
            worker.run(int(first), int(last))
            os.chdir("/")
            os.environ["TMPDIR"], tempfile.tempdir = before[0] or "", before[1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
