"""Clusters of normalised poses: scikit-learn, faiss and SciPy, from the same start and in the same banks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from bank_speed import turned

from peer_jobs.measure import Case, Job, Peers, Same, Size, people
from posebench.banks import Assigner, ClusterBank
from posebench.banks.kmeans import Settings, inertia_of, lloyd, seed_centres
from posebench.kernels import map_chunks

K, ITERATIONS = 50, 10

Floats = npt.NDArray[np.float64]


def cases(size: Size, peers: Peers) -> Iterator[Case]:
    """Fits, then labels."""
    warnings.simplefilter("ignore")  # scikit-learn's, of not having converged
    _, _, gt, _ = people(size.poses)
    gt = turned(gt)
    bank = ClusterBank.build(gt[:: max(1, len(gt) // 5000)], k=K, n_init=1, max_iter=20)
    rows = bank.layout.normalise(gt).rows
    yield from fits(rows, peers)
    yield from labels(gt, rows, bank, peers)


def fits(rows: Floats, peers: Peers) -> Iterator[Case]:
    """Ten rounds of k-means."""
    n = len(rows)
    start = seed_centres(rows, Settings(k=K, n_init=1, max_iter=ITERATIONS))
    narrow = rows.astype(np.float32)
    cluster, faiss = peers.get("sklearn.cluster", "scikit-learn"), peers.get("faiss", "faiss-cpu")
    scipy = peers.get("scipy.cluster.vq", "scipy")

    def ours() -> Floats:
        return lloyd(rows, start, ITERATIONS, 0.0).centres

    def case(
        package: str,
        name: str,
        theirs: Callable[[], Any],
        compare: Callable[[Any, Any], Same],
        dtype: str,
        **words: Any,
    ) -> Case:
        own = f"k-means, {ITERATIONS} rounds"
        return Case(package, name, own, theirs, ours, compare, (n, n), dtype=dtype, threads=True, **words)

    if cluster is not None:
        settings = {"n_clusters": K, "n_init": 1, "max_iter": ITERATIONS, "tol": 0.0, "algorithm": "lloyd"}
        for dtype, given in (("float64", rows), ("float32", narrow)):
            yield case(
                "scikit-learn",
                f"scikit-learn: `KMeans`, {ITERATIONS} rounds",
                lambda given=given, dtype=dtype: (
                    cluster.KMeans(init=start.astype(dtype), **settings).fit(given).cluster_centers_
                ),
                centres_apart if dtype == "float64" else loss_apart(rows),
                dtype,
                differs="" if dtype == "float64" else "given float32 it computes in float32; posebench in float64",
                reason="float32 moves half the bytes" if dtype == "float32" else "its products of matrices are BLAS's",
            )
        yield case(
            "scikit-learn",
            "scikit-learn: `MiniBatchKMeans`, one pass in batches of 1,024",
            lambda: (
                cluster.MiniBatchKMeans(K, init=start, n_init=1, max_iter=1, random_state=0).fit(rows).cluster_centers_
            ),
            loss_apart(rows),
            "float64",
            differs="another method: sees each pose about once and stops, so the loss is larger",
            reason=f"it sees each pose once, and not {ITERATIONS} times",
        )
    if faiss is not None:

        def by_faiss() -> Any:
            model = faiss.Kmeans(rows.shape[1], K, niter=ITERATIONS, max_points_per_centroid=n, seed=1)
            model.train(narrow, init_centroids=start.astype(np.float32))
            return model.centroids

        yield case(
            "faiss-cpu",
            f"faiss: `Kmeans`, {ITERATIONS} rounds",
            by_faiss,
            loss_apart(rows),
            "float32",
            differs="in float32; distances as |x|² − 2xc + |c|² by one product of matrices; posebench in float64",
            reason="float32 moves half the bytes, and every label is taken without settling near ties",
        )
    if scipy is not None:
        yield case(
            "scipy",
            f"SciPy: `kmeans2`, {ITERATIONS} rounds",
            lambda: scipy.kmeans2(rows, start, iter=ITERATIONS, minit="matrix")[0],
            centres_apart,
            "float64",
            differs="labels on one thread",
        )


def centres_apart(theirs: Floats, ours: Floats) -> Same:
    """Whether two fits of one start have the same centres (norm 1)."""
    apart = float(np.abs(theirs - ours).max())
    return Same(apart <= 1e-9, f"centres ≤ 1e-09 apart: {apart:.0e}")


def loss_apart(rows: Floats) -> Callable[[Floats, Floats], Same]:
    """How much larger the peer's sum of squared distances is."""

    def compare(theirs: Floats, ours: Floats) -> Same:
        losses = []
        for centres in (np.asarray(theirs, np.float64), ours):
            squares = (rows**2).sum(1)[:, None] - 2 * rows @ centres.T + (centres**2).sum(1)
            losses.append(inertia_of(rows, centres, squares.argmin(1).astype(np.int32)))
        return Same(None, f"loss {100 * (losses[0] / losses[1] - 1):+.4f} %")

    return compare


