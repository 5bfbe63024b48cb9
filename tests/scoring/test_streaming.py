"""A stored file is scored piece by piece: memory does not grow with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import posebench as pb
from tests.scoring.plain import pair, poseset

ROOT = Path(pb.__file__).resolve().parents[1]
N = 200_000
#: Memory at its highest while scoring, sampled by a thread; pages of mapped files, which the system may drop, left out.
ANONYMOUS = """
import re, sys, threading, time
import posebench as pb
small, *large = sys.argv[1:]
pb.score(small, small)

def anonymous():
    return int(re.search(r"RssAnon:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024

before, peak, done = anonymous(), 0, threading.Event()

def watch():
    global peak
    while not done.is_set():
        peak = max(peak, anonymous())
        time.sleep(0.001)

watcher = threading.Thread(target=watch)
watcher.start()
report = pb.score(*large)
done.set()
watcher.join()
print(report.coverage.scored, report.metrics["MPJPE"].value, peak - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the memory of a process by kind")
def test_scoring_two_large_files_takes_a_small_part_of_their_size(tmp_path) -> None:
    pred, gt = pair(100)
    pb.write(poseset(gt), tmp_path / "small.npz")
    expected = pb.score(pred, gt).metrics["MPJPE"].value
    for name, poses in (("pred", pred), ("gt", gt)):
        tiled = np.lib.stride_tricks.as_strided(poses, (N // 100, *poses.shape), (0, *poses.strides))
        pb.write(poseset(tiled.reshape(N, 17, 3), frame=np.arange(N)), tmp_path / f"{name}.npz")
    size = sum((tmp_path / f"{name}.npz").stat().st_size for name in ("pred", "gt"))
    assert size > 160e6

    environment = {**os.environ, "PYTHONPATH": str(ROOT), "POSEBENCH_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}
    paths = [str(tmp_path / f"{name}.npz") for name in ("small", "pred", "gt")]
    found = subprocess.run(
        [sys.executable, "-c", ANONYMOUS, *paths], capture_output=True, text=True, env=environment, check=True
    ).stdout.split()
    assert found[0] == str(N)
    assert float(found[1]) == pytest.approx(expected)
    assert float(found[2]) < size / 3
