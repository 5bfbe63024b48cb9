"""Reading .trc, the marker tables of OpenSim and Pose2Sim: tab-separated text with a header of five lines.

Line 3 has the facts (`DataRate`, `NumMarkers`, `Units`, ...) that line 2 names, line 4 begins with `Frame#`, `Time` and
has the markers' names in every third column, line 5 has `X1 Y1 Z1 ...`. An empty cell is an unknown coordinate. Markers
called as the joints of a known skeleton, in whatever order, are put into its order.
"""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import TextIO

import numpy as np

from posebench.errors import InputError
from posebench.io.csv_file import LINE_LIMIT, JointOrder
from posebench.io.facts import Facts, shown, shown_names

#: Metres and millimetres as files spell them, and what a coordinate is multiplied with.
UNITS = {"m": ("m", 1.0), "mm": ("mm", 1.0), "cm": ("mm", 10.0), "meters": ("m", 1.0), "millimeters": ("mm", 1.0)}


def read_trc(path: Path) -> Facts:
    """Read a .trc file.

    Raises
    ------
    InputError
        If the header is not as above, a row is ragged or a cell is not a number; the message has the line.
    """
    with path.open(encoding="utf-8-sig") as file:
        try:
            return _Trc(file, str(path)).read()
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: holds byte {error.object[error.start]:#x}, expected text in UTF-8") from None


class _Trc:
    """A file on its way in, with the number of the line that was read last."""

    def __init__(self, file: TextIO, source: str) -> None:
        self.file, self.source, self.line = file, source, 0

    def error(self, complaint: str) -> InputError:
        return InputError(f"{self.source}: line {max(self.line, 1)}: {complaint}")

    def next(self) -> str | None:
        """The next line without its end, None after the last."""
        text = self.file.readline(LINE_LIMIT + 1)
        if not text:
            return None
        self.line += 1
        if len(text) > LINE_LIMIT:
            raise self.error(f"is longer than {LINE_LIMIT} characters")
        return text.rstrip("\r\n")

    def header(self, expected: str) -> list[str]:
        """The cells of a line of the header."""
        text = self.next()
        if text is None:
            raise self.error(f"the file ends, expected {expected}")
        return [cell.strip() for cell in text.split("\t")]

    def number(self, cell: str, what: str) -> float:
        if not cell or cell.isspace():
            return float("nan")
        try:
            if "_" not in cell and cell.isascii():
                return float(cell)
        except ValueError:
            pass
        raise self.error(f"{what} is {shown(cell)}, expected a number")

    def read(self) -> Facts:
        """Read the whole file."""
        first = self.header("a line that begins with PathFileType")
        if first[0] != "PathFileType":
            raise self.error(f"begins with {shown(first[0])}, expected PathFileType as in a .trc file")
        stated = dict(zip(self.header("DataRate, Units and so on"), self.header("their values"), strict=False))
        if stated.get("Units", "").lower() not in UNITS:
            raise self.error(f"Units is {shown(stated.get('Units', ''))}, expected one of {', '.join(UNITS)}")
        fps = self.number(stated.get("DataRate", ""), "DataRate")
        joints = self.markers(stated.get("NumMarkers"))
        self.header("X1, Y1, Z1 and so on")
        order = JointOrder.by_name(joints, self.source)
        frames, numbers = self.rows(len(joints))
        unit, factor = UNITS[stated["Units"].lower()]
        poses = np.frombuffer(numbers).reshape(-1, len(joints), 3)[:, order.positions] * factor
        promised = stated.get("NumFrames", "")
        notes = [*order.notes]
        if promised != str(len(poses)):
            notes.append(f"{self.source}: says NumFrames {shown(promised)}, but has {len(poses)} rows")
        facts = Facts(poses, skeleton=order.skeleton, unit=unit, frame=np.frombuffer(frames, np.int64), notes=notes)
        facts.fps = None if np.isnan(fps) else fps
        return facts

    def markers(self, count: str | None) -> list[str]:
        """The names of the markers, from the line that begins with Frame#."""
        cells = self.header("Frame#, Time and the names of the markers")
        if [cell.lower() for cell in cells[:2]] != ["frame#", "time"]:
            raise self.error(
                f"begins with {shown_names(cells[:2])}, expected Frame#, Time and the names of the markers"
            )
        names = cells[2::3]
        while names and not names[-1]:
            names.pop()
        if not names or not all(names) or any(cells[3::3]) or any(cells[4::3]):
            raise self.error("expected the name of a marker in every third column, two empty ones after each")
        if count is not None and count != str(len(names)):
            raise self.error(f"names {len(names)} markers, but NumMarkers is {shown(count)}")
        twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
        if twice is not None:
            raise self.error(f"two markers are called {shown(twice)}")
        return names

    def rows(self, joints: int) -> tuple[array[int], array[float]]:
        """Frame numbers and coordinates of all rows."""
        frames, numbers, width = array("q"), array("d"), 2 + 3 * joints
        while (text := self.next()) is not None:
            if not text.strip():
                continue
            cells = text.split("\t")
            if len(cells) > width and not "".join(cells[width:]).strip():
                cells = cells[:width]
            if len(cells) != width:
                raise self.error(f"has {len(cells)} cells, expected {width}: frame, time and three for each marker")
            frame = self.number(cells[0], "Frame#")
            if not (abs(frame) < 2**53 and frame == int(frame)):
                raise self.error(f"Frame# is {shown(cells[0])}, expected a whole number")
            frames.append(int(frame))
            try:
                if "_" in text or not text.isascii():
                    raise ValueError
                numbers.extend(map(float, cells[2:]))
            except ValueError:
                del numbers[(len(frames) - 1) * 3 * joints :]
                numbers.extend([self.number(cell, "a coordinate") for cell in cells[2:]])
        if not frames:
            raise self.error("the file ends, expected rows of coordinates")
        return frames, numbers
