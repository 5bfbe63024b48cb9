"""Errors of poses: NumPy, PyTorch, torchmetrics, MMPose and pandas as users write them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from score_speed import in_batches

import posebench as pb
from peer_jobs.measure import Case, Job, Peers, Size, close, people

#: Poses in a batch of a training loop.
BATCH = 256
#: Largest difference in mm that float32 may make.
NARROW, WIDE = 2e-2, 1e-9
FACTS = {"skeleton": "h36m17", "unit": "mm", "reference": "camera"}


def sides(n: int) -> Iterator[tuple[str, Any, Any, float]]:
    """Predictions and ground truth relative to the root, by type, with the tolerance (mm) for each pose."""
    _, pred, gt, _ = people(n)
    p, g = pred - pred[:, :1], gt - gt[:, :1]
    yield "float32", p, g, NARROW
    yield "float64", p.astype(np.float64), g.astype(np.float64), WIDE


def cases(size: Size, peers: Peers) -> Iterator[Case]:
    """Every peer in turn."""
    n = size.poses
    peers.get("numpy")
    for dtype, p, g, tolerance in sides(n):
        yield Case(
            "numpy",
            "NumPy: `norm(p - g, axis=-1).mean(1)` after subtracting roots",
            '`pb.mpjpe(p, g, reduce="none")`',
            lambda p=p, g=g: np.linalg.norm((p - p[:, :1]) - (g - g[:, :1]), axis=-1).mean(1),
            lambda p=p, g=g: pb.mpjpe(p, g, reduce="none"),
            lambda a, b, tolerance=tolerance: close(a, b, tolerance, "mm"),
            (n, n),
            dtype=dtype,
            differs="no check of shapes and of missing joints; sums in the arrays' precision",
            reason="float32 throughout",
        )
    thresholds = np.arange(0, 151, 5)
    dtype, p, g, _ = next(sides(n))
    yield Case(
        "numpy",
        "NumPy: AUC, 31 thresholds one after another",
        "`pb.auc(p, g)`",
        lambda: 100 * np.mean([(np.linalg.norm(p - g, axis=-1) < t).mean() for t in thresholds]),
        lambda: pb.auc(p, g),
        lambda a, b: close(a, b, 1e-2, "%"),
        (n, n),
        dtype=dtype,
        differs="distances are taken anew for each threshold, as the usual code does",
    )
    yield from with_torch(size, peers)
    yield from with_mmpose(size, peers)
    yield from with_pandas(size, peers)


def with_torch(size: Size, peers: Peers) -> Iterator[Case]:
    """PyTorch, all at once; torchmetrics, batch by batch."""
    torch = peers.get("torch")
    if torch is None:
        return
    n = size.poses
    for dtype, p, g, tolerance in sides(n):
        a, b = torch.from_numpy(p), torch.from_numpy(g)
        yield Case(
            "torch",
            "PyTorch: `vector_norm(p - g, dim=-1).mean(1)` after subtracting roots",
            '`pb.mpjpe(p, g, reduce="none")`',
            lambda a=a, b=b: torch.linalg.vector_norm((a - a[:, :1]) - (b - b[:, :1]), dim=-1).mean(1),
            lambda p=p, g=g: pb.mpjpe(p, g, reduce="none"),
            lambda a, b, tolerance=tolerance: close(a, b, tolerance, "mm"),
            (n, n),
            dtype=dtype,
            threads=True,
            differs="no check of missing joints; sums in the tensors' precision",
            reason="float32 throughout, and no joint is looked at twice",
        )
    metrics = peers.get("torchmetrics")
    if metrics is None:
        return
    from posebench.torchmetrics import MPJPE

    _, p, g, _ = next(sides(n))
    batches = [(torch.from_numpy(p[i : i + BATCH]), torch.from_numpy(g[i : i + BATCH])) for i in range(0, n, BATCH)]
    yield Case(
        "torchmetrics",
        f"torchmetrics: a `Metric` of one's own with MPJPE's sum and count, batches of {BATCH}",
        "`posebench.torchmetrics.MPJPE`",
        lambda: computed(mean_distance(torch, metrics), batches),
        lambda: computed(MPJPE(), batches),
        lambda a, b: close(a, b, NARROW, "mm"),
        (n, n),
        dtype="float32",
        differs="no check of missing joints; sums in float32; the package has no MPJPE and no PCK of its own",
        reason="it is a few calls of PyTorch; ours checks each batch, and makes flags of each pose",
    )


def mean_distance(torch: ModuleType, torchmetrics: ModuleType) -> Any:
    """The metric that users write."""

    class MeanDistance(torchmetrics.Metric):  # type: ignore[misc, name-defined]
        full_state_update = False

        def __init__(self) -> None:
            super().__init__()
            self.add_state("total", torch.tensor(0.0), "sum")
            self.add_state("count", torch.tensor(0), "sum")

        def update(self, preds: Any, target: Any) -> None:
            distances = torch.linalg.vector_norm((preds - preds[:, :1]) - (target - target[:, :1]), dim=-1)
            self.total += distances.sum()
            self.count += distances.numel()

        def compute(self) -> Any:
            return self.total / self.count

    return MeanDistance()


def computed(metric: Any, batches: list[tuple[Any, ...]]) -> float:
    """The value of a metric of torchmetrics over batches."""
    for batch in batches:
        metric.update(*batch)
    return float(metric.compute())


def keypoint_mpjpe(peers: Peers) -> Callable[..., float] | None:
    """MMPose's own function. MMPose cannot be imported without MMCV, which pip builds; the function needs neither.

    So its file is loaded alone; the two names that other functions of the file take from elsewhere are left empty.
    """
    found = importlib.util.find_spec("mmpose")
    if found is None or not found.submodule_search_locations:
        peers.missing.add("mmpose")
        return None
    from importlib.metadata import version

    folder = Path(next(iter(found.submodule_search_locations))) / "evaluation" / "functional"
    package = ModuleType("mmpose_functions")
    package.__path__ = [str(folder)]
    heatmaps = ModuleType("mmpose.codecs.utils")
    heatmaps.__dict__.update(get_heatmap_maximum=None, get_simcc_maximum=None)
    lent = {"mmpose": ModuleType("mmpose"), "mmpose.codecs": ModuleType("mmpose.codecs"), heatmaps.__name__: heatmaps}
    sys.modules.update(lent, mmpose_functions=package)
    try:
        functions = importlib.import_module("mmpose_functions.keypoint_eval")
    finally:
        for name in lent:
            del sys.modules[name]
    peers.versions["mmpose"] = version("mmpose")
    return functions.keypoint_mpjpe  # type: ignore[no-any-return]


def with_mmpose(size: Size, peers: Peers) -> Iterator[Case]:
    """The functions behind MMPose's metrics, of whole sets."""
    function = keypoint_mpjpe(peers)
    if function is None:
        return
    for dtype, p, g, tolerance in sides(size.poses):
        mask = np.ones(g.shape[:2], np.bool_)
        for alignment, own in (("none", pb.mpjpe), ("scale", pb.nmpjpe)):
            yield Case(
                "mmpose",
                f'MMPose: `keypoint_mpjpe(p, g, mask, "{alignment}")`',
                f"`pb.{own.__name__}(p, g, valid=mask)`",
                lambda p=p, g=g, mask=mask, alignment=alignment: function(p, g, mask, alignment),
                lambda p=p, g=g, mask=mask, own=own: own(p, g, valid=mask),
                lambda a, b, tolerance=tolerance: close(a, b, tolerance, "mm"),
                (size.poses, size.poses),
                dtype=dtype,
                differs="takes poses relative to the root as given; a missing prediction makes the mean NaN",
                reason="float32 throughout, no roots to subtract and nothing checked",
            )


