"""Drawing skeletons: near limbs over far ones, left and right in two colours, alone or in a grid, as PNG, SVG or PDF.

Any `Skeleton` is drawn by its bones and its left-right pairs, poses in any unit, normalised centres among them. What a
picture shows is decided elsewhere. pyplot is never touched, so no window opens and no global state is left behind; the
user's matplotlibrc has no say, and the same poses give the same bytes.
"""

from __future__ import annotations

import heapq
import io
import math
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError, UsageError
from posebench.skeletons import Skeleton

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]
Kind = Literal["png", "svg", "pdf"]

#: What can be written, by the ending of a file's name.
KINDS: tuple[Kind, ...] = ("png", "svg", "pdf")
#: Dots per inch of a PNG, and of what is drawn as dots in the others, unless a figure has its own.
DPI = 110
#: Which way is up, as an axis of the coordinates: a camera's y points down.
UPS = {"-y": (0.0, -1.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0), "-z": (0.0, 0.0, -1.0)}

#: Limbs that pass each other this closely, as a share of the pose's size, overlap when drawn.
_CLOSE = 0.03
_FONT_SIZE = 7.0
#: Inches per line of text.
_LINE = _FONT_SIZE * 1.35 / 72
#: Inches left free around a grid.
_MARGIN = 0.08


@dataclass(frozen=True)
class Palette:
    """Colours of what is left, right and in the middle; left and right are the person's."""

    left: str
    right: str
    middle: str


#: Blue and vermilion of Okabe and Ito's palette, which colour-blind readers tell apart (Wong, Points of view: color
#: blindness, Nature Methods 8, 2011), and a dark grey.
PALETTE = Palette(left="#0072B2", right="#D55E00", middle="#4D4D4D")


