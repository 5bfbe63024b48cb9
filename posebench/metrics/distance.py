"""Distances in mm: MPJPE and its scale- and Procrustes-aligned kin, the worst joint, the root.

Each function is one alignment followed by a mean (or a maximum) over joints. Definitions and the names that other codes
use for them: docs/conventions.md.
"""

from __future__ import annotations

from posebench.kernels.fields import Alignment
from posebench.kernels.kinds import ReductionKind
from posebench.metrics.evaluate import Array, Joints, Poses, Reduce, Result, evaluate
from posebench.metrics.grammar import MetricSpec
from posebench.metrics.registry import Arguments, Family, FieldKind, Metric, Needs, Reduction, register, spelling

_MM = ("mm", False, (0.0, None))

_ALIGN = {"root": Alignment.ROOT, "none": Alignment.NONE}
_AXES = {"x": Alignment.ROOT_X, "y": Alignment.ROOT_Y, "z": Alignment.ROOT_Z}

#: The scales that codes in use apply before NMPJPE.
SCALES = {
    "least_squares": Alignment.SCALE_LEAST_SQUARES,
    "least_squares_absolute": Alignment.SCALE_LEAST_SQUARES_ABSOLUTE,
    "procrustes": Alignment.SCALE_PROCRUSTES,
    "norm_ratio": Alignment.SCALE_NORM_RATIO,
    "least_squares_mean": Alignment.SCALE_LEAST_SQUARES_MEAN,
}

#: The alignments that codes in use apply before PMPJPE.
VARIANTS = {
    "similarity": Alignment.SIMILARITY,
    "similarity_rerooted": Alignment.SIMILARITY_REROOTED,
    "rigid": Alignment.RIGID,
    "rigid_rerooted": Alignment.RIGID_REROOTED,
    "norm_ratio": Alignment.PROCRUSTES_NORM_RATIO,
    "norm_ratio_reflect": Alignment.PROCRUSTES_NORM_RATIO_REFLECT,
}


def alignment_needs(alignment: Alignment) -> Needs:
    """What an error under that alignment needs of its inputs: what the alignment does not fit away."""
    needs = Needs.NOTHING
    if not alignment.fits_pose or alignment in (
        Alignment.RIGID,
        Alignment.RIGID_REROOTED,
        Alignment.SCALE_LEAST_SQUARES_ABSOLUTE,
    ):
        needs |= Needs.METRIC_SCALE
    if alignment < Alignment.SIMILARITY:
        needs |= Needs.SAME_REFERENCE
    if alignment is Alignment.NONE:
        needs |= Needs.ABSOLUTE_PRED
    if alignment in (Alignment.NONE, Alignment.SCALE_LEAST_SQUARES_ABSOLUTE):
        needs |= Needs.ABSOLUTE_GT
    return needs


@register(
    Family(
        "MPJPE",
        "mean distance between predicted and true joints, both sides centred on their roots",
        *_MM,
        source="Ionescu et al., Human3.6M, PAMI 2014",
        arguments="align=root|none, axis=x|y|z",
    )
)
def _mpjpe(spec: MetricSpec, family: Family) -> Metric:
    arguments = Arguments(spec, family)
    if arguments.has("axis"):
        word, alignment = arguments.choice("axis", _AXES, "x")
        inside = f"axis={word}"
    else:
        word, alignment = arguments.choice("align", _ALIGN, "root")
        inside = f"align={word}" if word != "root" else ""
    arguments.done()
    return _joint_metric(spelling(family.name, None, inside), family, alignment)


@register(
    Family(
        "NMPJPE",
        "MPJPE after the prediction was scaled, one scale per pose",
        *_MM,
        source="Rhodin et al., Learning monocular 3D human pose estimation from multi-view images, CVPR 2018",
        aliases=("N-MPJPE",),
        arguments="scale=" + "|".join(SCALES),
    )
)
def _nmpjpe(spec: MetricSpec, family: Family) -> Metric:
    arguments = Arguments(spec, family)
    word, alignment = arguments.choice("scale", SCALES, "least_squares")
    arguments.done()
    inside = f"scale={word}" if word != "least_squares" else ""
    return _joint_metric(spelling(family.name, None, inside), family, alignment)


