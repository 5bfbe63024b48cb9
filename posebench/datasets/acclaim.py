"""Acclaim skeletons (.asf) and motions (.amc): strict parsers, and forward kinematics to bone ends in the world.

What a file leaves open is not guessed: lengths stay in the file's unit, and what programs read in different ways is
refused. `read_amc` makes poses of it, for skeletons with the bones of Vicon's BodyBuilder, which CMU and HDM05 share.
"""

from __future__ import annotations

import io
import os
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from posebench.datasets.kinematics import GIVEN, Floats, h36m17_poses, turn
from posebench.datasets.parsing import LARGEST, Words, lines_of, parsed, shown
from posebench.errors import InputError, UsageError
from posebench.io.array_file import refuse_irregular
from posebench.poses import PoseSet
from posebench.skeletons import H36M17

#: Bones in a file, the root among them; a body with all its fingers has fewer than 100.
BONE_LIMIT = 1000
#: Coordinates that `AcclaimMotion.positions` returns at most: 2 GiB of float64.
POSITION_LIMIT = 2**28
#: Frames that `AcclaimMotion.positions` works on at a time: the rotations of a body then fit into a processor's cache.
BLOCK = 512

#: H36M-17's joints -> the bones that end there, in skeletons of Vicon's BodyBuilder. The nose is only near: it is the
#: upper end of the neck. The radius ends short of the wrist; the bone `wrist` is the rest of the forearm.
JOINTS: Mapping[str, str] = {
    "RHip": "rhipjoint",
    "RKnee": "rfemur",
    "RAnkle": "rtibia",
    "LHip": "lhipjoint",
    "LKnee": "lfemur",
    "LAnkle": "ltibia",
    "nose": "upperneck",
    "head": "head",
    "LShoulder": "lclavicle",
    "LElbow": "lhumerus",
    "LWrist": "lradius",
    "RShoulder": "rclavicle",
    "RElbow": "rhumerus",
    "RWrist": "rradius",
}
#: What such skeletons write after `length`: their lengths are inches, multiplied by this.
BODYBUILDER_LENGTH = 0.45

_ROOT_ORDER = ("tx", "ty", "tz", "rx", "ry", "rz")
#: Keywords of an .asf file; those in the second row change no joint.
_ASF = ("units", "root", "bonedata", "hierarchy")
_ASF_IDLE = ("version", "name", "documentation", "skin")
_BONE = ("name", "direction", "length", "axis", "dof")
_BONE_IDLE = ("id", "limits", "bodymass", "cofmass")
_AMC_IDLE = ("fully-specified", "asf-file", "asf-path", "frame-range")


@dataclass(frozen=True, eq=False)
class AcclaimSkeleton:
    """A skeleton of B bones, the first of which is the root; parents before children.

    At rest bone b leads from the end of its parent to `offsets[b]` (3,) beyond it, in the file's unit and the axes of
    the world; the root's offset is 0. `axes[b]` (3, 3) are the bone's own axes at rest, as columns. `dofs[b]` names
    what the bone does, in the order of the file: `rx`, `ry`, `rz`, for the root also `tx`, `ty`, `tz`; bones without
    any are rigid. `length` is the number that lengths were multiplied with, `degrees` the unit of angles.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Floats
    axes: Floats
    dofs: tuple[tuple[str, ...], ...]
    length: float = 1.0
    degrees: bool = True
    source: str = "asf"

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Index of a bone by name; the name must match exactly."""
        try:
            return self.names.index(name)
        except ValueError:
            raise InputError(f"{self.source}: has no bone {name!r}; it has {', '.join(self.names)}") from None


