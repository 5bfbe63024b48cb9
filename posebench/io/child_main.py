"""The process in which a library parses a file of strangers, started by `child.py`.

    python child_main.py SCRIPT FILE FOLDER BYTES SECONDS ...

A damaged file can crash such a library, take all memory or never end. Here it takes only this process along, which sets
its own limits, lets `convert` of SCRIPT (`mat_child.py`, `hdf5_child.py`) save what was asked for in FOLDER, and
describes it in `index.json` there. It imports nothing of posebench, so that it starts fast.
"""

from __future__ import annotations

import contextlib
import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


def limit(nbytes: int, seconds: int) -> None:
    """Bound memory, time and the size of files, where the system can."""
    try:
        import resource
    except ImportError:  # Windows: the parent still watches the clock
        return
    # Short of the hard limit of time, which kills, there is a signal that says why.
    bounds = ("AS", nbytes, nbytes), ("FSIZE", nbytes, nbytes), ("CPU", seconds, seconds + 2), ("CORE", 0, 0)
    for name, soft, hard in bounds:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (soft, hard))


def main(arguments: list[str]) -> int:
    """Read one file; 0 if `index.json` says what came of it."""
    script, path, folder, nbytes, seconds, *rest = arguments
    limit(int(nbytes), int(seconds))
    try:
        spec = spec_from_file_location("child_script", script)
        assert spec is not None
        assert spec.loader is not None
        reader = module_from_spec(spec)
        spec.loader.exec_module(reader)
        index = reader.convert(path, Path(folder), rest)
    except Exception as error:
        index = {"error": f"{type(error).__name__}: {error}"[:500]}
    Path(folder, "index.json").write_text(json.dumps(index), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
