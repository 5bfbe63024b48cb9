"""Alignment pose by pose: SciPy, torchmetrics, RoMa, MMPose and NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

import posebench as pb
from peer_jobs.measure import Case, Job, Peers, Same, Size, close
from peer_jobs.scoring import BATCH, NARROW, WIDE, computed, keypoint_mpjpe, sides

Floats = npt.NDArray[Any]


def cases(size: Size, peers: Peers) -> Iterator[Case]:
    """Every peer in turn."""
    yield from with_scipy(size, peers)
    peers.get("numpy")
    for dtype, p, g, tolerance in sides(size.poses):
        yield Case(
            "numpy",
            "NumPy: PMPJPE with one SVD call for 4,096 poses",
            '`pb.pmpjpe(p, g, reduce="none")`',
            lambda p=p, g=g: np.concatenate(
                [errors_by_svd(p[i : i + 4096], g[i : i + 4096]) for i in range(0, len(p), 4096)]
            ),
            lambda p=p, g=g: pb.pmpjpe(p, g, reduce="none"),
            lambda a, b, tolerance=tolerance: close(a, b, tolerance, "mm"),
            (size.poses, size.poses),
            dtype=dtype,
            differs="no check of missing joints and of ambiguous poses; computes in the arrays' precision",
        )
    function = keypoint_mpjpe(peers)
    if function is not None:
        for dtype, p, g, tolerance in sides(size.looped):
            yield Case(
                "mmpose",
                'MMPose: `keypoint_mpjpe(p, g, mask, "procrustes")`',
                "`pb.pmpjpe(p, g)`",
                lambda p=p, g=g: function(p, g, np.ones(g.shape[:2], np.bool_), "procrustes"),
                lambda p=p, g=g: pb.pmpjpe(p, g),
                lambda a, b, tolerance=tolerance: close(a, b, tolerance, "mm"),
                (size.looped, size.looped),
                dtype=dtype,
                differs="a loop inside over poses",
            )
    yield from with_torch(size, peers)


def errors_by_svd(p: Floats, g: Floats) -> Floats:
    """PMPJPE of each pose, as NumPy code in use takes it."""
    p, g = p - p.mean(1, keepdims=True), g - g.mean(1, keepdims=True)
    u, s, vt = np.linalg.svd(p.transpose(0, 2, 1) @ g)
    d = np.sign(np.linalg.det(u @ vt))
    s[:, 2] *= d
    vt[:, 2] *= d[:, None]
    scale = s.sum(1) / (p * p).sum((1, 2))
    return np.asarray(np.linalg.norm(scale[:, None, None] * (p @ (u @ vt)) - g, axis=2).mean(1))


def with_scipy(size: Size, peers: Peers) -> Iterator[Case]:
    """Three functions of SciPy, called pose by pose."""
    if peers.get("scipy") is None:
        return
    from scipy.linalg import orthogonal_procrustes
    from scipy.spatial import procrustes
    from scipy.spatial.transform import Rotation

    *_, (dtype, p, g, _) = sides(size.poses)
    few = slice(0, size.looped)

    def normalised() -> Floats:
        found = np.empty(size.looped)
        for i in range(size.looped):
            one, other, _ = procrustes(g[i], p[i])
            found[i] = np.linalg.norm(g[i] - g[i].mean(0)) * np.linalg.norm(one - other, axis=1).mean()
        return found

    def orthogonal() -> Floats:
        found = np.empty(size.looped)
        for i in range(size.looped):
            one, other = p[i] - p[i].mean(0), g[i] - g[i].mean(0)
            turn, total = orthogonal_procrustes(one, other)
            found[i] = np.linalg.norm(total / (one * one).sum() * one @ turn - other, axis=1).mean()
        return found

    def rotated() -> Floats:
        found = np.empty(size.looped)
        for i in range(size.looped):
            one, other = p[i] - p[i].mean(0), g[i] - g[i].mean(0)
            found[i] = np.linalg.norm(Rotation.align_vectors(other, one)[0].apply(one) - other, axis=1).mean()
        return found

    for name, theirs, variant, differs in (
        (
            "scipy.spatial.procrustes(g, p)",
            normalised,
            "similarity",
            "brings both sides to norm 1, which is undone for the comparison; mirrors a pose where that fits better",
        ),
        (
            "scipy.linalg.orthogonal_procrustes(p, g)",
            orthogonal,
            "similarity",
            "mirrors a pose where that fits better; centring, scale and errors are the caller's",
        ),
        (
            "Rotation.align_vectors(g, p)",
            rotated,
            "rigid",
            "a rotation alone; centring and errors are the caller's",
        ),
    ):
        yield Case(
            "scipy",
            f"SciPy: `{name}` in a loop",
            "`pb.pmpjpe(p, g)`" if variant == "similarity" else '`pb.pmpjpe(p, g, variant="rigid")`',
            theirs,
            lambda variant=variant: pb.pmpjpe(p, g, variant=variant, reduce="none"),
            lambda a, b, variant=variant: (
                but_for_mirrored(a, b[few], p[few], g[few]) if variant == "similarity" else close(a, b[few], WIDE, "mm")
            ),
            (size.looped, size.poses),
            dtype=dtype,
            differs=differs,
        )


def but_for_mirrored(theirs: Floats, ours: Floats, p: Floats, g: Floats) -> Same:
    """Errors agree with ours where no pose is mirrored, and elsewhere with the fit that may mirror."""
    centred = p - p.mean(1, keepdims=True), g - g.mean(1, keepdims=True)
    mirrored = np.linalg.det(centred[0].transpose(0, 2, 1) @ centred[1]) < 0
    free = np.linalg.norm(pb.alignment.fit_similarity(p, g, reflect=True).apply(p) - g, axis=2).mean(1)
    found = close(theirs, np.where(mirrored, free, ours), WIDE, "mm")
    if not mirrored.any():
        return found
    words = f"{found.words}, but for {mirrored.sum()} of {len(p)} poses that it mirrors"
    return Same(found.agrees, f"{words}: up to {np.abs(theirs - ours).max():.1f} mm")


def with_torch(size: Size, peers: Peers) -> Iterator[Case]:
    """Batched on tensors: the transform itself, and a metric in batches."""
    torch = peers.get("torch")
    if torch is None:
        return
    n = size.poses
    metrics, roma = peers.get("torchmetrics"), peers.get("roma")
    for dtype, p, g, _ in sides(n):
        a, b = torch.from_numpy(p), torch.from_numpy(g)
        relative = 1e-4 if dtype == "float32" else 1e-11
        if metrics is not None:
            from torchmetrics.functional.shape import procrustes_disparity

            yield Case(
                "torchmetrics",
                "torchmetrics: `procrustes_disparity(g, p, return_all=True)`",
                "`pb.alignment.fit_similarity(p, g, reflect=True)`",
                lambda a=a, b=b: procrustes_disparity(b, a, return_all=True)[1:],
                lambda p=p, g=g: pb.alignment.fit_similarity(p, g, reflect=True),
                lambda theirs, ours, p=p, g=g, relative=relative: close(
                    np.concatenate([(theirs[0][:, 0] * norms(g) / norms(p))[:, None], theirs[1].flatten(1)], axis=1),
                    np.concatenate([ours.scale[:, None], ours.rotation.reshape(-1, 9)], axis=1),
                    relative,
                    "(scale, rotation)",
                ),
                (n, n),
                dtype=dtype,
                threads=True,
                differs="both sides are brought to norm 1, which the comparison takes back; mirroring is allowed, here "
                "on both sides; gives the sum of squares too, and no translation",
                reason="both call a batched SVD; ours computes in float64, translations and ambiguous poses too",
            )
        if roma is not None:
            yield Case(
                "roma",
                "RoMa: `rigid_points_registration(p, g, compute_scaling=True)`",
                "`pb.alignment.fit_similarity(p, g)`",
                lambda a=a, b=b: roma.rigid_points_registration(a, b, compute_scaling=True),
                lambda p=p, g=g: pb.alignment.fit_similarity(p, g),
                lambda theirs, ours, relative=relative: close(
                    np.concatenate([theirs[2][:, None], theirs[0].flatten(1)], axis=1),
                    np.concatenate([ours.scale[:, None], ours.rotation.reshape(-1, 9)], axis=1),
                    relative,
                    "(scale, rotation)",
                ),
                (n, n),
                dtype=dtype,
                threads=True,
                differs="in the tensors' precision; no word on ambiguous poses",
                reason="both call a batched SVD; ours computes in float64 and flags ambiguous poses",
            )
    if metrics is None:
        return
    from posebench.torchmetrics import PMPJPE

    _, p, g, _ = next(sides(n))
    batches = [(torch.from_numpy(p[i : i + BATCH]), torch.from_numpy(g[i : i + BATCH])) for i in range(0, n, BATCH)]
    yield Case(
        "torchmetrics",
        f"torchmetrics: a `Metric` of one's own with PMPJPE by `torch.linalg.svd`, batches of {BATCH}",
        "`posebench.torchmetrics.PMPJPE`",
        lambda: computed(aligned_distance(torch, metrics), batches),
        lambda: computed(PMPJPE(), batches),
        lambda a, b: close(a, b, NARROW, "mm"),
        (n, n),
        dtype="float32",
        threads=True,
        differs="no check of missing joints; float32 throughout",
    )


def norms(poses: Floats) -> Floats:
    """Norms of mean-centred poses (N,)."""
    return np.asarray(np.linalg.norm(poses - poses.mean(1, keepdims=True), axis=(1, 2)))


def aligned_distance(torch: Any, torchmetrics: Any) -> Any:
    """The metric that users write."""

    class AlignedDistance(torchmetrics.Metric):  # type: ignore[misc, name-defined]
        full_state_update = False

        def __init__(self) -> None:
            super().__init__()
            self.add_state("total", torch.tensor(0.0), "sum")
            self.add_state("count", torch.tensor(0), "sum")

        def update(self, preds: Any, target: Any) -> None:
            p, g = preds - preds.mean(1, keepdim=True), target - target.mean(1, keepdim=True)
            u, s, vt = torch.linalg.svd(p.mT @ g)
            sign = torch.ones_like(s)
            sign[:, 2] = torch.linalg.det(u @ vt).sign()
            scale = (s * sign).sum(1) / p.square().sum((1, 2))
            aligned = scale[:, None, None] * (p @ (u * sign[:, None]) @ vt)
            self.total += torch.linalg.vector_norm(aligned - g, dim=-1).sum()
            self.count += p.shape[0] * p.shape[1]

        def compute(self) -> Any:
            return self.total / self.count

    return AlignedDistance()


JOB = Job(
    "Procrustes alignment",
    "PMPJPE, or the transform itself. Each pose of 17 joints is a unit.",
    cases,
)
