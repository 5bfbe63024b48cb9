"""Poses without extent, without a unique rotation, or that only a reflection explains: counted, noted, never hidden."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

import posebench as pb
from tests.scoring.plain import pair, pose_values, poseset
from tests.support.poses import make_case


def noted(report: pb.Report, words: str) -> bool:
    return any(words in note for note in report.notes)


@pytest.mark.parametrize("place", [0.0, 1234.567])
def test_a_collapsed_prediction_takes_the_limit_and_is_counted(place: float) -> None:
    pred, gt = pair(4)
    expected = pose_values(pred, gt)
    pred[1] = place
    report = pb.score(pred, gt)
    rooted = np.linalg.norm(gt[1] - gt[1, 0], axis=1)
    centred = np.linalg.norm(gt[1] - gt[1].mean(0), axis=1)
    limits = {"MPJPE": rooted.mean(), "NMPJPE": rooted.mean(), "PMPJPE": centred.mean()}
    limits["PCK@150"] = limits["NPCK@150"] = 100 * (rooted < 150).mean()
    for key, limit in limits.items():
        expected[key][1] = limit
        assert report.metrics[key].value == pytest.approx(expected[key].mean()), key
    assert report.coverage.degenerate == 1
    assert report.coverage.scored == 4
    assert noted(report, "1 predictions have all joints in one point")


def test_a_collapsed_ground_truth_is_out_of_every_mean_and_counted() -> None:
    pred, gt = pair(4)
    expected = pose_values(pred, gt)
    gt[2] = 77.0
    report = pb.score(pred, gt)
    for key in ("MPJPE", "NMPJPE", "PMPJPE", "PCK@150"):
        assert report.metrics[key].value == pytest.approx(np.delete(expected[key], 2).mean())
        assert report.metrics[key].n == 3
    assert (report.coverage.scored, report.coverage.unscorable, report.coverage.degenerate) == (3, 1, 0)


@pytest.mark.parametrize("metric", ["BoneLength", "BoneSpread", "JointAngle", "MRPE", "CPS", "WorstJoint", "NPCK@60"])
def test_a_collapsed_ground_truth_is_out_of_every_other_mean_too(metric: str) -> None:
    pred, gt = pair(4)
    rest = pb.score(pred[[0, 1, 3]], gt[[0, 1, 3]], metrics=[metric]).metrics[metric]
    gt[2] = 77.0
    found = pb.score(pred, gt, metrics=[metric]).metrics[metric]
    assert (found.value, found.n) == (pytest.approx(rest.value), rest.n)


def test_a_ground_truth_that_holds_its_root_alone_gives_no_perfect_score_away() -> None:
    pred, gt = pair(2)
    valid = np.ones((2, 17), bool)
    valid[1, 1:] = False
    report = pb.score(pred, poseset(gt, valid=valid))
    assert report.coverage.unscorable == 1
    assert {metric.n for metric in report.metrics.values()} == {1}


def test_a_set_of_which_nothing_can_be_scored_has_no_values() -> None:
    pred, gt = pair(2)
    report = pb.score(pred, poseset(gt, valid=np.zeros((2, 17), bool)))
    assert {metric.value for metric in report.metrics.values()} == {None}
    assert {metric.n for metric in report.metrics.values()} == {0}
    assert (report.coverage.scored, report.coverage.unscorable, report.coverage.invalid_joints) == (0, 2, 34)


def test_a_masked_root_makes_a_pose_unscorable_for_root_centred_metrics_alone() -> None:
    pred, gt = pair(3)
    valid = np.ones((3, 17), bool)
    valid[1, 0] = False
    report = pb.score(pred, poseset(gt, valid=valid))
    assert {key: metric.n for key, metric in report.metrics.items()} == {
        "MPJPE": 2, "NMPJPE": 2, "PMPJPE": 3, "PCK@150": 2, "NPCK@150": 2, "AUC(0:150:5)": 2,
        "PSS@50": 2, "PSS@100": 2,
    }  # fmt: skip
    assert report.coverage.unscorable == 1


@pytest.mark.parametrize("metric", ["BoneLength", "JointAngle", "PMPJPE"])
def test_a_masked_root_does_not_count_as_unscorable_where_no_root_is_needed(metric: str) -> None:
    pred, gt = pair(3)
    valid = np.ones((3, 17), bool)
    valid[1, 0] = False
    report = pb.score(pred, poseset(gt, valid=valid), metrics=[metric])
    assert report.metrics[metric].n == 3
    assert (report.coverage.scored, report.coverage.unscorable) == (3, 0)


def test_a_prediction_reflected_through_its_root_is_counted_and_said() -> None:
    pred, gt = pair(3)
    pred[1] = 2 * pred[1, :1] - pred[1]
    report = pb.score(pred, gt)
    assert report.coverage.negative_scale == 1
    assert noted(report, "1 predictions got a negative least-squares scale")


def test_no_reflection_is_reported_where_no_scale_was_fitted() -> None:
    pred, gt = pair(3)
    report = pb.score(2 * pred[:, :1] - pred, gt, metrics=["MPJPE", "PMPJPE"])
    assert report.coverage.negative_scale == 0


def test_collinear_predictions_have_no_unique_rotation_and_are_counted() -> None:
    case = make_case("collinear prediction", n=5, seed=3)
    report = pb.score(case.pred, case.gt, metrics=["PMPJPE"])
    assert report.coverage.ambiguous == 5
    assert noted(report, "5 predictions have no unique optimal rotation")


def test_ambiguity_is_not_counted_where_no_rotation_was_fitted() -> None:
    case = make_case("collinear prediction", n=5, seed=3)
    assert pb.score(case.pred, case.gt, metrics=["MPJPE"]).coverage.ambiguous == 0


def test_a_mirrored_prediction_is_not_perfect() -> None:
    _, gt = pair(3)
    report = pb.score(gt * [-1, 1, 1], gt, metrics=["PMPJPE"])
    assert report.metrics["PMPJPE"].value > 20


def test_an_ordinary_set_has_nothing_to_note() -> None:
    pred, gt = pair(5)
    report = pb.score(pred, gt)
    assert report.notes == []
    counts = asdict(report.coverage)
    assert counts.pop("matched") == "by order"
    assert {name: count for name, count in counts.items() if count} == {"gt_frames": 5, "scored": 5}
