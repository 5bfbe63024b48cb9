"""Reading and writing .json: an object with the same names as in .npz, or a bare nested list of poses.

``{"poses": [[[x, y, z], ...], ...], "unit": "mm", "action": ["Walking", ...], ...}``. `null` (and the `NaN` that
Python writes) stands for an unknown coordinate. JSON holds text, so this is for small files; large ones are refused.
Layouts of other projects are told apart by `posebench.io.layouts`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.io import layouts
from posebench.io.facts import ARRAYS, Facts, brief, collect, facts_of, nan_as_none, shown, shown_kind
from posebench.poses import KeyColumn, PoseSet

#: Bytes of text; parsing takes about eight times as much memory.
SIZE_LIMIT = 512 * 2**20
#: Poses turned into text at a time.
ROWS = 1024
_ENCODE = json.JSONEncoder(allow_nan=False).encode


def read_json(path: Path) -> Facts:
    """Read a .json file.

    Raises
    ------
    InputError
        If this is not JSON, names repeat, or the numbers are ragged or not numbers.
    """
    size = path.stat().st_size
    if size > SIZE_LIMIT:
        raise InputError(f"{path}: has {size} bytes of JSON, at most {SIZE_LIMIT} are read; convert it to .npz")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = dict(pairs)
        if len(names) < len(pairs):
            seen: set[str] = set()
            twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
            raise InputError(f"{path}: the name {shown(twice)} stands twice in one object")
        return names

    try:
        content = json.loads(path.read_bytes(), object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: line {error.lineno}, column {error.colno}: is not JSON: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not text, expected JSON in UTF-8") from None
    except RecursionError:
        raise InputError(f"{path}: is nested too deeply, expected a list of poses of joints of x, y, z") from None
    except InputError:
        raise
    except ValueError as error:  # an integer of thousands of digits
        raise InputError(f"{path}: holds a number that cannot be read: {brief(error)}") from None

    reading = layouts.Reading.of(str(path), size, lists=True)
    if isinstance(content, list) and (read := layouts.by_items(content)):
        return read(content, reading)
    raw = {"poses": content} if isinstance(content, list) else content
    if not isinstance(raw, dict):
        raise InputError(f"{path}: holds {shown_kind(content)}, expected an object with 'poses' or a list of poses")
    layout = layouts.by_names(raw)
    for name in ("poses", "valid", *ARRAYS) if layout is None else layout.arrays:
        if raw.get(name) is not None:
            raw[name] = _array(raw[name], name, str(path))
    return collect(raw, str(path)) if layout is None else layout.read(raw, reading)


def _array(value: Any, name: str, source: str) -> npt.NDArray[Any]:
    """A nested list of numbers and nulls as an array; null becomes NaN."""
    # Objects first: left to itself NumPy would turn numbers into text where one text stands among them.
    array = np.asarray(value, object)
    kinds = set(map(type, array.ravel()))
    if not kinds <= {int, float, bool, type(None)} or (name == "poses" and array.ndim == 0):
        _check(value, name, _first_shape(value), source)
    try:
        return array.astype(np.bool_ if kinds == {bool} else np.float64)
    except (OverflowError, ValueError, TypeError):
        raise InputError(f"{source}: {name} holds numbers that cannot be stored in 64 bits") from None


def _first_shape(value: Any) -> tuple[int, ...]:
    """The shape that the first elements suggest."""
    shape: list[int] = []
    while isinstance(value, list) and len(shape) < 4:
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def _check(value: Any, place: str, shape: tuple[int, ...], source: str) -> None:
    """Walk a nested list and name the first place where it is not numbers of the given shape."""
    if not shape:
        if place == "poses":
            raise InputError(f"{source}: poses is {shown_kind(value)}, expected a list of poses of joints of x, y, z")
        if not (value is None or isinstance(value, int | float)):
            raise InputError(f"{source}: {place} is {shown_kind(value)}, expected a number or null")
        return
    if not isinstance(value, list):
        raise InputError(f"{source}: {place} is {shown_kind(value)}, expected a list of {shape[0]}")
    if len(value) != shape[0]:
        raise InputError(f"{source}: {place} has {len(value)} elements, expected {shape[0]} like those before it")
    for i, item in enumerate(value):
        _check(item, f"{place}[{i}]", shape[1:], source)


def write_json(poseset: PoseSet, handle: BinaryIO, path: str) -> None:
    """Write every fact as strict JSON, unknown coordinates as null, numbers to the last digit.

    Raises
    ------
    InputError
        If the set is empty or a coordinate is infinite, for which JSON has no word.
    """
    text = io.TextIOWrapper(handle, "utf-8", newline="\n", write_through=True)
    known = facts_of(poseset, path)
    try:
        text.write("{")
        for i, (name, value) in enumerate(known.items()):
            text.write(",\n" if i else "\n")
            text.write(f"{json.dumps(name)}: ")
            for piece in _pieces(value):
                text.write(piece)
        text.write("\n}\n")
    except ValueError:
        raise InputError(f"{path}: not written, {name} holds infinite numbers and JSON has none; use .npz") from None
    finally:
        text.detach()


def _pieces(value: Any) -> Iterator[str]:
    """JSON text of one fact, long ones in pieces of `ROWS` rows, one row per line."""
    if isinstance(value, str | float):
        yield _ENCODE(value)
        return
    if not isinstance(value, KeyColumn) and value.ndim == 0:
        yield _ENCODE(nan_as_none(value).tolist())
        return
    names = np.array(value.names, object) if isinstance(value, KeyColumn) else None
    rows = value.codes if isinstance(value, KeyColumn) else value
    end = ",\n" if rows.ndim > 1 else ", "
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        items = names[part].tolist() if names is not None else nan_as_none(part).tolist()
        yield ("[" if start == 0 else end) + end.join(map(_ENCODE, items))
    yield "]"