@register(
    Family(
        "PMPJPE",
        "mean joint distance after the optimal rotation, translation and scale of the prediction",
        *_MM,
        source="Gower 1975; Umeyama, PAMI 1991",
        aliases=("P-MPJPE", "PA-MPJPE"),
        arguments="variant=" + "|".join(VARIANTS),
    )
)
def _pmpjpe(spec: MetricSpec, family: Family) -> Metric:
    arguments = Arguments(spec, family)
    word, alignment = arguments.choice("variant", VARIANTS, "similarity")
    arguments.done()
    inside = f"variant={word}" if word != "similarity" else ""
    return _joint_metric(spelling(family.name, None, inside), family, alignment)


@register(
    Family(
        "WorstJoint",
        "distance of the worst joint of each pose, both sides centred on their roots",
        *_MM,
        source="posebench",
        aliases=("MaxJPE",),
        arguments="align=root|none",
    )
)
def _worst(spec: MetricSpec, family: Family) -> Metric:
    arguments = Arguments(spec, family)
    word, alignment = arguments.choice("align", _ALIGN, "root")
    arguments.done()
    inside = f"align={word}" if word != "root" else ""
    return _joint_metric(spelling(family.name, None, inside), family, alignment, Reduction(ReductionKind.WORST))


@register(
    Family(
        "MRPE",
        "distance between predicted and true root joint in absolute coordinates",
        *_MM,
        source="Moon et al., Camera distance-aware top-down approach, ICCV 2019",
        aliases=("RootError",),
    )
)
def _mrpe(spec: MetricSpec, family: Family) -> Metric:
    Arguments(spec, family).done()
    needs = alignment_needs(Alignment.NONE)
    return Metric(family.name, family, FieldKind.ROOT, Alignment.NONE, needs=needs, unit="mm")


def _joint_metric(key: str, family: Family, alignment: Alignment, reduction: Reduction | None = None) -> Metric:
    return Metric(
        key, family, FieldKind.JOINTS, alignment, reduction or Reduction(), alignment_needs(alignment), family.unit
    )


def mpjpe(
    pred: Poses,
    gt: Poses,
    *,
    root: int | None = 0,
    joints: Joints = None,
    valid: Array | None = None,
    reduce: Reduce = "mean",
) -> Result:
    """Mean distance between predicted and true joints, in mm; best is 0.

    Parameters
    ----------
    pred, gt : array, (N, J, 3)
        Poses in mm.
    root : int or None
        The joint that each side is centred on; None compares coordinates as they are.
    joints : sequence of int, optional
        The joints that count; all by default. `root` indexes the full skeleton all the same.
    valid : array of bool, (N, J), optional
        Joints that the ground truth holds; the others may be NaN and count for nothing.
    reduce : {"mean", "none"}
        ``"none"`` gives one value per pose, NaN where the ground truth cannot be scored.

    Returns
    -------
    float, or array (N,)

    Raises
    ------
    InputError
        If shapes differ, if a joint that counts is not finite, or if no pose can be scored.

    References
    ----------
    Ionescu et al., Human3.6M, PAMI 2014.

    Examples
    --------
    >>> import numpy as np
    >>> gt = np.array([[[0, 0, 0], [0, 100, 0], [0, 200, 0]]])
    >>> mpjpe(gt + [[[0, 0, 0], [30, 0, 0], [0, 0, 60]]], gt)
    30.0
    """
    return evaluate(f"MPJPE(align={'none' if root is None else 'root'})", pred, gt, root, joints, valid, reduce)


def nmpjpe(
    pred: Poses,
    gt: Poses,
    *,
    scale: str = "least_squares",
    root: int = 0,
    joints: Joints = None,
    valid: Array | None = None,
    reduce: Reduce = "mean",
) -> Result:
    """MPJPE after scaling each prediction onto its ground truth, in mm; best is 0. Not bounded by MPJPE.

    Parameters
    ----------
    pred, gt, root, joints, valid, reduce
        As in `mpjpe`; the prediction may be in any unit.
    scale : {"least_squares", "least_squares_absolute", "procrustes", "norm_ratio", "least_squares_mean"}
        With p and g root-centred: <p,g>/<p,p> (the default); the same on absolute coordinates with the ground-truth
        root added to p; the scale of the optimal similarity; |g|/|p|; or <p,g>/<p,p> after mean-centring.

    Returns
    -------
    float, or array (N,)

    Raises
    ------
    InputError, UsageError
        As `mpjpe`; UsageError for an unknown scale.

    References
    ----------
    Rhodin et al., Learning monocular 3D human pose estimation from multi-view images, CVPR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> gt = np.array([[[0, 0, 0], [0, 100, 0], [0, 200, 50]]])
    >>> round(nmpjpe(0.25 * gt, gt), 9)
    0.0
    """
    return evaluate(MetricSpec("NMPJPE", None, (("scale", scale),)), pred, gt, root, joints, valid, reduce)


