"""Where the errors are: a chart for each group of a report, for any of its metrics, and the numbers in a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from posebench.html.charts import Bar, bars
from posebench.html.markup import Markup, tag
from posebench.html.parts import details, wide_table
from posebench.report.content import UP, Cell, Column, Table, clean, finite, marks, number, shown_unit
from posebench.report.model import MetricValue, Report

#: Members of a group that a chart shows; a table has all.
_MOST_BARS = 20
#: Characters of a name beside a bar; the table has more.
_LONGEST_LABEL = 40
#: Members of a group that a table shows.
MOST_ROWS = 1000
_ORDER = ("action", "joint", "part", "joint_group", "subject", "setting", "camera", "sequence")


def groups(report: Report) -> list[Any]:
    """Every group but those of clusters, which belong to structures."""
    names = [group for group in {**dict.fromkeys(report.available_groups), **report.groups} if not _is_cluster(group)]
    names.sort(key=lambda group: _ORDER.index(group) if group in _ORDER else len(_ORDER))
    found = [_group(report, group) for group in names]
    shown = [part for part in found if part is not None]
    return [tag("div", shown, class_="groups")] if shown else []


def _is_cluster(group: str) -> bool:
    return group.startswith("cluster")


def _group(report: Report, group: str) -> Markup | None:
    members = report.by(group)
    if len(members) < 2:
        return None
    metrics = [m for name, m in report.metrics.items() if any(of.get(name) is not None for of in members.values())]
    if not metrics:
        return None
    key = f"by-{_ORDER.index(group)}" if group in _ORDER else f"by-{clean(group)}"
    charts = []
    for k, metric in enumerate(metrics):
        chosen = [(clean(name) or "(empty)", finite(of.get(metric.name), metric.name)) for name, of in members.items()]
        cut = len(chosen) > _MOST_BARS
        if group not in ("joint", "part", "joint_group") or cut:
            chosen.sort(key=lambda item: _badness(item[1], metric))
        which = f"the worst {_MOST_BARS}" if cut else "all"
        title = f"{metric.name} by {group}: {which} of {len(members)}"
        charts.append(
            tag(
                "div",
                bars(
                    [
                        Bar(clean(name, _LONGEST_LABEL), value, number(value, metric.unit, metric.name))
                        for name, value in chosen[:_MOST_BARS]
                    ],
                    title=title,
                    whole=finite(metric.value, metric.name),
                    largest=100.0 if metric.unit == "%" else None,
                ),
                data_chart=str(k),
                hidden=k > 0,
            )
        )
    select = tag(
        "select",
        (
            tag("option", f"{clean(m.name)} ({shown_unit(m) or '1'}) {UP if m.higher_is_better else '↓'}", value=k)
            for k, m in enumerate(metrics)
        ),
        id=f"{key}-metric",
        class_="switch",
    )
    first = metrics[0]
    note = f"The worst {_MOST_BARS} of {len(members)}; the table has more. " if len(members) > _MOST_BARS else ""
    return tag(
        "figure",
        tag(
            "figcaption",
            tag("h3", f"By {clean(group).replace('_', ' ')}"),
            tag("label", "Metric ", select, for_=f"{key}-metric", class_="needs-script") if len(metrics) > 1 else None,
            tag("p", f"{clean(first.name)} in {shown_unit(first) or '1'}", class_="without-script"),
        ),
        charts,
        tag("p", note, "The upright mark is the value of the whole set.", class_="hint"),
        details("Numbers as a table", wide_table(_members(report, group, metrics))),
        class_="group",
    )


def _badness(value: float | None, metric: MetricValue) -> tuple[bool, float]:
    return (value is None, 0.0 if value is None else (value if metric.higher_is_better else -value))


def _members(report: Report, group: str, metrics: Sequence[MetricValue]) -> Table:
    members = list(report.by(group).items())
    rows = [
        (
            Cell(clean(name) or "(empty)"),
            *(
                Cell(number(of.get(m.name), m.unit, m.name), marks(m) if of.get(m.name) is not None else "")
                for m in metrics
            ),
        )
        for name, of in members[:MOST_ROWS]
    ]
    cut = f", the first {MOST_ROWS} of {len(members)}" if len(members) > MOST_ROWS else ""
    heads = (Column(clean(m.name), shown_unit(m)) for m in metrics)
    return Table((Column(clean(group), right=False), *heads), tuple(rows), f"By {clean(group)}{cut}")
