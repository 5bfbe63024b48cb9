"""Compiled parts of the taxonomy: what is wrong with each pose (`fit_poses`), and what each fault costs (`share_out`).

A pose's prediction p and ground truth g (K, 3) are relative to their roots, in mm. `fit_poses` looks for exchanged
sides and torn joints, and for the similarity g ~ s R p + t that leaves the least mean distance (not the least squared
one: a body of which one limb is wrong is then laid onto its other limbs). `share_out` smooths scale, rotation, shift
and what is left over time, and splits every joint's error vector into the vectors that the faults have put there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from posebench.kernels.closed_form import _adjugate as adjugate
from posebench.kernels.compiling import inlined, plain_kernel

#: Steps of the fit; it stops where it no longer gains.
_STEPS = 20
_GAIN = 1e-4
#: An eigenvector is taken from the closed form if it is one to this share of the matrix.
_RESIDUAL = 1e-11
#: Weights are 1 / distance, for distances above this share of the pose's size.
_NEAR = 1e-4
#: Below this share of the pose's size, no distance is left to speak of.
_EXACT = 1e-9
#: Joints spread less than this share (squared) of their distance from the root, or of the other side's, are one point.
_POINT = 1e-20
#: A scale beyond these is no scale: the prediction has lost its shape.
_LEAST_SCALE, _MOST_SCALE = 0.2, 5.0
#: Fewer joints than this have no similarity.
_FEWEST = 3

#: Sides are exchanged where that lowers the error itself, and what the similarity leaves by this factor.
_SWAP_GAIN = 0.75
#: A joint is torn off if it is this far (mm) from where the others say it is, this many times the median joint's
#: distance, and one of its bones is wrong by this share of its length.
_TORN_FAR, _TORN_RATIO, _TORN_BONE = 50.0, 4.0, 0.25
#: Most torn joints of a pose: of more, nobody knows which are right.
_MOST_TORN = 2


@plain_kernel
def fit_poses(p, g, usable, root, partners, bones, swapped, torn, transform, rest):  # type: ignore[no-untyped-def]
    """Faults of poses p, g (N, K, 3) at usable (N, K) joints; p is changed where sides were exchanged.

    root is the joint that both sides are centred on, or -1; partners (S, K) the joint that each one changes places
    with when a part's sides are exchanged; bones (B, 2). Filled: swapped (N,) bits of the exchanged parts; torn (N, K)
    bool; transform (N, 8): quaternion, scale, shift; rest (N, K, 3) = s R p + t - g, zero at the root and at torn
    joints.
    """
    n_joints = p.shape[1]
    free = np.empty(n_joints, np.bool_)
    trial, goal = np.empty((n_joints, 3)), np.empty((n_joints, 3))
    present, loose = np.empty(n_joints, np.bool_), np.empty(n_joints, np.bool_)
    scratch = np.empty((3, n_joints))
    matrices = np.empty((2, 4, 4))
    best, found, step = np.empty(8), np.empty(8), np.empty(8)
    pose = np.empty((n_joints, 3))
    for i in range(p.shape[0]):
        for k in range(n_joints):
            present[k] = usable[i, k]
            free[k] = present[k] and k != root
            loose[k] = False
            for a in range(3):
                pose[k, a] = p[i, k, a]
                goal[k, a] = g[i, k, a]
        least = _SWAP_GAIN * _fit(pose, goal, free, scratch, matrices, step, best)
        before = _mean_distance(pose, goal, present)
        chosen = 0
        for code in range(1, 1 << partners.shape[0]):
            _exchange(pose, present, partners, code, trial)
            if _mean_distance(trial, goal, present) < before:
                candidate = _fit(trial, goal, free, scratch, matrices, step, found)
                if candidate < least:
                    least = candidate
                    chosen = code
                    best[:] = found
        swapped[i] = chosen
        if chosen > 0:
            _exchange(pose, present, partners, chosen, trial)
            pose[:] = trial
            for k in range(n_joints):
                for a in range(3):
                    p[i, k, a] = pose[k, a]
        if _mark_torn(pose, goal, present, free, best, bones, scratch, loose):
            for k in range(n_joints):
                free[k] = free[k] and not loose[k]
            _fit(pose, goal, free, scratch, matrices, step, best)
        for a in range(8):
            transform[i, a] = best[a]
        for k in range(n_joints):
            torn[i, k] = loose[k]
            x, y, z = _apply(best, pose[k, 0], pose[k, 1], pose[k, 2])
            weight = 1.0 if free[k] else 0.0
            rest[i, k, 0] = weight * (x - goal[k, 0])
            rest[i, k, 1] = weight * (y - goal[k, 1])
            rest[i, k, 2] = weight * (z - goal[k, 2])


@plain_kernel
def share_out(  # type: ignore[no-untyped-def]
    raw, p, g, usable, torn, transform, rest, root, first, last, todo, limb_of, deep, cells, sums, counts
):
    """Add the shares of every fault in the error of poses to sums (C, 2, Q) and counts (C, 2): of poses, of joints.

    raw (N, K, 3) is the prediction as it came, the rest as `fit_poses` left it. first, last (N,) are the first and the
    last row of each pose's window in time; todo (N,) bool says which poses count, the others being there for windows
    only; limb_of (K,); deep whether the z axis is the viewing axis; cells (N,) rows of sums.

    Q columns (`Columns`): shares of the distance, of the squared distance, and distances after each fault is taken
    away. Of a distance |e|, a fault that has put the vector c there has the share c.e / |e|; of its square, c.e.
    """
    n_joints = p.shape[1]
    block = 2 * (3 + limb_of.max() + 1)
    parts = 4 + 2 * block
    left = 2 * parts
    now, smooth = np.empty(8), np.empty(8)
    steady = np.empty((n_joints, 3))
    line = np.empty((9, n_joints))
    joint, totals = np.empty(parts), np.empty(sums.shape[2])
    for i in range(p.shape[0]):
        count = 0
        for k in range(n_joints):
            count += usable[i, k]
        if not todo[i] or count == 0:
            continue
        for a in range(8):
            now[a] = transform[i, a]
        _smooth(transform, rest, usable, torn, root, first[i], last[i], i, line, smooth, steady)
        totals[:] = 0.0
        for k in range(n_joints):
            if not usable[i, k]:
                continue
            gx, gy, gz = g[i, k, 0], g[i, k, 1], g[i, k, 2]
            ux, uy, uz = raw[i, k, 0] - gx, raw[i, k, 1] - gy, raw[i, k, 2] - gz
            error = _length(ux, uy, uz)
            per = 1.0 / error if error > 0.0 else 0.0
            ux, uy, uz = per * ux, per * uy, per * uz
            joint[:] = 0.0
            # Without exchanged sides.
            x, y, z = p[i, k, 0], p[i, k, 1], p[i, k, 2]
            _put((raw[i, k, 0] - x) * ux, (raw[i, k, 1] - y) * uy, (raw[i, k, 2] - z) * uz, deep, joint, 0)
            totals[left] += error
            totals[left + 1] += _length(x - gx, y - gy, z - gz)
            if torn[i, k]:
                # Where the rest of the pose says that the joint is.
                a, b, c = _undo(now, gx, gy, gz)
                _put((x - a) * ux, (y - b) * uy, (z - c) * uz, deep, joint, 2)
                x, y, z = a, b, c
            totals[left + 2] += _length(x - gx, y - gy, z - gz)
            if k == root:
                totals[left + 3 : left + 8] += _length(x - gx, y - gy, z - gz)
            else:
                at, limb = 4, 6 + 2 * limb_of[k]
                rx, ry, rz = rest[i, k, 0], rest[i, k, 1], rest[i, k, 2]
                _peel(now, x, y, z, gx + rx, gy + ry, gz + rz, ux, uy, uz, deep, joint, at)
                _put(rx * ux, ry * uy, rz * uz, deep, joint, at + limb)
                # Without jitter.
                at += block
                rx, ry, rz = steady[k, 0], steady[k, 1], steady[k, 2]
                x, y, z = _undo(smooth, gx + rx, gy + ry, gz + rz)
                totals[left + 3] += _length(x - gx, y - gy, z - gz)
                _peel(smooth, x, y, z, gx + rx, gy + ry, gz + rz, ux, uy, uz, deep, joint, at)
                _put(rx * ux, ry * uy, rz * uz, deep, joint, at + limb)
                x, y, z = _turn(smooth, x, y, z)
                totals[left + 4] += _length(x - gx, y - gy, z - gz)
                scale = smooth[4]
                totals[left + 5] += _length(scale * x - gx, scale * y - gy, scale * z - gz)
                totals[left + 6] += _length(rx, ry, rz)
                totals[left + 7] += _length(rx, ry, 0.0 if deep else rz)
            totals[left + 8] += error * error
            for part in range(parts):
                totals[part] += joint[part]
                totals[parts + part] += joint[part] * error
        cell = cells[i]
        counts[cell, 0] += 1.0
        counts[cell, 1] += count
        for q in range(totals.shape[0]):
            sums[cell, 0, q] += totals[q] / count
            sums[cell, 1, q] += totals[q]


@plain_kernel
def _peel(t, x, y, z, gx, gy, gz, ux, uy, uz, deep, joint, at):  # type: ignore[no-untyped-def]
    """Shares of rotation, scale and shift in the error of one joint, from joint[at] on.

    They bring the joint from (x, y, z) to (gx, gy, gz); u is the error's direction.
    """
    a, b, c = _turn(t, x, y, z)
    _put((x - a) * ux, (y - b) * uy, (z - c) * uz, deep, joint, at)
    grown = t[4] - 1.0
    _put(-grown * a * ux, -grown * b * uy, -grown * c * uz, deep, joint, at + 2)
    a, b, c = t[4] * a, t[4] * b, t[4] * c
    _put((a - gx) * ux, (b - gy) * uy, (c - gz) * uz, deep, joint, at + 4)


@plain_kernel
def _put(x, y, z, deep, joint, at):  # type: ignore[no-untyped-def]
    """Put a share where it belongs: along the viewing axis, and across it."""
    joint[at] = z if deep else 0.0
    joint[at + 1] = x + y + (0.0 if deep else z)


@plain_kernel
def _smooth(  # type: ignore[no-untyped-def]
    transform, rest, usable, torn, root, first, last, i, line, smooth, steady
):
    """Scale, rotation, shift and rest of pose i without what changes within its window.

    The value at i of the straight line that fits the window best: the mean where i stands in its middle.
    """
    n_joints = rest.shape[1]
    for a in range(8):
        smooth[a] = transform[i, a]
    if last - first < 2:
        for k in range(n_joints):
            for a in range(3):
                steady[k, a] = rest[i, k, a]
        return
    s0, s1, s2 = 0.0, 0.0, 0.0
    for a in range(8):
        level, slope = 0.0, 0.0
        s0, s1, s2 = 0.0, 0.0, 0.0
        for j in range(first, last + 1):
            x = float(j - i)
            s0, s1, s2 = s0 + 1.0, s1 + x, s2 + x * x
            value = transform[j, a]
            if a < 4:
                # A quaternion and its negative are one rotation.
                same = 0.0
                for b in range(4):
                    same += transform[j, b] * transform[i, b]
                value = value if same >= 0.0 else -value
            level += value
            slope += value * x
        smooth[a] = _line(s0, s1, s2, level, slope)
    size = math.sqrt(smooth[0] ** 2 + smooth[1] ** 2 + smooth[2] ** 2 + smooth[3] ** 2)
    for a in range(4):
        smooth[a] = smooth[a] / size if size > 0.1 else transform[i, a]
    smooth[4] = min(max(smooth[4], _LEAST_SCALE), _MOST_SCALE)
    line[:] = 0.0
    for j in range(first, last + 1):
        x = float(j - i)
        for k in range(n_joints):
            # What is not known, and what is torn off, is zero and does not count.
            weight = 1.0 if usable[j, k] and not torn[j, k] else 0.0
            line[0, k] += weight
            line[1, k] += weight * x
            line[2, k] += weight * x * x
            for a in range(3):
                line[3 + a, k] += rest[j, k, a]
                line[6 + a, k] += rest[j, k, a] * x
    for k in range(n_joints):
        counts = usable[i, k] and not torn[i, k] and k != root
        for a in range(3):
            steady[k, a] = _line(line[0, k], line[1, k], line[2, k], line[3 + a, k], line[6 + a, k]) if counts else 0.0


@plain_kernel
def _line(s0, s1, s2, level, slope):  # type: ignore[no-untyped-def]
    """Value at 0 of the straight line through points of these sums."""
    spread = s0 * s2 - s1 * s1
    if spread <= 0.0 or s1 == 0.0:
        return level / s0
    return (level * s2 - slope * s1) / spread


@plain_kernel
def _fit(p, g, free, scratch, matrices, step, transform):  # type: ignore[no-untyped-def]
    """The similarity that leaves the least mean distance; returns that distance.

    Weights of 1 / distance make a least-squares fit one of least distances (Weiszfeld 1937). scratch (3, K) gets
    weights and distances.
    """
    n_joints = p.shape[0]
    transform[:] = 0.0
    transform[0] = 1.0
    transform[4] = 1.0
    count = 0
    for k in range(n_joints):
        scratch[0, k] = 1.0 if free[k] else 0.0
        count += free[k]
    if count == 0:
        return 0.0
    least = _distances(p, g, free, transform, scratch) / count
    if count < _FEWEST:
        return least
    previous = np.inf
    for number in range(_STEPS):
        size = _solve(p, g, scratch, matrices, step)
        if size <= 0.0:
            break
        now = _distances(p, g, free, step, scratch) / count
        # The plain least-squares fit may lie farther off than no fit at all; what comes after it does not.
        if now < least or number == 0:
            least = now
            transform[:] = step
        if now <= _EXACT * size or previous - now < _GAIN * now:
            break
        previous = now
        for k in range(n_joints):
            scratch[0, k] = 1.0 / max(scratch[1, k], _NEAR * size) if free[k] else 0.0
    return least


@plain_kernel
def _solve(p, g, scratch, matrices, transform):  # type: ignore[no-untyped-def]
    """Weighted least-squares similarity (Horn 1987); returns the ground truth's size, 0 where there is no fit."""
    n_joints = p.shape[0]
    total = 0.0
    px, py, pz, gx, gy, gz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(n_joints):
        w = scratch[0, k]
        total += w
        px, py, pz = px + w * p[k, 0], py + w * p[k, 1], pz + w * p[k, 2]
        gx, gy, gz = gx + w * g[k, 0], gy + w * g[k, 1], gz + w * g[k, 2]
    px, py, pz = px / total, py / total, pz / total
    gx, gy, gz = gx / total, gy / total, gz / total
    xx, xy, xz, yx, yy, yz, zx, zy, zz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    p_square, g_square = 0.0, 0.0
    for k in range(n_joints):
        w = scratch[0, k]
        a, b, c = p[k, 0] - px, p[k, 1] - py, p[k, 2] - pz
        u, v, z = g[k, 0] - gx, g[k, 1] - gy, g[k, 2] - gz
        p_square += w * (a * a + b * b + c * c)
        g_square += w * (u * u + v * v + z * z)
        a, b, c = w * a, w * b, w * c
        xx, xy, xz = xx + a * u, xy + a * v, xz + a * z
        yx, yy, yz = yx + b * u, yy + b * v, yz + b * z
        zx, zy, zz = zx + c * u, zy + c * v, zz + c * z
    if p_square <= _POINT * total * (px * px + py * py + pz * pz) or p_square <= _POINT * g_square or g_square <= 0.0:
        return 0.0
    trace = _rotation(xx, xy, xz, yx, yy, yz, zx, zy, zz, matrices, transform)
    scale = min(max(trace / p_square, _LEAST_SCALE), _MOST_SCALE)
    transform[4] = scale
    a, b, c = _turn(transform, px, py, pz)
    transform[5], transform[6], transform[7] = gx - scale * a, gy - scale * b, gz - scale * c
    return math.sqrt(g_square / total)