@dataclass(frozen=True)
class View:
    """From where a pose is looked at: unit vectors to the right, up, and away from the viewer.

    Examples
    --------
    >>> plane, depth = View.of("-y").project([1.0, 2.0, 3.0])  # a camera: x right, y down, z away
    >>> plane.tolist(), float(depth)
    ([1.0, -2.0], 3.0)
    """

    right: tuple[float, ...]
    up: tuple[float, ...]
    away: tuple[float, ...]

    @classmethod
    def of(cls, up: str = "-y", *, azimuth: float = 0.0, elevation: float = 0.0) -> View:
        """The view in which x points right and the axis `up` ("-y", "y", "z" or "-z") up.

        Parameters
        ----------
        up : str
            ``"-y"`` for poses in a camera, ``"y"`` or ``"z"`` for most worlds.
        azimuth, elevation : float
            Degrees by which the viewer then walks to their right around the pose, and climbs.

        Raises
        ------
        UsageError
            If there is no such axis.
        """
        if up not in UPS:
            raise UsageError(f"up is {up!r}, expected one of {', '.join(UPS)}")
        right, above = np.array([1.0, 0.0, 0.0]), np.array(UPS[up])
        away = np.cross(above, right)
        a, e = math.radians(azimuth), math.radians(elevation)
        right, away = math.cos(a) * right + math.sin(a) * away, math.cos(a) * away - math.sin(a) * right
        above, away = math.cos(e) * above + math.sin(e) * away, math.cos(e) * away - math.sin(e) * above
        return cls(*(tuple((axis + 0.0).tolist()) for axis in (right, above, away)))

    def project(self, points: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Points (..., 3) as positions in the picture (..., 2), right and up, and depths (...); orthographic."""
        given = np.asarray(points, np.float64)
        plane = np.stack([given @ np.array(self.right), given @ np.array(self.up)], axis=-1)
        depth: Floats = given @ np.array(self.away)
        return plane, depth


#: How a camera sees.
CAMERA_VIEW = View.of("-y")


def view_of(reference: str, up: str | None = None, *, azimuth: float = 0.0, elevation: float = 0.0) -> View:
    """The view of poses in a reference: y up in a world, else y down as in a camera, unless `up` says otherwise.

    Examples
    --------
    >>> view_of("world").up, view_of("camera").up
    ((0.0, 1.0, 0.0), (0.0, -1.0, 0.0))
    """
    return View.of(up or ("y" if reference == "world" else "-y"), azimuth=azimuth, elevation=elevation)


# ---------------------------------------------------------------------------------------------------------- skeletons


def restricted(skeleton: Skeleton, joints: Sequence[str]) -> Skeleton:
    """A skeleton of some of the joints, in the order given, each hanging from the nearest joint above it that is left.

    Raises
    ------
    UsageError
        If the skeleton lacks a joint.

    Examples
    --------
    >>> from posebench.skeletons import H36M17
    >>> restricted(H36M17, ["pelvis", "thorax", "head"]).bone_names
    ('pelvis-thorax', 'thorax-head')
    """
    if tuple(joints) == skeleton.joints:
        return skeleton
    index = [skeleton.index(joint) for joint in joints]
    where = {old: new for new, old in enumerate(index)}
    parents = []
    for old in index:
        above = skeleton.parents[old]
        while above >= 0 and above not in where:
            above = skeleton.parents[above]
        parents.append(where.get(above, -1))
    pairs = tuple((where[a], where[b]) for a, b in skeleton.left_right if a in where and b in where)
    return Skeleton(skeleton.name, tuple(joints), tuple(parents), parents.index(-1), pairs, {})


def sides(skeleton: Skeleton) -> tuple[str, ...]:
    """`left`, `right` or `middle` for every joint, by the skeleton's pairs; a bone has the side of its lower joint.

    Examples
    --------
    >>> from posebench.skeletons import H36M17
    >>> sides(H36M17)[:2]
    ('middle', 'right')
    """
    found = ["middle"] * len(skeleton)
    for left, right in skeleton.left_right:
        found[left], found[right] = "left", "right"
    return tuple(found)


def drawing_order(plane: npt.ArrayLike, depth: npt.ArrayLike, bones: Sequence[tuple[int, int]]) -> list[int]:
    """Indices into `bones`, in the order in which they are drawn: the far one first wherever two pass each other.

    Where two bones without a common joint cross in the picture, or nearly so, their depths at that place decide, not
    those of their middles. Otherwise, and if bones overlap in a circle, the farther middle goes first.

    Parameters
    ----------
    plane : array, (J, 2)
        Positions in the picture; bones with a joint that is not finite are left out.
    depth : array, (J,)
        Distances from the viewer.
    bones : sequence of (int, int)

    Examples
    --------
    >>> plane = [[0, 0], [2, 2], [0, 2], [2, 0]]
    >>> drawing_order(plane, [1, 1, 5, 5], [(0, 1), (2, 3)])
    [1, 0]
    """
    at, deep = np.asarray(plane, np.float64), np.asarray(depth, np.float64)
    known = np.isfinite(at).all(1) & np.isfinite(deep)
    drawn = [i for i, (a, b) in enumerate(bones) if known[a] and known[b]]
    if not drawn:
        return []
    ends = {i: (*at[list(bones[i])].tolist(), *deep[list(bones[i])].tolist()) for i in drawn}
    used = at[sorted({joint for i in drawn for joint in bones[i]})]
    close = _CLOSE * float(np.ptp(used, axis=0).max())
    under: dict[int, int] = dict.fromkeys(drawn, 0)  # how many bones must be drawn before
    over: dict[int, list[int]] = {i: [] for i in drawn}
    for n, i in enumerate(drawn):
        for j in drawn[n + 1 :]:
            if set(bones[i]) & set(bones[j]):
                continue
            gap, depth_i, depth_j = _passing(ends[i], ends[j])
            if gap <= close and depth_i != depth_j:
                far, near = (i, j) if depth_i > depth_j else (j, i)
                over[far].append(near)
                under[near] += 1
    middle = {i: -(ends[i][2] + ends[i][3]) / 2 for i in drawn}
    ready = [(middle[i], i) for i in drawn if under[i] == 0]
    heapq.heapify(ready)
    left, order = set(drawn), []
    while left:
        i = heapq.heappop(ready)[1] if ready else min(left, key=lambda k: (middle[k], k))
        left.discard(i)
        order.append(i)
        for j in over[i]:
            under[j] -= 1
            if under[j] == 0 and j in left:
                heapq.heappush(ready, (middle[j], j))
    return order


_Ends = tuple[Any, ...]  # ([x, y], [x, y], depth, depth)


def _passing(first: _Ends, second: _Ends) -> tuple[float, float, float]:
    """Distance in the picture at which two bones pass each other, and the depth of each there."""
    (a, b, depth_a, depth_b), (c, d, depth_c, depth_d) = first, second
    along, across = (b[0] - a[0], b[1] - a[1]), (d[0] - c[0], d[1] - c[1])
    between = (c[0] - a[0], c[1] - a[1])
    turn = along[0] * across[1] - along[1] * across[0]
    if turn != 0:
        s = (between[0] * across[1] - between[1] * across[0]) / turn
        t = (between[0] * along[1] - between[1] * along[0]) / turn
        if 0 <= s <= 1 and 0 <= t <= 1:
            return 0.0, depth_a + s * (depth_b - depth_a), depth_c + t * (depth_d - depth_c)
    found = []
    for s, point in ((0.0, a), (1.0, b)):
        t, gap = _nearest(point, c, across)
        found.append((gap, s, t))
    for t, point in ((0.0, c), (1.0, d)):
        s, gap = _nearest(point, a, along)
        found.append((gap, s, t))
    gap, s, t = min(found)
    return gap, depth_a + s * (depth_b - depth_a), depth_c + t * (depth_d - depth_c)


def _nearest(point: Sequence[float], start: Sequence[float], along: Sequence[float]) -> tuple[float, float]:
    """How far along a bone, from 0 to 1, it comes nearest to a point, and how near."""
    x, y = point[0] - start[0], point[1] - start[1]
    length = along[0] ** 2 + along[1] ** 2
    t = 0.0 if length == 0 else min(1.0, max(0.0, (x * along[0] + y * along[1]) / length))
    return t, math.hypot(x - t * along[0], y - t * along[1])


# ------------------------------------------------------------------------------------------------------------ drawing


def draw_skeleton(
    axes: Axes,
    pose: npt.ArrayLike,
    skeleton: Skeleton,
    *,
    view: View = CAMERA_VIEW,
    palette: Palette = PALETTE,
    width: float = 1.8,
    labels: bool = False,
) -> None:
    """Draw one pose into axes that become equal, frameless and as large as the pose.

    Limbs go from far to near, each with a white rim, and a dot into each joint.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    pose : array, (J, 3)
        In any unit. Joints that are not finite are left out, and the bones that end in them.
    skeleton : Skeleton
    view : View
    palette : Palette
    width : float
        Of a limb, in points.
    labels : bool
        Write the joints' names beside them.

    Raises
    ------
    InputError
        If the pose has other joints than the skeleton, or none that is finite.
    """
    poses = _checked(np.asarray(pose, np.float64)[None], skeleton)
    plane, depth = view.project(poses[0])
    extent = _Extent.of(plane[None])
    middle, half = extent.middles[0], extent.half
    axes.set_axis_off()
    axes.set_aspect("equal", adjustable="box")
    axes.set_xlim(middle[0] - half[0], middle[0] + half[0])
    axes.set_ylim(middle[1] - half[1], middle[1] + half[1])
    _put_skeleton(axes, plane, depth, skeleton, palette, width, labels)


def _put_skeleton(
    axes: Axes, plane: Floats, depth: Floats, skeleton: Skeleton, palette: Palette, width: float, labels: bool
) -> None:
    """Limbs and dots of one pose whose positions (J, 2) are those of the axes."""
    from matplotlib.collections import LineCollection

    colours = [getattr(palette, side) for side in sides(skeleton)]
    known = np.isfinite(plane).all(1) & np.isfinite(depth)
    order = drawing_order(plane, depth, skeleton.bones)
    last = {joint: bone for bone in order for joint in skeleton.bones[bone]}
    # Renderers leave out lines of no length, so a dot is a very short one with round ends.
    dot = np.array([1e-3 * float(np.ptp(plane[known], axis=0).max()) or 1e-9, 0.0])
    strokes: list[tuple[Floats, str, float]] = []

    def put_dot(joint: int) -> None:
        strokes.append((np.stack([plane[joint] - dot, plane[joint] + dot]), colours[joint], 1.7 * width))

    for bone in order:
        ends = list(skeleton.bones[bone])
        strokes.append((plane[ends], "white", width + 1.4))
        strokes.append((plane[ends], colours[ends[1]], width))
        # Over its own limbs, under those nearer.
        for joint in ends:
            if last[joint] == bone:
                put_dot(joint)
    for joint in np.flatnonzero(known).tolist():
        if joint not in last:
            put_dot(joint)
    segments, stroke_colours, widths = zip(*strokes, strict=True)
    axes.add_collection(
        LineCollection(segments, colors=stroke_colours, linewidths=widths, capstyle="round", snap=False, zorder=2),
        autolim=False,
    )
    for joint in np.flatnonzero(known).tolist() if labels else ():
        axes.annotate(
            skeleton.joints[joint],
            plane[joint].tolist(),
            xytext=(2, 2),
            textcoords="offset points",
            fontsize=_FONT_SIZE - 2,
            color=colours[joint],
            zorder=3,
            parse_math=False,
        )


@dataclass(frozen=True)
class Grid:
    """Poses drawn side by side to one scale, with a title above each, row by row.

    Parameters
    ----------
    poses : array, (N, J, 3)
    skeleton : Skeleton
    titles : sequence of str
        One per pose, of any number of lines; or none.
    columns : int
    cell : float
        Width of a picture in inches; its height follows from the poses.
    view, palette, labels
        As in `draw_skeleton`.
    title_colours : sequence of str
        One per pose; or none.
    """

    poses: Floats
    skeleton: Skeleton
    titles: Sequence[str] = ()
    columns: int = 10
    cell: float = 0.9
    view: View = CAMERA_VIEW
    palette: Palette = PALETTE
    labels: bool = False
    title_colours: Sequence[str] = ()

    def __post_init__(self) -> None:
        _checked(self.poses, self.skeleton)
        if self.columns < 1 or not self.cell > 0:
            raise UsageError(f"a grid has at least one column and cells of some width, not {self.columns}, {self.cell}")
        for name, given in (("titles", self.titles), ("title_colours", self.title_colours)):
            if given and len(given) != len(self.poses):
                raise UsageError(f"{name}: expected {len(self.poses)}, one for each pose, got {len(given)}")

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return -(-len(self.poses) // self.columns)

    @property
    def width(self) -> float:
        """Inches."""
        return self.columns * self.cell

    @property
    def height(self) -> float:
        """Inches."""
        return self.rows * self._row_height

    @property
    def _title_height(self) -> float:
        return _LINE * (max((title.count("\n") + 1 for title in self.titles), default=0) + 0.3 * bool(self.titles))

    @cached_property
    def _extent(self) -> _Extent:
        return _Extent.of(self.view.project(self.poses)[0])

    @property
    def _picture_height(self) -> float:
        half = self._extent.half
        return self.cell * half[1] / half[0]

    @property
    def _row_height(self) -> float:
        return self._picture_height + self._title_height

    def corner(self, i: int) -> tuple[float, float]:
        """The upper left corner of a cell, in inches from the grid's lower left one."""
        row, column = divmod(i, self.columns)
        return column * self.cell, self.height - row * self._row_height

    def place(self, figure: Figure, left: float, top: float) -> Axes:
        """Draw the grid into a figure, its upper left corner so many inches from that of the figure.

        Returns
        -------
        Axes
            Of the whole grid, in inches from its lower left corner.
        """
        whole_width, whole_height = figure.get_size_inches()
        axes = figure.add_axes(
            (
                left / whole_width,
                1 - (top + self.height) / whole_height,
                self.width / whole_width,
                self.height / whole_height,
            )
        )
        axes.set_axis_off()
        axes.set_aspect("equal", adjustable="box")
        axes.set_xlim(0, self.width)
        axes.set_ylim(0, self.height)
        planes, depths = self.view.project(self.poses)
        scale = self.cell / (2 * self._extent.half[0])
        for i, (plane, depth) in enumerate(zip(planes, depths, strict=True)):
            left_edge, upper_edge = self.corner(i)
            x, y = left_edge + self.cell / 2, upper_edge - self._title_height
            middle = np.array([x, y - self._picture_height / 2])
            placed = middle + scale * (plane - self._extent.middles[i])
            _put_skeleton(axes, placed, depth, self.skeleton, self.palette, min(2.6, 2.1 * self.cell), self.labels)
            if self.titles:
                axes.text(
                    x,
                    y + 0.2 * _LINE,
                    self.titles[i],
                    ha="center",
                    va="bottom",
                    fontsize=_FONT_SIZE,
                    linespacing=1.2,
                    color=self.title_colours[i] if self.title_colours else "black",
                    parse_math=False,
                )
        return axes


def draw_grid(
    poses: npt.ArrayLike,
    skeleton: Skeleton,
    *,
    titles: Sequence[str] = (),
    columns: int = 10,
    cell: float = 0.9,
    view: View = CAMERA_VIEW,
    palette: Palette = PALETTE,
    labels: bool = False,
    heading: str = "",
) -> Figure:
    """A figure of many poses side by side, to one scale.

    Parameters
    ----------
    poses : array, (N, J, 3)
    skeleton : Skeleton
    titles, columns, cell, view, palette, labels
        As in `Grid`.
    heading : str
        Above all, of any number of lines.

    Raises
    ------
    InputError
        If a pose has other joints than the skeleton, or none that is finite.
    UsageError
        If there are other numbers of titles than of poses, or no column.

    Examples
    --------
    >>> from posebench.skeletons import H36M17
    >>> poses = np.random.default_rng(0).normal(size=(3, 17, 3))
    >>> figure = draw_grid(poses, H36M17, titles=["one", "two", "three"])
    >>> figure_bytes(figure, "pdf")[:4]
    b'%PDF'
    """
    given = np.asarray(poses, np.float64)
    grid = Grid(given, skeleton, titles, max(1, min(columns, len(given))), cell, view, palette, labels)
    return page(grid, heading=heading)


def page(grid: Grid, *, heading: str = "") -> Figure:
    """A figure that holds a grid, a heading and the legend of the sides."""
    with plain_style():
        above = heading_height(heading)
        figure = new_figure(max(grid.width, 3.0) + 2 * _MARGIN, above + grid.height + 2 * _LINE + 2 * _MARGIN)
        put_heading(figure, heading)
        grid.place(figure, (figure.get_figwidth() - grid.width) / 2, above + _MARGIN)
        put_sides(figure, grid.skeleton, grid.palette)
    return figure


def new_figure(width: float, height: float) -> Figure:
    """An empty white figure of so many inches that belongs to no window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def heading_height(heading: str) -> float:
    """Inches that a heading takes."""
    return _LINE * 1.2 * (heading.count("\n") + 1) + _MARGIN if heading else 0.0


def put_heading(figure: Figure, heading: str) -> None:
    """Write a heading across the top of a figure."""
    if heading:
        top = 1 - _MARGIN / figure.get_figheight()
        size = _FONT_SIZE + 1
        figure.text(0.5, top, heading, ha="center", va="top", fontsize=size, linespacing=1.2, parse_math=False)


def put_sides(figure: Figure, skeleton: Skeleton, palette: Palette = PALETTE) -> None:
    """Say at the foot of a figure which colour is the person's left, which the right."""
    from matplotlib.lines import Line2D

    present = [side for side in ("left", "right", "middle") if side in sides(skeleton)]
    if len(present) < 2:
        return
    lines = [Line2D([], [], color=getattr(palette, side), linewidth=2.2) for side in present]
    figure.legend(
        lines,
        [f"person's {side}" if side != "middle" else side for side in present],
        loc="lower center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=len(lines),
        frameon=False,
        fontsize=_FONT_SIZE,
        borderpad=0.2,
        borderaxespad=0.2,
    )


@dataclass(frozen=True)
class _Extent:
    """Middles (N, 2) of poses in the picture, and half the width and height that shows each whole."""

    middles: Floats
    half: tuple[float, float]

    @classmethod
    def of(cls, planes: Floats) -> _Extent:
        low, high = (end(np.where(np.isfinite(planes), planes, np.nan), axis=1) for end in (np.nanmin, np.nanmax))
        # No strip, however thin the pose, and room for dots at the rim.
        half = 0.57 * (high - low).max(0)
        half = np.maximum(half, half[::-1] / 3)
        half = half if (half > 0).all() else np.ones(2)
        return cls((low + high) / 2, (float(half[0]), float(half[1])))


def _checked(poses: npt.NDArray[Any], skeleton: Skeleton) -> Floats:
    if poses.ndim != 3 or poses.shape[1:] != (len(skeleton), 3):
        raise InputError(
            f"poses to be drawn have shape {poses.shape}, expected (N, {len(skeleton)}, 3) for {skeleton.name}"
        )
    if not len(poses):
        raise InputError("there is no pose to be drawn")
    empty = np.flatnonzero(~np.isfinite(poses).all(axis=2).any(axis=1))
    if len(empty):
        raise InputError(f"pose {empty[0]} cannot be drawn: none of its joints is finite")
    return poses


# ------------------------------------------------------------------------------------------------------------- files


@contextmanager
def plain_style() -> Iterator[None]:
    """Matplotlib's own defaults for the length of a block, whatever a user's matplotlibrc says."""
    from matplotlib import style

    with style.context(["default", {"svg.hashsalt": "posebench", "svg.fonttype": "path"}], after_reset=True):
        yield


def figure_kind(path: str | Path) -> Kind:
    """The format that a file's ending names.

    Raises
    ------
    UsageError
        If the ending is another.

    Examples
    --------
    >>> figure_kind("figure6.PNG")
    'png'
    """
    suffix = Path(path).suffix.lower()
    for kind in KINDS:
        if suffix == f".{kind}":
            return kind
    what = f"ending {suffix!r}" if suffix else "no ending"
    raise UsageError(f"{path}: a figure cannot be written with {what}; known endings are .{', .'.join(KINDS)}")


def figure_bytes(figure: Figure, kind: Kind) -> bytes:
    """The figure as PNG, SVG or PDF, without a date: the same figure gives the same bytes.

    Examples
    --------
    >>> figure_bytes(new_figure(1, 1), "svg")[:5]
    b'<?xml'
    """
    undated: dict[Kind, dict[str, None]] = {
        "png": {"Software": None},
        "svg": {"Date": None},
        "pdf": {"CreationDate": None},
    }
    buffer = io.BytesIO()
    with plain_style():
        figure.savefig(buffer, format=kind, dpi=figure.dpi, metadata=undated[kind])
    return _few_colours(buffer, figure.dpi) if kind == "png" else buffer.getvalue()


def _few_colours(png: io.BytesIO, dpi: float) -> bytes:
    """A PNG with a palette of 128 colours: a third of the size, and nobody sees it in drawings of this kind."""
    from PIL import Image

    small = io.BytesIO()
    with Image.open(png) as image:
        few = image.convert("RGB").quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(small, "png", optimize=True, dpi=(dpi, dpi))
    return small.getvalue()


def save_figure(figure: Figure, paths: Collection[str | Path]) -> None:
    """Write a figure to files whose endings say the format; each is there whole, or as it was before.

    Raises
    ------
    UsageError
        If an ending is unknown; then nothing is written.
    InputError
        If a file cannot be written.
    """
    from posebench.io.atomic import atomic_write

    kinds = {path: figure_kind(path) for path in paths}
    rendered = {kind: figure_bytes(figure, kind) for kind in dict.fromkeys(kinds.values())}
    for path, kind in kinds.items():
        with atomic_write(path) as file:
            file.write(rendered[kind])


__all__ = [
    "CAMERA_VIEW",
    "KINDS",
    "PALETTE",
    "UPS",
    "Grid",
    "Palette",
    "View",
    "draw_grid",
    "draw_skeleton",
    "drawing_order",
    "figure_bytes",
    "figure_kind",
    "heading_height",
    "new_figure",
    "page",
    "plain_style",
    "put_heading",
    "put_sides",
    "restricted",
    "save_figure",
    "sides",
    "view_of",
]
