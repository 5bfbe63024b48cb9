"""Motions that drive a body: how each bone is turned, from CMU, from HDM05, or made up within the limits of joints.

A motion is given by the rotations of the 23 bones of `BONES` against a rest pose with spread arms, not by positions of
joints: these do not say where a head looks or how a hand is held. `retarget.py` puts a motion onto a body of other
proportions.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from posebench.datasets.acclaim import AcclaimSkeleton, read_asf, read_motion
from posebench.datasets.bvh import Bvh, read_bvh
from posebench.datasets.cmu import read_cmu
from posebench.datasets.hdm05 import read_hdm05
from posebench.datasets.quality import usable_frames
from posebench.errors import InputError, UsageError
from posebench.poses import PoseSet
from posebench.skeletons import H36M17

Floats = npt.NDArray[np.float64]

#: The bones, named as in CMU's conversion to BVH by where they begin, parents before children.
BONES = (
    "Hips",
    "LowerBack",
    "Spine",
    "Spine1",
    "Neck",
    "Neck1",
    "Head",
    *(f"{side}{bone}" for side in ("Left", "Right") for bone in ("Shoulder", "Arm", "ForeArm", "Hand")),
    *(f"{side}{bone}" for side in ("Left", "Right") for bone in ("UpLeg", "Leg", "Foot", "ToeBase")),
)
#: Bones of the limbs, which are straight, so that where they point at rest can be brought to agree between skeletons.
STRAIGHT = tuple(f"{side}{bone}" for side in ("Left", "Right") for bone in ("Arm", "ForeArm", "Hand", "UpLeg", "Leg"))

#: The same bones in skeletons of the Acclaim kind; the bone `wrist` is the outer third of the forearm.
_ACCLAIM = {
    "Hips": "root",
    "LowerBack": "lowerback",
    "Spine": "upperback",
    "Spine1": "thorax",
    "Neck": "lowerneck",
    "Neck1": "upperneck",
    "Head": "head",
    **{
        f"{side}{bone}": f"{side[0].lower()}{acclaim}"
        for side in ("Left", "Right")
        for bone, acclaim in {
            "Shoulder": "clavicle",
            "Arm": "humerus",
            "ForeArm": "radius",
            "Hand": "hand",
            "UpLeg": "femur",
            "Leg": "tibia",
            "Foot": "foot",
            "ToeBase": "toes",
        }.items()
    },
}
#: In the BVH files the turn of the wrist belongs to a joint `Hand`, and the hand itself hangs from `FingerBase`.
_BVH = {bone: bone for bone in BONES} | {"LeftHand": "LeftFingerBase", "RightHand": "RightFingerBase"}

_SYNTHETIC = re.compile(r"syn(?P<number>[0-9]{2})")


@dataclass(frozen=True, eq=False)
class Motion:
    """N frames of what somebody did.

    `rotations` (N, 23, 3, 3) turn the bones of `BONES` from their rest pose, in a world with y up and, at rest, the
    person looking along z and their left hand pointing along x. `pelvis` (N, 3) is the middle of the hips in mm.
    `directions` (10, 3) are unit vectors along the bones of `STRAIGHT` at rest; `leg` is the length of a leg in mm.
    `frame` (N,) numbers the frames as their file does, at `fps` frames per second. A motion that is `grounded` always
    touches the floor, and the height of its pelvis means nothing.
    """

    subject: str
    sequence: str
    action: str
    dataset: str
    rotations: Floats
    pelvis: Floats
    directions: Floats
    leg: float
    frame: npt.NDArray[np.int64]
    fps: float
    grounded: bool = False

    def __len__(self) -> int:
        return len(self.rotations)

    def take(self, rows: slice) -> Motion:
        """Some of the frames."""
        return replace(self, rotations=self.rotations[rows], pelvis=self.pelvis[rows], frame=self.frame[rows])


def read_clip(path: str | os.PathLike[str], *, stride: int = 1) -> Motion:
    """Every so many usable frames of a clip of CMU (.bvh) or HDM05 (.amc), as the rotations of bones.

    Parameters
    ----------
    path : path
        A file as `cmu_clips` or `hdm05_clips` finds it.
    stride : int
        Frames of the file whose number, counted from the first usable one, is a multiple of this.

    Raises
    ------
    InputError
        If the file is damaged, truncated, or not what its name says.
    UsageError
        If `stride` is below 1.
    """
    if stride < 1:
        raise UsageError(f"stride is {stride}, expected 1 or more")
    path = Path(path)
    is_cmu = path.suffix.lower() == ".bvh"
    poses = read_cmu(path, actions="class") if is_cmu else read_hdm05(path, actions="class")
    assert poses.frame is not None and poses.fps is not None
    assert poses.subject is not None and poses.sequence is not None
    usable = np.flatnonzero(usable_frames(poses))
    if not len(usable):
        raise InputError(f"{path}: has no usable frame")
    rows = usable[(poses.frame[usable] - poses.frame[usable[0]]) % stride == 0]
    rotations, directions = _of_bvh(read_bvh(path), rows) if is_cmu else _of_acclaim(path, rows)
    return Motion(
        subject=f"{'cmu' if is_cmu else 'hdm05'}{poses.subject.names[0]}",
        sequence=poses.sequence.names[0],
        action=poses.action.names[0] if poses.action is not None else "other",
        dataset="cmu-mocap" if is_cmu else "hdm05",
        rotations=rotations,
        pelvis=poses.poses[rows, H36M17.root].astype(np.float64),
        directions=directions,
        leg=_leg(poses),
        frame=poses.frame[rows],
        fps=poses.fps,
    )


def _leg(poses: PoseSet) -> float:
    """Length of thigh and shin together, mean of both sides."""
    chains = (("RHip", "RKnee", "RAnkle"), ("LHip", "LKnee", "LAnkle"))
    ends = np.array([[H36M17.index(joint) for joint in chain] for chain in chains])
    joints = poses.poses[0, ends].astype(np.float64)
    return float(np.linalg.norm(np.diff(joints, axis=1), axis=-1).sum(axis=1).mean())


def _of_bvh(bvh: Bvh, rows: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Rotations and rest directions of `BONES`.

    Forward kinematics with unit offsets: what hangs from a joint then shows the axes of that joint.
    """
    thinned = replace(bvh, motion=bvh.motion[rows])
    child = {parent: joint for joint, parent in enumerate(bvh.parents)}
    turned = np.empty((len(rows), len(bvh.names), 3, 3))
    for axis in range(3):
        offsets = np.zeros_like(bvh.offsets)
        offsets[:, axis] = 1
        at = replace(thinned, offsets=offsets).positions()
        for parent, joint in child.items():
            if parent >= 0:
                turned[:, parent, :, axis] = at[:, joint] - at[:, parent]
    # A hand's joints all begin at the wrist, so its direction is that of the first joint away from it.
    ends = {bone: child[bvh.index(_BVH[bone])] for bone in STRAIGHT}
    directions = _units(np.stack([bvh.offsets[ends[bone]] for bone in STRAIGHT]), bvh.source)
    by_name = {bone: turned[:, bvh.index(name)] for bone, name in _BVH.items()}
    wrists = {side: turned[:, bvh.index(f"{side}Hand")] for side in ("Left", "Right")}
    return _stacked(by_name, wrists, directions), directions


