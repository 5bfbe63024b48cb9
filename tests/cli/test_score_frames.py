"""`posebench score -o run.json` and the values per frame beside it."""

from __future__ import annotations

import numpy as np
import pytest

import posebench as pb
from tests.cli.conftest import refused


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name not in ("pred.npz", "gt.npz"))


def test_values_per_frame_are_written_beside_a_json_result(score, folder) -> None:
    assert score("-o", "run.json", "-o", "run.csv").code == 0
    assert names(folder) == ["run.csv", "run.frames.npz", "run.json"]
    report, frames = pb.Report.load("run.json"), pb.read_frames("run.frames.npz")
    frames.refuse_foreign(report)
    assert np.mean(frames.of("MPJPE"), dtype=np.float64) == pytest.approx(report.metrics["MPJPE"].value, rel=1e-6)


def test_no_frames_are_written_where_nobody_wants_them(score, folder) -> None:
    assert score("-o", "run.json", "--no-frames").code == 0
    assert score("-o", "run.csv").code == 0
    assert names(folder) == ["run.csv", "run.json"]


def test_frames_without_a_result_to_lie_beside_are_refused(score) -> None:
    refused(score("--frames"), "--frames needs a result that the values can lie beside", "-o NAME.json")
    refused(score("--frames", "-o", "run.csv"), "-o NAME.json")


def test_frames_of_all_protocols_are_refused(score) -> None:
    refused(score("--protocol", "all", "--frames", "-o", "run.json"), "--frames needs one protocol")


def test_frames_never_replace_an_input(score, folder) -> None:
    (folder / "gt.npz").rename(folder / "run.frames.npz")
    before = (folder / "run.frames.npz").read_bytes()
    assert score("-o", "run.json", gt="run.frames.npz").code == 2
    assert (folder / "run.frames.npz").read_bytes() == before
