"""Single values: what is not finite, placeholders, and joints that lie where nobody's do."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from posebench.doctor.fixes import Commands
from posebench.doctor.material import BLOCK, Case, Change, Floats, Rows, centred
from posebench.doctor.model import MAX_ROWS, Evidence, Finding
from posebench.doctor.scan import Scan

#: An error is an outlier so many robust standard deviations above the joint's median,
_SPREADS = 9.0
#: and if it is so many times this median, and larger than so many mm.
_TIMES, _LEAST_MM = 3.0, 60.0
#: A joint that jumps out and back by more than this many robust standard deviations of its jumps, and by so many mm.
_JUMPS, _JUMP_MM = 14.0, 60.0
#: Fewer such joints than this share happen.
_FEW = 0.004
#: Joints of a body that are farther apart than this lie outside of it, in mm: from the mean of the joints.
_OUTSIDE_MM = 2500.0


def not_finite(case: Case, scan: Scan, commands: Commands) -> list[Finding]:
    """NaN and infinite coordinates of joints that the file does not mark invalid."""
    index = np.flatnonzero(scan.broken)
    if not len(index):
        return []
    names = case.skeleton.joints if case.skeleton is not None else [str(j) for j in range(len(scan.broken_joints))]
    worst = np.argsort(-scan.broken_joints)[:5]
    where = ", ".join(f"{names[j]} {scan.broken_joints[j]}" for j in worst if scan.broken_joints[j])
    rows = tuple(np.sort(case.pred_rows[index])[:MAX_ROWS].tolist())
    return [
        Finding(
            "D-NAN",
            "error",
            f"{case.pred.source}: {int(scan.broken_joints.sum())} joints of {len(index)} poses are NaN or infinite "
            f"({where})",
            (Evidence("poses that are not finite", len(index), 0, f"of {len(case)}", len(case)),),
            None if case.gt is None else commands.score((("--allow-missing", ""),)),
            "predict these joints, or count them as wrong: --allow-missing does, and marks distances as incomplete",
            rows=rows,
        )
    ]


def placeholders(case: Case) -> list[Finding]:
    """Joints other than one root that lie at exactly 0, 0, 0 in some poses: put there where nothing was found."""
    p = case.p
    if not len(p) or p.shape[1] < 3:
        return []
    odd = _zeros(case)
    hit = np.flatnonzero(odd.any(1))
    if len(hit) <= max(1, _FEW * len(p)):
        return []
    rows = tuple(np.sort(case.pred_rows[case.sample[hit]])[:MAX_ROWS].tolist())
    return [
        Finding(
            "D-ZEROS",
            "error",
            f"{case.pred.source}: {int(odd.sum())} joints of {len(hit)} poses lie at exactly 0, 0, 0, where "
            "nothing was found, as it seems",
            (Evidence("poses with such joints", len(hit), 0, f"of {len(p)}", len(p)),),
            advice="at the source: mark them in `valid` of the file, or write NaN, and score with --allow-missing",
            rows=rows,
        )
    ]


def _zeros(case: Case) -> npt.NDArray[np.bool_]:
    """Joints (n, J) of the sample that lie at exactly 0, 0, 0 and are no origin: that joint is there in all poses."""
    zero: npt.NDArray[np.bool_] = (case.p == 0).all(2)
    share = zero.mean(0)
    if len(share) and share.max() > 0.9:
        zero[:, int(share.argmax())] = False
    return zero


def outliers(case: Case, scan: Scan, change: Change, skip: Rows) -> list[Finding]:
    """Joints that are far off while the same joint is not in other poses.

    `skip` are poses (numbers among the M) that another finding is about.
    """
    findings = _outside(case, scan, change)
    p = case.changed(change)
    p[np.isin(case.sample, skip)] = np.nan
    # Placeholders have a finding of their own, and so have joints that are metres away.
    p[_zeros(case).any(1)] = np.nan
    p[np.linalg.norm(_about_median(p), axis=2) > _OUTSIDE_MM] = np.nan
    if len(p) < 20:
        return findings
    if case.gt is not None:
        away = np.linalg.norm((p - p[:, [case.root]]) - (case.g - case.g[:, [case.root]]), axis=2)
        # A root that is off moves all the others; about the median of the joints it does not.
        about = np.linalg.norm(_about_median(p) - _about_median(case.g), axis=2)
        away = np.fmin(away, about)
        hit = _far(away, _SPREADS, _LEAST_MM, _TIMES)
        what, limit = "far from the ground truth", "their error"
    else:
        away = _jumps(p, case)
        hit = _far(away, _JUMPS, _JUMP_MM, 6.0)
        what, limit = "out and back within a frame", "their jump"
    known = int(np.isfinite(away).sum())
    if hit.sum() <= max(2, _FEW * known):
        return findings
    index = np.flatnonzero(hit.any(1))
    joints = case.protocol.skeleton.joints
    counts = hit.sum(0)
    worst = [int(j) for j in np.argsort(-counts)[:5] if counts[j]]
    rest = float(np.median(away[np.isfinite(away) & ~hit]))
    findings.append(
        Finding(
            "D-OUTLIERS",
            "warning",
            f"{case.pred.source}: {int(hit.sum())} of {known} joints lie {what} ("
            + ", ".join(f"{joints[j]} {counts[j]}" for j in worst)
            + ")",
            (
                Evidence(
                    f"{limit}, in the median, against {rest:.1f} mm of the others",
                    float(np.median(away[hit])),
                    None,
                    "mm",
                    len(index),
                ),
                *_without(case, p, hit),
            ),
            advice="at the source: such joints are often wrong detections or another person's; look at these rows",
            rows=tuple(np.sort(case.pred_rows[case.sample[index]])[:MAX_ROWS].tolist()),
        )
    )
    return findings


def _without(case: Case, p: Floats, hit: npt.NDArray[np.bool_]) -> tuple[Evidence, ...]:
    """What MPJPE would be if these joints were as good as the others."""
    if case.gt is None:
        return ()
    away = np.linalg.norm((p - p[:, [case.root]]) - (case.g - case.g[:, [case.root]]), axis=2)[:, case.scored]
    kept = np.where(hit[:, case.scored], np.nan, away)
    before, after = away[np.isfinite(away)], kept[np.isfinite(kept)]
    if not len(after):
        return ()
    return (
        Evidence(
            "mean error of all joints, and without these", float(before.mean()), float(after.mean()), "mm", len(p)
        ),
    )


def _about_median(poses: Floats) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of poses that are not known at all
        middle = np.nanmedian(poses, axis=1, keepdims=True)
    return np.asarray(poses - middle, np.float64)


def _far(away: Floats, spreads: float, least: float, times: float) -> npt.NDArray[np.bool_]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        middle = np.nanmedian(away, axis=0)
        spread = 1.4826 * np.nanmedian(np.abs(away - middle), axis=0)
        return np.asarray((away > middle + spreads * spread) & (away > times * middle) & (away > least))


def _jumps(p: Floats, case: Case) -> Floats:
    """How far each joint (n, K) lies from the middle of its neighbours in time, about the body's median."""
    body = _about_median(p)
    found = np.full(p.shape[:2], np.nan)
    if len(p) < 3:
        return found
    found[1:-1] = np.linalg.norm(body[1:-1] - (body[:-2] + body[2:]) / 2, axis=2)
    # Both neighbours must agree, or the jump is theirs.
    apart = np.linalg.norm(body[:-2] - body[2:], axis=2)
    found[1:-1][(found[1:-1] > _JUMP_MM) & ~(apart < found[1:-1])] = np.nan
    time = case.time[case.sample]
    inside = (case.stretch[2:] == case.stretch[:-2]) & (np.diff(time)[1:] == np.diff(time)[:-1])
    found[1:-1][~inside] = np.nan
    return found


