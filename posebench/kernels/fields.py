"""What the kernels speak: the ways to align a prediction with its ground truth, and the flags a pose can earn.

An *error field* is an array (N, K) of non-negative errors, one per pose and item (joint, bone, angle). NaN marks an
item that the ground truth does not hold; +inf marks one that the prediction should have held and does not. The
closed forms in `closed_form` and their plain twins in `reference` both fill such fields.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class Alignment(IntEnum):
    """How the prediction p is brought onto the ground truth g before errors are taken (CONVENTIONS of the docs)."""

    ROOT = 0  # each side minus its own root joint
    NONE = 1  # coordinates as they are
    ROOT_X = 2  # |x| part of ROOT
    ROOT_Y = 3
    ROOT_Z = 4
    SCALE_LEAST_SQUARES = 5  # s = <p, g> / <p, p>, root-centred
    SCALE_LEAST_SQUARES_ABSOLUTE = 6  # the same on absolute coordinates, the ground-truth root added to p
    SCALE_PROCRUSTES = 7  # the scale of the optimal similarity, root-centred
    SCALE_NORM_RATIO = 8  # s = |g| / |p|, root-centred
    SCALE_LEAST_SQUARES_MEAN = 9  # least squares after mean-centring
    SIMILARITY = 10  # rotation, translation, scale
    SIMILARITY_REROOTED = 11  # the same, then both sides minus their roots
    RIGID = 12  # rotation, translation
    RIGID_REROOTED = 13
    PROCRUSTES_NORM_RATIO = 14  # rotation after mean-centring, s = |g| / |p|
    PROCRUSTES_NORM_RATIO_REFLECT = 15  # the same, reflections allowed

    @property
    def needs_rotation(self) -> bool:
        """Whether the optimal rotation has to be solved for."""
        return self >= Alignment.SIMILARITY or self is Alignment.SCALE_PROCRUSTES

    @property
    def needs_root(self) -> bool:
        """Whether an invalid ground-truth root makes the pose unscorable under this alignment."""
        return self in _ROOTED

    @property
    def fits_pose(self) -> bool:
        """Whether one parameter is fitted to the whole pose, so that a missing joint spoils every joint."""
        return self >= Alignment.SCALE_LEAST_SQUARES


_ROOTED = frozenset(
    {
        Alignment.ROOT,
        Alignment.ROOT_X,
        Alignment.ROOT_Y,
        Alignment.ROOT_Z,
        Alignment.SCALE_LEAST_SQUARES,
        Alignment.SCALE_LEAST_SQUARES_ABSOLUTE,
        Alignment.SCALE_PROCRUSTES,
        Alignment.SCALE_NORM_RATIO,
        Alignment.SIMILARITY_REROOTED,
        Alignment.RIGID_REROOTED,
    }
)


class PoseFlag(IntFlag):
    """What was noticed about one pose while its errors were taken."""

    UNSCORABLE = 1  # the ground truth has no valid joint, or all its joints coincide
    ROOT_INVALID = 2  # the ground truth's root is invalid, or all that it holds: unscorable where a root is needed
    MISSING = 4  # the prediction is not finite at a joint that the ground truth holds valid
    DEGENERATE = 8  # the prediction's joints coincide: no scale and no rotation, the limit was taken
    AMBIGUOUS = 16  # the optimal rotation is not unique; the SVD's choice was taken
    NEGATIVE_SCALE = 32  # the least-squares scale is negative: the pose was point-reflected
    NEEDS_SVD = 64  # the closed form declined; never leaves the kernels
    BAD_GROUND_TRUTH = 128  # the ground truth is not finite at a joint it calls valid
    MASKED = 256  # the ground truth masks at least one of the selected joints


#: (s2 + d * s3) / s1 at or below this is an ambiguous rotation.
AMBIGUOUS_RATIO = 1e-6
