"""How fast posebench is beside what users would pick instead, job by job, in one run.

    pip install --constraint constraints.txt -r benchmarks/requirements.txt
    python benchmarks/peers.py [--quick] [--poses N] [--job NAME] [--json FILE]

Scoring, Procrustes alignment, clustering, reading and triangulation beside NumPy, SciPy, pandas, PyTorch, torchmetrics,
RoMa, MMPose, scikit-learn, faiss, h5py, pyarrow, OpenCV and kornia; whatever is not installed is named and passed over.
Results are compared before anything is timed. A ratio is the peer's time / posebench's: above 1, posebench is faster.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peer_jobs import clustering, procrustes, reading, scoring, triangulation
from peer_jobs.measure import Job, Peers, Size, cores, people, rows
from peer_jobs.render import heading, table
from score_speed import machine

JOBS = {
    "scoring": scoring.JOB,
    "procrustes": procrustes.JOB,
    "clustering": clustering.JOB,
    "reading": reading.JOB,
    "triangulation": triangulation.JOB,
}
USUAL, QUICK = Size(poses=100_000, looped=2_000, repeats=5), Size(poses=4_000, looped=100, repeats=2)


def main() -> None:
    """Time everything, print the tables, and write them down where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few poses: shows that everything works")
    parser.add_argument("--poses", type=int)
    parser.add_argument("--looped", type=int, help="poses for peers that are called pose by pose")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--job", action="append", choices=JOBS, help="one job alone; again for more")
    parser.add_argument("--json", type=Path, help="write what was measured")
    asked = parser.parse_args()
    usual = QUICK if asked.quick else USUAL
    poses = asked.poses or usual.poses
    size = Size(poses, min(poses, asked.looped or usual.looped), asked.repeats or usual.repeats)
    peers = Peers()
    load = os.getloadavg()[0]
    busy = load > cores() / 2
    if busy:  # no library has started its threads yet; spinning ones would take what others need, and be counted
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    jobs = []
    for name in asked.job or JOBS:
        jobs.append(run(JOBS[name], size, peers))
        print(table(jobs[-1]), flush=True)
    data = {
        "poses": size.poses,
        "looped": size.looped,
        "repeats": size.repeats,
        "source": people(size.poses)[0],
        "machine": machine(),
        "load": load,
        "busy": busy,
        "versions": peers.versions,
        "missing": sorted(peers.missing),
        "jobs": jobs,
    }
    print(heading(data))
    if asked.json:
        asked.json.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", "utf-8")


def run(job: Job, size: Size, peers: Peers) -> dict[str, Any]:
    """What was measured of a job."""
    return {"name": job.name, "introduction": job.introduction, "rows": list(measured(job, size, peers))}


def measured(job: Job, size: Size, peers: Peers) -> Iterator[dict[str, Any]]:
    """The rows of all its cases."""
    for case in job.cases(size, peers):
        yield from rows(case, size.repeats)


if __name__ == "__main__":
    main()
