"""How far a mean over frames can be trusted: intervals by drawing whole sequences again.

Neighbouring frames of a sequence, and its cameras, err alike: they are one piece of evidence, not thousands. What is
drawn again is therefore the *cluster*, a sequence with all that belongs to it. Every number of a report is made of sums
that add up over clusters, so a resample is a row of weights, how often each cluster was drawn, and 10,000 of them are
one product of matrices, however many frames there are.

The interval is the percentile interval with what few clusters need (docs/statistics.md has the coverage that was
measured): deviations of the resamples are scaled to the standard error of the jackknife over clusters, and the
percentiles are those that Student's t takes, for as many degrees of freedom as there are effective clusters, less one
for each group that a mean of means is over (Hesterberg 2015; effective number after Kish 1965).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError, UsageError

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]

RESAMPLES = 10_000
SEED = 0
#: Fewer clusters than this, or fewer effective ones, have no interval: it would not cover what it says.
FEWEST = 8
FEWEST_EFFECTIVE = 5.0
#: Fewer subjects than this say little about how people differ, and a note says what intervals do not tell.
FEW_SUBJECTS = 20
#: More clusters than this are put into so many bundles, which are as good and quicker to draw.
_MOST = 2000
#: Weights that are drawn at a time.
_BLOCK = 2**20
#: Digits of an interval's ends: what sums in another order, on another machine, cannot change.
_DIGITS = 9
#: A spread below this share of the value is that of rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class ClusterSums:
    """A number that is made of sums over clusters.

    `sums` (clusters, groups, P) add up; `finish` makes of sums (..., P) the number (...), NaN where it has none; and
    the whole is the mean over the groups that have one. `counts` (clusters, groups) say how much each cluster weighs.
    """

    sums: Floats
    counts: Floats
    finish: Callable[[Floats], Floats]

    @classmethod
    def of_means(cls, totals: Floats, counts: Floats) -> ClusterSums:
        """Means: totals and counts (clusters, groups)."""
        return cls(np.stack([totals, counts], axis=-1), counts, quotient)

    def by_cluster(self) -> ClusterSums:
        """The mean over clusters of the number of each; clusters without one are left out."""
        each = self.finish(self.sums.sum(1))
        has = ~np.isnan(each)
        return self.of_means(np.where(has, each, 0.0)[:, None], has.astype(np.float64)[:, None])

    def values(self, sums: Floats) -> Floats:
        """The number (B,) of sums (B, groups, P)."""
        each = self.finish(sums)
        has = ~np.isnan(each)
        return quotient(np.stack([np.where(has, each, 0.0).sum(1), has.sum(1)], axis=-1))

    def effective(self) -> float:
        """How many clusters of equal weight would tell as much."""
        group = self.counts.sum(0)
        shares = (self.counts[:, group > 0] / group[group > 0]).sum(1)
        return float(shares.sum() ** 2 / (shares**2).sum()) if shares.any() else 0.0

    def bundled(self, most: int) -> ClusterSums:
        """The same with neighbouring clusters put together, so that at most so many are left."""
        if len(self.sums) <= most:
            return self
        starts = np.linspace(0, len(self.sums), most, endpoint=False).astype(np.int64)
        return ClusterSums(np.add.reduceat(self.sums, starts), np.add.reduceat(self.counts, starts), self.finish)


def quotient(sums: Floats) -> Floats:
    """sums[..., 0] / sums[..., 1], NaN where that is nothing."""
    total, count = sums[..., 0], sums[..., 1]
    return np.where(count > 0, total / np.where(count > 0, count, 1.0), np.nan)


def intervals(
    numbers: Sequence[ClusterSums], *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = SEED
) -> list[Interval | None]:
    """An interval for each of several numbers over the same clusters, all from the same resamples.

    None where there are fewer clusters than `FEWEST`, fewer effective ones than `FEWEST_EFFECTIVE` (and one more for
    each further group), or no spread.
    """
    found: list[Interval | None] = [None] * len(numbers)
    fit = [
        place
        for place, number in enumerate(numbers)
        if np.count_nonzero(number.counts.any(1)) >= FEWEST and number.effective() >= FEWEST_EFFECTIVE
    ]
    if not fit:
        return found
    chosen = [numbers[place].bundled(_MOST) for place in fit]
    clusters = len(chosen[0].sums)
    flat = np.concatenate([number.sums.reshape(clusters, -1) for number in chosen], axis=1)
    drawn = np.concatenate([_numbers(chosen, weights @ flat) for weights in draws(clusters, resamples, seed)], axis=1)
    left_out = _numbers(chosen, flat.sum(0) - flat)
    whole = _numbers(chosen, flat.sum(0)[None])[:, 0]
    for n, place in enumerate(fit):
        error = _standard_error(left_out[n], chosen[n])
        freedom = numbers[place].effective() - _strata(chosen[n])
        if freedom >= FEWEST_EFFECTIVE - 1:
            found[place] = _interval(whole[n], drawn[n], error, freedom, level)
    return found


def draws(clusters: int, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each cluster is drawn (b, clusters), in blocks that add up to so many resamples.

    A resample is a row of ``np.random.default_rng(seed).integers(0, clusters, (resamples, clusters), np.uint16)``,
    counted.
    """
    block = max(1, _BLOCK // clusters)
    counts = _drawn(clusters, resamples, seed)
    for start in range(0, resamples, block):
        yield counts[start : start + block].astype(np.float64)


@lru_cache(maxsize=2)
def _drawn(clusters: int, resamples: int, seed: int) -> npt.NDArray[np.uint16]:
    """All of `draws`; kept, since the reports of a run draw the same."""
    places = np.random.default_rng(seed).integers(0, clusters, (resamples, clusters), np.uint16)
    counts = np.empty((resamples, clusters), np.uint16)
    block = max(1, _BLOCK // clusters)
    for start in range(0, resamples, block):
        rows = places[start : start + block]
        cells = (rows + clusters * np.arange(len(rows))[:, None]).reshape(-1)
        counts[start : start + block] = np.bincount(cells, minlength=rows.size).reshape(rows.shape)
    return counts


def bootstrap_ci(
    values: npt.ArrayLike,
    clusters: npt.ArrayLike,
    *,
    weights: npt.ArrayLike | None = None,
    groups: npt.ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Interval | None:
    """Confidence interval of a mean over frames, by drawing whole clusters of frames again.

    Parameters
    ----------
    values : array, (N,)
        One value per frame, such as `FrameTable.of` gives or the difference of two; NaN is left out.
    clusters : array, (N,)
        The sequence of each frame, as numbers or text; frames of one sequence are drawn together.
    weights : array, (N,), optional
        What each frame weighs; all the same by default.
    groups : array, (N,), optional
        The mean is one of the means of these groups (action pooling); a group that vanishes in a resample is left out
        of it.
    level : float
        What share of such intervals holds the true mean, between 0.5 and 1.
    resamples : int
    seed : int
        The same seed and inputs give the same interval.

    Returns
    -------
    (float, float) or None
        In the unit of the values; None where there are too few clusters (fewer than 8, or fewer than 5 effective ones
        where their sizes differ, and one more for each further group) or they do not differ at all.

    Raises
    ------
    InputError
        If shapes differ, or a value or weight is infinite, or a weight negative.
    UsageError
        If level or resamples are out of range.

    References
    ----------
    Hesterberg, What teachers should know about the bootstrap, The American Statistician 2015; Davison and Hinkley,
    Bootstrap Methods and their Application, 1997, section 3.8.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> sequence = np.repeat(np.arange(20), 500)
    >>> errors = 60 + np.repeat(rng.normal(0, 10, 20), 500) + rng.normal(0, 5, 10_000)
    >>> low, high = bootstrap_ci(errors, sequence)
    >>> naive = 1.96 * errors.std() / 10_000**0.5  # as if all frames were independent
    >>> bool(low < errors.mean() < high), bool(high - low > 20 * naive)
    (True, True)
    """
    if not 0.5 <= level < 1 or resamples < 100:
        raise UsageError(f"level {level} and {resamples} resamples: expected 0.5 to 1, and 100 or more")
    numbers = np.asarray(values, np.float64)
    weighed = np.ones(numbers.shape) if weights is None else np.asarray(weights, np.float64)
    codes, of_group = (
        np.unique(np.asarray(of), return_inverse=True)[1] if of is not None else np.zeros(numbers.shape, np.int64)
        for of in (clusters, groups)
    )
    if numbers.ndim != 1 or not numbers.shape == weighed.shape == codes.shape == of_group.shape:
        shapes = ", ".join(str(array.shape) for array in (numbers, codes, weighed, of_group))
        raise InputError(f"values, clusters, weights and groups have shapes {shapes}; expected (N,) each")
    used = ~np.isnan(numbers)
    if np.isinf(numbers).any() or not (np.isfinite(weighed) & (weighed >= 0))[used].all():
        raise InputError("values are infinite, or weights are infinite, missing or negative, which no mean can hold")
    if not used.any():
        return None
    totals, counts = totals_of(numbers[used], codes[used], of_group[used], weighed[used])
    return intervals([ClusterSums.of_means(totals, counts)], level=level, resamples=resamples, seed=seed)[0]


def totals_of(
    values: npt.NDArray[Any], clusters: npt.NDArray[np.int64], groups: npt.NDArray[np.int64], weights: Floats
) -> tuple[Floats, Floats]:
    """Weighted totals and weights (clusters, groups) of values (N,)."""
    shape = int(clusters.max(initial=-1)) + 1, int(groups.max(initial=-1)) + 1
    places, size = clusters * shape[1] + groups, shape[0] * shape[1]
    totals: Floats = np.bincount(places, weights * values, size).astype(np.float64)
    counts: Floats = np.bincount(places, weights, size).astype(np.float64)
    return totals.reshape(shape), counts.reshape(shape)


def _numbers(of: Sequence[ClusterSums], flat: Floats) -> Floats:
    """Every number (numbers, B) from the sums (B, columns) of all of them."""
    rows, start = [], 0
    for number in of:
        _, groups, parts = number.sums.shape
        stop = start + groups * parts
        rows.append(number.values(flat[:, start:stop].reshape(-1, groups, parts)))
        start = stop
    return np.stack(rows)


def _standard_error(left_out: Floats, number: ClusterSums) -> float:
    """That of the jackknife: from the number (clusters,) without each of its clusters.

    Clusters differ from those of their own group; how groups differ is no error of a mean over them. A cluster that is
    alone in its group is held against all.
    """
    used = number.counts.any(1) & ~np.isnan(left_out)
    groups, values = number.counts[used].argmax(1), left_out[used]
    sizes = np.bincount(groups, minlength=1)[groups]
    middle = np.bincount(groups, values, minlength=1)[groups] / sizes
    middle = np.where(sizes > 1, middle, values.mean() if len(values) else 0.0)
    shares = np.where(sizes > 1, (sizes - 1) / sizes, 1.0)
    return math.sqrt(float((shares * (values - middle) ** 2).sum()))


def _strata(number: ClusterSums) -> int:
    """How many groups have clusters that differ from a mean of their own, 1 at least."""
    sizes = np.bincount(number.counts[number.counts.any(1)].argmax(1), minlength=1)
    return max(1, int(np.count_nonzero(sizes > 1)))


def _interval(value: float, drawn: Floats, error: float, freedom: float, level: float) -> Interval | None:
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn) or math.isnan(value):
        return None
    spread = float(drawn.std())
    if min(error, spread) <= _ROUNDING * abs(value):
        return None
    tail = 0.5 * math.erfc(student_t(level, freedom) / math.sqrt(2))
    low, high = (value + (end - value) * error / spread for end in np.quantile(drawn, [tail, 1 - tail]).tolist())
    return _rounded(low), _rounded(high)


def student_t(level: float, freedom: float) -> float:
    """How many standard errors an interval of that level reaches to each side, for 4 or more degrees of freedom.

    The expansion of Cornish and Fisher: off by less than 0.001 at 95 % (Abramowitz and Stegun, 26.7.5).

    Examples
    --------
    >>> round(student_t(0.95, 10), 2)
    2.23
    """
    from statistics import NormalDist

    z = NormalDist().inv_cdf(0.5 + level / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, 1))


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


__all__ = ["ClusterSums", "Interval", "bootstrap_ci", "draws", "intervals", "quotient", "student_t", "totals_of"]
