"""Compiled search for the nearest centres of cluster banks, and the sums that k-means takes over them.

`_normalised` centres a pose and divides it by its Frobenius norm: float64, every sum in one fixed order, nothing fused,
so that all machines get the same bits. Whatever comes after is exact for these bits, in three steps:

1. The score |c|^2 / 2 - <x, c>, half the squared distance less a constant, in float32, for blocks of `LANES` poses
   against groups of four centres. A label stands if the second best score is worse by more than twice a bound of the
   rounding error.
2. Otherwise squared distances in float64 from differences, with their own bound.
3. What float64 cannot tell apart is marked as undecided and left to the caller, who has integers.

The caller packs the centres (`posebench.banks.assign.pack`), which is also where the bound of step 1 is derived. The
functions release the GIL and write only to the rows that they were given.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from posebench.kernels.compiling import kernel, plain_kernel
from posebench.kernels.fields import PoseFlag

#: Poses per block: the float32 coordinates of a block stay in the first-level cache, its loops are long.
LANES = 128
#: Centres that are compared with a block at a time, and coordinates per step; both are written out in `_screen`.
GROUP = 4
STEP = 4

_MASKED = int(PoseFlag.MASKED)
_MISSING = int(PoseFlag.MISSING)
_DEGENERATE = int(PoseFlag.DEGENERATE)

#: Joints spread less than this share of their largest coordinate coincide (rounding of one point).
_COINCIDENT = 1e-14
#: Squares below this lose digits; such poses are scaled up first, by a power of two, which changes no digit.
_TINY_SQUARE = 1e-200
_SCALE_UP = 2.0**600
#: Unit roundoff of float64.
_ROUNDOFF = 2.0**-53
#: Covers the rounding of bounds that are carried through a million iterations; distances are at most 2.
_SLACK = 1e-9


@plain_kernel
def normalise_poses(poses, valid, has_mask, root, rows, flags):  # type: ignore[no-untyped-def]
    """Fill rows (N, D) with the normalised poses (N, D) and flags (N,) with `PoseFlag` bits; flagged rows are zero.

    valid (N, J) bool is read if has_mask. root is the joint that poses are centred on, -1 for their mean.
    """
    for i in range(poses.shape[0]):
        flags[i] = _normalised(poses, valid, has_mask, root, i, rows[i])


@plain_kernel
def nearest_of_poses(  # type: ignore[no-untyped-def]
    poses,
    valid,
    has_mask,
    root,
    centres,
    starts,
    columns,
    packed,
    halves,
    firsts,
    margins,
    labels,
    flags,
    undecided,
):
    """Labels (B, N) of poses (N, D) in each of B banks, -1 where flags (N,) are set; returns how many are undecided.

    centres (K, D) float64 are those of all banks, bank b's from starts[b] to starts[b + 1]. packed (K', D') float32 are
    the same in the given columns, with halves (K',) = |c|^2 / 2 and bank b's from firsts[b], a multiple of `GROUP`.
    margins (B,) bound the error of a score. undecided (B, N) bool is set where float64 cannot tell.
    """
    n, width = poses.shape
    row = np.empty(width)
    lanes = np.zeros((packed.shape[1], LANES), np.float32)
    scores = np.empty((GROUP, LANES), np.float32)
    best, second = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    which = np.empty(LANES, np.int32)
    open_labels = 0
    for start in range(0, n, LANES):
        count = min(LANES, n - start)
        for lane in range(count):
            flag, square = _centred(poses, valid, has_mask, root, start + lane, row)
            flags[start + lane] = flag
            # A quotient would have one more bit right, but not one that float32 holds.
            factor = 1.0 / math.sqrt(square)
            for a in range(columns.shape[0]):
                lanes[a, lane] = row[columns[a]] * factor
        for b in range(margins.shape[0]):
            _screen(lanes, packed, halves, firsts[b], firsts[b + 1], scores, best, second, which)
            for lane in range(count):
                i = start + lane
                if flags[i] != 0:
                    labels[b, i] = -1
                elif second[lane] - best[lane] > 2 * margins[b]:
                    labels[b, i] = which[lane]
                else:
                    _normalised(poses, valid, has_mask, root, i, row)
                    label, _, _, certain = _settle(row, centres, starts[b], starts[b + 1])
                    labels[b, i] = label
                    if not certain:
                        undecided[b, i] = True
                        open_labels += 1
    return open_labels


@plain_kernel
def nearest_of_rows(  # type: ignore[no-untyped-def]
    rows,
    centres,
    columns,
    packed,
    halves,
    margin,
    drifts,
    farthest,
    half_gaps,
    labels,
    upper,
    lower,
    undecided,
):
    """Update labels (N,) of normalised rows (N, D) after the centres moved; returns how many are undecided.

    upper (N,) bounds the distance to the row's own centre from above, lower (N,) that to any other from below (Hamerly
    2010). Rows whose bounds prove that their label stays are not looked at; label -1 means that nothing is known.
    drifts (K,) is how far each centre moved, farthest the two largest of them, half_gaps (K,) half the distance from
    each centre to the nearest other. The rest is as in `nearest_of_poses`, for one bank.
    """
    lanes = np.zeros((packed.shape[1], LANES), np.float32)
    scores = np.empty((GROUP, LANES), np.float32)
    best, second = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    which = np.empty(LANES, np.int32)
    pending = np.empty(LANES, np.int64)
    n = rows.shape[0]
    count = 0
    open_labels = 0
    for i in range(n + 1):
        if i < n:
            label = labels[i]
            if label >= 0:
                upper[i] += drifts[label]
                lower[i] -= farthest[0] if drifts[label] < farthest[0] else farthest[1]
                clear = max(lower[i], half_gaps[label]) - _SLACK
                if upper[i] + _SLACK < clear:
                    continue
                upper[i] = _distance(rows[i], centres[label])
                if upper[i] + _SLACK < clear:
                    continue
            pending[count] = i
            for a in range(columns.shape[0]):
                lanes[a, count] = rows[i, columns[a]]
            count += 1
        if count == LANES or (i == n and count > 0):
            _screen(lanes, packed, halves, 0, packed.shape[0], scores, best, second, which)
            for lane in range(count):
                m = pending[lane]
                if second[lane] - best[lane] > 2 * margin:
                    labels[m] = which[lane]
                    upper[m] = math.sqrt(max(0.0, 1.0 + 2.0 * (best[lane] + margin))) + _SLACK
                    lower[m] = math.sqrt(max(0.0, 1.0 + 2.0 * (second[lane] - margin))) - _SLACK
                else:
                    label, nearest, next_nearest, certain = _settle(rows[m], centres, 0, centres.shape[0])
                    labels[m] = label
                    upper[m] = math.sqrt(nearest)
                    lower[m] = math.sqrt(next_nearest)
                    if not certain:
                        upper[m], lower[m] = np.inf, 0.0
                        undecided[m] = True
                        open_labels += 1
            count = 0
    return open_labels


@plain_kernel
def add_rows(rows, labels, sums, counts):  # type: ignore[no-untyped-def]
    """Add rows (N, D) to the sums (K, D) and counts (K,) of their labels, in order."""
    for i in range(rows.shape[0]):
        label = labels[i]
        counts[label] += 1
        for d in range(rows.shape[1]):
            sums[label, d] += rows[i, d]


@plain_kernel
def label_squares(rows, centres, labels, squares):  # type: ignore[no-untyped-def]
    """Fill squares (N,) with the squared distance of each row (N, D) to the centre of its label; returns their sum."""
    total = 0.0
    for i in range(rows.shape[0]):
        squares[i] = _square(rows[i], centres[labels[i]])
        total += squares[i]
    return total


@plain_kernel
def squared_distances(rows, centres, squares):  # type: ignore[no-untyped-def]
    """Fill squares (N, K) with the squared distances from rows (N, D) to centres (K, D), summed as in `_square`."""
    lanes = np.zeros((rows.shape[1], LANES))
    total = np.empty(LANES)
    for start in range(0, rows.shape[0], LANES):
        count = _load(rows, start, lanes)
        for j in range(centres.shape[0]):
            _squares(lanes, centres[j], total)
            for lane in range(count):
                squares[start + lane, j] = total[lane]


@plain_kernel
def two_nearest(rows, centres, labels, squares, undecided):  # type: ignore[no-untyped-def]
    """Fill labels (N, 2) and squares (N, 2) with the two nearest centres; returns how many rows are undecided."""
    lanes = np.zeros((rows.shape[1], LANES))
    total = np.empty(LANES)
    first, second, third = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    first_label, second_label = np.empty(LANES, np.int32), np.empty(LANES, np.int32)
    slack = 4.0 * (rows.shape[1] + 4) * _ROUNDOFF
    open_rows = 0
    for start in range(0, rows.shape[0], LANES):
        count = _load(rows, start, lanes)
        for lane in range(LANES):
            first[lane] = second[lane] = third[lane] = np.inf
            first_label[lane] = second_label[lane] = 0
        for j in range(centres.shape[0]):
            _squares(lanes, centres[j], total)
            for lane in range(LANES):
                value = total[lane]
                if value < first[lane]:
                    third[lane], second[lane], first[lane] = second[lane], first[lane], value
                    second_label[lane], first_label[lane] = first_label[lane], j
                elif value < second[lane]:
                    third[lane], second[lane] = second[lane], value
                    second_label[lane] = j
                elif value < third[lane]:
                    third[lane] = value
        for lane in range(count):
            i = start + lane
            labels[i, 0], labels[i, 1] = first_label[lane], second_label[lane]
            squares[i, 0], squares[i, 1] = first[lane], second[lane]
            apart = second[lane] > first[lane] * (1.0 + slack) and third[lane] > second[lane] * (1.0 + slack)
            if not (apart and second[lane] > _TINY_SQUARE):
                undecided[i] = True
                open_rows += 1
    return open_rows


@plain_kernel
def keep_distant(rows, sequences, limit, last, held, keep):  # type: ignore[no-untyped-def]
    """Set keep (N,) where a row (N, D) lies at least `limit` from the last kept row of its sequence (N,).

    last (S, D) and held (S,) carry the last kept row of each sequence from chunk to chunk.
    """
    for i in range(rows.shape[0]):
        s = sequences[i]
        keep[i] = not held[s] or math.sqrt(_square(rows[i], last[s])) >= limit
        if keep[i]:
            held[s] = True
            for d in range(rows.shape[1]):
                last[s, d] = rows[i, d]


@plain_kernel
def _normalised(poses, valid, has_mask, root, i, row):  # type: ignore[no-untyped-def]
    """Fill row (D,) with the i-th pose, centred and divided by its norm; returns its flags, 0 if all is well."""
    flags, square = _centred(poses, valid, has_mask, root, i, row)
    norm = math.sqrt(square)
    for d in range(row.shape[0]):
        row[d] /= norm
    return flags


@plain_kernel
def _centred(poses, valid, has_mask, root, i, row):  # type: ignore[no-untyped-def]
    """Fill row (D,) with the i-th pose, centred; returns its flags and sum of squares, zeros and 1 where it has none.

    Coordinates are taken relative to a joint first, so that joints that coincide come out as exactly zero.
    """
    n_joints = poses.shape[1] // 3
    if has_mask:
        for j in range(n_joints):
            if not valid[i, j]:
                row[:] = 0.0
                return _MASKED, 1.0
    origin = 3 * max(root, 0)
    x0, y0, z0 = np.float64(poses[i, origin]), np.float64(poses[i, origin + 1]), np.float64(poses[i, origin + 2])
    reach = max(abs(x0), abs(y0), abs(z0))
    for j in range(n_joints):
        row[3 * j] = np.float64(poses[i, 3 * j]) - x0
        row[3 * j + 1] = np.float64(poses[i, 3 * j + 1]) - y0
        row[3 * j + 2] = np.float64(poses[i, 3 * j + 2]) - z0
    if root < 0:
        x = y = z = 0.0
        for j in range(n_joints):
            x += row[3 * j]
            y += row[3 * j + 1]
            z += row[3 * j + 2]
        x, y, z = x / n_joints, y / n_joints, z / n_joints
        for j in range(n_joints):
            row[3 * j] -= x
            row[3 * j + 1] -= y
            row[3 * j + 2] -= z
    square = _size(row)
    if not square < np.inf:
        row[:] = 0.0
        return _MISSING, 1.0
    if square < _TINY_SQUARE:
        for d in range(row.shape[0]):
            row[d] *= _SCALE_UP
        reach *= _SCALE_UP
        square = _size(row)
    least = _COINCIDENT * reach
    if square <= n_joints * least * least:
        row[:] = 0.0
        return _DEGENERATE, 1.0
    return 0, square


@plain_kernel
def _size(row):  # type: ignore[no-untyped-def]
    """Sum of squares, by coordinate."""
    x = y = z = 0.0
    for j in range(row.shape[0] // 3):
        x += row[3 * j] * row[3 * j]
        y += row[3 * j + 1] * row[3 * j + 1]
        z += row[3 * j + 2] * row[3 * j + 2]
    return x + y + z


@kernel
def _screen(lanes, packed, halves, begin, end, scores, best, second, which):  # type: ignore[no-untyped-def]
    """Best and second best score of a block, lanes (D', L), among packed centres, and which is the best, from 0.

    Four centres by four coordinates at a time, so that what is loaded is used several times.
    """
    for lane in range(LANES):
        best[lane] = second[lane] = np.inf
        which[lane] = 0
    for j in range(begin, end, GROUP):
        for g in range(GROUP):
            half = halves[j + g]
            for lane in range(LANES):
                scores[g, lane] = half
        for d in range(0, packed.shape[1], STEP):
            a0, a1, a2, a3 = packed[j, d], packed[j, d + 1], packed[j, d + 2], packed[j, d + 3]
            b0, b1, b2, b3 = packed[j + 1, d], packed[j + 1, d + 1], packed[j + 1, d + 2], packed[j + 1, d + 3]
            c0, c1, c2, c3 = packed[j + 2, d], packed[j + 2, d + 1], packed[j + 2, d + 2], packed[j + 2, d + 3]
            e0, e1, e2, e3 = packed[j + 3, d], packed[j + 3, d + 1], packed[j + 3, d + 2], packed[j + 3, d + 3]
            for lane in range(LANES):
                x0, x1, x2, x3 = lanes[d, lane], lanes[d + 1, lane], lanes[d + 2, lane], lanes[d + 3, lane]
                scores[0, lane] -= a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3
                scores[1, lane] -= b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3
                scores[2, lane] -= c0 * x0 + c1 * x1 + c2 * x2 + c3 * x3
                scores[3, lane] -= e0 * x0 + e1 * x1 + e2 * x2 + e3 * x3
        for g in range(GROUP):
            label = np.int32(j + g - begin)
            for lane in range(LANES):
                score = scores[g, lane]
                second[lane] = min(second[lane], max(best[lane], score))
                which[lane] = label if score < best[lane] else which[lane]
                best[lane] = min(best[lane], score)


@plain_kernel
def _settle(row, centres, begin, end):  # type: ignore[no-untyped-def]
    """Nearest centre from `begin` to `end`, counted from 0, the two smallest squares, and whether that is certain.

    A computed square is off by at most (D + 2) roundings of its value.
    """
    nearest = next_nearest = np.inf
    label = 0
    for j in range(begin, end):
        square = _square(row, centres[j])
        if square < nearest:
            next_nearest, nearest, label = nearest, square, j - begin
        elif square < next_nearest:
            next_nearest = square
    slack = 4.0 * (row.shape[0] + 4) * _ROUNDOFF
    return label, nearest, next_nearest, next_nearest > nearest * (1.0 + slack) and next_nearest > _TINY_SQUARE


@plain_kernel
def _square(row, centre):  # type: ignore[no-untyped-def]
    """Squared distance, summed in order."""
    total = 0.0
    for d in range(row.shape[0]):
        difference = row[d] - centre[d]
        total += difference * difference
    return total


@kernel
def _distance(row, centre):  # type: ignore[no-untyped-def]
    """Distance, summed in any order: for bounds that have slack."""
    total = 0.0
    for d in range(row.shape[0]):
        difference = row[d] - centre[d]
        total += difference * difference
    return math.sqrt(total)


@plain_kernel
def _load(rows, start, lanes):  # type: ignore[no-untyped-def]
    """Fill lanes (D, L) with a block of rows; returns how many there are."""
    count = min(LANES, rows.shape[0] - start)
    for lane in range(count):
        for d in range(rows.shape[1]):
            lanes[d, lane] = rows[start + lane, d]
    return count


@plain_kernel
def _squares(lanes, centre, total):  # type: ignore[no-untyped-def]
    """Fill total (L,) with the squared distances of a block to one centre, each summed in order."""
    width = centre.shape[0]
    whole = width - width % STEP
    for lane in range(LANES):
        total[lane] = 0.0
    for d in range(0, whole, STEP):
        c0, c1, c2, c3 = centre[d], centre[d + 1], centre[d + 2], centre[d + 3]
        for lane in range(LANES):
            x0, x1 = lanes[d, lane] - c0, lanes[d + 1, lane] - c1
            x2, x3 = lanes[d + 2, lane] - c2, lanes[d + 3, lane] - c3
            total[lane] = total[lane] + x0 * x0 + x1 * x1 + x2 * x2 + x3 * x3
    for d in range(whole, width):
        c0 = centre[d]
        for lane in range(LANES):
            x0 = lanes[d, lane] - c0
            total[lane] += x0 * x0


__all__: list[Any] = [
    "GROUP",
    "LANES",
    "STEP",
    "add_rows",
    "keep_distant",
    "label_squares",
    "nearest_of_poses",
    "nearest_of_rows",
    "normalise_poses",
    "squared_distances",
    "two_nearest",
]
