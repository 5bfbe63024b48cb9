"""Banks of poses that lie in many files: k-means as passes over the shards, in processes or on other machines.

In each pass every shard gives sums, counts and its share of the inertia (`shard_steps`), which are added up in the
order of the shards; so the centres depend on the shards, their order and the settings, and not on who does the work,
on how many do it, or on who died meanwhile. They differ from the centres of the same poses in memory by rounding
alone, as long as no two centres are equally near.

Where to begin: ``k-means++`` on the same evenly spaced rows as in memory, which come here; or ``k-means||`` (Bahmani,
Moseley, Vattani, Kumar, Vassilvitskii, VLDB 2012), which draws from all rows: five rounds, in each of which a row is
drawn with a chance of 2 k times its share of the cost, then k-means++ on what was drawn, each row weighing as many as
are nearest to it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from posebench.banks.building import Summary
from posebench.banks.card import InputFile
from posebench.banks.kmeans import Settings, different_rows, plus_plus, refill, sampling_step, too_few_different
from posebench.banks.layout import Floats, Layout
from posebench.banks.material import Counter
from posebench.banks.shard_steps import (
    Material,
    Partial,
    Pass,
    Pick,
    Round,
    Shard,
    Surveyed,
    add_up,
    draw,
    farthest,
    measure,
    pick,
    survey,
)
from posebench.errors import InputError
from posebench.workers import Spread

#: Rounds of k-means||, how many rows one is expected to draw for each centre, and most rounds where these are too few.
ROUNDS, OVERSAMPLING, MOST_ROUNDS = 5, 2, 100
#: What the card says of the sums and of the hash.
NOTE = (
    "clustered file by file: sums are those of the files in their order, and sha256.input is that of a listing of the "
    "hashes of the files' poses"
)


@dataclass
class ShardCounter(Counter):
    """Counts of all shards, and the hashes of their poses."""

    hashes: list[str] = field(default_factory=list)

    def add(self, found: Surveyed) -> None:
        """Count a shard in."""
        self.given += found.counts.given
        self.thinned += found.counts.thinned
        self.masked += found.counts.masked
        self.degenerate += found.counts.degenerate
        self.used += found.counts.used
        self.hashes.append(found.sha256)

    def sha256(self, layout: Layout) -> str:
        """Hash of a listing of the shards' hashes."""
        return hashlib.sha256("".join(f"{each}\n" for each in self.hashes).encode()).hexdigest()


