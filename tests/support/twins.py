"""Every metric written a second time, as plainly as possible: float64 NumPy, one pose after the other, `np.linalg.svd`.

Written from the definitions in docs/conventions.md and from nothing else; nothing of posebench is imported. Speed does
not matter here, being obviously right does. A *row* is the errors of one pose, one per scored joint: NaN where the
ground truth does not hold the joint, +inf where the prediction should have held it and does not.
"""

from __future__ import annotations

import numpy as np

AXES = ("x", "y", "z")
SCALES = ("least_squares", "least_squares_absolute", "procrustes", "norm_ratio", "least_squares_mean")
VARIANTS = ("similarity", "similarity_rerooted", "rigid", "rigid_rerooted", "norm_ratio", "norm_ratio_reflect")

# ------------------------------------------------------------------------------------------------- one pose, one row


def root_row(p, g, *, root=0, joints=None, valid=None):
    """|(p - p_root) - (g - g_root)| per joint; coordinates as they are if root is None."""
    p, g, joints, known = _pose(p, g, joints, valid)
    if _unscorable(g, joints, known, root):
        return np.full(len(joints), np.nan)
    p_root, g_root = (p[root], g[root]) if root is not None else (0.0, 0.0)
    return _row((p - p_root)[joints], (g - g_root)[joints], known[joints])


def axis_row(p, g, *, axis, root=0, joints=None, valid=None):
    """The part of `root_row` along one axis."""
    p, g, joints, known = _pose(p, g, joints, valid)
    if _unscorable(g, joints, known, root):
        return np.full(len(joints), np.nan)
    difference = (p - p[root])[joints] - (g - g[root])[joints]
    present = np.isfinite(difference).all(1)
    errors = np.where(present, np.abs(difference[:, AXES.index(axis)]), np.inf)
    return np.where(known[joints], errors, np.nan)


def scaled_row(p, g, *, scale="least_squares", root=0, joints=None, valid=None):
    """Errors of NMPJPE: the prediction scaled by one number per pose."""
    p, g, joints, known = _pose(p, g, joints, valid)
    about_mean = scale in ("least_squares_mean", "procrustes")
    if _unscorable(g, joints, known, None if scale == "least_squares_mean" else root, about_mean=about_mean):
        return np.full(len(joints), np.nan)
    chosen = [j for j in joints if known[j]]
    needed = chosen if scale == "least_squares_mean" else [*chosen, root]
    if not np.isfinite(p[needed]).all():
        return np.where(known[joints], np.inf, np.nan)

    if scale == "least_squares_mean":
        p, g = _centred(p, chosen), _centred(g, chosen)
    elif scale == "least_squares_absolute":
        p = p - p[root] + g[root]
    else:
        p, g = p - p[root], g - g[root]
    if scale == "norm_ratio":
        s = _ratio(np.linalg.norm(g[chosen]), np.linalg.norm(p[chosen]))
    elif scale == "procrustes":
        s = similarity(p[chosen], g[chosen])[0]
    else:
        s = _ratio((p[chosen] * g[chosen]).sum(), (p[chosen] ** 2).sum())
    return _row(s * p[joints], g[joints], known[joints])


def least_squares_scale(p, g, *, root=0, joints=None, valid=None):
    """<p, g> / <p, p> of the root-centred pose."""
    p, g, joints, known = _pose(p, g, joints, valid)
    chosen = [j for j in joints if known[j]]
    p, g = (p - p[root])[chosen], (g - g[root])[chosen]
    return _ratio((p * g).sum(), (p * p).sum())


def procrustes_row(p, g, *, variant="similarity", root=0, joints=None, valid=None):
    """Errors of PMPJPE: the prediction rotated, moved and (unless rigid) scaled onto the ground truth."""
    p, g, joints, known = _pose(p, g, joints, valid)
    rerooted = variant.endswith("rerooted")
    if _unscorable(g, joints, known, root if rerooted else None, about_mean=True):
        return np.full(len(joints), np.nan)
    chosen = [j for j in joints if known[j]]
    if not np.isfinite(p[[*chosen, root] if rerooted else chosen]).all():
        return np.where(known[joints], np.inf, np.nan)

    p, g = _centred(p, chosen), _centred(g, chosen)
    s, rotation = similarity(p[chosen], g[chosen], reflect=variant == "norm_ratio_reflect")
    if variant.startswith("rigid"):
        s = 1.0
    if variant.startswith("norm_ratio"):
        s = _ratio(np.linalg.norm(g[chosen]), np.linalg.norm(p[chosen]))
    p = s * p @ rotation.T
    if rerooted:
        p, g = p - p[root], g - g[root]
    return _row(p[joints], g[joints], known[joints])


