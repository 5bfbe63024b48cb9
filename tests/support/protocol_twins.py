"""Every named protocol written a second time: float64 NumPy, one pose after the other, `np.linalg.svd`.

Written from the protocols' definitions and from what the public evaluation codes do; nothing of posebench is imported.
A protocol is a function `(pred, gt, valid, keys) -> {metric: value}`: both sides (N, J, 3) in mm in the protocol's own
joint order, `valid` (N, J) or None for all, and `keys` a dictionary of columns of length N (`subject`, `action`,
`sequence`, `camera` of text, `frame` of numbers), of which each protocol reads what it needs. Metrics are spelled as in
docs/conventions.md. `PROTOCOLS` and `SELECTIONS` list the functions by the names of the protocols; `by_group` splits a
protocol up. Predictions must be complete: what a missing joint does is the metrics' twins' matter, not this file's.

Every error first becomes a score of one joint in one frame (the error itself, 0 or 100, a share of thresholds). What
a protocol then calls its pooling is in which order these scores are averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray
Keys = Mapping[str, Any]
Scores = dict[str, float]
Twin = Callable[[Any, Any, Any, Keys], Scores]

H36M17 = (
    "pelvis", "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "spine", "thorax", "nose", "head",
    "LShoulder", "LElbow", "LWrist", "RShoulder", "RElbow", "RWrist",
)  # fmt: skip
THREE_DHP17 = (
    "head_top", "neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist",
    "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "pelvis", "spine", "head_3dhp",
)  # fmt: skip
THREE_DHP_ROOT = 14
#: The joints of PCK and AUC in MPI-INF-3DHP and MuPoTS, as its own code names the groups.
THREE_DHP_GROUPS = {
    "head": (0,), "neck": (1,), "shoulders": (2, 5), "elbows": (3, 6), "wrists": (4, 7),
    "hips": (8, 11), "knees": (9, 12), "ankles": (10, 13),
}  # fmt: skip
THREE_DHP_14 = tuple(range(14))
THREE_DHP_SETTINGS = {
    "TS1": "studio-green-screen", "TS2": "studio-green-screen",
    "TS3": "studio-no-green-screen", "TS4": "studio-no-green-screen",
    "TS5": "outdoor", "TS6": "outdoor",
}  # fmt: skip
#: Hips, knees, ankles, shoulders, elbows, wrists of SMPL: the joints of PCK and AUC in the 3DPW challenge.
SMPL_MAJOR = (1, 2, 4, 5, 7, 8, 16, 17, 18, 19, 20, 21)

ALL_H36M = tuple(range(17))
NO_ROOT = tuple(range(1, 17))
NO_SPINE = tuple(j for j in range(17) if j != 7)
NO_ROOT_NO_SPINE = tuple(j for j in range(1, 17) if j != 7)

# ------------------------------------------------------------------------------------ errors of one pose, one per joint


def errors(
    p: Array,
    g: Array,
    held: Array,
    *,
    joints: Sequence[int],
    roots: tuple[int | None, int | None] = (None, None),
    fit: str = "none",
) -> Array:
    """|p_j - g_j| of the joints, after what `fit` says; NaN where the ground truth does not hold the joint.

    `roots` is the joint that prediction and ground truth are centred on, None for "as it is". All is NaN where the
    ground truth cannot be scored: no joint, joints that coincide, or a root that it does not hold and that is needed.
    """
    chosen = [j for j in joints if held[j]]
    nothing = np.full(len(joints), np.nan)
    aligned = fit in ("similarity", "similarity_rerooted", "norm_ratio_about_mean")
    needs_root = any(root is not None for root in roots) and (not aligned or fit == "similarity_rerooted")
    if not chosen or (needs_root and not all(held[root] for root in roots if root is not None)):
        return nothing
    if len(chosen) == 1:
        if aligned or fit == "procrustes" or (needs_root and chosen[0] in roots):
            return nothing
    elif all((g[a] == g[b]).all() for a, b in pairwise(chosen)):
        return nothing
    assert np.isfinite(p[chosen]).all() and np.isfinite(g[chosen]).all()

    if aligned:
        p, g = superposed(p, g, chosen, by_size=fit == "norm_ratio_about_mean")
        if fit == "similarity_rerooted":
            p, g = centred(p, roots[0]), centred(g, roots[1])
    else:
        scale = similarity_scale(p[chosen], g[chosen]) if fit == "procrustes" else 1.0
        g_root = g[roots[1]] if fit == "least_squares_absolute" else 0.0
        p, g = centred(p, roots[0]) + g_root, centred(g, roots[1]) + g_root
        if fit.startswith("least_squares"):
            scale = ratio(sum(p[j] @ g[j] for j in chosen), sum(p[j] @ p[j] for j in chosen))
        elif fit == "norm_ratio":
            scale = ratio(np.sqrt(sum(g[j] @ g[j] for j in chosen)), np.sqrt(sum(p[j] @ p[j] for j in chosen)))
        p = scale * p
    return np.array([np.sqrt(((p[j] - g[j]) ** 2).sum()) if held[j] else np.nan for j in joints])


def centred(pose: Array, root: int | None) -> Array:
    """A pose minus one of its joints."""
    return pose if root is None else pose - pose[root]


def ratio(top: float, bottom: float) -> float:
    """What has no size is scaled by 0, the limit of a prediction that shrinks."""
    return 0.0 if bottom == 0 else top / bottom


def best_rotation(p: Array, g: Array) -> tuple[Array, float]:
    """Rotation and scale that bring centred p (K, 3) closest to centred g in squares; never a reflection."""
    u, sigma, vt = np.linalg.svd(p.T @ g)
    handed = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    return u @ handed @ vt, ratio((sigma * np.diag(handed)).sum(), (p * p).sum())


def similarity_scale(p: Array, g: Array) -> float:
    """The scale of the optimal similarity of p onto g, both (K, 3)."""
    return best_rotation(about_mean(p), about_mean(g))[1]


def about_mean(points: Array) -> Array:
    """Points minus their mean; from a point of theirs, so that equal points give zero."""
    shifted: Array = points - points[0]
    centre: Array = shifted.mean(0)
    return shifted - centre


def superposed(p: Array, g: Array, chosen: Sequence[int], *, by_size: bool) -> tuple[Array, Array]:
    """Both poses about the mean of the chosen joints, p rotated onto g and scaled: best in squares, or to g's size."""
    first = chosen[0]
    p, g = p - p[first], g - g[first]
    p, g = p - p[chosen].mean(0), g - g[chosen].mean(0)
    rotation, scale = best_rotation(p[chosen], g[chosen])
    if by_size:
        scale = ratio(float(np.linalg.norm(g[chosen])), float(np.linalg.norm(p[chosen])))
    return scale * p @ rotation, g


