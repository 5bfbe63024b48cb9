"""Millimetres or metres: told from the length of limbs, frame by frame, never guessed in silence.

The eight long bones of a person add up to between 1.2 and 4.5 m, and mm and m lie a factor of 1000 apart, so a file
whose limbs fit one unit cannot fit the other. What is found out is noted in the report; what does not fit is refused.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.kernels import compiled_form, map_chunks
from posebench.poses import PoseSet
from posebench.skeletons import Skeleton, get_skeleton, skeleton_names

#: Least and greatest sum of thighs, shins, upper arms and forearms of a person, in mm.
PERSON_MM = (1200.0, 4500.0)
#: The same for each long bone: child to very tall adult, detections included.
BONE_MM = (100.0, 700.0)
#: Farthest that a pelvis lies from the middle of the hips; some sources put it at the base of the spine.
PELVIS_MM = 250.0
#: A stated unit is doubted only outside this wider range: centimetres, inches and feet lie outside.
PLAUSIBLE_MM = (600.0, 9000.0)
_FACTOR = {"mm": 1.0, "m": 1000.0}


def settle_unit(poses: PoseSet, skeleton: Skeleton, flag: str, *, is_gt: bool = False) -> PoseSet:
    """The set with its unit known: stated, or read off its limbs.

    Parameters
    ----------
    poses : PoseSet
    skeleton : Skeleton
        What the joints are.
    flag : str
        The option that answers the question, for messages: ``--pred-unit``.
    is_gt : bool
        Ground truth that is no person in the unit it states is refused; a prediction may be that wrong, with a note.

    Returns
    -------
    PoseSet
        The same coordinates; a note says when the unit was inferred.

    Raises
    ------
    InputError
        If the unit is neither stated nor a person's in mm or m; if the limbs contradict the stated unit and fit the
        other; if some poses are in mm and some in m.
    """
    from_file = poses.path is not None
    if "unit" in poses.stated or poses.unit == "scale-free" or (poses.unit is not None and not from_file):
        return poses
    limbs = np.array(skeleton.limbs, np.int64)
    if not len(limbs) or not len(poses):
        if poses.unit is None:
            raise InputError(
                f"{poses.source} does not say its unit; say it with {flag} mm, {flag} m or {flag} scale-free"
            )
        return poses
    totals = _totals(poses, limbs)
    known = totals[np.isfinite(totals)]
    if not len(known):
        if poses.unit is not None:
            return poses
        raise InputError(
            f"{poses.source} does not say its unit, and no pose has all the limbs that would tell; say it with "
            f"{flag} mm, {flag} m or {flag} scale-free"
        )
    middle = float(np.median(known))
    fits = [unit for unit, factor in _FACTOR.items() if PERSON_MM[0] <= middle * factor <= PERSON_MM[1]]
    if poses.unit is None and not fits:
        raise InputError(
            f"{poses.source} does not say its unit, and its limbs add up to {middle:.4g}, which is a person in "
            f"neither mm nor m (read as {skeleton.name}); say it with {flag} mm, {flag} m or {flag} scale-free"
        )
    if poses.unit is not None and fits and poses.unit not in fits:
        raise InputError(
            f"{poses.source} says its unit is {poses.unit}, but its limbs add up to {middle:.4g}, which is a person in "
            f"{fits[0]}; say which with {flag} {fits[0]} or {flag} {poses.unit}"
        )
    unit = poses.unit or fits[0]
    if not PLAUSIBLE_MM[0] <= middle * _FACTOR[unit] <= PLAUSIBLE_MM[1]:
        sentence = (
            f"{poses.source} says its unit is {unit}, but its limbs add up to {middle:.4g} {unit}, which no person's do"
        )
        if is_gt:
            raise InputError(f"{sentence}; convert it to mm or m, or insist with {flag} {unit}")
        return poses.replace(notes=(*poses.notes, sentence))
    _refuse_mixed(poses, totals, unit, flag)
    if poses.unit is not None:
        return poses
    note = f"unit of {poses.source} inferred: {unit} (limbs add up to {middle * _FACTOR[unit]:.0f} mm)"
    return poses.replace(unit=unit, notes=(*poses.notes, note))


#: At most this much longer is a person's limb in its longest poses than in its shortest, several people included.
_RIGID = 1.6


def refuse_inhuman(poses: PoseSet, skeleton: Skeleton, flag: str) -> None:
    """Raise if, under an assumed skeleton, bones or the pelvis are where no person's are: another order of joints.

    Poses without scale are measured in units of their own limbs.
    """
    what = inhuman(poses, skeleton)
    if what is not None:
        raise InputError(
            f"{poses.source} does not say its skeleton, and read as {skeleton.name} {what}: the joints are probably in "
            f"another order; say what they are with {flag} NAME (if they are {skeleton.name}: {flag} {skeleton.name})"
        )


def doubt_skeleton(poses: PoseSet, skeleton: Skeleton, flag: str, *, is_gt: bool) -> PoseSet:
    """A set whose file states its skeleton, held against its bones; what the user states is believed.

    Raises
    ------
    InputError
        If it is no person under that skeleton and is one under another with as many joints, or is a ground truth. A
        prediction that is nobody under any skeleton may be just that, and gets a note.
    """
    if poses.path is None or "skeleton" in poses.stated:
        return poses
    what = inhuman(poses, skeleton)
    if what is None:
        return poses
    others = [
        name
        for name in skeleton_names()
        if name != skeleton.name and len(get_skeleton(name)) == len(skeleton) and _is_person(poses, get_skeleton(name))
    ]
    if others or is_gt:
        better = f", while as {' or '.join(others)} it would be a person" if others else ""
        raise InputError(
            f"{poses.source} says {skeleton.name}, and as such {what}{better}: the joints are probably in another "
            f"order; say what they are with {flag} NAME (if they are {skeleton.name}: {flag} {skeleton.name})"
        )
    note = f"{poses.source}: {what}"
    return poses.replace(notes=(*poses.notes, note), path=poses.path)


def _lengths(sample: npt.NDArray[np.float64], limbs: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Lengths of limbs (N, L); infinite or NaN where coordinates are no numbers, or none that have a square."""
    with np.errstate(over="ignore", invalid="ignore"):
        found: npt.NDArray[np.float64] = np.linalg.norm(sample[:, limbs[:, 0]] - sample[:, limbs[:, 1]], axis=2)
    return found


