"""Ground truth on its way into a bank: arrays, sets and files become one stream of normalised poses.

The stream is always the same for the same input: sets in the order given, poses in theirs, thinned, without those that
cannot be normalised. It is collected in memory, spooled to a temporary file, or read as often as mini-batches need it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.banks.card import MOST_NOTES, InputFile, PoseCounts, Thinning
from posebench.banks.digest import ArrayDigest
from posebench.banks.layout import Fitted, Floats, Layout, Normalised
from posebench.banks.thin import DistanceThinner, check_distance, check_stride, thin_by_stride
from posebench.errors import InputError, UsageError
from posebench.kernels.dispatch import map_chunks
from posebench.kernels.fields import PoseFlag
from posebench.poses import PoseSet

#: One array (N, J, 3), PoseSet or file.
Item = npt.ArrayLike | PoseSet | str | os.PathLike[str]


def as_items(gt_poses: Item | Sequence[Item]) -> tuple[list[npt.ArrayLike | PoseSet], tuple[InputFile, ...]]:
    """The sets and arrays that were given, files read, and the names and hashes of these files."""
    from posebench.io import read, sha256_of

    several = isinstance(gt_poses, list | tuple) and (not gt_poses or any(_is_item(item) for item in gt_poses))
    given: Sequence[Any] = gt_poses if several else [gt_poses]  # type: ignore[assignment]
    items: list[npt.ArrayLike | PoseSet] = []
    files = []
    for item in given:
        if isinstance(item, str | os.PathLike):
            items.append(read(item))
            files.append(InputFile(Path(item).name, sha256_of(item)))
        else:
            items.append(item)
    if not items:
        raise InputError("gt_poses holds no poses: expected an array (N, J, 3), a PoseSet, a path, or a list of these")
    return items, tuple(files)


def _is_item(item: object) -> bool:
    return isinstance(item, PoseSet | str | os.PathLike) or (isinstance(item, np.ndarray) and item.ndim == 3)


def reference_of(items: Sequence[npt.ArrayLike | PoseSet], stated: str | None) -> str:
    """The reference that a bank is built in: the one stated, else the sets' own; plain arrays are in the camera's.

    Raises
    ------
    InputError
        If sets are in different references, or do not say theirs.
    """
    if stated is not None:
        return stated
    references = {item.reference if isinstance(item, PoseSet) else "camera" for item in items}
    if len(references) > 1:
        raise InputError(
            f"the poses are in different references ({', '.join(sorted(references))}), which one bank cannot hold; "
            "convert them to one, or state reference= for those that do not say theirs"
        )
    if references == {"unknown"}:
        source = next(item.source for item in items if isinstance(item, PoseSet))
        raise InputError(
            f"{source} does not say its reference, which a bank is built in; state reference='camera', 'world' or "
            "'canonical'"
        )
    return references.pop()


def notes_of(sets: Iterable[Fitted]) -> tuple[str, ...]:
    """What was assumed or converted, with the names of files instead of their paths, each note once."""
    notes = (
        note.replace(fitted.poses.source, Path(fitted.poses.source).name) for fitted in sets for note in fitted.notes
    )
    return tuple(dict.fromkeys(notes))[:MOST_NOTES]


@dataclass
class Counter:
    """Counts and hash of a stream of poses, kept while it goes by."""

    given: int = 0
    thinned: int = 0
    masked: int = 0
    degenerate: int = 0
    used: int = 0
    digest: ArrayDigest = field(default_factory=ArrayDigest)

    def counts(self) -> PoseCounts:
        """What the card records."""
        return PoseCounts(self.given, self.thinned, self.masked, self.degenerate, self.used)

    def sha256(self, layout: Layout) -> str:
        """Hash of all the normalised poses."""
        return self.digest.hexdigest((self.used, len(layout.joints), 3))


def make_thinning(stride: int, min_distance: float) -> Thinning:
    """Checked settings of thinning."""
    check_stride(stride)
    check_distance(min_distance)
    return Thinning(int(stride), float(min_distance))


def normalised_rows(
    sets: Iterable[Fitted], layout: Layout, thinning: Thinning, counter: Counter | None = None
) -> Iterator[Floats]:
    """Normalised poses (n, 3 J) of several sets, chunk by chunk.

    Raises
    ------
    InputError
        If a coordinate is not finite; the message names pose and joint.
    """
    for fitted in sets:
        yield from _rows_of_set(fitted, layout, thinning, counter or Counter())


def _rows_of_set(fitted: Fitted, layout: Layout, thinning: Thinning, counter: Counter) -> Iterator[Floats]:
    from posebench.banks.thin import sequence_codes

    n = len(fitted)
    counter.given += n
    chosen = None if thinning.stride == 1 else thin_by_stride(fitted.poses, thinning.stride)
    n_chosen = n if chosen is None else len(chosen)
    counter.thinned += n - n_chosen
    thinner = None
    if thinning.min_distance > 0:
        thinner = DistanceThinner(3 * len(layout.joints), sequence_codes(fitted.poses), thinning.min_distance)

    def normalise(part: slice) -> tuple[npt.NDArray[np.int64], Normalised]:
        rows = np.arange(part.start, part.stop) if chosen is None else chosen[part]
        return rows, layout.normalise(*fitted.take(part if chosen is None else rows))

    for rows, found in map_chunks(normalise, n_chosen):
        fitted.refuse_not_finite(found.flags, rows)
        counter.masked += int(np.count_nonzero(found.flags & int(PoseFlag.MASKED)))
        counter.degenerate += int(np.count_nonzero(found.flags & int(PoseFlag.DEGENERATE)))
        sound = found.flags == 0
        normalised, rows = (found.rows, rows) if sound.all() else (found.rows[sound], rows[sound])
        if thinner is not None:
            keep = thinner.keep(normalised, rows)
            counter.thinned += len(keep) - int(np.count_nonzero(keep))
            normalised = normalised[keep]
        counter.used += len(normalised)
        counter.digest.add(normalised)
        if len(normalised):
            yield normalised


def upper_count(sets: Sequence[Fitted], thinning: Thinning) -> int:
    """No fewer poses than will be used; thinning by distance is known only afterwards."""
    if thinning.stride == 1:
        return sum(len(fitted) for fitted in sets)
    return sum(len(thin_by_stride(fitted.poses, thinning.stride)) for fitted in sets)


def collect(stream: Iterable[Floats], most: int, width: int, *, on_disk: bool) -> Floats:
    """All rows of a stream as one array (N, D), in memory or in a temporary file that vanishes with the array."""
    if on_disk:
        folder, needed = tempfile.gettempdir(), most * width * 8
        if needed > shutil.disk_usage(folder).free:
            raise InputError(
                f"the normalised poses need {needed} bytes in {folder}, which has not that much room; "
                "use algorithm='minibatch'"
            )
        with tempfile.TemporaryFile() as spool:
            rows = np.asarray(np.memmap(spool, np.float64, "w+", shape=(max(most, 1), width)))
    else:
        rows = np.empty((most, width))
    at = 0
    for some in stream:
        rows[at : at + len(some)] = some
        at += len(some)
    return rows[:at]


class EvenSample:
    """Evenly spaced rows of a stream of unknown length: from `limit` to twice as many, of shorter ones all."""

    def __init__(self, limit: int) -> None:
        self._limit, self._step, self._seen, self._held = limit, 1, 0, 0
        self._pieces: list[Floats] = []

    def add(self, rows: Floats) -> None:
        """Take what falls on the grid; beyond twice the limit, every second goes."""
        first = -self._seen % self._step
        self._pieces.append(rows[first :: self._step].copy())
        self._held += len(self._pieces[-1])
        self._seen += len(rows)
        while self._held > 2 * self._limit:
            # What is held began at row 0 of the stream, so every second of it is the coarser grid.
            self._pieces = [np.concatenate(self._pieces)[::2].copy()]
            self._held = len(self._pieces[0])
            self._step *= 2

    def rows(self, width: int) -> Floats:
        """What was kept (M, D)."""
        return np.concatenate(self._pieces) if self._pieces else np.zeros((0, width))


def batch_sets(
    batches: Callable[[], Iterable[Item]], layout_of: Callable[[Item], Layout]
) -> tuple[Layout, Callable[[], Iterator[Fitted]]]:
    """The layout that the first batch asks for, and a function that yields all batches seen as it.

    Raises
    ------
    UsageError
        If `batches` is no function: one that can be read only once does not do.
    InputError
        If it yields nothing.
    """
    if not callable(batches):
        raise UsageError(
            f"batches is a {type(batches).__name__}, expected a function that returns the batches anew each time: "
            "batches=lambda: my_generator(...)"
        )
    first = next(iter(batches()), None)
    if first is None:
        raise InputError("batches yields no poses")
    layout = layout_of(first)

    def fitted() -> Iterator[Fitted]:
        for number, item in enumerate(batches()):
            (one,), _ = as_items([item])
            yield layout.fit(one, f"batch {number}")

    return layout, fitted
