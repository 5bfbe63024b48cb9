"""`diagnose`: all checks in the order in which faults hide one another, each seen with those before it undone.

What is measured by size alone comes first (units), then whether there is motion at all, then joints, axes and time: of
these the one that takes away most of the error is undone, and the rest is looked at again, until nothing helps.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from posebench.doctor import body, order, parts, scale, space, values
from posebench.doctor.fixes import Commands, Options, joined
from posebench.doctor.material import Case, Change, Floats, Rows, load, prepare, recipe
from posebench.doctor.model import SEVERITIES, Diagnosis, Finding
from posebench.doctor.scan import Scan, scan
from posebench.metrics.evaluate import Poses
from posebench.protocols import Protocol, get_protocol

#: Faults of joints, axes and time that are undone one after the other, at most.
#: Share of poses that lie one step in time apart from the frames that they are nearest to, if time is shifted.
_TOGETHER = 0.2
_ROUNDS = 5


def diagnose(
    pred: Poses | str | os.PathLike[str],
    gt: Poses | str | os.PathLike[str] | None = None,
    *,
    protocol: str | Path | Protocol = "standard",
    allow_missing: bool = False,
    allow_extra: bool = False,
) -> Diagnosis:
    """Find out what is wrong with predictions before a number misleads.

    Parameters
    ----------
    pred, gt : array (N, J, 3), PoseSet, or path
        As for `score`; files that `score` refuses are examined all the same. Without ground truth the file is examined
        alone: units by the size of bodies, values that are not finite, outliers, equal poses, bones, origin.
    protocol : str, path or Protocol
        Says which joints are scored and what they are centred on.
    allow_missing, allow_extra : bool
        As for `score`: frames that one side lacks are no finding.

    Returns
    -------
    Diagnosis

    Raises
    ------
    InputError
        If a file cannot be read as poses, or the ground truth not as poses of the protocol's skeleton.
    UsageError
        If the protocol is unknown.

    Examples
    --------
    >>> import posebench as pb
    >>> from posebench.resources import resource
    >>> walk = pb.read(resource("examples", "pose2sim") / "gt.npz")
    >>> found = pb.diagnose(walk.replace(poses=walk.poses / 1000), walk)
    >>> found.codes
    ('D-UNITS',)
    >>> round(found.findings[0].evidence[0].after, 3)
    0.0
    """
    chosen = get_protocol(protocol)
    sides = load(_read(pred), None if gt is None else _read(gt), chosen)
    case = prepare(*sides, chosen, allow_missing=allow_missing, allow_extra=allow_extra)
    commands = Commands(sides[0], sides[1], chosen.name)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # Poses that hold nothing have no median; every check looks at what is finite.
        warnings.simplefilter("ignore", RuntimeWarning)
        found = scan(case)
        findings = [*case.findings, *values.not_finite(case, found, commands)]
        more, weights = _examined(case, found, commands)
    findings += more
    refusal = None
    if sides[1] is not None:
        refusal = body.what_scoring_says(case, sides, allow_missing, allow_extra)
        if refusal is not None and not any(finding.severity == "error" for finding in findings):
            findings.append(Finding("D-REFUSED", "error", refusal, advice="this is what posebench score says"))
    if case.gt is None:
        lacking = "ground truth: --gt FILE" if sides[1] is None else "frames that match the ground truth's"
        case.unchecked.append(f"joints, axes, left and right, and time need {lacking}")
    findings = [finding for severity in SEVERITIES for finding in findings if finding.severity == severity]
    findings, command = _with_those_before(findings, commands)
    return Diagnosis(
        sides[0].source,
        None if sides[1] is None else sides[1].source,
        chosen.name,
        len(sides[0]),
        len(case) if case.gt is not None else 0,
        case.how,
        len(case.sample),
        tuple(findings),
        refusal,
        tuple(case.unchecked),
        command,
        space.skeleton_file(case, weights) if weights is not None else None,
    )


def _with_those_before(findings: list[Finding], commands: Commands) -> tuple[list[Finding], str | None]:
    """Findings whose commands undo also what stands before them, as their evidence does; and the command for all."""
    done: Options = ()
    found, several = [], 0
    for finding in findings:
        if finding.convert:
            several += 1
            done = joined((done, finding.convert))
            if several > 1:
                finding = replace(finding, command=commands.convert(done))
        found.append(finding)
    return found, commands.convert(done) if several > 1 else None


def _read(given: Poses | str | os.PathLike[str]) -> Poses:
    if isinstance(given, str | os.PathLike):
        from posebench.io import read

        return read(given)
    return given


def _start(case: Case) -> Floats:
    """The joints as scoring takes them; where it would not know, as the first skeleton that has as many."""
    if case.skeleton is not None:
        return recipe(case.skeleton, case.protocol.skeleton)
    known = space.namings(case)
    if known:
        return known[0].weights
    # No skeleton has as many joints: the first ones, in their order.
    many = case.pred.poses.shape[1]
    weights = np.full((len(case.protocol.skeleton), many), np.nan)
    some = min(many, len(weights))
    weights[:some] = np.eye(some, many)
    return weights


def _examined(case: Case, found: Scan, commands: Commands) -> tuple[list[Finding], Floats | None]:
    """Findings about scale, motion, joints, axes, time and single values; and the order of joints if it has no name."""
    findings: list[Finding] = []
    size = scale.find_scale(case, found)
    change = Change(_start(case), size.taken)
    start = change
    change, more = scale.scale_findings(case, found, size, change, commands)
    findings += more
    constant = order.constant_finding(case, found, change)
    if constant is not None:
        return [*findings, constant, *values.placeholders(case), *body.origin(case, change, commands)], None
    weights = None
    still, skip = order.still_findings(case, found, change.factor)
    shuffled = False
    if case.gt is not None:
        change, more, shuffled = _undone(case, change, size, commands, skip)
        findings += more
        if not np.array_equal(change.weights, start.weights, equal_nan=True) and any(
            option == ("--from-skeleton", commands.joints_path) for each in more for option in each.convert
        ):
            weights = change.weights
    else:
        findings += body.unknown_joints(case, change, commands)
        if not any(finding.code == "D-JOINTS" for finding in findings):
            findings += body.posture(case, change, commands)
    findings += still
    if case.gt is not None and not shuffled:
        slip = order.slip_finding(case, change, skip) if change.order is None else None
        if slip is not None:
            findings.append(slip[0])
            skip = np.concatenate([skip, slip[1]])
        more, odd = parts.odd_sequences(case, change)
        findings += more
        skip = np.concatenate([skip, odd])
        exchanged, odd = parts.exchanged_poses(case, change, skip)
        findings += [exchanged] if exchanged is not None else []
        skip = np.concatenate([skip, odd])
    findings += values.placeholders(case)
    if not shuffled:
        findings += values.outliers(case, found, change, skip)
    if not any(finding.code in ("D-JOINTS", "D-SCALE", "D-ZEROS") for finding in findings):
        findings += body.bones(case, change)
    findings += body.origin(case, change, commands)
    return findings, weights


def _undone(
    case: Case, change: Change, size: scale.Scale, commands: Commands, skip: Rows
) -> tuple[Change, list[Finding], bool]:
    """Joints, axes, scale and time, the fault that explains most first; whether frames are in another order."""
    findings: list[Finding] = []
    codes: set[str] = set()
    for _ in range(_ROUNDS):
        before = float(np.nanmean(_finite(case.errors(case.changed(change)))))
        options: list[tuple[float, str]] = []
        p = _raw_in_mm(case, change)
        spatial = space.explain(case, change, p, case.g, space.divisions(case)) if "space" not in codes else None
        if spatial is not None:
            options.append((spatial.left, "space"))
        shift = order.find_shift(case, change, skip) if "shift" not in codes else None
        shuffle = None
        if not codes & {"shift", "shuffle"}:
            shuffle = order.find_shuffle(case, change, skip)
        if shift is not None:
            moved, finding = order.shift_finding(case, change, shift)
            left = finding.evidence[0].after / max(finding.evidence[0].before, 1e-9)  # type: ignore[operator]
            # Frames in any order also fit one offset a little better than none.
            if shuffle is None or order.together(case, shuffle) > _TOGETHER:
                options.append((left, "shift"))
                shuffle = None
        scaled = scale.other_scale(case, change) if "scale" not in codes else None
        if scaled is not None:
            options.append((float(np.nanmean(case.errors(case.changed(scaled[1])))) / before, "scale"))
        if shuffle is not None and shuffle.share > 0.5:
            options.append((float(np.median(shuffle.after) / np.median(shuffle.before)), "shuffle"))
        if not options:
            if shuffle is not None:
                findings.append(order.shuffle_finding(case, shuffle))
                return change, findings, True
            break
        what = min(options)[1]
        codes.add(what)
        if what == "space":
            assert spatial is not None
            change, more = space.space_findings(case, change, spatial, commands)
            findings += more
        elif what == "shift":
            change = moved
            findings.append(finding)
        elif what == "scale":
            assert scaled is not None
            findings.append(scale.other_scale_finding(case, size, scaled[0], change, scaled[1], commands))
            change = scaled[1]
        else:
            assert shuffle is not None
            findings.append(order.shuffle_finding(case, shuffle))
            more, change = _under_shuffle(case, change, shuffle, commands)
            return change, [*findings, *more], True
    return change, findings, False


def _under_shuffle(
    case: Case, change: Change, shuffle: order.Shuffle, commands: Commands
) -> tuple[list[Finding], Change]:
    """What else is wrong with poses that stand at other frames than their own: joints and axes."""
    many, one = np.arange(len(shuffle.index)), np.zeros(len(shuffle.index), np.int64)
    inner = replace(
        case,
        pred_rows=case.pred_rows[shuffle.index],
        gt_rows=case.gt_rows[shuffle.order],
        group=one,
        time=many,
        sample=many,
        stretch=one,
    )
    inner.p, inner.g = inner.raw(inner.sample), inner.truth(inner.sample)
    state = replace(change, per_row=None if change.per_row is None else change.per_row[shuffle.index], order=None)
    spatial = space.explain(inner, state, _raw_in_mm(inner, state), inner.g, [one])
    if spatial is None:
        return [], change
    after, more = space.space_findings(inner, state, spatial, commands)
    return more, replace(change, weights=after.weights, axes=after.axes)


def _finite(errors: Floats) -> Floats:
    return errors if np.isfinite(errors).any() else np.zeros(1)


def _raw_in_mm(case: Case, change: Change) -> Floats:
    """The sample's joints (n, J, 3) as the file has them, with scale and time made good."""
    p = case.p * change.factor
    if change.per_row is not None:
        p = p * change.per_row[case.sample][:, None, None]
    if change.order is not None:
        moved = p[change.order]
        moved[change.order < 0] = np.nan
        p = moved
    return p


__all__ = ["diagnose"]
