"""Pose Structure Score: whether a prediction has the same nearest cluster centre as its ground truth, and its kin.

`PSS@k` is the paper's. The others are this project's, each under a name of its own: `PSS-top2`, `PSS-soft`,
`PSS-kappa`, `PSS-canonical`, `PSS-ensemble`. Which bank a number belongs to is part of it (docs/pss.md).
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError, UsageError
from posebench.kernels import PoseFlag, map_chunks
from posebench.metrics.clusters import ClusterPlan, ClusterState, ClusterUse
from posebench.metrics.evaluate import Array, Poses, Reduce, Result, pair
from posebench.metrics.grammar import MetricSpec
from posebench.metrics.registry import Arguments, Family, FieldKind, Metric, register, resolve, spelling
from posebench.poses import PoseSet
from posebench.skeletons import Skeleton, get_skeleton

if TYPE_CHECKING:
    from posebench.banks import ClusterBank

_SOURCE = "Kocabas, Karagoz, Akbas, Self-supervised learning of 3D human pose using multi-view geometry, CVPR 2019"
_OWN = "posebench"
_PERCENT = ("%", True, (0.0, 100.0))

Variant = Literal["pss", "top2", "soft", "kappa"]


def _cluster_metric(
    spec: MetricSpec,
    family: Family,
    kind: Literal["hit", "top2", "soft", "kappa", "ensemble"],
    *,
    canonical: bool = False,
) -> Metric:
    arguments = Arguments(spec, family)
    if spec.at is None:
        raise UsageError(f"metric {spec}: say how many clusters, as in {family.name}@50")
    k = arguments.at(50)
    if k != int(k) or k < 2:
        raise UsageError(f"metric {spec}: the number of clusters is a whole number from 2")
    bank = arguments.text("bank")
    arguments.done()
    key = spelling(family.name, k, "" if bank is None else f"bank={bank}")
    field = FieldKind.KAPPA if kind == "kappa" else FieldKind.CLUSTERS
    return Metric(key, family, field, unit=family.unit, cluster=ClusterUse(kind, int(k), canonical, bank))


@register(
    Family(
        "PSS",
        "share of predictions with the same nearest cluster centre as their ground truth",
        *_PERCENT,
        source=_SOURCE,
        aliases=("PoseStructureScore",),
        arguments="bank=NAME",
    )
)
def _pss(spec: MetricSpec, family: Family) -> Metric:
    return _cluster_metric(spec, family, "hit")


@register(
    Family(
        "PSS-top2",
        "share of predictions of whose two nearest centres one is the nearest of the ground truth",
        *_PERCENT,
        source=_OWN,
        arguments="bank=NAME",
    )
)
def _top2(spec: MetricSpec, family: Family) -> Metric:
    return _cluster_metric(spec, family, "top2")


@register(
    Family(
        "PSS-soft",
        "overlap of the soft assignments of prediction and ground truth (Bhattacharyya coefficient)",
        *_PERCENT,
        source=_OWN,
        arguments="bank=NAME",
    )
)
def _soft(spec: MetricSpec, family: Family) -> Metric:
    return _cluster_metric(spec, family, "soft")


@register(
    Family(
        "PSS-kappa",
        "PSS less what agrees by chance: 0 is chance, 1 is perfect",
        "1",
        True,
        (None, 1.0),
        source="posebench; Cohen 1960",
        arguments="bank=NAME",
    )
)
def _kappa(spec: MetricSpec, family: Family) -> Metric:
    return _cluster_metric(spec, family, "kappa")


@register(
    Family(
        "PSS-canonical",
        "PSS of poses that were turned about the vertical to face the camera",
        *_PERCENT,
        source=_OWN,
        arguments="bank=NAME",
    )
)
def _canonical(spec: MetricSpec, family: Family) -> Metric:
    return _cluster_metric(spec, family, "hit", canonical=True)


@register(
    Family(
        "PSS-ensemble",
        "mean of PSS over banks that differ in their seed only",
        *_PERCENT,
        source=_OWN,
        arguments="bank=NAME",
    )
)
def _ensemble(spec: MetricSpec, family: Family) -> Metric:
    return _cluster_metric(spec, family, "ensemble")


_NAMES: dict[str, str] = {"pss": "PSS", "top2": "PSS-top2", "soft": "PSS-soft", "kappa": "PSS-kappa"}


def pss(
    pred: Poses,
    gt: Poses,
    bank: str | Path | ClusterBank,
    *,
    variant: Variant = "pss",
    valid: Array | None = None,
    reduce: Reduce = "mean",
) -> Result:
    """Share of predictions whose nearest cluster centre is that of their ground truth, in percent; best is 100.

    Parameters
    ----------
    pred, gt : array (N, J, 3) or PoseSet
        In any unit, in the bank's reference (for a canonical bank in a camera's: they are turned here). Arrays have
        the bank's joints, or those of its skeleton, by number.
    bank : ClusterBank, str or path
        A bank, the name of one that ships with posebench, or the path of its .npz.
    variant : {"pss", "top2", "soft", "kappa"}
        ``"top2"``: the centre of the ground truth is one of the prediction's two nearest. ``"soft"``: Bhattacharyya
        coefficient of softmax(-d^2 / tau) of both, tau the bank's mean squared distance. ``"kappa"``: (PSS - e) /
        (1 - e), e the agreement by chance, in which 1 is best.
    valid : array of bool, (N, J), optional
        Joints that the ground truth holds; a pose that lacks a joint of the bank is not scored.
    reduce : {"mean", "none"}
        ``"none"`` gives one value per pose, NaN where the ground truth cannot be scored; not for kappa.

    Returns
    -------
    float, or array (N,)

    Raises
    ------
    InputError
        If shapes differ, a joint is lacking or not finite, a set says that it is in another reference, or no pose can
        be scored.
    UsageError
        If the bank or the variant is unknown.

    References
    ----------
    Kocabas, Karagoz, Akbas, Self-supervised learning of 3D human pose using multi-view geometry, CVPR 2019.

    Examples
    --------
    >>> from posebench import ClusterBank
    >>> gt = np.random.default_rng(0).normal(size=(200, 17, 3)) * 300
    >>> bank = ClusterBank.build(gt, k=5, skeleton="h36m17", seed=0)
    >>> pss(2 * gt + 1000, gt, bank)
    100.0
    """
    found, metric = bank_and_metric(bank, variant, reduce)
    p, g, mask = pair(in_bank_skeleton(pred, found, "pred"), in_bank_skeleton(gt, found, "gt"), valid)
    for side in (p, g):
        refuse_unfit(found, side)
    assert g.skeleton is not None
    plan = ClusterPlan({metric.key: (found,)}, [metric], g.skeleton)
    state = ClusterState(plan)
    values = np.empty(len(g))

    def fill(rows: slice) -> ClusterState:
        assigned = plan.assign(p.take(rows), g.poses[rows], None if mask is None else mask[rows])
        refuse_labelless(assigned.flags, p, g, np.arange(rows.start, rows.stop), plan)
        values[rows] = plan.field(metric, assigned)[:, 0]
        n = rows.stop - rows.start
        part = ClusterState(plan)
        part.update(assigned, np.zeros(n, np.int64), np.ones(n, np.bool_))
        return part

    for part in map_chunks(fill, len(g)):
        state.merge(part, np.zeros(1, np.int64))
    if reduce == "none":
        return values
    scored = values[~np.isnan(values)]
    if not len(scored):
        raise InputError(f"none of the {len(values)} poses can be scored: each lacks a joint of the bank, or extent")
    return state.kappa(metric.key, np.zeros(1, np.int64)) if variant == "kappa" else float(scored.mean())


def bank_and_metric(bank: str | Path | ClusterBank, variant: Variant, reduce: Reduce) -> tuple[ClusterBank, Metric]:
    """The bank itself, and the metric that a variant means in it."""
    from posebench.banks import find_bank

    if variant not in _NAMES:
        raise UsageError(f"variant is {variant!r}, expected one of {', '.join(_NAMES)}")
    if reduce not in ("mean", "none") or (variant == "kappa" and reduce == "none"):
        raise UsageError(f"reduce is {reduce!r}, expected 'mean'" + ("" if variant == "kappa" else " or 'none'"))
    found = find_bank(bank)
    canonical = found.layout.reference == "canonical"
    if canonical and variant != "pss":
        raise UsageError(f"bank {found.name} is canonical, for which there is no variant but 'pss'")
    metric = resolve(f"{'PSS-canonical' if canonical else _NAMES[variant]}@{found.k}")
    return found, metric


def in_bank_skeleton(poses: Poses, bank: ClusterBank, name: str) -> PoseSet:
    """Poses with a skeleton, so that joints can be taken by name: plain arrays have the bank's."""
    if isinstance(poses, PoseSet) and poses.skeleton is not None:
        return poses
    given = poses if isinstance(poses, PoseSet) else PoseSet(poses, source=name)
    skeletons = [Skeleton(bank.layout.skeleton, bank.layout.joints, (-1,) * len(bank.layout.joints), 0, (), {})]
    with suppress(UsageError):
        skeletons.append(get_skeleton(bank.layout.skeleton))
    for skeleton in skeletons:
        if len(skeleton) == given.poses.shape[1]:
            return given.replace(skeleton=skeleton)
    raise InputError(
        f"{given.source}: the poses have {given.poses.shape[1]} joints, expected the {len(bank.layout.joints)} of bank "
        f"{bank.name}"
    )


