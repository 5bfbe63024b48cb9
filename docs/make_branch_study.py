"""How good the 2D branch is, and what its confidence means: prints the tables of docs/models.md again.

    python docs/make_branch_study.py --open4v DIR --joints WORK/TWOD/test-joints.npz [--runs WORK]

`posebench zoo row` leaves the joints there. With --runs it also tells how widely joints are spread in the runs with an
unfrozen branch.
"""

from __future__ import annotations

import argparse
import csv
import json
from itertools import pairwise
from pathlib import Path

import numpy as np

from model_zoo.epipolarpose.boxes import boxes_of
from model_zoo.epipolarpose.detections import read_detections
from model_zoo.epipolarpose.pretraining import SCORED, head_sizes
from posebench.datasets.views import MultiViewSet

#: Bounds of confidence.
BOUNDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 1.0)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--open4v", type=Path, required=True)
    parser.add_argument("--joints", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--runs", type=Path)
    asked = parser.parse_args()
    branch(MultiViewSet(asked.open4v, asked.split), asked.joints)
    if asked.runs is not None:
        spreads(asked.runs)


def branch(dataset: MultiViewSet, path: Path) -> None:
    """Joints that the branch found, against those that are known, in half head sizes."""
    found = read_detections(path, dataset.unlabelled())
    truth = dataset.joints.astype(np.float64)
    sizes = head_sizes(truth, 1.0)
    sizes = np.maximum(sizes, 0.05 * boxes_of(truth, np.isfinite(truth).all(axis=-1))[:, 2])
    away = np.linalg.norm(found.points - truth, axis=-1) / sizes[:, None]
    away, sure = away[:, SCORED], found.confidence[:, SCORED]
    known = np.isfinite(away)
    print(f"{len(truth)} pictures; within half a head: {100 * (away[known] <= 0.5).mean():.1f} %")
    print("\n| confidence | joints | within half a head | median distance, heads |\n|---|---|---|---|")
    for low, high in pairwise(BOUNDS):
        part = known & (sure >= low) & (sure < high)
        if part.any():
            share, near = 100 * part.sum() / known.sum(), 100 * (away[part] <= 0.5).mean()
            print(f"| {low:.1f}–{high:.1f} | {share:.1f} % | {near:.1f} % | {np.median(away[part]):.2f} |")


def spreads(runs: Path) -> None:
    """How widely the joints of the unfrozen runs are spread, epoch by epoch."""
    print(
        "\n| gradient at the labels | "
        + "spread of the joints, % of the box, at the start and after each epoch |\n|---|---|"
    )
    for name, words in (("unfrozen", "stopped"), ("unfrozen-through", "passes")):
        for run in sorted(runs.glob(f"*-{name}-seed*")):
            facts = json.loads((run / "run.json").read_text("utf-8"))["facts"]
            with (run / "log.csv").open(encoding="utf-8") as file:
                values = [float(row["validation"]) for row in csv.DictReader(file) if row["validation"]]
            told = ", ".join(f"{value:.1f}" for value in [facts["spread_at_the_start"], *values])
            print(f"| {words} | {told} |")


if __name__ == "__main__":
    main()
