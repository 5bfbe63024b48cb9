"""Reading and writing .h5: HDF5 with the names of .npz, arrays as datasets, single values as attributes or datasets.

The HDF5 library parses files in a process of its own, with bounds of memory and time (`child.py`, `hdf5_child.py`), for
a damaged file can make it crash or read for ever. What comes back is where in the file the numbers lie, checked once
more against its size and memory-mapped there; or, where they are chunked or compressed, plain bytes in a temporary
folder, which are read into memory up to `MEMORY_LIMIT` bytes per file and mapped beyond that. `write_hdf5` uses the
library in this process, since nobody else has a hand in what it writes.
"""

from __future__ import annotations

import importlib.util
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError, MissingExtraError
from posebench.io import child, hdf5_child
from posebench.io.extras import optional
from posebench.io.facts import NAMES, Facts, brief, collect, facts_of, listing
from posebench.poses import KeyColumn, PoseSet

#: Bytes that the chunked datasets of one file may take in memory; beyond, they are mapped from disk.
MEMORY_LIMIT = 256 * 2**20
#: Datasets in one piece that are smaller than this are read, larger ones mapped.
MAP_FROM = 2**20
#: What the child may take: memory beside that for the file, bytes per byte of the file, seconds, and bytes per second.
MEMORY, RATIO, SECONDS, SPEED = 4 * 2**30, 8, 10, 2**22

#: Whether the system removes no file that is mapped; copies that remove themselves then take their place.
KEEPS_MAPPED_FILES = os.name == "nt"

_DTYPE = re.compile(r"[<>|=]?(?:[biuf]\d{1,2}|S\d{1,9})")


def read_hdf5(path: Path) -> Facts:
    """Read an .h5 file with `poses` (N, J, 3) and any of the other facts under their names.

    Raises
    ------
    InputError
        If the file is damaged, lies about its sizes, lacks `poses`, or points to other files.
    MissingExtraError
        If h5py is not installed.
    """
    found = contents(path, "h5", NAMES)
    names = [name for name, _, _ in found.entries]
    both = [name for name in names if name in found.stated and name in NAMES]
    if both:
        raise InputError(f"{path}: states {both[0]} both as a dataset and as an attribute; keep one of them")
    if "poses" not in names:
        raise InputError(f"{path}: has no dataset 'poses', expected (N, J, 3) under that name; {listing(names)}")
    # Names that mean nothing were not opened, and are only passed on to be mentioned.
    return collect({**dict.fromkeys(names), **found.values, **found.stated}, str(path))


@dataclass(frozen=True)
class Contents:
    """What a file holds at its top."""

    #: Name of each dataset, and for MATLAB's variables shape and class.
    entries: list[tuple[str, tuple[int, ...], str]]
    #: Those that were asked for: arrays, single texts, or lists of texts.
    values: dict[str, Any]
    #: Attributes; None where nobody asked.
    stated: dict[str, Any]


def contents(path: Path, kind: str, names: Iterable[str], instead: Iterable[str] = ()) -> Contents:
    """Let a child process look into an HDF5 file.

    Parameters
    ----------
    path : path
    kind : {"h5", "mat"}
        Datasets and attributes as posebench names them, or the variables of MATLAB 7.3.
    names : iterable of str
        What to read if it is there.
    instead : iterable of str
        What MATLAB's files are searched for too if they have no `poses`.

    Raises
    ------
    InputError
        If the file is damaged, lies about its sizes, or points to other files.
    MissingExtraError
        If h5py is not installed.
    """
    source = str(path)
    if importlib.util.find_spec("h5py") is None:
        raise MissingExtraError(source, "h5py", "io")
    with path.open("rb") as raw, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        status = os.fstat(raw.fileno())
        seconds = SECONDS + status.st_size // SPEED
        nbytes = MEMORY + RATIO * status.st_size
        try:
            answer = child.ask(hdf5_child, path, folder, nbytes, seconds, kind, ",".join(names), ",".join(instead))
            if "refused" in answer:
                raise InputError(f"{source}: {_line(answer['refused'])}")
            if str(answer.get("error")).startswith("ModuleNotFoundError"):  # found here, but not there
                raise MissingExtraError(source, "h5py", "io")
            if "error" in answer:
                reason = brief(ValueError(answer["error"]))
                raise InputError(f"{source}: is no complete HDF5 file: {reason}; write it again")
            if _version(path.stat()) != _version(status):
                raise InputError(f"{source}: changed while it was read; read it again")
            return _believed(answer, raw, status.st_size, Path(folder), source)
        except child.BrokenOffError as error:
            if error.seconds is not None:
                raise InputError(
                    f"{source}: was not read within {seconds} seconds; it is damaged, or repack it (h5repack)"
                ) from None
            raise InputError(f"{source}: is damaged: the HDF5 library broke off; write it again") from None


