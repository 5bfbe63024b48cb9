"""What the HTML report shows of single poses, taken while a set is scored: the worst frames, typical ones, and curves.

Memory does not grow with the set. Errors per frame fall into classes that are 2 % wide; each class remembers its first
frame, so that any quantile has a frame to show. The worst frames come from as many stretches of the set as there are
places, one from each at most, since the frames beside the worst one look like it. Chunks may come in any order, from
any thread: what is kept depends on the frames alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from posebench.alignment import fit_similarity, scale_least_squares, scale_norm_ratio
from posebench.drawing import restricted, view_of
from posebench.kernels.fields import Alignment
from posebench.kernels.kinds import ReductionKind
from posebench.metrics.fields import Floats, Setup, in_mm
from posebench.metrics.registry import FieldKind, Metric
from posebench.poses import KeyColumn, PoseSet
from posebench.report.samples import Centres, ErrorCurve, SampledPose, Samples

if TYPE_CHECKING:
    from posebench.scoring.bindings import Bindings
    from posebench.scoring.sides import Pair, Rows

#: Frames of the largest errors, and the quantiles that one frame each is shown of.
WORST = 6
QUANTILES = (0.5, 0.9, 0.99)
#: Stretches of the set that the worst frames are taken from: one for so many frames, but no fewer or more than these.
_STRETCH, _FEWEST, _MOST = 50, 24, 256
#: Classes of errors: the first ends at this many mm, each further one is so many times as wide.
_FIRST, _RATIO, _CLASSES = 0.01, 1.02, 1048
#: Largest threshold of the curves in mm; more where a metric asks for more.
_CURVE_END, _CURVE_MOST = 200, 500
_MOST_CURVES = 4
_AXES = (Alignment.ROOT_X, Alignment.ROOT_Y, Alignment.ROOT_Z)
_NO_ROW = np.iinfo(np.int64).max

#: How each alignment brings a prediction onto its ground truth.
_WORDS = {
    Alignment.ROOT: "both centred on their root",
    Alignment.NONE: "coordinates as they are",
    Alignment.SCALE_LEAST_SQUARES: "centred on the root, prediction scaled by least squares",
    Alignment.SCALE_LEAST_SQUARES_ABSOLUTE: "prediction at the ground truth's root, scaled by least squares",
    Alignment.SCALE_PROCRUSTES: "centred on the root, scaled as the best similarity does",
    Alignment.SCALE_NORM_RATIO: "centred on the root, scaled to the size of the ground truth",
    Alignment.SCALE_LEAST_SQUARES_MEAN: "centred on the mean, prediction scaled by least squares",
    Alignment.SIMILARITY: "prediction moved, turned and scaled onto the ground truth (Procrustes)",
    Alignment.SIMILARITY_REROOTED: "moved, turned and scaled (Procrustes), then both centred on their root",
    Alignment.RIGID: "prediction moved and turned onto the ground truth, not scaled",
    Alignment.RIGID_REROOTED: "moved and turned, not scaled, then both centred on their root",
    Alignment.PROCRUSTES_NORM_RATIO: "prediction turned, and scaled to the size of the ground truth",
    Alignment.PROCRUSTES_NORM_RATIO_REFLECT: "turned or mirrored, and scaled to the size of the ground truth",
}


class _Curve:
    """Counts (K + 1, T + 1) of joint errors by the number of joints that their pose holds, and by whole mm."""

    def __init__(self, joints: int, end: int) -> None:
        self.end = end
        self.counts = np.zeros((joints + 1, end + 1), np.int64)

    def counted(self, items: Floats) -> npt.NDArray[np.int64]:
        known = ~np.isnan(items)
        # What is missing is infinitely far off and falls with all that is beyond the end.
        classes = np.minimum(np.where(known, items, 0.0), self.end).astype(np.int64)
        places = known.sum(1)[:, None] * (self.end + 1) + classes
        return np.bincount(places[known], minlength=self.counts.size).reshape(self.counts.shape)

    def within(self, *, joint_pooling: bool) -> Floats:
        """Percentages below 0, 1, … `end` mm: the mean over poses of their shares, or the share of all joints."""
        held = np.arange(len(self.counts))[1:, None]
        weighed = self.counts[1:] / (1.0 if joint_pooling else held)
        below = np.concatenate([[0.0], np.cumsum(weighed.sum(0))])
        total = below[-1]
        return np.zeros(self.end + 1) if total == 0 else 100.0 * below[:-1] / total


class Sampler:
    """Watches the values per frame of one run; see the module."""

    def __init__(self, metrics: Sequence[Metric], setup: Setup, frames: int, *, joint_pooling: bool) -> None:
        self._frames, self._joint_pooling = frames, joint_pooling
        self._lock = Lock()
        of_joints = [m for m in metrics if m.field is FieldKind.JOINTS and m.alignment not in (None, *_AXES)]
        means = [metric for metric in of_joints if metric.reduction.kind is ReductionKind.MEAN]
        self.ranked = means[0] if means else None
        self._counts = np.zeros(_CLASSES, np.int64)
        self._first = np.full(_CLASSES, _NO_ROW)
        self._stretches = min(max(_FEWEST, frames // _STRETCH), _MOST, frames)
        self._worst = np.full(self._stretches, -1.0)
        self._worst_row = np.full(self._stretches, _NO_ROW)
        #: By alignment and joints: the curve, and the metrics that share it; the first one fills it.
        self._curves: dict[Any, tuple[_Curve, list[Metric]]] = {}
        furthest = max((t for m in of_joints for t in m.reduction.thresholds), default=0.0)
        end = min(max(_CURVE_END, math.ceil(furthest)), _CURVE_MOST)
        for metric in of_joints:
            key = metric.alignment, setup.columns(metric)
            if key not in self._curves and len(self._curves) < _MOST_CURVES:
                self._curves[key] = _Curve(len(setup.metric_items(metric)), end), []
            if key in self._curves:
                self._curves[key][1].append(metric)

    def keep(self, rows: slice, metric: Metric, values: Floats, items: Floats) -> None:
        """Take note of a metric's values (n,) of these frames, reduced from items (n, K)."""
        if self.ranked is not None and metric.key == self.ranked.key:
            self._rank(rows.start, values)
        for curve, of in self._curves.values():
            if of[0].key == metric.key:
                counted = curve.counted(items)
                with self._lock:
                    curve.counts += counted

    def _rank(self, start: int, values: Floats) -> None:
        present = np.flatnonzero(np.isfinite(values))
        if not len(present):
            return
        errors, rows = values[present], present + start
        with np.errstate(divide="ignore"):
            steps = np.floor(np.log(errors / _FIRST) / np.log(_RATIO)) + 1
        classes = np.clip(steps, 0, _CLASSES - 1).astype(np.int64)
        stretches = rows * self._stretches // self._frames
        # By stretch, then the largest error, then the first row: the head of each stretch is its worst.
        order = np.lexsort((rows, -errors, stretches))
        heads = order[np.unique(stretches[order], return_index=True)[1]]
        with self._lock:
            self._counts += np.bincount(classes, minlength=_CLASSES)
            np.minimum.at(self._first, classes, rows)
            for head in heads.tolist():
                place = int(stretches[head])
                if (-errors[head], rows[head]) < (-self._worst[place], self._worst_row[place]):
                    self._worst[place], self._worst_row[place] = errors[head], rows[head]

    def samples(self, pair: Pair, poses: Any, setup: Setup, bindings: Bindings, metrics: Sequence[Metric]) -> Samples:
        """What was kept; `poses(rows)` gives prediction, ground truth and mask of scored frames."""
        chosen = self._chosen()
        drawn = sorted(
            {*setup.joints.tolist(), *(root for root in (setup.pred_root, setup.gt_root) if root is not None)}
        )
        assert setup.skeleton is not None
        skeleton = restricted(setup.skeleton, [setup.skeleton.joints[joint] for joint in drawn])
        edges = _FIRST * _RATIO ** np.arange(-1.0, _CLASSES)
        edges[0] = 0.0
        return Samples(
            None if self.ranked is None else self.ranked.key,
            skeleton,
            "y" if view_of(pair.gt.reference).up[1] > 0 else "-y",
            edges,
            self._counts.copy(),
            tuple(
                ErrorCurve(
                    tuple(metric.key for metric in of),
                    _WORDS[of[0].alignment] if of[0].alignment is not None else "",
                    curve.within(joint_pooling=self._joint_pooling),
                )
                for curve, of in self._curves.values()
            ),
            _fetched(chosen, pair, poses, setup, drawn, self.ranked),
            centres_of(bindings, metrics),
            {q: self._middle(edges, self._class_of(q)) for q in QUANTILES if self._counts.sum()},
            self._stretches,
        )

    def _middle(self, edges: Floats, place: int) -> float:
        return float(np.sqrt(edges[place] * edges[place + 1]))

    def _class_of(self, quantile: float) -> int:
        reached = np.cumsum(self._counts)
        return int(np.searchsorted(reached, max(1.0, math.ceil(quantile * reached[-1]))))

    def _chosen(self) -> list[tuple[str, int, float | None]]:
        """What each frame stands for, its place among the scored ones, and its error where it is known here."""
        if not self._counts.sum():
            return []
        found: list[tuple[str, int, float | None]] = [
            (f"{100 * q:g} %", int(self._first[self._class_of(q)]), None) for q in QUANTILES
        ]
        order = np.lexsort((self._worst_row, -self._worst))[:WORST]
        held = [place for place in order.tolist() if self._worst_row[place] != _NO_ROW]
        return found + [("worst", int(self._worst_row[place]), float(self._worst[place])) for place in held]


