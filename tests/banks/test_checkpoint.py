"""A build that was interrupted goes on to the centres that it would have had."""

from __future__ import annotations

import numpy as np
import pytest

from posebench.banks import ClusterBank
from posebench.errors import InputError

SETTINGS = {"k": 6, "seed": 2, "n_init": 3, "max_iter": 40, "tol": 0.0}
BATCHES = {"k": 6, "seed": 2, "algorithm": "minibatch", "batch_size": 60, "epochs": 3}


def interrupt_at(*moment: int):
    """A progress callback that is Ctrl-C at that run and iteration."""

    def progress(step):
        if (step.run, step.iteration) == moment:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("moment", [(1, 1), (1, 7), (2, 1), (3, 5)])
def test_an_interrupted_build_ends_in_the_same_bank(gt, tmp_path, moment, every):
    path = tmp_path / "state.npz"
    uninterrupted = ClusterBank.build(gt, **SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        ClusterBank.build(gt, **SETTINGS, checkpoint=path, checkpoint_every=every, progress=interrupt_at(*moment))
    steps = []
    resumed = ClusterBank.build(gt, **SETTINGS, checkpoint=path, checkpoint_every=every, progress=steps.append)
    assert resumed.card == uninterrupted.card
    done = moment[1] if moment[1] % every == 0 else moment[1] - moment[1] % every
    assert (steps[0].run, steps[0].iteration) == (moment[0], done + 1)
    assert not path.exists()


@pytest.mark.parametrize("moment", [(1, 1), (2, 7), (3, 2)])
def test_interrupted_mini_batches_end_in_the_same_bank(gt, tmp_path, moment):
    path = tmp_path / "state.npz"
    uninterrupted = ClusterBank.build(gt, **BATCHES)
    with pytest.raises(KeyboardInterrupt):
        ClusterBank.build(gt, **BATCHES, checkpoint=path, checkpoint_every=1, progress=interrupt_at(*moment))
    steps = []
    resumed = ClusterBank.build(gt, **BATCHES, checkpoint=path, progress=steps.append)
    assert resumed.card == uninterrupted.card
    assert len(steps) == 3 * 7 - (moment[0] - 1) * 7 - moment[1]


def test_a_build_interrupted_twice_ends_in_the_same_bank(gt, tmp_path):
    path = tmp_path / "state.npz"
    for moment in ((1, 3), (3, 2)):
        with pytest.raises(KeyboardInterrupt):
            ClusterBank.build(gt, **SETTINGS, checkpoint=path, checkpoint_every=1, progress=interrupt_at(*moment))
    assert ClusterBank.build(gt, **SETTINGS, checkpoint=path).sha256 == ClusterBank.build(gt, **SETTINGS).sha256


def test_a_run_that_converged_as_it_was_saved_is_not_taken_further(gt, tmp_path):
    """With `checkpoint_every=1` the last iteration of a run could be saved and then be followed by another."""
    path = tmp_path / "state.npz"
    alone = ClusterBank.build(gt, k=4, n_init=2, tol=1e-4)
    steps = []
    ClusterBank.build(gt, k=4, n_init=2, tol=1e-4, progress=steps.append)
    last = max(step.iteration for step in steps if step.run == 1)
    with pytest.raises(KeyboardInterrupt):
        ClusterBank.build(gt, k=4, n_init=2, checkpoint=path, checkpoint_every=1, progress=interrupt_at(1, last))
    assert ClusterBank.build(gt, k=4, n_init=2, checkpoint=path, checkpoint_every=1).card == alone.card


def interrupted(gt, path, settings=SETTINGS, moment=(2, 3)):
    with pytest.raises(KeyboardInterrupt):
        ClusterBank.build(gt, **settings, checkpoint=path, checkpoint_every=1, progress=interrupt_at(*moment))


@pytest.mark.parametrize("change", [{"k": 7}, {"seed": 3}, {"tol": 0.1}, {"centring": "mean"}, {"stride": 2}])
def test_the_checkpoint_of_other_settings_is_refused(gt, tmp_path, change):
    path = tmp_path / "state.npz"
    interrupted(gt, path)
    with pytest.raises(InputError, match=r"state\.npz: is the checkpoint of a build from other poses or settings"):
        ClusterBank.build(gt, **{**SETTINGS, **change}, checkpoint=path)


def test_the_checkpoint_of_other_poses_is_refused(gt, tmp_path):
    path = tmp_path / "state.npz"
    interrupted(gt, path)
    with pytest.raises(InputError, match="other poses or settings"):
        ClusterBank.build(gt[::-1], **SETTINGS, checkpoint=path)


@pytest.mark.parametrize("settings", [SETTINGS, BATCHES], ids=["lloyd", "minibatch"])
@pytest.mark.parametrize(
    "damage",
    [
        {"numbers": np.array([-1, 0, -1, 0, 0])},
        {"numbers": np.zeros(5)},
        {"numbers": np.array([0, 1, 0, 1, 1]), "best_centres": np.zeros((0, 0))},
        {"centres": np.full((6, 51), np.nan)},
        {"centres": np.zeros((6, 50))},
        {"counts": np.zeros(3, np.int64)},
        {"best_inertia": np.array("none")},
    ],
    ids=str,
)
def test_a_damaged_checkpoint_is_refused(gt, tmp_path, damage, settings):
    path = tmp_path / "state.npz"
    interrupted(gt, path, settings)
    with np.load(path) as held:
        arrays = dict(held) | damage
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=r"state\.npz: is damaged, it holds no state of a build"):
        ClusterBank.build(gt, **settings, checkpoint=path)


def test_a_file_that_is_no_checkpoint_is_refused(gt, tmp_path):
    path = tmp_path / "state.npz"
    np.savez(path, poses=gt)
    with pytest.raises(InputError, match=r"state\.npz: expected the arrays 'best_centres', .* it has 'poses'"):
        ClusterBank.build(gt, **SETTINGS, checkpoint=path)
    path.write_bytes(b"something else")
    with pytest.raises(InputError, match=r"state\.npz: is not a complete \.npz archive"):
        ClusterBank.build(gt, **SETTINGS, checkpoint=path)


def test_a_checkpoint_that_cannot_be_written_is_said(gt, tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        ClusterBank.build(gt, **SETTINGS, checkpoint=tmp_path / "nowhere" / "state.npz", checkpoint_every=1)