def _blocks(index: Rows) -> list[Rows]:
    return [index[start : start + BLOCK] for start in range(0, len(index), BLOCK)]


def _reach_without_zeros(case: Case, index: Rows) -> Floats:
    p = case.raw(index)
    p[(p == 0).all(2)] = np.nan
    return np.asarray(np.fmax.reduce(np.linalg.norm(centred(p), axis=2), axis=1), np.float64)


def _outside(case: Case, scan: Scan, change: Change) -> list[Finding]:
    """Joints metres away from the body, in the whole file."""
    reach = scan.reach * change.factor * (1.0 if change.per_row is None else change.per_row)
    with np.errstate(invalid="ignore"):
        index = np.flatnonzero((reach > _OUTSIDE_MM) & (reach > 6 * np.nanmedian(reach)))
    # Joints at exactly 0, 0, 0 have a finding of their own.
    kept = [part[_reach_without_zeros(case, part) * change.factor > _OUTSIDE_MM] for part in _blocks(index)]
    index = np.concatenate([index[:0], *kept])
    if not len(index) or len(index) > 0.5 * len(case):
        return []
    return [
        Finding(
            "D-OUTLIERS",
            "error",
            f"{case.pred.source}: {len(index)} poses have a joint that is metres away from the body",
            (
                Evidence(
                    "farthest joint from the middle of its pose", float(reach[index].max()), None, "mm", len(index)
                ),
            ),
            advice="at the source: values such as -1 or 1e9 often stand for a joint that was not found; mark them in "
            "`valid`",
            rows=tuple(np.sort(case.pred_rows[index])[:MAX_ROWS].tolist()),
        )
    ]


__all__ = ["not_finite", "outliers", "placeholders"]
