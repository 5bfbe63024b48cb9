"""Reading and writing .csv in two layouts, wide (one row per frame) and long (one row per frame and joint).

Wide: key columns `subject`, `action`, `sequence`, `camera`, `frame` (any of them), and for every joint `<joint>_x`,
`<joint>_y`, `<joint>_z`, and `<joint>_valid` (0 or 1) for all joints or none. Long: key columns, `joint`, `x`, `y`,
`z`, and `valid` if wanted; rows in any order, every joint once in every frame. The header row names the columns; any
other column is ignored, and a note says so. A joint is named as in a skeleton, or numbered from 0. Named joints that
are those of a known skeleton, in whatever order, are put into its order. An empty cell is an unknown coordinate.

Lines before the header may state facts of the whole file: `# unit: mm`, likewise `skeleton`, `reference`, `origin`,
`fps`, `dataset`. The reader goes through the file once and keeps only the numbers.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError, UsageError
from posebench.io.facts import (
    TEXTS,
    Facts,
    TextColumn,
    brief,
    check_texts,
    facts_of,
    nan_as_none,
    refuse_loss,
    shown,
    shown_names,
)
from posebench.poses import KEYS, TEXT_KEYS, KeyColumn, PoseSet
from posebench.skeletons import named_skeleton, skeleton_names

#: Characters in a line; 10,000 joints fit.
LINE_LIMIT = 2**20
_COLUMN = re.compile(r"(?P<joint>.+)_(?P<axis>x|y|z|valid)")
_WHOLE = re.compile(r"\s*([+-]?[0-9]{1,18})(?:\.0*)?\s*")
_FLAGS = {"1": 1, "0": 0, "true": 1, "false": 0, "True": 1, "False": 0}
_FACTS = (*TEXTS, "fps")


def read_csv(path: Path) -> Facts:
    """Read a .csv file in either layout; the module says which columns it may have.

    Raises
    ------
    InputError
        If a row is ragged, a cell is not a number, or a column is missing; the message has line and column.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = _Lines(file, str(path))
        try:
            stated, header = _comments(lines)
            table = _Table(header, lines)
            facts = (_read_long if "joint" in table.header else _read_wide)(table, stated.get("skeleton"))
        except csv.Error as error:
            raise InputError(f"{path}: is not a comma-separated table: {brief(error)}") from None
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: holds byte {error.object[error.start]:#x}, expected text in UTF-8") from None
    for name, value in stated.items():
        if name == "fps":
            facts.fps = _number(value, lambda: f"{path}: fps")
        else:
            check_texts([value], name, str(path))
            setattr(facts, name, value)
    return facts


class _Lines:
    """The lines of a file, counted from 1, none longer than `LINE_LIMIT`."""

    def __init__(self, file: TextIO, source: str) -> None:
        self.source, self.number = source, 0
        self._file = file

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(LINE_LIMIT + 1)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) > LINE_LIMIT:
            raise InputError(f"{self.source}: line {self.number} is longer than {LINE_LIMIT} characters")
        return line

    def cells(self, line: str) -> list[str]:
        """The cells of a row that begins with `line`; quoted ones may go on over further lines."""
        if '"' not in line:  # ten times as fast as the csv module
            return line.rstrip("\r\n").split(",")
        return next(csv.reader(itertools.chain((line,), self), strict=True))


def _comments(lines: _Lines) -> tuple[dict[str, str], list[str]]:
    """Facts stated in leading `# name: value` lines, and the header row."""
    stated: dict[str, str] = {}
    for line in lines:
        if line.strip() and not line.startswith("#"):
            return stated, [name.strip() for name in lines.cells(line)]
        name, colon, value = line.lstrip("#").partition(":")
        name = name.strip().lower()
        if colon and name in _FACTS:
            if name in stated:
                raise InputError(f"{lines.source}: line {lines.number} states {name} a second time")
            stated[name] = value.strip()
    raise InputError(f"{lines.source}: has no header row, expected columns such as frame, RHip_x, RHip_y, RHip_z")


