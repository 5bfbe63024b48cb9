"""Building banks: what goes in, what the card says of it, and what is refused."""

from __future__ import annotations

import hashlib
import platform

import numpy as np
import pytest
import sklearn

import posebench as pb
from posebench.banks import ClusterBank, Source
from posebench.errors import InputError, UsageError
from posebench.poses import PoseSet
from posebench.skeletons import H36M17, Skeleton
from tests.support.poses import people

K = {"k": 4, "n_init": 1, "max_iter": 20}


def plain_rows(gt: np.ndarray, root: int | None = 0) -> np.ndarray:
    centred = gt - (gt.mean(1, keepdims=True) if root is None else gt[:, [root]])
    return (centred / np.linalg.norm(centred, axis=(1, 2), keepdims=True)).reshape(len(gt), -1)


def sha256_of_rows(rows: np.ndarray, joints: int = 17) -> str:
    return hashlib.sha256(rows.astype("<f8").tobytes() + f"{len(rows)},{joints},3".encode()).hexdigest()


# What comes out


def test_every_centre_is_the_mean_of_the_poses_nearest_to_it(gt):
    bank = ClusterBank.build(gt, k=6, seed=1, n_init=1, tol=0.0)
    rows = plain_rows(gt)
    labels = ((rows[:, None] - bank.centres.reshape(6, -1)) ** 2).sum(2).argmin(1)
    for j in range(6):
        np.testing.assert_allclose(bank.centres[j].ravel(), rows[labels == j].mean(0), rtol=0, atol=1e-13)
    np.testing.assert_array_equal(bank.assign(gt), labels)


def test_the_card_says_how_the_bank_came_about(gt):
    sources = (Source("made up", "CC0-1.0", "nobody"),)
    bank = ClusterBank.build(gt, seed=9, name="small", sources=sources, split="all of it", **K)
    card = bank.card
    assert (card.name, card.k, card.sources, card.split) == ("small", 4, sources, "all of it")
    assert card.layout.joints == H36M17.joints
    assert (card.layout.skeleton, card.layout.root, card.layout.reference) == ("h36m17", "pelvis", "camera")
    assert (card.kmeans.algorithm, card.kmeans.init, card.kmeans.seed) == ("lloyd", "k-means++", 9)
    assert (card.kmeans.n_init, card.kmeans.max_iter, card.kmeans.tol) == (1, 20, 1e-4)
    assert (card.kmeans.batch_size, card.kmeans.epochs) == (None, None)
    assert card.poses.given == card.poses.used == len(gt)
    assert card.versions["numpy"] == np.__version__
    assert card.versions["scikit-learn"] == sklearn.__version__
    assert card.versions["python"] == platform.python_version()
    assert card.versions["posebench"] == pb.__version__


def test_the_card_describes_the_clusters(gt):
    bank = ClusterBank.build(gt, **K)
    squares = ((plain_rows(gt)[:, None] - bank.centres.reshape(4, -1)) ** 2).sum(2)
    card = bank.card
    assert card.cluster_sizes == tuple(np.bincount(squares.argmin(1), minlength=4).tolist())
    np.testing.assert_allclose(card.inertia, squares.min(1).sum(), rtol=1e-12)
    np.testing.assert_allclose(card.mean_squared_distance, squares.min(1).mean(), rtol=1e-12)
    first, second = np.sqrt(np.sort(squares, 1)[:, :2]).T
    assert 0 < card.near_boundary < 1
    assert card.near_boundary == (second <= 1.05 * first).mean()


def test_the_hashes_are_those_of_the_numbers(gt):
    bank = ClusterBank.build(gt.astype(np.float32), **K)
    text = b"4,17,3"
    assert bank.sha256 == bank.card.hashes.centres
    assert bank.sha256 == hashlib.sha256(bank.centres.astype("<f8").tobytes() + text).hexdigest()
    used = bank.layout.normalise(gt.astype(np.float32)).poses
    assert bank.card.hashes.input == sha256_of_rows(used)


