"""What is to be known of an output before work is spent on it (that it can be written, and is no input), and JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from posebench.errors import UsageError


def refuse_unwritable(path: Path, inputs: Iterable[Path]) -> None:
    """Raise if a result could not be written to `path`, or would replace an input."""
    # A link is followed; and what takes the place of an old result by a rename needs the permission of the folder.
    behind = Path(os.path.realpath(path)).parent
    for folder in (path.parent, behind):
        if not folder.is_dir():
            raise UsageError(f"{path}: cannot be written: No such file or directory: {folder}")
    if path.is_dir():
        raise UsageError(f"{path}: cannot be written: Is a directory")
    if not os.access(behind, os.W_OK):
        raise UsageError(f"{path}: cannot be written: Permission denied")
    for other in inputs:
        if path.exists() and other.exists() and path.samefile(other):
            raise UsageError(f"{path}: cannot be written: it is the input {other}")


def data_files(data: Path) -> list[Path]:
    """The files of a rendered or prepared folder that nothing may replace: its labels, and its index without labels."""
    return [path for name in ("labels", "views") for path in (data / name).glob("*")]


def write_json(content: Mapping[str, object], path: Path) -> None:
    """Write plain data for programs and for people; the file is there whole or not at all."""
    from posebench.io.atomic import atomic_write

    with atomic_write(path) as handle:
        handle.write((json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
