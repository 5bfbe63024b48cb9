"""Scoring sets that are too large for one piece: shard by shard, in processes, and resumed after a stop.

`score_shards` finds the shards of both sides (`shard_files`), has each scored by itself (`one_shard`, `leaf`), keeps
what came of it as a file (`state`) and adds the files up in the order of their names (`reduction`). A shard is what one
process holds at a time, here or on other machines (`shard_dask`); the process that adds up never holds poses.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import re
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posebench import __version__
from posebench.errors import InputError, UsageError
from posebench.io.atomic import remove_leftovers
from posebench.kernels.dispatch import threads
from posebench.metrics.registry import Metric
from posebench.protocols import Protocol
from posebench.report import Report
from posebench.scheduling import LOCAL, Scheduler, open_scheduler
from posebench.scoring.leaf import Task
from posebench.scoring.one_shard import Count, Outcome, Stopped, poses_in, score_files
from posebench.scoring.reduction import Reduction
from posebench.scoring.scorer import Scorer
from posebench.scoring.shard_dask import score_by_dask
from posebench.scoring.shard_files import Shard, Shards, find_shards, sums_of, would_be_shard
from posebench.scoring.state import VERSION, State, read_state, write_state
from posebench.skeletons import Skeleton, get_skeleton, register_skeleton, registered_skeletons
from posebench.workers import ONE_THREAD, environment, leave_with_parent, uninterrupted

if TYPE_CHECKING:
    from distributed import Client

    from posebench.banks import ClusterBank

#: Shards done, shards in all, poses done.
ShardProgress = Callable[[int, int, int], None]
Say = Callable[[str], None]

#: Seconds between two looks at how far the processes are.
_LOOK = 0.2
#: Hexadecimal digits in the name of a state; and what lies in a folder of states: these, a lock, what was half written.
_DIGITS = 32
_OWN = re.compile(rf"[0-9a-f]{{{_DIGITS}}}\.npz|\..*")
#: What the processes share: a number of poses, and whether to stop.
_SHARED: dict[str, Any] = {}


def score_shards(
    pred: str | Path,
    gt: str | Path,
    *,
    protocol: str | Path | Protocol = "standard",
    metrics: Sequence[str | Metric] | None = None,
    also: Sequence[str | Metric] = (),
    banks: Sequence[str | Path | ClusterBank] = (),
    allow_missing: bool = False,
    allow_extra: bool = False,
    explain: bool = False,
    pred_facts: Mapping[str, Any] | None = None,
    gt_facts: Mapping[str, Any] | None = None,
    jobs: int = 1,
    scheduler: str | Client | None = None,
    state: str | Path | None = None,
    progress: ShardProgress | None = None,
    say: Say | None = None,
) -> Report:
    """Score a set that lies in many files, one file at a time in each process: the report of the set in one piece.

    Parameters
    ----------
    pred, gt : str or path
        A folder or a glob of shards each, in any format that `read` knows. A shard of the predictions belongs to that
        of the ground truth with the same name, its suffix aside.
    protocol, metrics, also, banks, allow_missing, allow_extra, explain
        As in `score`.
    pred_facts, gt_facts : mapping, optional
        What `read` is told of every shard of a side: `skeleton`, `unit`, `reference`, `origin`, `fps`.
    jobs : int
        Processes; they share the cores. With more than one, a script needs ``if __name__ == "__main__":``, since each
        process imports it anew. The report is the same for any number, bit for bit.
    scheduler : str or distributed.Client, optional
        The address of a Dask scheduler whose workers score the shards instead, which all must see under the same path;
        or ``"local"``: Dask with `jobs` worker processes here. A worker that dies costs its shard's time, and nothing
        else. Needs ``pip install 'posebench-hpe[distributed]'``. The report is that of `jobs`, bit for bit.
    state : path, optional
        A folder in which what came of each shard is kept, so that the same call goes on after a stop. A shard is scored
        again if its files, the protocol, the metrics, the banks, an option or posebench's version are others.
    progress : callable, optional
        Called with shards done, shards in all, and poses done.
    say : callable, optional
        Called with sentences on what was found: shards that were done before, states that were damaged.

    Returns
    -------
    Report
        `inputs` has for each side the path as given, the number of shards, and the hash of a listing of their hashes
        as `sha256sum` prints it, in the order of the names.

    Raises
    ------
    InputError
        If shards lack their counterpart, do not belong together, or hold the same frame twice; if no scheduler answers,
        its workers have another version of posebench, or cannot read the shards; else as `score`.
    UsageError
        If the protocol or a metric is unknown, or a side is one file.
    MissingExtraError
        If there is a scheduler, and Dask is not installed.

    Examples
    --------
    >>> import tempfile
    >>> import posebench as pb
    >>> from posebench.resources import resource
    >>> folder = Path(tempfile.mkdtemp())
    >>> for side, name in (("pred", "pred_cam01_cam02.npz"), ("gt", "gt.npz")):
    ...     whole = pb.read(resource("examples", "pose2sim") / name)
    ...     (folder / side).mkdir()
    ...     for part in range(4):
    ...         pb.write(whole[slice(25 * part, 25 * part + 25)], folder / side / f"{part}.npz")
    >>> report = score_shards(folder / "pred", folder / "gt", metrics=["MPJPE"])
    >>> round(report.metrics["MPJPE"].value, 2), report.coverage.gt_frames, report.inputs["gt"]["shards"]
    (34.76, 100, 4)
    """
    if jobs < 1:
        raise UsageError(f"jobs is {jobs}, expected a number of processes from 1")
    if scheduler not in (None, LOCAL) and jobs > 1:
        raise UsageError("jobs are processes on this machine, and the workers of a scheduler are as many as it has")
    say = say or (lambda sentence: None)
    found = find_shards(pred, gt)
    for remark in found.remarks:
        say(remark)
    scorer = Scorer(protocol, metrics=metrics, also=also, banks=banks, allow_missing=allow_missing, explain=explain)
    given = {"pred": pred_facts or {}, "gt": gt_facts or {}}
    stated = {side: {name: v for name, v in facts.items() if v is not None} for side, facts in given.items()}
    task = Task(scorer, stated, allow_extra)
    with ExitStack() as open_things:
        folder = open_things.enter_context(_folder(state, found))
        job = Job(task, _binding(task), folder, found)
        hashes = _Hashes(found)
        reduction = Reduction(scorer, found)
        workers = min(jobs, len(found.shards))
        farm = None if scheduler is None else open_things.enter_context(open_scheduler(scheduler, workers, say))
        outcomes = open_things.enter_context(_outcomes(job, workers, farm, progress))
        _add_up(job, reduction, outcomes, hashes, say)
        report = reduction.report()
    if reduction.unnamed:
        say(
            f"{reduction.unnamed} shards do not name each of their frames by keys: whether another shard holds the "
            "same frame was not looked at"
        )
    report.inputs = hashes.inputs()
    return report


@dataclass(frozen=True)
class Job:
    """What a process is told once: the task, what states are bound to, and where they lie."""

    task: Task
    binding: dict[str, Any]
    folder: Path
    found: Shards

    def place(self, shard: Shard) -> Path:
        """The file of a shard's state: one for each shard, protocol, metrics and options."""
        named = json.dumps({**self.binding, "shard": shard.name}, sort_keys=True)
        return self.folder / f"{hashlib.sha256(named.encode()).hexdigest()[:_DIGITS]}.npz"

    def bound(self, shard: Shard, pred: str, gt: str) -> dict[str, Any]:
        """What the state of a shard must say that it is bound to."""
        return {**self.binding, "shard": shard.name, "pred": pred, "gt": gt}

    def keep(self, outcome: Outcome, state: State) -> None:
        """Write the state of a shard that was scored."""
        shard = self.found.shards[outcome.number]
        state.record["binding"] = self.bound(shard, outcome.pred, outcome.gt)
        write_state(self.place(shard), state)