class ShardedPoses:
    """Normalised poses that lie in files, to be clustered by passes over them: a `posebench.banks.kmeans.Poses`."""

    def __init__(self, material: Material, layout: Layout, found: Sequence[Surveyed], spread: Spread) -> None:
        self.layout = layout
        self.counter = ShardCounter()
        self.material, self._spread = replace(material, layout=layout), spread
        self._sums, self._squares = np.zeros(self.width), np.zeros(self.width)
        self._shards: list[Shard] = []
        self._used: list[int] = []
        for each in found:
            self.counter.add(each)
            self._sums += each.sums
            self._squares += each.squares
            self._shards.append(each.shard)
            self._used.append(each.counts.used)
        self.notes = (*dict.fromkeys(note for each in found for note in each.notes), NOTE)

    @property
    def width(self) -> int:
        """Numbers of a row."""
        return 3 * len(self.layout.joints)

    def mean_variance(self) -> float:
        """Mean over coordinates of their variance over rows."""
        n = self.counter.used
        mean = self._sums / n
        return float(np.maximum(self._squares / n - mean * mean, 0).mean())

    def search(self, k: int) -> ShardSearch:
        """What a run needs."""
        return ShardSearch(self)

    def partials(self, centres: Floats) -> Iterator[Partial]:
        """Every shard's part of an iteration, in their order."""
        return self._spread(add_up, Pass(self.material, centres), self._shards)

    def fill(
        self, centres: Floats, sums: Floats, counts: npt.NDArray[np.int64]
    ) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Give clusters without any row one of the farthest; as in memory, whatever shards they are in."""
        # A candidate is passed over where it is the last row of its cluster: once in each cluster at most.
        most = len(centres) + int(np.count_nonzero(counts == 0))
        found = list(self._spread(farthest, Pass(self.material, centres, most), self._shards))
        squares = np.concatenate([each.squares for each in found])
        labels = np.concatenate([each.labels for each in found])
        rows = np.concatenate([each.rows for each in found])
        order = np.argsort(-squares, kind="stable")
        refill(((squares[row], labels[row], rows[row]) for row in order), sums, counts)
        return sums, counts

    def measure(self, centres: Floats) -> Summary:
        """What a card says of the clusters."""
        sizes, near, parts = np.zeros(len(centres), np.int64), 0, []
        for each in self._spread(measure, Pass(self.material, centres), self._shards):
            sizes += each.sizes
            near += each.near
            parts.append(each.inertia)
        return Summary(tuple(sizes.tolist()), math.fsum(parts), near)

    # Seeding

    def seeds(self, settings: Settings, run: int) -> Floats:
        """Starting centres (k, D) of a run.

        Raises
        ------
        InputError
            If there are fewer different rows to begin from than centres.
        """
        if settings.init == "k-means||":
            return self._drawn(settings, run)
        sample = self._even_rows()
        found = different_rows(sample, settings.k)
        if found < settings.k:
            raise too_few_different(len(sample), found, settings.k)
        return plus_plus(sample, settings, run)

    def _even_rows(self) -> Floats:
        """Evenly spaced rows, the same that are seeded from in memory."""
        step, at = sampling_step(self.counter.used), 0
        picks = []
        for shard, used in zip(self._shards, self._used, strict=True):
            picks.append(Pick(shard, -at % step, step))
            at += used
        return np.concatenate(list(self._spread(pick, self.material, picks)))

    def _drawn(self, settings: Settings, run: int) -> Floats:
        """Starting centres by k-means||."""
        candidates, cost = self._first(settings, run), math.inf
        more = float(OVERSAMPLING * settings.k)
        for number in range(MOST_ROUNDS):
            found = different_rows(candidates, settings.k)
            if cost == 0 or (number >= ROUNDS and found >= settings.k):
                break
            seed = (settings.seed, run, number)
            new, cost = self._round(Round(self.material, candidates, more, seed))
            candidates = np.concatenate([candidates, new])
        if found < settings.k:
            raise too_few_different(self.counter.used, found, settings.k)
        weights = np.zeros(len(candidates))
        for each in self.partials(candidates):
            weights += each.counts
        # A row that was drawn twice has all its weight in its first place.
        return plus_plus(candidates[weights > 0], settings, run, weights[weights > 0])

    def _first(self, settings: Settings, run: int) -> Floats:
        """One row (1, D) out of all."""
        at = int(np.random.default_rng(np.random.SeedSequence([settings.seed, run])).integers(self.counter.used))
        for shard, used in zip(self._shards, self._used, strict=True):
            if at < used:
                (row,) = self._spread(pick, self.material, [Pick(shard, at, used)])
                return row
            at -= used
        raise AssertionError("counts do not add up")

    def _round(self, a_round: Round) -> tuple[Floats, float]:
        """Rows that a round draws, in their order, and the cost before it."""
        rows, squares, randoms = np.zeros((0, self.width)), np.zeros(0), np.zeros(0)
        costs: list[float] = []
        for each in self._spread(draw, a_round, self._shards):
            costs.append(each.cost)
            rows = np.concatenate([rows, each.rows])
            squares, randoms = np.concatenate([squares, each.squares]), np.concatenate([randoms, each.randoms])
            # The cost only grows, so what falls out now would fall out in the end.
            keep = randoms * math.fsum(costs) < a_round.more * squares
            rows, squares, randoms = rows[keep], squares[keep], randoms[keep]
        return rows, math.fsum(costs)


class ShardSearch:
    """A run over shards: a `posebench.banks.kmeans.Search`."""

    def __init__(self, poses: ShardedPoses) -> None:
        self._poses = poses

    def sums(self, centres: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Sums (k, D) and counts (k,) of the rows nearest to each centre; a cluster without any is given one."""
        sums, counts = np.zeros(centres.shape), np.zeros(len(centres), np.int64)
        for each in self._poses.partials(centres):
            sums += each.sums
            counts += each.counts
        return (sums, counts) if counts.all() else self._poses.fill(centres, sums, counts)

    def inertia(self, centres: Floats) -> float:
        """Sum of the squared distances of rows to the centres nearest to them."""
        return math.fsum(each.inertia for each in self._poses.partials(centres))


def survey_shards(
    material: Material, paths: Sequence[Path], spread: Spread, progress: Callable[[int, int], None] | None = None
) -> Iterator[Surveyed]:
    """The first pass: what each file holds, in their order.

    Raises
    ------
    InputError
        If a file cannot be read, or its poses are not what the recipe needs.
    """
    shards = [Shard(number, path.absolute()) for number, path in enumerate(paths)]
    for done, found in enumerate(spread(survey, material, shards)):
        if progress is not None:
            progress(done + 1, len(paths))
        yield found


def common_layout(found: Sequence[Surveyed]) -> Layout:
    """The layout of all shards that have poses.

    Raises
    ------
    InputError
        If they are in different references.
    """
    first = next(each for each in found if each.layout is not None)
    assert first.layout is not None
    for each in found:
        if each.layout is not None and each.layout != first.layout:
            raise InputError(
                f"{first.shard.path} is in the {first.layout.reference} reference and {each.shard.path} in the "
                f"{each.layout.reference} reference, and one bank cannot hold both; convert them to one, or state "
                "--gt-reference for those that do not say theirs"
            )
    return first.layout


def files_of(found: Sequence[Surveyed]) -> tuple[InputFile, ...]:
    """Names and hashes of all files, each once."""
    return tuple({path: file for each in found for path, file in each.files.items()}.values())


__all__ = ["NOTE", "ShardedPoses", "common_layout", "files_of", "survey_shards"]
