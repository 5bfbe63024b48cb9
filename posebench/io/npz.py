"""Reading and writing .npz, the native format: a zip archive with one .npy member per fact.

Coordinates that were stored uncompressed (`numpy.savez`, and `write_npz` here) are memory-mapped inside the archive,
so a file larger than memory is fine; a mapped member's checksum is not verified, for that would read it. Compressed
members are inflated to memory up to `MEMORY_LIMIT` bytes per file, and beyond that into an anonymous temporary file
that is mapped. No size in the file is believed before it is checked, and nothing is unpickled: objects are accepted
only where a layout of another project has them, and go through the machine in `pickle_file`.

`write_npz` starts every array at a multiple of 64 bytes, so that mapped coordinates are aligned; `numpy.savez` does
not, so coordinates mapped from its files may be unaligned (`poses.flags.aligned`): correct, but some compiled code
wants a copy.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.io import layouts
from posebench.io.facts import NAMES, Facts, brief, collect, facts_of, listing, shown
from posebench.io.npy import NpyHeader, parse_npy_header, unpickled, write_array
from posebench.poses import KeyColumn, PoseSet

#: Bytes that the compressed members of one file may take in memory; beyond, they are spooled to disk.
MEMORY_LIMIT = 256 * 2**20
#: Stored members smaller than this are read (and their checksum verified), larger ones mapped.
MAP_FROM = 2**20
#: Deflate turns one byte into at most 1,032; an archive that claims more is lying.
DEFLATE_RATIO = 1032
BLOCK = 2**20

_ZIP_ERRORS = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError),
    *(EOFError, ValueError, KeyError, IndexError, OverflowError, OSError),
)


def read_npz(path: Path) -> Facts:
    """Read an .npz file with `poses` (N, J, 3) and any of the other facts under their names, or of another layout.

    Raises
    ------
    InputError
        If the archive is damaged, lies about its sizes, lacks `poses` or holds Python objects.
    """
    with path.open("rb") as file:
        try:
            archive = zipfile.ZipFile(file)
        except _ZIP_ERRORS as error:
            raise InputError(
                f"{path}: is not a complete .npz archive, it begins with {_beginning(path)}: {brief(error)}"
            ) from None
        with archive:
            members = _Members(file, archive, str(path))
            if layout := layouts.by_names(members.infos):
                found = {
                    name: members.load(name, pickled=name in layout.pickled) if name in layout.names else None
                    for name in members.infos
                }
                return layout.read(found, layouts.Reading.of(str(path), sum(members.sizes.values())))
            if "poses" not in members.infos:
                raise InputError(
                    f"{path}: has no array 'poses', expected (N, J, 3) under that name; {listing(members.infos)}"
                )
            # Names that mean nothing are not loaded, only passed on to be mentioned.
            raw = {name: members.load(name) if name in NAMES else None for name in members.infos}
    return collect(raw, str(path))


class _Members:
    """The arrays in an open archive, by name, loaded under one common memory allowance."""

    def __init__(self, file: BinaryIO, archive: zipfile.ZipFile, source: str) -> None:
        self.file, self.archive, self.source = file, archive, source
        self.allowance = MEMORY_LIMIT
        self.infos: dict[str, zipfile.ZipInfo] = {}
        #: Bytes of the members that were loaded.
        self.sizes: dict[str, int] = {}
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if name in self.infos:
                raise InputError(f"{source}: holds two arrays named {shown(name)}; it is damaged or was appended to")
            self.infos[name] = info

    def load(self, name: str, *, pickled: bool = False) -> npt.NDArray[Any]:
        """One array: mapped where it lies, or inflated to memory or to a temporary file; of objects only if asked."""
        info, where = self.infos[name], f"{self.source}: array {name!r}"
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(f"{where}: is compressed by method {info.compress_type}; save it with numpy.savez")
        if info.file_size > DEFLATE_RATIO * info.compress_size + BLOCK:
            raise InputError(
                f"{where}: claims {info.file_size} bytes in {info.compress_size} compressed bytes; it is damaged"
            )
        try:
            begin = self._data_begin(info, where)
            with self.archive.open(info) as stream:
                header = parse_npy_header(stream, info.file_size, where, pickled=pickled)
            self.sizes[name] = header.nbytes
            data = self._data(info, header, begin, where)
        except InputError:
            raise
        except _ZIP_ERRORS as error:
            raise InputError(f"{where}: is damaged: {brief(error)}") from None
        return data if header.objects is None else unpickled(data, header, where)

    def _data(self, info: zipfile.ZipInfo, header: NpyHeader, begin: int, where: str) -> npt.NDArray[Any]:
        """The array that a header describes."""
        if info.compress_type == zipfile.ZIP_STORED and header.nbytes >= MAP_FROM:
            return header.map(self.file, begin + header.start)
        if header.nbytes > self.allowance:
            return self._spool(info, header, where)
        self.allowance -= header.nbytes
        data = np.empty(header.nbytes, np.uint8)
        at = 0
        for block in self._inflate(info, header):
            data[at : at + len(block)] = np.frombuffer(block, np.uint8)
            at += len(block)
        return data.view(header.dtype).reshape(header.shape, order=header.order)

    def _data_begin(self, info: zipfile.ZipInfo, where: str) -> int:
        """Where a member's bytes begin in the file, from its local header (APPNOTE.TXT 4.3.7).

        Their sizes are held against the file here; `ZipFile.open` compares signature and name.
        """
        self.file.seek(info.header_offset)
        name_length, extra_length = struct.unpack("<26xHH", self.file.read(30))
        begin = info.header_offset + 30 + int(name_length) + int(extra_length)
        size = self.file.seek(0, 2)
        if begin + info.compress_size > size:
            raise InputError(
                f"{where}: should end at byte {begin + info.compress_size}, but the file has {size}; it is cut off"
            )
        if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
            raise InputError(
                f"{where}: is stored in {info.compress_size} bytes but has {info.file_size}; it is damaged"
            )
        return begin

    def _inflate(self, info: zipfile.ZipInfo, header: NpyHeader) -> Iterator[bytes]:
        """The data of a member in blocks; reading to the end makes `zipfile` verify the checksum."""
        with self.archive.open(info) as stream:
            stream.read(header.start)
            left = header.nbytes
            while block := stream.read(min(BLOCK, left + 1)):
                left -= len(block)
                if left < 0:
                    raise EOFError("data goes on after its end")
                yield block
            if left:
                raise EOFError(f"data ends {left} bytes too early")

    def _spool(self, info: zipfile.ZipInfo, header: NpyHeader, where: str) -> npt.NDArray[Any]:
        """Inflate to a temporary file that has no name and vanishes with the last map of it."""
        folder = tempfile.gettempdir()
        if header.nbytes > shutil.disk_usage(folder).free:
            raise InputError(f"{where}: needs {header.nbytes} bytes in {folder}, which has not that much room")
        with tempfile.TemporaryFile() as spool:
            for block in self._inflate(info, header):
                spool.write(block)
            spool.flush()
            return header.map(spool, 0)


def write_npz(poseset: PoseSet, handle: BinaryIO, path: str) -> None:
    """Write every fact as one stored, aligned member; the same set gives the same bytes.

    Raises
    ------
    InputError
        If the set is empty or a text in it could not be read back.
    """
    with zipfile.ZipFile(handle, "w", zipfile.ZIP_STORED) as archive:
        for name, value in facts_of(poseset, path).items():
            array = np.asarray(value.values if isinstance(value, KeyColumn) else value)
            info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16  # the same on every system
            # The local header is 30 bytes, the name, our padding and 20 bytes of 64-bit sizes; NumPy pads the npy
            # header to 64 bytes itself. 0xD935 is the id that zipalign uses for such padding.
            padding = -(handle.tell() + 30 + len(info.filename) + 4 + 20) % 64
            info.extra = struct.pack("<HH", 0xD935, padding) + bytes(padding)
            with archive.open(info, "w", force_zip64=True) as member:
                write_array(member, array)


def _beginning(path: Path) -> str:
    """What a file that is no zip archive seems to be, by its first bytes."""
    with path.open("rb") as file:
        head = file.read(8)
    known = {b"\x93NUMPY": "an .npy header", b"\x89PNG": "a PNG image", b"\x89HDF": "an HDF5 header"}
    known |= {b"PK": "a zip header", b"\x80": "a pickle", b"{": "JSON"}
    return next((what for magic, what in known.items() if head.startswith(magic)), repr(head))
