"""How much `explain=True` adds to scoring a set of the size of Human3.6M's test set, in seconds of computing time.

Beside it, scoring alone. Computing time counts all threads and hardly depends on what else the machine does.

    python benchmarks/explain_speed.py
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import posebench as pb

SEQUENCES = 544


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--poses", type=int, default=543_344)
    arguments = parser.parse_args()
    n = arguments.poses
    rng = np.random.default_rng(0)
    sequence = np.arange(n) * SEQUENCES // n
    body = rng.normal(0, 300, (SEQUENCES, 17, 3))[sequence]
    bias = rng.normal(0, 30, (SEQUENCES, 17, 3))[sequence]
    facts = {"skeleton": "h36m17", "unit": "mm", "reference": "camera", "fps": 50}
    keys = {"sequence": [f"s{s:03d}" for s in sequence.tolist()], "frame": np.arange(n)}
    gt = pb.PoseSet(body, **facts, **keys)
    pred = gt.replace(poses=body + bias + rng.normal(0, 25, body.shape))
    pb.score(pred[:2000], gt[:2000], metrics=["MPJPE"], explain=True)  # compiles

    def seconds(explain: bool) -> float:
        start = time.process_time()
        pb.score(pred, gt, metrics=["MPJPE"], explain=explain)
        return time.process_time() - start

    alone, both = seconds(False), seconds(True)
    print(f"{n:,} poses of 17 joints in {SEQUENCES} sequences")
    print()
    print("| what | computing time | per pose |")
    print("|---|---|---|")
    print(f"| MPJPE | {alone:.1f} s | {alone / n * 1e6:.1f} µs |")
    print(f"| explanation, on top of it | {both - alone:.1f} s | {(both - alone) / n * 1e6:.1f} µs |")


if __name__ == "__main__":
    main()
