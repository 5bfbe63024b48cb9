"""The shipped entries hold the numbers that are known, each where it belongs; the lists here were typed by hand."""

from __future__ import annotations

import pytest

import posebench as pb

#: Method, variant, data set, metric family, value, and a document that gives it.
NUMBERS = [
    ("EpipolarPose", "fully supervised, ResNet-50", "h36m", "MPJPE", 51.8, "epipolarpose-readme"),
    ("EpipolarPose", "fully supervised, ResNet-50", "h36m", "NMPJPE", 51.6, "jenni-favaro"),
    ("EpipolarPose", "fully supervised, ResNet-50", "h36m", "PMPJPE", 45.0, "jenni-favaro"),
    ("EpipolarPose", "fully supervised, ResNet-34", "h36m", "MPJPE", 59.6, "epipolarpose-readme"),
    ("EpipolarPose", "fully supervised, ResNet-18", "h36m", "MPJPE", 63.0, "epipolarpose-readme"),
    ("EpipolarPose", "self-supervised, R and t known", "h36m", "MPJPE", 76.6, "epipolarpose-readme"),
    ("EpipolarPose", "self-supervised, R and t known", "h36m", "PMPJPE", 67.5, "canonpose"),
    ("EpipolarPose", "self-supervised, without R and t", "h36m", "NMPJPE", 78.8, "epipolarpose-readme"),
    ("EpipolarPose", "labels from ground-truth 2D", "h36m", "MPJPE", 55.0, "epipolarpose-readme"),
    ("EpipolarPose", "subject 1 only", "h36m", "MPJPE", 65.3, "epipolarpose-readme"),
    ("EpipolarPose", "subject 1 only", "h36m", "NMPJPE", 67.0, "jenni-favaro"),
    ("EpipolarPose", "subject 1 only", "h36m", "PMPJPE", 60.2, "kundu"),
    ("EpipolarPose", "self-supervised, with refinement", "h36m", "MPJPE", 60.5, "epipolarpose-readme"),
    ("EpipolarPose", "as CanonPose quotes it", "3dhp", "MPJPE", 125.7, "canonpose"),
    ("EpipolarPose", "as CanonPose quotes it", "3dhp", "PCK@150", 64.7, "canonpose"),
    ("EpipolarPose", "2D pre-training, ResNet-18", "mpii", "PCKh", 84.7, None),
    ("EpipolarPose", "2D pre-training, ResNet-34", "mpii", "PCKh", 86.3, None),
    ("EpipolarPose", "2D pre-training, ResNet-50, integral", "mpii", "PCKh", 88.3, None),
    ("EpipolarPose", "2D pre-training, ResNet-50, heat map", "mpii", "PCKh", 88.5, None),
    ("Rhodin et al. CVPR 2018", "all subjects", "h36m", "MPJPE", 66.8, "jenni-favaro"),
    ("Rhodin et al. CVPR 2018", "all subjects", "h36m", "NMPJPE", 63.3, "jenni-favaro"),
    ("Rhodin et al. CVPR 2018", "all subjects", "h36m", "PMPJPE", 51.6, "jenni-favaro"),
    ("Rhodin et al. CVPR 2018", "subject 1", "h36m", "NMPJPE", 78.2, "jenni-favaro"),
    ("Rhodin et al. CVPR 2018", "subject 1", "h36m", "NMPJPE", 80.1, "canonpose"),
    ("Rhodin et al. CVPR 2018", "subject 1", "h36m", "PMPJPE", 65.1, "jenni-favaro"),
    ("Rhodin et al. ECCV 2018", "subject 1", "h36m", "MPJPE", 131.7, "jenni-favaro"),
    ("Rhodin et al. ECCV 2018", "subject 1", "h36m", "NMPJPE", 122.6, "jenni-favaro"),
    ("Rhodin et al. ECCV 2018", "subject 1", "h36m", "PMPJPE", 98.2, "jenni-favaro"),
    ("Pavlakos et al. 2017", "unknown", "h36m", "MPJPE", 118.4, "aaai-2020-comparison"),
    ("Tung et al. 2017", "unknown", "h36m", "MPJPE", 97.2, "aaai-2020-comparison"),
    ("Tung et al. 2017", "unknown", "h36m", "PMPJPE", 79.0, "canonpose"),
    ("Drover et al. 2018", "unknown", "h36m", "PMPJPE", 64.6, "aaai-2020-comparison"),
    ("Chen et al. 2019", "all subjects", "h36m", "MPJPE", 80.2, "jenni-favaro"),
    ("Chen et al. 2019", "all subjects", "h36m", "PMPJPE", 58.2, "jenni-favaro"),
    ("Chen et al. 2019", "subject 1", "h36m", "MPJPE", 91.9, "jenni-favaro"),
    ("Chen et al. 2019", "subject 1", "h36m", "PMPJPE", 68.0, "jenni-favaro"),
    ("Iqbal et al. 2020", "unknown", "h36m", "MPJPE", 69.1, "canonpose"),
    ("Iqbal et al. 2020", "unknown", "h36m", "PMPJPE", 55.9, "canonpose"),
    ("CanonPose", "Human3.6M", "h36m", "NMPJPE", 74.3, "canonpose"),
    ("rotated orthographic projection", "unknown", "h36m", "NMPJPE", 42.9, "rotated-orthographic"),
]
FIGURE_4 = [34.01, 35.35, 52.94, 53.03, 54.78, 53.04]
#: Measured by users of the released code, where 51.8 is printed.
AGAIN = [52.9, 54.6, 54.9, 55.3, 56.2, 55.6]
ENTRIES = pb.published_results()


