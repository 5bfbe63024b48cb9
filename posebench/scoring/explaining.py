"""What the taxonomy of errors is given: which poses, in the order of time, and how their shares are pooled.

The error that is explained is MPJPE as the protocol takes it (its joints, roots, frames and pooling). A scale-free
prediction has no MPJPE; its NMPJPE is explained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from posebench.errors import UsageError
from posebench.kernels import Alignment, aligned_errors, map_chunks
from posebench.metrics.evaluate import Poses, refuse_other_reference
from posebench.metrics.fields import Setup, in_mm
from posebench.metrics.registry import resolve
from posebench.poses import TEXT_KEYS
from posebench.protocols import Protocol
from posebench.scoring.intervals import WIDTHS
from posebench.scoring.sides import Cell, Pair, Rows
from posebench.taxonomy import Explanation, Frames, TaxonomyState, explanation_of, windows
from posebench.taxonomy.layout import Layout

if TYPE_CHECKING:
    from posebench.scoring.scorer import Progress

#: Half of the window that jitter is told apart with: in seconds, at least so many frames; frames without a frame rate.
HALF_WINDOW, FEWEST, WITHOUT_RATE = 0.25, 2, 12

Taken = Callable[[Rows], tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.bool_] | None]]


def explain(
    pred: Poses | str | Path,
    gt: Poses | str | Path,
    *,
    protocol: str | Path | Protocol = "standard",
    allow_missing: bool = False,
    allow_extra: bool = False,
    progress: Progress | None = None,
) -> Explanation:
    """How much of MPJPE each fault has put there: exchanged sides, torn joints, jitter, rotation, scale, depth, limbs.

    Parameters
    ----------
    pred, gt, protocol, allow_missing, allow_extra, progress
        As in `score`.

    Returns
    -------
    Explanation
        `faults` add up to `value`, the protocol's MPJPE in mm (NMPJPE for a scale-free prediction, whose scale nobody
        knows); `by("action")` does so for each action. `str(explanation)` are its tables. A share may be negative:
        then the fault hides a part of another's error.

    Raises
    ------
    InputError
        If the two sides cannot be compared, as in `score`.
    UsageError
        If the protocol is unknown.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> gt = rng.normal(size=(4, 17, 3)) * 300
    >>> turned = gt @ [[0.8, 0.6, 0], [-0.6, 0.8, 0], [0, 0, 1]]
    >>> explained = explain(turned, gt)
    >>> round(explained.faults["rotation"].percent, 6), abs(explained.faults["depth"].percent) < 1e-9
    (100.0, True)
    """
    from posebench.metrics.evaluate import as_poseset
    from posebench.scoring.scorer import load, score

    sides = load(pred, "pred"), load(gt, "gt")
    metric = "NMPJPE" if as_poseset(sides[0], "pred").unit == "scale-free" else "MPJPE"
    report = score(
        *sides,
        protocol=protocol,
        metrics=[metric],
        allow_missing=allow_missing,
        allow_extra=allow_extra,
        explain=True,
        progress=progress,
    )
    assert report.explanation is not None
    return report.explanation


@dataclass
class Explainer:
    """The taxonomy of one piece: `run` goes through its poses in the order of time and fills `state`."""

    pair: Pair
    setup: Setup
    taken: Taken
    #: Whether these are all the frames there are, so that no frame waits for its neighbours.
    whole: bool
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        pred, gt = self.pair.pred, self.pair.gt
        refuse_other_reference(resolve("MPJPE"), pred, gt)
        self.scale_free = pred.unit == "scale-free"
        if self.scale_free:
            self.notes.append(
                f"{pred.source} is scale-free: NMPJPE is explained, whose least-squares scale hides the true one; "
                "`scale` is what it leaves"
            )
        reference = gt.reference if gt.reference != "unknown" else pred.reference
        deep = reference in ("camera", "unknown")
        if not deep:
            self.notes.append(f"depth is not told from the picture plane: {gt.source} is in the {reference} reference")
        frames = self.pair.frames
        self._numbers = gt.frame if gt.frame is None or frames.gt_rows is None else gt.frame[frames.gt_rows]
        reach = self._reach(gt.fps or pred.fps)
        self._columns = columns_of(self.setup, self.error)
        self.state = TaxonomyState(layout_of(self.setup, self.error), reach, deep)

    @property
    def error(self) -> str:
        """The metric that is explained."""
        return "NMPJPE" if self.scale_free else "MPJPE"

    def run(self) -> None:
        """Go through all poses."""
        cells = self.pair.frames.cells
        n, reach = len(cells), self.state.reach
        order, open_ = np.arange(n), np.zeros(n, np.bool_)
        if reach:
            assert self._numbers is not None
            order = np.lexsort((self._numbers, cells))
            if not self.whole:
                open_ = self._open(order)

        def add(rows: slice) -> tuple[TaxonomyState, npt.NDArray[np.int64]]:
            beside = slice(max(0, rows.start - reach), min(rows.stop + reach, n))
            todo = np.zeros(beside.stop - beside.start, np.bool_)
            todo[rows.start - beside.start : rows.stop - beside.start] = ~open_[rows]
            frames = self._frames(order[beside], todo)
            present, frames.cells = np.unique(frames.cells, return_inverse=True)
            part = self.state.empty()
            part.add(frames)
            return part, present

        for part, present in map_chunks(add, n):
            self.state.merge(part, present)
        if open_.any():
            counted = np.concatenate(([0], np.cumsum(open_)))
            at = np.arange(n)
            near = counted[np.minimum(at + reach + 1, n)] - counted[np.maximum(at - reach, 0)] > 0
            self.state.hold(self._frames(order[near], open_[near]))

    def _reach(self, fps: float | None) -> int:
        """Frames on either side that jitter is told apart with; 0 where nothing is known of their order."""
        source = self.pair.gt.source
        if self._numbers is None:
            self.notes.append(f"jitter is not told apart: {source} has no `frame` numbers")
            return 0
        order = np.lexsort((self._numbers, self.pair.frames.cells))
        same = np.diff(self.pair.frames.cells[order]) == 0
        steps = np.diff(self._numbers[order])[same]
        if (steps == 0).any():
            self.notes.append(f"jitter is not told apart: frame numbers of {source} repeat within a sequence")
            return 0
        if self.whole and not (steps == 1).any():
            self.notes.append(f"jitter is not told apart: no two frames of {source} that are scored are consecutive")
            return 0
        return WITHOUT_RATE if fps is None else max(FEWEST, round(HALF_WINDOW * fps))

    def _open(self, order: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which frames, in the order of time, lack a neighbour that another piece may bring."""
        assert self._numbers is not None
        reach = self.state.reach
        first, last = windows(self.pair.frames.cells[order], self._numbers[order], reach)
        at = np.arange(len(order))
        return (at - first < reach) | (last - at < reach)

    def _frames(self, rows: npt.NDArray[np.int64], todo: npt.NDArray[np.bool_]) -> Frames:
        """Poses relative to their roots, in mm; what is not scored is not usable, and zero."""
        setup = self.setup
        taken, true, mask = self.taken(rows)
        alignment = Alignment.SCALE_LEAST_SQUARES if self.scale_free else Alignment.ROOT
        found = aligned_errors(
            taken,
            true,
            mask,
            [alignment],
            joints=setup.joints,
            pred_root=setup.pred_root,
            gt_root=setup.gt_root,
            pred_unit=setup.pred_unit,
            gt_unit=setup.gt_unit,
        )
        usable = np.isfinite(found.errors[0])
        p, g, _ = in_mm(taken, true, mask, setup)
        sides = []
        with np.errstate(invalid="ignore", over="ignore"):  # what is missing is not usable
            for poses, root in ((p, setup.pred_root), (g, setup.gt_root)):
                chosen = poses[:, setup.joints]
                centred = chosen if root is None else chosen - poses[:, [root]]
                sides.append(np.where(usable[..., None], centred, 0.0))
        if self.scale_free:
            square = (sides[0] ** 2).sum((1, 2))
            factor = (sides[0] * sides[1]).sum((1, 2)) / np.where(square > 0, square, 1.0)
            sides[0] = sides[0] * factor[:, None, None]
        numbers = np.zeros(len(rows), np.int64) if self._numbers is None else self._numbers[rows]
        p, g, usable = (each[:, list(self._columns)] for each in (*sides, usable))
        return Frames(p, g, usable, self.pair.frames.cells[rows], numbers.astype(np.int64), todo)


