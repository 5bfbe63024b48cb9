"""Published results out of YAML, strictly: a wrong field, number, name or link is a sentence that says where it is.

A file has `documents` (where numbers stand) and `rows`; a row has the fields that its numbers share and `cells`, one
per number, with their own. A field of a cell goes before that of its row.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, get_args

from posebench.errors import InputError, UsageError
from posebench.published.model import (
    UNKNOWN,
    Document,
    MetricMatch,
    PublishedResult,
    Source,
    Source2D,
    Status,
    Supervision,
)
from posebench.report.content import clean
from posebench.strict_yaml import load_yaml

#: Metrics that stand in published tables and are no families: name -> unit and range.
OUTSIDE = {"PCKh": ("%", (0.0, 100.0))}

_REQUIRED = ("id", "method", "variant", "sources", "metric", "value", "unit", "status")
_OPTIONAL = (
    *("paper", "dataset", "protocol", "subjects", "stride", "pooling", "source_2d", "supervision", "metric_match"),
    *("printed_as", "scale_adjusted", "gt_root_depth", "gt_intrinsics", "epoch_by_test_gt", "disagrees_with"),
    *("reproduces", "note"),
)
_DOCUMENT = ("title", "authors", "venue", "year", "arxiv", "url")
_ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,79}")
#: Largest number of characters of a value that a message repeats.
_SHOWN = 80
#: What stands for the value where there is none, by status.
_NO_VALUE = {"not sourced": UNKNOWN, "not applicable": "none"}


@dataclass(frozen=True)
class Library:
    """Documents and entries of one file or several."""

    documents: Mapping[str, Document] = field(default_factory=dict)
    entries: tuple[PublishedResult, ...] = ()

    def __add__(self, other: Library) -> Library:
        return Library({**self.documents, **other.documents}, self.entries + other.entries)


class _FieldError(Exception):
    """A field that is wrong: its name, what was expected, what came, and what to do."""

    def __init__(self, name: str, expected: str, came: object, step: str = "") -> None:
        try:
            shown = repr(came)
        except ValueError:  # whole numbers of thousands of digits
            shown = "a number too long to show"
        if len(shown) > _SHOWN:
            shown = f"{shown[:_SHOWN]}…"
        super().__init__(f"{name} is {shown}, expected {expected}{f'; {step}' if step else ''}")


def read_library(paths: Iterable[Path], beside: Library | None = None) -> Library:
    """The documents and entries of YAML files, checked.

    Parameters
    ----------
    paths : iterable of Path
    beside : Library, optional
        What is there already: its documents and entries may be referred to, and its ids not be used again.

    Raises
    ------
    InputError
        If a file cannot be read, or with its first fault.
    """
    beside = beside or Library()
    rows: list[tuple[Path, int, Any]] = []
    documents: dict[str, Document] = {}
    for path in paths:
        data = load_yaml(path)
        if (
            not isinstance(data, dict)
            or not set(data) <= {"documents", "rows"}
            or not isinstance(data.get("rows"), list)
        ):
            raise InputError(
                f"{path}: expected the fields documents (a mapping) and rows (a list), found {_names(data)}; "
                "docs/published.md shows a whole file"
            )
        known = {**beside.documents, **documents}
        documents |= _documents(data.get("documents", {}), path, known)
        rows += [(path, number, row) for number, row in enumerate(data["rows"], 1)]
    found: dict[str, tuple[Path, PublishedResult]] = {}
    taken = {entry.id for entry in beside.entries}
    every = {**beside.documents, **documents}
    for path, number, row in rows:
        for cell, where in _cells(row, f"{path}: row {number}"):
            entry = _entry(cell, where, path, every)
            if entry.id in taken or entry.id in found:
                first = f" (in {found[entry.id][0]})" if entry.id in found else " (in posebench)"
                raise InputError(f"{path}: entry {entry.id}: this id is used twice{first}; choose another")
            found[entry.id] = (path, entry)
    _check_links(found, taken)
    return Library(documents, tuple(entry for _, entry in found.values()))


def _documents(data: Any, path: Path, known: Mapping[str, Document]) -> dict[str, Document]:
    if not isinstance(data, dict):
        raise InputError(f"{path}: documents is {type(data).__name__}, expected a mapping of short names to documents")
    found = {}
    for key, fields in data.items():
        where = f"{path}: document {clean(key, _SHOWN)}"
        if not isinstance(key, str) or not _ID.fullmatch(key) or key == UNKNOWN:
            raise InputError(f"{where}: is no short name, expected lower-case letters, digits, points and hyphens")
        if key in known:
            raise InputError(f"{where}: is there already; leave it out, or choose another name for another document")
        if not isinstance(fields, dict) or set(fields) - set(_DOCUMENT):
            raise InputError(f"{where}: expected some of the fields {', '.join(_DOCUMENT)}, found {_names(fields)}")
        year = fields.get("year", UNKNOWN)
        try:
            if year != UNKNOWN and (not _whole(year) or not 1900 <= year <= 2200):
                raise _FieldError("year", "a year, or unknown", year)
            texts = {name: _text_or_unknown(fields, name) for name in _DOCUMENT if name != "year"}
        except _FieldError as fault:
            raise InputError(f"{where}: {fault}") from None
        found[key] = Document(key, year=None if year == UNKNOWN else year, **texts)
    return found


def _cells(row: Any, where: str) -> Iterable[tuple[dict[str, Any], str]]:
    """The fields of each number of a row, and where it stands."""
    if not isinstance(row, dict) or not isinstance(row.get("cells"), list) or not row["cells"]:
        raise InputError(f"{where}: expected fields and a list of cells, found {_names(row)}; give each number a cell")
    shared = {name: value for name, value in row.items() if name != "cells"}
    for number, cell in enumerate(row["cells"], 1):
        place = f"{where}, cell {number}"
        if not isinstance(cell, dict):
            raise InputError(f"{place}: expected a mapping of fields, found {type(cell).__name__}")
        yield {**shared, **cell}, place


def _entry(fields: dict[str, Any], where: str, path: Path, documents: Mapping[str, Document]) -> PublishedResult:
    id = fields.get("id")
    if not isinstance(id, str) or not _ID.fullmatch(id):
        fault = _FieldError(
            "id", "lower-case letters, digits, points and hyphens, 80 at most", id, "give the number a name"
        )
        raise InputError(f"{where}: {fault}")
    where = f"{path}: entry {id}"
    unknown = [str(name) for name in fields if name not in (*_REQUIRED, *_OPTIONAL)]
    if unknown:
        raise InputError(
            f"{where}: there is no field {unknown[0][:_SHOWN]!r}; known are {', '.join((*_REQUIRED, *_OPTIONAL))}"
        )
    missing = [name for name in _REQUIRED if name not in fields]
    if missing:
        raise InputError(f"{where}: {missing[0]} is missing; give it in the cell, or in its row")
    try:
        return _parsed(fields, documents)
    except _FieldError as fault:
        raise InputError(f"{where}: {fault}") from None


def _parsed(fields: dict[str, Any], documents: Mapping[str, Document]) -> PublishedResult:
    measure = _measure(fields["metric"])
    match = _word(fields, "metric_match", get_args(MetricMatch), unknown=False, default="family")
    adjusted = _truth(fields, "scale_adjusted")
    if match == "exact" and measure.fits_scale is not None:
        if adjusted not in (None, measure.fits_scale):
            raise _FieldError("scale_adjusted", f"{_yaml(measure.fits_scale)} of an exact {measure.key}", adjusted)
        adjusted = measure.fits_scale
    status = _word(fields, "status", get_args(Status), unknown=False)
    sources = _sources(fields["sources"], documents)
    if status == "verified" and all(source.document is None for source in sources):
        raise _FieldError("status", "quoted where no document is known", "verified")
    entry = PublishedResult(
        id=fields["id"],
        method=_text(fields, "method"),
        variant=_text(fields, "variant"),
        paper=_document(fields.get("paper", UNKNOWN), "paper", documents),
        sources=sources,
        dataset=_dataset(fields),
        metric=measure.key,
        metric_match=match,
        printed_as=_text_or_unknown(fields, "printed_as"),
        value=_value(fields["value"], status, measure),
        unit=_unit(fields["unit"], measure),
        status=status,
        protocol=_text_or_unknown(fields, "protocol"),
        subjects=_words(fields, "subjects"),
        stride=_stride(fields),
        pooling=_word(fields, "pooling", _poolings()),
        source_2d=_word(fields, "source_2d", get_args(Source2D)),
        supervision=_words(fields, "supervision", get_args(Supervision)),  # type: ignore[arg-type]
        scale_adjusted=adjusted,
        gt_root_depth=_truth(fields, "gt_root_depth"),
        gt_intrinsics=_truth(fields, "gt_intrinsics"),
        epoch_by_test_gt=_truth(fields, "epoch_by_test_gt"),
        disagrees_with=_words(fields, "disagrees_with") or (),
        reproduces=_text_or_unknown(fields, "reproduces"),
        note=_text(fields, "note") if "note" in fields else "",
    )
    if entry.protocol is not None:
        _check_protocol(entry, entry.protocol)
    return entry


class _Measure(NamedTuple):
    """What a number of a metric can be."""

    key: str
    unit: str
    range: tuple[float | None, float | None]
    #: Whether the metric fits the prediction's scale; None where that is no question.
    fits_scale: bool | None


def _measure(spelling: Any) -> _Measure:
    from posebench.metrics import resolve
    from posebench.metrics.registry import Needs

    if not isinstance(spelling, str):
        raise _FieldError("metric", "a spelling such as PCK@150", spelling)
    if spelling in OUTSIDE:
        return _Measure(spelling, *OUTSIDE[spelling], None)
    try:
        metric = resolve(spelling)
    except UsageError as error:
        raise _FieldError("metric", f"a metric or one of {', '.join(OUTSIDE)}", spelling, str(error)) from None
    return _Measure(
        metric.key, metric.unit or metric.family.unit, metric.family.range, not metric.needs & Needs.METRIC_SCALE
    )


def _value(value: Any, status: str, measure: _Measure) -> float | None:
    if status in _NO_VALUE:
        if value != _NO_VALUE[status]:
            raise _FieldError("value", f"{_NO_VALUE[status]} where the status is {status}", value)
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _FieldError("value", f"a number in {measure.unit}", value, "or let the status be: not sourced")
    low, high = measure.range
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or (low is not None and number < low) or (high is not None and number > high):
        ends = f"from {'-inf' if low is None else low} to {'inf' if high is None else high}"
        raise _FieldError("value", f"a number in {measure.unit} {ends}", value, "check it against its source")
    return number


def _unit(unit: Any, measure: _Measure) -> str:
    if unit != measure.unit:
        raise _FieldError(
            "unit", f"{measure.unit}, in which {measure.key} is given", unit, "convert the value and say so in note"
        )
    return measure.unit


def _dataset(fields: dict[str, Any]) -> str | None:
    from posebench.protocols.selection import dataset_name

    name = _text_or_unknown(fields, "dataset")
    if name is not None and name != dataset_name(name):
        raise _FieldError("dataset", f"the short name {dataset_name(name)}", name)
    return name


def _sources(data: Any, documents: Mapping[str, Document]) -> tuple[Source, ...]:
    shape = "a list of {document, table, row}, the last two where they are known"
    if not isinstance(data, list) or not data:
        raise _FieldError("sources", shape, data, "say at least {document: unknown}")
    found = []
    for item in data:
        if not isinstance(item, dict) or "document" not in item or set(item) - {"document", "table", "row"}:
            raise _FieldError("sources", shape, item)
        document = _document(item["document"], "sources: document", documents)
        found.append(Source(document, _text_or_unknown(item, "table"), _text_or_unknown(item, "row")))
    return tuple(found)


def _document(key: Any, name: str, documents: Mapping[str, Document]) -> Document | None:
    if key == UNKNOWN:
        return None
    if not isinstance(key, str) or key not in documents:
        raise _FieldError(name, "unknown, or a name under documents", key, "add the document to the file")
    return documents[key]


def _check_protocol(entry: PublishedResult, name: str) -> None:
    """Raise if the protocol does not exist, or measures something else than the entry says of itself."""
    from posebench.protocols import get_protocol, protocol_names

    if name not in protocol_names():
        raise _FieldError("protocol", f"unknown, or one of {', '.join(protocol_names())}", name)
    protocol = get_protocol(name)
    step = "correct it, or let the protocol be unknown"
    if entry.metric not in protocol.metrics:
        raise _FieldError("metric", f"one of {name}: {', '.join(protocol.metrics)}", entry.metric, step)
    if entry.metric_match != "exact":
        raise _FieldError("metric_match", "exact where the protocol is known", entry.metric_match, step)
    wanted = {"pooling": protocol.pooling}
    if protocol.selection is not None:
        chosen = protocol.selection
        wanted |= {"dataset": chosen.dataset, "subjects": chosen.subjects, "stride": chosen.stride}  # type: ignore[dict-item]
    for field_name, value in wanted.items():
        came = getattr(entry, field_name)
        if came is not None and value is not None and came != value:
            said = value if isinstance(value, str) else repr(value)
            raise _FieldError(field_name, f"{said}, as {name} has it", came, step)


def _check_links(found: Mapping[str, tuple[Path, PublishedResult]], beside: set[str]) -> None:
    for path, entry in found.values():
        links = [("disagrees_with", other) for other in entry.disagrees_with]
        links += [("reproduces", entry.reproduces)] if entry.reproduces else []
        for name, other in links:
            where = f"{path}: entry {entry.id}: {name} is {other[:_SHOWN]!r}"
            if other == entry.id or (other not in found and other not in beside):
                raise InputError(f"{where}, expected the id of another entry; see: posebench published list")
            if name == "disagrees_with" and other in found and entry.id not in found[other][1].disagrees_with:
                raise InputError(f"{where}, expected that {other} names {entry.id} as well; add it there")


def _poolings() -> tuple[str, ...]:
    from posebench.protocols import Pooling

    return get_args(Pooling)


def _stride(fields: dict[str, Any]) -> int | None:
    stride = fields.get("stride", UNKNOWN)
    if stride == UNKNOWN:
        return None
    if not _whole(stride) or stride < 1:
        raise _FieldError("stride", "a whole number from 1, or unknown", stride)
    return int(stride)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str) or not value.strip():
        raise _FieldError(name, "text", value)
    return " ".join(value.split())


def _text_or_unknown(fields: Mapping[str, Any], name: str) -> str | None:
    if fields.get(name, UNKNOWN) == UNKNOWN:
        return None
    try:
        return _text(fields, name)
    except _FieldError:
        raise _FieldError(name, "text, or unknown", fields[name], "a number that is a name stands in quotes") from None


def _word(
    fields: Mapping[str, Any], name: str, allowed: tuple[str, ...], *, unknown: bool = True, default: str = UNKNOWN
) -> Any:
    value = fields.get(name, default)
    if unknown and value == UNKNOWN:
        return None
    if not isinstance(value, str) or value not in allowed:
        raise _FieldError(name, f"one of {', '.join(allowed)}{', unknown' if unknown else ''}", value)
    return value


def _words(fields: Mapping[str, Any], name: str, allowed: tuple[str, ...] = ()) -> tuple[str, ...] | None:
    value = fields.get(name, UNKNOWN)
    if value == UNKNOWN or value == [UNKNOWN]:
        return None
    expected = f"a list of {', '.join(allowed) if allowed else 'names'}, each once, or unknown"
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
        raise _FieldError(name, expected, value)
    if len(set(value)) < len(value) or (allowed and not set(value) <= set(allowed)):
        raise _FieldError(name, expected, value)
    return tuple(value)


def _truth(fields: Mapping[str, Any], name: str) -> bool | None:
    value = fields.get(name, UNKNOWN)
    if value == UNKNOWN:
        return None
    if not isinstance(value, bool):
        raise _FieldError(name, "true, false or unknown", value)
    return value


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _yaml(value: bool) -> str:
    return "true" if value else "false"


def _names(data: Any) -> str:
    return clean(", ".join(map(str, data)), _SHOWN) or "nothing" if isinstance(data, dict) else type(data).__name__
