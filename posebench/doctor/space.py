"""Joints and axes: other orders of joints, left and right, mirrored and turned axes, camera against world.

Every way to name the joints (known skeletons, left and right exchanged) is tried with every way to name the axes (the
48 signed permutations, and a rotation fitted to each camera or stretch). What explains the file best wins, a simpler
explanation before one that is hardly better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations, product

import numpy as np

from posebench.doctor.fixes import Commands
from posebench.doctor.material import (
    Case,
    Change,
    Floats,
    Rows,
    centred,
    known_joints,
    pick,
    recipe,
    row_means,
    same_size,
)
from posebench.doctor.model import Evidence, Finding
from posebench.poses import KeyColumn
from posebench.skeletons import Skeleton

#: Poses that hypotheses are tried on.
_TRIED = 300
#: An explanation is taken if it leaves no more than this share of the error,
_EXPLAINS = 0.75
#: and if it leaves less than this, no order of joints without a name is looked for.
_WELL = 0.25
#: a rotation no more than this one, and turns by so many degrees or more.
_TURN_EXPLAINS, _LEAST_TURN = 0.7, 15.0
#: Two joints of a limb pair are exchanged if that leaves this share of their errors, in the mean.
_PAIR_EXPLAINS = 0.7
#: What a more complicated explanation must gain, in the logarithm of the error, for each step.
_PRICE = 0.05
#: Of the 48 ways to name axes so many are looked at closely.
_PROMISING = 6
#: A joint that lies farther from the body than this, in mm, must not decide among them.
_FAR = 2000.0
#: Fewest poses that say anything.
_FEWEST = 10


@dataclass(frozen=True)
class Naming:
    """A way to take the joints of the file: as a known skeleton, with pairs of sides exchanged, or in any order."""

    weights: Floats
    steps: float
    #: The known skeleton, if it is another than the one taken.
    skeleton: Skeleton | None = None
    #: Pairs of the protocol's joints (left, right) that stand in each other's place.
    exchanged: tuple[tuple[int, int], ...] = ()
    #: Whether joints stand in an order that no known skeleton has.
    shuffled: bool = False


@dataclass(frozen=True)
class Explanation:
    """Joints and axes that explain a file, with the error that is left over."""

    naming: Naming
    axes: Floats
    turns: Floats | None
    #: Share of the error that is left.
    left: float
    #: Which of the ways to divide the poses the rotations belong to.
    division: int = 0


def signed_permutations() -> list[tuple[Floats, float]]:
    """The 48 ways to name and reverse axes, with the steps that each takes: none for the identity."""
    found = []
    for order in permutations(range(3)):
        for signs in product((1.0, -1.0), repeat=3):
            axes = np.zeros((3, 3))
            axes[np.arange(3), order] = signs
            if order == (0, 1, 2):
                steps = 0.0 if signs == (1, 1, 1) else 1.0
            else:
                steps = 2.0
            found.append((axes, steps))
    return sorted(found, key=lambda each: each[1])


_AXES = signed_permutations()


def mirror_of(skeleton: Skeleton) -> Rows:
    """Index of each joint's counterpart on the other side (K,); its own for those in the middle."""
    found = np.arange(len(skeleton))
    for left, right in skeleton.left_right:
        found[left], found[right] = right, left
    return found


def namings(case: Case) -> list[Naming]:
    """The ways to take the joints that have a name: the one that scoring takes first."""
    wanted = case.protocol.skeleton
    mirror = mirror_of(wanted)
    found: list[Naming] = []
    for skeleton in ([case.skeleton] if case.skeleton else []) + [
        each for each in same_size(case.pred.poses.shape[1]) if each != case.skeleton
    ]:
        weights = recipe(skeleton, wanted)
        if np.isfinite(weights).all(1).sum() < 4 or any(
            np.array_equal(weights, each.weights, equal_nan=True) for each in found
        ):
            continue
        taken = skeleton == case.skeleton
        found.append(Naming(weights, 0.0 if taken else 1.0, None if taken else skeleton))
        found.append(Naming(weights[mirror], 1.0 if taken else 2.0, None if taken else skeleton, wanted.left_right))
    return found


