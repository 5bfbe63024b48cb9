"""Score NumPy arrays: one number, one number per pose, and a report by action."""

from __future__ import annotations

import numpy as np

import posebench as pb
from posebench.resources import resource


def main() -> None:
    """Score the shipped example as if it had come out of a model."""
    folder = resource("examples", "pose2sim")
    gt = pb.read(folder / "gt.npz").poses  # (N, 17, 3), mm
    pred = pb.read(folder / "pred_cam01_cam02.npz").poses

    print(f"MPJPE  {pb.mpjpe(pred, gt):6.2f} mm")
    print(f"PMPJPE {pb.pmpjpe(pred, gt):6.2f} mm")
    errors = pb.per_pose(pred, gt, ["MPJPE", "PCK@100"])
    print(f"worst pose {int(np.argmax(errors['MPJPE']))}: {errors['MPJPE'].max():.1f} mm")

    halves = np.where(np.arange(len(gt)) < len(gt) // 2, "first half", "second half")
    report = pb.score(pb.PoseSet(pred, unit="mm"), pb.PoseSet(gt, unit="mm", action=halves), metrics=["MPJPE"])
    for action, values in report.by("action").items():
        print(f"{action}: {values['MPJPE']:.2f} mm")


if __name__ == "__main__":
    main()