def refuse_unfit(bank: ClusterBank, poses: PoseSet) -> None:
    """Raise if a bank cannot be applied to a set: joints that it lacks, or another reference."""
    wanted = "camera" if bank.layout.reference == "canonical" else bank.layout.reference
    if poses.reference not in ("unknown", wanted, bank.layout.reference):
        raise InputError(
            f"{poses.source} is in the {poses.reference} reference, but bank {bank.name} takes poses in the {wanted} "
            "reference, where the same pose has another nearest centre; bring both to one reference"
        )
    bank.layout.fit(poses[:0].replace(reference=bank.layout.reference))


def refuse_labelless(
    flags: npt.NDArray[np.uint16], pred: PoseSet, gt: PoseSet, rows: npt.NDArray[np.int64], plan: ClusterPlan
) -> None:
    """Raise for the first pose of a chunk with a coordinate that is not finite."""
    for side, flag in ((gt, PoseFlag.BAD_GROUND_TRUTH), (pred, PoseFlag.MISSING)):
        bad = np.flatnonzero(flags & int(flag))
        if len(bad):
            row, joints = int(rows[bad[0]]), plan.joints()
            with np.errstate(over="ignore"):
                usable = (np.abs(side.take(rows[bad[:1]])[0, joints]) < 1e150).all(1)
            joint = int(joints[np.flatnonzero(~usable)[0]])
            raise InputError(
                f"{side.source}: pose {row}, joint {joint} ({plan.skeleton.joints[joint]}) is "
                f"{side.poses[row, joint].tolist()}; mend the poses, or mask the joint in the ground truth"
            )
