"""The refinement unit: its network, the errors that it learns from, its training, and what it does to sets of poses."""

from __future__ import annotations

import math

import numpy as np
import pytest

import model_zoo.refiner.errors as measuring
import posebench as pb
from model_zoo.epipolarpose.geometry.depth import to_image_space
from model_zoo.epipolarpose.label_files import write_labels
from model_zoo.epipolarpose.labels import Labels, view_sha256
from model_zoo.refiner.errors import (
    ErrorModel,
    errors_by_labels,
    errors_by_truth,
    nearest,
    read_errors,
    write_errors,
)
from model_zoo.refiner.normal import bone_lengths, centred, refuse_test_subjects, size_of, turned
from posebench.datasets.open4v.motions import synthetic_motion
from posebench.datasets.open4v.retarget import perform
from posebench.errors import InputError, UsageError
from posebench.skeletons import H36M17
from tests.cli.conftest import posebench, refused  # noqa: F401 - a fixture
from tests.support.open4v import stick_body
from tests.support.zoo import Footage, footage, refusals, rewritten

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from model_zoo.refiner import training  # noqa: E402
from model_zoo.refiner.network import Refiner, RefinerConfig, load_refiner, refine, save_refiner  # noqa: E402
from model_zoo.refiner.training import TrainingConfig, material_of, simulated, train  # noqa: E402

SMALL = RefinerConfig(width=16, dropout=0.1)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def moving(subjects: tuple[str, ...], takes: int, frames: int) -> Footage:
    """People who move within the limits of their joints, each of another size."""
    return footage(
        {
            f"{subject}/{subject}_{take:02d}": perform(
                stick_body(0.85 + 0.05 * int(subject[3:])), synthetic_motion(subject, take, frames=frames, fps=1.0)
            ).joints
            for subject in subjects
            for take in range(1, takes + 1)
        }
    )


def pose_set(seen: Footage, poses: np.ndarray | None = None, **facts: object) -> pb.PoseSet:
    stated = {"skeleton": "h36m17", "unit": "mm", "reference": "camera", "origin": "absolute", "source": "poses"}
    keys = {key: getattr(seen, key) for key in ("subject", "sequence", "camera", "frame")}
    extrinsics = np.concatenate([seen.R, seen.t[..., None]], axis=2)
    return pb.PoseSet(seen.poses if poses is None else poses, **{**stated, "extrinsics": extrinsics, **keys, **facts})


def chained(random: np.random.Generator, n: int) -> np.ndarray:
    """Errors (n, 17, 3) as networks make them: what a joint is off by its limb inherits, and depth is worst."""
    own = random.normal(size=(n, 17, 3)) * [15, 15, 30]
    errors = np.zeros_like(own)
    for joint in [1, 4, 7, 2, 5, 8, 3, 6, 9, 11, 14, 10, 12, 15, 13, 16]:
        errors[:, joint] = 0.8 * errors[:, H36M17.parents[joint]] + own[:, joint]
    return errors + np.where(np.arange(17) == 10, 12.0, 0.0)[:, None]


@pytest.fixture(scope="module")
def people() -> Footage:
    return moving(("syn01", "syn02", "syn03", "syn04"), takes=5, frames=20)


@pytest.fixture(scope="module")
def chained_errors(people) -> ErrorModel:
    truth = pose_set(people)
    pred = pose_set(people, people.poses + chained(np.random.default_rng(0), len(people)))
    return errors_by_truth(pred, truth, material_of(truth).lengths())


@pytest.fixture(scope="module")
def trained(people, chained_errors, tmp_path_factory):
    torch.set_num_threads(1)
    config = TrainingConfig(RefinerConfig(width=64, dropout=0.1), epochs=60)
    return train(material_of(pose_set(people)), chained_errors, config, tmp_path_factory.mktemp("run"))


def some_poses(n: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 17, 3)) * 300


