"""The definitions of the paper's four tables, and how the runs that they ask for are made.

A definition (`definitions/1.yaml` to `4.yaml`) names columns, published entries and runs; `definitions/runs.yaml` holds
a recipe for each run. The layout of recipes, which is that of the `run.yaml` of a result, is checked here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, get_args

from posebench.errors import InputError, UsageError
from posebench.published.model import UNKNOWN, Source2D, Supervision
from posebench.strict_yaml import load_yaml
from posebench.tables.model import Recipe

NUMBERS = (1, 2, 3, 4)
#: Names of runs: folders below the results.
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")

_FOLDER = Path(__file__).parent / "definitions"
_SHOWN = 80
#: Fields of a run.yaml that the recipe of its name may say instead.
_FALL_BACK = ("source_2d", "gt_root_depth", "gt_intrinsics", "epoch_by_test_gt", "note")


@dataclass(frozen=True)
class Line:
    """Published entries of one row, and the runs that regenerate it, by data set."""

    published: tuple[str, ...]
    #: Data set -> names, `*` for any ending; the first without `*` is asked for.
    runs: dict[str, tuple[str, ...]]
    label: str | None
    #: Protocols to look for instead of the data set's, the first that is there.
    protocols: tuple[str, ...]


@dataclass(frozen=True)
class On:
    """A table on one data set."""

    #: Whose results regenerated rows are.
    protocol: str
    #: Whether the protocol's selection of frames is to have been applied.
    selection: bool


@dataclass(frozen=True)
class Definition:
    """What a table holds."""

    number: int
    title: str
    columns: tuple[str, ...]
    data: dict[str, On]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]


@cache
def definition(number: int) -> Definition:
    """The definition of a table.

    Raises
    ------
    UsageError
        If the paper has no such table.

    Examples
    --------
    >>> definition(4).columns
    ('PCK@150', 'NPCK@150', 'PSS@50', 'PSS@100')
    """
    if number not in NUMBERS:
        raise UsageError(f"there is no table {number}; the paper's are {', '.join(map(str, NUMBERS))}")
    data = load_yaml(_FOLDER / f"{number}.yaml")
    lines = tuple(
        Line(
            tuple(row.get("published", ())),
            {name: tuple(runs) for name, runs in row.get("runs", {}).items()},
            row.get("label"),
            tuple(row.get("protocols", ())),
        )
        for row in data["rows"]
    )
    on = {name: On(of["protocol"], of.get("selection", True)) for name, of in data["data"].items()}
    return Definition(number, data["title"], tuple(data["columns"]), on, lines, tuple(data["notes"]))


@cache
def recipes() -> dict[str, Recipe]:
    """How the runs of the tables are made, by name.

    Examples
    --------
    >>> recipes()["open4v-small-lite0-fs"].seeds
    (0, 1, 2)
    """
    path = _FOLDER / "runs.yaml"
    data = load_yaml(path)
    steps: dict[str, list[str]] = data["steps"]
    found = {}
    for name, of in data["runs"].items():
        shared = [command for step in of.pop("steps", ()) for command in steps[step]]
        of["commands"] = [*shared, *of.get("commands", ())]
        found[name] = recipe_of({"name": name, **data["defaults"], **of}, f"{path}: run {name}")
    return found


def read_recipe(path: Path) -> Recipe:
    """A `run.yaml`, checked.

    Raises
    ------
    InputError
        If it cannot be read, or with its first fault.
    """
    data = load_yaml(path)
    known = recipes().get(path.parent.name)
    if known is not None and isinstance(data, dict):
        # What the file leaves open, and the recipe of that name says.
        said = {name: getattr(known, name) for name in _FALL_BACK}
        data = {name: value for name, value in said.items() if value not in (None, "")} | data
    recipe = recipe_of(data, str(path))
    if recipe.name != path.parent.name:
        raise InputError(f"{path}: name is {recipe.name!r}, expected that of its folder, {path.parent.name!r}")
    return recipe


def recipe_of(data: Any, where: str) -> Recipe:
    """A recipe out of plain data.

    Raises
    ------
    InputError
        With the first fault.
    """
    known = [field.name for field in fields(Recipe)]
    required = known[: known.index("seeds")]
    if not isinstance(data, dict):
        raise InputError(f"{where}: expected the fields {', '.join(required)}, found {type(data).__name__}")
    for name in data:
        if name not in known:
            raise InputError(f"{where}: there is no field {str(name)[:_SHOWN]!r}; known are {', '.join(known)}")
    for name in required:
        if name not in data:
            raise InputError(f"{where}: {name} is missing; docs/tables.md shows a whole file")
    read = _Reader(data, where)
    name = read.text("name")
    if not NAME.fullmatch(name):
        raise read.fault("name", "lower-case letters, digits, points and hyphens, 100 at most")
    return Recipe(
        name,
        read.text("description"),
        read.text("data"),
        read.words("supervision", get_args(Supervision)),
        read.texts("commands"),
        read.seeds(),
        read.text("config") if data.get("config") is not None else None,
        read.word("source_2d", get_args(Source2D)),
        read.truth("gt_root_depth"),
        read.truth("gt_intrinsics"),
        read.truth("epoch_by_test_gt"),
        *(read.text(name) if data.get(name, "") != "" else "" for name in ("note", "command", "root_depth")),
    )


class _Reader:
    """Fields of a mapping, each checked as it is taken."""

    def __init__(self, data: Mapping[str, Any], where: str) -> None:
        self._data, self._where = data, where

    def fault(self, name: str, expected: str) -> InputError:
        """What to raise of a field."""
        try:
            came = repr(self._data.get(name))[:_SHOWN]
        except ValueError:  # whole numbers of thousands of digits
            came = "a number too long to show"
        return InputError(f"{self._where}: {name} is {came}, expected {expected}")

    def text(self, name: str) -> str:
        value = self._data[name]
        if not isinstance(value, str) or not value.strip():
            raise self.fault(name, "text")
        return " ".join(value.split())

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._data[name]
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            raise self.fault(name, "a list of texts, one per step")
        return tuple(" ".join(item.split()) for item in value)

    def word(self, name: str, allowed: Sequence[str]) -> str | None:
        value = self._data.get(name, UNKNOWN)
        if value not in (*allowed, UNKNOWN):
            raise self.fault(name, f"one of {', '.join(allowed)}, {UNKNOWN}")
        return None if value == UNKNOWN else str(value)

    def words(self, name: str, allowed: Sequence[str]) -> tuple[str, ...] | None:
        value = self._data[name]
        if value == UNKNOWN:
            return None
        if not isinstance(value, list) or not value or any(item not in allowed for item in value):
            raise self.fault(name, f"a list of {', '.join(allowed)}; or unknown")
        return tuple(value)

    def truth(self, name: str) -> bool | None:
        value = self._data.get(name, UNKNOWN)
        if value != UNKNOWN and not isinstance(value, bool):
            raise self.fault(name, f"true, false or {UNKNOWN}")
        return None if value == UNKNOWN else value

    def seeds(self) -> tuple[int, ...]:
        value = self._data.get("seeds", [0])
        whole = isinstance(value, list) and all(isinstance(each, int) and not isinstance(each, bool) for each in value)
        if not whole or not value or min(value) < 0 or max(value) > 10**6 or len(set(value)) < len(value):
            raise self.fault("seeds", "a list of whole numbers from 0, each once")
        return tuple(value)


__all__ = ["NAME", "NUMBERS", "Definition", "Line", "On", "definition", "read_recipe", "recipe_of", "recipes"]
