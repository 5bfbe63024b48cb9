"""What h5py does with .h5 and with .mat of version 7.3, in a process of its own: `child_main.py` calls `convert`.

Numbers that lie in one piece are not read: the answer says where they lie, and the parent maps them. Everything else
is written out as plain bytes. Only what lies at the top of the file itself is looked at: links, external storage and
virtual datasets are refused, so that reading a file never reads another one. No size is believed before it is checked.

It imports nothing of posebench, so that the process starts fast.
"""

from __future__ import annotations

import math
import os
import shutil
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

#: What a compressed dataset may claim for each byte that it takes in the file, as for .npz.
RATIO = 1032
#: Bytes read at a time.
BLOCK = 2**24
#: Filters that come with HDF5 and h5py: deflate, shuffle, fletcher32, szip, nbit, scaleoffset, lzf.
FILTERS = frozenset({1, 2, 3, 4, 5, 6, 32000})
#: Names at the top of a file.
ENTRY_LIMIT = 10_000
#: Longest text, in characters, and longest name that is passed on.
TEXT_LIMIT, NAME_LIMIT = 255, 300
#: Classes of MATLAB's variables that are numbers.
NUMERIC = ("double", "single", "logical", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))

ERRORS = (
    *(OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError, IndexError, SystemError),
    *(NotImplementedError, AttributeError, EOFError),
)


class RefusedError(Exception):
    """The file is not what it should be; the message names the place in it."""


def convert(path: str, folder: Path, arguments: list[str]) -> dict[str, Any]:
    """What a file holds at its top.

    The arguments are `h5` for datasets and attributes or `mat` for MATLAB's variables; the names to read, with commas
    between them; and the names to read too if there is no `poses`.
    """
    import h5py

    kind, names, instead = arguments[0], arguments[1].split(","), arguments[2].split(",")
    try:
        with h5py.File(path, "r", locking=False) as file:
            reader = Reader(file, os.path.getsize(path), folder, "dataset" if kind == "h5" else "variable")
            return _plain(reader, names) if kind == "h5" else _matlab(reader, names, instead)
    except RefusedError as refusal:
        return {"refused": str(refusal)}


def _plain(reader: Reader, names: list[str]) -> dict[str, Any]:
    entries = reader.entries()
    stated = reader.attributes(names)
    wanted = [name for name in entries if name in names]
    if "poses" not in wanted or any(name in stated for name in wanted):
        wanted = []  # the parent says what is wrong
    values = {name: reader.load(name) for name in wanted}
    return {"entries": [[name[:NAME_LIMIT], [], ""] for name in entries], "values": values, "stated": stated}


def _matlab(reader: Reader, names: list[str], instead: list[str]) -> dict[str, Any]:
    listed = [(name, *reader.described(name)) for name in reader.entries() if not name.startswith("#")]
    known = names if any(name == "poses" for name, _, _ in listed) else [*names, *instead]
    wanted = [name for name, _, _ in listed if name in known]
    shaped = [name for name, shape, kind in listed if len(shape) == 3 and shape[2] == 3 and kind in NUMERIC]
    if "poses" not in wanted and len(shaped) == 1 and shaped[0] not in wanted:
        wanted.append(shaped[0])
    values = {name: reader.variable(name) for name in wanted}
    return {"entries": [[name[:NAME_LIMIT], shape, kind] for name, shape, kind in listed], "values": values}


