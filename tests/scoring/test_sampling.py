"""The samples of a run: the worst and typical frames, curves and classes of errors, against plain NumPy."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import posebench as pb
from posebench.kernels import map_chunks
from posebench.scoring import scorer
from tests.scoring.plain import aligned_errors, pair, poseset, root_errors

N = 2000


@pytest.fixture(scope="module")
def scored():
    """Predictions of growing badness in no order, their ground truth, and the report with samples."""
    rng = np.random.default_rng(5)
    pred, gt = pair(N, noise=1.0)
    pred = gt + (pred - gt) * rng.lognormal(3.5, 0.6, N)[:, None, None]
    keys = {"action": ["Walking"] * N, "frame": np.arange(N) + 7}
    return pred, gt, pb.score(poseset(pred, **keys), poseset(gt, **keys), samples=True)


def mpjpe(pred, gt):
    return root_errors(pred, gt, np.ones(gt.shape[:2], np.bool_)).mean(1)


def test_the_worst_frames_are_the_largest_errors_of_different_stretches(scored) -> None:
    pred, gt, report = scored
    errors = mpjpe(pred, gt)
    worst = [pose for pose in report.samples.poses if pose.why == "worst"]
    stretches = np.arange(N) * report.samples.stretches // N
    heads = sorted((max(errors[stretches == s]) for s in range(report.samples.stretches)), reverse=True)
    assert report.samples.stretches == 40
    assert [pose.error for pose in worst] == pytest.approx(heads[:6], rel=1e-9)
    assert [errors[pose.row] for pose in worst] == pytest.approx(heads[:6], rel=1e-9)
    assert worst[0].row == int(errors.argmax())


def test_a_typical_frame_has_the_error_of_its_quantile(scored) -> None:
    pred, gt, report = scored
    errors = mpjpe(pred, gt)
    for pose, share in zip(report.samples.poses, (0.5, 0.9, 0.99), strict=False):
        assert pose.why == f"{100 * share:g} %"
        assert pose.error == pytest.approx(np.quantile(errors, share), rel=0.03)
        assert pose.error == pytest.approx(errors[pose.row], rel=1e-9)
        assert report.samples.quantiles[share] == pytest.approx(np.quantile(errors, share), rel=0.02)


def test_a_sampled_pose_is_the_frame_of_its_row_centred_on_the_root(scored) -> None:
    pred, gt, report = scored
    for pose in report.samples.poses:
        assert pose.pred == pytest.approx(pred[pose.row] - pred[pose.row, 0])
        assert pose.gt == pytest.approx(gt[pose.row] - gt[pose.row, 0])
        assert pose.keys == {"action": "Walking", "frame": str(pose.row + 7)}


def test_classes_hold_every_frame_once(scored) -> None:
    pred, gt, report = scored
    counts, edges = report.samples.counts, report.samples.edges
    assert counts.tolist() == np.histogram(mpjpe(pred, gt), edges)[0].tolist()
    assert counts.sum() == N


def test_a_curve_is_the_share_of_joints_below_each_threshold(scored) -> None:
    pred, gt, report = scored
    everything = np.ones(gt.shape[:2], np.bool_)
    root, _, procrustes = report.samples.curves
    for curve, errors in (
        (root, root_errors(pred, gt, everything)),
        (procrustes, aligned_errors(pred, gt, everything)),
    ):
        for t in (0, 1, 37, 150, 200):
            assert curve.within[t] == pytest.approx(100 * (errors < t).mean(), abs=1e-9)
    assert root.metrics == ("MPJPE", "PCK@150", "AUC(0:150:5)")
    assert root.within[150] == pytest.approx(report.metrics["PCK@150"].value, abs=1e-9)


@pytest.mark.parametrize("protocol", ["standard", "metrabs"])
def test_a_curve_is_pooled_as_the_protocol_pools_frames_and_joints(protocol) -> None:
    """With masked joints the mean over frames is not the mean over joints."""
    pred, gt = pair(300)
    valid = np.random.default_rng(1).random(gt.shape[:2]) > 0.3
    valid[:, 0] = True
    report = pb.score(
        poseset(pred), poseset(gt, valid=valid), protocol=protocol, metrics=["MPJPE", "PCK@100"], samples=True
    )
    assert report.samples.curves[0].within[100] == pytest.approx(report.metrics["PCK@100"].value, abs=1e-9)


def test_samples_do_not_depend_on_chunks(scored, monkeypatch) -> None:
    pred, gt, report = scored
    monkeypatch.setattr(scorer, "map_chunks", partial(map_chunks, chunk=64))
    keys = {"action": ["Walking"] * N, "frame": np.arange(N) + 7}
    again = pb.score(poseset(pred, **keys), poseset(gt, **keys), samples=True).samples
    assert [(p.why, p.row, p.error) for p in again.poses] == [(p.why, p.row, p.error) for p in report.samples.poses]
    assert again.counts.tolist() == report.samples.counts.tolist()
    assert [c.within.tolist() for c in again.curves] == [c.within.tolist() for c in report.samples.curves]


def test_what_is_missing_is_no_sample_and_wrong_at_every_threshold() -> None:
    pred, gt = pair(50)
    pred[3] = np.nan
    report = pb.score(poseset(pred), poseset(gt), allow_missing=True, samples=True)
    assert 3 not in [pose.row for pose in report.samples.poses]
    assert report.samples.counts.sum() == 49
    assert report.samples.curves[0].within[150] == pytest.approx(report.metrics["PCK@150"].value)
    assert report.samples.curves[0].within[-1] <= 98.0


def test_a_masked_joint_is_not_drawn() -> None:
    pred, gt = pair(1)
    valid = np.ones((1, 17), np.bool_)
    valid[0, 9] = False
    report = pb.score(poseset(pred), poseset(gt, valid=valid), samples=True)
    pose = report.samples.poses[0]
    assert np.isnan(pose.gt[9]).all() and np.isnan(pose.pred[9]).all()
    assert np.isfinite(np.delete(pose.gt, 9, axis=0)).all()


@pytest.mark.parametrize("metric", ["NMPJPE", "NMPJPE(scale=procrustes)", "NMPJPE(scale=norm_ratio)", "PMPJPE"])
def test_a_pose_is_drawn_as_its_metric_compares_it(metric) -> None:
    pred, gt = pair(40)
    report = pb.score(poseset(0.01 * pred, unit="scale-free"), poseset(gt), metrics=[metric], samples=True)
    worst = report.samples.poses[3]
    assert worst.why == "worst"
    assert np.linalg.norm(worst.pred - worst.gt, axis=1).mean() == pytest.approx(worst.error, rel=1e-6)


def test_centres_are_those_of_the_bank_of_each_pss(scored) -> None:
    samples = scored[2].samples
    assert sorted(samples.centres) == ["PSS@100", "PSS@50"]
    assert samples.centres["PSS@50"].bank == "cmu-h36m17-k50"
    assert samples.centres["PSS@50"].poses.shape == (50, 17, 3)


def test_nobody_pays_for_samples_that_were_not_asked_for() -> None:
    pred, gt = pair(3)
    assert pb.score(poseset(pred), poseset(gt)).samples is None


def test_a_run_without_distances_has_curves_of_its_shares_and_no_poses() -> None:
    pred, gt = pair(20)
    samples = pb.score(poseset(pred), poseset(gt), metrics=["PCK@100"], samples=True).samples
    assert samples.metric is None and samples.poses == ()
    errors = root_errors(pred, gt, np.ones(gt.shape[:2], np.bool_))
    assert samples.curves[0].within[100] == pytest.approx(100 * (errors < 100).mean())
