"""Which motions go into which split, and how they are thinned: by a stride and by nothing else.

Subjects are named by database and actor, as in the protocol `open4v`. Nobody is in both training and test. Of the
training subjects' sequences every fourth is held out for `pretrain2d`, on which 2D networks are trained before anything
is known of the target domain: it is seen by single cameras, on other bodies, in other rooms.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from posebench.datasets.cmu import cmu_clips
from posebench.datasets.hdm05 import hdm05_clips
from posebench.datasets.open4v.images import PRETRAIN_IMAGES, STUDIO_IMAGES, WILD_IMAGES
from posebench.datasets.open4v.motions import Motion, read_clip, synthetic_motion
from posebench.datasets.open4v.scene import ANYWHERE, STUDIO, WILD, RigRange
from posebench.errors import InputError, UsageError

Size = Literal["tiny", "small", "full"]
Motions = Literal["mocap", "synthetic"]
SIZES: tuple[str, ...] = get_args(Size)
MOTIONS: tuple[str, ...] = get_args(Motions)

TRAIN_SUBJECTS = ("cmu01", "cmu03", "cmu05", "cmu06", "cmu07", "hdm05bd", "hdm05bk", "hdm05dg")
TEST_SUBJECTS = ("cmu02", "cmu08", "cmu09", "hdm05mm", "hdm05tr")
SYNTHETIC_TRAIN, SYNTHETIC_TEST = ("syn01", "syn02", "syn03", "syn04"), ("syn05", "syn06")
#: Every so many sequences of a training subject, in the order of their names, one is held out for `pretrain2d`.
HELD_OUT = 4


@dataclass(frozen=True)
class Split:
    """One part of the data set: what it is for, and how it looks."""

    name: str
    purpose: str
    rig: RigRange
    images: tuple[str, ...]
    views: int = 4
    #: Whether the bodies are those of the subjects, dressed as in the studio, or others in each sequence.
    others: bool = False
    wild: bool = False
    #: Whether positions in 3D are written too.
    labels_3d: bool = True
    #: What the files call the data set that this split belongs to; the protocol `open4v` selects by it.
    dataset: str = "open4v"


SPLITS: Mapping[str, Split] = {
    split.name: split
    for split in (
        Split("train", "training subjects, four synchronised cameras", STUDIO, STUDIO_IMAGES),
        Split("test", "test subjects, as in training", STUDIO, STUDIO_IMAGES),
        Split(
            "wild",
            "open4v-wild: the test subjects' motions on other bodies, in other rooms, through other cameras",
            WILD,
            WILD_IMAGES,
            others=True,
            wild=True,
            dataset="open4v-wild",
        ),
        Split(
            "pretrain2d",
            "held-out sequences of training subjects on other bodies; single pictures with labels in 2D",
            ANYWHERE,
            PRETRAIN_IMAGES,
            views=1,
            others=True,
            wild=True,
            labels_3d=False,
            dataset="open4v-pretrain2d",
        ),
    )
}
#: Size -> split -> frames of a 120 Hz motion from one that is taken to the next.
STRIDES: Mapping[str, Mapping[str, int]] = {
    "tiny": {"train": 600, "test": 600, "wild": 600, "pretrain2d": 150},
    "small": {"train": 28, "test": 48, "wild": 48, "pretrain2d": 3},
    "full": {"train": 6, "test": 6, "wild": 6, "pretrain2d": 1},
}
#: Size -> split -> takes of each synthetic subject, and frames of each.
_TAKES: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "tiny": {"train": (2, 6), "test": (1, 6), "wild": (1, 6), "pretrain2d": (1, 24)},
    "small": {"train": (25, 40), "test": (25, 20), "wild": (25, 20), "pretrain2d": (25, 120)},
    "full": {"train": (100, 45), "test": (100, 40), "wild": (100, 40), "pretrain2d": (100, 92)},
}


@dataclass(frozen=True)
class Clip:
    """A sequence of a split, to be rendered in one go: a file of motion capture, or the number of a synthetic take."""

    split: str
    subject: str
    sequence: str
    stride: int
    path: str | None = None
    take: int = 0
    frames: int = 0

    @property
    def name(self) -> str:
        """What its files are called."""
        return f"{self.subject}-{self.sequence}"

    @property
    def folder(self) -> str:
        """Where its pictures are, below the folder of the data set."""
        return f"images/{self.split}/{self.subject}/{self.sequence}"

    def motion(self, seed: int) -> Motion:
        """Read or make it.

        Raises
        ------
        InputError
            If its file is damaged or truncated.
        """
        if self.path is not None:
            return read_clip(self.path, stride=self.stride)
        return synthetic_motion(self.subject, self.take, frames=self.frames, seed=seed)


def clips_of(
    size: str, motions: str, *, root: str | os.PathLike[str] | None = None, splits: tuple[str, ...] = tuple(SPLITS)
) -> list[Clip]:
    """All clips of some splits.

    Parameters
    ----------
    size : {"tiny", "small", "full"}
    motions : {"mocap", "synthetic"}
    root : path, optional
        The folder that holds `cmu-mocap` and `hdm05`; by default what the environment variable POSEBENCH_DATA says.
    splits : tuple of str

    Raises
    ------
    UsageError
        If one of them is unknown, or nobody says where the motion capture is.
    InputError
        If a subject has no clips there.
    """
    for value, known, what in ((size, SIZES, "size"), (motions, MOTIONS, "motions")):
        if value not in known:
            raise UsageError(f"{what} is {value!r}, expected one of {', '.join(known)}")
    unknown = [name for name in splits if name not in SPLITS]
    if unknown or not splits:
        raise UsageError(f"expected splits out of {', '.join(SPLITS)}, got {', '.join(unknown) or 'none'}")
    try:
        captured = _captured(root) if motions == "mocap" else {}
    except UsageError as error:
        raise UsageError(f"{error}; or render with synthetic motions, which need no data") from None
    clips = []
    for split in splits:
        train = split in ("train", "pretrain2d")
        if motions == "synthetic":
            takes, frames = _TAKES[size][split]
            for subject in SYNTHETIC_TRAIN if train else SYNTHETIC_TEST:
                # Held-out takes have numbers of their own.
                first = 501 if split == "pretrain2d" else 1
                clips += [
                    Clip(split, subject, f"{subject}_{take:02d}", 1, take=take, frames=frames)
                    for take in range(first, first + takes)
                ]
            continue
        stride = STRIDES[size][split]
        for subject in TRAIN_SUBJECTS if train else TEST_SUBJECTS:
            for number, path in enumerate(captured[subject], 1):
                if not train or (number % HELD_OUT == 0) == (split == "pretrain2d"):
                    clips.append(Clip(split, subject, path.stem, stride, str(path)))
    return clips


def _captured(root: str | os.PathLike[str] | None) -> dict[str, list[Path]]:
    """Subject -> clips, sorted."""
    found: dict[str, list[Path]] = {subject: [] for subject in (*TRAIN_SUBJECTS, *TEST_SUBJECTS)}
    for path in cmu_clips(root):
        found.setdefault(f"cmu{path.stem.split('_')[0]}", []).append(path)
    for path in hdm05_clips(root):
        match = re.match(r"HDM_([a-z]{2})_", path.name)
        assert match is not None
        found.setdefault(f"hdm05{match[1]}", []).append(path)
    for subject in (*TRAIN_SUBJECTS, *TEST_SUBJECTS):
        if not found[subject]:
            raise InputError(
                f"the motion capture data have no clip of {subject}, which Open4V needs; complete them, or render with "
                "synthetic motions"
            )
    return found


__all__ = [
    "HELD_OUT",
    "MOTIONS",
    "SIZES",
    "SPLITS",
    "STRIDES",
    "SYNTHETIC_TEST",
    "SYNTHETIC_TRAIN",
    "TEST_SUBJECTS",
    "TRAIN_SUBJECTS",
    "Clip",
    "Motions",
    "Size",
    "Split",
    "clips_of",
]
