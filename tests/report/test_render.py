"""Rendering a report: what every format must say, hostile names included, and that writing is all or nothing."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from posebench.errors import InputError, UsageError
from posebench.report import Coverage, Report
from posebench.report.content import content
from posebench.report.render import endings, kinds, render, write_report
from tests.report.reports import HOSTILE, hostile_report, small_report, wide_report

PEOPLE = ["txt", "md", "tex"]
TEXTS = [*PEOPLE, "csv"]
COVERAGE = "scored 99 of 100 frames, matched by subject, action, frame; 1 missing"


@pytest.mark.parametrize("kind", TEXTS)
def test_every_format_says_coverage_then_protocol_before_the_first_number(kind):
    text = render(small_report(), kind)
    coverage, protocol, value = (
        text.index(part) for part in (COVERAGE, "protocol standard, version 1, sha256 0123456789ab", "52.31")
    )
    assert coverage < protocol < value


@pytest.mark.parametrize("kind", TEXTS)
def test_every_format_has_banks_notes_and_the_footnote_of_incomplete_distances(kind):
    text = render(small_report(), kind)
    assert "bank cmu-50, k = 50, sha256 fedcba987654" in text
    assert "skeleton assumed: h36m17" in text
    assert "incomplete: leaves out what the prediction lacks; does not compare" in text


@pytest.mark.parametrize(("kind", "marked"), [("txt", "52.31*"), ("md", r"52.31\*"), ("tex", "52.31{*}")])
def test_incomplete_distances_are_marked_where_they_stand(kind, marked):
    assert marked in render(small_report(), kind)


@pytest.mark.parametrize("kind", TEXTS)
def test_a_report_without_incomplete_distances_has_no_such_footnote(kind):
    report = small_report()
    report.metrics["MPJPE"] = dataclasses.replace(report.metrics["MPJPE"], incomplete=False)
    assert "incomplete:" not in render(report, kind)


@pytest.mark.parametrize(("kind", "mark"), [("txt", "12.50†"), ("md", "12.50†"), ("tex", r"12.50$\dagger$")])
def test_a_bank_that_the_protocol_does_not_bind_is_marked(kind, mark):
    text = render(wide_report(), kind)
    assert text.count(mark) == 1
    assert "does not compare" in text


def test_coverage_names_only_what_there_is():
    report = small_report()
    report.coverage = Coverage(1, 1, 0, 0, 0, "by order")
    assert content(report, ()).facts[0] == "scored 1 of 1 frame, matched by order"
    report.coverage = Coverage(9, 5, 1, 2, 1, "by order", unscorable=3, ambiguous=1, negative_scale=2)
    assert content(report, ()).facts[0] == (
        "scored 5 of 9 frames, matched by order; 1 missing; 3 unscorable; 2 joints masked in the ground truth; "
        "1 degenerate prediction; 1 prediction without a unique rotation; 2 predictions reflected by their scale"
    )


def test_numbers_are_rounded_by_unit_and_none_is_a_dash():
    rows = content(small_report(), ()).tables[0].rows
    assert [[cell.text for cell in row] for row in rows] == [
        ["MPJPE", "52.31", "mm", "↓", "99", "[50.00, 54.12]"],
        ["MPJVE", "310.2", "mm/s", "↓", "98", "–"],
        ["PSS@50", "–", "%", "↑", "0", "–"],
    ]


def test_there_is_no_interval_column_where_no_metric_has_one():
    report = small_report()
    report.metrics["MPJPE"] = dataclasses.replace(report.metrics["MPJPE"], ci95=None)
    assert [column.title for column in content(report, ()).tables[0].columns] == [
        "metric",
        "value",
        "unit",
        "best",
        "n",
    ]


@pytest.mark.parametrize(("value", "shown"), [(-0.001, "0.00"), (1e30, "1.000e+30"), (0, "0.00")])
def test_numbers_stay_readable_at_the_edges(value, shown):
    report = small_report()
    report.metrics["MPJPE"] = dataclasses.replace(report.metrics["MPJPE"], value=value)
    assert content(report, ()).tables[0].rows[0][1].text == shown


def test_a_group_is_a_table_of_members_by_metrics():
    by_action = content(small_report(), ("action",)).tables[1]
    assert [column.heading for column in by_action.columns] == [
        "action",
        "MPJPE (mm) ↓",
        "MPJVE (mm/s) ↓",
        "PSS@50 (%) ↑",
    ]
    assert [[cell.text + cell.mark for cell in row] for row in by_action.rows] == [
        ["Walking", "50.00*", "0.3", "75.00"],
        ["Eating", "60.12*", "–", "0.10"],
    ]


@pytest.mark.parametrize("kind", TEXTS)
def test_groups_stand_in_the_order_asked_for_and_once(kind):
    text = render(small_report(), kind, ("joint", "action", "joint"))
    assert text.index("hip") < text.index("Walking")
    assert text.count("Walking") == render(small_report(), kind, ("action",)).count("Walking")


@pytest.mark.parametrize("kind", TEXTS)
def test_a_group_that_the_report_does_not_have_is_refused(kind):
    with pytest.raises(UsageError, match="cannot group by 'camera'"):
        render(small_report(), kind, ("camera",))


@pytest.mark.parametrize("kind", kinds())
def test_the_same_report_gives_the_same_bytes_and_ends_with_a_line_end(kind, monkeypatch):
    first = render(hostile_report(), kind, ("action",))
    for name, value in {"COLUMNS": "33", "FORCE_COLOR": "1", "TERM": "dumb", "NO_COLOR": ""}.items():
        monkeypatch.setenv(name, value)
    assert render(hostile_report(), kind, ("action",)) == first
    assert first.endswith("\n") and not first.endswith("\n\n")


@pytest.mark.parametrize("kind", kinds())
def test_no_format_lets_a_control_character_through(kind):
    text = render(hostile_report(), kind, ("action",))
    assert all(character.isprintable() or character == "\n" for character in text)
    text.encode("utf-8")


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_finite_number_is_refused(kind, bad):
    report = small_report()
    report.metrics["MPJPE"] = dataclasses.replace(report.metrics["MPJPE"], value=bad)
    with pytest.raises(InputError):
        render(report, kind)


@pytest.mark.parametrize("kind", TEXTS)
def test_a_text_for_a_number_is_refused(kind):
    report = small_report()
    report.metrics["MPJPE"] = dataclasses.replace(report.metrics["MPJPE"], value="\x1b52")
    with pytest.raises(InputError, match=r"MPJPE is '\\x1b52', expected a finite number"):
        render(report, kind)


def test_an_unknown_kind_is_refused():
    with pytest.raises(UsageError, match="no report format 'pdf'; known are txt, json, csv, md, tex"):
        render(small_report(), "pdf")


def test_the_json_is_the_reports_data_and_reads_back_equal():
    for report in (small_report(), hostile_report(), wide_report()):
        data = json.loads(render(report, "json"))
        assert data == report.to_dict()
        assert Report.from_dict(data) == report


def test_the_json_has_full_precision_and_keeps_the_order_of_metrics_and_members():
    text = render(small_report(), "json")
    data = json.loads(text)
    assert '"MPJVE": 0.3333333333333333' in text
    assert list(data["metrics"]) == ["MPJPE", "MPJVE", "PSS@50"]
    assert list(data["by"]["action"]) == ["Walking", "Eating"]


def test_the_json_does_not_depend_on_which_group_was_looked_at_first():
    swapped = small_report()
    swapped.groups = dict(reversed(swapped.groups.items()))
    assert render(swapped, "json") == render(small_report(), "json")


@pytest.mark.parametrize("ending", endings())
def test_the_ending_names_the_format(tmp_path, ending):
    path = tmp_path / f"run{ending.upper()}"
    write_report(hostile_report(), path, ("action",))
    assert path.read_bytes().decode() == render(hostile_report(), ending[1:], ("action",))


def test_save_writes_what_render_gives(tmp_path):
    small_report().save(tmp_path / "run.md", by=("joint",))
    assert (tmp_path / "run.md").read_text("utf-8") == render(small_report(), "md", ("joint",))
    small_report().save(tmp_path / "run.json")
    assert Report.load(tmp_path / "run.json") == small_report()


@pytest.mark.parametrize(
    ("name", "said"), [("run.xlsx", "ending '.xlsx'"), ("run", "no ending"), ("run.txt", "'.txt'")]
)
def test_an_unknown_ending_is_refused_and_the_known_ones_are_named(tmp_path, name, said):
    with pytest.raises(UsageError, match=said) as refusal:
        write_report(small_report(), tmp_path / name)
    assert ".json, .csv, .md, .tex" in str(refusal.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", endings())
def test_the_old_file_stays_when_rendering_fails(tmp_path, ending):
    path = tmp_path / f"run{ending}"
    path.write_text("old")
    report = small_report()
    report.metrics["MPJPE"] = dataclasses.replace(report.metrics["MPJPE"], value=math.nan)
    with pytest.raises(InputError):
        write_report(report, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_is_cut_in_the_middle_for_people_and_whole_in_data():
    longest = max(HOSTILE, key=len)
    assert all(longest not in render(hostile_report(), kind, ("action",)).split("note:")[0] for kind in PEOPLE)
    assert all(longest in render(hostile_report(), kind, ("action",)) for kind in ("json", "csv"))
