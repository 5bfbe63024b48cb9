"""Tables out of really scored sets: what a row says, what compares, what is the best, and what is missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import posebench as pb
from posebench.errors import UsageError
from posebench.tables import Number, PaperTable, Row, build_table
from tests.scoring.plain import poseset
from tests.tables.results import add_run, ground_truth, noisy

FS, RT, SS = (f"open4v-small-lite0-{kind}" for kind in ("fs", "ss-rt", "ss"))
#: As EpipolarPose's released evaluation was.
LIKE_THE_PAPER = {"data": "Human3.6M", "gt_root_depth": True, "gt_intrinsics": True, "epoch_by_test_gt": True}


@pytest.fixture(scope="module")
def scored(tmp_path_factory) -> Path:
    """Three rows of Open4V, one of them with three seeds."""
    results = tmp_path_factory.mktemp("results")
    add_run(results, FS, noise=30, seeds=3)
    add_run(results, RT, noise=40, supervision=["multi-view-rt"])
    add_run(results, SS, noise=50, supervision=["multi-view"])
    return results


@pytest.fixture
def results(scored, tmp_path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(scored, tmp_path / "results"))


def row_of(table: PaperTable, run: str) -> Row:
    return next(row for row in table.rows if row.recipe is not None and row.recipe.name == run)


def printed(table: PaperTable, id: str) -> Number:
    return next(number for _, _, number in table.numbers() if number.entry is not None and number.entry.id == id)


def edited(path: Path, **changes: object) -> None:
    """A result with other values at paths such as protocol.sha256."""
    data = json.loads(path.read_text("utf-8"))
    for place, value in changes.items():
        *outer, last = place.split("__")
        inner = data
        for key in outer:
            inner = inner[int(key) if key.isdigit() else key]
        inner[last] = value
    path.write_text(json.dumps(data), "utf-8")


def test_a_row_with_seeds_has_their_mean_their_deviation_and_the_mean_of_their_intervals(scored) -> None:
    row = row_of(build_table(2, results=scored), FS)
    files = [json.loads((scored / FS / f"open4v-seed{k}.json").read_text("utf-8"))["metrics"] for k in range(3)]
    for column in ("MPJPE", "NMPJPE", "PMPJPE", "PSS@50", "PSS@100"):
        number = row.numbers[column]
        values = [of[column]["value"] for of in files]
        np.testing.assert_allclose(
            [number.value, number.seed_sd], [np.mean(values), np.std(values, ddof=1)], rtol=1e-12
        )
        np.testing.assert_allclose(number.ci95, np.mean([of[column]["ci95"] for of in files], axis=0), rtol=1e-12)
        assert number.seeds == tuple(values)
    assert row.label == f"{FS} (mean of 3 seeds)"


def test_each_number_is_traced_to_the_bytes_of_its_file(scored) -> None:
    import hashlib

    row = row_of(build_table(2, results=scored), FS)
    assert [origin.seed for origin in row.origins] == [0, 1, 2]
    for origin in row.origins:
        assert origin.sha256 == hashlib.sha256((scored / origin.path).read_bytes()).hexdigest()


def test_published_rows_stand_above_the_regenerated_ones_of_their_line(scored) -> None:
    rows = build_table(3, results=scored).rows
    places = {row.recipe.name if row.recipe else row.label: k for k, row in enumerate(rows)}
    assert places[RT] == places["EpipolarPose, self-supervised, R and t known"] + 1
    assert places[SS] == places["EpipolarPose, self-supervised, without R and t"] + 1


def test_the_best_number_is_marked_among_those_that_compare(scored) -> None:
    table = build_table(3, results=scored)
    best = {(row.recipe.name, column) for row, column, number in table.numbers() if number.best and row.recipe}
    assert {name for name, _ in best} == {RT}
    assert tuple(sorted({column for _, column in best} & {"MPJPE", "PMPJPE"})) == ("MPJPE", "PMPJPE")
    # Numbers in print are the paper's own, on other data.
    assert not printed(table, "canonpose-nmpjpe").best


def test_a_number_alone_is_not_the_best(scored) -> None:
    table = build_table(2, results=scored)
    assert not any(number.best for number in row_of(table, FS).numbers.values())
    assert printed(table, "epipolarpose-full-r50-mpjpe").best  # ResNet-34 and -18 are worse, measured alike


def test_a_training_with_annotations_in_3d_does_not_compete_with_one_without(results) -> None:
    add_run(results, "open4v-small-lite0-ss-ru-gt", noise=10, supervision=["multi-view", "full"])
    table = build_table(3, results=results)
    marked = row_of(table, "open4v-small-lite0-ss-ru-gt").numbers["MPJPE"]
    assert not marked.best
    assert "uses 3D" in marked.remarks
    assert row_of(table, RT).numbers["MPJPE"].best


@pytest.mark.parametrize(
    ("changes", "words", "columns"),
    [
        ({"protocol__sha256": "0" * 64, "protocol__version": 1}, "scored under protocol open4v version 1", None),
        ({"inputs__gt__sha256": "0" * 64}, f"other ground truth than {RT}", None),
        ({"banks__0__sha256": "0" * 64}, "bank open4v-k50, sha256 000000000000, is not the one that ships", "PSS@50"),
        ({"protocol__selection__applied": False}, "not the frames that the protocol selects", None),
        ({"coverage__missing": 2}, "incomplete: 2 of 30 frames lack a prediction", None),
    ],
)
def test_a_result_on_other_terms_is_marked_and_is_never_the_best(
    results, changes: dict, words: str, columns: str | None
) -> None:
    add_run(results, SS, noise=20, supervision=["multi-view"])
    assert row_of(build_table(3, results=results), SS).numbers["PSS@50"].best
    edited(results / SS / "open4v-seed0.json", **changes)
    row = row_of(build_table(3, results=results), SS)
    for column, number in row.numbers.items():
        concerned = columns is None or column == columns
        assert any(reason.startswith(words) for reason in number.reasons) == concerned
        assert not (concerned and number.best)


def test_a_distance_that_leaves_frames_out_is_marked_incomplete(results) -> None:
    gt = ground_truth()
    keys = {name: getattr(gt, name)[:-1] for name in ("subject", "sequence", "frame")}
    pred = poseset(gt.poses[:-1], **keys)
    add_run(results, SS, pred=pred, supervision=["multi-view"], score={"allow_missing": True})
    row = row_of(build_table(3, results=results), SS)
    assert row.numbers["MPJPE"].value == 0
    assert row.numbers["MPJPE"].reasons == ("incomplete: 1 of 30 frames lack a prediction or a joint of it",)
    assert not row.numbers["MPJPE"].best


def test_help_by_ground_truth_that_only_one_row_had_is_a_reason(results) -> None:
    add_run(results, SS, supervision=["multi-view"], gt_root_depth=True)
    number = row_of(build_table(3, results=results), SS).numbers["MPJPE"]
    assert number.reasons == (
        f"whether the ground truth's root depth lifts the prediction is true; of {RT} it is not true",
    )
    assert "the ground truth's root depth lifts the prediction" in number.remarks


def test_published_numbers_on_other_data_say_so(scored) -> None:
    table = build_table(2, results=scored)
    reasons = printed(table, "epipolarpose-full-r50-nmpjpe").reasons
    assert reasons == (
        "the data sets differ: h36m and open4v",
        "the metrics differ: NMPJPE(scale=procrustes) and NMPJPE",
        "the protocols differ: h36m-epipolarpose and open4v",
        "helped by ground truth of the test set in print and not here: root depth, intrinsics, choice of the epoch",
    )
    assert printed(table, "epipolarpose-full-r50-pss50").remarks[0].startswith("not sourced")


def test_an_error_after_scaling_that_is_printed_as_mpjpe_is_marked(scored) -> None:
    number = printed(build_table(3, results=scored), "canonpose-nmpjpe")
    assert "printed as MPJPE, after scaling to the ground truth" in number.remarks


def test_without_results_published_numbers_are_held_against_the_protocol(tmp_path) -> None:
    table = build_table(3, results=tmp_path)
    assert {row.kind for row in table.rows} == {"published"}
    assert printed(table, "epipolarpose-s1-mpjpe").reasons[:2] == (
        "the number is of protocol h36m-epipolarpose, not of open4v",
        "the data set is h36m, not open4v",
    )
    assert "no result of open4v is there yet" in table.notes


def test_missing_runs_are_listed_with_their_commands(scored) -> None:
    table = build_table(3, results=scored)
    names = [missing.name for missing in table.missing]
    kinds = ("ss-rt", "ss", "gt", "ss-target2d", "fs-one", "ss-ru", "ss-ru-gt")
    assert names == [f"open4v-small-lite0-{kind}" for kind in kinds]
    assert [missing.partly for missing in table.missing] == [True, True] + [False] * 5
    assert all(missing.recipe is not None and missing.recipe.commands for missing in table.missing)


def test_a_run_that_lacks_seeds_is_listed_with_those(scored) -> None:
    missing = build_table(2, results=scored).missing
    assert missing == ()
    one = next(each for each in build_table(3, results=scored).missing if each.name == RT)
    assert one.partly
    assert one.recipe is not None and one.recipe.seeds == (1, 2)


def test_numbers_measured_like_published_ones_are_checked_against_them(tmp_path) -> None:
    add_run(tmp_path, "h36m-r50-fs", protocol="h36m-epipolarpose", **LIKE_THE_PAPER)
    table = build_table(2, data="h36m", results=tmp_path)
    assert {each.id for each in table.checked} == {f"epipolarpose-full-r50-{m}" for m in ("mpjpe", "nmpjpe", "pmpjpe")}
    value = json.loads((tmp_path / "h36m-r50-fs" / "h36m-epipolarpose-seed0.json").read_text("utf-8"))
    mpjpe = next(each for each in table.checked if each.metric == "MPJPE")
    assert (mpjpe.published, mpjpe.regenerated) == (51.8, value["metrics"]["MPJPE"]["value"])
    assert row_of(table, "h36m-r50-fs").numbers["NMPJPE"].remarks[0] == "measured as NMPJPE(scale=procrustes)"


@pytest.mark.parametrize(
    "other", [{"epoch_by_test_gt": False}, {"gt_root_depth": "unknown"}, {"supervision": ["multi-view"]}]
)
def test_nothing_is_checked_that_was_not_measured_alike(tmp_path, other: dict) -> None:
    add_run(tmp_path, "h36m-r50-fs", protocol="h36m-epipolarpose", **{**LIKE_THE_PAPER, **other})
    assert build_table(2, data="h36m", results=tmp_path).checked == ()


def test_footage_stands_beside_the_wild_split_and_does_not_compare_with_it(tmp_path) -> None:
    for name, noise in ((RT, 40), (SS, 50)):
        add_run(tmp_path, name, noise=noise, protocol="open4v-wild", supervision=["multi-view"])
    gt = ground_truth(None, seed=3)
    for name, noise in (("pose2sim-a", 60), ("pose2sim-b", 70)):
        pred = noisy(gt, noise)
        add_run(tmp_path, name, gt=gt, pred=pred, protocol="standard", data="footage", supervision=["multi-view"])
    table = build_table(4, results=tmp_path)
    assert [row.data for row in table.rows if row.recipe] == ["open4v-wild", "open4v-wild", "footage", "footage"]
    number = row_of(table, "pose2sim-a").numbers["PCK@150"]
    assert number.reasons == (
        "protocol standard, not open4v-wild",
        f"other ground truth than {RT}",
        "other pictures: footage",
    )
    # Among themselves they compare.
    assert number.best
    assert not row_of(table, "pose2sim-b").numbers["PCK@150"].best


def test_labels_of_the_training_split_are_no_selection_of_the_protocol(tmp_path) -> None:
    gt = ground_truth(None)
    add_run(tmp_path, "labels-gt-rt", gt=gt, pred=noisy(gt, 5), supervision=["multi-view-rt"], data="open4v train")
    row = row_of(build_table(1, results=tmp_path), "labels-gt-rt")
    assert row.data == "open4v train"
    assert all(not number.reasons for number in row.numbers.values())


def test_scale_free_predictions_have_no_mpjpe(tmp_path) -> None:
    gt = ground_truth()
    keys = {name: getattr(gt, name) for name in ("subject", "sequence", "frame")}
    add_run(
        tmp_path, SS, pred=pb.PoseSet(gt.poses / 700, skeleton="h36m17", unit="scale-free", reference="camera", **keys)
    )
    numbers = row_of(build_table(3, results=tmp_path), SS).numbers
    assert "MPJPE" not in numbers
    assert numbers["NMPJPE"].value == pytest.approx(0, abs=1e-6)


def test_a_table_is_made_on_the_data_sets_that_it_names() -> None:
    with pytest.raises(UsageError, match="table 4 is not made on 'h36m'; it is made on open4v, 3dhp"):
        build_table(4, data="h36m")


def test_the_results_that_come_with_posebench_are_read_by_default() -> None:
    assert build_table(2).results.endswith("results")


def test_a_number_over_some_of_the_poses_says_over_how_many(tmp_path) -> None:
    gt = ground_truth(None)
    valid = np.ones(gt.poses.shape[:2], np.bool_)
    valid[:12, 3] = False  # PSS takes whole poses
    keys = {name: getattr(gt, name) for name in ("subject", "sequence", "frame")}
    add_run(tmp_path, "labels-gt-rt", gt=poseset(gt.poses, valid=valid, **keys), pred=noisy(gt, 5), data="open4v")
    numbers = row_of(build_table(1, results=tmp_path), "labels-gt-rt").numbers
    assert "over 18 of 30 poses" in numbers["PSS@50"].remarks
    assert "over 18 of 30 poses" not in numbers["MPJPE"].remarks
    assert "2.4 % of the joints are masked in the ground truth" in numbers["MPJPE"].remarks
