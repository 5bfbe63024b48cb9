"""A comparison in every format, with names that a hostile file might hold."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

import posebench as pb
from posebench.comparison.render import CSV_COLUMNS, render_comparison
from tests.comparison.results import keys_of, write_result
from tests.html.pages import Page
from tests.report.reports import HOSTILE


def comparison(folder, names: tuple[str, ...] = ("base", "ours"), sequences: int = 12) -> pb.Comparison:
    keys = keys_of(sequences)
    rng = np.random.default_rng(0)
    n = len(keys["subject"])
    paths = {}
    for k, name in enumerate(names):
        values = {"MPJPE": 60 - 5 * k + rng.normal(0, 3, n), "PCK@150": 90 + k + rng.normal(0, 1, n)}
        paths[name] = [write_result(folder / f"r{k}{s}.json", values, keys) for s in range(1 + k % 2)]
    return pb.compare(paths)


def test_the_text_shows_values_with_letters_spreads_apart_and_a_table_per_pair(tmp_path) -> None:
    text = str(comparison(tmp_path))
    lines = text.splitlines()
    assert lines[0] == "2 models on the same 104 frames in 12 sequences"
    tables = text[text.index("\n\n") : text.rindex("\n\n")].splitlines()
    assert max(map(len, tables)) <= 80
    row = next(line for line in lines if line.startswith("ours (mean of 2)"))
    assert row.split()[-4:][1::2] == ["a", "a"]
    head = next(line for line in lines if line.startswith("model  metric"))
    assert [word in head for word in ("seeds", "over sequences")] == [True, True]
    assert sum(line.startswith("ours – base") for line in lines) == 1


def test_the_json_has_the_schema_and_every_number(tmp_path) -> None:
    found = comparison(tmp_path)
    data = json.loads(render_comparison(found, "json"))
    assert data["schema"] == "posebench.comparison/1"
    pair = data["metrics"]["MPJPE"]["pairs"][0]
    assert pair["p"] == found.pair("MPJPE", "base", "ours").p
    assert data["metrics"]["MPJPE"]["models"]["ours"]["seeds"] == list(found.metrics["MPJPE"].models["ours"].seeds)
    assert {record["sha256"] for record in data["models"]["ours"]} != {None}
    assert data["test"]["family"] == 2


def test_the_csv_has_one_record_per_model_pair_and_action(tmp_path) -> None:
    found = comparison(tmp_path)
    text = render_comparison(found, "csv")
    rows = list(csv.DictReader(io.StringIO("".join(line for line in io.StringIO(text) if not line.startswith("#")))))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row["kind"] for row in rows] == 2 * (["model"] * 2 + ["difference"] + ["action"] * 3)
    pair = found.pair("PCK@150", "base", "ours")
    row = next(row for row in rows if row["kind"] == "difference" and row["metric"] == "PCK@150")
    assert (row["model"], row["against"]) == ("ours", "base")
    assert [float(row[name]) for name in ("value", "p", "p_holm", "effect_size")] == [
        pair.difference,
        pair.p,
        pair.p_holm,
        pair.effect_size,
    ]


def test_latex_says_which_pair_each_table_is_of(tmp_path) -> None:
    text = render_comparison(comparison(tmp_path, ("x", "y", "z")), "tex")
    assert text.count(r"\begin{tabular}") == text.count(r"\bottomrule") == 5
    for pair in ("y -- x", "z -- x", "z -- y"):
        assert f"\n{pair} & change" in text


def test_markdown_has_a_table_per_pair(tmp_path) -> None:
    text = render_comparison(comparison(tmp_path, ("x", "y", "z")), "md")
    assert text.count("| :-- |") == 5
    assert "| z – y | change |" in text


@pytest.mark.parametrize("kind", ["txt", "md", "tex", "csv", "json"])
def test_hostile_names_stay_text(tmp_path, kind: str) -> None:
    names = tuple(name for name in HOSTILE if name and name != "\ud800")[:8]
    text = "".join(
        render_comparison(comparison(tmp_path, pair), kind) for pair in zip(names[::2], names[1::2], strict=True)
    )
    assert "\x1b" not in text
    assert "\r" not in text
    if kind == "md":
        assert "<b>" not in text
    if kind == "tex":
        assert "$x_1$" not in "".join(line for line in text.splitlines() if not line.startswith("%"))
    if kind == "csv":
        assert not any(line.startswith("=") or ',"=' in line for line in text.splitlines())


def test_an_unknown_format_is_refused(tmp_path) -> None:
    with pytest.raises(pb.UsageError, match="no comparison format 'pdf'"):
        render_comparison(comparison(tmp_path), "pdf")
    with pytest.raises(pb.UsageError, match="known endings are"):
        comparison(tmp_path).save(tmp_path / "out.pdf")


def test_a_comparison_is_a_page_of_tables_whose_names_are_text(tmp_path) -> None:
    attacks = "<img src=x onerror=window.broken=1>", "</script><script>window.broken=1</script>"
    page = Page(render_comparison(comparison(tmp_path, attacks), "html"))
    for attack in attacks:
        assert attack in page.shown
    assert len(page.all("script")) == 2
    assert not page.all("img")
    assert len(page.all("table")) >= 2
