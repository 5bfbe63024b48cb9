"""Finding entries, and the reasons why two numbers do not compare."""

from __future__ import annotations

from dataclasses import replace

import pytest

import posebench as pb
from tests.published.examples import content, save

FULL = pb.published_result("epipolarpose-full-r50-mpjpe")
KNOWN = replace(FULL, gt_root_depth=False, gt_intrinsics=False, epoch_by_test_gt=False)


def test_a_family_finds_all_variants_and_a_spelling_finds_itself() -> None:
    found = {entry.metric for entry in pb.published_results(metric="n-mpjpe")}
    assert found == {"NMPJPE", "NMPJPE(scale=procrustes)", "NMPJPE(scale=norm_ratio)"}
    assert [e.id for e in pb.published_results(metric="NMPJPE(scale=norm_ratio)")] == ["canonpose-nmpjpe"]
    assert {entry.metric for entry in pb.published_results(metric="PSS@50")} == {"PSS@50"}
    assert {entry.metric for entry in pb.published_results(metric="PCKh")} == {"PCKh"}
    assert {entry.metric for entry in pb.published_results(metric="PA-MPJPE", method="CanonPose")} == set()


def test_filters_work_together_in_any_spelling() -> None:
    found = pb.published_results(dataset="MPI-INF-3DHP", method="epipolar pose", metric="PCK")
    assert [entry.value for entry in found] == [64.7]


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"dataset": "moon"}, "no published result on 'moon'; there are some on h36m"),
        ({"method": "Nobody"}, "no published result of 'Nobody'; there are some of EpipolarPose"),
        ({"metric": "MPJEP"}, "there is no metric 'MPJEP'"),
        ({"metric": "MPJPE("}, "is not spelled"),
    ],
)
def test_a_filter_that_nothing_can_fit_is_bad_usage(filters, words) -> None:
    with pytest.raises(pb.UsageError, match=words):
        pb.published_results(**filters)


def test_an_id_that_does_not_exist_is_told_with_its_neighbours() -> None:
    with pytest.raises(pb.UsageError, match="near it are canonpose-nmpjpe"):
        pb.published_result("canonpose-nmpjp")


def test_a_file_of_ones_own_comes_last(tmp_path) -> None:
    path = save(tmp_path, content())
    assert pb.published_results(file=path)[-1].id == "mine-mpjpe"
    assert len(pb.published_results(file=path)) == len(pb.published_results()) + 1
    assert pb.published_result("mine-mpjpe", file=str(path)).value == 48.1


def test_numbers_of_one_protocol_and_metric_compare() -> None:
    assert pb.reasons_not_comparable(FULL, replace(FULL, id="other", value=60.0, supervision=("2d",))) == []
    assert pb.reasons_not_comparable(KNOWN, pb.get_protocol("h36m-epipolarpose")) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dataset": "3dhp"}, "the data sets differ: h36m and 3dhp"),
        ({"dataset": None}, "the data sets differ: h36m and unknown"),
        ({"metric": "PCK@150"}, "the metrics differ: MPJPE and PCK@150"),
        ({"protocol": "h36m-mmpose"}, "the protocols differ: h36m-epipolarpose and h36m-mmpose"),
        ({"protocol": None}, "the protocol of other is unknown"),
        ({"value": None, "status": "not sourced"}, "other has no value: not sourced"),
        ({"metric_match": "family"}, "threshold, scale or alignment of MPJPE are not known of other"),
        ({"disagrees_with": ("x",)}, "other is in doubt: x gives another value"),
        ({"gt_root_depth": None}, "whether the ground truth's root depth lifts the prediction is unknown of other"),
        (
            {"epoch_by_test_gt": False},
            f"whether the epoch was chosen on ground truth of the test set differs: yes for {FULL.id}, no for other",
        ),
        ({"scale_adjusted": True}, f"whether the scale is fitted to the ground truth differs: no for {FULL.id}, yes"),
    ],
)
def test_each_difference_is_a_reason_from_either_side(changes, reason) -> None:
    other = replace(FULL, id="other", **changes)
    assert any(found.startswith(reason) for found in pb.reasons_not_comparable(FULL, other))
    assert len(pb.reasons_not_comparable(other, FULL)) == 1


def test_without_a_shared_protocol_frames_and_pooling_are_compared() -> None:
    a, b = replace(FULL, id="a", protocol=None), replace(FULL, id="b", protocol=None, stride=None, pooling="joint")
    assert pb.reasons_not_comparable(a, b) == [
        "the protocol of a and b is unknown",
        "the stride of frames is unknown of b",
        "the pooling differs: frame for a, joint for b",
    ]


def test_two_unknown_data_sets_are_not_the_same() -> None:
    a = pb.published_result("epipolarpose-figure4-pair1-first")
    assert "the data set of both is unknown" in pb.reasons_not_comparable(a, replace(a, id="b"))


@pytest.mark.parametrize(
    ("changes", "protocol", "reasons"),
    [
        ({}, "h36m-videopose3d", ["the number is of protocol h36m-epipolarpose, not of h36m-videopose3d"]),
        (
            {"metric": "PSS@50", "dataset": "3dhp", "protocol": None},
            "h36m-epipolarpose",
            [
                f"the protocol of {FULL.id} is unknown",
                "h36m-epipolarpose has no metric PSS@50",
                "the data set is 3dhp, not h36m",
            ],
        ),
        (
            {"gt_root_depth": True, "gt_intrinsics": None},
            "h36m-epipolarpose",
            [
                f"the ground truth's root depth lifts the prediction, in {FULL.id}",
                f"whether the ground truth's intrinsics lift the prediction is unknown of {FULL.id}",
            ],
        ),
    ],
)
def test_what_stands_against_a_protocols_number_is_said(changes, protocol, reasons) -> None:
    assert pb.reasons_not_comparable(replace(KNOWN, **changes), pb.get_protocol(protocol)) == reasons