# ------------------------------------------------------------------------------ one error becomes one score, of a joint


def distance(error: float) -> float:
    return error


def within(threshold: float, *, inclusive: bool = False) -> Callable[[float], float]:
    """100 or 0."""
    return lambda error: 100.0 * (error <= threshold if inclusive else error < threshold)


def area(start: float, stop: float, step: float) -> Callable[[float], float]:
    """Percent of the thresholds start, start + step, ..., stop that the error is below."""
    thresholds = [start + i * step for i in range(round((stop - start) / step) + 1)]
    return lambda error: 100.0 * sum(error < threshold for threshold in thresholds) / len(thresholds)


def continuous_area(limit: float) -> Callable[[float], float]:
    return lambda error: 100.0 * min(max(1.0 - error / limit, 0.0), 1.0)


def trapezoid_area(stop: int) -> Callable[[float], float]:
    """Area under the line through [error <= t] at t = 0, 1, ..., stop, over its length, in percent."""

    def score(error: float) -> float:
        inside = [float(error <= t) for t in range(stop + 1)]
        return 100.0 * sum((a + b) / 2 for a, b in pairwise(inside)) / stop

    return score


# -------------------------------------------------------------------------------------------------- averaging of scores


def pooled(scores: list[list[float]], pooling: str, groups: Sequence[str] | None = None) -> float:
    """Scores of joints (NaN: does not count) in frames become one number.

    `frame`: mean of each frame's mean. `joint`: mean of all scores. `action` and `subject`: mean over the groups of
    their frame means.
    """
    if pooling == "joint":
        return average([score for frame in scores for score in frame])
    frames = [average(frame) for frame in scores]
    if pooling == "frame":
        return average(frames)
    assert groups is not None and len(groups) == len(frames)
    return average(
        [average([f for f, g in zip(frames, groups, strict=True) if g == name]) for name in sorted(set(groups))]
    )


