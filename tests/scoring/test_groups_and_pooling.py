"""Groups are plain means over their frames, and pooling is what the protocol says it is."""

from __future__ import annotations

import numpy as np
import pytest

import posebench as pb
from tests.scoring.plain import (
    OF_JOINTS,
    assert_same_values,
    item_values,
    pair,
    pose_values,
    poseset,
    protocol,
    values_of,
)

N = 30
#: Groups of different sizes, so that a mean of means differs from the mean.
SUBJECT = np.array(["S9"] * 10 + ["S11"] * 20)
ACTION = np.array(["Walking"] * 7 + ["Eating"] * 3 + ["Walking"] * 4 + ["Eating"] * 14 + ["Sitting"] * 2)
#: The name of a sequence repeats from subject to subject.
SEQUENCE = np.array(["1"] * 5 + ["2"] * 5 + ["1"] * 9 + ["2"] * 11)
CAMERA = np.tile(["left", "right", "right"], 10)
KEYS = {"subject": SUBJECT, "action": ACTION, "sequence": SEQUENCE, "camera": CAMERA, "frame": np.arange(N)}


@pytest.fixture(scope="module")
def scored():
    pred, gt = pair(N)
    valid = np.random.default_rng(1).random((N, 17)) > 0.15
    valid[:, 0] = True
    pred[~valid] = np.nan
    return pred, gt, valid


def report_of(scored, **options) -> pb.Report:
    pred, gt, valid = scored
    options = {"protocol": protocol(), **options}
    return pb.score(poseset(pred), poseset(gt, valid=valid, **KEYS), **options)


def mean_by(values: dict[str, np.ndarray], labels: np.ndarray) -> dict[str, dict[str, float]]:
    return {
        str(label): {key: np.nanmean(column[labels == label]) for key, column in values.items()}
        for label in np.unique(labels)
    }


@pytest.mark.parametrize("group", ["subject", "action", "camera"])
def test_a_group_is_the_mean_over_its_frames(scored, group: str) -> None:
    expected = mean_by(pose_values(*scored), KEYS[group])
    found = report_of(scored).by(group)
    assert list(found) == sorted(expected)
    for name, values in expected.items():
        assert_same_values(found[name], values)


def test_a_sequence_is_told_apart_by_subject_and_action_too(scored) -> None:
    labels = np.array(["/".join(parts) for parts in zip(SUBJECT, ACTION, SEQUENCE, strict=True)])
    expected = mean_by(pose_values(*scored), labels)
    found = report_of(scored).by("sequence")
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert_same_values(found[name], values)


def test_a_name_that_is_not_joined_stays_as_it_is() -> None:
    pred, gt = pair(2)
    report = pb.score(pred, poseset(gt, action=["Standing/Walking", "a\\b"]), metrics=["MPJPE"])
    assert list(report.by("action")) == ["Standing/Walking", "a\\b"]


def test_sequences_whose_names_read_alike_when_joined_stay_apart() -> None:
    pred, gt = pair(4)
    keys = {"subject": ["a/b", "a/b", "a", "a"], "sequence": ["c", "c", "b/c", "b/c"]}
    found = pb.score(pred, poseset(gt, **keys), metrics=["MPJPE"]).by("sequence")
    expected = pose_values(pred, gt)["MPJPE"]
    assert sorted(v["MPJPE"] for v in found.values()) == pytest.approx(
        sorted([expected[:2].mean(), expected[2:].mean()])
    )


def test_a_joint_is_the_mean_over_the_frames_that_hold_it(scored) -> None:
    items = item_values(*scored)
    found = report_of(scored).by("joint")
    joints = pb.get_skeleton("h36m17").joints
    assert tuple(found) == joints
    for j, joint in enumerate(joints):
        assert_same_values(found[joint], {key: np.nanmean(column[:, j]) for key, column in items.items()})


def test_a_part_is_the_mean_over_its_valid_joints(scored) -> None:
    items = item_values(*scored)
    skeleton = pb.get_skeleton("h36m17")
    found = report_of(scored).by("part")
    assert found.keys() == skeleton.parts.keys()
    for part, names in skeleton.parts.items():
        columns = [skeleton.index(name) for name in names]
        assert_same_values(found[part], {key: np.nanmean(column[:, columns]) for key, column in items.items()})


def test_metrics_of_the_whole_pose_have_no_value_per_joint(scored) -> None:
    found = report_of(scored, metrics=["MPJPE", "CPS", "WorstJoint", "BoneLength"]).by("joint")
    assert set(found["pelvis"]) == {"MPJPE"}


def test_a_group_that_the_ground_truth_lacks_is_refused_with_those_it_has() -> None:
    pred, gt = pair(2)
    report = pb.score(pred, poseset(gt, action="Walking"))
    with pytest.raises(
        pb.UsageError, match="'subject': the ground truth has action, cluster@100, cluster@50, joint, part"
    ):
        report.by("subject")


