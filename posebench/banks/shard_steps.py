"""What is done with one shard in each pass of a build from shards: survey, draw, add up, measure.

Every function takes what a pass shares and one shard, and gives back sums or a few rows, never the poses of a shard; so
it can run in any process on any machine that sees the files. The poses are read, thinned and normalised anew in each.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from posebench.banks.building import Summary, make_layout, summarise
from posebench.banks.card import InputFile, PoseCounts, Thinning
from posebench.banks.kmeans import CHUNK, RowSearch, inertia_of
from posebench.banks.layout import Floats, Layout
from posebench.banks.material import Counter, collect, normalised_rows, notes_of, reference_of
from posebench.errors import InputError
from posebench.io.hashing import stamp_of
from posebench.scheduling import see_files

if TYPE_CHECKING:
    from posebench.banks.recipe import Facts, Recipe


@dataclass(frozen=True)
class Shard:
    """A file of poses: its place among the others, and its size and time when it was surveyed."""

    number: int
    path: Path
    size: int = -1
    modified: int = -1


@dataclass(frozen=True)
class Material:
    """What every pass needs to make rows of a file; the layout is known once all files were surveyed."""

    recipe: Recipe
    joints: tuple[str, ...] | None
    centring: str
    min_distance: float
    layout: Layout | None = None

    @property
    def choices(self) -> tuple[tuple[str, ...] | None, str, float]:
        """Joints, centring and distance, as they were asked for."""
        return self.joints, self.centring, self.min_distance

    @property
    def thinning(self) -> Thinning:
        """What is left to do after the recipe has taken every so many frames."""
        return Thinning(1, self.min_distance)

    def layout_in(self, reference: str) -> Layout:
        """The layout of a bank in this reference."""
        return make_layout(self.recipe.skeleton, self.joints, self.centring, None, reference)


# Survey


@dataclass(frozen=True)
class Surveyed:
    """What the first pass learns of a shard."""

    shard: Shard
    #: The file, and those that belong to it, by their paths.
    files: dict[Path, InputFile]
    #: What became of the frames.
    facts: Facts
    #: None if no pose is left.
    layout: Layout | None
    notes: tuple[str, ...]
    counts: PoseCounts
    sha256: str
    #: Sums over rows of each coordinate and of its square.
    sums: Floats
    squares: Floats


def survey(material: Material, shard: Shard) -> Surveyed:
    """Read a file once: counts, hashes, and the sums that the variance is made of."""
    from posebench.banks.recipe import input_files, needed

    see_files(shard.path)
    found = Shard(shard.number, shard.path, *stamp_of(shard.path)[:2])
    files = {path: input_files((path,))[-1] for path in needed(shard.path)}
    prepared = material.recipe.prepare(shard.path)
    if not len(prepared.poses):
        none = np.zeros(0)
        return Surveyed(found, files, prepared.facts, None, (), PoseCounts(0, 0, 0, 0, 0), "", none, none)
    layout = material.layout_in(reference_of([prepared.poses], None))
    fitted = layout.fit(prepared.poses)
    counter, width = Counter(), 3 * len(layout.joints)
    stream = normalised_rows([fitted], layout, material.thinning, counter)
    rows = collect(stream, len(fitted), width, on_disk=False)
    sums, squares = np.zeros(width), np.zeros(width)
    for part in range(0, len(rows), CHUNK):
        some = rows[part : part + CHUNK]
        sums += some.sum(0)
        squares += (some**2).sum(0)
    counts, digest = counter.counts(), counter.sha256(layout)
    return Surveyed(found, files, prepared.facts, layout, notes_of([fitted]), counts, digest, sums, squares)


def rows_of(material: Material, shard: Shard) -> Floats:
    """The normalised poses (n, D) of a shard.

    Raises
    ------
    InputError
        If the file is another than the one that was surveyed.
    """
    assert material.layout is not None
    see_files(shard.path)
    before = stamp_of(shard.path)[:2]
    poses = material.recipe.prepare(shard.path).poses
    if not before == stamp_of(shard.path)[:2] == (shard.size, shard.modified):
        raise InputError(f"{shard.path}: was changed while banks were built of it; build again")
    if not len(poses):
        return np.zeros((0, 3 * len(material.layout.joints)))
    fitted = material.layout.fit(poses)
    stream = normalised_rows([fitted], material.layout, material.thinning)
    return collect(stream, len(fitted), 3 * len(material.layout.joints), on_disk=False)


# Seeding


@dataclass(frozen=True)
class Pick:
    """Rows of a shard: from the first, every so many."""

    shard: Shard
    first: int
    step: int


def pick(material: Material, which: Pick) -> Floats:
    """Rows (m, D) of a shard, as they are."""
    return rows_of(material, which.shard)[which.first :: which.step].copy()


@dataclass(frozen=True)
class Round:
    """A round of k-means||: the candidates so far, how many more are expected, and what random numbers come from."""

    material: Material
    candidates: Floats
    more: float
    seed: tuple[int, ...]


@dataclass(frozen=True)
class Drawn:
    """Rows (m, D) that may become candidates, their squared distances and random numbers, and the shard's cost."""

    rows: Floats
    squares: Floats
    randoms: Floats
    cost: float

    def kept(self, more: float, cost: float) -> npt.NDArray[np.bool_]:
        """Which rows are drawn if the cost of all shards is at least this."""
        return self.randoms * cost < more * self.squares