@dataclass(frozen=True, eq=False)
class AcclaimMotion:
    """The motion of a skeleton in N frames, numbered as in the file by `frame` (N,), one after the other.

    The columns of `motion` (N, C) are the dofs of all bones, one bone after the other in the order of the skeleton:
    lengths in the file's unit, angles in degrees or rad, as `degrees` says. `fps` is None where the file does not say.
    """

    skeleton: AcclaimSkeleton
    motion: Floats
    frame: npt.NDArray[np.int64]
    degrees: bool = True
    fps: float | None = None
    source: str = "amc"

    def __len__(self) -> int:
        return len(self.motion)

    def positions(self) -> Floats:
        """World positions (N, B, 3) of the ends of all bones, in the file's unit: forward kinematics.

        The rotation of bone b is R_b = R_parent · C · M · Cᵀ, with its axes C; M turns about fixed axes in the order of
        the dofs: M = Rz · Ry · Rx for `rx ry rz`. The bone ends at R_b · offset from where its parent does.

        Raises
        ------
        InputError
            If there are more coordinates than `POSITION_LIMIT`.

        References
        ----------
        Schafer, Acclaim skeleton file definition V1.10, 1994. Meredith and Maddock, Motion capture file formats
        explained, University of Sheffield, 2001.
        """
        n, b = len(self), len(self.skeleton)
        if 3 * n * b > POSITION_LIMIT:
            raise InputError(f"{self.source}: {n} frames of {b} bones are too many at once; read fewer frames")
        world = np.empty((n, b, 3))
        for start in range(0, n, BLOCK):
            world[start : start + BLOCK] = self._block(self.motion[start : start + BLOCK])
        return world

    def _block(self, motion: Floats) -> Floats:
        """World positions (N, B, 3) of some rows of the motion."""
        skeleton, n, by_dof = self.skeleton, len(motion), np.ascontiguousarray(motion.T)
        ends = np.empty((len(skeleton), 3, n))
        # rotations[b][a] (3, N) is where axis a of the world at rest points to, after the motion of bone b.
        rotations: list[Floats] = []
        first = 0
        for bone, (parent, dofs) in enumerate(zip(skeleton.parents, skeleton.dofs, strict=True)):
            values = dict(zip(dofs, by_dof[first : first + len(dofs)], strict=True))
            first += len(dofs)
            if parent < 0:
                ends[bone] = [values.get(dof, np.zeros(n)) for dof in ("tx", "ty", "tz")]
                rotation = np.tile(np.eye(3)[:, :, None], n)
            else:
                rotation = rotations[parent]
            angles = [(dof, angle) for dof, angle in values.items() if dof[0] == "r"]
            if angles:
                axes = skeleton.axes[bone]
                rotation = _along(axes, rotation)
                for dof, angle in reversed(angles):  # about turned axes the last comes first
                    rotation = turn(rotation, "xyz".index(dof[1]), np.deg2rad(angle) if self.degrees else angle)
                rotation = _along(axes.T, rotation)
            if parent >= 0:
                ends[bone] = ends[parent] + np.tensordot(skeleton.offsets[bone], rotation, 1)
            rotations.append(rotation)
        return ends.transpose(2, 0, 1)


def _along(axes: Floats, rotation: Floats) -> Floats:
    """The product of rotations (3, 3, N), columns first, with fixed axes (3, 3)."""
    return np.tensordot(axes.T, rotation, 1)


# ------------------------------------------------------------------------------------------------------------- poses


def read_amc(
    asf: str | os.PathLike[str],
    amc: str | os.PathLike[str],
    *,
    joints: Mapping[str, str] = JOINTS,
    mm_per_unit: float | None = None,
    fps: float | None = None,
) -> PoseSet:
    """Read an .amc file and its .asf file as H36M-17 poses in mm, absolute, in the axes of the files.

    Pelvis and thorax are the midpoints of hips and shoulders, the spine is halfway between them. `frame` counts as the
    file does. The set has no other keys.

    Parameters
    ----------
    asf, amc : path
        The skeleton, and a motion that was recorded with it.
    joints : mapping of str
        H36M-17's other joints -> the bones that end there; by default those of CMU and HDM05.
    mm_per_unit : float, optional
        Millimetres in one unit of the files. By default known of skeletons with a `length` of 0.45: 25.4 / 0.45.
    fps : float, optional
        Frames per second; by default what the file says, if it does.

    Raises
    ------
    InputError
        If a file is not whole, if they do not belong together, if bones are missing, or the unit is not known.
    UsageError
        If `joints` lacks a joint or has one too many, or if `mm_per_unit` is not positive.
    """
    if set(joints) != set(GIVEN):
        raise UsageError(f"the joints are {', '.join(joints)}; expected {', '.join(GIVEN)}")
    if mm_per_unit is not None and not (mm_per_unit > 0 and np.isfinite(mm_per_unit)):
        raise UsageError(f"mm_per_unit is {mm_per_unit}, expected a positive number")
    skeleton = read_asf(asf)
    if mm_per_unit is None:
        if skeleton.length != BODYBUILDER_LENGTH:
            raise InputError(
                f"{skeleton.source}: has a length of {skeleton.length:g}, and only of {BODYBUILDER_LENGTH} it is known "
                "how long a unit is; pass mm_per_unit"
            )
        mm_per_unit = 25.4 / BODYBUILDER_LENGTH
    at = {joint: skeleton.index(bone) for joint, bone in joints.items()}
    motion = read_motion(amc, skeleton)
    ends = motion.positions()
    return PoseSet(
        h36m17_poses({joint: ends[:, bone] * mm_per_unit for joint, bone in at.items()}),
        skeleton=H36M17,
        unit="mm",
        reference="world",
        origin="absolute",
        frame=motion.frame,
        fps=motion.fps if fps is None else fps,
        source=motion.source,
        path=motion.source,
    )


