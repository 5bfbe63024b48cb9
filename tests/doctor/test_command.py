"""`posebench doctor`: exit codes, text and JSON, and files that scoring refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest

import posebench as pb
from tests.cli.conftest import refused
from tests.doctor.faults import METRES, Y_UP, codes, example


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with good.npz, bad.npz (y up, metres) and gt.npz in it."""
    monkeypatch.chdir(tmp_path)
    pred, gt = example()
    pb.write(pred, "good.npz")
    pb.write(pred.replace(poses=METRES(Y_UP(np.array(pred.poses, float)))), "bad.npz")
    pb.write(gt, "gt.npz")
    return tmp_path


def test_a_clean_file_exits_0(posebench, folder) -> None:
    run = posebench("doctor", "--pred", "good.npz", "--gt", "gt.npz")
    assert (run.code, run.err) == (0, "")
    assert run.out == str(pb.diagnose("good.npz", "gt.npz"))
    assert "nothing found" in run.out


def test_findings_exit_1_unless_0_is_asked_for(posebench, folder) -> None:
    run = posebench("doctor", "--pred", "bad.npz", "--gt", "gt.npz")
    assert run.code == 1
    assert "error D-UNITS: bad.npz says its unit is mm" in run.out
    assert "all of it: posebench convert bad.npz bad-fixed.npz --from-unit m --unit mm --axes x,-y,z" in run.out
    assert "posebench score refuses: bad.npz says its unit is mm" in run.out
    assert posebench("doctor", "--pred", "bad.npz", "--gt", "gt.npz", "--exit-zero").code == 0


def test_json_holds_what_the_text_says(posebench, folder) -> None:
    run = posebench("doctor", "--pred", "bad.npz", "--gt", "gt.npz", "--json", "-o", "out.json", "-o", "out.txt")
    data = json.loads(run.out)
    assert data == json.loads((folder / "out.json").read_text("utf-8"))
    assert data["schema"] == "posebench.diagnosis/1"
    assert [finding["code"] for finding in data["findings"]] == ["D-UNITS", "D-UP"]
    assert data["findings"][1]["evidence"][0]["after"] == pytest.approx(22.27, abs=0.01)
    assert data["clean"] is False
    text = posebench("doctor", "--pred", "bad.npz", "--gt", "gt.npz").out
    assert (folder / "out.txt").read_text("utf-8") == text


def test_options_are_believed_as_scoring_believes_them(posebench, folder) -> None:
    run = posebench("doctor", "--pred", "bad.npz", "--gt", "gt.npz", "--pred-unit", "m")
    assert "D-UNITS" not in run.out
    assert "D-UP" in run.out


def test_commands_repeat_what_the_user_said_of_the_file(posebench, folder) -> None:
    run = posebench("doctor", "--pred", "bad.npz", "--gt", "gt.npz", "--pred-unit", "m", "--gt-unit", "mm")
    assert "fix: posebench convert bad.npz bad-fixed.npz --axes x,-y,z --from-unit m\n" in run.out


def test_a_file_that_cannot_be_read_exits_2(posebench, folder) -> None:
    (folder / "text.npz").write_text("no poses", "utf-8")
    refused(posebench("doctor", "--pred", "text.npz"), "text.npz")
    refused(posebench("doctor", "--pred", "gone.npz"), "gone.npz")


def test_outputs_are_checked_before_work(posebench, folder) -> None:
    refused(
        posebench("doctor", "--pred", "good.npz", "-o", "out.csv"), "out.csv: a diagnosis is written as .json or .txt"
    )
    refused(posebench("doctor", "--pred", "good.npz", "--joints", "out.txt"), "a skeleton is written as .yaml")
    refused(posebench("doctor", "--pred", "good.npz", "-o", "nowhere/out.json"), "No such file or directory")


def test_ground_truth_of_another_size_must_say_its_joints(posebench, folder) -> None:
    np.save("other.npy", np.zeros((100, 5, 3)))
    refused(posebench("doctor", "--pred", "good.npz", "--gt", "other.npy"), "other.npy has 5 joints", "--gt-skeleton")


