"""k-means on normalised poses, reproducible to the last bit: Lloyd's algorithm, and mini-batches for endless sets.

Rows (N, D) are poses of norm 1. Labels are exact (`posebench.banks.assign`), sums run over chunks of fixed size and are
added in the order of the chunks, and nothing but these labels and sums makes the next centres. So the centres depend on
the rows, their order and the settings, and on neither threads nor BLAS; the one thing taken from elsewhere is
scikit-learn's `kmeans_plusplus`, which seeds on one thread.

Rows whose label provably stays are skipped by the triangle inequality (Hamerly, SDM 2010), which changes no label.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from posebench.banks.assign import pack, settle, squared_distances
from posebench.banks.checkpoint import Checkpoint, Fit, State
from posebench.banks.layout import Floats
from posebench.errors import InputError
from posebench.kernels.dispatch import map_chunks

#: Rows whose sums are taken together; part of the definition of the centres, since it fixes the order of summation.
CHUNK = 8192
#: Most rows that centres are seeded from; of more, every n-th.
SEEDING_ROWS = 100_000
#: Ways to begin: on a sample of the rows, or (shards only) by passes over all of them (`posebench.banks.sharded`).
INITS = ("k-means++", "k-means||")


@dataclass(frozen=True)
class Settings:
    """What decides the centres besides the rows.

    `n_init` runs from different seeds, the one of least inertia wins, the first of equals; at most `max_iter`
    iterations each, fewer once the centres' squared shifts add up to no more than `tol` times the mean variance of a
    coordinate (scikit-learn's rule).
    """

    k: int
    seed: int = 0
    n_init: int = 10
    max_iter: int = 300
    tol: float = 1e-4
    #: One of `INITS`.
    init: str = "k-means++"


@dataclass(frozen=True)
class BatchSettings:
    """As `Settings`, for mini-batches: `epochs` passes over the rows, `batch_size` of them at a time."""

    k: int
    seed: int = 0
    batch_size: int = 16_384
    epochs: int = 3


@dataclass(frozen=True)
class Step:
    """What a progress callback is told after each iteration: run and iteration count from 1."""

    run: int
    runs: int
    iteration: int
    #: None for mini-batches, whose number is not known beforehand.
    max_iter: int | None
    #: Sum of the centres' squared shifts, and the value at which the run ends.
    shift: float
    tolerance: float


Progress = Callable[[Step], None]


# ------------------------------------------------------------------------------------------------------------- seeding


def seed_centres(rows: Floats, settings: Settings | BatchSettings, run: int = 0) -> Floats:
    """Starting centres of one run, by greedy k-means++ on evenly spaced rows (Arthur and Vassilvitskii 2007).

    Raises
    ------
    InputError
        If the rows hold fewer different poses than there are clusters.
    """
    sample = rows[:: sampling_step(len(rows))]
    if different_rows(sample, settings.k) < settings.k:
        sample = rows
        found = different_rows(rows, settings.k)
        if found < settings.k:
            raise too_few_different(len(rows), found, settings.k)
    return plus_plus(sample, settings, run)


def sampling_step(n: int) -> int:
    """Every how many-th of n rows is seeded from."""
    return -(-n // SEEDING_ROWS)


def plus_plus(sample: Floats, settings: Settings | BatchSettings, run: int, weights: Floats | None = None) -> Floats:
    """Centres by greedy k-means++ on rows (M, D), each of which may count for several."""
    from sklearn.cluster import kmeans_plusplus
    from threadpoolctl import threadpool_limits

    state = int(np.random.SeedSequence([settings.seed, run]).generate_state(1)[0])
    with threadpool_limits(limits=1):
        centres, _ = kmeans_plusplus(
            np.ascontiguousarray(sample), settings.k, sample_weight=weights, random_state=state
        )
    return np.asarray(centres, np.float64)


def too_few_different(n: int, found: int, k: int) -> InputError:
    """The error for rows that repeat so much that there are fewer different ones than clusters."""
    return InputError(
        f"{n} poses hold only {found} different ones after normalisation, too few for {k} clusters; give more poses or "
        "a smaller k"
    )


def different_rows(rows: Floats, enough: int) -> int:
    """How many different rows there are, counted only as far as `enough`.

    Examples
    --------
    >>> different_rows(np.array([[1.0], [1.0], [2.0], [3.0]]), enough=2)
    2
    """
    seen: set[bytes] = set()
    for row in rows:
        seen.add((row + 0.0).tobytes())  # adding 0 turns -0 into 0
        if len(seen) >= enough:
            break
    return len(seen)


# ---------------------------------------------------------------------------------------------------- Lloyd's algorithm


class Search(Protocol):
    """The rows of one run, as far as Lloyd's algorithm sees them."""

    def sums(self, centres: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Sums (k, D) and counts (k,) of the rows nearest to each centre; a cluster without any is given one."""

    def inertia(self, centres: Floats) -> float:
        """Sum of the squared distances of rows to the centres nearest to them."""


class Poses(Protocol):
    """Rows (N, D) to be clustered, wherever they are."""

    @property
    def width(self) -> int:
        """Numbers of a row."""

    def mean_variance(self) -> float:
        """Mean over coordinates of their variance over rows."""

    def seeds(self, settings: Settings, run: int) -> Floats:
        """Starting centres (k, D) of a run."""

    def search(self, k: int) -> Search:
        """What a run needs."""


@dataclass(frozen=True)
class Held:
    """Rows (N, D) in memory."""

    rows: Floats

    @property
    def width(self) -> int:
        """Numbers of a row."""
        return int(self.rows.shape[1])

    def mean_variance(self) -> float:
        """Mean over coordinates of their variance over rows."""
        return mean_variance(self.rows)

    def seeds(self, settings: Settings, run: int) -> Floats:
        """Starting centres (k, D) of a run."""
        return seed_centres(self.rows, settings, run)

    def search(self, k: int) -> Search:
        """Labels and bounds of the rows, for one run."""
        return RowSearch(self.rows, k)


def fit_lloyd(
    rows: Floats | Poses,
    settings: Settings,
    *,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> Fit:
    """The best of several runs of Lloyd's algorithm on rows (N, D).

    Raises
    ------
    InputError
        If the rows hold fewer different poses than there are clusters; if the checkpoint is not of this fit.
    """
    poses = Held(rows) if isinstance(rows, np.ndarray) else rows
    tolerance = settings.tol * poses.mean_variance()
    state = None if checkpoint is None else checkpoint.load(settings.k, poses.width)
    if state is None:
        state = State(run=0, iteration=0, centres=None, best=None)
    while state.run < settings.n_init:
        centres = poses.seeds(settings, state.run) if state.centres is None else state.centres

        def after(iteration: int, moved: Floats, shift: float, begun: State = state) -> None:
            # The last iteration of a run is not saved: going on from there would add another.
            if checkpoint is not None and shift > tolerance:
                checkpoint.iterated(replace(begun, iteration=iteration, centres=moved))
            if progress is not None:
                progress(Step(begun.run + 1, settings.n_init, iteration, settings.max_iter, shift, tolerance))

        search = poses.search(settings.k)
        found = _run(search, centres, settings.max_iter, tolerance, begin=state.iteration, after=after)
        found = replace(found, run=state.run)
        best = found if state.best is None or found.inertia < state.best.inertia else state.best
        state = State(run=state.run + 1, iteration=0, centres=None, best=best)
        if checkpoint is not None:
            checkpoint.save(state)
    assert state.best is not None
    return state.best


After = Callable[[int, Floats, float], None]


def lloyd(
    rows: Floats, centres: Floats, max_iter: int, tolerance: float, *, begin: int = 0, after: After | None = None
) -> Fit:
    """One run from given centres (k, D): assign, average, until the squared shifts add up to at most `tolerance`.

    A cluster that loses all its rows takes the row that lies farthest from its own centre, as in scikit-learn; several
    take the next ones, in the order of the clusters. Rows at the same distance are taken in their order, and a cluster
    gives away no last row.

    Parameters
    ----------
    begin : int
        Iterations that were done before, where a run goes on.
    after : callable, optional
        Called after each iteration with its number, the new centres and their shift.
    """
    return _run(RowSearch(rows, len(centres)), centres, max_iter, tolerance, begin=begin, after=after)


def _run(search: Search, centres: Floats, max_iter: int, tolerance: float, *, begin: int, after: After | None) -> Fit:
    iteration, shift = begin, math.inf
    while iteration < max_iter and shift > tolerance:
        sums, counts = search.sums(centres)
        filled = counts > 0
        moved = centres.copy()
        moved[filled] = sums[filled] / counts[filled, None]
        shift = math.fsum(((moved - centres) ** 2).ravel().tolist())
        centres = moved
        iteration += 1
        if after is not None:
            after(iteration, centres, shift)
    return Fit(centres, search.inertia(centres), 0, iteration, shift <= tolerance)


class RowSearch:
    """Labels (N,) of all rows and the bounds that let most of them stay unexamined from one iteration to the next."""

    def __init__(self, rows: Floats, k: int) -> None:
        self.rows = rows
        self.labels = np.full(len(rows), -1, np.int32)
        self._upper, self._lower = np.zeros(len(rows)), np.zeros(len(rows))
        self._last: Floats | None = None
        self._k = k

    def sums(self, centres: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Sums (k, D) and counts (k,) of the rows nearest to each centre; a cluster without any is given one."""
        sums, counts = self.assign_and_add(centres)
        if not counts.all():
            squares = self.squares(centres)
            order = np.argsort(-squares, kind="stable")
            refill(((squares[row], self.labels[row], self.rows[row]) for row in order), sums, counts)
        return sums, counts

    def inertia(self, centres: Floats) -> float:
        """Sum of the squared distances of rows to the centres nearest to them."""
        self.assign(centres)
        return inertia_of(self.rows, centres, self.labels)

    def squares(self, centres: Floats) -> Floats:
        """Squared distance (N,) of each row to the centre of its label."""
        parts = map_chunks(lambda part: _squares(self.rows[part], centres, self.labels[part])[0], len(self.rows))
        return np.concatenate([np.zeros(0), *parts])

    def assign(self, centres: Floats) -> None:
        """Bring the labels up to date."""
        search = self._searcher(centres)
        for _ in map_chunks(search, len(self.rows), CHUNK):
            pass

    def assign_and_add(self, centres: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Bring the labels up to date; sums (k, D) and counts (k,) of the rows of each label."""
        from posebench.kernels.nearest import add_rows

        search = self._searcher(centres)

        def work(part: slice) -> tuple[Floats, npt.NDArray[np.int64]]:
            search(part)
            sums, counts = np.zeros(centres.shape), np.zeros(self._k, np.int64)
            add_rows(self.rows[part], self.labels[part], sums, counts)
            return sums, counts

        sums, counts = np.zeros(centres.shape), np.zeros(self._k, np.int64)
        for some_sums, some_counts in map_chunks(work, len(self.rows), CHUNK):
            sums += some_sums
            counts += some_counts
        return sums, counts

    def _searcher(self, centres: Floats) -> Callable[[slice], None]:
        """A function that updates the labels and bounds of some rows."""
        from posebench.kernels.nearest import nearest_of_rows

        packed = pack([centres])
        last = centres if self._last is None else self._last
        drifts = np.sqrt(((centres - last) ** 2).sum(1))
        farthest = np.sort(drifts)[-2:][::-1].copy()
        half_gaps = np.sqrt(_gaps(centres)) / 2
        self._last = centres

        def search(part: slice) -> None:
            labels, undecided = self.labels[part], np.zeros(part.stop - part.start, np.bool_)
            rows = self.rows[part]
            open_labels = nearest_of_rows(
                rows,
                centres,
                packed.columns,
                packed.screen,
                packed.halves,
                packed.margins[0],
                drifts,
                farthest,
                half_gaps,
                labels,
                self._upper[part],
                self._lower[part],
                undecided,
            )
            if open_labels:
                at = np.flatnonzero(undecided)
                labels[at] = settle(rows[at], centres)[:, 0]

        return search


def _gaps(centres: Floats) -> Floats:
    """Squared distance (k,) from each centre to the nearest other."""
    squares = squared_distances(centres, centres)
    np.fill_diagonal(squares, np.inf)
    return np.asarray(squares.min(1))


def refill(candidates: Iterable[tuple[float, int, Floats]], sums: Floats, counts: npt.NDArray[np.int64]) -> None:
    """Give each empty cluster a row, by changing sums and counts.

    `candidates` are squared distances to the row's own centre, its label, and the row, the farthest first.
    """
    coming = iter(candidates)
    for empty in np.flatnonzero(counts == 0):
        for square, giver, row in coming:
            if square == 0:
                return
            if counts[giver] > 1:
                sums[giver] -= row
                counts[giver] -= 1
                sums[empty] = row
                counts[empty] = 1
                break


def _squares(rows: Floats, centres: Floats, labels: npt.NDArray[np.int32]) -> tuple[Floats, float]:
    """Squared distance of each row to the centre of its label, and their sum."""
    from posebench.kernels.nearest import label_squares

    squares = np.empty(len(rows))
    total = label_squares(rows, centres, labels, squares)
    return squares, float(total)


def inertia_of(rows: Floats, centres: Floats, labels: npt.NDArray[np.int32]) -> float:
    """Sum of the squared distances of rows to the centres of their labels."""
    parts = map_chunks(lambda part: _squares(rows[part], centres, labels[part])[1], len(rows), CHUNK)
    return math.fsum(parts)


def mean_variance(rows: Floats) -> float:
    """Mean over coordinates of their variance over rows."""
    total, squares = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    for some, some_squares in map_chunks(lambda part: (rows[part].sum(0), (rows[part] ** 2).sum(0)), len(rows), CHUNK):
        total += some
        squares += some_squares
    mean = total / len(rows)
    return float(np.maximum(squares / len(rows) - mean * mean, 0).mean())


# --------------------------------------------------------------------------------------------------------- mini-batches


def fit_batches(
    batches: Callable[[], Iterable[Floats]],
    seeding: Floats,
    settings: BatchSettings,
    *,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> Floats:
    """Centres (k, D) by mini-batch k-means (Sculley 2010).

    Every row moves the nearest centre towards itself, by one over the number of rows that the centre has had so far;
    so a centre is the mean of all rows that were ever assigned to it. The labels of a batch come from the centres
    before it. Rows are regrouped, so that the result does not depend on how `batches` cuts them.

    Parameters
    ----------
    batches : callable
        Returns an iterable of rows (n, D), the same ones each time.
    seeding : array (M, D)
        Rows to seed from.
    """
    state = None if checkpoint is None else checkpoint.load(settings.k, seeding.shape[1], counted=True)
    if state is None:
        state = State(0, 0, seed_centres(seeding, settings), None, np.zeros(settings.k, np.int64))
    assert state.centres is not None and state.counts is not None
    done, centres, counts = state.iteration, state.centres, state.counts
    for epoch in range(state.run, settings.epochs):
        # Where a fit goes on, the batches that it had already are read and left out.
        for number, rows in enumerate(regrouped(batches(), settings.batch_size)):
            if number < done:
                continue
            sums, added = RowSearch(rows, settings.k).assign_and_add(centres)
            hit = added > 0
            moved = centres.copy()
            counts = counts + added
            moved[hit] = (centres[hit] * (counts - added)[hit, None] + sums[hit]) / counts[hit, None]
            shift = math.fsum(((moved - centres) ** 2).ravel().tolist())
            centres = moved
            done = number + 1
            if checkpoint is not None:
                checkpoint.iterated(State(epoch, done, centres, None, counts))
            if progress is not None:
                progress(Step(epoch + 1, settings.epochs, done, None, shift, 0.0))
        done = 0
    return centres


def regrouped(batches: Iterable[Floats], size: int) -> Iterator[Floats]:
    """The same rows in the same order, `size` at a time, the last ones fewer.

    Examples
    --------
    >>> [len(rows) for rows in regrouped([np.ones((3, 2)), np.ones((4, 2))], 5)]
    [5, 2]
    """
    held: list[Floats] = []
    count = 0
    for rows in batches:
        held.append(rows)
        count += len(rows)
        if count >= size:
            whole = np.concatenate(held)
            cut = count - count % size
            yield from (whole[start : start + size] for start in range(0, cut, size))
            held, count = [whole[cut:]], count - cut
    if count:
        yield np.concatenate(held)
