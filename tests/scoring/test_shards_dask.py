"""Shards scored by workers of Dask have the report of this process, bit for bit; what cannot work is a sentence."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import posebench as pb
from posebench import scheduling
from posebench.scoring import one_shard
from tests.scoring.plain import pair, poseset
from tests.scoring.test_shards import ALL, SPLITS, N, assert_same_report, plain_report, sharded, whole_set

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("default")  # those of Dask and of what it stands on


@pytest.fixture(scope="module")
def client():
    """Two workers that are threads of this process."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0", memory_limit=0
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as found,
    ):
        yield found


def test_workers_change_nothing_not_even_the_last_bit(tmp_path, client) -> None:
    pred, gt = whole_set()
    folders = sharded(tmp_path, pred, gt, SPLITS["cut sequences"], (".parquet", ".npz"))
    alone = pb.score_shards(*folders, metrics=ALL, explain=True)
    seen = []
    far = pb.score_shards(
        *folders, metrics=ALL, explain=True, scheduler=client, progress=lambda *done: seen.append(done)
    )
    assert plain_report(far) == plain_report(alone)
    assert seen[-1] == (8, 8, N)
    assert_same_report(far, pb.score(pred, gt, metrics=ALL))


def test_paths_are_those_of_the_command(tmp_path, client, monkeypatch) -> None:
    sharded(tmp_path, *whole_set())
    monkeypatch.chdir(tmp_path)
    alone, far = (pb.score_shards("pred", "gt/*", metrics=["MPJPE"], scheduler=each) for each in (None, client))
    assert plain_report(far) == plain_report(alone)


def test_a_skeleton_of_ones_own_is_known_to_the_workers(tmp_path, client) -> None:
    pred, gt = whole_set()
    folders = sharded(tmp_path, pred.replace(skeleton=None), gt.replace(skeleton=None))
    stated = {"skeleton": "h36m17"}
    found = pb.score_shards(*folders, metrics=["MPJPE"], pred_facts=stated, gt_facts=stated, scheduler=client)
    assert found.metrics["MPJPE"].value == pytest.approx(pb.score(pred, gt, metrics=["MPJPE"]).metrics["MPJPE"].value)


def test_finished_shards_are_kept_here_and_not_scored_again(tmp_path, client, monkeypatch) -> None:
    pred, gt = sharded(tmp_path, *whole_set())
    state = tmp_path / "state"
    options = {"metrics": ["MPJPE", "PSS@50"], "state": state}
    alone = pb.score_shards(pred, gt, metrics=options["metrics"])
    first = pb.score_shards(pred, gt, **options, scheduler=client)
    assert len(list(state.glob("[!.]*.npz"))) == 5
    scored, real = [], one_shard.score_leaf

    def counted(task, shard, *more):
        scored.append(shard.name)
        return real(task, shard, *more)

    monkeypatch.setattr(one_shard, "score_leaf", counted)
    said = []
    again = pb.score_shards(pred, gt, **options, scheduler=client, say=said.append)
    assert (scored, said) == ([], ["5 of 5 shards were done before"])
    # A state that is damaged, a shard that was changed: both are scored again, and only they.
    states = {path: path.read_bytes() for path in state.glob("[!.]*.npz")}
    next(iter(states)).write_bytes(b"no state")
    said.clear()
    mended = pb.score_shards(pred, gt, **options, scheduler=client, say=said.append)
    assert len(scored) == 1
    assert f"{scored[0]} is scored again" in said[0] or f"{scored[0]} is scored again" in said[1]
    assert {path: path.read_bytes() for path in states} == states
    assert plain_report(first) == plain_report(again) == plain_report(mended) == plain_report(alone)
    scored.clear()
    part = pred / "part03.npz"
    pb.write(pb.read(part)[::-1], part)
    pb.score_shards(pred, gt, **options, scheduler=client)
    assert scored == ["part03"]
    # States are the same file whoever made them: a run here goes on with them.
    pb.score_shards(pred, gt, **options)
    assert scored == ["part03"]