@plain_kernel
def _rotation(xx, xy, xz, yx, yy, yz, zx, zy, zz, matrices, quaternion):  # type: ignore[no-untyped-def]
    """The best rotation for a cross-covariance: fills quaternion[:4], returns trace(R h).

    Horn's symmetric matrix: its largest eigenvalue by Newton's method, as in `posebench.kernels.closed_form`, and the
    eigenvector from the adjugate; where that is none, both by Jacobi's method.
    """
    a00, a01, a02, a03 = xx + yy + zz, yz - zy, zx - xz, xy - yx
    a11, a12, a13 = xx - yy - zz, xy + yx, zx + xz
    a22, a23, a33 = yy - xx - zz, yz + zy, zz - xx - yy
    square = xx * xx + xy * xy + xz * xz + yx * yx + yy * yy + yz * yz + zx * zx + zy * zy + zz * zz
    size = math.sqrt(square)
    if size <= 0.0:
        quaternion[0], quaternion[1], quaternion[2], quaternion[3] = 1.0, 0.0, 0.0, 0.0
        return 0.0
    det = xx * (yy * zz - yz * zy) - xy * (yx * zz - yz * zx) + xz * (yx * zy - yy * zx)
    c2, c1 = -2.0 * square, -8.0 * det
    c0 = adjugate(a00, a01, a02, a03, a11, a12, a13, a22, a23, a33)[10]
    value = math.sqrt(3.0) * size  # no smaller than the sum of the singular values
    for _ in range(30):
        b = value * value
        slope = 4.0 * b * value + 2.0 * c2 * value + c1
        if slope <= 0.0:
            break
        step = (b * b + c2 * b + c1 * value + c0) / slope
        value -= step
        if abs(step) <= 1e-13 * value:
            break
    m00, m01, m02, m03, m11, m12, m13, m22, m23, m33, _ = adjugate(
        a00 - value, a01, a02, a03, a11 - value, a12, a13, a22 - value, a23, a33 - value
    )
    d0, d1, d2, d3 = abs(m00), abs(m11), abs(m22), abs(m33)
    if d0 >= d1 and d0 >= d2 and d0 >= d3:
        w, x, y, z = m00, m01, m02, m03
    elif d1 >= d2 and d1 >= d3:
        w, x, y, z = m01, m11, m12, m13
    elif d2 >= d3:
        w, x, y, z = m02, m12, m22, m23
    else:
        w, x, y, z = m03, m13, m23, m33
    norm = math.sqrt(w * w + x * x + y * y + z * z)
    if norm > 0.0:
        w, x, y, z = w / norm, x / norm, y / norm, z / norm
        r0 = a00 * w + a01 * x + a02 * y + a03 * z
        r1 = a01 * w + a11 * x + a12 * y + a13 * z
        r2 = a02 * w + a12 * x + a22 * y + a23 * z
        r3 = a03 * w + a13 * x + a23 * y + a33 * z
        value = w * r0 + x * r1 + y * r2 + z * r3
        off = max(abs(r0 - value * w), abs(r1 - value * x), abs(r2 - value * y), abs(r3 - value * z))
        if off <= _RESIDUAL * size:
            sign = -1.0 if w < 0.0 else 1.0
            quaternion[0], quaternion[1], quaternion[2], quaternion[3] = sign * w, sign * x, sign * y, sign * z
            return value
    k = matrices[0]
    k[0, 0], k[0, 1], k[0, 2], k[0, 3] = a00, a01, a02, a03
    k[1, 0], k[1, 1], k[1, 2], k[1, 3] = a01, a11, a12, a13
    k[2, 0], k[2, 1], k[2, 2], k[2, 3] = a02, a12, a22, a23
    k[3, 0], k[3, 1], k[3, 2], k[3, 3] = a03, a13, a23, a33
    return _largest_eigenvector(k, matrices[1], size, quaternion)


