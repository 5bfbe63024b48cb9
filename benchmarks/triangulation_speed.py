"""How fast joints are triangulated optimally, beside a loop over frames and joints with OpenCV.

Both correct the pixels of 17 joints in two pictures by Hartley and Sturm's method and intersect their rays. OpenCV's
loop runs on some of the frames only, and its rate is taken for all. Nothing is asserted; the goal is 20 times its rate.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from model_zoo.epipolarpose.geometry import fundamental_from_pose, triangulate_pair
from posebench.datasets.room import room_cameras

GOAL = 20
ROUNDS = 5


def main() -> None:
    """Time and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--frames", type=int, default=20_000)
    arguments.add_argument("--loop-frames", type=int, default=300, help="frames that OpenCV's loop runs on")
    arguments.add_argument("--noise", type=float, default=5.0, help="px")
    asked = arguments.parse_args()
    try:
        import cv2
    except ImportError:
        print("nothing is timed: OpenCV is not installed (pip install 'posebench-hpe[zoo]')")
        return
    cv2.setNumThreads(1)
    cameras = room_cameras(5)[0], room_cameras(5)[1]
    rng = np.random.default_rng(0)
    points = rng.uniform(-900, 900, (asked.frames, 17, 3)) + [0, 900, 0]
    first, second = (camera.project(points) + rng.normal(0, asked.noise, (asked.frames, 17, 2)) for camera in cameras)
    turn = cameras[1].R @ cameras[0].R.T
    F = fundamental_from_pose(turn, cameras[1].t - turn @ cameras[0].t, cameras[0].K, cameras[1].K)
    projections = [camera.K @ np.column_stack([camera.R, camera.t]) for camera in cameras]
    few = slice(0, asked.loop_frames)
    looped = np.empty((asked.loop_frames, 17, 3))

    def loop() -> None:
        for frame in range(asked.loop_frames):
            for joint in range(17):
                one, other = cv2.correctMatches(F, first[frame, None, None, joint], second[frame, None, None, joint])
                point = cv2.triangulatePoints(*projections, one[0].T, other[0].T)[:, 0]
                looped[frame, joint] = point[:3] / point[3]

    # In turns, so that a busy machine slows both.
    batched_times, loop_times = [], []
    for _ in range(ROUNDS):
        batched_times.append(timed(lambda: triangulate_pair(first, second, cameras)))
        loop_times.append(timed(loop))
    batched, alone = min(batched_times) / (asked.frames * 17), min(loop_times) / (asked.loop_frames * 17)
    apart = np.abs(triangulate_pair(first[few], second[few], cameras).points - looped).max()
    print(f"{asked.frames} frames of 17 joints, {asked.noise:g} px of noise; CPU time")
    print(f"points at most {apart:.1g} mm apart\n")
    print("| method | µs per joint | joints/s | ratio | goal |")
    print("|---|---|---|---|---|")
    print(f"| OpenCV, joint by joint | {1e6 * alone:.2f} | {1 / alone:.0f} | 1 | |")
    print(f"| triangulate_pair | {1e6 * batched:.2f} | {1 / batched:.0f} | {alone / batched:.0f} | {GOAL} |")


def timed(function: object) -> float:
    """Seconds of computing time that a call takes, which other work on the machine changes less than the wall's."""
    assert callable(function)
    begun = time.process_time()
    function()
    return time.process_time() - begun


if __name__ == "__main__":
    main()
