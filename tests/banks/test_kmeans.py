"""k-means: scikit-learn's result from the same start, the same bits on any number of threads."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebench.banks.digest import array_sha256
from posebench.banks.kmeans import (
    CHUNK,
    BatchSettings,
    Settings,
    different_rows,
    fit_batches,
    fit_lloyd,
    lloyd,
    mean_variance,
    regrouped,
    seed_centres,
)
from posebench.errors import InputError
from tests.support.poses import FEW, seeds


def clouds(seed: int, n: int, width: int = 12, groups: int = 5, spread: float = 0.5) -> np.ndarray:
    """Rows (n, width) of norm 1, around some directions."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(groups, width))[rng.integers(0, groups, n)] + spread * rng.normal(size=(n, width))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def by_scikit_learn(rows, start, max_iter, tol=0.0):
    from sklearn.cluster import KMeans

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of not having converged
        return KMeans(len(start), init=start, n_init=1, max_iter=max_iter, tol=tol, algorithm="lloyd").fit(rows)


def by_hand(rows, centres, iterations):
    """Lloyd's algorithm in extended precision, for clusters that stay filled."""
    centres = centres.astype(np.longdouble)
    for _ in range(iterations):
        labels = ((rows[:, None] - centres) ** 2).sum(2).argmin(1)
        centres = np.stack([rows[labels == j].astype(np.longdouble).mean(0) for j in range(len(centres))])
    return centres


@FEW
@given(seed=seeds, k=st.integers(2, 12), spread=st.sampled_from([0.1, 0.5, 3.0]), max_iter=st.sampled_from([1, 2, 40]))
def test_centres_are_those_of_scikit_learn(seed, k, spread, max_iter):
    rows = clouds(seed, 300, spread=spread)
    start = rows[np.random.default_rng(seed).permutation(300)[:k]]
    ours, theirs = lloyd(rows, start, max_iter, 0.0), by_scikit_learn(rows, start, max_iter)
    np.testing.assert_allclose(ours.centres, theirs.cluster_centers_, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours.inertia, theirs.inertia_, rtol=1e-9, atol=1e-12)


@FEW
@given(seed=seeds)
def test_rows_that_are_skipped_have_the_label_they_would_get(seed):
    rows = clouds(seed, 400, width=6)
    start = rows[:7]
    found = lloyd(rows, start, 9, 0.0)
    np.testing.assert_allclose(found.centres, by_hand(rows, start, found.iterations).astype(float), rtol=0, atol=1e-13)


def test_a_run_ends_once_the_shift_is_within_the_tolerance():
    rows = clouds(0, 500, spread=1.0)
    start = rows[:6]
    shifts = []
    found = lloyd(rows, start, 300, 1e-3, after=lambda iteration, centres, shift: shifts.append(shift))
    assert found.converged
    assert len(shifts) == found.iterations
    assert shifts[-1] <= 1e-3 < min(shifts[:-1])


def test_a_run_that_was_cut_short_says_so():
    found = lloyd(clouds(0, 500, spread=1.0), clouds(0, 500, spread=1.0)[:6], 2, 0.0)
    assert (found.iterations, found.converged) == (2, False)


@pytest.mark.parametrize("n", [CHUNK - 1, CHUNK, 2 * CHUNK + 5])
def test_centres_have_the_same_bits_on_any_number_of_threads(n, monkeypatch):
    rows = clouds(1, n)
    hashes = set()
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("POSEBENCH_THREADS", threads)
        found = fit_lloyd(rows, Settings(k=8, seed=5, n_init=2, max_iter=12))
        hashes.add((array_sha256(found.centres), found.inertia, found.run, found.iterations))
    assert len(hashes) == 1


def test_the_run_of_least_inertia_wins():
    rows = clouds(3, 400, groups=9, spread=0.6)
    settings = Settings(k=9, seed=0, n_init=6, max_iter=50)
    alone = [
        lloyd(rows, seed_centres(rows, settings, run), 50, settings.tol * mean_variance(rows)).inertia
        for run in range(6)
    ]
    found = fit_lloyd(rows, settings)
    assert len(set(alone)) > 1
    assert found.inertia == min(alone)
    assert found.run == alone.index(min(alone))


def test_of_equally_good_runs_the_first_is_taken():
    rows = np.repeat(np.eye(4), 10, axis=0)
    assert fit_lloyd(rows, Settings(k=4, n_init=3)).run == 0


def test_another_seed_gives_another_start():
    rows = clouds(0, 300)
    starts = [seed_centres(rows, Settings(k=5, seed=seed), run) for seed in (0, 1) for run in (0, 1)]
    assert len({start.tobytes() for start in starts}) == 4
    np.testing.assert_array_equal(starts[0], seed_centres(rows, Settings(k=5, seed=0)))