def unsettled(width: int = 16) -> Refiner:
    """A unit with random weights everywhere."""
    refiner = Refiner(RefinerConfig(width))
    generator = torch.Generator().manual_seed(1)
    for weight in refiner.parameters():
        torch.nn.init.normal_(weight, 0, 0.3, generator=generator)
    refiner.lengths.fill_(250.0)
    refiner.spread[3 * H36M17.root : 3 * H36M17.root + 3] = 0
    return refiner.eval()


# The network


@pytest.mark.parametrize("width", [256, 1024])
def test_the_unit_has_as_many_parameters_as_its_layers(width: int) -> None:
    def linear(inputs: int, out: int) -> int:
        return inputs * out + out

    block = linear(51, width) + 2 * linear(width, width) + 3 * 2 * width + linear(width, 51)
    with torch.device("meta"):
        unit = Refiner(RefinerConfig(width))
    assert sum(weight.numel() for weight in unit.parameters()) == 2 * block


def test_a_unit_that_has_learned_nothing_leaves_poses_as_they_are() -> None:
    poses = torch.from_numpy(some_poses()).float()
    unit = Refiner(SMALL)
    unit.mean.fill_(17.3)
    unit.spread.fill_(0.7)
    for training_mode in (True, False):
        unit.train(training_mode)
        assert all(torch.equal(out, poses) for out in unit(poses))


def test_coordinates_are_standardised_one_by_one_and_one_without_spread_is_never_corrected() -> None:
    poses, unit = some_poses(), unsettled()
    mean, spread = np.arange(51.0), np.arange(51.0) / 10
    unit.mean.copy_(torch.from_numpy(mean))
    unit.spread.copy_(torch.from_numpy(spread))
    with torch.no_grad():
        given = unit.standardised(torch.from_numpy(poses).float())
        moved = (unit(torch.from_numpy(poses).float())[1].numpy() - poses).reshape(5, 51)
    assert np.allclose(given[:, 1:], ((poses.reshape(5, 51) - mean) / np.maximum(spread, 1e-9))[:, 1:], rtol=1e-4)
    assert np.abs(moved[:, 0]).max() < 1e-4
    assert np.abs(moved[:, 1:]).min(axis=0).min() > 0
    assert np.abs(moved).max() > 0.1


def test_the_first_blocks_pose_does_not_depend_on_the_second_block() -> None:
    unit, poses = unsettled(), torch.from_numpy(some_poses()).float()
    before = [out.detach() for out in unit(poses)]
    torch.nn.init.zeros_(unit.blocks[1].correction.weight)
    torch.nn.init.zeros_(unit.blocks[1].correction.bias)
    after = [out.detach() for out in unit(poses)]
    assert torch.equal(before[0], after[0])
    assert not torch.equal(before[1], after[1])
    assert torch.allclose(after[1], after[0])


@pytest.mark.parametrize("settings", [{"width": 0}, {"width": 2.5}, {"dropout": 1.0}, {"dropout": "half"}])
def test_a_unit_of_no_sense_is_refused(settings: dict) -> None:
    with pytest.raises(UsageError, match="expected a"):
        RefinerConfig(**settings)


# The frame in which poses are refined


def test_the_size_is_the_median_of_the_bones_ratios_weighted_by_length() -> None:
    poses = some_poses(50)
    lengths = np.random.default_rng(1).uniform(80, 500, 16)
    sizes = size_of(poses, lengths)
    for pose, size in zip(poses, sizes, strict=True):
        ratios = [np.linalg.norm(pose[b] - pose[a]) / one for (a, b), one in zip(H36M17.bones, lengths, strict=True)]
        below = sum(one for ratio, one in zip(ratios, lengths, strict=True) if ratio < size - 1e-9)
        above = sum(one for ratio, one in zip(ratios, lengths, strict=True) if ratio > size + 1e-9)
        assert max(below, above) <= lengths.sum() / 2
        assert min(abs(ratio - size) for ratio in ratios) < 1e-12
    assert size_of(7.5 * poses, lengths) == pytest.approx(7.5 * sizes)


