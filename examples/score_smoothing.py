"""Does smoothing help? Score predictions and the same ones smoothed: `python examples/score_smoothing.py OUT`.

The predictions are those of make_mocap_example.py (simulated, no network's) with three seeds. Smoothed, each coordinate
is the median of three frames in a row of one sequence and camera. OUT gets the six results with their values per frame,
raw0.json to smooth2.json, for `posebench compare`. POSEBENCH_DATA names the folder that holds the CMU data.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from make_mocap_example import predictions, views

import posebench as pb

SEEDS = 3


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    seen = views()
    pb.write(pb.concatenate(seen), out / "gt.npz")
    for seed in range(SEEDS):
        raw = predictions(seen, seed)
        for name, pred in (("raw", raw), ("smooth", raw.replace(poses=smoothed(raw)))):
            pb.write(pred, out / f"{name}{seed}.npz")
            report = pb.score(
                out / f"{name}{seed}.npz", out / "gt.npz", metrics=["MPJPE", "PMPJPE", "PSS@50"], frames=True
            )
            report.save(out / f"{name}{seed}.json")
            report.frames.save(out / f"{name}{seed}.frames.npz")


def smoothed(pred: pb.PoseSet) -> np.ndarray:
    """Poses (N, J, 3), the median of each with its neighbours; the ends of a sequence stay as they are."""
    codes = np.stack([column.codes for key, column in pred.keys.items() if key != "frame"])
    order = np.lexsort([pred.frame, *codes])
    poses = np.asarray(pred.poses, np.float64)[order]
    same = (codes[:, order[1:]] == codes[:, order[:-1]]).all(0)
    inner = 1 + np.flatnonzero(same[1:] & same[:-1])
    result = np.empty_like(poses)
    result[order] = poses
    result[order[inner]] = np.median([poses[inner - 1], poses[inner], poses[inner + 1]], axis=0)
    return result


if __name__ == "__main__":
    main()
