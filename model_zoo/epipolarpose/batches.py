"""What a step of training sees: pictures and what is to be said of them, in an order and a variety that a seed decides.

Nothing is remembered from one step to the next: what step k sees follows from the seed and from k, so a run that was
interrupted sees what it would have seen, and every process of several takes its own part of the same batch.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from model_zoo.epipolarpose.crops import (
    PLAIN,
    Augmentation,
    Crops,
    Pixels,
    cover,
    draw,
    variation_matrix,
    vary,
    vary_joints,
)
from posebench.errors import InputError, UsageError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
T = TypeVar("T")

#: What a stream of random numbers is for, before its other numbers.
_ORDER, _VARIED = 1, 2


@dataclass(frozen=True, eq=False)
class Batch:
    """B crops.

    pixels : (B, side, side, 3) uint8
    joints : (B, J, D) float32
        In px of the crops; 0 where unknown.
    known : (B, J) bool
    matrices : (B, 2, 3)
        From px of the pictures to px of the crops; the length of a column of the left part is a scale, for depths.
    pictures : (B,) int
        Rows of the view that the crops are of.
    """

    pixels: Pixels
    joints: npt.NDArray[np.float32]
    known: Bools
    matrices: Floats
    pictures: Ints


@dataclass(frozen=True, eq=False)
class Examples:
    """P examples of V pictures each.

    crops : Crops
    rows : (P, V)
        Of the crops.
    joints : (P, V, J, D)
        u, v, and with D = 3 the depth, in px of the crop with its margin; NaN where unknown.
    known : (P, J) bool
    """

    crops: Crops
    rows: Ints
    joints: Floats
    known: Bools

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def views(self) -> int:
        """Pictures of an example."""
        return int(self.rows.shape[1])

    def part(self, chosen: npt.NDArray[np.bool_] | Ints) -> Examples:
        """Some of the examples."""
        return Examples(self.crops, self.rows[chosen], self.joints[chosen], self.known[chosen])

    def sha256(self) -> str:
        """What is learnt from, as a hash."""
        digest = hashlib.sha256(self.crops.key.encode())
        for array in (self.rows, self.joints, self.known):
            digest.update(f"{array.shape};".encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def plain(self, chosen: Ints) -> Batch:
        """Pictures of examples as they are."""
        return self._batch([(int(index), view, PLAIN, None) for index in chosen for view in range(self.views)], 0)

    def varied(self, chosen: Sequence[tuple[int, int]], augmentation: Augmentation, seed: int) -> Batch:
        """Pictures of examples (pass, index), each varied as seed, pass, index and view say."""
        items = []
        for number, index in chosen:
            for view in range(self.views):
                random = np.random.default_rng([_VARIED, seed, number, index, view])
                items.append((index, view, draw(augmentation, random), random))
        return self._batch(items, augmentation.cover_pieces, augmentation.cover_share)

    def _batch(self, items: list, most: int, share: float = 0.0) -> Batch:  # type: ignore[type-arg]
        side, pad = self.crops.side, self.crops.pad
        pixels = np.empty((len(items), side, side, 3), np.uint8)
        joints = np.empty((len(items), *self.joints.shape[2:]), np.float32)
        matrices = np.empty((len(items), 2, 3))
        for place, (index, view, variation, random) in enumerate(items):
            pixels[place] = vary(self.crops.pixels[self.rows[index, view]], variation, side, pad)
            if random is not None and random.random() < share:
                cover(pixels[place], self.crops.pixels, most, random)
            joints[place] = vary_joints(self.joints[index, view], variation, side, pad)
            after = variation_matrix(variation, side, pad)
            matrices[place] = after[:, :2] @ self.crops.matrices[self.rows[index, view]]
            matrices[place, :, 2] += after[:, 2]
        known = self.known[[index for index, *_ in items]]
        pictures = self.crops.pictures[[self.rows[index, view] for index, view, *_ in items]]
        return Batch(pixels, np.where(known[..., None], joints, np.float32(0)), known, matrices, pictures)


def examples_of(crops: Crops, pictures: Ints, joints: Floats, known: Bools) -> Examples:
    """Examples out of joints in px of the pictures.

    Parameters
    ----------
    crops : Crops
        Which hold all the pictures.
    pictures : (P, V)
    joints : (P, V, J, D)
        u, v, and with D = 3 the depth, in px of the picture.
    known : (P, J) bool
    """
    rows = crops.rows_of(pictures)
    matrix = crops.matrices[rows][:, :, None]
    plane = (matrix[..., :2] @ joints[..., :2, None])[..., 0] + matrix[..., 2]
    return Examples(crops, rows, np.concatenate([plane, joints[..., 2:] * matrix[..., 0, :1]], axis=-1), known)


def held_out(sequences: npt.NDArray[np.str_], share: float) -> Bools:
    """Which examples (P,) are set aside to select a model by: whole sequences, chosen by a hash of their names.

    Parameters
    ----------
    sequences : (P,)
        Of which sequence each example is.
    share : float
        Of the sequences; at least one, unless it is 0.

    Raises
    ------
    InputError
        If nothing would be left to train on.

    Examples
    --------
    >>> held_out(np.array(["a", "a", "b", "c"]), 0.3).tolist()
    [False, False, False, True]
    """
    names = sorted(np.unique(sequences).tolist(), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    count = max(1, round(share * len(names))) if share > 0 else 0
    if count >= len(names):
        raise InputError(
            f"there are {len(names)} sequences to learn from, of which {count} would be set aside; give more, or set "
            "held_out to 0"
        )
    return np.asarray(np.isin(sequences, names[:count]))


def order(step: int, batch: int, count: int, seed: int) -> list[tuple[int, int]]:
    """Which examples step `step` sees, as (pass, index): pass after pass through all of them, each shuffled anew.

    Examples
    --------
    >>> found = [order(step, 3, 4, seed=0) for step in range(4)]
    >>> [number for number, _ in sum(found, [])]
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    >>> sorted(index for _, index in sum(found, [])[:4])
    [0, 1, 2, 3]
    """
    places = range(step * batch, (step + 1) * batch)
    shuffled = {
        number: np.random.default_rng([_ORDER, seed, number]).permutation(count)
        for number in {place // count for place in places}
    }
    return [(place // count, int(shuffled[place // count][place % count])) for place in places]


def order_in_groups(step: int, batch: int, groups: Ints, seed: int) -> list[tuple[int, int]]:
    """Which examples step `step` sees where all must be of one group, as (pass, index): a group by chance, some of it.

    Groups are drawn in proportion to their sizes; from one smaller than the batch, examples are taken more than once.

    Examples
    --------
    >>> sorted(index for _, index in order_in_groups(0, 2, np.array([7, 7, 7, 7]), seed=0))
    [0, 2]
    """
    random = np.random.default_rng([_ORDER, seed, step, 1])
    members = np.flatnonzero(groups == groups[int(random.integers(len(groups)))])
    chosen = random.choice(members, batch, replace=len(members) < batch)
    return [(step, int(index)) for index in chosen]


def ahead(make: Callable[[int], T], steps: range, *, threads: int = 1, most: int = 4) -> Generator[T, None, None]:
    """What `make` gives for each step, in order, made by threads while the step before is worked on.

    Raises
    ------
    UsageError
        If there is no thread.
    """
    if threads < 1:
        raise UsageError(f"batches are made by {threads} threads, expected 1 or more")
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for step in steps:
                waiting.append(pool.submit(make, step))
                if len(waiting) >= most:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


__all__ = ["Batch", "Examples", "ahead", "examples_of", "held_out", "order", "order_in_groups"]
