"""Which prediction belongs to which ground-truth pose: by the keys that both sets have, else by order.

Keys must be unique on each side. Whatever is left over on either side is named and refused, so that no frame is ever
scored against another, dropped, or counted twice in silence.
"""

from __future__ import annotations

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
    #: "by order" or "by subject, frame".
    how: str
    missing: int = 0

    def chunk(self, rows: slice) -> slice | Codes:
        """What to index the prediction with for these ground-truth rows."""
        return rows if self.pred_rows is None else self.pred_rows[rows]


def match(pred: PoseSet, gt: PoseSet, *, allow_missing: bool = False) -> Match:
    """Match predictions to ground truth.

    Parameters
    ----------
    pred, gt : PoseSet
    allow_missing : bool
        Accept ground-truth frames without a prediction; they get row -1.

    Raises
    ------
    InputError
        If keys repeat, if one side has frames that the other has not, or, without common keys, if the numbers of poses
        differ.

    Examples
    --------
    >>> gt = PoseSet(np.zeros((3, 17, 3)), frame=[1, 2, 3])
    >>> match(PoseSet(np.zeros((3, 17, 3)), frame=[3, 1, 2]), gt).pred_rows.tolist()
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
    order = _refuse_repeats(gt_codes, gt, common)
    if same:
        return Match(None, how)
    _refuse_repeats(pred_codes, pred, common)
    sorted_gt = gt_codes if order is None else gt_codes[order]
    place = np.searchsorted(sorted_gt, pred_codes)
    place[place == len(gt)] = 0
    found = sorted_gt[place] == pred_codes
    if not found.all():
        extra = np.flatnonzero(~found)
        raise InputError(
            f"{pred.source} has {len(extra)} poses that {gt.source} has not, the first at row {extra[0]} "
            f"({_describe(pred, int(extra[0]), common)}); remove them, or score against the whole ground truth"
        )
    rows = np.full(len(gt), -1, np.int64)
    rows[place if order is None else order[place]] = np.arange(len(pred))
    lacking = np.flatnonzero(rows < 0)
    if len(lacking) and not allow_missing:
        raise InputError(
            f"{pred.source} lacks {len(lacking)} of the {len(gt)} poses of {gt.source}, the first at row {lacking[0]} "
            f"({_describe(gt, int(lacking[0]), common)}); predict them, or count them as wrong with --allow-missing"
        )
    return Match(rows, how, len(lacking))


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
            f"{poses.source}: rows {first} and {second} have the same keys ({_describe(poses, first, common)}), and "
            f"so have {len(twice)} pairs in all; keys that both files have must name each pose once, so add "
            f"{' or '.join(others) if others else 'a key'} to both or remove the repeats"
        )
    return order


def _describe(poses: PoseSet, row: int, common: list[str]) -> str:
    parts = []
    for key in common:
        column = poses.keys[key]
        parts.append(f"{key}={column.names[column.codes[row]] if isinstance(column, KeyColumn) else column[row]}")
    return ", ".join(parts)