@plain_kernel
def _largest_eigenvector(k, v, size, vector):  # type: ignore[no-untyped-def]
    """Jacobi's method for a symmetric matrix k (4, 4), which it destroys: fills vector[:4], returns the eigenvalue."""
    for a in range(4):
        for b in range(4):
            v[a, b] = 1.0 if a == b else 0.0
    for _ in range(30):
        off = 0.0
        for a in range(3):
            for b in range(a + 1, 4):
                off = max(off, abs(k[a, b]))
        if off <= 1e-15 * size:
            break
        for a in range(3):
            for b in range(a + 1, 4):
                if abs(k[a, b]) <= 1e-17 * size:
                    continue
                theta = (k[b, b] - k[a, a]) / (2.0 * k[a, b])
                t = (1.0 if theta >= 0.0 else -1.0) / (abs(theta) + math.sqrt(theta * theta + 1.0))
                c = 1.0 / math.sqrt(t * t + 1.0)
                s = t * c
                for m in range(4):
                    x, y = k[m, a], k[m, b]
                    k[m, a], k[m, b] = c * x - s * y, s * x + c * y
                for m in range(4):
                    x, y = k[a, m], k[b, m]
                    k[a, m], k[b, m] = c * x - s * y, s * x + c * y
                for m in range(4):
                    x, y = v[m, a], v[m, b]
                    v[m, a], v[m, b] = c * x - s * y, s * x + c * y
    best = 0
    for a in range(1, 4):
        if k[a, a] > k[best, best]:
            best = a
    sign = -1.0 if v[0, best] < 0.0 else 1.0
    for a in range(4):
        vector[a] = sign * v[a, best]
    return k[best, best]


