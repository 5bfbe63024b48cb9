"""Charts of results and predictions: what is drawn is what was measured, in the same bytes every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import posebench as pb
from posebench.drawing import figure_bytes
from posebench.errors import InputError, UsageError
from posebench.figures import error_histogram, fault_bars, joint_bars, pck_curve, pose_grid
from posebench.figures.charts import COLOURS
from posebench.figures.results import read_results


@pytest.fixture(scope="module")
def preds(gt) -> dict[str, pb.PoseSet]:
    """Two predictions: one with noise, one with a third of it."""
    noise = np.random.default_rng(4).normal(0, 60, gt.poses.shape)
    return {"$rough$": gt.replace(poses=gt.poses + noise), "fine": gt.replace(poses=gt.poses + noise / 3)}


@pytest.fixture(scope="module")
def folder(gt, preds, tmp_path_factory) -> Path:
    """Their results, with frames and explanations, and the files that they were made of."""
    home = tmp_path_factory.mktemp("results")
    pb.write(gt, home / "gt.npz")
    for name, pred in zip(("rough", "fine"), preds.values(), strict=True):
        pb.write(pred, home / f"{name}.npz")
        report = pb.score(home / f"{name}.npz", home / "gt.npz", metrics=["MPJPE", "PMPJPE"], frames=True, explain=True)
        report.save(home / f"{name}.json")
        report.frames.save(home / f"{name}.frames.npz")
    return home


@pytest.fixture
def results(folder):
    return read_results({"$rough$": folder / "rough.json", "fine": folder / "fine.json"})


def test_bars_per_joint_are_the_results_values(results) -> None:
    found = joint_bars.measure(results, "PA-MPJPE")
    assert found.metric == "PMPJPE"
    assert found.joints == pb.get_skeleton("h36m17").joints
    for named, values in zip(results, found.values, strict=True):
        assert list(values) == [named.report.by("joint")[joint]["PMPJPE"] for joint in found.joints]
    widths = [bar.get_width() for bar in joint_bars.draw(found).axes[0].patches]
    assert widths == pytest.approx([value for values in found.values for value in values])


def test_a_histogram_counts_every_frame_once(results, folder) -> None:
    found = error_histogram.measure(results, bins=10)
    assert found.percent.sum(1) == pytest.approx([100, 100])
    for m, name in enumerate(("rough", "fine")):
        values = pb.read_frames(folder / f"{name}.frames.npz").of("MPJPE").astype(float)
        inside = np.count_nonzero((values >= found.edges[2]) & (values < found.edges[3]))
        assert found.percent[m, 2] == pytest.approx(100 * inside / len(values))
        assert found.medians[m] == pytest.approx(np.median(values))
        assert found.beyond[m] == np.count_nonzero(values > found.edges[-1])


def test_a_curve_holds_pck_at_every_threshold(preds, gt) -> None:
    found = pck_curve.measure(preds, gt, end=120)
    for pred, percent in zip(preds.values(), found.percent, strict=True):
        for threshold in (30, 77, 120):
            value = pb.pck(pred.poses, gt.poses, threshold=threshold)
            assert percent[threshold] == pytest.approx(value)
    assert found.values == pytest.approx([pb.pck(pred.poses, gt.poses, threshold=120) for pred in preds.values()])
    line = pck_curve.draw(found).axes[0].lines[1]
    assert line.get_ydata().tolist() == pytest.approx(found.percent[1].tolist())


def test_the_curve_of_a_prediction_without_scale_is_of_npck(preds, gt) -> None:
    free = preds["fine"].replace(poses=preds["fine"].poses / 700, unit="scale-free", origin=None)
    found = pck_curve.measure({"free": free}, gt, metric="NPCK")
    assert found.percent[0, 100] == pytest.approx(pb.npck(preds["fine"].poses, gt.poses, threshold=100))
    with pytest.raises(InputError, match="scale-free"):
        pck_curve.measure({"free": free}, gt)


def test_shares_of_faults_are_the_explanations(results) -> None:
    found = fault_bars.measure(results)
    for named, shares in zip(results, found.shares, strict=True):
        assert sum(share or 0.0 for share in shares) == pytest.approx(named.report.metrics["MPJPE"].value)
    widths = [bar.get_width() for bar in fault_bars.draw(found).axes[0].patches]
    assert widths == pytest.approx([share for shares in found.shares for share in shares if share is not None])


def test_the_worst_frame_is_drawn_beside_its_ground_truth(preds, gt) -> None:
    pred = preds["$rough$"]
    found = pose_grid.measure(pred, gt, pick="worst")
    errors = pb.mpjpe(pred.poses, gt.poses, reduce="none")
    assert found.poses[0].error == pytest.approx(errors.max())
    axes = pose_grid.draw(found).axes[0]
    assert len(axes.texts) == 4 * len(found.poses)
    assert f"{errors.max():.1f} mm, worst" in axes.texts[1].get_text()
    assert {pose.why for pose in pose_grid.measure(pred, gt, pick="typical").poses}.isdisjoint({"worst"})


def test_from_the_side_depth_is_seen() -> None:
    from posebench.drawing import View

    pose = np.random.default_rng(0).normal(size=(17, 3))
    front, side = View.of("-y"), View.of("-y", azimuth=90)
    turned = pose_grid._seen(pose, side, front)
    for got, wanted in zip(front.project(turned), side.project(pose), strict=True):
        assert got == pytest.approx(wanted)
    assert np.abs(side.project(pose)[0][:, 0]) == pytest.approx(np.abs(pose[:, 2]))


@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_the_same_data_give_the_same_bytes(results, preds, gt, kind) -> None:
    for draw in (
        lambda: joint_bars.draw(joint_bars.measure(results)),
        lambda: error_histogram.draw(error_histogram.measure(results)),
        lambda: fault_bars.draw(fault_bars.measure(results)),
        lambda: pck_curve.draw(pck_curve.measure(preds, gt)),
        lambda: pose_grid.draw(pose_grid.measure(preds["fine"], gt, pick="typical")),
    ):
        assert figure_bytes(draw(), kind) == figure_bytes(draw(), kind)


def test_names_from_files_are_text(results) -> None:
    texts = [text for each in joint_bars.draw(joint_bars.measure(results)).legends for text in each.get_texts()]
    assert [text.get_text() for text in texts] == ["$rough$", "fine"]
    assert not any(text.get_parse_math() for text in texts)


def test_more_models_than_colours_are_refused(folder) -> None:
    named = read_results({str(n): folder / "fine.json" for n in range(len(COLOURS) + 1)})
    with pytest.raises(UsageError, match="8 models are too many"):
        joint_bars.draw(joint_bars.measure(named))


def test_results_that_do_not_compare_are_refused(folder, preds, gt, tmp_path) -> None:
    pb.score(folder / "fine.npz", folder / "gt.npz", protocol="h36m-mmpose", metrics=["PMPJPE"]).save(
        tmp_path / "m.json"
    )
    with pytest.raises(InputError, match="their protocol differ"):
        read_results([str(folder / "rough.json"), str(tmp_path / "m.json")])
    pb.score(preds["fine"], gt, metrics=["MPJPE"]).save(tmp_path / "arrays.json")
    with pytest.raises(InputError, match="their ground truth differ"):
        read_results([str(folder / "rough.json"), str(tmp_path / "arrays.json")])


def test_what_a_result_lacks_is_named(folder, preds, gt, tmp_path) -> None:
    pb.score(folder / "fine.npz", folder / "gt.npz", metrics=["MPJPE"]).save(tmp_path / "plain.json")
    plain = read_results([str(tmp_path / "plain.json")])
    with pytest.raises(InputError, match=r"expected plain.frames.npz beside it"):
        error_histogram.measure(plain)
    with pytest.raises(InputError, match="explains nothing; score again with --explain"):
        fault_bars.measure(plain)
    with pytest.raises(UsageError, match=r"has no PMPJPE; it has MPJPE"):
        joint_bars.measure(plain, "PMPJPE")
    plain[0].report.groups.clear()
    with pytest.raises(InputError, match="has no MPJPE per joint"):
        joint_bars.measure(plain)
    with pytest.raises(UsageError, match="expected PCK or NPCK"):
        pck_curve.measure(preds, gt, metric="AUC")
    with pytest.raises(UsageError, match="from 1 to 200"):
        pck_curve.measure(preds, gt, end=500)
    with pytest.raises(UsageError, match="expected one of worst, typical, all"):
        pose_grid.measure(preds["fine"], gt, pick="best")
