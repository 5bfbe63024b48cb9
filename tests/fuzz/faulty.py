"""Readers that do what no reader may, to show that fuzzing notices it: each spoils every file but the whole one."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random

from posebench.errors import InputError
from tests.fuzz.mutations import CANARY
from tests.fuzz.targets import Target

_WHOLE = b"whole"


def _raises(path: Path) -> None:
    raise KeyError("poses")


def _warns(path: Path) -> None:
    warnings.warn("overflow", RuntimeWarning, stacklevel=1)


def _loops(path: Path) -> None:
    while True:
        pass


def _takes_memory(path: Path) -> None:
    bytearray(2**31)


def _crashes(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _says(path: Path) -> None:
    os.write(2, b"H5E: error")


def _leaves(path: Path) -> None:
    path.with_name("left").write_text("x")


def _writes_elsewhere(path: Path) -> None:
    Path(path.parents[1], f"{path.parent.name}.elsewhere").touch()
    Path(path.parents[1], f"{path.parent.name}.elsewhere").unlink()


def _opens_elsewhere(path: Path) -> None:
    Path("/etc/hostname").exists()
    with open("/proc/self/environ", "rb") as file:
        file.read(1)


def _is_called(path: Path) -> None:
    os.mkdir(CANARY)


def _starts(path: Path) -> None:
    os.system("true")  # noqa: S605


def _tells_a_story(path: Path) -> None:
    raise InputError(f"{path}: is wrong\nin two lines")


def _never_ends(path: Path) -> None:
    raise InputError(f"{path}: " + "long " * 1000)


def _target(name: str, fault: Callable[[Path], object]) -> Target:
    def read(path: Path) -> object:
        return None if path.read_bytes() == _WHOLE else fault(path)

    def mutation(rng: Random, files: object) -> bytes:
        return b"damaged"

    return Target(f"faulty-{name}", "a.txt", lambda folder: [_WHOLE], mutation, read, seconds=0.5)


#: Reader -> what its findings say.
SAYS = {
    "raises": "KeyError: 'poses'", "warns": "RuntimeWarning: overflow", "loops": "took more than 0.5 s",
    "memory": "ran out of memory", "crashes": "ended the process: -11", "says": "said b'H5E: error'",
    "leaves": "left behind", "writes": "wrote ", "opens": "opened ", "called": "left behind", "starts": "os.system",
    "story": "in two lines", "long": "a message of 50",
}  # fmt: skip
_FAULTS = (
    *(
        _raises,
        _warns,
        _loops,
        _takes_memory,
        _crashes,
        _says,
        _leaves,
        _writes_elsewhere,
        _opens_elsewhere,
        _is_called,
    ),
    *(_starts, _tells_a_story, _never_ends),
)
FAULTY = {f"faulty-{name}": _target(name, fault) for name, fault in zip(SAYS, _FAULTS, strict=True)}
