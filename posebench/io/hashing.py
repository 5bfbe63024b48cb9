"""The SHA-256 of a file: what reports, banks and weights record to say exactly which bytes were used.

It leaves to others what to do when a hash differs from the one that was written down.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from posebench.errors import InputError


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Hexadecimal SHA-256 of a file's bytes, read in blocks.

    Raises
    ------
    InputError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     sha256_of(file.name)[:16]
    'e3b0c44298fc1c14'
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{os.fspath(path)}: cannot be read: {error.strerror or error}") from None


def stamp_of(path: str | os.PathLike[str]) -> tuple[int, int, int]:
    """Size, time of the last change in ns, and inode: whether a file was changed meanwhile, told without reading it.

    Raises
    ------
    InputError
        If the file cannot be reached.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     stamp_of(file.name)[0]
    0
    """
    try:
        status = Path(path).stat()
    except OSError as error:
        raise InputError(f"{os.fspath(path)}: cannot be read: {error.strerror or error}") from None
    return status.st_size, status.st_mtime_ns, status.st_ino
