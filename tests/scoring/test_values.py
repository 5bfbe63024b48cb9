"""Every default metric of a scored set is what plain NumPy makes of it, however the set is stored and ordered."""

from __future__ import annotations

import numpy as np
import pytest

import posebench as pb
from tests.scoring.plain import DEFAULTS, FACTS, assert_same_values, default_values, pair, poseset, values_of

N = 24
KEYS = {
    "subject": np.repeat(["S9", "S11"], N // 2),
    "action": np.tile(np.repeat(["Walking", "Eating", "Sitting"], 4), 2),
    "sequence": np.repeat(["a", "b", "c", "d", "e", "f"], 4),
    "camera": np.tile(["left", "right"], N // 2),
    "frame": np.tile([1, 1, 2, 2], N // 4),
}


def mean(values: dict[str, np.ndarray]) -> dict[str, float]:
    return {key: np.nanmean(column) for key, column in values.items()}


def some_joints_masked(seed: int = 1) -> np.ndarray:
    """A mask (N, 17) with holes, one pose without a root and one without any joint."""
    valid = np.random.default_rng(seed).random((N, 17)) > 0.2
    valid[:, 0] = True
    valid[3, 0] = False
    valid[7] = False
    return valid


def test_arrays_are_scored_in_mm_by_order() -> None:
    pred, gt = pair(N)
    report = pb.score(pred, gt)
    assert tuple(report.metrics) == DEFAULTS
    assert_same_values(values_of(report), mean(default_values(pred, gt)))
    assert report.coverage.matched == "by order"


@pytest.mark.parametrize("dtype", ["float32", "float64", ">f8", "float16"])
def test_any_precision_is_computed_in_float64(dtype: str) -> None:
    pred, gt = (side.astype(dtype) for side in pair(N))
    assert_same_values(values_of(pb.score(pred, gt)), mean(default_values(pred, gt)))


def test_the_two_sides_may_differ_in_precision() -> None:
    pred, gt = pair(N)
    pred = pred.astype("float32")
    assert_same_values(values_of(pb.score(pred, gt)), mean(default_values(pred, gt)))


def test_whole_numbers_are_numbers() -> None:
    pred, gt = (side.round().astype(int) for side in pair(N))
    assert_same_values(values_of(pb.score(pred, gt)), mean(default_values(pred, gt)))


def test_views_and_reversed_arrays_are_read_as_they_look() -> None:
    pred, gt = pair(N)
    backwards, columns = pred[::-1], np.asfortranarray(gt[::-1])
    assert_same_values(values_of(pb.score(backwards, columns)), mean(default_values(pred, gt)))


def test_predictions_in_any_order_find_their_ground_truth_by_all_keys() -> None:
    pred, gt = pair(N)
    order = np.random.default_rng(3).permutation(N)
    shuffled = poseset(pred[order], **{key: column[order] for key, column in KEYS.items()})
    report = pb.score(shuffled, poseset(gt, **KEYS))
    assert_same_values(values_of(report), mean(default_values(pred, gt)))
    assert report.coverage.matched == "by subject, action, sequence, camera, frame"


def test_a_shuffled_ground_truth_gives_the_same_values() -> None:
    pred, gt = pair(N)
    order = np.random.default_rng(4).permutation(N)
    shuffled = poseset(gt[order], **{key: column[order] for key, column in KEYS.items()})
    assert_same_values(values_of(pb.score(poseset(pred, **KEYS), shuffled)), mean(default_values(pred, gt)))


def test_the_mask_of_the_ground_truth_takes_joints_out_of_alignment_and_mean() -> None:
    (pred, gt), valid = pair(N), some_joints_masked()
    pred[~valid], gt[~valid] = np.nan, 1e9
    report = pb.score(pred, poseset(gt, valid=valid))
    expected = default_values(pred, gt, valid)
    assert_same_values(values_of(report), mean(expected))
    for key, metric in report.metrics.items():
        assert metric.n == np.count_nonzero(~np.isnan(expected[key]))


def test_the_coverage_counts_masked_joints_and_unscorable_frames_exactly() -> None:
    (pred, gt), valid = pair(N), some_joints_masked()
    coverage = pb.score(pred, poseset(gt, valid=valid)).coverage
    assert coverage.gt_frames == N
    assert coverage.invalid_joints == np.count_nonzero(~valid)
    assert coverage.unscorable == 2  # the pose without a root and the one without any joint
    assert coverage.scored == N - 2
    assert (coverage.missing, coverage.degenerate, coverage.ambiguous, coverage.negative_scale) == (0, 0, 0, 0)


def test_a_mask_in_the_ground_truth_file_follows_a_shuffled_prediction() -> None:
    (pred, gt), valid = pair(N), some_joints_masked()
    order = np.random.default_rng(5).permutation(N)
    shuffled = poseset(pred[order], **{key: column[order] for key, column in KEYS.items()})
    report = pb.score(shuffled, poseset(gt, valid=valid, **KEYS))
    assert_same_values(values_of(report), mean(default_values(pred, gt, valid)))


@pytest.mark.parametrize("pred_unit", ["mm", "m"])
@pytest.mark.parametrize("gt_unit", ["mm", "m"])
@pytest.mark.parametrize("suffix", [".npz", ".json", ".csv", ".pkl"])
def test_files_in_mm_and_m_give_the_same_values(tmp_path, pred_unit: str, gt_unit: str, suffix: str) -> None:
    pred, gt = pair(N)
    factor = {"mm": 1.0, "m": 1e-3}
    paths = [tmp_path / f"{side}{suffix}" for side in ("pred", "gt")]
    for path, poses, unit in zip(paths, (pred, gt), (pred_unit, gt_unit), strict=True):
        pb.write(poseset(poses * factor[unit], **{**KEYS, "unit": unit}), path)
    report = pb.score(*paths)
    assert_same_values(values_of(report), mean(default_values(pred, gt)))
    assert report.notes == ["no 95 % intervals: 6 sequences, and they need 8"]


def test_a_path_may_be_text_and_the_report_names_the_files_by_their_bytes(tmp_path) -> None:
    import hashlib

    pred, gt = pair(3)
    path = tmp_path / "set.npz"
    pb.write(poseset(gt), path)
    report = pb.score(poseset(pred), str(path))
    assert report.inputs["pred"] == {"path": None, "sha256": None}
    assert report.inputs["gt"] == {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def test_a_set_that_was_changed_in_memory_is_not_recorded_under_the_hash_of_its_file(tmp_path) -> None:
    pred, gt = pair(3)
    path = tmp_path / "pred.npz"
    pb.write(poseset(pred), path)
    report = pb.score(pb.read(path).replace(poses=gt), poseset(gt))
    assert report.metrics["MPJPE"].value == pytest.approx(0)
    assert report.inputs["pred"]["sha256"] is None


def test_asking_for_metrics_takes_exactly_those_in_that_order() -> None:
    pred, gt = pair(3)
    report = pb.score(pred, gt, metrics=["PCK@100", "mpjpe", "PA-MPJPE", "MPJPE"])
    assert list(report.metrics) == ["PCK@100", "MPJPE", "PMPJPE"]
    assert report.metrics["PCK@100"].higher_is_better
    assert not report.metrics["MPJPE"].higher_is_better


def test_no_metric_at_all_is_refused() -> None:
    pred, gt = pair(1)
    with pytest.raises(pb.UsageError, match="no metric"):
        pb.score(pred, gt, metrics=[])


def test_a_lone_spelling_instead_of_a_list_is_not_taken_letter_by_letter() -> None:
    pred, gt = pair(1)
    with pytest.raises(pb.UsageError) as refused:
        pb.score(pred, gt, metrics="MPJPE")
    assert "no metric 'M'" not in str(refused.value)


@pytest.mark.parametrize("shape", [(17, 3), (2, 17), (2, 17, 2), (2, 0, 3), (2, 17, 3, 1), ()])
def test_arrays_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(pb.InputError, match="pred: poses have shape"):
        pb.score(np.zeros(shape), np.zeros((2, 17, 3)))


def test_a_single_pose_gets_the_hint_that_mends_it() -> None:
    with pytest.raises(pb.InputError, match=r"poses\[None\]"):
        pb.score(np.zeros((17, 3)), np.zeros((1, 17, 3)))


def test_a_set_without_poses_is_refused() -> None:
    empty = np.zeros((0, 17, 3))
    with pytest.raises(pb.InputError, match="gt holds no poses"):
        pb.score(empty, empty)


def test_a_set_of_another_number_of_joints_is_refused() -> None:
    _, gt = pair(2)
    with pytest.raises(pb.InputError, match="16 joints"):
        pb.score(gt[:, :16], gt)


def test_different_numbers_of_poses_without_keys_are_refused() -> None:
    pred, gt = pair(3)
    with pytest.raises(pb.InputError, match="has 2 poses and gt has 3"):
        pb.score(pred[:2], gt)


def test_the_progress_of_scoring_adds_up_to_all_poses() -> None:
    pred, gt = pair(20)
    pred, gt = np.tile(pred, (500, 1, 1)), np.tile(gt, (500, 1, 1))
    steps: list[int] = []
    pb.score(pred, gt, metrics=["MPJPE"], progress=steps.append)
    assert sum(steps) == 10_000
    assert len(steps) > 1


def test_scoring_changes_neither_side() -> None:
    pred, gt = pair(4)
    before = pred.copy(), gt.copy()
    pb.score(poseset(pred, frame=[4, 3, 2, 1]), poseset(gt, frame=[1, 2, 3, 4]))
    np.testing.assert_array_equal((pred, gt), before)


def test_read_only_poses_can_be_scored() -> None:
    pred, gt = pair(2)
    for side in (pred, gt):
        side.flags.writeable = False
    assert pb.score(pred, gt).coverage.scored == 2


def test_a_report_does_not_change_when_its_scorer_goes_on() -> None:
    """A value per epoch is taken while scoring goes on; its groups may be asked for later."""
    pred, gt = pair(8)
    scorer = pb.Scorer(metrics=["MPJPE"])
    scorer.update(pred[:4], poseset(gt[:4], action="Walking"))
    report = scorer.report()
    scorer.update(gt[4:], poseset(gt[4:], action="Walking"))
    assert report.by("action")["Walking"]["MPJPE"] == pytest.approx(report.metrics["MPJPE"].value)


def test_nothing_scored_yet_is_said_so() -> None:
    with pytest.raises(pb.InputError, match="no poses were added"):
        pb.Scorer().report()


def test_every_fact_of_the_protocol_is_in_the_report() -> None:
    pred, gt = pair(1)
    standard = pb.get_protocol("standard")
    assert pb.score(pred, gt).protocol == standard.to_dict()
    assert {"name", "version", "sha256", "skeleton", "joints", "pred_root", "gt_root", "pooling", "metrics"} <= set(
        standard.to_dict()
    )


def test_facts_of_tests_are_those_of_the_standard_protocol() -> None:
    assert pb.get_protocol("standard").metrics == DEFAULTS
    assert pb.get_protocol("standard").skeleton.name == FACTS["skeleton"]


@pytest.mark.parametrize("alias", [alias for family in pb.families().values() for alias in family.aliases])
def test_every_alias_of_a_metric_can_be_asked_for(alias: str) -> None:
    at = "@50" if alias == "PoseStructureScore" else ""
    assert pb.resolve(f"{alias}{at}").family.name in pb.families()
