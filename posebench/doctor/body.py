"""What no person is: bones of impossible length, sides that differ, a root elsewhere, knees that bend backwards."""

from __future__ import annotations

import numpy as np

from posebench.doctor.fixes import Commands
from posebench.doctor.material import BONE_MM, Case, Change, Floats, fitting_unit, pick, recipe, same_size
from posebench.doctor.model import Evidence, Finding
from posebench.errors import PosebenchError
from posebench.skeletons import Skeleton
from posebench.units import PELVIS_MM

#: A limb is so many times as long as its counterpart on the other side in no person.
_LOPSIDED = 2.0
#: A limb of this length, in mm, is nobody's, not even in predictions that shrink towards the mean pose.
_SHORT_MM = 50.0
#: A prediction that says it is relative to its root has it this near the origin, in mm.
_ROOT_MM = 100.0
#: Poses in which knees or elbows are bent enough to tell, and the share of them that bends backwards in a person.
_TELLING, _BACKWARDS = 25, 0.2
#: Share of the poses whose feet lie above their head from which on a file is upside down.
_UPSIDE_DOWN = 0.95


def bones(case: Case, change: Change) -> list[Finding]:
    """Limbs and pelvis that no person has, under the joints and the unit that were found."""
    p = case.changed(Change(change.weights, change.factor, per_row=change.per_row))
    skeleton = case.protocol.skeleton
    limbs = np.array(skeleton.limbs, np.int64)
    if not len(limbs) or len(p) < 3:
        return []
    lengths = np.linalg.norm(p[:, limbs[:, 0]] - p[:, limbs[:, 1]], axis=2)
    if not np.isfinite(lengths).any(0).all():
        return []
    with np.errstate(all="ignore"):
        middle = np.nanmedian(lengths, axis=0)
    true = np.array([_without_noise(each) for each in lengths.T])
    said = []
    if case.pred.unit != "scale-free":
        said += [
            f"{skeleton.joints[a]}-{skeleton.joints[b]} is {length:.0f} mm long"
            for (a, b), length, least in zip(limbs.tolist(), middle.tolist(), true.tolist(), strict=True)
            if length < _SHORT_MM or least > BONE_MM[1]
        ]
    for i in range(0, len(limbs), 2):
        pair = middle[i : i + 2]
        if true[i : i + 2].max() > _LOPSIDED * pair.min():
            bone = f"{skeleton.joints[limbs[i, 0]][1:]}-{skeleton.joints[limbs[i, 1]][1:]}"
            said.append(f"{bone} is {pair[0]:.0f} mm long on the left and {pair[1]:.0f} on the right")
    if {"pelvis", "LHip", "RHip"} <= set(skeleton.joints):
        pelvis, left, right = (skeleton.index(name) for name in ("pelvis", "LHip", "RHip"))
        away = np.linalg.norm(p[:, pelvis] - (p[:, left] + p[:, right]) / 2, axis=1)
        away = away[np.isfinite(away)]
        if len(away) and _without_noise(away) > PELVIS_MM:
            said.append(f"its pelvis lies {np.median(away):.0f} mm from the middle of the hips")
    if not said:
        return []
    evidence = [Evidence("sum of the eight long bones", float(middle.sum()), None, "mm", len(p))]
    others = _other_skeletons(case, change)
    advice = "at the source: joints are in another order, or some of them are not what their names say"
    if others:
        advice = f"as {' or '.join(each.name for each in others)} these poses would be a person's"
    return [
        Finding(
            "D-BONES",
            "error",
            f"{case.pred.source}: {'; '.join(said[:4])}: no person's are",
            tuple(evidence),
            advice=advice,
        )
    ]


def _without_noise(lengths: Floats) -> float:
    """The least length of a bone that noisy ones (n,) can have: noise makes them longer, their squares tell how much.

    With noise of variance s in each coordinate, squares have the mean M = b² + 3s and the variance V = 4b²s + 6s². What
    is left is lowered by three standard errors of the mean, since few poses tell little.
    """
    squares = lengths[np.isfinite(lengths)] ** 2
    squares = squares[squares <= np.percentile(squares, 97)]
    mean, variance = float(squares.mean()), float(squares.var())
    root = 16 * mean**2 - 24 * variance
    noise = mean / 3 if root < 0 else (4 * mean - np.sqrt(root)) / 12
    return float(np.sqrt(max(mean - 3 * noise - 3 * np.sqrt(variance / len(squares)), 0.0)))


