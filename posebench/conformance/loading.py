"""Finding a scorer by what a user typed: module:function, or PATH.py:function. Loading it runs its code."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from posebench.conformance.isolation import called
from posebench.errors import UsageError

#: Seconds that an import may take: of torch on a cold disk, say.
IMPORT_LIMIT = 120.0


def load_scorer(spec: str) -> Callable[..., Any]:
    """The function that `spec` names. Its module is imported, which runs its code, and can import what lies beside it.

    Raises
    ------
    UsageError
        If there is no such module, file or function, or importing it fails.

    Examples
    --------
    >>> load_scorer("posebench.conformance:reference").__name__
    'reference'
    """
    where, colon, name = spec.rpartition(":")
    if not (where and colon and name and all(part.isidentifier() for part in name.split("."))):
        raise UsageError(f"--scorer {spec}: expected MODULE:FUNCTION or PATH.py:FUNCTION, as in mycode.metrics:score")
    is_file = where.endswith(".py")
    if is_file and not Path(where).is_file():
        raise UsageError(f"--scorer {spec}: there is no file {where}")
    folder = str(Path(where).resolve().parent) if is_file else str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    outcome = called(lambda: _found(where, name, is_file), IMPORT_LIMIT)
    if outcome.too_long:
        raise UsageError(f"--scorer {spec}: importing {where} took longer than {IMPORT_LIMIT:g} s")
    if isinstance(outcome.error, _NoSuchNameError):
        raise UsageError(f"--scorer {spec}: {where} has no {name}")
    if outcome.error is not None:
        raise UsageError(f"--scorer {spec}: {where} cannot be imported: {outcome.error_text}")
    if not callable(outcome.value):
        raise UsageError(f"--scorer {spec}: {name} is of type {type(outcome.value).__name__}, expected a function")
    return outcome.value  # type: ignore[no-any-return]


class _NoSuchNameError(Exception):
    """The module was imported, and does not hold the name."""


def _found(where: str, name: str, is_file: bool) -> Any:
    found = _from_file(where) if is_file else importlib.import_module(where)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise _NoSuchNameError from None
    return found


def _from_file(path: str) -> Any:
    name = f"_scorer_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module
