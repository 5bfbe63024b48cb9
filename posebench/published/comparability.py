"""Whether a published number may stand beside another, or beside one that a protocol gives: the reasons against it."""

from __future__ import annotations

from collections.abc import Iterator

from posebench.protocols import Protocol
from posebench.published.model import PublishedResult

#: Field, and what it is called in a sentence.
_MEASURED = (
    ("subjects", "the choice of subjects"),
    ("stride", "the stride of frames"),
    ("pooling", "the pooling"),
)
_HELPED = (
    ("scale_adjusted", "whether the scale is fitted to the ground truth"),
    ("gt_root_depth", "whether the ground truth's root depth lifts the prediction"),
    ("gt_intrinsics", "whether the ground truth's intrinsics lift the prediction"),
    ("epoch_by_test_gt", "whether the epoch was chosen on ground truth of the test set"),
)


def reasons_not_comparable(entry: PublishedResult, other: PublishedResult | Protocol) -> list[str]:
    """Why a published number does not compare with another, or with what a protocol gives; empty if it does.

    What is unknown counts as a reason. How the models were trained does not: a table groups by it.

    Parameters
    ----------
    entry : PublishedResult
    other : PublishedResult or Protocol

    Returns
    -------
    list of str
        A sentence each, without full stop.

    Examples
    --------
    >>> from posebench import get_protocol, published_result
    >>> full = published_result("epipolarpose-full-r50-mpjpe")
    >>> reasons_not_comparable(full, published_result("epipolarpose-full-r34-mpjpe"))
    []
    >>> reasons_not_comparable(full, get_protocol("standard"))[0]
    'the number is of protocol h36m-epipolarpose, not of standard'
    """
    return list(_with_protocol(entry, other) if isinstance(other, Protocol) else _with_entry(entry, other))


def _with_entry(a: PublishedResult, b: PublishedResult) -> Iterator[str]:
    for entry in (a, b):
        yield from _own(entry)
    if a.dataset != b.dataset:
        yield f"the data sets differ: {a.dataset or 'unknown'} and {b.dataset or 'unknown'}"
    elif a.dataset is None:
        yield "the data set of both is unknown"
    if a.metric != b.metric:
        yield f"the metrics differ: {a.metric} and {b.metric}"
    same_protocol = a.protocol is not None and a.protocol == b.protocol
    if a.protocol is not None and b.protocol is not None and not same_protocol:
        yield f"the protocols differ: {a.protocol} and {b.protocol}"
    elif not same_protocol:
        yield f"the protocol of {_those(a, b, 'protocol')} is unknown"
    # A protocol that both share says what these are.
    for name, words in (*(() if same_protocol else _MEASURED), *_HELPED):
        first, second = getattr(a, name), getattr(b, name)
        if first is None or second is None:
            yield f"{words} is unknown of {_those(a, b, name)}"
        elif first != second:
            yield f"{words} differs: {_said(first)} for {a.id}, {_said(second)} for {b.id}"


def _with_protocol(entry: PublishedResult, protocol: Protocol) -> Iterator[str]:
    yield from _own(entry)
    if entry.protocol is None:
        yield f"the protocol of {entry.id} is unknown"
    elif entry.protocol != protocol.name:
        yield f"the number is of protocol {entry.protocol}, not of {protocol.name}"
    if entry.metric not in protocol.metrics:
        yield f"{protocol.name} has no metric {entry.metric}"
    wanted = None if protocol.selection is None else protocol.selection.dataset
    if entry.dataset is None or (wanted is not None and entry.dataset != wanted):
        yield f"the data set is {entry.dataset or 'unknown'}" + (f", not {wanted}" if wanted else "")
    for name, words in _HELPED[1:]:
        value = getattr(entry, name)
        if value is None:
            yield f"{words} is unknown of {entry.id}"
        elif value:
            yield f"{words.removeprefix('whether ')}, in {entry.id}"


def _own(entry: PublishedResult) -> Iterator[str]:
    """What stands against an entry whatever it is compared with."""
    if entry.value is None:
        yield f"{entry.id} has no value: {entry.status}"
    if entry.metric_match == "family":
        yield f"threshold, scale or alignment of {entry.metric_name} are not known of {entry.id}"
    for other in entry.disagrees_with:
        yield f"{entry.id} is in doubt: {other} gives another value"


def _those(a: PublishedResult, b: PublishedResult, name: str) -> str:
    return " and ".join(entry.id for entry in (a, b) if getattr(entry, name) is None)


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(value) if isinstance(value, tuple) else str(value)
