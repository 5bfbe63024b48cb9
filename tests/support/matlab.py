"""MATLAB files as MATLAB writes them: before version 7.3 through SciPy, 7.3 through h5py."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from scipy.io import savemat


def save73(path: Any, variables: dict[str, Any], userblock: int = 512) -> None:
    """Write variables as MATLAB does with -v7.3: axes reversed, text as UTF-16, cells as references."""

    def put(group: Any, name: str, value: Any) -> Any:
        if isinstance(value, str):
            codes = np.array([[ord(letter)] for letter in value], np.uint16)
            found = group.create_dataset(name, data=codes if value else np.zeros(2, np.uint64))
            found.attrs["MATLAB_class"] = np.bytes_(b"char")
            if not value:
                found.attrs["MATLAB_empty"] = np.uint8(1)
        elif isinstance(value, list) and isinstance(value[0], str):
            width = max(map(len, value))
            codes = np.array([[ord(letter) for letter in text.ljust(width)] for text in value], np.uint16)
            found = group.create_dataset(name, data=codes.T)
            found.attrs["MATLAB_class"] = np.bytes_(b"char")
        elif isinstance(value, np.ndarray) and value.dtype == object:
            found = group.create_dataset(name, (1, len(value)), h5py.ref_dtype)
            found.attrs["MATLAB_class"] = np.bytes_(b"cell")
            for i, item in enumerate(value):
                found[0, i] = put(group.require_group("#refs#"), f"{name}{i}", item).ref
        else:
            array = np.atleast_2d(value)
            found = group.create_dataset(name, data=array.astype(np.uint8 if array.dtype == bool else array.dtype).T)
            kind = {"bool": "logical", "float64": "double", "float32": "single"}.get(array.dtype.name, array.dtype.name)
            found.attrs["MATLAB_class"] = np.bytes_(kind.encode())
        return found

    with h5py.File(path, "w", userblock_size=userblock) as file:
        for name, value in variables.items():
            put(file, name, value)
    if userblock:
        with path.open("r+b") as raw:
            raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM")


def save5(path: Any, variables: dict[str, Any]) -> None:
    """Write compressed variables as MATLAB does with -v7."""
    savemat(path, variables, do_compression=True)
