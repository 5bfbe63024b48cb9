"""Reading and writing .npy: one array, memory-mapped; pickled objects go through the machine in `pickle_file` alone.

The header is parsed here for .npz members too, and is believed only as far as the bytes behind it go: a header that
promises more than its file holds is refused before anything is allocated.
"""

from __future__ import annotations

import io
import math
import os
import struct
import tokenize
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy_format

from posebench.errors import InputError
from posebench.io.facts import Facts, brief, collect, facts_of, refuse_loss, shown, shown_kind
from posebench.io.pickle_file import facts_in, run_numpy_pickle
from posebench.poses import PoseSet

#: How much of a member is looked at to find its header; NumPy writes 128 bytes and reads at most 10,000.
HEADER_LIMIT = 16_384
#: Bytes written at a time.
BLOCK = 2**22


@dataclass(frozen=True)
class NpyHeader:
    """What an npy header promises: an array, and where its data begins, in bytes from the magic string."""

    shape: tuple[int, ...]
    order: Literal["C", "F"]
    dtype: np.dtype[Any]
    start: int
    #: Shape of the objects, where the data is the pickle of an array of objects.
    objects: tuple[int, ...] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of data, as an exact Python integer."""
        return math.prod(self.shape) * self.dtype.itemsize

    def map(self, file: IO[bytes], offset: int) -> npt.NDArray[Any]:
        """Memory-map the data that begins `offset` bytes into a file, read-only."""
        return np.memmap(file, self.dtype, "r", offset, self.shape, self.order)


def parse_npy_header(stream: IO[bytes], size: int, where: str, *, pickled: bool = False) -> NpyHeader:
    """Parse the npy header at the start of a stream and hold it against the number of bytes there are.

    Parameters
    ----------
    stream : binary file
        Positioned at the magic string.
    size : int
        Bytes from the magic string to the end of the data.
    where : str
        How messages call the array, such as ``a.npz: array 'poses'``.
    pickled : bool
        Accept an array of Python objects; what comes back then describes the bytes of its pickle, for `unpickled`.

    Raises
    ------
    InputError
        If this is no npy data, holds Python objects, or does not fill exactly `size` bytes.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> np.save(file, np.zeros((2, 17, 3)))
    >>> header = parse_npy_header(io.BytesIO(file.getvalue()), len(file.getvalue()), "a.npy")
    >>> header.shape, header.start
    ((2, 17, 3), 128)
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # headers by Python 2, odd escapes: of no interest to the reader
            head, start = _header_text(stream.read(HEADER_LIMIT), where)
            shape, fortran, dtype = npy_format.read_array_header_2_0(head)
    except InputError:
        raise
    except (
        *(ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, EOFError),
        *(SyntaxError, tokenize.TokenError, RecursionError, MemoryError, struct.error),
    ) as error:
        raise InputError(f"{where}: has a damaged npy header: {brief(error)}") from None
    if pickled and dtype == np.dtype(object) and len(shape) < 2:
        return NpyHeader((max(0, size - start),), "C", np.dtype(np.uint8), start, shape)
    if dtype.hasobject:
        raise InputError(f"{where}: holds Python objects, which are not unpickled; save plain numbers or text")
    if dtype.names or dtype.subdtype or dtype.itemsize == 0:
        raise InputError(f"{where}: is of type {shown(str(dtype))}, expected plain numbers or text")
    if len(shape) > 32 or any(n < 0 for n in shape) or math.prod(max(n, 1) for n in shape) * dtype.itemsize >= 2**63:
        raise InputError(f"{where}: has a damaged npy header: shape {shown(shape)}")
    header = NpyHeader(shape, "F" if fortran else "C", dtype, start)
    if header.start + header.nbytes != size:
        raise InputError(
            f"{where}: promises {shown(shape)} of {dtype}, which is {header.nbytes} bytes, "
            f"but {size - header.start} bytes follow its header; the file is damaged"
        )
    return header


def _header_text(data: bytes, where: str) -> tuple[IO[bytes], int]:
    """The header as version 2.0 has it, behind the magic string, and where the data begins.

    NumPy looks at headers that are no Python 3 with a tokenizer that takes a time quadratic in a run of blanks, 26 s
    for 10,000 of them, so that a run is handed on as one.
    """
    version = npy_format.read_magic(io.BytesIO(data))
    if version not in ((1, 0), (2, 0)):
        raise InputError(f"{where}: is in npy version {version}, expected 1.0 or 2.0; save it with numpy.save")
    size = struct.calcsize(length := "<H" if version == (1, 0) else "<I")
    begin = npy_format.MAGIC_LEN + size
    (count,) = struct.unpack(length, data[npy_format.MAGIC_LEN : begin])
    if len(data) < begin + count:
        raise ValueError(f"its header of {count} bytes is cut short")
    text = b" ".join(data[begin : begin + count].split())
    return io.BytesIO(struct.pack("<I", len(text)) + text), begin + count


def unpickled(data: npt.NDArray[np.uint8], header: NpyHeader, where: str) -> npt.NDArray[Any]:
    """The array of objects whose pickle `parse_npy_header` found, rebuilt without running the pickle.

    Raises
    ------
    InputError
        If the pickle names anything besides NumPy arrays and plain containers, or makes another array than promised.
    """
    array = run_numpy_pickle(data, where)
    if not isinstance(array, np.ndarray) or array.dtype.kind != "O" or array.shape != header.objects:
        promised = f"objects of shape {header.objects}"
        raise InputError(f"{where}: promises {promised}, but its pickle holds {shown_kind(array)}; it is damaged")
    return array


def read_npy(path: Path) -> Facts:
    """Read an .npy file as poses (N, J, 3), memory-mapped; it states no other fact.

    An array of one Python object, or a list of them, is what .pkl may hold as well, and is read as such.

    Raises
    ------
    InputError
        If the file is damaged, or holds an array of another shape or objects that .pkl may not hold.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        header = parse_npy_header(file, size, str(path), pickled=True)
        if header.objects is not None:
            data = header.map(file, header.start) if header.nbytes else np.zeros(0, np.uint8)
            return facts_in(unpickled(data, header, str(path)), str(path), size)
        if 0 in header.shape:
            return collect({"poses": np.zeros(header.shape, header.dtype)}, str(path))
        return collect({"poses": header.map(file, header.start)}, str(path))


def write_npy(poseset: PoseSet, handle: BinaryIO, path: str) -> None:
    """Write the coordinates alone; a set with any other fact is refused, for it would be lost.

    Raises
    ------
    InputError
        If the set has keys, a mask, a unit or anything else besides coordinates.
    """
    known = facts_of(poseset, path)
    refuse_loss(known, ["poses"], path, "an .npy file")
    write_array(handle, known["poses"])


def write_array(handle: IO[bytes], array: npt.NDArray[Any]) -> None:
    """Write an array as npy data in C order, in blocks; unlike `numpy.save`, equal arrays give equal bytes.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> write_array(file, np.asfortranarray(np.eye(3)))
    >>> _ = file.seek(0)
    >>> np.load(file)[0].tolist()
    [1.0, 0.0, 0.0]
    """
    described = {"descr": npy_format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    npy_format.write_array_header_1_0(handle, described)
    rows = array.reshape(1) if array.ndim == 0 else array
    step = max(1, BLOCK // max(1, rows[:1].nbytes))
    for start in range(0, len(rows), step):
        handle.write(rows[start : start + step].tobytes())