def test_the_command_on_the_card_builds_the_bank_again(gt):
    bank = ClusterBank.build(gt, k=5, seed=3, n_init=2, joints=("pelvis", "head", "LWrist"), stride=2, min_distance=0.1)
    again = eval(bank.card.command, {"posebench": pb, "gt_poses": gt} | {"posebench": _Door})  # noqa: S307
    assert again.sha256 == bank.sha256
    assert again.card == bank.card


class _Door:
    """`posebench`, as far as the command on a card needs it."""

    ClusterBank = ClusterBank


def test_a_command_of_the_users_own_is_recorded(gt):
    assert ClusterBank.build(gt, command="make banks", **K).card.command == "make banks"


@pytest.mark.parametrize("algorithm", ["lloyd", "minibatch"])
def test_a_bank_has_the_same_bits_on_any_number_of_threads(gt, algorithm, monkeypatch):
    many = np.tile(gt, (50, 1, 1)) * np.linspace(1, 2, 50 * len(gt))[:, None, None]
    cards = []
    for threads in ("1", "2"):
        monkeypatch.setenv("POSEBENCH_THREADS", threads)
        cards.append(ClusterBank.build(many, algorithm=algorithm, **K).card)
    assert cards[0] == cards[1]


def test_centres_cannot_be_changed_by_accident(bank):
    with pytest.raises(ValueError, match="read-only"):
        bank.centres[0] = 0


# What goes in


def test_arrays_lists_sets_and_files_give_the_same_bank(gt, tmp_path):
    pb.write(PoseSet(gt[200:], skeleton="h36m17", reference="camera", unit="mm"), tmp_path / "b.npz")
    first = PoseSet(gt[:200], skeleton="h36m17", reference="camera")
    whole = ClusterBank.build(gt, **K)
    for given in ([gt[:200], gt[200:]], [first, tmp_path / "b.npz"], gt.tolist(), (first, str(tmp_path / "b.npz"))):
        assert ClusterBank.build(given, **K).sha256 == whole.sha256


def test_files_are_named_and_hashed_on_the_card(gt, tmp_path):
    path = tmp_path / "train.npz"
    pb.write(PoseSet(gt, unit="mm"), path)
    card = ClusterBank.build(path, reference="camera", **K).card
    assert [(file.name, file.sha256) for file in card.files] == [
        ("train.npz", hashlib.sha256(path.read_bytes()).hexdigest())
    ]
    assert card.notes == ("skeleton of train.npz assumed: h36m17", "reference of train.npz assumed: camera")


def test_poses_without_a_shape_are_left_out_and_counted(gt):
    poses = gt.copy()
    valid = np.ones(gt.shape[:2], bool)
    valid[3, 8] = False
    poses[3, 8] = np.nan
    poses[[5, 6]] = 1.0
    bank = ClusterBank.build(PoseSet(poses, valid=valid, skeleton="h36m17", reference="camera"), **K)
    assert (bank.card.poses.masked, bank.card.poses.degenerate, bank.card.poses.used) == (1, 2, len(gt) - 3)
    assert bank.sha256 == ClusterBank.build(np.delete(gt, [3, 5, 6], axis=0), **K).sha256


def test_a_set_of_another_skeleton_is_converted(gt):
    body = PoseSet(gt, skeleton="3dhp17", reference="camera", source="body")
    bank = ClusterBank.build(body, **K)
    assert bank.sha256 == ClusterBank.build(pb.convert(body, "h36m17"), **K).sha256
    assert bank.card.notes[0].startswith("body converted from 3dhp17 to h36m17")


def test_mean_centring_puts_the_mean_of_every_centre_in_the_origin(gt):
    bank = ClusterBank.build(gt, centring="mean", **K)
    assert (bank.layout.root, bank.layout.centring) == (None, "mean")
    assert np.abs(bank.centres.mean(1)).max() < 1e-15
    assert bank.card.hashes.input == sha256_of_rows(bank.layout.normalise(gt).poses)
    np.testing.assert_allclose(bank.layout.normalise(gt).rows, plain_rows(gt, None), atol=1e-14)


