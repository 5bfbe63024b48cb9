"""Joining pose sets: several files that are one set, such as the test sequences of MPI-INF-3DHP.

What the sets say must agree; nothing is converted, chosen or dropped to make them fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError, UsageError
from posebench.matching import describe_keys, key_codes
from posebench.poses import KEYS, KeyColumn, PoseSet

#: What one word must say of all poses.
_FACTS = ("skeleton", "unit", "reference", "origin", "fps", "dataset")
#: Facts that may be one for all poses or one per pose, and the shape of one.
_PER_POSE = {"intrinsics": (3, 3), "extrinsics": (3, 4), "root_depth": ()}


def concatenate(posesets: Sequence[PoseSet]) -> PoseSet:
    """One set of all poses of several sets, in their order.

    Parameters
    ----------
    posesets : sequence of PoseSet
        They agree on skeleton, unit, reference, origin, fps and dataset, have the same keys and camera facts, and no
        pose of one has the keys of a pose of another. A set without `valid` holds every joint.

    Returns
    -------
    PoseSet
        A new array of coordinates; a single set is returned as it is.

    Raises
    ------
    InputError
        If they do not belong together; one sentence that names both.
    UsageError
        If there are none.

    Examples
    --------
    >>> parts = [PoseSet(np.zeros((2, 17, 3)), unit="mm", sequence=name, frame=[0, 1]) for name in ("TS1", "TS2")]
    >>> joined = concatenate(parts)
    >>> len(joined), joined.unit, joined.sequence.values.tolist()
    (4, 'mm', ['TS1', 'TS1', 'TS2', 'TS2'])
    """
    sets = list(posesets)
    if not sets:
        raise UsageError("there is nothing to join: no pose sets were given")
    first = sets[0]
    if len(sets) == 1:
        return first
    for other in sets[1:]:
        _refuse_unlike(first, other)
    keys = {key: _joined_key([getattr(each, key) for each in sets]) for key in first.keys}
    _refuse_shared_keys(sets, keys)
    joined: dict[str, Any] = {fact: getattr(first, fact) for fact in _FACTS} | keys
    joined["poses"] = np.concatenate([each.poses for each in sets])
    if any(each.valid is not None for each in sets):
        joined["valid"] = np.concatenate(
            [np.ones(each.poses.shape[:2], np.bool_) if each.valid is None else each.valid for each in sets]
        )
    for fact, shape in _PER_POSE.items():
        if getattr(first, fact) is not None:
            joined[fact] = _joined_fact(sets, fact, shape)
    return PoseSet(
        **joined,
        source=_named(sets),
        stated=frozenset.intersection(*(each.stated for each in sets)),
        notes=list(dict.fromkeys(note for each in sets for note in each.notes)),
    )


def _refuse_unlike(first: PoseSet, other: PoseSet) -> None:
    for fact in _FACTS:
        a, b = getattr(first, fact), getattr(other, fact)
        if a != b:
            raise InputError(
                f"{first.source} and {other.source} cannot be joined: {fact} of the first is {_said(a)}, of the second "
                f"{_said(b)}; say what both are, or convert one of them first"
            )
    if first.poses.shape[1] != other.poses.shape[1]:
        raise InputError(
            f"{first.source} and {other.source} cannot be joined: their poses have {first.poses.shape[1]} and "
            f"{other.poses.shape[1]} joints"
        )
    for name in (*KEYS, *_PER_POSE):
        have, lack = (first, other) if getattr(first, name) is not None else (other, first)
        if getattr(have, name) is not None and getattr(lack, name) is None:
            what = "the key " if name in KEYS else ""
            raise InputError(
                f"{have.source} has {what}{name} and {lack.source} has not; give it to both, or to neither"
            )


def _said(fact: Any) -> str:
    return "not said" if fact is None else str(getattr(fact, "name", fact))


def _refuse_shared_keys(sets: Sequence[PoseSet], keys: Mapping[str, Any]) -> None:
    """Raise if two poses have the same keys: of two sets, or of one whose frames are numbered."""
    if not keys:
        return
    first, total = sets[0], sum(map(len, sets))
    codes = key_codes(PoseSet(np.broadcast_to(np.float32(0), (total, 1, 3)), **keys))
    part = np.repeat(np.arange(len(sets)), [len(each) for each in sets])
    order = np.argsort(codes, kind="stable")
    twice = codes[order][1:] == codes[order][:-1]
    if first.frame is None:
        # Without frame numbers keys are groups; within a set they repeat as they must.
        twice &= part[order][1:] != part[order][:-1]
    if not twice.any():
        return
    pair = np.flatnonzero(twice)[0]
    rows = order[pair : pair + 2]
    begin = np.cumsum([0, *(len(each) for each in sets)])
    (a, i), (b, j) = ((sets[part[row]], int(row - begin[part[row]])) for row in rows)
    advice = "join each file once" if first.frame is not None else "add a sequence or frame numbers to both"
    raise InputError(
        f"{a.source}: row {i} and {b.source}: row {j} have the same keys ({describe_keys(a, i, first.keys)}), and so "
        f"have {int(twice.sum())} pairs in all; {advice}"
    )


def _joined_key(columns: Sequence[Any]) -> Any:
    """One column of all; text columns get common names."""
    if not isinstance(columns[0], KeyColumn):
        return np.concatenate(columns)
    names = tuple(sorted({name for column in columns for name in column.names}))
    where = {name: code for code, name in enumerate(names)}
    codes = [np.array([where[name] for name in column.names], np.int32)[column.codes] for column in columns]
    return KeyColumn(np.concatenate(codes), names)


def _joined_fact(sets: Sequence[PoseSet], fact: str, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """One value if all sets have the same one, else one per pose."""
    values = [getattr(each, fact) for each in sets]
    if all(value.shape == shape and np.array_equal(value, values[0]) for value in values):
        return np.asarray(values[0])
    return np.concatenate(
        [np.broadcast_to(value, (len(each), *shape)) for each, value in zip(sets, values, strict=True)]
    )


def _named(sets: Sequence[PoseSet]) -> str:
    names = [each.source for each in sets]
    return " + ".join(names) if len(names) <= 3 else f"{names[0]} and {len(names) - 1} more"


__all__ = ["concatenate"]
