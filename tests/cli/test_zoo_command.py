"""`posebench zoo labels`: what it writes and says, what it refuses before it works, and what it never loads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from model_zoo.epipolarpose.detections import read_detections, true_joints, write_detections
from model_zoo.epipolarpose.label_files import read_labels, write_labels
from model_zoo.epipolarpose.labels import LabelConfig, make_labels
from posebench.datasets.views import MultiViewSet, open_unlabelled
from tests.cli.conftest import Run, refused
from tests.support.zoo import footage, standing

KNOWN = ("--extrinsics", "known")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> Path:
    """A folder with the splits train and, in 2D alone, flat."""
    folder = tmp_path_factory.mktemp("rendered")
    footage({"S1/walk": standing(6)}).write(folder)
    footage({"S1/walk": standing(6)}).write(folder, "flat", flat=True)
    return folder


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """The working directory; there is no data set in any known place."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POSEBENCH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def zoo(posebench, place, rendered):
    """`posebench zoo labels` on the small data set; exact joints and known cameras unless it says otherwise."""

    def run(*arguments: object, joints: object = "truth", data: object = rendered, out: object = "l.npz") -> Run:
        return posebench("zoo", "labels", "--data", data, "--joints", joints, "-o", out, *arguments)

    return run


def told(place: Path) -> dict:
    return json.loads((place / "l.json").read_text())


# What it writes and says


def test_labels_and_their_report_are_those_of_the_library(zoo, place, rendered) -> None:
    assert zoo(*KNOWN, joints="truth+2").code == 0
    view = open_unlabelled(rendered, "train", with_extrinsics=True)
    expected = make_labels(view, true_joints(MultiViewSet(rendered, "train"), noise=2.0), LabelConfig("known"))
    write_labels(expected, place / "expected.npz")
    assert (place / "l.npz").read_bytes() == (place / "expected.npz").read_bytes()
    assert told(place) == json.loads(json.dumps(dict(expected.report)))


def test_stdout_says_what_was_made_and_what_is_masked(zoo, place) -> None:
    run = zoo(*KNOWN)
    lines = run.out.splitlines()
    assert lines[:3] == [
        "joints in 2D: ground truth",
        "labels: 24, from 24 of 24 pairs of pictures",
        "joints: 408 of 408 of all pairs",
    ]
    assert lines[3].startswith("reprojection error: median 0.00 px; noise 0.00 px")
    assert len(lines) == 4
    assert "evaluation" not in told(place)


def test_what_is_left_out_is_said_by_reason(zoo, place, rendered) -> None:
    found = true_joints(MultiViewSet(rendered, "train"))
    found.confidence[0, 0] = 0
    found.confidence[1, 3] = 0
    write_detections(found, open_unlabelled(rendered, "train"), place / "d.npz")
    lines = zoo(*KNOWN, joints="d.npz").out.splitlines()
    assert "  2 pairs left out: the root is masked" in lines
    assert any(line.endswith("masked: confidence too low in a picture") for line in lines)


def test_evaluation_is_said_and_kept(zoo, place) -> None:
    run = zoo(*KNOWN, "--evaluate")
    assert run.code == 0
    assert "against ground truth (open4v): MPJPE 0.00, NMPJPE 0.00, PMPJPE 0.00, PSS@50 " in run.out
    assert "rotations" not in run.out
    kept = told(place)["evaluation"]
    assert kept["metrics"]["MPJPE"] == pytest.approx(0, abs=0.01)
    assert (kept["pairs"], kept["joints"], kept["protocol"]["name"]) == (1.0, 1.0, "open4v")


def test_estimated_cameras_have_errors_and_no_millimetres(zoo, place) -> None:
    pytest.importorskip("poselib")
    run = zoo("--evaluate")
    assert "against ground truth (open4v): MPJPE n/a, NMPJPE 0.00" in run.out
    assert "rotations: median error 0.000°, largest 0.00°" in run.out
    assert told(place)["evaluation"]["rotation_deg"]["max"] < 0.01