class _Table:
    """The header of a table, its rows with their line numbers, and the key columns that both layouts share."""

    def __init__(self, header: list[str], lines: _Lines) -> None:
        self.header, self.lines, self.source = header, lines, lines.source
        self.where = {name: i for i, name in enumerate(self.header)}
        if len(self.where) < len(self.header):
            twice = next(name for name in self.header if self.header.count(name) > 1)
            raise InputError(f"{self.source}: line {self.line}: two columns are named {shown(twice)}")
        self.texts = {key: TextColumn() for key in TEXT_KEYS if key in self.where}
        self.frames = array("q") if "frame" in self.where else None

    @property
    def line(self) -> int:
        """Number of the line that was read last, from 1."""
        return self.lines.number

    def rows(self) -> Iterator[list[str]]:
        """Rows with as many cells as the header; blank lines are skipped."""
        width = len(self.header)
        for line in self.lines:
            row = self.lines.cells(line)
            if len(row) == width:
                yield row
            elif line.strip():
                raise InputError(
                    f"{self.source}: line {self.line} has {len(row)} cells, expected {width} as in the header"
                )

    def place(self, column: int) -> str:
        """How a message names a cell of the current line."""
        return f"{self.source}: line {self.line}, column {shown(self.header[column])}"

    def add_keys(self, row: Sequence[str]) -> None:
        """Take the keys of a new frame from its row."""
        for key, column in self.texts.items():
            column.append(row[self.where[key]])
        if self.frames is not None:
            at = self.where["frame"]
            whole = _WHOLE.fullmatch(row[at])
            if whole is None:
                raise InputError(f"{self.place(at)}: expected a whole number, got {shown(row[at])}")
            self.frames.append(int(whole[1]))

    def numbers(self, cells: Sequence[str], columns: Sequence[int]) -> list[float]:
        """Cells as numbers, empty ones as NaN."""
        try:
            # What float() takes beyond plain numbers is refused below: 1_000, and digits of other scripts.
            joined = "".join(cells)
            if "_" not in joined and joined.isascii():
                return list(map(float, cells))
        except ValueError:
            pass
        return [
            _number(cell, lambda column=column: self.place(column))  # type: ignore[misc]
            for cell, column in zip(cells, columns, strict=True)
        ]

    def flag(self, row: Sequence[str], column: int) -> int:
        """A cell of a `valid` column as 0 or 1."""
        found = _FLAGS.get(row[column])
        if found is None:
            raise InputError(f"{self.place(column)}: expected 0 or 1, got {shown(row[column])}")
        return found

    def finish(
        self, poses: npt.NDArray[Any], valid: npt.NDArray[Any] | None, order: JointOrder, used: set[str]
    ) -> Facts:
        """Everything read so far as facts."""
        facts = Facts(poses, valid, skeleton=order.skeleton, notes=[*order.notes])
        for key, column in self.texts.items():
            setattr(facts, key, column.finish(key, self.source))
        if self.frames is not None:
            facts.frame = np.frombuffer(self.frames, np.int64)
        ignored = [name for name in self.header if name not in used and name not in KEYS]
        if ignored:
            facts.notes.append(f"{self.source}: ignored {shown_names(ignored)}")
        return facts


def _number(cell: str, place: Callable[[], str]) -> float:
    if not cell or cell.isspace():
        return float("nan")
    try:
        if "_" not in cell and cell.isascii():
            return float(cell)
    except ValueError:
        pass
    raise InputError(f"{place()}: expected a number, got {shown(cell)}")