@plain_kernel
def _turn(t, x, y, z):  # type: ignore[no-untyped-def]
    """R (x, y, z), by the quaternion t[:4]."""
    # point + 2 w (v x point) + 2 v x (v x point)
    a, b, c = t[2] * z - t[3] * y, t[3] * x - t[1] * z, t[1] * y - t[2] * x
    return (
        x + 2.0 * (t[0] * a + t[2] * c - t[3] * b),
        y + 2.0 * (t[0] * b + t[3] * a - t[1] * c),
        z + 2.0 * (t[0] * c + t[1] * b - t[2] * a),
    )


@plain_kernel
def _apply(t, x, y, z):  # type: ignore[no-untyped-def]
    """s R (x, y, z) + t."""
    a, b, c = _turn(t, x, y, z)
    return t[4] * a + t[5], t[4] * b + t[6], t[4] * c + t[7]


@plain_kernel
def _undo(t, x, y, z):  # type: ignore[no-untyped-def]
    """R'((x, y, z) - t) / s."""
    x, y, z = (x - t[5]) / t[4], (y - t[6]) / t[4], (z - t[7]) / t[4]
    a, b, c = t[2] * z - t[3] * y, t[3] * x - t[1] * z, t[1] * y - t[2] * x
    return (
        x - 2.0 * (t[0] * a - t[2] * c + t[3] * b),
        y - 2.0 * (t[0] * b - t[3] * a + t[1] * c),
        z - 2.0 * (t[0] * c - t[1] * b + t[2] * a),
    )


