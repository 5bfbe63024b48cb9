"""What two protocols differ in, field by field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from posebench.protocols.model import Protocol


@dataclass(frozen=True)
class Difference:
    """One field that two protocols differ in.

    `only_first` and `only_second` are set where the field is a list of names: what only that protocol has.
    """

    field: str
    first: Any
    second: Any
    only_first: tuple[str, ...] = ()
    only_second: tuple[str, ...] = ()


def differences(first: Protocol, second: Protocol) -> list[Difference]:
    """Fields of definition and selection that differ, in their order; names, versions and summaries aside.

    Examples
    --------
    >>> from posebench import get_protocol
    >>> found = differences(get_protocol("standard"), get_protocol("h36m-videopose3d"))
    >>> [difference.field for difference in found][:2]
    ['pred_root', 'pooling']
    """
    a, b = (_fields(protocol) for protocol in (first, second))
    found = []
    for name in dict.fromkeys((*a, *b)):
        x, y = a.get(name), b.get(name)
        if x == y:
            continue
        if isinstance(x, list) and isinstance(y, list) and all(isinstance(item, str) for item in (*x, *y)):
            found.append(
                Difference(
                    name, x, y, tuple(item for item in x if item not in y), tuple(item for item in y if item not in x)
                )
            )
        else:
            found.append(Difference(name, x, y))
    return found


def _fields(protocol: Protocol) -> dict[str, Any]:
    selection = {} if protocol.selection is None else protocol.selection.to_dict()
    return {**protocol.definition(), **{f"selection: {name}": value for name, value in selection.items()}}