def test_estimated_labels_need_no_labels_of_the_data_set(zoo, place, rendered) -> None:
    pytest.importorskip("poselib")
    assert zoo("--detections", "d.npz").code == 0
    before = (place / "l.npz").read_bytes()
    stripped = place / "stripped"
    shutil.copytree(rendered, stripped)
    shutil.rmtree(stripped / "labels")
    (stripped / "views" / "train.extrinsics.npz").unlink()
    assert zoo(joints="d.npz", data=stripped).code == 0
    assert (place / "l.npz").read_bytes() == before


def test_a_median_is_one_label_for_each_picture(zoo, place, rendered) -> None:
    assert zoo(*KNOWN, "--combine", "median").out.splitlines()[1] == "labels: 24, from 24 of 24 pairs of pictures"
    assert read_labels(place / "l.npz", open_unlabelled(rendered, "train")).pictures.shape == (24, 1)


def test_joints_in_2d_are_kept_and_taken_up_again(zoo, place, rendered) -> None:
    assert zoo(*KNOWN, "--detections", "d.npz", "--seed", 4, joints="truth+3").code == 0
    first = (place / "l.npz").read_bytes()
    kept = read_detections(place / "d.npz", open_unlabelled(rendered, "train"))
    assert kept.source == "ground truth + 3 px"
    assert zoo(*KNOWN, joints="d.npz").code == 0
    assert (place / "l.npz").read_bytes() == first
    assert zoo(*KNOWN, "--seed", 5, joints="truth+3").code == 0
    assert (place / "l.npz").read_bytes() != first


def test_where_there_is_no_label_the_report_still_says_why(zoo, place, rendered) -> None:
    found = true_joints(MultiViewSet(rendered, "train"))
    found.confidence[:] = 0
    write_detections(found, open_unlabelled(rendered, "train"), place / "d.npz")
    run = zoo(*KNOWN, "--evaluate", joints="d.npz")
    assert run.code == 2
    assert "there is no label" in run.sentence
    assert "  24 pairs left out: the root is masked" in run.out
    assert told(place)["pairs"]["left_out"] == {"the root is masked": 24}


# What it refuses


@pytest.mark.parametrize("joints", ["guess", "truth5", "truths", "joints.csv", " "])
def test_a_source_of_joints_that_there_is_not_is_refused(zoo, joints) -> None:
    refused(zoo(joints=joints), f"--joints {joints}: expected truth, truth+PX, blazepose, or a file")


@pytest.mark.parametrize("joints", ["truth+", "truth+five", "truth+-1", "truth+nan", "truth+inf"])
def test_noise_that_is_no_number_of_px_is_refused(zoo, joints) -> None:
    refused(zoo(joints=joints), f"--joints {joints}: after truth+ comes a number of px, as in truth+5")


def test_outputs_are_checked_before_any_work(zoo, place) -> None:
    refused(zoo(out="l.npy"), "l.npy: is not called .npz")
    refused(zoo("--detections", "d.json"), "d.json: is not called .npz")
    refused(zoo("--detections", "l.npz"), "l.npz: is to hold both the labels and the joints in 2D")
    refused(zoo(out="nowhere/l.npz"), "nowhere/l.npz: cannot be written")
    assert list(place.iterdir()) == []


def test_joints_in_2d_are_not_overwritten_by_their_labels(zoo, place) -> None:
    assert zoo(*KNOWN, "--detections", "d.npz").code == 0
    before = (place / "d.npz").read_bytes()
    refused(zoo(*KNOWN, joints="d.npz", out="d.npz"), "d.npz: cannot be written: it is the input d.npz")
    assert (place / "d.npz").read_bytes() == before


@pytest.mark.parametrize("option", ["--extrinsics", "--pool", "--fixed", "--combine"])
def test_a_choice_that_there_is_not_is_refused(zoo, option) -> None:
    refused(zoo(option, "other"), f"{option[2:]} is 'other', expected one of ")


def test_a_confidence_that_is_no_probability_is_refused(zoo) -> None:
    refused(zoo("--min-confidence", 2), "min_confidence is 2.0, expected a number from 0 to 1")


