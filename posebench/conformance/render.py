"""The result of a conformance run, and the list of cases, for terminals, for Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from posebench.conformance.model import SCHEMA, Case, Conformance, Refusal, Result, Value, Verdict
from posebench.errors import UsageError
from posebench.report.content import NOTHING, Cell, Column, Content, Table

FORMATS = ("terminal", "md", "json")


def refuse_unknown(form: str) -> None:
    """Raise if there is no such format."""
    if form not in FORMATS:
        raise UsageError(f"--format {form}: expected {', '.join(FORMATS)}")


def rendered(found: Conformance, form: str) -> str:
    """The result as text of one of `FORMATS`."""
    from posebench.report.markdown import markdown_of
    from posebench.report.terminal import plain_text_of

    refuse_unknown(form)
    if form == "json":
        return json.dumps(found.to_dict(), indent=1, allow_nan=False) + "\n"
    return markdown_of(content(found)) if form == "md" else plain_text_of(content(found))


def content(found: Conformance) -> Content:
    """What the formats for people set: a table of cases, and a sentence on each that needs one."""
    columns = (Column("case", right=False), Column("metric", right=False), Column("expected"), Column("got"))
    rows = tuple(_row(result) for result in found.results)
    table = Table((*columns, Column("verdict", right=False)), rows)
    return Content((_summary(found),), (table,), tuple(_notes(found)), ())


def _summary(found: Conformance) -> str:
    if not found.answered:
        return f"{found.scorer}: offers none of {len(found.results)} cases, so that nothing was tested"
    parts = [
        f"{found.count(verdict)} {word}"
        for verdict, word in (
            (Verdict.DEFECT, "with a known defect"),
            (Verdict.CONVENTION, "by another convention"),
            (Verdict.OTHER, "with another number"),
            (Verdict.FAILED, "failed"),
            (Verdict.NOT_OFFERED, "not offered"),
        )
        if found.count(verdict)
    ]
    whole = f"{found.scorer}: {found.count(Verdict.CONFORMS)} of {found.answered} cases conform"
    return "; ".join([whole, *parts])


def _row(result: Result) -> tuple[Cell, ...]:
    verdict = Cell(result.verdict.value, strong=not result.verdict.fine)
    return (
        Cell(result.case.id),
        Cell(result.case.metric),
        Cell(_number(result.expected)),
        Cell(_number(result.got)),
        verdict,
    )


def _number(value: Value | Refusal | None) -> str:
    if isinstance(value, Refusal):
        return "refusal"
    if isinstance(value, Mapping):
        return f"{len(value)} numbers"
    return NOTHING if value is None else f"{value:.3f}"


def _notes(found: Conformance) -> list[str]:
    notes = [
        f"{result.case.id}: {result.verdict.value}: {'; '.join(result.what)}"
        for result in found.results
        if not result.verdict.fine
    ]
    lacking: dict[str, list[str]] = {}
    for result in found.results:
        if result.verdict is Verdict.NOT_OFFERED:
            lacking.setdefault("; ".join(result.what), []).append(result.case.id)
    for why, ids in lacking.items():
        notes.append(f"{'' if why == Verdict.NOT_OFFERED.value else 'not offered: '}{why}: {', '.join(ids)}")
    noisy = [result for result in found.results if result.printed]
    if noisy:
        characters = sum(result.printed for result in noisy)
        notes.append(f"the scorer printed {characters} characters in {len(noisy)} cases, which are not shown")
    return notes


def listed(cases: Sequence[Case], form: str) -> str:
    """What the cases ask, what goes wrong elsewhere, and where that is known from."""
    from posebench.report.markdown import escape

    refuse_unknown(form)
    if form == "json":
        fields = ("id", "metric", "title", "trouble", "source")
        content = [{field: getattr(case, field) for field in fields} for case in cases]
        return json.dumps({"schema": SCHEMA, "cases": content}, indent=1) + "\n"
    if form == "md":
        head = ["| case | metric | must | elsewhere | known from |", "|---|---|---|---|---|"]
        texts = ((case.id, case.metric, case.title, case.trouble, case.source) for case in cases)
        return "\n".join([*head, *(f"| {' | '.join(map(escape, row))} |" for row in texts)]) + "\n"
    return "\n".join(
        f"{case.id} ({case.metric})\n  must: {case.title}\n  elsewhere: {case.trouble}\n  known from: {case.source}\n"
        for case in cases
    )