# -------------------------------------------------------------------------------------------------------------- files


def read_asf(path: str | os.PathLike[str]) -> AcclaimSkeleton:
    """Read an .asf file.

    Raises
    ------
    InputError
        If the file cannot be read, or is anything but one whole skeleton; the message has the line.
    """
    return parse_asf(_opened(path), os.fspath(path))


def read_motion(path: str | os.PathLike[str], skeleton: AcclaimSkeleton) -> AcclaimMotion:
    """Read an .amc file, given its skeleton.

    Raises
    ------
    InputError
        If the file cannot be read, or is not one whole motion of that skeleton; the message has the line.
    """
    return parse_amc(_opened(path), skeleton, os.fspath(path))


def _opened(path: str | os.PathLike[str]) -> Iterator[str]:
    """The lines of a file. Comments are in any encoding, and latin-1 has a character for every byte."""
    source = os.fspath(path)
    refuse_irregular(Path(path))
    try:
        with Path(path).open(encoding="latin-1") as file:
            yield from lines_of(file)
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror or error}") from None


class _Rows:
    """The lines of a text that are not blank or comments, as words; commas and parentheses count as blanks."""

    def __init__(self, text: str | Iterable[str], source: str) -> None:
        self.words = Words(io.StringIO(text) if isinstance(text, str) else text, source)
        self._back: list[str] | None = None

    def error(self, complaint: str) -> InputError:
        """An error at the line that was read last."""
        return self.words.error(complaint)

    def next(self, expected: str, *, ascii_only: bool = True) -> list[str]:
        """The words of the next line; `expected` says what it should be, should the text end."""
        row = self.peek(ascii_only=ascii_only)
        if row is None:
            raise self.error(f"the file ends, expected {expected}")
        self._back = None
        return row

    def peek(self, *, ascii_only: bool = True) -> list[str] | None:
        """The words of the next line, which stays; None at the end."""
        while self._back is None:
            line = self.words.line()
            if line is None:
                return None
            line = line.partition("#")[0]
            if ascii_only and not line.isascii():
                raise self.error("has characters other than ASCII outside comments")
            self._back = re.sub("[,()]", " ", line).split() or None
        return self._back

    def number(self, text: str, what: str) -> float:
        """A word as a number that is neither NaN nor huge."""
        value = parsed(self.words, text, what)
        if not abs(value) <= LARGEST:
            raise self.error(f"{what} is {value:g}, expected a number up to {LARGEST:g}")
        return value

    def numbers(self, texts: list[str], count: int, what: str) -> list[float]:
        """As many numbers as expected."""
        if len(texts) != count:
            raise self.error(f"{what} has {len(texts)} numbers, expected {count}")
        return [self.number(text, what) for text in texts]


# ----------------------------------------------------------------------------------------------------------- skeleton


