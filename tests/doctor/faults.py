"""Faults as they happen to prediction files, planted into good ones by plain NumPy, each with the codes it must get."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

import posebench as pb
from posebench.resources import resource

EXAMPLE = resource("examples", "pose2sim")
PAIRS = [(4, 1), (5, 2), (6, 3), (11, 14), (12, 15), (13, 16)]
LEGS = PAIRS[:3]
LEFT_WRIST = 13
#: 3dhp17's joints taken from H36M-17's: head_top, neck, arms, legs, pelvis, spine, head.
AS_3DHP = [10, 8, 14, 15, 16, 11, 12, 13, 1, 2, 3, 4, 5, 6, 0, 7, 9]
ANY_ORDER = [5, 2, 12, 0, 16, 9, 14, 3, 10, 7, 1, 15, 8, 4, 13, 6, 11]

Poses = np.ndarray


def exchanged(poses: Poses, pairs: list = PAIRS) -> Poses:
    found = poses.copy()
    for left, right in pairs:
        found[:, [left, right]] = found[:, [right, left]]
    return found


def some(share: float, change: Callable[[Poses], Poses]) -> Callable[[Poses], Poses]:
    """The change in a share of the poses, chosen at random."""

    def planted(poses: Poses) -> Poses:
        rows = np.random.default_rng(3).choice(len(poses), max(1, round(share * len(poses))), replace=False)
        found = poses.copy()
        found[rows] = change(found[rows])
        return found

    return planted


def turned(degrees: float) -> Callable[[Poses], Poses]:
    axis = np.array([0.3, 0.9, 0.3]) / np.linalg.norm([0.3, 0.9, 0.3])
    matrix = Rotation.from_rotvec(np.radians(degrees) * axis).as_matrix()
    return lambda poses: poses @ matrix.T


def shuffled(share: float) -> Callable[[Poses], Poses]:
    def planted(poses: Poses) -> Poses:
        rng = np.random.default_rng(4)
        rows = rng.choice(len(poses), round(share * len(poses)), replace=False)
        found = poses.copy()
        found[rows] = poses[rng.permutation(rows)]
        return found

    return planted


def thrown(mm: float, share: float) -> Callable[[Poses], Poses]:
    """Joints thrown away by `mm` in a random direction."""

    def planted(poses: Poses) -> Poses:
        rng = np.random.default_rng(5)
        hit = rng.random(poses.shape[:2]) < share
        away = rng.normal(size=(hit.sum(), 3))
        found = poses.copy()
        found[hit] += mm * away / np.linalg.norm(away, axis=1, keepdims=True)
        return found

    return planted


def at_wrist(value: float) -> Callable[[Poses], Poses]:
    def planted(poses: Poses) -> Poses:
        found = poses.copy()
        found[:, LEFT_WRIST] = value
        return found

    return planted


def mean_pose(poses: Poses) -> Poses:
    body = poses - poses[:, :1]
    return body.mean(0) + poses[:, :1]


def stuck(poses: Poses) -> Poses:
    """A tenth of the frames repeats the one before them."""
    found, middle = poses.copy(), len(poses) // 2
    found[middle : middle + len(poses) // 10] = found[middle]
    return found


def long_shins(poses: Poses) -> Poses:
    found = poses.copy()
    for knee, ankle in ((2, 3), (5, 6)):
        found[:, ankle] = found[:, knee] + 1.9 * (found[:, ankle] - found[:, knee])
    return found


@dataclass(frozen=True)
class Fault:
    """What is done to a file, what must be said of it, and by how many frames it comes late (early if negative)."""

    codes: tuple[str, ...]
    plant: Callable[[Poses], Poses] = np.array
    late: int = 0


def _then(*changes: Callable[[Poses], Poses]) -> Callable[[Poses], Poses]:
    def planted(poses: Poses) -> Poses:
        for change in changes:
            poses = change(poses)
        return poses

    return planted


def _times(*factors: float) -> Callable[[Poses], Poses]:
    return lambda poses: poses * np.array(factors)


METRES, LEFT_RIGHT, Y_UP, MIRRORED = _times(0.001), exchanged, _times(1, -1, 1), _times(-1, 1, 1)
NAN_WRIST = some(0.02, at_wrist(np.nan))

ONE = {
    "metres": Fault(("D-UNITS",), METRES),
    "centimetres": Fault(("D-UNITS",), _times(0.1)),
    "metres in 30 %": Fault(("D-UNITS-MIXED",), some(0.3, METRES)),
    "metres in 3 %": Fault(("D-UNITS-MIXED",), some(0.03, METRES)),
    "metres in 1 %": Fault(("D-UNITS-MIXED",), some(0.01, METRES)),
    "joints of 3dhp17": Fault(("D-JOINTS",), lambda poses: poses[:, AS_3DHP]),
    "joints in any order": Fault(("D-JOINTS",), lambda poses: poses[:, ANY_ORDER]),
    "spine and head exchanged": Fault(("D-JOINTS",), lambda poses: exchanged(poses, [(7, 10)])),
    "left and right": Fault(("D-LEFT-RIGHT",), LEFT_RIGHT),
    "left and right leg": Fault(("D-LEFT-RIGHT",), lambda poses: exchanged(poses, LEGS)),
    "left and right wrist": Fault(("D-LEFT-RIGHT",), lambda poses: exchanged(poses, [(13, 16)])),
    "left and right hip": Fault(("D-LEFT-RIGHT",), lambda poses: exchanged(poses, [(4, 1)])),
    "left and right in 30 %": Fault(("D-LEFT-RIGHT",), some(0.3, LEFT_RIGHT)),
    "left and right in 5 %": Fault(("D-LEFT-RIGHT",), some(0.05, LEFT_RIGHT)),
    "mirrored in x": Fault(("D-MIRROR",), MIRRORED),
    "mirrored in z": Fault(("D-MIRROR",), _times(1, 1, -1)),
    "y up": Fault(("D-UP",), Y_UP),
    "y up and z backwards": Fault(("D-UP",), _times(1, -1, -1)),
    "z up": Fault(("D-AXES",), lambda poses: poses[..., [0, 2, 1]] * [1, 1, -1]),
    "turned by 40 degrees": Fault(("D-REFERENCE",), turned(40)),
    "turned by 25 degrees": Fault(("D-REFERENCE",), turned(25)),
    "late by 1": Fault(("D-OFFSET",), late=1),
    "early by 1": Fault(("D-OFFSET",), late=-1),
    "late by 3": Fault(("D-OFFSET",), late=3),
    "late by 12": Fault(("D-OFFSET",), late=12),
    "a frame doubled": Fault(("D-OFFSET",), lambda poses: np.insert(poses, 50, poses[50], axis=0)[:-1]),
    "two frames left out": Fault(("D-OFFSET",), lambda poses: np.delete(poses, [45, 46], axis=0)),
    "shuffled": Fault(("D-SHUFFLED",), shuffled(1)),
    "a tenth shuffled": Fault(("D-SHUFFLED",), shuffled(0.1)),
    "one pose": Fault(("D-CONSTANT",), lambda poses: np.repeat(poses[:1], len(poses), 0)),
    "the mean pose": Fault(("D-CONSTANT",), mean_pose),
    "stuck": Fault(("D-FROZEN",), stuck),
    "doubled": Fault(("D-COPIES",), lambda poses: poses[np.arange(len(poses)) // 2 * 2]),
    "NaN": Fault(("D-NAN",), NAN_WRIST),
    "zeros": Fault(("D-ZEROS",), some(0.05, at_wrist(0.0))),
    "a kilometre away": Fault(("D-OUTLIERS",), some(0.01, at_wrist(1e6))),
    "1 % thrown by 500 mm": Fault(("D-OUTLIERS",), thrown(500, 0.01)),
    "2 % thrown by 150 mm": Fault(("D-OUTLIERS",), thrown(150, 0.02)),
    "too small": Fault(("D-SCALE",), _times(0.6)),
    "too large": Fault(("D-SCALE",), _times(1.5)),
    "no scale": Fault(("D-SCALE",), _times(1 / 450)),
    "shins of nobody": Fault(("D-BONES",), long_shins),
}
TWO = {
    "left and right, metres": Fault(("D-UNITS", "D-LEFT-RIGHT"), _then(LEFT_RIGHT, METRES)),
    "left and right, 5 % in metres": Fault(("D-UNITS-MIXED", "D-LEFT-RIGHT"), _then(LEFT_RIGHT, some(0.05, METRES))),
    "y up, metres": Fault(("D-UNITS", "D-UP"), _then(Y_UP, METRES)),
    "turned, metres": Fault(("D-UNITS", "D-REFERENCE"), _then(turned(40), METRES)),
    "joints of 3dhp17, metres": Fault(("D-UNITS", "D-JOINTS"), lambda poses: poses[:, AS_3DHP] / 1000),
    "shuffled, metres": Fault(("D-UNITS", "D-SHUFFLED"), _then(shuffled(1), METRES)),
    "mirrored, late by 3": Fault(("D-MIRROR", "D-OFFSET"), MIRRORED, late=3),
    "left and right, late by 2": Fault(("D-LEFT-RIGHT", "D-OFFSET"), LEFT_RIGHT, late=2),
    "joints of 3dhp17, y up": Fault(("D-JOINTS", "D-UP"), lambda poses: poses[:, AS_3DHP] * [1, -1, 1]),
    "any order, mirrored": Fault(("D-JOINTS", "D-MIRROR"), lambda poses: poses[:, ANY_ORDER] * [-1, 1, 1]),
    "shuffled, mirrored": Fault(("D-SHUFFLED", "D-MIRROR"), _then(shuffled(1), MIRRORED)),
    "left and right, mirrored": Fault(("D-LEFT-RIGHT", "D-MIRROR"), _then(LEFT_RIGHT, MIRRORED)),
    "left and right, turned": Fault(("D-LEFT-RIGHT", "D-REFERENCE"), _then(LEFT_RIGHT, turned(40))),
    "no scale, left and right": Fault(("D-SCALE", "D-LEFT-RIGHT"), _then(LEFT_RIGHT, _times(1 / 450))),
    "NaN, y up": Fault(("D-NAN", "D-UP"), _then(Y_UP, NAN_WRIST)),
}
FAULTS = ONE | TWO


def planted(fault: Fault, pred: pb.PoseSet, gt: pb.PoseSet) -> tuple[pb.PoseSet, pb.PoseSet]:
    """A prediction with the fault, as if it came from a file, and its ground truth; one sequence."""
    n, late = len(pred), fault.late
    kept = slice(max(late, 0), n + min(late, 0))
    poses = np.asarray(pred.poses, np.float64)[kept.start - late : kept.stop - late]
    broken = fault.plant(poses)
    kept = slice(kept.start, kept.start + len(broken))
    return pred[kept].replace(poses=broken, path="pred.npz"), gt[kept]


def example(cameras: str = "cam01_cam04") -> tuple[pb.PoseSet, pb.PoseSet]:
    """Real predictions and ground truth: triangulated from two and from four cameras."""
    return pb.read(EXAMPLE / f"pred_{cameras}.npz"), pb.read(EXAMPLE / "gt.npz")


def codes(found: pb.Diagnosis) -> set[str]:
    """The codes of what is wrong."""
    return {finding.code for finding in found.findings if finding.severity != "note"}