def test_a_bank_may_have_another_root_and_fewer_joints(gt):
    joints = ("head", "thorax", "LWrist", "RWrist")
    bank = ClusterBank.build(gt, joints=joints, root="thorax", **K)
    at = [H36M17.index(joint) for joint in joints]
    assert bank.centres.shape == (4, 4, 3)
    assert not bank.centres[:, 1].any()
    np.testing.assert_array_equal(bank.assign(gt), bank.assign(gt[:, at]))


def test_a_skeleton_of_the_users_own_serves(gt):
    mine = Skeleton("mine", ("a", "b", "c"), (-1, 0, 1), 0, (), {})
    bank = ClusterBank.build(gt[:, :3], skeleton=mine, **K)
    assert bank.layout.joints == ("a", "b", "c")
    assert (bank.assign(gt[:, :3]) >= 0).all()


def test_the_reference_is_that_of_the_sets(gt):
    sets = [PoseSet(part, skeleton="h36m17", reference="world") for part in (gt[:200], gt[200:])]
    assert ClusterBank.build(sets, **K).layout.reference == "world"


def test_thinning_is_recorded(gt):
    poses = PoseSet(gt, skeleton="h36m17", reference="camera", sequence=np.repeat(["a", "b"], 200))
    card = ClusterBank.build(poses, stride=3, **K).card
    assert (card.thinning.stride, card.thinning.min_distance) == (3, 0.0)
    assert (card.poses.given, card.poses.used) == (400, 134)
    assert card.poses.thinned == 266


def test_a_bank_is_built_of_what_thinning_keeps(gt):
    slow = np.repeat(gt[:100], 3, axis=0)
    bank = ClusterBank.build(slow, min_distance=1e-6, **K)
    assert bank.card.poses.thinned == 200
    assert bank.sha256 == ClusterBank.build(gt[:100], **K).sha256


# Which algorithm


def test_poses_beyond_the_memory_limit_are_clustered_in_batches_unless_told_otherwise(gt):
    limit = 400 * 17 * 24
    assert ClusterBank.build(gt, memory_limit=limit, **K).card.kmeans.algorithm == "lloyd"
    assert ClusterBank.build(gt, memory_limit=limit - 1, **K).card.kmeans.algorithm == "minibatch"


def test_lloyd_beyond_the_memory_limit_goes_through_a_file_to_the_same_bank(gt):
    spooled = ClusterBank.build(gt, memory_limit=1, algorithm="lloyd", **K)
    assert spooled.card == ClusterBank.build(gt, **K).card


def test_no_room_for_the_file_is_said(gt, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("usage", (), {"free": 1000}))
    with pytest.raises(InputError, match=r"need 163200 bytes in .*, which has not that much room; use .*'minibatch'"):
        ClusterBank.build(gt, memory_limit=1, algorithm="lloyd", **K)


def test_streaming_is_mini_batches_over_the_same_poses(gt):
    settings = {"k": 4, "batch_size": 64, "epochs": 2}
    whole = ClusterBank.build(gt, algorithm="minibatch", **settings)
    for cut in (50, 64, 399):
        bank = ClusterBank.build_streaming(lambda cut=cut: (gt[i : i + cut] for i in range(0, 400, cut)), **settings)
        assert bank.sha256 == whole.sha256
        assert bank.card.hashes.input == whole.card.hashes.input
    assert (bank.card.kmeans.algorithm, bank.card.kmeans.batch_size, bank.card.kmeans.epochs) == ("minibatch", 64, 2)
    assert (bank.card.kmeans.max_iter, bank.card.kmeans.converged) == (None, None)
    assert sum(bank.card.cluster_sizes) == 400


