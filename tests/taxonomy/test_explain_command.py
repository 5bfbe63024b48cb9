"""`posebench score --explain`: what it prints and writes, and what it leaves as it was."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import posebench as pb
from tests.cli.conftest import posebench as posebench
from tests.cli.conftest import refused
from tests.taxonomy.conftest import clip


@pytest.fixture
def score(posebench, moving, tmp_path, monkeypatch):
    """`posebench score` on a sequence that is 10 % too large in one action and noisy in the other."""
    monkeypatch.chdir(tmp_path)
    wrong = np.concatenate([1.1 * moving[:200], moving[200:] + np.random.default_rng(0).normal(0, 20, (200, 17, 3))])
    for name, poses in (("pred", wrong), ("gt", moving)):
        pb.write(clip(poses, action=["Grow"] * 200 + ["Shake"] * 200), f"{name}.npz")
    return lambda *rest: posebench("score", "--pred", "pred.npz", "--gt", "gt.npz", "-m", "MPJPE", *rest)


def test_the_block_follows_the_metrics_in_the_terminal(score) -> None:
    run = score("--explain")
    assert run.code == 0
    assert run.out.index("MPJPE explained") > run.out.index("metric")
    assert "explained by action, mm" in run.out
    assert "the whole pose too large or small" in run.out


def test_without_the_option_nothing_is_explained(score, tmp_path) -> None:
    run = score("-o", "run.json", "-o", "run.csv")
    assert "explained" not in run.out
    assert "explanation" not in json.loads((tmp_path / "run.json").read_text())
    assert "fault" not in (tmp_path / "run.csv").read_text()


def test_files_have_the_shares_beside_what_they_had(score, tmp_path) -> None:
    score("-o", "plain.json", "-o", "plain.csv", "--by", "action")
    score("--explain", "-o", "run.json", "-o", "run.csv", "-o", "run.md", "-o", "run.tex", "--by", "action")
    plain, run = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("plain", "run"))
    explained = run.pop("explanation")
    run["environment"] = plain["environment"]
    assert run == plain
    assert sum(fault["mm"] for fault in explained["faults"].values()) == pytest.approx(run["metrics"]["MPJPE"]["value"])
    rows = list(csv.DictReader((tmp_path / "run.csv").read_text().splitlines()[-len(explained["faults"]) * 3 :], CSV))
    grown = {row["metric"]: float(row["value"]) for row in rows if row["key"] == "Grow"}
    assert grown["MPJPE(fault=scale)"] == pytest.approx(explained["by"]["action"]["Grow"]["scale"])
    # The windows at the border of the actions are not shared, so all of it is scale.
    assert grown["MPJPE(fault=scale)"] == pytest.approx(run["by"]["action"]["Grow"]["MPJPE"])
    old = (tmp_path / "plain.csv").read_text().splitlines()
    assert [line for line in (tmp_path / "run.csv").read_text().splitlines() if "(fault=" not in line] == old
    assert "jitter" in (tmp_path / "run.md").read_text()
    assert "jitter" in (tmp_path / "run.tex").read_text()


CSV = ["group", "key", "metric", "value", "unit", "higher_is_better", "n", "ci95_low", "ci95_high", "incomplete"]


def test_a_result_that_was_read_back_prints_the_same_block(score, tmp_path) -> None:
    printed = score("--explain", "-o", "run.json").out
    shown = str(pb.Report.load(tmp_path / "run.json"))
    assert shown[shown.index("MPJPE explained") :] == printed[printed.index("MPJPE explained") :]


def test_an_explanation_prints_itself(moving) -> None:
    text = str(pb.explain(1.1 * moving, moving))
    assert text.startswith("MPJPE of 400 frames explained\n")
    assert "note: jitter is not told apart" in text


def test_one_protocol_at_a_time_is_explained(score) -> None:
    refused(score("--explain", "--protocol", "all"), "--metric needs one protocol")


def test_all_protocols_are_not_explained(posebench, score) -> None:
    run = posebench("score", "--pred", "pred.npz", "--gt", "gt.npz", "--protocol", "all", "--explain")
    refused(run, "--explain needs one protocol")
