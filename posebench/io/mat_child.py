"""What SciPy does with a .mat file before version 7.3, in a process of its own: `child_main.py` calls `convert`.

It imports nothing of posebench, so that the process starts fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

NUMERIC = ("double", "single", "logical", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))


def convert(path: str, folder: Path, names: list[str]) -> dict[str, Any]:
    """Save the variables called by one of the names, and the array (N, J, 3) if there is one and none is `poses`."""
    from scipy.io import loadmat, whosmat

    listed = whosmat(path, appendmat=False)
    wanted = [name for name, _, _ in listed if name in names]
    shaped = [name for name, shape, kind in listed if len(shape) == 3 and shape[2] == 3 and kind in NUMERIC]
    if "poses" not in wanted and len(shaped) == 1 and shaped[0] not in wanted:
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
