"""The metrics of posebench in MMEngine's evaluation loop, and so in MMPose's.

Importing this module registers `PosebenchMetric`; a configuration does so with
``custom_imports = dict(imports=["posebench.mmengine"])``. Each process keeps the poses of its samples; they are
gathered as MMEngine gathers all results, without the samples that a sampler repeats, and scored by the compiled core.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from posebench.batches import BatchScorer, Pooling
from posebench.errors import InputError, MissingExtraError, UsageError
from posebench.metrics.registry import resolve
from posebench.skeletons import Skeleton

try:
    from mmengine.evaluator import BaseMetric
    from mmengine.registry import METRICS
except ModuleNotFoundError:
    raise MissingExtraError("posebench.mmengine", "mmengine", "mmengine") from None

from posebench.torch.evaluate import arrays

if TYPE_CHECKING:
    from posebench.banks import ClusterBank

_TO_MM = {"mm": 1.0, "m": 1000.0}


@METRICS.register_module()
class PosebenchMetric(BaseMetric):
    """Metrics of 3D poses by their spellings.

    Parameters
    ----------
    unit : {"mm", "m"}
        Of predictions and ground truth; MMPose's lifting data sets hold metres. Values come out in mm.
    metrics : sequence of str
        Spellings as in `posebench.score`, but those of motion.
    root, joints, skeleton, bank
        As in `posebench.torchmetrics.PoseMetric`.
    pooling : {"pose", "joint"}
        Whether each pose or each joint weighs the same.
    pred, gt, valid : str
        Where a sample holds (n, J, 3) predictions in its ``pred_instances``, and (n, J, 3) ground truth and the
        (n, J) mask in its ``gt_instances``; the mask may be absent.
    collect_device, prefix, collect_dir
        As in every `BaseMetric`; values are called ``posebench/MPJPE`` by default.

    Raises
    ------
    UsageError
        If the unit, a metric or the bank is unknown.

    Examples
    --------
    >>> gt = np.array([[[0.0, 0, 0], [0, 0.1, 0], [0, 0.2, 0]]])
    >>> metric = PosebenchMetric(unit="m", metrics=["MPJPE"])
    >>> metric.process({}, [{"pred_instances": {"keypoints": gt * 2}, "gt_instances": {"lifting_target": gt}}])
    >>> {name: round(value, 6) for name, value in metric.evaluate(size=1).items()}
    {'posebench/MPJPE': 100.0}
    """

    default_prefix = "posebench"

    def __init__(
        self,
        *,
        unit: str,
        metrics: Sequence[str] = ("MPJPE", "NMPJPE", "PMPJPE"),
        root: int | None = 0,
        joints: Sequence[int] | None = None,
        skeleton: str | Skeleton | None = None,
        bank: str | Path | ClusterBank | None = None,
        pooling: Pooling = "pose",
        pred: str = "keypoints",
        gt: str = "lifting_target",
        valid: str = "lifting_target_visible",
        collect_device: str = "cpu",
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        if unit not in _TO_MM:
            raise UsageError(f"unit is {unit!r}, expected one of {', '.join(_TO_MM)}")
        if isinstance(metrics, str) or not metrics:
            raise UsageError(f"metrics is {metrics!r}, expected a list of spellings, as in ['MPJPE', 'PCK@100']")
        self._factor = _TO_MM[unit]
        self._keys = (pred, gt, valid)
        self._pooling = pooling
        self._scorers = [
            BatchScorer(metric, root=root, joints=joints, skeleton=skeleton, bank=bank if metric.cluster else None)
            for metric in map(resolve, metrics)
        ]

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Keep the poses of a batch; one result per sample, as MMEngine counts them.

        Raises
        ------
        InputError
            If a sample lacks its poses, or they have other shapes.
        """
        pred_key, gt_key, valid_key = self._keys
        for sample in data_samples:
            at = len(self.results)
            pred = self._poses(sample, "pred_instances", pred_key)
            gt = self._poses(sample, "gt_instances", gt_key)
            if pred.shape != gt.shape:
                raise InputError(f"a sample has {pred_key} {pred.shape} and {gt_key} {gt.shape}, expected the same")
            joints = self.results[0][1].shape[1] if self.results else gt.shape[1]
            if gt.shape[1] != joints:
                raise InputError(f"sample {at} has {gt.shape[1]} joints and sample 0 {joints}, expected the same")
            (valid,) = arrays(sample["gt_instances"].get(valid_key))
            if valid is not None:
                valid = np.asarray(valid)
                if valid.size != gt.shape[0] * gt.shape[1]:
                    raise InputError(f"sample {at} has {valid_key} {valid.shape}, expected {gt.shape[:2]}")
                if np.isnan(valid).any():
                    raise InputError(f"sample {at} has NaN in {valid_key}, expected 0 or more")
                valid = valid.reshape(gt.shape[:2]) > 0
            self.results.append((pred, gt, valid))

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Values by canonical spelling, of all samples of all processes."""
        pred, gt = (np.concatenate([result[side] for result in results]) * self._factor for side in (0, 1))
        valid = np.concatenate([np.ones(g.shape[:2], np.bool_) if v is None else v for _, g, v in results])
        return {
            scorer.metric.key: scorer.value(scorer.sums(pred, gt, valid), self._pooling) for scorer in self._scorers
        }

    def _poses(self, sample: Mapping[str, Any], instances: str, key: str) -> npt.NDArray[np.float64]:
        """Poses (n, J, 3) of a sample in float64."""
        held = sample.get(instances)
        if held is None or key not in held:
            raise InputError(f"a sample has no {key} in its {instances}; say where its poses are: pred=, gt=")
        (found,) = arrays(held[key])
        poses = np.asarray(found, np.float64)
        if poses.ndim == 4 and len(poses) == 1:
            poses = poses[0]
        if poses.ndim != 3 or poses.shape[2] != 3:
            raise InputError(f"{key} of a sample has shape {poses.shape}, expected (n, J, 3)")
        return poses


__all__ = ["PosebenchMetric"]