def test_turning_about_the_vertical_keeps_heights_and_distances() -> None:
    poses = some_poses()
    axis = np.random.default_rng(2).normal(size=(5, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    moved = turned(poses, axis, np.linspace(0.1, 6, 5))
    assert np.einsum("njk,nk->nj", moved, axis) == pytest.approx(np.einsum("njk,nk->nj", poses, axis))
    assert bone_lengths(moved) == pytest.approx(bone_lengths(poses))
    assert turned(moved, axis, -np.linspace(0.1, 6, 5)) == pytest.approx(poses)
    assert np.abs(moved - poses).max() > 100


# Errors of a base model


def test_errors_are_kept_with_the_poses_that_they_were_made_on(people) -> None:
    truth = pose_set(people)
    lengths = material_of(truth).lengths()
    sizes = np.array([size_of(pose[None], lengths)[0] for pose in people.poses])[:, None, None]
    put = chained(np.random.default_rng(3), len(people))
    model = errors_by_truth(pose_set(people, people.poses + put * sizes + 500), truth, lengths)
    assert model.errors == pytest.approx(put, abs=1e-3)
    assert model.poses == pytest.approx(centred(people.poses) / sizes, abs=1e-3)
    assert size_of(model.poses.astype(float), lengths) == pytest.approx(np.ones(len(people)), rel=1e-6)
    assert model.card["mpjpe"] == pytest.approx(np.linalg.norm(put, axis=-1).mean())
    assert (model.card["poses"], model.card["whole"], model.card["left_out"]) == (len(people), len(people), 0)
    assert (model.card["reference"], model.card["uses_3d"]) == ("ground truth", True)


def test_a_pose_gets_the_errors_of_poses_like_it(people) -> None:
    """Whoever faces the camera is seen too far left, whoever turns his back too far right; nobody else is wrong."""
    truth = pose_set(people)
    hips = people.poses[:, H36M17.index("LHip")] - people.poses[:, H36M17.index("RHip")]
    facing = hips[:, 0] / np.linalg.norm(hips, axis=1)
    side = np.where(facing > 0.6, -1.0, np.where(facing < -0.6, 1.0, 0.0))
    off = np.zeros((len(people), 17, 3))
    off[:, 1:, 0] = 50 * side[:, None]
    lengths = material_of(truth).lengths()
    model = errors_by_truth(pose_set(people, people.poses + off), truth, lengths)
    size = size_of(people.poses, lengths)[:, None, None]
    drawn = np.sign(model.draw(np.random.default_rng(1), centred(people.poses) / size)[:, 5, 0])
    # Did it draw from all alike, it would be right about a side as often as it is the side of any: a third of the time.
    assert (drawn == side)[side != 0].mean() > 0.75
    assert (drawn == 0)[np.abs(facing) < 0.3].mean() > 0.75
    again = model.draw(np.random.default_rng(2), centred(people.poses) / size)[:, 5, 0]
    assert (np.sign(again) != drawn).any()  # not the nearest of all, which would be the same each time
    assert model.draw(np.random.default_rng(1), np.empty((0, 17, 3))).shape == (0, 17, 3)


def test_the_nearest_is_found_as_by_measuring_every_distance() -> None:
    random = np.random.default_rng(3)
    poses, others = random.normal(size=(700, 17, 3)) * 300, random.normal(size=(90, 17, 3)).astype(np.float32) * 300
    distance = np.linalg.norm((poses[:, None] - others).reshape(700, 90, 51), axis=2)
    assert np.array_equal(nearest(poses, others), distance.argmin(axis=1))


def test_of_many_errors_some_are_kept_from_everywhere(people, monkeypatch) -> None:
    monkeypatch.setattr(measuring, "MOST", 150)
    put = chained(np.random.default_rng(3), len(people))
    truth = pose_set(people)
    model = errors_by_truth(pose_set(people, people.poses + put), truth, material_of(truth).lengths())
    assert len(model.errors) == len(model.poses) == 150
    assert model.card["not_looked_at"] == len(people) - 150
    expected = np.linspace(0, len(people) - 1, 150).round().astype(int)
    right = centred(people.poses)[expected]
    assert model.poses == pytest.approx(right / size_of(right, model.lengths)[:, None, None], abs=1e-3)


def labels_of(seen: Footage, poses: np.ndarray) -> Labels:
    """Labels without scale of all pictures in pairs (each picture in two), made of these poses."""
    n = len(seen)
    pictures = np.stack([np.arange(n), np.roll(np.arange(n), 1)], axis=1)
    uvw = to_image_space(poses, seen.K)
    report = {
        "schema": "posebench.labels/1",
        "config": {},
        "pairs": {"offered": n, "labelled": n},
        "view_sha256": view_sha256(seen.view()),
    }
    return Labels(
        pictures,
        uvw[pictures],
        np.ones((n, 17), np.bool_),
        np.zeros((n, 17)),
        np.full((n, 2), np.nan),
        np.zeros((n, 2, 3, 4)),
        np.tile([0.0, 0, 256], (n, 1)),
        report,
    )


def test_errors_against_labels_need_neither_scale_nor_ground_truth(people, chained_errors) -> None:
    labels = labels_of(people, people.poses)
    put = chained(np.random.default_rng(0), len(people))
    order = np.random.default_rng(6).permutation(len(people))
    pred = pose_set(people.take(order), (people.poses + put)[order] / 3000, unit="scale-free")
    model = errors_by_labels(pred, labels, people.view(), chained_errors.lengths)
    assert (model.card["reference"], model.card["uses_3d"]) == ("pseudo-labels", False)
    assert model.card["poses"] == 2 * len(people)
    # What is along the pose itself cannot be told from scale; the rest is as it was put in.
    limits = chained_errors.errors[:, 1:].std(axis=0)
    assert model.errors[:, 1:].std(axis=0) == pytest.approx(limits, rel=0.2)


def test_a_joint_that_a_label_lacks_gets_the_error_of_a_prediction_like_it(people, chained_errors) -> None:
    lengths, wrist = chained_errors.lengths, H36M17.index("LWrist")
    put = np.zeros((len(people), 17, 3))
    put[:, wrist] = [0, 0, 80]  # always too far away, and just that is what half of the labels do not know
    labels = labels_of(people, people.poses)
    labels.known[::2, wrist] = False
    labels.joints[::2, :, wrist] = np.nan
    labels.known[3, :10] = False
    labels.known[5, H36M17.root] = False
    pred = pose_set(people, people.poses + put)
    model = errors_by_labels(pred, labels, people.view(), lengths)
    pairs = len(labels.known)
    assert model.card["poses"] == 2 * (pairs - 2)
    assert model.card["whole"] == 2 * (pairs - len(labels.known[::2]) - 2)
    assert model.card["left_out"] == 4
    assert np.linalg.norm(model.errors[:, wrist], axis=-1) == pytest.approx(80, rel=0.35)
    assert np.isfinite(model.poses).all()
    size = size_of(model.poses.astype(float), lengths)
    assert np.quantile(size, [0.05, 0.95]) == pytest.approx([1, 1], abs=0.1)


def test_the_size_goes_by_the_joints_that_are_known() -> None:
    poses, lengths = some_poses(20), np.random.default_rng(1).uniform(80, 500, 16)
    known = np.ones((20, 17), np.bool_)
    assert np.array_equal(size_of(poses, lengths, known), size_of(poses, lengths))
    known[:, [3, 16]] = False
    kept = [b for b, ends in enumerate(H36M17.bones) if not {3, 16} & set(ends)]
    sizes, ratios = size_of(poses, lengths, known), bone_lengths(poses)[:, kept] / lengths[kept]
    for size, ratio in zip(sizes, ratios, strict=True):
        assert max(lengths[kept][ratio < size].sum(), lengths[kept][ratio > size].sum()) <= lengths[kept].sum() / 2
    poses[:, 3] = 1e9
    assert np.array_equal(size_of(poses, lengths, known), sizes)
    assert np.isinf(size_of(poses, lengths, np.zeros((20, 17), np.bool_))).all()


def test_errors_in_a_file_come_back_as_they_were(chained_errors, tmp_path) -> None:
    write_errors(chained_errors, tmp_path / "errors.npz")
    again = read_errors(tmp_path / "errors.npz")
    for name in ("errors", "poses", "lengths"):
        assert np.array_equal(getattr(again, name), getattr(chained_errors, name))
    assert again.card == chained_errors.card


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("errors", lambda held: held + 1, "contradicts itself"),
        ("errors", lambda held: held[:-1], "contradicts itself"),
        ("poses", lambda held: held + 1, "contradicts itself"),
        ("lengths", lambda held: 0 * held, "contradicts itself"),
        ("lengths", lambda held: held[:5], "contradicts itself"),
        ("errors", lambda held: held * np.float32(np.nan), "expected finite float32 \\(\\*, 17, 3\\)"),
        ("poses", lambda held: held[:, :5], "expected finite float32 \\(\\*, 17, 3\\)"),
        ("poses", lambda held: held.astype(np.float64), "is float64 .*, expected finite float32"),
        ("lengths", lambda held: held[0], "expected finite float64 \\(\\*\\)"),
        ("card", lambda held: np.array("{}"), "is no file of a model's errors"),
    ],
)
def test_a_file_of_errors_that_contradicts_itself_is_refused(chained_errors, tmp_path, name, change, words) -> None:
    path = tmp_path / "errors.npz"
    write_errors(chained_errors, path)
    with np.load(path) as held:
        changed = change(held[name])
    with pytest.raises(InputError, match=words):
        read_errors(rewritten(path, **{name: changed}))


