"""Compiled closed forms: every aligned error of a pose in one pass over its joints, without an SVD.

The rotation is Horn's (1987): the unit quaternion that maximises q'Kq, K a symmetric 4x4 matrix made of the
cross-covariance of the two centred poses. Its largest eigenvalue is the largest root of a quartic, found by Newton's
method from above (Theobald 2005, Acta Cryst. A61); its eigenvector is a column of the adjugate of K - lambda I,
sharpened by a Rayleigh quotient step. Each eigenvector is *certified* by its residual against a lower bound of the
spectral gap; poses that fail (collinear, mirrored, nearly ambiguous) are flagged for the SVD twin in `reference`.

Poses go through in blocks of `LANES`, coordinates laid out as (joint, lane): every loop runs over the lanes of a block
and becomes vector instructions. Everything is float64, whatever comes in. The functions release the GIL;
`posebench.kernels` runs them on chunks of poses in threads, so results do not depend on the number of threads.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from posebench.kernels.compiling import inlined, kernel, plain_kernel
from posebench.kernels.fields import Alignment, PoseFlag

#: Poses per block: long loops over lanes, and coordinates that stay close to the first-level cache.
LANES = 64

_NONE = int(Alignment.NONE)
_ROOT_X = int(Alignment.ROOT_X)
_ROOT_Y = int(Alignment.ROOT_Y)
_ROOT_Z = int(Alignment.ROOT_Z)
_LEAST_SQUARES = int(Alignment.SCALE_LEAST_SQUARES)
_LEAST_SQUARES_ABSOLUTE = int(Alignment.SCALE_LEAST_SQUARES_ABSOLUTE)
_SCALE_PROCRUSTES = int(Alignment.SCALE_PROCRUSTES)
_NORM_RATIO = int(Alignment.SCALE_NORM_RATIO)
_LEAST_SQUARES_MEAN = int(Alignment.SCALE_LEAST_SQUARES_MEAN)
_SIMILARITY = int(Alignment.SIMILARITY)
_SIMILARITY_REROOTED = int(Alignment.SIMILARITY_REROOTED)
_RIGID_REROOTED = int(Alignment.RIGID_REROOTED)
_PROCRUSTES_NORM_RATIO = int(Alignment.PROCRUSTES_NORM_RATIO)
_REFLECT = int(Alignment.PROCRUSTES_NORM_RATIO_REFLECT)

_UNSCORABLE = int(PoseFlag.UNSCORABLE)
_ROOT_INVALID = int(PoseFlag.ROOT_INVALID)
_MISSING = int(PoseFlag.MISSING)
_DEGENERATE = int(PoseFlag.DEGENERATE)
_NEGATIVE_SCALE = int(PoseFlag.NEGATIVE_SCALE)
_NEEDS_SVD = int(PoseFlag.NEEDS_SVD)
_BAD_GROUND_TRUTH = int(PoseFlag.BAD_GROUND_TRUTH)
_MASKED = int(PoseFlag.MASKED)
#: Poses whose errors are not the regular ones.
_IRREGULAR = _UNSCORABLE | _MISSING | _BAD_GROUND_TRUTH

#: Largest angle (rad) by which a certified rotation may be off: 1e-9 x |g - mean g| is promised for PMPJPE.
_ANGLE_TOLERANCE = 5e-12
#: Joints spread less than this share of their largest coordinate coincide (rounding of one point).
_COINCIDENT = 1e-14


@kernel
def aligned_errors(  # type: ignore[no-untyped-def]
    pred, gt, valid, has_mask, pred_roots, gt_roots, root_valid, pred_unit, gt_unit, alignments, out, flags
):
    """Error fields of a chunk of poses under several alignments, in one pass.

    pred, gt (N, 3 K), the joints that count; valid (N, K) bool, read if has_mask; pred_roots, gt_roots (N, 3), zeros
    to leave a side as it is; root_valid (N,) bool, of the ground truth; pred_unit, gt_unit factors to mm; alignments
    (F,) `Alignment` codes; out (F, N, K) float64 and flags (N,) uint16 are filled. Rows flagged NEEDS_SVD are left to
    the SVD twin.
    """
    n_joints = out.shape[2]
    n_fields = alignments.shape[0]
    wants_rotation = False
    wants_fit = False
    wants_root = False
    for f in range(n_fields):
        code = alignments[f]
        wants_rotation |= code >= _SIMILARITY or code == _SCALE_PROCRUSTES
        wants_fit |= code >= _LEAST_SQUARES
        wants_root |= _is_rooted(code)
    p = np.empty((3 * n_joints, LANES))
    g = np.empty((3 * n_joints, LANES))
    weight = np.ones((n_joints, LANES))
    count = np.full(LANES, float(n_joints))
    first = np.zeros(LANES, np.int64)
    p_start, g_start = np.empty((3, LANES)), np.empty((3, LANES))
    p_mean, g_mean = np.empty((3, LANES)), np.empty((3, LANES))
    p_root, g_root = np.zeros((3, LANES)), np.zeros((3, LANES))
    p_offset, g_offset = np.empty((3, LANES)), np.empty((3, LANES))
    p_square, g_square = np.empty(LANES), np.empty(LANES)
    flag = np.empty(LANES, np.int64)
    h = np.empty((9, LANES))
    trace = np.empty(LANES)
    quaternion = np.zeros((4, LANES))
    scale = np.empty(LANES)
    affine = np.empty((12, LANES))
    errors = np.empty((n_joints, LANES))
    for start in range(0, pred.shape[0], LANES):
        lanes = min(LANES, pred.shape[0] - start)
        if has_mask:
            _read_mask(valid, start, lanes, weight, count, first)
        _load(gt, start, lanes, gt_unit, has_mask, weight, count, first, g, g_start, g_mean, g_square)
        _load(pred, start, lanes, pred_unit, has_mask, weight, count, first, p, p_start, p_mean, p_square)
        _read_roots(gt_roots, root_valid, start, lanes, gt_unit, g_root)
        if wants_root:
            _read_roots(pred_roots, root_valid, start, lanes, pred_unit, p_root)
        for lane in range(LANES):
            # NaN where a valid joint or the root is not finite.
            root_check = 0.0 * (g_root[0, lane] + g_root[1, lane] + g_root[2, lane]) if wants_root else 0.0
            g_check = g_square[lane] + root_check
            p_check = p_square[lane] + 0.0 * (p_root[0, lane] + p_root[1, lane] + p_root[2, lane])
            # Two joints or more can coincide. One alone has no shape to fit, but a place.
            several = count[lane] > 1.0
            noticed = _DEGENERATE if several and p_square[lane] == 0.0 else 0
            noticed = noticed if p_check < np.inf else _MISSING
            noticed = noticed if g_check < np.inf else _BAD_GROUND_TRUTH
            noticed = noticed if count[lane] > 0.0 and not (several and g_square[lane] == 0.0) else _UNSCORABLE
            flag[lane] = noticed | (_MASKED if count[lane] < n_joints else 0)
        for lane in range(lanes):
            # The root alone, centred on itself, would be perfect whatever is predicted.
            x, y, z = (
                g_start[0, lane] - g_root[0, lane],
                g_start[1, lane] - g_root[1, lane],
                g_start[2, lane] - g_root[2, lane],
            )
            if not root_valid[start + lane] or (count[lane] == 1.0 and x == 0.0 and y == 0.0 and z == 0.0):
                flag[lane] |= _ROOT_INVALID
        if wants_fit:
            _covariance(p, g, p_mean, g_mean, count, h)
        if wants_rotation:
            _solve(h, p_square, g_square, trace, quaternion)
            for lane in range(lanes):
                if trace[lane] < 0.0 and p_square[lane] > 0.0 and g_square[lane] > 0.0 and not flag[lane] & _IRREGULAR:
                    flag[lane] |= _NEEDS_SVD
        for f in range(n_fields):
            code = alignments[f]
            _offsets(code, p_start, p_mean, p_root, g_root, p_offset)
            _offsets(code, g_start, g_mean, g_root, g_root, g_offset)
            _scales(code, p_mean, g_mean, p_offset, g_offset, p_square, g_square, count, h, trace, scale)
            _affine(code, p_offset, g_offset, scale, quaternion, affine)
            for lane in range(lanes):
                if scale[lane] < 0.0 and not flag[lane] & _IRREGULAR:
                    flag[lane] |= _NEGATIVE_SCALE
                if code == _REFLECT and p_square[lane] > 0.0 and g_square[lane] > 0.0 and not flag[lane] & _IRREGULAR:
                    flag[lane] |= _NEEDS_SVD
            _distances(code, p, g, affine, errors)
            rooted = _is_rooted(code)
            about_mean = code == _SCALE_PROCRUSTES or code >= _LEAST_SQUARES_MEAN
            for lane in range(lanes):
                i = start + lane
                lost = (rooted and flag[lane] & _ROOT_INVALID) or (about_mean and g_square[lane] == 0.0)
                if flag[lane] & _IRREGULAR or lost:
                    for k in range(n_joints):
                        out[f, i, k] = np.nan
                elif flag[lane] & _MASKED:
                    for k in range(n_joints):
                        out[f, i, k] = errors[k, lane] if weight[k, lane] > 0.0 else np.nan
                else:
                    for k in range(n_joints):
                        out[f, i, k] = errors[k, lane]
        for lane in range(lanes):
            i = start + lane
            flags[i] = flag[lane]
            if flag[lane] & _MISSING:
                _incomplete(pred, gt, i, lane, weight, flag[lane], p_root, g_root, pred_unit, gt_unit, alignments, out)


@plain_kernel
def _is_rooted(code):  # type: ignore[no-untyped-def]
    """Compiled twin of `Alignment.needs_root`."""
    return code != _NONE and (code <= _NORM_RATIO or code == _SIMILARITY_REROOTED or code == _RIGID_REROOTED)


@plain_kernel
def _read_mask(valid, start, lanes, weight, count, first):  # type: ignore[no-untyped-def]
    """Weights (K, L) of 1 and 0, their number and the first valid joint of each pose of a block."""
    for lane in range(LANES):
        i = start + min(lane, lanes - 1)
        count[lane] = 0.0
        first[lane] = 0
        for k in range(weight.shape[0] - 1, -1, -1):
            if valid[i, k]:
                weight[k, lane] = 1.0
                count[lane] += 1.0
                first[lane] = k
            else:
                weight[k, lane] = 0.0


@plain_kernel
def _read_roots(roots, is_valid, start, lanes, unit, block):  # type: ignore[no-untyped-def]
    """Fill block (3, L) with the roots (N, 3) of a block of poses in mm, zero where the ground truth's is not valid."""
    for lane in range(LANES):
        i = start + min(lane, lanes - 1)
        for a in range(3):
            value = np.float64(roots[i, a]) * unit
            block[a, lane] = value if is_valid[i] else 0.0


