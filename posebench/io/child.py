"""Letting another process parse a file: started with limits, watched by the clock, its answer read with suspicion.

A damaged file can make SciPy's reader of .mat files and the HDF5 library crash, hang or take all memory. So they run in
`child_main.py`; what they find comes back as numbers, names and plain bytes, in a folder that then goes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from posebench.io import child_main

#: Longest answer of a child, in bytes: names and shapes, no coordinates.
INDEX_LIMIT = 2**26


class BrokenOffError(Exception):
    """The child ended without an answer; `seconds` is set if that was for want of time."""

    def __init__(self, seconds: int | None = None) -> None:
        super().__init__("the child process broke off")
        self.seconds = seconds


def ask(script: ModuleType, path: Path, folder: str, nbytes: int, seconds: int, *more: str) -> dict[str, Any]:
    """Let a child read a file into a folder, and return its answer.

    Parameters
    ----------
    script : module
        Has the function `convert`, which is called in the child.
    path : path
    folder : str
        An empty folder for what the child saves.
    nbytes, seconds : int
        Bounds of the child's memory and processor time, where the system knows such bounds; the clock that ends it
        everywhere stands at three times the seconds, since a busy machine is not the file's fault.
    *more : str
        Passed to `convert`.

    Raises
    ------
    BrokenOffError
        If the child crashed, took too long, or gave no answer that can be read.
    """
    assert script.__file__ is not None
    arguments = [str(Path(script.__file__).resolve()), str(path.resolve()), folder, str(nbytes), str(seconds), *more]
    code = run(arguments, 3 * seconds + 10)
    index = Path(folder, "index.json")
    # 128 + 24 and -24: ended by SIGXCPU, as the limit of processor time does.
    if code is None or code in (-24, 152):
        raise BrokenOffError(seconds)
    try:
        if code != 0 or index.stat().st_size > INDEX_LIMIT:
            raise BrokenOffError
        answer = json.loads(index.read_bytes())
    except (OSError, ValueError, RecursionError):
        raise BrokenOffError from None
    if not isinstance(answer, dict):
        raise BrokenOffError
    return answer


def run(arguments: list[str], seconds: float) -> int | None:
    """Run the child and return its exit code, None if it took too long."""
    command = [sys.executable, "-P", str(Path(child_main.__file__).resolve()), *arguments]
    environment = {
        **os.environ,
        # Threads of linear algebra, unused here, would count against the memory.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # HDF5 loads no compression plugins that a file names.
        "HDF5_PLUGIN_PRELOAD": "::",
    }
    null = subprocess.DEVNULL
    try:
        done = subprocess.run(  # noqa: S603
            command, stdin=null, stdout=null, stderr=null, env=environment, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return done.returncode
