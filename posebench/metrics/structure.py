"""The shape of the predicted body: bone lengths and their spread, left against right, joint angles.

These look at each pose from inside, so no alignment comes into them; they need a skeleton to know what a bone is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.metrics.evaluate import (
    Array,
    Joints,
    Poses,
    Reduce,
    Result,
    evaluate,
    make_setup,
    pair,
    scorable,
)
from posebench.metrics.fields import Floats, Setup, in_mm, signed_bone_errors
from posebench.metrics.grammar import MetricSpec
from posebench.metrics.registry import Arguments, Family, FieldKind, Metric, Needs, register, resolve
from posebench.skeletons import Skeleton


@register(
    Family(
        "BoneLength",
        "mean absolute error of the lengths of the predicted bones",
        "mm",
        False,
        (0.0, None),
        source="Sun et al., Compositional human pose regression, ICCV 2017",
        aliases=("BoneLengthError",),
    )
)
def _bone_length(spec: MetricSpec, family: Family) -> Metric:
    return _structure_metric(spec, family, FieldKind.BONES, Needs.METRIC_SCALE)


@register(
    Family(
        "BoneSpread",
        "standard deviation over frames of each bone's length error, mean over bones: 0 for a rigid body",
        "mm",
        False,
        (0.0, None),
        source="posebench",
        aliases=("BoneLengthSpread",),
    )
)
def _bone_spread(spec: MetricSpec, family: Family) -> Metric:
    return _structure_metric(spec, family, FieldKind.BONE_SPREAD, Needs.METRIC_SCALE)


@register(
    Family(
        "Symmetry",
        "mean difference in length between the left and the right bones of the prediction",
        "mm",
        False,
        (0.0, None),
        source="Dabral et al., Learning 3D human pose from structure and motion, ECCV 2018",
        aliases=("SymmetryError",),
    )
)
def _symmetry(spec: MetricSpec, family: Family) -> Metric:
    return _structure_metric(spec, family, FieldKind.MIRRORED_BONES, Needs.METRIC_SCALE)


@register(
    Family(
        "JointAngle",
        "mean absolute error of the angle between the two bones that meet at a joint",
        "deg",
        False,
        (0.0, 180.0),
        source="posebench",
        aliases=("JointAngleError",),
    )
)
def _joint_angle(spec: MetricSpec, family: Family) -> Metric:
    return _structure_metric(spec, family, FieldKind.ANGLES, Needs.NOTHING)


def _structure_metric(spec: MetricSpec, family: Family, field: FieldKind, needs: Needs) -> Metric:
    Arguments(spec, family).done()
    return Metric(family.name, family, field, needs=needs, unit=family.unit)


def bone_length_error(
    pred: Poses,
    gt: Poses,
    *,
    skeleton: str | Skeleton | None = None,
    joints: Joints = None,
    valid: Array | None = None,
    reduce: Reduce = "mean",
) -> Result:
    """Mean absolute error of the predicted bone lengths, in mm; best is 0.

    Parameters
    ----------
    pred, gt : array, (N, J, 3)
        Poses in mm.
    skeleton : str or Skeleton, optional
        Says what a bone is; H36M-17 for 17 joints.
    joints, valid, reduce
        As in `mpjpe`; a bone counts where both its ends do.

    Returns
    -------
    float, or array (N,)

    Raises
    ------
    InputError, UsageError
        As `mpjpe`; UsageError if the skeleton is not known.

    References
    ----------
    Sun et al., Compositional human pose regression, ICCV 2017.

    Examples
    --------
    >>> import numpy as np
    >>> gt = np.random.default_rng(0).normal(size=(1, 17, 3)) * 300
    >>> bone_length_error(gt + 1000, gt) < 1e-9
    True
    """
    return evaluate("BoneLength", pred, gt, None, joints, valid, reduce, skeleton)


def symmetry_error(
    pred: Poses,
    gt: Poses,
    *,
    skeleton: str | Skeleton | None = None,
    joints: Joints = None,
    valid: Array | None = None,
    reduce: Reduce = "mean",
) -> Result:
    """Mean difference in length between left and right bones of the prediction, in mm; best is 0.

    The ground truth says only which joints count. Parameters and errors as in `bone_length_error`.

    Examples
    --------
    >>> import numpy as np
    >>> gt = np.random.default_rng(0).normal(size=(1, 17, 3)) * 300
    >>> symmetry_error(2 * gt, gt) == 2 * symmetry_error(gt, gt)
    True
    """
    return evaluate("Symmetry", pred, gt, None, joints, valid, reduce, skeleton)


def joint_angle_error(
    pred: Poses,
    gt: Poses,
    *,
    skeleton: str | Skeleton | None = None,
    joints: Joints = None,
    valid: Array | None = None,
    reduce: Reduce = "mean",
) -> Result:
    """Mean absolute error of the angle at each joint between its two bones, in degrees (0 to 180); best is 0.

    Angles are taken where a joint has a parent and exactly one child: knees, elbows, hips, shoulders, spine and neck of
    H36M-17. A predicted bone of no length has lost its angle and counts as the largest error there can be. Parameters
    and errors as in `bone_length_error`; the prediction may be in any unit.

    Examples
    --------
    >>> import numpy as np
    >>> gt = np.random.default_rng(0).normal(size=(1, 17, 3)) * 300
    >>> joint_angle_error(3 * gt, gt) < 1e-9
    True
    """
    return evaluate("JointAngle", pred, gt, None, joints, valid, reduce, skeleton)


def bone_length_spread(
    pred: Poses,
    gt: Poses,
    *,
    skeleton: str | Skeleton | None = None,
    joints: Joints = None,
    valid: Array | None = None,
) -> float:
    """Standard deviation over frames of each bone's signed length error, mean over bones, in mm; best is 0.

    A model that predicts a longer arm throughout has no spread; one whose arm breathes has. Parameters and errors as in
    `bone_length_error`.

    Examples
    --------
    >>> import numpy as np
    >>> gt = np.random.default_rng(0).normal(size=(5, 17, 3)) * 300
    >>> bone_length_spread(gt, gt)
    0.0
    """
    p, g, mask = pair(pred, gt, valid)
    setup = make_setup(p, g, None, joints, skeleton, resolve("BoneSpread"))
    state = SpreadState(len(setup.bones()))
    known = scorable(p, g, mask, setup)
    state.update(*in_mm(p.poses, g.poses, known, setup), setup, np.zeros(len(g), np.int64))
    value = state.value(np.array([0]))
    if not np.isfinite(value):
        raise InputError(f"{g.source}: no bone is valid in any pose, so its spread cannot be taken")
    return value


class SpreadState:
    """Count, mean and squared deviations of each bone's signed length error per cell; merges exactly (Chan 1979)."""

    def __init__(self, n_bones: int) -> None:
        self.moments = np.zeros((0, n_bones, 3))

    def update(
        self, p: Floats, g: Floats, known: npt.NDArray[np.bool_], setup: Setup, cells: npt.NDArray[np.int64]
    ) -> None:
        """Add poses (N, J, 3) in mm, each belonging to a cell."""
        with np.errstate(invalid="ignore", over="ignore"):  # what is missing is marked, not computed
            errors = signed_bone_errors(p, g, known, setup)
        self.grow(int(cells.max(initial=-1)) + 1)
        for cell in np.unique(cells):
            chosen = errors[cells == cell]
            usable = np.isfinite(chosen)
            count = usable.sum(0)
            mean = np.where(usable, chosen, 0.0).sum(0) / np.maximum(count, 1)
            squares = ((np.where(usable, chosen, mean) - mean) ** 2).sum(0)
            self._add(int(cell), np.stack([count, mean, squares], axis=-1))

    def grow(self, cells: int) -> None:
        """Make room for that many cells."""
        missing = cells - len(self.moments)
        if missing > 0:
            self.moments = np.concatenate([self.moments, np.zeros((missing, *self.moments.shape[1:]))])

    def merge(self, other: SpreadState, rows: npt.NDArray[np.int64]) -> None:
        """Add another state whose cell c is this one's rows[c]."""
        self.grow(int(rows.max(initial=-1)) + 1)
        for cell, moments in zip(rows.tolist(), other.moments, strict=True):
            self._add(cell, moments)

    def value(self, cells: npt.NDArray[np.int64]) -> float:
        """Mean over bones of the standard deviation over all frames of the given cells; NaN if there are none."""
        total = np.zeros(self.moments.shape[1:])
        for cell in cells.tolist():
            if cell < len(self.moments):
                total = combine(total, self.moments[cell])
        count = total[:, 0]
        return float(np.sqrt(total[count > 0, 2] / count[count > 0]).mean()) if (count > 0).any() else float("nan")

    def _add(self, cell: int, moments: Floats) -> None:
        self.moments[cell] = combine(self.moments[cell], moments)


def combine(a: Floats, b: Floats) -> Floats:
    """Moments (B, 3) of two samples put together."""
    count = a[:, 0] + b[:, 0]
    share = b[:, 0] / np.maximum(count, 1)
    delta = b[:, 1] - a[:, 1]
    return np.stack([count, a[:, 1] + delta * share, a[:, 2] + b[:, 2] + delta**2 * a[:, 0] * share], axis=-1)
