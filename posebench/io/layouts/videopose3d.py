"""VideoPose3D's `data_3d_h36m.npz`: `positions_3d`, a pickled dict {subject: {action: (frames, 32, 3)}}, in metres.

The file that its converter (`data/prepare_data_h36m.py`) writes is absolute, in the world. What the training code
makes of it in memory, and people save again, has a list with one array per camera in place of each array; there all
joints but the first may be relative to the first, which keeps the trajectory. That is told from where the hips are, and
undone.

Published files have 32 joints (Human3.6M's), 17 (what is left when the static ones are removed: H36M-17) or 15
(HumanEva). Frames count from 0 in each sequence, cameras by their place in the list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.io.facts import Facts, shown, shown_kind
from posebench.io.layouts.common import Reading, runs
from posebench.io.layouts.image_names import ACTIONS, action_and_sequence
from posebench.poses import as_poses
from posebench.skeletons import get_skeleton

NAME = "positions_3d"
_EXPECTED = "{subject: {action: array (frames, J, 3), or one such array per camera}}"
#: Arrays of one file; in a pickle one dict can stand for many subjects.
SEQUENCE_LIMIT = 100_000
_SUBJECT = re.compile("S[0-9]{1,2}")
_SKELETONS = {32: "h36m32", 17: "h36m17"}


@dataclass(frozen=True)
class _Sequence:
    """One array of the file with its names; `camera` is empty where arrays are not in a list."""

    subject: str
    action: str
    sequence: str
    camera: str
    poses: npt.NDArray[Any]
    where: str


def read_positions(raw: Mapping[str, Any], reading: Reading) -> Facts:
    """Read `positions_3d`.

    Raises
    ------
    InputError
        If it is no such dict of dicts, or its arrays differ in kind or in the number of joints.
    """
    table = raw[NAME]
    if isinstance(table, np.ndarray) and table.dtype.kind == "O" and table.ndim == 0:
        table = table.item()
    found = list(_sequences(table, reading))
    if len({bool(item.camera) for item in found}) > 1:
        first = next(item for item in found if bool(item.camera) != bool(found[0].camera))
        raise reading.error(first.where, f"and {found[0].where} are not both by camera, expected one kind in a file")
    poses = as_poses(reading.stack([item.poses for item in found], [item.where for item in found]), reading.source)
    counts = [len(item.poses) for item in found]
    facts = Facts(poses, unit="m")
    for key in ("subject", "action", "sequence", "camera"):
        if key != "camera" or found[0].camera:
            setattr(facts, key, runs([getattr(item, key) for item in found], counts, key, reading.source))
    facts.frame = np.concatenate([np.arange(count, dtype=np.int64) for count in counts])
    if all(_SUBJECT.fullmatch(item.subject) and item.action in ACTIONS for item in found):
        facts.skeleton = _SKELETONS.get(poses.shape[1])
        facts.dataset = "h36m"
    _place(facts, reading.source)
    return facts


def refuse_2d(raw: Mapping[str, Any], reading: Reading) -> Facts:
    """Refuse a file of VideoPose3D's 2D keypoints."""
    raise InputError(
        f"{reading.source}: holds 2D keypoints (positions_2d) alone, while poses to score are 3D; VideoPose3D keeps "
        "those in data_3d_*.npz, as positions_3d"
    )


def _sequences(table: Any, reading: Reading) -> Iterator[_Sequence]:
    """Every array of the nested dict; three steps down and no further."""
    count = 0
    for subject, actions in reading.mapping(table, NAME, _EXPECTED).items():
        place = f"{NAME}[{shown(subject)}]"
        for name, value in reading.mapping(actions, place, "a dict of actions").items():
            where = f"{place}[{shown(name)}]"
            action, sequence = action_and_sequence(name)
            for camera, item in _cameras(value, where, reading):
                count += 1
                if count > SEQUENCE_LIMIT:
                    raise reading.error(where, f"is array number {count}, expected at most {SEQUENCE_LIMIT}")
                at = f"{where}[{camera}]" if camera else where
                yield _Sequence(subject, action, sequence, camera, reading.poses(item, at), at)


def _cameras(value: Any, where: str, reading: Reading) -> Iterator[tuple[str, Any]]:
    """The arrays of one action: one without a camera, or one per camera."""
    stacked = isinstance(value, np.ndarray) and (value.ndim == 4 or (value.dtype.kind == "O" and value.ndim == 1))
    if stacked or isinstance(value, list | tuple):
        yield from ((str(i), value[i]) for i in range(len(value)))
    elif isinstance(value, np.ndarray):
        yield "", value
    else:
        raise reading.error(where, f"is {shown_kind(value)}, expected an array (frames, J, 3) or a list of them")


def _place(facts: Facts, source: str) -> None:
    """Say what the coordinates are relative to; needs to know which joints are the hips."""
    by_camera = facts.camera is not None
    facts.reference = "camera" if by_camera else "world"
    if facts.skeleton is None:
        facts.origin = None if by_camera else "absolute"
        return
    skeleton = get_skeleton(facts.skeleton)
    root = facts.poses[:, skeleton.index("pelvis")]
    hips = [facts.poses[:, skeleton.index(joint)] for joint in ("RHip", "LHip")]
    if not np.any(root):
        facts.origin = "root"
        if not by_camera:  # nobody centres what they keep in the world
            facts.reference = "unknown"
            facts.notes.append(f"{source}: the root lies in the origin, so the poses are not taken to be in the world")
        return
    facts.origin = "absolute"
    if not by_camera:
        return
    middle, width = (hips[0] + hips[1]) / 2, _median(hips[0] - hips[1])
    if _median(middle - root) > width >= _median(middle):
        others = np.arange(facts.poses.shape[1]) != skeleton.index("pelvis")
        facts.poses = np.where(others[:, None], facts.poses + root[:, None], facts.poses)
        facts.notes.append(
            f"{source}: only the root was absolute, as VideoPose3D prepares its data; it was added to the other joints"
        )


def _median(vectors: npt.NDArray[Any]) -> float:
    """Median length of vectors (N, 3), those that are not finite left out; 0 if none is."""
    lengths = np.linalg.norm(vectors, axis=1)
    known = lengths[np.isfinite(lengths)]
    return float(np.median(known)) if len(known) else 0.0