def similarity(p, g, *, reflect=False):
    """Scale and rotation that bring p closest to g, both (J, 3); rotation @ p_j ~ g_j. Umeyama, PAMI 1991."""
    p, g = _centred(p), _centred(g)
    u, sigma, vt = np.linalg.svd(p.T @ g)
    d = 1.0 if reflect else np.sign(np.linalg.det(u) * np.linalg.det(vt))
    rotation = vt.T @ np.diag([1.0, 1.0, d]) @ u.T
    return _ratio(sigma[0] + sigma[1] + d * sigma[2], (p * p).sum()), rotation


def uniqueness(p, g, *, joints=None, valid=None, reflect=False):
    """(s2 + d s3) / s1: the best rotation is unique where this is above zero; 0 for coinciding joints.

    Among reflections too, the third direction may point either way where s3 is 0; that matters unless a side is flat.
    """
    p, g, joints, known = _pose(p, g, joints, valid)
    chosen = [j for j in joints if known[j]]
    if not chosen:
        return 0.0
    p, g = _centred(p[chosen]), _centred(g[chosen])
    u, sigma, vt = np.linalg.svd(p.T @ g)
    if reflect:
        flat = any(np.linalg.svd(side)[1][2:].sum() <= 1e-12 * np.linalg.norm(side) for side in (p, g))
        return _ratio(sigma[1] if flat else sigma[2], sigma[0])
    d = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    return _ratio(sigma[1] + d * sigma[2], sigma[0])


def size(g, *, joints=None, valid=None):
    """|g - mean g| of the joints that count, against which tolerances are measured."""
    _, g, joints, known = _pose(g, g, joints, valid)
    chosen = [j for j in joints if known[j]]
    return np.linalg.norm(_centred(g[chosen])) if chosen else 0.0


# --------------------------------------------------------------------------------- one row becomes the value of a pose


def mean(row):
    """Mean over the joints that the ground truth holds."""
    held = row[~np.isnan(row)]
    return held.mean() if len(held) else np.nan


def worst(row):
    """The largest error."""
    held = row[~np.isnan(row)]
    return held.max() if len(held) else np.nan


def share(row, threshold, *, inclusive=False):
    """Percent of joints nearer than the threshold."""
    held = row[~np.isnan(row)]
    if not len(held):
        return np.nan
    inside = [error <= threshold if inclusive else error < threshold for error in held]
    return 100.0 * sum(inside) / len(held)


def area(row, thresholds):
    """Mean of `share` over thresholds, strict."""
    return float(np.mean([share(row, threshold) for threshold in thresholds]))


def area_continuous(row, limit):
    """Mean of clip(1 - error / limit, 0, 1), in percent."""
    held = row[~np.isnan(row)]
    return 100.0 * np.mean([min(max(1.0 - error / limit, 0.0), 1.0) for error in held]) if len(held) else np.nan


def area_trapezoid(row, thresholds):
    """Integral over t of the linear interpolation of the share of items <= t, over the range of t, in percent."""
    shares = [share(row, t, inclusive=True) for t in thresholds]
    return np.trapezoid(shares, thresholds) / (thresholds[-1] - thresholds[0])


def pose_area(row, limit=300.0):
    """Length of the interval of t in (0, limit) in which the worst error is below t."""
    value = worst(row)
    return np.nan if np.isnan(value) else max(0.0, limit - value)


# ------------------------------------------------------------------------------------- batches: one value per pose (N,)


def mpjpe(pred, gt, **options):
    return _batch(lambda *pose, **o: mean(root_row(*pose, **o)), pred, gt, **options)


def axis_error(pred, gt, *, axis, **options):
    return _batch(lambda *pose, **o: mean(axis_row(*pose, axis=axis, **o)), pred, gt, **options)