def explain(case: Case, change: Change, p: Floats, g: Floats, blocks: Sequence[Rows]) -> Explanation | None:
    """The joints and axes that explain poses best; None if those of `change` do as well as any.

    Parameters
    ----------
    p : array, (n, J, 3)
        As in the file, with scale and order in time made good.
    g : array, (n, K, 3)
    blocks : sequence of array of int, (n,)
        Ways to divide the poses, as by camera or by stretch: a rotation is fitted to each part.
    """
    rows = np.unique(np.linspace(0, len(p) - 1, min(len(p), _TRIED)).astype(int)) if len(p) else np.zeros(0, int)
    usable = np.isfinite(p[rows]).all(2).mean(1) > 0.5
    rows = rows[usable]
    if len(rows) < _FEWEST:
        return None
    everything = p, g, blocks
    p, g, blocks = p[rows], g[rows], [each[rows] for each in blocks]
    taken = Naming(change.weights, 0.0)
    base = _error(pick(p, change.weights) @ change.axes.T, g)
    if not np.isfinite(base) or base == 0:
        return None
    ways = [each for each in namings(case) if not np.array_equal(each.weights, change.weights, equal_nan=True)]
    best: tuple[float, Explanation] | None = None
    for naming in [taken, *ways]:
        joints = pick(p, naming.weights)
        for explanation, steps in _with_axes(naming, joints, g, blocks, base, change.axes):
            price = np.log(max(explanation.left, 1e-9)) + _PRICE * (naming.steps + steps)
            if best is None or price < best[0] - 1e-12:
                best = price, explanation
    assert best is not None
    found = _exchange_pairs(case, best[1], p, g, base)
    if found.left > _WELL:
        in_any_order = _in_any_order(case, taken, p, g, base)
        if in_any_order is not None and in_any_order.left < min(_EXPLAINS, 0.8 * found.left):
            found = in_any_order
    changed = not np.array_equal(found.naming.weights, change.weights, equal_nan=True)
    turned = found.turns is not None or not np.array_equal(found.axes, change.axes)
    if not changed and not turned:
        return None
    if found.left > _EXPLAINS and not (found.naming.exchanged and found.left < 1):
        return None
    if found.turns is None:
        return found
    joints = pick(everything[0], found.naming.weights)
    return replace(found, turns=_fitted(joints, everything[1], everything[2][found.division]))


def _with_axes(
    naming: Naming, joints: Floats, g: Floats, blocks: Sequence[Rows], base: float, present: Floats
) -> list[tuple[Explanation, float]]:
    found = []
    known = (known_joints(joints) & known_joints(g))[..., None]
    a, b = (np.where(known, centred(np.where(known, each, np.nan)), 0.0) for each in (joints @ present.T, g))
    # Squared distances are known from one product for all axes; the best of them are looked at closely.
    product = np.einsum("njx,njy->xy", b, np.clip(a, -_FAR, _FAR))
    promise = [float((axes * product).sum()) - 1e-9 * steps for axes, steps in _AXES]
    for number in sorted({0, *np.argsort(promise)[-_PROMISING:].tolist()}):
        axes, steps = _AXES[number]
        turned = axes @ present
        found.append((Explanation(naming, turned, None, _error(joints @ turned.T, g) / base), steps))
    simplest = min(each.left for each, _ in found)
    for division, codes in enumerate(blocks):
        fitted = _fitted(joints, g, codes)
        if fitted is None:
            continue
        left = _error(joints @ fitted.transpose(0, 2, 1), g) / base
        if left < _TURN_EXPLAINS * min(simplest, 1.0) and _angle(fitted, present) > _LEAST_TURN:
            found.append((Explanation(naming, np.eye(3), fitted, left, division), 2.5 + 0.1 * division))
    return found


def _error(poses: Floats, g: Floats) -> float:
    """Mean joint distance about the means, without the fifth of the poses that fit worst."""
    # Joints that one side lacks are left out of both means.
    known = known_joints(poses) & known_joints(g)
    a, b = np.where(known[..., None], poses, np.nan), np.where(known[..., None], g, np.nan)
    each = row_means(np.linalg.norm(centred(a) - centred(b), axis=2))
    each = np.sort(each[np.isfinite(each)])
    return float(each[: max(1, int(0.8 * len(each)))].mean()) if len(each) else np.inf