def parse_asf(text: str | Iterable[str], source: str = "asf") -> AcclaimSkeleton:
    """Parse the text of an .asf file, given whole or line by line; `source` is what messages call it.

    Position and orientation of the root must be 0, and axes be given in the order XYZ: programs differ in what they
    make of others.

    Raises
    ------
    InputError
        If a section, a bone or a number of one is missing, unknown or twice there, if a number is not finite, or if the
        hierarchy is not one tree of all bones.

    Examples
    --------
    >>> skeleton = parse_asf('''
    ... :units
    ...   length 0.45
    ...   angle deg
    ... :root
    ...   order TX TY TZ RX RY RZ
    ...   axis XYZ
    ...   position 0 0 0
    ...   orientation 0 0 0
    ... :bonedata
    ...   begin
    ...     name thigh
    ...     direction 0 -1 0
    ...     length 8
    ...     axis 0 0 20 XYZ
    ...     dof rx
    ...   end
    ... :hierarchy
    ...   begin
    ...     root thigh
    ...   end''')
    >>> skeleton.names, skeleton.dofs[1], skeleton.offsets[1].tolist()
    (('root', 'thigh'), ('rx',), [0.0, -8.0, 0.0])
    """
    rows = _Rows(text, source)
    units = _Units()
    sections: set[str] = set()
    order: tuple[str, ...] = ()
    bones: dict[str, _Bone] = {}
    parents: dict[str, str] = {}
    while rows.peek() is not None:
        keyword = rows.next("a keyword")[0]
        section = keyword[1:].lower()
        if keyword[0] != ":" or section not in (*_ASF, *_ASF_IDLE):
            known = ", ".join(f":{name}" for name in (*_ASF_IDLE, *_ASF))
            raise rows.error(f"expected a keyword out of {known}, got {shown(keyword)}")
        if section in sections:
            raise rows.error(f"there is a second {shown(keyword)}")
        sections.add(section)
        match section:
            case "units":
                units = _read_units(rows)
            case "documentation":
                _skip_text(rows)
            case "root":
                order = _read_root(rows)
            case "bonedata":
                bones = _read_bones(rows)
            case "hierarchy":
                parents = _read_hierarchy(rows, bones)
    for section in ("root", "bonedata", "hierarchy"):
        if section not in sections:
            raise rows.error(f"the file ends without :{section}")
    names = ("root", *parents)
    listed = [bones[name] for name in parents]
    return AcclaimSkeleton(
        names,
        (-1, *(names.index(parent) for parent in parents.values())),
        np.array([[0.0, 0.0, 0.0], *(bone.offset for bone in listed)]),
        np.stack([np.eye(3), *(_axes(bone.axis, degrees=units.degrees) for bone in listed)]),
        (order, *(bone.dofs for bone in listed)),
        units.length,
        units.degrees,
        source,
    )


@dataclass
class _Units:
    """What lengths were multiplied with, and the unit of angles."""

    length: float = 1.0
    degrees: bool = True


@dataclass(frozen=True)
class _Bone:
    """A bone as the file has it; `axis` are three angles."""

    offset: tuple[float, ...]
    axis: tuple[float, ...]
    dofs: tuple[str, ...]


def _section(rows: _Rows) -> Iterator[list[str]]:
    """The rows up to the next keyword."""
    while (row := rows.peek()) is not None and not row[0].startswith(":"):
        yield rows.next("a row")


def _skip_text(rows: _Rows) -> None:
    """Skip what people wrote, in any characters, up to the next keyword."""
    while (row := rows.peek(ascii_only=False)) is not None and not row[0].startswith(":"):
        rows.next("a row")


def _read_units(rows: _Rows) -> _Units:
    found = _Units()
    for row in _section(rows):
        match row[0].lower():
            case "mass":
                rows.numbers(row[1:], 1, "the unit of mass")
            case "length":
                (found.length,) = rows.numbers(row[1:], 1, "the unit of length")
                if not found.length > 0:
                    raise rows.error(f"the unit of length is {found.length:g}, expected a positive number")
            case "angle":
                angle = " ".join(row[1:]).lower()
                if angle not in ("deg", "rad"):
                    raise rows.error(f"expected angle deg or angle rad, got {shown(' '.join(row))}")
                found.degrees = angle == "deg"
            case _:
                raise rows.error(f"expected mass, length or angle, got {shown(row[0])}")
    return found