def nmpjpe(pred, gt, *, scale="least_squares", **options):
    return _batch(lambda *pose, **o: mean(scaled_row(*pose, scale=scale, **o)), pred, gt, **options)


def pmpjpe(pred, gt, *, variant="similarity", **options):
    return _batch(lambda *pose, **o: mean(procrustes_row(*pose, variant=variant, **o)), pred, gt, **options)


def worst_joint(pred, gt, **options):
    return _batch(lambda *pose, **o: worst(root_row(*pose, **o)), pred, gt, **options)


def pck(pred, gt, *, threshold=150.0, inclusive=False, **options):
    return _batch(lambda *pose, **o: share(root_row(*pose, **o), threshold, inclusive=inclusive), pred, gt, **options)


def npck(pred, gt, *, threshold=150.0, inclusive=False, scale="least_squares", **options):
    def value(*pose, **o):
        return share(scaled_row(*pose, scale=scale, **o), threshold, inclusive=inclusive)

    return _batch(value, pred, gt, **options)


def auc(pred, gt, *, thresholds, **options):
    return _batch(lambda *pose, **o: area(root_row(*pose, **o), thresholds), pred, gt, **options)


def auc_continuous(pred, gt, *, limit, **options):
    return _batch(lambda *pose, **o: area_continuous(root_row(*pose, **o), limit), pred, gt, **options)


def nauc(pred, gt, *, thresholds, **options):
    return _batch(lambda *pose, **o: area(scaled_row(*pose, **o), thresholds), pred, gt, **options)


def cps(pred, gt, *, align="procrustes", **options):
    row = {"procrustes": procrustes_row, "root": root_row}[align]
    return _batch(lambda *pose, **o: pose_area(row(*pose, **o)), pred, gt, **options)


def mrpe(pred, gt, *, root=0, valid=None):
    def value(p, g, *, valid):
        p, g, joints, known = _pose(p, g, None, valid)
        return np.nan if _unscorable(g, joints, known, root) else np.linalg.norm(p[root] - g[root])

    return _batch(value, pred, gt, valid=valid)


# ------------------------------------------------------------------------------------------------------------ structure


def bone_length_error(pred, gt, *, bones, joints=None, valid=None):
    """Mean over bones of | |p_child - p_parent| - |g_child - g_parent| |."""
    options = {"bones": bones, "joints": joints, "valid": valid}
    return _batch(lambda *pose, **o: mean(np.abs(bone_row(*pose, **o))), pred, gt, **options)


def bone_row(p, g, *, bones, joints=None, valid=None):
    """Length in p minus length in g of every bone whose two ends are both scored."""
    p, g, joints, known = _pose(p, g, joints, valid)
    row = [
        np.linalg.norm(p[b] - p[a]) - np.linalg.norm(g[b] - g[a]) if known[a] and known[b] else np.nan
        for a, b in bones
        if a in joints and b in joints
    ]
    return np.full(len(row), np.nan) if _unscorable(g, joints, known, None) else np.array(row)


def bone_length_spread(pred, gt, *, bones, joints=None, valid=None):
    """Standard deviation over frames of `bone_row` per bone, mean over the bones that were ever seen."""
    rows = _batch(lambda *pose, **o: bone_row(*pose, bones=bones, **o), pred, gt, joints=joints, valid=valid)
    columns = [column[~np.isnan(column)] for column in rows.T]
    return np.mean([column.std() for column in columns if len(column)])


def symmetry_error(pred, gt, *, pairs, joints=None, valid=None):
    """Mean over (left bone, right bone) of the difference of their lengths in the prediction."""

    def value(p, g, *, joints, valid):
        p, g, joints, known = _pose(p, g, joints, valid)
        if _unscorable(g, joints, known, None):
            return np.nan
        row = [
            abs(np.linalg.norm(p[b] - p[a]) - np.linalg.norm(p[d] - p[c]))
            for (a, b), (c, d) in pairs
            if all(j in joints and known[j] for j in (a, b, c, d))
        ]
        return np.mean(row) if row else np.nan

    return _batch(value, pred, gt, joints=joints, valid=valid)


