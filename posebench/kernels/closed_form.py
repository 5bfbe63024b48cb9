"""Compiled closed forms: every aligned error of a pose in one pass over its joints, without an SVD.

The rotation is Horn's (1987): the unit quaternion that maximises q'Kq, K a symmetric 4x4 matrix made of the
cross-covariance of the two centred poses. Its largest eigenvalue is the largest root of a quartic, found by Newton's
method from above (Theobald 2005, Acta Cryst. A61); its eigenvector is a column of the adjugate of K - lambda I,
sharpened by one Rayleigh quotient step. Each eigenvector is *certified* by its residual against a lower bound of the
spectral gap; poses that fail (collinear, mirrored, nearly ambiguous) are flagged for the SVD twin in `reference`.

Everything is computed in float64 whatever comes in. The functions release the GIL; `posebench.kernels` runs them on
chunks of poses in threads, so results do not depend on the number of threads.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from posebench.kernels.fields import Alignment, PoseFlag

# NaN and infinity mark missing joints, so the flags that assume them away ("nnan", "ninf") stay out.
_FASTMATH = {"reassoc", "contract", "arcp", "nsz"}

_ROOT = int(Alignment.ROOT)
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
_RIGID = int(Alignment.RIGID)
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

#: Largest angle (rad) by which a certified rotation may be off: 1e-9 x |g - mean g| is promised for PMPJPE.
_ANGLE_TOLERANCE = 5e-12
#: Joints spread less than this share of their largest coordinate coincide (rounding of one point).
_COINCIDENT = 1e-14


@njit(nogil=True, cache=True, fastmath=_FASTMATH, error_model="numpy", inline="always")
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


@njit(nogil=True, cache=True, fastmath=_FASTMATH, error_model="numpy", inline="always")
def _eigenvector(a00, a01, a02, a03, a11, a12, a13, a22, a23, a33, value):  # type: ignore[no-untyped-def]
    """Unit eigenvector for a known simple eigenvalue: the column of adj(A - value I) with the largest diagonal."""
    b00, b01, b02, b03, b11, b12, b13, b22, b23, b33, _ = _adjugate(
        a00 - value, a01, a02, a03, a11 - value, a12, a13, a22 - value, a23, a33 - value
    )
    w, x, y, z = b00, b01, b02, b03
    largest = abs(b00)
    if abs(b11) > largest:
        largest = abs(b11)
        w, x, y, z = b01, b11, b12, b13
    if abs(b22) > largest:
        largest = abs(b22)
        w, x, y, z = b02, b12, b22, b23
    if abs(b33) > largest:
        largest = abs(b33)
        w, x, y, z = b03, b13, b23, b33
    norm = math.sqrt(w * w + x * x + y * y + z * z)
    inverse = 1.0 / norm if norm > 0.0 else 0.0
    # The trace of the adjugate is the product of the three spectral gaps, up to sign.
    return w * inverse, x * inverse, y * inverse, z * inverse, abs(b00 + b11 + b22 + b33)


@njit(nogil=True, cache=True, fastmath=_FASTMATH, error_model="numpy")
def _quaternion(hxx, hxy, hxz, hyx, hyy, hyz, hzx, hzy, hzz):  # type: ignore[no-untyped-def]
    """Best rotation for the cross-covariance H = sum p g' of two unit-norm poses: (trace(R H), w, x, y, z).

    The trace is -1 where the quaternion could not be certified. With singular values s1 >= s2 >= s3 of H and d = +-1,
    K has the eigenvalues s1 + s2 + d s3 (sought), s1 - s2 - d s3, -s1 + s2 - d s3, -s1 - s2 + d s3; the gap to the
    second is 2 (s2 + d s3).
    """
    a00 = hxx + hyy + hzz
    a01 = hyz - hzy
    a02 = hzx - hxz
    a03 = hxy - hyx
    a11 = hxx - hyy - hzz
    a12 = hxy + hyx
    a13 = hzx + hxz
    a22 = hyy - hxx - hzz
    a23 = hyz + hzy
    a33 = hzz - hxx - hyy
    # det(K - v I) = v^4 + c2 v^2 + c1 v + c0
    c2 = -2.0 * (
        hxx * hxx + hxy * hxy + hxz * hxz + hyx * hyx + hyy * hyy + hyz * hyz + hzx * hzx + hzy * hzy + hzz * hzz
    )
    c1 = -8.0 * (hxx * (hyy * hzz - hyz * hzy) - hxy * (hyx * hzz - hyz * hzx) + hxz * (hyx * hzy - hyy * hzx))
    c0 = _adjugate(a00, a01, a02, a03, a11, a12, a13, a22, a23, a33)[10]
    # Unit norms bound every eigenvalue by 1, and Newton from above falls onto the largest root monotonically.
    value = 1.0
    converged = False
    for _ in range(24):
        b = (value * value + c2) * value
        a = b + c1
        slope = 2.0 * value * value * value + b + a
        if slope <= 0.0:
            break
        step = (a * value + c0) / slope
        value -= step
        if abs(step) < 1e-9 * value:  # quadratic convergence: the next step would be below rounding
            converged = True
            break
    if not converged or value <= 0.0:
        return -1.0, 1.0, 0.0, 0.0, 0.0
    # First the column at Newton's root, then at its Rayleigh quotient, whose error is the square of the column's.
    w, x, y, z = 0.0, 0.0, 0.0, 0.0
    certified = False
    for _ in range(3):
        w, x, y, z, gaps = _eigenvector(a00, a01, a02, a03, a11, a12, a13, a22, a23, a33, value)
        kw = a00 * w + a01 * x + a02 * y + a03 * z
        kx = a01 * w + a11 * x + a12 * y + a13 * z
        ky = a02 * w + a12 * x + a22 * y + a23 * z
        kz = a03 * w + a13 * x + a23 * y + a33 * z
        value = w * kw + x * kx + y * ky + z * kz
        rw, rx, ry, rz = kw - value * w, kx - value * x, ky - value * y, kz - value * z
        residual = math.sqrt(rw * rw + rx * rx + ry * ry + rz * rz)
        # The two larger gaps are at most 4 s1 <= 4 value each, so gaps / (16 value^2) bounds the smallest below.
        if 2.0 * residual * 16.0 * value * value <= _ANGLE_TOLERANCE * gaps:
            certified = True
            break
    if not certified or value <= 0.0:
        return -1.0, 1.0, 0.0, 0.0, 0.0
    return value, w, x, y, z


@njit(nogil=True, cache=True, fastmath=_FASTMATH, error_model="numpy", inline="always")
def _centre(raw, count, px, py, pz):  # type: ignore[no-untyped-def]
    """Fill px, py, pz (K,) with the joints minus their mean; returns the mean and |.|^2, NaN if not all are finite.

    The first joint is taken off before the mean is, so that coinciding joints give exactly zero.
    """
    x0, y0, z0 = raw[0], raw[1], raw[2]
    sx, sy, sz = 0.0, 0.0, 0.0
    for k in range(count):
        x = raw[3 * k] - x0
        y = raw[3 * k + 1] - y0
        z = raw[3 * k + 2] - z0
        px[k], py[k], pz[k] = x, y, z
        sx += x
        sy += y
        sz += z
    sx /= count
    sy /= count
    sz /= count
    square = 0.0
    for k in range(count):
        x = px[k] - sx
        y = py[k] - sy
        z = pz[k] - sz
        px[k], py[k], pz[k] = x, y, z
        square += x * x + y * y + z * z
    reach = max(abs(x0), abs(y0), abs(z0)) * _COINCIDENT
    if square <= count * reach * reach:
        square = 0.0
    # Whatever is not finite is not finite in the sum either, and 0 times it is NaN.
    return x0 + sx, y0 + sy, z0 + sz, square + 0.0 * (sx + sy + sz)


@njit(nogil=True, cache=True, fastmath=_FASTMATH, error_model="numpy")
def aligned_errors(  # type: ignore[no-untyped-def]
    pred, gt, valid, has_mask, pred_roots, gt_roots, root_valid, pred_unit, gt_unit, alignments, out, flags
):
    """Error fields of a chunk of poses under several alignments, in one pass.

    pred, gt (N, 3 K), the joints that count; valid (N, K) bool, read if has_mask; pred_roots, gt_roots (N, 3), zeros
    to leave a side as it is; root_valid (N,) bool, of the ground truth; pred_unit, gt_unit factors to mm; alignments
    (F,) `Alignment` codes; out (F, N, K) float64 and flags (N,) uint16 are filled. Rows flagged NEEDS_SVD are left to
    the SVD twin.
    """
    # Every pose runs through the same straight loops over contiguous scratch, which the compiler turns into vector
    # instructions; a branch for masks or joint order inside them costs a factor of two.
    n_joints = out.shape[2]
    n_fields = alignments.shape[0]
    px, py, pz = np.empty(n_joints), np.empty(n_joints), np.empty(n_joints)
    gx, gy, gz = np.empty(n_joints), np.empty(n_joints), np.empty(n_joints)
    raw = np.empty(3 * n_joints)
    errors = np.empty(n_joints)
    slots = np.arange(n_joints)
    wants_rotation = False
    wants_scale = False
    wants_root = False
    for f in range(n_fields):
        code = alignments[f]
        wants_rotation |= code >= _SIMILARITY or code == _SCALE_PROCRUSTES
        wants_scale |= code >= _LEAST_SQUARES
        wants_root |= _is_rooted(code)
    for i in range(pred.shape[0]):
        flag = 0
        count = n_joints
        if has_mask:
            count = 0
            for k in range(n_joints):
                if valid[i, k]:
                    slots[count] = k
                    count += 1
            if count < n_joints:
                flag |= _MASKED
                for f in range(n_fields):
                    for k in range(n_joints):
                        out[f, i, k] = np.nan
        # Roots: of the ground truth, whether it may be used; of the prediction, whether it is there.
        gt_root_ok = root_valid[i]
        pred_root_ok = True
        grx, gry, grz = 0.0, 0.0, 0.0
        prx, pry, prz = 0.0, 0.0, 0.0
        if not gt_root_ok:
            flag |= _ROOT_INVALID
        elif wants_root:
            grx = np.float64(gt_roots[i, 0]) * gt_unit
            gry = np.float64(gt_roots[i, 1]) * gt_unit
            grz = np.float64(gt_roots[i, 2]) * gt_unit
        if wants_root:
            prx = np.float64(pred_roots[i, 0]) * pred_unit
            pry = np.float64(pred_roots[i, 1]) * pred_unit
            prz = np.float64(pred_roots[i, 2]) * pred_unit
            pred_root_ok = (prx + pry + prz) * 0.0 == 0.0
        gmx, gmy, gmz, g_square = 0.0, 0.0, 0.0, 0.0
        if count > 0:
            for m in range(3 * n_joints):
                raw[m] = np.float64(gt[i, m]) * gt_unit
            if count < n_joints:
                _compact(raw, slots, count)
            gmx, gmy, gmz, g_square = _centre(raw, count, gx, gy, gz)
        if not (g_square + 0.0 * (grx + gry + grz) < np.inf):
            flags[i] = flag | _BAD_GROUND_TRUTH
            continue
        if g_square == 0.0:
            for f in range(n_fields):
                for k in range(n_joints):
                    out[f, i, k] = np.nan
            flags[i] = flag | _UNSCORABLE
            continue
        for m in range(3 * n_joints):
            raw[m] = np.float64(pred[i, m]) * pred_unit
        if count < n_joints:
            _compact(raw, slots, count)
        pmx, pmy, pmz, p_square = _centre(raw, count, px, py, pz)
        if not (p_square < np.inf) or (gt_root_ok and not pred_root_ok):
            flags[i] = flag | _MISSING
            _incomplete(
                pred,
                gt,
                i,
                slots,
                count,
                gt_root_ok,
                pred_root_ok,
                prx,
                pry,
                prz,
                grx,
                gry,
                grz,
                pred_unit,
                gt_unit,
                alignments,
                out,
            )
            continue
        # From mean-centred to root-centred: p_k + a, g_k + b.
        ax, ay, az = pmx - prx, pmy - pry, pmz - prz
        bx, by, bz = gmx - grx, gmy - gry, gmz - grz
        cross = 0.0  # <p, g>, both mean-centred
        solved, w, x, y, z = -1.0, 1.0, 0.0, 0.0, 0.0
        if wants_rotation and p_square > 0.0:
            hxx, hxy, hxz, hyx, hyy, hyz, hzx, hzy, hzz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for k in range(count):
                hxx += px[k] * gx[k]
                hxy += px[k] * gy[k]
                hxz += px[k] * gz[k]
                hyx += py[k] * gx[k]
                hyy += py[k] * gy[k]
                hyz += py[k] * gz[k]
                hzx += pz[k] * gx[k]
                hzy += pz[k] * gy[k]
                hzz += pz[k] * gz[k]
            cross = hxx + hyy + hzz
            # Two roots, not one of the product: poses of 1e-3 and 1e6 mm stay inside float64's range.
            u = 1.0 / (math.sqrt(p_square) * math.sqrt(g_square))
            solved, w, x, y, z = _quaternion(
                hxx * u, hxy * u, hxz * u, hyx * u, hyy * u, hyz * u, hzx * u, hzy * u, hzz * u
            )
            if solved < 0.0:
                flag |= _NEEDS_SVD
        elif wants_scale:
            for k in range(count):
                cross += px[k] * gx[k] + py[k] * gy[k] + pz[k] * gz[k]
        if p_square == 0.0:
            flag |= _DEGENERATE
        # The rotation, from its unit quaternion.
        r00, r01, r02 = w * w + x * x - y * y - z * z, 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)
        r10, r11, r12 = 2.0 * (x * y + w * z), w * w - x * x + y * y - z * z, 2.0 * (y * z - w * x)
        r20, r21, r22 = 2.0 * (x * z - w * y), 2.0 * (y * z + w * x), w * w - x * x - y * y + z * z
        for f in range(n_fields):
            code = alignments[f]
            rooted = _is_rooted(code)
            if rooted and not gt_root_ok:
                for k in range(n_joints):
                    out[f, i, k] = np.nan
                continue
            # Every alignment is error_k = |scale R (p_k + c) - (g_k + d)|; what differs is found first.
            scale = 1.0
            turns = False
            cx, cy, cz, dx, dy, dz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            if code == _NONE:
                cx, cy, cz, dx, dy, dz = pmx, pmy, pmz, gmx, gmy, gmz
            elif code == _LEAST_SQUARES_ABSOLUTE:
                cx, cy, cz, dx, dy, dz = ax + grx, ay + gry, az + grz, gmx, gmy, gmz
            elif rooted:
                cx, cy, cz, dx, dy, dz = ax, ay, az, bx, by, bz
            if code >= _SIMILARITY:
                turns = True
                if p_square == 0.0:  # the limit: all of p lies in one point, and no scale spreads it
                    scale = 0.0
                elif solved < 0.0 or code == _REFLECT:
                    flag |= _NEEDS_SVD
                    continue
                elif code == _SIMILARITY or code == _SIMILARITY_REROOTED:
                    scale = solved * math.sqrt(g_square / p_square)
                elif code == _PROCRUSTES_NORM_RATIO:
                    scale = math.sqrt(g_square / p_square)
            elif code >= _LEAST_SQUARES:
                square = p_square + count * (cx * cx + cy * cy + cz * cz)
                if square == 0.0:
                    scale = 0.0
                    flag |= _DEGENERATE
                elif code == _NORM_RATIO:
                    scale = math.sqrt((g_square + count * (dx * dx + dy * dy + dz * dz)) / square)
                elif code != _SCALE_PROCRUSTES:
                    scale = (cross + count * (cx * dx + cy * dy + cz * dz)) / square
                else:  # an uncertain rotation is the SVD twin's
                    scale = solved * math.sqrt(g_square / p_square) if solved >= 0.0 else 0.0
                if scale < 0.0:
                    flag |= _NEGATIVE_SCALE
            a00, a01, a02, a10, a11, a12, a20, a21, a22 = scale, 0.0, 0.0, 0.0, scale, 0.0, 0.0, 0.0, scale
            if turns:
                a00, a01, a02 = scale * r00, scale * r01, scale * r02
                a10, a11, a12 = scale * r10, scale * r11, scale * r12
                a20, a21, a22 = scale * r20, scale * r21, scale * r22
            tx = a00 * cx + a01 * cy + a02 * cz - dx
            ty = a10 * cx + a11 * cy + a12 * cz - dy
            tz = a20 * cx + a21 * cy + a22 * cz - dz
            # Errors along one axis leave the others out.
            vx = 0.0 if code == _ROOT_Y or code == _ROOT_Z else 1.0
            vy = 0.0 if code == _ROOT_X or code == _ROOT_Z else 1.0
            vz = 0.0 if code == _ROOT_X or code == _ROOT_Y else 1.0
            for k in range(count):
                ex = vx * (a00 * px[k] + a01 * py[k] + a02 * pz[k] + tx - gx[k])
                ey = vy * (a10 * px[k] + a11 * py[k] + a12 * pz[k] + ty - gy[k])
                ez = vz * (a20 * px[k] + a21 * py[k] + a22 * pz[k] + tz - gz[k])
                errors[k] = math.sqrt(ex * ex + ey * ey + ez * ez)
            if count == n_joints:
                for k in range(n_joints):
                    out[f, i, k] = errors[k]
            else:
                for k in range(count):
                    out[f, i, slots[k]] = errors[k]
        flags[i] = flag


@njit(nogil=True, cache=True)
def _compact(raw, slots, count):  # type: ignore[no-untyped-def]
    """Move the valid joints to the front of raw (3 K)."""
    for k in range(count):
        for a in range(3):
            raw[3 * k + a] = raw[3 * slots[k] + a]


@njit(nogil=True, cache=True, inline="always")
def _is_rooted(code):  # type: ignore[no-untyped-def]
    """Compiled twin of `Alignment.needs_root`."""
    return code != _NONE and (code <= _NORM_RATIO or code == _SIMILARITY_REROOTED or code == _RIGID_REROOTED)


@njit(nogil=True, cache=True, fastmath=_FASTMATH, error_model="numpy")
def _incomplete(  # type: ignore[no-untyped-def]
    pred,
    gt,
    i,
    slots,
    count,
    gt_root_ok,
    pred_root_ok,
    prx,
    pry,
    prz,
    grx,
    gry,
    grz,
    pred_unit,
    gt_unit,
    alignments,
    out,
):
    """Errors of a pose whose prediction lacks a joint that the ground truth holds.

    Without a fit the joints that are there keep their errors. A fit over fewer joints could flatter the rest, so under
    a fitted alignment every joint of the pose counts as missing: a missing joint never raises a score.
    """
    for f in range(alignments.shape[0]):
        code = alignments[f]
        rooted = _is_rooted(code)
        for k in range(count):
            c = 3 * slots[k]
            if rooted and not gt_root_ok:
                error = np.nan
            elif code >= _LEAST_SQUARES or (rooted and not pred_root_ok):
                error = np.inf
            else:
                x = np.float64(pred[i, c]) * pred_unit - np.float64(gt[i, c]) * gt_unit
                y = np.float64(pred[i, c + 1]) * pred_unit - np.float64(gt[i, c + 1]) * gt_unit
                z = np.float64(pred[i, c + 2]) * pred_unit - np.float64(gt[i, c + 2]) * gt_unit
                if rooted:
                    x -= prx - grx
                    y -= pry - gry
                    z -= prz - grz
                if x * 0.0 + y * 0.0 + z * 0.0 != 0.0:
                    error = np.inf
                elif code == _ROOT or code == _NONE:
                    error = math.sqrt(x * x + y * y + z * z)
                else:
                    error = abs(x) if code == _ROOT_X else (abs(z) if code == _ROOT_Z else abs(y))
            out[f, i, slots[k]] = error


__all__: list[Any] = ["aligned_errors"]
