"""How fast intervals are: 10,000 resamples of the sequences of a set of the size of Human3.6M's test set.

Beside it, what one would do without sums per sequence: draw the frames of the sequences again, or score again.

    python benchmarks/statistics_speed.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

import posebench as pb
from posebench import statistics
from posebench.scoring.intervals import report_intervals

SEQUENCES, CAMERAS = 60, 4
#: Resamples that the slow way is timed over, and scaled up from.
FEW = 20


def timed(function: Callable[[], object], repeat: int) -> float:
    """Seconds of the fastest of so many calls, none of which finds what another has kept."""
    best = float("inf")
    for _ in range(repeat):
        statistics._drawn.cache_clear()
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--poses", type=int, default=543_344)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    pred, gt = sets(arguments.poses)
    scorer = pb.Scorer("standard")
    scorer.update(pred, gt)
    report = pb.score(pred, gt, frames=True)
    assert report.frames is not None
    assert scorer._tally is not None
    tally, cells = scorer._tally, list(scorer._cells)
    sequence = report.frames.groups("subject", "action", "sequence")[0]
    values = report.frames.values
    rows = [np.flatnonzero(sequence == code) for code in range(SEQUENCES)]
    rng = np.random.default_rng(0)

    def by_frames() -> None:
        for _ in range(FEW):
            drawn = np.concatenate([rows[code] for code in rng.integers(0, SEQUENCES, SEQUENCES)])
            np.nanmean(values[:, drawn], axis=1)

    of_sums = timed(lambda: report_intervals(tally, cells, "frame", [False] * len(tally.metrics)), arguments.repeat)
    one = timed(lambda: pb.bootstrap_ci(values[0], sequence), arguments.repeat)
    of_frames = timed(by_frames, 1) / FEW * statistics.RESAMPLES
    scoring = timed(lambda: pb.score(pred, gt), arguments.repeat)
    metrics = len(values)
    print(
        f"{len(gt):,} poses in {SEQUENCES} sequences of {CAMERAS} cameras, {metrics} metrics, "
        f"{statistics.RESAMPLES:,} resamples; best of {arguments.repeat} runs"
    )
    print()
    print("| what | time | target |")
    print("|---|---|---|")
    print(f"| intervals of {metrics} metrics, from the sums of a report | {of_sums:.3f} s | ≤ 1 s |")
    print(f"| interval of one metric, `pb.bootstrap_ci` on its values per frame | {one:.3f} s | ≤ 1 s |")
    print(f"| resampling the values per frame of {metrics} metrics (from {FEW} resamples) | {of_frames:.0f} s |  |")
    print(f"| `pb.score`, intervals included | {scoring:.3f} s |  |")
    print()
    print("| ratio | value |")
    print("|---|---|")
    print(f"| resampling values per frame / intervals | {of_frames / of_sums:.0f} |")
    print(f"| scoring {statistics.RESAMPLES:,} times / intervals | {scoring * statistics.RESAMPLES / of_sums:.0f} |")


def sets(n: int) -> tuple[pb.PoseSet, pb.PoseSet]:
    """Random poses whose errors differ from sequence to sequence."""
    rng = np.random.default_rng(0)
    sequence = np.arange(n) * SEQUENCES // n
    frame = np.arange(n) - np.searchsorted(sequence, sequence)
    keys = {
        "subject": np.where(sequence % 2, "S11", "S9"),
        "action": np.char.add("action ", (sequence // 4).astype(str)),
        "sequence": sequence,
        "camera": (frame % CAMERAS).astype(str),
        "frame": frame // CAMERAS,
    }
    facts = {"skeleton": "h36m17", "unit": "mm", "reference": "camera", **keys}
    gt = rng.normal(0, 300, (n, 17, 3)).astype(np.float32)
    size = rng.lognormal(3.4, 0.3, SEQUENCES).astype(np.float32)[sequence]
    pred = gt + size[:, None, None] * rng.standard_normal((n, 17, 3), np.float32)
    return pb.PoseSet(pred, **facts), pb.PoseSet(gt, **facts)


if __name__ == "__main__":
    main()