@pytest.mark.parametrize("fact", NUMBERS, ids=lambda fact: f"{fact[0]}, {fact[1]}, {fact[3]}")
def test_every_known_number_is_there_once_with_its_source(fact) -> None:
    method, variant, dataset, metric, value, document = fact
    (entry,) = (
        e
        for e in ENTRIES
        if (e.method, e.variant, e.dataset, e.metric_name, e.value) == (method, variant, dataset, metric, value)
        and e.reproduces is None
    )
    assert document in {source.document and source.document.key for source in entry.sources}
    assert entry.status == "quoted"


def test_there_is_no_number_besides_those_listed_here() -> None:
    values = sorted(entry.value for entry in ENTRIES if entry.value is not None)
    assert values == sorted([fact[4] for fact in NUMBERS] + FIGURE_4 + AGAIN)


def test_the_pairs_of_figure_4_stand_in_their_order() -> None:
    entries = pb.published_results(method="example poses")
    assert [entry.value for entry in entries] == FIGURE_4
    assert {entry.sources[0].table for entry in entries} == {"figure 4"}
    assert {entry.dataset for entry in entries} == {None}


def test_what_users_measured_again_points_at_the_printed_number() -> None:
    again = [entry for entry in ENTRIES if entry.reproduces]
    assert [entry.value for entry in again] == AGAIN
    assert {entry.reproduces for entry in again} == {"epipolarpose-full-r50-mpjpe"}
    assert {entry.status for entry in again} == {"verified"}


def test_the_sources_that_disagree_about_rhodin_point_at_each_other() -> None:
    a = pb.published_result("rhodin-cvpr-s1-nmpjpe")
    b = pb.published_result("rhodin-cvpr-s1-nmpjpe-canonpose")
    assert (a.value, b.value) == (78.2, 80.1)
    assert (a.disagrees_with, b.disagrees_with) == ((b.id,), (a.id,))


def test_canonpose_prints_its_nmpjpe_as_mpjpe() -> None:
    entry = pb.published_result("canonpose-nmpjpe")
    assert (entry.metric, entry.printed_as, entry.scale_adjusted) == ("NMPJPE(scale=norm_ratio)", "MPJPE", True)
    assert entry.renamed


def test_help_from_ground_truth_is_flagged_on_self_supervised_rows_too() -> None:
    rows = [e for e in ENTRIES if e.method == "EpipolarPose" and "self-supervised, R and t known" in e.variant]
    assert len(rows) == 2
    for entry in rows:
        assert (entry.epoch_by_test_gt, entry.gt_root_depth, entry.gt_intrinsics) == (True, True, True)
        assert len(entry.flags) == 3
        assert (entry.subjects, entry.stride, entry.source_2d) == (("S9", "S11"), 64, "pre-training-domain")


def test_the_refined_row_says_that_it_took_ground_truth() -> None:
    entry = pb.published_result("epipolarpose-refined-mpjpe")
    assert entry.supervision == ("unknown", "full")
    assert "15 joints" in entry.note
    assert entry.protocol == "h36m-epipolarpose-refiner"


def test_mpjpe_without_extrinsics_cannot_be_measured() -> None:
    entry = pb.published_result("epipolarpose-selfsup-nort-mpjpe")
    assert (entry.value, entry.status) == (None, "not applicable")


def test_cells_that_nobody_has_found_are_there_without_a_value() -> None:
    missing = [entry for entry in ENTRIES if entry.status == "not sourced"]
    tables = [entry.sources[0].table for entry in missing]
    # Table 1: three sources of 2D, with and without R and t, five metrics.
    assert (tables.count("table 1"), tables.count("table 2"), tables.count("table 4")) == (30, 2, 3)
    assert {entry.value for entry in missing} == {None}
    assert {entry.source_2d for entry in missing if entry.sources[0].table == "table 1"} == {
        *("ground-truth", "target-domain", "pre-training-domain"),
    }


def test_no_pss_value_is_claimed() -> None:
    assert {entry.value for entry in pb.published_results(metric="PSS")} == {None}
