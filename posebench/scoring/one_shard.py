"""One shard out of its two files: hashed, scored unless that was done before, and looked at again for changes.

Where it runs (this process, another, or a worker of Dask) is the business of `shards` and `shard_dask`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from posebench.errors import InputError, PosebenchError, UsageError
from posebench.io.hashing import sha256_of, stamp_of
from posebench.scoring.leaf import Task, score_leaf
from posebench.scoring.shard_files import Shard
from posebench.scoring.state import State

#: Told of poses that were scored; may raise `Stopped`.
Count = Callable[[int], None]


@dataclass(frozen=True)
class Outcome:
    """What came of a shard: hashes of its files, or why there is nothing."""

    number: int
    pred: str = ""
    gt: str = ""
    poses: int = 0
    #: Whether it was done before.
    kept: bool = False
    #: What was wrong with a state that was there.
    damage: str | None = None
    #: A sentence, and whether it is of a bad call; None where all is well.
    error: tuple[str, bool] | None = None
    stopped: bool = False


class Stopped(Exception):  # noqa: N818
    """Another shard failed, or Ctrl-C was pressed."""


def score_files(
    task: Task, number: int, shard: Shard, count: Count, kept: Callable[[str, str], int | None]
) -> tuple[Outcome, State | None]:
    """Score a shard, unless `kept`, which gets the hashes of its files, knows the number of its poses already."""
    try:
        before = [stamp_of(path) for path in (shard.pred, shard.gt)]
        pred, gt = sha256_of(shard.pred), sha256_of(shard.gt)
        poses = kept(pred, gt)
        if poses is not None:
            count(poses)
            return Outcome(number, pred, gt, poses, kept=True), None
        count(0)
        state = score_leaf(task, shard, count)
        for path, fingerprint in zip((shard.pred, shard.gt), before, strict=True):
            if stamp_of(path) != fingerprint:
                raise InputError(f"{path}: was changed while it was read; score again")
        return Outcome(number, pred, gt, poses_in(state.record)), state
    except Stopped:
        return Outcome(number, stopped=True), None
    except PosebenchError as error:
        return Outcome(number, error=(str(error), isinstance(error, UsageError))), None


def poses_in(record: Mapping[str, Any]) -> int:
    """Poses of the ground truth that a state has seen."""
    return 0 if record["shard"]["empty"] else int(record["counts"]["gt_frames"])


__all__ = ["Count", "Outcome", "Stopped", "poses_in", "score_files"]