def average(values: Sequence[float]) -> float:
    """Mean of what counts; NaN if nothing does."""
    counting = [float(value) for value in values if not np.isnan(value)]
    return float(np.mean(counting)) if counting else float("nan")


class Evaluation:
    """One protocol at work: poses, roots and pooling are said once, metrics after that."""

    def __init__(
        self,
        pred: Any,
        gt: Any,
        valid: Any,
        keys: Keys,
        *,
        joints: Sequence[int],
        roots: tuple[int | None, int | None],
        pooling: str = "frame",
    ) -> None:
        self.pred, self.gt = np.asarray(pred, np.float64), np.asarray(gt, np.float64)
        self.held = np.ones(self.gt.shape[:2], bool) if valid is None else np.asarray(valid, bool)
        self.joints, self.roots, self.pooling = tuple(joints), roots, pooling
        self.groups = None if pooling in ("frame", "joint") else [str(name) for name in keys[pooling]]

    def __call__(
        self,
        score: Callable[[float], float] = distance,
        *,
        fit: str = "none",
        joints: Sequence[int] | None = None,
        only: Sequence[int] | None = None,
        absolute: bool = False,
    ) -> float:
        """The value of a metric; `joints` is its own set, of which `only` these are averaged; `absolute`: no roots."""
        scores = self._scores(score, fit, joints, absolute)
        if only is not None:
            columns = [(self.joints if joints is None else tuple(joints)).index(joint) for joint in only]
            scores = [[frame[column] for column in columns] for frame in scores]
        return pooled(scores, self.pooling, self.groups)

    def cps(self, limit: float = 300.0) -> float:
        """Mean over poses of how far below the limit the worst aligned error is."""
        frames = self._scores(distance, "similarity", None, False)
        held = [[error for error in frame if not np.isnan(error)] for frame in frames]
        below = [[max(0.0, limit - max(frame))] if frame else [float("nan")] for frame in held]
        return pooled(below, "frame" if self.pooling == "joint" else self.pooling, self.groups)

    def _scores(
        self, score: Callable[[float], float], fit: str, joints: Sequence[int] | None, absolute: bool
    ) -> list[list[float]]:
        chosen = self.joints if joints is None else tuple(joints)
        roots = (None, None) if absolute else self.roots
        rows = [
            errors(p, g, held, joints=chosen, roots=roots, fit=fit)
            for p, g, held in zip(self.pred, self.gt, self.held, strict=True)
        ]
        return [[float("nan") if np.isnan(e) else score(float(e)) for e in row] for row in rows]


# ------------------------------------------------------------------------------------------------------------ protocols


def standard(pred: Any, gt: Any, valid: Any, keys: Keys) -> Scores:
    """H36M-17; both sides on their own pelvis; all joints; mean over frames."""
    value = Evaluation(pred, gt, valid, keys, joints=ALL_H36M, roots=(0, 0))
    return {
        "MPJPE": value(),
        "NMPJPE": value(fit="least_squares"),
        "PMPJPE": value(fit="similarity"),
        "PCK@150": value(within(150)),
        "NPCK@150": value(within(150), fit="least_squares"),
        "AUC(0:150:5)": value(area(0, 150, 5)),
    }


def open4v(pred: Any, gt: Any, valid: Any, keys: Keys) -> Scores:
    """The definition of `standard`; only data and banks are others."""
    return standard(pred, gt, valid, keys)


def h36m_videopose3d(pred: Any, gt: Any, valid: Any, keys: Keys) -> Scores:
    """The ground truth alone is centred; 17 joints; plain mean of the actions' frame means."""
    value = Evaluation(pred, gt, valid, keys, joints=ALL_H36M, roots=(None, 0), pooling="action")
    return {"MPJPE": value(), "NMPJPE": value(fit="least_squares"), "PMPJPE": value(fit="similarity")}


