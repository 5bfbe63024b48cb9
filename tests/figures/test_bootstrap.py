"""Intervals draw whole sequences again: poses of one sequence say little more than one of them."""

from __future__ import annotations

import numpy as np
import pytest

from posebench.figures.bootstrap import interval_over_sequences


def test_the_interval_is_that_of_the_means_of_the_sequences() -> None:
    # Sequences of one size, equal within: as if there were one pose for each.
    means = np.random.default_rng(0).normal(50, 10, 200)
    low, high = interval_over_sequences(np.repeat(means, 7), np.repeat(np.arange(200), 7))
    error = 1.96 * means.std() / np.sqrt(200)
    assert low == pytest.approx(means.mean() - error, abs=0.3)
    assert high == pytest.approx(means.mean() + error, abs=0.3)


def test_sequences_weigh_by_their_poses() -> None:
    values = np.concatenate([np.zeros(990), np.full(10, 100.0)])
    low, high = interval_over_sequences(values, np.concatenate([np.arange(990) % 10, np.full(10, 10)]))
    assert 0 <= low <= 1 <= high < 5


def test_the_numbers_of_the_sequences_do_not_matter() -> None:
    values, codes = np.random.default_rng(1).normal(size=60), np.arange(60) % 12
    assert interval_over_sequences(values, codes) == interval_over_sequences(values, 100 * codes + 7)


def test_the_same_seed_gives_the_same_interval() -> None:
    values, codes = np.random.default_rng(2).normal(size=60), np.arange(60) % 12
    assert interval_over_sequences(values, codes, 3) == interval_over_sequences(values, codes, 3)
    assert interval_over_sequences(values, codes, 3) != interval_over_sequences(values, codes, 4)


@pytest.mark.parametrize("sequences", [None, np.arange(90) % 9])
def test_there_is_no_interval_without_ten_sequences(sequences: np.ndarray | None) -> None:
    assert interval_over_sequences(np.arange(90.0), sequences) is None


def test_there_is_no_interval_of_nothing() -> None:
    assert interval_over_sequences(np.zeros(0), np.zeros(0, np.int64)) is None
