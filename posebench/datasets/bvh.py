"""Biovision hierarchy files (.bvh): a strict parser, and forward kinematics to joint positions in the world.

What a file leaves open is not guessed: lengths stay in the file's unit and axes as they are. Which bone is which human
joint is for the data sets' own modules to say.
"""

from __future__ import annotations

import io
import os
import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from posebench.datasets.kinematics import Floats, turn
from posebench.datasets.parsing import LARGEST, Words, lines_of, number, parsed, shown
from posebench.errors import InputError
from posebench.io.array_file import refuse_irregular

#: Joints and End Sites in a file; a body with all its fingers has fewer than 100.
JOINT_LIMIT = 1000
#: Coordinates that `Bvh.positions` returns at most: 2 GiB of float64.
POSITION_LIMIT = 2**28
#: Frames that `Bvh.positions` works on at a time: the rotations of a body then fit into a processor's cache.
BLOCK = 512

_CHANNEL = re.compile(r"(?P<axis>[xyz])(?P<kind>position|rotation)", re.IGNORECASE | re.ASCII)
_CHANNELS = "Xposition, Yposition, Zposition, Xrotation, Yrotation, Zrotation"


@dataclass(frozen=True, eq=False)
class Bvh:
    """A skeleton of B joints and End Sites, parents before children, and its motion in N frames.

    An End Site is called after its joint, `Head_End`. `channels[b]` names the channels of joint b in the order of the
    file, spelled `Xposition`, `Yrotation` and so on; the columns of `motion` (N, C) are the channels of all joints, one
    joint after the other: lengths in the file's unit, angles in degrees. `offsets` (B, 3) lead from parent to child;
    `frame_time` is in seconds.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Floats
    channels: tuple[tuple[str, ...], ...]
    frame_time: float
    motion: Floats
    source: str = "bvh"

    def __len__(self) -> int:
        return len(self.motion)

    @property
    def fps(self) -> float:
        """Frames per second to two decimals: a file writes 120 Hz as .0083333."""
        return round(1 / self.frame_time, 2)

    def index(self, name: str) -> int:
        """Index of a joint or End Site by name; the name must match exactly."""
        try:
            return self.names.index(name)
        except ValueError:
            names = ", ".join(self.names)
            told = names if len(names) <= 400 else f"{names[:400]}..."
            raise InputError(f"{self.source}: has no joint {name!r}; it has {told}") from None

    def positions(self) -> Floats:
        """World positions (N, B, 3) of all joints and End Sites, in the file's unit: forward kinematics.

        A joint's rotation is the product of its rotation channels in the order of the file, R = R1 R2 R3, each about
        an axis that the ones before it have turned. A position channel takes the place of the offset along its axis:
        files that have such channels below the root, or an offset at it, repeat the offset in them.

        Raises
        ------
        InputError
            If there are more coordinates than `POSITION_LIMIT`.

        References
        ----------
        Meredith and Maddock, Motion capture file formats explained, University of Sheffield, 2001.
        """
        n, b = len(self), len(self.names)
        if 3 * n * b > POSITION_LIMIT:
            raise InputError(f"{self.source}: {n} frames of {b} joints are too many at once; read fewer frames")
        world = np.empty((n, b, 3))
        for start in range(0, n, BLOCK):
            world[start : start + BLOCK] = self._block(self.motion[start : start + BLOCK])
        return world

    def _block(self, motion: Floats) -> Floats:
        """World positions (N, B, 3) of some rows of the motion."""
        n, by_channel = len(motion), np.ascontiguousarray(motion.T)
        world = np.empty((len(self.names), 3, n))
        # axes[joint][a] (3, N) is where the local axis a of the joint points to in the world.
        axes: list[Floats] = []
        first = 0
        for joint, (parent, names) in enumerate(zip(self.parents, self.channels, strict=True)):
            channels = list(zip(names, by_channel[first : first + len(names)], strict=True))
            first += len(names)
            local = np.tile(self.offsets[joint][:, None], n)
            for name, values in channels:
                if name.endswith("position"):
                    local[_axis(name)] = values
            if parent < 0:
                world[joint], turned = local, np.tile(np.eye(3)[:, :, None], n)
            else:
                turned = axes[parent]
                world[joint] = world[parent] + (turned * local[:, None]).sum(axis=0)
            for name, values in channels:
                if name.endswith("rotation"):
                    turned = turn(turned, _axis(name), np.deg2rad(values))
            axes.append(turned)
        return world.transpose(2, 0, 1)


def _axis(channel: str) -> int:
    return "XYZ".index(channel[0])


def read_bvh(path: str | os.PathLike[str]) -> Bvh:
    """Read a .bvh file.

    Raises
    ------
    InputError
        If the file cannot be read, or is anything but one whole skeleton with its motion; the message has the line.
    """
    source = os.fspath(path)
    refuse_irregular(Path(path))
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            return parse_bvh(lines_of(file), source)
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: holds byte {error.object[error.start]:#x}, expected text in UTF-8") from None


def parse_bvh(text: str | Iterable[str], source: str = "bvh") -> Bvh:
    """Parse the text of a .bvh file, given whole or line by line; `source` is what messages call it.

    Raises
    ------
    InputError
        If a brace, an offset or a channel is missing or unknown, if the motion is not as many frames of as many numbers
        as the file promises, or if a number is not finite.

    Examples
    --------
    >>> bvh = parse_bvh('''HIERARCHY
    ... ROOT Hips
    ... {
    ...     OFFSET 0 0 0
    ...     CHANNELS 4 Xposition Yposition Zposition Zrotation
    ...     End Site
    ...     {
    ...         OFFSET 0 2 0
    ...     }
    ... }
    ... MOTION
    ... Frames: 1
    ... Frame Time: 0.04
    ... 10 20 30 90''')
    >>> bvh.names, bvh.fps
    (('Hips', 'Hips_End'), 25.0)
    >>> bvh.positions().round(6).tolist()
    [[[10.0, 20.0, 30.0], [8.0, 20.0, 30.0]]]
    """
    words = Words(io.StringIO(text) if isinstance(text, str) else text, source)
    words.expect("HIERARCHY")
    words.expect("ROOT")
    tree = _Tree(words)
    tree.read()
    words.expect("MOTION")
    frame_time, motion = _read_motion(words, sum(map(len, tree.channels)))
    return Bvh(
        tuple(tree.names),
        tuple(tree.parents),
        np.array(tree.offsets, np.float64),
        tuple(tree.channels),
        frame_time,
        motion,
        source,
    )


@dataclass
class _Tree:
    """The joints of a HIERARCHY block, in the order of the file: parents before children."""

    words: Words
    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[list[float]] = field(default_factory=list)
    channels: list[tuple[str, ...]] = field(default_factory=list)

    def read(self) -> None:
        """Read from the name of the root to its closing brace."""
        words = self.words
        open_joints = [self._open(words.next("the name of the root"), -1)]
        while open_joints:
            joint = open_joints[-1]
            expected = f"JOINT, End Site or the brace that closes {shown(self.names[joint])}"
            word = words.next(expected)
            match word.lower():
                case "joint":
                    open_joints.append(self._open(words.next("the name of a joint"), joint))
                case "end":
                    words.expect("Site")
                    self._open(f"{self.names[joint]}_End", joint, end_site=True)
                    words.expect("}")
                case "}":
                    open_joints.pop()
                case _:
                    raise words.error(f"expected {expected}, got {shown(word)}")

    def _open(self, name: str, parent: int, *, end_site: bool = False) -> int:
        """Read the braces' beginning: an offset, and the channels unless it is an End Site."""
        words = self.words
        if name in ("{", "}"):
            raise words.error(f"expected the name of a joint, got {name!r}")
        if name in self.names:
            raise words.error(f"a second joint is called {shown(name)}")
        if len(self.names) == JOINT_LIMIT:
            raise words.error(f"there are more than {JOINT_LIMIT} joints")
        words.expect("{", "OFFSET")
        self.names.append(name)
        self.parents.append(parent)
        self.offsets.append([number(words, f"an offset of {shown(name)}") for _ in range(3)])
        self.channels.append(() if end_site else self._read_channels(name))
        return len(self.names) - 1

    def _read_channels(self, name: str) -> tuple[str, ...]:
        words = self.words
        words.expect("CHANNELS")
        count = words.next("the number of channels")
        if count not in ("0", "1", "2", "3", "4", "5", "6"):
            raise words.error(f"expected a number of channels from 0 to 6, got {shown(count)}")
        channels: list[str] = []
        for _ in range(int(count)):
            channel = words.next("a channel")
            known = _CHANNEL.fullmatch(channel)
            if known is None:
                raise words.error(f"expected {count} channels out of {_CHANNELS}, got {shown(channel)}")
            canonical = known["axis"].upper() + known["kind"].lower()
            if canonical in channels:
                raise words.error(f"{shown(name)} has channel {canonical} twice")
            channels.append(canonical)
        return tuple(channels)