class Reader:
    """An open file, and the folder that values are written to."""

    def __init__(self, file: Any, size: int, folder: Path, label: str) -> None:
        self.file, self.size, self.folder, self.label = file, size, folder, label
        self.written, self.count = 0, 0

    def where(self, name: str) -> str:
        """How messages name a dataset."""
        return f"{self.label} {shown(name)}"

    def entries(self) -> list[str]:
        """The names at the top of the file."""
        if len(self.file) > ENTRY_LIMIT:
            raise RefusedError(f"has {len(self.file)} datasets at its top, expected at most {ENTRY_LIMIT}")
        return [str(name) for name in self.file]

    def attributes(self, names: list[str]) -> dict[str, Any]:
        """The attributes of the file: those of the given names with their values, others with None."""
        if len(self.file.attrs) > ENTRY_LIMIT:
            raise RefusedError(f"has {len(self.file.attrs)} attributes, expected at most {ENTRY_LIMIT}")
        stated: dict[str, Any] = {}
        for name in map(str, self.file.attrs):
            stated[name[:NAME_LIMIT]] = None
            if name in names:
                where = f"attribute {shown(name)}"
                held = self.file.attrs.get_id(name)
                check_kind(held.dtype, where)
                if held.shape is None:
                    raise RefusedError(f"{where}: is empty")
                if not 0 <= math.prod(held.shape) * held.dtype.itemsize <= self.size:
                    raise RefusedError(f"{where}: claims shape {shown(held.shape)}, more than the file holds")
                stated[name] = self._put(self.file.attrs[name], where)
        return stated

    def load(self, name: str) -> dict[str, Any]:
        """One dataset of numbers or text."""
        where = self.where(name)
        try:
            return self._load(self._dataset(name), where)
        except RefusedError:
            raise
        except MemoryError:
            raise RefusedError(
                f"{where}: takes more memory than its size in the file explains; it is damaged"
            ) from None
        except ERRORS as error:
            raise RefusedError(f"{where}: is damaged: {brief(error)}") from None

    def described(self, name: str) -> tuple[tuple[int, ...], str]:
        """Shape in MATLAB and class of a variable."""
        import h5py

        if not isinstance(self.file.get(name, getlink=True), h5py.HardLink):
            return (), "link"
        found = self.file[name]
        return tuple(getattr(found, "shape", None) or ())[::-1], _class(found)

    def variable(self, name: str) -> dict[str, Any]:
        """One of MATLAB's variables; numbers have their axes in reverse order."""
        where = self.where(name)
        try:
            found = self._dataset(name)
            if "MATLAB_empty" in found.attrs:
                return {"empty": True}
            kind = _class(found)
            if kind == "cell":
                self._check_size(found, where)
                return self._texts([self._cell(reference, where) for reference in np.ravel(found[()])], where)
            check_kind(found.dtype, where)
            if found.dtype.kind not in "biuf":
                raise RefusedError(f"{where}: is no array of numbers, text or cells of text; save it as one of these")
            if kind == "char":
                self._check_size(found, where)
                return self._texts(_characters(np.asarray(found[()]), where), where)
            return {**self._load(found, where), "flipped": True}
        except RefusedError:
            raise
        except MemoryError:
            raise RefusedError(
                f"{where}: takes more memory than its size in the file explains; it is damaged"
            ) from None
        except ERRORS as error:
            raise RefusedError(f"{where}: is damaged: {brief(error)}") from None

    def _dataset(self, name: str) -> Any:
        """A dataset at the top of the file, if it is one, lies in this file and claims no more than it can hold."""
        import h5py

        where = self.where(name)
        if not isinstance(self.file.get(name, getlink=True), h5py.HardLink):
            raise RefusedError(f"{where}: is a link, which is not followed; copy the data into the file (h5repack)")
        return _own(self.file[name], where)

    def _load(self, found: Any, where: str) -> dict[str, Any]:
        check_kind(found.dtype, where)
        self._check_size(found, where)
        if found.dtype.kind == "O":
            return self._long_texts(found, where)
        begin = found.id.get_offset()
        if begin is not None and found.dtype.kind in "iuf" and _as_in_memory(found):
            nbytes = math.prod(found.shape) * found.dtype.itemsize
            if begin + nbytes > self.size:
                raise RefusedError(f"{where}: should end at byte {begin + nbytes}, but the file has {self.size}")
            return {"file": None, "offset": begin, "shape": found.shape, "dtype": found.dtype.str}
        return self._write(found, where)

    def _check_size(self, found: Any, where: str) -> None:
        """Hold what a dataset claims against the bytes that it takes in the file."""
        width = int(found.id.get_type().get_size())  # in the file; HDF5 may widen what it reads
        claimed = math.prod(found.shape) * width
        stored = int(found.id.get_storage_size())
        if not 0 <= stored <= self.size:
            raise RefusedError(
                f"{where}: claims {stored} bytes of a file that has {self.size}; it is cut off or damaged"
            )
        most = stored
        if found.chunks is not None:
            most = RATIO * stored + BLOCK
            filters = found.id.get_create_plist()
            for i in range(filters.get_nfilters()):
                if filters.get_filter(i)[0] not in FILTERS:
                    raise RefusedError(f"{where}: is compressed by a plugin that is not used here; repack it with gzip")
            claimed = max(claimed, math.prod(found.chunks) * width)
        if claimed > most:
            raise RefusedError(
                f"{where}: claims {shown(found.shape)} of {shown(str(found.dtype))[1:-1]}, {claimed} bytes, but takes "
                f"{stored} bytes in the file; it is damaged, or was never filled"
            )

    def _write(self, found: Any, where: str) -> dict[str, Any]:
        """Write a dataset out, some rows at a time."""
        nbytes = math.prod(found.shape) * found.dtype.itemsize
        self.written += nbytes
        if self.written > RATIO * self.size + 4 * BLOCK:
            raise RefusedError(f"{where}: claims bytes that other datasets claim too; the file is damaged")
        if nbytes > shutil.disk_usage(self.folder).free:
            raise RefusedError(f"{where}: needs {nbytes} bytes in {self.folder.parent}, which has not that much room")
        spec, out = self._new(found.shape, found.dtype)
        with out.open("wb") as handle:
            if found.shape == () or nbytes == 0:
                np.asarray(found[()], found.dtype).tofile(handle)
            else:
                for start, stop in _blocks(found):
                    found[start:stop].tofile(handle)
        return spec

    def _put(self, value: Any, where: str) -> dict[str, Any]:
        """An attribute's value."""
        if isinstance(value, str):
            return {"text": value}
        values = np.asarray(value)
        if values.dtype.kind == "O":
            texts = [text_of(item) for item in values.reshape(-1)]
            return {"text": texts[0]} if len(texts) == 1 else self._texts(texts, where)
        spec, out = self._new(values.shape, values.dtype)
        values.tofile(out)
        return spec

    def _new(self, shape: tuple[int, ...], dtype: Any) -> tuple[dict[str, Any], Path]:
        """A new file for the bytes of an array, and what the parent is told of it."""
        name = f"{self.count}.bin"
        self.count += 1
        return {"file": name, "offset": 0, "shape": shape, "dtype": dtype.str}, self.folder / name

    def _long_texts(self, found: Any, where: str) -> dict[str, Any]:
        """Texts of variable length; many may be one long text, so few are read at a time."""
        if found.shape == ():
            return {"text": text_of(found[()])}
        if len(found.shape) != 1:
            raise RefusedError(f"{where}: has shape {shown(found.shape)}, expected one text per pose")
        rows = min(8192, max(16, 2**28 // self.size))
        starts = range(0, found.shape[0], rows)
        return self._texts((text for start in starts for text in found[start : start + rows].tolist()), where)

    def _texts(self, texts: Iterable[str | bytes], where: str) -> dict[str, Any]:
        """Texts as the different ones among them, and which of these each is."""
        codes, names = array("i"), dict[str | bytes, int]()
        for text in texts:
            code = names.get(text)
            if code is None:
                size = len(text_of(text))
                if size > TEXT_LIMIT:
                    raise RefusedError(f"{where}: holds a text of {size} characters, expected at most {TEXT_LIMIT}")
                code = names[text] = len(names)
            codes.append(code)
        spec, out = self._new((len(codes),), np.dtype(codes.typecode))
        out.write_bytes(codes)
        return {"texts": [text_of(name) for name in names], "codes": spec}

    def _cell(self, reference: Any, where: str) -> str:
        """The text that one cell refers to."""
        target = _own(self.file[reference], where)
        if _class(target) != "char":
            raise RefusedError(f"{where}: has a cell of class {shown(_class(target))}, expected text in every cell")
        if "MATLAB_empty" in target.attrs:
            return ""
        if math.prod(target.shape) > 2**16:
            raise RefusedError(f"{where}: has a cell of {math.prod(target.shape)} characters, expected a short text")
        self._check_size(target, where)
        texts = _characters(np.asarray(target[()]), where)
        if len(texts) != 1:
            raise RefusedError(f"{where}: has a cell of {len(texts)} texts, expected one in every cell")
        return texts[0]


def _own(found: Any, where: str) -> Any:
    """An object of the file as a dataset with data in this file."""
    import h5py

    if not isinstance(found, h5py.Dataset):
        raise RefusedError(f"{where}: is a group, expected an array")
    if found.is_virtual or found.external:
        raise RefusedError(f"{where}: keeps its data in another file, which is not read; copy it (h5repack)")
    if found.shape is None:
        raise RefusedError(f"{where}: is empty")
    return found


def _as_in_memory(found: Any) -> bool:
    """Whether the bytes in the file are those of the NumPy type: HDF5 knows types of odd width, which it converts."""
    import h5py

    return bool(found.id.get_type().equal(h5py.h5t.py_create(found.dtype, logical=True)))


def _class(found: Any) -> str:
    """The class that MATLAB gave a variable."""
    kind = found.attrs.get("MATLAB_class", b"")
    if isinstance(kind, bytes) and kind:
        return kind.decode("latin-1")[:NAME_LIMIT]
    dtype = getattr(found, "dtype", None)
    if dtype is None:
        return "struct"
    return {"float64": "double", "float32": "single"}.get(dtype.name, str(dtype.name)[:NAME_LIMIT])


def _characters(codes: npt.NDArray[Any], where: str) -> list[str]:
    """A character matrix, stored (L, N) as UTF-16, as N texts without the blanks that fill them up."""
    if codes.ndim != 2 or codes.dtype != np.uint16 or codes.size == 0:
        raise RefusedError(f"{where}: is text in another form than MATLAB's; save it again")
    rows = np.ascontiguousarray(codes.T).astype("<u2")
    try:
        return [row.tobytes().decode("utf-16-le").rstrip("\0").rstrip() for row in rows]
    except UnicodeDecodeError:
        raise RefusedError(f"{where}: holds a text of characters that do not exist; it is damaged") from None


def check_kind(dtype: Any, where: str) -> None:
    """Plain numbers, flags and text only: no references, no compounds, no arrays of variable length."""
    import h5py

    if dtype.kind == "O":
        if h5py.check_string_dtype(dtype) is None:
            raise RefusedError(f"{where}: holds HDF5 objects of variable size, expected plain numbers or text")
    elif dtype.kind not in "biufSU" or dtype.subdtype or dtype.itemsize == 0:
        raise RefusedError(f"{where}: is of type {shown(str(dtype))}, expected plain numbers or text")


def _blocks(found: Any) -> Iterator[tuple[int, int]]:
    """Ranges of rows of at most `BLOCK` bytes or one chunk, whole chunks each."""
    n = found.shape[0]
    row = max(1, math.prod(found.shape[1:]) * found.dtype.itemsize)
    whole = found.chunks[0] if found.chunks else 1
    step = max(whole, BLOCK // row // whole * whole)
    for start in range(0, n, step):
        yield start, min(n, start + step)


def text_of(value: object) -> str:
    """A text of variable length, as `posebench.poses.key_text` spells it."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def shown(value: object) -> str:
    """A value from the file as a message shows it: quoted, plain ASCII, short; as `posebench.io.facts.shown`."""
    text = ascii(value[:61] if isinstance(value, str | bytes) else value)
    return text if len(text) <= 60 else f"{text[:55]}...{text[-1]}"


def brief(error: BaseException) -> str:
    """What a library complains of, on one short line; as `posebench.io.facts.brief`."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 100 else f"{text[:97]}..."
