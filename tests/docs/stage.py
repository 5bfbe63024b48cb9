"""The files that pages speak of, made small: so that their commands run in a folder of their own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

import posebench as pb
from tests.support.pages import DOCS, FENCE, ROOT, run_examples

EXAMPLE = ROOT / "examples" / "data" / "pose2sim"
ZOO = ROOT / "examples" / "data" / "zoo"


def general(folder: Path) -> None:
    """A prediction and its ground truth, under the names that most pages use."""
    for name in ("gt.npz", "pred_cam01_cam02.npz"):
        shutil.copy(EXAMPLE / name, folder / name)
    shutil.copy(EXAMPLE / "pred_cam01_cam02.npz", folder / "pred.npz")


def training(folder: Path) -> None:
    """Poses for a cluster bank of 500."""
    gt = pb.read(EXAMPLE / "gt.npz")
    rng = np.random.default_rng(0)
    poses = np.concatenate([gt.poses + rng.normal(scale=80, size=gt.poses.shape) for _ in range(8)])
    pb.write(
        pb.PoseSet(poses, skeleton="h36m17", unit="mm", reference="camera", origin="absolute"), folder / "train.npz"
    )


def results(folder: Path) -> None:
    """Results of two models, one of them with three seeds."""
    gt = pb.read(EXAMPLE / "gt.npz")
    for seed, name in enumerate(("base", "s0", "s1", "s2")):
        noise = np.random.default_rng(seed).normal(scale=10 + seed, size=gt.poses.shape)
        pred = pb.PoseSet(gt.poses + noise, skeleton="h36m17", unit="mm", reference="camera", **dict(gt.keys))
        keep(pb.score(pred, gt, metrics=["MPJPE", "PMPJPE"], frames=True), folder / f"{name}.json")


def keep(report: pb.Report, path: Path) -> None:
    """Write a result and its values per frame, as `posebench score -o` does."""
    report.save(path)
    report.frames.save(path.with_suffix(".frames.npz"))


def root_relative(folder: Path) -> None:
    """The prediction as networks put it out, of an action that Human3.6M has."""
    for name, source in (("gt", "gt"), ("pred", "pred_cam01_cam02")):
        poses = pb.read(EXAMPLE / f"{source}.npz")
        poses = pb.to_root(poses) if name == "pred" else poses
        keys = {**poses.keys, "action": ["Walking"] * len(poses)}
        made = pb.PoseSet(
            poses.poses,
            skeleton="h36m17",
            unit="mm",
            reference="camera",
            origin=poses.origin,
            valid=poses.valid,
            **keys,
        )
        pb.write(made, folder / f"{name}.npz")


def shards(folder: Path) -> None:
    """A set in two files."""
    for place, source in (("ground_truth", "gt"), ("predictions", "pred_cam01_cam02")):
        (folder / place).mkdir()
        poses = pb.read(EXAMPLE / f"{source}.npz")
        for number, rows in enumerate((slice(0, 60), slice(60, 100))):
            pb.write(poses[rows], folder / place / f"{number}.npz")


def world(folder: Path) -> None:
    """A prediction in the world, in a file that says little, and a calibration as Pose2Sim writes it."""
    poses = pb.read(EXAMPLE / "gt.npz").poses
    room = (poses - poses[:, :1])[..., [0, 2, 1]] * [1, 1, -1] + [0, 0, 1000]
    pred = pb.PoseSet(
        room / 1000,
        skeleton="h36m17",
        unit="m",
        reference="world",
        origin="absolute",
        camera=["front"] * len(room),
        frame=np.arange(len(room)),
    )
    pb.write(pred, folder / "pred.json")
    (folder / "Calib.toml").write_text(
        '[front]\nname = "front"\nsize = [1000.0, 1000.0]\nmatrix = [[1000.0, 0.0, 500.0], [0.0, 1000.0, 500.0], '
        "[0.0, 0.0, 1.0]]\ndistortions = [0.0, 0.0, 0.0, 0.0]\nrotation = [1.5707963267948966, 0.0, 0.0]\n"
        'translation = [0.0, 1.0, 5.0]\n[metadata]\nunit = "m"\n',
        "utf-8",
    )


def benchmarks(folder: Path) -> None:
    """Made-up people under the names of Human3.6M and of MPI-INF-3DHP."""
    base = pb.read(EXAMPLE / "gt.npz")
    poses, rng = np.array(base.poses), np.random.default_rng(0)
    keys = {
        "subject": ["S9"] * 50 + ["S11"] * 50,
        "action": ["Greeting"] * 100,
        "sequence": ["Greeting 1"] * 100,
        "camera": ["54138969"] * 100,
        "frame": np.tile(np.arange(50), 2),
    }
    gt = pb.PoseSet(poses, skeleton="h36m17", unit="mm", reference="camera", origin="absolute", dataset="h36m", **keys)
    pb.write(gt, folder / "h36m-gt.npz")
    noisy = poses - poses[:, :1] + rng.normal(scale=20, size=poses.shape)
    pred = pb.PoseSet(noisy, skeleton="h36m17", unit="mm", reference="camera", origin="root", **keys)
    pb.write(pred, folder / "h36m-pred.npz")
    bodies = pb.convert(base, "3dhp17").poses
    names = {"subject": ["TS1"] * 100, "frame": np.arange(100)}
    sides = {"3dhp-gt": bodies, "3dhp-pred": bodies + rng.normal(scale=20, size=bodies.shape)}
    for name, side in sides.items():
        root = side - side[:, 14:15]
        pb.write(
            pb.PoseSet(root, skeleton="3dhp17", unit="mm", reference="camera", origin="root", **names),
            folder / f"{name}.npz",
        )


def published(folder: Path) -> None:
    """The entry that the page shows."""
    block = next(
        found["body"]
        for found in FENCE.finditer((DOCS / "published.md").read_text("utf-8"))
        if found["word"] == "yaml" and found["body"].startswith("documents:")
    )
    (folder / "mine.yaml").write_text(block, "utf-8")


def model(folder: Path) -> None:
    """The model that the page adds, and the picture of a person."""
    for name in ("person.jpg", "camera.json", "gt.npz"):
        shutil.copy(ZOO / name, folder / name)
    run_examples.run("python add_model.py", folder)


def run_json(folder: Path) -> None:
    """A result with values per frame, of sequences and actions."""
    gt = pb.read(EXAMPLE / "gt.npz")
    keep(pb.score(pb.read(EXAMPLE / "pred_cam01_cam02.npz"), gt, frames=True), folder / "run.json")


#: What a page needs besides `general` and the files that it holds itself.
PREPARE: dict[str, tuple[Callable[[Path], None], ...]] = {
    "README.md": (root_relative, training, results, world, shards),
    "docs/pss.md": (training,),
    "docs/published.md": (published,),
    "docs/howto/benchmarks.md": (benchmarks,),
    "docs/extend/model.md": (model,),
    "docs/scaling.md": (shards,),
    "docs/statistics.md": (run_json,),
}

#: What stands before a page's Python: the names that it uses without making them.
PRELUDE: dict[str, str] = {
    "README.md": "import numpy as np\nimport posebench as _pb\npred = np.asarray(_pb.read('pred.npz').poses)\n"
    "gt = np.asarray(_pb.read('gt.npz').poses)\nother = _pb.Scorer('standard')\nother.update(pred, gt)\n",
}
