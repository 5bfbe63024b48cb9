"""What a scorer has seen, as plain arrays and JSON: the file that is left of a shard once it is scored.

A state is exact: a scorer that is packed and unpacked gives the same report, bit for bit, and goes on merging. Its file
is an uncompressed .npz of four arrays, without pickle:

| array | what it holds |
|---|---|
| `record` | bytes of a JSON text: schema, what the state is bound to, names, counts, and where each sum lies |
| `floats`, `ints` | all sums, one after the other |
| `digest` | SHA-256 of the three before, so that a damaged file is never read |
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.io.array_file import read_arrays, write_arrays
from posebench.io.atomic import atomic_write
from posebench.io.facts import brief, shown
from posebench.metrics.fields import Setup
from posebench.metrics.registry import Metric
from posebench.poses import TEXT_KEYS, PoseSet
from posebench.scoring.explaining import Explained, layout_of
from posebench.scoring.scorer import Scorer
from posebench.tally import Tally
from posebench.taxonomy import Frames, TaxonomyState

SCHEMA = "posebench.state/1"
#: To be raised when sums come to mean something else: states of before are then no longer taken.
VERSION = 1
#: Bytes of the largest file that is read.
LIMIT = 2**32

_FILE = ("record", "floats", "ints", "digest")
_SHARES = ("sums", "counts", "swapped", "torn", "poses")
_WAITING = ("pred", "gt", "usable", "cells", "numbers", "todo")

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class State:
    """What is known of a scorer: `record` is plain data, `arrays` are float64 and int64 by name."""

    record: dict[str, Any]
    arrays: Arrays


def blank(scorer: Scorer) -> Scorer:
    """A scorer of the same protocol, metrics and banks that has seen nothing."""
    empty = copy(scorer)
    empty._tally, empty._explained, empty._fps, empty._applied = None, None, None, None
    empty._cells, empty._keys, empty._matched, empty._notes, empty._offered = {}, (), [], [], 0
    return empty


def pack(scorer: Scorer) -> State:
    """Everything that a scorer has seen; it must have seen something.

    Examples
    --------
    >>> import posebench as pb
    >>> gt = np.random.default_rng(0).normal(size=(4, 17, 3)) * 300
    >>> scorer = pb.Scorer("standard", metrics=["MPJPE"])
    >>> scorer.update(gt + 30, gt)
    >>> unpack(pack(scorer), blank(scorer)).report().metrics == scorer.report().metrics
    True
    """
    tally = scorer._tally
    assert tally is not None
    record: dict[str, Any] = {
        "metrics": [metric.key for metric in tally.metrics],
        "cells": [list(cell) for cell in scorer._cells],
        "keys": list(scorer._keys),
        "fps": scorer._fps,
        "matched": scorer._matched,
        "notes": scorer._notes,
        "applied": scorer._applied,
        "offered": scorer._offered,
        "counts": dict(tally.counts),
    }
    arrays: Arrays = {"sums": tally.sums, "items": np.concatenate([*tally.items, np.zeros((0, 2))])}
    if tally.motion is not None:
        arrays |= {f"motion.{name}": array for name, array in tally.motion.arrays().items()}
    if tally.spread is not None:
        arrays["spread"] = tally.spread.moments
    if tally.clusters is not None:
        record["lying"] = tally.clusters.lying
        for kind in ("confusion", "shares", "ensembles"):
            arrays |= {f"{kind}.{key}": counts for key, counts in getattr(tally.clusters, kind).items()}
    if scorer._explained is not None:
        state = scorer._explained.state
        record["explained"] = {
            **{"error": scorer._explained.error, "notes": scorer._explained.notes},
            **{"reach": state.reach, "deep": state.deep},
        }
        arrays |= {f"explained.{name}": getattr(state, name) for name in _SHARES}
        arrays |= {f"waiting.{name}": getattr(state.waiting, name) for name in _WAITING}
    return State(record, arrays)


def unpack(state: State, empty: Scorer, setups: dict[tuple[str, ...], Setup] | None = None) -> Scorer:
    """A scorer that has seen what was packed; `empty` is of the same protocol, metrics and banks.

    `setups` is kept from call to call: cluster banks are then made ready once.

    Raises
    ------
    InputError
        If the state is not one of such a scorer.
    """
    try:
        return _unpacked(state, empty, {} if setups is None else setups)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        reason = f"{type(error).__name__}: {brief(error)}"
        raise InputError(f"is no state of a scorer of protocol {empty.protocol.name} ({reason})") from None


def _unpacked(state: State, empty: Scorer, setups: dict[tuple[str, ...], Setup]) -> Scorer:
    record, arrays = state.record, dict(state.arrays)
    known = {metric.key: metric for metric in empty.metrics}
    metrics = tuple(known[key] for key in record["metrics"])
    setup = setups.setdefault(tuple(record["metrics"]), _setup(empty, metrics))
    scorer = blank(empty)
    cells = [tuple(None if part is None else _text(part) for part in cell) for cell in record["cells"]]
    scorer._cells = {cell: row for row, cell in enumerate(cells)}
    if len(scorer._cells) < len(cells) or any(len(cell) != len(TEXT_KEYS) for cell in cells):
        raise ValueError("cells repeat, or have another number of keys")
    scorer._keys = tuple(map(_text, record["keys"]))
    scorer._fps = None if record["fps"] is None else float(record["fps"])
    scorer._matched, scorer._notes = (
        [_text(how) for how in record["matched"]],
        [_text(note) for note in record["notes"]],
    )
    scorer._applied, scorer._offered = bool(record["applied"]), int(record["offered"])
    tally = Tally(metrics, setup)
    tally.sums = _shaped(arrays.pop("sums"), (len(cells), len(metrics), 4))
    lengths = [len(items) for items in tally.items]
    tally.items = np.split(_shaped(arrays.pop("items"), (sum(lengths), 2)), np.cumsum(lengths)[:-1])
    tally.counts = Counter({_text(name): int(count) for name, count in record["counts"].items()})
    if tally.motion is not None:
        names = [name for name in arrays if name.startswith("motion.")]
        tally.motion.fill({name.removeprefix("motion."): arrays.pop(name) for name in names}, len(cells))
    if tally.spread is not None:
        moments = arrays.pop("spread")
        if len(moments) > len(cells):
            raise ValueError(f"spread has {len(moments)} cells of {len(cells)}")
        tally.spread.moments = _shaped(moments, (len(moments), *tally.spread.moments.shape[1:]))
    if tally.clusters is not None:
        tally.clusters.lying = int(record["lying"])
        for kind in ("confusion", "shares", "ensembles"):
            held = getattr(tally.clusters, kind)
            for key, counts in held.items():
                found = arrays.pop(f"{kind}.{key}")
                held[key] = _shaped(found, (len(found), *counts.shape[1:]) if kind == "shares" else counts.shape)
    if scorer.explain:
        scorer._explained = _explained(record["explained"], arrays, setup, len(cells))
    if arrays:
        raise ValueError(f"there is more in it: {', '.join(arrays)}")
    scorer._tally = tally
    return scorer


def _setup(scorer: Scorer, metrics: tuple[Metric, ...]) -> Setup:
    """What sums are of; they are in mm, whatever the poses were in."""
    none = PoseSet(np.zeros((0, len(scorer.protocol.skeleton), 3)), unit="mm")
    return scorer._setup(none, none, metrics)


def _explained(record: Mapping[str, Any], arrays: Arrays, setup: Setup, cells: int) -> Explained:
    layout = layout_of(setup, _text(record["error"]))
    state = TaxonomyState(layout, int(record["reach"]), bool(record["deep"]))
    for name in _SHARES:
        found, own = arrays.pop(f"explained.{name}"), getattr(state, name)
        by_cell = name in ("sums", "counts")
        if by_cell and len(found) > cells:
            raise ValueError(f"{name} has {len(found)} cells of {cells}")
        setattr(state, name, _shaped(found, (len(found), *own.shape[1:]) if by_cell else own.shape))
    waiting = {name: arrays.pop(f"waiting.{name}") for name in _WAITING}
    n, none = len(waiting["cells"]), Frames.none(len(layout.joints))
    kept = {name: _shaped(array, (n, *getattr(none, name).shape[1:])) for name, array in waiting.items()}
    state.waiting = Frames(**{name: array.astype(getattr(none, name).dtype) for name, array in kept.items()})
    return Explained(state, _text(record["error"]), [_text(note) for note in record["notes"]])


def _shaped(array: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """A copy that may be added to, of the shape that it must have."""
    if array.shape != shape:
        raise ValueError(f"an array has the shape {array.shape}, expected {shape}")
    return array.copy()


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{shown(value)} is no text")
    return value


# Files


def write_state(path: Path, state: State) -> None:
    """Write a state; the file is there whole, or as it was before.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    places: dict[str, list[Any]] = {}
    flat: dict[str, list[npt.NDArray[Any]]] = {"floats": [np.zeros(0)], "ints": [np.zeros(0, np.int64)]}
    for name, array in state.arrays.items():
        kind = "floats" if array.dtype.kind == "f" else "ints"
        places[name] = [kind, list(array.shape)]
        flat[kind].append(array.reshape(-1).astype(np.float64 if kind == "floats" else np.int64, copy=False))
    record = {"schema": SCHEMA, "arrays": places, **state.record}
    arrays: Arrays = {"record": np.frombuffer(json.dumps(record, separators=(",", ":")).encode(), np.uint8)}
    arrays |= {kind: np.concatenate(parts) for kind, parts in flat.items()}
    with atomic_write(path) as handle:
        write_arrays(handle, {**arrays, "digest": _digest(arrays)})


