"""Biovision hierarchy files (.bvh): a strict parser, and forward kinematics to joint positions in the world.

What a file leaves open is not guessed: lengths stay in the file's unit and axes as they are. Which bone is which human
joint is for the data sets' own modules to say.
"""

from __future__ import annotations

import io
import os
import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError

Floats = npt.NDArray[np.float64]

#: Characters in a line; 100,000 channels fit.
LINE_LIMIT = 2**20
#: Joints and End Sites in a file; a body with all its fingers has fewer than 100.
JOINT_LIMIT = 1000
#: Coordinates that `Bvh.positions` returns at most: 2 GiB of float64.
POSITION_LIMIT = 2**28
#: Frames that `Bvh.positions` works on at a time: the rotations of a body then fit into a processor's cache.
BLOCK = 512
#: No length and no angle is larger; beyond, sums would lose all digits.
LARGEST = 1e9

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
            raise InputError(f"{self.source}: has no joint {name!r}; it has {', '.join(self.names)}") from None

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
                    turned = _turn(turned, _axis(name), np.deg2rad(values))
            axes.append(turned)
        return world.transpose(2, 0, 1)


def _axis(channel: str) -> int:
    return "XYZ".index(channel[0])


def _turn(axes: Floats, about: int, angle: Floats) -> Floats:
    """Axes (3, 3, N) of a frame after it was turned about one of them: right-handed, the two others move."""
    a, b = (about + 1) % 3, (about + 2) % 3
    cosine, sine = np.cos(angle), np.sin(angle)
    turned = np.empty_like(axes)
    turned[about] = axes[about]
    turned[a] = cosine * axes[a] + sine * axes[b]
    turned[b] = cosine * axes[b] - sine * axes[a]
    return turned


def read_bvh(path: str | os.PathLike[str]) -> Bvh:
    """Read a .bvh file.

    Raises
    ------
    InputError
        If the file cannot be read, or is anything but one whole skeleton with its motion; the message has the line.
    """
    source = os.fspath(path)
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            return parse_bvh(_lines(file), source)
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
    words = _Words(io.StringIO(text) if isinstance(text, str) else text, source)
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


def _lines(file: TextIO) -> Iterator[str]:
    """The lines of a file; one longer than `LINE_LIMIT` comes in pieces, the first of which is too long."""
    return iter(lambda: file.readline(LINE_LIMIT + 1), "")


class _Words:
    """The words of a text one by one, or its lines, with the number of the line that was read last."""

    def __init__(self, lines: Iterable[str], source: str) -> None:
        self.number = 0
        self._source = source
        self._lines = iter(lines)
        self._left: list[str] = []

    def error(self, complaint: str) -> InputError:
        """An error at the current line."""
        return InputError(f"{self._source}: line {max(self.number, 1)}: {complaint}")

    def line(self) -> str | None:
        """The next line, None at the end; words of the current one that are left over are an error."""
        if self._left:
            raise self.error(f"expected the end of the line, got {_shown(self._left[-1])}")
        line = next(self._lines, None)
        if line is None:
            return None
        self.number += 1
        if len(line) > LINE_LIMIT:
            raise self.error(f"is longer than {LINE_LIMIT} characters")
        return line

    def next(self, expected: str) -> str:
        """The next word; `expected` says what it should be, should the text end."""
        while not self._left:
            line = self.line()
            if line is None:
                raise self.error(f"the file ends, expected {expected}")
            self._left = line.split()[::-1]
        return self._left.pop()

    def expect(self, *words: str) -> None:
        """Read these words, in capital letters or not."""
        for word in words:
            found = self.next(word)
            if found.lower() != word.lower():
                raise self.error(f"expected {word}, got {_shown(found)}")

    def labelled(self, label: str) -> str:
        """What follows `label` and a colon on the next line that is not blank."""
        line: str | None = ""
        while line is not None and not line.strip():
            line = self.line()
        if line is None:
            raise self.error(f"the file ends, expected '{label}:'")
        before, colon, value = line.partition(":")
        if not colon or before.lower().split() != label.lower().split():
            raise self.error(f"expected '{label}:', got {_shown(line.strip())}")
        return value.strip()


@dataclass
class _Tree:
    """The joints of a HIERARCHY block, in the order of the file: parents before children."""

    words: _Words
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
            expected = f"JOINT, End Site or the brace that closes {_shown(self.names[joint])}"
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
                    raise words.error(f"expected {expected}, got {_shown(word)}")

    def _open(self, name: str, parent: int, *, end_site: bool = False) -> int:
        """Read the braces' beginning: an offset, and the channels unless it is an End Site."""
        words = self.words
        if name in ("{", "}"):
            raise words.error(f"expected the name of a joint, got {name!r}")
        if name in self.names:
            raise words.error(f"a second joint is called {_shown(name)}")
        if len(self.names) == JOINT_LIMIT:
            raise words.error(f"there are more than {JOINT_LIMIT} joints")
        words.expect("{", "OFFSET")
        self.names.append(name)
        self.parents.append(parent)
        self.offsets.append([_number(words, f"an offset of {_shown(name)}") for _ in range(3)])
        self.channels.append(() if end_site else self._read_channels(name))
        return len(self.names) - 1

    def _read_channels(self, name: str) -> tuple[str, ...]:
        words = self.words
        words.expect("CHANNELS")
        count = words.next("the number of channels")
        if count not in ("0", "1", "2", "3", "4", "5", "6"):
            raise words.error(f"expected a number of channels from 0 to 6, got {_shown(count)}")
        channels: list[str] = []
        for _ in range(int(count)):
            channel = words.next("a channel")
            known = _CHANNEL.fullmatch(channel)
            if known is None:
                raise words.error(f"expected {count} channels out of {_CHANNELS}, got {_shown(channel)}")
            canonical = known["axis"].upper() + known["kind"].lower()
            if canonical in channels:
                raise words.error(f"{_shown(name)} has channel {canonical} twice")
            channels.append(canonical)
        return tuple(channels)


def _read_motion(words: _Words, width: int) -> tuple[float, Floats]:
    """The MOTION block after its first word: seconds per frame, and the numbers (N, width)."""
    promised = words.labelled("Frames")
    if not re.fullmatch(r"[1-9][0-9]{0,11}", promised):
        raise words.error(f"expected a number of frames from 1 on, got {_shown(promised)}")
    n = int(promised)
    promised_at = words.number
    frame_time = _parsed(words, words.labelled("Frame Time"), "the frame time")
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
                _parsed(words, cell, f"column {column}")
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


def _number(words: _Words, what: str) -> float:
    """The next word as a number that is neither NaN nor huge."""
    value = _parsed(words, words.next(what), what)
    if not abs(value) <= LARGEST:
        raise words.error(f"{what} is {value:g}, expected a number up to {LARGEST:g}")
    return value


def _parsed(words: _Words, text: str, what: str) -> float:
    try:
        if "_" not in text and text.isascii():
            return float(text)
    except ValueError:
        pass
    raise words.error(f"{what} is {_shown(text)}, expected a number")


def _shown(text: str) -> str:
    """A piece of the file as a message shows it: quoted, plain ASCII, not long."""
    return ascii(text if len(text) <= 40 else f"{text[:37]}...")
