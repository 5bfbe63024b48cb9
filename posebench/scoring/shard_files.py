"""Which files are the shards of a set: those of a folder or a glob, each with its counterpart on the other side."""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from posebench.errors import InputError, UsageError

#: The options that name them.
SIDES = ("pred", "gt")
#: Names that a message lists before it says how many more there are.
_SHOWN = 3


@dataclass(frozen=True)
class Shard:
    """A part of a set: its name, and the files of both sides."""

    name: str
    pred: Path
    gt: Path


@dataclass(frozen=True)
class Shards:
    """All parts of a set in the order in which they are added up, that of their names."""

    pred: str
    gt: str
    shards: tuple[Shard, ...]
    #: What was found and left alone, in sentences.
    remarks: tuple[str, ...] = ()


def is_shards(path: str | Path) -> bool:
    """Whether a path names shards: a folder, or a pattern with `*`, `?` or `[` that is no file itself.

    Examples
    --------
    >>> is_shards("predictions/*.npz"), is_shards("pred.npz")
    (True, False)
    """
    return os.path.isdir(path) or (glob.has_magic(os.fspath(path)) and not os.path.exists(path))


def find_shards(pred: str | Path, gt: str | Path) -> Shards:
    """The shards of both sides, matched by their names below the folder, or below the part of a glob without wildcards.

    The suffix does not belong to the name, so that `pred/a.npz` belongs to `gt/a.parquet`. Hidden files are left alone,
    and files of a folder whose suffix no reader has, which is remarked.

    Raises
    ------
    InputError
        If a side has no shards, two of one name, or one that the other side has not.
    UsageError
        If a side is neither a folder nor a glob.
    """
    given = os.fspath(pred), os.fspath(gt)
    for at, path in enumerate(given):
        if not is_shards(path):
            if not os.path.exists(path):
                raise InputError(f"{path}: is not there; expected a folder or a pattern of shards for --{SIDES[at]}")
            other = given[1 - at]
            kind = "folder" if os.path.isdir(other) else "pattern of shards"
            raise UsageError(
                f"{other}: is a {kind}, expected a file, as --{SIDES[at]} {path} is no folder; or give both "
                "sides as folders or globs of shards, each with its ground truth under its own name"
            )
    sides, remarks = [], []
    for path in given:
        found, foreign = _side(path)
        sides.append(found)
        if foreign:
            remarks.append(f"{_listed(foreign)} in {path} left alone: no reader has that suffix")
    for at, what in enumerate(("add its ground truth, or take it out", "add its predictions, or take it out")):
        alone = [name for name in sorted(sides[at]) if name not in sides[1 - at]]
        if alone:
            raise InputError(f"{given[at]}: {given[1 - at]} has no shard of the same name for {_listed(alone)}; {what}")
    shards = tuple(Shard(name, sides[0][name], sides[1][name]) for name in sorted(sides[0]))
    return Shards(*given, shards, tuple(remarks))


def would_be_shard(path: str | Path, given: str | Path) -> bool:
    """Whether a file at `path` would be taken for a shard of a side, were it there.

    Examples
    --------
    >>> would_be_shard("pred/new.npz", "pred/*.npz"), would_be_shard("result.npz", "pred/*.npz")
    (True, False)
    """
    real = os.path.realpath(path)
    if os.path.isdir(given):
        return Path(real).is_relative_to(Path(given).resolve())
    root = _root(os.fspath(given))
    pattern = os.path.join(glob.escape(os.path.realpath(root)), os.path.relpath(given, root))
    if "**" in pattern:
        return fnmatch.fnmatch(real, pattern.replace("**" + os.sep, "*"))  # any `*` goes across folders then
    return Path(real).match(pattern)


def sums_of(names_and_hashes: Iterable[tuple[Path, str]], given: str) -> str:
    """One hash for the files of a side: that of a listing as `sha256sum` prints it, names below the folder or glob.

    Examples
    --------
    >>> sums_of([(Path("pred/a.npz"), "00" * 32)], "pred")[:12]
    '1b2589036fe1'
    """
    root = _root(given)
    hashed = hashlib.sha256()
    for path, digest in names_and_hashes:
        hashed.update(f"{digest}  ".encode() + os.fsencode(path.relative_to(root).as_posix()) + b"\n")
    return hashed.hexdigest()


def _side(given: str) -> tuple[dict[str, Path], list[str]]:
    """Files by name, and the names of those that no reader takes."""
    from posebench.io import formats

    suffixes = sorted((suffix for form in formats() for suffix in form.suffixes), key=len, reverse=True)
    root = _root(given)
    found: dict[str, Path] = {}
    foreign = []
    for path in _files(given):
        relative = path.relative_to(root).as_posix()
        suffix = next((suffix for suffix in suffixes if path.name.lower().endswith(suffix)), None)
        if suffix is None:
            if not os.path.isdir(given):
                raise UsageError(f"{path}: no reader has this suffix; known are {', '.join(sorted(suffixes))}")
            foreign.append(relative)
            continue
        if not path.is_file():
            raise InputError(f"{path}: is no regular file that can be read")
        name = relative[: -len(suffix)]
        if name in found:
            raise InputError(f"{found[name]} and {path} are two shards of one name; keep one of them")
        found[name] = path
    if not found:
        raise InputError(f"{given}: holds no file that posebench reads; expected shards of poses")
    return found, sorted(foreign)


def _files(given: str) -> Iterator[Path]:
    if not os.path.isdir(given):
        for name in glob.iglob(given, recursive=True):
            if not os.path.isdir(name):
                yield Path(name)
        return

    def fail(error: OSError) -> None:
        raise InputError(f"{error.filename}: cannot be read: {error.strerror or error}")

    for folder, below, names in os.walk(given, onerror=fail):
        below[:] = [name for name in below if not name.startswith(".")]
        yield from (Path(folder, name) for name in names if not name.startswith("."))


def _root(given: str) -> Path:
    """The folder that names are below."""
    if os.path.isdir(given):
        return Path(given)
    parts = Path(given).parts
    fixed = [part for at, part in enumerate(parts[:-1]) if not any(map(glob.has_magic, parts[: at + 1]))]
    return Path(*fixed)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


__all__ = ["SIDES", "Shard", "Shards", "find_shards", "is_shards", "sums_of", "would_be_shard"]
