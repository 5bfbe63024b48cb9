"""The page of models shows what was measured of the rows, and that agrees with the results beside it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import posebench as pb
from model_zoo.epipolarpose.detections import true_joints
from model_zoo.epipolarpose.label_files import write_labels
from model_zoo.epipolarpose.labels import LabelConfig, make_labels
from posebench.datasets.open4v.motions import synthetic_motion
from posebench.datasets.open4v.retarget import perform
from posebench.frames import frames_path
from tests.support.open4v import stick_body
from tests.support.pages import ROOT, script
from tests.support.zoo import footage

study = script("make_row_study")


@pytest.fixture(scope="module")
def saved() -> dict:
    return json.loads(study.SAVED.read_text("utf-8"))


def test_the_page_shows_what_was_saved(saved) -> None:
    text = study.PAGE.read_text("utf-8")
    assert study.BLOCK.search(text)
    assert study.made(text, saved) == text, "python docs/make_row_study.py --write"


def test_what_was_saved_is_what_the_results_say(saved) -> None:
    checked = 0
    for split, protocol in study.PROTOCOLS.items():
        for row, metrics in saved[split]["rows"].items():
            for metric, found in metrics.items():
                files = sorted((ROOT / "docs" / "results" / f"{study.FAMILY}-{row}").glob(f"{protocol}-seed*.json"))
                says = [json.loads(file.read_text("utf-8"))["metrics"][metric]["value"] for file in files]
                assert found["seeds"] == pytest.approx(says, abs=1e-9), (split, row, metric)
                assert found["value"] == pytest.approx(np.mean(says))
                checked += 1
        for pair in saved[split]["pairs"]:
            for metric in study.METRICS:
                a, b = (saved[split]["rows"][pair[side]][metric]["value"] for side in ("row", "against"))
                assert pair[metric]["difference"] == pytest.approx(a - b, abs=1e-5)  # frames are kept in float32
                low, high = pair[metric]["ci95"]
                assert low <= pair[metric]["difference"] <= high
    assert checked >= 2 * 5 * len(study.METRICS)


def test_every_result_of_a_row_is_in_what_was_saved(saved) -> None:
    there = {path.parent.name for path in (ROOT / "docs" / "results").glob(f"{study.FAMILY}-*/open4v-seed*.json")}
    assert {name.removeprefix(f"{study.FAMILY}-") for name in there} == set(saved["test"]["rows"])


def test_rows_are_measured_from_results_and_each_difference_has_its_sign(tmp_path) -> None:
    random = np.random.default_rng(0)
    truth = perform(stick_body(1.0), synthetic_motion("syn01", 1, frames=40, fps=1.0)).joints
    keys = {"sequence": np.repeat([f"s{i}" for i in range(10)], 4), "frame": np.tile(np.arange(4), 10)}
    facts = {"skeleton": "h36m17", "unit": "mm", "reference": "camera"}
    pb.write(pb.PoseSet(truth, **keys, **facts), tmp_path / "gt.npz")
    for row, seed, noise in (("fs", 0, 30), ("fs", 10, 30), ("fs", 9, 30), ("ss-rt", 0, 50), ("ss", 0, 60)):
        pred = tmp_path / f"{row}{seed}.npz"
        pb.write(pb.PoseSet(truth + random.normal(size=truth.shape) * noise, **keys, **facts), pred)
        for protocol in study.PROTOCOLS.values():
            report = pb.score(pred, tmp_path / "gt.npz", frames=True)
            folder = tmp_path / f"{study.FAMILY}-{row}"
            folder.mkdir(exist_ok=True)
            path = folder / f"{protocol}-seed{seed}.json"
            report.save(path)
            report.frames.save(frames_path(path))
    found = study.measure(tmp_path) | {"second": {"near": 0.5, "wrong": 0.25, "second": 0.123}}
    found["same"] = {"px": 8.19e-13, "joints": 276_804, "of": 276_896}
    for split in ("test", "wild"):
        rows = found[split]["rows"]
        assert [len(rows[row]["PMPJPE"]["seeds"]) for row in ("fs", "ss-rt", "ss")] == [3, 1, 1]
        assert [(pair["row"], pair["against"]) for pair in found[split]["pairs"]] == [("ss-rt", "fs"), ("ss", "ss-rt")]
        for pair in found[split]["pairs"]:
            expected = rows[pair["row"]]["PMPJPE"]["value"] - rows[pair["against"]]["PMPJPE"]["value"]
            assert pair["PMPJPE"]["difference"] == pytest.approx(expected)
            assert 0 < pair["PMPJPE"]["ci95"][0] < expected < pair["PMPJPE"]["ci95"][1]
            assert pair["PSS@50"]["difference"] <= 0
    text = study.made("before\n<!-- rows -->\nold\n<!-- end: rows -->\nafter\n", found)
    value = found["test"]["rows"]["fs"]["PMPJPE"]
    assert f"| `fs` | fully supervised | 3 | {value['value']:.1f} ± {value['sd']:.1f} mm [" in text
    change = found["wild"]["pairs"][0]["PMPJPE"]
    assert f"| {change['difference']:+.1f} mm [{change['ci95'][0]:+.1f}, {change['ci95'][1]:+.1f}] |" in text
    assert "that PSS@50\nfinds wrong, 12 % are put with the second" in text
    assert "at most 8e-13 px from those of `fs` and leave out 92\nof 276,896 joints of its pairs" in text
    assert "old" not in text
    assert text.endswith("<!-- end: rows -->\nafter\n")
    assert study.made(text, found) == text


def test_poses_between_two_centres_are_counted(tmp_path) -> None:
    bank = study.find_bank(study.BANK)
    centres = bank.centres.reshape(bank.k, -1, 3)
    a = np.arange(bank.k)
    b = ((centres[:, None] - centres) ** 2).sum(axis=(2, 3)).argsort(axis=1)[:, 1]
    # Truth: a centre, or a place between it and the centre next to it; predictions: always the centre next to it.
    truth = np.concatenate([centres[a], 0.55 * centres[a] + 0.45 * centres[b]])
    keys = {"subject": ["cmu02"] * 100, "sequence": ["s"] * 100, "camera": ["c"] * 100, "frame": np.arange(100)}
    facts = {"skeleton": "h36m17", "unit": "scale-free", "reference": "camera", **keys}
    for path, poses in (("labels", truth), (f"{study.FAMILY}-ss-seed0", np.concatenate([centres[b], centres[b]]))):
        (tmp_path / path).mkdir()
        pb.write(pb.PoseSet(poses, **facts), tmp_path / path / "test.npz")
    found = study.measure_second(tmp_path, tmp_path)
    assert found["near"] == pytest.approx(0.5, abs=0.08)
    assert found["wrong"] == 1
    assert found["second"] > 0.9


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_labels_of_true_joints_are_those_out_of_poses(noise: float, tmp_path: Path) -> None:
    dataset = footage().write(tmp_path)
    view = dataset.unlabelled(with_extrinsics=True)
    config = LabelConfig(extrinsics="known", combine="pair")
    write_labels(make_labels(view, true_joints(dataset, noise=noise), config), tmp_path / "labels.npz")
    found = study.measure_labels(tmp_path, tmp_path / "labels.npz")
    assert found["of"] == 17 * 12 * 4  # four pairs of neighbours at twelve instants
    if noise:
        assert found["px"] > 1
    else:
        assert found["px"] < 1e-9
    assert found["joints"] == found["of"]


def test_joints_that_no_pair_could_place_are_counted(tmp_path: Path) -> None:
    whole = footage()
    far = whole.with_joint(3, 13, whole.R[0].T @ ([0, 0, 30_000] - whole.t[0]))
    dataset = far.write(tmp_path)
    view = dataset.unlabelled(with_extrinsics=True)
    labels = make_labels(view, true_joints(dataset), LabelConfig(extrinsics="known", combine="pair"))
    write_labels(labels, tmp_path / "labels.npz")
    found = study.measure_labels(tmp_path, tmp_path / "labels.npz")
    assert found["px"] < 1e-9
    assert 0 < found["of"] - found["joints"] <= 4 * 17