def _read_wide(table: _Table, stated: str | None) -> Facts:
    columns: dict[str, dict[str, int]] = {}
    for i, name in enumerate(table.header):
        part = _COLUMN.fullmatch(name)
        if part and name not in KEYS:
            columns.setdefault(part["joint"], {})[part["axis"]] = i
    # A column such as `track_valid` belongs to no joint.
    joints = [joint for joint, axes in columns.items() if axes.keys() != {"valid"}]
    if not joints or len(table.header) == 1:
        hint = "; is it separated by something other than commas?" if len(table.header) == 1 else ""
        raise InputError(
            f"{table.source}: line {table.line}: no coordinate columns such as RHip_x, RHip_y, RHip_z, nor joint, x, "
            f"y, z; it has {shown_names(table.header)}{hint}"
        )
    with_flags = any("valid" in columns[joint] for joint in joints)
    for joint in joints:
        for axis in ("x", "y", "z", "valid") if with_flags else ("x", "y", "z"):
            if axis not in columns[joint]:
                raise InputError(f"{table.source}: line {table.line}: column {shown(f'{joint}_{axis}')} is missing")
    order = JointOrder.of(joints, stated, table.source)
    joints = [joints[i] for i in order.positions]
    picked = [columns[joint][axis] for joint in joints for axis in "xyz"]
    flagged = [columns[joint]["valid"] for joint in joints] if with_flags else []

    pick = itemgetter(*picked)
    coordinates, flags = array("d"), bytearray()
    for row in table.rows():
        table.add_keys(row)
        coordinates.fromlist(table.numbers(pick(row), picked))
        flags.extend(table.flag(row, column) for column in flagged)
    if not coordinates:
        raise InputError(f"{table.source}: holds no poses, only a header")
    poses = np.frombuffer(coordinates).reshape(-1, len(joints), 3)
    valid = np.frombuffer(flags, np.bool_).reshape(-1, len(joints)) if with_flags else None
    return table.finish(poses, valid, order, {table.header[i] for i in (*picked, *flagged)})


def _read_long(table: _Table, stated: str | None) -> Facts:
    for name in ("x", "y", "z"):
        if name not in table.where:
            raise InputError(f"{table.source}: line {table.line}: column {name!r} is missing beside 'joint'")
    keys = [table.where[key] for key in KEYS if key in table.where]
    if not keys:
        raise InputError(
            f"{table.source}: line {table.line}: a table with one row per joint needs a key column such as 'frame'"
        )
    at_joint, at_xyz = table.where["joint"], [table.where[axis] for axis in "xyz"]
    at_valid = table.where.get("valid")

    key_of, pick = itemgetter(*keys), itemgetter(*at_xyz)
    frames: dict[Any, int] = {}
    joints: dict[str, int] = {}
    rows, columns, line_numbers = array("q"), array("q"), array("q")
    coordinates, flags = array("d"), bytearray()
    for row in table.rows():
        n = len(frames)
        frame = frames.setdefault(key_of(row), n)
        if frame == n:
            table.add_keys(row)
        rows.append(frame)
        columns.append(joints.setdefault(row[at_joint].strip(), len(joints)))
        line_numbers.append(table.line)
        coordinates.fromlist(table.numbers(pick(row), at_xyz))
        if at_valid is not None:
            flags.append(table.flag(row, at_valid))
    if not rows:
        raise InputError(f"{table.source}: holds no poses, only a header")
    order = JointOrder.of(list(joints), stated, table.source)

    n, j = len(frames), len(joints)
    places = np.frombuffer(rows, np.int64) * j + np.frombuffer(columns, np.int64)
    _, firsts = np.unique(places, return_index=True)
    if len(firsts) < len(rows):
        again = int(np.setdiff1d(np.arange(len(rows)), firsts)[0])
        joint = list(joints)[columns[again]]
        raise InputError(
            f"{table.source}: line {line_numbers[again]}: joint {shown(joint)} comes a second time in its frame; "
            f"frames are told apart by {', '.join(table.header[i] for i in keys)}"
        )
    if len(rows) < n * j:
        counts = np.bincount(np.frombuffer(rows, np.int64), minlength=n)
        lacking = int(np.argmax(counts < j))
        key = list(frames)[lacking]
        raise InputError(
            f"{table.source}: frame {shown(key)} has {counts[lacking]} joints, expected all {j}; leave the cells of "
            f"unknown joints empty instead of dropping rows"
        )
    target = np.empty(j, np.int64)
    target[order.positions] = np.arange(j)
    slots = np.frombuffer(rows, np.int64), target[np.frombuffer(columns, np.int64)]
    poses = np.empty((n, j, 3))
    poses[slots] = np.frombuffer(coordinates).reshape(-1, 3)
    valid = None
    if at_valid is not None:
        valid = np.empty((n, j), np.bool_)
        valid[slots] = np.frombuffer(flags, np.bool_)
    return table.finish(poses, valid, order, {"joint", "x", "y", "z", "valid"})