def test_streaming_takes_sets_and_files(gt, tmp_path):
    pb.write(PoseSet(gt[200:], skeleton="h36m17", reference="world", unit="m"), tmp_path / "b.npz")
    first = PoseSet(gt[:200], skeleton="h36m17", reference="world")
    bank = ClusterBank.build_streaming(lambda: [first, tmp_path / "b.npz"], k=4)
    assert bank.layout.reference == "world"
    assert bank.card.poses.used == 400


def test_mini_batches_come_near_lloyds_inertia():
    gt = people(np.random.default_rng(0), 600)
    exact = ClusterBank.build(gt, k=8, n_init=1).card
    streamed = ClusterBank.build(gt, k=8, algorithm="minibatch", batch_size=100, epochs=5).card
    assert 0.99 * exact.inertia < streamed.inertia < 1.25 * exact.inertia


def test_an_even_sample_of_a_long_stream_is_seeded_from():
    from posebench.banks.material import EvenSample

    sample = EvenSample(limit=10)
    for start in range(0, 400, 7):
        sample.add(np.arange(start, min(start + 7, 400), dtype=float)[:, None])
    kept = sample.rows(1)[:, 0]
    assert 10 <= len(kept) <= 20
    np.testing.assert_array_equal(kept, np.arange(0, 400, kept[1]))


def test_progress_is_told_of_every_iteration(gt):
    steps = []
    bank = ClusterBank.build(gt, k=4, n_init=2, progress=steps.append)
    last = [step for step in steps if step.run == bank.card.kmeans.run + 1][-1]
    assert last.iteration == bank.card.kmeans.iterations
    assert last.shift <= last.tolerance
    assert {(step.runs, step.max_iter) for step in steps} == {(2, 300)}
    steps.clear()
    ClusterBank.build(gt, k=4, algorithm="minibatch", batch_size=150, epochs=2, progress=steps.append)
    assert [(step.run, step.runs, step.iteration) for step in steps] == [
        (1, 2, 1), (1, 2, 2), (1, 2, 3), (2, 2, 1), (2, 2, 2), (2, 2, 3),
    ]  # fmt: skip


# What is refused


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 1}, "k is 1, expected a whole number from 2"),
        ({"k": 2.5}, "k is 2.5, expected a whole number from 2"),
        ({"k": 70_000}, "k is 70000, expected at most 65536"),
        ({"seed": -1}, "seed is -1, expected a whole number from 0"),
        ({"seed": None}, "seed is None, expected a whole number from 0"),
        ({"n_init": 0}, "n_init is 0, expected a whole number from 1"),
        ({"max_iter": True}, "max_iter is True, expected a whole number from 1"),
        ({"tol": float("nan")}, "tol is nan, expected a number from 0"),
        ({"tol": "1e-4"}, "tol is '1e-4', expected a number from 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"epochs": 0}, "epochs is 0"),
        ({"memory_limit": 0}, "memory_limit is 0"),
        ({"checkpoint_every": 0}, "checkpoint_every is 0"),
        ({"stride": 0}, "stride is 0, expected a whole number from 1"),
        ({"min_distance": 3}, "min_distance is 3, expected a number from 0 to 2"),
        ({"algorithm": "elkan"}, "algorithm is 'elkan', expected one of auto, lloyd, minibatch"),
        ({"centring": "hips"}, "centring is 'hips', expected one of root, mean"),
        ({"centring": "mean", "root": "pelvis"}, "centring is 'mean', so root has no meaning"),
        ({"root": "tail"}, "skeleton h36m17 has no joint 'tail'"),
        ({"joints": "pelvis"}, "joints is 'pelvis', expected a list"),
        ({"joints": ("pelvis", "tail")}, "skeleton h36m17 has no joint 'tail'"),
        ({"joints": ("head", "LWrist")}, "root is 'pelvis', which is not among the joints head, LWrist"),
        ({"reference": "unknown"}, "reference is 'unknown', expected one of camera, world, canonical"),
        ({"skeleton": "centaur"}, "there is no skeleton 'centaur'"),
        ({"name": "../escape"}, r"the card: name is '\.\./escape', expected at most 64 letters"),
        ({"split": "two\nlines"}, "the card: split is .*, expected a line of text"),
        ({"sources": ["CMU"]}, "sources holds something else than Source"),
        ({"sources": [Source("CMU", "", "x")]}, r"the card: sources\[0\]\.licence is ''"),
    ],
)
def test_a_setting_that_means_nothing_is_refused_before_any_work(gt, change, message):
    with pytest.raises(UsageError, match=message):
        ClusterBank.build(gt, **{**K, **change}, progress=lambda step: pytest.fail("was built"))


