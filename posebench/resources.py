"""Finds the files that posebench ships besides its code: example data, cluster banks and results.

They lie inside the installed package, or else beside it in the checkout; callers name them the same way in both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from posebench.errors import InputError

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parent

#: Folder in the installed package -> folder in the checkout, from which pyproject.toml copies it into the wheel.
_FOLDERS = {"clusters": "clusters", "examples": "examples/data", "results": "docs/results"}


def resource(folder: Literal["clusters", "examples", "results"], *parts: str) -> Path:
    """Path of a file or folder that ships with posebench.

    Parameters
    ----------
    folder : {"clusters", "examples", "results"}
    *parts : str
        The name inside that folder, part by part.

    Raises
    ------
    InputError
        If posebench does not ship it.

    Examples
    --------
    >>> resource("examples", "pose2sim", "gt.npz").name
    'gt.npz'
    >>> resource("examples", "nothing")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    posebench.errors.InputError: posebench ships no examples/nothing: expected it at ...
    """
    places = [_PACKAGE.joinpath(folder, *parts)]
    if (_CHECKOUT / "pyproject.toml").is_file():
        places.append(_CHECKOUT.joinpath(_FOLDERS[folder], *parts))
    for place in places:
        if place.exists():
            return place
    name = "/".join((folder, *parts))
    raise InputError(f"posebench ships no {name}: expected it at {' or '.join(map(str, places))}")