def h36m_epipolarpose(pred: Any, gt: Any, valid: Any, keys: Keys) -> Scores:
    """17 joints with the zero root in every mean; the scale of the similarity; aligned poses are centred once more."""
    value = Evaluation(pred, gt, valid, keys, joints=ALL_H36M, roots=(0, 0))
    return {
        "MPJPE": value(),
        "NMPJPE(scale=procrustes)": value(fit="procrustes"),
        "PMPJPE(variant=similarity_rerooted)": value(fit="similarity_rerooted"),
        "PCK@150": value(within(150)),
    }


def h36m_epipolarpose_refiner(pred: Any, gt: Any, valid: Any, keys: Keys) -> Scores:
    """15 joints, no pelvis and no spine, as they are stored, which is relative to the ground truth's root."""
    value = Evaluation(pred, gt, valid, keys, joints=NO_ROOT_NO_SPINE, roots=(None, 0))
    return {"MPJPE": value(), "NMPJPE": value(fit="least_squares"), "PMPJPE": value(fit="similarity")}


def h36m_mmpose(pred: Any, gt: Any, valid: Any, keys: Keys) -> Scores:
    """The prediction, relative to the root, gets the ground truth's root; all visible joints in one mean.

    MPJPE is the same without that root on both sides, the scale of NMPJPE is not.
    """
    value = Evaluation(pred, gt, valid, keys, joints=ALL_H36M, roots=(None, 0), pooling="joint")
    return {
        "MPJPE": value(),
        "NMPJPE(scale=least_squares_absolute)": value(fit="least_squares_absolute"),
        "PMPJPE": value(fit="similarity"),
    }


def h36m_learnable_triangulation(pred: Any, gt: Any, valid: Any, keys: Keys) -> Scores:
    """17 joints; both sides minus the pelvis, and as they are; mean over frames."""
    value = Evaluation(pred, gt, valid, keys, joints=ALL_H36M, roots=(0, 0))
    return {"MPJPE": value(), "MPJPE(align=none)": value(absolute=True)}


def h36m_rhodin(pred: Any, gt: Any, valid: Any, keys: Keys) -> Scores:
    """17 joints, one of them the zero root, times 17/16: the mean over the others. The prediction is not centred."""
    value = Evaluation(pred, gt, valid, keys, joints=NO_ROOT, roots=(None, 0))
    return {"MPJPE": value(), "NMPJPE": value(fit="least_squares"), "PMPJPE": value(fit="similarity")}


def h36m_canonpose(pred: Any, gt: Any, valid: Any, keys: Keys) -> Scores:
    """16 joints (no spine) with the root; what it calls MPJPE and PCK are scaled by the ratio of the poses' sizes."""
    value = Evaluation(pred, gt, valid, keys, joints=NO_SPINE, roots=(0, 0))
    return {
        "NMPJPE(scale=norm_ratio)": value(fit="norm_ratio"),
        "PMPJPE": value(fit="similarity"),
        "PMPJPE(variant=norm_ratio)": value(fit="norm_ratio_about_mean"),
        "NPCK@150(scale=norm_ratio)": value(within(150), fit="norm_ratio"),
        "NAUC(0:150:5,scale=norm_ratio)": value(area(0, 150, 5), fit="norm_ratio"),
        "CPS": value.cps(),
    }


def three_dhp_official(pred: Any, gt: Any, valid: Any, keys: Keys) -> Scores:
    """The ground truth alone is centred; MPJPE over 17 joints, PCK and AUC over 14; all frames in one mean."""
    value = Evaluation(pred, gt, valid, keys, joints=range(17), roots=(None, THREE_DHP_ROOT))
    return {
        "MPJPE": value(),
        "PCK@150": value(within(150), joints=THREE_DHP_14),
        "AUC(0:150:5)": value(area(0, 150, 5), joints=THREE_DHP_14),
    }


def three_dhp_mmpose(pred: Any, gt: Any, valid: Any, keys: Keys) -> Scores:
    """17 joints with the root; the prediction, relative to it, gets the ground truth's; valid joints in one mean."""
    value = Evaluation(pred, gt, valid, keys, joints=range(17), roots=(None, THREE_DHP_ROOT), pooling="joint")
    return {
        "MPJPE": value(),
        "PMPJPE": value(fit="similarity"),
        "PCK@150": value(within(150)),
        "AUC(0:150:5)": value(area(0, 150, 5)),
    }


