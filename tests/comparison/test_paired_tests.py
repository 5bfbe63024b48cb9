"""The tests on arrays: against plain loops, and how often they are wrong where nothing differs."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest

from posebench.comparison.tests import ALPHA, DRAWS, effect_size, holm, letters, sign_flip, smallest_p


def every_pattern(totals: np.ndarray) -> float:
    """p by going through all 2^C patterns, one by one."""
    found = abs(sum(totals))
    sums = [
        abs(sum(s * t for s, t in zip(signs, totals, strict=True))) for signs in product((1, -1), repeat=len(totals))
    ]
    return sum(each >= found - 1e-9 for each in sums) / len(sums)


@pytest.mark.parametrize("clusters", [1, 2, 3, 7, 10])
def test_few_clusters_are_tested_by_every_pattern_of_signs(clusters: int) -> None:
    totals = np.random.default_rng(clusters).normal(0.5, 1, (3, clusters))
    found = sign_flip(totals)
    assert found.exact
    assert found.patterns == 2 ** (clusters - 1)  # the other half are the same, turned
    assert found.p == pytest.approx([every_pattern(row) for row in totals])


def test_patterns_that_tie_with_the_one_found_count_as_extreme() -> None:
    totals = np.array([0.1] * 3 + [0.3] * 3 + [-0.1])
    assert sign_flip(totals).p[0] == pytest.approx(every_pattern(totals))


def test_many_clusters_are_tested_by_a_sample_close_to_every_pattern() -> None:
    totals = np.random.default_rng(3).normal(0.4, 1, (4, 16))
    drawn, exact = sign_flip(totals, draws=20_000), sign_flip(totals)
    assert (drawn.exact, exact.exact) == (False, True)
    assert drawn.p == pytest.approx(exact.p, abs=4 * np.sqrt(0.25 / 20_000))


def test_the_pattern_found_is_counted_so_that_no_p_is_zero() -> None:
    found = sign_flip(np.full(40, 1.0), draws=999)
    assert found.p.tolist() == [1 / 1000]
    assert smallest_p(40, draws=999) == 1 / 1000


@pytest.mark.parametrize("clusters", [1, 4, 6])
def test_the_smallest_p_is_that_of_clusters_that_all_agree(clusters: int) -> None:
    assert sign_flip(np.ones(clusters)).p[0] == smallest_p(clusters)


def test_the_same_seed_gives_the_same_p_and_another_seed_another() -> None:
    totals = np.random.default_rng(1).normal(0.2, 1, (5, 60))
    p = [sign_flip(totals, draws=2000, seed=seed).p.tolist() for seed in (0, 0, 1)]
    assert p[0] == p[1] != p[2]


def test_no_difference_at_all_is_as_likely_as_can_be() -> None:
    assert sign_flip(np.zeros((1, 30))).p.tolist() == [1.0]


def test_five_models_under_eight_metrics_take_all_draws_in_blocks() -> None:
    totals = np.random.default_rng(0).normal(size=(80, 240))
    found = sign_flip(totals)
    assert found.patterns == DRAWS
    assert ((found.p > 0) & (found.p <= 1)).all()


# ------------------------------------------------------------------------------------------------- false positive rates


def null_differences(rng: np.random.Generator, runs: int, clusters: int, correlation: float) -> np.ndarray:
    """Sums (runs, clusters) of differences per frame of two models that are equally good.

    Sequences have 5 to 200 frames; their frames follow each other (AR(1)) around a level of the sequence's own.
    """
    lengths = rng.integers(5, 201, clusters)
    sums = np.empty((runs, clusters))
    for c, n in enumerate(lengths):
        noise = rng.normal(size=(runs, n))
        for t in range(1, n):
            noise[:, t] = correlation * noise[:, t - 1] + np.sqrt(1 - correlation**2) * noise[:, t]
        sums[:, c] = (noise + rng.normal(0, 0.5, (runs, 1))).sum(1)
    return sums


def false_positives(runs: int, clusters: int, correlation: float, seed: int) -> tuple[float, float]:
    """Rates at which the test, and a t-test that takes all frames for independent, find what is not there."""
    rng = np.random.default_rng(seed)
    p = sign_flip(null_differences(rng, runs, clusters, correlation), draws=4999, seed=seed).p
    return float((p <= ALPHA).mean()), float(p.mean())


@pytest.mark.parametrize("clusters", [12, 40])
def test_one_in_twenty_is_found_where_nothing_differs(clusters: int) -> None:
    rate, mean = false_positives(4000, clusters, correlation=0.9, seed=7)
    assert rate == pytest.approx(0.05, abs=0.01)
    assert mean == pytest.approx(0.5, abs=0.02)


def test_frames_taken_for_independent_find_far_more_than_one_in_twenty() -> None:
    rng = np.random.default_rng(5)
    lengths = np.full(20, 100)
    found = 0
    for _ in range(300):
        level = np.repeat(rng.normal(0, 0.5, 20), lengths)
        frames = level + rng.normal(size=lengths.sum())
        found += abs(frames.mean()) > 1.96 * frames.std() / np.sqrt(len(frames))
    assert found / 300 > 0.3


@pytest.mark.slow
@pytest.mark.parametrize("clusters", [8, 20, 60, 240])
@pytest.mark.parametrize("correlation", [0.0, 0.9, 0.99])
def test_one_in_twenty_is_found_in_many_more_runs(clusters: int, correlation: float) -> None:
    rate, _ = false_positives(20_000, clusters, correlation, seed=11)
    assert rate == pytest.approx(0.05, abs=0.01)


# ---------------------------------------------------------------------------------------------------- Holm and letters


def test_holm_is_its_steps_one_by_one() -> None:
    p = np.random.default_rng(2).random(9) ** 3
    order = sorted(range(9), key=lambda k: p[k])
    expected, largest = [0.0] * 9, 0.0
    for step, k in enumerate(order):
        largest = max(largest, min(1.0, (9 - step) * p[k]))
        expected[k] = largest
    assert holm(p).tolist() == pytest.approx(expected)


def test_holm_of_nothing_is_nothing() -> None:
    assert holm([]).tolist() == []


@pytest.mark.parametrize("seed", range(40))
def test_models_share_a_letter_exactly_where_they_do_not_differ(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = [f"m{k}" for k in range(rng.integers(2, 8))]
    different = [pair for pair in combinations(names, 2) if rng.random() < 0.5]
    found = letters(names, different)
    for pair in combinations(names, 2):
        assert bool(set(found[pair[0]]) & set(found[pair[1]])) == (pair not in different)
    assert all(found.values())
    assert "a" in found[names[0]]


def test_the_best_model_alone_has_the_first_letter() -> None:
    different = [("b", "a"), ("a", "c")]
    assert letters(["a", "b", "c"], different) == {"a": "a", "b": "b", "c": "b"}


def test_an_effect_is_the_mean_of_the_clusters_by_their_spread() -> None:
    means = [2.0, 4.0, 9.0]
    mean = sum(means) / 3
    assert effect_size(means) == pytest.approx(mean / (sum((m - mean) ** 2 for m in means) / 2) ** 0.5)


@pytest.mark.parametrize("means", [[], [3.0], [2.0, 2.0, 2.0], [0.0, 0.0]])
def test_there_is_no_effect_size_without_a_spread(means: list[float]) -> None:
    assert effect_size(means) is None