def _read_root(rows: _Rows) -> tuple[str, ...]:
    """What the root's numbers are, in the order of the file."""
    order: tuple[str, ...] = ()
    for row in _section(rows):
        match row[0].lower():
            case "order":
                order = tuple(dof.lower() for dof in row[1:])
                if sorted(order) != sorted(_ROOT_ORDER):
                    raise rows.error(
                        f"expected an order of TX TY TZ RX RY RZ, each of them once, got {shown(' '.join(row[1:]))}"
                    )
            case "axis":
                pass  # the order of the angles of `orientation`, which are 0
            case "position" | "orientation" as preset:
                if any(rows.numbers(row[1:], 3, f"the root's {preset}")):
                    raise rows.error(
                        f"the root's {preset} is {shown(' '.join(row[1:]))}, expected 0 0 0: programs differ in what "
                        "they make of another one"
                    )
            case _:
                raise rows.error(f"expected order, axis, position or orientation of the root, got {shown(row[0])}")
    if not order:
        raise rows.error("the root has no order, expected a line such as 'order TX TY TZ RX RY RZ'")
    return order


def _read_bones(rows: _Rows) -> dict[str, _Bone]:
    bones: dict[str, _Bone] = {}
    for row in _section(rows):
        if " ".join(row).lower() != "begin":
            raise rows.error(f"expected begin, which opens a bone, got {shown(' '.join(row))}")
        name, bone = _read_bone(rows)
        if name in bones or name == "root":
            raise rows.error(f"a second bone is called {shown(name)}")
        if len(bones) + 1 == BONE_LIMIT:
            raise rows.error(f"there are more than {BONE_LIMIT} bones")
        bones[name] = bone
    return bones


def _read_bone(rows: _Rows) -> tuple[str, _Bone]:
    """Read from after `begin` to `end`."""
    found: dict[str, list[str]] = {"dof": []}
    name, key = "a bone", ""
    values: dict[str, list[float]] = {}
    while (row := rows.next("end, which closes a bone"))[0].lower() != "end":
        if key == "limits" and row[0].lower() not in (*_BONE, *_BONE_IDLE):
            continue  # one row for each dof; the motion keeps within them already
        key = row[0].lower()
        if key not in (*_BONE, *_BONE_IDLE):
            raise rows.error(f"expected {', '.join((*_BONE, *_BONE_IDLE))} or end, got {shown(row[0])}")
        if key in found and key != "dof":
            raise rows.error(f"{name} has {key} twice")
        found[key] = row[1:]
        match key:
            case "name":
                if len(row) != 2:
                    raise rows.error(f"expected the name of a bone, one word, got {shown(' '.join(row[1:]))}")
                name = shown(row[1])
            case "direction":
                values[key] = rows.numbers(row[1:], 3, f"the direction of {name}")
            case "length":
                values[key] = rows.numbers(row[1:], 1, f"the length of {name}")
                if values[key][0] < 0:
                    raise rows.error(f"the length of {name} is {values[key][0]:g}, expected 0 or more")
            case "axis":
                values[key] = rows.numbers(row[1:4], 3, f"the axis of {name}")
                if " ".join(row[4:]).lower() != "xyz":
                    raise rows.error(
                        f"the axis of {name} is in the order {shown(' '.join(row[4:]))}, expected XYZ: programs differ "
                        "in what they make of others"
                    )
            case "dof":
                found[key] = _dofs(rows, row[1:], name)
    for key in ("name", "direction", "length", "axis"):
        if key not in found:
            raise rows.error(f"{name} ends without {key}")
    offset = tuple(values["length"][0] * part for part in values["direction"])
    return found["name"][0], _Bone(offset, tuple(values["axis"]), tuple(found["dof"]))


def _dofs(rows: _Rows, words: list[str], name: str) -> list[str]:
    dofs = [word.lower() for word in words]
    if len(set(dofs)) < len(dofs) or not set(dofs) <= {"rx", "ry", "rz"}:
        raise rows.error(
            f"the dof of {name} are {shown(' '.join(words))}, expected rx, ry, rz, each once at most; bones that move "
            "along an axis are not read"
        )
    return dofs


