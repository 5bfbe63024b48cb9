"""A file is read as it says or refused in one sentence: file, entry, field, what was expected and what came."""

from __future__ import annotations

import re

import pytest

import posebench as pb
from posebench.published.reading import read_library
from tests.published.examples import cells, content, save


def read(folder, data):
    return read_library([save(folder, data)]).entries


def test_an_entry_has_what_its_cell_and_its_row_say(tmp_path) -> None:
    a, b = read(tmp_path, cells({}, {"id": "mine-pck", "metric": "PCK", "unit": "%", "value": 90, "status": "quoted"}))
    assert (a.id, a.value, a.status, a.metric, a.method) == ("mine-mpjpe", 48.1, "verified", "MPJPE", "Mine")
    assert (b.value, b.status, b.metric, b.unit, b.scale_adjusted) == (90.0, "quoted", "PCK@150", "%", False)
    assert a.paper is not None
    assert (a.paper.label, str(a.sources[0])) == ("CVPR 2031", "mine, table 3, row 'Ours'")


def test_what_is_not_said_is_unknown(tmp_path) -> None:
    (entry,) = read(tmp_path, content(metric_match="family", stride="unknown"))
    unknown = ("protocol", "subjects", "stride", "pooling", "source_2d", "supervision", "scale_adjusted")
    assert {getattr(entry, name) for name in (*unknown, "gt_root_depth", "gt_intrinsics", "epoch_by_test_gt")} == {None}
    data = entry.to_dict()
    assert {data[name] for name in unknown} == {"unknown"}


@pytest.mark.parametrize(
    ("metric", "unit", "adjusted"),
    [("MPJPE", "mm", False), ("NMPJPE", "mm", True), ("PMPJPE", "mm", True), ("PMPJPE(variant=rigid)", "mm", False),
     ("NPCK@150", "%", True), ("PSS@50", "%", True)],
)  # fmt: skip
def test_whether_scale_is_fitted_follows_from_an_exact_metric(tmp_path, metric, unit, adjusted) -> None:
    assert read(tmp_path, content(metric=metric, unit=unit))[0].scale_adjusted is adjusted
    with pytest.raises(pb.InputError, match="scale_adjusted is"):
        read(tmp_path, content(metric=metric, unit=unit, scale_adjusted=not adjusted))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"colour": "red"}, "there is no field 'colour'; known are id, method"),
        ({"metric": "MPJEP"}, "metric is 'MPJEP', expected a metric or one of PCKh; there is no metric 'MPJEP'"),
        ({"metric": 3}, "metric is 3, expected a spelling"),
        ({"value": float("nan")}, "value is nan, expected a number in mm from 0"),
        ({"value": float("inf")}, "value is inf, expected a number in mm"),
        ({"value": -1}, "value is -1, expected a number in mm from 0"),
        ({"value": "48.1"}, "value is '48.1', expected a number in mm; or let the status be: not sourced"),
        ({"value": True}, "value is True, expected a number"),
        ({"value": "unknown"}, "value is 'unknown', expected a number"),
        ({"metric": "PCK@150", "unit": "%", "value": 101}, "value is 101, expected a number in % from 0.0 to 100.0"),
        ({"unit": "m"}, "unit is 'm', expected mm, in which MPJPE is given"),
        ({"status": "true"}, "status is 'true', expected one of verified, quoted, not sourced, not applicable"),
        ({"status": "not sourced"}, "value is 48.1, expected unknown where the status is not sourced"),
        ({"status": "not applicable"}, "value is 48.1, expected none where the status is not applicable"),
        ({"sources": [{"document": "unknown"}]}, "status is 'verified', expected quoted where no document is known"),
        ({"sources": []}, "sources is [], expected a list of {document, table, row}"),
        ({"sources": [{"table": "1"}]}, "expected a list of {document, table, row}"),
        ({"sources": [{"document": "other"}]}, "sources: document is 'other', expected unknown, or a name under"),
        ({"paper": "other"}, "paper is 'other', expected unknown, or a name under documents"),
        ({"dataset": "Human3.6M"}, "dataset is 'Human3.6M', expected the short name h36m"),
        ({"protocol": "p1"}, "protocol is 'p1', expected unknown, or one of standard"),
        ({"protocol": "h36m-canonpose"}, "metric is 'MPJPE', expected one of h36m-canonpose: NMPJPE(scale=norm_ratio)"),
        ({"protocol": "h36m-epipolarpose", "metric_match": "family"}, "metric_match is 'family', expected exact"),
        ({"protocol": "h36m-epipolarpose", "stride": 5}, "stride is 5, expected 64, as h36m-epipolarpose has it"),
        ({"protocol": "h36m-epipolarpose", "pooling": "joint"}, "pooling is 'joint', expected frame"),
        ({"protocol": "h36m-epipolarpose", "subjects": ["S1"]}, "subjects is ('S1',), expected ('S9', 'S11')"),
        ({"protocol": "h36m-epipolarpose", "dataset": "3dhp"}, "dataset is '3dhp', expected h36m"),
        ({"pooling": "mean"}, "pooling is 'mean', expected one of frame, joint, action"),
        ({"stride": 0}, "stride is 0, expected a whole number from 1, or unknown"),
        ({"subjects": "S9"}, "subjects is 'S9', expected a list of names, each once, or unknown"),
        ({"supervision": ["weak"]}, "supervision is ['weak'], expected a list of none, 2d, multi-view"),
        ({"supervision": ["2d", "2d"]}, "supervision is ['2d', '2d'], expected a list"),
        ({"source_2d": "gt"}, "source_2d is 'gt', expected one of ground-truth, target-domain"),
        ({"gt_root_depth": "yes"}, "gt_root_depth is 'yes', expected true, false or unknown"),
        ({"printed_as": 5}, "printed_as is 5, expected text, or unknown"),
        ({"method": ""}, "method is '', expected text"),
        ({"note": ["x"]}, "note is ['x'], expected text"),
        ({"reproduces": "nobody"}, "reproduces is 'nobody', expected the id of another entry"),
        ({"reproduces": "mine-mpjpe"}, "reproduces is 'mine-mpjpe', expected the id of another entry"),
        ({"disagrees_with": ["nobody"]}, "disagrees_with is 'nobody', expected the id of another entry"),
    ],
)
def test_a_wrong_field_is_told_with_file_entry_and_field(tmp_path, changes, words) -> None:
    with pytest.raises(pb.InputError, match=re.escape(words)) as error:
        read(tmp_path, content(**changes))
    assert str(error.value).startswith(f"{tmp_path / 'mine.yaml'}: entry mine-mpjpe: ")
    assert len(str(error.value)) < len(str(tmp_path)) + 500