def _fetched(
    chosen: Sequence[tuple[str, int, float | None]],
    pair: Pair,
    poses: Any,
    setup: Setup,
    drawn: list[int],
    ranked: Metric | None,
) -> tuple[SampledPose, ...]:
    if not chosen or ranked is None:
        return ()
    rows = np.array([row for _, row, _ in chosen], np.int64)
    taken, true, valid = poses(rows)
    pred, gt, known = in_mm(taken, true, valid, setup)
    pred, gt = (np.where(known[..., None], side, np.nan) for side in (pred, gt))
    of_gt = pair.frames.gt_chunk(rows)
    assert not isinstance(of_gt, slice)
    columns = setup.columns(ranked)
    scored = setup.joints if columns is None else setup.joints[list(columns)]
    found = []
    for i, (why, _, error) in enumerate(chosen):
        p, g = aligned(pred[i], gt[i], setup, ranked.alignment or Alignment.ROOT)
        if error is None:
            error = float(np.nanmean(np.linalg.norm(p[scored] - g[scored], axis=1)))
        found.append(SampledPose(why, error, int(of_gt[i]), _keys(pair.gt, int(of_gt[i])), p[drawn], g[drawn]))
    return tuple(found)


def _keys(gt: PoseSet, row: int) -> dict[str, str]:
    keys = {name: str(of.names[of.codes[row]]) for name, of in gt.keys.items() if isinstance(of, KeyColumn)}
    return keys if gt.frame is None else {**keys, "frame": str(int(gt.frame[row]))}


