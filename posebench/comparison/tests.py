"""Paired tests on clusters: what the sequences say of a difference, and which models cannot be told apart.

Frames of one sequence are no independent witnesses. So every function here takes one number per cluster (a sequence
with all its frames and cameras): its part of the difference. Where the numbers come from is left to `comparing`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from string import ascii_letters
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Level at which differences count as significant.
ALPHA = 0.05
#: Random sign patterns where there are too many to go through all.
DRAWS = 99_999
#: Sign patterns that are looked at together.
_BLOCK = 4096
#: Sums that differ by less than this share of what was added are the same sum.
_ROUNDING = 1e-10


class Randomisation(NamedTuple):
    """p-values of a sign-flip test, and how they were found."""

    p: Floats
    #: Whether every pattern of signs was looked at.
    exact: bool
    #: Patterns that were looked at.
    patterns: int


def sign_flip(totals: npt.ArrayLike, *, draws: int = DRAWS, seed: int = 0) -> Randomisation:
    """Two-sided randomisation test of "the models could be swapped in any cluster", of the sum over clusters.

    Each pattern swaps the two models in some clusters, which turns the sign of these clusters' parts. p is the share of
    patterns whose sum is at least as far from zero as the sum that was found. All patterns are looked at where they are
    no more than `draws`; else `draws` of them are drawn, and the one that was found is counted among them.

    Parameters
    ----------
    totals : array, (C,) or (K, C)
        What each of C clusters adds to the difference, for K differences at once. The same patterns serve all.
    draws : int
        Patterns to draw where there are more.
    seed : int
        Of the draws; the same seed gives the same p.

    Returns
    -------
    Randomisation
        p (K,), in (0, 1].

    References
    ----------
    Phipson and Smyth, Permutation p-values should never be zero, Statistical Applications in Genetics and Molecular
    Biology 9, 2010 (the count of the pattern that was found).

    Examples
    --------
    >>> sign_flip([3.0, 1.0, 2.0]).p.tolist()  # 2 of the 8 patterns are as extreme: +++ and ---
    [0.25]
    """
    totals = np.atleast_2d(np.asarray(totals, np.float64))
    clusters = totals.shape[1]
    exact = clusters <= 1 or 2 ** (clusters - 1) <= draws
    found = np.abs(totals.sum(1))
    least = found - _ROUNDING * np.abs(totals).sum(1)
    blocks = _all_signs(clusters) if exact else _drawn_signs(clusters, draws, seed)
    as_extreme, patterns = np.zeros(len(totals), np.int64), 0
    for signs in blocks:
        as_extreme += (np.abs(signs @ totals.T) >= least).sum(0)
        patterns += len(signs)
    if exact:
        return Randomisation(as_extreme / patterns, True, patterns)
    return Randomisation((as_extreme + 1) / (patterns + 1), False, patterns)


def smallest_p(clusters: int, *, draws: int = DRAWS) -> float:
    """The smallest p that `sign_flip` can give.

    Examples
    --------
    >>> smallest_p(5)
    0.0625
    """
    return max(2.0 ** (1 - max(clusters, 1)), 1 / (draws + 1))


def holm(p: npt.ArrayLike) -> Floats:
    """p-values adjusted for having been looked at together, by Holm's step-down method.

    Parameters
    ----------
    p : array, (K,)

    Returns
    -------
    array, (K,)
        Significant at a level where they do not exceed it; the chance of any false one is then at most that level.

    References
    ----------
    Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 1979.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, np.float64)
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def effect_size(means: npt.ArrayLike) -> float | None:
    """Cohen's d_z of the clusters' mean differences (C,): their mean by their standard deviation; clusters weigh alike.

    None for fewer than two clusters, and where all of them differ by the same.

    References
    ----------
    Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988, section 2.3.5.

    Examples
    --------
    >>> effect_size([1.0, 2.0, 3.0])
    2.0
    """
    values = np.asarray(means, np.float64)
    if len(values) < 2:
        return None
    spread = float(values.std(ddof=1))
    largest = float(np.abs(values).max())
    return float(values.mean()) / spread if spread > _ROUNDING * largest else None


def letters(names: Sequence[str], different: Collection[tuple[str, str]]) -> dict[str, str]:
    """Compact letter display: two models share a letter exactly where no significant difference was found.

    Parameters
    ----------
    names : sequence of str
        Models, best first; the first gets an "a".
    different : collection of (str, str)
        Pairs that differ significantly, in either order.

    References
    ----------
    Piepho, An algorithm for a letter-based representation of all-pairwise comparisons, Journal of Computational and
    Graphical Statistics 13, 2004.

    Examples
    --------
    >>> letters(["x", "y", "z"], [("x", "z")])
    {'x': 'a', 'y': 'ab', 'z': 'b'}
    """
    groups = [frozenset(names)]
    for one, other in different:
        split: list[frozenset[str]] = []
        for group in groups:
            split += [group - {one}, group - {other}] if one in group and other in group else [group]
        groups = _largest(split)
    place = {name: rank for rank, name in enumerate(names)}
    groups.sort(key=lambda group: sorted(place[name] for name in group))
    return {name: "".join(_letter(g) for g, group in enumerate(groups) if name in group) for name in names}


def _largest(groups: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    """The groups that no other holds."""
    unique = list(dict.fromkeys(groups))
    return [group for group in unique if group and not any(group < other for other in unique)]


def _letter(number: int) -> str:
    return ascii_letters[number] if number < len(ascii_letters) else f"({number})"


def _all_signs(clusters: int) -> Iterator[Floats]:
    """Every pattern but those that turn the first cluster: turning all signs leaves a sum's size as it is."""
    free = max(clusters - 1, 0)
    for start in range(0, 2**free, _BLOCK):
        numbers = np.arange(start, min(start + _BLOCK, 2**free))
        turned = (numbers[:, None] >> np.arange(free)) & 1
        yield np.concatenate([np.ones((len(numbers), clusters - free)), 1.0 - 2.0 * turned], axis=1)


def _drawn_signs(clusters: int, draws: int, seed: int) -> Iterator[Floats]:
    rng = np.random.default_rng(seed)
    for start in range(0, draws, _BLOCK):
        yield 1.0 - 2.0 * rng.integers(0, 2, (min(_BLOCK, draws - start), clusters), np.int8)


__all__ = ["ALPHA", "DRAWS", "Randomisation", "effect_size", "holm", "letters", "sign_flip", "smallest_p"]
