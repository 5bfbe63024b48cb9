"""How fast cluster banks are made and looked up, beside scikit-learn with the same settings.

Prints Markdown tables: k-means of 1,000,000 poses of 17 joints from the same starting centres, and the labels behind
PSS@50 and PSS@100 of 543,344 pairs, the size of Human3.6M's test set. Runs of the two sides alternate, and the best of
each counts. The last table says whether the results agree.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from score_speed import machine, poses_like_h36m

from posebench.banks import Assigner, ClusterBank
from posebench.banks.digest import array_sha256
from posebench.banks.kmeans import Settings, lloyd, mean_variance, seed_centres
from posebench.kernels import map_chunks

POSES = 1_000_000
PAIRS = 543_344
K = 100

Floats = npt.NDArray[np.float64]


def main() -> None:
    """Time everything and print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--poses", type=int, default=POSES, help="poses to cluster")
    arguments.add_argument("--pairs", type=int, default=PAIRS, help="pairs of poses to label")
    arguments.add_argument("--max-iter", type=int, default=30, help="most iterations of k-means")
    arguments.add_argument("--repeats", type=int, default=3)
    asked = arguments.parse_args()
    warnings.simplefilter("ignore")  # scikit-learn's, of not having converged

    source, pred, gt, _ = poses_like_h36m(max(asked.poses, asked.pairs))
    gt, pred = turned(gt), turned(pred)
    bank = ClusterBank.build(gt[: asked.poses : 50], k=50, n_init=1, max_iter=20)
    print(f"17 joints, {source}; best of {asked.repeats} runs\n\n{machine()}\n")

    fits = [
        (source, bank.layout.normalise(gt[: asked.poses]).rows),
        ("random directions", random_rows(asked.poses)),
    ]
    print(f"| k-means, {asked.poses:,} poses, k = {K} | posebench | scikit-learn | ratio | target |")
    print("|---|---|---|---|---|")
    remarks = []
    for what, rows in fits:
        remarks += compare_fits(what, rows, asked.max_iter, asked.repeats)
    del fits, rows

    larger = ClusterBank.build(gt[: asked.poses : 50], k=K, n_init=1, max_iter=20)
    remarks += compare_labels(gt[: asked.pairs], pred[: asked.pairs], bank, larger, asked.repeats)
    print("\n| check | result |\n|---|---|")
    for remark in remarks:
        print(remark)