def pmpjpe(
    pred: Poses,
    gt: Poses,
    *,
    variant: str = "similarity",
    root: int = 0,
    joints: Joints = None,
    valid: Array | None = None,
    reduce: Reduce = "mean",
) -> Result:
    """Mean joint distance after the optimal similarity of each prediction, in mm; best is 0. Not bounded by MPJPE.

    Parameters
    ----------
    pred, gt, joints, valid, reduce
        As in `mpjpe`.
    root : int
        Used by the re-rooted variants alone.
    variant : {"similarity", "similarity_rerooted", "rigid", "rigid_rerooted", "norm_ratio", "norm_ratio_reflect"}
        Rotation, translation and scale (the default); the same with both sides re-rooted afterwards; without scale;
        without scale and re-rooted; with the scale |g|/|p| of the mean-centred poses; the same with reflections.

    Returns
    -------
    float, or array (N,)

    Raises
    ------
    InputError, UsageError
        As `mpjpe`; UsageError for an unknown variant.

    References
    ----------
    Umeyama, PAMI 1991; Horn, JOSA A 1987.

    Examples
    --------
    >>> import numpy as np
    >>> gt = np.random.default_rng(0).normal(size=(1, 17, 3)) * 300
    >>> turned = 2 * gt[..., [1, 2, 0]] + 1000  # a cyclic swap of the axes is a rotation
    >>> round(pmpjpe(turned, gt), 9)
    0.0
    """
    return evaluate(MetricSpec("PMPJPE", None, (("variant", variant),)), pred, gt, root, joints, valid, reduce)


def worst_joint(
    pred: Poses,
    gt: Poses,
    *,
    root: int | None = 0,
    joints: Joints = None,
    valid: Array | None = None,
    reduce: Reduce = "mean",
) -> Result:
    """Distance of the worst joint of each pose, in mm; best is 0.

    Parameters and errors as in `mpjpe`.

    Examples
    --------
    >>> import numpy as np
    >>> gt = np.array([[[0, 0, 0], [0, 100, 0], [0, 200, 0]]])
    >>> worst_joint(gt + [[[0, 0, 0], [30, 0, 0], [0, 0, 60]]], gt)
    60.0
    """
    return evaluate(f"WorstJoint(align={'none' if root is None else 'root'})", pred, gt, root, joints, valid, reduce)


def axis_error(
    pred: Poses,
    gt: Poses,
    *,
    axis: str,
    root: int = 0,
    joints: Joints = None,
    valid: Array | None = None,
    reduce: Reduce = "mean",
) -> Result:
    """Mean absolute joint error along one axis (``"x"``, ``"y"`` or ``"z"``), in mm; best is 0.

    Other parameters and errors as in `mpjpe`.

    Examples
    --------
    >>> import numpy as np
    >>> gt = np.array([[[0, 0, 0], [0, 100, 0], [0, 200, 0]]])
    >>> axis_error(gt + [[[0, 0, 0], [30, 0, 0], [0, 0, 60]]], gt, axis="z")
    20.0
    """
    return evaluate(MetricSpec("MPJPE", None, (("axis", axis),)), pred, gt, root, joints, valid, reduce)


def mrpe(pred: Poses, gt: Poses, *, root: int = 0, valid: Array | None = None, reduce: Reduce = "mean") -> Result:
    """Distance between predicted and true root joint in absolute coordinates, in mm; best is 0.

    Parameters and errors as in `mpjpe`.

    References
    ----------
    Moon et al., Camera distance-aware top-down approach for 3D multi-person pose estimation, ICCV 2019.

    Examples
    --------
    >>> import numpy as np
    >>> gt = np.array([[[0, 0, 0], [0, 100, 0], [0, 200, 0]]])
    >>> mrpe(gt + [0, 0, 500], gt)
    500.0
    """
    return evaluate("MRPE", pred, gt, root, None, valid, reduce)