@dataclass(frozen=True)
class JointOrder:
    """In which order the joints of a file are kept: joint i of the result stands at `positions[i]` in the file."""

    positions: list[int]
    skeleton: str | None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, joints: Sequence[str], stated: str | None, source: str) -> JointOrder:
        """Numbered joints by number, the joints of a known skeleton in its order, others as they stand."""
        if all(joint.isascii() and joint.isdigit() and len(joint) < 7 for joint in joints):
            numbers = [int(joint) for joint in joints]
            where = {number: i for i, number in enumerate(numbers)}
            if sorted(numbers) != list(range(len(joints))):
                raise InputError(
                    f"{source}: joints are numbered {shown(sorted(numbers))}, expected 0 to {len(joints) - 1}"
                )
            return cls([where[i] for i in range(len(joints))], stated)
        named = {joint.casefold(): i for i, joint in enumerate(joints)}
        if stated is not None:
            try:
                skeleton = named_skeleton(stated)
            except UsageError:  # said in full when the skeleton is needed, unless the caller overrides it
                return cls(list(range(len(joints))), stated)
            names = [joint.casefold() for joint in skeleton.joints]
            if named.keys() != set(names) or len(named) < len(joints):
                odd = [joint for joint in joints if joint.casefold() not in names]
                lacking = [joint for joint in skeleton.joints if joint.casefold() not in named]
                what = f"lacks {shown_names(lacking)}" if lacking else f"has {shown_names(odd or joints)} besides"
                raise InputError(f"{source}: says skeleton {skeleton.name} but {what}")
            return cls([named[name] for name in names], skeleton.name)
        return cls.by_name(joints, source)

    @classmethod
    def by_name(cls, joints: Sequence[str], source: str) -> JointOrder:
        """The joints of a known skeleton in its order, others as they stand."""
        named = {joint.casefold(): i for i, joint in enumerate(joints)}
        for skeleton in map(named_skeleton, skeleton_names()):
            names = [joint.casefold() for joint in skeleton.joints]
            if named.keys() == set(names) and len(named) == len(joints):
                return cls([named[name] for name in names], skeleton.name)
        note = f"{source}: joints {shown_names(joints)} are those of no known skeleton, kept as they stand"
        return cls(list(range(len(joints))), None, (note,))


def write_csv(poseset: PoseSet, handle: BinaryIO, path: str) -> None:
    """Write the wide layout, numbers to the last digit, unknown coordinates as empty cells.

    Raises
    ------
    InputError
        If the set is empty, or has camera parameters or root depths, for which the table has no column.
    """
    known = facts_of(poseset, path)
    refuse_loss(known, ("poses", "valid", *KEYS, *_FACTS), path, "a .csv file")
    text = io.TextIOWrapper(handle, "utf-8", newline="", write_through=True)
    try:
        for name in _FACTS:
            if name in known:
                if isinstance(known[name], str) and known[name] != known[name].strip():
                    raise InputError(f"{path}: not written, {name} begins or ends with a space; use .npz")
                text.write(f"# {name}: {known[name]}\n")
        _write_rows(csv.writer(text, lineterminator="\n"), poseset)
    finally:
        text.detach()


def _write_rows(table: Any, poseset: PoseSet) -> None:
    skeleton, valid = poseset.skeleton, poseset.valid
    joints = skeleton.joints if skeleton else tuple(map(str, range(poseset.poses.shape[1])))
    header = [*poseset.keys, *(f"{joint}_{axis}" for joint in joints for axis in "xyz")]
    table.writerow(header + [f"{joint}_valid" for joint in joints if valid is not None])
    names = [
        np.array(column.names, object) if isinstance(column, KeyColumn) else None for column in poseset.keys.values()
    ]
    codes = [column.codes if isinstance(column, KeyColumn) else column for column in poseset.keys.values()]
    for start in range(0, len(poseset), 1024):
        part = slice(start, start + 1024)
        flat = poseset.poses[part].reshape(-1, 3 * len(joints))
        cells = nan_as_none(flat).tolist()
        keys = [
            (code[part] if name is None else name[code[part]]).tolist() for name, code in zip(names, codes, strict=True)
        ]
        key_rows = zip(*keys, strict=True) if keys else itertools.repeat(())
        flags = valid[part].astype(int).tolist() if valid is not None else itertools.repeat(())
        for key_row, row, flag_row in zip(key_rows, cells, flags):  # noqa: B905 (repeat has no end)
            table.writerow([*key_row, *row, *flag_row])
