"""How fast posebench scores 543,344 poses of 17 joints, the size of Human3.6M's test set at full frame rate.

Prints a Markdown table: the three classic errors per pose beside batched-SVD NumPy and a per-pose loop, `pb.score` with
the whole of `standard`, the `posebench score` process, its peak memory, and the time that help takes.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

import posebench as pb

POSES = 543_344
JOINTS = 17
#: Peers are timed on fewer poses and scaled up: a per-pose loop over all of them takes most of a minute.
PEER_POSES = 40_000

Array = npt.NDArray[np.float32]
Errors = tuple[npt.NDArray[np.float64], ...]


def main() -> None:
    """Time everything and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--poses", type=int, default=POSES)
    arguments.add_argument("--repeats", type=int, default=5)
    asked = arguments.parse_args()
    n, repeats = asked.poses, asked.repeats

    source, pred, gt, keys = poses_like_h36m(n)
    print(f"{n:,} poses x {JOINTS} joints, float32, {source}; best of {repeats} runs\n")
    print(machine() + "\n")
    print("| what | time | rate | target |")
    print("|---|---|---|---|")

    pb.per_pose(pred[:5000], gt[:5000])  # compiles, or loads the cache
    kernels = best(lambda: pb.per_pose(pred, gt), repeats)
    row("MPJPE + NMPJPE + PMPJPE per pose, `pb.per_pose`", kernels, n, "≤ 0.2 s")
    few = slice(0, min(n, PEER_POSES))
    batched = best(lambda: in_batches(pred[few], gt[few]), repeats) * n / few.stop
    row(f"the same, NumPy with batched SVD in batches of 4,096 (from {few.stop:,} poses)", batched, n, "")
    whole = best(lambda: batched_svd(pred[few], gt[few]), 2) * n / few.stop
    row(f"the same, NumPy with batched SVD in one piece (from {few.stop:,} poses)", whole, n, "")
    loop = best(lambda: per_pose_loop(pred[few], gt[few]), 1) * n / few.stop
    row(f"the same, NumPy pose by pose (from {few.stop:,} poses)", loop, n, "")

    facts = {"skeleton": "h36m17", "unit": "mm", "reference": "camera"}
    p, g = pb.PoseSet(pred, **facts, **keys), pb.PoseSet(gt, **facts, **keys)
    row(
        "`pb.score`, every metric of `standard`, by action",
        best(lambda: pb.score(p, g).by("action"), repeats),
        n,
        "≤ 1.0 s",
    )

    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{name}.npz") for name in ("pred", "gt")]
        for path, side in zip(paths, (p, g), strict=True):
            pb.write(side, path)
        command = [sys.executable, "-m", "posebench", "score", "--pred", str(paths[0]), "--gt", str(paths[1])]
        command += ["--by", "action", "-o", str(Path(folder, "result.json"))]
        run(command)
        runs = [run(command) for _ in range(repeats)]
        seconds, peak = min(seconds for seconds, _ in runs), max(peak for _, peak in runs)
        row("`posebench score`, whole process, warm kernel cache", seconds, n, "≤ 4 s")
    for words in ([], ["score"]):
        seconds, _ = min(run([sys.executable, "-m", "posebench", *words, "--help"]) for _ in range(2 * repeats))
        row(f"`{' '.join(['posebench', *words, '--help'])}`", seconds, None, "≤ 0.3 s")

    arrays = pred.nbytes + gt.nbytes
    print("\n| ratio | value | target |")
    print("|---|---|---|")
    print(f"| batched SVD in batches / posebench | {batched / kernels:.1f} | ≥ 20 |")
    print(f"| batched SVD in one piece / posebench | {whole / kernels:.1f} | ≥ 20 |")
    print(f"| pose by pose / posebench | {loop / kernels:.0f} | ≥ 150 |")
    print(
        f"| peak memory of `posebench score` / the two arrays ({arrays / 1e6:.0f} MB) | {peak / arrays:.2f} | ≤ 2.5 |"
    )