@pytest.mark.slow
def test_damaged_files_of_errors_are_refused_in_one_sentence(chained_errors, tmp_path) -> None:
    write_errors(chained_errors, tmp_path / "errors.npz")
    assert refusals(tmp_path / "errors.npz", read_errors, seed=0) > 1000


def test_errors_of_test_subjects_or_of_too_few_poses_are_refused(people, chained_errors) -> None:
    lengths = chained_errors.lengths
    strangers = pose_set(people, subject=np.where(people.subject == "syn01", "syn05", people.subject))
    with pytest.raises(UsageError, match="holds syn05, on whom models are tested"):
        errors_by_truth(strangers, strangers, lengths)
    few = pose_set(people)[np.arange(50)]
    with pytest.raises(InputError, match="50 poses are whole and have a whole reference \\(ground truth\\), expected"):
        errors_by_truth(few, pose_set(people), lengths)
    with pytest.raises(UsageError, match="has no skeleton that is stated, expected h36m17"):
        errors_by_truth(pose_set(people, skeleton=None), pose_set(people), lengths)


# Training


def test_what_is_learned_from_has_one_size_and_its_errors_and_faces_everywhere(people, chained_errors) -> None:
    material = material_of(pose_set(people))
    rows = np.arange(len(material))
    given, right = simulated(material, rows, chained_errors, np.random.default_rng(7))
    assert size_of(given, chained_errors.lengths) == pytest.approx(np.ones(len(rows)))
    shape = bone_lengths(right) / bone_lengths(material.poses)
    assert np.ptp(shape, axis=1).max() < 1e-9
    wrong = np.linalg.norm(given - right, axis=-1).mean()
    assert wrong == pytest.approx(chained_errors.card["mpjpe"], rel=0.15)
    # Heights above the root are kept, as the camera sees the vertical; facing directions are spread evenly.
    height = np.einsum("njk,nk->nj", right, material.upright)
    before = np.einsum("njk,nk->nj", material.poses, material.upright)
    assert height == pytest.approx(before * shape[:, :1])
    hips = right[:, H36M17.index("LHip")] - right[:, H36M17.index("RHip")]
    assert np.abs((hips / np.linalg.norm(hips, axis=1, keepdims=True))[:, [0, 2]].mean(axis=0)).max() < 0.06


