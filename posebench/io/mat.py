"""Reading .mat, MATLAB's format: up to version 7.2 by SciPy, 7.3 as HDF5, each in a process of its own.

Variables have the names of .npz, with `poses` (N, J, 3); without it, the file is in a layout that is known by its own
names (`layouts`), or else the only numeric array (N, J, 3) in it is taken. Keys are character matrices, cell arrays of
text, or numbers; facts of the whole file are single texts or numbers.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from posebench.errors import InputError
from posebench.io import child, mat_child
from posebench.io.facts import ARRAYS, NAMES, TEXTS, Facts, brief, collect, shown
from posebench.io.hdf5 import contents
from posebench.io.layouts import mpi_inf_3dhp
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
    source = str(path)
    variables, values = read_variables(path, NAMES, mpi_inf_3dhp.NAMES)
    names = [name for name, _, _ in variables]
    if "poses" not in names:
        layout = mpi_inf_3dhp.layout(names)
        if layout is not None:
            return layout(values, names, path)
    chosen = _chosen(variables, source)
    refused = [name for name in names if name in values and name in NAMES and values[name] is None]
    if refused:
        raise InputError(f"{source}: variable {refused[0]!r} is neither numbers nor text; save it as one of these")
    return collect(_named({name: values.get(name) for name in names}, chosen, source), source)


def read_variables(
    path: Path, names: tuple[str, ...], instead: tuple[str, ...] = ()
) -> tuple[list[tuple[str, tuple[int, ...], str]], dict[str, Any]]:
    """What a .mat file of any version holds: (name, shape in MATLAB, class) of each variable, and values of some.

    Parameters
    ----------
    path : path
    names : tuple of str
        The variables whose values are read, where they are there.
    instead : tuple of str
        More of them, which files of version 7.3 with `poses` are not searched for.

    Raises
    ------
    InputError, MissingExtraError
        As `read_mat`, of damaged files.
    """
    with path.open("rb") as file:
        head = file.read(520)
    if head.startswith((_HDF5, b"MATLAB 7.3")) or head[512:] == _HDF5:
        found = contents(path, "mat", names, instead)
        return found.entries, found.values
    return _read_child(path, (*names, *instead))


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
    for name, given in values.items():
        value = np.array(given) if isinstance(given, list | str) else given
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


def _read_child(path: Path, wanted: tuple[str, ...]) -> tuple[list[tuple[str, tuple[int, ...], str]], dict[str, Any]]:
    """Let SciPy read the file in a process that may crash: its variables, and the wanted ones that are plain."""
    source = str(path)
    size = path.stat().st_size
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            found = child.ask(mat_child, path, folder, MEMORY + RATIO * size, SECONDS + size // SPEED, *wanted)
            if "error" in found:
                raise InputError(f"{source}: is no .mat file that can be read: {brief(ValueError(found['error']))}")
            variables = [(str(name), tuple(map(int, shape)), str(kind)) for name, shape, kind in found["variables"]]
            names = [name for name, _, _ in variables]
            files = {name: Path(folder, Path(file).name) for name, file in found["kept"].items()}
            kept = {name: np.load(file, allow_pickle=False) for name, file in files.items()}
        except InputError:
            raise
        except child.BrokenOffError as error:
            if error.seconds is not None:
                raise InputError(
                    f"{source}: was not read within {error.seconds} seconds; it is damaged, or save it with -v7.3"
                ) from None
            raise InputError(f"{source}: is damaged: SciPy's reader of .mat files broke off; save it again") from None
        except (LookupError, TypeError, ValueError, AttributeError, OSError, EOFError) as error:
            raise InputError(f"{source}: is damaged: SciPy's reader answered nonsense: {brief(error)}") from None
    if len(set(names)) < len(names):
        raise InputError(f"{source}: holds two variables of one name; it is damaged, save it again")
    return variables, {name: kept.get(name) for name in names if name in wanted or name in kept}
