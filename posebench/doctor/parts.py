"""Faults in a part of the file: left and right exchanged in some poses, sequences that are wrong in their own way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from posebench.doctor.material import STRETCH, Case, Change, Floats, Rows, distances
from posebench.doctor.model import MAX_ROWS, Evidence, Finding
from posebench.doctor.order import find_shift
from posebench.doctor.space import explain, mirror_of, naming_words
from posebench.matching import describe_keys

#: Left and right are exchanged in a pose if that leaves this share of its error, which is larger than so many mm.
_EXCHANGED, _LEAST_MM = 0.5, 60.0
_FEW = 0.002
#: A sequence is examined for itself if its error is so many times the middle one, and larger by so many mm.
_WORSE, _WORSE_MM = 2.0, 40.0
#: At most so many sequences are examined, with so many poses each.
_MOST, _POSES = 60, 200
#: What is found must leave no more than this share of a sequence's error.
_EXPLAINS = 0.55


def exchanged_poses(case: Case, change: Change, skip: Rows) -> tuple[Finding | None, Rows]:
    """Poses in which left and right are exchanged, in the whole body, the arms or the legs.

    `skip` are poses (numbers among the M) that another finding is about. Returns also those that this one is about.
    """
    skeleton = case.protocol.skeleton
    mirror = mirror_of(skeleton)
    rest = case.sample[~np.isin(case.sample, skip)] if change.order is not None or change.turns is not None else None
    hits: dict[str, list[int]] = {}
    concerned = [np.zeros(0, np.int64)]
    before_all: list[Floats] = []
    after_all: list[Floats] = []
    n = 0
    blocks = [rest] if rest is not None else case.blocks()
    for index in blocks:
        if rest is not None:
            kept = np.isin(case.sample, index)
            p, g = case.changed(change)[kept], case.g[kept]
        else:
            index = index[~np.isin(index, skip)] if len(skip) else index
            if not len(index):
                continue
            p, g = case.changed_rows(change, index), case.truth(index)
        n += len(index)
        a, b = p - p[:, [case.root]], g - g[:, [case.root]]
        done = np.zeros(len(index), np.bool_)
        each, other = distances(a, b), distances(a[:, mirror], b)
        for part, members in _parts(case):
            straight, across = each[:, members].mean(1), other[:, members].mean(1)
            with np.errstate(invalid="ignore"):
                hit = ~done & (across < _EXCHANGED * straight) & (straight > _LEAST_MM)
            done |= hit
            concerned.append(index[hit])
            hits.setdefault(part, []).extend(case.pred_rows[index[hit]].tolist())
            before_all.append(straight[hit])
            after_all.append(across[hit])
    many = sum(map(len, hits.values()))
    if many < max(3, _FEW * n):
        return None, concerned[0]
    before, after = np.concatenate(before_all), np.concatenate(after_all)
    where = ", ".join(f"{part} in {len(rows)}" for part, rows in hits.items() if rows)
    rows = sorted(row for each in hits.values() for row in each)
    finding = Finding(
        "D-LEFT-RIGHT",
        "warning",
        f"{case.pred.source}: left and right are exchanged in {many} of {n} poses ({where})",
        (Evidence("error of the joints concerned", float(before.mean()), float(after.mean()), "mm", many),),
        advice="at the source: a mirrored copy of the input that was not mirrored back, or the model's own confusion",
        rows=tuple(rows[:MAX_ROWS]),
    )
    return finding, np.concatenate(concerned)


def _parts(case: Case) -> list[tuple[str, Rows]]:
    """The whole body, and arms and legs for themselves: the joints that have a counterpart."""
    skeleton = case.protocol.skeleton
    paired = np.array(sorted(joint for pair in skeleton.left_right for joint in pair), np.int64)
    found = [("the whole body", paired)]
    for part, names in (("the legs", ("Hip", "Knee", "Ankle")), ("the arms", ("Shoulder", "Elbow", "Wrist"))):
        members = [skeleton.index(side + name) for side in "LR" for name in names if side + name in skeleton.joints]
        if members:
            found.append((part, np.array(members, np.int64)))
    return found


def odd_sequences(case: Case, change: Change) -> tuple[list[Finding], Rows]:
    """Sequences that are far worse than the others and become like them by one change of joints or axes.

    Returns also the poses (numbers among the M) that the findings are about.
    """
    none = np.zeros(0, np.int64)
    starts = np.flatnonzero(np.concatenate(([True], case.group[1:] != case.group[:-1])))
    if case.gt is None or change.turns is not None or len(starts) < 3:
        return [], none
    ends = np.append(starts[1:], len(case.group))
    errors = np.concatenate(
        [case.errors(case.changed_rows(change, index), case.truth(index)) for index in case.blocks()]
    )
    with np.errstate(all="ignore"):
        each = np.array([np.nanmedian(errors[a:b]) for a, b in zip(starts, ends, strict=True)])
    if not np.isfinite(each).any():
        return [], none
    middle = float(np.nanmedian(each))
    odd = np.flatnonzero((each > _WORSE * middle) & (each > middle + _WORSE_MM))
    reasons: dict[tuple[str, str], list[tuple[int, Floats, Floats]]] = {}
    for number in odd[np.unique(np.linspace(0, len(odd) - 1, min(len(odd), _MOST)).astype(int))] if len(odd) else []:
        a, b = int(starts[number]), int(ends[number])
        index = np.unique(np.linspace(a, b - 1, min(b - a, _POSES)).astype(np.int64))
        p, g = case.raw(index) * change.factor, case.truth(index)
        if change.per_row is not None:
            p = p * change.per_row[index][:, None, None]
        found = explain(case, change, p, g, [np.zeros(len(index), np.int64)])
        if found is None or found.left > _EXPLAINS:
            shifted = _shifted(case, change, a, b)
            if shifted is not None:
                words, before, after = shifted
                reasons.setdefault(("D-OFFSET", words), []).append((number, before, after))
            continue
        state = replace(change, weights=found.naming.weights, axes=found.axes)
        poses = case.changed_rows(state, index)
        if found.turns is not None:
            poses = poses @ found.turns[0].T
        reasons.setdefault(naming_words(case, change, found), []).append(
            (number, case.errors(case.changed_rows(change, index), g), case.errors(poses, g))
        )
    findings, concerned = [], [none]
    for (code, words), members in reasons.items():
        before, after = (np.concatenate([member[i] for member in members]) for i in (1, 2))
        first = int(starts[members[0][0]])
        assert case.gt is not None
        by = [key for key in case.gt.keys if key != "frame"]
        name = describe_keys(case.gt, int(case.gt_rows[first]), by) if by else f"row {case.pred_rows[first]}"
        findings.append(
            Finding(
                code,
                "error",
                f"{case.pred.source}: in {len(members)} of {len(starts)} sequences {words} (the first is {name})",
                (case.evidence(before, after, "MPJPE of these"),),
                advice="at the source: these sequences went through other code, or another camera's calibration",
                rows=tuple(int(case.pred_rows[starts[member[0]]]) for member in members[:MAX_ROWS]),
            )
        )
        concerned += [np.arange(starts[member[0]], ends[member[0]]) for member in members]
    return findings, np.concatenate(concerned)


def _shifted(case: Case, change: Change, start: int, end: int) -> tuple[str, Floats, Floats] | None:
    """Whether one sequence comes late or early: in words, with its errors before and after."""
    index = np.arange(start, min(end, start + 2 * STRETCH))
    inner = replace(case, sample=index, stretch=np.zeros(len(index), np.int64))
    inner.p, inner.g = inner.raw(index), inner.truth(index)
    state = replace(change, order=None, turns=None)
    found = find_shift(inner, state, index[:0])
    if found is None:
        return None
    late = "late" if found.by > 0 else "early"
    moved = inner.changed(replace(state, order=found.order))
    words = f"predictions come {abs(found.by)} frame{'s' if abs(found.by) > 1 else ''} {late}"
    return words, inner.errors(inner.changed(state)), inner.errors(moved)


__all__ = ["exchanged_poses", "odd_sequences"]
