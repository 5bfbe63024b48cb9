"""What the commands of `tests.faults.cases` read: poses, shards, results, a painted data set, labels and networks.

Everything is small enough for a command to take a fraction of a second, and made anew for every session.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import posebench as pb
from tests.scoring.plain import pair, poseset
from tests.support.poses import people

N = 60
#: A network of a few thousand weights, six steps of training, a checkpoint after every other one.
CONFIG = (
    "extends: open4v-tiny-{base}\n"
    "network: {{backbone: efficientnet-lite0, side: 32, depth: 8, channels: 16}}\n"
    "threads: 1\nlog_steps: 2\nepochs: 3\npictures_per_epoch: 16\nbatch: 8\ndrops: [2]\nheld_out: 0.25\n"
    "checkpoint_steps: 2\n"
)
#: Who has torch and the pictures' package has all that these need.
NETWORKS = all(find_spec(name) for name in ("torch", "safetensors", "lightning_fabric", "cv2", "PIL"))
PICTURES = find_spec("PIL") is not None
ROW = "open4v-small-lite0-fs"


def make(folder: Path) -> Path:
    """Put everything into a folder."""
    _poses(folder)
    _results(folder)
    if PICTURES:
        _pictures(folder)
    if NETWORKS:
        _networks(folder)
    return folder


def _poses(folder: Path) -> None:
    pred, gt = pair(N)
    keys = {"subject": np.repeat(["S9", "S11"], N // 2), "action": np.repeat(["a", "b", "c"], N // 3)}
    keys |= {"sequence": np.repeat([str(each) for each in range(10)], N // 10), "frame": np.arange(N)}
    sides = {"pred": poseset(pred, **keys), "gt": poseset(gt, **keys)}
    for side, poses in sides.items():
        pb.write(poses, folder / f"{side}.npz")
        pb.write(poses, folder / f"{side}.json")
        (folder / "shards" / side).mkdir(parents=True)
        for number in range(4):
            pb.write(poses[slice(15 * number, 15 * number + 15)], folder / "shards" / side / f"{number}.npz")
    order = np.random.default_rng(5).permutation(17)
    np.save(folder / "shuffled.npy", pred[:, order])
    np.save(folder / "truth.npy", gt)
    pb.ClusterBank.build(people(np.random.default_rng(3), N), k=3, n_init=1).save(folder / "bank.npz")


def _results(folder: Path) -> None:
    for name, noise in (("a", 60.0), ("b", 50.0)):
        pred, gt = pair(N, noise=noise)  # the same people
        keys = {"subject": "S9", "sequence": np.repeat([str(each) for each in range(10)], N // 10)}
        keys |= {"frame": np.arange(N)}
        pb.write(poseset(pred, **keys), folder / f"{name}.npz")
        pb.write(poseset(gt, **keys), folder / "truth.npz")
        report = pb.score(folder / f"{name}.npz", folder / "truth.npz", explain=True, frames=True)
        report.save(folder / f"{name}.json")
        report.frames.save(folder / f"{name}.frames.npz")


def _pictures(folder: Path) -> None:
    from posebench.cli.zoo import labels
    from posebench.datasets.views import MultiViewSet
    from tests.support.painted import paint

    data = folder / "data"
    data.mkdir()
    paint(data, "train", frames=14)
    paint(data, "pretrain2d", cameras=1, frames=4, seed=1, flat=True)
    with redirect_stdout(io.StringIO()):
        labels(data, folder / "labels.npz", joints="truth", extrinsics="known", detections=folder / "found.npz")
    truth = MultiViewSet(data, "train").ground_truth()
    off = np.random.default_rng(0).normal(0, 20, truth.poses.shape)
    pb.write(truth.replace(poses=truth.poses + off), folder / "train-pred.npz")
    for base in ("2d", "ss"):
        (folder / f"{base}.yaml").write_text(CONFIG.format(base=base))


def _networks(folder: Path) -> None:
    import torch

    from model_zoo.configs import load_config
    from model_zoo.epipolarpose.network import PoseNet, save_network
    from model_zoo.refiner.network import Refiner, RefinerConfig, save_refiner

    torch.set_num_threads(1)
    save_network(folder / "network.safetensors", PoseNet(load_config(folder / "ss.yaml").network), half=False)
    unit = Refiner(RefinerConfig(16))
    unit.lengths.fill_(250.0)
    unit.spread[:3] = 0  # of the root
    save_refiner(folder / "refiner.safetensors", unit, notes={})


__all__ = ["NETWORKS", "PICTURES", "ROW", "make"]
