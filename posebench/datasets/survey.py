"""What the motion capture below a data folder holds: `python -m posebench.datasets.survey [FOLDER]`.

Reads every clip of CMU and HDM05 that is there and prints clips, frames, which frames `usable_frames` drops, how often
a joint is faster than any body's, and the clips and usable frames of each action class; then, on stderr, the seconds
it took. docs/datasets.md has the numbers of this command.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from posebench.datasets.actions import ACTION_CLASSES
from posebench.datasets.cmu import cmu_clips, read_cmu
from posebench.datasets.hdm05 import hdm05_clips, read_hdm05
from posebench.datasets.quality import unusable_frames
from posebench.errors import InputError, PosebenchError
from posebench.poses import PoseSet

#: m/s that no joint of a body reaches; kicks in these databases come to 12.7.
TOO_FAST = 20.0


@dataclass
class Survey:
    """Counts over the clips of one database; `clips_of` and `frames_of` count by action class."""

    name: str
    clips: int = 0
    frames: int = 0
    usable: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    too_fast: int = 0
    clips_of: Counter[str] = field(default_factory=Counter)
    frames_of: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, clip: PoseSet) -> None:
        """Count one clip, whose `action` is a class."""
        faults = unusable_frames(clip)
        usable = ~np.any(list(faults.values()), axis=0)
        action = "other" if clip.action is None else clip.action.names[0]
        self.clips += 1
        self.frames += len(clip)
        self.usable += int(usable.sum())
        self.dropped.update({fault: int(mask.sum()) for fault, mask in faults.items()})
        self.too_fast += _too_fast(clip[usable])
        self.clips_of[action] += 1
        self.frames_of[action] += int(usable.sum())


def _too_fast(clip: PoseSet) -> int:
    """How many steps from one frame to the next take a joint faster than `TOO_FAST`."""
    if clip.fps is None or clip.frame is None:
        return 0
    step = np.linalg.norm(np.diff(clip.poses, axis=0), axis=-1).max(axis=1, initial=0) / 1000 * clip.fps
    return int(((step > TOO_FAST) & (np.diff(clip.frame) == 1)).sum())


def survey(name: str, paths: list[Path], read: Callable[[Path], PoseSet]) -> Survey:
    """Read the clips one after the other and count."""
    found = Survey(name)
    begun = time.perf_counter()
    for path in paths:
        found.add(read(path))
    found.seconds = time.perf_counter() - begun
    return found


def rendered(surveys: list[Survey]) -> str:
    """The counts as two tables."""
    faults = list(dict.fromkeys(fault for each in surveys for fault in each.dropped))
    rows = [["", "clips", "frames", *faults, "usable", f"> {TOO_FAST:g} m/s"]]
    for each in surveys:
        counts = (each.clips, each.frames, *(each.dropped[fault] for fault in faults), each.usable, each.too_fast)
        rows.append([each.name, *(f"{count:,}" for count in counts)])
    classes = [["class", *(f"{each.name} {what}" for each in surveys for what in ("clips", "frames"))]]
    for name in ACTION_CLASSES:
        counts = tuple(count for each in surveys for count in (each.clips_of[name], each.frames_of[name]))
        classes.append([name, *(f"{count:,}" for count in counts)])
    return f"{_table(rows)}\n\n{_table(classes)}"


def _table(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def main(arguments: list[str] | None = None) -> int:
    """Print the survey of a folder; 2 if it holds neither database, or a clip cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m posebench.datasets.survey", description=__doc__)
    parser.add_argument(
        "folder",
        nargs="?",
        default=os.environ.get("POSEBENCH_DATA"),
        help="holds cmu-mocap, hdm05 or both; by default what the environment variable POSEBENCH_DATA says",
    )
    folder = parser.parse_args(arguments).folder
    if not folder:
        print("Error: name the folder of the data, or set POSEBENCH_DATA to it", file=sys.stderr)
        return 2
    surveys = []
    try:
        if (Path(folder) / "cmu-mocap").is_dir():
            surveys.append(survey("cmu-mocap", cmu_clips(folder), lambda path: read_cmu(path, actions="class")))
        if (Path(folder) / "hdm05").is_dir():
            surveys.append(survey("hdm05", hdm05_clips(folder), lambda path: read_hdm05(path, actions="class")))
        if not surveys:
            raise InputError(f"{folder}: holds neither cmu-mocap nor hdm05")
    except PosebenchError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print(rendered(surveys))
    for each in surveys:
        print(f"{each.name}: {each.frames:,} frames read in {each.seconds:.1f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
