"""One metric over poses that come in batches: the sums that a batch adds, and the value of sums that were added up.

This is what training frameworks need (`posebench.torchmetrics`, `posebench.mmengine`): a state of fixed shape that adds
up across batches and processes. A `Scorer` does more, and keeps what it does apart by subject, action and camera.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from posebench.errors import UsageError
from posebench.kernels.kinds import ITEM_COUNT, ITEM_SUM, POSE_COUNT, POSE_SUM
from posebench.metrics.clusters import ClusterPlan, ClusterState
from posebench.metrics.evaluate import Array, Joints, Poses, make_setup, pair, refuse_non_finite
from posebench.metrics.registry import FieldKind, Metric, resolve
from posebench.metrics.structure import combine
from posebench.metrics.structure_score import in_bank_skeleton, refuse_labelless, refuse_unfit
from posebench.poses import PoseSet
from posebench.skeletons import Skeleton, get_skeleton
from posebench.tally import Tally

if TYPE_CHECKING:
    from posebench.banks import ClusterBank

Floats = npt.NDArray[np.float64]
Pooling = Literal["pose", "joint"]
POOLINGS = ("pose", "joint")


class BatchScorer:
    """Sums of one metric.

    Parameters
    ----------
    metric : str or Metric
        All but motion: frames that follow each other lie in several batches.
    root, joints, skeleton
        As the function of the metric takes them.
    bank : ClusterBank, str or path, optional
        The bank of PSS and its kin, if the spelling names none.

    Examples
    --------
    >>> gt = np.random.default_rng(0).normal(size=(4, 17, 3)) * 300
    >>> scorer = BatchScorer("PCK@100")
    >>> sums = scorer.zero()
    >>> for rows in (slice(0, 1), slice(1, 4)):
    ...     sums = scorer.added(sums, scorer.sums(gt[rows] + 10, gt[rows]))
    >>> scorer.value(sums)
    100.0
    """

    def __init__(
        self,
        metric: str | Metric,
        *,
        root: int | None = 0,
        joints: Joints = None,
        skeleton: str | Skeleton | None = None,
        bank: str | Path | ClusterBank | None = None,
    ) -> None:
        self.metric = resolve(metric)
        if self.metric.field in (FieldKind.VELOCITY, FieldKind.ACCELERATION):
            raise UsageError(
                f"{self.metric.key} is taken between frames, which lie in several batches; keep the poses of an epoch "
                "and call posebench.score on them, or posebench.mpjve and mpjae"
            )
        of_bones = self.metric.field in (FieldKind.BONES, FieldKind.MIRRORED_BONES, FieldKind.ANGLES)
        self._root = None if of_bones or self.metric.field is FieldKind.BONE_SPREAD else root
        self._joints = joints
        self._skeleton = None if skeleton is None else get_skeleton(skeleton)
        if self.metric.field is FieldKind.BONE_SPREAD and self._skeleton is None:
            self._skeleton = get_skeleton("h36m17")
        self._banks = self._find(bank)

    @property
    def identity(self) -> str:
        """What tells these sums from those of another metric, other joints or another bank."""
        parts = [self.metric.key, self._root, None if self._joints is None else list(self._joints)]
        parts += [None if self._skeleton is None else self._skeleton.name, *(bank.sha256[:12] for bank in self._banks)]
        return " ".join(str(part) for part in parts if part is not None)

    def zero(self) -> Floats:
        """The sums of nothing."""
        if self.metric.field is FieldKind.KAPPA:
            return np.zeros((3, self._banks[0].k))
        if self.metric.field is FieldKind.BONE_SPREAD:
            assert self._skeleton is not None
            example = PoseSet(np.zeros((1, len(self._skeleton), 3)), unit="mm", skeleton=self._skeleton)
            setup = make_setup(example, example, None, self._joints, None, self.metric)
            return np.zeros((len(setup.bones()), 3))
        return np.zeros(4)

    def sums(self, pred: Poses, gt: Poses, valid: Array | None = None) -> Floats:
        """What a batch adds: poses (N, J, 3) in mm and the mask (N, J) of the ground truth.

        Raises
        ------
        InputError
            As the function of the metric.
        """
        if self._banks:
            return self._bank_sums(pred, gt, valid)
        p, g, mask = pair(pred, gt, valid)
        setup = make_setup(p, g, self._root, self._joints, self._skeleton, self.metric)
        tally = Tally((self.metric,), setup)
        rows = np.arange(len(g))
        flags = tally.add(p.take(slice(None)), g.poses, mask, np.zeros(len(g), np.int64), None)
        refuse_non_finite(flags, p, g, rows, rows, setup, mask)
        if tally.spread is not None:
            return np.asarray(tally.spread.moments[0], np.float64)
        return np.array(tally.sums[0, 0])

    def added(self, *sums: Floats) -> Floats:
        """Sums of several batches together."""
        total = sums[0]
        for more in sums[1:]:
            total = combine(total, more) if self.metric.field is FieldKind.BONE_SPREAD else total + more
        return total

    def value(self, sums: Floats, pooling: Pooling = "pose") -> float:
        """The metric over all poses whose sums these are; NaN if none could be scored.

        With pooling "joint" each joint weighs the same, with "pose" each pose.
        """
        if pooling not in POOLINGS:
            raise UsageError(f"pooling is {pooling!r}, expected one of {', '.join(POOLINGS)}")
        if self.metric.field is FieldKind.KAPPA:
            agree, pred, gt = sums
            n = max(float(gt.sum()), 1.0)
            chance = float(pred @ gt) / n**2
            return (float(agree.sum()) / n - chance) / (1.0 - chance) if gt.any() and chance < 1.0 else float("nan")
        if self.metric.field is FieldKind.BONE_SPREAD:
            seen = sums[sums[:, 0] > 0]
            return float(np.sqrt(seen[:, 2] / seen[:, 0]).mean()) if len(seen) else float("nan")
        by_item = pooling == "joint" and not self.metric.reduction.kind.of_one_item
        total, count = (ITEM_SUM, ITEM_COUNT) if by_item else (POSE_SUM, POSE_COUNT)
        return float(sums[total] / sums[count]) if sums[count] else float("nan")

    def _bank_sums(self, pred: Poses, gt: Poses, valid: Array | None) -> Floats:
        bank = self._banks[0]
        p, g, mask = pair(in_bank_skeleton(pred, bank, "pred"), in_bank_skeleton(gt, bank, "gt"), valid)
        for side in (p, g):
            refuse_unfit(bank, side)
        assert g.skeleton is not None
        plan = ClusterPlan({self.metric.key: self._banks}, [self.metric], g.skeleton)
        assigned = plan.assign(p.take(slice(None)), g.poses, mask)
        refuse_labelless(assigned.flags, p, g, np.arange(len(g)), plan)
        if self.metric.field is FieldKind.KAPPA:
            state = ClusterState(plan)
            state.update(assigned, np.zeros(len(g), np.int64), np.ones(len(g), np.bool_))
            return np.asarray(state.shares[self.metric.key][0], np.float64)
        values = plan.field(self.metric, assigned)[:, 0]
        scored = values[~np.isnan(values)]
        return np.array([scored.sum(), len(scored)] * 2)

    def _find(self, bank: str | Path | ClusterBank | None) -> tuple[ClusterBank, ...]:
        use = self.metric.cluster
        if use is None:
            if bank is not None:
                raise UsageError(f"{self.metric.key} uses no bank")
            return ()
        from posebench.banks import ensemble_of, find_bank

        if bank is None and use.bank is None:
            raise UsageError(f"{self.metric.key} needs a bank: pass bank=, the name of one or a ClusterBank")
        found = find_bank(use.bank if bank is None else bank)  # type: ignore[arg-type]
        if found.k != use.k or (found.layout.reference == "canonical") != use.canonical:
            raise UsageError(
                f"{self.metric.key}: bank {found.name} has {found.k} clusters in the {found.layout.reference} reference"
            )
        return ensemble_of(found) if use.kind == "ensemble" else (found,)


def bank_spelling(bank: str | Path | ClusterBank) -> str:
    """The spelling of PSS in a bank."""
    from posebench.banks import find_bank

    found = find_bank(bank)
    return f"{'PSS-canonical' if found.layout.reference == 'canonical' else 'PSS'}@{found.k}"


__all__: list[Any] = ["POOLINGS", "BatchScorer", "Pooling", "bank_spelling"]