def some_of(poses: PoseSet) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """At most 500 evenly spaced rows, and their poses, NaN at joints that the set calls invalid."""
    rows = np.unique(np.linspace(0, len(poses) - 1, min(len(poses), 500)).astype(np.int64))
    # What a stranger's file calls no number may be a signalling one.
    with np.errstate(invalid="ignore"):
        return rows, poses.take(rows).astype(np.float64)


def _is_person(poses: PoseSet, skeleton: Skeleton) -> bool:
    """Whether poses are a person's under a skeleton: lengths as people have them, and the same in every pose."""
    if not skeleton.limbs or inhuman(poses, skeleton) is not None:
        return False
    rows, sample = some_of(poses)
    limbs = np.array(skeleton.limbs, np.int64)
    lengths = _lengths(sample, limbs)
    if poses.valid is not None:
        lengths[~poses.valid[rows][:, limbs].all(2)] = np.nan
    if not np.isfinite(lengths).any(0).all():
        return False
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        spread = np.nanpercentile(lengths, 90, axis=0) / np.nanpercentile(lengths, 10, axis=0)
    return bool((spread < _RIGID).all())


def inhuman(poses: PoseSet, skeleton: Skeleton) -> str | None:
    """Which bone of poses, read as a skeleton, is like no person's; None if they pass, or hold too little to tell."""
    limbs = np.array(skeleton.limbs, np.int64)
    if not len(limbs) or not len(poses):
        return None
    rows, sample = some_of(poses)
    lengths = _lengths(sample, limbs)
    if poses.valid is not None:
        lengths[~poses.valid[rows][:, limbs].all(2)] = np.nan
    known = np.isfinite(lengths).any(0)
    if not known.all():
        return None
    with np.errstate(over="ignore", invalid="ignore"):  # numbers out of damaged files: huge, tiny, infinite
        middle = np.nanmedian(lengths, axis=0)
        factor = _FACTOR.get(poses.unit or "", 2800.0 / max(middle.sum(), 1e-300))
        middle = middle * factor
    odd = np.flatnonzero((middle < BONE_MM[0]) | (middle > BONE_MM[1]))
    # A prediction whose limbs are all too short is a bad prediction, not another skeleton.
    if len(odd) and middle.max() >= BONE_MM[0]:
        a, b = limbs[odd[0]]
        bone = f"{skeleton.joints[a]}-{skeleton.joints[b]}"
        return f"its {bone} is {middle[odd[0]]:.0f} mm long, which no person's is"
    if {"pelvis", "LHip", "RHip"} <= set(skeleton.joints):
        pelvis, left, right = (skeleton.index(joint) for joint in ("pelvis", "LHip", "RHip"))
        if poses.valid is not None:
            sample = sample[poses.valid[rows][:, [pelvis, left, right]].all(1)]
        with np.errstate(over="ignore", invalid="ignore"):
            away = np.linalg.norm(sample[:, pelvis] - (sample[:, left] + sample[:, right]) / 2, axis=1) * factor
        away = away[np.isfinite(away)]
        if len(away) and np.median(away) > PELVIS_MM and middle.max() >= BONE_MM[0]:
            return f"its pelvis lies {np.median(away):.0f} mm from the middle of the hips"
    return None


def _totals(poses: PoseSet, limbs: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    from posebench.kernels.limbs import limb_totals

    totals = np.empty(len(poses))
    no_mask = np.ones((1, 1), np.bool_)

    def fill(rows: slice) -> None:
        mask = no_mask if poses.valid is None else compiled_form(poses.valid[rows])
        chunk = compiled_form(poses.poses[rows])
        limb_totals(chunk, mask, poses.valid is not None, limbs, totals[rows])

    for _ in map_chunks(fill, len(poses)):
        pass
    return totals


def _refuse_mixed(poses: PoseSet, totals: npt.NDArray[np.float64], unit: str, flag: str) -> None:
    other = "m" if unit == "mm" else "mm"
    scaled = totals * _FACTOR[other]
    with np.errstate(invalid="ignore"):
        strange = np.flatnonzero((scaled >= PERSON_MM[0]) & (scaled <= PERSON_MM[1]))
    if len(strange):
        raise InputError(
            f"{poses.source}: {len(strange)} of {len(poses)} poses are a person in {other} while the others are in "
            f"{unit}, the first at row {strange[0]} (limbs add up to {totals[strange[0]]:.4g}); convert them, or "
            f"state {flag} {unit}"
        )
