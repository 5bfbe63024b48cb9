"""Shares of what is correct: PCK, NPCK, AUC and NAUC in percent, CPS in mm.

A missing prediction is wrong under every threshold, so none of these can rise by leaving something out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posebench.errors import UsageError
from posebench.kernels.fields import Alignment
from posebench.kernels.kinds import ReductionKind
from posebench.metrics.distance import SCALES, alignment_needs
from posebench.metrics.evaluate import Array, Joints, Poses, Reduce, Result, evaluate, evaluate_metric
from posebench.metrics.grammar import MetricSpec, number
from posebench.metrics.registry import (
    Arguments,
    Family,
    FieldKind,
    Metric,
    Reduction,
    families,
    register,
    resolve,
    spelling,
)

_PERCENT = ("%", True, (0.0, 100.0))
_ALIGN = {"root": Alignment.ROOT, "none": Alignment.NONE}
_POSE_ALIGN = {"procrustes": Alignment.SIMILARITY, "root": Alignment.ROOT}

_PCK_SOURCE = "Mehta et al., Monocular 3D human pose estimation in the wild, 3DV 2017"


@register(
    Family(
        "PCK",
        "share of joints closer than a threshold, both sides centred on their roots",
        *_PERCENT,
        source=_PCK_SOURCE,
        aliases=("PCK3D",),
        arguments="inclusive, align=root|none",
    )
)
def _pck(spec: MetricSpec, family: Family) -> Metric:
    arguments = Arguments(spec, family)
    word, alignment = arguments.choice("align", _ALIGN, "root")
    return _share(arguments, family, alignment, f"align={word}" if word != "root" else "")


@register(
    Family(
        "NPCK",
        "PCK after the scale of NMPJPE",
        *_PERCENT,
        source="Rhodin et al., CVPR 2018",
        aliases=("N-PCK",),
        arguments="inclusive, scale=" + "|".join(SCALES),
    )
)
def _npck(spec: MetricSpec, family: Family) -> Metric:
    arguments = Arguments(spec, family)
    word, alignment = arguments.choice("scale", SCALES, "least_squares")
    return _share(arguments, family, alignment, f"scale={word}" if word != "least_squares" else "")


def _share(arguments: Arguments, family: Family, alignment: Alignment, inside: str) -> Metric:
    at = arguments.at(150.0)
    inclusive = arguments.flag("inclusive")
    arguments.done()
    kind = ReductionKind.SHARE_UP_TO if inclusive else ReductionKind.SHARE_BELOW
    key = spelling(family.name, at, inside, "inclusive" if inclusive else "")
    return Metric(
        key, family, FieldKind.JOINTS, alignment, Reduction(kind, (at,)), alignment_needs(alignment), family.unit
    )


@register(
    Family(
        "AUC",
        "mean of PCK over thresholds; strict <, so that a perfect prediction scores 96.77 over 0:150:5",
        *_PERCENT,
        source=_PCK_SOURCE,
        arguments="start:stop:step, trapezoid, or continuous=limit",
    )
)
def _auc(spec: MetricSpec, family: Family) -> Metric:
    return _area(spec, family, Alignment.ROOT)


@register(
    Family(
        "NAUC",
        "AUC after the scale of NMPJPE",
        *_PERCENT,
        source=_PCK_SOURCE,
        aliases=("N-AUC",),
        arguments="start:stop:step, trapezoid, or continuous=limit",
    )
)
def _nauc(spec: MetricSpec, family: Family) -> Metric:
    return _area(spec, family, Alignment.SCALE_LEAST_SQUARES)


def _area(spec: MetricSpec, family: Family, alignment: Alignment) -> Metric:
    arguments = Arguments(spec, family)
    if arguments.has("continuous"):
        limit = arguments.positive("continuous", 150.0)
        inside = f"continuous={number(limit)}"
        reduction = Reduction(ReductionKind.AREA_CONTINUOUS, (limit,))
    else:
        inside, values = arguments.thresholds("0:150:5")
        if arguments.flag("trapezoid"):
            if len(values) < 2:
                raise UsageError(f"metric {spec}: the trapezoid needs two thresholds or more")
            inside += ",trapezoid"
            reduction = Reduction(ReductionKind.AREA_TRAPEZOID, values)
        else:
            reduction = Reduction(ReductionKind.AREA, values)
    arguments.done()
    key = spelling(family.name, None, inside)
    return Metric(key, family, FieldKind.JOINTS, alignment, reduction, alignment_needs(alignment), family.unit)


@register(
    Family(
        "CPS",
        "area under the share of poses whose worst joint is closer than t, for t from 0 to 300 mm",
        "mm",
        True,
        (0.0, 300.0),
        source="Wandt et al., CanonPose, CVPR 2021",
        arguments="align=procrustes|root",
    )
)
def _cps(spec: MetricSpec, family: Family) -> Metric:
    arguments = Arguments(spec, family)
    word, alignment = arguments.choice("align", _POSE_ALIGN, "procrustes")
    arguments.done()
    key = spelling(family.name, None, f"align={word}" if word != "procrustes" else "")
    reduction = Reduction(ReductionKind.POSE_AREA, (300.0,))
    return Metric(key, family, FieldKind.JOINTS, alignment, reduction, alignment_needs(alignment), family.unit)


def pck(
    pred: Poses,
    gt: Poses,
    *,
    threshold: float = 150.0,
    inclusive: bool = False,
    root: int | None = 0,
    joints: Joints = None,
    valid: Array | None = None,
    reduce: Reduce = "mean",
) -> Result:
    """Share of joints whose error is below `threshold` mm, in percent; best is 100.

    Parameters
    ----------
    pred, gt, root, joints, valid, reduce
        As in `mpjpe`.
    threshold : float
        In mm.
    inclusive : bool
        Count an error of exactly `threshold` as correct.

    Returns
    -------
    float, or array (N,)

    Raises
    ------
    InputError, UsageError
        As `mpjpe`; UsageError for a threshold that is not positive.

    References
    ----------
    Mehta et al., Monocular 3D human pose estimation in the wild using improved CNN supervision, 3DV 2017.

    Examples
    --------
    >>> import numpy as np
    >>> gt = np.array([[[0, 0, 0], [0, 100, 0], [0, 200, 0], [0, 300, 0]]])
    >>> pck(gt + [[[0, 0, 0], [0, 0, 0], [0, 0, 149], [0, 0, 150]]], gt)
    75.0
    """
    return evaluate(
        spelled_share("PCK", threshold, inclusive, f"align={'none' if root is None else 'root'}"),
        pred, gt, root, joints, valid, reduce,
    )  # fmt: skip


def npck(
    pred: Poses,
    gt: Poses,
    *,
    threshold: float = 150.0,
    inclusive: bool = False,
    scale: str = "least_squares",
    root: int = 0,
    joints: Joints = None,
    valid: Array | None = None,
    reduce: Reduce = "mean",
) -> Result:
    """PCK after the scale of NMPJPE, in percent; best is 100.

    Parameters, returns and errors as in `pck` and `nmpjpe`.

    References
    ----------
    Rhodin et al., CVPR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> gt = np.array([[[0, 0, 0], [0, 500, 0], [0, 900, 0]]])
    >>> npck(2 * gt, gt), round(pck(2 * gt, gt), 2)
    (100.0, 33.33)
    """
    return evaluate(
        spelled_share("NPCK", threshold, inclusive, f"scale={scale}"), pred, gt, root, joints, valid, reduce
    )


def auc(
    pred: Poses,
    gt: Poses,
    *,
    thresholds: str | Sequence[float] = "0:150:5",
    root: int = 0,
    joints: Joints = None,
    valid: Array | None = None,
    reduce: Reduce = "mean",
) -> Result:
    """Mean of PCK over thresholds, in percent; best is 96.77 for the default thresholds, whose first is 0.

    Parameters
    ----------
    pred, gt, root, joints, valid, reduce
        As in `mpjpe`.
    thresholds : str or sequence of float
        ``"start:stop:step"`` in mm with the stop included, ``"continuous=150"`` for the mean of
        clip(1 - error / 150, 0, 1), or the thresholds themselves.

    Returns
    -------
    float, or array (N,)

    Raises
    ------
    InputError, UsageError
        As `mpjpe`; UsageError for thresholds that are not understood.

    References
    ----------
    Mehta et al., 3DV 2017.

    Examples
    --------
    >>> import numpy as np
    >>> gt = np.random.default_rng(0).normal(size=(1, 17, 3)) * 300
    >>> round(auc(gt, gt), 2), auc(gt, gt, thresholds="continuous=150")
    (96.77, 100.0)
    """
    return evaluate_metric(spelled_area(thresholds), pred, gt, root, joints, valid, reduce)


def cps(
    pred: Poses,
    gt: Poses,
    *,
    align: str = "procrustes",
    root: int = 0,
    joints: Joints = None,
    valid: Array | None = None,
    reduce: Reduce = "mean",
) -> Result:
    """Correct Poses Score: area under the share of poses whose worst joint is off by < t, t from 0 to 300 mm; best 300.

    Parameters
    ----------
    pred, gt, root, joints, valid, reduce
        As in `mpjpe`.
    align : {"procrustes", "root"}

    Returns
    -------
    float, or array (N,)
        In mm: the mean over poses of max(0, 300 - worst joint error).

    Raises
    ------
    InputError, UsageError
        As `mpjpe`; UsageError for an unknown alignment.

    References
    ----------
    Wandt et al., CanonPose, CVPR 2021.

    Examples
    --------
    >>> import numpy as np
    >>> gt = np.array([[[0, 0, 0], [0, 100, 0], [0, 200, 0]]])
    >>> cps(gt + [[[0, 0, 0], [30, 0, 0], [0, 0, 60]]], gt, align="root")
    240.0
    """
    return evaluate(MetricSpec("CPS", None, (("align", align),)), pred, gt, root, joints, valid, reduce)


def spelled_area(thresholds: str | Sequence[float]) -> Metric:
    """AUC over the thresholds of a spelling, or over numbers."""
    if isinstance(thresholds, str):
        key, equals, limit = thresholds.partition("=")
        return resolve(MetricSpec("AUC", None, ((key, limit) if equals else ("", thresholds),)))
    try:
        values = tuple(float(t) for t in thresholds)
    except (TypeError, ValueError):
        values = ()
    if not values or not all(0 <= t < float("inf") for t in values):
        raise UsageError(f"thresholds are {thresholds!r}, expected start:stop:step or numbers from 0, in mm")
    return Metric(
        "AUC", families()["AUC"], FieldKind.JOINTS, Alignment.ROOT, Reduction(ReductionKind.AREA, values), unit="%"
    )


def spelled_share(name: str, threshold: float, inclusive: bool, argument: str) -> MetricSpec:
    """PCK or NPCK at a threshold, with one further argument."""
    key, _, value = argument.partition("=")
    if not isinstance(threshold, int | float | np.number):
        raise UsageError(f"threshold is {threshold!r}, expected a number, in mm")
    return MetricSpec(name, float(threshold), ((key, value), *((("inclusive", ""),) if inclusive else ())))