def _of_acclaim(path: Path, rows: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """The same of an .amc beside its .asf."""
    actor = path.stem.split("_")[1]
    skeleton = read_asf(path.with_name(f"HDM_{actor}.asf"))
    motion = read_motion(path, skeleton)
    thinned = replace(motion, motion=motion.motion[rows], frame=motion.frame[rows])
    parents = np.array(skeleton.parents)
    turned = np.empty((len(rows), len(skeleton), 3, 3))
    for axis in range(3):
        offsets = np.zeros_like(skeleton.offsets)
        offsets[:, axis] = 1
        ends = replace(thinned, skeleton=replace(skeleton, offsets=offsets)).positions()
        turned[:, 1:, :, axis] = ends[:, 1:] - ends[:, parents[1:]]
    turned[:, 0] = _root_rotation(skeleton, thinned.motion, motion.degrees)
    directions = np.stack([skeleton.offsets[skeleton.index(_ACCLAIM[bone])] for bone in STRAIGHT])
    directions = _units(directions, skeleton.source)
    by_name = {bone: turned[:, skeleton.index(name)] for bone, name in _ACCLAIM.items()}
    wrists = {side: turned[:, skeleton.index(f"{side[0].lower()}wrist")] for side in ("Left", "Right")}
    return _stacked(by_name, wrists, directions), directions


def _stacked(by_name: dict[str, Floats], wrists: Mapping[str, Floats], directions: Floats) -> Floats:
    """Rotations (N, 23, 3, 3) in the order of `BONES`, the forearms with their share of the wrists' turn."""
    for side, wrist in wrists.items():
        bone = f"{side}ForeArm"
        by_name[bone] = _half_turned(by_name[bone], wrist, directions[STRAIGHT.index(bone)])
    return np.stack([by_name[bone] for bone in BONES], axis=1)


def _root_rotation(skeleton: AcclaimSkeleton, motion: Floats, degrees: bool) -> Floats:
    """Rotations (N, 3, 3) of the root: those of a rigid bone that hangs from it, or from its own angles."""
    angles = {dof: motion[:, i] for i, dof in enumerate(skeleton.dofs[0]) if dof[0] == "r"}
    turned = np.tile(np.eye(3), (len(motion), 1, 1))
    for dof in (dof for dof in skeleton.dofs[0] if dof in angles):  # about fixed axes, the first comes first
        angle = np.deg2rad(angles[dof]) if degrees else angles[dof]
        turned = about_axis("xyz".index(dof[1]), angle) @ turned
    return turned


def _units(directions: Floats, source: str) -> Floats:
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise InputError(f"{source}: bone {STRAIGHT[int(lengths.argmin())]} has no length, so it points nowhere")
    return np.asarray(directions / lengths)


def _half_turned(forearm: Floats, wrist: Floats, along: Floats) -> Floats:
    """Rotations (N, 3, 3) of a forearm that is turned along its length by half of what its wrist is.

    A forearm twists between elbow and wrist; in a mesh whose forearm is one bone, half of that looks best. The twist is
    that part of the wrist's rotation which is about the bone's direction `along` (3,).
    """
    between = np.swapaxes(forearm, 1, 2) @ wrist
    axis = np.stack(
        [between[:, 2, 1] - between[:, 1, 2], between[:, 0, 2] - between[:, 2, 0], between[:, 1, 0] - between[:, 0, 1]],
        axis=1,
    )
    half = np.arctan2(axis @ along, 1 + np.trace(between, axis1=1, axis2=2))
    x, y, z = along
    across = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = np.sin(half)[:, None, None] * across + (1 - np.cos(half))[:, None, None] * (across @ across)
    return np.asarray(forearm @ (np.eye(3) + turn))


def about_axis(axis: int, angle: npt.ArrayLike) -> Floats:
    """Rotations (..., 3, 3) by angles in rad about one of the three axes.

    Examples
    --------
    >>> about_axis(2, np.pi / 2).round(6).tolist()
    [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    angle = np.asarray(angle, np.float64)
    a, b = (axis + 1) % 3, (axis + 2) % 3
    turned = np.zeros((*angle.shape, 3, 3))
    turned[..., axis, axis] = 1
    turned[..., a, a] = turned[..., b, b] = np.cos(angle)
    turned[..., b, a] = np.sin(angle)
    turned[..., a, b] = -turned[..., b, a]
    return turned


# ---------------------------------------------------------------------------------------------------------- synthetic

#: Degrees that a bone turns against its parent about x, y, z of the rest pose, from and to; R = Rz · Ry · Rx. Of the
#: left side; the right one is its mirror image. At rest arms point along x and legs down.
LIMITS: Mapping[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "Hips": ((-10, 30), (-180, 180), (-8, 8)),
    "LowerBack": ((-8, 20), (-12, 12), (-8, 8)),
    "Spine": ((-6, 15), (-12, 12), (-8, 8)),
    "Spine1": ((-6, 12), (-10, 10), (-6, 6)),
    "Neck": ((-15, 15), (-25, 25), (-10, 10)),
    "Neck1": ((-10, 12), (-15, 15), (-8, 8)),
    "Head": ((-15, 15), (-15, 15), (-5, 5)),
    "LeftShoulder": ((0, 0), (-10, 10), (-5, 15)),
    "LeftArm": ((-40, 50), (-85, 15), (-80, 60)),
    "LeftForeArm": ((-30, 30), (-130, -5), (0, 0)),
    "LeftHand": ((0, 0), (-15, 15), (-30, 30)),
    "LeftUpLeg": ((-85, 15), (-10, 25), (-5, 30)),
    "LeftLeg": ((2, 100), (0, 0), (0, 0)),
    "LeftFoot": ((-15, 20), (-5, 15), (-5, 5)),
    "LeftToeBase": ((-5, 10), (0, 0), (0, 0)),
}
#: Bone -> its parent among `BONES`.
PARENTS = {
    "LowerBack": "Hips",
    "Spine": "LowerBack",
    "Spine1": "Spine",
    "Neck": "Spine1",
    "Neck1": "Neck",
    "Head": "Neck1",
    **{
        f"{side}{bone}": parent if parent in ("Hips", "Spine1") else f"{side}{parent}"
        for side in ("Left", "Right")
        for bone, parent in {
            "Shoulder": "Spine1",
            "Arm": "Shoulder",
            "ForeArm": "Arm",
            "Hand": "ForeArm",
            "UpLeg": "Hips",
            "Leg": "UpLeg",
            "Foot": "Leg",
            "ToeBase": "Foot",
        }.items()
    },
}


def synthetic_motion(subject: str, take: int, *, frames: int, seed: int = 0, fps: float = 10.0) -> Motion:
    """A motion that nobody made: smooth, within the limits of joints (`LIMITS`), touching the floor.

    Parameters
    ----------
    subject : str
        `syn` and two digits.
    take : int
        Number of the sequence; another one is another motion.
    frames : int
    seed : int
    fps : float
        Frames per second: the higher, the less changes from one to the next.

    Raises
    ------
    UsageError
        If the subject is called otherwise, or there are no frames.

    Examples
    --------
    >>> motion = synthetic_motion("syn01", 1, frames=3)
    >>> motion.sequence, motion.rotations.shape, bool(np.isclose(np.linalg.det(motion.rotations), 1).all())
    ('syn01_01', (3, 23, 3, 3), True)
    """
    if not _SYNTHETIC.fullmatch(subject) or frames < 1 or take < 0:
        raise UsageError(
            f"expected a subject such as syn01, a take from 0 on and at least one frame, got {subject!r}, {take} and "
            f"{frames}"
        )
    random = rng(seed, "motion", subject, str(take))
    time = np.arange(frames) / fps
    local = {}
    for bone in BONES:
        mirrored = bone.startswith("Right")
        limits = LIMITS[bone.replace("Right", "Left")]
        x, y, z = (np.deg2rad(low + (high - low) * _wandering(random, time)) for low, high in limits)
        if mirrored:
            y, z = -y, -z
        local[bone] = about_axis(2, z) @ about_axis(1, y) @ about_axis(0, x)
    world: dict[str, Floats] = {}
    for bone in BONES:
        world[bone] = local[bone] if bone == "Hips" else world[PARENTS[bone]] @ local[bone]
    pelvis = np.zeros((frames, 3))
    pelvis[:, 0] = 800 * (2 * _wandering(random, time, slow=4.0) - 1)
    pelvis[:, 2] = 800 * (2 * _wandering(random, time, slow=4.0) - 1)
    directions = np.zeros((len(STRAIGHT), 3))
    for row, bone in enumerate(STRAIGHT):
        directions[row] = [0, -1, 0] if "Leg" in bone else [1 if bone.startswith("Left") else -1, 0, 0]
    return Motion(
        subject=subject,
        sequence=f"{subject}_{take:02d}",
        action="other",
        dataset="synthetic",
        rotations=np.stack([world[bone] for bone in BONES], axis=1),
        pelvis=pelvis,
        directions=directions,
        leg=800.0,
        frame=np.arange(frames),
        fps=fps,
        grounded=True,
    )


def _wandering(random: np.random.Generator, time: Floats, slow: float = 1.0) -> Floats:
    """A smooth function of time in s with values from 0 to 1, most of them away from both ends."""
    periods = slow * random.uniform(1.5, 7.0, 3)
    waves = np.sin(2 * np.pi * (time[:, None] / periods + random.uniform(0, 1, 3))) @ random.uniform(0.4, 1.0, 3)
    return np.asarray(0.5 + 0.5 * np.tanh(waves + random.normal(0, 0.3)))


def rng(seed: int, *names: str) -> np.random.Generator:
    """Random numbers of their own for every thing that has a name, the same whatever else is drawn.

    Examples
    --------
    >>> bool(rng(0, "a").random() == rng(0, "a").random()), bool(rng(0, "a").random() == rng(0, "b").random())
    (True, False)
    """
    digest = hashlib.sha256("/".join((str(seed), *names)).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32))


__all__ = ["BONES", "LIMITS", "PARENTS", "STRAIGHT", "Motion", "about_axis", "read_clip", "rng", "synthetic_motion"]