def test_the_vertical_is_the_worlds_as_the_cameras_see_it(people) -> None:
    assert material_of(pose_set(people)).upright == pytest.approx(people.R[:, :, 1])
    assert np.array_equal(material_of(pose_set(people, extrinsics=None)).upright[0], [0, -1, 0])


def test_poses_of_strangers_get_better(trained, people) -> None:
    seen = moving(("syn05",), takes=3, frames=20)
    truth = pose_set(seen)
    pred = pose_set(seen, seen.poses + chained(np.random.default_rng(8), len(seen)))
    refined = refine(pred, trained.refiner)
    for metric in (pb.mpjpe, pb.pmpjpe):
        before, after = (metric(centred(each.poses), centred(truth.poses)) for each in (pred, refined))
        assert after < 0.9 * before
    assert trained.validation["after"]["PMPJPE"] < 0.9 * trained.validation["before"]["PMPJPE"]


def test_a_run_that_was_killed_ends_with_the_same_weights(people, chained_errors, tmp_path, monkeypatch) -> None:
    material, config = material_of(pose_set(people)), TrainingConfig(SMALL, epochs=4)
    monkeypatch.setattr(training, "_CHECKPOINT_STEPS", 1)
    train(material, chained_errors, config, tmp_path / "whole")
    step, taken = training._Training._step, []

    def killed(self, *arguments):
        taken.append(1)
        if len(taken) == 60:  # in the midst of the third epoch
            raise SystemExit
        return step(self, *arguments)

    monkeypatch.setattr(training._Training, "_step", killed)
    with pytest.raises(SystemExit):
        train(material, chained_errors, config, tmp_path / "killed")
    assert not (tmp_path / "killed" / "refiner.safetensors").exists()
    torch.manual_seed(99)
    train(material, chained_errors, config, tmp_path / "killed")
    assert len(taken) < 2 * 60 + 40
    for name in ("refiner.safetensors", "log.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_training_leaves_the_random_numbers_of_others_alone(people, chained_errors, tmp_path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(material_of(pose_set(people)), chained_errors, TrainingConfig(SMALL, epochs=1), tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_the_rate_falls_as_the_paper_says(people, chained_errors, tmp_path) -> None:
    config = TrainingConfig(SMALL, epochs=2, decay_steps=10)
    train(material_of(pose_set(people)), chained_errors, config, tmp_path)
    rows = [line.split(",") for line in (tmp_path / "log.csv").read_text().splitlines()[1:]]
    for row in rows:
        assert float(row[2]) == pytest.approx(1e-3 * 0.96 ** ((int(row[1]) - 1) / 10), rel=1e-5)
    assert len(rows) == 2


def test_held_out_sequences_are_not_learned_from(people, chained_errors, tmp_path, monkeypatch) -> None:
    material, used = material_of(pose_set(people)), set()
    draw = training.simulated

    def watched(material, rows, errors, random):
        used.add(frozenset(material.sequence[rows].tolist()))
        return draw(material, rows, errors, random)

    monkeypatch.setattr(training, "simulated", watched)
    train(material, chained_errors, TrainingConfig(SMALL, epochs=2, held_out=0.2), tmp_path)
    held = next(names for names in used if len(names) == 4 and all(not names & other for other in used - {names}))
    assert set().union(*used - {held}) == set(material.sequence.tolist()) - held


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"subject": "syn06"}, UsageError, "poses: holds syn06, on whom models are tested"),
        ({"subject": "S9"}, UsageError, "holds S9, on whom"),
        ({"subject": None}, InputError, "does not say subjects and sequences"),
        ({"reference": "world"}, UsageError, "its poses are in world coordinates, expected those of the camera"),
        ({"valid": np.zeros((1600, 17), np.bool_)}, InputError, "has no whole pose"),
    ],
)
def test_material_that_must_not_or_cannot_be_learned_from_is_refused(people, change, error, words) -> None:
    with pytest.raises(error, match=words):
        material_of(pose_set(people, **change))


