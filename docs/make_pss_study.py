"""How the Pose Structure Score moves: `python docs/make_pss_study.py` writes the tables and plots of docs/pss.md again.

Needs the CMU motion capture that the environment variable POSEBENCH_DATA names. Centres come from subjects 01, 03, 05,
06 and 07, scores from subjects 02, 08 and 09, each seen by the four cameras of a room at 10 frames per second. The
prediction "with errors" is that of examples/make_mocap_example.py. Everything is seeded; takes some minutes.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

import posebench as pb
from posebench.banks import ClusterBank
from posebench.datasets.cmu import cmu_clips, read_cmu
from posebench.datasets.room import room_cameras, seen_by
from posebench.metrics.clusters import turned_to_front

HERE = Path(__file__).resolve().parent
STRIDE = 12
TRAIN = ("01", "03", "05", "06", "07")
TEST = ("02", "08", "09")
H36M = pb.get_skeleton("h36m17")
MPII_ORDER = (
    *("RAnkle", "RKnee", "RHip", "LHip", "LKnee", "LAnkle", "pelvis", "thorax", "nose", "head"),
    *("RWrist", "RElbow", "RShoulder", "LShoulder", "LElbow", "LWrist"),
)
SEEDS = range(10)
LEVELS = (10, 20, 50, 100, 200, 500)
Table = list[list[object]]


def main() -> None:
    """Measure everything, write the JSON, the plots and the tables of the page."""
    study = Study()
    results: dict[str, Table] = {}
    for part in (
        study.seeds,
        study.levels,
        study.choices,
        study.training,
        study.sizes,
        study.noise,
        study.turns,
        study.changes,
        study.fixed_mpjpe,
    ):
        name = part.__name__
        print(f"{name} ...", file=sys.stderr, flush=True)
        results[name] = part()
    (HERE / "pss_study.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    page = HERE / "pss.md"
    text = page.read_text("utf-8")
    for name, table in results.items():
        text = filled(text, name, table)
    page.write_text(text, "utf-8")
    plot(results)


class Study:
    """The poses, and one method per table: a header and rows of numbers."""

    def __init__(self) -> None:
        self.train = seen(TRAIN)
        self.gt = seen(TEST)
        example = load_example()
        views = [self.gt[self.gt.sequence.values == name] for name in self.gt.sequence.names]
        self.gt = pb.concatenate(views)  # as the example orders them: clip by clip
        self.pred = np.concatenate([example.predicted(view) for view in views])
        self.build = partial(ClusterBank.build, n_init=3, skeleton="h36m17")
        self.banks = {k: self.build(self.train, k=k) for k in (50, 100)}

    def pss(self, pred: np.ndarray, k: int = 50) -> float:
        """PSS@k of an array of predictions in the standard bank of this study."""
        return float(pb.pss(self.gt.replace(poses=pred), self.gt, self.banks[k]))

    def both(self, pred: np.ndarray) -> list[object]:
        """MPJPE, PMPJPE, PSS@50 and PSS@100."""
        gt = self.gt.poses
        return [
            rounded(pb.mpjpe(pred, gt)),
            rounded(pb.pmpjpe(pred, gt)),
            rounded(self.pss(pred)),
            rounded(self.pss(pred, 100)),
        ]

    def seeds(self) -> Table:
        """The same prediction under banks that differ in their seed."""
        rows: Table = [["k", "mean", "s.d.", "lowest", "highest"]]
        for k in (50, 100):
            scores = [
                float(pb.pss(self.gt.replace(poses=self.pred), self.gt, self.build(self.train, k=k, seed=seed)))
                for seed in SEEDS
            ]
            rows.append([k, *map(rounded, (np.mean(scores), np.std(scores, ddof=1), min(scores), max(scores)))])
        return rows

    def levels(self) -> Table:
        """The curve over k, with what chance alone would give."""
        rows: Table = [["k", "PSS", "by chance", "kappa", "top 2", "near a boundary"]]
        for k in LEVELS:
            bank = self.build(self.train, k=k)
            pred = self.gt.replace(poses=self.pred)
            score = float(pb.pss(pred, self.gt, bank))
            kappa = float(pb.pss(pred, self.gt, bank, variant="kappa"))
            chance = 100 * (score / 100 - kappa) / (1 - kappa)
            top2 = float(pb.pss(pred, self.gt, bank, variant="top2"))
            rows.append([k, *map(rounded, (score, chance, kappa, top2, 100 * bank.card.near_boundary))])
        return rows

    def choices(self) -> Table:
        """What the paper leaves open: centring, joints, reference."""
        rows: Table = [["bank", "PSS@50", "PSS@100"]]
        pred = self.gt.replace(poses=self.pred)
        variants: dict[str, Callable[[int], ClusterBank]] = {
            "root, 17 joints, camera": lambda k: self.banks[k],
            "mean, 17 joints, camera": lambda k: self.build(self.train, k=k, centring="mean"),
            "root, 16 joints (MPII order), camera": lambda k: self.build(self.train, k=k, joints=MPII_ORDER),
        }
        for name, bank in variants.items():
            rows.append([name, *(rounded(float(pb.pss(pred, self.gt, bank(k)))) for k in (50, 100))])
        front = self.train.replace(poses=turned_to_front(self.train.poses, H36M)[0], reference="canonical")
        rows.append(
            [
                "root, 17 joints, turned to the front (PSS-canonical)",
                *(rounded(float(pb.pss(pred, self.gt, self.build(front, k=k)))) for k in (50, 100)),
            ]
        )
        world = self.train[self.train.camera.values == "cam1"]
        rooms = {camera.name: camera.R for camera in room_cameras()}
        back = [
            self.gt.replace(poses=in_room(side, self.gt, rooms), reference="world")
            for side in (self.pred, self.gt.poses)
        ]
        straight = world.replace(poses=in_room(world.poses, world, rooms), reference="world")
        rows.append(
            [
                "root, 17 joints, the room's world",
                *(rounded(float(pb.pss(*back, self.build(straight, k=k)))) for k in (50, 100)),
            ]
        )
        return rows

    def training(self) -> Table:
        """Centres of training subjects against centres of the ground truth that is scored."""
        rows: Table = [["centres of", "PSS@50", "PSS@100"]]
        pred = self.gt.replace(poses=self.pred)
        for name, source in (("training subjects", self.train), ("the test ground truth", self.gt)):
            scores = [
                np.mean([float(pb.pss(pred, self.gt, self.build(source, k=k, seed=seed))) for seed in range(5)])
                for k in (50, 100)
            ]
            rows.append([name, *map(rounded, scores)])
        return rows

    def sizes(self) -> Table:
        """Banks of fewer poses."""
        rows: Table = [["poses", "PSS@50", "PSS@100"]]
        order = np.random.default_rng(0).permutation(len(self.train))
        pred = self.gt.replace(poses=self.pred)
        for n in (500, 1000, 3000, 10000, len(order)):
            some = self.train[np.sort(order[:n])]
            scores = [
                np.mean([float(pb.pss(pred, self.gt, self.build(some, k=k, seed=seed))) for seed in range(3)])
                for k in (50, 100)
            ]
            rows.append([n, *map(rounded, scores)])
        return rows

    def noise(self) -> Table:
        """Independent Gaussian noise on every joint."""
        rows: Table = [["s.d. per coordinate (mm)", "MPJPE", "PMPJPE", "PSS@50", "PSS@100"]]
        rng = np.random.default_rng(0)
        draw = rng.normal(size=self.gt.poses.shape)
        return rows + [[sigma, *self.both(self.gt.poses + sigma * draw)] for sigma in (1, 5, 10, 20, 30, 50, 75, 100)]

    def turns(self) -> Table:
        """Every pose turned about the vertical axis of the camera by one angle: the structure is intact."""
        rows: Table = [["turn (degrees)", "MPJPE", "PMPJPE", "PSS@50", "PSS@100"]]
        root = self.gt.poses[:, :1]
        for angle in (1, 2, 5, 10, 15, 30, 45):
            turn = Rotation.from_rotvec([0, np.radians(angle), 0]).as_matrix()
            rows.append([angle, *self.both((self.gt.poses - root) @ turn.T + root)])
        return rows

    def changes(self) -> Table:
        """Changes of size and structure."""
        rows: Table = [["change", "MPJPE", "PMPJPE", "PSS@50", "PSS@100"]]
        gt = self.gt.poses
        at = H36M.index
        root = gt[:, :1]
        for scale in (0.5, 0.9, 1.1, 2.0):
            rows.append([f"scaled by {scale:g}", *self.both((gt - root) * scale + root)])
        longer = gt.copy()
        longer[:, at("RWrist")] += 0.4 * (gt[:, at("RWrist")] - gt[:, at("RElbow")])
        rows.append(["right forearm 40 % longer", *self.both(longer)])
        for degrees in (20, 45, 90):
            rows.append(
                [f"right knee turned by {degrees} degrees", *self.both(bent(gt, degrees, "RKnee", ("RAnkle",)))]
            )
        arm = ("RElbow", "RWrist")
        for degrees in (20, 45, 90):
            rows.append(
                [f"right shoulder turned by {degrees} degrees", *self.both(bent(gt, degrees, "RShoulder", arm))]
            )
        swapped = gt.copy()
        for right, left in (("RHip", "LHip"), ("RKnee", "LKnee"), ("RAnkle", "LAnkle")):
            swapped[:, [at(right), at(left)]] = swapped[:, [at(left), at(right)]]
        rows.append(["legs swapped", *self.both(swapped)])
        return rows

    def fixed_mpjpe(self) -> Table:
        """Joints turned against noise of the same MPJPE."""
        rows: Table = [["change", "MPJPE", "PSS@50", "PSS@100", "PSS@50 of noise", "PSS@100 of noise"]]
        gt = self.gt.poses
        draw = np.random.default_rng(1).normal(size=gt.shape)
        draw -= draw[:, :1]
        of_draw = pb.mpjpe(gt + draw, gt, reduce="none")
        legs = {"RHip": ("RKnee", "RAnkle"), "LHip": ("LKnee", "LAnkle")}
        for name, joints in (
            ("one knee", {"RKnee": ("RAnkle",)}),
            ("both hips", legs),
            ("both shoulders", {"RShoulder": ("RElbow", "RWrist"), "LShoulder": ("LElbow", "LWrist")}),
        ):
            for degrees in (30, 60):
                pred = gt
                for joint, moved in joints.items():
                    pred = bent(pred, degrees, joint, moved)
                error = pb.mpjpe(pred, gt, reduce="none")
                noise = gt + draw * (error / of_draw)[:, None, None]
                rows.append(
                    [
                        f"{name} turned by {degrees} degrees",
                        rounded(error.mean()),
                        *(rounded(self.pss(side, k)) for side in (pred, noise) for k in (50, 100)),
                    ]
                )
        return rows


def seen(subjects: Sequence[str]) -> pb.PoseSet:
    """The clips of some subjects from the four cameras of a room, without the frames that were not captured."""
    clips = [read_cmu(path)[5::STRIDE] for path in cmu_clips() if path.parent.name in subjects]
    return pb.concatenate([seen_by(clip.replace(fps=None, action=clip.sequence), room_cameras()) for clip in clips])


def in_room(poses: np.ndarray, like: pb.PoseSet, rooms: dict[str, np.ndarray]) -> np.ndarray:
    """Root-relative poses of cameras turned back into the room."""
    turned = poses - poses[:, :1]
    for code, name in enumerate(like.camera.names):
        rows = like.camera.codes == code
        turned[rows] = turned[rows] @ rooms[name]
    return turned


def bent(poses: np.ndarray, degrees: float, joint: str, moved: Sequence[str]) -> np.ndarray:
    """Poses whose `moved` joints are turned about `joint` and an axis of each pose's own; bones keep their length."""
    rng = np.random.default_rng(sum(map(ord, joint)))
    axes = rng.normal(size=(len(poses), 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    turns = Rotation.from_rotvec(axes * np.radians(degrees)).as_matrix()
    result = poses.copy()
    centre = poses[:, H36M.index(joint)]
    for name in moved:
        j = H36M.index(name)
        result[:, j] = np.einsum("nij,nj->ni", turns, poses[:, j] - centre) + centre
    return result


def load_example() -> object:
    """The module of examples/make_mocap_example.py."""
    spec = importlib.util.spec_from_file_location("mocap", HERE.parent / "examples" / "make_mocap_example.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rounded(value: float) -> float:
    """Two decimals."""
    return round(float(value), 2)


def filled(text: str, name: str, table: Table) -> str:
    """The page with a table in its place."""
    header, *rows = [[str(cell) for cell in row] for row in table]
    lines = [f"| {' | '.join(header)} |", f"|{'|'.join(['---'] + ['--:'] * (len(header) - 1))}|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    pattern = re.compile(rf"(<!-- study: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"the page has no place for {name}")
    return pattern.sub(lambda found: found[1] + "\n".join(lines) + "\n" + found[2], text)


def plot(results: dict[str, Table]) -> None:
    """PSS against k, and against the MPJPE of noise, turns and bent joints."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    rows = np.array(results["levels"][1:], float)
    for column, label, style in ((1, "PSS", "o-"), (4, "PSS-top2", "s--"), (2, "by chance", "^:")):
        left.plot(rows[:, 0], rows[:, column], style, label=label)
    left.set(xscale="log", xlabel="clusters k", ylabel="%", ylim=(0, 102), title="a prediction with a network's errors")
    left.set_xticks(LEVELS, [str(k) for k in LEVELS])
    left.legend()
    for name, label, style in (("noise", "noise on every joint", "o-"), ("turns", "whole pose turned", "s--")):
        rows = np.array([row[1:] for row in results[name][1:]], float)
        right.plot(rows[:, 0], rows[:, 2], style, label=label)
    rows = np.array([row[1:] for row in results["fixed_mpjpe"][1:]], float)
    right.plot(rows[:, 0], rows[:, 1], "^", label="joints turned")
    right.set(xlabel="MPJPE (mm)", ylabel="PSS@50 (%)", ylim=(0, 102), title="ground truth, changed")
    right.legend()
    figure.savefig(HERE / "figures" / "pss_study.png", dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
