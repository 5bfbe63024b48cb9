"""Write a prediction file with two faults for `posebench doctor`: `python examples/break_poses.py OUT.npz`.

It is the shipped prediction from two cameras with y pointing up, and in metres though the file says mm.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import posebench as pb

PRED = Path(__file__).resolve().parent / "data" / "pose2sim" / "pred_cam01_cam04.npz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="file to write")
    out = parser.parse_args().out
    pred = pb.read(PRED)
    pb.write(pred.replace(poses=np.array(pred.poses, np.float64) * [1, -1, 1] / 1000), out)


if __name__ == "__main__":
    main()
