"""Published results as text: a table or one entry for people, JSON and CSV with every field for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from posebench.errors import UsageError
from posebench.published.model import UNKNOWN, Document, PublishedResult
from posebench.report.content import NOTHING, Cell, Column, Content, Footnote, Table, clean

#: What `rendered` knows; "text" is for the terminal.
FORMATS = ("text", "json", "csv", "markdown")

#: Mark, what it means, and whom it holds for.
_MARKS: tuple[tuple[str, str, Callable[[PublishedResult], bool]], ...] = (
    ("†", "threshold, scale or alignment of the metric are not known", lambda entry: entry.metric_match == "family"),
    ("*", "another source gives another value", lambda entry: bool(entry.disagrees_with)),
    ("‡", "ground truth of the test set helped: published show says how", lambda entry: _helped(entry)),
    ("§", "printed under another name", lambda entry: entry.renamed),
)


def rendered(entries: Sequence[PublishedResult], kind: str) -> str:
    """Entries as text of one of `FORMATS`.

    Raises
    ------
    UsageError
        If the format is not known.
    """
    if kind == "json":
        return json.dumps([entry.to_dict() for entry in entries], indent=2, allow_nan=False) + "\n"
    if kind == "csv":
        return _csv(entries)
    if kind == "markdown":
        from posebench.report.markdown import markdown_of

        return markdown_of(content_of(entries))
    if kind == "text":
        from posebench.report.terminal import plain_text_of

        return plain_text_of(content_of(entries))
    raise UsageError(f"there is no format {kind!r}; known are {', '.join(FORMATS)}")


def content_of(entries: Sequence[PublishedResult]) -> Content:
    """The entries as a table, with marks for what speaks against a number."""
    counts = {status: sum(entry.status == status for entry in entries) for status in (e.status for e in entries)}
    kinds = ", ".join(f"{count} {status}" for status, count in counts.items())
    columns = (
        Column("id", right=False),
        Column("dataset", right=False),
        Column("metric", right=False),
        Column("value"),
        Column("status", right=False),
    )
    rows = tuple(
        (
            Cell(entry.id),
            Cell(clean(entry.dataset or UNKNOWN)),
            Cell(entry.metric_name),
            _value(entry),
            Cell(entry.status),
        )
        for entry in entries
    )
    marked = {mark for row in rows for cell in row for mark in cell.mark}
    footnotes = tuple(Footnote(mark, text, ()) for mark, text, _ in _MARKS if mark in marked)
    count = "1 number" if len(entries) == 1 else f"{len(entries)} numbers"
    return Content((f"{count}: {kinds}" if kinds else count,), (Table(columns, rows),), (), footnotes)


def described(entry: PublishedResult) -> str:
    """One entry, a line for each field; what is unknown says so."""
    data = entry.to_dict()
    for name in ("id", "value", "unit", "paper", "sources", "flags"):
        data.pop(name)
    given = (("paper", UNKNOWN if entry.paper is None else entry.paper.key), *(("source", s) for s in entry.sources))
    documents = dict.fromkeys((entry.paper, *(source.document for source in entry.sources)))
    lines = [
        *((name, str(text)) for name, text in given),
        *((document.key, _cited(document)) for document in documents if document is not None),
        *((name, _plain(value)) for name, value in data.items() if value not in (None, "", [])),
        *(("note well", flag) for flag in entry.flags),
    ]
    head = f"{entry.id}: {entry.metric} {NOTHING if entry.value is None else f'{entry.value} {entry.unit}'}"
    return "\n".join([head, *(f"  {name}: {clean(text, None)}" for name, text in lines)]) + "\n"


def _csv(entries: Sequence[PublishedResult]) -> str:
    from posebench.report.data import safe_name, table_text

    names = list(entries[0].to_dict()) if entries else []
    rows = []
    for entry in entries:
        data = entry.to_dict() | {
            "paper": UNKNOWN if entry.paper is None else entry.paper.label,
            "sources": "; ".join(map(str, entry.sources)),
        }
        rows.append([value if isinstance(value, float) else safe_name(_plain(value)) for value in data.values()])
    return table_text((), names, rows)


def _value(entry: PublishedResult) -> Cell:
    if entry.value is None:
        return Cell(NOTHING)
    return Cell(f"{entry.value} {entry.unit}", "".join(mark for mark, _, holds in _MARKS if holds(entry)))


def _helped(entry: PublishedResult) -> bool:
    return bool(entry.epoch_by_test_gt or entry.gt_root_depth or entry.gt_intrinsics)


def _cited(document: Document) -> str:
    arxiv = document.arxiv and f"arXiv {document.arxiv}"
    parts = (document.authors, document.title, document.venue, document.year, arxiv, document.url)
    return ", ".join(str(part) for part in parts if part is not None) or UNKNOWN


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
