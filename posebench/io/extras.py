"""Importing an optional dependency when a file asks for it, and saying how to install it when it is not there."""

from __future__ import annotations

import importlib
from typing import Any

from posebench.errors import MissingExtraError


def optional(module: str, what: str) -> Any:
    """Import a module of the extra `io`; `what` is the file or format that needs it.

    Raises
    ------
    MissingExtraError
        If it is not installed; the message holds the pip command.

    Examples
    --------
    >>> optional("json", "a.h5").__name__
    'json'
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingExtraError(what, module.partition(".")[0], "io") from None