@kernel
def _load(  # type: ignore[no-untyped-def]
    poses, start, lanes, unit, has_mask, weight, count, first, block, origin, mean, square
):
    """Fill block (3 K, L) with a block of poses (N, 3 K) in mm, relative to the first valid joint of each.

    origin (3, L) gets that joint, mean (3, L) the mean of the block's joints, square (L,) the sum of squares about the
    mean: NaN if a valid joint is not finite, exactly 0 if all coincide. Masked joints are put at the origin.
    Coordinates are not moved to the mean, so that whole millimetres stay whole, and an error of exactly 150 mm is not
    below 150; sums about the mean come from sums about the origin, which lies among the joints, so little cancels.
    """
    n_joints = weight.shape[0]
    reach = np.zeros(LANES)
    for lane in range(LANES):
        i = start + min(lane, lanes - 1)  # a block that is not full repeats its last pose
        for m in range(3 * n_joints):
            block[m, lane] = np.float64(poses[i, m]) * unit
        for a in range(3):
            origin[a, lane] = block[3 * first[lane] + a, lane]
        square[lane] = 0.0
    for a in range(3):
        for lane in range(LANES):
            mean[a, lane] = 0.0
            reach[lane] = max(reach[lane], abs(origin[a, lane]))
        for k in range(n_joints):
            if has_mask:
                for lane in range(LANES):
                    value = block[3 * k + a, lane] - origin[a, lane]
                    block[3 * k + a, lane] = value if weight[k, lane] > 0.0 else 0.0
            else:
                for lane in range(LANES):
                    block[3 * k + a, lane] -= origin[a, lane]
            for lane in range(LANES):
                value = block[3 * k + a, lane]
                mean[a, lane] += value
                square[lane] += value * value
        for lane in range(LANES):
            mean[a, lane] /= max(count[lane], 1.0)
            square[lane] -= count[lane] * mean[a, lane] * mean[a, lane]
    for lane in range(LANES):
        least = _COINCIDENT * reach[lane]
        if square[lane] <= count[lane] * least * least:
            square[lane] = 0.0


