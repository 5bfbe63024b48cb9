"""Lightning logs the numbers of the core, from one process and from two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import posebench as pb

pytest.importorskip("pytorch_lightning", reason="pytorch-lightning is in no extra; make test installs it")
pytest.importorskip("torchmetrics", reason="needs the extra [torchmetrics]")


@pytest.mark.parametrize("processes", [1, 2])
def test_lightning_logs_what_the_core_says_of_the_same_poses(processes: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    gt = rng.normal(size=(60, 17, 3)) * 300  # an even number, so that no sample is repeated
    pred = 1.1 * gt + rng.normal(size=gt.shape) * 60
    np.savez(tmp_path / "poses.npz", pred=pred, gt=gt)
    done = subprocess.run(
        [sys.executable, "-m", "tests.adapters.lightning_process", str(tmp_path), str(processes)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    logged = json.loads((tmp_path / "logged.json").read_text("utf-8"))
    with np.load(tmp_path / "corrected.npz") as held:
        corrected = held["pred"]
    assert pb.pmpjpe(corrected, gt) < pb.pmpjpe(pred, gt)
    expected = {"MPJPE": pb.mpjpe(corrected, gt), "PMPJPE": pb.pmpjpe(corrected, gt)}
    expected["PSS"] = pb.pss(corrected, gt, "cmu-h36m17-k50")
    assert logged == pytest.approx(expected, rel=1e-12)