@inlined
def _length(x, y, z):  # type: ignore[no-untyped-def]
    return math.sqrt(x * x + y * y + z * z)


@plain_kernel
def _distances(p, g, free, t, scratch):  # type: ignore[no-untyped-def]
    """Fill scratch[1] with the distances of s R p + t from g at free joints; returns their sum."""
    total = 0.0
    for k in range(p.shape[0]):
        x, y, z = _apply(t, p[k, 0], p[k, 1], p[k, 2])
        distance = _length(x - g[k, 0], y - g[k, 1], z - g[k, 2]) if free[k] else 0.0
        scratch[1, k] = distance
        total += distance
    return total


@plain_kernel
def _mean_distance(p, g, usable):  # type: ignore[no-untyped-def]
    total, count = 0.0, 0
    for k in range(p.shape[0]):
        if usable[k]:
            total += _length(p[k, 0] - g[k, 0], p[k, 1] - g[k, 1], p[k, 2] - g[k, 2])
            count += 1
    return total / max(count, 1)


@plain_kernel
def _exchange(p, usable, partners, code, out):  # type: ignore[no-untyped-def]
    """Fill out (K, 3) with p, the sides of the parts in `code` exchanged where both joints are there."""
    for k in range(p.shape[0]):
        source = k
        for part in range(partners.shape[0]):
            if (code >> part) & 1 and partners[part, k] != k:
                source = partners[part, k]
        source = source if usable[k] and usable[source] else k
        for a in range(3):
            out[k, a] = p[source, a]