def _read_hierarchy(rows: _Rows, bones: Mapping[str, _Bone]) -> dict[str, str]:
    """Bone -> its parent, from the root on, parents before children."""
    children: dict[str, list[str]] = {"root": []}
    placed: set[str] = set()
    if " ".join(row := rows.next("begin, which opens the hierarchy")).lower() != "begin":
        raise rows.error(f"expected begin, which opens the hierarchy, got {shown(' '.join(row))}")
    while " ".join(row := rows.next("end, which closes the hierarchy")).lower() != "end":
        for name in row[1:] if row[0] == "root" else row:
            if name not in bones:
                raise rows.error(f"the hierarchy has {shown(name)}, which is no bone above")
        for name in row[1:]:
            if name in placed:
                raise rows.error(f"{shown(name)} has a second parent")
            placed.add(name)
        children.setdefault(row[0], []).extend(row[1:])
    parents: dict[str, str] = {}
    reached = ["root"]
    for parent in reached:  # grows
        reached += children.get(parent, ())
        parents.update(dict.fromkeys(children.get(parent, ()), parent))
    left = [name for name in bones if name not in parents]
    if left:
        raise rows.error(f"the hierarchy does not lead from root to {shown(left[0])}")
    return parents


def _axes(angles: Iterable[float], *, degrees: bool) -> Floats:
    """The axes (3, 3) of a bone: Rz · Ry · Rx."""
    columns = np.eye(3)[:, :, None]
    for axis, angle in reversed(list(enumerate(angles))):
        columns = turn(columns, axis, np.array([np.deg2rad(angle) if degrees else angle]))
    return columns[:, :, 0].T.copy()


# ------------------------------------------------------------------------------------------------------------- motion


def parse_amc(text: str | Iterable[str], skeleton: AcclaimSkeleton, source: str = "amc") -> AcclaimMotion:
    """Parse the text of an .amc file, given whole or line by line; `source` is what messages call it.

    Raises
    ------
    InputError
        If a keyword is unknown, if frames are not numbered one after the other, if in one of them a bone with dofs is
        missing, unknown or twice there, if a bone has not a number for each dof, or if a number is not finite.

    Examples
    --------
    >>> thigh = AcclaimSkeleton(
    ...     ("root", "thigh"), (-1, 0), np.array([[0.0, 0, 0], [0, -8, 0]]), np.stack([np.eye(3)] * 2),
    ...     (("tx", "ty", "tz", "rx", "ry", "rz"), ("rx",)))
    >>> motion = parse_amc(''':FULLY-SPECIFIED
    ... :DEGREES
    ... 1
    ... root 0 9 0 0 0 0
    ... thigh 90''', thigh)
    >>> motion.positions()[0].round(6).tolist()
    [[0.0, 9.0, 0.0], [0.0, 9.0, -8.0]]
    """
    words = Words(io.StringIO(text) if isinstance(text, str) else text, source)
    reader = _Motion(words, skeleton)
    reader.read()
    motion = np.frombuffer(reader.numbers).reshape(len(reader.frames), -1)
    wrong = ~(np.abs(motion) <= LARGEST)  # NaN too
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        bone, dof = reader.columns[column]
        words.number = reader.lines[row * len(reader.places) + reader.places[bone][2]]
        raise words.error(f"{dof} of {shown(bone)} is {motion[row, column]:g}, expected a number up to {LARGEST:g}")
    frame = np.frombuffer(reader.frames, np.int64).copy()
    return AcclaimMotion(skeleton, motion, frame, reader.degrees, reader.fps, source)


