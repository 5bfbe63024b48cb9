"""k-means by passes over shards: the centres of the same poses in memory, the same bytes whoever does the work."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import posebench as pb
from posebench.banks import ClusterBank, kmeans, shard_steps
from posebench.banks import sharded as module
from posebench.banks.recipe import Plan, Recipe, gt_files
from posebench.errors import InputError, UsageError
from posebench.scheduling import open_scheduler, spread_over
from posebench.workers import spread_here
from tests.banks.test_checkpoint import interrupt_at
from tests.support.poses import people

SETTINGS = {"k": 6, "seed": 2, "n_init": 3, "max_iter": 40, "tol": 0.0}
CUTS = (0, 70, 71, 200, 200, 330, 400)


def plan(**changes: object) -> Plan:
    given = {"name": "a", "recipe": Recipe(), "algorithm": "sharded", **SETTINGS, **changes}
    return Plan(**given)


def shards(folder: Path, poses: np.ndarray, cuts: Sequence[int] = CUTS, **facts: object) -> list[Path]:
    """Poses in files, the first of each side of a cut in one."""
    given = {"skeleton": "h36m17", "unit": "mm", "reference": "camera", **facts}
    paths = []
    for number, (start, stop) in enumerate(itertools.pairwise(cuts)):
        if stop > start:
            path = folder / f"{number}.npz"
            pb.write(pb.PoseSet(poses[start:stop], **given), path)
            paths.append(path)
    return paths


def built(paths: Sequence[Path], spread=spread_here, progress=None, checkpoint: Path | None = None, **changes: object):
    of = plan(**changes)
    return of.build(of.survey(paths, spread), progress=progress, checkpoint=checkpoint)


# The same as in memory


@pytest.mark.parametrize("centring", ["root", "mean"])
def test_shards_have_the_centres_of_the_poses_in_memory(gt, tmp_path, centring: str) -> None:
    whole = ClusterBank.build(gt, **SETTINGS, centring=centring)
    found = built(shards(tmp_path, gt), centring=centring)
    np.testing.assert_allclose(found.centres, whole.centres, rtol=0, atol=1e-9)
    card, other = found.card, whole.card
    assert card.inertia == pytest.approx(other.inertia, rel=1e-12)
    assert (card.cluster_sizes, card.near_boundary, card.poses) == (
        other.cluster_sizes,
        other.near_boundary,
        other.poses,
    )
    assert card.kmeans == other.kmeans


def test_masked_and_thinned_poses_are_counted_as_in_memory(gt, tmp_path) -> None:
    valid = np.ones((400, 17), bool)
    valid[[3, 250], 5] = False
    sequence = np.repeat(["a", "b", "c", "d"], 100)
    whole_set = pb.PoseSet(gt, skeleton="h36m17", unit="mm", reference="camera", valid=valid, sequence=sequence)
    paths = []
    for number in range(4):
        paths.append(tmp_path / f"{number}.npz")
        pb.write(whole_set[slice(100 * number, 100 * number + 100)], paths[-1])
    whole = ClusterBank.build(whole_set, **SETTINGS, stride=3, min_distance=0.05)
    found = built(paths, recipe=Recipe(stride=3), min_distance=0.05)
    assert found.card.poses == whole.card.poses
    assert (found.card.thinning.stride, found.card.thinning.min_distance) == (3, 0.05)
    np.testing.assert_allclose(found.centres, whole.centres, rtol=0, atol=1e-9)


def test_clusters_that_lose_their_poses_take_the_farthest_as_in_memory(gt, tmp_path) -> None:
    """Two starting centres lie far from everything."""
    ground = plan(k=5).survey(shards(tmp_path, gt), spread_here)
    assert ground.shards is not None
    rows = np.concatenate([rows_in(ground.shards, shard) for shard in ground.shards._shards])
    start = np.concatenate([rows[:3], np.full((2, rows.shape[1]), 50.0) + np.arange(2)[:, None]])
    sums, counts = ground.shards.search(5).sums(start)
    expected, expected_counts = kmeans.RowSearch(rows, 5).sums(start)
    assert counts.tolist() == expected_counts.tolist()
    assert counts.min() == 1
    np.testing.assert_allclose(sums, expected, rtol=0, atol=1e-12)


def rows_in(poses: module.ShardedPoses, shard: object) -> np.ndarray:
    return shard_steps.rows_of(poses.material, shard)


def test_poses_are_seeded_from_the_same_sample_as_in_memory(gt, tmp_path, monkeypatch) -> None:
    for of in (kmeans, module):
        monkeypatch.setattr(of, "sampling_step", lambda n: 7)
    whole = ClusterBank.build(gt, **SETTINGS)
    np.testing.assert_allclose(built(shards(tmp_path, gt)).centres, whole.centres, rtol=0, atol=1e-9)


# k-means||


def clumps(k: int, each: int) -> np.ndarray:
    """Poses in k tight clumps far from each other."""
    rng = np.random.default_rng(0)
    return (np.repeat(people(rng, k), each, axis=0) + rng.normal(scale=0.1, size=(k * each, 17, 3)))[
        rng.permutation(k * each)
    ]


def test_drawn_beginnings_find_clumps(tmp_path) -> None:
    poses = clumps(12, 40)
    found = built(shards(tmp_path, poses, (0, 100, 300, 480)), k=12, n_init=1, init="k-means||")
    assert found.card.cluster_sizes == (40,) * 12
    assert (found.card.kmeans.init, found.card.kmeans.seeding_poses) == ("k-means||", 480)


def test_drawn_beginnings_depend_on_seed_and_run(gt, tmp_path) -> None:
    poses = plan().survey(shards(tmp_path, gt), spread_here).shards
    starts = [poses.seeds(kmeans.Settings(k=5, seed=seed, init="k-means||"), run) for seed in (0, 1) for run in (0, 1)]
    assert len({start.tobytes() for start in starts}) == 4
    again = poses.seeds(kmeans.Settings(k=5, seed=0, init="k-means||"), 0)
    np.testing.assert_array_equal(starts[0], again)
    rows = np.concatenate([rows_in(poses, shard) for shard in poses._shards])
    for start in starts:  # poses of the set, all different
        assert all((rows == centre).all(1).any() for centre in start)
        assert len({centre.tobytes() for centre in start}) == 5


def test_a_round_draws_in_proportion_to_the_cost(gt, tmp_path, monkeypatch) -> None:
    """Over many seeds each row is drawn as often as the paper's probability says, 2 k d2 / cost, at most 1."""
    poses = plan().survey(shards(tmp_path, gt), spread_here).shards
    held = [rows_in(poses, shard) for shard in poses._shards]
    rows = np.concatenate(held)
    monkeypatch.setattr(shard_steps, "rows_of", lambda material, shard: held[shard.number])
    candidate, tries, more = rows[:1], 300, 12.0
    squares = ((rows - candidate) ** 2).sum(1)
    chance = np.minimum(more * squares / squares.sum(), 1)
    drawn = np.zeros(len(rows))
    for seed in range(tries):
        found, cost = poses._round(module.Round(poses.material, candidate, more, (seed,)))
        assert cost == pytest.approx(squares.sum(), rel=1e-12)
        drawn += [(row == found).all(1).any() for row in rows] if len(found) else 0
    deviation = np.sqrt(tries * chance * (1 - chance)) + 1e-9
    assert np.abs(drawn - tries * chance).max() < 5 * deviation.max()
    assert drawn.sum() == pytest.approx(tries * chance.sum(), rel=0.05)


