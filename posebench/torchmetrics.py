"""Metrics for torchmetrics: the numbers of a report, batch by batch, over any number of processes.

Each metric keeps the sums that a report is made of, in float64, and torchmetrics adds them up across processes. Poses
go through the compiled core on the host, so that the number in a training log is the number of `posebench score`,
whatever the precision of the training. A batch that cannot be understood raises, as it would there; an epoch in which
nothing could be scored gives NaN.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posebench.batches import POOLINGS, BatchScorer, Pooling, bank_spelling
from posebench.errors import MissingExtraError, UsageError
from posebench.metrics.grammar import number
from posebench.metrics.registry import FieldKind
from posebench.skeletons import Skeleton

try:
    import torch
    import torchmetrics
    from torch import Tensor
except ModuleNotFoundError:
    raise MissingExtraError("posebench.torchmetrics", "torchmetrics", "torchmetrics") from None

from posebench.torch.evaluate import arrays

if TYPE_CHECKING:
    from posebench.banks import ClusterBank


class PoseMetric(torchmetrics.Metric):
    """One metric by its spelling, for `MetricCollection` and for Lightning's `self.log`.

    Parameters
    ----------
    metric : str
        Any spelling but those of motion, whose frames lie in several batches: ``"PCK@100"``, ``"PMPJPE"``.
    root, joints, skeleton
        As in `posebench.mpjpe` and `posebench.bone_length_error`.
    bank : ClusterBank, str or path, optional
        The bank of PSS and its kin.
    pooling : {"pose", "joint"}
        Whether each pose or each joint weighs the same; "pose" is what the functions and most protocols do.
    **kwargs
        What every `torchmetrics.Metric` takes.

    Raises
    ------
    UsageError
        If the metric or the bank is unknown, or the metric is one of motion.

    Examples
    --------
    >>> gt = torch.tensor([[[0.0, 0, 0], [0, 100, 0], [0, 200, 0]]])
    >>> metric = PoseMetric("PCK@50")
    >>> metric.update(gt + torch.tensor([[0.0, 0, 0], [30, 0, 0], [0, 0, 60]]), gt)
    >>> round(metric.compute().item(), 2), metric.higher_is_better
    (66.67, True)
    """

    full_state_update = False
    is_differentiable = False

    def __init__(
        self,
        metric: str,
        *,
        root: int | None = 0,
        joints: Sequence[int] | None = None,
        skeleton: str | Skeleton | None = None,
        bank: str | Path | ClusterBank | None = None,
        pooling: Pooling = "pose",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if pooling not in POOLINGS:
            raise UsageError(f"pooling is {pooling!r}, expected one of {', '.join(POOLINGS)}")
        self.pooling = pooling
        self.scorer = BatchScorer(metric, root=root, joints=joints, skeleton=skeleton, bank=bank)
        # MetricCollection shares the state of metrics whose states have the same names and hold the same numbers after
        # one batch. Two thresholds may do so by chance: the name says whose sums these are.
        self._state = re.sub(r"\W+", "_", f"sums of {self.scorer.identity}")
        adds_up = self.scorer.metric.field is not FieldKind.BONE_SPREAD
        self.add_state(self._state, torch.from_numpy(self.scorer.zero()), "sum" if adds_up else self._together)

    @property
    def higher_is_better(self) -> bool:
        """Whether larger values are better."""
        return self.scorer.metric.family.higher_is_better

    @property
    def plot_lower_bound(self) -> float | None:
        """The least value there can be."""
        return self.scorer.metric.family.range[0]

    @property
    def plot_upper_bound(self) -> float | None:
        """The largest value there can be."""
        return self.scorer.metric.family.range[1]

    def update(self, preds: Tensor, target: Tensor, valid: Tensor | None = None) -> None:
        """Add predictions and ground truth (N, J, 3) in mm, and the mask (N, J) of the joints that the latter holds.

        Raises
        ------
        InputError
            As `posebench.mpjpe`; the sums then stay as they were.
        """
        held = getattr(self, self._state)
        more = torch.from_numpy(self.scorer.sums(*arrays(preds, target, valid))).to(held.device)
        setattr(self, self._state, self._together(torch.stack([held, more])))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Add a batch as `update` does, and give the value of that batch alone.

        Raises
        ------
        InputError
            As `update`; what was added before stays.
        """
        # torchmetrics begins anew for the batch and adds what there was afterwards: after an error it would be lost.
        before = self.__dict__.copy()
        try:
            return super().forward(*args, **kwargs)
        except BaseException:
            self.__dict__.update(before)
            raise

    def compute(self) -> Tensor:
        """The value of everything that was added, a tensor () of float64; NaN if nothing could be scored."""
        sums = getattr(self, self._state)
        value = self.scorer.value(sums.cpu().numpy(), self.pooling)
        return torch.tensor(value, dtype=torch.float64, device=sums.device)

    def _together(self, sums: Tensor) -> Tensor:
        """Several sums, stacked, as one."""
        return torch.from_numpy(self.scorer.added(*sums.cpu().numpy())).to(sums.device)