def test_rows_are_seeded_from_an_even_sample(monkeypatch):
    monkeypatch.setattr("posebench.banks.kmeans.SEEDING_ROWS", 100)
    rows = clouds(0, 1000)
    start = seed_centres(rows, Settings(k=5))
    tenth = {row.tobytes() for row in rows[::10]}
    assert all(centre.tobytes() in tenth for centre in start)


def test_a_sample_with_too_few_different_rows_is_not_seeded_from(monkeypatch):
    monkeypatch.setattr("posebench.banks.kmeans.SEEDING_ROWS", 5)
    rows = np.repeat(np.eye(4)[[0]], 20, axis=0)
    rows[[3, 5, 7]] = np.eye(4)[1:]
    assert len({tuple(centre) for centre in seed_centres(rows, Settings(k=4))}) == 4


# Clusters that lose all their rows


def test_an_empty_cluster_takes_the_farthest_row_as_in_scikit_learn():
    rows = np.abs(clouds(4, 200, groups=3, spread=0.2))
    start = np.concatenate([rows[:3], -rows[:2]])  # nothing is nearest to the last two
    for iterations in (1, 3):
        ours, theirs = lloyd(rows, start, iterations, 0.0).centres, by_scikit_learn(rows, start, iterations)
        np.testing.assert_allclose(
            ours[np.lexsort(ours.T)],
            theirs.cluster_centers_[np.lexsort(theirs.cluster_centers_.T)],
            rtol=0,
            atol=1e-12,
        )


def test_empty_clusters_take_the_farthest_rows_in_order():
    rows = np.array([[1.0, 0], [0.6, 0.8], [0.8, 0.6], [0, 1.0]])
    start = np.array([[1.0, 0], [-0.6, -0.8], [-0.8, -0.6]])
    centres = lloyd(rows, start, 1, 0.0).centres
    np.testing.assert_allclose(centres, [[0.9, 0.3], [0, 1], [0.6, 0.8]])


def test_a_cluster_gives_away_no_last_row():
    rows = np.array([[1.0, 0], [1.0, 0], [0, 1.0]])
    start = np.array([[1.0, 0], [0.5, 0.5], [-1.0, 0], [-0.9, 0]])
    centres = lloyd(rows, start, 1, 0.0).centres
    # The row (0, 1) is farthest from its centre but alone there, and no other is away from its own.
    np.testing.assert_array_equal(centres, [[1, 0], [0, 1], [-1, 0], [-0.9, 0]])


@pytest.mark.parametrize("n", [1, 4, 100])
def test_fewer_different_rows_than_clusters_are_refused(n):
    rows = np.tile(np.eye(3), (n, 1))
    with pytest.raises(InputError, match=f"{3 * n} poses hold only 3 different ones .* too few for 4 clusters"):
        fit_lloyd(rows, Settings(k=4))


def test_zero_and_minus_zero_are_the_same_row():
    assert different_rows(np.array([[0.0, 1.0], [-0.0, 1.0]]), enough=2) == 1


def test_the_mean_variance_is_that_of_numpy():
    rows = clouds(0, 2 * CHUNK + 3)
    np.testing.assert_allclose(mean_variance(rows), rows.var(0).mean(), rtol=1e-12)


# Mini-batches


@pytest.mark.parametrize("epochs", [1, 2])
def test_mini_batches_are_those_of_scikit_learn(epochs):
    from sklearn.cluster import MiniBatchKMeans

    rows = clouds(2, 1000)
    start = seed_centres(rows, BatchSettings(k=6))
    theirs = MiniBatchKMeans(6, init=start, n_init=1, reassignment_ratio=0.0, random_state=0)
    for _ in range(epochs):
        for begin in range(0, 1000, 128):
            theirs.partial_fit(rows[begin : begin + 128])
    ours = fit_batches(lambda: [rows], rows, BatchSettings(k=6, batch_size=128, epochs=epochs))
    np.testing.assert_allclose(ours, theirs.cluster_centers_, rtol=0, atol=1e-12)


def test_how_rows_are_cut_into_batches_does_not_matter():
    rows = clouds(2, 1000)
    settings = BatchSettings(k=6, batch_size=100, epochs=2)
    cuts = [[rows], np.split(rows, [1, 250, 251, 999]), np.array_split(rows, 37)]
    assert len({fit_batches(lambda pieces=pieces: pieces, rows, settings).tobytes() for pieces in cuts}) == 1


@FEW
@given(st.lists(st.integers(0, 9), max_size=8), st.integers(1, 7))
def test_regrouping_keeps_rows_and_order(lengths, size):
    pieces = np.split(np.arange(sum(lengths), dtype=float)[:, None], np.cumsum(lengths)[:-1]) if lengths else []
    found = list(regrouped(pieces, size))
    assert [value for rows in found for value in rows[:, 0]] == list(range(sum(lengths)))
    assert all(len(rows) == size for rows in found[:-1])
    assert all(1 <= len(rows) <= size for rows in found[-1:])
