"""One shard scored: the state of a scorer that has seen it alone, with what is needed to put shards together again.

Beside the sums a leaf holds what only the whole set can judge: what the files say of their poses, which frames they
name, which sequences of the protocol's selection they have. Notes name the files by a place-holder, so that a note of
every shard becomes one of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.poses import PoseSet
from posebench.protocols.selection import same_subject
from posebench.scoring.scorer import Prepared, Scorer, run
from posebench.scoring.shard_files import Shard
from posebench.scoring.sides import Pair, Sides, extra_note
from posebench.scoring.state import State, blank, pack

#: What stands for the files of a shard in its notes.
PRED, GT = "\x00pred\x00", "\x00gt\x00"
#: What all shards of a side must say alike.
FACTS = ("skeleton", "unit", "reference", "origin", "fps", "dataset", "keys")


@dataclass(frozen=True)
class Task:
    """What is done with every shard of a set."""

    scorer: Scorer
    #: What `read` is told of the files of each side.
    stated: Mapping[str, Mapping[str, Any]]
    allow_extra: bool


def score_leaf(task: Task, shard: Shard, progress: Callable[[int], None] | None = None) -> State:
    """Score one shard as if there were no others.

    Raises
    ------
    InputError
        As `score`.
    """
    from posebench.io import read

    pred, gt = read(shard.pred, **task.stated["pred"]), read(shard.gt, **task.stated["gt"])
    scorer = blank(task.scorer)
    selection = scorer.protocol.selection
    if selection is not None and selection.obstacle(gt) is None and not selection.rows(gt).any():
        return State({"shard": {"empty": True, "offered": len(gt), "clips": _clips(scorer, gt)}}, {})
    # A sequence that crosses shards under a selection of every so many frames is refused where shards are added up.
    sides = Sides(pred, gt, allow_missing=scorer.allow_missing, allow_extra=task.allow_extra, whole=True)
    prepared = scorer.prepare(sides)
    if scorer.explain:
        prepared.explain(whole=False)
    run([prepared], progress)
    prepared.commit()
    pair = prepared.pair
    scorer._notes = _anonymous(_own_notes(scorer, prepared), pred, gt)
    if scorer._explained is not None:
        scorer._explained.notes[:] = _anonymous(scorer._explained.notes, pred, gt)
    state = pack(scorer)
    runs, step = key_runs(pair)
    facts = {"pred": _facts(pred, pair.pred), "gt": _facts(gt, pair.gt)}
    state.record["shard"] = {
        "empty": False,
        "facts": {**facts, "gt_root_taken_off": prepared.minus_gt_root},
        "extra": pair.frames.found.extra,
        "clips": _clips(scorer, gt),
        "step": step,
    }
    if runs is not None:
        state.arrays["runs"] = runs
    return state


def key_runs(pair: Pair) -> tuple[npt.NDArray[np.int64] | None, int]:
    """Which frames a shard names: rows (cell, first, last) with every `step`-th frame from first to last, and the step.

    None where keys do not name each frame once, so that nobody can tell whether another shard has it too.
    """
    cells, gt, found = pair.frames.cells, pair.gt, pair.frames.found
    if gt.frame is None:
        if not found.how.startswith("by ") or "order" in found.how or len(np.unique(cells)) < len(cells):
            return None, 1
        return np.stack([cells, np.zeros_like(cells), np.zeros_like(cells)], axis=1), 1
    numbers = gt.frame if pair.frames.gt_rows is None else gt.frame[pair.frames.gt_rows]
    order = np.lexsort((numbers, cells))
    cells, numbers = cells[order], numbers[order]
    same, steps = np.diff(cells) == 0, np.diff(numbers)
    if (steps[same] == 0).any():
        return None, 1
    values, counts = np.unique(steps[same], return_counts=True)
    step = int(values[counts.argmax()]) if len(values) else 1
    broken = np.flatnonzero(~(same & (steps == step)))
    starts, ends = np.concatenate(([0], broken + 1)), np.concatenate((broken, [len(cells) - 1]))
    return np.stack([cells[starts], numbers[starts], numbers[ends]], axis=1), step


def _facts(given: PoseSet, settled: PoseSet) -> dict[str, Any]:
    """What a side says, its unit as it was taken."""
    skeleton = None if given.skeleton is None else given.skeleton.name
    facts = (skeleton, settled.unit, given.reference, given.origin, given.fps, given.dataset, list(given.keys))
    return dict(zip(FACTS, facts, strict=True))


def _clips(scorer: Scorer, gt: PoseSet) -> dict[str, list[str]]:
    """Sequences that the protocol leaves out: those that this ground truth has, and those that it has not by name."""
    selection = scorer.protocol.selection
    if selection is None or gt.subject is None or selection.obstacle(gt) is not None:
        return {"absent": [], "found": []}
    absent = list(selection.not_found(gt))
    held = [name for at, name in enumerate(gt.subject.names) if (gt.subject.codes == at).any()]
    there = [str(clip) for clip in selection.skip if any(same_subject(name, clip.subject) for name in held)]
    return {"absent": absent, "found": [clip for clip in there if clip not in absent]}


def _own_notes(scorer: Scorer, prepared: Prepared) -> list[str]:
    """The notes of a shard without those that the whole set says in its own words."""
    extra = prepared.pair.frames.found.extra
    said = {*prepared.pair.notes, *([extra_note(extra)] if extra else [])}
    return [note for note in scorer._notes if note not in said]


def _anonymous(notes: Sequence[str], pred: PoseSet, gt: PoseSet) -> list[str]:
    """Notes with place-holders for the files; the longer name first, as it may hold the shorter one."""
    names = sorted(((pred.source, PRED), (gt.source, GT)), key=lambda pair: -len(pair[0]))
    found = []
    for note in notes:
        for name, place in names:
            note = note.replace(name, place)
        found.append(note)
    return found


__all__ = ["FACTS", "GT", "PRED", "Task", "key_runs", "score_leaf"]