def test_every_test_subject_of_open4v_is_refused() -> None:
    for subject in ("cmu02", "cmu08", "cmu09", "hdm05mm", "hdm05tr", "syn05", "syn06"):
        with pytest.raises(UsageError, match=subject):
            refuse_test_subjects(["cmu01", subject], "pred.npz")


def test_a_folder_of_another_run_or_a_damaged_checkpoint_is_refused(people, chained_errors, tmp_path) -> None:
    material = material_of(pose_set(people))
    train(material, chained_errors, TrainingConfig(SMALL, epochs=1), tmp_path)
    with pytest.raises(UsageError, match="is of a run with other poses, errors or settings"):
        train(material, chained_errors, TrainingConfig(SMALL, epochs=1, seed=1), tmp_path)
    checkpoint = tmp_path / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"checkpoint\.pt: is no whole checkpoint"):
        train(material, chained_errors, TrainingConfig(SMALL, epochs=1), tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: cannot be written"):
        train(material, chained_errors, TrainingConfig(SMALL, epochs=1), tmp_path / "file")


def test_one_sequence_alone_is_refused(people, chained_errors, tmp_path) -> None:
    one = people.take(np.flatnonzero(people.sequence == "syn01_01"))
    with pytest.raises(InputError, match="80 poses of 1 sequences, expected 4 of 2 or more"):
        train(material_of(pose_set(one)), chained_errors, TrainingConfig(SMALL), tmp_path)


@pytest.mark.parametrize("settings", [{"epochs": 0}, {"batch": 1}, {"learning_rate": math.nan}, {"held_out": 1.0}])
def test_settings_of_no_sense_are_refused(settings: dict) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(settings))} is .*, expected a"):
        TrainingConfig(**settings)


