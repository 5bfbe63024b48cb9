"""The mergeable sums of the taxonomy: frames in any order and any split give the same shares.

Jitter needs a window of frames around each. A frame is counted as soon as its window is whole; frames at the ends of
runs wait, with what stands beside them, until a merge brings their neighbours or nothing more comes.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.taxonomy.layout import Layout

Floats = npt.NDArray[np.float64]

#: Vectors that a pose's error is made of, once sides and torn joints are put right; limbs come on top.
MOVES = ("rotation", "scale", "root")
#: Distances that are left after each fault is taken away, in this order, after the distance itself.
ORDER = ("swap", "outliers", "jitter", "rotation", "scale", "root", "depth", "limbs")


@dataclass(frozen=True)
class Columns:
    """Where `share_out` puts what: shares of the distance, of its square, distances left, and the squared distance.

    A share takes two columns: along the viewing axis, and across it.
    """

    limbs: int

    @property
    def block(self) -> int:
        """Shares of the moves and of each limb."""
        return 2 * (len(MOVES) + self.limbs)

    @property
    def parts(self) -> int:
        """Swap, outliers, all the rest as it is, and all the rest without jitter."""
        return 4 + 2 * self.block

    @property
    def left(self) -> int:
        """The distance itself; seven that are left follow, and the squared distance."""
        return 2 * self.parts

    @property
    def width(self) -> int:
        """All columns."""
        return self.left + 9


@dataclass
class Frames:
    """Poses in the order of time: everything that `share_out` needs of them, before it is computed."""

    pred: Floats
    gt: Floats
    usable: npt.NDArray[np.bool_]
    cells: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]
    #: Whether they are still to be counted; the others stand there for the windows of their neighbours.
    todo: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64] | slice) -> Frames:
        return Frames(*(getattr(self, each.name)[rows] for each in fields(self)))

    def joined(self, others: Frames) -> Frames:
        """Both, in the order of time."""
        both = Frames(*(np.concatenate([getattr(self, f.name), getattr(others, f.name)]) for f in fields(self)))
        return both[np.lexsort((both.numbers, both.cells))]

    @classmethod
    def none(cls, joints: int) -> Frames:
        """No frame."""
        poses = np.zeros((0, joints, 3))
        numbers = np.zeros(0, np.int64)
        return cls(poses, poses, np.zeros((0, joints), np.bool_), numbers, numbers, np.zeros(0, np.bool_))


@dataclass
class TaxonomyState:
    """Sums of the shares of every fault per cell, and the frames that wait for their neighbours."""

    layout: Layout
    #: Frames on either side of one that jitter is told apart with; 0 where frames have no order in time.
    reach: int
    #: Whether the z axis is the viewing axis.
    deep: bool
    #: (cells, 2, columns): means over a pose's joints, and sums over joints.
    sums: Floats = field(init=False)
    #: (cells, 2): poses and joints.
    counts: Floats = field(init=False)
    #: Poses whose sides were exchanged, by part; torn joints, by joint.
    swapped: npt.NDArray[np.int64] = field(init=False)
    torn: npt.NDArray[np.int64] = field(init=False)
    #: Poses with any swap, with any torn joint, and with a window of three frames or more.
    poses: npt.NDArray[np.int64] = field(init=False)
    waiting: Frames = field(init=False)

    def __post_init__(self) -> None:
        joints = len(self.layout.joints)
        self.sums = np.zeros((0, 2, self.columns.width))
        self.counts = np.zeros((0, 2))
        self.swapped = np.zeros(len(self.layout.swaps), np.int64)
        self.torn = np.zeros(joints, np.int64)
        self.poses = np.zeros(3, np.int64)
        self.waiting = Frames.none(joints)

    @property
    def columns(self) -> Columns:
        """What stands where in the sums."""
        return Columns(len(self.layout.limbs))

    def empty(self) -> TaxonomyState:
        """A state of the same kind, without frames."""
        return TaxonomyState(self.layout, self.reach, self.deep)

    def copy(self) -> TaxonomyState:
        """A state with the same sums, to be added to without touching this one."""
        twin = copy(self)
        for name in ("sums", "counts", "swapped", "torn", "poses"):
            setattr(twin, name, getattr(self, name).copy())
        return twin

    def add(self, frames: Frames) -> None:
        """Count the frames that are to do, with the windows that the given frames (in the order of time) allow."""
        from posebench.taxonomy.kernels import fit_poses, share_out

        if not frames.todo.any():
            return
        n, joints = frames.usable.shape
        pred = np.ascontiguousarray(frames.pred)
        put_right = pred.copy()
        swapped, torn = np.zeros(n, np.int64), np.zeros((n, joints), np.bool_)
        transform, rest = np.zeros((n, 8)), np.zeros((n, joints, 3))
        gt, usable = np.ascontiguousarray(frames.gt), np.ascontiguousarray(frames.usable)
        layout = self.layout
        fit_poses(put_right, gt, usable, layout.root, layout.partners, layout.bones, swapped, torn, transform, rest)
        first, last = windows(frames.cells, frames.numbers, self.reach)
        self.grow(int(frames.cells.max()) + 1)
        sums, counts = np.zeros_like(self.sums), np.zeros_like(self.counts)
        share_out(
            *(pred, put_right, gt, usable, torn, transform, rest, layout.root, first, last),
            *(np.ascontiguousarray(frames.todo), layout.limb_of, self.deep, np.ascontiguousarray(frames.cells)),
            *(sums, counts),
        )
        self.sums += sums
        self.counts += counts
        done = frames.todo & usable.any(1)
        self.swapped += [int(np.count_nonzero(done & (swapped >> part & 1 > 0))) for part in range(len(self.swapped))]
        self.torn += torn[done].sum(0)
        marks = (swapped > 0, torn.any(1), last - first >= 2)
        self.poses += [int(np.count_nonzero(done & mark)) for mark in marks]

    def hold(self, frames: Frames) -> None:
        """Keep frames (in the order of time) until their neighbours come; what has all of them already is counted."""
        if not len(frames):
            return
        both = frames if not len(self.waiting) else self.waiting.joined(frames)
        if (self.reach == 0) or not len(both):
            self.add(both)
            return
        twice = (np.diff(both.cells) == 0) & (np.diff(both.numbers) == 0)
        if twice.any():
            number = both.numbers[1:][twice][0]
            raise InputError(f"frame {number} stands twice in one sequence, so jitter cannot be told apart")
        first, last = windows(both.cells, both.numbers, self.reach)
        at = np.arange(len(both))
        whole = (at - first == self.reach) & (last - at == self.reach)
        ready = both[slice(None)]
        ready.todo = both.todo & whole
        self.add(ready)
        open_ = both.todo & ~whole
        # What waits keeps the neighbours that its window will need.
        near = np.concatenate(([0], np.cumsum(open_)))
        low, high = np.maximum(at - self.reach, 0), np.minimum(at + self.reach + 1, len(both))
        keep = near[high] - near[low] > 0
        self.waiting = both[keep]
        self.waiting.todo = open_[keep]

    def merge(self, other: TaxonomyState, rows: npt.NDArray[np.int64]) -> None:
        """Add another state whose cell c is this one's rows[c]."""
        self.grow(int(rows.max(initial=-1)) + 1)
        np.add.at(self.sums, rows[: len(other.sums)], other.sums)
        np.add.at(self.counts, rows[: len(other.counts)], other.counts)
        for name in ("swapped", "torn", "poses"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        if len(other.waiting):
            theirs = other.waiting[slice(None)]
            theirs.cells = rows[theirs.cells]
            self.hold(theirs[np.lexsort((theirs.numbers, theirs.cells))])

    def finished(self) -> TaxonomyState:
        """A state in which nothing waits: what stands at the end of a run has the window that there is."""
        twin = self.copy()
        twin.add(twin.waiting)
        twin.waiting = Frames.none(len(self.layout.joints))
        return twin

    def grow(self, cells: int) -> None:
        """Have sums for so many cells at least."""
        missing = cells - len(self.sums)
        if missing > 0:
            self.sums = np.concatenate([self.sums, np.zeros((missing, *self.sums.shape[1:]))])
            self.counts = np.concatenate([self.counts, np.zeros((missing, 2))])


def windows(
    cells: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64], reach: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First and last row of each frame's window: consecutive frames of its cell, at most `reach` away.

    Examples
    --------
    >>> first, last = windows(np.array([0, 0, 0, 1]), np.array([3, 4, 6, 7]), reach=12)
    >>> first.tolist(), last.tolist()
    ([0, 0, 2, 3], [1, 1, 2, 3])
    """
    at = np.arange(len(cells))
    if reach == 0:
        return at, at.copy()
    broken = (np.diff(cells) != 0) | (np.diff(numbers) != 1)
    run = np.concatenate(([0], np.cumsum(broken)))
    starts = np.concatenate(([0], np.flatnonzero(broken) + 1))
    ends = np.concatenate((starts[1:] - 1, [len(cells) - 1]))
    return np.maximum(at - reach, starts[run]), np.minimum(at + reach, ends[run])


__all__ = ["MOVES", "ORDER", "Columns", "Frames", "TaxonomyState", "windows"]
