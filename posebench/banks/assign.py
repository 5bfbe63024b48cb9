"""Which centre a pose belongs to: chunks of poses through the compiled search, for several banks in one pass.

A label is the index of the nearest centre by the exact distance between the float64 numbers of the normalised pose and
of the centre; ties go to the lowest index. Speed comes from float32 and float64 with bounds on their errors (see
`posebench.kernels.nearest`); what these cannot tell apart is settled here in exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.banks.layout import Flags, Floats, Layout, flat
from posebench.kernels.dispatch import compiled_form

#: Labels, -1 where a pose has none.
Labels = npt.NDArray[np.int32]

_NO_MASK = np.ones((1, 1), np.bool_)


@dataclass(frozen=True)
class Packed:
    """Centres of several banks as the kernels take them; see `posebench.kernels.nearest.nearest_of_poses`."""

    centres: Floats
    starts: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    screen: npt.NDArray[np.float32]
    halves: npt.NDArray[np.float32]
    firsts: npt.NDArray[np.int64]
    margins: npt.NDArray[np.float32]


def pack(banks: Sequence[Floats]) -> Packed:
    """Pack the centres (k, D) of one or several banks for the float32 screen.

    Coordinates that are 0 in every centre (the root's) add nothing to a score and are left out. A score is the sum of
    n = D' + 1 float32 terms: |c|^2 / 2, rounded once, and D' products, rounded once per factor and once more. Whatever
    the order of summation, fused or not, its error is at most ((1 + u)^(n + 3) - 1) (|c|^2 / 2 + |x| |c|), u = 2^-24
    (Higham 2002, section 3.1), where |x| = 1. The margin adds some, for its own rounding and for underflow.
    """
    from posebench.kernels.nearest import GROUP, STEP

    centres = np.concatenate(banks)
    columns = np.flatnonzero((centres != 0).any(0))
    width = max(-(-len(columns) // STEP), 1) * STEP
    padded = [-(-len(bank) // GROUP) * GROUP for bank in banks]
    firsts = np.concatenate(([0], np.cumsum(padded)))
    screen = np.zeros((firsts[-1], width), np.float32)
    halves = np.full(firsts[-1], np.inf, np.float32)
    margins = np.empty(len(banks), np.float32)
    for b, bank in enumerate(banks):
        rows = slice(firsts[b], firsts[b] + len(bank))
        screen[rows, : len(columns)] = bank[:, columns]
        squares = (bank * bank).sum(1)
        halves[rows] = squares / 2
        largest = float(np.sqrt(squares.max()))
        margins[b] = 1.05 * (width + 8) * 2.0**-24 * (largest * largest / 2 + largest) + 1e-30
    starts = np.concatenate(([0], np.cumsum([len(bank) for bank in banks])))
    return Packed(centres, starts, columns, screen, halves, firsts, margins)


class Assigner:
    """Labels of poses in several banks of one layout, chunk by chunk; each pose is read and normalised once.

    Parameters
    ----------
    layout : Layout
    centres : sequence of array (k, J, 3)
        One per bank.

    Examples
    --------
    >>> layout = Layout("pair", ("pelvis", "head"), "pelvis", "camera")
    >>> up, side = [[0.0, 0, 0], [0, 1, 0]], [[0.0, 0, 0], [1, 0, 0]]
    >>> assigner = Assigner(layout, [np.array([up, side]), np.array([side, up])])
    >>> labels, flags = assigner.labels(np.array([[[5.0, 5, 5], [5, 9, 5]]]))
    >>> labels.tolist(), flags.tolist()
    ([[0], [1]], [0])
    """

    def __init__(self, layout: Layout, centres: Sequence[Floats]) -> None:
        self.layout = layout
        self._banks = [np.ascontiguousarray(bank.reshape(len(bank), -1), np.float64) for bank in centres]
        self._packed = pack(self._banks)

    def __len__(self) -> int:
        """How many banks."""
        return len(self._banks)

    def labels(
        self, poses: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None = None
    ) -> tuple[npt.NDArray[np.int32], Flags]:
        """Labels (B, n) in each bank and flags (n,) of a chunk of poses (n, J, 3) with mask `valid` (n, J).

        Flagged poses have label -1: `PoseFlag.MASKED` where a joint is invalid, MISSING where a coordinate is not
        finite, DEGENERATE where all joints coincide. Nothing is raised; the caller knows what each means.
        """
        from posebench.kernels.nearest import nearest_of_poses

        p, n = self._packed, len(poses)
        labels = np.empty((len(self._banks), n), np.int32)
        flags = np.empty(n, np.uint16)
        undecided = np.zeros((len(self._banks), n), np.bool_)
        open_labels = nearest_of_poses(
            flat(poses),
            _NO_MASK if valid is None else compiled_form(valid),
            valid is not None,
            self.layout.root_index,
            p.centres,
            p.starts,
            p.columns,
            p.screen,
            p.halves,
            p.firsts,
            p.margins,
            labels,
            flags,
            undecided,
        )
        if open_labels:
            for b, bank in enumerate(self._banks):
                rows = np.flatnonzero(undecided[b])
                mask = None if valid is None else valid[rows]
                labels[b, rows] = settle(self.layout.normalise(poses[rows], mask).rows, bank)[:, 0]
        return labels, flags


def settle(rows: Floats, centres: Floats) -> npt.NDArray[np.int32]:
    """The two nearest of centres (k, D) for each of rows (n, D), in rational arithmetic; ties to the lowest index.

    Slow, for the few rows that lie on a boundary up to the last bit; equal rows are settled once.
    """
    exact_centres = [[Fraction(value) for value in centre] for centre in centres.tolist()]
    found: dict[bytes, tuple[int, int]] = {}
    labels = np.empty((len(rows), 2), np.int32)
    for i, row in enumerate(rows):
        key = row.tobytes()
        if key not in found:
            squares = ((centres - row) ** 2).sum(1)
            # Farther by a millionth than the second nearest is out of the question; rounding is 1e-14.
            near = np.flatnonzero(squares <= np.partition(squares, 1)[1] * (1 + 1e-6) + 1e-190)
            exact_row = [Fraction(value) for value in row.tolist()]
            exact = {int(j): sum((x - c) ** 2 for x, c in zip(exact_row, exact_centres[j], strict=True)) for j in near}
            first, second = sorted(exact, key=lambda j: (exact[j], j))[:2]
            found[key] = first, second
        labels[i] = found[key]
    return labels


def two_nearest(rows: Floats, centres: Floats) -> tuple[Labels, Floats]:
    """The two nearest of centres (k, D) for normalised rows (n, D): labels (n, 2) and squared distances (n, 2)."""
    from posebench.kernels import nearest

    rows, centres = compiled_form(rows), compiled_form(centres)
    labels, squares = np.empty((len(rows), 2), np.int32), np.empty((len(rows), 2))
    undecided = np.zeros(len(rows), np.bool_)
    if nearest.two_nearest(rows, centres, labels, squares, undecided):
        at = np.flatnonzero(undecided)
        labels[at] = settle(rows[at], centres)
        for column in (0, 1):
            nearest.label_squares(rows[at], centres, labels[at, column], chosen := np.empty(len(at)))
            squares[at, column] = chosen
    return labels, squares


def squared_distances(rows: Floats, centres: Floats) -> Floats:
    """Squared distances (n, k) from normalised rows (n, D) to centres (k, D), from differences, in float64."""
    from posebench.kernels import nearest

    squares = np.empty((len(rows), len(centres)))
    nearest.squared_distances(compiled_form(rows), compiled_form(centres), squares)
    return squares


__all__ = ["Assigner", "Labels", "Packed", "pack", "settle", "squared_distances", "two_nearest"]