# Sets of poses


@pytest.mark.parametrize(("unit", "factor"), [("m", 1e-3), ("scale-free", 0.37)])
def test_units_and_poses_without_scale_are_the_same_to_the_unit(unit: str, factor: float) -> None:
    poses = some_poses() + [100, 200, 4000]
    mm = refine(pb.PoseSet(poses, skeleton="h36m17", unit="mm"), unsettled())
    other = refine(pb.PoseSet(poses * factor, skeleton="h36m17", unit=unit), unsettled())
    assert other.unit == unit
    assert other.poses / factor == pytest.approx(mm.poses, abs=1e-2)
    assert np.abs(mm.poses - poses).max() > 1


def test_roots_keys_and_types_stay(people) -> None:
    given = pose_set(people, people.poses.astype(np.float32))
    refined = refine(given, unsettled())
    assert np.array_equal(refined.poses[:, 0], given.poses[:, 0])
    assert refined.poses.dtype == np.float32
    assert (refined.unit, refined.reference, refined.origin) == ("mm", "camera", "absolute")
    assert np.array_equal(refined.frame, given.frame)
    assert np.array_equal(refined.sequence.values, given.sequence.values)
    relative = refine(given.replace(poses=centred(given.poses), origin="root"), unsettled())
    assert relative.poses == pytest.approx(centred(refined.poses), abs=0.5)


def test_a_pose_does_not_depend_on_those_beside_it() -> None:
    poses = some_poses(9)
    whole = refine(pb.PoseSet(poses, skeleton="h36m17"), unsettled()).poses
    alone = refine(pb.PoseSet(poses[4:5], skeleton="h36m17"), unsettled()).poses
    assert alone[0] == pytest.approx(whole[4], abs=1e-2)


def test_poses_that_lack_a_joint_stay_as_they_are_and_are_counted() -> None:
    poses = some_poses()
    poses[1, 3] = np.nan
    poses[3] = 0
    valid = np.ones((5, 17), np.bool_)
    valid[2, 8] = False
    refined = refine(pb.PoseSet(poses, skeleton="h36m17", valid=valid), unsettled())
    assert np.array_equal(refined.poses[1:4], poses[1:4], equal_nan=True)
    assert not np.isclose(refined.poses[[0, 4], 1:], poses[[0, 4], 1:]).all()
    assert refined.notes == ("refined: 2 of 5 poses; the others lack a joint and stay as they were",)


def test_poses_of_another_kind_are_refused() -> None:
    with pytest.raises(UsageError, match="array: has 3dhp17, expected h36m17; posebench convert"):
        refine(pb.PoseSet(some_poses(), skeleton="3dhp17"), unsettled())
    with pytest.raises(UsageError, match="its poses are in world coordinates"):
        refine(pb.PoseSet(some_poses(), skeleton="h36m17", reference="world"), unsettled())