def labels(gt: npt.NDArray[np.float32], rows: Floats, bank: ClusterBank, peers: Peers) -> Iterator[Case]:
    """Nearest centres."""
    n = len(gt)
    centres = bank.centres.reshape(K, -1)
    narrow, narrow_centres = rows.astype(np.float32), centres.astype(np.float32)
    assigner = Assigner(bank.layout, [bank.centres])

    def ours() -> npt.NDArray[np.int32]:
        return np.concatenate(list(map_chunks(lambda part: assigner.labels(gt[part])[0][0], n)))

    def case(package: str, name: str, theirs: Callable[[], Any], dtype: str, **words: Any) -> Case:
        own = "labels of poses in mm, normalising included"
        differs = "poses are normalised already, which is not timed" + ("; in float32" if dtype == "float32" else "")
        compare = labels_apart(exact=dtype == "float64")
        return Case(package, name, own, theirs, ours, compare, (n, n), dtype=dtype, differs=differs, **words)

    cluster, faiss = peers.get("sklearn.cluster", "scikit-learn"), peers.get("faiss", "faiss-cpu")
    if cluster is not None:
        for dtype, given in (("float64", rows), ("float32", narrow)):
            model = cluster.KMeans(K, init=centres.astype(dtype), n_init=1, max_iter=1).fit(given[:1000])
            model.cluster_centers_ = centres.astype(dtype)
            yield case(
                "scikit-learn",
                "scikit-learn: `KMeans.predict`",
                lambda model=model, given=given: model.predict(given),
                dtype,
                threads=True,
                reason="it is given normalised poses; products of matrices by BLAS",
            )
    if faiss is not None:
        index = faiss.IndexFlatL2(rows.shape[1])
        index.add(narrow_centres)
        yield case(
            "faiss-cpu",
            "faiss: `IndexFlatL2.search(x, 1)`",
            lambda: index.search(narrow, 1)[1][:, 0],
            "float32",
            threads=True,
            reason="it is given normalised poses, and near ties are not settled",
        )
    scipy, spatial = peers.get("scipy.cluster.vq", "scipy"), peers.get("scipy.spatial", "scipy")
    if scipy is not None and spatial is not None:
        yield case("scipy", "SciPy: `cluster.vq.vq`", lambda: scipy.vq(rows, centres)[0], "float64")
        tree = spatial.cKDTree(centres)
        yield case("scipy", "SciPy: `cKDTree.query`", lambda: tree.query(rows)[1], "float64")


def labels_apart(*, exact: bool) -> Callable[[Any, Any], Same]:
    """How many labels differ; none may where both know the same numbers."""

    def compare(theirs: Any, ours: Any) -> Same:
        differ = int((np.asarray(theirs) != ours).sum())
        return Same(differ == 0 if exact else None, f"{differ} of {len(ours):,} labels differ")

    return compare


JOB = Job(
    "Clustering",
    f"k-means of normalised poses (51 numbers) into {K} clusters, all from the same centres, and labels in a bank of "
    f"{K}. Each pose is a unit; a fit counts all its rounds.",
    cases,
)
