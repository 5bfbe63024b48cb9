"""Time: constant and frozen poses, copies, frames that are shifted against the ground truth or in another order."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from posebench.doctor.material import Case, Change, Floats, Rows, centred, known_joints, pick, sizes
from posebench.doctor.model import MAX_ROWS, Evidence, Finding
from posebench.doctor.scan import Scan
from posebench.doctor.space import mirror_of

#: Coordinates that change by less than this from frame to frame, in mm, have not changed; a person's have.
STILL_MM = 1e-3
MOVED_MM = 0.1
#: A run of so many equal poses is frozen, a shorter one holds copies.
_FROZEN = 5
#: Shifts that are tried, in frames, and about how many poses they are tried on.
_SHIFTS, _SHIFTED_POSES = 60, 4000
#: Blocks of so many frames are witnesses for a shift, this many at least; what they say must be so many standard errors
#: from nothing.
_BLOCK, _FEWEST_BLOCKS = 10, 4
_SURE = 4.5
#: and halves of stretches with so much of the motion must show so much of the shift.
_AGREE, _PARTLY_SHIFTED = 0.75, 0.35
#: Slips within a stretch that are tried, in frames, and how sure they must be after the frame and before it.
_SLIPS, _SLIP_SURE = 5, (5.0, 3.5)
#: Poses in another order must leave no more than this share of the distance.
_EXPLAINS = 0.5
#: or this share of it, if in the median so many of all ground truth frames are nearer than their own.
_PARTLY, _NEARER = 0.75, 0.3
#: Copies among fewer than this share of the poses happen.
_FEW = 0.005
#: and equal neighbours among fewer than this share are no finding where no ground truth tells that it moves on.
_OFTEN = 0.05


def constant_finding(case: Case, scan: Scan, change: Change) -> Finding | None:
    """One and the same pose throughout, while the ground truth moves."""
    if len(case) < 10:
        return None
    body = centred(pick(case.p, change.weights) * change.factor)
    body = body[np.isfinite(body).all((1, 2))]
    if len(body) < 10:
        return None
    spread = float(np.median(np.linalg.norm(body - np.median(body, axis=0), axis=2).mean(1)))
    size = float(np.median(sizes(body)))
    if case.gt is not None:
        truth = centred(case.g)
        truth = truth[np.isfinite(truth).all((1, 2))]
        moved = (
            float(np.median(np.linalg.norm(truth - np.median(truth, axis=0), axis=2).mean(1))) if len(truth) else 0.0
        )
        if not spread < 0.05 * moved or moved < 2:
            return None
        evidence: tuple[Evidence, ...] = (
            Evidence("spread of the prediction's poses", spread, None, "mm", len(body)),
            Evidence("spread of the ground truth's poses", moved, None, "mm", len(truth)),
        )
    else:
        if not spread < 1e-4 * size or len(body) < 20:
            return None
        evidence = (Evidence("spread of the poses", spread, None, "mm", len(body)),)
    return Finding(
        "D-CONSTANT",
        "error",
        f"{case.pred.source} holds the same pose again and again",
        evidence,
        advice="at the source: the model has collapsed to one pose, or its input never changes",
    )


def still_findings(case: Case, scan: Scan, factor: float) -> tuple[list[Finding], Rows]:
    """Poses that are exactly those of the frame before, and exact copies elsewhere, where the ground truth moves on.

    Returns also the poses (numbers among the M) that the findings are about.
    """
    same = scan.pred_step * factor < STILL_MM
    if scan.gt_step is not None:
        same &= scan.gt_step > MOVED_MM
    findings, concerned = [], [np.zeros(0, np.int64)]
    frozen = _in_runs(same, _FROZEN)
    for code, part, what, advice in (
        (
            "D-FROZEN",
            frozen,
            "do not change for several frames",
            "at the source: a tracker that lost the person, or a last value repeated where nothing was predicted; "
            "leave such frames out and score with --allow-missing",
        ),
        (
            "D-COPIES",
            same & ~frozen,
            "are those of the frame before",
            "at the source: frames were doubled to reach a frame rate; predict each, or score only those that were "
            "predicted",
        ),
    ):
        rows = np.flatnonzero(part)
        # A person who stands still may do so in the data, too, if nothing says otherwise.
        if len(rows) > max(2, (_FEW if case.gt is not None else _OFTEN) * len(case)):
            share = Evidence("poses equal to the one before", len(rows), 0, f"of {len(case)}", len(case))
            findings.append(_about(case, code, f"{len(rows)} poses {what}", (share,), rows, advice))
            concerned.append(rows)
    twins = _copies(case, scan, same)
    if len(twins) > max(2, _FEW * len(case)):
        share = Evidence("poses that stand somewhere else too", len(twins), 0, f"of {len(case)}", len(case))
        advice = "at the source: a batch or a sequence was written twice, in place of another"
        sentence = f"{len(twins)} poses are exact copies of poses of other frames"
        findings.append(_about(case, "D-COPIES", sentence, (share,), twins, advice))
        concerned.append(twins)
    return findings, np.concatenate(concerned)


def _about(case: Case, code: str, sentence: str, evidence: tuple[Evidence, ...], index: Rows, advice: str) -> Finding:
    rows = tuple(np.sort(case.pred_rows[index])[:MAX_ROWS].tolist())
    return Finding(code, "error", f"{case.pred.source}: {sentence}", evidence, advice=advice, rows=rows)


def _in_runs(same: npt.NDArray[np.bool_], least: int) -> npt.NDArray[np.bool_]:
    """Those that stand in runs of at least so many."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], same.astype(np.int8), [0]))))
    found = np.zeros(len(same), np.bool_)
    for start, end in edges.reshape(-1, 2).tolist():
        if end - start >= least:
            found[start:end] = True
    return found


