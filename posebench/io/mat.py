"""Reading .mat, MATLAB's format: up to version 7.2 through SciPy in a process of its own, 7.3 as HDF5.

Variables have the names of .npz, with `poses` (N, J, 3); without it, the only numeric array (N, J, 3) in the file is
taken. Keys are character matrices, cell arrays of text, or numbers; facts of the whole file are single texts or
numbers.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.io import mat_child
from posebench.io.facts import ARRAYS, NAMES, TEXTS, Facts, brief, collect, shown
from posebench.io.hdf5 import Datasets, entries, opened
from posebench.poses import KEYS

_HDF5 = b"\x89HDF\r\n\x1a\n"
#: What SciPy may take: memory beside that for the file, bytes per byte of the file, seconds, and bytes per second.
MEMORY, RATIO, SECONDS, SPEED = 4 * 2**30, 8, 30, 2**22


def read_mat(path: Path) -> Facts:
    """Read a .mat file of any version with `poses` (N, J, 3) and any of the other facts under their names.

    Raises
    ------
    InputError
        If the file is damaged, or no variable is certain to be the poses.
    MissingExtraError
        If the file is of version 7.3 and h5py is not installed.
    """
    with path.open("rb") as file:
        head = file.read(520)
    if head.startswith((_HDF5, b"MATLAB 7.3")) or head[512:] == _HDF5:
        raw = _read_hdf5(path)
    else:
        raw = _read_child(path)
    return collect(raw, str(path))


def _chosen(variables: list[tuple[str, tuple[int, ...], str]], source: str) -> str:
    """The variable that holds the poses, out of (name, shape in MATLAB, class)."""
    if any(name == "poses" for name, _, _ in variables):
        return "poses"
    shaped = [
        name for name, shape, kind in variables if len(shape) == 3 and shape[2] == 3 and kind in mat_child.NUMERIC
    ]
    if len(shaped) != 1:
        what = "several arrays" if shaped else "no array"
        parts = [f"{shown(name, 40)} {'x'.join(map(str, shape[:6]))} {shown(kind)}" for name, shape, kind in variables]
        more = f" and {len(parts) - 8} more" if len(parts) > 8 else ""
        raise InputError(
            f"{source}: has no variable 'poses' and {what} (N, J, 3), call the right one poses; "
            f"it has {', '.join(parts[:8])}{more}"
        )
    return shaped[0]


def _named(values: dict[str, Any], chosen: str, source: str) -> dict[str, Any]:
    """Values by the names of facts, in the shapes of NumPy: MATLAB has no array of fewer than two dimensions."""
    raw: dict[str, Any] = {}
    for name, value in values.items():
        if name == chosen:
            raw["poses"] = value
        elif value is None or name not in NAMES:
            raw[name] = None
        elif value.size == 0:
            continue
        elif name in KEYS or name in TEXTS:
            flat = value.reshape(-1) if value.size == max(value.shape, default=1) else value
            raw[name] = np.char.rstrip(flat) if flat.dtype.kind == "U" else flat
        elif name in ARRAYS and value.size == max(value.shape, default=1):
            raw[name] = value.reshape(()) if value.size == 1 else value.reshape(-1)
        else:
            raw[name] = value
    if "poses" not in raw or raw["poses"] is None:
        raise InputError(f"{source}: variable {shown(chosen)} is no array of numbers, expected (N, J, 3)")
    return raw


def _read_child(path: Path) -> dict[str, Any]:
    """Let SciPy read the file in a process that may crash, and take over what it saved."""
    source = str(path)
    size = path.stat().st_size
    seconds = SECONDS + size // SPEED
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        arguments = [str(path.resolve()), folder, str(MEMORY + RATIO * size), str(seconds), *NAMES]
        code = _run(arguments, seconds + 5)
        index = Path(folder, "index.json")
        if code is None:
            raise InputError(f"{source}: was not read within {seconds} seconds; it is damaged, or save it with -v7.3")
        if code != 0 or not index.is_file():
            raise InputError(f"{source}: is damaged: SciPy's reader of .mat files broke off; save it again")
        found = json.loads(index.read_bytes())
        if "error" in found:
            raise InputError(f"{source}: is no .mat file that can be read: {brief(ValueError(found['error']))}")
        variables = [(name, tuple(shape), kind) for name, shape, kind in found["variables"]]
        if len({name for name, _, _ in variables}) < len(variables):
            raise InputError(f"{source}: holds two variables of one name; it is damaged, save it again")
        chosen = _chosen(variables, source)
        kept = {name: np.load(Path(folder, file), allow_pickle=False) for name, file in found["kept"].items()}
    values = {name: kept.get(name) for name, _, _ in variables}
    refused = [name for name, value in values.items() if value is None and name in NAMES]
    if refused:
        raise InputError(f"{source}: variable {refused[0]!r} is neither numbers nor text; save it as one of these")
    return _named(values, chosen, source)


def _run(arguments: list[str], seconds: float) -> int | None:
    """Run the child and return its exit code, None if it took too long."""
    command = [sys.executable, "-P", str(Path(mat_child.__file__).resolve()), *arguments]
    # Threads of linear algebra, unused here, would count against the memory.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    null = subprocess.DEVNULL
    try:
        done = subprocess.run(  # noqa: S603
            command, stdin=null, stdout=null, stderr=null, env=environment, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return done.returncode


def _read_hdf5(path: Path) -> dict[str, Any]:
    """Version 7.3: every variable is a dataset with its axes in reverse order."""
    source = str(path)
    with opened(path) as (file, datasets):
        names = [name for name in entries(file, source) if not name.startswith("#")]
        variables = [(name, *_described(file, name)) for name in names]
        chosen = _chosen(variables, source)
        values = {name: _value(file, datasets, name) if name == chosen or name in NAMES else None for name in names}
    return _named(values, chosen, source)


def _described(file: Any, name: str) -> tuple[tuple[int, ...], str]:
    """Shape in MATLAB and class of a variable."""
    if type(file.get(name, getlink=True)).__name__ != "HardLink":
        return (), "link"
    found = file[name]
    shape = getattr(found, "shape", None) or ()
    return tuple(shape)[::-1], _class(found)


def _class(found: Any) -> str:
    kind = found.attrs.get("MATLAB_class", b"")
    if isinstance(kind, bytes) and kind:
        return kind.decode("latin-1")
    dtype = getattr(found, "dtype", None)
    return "struct" if dtype is None else {"float64": "double", "float32": "single"}.get(dtype.name, dtype.name)


def _value(file: Any, datasets: Datasets, name: str) -> npt.NDArray[Any]:
    """A variable as an array in the order of axes that MATLAB shows."""
    where = f"{datasets.source}: variable {shown(name)}"
    found = datasets.dataset(file, name)
    if "MATLAB_empty" in found.attrs:
        return np.zeros((0, 0))
    kind = _class(found)
    if kind == "cell":
        datasets.check_size(found, where)
        texts = [_cell(file, datasets, reference, where) for reference in np.ravel(found[()])]
        return np.array(texts, np.str_)
    value = datasets.load(file, name)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
        raise InputError(f"{where}: is no array of numbers, text or cells of text; save it as one of these")
    return _characters(value, where) if kind == "char" else value.T


def _cell(file: Any, datasets: Datasets, reference: Any, where: str) -> str:
    """The text that one cell refers to."""
    target = datasets.own(file[reference], where)
    if _class(target) != "char":
        raise InputError(f"{where}: has a cell of class {shown(_class(target))}, expected text in every cell")
    if "MATLAB_empty" in target.attrs:
        return ""
    if math.prod(target.shape) > 2**16:
        raise InputError(f"{where}: has a cell of {math.prod(target.shape)} characters, expected a short text")
    datasets.check_size(target, where)
    texts = _characters(np.asarray(target[()]), where)
    if len(texts) != 1:
        raise InputError(f"{where}: has a cell of {len(texts)} texts, expected one in every cell")
    return str(texts[0])


def _characters(codes: npt.NDArray[Any], where: str) -> npt.NDArray[Any]:
    """A character matrix, stored (L, N) as UTF-16, as N texts."""
    if codes.ndim != 2 or codes.dtype != np.uint16 or codes.size == 0:
        raise InputError(f"{where}: is text in another form than MATLAB's; save it again")
    rows = np.ascontiguousarray(codes.T).astype("<u2")
    try:
        return np.array([row.tobytes().decode("utf-16-le") for row in rows], np.str_)
    except UnicodeDecodeError:
        raise InputError(f"{where}: holds a text of characters that do not exist; it is damaged") from None
