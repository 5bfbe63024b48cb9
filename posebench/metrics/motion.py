"""Motion: velocity and acceleration errors that know sequences, frame numbers and the frame rate.

Both are differences in time of the root-centred error vectors, so a state needs to keep only the two frames at each end
of a run of consecutive frames: states of any split of a set merge into exactly the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError, UsageError
from posebench.metrics.evaluate import Array, Joints, Poses, make_setup, pair, scorable
from posebench.metrics.fields import Floats, Setup, in_mm
from posebench.metrics.grammar import MetricSpec
from posebench.metrics.registry import Arguments, Family, FieldKind, Metric, Needs, register, resolve, spelling
from posebench.poses import KeyColumn

_NEEDS = Needs.METRIC_SCALE | Needs.SAME_REFERENCE | Needs.SEQUENCES


@register(
    Family(
        "MPJVE",
        "mean error of joint velocities between consecutive frames, root-centred",
        "mm/s",
        False,
        (0.0, None),
        source="Pavllo et al., 3D human pose estimation in video with temporal convolutions, CVPR 2019",
        aliases=("VelocityError",),
        arguments="per=second|frame",
    )
)
def _mpjve(spec: MetricSpec, family: Family) -> Metric:
    return _motion_metric(spec, family, FieldKind.VELOCITY, "mm/frame")


@register(
    Family(
        "MPJAE",
        "mean error of joint accelerations between consecutive frames, root-centred",
        "mm/s^2",
        False,
        (0.0, None),
        source="Kanazawa et al., Learning 3D human dynamics from video, CVPR 2019",
        aliases=("AccelerationError",),
        arguments="per=second|frame",
    )
)
def _mpjae(spec: MetricSpec, family: Family) -> Metric:
    return _motion_metric(spec, family, FieldKind.ACCELERATION, "mm/frame^2")


def _motion_metric(spec: MetricSpec, family: Family, field: FieldKind, per_frame: str) -> Metric:
    arguments = Arguments(spec, family)
    per = arguments.word("per", ("second", "frame"), "second")
    arguments.done()
    if per == "frame":
        return Metric(spelling(family.name, None, "per=frame"), family, field, needs=_NEEDS, unit=per_frame)
    return Metric(family.name, family, field, needs=_NEEDS | Needs.FPS, unit=family.unit)


def mpjve(
    pred: Poses,
    gt: Poses,
    *,
    fps: float | None,
    sequence: Sequence[Any] | npt.NDArray[Any] | None = None,
    frame: npt.ArrayLike | None = None,
    root: int = 0,
    joints: Joints = None,
    valid: Array | None = None,
) -> float:
    """Mean error of joint velocities, in mm/s (mm/frame if `fps` is None); best is 0.

    Parameters
    ----------
    pred, gt, root, joints, valid
        As in `mpjpe`.
    fps : float or None
        Frames per second.
    sequence : array, (N,), optional
        The sequence of each frame; differences never cross from one to another. One sequence by default.
    frame : array of int, (N,), optional
        Frame numbers; the poses are consecutive in the order given by default.

    Returns
    -------
    float

    Raises
    ------
    InputError
        As `mpjpe`; also if frames of a sequence are missing, repeat, or if no two are consecutive.

    References
    ----------
    Pavllo et al., CVPR 2019.

    Examples
    --------
    >>> import numpy as np
    >>> gt = np.zeros((3, 2, 3)) + [[0, 0, 0], [0, 100, 0]]
    >>> pred = gt + np.array([0, 1, 3])[:, None, None] * np.array([[0, 0, 0], [1, 0, 0]])
    >>> mpjve(pred, gt, fps=50)  # the second joint moves by 1 and 2 mm, the root by 0
    37.5
    """
    return _evaluate("MPJVE", pred, gt, fps, sequence, frame, root, joints, valid)


def mpjae(
    pred: Poses,
    gt: Poses,
    *,
    fps: float | None,
    sequence: Sequence[Any] | npt.NDArray[Any] | None = None,
    frame: npt.ArrayLike | None = None,
    root: int = 0,
    joints: Joints = None,
    valid: Array | None = None,
) -> float:
    """Mean error of joint accelerations, in mm/s^2 (mm/frame^2 if `fps` is None); best is 0.

    Parameters and errors as in `mpjve`; three consecutive frames are needed.

    References
    ----------
    Kanazawa et al., Learning 3D human dynamics from video, CVPR 2019.

    Examples
    --------
    >>> import numpy as np
    >>> gt = np.zeros((3, 2, 3)) + [[0, 0, 0], [0, 100, 0]]
    >>> pred = gt + np.array([0, 1, 3])[:, None, None] * np.array([[0, 0, 0], [1, 0, 0]])
    >>> mpjae(pred, gt, fps=None)
    0.5
    """
    return _evaluate("MPJAE", pred, gt, fps, sequence, frame, root, joints, valid)


def _evaluate(
    name: str,
    pred: Poses,
    gt: Poses,
    fps: float | None,
    sequence: Any,
    frame: npt.ArrayLike | None,
    root: int,
    joints: Joints,
    valid: Array | None,
) -> float:
    metric = motion_metric(name, fps)
    p, g, mask = pair(pred, gt, valid)
    setup = make_setup(p, g, root, joints, None, metric)
    sequences = KeyColumn.of("" if sequence is None else sequence, len(g), "sequence")
    numbers = g.replace(frame=_counted(sequences) if frame is None else frame).frame
    assert numbers is not None
    known = scorable(p, g, mask, setup)
    state = MotionState(len(setup.joints))
    vectors = error_vectors(*in_mm(p.poses, g.poses, known, setup), setup)
    state.update(vectors, sequences.codes.astype(np.int64), numbers)
    broken = state.first_gap()
    if broken is not None:
        cell, end, start = broken
        where = sequences.names[cell]
        raise InputError(
            f"{g.source}: {metric.key} needs consecutive frames, but sequence {where!r} goes from {end} to {start}"
        )
    sums = state.sums(metric.field)
    if not sums[:, 1].sum():
        raise InputError(f"{g.source}: no consecutive frames can be scored, which {metric.key} needs")
    return float(sums[:, 0].sum() / sums[:, 1].sum()) * time_factor(metric, fps)


def motion_metric(name: str, fps: float | None) -> Metric:
    """The metric per second, or per frame where there is no frame rate."""
    if fps is not None and not (isinstance(fps, int | float | np.number) and 0 < fps < float("inf")):
        raise UsageError(f"fps is {fps}, expected a positive number, or None for errors per frame")
    return resolve(name if fps is not None else f"{name}(per=frame)")


def _counted(sequences: KeyColumn) -> npt.NDArray[np.int64]:
    """Frame numbers that count up within each sequence, in the order given."""
    numbers = np.empty(len(sequences), np.int64)
    for code in range(len(sequences.names)):
        rows = np.flatnonzero(sequences.codes == code)
        numbers[rows] = np.arange(len(rows))
    return numbers


def time_factor(metric: Metric, fps: float | None) -> float:
    """Factor from per-frame differences to the metric's unit."""
    if Needs.FPS not in metric.needs:
        return 1.0
    assert fps is not None
    return fps if metric.field is FieldKind.VELOCITY else fps * fps