def joint_angle_error(pred, gt, *, hinges, joints=None, valid=None):
    """Mean over (parent, joint, child) of the difference of the angles at the joint, in degrees."""

    def value(p, g, *, joints, valid):
        p, g, joints, known = _pose(p, g, joints, valid)
        if _unscorable(g, joints, known, None):
            return np.nan
        row = [
            abs(angle(p[a], p[b], p[c]) - angle(g[a], g[b], g[c]))
            for a, b, c in hinges
            if all(j in joints and known[j] for j in (a, b, c))
        ]
        return np.mean(row) if row else np.nan

    return _batch(value, pred, gt, joints=joints, valid=valid)


def angle(a, b, c):
    """Angle at b between a and c, in degrees; by atan2, which is accurate near 0 and 180 where acos is not."""
    one, two = a - b, c - b
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(one, two)), one @ two))


# --------------------------------------------------------------------------------------------------------------- motion


def motion_error(pred, gt, *, order, fps=None, sequence=None, frame=None, root=0, joints=None, valid=None):
    """Mean over frames, then joints, of |d(p - g)| with d the first (velocity) or second difference, per second."""
    n = len(pred)
    sequence = np.zeros(n, int) if sequence is None else np.asarray(sequence)
    frame = np.arange(n) if frame is None else np.asarray(frame)
    values = []
    for name in sorted(set(sequence.tolist())):
        rows = [i for i in np.argsort(frame, kind="stable") if sequence[i] == name]
        vectors = []
        for i in rows:
            p, g, chosen, known = _pose(pred[i], gt[i], joints, None if valid is None else valid[i])
            vector = ((p - p[root]) - (g - g[root]))[chosen]
            vector[~known[chosen]] = np.nan
            if _unscorable(g, chosen, known, root):
                vector[:] = np.nan
            vectors.append(vector)
        for t in range(len(rows) - order):
            if order == 1:
                difference = vectors[t + 1] - vectors[t]
            else:
                difference = vectors[t + 2] - 2 * vectors[t + 1] + vectors[t]
            values.append(mean(np.linalg.norm(difference, axis=1)))
    return mean(np.array(values)) * (1.0 if fps is None else float(fps) ** order)


# -------------------------------------------------------------------------------------------------------------- private


def _batch(value, pred, gt, *, valid=None, **options):
    pred, gt = np.asarray(pred, np.float64), np.asarray(gt, np.float64)
    masks = [None] * len(pred) if valid is None else np.asarray(valid, bool)
    # Masked joints may hold anything, and whatever comes of them is thrown away.
    with np.errstate(invalid="ignore", over="ignore"):
        return np.array([value(p, g, valid=mask, **options) for p, g, mask in zip(pred, gt, masks, strict=True)])


def _pose(p, g, joints, valid):
    """Both sides in float64, the scored joints, and which joints of the whole pose the ground truth holds."""
    p, g = np.asarray(p, np.float64), np.asarray(g, np.float64)
    joints = list(range(len(g))) if joints is None else [int(j) for j in joints]
    known = np.ones(len(g), bool) if valid is None else np.asarray(valid, bool)
    return p, g, joints, known


def _unscorable(g, joints, known, root, *, about_mean=False):
    """No joint left, all that are left coincide, or the root that is needed is masked.

    One joint alone coincides with no other unless it is the root; it has no shape, though, to fit about the mean.
    """
    chosen = [j for j in joints if known[j]]
    if not chosen or (root is not None and not known[root]):
        return True
    if len(chosen) == 1:
        return about_mean or (root is not None and bool((g[chosen[0]] == g[root]).all()))
    return bool((g[chosen] == g[chosen][0]).all())


def _row(p, g, known):
    errors = np.sqrt(((p - g) ** 2).sum(1))
    errors = np.where(np.isfinite(p).all(1), errors, np.inf)
    return np.where(known, errors, np.nan)


def _centred(pose, chosen=slice(None)):
    """A pose minus the mean of its chosen joints; one of them goes first, so that coinciding joints give zero."""
    shifted = pose - pose[chosen][0]
    return shifted - shifted[chosen].mean(0)


def _ratio(top, bottom):
    """The limit of a scale without anything to scale is a prediction shrunk to a point: 0."""
    return 0.0 if bottom == 0 else top / bottom
