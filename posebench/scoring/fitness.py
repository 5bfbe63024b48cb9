"""Which metrics of a protocol two sides can be scored by.

What was asked for by name and does not fit is refused aloud. What only the protocol lists is left out with a note where
the sides lack something (a scale, a position, frame numbers), and refused where the number would be wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from posebench.errors import InputError
from posebench.metrics.evaluate import refuse_other_reference, refuse_scale_free
from posebench.metrics.registry import Metric, Needs
from posebench.metrics.structure_score import refuse_unfit
from posebench.poses import PoseSet
from posebench.protocols import Protocol
from posebench.scoring.bindings import Bindings

if TYPE_CHECKING:
    from posebench.banks import ClusterBank

#: Keys of which the ground truth must have one, by pooling.
_POOLED_BY = {"action": ("action",), "subject": ("subject",), "sequence": ("subject", "action", "sequence")}
#: A prediction whose root lies further from the origin than this share of the body's reach is not root-relative.
_FAR = 0.5


def fitting_metrics(
    metrics: Sequence[Metric],
    chosen: Collection[str],
    protocol: Protocol,
    pred: PoseSet,
    gt: PoseSet,
    bindings: Bindings,
    notes: list[str],
) -> tuple[Metric, ...]:
    """The metrics that apply; `notes` is told what was left out or assumed.

    Raises
    ------
    InputError
        If a metric in `chosen` does not apply, if none does, or if the protocol does not fit the two sides at all.
    """
    reasons = {metric: _lack(metric, protocol, pred, gt, bindings) for metric in metrics}
    left_out: dict[str, list[str]] = {}
    for metric, reason in reasons.items():
        if reason is not None and metric.key in chosen:
            refuse_scale_free(metric, pred, gt)
            raise InputError(reason[1])
        if reason is not None:
            left_out.setdefault(reason[0], []).append(metric.key)
    kept = tuple(metric for metric, reason in reasons.items() if reason is None)
    for why, names in left_out.items():
        if not kept:
            raise InputError(f"nothing is left of protocol {protocol.name}: {', '.join(names)} do not apply, as {why}")
        notes.append(f"{', '.join(names)} not given: {why}")
    for metric in kept:
        _refuse_wrong(metric, protocol, pred, gt, notes)
        for bank in bindings.of(metric):
            _note_assumptions(metric, bank, pred, gt, notes)
    as_given = is_absolute(kept, protocol, pred)
    for side, need, flag in ((pred, Needs.ABSOLUTE_PRED, "pred"), (gt, Needs.ABSOLUTE_GT, "gt")):
        if as_given or any(need in metric.needs for metric in kept):
            _refuse_false_position(side, flag, protocol)
    if as_given:
        if not protocol.absolute_pred:
            raise InputError(
                f"{pred.source} holds absolute coordinates, but protocol {protocol.name} takes predictions as they "
                "are, relative to the root, which would measure where the person stands; give them relative to the "
                "root as the model puts them out, or score under a protocol that centres both sides"
            )
        relative = _relative(gt, "gt", protocol)
        if relative is not None:
            raise InputError(f"{pred.source} holds absolute coordinates, but {relative[0]}; give both in one form")
        notes.append(f"{pred.source} taken minus the ground truth's {protocol.gt_root}, as it is absolute")
    parts = _POOLED_BY.get(protocol.pooling, ())
    if parts and not any(key in gt.keys for key in parts):
        raise InputError(
            f"{gt.source} has no `{protocol.pooling}` keys, but protocol {protocol.name} takes the mean over them"
        )
    if any(Needs.FPS in metric.needs for metric in kept) and gt.fps and pred.fps and gt.fps != pred.fps:
        raise InputError(f"{pred.source} has {pred.fps} frames per second and {gt.source} has {gt.fps}")
    return kept


def _lack(metric: Metric, protocol: Protocol, pred: PoseSet, gt: PoseSet, bindings: Bindings) -> tuple[str, str] | None:
    """What the sides lack for a metric: for a note, and as a sentence of its own. None if they lack nothing."""
    for bank in bindings.of(metric):
        for side in (pred, gt):
            try:
                refuse_unfit(bank, side)
            except InputError as error:
                other = side.reference not in ("unknown", "camera", bank.layout.reference)
                why = (
                    f"is in the {side.reference} reference and the banks are not"
                    if other
                    else "lacks joints of the banks"
                )
                return f"{side.source} {why}", f"{metric.key} cannot be taken: {error}"
    if Needs.METRIC_SCALE in metric.needs and pred.unit == "scale-free":
        return f"{pred.source} is scale-free, and they need a prediction in mm or m", ""
    for side, need, flag in ((pred, Needs.ABSOLUTE_PRED, "pred"), (gt, Needs.ABSOLUTE_GT, "gt")):
        if need in metric.needs:
            relative = _relative(side, flag, protocol)
            if relative is not None:
                fact, so = relative
                return f"{fact}, and they need the person's position", f"{fact}, so {metric.key} {so}"
    if Needs.SEQUENCES in metric.needs and gt.frame is None:
        why_not = f"{gt.source} has no `frame` numbers"
        return why_not, f"{why_not}, which {metric.key} needs to know what is consecutive"
    if Needs.FPS in metric.needs and not (gt.fps or pred.fps):
        why_not = f"{gt.source} does not say its frame rate"
        return why_not, (
            f"{why_not}, which {metric.key} needs; say it with --fps, or ask for {metric.family.name}(per=frame)"
        )
    return None


def _relative(side: PoseSet, flag: str, protocol: Protocol) -> tuple[str, str] | None:
    """Why a side's coordinates do not hold the person's position, and what follows from it; None if they do."""
    root = side.poses[:1000, protocol.skeleton.root]
    if side.origin == "root" or (side.origin is None and len(side) and not np.any(root)):
        return f"{side.source} is relative to its root", "cannot be taken from it"
    if side.origin is None and side.path is not None:
        return (
            f"{side.source} does not say whether its coordinates are absolute or relative to the root",
            f"cannot be taken from it; say it with --{flag}-origin absolute",
        )
    return None


def _note_assumptions(metric: Metric, bank: ClusterBank, pred: PoseSet, gt: PoseSet, notes: list[str]) -> None:
    """What has to be taken for granted for a bank to be applied."""
    canonical = bank.layout.reference == "canonical"
    wanted = "camera" if canonical else bank.layout.reference
    found = [
        f"reference of {side.source} assumed: {wanted}, as PSS needs it"
        for side in (pred, gt)
        if side.reference == "unknown"
    ]
    if canonical:
        found.append(f"{metric.family.name}: the vertical is taken to be the camera's y axis")
    notes += [note for note in found if note not in notes]


def _refuse_wrong(metric: Metric, protocol: Protocol, pred: PoseSet, gt: PoseSet, notes: list[str]) -> None:
    """Raise where the metric would measure something else than it says."""
    refuse_scale_free(metric, pred, gt)
    refuse_other_reference(metric, pred, gt)
    if Needs.SAME_REFERENCE in metric.needs and pred.reference != gt.reference:
        silent = pred if pred.reference == "unknown" else gt
        stated = gt if silent is pred else pred
        note = f"reference of {silent.source} assumed: {stated.reference}, as in {stated.source}"
        if note not in notes:
            notes.append(note)
    rooted = metric.alignment is not None and metric.alignment.needs_root
    centred = not rooted or protocol.pred_root is not None or protocol.gt_root is not None
    if not centred and {pred.origin, gt.origin} == {"root", "absolute"}:
        raise InputError(
            f"{pred.source} has the origin {pred.origin} and {gt.source} the origin {gt.origin}, but protocol "
            f"{protocol.name} centres neither, so {metric.key} would measure where the person stands"
        )


def is_absolute(metrics: Sequence[Metric], protocol: Protocol, pred: PoseSet) -> bool:
    """Whether a prediction is absolute under a protocol that takes it as it is, relative to the root."""
    if protocol.pred_root is not None or protocol.gt_root is None:
        return False
    if not any(metric.alignment is not None and metric.alignment.needs_root for metric in metrics):
        return False
    if pred.origin is not None and (pred.origin == "absolute" or "origin" in pred.stated):
        return bool(pred.origin == "absolute")
    found = _away_and_reach(pred, protocol.skeleton.index(protocol.gt_root))
    return found is not None and found[0] > _FAR * found[1]


def _refuse_false_position(side: PoseSet, flag: str, protocol: Protocol) -> None:
    """Raise where a file says that it is absolute, but its people stand at the origin: inside the camera."""
    if side.origin != "absolute" or "origin" in side.stated or side.path is None or len(side) < 2:
        return
    root = protocol.skeleton.root
    found = _away_and_reach(side, root)
    # In the world someone may stand near the origin, but nobody stays on it.
    if found is not None and (found[0] == 0 or (side.reference == "camera" and found[0] <= _FAR * found[1])):
        raise InputError(
            f"{side.source} says that its coordinates are absolute, but its {protocol.skeleton.joints[root]} lies "
            f"{found[0]:.4g} {side.unit} from the origin, as in poses relative to the root; say which with "
            f"--{flag}-origin root or --{flag}-origin absolute"
        )


def _away_and_reach(side: PoseSet, root: int) -> tuple[float, float] | None:
    """Medians of the root's distance from the origin and of the farthest joint's from the root; None if unknown."""
    step = max(1, len(side) // 1000)
    some = side.poses[::step].astype(np.float64)
    if side.valid is not None:
        some[~side.valid[::step]] = np.nan
    with np.errstate(all="ignore"):
        away = np.linalg.norm(some[:, root], axis=1)
        reach = np.linalg.norm(some - some[:, root, None], axis=2)
    known = np.isfinite(away) & np.isfinite(reach).any(1)
    if not known.any():
        return None
    return float(np.median(away[known])), float(np.median(np.nanmax(reach[known], axis=1)))