def _version(status: os.stat_result) -> tuple[int, ...]:
    """What tells one state of a file from another."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _line(text: object) -> str:
    return " ".join(str(text).split())[:500]


def _believed(answer: dict[str, Any], raw: BinaryIO, size: int, folder: Path, source: str) -> Contents:
    """What a child said of a file, as far as it can be true: the file may have taken the child over."""
    try:
        return _Answer(raw, size, folder).contents(answer)
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError, FileNotFoundError) as error:
        raise InputError(f"{source}: is damaged: the HDF5 library answered nonsense: {brief(error)}") from None


class _Answer:
    """An answer turned into arrays; raises KeyError, TypeError, ValueError and the like where it is none."""

    def __init__(self, raw: BinaryIO, size: int, folder: Path) -> None:
        self.raw, self.size, self.folder = raw, size, folder
        self.allowance = MEMORY_LIMIT

    def contents(self, answer: dict[str, Any]) -> Contents:
        entries = [(str(name), tuple(map(int, shape)), str(kind)) for name, shape, kind in answer["entries"]]
        stated = {name: None if said is None else self._value(said) for name, said in answer.get("stated", {}).items()}
        return Contents(entries, {name: self._value(said) for name, said in answer["values"].items()}, stated)

    def _value(self, said: dict[str, Any]) -> Any:
        if "text" in said:
            return str(said["text"])
        if "texts" in said:
            names, codes = [str(name) for name in said["texts"]], self._array(said["codes"])
            if codes.dtype.kind != "i" or codes.ndim != 1 or codes.min(initial=0) < 0:
                raise ValueError("no codes of texts")
            return [names[code] for code in codes.tolist()]
        if "empty" in said:
            return np.zeros((0, 0))
        array = self._array(said)
        return array.T if "flipped" in said else array

    def _array(self, said: dict[str, Any]) -> npt.NDArray[Any]:
        """Numbers or text of fixed width: mapped where they lie, or read."""
        name, begin, shape = said["file"], int(said["offset"]), tuple(map(int, said["shape"]))
        if _DTYPE.fullmatch(said["dtype"]) is None or min(shape, default=0) < 0:
            raise ValueError("no type or shape of an array")
        dtype = np.dtype(said["dtype"])
        nbytes = math.prod(shape) * dtype.itemsize
        if name is None:
            if not 0 <= begin <= self.size - nbytes:
                raise ValueError("an array beyond the end of the file")
            if nbytes >= max(MAP_FROM, 1) and dtype.kind in "iuf":
                return np.memmap(self.raw, dtype, "r", begin, shape)
            self.raw.seek(begin)
            return _read(self.raw, dtype, shape)
        if re.fullmatch(r"\d+\.bin", name) is None:
            raise ValueError("no name of a file")
        with Path(self.folder, name).open("rb") as handle:
            if os.fstat(handle.fileno()).st_size != nbytes:
                raise ValueError("a file of another size")
            if nbytes > self.allowance:
                return _mapped(handle, dtype, shape)
            self.allowance -= nbytes
            return _read(handle, dtype, shape)


def _read(handle: BinaryIO, dtype: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    array = np.fromfile(handle, np.uint8 if dtype.kind == "b" else dtype, math.prod(shape)).reshape(shape)
    return array != 0 if dtype.kind == "b" else array


def _mapped(handle: BinaryIO, dtype: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """A file of the temporary folder, which goes when its map does."""
    if not KEEPS_MAPPED_FILES:
        return np.memmap(handle, dtype, "r", 0, shape)
    with tempfile.TemporaryFile() as spool:
        shutil.copyfileobj(handle, spool, 2**24)
        return np.memmap(spool, dtype, "r", 0, shape)


def write_hdf5(poseset: PoseSet, handle: BinaryIO, path: str) -> None:
    """Write arrays as contiguous, aligned datasets and single values as attributes; equal sets give equal bytes.

    Raises
    ------
    InputError
        If the set is empty or a text in it could not be read back.
    MissingExtraError
        If h5py is not installed.
    """
    h5py = optional("h5py", path)
    known = facts_of(poseset, path)
    # Larger objects begin at a multiple of 64 bytes, so that mapped coordinates are aligned.
    with h5py.File(handle, "w", alignment_threshold=512, alignment_interval=64) as file:
        for name, value in known.items():
            if isinstance(value, KeyColumn):
                texts = [text.encode() for text in value.names]
                kind = h5py.string_dtype("utf-8", max(1, max(map(len, texts))))
                file.create_dataset(name, data=np.array(texts, kind)[value.codes], dtype=kind)
            elif isinstance(value, str):
                # Of fixed length: a damaged heap of texts of variable length can make HDF5 read for ever.
                text = value.encode()
                kind = h5py.string_dtype("utf-8", max(1, len(text)))
                file.attrs.create(name, np.array(text, kind), dtype=kind)
            elif isinstance(value, float):
                file.attrs[name] = value
            else:
                file.create_dataset(name, data=np.asarray(value, order="C"))
