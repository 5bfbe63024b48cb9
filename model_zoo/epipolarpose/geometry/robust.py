"""The pose of one camera seen from another, from joints that a network found, and when it cannot be known.

Two modes: pooled over the frames of cameras that stand still, which is what to use, or frame by frame for cameras that
move. How far a joint may be off is not given: it follows from the joints' own noise. What is degenerate is left out
with its reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from model_zoo.epipolarpose.geometry.arrays import Bools, Floats, as_pairs
from model_zoo.epipolarpose.geometry.degeneracy import Reason, plane_noise, turn_noise
from model_zoo.epipolarpose.geometry.essential import cheirality, fundamental_from_essential
from model_zoo.epipolarpose.geometry.estimators import Estimator, poselib_essential
from model_zoo.epipolarpose.geometry.fundamental import MINIMUM, evenly, sampson
from model_zoo.epipolarpose.geometry.refinement import pose_jacobian, uncertainty_of
from model_zoo.epipolarpose.geometry.scene import LEAST_NOISE, SEARCHED, START_NOISE, Scene, corrected, robust_scale
from posebench.errors import UsageError

#: Least share of points that agree, and of these, that lie in front of both cameras.
LEAST_INLIERS, LEAST_IN_FRONT = 0.5, 0.75
#: A turn or a plane explains the points if it needs at most so many times their noise.
EXPLAINED = 2.0
#: Joints move if they leave their mean place by more than so many times the noise, and this share of the pose's size.
LEAST_MOTION, LEAST_MOTION_SHARE = 3.0, 0.05
#: Frames that the noise is estimated from, at most, where each has a pose of its own.
MEASURED = 100
#: Largest standard deviation of a pose in degrees.
MOST_UNCERTAIN = 10.0


@dataclass(frozen=True, eq=False)
class RelativePose:
    """A second camera seen from the first: its coordinates are R x + t. Unknown where there is a reason why.

    R : (3, 3)
        NaN if there is a reason.
    t : (3,)
        Of length 1; NaN if there is a reason.
    inliers : bool
        Which points agree with it; of the shape of the points.
    points : int
        How many are known in both pictures.
    noise : float
        Standard deviation of the pixels' coordinates in px, as the residuals show it; NaN if unknown.
    uncertainty : float
        Standard deviation in degrees of the least certain turn of R or t, or the turn to another pose that fits about
        as well; NaN if unknown.
    in_front : float
        Share of the agreeing points in front of both cameras; NaN if unknown.
    reason : Reason, optional
        Why it is left out.
    """

    R: Floats
    t: Floats
    inliers: Bools
    points: int
    noise: float = float("nan")
    uncertainty: float = float("nan")
    in_front: float = float("nan")
    reason: Reason | None = None

    @property
    def known(self) -> bool:
        """Whether there is a pose."""
        return self.reason is None

    @property
    def agreeing(self) -> int:
        """How many points agree."""
        return int(self.inliers.sum())

    def left_out(self, reason: Reason) -> RelativePose:
        """The same without a pose."""
        return replace(self, R=np.full((3, 3), np.nan), t=np.full(3, np.nan), reason=reason)


@dataclass(frozen=True, eq=False)
class FramePoses:
    """One pose for each frame.

    poses : tuple of RelativePose
    """

    poses: tuple[RelativePose, ...]

    @property
    def R(self) -> Floats:  # noqa: N802 - the mathematics has capital letters
        """Rotations (N, 3, 3), NaN where left out."""
        return np.array([pose.R for pose in self.poses]).reshape(-1, 3, 3)

    @property
    def t(self) -> Floats:
        """Unit translations (N, 3), NaN where left out."""
        return np.array([pose.t for pose in self.poses]).reshape(-1, 3)

    @property
    def left_out(self) -> Counter[Reason]:
        """How many frames are left out, by reason."""
        return Counter(pose.reason for pose in self.poses if pose.reason is not None)


def estimate_noise(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    K1: npt.ArrayLike,
    K2: npt.ArrayLike,
    *,
    valid: npt.ArrayLike | None = None,
    estimator: Estimator = poselib_essential,
    seed: int = 0,
) -> float:
    """Standard deviation in px of the coordinates of points that two still cameras saw; NaN where nothing is found.

    The threshold of the search follows the noise that it finds, until both agree. Only the part of the noise across the
    epipolar lines can be seen; it stands for the other.

    Parameters
    ----------
    first, second : array, (..., 2)
        In px; NaN where unknown.
    K1, K2 : array, (3, 3)
        Intrinsics in px.
    valid : array of bool, (...), optional
    estimator : callable
        See `model_zoo.epipolarpose.geometry.estimators`.
    seed : int

    Raises
    ------
    UsageError
        If shapes do not fit.

    Examples
    --------
    >>> from model_zoo.epipolarpose.geometry.estimators import eight_point_essential
    >>> rng, K = np.random.default_rng(0), np.diag([1000.0, 1000, 1])
    >>> points = rng.uniform(-1, 1, (500, 3)) + [0, 0, 5]
    >>> first, second = (1000 * (points[:, :2] - [x, 0]) / points[:, 2:] + rng.normal(0, 3, (500, 2)) for x in (0, 1))
    >>> round(estimate_noise(first, second, K, K, estimator=eight_point_essential))
    3
    """
    scene = Scene.of(first, second, K1, K2, valid)
    if len(scene.rows) < MINIMUM:
        return float("nan")
    settled = scene.settle(estimator, None, seed)
    return float("nan") if settled is None else settled.noise


def relative_pose(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    K1: npt.ArrayLike,
    K2: npt.ArrayLike,
    *,
    valid: npt.ArrayLike | None = None,
    estimator: Estimator = poselib_essential,
    noise: float | None = None,
    seed: int = 0,
) -> RelativePose:
    """The pose of a second camera from points that both saw at once, of which some may be wrong; always the same.

    Parameters
    ----------
    first, second : array, (..., 2)
        In px without lens distortion; NaN where unknown.
    K1, K2 : array, (3, 3)
        Intrinsics in px.
    valid : array of bool, (...), optional
    estimator : callable
        Which method searches; see `model_zoo.epipolarpose.geometry.estimators`.
    noise : float, optional
        Of the coordinates, in px; by default it is estimated.
    seed : int

    Raises
    ------
    UsageError
        If shapes do not fit or the noise is not positive.
    InputError
        If intrinsics are not finite.

    References
    ----------
    Hartley and Zisserman, Multiple View Geometry, sections 9.6 (E and its poses) and 11.4 to 11.6 (robust estimation).

    Examples
    --------
    >>> from model_zoo.epipolarpose.geometry.estimators import eight_point_essential
    >>> points, K = np.random.default_rng(0).uniform(-1, 1, (50, 3)) + [0, 0, 5], np.diag([1000.0, 1000, 1])
    >>> first, second = (1000 * (points[:, :2] - [x, 0]) / points[:, 2:] for x in (0, 1))
    >>> found = relative_pose(first, second, K, K, estimator=eight_point_essential)
    >>> (found.t.round(6) + 0.0).tolist(), found.agreeing
    ([-1.0, 0.0, 0.0], 50)
    """
    if noise is not None and not (np.isfinite(noise) and noise > 0):
        raise UsageError(f"noise is {noise}, expected px above 0")
    scene = Scene.of(first, second, K1, K2, valid)
    unknown = np.full((3, 3), np.nan), np.full(3, np.nan)
    nothing = RelativePose(*unknown, np.zeros(scene.shape, np.bool_), len(scene.rows))
    if len(scene.rows) < MINIMUM:
        return nothing.left_out(Reason.TOO_FEW_POINTS)
    settled = scene.settle(estimator, noise, seed)
    if settled is None:
        return nothing.left_out(Reason.TOO_FEW_INLIERS)
    E, scale, agrees = settled.E, settled.noise, settled.agrees
    found = replace(nothing, inliers=agrees.reshape(scene.shape), noise=scale)
    if agrees.sum() < max(MINIMUM, LEAST_INLIERS * found.points):
        return found.left_out(Reason.TOO_FEW_INLIERS)
    # Some of the points say the same as all of them, other than how certain the pose is.
    used = evenly(np.flatnonzero(agrees), SEARCHED)
    u, v = scene.first[used], scene.second[used]
    for reason, explained in (
        (Reason.NO_PARALLAX, turn_noise(u, v, scene.K1, scene.K2)),
        (Reason.PLANAR, plane_noise(u, v)),
    ):
        if explained <= EXPLAINED * max(scale, scene.least_noise):
            return found.left_out(reason)
    chosen = cheirality(E, u, v, scene.K1, scene.K2)
    best, *others = (cheirality(other, u, v, scene.K1, scene.K2) for other in settled.minima)
    uncertainty = max(
        uncertainty_of(pose_jacobian(u, v, scene.K1, scene.K2, chosen.R, chosen.t), scale)
        * np.sqrt(len(used) / agrees.sum()),
        *(_angle_between(best.R, other.R) for other in others),
        0.0,
    )
    found = replace(found, R=chosen.R, t=chosen.t, in_front=float(chosen.share), uncertainty=uncertainty)
    if chosen.tie or chosen.share < LEAST_IN_FRONT:
        return found.left_out(Reason.CHEIRALITY_TIE)
    return found if found.uncertainty <= MOST_UNCERTAIN else found.left_out(Reason.UNCERTAIN)


def pooled_pose(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    K1: npt.ArrayLike,
    K2: npt.ArrayLike,
    *,
    valid: npt.ArrayLike | None = None,
    estimator: Estimator = poselib_essential,
    noise: float | None = None,
    seed: int = 0,
) -> RelativePose:
    """The pose of a second camera from all frames of a sequence in which neither camera moves.

    Parameters
    ----------
    first, second : array, (N, J, 2)
        Joints in px without lens distortion; NaN where unknown.
    K1, K2, valid, estimator, noise, seed
        As `relative_pose` takes them; valid is (N, J).

    Returns
    -------
    RelativePose
        Left out as motionless if the joints hardly leave their places: detectors repeat their errors on a pose that is
        repeated, so that frames would only look like more evidence. Such frames are for `frame_poses`.

    Raises
    ------
    UsageError
        If shapes do not fit or the noise is not positive.
    InputError
        If intrinsics are not finite.

    Examples
    --------
    >>> from model_zoo.epipolarpose.geometry.estimators import eight_point_essential
    >>> points, K = np.random.default_rng(0).uniform(-1, 1, (30, 17, 3)) + [0, 0, 5], np.diag([1000.0, 1000, 1])
    >>> first, second = (1000 * (points[..., :2] - [x, 0]) / points[..., 2:] for x in (0, 1))
    >>> pooled_pose(first, second, K, K, estimator=eight_point_essential).t.round(3).tolist()[0]
    -1.0
    """
    x, y, known = as_pairs(first, second, valid)
    _needs_frames(x)
    found = relative_pose(first, second, K1, K2, valid=valid, estimator=estimator, noise=noise, seed=seed)
    if not found.known:
        return found
    moved = max(_motion(picture, known, found.noise) for picture in (x, y))
    return found if moved > 1 else found.left_out(Reason.MOTIONLESS)


def pooled_pose_of_sequences(
    sequences: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]],
    K1: npt.ArrayLike,
    K2: npt.ArrayLike,
    *,
    valid: Sequence[npt.ArrayLike] | None = None,
    estimator: Estimator = poselib_essential,
    seed: int = 0,
) -> RelativePose:
    """The pose of a second camera from all sequences of two cameras that are known not to have moved between them.

    Parameters
    ----------
    sequences : sequence of (array, array), each (N, J, 2)
        Joints in the first and the second picture, in px; N may differ.
    K1, K2, estimator, seed
        As `relative_pose` takes them.
    valid : sequence of array of bool, (N, J), optional

    Returns
    -------
    RelativePose
        Its `inliers` are those of all frames in order.

    Raises
    ------
    UsageError
        If there is no sequence or shapes do not fit.
    InputError
        If intrinsics are not finite.

    Examples
    --------
    >>> from model_zoo.epipolarpose.geometry.estimators import eight_point_essential
    >>> points, K = np.random.default_rng(0).uniform(-1, 1, (30, 17, 3)) + [0, 0, 5], np.diag([1000.0, 1000, 1])
    >>> first, second = (1000 * (points[..., :2] - [x, 0]) / points[..., 2:] for x in (0, 1))
    >>> sequences = [(first[:5], second[:5]), (first[5:], second[5:])]
    >>> pooled_pose_of_sequences(sequences, K, K, estimator=eight_point_essential).inliers.shape
    (30, 17)
    """
    checked = [as_pairs(*pair, None if valid is None else valid[i]) for i, pair in enumerate(sequences)]
    for x, _, _ in checked:
        _needs_frames(x)
    if not checked or len({x.shape[1] for x, _, _ in checked}) > 1:
        raise UsageError(f"got {len(checked)} sequences, expected one or more, with the same joints")
    first, second, known = (np.concatenate(parts) for parts in zip(*checked, strict=True))
    return pooled_pose(first, second, K1, K2, valid=known, estimator=estimator, seed=seed)


def frame_poses(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    K1: npt.ArrayLike,
    K2: npt.ArrayLike,
    *,
    valid: npt.ArrayLike | None = None,
    estimator: Estimator = poselib_essential,
    noise: float | None = None,
    seed: int = 0,
) -> FramePoses:
    """The pose of a second camera for each frame for itself, from its joints alone; for cameras that move.

    A person's joints are few and lie close together: expect errors of many degrees, and see `uncertainty`.

    Parameters
    ----------
    first, second : array, (N, J, 2)
        In px without lens distortion; NaN where unknown.
    K1, K2, valid, estimator, seed
        As `relative_pose` takes them; valid is (N, J).
    noise : float, optional
        In px; by default estimated over all frames, since one frame has too few joints to tell.

    Raises
    ------
    UsageError
        If shapes do not fit or the noise is not positive.
    InputError
        If intrinsics are not finite.

    Examples
    --------
    >>> from model_zoo.epipolarpose.geometry.estimators import eight_point_essential
    >>> points, K = np.random.default_rng(0).uniform(-1, 1, (2, 17, 3)) + [0, 0, 5], np.diag([1000.0, 1000, 1])
    >>> first, second = (1000 * (points[..., :2] - [x, 0]) / points[..., 2:] for x in (0, 1))
    >>> first[1, 5:] = np.nan
    >>> [str(pose.reason) for pose in frame_poses(first, second, K, K, estimator=eight_point_essential).poses]
    ['None', 'fewer points are known than determine a pose']
    """
    x, y, known = as_pairs(first, second, valid)
    _needs_frames(x)
    scale = noise
    if scale is None:
        residuals = [
            _frame_residuals(Scene.of(x[row], y[row], K1, K2, known[row]), estimator, seed)
            for row in evenly(np.arange(len(x)), MEASURED)
        ]
        found = robust_scale(np.concatenate(residuals)) if residuals else float("nan")
        scale = max(found, LEAST_NOISE) if np.isfinite(found) else START_NOISE
    poses = (
        relative_pose(*frame[:2], K1, K2, valid=frame[2], estimator=estimator, noise=scale, seed=seed)
        for frame in zip(x, y, known, strict=True)
    )
    return FramePoses(tuple(poses))


def _frame_residuals(scene: Scene, estimator: Estimator, seed: int) -> Floats:
    """Residuals of one frame's points in px, as if its pose had not been fitted to them; none where there is none."""
    settled = scene.settle(estimator, START_NOISE, seed) if len(scene.rows) >= MINIMUM else None
    if settled is None:
        return np.zeros(0)
    F = fundamental_from_essential(settled.E, scene.K1, scene.K2)
    return corrected(1.0, len(scene.rows)) * sampson(F, scene.first[scene.rows], scene.second[scene.rows])


