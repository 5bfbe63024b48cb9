"""A motion on a body of other proportions: which way each bone of the body is turned, and where it stands.

Limbs of the body point exactly where those of the motion do. Trunk, neck, head and feet take over by how much a bone is
turned from its rest pose, since a body's own spine and feet are bent as the straight rest pose of a skeleton is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from posebench.datasets.open4v.body import Body
from posebench.datasets.open4v.motions import BONES, STRAIGHT, Motion

Floats = npt.NDArray[np.float64]

#: Straight bone -> the bone after it, where it ends; and the straight bone before it, whose alignment it shares.
_ENDS = {
    f"{side}{bone}": f"{side}{end}"
    for side in ("Left", "Right")
    for bone, end in {
        "Arm": "ForeArm",
        "ForeArm": "Hand",
        "Hand": "FingerBase",
        "UpLeg": "Leg",
        "Leg": "Foot",
    }.items()
}
_BEFORE = {
    f"{side}{bone}": f"{side}{before}"
    for side in ("Left", "Right")
    for bone, before in {"ForeArm": "Arm", "Hand": "ForeArm", "Leg": "UpLeg"}.items()
}
#: The share of a clip's frames whose lowest point may lie below the floor before the floor is moved.
_FLOOR_SHARE = 0.05
#: Every so many vertices are held against the floor.
_SOLE_STEP = 7


@dataclass(frozen=True, eq=False)
class Performance:
    """What a body does in N frames: its bones' transforms (N, B, 3, 4) and its H36M-17 joints (N, 17, 3) in mm.

    The floor is y = 0.
    """

    transforms: Floats
    joints: Floats


def perform(body: Body, motion: Motion) -> Performance:
    """Put a motion onto a body.

    The path is scaled by the ratio of the legs' lengths. The floor is where the lowest points of the body are in a
    clip, and a frame that reaches below it is lifted; the feet of a `grounded` motion stand on it in every frame.
    """
    rotations = bone_rotations(body, motion)
    pelvis = motion.pelvis * (body.leg / motion.leg)
    transforms = body.bone_transforms(rotations, pelvis)
    rows = np.arange(0, len(body.vertices), _SOLE_STEP)
    lowest = np.concatenate([body.skin(some, rows)[..., 1].min(axis=1) for some in _blocks(transforms)])
    lift = -lowest if motion.grounded else np.maximum(-np.quantile(lowest, _FLOOR_SHARE), -lowest)
    transforms[..., 1, 3] += lift[:, None]
    return Performance(transforms, body.joints(transforms))


def _blocks(transforms: Floats, size: int = 64) -> list[Floats]:
    return [transforms[i : i + size] for i in range(0, len(transforms), size)]


def bone_rotations(body: Body, motion: Motion) -> Floats:
    """Rotations (N, B, 3, 3) of the body's bones from its own rest pose."""
    alignment = alignments(body, motion.directions)
    turned = np.empty((len(motion), len(body.bones), 3, 3))
    given = {bone: row for row, bone in enumerate(BONES)}
    for row, (bone, parent) in enumerate(zip(body.bones, body.parents, strict=True)):
        if bone in given:
            turned[:, row] = motion.rotations[:, given[bone]] @ alignment.get(bone, np.eye(3))
        else:  # fingers and the like move with what they hang from
            turned[:, row] = turned[:, parent]
    return turned


def alignments(body: Body, directions: Floats) -> dict[str, Floats]:
    """Rotations that bring the straight bones of a body from its rest pose to directions (10, 3) at the motion's rest.

    Each is the least turn on top of that of the bone before, so that elbows and knees stay hinges.
    """
    found: dict[str, Floats] = {}
    for bone, direction in zip(STRAIGHT, directions, strict=True):
        before = found.get(_BEFORE.get(bone, ""), np.eye(3))
        own = body.heads[body.index(_ENDS[bone])] - body.heads[body.index(bone)]
        found[bone] = least_turn(before @ own, direction) @ before
    return found


def least_turn(a: Floats, b: Floats) -> Floats:
    """The smallest rotation (3, 3) that turns vector a (3,) towards b (3,), which are not opposite.

    Examples
    --------
    >>> least_turn(np.array([1.0, 0, 0]), np.array([0, 2.0, 0])).round(6).tolist()
    [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    x, y, z = np.cross(a, b)
    across = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + across + across @ across / (1 + a @ b))


__all__ = ["Performance", "alignments", "bone_rotations", "least_turn", "perform"]