def read_state(path: Path) -> State:
    """Read a state as it was written.

    Raises
    ------
    InputError
        If the file cannot be read, is damaged, or is no state.
    """
    arrays = read_arrays(path, _FILE, LIMIT)
    try:
        if not np.array_equal(arrays.pop("digest"), _digest(arrays)):
            raise ValueError("its contents do not have the hash that it says")
        record = json.loads(arrays["record"].tobytes())
        if not isinstance(record, dict) or record.pop("schema", None) != SCHEMA:
            raise ValueError(f"it is not of the schema {SCHEMA}")
        taken, found = {"floats": 0, "ints": 0}, {}
        for name, (kind, shape) in record.pop("arrays").items():
            if (
                not isinstance(shape, list)
                or len(shape) > 8
                or not all(type(n) is int and 0 <= n < 2**32 for n in shape)
            ):
                raise ValueError(f"{shown(name)} has the shape {shown(shape)}")
            size = math.prod(shape)
            found[name] = arrays[kind][taken[kind] : taken[kind] + size].reshape(shape)
            taken[kind] += size
        return State(record, found)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: is no whole state of a shard: {brief(error)}") from None


def _digest(arrays: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.uint8]:
    hashed = hashlib.sha256()
    for name in _FILE[:-1]:
        array = np.ascontiguousarray(arrays[name])
        hashed.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        hashed.update(array.tobytes())
    return np.frombuffer(hashed.digest(), np.uint8)


__all__ = ["SCHEMA", "VERSION", "State", "blank", "pack", "read_state", "unpack", "write_state"]
