"""CMU Graphics Lab motion capture in its conversion to BVH, as H36M-17 poses.

The files are looked for in `cmu-mocap/bvh/SS/SS_TT.bvh` (subject, trial) below the folder that the environment variable
POSEBENCH_DATA names, and an index of what is done in them in `cmu-mocap/motions.csv`. Meant is the conversion whose
bones are named as in MotionBuilder (`LHipJoint`, `LowerBack`); `read_cmu` says what it makes of them. It also reads the
originals, `SS_TT.amc` beside `SS.asf`.
"""

from __future__ import annotations

import csv
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from posebench.datasets.acclaim import read_amc
from posebench.datasets.actions import Naming, named
from posebench.datasets.bvh import Bvh, read_bvh
from posebench.datasets.kinematics import Floats, h36m17_poses
from posebench.errors import InputError, UsageError
from posebench.poses import PoseSet
from posebench.skeletons import H36M17

#: To be shown wherever the data, or something made of them, are.
CMU_ATTRIBUTION = (
    "The data used in this project was obtained from mocap.cs.cmu.edu. "
    "The database was created with funding from NSF EIA-0196217."
)
#: Under which terms, in a sentence.
CMU_LICENCE = "Free to use, also commercially; not to be resold directly, even in converted form."

#: Millimetres in one unit of the files: inches, divided by the 0.45 that the laboratory scaled its skeletons with.
MM_PER_UNIT = 25.4 / 0.45

#: The bones that begin in H36M-17's joints; pelvis, spine and thorax are made of them.
_BONES = {
    "RHip": "RightUpLeg",
    "RKnee": "RightLeg",
    "RAnkle": "RightFoot",
    "LHip": "LeftUpLeg",
    "LKnee": "LeftLeg",
    "LAnkle": "LeftFoot",
    "nose": "Head",
    "head": "Head_End",
    "LShoulder": "LeftArm",
    "LElbow": "LeftForeArm",
    "LWrist": "LeftHand",
    "RShoulder": "RightArm",
    "RElbow": "RightForeArm",
    "RWrist": "RightHand",
}
#: What hangs from the end of the thorax bone.
_ON_THORAX = ("Neck", "LeftShoulder", "RightShoulder")

_CLIP = re.compile(r"(?P<subject>[0-9]{2,3})_(?P<trial>[0-9]{2,3})")


def cmu_clips(root: str | os.PathLike[str] | None = None) -> list[Path]:
    """All clips below a data folder, sorted by subject and trial.

    Parameters
    ----------
    root : path, optional
        The folder that holds `cmu-mocap`; by default what the environment variable POSEBENCH_DATA says.

    Raises
    ------
    UsageError
        If no root is given and the variable is not set.
    InputError
        If there is no clip.
    """
    if root is None:
        root = os.environ.get("POSEBENCH_DATA")
        if not root:
            raise UsageError(
                "the motion capture data are not found: set the environment variable POSEBENCH_DATA to the folder that "
                "holds cmu-mocap/bvh"
            )
    folder = Path(root) / "cmu-mocap" / "bvh"
    found = [(clip, path) for path in folder.glob("*/*.bvh") if (clip := _CLIP.fullmatch(path.stem))]
    if not found:
        raise InputError(f"{folder}: holds no clips such as 02/02_01.bvh")
    return [path for _, path in sorted(found, key=lambda item: (int(item[0]["subject"]), int(item[0]["trial"])))]


