"""The process in which SciPy reads a .mat file: `python mat_child.py FILE FOLDER BYTES SECONDS NAME...`.

A damaged file can crash SciPy's reader, take all memory or never end. Here it takes only this process along, which
sets its own limits, saves the wanted variables as .npy files in FOLDER and describes them in `index.json` there. It
imports nothing of posebench, so that it starts fast.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

NUMERIC = ("double", "single", "logical", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))


def limit(nbytes: int, seconds: int) -> None:
    """Bound memory, time and the size of files, where the system can."""
    try:
        import resource
    except ImportError:  # Windows: the parent still watches the clock
        return
    bounds = ("AS", nbytes), ("FSIZE", nbytes), ("CPU", seconds), ("CORE", 0)
    for name, bound in bounds:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (bound, bound))


def main(arguments: list[str]) -> int:
    """Read one file; 0 if `index.json` says what came of it."""
    path, folder, nbytes, seconds, *names = arguments
    limit(int(nbytes), int(seconds))
    try:
        index = convert(path, Path(folder), names)
    except Exception as error:
        index = {"error": f"{type(error).__name__}: {error}"[:500]}
    Path(folder, "index.json").write_text(json.dumps(index), encoding="utf-8")
    return 0


def convert(path: str, folder: Path, names: list[str]) -> dict[str, Any]:
    """Save the variables called by one of the names, and arrays (N, J, 3) if none is called `poses`."""
    from scipy.io import loadmat, whosmat

    listed = whosmat(path, appendmat=False)
    wanted = [name for name, _, _ in listed if name in names]
    shaped = [name for name, shape, kind in listed if len(shape) == 3 and shape[2] == 3 and kind in NUMERIC]
    if "poses" not in wanted and len(shaped) == 1:
        wanted.append(shaped[0])
    loaded = loadmat(path, appendmat=False, variable_names=wanted, chars_as_strings=True) if wanted else {}
    kept = {}
    for i, name in enumerate(wanted):
        array = plain(loaded.get(name))
        if array is not None:
            np.save(folder / f"{i}.npy", array, allow_pickle=False)
            kept[name] = f"{i}.npy"
    variables = [[name, list(map(int, shape)), kind] for name, shape, kind in listed]
    return {"variables": variables, "kept": kept}


def plain(value: Any) -> Any:
    """Numbers and text as they are, cell arrays of text as text, None for everything else."""
    if not isinstance(value, np.ndarray):
        return None
    if value.dtype.kind in "biufU":
        return value
    if value.dtype.kind != "O":
        return None
    texts = []
    for item in value.ravel(order="F"):
        if not isinstance(item, np.ndarray) or item.dtype.kind != "U" or item.size > 1:
            return None
        texts.append(str(item.item()) if item.size else "")
    return np.array(texts, np.str_)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
