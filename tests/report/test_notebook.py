"""A report in a notebook and as a table of pandas."""

from __future__ import annotations

import math

import pandas as pd
import pytest

import posebench as pb
from posebench.report.render import render
from tests.html.pages import ATTACKS, Page
from tests.report.reports import HOSTILE, hostile_report, small_report, wide_report


@pytest.mark.parametrize("report", [small_report(), hostile_report(), wide_report()])
def test_a_notebook_shows_coverage_and_the_table_of_metrics(report) -> None:
    page = Page(report._repr_html_())
    assert page.shown.index("scored ") < page.shown.index("metric")
    for name in report.metrics:
        assert name in page.shown
    assert len(page.all("tr")) == 1 + len(report.metrics)


def test_notebook_html_holds_no_style_script_or_handler() -> None:
    page = Page(hostile_report()._repr_html_())
    assert {tag for tag, _ in page.tags} <= {
        *("div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "sup", "small", "ul", "li"),
    }
    assert {name for _, given in page.tags for name in given} <= {"class", "scope", "align"}


@pytest.mark.parametrize("name", [*ATTACKS, *HOSTILE])
def test_names_from_files_are_text_in_a_notebook(name) -> None:
    report = small_report()
    report.notes = [name]
    report.protocol["name"] = name
    page = Page(report._repr_html_())
    said = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    assert f"note: {said}" in page.words


def test_an_incomplete_number_is_marked_in_a_notebook() -> None:
    page = Page(small_report()._repr_html_())
    assert page.words[page.words.index("52.31") + 1] == "*"
    assert "* incomplete: leaves out what the prediction lacks; does not compare" in page.words


def test_where_a_notebook_is_turned_into_markdown_the_report_is_too() -> None:
    assert small_report()._repr_markdown_() == render(small_report(), "md")


def test_pandas_has_a_row_for_each_number() -> None:
    table = small_report().to_pandas()
    assert list(table.columns) == [
        *("group", "key", "metric", "value", "unit", "higher_is_better", "n", "ci95_low", "ci95_high", "incomplete"),
    ]
    assert len(table) == 3 + 2 * 3 + 2
    total = table[(table.group == "all") & (table.metric == "MPJPE")].iloc[0]
    assert (total.value, total.n, total.ci95_low, total.ci95_high) == (52.3149, 99, 50.0, 54.125)
    assert bool(total.incomplete) and not total.higher_is_better
    walking = table[(table.key == "Walking") & (table.metric == "MPJVE")].iloc[0]
    assert walking.group == "action" and walking.value == 1 / 3 and walking.n is pd.NA


def test_pandas_has_nan_for_what_was_not_scored() -> None:
    table = small_report().to_pandas(by=())
    assert math.isnan(table.value[table.metric == "PSS@50"].item())
    assert table.dtypes.astype(str).to_dict() | {"value": "float64", "n": "Int64"} == table.dtypes.astype(str).to_dict()


def test_pandas_has_the_groups_asked_for_and_names_as_they_are() -> None:
    table = hostile_report().to_pandas(by=["action"])
    names = [name.replace("\ud800", r"\ud800") for name in HOSTILE]  # bytes that are no text
    assert table.key[table.group == "action"].unique().tolist() == names
    assert small_report().to_pandas(by=["joint"]).group.unique().tolist() == ["all", "joint"]


def test_pandas_refuses_a_group_that_the_report_does_not_have() -> None:
    with pytest.raises(pb.UsageError, match="cannot group by 'camera'"):
        small_report().to_pandas(by=["camera"])