def test_groups_come_from_the_ground_truth_alone() -> None:
    pred, gt = pair(2)
    report = pb.score(poseset(pred, action=["Walking", "Eating"], frame=[0, 1]), poseset(gt, frame=[0, 1]))
    with pytest.raises(pb.UsageError, match="cannot group by 'action'"):
        report.by("action")


def test_one_value_for_all_frames_makes_one_group() -> None:
    pred, gt = pair(3)
    report = pb.score(pred, poseset(gt, subject="S9"))
    assert_same_values(report.by("subject")["S9"], values_of(report))


def test_a_group_in_which_nothing_can_be_scored_is_there_without_values() -> None:
    pred, gt = pair(4)
    valid = np.ones((4, 17), bool)
    valid[2:] = False
    report = pb.score(pred, poseset(gt, valid=valid, action=["Walking", "Walking", "Eating", "Eating"]))
    assert set(report.by("action")["Eating"].values()) == {None}
    assert_same_values(report.by("action")["Walking"], values_of(report))


def test_many_keys_make_as_many_cells_as_occur() -> None:
    n = 400
    pred, gt = (np.tile(side, (n // 4, 1, 1)) for side in pair(4))
    pred = pred + np.arange(n)[:, None, None] * (np.arange(17) > 0)[:, None]
    names = [f"name {i:05d}" for i in range(n)]
    report = pb.score(pred, poseset(gt, subject=names, action=names[::-1], sequence=names, camera=names[::-1]))
    expected = np.linalg.norm((pred - pred[:, :1]) - (gt - gt[:, :1]), axis=2).mean(1)
    for group, order in (("subject", 1), ("action", -1), ("camera", -1)):
        found = [values["MPJPE"] for values in report.by(group).values()]
        np.testing.assert_allclose(found, expected[::order], rtol=1e-9)


# Pooling


def test_frame_pooling_is_the_mean_over_frames(scored) -> None:
    expected = {key: np.nanmean(column) for key, column in pose_values(*scored).items()}
    assert_same_values(values_of(report_of(scored, protocol=protocol(pooling="frame"))), expected)


def test_joint_pooling_is_the_mean_over_all_valid_joints(scored) -> None:
    report = report_of(scored, protocol=protocol(pooling="joint"))
    items = item_values(*scored)
    assert_same_values(values_of(report), {key: np.nanmean(column) for key, column in items.items()})
    for name in ("Walking", "Eating", "Sitting"):
        expected = {key: np.nanmean(column[name == ACTION]) for key, column in items.items()}
        assert_same_values(report.by("action")[name], expected)


def test_action_pooling_is_the_mean_of_the_means_of_actions(scored) -> None:
    means = mean_by(pose_values(*scored), ACTION)
    expected = {key: np.mean([values[key] for values in means.values()]) for key in OF_JOINTS}
    assert_same_values(values_of(report_of(scored, protocol=protocol(pooling="action"))), expected)


def test_sequence_pooling_is_the_mean_of_the_means_of_sequences(scored) -> None:
    labels = np.array(["/".join(parts) for parts in zip(SUBJECT, ACTION, SEQUENCE, strict=True)])
    means = mean_by(pose_values(*scored), labels)
    expected = {key: np.mean([values[key] for values in means.values()]) for key in OF_JOINTS}
    assert_same_values(values_of(report_of(scored, protocol=protocol(pooling="sequence"))), expected)


def test_a_subject_under_action_pooling_is_the_mean_of_its_actions(scored) -> None:
    report = report_of(scored, protocol=protocol(pooling="action"))
    values = {key: column[SUBJECT == "S9"] for key, column in pose_values(*scored).items()}
    means = mean_by(values, ACTION[SUBJECT == "S9"])
    assert_same_values(
        report.by("subject")["S9"], {key: np.mean([of[key] for of in means.values()]) for key in OF_JOINTS}
    )


@pytest.mark.parametrize("pooling", ["action", "sequence"])
def test_pooling_by_a_key_that_the_ground_truth_lacks_is_not_frame_pooling_in_silence(pooling: str) -> None:
    pred, gt = pair(4)
    keyless = poseset(gt, frame=range(4))
    try:
        report = pb.score(pred, keyless, protocol=protocol(pooling=pooling))
    except pb.InputError as refused:
        assert pooling in str(refused)
    else:
        assert any(pooling in note for note in report.notes)


def test_an_action_of_which_nothing_can_be_scored_does_not_count_in_the_mean_of_actions() -> None:
    pred, gt = pair(4)
    valid = np.ones((4, 17), bool)
    valid[2:] = False
    keys = {"action": ["Walking", "Walking", "Eating", "Eating"]}
    report = pb.score(pred, poseset(gt, valid=valid, **keys), protocol=protocol(pooling="action"))
    assert report.metrics["MPJPE"].value == pytest.approx(pose_values(pred[:2], gt[:2])["MPJPE"].mean())


# Roots and joints of a protocol


def test_an_uncentred_prediction_is_compared_as_it_is_with_the_centred_ground_truth() -> None:
    pred, gt = pair(5)
    pred = pred - pred[:, :1] + [3.0, 4.0, 0.0]
    report = pb.score(pred, gt, protocol=protocol(pred_root=None), metrics=["MPJPE", "PCK@50", "PMPJPE"])
    errors = np.linalg.norm(pred - (gt - gt[:, :1]), axis=2)
    assert report.metrics["MPJPE"].value == pytest.approx(errors.mean())
    assert report.metrics["PCK@50"].value == pytest.approx(100 * (errors < 50).mean())
    assert report.metrics["PMPJPE"].value == pytest.approx(pose_values(pred, gt)["PMPJPE"].mean())
    assert report.by("joint")["pelvis"]["MPJPE"] == pytest.approx(5.0)


def test_an_uncentred_ground_truth_is_compared_as_it_is_with_the_centred_prediction() -> None:
    pred, gt = pair(5)
    gt = gt - gt[:, :1] + [3.0, 4.0, 0.0]
    report = pb.score(pred, gt, protocol=protocol(gt_root=None), metrics=["MPJPE"])
    assert report.metrics["MPJPE"].value == pytest.approx(np.linalg.norm(pred - pred[:, :1] - gt, axis=2).mean())


def test_without_any_root_coordinates_are_compared_as_they_are() -> None:
    pred, gt = pair(5)
    report = pb.score(pred, gt, protocol=protocol(pred_root=None, gt_root=None), metrics=["MPJPE"])
    assert report.metrics["MPJPE"].value == pytest.approx(np.linalg.norm(pred - gt, axis=2).mean())


def test_without_any_root_a_root_relative_side_is_not_compared_with_an_absolute_one() -> None:
    pred, gt = pair(3)
    relative = poseset(pred - pred[:, :1], origin="root")
    with pytest.raises(pb.InputError, match="root"):
        pb.score(
            relative,
            poseset(gt, origin="absolute"),
            protocol=protocol(pred_root=None, gt_root=None),
            metrics=["MPJPE"],
        )


def test_a_masked_root_does_not_matter_where_no_root_is_taken() -> None:
    pred, gt = pair(3)
    valid = np.ones((3, 17), bool)
    valid[:, 0] = False
    report = pb.score(
        pred, poseset(gt, valid=valid), protocol=protocol(pred_root=None, gt_root=None), metrics=["MPJPE"]
    )
    assert report.metrics["MPJPE"].value == pytest.approx(np.linalg.norm(pred - gt, axis=2)[:, 1:].mean())
    assert report.coverage.scored == 3


def test_another_root_than_the_skeletons_can_be_taken() -> None:
    pred, gt = pair(3)
    thorax = pb.get_skeleton("h36m17").index("thorax")
    report = pb.score(pred, gt, protocol=protocol(pred_root="thorax", gt_root="thorax"), metrics=["MPJPE"])
    errors = np.linalg.norm((pred - pred[:, [thorax]]) - (gt - gt[:, [thorax]]), axis=2)
    assert report.metrics["MPJPE"].value == pytest.approx(errors.mean())


def test_only_the_joints_of_the_protocol_are_aligned_and_counted() -> None:
    pred, gt = pair(5)
    names = ("RAnkle", "LHip", "LKnee", "nose", "RWrist")
    skeleton = pb.get_skeleton("h36m17")
    chosen = [skeleton.index(name) for name in names]
    pred[:, skeleton.index("head")] = np.nan  # of no joint that counts
    report = pb.score(pred, gt, protocol=protocol(joints=names))
    errors = np.linalg.norm((pred - pred[:, :1]) - (gt - gt[:, :1]), axis=2)[:, chosen]
    assert report.metrics["MPJPE"].value == pytest.approx(errors.mean())
    aligned = pose_values(pred[:, chosen], gt[:, chosen])["PMPJPE"]
    assert report.metrics["PMPJPE"].value == pytest.approx(aligned.mean())
    assert tuple(report.by("joint")) == names
    assert report.by("part")["torso"]["MPJPE"] == pytest.approx(errors[:, 3].mean())


def test_masked_joints_outside_the_protocol_are_not_counted() -> None:
    pred, gt = pair(2)
    valid = np.ones((2, 17), bool)
    valid[:, 10] = False
    report = pb.score(pred, poseset(gt, valid=valid), protocol=protocol(joints=("pelvis", "RHip", "LHip")))
    assert report.coverage.invalid_joints == 0


def test_n_counts_frames_under_every_pooling(scored) -> None:
    for pooling in ("frame", "joint", "action", "sequence"):
        report = report_of(scored, protocol=protocol(pooling=pooling))
        assert {metric.n for metric in report.metrics.values()} == {N}