def _angle_between(R: Floats, other: Floats) -> float:
    """Angle in degrees of the turn between two rotations."""
    return float(np.degrees(2 * np.arcsin(min(1.0, float(np.linalg.norm(R - other)) / np.sqrt(8)))))


def _motion(picture: Floats, known: Bools, noise: float) -> float:
    """How far joints (N, J, 2) leave their mean places, over the least that counts as motion."""
    count = np.maximum(known.sum(0), 1)[:, None]
    off = np.where(known[..., None], picture - (picture * known[..., None]).sum(0) / count, 0.0)
    middle = (picture * known[..., None]).sum(1) / np.maximum(known.sum(1), 1)[:, None]
    size = np.where(known[..., None], picture - middle[:, None], 0.0)
    many = max(int(known.sum()), 1)
    moved, extent = (float(np.sqrt((square**2).sum() / (2 * many))) for square in (off, size))
    return moved / max(LEAST_MOTION * noise, LEAST_MOTION_SHARE * extent, np.finfo(np.float64).tiny)


def _needs_frames(points: Floats) -> None:
    if points.ndim != 3:
        raise UsageError(f"joints have shape {points.shape}, expected (N, J, 2)")


__all__ = [
    "FramePoses",
    "RelativePose",
    "estimate_noise",
    "frame_poses",
    "pooled_pose",
    "pooled_pose_of_sequences",
    "relative_pose",
    "robust_scale",
]
