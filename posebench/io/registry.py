"""The formats that posebench reads and writes, and `read` and `write`, which choose among them by suffix.

A further format is a module beside this one with a reader (path -> `Facts`) and perhaps a writer, and one `register`
line below; layouts inside a container that exists (.npz, .pkl) belong to that container's reader.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from posebench.errors import InputError, UsageError
from posebench.io.arrow import read_arrow, read_parquet, write_arrow, write_parquet
from posebench.io.atomic import atomic_write
from posebench.io.bvh_file import read_bvh_poses
from posebench.io.c3d_file import read_c3d
from posebench.io.csv_file import read_csv, write_csv
from posebench.io.facts import Facts, shown
from posebench.io.hdf5 import read_hdf5, write_hdf5
from posebench.io.json_file import read_json, write_json
from posebench.io.mat import read_mat
from posebench.io.npy import read_npy, write_npy
from posebench.io.npz import read_npz, write_npz
from posebench.io.pickle_file import read_pickle, write_pickle
from posebench.io.trc import read_trc
from posebench.poses import ORIGINS, REFERENCES, UNITS, PoseSet
from posebench.skeletons import Skeleton, get_skeleton, named_skeleton


@dataclass(frozen=True)
class Format:
    """One file format. `write` fills an open binary file and is told the path for its messages.

    `extra` names the optional dependencies that the format needs; its reader raises `MissingExtraError` without them.
    """

    suffixes: tuple[str, ...]
    description: str
    read: Callable[[Path], Facts]
    write: Callable[[PoseSet, BinaryIO, str], None] | None = None
    extra: str | None = None


_FORMATS: dict[str, Format] = {}


def register(new: Format) -> None:
    """Make a format known by its suffixes, each of which belongs to one format."""
    for suffix in new.suffixes:
        if suffix in _FORMATS:
            raise UsageError(f"a format for {suffix} is registered already")
        _FORMATS[suffix] = new


register(Format((".npz",), "the native format, arrays and facts by name", read_npz, write_npz))
register(Format((".npy",), "one array (N, J, 3), coordinates only", read_npy, write_npy))
register(Format((".json",), "an object with the names of .npz, or a nested list", read_json, write_json))
register(Format((".csv",), "a table, one row per frame or per frame and joint", read_csv, write_csv))
register(Format((".pkl", ".pickle"), "a pickled dict of NumPy arrays; nothing else in it", read_pickle, write_pickle))
register(Format((".h5", ".hdf5"), "HDF5 with the names of .npz", read_hdf5, write_hdf5, "io"))
register(Format((".parquet",), "a Parquet table, one row per frame", read_parquet, write_parquet, "io"))
register(Format((".arrow", ".feather"), "an Arrow table, one row per frame", read_arrow, write_arrow, "io"))
register(Format((".mat",), "MATLAB variables with the names of .npz, any version", read_mat, extra="io"))
register(Format((".trc",), "marker tables of OpenSim and Pose2Sim", read_trc))
register(Format((".c3d",), "points of a motion capture system", read_c3d, extra="io"))
register(Format((".bvh",), "motion with the bones of the CMU conversion", read_bvh_poses))


def formats() -> tuple[Format, ...]:
    """All registered formats, in the order of registration.

    Examples
    --------
    >>> [format.suffixes[0] for format in formats()][:3]
    ['.npz', '.npy', '.json']
    """
    return tuple(dict.fromkeys(_FORMATS.values()))


def read(
    path: str | os.PathLike[str],
    *,
    skeleton: str | Skeleton | None = None,
    unit: str | None = None,
    reference: str | None = None,
    origin: str | None = None,
    fps: float | None = None,
) -> PoseSet:
    """Read poses and what is known about them from a file; the suffix says how.

    Coordinates of large .npz and .npy files are memory-mapped, read-only: do not change such a file in place while
    the set is in use (`write` replaces files, which is safe).

    Parameters
    ----------
    path : str or path
        One of the registered suffixes.
    skeleton, unit, reference, origin, fps : optional
        Taken instead of what the file says; where they differ, a note in `PoseSet.notes` tells.

    Returns
    -------
    PoseSet
        Its `source` is the path as given.

    Raises
    ------
    InputError
        If the file cannot be read or understood; one sentence with the file and the place in it.
    UsageError
        If the suffix or a value asked for is unknown.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> path = Path(tempfile.mkdtemp(), "pred.npz")
    >>> write(PoseSet(np.zeros((2, 17, 3)), unit="m", action="Walking"), path)
    >>> poses = read(path, skeleton="h36m17")
    >>> len(poses), poses.unit, poses.action.names
    (2, 'm', ('Walking',))
    """
    asked = {"skeleton": skeleton, "unit": unit, "reference": reference, "origin": origin, "fps": fps}
    _check_asked(asked)
    source = os.fspath(path)
    try:
        _check_regular(Path(path), source)
        facts = _format_of(source).read(Path(path))
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise InputError(f"{source}: does not fit into memory; convert it to an uncompressed .npz") from None
    if len(facts.poses) == 0:
        raise InputError(f"{source}: holds no poses")
    _override(facts, asked, source)
    try:
        stated = [name for name, value in asked.items() if value is not None]
        return PoseSet(**vars(facts), source=source, path=source, stated=stated)
    except UsageError as error:
        raise InputError(f"{source}: {error}; say which one it is (--pred-skeleton or --gt-skeleton)") from None


def write(poseset: PoseSet, path: str | os.PathLike[str]) -> None:
    """Write a set to a file, whole or not at all; the suffix says how. An existing file is replaced.

    Everything but `source` and `notes` can be read back. A format that cannot hold a fact refuses the set.

    Raises
    ------
    InputError
        If the file cannot be written, or would lose a fact.
    UsageError
        If the suffix is unknown.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> write(PoseSet(np.zeros((1, 17, 3)), unit="mm"), Path(tempfile.mkdtemp(), "pred.npy"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    posebench.errors.InputError: ...pred.npy: an .npy file cannot hold unit; write .npz, or leave that out ...
    """
    target = os.fspath(path)
    chosen = _format_of(target)
    if chosen.write is None:
        writable = ", ".join(suffix for suffix, known in _FORMATS.items() if known.write is not None)
        raise UsageError(f"{target}: this format is only read; written are {writable}")
    with atomic_write(target) as handle:
        chosen.write(poseset, handle, target)


def _format_of(path: str) -> Format:
    """The format of a path, by the longest suffix that fits."""
    name = os.path.basename(path).lower()
    fitting = [suffix for suffix in _FORMATS if name.endswith(suffix)]
    if not fitting:
        raise UsageError(f"{path}: no format has this suffix; known are {', '.join(_FORMATS)}")
    return _FORMATS[max(fitting, key=len)]


def _check_regular(path: Path, source: str) -> None:
    try:
        status = path.stat()
    except ValueError:  # a NUL character
        raise InputError(f"{shown(source)}: is no path") from None
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{source}: is a folder, expected a file")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{source}: is no regular file; save to one first, a pipe cannot be read here")
    if status.st_size == 0:
        raise InputError(f"{source}: is empty")


def _check_asked(asked: dict[str, Any]) -> None:
    """The caller's own slips are the caller's, not the file's."""
    if asked["skeleton"] is not None:
        get_skeleton(asked["skeleton"])
    for name, known in (("unit", UNITS), ("reference", REFERENCES), ("origin", ORIGINS)):
        if asked[name] is not None and asked[name] not in known:
            raise UsageError(f"there is no {name} {asked[name]!r}; known are {', '.join(known)}")


def _override(facts: Facts, asked: dict[str, Any], source: str) -> None:
    """Put what was asked for in place of what the file states, with a note where that changes something."""
    for name, value in asked.items():
        if value is None:
            continue
        stated = getattr(facts, name)
        if stated not in (None, "unknown") and not _same(name, stated, value):
            wanted = value.name if isinstance(value, Skeleton) else value
            facts.notes.append(f"{source} says {name} {stated}; read as {wanted} as asked")
        setattr(facts, name, value)


def _same(name: str, stated: Any, asked: Any) -> bool:
    if name != "skeleton":
        return bool(stated == asked)
    try:
        return named_skeleton(stated) == get_skeleton(asked)
    except UsageError:
        return False
