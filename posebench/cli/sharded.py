"""`posebench score` on folders and globs: what is refused there, and what a person sees while shards are scored."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posebench.errors import UsageError

if TYPE_CHECKING:
    from posebench.protocols import Protocol
    from posebench.report import Report


def refuse_with_shards(pred: Path, gt: Path, outputs: Sequence[Path], *, protocol: str, frames: bool | None) -> None:
    """Raise where an option asks for what is not kept of shards, or a result would become one."""
    if protocol == "all":
        raise UsageError("--protocol all takes files; score shards under one protocol at a time")
    if frames:
        raise UsageError(
            "--frames takes files: the values per frame of shards would be as large as the set; score the shards that "
            "are of interest one by one"
        )
    from posebench.scoring.shard_files import find_shards, would_be_shard

    shards = find_shards(pred, gt).shards if outputs else ()
    inputs = {os.path.realpath(file) for shard in shards for file in (shard.pred, shard.gt)}
    for path in outputs:
        if os.path.realpath(path) in inputs:
            raise UsageError(f"{path}: cannot be written: it is one of the shards")
        for side in (pred, gt):
            if would_be_shard(path, side):
                raise UsageError(f"{path}: lies in {side}, where it would be taken for a shard; write it elsewhere")


def refuse_without_shards(jobs: int | None, scheduler: str | None, state: Path | None) -> None:
    """Raise where an option is of shards and there are none."""
    for name, value in (("--jobs", jobs), ("--scheduler", scheduler), ("--state", state)):
        if value is not None:
            raise UsageError(f"{name} is for shards: give --pred and --gt as folders or globs")


def processes_of(jobs: int | None, scheduler: str | None) -> int:
    """How many processes are started here: as many as asked for, or as cores; one beside a scheduler's workers.

    Raises
    ------
    UsageError
        If processes are asked for here, and the work is a scheduler's.
    """
    from posebench.kernels.dispatch import threads
    from posebench.scheduling import LOCAL

    if scheduler not in (None, LOCAL):
        if jobs is not None:
            raise UsageError("--jobs is for processes on this machine; a scheduler has the workers that joined it")
        return 1
    return threads() if jobs is None else jobs


def score_shards_shown(
    pred: Path,
    gt: Path,
    groups: Sequence[str],
    clusters: Sequence[str],
    chosen: Protocol,
    stated: Mapping[str, Mapping[str, Any]],
    *,
    jobs: int | None,
    scheduler: str | None,
    state: Path | None,
    **options: Any,
) -> Report:
    """Score shards with a bar on stderr, and sentences on what was found."""
    from posebench.cli.progress import announce_compilation, step_bar
    from posebench.io import read
    from posebench.scoring.scorer import available_groups
    from posebench.scoring.shard_files import find_shards
    from posebench.scoring.shards import score_shards

    workers = processes_of(jobs, scheduler)
    # Before hours are spent: groups are those of the first shard's keys, and all must have the same.
    first = find_shards(pred, gt).shards[0].gt
    keys = tuple(read(first, **stated["gt"]).keys)
    refuse_groups(groups, (*available_groups(chosen, keys), *clusters), first)
    announce_compilation()
    try:
        with step_bar("scoring") as bar:

            def progress(done: int, total: int, poses: int) -> None:
                if bar is not None:
                    bar(done, total, f"{done} of {total} shards, {poses:,} poses")

            return score_shards(
                pred,
                gt,
                protocol=chosen,
                pred_facts=stated["pred"],
                gt_facts=stated["gt"],
                jobs=workers,
                scheduler=scheduler,
                state=state,
                progress=progress,
                say=say,
                **options,
            )
    except KeyboardInterrupt:
        kept = f"what is finished is kept in {state}; the same command goes on" if state else "nothing is kept: --state"
        say(f"stopped; {kept}")
        raise


def refuse_groups(groups: Sequence[str], available: Sequence[str], gt: Path) -> None:
    """Raise if a report cannot be grouped as asked."""
    for group in groups:
        if group not in available:
            raise UsageError(f"cannot group by {group!r}: {gt} has {', '.join(available)}")


def say(sentence: str) -> None:
    """Print a sentence on stderr."""
    # File names may hold bytes that are no text.
    print(f"posebench: {sentence.encode('utf-8', 'backslashreplace').decode()}", file=sys.stderr)
