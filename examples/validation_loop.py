"""Score inside a validation loop: a `Scorer` takes batches, merges with the scorers of other workers, and reports."""

from __future__ import annotations

import posebench as pb
from posebench.resources import resource

BATCH = 16


def main() -> None:
    """Score the shipped example batch by batch, on two workers."""
    folder = resource("examples", "pose2sim")
    gt, pred = pb.read(folder / "gt.npz"), pb.read(folder / "pred_cam01_cam02.npz")

    workers = [pb.Scorer("standard"), pb.Scorer("standard")]
    for number, start in enumerate(range(0, len(gt), BATCH)):
        rows = slice(start, start + BATCH)
        workers[number % 2].update(pred[rows], gt[rows])

    first, second = workers
    first.merge(second)
    report = first.report()
    print(f"{report.coverage.scored} frames: {report.metrics['MPJPE'].value:.2f} mm")


if __name__ == "__main__":
    main()