class MPJPE(PoseMetric):
    """Mean distance of root-centred joints, in mm; `root` None compares coordinates as they are.

    Examples
    --------
    >>> metric = MPJPE()
    >>> metric(torch.tensor([[[0.0, 0, 0], [30, 0, 0]]]), torch.tensor([[[0.0, 0, 0], [0, 0, 40]]])).item()
    25.0
    """

    def __init__(self, *, root: int | None = 0, **kwargs: Any) -> None:
        super().__init__(f"MPJPE(align={'none' if root is None else 'root'})", root=root, **kwargs)


class NMPJPE(PoseMetric):
    """MPJPE after scaling each prediction onto its ground truth, in mm. `scale` as in `posebench.nmpjpe`."""

    def __init__(self, *, scale: str = "least_squares", **kwargs: Any) -> None:
        super().__init__(f"NMPJPE(scale={scale})", **kwargs)


class PMPJPE(PoseMetric):
    """MPJPE after the optimal similarity of each prediction, in mm. `variant` as in `posebench.pmpjpe`."""

    def __init__(self, *, variant: str = "similarity", **kwargs: Any) -> None:
        super().__init__(f"PMPJPE(variant={variant})", **kwargs)


class PCK(PoseMetric):
    """Share of joints closer than `threshold` mm, in percent."""

    def __init__(self, threshold: float = 150.0, **kwargs: Any) -> None:
        super().__init__(f"PCK@{number(threshold)}", **kwargs)


class NPCK(PoseMetric):
    """PCK after the scale of NMPJPE, in percent."""

    def __init__(self, threshold: float = 150.0, **kwargs: Any) -> None:
        super().__init__(f"NPCK@{number(threshold)}", **kwargs)


class AUC(PoseMetric):
    """Mean of PCK over `thresholds`, in percent."""

    def __init__(self, thresholds: str = "0:150:5", **kwargs: Any) -> None:
        super().__init__(f"AUC({thresholds})", **kwargs)


class CPS(PoseMetric):
    """Correct Poses Score, in mm. `align` as in `posebench.cps`."""

    def __init__(self, *, align: str = "procrustes", **kwargs: Any) -> None:
        super().__init__(f"CPS(align={align})", **kwargs)


class PSS(PoseMetric):
    """Share of predictions with the nearest centre of their ground truth, in percent.

    `bank` is a ClusterBank, the name of one that ships with posebench, or a path.
    """

    def __init__(self, bank: str | Path | ClusterBank, **kwargs: Any) -> None:
        super().__init__(bank_spelling(bank), bank=bank, **kwargs)


__all__ = ["AUC", "CPS", "MPJPE", "NMPJPE", "NPCK", "PCK", "PMPJPE", "PSS", "PoseMetric"]
