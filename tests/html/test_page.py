"""The HTML report as a file: what stands in it, in which order, and that nothing in it reaches out."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

import posebench as pb
from posebench.html.page import html
from posebench.report import Report
from posebench.report.render import render
from tests.html.pages import ATTACKS, Page, attacking_report, full_report, hash_of
from tests.report.reports import hostile_report, small_report, wide_report
from tests.scoring.plain import pair, poseset

FULL = full_report()
PAGE = Page(html(FULL, ("action",)))


def test_coverage_comes_before_any_number_and_provenance_last() -> None:
    titles = re.findall(r"<h2[^>]*>([^<]*)</h2>", PAGE.text)
    assert titles[:2] == ["Coverage", "Numbers"]
    assert titles[-1] == "Provenance"
    assert PAGE.text.index("Scored 240 of 240 frames") < PAGE.text.index(f"{FULL.metrics['MPJPE'].value:.2f}")


def test_every_metric_stands_in_a_table_with_its_interval() -> None:
    assert FULL.metrics["MPJPE"].ci95 is not None
    for metric in FULL.metrics.values():
        low, high = metric.ci95
        assert f"[{low:.2f}, {high:.2f}]" in PAGE.shown
        assert f"{metric.value:.2f}" in PAGE.shown


def test_the_policy_allows_this_style_and_this_script_and_nothing_else() -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", PAGE.text, re.S)
    (script,) = re.findall(r"<script>(.*?)</script>", PAGE.text, re.S)
    assert PAGE.policy == (
        f"default-src 'none'; style-src {hash_of(style)}; script-src {hash_of(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


@pytest.mark.parametrize("report", [FULL, attacking_report(), hostile_report(), wide_report()])
def test_nothing_on_a_page_loads_runs_or_styles_by_itself(report) -> None:
    page = Page(html(report))
    named = {"href", "src", "action", "data", "srcset", "xlink:href", "poster", "background"}
    for tag, given in page.tags:
        assert tag not in {"img", "iframe", "object", "embed", "base", "form", "image", "use", "foreignobject"}
        assert not [name for name in given if name.startswith("on") or name == "style"]
        for name in named & set(given):
            assert given[name].startswith("#") or given[name] == "data:,"
    assert len(page.all("script")) == 2
    assert "url(" not in page.text and "@import" not in page.text


def test_names_from_files_stay_text() -> None:
    page = Page(html(attacking_report(), ("action",)))
    for attack in ATTACKS:
        assert attack in page.shown
    assert page.text.count("<script") == 2
    for raw in ("<img", "<svg onload", "<!--", "\x1b"):
        assert raw not in page.text


def test_the_copies_are_the_other_formats() -> None:
    assert PAGE.data["copy"] == {
        kind: render(FULL, end, ("action",)) for kind, end in (("markdown", "md"), ("latex", "tex"))
    }


@pytest.mark.parametrize("group", ["action", "joint", "part", "subject", "sequence"])
def test_a_group_has_a_chart_and_all_its_numbers_in_a_table(group) -> None:
    figure = next(f for f in re.findall(r"<figure.*?</figure>", PAGE.text, re.S) if f"<h3>By {group}</h3>" in f)
    assert f"<title>MPJPE by {group}: all of" in figure
    for values in FULL.by(group).values():
        for value in values.values():
            assert f">{value:.2f}<" in figure


def test_a_bar_is_as_long_as_its_value_and_the_worst_stands_first() -> None:
    figure = next(f for f in re.findall(r"<figure.*?</figure>", PAGE.text, re.S) if "<h3>By action</h3>" in f)
    chart = figure[figure.index("<svg") : figure.index("</svg>")]
    values = sorted((of["MPJPE"] for of in FULL.by("action").values()), reverse=True)
    widths = [float(w) for w in re.findall(r'width="([\d.]+)%" height="6" rx="3" class="bar"', chart)]
    assert [float(v) for v in re.findall(r'class="value"[^>]*>([\d.]+)<', chart)] == pytest.approx(values, abs=0.005)
    assert np.array(widths) / widths[0] == pytest.approx(np.array(values) / values[0], abs=2e-4)


def test_a_share_is_drawn_on_a_scale_to_one_hundred() -> None:
    figure = next(f for f in re.findall(r"<figure.*?</figure>", PAGE.text, re.S) if "<h3>By part</h3>" in f)
    chart = next(c for c in re.findall(r"<svg.*?</svg>", figure, re.S) if "PCK@150 by part" in c)
    widths = [float(w) for w in re.findall(r'width="([\d.]+)%" height="6" rx="3" class="bar"', chart)]
    assert widths == pytest.approx([of["PCK@150"] for of in FULL.by("part").values()], abs=0.01)


def test_a_group_of_many_shows_the_worst_and_tables_the_rest() -> None:
    report = small_report()
    report.groups = {"sequence": {f"s{n}": {"MPJPE": float(n)} for n in range(50)}}
    page = html(report)
    assert "The worst 20 of 50; the table has more." in page
    assert page.count('class="bar"') == 20
    assert 'class="label">s49<' in page and 'class="label">s29<' not in page
    assert ">s29</th>" in page


def test_the_curve_passes_through_the_reports_pck() -> None:
    rows = re.search(r"<caption>Share of joints.*?</table>", PAGE.text, re.S)[0]
    row = re.search(r'<th scope="row">150</th><td class="number">([\d.]+)</td>', rows)
    assert float(row[1]) == pytest.approx(FULL.metrics["PCK@150"].value, abs=0.005)


def test_the_bars_of_errors_hold_all_frames() -> None:
    chart = next(c for c in re.findall(r"<svg.*?</svg>", PAGE.text, re.S) if "How many frames have which MPJPE" in c)
    heights = [float(h) for h in re.findall(r'height="([\d.]+)" class="bar"', chart)]
    top = float(re.findall(r'text-anchor="end">([\d.]+)</text>', chart)[-1])
    highest_line = min(float(y) for y in re.findall(r'y1="([\d.]+)" y2="[\d.]+" class="grid"', chart))
    base = max(float(y) for y in re.findall(r'y1="([\d.]+)" y2="[\d.]+" class="grid"', chart))
    beyond = re.search(r"([\d.e-]+) % of the frames lie beyond", PAGE.text)
    shown = sum(heights) / (base - highest_line) * top + (float(beyond[1]) if beyond else 0)
    assert shown == pytest.approx(100, abs=0.5)


def test_structures_are_the_reports_confusions() -> None:
    counts = FULL.confusion("PSS@50")
    data = PAGE.data["structures"][list(FULL.confusions).index("PSS@50")]
    rebuilt = np.zeros_like(counts)
    for r, c, n in np.reshape(data["cells"], (-1, 3)):
        rebuilt[r, c] = n
    assert (rebuilt == counts).all()
    assert len(data["centres"]) == data["k"] == 50
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    r, c = np.unravel_index(wrong.argmax(), wrong.shape)
    first = re.search(r'<ol class="flows".*?<b>(.*?)</b>', PAGE.text, re.S)[1]
    assert first == f"cluster {r} → cluster {c}"


def test_each_sampled_pose_is_drawn_and_handed_to_the_script() -> None:
    assert [stage["data-pose"] for stage in PAGE.all("div", class_="stage")] == [str(n) for n in range(9)]
    poses = PAGE.data["poses"]["list"]
    for sampled, drawn in zip(FULL.samples.poses, poses, strict=True):
        x, y, z = np.array(sampled.gt).T  # a camera: y points down
        assert np.array(drawn["gt"]) == pytest.approx(np.stack([x, -y, z], 1), abs=0.06)
    assert "median: MPJPE" in PAGE.text
    assert PAGE.text.count('<g class="pred">') == 9


def test_protocol_metrics_and_banks_are_said_in_words() -> None:
    assert "The prediction is centred on its pelvis; the ground truth is centred on its pelvis." in PAGE.shown
    assert "Every frame counts alike" in PAGE.shown
    assert "mean distance between predicted and true joints" in PAGE.shown
    assert re.search(r"Bank cmu-h36m17-k50: 50 typical poses.*Fitted to [\d,]+ ground-truth poses of CMU", PAGE.shown)


def test_provenance_has_hashes_versions_and_the_command() -> None:
    report = full_report()
    report.command = "posebench score --pred 'my file.npz'"
    shown = Page(html(report)).shown
    for said in (report.protocol["sha256"], report.banks[1]["sha256"], report.environment["numpy"], report.command):
        assert said in shown


def test_an_explained_error_adds_up_on_the_page() -> None:
    report = full_report(explain=True)
    page = html(report)
    assert '<h2 id="taxonomy-title">What kinds of errors</h2>' in page
    for fault in report.explanation.faults.values():
        if fault.mm is not None:
            assert f">{fault.mm:.2f} mm<" in page
    assert "What kinds of errors" not in PAGE.text


def test_a_result_file_gives_a_page_without_poses_that_says_so(tmp_path) -> None:
    FULL.save(tmp_path / "run.json")
    Report.load(tmp_path / "run.json").to_html(tmp_path / "page")
    page = Page((tmp_path / "page").read_text("utf-8"))
    assert "this report has only its numbers" in page.shown
    assert "PCK curve" not in page.shown
    assert page.data["poses"]["list"] == [] and page.data["structures"] == []
    assert "<h3>By action</h3>" in page.text


def test_a_damaged_protocol_is_shown_as_far_as_it_can_be_read() -> None:
    report = small_report()
    report.protocol = {"name": ["x"], "joints": 5, "pooling": {}, "selection": [], "metric_joints": 3, "sha256": None}
    report.banks = [{}, {"name": "../../etc/passwd", "k": None}]
    report.inputs = {"pred": {"path": 5}, "gt": {}}
    report.metrics["Unknown@7"] = replace(report.metrics["MPJPE"], name="Unknown@7")
    shown = Page(html(report)).shown
    assert "Unknown@7" in shown
    assert "../../etc/passwd" in shown


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_an_interval_that_is_not_finite_is_refused(bad) -> None:
    report = small_report()
    report.metrics["MPJPE"] = replace(report.metrics["MPJPE"], ci95=(1.0, bad))
    with pytest.raises(pb.InputError, match="MPJPE"):
        html(report)


def test_a_frame_far_off_or_a_perfect_one_is_no_trouble() -> None:
    pred, gt = pair(30)
    far = pred.copy()
    far[4, 5] = 1e12
    for side in (far, gt):
        page = Page(html(pb.score(poseset(side), poseset(gt), samples=True)))
        assert "nan" not in page.shown.lower().split() and "inf" not in page.shown.lower().split()
        assert "NaN" not in page.text


def test_a_report_of_one_frame_and_one_without_a_scored_frame_are_pages() -> None:
    pred, gt = pair(2)
    Page(html(pb.score(poseset(pred[:1]), poseset(gt[:1]), samples=True)))
    lacking = np.full_like(pred, np.nan)
    shown = Page(html(pb.score(poseset(lacking), poseset(gt), allow_missing=True, samples=True))).shown
    assert "Scored 0 of 2 frames" in shown
    assert "No frame has an error to choose poses by." in shown


def test_several_protocols_make_one_page_of_tables(tmp_path) -> None:
    pred, gt = pair(5)
    sides = (poseset(side - side[:, :1], origin="root") for side in (pred, gt))
    found = pb.score_protocols(*sides, protocols=["standard", "h36m-rhodin"])
    found.save(tmp_path / "all.html")
    page = Page((tmp_path / "all.html").read_text("utf-8"))
    assert "the rows do not compare with each other" in page.shown
    assert "h36m-rhodin" in page.shown


def test_many_sequences_keep_the_page_small() -> None:
    report = full_report()
    names = [*report.metrics]
    report.groups["sequence"] = {f"S{n % 7}/Action {n}/{n}": dict.fromkeys(names, 50.0 + n / 7) for n in range(5000)}
    page = html(report)
    assert len(page.encode()) < 2_000_000
    assert "the first 1000 of 5000" in page