def test_a_folder_or_split_that_is_not_there_is_refused(zoo, place) -> None:
    refused(zoo("--split", "test"), "test.npz: is missing; make the index without labels")
    refused(zoo(data=place), "train.npz: is missing")


def test_a_split_without_poses_is_not_evaluated_and_has_no_known_cameras(zoo, place) -> None:
    refused(zoo("--split", "flat", "--evaluate"), "the split flat has no poses to evaluate labels by")
    refused(zoo("--split", "flat", *KNOWN), "nothing is known about where the cameras of flat stand")
    assert list(place.iterdir()) == []


def test_a_protocol_that_there_is_not_is_refused(zoo) -> None:
    refused(zoo(*KNOWN, "--evaluate", "--protocol", "nonsense"), "nonsense")


def test_a_network_that_is_not_there_is_refused(zoo) -> None:
    refused(zoo(joints="blazepose"), "blazepose")


def test_a_file_that_is_no_network_is_refused(zoo, place) -> None:
    pytest.importorskip("ai_edge_litert")
    (place / "n.tflite").write_bytes(b"no network")
    refused(zoo(joints="n.tflite"), "n.tflite: is none of the networks blazepose-lite")


def test_detections_of_other_pictures_are_refused(zoo, place, rendered) -> None:
    view = open_unlabelled(rendered, "train")
    found = true_joints(MultiViewSet(rendered, "train"))
    view.frame += 1
    write_detections(found, view, place / "d.npz")
    refused(zoo(joints="d.npz"), "d.npz: its detections are of other pictures")


# A process of its own


def process(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=folder, env=environment
    )


#: Runs the command with some packages missing, and says which heavy ones were loaded.
ALONE = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing!r}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Missing())
sys.argv = ["posebench", *{arguments!r}]
from posebench.cli import main
try:
    main()
except SystemExit as ended:
    print("code", ended.code)
heavy = ("torch", "cv2", "poselib", "ai_edge_litert", "lightning", "safetensors", "numpy", "typer")
print("loaded", *(name for name in heavy if sys.modules.get(name)))
"""
ZOO = ["torch", "cv2", "poselib", "ai_edge_litert", "safetensors", "lightning"]


def alone(folder: Path, *arguments: object, missing: list[str]) -> subprocess.CompletedProcess[str]:
    return process(ALONE.format(missing=missing, arguments=["zoo", *map(str, arguments)]), folder)


def test_help_loads_nothing_heavy(place) -> None:
    for arguments in ((), ("labels",)):
        found = alone(place, *arguments, "--help", missing=[])
        assert found.stdout.startswith("Usage: posebench zoo")
        assert found.stdout.splitlines()[-1] == "loaded typer"


def test_known_cameras_need_nothing_of_the_extra_and_load_nothing_of_it(place, rendered) -> None:
    arguments = ("labels", "--data", rendered, "--joints", "truth", "-o", "l.npz", *KNOWN)
    free, without = (alone(place, *arguments, missing=missing) for missing in ([], ZOO))
    assert free.stdout == without.stdout
    assert without.stdout.splitlines()[0] == "joints in 2D: ground truth"
    assert without.stdout.splitlines()[-1] == "loaded numpy typer"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--joints", "truth"), "estimating the pose of two cameras needs the package poselib"),
        (("--joints", "n.tflite"), "running BlazePose needs the package ai-edge-litert"),
    ],
)
def test_without_the_extra_a_sentence_says_how_to_install_it(place, rendered, arguments, words) -> None:
    found = alone(place, "labels", "--data", rendered, "-o", "l.npz", *arguments, missing=ZOO)
    assert words in found.stderr
    assert "pip install 'posebench-hpe[zoo]'" in found.stderr
    assert "Traceback" not in found.stderr
    assert "code 2" in found.stdout


def test_without_the_models_a_sentence_says_so(place, rendered) -> None:
    found = alone(place, "labels", "--data", rendered, "-o", "l.npz", missing=["model_zoo"])
    assert "posebench: posebench zoo needs the package model_zoo" in found.stderr
    assert "code 2" in found.stdout
