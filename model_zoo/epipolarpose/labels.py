"""Labels in 3D out of joints in 2D: what the paper's training learns from, made by epipolar geometry alone.

Pictures taken together by neighbouring cameras are pairs (I_i, I_i+1). How two cameras stand to each other is known, or
estimated from the joints themselves; the joints are triangulated; the pose is brought into both cameras, as pixels
and depth relative to the root in pixels (`geometry.to_image_space`), which needs no scale.

    detections + label-free view -> pairs -> camera poses -> triangulation -> masks -> pairs, or the median over pairs

What is doubtful is left out and counted by reason, never passed on: joints by mask, pairs as a whole, pairs of cameras.
Nothing here can see ground truth; `evaluation` compares with it afterwards.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from model_zoo.epipolarpose.boxes import boxes_of
from model_zoo.epipolarpose.detections import Detections
from model_zoo.epipolarpose.geometry.arrays import rays_of
from model_zoo.epipolarpose.geometry.depth import to_image_space
from model_zoo.epipolarpose.geometry.robust import RelativePose, frame_poses, pooled_pose, robust_scale
from model_zoo.epipolarpose.geometry.triangulation import triangulate_pose, vector_median
from posebench.datasets.views import UnlabelledView, camera_names
from posebench.errors import InputError, UsageError
from posebench.skeletons import H36M17

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Progress = Callable[[float, float, str], None]

Extrinsics = Literal["known", "estimated"]
Pool = Literal["frame", "sequence", "rig"]
Fixed = Literal["sequence", "subject", "all"]
Combine = Literal["pair", "median"]

SCHEMA = "posebench.labels/1"
J = len(H36M17)
#: px: a residual below this is rounding.
LEAST_ERROR = 1e-3
NO_POSE, NO_ROOT, TOO_FEW_JOINTS = "the cameras' pose is unknown", "the root is masked", "too few joints are left"


@dataclass(frozen=True)
class LabelConfig:
    """How labels are made.

    extrinsics : {"estimated", "known"}
        Whether R and t come from the joints or from the view, which must hold them then.
    pool : {"sequence", "frame", "rig"}
        Over what one camera pose is estimated: a sequence, with what `fixed` says for sequences that leave it
        uncertain; each pair of pictures on its own, as in the paper; or everything that `fixed` says.
    fixed : {"sequence", "subject", "all"}
        Where the cameras are known not to move. The id of a sequence begins with its subject.
    combine : {"pair", "median"}
        A label for each pair, learned by both its pictures, as in the paper; or one for each picture: the vector
        median over all pairs of that instant.
    certain : float
        Degrees. A sequence whose pose has a larger standard deviation takes that of everything that `fixed` says.
    min_confidence : float
        A joint that either picture is less sure of is masked.
    outlier : float
        A joint whose reprojection error is more than so many standard deviations of the measured noise is masked.
    min_joints : int
        A label with fewer is left out.
    """

    extrinsics: Extrinsics = "estimated"
    pool: Pool = "sequence"
    fixed: Fixed = "subject"
    combine: Combine = "pair"
    certain: float = 0.5
    min_confidence: float = 0.3
    outlier: float = 4.0
    min_joints: int = 8

    def __post_init__(self) -> None:
        for name, allowed in (("extrinsics", Extrinsics), ("pool", Pool), ("fixed", Fixed), ("combine", Combine)):
            value = getattr(self, name)
            if value not in get_args(allowed):
                raise UsageError(f"{name} is {value!r}, expected one of {', '.join(get_args(allowed))}")
        ranges = {"certain": (0, 180), "min_confidence": (0, 1), "outlier": (0, 1000), "min_joints": (2, J)}
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise UsageError(f"{name} is {value}, expected a number from {least} to {most}")


@dataclass(frozen=True, eq=False)
class Labels:
    """P labels, each for V pictures: 2 of a pair, or 1.

    pictures : (P, V) int
        Rows of the view.
    joints : (P, V, 17, 3)
        u, v, and depth relative to the root, in px of the picture; NaN where masked.
    known : (P, 17) bool
        Joints that are not masked; the loss counts these.
    error : (P, 17)
        Reprojection error in px, of the two pictures together of the pair that the joint is from; NaN where masked.
    root_depth : (P, V)
        In mm if R and t are known, NaN if not.
    pose : (P, V, 3, 4)
        Of a pair: from the camera of its first picture into that of each, [R | t]; NaN for labels by median.
    box : (N, 3)
        Left, top, side in px of each picture of the view; NaN where too little was found.
    report : mapping
        How they were made, and what was left out and why.
    """

    pictures: Ints
    joints: Floats
    known: Bools
    error: Floats
    root_depth: Floats
    pose: Floats
    box: Floats
    report: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pictures)


@dataclass(eq=False)
class _Pairs:
    """Pairs (M, Q) of pictures: instants by neighbouring cameras; and what is found of each. Flat ones are M·Q long."""

    pictures: Ints
    cameras: list[tuple[int, int]]
    names: list[str]
    there: Bools
    R: Floats
    t: Floats
    why: npt.NDArray[np.object_]


def make_labels(
    view: UnlabelledView, found: Detections, config: LabelConfig | None = None, *, progress: Progress | None = None
) -> Labels:
    """Make labels.

    Parameters
    ----------
    view : UnlabelledView
        With extrinsics if, and only if, the configuration wants them known.
    found : Detections
        Of the pictures of the view.
    config : LabelConfig, optional
    progress : callable, optional
        Called with camera poses estimated, their number, and a word.

    Raises
    ------
    UsageError
        If the detections are not of these pictures, or R and t are asked for and not there, or there and not asked for.
    InputError
        If no two pictures were taken together.
    """
    config = config or LabelConfig()
    if len(found) != len(view):
        raise UsageError(f"there are detections of {len(found)} pictures, and {len(view)} pictures")
    if view.with_extrinsics != (config.extrinsics == "known"):
        has = "holds" if view.with_extrinsics else "does not hold"
        raise UsageError(f"extrinsics are to be {config.extrinsics}, and the view {has} them")
    sure = np.isfinite(found.points).all(axis=-1) & (found.confidence >= config.min_confidence)
    points = np.where(sure[..., None], found.points, np.nan)
    box = boxes_of(points, sure)
    pairs = _pairs_of(view)
    offered = int(pairs.there.sum())
    if not offered:
        raise InputError("no two pictures of neighbouring cameras were taken together, so nothing can be triangulated")
    cameras = (
        _known_poses(view, pairs) if config.extrinsics == "known" else _estimate(view, points, pairs, config, progress)
    )
    triangulated = _triangulate(view, points, sure, box, pairs, config)
    counts = Counter(str(reason) for reason in pairs.why[pairs.there] if reason is not None)
    labels = (
        _pair_labels(view, triangulated, pairs, box, metric=config.extrinsics == "known")
        if config.combine == "pair"
        else _median_labels(view, triangulated, pairs, box, config)
    )
    known = triangulated.known
    report = {
        "schema": SCHEMA,
        "config": asdict(config),
        "source": found.source,
        "detections_sha256": _digest(found.points, found.confidence),
        "view_sha256": view_sha256(view),
        "pairs": {"offered": offered, "labelled": len(known), "left_out": dict(sorted(counts.items()))},
        "joints": {"offered": offered * J, "known": int(known.sum()), "masked": triangulated.masked},
        "pictures": {
            "offered": len(np.unique(pairs.pictures[pairs.there])),
            "labelled": len(np.unique(labels.pictures)),
        },
        "labels": len(labels),
        "noise_px": _number(triangulated.noise),
        "reprojection_px": _number(float(np.median(triangulated.error[known]))) if known.any() else None,
        "camera_poses": cameras,
    }
    return Labels(
        labels.pictures, labels.joints, labels.known, labels.error, labels.root_depth, labels.pose, box, report
    )


def neighbours(cameras: int) -> list[tuple[int, int]]:
    """Consecutive cameras; from three on, the last and the first are neighbours too, as around a room.

    Examples
    --------
    >>> neighbours(2), neighbours(4)
    ([(0, 1)], [(0, 1), (1, 2), (2, 3), (3, 0)])
    """
    return [(i, (i + 1) % cameras) for i in range(cameras if cameras > 2 else cameras - 1)]


def view_sha256(view: UnlabelledView) -> str:
    """What labels are bound to: the ids and intrinsics of the pictures."""
    return _digest(view.sequence, view.camera, view.frame, view.intrinsics)


# ------------------------------------------------------------------------------------------------------- camera poses


def _pairs_of(view: UnlabelledView) -> _Pairs:
    instants, names = view.instants, camera_names(view.camera)
    cameras = neighbours(len(names))
    pictures = instants[:, np.array(cameras, np.int64).reshape(-1, 2)].reshape(-1, 2)
    return _Pairs(
        pictures,
        cameras,
        names,
        np.asarray((pictures >= 0).all(axis=1)),
        np.full((len(pictures), 3, 3), np.nan),
        np.full((len(pictures), 3), np.nan),
        np.full(len(pictures), None, np.object_),
    )


def _known_poses(view: UnlabelledView, pairs: _Pairs) -> list[dict[str, Any]]:
    first, second = pairs.pictures[pairs.there].T
    R = view.R[second] @ np.swapaxes(view.R[first], -1, -2)
    pairs.R[pairs.there] = R
    pairs.t[pairs.there] = view.t[second] - (R @ view.t[first][..., None])[..., 0]
    return []


def _estimate(
    view: UnlabelledView, points: Floats, pairs: _Pairs, config: LabelConfig, progress: Progress | None
) -> list[dict[str, Any]]:
    """Estimate the poses between cameras and enter them; what is known of each that holds for several pictures."""
    if config.pool == "frame":
        _estimate_frames(view, points, pairs, progress)
        return []
    rigs = _rigs(view, config.fixed)
    # A sequence that leaves its cameras uncertain takes the pose from all sequences of the same cameras.
    levels = (
        [rigs] if config.pool == "rig" else [view.sequence] if config.fixed == "sequence" else [view.sequence, rigs]
    )
    told: list[dict[str, Any]] = []
    there = np.flatnonzero(pairs.there)
    settled = np.zeros(len(pairs.there), np.bool_)
    # Which of those told each pair has its pose from.
    giver = np.full(len(pairs.there), -1)
    for level, ids in enumerate(levels, 1):
        limit = config.certain if level < len(levels) else np.inf
        keys = _group_keys(ids, pairs, there)
        order = np.argsort(keys, kind="stable")
        groups = np.split(there[order], np.flatnonzero(keys[order][1:] != keys[order][:-1]) + 1)
        groups = [group for group in groups if not settled[group].all()]
        for done, group in enumerate(groups, 1):
            first, second, K = _as_one_camera(view, points, pairs.pictures[group])
            pose = pooled_pose(first, second, K, K)
            rows = group[~settled[group]]
            if pose.known:
                pairs.R[rows], pairs.t[rows], pairs.why[rows] = pose.R, pose.t, None
                giver[rows] = len(told)
                settled[rows] = pose.uncertainty <= limit
            else:
                # What a sequence says of its cameras, however uncertain, stays if all of them together say nothing.
                unknown = rows[np.isnan(pairs.R[rows, 0, 0])]
                pairs.why[unknown] = pose.reason
            told.append(_told(view, pairs, group, pose))
            if progress is not None:
                progress(done, len(groups), "poses of cameras")
    return [{**facts, "serves": int((giver == number).sum())} for number, facts in enumerate(told)]


def _estimate_frames(view: UnlabelledView, points: Floats, pairs: _Pairs, progress: Progress | None) -> None:
    for q in range(len(pairs.cameras)):
        group = np.flatnonzero(pairs.there & (np.arange(len(pairs.there)) % len(pairs.cameras) == q))
        if not len(group):
            continue
        first, second, K = _as_one_camera(view, points, pairs.pictures[group])
        found = frame_poses(first, second, K, K)
        pairs.R[group], pairs.t[group] = found.R, found.t
        pairs.why[group] = np.array([pose.reason for pose in found.poses], np.object_)
        if progress is not None:
            progress(q + 1, len(pairs.cameras), "pairs of cameras, frame by frame")


def _as_one_camera(view: UnlabelledView, points: Floats, pictures: Ints) -> tuple[Floats, Floats, Floats]:
    """Joints of pairs of pictures (P, 2) as cameras with one focal length see them, and its intrinsics.

    Crops have intrinsics of their own, and the camera behind them stands still.
    """
    K = view.intrinsics[pictures.reshape(-1)]
    focal = float(np.median(np.sqrt(K[:, 0, 0] * K[:, 1, 1])))
    first, second = (focal * rays_of(points[rows], view.intrinsics[rows])[..., :2] for rows in pictures.T)
    return first, second, np.diag([focal, focal, 1.0])


def _group_keys(ids: npt.NDArray[Any], pairs: _Pairs, rows: Ints) -> npt.NDArray[np.str_]:
    number = (rows % len(pairs.cameras)).astype(np.str_)
    return np.char.add(np.char.add(number, " "), ids[pairs.pictures[rows, 0]])


def _rigs(view: UnlabelledView, fixed: Fixed) -> npt.NDArray[np.str_]:
    if fixed == "all":
        return np.full(len(view), "all")
    if fixed == "sequence":
        return view.sequence
    return np.array([name.partition("/")[0] for name in view.sequence.tolist()])


def _told(view: UnlabelledView, pairs: _Pairs, group: Ints, pose: RelativePose) -> dict[str, Any]:
    i, k = pairs.cameras[int(group[0]) % len(pairs.cameras)]
    sequences = np.unique(view.sequence[pairs.pictures[group, 0]]).tolist()
    return {
        "cameras": [pairs.names[i], pairs.names[k]],
        "sequence": sequences[0] if len(sequences) == 1 else None,
        "sequences": len(sequences),
        "pairs": len(group),
        "joints": pose.points,
        "agreeing": pose.agreeing,
        "noise_px": _number(pose.noise),
        "uncertainty_deg": _number(pose.uncertainty),
        "left_out": None if pose.reason is None else str(pose.reason),
    }


# ------------------------------------------------------------------------------------------------------ triangulation


@dataclass(frozen=True, eq=False)
class _Triangulated:
    """What is left of the pairs: n of them.

    rows : (n,)
        Which pairs.
    points : (n, 2, 17, 3)
        In the camera of either picture, in mm or in the pair's own unit; NaN where masked.
    error : (n, 17)
    known : (n, 17)
    noise : float
        In px.
    masked : mapping
        How many joints of all pairs, by the first reason that holds; with the known ones these are all joints.
    """

    rows: Ints
    points: Floats
    error: Floats
    known: Bools
    noise: float
    masked: Mapping[str, int]


def _triangulate(
    view: UnlabelledView, points: Floats, sure: Bools, box: Floats, pairs: _Pairs, config: LabelConfig
) -> _Triangulated:
    rows = np.flatnonzero(pairs.there & ~np.isnan(pairs.R[:, 0, 0]))
    first, second = pairs.pictures[rows].T
    R, t, K1, K2 = pairs.R[rows], pairs.t[rows], view.intrinsics[first], view.intrinsics[second]
    found = triangulate_pose(points[first], points[second], K1, K2, R, t)
    seen = np.stack([found.points, found.points @ np.swapaxes(R, -1, -2) + t[:, None]], axis=1)
    both = sure[first] & sure[second]
    in_front = np.asarray(np.isfinite(found.points).all(axis=-1))
    noise = robust_scale(found.error[both])
    with np.errstate(invalid="ignore"):
        # Residuals of exact joints are rounding errors, and those are no outliers.
        near = found.error <= max(config.outlier * noise, LEAST_ERROR)
        depth = np.stack([to_image_space(seen[:, side], K)[..., 2] for side, K in ((0, K1), (1, K2))], axis=1)
        inside = (np.abs(depth) <= np.stack([box[first, 2], box[second, 2]], axis=1)[..., None]).all(axis=1)
    root = H36M17.root
    # Depths are told from the root: without it, nothing can be said of the other joints.
    rooted = both[:, root] & in_front[:, root] & near[:, root]
    known = both & in_front & near & inside & rooted[:, None]
    kept = known.sum(axis=1) >= config.min_joints
    pairs.why[rows[~kept]] = np.where(rooted, TOO_FEW_JOINTS, NO_ROOT)[~kept]
    fit = both & in_front & near
    masked = {
        NO_POSE: np.ones((int(pairs.there.sum()) - len(rows), J), np.bool_),
        "confidence too low in a picture": ~both,
        "not in front of both cameras": both & ~in_front,
        "reprojection error beyond the noise": both & in_front & ~near,
        NO_ROOT: fit & ~rooted[:, None],
        "deeper than the box": fit & rooted[:, None] & ~inside,
        TOO_FEW_JOINTS: known & ~kept[:, None],
    }
    return _Triangulated(
        rows[kept],
        np.where(known[:, None, :, None], seen, np.nan)[kept],
        np.where(known, found.error, np.nan)[kept],
        known[kept],
        noise,
        {reason: int(joints.sum()) for reason, joints in masked.items()},
    )


def _pair_labels(view: UnlabelledView, found: _Triangulated, pairs: _Pairs, box: Floats, *, metric: bool) -> Labels:
    pictures = pairs.pictures[found.rows]
    joints = [to_image_space(found.points[:, side], view.intrinsics[pictures[:, side]]) for side in (0, 1)]
    pose = np.concatenate([pairs.R[found.rows], pairs.t[found.rows][..., None]], axis=-1)
    depth = found.points[:, :, H36M17.root, 2]
    return Labels(
        pictures,
        np.stack(joints, axis=1),
        found.known,
        found.error,
        depth if metric else np.full_like(depth, np.nan),
        np.stack([np.broadcast_to(np.eye(3, 4), pose.shape), pose], axis=1),
        box,
    )


# ------------------------------------------------------------------------------------------------------------- median


def _median_labels(
    view: UnlabelledView, found: _Triangulated, pairs: _Pairs, box: Floats, config: LabelConfig
) -> Labels:
    """One label for each picture: the vector median over all pairs of its instant."""
    V, Q = len(pairs.names), len(pairs.cameras)
    # By instant: which of the triangulated pairs the neighbours q are, -1 for none; and the cameras' pictures.
    flat = np.full(len(pairs.pictures), -1, np.int64)
    flat[found.rows] = np.arange(len(found.rows))
    which = flat.reshape(-1, Q)
    instants = view.instants
    metric = config.extrinsics == "known"
    parts = []
    for camera in range(V):
        rows = np.flatnonzero((instants[:, camera] >= 0) & (which >= 0).any(axis=1))
        mine = instants[rows, camera]
        if metric:
            candidates = [_moved(view, found, pairs, which[rows, q], mine) for q in range(Q)]
        else:
            candidates = _carried(found, pairs, which[rows], camera)
        there = which[rows].T >= 0
        errors = np.where(there[..., None], found.error[np.maximum(which[rows].T, 0)], np.nan)
        points = vector_median(np.array(candidates), errors)
        chosen = (np.array(candidates) == points).all(axis=-1)
        uvw = to_image_space(points, view.intrinsics[mine])
        with np.errstate(invalid="ignore"):
            # The pairs were held against boxes of their own pictures, and not of this one.
            known = np.isfinite(uvw).all(axis=-1) & (np.abs(uvw[..., 2]) <= box[mine, 2:])
        uvw = np.where(known[..., None], uvw, np.nan)
        error = np.where(known, np.where(chosen, errors, np.inf).min(axis=0), np.nan)
        kept = known.sum(axis=1) >= config.min_joints
        depth = points[:, H36M17.root, 2] if metric else np.full(len(rows), np.nan)
        parts.append((mine[kept], uvw[kept], known[kept], error[kept], depth[kept]))
    mine, uvw, known, error, depth = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(mine)
    nothing = np.full((len(order), 1, 3, 4), np.nan)
    return Labels(
        mine[order][:, None], uvw[order][:, None], known[order], error[order], depth[order][:, None], nothing, box
    )


def _moved(view: UnlabelledView, found: _Triangulated, pairs: _Pairs, which: Ints, mine: Ints) -> Floats:
    """Points (M, 17, 3) of pairs in the cameras of the pictures `mine`, by R and t as they are known; NaN for none."""
    index = np.maximum(which, 0)
    first = pairs.pictures[found.rows[index], 0]
    world = (found.points[index, 0] - view.t[first][:, None]) @ view.R[first]
    there = world @ np.swapaxes(view.R[mine], -1, -2) + view.t[mine][:, None]
    return np.where((which >= 0)[:, None, None], there, np.nan)


def _carried(found: _Triangulated, pairs: _Pairs, which: Ints, camera: int) -> list[Floats]:
    """Points (M, 17, 3) of each of Q pairs in one camera, in units of the depth of the root there; NaN for none.

    Every pair has a unit of its own. Two pairs that share a camera see the same root at one depth in it, and so say
    how long one unit is in the other: points are divided by that depth, turned into the next camera, and so on.
    Only what lies between the root and a joint is carried; where the root is, the camera's own pairs say.
    """
    M = len(which)
    root = H36M17.root
    have, index = which >= 0, np.maximum(which, 0)
    depth = found.points[:, :, root, 2]
    R = pairs.R[found.rows]
    centres, errors = [], []
    for q, pair in enumerate(pairs.cameras):
        if camera in pair:
            side = pair.index(camera)
            at = found.points[index[:, q], side, root] / depth[index[:, q], side][:, None]
            centres.append(np.where(have[:, [q]], at, np.nan))
            errors.append(np.where(have[:, q], found.error[index[:, q], root], np.nan))
    centre = vector_median(np.array(centres)[:, :, None], np.array(errors)[:, :, None])
    candidates = []
    for q, (i, k) in enumerate(pairs.cameras):
        own = index[:, q]
        # How to get from the pair's first camera to each: turn, and the depth of the root there over the one here.
        turn = np.full((len(pairs.names), M, 3, 3), np.nan)
        ratio = np.full((len(pairs.names), M), np.nan)
        turn[i, have[:, q]], ratio[i, have[:, q]] = np.eye(3), 1.0
        turn[k], ratio[k] = (
            np.where(have[:, q, None, None], R[own], np.nan),
            np.where(have[:, q], depth[own, 1] / depth[own, 0], np.nan),
        )
        for _ in pairs.names:
            before_turn, before = turn.copy(), ratio.copy()
            for step, (a, b) in enumerate(pairs.cameras):
                rows = index[:, step]
                on = depth[rows, 1] / depth[rows, 0]
                forth = have[:, step] & np.isfinite(before[a]) & np.isnan(ratio[b])
                turn[b][forth], ratio[b][forth] = (R[rows] @ before_turn[a])[forth], (before[a] * on)[forth]
                back = have[:, step] & np.isfinite(before[b]) & np.isnan(ratio[a])
                turn[a][back] = (np.swapaxes(R[rows], -1, -2) @ before_turn[b])[back]
                ratio[a][back] = (before[b] / on)[back]
        points = found.points[own, 0]
        relative = (points - points[:, [root]]) @ np.swapaxes(turn[camera], -1, -2)
        candidates.append(centre + relative / (depth[own, 0] * ratio[camera])[:, None, None])
    return candidates


# -------------------------------------------------------------------------------------------------------------- helpers


def _digest(*arrays: npt.NDArray[Any]) -> str:
    """SHA-256 over the shapes, types and values of arrays; texts are taken as wide as the longest."""
    digest = hashlib.sha256()
    for given in arrays:
        array = np.array(given.tolist(), np.str_) if given.dtype.kind == "U" else given
        digest.update(f"{array.dtype.str} {array.shape};".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


__all__ = ["LabelConfig", "Labels", "make_labels", "neighbours", "view_sha256"]