@plain_kernel
def _mark_torn(p, g, usable, free, transform, bones, scratch, torn):  # type: ignore[no-untyped-def]
    """Mark the joints that are torn off, the farthest first; returns whether there is one."""
    n_joints = p.shape[0]
    _distances(p, g, free, transform, scratch)
    farthest = 0.0
    count = 0
    for k in range(n_joints):
        if free[k]:
            # Sorted as they come, into scratch[2].
            at = count
            while at > 0 and scratch[2, at - 1] > scratch[1, k]:
                scratch[2, at] = scratch[2, at - 1]
                at -= 1
            scratch[2, at] = scratch[1, k]
            farthest = max(farthest, scratch[1, k])
            count += 1
    if count <= _FEWEST:
        return False
    least = max(_TORN_FAR, _TORN_RATIO * 0.5 * (scratch[2, (count - 1) // 2] + scratch[2, count // 2]))
    if farthest <= least:
        return False
    found = 0
    while found < _MOST_TORN:
        worst = -1
        for k in range(n_joints):
            if free[k] and not torn[k] and scratch[1, k] > least and (worst < 0 or scratch[1, k] > scratch[1, worst]):
                worst = k if _bone_off(p, g, usable, transform, bones, k) else worst
        if worst < 0:
            break
        torn[worst] = True
        found += 1
    return found > 0


@plain_kernel
def _bone_off(p, g, usable, transform, bones, joint):  # type: ignore[no-untyped-def]
    """Whether a bone at a joint has another length than it should, the pose's scale aside; true where there is none."""
    boneless = True
    for b in range(bones.shape[0]):
        i, j = bones[b, 0], bones[b, 1]
        if (i != joint and j != joint) or not (usable[i] and usable[j]):
            continue
        boneless = False
        length = _length(g[i, 0] - g[j, 0], g[i, 1] - g[j, 1], g[i, 2] - g[j, 2])
        found = transform[4] * _length(p[i, 0] - p[j, 0], p[i, 1] - p[j, 1], p[i, 2] - p[j, 2])
        if abs(found - length) > _TORN_BONE * length:
            return True
    return boneless


__all__: list[Any] = ["fit_poses", "share_out"]
