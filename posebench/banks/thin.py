"""Thinning: motion capture at 120 Hz says nearly the same thing many times over.

Both ways go sequence by sequence, in the order in which the poses stand in the set, and keep the first of each: every
n-th frame, or only frames whose pose has changed. A sequence is one combination of subject, action, sequence and
camera; a set without keys is one sequence.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.banks.layout import Floats, Layout
from posebench.errors import UsageError
from posebench.poses import TEXT_KEYS, PoseSet

Rows = npt.NDArray[np.int64]


def sequence_codes(poses: PoseSet) -> npt.NDArray[np.int64]:
    """Number (N,) of each pose's sequence, from 0, without gaps.

    Examples
    --------
    >>> poses = PoseSet(np.zeros((3, 17, 3)), sequence=["b", "a", "b"])
    >>> sequence_codes(poses).tolist()
    [1, 0, 1]
    """
    codes = np.zeros(len(poses), np.int64)
    for key in TEXT_KEYS:
        column = getattr(poses, key)
        if column is not None:
            codes = np.unique(codes * max(len(column.names), 1) + column.codes, return_inverse=True)[1]
    return codes


def thin_by_stride(poses: PoseSet, stride: int) -> Rows:
    """Rows (M,) of every `stride`-th pose of each sequence, the first included, in order.

    Raises
    ------
    UsageError
        If the stride is no whole number from 1.

    Examples
    --------
    >>> thin_by_stride(PoseSet(np.zeros((5, 17, 3)), sequence=["a", "a", "a", "b", "b"]), 2).tolist()
    [0, 2, 3]
    """
    check_stride(stride)
    codes = sequence_codes(poses)
    order = np.argsort(codes, kind="stable")
    begins = np.searchsorted(codes[order], codes[order])
    place = np.empty(len(codes), np.int64)
    place[order] = np.arange(len(codes)) - begins
    return np.flatnonzero(place % stride == 0)


def thin_by_distance(poses: npt.ArrayLike | PoseSet, min_distance: float, layout: Layout) -> Rows:
    """Rows (M,) of the poses at least `min_distance` from the last kept pose of their sequence, in order.

    Distances are between poses normalised as `layout` says, from 0 to 2. Poses that cannot be normalised (masked, or
    with all joints in one point) are not kept.

    Raises
    ------
    UsageError
        If `min_distance` is not from 0 to 2.
    InputError
        If the poses do not fit the layout, or are not finite.

    Examples
    --------
    >>> layout = Layout("pair", ("pelvis", "head"), "pelvis", "camera")
    >>> turned = np.array([[[0.0, 0, 0], [np.cos(a), np.sin(a), 0]] for a in (0, 0.1, 0.2, 0.3)])
    >>> thin_by_distance(turned, 0.15, layout).tolist()
    [0, 2]
    """
    from posebench.kernels.dispatch import CHUNK

    fitted = layout.fit(poses)
    codes = sequence_codes(fitted.poses)
    thinner = DistanceThinner(3 * len(layout.joints), codes, min_distance)
    kept = []
    for start in range(0, len(codes), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(codes)))
        found = layout.normalise(*fitted.take(rows))
        fitted.refuse_not_finite(found.flags, rows)
        sound = rows[found.flags == 0]
        kept.append(sound[thinner.keep(found.rows[found.flags == 0], sound)])
    return np.concatenate(kept) if kept else np.zeros(0, np.int64)


class DistanceThinner:
    """Says chunk by chunk which normalised rows lie far enough from the last one kept of their sequence."""

    def __init__(self, width: int, sequences: npt.NDArray[np.int64], min_distance: float) -> None:
        check_distance(min_distance)
        n_sequences = int(sequences.max(initial=-1)) + 1
        self._sequences, self._limit = sequences, float(min_distance)
        self._last, self._held = np.zeros((n_sequences, width)), np.zeros(n_sequences, np.bool_)

    def keep(self, normalised: Floats, rows: Rows) -> npt.NDArray[np.bool_]:
        """Which of some normalised poses (n, D) to keep; `rows` are their places in the set, in order."""
        from posebench.kernels.nearest import keep_distant

        keep = np.zeros(len(normalised), np.bool_)
        keep_distant(normalised, self._sequences[rows], self._limit, self._last, self._held, keep)
        return keep


def check_stride(stride: Any) -> None:
    """Raise unless a stride is one."""
    if not isinstance(stride, int | np.integer) or isinstance(stride, bool) or stride < 1:
        raise UsageError(f"stride is {stride!r}, expected a whole number from 1")


def check_distance(min_distance: Any) -> None:
    """Raise unless a smallest distance is one."""
    number = isinstance(min_distance, int | float | np.number) and not isinstance(min_distance, bool)
    if not number or not 0 <= min_distance <= 2:
        raise UsageError(
            f"min_distance is {min_distance!r}, expected a number from 0 to 2: the norm of a normalised pose is 1"
        )


__all__ = ["DistanceThinner", "sequence_codes", "thin_by_distance", "thin_by_stride"]