def columns_of(setup: Setup, error: str) -> tuple[int, ...]:
    """Which of the scored joints the error is taken over; a protocol may take it over some of them only."""
    return setup.columns(resolve(error)) or tuple(range(len(setup.joints)))


def layout_of(setup: Setup, error: str) -> Layout:
    """The joints, limbs and bones whose share in the error is explained."""
    assert setup.skeleton is not None
    root = setup.pred_root if setup.pred_root == setup.gt_root else None
    return Layout.of(setup.skeleton, setup.joints[list(columns_of(setup, error))].tolist(), root)


@dataclass
class Explained:
    """The taxonomy of everything that a scorer has seen."""

    state: TaxonomyState
    error: str
    notes: list[str]

    @classmethod
    def like(cls, other: Explained | Explainer) -> Explained:
        """What has seen nothing, and explains as another does."""
        return cls(other.state.empty(), other.error, [])

    def merged(self, other: Explained | Explainer, rows: npt.NDArray[np.int64]) -> Explained:
        """Both, cells of the other being these rows of this one's; this one stays as it was.

        Raises
        ------
        UsageError
            If the two do not explain the same error in the same way.
        """
        mine, theirs = self.state, other.state
        if (self.error, mine.reach, mine.deep) != (other.error, theirs.reach, theirs.deep):
            raise UsageError(
                "pieces that are explained differently do not merge: all must be in one reference and unit, of one "
                "frame rate, and have frame numbers or none"
            )
        state = mine.copy()
        state.merge(theirs, rows)
        return Explained(state, self.error, [*self.notes, *(note for note in other.notes if note not in self.notes)])

    def explanation(self, cells: Sequence[Cell], protocol: Protocol, keys: Sequence[str]) -> Explanation:
        """What a report says; `cells` are the scorer's, in order."""
        state = self.state.finished()
        state.grow(len(cells))

        def pool(chosen: npt.NDArray[np.int64] | None) -> npt.NDArray[np.float64] | None:
            rows = np.arange(len(cells)) if chosen is None else chosen
            pooling = protocol.pooling
            if pooling not in WIDTHS:
                return _mean(state, rows, joint=pooling == "joint")
            members: dict[Cell, list[int]] = {}
            for row in rows.tolist():
                members.setdefault(cells[row][WIDTHS[pooling]], []).append(row)
            found = [_mean(state, np.array(each), joint=False) for each in members.values()]
            present = [each for each in found if each is not None]
            return np.mean(present, axis=0) if present else None

        groups = {key: members(cells, key) for key in TEXT_KEYS if key in keys}
        return explanation_of(state, pool, error=self.error, notes=list(self.notes), groups=groups)


def _mean(state: TaxonomyState, rows: npt.NDArray[np.int64], *, joint: bool) -> npt.NDArray[np.float64] | None:
    count = float(state.counts[rows, int(joint)].sum())
    if not count:
        return None
    mean: npt.NDArray[np.float64] = state.sums[rows, int(joint)].sum(0) / count
    return mean


def members(cells: Sequence[Cell], group: str) -> Mapping[str, list[int]]:
    """Rows of each member of a group of cells, by name."""
    place = TEXT_KEYS.index(group)
    found: dict[str, list[int]] = {}
    for row, cell in enumerate(cells):
        # A sequence's name alone may repeat from subject to subject.
        parts = [part for part in (cell[:3] if group == "sequence" else cell[place : place + 1]) if part is not None]
        if len(parts) > 1:
            parts = [part.replace("\\", "\\\\").replace("/", "\\/") for part in parts]
        found.setdefault("/".join(parts), []).append(row)
    return {name: found[name] for name in sorted(found)}


__all__ = ["Explained", "Explainer", "explain", "layout_of", "members"]
