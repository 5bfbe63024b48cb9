"""Training of both branches on painted figures: it learns, goes on where it was, and sees no label it must not."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("cv2")

from model_zoo.configs import TrainingConfig, load_config  # noqa: E402
from model_zoo.epipolarpose.detections import true_joints  # noqa: E402
from model_zoo.epipolarpose.label_files import read_labels, write_labels  # noqa: E402
from model_zoo.epipolarpose.labels import LabelConfig, make_labels  # noqa: E402
from model_zoo.epipolarpose.loop import Where  # noqa: E402
from model_zoo.epipolarpose.losses import heat_loss, joint_loss  # noqa: E402
from model_zoo.epipolarpose.network import PoseNet, load_network, save_network  # noqa: E402
from model_zoo.epipolarpose.pretraining import detect_joints, head_sizes, pretrain, whole_box  # noqa: E402
from model_zoo.epipolarpose.run_folder import runs_folder  # noqa: E402
from model_zoo.epipolarpose.softargmax import soft_argmax_2d, soft_argmax_3d  # noqa: E402
from model_zoo.epipolarpose.supervision import of_subjects, supervised_labels  # noqa: E402
from model_zoo.epipolarpose.training import train  # noqa: E402
from model_zoo.weights import read_weights  # noqa: E402
from posebench.datasets.views import MultiViewSet, open_unlabelled  # noqa: E402
from posebench.errors import InputError, UsageError  # noqa: E402
from tests.support.painted import paint  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
#: Milliseconds a step.
SMALL = "network: {backbone: efficientnet-lite0, side: 32, depth: 8, channels: 16}\nthreads: 1\nlog_steps: 2\n"
SIX_STEPS = "epochs: 3\npictures_per_epoch: 16\nbatch: 8\ndrops: [2]\nheld_out: 0.25\n"


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Four sequences of two subjects by two cameras, and single pictures with joints in 2D."""
    folder = tmp_path_factory.mktemp("painted")
    paint(folder, "train")
    return paint(folder, "pretrain2d", cameras=1, frames=4, seed=1, flat=True)


def config(tmp_path: Path, base: str, text: str = "", name: str = "mine") -> TrainingConfig:
    path = tmp_path / f"{name}.yaml"
    path.write_text(f"extends: {base}\n{SMALL}{text or SIX_STEPS}")
    return load_config(path)


def labels_of(data: Path, **settings):
    dataset = MultiViewSet(data, "train")
    view = open_unlabelled(data, "train", with_extrinsics=True)
    return make_labels(view, true_joints(dataset), LabelConfig(extrinsics="known", **settings))


def weights(path: Path) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in read_weights(path).tensors.items()}


