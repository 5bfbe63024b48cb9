"""Gates for CI: exit 1 if a number is too bad, exit 2 if it cannot be judged."""

from __future__ import annotations

import numpy as np
import pytest

import posebench as pb
from tests.cli.conftest import refused


@pytest.fixture
def mpjpe(folder) -> float:
    return pb.score("pred.npz", "gt.npz").metrics["MPJPE"].value


def test_an_error_over_its_gate_fails_and_says_by_how_much(score, mpjpe: float) -> None:
    run = score("--fail-over", "MPJPE=5")
    assert run.code == 1
    assert run.sentence == f"posebench: MPJPE is {mpjpe:.4g} mm, above 5"
    assert "MPJPE" in run.out


def test_a_score_under_its_gate_fails(score) -> None:
    run = score("--fail-under", "PCK@150=99.99")
    assert run.code == 1
    assert run.sentence.startswith("posebench: PCK@150 is ")
    assert run.sentence.endswith(" %, below 99.99")


def test_gates_that_hold_pass(score) -> None:
    run = score("--fail-over", "MPJPE=500", "--fail-under", "PCK@150=5")
    assert run.code == 0
    assert all("compiling" in line for line in run.err.splitlines())


def test_a_number_equal_to_its_gate_passes(score, mpjpe: float) -> None:
    assert score("--fail-over", f"MPJPE={mpjpe!r}").code == 0
    assert score("--fail-over", f"MPJPE={float(np.nextafter(mpjpe, 0))!r}").code == 1


def test_every_gate_that_fails_is_named(score) -> None:
    run = score(
        "--fail-over", "MPJPE=5", "--fail-over", "PMPJPE=5", "--fail-under", "AUC=90", "--fail-over", "NMPJPE=500"
    )
    assert run.code == 1
    assert [line.split()[1] for line in run.err.splitlines() if " is " in line] == ["MPJPE", "PMPJPE", "AUC(0:150:5)"]


def test_a_gate_may_be_on_a_metric_that_was_not_asked_for(score) -> None:
    run = score("--fail-over", "WorstJoint=1", "--metric", "PCK")
    assert run.code == 1
    assert "PCK@150" in run.out
    assert "WorstJoint" in run.out
    assert " MPJPE" not in run.out


def test_a_gate_adds_its_metric_to_those_of_the_protocol(score) -> None:
    run = score("--fail-under", "CPS=1")
    assert run.code == 0
    assert "CPS" in run.out
    assert "AUC(0:150:5)" in run.out


def test_a_gate_is_written_to_the_result_before_it_fails(score, folder) -> None:
    assert score("--fail-over", "MPJPE=5", "-o", "out.json").code == 1
    assert pb.Report.load(folder / "out.json").metrics["MPJPE"].n == 12


def test_a_gate_may_hold_equals_signs_in_its_metric(score) -> None:
    assert score("--fail-over", "NMPJPE(scale=procrustes)=500").code == 0
    assert score("--fail-over", "NMPJPE(scale=procrustes)=5").code == 1


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        (("--fail-over", "PCK@150=90"), "PCK@150 is better when higher; use --fail-under"),
        (("--fail-over", "CPS=90"), "CPS is better when higher; use --fail-under"),
        (("--fail-under", "MPJPE=60"), "MPJPE is better when lower; use --fail-over"),
        (("--fail-over", "MPJPE"), "expected METRIC=NUMBER, as in MPJPE=60"),
        (("--fail-over", "MPJPE="), "expected METRIC=NUMBER"),
        (("--fail-over", "MPJPE=sixty"), "expected METRIC=NUMBER"),
        (("--fail-over", "MPJPE=nan"), "expected METRIC=NUMBER"),
        (("--fail-over", "MPJPE=60mm"), "expected METRIC=NUMBER"),
        (("--fail-over", "MPJPE>60"), "expected METRIC=NUMBER"),
        (("--fail-over", "=60"), "is not spelled NAME"),
        (("--fail-over", " "), "expected METRIC=NUMBER"),
        (("--fail-over", "MPJP=60"), "there is no metric 'MPJP'"),
        (("--fail-under", "NMPJPE(scale=procrustes)"), "expected METRIC=NUMBER"),
    ],
)
def test_a_gate_that_makes_no_sense_is_refused_before_scoring(score, gate, words: str) -> None:
    refused(score(*gate, pred="nowhere.npz"), words)


def incomplete_prediction() -> None:
    pred = pb.read("pred.npz")
    pb.write(pred[:11], "part.npz")


def test_a_gate_on_an_incomplete_distance_cannot_be_judged(score) -> None:
    incomplete_prediction()
    run = score("--allow-missing", "--fail-over", "MPJPE=500", pred="part.npz")
    assert run.code == 2
    assert run.sentence.startswith("posebench: the gate on MPJPE cannot be judged: it leaves out what the prediction")


def test_a_gate_on_a_score_can_be_judged_although_predictions_are_missing(score) -> None:
    incomplete_prediction()
    assert score("--allow-missing", "--fail-under", "PCK=5", pred="part.npz").code == 0
    assert score("--allow-missing", "--fail-under", "PCK=95", pred="part.npz").code == 1


def test_a_gate_on_a_value_that_is_not_there_cannot_be_judged(score) -> None:
    gt = pb.read("gt.npz")
    pb.write(gt.replace(valid=np.zeros((12, 17), bool)), "masked.npz")
    run = score("--fail-over", "MPJPE=500", gt="masked.npz")
    assert run.code == 2
    assert "the gate on MPJPE cannot be judged: nothing could be scored" in run.sentence


def scale_free_prediction() -> None:
    pred = pb.read("pred.npz")
    pb.write(pred.replace(poses=pred.poses * 0.01, unit="scale-free"), "free.npz")


def test_a_gate_on_a_metric_that_a_scale_free_prediction_does_not_get_is_refused_in_words(score) -> None:
    scale_free_prediction()
    run = score("--fail-over", "MPJPE=500", pred="free.npz")
    assert run.code == 2
    assert "MPJPE" in run.sentence
    assert "it is not given, and the notes say why" in run.sentence
    assert "scale-free" in run.err


def test_a_further_gate_does_not_ask_for_what_a_scale_free_prediction_does_not_get(score) -> None:
    scale_free_prediction()
    run = score("--fail-over", "NMPJPE(scale=procrustes)=500", pred="free.npz")
    assert run.code == 0
    assert "PMPJPE" in run.out
