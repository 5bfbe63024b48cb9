"""Shares add up to the error, in the whole and in every group, under every pooling; what must not matter does not."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import posebench as pb
from posebench.errors import InputError, UsageError
from tests.taxonomy.conftest import clip, exchanged

KEYS = {"subject": ["S1"] * 250 + ["S2"] * 150, "action": ["Walk"] * 100 + ["Eat"] * 100 + ["Walk"] * 200}
EXACT = 1e-9


@pytest.fixture(scope="module")
def pair(moving) -> tuple[pb.PoseSet, pb.PoseSet]:
    """Everything wrong at once: 400 frames of two subjects and two actions."""
    rng = np.random.default_rng(7)
    turn = Rotation.from_rotvec([0.1, 0.3, -0.1]).as_matrix()
    wrong = 1.07 * moving @ turn.T + rng.normal(0, 30, (1, 17, 3)) + rng.normal(0, 15, moving.shape)
    wrong[40:60] = exchanged(wrong, "legs")[40:60]
    wrong[90:95, 13] += 500
    return clip(wrong, **KEYS), clip(moving, **KEYS)


@pytest.fixture(scope="module")
def explained(pair) -> pb.Explanation:
    return pb.explain(*pair)


def test_the_shares_add_up_to_mpjpe_and_to_the_mean_squared_error(pair, explained) -> None:
    pred, gt = (side.poses - side.poses[:, :1] for side in pair)
    distance = np.linalg.norm(pred - gt, axis=2)
    faults = explained.faults.values()
    assert explained.value == pytest.approx(distance.mean(), rel=EXACT)
    assert sum(fault.mm for fault in faults) == pytest.approx(distance.mean(), rel=EXACT)
    assert explained.squared == pytest.approx((distance**2).mean(), rel=EXACT)
    assert sum(fault.percent for fault in faults) == pytest.approx(100, rel=EXACT)
    assert sum(fault.squared for fault in faults) == pytest.approx(100, rel=EXACT)


def test_parts_and_limbs_add_up(explained) -> None:
    parts, limbs, faults = explained.parts, explained.limbs, explained.faults
    for rows in (parts, limbs):
        for of in rows.values():
            assert of["depth"] + of["plane"] == pytest.approx(of["sum"], abs=EXACT)
            assert of["steady"] + of["jitter"] == pytest.approx(of["sum"], abs=EXACT)
    assert sum(of["sum"] for of in parts.values()) == pytest.approx(explained.value, rel=EXACT)
    assert sum(of["jitter"] for of in parts.values()) == pytest.approx(faults["jitter"].mm, rel=EXACT)
    for kind in ("depth", "plane", "steady", "jitter", "sum"):
        assert sum(of[kind] for of in limbs.values()) == pytest.approx(parts["limbs"][kind], abs=EXACT)
    assert parts["limbs"]["steady"] == pytest.approx(faults["depth"].mm + faults["limbs"].mm, rel=EXACT)


def test_what_is_left_goes_from_the_error_to_nothing(explained) -> None:
    left = [fault.left for fault in explained.faults.values()]
    assert left[0] <= explained.value
    assert left[-1] == 0.0
    assert all(value >= 0 for value in left)


@pytest.mark.parametrize("group", ["action", "subject", "sequence"])
def test_the_shares_of_every_member_add_up_to_its_mpjpe(pair, explained, group) -> None:
    report = pb.score(*pair, metrics=["MPJPE"]).by(group)
    assert list(explained.by(group)) == list(report)
    for key, shares in explained.by(group).items():
        assert shares["MPJPE"] == pytest.approx(report[key]["MPJPE"], rel=EXACT)
        assert sum(mm for name, mm in shares.items() if name != "MPJPE") == pytest.approx(shares["MPJPE"], rel=EXACT)


@pytest.mark.parametrize(
    "protocol", ["standard", "h36m-videopose3d", "h36m-epipolarpose-refiner", "h36m-mmpose", "h36m-rhodin"]
)
def test_the_shares_add_up_under_protocols_that_pool_and_centre_otherwise(pair, protocol) -> None:
    pred, gt = pair
    gt = gt.replace(poses=gt.poses + [100.0, 200, 4000], origin="absolute")
    report = pb.score(pred, gt, protocol=protocol, metrics=["MPJPE"], explain=True)
    explained = report.explanation
    assert explained.value == pytest.approx(report.metrics["MPJPE"].value, rel=EXACT)
    assert sum(fault.mm for fault in explained.faults.values()) == pytest.approx(explained.value, rel=EXACT)


@pytest.mark.parametrize("unit", ["mm", "scale-free"])
def test_a_protocol_may_take_the_error_over_some_of_its_joints(pair, unit) -> None:
    metric = {"mm": "MPJPE", "scale-free": "NMPJPE"}[unit]
    few = ("RHip", "RKnee", "LHip", "LKnee", "LShoulder", "RShoulder", "LWrist")
    protocol = replace(pb.get_protocol("standard"), metrics=(metric,), banks=(), metric_joints={metric: few})
    report = pb.score(pair[0].replace(unit=unit), pair[1], protocol=protocol, explain=True)
    explained = report.explanation
    assert explained.value == pytest.approx(report.metrics[metric].value, rel=EXACT)
    assert sum(fault.mm for fault in explained.faults.values()) == pytest.approx(explained.value, rel=EXACT)
    assert list(explained.limbs) == ["right leg", "left leg", "left arm", "right arm"]


def test_masked_joints_count_for_nothing(pair) -> None:
    pred, gt = pair
    valid = np.random.default_rng(1).random(gt.poses.shape[:2]) > 0.2
    valid[:, 0] = True
    junk = np.where(valid[..., None], pred.poses, 1e6)
    report = pb.score(pred.replace(poses=junk), gt.replace(valid=valid), metrics=["MPJPE"], explain=True)
    explained = report.explanation
    assert explained.value == pytest.approx(report.metrics["MPJPE"].value, rel=EXACT)
    assert sum(fault.mm for fault in explained.faults.values()) == pytest.approx(explained.value, rel=EXACT)


def test_a_missing_prediction_is_left_out_as_mpjpe_leaves_it_out(pair) -> None:
    pred, gt = pair
    poses = pred.poses.copy()
    poses[5] = np.nan
    poses[7, 3] = np.nan
    report = pb.score(pred.replace(poses=poses), gt, metrics=["MPJPE"], explain=True, allow_missing=True)
    assert report.explanation.frames == 399
    assert report.explanation.value == pytest.approx(report.metrics["MPJPE"].value, rel=EXACT)


@pytest.mark.parametrize("kind", ["one point", "a line", "nothing but noise", "perfect"])
def test_poses_without_shape_still_add_up(gt, kind) -> None:
    wrong = {
        "one point": np.zeros_like(gt),
        "a line": np.arange(17.0)[:, None] * np.array([30.0, 0, 0]) + 0 * gt,
        "nothing but noise": np.random.default_rng(1).normal(0, 400, gt.shape),
        "perfect": gt,
    }[kind]
    explained = pb.explain(wrong, gt)
    assert sum(fault.mm or 0 for fault in explained.faults.values()) == pytest.approx(explained.value, abs=1e-9)
    assert all(fault.mm is None or abs(fault.mm) < 10_000 for fault in explained.faults.values())


def test_the_order_of_frames_changes_jitter_and_what_it_is_told_from_and_nothing_else(pair, explained) -> None:
    pred, gt = pair
    order = np.random.default_rng(3).permutation(len(gt))
    again = pb.explain(clip(pred.poses[order]), clip(gt.poses[order]))
    for name in ("swap", "outliers"):
        assert again.faults[name].mm == pytest.approx(explained.faults[name].mm, rel=EXACT)
    for name, of in again.parts.items():
        for kind in ("depth", "plane", "sum"):
            assert of[kind] == pytest.approx(explained.parts[name][kind], rel=1e-8, abs=1e-9)
    assert abs(again.faults["jitter"].mm - explained.faults["jitter"].mm) > 0.01


def test_the_order_of_rows_changes_nothing(pair, explained) -> None:
    order = np.random.default_rng(3).permutation(400)
    again = pb.explain(*(side[order] for side in pair))
    for name, fault in again.faults.items():
        assert fault.mm == pytest.approx(explained.faults[name].mm, rel=1e-8)


def test_a_turned_camera_changes_depth_against_plane_and_nothing_else(pair, explained) -> None:
    turn = Rotation.from_rotvec([0.3, 0.8, -0.2]).as_matrix()
    again = pb.explain(*(side.replace(poses=side.poses @ turn.T) for side in pair))
    for name, of in again.parts.items():
        for kind in ("steady", "jitter", "sum"):
            assert of[kind] == pytest.approx(explained.parts[name][kind], rel=1e-6, abs=1e-6)


def test_without_frame_numbers_there_is_no_jitter_and_the_rest_is_the_same(pair, explained) -> None:
    again = pb.explain(*(side.replace(frame=None, subject=None, action=None, sequence=None) for side in pair))
    assert again.window is None
    assert again.faults["jitter"].mm is None
    assert any("jitter is not told apart: array has no `frame` numbers" in note for note in again.notes)
    for name, of in again.parts.items():
        assert of["sum"] == pytest.approx(explained.parts[name]["sum"], rel=EXACT, abs=1e-9)


def test_frames_that_are_not_consecutive_have_no_jitter(pair) -> None:
    again = pb.explain(*(side[::4] for side in pair))
    assert again.faults["jitter"].mm is None
    assert "no two frames" in again.notes[0]


def test_repeated_frame_numbers_have_no_jitter(pair) -> None:
    pred, gt = (side.replace(frame=np.zeros(400, int), subject=None, action=None, sequence=None) for side in pair)
    again = pb.explain(pred.replace(frame=None), gt)
    assert "repeat within a sequence" in again.notes[0]


def test_in_a_world_nobody_knows_what_is_depth(pair, explained) -> None:
    again = pb.explain(*(side.replace(reference="world") for side in pair))
    assert again.faults["depth"].mm is None
    assert "depth is not told from the picture plane" in again.notes[0]
    both = explained.faults["depth"].mm + explained.faults["limbs"].mm
    assert again.faults["limbs"].mm == pytest.approx(both, rel=EXACT)


def test_of_a_scale_free_prediction_nmpjpe_is_explained(pair) -> None:
    pred, gt = pair
    free = pred.replace(poses=pred.poses * 0.001, unit="scale-free")
    explained = pb.explain(free, gt)
    assert explained.error == "NMPJPE"
    assert explained.value == pytest.approx(pb.nmpjpe(pred.poses, gt.poses), rel=1e-8)
    assert sum(fault.mm for fault in explained.faults.values()) == pytest.approx(explained.value, rel=EXACT)
    assert "scale-free: NMPJPE is explained" in explained.notes[0]


def test_two_references_are_refused(pair) -> None:
    pred, gt = pair
    with pytest.raises(InputError, match="in the world reference and"):
        pb.explain(pred.replace(reference="world"), gt)


def test_an_unknown_group_is_refused(explained) -> None:
    with pytest.raises(UsageError, match="cannot explain by 'joint'"):
        explained.by("joint")


def test_an_explanation_survives_json_and_results_without_one_read_as_before(pair, explained) -> None:
    report = pb.score(*pair, metrics=["MPJPE"], explain=True)
    plain = pb.score(*pair, metrics=["MPJPE"])
    text = json.dumps(report.to_dict(), allow_nan=False)
    again = pb.Report.from_dict(json.loads(text))
    assert again.explanation == report.explanation
    assert again.explanation.to_dict() == report.explanation.to_dict()
    without = {key: value for key, value in report.to_dict().items() if key != "explanation"}
    without["environment"] = plain.environment
    assert without == plain.to_dict()
    assert pb.Report.from_dict(plain.to_dict()).explanation is None


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ({"schema": "posebench.explanation/2"}, "schema 'posebench.explanation/2'"),
        ({"value": "much"}, "the explanation is damaged"),
        ({"faults": None}, "the explanation is damaged"),
        ({"frames": 1.5}, "the explanation is damaged"),
    ],
)
def test_a_damaged_explanation_is_refused(pair, damage, words) -> None:
    data = pb.score(*pair, metrics=["MPJPE"], explain=True).to_dict()
    data["explanation"] = {**data["explanation"], **damage}
    with pytest.raises(InputError, match=words):
        pb.Report.from_dict(data, "run.json")