def unknown_joints(case: Case, change: Change, commands: Commands) -> list[Finding]:
    """Without ground truth: a file whose bones are nobody's as it is taken, and a person's under another skeleton."""
    others = _other_skeletons(case, change)
    if case.skeleton is not None and (_human(case, case.skeleton, change) or not others):
        return []
    if not others:
        return []
    spread = {
        skeleton.name: _unevenness(case, skeleton) for skeleton in ([case.skeleton] if case.skeleton else []) + others
    }
    best = min(others, key=lambda skeleton: spread[skeleton.name])
    taken = "no known skeleton" if case.skeleton is None else case.skeleton.name
    evidence = Evidence(
        "how much the long bones change from pose to pose, longest by shortest",
        spread[taken] if case.skeleton is not None else 0.0,
        spread[best.name],
        "times",
        len(case.p),
    )
    return [
        Finding(
            "D-JOINTS",
            "error",
            f"{case.pred.source}: its bones are nobody's as {taken}, and a person's as {best.name}",
            (evidence,),
            commands.convert((("--from-skeleton", best.name), ("--skeleton", case.protocol.skeleton.name))),
            convert=(("--from-skeleton", best.name), ("--skeleton", case.protocol.skeleton.name)),
        )
    ]


def _other_skeletons(case: Case, change: Change) -> list[Skeleton]:
    return [
        each
        for each in same_size(case.pred.poses.shape[1])
        if each != case.skeleton and each.limbs and _human(case, each, change)
    ]


def _limb_lengths(case: Case, skeleton: Skeleton) -> Floats:
    limbs = np.array(skeleton.limbs, np.int64).reshape(-1, 2)
    return np.asarray(np.linalg.norm(case.p[:, limbs[:, 0]] - case.p[:, limbs[:, 1]], axis=2), np.float64)


def _unevenness(case: Case, skeleton: Skeleton) -> float:
    lengths = _limb_lengths(case, skeleton)
    with np.errstate(all="ignore"):
        return float(np.nanmedian(np.nanpercentile(lengths, 90, axis=0) / np.nanpercentile(lengths, 10, axis=0)))


def _human(case: Case, skeleton: Skeleton, change: Change) -> bool:
    """Limbs as people have them, alike on both sides, and of one length throughout."""
    lengths = _limb_lengths(case, skeleton)
    if not lengths.size or not np.isfinite(lengths).any(0).all():
        return False
    with np.errstate(all="ignore"):
        middle = np.nanmedian(lengths, axis=0)
    # Relative to their sum, so that the unit plays no part.
    share = middle / middle.sum() * 2800
    pairs = share.reshape(-1, 2)
    alike = (pairs.max(1) < 1.3 * pairs.min(1)).all()
    return bool(alike and (share > 150).all() and (share < 700).all() and _unevenness(case, skeleton) < 1.6)


def origin(case: Case, change: Change, commands: Commands) -> list[Finding]:
    """A root that is not at the origin though the file says so, or lies there though the file says that it does not."""
    pred, protocol = case.pred, case.protocol
    roots = (pick(case.p, change.weights) * change.factor)[:, case.root]
    away = np.linalg.norm(roots, axis=1)
    away = away[np.isfinite(away)]
    if len(away) < 2:
        return []
    middle = float(np.median(away))
    name = protocol.skeleton.joints[case.root]
    unit = "mm" if pred.unit != "scale-free" else "mm (scaled)"
    distance = Evidence(f"distance of the {name} from the origin, in the median", middle, 0.0, unit, len(away))
    evidence = (distance, *_uncentred(case, change))
    if pred.origin == "root" and middle > _ROOT_MM:
        options = (("--from-origin", "absolute"), ("--to", "root"))
        return [
            Finding(
                "D-ORIGIN",
                "error",
                f"{pred.source} says that its poses are relative to their root, but its {name} is elsewhere",
                evidence,
                commands.convert(options),
                f"or, if they are absolute, say so: score with --pred-origin absolute; protocol {protocol.name} "
                + (
                    "takes predictions as they are"
                    if protocol.pred_root is None
                    else f"centres both sides on the {name}"
                ),
                convert=options,
            )
        ]
    if pred.origin == "absolute" and middle == 0 and len(away) > 1:
        return [
            Finding(
                "D-ORIGIN",
                "error",
                f"{pred.source} says that its coordinates are absolute, but its {name} lies at 0, 0, 0",
                (distance,),
                commands.score((("--pred-origin", "root"),)),
                "MRPE and other metrics of the position would measure nothing",
            )
        ]
    if pred.origin is None and middle > _ROOT_MM:
        matters = protocol.pred_root is None and not protocol.absolute_pred
        apart = case.gt is not None and case.gt.origin == "root"
        if matters or apart:
            options = (("--from-origin", "absolute"), ("--to", "root"))
            return [
                Finding(
                    "D-ORIGIN",
                    "error" if matters else "note",
                    f"{pred.source}: its poses are not centred on the {name}"
                    + (f", and protocol {protocol.name} takes predictions as they are" if matters else ""),
                    evidence,
                    commands.convert(options),
                    None if matters else f"protocol {protocol.name} centres both sides, so its metrics do not change",
                    convert=options if matters else (),
                )
            ]
    return []