Outcomes = Generator[Outcome, None, None]


def score_one(job: Job, number: int, count: Count) -> Outcome:
    """Score a shard and write its state, unless that is there already; `count` is told of poses, and may stop it."""
    shard = job.found.shards[number]
    place = job.place(shard)
    damage = None

    def kept(pred: str, gt: str) -> int | None:
        nonlocal damage
        if not place.exists():
            return None
        try:
            record = read_state(place).record
        except InputError as error:
            damage = str(error)
            return None
        return poses_in(record) if record["binding"] == job.bound(shard, pred, gt) else None

    outcome, state = score_files(job.task, number, shard, count, kept)
    if state is not None:
        try:
            job.keep(outcome, state)
        except InputError as error:
            return Outcome(number, error=(str(error), False))
    return replace(outcome, damage=damage)


def _binding(task: Task) -> dict[str, Any]:
    """Everything beside the files that a state depends on, as plain data."""
    scorer = task.scorer

    def plain(name: str, value: Any) -> Any:
        if name != "skeleton" or value is None:
            return value
        skeleton = get_skeleton(value)
        return [skeleton.name, list(skeleton.joints), list(skeleton.parents), skeleton.root]

    return {
        "version": VERSION,
        "posebench": __version__,
        "protocol": scorer.protocol.sha256,
        "metrics": [metric.key for metric in scorer.metrics],
        "chosen": sorted(scorer._chosen),
        "banks": scorer._bindings.hashes(scorer.metrics),
        "stated": {side: {name: plain(name, v) for name, v in facts.items()} for side, facts in task.stated.items()},
        "options": {
            "allow_missing": scorer.allow_missing,
            "allow_extra": task.allow_extra,
            "explain": scorer.explain,
        },
    }