@pytest.mark.parametrize("init", kmeans.INITS)
def test_too_few_different_poses_are_refused(gt, tmp_path, init: str) -> None:
    paths = shards(tmp_path, np.repeat(gt[:4], 100, axis=0))
    with pytest.raises(InputError, match="hold only 4 different ones after normalisation, too few for 6 clusters"):
        built(paths, init=init)


# Who does the work


def test_processes_change_nothing_not_even_the_last_bit(gt, tmp_path) -> None:
    paths = shards(tmp_path, gt)
    with spread_over(2, None, "shards") as spread:
        together = [built(paths, spread, init=init, n_init=1).card for init in kmeans.INITS]
    assert together == [built(paths, init=init, n_init=1).card for init in kmeans.INITS]


@pytest.mark.filterwarnings("default")  # those of Dask and of what it stands on
def test_workers_of_dask_change_nothing_not_even_the_last_bit(gt, tmp_path) -> None:
    distributed = pytest.importorskip("distributed")
    paths = shards(tmp_path, gt)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=2, processes=False, dashboard_address=":0") as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
        open_scheduler(client) as farm,
    ):
        far = [built(paths, farm, init=init, n_init=1).card for init in kmeans.INITS]
    assert far == [built(paths, init=init, n_init=1).card for init in kmeans.INITS]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_worker_that_is_killed_changes_nothing_not_even_the_last_bit(tmp_path) -> None:
    """A real cluster of three processes, one of which is ended in the middle of a pass."""
    distributed = pytest.importorskip("distributed")
    rng = np.random.default_rng(3)
    poses = np.tile(people(rng, 400), (150, 1, 1)) + rng.normal(scale=30, size=(60_000, 17, 3))
    paths = shards(tmp_path, poses, range(0, 60_001, 5000))
    settings = {"k": 20, "n_init": 1, "max_iter": 8, "init": "k-means||"}
    with (
        distributed.LocalCluster(
            n_workers=3, threads_per_worker=1, dashboard_address=":0", memory_limit=0, silence_logs=50
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
        open_scheduler(cluster.scheduler_address) as farm,
    ):
        before = set(client.run(os.getpid).values())

        passes = itertools.count()

        def killing(function, shared, items):
            fifth = function is shard_steps.add_up and next(passes) == 5
            for number, result in enumerate(farm(function, shared, items)):
                if fifth and number == 4:  # others are under way
                    os.kill(next(iter(before)), signal.SIGKILL)
                yield result

        far = built(paths, killing, **settings)
        client.wait_for_workers(3, timeout=60)
        assert set(client.run(os.getpid).values()) != before
    assert far.card == built(paths, **settings).card


# Going on


@pytest.mark.parametrize("init", kmeans.INITS)
@pytest.mark.parametrize("moment", [(1, 1), (2, 4)])
def test_an_interrupted_build_ends_in_the_same_bank(gt, tmp_path, moment, init: str) -> None:
    (tmp_path / "gt").mkdir()
    paths, state = shards(tmp_path / "gt", gt), tmp_path / "state.npz"
    with pytest.raises(KeyboardInterrupt):
        built(paths, progress=interrupt_at(*moment), checkpoint=state, init=init)
    steps = []
    resumed = built(paths, progress=steps.append, checkpoint=state, init=init)
    assert (steps[0].run, steps[0].iteration) == (moment[0], moment[1] + 1)
    assert resumed.card == built(paths, init=init).card
    assert not state.exists()


@pytest.mark.parametrize("change", [{"init": "k-means||"}, {"seed": 3}, {"centring": "mean"}])
def test_the_checkpoint_of_other_settings_is_refused(gt, tmp_path, change: dict) -> None:
    (tmp_path / "gt").mkdir()
    paths, state = shards(tmp_path / "gt", gt), tmp_path / "state.npz"
    with pytest.raises(KeyboardInterrupt):
        built(paths, progress=interrupt_at(1, 2), checkpoint=state)
    with pytest.raises(InputError, match="is the checkpoint of a build from other poses or settings"):
        built(paths, checkpoint=state, **change)


# What is refused


def test_a_shard_that_changes_between_passes_is_refused(gt, tmp_path) -> None:
    paths = shards(tmp_path, gt)

    def spoil(step: kmeans.Step) -> None:
        pb.write(pb.PoseSet(gt[:9], skeleton="h36m17", unit="mm", reference="camera"), paths[1])

    with pytest.raises(InputError, match=r"1\.npz: was changed while banks were built of it; build again"):
        built(paths, progress=spoil)


def test_shards_in_different_references_are_refused(gt, tmp_path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    paths = [*shards(tmp_path / "a", gt, (0, 200)), *shards(tmp_path / "b", gt, (200, 400), reference="world")]
    with pytest.raises(InputError, match=r"a/0\.npz is in the camera reference and .*b/0\.npz in the world reference"):
        built(paths)


def test_a_survey_for_other_joints_and_a_beginning_for_shards_are_refused(gt, tmp_path) -> None:
    ground = plan().survey(shards(tmp_path, gt), spread_here)
    with pytest.raises(UsageError, match="needs their survey with the same joints"):
        plan(centring="mean").build(ground)
    with pytest.raises(UsageError, match=r"init k-means\|\| is for algorithm sharded"):
        plan(algorithm="lloyd", init="k-means||")
    with pytest.raises(UsageError, match="init is 'random', expected one of"):
        plan(init="random")


def test_the_card_says_how_it_was_made(gt, tmp_path) -> None:
    paths = shards(tmp_path, gt)
    card = built(paths).card
    assert module.NOTE in card.notes
    assert [file.name for file in card.files] == [path.name for path in paths]
    assert card.hashes.input != ClusterBank.build(gt, **SETTINGS).card.hashes.input


def test_a_glob_is_the_files_that_it_matches_in_order(gt, tmp_path) -> None:
    paths = shards(tmp_path, gt)
    (tmp_path / "notes.txt").touch()
    assert gt_files([tmp_path / "*.npz"]) == sorted(paths)
    assert gt_files([paths[2], tmp_path / "[01].npz"]) == [paths[2], *paths[:2]]
    with pytest.raises(InputError, match="cannot be read: No such file"):
        gt_files([tmp_path / "*.json"])


# From Python


def test_the_call_makes_the_bank_of_the_command(gt, tmp_path) -> None:
    (tmp_path / "gt").mkdir()
    paths = shards(tmp_path / "gt", gt)
    expected = built(paths, name="h36m17-k6", tol=1e-4, centring="mean", min_distance=0.01, init="k-means||")
    options = {"k": 6, "seed": 2, "n_init": 3, "max_iter": 40, "centring": "mean", "min_distance": 0.01}
    seen: list[object] = []
    found = ClusterBank.build_sharded(
        tmp_path / "gt", **options, init="k-means||", jobs=2, progress=seen.append, checkpoint=tmp_path / "state.npz"
    )
    assert np.array_equal(found.centres, expected.centres)
    assert found.card == expected.card
    assert seen
    assert not (tmp_path / "state.npz").exists()
    again = ClusterBank.build_sharded([paths[0], str(tmp_path / "gt" / "[1-9].npz")], **options, init="k-means||")
    assert np.array_equal(again.centres, expected.centres)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"jobs": 0}, UsageError, "jobs is 0, expected a whole number from 1"),
        ({"jobs": 2, "scheduler": "tcp://nowhere:1"}, UsageError, "jobs are processes on this machine"),
        ({"init": "random"}, UsageError, "init is 'random'"),
        ({"reference": "moon"}, UsageError, "moon"),
        ({"shards": []}, UsageError, "files of ground truth, got 0"),
        ({"shards": "nowhere"}, InputError, "nowhere: cannot be read"),
    ],
)
def test_a_call_without_sense_is_refused(gt, tmp_path, change: dict, error, words: str) -> None:
    given = {"shards": shards(tmp_path, gt), "k": 6, **change}
    with pytest.raises(error, match=words):
        ClusterBank.build_sharded(given.pop("shards"), **given)