def test_the_first_shard_that_cannot_be_scored_ends_the_run(tmp_path, client) -> None:
    pred, gt = sharded(tmp_path, *whole_set())
    (pred / "part02.npz").write_bytes(b"PK no zip")
    with pytest.raises(pb.InputError, match=r"part02\.npz"):
        pb.score_shards(pred, gt, scheduler=client)


def test_few_shards_are_under_way_at_a_time(client) -> None:
    given = []

    def items():
        for number in range(40):
            given.append(number)
            yield number

    with scheduling.open_scheduler(client) as farm:
        for done, (held, result) in enumerate(farm(doubled, 2, items())):
            assert (held, result) == (done, 2 * done)  # in order
            assert len(given) <= done + 1 + 2 * 2 + 2
        assert sorted(result for _, result in farm.finished(doubled, 2, range(9))) == list(range(0, 18, 2))


def doubled(shared: int, item: int) -> tuple[int, int]:
    return item, shared * item


# What cannot work


def test_workers_that_do_not_see_the_shards_say_so(tmp_path, client, monkeypatch) -> None:
    folders = sharded(tmp_path, *whole_set())
    monkeypatch.setattr(scheduling.os, "access", lambda path, mode: False)
    with pytest.raises(pb.InputError, match=r"part0\d\.npz: cannot be read by the worker on .*; shards must lie where"):
        pb.score_shards(*folders, scheduler=client)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:{closed}", "no Dask scheduler answers there within 1 s; start"),
        ("127.0.0.1:{silent}", "no Dask scheduler answers there within 1 s; start"),
        ("tcp://127.0.0.1", "no Dask scheduler answers there within 1 s"),
        ("wonder://127.0.0.1:1", "unknown address scheme"),
    ],
)
def test_an_address_without_scheduler_is_refused_in_time(address: str, words: str) -> None:
    with socket.socket() as held, socket.socket() as mute:
        held.bind(("127.0.0.1", 0))  # bound, and nobody listens
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        address = address.format(closed=held.getsockname()[1], silent=mute.getsockname()[1])
        with (
            pytest.raises(pb.InputError) as refused,
            scheduling.open_scheduler(address, answer=1),
        ):
            pass
    assert f"--scheduler {address}: " in str(refused.value)
    assert words in str(refused.value)
    assert "start one with `dask scheduler`" in str(refused.value)


def test_a_scheduler_without_workers_is_refused(tmp_path) -> None:
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
        pytest.raises(pb.InputError, match="has no workers; start some with `dask worker inproc://"),
        scheduling.open_scheduler(client, answer=0.2),
    ):
        pass


def test_workers_that_go_and_do_not_come_back_end_the_run(monkeypatch) -> None:
    monkeypatch.setattr(scheduling, "PATIENCE", 1.0)
    with (
        distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
        scheduling.open_scheduler(client) as farm,
    ):
        results = farm(doubled, 1, range(100))
        next(results)
        cluster.scale(0)
        with pytest.raises(pb.InputError, match="has had no workers for 1 s"):
            list(results)