@kernel
def _covariance(p, g, p_mean, g_mean, count, h):  # type: ignore[no-untyped-def]
    """h (9, L): the cross-covariance sum (p - mean p) (g - mean g)' of each lane, row by row."""
    for a in range(3):
        x, y, z = 3 * a, 3 * a + 1, 3 * a + 2
        for lane in range(LANES):
            value = count[lane] * p_mean[a, lane]
            h[x, lane] = -value * g_mean[0, lane]
            h[y, lane] = -value * g_mean[1, lane]
            h[z, lane] = -value * g_mean[2, lane]
        for k in range(p.shape[0] // 3):
            for lane in range(LANES):
                value = p[3 * k + a, lane]
                h[x, lane] += value * g[3 * k, lane]
                h[y, lane] += value * g[3 * k + 1, lane]
                h[z, lane] += value * g[3 * k + 2, lane]


@inlined
def _adjugate(a00, a01, a02, a03, a11, a12, a13, a22, a23, a33):  # type: ignore[no-untyped-def]
    """Upper triangle of the adjugate of a symmetric 4x4 matrix, and its determinant, by 2x2 minors."""
    s0 = a00 * a11 - a01 * a01
    s1 = a00 * a12 - a01 * a02
    s2 = a00 * a13 - a01 * a03
    s3 = a01 * a12 - a11 * a02
    s4 = a01 * a13 - a11 * a03
    s5 = a02 * a13 - a12 * a03
    c5 = a22 * a33 - a23 * a23
    c4 = a12 * a33 - a13 * a23
    c3 = a12 * a23 - a13 * a22
    c2 = a02 * a33 - a03 * a23
    c1 = a02 * a23 - a03 * a22
    c0 = a02 * a13 - a03 * a12
    determinant = s0 * c5 - s1 * c4 + s2 * c3 + s3 * c2 - s4 * c1 + s5 * c0
    return (
        a11 * c5 - a12 * c4 + a13 * c3,
        -a01 * c5 + a02 * c4 - a03 * c3,
        a13 * s5 - a23 * s4 + a33 * s3,
        -a12 * s5 + a22 * s4 - a23 * s3,
        a00 * c5 - a02 * c2 + a03 * c1,
        -a03 * s5 + a23 * s2 - a33 * s1,
        a02 * s5 - a22 * s2 + a23 * s1,
        a03 * s4 - a13 * s2 + a33 * s0,
        -a02 * s4 + a12 * s2 - a23 * s0,
        a02 * s3 - a12 * s1 + a22 * s0,
        determinant,
    )


@kernel
def _solve(h, p_square, g_square, trace, quaternion):  # type: ignore[no-untyped-def]
    """Best rotation of each lane: quaternion (4, L), and trace (L,) of R H for unit-norm poses; -1 if not certified.

    With singular values s1 >= s2 >= s3 of H and d = +-1, K has the eigenvalues s1 + s2 + d s3 (sought),
    s1 - s2 - d s3, -s1 + s2 - d s3, -s1 - s2 + d s3; the gap to the second is 2 (s2 + d s3).
    """
    k = np.empty((10, LANES))  # upper triangle of K: 00 01 02 03 11 12 13 22 23 33
    c2, c1, c0 = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    residual = np.empty(LANES)
    for lane in range(LANES):
        # Two roots, not one of the product: poses of 1e-3 and of 1e6 mm stay inside float64's range.
        size = math.sqrt(p_square[lane]) * math.sqrt(g_square[lane])
        unit = 1.0 / size if size > 0.0 else 0.0
        hxx, hxy, hxz = h[0, lane] * unit, h[1, lane] * unit, h[2, lane] * unit
        hyx, hyy, hyz = h[3, lane] * unit, h[4, lane] * unit, h[5, lane] * unit
        hzx, hzy, hzz = h[6, lane] * unit, h[7, lane] * unit, h[8, lane] * unit
        k[0, lane] = hxx + hyy + hzz
        k[1, lane] = hyz - hzy
        k[2, lane] = hzx - hxz
        k[3, lane] = hxy - hyx
        k[4, lane] = hxx - hyy - hzz
        k[5, lane] = hxy + hyx
        k[6, lane] = hzx + hxz
        k[7, lane] = hyy - hxx - hzz
        k[8, lane] = hyz + hzy
        k[9, lane] = hzz - hxx - hyy
        # det(K - v I) = v^4 + c2 v^2 + c1 v + c0
        c2[lane] = -2.0 * (
            hxx * hxx + hxy * hxy + hxz * hxz + hyx * hyx + hyy * hyy + hyz * hyz + hzx * hzx + hzy * hzy + hzz * hzz
        )
        c1[lane] = -8.0 * (
            hxx * (hyy * hzz - hyz * hzy) - hxy * (hyx * hzz - hyz * hzx) + hxz * (hyx * hzy - hyy * hzx)
        )
        c0[lane] = _adjugate(
            k[0, lane], k[1, lane], k[2, lane], k[3, lane], k[4, lane],
            k[5, lane], k[6, lane], k[7, lane], k[8, lane], k[9, lane],
        )[10]  # fmt: skip
        # Unit norms bound every eigenvalue by 1, and Newton from above falls onto the largest root monotonically.
        trace[lane] = 1.0
    # Every lane stops where it alone would stop: a pose's errors do not depend on its neighbours in the block.
    moving = np.ones(LANES)
    for _ in range(24):
        still = 0.0
        for lane in range(LANES):
            value = trace[lane]
            b = (value * value + c2[lane]) * value
            a = b + c1[lane]
            slope = 2.0 * value * value * value + b + a
            step = (a * value + c0[lane]) / slope
            # Past the root by rounding, or without a slope: stay, and let the certificate judge.
            step = step if slope > 0.0 and step > 0.0 and moving[lane] > 0.0 else 0.0
            trace[lane] = value - step
            moving[lane] = 1.0 if step >= 1e-9 else 0.0  # quadratic: the next step would be below rounding
            still += moving[lane]
        if still == 0.0:
            break
    # First the column at Newton's root, then at its Rayleigh quotient, whose error is the square of the column's.
    for lane in range(LANES):
        residual[lane] = 1.0
    for _ in range(3):
        uncertain = 0.0
        for lane in range(LANES):
            a00, a01, a02, a03 = k[0, lane], k[1, lane], k[2, lane], k[3, lane]
            a11, a12, a13 = k[4, lane], k[5, lane], k[6, lane]
            a22, a23, a33 = k[7, lane], k[8, lane], k[9, lane]
            value = trace[lane]
            b00, b01, b02, b03, b11, b12, b13, b22, b23, b33, _ = _adjugate(
                a00 - value, a01, a02, a03, a11 - value, a12, a13, a22 - value, a23, a33 - value
            )
            # The column with the largest diagonal entry.
            w, x, y, z, largest = b00, b01, b02, b03, abs(b00)
            take = abs(b11) > largest
            w, x, y, z = b01 if take else w, b11 if take else x, b12 if take else y, b13 if take else z
            largest = max(largest, abs(b11))
            take = abs(b22) > largest
            w, x, y, z = b02 if take else w, b12 if take else x, b22 if take else y, b23 if take else z
            largest = max(largest, abs(b22))
            take = abs(b33) > largest
            w, x, y, z = b03 if take else w, b13 if take else x, b23 if take else y, b33 if take else z
            norm = math.sqrt(w * w + x * x + y * y + z * z)
            inverse = 1.0 / norm if norm > 0.0 else 0.0
            w, x, y, z = w * inverse, x * inverse, y * inverse, z * inverse
            kw = a00 * w + a01 * x + a02 * y + a03 * z
            kx = a01 * w + a11 * x + a12 * y + a13 * z
            ky = a02 * w + a12 * x + a22 * y + a23 * z
            kz = a03 * w + a13 * x + a23 * y + a33 * z
            value = w * kw + x * kx + y * ky + z * kz
            rw, rx, ry, rz = kw - value * w, kx - value * x, ky - value * y, kz - value * z
            # Minus the adjugate's trace is the slope of the quartic: the product of the eigenvalue's three gaps. Two of
            # them are at most 4 s1 <= 4 |H| each, so slope / (16 |H|^2) bounds the smallest from below, and the angle
            # is at most 2 residual / gap; -2 |H|^2 is c2.
            slope = -(b00 + b11 + b22 + b33)
            angle = -16.0 * c2[lane] * math.sqrt(rw * rw + rx * rx + ry * ry + rz * rz)
            doubt = angle - _ANGLE_TOLERANCE * slope
            # All derivatives positive: none of the quartic's roots, all of them real, lies above this one (Budan).
            doubt = doubt if value > 0.0 and 6.0 * value * value + c2[lane] > 0.0 else 1.0
            # (s2 + d s3) / s1 <= 1e-6 would make the slope at most 32e-6 s1^3, and s1 <= |H| <= 1.
            doubt = doubt if slope > -16e-6 * c2[lane] else 1.0
            better = residual[lane] > 0.0
            quaternion[0, lane] = w if better else quaternion[0, lane]
            quaternion[1, lane] = x if better else quaternion[1, lane]
            quaternion[2, lane] = y if better else quaternion[2, lane]
            quaternion[3, lane] = z if better else quaternion[3, lane]
            trace[lane] = value if better else trace[lane]
            residual[lane] = doubt if better else residual[lane]
            uncertain += 1.0 if residual[lane] > 0.0 else 0.0
        if uncertain == 0.0:
            break
    for lane in range(LANES):
        certified = residual[lane] <= 0.0
        trace[lane] = trace[lane] if certified else -1.0


@kernel
def _offsets(code, origin, mean, root, g_root, offset):  # type: ignore[no-untyped-def]
    """offset (3, L): what an alignment adds to a side's coordinates before anything else.

    About the mean, unless the roots or the positions are to count.
    """
    for a in range(3):
        if code == _NONE:
            for lane in range(LANES):
                offset[a, lane] = origin[a, lane]
        elif code == _LEAST_SQUARES_ABSOLUTE:
            for lane in range(LANES):
                offset[a, lane] = origin[a, lane] - root[a, lane] + g_root[a, lane]
        elif _is_rooted(code):
            for lane in range(LANES):
                offset[a, lane] = origin[a, lane] - root[a, lane]
        else:
            for lane in range(LANES):
                offset[a, lane] = -mean[a, lane]


@kernel
def _scales(  # type: ignore[no-untyped-def]
    code, p_mean, g_mean, p_offset, g_offset, p_square, g_square, count, h, trace, scale
):
    """scale (L,) of an alignment; 0 is the limit where all of p lies in one point, and no scale spreads it."""
    if code < _LEAST_SQUARES:
        for lane in range(LANES):
            scale[lane] = 1.0
    elif code < _SIMILARITY and code != _SCALE_PROCRUSTES:
        for lane in range(LANES):
            # Sums over joints are sums about the mean, and count times those of the mean joint.
            px, py = p_offset[0, lane] + p_mean[0, lane], p_offset[1, lane] + p_mean[1, lane]
            pz = p_offset[2, lane] + p_mean[2, lane]
            gx, gy = g_offset[0, lane] + g_mean[0, lane], g_offset[1, lane] + g_mean[1, lane]
            gz = g_offset[2, lane] + g_mean[2, lane]
            p_all = p_square[lane] + count[lane] * (px * px + py * py + pz * pz)
            g_all = g_square[lane] + count[lane] * (gx * gx + gy * gy + gz * gz)
            cross = h[0, lane] + h[4, lane] + h[8, lane] + count[lane] * (px * gx + py * gy + pz * gz)
            size = math.sqrt(g_all / p_all) if code == _NORM_RATIO else cross / p_all
            scale[lane] = size if p_all > 0.0 else 0.0
    else:
        for lane in range(LANES):
            ratio = math.sqrt(g_square[lane] / p_square[lane])
            if code == _SCALE_PROCRUSTES or code == _SIMILARITY or code == _SIMILARITY_REROOTED:
                ratio *= max(trace[lane], 0.0)
            elif code < _PROCRUSTES_NORM_RATIO:  # rigid
                ratio = 1.0
            scale[lane] = ratio if p_square[lane] > 0.0 else 0.0


@kernel
def _affine(code, p_offset, g_offset, scale, quaternion, affine):  # type: ignore[no-untyped-def]
    """affine (12, L): A and t of error_k = |A p_k + t - g_k| = |scale R (p_k + p_offset) - (g_k + g_offset)|."""
    if code < _SIMILARITY:
        for j in range(9):
            for lane in range(LANES):
                affine[j, lane] = scale[lane] if j % 4 == 0 else 0.0
    else:
        for lane in range(LANES):
            w, x, y, z = quaternion[0, lane], quaternion[1, lane], quaternion[2, lane], quaternion[3, lane]
            size = scale[lane]
            affine[0, lane] = size * (w * w + x * x - y * y - z * z)
            affine[1, lane] = size * 2.0 * (x * y - w * z)
            affine[2, lane] = size * 2.0 * (x * z + w * y)
            affine[3, lane] = size * 2.0 * (x * y + w * z)
            affine[4, lane] = size * (w * w - x * x + y * y - z * z)
            affine[5, lane] = size * 2.0 * (y * z - w * x)
            affine[6, lane] = size * 2.0 * (x * z - w * y)
            affine[7, lane] = size * 2.0 * (y * z + w * x)
            affine[8, lane] = size * (w * w - x * x - y * y + z * z)
    for a in range(3):
        x, y, z = 3 * a, 3 * a + 1, 3 * a + 2
        for lane in range(LANES):
            moved = affine[x, lane] * p_offset[0, lane] + affine[y, lane] * p_offset[1, lane]
            affine[9 + a, lane] = moved + affine[z, lane] * p_offset[2, lane] - g_offset[a, lane]


@kernel
def _distances(code, p, g, affine, errors):  # type: ignore[no-untyped-def]
    """errors (K, L): length of A p_k + t - g_k, or of its part along one axis."""
    vx = 0.0 if code == _ROOT_Y or code == _ROOT_Z else 1.0
    vy = 0.0 if code == _ROOT_X or code == _ROOT_Z else 1.0
    vz = 0.0 if code == _ROOT_X or code == _ROOT_Y else 1.0
    for k in range(errors.shape[0]):
        x, y, z = 3 * k, 3 * k + 1, 3 * k + 2
        for lane in range(LANES):
            px, py, pz = p[x, lane], p[y, lane], p[z, lane]
            ex = affine[0, lane] * px + affine[1, lane] * py + affine[2, lane] * pz + affine[9, lane] - g[x, lane]
            ey = affine[3, lane] * px + affine[4, lane] * py + affine[5, lane] * pz + affine[10, lane] - g[y, lane]
            ez = affine[6, lane] * px + affine[7, lane] * py + affine[8, lane] * pz + affine[11, lane] - g[z, lane]
            ex, ey, ez = vx * ex, vy * ey, vz * ez
            errors[k, lane] = math.sqrt(ex * ex + ey * ey + ez * ez)


@kernel
def _incomplete(  # type: ignore[no-untyped-def]
    pred, gt, i, lane, weight, flag, p_root, g_root, pred_unit, gt_unit, alignments, out
):
    """Errors of a pose whose prediction lacks a joint that the ground truth holds.

    Without a fit the joints that are there keep their errors. A fit over fewer joints could flatter the rest, so under
    a fitted alignment every joint of the pose counts as missing: a missing joint never raises a score.
    """
    for f in range(alignments.shape[0]):
        code = alignments[f]
        rooted = _is_rooted(code)
        for k in range(weight.shape[0]):
            if weight[k, lane] == 0.0 or (rooted and flag & _ROOT_INVALID):
                out[f, i, k] = np.nan
                continue
            out[f, i, k] = np.inf
            if code >= _LEAST_SQUARES:
                continue
            total = 0.0
            check = 0.0  # NaN if a coordinate is not finite
            for a in range(3):
                part = np.float64(pred[i, 3 * k + a]) * pred_unit - np.float64(gt[i, 3 * k + a]) * gt_unit
                if rooted:
                    part -= p_root[a, lane] - g_root[a, lane]
                check += part * 0.0
                if code < _ROOT_X or code == _ROOT_X + a:
                    total += part * part
            if check == 0.0:
                out[f, i, k] = math.sqrt(total)


__all__: list[Any] = ["LANES", "aligned_errors"]
