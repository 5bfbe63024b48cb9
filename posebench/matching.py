"""Which prediction belongs to which ground-truth pose: by the keys that both sets have, else by order.

Keys must be unique on each side. Where only one side numbers its frames, the keys that are left name groups, and the
poses of a group belong together in their order. Whatever is left over on either side is named and refused, so that no
frame is ever scored against another, dropped, or counted twice in silence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.poses import KEYS, KeyColumn, PoseSet

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Match:
    """Rows of the prediction for each ground-truth row; None means row for row, -1 that there is none."""

    pred_rows: Codes | None
    #: "by order", "by subject, frame" or "by subject, in order within each".
    how: str
    missing: int = 0
    #: Predictions that were left out, since there is no ground truth for them.
    extra: int = 0

    def chunk(self, rows: slice | Codes) -> slice | Codes:
        """What to index the prediction with for these ground-truth rows."""
        return rows if self.pred_rows is None else self.pred_rows[rows]


def match(pred: PoseSet, gt: PoseSet, *, allow_missing: bool = False, allow_extra: bool = False) -> Match:
    """Match predictions to ground truth.

    Parameters
    ----------
    pred, gt : PoseSet
    allow_missing : bool
        Accept ground-truth frames without a prediction; they get row -1.
    allow_extra : bool
        Leave out predictions without ground truth, where keys tell which they are; `Match.extra` counts them.

    Raises
    ------
    InputError
        If keys repeat, if one side has frames that the other has not, or, where order alone says what belongs
        together, if the numbers of poses differ.

    Examples
    --------
    >>> gt = PoseSet(np.zeros((3, 17, 3)), frame=[1, 2, 3])
    >>> match(PoseSet(np.zeros((3, 17, 3)), frame=[3, 1, 2]), gt).pred_rows.tolist()
    [1, 2, 0]
    >>> gt = PoseSet(np.zeros((3, 17, 3)), subject=["TS1", "TS1", "TS2"], frame=[5, 9, 2])
    >>> match(PoseSet(np.zeros((3, 17, 3)), subject=["TS2", "TS1", "TS1"]), gt).pred_rows.tolist()
    [1, 2, 0]
    """
    common = [key for key in KEYS if key in pred.keys and key in gt.keys]
    if not common:
        if pred.keys and gt.keys:
            raise InputError(
                f"{pred.source} has the keys {', '.join(pred.keys)} and {gt.source} has {', '.join(gt.keys)}: none in "
                "common; give both the same keys, or one of them none to match by order"
            )
        if len(pred) != len(gt):
            raise InputError(
                f"{pred.source} has {len(pred)} poses and {gt.source} has {len(gt)}: without common keys both must "
                "have the same number; add keys such as subject, action, camera and frame to both"
            )
        return Match(None, "by order")
    how = "by " + ", ".join(common)
    same, pred_codes, gt_codes = _encode(pred, gt, common)
    if (pred.frame is None) != (gt.frame is None) and (_repeat(pred_codes) or _repeat(gt_codes)):
        return _match_in_groups(pred, gt, pred_codes, gt_codes, common, allow_missing=allow_missing)
    order = _refuse_repeats(gt_codes, gt, common)
    if same:
        return Match(None, how)
    _refuse_repeats(pred_codes, pred, common)
    sorted_gt = gt_codes if order is None else gt_codes[order]
    place = np.searchsorted(sorted_gt, pred_codes)
    place[place == len(gt)] = 0
    found = sorted_gt[place] == pred_codes
    if not allow_extra:
        _refuse_extra(np.flatnonzero(~found), pred, gt, common)
    rows = np.full(len(gt), -1, np.int64)
    rows[(place if order is None else order[place])[found]] = np.flatnonzero(found)
    missing = _count_lacking(rows, pred, gt, common, allow_missing=allow_missing)
    return Match(rows, how, missing, int(np.count_nonzero(~found)))


def key_codes(poses: PoseSet) -> Codes:
    """One number per pose that stands for all its keys: equal numbers, equal keys.

    Examples
    --------
    >>> walking, eating, again = key_codes(PoseSet(np.zeros((3, 17, 3)), action=["a", "b", "a"], frame=[7, 7, 7]))
    >>> bool(walking == again), bool(walking == eating)
    (True, False)
    """
    return _encode(poses, poses, list(poses.keys))[1]


def _match_in_groups(
    pred: PoseSet, gt: PoseSet, pred_codes: Codes, gt_codes: Codes, common: list[str], *, allow_missing: bool
) -> Match:
    """Match in order within the poses of the same keys, where one side numbers its frames and the other does not."""
    _refuse_extra(np.flatnonzero(~np.isin(pred_codes, gt_codes)), pred, gt, common)
    numbered, codes, other = (pred, pred_codes, gt) if gt.frame is None else (gt, gt_codes, pred)
    _refuse_disorder(numbered, codes, other, common)
    groups, pred_counts = np.unique(pred_codes, return_counts=True)
    gt_order, pred_order = np.argsort(gt_codes, kind="stable"), np.argsort(pred_codes, kind="stable")
    there = gt_order[np.isin(gt_codes[gt_order], groups)]
    _, first, gt_counts = np.unique(gt_codes[there], return_index=True, return_counts=True)
    uneven = np.flatnonzero(pred_counts != gt_counts)
    if len(uneven):
        group = uneven[0]
        raise InputError(
            f"{pred.source} has {pred_counts[group]} poses of {describe_keys(gt, int(there[first[group]]), common)} "
            f"and {gt.source} has {gt_counts[group]}, while {other.source} has no frame numbers that say which is "
            "which; give both sides frame numbers, or the same frames"
        )
    rows = np.full(len(gt), -1, np.int64)
    rows[there] = pred_order
    missing = _count_lacking(rows, pred, gt, common, allow_missing=allow_missing)
    return Match(rows, f"by {', '.join(common)}, in order within each", missing)


def _refuse_disorder(poses: PoseSet, codes: Codes, other: PoseSet, common: list[str]) -> None:
    """Raise unless the frames of each group come in the order of their numbers, each once."""
    assert poses.frame is not None
    order = np.argsort(codes, kind="stable")
    frames = poses.frame[order]
    wrong = np.flatnonzero((codes[order][1:] == codes[order][:-1]) & (frames[1:] <= frames[:-1]))
    if len(wrong):
        first, second = order[wrong[0] : wrong[0] + 2].tolist()
        raise InputError(
            f"{poses.source}: rows {first} and {second}, both {describe_keys(poses, first, common)}, have the frames "
            f"{poses.frame[first]} and {poses.frame[second]}, so order does not say which poses of {other.source} "
            "belong to them, and it has no frame numbers; add `frame` to it, and what else tells these poses apart"
        )


def _refuse_extra(extra: Codes, pred: PoseSet, gt: PoseSet, common: list[str]) -> None:
    """Raise if there are predictions without ground truth."""
    if len(extra):
        raise InputError(
            f"{pred.source} has {len(extra)} poses that {gt.source} has not, the first at row {extra[0]} "
            f"({describe_keys(pred, int(extra[0]), common)}); remove them, leave them out with --allow-extra, or "
            "score against the whole ground truth"
        )


def _count_lacking(rows: Codes, pred: PoseSet, gt: PoseSet, common: list[str], *, allow_missing: bool) -> int:
    """How many ground-truth poses have no prediction; raises if that is not allowed."""
    lacking = np.flatnonzero(rows < 0)
    if len(lacking) and not allow_missing:
        raise InputError(
            f"{pred.source} lacks {len(lacking)} of the {len(gt)} poses of {gt.source}, the first at row {lacking[0]} "
            f"({describe_keys(gt, int(lacking[0]), common)}); predict them, or count them as wrong with --allow-missing"
        )
    return len(lacking)


def _repeat(codes: Codes) -> bool:
    return len(np.unique(codes)) < len(codes)


def _encode(pred: PoseSet, gt: PoseSet, common: list[str]) -> tuple[bool, Codes, Codes]:
    """One number per pose and side that stands for all its keys, and whether both sides agree row by row."""
    pred_codes, gt_codes = np.zeros(len(pred), np.int64), np.zeros(len(gt), np.int64)
    same = len(pred) == len(gt)
    size = 1
    for key in common:
        a, b, values = _unify(pred.keys[key], gt.keys[key])
        same = same and bool(np.array_equal(a, b))
        if size * values >= 2**62:
            _, dense = np.unique(np.concatenate([pred_codes, gt_codes]), return_inverse=True)
            pred_codes, gt_codes, size = dense[: len(pred)], dense[len(pred) :], int(dense.max(initial=0)) + 1
        pred_codes, gt_codes, size = pred_codes * values + a, gt_codes * values + b, size * values
    return same, pred_codes, gt_codes


def _unify(pred: Any, gt: Any) -> tuple[Codes, Codes, int]:
    """Both columns as codes from 0 in one numbering, and how many there are."""
    if isinstance(pred, KeyColumn):
        names = {name: code for code, name in enumerate(dict.fromkeys((*gt.names, *pred.names)))}
        recode = [np.array([names[name] for name in column.names], np.int64) for column in (pred, gt)]
        return recode[0][pred.codes], recode[1][gt.codes], max(len(names), 1)
    low = min(int(pred.min(initial=0)), int(gt.min(initial=0)))
    high = max(int(pred.max(initial=0)), int(gt.max(initial=0)))
    if high - low < 2**40:
        return pred - low, gt - low, high - low + 1
    _, dense = np.unique(np.concatenate([pred, gt]), return_inverse=True)
    return dense[: len(pred)], dense[len(pred) :], len(dense)


def _refuse_repeats(codes: Codes, poses: PoseSet, common: list[str]) -> Codes | None:
    """Raise if two poses have the same keys; returns the order that sorts the codes, None if they are sorted."""
    if (codes[1:] > codes[:-1]).all():
        return None
    order = np.argsort(codes, kind="stable")
    twice = np.flatnonzero(codes[order][1:] == codes[order][:-1])
    if len(twice):
        first, second = sorted(order[twice[0] : twice[0] + 2].tolist())
        others = [key for key in KEYS if key not in common]
        raise InputError(
            f"{poses.source}: rows {first} and {second} have the same keys ({describe_keys(poses, first, common)}), "
            f"and so have {len(twice)} pairs in all; keys that both files have must name each pose once, so add "
            f"{' or '.join(others) if others else 'a key'} to both or remove the repeats"
        )
    return order


def describe_keys(poses: PoseSet, row: int, common: Iterable[str]) -> str:
    """`action=Walking, frame=7`."""
    parts = []
    for key in common:
        column = poses.keys[key]
        parts.append(f"{key}={column.names[column.codes[row]] if isinstance(column, KeyColumn) else column[row]}")
    return ", ".join(parts)
