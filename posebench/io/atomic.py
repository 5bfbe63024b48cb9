"""Writing a file so that it is there whole or not at all: a temporary neighbour, flushed to disk, then renamed.

Every writer of the project goes through `atomic_write`; what stands in the file is theirs.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from posebench.errors import InputError

#: Names of the temporary files.
_TEMPORARY = re.compile(r"\.[0-9a-f]{12}(\.[^.]*)?")


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` that takes its place when the block ends without an error.

    The handle is binary, readable and seekable; its `name` is the temporary file's path and ends in the suffix of
    `path`, for libraries that want a name. When the block raises, the temporary file is removed and whatever stood
    at `path` is untouched. A symbolic link is followed, and the mode of a file that is replaced is kept.

    Raises
    ------
    InputError
        If the file cannot be written (no such folder, no permission, disk full, or not a regular file).

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     target = pathlib.Path(folder, "note.txt")
    ...     with atomic_write(target) as handle:
    ...         _ = handle.write(b"whole")
    ...     target.read_text(), len(list(target.parent.iterdir()))
    ('whole', 1)
    """
    target = Path(os.path.realpath(path))
    temporary: Path | None = None
    try:
        mode = _mode_of(target)
        # Short, so that it fits wherever the target's own name does.
        temporary = target.with_name(f".{secrets.token_hex(6)}{target.suffix}")
        with temporary.open("x+b") as handle:
            if mode is not None and hasattr(os, "fchmod"):
                os.fchmod(handle.fileno(), mode)
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, target)
        temporary = None
        _sync_folder(target.parent)
    except OSError as error:
        raise InputError(f"{os.fspath(path)}: cannot be written: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()


def remove_leftovers(folder: str | os.PathLike[str]) -> None:
    """Remove, at any depth, the temporary files of `atomic_write` that a killed process left; nobody may be writing.

    Raises
    ------
    OSError
        If one cannot be removed.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in (".0123456789ab.npz", ".hidden.npz", "whole.npz"):
    ...         pathlib.Path(folder, name).touch()
    ...     remove_leftovers(folder)
    ...     sorted(path.name for path in pathlib.Path(folder).iterdir())
    ['.hidden.npz', 'whole.npz']
    """
    for path in [path for path in Path(folder).rglob(".*") if is_leftover(path)]:
        path.unlink()


def is_leftover(path: Path) -> bool:
    """Whether a file is, by its name, a temporary one of `atomic_write`."""
    return bool(_TEMPORARY.fullmatch(path.name)) and path.is_file() and not path.is_symlink()


def _mode_of(target: Path) -> int | None:
    """Permission bits of the file to be replaced; None if there is none, and a refusal if it is no regular file."""
    try:
        status = target.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "a folder or device of that name exists; name a regular file")
    return stat.S_IMODE(status.st_mode)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