def _uncentred(case: Case, change: Change) -> tuple[Evidence, ...]:
    """MPJPE with the prediction as it is against the centred ground truth, and with both centred."""
    if case.gt is None:
        return ()
    p = case.changed(change)
    g = case.g - case.g[:, [case.root]]
    away = np.linalg.norm(p[:, case.scored] - g[:, case.scored], axis=2)
    from posebench.doctor.material import row_means

    return (
        case.evidence(row_means(away), case.errors(p), "MPJPE where the prediction is not centred, and where it is"),
    )


def posture(case: Case, change: Change, commands: Commands) -> list[Finding]:
    """Without ground truth: knees and elbows that bend the wrong way, and a person who stands on the head."""
    if case.skeleton is None:
        return []
    p = pick(case.p, recipe(case.skeleton, case.protocol.skeleton)) * change.factor
    joints = case.protocol.skeleton.joints
    needed = ("LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle", "LShoulder", "RShoulder")
    if any(name not in joints for name in needed):
        return []
    at = {name: p[:, joints.index(name)] for name in needed}
    findings = []
    up = (at["LShoulder"] + at["RShoulder"] - at["LHip"] - at["RHip"]) / 2
    across = at["LHip"] - at["RHip"]
    forwards = np.cross(across, up)  # in right-handed axes: from the back to the front
    with np.errstate(all="ignore"):
        forwards = forwards / np.linalg.norm(forwards, axis=1, keepdims=True)
    told = backwards = 0
    for side in "LR":
        hip, knee, ankle = (at[side + name] for name in ("Hip", "Knee", "Ankle"))
        bend = knee - (hip + ankle) / 2
        straight = np.linalg.norm(ankle - hip, axis=1) / 2
        deep = np.linalg.norm(bend, axis=1) > 0.25 * straight
        ahead = (bend * forwards).sum(1)
        telling = deep & (np.abs(ahead) > 0.5 * np.linalg.norm(bend, axis=1))
        told += int(telling.sum())
        backwards += int((telling & (ahead < 0)).sum())
    if told >= _TELLING and backwards > (1 - _BACKWARDS) * told:
        findings.append(
            Finding(
                "D-CHIRALITY",
                "warning",
                f"{case.pred.source}: knees bend the wrong way, so left and right are exchanged or an axis is mirrored",
                (Evidence("bent knees that bend backwards", backwards, told - backwards, f"of {told}", len(p)),),
                advice="ground truth (--gt) tells which of the two",
            )
        )
    if case.pred.reference == "camera":
        feet = (at["LAnkle"] + at["RAnkle"])[:, 1] / 2
        head = (at["LShoulder"] + at["RShoulder"])[:, 1] / 2
        known = np.isfinite(feet) & np.isfinite(head)
        below = float((feet[known] < head[known]).mean()) if known.any() else 0.0
        if known.sum() >= _TELLING and below > _UPSIDE_DOWN:
            mirrored = bool(findings)
            options = (("--axes", "x,-y,z" if mirrored else "x,-y,-z"),)
            # Reversing y alone would mirror a body that is not mirrored now.
            findings = [
                Finding(
                    "D-UP",
                    "warning",
                    f"{case.pred.source} says camera coordinates, in which y points down, but its feet lie above its "
                    "shoulders" + (", and its knees bend the wrong way" if mirrored else ""),
                    (
                        Evidence(
                            "poses upside down",
                            round(below * float(known.sum())),
                            round((1 - below) * float(known.sum())),
                            f"of {int(known.sum())}",
                            int(known.sum()),
                        ),
                    ),
                    commands.convert(options),
                    convert=options,
                )
            ]
    return findings


def what_scoring_says(case: Case, given: tuple[object, object], allow_missing: bool, allow_extra: bool) -> str | None:
    """The sentence by which `posebench score` refuses two sides before it computes anything; None if it does not."""
    from posebench.scoring import Scorer
    from posebench.scoring.sides import Sides

    pred, gt = given
    try:
        scorer = Scorer(case.protocol, allow_missing=allow_missing)
        scorer.prepare(Sides(pred, gt, allow_missing=allow_missing, allow_extra=allow_extra, whole=True))  # type: ignore[arg-type]
    except PosebenchError as error:
        return str(error)
    return None


__all__ = ["bones", "fitting_unit", "origin", "posture", "unknown_joints", "what_scoring_says"]
