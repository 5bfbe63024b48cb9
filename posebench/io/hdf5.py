"""Reading and writing .h5: HDF5 with the names of .npz, arrays as datasets, single values as attributes or datasets.

Coordinates that lie in one piece are memory-mapped where they lie, as `write_hdf5` and h5py lay them out by default;
chunked or compressed ones are read, into memory up to `MEMORY_LIMIT` bytes per file and beyond that into an anonymous
temporary file that is mapped. Only what lies at the top of the file itself is looked at: links, external storage and
virtual datasets are refused, so that reading a file never reads another one. No size is believed before it is checked.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.io.extras import optional
from posebench.io.facts import NAMES, Facts, brief, collect, facts_of, listing, shown
from posebench.poses import KeyColumn, PoseSet, key_text

#: Bytes that the chunked datasets of one file may take in memory; beyond, they are spooled to disk.
MEMORY_LIMIT = 256 * 2**20
#: Contiguous datasets smaller than this are read, larger ones mapped.
MAP_FROM = 2**20
#: What a compressed dataset may claim for each byte that it takes in the file, as for .npz.
RATIO = 1032
#: Bytes read at a time.
BLOCK = 2**24
#: Filters that come with HDF5 and h5py: deflate, shuffle, fletcher32, szip, nbit, scaleoffset, lzf.
FILTERS = frozenset({1, 2, 3, 4, 5, 6, 32000})
#: Names at the top of a file.
ENTRY_LIMIT = 10_000

ERRORS = (
    *(OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError, IndexError, SystemError),
    *(NotImplementedError, AttributeError, EOFError),
)


def read_hdf5(path: Path) -> Facts:
    """Read an .h5 file with `poses` (N, J, 3) and any of the other facts under their names.

    Raises
    ------
    InputError
        If the file is damaged, lies about its sizes, lacks `poses`, or points to other files.
    MissingExtraError
        If h5py is not installed.
    """
    with opened(path) as (file, datasets):
        names = entries(file, str(path))
        stated = datasets.attributes(file)
        both = [name for name in names if name in stated and name in NAMES]
        if both:
            raise InputError(f"{path}: states {both[0]} both as a dataset and as an attribute; keep one of them")
        if "poses" not in names:
            raise InputError(f"{path}: has no dataset 'poses', expected (N, J, 3) under that name; {listing(names)}")
        # Names that mean nothing are not opened, only passed on to be mentioned.
        raw = {name: datasets.load(file, name) if name in NAMES else None for name in names}
    return collect({**raw, **stated}, str(path))


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, Datasets]]:
    """An open h5py file and what loads its datasets; what h5py raises inside becomes an `InputError`."""
    h5py = optional("h5py", str(path))
    try:
        with path.open("rb") as raw, h5py.File(path, "r", locking=False) as file:
            yield file, Datasets(raw, str(path))
    except InputError:
        raise
    except ERRORS as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise InputError(f"{path}: is no complete HDF5 file: {brief(error)}; write it again") from None


def entries(file: Any, source: str) -> list[str]:
    """The names at the top of a file."""
    if len(file) > ENTRY_LIMIT:
        raise InputError(f"{source}: has {len(file)} datasets at its top, expected at most {ENTRY_LIMIT}")
    return [str(name) for name in file]


class Datasets:
    """The datasets of an open file, loaded under one common memory allowance."""

    def __init__(self, raw: BinaryIO, source: str) -> None:
        self.raw, self.source = raw, source
        self.size = raw.seek(0, 2)
        self.allowance = MEMORY_LIMIT

    def attributes(self, file: Any) -> dict[str, Any]:
        """The attributes of a file: known ones as values, others as None."""
        if len(file.attrs) > ENTRY_LIMIT:
            raise InputError(f"{self.source}: has {len(file.attrs)} attributes, expected at most {ENTRY_LIMIT}")
        stated: dict[str, Any] = {}
        for name in map(str, file.attrs):
            stated[name] = None
            if name in NAMES:
                where = f"{self.source}: attribute {name!r}"
                held = file.attrs.get_id(name)
                _check_kind(held.dtype, where)
                if not 0 <= math.prod(held.shape) * held.dtype.itemsize <= self.size:
                    raise InputError(f"{where}: claims shape {shown(held.shape)}, more than the file holds")
                stated[name] = file.attrs[name]
        return stated

    def dataset(self, file: Any, name: str) -> Any:
        """A dataset at the top of the file, if it is one, lies in this file and claims no more than it can hold."""
        h5py = optional("h5py", self.source)
        where = f"{self.source}: dataset {shown(name)}"
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            raise InputError(f"{where}: is a link, which is not followed; copy the data into the file (h5repack)")
        return self.own(file[name], where)

    def own(self, found: Any, where: str) -> Any:
        """An object of the file as a dataset with data in this file."""
        if not isinstance(found, optional("h5py", self.source).Dataset):
            raise InputError(f"{where}: is a group, expected an array")
        if found.is_virtual or found.external:
            raise InputError(f"{where}: keeps its data in another file, which is not read; copy it (h5repack)")
        if found.shape is None:
            raise InputError(f"{where}: is empty")
        return found

    def load(self, file: Any, name: str) -> Any:
        """One dataset as an array, or as a list of texts."""
        where = f"{self.source}: dataset {shown(name)}"
        try:
            found = self.dataset(file, name)
            _check_kind(found.dtype, where)
            self.check_size(found, where)
            if found.dtype.kind == "O":
                return self._texts(found, where)
            return self.numbers(found, where)
        except InputError:
            raise
        except ERRORS as error:
            raise InputError(f"{where}: is damaged: {brief(error)}") from None

    def check_size(self, found: Any, where: str) -> None:
        """Hold what a dataset claims against the bytes that it takes in the file."""
        claimed = math.prod(found.shape) * found.dtype.itemsize
        stored = int(found.id.get_storage_size())
        if not 0 <= stored <= self.size:
            raise InputError(f"{where}: claims {stored} bytes of a file that has {self.size}; it is cut off or damaged")
        limit = stored
        if found.chunks is not None:
            limit = RATIO * stored + BLOCK
            filters = found.id.get_create_plist()
            for i in range(filters.get_nfilters()):
                if filters.get_filter(i)[0] not in FILTERS:
                    raise InputError(f"{where}: is compressed by a plugin that is not used here; repack it with gzip")
            claimed = max(claimed, math.prod(found.chunks) * found.dtype.itemsize)
        if claimed > limit:
            raise InputError(
                f"{where}: claims {shown(found.shape)} of {found.dtype}, {claimed} bytes, but takes {stored} bytes in "
                f"the file; it is damaged, or was never filled"
            )

    def numbers(self, found: Any, where: str) -> npt.NDArray[Any]:
        """An array of fixed-size items: mapped where it lies, or read."""
        nbytes = math.prod(found.shape) * found.dtype.itemsize
        begin = found.id.get_offset()
        if begin is not None and nbytes >= max(MAP_FROM, 1) and found.dtype.kind in "iuf":
            if begin + nbytes > self.size:
                raise InputError(f"{where}: should end at byte {begin + nbytes}, but the file has {self.size}")
            return np.memmap(self.raw, found.dtype, "r", begin, found.shape)
        array = self.room(found.shape, found.dtype, where)
        if array.ndim == 0 or array.size == 0:
            array[...] = found[()]
            return array
        for start, stop in _blocks(found):
            array[start:stop] = found[start:stop]
        return array

    def room(self, shape: tuple[int, ...], dtype: Any, where: str) -> npt.NDArray[Any]:
        """An array to read into: in memory, or a temporary file that vanishes with its map."""
        nbytes = math.prod(shape) * dtype.itemsize
        if nbytes <= self.allowance:
            self.allowance -= nbytes
            return np.zeros(shape, dtype)
        folder = tempfile.gettempdir()
        if nbytes > shutil.disk_usage(folder).free:
            raise InputError(f"{where}: needs {nbytes} bytes in {folder}, which has not that much room")
        with tempfile.TemporaryFile() as spool:
            spool.truncate(nbytes)
            return np.memmap(spool, dtype, "r+", 0, shape)

    def _texts(self, found: Any, where: str) -> Any:
        """Texts of variable length; many may be one long text, so few are read at a time."""
        if found.shape == ():
            return key_text(found[()])
        if len(found.shape) != 1:
            raise InputError(f"{where}: has shape {found.shape}, expected one text per pose")
        texts: list[str] = []
        rows = min(8192, max(16, 2**28 // self.size))
        for start in range(0, found.shape[0], rows):
            texts.extend(map(key_text, found[start : start + rows]))
        return texts


def _check_kind(dtype: Any, where: str) -> None:
    """Plain numbers, flags and text only: no references, no compounds, no arrays of variable length."""
    if dtype.kind == "O":
        if optional("h5py", where).check_string_dtype(dtype) is None:
            raise InputError(f"{where}: holds HDF5 objects of variable size, expected plain numbers or text")
    elif dtype.kind not in "biufSU" or dtype.subdtype or dtype.itemsize == 0:
        raise InputError(f"{where}: is of type {shown(str(dtype))}, expected plain numbers or text")


def _blocks(found: Any) -> Iterator[tuple[int, int]]:
    """Ranges of rows of at most `BLOCK` bytes or one chunk, whole chunks each."""
    n = found.shape[0]
    row = max(1, math.prod(found.shape[1:]) * found.dtype.itemsize)
    whole = found.chunks[0] if found.chunks else 1
    step = max(whole, BLOCK // row // whole * whole)
    for start in range(0, n, step):
        yield start, min(n, start + step)


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
