"""Leaves put together: the report of a set from the states of its shards, added up in the order of their names.

Sums are added in a fixed tree (neighbours first), so that the numbers do not depend on which shard was scored when, or
by whom. What only the whole set can judge is judged here: that all shards speak of the same thing, that no frame stands
in two of them, that a sequence which crosses shards may do so.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.metrics.fields import Setup
from posebench.poses import TEXT_KEYS
from posebench.report import Report
from posebench.scoring.leaf import FACTS, GT, PRED
from posebench.scoring.scorer import Scorer
from posebench.scoring.shard_files import Shard, Shards
from posebench.scoring.sides import Cell, absent_note, extra_note
from posebench.scoring.state import State, unpack


class Reduction:
    """Adds up the states of shards, which come in the order of their names.

    Memory: one scorer for each level of the tree, and the runs of frames of all shards.
    """

    def __init__(self, scorer: Scorer, shards: Shards) -> None:
        self._empty = scorer
        self._shards = shards
        #: Scorers that wait for a neighbour of their size: (level, scorer).
        self._waiting: list[tuple[int, Scorer]] = []
        self._setups: dict[tuple[str, ...], Setup] = {}
        #: The first shard that has poses to score, and what its files say.
        self._first: tuple[Shard, dict[str, Any]] | None = None
        self._ground_truths: dict[str, Shard] = {}
        self._notes, self._explained = _Notes(shards), _Notes(shards)
        self._frames = _Frames()
        self._clips: dict[str, dict[str, None]] = {"absent": {}, "found": {}}
        self._extra = 0
        self._offered = 0

    def add(self, shard: Shard, state: State, gt_sha256: str) -> None:
        """Add the next shard; `gt_sha256` is the hash of its ground truth.

        Raises
        ------
        InputError
            If it does not go with those before; both are named.
        """
        twin = self._ground_truths.setdefault(gt_sha256, shard)
        if twin is not shard:
            raise InputError(
                f"{twin.gt} and {shard.gt} are the same ground truth, byte for byte, so its frames would count twice; "
                "keep one of them"
            )
        record = state.record["shard"]
        for kind, clips in record["clips"].items():
            self._clips[kind].update(dict.fromkeys(clips))
        if record["empty"]:
            self._offered += record["offered"]
            return
        self._refuse_unlike(shard, record["facts"])
        runs = state.arrays.pop("runs", None)
        scorer = unpack(state, self._empty, self._setups)
        self._notes.add(shard, scorer._notes)
        scorer._notes = []
        if scorer._explained is not None:
            self._explained.add(shard, scorer._explained.notes)
            scorer._explained.notes = []
        self._extra += record["extra"]
        self._frames.numbered = "frame" in record["facts"]["gt"]["keys"]
        self._frames.add(shard, list(scorer._cells), runs, record["step"])
        self._push(scorer)

    def _push(self, scorer: Scorer) -> None:
        level = 0
        while self._waiting and self._waiting[-1][0] == level:
            scorer, level = self._joined(self._waiting.pop()[1], scorer), level + 1
        self._waiting.append((level, scorer))

    def _joined(self, left: Scorer, right: Scorer) -> Scorer:
        try:
            left.merge(right)
        except InputError:
            self._frames.refuse_repeats()  # says which shards they are in
            raise
        return left

    def report(self) -> Report:
        """The report of all shards that were added.

        Raises
        ------
        InputError
            If a frame stands in two shards, a sequence crosses shards under a selection of every so many frames, a
            motion metric meets a gap, or there is nothing to score.
        """
        protocol = self._empty.protocol
        if not self._waiting:
            raise InputError(
                f"no shard of {self._shards.gt} has any of the frames that protocol {protocol.name} selects; check "
                "its subject, action and frame keys"
            )
        self._frames.refuse_repeats()
        total = self._waiting.pop()[1]
        while self._waiting:
            total = self._joined(self._waiting.pop()[1], total)
        if protocol.selection is not None and total._applied and protocol.selection.stride > 1:
            self._frames.refuse_crossing(
                f"protocol {protocol.name} takes every {protocol.selection.stride}th frame of a sequence"
            )
        total._offered += self._offered
        total._notes = self._notes.told()
        absent = tuple(clip for clip in self._clips["absent"] if clip not in self._clips["found"])
        if absent:
            total._notes.append(absent_note(protocol, absent, self._shards.gt))
        if self._extra:
            total._notes.append(extra_note(self._extra))
        if total._explained is not None:
            total._explained.notes = self._explained.told()
        return total.report()

    @property
    def unnamed(self) -> int:
        """How many shards do not name their frames, so that nobody can tell whether another shard has them too."""
        return self._frames.unnamed

    def _refuse_unlike(self, shard: Shard, facts: dict[str, Any]) -> None:
        if self._first is None:
            self._first = shard, facts
            return
        first, theirs = self._first
        for side in ("pred", "gt"):
            for fact in FACTS:
                if facts[side][fact] != theirs[side][fact]:
                    raise InputError(
                        f"{getattr(shard, side)} has the {fact} {_shown(facts[side][fact])} and {getattr(first, side)} "
                        f"{_shown(theirs[side][fact])}, but shards are one set; make them alike (posebench convert), "
                        f"or state what is not said with --{side}-..."
                    )
        if facts["gt_root_taken_off"] != theirs["gt_root_taken_off"]:
            here, there = (shard, first) if facts["gt_root_taken_off"] else (first, shard)
            raise InputError(
                f"{here.pred} holds absolute coordinates and {there.pred} holds coordinates relative to the root, but "
                "shards are one set; say which with --pred-origin"
            )


class _Notes:
    """Notes of shards, each once: of the whole where all shards have it, else of the first and a number."""

    def __init__(self, shards: Shards) -> None:
        self._whole = shards
        self._shards = 0
        #: By the note without its numbers: the note, the first shard that has it, and how many have one like it.
        self._found: dict[str, tuple[str, Shard, int]] = {}

    def add(self, shard: Shard, notes: list[str]) -> None:
        self._shards += 1
        for note in notes:
            like = re.sub(r"\d+(\.\d+)?", "#", note)
            first, where, count = self._found.get(like, (note, shard, 0))
            # Numbers that differ from shard to shard belong to the shard.
            alike = first == note and count >= 0
            self._found[like] = first, where, count + 1 if alike else -abs(count) - 1

    def told(self) -> list[str]:
        notes = []
        for note, shard, count in self._found.values():
            if count == self._shards:
                notes.append(note.replace(PRED, self._whole.pred).replace(GT, self._whole.gt))
            else:
                more = abs(count) - 1
                so = f" (likewise {more} more shard{'s' if more > 1 else ''})" if more else ""
                notes.append(_named(note, shard) + so)
        return notes


class _Frames:
    """Which frames each shard names, as runs: (cell, first, last, step, shard)."""

    def __init__(self) -> None:
        self._cells: dict[Cell, int] = {}
        self._shards: list[Shard] = []
        self._runs: list[npt.NDArray[np.int64]] = []
        #: (cell, shard) of every shard.
        self._places: list[npt.NDArray[np.int64]] = []
        self.unnamed = 0
        #: Whether the ground truth numbers its frames.
        self.numbered = True

    def add(self, shard: Shard, cells: list[Cell], runs: npt.NDArray[np.int64] | None, step: int) -> None:
        number = len(self._shards)
        self._shards.append(shard)
        place = np.array([self._cells.setdefault(cell, len(self._cells)) for cell in cells], np.int64)
        self._places.append(np.stack([place, np.full_like(place, number)], axis=1))
        if runs is None:
            self.unnamed += 1
            return
        table = np.empty((len(runs), 5), np.int64)
        table[:, 0], table[:, 1:3], table[:, 3], table[:, 4] = place[runs[:, 0]], runs[:, 1:], step, number
        self._runs.append(table)

    def refuse_repeats(self) -> None:
        """Raise if a frame stands in two shards."""
        if not self._runs:
            return
        runs = np.concatenate(self._runs)
        self._runs = [runs]
        order = np.lexsort((runs[:, 2], runs[:, 1], runs[:, 0]))
        runs = runs[order]
        # Runs of a cell that do not touch their neighbours touch no other.
        touching = (runs[1:, 0] == runs[:-1, 0]) & (runs[1:, 1] <= runs[:-1, 2])
        for cell in np.unique(runs[1:, 0][touching]).tolist():
            of_cell = runs[runs[:, 0] == cell]
            frames = np.concatenate([np.arange(first, last + 1, step) for _, first, last, step, _ in of_cell.tolist()])
            lengths = (of_cell[:, 2] - of_cell[:, 1]) // of_cell[:, 3] + 1
            shards = np.repeat(of_cell[:, 4], lengths)
            sorting = np.lexsort((shards, frames))
            frames, shards = frames[sorting], shards[sorting]
            twice = np.flatnonzero(frames[1:] == frames[:-1])
            if len(twice):
                one, other = (self._shards[shards[twice[0] + offset]] for offset in (0, 1))
                more = f", and {len(twice) - 1} more frames of it" if len(twice) > 1 else ""
                where = f"{self._keys(cell)}frame {frames[twice[0]]}" if self.numbered else self._keys(cell)[:-2]
                raise InputError(
                    f"{one.gt} and {other.gt} both hold {where}{more}: each frame "
                    "may stand in one shard only; take it out of one, or add the key that tells the two apart"
                )

    def refuse_crossing(self, why: str) -> None:
        """Raise if a sequence stands in two shards."""
        places = np.concatenate(self._places)
        places = places[np.argsort(places[:, 0], kind="stable")]
        twice = np.flatnonzero(places[1:, 0] == places[:-1, 0])
        if len(twice):
            one, other = (self._shards[places[twice[0] + offset, 1]] for offset in (0, 1))
            what = self._keys(int(places[twice[0], 0])).rstrip(", ") or "one sequence without a name"
            raise InputError(
                f"{what} stands in {one.gt} and in {other.gt}, but {why}, and a shard does not know where that falls; "
                "keep each sequence in one shard, or score the set in one piece"
            )

    def _keys(self, cell: int) -> str:
        keys = next(keys for keys, number in self._cells.items() if number == cell)
        return "".join(f"{name}={key}, " for name, key in zip(TEXT_KEYS, keys, strict=True) if key is not None)


def _named(note: str, shard: Shard) -> str:
    return note.replace(PRED, str(shard.pred)).replace(GT, str(shard.gt))


def _shown(fact: Any) -> str:
    if isinstance(fact, list):
        return f"({', '.join(map(str, fact)) or 'none'})"
    return "unknown" if fact is None else str(fact)


__all__ = ["Reduction"]
