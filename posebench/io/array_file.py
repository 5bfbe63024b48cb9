"""Small .npz files of named arrays: what banks, checkpoints, labels and indices of pictures are kept in.

Written by the same bytes for the same arrays. Read with every size held against a limit and against the file before
anything is allocated; nothing is unpickled. Files of poses are read by `posebench.io.npz`.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.io.facts import brief, characters_exist, shown_names
from posebench.io.npy import parse_npy_header, write_array

_ZIP_ERRORS = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError),
    *(EOFError, ValueError, KeyError, IndexError, OverflowError, OSError),
)
#: Members that one file may have; what is written here has fewer than ten.
_MOST_MEMBERS = 100


def write_arrays(handle: IO[bytes], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write named arrays as an uncompressed .npz; the same arrays give the same bytes."""
    with zipfile.ZipFile(handle, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16  # the same on every system
            member = io.BytesIO()
            write_array(member, array)
            archive.writestr(info, member.getvalue())


def read_arrays(path: Path, names: Iterable[str], limit: int) -> dict[str, npt.NDArray[Any]]:
    """The arrays of exactly these names from an .npz file of at most `limit` bytes, before and after inflation.

    Raises
    ------
    InputError
        If the file cannot be read, is damaged, is larger, or holds other arrays or Python objects.
    """
    data = read_bytes(path, limit)
    wanted = set(names)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            held = [info.filename.removesuffix(".npy") for info in infos[:_MOST_MEMBERS]]
            if len(infos) != len(wanted) or set(held) != wanted:
                raise InputError(
                    f"{path}: expected the arrays {shown_names(sorted(wanted))}, it has "
                    f"{shown_names(held) if held else 'none'}"
                )
            arrays = {}
            for name, info in zip(held, infos, strict=True):
                where = f"{path}: array {name!r}"
                if info.file_size > limit:
                    raise InputError(f"{where}: claims {info.file_size} bytes, at most {limit} are read")
                member = archive.read(info)  # no more than it claims, and its checksum is verified
                header = parse_npy_header(io.BytesIO(member), len(member), where)
                array = np.frombuffer(member, header.dtype, offset=header.start)
                if not characters_exist(array):
                    raise InputError(f"{where}: holds a text of characters that do not exist; it is damaged")
                arrays[name] = array.reshape(header.shape, order=header.order)
            return arrays
    except InputError:
        raise
    except _ZIP_ERRORS as error:
        raise InputError(f"{path}: is not a complete .npz archive: {brief(error)}") from None


def refuse_irregular(path: Path) -> int:
    """Size of a regular file. Anything else is refused: a pipe would be waited for, and a device may never end.

    Raises
    ------
    InputError
        So, and if there is nothing.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read: {reason}") from None
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path}: is no regular file")
    return status.st_size


def read_bytes(path: Path, limit: int) -> bytes:
    """All bytes of a regular file of at most `limit` bytes.

    Raises
    ------
    InputError
        If it cannot be read or is larger.
    """
    size, data = refuse_irregular(path), b""
    try:
        if size <= limit:
            with path.open("rb") as file:
                # No more is asked for than is there: as much memory would be taken at once.
                data = file.read(size + 1)
                if len(data) > size:  # it has grown since
                    data += file.read(limit + 1 - len(data))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    if max(size, len(data)) > limit:
        raise InputError(f"{path}: has more than {limit} bytes, which is no file of this kind")
    return data
