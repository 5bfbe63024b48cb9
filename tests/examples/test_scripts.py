"""The example scripts run and print what posebench prints for the same files."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

import posebench as pb
from posebench.resources import resource

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def mpjpe() -> float:
    folder = resource("examples", "pose2sim")
    return pb.score(folder / "pred_cam01_cam02.npz", folder / "gt.npz").metrics["MPJPE"].value


@pytest.mark.parametrize("script", ["score_arrays.py", "validation_loop.py"])
def test_the_script_prints_the_error_of_the_example(script, mpjpe, capsys):
    runpy.run_path(str(EXAMPLES / script), run_name="__main__")
    assert f"{mpjpe:.2f} mm" in capsys.readouterr().out


def test_shards_that_the_script_cuts_are_the_file(tmp_path, monkeypatch):
    source = resource("examples", "pose2sim") / "gt.npz"
    monkeypatch.setattr("sys.argv", ["cut_into_shards.py", str(source), str(tmp_path / "gt"), "33"])
    runpy.run_path(str(EXAMPLES / "cut_into_shards.py"), run_name="__main__")
    shards = [pb.read(path) for path in sorted((tmp_path / "gt").iterdir())]
    whole = pb.read(source)
    assert [len(shard) for shard in shards] == [33, 33, 33, 1]
    assert (pb.concatenate(shards).poses == whole.poses).all()
    assert (pb.concatenate(shards).frame == whole.frame).all()