def with_pandas(size: Size, peers: Peers) -> Iterator[Case]:
    """From errors to a table by action."""
    pandas = peers.get("pandas")
    if pandas is None:
        return
    _, pred, gt, keys = people(size.poses)
    p, g = pb.PoseSet(pred, **FACTS, **keys), pb.PoseSet(gt, **FACTS, **keys)
    names = ["MPJPE", "NMPJPE", "PMPJPE"]

    def theirs() -> npt.NDArray[np.float64]:
        errors = [np.concatenate(part) for part in zip(*in_batches(pred, gt), strict=True)]
        table = pandas.DataFrame({"action": keys["action"], **dict(zip(names, errors, strict=True))})
        return np.asarray(table.groupby("action")[names].mean().to_numpy(np.float64))

    def ours() -> npt.NDArray[np.float64]:
        table = pb.score(p, g, metrics=names).by("action")
        return np.array([[values[name] for name in names] for _, values in sorted(table.items())])

    yield Case(
        "pandas",
        'NumPy and pandas: three errors with one SVD call per 4,096 poses, `groupby("action").mean()`',
        '`pb.score(p, g, metrics=[...]).by("action")`',
        theirs,
        ours,
        lambda a, b: close(a, b, NARROW, "mm"),
        (size.poses, size.poses),
        dtype="float32",
        differs="frames are taken to lie in the same order, units to be mm; no intervals",
        reason="ours matches frames by their keys, which are text, and takes intervals",
    )


JOB = Job(
    "Scoring",
    "Distances of joints, from arrays in memory. Each pose of 17 joints is a unit.",
    cases,
)
