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
