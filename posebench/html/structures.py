"""Which structures break: the confusion behind each PSS, as drawn ways from pose to pose, a matrix and tables."""

from __future__ import annotations

from typing import Any

from posebench.html.charts import matrix
from posebench.html.figures import bones_of, extent, rounded, seen, small
from posebench.html.markup import Markup, tag
from posebench.html.parts import details, wide_table
from posebench.report.content import Cell, Column, Table, clean, number
from posebench.report.model import Report
from posebench.report.samples import Centres

#: Ways from cluster to cluster that are drawn.
_FLOWS = 8


def structures(report: Report) -> list[tuple[Markup, dict[str, Any]]]:
    """For each PSS whose confusion is known: what is shown, and what the script needs."""
    found: list[tuple[Markup, dict[str, Any]]] = []
    for key, counts in report.confusions.items():
        centres = None if report.samples is None else report.samples.centres.get(key)
        if centres is None or len(centres.poses) != len(counts):
            centres = None
        if counts.sum():
            found.append(_structure(report, key, counts, centres, place=len(found)))
    return found


def _structure(
    report: Report, key: str, counts: Any, centres: Centres | None, *, place: int
) -> tuple[Markup, dict[str, Any]]:
    k = len(counts)
    total = int(counts.sum())
    of_truth = counts.sum(1)
    shares = [[float(n / max(of_truth[r], 1)) for n in counts[r]] for r in range(k)]
    poses = None if centres is None else seen(centres.poses, centres.up)

    def drawn(cluster: int, label: str) -> Markup:
        if poses is None or centres is None or cluster >= k:
            return tag("span", "no cluster" if cluster >= k else f"{cluster}", class_="structure none")
        return small(poses[cluster], centres.skeleton, label)

    wrong = [(int(counts[r, c]), r, c) for r in range(k) for c in range(k + 1) if r != c and counts[r, c]]
    wrong.sort(key=lambda way: (-way[0], way[1], way[2]))
    flows = [
        tag(
            "li",
            drawn(r, f"centre of cluster {r}"),
            tag("span", "→", class_="arrow", aria_hidden="true"),
            drawn(c, f"centre of cluster {c}"),
            tag(
                "span",
                tag("b", f"{_name(r, k)} → {_name(c, k)}"),
                tag("br"),
                f"{n:,} of {int(of_truth[r]):,} frames ({100 * n / of_truth[r]:.0f} %)",
            ),
        )
        for n, r, c in wrong[:_FLOWS]
    ]
    lost = [(int(of_truth[r] - counts[r, r]), r) for r in range(k) if of_truth[r]]
    lost.sort(key=lambda item: (-item[0], item[1]))
    sheet = [
        tag(
            "li",
            drawn(r, f"centre of cluster {r}"),
            tag("span", tag("b", _name(r, k)), f" {100 * counts[r, r] / of_truth[r]:.0f} % of {int(of_truth[r]):,}"),
        )
        for _, r in lost
    ]
    table = Table(
        (
            Column("ground truth", right=False),
            Column("prediction", right=False),
            Column("frames"),
            Column("of its truth", "%"),
        ),
        tuple(
            (Cell(_name(r, k)), Cell(_name(c, k)), Cell(f"{n:,}"), Cell(f"{100 * n / of_truth[r]:.1f}"))
            for n, r, c in wrong[:100]
        ),
        f"{key}: the most frequent ways from cluster to another cluster"
        + (", the first 100" if len(wrong) > 100 else ""),
    )
    missed = sum(n for n, _, _ in wrong)
    metric = report.metrics.get(key)
    value = "" if metric is None else f"{number(metric.value, metric.unit, metric.name)} % of "
    bank = "" if centres is None else f" of bank {clean(centres.bank)}"
    inspector = tag(
        "div",
        tag("div", class_="from"),
        tag("span", "→", class_="arrow", aria_hidden="true"),
        tag("div", class_="to"),
        tag("p", class_="reading", aria_live="polite"),
        class_="inspector",
        hidden=True,
    )
    body = [
        tag(
            "p",
            f"{value}{total:,} frames stay in their cluster{bank}; {missed:,} change it, in {len(wrong):,} ways. "
            "A structure breaks where the prediction is nearest to another typical pose than the ground truth.",
        ),
        tag("ol", flows, class_="flows", aria_label="The most frequent ways from cluster to cluster")
        if flows
        else None,
        tag(
            "div",
            tag(
                "figure",
                tag("figcaption", tag("h4", "Ground truth by prediction")),
                tag(
                    "div",
                    matrix(
                        shares,
                        title=f"Confusion of {k} clusters: share of each row that the prediction puts into each column",
                        rows="cluster of the ground truth",
                        columns="cluster of the prediction (last column: none)",
                    ),
                    class_="board",
                    data_structures=str(place),
                ),
                tag(
                    "p",
                    "The stronger, the larger the share of its row; the diagonal is right. ",
                    tag("span", "Point at a cell, or focus the matrix and use the arrow keys.", class_="needs-script"),
                    class_="hint",
                ),
            ),
            tag(
                "div",
                inspector,
                details("Ways from cluster to cluster, as a table", wide_table(table)) if wrong else None,
                details(
                    f"All {len(lost)} structures, those that lose most frames first", tag("ul", sheet, class_="sheet")
                ),
            ),
            class_="pair",
        ),
    ]
    cells = [[r, c, int(counts[r, c])] for r in range(k) for c in range(k + 1) if counts[r, c]]
    data: dict[str, Any] = {"k": k, "cells": [n for cell in cells for n in cell]}
    if poses is not None and centres is not None:
        size = extent(*poses)
        data["bones"] = bones_of(centres.skeleton)
        data["centres"] = [rounded(pose / size * 1000) for pose in poses]
    if place == 0:
        return tag("div", tag("h3", clean(key)), body), data
    return details(f"{clean(key)}: the same for {k} clusters", tag("div", body)), data


def _name(cluster: int, k: int) -> str:
    return "none" if cluster >= k else f"cluster {cluster}"