class _Hashes:
    """The hashes of all shards."""

    def __init__(self, found: Shards) -> None:
        self._found = found
        self._of: dict[str, list[str]] = {"pred": [], "gt": []}

    def add(self, outcome: Outcome) -> None:
        self._of["pred"].append(outcome.pred)
        self._of["gt"].append(outcome.gt)

    def inputs(self) -> dict[str, dict[str, Any]]:
        inputs = {}
        for side, hashes in self._of.items():
            given = getattr(self._found, side)
            files = [getattr(shard, side) for shard in self._found.shards]
            listing = sums_of(zip(files, hashes, strict=True), given)
            inputs[side] = {"path": given, "sha256": listing, "shards": len(files)}
        return inputs


def _add_up(job: Job, reduction: Reduction, outcomes: Iterator[Outcome], hashes: _Hashes, say: Say) -> None:
    """Add every shard as soon as all before it are there, whatever the order in which they come."""
    ready: dict[int, Outcome] = {}
    shards, kept, at = job.found.shards, 0, 0
    try:
        for outcome in outcomes:
            ready[outcome.number] = outcome
            kept += outcome.kept
            if outcome.damage is not None:
                say(f"{shards[outcome.number].name} is scored again: {outcome.damage}")
            while at in ready:
                done = ready.pop(at)
                place = job.place(shards[at])
                state = read_state(place)
                if state.record.pop("binding") != job.bound(shards[at], done.pred, done.gt):
                    raise InputError(f"{place}: was changed while shards were added up; another run has its folder")
                reduction.add(shards[at], state, done.gt)
                hashes.add(done)
                at += 1
    finally:
        if kept:
            say(f"{kept} of {len(shards)} shards were done before")


@contextmanager
def _outcomes(
    job: Job, jobs: int, farm: Scheduler | None, progress: ShardProgress | None
) -> Iterator[Iterator[Outcome]]:
    """What comes of the shards, in any order; processes end with the block."""
    if farm is not None:
        found = _on_machines(job, farm, progress)
    elif jobs == 1:
        found = _in_this_process(job, progress)
    else:
        found = _in_processes(job, jobs, progress)
    try:
        yield found
    finally:
        found.close()


def _in_this_process(job: Job, progress: ShardProgress | None) -> Outcomes:
    total = len(job.found.shards)
    poses = 0
    for number in range(total):

        def count(more: int, number: int = number) -> None:
            nonlocal poses
            poses += more
            if progress is not None:
                progress(number, total, poses)

        outcome = score_one(job, number, count)
        _raise_errors([outcome])
        if progress is not None:
            progress(number + 1, total, poses)
        yield outcome