def _fitted(joints: Floats, g: Floats, blocks: Rows) -> Floats | None:
    """Rotations or reflections (n, 3, 3), one for all poses of a block; None if blocks are too small to fit one."""
    codes, counts = np.unique(blocks, return_counts=True)
    if counts.max() < 5 or len(codes) > len(joints) / 5:
        return None
    known = known_joints(joints) & known_joints(g)
    a = np.where(known[..., None], centred(np.where(known[..., None], joints, np.nan)), 0.0)
    b = np.where(known[..., None], centred(np.where(known[..., None], g, np.nan)), 0.0)
    fits = {sign: np.empty((len(joints), 3, 3)) for sign in (1, -1)}
    for code in codes:
        rows = blocks == code
        u, _, vt = np.linalg.svd(np.einsum("njx,njy->yx", a[rows], b[rows]))
        proper = np.sign(np.linalg.det(u @ vt))
        for sign in fits:
            fits[sign][rows] = u @ np.diag([1.0, 1.0, sign * proper]) @ vt
    lefts = {sign: _error(a @ fit.transpose(0, 2, 1), b) for sign, fit in fits.items()}
    # A proper rotation unless a reflection is clearly better.
    return fits[-1] if lefts[-1] < 0.8 * lefts[1] else fits[1]


def _angle(turns: Floats, present: Floats) -> float:
    """Median angle in degrees between rotations and the present axes; 180 for reflections of them."""
    relative = turns @ present.T
    if np.median(np.linalg.det(relative)) < 0:
        return 180.0
    cosine = (np.trace(relative, axis1=1, axis2=2) - 1) / 2
    return float(np.degrees(np.median(np.arccos(np.clip(cosine, -1, 1)))))


def _in_any_order(case: Case, taken: Naming, p: Floats, g: Floats, base: float) -> Explanation | None:
    """The assignment of the file's joints to the protocol's that fits best, with the axes that fit it."""
    from scipy.optimize import linear_sum_assignment

    present = np.flatnonzero((taken.weights == 1).sum(1) == 1)
    if len(present) < 6:
        return None
    a = centred(p)
    known = np.isfinite(g[:, present]).all((1, 2)) & np.isfinite(p).all((1, 2))
    if known.sum() < _FEWEST:
        return None
    a, b = np.clip(a[known], -_FAR, _FAR), centred(g[:, present])[known]
    # Squared distances of each joint from each, for all axes by one product.
    products = np.einsum("nkx,njy->kjxy", b, a)
    squares = np.einsum("nkx,nkx->k", b, b)[:, None] + np.einsum("njx,njx->j", a, a)
    totals: list[tuple[float, int, Rows]] = []
    for number, (axes, _) in enumerate(_AXES):
        cost = squares - 2 * np.einsum("kjxy,xy->kj", products, axes)
        rows, chosen = linear_sum_assignment(cost)
        totals.append((float(cost[rows, chosen].sum()), number, chosen))
    best: Explanation | None = None
    for _, number, chosen in sorted(totals, key=lambda each: each[0])[:_PROMISING]:
        axes = _AXES[number][0]
        weights = np.full_like(taken.weights, np.nan)
        weights[present] = 0
        weights[present, chosen] = 1
        # What is derived from other joints stays derived from them.
        for k in np.setdiff1d(np.flatnonzero(np.isfinite(taken.weights).all(1)), present):
            moved = np.zeros(taken.weights.shape[1])
            for j in np.flatnonzero(taken.weights[k]):
                at = np.flatnonzero(taken.weights[present, j] == 1)
                if len(at):
                    moved[chosen[at[0]]] += taken.weights[k, j]
            weights[k] = moved if np.isclose(moved.sum(), 1) else np.nan
        left = _error(pick(p, weights) @ axes.T, g) / base
        if best is None or left < 0.9 * best.left:
            best = Explanation(Naming(weights, 3.0, shuffled=True), axes, None, left)
    return best