def poses_like_h36m(n: int) -> tuple[str, Array, Array, dict[str, npt.NDArray[np.generic]]]:
    """Predictions and ground truth (n, 17, 3) in mm, with keys of two subjects, fifteen actions and four cameras.

    Real motion capture where POSEBENCH_DATA points to it, turned about the vertical axis; else random skeletons.
    """
    rng = np.random.default_rng(0)
    sequences = np.sort(rng.integers(0, 236, n))
    keys = {
        "subject": np.array(["S9", "S11"])[sequences // 118],
        "action": np.array([f"Action{number:02d}" for number in range(15)])[sequences // 4 % 15],
        "sequence": np.array([f"take{number:03d}" for number in range(59)])[sequences // 4],
        "camera": np.array([f"cam{number}" for number in range(4)])[sequences % 4],
        "frame": np.arange(n),
    }
    if "POSEBENCH_DATA" in os.environ:
        from posebench.datasets.cmu import cmu_clips, read_cmu

        clips = [read_cmu(path).poses for path in cmu_clips()[:40]]
        bodies = np.concatenate(clips).astype(np.float32)
        gt = bodies[np.arange(n) % len(bodies)]
        gt = gt - gt[:, :1] + np.float32([0, 0, 5000])
        source = f"CMU motion capture ({len(bodies):,} different poses)"
    else:
        gt = rng.standard_normal((n, JOINTS, 3), np.float32) * np.float32([130, 450, 100]) + np.float32([0, 0, 5000])
        source = "random skeletons"
    pred = gt + rng.standard_normal(gt.shape, np.float32) * np.float32(40)
    return source, pred, gt, keys


def batched_svd(pred: Array, gt: Array) -> Errors:
    """The three errors as NumPy code in use takes them: one SVD call for the whole batch, in the arrays' precision."""
    p, g = pred - pred[:, :1], gt - gt[:, :1]
    mpjpe = np.linalg.norm(p - g, axis=2).mean(1)
    scale = (p * g).sum((1, 2)) / (p * p).sum((1, 2))
    nmpjpe = np.linalg.norm(scale[:, None, None] * p - g, axis=2).mean(1)
    p, g = p - p.mean(1, keepdims=True), g - g.mean(1, keepdims=True)
    u, s, vt = np.linalg.svd(p.transpose(0, 2, 1) @ g)
    d = np.sign(np.linalg.det(u @ vt))
    s[:, 2] *= d
    vt[:, 2] *= d[:, None]
    size = s.sum(1) / (p * p).sum((1, 2))
    pmpjpe = np.linalg.norm(size[:, None, None] * (p @ (u @ vt)) - g, axis=2).mean(1)
    return mpjpe, nmpjpe, pmpjpe


def in_batches(pred: Array, gt: Array) -> list[Errors]:
    """`batched_svd` with batches that stay in the cache."""
    return [batched_svd(pred[i : i + 4096], gt[i : i + 4096]) for i in range(0, len(gt), 4096)]


def per_pose_loop(pred: Array, gt: Array) -> list[Errors]:
    """`batched_svd` one pose at a time, as evaluation loops do."""
    return [batched_svd(pred[i : i + 1], gt[i : i + 1]) for i in range(len(gt))]


def best(function: Callable[[], object], repeats: int) -> float:
    """Shortest wall time of several runs, in s."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def run(command: list[str]) -> tuple[float, int]:
    """Wall time (s) and peak memory (bytes) of a child process."""
    start = time.perf_counter()
    with quiet() as output:
        child = subprocess.Popen(command, stdout=output, stderr=output)
        _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} failed with exit code {child.returncode}")
    return seconds, usage.ru_maxrss * 1024


@contextmanager
def quiet() -> Iterator[int]:
    """A descriptor that swallows output."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def machine() -> str:
    """One line about processor, cores and versions."""
    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    import numba

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{cpu}, {cores} cores; Python {platform.python_version()}, NumPy {np.__version__}, numba {numba.__version__}, "
        f"posebench {pb.__version__}"
    )


def row(what: str, seconds: float, poses: int | None, target: str) -> None:
    """One line of the table."""
    rate = "" if poses is None else f"{poses / seconds / 1e6:.2f} M poses/s"
    shown = f"{seconds:.3f} s" if seconds < 10 else f"{seconds:.1f} s"
    print(f"| {what} | {shown} | {rate} | {target} |", flush=True)


if __name__ == "__main__":
    main()
