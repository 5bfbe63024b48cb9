"""Child processes that start in milliseconds: copies of one process that has h5py and SciPy loaded.

They do what `posebench.io.child.run` lets a new process do, for tests that read hundreds of files.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from posebench.io import child_main

SERVER = f"""
import json, os, sys, importlib.util, h5py, scipy.io
spec = importlib.util.spec_from_file_location("child_main", {child_main.__file__!r})
child = importlib.util.module_from_spec(spec)
spec.loader.exec_module(child)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        os._exit(child.main(json.loads(line)))
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@contextmanager
def forking() -> Iterator[Callable[[list[str], float], int]]:
    """Something to put in the place of `posebench.io.child.run`."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None

        def run(arguments: list[str], _seconds: float) -> int:
            server.stdin.write(json.dumps(arguments) + "\n")
            server.stdin.flush()
            return int(server.stdout.readline())

        yield run
        server.stdin.close()