# Files


def test_a_unit_in_a_file_refines_as_before(trained, people, tmp_path) -> None:
    given = pose_set(people)
    expected = refine(given, trained.refiner).poses
    save_refiner(tmp_path / "whole.safetensors", trained.refiner, half=False)
    assert np.array_equal(refine(given, load_refiner(tmp_path / "whole.safetensors")).poses, expected)
    half = refine(given, load_refiner(trained.path)).poses
    assert np.abs(half - expected).max() < 2


def test_weights_that_are_not_those_of_a_unit_are_refused(tmp_path) -> None:
    from dataclasses import asdict

    from model_zoo.weights import save_weights

    unit, path = unsettled(), tmp_path / "unit.safetensors"
    header = {"model": "refiner", "config": asdict(unit.config), "notes": {}}
    wrong = [
        ({**header, "model": "posenet"}, "holds no refiner; its header says 'posenet'"),
        ({**header, "config": {"width": 16}}, "must have exactly width, dropout"),
        ({**header, "config": {"width": 0, "dropout": 0.5}}, "header's config: width is 0"),
        ({**header, "config": {"width": 8192, "dropout": 0.5}}, "not those of a unit of width 8192"),
    ]
    for stated, words in wrong:
        save_weights(path, unit, stated, half=False)
        with pytest.raises(InputError, match=words):
            load_refiner(path)
    unit.spread.fill_(-1.0)
    save_refiner(path, unit)
    with pytest.raises(InputError, match="the statistics in it are not those of poses"):
        load_refiner(path)


# The command line


def test_a_unit_is_trained_and_used_from_the_command_line(posebench, people, tmp_path, monkeypatch) -> None:  # noqa: F811
    monkeypatch.chdir(tmp_path)
    few = people.take(np.flatnonzero(np.char.endswith(people.sequence, "1") & (people.frame < 10)))
    few.write(tmp_path / "data")
    pb.write(pose_set(few, few.poses + chained(np.random.default_rng(0), len(few))), "pred.npz")
    labels = labels_of(few, few.poses)
    labels.report["config"].update({"extrinsics": "estimated"})
    write_labels(labels, "labels.npz")
    small = ("--width", 16, "--epochs", 2, "--batch", 16)
    for reference, words in (("truth", "ground truth (uses 3D)"), ("labels.npz", "against pseudo-labels\n")):
        command = ("zoo", "train-refiner", "--data", "data", "--pred", "pred.npz", "--reference", reference)
        run = posebench(*command, *small, "-o", reference[:5])
        assert run.code == 0, run.err
        assert words in run.out
        assert read_errors(tmp_path / reference[:5] / "errors.npz").card["uses_3d"] == (reference == "truth")
    run = posebench("zoo", "refine", "--pred", "pred.npz", "--weights", "truth/refiner.safetensors", "-o", "out.npz")
    assert (run.code, run.out) == (0, "refined: 160 of 160 poses\n")
    expected = refine(pb.read("pred.npz"), load_refiner("truth/refiner.safetensors"))
    assert np.array_equal(pb.read("out.npz").poses, expected.poses)
    refused(posebench(*command[:-1], "2d", "-o", "run"), "--reference 2d: expected truth, or a file of labels")
    clash = posebench("zoo", "refine", "--pred", "pred.npz", "--weights", "pred.npz", "-o", "pred.npz")
    refused(clash, "pred.npz: cannot be written: it is the input")
    refused(posebench("zoo", "refine", "--pred", "pred.npz", "--weights", "pred.npz", "-o", "o.npz"), "safetensors")


@pytest.mark.parametrize("command", ["refine", "train-refiner"])
def test_help_does_not_wait_for_torch(command: str) -> None:
    from tests.support.loading import loaded_by

    code = f"import sys; sys.argv = ['posebench', 'zoo', '{command}', '--help']; from posebench.cli import main; main()"
    assert loaded_by(code).isdisjoint({"torch", "numpy", "model_zoo"})
