"""Docstrings for the API reference: names that share a line of "Parameters" get a line each.

griffe gives all names of `pred, gt, root` the annotation of the first; one by one, each gets its own and its default.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension

_NAMES = re.compile(r"^(?P<names>\w+(?:, \*{0,2}\w+)+)\n(?P<text>(?:[ \t]+\S.*\n?|\n(?=[ \t]))*)", re.M)
_PARAMETERS = re.compile(r"^(?:Other )?Parameters\n-+\n(?:.*\n?)*?(?=^\w.*\n-{3,}$|\Z)", re.M)


def one_by_one(docstring: str) -> str:
    r"""The docstring with each parameter on a line of its own.

    >>> one_by_one("What.\n\nParameters\n----------\na, b\n    As in c.\n")
    'What.\n\nParameters\n----------\na\n    As in c.\nb\n    As in c.\n'
    """

    def names(found: re.Match[str]) -> str:
        text = found["text"] if found["text"].endswith("\n") or not found["text"] else found["text"] + "\n"
        return "".join(f"{name}\n{text}" for name in found["names"].split(", "))

    return _PARAMETERS.sub(lambda section: _NAMES.sub(names, section[0]), docstring)


class DocstringNames(Extension):
    """Changes docstrings when they are loaded."""

    def on_function(self, *, func: Any, **_: Any) -> None:
        """Of functions and methods."""
        if func.docstring is not None:
            func.docstring.value = one_by_one(func.docstring.value)
