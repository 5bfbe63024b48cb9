"""The page: what stands in it, in which order. Coverage comes before every number, and provenance closes it.

One file, no network: style and script stand inside and are named by their hashes in a Content-Security-Policy, so that
nothing else runs or loads, whatever a name from a file holds. Without scripts everything can be read but the rotation
of poses; each chart has its numbers in a table beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from posebench.html.faults import faults
from posebench.html.groups import groups
from posebench.html.markup import Markup, join, json_text, source_hash, tag
from posebench.html.parts import bullets
from posebench.html.poses import pose_data, poses
from posebench.html.spread import spread
from posebench.html.structures import structures
from posebench.html.tables import table_html
from posebench.html.words import bank_words, metric_words, protocol_words
from posebench.report.content import (
    Cell,
    Column,
    Content,
    Table,
    clean,
    content,
    finite,
    marks,
    number,
    shown_unit,
)
from posebench.report.latex import latex
from posebench.report.markdown import markdown
from posebench.report.model import MetricValue, Report

_FILES = Path(__file__).parent
#: Metrics that stand in large type.
_HEADLINES = 4


def html(report: Report, by: Sequence[str] = ()) -> str:
    """The report as one HTML file.

    Parameters
    ----------
    report : Report
        With ``samples=True`` it has poses and curves; one that was read from a file has only its numbers.
    by : sequence of str
        Groups in the tables that the copy buttons copy; the page shows all.

    Raises
    ------
    UsageError
        If the report cannot be grouped so.
    InputError
        If a number of the report is not finite.
    """
    parts = content(report, tuple(by))
    for metric in report.metrics.values():  # a damaged report is refused before anything is drawn
        for value in (metric.value, *(metric.ci95 or ())):
            finite(value, metric.name)
    drawn = structures(report)
    data: dict[str, Any] = {
        "copy": {"markdown": markdown(report, by), "latex": latex(report, by)},
        "poses": pose_data(report.samples),
        "structures": [each for _, each in drawn],
    }
    sections = [
        ("coverage", "Coverage", _coverage(report, parts)),
        ("numbers", "Numbers", _numbers(report, parts)),
        ("groups", "Where the errors are", groups(report)),
        ("spread", "How errors are spread", spread(report.samples)),
        ("taxonomy", "What kinds of errors", faults(report)),
        ("structures", "Which structures break", [part for part, _ in drawn]),
        ("poses", "Poses", poses(report.samples)),
        ("measured", "What was measured", _measured(report)),
        ("provenance", "Provenance", _provenance(report)),
    ]
    return _document(_title(report), _subtitle(report), [(i, name, part) for i, name, part in sections if part], data)


def html_of(parts: Content, title: str) -> str:
    """Any content as a page of the same style, without charts."""
    tables = [tag("div", table_html(table), class_="scroll") for table in parts.tables]
    said = [
        ("facts", "", [tag("p", fact, class_="lead" if i == 0 else None) for i, fact in enumerate(parts.facts)]),
        ("tables", "Numbers", [*tables, _footnotes(parts)]),
        ("notes", "Notes", [bullets(parts.notes)] if parts.notes else []),
    ]
    return _document(title, "", [(i, name, part) for i, name, part in said if part], {})


# ------------------------------------------------------------------------------------------------------------- frame


@cache
def _file(name: str) -> str:
    return (_FILES / name).read_text("utf-8")


def _document(title: str, subtitle: str, sections: Sequence[tuple[str, str, Any]], data: dict[str, Any]) -> str:
    style, script = _file("report.css"), _file("report.js")
    policy = (
        f"default-src 'none'; style-src {source_hash(style)}; script-src {source_hash(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    links = [tag("li", tag("a", name, href=f"#{key}")) for key, name, _ in sections if name]
    body = tag(
        "body",
        tag("a", "Skip to the numbers", href="#main", class_="skip"),
        tag(
            "header",
            tag("p", "posebench report", class_="kind"),
            tag("h1", title),
            tag("p", subtitle, class_="subtitle") if subtitle else None,
            tag("nav", tag("ul", links), aria_label="Sections") if len(links) > 2 else None,
        ),
        tag(
            "main",
            (
                tag(
                    "section",
                    tag("h2", name, id=f"{key}-title") if name else None,
                    part,
                    id=key,
                    aria_labelledby=f"{key}-title" if name else None,
                )
                for key, name, part in sections
            ),
            id="main",
        ),
        tag("p", id="said", class_="said", role="status", aria_live="polite"),
        tag("script", json_text(data), type="application/json", id="data"),
        tag("script", Markup(script)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _title(report: Report) -> str:
    return f"Scores of {_input(report, 'pred') or 'predictions'}"


def _subtitle(report: Report) -> str:
    protocol = report.protocol
    gt = _input(report, "gt")
    parts = [
        f"against {gt}" if gt else "",
        f"protocol {clean(protocol.get('name', 'unknown'))}, version {clean(protocol.get('version', 'unknown'))}",
        clean(report.environment.get("date", ""))[:10],
    ]
    return " · ".join(part for part in parts if part)


def _input(report: Report, side: str) -> str:
    """Name of a file, without its folder."""
    given = report.inputs.get(side)
    path = given.get("path") if isinstance(given, dict) else None
    return clean(Path(path).name) if isinstance(path, str) and path else ""


# ---------------------------------------------------------------------------------------------------------- sections


def _coverage(report: Report, parts: Content) -> list[Any]:
    c = report.coverage
    whole = max(_count(c.gt_frames), 1)
    shares = [(_count(c.scored), "scored"), (_count(c.missing), "missing"), (_count(c.unscorable), "unscorable")]
    left = 0.0
    strips = []
    for count, name in shares:
        width = min(100 * min(count, whole) / whole, 100 - left)
        if width > 0:
            strips.append(tag("rect", x=f"{left:.3f}%", y=0, width=f"{width:.3f}%", height="100%", class_=name))
            left += width
    said = parts.facts[0]
    return [
        tag("p", said[:1].upper() + said[1:] + ".", class_="lead"),
        tag("svg", tag("title", said), strips, class_="coverage", width="100%", height="10", role="img"),
        tag("div", tag("h3", "Before you read the numbers"), bullets(parts.notes), class_="notes")
        if parts.notes
        else None,
    ]


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _numbers(report: Report, parts: Content) -> list[Any]:
    cards = [
        tag(
            "div",
            tag(
                "dt",
                clean(metric.name),
                tag("small", " lower is better" if not metric.higher_is_better else " higher is better"),
            ),
            tag(
                "dd",
                number(metric.value, metric.unit, metric.name),
                tag("sup", marks(metric)),
                tag("small", " ", shown_unit(metric)),
            ),
            tag("dd", _interval(metric), class_="interval"),
            class_="card",
        )
        for metric in list(report.metrics.values())[:_HEADLINES]
    ]
    buttons = [
        tag("button", f"Copy as {name}", type="button", data_copy=key, hidden=True)
        for key, name in (("markdown", "Markdown"), ("latex", "LaTeX"))
    ]
    return [
        tag("dl", cards, class_="cards"),
        tag("div", table_html(parts.tables[0], caption="All metrics"), class_="scroll"),
        _footnotes(parts),
        tag("p", buttons, class_="actions"),
    ]


def _interval(metric: MetricValue) -> str:
    if metric.ci95 is None:
        return "no interval"
    low, high = (number(end, metric.unit, metric.name) for end in metric.ci95)
    return f"95 % interval {low} to {high}"


def _footnotes(parts: Content) -> Markup | None:
    if not parts.footnotes:
        return None
    return tag("p", join((tag("span", f.mark, " ", f.text) for f in parts.footnotes), "; "), class_="footnotes")


# --------------------------------------------------------------------------------------------------------- provenance


def _measured(report: Report) -> list[Any]:
    words = metric_words(report)
    meanings = Table(
        (Column("metric", right=False), Column("what it is", right=False), Column("source", right=False)),
        tuple((Cell(name), Cell(meaning), Cell(source)) for name, meaning, source in words),
    )
    name = clean(report.protocol.get("name", "unknown"))
    return [
        tag("h3", f"Protocol {name}"),
        (tag("p", sentence) for sentence in protocol_words(report.protocol)),
        tag("div", table_html(meanings), class_="scroll words") if words else None,
        tag("h3", "Cluster banks") if report.banks else None,
        (tag("p", " ".join(bank_words(bank))) for bank in report.banks),
    ]


def _provenance(report: Report) -> list[Any]:
    rows: list[tuple[str, Any]] = []
    for side, name in (("pred", "predictions"), ("gt", "ground truth")):
        given = report.inputs.get(side)
        given = given if isinstance(given, dict) else {}
        path, digest = given.get("path"), given.get("sha256")
        rows.append((name, clean(path, None) if path else "arrays, from no file"))
        if digest:
            rows.append((f"sha256 of the {name}", tag("code", clean(digest, None))))
    protocol = report.protocol
    rows.append(
        ("protocol", f"{clean(protocol.get('name', 'unknown'))}, version {clean(protocol.get('version', 'unknown'))}")
    )
    rows.append(("sha256 of the protocol", tag("code", clean(protocol.get("sha256", "unknown"), None))))
    rows += [
        (
            f"sha256 of bank {clean(bank.get('name', 'unknown'))}",
            tag("code", clean(bank.get("sha256", "unknown"), None)),
        )
        for bank in report.banks
    ]
    if report.command:
        rows.append(("command", tag("code", clean(report.command, None))))
    rows += [(clean(name), clean(value, None)) for name, value in report.environment.items()]
    return [tag("dl", (tag("div", tag("dt", name), tag("dd", value)) for name, value in rows), class_="provenance")]