def losses(folder: Path) -> list[float]:
    with (folder / "log.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


# The loss


def test_the_loss_is_a_square_near_and_a_line_afar_over_known_joints() -> None:
    random = np.random.default_rng(0)
    found, wanted = random.normal(0, 20, (2, 5, 17, 3))
    known = random.random((5, 17)) > 0.3
    away = np.abs(found - wanted)[known] / 64
    expected = np.where(away < 0.1, away**2 / 0.2, away - 0.05).sum()
    for kind, near in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        joints = (torch.from_numpy(each).to(kind) for each in (found, wanted))
        got = joint_loss(*joints, torch.from_numpy(known), side=64, beta=0.1)
        assert got.item() == pytest.approx(expected, rel=near)
        assert got.dtype == kind


def test_an_unknown_joint_has_no_gradient() -> None:
    found = torch.ones(1, 2, 3, requires_grad=True)
    joint_loss(found, torch.zeros(1, 2, 3), torch.tensor([[True, False]]), side=8, beta=0.1).backward()
    assert (found.grad[0, 0] > 0).all()
    assert (found.grad[0, 1] == 0).all()


def test_a_loss_of_shapes_that_do_not_fit_is_refused() -> None:
    one = torch.zeros(1, 2, 3)
    with pytest.raises(UsageError, match=r"shapes \(1, 2, 3\) and \(1, 2, 2\)"):
        joint_loss(one, one[..., :2], torch.ones(1, 2, dtype=torch.bool), side=8, beta=0.1)
    with pytest.raises(UsageError, match="beta is 0"):
        joint_loss(one, one, torch.ones(1, 2, dtype=torch.bool), side=8, beta=0.0)


def gaussian_map(u: float, v: float, cells: int, side: int, sigma: float) -> torch.Tensor:
    """Logits (1, 1, 1, cells, cells) of a Gaussian about a place in px of the crop."""
    centre = side / cells * (torch.arange(cells) + 0.5) - 0.5
    across, down = (-(((centre - at) * cells / side) ** 2) / (2 * sigma**2) for at in (u, v))
    return (down[:, None] + across)[None, None, None]


def test_heat_maps_are_held_against_gaussians_about_the_label() -> None:
    wanted, known = torch.tensor([[[30.0, 21.0]]]), torch.ones(1, 1, dtype=torch.bool)

    def loss_at(u: float, v: float, sigma: float = 1.0) -> float:
        joints = soft_argmax_2d(gaussian_map(u, v, 16, 64, sigma), side=64)
        return heat_loss(joints, wanted, known, side=64, depth_boxes=1.0, cells=1.0).item()

    assert loss_at(30, 21) == pytest.approx(0, abs=1e-5)
    # Between Gaussians of one size: the squared distance in cells over twice the variance, here (6 / 4)² / 2.
    assert loss_at(36, 21) == pytest.approx(1.125, rel=1e-3)
    assert loss_at(30, 21, 1.5) > 0.1


def test_heat_in_three_dimensions_counts_depth_besides() -> None:
    heatmaps = torch.zeros(1, 1, 8, 16, 16)
    known = torch.ones(1, 1, dtype=torch.bool)
    flat = soft_argmax_3d(heatmaps, side=64)
    plane = heat_loss(flat, torch.zeros(1, 1, 2) + 31.5, known, side=64, depth_boxes=1.0, cells=1.0)
    both = heat_loss(flat, torch.tensor([[[31.5, 31.5, 0.0]]]), known, side=64, depth_boxes=1.0, cells=1.0)
    cells = torch.arange(8) - 3.5
    gaussian = torch.softmax(-(cells**2) / 2, 0)
    assert (both - plane).item() == pytest.approx((gaussian * (gaussian * 8).log()).sum().item(), rel=1e-4)


def test_an_unknown_joint_has_no_heat() -> None:
    heatmaps = torch.randn(1, 2, 4, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    known = torch.tensor([[True, False]])
    joints = soft_argmax_3d(heatmaps, side=32)
    heat_loss(joints, torch.zeros(1, 2, 3), known, side=32, depth_boxes=1.0, cells=1.0).backward()
    assert heatmaps.grad[0, 0].abs().sum() > 0
    assert heatmaps.grad[0, 1].abs().sum() == 0
    with pytest.raises(UsageError, match="deviation of heat maps is 0"):
        heat_loss(joints, torch.zeros(1, 2, 3), known, side=32, depth_boxes=1.0, cells=0.0)
    with pytest.raises(UsageError, match=r"\(1, 2, 3\) and \(1, 3, 3\)"):
        heat_loss(joints, torch.zeros(1, 3, 3), known, side=32, depth_boxes=1.0, cells=1.0)


# Supervision


def test_supervised_labels_are_the_poses_of_the_data_set(data, tmp_path) -> None:
    dataset = MultiViewSet(data, "train")
    made = supervised_labels(dataset)
    assert made.report["uses_3d"] is True
    poses = dataset.ground_truth().poses.astype(float)
    np.testing.assert_allclose(made.joints[:, 0, :, :2], dataset.joints, atol=1e-3)
    focal = dataset.intrinsics[:, 0, 0]
    expected = (poses[..., 2] - poses[:, :1, 2]) * (focal / poses[:, 0, 2])[:, None]
    np.testing.assert_allclose(made.joints[:, 0, :, 2], expected, atol=1e-6)
    write_labels(made, tmp_path / "labels.npz")
    assert read_labels(tmp_path / "labels.npz", dataset.unlabelled()).report == made.report


def test_labels_of_two_dimensions_cannot_supervise_three(data) -> None:
    with pytest.raises(InputError, match="labels in 2D alone"):
        supervised_labels(MultiViewSet(data, "pretrain2d"))


def test_an_unknown_subject_is_refused() -> None:
    with pytest.raises(InputError, match="nothing of p9 to learn from; there are p0, p1"):
        of_subjects(np.array(["p0/s", "p1/s"]), ["p9"])


# The whole


def test_from_2d_labels_over_detections_and_labels_to_the_3d_branch(data, tmp_path) -> None:
    more = "epochs: 3\npictures_per_epoch: 160\nbatch: 8\ndrops: [2]\nheld_out: 0.25\n"
    quiet = more + "augmentation: {rotation_share: 0.0, cover_share: 0.0, scale: [1.0, 1.0]}\nrate: 0.003\n"
    first = pretrain(
        MultiViewSet(data, "pretrain2d"), config(tmp_path, "open4v-tiny-2d", quiet), tmp_path / "2d",
        crops=tmp_path / "crops",
    )  # fmt: skip
    fallen = losses(tmp_path / "2d")
    assert np.mean(fallen[-5:]) < 0.6 * np.mean(fallen[:3])
    assert first.figure.startswith("PCKh")
    assert 0 <= first.value <= 100
    view = open_unlabelled(data, "train", with_extrinsics=True)
    network = load_network(first.weights)
    found = detect_joints(network, view, source="2D branch", batch=5)
    near = np.linalg.norm(found.points - MultiViewSet(data, "train").joints, axis=-1)
    assert np.median(near) < 12  # of 64 px: half as far as the middle of the picture is
    assert (found.confidence > 0).all()
    made = make_labels(view, found, LabelConfig(extrinsics="known", min_confidence=0.0, min_joints=2, outlier=1000.0))
    assert len(made) > 0
    third = train(
        view, made, config(tmp_path, "open4v-tiny-ss", quiet, "three"), tmp_path / "3d", start=first.weights,
        crops=tmp_path / "crops",
    )  # fmt: skip
    fallen = losses(tmp_path / "3d")
    assert np.mean(fallen[-5:]) < 0.7 * np.mean(fallen[:3])
    notes = read_weights(third.weights).header["notes"]
    assert notes["facts"]["uses_3d"] is False
    assert notes["selected_by"]["value"] == pytest.approx(third.value)


def test_parts_that_are_fixed_stay_as_they_began_to_their_statistics(data, tmp_path) -> None:
    view, labels = open_unlabelled(data, "train", with_extrinsics=True), labels_of(data)
    settings = config(tmp_path, "open4v-tiny-ss", SIX_STEPS + "fixed_parts: 3\n")
    # Depth of another reach is no other network to the 2D branch.
    start = PoseNet(replace(settings.network, depth_boxes=2.0), seed=5)
    save_network(tmp_path / "start.safetensors", start, half=False)
    done = train(
        view, labels, settings, tmp_path / "run", start=tmp_path / "start.safetensors", crops=tmp_path / "crops"
    )
    trained = load_network(done.weights)
    assert trained.config == settings.network
    fixed = {
        id(tensor) for part in trained.backbone.parts()[:3] for m in part for tensor in (*m.parameters(), *m.buffers())
    }
    before = start.state_dict()
    for name, tensor in trained.state_dict(keep_vars=True).items():
        if name.endswith("num_batches_tracked"):
            continue
        assert torch.equal(tensor, before[name]) is (id(tensor) in fixed), name


def test_an_unfrozen_branch_keeps_its_last_weights_and_reports_how_spread_joints_are(data, tmp_path) -> None:
    view, labels = open_unlabelled(data, "train", with_extrinsics=True), labels_of(data)
    settings = config(tmp_path, "open4v-tiny-ss", f"{SIX_STEPS}kind: unfrozen\nthrough: true\n")
    done = train(view, labels, settings, tmp_path / "run", crops=tmp_path / "crops")
    assert done.figure == "spread of the joints, % of the box"
    assert (done.step, done.steps) == (6, 6)
    assert not (tmp_path / "run" / "best.safetensors").exists()
    facts = read_weights(done.weights).header["notes"]["facts"]
    assert facts["through"] is True
    # A network that has learnt nothing has all its joints in the middle.
    assert facts["spread_at_the_start"] == pytest.approx(0, abs=1e-3)


def test_full_supervision_learns_one_subject_and_says_what_it_used(data, tmp_path) -> None:
    dataset = MultiViewSet(data, "train")
    done = train(
        dataset.unlabelled(), supervised_labels(dataset),
        config(tmp_path, "open4v-tiny-fs", SIX_STEPS.replace("0.25", "0.5") + "subjects: [p1]\n"), tmp_path / "run",
        crops=tmp_path,
    )  # fmt: skip
    facts = read_weights(done.weights).header["notes"]["facts"]
    assert facts["uses_3d"] is True
    assert (facts["examples"], facts["set_aside"]) == (6, 6)  # of p1: two sequences, three instants, two cameras
    assert json.loads((tmp_path / "run" / "run.json").read_text())["facts"] == facts


def test_self_supervised_training_gives_the_same_where_all_labels_are_gone(data, tmp_path) -> None:
    made = labels_of(data)
    settings = config(tmp_path, "open4v-tiny-ss")
    bare = tmp_path / "bare"
    shutil.copytree(data, bare)
    shutil.rmtree(bare / "labels")
    for folder in (data, bare):
        train(
            open_unlabelled(folder, "train"),
            made,
            settings,
            tmp_path / folder.name,
            crops=tmp_path / f"{folder.name}-c",
        )
    one, other = (weights(tmp_path / folder.name / "network.safetensors") for folder in (data, bare))
    assert one == other


def test_the_seed_alone_decides_and_another_one_decides_otherwise(data, tmp_path) -> None:
    made, view = labels_of(data, combine="median"), open_unlabelled(data, "train")
    settings = config(tmp_path, "open4v-tiny-ss")
    results = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        done = train(view, made, load_config(tmp_path / "mine.yaml", seed=seed), tmp_path / name, crops=tmp_path / "c")
        results.append(weights(done.weights))
    assert settings.seed == 0
    assert results[0] == results[1]
    assert results[0] != results[2]


# Going on


DYING = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from model_zoo.configs import load_config
from model_zoo.epipolarpose.label_files import read_labels
from model_zoo.epipolarpose.training import train
from posebench.datasets.views import open_unlabelled
data, place, step = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
def told(done, total, words):
    if words.startswith("epoch") and done == step:
        os.kill(os.getpid(), signal.SIGKILL)
view = open_unlabelled(data, "train")
train(view, read_labels(place / "labels.npz", view), load_config(place / "mine.yaml"), place / "killed",
      crops=place / "crops", progress=told)
"""


def test_a_run_that_was_killed_ends_in_the_same_weights_to_the_last_bit(data, tmp_path) -> None:
    made, view = labels_of(data), open_unlabelled(data, "train")
    settings = config(tmp_path, "open4v-tiny-ss", SIX_STEPS + "checkpoint_steps: 2\n")
    write_labels(made, tmp_path / "labels.npz")
    whole = train(view, made, settings, tmp_path / "whole", crops=tmp_path / "crops")
    ended = subprocess.run(
        [sys.executable, "-c", DYING, str(data), str(tmp_path), "5"], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert read_weights(tmp_path / "killed" / "checkpoint.safetensors").header["progress"]["step"] == "4"
    assert not (tmp_path / "killed" / "network.safetensors").exists()
    steps = []
    again = train(
        view, made, settings, tmp_path / "killed", crops=tmp_path / "crops", progress=lambda *a: steps.append(a[0])
    )
    assert steps == [5, 6]
    assert weights(again.weights) == weights(whole.weights)
    assert (again.value, again.step) == (whole.value, whole.step)
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")


def test_ctrl_c_keeps_the_state_and_the_log_goes_on(data, tmp_path) -> None:
    made, view = labels_of(data), open_unlabelled(data, "train")
    settings = config(tmp_path, "open4v-tiny-ss")
    whole = train(view, made, settings, tmp_path / "whole", crops=tmp_path / "crops")

    def pressing(done: float, total: float, words: str) -> None:
        if words.startswith("epoch") and done == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(view, made, settings, tmp_path / "stopped", crops=tmp_path / "crops", progress=pressing)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert read_weights(tmp_path / "stopped" / "checkpoint.safetensors").header["progress"]["step"] == "3"
    again = train(view, made, settings, tmp_path / "stopped", crops=tmp_path / "crops")
    assert weights(again.weights) == weights(whole.weights)
    assert losses(tmp_path / "stopped") == losses(tmp_path / "whole")
    # And once more, when there is nothing left to do.
    assert weights(train(view, made, settings, tmp_path / "stopped", crops=tmp_path / "crops").weights) == weights(
        whole.weights
    )


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_refused(data, tmp_path) -> None:
    made, view = labels_of(data), open_unlabelled(data, "train")
    train(view, made, config(tmp_path, "open4v-tiny-ss"), tmp_path / "run", crops=tmp_path / "crops")
    with pytest.raises(InputError, match="is of a run with another configuration"):
        train(
            view, made, config(tmp_path, "open4v-tiny-ss", SIX_STEPS + "beta: 0.5\n", "other"), tmp_path / "run",
            crops=tmp_path / "crops",
        )  # fmt: skip
    path = tmp_path / "run" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="is no whole safetensors file"):
        train(view, made, load_config(tmp_path / "mine.yaml"), tmp_path / "run", crops=tmp_path / "crops")
    shutil.copy(tmp_path / "run" / "network.safetensors", path)
    with pytest.raises(InputError, match="is no checkpoint of training"):
        train(view, made, load_config(tmp_path / "mine.yaml"), tmp_path / "run", crops=tmp_path / "crops")


def test_a_loss_that_is_no_number_ends_the_run(data, tmp_path) -> None:
    wild = config(tmp_path, "open4v-tiny-ss", SIX_STEPS + "rate: 1.0\n")
    made, view = labels_of(data), open_unlabelled(data, "train")
    network = PoseNet(wild.network)
    with torch.no_grad():
        network.head[0].weight.fill_(3e38)
    save_network(tmp_path / "start.safetensors", network, half=False)
    with pytest.raises(InputError, match="the loss is nan after step 2; lower the rate"):
        train(view, made, wild, tmp_path / "run", start=tmp_path / "start.safetensors", crops=tmp_path / "crops")
    assert not (tmp_path / "run" / "network.safetensors").exists()


# What does not fit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("labels: {joints: found}", "for labels whose joints are found, and those of these are truth"),
        ("labels: {extrinsics: estimated}", "for labels whose extrinsics are estimated, and those of these are known"),
        ("kind: full", "learns from ground truth in 3D, and the labels are from ground truth"),
        ("kind: 2d", "is a configuration for the 2D branch; run posebench zoo pretrain2d"),
        ("batch: 3", "a batch of 3 pictures cannot be split among 1 processes, 2 pictures at once"),
    ],
)
def test_labels_of_another_kind_than_the_configuration_is_for_are_refused(
    text: str, message: str, data, tmp_path
) -> None:
    with pytest.raises(UsageError, match=message):
        train(
            open_unlabelled(data, "train"), labels_of(data),
            config(tmp_path, "open4v-tiny-ss", "held_out: 0.25\n" + text), tmp_path / "run", crops=tmp_path,
        )  # fmt: skip


def test_beginnings_that_do_not_fit_are_refused(data, tmp_path) -> None:
    settings, made, view = config(tmp_path, "open4v-tiny-ss"), labels_of(data), open_unlabelled(data, "train")
    save_network(tmp_path / "w.safetensors", PoseNet(load_config("open4v-tiny-ss").network))
    with pytest.raises(UsageError, match=r"is a network with PoseNetConfig.*side=64.*and mine is for"):
        train(view, made, settings, tmp_path / "run", start=tmp_path / "w.safetensors", crops=tmp_path)
    with pytest.raises(UsageError, match="with the 2D branch or with a backbone, not with both"):
        train(view, made, settings, tmp_path / "run", start=tmp_path / "w", backbone=tmp_path / "b", crops=tmp_path)
    with pytest.raises(UsageError, match="of 24 pictures that are not the 16 of the view"):
        train(open_unlabelled(data, "pretrain2d"), made, settings, tmp_path / "run", crops=tmp_path)
    with pytest.raises(UsageError, match="is a configuration for the 3D branch; run posebench zoo train"):
        pretrain(MultiViewSet(data, "pretrain2d"), settings, tmp_path / "run", crops=tmp_path)


def test_a_device_that_is_not_there_is_named(data, tmp_path) -> None:
    with pytest.raises(UsageError, match="training on 1 × abacus is not possible here"):
        train(
            open_unlabelled(data, "train"), labels_of(data), config(tmp_path, "open4v-tiny-ss"), tmp_path / "run",
            crops=tmp_path, where=Where("abacus"),
        )  # fmt: skip


# The 2D branch at work


def test_found_joints_are_in_px_of_the_picture_whatever_box_they_were_found_in(data) -> None:
    view = open_unlabelled(data, "train")

    class Bright(PoseNet):
        """Finds every joint where the picture is brightest, and is sure of it."""

        def forward(self, crops):
            bright = crops.float().sum(1)
            heat = torch.nn.functional.avg_pool2d(bright[:, None], 4)
            return 50 * heat[:, :, None].expand(-1, 17, 2, -1, -1)

    pictures = []
    for i, (x, y) in enumerate([(14, 30), (40, 18), (25, 50)]):
        picture = np.zeros((64, 96 if i else 64, 3), np.uint8)
        picture[y - 1 : y + 3, x - 1 : x + 3] = 250
        pictures.append(picture)
    dark = type(view)(lambda i: pictures[i], ["s"] * 3, ["c"] * 3, np.arange(3), np.broadcast_to(np.eye(3), (3, 3, 3)))
    found = detect_joints(Bright(load_config("open4v-tiny-2d").network), dark, source="bright", batch=2)
    # All joints lie in one place, whose box is none: the first pass stands, of which a cell is 4 or 6 px.
    expected = np.array([[14.5, 30.5], [40.5, 18.5], [25.5, 50.5]])
    assert np.abs(found.points - expected[:, None]).max() < 3
    assert whole_box((64, 96, 3)).tolist() == [-0.5, -16.5, 96]


def test_heads_are_as_large_as_thorax_and_top_are_apart() -> None:
    joints = np.zeros((3, 17, 2))
    joints[0, 10], joints[1, 10], joints[2, 8] = (6, 8), (0.1, 0), np.nan
    assert head_sizes(joints, 64).tolist() == pytest.approx([6.0, 3.2, np.nan], nan_ok=True)


def test_runs_lie_where_the_variable_says(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("POSEBENCH_RUNS", str(tmp_path))
    assert runs_folder() == tmp_path
    monkeypatch.delenv("POSEBENCH_RUNS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert runs_folder() == tmp_path / "posebench" / "runs"


# Several processes


TWO = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from model_zoo.configs import load_config
from model_zoo.epipolarpose.label_files import read_labels
from model_zoo.epipolarpose.loop import Where
from model_zoo.epipolarpose.training import train
from posebench.datasets.views import open_unlabelled
data, place = Path(sys.argv[1]), Path(sys.argv[2])
view = open_unlabelled(data, "train")
train(view, read_labels(place / "labels.npz", view), load_config(place / "mine.yaml"), place / "two",
      crops=place / "crops", where=Where("cpu", precision=sys.argv[3]))
"""

GRADIENTS = """
import sys
import torch
import torch.distributed as dist
torch.set_num_threads(1)
from model_zoo.epipolarpose.network import PoseNet, PoseNetConfig
from model_zoo.epipolarpose.shared_norm import share_norms
dist.init_process_group("gloo")
crops = torch.randint(0, 256, (8, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
slopes = torch.randn(8, 17, 8, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
def network():
    return PoseNet(PoseNetConfig("efficientnet-lite0", side=32, depth=8, channels=16)).double().train()
def gradients(model, made, part, factor):
    ((model(crops[part]) * slopes[part]).sum() * factor).backward()
    return {name: each.grad for name, each in made.named_parameters()}, dict(made.named_buffers())
alone, shared = network(), share_norms(network(), on_processor=True)
rank = dist.get_rank()
wanted, statistics = gradients(alone, alone, slice(0, 8), 1.0)
found, others = gradients(torch.nn.parallel.DistributedDataParallel(shared), shared, slice(4 * rank, 4 * rank + 4), 2.0)
largest = max(each.norm() for each in wanted.values())
for name, each in wanted.items():
    assert (found[name] - each).norm() <= 1e-5 * each.norm() + 1e-12 * largest, name
for name, each in statistics.items():
    assert torch.allclose(others[name], each, rtol=1e-9, atol=1e-12), name
dist.destroy_process_group()
"""


def two_processes(script: str, place: Path, *arguments: Path | str) -> subprocess.CompletedProcess[str]:
    (place / "two.py").write_text(script)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*command, str(place / "two.py"), *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.mark.slow
def test_two_processes_have_the_gradients_and_statistics_of_one(tmp_path) -> None:
    # In double precision: in single, merely another order of the pictures changes gradients of this network as much.
    ended = two_processes(GRADIENTS, tmp_path)
    assert ended.returncode == 0, ended.stderr[-2000:]


@pytest.mark.slow
def test_two_processes_train_as_one_does(data, tmp_path) -> None:
    made, view = labels_of(data), open_unlabelled(data, "train")
    # Steps of Adam are as long whatever a gradient is, and blow rounding up; small ones keep the runs together.
    settings = config(tmp_path, "open4v-tiny-ss", SIX_STEPS + "rate: 0.0001\n")
    write_labels(made, tmp_path / "labels.npz")
    train(view, made, settings, tmp_path / "one", crops=tmp_path / "crops")
    ended = two_processes(TWO, tmp_path, data, tmp_path, "32")
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-3)
    assert (tmp_path / "two" / "network.safetensors").exists()


@pytest.mark.slow
def test_two_processes_end_with_the_weights_of_one(data, tmp_path) -> None:
    # In double precision, where rounding is too small to be blown up; what is left is that files keep 32 bits.
    made, view = labels_of(data), open_unlabelled(data, "train")
    settings = config(tmp_path, "open4v-tiny-ss")
    write_labels(made, tmp_path / "labels.npz")
    train(view, made, settings, tmp_path / "one", crops=tmp_path / "crops", where=Where("cpu", precision="64"))
    ended = two_processes(TWO, tmp_path, data, tmp_path, "64")
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-5)
    one, two = (read_weights(tmp_path / name / "network.safetensors").tensors for name in ("one", "two"))
    begun = PoseNet(settings.network, seed=settings.seed).state_dict()
    moved = 0
    for name, tensor in one.items():
        assert torch.allclose(two[name], tensor, rtol=1e-6, atol=1e-9), name
        moved += not torch.equal(tensor, begun[name])
    assert moved > 100