@pytest.mark.parametrize("name", ["method", "variant", "sources", "metric", "value", "unit", "status"])
def test_a_field_that_must_be_there_is_asked_for(tmp_path, name) -> None:
    with pytest.raises(pb.InputError, match=f"entry mine-mpjpe: {name} is missing"):
        read(tmp_path, content(drop=name))


@pytest.mark.parametrize("id", [None, 3, "", "Mine", "a b", "x" * 81])
def test_an_id_that_is_none_is_refused(tmp_path, id) -> None:
    with pytest.raises(pb.InputError, match=r"row 1, cell 1: id is .*expected lower-case letters"):
        read(tmp_path, content(id=id))


def test_an_id_is_used_once(tmp_path) -> None:
    with pytest.raises(pb.InputError, match="entry mine-mpjpe: this id is used twice"):
        read(tmp_path, cells({}, {"value": 50}))
    with pytest.raises(pb.InputError, match=r"this id is used twice \(in posebench\)"):
        pb.published_results(file=save(tmp_path, content(id="canonpose-nmpjpe")))


def test_entries_that_disagree_name_each_other(tmp_path) -> None:
    a, b = {"disagrees_with": ["mine-2"]}, {"id": "mine-2", "disagrees_with": ["mine-mpjpe"]}
    assert [entry.disagrees_with for entry in read(tmp_path, cells(a, b))] == [("mine-2",), ("mine-mpjpe",)]
    with pytest.raises(pb.InputError, match="expected that mine-2 names mine-mpjpe as well; add it there"):
        read(tmp_path, cells(a, {"id": "mine-2"}))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "expected the fields documents .* and rows .*, found list"),
        ({}, "found nothing"),
        ({"rows": [], "papers": {}}, "found rows, papers|found papers, rows"),
        ({"rows": ["x"]}, "row 1: expected fields and a list of cells, found str"),
        ({"rows": [{"cells": []}]}, "row 1: expected fields and a list of cells, found cells"),
        ({"rows": [{"cells": ["x"]}]}, "row 1, cell 1: expected a mapping of fields, found str"),
        ({"documents": [], "rows": []}, "documents is list, expected a mapping"),
        ({"documents": {"A B": {}}, "rows": []}, "document A B: is no short name"),
        ({"documents": {"unknown": {}}, "rows": []}, "document unknown: is no short name"),
        ({"documents": {"a": {"doi": "1"}}, "rows": []}, "document a: expected some of the fields title, .* found doi"),
        ({"documents": {"a": {"year": "2019"}}, "rows": []}, "document a: year is '2019', expected a year"),
        ({"documents": {"a": {"arxiv": 1903.0}}, "rows": []}, "arxiv is 1903.0, expected text, .* stands in quotes"),
        ("rows: [*x]", "is not YAML"),
        ("rows: []\nrows: []", "the field 'rows' stands twice"),
        ("rows: !!python/object/apply:os.getcwd []", "is not YAML"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path, data, words) -> None:
    with pytest.raises(pb.InputError, match=words):
        read(tmp_path, data)


def test_a_document_of_posebench_is_not_given_again_but_may_be_named(tmp_path) -> None:
    with pytest.raises(pb.InputError, match="document canonpose: is there already"):
        pb.published_results(file=save(tmp_path, {"documents": {"canonpose": {}}, "rows": []}))
    path = save(tmp_path, content(sources=[{"document": "canonpose"}], reproduces="canonpose-nmpjpe"))
    entry = pb.published_results(file=path)[-1]
    assert (str(entry.sources[0]), entry.reproduces) == ("canonpose", "canonpose-nmpjpe")


@pytest.mark.parametrize("number", ["0x" + "f" * 5000, "1" + "0" * 400])
def test_a_number_of_hundreds_of_digits_is_refused_in_a_short_sentence(number: str, tmp_path) -> None:
    text = save(tmp_path, content(value=12345)).read_text("utf-8").replace("12345", number)
    with pytest.raises(pb.InputError, match=f"is not YAML: line 21: a number has {len(number)} characters"):
        read(tmp_path, text)
