"""`posebench compare`: results that `posebench score` wrote, side by side."""

from __future__ import annotations

import json

import numpy as np
import pytest

import posebench as pb
from tests.cli.conftest import refused
from tests.scoring.plain import poseset
from tests.support.poses import people

N = 40
KEYS = {"subject": ["S1"] * N, "sequence": np.repeat(np.arange(10), 4).astype(str), "frame": np.arange(N)}


@pytest.fixture
def results(tmp_path, monkeypatch, posebench):
    """The working directory, with base.json, s0.json and s1.json and their frames in it."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    gt = people(rng, N)
    pb.write(poseset(gt, **KEYS), "gt.npz")
    for name, noise in (("base", 60.0), ("s0", 40.0), ("s1", 41.0)):
        pb.write(poseset(gt + rng.normal(0, noise, gt.shape), **KEYS), f"{name}.npz")
        assert posebench("score", "--pred", f"{name}.npz", "--gt", "gt.npz", "-o", f"{name}.json").code == 0
    return tmp_path


def test_results_are_compared_by_their_files_names(posebench, results) -> None:
    run = posebench("compare", "base.json", "s0.json")
    assert run.code == 0
    assert run.err == ""
    assert run.out == str(pb.compare(["base.json", "s0.json"]))
    assert "s0 – base" in run.out


def test_several_seeds_have_one_name(posebench, results) -> None:
    run = posebench("compare", "base.json", "ours=s0.json,s1.json", "-m", "MPJPE", "-o", "out.json")
    assert "ours (mean of 2)" in run.out
    data = json.loads((results / "out.json").read_text("utf-8"))
    each = [pb.score(f"{seed}.npz", "gt.npz").metrics["MPJPE"].value for seed in ("s0", "s1")]
    assert data["metrics"]["MPJPE"]["models"]["ours"]["seeds"] == pytest.approx(each)
    assert list(data["metrics"]) == ["MPJPE"]


def test_every_format_is_written(posebench, results) -> None:
    outputs = [word for kind in ("json", "csv", "md", "tex") for word in ("-o", f"out.{kind}")]
    assert posebench("compare", "base.json", "s0.json", *outputs).code == 0
    assert all((results / f"out.{kind}").stat().st_size > 500 for kind in ("json", "csv", "md", "tex"))


def test_a_result_is_not_written_over_nor_are_its_frames(posebench, results) -> None:
    before = (results / "base.json").read_bytes()
    refused(posebench("compare", "base.json", "s0.json", "-o", "base.json"), "it is the input base.json")
    assert (results / "base.json").read_bytes() == before


def test_an_ending_that_is_not_known_is_refused_before_work(posebench, results) -> None:
    refused(posebench("compare", "base.json", "nothing.json", "-o", "out.htm"), "out.htm: a report cannot be written")


def test_one_result_is_no_comparison(posebench, results) -> None:
    refused(posebench("compare", "ours=s0.json,s1.json"), "needs two models or more, got 1")


def test_a_file_that_is_not_there_is_named(posebench, results) -> None:
    refused(posebench("compare", "base.json", "gone.json"), "gone.json: cannot be read as a result")


def test_a_file_that_is_no_result_is_named(posebench, results) -> None:
    (results / "other.json").write_text("[1, 2]", "utf-8")
    refused(posebench("compare", "base.json", "other.json"), "other.json: expected schema 'posebench.result/1'")


def test_damaged_frames_are_named(posebench, results) -> None:
    path = results / "s0.frames.npz"
    path.write_bytes(path.read_bytes()[:-100])
    refused(posebench("compare", "base.json", "s0.json"), "s0.frames.npz: is not a complete .npz archive")


def test_results_under_different_protocols_are_refused(posebench, results) -> None:
    score = ("score", "--pred", "s0.npz", "--gt", "gt.npz", "--protocol", "h36m-canonpose", "-o", "mm.json")
    assert posebench(*score).code == 0
    refused(
        posebench("compare", "base.json", "mm.json"),
        "the protocol is standard version 1 in the first",
        "h36m-canonpose",
    )


def test_a_scale_free_result_beside_one_in_mm_shares_what_both_have(posebench, results) -> None:
    pred = pb.read("s0.npz")
    pb.write(pred.replace(poses=np.asarray(pred.poses) / 700, unit="scale-free"), "free.npz")
    assert posebench("score", "--pred", "free.npz", "--gt", "gt.npz", "-o", "free.json").code == 0
    run = posebench("compare", "base.json", "free.json")
    assert run.code == 0
    assert "note: MPJPE is not compared: only base has it" in run.out
    assert "PMPJPE" in run.out