def _copies(case: Case, scan: Scan, same: npt.NDArray[np.bool_]) -> Rows:
    """Poses (their index) that equal one of another frame, those of the frame before apart; the first of each stays."""
    usable = np.isfinite(scan.pred_size) & (scan.pred_size > 0) & ~same & ~scan.broken
    usable &= ~(scan.pred_step == 0)
    index = np.flatnonzero(usable)
    order = index[np.argsort(scan.digest[index], kind="stable")]
    if len(order) < 2:
        return np.zeros(0, np.int64)
    again = np.flatnonzero(scan.digest[order][1:] == scan.digest[order][:-1]) + 1
    found = []
    for place in again[:200_000].tolist():
        a, b = order[place - 1], order[place]
        if scan.gt_size is None or abs(scan.gt_size[a] - scan.gt_size[b]) > 1e-6:
            found.append(b)
    return np.array(found, np.int64)


# -------------------------------------------------------------------------------------------------------------- shifts


@dataclass(frozen=True)
class Shift:
    """Predictions that belong to frames `by` later than where they stand (earlier if negative)."""

    by: int
    #: How many standard errors it is from no shift.
    sure: float
    #: Stretches that agree, of those that move enough to tell.
    agree: int
    told: int
    order: Rows


def find_shift(case: Case, change: Change, skip: Rows) -> Shift | None:
    """The shift in time by which the prediction follows the ground truth best, where that is beyond doubt.

    The shift that leaves the least squares is tried: what is off must look like the difference that such a shift makes,
    consistently in blocks of frames. What a joint is off by all the time says nothing of time: means are taken out.
    `skip` are poses (numbers among the M) that another finding is about.
    """
    moving = _moving(case, change, skip)
    if moving is None:
        return None
    a, b = moving
    pieces = [piece for piece in _pieces(case) if len(piece) >= 12]
    pieces = pieces[:: max(1, sum(map(len, pieces)) // _SHIFTED_POSES)]
    if not pieces:
        return None
    limit = min(_SHIFTS, max(len(piece) for piece in pieces) // 3)
    curves = []
    for piece in pieces:
        costs = _costs(a[piece], b[piece], min(limit, len(piece) // 3))
        curves.append(costs)
    totals = {}
    for shift in range(-limit, limit + 1):
        at_zero = sum(float(np.nansum(costs[shift][0])) for costs in curves if shift in costs)
        shifted = sum(float(np.nansum(costs[shift][1])) for costs in curves if shift in costs)
        covered = sum(len(costs[shift][0]) for costs in curves if shift in costs)
        if at_zero > 0 and covered >= 0.4 * sum(len(piece) for piece in pieces):
            totals[shift] = shifted / at_zero
    if not totals:
        return None
    best = min(totals, key=lambda shift: (totals[shift], abs(shift)))
    if best == 0:
        return None
    shares = [_share_of_shift(a[piece], b[piece], best) for piece in pieces]
    top, bottom = (np.concatenate([each[i] for each in shares]) for i in (0, 1))
    told = [each for each in shares if each[1].sum() > 0]
    energy = float(bottom.sum())
    share, error = _consistent(top, bottom)
    sure = share / max(error, 1e-9)
    agree = sum(float(each[0].sum()) > 0.5 * float(each[1].sum()) for each in told)
    # Half by half: what comes late from some frame on only is no shift of the whole.
    halves = [tuple(each[part].sum() for each in piece) for piece in shares for part in _halves(len(piece[0]))]
    for_it = sum(below for above, below in halves if above > _PARTLY_SHIFTED * below)
    if share < 0.5 or sure < _SURE or for_it < _AGREE * energy:
        return None
    return Shift(best, sure, agree, len(told), _shifted(case, best))


def _halves(n: int) -> tuple[slice, slice]:
    return slice(0, n // 2), slice(n // 2, n)


def _moving(case: Case, change: Change, skip: Rows) -> tuple[Floats, Floats] | None:
    """Prediction and ground truth of the sample (n, d) about their roots, in the joints that both mostly have."""
    if case.gt is None:
        return None
    d, g = case.changed(change), case.g
    a, b = d - d[:, [case.root]], g - g[:, [case.root]]
    known = (known_joints(a).mean(0) > 0.8) & (known_joints(b).mean(0) > 0.8)
    a[np.isin(case.sample, skip)] = np.nan
    if known.sum() < 4:
        return None
    return a[:, known].reshape(len(a), -1), b[:, known].reshape(len(b), -1)


def _consistent(top: Floats, bottom: Floats) -> tuple[float, float]:
    """The share of a shift that blocks show together, and its standard error.

    As if each block had been left out: one that holds most of the motion must not vouch for itself.
    """
    energy = float(bottom.sum())
    if len(bottom) < _FEWEST_BLOCKS or energy <= 0:
        return 0.0, np.inf
    share = float(top.sum()) / energy
    leverage = np.minimum(bottom / energy, 0.99)
    return share, float(np.sqrt((((top - share * bottom) / (1 - leverage)) ** 2).sum())) / energy


def _share_of_shift(a: Floats, b: Floats, shift: int) -> tuple[Floats, Floats]:
    """Per block of frames the product of what is off with what the shift would make it off by, and the latter's square.

    Their ratio is 1 if the prediction is shifted so and 0 if it is not, whatever noise there is.
    """
    n = len(a)
    rows = np.arange(max(0, shift), min(n, n + shift))
    off, by = a[rows] - b[rows], b[rows - shift] - b[rows]
    unknown = ~(np.isfinite(off) & np.isfinite(by))
    off, by = (np.clip(np.where(unknown, 0.0, each), -500.0, 500.0) for each in (off, by))
    off, by = off - off.mean(0), by - by.mean(0)
    starts = np.arange(0, len(rows), _BLOCK)
    if not len(starts):
        return np.zeros(0), np.zeros(0)
    return tuple(np.add.reduceat(np.einsum("nd,nd->n", each, by), starts) for each in (off, by))  # type: ignore[return-value]


def _pieces(case: Case) -> list[Rows]:
    """The sample's stretches of frames in equal steps."""
    found = []
    for code in np.unique(case.stretch):
        index = np.flatnonzero(case.stretch == code)
        time = case.time[case.sample[index]]
        if len(index) < 3:
            continue
        steps = np.diff(time)
        usual = np.median(steps)
        cuts = np.flatnonzero(steps != usual) + 1
        found += list(np.split(index, cuts))
    return found


def _costs(a: Floats, b: Floats, limit: int) -> dict[int, tuple[Floats, Floats]]:
    """Squared differences per frame as they stand and shifted, over the same ground truth frames, for each shift."""
    found = {}
    n = len(a)
    for shift in range(-limit, limit + 1):
        rows = np.arange(max(0, -shift), min(n, n - shift))
        if len(rows) < 8:
            continue
        found[shift] = _about_mean(a[rows] - b[rows]), _about_mean(a[rows + shift] - b[rows])
    return found


def _about_mean(away: Floats) -> Floats:
    """Squares (n,) of differences (n, d) about their means; one that is far off must not decide, nor one not known."""
    bounded = np.clip(np.nan_to_num(away), -500.0, 500.0)
    bounded -= bounded.mean(0)
    return np.asarray(np.einsum("nd,nd->n", bounded, bounded), np.float64)


def _shifted(case: Case, shift: int) -> Rows:
    order = np.full(len(case.sample), -1, np.int64)
    for piece in _pieces(case):
        rows = np.arange(max(0, -shift), min(len(piece), len(piece) - shift))
        order[piece[rows]] = piece[rows + shift]
    return order


def shift_finding(case: Case, before: Change, found: Shift) -> tuple[Change, Finding]:
    """The finding of a shift, and the change that undoes it."""
    order = found.order if before.order is None else np.where(found.order >= 0, before.order[found.order], -1)
    after = replace(before, order=order)
    evidence = case.evidence(case.errors(case.changed(before)), case.errors(case.changed(after)))
    direction = "late" if found.by > 0 else "early"
    frames = f"{abs(found.by)} frame{'s' if abs(found.by) > 1 else ''}"
    return after, Finding(
        "D-OFFSET",
        "error",
        f"{case.pred.source}: predictions come {frames} {direction}: what stands at one frame belongs "
        f"{frames} {'before' if found.by > 0 else 'after'} it, in {found.agree} of {found.told} stretches",
        (evidence,),
        advice="at the source: frames were counted from another number, a window's output was taken at its end, or "
        "frames were dropped at the beginning; give each prediction the number of its own frame",
    )


def slip_finding(case: Case, change: Change, skip: Rows) -> tuple[Finding, Rows] | None:
    """Frames that come late or early from some frame of a stretch on: one was doubled there, or left out.

    Returns also the poses (numbers among the M) that it is about.
    """
    moving = _moving(case, change, skip)
    if moving is None:
        return None
    a, b = moving
    found: list[tuple[int, Rows, Rows]] = []
    pieces = [piece for piece in _pieces(case) if len(piece) >= 8 * _BLOCK]
    for piece in pieces:
        slip = _slip(a[piece], b[piece])
        if slip is not None:
            by, start = slip
            rows = np.arange(max(start, -by), min(len(piece), len(piece) - by))
            found.append((by, piece[rows], piece[rows + by]))
    if not found:
        return None
    here, there = (np.concatenate([each[i] for each in found]) for i in (1, 2))
    p = case.changed(change)
    evidence = case.evidence(
        case.errors(p[here], case.g[here]), case.errors(p[there], case.g[here]), "MPJPE from there on"
    )
    starts = [int(case.pred_rows[case.sample[each[1][0]]]) for each in found]
    by = found[0][0]
    frames = f"{abs(by)} frame{'s' if abs(by) > 1 else ''}"
    finding = Finding(
        "D-OFFSET",
        "error",
        f"{case.pred.source}: in {len(found)} of {len(pieces)} stretches predictions come {frames} "
        f"{'late' if by > 0 else 'early'} from a frame on, about row {starts[0]} in the first",
        (evidence,),
        advice=f"at the source: a frame was {'doubled' if by > 0 else 'left out'} there; give predictions their frames",
        rows=tuple(starts[:MAX_ROWS]),
    )
    return finding, case.sample[here]


def _slip(a: Floats, b: Floats) -> tuple[int, int] | None:
    """By how many frames, and from which one on, a stretch (n, d) that begins in time comes late; None if it is not."""
    best: tuple[float, int, int] | None = None
    least = 4 * _BLOCK
    for by in (*range(-_SLIPS, 0), *range(1, _SLIPS + 1)):
        rows = np.arange(max(0, -by), min(len(a), len(a) - by))
        gain = _about_mean(a[rows] - b[rows]) - _about_mean(a[rows + by] - b[rows])
        after = np.cumsum(gain[::-1])[::-1]
        if len(gain) <= 2 * least:
            continue
        start = int(after[least : len(gain) - least].argmax()) + least
        # What is gained after the slip and would be lost before it.
        score = float(after[start] - (gain.sum() - after[start]))
        if best is None or score > best[0]:
            best = score, by, int(rows[start])
    if best is None:
        return None
    _, by, start = best
    share, error = _consistent(*_share_of_shift(a[start:], b[start:], by))
    before, error_before = _consistent(*_share_of_shift(a[:start], b[:start], by))
    if share < 0.7 or share < _SLIP_SURE[0] * error or before > 0.3 or 1 - before < _SLIP_SURE[1] * error_before:
        return None
    return by, start


# ------------------------------------------------------------------------------------------------------------ shuffled


@dataclass(frozen=True)
class Shuffle:
    """Poses that belong to other frames than those where they stand."""

    share: float
    before: Floats
    after: Floats
    #: Some such poses, and those whose ground truth they fit; numbers among the M poses of the case.
    index: Rows
    order: Rows
    #: Share of the ground truth frames that are nearer than their own.
    nearer: Floats


def find_shuffle(case: Case, change: Change, skip: Rows) -> Shuffle | None:
    """Whether poses fit other frames of the ground truth far better than their own, however axes are named.

    `skip` are poses (numbers among the M) that another finding is about.
    """
    places = np.flatnonzero(~np.isin(case.sample, skip))
    if case.gt is None or len(places) < 20:
        return None
    places = places[np.unique(np.linspace(0, len(places) - 1, min(len(places), 240)).astype(int))]
    index = case.sample[places]
    pool = np.unique(np.concatenate([np.linspace(0, len(case) - 1, min(len(case), 4000)).astype(np.int64), index]))
    if len(case) <= 5000:
        pool = np.arange(len(case))
    truth = case.truth(pool)
    truth = truth - truth[:, [case.root]]
    p = case.changed(change)[places]
    p = p - p[:, [case.root]]
    joints = np.isfinite(truth).all(2).all(0) & (np.isfinite(p).all(2).mean(0) > 0.5)
    held = np.isfinite(p[:, joints]).all((1, 2))
    if joints.sum() < 4 or held.sum() < 20:
        return None
    p, index = p[held], index[held]
    own = np.searchsorted(pool, index)
    best: Shuffle | None = None
    at_home = np.full(len(p), np.inf)
    mirror = mirror_of(case.protocol.skeleton)
    for exchange in (False, True):
        named = p[:, mirror] if exchange else p
        for signs in np.array(np.meshgrid([1, -1], [1, -1], [1, -1])).reshape(3, -1).T:
            found = _nearest((named * signs)[:, joints], truth[:, joints], own)
            at_home = np.minimum(at_home, found.before)
            if best is None or np.median(found.after) < 0.8 * np.median(best.after):
                best = found
    assert best is not None
    moved = best.order != own
    # Neighbours in time look alike.
    near = np.abs(case.time[pool[best.order]] - case.time[index]) <= _near(case)
    near &= case.group[pool[best.order]] == case.group[index]
    # What left and right exchanged, or a mirror, explain at its own frame is not elsewhere.
    elsewhere = moved & ~near & (best.after < _EXPLAINS * at_home)
    share = float(elsewhere.mean())
    if np.median(best.nearer) > _NEARER and np.median(best.after) < _PARTLY * np.median(at_home):
        elsewhere, share = np.ones(len(p), np.bool_), 1.0
    if share < 0.02 or elsewhere.sum() < 3:
        return None
    kept = (each[elsewhere] for each in (best.before, best.after, index, pool[best.order], best.nearer))
    return Shuffle(share, *kept)


def together(case: Case, found: Shuffle) -> float:
    """Which share of poses is about the same time away from the frames that they are nearest to."""
    away = case.time[found.order] - case.time[found.index]
    return float((np.abs(away - np.median(away)) <= _near(case)).mean())


def _near(case: Case) -> float:
    return float(np.median(np.diff(case.time[: min(len(case), 1000)])) * 2) if len(case) > 1 else 0.0


def _nearest(p: Floats, truth: Floats, own: Rows) -> Shuffle:
    """For each pose the ground truth that it is nearest to: root mean square distances to its own and to that."""
    joints = p.shape[1]
    a, b = p.reshape(len(p), -1), truth.reshape(len(truth), -1)
    square = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * (a.astype(np.float32) @ b.astype(np.float32).T)
    nearest = square.argmin(1)
    distance = np.sqrt(np.maximum(square, 0) / joints)
    rows = np.arange(len(p))
    nearer = (distance < distance[rows, own][:, None]).mean(1)
    return Shuffle(0.0, distance[rows, own], distance[rows, nearest], rows, nearest, nearer)


def shuffle_finding(case: Case, found: Shuffle) -> Finding:
    """The finding of frames in another order."""
    n = len(found.before)
    evidence = Evidence(
        "distance of such poses to the ground truth", float(found.before.mean()), float(found.after.mean()), "mm", n
    )
    everything = found.share > 0.8
    return Finding(
        "D-SHUFFLED",
        "error",
        f"{case.pred.source}: {'the' if everything else f'{100 * found.share:.0f} % of the'} poses are those of other "
        "frames: the frames are in another order than those of the ground truth",
        (evidence,),
        advice="at the source: write predictions in the order of the frames, or with the keys (sequence, frame) that "
        "name them; a data loader that shuffles does this",
    )


__all__ = [
    "Shift",
    "Shuffle",
    "constant_finding",
    "find_shift",
    "find_shuffle",
    "shift_finding",
    "shuffle_finding",
    "still_findings",
]
