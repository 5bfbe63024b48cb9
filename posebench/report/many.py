"""Reports of the same files under several protocols, side by side: one row per protocol, and what each row means.

The rows do not compare with each other, and every format says so. A metric stands in the column of its family; where a
protocol takes a variant of it, the number carries a letter and a footnote spells the variant out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from posebench.errors import InputError, UsageError
from posebench.report.content import (
    DOWN,
    NOTHING,
    UP,
    Cell,
    Column,
    Content,
    Footnote,
    Table,
    clean,
    facts,
    number,
)
from posebench.report.data import CSV_COLUMNS, comments, records, safe_record, table_text
from posebench.report.latex import latex_of
from posebench.report.markdown import markdown_of
from posebench.report.model import MetricValue, Report

Reports = Mapping[str, Report]

_DEFINITION_ONLY = "‡"
_INCOMPLETE = "*"


def render_reports(
    reports: Reports, refused: Mapping[str, str], plain_data: Callable[[], dict[str, Any]], kind: str
) -> str:
    """Reports as text of a kind: "txt", "json", "csv", "md", "tex" or "html"."""
    if kind == "json":
        try:
            return json.dumps(plain_data(), indent=2, allow_nan=False) + "\n"
        except ValueError as error:
            raise InputError(f"the reports cannot be written as JSON: {error}") from None
    if kind == "csv":
        return _csv(reports, refused)
    parts = content_of_many(reports, refused)
    if kind == "md":
        return markdown_of(parts)
    if kind == "html":
        from posebench.html.page import html_of

        return html_of(parts, "Scores under several protocols")
    if kind == "tex":
        hashed = (f"{name}: {line}" for name, report in reports.items() for line in facts(report, hash_digits=None))
        return latex_of(parts, [*parts.facts, *hashed])
    from posebench.report.terminal import plain_text_of

    return plain_text_of(parts)


def write_reports(
    reports: Reports, refused: Mapping[str, str], plain_data: Callable[[], dict[str, Any]], path: Path
) -> None:
    """Write reports in the format of the file's ending; the file is there whole, or as it was before."""
    from posebench.io.atomic import atomic_write
    from posebench.report.render import kind_of

    data = render_reports(reports, refused, plain_data, kind_of(path)).encode("utf-8")
    with atomic_write(path) as file:
        file.write(data)


def print_reports(reports: Reports, refused: Mapping[str, str]) -> None:
    """Print to stdout: with colours and to the width of a terminal, else as plain text."""
    from posebench.report.terminal import show_content

    show_content(content_of_many(reports, refused))


def content_of_many(reports: Reports, refused: Mapping[str, str]) -> Content:
    """What every format for people sets."""
    if not reports:
        raise UsageError("there is no report to show")
    table, footnotes = _numbers(reports)
    shared = dict.fromkeys(
        clean(note, None) for report in reports.values() for note in report.notes if not _is_of_protocol(note)
    )
    count = f"{len(reports)} protocols" if len(reports) > 1 else "1 protocol"
    return Content(
        (f"the same files under {count}; the rows do not compare with each other",),
        (table, _definitions(reports)),
        (*shared, *_refusals(refused)),
        tuple(footnotes),
    )


def _refusals(refused: Mapping[str, str]) -> list[str]:
    """A sentence for each reason, with the protocols that it holds for."""
    reasons: dict[str, list[str]] = {}
    for name, why in refused.items():
        reasons.setdefault(clean(why, None).replace(f"protocol {name} ", "such a protocol "), []).append(clean(name))
    return [f"{', '.join(names)} {'do' if len(names) > 1 else 'does'} not fit: {why}" for why, names in reasons.items()]


def _is_of_protocol(note: str) -> bool:
    """Notes that the second table says in fewer words."""
    return note.startswith(("definition only: ", "protocol "))


def _numbers(reports: Reports) -> tuple[Table, list[Footnote]]:
    columns: dict[str, MetricValue] = {}
    for report in reports.values():
        for metric in report.metrics.values():
            columns.setdefault(_family(metric.name), metric)
    variants: dict[str, str] = {}
    rows = []
    marks = set()
    for name, report in reports.items():
        cells = dict.fromkeys(columns, Cell(NOTHING))
        for metric in report.metrics.values():
            family = _family(metric.name)
            mark = "" if metric.value is None else _letter(metric.name, columns[family].name, variants)
            if metric.incomplete and metric.value is not None:
                mark += _INCOMPLETE
            cells[family] = Cell(number(metric.value, metric.unit, metric.name), mark)
        selection = report.protocol.get("selection")
        mark = _DEFINITION_ONLY if selection and not selection.get("applied") else ""
        marks |= {*mark, *(_INCOMPLETE for m in report.metrics.values() if m.incomplete)}
        rows.append((Cell(clean(name), mark), *cells.values()))
    heads = [
        Column("protocol", right=False),
        *(Column(clean(m.name), f"({clean(m.unit)}) {UP if m.higher_is_better else DOWN}") for m in columns.values()),
    ]
    footnotes = [Footnote(letter, clean(spelling), (spelling,)) for spelling, letter in variants.items()]
    if _DEFINITION_ONLY in marks:
        text = "definition only: the ground truth is not known to be of the data set whose frames the protocol selects"
        footnotes.append(Footnote(_DEFINITION_ONLY, text, ()))
    if _INCOMPLETE in marks:
        text = "incomplete: leaves out what the prediction lacks; does not compare"
        footnotes.append(Footnote(_INCOMPLETE, text, ()))
    return Table(tuple(heads), tuple(rows)), footnotes


def _family(name: str) -> str:
    """The column that a metric stands in: its family; absolute coordinates and numbers of clusters have their own."""
    if _is_own_column(name):
        return name
    bare = name.partition("(")[0]
    return bare if bare.startswith("PSS") else bare.partition("@")[0]


def _is_own_column(name: str) -> bool:
    return "align=none" in name or "axis=" in name


def _letter(name: str, head: str, variants: dict[str, str]) -> str:
    """No mark for what stands in the head of the column; a letter for every other spelling."""
    if name == head:
        return ""
    if name not in variants:
        variants[name] = chr(ord("a") + len(variants)) if len(variants) < 26 else f"a{len(variants)}"
    return variants[name]


def _definitions(reports: Reports) -> Table:
    rows = []
    for name, report in reports.items():
        protocol, coverage = report.protocol, report.coverage
        centred = {
            (False, False): "neither",
            (True, False): "prediction",
            (False, True): "truth",
            (True, True): "both",
        }[protocol.get("pred_root") is not None, protocol.get("gt_root") is not None]
        rows.append(
            (
                Cell(clean(f"{name}/{protocol.get('version')}")),
                Cell(clean(len(protocol.get("joints", ())))),
                Cell(centred),
                Cell(clean(protocol.get("pooling"))),
                Cell(clean(f"{coverage.scored}/{coverage.gt_frames}")),
            )
        )
    columns = (
        Column("protocol", right=False),
        Column("joints"),
        Column("centred", right=False),
        Column("mean over", right=False),
        Column("scored"),
    )
    return Table(columns, tuple(rows), "what each row is")


def _csv(reports: Reports, refused: Mapping[str, str]) -> str:
    lines = ["the numbers of different protocols do not compare"]
    lines += [f"{name}: {line}" for name, report in reports.items() for line in comments(report)]
    lines += [f"{clean(name)} does not fit: {clean(why, None)}" for name, why in refused.items()]
    rows = ([name, *safe_record(record)] for name, report in reports.items() for record in records(report))
    return table_text(lines, ("protocol", *CSV_COLUMNS), rows)