def aligned(pred: Floats, gt: Floats, setup: Setup, alignment: Alignment) -> tuple[Floats, Floats]:
    """Both sides (J, 3) of one pose as the metrics of an alignment compare them, moved to where they are drawn.

    They are centred on the ground truth's root where it is known, else on its mean; NaN stays where it is.
    """
    p, g = pred, gt
    if alignment.needs_root or alignment is Alignment.ROOT:
        p = p if setup.pred_root is None else p - p[setup.pred_root]
        g = g if setup.gt_root is None else g - g[setup.gt_root]
    both = np.zeros(len(g), np.bool_)
    both[setup.joints] = True
    both &= np.isfinite(p).all(1) & np.isfinite(g).all(1)
    if both.any():
        p = _fitted(p, g, both, alignment)
    middle = g[setup.root] if np.isfinite(g[setup.root]).all() else np.nanmean(g, axis=0)
    return p - middle, g - middle


def _fitted(p: Floats, g: Floats, both: npt.NDArray[np.bool_], alignment: Alignment) -> Floats:
    a, b = p[None, both], g[None, both]
    if alignment.needs_rotation and alignment is not Alignment.SCALE_PROCRUSTES:
        rigid = alignment in (Alignment.RIGID, Alignment.RIGID_REROOTED)
        found = fit_similarity(a, b, scale=not rigid, reflect=alignment is Alignment.PROCRUSTES_NORM_RATIO_REFLECT)
        turned: Floats = found.scale[0] * p @ found.rotation[0].T + found.translation[0]
        return turned
    if alignment is Alignment.SCALE_LEAST_SQUARES_MEAN:
        a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    if alignment is Alignment.SCALE_NORM_RATIO:
        return p * float(scale_norm_ratio(a, b)[0])
    if alignment is Alignment.SCALE_PROCRUSTES:
        return p * float(fit_similarity(a, b).scale[0])
    if alignment.fits_pose:
        return p * float(scale_least_squares(a, b)[0])
    return p


def centres_of(bindings: Bindings, metrics: Sequence[Metric]) -> dict[str, Centres]:
    """The centres behind each PSS that has a confusion."""
    from posebench.skeletons import get_skeleton

    found = {}
    for metric in metrics:
        if metric.cluster is not None and metric.cluster.kind == "hit":
            bank = bindings.of(metric)[0]
            skeleton = restricted(get_skeleton(bank.layout.skeleton), bank.layout.joints)
            up = "y" if view_of(bank.layout.reference).up[1] > 0 else "-y"
            found[metric.key] = Centres(bank.name, np.asarray(bank.centres), skeleton, up)
    return found


def keepers(rows: Rows, watchers: Sequence[Any]) -> Any:
    """One function that tells all of them, None if there is none; see `Tally.add`."""
    if not watchers:
        return None

    def keep(metric: Metric, values: Floats, items: Floats) -> None:
        for watcher in watchers:
            watcher.keep(rows, metric, values, items)

    return keep


__all__ = ["Sampler", "keepers"]