def _exchange_pairs(case: Case, found: Explanation, p: Floats, g: Floats, base: float) -> Explanation:
    """Exchange further pairs of left and right where each of them fits better exchanged."""
    joints = pick(p, found.naming.weights)
    joints = joints @ (found.axes.T if found.turns is None else found.turns.transpose(0, 2, 1))
    # About the hips' and shoulders' middle, which no exchange moves.
    a, b = centred(joints), centred(g)
    weights, pairs = found.naming.weights.copy(), dict.fromkeys(found.naming.exchanged)
    for left, right in case.protocol.skeleton.left_right:
        straight = np.linalg.norm(a[:, [left, right]] - b[:, [left, right]], axis=2).mean(1)
        across = np.linalg.norm(a[:, [right, left]] - b[:, [left, right]], axis=2).mean(1)
        known = np.isfinite(straight) & np.isfinite(across)
        if known.sum() >= _FEWEST and np.median(across[known]) < _PAIR_EXPLAINS * np.median(straight[known]):
            weights[[left, right]] = weights[[right, left]]
            if (left, right) in pairs:
                del pairs[left, right]
            else:
                pairs[left, right] = None
    if np.array_equal(weights, found.naming.weights, equal_nan=True):
        return found
    naming = replace(found.naming, weights=weights, exchanged=tuple(pairs))
    poses = pick(p, weights) @ (found.axes.T if found.turns is None else found.turns.transpose(0, 2, 1))
    left_over = _error(poses, g) / base
    return replace(found, naming=naming, left=left_over) if left_over < found.left else found


# ----------------------------------------------------------------------------------------------------------- in words


def space_findings(
    case: Case, before: Change, found: Explanation, commands: Commands, where: str = ""
) -> tuple[Change, list[Finding]]:
    """The findings of an explanation, joints and axes apart, each with the error that it alone takes away."""
    joints = replace(before, weights=found.naming.weights)
    axes = replace(before, axes=found.axes, turns=found.turns)
    both = replace(joints, axes=found.axes, turns=found.turns)
    other_joints = not np.array_equal(found.naming.weights, before.weights, equal_nan=True)
    other_axes = found.turns is not None or not np.array_equal(found.axes, before.axes)
    start = case.errors(case.changed(before))
    end = case.errors(case.changed(both))
    if other_joints and other_axes:
        first = case.errors(case.changed(joints)), case.errors(case.changed(axes))
        joints_first = np.nanmean(first[0]) <= np.nanmean(first[1])
        middle = first[0] if joints_first else first[1]
        parts = [
            naming_findings(
                case, found, case.evidence(start if joints_first else middle, middle if joints_first else end), commands
            ),
            [
                _axes_finding(
                    case,
                    before,
                    found,
                    case.evidence(middle if joints_first else start, end if joints_first else middle),
                    commands,
                )
            ],
        ]
        return both, [each for part in (parts if joints_first else parts[::-1]) for each in part]
    evidence = case.evidence(start, end)
    if other_joints:
        return both, naming_findings(case, found, evidence, commands)
    return both, [_axes_finding(case, before, found, evidence, commands)]


def naming_findings(case: Case, found: Explanation, evidence: Evidence, commands: Commands) -> list[Finding]:
    """What is said of joints: another skeleton, another order, left and right."""
    naming, wanted = found.naming, case.protocol.skeleton
    source = case.pred.source
    taken = "no known skeleton" if case.skeleton is None else case.skeleton.name
    pairs = ", ".join(f"{wanted.joints[a]}/{wanted.joints[b]}" for a, b in naming.exchanged)
    if naming.exchanged and not naming.shuffled:
        everything = len(naming.exchanged) == len(wanted.left_right)
        sentence = (
            f"{source}: left and right are exchanged"
            if everything
            else f"{source}: left and right are exchanged at {pairs}"
        )
        if naming.skeleton is not None:
            sentence += f", and its joints are those of {naming.skeleton.name}, not {taken}"
        return [_own_order(case, "D-LEFT-RIGHT", sentence, evidence, commands)] + (
            [_known_skeleton(case, naming.skeleton, taken, evidence, commands)] if naming.skeleton is not None else []
        )
    if naming.skeleton is not None:
        return [_known_skeleton(case, naming.skeleton, taken, evidence, commands)]
    return [
        _own_order(
            case, "D-JOINTS", f"{source}: its joints are in another order than {taken}, in that of no known skeleton",
            evidence, commands,
        )
    ]  # fmt: skip


