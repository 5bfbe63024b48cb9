"""Points in two pictures, and the search for the essential matrix that most of them obey.

The threshold of the search and the noise of the points depend on each other, so each follows the other until both stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from model_zoo.epipolarpose.geometry.arrays import Bools, Floats, as_matrices, as_pairs, rays_of
from model_zoo.epipolarpose.geometry.essential import decompose, essential_from_pose, fundamental_from_essential
from model_zoo.epipolarpose.geometry.estimators import Estimator
from model_zoo.epipolarpose.geometry.fundamental import MINIMUM, evenly, sampson
from model_zoo.epipolarpose.geometry.refinement import FREEDOMS, Refined, refine_pose
from posebench.errors import InputError, UsageError

#: Noise in px that the search starts from, before it knows better: detectors are off by 2 to 10 px in a picture of
#: 1000 px. The threshold then follows the noise that is found.
START_NOISE = 4.0
#: A point agrees if its residual is at most so many standard deviations.
AGREES = 3.0
#: Least noise, as a share of the focal length: residuals of exact points are rounding errors.
LEAST_NOISE = 1e-6
#: Points that the search looks at, and then the refinement, at most; all points count in the end.
TRIED, SEARCHED = 4_000, 20_000
#: Other starts of the refinement: the search on halves of so many points. A minimum whose cost exceeds the best by less
#: than this many variances could be the true one (a likelihood ratio of about 90).
STARTS, COMPARED, AS_GOOD = 6, 400, 9.0
#: Of so few points, poses from anywhere are tried too: joints of one frame often fit several that are far apart.
FEW = 100

_ANYWHERE = 4000
_ROUNDS = 6
_SETTLED = 0.05
_SAME = 1 - 1e-6  # of two essential matrices of norm 1: product of the same ones, or of their negatives
_SCALE_OF_MEDIAN = 1.4826  # of |x| for a normal x


@cache
def _anywhere() -> Floats:
    """Essential matrices (N, 3, 3) of poses spread over all of them, always the same."""
    rng = np.random.default_rng(0)
    turns = np.linalg.qr(rng.normal(size=(_ANYWHERE, 3, 3)))[0]
    turns *= np.sign(np.linalg.det(turns))[:, None, None]
    return essential_from_pose(turns, rng.normal(size=(_ANYWHERE, 3)))


@dataclass(frozen=True, eq=False)
class Settled:
    """E (3, 3), the noise in px, which points agree (N,), and different E that fit about as well, the best first."""

    E: Floats
    noise: float
    agrees: Bools
    minima: list[Floats]


@dataclass(frozen=True, eq=False)
class Scene:
    """Points (N, 2) in two pictures, which are known, and the intrinsics; checked once.

    rows : which points are known. shape : of the points as they came, without their coordinates.
    """

    first: Any
    second: Any
    rows: npt.NDArray[np.intp]
    shape: tuple[int, ...]
    K1: Floats
    K2: Floats

    @classmethod
    def of(
        cls,
        first: npt.ArrayLike,
        second: npt.ArrayLike,
        K1: npt.ArrayLike,
        K2: npt.ArrayLike,
        valid: npt.ArrayLike | None,
    ) -> Scene:
        """Of points (..., 2) and intrinsics (3, 3), checked.

        Raises
        ------
        UsageError
            If shapes do not fit.
        InputError
            If intrinsics are none.
        """
        x, y, known = as_pairs(first, second, valid)
        cameras = [as_matrices(K, name) for K, name in ((K1, "K1"), (K2, "K2"))]
        for K, name in zip(cameras, ("K1", "K2"), strict=True):
            if K.shape != (3, 3):
                raise UsageError(f"{name} has shape {K.shape}, expected (3, 3)")
            if not (np.isfinite(K).all() and K[0, 0] > 0 and K[1, 1] > 0 and K[2].tolist() == [0, 0, 1]):
                raise InputError(f"{name} is {K.tolist()}, expected [[fx, skew, cx], [0, fy, cy], [0, 0, 1]] in px")
        return cls(x.reshape(-1, 2), y.reshape(-1, 2), np.flatnonzero(known), known.shape, *cameras)

    @property
    def focal(self) -> float:
        """The geometric mean of all focal lengths in px."""
        return float(np.prod([K[i, i] for K in (self.K1, self.K2) for i in (0, 1)]) ** 0.25)

    @property
    def least_noise(self) -> float:
        """What exact points are taken to be off by, in px."""
        return LEAST_NOISE * self.focal

    def search(self, estimator: Estimator, noise: float | None, seed: int) -> tuple[list[Floats], float]:
        """E, then what parts of the points say of it, and the noise: given, or what search and threshold agree on."""
        rows = evenly(self.rows, TRIED)
        u, v = self.first[rows], self.second[rows]
        # Both pictures as one camera without skew sees them.
        plain1, plain2 = (self.focal * rays_of(points, K)[:, :2] for points, K in ((u, self.K1), (v, self.K2)))
        scale = START_NOISE if noise is None else noise
        E = None
        for _ in range(_ROUNDS if noise is None else 1):
            again = estimator(plain1, plain2, self.focal, AGREES * max(scale, self.least_noise), seed)
            if again is None:
                break
            E = again
            if noise is None:
                residuals = sampson(fundamental_from_essential(E, self.K1, self.K2), u, v)
                before, scale = scale, corrected(robust_scale(residuals), len(u))
                if abs(scale - before) <= _SETTLED * before:
                    break
        if E is None:
            return [], scale
        some, rng = evenly(np.arange(len(rows)), COMPARED), np.random.default_rng(seed)
        found = [E]
        for _ in range(STARTS):
            half = np.sort(rng.permutation(some)[: max(MINIMUM, len(some) // 2)])
            other = estimator(plain1[half], plain2[half], self.focal, AGREES * max(scale, self.least_noise), seed)
            found += [] if other is None else [other]
        if len(rows) <= FEW:
            tried = _anywhere()
            F = fundamental_from_essential(tried, self.K1, self.K2)
            shape = len(F), len(u), 2
            residuals = sampson(F, np.broadcast_to(u, shape), np.broadcast_to(v, shape))
            # They are coarse: a point may be ten times as far off as one that agrees before it counts no more.
            costs = np.fmin(residuals**2, (10 * AGREES * max(scale, self.least_noise)) ** 2).sum(1)
            found += list(tried[np.argsort(costs, kind="stable")[:STARTS]])
        return found, scale

    def settle(self, estimator: Estimator, noise: float | None, seed: int) -> Settled | None:
        """The best E that the search finds, refined on the points that agree with it until these stay the same."""
        starts, scale = self.search(estimator, noise, seed)
        if not starts:
            return None
        found, scale = self.minima(starts, evenly(self.rows, COMPARED), scale, noise)
        if len(self.rows) > COMPARED:
            found, scale = self.minima(found, evenly(self.rows, SEARCHED), scale, noise)
        E, minima = found[0], found
        R, t = (poses[0] for poses in decompose(E))
        some = evenly(self.rows, SEARCHED)
        agrees = self.agreeing(E, scale, some)
        for _ in range(_ROUNDS):
            used = some[agrees]
            if len(used) < MINIMUM:
                break
            refined = self.refined(used, R, t, scale)
            R, t, E = refined.R, refined.t, essential_from_pose(refined.R, refined.t)
            if noise is None:
                scale = self.noise_about(E)
            before, agrees = agrees, self.agreeing(E, scale, some)
            if (before == agrees).all():
                break
        all_agree = np.zeros(len(self.first), np.bool_)
        all_agree[self.rows] = self.agreeing(E, scale, self.rows)
        return Settled(E, scale, all_agree, minima)

    def minima(
        self, starts: list[Floats], rows: npt.NDArray[np.intp], scale: float, noise: float | None
    ) -> tuple[list[Floats], float]:
        """Different E that fit some of the points about equally well, the best first, and the noise about that."""
        found = []
        for E in starts:
            rotations, shifts = decompose(E)  # four poses; all have the same residuals
            found.append(self.refined(rows, rotations[0], shifts[0], scale))
        found.sort(key=lambda refined: refined.cost)
        best = essential_from_pose(found[0].R, found[0].t)
        if noise is None:
            scale = self.noise_about(best)
        most = found[0].cost + AS_GOOD * max(scale, self.least_noise) ** 2
        kept = [best]
        for E in (essential_from_pose(other.R, other.t) for other in found[1:] if other.cost <= most):
            if all(abs(float((E * one).sum())) < _SAME for one in kept):
                kept.append(E)
        return kept, scale

    def refined(self, rows: npt.NDArray[np.intp], R: Floats, t: Floats, noise: float) -> Refined:
        """The pose refined on some of the points."""
        near = max(noise, self.least_noise)
        return refine_pose(self.first[rows], self.second[rows], self.K1, self.K2, R, t, noise=near)

    def noise_about(self, E: Floats) -> float:
        """Noise in px by the residuals of E."""
        rows = evenly(self.rows, SEARCHED)
        residuals = sampson(fundamental_from_essential(E, self.K1, self.K2), self.first[rows], self.second[rows])
        return corrected(robust_scale(residuals), len(rows))

    def agreeing(self, E: Floats, noise: float, rows: npt.NDArray[np.intp]) -> Bools:
        """Which of some points agree with E (n,)."""
        F = fundamental_from_essential(E, self.K1, self.K2)
        most = AGREES * max(noise, self.least_noise)
        return np.asarray(np.abs(sampson(F, self.first[rows], self.second[rows])) <= most)


def corrected(scale: float, points: int) -> float:
    """A standard deviation of residuals, as if the pose had not been fitted to them."""
    return scale * float(np.sqrt(points / max(points - FREEDOMS, 1)))


def robust_scale(residuals: npt.ArrayLike) -> float:
    """Standard deviation of what is normal in residuals (N,); up to nearly half of them may be anything. NaN if empty.

    The scaled median of the sizes, again and again over those within three times itself.

    References
    ----------
    Rousseeuw and Leroy, Robust Regression and Outlier Detection, 1987, section 5.1.

    Examples
    --------
    >>> normal = np.random.default_rng(0).normal(0, 2, 9000)
    >>> round(robust_scale(normal), 1), round(robust_scale([*normal, *range(0, 3000)]), 1)
    (2.0, 2.0)
    """
    sizes = np.abs(np.asarray(residuals, np.float64).ravel())
    sizes = sizes[np.isfinite(sizes)]
    if not len(sizes):
        return float("nan")
    scale = _SCALE_OF_MEDIAN * float(np.median(sizes))
    for _ in range(50):
        inside = sizes[sizes <= AGREES * scale]
        again = _SCALE_OF_MEDIAN * float(np.median(inside)) if len(inside) else scale
        if abs(again - scale) <= 1e-3 * scale:
            break
        scale = again
    return scale
