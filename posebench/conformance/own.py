"""posebench's own metrics behind the scorers' protocol, as the suite would meet them in anybody's code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError


def reference(
    pred: npt.ArrayLike,
    gt: npt.ArrayLike,
    *,
    metric: str,
    unit: str = "mm",
    valid: npt.ArrayLike | None = None,
    root: int = 0,
    joints: Any = None,
    by: Any = None,
    sequence: Any = None,
    fps: float | None = None,
    centres: npt.ArrayLike | None = None,
) -> float | dict[str, float]:
    """Value of a metric by posebench's public functions; with `by` one for each label.

    Parameters
    ----------
    pred, gt : array, (N, J, 3)
    metric : str
        Spelling of a metric of docs/conventions.md.
    unit : {"mm", "m"}
    valid, root, joints
        As in `posebench.mpjpe`.
    by : array of str, (N,), optional
        Labels of groups.
    sequence, fps
        As in `posebench.mpjve`.
    centres : array, (k, J, 3), optional
        Centres for PSS.

    Raises
    ------
    InputError, UsageError
        As the metrics.

    Examples
    --------
    >>> gt = np.random.default_rng(0).normal(size=(2, 17, 3)) * 300
    >>> round(reference(gt + 10, gt, metric="MPJPE"), 9)
    0.0
    """
    import posebench as pb
    from posebench.metrics.evaluate import evaluate

    # A pose set per side, so that the unit is said.
    p, g = (
        pb.PoseSet(np.asarray(side), unit=unit, reference="camera", skeleton=_skeleton(side)) for side in (pred, gt)
    )
    if centres is not None:
        return float(pb.pss(p, g, _bank(np.asarray(centres, float)), valid=valid))
    if metric.startswith(("MPJVE", "MPJAE")):
        moving = pb.mpjve if metric.startswith("MPJVE") else pb.mpjae
        rate = None if "per=frame" in metric else fps
        return float(moving(p, g, fps=rate, sequence=sequence, root=root, joints=joints, valid=valid))
    if by is None:
        return float(evaluate(metric, p, g, root, joints, valid, "mean"))
    labels = np.asarray(by)
    if labels.shape != (len(g),):
        raise InputError(f"by has shape {labels.shape}, expected ({len(g)},): one label per pose")
    values = evaluate(metric, p, g, root, joints, valid, "none")
    return {str(label): float(np.nanmean(values[labels == label])) for label in np.unique(labels)}


def _skeleton(poses: npt.ArrayLike) -> str | None:
    return "h36m17" if np.shape(poses)[1] == 17 else None


def _bank(centres: npt.NDArray[np.float64]) -> Any:
    """A bank of centres that nobody fitted; its card is that of a bank of as many."""
    import posebench as pb
    from posebench.banks.digest import array_sha256
    from posebench.conformance.people import people

    card = pb.ClusterBank.build(people(2 * len(centres), 0), k=len(centres), n_init=1).card
    return pb.ClusterBank(centres, replace(card, hashes=replace(card.hashes, centres=array_sha256(centres))))