def naming_words(case: Case, before: Change, found: Explanation) -> tuple[str, str]:
    """Code and words for an explanation that holds in a part of the file: what is wrong there."""
    codes, words = [], []
    naming = found.naming
    if naming.exchanged and not naming.shuffled:
        every = len(naming.exchanged) == len(case.protocol.skeleton.left_right)
        joints = case.protocol.skeleton.joints
        pairs = ", ".join(f"{joints[a]}/{joints[b]}" for a, b in naming.exchanged)
        codes.append("D-LEFT-RIGHT")
        words.append("left and right are exchanged" + ("" if every else f" at {pairs}"))
    elif not np.array_equal(naming.weights, before.weights, equal_nan=True):
        codes.append("D-JOINTS")
        named = f"those of {naming.skeleton.name}" if naming.skeleton is not None else "in another order"
        words.append(f"the joints are {named}")
    if found.turns is not None:
        codes.append("D-REFERENCE")
        words.append("the poses are turned, as world coordinates are against a camera's")
    elif not np.array_equal(found.axes, before.axes):
        code, what = _axes_words(found.axes @ before.axes.T)
        codes.append(code)
        words.append(what)
    return codes[0], " and ".join(words)


def _known_skeleton(case: Case, skeleton: Skeleton, taken: str, evidence: Evidence, commands: Commands) -> Finding:
    options = (("--from-skeleton", skeleton.name), ("--skeleton", case.protocol.skeleton.name))
    return Finding(
        "D-JOINTS",
        "error",
        f"{case.pred.source}: its joints fit {skeleton.name} better than {taken}",
        (evidence,),
        commands.score((("--pred-skeleton", skeleton.name),)),
        convert=options,
    )


def _own_order(case: Case, code: str, sentence: str, evidence: Evidence, commands: Commands) -> Finding:
    """A finding that is mended by a skeleton file with the order that was found."""
    options = (("--from-skeleton", commands.joints_path), ("--skeleton", case.protocol.skeleton.name))
    write = commands.doctor((("--joints", commands.joints_path),))
    return Finding(
        code, "error", sentence, (evidence,), commands.convert(options),
        f"the order that was found is written by: {write}", convert=options,
    )  # fmt: skip


def skeleton_file(case: Case, weights: Floats) -> str | None:
    """A skeleton file with the joints in the order of the prediction; None if it would not name all of them."""
    wanted = case.protocol.skeleton
    names: list[str | None] = [None] * weights.shape[1]
    for k in np.flatnonzero((weights == 1).sum(1) == 1):
        names[int(weights[k].argmax())] = wanted.joints[k]
    known = {name for name in names if name is not None}
    if not known:
        return None
    held = [name if name is not None else f"unknown{number}" for number, name in enumerate(names)]
    above = {name: _nearest_above(wanted, name, known) for name in held if name in known}
    root = wanted.joints[wanted.root]
    root = root if root in known else next(name for name in held if name in known and above[name] is None)
    lines = [
        f"name: {wanted.name}-as-found",
        'source: "found by posebench doctor: the order of joints that fits the ground truth best"',
        f"count: {len(held)}",
        f"root: {root}",
        "joints:",
        *(f"  {name}: {above.get(name) or 'null'}" for name in held),
    ]
    return "\n".join([*lines, "parts: {}"]) + "\n"


def _nearest_above(skeleton: Skeleton, joint: str, known: set[str]) -> str | None:
    """The next joint towards the root that is known."""
    above = skeleton.parents[skeleton.index(joint)]
    while above >= 0 and skeleton.joints[above] not in known:
        above = skeleton.parents[above]
    return skeleton.joints[above] if above >= 0 else None


def axes_option(axes: Floats) -> str:
    """`x,-z,y`: which axis of the file becomes each of the new ones.

    Examples
    --------
    >>> axes_option(np.diag([1.0, -1.0, -1.0]))
    'x,-y,-z'
    """
    words = []
    for row in axes:
        axis = int(np.abs(row).argmax())
        words.append(("-" if row[axis] < 0 else "") + "xyz"[axis])
    return ",".join(words)


