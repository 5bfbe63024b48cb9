"""What a prediction lacks is an error; where that is allowed, it counts as wrong and never raises a score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import posebench as pb
from tests.scoring.plain import item_values, pair, pose_values, poseset, protocol
from tests.support.poses import FEW, MODERATE, make_case

SCORES = [
    "PCK@150",
    "PCK@60",
    "PCK@60(inclusive)",
    "NPCK@150",
    "NPCK@60(scale=procrustes)",
    "NPCK@60(scale=norm_ratio)",
]
SCORES += ["AUC", "AUC(continuous=150)", "NAUC", "NAUC(continuous=150)", "CPS", "CPS(align=root)"]
ABSOLUTE = ["PCK@60(align=none)", "NPCK@60(scale=least_squares_absolute)", "NPCK@60(scale=least_squares_mean)"]
DISTANCES = ["MPJPE", "NMPJPE", "PMPJPE", "WorstJoint", "MRPE", "BoneLength", "BoneSpread", "Symmetry", "JointAngle"]
NOTHING = (np.nan, np.inf, -np.inf)


# Without leave


@pytest.mark.parametrize("lost", NOTHING)
def test_a_missing_joint_is_an_error_that_names_the_set_the_row_and_the_joint(lost: float) -> None:
    pred, gt = pair(5)
    pred[3, 4, 1] = lost
    with pytest.raises(pb.InputError, match=r"pred: pose 3, joint 4 \(LHip\) is .* --allow-missing"):
        pb.score(pred, gt)


def test_a_missing_joint_is_named_by_the_row_of_the_prediction_after_matching() -> None:
    pred, gt = pair(5)
    order = np.array([4, 2, 0, 1, 3])
    pred[2, 16] = np.nan
    shuffled = poseset(pred[order], frame=order, source="run.npz")
    with pytest.raises(pb.InputError, match=r"run.npz: pose 1, joint 16 \(RWrist\)"):
        pb.score(shuffled, poseset(gt, frame=np.arange(5)))


def test_a_missing_joint_is_named_by_its_row_in_the_whole_set_not_in_its_chunk() -> None:
    pred, gt = (np.tile(side, (1000, 1, 1)) for side in pair(5))
    pred[4567, 2] = np.nan
    with pytest.raises(pb.InputError, match=r"pred: pose 4567, joint 2 \(RKnee\)"):
        pb.score(pred, gt)


def test_an_absent_frame_is_an_error_that_names_its_keys() -> None:
    pred, gt = pair(4)
    keys = {"action": ["Walking", "Walking", "Eating", "Eating"], "frame": [0, 1, 0, 1]}
    partial = poseset(pred[:3], action=keys["action"][:3], frame=keys["frame"][:3], source="run.npz")
    with pytest.raises(pb.InputError, match=r"run.npz lacks 1 of the 4 .* row 3 \(action=Eating, frame=1\)"):
        pb.score(partial, poseset(gt, **keys))


def test_a_missing_joint_that_the_ground_truth_masks_is_no_error() -> None:
    pred, gt = pair(2)
    valid = np.ones((2, 17), bool)
    pred[0, 9], valid[0, 9] = np.nan, False
    assert pb.score(pred, poseset(gt, valid=valid)).coverage.missing == 0


@pytest.mark.parametrize("allow_missing", [False, True])
def test_a_ground_truth_that_is_not_finite_is_refused_whatever_is_allowed(allow_missing: bool) -> None:
    pred, gt = pair(3)
    gt[1, 5] = np.nan
    with pytest.raises(pb.InputError, match=r"gt: pose 1, joint 5 \(LKnee\) .* mark it invalid"):
        pb.score(pred, gt, allow_missing=allow_missing)


@pytest.mark.parametrize("value", [1e155, 1e200, 1e308])
def test_a_number_too_large_to_square_is_named_where_it_stands(value: float) -> None:
    pred, gt = pair(3)
    pred[2, 4] = value
    try:
        pb.score(pred, gt)
    except pb.InputError as refused:
        assert "joint 4" in str(refused)


def test_a_joint_that_the_prediction_itself_calls_invalid_is_not_scored_as_if_it_were_there() -> None:
    pred, gt = pair(3)
    valid = np.ones((3, 17), bool)
    valid[1, 13] = False
    pred[1, 13] = 0.0
    with pytest.raises(pb.InputError, match="joint 13"):
        pb.score(poseset(pred, valid=valid), gt)


def test_a_missing_root_is_noticed_though_no_joint_of_the_protocol_needs_it() -> None:
    pred, gt = pair(4)
    pred[:2, 0] = np.nan
    legs = protocol(joints=("RHip", "RKnee", "LHip"), pred_root=None, gt_root=None, metrics=("MRPE",))
    with pytest.raises(pb.InputError, match="pelvis"):
        pb.score(pred, gt, protocol=legs)


def test_a_ground_truth_root_that_is_not_finite_is_noticed_though_no_joint_of_the_protocol_needs_it() -> None:
    pred, gt = pair(4)
    gt[:2, 0] = np.nan
    legs = protocol(joints=("RHip", "RKnee", "LHip"), pred_root=None, gt_root=None, metrics=("MRPE",))
    with pytest.raises(pb.InputError, match="pelvis"):
        pb.score(pred, gt, protocol=legs)


# With leave


def test_a_missing_joint_is_wrong_and_the_others_keep_their_errors() -> None:
    pred, gt = pair(6)
    items = item_values(pred, gt)
    pred[2, 7] = np.nan
    report = pb.score(pred, gt, allow_missing=True, metrics=["PCK", "AUC", "MPJPE"])
    for key in ("PCK@150", "AUC(0:150:5)"):
        items[key][2, 7] = 0.0
        assert report.metrics[key].value == pytest.approx(items[key].mean())
    items["MPJPE"][2, 7] = np.nan
    assert report.metrics["MPJPE"].value == pytest.approx(np.nanmean(items["MPJPE"], axis=1).mean())


def test_a_fit_over_fewer_joints_flatters_nobody() -> None:
    pred, gt = pair(6)
    whole = pose_values(pred, gt)
    pred[2, 7] = np.nan
    report = pb.score(pred, gt, allow_missing=True, metrics=["NPCK", "NMPJPE", "PMPJPE"])
    whole["NPCK@150"][2] = 0.0
    assert report.metrics["NPCK@150"].value == pytest.approx(whole["NPCK@150"].mean())
    for key in ("NMPJPE", "PMPJPE"):
        assert report.metrics[key].value == pytest.approx(np.delete(whole[key], 2).mean())
        assert report.metrics[key].n == 5


def test_an_absent_frame_is_wrong_at_every_joint() -> None:
    pred, gt = pair(4)
    whole = pose_values(pred, gt)
    report = pb.score(
        poseset(pred[[3, 0]], frame=[3, 0]), poseset(gt, frame=range(4)), allow_missing=True, metrics=["PCK", "MPJPE"]
    )
    assert report.metrics["PCK@150"].value == pytest.approx(whole["PCK@150"][[0, 3]].sum() / 4)
    assert report.metrics["PCK@150"].n == 4
    assert report.metrics["MPJPE"].value == pytest.approx(whole["MPJPE"][[0, 3]].mean())
    assert report.metrics["MPJPE"].n == 2
    assert (report.coverage.gt_frames, report.coverage.scored, report.coverage.missing) == (4, 2, 2)


def test_a_missing_root_makes_every_joint_wrong() -> None:
    pred, gt = pair(2)
    pred[0, 0] = np.inf
    report = pb.score(pred, gt, allow_missing=True, metrics=["PCK@1000"])
    assert report.metrics["PCK@1000"].value == 50.0


def test_an_empty_prediction_scores_nothing_at_all() -> None:
    _, gt = pair(3)
    empty = poseset(np.zeros((0, 17, 3)), frame=[])
    report = pb.score(empty, poseset(gt, frame=range(3)), allow_missing=True)
    assert report.metrics["PCK@150"].value == 0.0
    assert report.metrics["MPJPE"].value is None
    assert report.coverage.missing == 3


def test_distances_are_marked_incomplete_and_scores_are_not() -> None:
    pred, gt = pair(5)
    pred[4, 3] = np.nan
    motion = ["MPJVE(per=frame)", "MPJAE(per=frame)"]
    report = pb.score(
        pred, poseset(gt, frame=range(5)), allow_missing=True, metrics=[*SCORES, *ABSOLUTE, *DISTANCES, *motion]
    )
    incomplete = {key for key, metric in report.metrics.items() if metric.incomplete}
    assert incomplete == {*DISTANCES, *motion}
    assert report.to_dict()["metrics"]["MPJPE"]["incomplete"] is True
    assert "incomplete" not in report.to_dict()["metrics"]["CPS"]
    assert any("1 frames lack a prediction" in note for note in report.notes)


def test_nothing_is_marked_where_nothing_is_missing() -> None:
    pred, gt = pair(3)
    report = pb.score(pred, gt, allow_missing=True)
    assert not any(metric.incomplete for metric in report.metrics.values())
    assert report.notes == []


@pytest.mark.parametrize("metric", ["BoneLength", "BoneSpread", "Symmetry", "JointAngle", "MRPE", "MPJVE(per=frame)"])
def test_infinite_predictions_are_missing_to_every_metric_without_a_warning(metric: str) -> None:
    pred, gt = pair(6)
    whole = pb.score(pred[[0, 1, 2]], poseset(gt[[0, 1, 2]], frame=range(3)), metrics=[metric]).metrics[metric]
    pred[3], pred[4, ::2], pred[5] = np.inf, -np.inf, [np.inf, np.nan, 0.0]
    report = pb.score(pred, poseset(gt, frame=range(6)), metrics=[metric], allow_missing=True)
    assert report.metrics[metric].value == pytest.approx(whole.value)
    assert report.metrics[metric].incomplete


@pytest.mark.parametrize("metric", ["BoneLength", "BoneSpread", "Symmetry", "JointAngle", "MRPE", "MPJVE(per=frame)"])
def test_what_stands_in_masked_joints_does_not_matter_to_any_metric(metric: str) -> None:
    pred, gt = pair(6)
    valid = np.random.default_rng(2).random((6, 17)) > 0.3
    valid[:, 0] = True
    valid[5] = False
    clean = pb.score(pred, poseset(gt, valid=valid, frame=range(6)), metrics=[metric]).metrics[metric]
    pred[~valid], gt[~valid] = np.inf, [np.inf, -np.inf, np.nan]
    dirty = pb.score(pred, poseset(gt, valid=valid, frame=range(6)), metrics=[metric]).metrics[metric]
    assert (dirty.value, dirty.n) == (clean.value, clean.n)


# Leaving something out never pays


def scores(pred, gt, valid, metrics) -> dict[str, float | None]:
    report = pb.score(
        poseset(pred), poseset(gt, valid=valid), metrics=metrics, allow_missing=True, protocol=protocol(pooling="frame")
    )
    return {key: metric.value for key, metric in report.metrics.items()}


@st.composite
def deletions(draw):
    """A set of four poses of some kind, perhaps masked, and the joints that its prediction leaves out."""
    kind = draw(
        st.sampled_from(["human", "planar", "mirrored", "coincident", "collinear", "similar", "point reflected"])
    )
    case = make_case(kind, n=4, seed=draw(st.integers(0, 50)))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    valid = rng.random((4, 17)) > draw(st.sampled_from([0.0, 0.2]))
    lost = rng.random((4, 17)) < draw(st.sampled_from([0.02, 0.1, 0.5]))
    lost[rng.integers(0, 4)] |= draw(st.booleans())
    lost[:, 0] |= draw(st.booleans())
    return case, valid, lost, draw(st.sampled_from(NOTHING))


@MODERATE
@given(deletions())
def test_leaving_joints_out_never_raises_a_score(deletion) -> None:
    case, valid, lost, nothing = deletion
    before = scores(case.pred, case.gt, valid, SCORES + ABSOLUTE)
    pred = case.pred.copy()
    pred[lost] = nothing
    after = scores(pred, case.gt, valid, SCORES + ABSOLUTE)
    for key, value in before.items():
        if value is None:
            assert after[key] is None
        else:
            assert after[key] <= value + 1e-9, key


@FEW
@given(st.sets(st.integers(0, 7)), st.sampled_from(["frame", "joint", "action"]))
def test_leaving_frames_out_never_raises_a_score(left_out: set[int], pooling: str) -> None:
    pred, gt = pair(8, noise=90)
    rows = np.array([row for row in range(8) if row not in left_out], int)
    actions = np.array(["Walking"] * 3 + ["Eating"] * 5)
    truth = poseset(gt, frame=range(8), action=actions)
    options = {"metrics": SCORES, "allow_missing": True, "protocol": protocol(pooling=pooling)}
    whole = pb.score(poseset(pred, frame=range(8)), truth, **options)
    if not len(rows):
        return
    part = pb.score(poseset(pred[rows], frame=rows), truth, **options)
    for key in whole.metrics:
        assert part.metrics[key].value <= whole.metrics[key].value + 1e-9, key
        assert part.metrics[key].n == 8


@FEW
@given(st.data())
def test_leaving_more_out_never_raises_a_score_either(data) -> None:
    pred, gt = pair(3, noise=90)
    joints = st.tuples(st.integers(0, 2), st.integers(0, 16))
    first, more = data.draw(st.sets(joints, max_size=10)), data.draw(st.sets(joints, max_size=10))
    values = []
    for lost in (first, first | more):
        poses = pred.copy()
        for i, j in lost:
            poses[i, j] = np.nan
        values.append(scores(poses, gt, None, SCORES))
    for key in values[0]:
        assert values[1][key] <= values[0][key] + 1e-9, key