def test_training_leaves_signals_alone_in_a_thread(data, tmp_path) -> None:
    made, view, results = labels_of(data), open_unlabelled(data, "train"), []
    settings = config(tmp_path, "open4v-tiny-ss", SIX_STEPS.replace("0.25", "0"))
    thread = threading.Thread(
        target=lambda: results.append(train(view, made, settings, tmp_path / "run", crops=tmp_path / "crops"))
    )
    thread.start()
    thread.join()
    assert results[0].step == 6  # nothing set aside: the last weights
    assert np.isnan(results[0].value)


# The commands


def test_the_commands_say_what_is_missing_or_too_much(data, tmp_path) -> None:
    from posebench.cli import zoo_training as commands

    with pytest.raises(UsageError, match="the configuration open4v-tiny-ss needs --labels"):
        commands.train(data, "open4v-tiny-ss", out=tmp_path / "run")
    with pytest.raises(UsageError, match="open4v-tiny-fs learns from ground truth; leave out --labels"):
        commands.train(data, "open4v-tiny-fs", labels=tmp_path / "l.npz", out=tmp_path / "run")
    with pytest.raises(UsageError, match=r"is not called \.npz"):
        commands.detect(data, tmp_path / "w.safetensors", tmp_path / "found.txt")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: is no folder, and a run needs one"):
        commands.pretrain2d(data, "open4v-tiny-2d", out=tmp_path / "file")


def test_the_commands_train_detect_and_train_again(data, tmp_path, monkeypatch, capsys) -> None:
    from posebench.cli import zoo_training as commands
    from posebench.cli.zoo import labels

    monkeypatch.setenv("POSEBENCH_RUNS", str(tmp_path / "runs"))
    for base in ("2d", "ss"):
        config(tmp_path, f"open4v-tiny-{base}", name=base)
    commands.pretrain2d(data, str(tmp_path / "2d.yaml"))
    weights_file = tmp_path / "runs" / "2d" / "network.safetensors"
    commands.detect(data, weights_file, tmp_path / "found.npz")
    labels(data, tmp_path / "l.npz", joints="truth", extrinsics="known")
    commands.train(data, str(tmp_path / "ss.yaml"), labels=tmp_path / "l.npz", start=weights_file)
    said = capsys.readouterr()
    assert "steps: 6\nPCKh of pictures set aside, %: " in said.out
    assert "joints in 2D of 24 pictures; median confidence" in said.out
    assert "distance to labels set aside, % of the box: " in said.out
    assert f"run: {tmp_path / 'runs' / 'ss'} (log.csv says how it goes)" in said.err
