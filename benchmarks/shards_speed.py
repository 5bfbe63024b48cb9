"""How fast `posebench score` and `posebench bank build` go through shards, in processes and under Dask.

Writes shards of motion capture (random skeletons without `POSEBENCH_DATA`) under the folder for temporary files, scores
them with one process and with several, with as many workers of Dask, then once more with every state there; then builds
a bank of them. CPU time is that of all processes, less that of the same on small shards: other work on the machine
changes it less than the time on the wall. The last table is the arithmetic for 1 billion poses.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from score_speed import JOINTS, machine, poses_like_h36m, quiet

import posebench as pb

BILLION = 1_000_000_000
#: Poses of the shards that show what starting costs.
FEW = 1000
#: Of the bank: centres, and iterations, to which come four more passes: survey, seeding, inertia, and the card's facts.
CENTRES, ITERATIONS = 50, 10
PASSES = ITERATIONS + 4
DASK = ("--scheduler", "local")


def main() -> None:
    """Time everything and print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--shards", type=int, default=8)
    arguments.add_argument("--poses", type=int, default=250_000, help="in each shard")
    arguments.add_argument("--format", default="arrow", choices=["arrow", "npz", "parquet"])
    arguments.add_argument("--jobs", type=int, default=2)
    asked = arguments.parse_args()
    n = asked.shards * asked.poses
    with tempfile.TemporaryDirectory(prefix="posebench-") as folder:
        small, large = Path(folder, "small"), Path(folder, "large")
        write_shards(small, asked.jobs, FEW, asked.format)
        source = write_shards(large, asked.shards, asked.poses, asked.format)
        print(f"{n:,} poses x {JOINTS} joints, float32, {source},")
        print(f"in {asked.shards} shards of .{asked.format}; one run each\n")
        print(machine() + f"; load {os.getloadavg()[0]:.1f}\n")
        score(small, 1)  # compiles, or loads the cache
        print("| what | time | CPU time | poses per CPU second | most memory of a process |")
        print("|---|---|---|---|---|")
        numbers = (1, asked.jobs)
        starts = {(jobs, words): score(small, jobs, *words) for words in ((), DASK) for jobs in numbers}
        for (jobs, words), start in starts.items():
            show(f"starting: {asked.jobs} shards of {FEW:,} poses, `{said(jobs, words)}`", start)
        states = ("--state", f"{folder}/states")
        for (jobs, words), start in starts.items():
            more = states if (jobs, words) == (asked.jobs, ()) else ()
            found = score(large, jobs, *words, *more)
            show(f"every metric of `standard`, `{said(jobs, words)}`", found, n, start[1])
            if more:
                one = (found[1] - start[1]) / n * BILLION
            if (jobs, words) == (asked.jobs, DASK):
                dask = (found[1] - start[1]) / n * BILLION
        again = score(large, 1, *states)
        show("the same again, all states there, `--jobs 1`", again, n, starts[1, ()][1])
        other = (again[1] - starts[1, ()][1]) / n * BILLION
        passes = 0.0
        for words in ((), DASK):
            start = build(small, asked.jobs, *words)
            found = build(large, asked.jobs, *words)
            what = f"bank of {CENTRES} centres, {PASSES} passes, `{said(asked.jobs, words)}`; the rate is of a pass"
            show(what, found, PASSES * n, start[1])
            passes = passes or (found[1] - start[1]) / PASSES / n * BILLION
        size = sum(path.stat().st_size for path in large.rglob("*.*")) / asked.shards / 2
        state = sum(path.stat().st_size for path in Path(folder, "states").glob("*.npz")) / asked.shards
    print(f"\nA shard has {size / 1e6:.0f} MB on each side, its state {state / 1e3:.0f} kB.\n")
    print("| 1 billion poses, from the CPU time measured | |")
    print("|---|---|")
    print(f"| bytes on each side, float32 | {size / asked.poses * BILLION / 1e9:.0f} GB |")
    print(f"| core time | {duration(one)} |")
    print(f"| on 64 cores that have nothing else to do | {duration(one / 64)} |")
    print(f"| core time under Dask | {duration(dask)} |")
    print(f"| core time of going on when all states are there | {duration(other)} |")
    print(f"| core time of a pass of k-means, {CENTRES} centres | {duration(passes)} |")
    print(f"| 100 passes on 64 cores | {duration(100 * passes / 64)} |")


def duration(seconds: float) -> str:
    """Minutes, or hours where there are several."""
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def said(jobs: int, words: tuple[str, ...]) -> str:
    """The options that say who does the work."""
    return " ".join((*words, f"--jobs {jobs}"))


def write_shards(folder: Path, shards: int, poses: int, suffix: str) -> str:
    """Sequences of 1,000 frames, none of them in two shards; says what the poses are."""
    source, pred, gt, _ = poses_like_h36m(poses)
    for shard in range(shards):
        keys = {
            "subject": f"S{shard % 7}",
            "action": f"A{shard % 15}",
            "sequence": (np.arange(poses) // 1000 + shard * poses).astype(str),
            "frame": np.arange(poses) % 1000,
        }
        for side, values in (("pred", pred), ("gt", gt)):
            (folder / side).mkdir(parents=True, exist_ok=True)
            facts = {"skeleton": "h36m17", "unit": "mm", "reference": "camera"}
            pb.write(pb.PoseSet(values, **facts, **keys), folder / side / f"{shard:05d}.{suffix}")
    return source


Run = tuple[float, float, int]


def score(folder: Path, jobs: int, *arguments: str) -> Run:
    """Wall time and CPU time (s) of scoring a folder, and the peak memory (bytes) of its largest process."""
    sides = ["--pred", f"{folder}/pred", "--gt", f"{folder}/gt"]
    # Said by hand, so that random skeletons are not taken for joints in a wrong order.
    stated = ["--pred-skeleton", "h36m17", "--gt-skeleton", "h36m17"]
    return run("score", *sides, *stated, "--jobs", str(jobs), *arguments)


def build(folder: Path, jobs: int, *arguments: str) -> Run:
    """The same of building a bank of the ground truth."""
    settings = ["-k", str(CENTRES), "--n-init", "1", "--max-iter", str(ITERATIONS), "--tol", "0"]
    place = ["--gt", f"{folder}/gt", "--name", "speed", "-o", str(folder)]
    return run("bank", "build", *place, *settings, "--jobs", str(jobs), *arguments)


def run(*words: str) -> Run:
    """Run posebench."""
    command = [sys.executable, "-m", "posebench", *words]
    start = time.perf_counter()
    with quiet() as output:
        child = subprocess.Popen(command, stdout=output, stderr=output)
        _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} failed with exit code {child.returncode}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def show(what: str, found: Run, poses: int = 0, start: float = 0.0) -> None:
    """One line of the table."""
    seconds, cpu, peak = found
    rate = f"{poses / (cpu - start) / 1e6:.2f} M" if poses else ""
    print(f"| {what} | {seconds:.1f} s | {cpu:.1f} s | {rate} | {peak / 1e6:.0f} MB |", flush=True)


if __name__ == "__main__":
    main()
