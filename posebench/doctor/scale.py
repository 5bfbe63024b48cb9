"""Units: metres against millimetres, in all frames or in some, and coordinates that have no scale at all.

Sizes are compared before anything else, since the size of a body is the same however its joints and axes are named.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from posebench.doctor.fixes import Commands
from posebench.doctor.material import BLOCK, MM, Case, Change, Floats, fitting_unit
from posebench.doctor.model import MAX_ROWS, Evidence, Finding
from posebench.doctor.scan import Scan

#: Millimetres in the units that files are found in.
UNITS = {"mm": 1.0, "m": 1000.0, "cm": 10.0}
#: Sizes (root mean square distance of joints from their mean) of people in mm, from a small child to a tall adult whose
#: joints are off by 150 mm each way.
BODY_MM = (120.0, 900.0)
#: A prediction's size may differ from the truth's by this factor before another unit is thought of,
_ODD = 1.9
#: and is that of another unit if it is within this factor of it.
_NEAR = 1.5
#: Factor between a prediction and its truth beyond which it is said to have another scale.
_SCALED = 1.3
#: A change of scale must take away so much of the error.
_HELPS = 0.75


@dataclass(frozen=True)
class Scale:
    """Millimetres in a unit of the prediction: as scoring takes it, as found, and of each pose besides."""

    taken: float
    found: float
    per_row: Floats | None
    #: The unit found, if it has a name.
    unit: str | None
    mixed: int = 0


def find_scale(case: Case, scan: Scan) -> Scale:
    """The scale of a prediction by the sizes of its bodies."""
    pred = case.pred
    with np.errstate(all="ignore"):
        ratio = (scan.gt_size if scan.gt_size is not None else np.full(len(case), 350.0)) / scan.pred_size
    usable = np.isfinite(ratio) & (ratio > 0)
    if not usable.any():
        return Scale(MM.get(pred.unit or "mm", 1.0), MM.get(pred.unit or "mm", 1.0), None, pred.unit)
    true = _middle(ratio[usable])
    if pred.unit == "scale-free":
        return Scale(true, true, None, "scale-free")
    inferred = None if case.skeleton is None else fitting_unit(pred, case.skeleton)
    taken = MM[pred.unit] if pred.unit is not None else MM[inferred[0]] if inferred is not None else 1.0
    found, unit = taken, next(name for name, factor in MM.items() if factor == taken)
    if not 1 / _ODD < true / taken < _ODD:
        if case.gt is not None:
            near = [name for name, factor in UNITS.items() if 1 / _NEAR < true / factor < _NEAR]
        else:
            middle = _middle(scan.pred_size[usable])
            near = [name for name, factor in UNITS.items() if BODY_MM[0] <= middle * factor <= BODY_MM[1]]
            if unit in near:
                near = [unit]
        found, unit = (UNITS[near[0]], near[0]) if near else (true, "")
    per_row, mixed = _mixed(case, ratio, found)
    return Scale(taken, found, per_row, unit or None, mixed)


def _mixed(case: Case, ratio: Floats, factor: float) -> tuple[Floats | None, int]:
    """Factors of poses that are a thousand times larger or smaller than the others, and how many these are."""
    relative = ratio / factor
    middle = _middle(relative[np.isfinite(relative)])
    with np.errstate(invalid="ignore"):
        small = (relative > 1000 / 3 * middle) & (relative < 3000 * middle)
        large = (relative < 3 / 1000 * middle) & (relative > 1 / 3000 * middle)
    # One joint that is a kilometre away makes a size, too; most of the joints must agree.
    others = np.flatnonzero(~(small | large))
    usual = float(np.median(_spread(case.raw(others[:: max(1, len(others) // 500)])))) if len(others) else 1.0
    odd = np.flatnonzero(small | large)
    for start in range(0, len(odd), BLOCK):
        index = odd[start : start + BLOCK]
        spread = _spread(case.raw(index)) / usual
        small[index] &= spread < 0.03
        large[index] &= spread > 30
    if not (small | large).any():
        return None, 0
    return np.where(small, 1000.0, np.where(large, 0.001, 1.0)), int((small | large).sum())


def _middle(values: Floats) -> float:
    """The median, but always one of the values: between millimetres and metres there is nothing."""
    return float(np.partition(values, len(values) // 2)[len(values) // 2])


def _spread(poses: Floats) -> Floats:
    """Median distance (n,) of the joints from their median."""
    with np.errstate(all="ignore"):
        middle = np.nanmedian(poses, axis=1, keepdims=True)
        found = np.nanmedian(np.linalg.norm(poses - middle, axis=2), axis=1)
    return np.asarray(np.nan_to_num(found, nan=0.0), np.float64)


def scale_findings(
    case: Case, scan: Scan, scale: Scale, before: Change, commands: Commands
) -> tuple[Change, list[Finding]]:
    """What is wrong with units, and the change that undoes it."""
    findings = []
    after = replace(before, factor=scale.found)
    if scale.found != scale.taken:
        findings.append(_wrong_unit(case, scan, scale, before, after, commands))
    if scale.per_row is not None:
        odd = np.flatnonzero(scale.per_row != 1)
        state = replace(after, per_row=scale.per_row)
        part = odd[np.unique(np.linspace(0, len(odd) - 1, min(len(odd), 2000)).astype(int))]
        evidence = [Evidence("poses in the other unit", scale.mixed, 0, f"of {len(case)}", len(case))]
        if case.gt is not None:
            truth = case.truth(part)
            evidence.append(
                case.evidence(
                    case.errors(case.changed_rows(after, part), truth),
                    case.errors(case.changed_rows(state, part), truth),
                    "MPJPE of these",
                )
            )
        rows = np.sort(case.pred_rows[odd])
        smaller = bool((scale.per_row[odd] > 1).mean() > 0.5)
        findings.append(
            Finding(
                "D-UNITS-MIXED",
                "error",
                f"{scale.mixed} of {len(case)} poses are 1000 times {'smaller' if smaller else 'larger'} than the "
                f"others: {'metres among millimetres' if smaller else 'millimetres among metres'}",
                tuple(evidence),
                advice=f"at the source: {'multiply' if smaller else 'divide'} these poses by 1000; see what wrote them",
                rows=tuple(rows[:MAX_ROWS].tolist()),
            )
        )
        after = state
    return after, findings


def _wrong_unit(case: Case, scan: Scan, scale: Scale, before: Change, after: Change, commands: Commands) -> Finding:
    said = _said(case, scale)
    size = float(np.nanmedian(scan.pred_size))
    evidence = [
        Evidence(
            "size of a body (r.m.s. distance of joints from their mean)",
            size * scale.taken,
            size * scale.found,
            "mm",
            len(case),
        )
    ]
    if case.gt is not None:
        evidence.insert(0, case.evidence(case.errors(case.changed(before)), case.errors(case.changed(after))))
    if scale.unit in MM:
        options = (("--from-unit", scale.unit), ("--unit", "mm"))
        return Finding(
            "D-UNITS",
            "error",
            f"{said}, but its bodies have the size of people in {scale.unit}",
            tuple(evidence),
            commands.convert(options),
            f"or score with --pred-unit {scale.unit}",
            convert=options,
        )
    if scale.unit == "cm":
        return Finding(
            "D-UNITS",
            "error",
            f"{said}, but its bodies have the size of people in cm",
            tuple(evidence),
            advice="at the source: multiply the coordinates by 10 and say mm; no pose file here is in cm",
        )
    return _no_scale(said, scale.found / scale.taken, evidence, commands)


def _no_scale(said: str, factor: float, evidence: list[Evidence], commands: Commands) -> Finding:
    return Finding(
        "D-SCALE",
        "error",
        f"{said}, but its bodies are {factor:.3g} times too small"
        if factor > 1
        else f"{said}, but its bodies are {1 / factor:.3g} times too large",
        tuple(evidence),
        commands.score((("--pred-unit", "scale-free"),)),
        "MPJPE needs poses in mm; scale-free ones are scored by NMPJPE, PMPJPE and NPCK; the command leaves MPJPE out",
    )


def _said(case: Case, scale: Scale) -> str:
    name = case.pred.source
    if case.pred.unit is not None:
        return f"{name} says its unit is {case.pred.unit}"
    taken = next(unit for unit, factor in MM.items() if factor == scale.taken)
    return f"{name} does not say its unit and would be taken to be in {taken}"


def other_scale(case: Case, change: Change) -> tuple[float, Change] | None:
    """A scale that is wrong by less than units differ, once joints and axes are right: its factor; None if it is right.

    Noise makes bodies larger but does not move the ratio <g, g> / <p, g>; predictions that shrink towards the mean
    pose, being unsure, move it more than their sizes. Both must agree.
    """
    if case.gt is None or case.pred.unit == "scale-free":
        return None
    p, g = case.changed(change), case.g
    p, g = p - p[:, [case.root]], g - g[:, [case.root]]
    known = np.isfinite(p).all((1, 2)) & np.isfinite(g).all((1, 2))
    if known.sum() < 5:
        return None
    p, g = p[known], g[known]
    with np.errstate(all="ignore"):
        by_fit = (g * g).sum((1, 2)) / (p * g).sum((1, 2))
        by_size = np.sqrt((g * g).sum((1, 2)) / (p * p).sum((1, 2)))
    factors = float(np.median(by_fit)), float(np.median(by_size))
    if not all(np.isfinite(factors)) or min(factors) <= 0:
        return None
    if (factors[0] - 1) * (factors[1] - 1) <= 0:
        return None
    factor = min(factors, key=lambda value: abs(np.log(value)))
    if 1 / _SCALED < factor < _SCALED:
        return None
    scaled = replace(change, factor=change.factor * factor)
    before, after = case.errors(case.changed(change)), case.errors(case.changed(scaled))
    return (factor, scaled) if np.nanmean(after) < _HELPS * np.nanmean(before) else None


def other_scale_finding(
    case: Case, scale: Scale, factor: float, before: Change, after: Change, commands: Commands
) -> Finding:
    """The finding for a factor of `other_scale`."""
    evidence = case.evidence(case.errors(case.changed(before)), case.errors(case.changed(after)))
    return _no_scale(_said(case, scale), factor, [evidence], commands)


__all__ = ["Scale", "find_scale", "other_scale", "other_scale_finding", "scale_findings"]
