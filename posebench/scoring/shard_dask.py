"""Shards scored by the workers of a Dask scheduler: files are read there, states come back and are written here.

So the folder of states need be seen by the command alone, while shards must lie where every worker sees them, under the
same path. Which states are there already is looked up here; a worker then only hashes the files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from posebench.errors import InputError
from posebench.scheduling import Scheduler, see_files
from posebench.scoring.leaf import Task
from posebench.scoring.one_shard import Outcome, poses_in, score_files
from posebench.scoring.shard_files import Shard
from posebench.scoring.state import State, read_state


@dataclass(frozen=True)
class Order:
    """A shard to be scored: `known` are the hashes of the files that its state is there for, and its poses."""

    number: int
    shard: Shard
    known: tuple[str, str, int] | None = None


def score_by_dask(
    scheduler: Scheduler,
    task: Task,
    shards: tuple[Shard, ...],
    place: Callable[[Shard], Path],
    bound: Callable[[Shard, str, str], dict[str, object]],
) -> Generator[tuple[Outcome, State | None], None, None]:
    """What comes of the shards, in any order, with the states of those that were scored now.

    `place` is the file of a shard's state, `bound` what it must say that it is bound to, given two hashes.
    """
    damaged: dict[int, str] = {}

    def orders() -> Iterator[Order]:
        for number, shard in enumerate(shards):
            known = None
            if place(shard).exists():
                try:
                    record = read_state(place(shard)).record
                except InputError as error:
                    damaged[number] = str(error)
                else:
                    pred, gt = (str(record["binding"].get(side)) for side in ("pred", "gt"))
                    if record["binding"] == bound(shard, pred, gt):
                        known = pred, gt, poses_in(record)
            yield Order(number, _anywhere(shard), known)

    for outcome, state in scheduler.finished(_score_order, task, orders()):
        yield replace(outcome, damage=damaged.pop(outcome.number, None)), state


def _anywhere(shard: Shard) -> Shard:
    """The shard by paths that mean the same in another working folder."""
    return Shard(shard.name, Path(os.path.abspath(shard.pred)), Path(os.path.abspath(shard.gt)))


def _score_order(task: Task, order: Order) -> tuple[Outcome, State | None]:
    """What a worker does."""
    see_files(order.shard.pred, order.shard.gt)

    def kept(pred: str, gt: str) -> int | None:
        return order.known[2] if order.known is not None and order.known[:2] == (pred, gt) else None

    return score_files(task, order.number, order.shard, lambda more: None, kept)


__all__ = ["score_by_dask"]
