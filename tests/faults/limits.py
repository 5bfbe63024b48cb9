"""What a process may not do while a block runs: let files grow, use root's privileges, find room on a disk."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

#: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, by which root passes over permissions, of capabilities(7).
_OVERRIDES = 1 << 1 | 1 << 2
_VERSION_3 = 0x20080522


@contextmanager
def file_size(most: int) -> Iterator[None]:
    """No file may grow beyond so many bytes; Python ignores the signal, so that writing fails with EFBIG."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


@contextmanager
def no_privileges() -> Iterator[None]:
    """Permissions hold, for root as well: Linux lets this thread put its privileges aside and take them up again."""
    if os.name != "posix":
        pytest.skip("permissions of POSIX")
    if os.geteuid() != 0:
        yield
        return
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        header, held = _Header(_VERSION_3, 0), (_Data * 2)()
        if libc.capget(ctypes.byref(header), held) != 0:
            raise OSError(ctypes.get_errno(), "capget")
        bare = (_Data * 2).from_buffer_copy(held)
        bare[0].effective &= ~_OVERRIDES
        if libc.capset(ctypes.byref(header), bare) != 0:
            raise OSError(ctypes.get_errno(), "capset")
    except (OSError, AttributeError) as error:
        pytest.skip(f"root's privileges cannot be put aside here: {error}")
    try:
        yield
    finally:
        assert libc.capset(ctypes.byref(header), held) == 0


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Callable[[], None]]:
    """A disk of so many bytes in place of an empty folder, and a function that fills it up; root alone has that."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    root = os.name == "posix" and os.geteuid() == 0
    if not root or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a disk cannot be mounted here")

    def fill() -> None:
        with open(folder / "filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"0" * 512)
            except OSError:
                pass

    try:
        yield fill
    finally:
        subprocess.run(["umount", str(folder)], check=True)


__all__ = ["file_size", "no_privileges", "small_disk"]
