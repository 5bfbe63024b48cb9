"""Intervals of means over poses that are not independent: the sequences are drawn again, not the poses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Fewer sequences than this say nothing about how others would differ.
FEWEST = 10
RESAMPLES = 2000

Interval = tuple[float, float]


def interval_over_sequences(
    values: npt.NDArray[np.float64], sequences: npt.NDArray[np.int64] | None, seed: int = 0
) -> Interval | None:
    """95 % interval of the mean of values (N,), by the percentile bootstrap over sequences.

    Parameters
    ----------
    values : array, (N,)
    sequences : array, (N,), optional
        A number for the sequence of each value.
    seed : int

    Returns
    -------
    (float, float) or None
        None if the sequences are not known or fewer than `FEWEST`.

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 8 and 13.

    Examples
    --------
    >>> low, high = interval_over_sequences(np.arange(100.0), np.arange(100) // 5)
    >>> low < 49.5 < high
    True
    """
    if sequences is None or not len(values):
        return None
    names, codes = np.unique(sequences, return_inverse=True)
    if len(names) < FEWEST:
        return None
    sums, counts = np.bincount(codes, values), np.bincount(codes)
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES)
    means = (drawn * sums).sum(1) / (drawn * counts).sum(1)
    low, high = np.percentile(means, [2.5, 97.5]).tolist()
    return low, high


__all__ = ["FEWEST", "RESAMPLES", "Interval", "interval_over_sequences"]