def metrabs(pred: Any, gt: Any, valid: Any, keys: Keys, *, root: int = 0) -> Scores:
    """Inclusive threshold, continuous area, all valid joints in one mean; any skeleton, if `root` says its root."""
    joints = range(np.asarray(gt).shape[1])
    value = Evaluation(pred, gt, valid, keys, joints=joints, roots=(root, root), pooling="joint")
    return {
        "MPJPE": value(),
        "MPJPE(align=none)": value(absolute=True),
        "PMPJPE": value(fit="similarity"),
        "PCK@150(inclusive)": value(within(150, inclusive=True)),
        "AUC(continuous=150)": value(continuous_area(150)),
    }


def mupots(pred: Any, gt: Any, valid: Any, keys: Keys) -> Scores:
    """Both sides on the pelvis; 14 joints; plain mean of the frame means of TS1 to TS20, which the key `subject` names.

    The frames are pairs of matched people. The official code first rescales bones to the ground truth's lengths, which
    is not part of this.
    """
    roots = (THREE_DHP_ROOT, THREE_DHP_ROOT)
    value = Evaluation(pred, gt, valid, keys, joints=THREE_DHP_14, roots=roots, pooling="subject")
    return {
        "MPJPE": value(),
        "PCK@150": value(within(150)),
        "AUC(0:195:5)": value(area(0, 195, 5)),
        "AUC(0:150:5)": value(area(0, 150, 5)),
    }


def three_dpw(pred: Any, gt: Any, valid: Any, keys: Keys, *, pck_joints: Sequence[int] = SMPL_MAJOR) -> Scores:
    """24 SMPL joints on their joint 0; PCK and AUC over 12 joints of the limbs, both inclusive; mean over frames."""
    value = Evaluation(pred, gt, valid, keys, joints=range(24), roots=(0, 0))
    return {
        "MPJPE": value(),
        "PMPJPE": value(fit="similarity"),
        "PCK@50(inclusive)": value(within(50, inclusive=True), joints=pck_joints),
        "AUC(0:199:1,trapezoid)": value(trapezoid_area(199), joints=pck_joints),
        "AUC(0:199:1)": value(area(0, 199, 1), joints=pck_joints),
    }


PROTOCOLS: dict[str, Twin] = {
    "standard": standard,
    "open4v": open4v,
    "open4v-wild": open4v,
    "h36m-videopose3d": h36m_videopose3d,
    "h36m-epipolarpose": h36m_epipolarpose,
    "h36m-epipolarpose-refiner": h36m_epipolarpose_refiner,
    "h36m-mmpose": h36m_mmpose,
    "h36m-learnable-triangulation": h36m_learnable_triangulation,
    "h36m-rhodin": h36m_rhodin,
    "h36m-canonpose": h36m_canonpose,
    "3dhp-official": three_dhp_official,
    "3dhp-mmpose": three_dhp_mmpose,
    "metrabs": metrabs,
    "mupots": mupots,
    "3dpw": three_dpw,
}

# --------------------------------------------------------------------------------------------------------------- groups


def by_group(twin: Twin, pred: Any, gt: Any, valid: Any, keys: Keys, names: Sequence[str]) -> dict[str, Scores]:
    """A protocol's metrics over the frames of each name, names standing one per frame."""
    pred, gt = np.asarray(pred), np.asarray(gt)
    found: dict[str, Scores] = {}
    for name in sorted({str(name) for name in names}):
        rows = np.array([str(other) == name for other in names])
        kept = {key: np.asarray(column)[rows] for key, column in keys.items()}
        found[name] = twin(pred[rows], gt[rows], None if valid is None else np.asarray(valid)[rows], kept)
    return found


def three_dhp_official_by(pred: Any, gt: Any, valid: Any, keys: Keys) -> dict[str, dict[str, Scores]]:
    """What the official code prints besides the total: by test subject, setting, activity and group of joints."""
    subjects = [str(subject) for subject in keys["subject"]]
    grouped = {
        "subject": by_group(three_dhp_official, pred, gt, valid, keys, subjects),
        "setting": by_group(
            three_dhp_official, pred, gt, valid, keys, [THREE_DHP_SETTINGS[subject] for subject in subjects]
        ),
        "joint_group": joint_groups(pred, gt, valid, keys, roots=(None, THREE_DHP_ROOT), last=150.0),
    }
    if "action" in keys:
        grouped["action"] = by_group(three_dhp_official, pred, gt, valid, keys, list(keys["action"]))
    return grouped