def test_fewer_different_poses_than_clusters_are_refused(gt):
    same = gt[[0, 1, 2] * 5] * np.array([1.0, 2.0, 4.0, 8.0, 0.5] * 3)[:, None, None]
    with pytest.raises(InputError, match="15 poses hold only 3 different ones after normalisation, too few for 4"):
        ClusterBank.build(same, **K)
    with pytest.raises(InputError, match="hold only 3 different ones"):
        ClusterBank.build(same, algorithm="minibatch", **K)


@pytest.mark.parametrize("algorithm", ["lloyd", "minibatch"])
def test_fewer_poses_than_clusters_are_refused(gt, algorithm):
    poses = gt[:5].copy()
    poses[0] = 3.0
    message = r"2 of 5 poses can be clustered, too few for 4 clusters \(2 are thinned out, 0 have masked joints, 1 all"
    with pytest.raises(InputError, match=message):
        ClusterBank.build(poses, stride=2, algorithm=algorithm, **K)


def test_no_poses_are_refused():
    with pytest.raises(InputError, match="0 of 0 poses can be clustered"):
        ClusterBank.build(np.zeros((0, 17, 3)), **K)
    with pytest.raises(InputError, match="gt_poses holds no poses: expected an array"):
        ClusterBank.build([], **K)


def test_a_coordinate_that_is_not_finite_is_named(gt):
    poses = gt.copy()
    poses[77, 2, 0] = np.inf
    with pytest.raises(InputError, match=r"gt_poses\[1\]: pose 77, joint 2 \(RKnee\) is \[inf, "):
        ClusterBank.build([gt, poses], **K)
    with pytest.raises(InputError, match=r"batch 1: pose 77, joint 2 \(RKnee\)"):
        ClusterBank.build_streaming(lambda: [gt, poses], k=4)


def test_a_joint_is_named_by_its_number_in_the_poses_that_were_given(gt):
    poses = gt.copy()
    poses[5, 10, 0] = np.nan
    with pytest.raises(InputError, match=r"gt_poses: pose 5, joint 10 \(head\)"):
        ClusterBank.build(poses, joints=("pelvis", "head"), **K)


def test_sets_of_different_references_are_refused(gt):
    world = PoseSet(gt, skeleton="h36m17", reference="world", source="w")
    with pytest.raises(InputError, match="the poses are in different references \\(camera, world\\)"):
        ClusterBank.build([gt, world], **K)
    with pytest.raises(InputError, match="w is in the world reference, but the bank is in the camera reference"):
        ClusterBank.build(world, reference="camera", **K)


def test_a_set_that_does_not_say_its_reference_is_refused_until_it_is_stated(gt):
    unknown = PoseSet(gt, skeleton="h36m17", source="u.npz")
    with pytest.raises(InputError, match=r"u\.npz does not say its reference, which a bank is built in; state"):
        ClusterBank.build(unknown, **K)
    assert ClusterBank.build(unknown, reference="canonical", **K).layout.reference == "canonical"


def test_batches_that_can_be_read_once_only_are_refused(gt):
    with pytest.raises(UsageError, match="batches is a list, expected a function that returns the batches anew"):
        ClusterBank.build_streaming([gt], k=4)
    once = iter([gt[:200], gt[200:]])
    with pytest.raises(InputError, match="yields other poses than the first time"):
        ClusterBank.build_streaming(lambda: once, k=4)
    with pytest.raises(InputError, match="batches yields no poses"):
        ClusterBank.build_streaming(lambda: [], k=4)
