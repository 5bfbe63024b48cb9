"""Two sets made comparable under a protocol: skeleton and unit settled, frames selected and matched.

Everything that is refused before a number exists is refused here or in `fitness`. What several protocols share is done
once: a conversion for each skeleton, a matching for each selection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.conversion import convert_needed, missing_joints
from posebench.errors import InputError
from posebench.matching import Match, match
from posebench.metrics.evaluate import Poses, as_poseset
from posebench.poses import TEXT_KEYS, PoseSet
from posebench.protocols import Protocol, Selection
from posebench.units import doubt_skeleton, refuse_inhuman, settle_unit

#: Subject, action, sequence and camera of a pose; None where the ground truth has no such key.
Cell = tuple[str | None, ...]
Rows = slice | npt.NDArray[np.int64]


@dataclass(frozen=True)
class Frames:
    """Which poses are scored: rows of the ground truth, the prediction's row for each, and the cells they belong to."""

    #: None for all.
    gt_rows: npt.NDArray[np.int64] | None
    found: Match
    cells: npt.NDArray[np.int64]
    names: list[Cell]

    def __len__(self) -> int:
        return len(self.cells)

    def gt_chunk(self, rows: Rows) -> Rows:
        """What to index the ground truth with for these of the poses that are scored."""
        return rows if self.gt_rows is None else self.gt_rows[rows]

    def pred_chunk(self, rows: Rows) -> Rows:
        """The same for the prediction; row -1 is a pose that it lacks."""
        return self.found.chunk(rows)


@dataclass(frozen=True)
class Pair:
    """Both sides as one protocol takes them."""

    pred: PoseSet
    gt: PoseSet
    frames: Frames
    #: Why the protocol's selection was not applied; None where it was, or where there is none.
    definition_only: str | None
    notes: tuple[str, ...] = ()


class Sides:
    """Both sides of a run, prepared for one protocol after the other."""

    def __init__(self, pred: Poses, gt: Poses, *, allow_missing: bool, whole: bool, allow_extra: bool = False) -> None:
        self._given = {"pred": pred, "gt": gt}
        self._allowed = {"allow_missing": allow_missing, "allow_extra": allow_extra}
        #: Whether these are all the frames there are; in pieces, nobody knows where a sequence begins.
        self._whole = whole
        self._settled: dict[tuple[str, str], PoseSet] = {}
        self._frames: dict[Selection | None, Frames] = {}

    def pair(self, protocol: Protocol) -> Pair:
        """Both sides for a protocol.

        Raises
        ------
        InputError
            If they cannot be compared.
        """
        pred, gt = (self._side(side, protocol) for side in ("pred", "gt"))
        if not len(gt):
            raise InputError(f"{gt.source} holds no poses")
        selection = protocol.selection
        obstacle = None if selection is None else selection.obstacle(gt)
        applied = None if obstacle is not None else selection
        if applied is not None and applied.stride > 1 and not self._whole:
            raise InputError(
                f"{gt.source} is a piece of a set, in which nobody knows where every {applied.stride}th frame of "
                f"protocol {protocol.name} falls; score the set in one go"
            )
        if applied not in self._frames:
            self._frames[applied] = _frames(pred, gt, protocol, applied, **self._allowed)
        absent = () if applied is None else applied.not_found(gt)
        notes = (absent_note(protocol, absent, gt.source),) if absent else ()
        return Pair(pred, gt, self._frames[applied], obstacle, notes)

    def _side(self, side: str, protocol: Protocol) -> PoseSet:
        given = self._given[side]
        found = as_poseset(given, side)
        if not isinstance(given, PoseSet) and found.skeleton != protocol.skeleton:
            # Plain arrays hold the joints of the protocol's skeleton, if they have as many; nobody said H36M-17.
            found = found.replace(skeleton=None)
        if found.skeleton is not None:
            _refuse_lacking(found, protocol)
        key = side, protocol.skeleton.name
        if key not in self._settled:
            self._settled[key] = _settle(found, side, protocol)
        return self._settled[key]


def extra_note(extra: int) -> str:
    """What is said of predictions that are left out."""
    return f"{extra} predictions without ground truth are left out"


def absent_note(protocol: Protocol, absent: Sequence[str], source: str) -> str:
    """What is said of sequences that a protocol leaves out and the ground truth does not have by that name."""
    return (
        f"protocol {protocol.name} leaves out {', '.join(absent)}, which {source} does not have under that "
        "name; codes number the trials of an action in different ways"
    )


def _refuse_lacking(poses: PoseSet, protocol: Protocol) -> None:
    """Raise if a joint that the protocol scores or centres on cannot be had."""
    wanted = protocol.skeleton
    assert poses.skeleton is not None
    roots = (protocol.pred_root, protocol.gt_root, wanted.joints[wanted.root])
    needed = {*protocol.joints, *(root for root in roots if root is not None)}
    lacking = [joint for joint in missing_joints(poses.skeleton, wanted) if joint in needed]
    if lacking:
        convert_needed(poses, wanted, lacking)  # says it in the words of conversions


