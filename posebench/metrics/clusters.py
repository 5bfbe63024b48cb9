"""What the metrics of cluster banks share: the labels of a chunk of poses in every bank, and the sums behind them.

Predictions and ground truth are assigned once per chunk, all banks of one layout in a pass; each metric then reads what
it needs from an `Assigned`. A ground-truth pose without label (a masked joint of the bank, no extent) is not scored; a
prediction without label is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from posebench.kernels import PoseFlag
from posebench.poses import PoseSet
from posebench.skeletons import Skeleton

if TYPE_CHECKING:
    from posebench.banks import ClusterBank, Layout
    from posebench.metrics.registry import Metric

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int32]

#: Hip vectors within this angle of the vertical tell no facing direction.
LYING_DEGREES = 10.0
#: The vertical direction in a camera whose tilt is not known: its y axis.
CAMERA_VERTICAL = (0.0, 1.0, 0.0)


@dataclass(frozen=True)
class ClusterUse:
    """How a metric uses banks: `k` and `bank` say which, `canonical` whether poses are turned first."""

    kind: Literal["hit", "top2", "soft", "kappa", "ensemble"]
    k: int
    canonical: bool = False
    #: Name of a bank that the protocol does not bind.
    bank: str | None = None


def turned_to_front(poses: npt.NDArray[Any], skeleton: Skeleton) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Poses (N, J, 3) turned about the vertical so that they face the camera, and which of them lie on their side.

    The vector from the left to the right hip gets no depth component and points to the left of the picture. A pose
    whose hips lie within 10 degrees of the vertical stays as it is. The vertical is the camera's y axis.

    Examples
    --------
    >>> from posebench import get_skeleton
    >>> h36m17 = get_skeleton("h36m17")
    >>> pose = np.zeros((1, 17, 3))
    >>> pose[0, h36m17.index("RHip")] = 0, 5, 100
    >>> turned, lying = turned_to_front(pose, h36m17)
    >>> turned[0, h36m17.index("RHip")].round(9).tolist(), lying.tolist()
    ([-100.0, 5.0, 0.0], [False])
    """
    poses = np.asarray(poses, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        hips = poses[:, skeleton.index("RHip")] - poses[:, skeleton.index("LHip")]
        across = np.hypot(hips[:, 0], hips[:, 2])
        lying = ~(across > np.tan(np.radians(LYING_DEGREES)) * np.abs(hips[:, 1]))
        safe = np.where(lying, 1.0, across)
        # Rotation about y that takes (x, z) to (-across, 0).
        cos, sin = np.where(lying, 1.0, -hips[:, 0] / safe), np.where(lying, 0.0, -hips[:, 2] / safe)
        turned = poses.copy()
        turned[..., 0] = cos[:, None] * poses[..., 0] + sin[:, None] * poses[..., 2]
        turned[..., 2] = -sin[:, None] * poses[..., 0] + cos[:, None] * poses[..., 2]
    return turned, lying


@dataclass
class Assigned:
    """Labels of one chunk, by bank: each (n,), -1 where there is none."""

    pred: dict[str, Labels]
    gt: dict[str, Labels]
    #: Per pose, `PoseFlag` bits: MISSING, BAD_GROUND_TRUTH.
    flags: npt.NDArray[np.uint16]
    #: Normalised rows (n, D) of both sides by layout, where a metric needs distances.
    rows: dict[int, tuple[Floats, Floats]] = field(default_factory=dict)
    #: Ground-truth poses that lie on their side, if any metric turns poses.
    lying: int = 0


class ClusterPlan:
    """Which metric uses which banks, and the search through them; made once for a piece."""

    def __init__(self, banks: Mapping[str, tuple[ClusterBank, ...]], metrics: Sequence[Metric], skeleton: Skeleton):
        from posebench.banks import Assigner

        self.banks = dict(banks)
        self.metrics = [metric for metric in metrics if metric.cluster is not None]
        self.skeleton = skeleton
        distinct = {bank.sha256: bank for bound in banks.values() for bank in bound}
        layouts: dict[Layout, list[ClusterBank]] = {}
        for bank in distinct.values():
            layouts.setdefault(bank.layout, []).append(bank)
        self._groups = [(layout, of, Assigner(layout, [bank.centres for bank in of])) for layout, of in layouts.items()]
        distances = {
            bank.layout
            for metric in self.metrics
            if metric.cluster is not None and metric.cluster.kind in ("top2", "soft")
            for bank in banks[metric.key]
        }
        self._with_rows = [layout in distances for layout in layouts]

    def bank(self, metric: Metric) -> ClusterBank:
        """The (first) bank of a metric."""
        return self.banks[metric.key][0]

    def joints(self) -> npt.NDArray[np.int64]:
        """Joints of the skeleton that the banks read."""
        names = {joint for layout, _, _ in self._groups for joint in layout.joints}
        return np.array([j for j, joint in enumerate(self.skeleton.joints) if joint in names], np.int64)

    def assign(self, pred: npt.NDArray[Any], gt: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None) -> Assigned:
        """Labels of a chunk of both sides (n, J, 3); `valid` (n, J) is the ground truth's mask."""
        found = Assigned({}, {}, np.zeros(len(gt), np.uint16))
        turned: tuple[Floats, Floats] | None = None
        for number, (layout, banks, assigner) in enumerate(self._groups):
            p, g = pred, gt
            if layout.reference == "canonical":
                if turned is None:
                    (front_p, _), (front_g, lying) = (turned_to_front(side, self.skeleton) for side in (pred, gt))
                    turned = front_p, front_g
                    found.lying = int(np.count_nonzero(lying))
                p, g = turned
            p_side, _ = self._in_layout(layout, p, None)
            g_side, g_valid = self._in_layout(layout, g, valid)
            p_labels, p_flags = assigner.labels(p_side)
            g_labels, g_flags = assigner.labels(g_side, g_valid)
            bad = (g_flags & int(PoseFlag.MISSING | PoseFlag.MASKED)) == int(PoseFlag.MISSING)
            found.flags[bad] |= int(PoseFlag.BAD_GROUND_TRUTH)
            found.flags[(g_flags == 0) & ((p_flags & int(PoseFlag.MISSING)) != 0)] |= int(PoseFlag.MISSING)
            for b, bank in enumerate(banks):
                found.pred[bank.sha256], found.gt[bank.sha256] = p_labels[b], g_labels[b]
            if self._with_rows[number]:
                rows = layout.normalise(p_side).rows, layout.normalise(g_side, g_valid).rows
                for bank in banks:
                    found.rows[id(bank)] = rows
        return found

    def _in_layout(
        self, layout: Layout, poses: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
        side = PoseSet(poses, valid=valid, skeleton=self.skeleton, reference=layout.reference)
        return layout.fit(side).take(slice(None))

    def field(self, metric: Metric, found: Assigned) -> Floats:
        """Scores (n, 1) of a chunk in percent: NaN where the ground truth has no label, 0 where only it has one."""
        assert metric.cluster is not None
        banks, kind = self.banks[metric.key], metric.cluster.kind
        columns = []
        for bank in banks:
            p, g = found.pred[bank.sha256], found.gt[bank.sha256]
            if kind in ("hit", "ensemble", "kappa"):
                score = np.where(p == g, 100.0, 0.0)
            elif kind == "top2":
                score = self._top2(bank, found, p, g)
            else:
                score = self._soft(bank, found, p, g)
            columns.append(np.where(g >= 0, np.where(p >= 0, score, 0.0), np.nan))
        mean: Floats = np.mean(columns, axis=0)
        return mean[:, None]

    def _top2(self, bank: ClusterBank, found: Assigned, p: Labels, g: Labels) -> Floats:
        from posebench.banks import two_nearest

        nearest, _ = two_nearest(found.rows[id(bank)][0], bank.centres.reshape(bank.k, -1))
        return np.where((nearest == g[:, None]).any(1), 100.0, 0.0)

    def _soft(self, bank: ClusterBank, found: Assigned, p: Labels, g: Labels) -> Floats:
        from posebench.banks import squared_distances

        centres = bank.centres.reshape(bank.k, -1)
        a, b = (
            softmax(-squared_distances(rows, centres) / bank.card.mean_squared_distance)
            for rows in found.rows[id(bank)]
        )
        overlap: Floats = 100.0 * np.sqrt(a * b).sum(1)
        return overlap


def softmax(scores: Floats) -> Floats:
    """Shares (n, k) that add up to 1 along the rows."""
    raised = np.exp(scores - scores.max(1, keepdims=True))
    shares: Floats = raised / raised.sum(1, keepdims=True)
    return shares


class ClusterState:
    """Sums of labels that merge by adding: confusions of each bank, and label counts per cell for kappa."""

    def __init__(self, plan: ClusterPlan) -> None:
        self._plan = plan
        #: Per PSS metric (k, k + 1): ground truth's label, prediction's label; the last column has none.
        self.confusion: dict[str, npt.NDArray[np.int64]] = {}
        #: Per kappa (cells, 3, k): agreements, labels of predictions, labels of ground truth; of scored poses.
        self.shares: dict[str, npt.NDArray[np.int64]] = {}
        #: Per ensemble (B + 1,): hits in each bank, and the number of poses.
        self.ensembles: dict[str, npt.NDArray[np.int64]] = {}
        self.lying = 0
        for metric in plan.metrics:
            assert metric.cluster is not None
            k = metric.cluster.k
            if metric.cluster.kind == "hit":
                self.confusion[metric.key] = np.zeros((k, k + 1), np.int64)
            elif metric.cluster.kind == "kappa":
                self.shares[metric.key] = np.zeros((0, 3, k), np.int64)
            elif metric.cluster.kind == "ensemble":
                self.ensembles[metric.key] = np.zeros(len(plan.banks[metric.key]) + 1, np.int64)

    def update(self, found: Assigned, cells: npt.NDArray[np.int64], scored: npt.NDArray[np.bool_]) -> None:
        """Add the labels of a chunk whose poses belong to cells; `scored` (n,) leaves out what cannot be scored."""
        self.lying += found.lying
        for metric in self._plan.metrics:
            assert metric.cluster is not None
            banks = self._plan.banks[metric.key]
            p, g = found.pred[banks[0].sha256], found.gt[banks[0].sha256]
            known = (g >= 0) & scored
            k = metric.cluster.k
            if metric.key in self.confusion:
                column = np.where(p < 0, k, p)[known].astype(np.int64)
                pairs = np.bincount(g[known] * (k + 1) + column, minlength=k * (k + 1))
                self.confusion[metric.key] += pairs.reshape(k, k + 1)
            elif metric.key in self.shares:
                self._grow(metric.key, int(cells.max(initial=-1)) + 1)
                shares = self.shares[metric.key]
                np.add.at(shares[:, 0], (cells[known & (p == g)], g[known & (p == g)]), 1)
                np.add.at(shares[:, 1], (cells[known & (p >= 0)], p[known & (p >= 0)]), 1)
                np.add.at(shares[:, 2], (cells[known], g[known]), 1)
            elif metric.key in self.ensembles:
                hits = [np.count_nonzero(known & (found.pred[bank.sha256] == found.gt[bank.sha256])) for bank in banks]
                self.ensembles[metric.key] += np.array([*hits, np.count_nonzero(known)])

    def merge(self, other: ClusterState, rows: npt.NDArray[np.int64]) -> None:
        """Add another state whose cell c is this one's rows[c]."""
        self.lying += other.lying
        for key, counts in other.confusion.items():
            self.confusion[key] += counts
        for key, counts in other.ensembles.items():
            self.ensembles[key] += counts
        for key, shares in other.shares.items():
            self._grow(key, int(rows.max(initial=-1)) + 1)
            np.add.at(self.shares[key], rows[: len(shares)], shares)

    def copy(self) -> ClusterState:
        """A state with the same sums, to be added to without touching this one."""
        twin = ClusterState(self._plan)
        twin.confusion = {key: counts.copy() for key, counts in self.confusion.items()}
        twin.shares = {key: counts.copy() for key, counts in self.shares.items()}
        twin.ensembles = {key: counts.copy() for key, counts in self.ensembles.items()}
        twin.lying = self.lying
        return twin

    def kappa(self, key: str, rows: npt.NDArray[np.int64]) -> float | None:
        """(PSS - e) / (1 - e) over some cells, e the agreement by chance; None where it is not defined."""
        counts = self.shares[key]
        agree, pred, gt = counts[rows[rows < len(counts)]].sum(0)
        n = int(gt.sum())
        if not n:
            return None
        chance = float((pred / n) @ (gt / n))
        return None if chance >= 1.0 else (float(agree.sum()) / n - chance) / (1.0 - chance)

    def scored(self, key: str, rows: npt.NDArray[np.int64]) -> int:
        """Number of poses behind a kappa."""
        counts = self.shares[key]
        return int(counts[rows[rows < len(counts)], 2].sum())

    def spread(self, key: str) -> float | None:
        """Standard deviation of an ensemble's scores, in percent."""
        *hits, n = self.ensembles[key].tolist()
        return float(np.std(np.array(hits) / n * 100.0, ddof=1)) if n and len(hits) > 1 else None

    def _grow(self, key: str, cells: int) -> None:
        held = self.shares[key]
        if cells > len(held):
            self.shares[key] = np.concatenate([held, np.zeros((cells - len(held), *held.shape[1:]), np.int64)])
