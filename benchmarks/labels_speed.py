"""How fast labels are made, beside a loop over frames and joints with OpenCV, with R and t and without.

Both start from joints in 2D and end with (u, v, w) in both pictures. The loop takes R and t as given, or estimates them
for each frame with OpenCV's robust essential matrix; it runs on some frames only, and its rate is taken for all. Label
making does all that it does for users: masks, boxes, noise, and the pooled pose of the cameras. Nothing is asserted;
the goal is 20 times the loop's rate.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from model_zoo.epipolarpose.detections import Detections
from model_zoo.epipolarpose.labels import LabelConfig, make_labels
from posebench.datasets.room import room_cameras
from posebench.datasets.views import UnlabelledView

GOAL = 20
ROUNDS = 3


def main() -> None:
    """Time and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--frames", type=int, default=20_000)
    arguments.add_argument("--loop-frames", type=int, default=200, help="frames that OpenCV's loop runs on")
    arguments.add_argument("--noise", type=float, default=5.0, help="px")
    asked = arguments.parse_args()
    try:
        import cv2
        import poselib  # noqa: F401
    except ImportError:
        print("nothing is timed: OpenCV or PoseLib is not installed (pip install 'posebench-hpe[zoo]')")
        return
    cv2.setNumThreads(1)
    one, other = room_cameras(5)[0], room_cameras(5)[1]
    rng = np.random.default_rng(0)
    n = asked.frames
    points = rng.uniform(-900, 900, (n, 17, 3)) + [0, 900, 0] + rng.uniform(-800, 800, (n, 1, 3)) * [1, 0, 1]
    first, second = (camera.project(points) + rng.normal(0, asked.noise, (n, 17, 2)) for camera in (one, other))
    found = Detections(np.concatenate([first, second]), np.ones((2 * n, 17)), "projected")
    ids = ["person/one"] * 2 * n, ["cam1"] * n + ["cam2"] * n, [*range(n), *range(n)]
    K = np.repeat(np.stack([one.K, other.K]), n, axis=0)
    extrinsics = (np.repeat(np.stack([c]), n, axis=0) for c in (one.R, other.R, one.t, other.t))
    R1, R2, t1, t2 = extrinsics
    picture = np.zeros((4, 4, 3), np.uint8)
    views = {
        "known": UnlabelledView(lambda index: picture, *ids, K, np.concatenate([R1, R2]), np.concatenate([t1, t2])),
        "estimated": UnlabelledView(lambda index: picture, *ids, K),
    }
    turn = other.R @ one.R.T
    shift = other.t - turn @ one.t

    def loop(*, known: bool) -> None:
        for frame in range(asked.loop_frames):
            x, y = first[frame], second[frame]
            R, t = turn, shift
            if not known:
                E = cv2.findEssentialMat(x, y, one.K, None, other.K, None, cv2.USAC_MAGSAC, 0.999, 3 * asked.noise)[0]
                E = np.eye(3) if E is None else E[:3]
                flat1, flat2 = (cv2.undistortPoints(p[:, None], c.K, None)[:, 0] for p, c in ((x, one), (y, other)))
                _, R, t, _ = cv2.recoverPose(E, flat1, flat2, np.eye(3))
                t = t[:, 0]
            cross = np.array([[0, -t[2], t[1]], [t[2], 0, -t[0]], [-t[1], t[0], 0]])
            F = np.linalg.inv(other.K).T @ cross @ R @ np.linalg.inv(one.K)
            F /= np.linalg.norm(F)  # OpenCV takes longer without
            projections = one.K @ np.eye(3, 4), other.K @ np.column_stack([R, t])
            here = np.empty((17, 3))
            for joint in range(17):
                moved = cv2.correctMatches(F, x[None, None, joint], y[None, None, joint])
                point = cv2.triangulatePoints(*projections, moved[0][0].T, moved[1][0].T)[:, 0]
                here[joint] = point[:3] / point[3]
            for pose, camera in ((here, one), (here @ R.T + t, other)):
                seen = pose @ camera.K.T
                np.column_stack([seen[:, :2] / seen[:, 2:], (pose[:, 2] / pose[0, 2] - 1) * camera.K[0, 0]])

    print(f"{n} pairs of pictures, 17 joints, {asked.noise:g} px of noise; CPU time\n")
    print("| R, t | OpenCV's loop, pairs/s | make_labels, pairs/s | ratio | goal |")
    print("|---|---|---|---|---|")
    for extrinsics_are, view in views.items():
        config = LabelConfig(extrinsics_are)  # type: ignore[arg-type]
        made, looped = [], []
        for _ in range(ROUNDS):  # in turns, so that a busy machine slows both
            made.append(timed(lambda view=view, config=config: make_labels(view, found, config)))
            looped.append(timed(lambda known=extrinsics_are == "known": loop(known=known)))
        fast, slow = n / min(made), asked.loop_frames / min(looped)
        print(f"| {extrinsics_are} | {slow:.0f} | {fast:.0f} | {fast / slow:.0f} | {GOAL} |")


def timed(function: object) -> float:
    """Seconds of computing time that a call takes, which other work on the machine changes less than the wall's."""
    assert callable(function)
    begun = time.process_time()
    function()
    return time.process_time() - begun


if __name__ == "__main__":
    main()
