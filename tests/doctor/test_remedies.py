"""The commands that findings name exist, run as they stand, and mend the file."""

from __future__ import annotations

import shlex

import numpy as np
import pytest

import posebench as pb
from tests.cli.conftest import refused
from tests.doctor.faults import ANY_ORDER, AS_3DHP, FAULTS, Y_UP, codes, example, exchanged, planted, turned

#: Faults that one command of `posebench convert` mends.
MENDED = (
    "metres",
    "mirrored in x",
    "mirrored in z",
    "y up",
    "y up and z backwards",
    "z up",
    "left and right",
    "left and right leg",
    "left and right wrist",
    "joints in any order",
    "spine and head exchanged",
)
#: And pairs of faults that one command mends together.
TOGETHER = ("left and right, metres", "y up, metres", "any order, mirrored", "left and right, mirrored")


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A function that writes a prediction and its ground truth into the working directory."""
    monkeypatch.chdir(tmp_path)

    def written(pred: pb.PoseSet, gt: pb.PoseSet, **facts) -> None:
        pb.write(pred.replace(**facts), "pred.npz")
        pb.write(gt, "gt.npz")

    return written


def run(posebench, command: str):
    words = shlex.split(command)
    assert words[0] == "posebench"
    return posebench(*words[1:])


@pytest.mark.parametrize("name", [*MENDED, *TOGETHER])
def test_the_command_mends_the_file(name: str, files, posebench) -> None:
    fault = FAULTS[name]
    files(*planted(fault, *example()))
    first = pb.diagnose("pred.npz", "gt.npz")
    if any("--joints" in (finding.advice or "") for finding in first.findings):
        assert posebench("doctor", "--pred", "pred.npz", "--gt", "gt.npz", "--joints", "pred-joints.yaml").code == 1
    command = first.command if len(fault.codes) > 1 else first.findings[0].command
    done = run(posebench, command)
    assert done.code == 0, done.err
    again = pb.diagnose("pred-fixed.npz", "gt.npz")
    assert again.findings == ()
    pred, gt = example()
    wanted = pb.score(pred, gt, metrics=["MPJPE"]).metrics["MPJPE"].value
    assert pb.score("pred-fixed.npz", "gt.npz", metrics=["MPJPE"]).metrics["MPJPE"].value == pytest.approx(wanted, 1e-6)
    assert first.findings[-1].evidence[0].after == pytest.approx(wanted, abs=0.01)


def test_score_takes_the_skeleton_that_is_named(files, posebench) -> None:
    pred, gt = example()
    files(pred, gt, poses=np.array(pred.poses)[:, AS_3DHP])
    [finding] = pb.diagnose("pred.npz", "gt.npz").findings
    assert "3dhp17" in finding.sentence
    done = run(posebench, finding.command + " --metric MPJPE")
    assert done.code == 0, done.err
    # 3dhp17's thorax is the middle of the shoulders, which moves the mean a little.
    assert finding.evidence[0].after == pytest.approx(22.3, abs=1)


def test_score_leaves_mpjpe_out_where_there_is_no_scale(files, posebench) -> None:
    pred, gt = example()
    files(pred, gt, poses=np.array(pred.poses) / 450)
    [finding] = pb.diagnose("pred.npz", "gt.npz").findings
    done = run(posebench, finding.command)
    assert done.code == 0, done.err
    assert "NMPJPE" in done.out
    assert "\nMPJPE" not in done.out


def test_not_finite_joints_are_scored_as_the_finding_says(files, posebench) -> None:
    files(*planted(FAULTS["NaN"], *example()))
    assert posebench("score", "--pred", "pred.npz", "--gt", "gt.npz").code == 2
    [finding] = pb.diagnose("pred.npz", "gt.npz").findings
    assert run(posebench, finding.command).code == 0


def test_poses_of_the_world_are_brought_into_the_camera_by_their_extrinsics(files, posebench) -> None:
    pred, gt = example()
    matrix = turned(70)(np.eye(3)[None])[0].T
    world = (np.array(pred.poses, float) - [0, 0, 500.0]) @ matrix
    extrinsics = np.column_stack([matrix, [0, 0, 500.0]])
    files(pred, gt, poses=world, extrinsics=extrinsics, reference="camera")
    [finding] = pb.diagnose("pred.npz", "gt.npz").findings
    assert finding.code == "D-REFERENCE"
    assert run(posebench, finding.command).code == 0
    assert pb.diagnose("pred-fixed.npz", "gt.npz").clean


def test_a_calibration_is_asked_for_where_no_file_holds_extrinsics() -> None:
    pred, gt = example()
    [finding] = pb.diagnose(*planted(FAULTS["turned by 40 degrees"], pred, gt)).findings
    assert "--cameras CALIBRATION" in finding.command
    assert "neither file holds extrinsics" in finding.advice


def test_poses_that_are_not_centred_are_centred(files, posebench) -> None:
    pred, gt = example()
    files(pred, gt, origin="root")
    [finding] = pb.diagnose("pred.npz", "gt.npz").findings
    assert finding.code == "D-ORIGIN"
    uncentred, centred = finding.evidence[1].before, finding.evidence[1].after
    assert uncentred > 1000 > 30 > centred
    assert run(posebench, finding.command).code == 0
    assert pb.diagnose("pred-fixed.npz", "gt.npz").clean


def test_where_no_command_helps_the_source_is_named() -> None:
    for name in ("late by 3", "shuffled", "one pose", "metres in 3 %", "centimetres"):
        [finding] = pb.diagnose(*planted(FAULTS[name], *example())).findings
        assert finding.command is None
        assert finding.advice.startswith("at the source: ")


def test_the_order_that_was_found_is_a_skeleton_file(files, posebench, tmp_path) -> None:
    pred, gt = example()
    files(pred, gt, poses=np.array(pred.poses)[:, ANY_ORDER])
    posebench("doctor", "--pred", "pred.npz", "--gt", "gt.npz", "--joints", "found.yaml")
    h36m = pb.get_skeleton("h36m17").joints
    assert pb.get_skeleton("found.yaml").joints == tuple(h36m[j] for j in ANY_ORDER)


def test_no_order_is_written_where_none_was_found(files, posebench, tmp_path) -> None:
    files(*example())
    done = posebench("doctor", "--pred", "pred.npz", "--gt", "gt.npz", "--joints", "found.yaml")
    assert done.code == 0
    assert "found.yaml not written" in done.err
    assert not (tmp_path / "found.yaml").exists()


def test_axes_are_converted_as_asked(files, posebench) -> None:
    pred, gt = example()
    files(pred, gt)
    assert posebench("convert", "pred.npz", "out.npz", "--axes=-z,y,-x").code == 0
    poses = np.array(pred.poses)
    np.testing.assert_array_equal(
        pb.read("out.npz").poses, np.stack([-poses[..., 2], poses[..., 1], -poses[..., 0]], -1)
    )
    refused(posebench("convert", "pred.npz", "out.npz", "--axes", "x,y"), "expected x, y and z once each")


def test_one_axis_mended_by_hand_is_what_the_finding_measured() -> None:
    pred, gt = example()
    poses = Y_UP(np.array(pred.poses, float))
    found = pb.diagnose(pred.replace(poses=poses), gt)
    assert codes(found) == {"D-UP"}
    by_hand = pb.diagnose(pred.replace(poses=exchanged(exchanged(Y_UP(poses)))), gt)
    assert by_hand.clean