def read_cmu(path: str | os.PathLike[str], *, actions: Naming = "description") -> PoseSet:
    """Read one clip as H36M-17 poses in mm.

    Coordinates are those of the laboratory: absolute, y up. Pelvis and thorax are the midpoints of hips and shoulders,
    the spine is halfway between them; the nose is only near: it is the joint that carries the head.

    The BVH files lack the thorax bone: neck and shoulders begin where the spine's last bone does, 111 to 124 mm too
    low. It is put back with the length of that last bone, along its y axis.

    Some frames were not captured. Frame 0 is a rest pose with spread arms that the conversion put there, the same in
    every clip; ``read_cmu(path)[1:]`` leaves it out. In frame 1 of 07_12 and frames 1 to 4 of 09_10 every channel is 0.
    `usable_frames` finds them all.

    The wrists lie too near the elbows: the forearm ends where the radius does in skeletons of the Acclaim kind, and
    these give the rest of it, half as much again, to a bone `wrist` that the BVH files lack too.

    Parameters
    ----------
    path : path
        A file called `SS_TT.bvh`, or the original `SS_TT.amc` beside its skeleton `SS.asf`; the latter says no frame
        rate. A `motions.csv` in one of the three folders above its own supplies `action`: the description in the
        database's words.
    actions : {"description", "class"}
        Whether `action` is that description or its class (`action_class`).

    Raises
    ------
    InputError
        If the file is not whole, is not called so, or has other bones than the ones meant here.
    UsageError
        If `actions` is something else.
    """
    source = os.fspath(path)
    clip = _CLIP.fullmatch(Path(path).stem)
    if clip is None:
        raise InputError(f"{source}: is not called by subject and trial, such as 02_01.bvh")
    description = _description(Path(path), int(clip["subject"]), int(clip["trial"]))
    action = named(description or "", actions)
    poses = _read_amc(Path(path)) if Path(path).suffix.lower() == ".amc" else _read_bvh(path)
    return poses.replace(
        subject=clip["subject"],
        sequence=clip[0],
        action=None if description is None else action,
        dataset="cmu-mocap",
        path=source,
    )


def _read_amc(path: Path) -> PoseSet:
    return read_amc(path.with_name(f"{path.stem.split('_')[0]}.asf"), path)


def _read_bvh(path: str | os.PathLike[str]) -> PoseSet:
    bvh = read_bvh(path)
    return PoseSet(
        to_h36m17(bvh),
        skeleton=H36M17,
        unit="mm",
        reference="world",
        origin="absolute",
        frame=np.arange(len(bvh)),
        fps=bvh.fps,
        source=bvh.source,
    )


def to_h36m17(bvh: Bvh) -> Floats:
    """Poses (N, 17, 3) in mm."""
    at = {joint: bvh.index(bone) for joint, bone in _BONES.items()}
    world = _with_thorax(bvh).positions()
    return h36m17_poses({joint: world[:, bone] * MM_PER_UNIT for joint, bone in at.items()})


def _with_thorax(bvh: Bvh) -> Bvh:
    """The skeleton with neck and shoulders moved to the upper end of the thorax bone that the files leave out."""
    spine = bvh.index("Spine1")
    offsets = bvh.offsets.copy()
    for name in _ON_THORAX:
        bone = bvh.index(name)
        if bvh.parents[bone] != spine or offsets[bone].any():
            raise InputError(
                f"{bvh.source}: {name} does not begin where Spine1 does, as in the CMU conversion without thorax bone; "
                "this is another conversion, whose joints would be misplaced"
            )
        # In the axes of Spine1, which turn with it.
        offsets[bone] = 0, np.linalg.norm(offsets[spine]), 0
    return replace(bvh, offsets=offsets)


def _description(path: Path, subject: int, trial: int) -> str | None:
    """What `motions.csv` says of a clip; None without such a file, or if it does not list the clip."""
    for folder in path.resolve().parents[:3]:
        index = folder / "motions.csv"
        if index.is_file():
            return _listed(index, subject, trial)
    return None


def _listed(index: Path, subject: int, trial: int) -> str | None:
    try:
        with index.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            for row in rows:
                if int(row["subject"]) == subject and int(row["trial"]) == trial:
                    return row["description"] or None
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError):
        raise InputError(f"{index}: is not a table with columns subject, trial (whole numbers), description") from None
    return None