def _axes_finding(case: Case, before: Change, found: Explanation, evidence: Evidence, commands: Commands) -> Finding:
    source = case.pred.source
    if found.turns is not None:
        return _turned(case, before, found.turns, evidence, commands)
    step = found.axes @ before.axes.T
    options = (("--axes", axes_option(found.axes)),)
    code, what = _axes_words(step)
    return Finding(
        code, "error", f"{source}: {what}", (evidence,), commands.convert(options), _stated(case), convert=options
    )


def _stated(case: Case) -> str | None:
    """What the two sides say of their references, where that tells something."""
    assert case.gt is not None
    references = case.pred.reference, case.gt.reference
    if references[0] != references[1] and "unknown" not in references:
        return f"{case.pred.source} says that its reference is {references[0]}, {case.gt.source} says {references[1]}"
    return None


def _axes_words(step: Floats) -> tuple[str, str]:
    diagonal = np.diag(step)
    if np.abs(diagonal).sum() < 3:
        fits = axes_option(step)
        mirrored = ", which mirrors the body" if np.linalg.det(step) < 0 else ""
        return "D-AXES", f"its axes are in another order; {fits} fits the ground truth{mirrored}"
    reversed_ = [axis for axis, sign in zip("xyz", diagonal, strict=True) if sign < 0]
    match reversed_:
        case ["y"]:
            return "D-UP", "y points the other way than in the ground truth (up against down), which mirrors the body"
        case ["y", "z"]:
            return "D-UP", "y and z point the other way than in the ground truth: y up and z backwards against y down"
        case ["x", "y"]:
            return "D-UP", "the poses are upside down: x and y point the other way than in the ground truth"
        case ["x", "z"]:
            return "D-AXES", "the poses are turned by half a turn about y: x and z point the other way"
        case ["x", "y", "z"]:
            return "D-MIRROR", "all three axes point the other way, which mirrors the body"
    return "D-MIRROR", f"the {reversed_[0]} axis is mirrored"


def _turned(case: Case, before: Change, turns: Floats, evidence: Evidence, commands: Commands) -> Finding:
    assert case.gt is not None
    mirrored = bool(np.median(np.linalg.det(turns)) < 0)
    several = len(np.unique(np.round(turns.reshape(len(turns), 9), 3), axis=0))
    angle = _angle(turns * (-1 if mirrored else 1), before.axes)
    how = "and mirrored " if mirrored else ""
    each = "by one rotation" if several == 1 else f"by {several} rotations, one for each camera or sequence"
    sentence = (
        f"{case.pred.source}: the poses are turned {how}against the ground truth {each} ({angle:.0f} degrees in the "
        "median), as world coordinates are against a camera's"
    )
    options: tuple[tuple[str, str], ...] = ()
    command = None
    stated = _stated(case)
    advice = None if stated is None else stated
    pred, gt = case.pred, case.gt
    wanted = gt.reference if gt.reference in ("camera", "world") else "camera"
    other = "world" if wanted == "camera" else "camera"
    options = (("--from-reference", other), ("--to", wanted))
    if pred.extrinsics is not None:
        command = commands.convert(options)
    elif gt.extrinsics is not None and wanted == "camera":
        # The ground truth knows its cameras, so it can be brought to where the prediction is.
        command = commands.convert_truth((("--to", "world"),))
        advice = "the ground truth holds the extrinsics, so it can be scored in the world" + (
            f"; {stated}" if stated else ""
        )
        options = ()
    else:
        options = (*options, ("--cameras", "CALIBRATION"))
        command = commands.convert(options)
        advice = "CALIBRATION stands for the file of the cameras; neither file holds extrinsics" + (
            f"; {stated}" if stated else ""
        )
        options = ()
    return Finding("D-REFERENCE", "error", sentence, (evidence,), command, advice, convert=options)


def divisions(case: Case) -> list[Rows]:
    """Ways to divide the sample (n,) into parts that may be turned alike: all, by camera, by stretch."""
    found = [np.zeros(len(case.sample), np.int64), case.stretch]
    for side, rows in ((case.gt, case.gt_rows), (case.pred, case.pred_rows)):
        column = None if side is None else side.camera
        if isinstance(column, KeyColumn):
            found.insert(1, column.codes[rows[case.sample]].astype(np.int64))
            break
    return found


__all__ = ["Explanation", "divisions", "explain", "mirror_of", "naming_words", "skeleton_file", "space_findings"]