def turned(poses: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Poses that face other ways about the vertical axis, so that repeated motion is not the same again."""
    angles = np.random.default_rng(1).uniform(0, 2 * np.pi, len(poses) // 5000 + 1)[np.arange(len(poses)) // 5000]
    cos, sin = np.cos(angles)[:, None].astype(np.float32), np.sin(angles)[:, None].astype(np.float32)
    x, y, z = poses[..., 0], poses[..., 1], poses[..., 2]
    return np.stack([cos * x + sin * z, y, cos * z - sin * x], axis=-1)


def random_rows(n: int) -> Floats:
    """Rows (n, 51) of norm 1 without any structure: no label can be told from a bound."""
    rows = np.random.default_rng(0).standard_normal((n, 51))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def compare_fits(what: str, rows: Floats, max_iter: int, repeats: int) -> list[str]:
    """One line of the first table; lines of the last."""
    from sklearn.cluster import KMeans

    settings = Settings(k=K, n_init=1, max_iter=max_iter)
    start = seed_centres(rows, settings)
    tolerance = settings.tol * mean_variance(rows)

    def ours() -> object:
        return lloyd(rows, start, max_iter, tolerance)

    def theirs() -> object:
        model = KMeans(K, init=start, n_init=1, max_iter=max_iter, tol=settings.tol, algorithm="lloyd")
        return model.fit(rows)

    lloyd(rows[:1000], start, 1, 0.0)  # compiles, or loads the cache
    (fit, own), (model, peer) = alternating([ours, theirs], repeats)
    print(
        f"| {what}, {fit.iterations} iterations | {own:.2f} s | {peer:.2f} s | {own / peer:.2f} | ≤ 1.2 |", flush=True
    )
    off = float(np.abs(fit.centres - model.cluster_centers_).max())
    same = same_on_threads(rows, start, max_iter, tolerance)
    return [
        f"| {what}: largest difference of a centre's coordinate | {off:.1e} |",
        f"| {what}: same hash of the centres on 1 and 2 threads | {'yes' if same else 'NO'} |",
    ]


def same_on_threads(rows: Floats, start: Floats, max_iter: int, tolerance: float) -> bool:
    """Whether one and two threads give the same bits."""
    before = os.environ.get("POSEBENCH_THREADS")
    hashes = set()
    for threads in ("1", "2"):
        os.environ["POSEBENCH_THREADS"] = threads
        hashes.add(array_sha256(lloyd(rows, start, max_iter, tolerance).centres))
    if before is None:
        del os.environ["POSEBENCH_THREADS"]
    else:
        os.environ["POSEBENCH_THREADS"] = before
    return len(hashes) == 1


def compare_labels(
    gt: npt.NDArray[np.float32], pred: npt.NDArray[np.float32], small: ClusterBank, large: ClusterBank, repeats: int
) -> list[str]:
    """The second table; lines of the last."""
    from sklearn.cluster import KMeans

    banks = [small, large]
    layout = small.layout
    assigner = Assigner(layout, [bank.centres for bank in banks])
    sides = [layout.normalise(side).rows for side in (gt, pred)]
    narrow = [side.astype(np.float32) for side in sides]

    def models(dtype: str) -> list[KMeans]:
        found = []
        for bank in banks:
            centres = bank.centres.reshape(bank.k, -1).astype(dtype)
            model = KMeans(bank.k, init=centres, n_init=1, max_iter=1).fit(sides[0][:1000].astype(dtype))
            model.cluster_centers_ = centres
            found.append(model)
        return found

    in_float32, in_float64 = models("float32"), models("float64")

    def scores() -> npt.NDArray[np.float64]:
        def agree(rows: slice) -> npt.NDArray[np.int64]:
            return (assigner.labels(gt[rows])[0] == assigner.labels(pred[rows])[0]).sum(1)

        total: npt.NDArray[np.int64] = sum(map_chunks(agree, len(gt)), np.zeros(2, np.int64))
        return 100 * total / len(gt)

    def predicted32() -> list[object]:
        return [model.predict(side) for model in in_float32 for side in narrow]

    def predicted64() -> list[object]:
        return [model.predict(side) for model in in_float64 for side in sides]

    scores()
    (values, own), (_, peer32), (theirs, peer64) = alternating([scores, predicted32, predicted64], repeats)
    print(f"\n| labels in two banks, {len(gt):,} pairs | time | target |\n|---|---|---|")
    print(f"| posebench, from poses as they are to PSS@50 and PSS@100 | {own:.3f} s | ≤ 0.6 s |")
    print(f"| scikit-learn's predict on float32 poses that are normalised already | {peer32:.3f} s | |")
    print(f"| scikit-learn's predict on float64 poses that are normalised already | {peer64:.3f} s | |")
    print(f"| posebench / scikit-learn float32, float64 | {own / peer32:.2f}, {own / peer64:.2f} | ≤ 1 |", flush=True)
    ours = [label for b in range(2) for label in (assigner.labels(gt)[0][b], assigner.labels(pred)[0][b])]
    differ = sum(int((a != b).sum()) for a, b in zip(ours, theirs, strict=True))
    few = slice(0, 20_000)
    brute = sum(
        int((assigner.labels(gt[few])[0][b] != brute_force(sides[0][few], bank)).sum()) for b, bank in enumerate(banks)
    )
    return [
        f"| PSS@50, PSS@100 | {values[0]:.2f}, {values[1]:.2f} |",
        f"| labels that differ from scikit-learn's in float64, of {4 * len(gt):,} | {differ} |",
        f"| labels that differ from brute force in extended precision, of {2 * 20_000:,} | {brute} |",
    ]


def brute_force(rows: Floats, bank: ClusterBank) -> npt.NDArray[np.int64]:
    """Labels by the definition."""
    centres = bank.centres.reshape(bank.k, -1).astype(np.longdouble)
    squares = np.stack([((rows - centre) ** 2).sum(1) for centre in centres], axis=1)
    return np.asarray(squares.argmin(1))


def alternating(functions: list[Callable[[], object]], repeats: int) -> list[tuple]:
    """Last result and shortest wall time (s) of each of some functions, run in turn."""
    results: list[object] = [None] * len(functions)
    times = [float("inf")] * len(functions)
    for _ in range(repeats):
        for i, function in enumerate(functions):
            start = time.perf_counter()
            results[i] = function()
            times[i] = min(times[i], time.perf_counter() - start)
    return list(zip(results, times, strict=True))


if __name__ == "__main__":
    main()
