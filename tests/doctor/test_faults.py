"""Every fault that is planted into real predictions is named, nothing else is, and its evidence is the fault's."""

from __future__ import annotations

import numpy as np
import pytest

import posebench as pb
from tests.doctor.faults import FAULTS, LEFT_RIGHT, METRES, Fault, codes, example, planted, thrown, turned


@pytest.mark.parametrize("cameras", ["cam01_cam02", "cam01_cam04"])
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_real_predictions_is_named_and_nothing_else(name: str, cameras: str) -> None:
    fault = FAULTS[name]
    found = pb.diagnose(*planted(fault, *example(cameras)))
    assert codes(found) == set(fault.codes)
    assert not found.clean


@pytest.mark.parametrize("cameras", ["cam01_cam02", "cam01_cam04"])
def test_real_predictions_as_they_are_get_no_finding(cameras: str) -> None:
    pred, gt = example(cameras)
    assert pb.diagnose(pred, gt).findings == ()
    assert pb.diagnose(pred).findings == ()


@pytest.mark.parametrize("share", [0.01, 0.03, 0.1, 0.5])
def test_the_poses_in_metres_are_counted(share: float) -> None:
    pred, gt = example()
    rows = np.sort(np.random.default_rng(0).choice(100, int(100 * share), replace=False))
    poses = np.array(pred.poses, float)
    poses[rows] /= 1000
    found = pb.diagnose(pred.replace(poses=poses), gt)
    [finding] = [each for each in found.findings if each.code == "D-UNITS-MIXED"]
    if share < 0.5:
        assert finding.evidence[0].before == len(rows)
        assert finding.rows == tuple(rows[:10].tolist())


@pytest.mark.parametrize("late", [-7, -2, -1, 1, 2, 5, 20])
@pytest.mark.parametrize("cameras", ["cam01_cam02", "cam01_cam04"])
def test_a_shift_in_time_is_measured_to_the_frame(late: int, cameras: str) -> None:
    [finding] = pb.diagnose(*planted(Fault((), late=late), *example(cameras))).findings
    assert finding.code == "D-OFFSET"
    assert f"{abs(late)} frame" in finding.sentence
    assert ("late" if late > 0 else "early") in finding.sentence


@pytest.mark.parametrize("degrees", [20, 60, 120, 170])
def test_a_rotation_is_measured(degrees: int) -> None:
    [finding] = pb.diagnose(*planted(Fault((), turned(degrees)), *example())).findings
    assert finding.code == "D-REFERENCE"
    measured = float(finding.sentence.split("(")[1].split()[0])
    assert measured == pytest.approx(degrees, abs=6)


def test_outliers_below_the_usual_error_are_no_finding() -> None:
    assert pb.diagnose(*planted(Fault((), thrown(20, 0.02)), *example())).clean


def test_evidence_is_what_score_would_say_before_and_after() -> None:
    pred, gt = example()
    [finding] = pb.diagnose(*planted(Fault((), LEFT_RIGHT), pred, gt)).findings
    wrong = pb.score(pred.replace(poses=LEFT_RIGHT(np.array(pred.poses))), gt, metrics=["MPJPE"])
    right = pb.score(pred, gt, metrics=["MPJPE"])
    assert finding.evidence[0].before == pytest.approx(wrong.metrics["MPJPE"].value, abs=0.2)
    assert finding.evidence[0].after == pytest.approx(right.metrics["MPJPE"].value, abs=0.2)


def test_evidence_of_two_faults_goes_from_one_to_the_other() -> None:
    found = pb.diagnose(*planted(FAULTS["left and right, metres"], *example()))
    units, sides = found.findings
    assert (units.code, sides.code) == ("D-UNITS", "D-LEFT-RIGHT")
    assert units.evidence[0].after == pytest.approx(sides.evidence[0].before)
    assert sides.evidence[0].after < 25 < sides.evidence[0].before


def test_a_fault_in_one_sequence_of_several_is_found_there() -> None:
    pred, gt = example()
    poses = np.concatenate([np.array(pred.poses, float)] * 4)
    poses[100:200] = poses[100:200] * [-1, 1, 1]
    keys = {"sequence": np.repeat(["a", "b", "c", "d"], 100), "frame": np.tile(np.arange(100), 4), "camera": None}
    many = [side[np.tile(np.arange(100), 4)] for side in (pred, gt)]
    found = pb.diagnose(many[0].replace(poses=poses, **keys), many[1].replace(**keys))
    assert codes(found) == {"D-MIRROR"}
    assert "in 1 of 4 sequences" in found.findings[0].sentence
    assert "sequence=b" in found.findings[0].sentence


def test_a_shift_in_one_sequence_of_several_is_found_there() -> None:
    pred, gt = example()
    poses = np.concatenate([np.array(pred.poses, float)] * 4)
    poses[100:192] = poses[108:200]
    keys = {"sequence": np.repeat(["a", "b", "c", "d"], 100), "frame": np.tile(np.arange(100), 4), "camera": None}
    many = [side[np.tile(np.arange(100), 4)] for side in (pred, gt)]
    found = pb.diagnose(many[0].replace(poses=poses, **keys), many[1].replace(**keys))
    assert "D-OFFSET" in codes(found)
    assert "in 1 of 4 sequences predictions come 8 frames early (the first is" in str(found)


def test_units_in_a_part_and_left_and_right_in_another_part_are_both_found() -> None:
    pred, gt = example()
    poses = np.array(pred.poses, float)
    poses[10:14] = METRES(poses[10:14])
    poses[40:50] = LEFT_RIGHT(poses[40:50])
    assert codes(pb.diagnose(pred.replace(poses=poses), gt)) == {"D-UNITS-MIXED", "D-LEFT-RIGHT"}