@dataclass
class _Motion:
    """The numbers of an .amc file, gathered line by line; they grow with what is there."""

    words: Words
    skeleton: AcclaimSkeleton
    degrees: bool = field(init=False)
    fps: float | None = None
    #: All frames' numbers; which frames; the line of each bone in each frame.
    numbers: array[float] = field(default_factory=lambda: array("d"))
    frames: array[int] = field(default_factory=lambda: array("q"))
    lines: array[int] = field(default_factory=lambda: array("q"))
    #: Bone -> its first column, its last one plus 1, and its number among the bones that have any.
    places: dict[str, tuple[int, int, int]] = field(init=False)
    #: (bone, dof) of each column.
    columns: list[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.degrees = self.skeleton.degrees
        self.places, self.columns = {}, []
        for name, dofs in zip(self.skeleton.names, self.skeleton.dofs, strict=True):
            if dofs:
                first = len(self.columns)
                self.columns += [(name, dof) for dof in dofs]
                self.places[name] = (first, len(self.columns), len(self.places))

    def read(self) -> None:
        """Read to the end."""
        words = self.words
        row, lines = [0.0] * len(self.columns), [0] * len(self.places)
        left: dict[str, tuple[int, int, int]] = {}  # the bones that the current frame still lacks
        while (line := words.line()) is not None:
            if "#" in line:
                line = line.partition("#")[0]
            cells = line.split()
            if not cells:
                continue
            place = left.pop(cells[0], None)
            if place is None:
                self._close(left, row, lines, cells)
                left = self.places.copy() if self.frames else left
                continue
            first, stop, number = place
            if len(cells) - 1 != stop - first:
                raise self._miscounted(cells, stop - first)
            # What float() takes beyond plain numbers is refused: 1_000, and digits of other scripts.
            if "_" in line or not line.isascii():
                row[first:stop] = [parsed(words, cell, f"a number of {shown(cells[0])}") for cell in cells[1:]]
            else:
                try:
                    row[first:stop] = map(float, cells[1:])
                except ValueError:
                    for cell in cells[1:]:
                        parsed(words, cell, f"a number of {shown(cells[0])}")
                    raise
            lines[number] = words.number
        if not self.frames:
            raise words.error("the file ends without a frame")
        self._finish(left, row, lines)

    def _close(
        self, left: dict[str, tuple[int, int, int]], row: list[float], lines: list[int], cells: list[str]
    ) -> None:
        """Finish the frame that was read, and begin the one, or take the keyword, that this line is."""
        if len(cells) > 1 or not re.fullmatch("[0-9]{1,12}", cells[0], re.ASCII):
            if self.frames or not cells[0].startswith(":"):
                raise self._unexpected(cells, left)
            self._keyword(cells)
            return
        if self.frames:
            self._finish(left, row, lines)
            if int(cells[0]) != self.frames[-1] + 1:
                raise self.words.error(f"frame {cells[0]} follows frame {self.frames[-1]}")
        self.frames.append(int(cells[0]))

    def _finish(self, left: dict[str, tuple[int, int, int]], row: list[float], lines: list[int]) -> None:
        if left:
            raise self.words.error(f"frame {self.frames[-1]} ends without {shown(next(iter(left)))}")
        self.numbers.extend(row)
        self.lines.extend(lines)

    def _keyword(self, cells: list[str]) -> None:
        match cells[0][1:].lower():
            case "degrees":
                self.degrees = True
            case "radians":
                self.degrees = False
            case "samples-per-second":
                self.fps = parsed(self.words, " ".join(cells[1:]), "the number of samples per second")
                if not 0.1 <= self.fps <= 1e5:
                    raise self.words.error(f"there are {self.fps:g} samples per second, expected 0.1 to 100,000")
            case idle if idle in _AMC_IDLE:
                pass
            case _:
                known = ", ".join(f":{name}" for name in (*_AMC_IDLE, "degrees", "radians", "samples-per-second"))
                raise self.words.error(f"expected a keyword out of {known}, got {shown(cells[0])}")

    def _miscounted(self, cells: list[str], count: int) -> InputError:
        dofs = self.skeleton.dofs[self.skeleton.index(cells[0])]
        return self.words.error(
            f"{shown(cells[0])} has {len(cells) - 1} numbers, expected {count}: {' '.join(dofs)}, as "
            f"{self.skeleton.source} says"
        )

    def _unexpected(self, cells: list[str], left: Mapping[str, object]) -> InputError:
        name = shown(cells[0])
        if not self.frames:
            return self.words.error(f"expected the number of the first frame, got {name}")
        frame = self.frames[-1]
        if cells[0] in self.places:
            return self.words.error(f"frame {frame} has {name} twice")
        if cells[0] in self.skeleton.names:
            return self.words.error(f"{name} moves, but has no dof in {self.skeleton.source}")
        if left:
            return self.words.error(
                f"expected the rest of frame {frame}, such as {shown(next(iter(left)))}, got {name}"
            )
        return self.words.error(f"expected frame {frame + 1}, got {name}; {self.skeleton.source} has no such bone")


__all__ = [
    "BODYBUILDER_LENGTH",
    "JOINTS",
    "AcclaimMotion",
    "AcclaimSkeleton",
    "parse_amc",
    "parse_asf",
    "read_amc",
    "read_asf",
    "read_motion",
]
