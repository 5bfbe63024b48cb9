"""Many protocols side by side: every format says that the rows do not compare, and which variant a number is."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

import posebench as pb
from posebench.report.many import render_reports

RNG = np.random.default_rng(0)
GT = RNG.normal(size=(6, 17, 3)) * 300
GT -= GT[:, :1]
FOUND = pb.score_protocols(
    GT + RNG.normal(size=GT.shape) * 20,
    GT,
    protocols=["standard", "h36m-epipolarpose", "h36m-canonpose", "metrabs", "3dpw"],
)
KINDS = ("txt", "json", "csv", "md", "tex")


def text(kind: str) -> str:
    return render_reports(FOUND.reports, FOUND.refused, FOUND.to_dict, kind)


def test_the_table_has_a_row_per_protocol_and_marks_every_variant() -> None:
    shown = text("txt")
    assert "the rows do not compare with each other" in shown
    value = FOUND.reports["h36m-epipolarpose"].metrics["NMPJPE(scale=procrustes)"].value
    row = next(line for line in shown.splitlines() if line.startswith("h36m-epipolarpose‡ "))
    assert f"{value:.2f}a" in row
    assert "\na NMPJPE(scale=procrustes)\n" in shown
    plain = next(line for line in shown.splitlines() if line.startswith("standard "))
    assert f"{FOUND.reports['standard'].metrics['NMPJPE'].value:.2f} " in plain + " "
    assert "definition only" in shown
    assert "3dpw does not fit: pred cannot" in shown or "3dpw does not fit: pred holds h36m17 poses" in shown


@pytest.mark.parametrize("kind", ["md", "tex", "csv"])
def test_every_format_says_that_rows_do_not_compare_and_what_does_not_fit(kind: str) -> None:
    assert "not compare" in text(kind)
    assert "3dpw" in text(kind)


def test_the_csv_has_every_number_in_full() -> None:
    lines = [line for line in text("csv").splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
    expected = {(n, m.name): m.value for n, report in FOUND.reports.items() for m in report.metrics.values()}
    assert {(row["protocol"], row["metric"]): float(row["value"]) for row in rows} == expected


def test_the_json_holds_whole_results() -> None:
    data = json.loads(text("json"))
    assert data["schema"] == "posebench.protocols/1"
    for name, result in data["results"].items():
        assert pb.Report.from_dict(result).metrics == FOUND.reports[name].metrics
    assert set(data["refused"]) == {"3dpw"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_reports_give_the_same_text(kind: str) -> None:
    assert text(kind) == text(kind)


def test_protocols_that_fail_for_one_reason_share_a_sentence() -> None:
    absolute = GT + [0, 0, 5000]
    found = pb.score_protocols(absolute, absolute, protocols=["standard", "h36m-rhodin", "h36m-videopose3d"])
    assert "h36m-rhodin, h36m-videopose3d do not fit: pred holds absolute coordinates" in str(found)


@pytest.mark.parametrize("ending", ["json", "csv", "md", "tex"])
def test_save_writes_what_is_rendered(tmp_path, ending: str) -> None:
    FOUND.save(tmp_path / f"all.{ending}")
    assert (tmp_path / f"all.{ending}").read_text("utf-8") == text(ending)


def test_an_unknown_ending_is_refused(tmp_path) -> None:
    with pytest.raises(pb.UsageError, match="known endings are"):
        FOUND.save(tmp_path / "all.docx")


def test_an_incomplete_distance_is_marked() -> None:
    pred = GT + 1.0
    pred[0, 3] = np.nan
    found = pb.score_protocols(pred, GT, protocols=["standard"], allow_missing=True)
    assert "* incomplete" in str(found)
