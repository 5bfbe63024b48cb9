"""What posebench runs in: for bug reports, and for whoever must know under which licences it runs.

Nothing but the metadata of installed packages is read; none of them is imported.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from posebench import __version__

#: The name on the package index.
DISTRIBUTION = "posebench-hpe"
#: Environment variables that change what posebench does.
VARIABLES = (
    "POSEBENCH_DATA",
    "POSEBENCH_RUNS",
    "XDG_CACHE_HOME",
    "NUMBA_CACHE_DIR",
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")
_OWN = re.compile(r"posebench-hpe\[([^\]]+)\]")
#: So much of a licence's text is its name; some packages write all of it where the name belongs.
_LONGEST = 60


@dataclass(frozen=True)
class Package:
    """A package that posebench asks for.

    name : str
    extra : str
        Empty for what the core needs, else the first extra that asks for it.
    version : str or None
        None if it is not installed.
    licence : str or None
        As its metadata say it.
    """

    name: str
    extra: str
    version: str | None
    licence: str | None


@dataclass(frozen=True)
class Environment:
    """What `posebench env` prints.

    posebench, python, platform : str
    processors : int
        That this process may use.
    variables : tuple of str
        Which of `VARIABLES` are set. Their values are paths of a person, and are not told.
    packages : tuple of Package
    """

    posebench: str
    python: str
    platform: str
    processors: int
    variables: tuple[str, ...]
    packages: tuple[Package, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)


def environment() -> Environment:
    """What posebench runs in now.

    Examples
    --------
    >>> found = environment()
    >>> [package.version is not None for package in found.packages if package.name == "numpy"]
    [True]
    """
    affinity = getattr(os, "sched_getaffinity", None)
    return Environment(
        __version__,
        f"{platform.python_implementation()} {platform.python_version()}",
        platform.platform(terse=True),
        len(affinity(0)) if affinity is not None else os.cpu_count() or 1,
        tuple(name for name in VARIABLES if os.environ.get(name)),
        tuple(_packages()),
    )


def _packages() -> Iterator[Package]:
    try:
        wanted = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        # A checkout that is on the path without being installed.
        wanted = []
    seen = set()
    for requirement in wanted:
        match = _NAME.match(requirement)
        if match is None or _OWN.match(requirement):
            continue
        extra = _EXTRA.search(requirement)
        if match[0] in seen or (extra is not None and extra[1] == "dev"):
            continue
        seen.add(match[0])
        yield _package(match[0], extra[1] if extra else "")


def _package(name: str, extra: str) -> Package:
    try:
        facts = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return Package(name, extra, None, None)
    return Package(name, extra, facts["Version"], _licence(facts))


def _licence(facts: Any) -> str | None:
    """By the expression, else by a short text, else by the classifiers."""
    expression = facts.get("License-Expression") or ""
    text = (facts.get("License") or "").strip()
    if expression:
        return str(expression)
    if text and "\n" not in text and len(text) <= _LONGEST:
        return str(text)
    classified = [each.rpartition(" :: ")[2] for each in facts.get_all("Classifier") or [] if "License ::" in each]
    return "; ".join(classified) or (text.splitlines()[0][:_LONGEST] if text else None)


def in_virtual_environment() -> bool:
    """Whether this Python is one of a virtual environment."""
    return sys.prefix != sys.base_prefix


__all__ = ["DISTRIBUTION", "VARIABLES", "Environment", "Package", "environment", "in_virtual_environment"]