def _read_motion(words: Words, width: int) -> tuple[float, Floats]:
    """The MOTION block after its first word: seconds per frame, and the numbers (N, width)."""
    promised = words.labelled("Frames")
    if not re.fullmatch(r"[1-9][0-9]{0,11}", promised):
        raise words.error(f"expected a number of frames from 1 on, got {shown(promised)}")
    n = int(promised)
    promised_at = words.number
    frame_time = parsed(words, words.labelled("Frame Time"), "the frame time")
    if not 1e-5 <= frame_time <= 10:
        raise words.error(f"the frame time is {frame_time:g}, expected seconds from 0.00001 to 10")
    if width == 0:
        raise words.error("there is motion, but no joint has a channel")

    # Grows with what is there: the number that the file promises allocates nothing.
    numbers = array("d")
    numbered = array("q")
    while (line := words.line()) is not None:
        cells = line.split()
        if not cells:
            continue
        if len(numbered) == n:
            raise words.error(f"expected the end of the file after {n} frames, as line {promised_at} says")
        if len(cells) != width:
            raise words.error(f"has {len(cells)} numbers, expected {width}: one for each channel")
        numbered.append(words.number)
        try:
            # What float() takes beyond plain numbers is refused: 1_000, and digits of other scripts.
            if "_" in line or not line.isascii():
                raise ValueError
            numbers.extend(map(float, cells))
        except ValueError:
            for column, cell in enumerate(cells, 1):
                parsed(words, cell, f"column {column}")
            raise words.error("has characters other than ASCII") from None
    if len(numbered) < n:
        raise words.error(f"the file ends after {len(numbered)} frames, expected {n} as line {promised_at} says")
    motion = np.frombuffer(numbers).reshape(n, width)
    wrong = ~(np.abs(motion) <= LARGEST)  # NaN too
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        words.number = numbered[row]
        raise words.error(f"column {column + 1} is {motion[row, column]:g}, expected a number up to {LARGEST:g}")
    return frame_time, motion
