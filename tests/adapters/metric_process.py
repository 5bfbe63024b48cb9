"""One of two processes of a training: its share of the poses, then the value of all (see test_torchmetrics)."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torchmetrics import MetricCollection

from posebench.torchmetrics import PoseMetric

SPELLINGS = ("MPJPE", "PMPJPE", "PCK@100", "AUC", "PSS@50", "PSS-kappa@50", "BoneSpread")


def main(folder: Path, rank: int, port: str) -> None:
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    with np.load(folder / "poses.npz") as held:
        pred, gt, valid = (torch.tensor(held[name]) for name in ("pred", "gt", "valid"))
    metrics = MetricCollection(
        {name: PoseMetric(name, bank="cmu-h36m17-k50" if "PSS" in name else None) for name in SPELLINGS}
    )
    # 20 poses for the first process, 50 for the second, in batches of 10.
    for at in range(0, 20, 10) if rank == 0 else range(20, 70, 10):
        rows = slice(at, at + 10)
        metrics.update(pred[rows], gt[rows], valid[rows])
    np.savez(folder / f"{rank}.npz", **{name: value.item() for name, value in metrics.compute().items()})
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