def error_vectors(p: Floats, g: Floats, known: npt.NDArray[np.bool_], setup: Setup) -> Floats:
    """Root-centred p - g of the scored joints (N, K, 3) in mm; NaN where either side lacks the joint or the root."""
    with np.errstate(invalid="ignore", over="ignore"):  # what is missing is marked, not computed
        vectors = p[:, setup.joints] - g[:, setup.joints]
        usable = known[:, setup.joints]
        if setup.pred_root is not None:
            vectors = vectors - p[:, [setup.pred_root]]
        if setup.gt_root is not None:
            vectors = vectors + g[:, [setup.gt_root]]
            usable = usable & known[:, [setup.gt_root]]
    return np.where(usable[..., None] & np.isfinite(vectors), vectors, np.nan)


@dataclass
class _Run:
    """Consecutive frames of one cell, of which the first and the last two error vectors are kept."""

    cell: int
    first: int
    last: int
    head: Floats  # (1 or 2, K, 3)
    tail: Floats


class MotionState:
    """Sums of velocity and acceleration errors per cell, and the ends of the runs that may still be joined."""

    def __init__(self, n_joints: int) -> None:
        self.n_joints = n_joints
        self.runs: list[_Run] = []
        self._sums = {kind: np.zeros((0, 4)) for kind in (FieldKind.VELOCITY, FieldKind.ACCELERATION)}

    def update(self, vectors: Floats, cells: npt.NDArray[np.int64], frames: npt.NDArray[np.int64]) -> None:
        """Add frames in any order: error vectors (N, K, 3), the cell and the number of each."""
        if not len(vectors):
            return
        order = np.lexsort((frames, cells))
        vectors, cells, frames = vectors[order], cells[order], frames[order]
        linked = (cells[1:] == cells[:-1]) & (frames[1:] - frames[:-1] == 1)
        velocity = np.diff(vectors, axis=0)
        self._add(FieldKind.VELOCITY, velocity[linked], cells[1:][linked])
        twice = linked[1:] & linked[:-1]
        self._add(FieldKind.ACCELERATION, np.diff(velocity, axis=0)[twice], cells[2:][twice])
        borders = np.concatenate(([0], np.flatnonzero(~linked) + 1, [len(cells)]))
        for a, b in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
            head, tail = vectors[a : min(a + 2, b)].copy(), vectors[max(a, b - 2) : b].copy()
            self.runs.append(_Run(int(cells[a]), int(frames[a]), int(frames[b - 1]), head, tail))
        self._join()

    def merge(self, other: MotionState, rows: npt.NDArray[np.int64]) -> None:
        """Add another state whose cell c is this one's rows[c]."""
        for kind, sums in other._sums.items():
            self._grow(kind, int(rows.max(initial=-1)) + 1)
            np.add.at(self._sums[kind], rows[: len(sums)], sums)
        self.runs += [_Run(int(rows[r.cell]), r.first, r.last, r.head, r.tail) for r in other.runs]
        self._join()

    def sums(self, kind: FieldKind) -> Floats:
        """Per cell: sum of frame values, number of frames, sum of item values, number of items."""
        return self._sums[kind]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Everything that the state holds; `fill` takes it back."""
        ends = np.full((len(self.runs), 2, 2, self.n_joints, 3), np.nan)
        for row, run in enumerate(self.runs):
            ends[row, 0, : len(run.head)], ends[row, 1, : len(run.tail)] = run.head, run.tail
        runs = np.array([(run.cell, run.first, run.last) for run in self.runs], np.int64).reshape(-1, 3)
        return {"runs": runs, "ends": ends, **{kind.name.lower(): sums for kind, sums in self._sums.items()}}

    def fill(self, arrays: Mapping[str, npt.NDArray[Any]], cells: int) -> None:
        """Hold what another state's `arrays` hold, which has seen so many cells.

        Raises
        ------
        ValueError
            If they are not of a state of so many joints and cells.
        """
        runs, ends = arrays["runs"], arrays["ends"]
        sums = {kind: arrays[kind.name.lower()] for kind in self._sums}
        if runs.shape != (len(runs), 3) or ends.shape != (len(runs), 2, 2, self.n_joints, 3):
            raise ValueError(f"runs of motion have the shapes {runs.shape} and {ends.shape}")
        if any(each.shape != (len(each), 4) for each in sums.values()) or (runs[:, 1] > runs[:, 2]).any():
            raise ValueError("sums or runs of motion are not what they should be")
        if any(len(each) > cells for each in sums.values()) or (runs[:, 0] < 0).any() or (runs[:, 0] >= cells).any():
            raise ValueError(f"sums or runs of motion are of more than {cells} cells")
        self._sums = {kind: each.copy() for kind, each in sums.items()}
        self.runs = []
        for (cell, first, last), (head, tail) in zip(runs.tolist(), ends, strict=True):
            held = min(2, last - first + 1)
            self.runs.append(_Run(cell, first, last, head[:held].copy(), tail[:held].copy()))

    def first_gap(self) -> tuple[int, int, int] | None:
        """(cell, last frame before, first frame after) of the first gap inside a cell, if there is one."""
        for a, b in zip(self.runs, self.runs[1:], strict=False):
            if a.cell == b.cell:
                return a.cell, a.last, b.first
        return None

    def _join(self) -> None:
        """Join runs that touch; what happens across the seam is added to the sums."""
        self.runs.sort(key=lambda run: (run.cell, run.first))
        joined: list[_Run] = []
        seams: dict[FieldKind, list[Floats]] = {FieldKind.VELOCITY: [], FieldKind.ACCELERATION: []}
        seam_cells: dict[FieldKind, list[int]] = {FieldKind.VELOCITY: [], FieldKind.ACCELERATION: []}
        for run in self.runs:
            before = joined[-1] if joined else None
            if before is None or before.cell != run.cell or run.first > before.last + 1:
                joined.append(run)
                continue
            if run.first <= before.last:
                raise InputError(f"frame {run.first} stands twice in one sequence")
            a, b = before.tail, run.head
            seams[FieldKind.VELOCITY].append(b[0] - a[-1])
            seam_cells[FieldKind.VELOCITY].append(run.cell)
            window = np.concatenate([a, b])
            for bend in np.diff(window, n=2, axis=0):
                seams[FieldKind.ACCELERATION].append(bend)
                seam_cells[FieldKind.ACCELERATION].append(run.cell)
            head = before.head if len(before.head) == 2 else np.concatenate([before.head, run.head])[:2]
            tail = run.tail if len(run.tail) == 2 else np.concatenate([before.tail, run.tail])[-2:]
            joined[-1] = _Run(run.cell, before.first, run.last, head, tail)
        self.runs = joined
        for kind, vectors in seams.items():
            if vectors:
                self._add(kind, np.stack(vectors), np.array(seam_cells[kind], np.int64))

    def _add(self, kind: FieldKind, differences: Floats, cells: npt.NDArray[np.int64]) -> None:
        if not len(differences):
            return
        self._grow(kind, int(cells.max()) + 1)
        errors = np.linalg.norm(differences, axis=2)
        usable = ~np.isnan(errors)
        items = usable.sum(1)
        totals = np.where(usable, errors, 0.0).sum(1)
        values = totals / np.maximum(items, 1)
        scored = (items > 0).astype(np.float64)
        columns = (values, scored, totals, items.astype(np.float64))
        for column, weights in enumerate(columns):
            self._sums[kind][:, column] += np.bincount(cells, weights, len(self._sums[kind]))

    def _grow(self, kind: FieldKind, cells: int) -> None:
        missing = cells - len(self._sums[kind])
        if missing > 0:
            self._sums[kind] = np.concatenate([self._sums[kind], np.zeros((missing, 4))])
