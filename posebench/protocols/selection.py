"""Selection: which frames of a data set a protocol takes. Apart from the definition, since it only fits that data set.

Names are compared without case, punctuation and leading zeros, as codes and releases spell them in many ways: `S9`,
`s_09` and `9` are one subject, `Greeting 2` and `Greeting-2` one sequence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.poses import KeyColumn, PoseSet

#: Other spellings of a data set's name, as `plain` leaves them.
_DATASETS = {
    **{"human36m": "h36m", "human3.6m": "h36m", "mpiinf3dhp": "3dhp", "mupots3d": "mupots"},
    "open4vwild": "open4v-wild",
}


@dataclass(frozen=True)
class Clip:
    """One sequence of a subject.

    Human3.6M's clips have two names: by action and trial, as in `Greeting 2`, and by the
    file in its release, where one clip of an action has no number, as in `Greeting`; the numbers do not agree.
    """

    subject: str
    sequence: str
    #: Name in the release; the same unless given.
    release: str | None = None

    def __str__(self) -> str:
        return f"{self.subject} {self.sequence}"


@dataclass(frozen=True)
class Selection:
    """Which frames of which data set count.

    Examples
    --------
    >>> chosen = Selection("h36m", subjects=("S9", "S11"), stride=64)
    >>> gt = PoseSet(np.zeros((3, 17, 3)), subject=["S1", "S9", "S9"], frame=[0, 0, 1], dataset="h36m")
    >>> chosen.rows(gt).tolist()
    [False, True, False]
    """

    dataset: str
    #: None for all.
    subjects: tuple[str, ...] | None = None
    #: Every so many frames of each sequence and camera, from its first frame on.
    stride: int = 1
    #: What is left out.
    skip: tuple[Clip, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "dataset": self.dataset,
            "subjects": None if self.subjects is None else list(self.subjects),
            "stride": self.stride,
            "skip": [
                {"subject": clip.subject, "sequence": clip.sequence}
                | ({} if clip.release is None else {"release": clip.release})
                for clip in self.skip
            ],
        }

    def obstacle(self, gt: PoseSet) -> str | None:
        """Why this selection cannot be applied to a ground truth, or None."""
        if gt.dataset is None:
            return f"{gt.source} does not say that it is of {self.dataset}"
        if dataset_name(gt.dataset) != self.dataset:
            return f"{gt.source} is of {gt.dataset}, not of {self.dataset}"
        needed = {
            "subject": self.subjects is not None or bool(self.skip),
            "frame": self.stride > 1,
        }
        lacking = [key for key, wanted in needed.items() if wanted and getattr(gt, key) is None]
        if self.skip and _clip_names(gt) is None:
            lacking.append("sequence")
        return f"{gt.source} has no {' and no '.join(lacking)} keys" if lacking else None

    def rows(self, gt: PoseSet) -> npt.NDArray[np.bool_]:
        """Which poses (N,) are taken; only where `obstacle` finds none."""
        chosen = np.ones(len(gt), np.bool_)
        if self.subjects is not None and gt.subject is not None:
            chosen &= _among(gt.subject, self.subjects)
        for clip in self.skip:
            assert gt.subject is not None
            chosen &= ~(_among(gt.subject, (clip.subject,)) & _is_clip(gt, clip))
        if self.stride > 1:
            assert gt.frame is not None
            chosen &= (gt.frame - _first_frames(gt)) % self.stride == 0
        return chosen

    def not_found(self, gt: PoseSet) -> tuple[str, ...]:
        """Sequences to be left out that a ground truth does not have under that name, though it has their subject."""
        if gt.subject is None:
            return ()
        found = []
        for clip in self.skip:
            rows = _among(gt.subject, (clip.subject,))
            if rows.any() and not (rows & _is_clip(gt, clip)).any():
                found.append(str(clip))
        return tuple(found)


def dataset_name(text: str) -> str:
    """A data set's name in the one spelling that protocols use.

    Examples
    --------
    >>> dataset_name("Human3.6M"), dataset_name("MPI-INF-3DHP"), dataset_name("Open4V-wild")
    ('h36m', '3dhp', 'open4v-wild')
    """
    bare = re.sub(r"[^a-z0-9.]", "", text.lower())
    return _DATASETS.get(bare, bare)


def plain(name: str) -> str:
    """A key's name without what spellings differ in.

    Examples
    --------
    >>> plain("s_09") == plain("S9"), plain("Greeting 2") == plain("Greeting-2"), plain("TS1") == plain("TS2")
    (True, True, False)
    """
    return re.sub(r"0+(?=[0-9])", "", re.sub(r"[^a-z0-9]", "", name.lower()))


def same_subject(name: str, wanted: str) -> bool:
    """Whether two names are of one subject; a bare number is the subject of that number."""
    a, b = plain(name), plain(wanted)
    return a == b or (a.isdigit() and b.lstrip("s") == a and b[:1] == "s")


def _among(column: KeyColumn, wanted: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    hits = np.array([any(same_subject(name, subject) for subject in wanted) for name in column.names], np.bool_)
    return hits[column.codes]


def _is_clip(gt: PoseSet, clip: Clip) -> npt.NDArray[np.bool_]:
    """Where a clip is, under the naming that the ground truth follows."""
    named = _clip_names(gt)
    assert named is not None
    names, codes = named
    # Only a release has clips without a number.
    release = any(not name[-1:].isdigit() for name in names)
    wanted = plain(clip.release if release and clip.release is not None else clip.sequence)
    return np.array([name == wanted for name in names], np.bool_)[codes]


def _clip_names(gt: PoseSet) -> tuple[list[str], npt.NDArray[np.int64]] | None:
    """Names of clips, and the number of its name for each pose; None where the keys do not tell clips apart."""
    if gt.sequence is None:
        # Actions alone say which trial it is if some of them are numbered.
        names = [] if gt.action is None else [plain(action) for action in gt.action.names]
        if gt.action is None or not any(name[-1:].isdigit() for name in names):
            return None
        return names, gt.action.codes.astype(np.int64)
    # The lists of images say "Greeting subact 2" for what codes call "Greeting 2".
    sequences = [plain(name).replace("subact", "") for name in gt.sequence.names]
    if gt.action is None:
        return sequences, gt.sequence.codes.astype(np.int64)
    # A sequence's name has the action in front, as in "Greeting 2", or stands beside it, as in "2".
    actions = [plain(name) for name in gt.action.names]
    pairs = gt.action.codes.astype(np.int64) * len(sequences) + gt.sequence.codes
    present, codes = np.unique(pairs, return_inverse=True)
    joined = []
    for pair in present.tolist():
        action, sequence = actions[pair // len(sequences)], sequences[pair % len(sequences)]
        joined.append(sequence if sequence.startswith(action) else action + sequence)
    return joined, codes.astype(np.int64)


def _first_frames(gt: PoseSet) -> npt.NDArray[np.int64]:
    """For each pose, the smallest frame number of its sequence and camera."""
    assert gt.frame is not None
    codes = np.zeros(len(gt), np.int64)
    for key in ("subject", "action", "sequence", "camera"):
        column = getattr(gt, key)
        if column is not None:
            codes = np.unique(codes * max(len(column.names), 1) + column.codes, return_inverse=True)[1]
    first = np.full(int(codes.max(initial=0)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, codes, gt.frame)
    return first[codes]
