"""Make predictions with realistic errors for real motion capture: `python examples/make_mocap_example.py OUT`.

Ground truth are CMU clips of subjects 02, 08 and 09 at 10 frames per second, seen by four cameras of a room. The
predictions are that ground truth with errors as networks make them, and no network's output:

- relative to the root, and the root itself is off by 10 mm;
- each joint is off by the same amount throughout a clip (15 mm, hands and feet more), plus an error that changes
  smoothly within a quarter of a second (25 mm across, 45 mm in depth, hands and feet more);
- each clip is too large or too small by 5 % and turned by 4 degrees (standard deviations);
- in one stretch of each clip that is longer than 10 seconds, the legs are swapped for half a second.

The CMU data are looked for where the environment variable POSEBENCH_DATA says. The data used in this project was
obtained from mocap.cs.cmu.edu. The database was created with funding from NSF EIA-0196217.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

import posebench as pb
from posebench.datasets.cmu import cmu_clips, read_cmu
from posebench.datasets.room import room_cameras, seen_by

SUBJECTS = ("02", "08", "09")
STRIDE = 12  # of 120 frames per second
SMOOTH = 2.5  # frames of 0.1 s
END_JOINTS = ("RAnkle", "LAnkle", "LWrist", "RWrist")
LEGS = (("RHip", "LHip"), ("RKnee", "LKnee"), ("RAnkle", "LAnkle"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for gt.npz and pred.npz")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)

    seen = views()
    gt, pred = pb.concatenate(seen), predictions(seen)
    pb.write(gt, out / "gt.npz")
    pb.write(pred, out / "pred.npz")
    print(f"{len(gt)} poses of {len(seen)} clips in {out}")


def views() -> list[pb.PoseSet]:
    """The clips as the four cameras see them."""
    clips = [path for path in cmu_clips() if path.parent.name in SUBJECTS]
    # Row 0 of every clip is a rest pose that was not captured, and the first frames of one are empty.
    whole = [read_cmu(path)[5::STRIDE] for path in clips]
    return [seen_by(clip.replace(fps=120 / STRIDE, action=action_of(clip)), room_cameras()) for clip in whole]


def predictions(seen: list[pb.PoseSet], seed: int = 0) -> pb.PoseSet:
    """Predictions for these clips; another seed gives others with errors of the same kind."""
    poses = np.concatenate([predicted(view, seed) for view in seen])
    return pb.concatenate(seen).replace(poses=poses, origin="root", dataset=None, fps=None, intrinsics=None)


def action_of(clip: pb.PoseSet) -> str:
    """The first word of the description: walk, run, jump, ..."""
    described = "unknown" if clip.action is None else clip.action.names[0]
    return described.replace(",", " ").replace("/", " ").split()[0].lower()


def predicted(clip: pb.PoseSet, seed: int = 0) -> np.ndarray:
    """A clip's poses relative to their roots, with errors; each camera's view is a clip of its own."""
    numbers = [int(part) for part in clip.sequence.names[0].split("_")]
    rng = np.random.default_rng(numbers + [seed] * (seed > 0))
    joints = clip.skeleton.joints
    loose = np.where(np.isin(joints, END_JOINTS), 1.8, 1.0)[:, None]
    loose[clip.skeleton.root] = 10 / 25
    result = clip.poses - clip.poses[:, [clip.skeleton.root]]
    for camera in range(len(clip.camera.names)):
        rows = np.flatnonzero(clip.camera.codes == camera)
        views = result[rows]
        for start in swapped(len(rows), rng):
            for right, left in LEGS:
                pair = [clip.skeleton.index(right), clip.skeleton.index(left)]
                views[start : start + 5, pair] = views[start : start + 5, pair[::-1]]
        turn = Rotation.from_rotvec(rng.normal(size=3) * np.radians(4) / np.sqrt(3)).as_matrix()
        views = (views @ turn.T) * (1 + rng.normal() * 0.05)
        views += rng.normal(size=(1, len(joints), 3)) * 15 * loose
        views += smooth_noise(len(rows), len(joints), rng) * [25, 25, 45] * loose
        result[rows] = views
    return result


def swapped(n: int, rng: np.random.Generator) -> list[int]:
    """Where the legs are swapped: at most one start."""
    return [int(rng.integers(0, n - 5))] if n > 100 else []


def smooth_noise(n: int, joints: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of unit variance whose correlation fades within `SMOOTH` frames (Ornstein-Uhlenbeck)."""
    keep = np.exp(-1 / SMOOTH)
    noise = rng.normal(size=(n, joints, 3))
    for i in range(1, n):
        noise[i] = keep * noise[i - 1] + np.sqrt(1 - keep**2) * noise[i]
    return noise


if __name__ == "__main__":
    main()
