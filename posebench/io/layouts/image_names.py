"""Keys out of the names of images: Human3.6M's and MPI-INF-3DHP's, as the usual converters spell them.

| name | who writes it |
|---|---|
| ``S9_Directions_1.54138969_000001.jpg`` | MMPose (`preprocess_h36m.py`): the name of the video, spaces replaced |
| ``s_09_act_02_subact_01_ca_01_000001.jpg`` | Integral Human Pose, 3DMPPE and many after them |
| ``S1_Seq1_Cam0_000001.jpg``, ``TS1_000001.jpg`` | MMPose (`preprocess_mpi_inf_3dhp.py`) |

Folders before the name do not matter. The numbers in all of them begin at 1; the key `frame` counts from 0, as it does
in VideoPose3D's files and in MPI-INF-3DHP's own, so that the same frame has the same key in every layout.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.io.facts import Facts, TextColumn, shown, shown_kind
from posebench.poses import KEYS, KeyColumn

#: Human3.6M's actions in the order of their numbers, which begin at 2.
ACTIONS = (
    *("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases", "Sitting", "SittingDown"),
    *("Smoking", "Photo", "Waiting", "Walking", "WalkDog", "WalkTogether"),
)
#: What some subjects' videos are called for the same action; VideoPose3D renames them in the same way.
_OTHER_NAMES = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog"}

_END = r"[0-9]{1,12})\.(?:jpe?g|png)"
_VIDEO = re.compile(r"(S[0-9]{1,3})_([A-Za-z]{1,40}(?:[ _][0-9]{1,3})?)\.([0-9]{8})_(" + _END, re.IGNORECASE)
_NUMBERS = re.compile(r"s_([0-9]{1,3})_act_([0-9]{1,3})_subact_([0-9]{1,3})_ca_([0-9]{1,3})_(" + _END, re.IGNORECASE)
_3DHP_TRAIN = re.compile(r"(S[0-9]{1,3})_(Seq[0-9]{1,3})_(Cam[0-9]{1,3})_(" + _END, re.IGNORECASE)
_3DHP_TEST = re.compile(r"(TS[0-9]{1,3})_(" + _END, re.IGNORECASE)


@dataclass(frozen=True)
class ImageName:
    """What one name says; keys that it does not have are empty."""

    dataset: str
    subject: str
    action: str
    sequence: str
    camera: str
    frame: int


@dataclass(frozen=True)
class ImageKeys:
    """The key columns of a list of names and the data set that they are of, or a note why there are none."""

    columns: dict[str, KeyColumn | npt.NDArray[np.int64]]
    dataset: str | None = None
    note: str | None = None

    @property
    def skeleton(self) -> str | None:
        """The skeleton of 17 joints that the data set has in these layouts."""
        return {"h36m": "h36m17", "3dhp": "3dhp17"}.get(self.dataset or "")


def parse_image_name(name: str) -> ImageName | None:
    """The keys that the name of an image holds, None if it is spelt in no known way.

    Examples
    --------
    >>> parse_image_name("S9/S9_Greeting_2.54138969/S9_Greeting_2.54138969_000321.jpg")
    ImageName(dataset='h36m', subject='S9', action='Greeting', sequence='Greeting 2', camera='54138969', frame=320)
    >>> parse_image_name("frame_000001.jpg")
    """
    base = re.split(r"[/\\]", name[-1000:])[-1]
    if found := _VIDEO.fullmatch(base):
        action, sequence = action_and_sequence(found[2].replace("_", " "))
        return ImageName("h36m", found[1], action, sequence, found[3], int(found[4]) - 1)
    if found := _NUMBERS.fullmatch(base):
        subject, act, subact, camera, frame = map(int, found.groups())
        if not 2 <= act < 2 + len(ACTIONS):
            return None
        action = ACTIONS[act - 2]
        return ImageName("h36m", f"S{subject}", action, f"{action} subact {subact}", str(camera), frame - 1)
    if found := _3DHP_TRAIN.fullmatch(base):
        return ImageName("3dhp", found[1], "", found[2], found[3], int(found[4]) - 1)
    if found := _3DHP_TEST.fullmatch(base):
        return ImageName("3dhp", found[1], "", "", "", int(found[2]) - 1)
    return None


def action_and_sequence(sequence: str) -> tuple[str, str]:
    """Action and sequence out of the name of a Human3.6M video: the action is what stands before the first space.

    Examples
    --------
    >>> action_and_sequence("Directions 1"), action_and_sequence("TakingPhoto")
    (('Directions', 'Directions 1'), ('Photo', 'Photo'))
    """
    action, space, rest = sequence.partition(" ")
    action = _OTHER_NAMES.get(action, action)
    return action, action + space + rest


def image_keys(names: Sequence[Any], source: str) -> ImageKeys:
    """The keys of every pose out of the names of their images: of all, or of none with a note that says why.

    Parameters
    ----------
    names : sequence of str or bytes
        One per pose.

    Raises
    ------
    InputError
        If a name is no text.

    Examples
    --------
    >>> keys = image_keys(["TS1_000001.jpg", "TS1_000007.jpg"], "a.npz")
    >>> keys.dataset, list(keys.columns), keys.columns["frame"].tolist()
    ('3dhp', ['subject', 'frame'], [0, 6])
    >>> image_keys(["0.jpg"], "a.npz").note
    "a.npz: no keys, for the image name '0.jpg' says no subject, action and frame"
    """
    columns = {key: TextColumn() for key in ("subject", "action", "sequence", "camera")}
    frames = np.zeros(len(names), np.int64)
    first: ImageName | None = None
    for row, name in enumerate(names):
        text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
        if not isinstance(text, str):
            raise InputError(f"{source}: the image name of pose {row} is {shown_kind(text)}, expected text")
        parsed = parse_image_name(text)
        if parsed is None:
            what = f"no keys, for the image name {shown(text)} says no subject, action and frame"
            return ImageKeys({}, note=f"{source}: {what}")
        first = first or parsed
        if parsed.dataset != first.dataset or bool(parsed.camera) != bool(first.camera):
            return ImageKeys({}, note=f"{source}: no keys, for image names are spelt in two ways, {shown(text)} last")
        for key, column in columns.items():
            column.append(getattr(parsed, key))
        frames[row] = parsed.frame
    if first is None:
        return ImageKeys({})
    kept: dict[str, KeyColumn | npt.NDArray[np.int64]] = {
        key: column.finish(key, source) for key, column in columns.items() if getattr(first, key)
    }
    return ImageKeys({**kept, "frame": frames}, first.dataset)


def facts_named(poses: npt.NDArray[Any], keys: ImageKeys) -> Facts:
    """Poses with the keys of their images, the data set that these are of, and its skeleton if there are 17 joints.

    Examples
    --------
    >>> facts = facts_named(np.zeros((1, 17, 3)), image_keys(["TS1_000001.jpg"], "a.npz"))
    >>> facts.dataset, facts.skeleton, facts.reference
    ('3dhp', '3dhp17', 'camera')
    """
    facts = Facts(poses)
    for key in KEYS:
        if key in keys.columns:
            setattr(facts, key, keys.columns[key])
    facts.dataset = keys.dataset
    if poses.shape[1] == 17 and keys.skeleton is not None:
        facts.skeleton, facts.reference = keys.skeleton, "camera"
    if keys.note is not None:
        facts.notes.append(keys.note)
    return facts