def test_workers_of_the_occasion_keep_their_memory(monkeypatch) -> None:
    for theirs in (None, "65537"):
        if theirs is not None:
            monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", theirs)
        with scheduling.open_scheduler("local", 1) as farm:
            names = ("MALLOC_TRIM_THRESHOLD_", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
            found = [set(farm.client.run(os.environ.get, name).values()) for name in names]
        assert found == [{theirs}, {"1"}, {"1"}]


def test_workers_with_another_version_are_refused(client, monkeypatch) -> None:
    real = scheduling._version
    monkeypatch.setattr(scheduling, "_version", lambda package: "9.9" if "posebench" in package else real(package))
    with (
        pytest.raises(pb.InputError, match=r"the worker inproc://.* has posebench .*, and here is 9\.9"),
        scheduling.open_scheduler(client),
    ):
        pass


def test_a_worker_that_comes_later_with_another_version_is_refused_too(monkeypatch) -> None:
    told = scheduling.Told("9.9", (), None)
    outcome = scheduling._work(told, doubled, 1)
    assert "the command came from 9.9; install the same everywhere" in outcome.sentence


def test_other_versions_of_what_numbers_come_from_are_told_of(client, monkeypatch) -> None:
    real = scheduling._version
    monkeypatch.setattr(scheduling, "_version", lambda package: "1.0" if package == "numpy" else real(package))
    said = []
    with scheduling.open_scheduler(client, say=said.append):
        pass
    assert len(said) == 1
    assert f"have numpy {np.__version__}, and here is 1.0: the last bits" in said[0]


def test_no_address_and_processes_beside_workers_are_refused(tmp_path, client) -> None:
    folders = sharded(tmp_path, *whole_set())
    with pytest.raises(pb.UsageError, match="scheduler is '', expected the address"):
        pb.score_shards(*folders, scheduler="")
    with pytest.raises(pb.UsageError, match="jobs are processes on this machine"):
        pb.score_shards(*folders, scheduler=client, jobs=2)


def test_without_dask_the_extra_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(pb.MissingExtraError, match=r"pip install 'posebench-hpe\[distributed\]'"):
        pb.score_shards(*sharded(tmp_path, *whole_set()), scheduler="local")


# Processes that die


def kill_one_worker(client, after: threading.Event) -> threading.Thread:
    """A thread that ends one worker process as soon as it is told to."""

    def kill() -> None:
        assert after.wait(120)
        processes = client.run(os.getpid)
        os.kill(next(iter(processes.values())), signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


@pytest.mark.slow
def test_a_worker_that_is_killed_changes_nothing_not_even_the_last_bit(tmp_path) -> None:
    """A real cluster of three processes, one of which is ended while it scores."""
    for side in ("pred", "gt"):
        (tmp_path / side).mkdir()
    for number in range(12):
        poses = pair(400, seed=number)
        for side, values in zip(("pred", "gt"), poses, strict=True):
            keys = {"sequence": str(number), "frame": np.arange(20_000)}
            tiled = np.tile(values, (50, 1, 1)).astype(np.float32)
            pb.write(poseset(tiled, **keys), tmp_path / side / f"{number:02d}.npz")
    folders, metrics = (tmp_path / "pred", tmp_path / "gt"), ["MPJPE", "PMPJPE", "PSS-soft@50"]
    alone = pb.score_shards(*folders, metrics=metrics)
    with (
        distributed.LocalCluster(
            n_workers=3, threads_per_worker=1, dashboard_address=":0", memory_limit=0, silence_logs=50
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        before = set(client.run(os.getpid).values())
        begun = threading.Event()
        killer = kill_one_worker(client, begun)

        def progress(done: int, total: int, poses: int) -> None:
            if done == 2:
                begun.set()
                killer.join(120)

        far = pb.score_shards(*folders, metrics=metrics, scheduler=cluster.scheduler_address, progress=progress)
        client.wait_for_workers(3, timeout=60)
        assert set(client.run(os.getpid).values()) != before
    assert plain_report(far) == plain_report(alone)


def die(shared: None, item: int) -> None:
    time.sleep(3)  # a worker that dies as it starts is given up by Dask itself
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_shard_that_takes_every_worker_down_is_given_up() -> None:
    with (
        scheduling.open_scheduler("local", 1) as farm,
        pytest.raises(pb.InputError, match="4 workers died over the same shard"),
    ):
        list(farm(die, None, [0]))


@pytest.mark.slow
def test_a_scheduler_that_goes_away_ends_the_run_in_a_sentence(tmp_path) -> None:
    def run(*words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, *words, "--no-dashboard"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    scheduler = run("-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port))
    worker = run("-m", "distributed.cli.dask_worker", address, "--nthreads", "1")
    try:
        with scheduling.open_scheduler(address, answer=60) as farm:
            results = farm(wait_a_little, 0.2, range(1000))
            next(results)
            scheduler.kill()
            with pytest.raises(pb.InputError, match="the connection to the scheduler was lost"):
                list(results)
    finally:
        for process in (worker, scheduler):
            process.kill()
            process.wait()


def wait_a_little(seconds: float, item: int) -> int:
    time.sleep(seconds)
    return item
