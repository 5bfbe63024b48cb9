"""HDM05 motion capture as H36M-17 poses: the cut clips, in Acclaim files.

The files are looked for in `hdm05/ACTOR/HDM_ACTOR_ACTION_TAKE_120.amc` below the folder that the environment variable
POSEBENCH_DATA names, each beside its actor's skeleton `HDM_ACTOR.asf`. Five people (bd, bk, dg, mm, tr) act.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from posebench.datasets.acclaim import read_amc
from posebench.datasets.actions import Naming, named
from posebench.errors import InputError, UsageError
from posebench.poses import PoseSet

#: To be shown wherever the data, or something made of them, are.
HDM05_ATTRIBUTION = (
    "M. Müller, T. Röder, M. Clausen, B. Eberhardt, B. Krüger, A. Weber: Documentation Mocap Database HDM05. "
    "Technical report CG-2007-2, Universität Bonn, June 2007."
)
#: Under which terms.
HDM05_LICENCE = "CC BY-SA 3.0"

_CLIP = re.compile(r"HDM_(?P<actor>[a-z]{2})_(?P<action>[A-Za-z0-9-]+)_(?P<take>[0-9]{2,3})_(?P<rate>[0-9]{2,3})")


def hdm05_clips(root: str | os.PathLike[str] | None = None) -> list[Path]:
    """All clips below a data folder, sorted by actor, action and take.

    Parameters
    ----------
    root : path, optional
        The folder that holds `hdm05`; by default what the environment variable POSEBENCH_DATA says.

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
                "holds hdm05"
            )
    folder = Path(root) / "hdm05"
    found = [(clip.groups(), path) for path in folder.glob("*/*.amc") if (clip := _CLIP.fullmatch(path.stem))]
    if not found:
        raise InputError(f"{folder}: holds no clips such as bd/HDM_bd_squat1Reps_001_120.amc")
    return [path for _, path in sorted(found)]


def read_hdm05(path: str | os.PathLike[str], *, actions: Naming = "description") -> PoseSet:
    """Read one clip as H36M-17 poses in mm.

    Coordinates are those of the laboratory: absolute, y up. Pelvis and thorax are the midpoints of hips and shoulders,
    the spine is halfway between them. As in `read_cmu`, the nose is only near, and the wrists lie too near the elbows:
    the forearm ends where the bone `radius` does. Frames are numbered as in the file, from 1.

    Parameters
    ----------
    path : path
        A file called `HDM_ACTOR_ACTION_TAKE_RATE.amc`, beside which lies `HDM_ACTOR.asf`. The rate is in frames per
        second.
    actions : {"description", "class"}
        Whether `action` is the database's name of the action, such as `squat1Reps`, or its class (`action_class`).

    Raises
    ------
    InputError
        If the file is not called so, if one of the two is not there or not whole, or if they do not belong together.
    UsageError
        If `actions` is something else.
    """
    source = os.fspath(path)
    clip = _CLIP.fullmatch(Path(path).stem)
    if clip is None:
        raise InputError(
            f"{source}: is not called by actor, action, take and rate, such as HDM_bd_squat1Reps_001_120.amc"
        )
    action = named(clip["action"], actions)
    skeleton = Path(path).with_name(f"HDM_{clip['actor']}.asf")
    return read_amc(skeleton, path, fps=float(clip["rate"])).replace(
        subject=clip["actor"], sequence=clip[0], action=action, dataset="hdm05", path=source
    )


__all__ = ["HDM05_ATTRIBUTION", "HDM05_LICENCE", "hdm05_clips", "read_hdm05"]