def draw(a_round: Round, shard: Shard) -> Drawn:
    """Rows by chance, in proportion to their squared distance from the candidates.

    The chance is taken of this shard's cost, which is not more than that of all; who knows the whole leaves out more. A
    row's random number depends on the seed, the round, the shard and its place there.
    """
    rows = rows_of(a_round.material, shard)
    search = RowSearch(rows, len(a_round.candidates))
    search.assign(a_round.candidates)
    squares = search.squares(a_round.candidates)
    cost = inertia_of(rows, a_round.candidates, search.labels)
    randoms = np.random.default_rng(np.random.SeedSequence([*a_round.seed, shard.number])).random(len(rows))
    every = Drawn(rows, squares, randoms, cost)
    keep = every.kept(a_round.more, cost)
    return Drawn(rows[keep], squares[keep], randoms[keep], cost)


# Lloyd's algorithm


@dataclass(frozen=True)
class Pass:
    """A pass over the shards with the same centres (k, D)."""

    material: Material
    centres: Floats
    #: How many of the farthest rows are wanted.
    most: int = 0


@dataclass(frozen=True)
class Partial:
    """Sums (k, D) and counts (k,) of the rows nearest to each centre, and the sum of their squared distances."""

    sums: Floats
    counts: npt.NDArray[np.int64]
    inertia: float


def add_up(a_pass: Pass, shard: Shard) -> Partial:
    """One shard's part of an iteration."""
    rows = rows_of(a_pass.material, shard)
    search = RowSearch(rows, len(a_pass.centres))
    sums, counts = search.assign_and_add(a_pass.centres)
    return Partial(sums, counts, inertia_of(rows, a_pass.centres, search.labels))


@dataclass(frozen=True)
class Farthest:
    """Rows (m, D) farthest from their own centres, the farthest first, with squared distances and labels."""

    squares: Floats
    labels: npt.NDArray[np.int32]
    rows: Floats


def farthest(a_pass: Pass, shard: Shard) -> Farthest:
    """Rows that clusters without any may take."""
    rows = rows_of(a_pass.material, shard)
    search = RowSearch(rows, len(a_pass.centres))
    search.assign(a_pass.centres)
    squares = search.squares(a_pass.centres)
    first = np.argsort(-squares, kind="stable")[: a_pass.most]
    return Farthest(squares[first], search.labels[first], rows[first])


def measure(a_pass: Pass, shard: Shard) -> Summary:
    """One shard's part of what the card says of the clusters."""
    return summarise((rows_of(a_pass.material, shard),), a_pass.centres)


__all__ = [
    "Drawn",
    "Farthest",
    "Material",
    "Partial",
    "Pass",
    "Pick",
    "Round",
    "Shard",
    "Surveyed",
    "add_up",
    "draw",
    "farthest",
    "measure",
    "pick",
    "rows_of",
    "survey",
]