def _settle(poses: PoseSet, side: str, protocol: Protocol) -> PoseSet:
    """Skeleton and unit of one side, known or refused. A joint that nothing is measured from or at may be lacking."""
    wanted = protocol.skeleton
    if poses.skeleton is None:
        return assume_skeleton(poses, side, protocol)
    # The unit is read off the joints as the file has them; what comes of them is still the file's.
    settled = settle_unit(poses, poses.skeleton, f"--{side}-unit", is_gt=side == "gt")
    settled = doubt_skeleton(settled, poses.skeleton, f"--{side}-skeleton", is_gt=side == "gt")
    return convert_needed(settled, wanted, ()).replace(path=poses.path)


def assume_skeleton(poses: PoseSet, side: str, protocol: Protocol) -> PoseSet:
    """A set that does not say its skeleton, as the protocol's; refused where joints or bones are not its own."""
    wanted = protocol.skeleton
    n_joints = poses.poses.shape[1]
    if n_joints == 25 and poses.path is not None:
        raise InputError(
            f"{poses.source} has 25 joints and does not say its skeleton; they may be BODY-25 or BODY_25B, in "
            f"another order each: say it with --{side}-skeleton body25, --{side}-skeleton body25b or another NAME"
        )
    if n_joints != len(wanted):
        raise InputError(
            f"{poses.source} has {n_joints} joints and does not say its skeleton; protocol {protocol.name} scores "
            f"{wanted.name} ({len(wanted)} joints): say it with --{side}-skeleton NAME"
        )
    note = f"skeleton of {poses.source} assumed: {wanted.name}"
    poses = poses.replace(skeleton=wanted, notes=(*poses.notes, note))
    poses = settle_unit(poses, wanted, f"--{side}-unit", is_gt=side == "gt")
    if poses.path is not None:
        refuse_inhuman(poses, wanted, f"--{side}-skeleton")
    return poses


def _frames(
    pred: PoseSet,
    gt: PoseSet,
    protocol: Protocol,
    selection: Selection | None,
    *,
    allow_missing: bool,
    allow_extra: bool,
) -> Frames:
    cells, names = _cells(gt)
    chosen = np.ones(len(gt), np.bool_) if selection is None else selection.rows(gt)
    if chosen.all():
        return Frames(None, match(pred, gt, allow_missing=allow_missing, allow_extra=allow_extra), cells, names)
    rows = np.flatnonzero(chosen)
    if not len(rows):
        raise InputError(
            f"{gt.source} has none of the frames that protocol {protocol.name} selects "
            f"({_described(selection)}); check its subject, action and frame keys"
        )
    present, within = np.unique(cells[rows], return_inverse=True)
    return Frames(
        rows,
        _match_selected(pred, gt, rows, allow_missing=allow_missing, allow_extra=allow_extra),
        within.astype(np.int64),
        [names[cell] for cell in present.tolist()],
    )


def _match_selected(
    pred: PoseSet, gt: PoseSet, rows: npt.NDArray[np.int64], *, allow_missing: bool, allow_extra: bool
) -> Match:
    """Predictions for some rows of the ground truth; they may be for all of it, or for those rows alone."""
    chosen = gt[rows]
    by_order = not set(pred.keys) & set(gt.keys)
    if len(pred) == len(chosen) or (by_order and len(pred) != len(gt)):
        return match(pred, chosen, allow_missing=allow_missing, allow_extra=allow_extra)
    found = match(pred, gt, allow_missing=True, allow_extra=allow_extra)
    of_all = np.arange(len(gt)) if found.pred_rows is None else found.pred_rows
    wanted = of_all[rows]
    missing = int(np.count_nonzero(wanted < 0))
    if missing and not allow_missing:
        match(pred[wanted[wanted >= 0]], chosen)  # says which is the first that lacks
    return Match(wanted, found.how, missing, found.extra)


def _described(selection: Selection | None) -> str:
    assert selection is not None
    parts = [] if selection.subjects is None else [f"subjects {', '.join(selection.subjects)}"]
    if selection.stride > 1:
        parts.append(f"every {selection.stride}th frame")
    if selection.skip:
        parts.append("without " + ", ".join(map(str, selection.skip)))
    return "; ".join(parts) or "all"


def _cells(gt: PoseSet) -> tuple[npt.NDArray[np.int64], list[Cell]]:
    """A cell number per pose, and the keys of each cell in the order of its first number."""
    columns: list[Any] = [getattr(gt, key) for key in TEXT_KEYS]
    codes = np.zeros(len(gt), np.int64)
    for column in columns:
        if column is not None:
            codes = codes * max(len(column.names), 1) + column.codes
            if codes.max(initial=0) > 1_000_000:  # keep the table below small
                codes = np.unique(codes, return_inverse=True)[1]
    present = np.flatnonzero(np.bincount(codes))
    table = np.zeros(int(codes.max()) + 1, np.int64)
    table[present] = np.arange(len(present))
    cells = table[codes]
    # Any pose of a cell tells its keys; the last written is one of them.
    witness = np.zeros(len(present), np.int64)
    witness[cells] = np.arange(len(gt))
    names = [
        tuple(None if column is None else column.names[column.codes[row]] for column in columns)
        for row in witness.tolist()
    ]
    return cells, names