def mupots_by(pred: Any, gt: Any, valid: Any, keys: Keys) -> dict[str, dict[str, Scores]]:
    """By sequence, each the plain frame mean that the total averages, and by group of joints."""
    roots = (THREE_DHP_ROOT, THREE_DHP_ROOT)
    return {
        "subject": by_group(mupots, pred, gt, valid, keys, list(keys["subject"])),
        "joint_group": joint_groups(pred, gt, valid, keys, roots=roots, last=195.0, pooling="subject"),
    }


def joint_groups(
    pred: Any,
    gt: Any,
    valid: Any,
    keys: Keys,
    *,
    roots: tuple[int | None, int | None],
    last: float,
    pooling: str = "frame",
) -> dict[str, Scores]:
    """MPJPE, PCK and AUC of the joints of each group, in the poses that count for the whole."""
    value = Evaluation(pred, gt, valid, keys, joints=range(17), roots=roots, pooling=pooling)
    return {
        name: {
            "MPJPE": value(only=group),
            "PCK@150": value(within(150), joints=THREE_DHP_14, only=group),
            f"AUC(0:{last:g}:5)": value(area(0, last, 5), joints=THREE_DHP_14, only=group),
        }
        for name, group in THREE_DHP_GROUPS.items()
    }


# ----------------------------------------------------------------------------------------------------------- selections

#: The clip of S11 that VideoPose3D leaves out with all its cameras, by the release's file name.
S11_DIRECTIONS = {("S11", "Directions")}
#: The three damaged clips of S9. The release's file names are Greeting, SittingDown 1 and Waiting 1; by action and
#: subaction, which is what most codes print, they are these.
S9_DAMAGED = {("S9", "Greeting 2"), ("S9", "SittingDown 2"), ("S9", "Waiting 1")}


def h36m_rows(
    keys: Keys, *, stride: int = 1, skipped: set[tuple[str, str]] | None = None, subjects: Sequence[str] = ("S9", "S11")
) -> Array:
    """Frames of the subjects, every so many from the first of each clip and camera on, without the skipped clips.

    A subject is named "S9" and a clip as in `skipped`, in the column `sequence`.
    """
    n = len(keys["subject"])
    columns = [[str(x) for x in keys[name]] for name in ("subject", "action", "sequence", "camera") if name in keys]
    clips = list(zip(*columns, strict=True))
    first: dict[tuple[str, ...], int] = {}
    for clip, frame in zip(clips, keys["frame"] if stride > 1 else [0] * n, strict=True):
        first[clip] = min(int(frame), first.get(clip, int(frame)))
    chosen = []
    for i in range(n):
        subject = str(keys["subject"][i])
        dropped = bool(skipped) and (subject, str(keys["sequence"][i])) in (skipped or set())
        on_stride = stride == 1 or (int(keys["frame"][i]) - first[clips[i]]) % stride == 0
        chosen.append(subject in subjects and on_stride and not dropped)
    return np.array(chosen, bool)


def everything(keys: Keys) -> Array:
    """All frames."""
    return np.ones(len(next(iter(keys.values()))), bool)


def three_dhp_rows(keys: Keys) -> Array:
    """TS1 to TS6. That only valid frames count is for whoever reads the data set."""
    return np.array([str(subject) in THREE_DHP_SETTINGS for subject in keys["subject"]], bool)


SELECTIONS: dict[str, Callable[[Keys], Array]] = {
    "h36m-videopose3d": lambda keys: h36m_rows(keys, skipped=S11_DIRECTIONS),
    "h36m-epipolarpose": lambda keys: h36m_rows(keys, stride=64),
    "h36m-epipolarpose-refiner": h36m_rows,
    "h36m-mmpose": h36m_rows,
    "h36m-learnable-triangulation": lambda keys: h36m_rows(keys, stride=5, skipped=S9_DAMAGED),
    "h36m-rhodin": lambda keys: h36m_rows(keys, stride=5),
    "h36m-canonpose": h36m_rows,
    "metrabs": lambda keys: h36m_rows(keys, stride=64),
    "3dhp-official": three_dhp_rows,
    "3dhp-mmpose": three_dhp_rows,
    "mupots": everything,
    "3dpw": everything,
}