def test_frames_that_are_not_there_are_named_and_the_rest_examined(folder) -> None:
    pred, gt = example()
    found = pb.diagnose(METRES_OF(pred)[:60], gt)
    assert [finding.code for finding in found.findings] == ["D-KEYS", "D-UNITS"]
    assert found.matched == 60
    assert "--allow-missing" in found.findings[0].sentence
    assert [each.code for each in pb.diagnose(METRES_OF(pred)[:60], gt, allow_missing=True).findings] == ["D-UNITS"]


def METRES_OF(pred: pb.PoseSet) -> pb.PoseSet:  # noqa: N802
    return pred.replace(poses=np.array(pred.poses, float) / 1000)


def test_keys_that_repeat_are_named_and_order_is_taken(folder) -> None:
    pred, gt = example()
    found = pb.diagnose(METRES_OF(pred).replace(frame=np.zeros(100, int)), gt)
    assert {"D-KEYS", "D-UNITS"} <= codes(found)
    assert found.how == "by order, as a guess"


def test_sets_that_do_not_match_at_all_are_examined_alone(folder) -> None:
    pred, gt = example()
    found = pb.diagnose(METRES_OF(pred)[:60].replace(frame=None, sequence="other", action="other"), gt)
    assert {"D-KEYS", "D-UNITS"} <= codes(found)
    assert found.matched == 0


def test_ground_truth_in_another_unit_than_it_says_is_named(folder) -> None:
    pred, gt = example()
    wrong = gt.replace(poses=np.array(gt.poses, float) / 1000, path="gt.npz")
    found = pb.diagnose(pred, wrong)
    assert codes(found) == {"D-GT-UNITS"}
    assert "--gt-unit m" in found.findings[0].advice


def test_plain_arrays_are_taken_as_scoring_takes_them() -> None:
    pred, gt = example()
    p, g = np.array(pred.poses, float), np.array(gt.poses, float)
    assert pb.diagnose(p, g).clean
    assert codes(pb.diagnose(p / 1000, g)) == {"D-UNITS"}


def test_joints_that_no_skeleton_has_as_many_of_are_examined_as_far_as_can_be() -> None:
    pred, gt = example()
    found = pb.diagnose(pb.PoseSet(np.array(pred.poses)[:, :11], unit="mm", path="pred.npz"), np.array(gt.poses))
    assert found.refusal is not None
    assert "D-REFUSED" in codes(found) or "D-JOINTS" in codes(found)


def test_a_protocol_that_selects_frames_takes_predictions_for_all_of_them() -> None:
    pred, gt = example()
    keys = {"subject": "S9", "action": "Walking", "sequence": None, "camera": "cam01", "dataset": "human3.6m"}
    protocol = pb.get_protocol("h36m-rhodin")
    whole, truth = pred.replace(**keys), gt.replace(**keys)
    assert protocol.selection is not None and protocol.selection.stride > 1
    found = pb.diagnose(whole, truth, protocol=protocol)
    assert "D-KEYS" not in codes(found)
    assert found.matched == 20


def test_what_else_scoring_refuses_is_a_finding() -> None:
    pred, gt = example()
    found = pb.diagnose(pred.replace(reference="canonical"), gt, protocol="standard")
    if found.refusal is not None:
        assert codes(found) == {"D-REFUSED"}


def test_a_protocol_that_takes_predictions_as_they_are_needs_them_centred() -> None:
    pred, gt = example()
    body = np.array(pred.poses, float)
    given = pred.replace(poses=body, origin=None, path="pred.npz")
    found = pb.diagnose(given, gt, protocol="h36m-rhodin")
    assert codes(found) == {"D-ORIGIN"}
    assert pb.diagnose(given, gt).clean


def test_every_number_of_a_diagnosis_fits_into_json() -> None:
    pred, gt = example()
    poses = np.full(pred.poses.shape, np.nan)
    for found in (pb.diagnose(pred.replace(poses=poses), gt), pb.diagnose(pred.replace(poses=poses))):
        assert "D-NAN" in codes(found)
        json.dumps(found.to_dict(), allow_nan=False)
