"""What is to be known of an output before work is spent on it (that it can be written, and is no input), and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from posebench.errors import UsageError


def refuse_unwritable(path: Path, inputs: Iterable[Path]) -> None:
    """Raise if a result could not be written to `path`, or would replace an input."""
    if not path.parent.is_dir():
        raise UsageError(f"{path}: cannot be written: No such file or directory: {path.parent}")
    if path.is_dir():
        raise UsageError(f"{path}: cannot be written: Is a directory")
    for other in inputs:
        if path.exists() and other.exists() and path.samefile(other):
            raise UsageError(f"{path}: cannot be written: it is the input {other}")


def write_json(content: Mapping[str, object], path: Path) -> None:
    """Write plain data for programs and for people; the file is there whole or not at all."""
    from posebench.io.atomic import atomic_write

    with atomic_write(path) as handle:
        handle.write((json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