def _in_processes(job: Job, jobs: int, progress: ShardProgress | None) -> Outcomes:
    context = multiprocessing.get_context("spawn")
    poses, stop = context.Value("q", 0), context.Event()
    each = max(1, threads() // jobs)
    total, finished = len(job.found.shards), 0
    given = (job, poses, stop, registered_skeletons())
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start, initargs=given)
    try:
        with environment({**ONE_THREAD, "POSEBENCH_THREADS": str(each)}), uninterrupted():
            running = {pool.submit(_score_in_process, number) for number in range(total)}
        while running:
            done, running = wait(running, timeout=_LOOK, return_when=FIRST_COMPLETED)
            outcomes = sorted((future.result() for future in done), key=lambda outcome: outcome.number)
            _raise_errors(outcomes)
            finished += len(outcomes)
            if progress is not None:
                progress(finished, total, poses.value)
            yield from outcomes
    except BrokenProcessPool:
        raise InputError(
            f"{job.found.pred}: a process that scored shards was ended from outside, perhaps for want of memory; "
            "score with fewer --jobs, or smaller shards; with --state, what is finished is kept"
        ) from None
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _on_machines(job: Job, farm: Scheduler, progress: ShardProgress | None) -> Outcomes:
    total, poses = len(job.found.shards), 0
    results = score_by_dask(farm, job.task, job.found.shards, job.place, job.bound)
    try:
        for done, (outcome, state) in enumerate(results, 1):
            _raise_errors([outcome])
            if state is not None:
                job.keep(outcome, state)
            poses += outcome.poses
            if progress is not None:
                progress(done, total, poses)
            yield outcome
    finally:
        results.close()


def _raise_errors(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.error is not None:
            sentence, usage = outcome.error
            raise UsageError(sentence) if usage else InputError(sentence)


def _start(job: Job, poses: Any, stop: Any, skeletons: Sequence[Skeleton]) -> None:
    """What each process does first."""
    leave_with_parent()
    for skeleton in skeletons:
        register_skeleton(skeleton)
    _SHARED.update(job=job, poses=poses, stop=stop)


def _score_in_process(number: int) -> Outcome:
    poses, stop = _SHARED["poses"], _SHARED["stop"]

    def count(more: int) -> None:
        if stop.is_set():
            raise Stopped
        with poses.get_lock():
            poses.value += more

    return score_one(_SHARED["job"], number, count)


# The folder of states


@contextmanager
def _folder(state: str | Path | None, found: Shards) -> Iterator[Path]:
    """Where states lie: the folder that was named, held against other runs, or one that goes with the block."""
    if state is None:
        with tempfile.TemporaryDirectory(prefix="posebench-") as folder:
            yield Path(folder)
        return
    place = Path(state)
    for side in (found.pred, found.gt):
        if would_be_shard(place / f"{'0' * _DIGITS}.npz", side):
            raise UsageError(f"{place}: lies in {side}, where its files would be taken for shards; name another folder")
    try:
        place.mkdir(parents=True, exist_ok=True)
        other = next((name for name in sorted(os.listdir(place)) if not _OWN.fullmatch(name)), None)
        if other is not None:
            raise UsageError(f"{place}: holds {other}, which is no state; name a folder of its own for states")
        handle = (place / ".lock").open("ab")
    except FileExistsError:
        raise InputError(f"{place}: is a file; name a folder for states") from None
    except OSError as error:
        raise InputError(f"{place}: cannot be written: {error.strerror or error}") from None
    with handle:
        _hold(handle.fileno(), place)
        remove_leftovers(place)
        yield place


def _hold(descriptor: int, place: Path) -> None:
    """Hold a folder for this run; where the system cannot, do without."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"{place}: another run is using it; wait for it, or name another folder") from None
    except OSError:
        return


__all__ = ["Job", "Outcome", "ShardProgress", "score_one", "score_shards"]
