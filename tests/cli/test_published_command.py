"""`posebench published list|show|validate`, as a user types them."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

import posebench as pb
from tests.cli.conftest import refused
from tests.published.examples import content, save

PAGE = Path(__file__).parents[2] / "docs" / "published.md"


def test_list_names_every_entry(posebench) -> None:
    out = posebench("published", "list").out
    assert all(entry.id in out for entry in pb.published_results())
    assert "not sourced" in out


def test_list_takes_filters_and_says_what_the_marks_mean(posebench) -> None:
    out = posebench("published", "list", "--dataset", "h36m", "--metric", "NMPJPE", "--method", "CanonPose").out
    assert out.splitlines()[0] == "1 number: 1 quoted"
    assert "74.3 mm§" in out
    assert "§ printed under another name" in out
    assert "another source" not in out


def test_json_has_every_field_of_every_entry(posebench) -> None:
    data = json.loads(posebench("published", "list", "--format", "json").out)
    assert data == [entry.to_dict() for entry in pb.published_results()]
    assert {entry["value"] for entry in data if entry["status"] == "not sourced"} == {None}


def test_csv_has_a_line_for_each_entry_and_no_value_where_there_is_none(posebench) -> None:
    rows = list(csv.DictReader(posebench("published", "list", "--format", "csv").out.splitlines()))
    values = {row["id"]: row["value"] for row in rows}
    assert len(rows) == len(pb.published_results())
    assert values["canonpose-nmpjpe"] == "74.3"
    assert values["epipolarpose-full-r50-pss50"] == ""
    assert {row["gt_root_depth"] for row in rows} == {"yes", "unknown"}


def test_markdown_is_a_table(posebench) -> None:
    out = posebench("published", "list", "--method", "CanonPose", "--format", "markdown").out
    assert "| id | dataset | metric | value | status |" in out
    assert "| canonpose-nmpjpe | h36m | NMPJPE | 74.3 mm§ | quoted |" in out


def test_show_tells_what_is_known_and_what_is_not(posebench) -> None:
    out = posebench("published", "show", "rhodin-cvpr-s1-nmpjpe").out
    assert out.splitlines()[0] == "rhodin-cvpr-s1-nmpjpe: NMPJPE 78.2 mm"
    assert "  protocol: unknown\n" in out
    assert "  note well: disagrees with rhodin-cvpr-s1-nmpjpe-canonpose\n" in out
    assert "arXiv 1803.04775" in out
    missing = posebench("published", "show", "epipolarpose-full-r50-pss50").out
    assert missing.startswith("epipolarpose-full-r50-pss50: PSS@50 –\n")


def test_show_as_json_is_a_list_of_one(posebench) -> None:
    (entry,) = json.loads(posebench("published", "show", "canonpose-nmpjpe", "--format", "json").out)
    assert (entry["value"], entry["paper"]["arxiv"]) == (74.3, "2011.14679")


def test_the_shipped_entries_are_in_order(posebench) -> None:
    out = posebench("published", "validate").out
    assert out == f"posebench: {len(pb.published_results())} entries are in order, 36 of them without a value\n"


def test_a_file_of_ones_own_is_validated_listed_and_shown(posebench, tmp_path) -> None:
    path = save(tmp_path, content())
    assert posebench("published", "validate", path).out == f"{path}: 1 entry is in order, 0 of them without a value\n"
    assert "mine-mpjpe" in posebench("published", "list", "--file", path, "--method", "Mine").out
    assert "48.1 mm" in posebench("published", "show", "mine-mpjpe", "--file", path).out


@pytest.mark.checkout
def test_the_example_of_the_page_is_in_order(posebench, tmp_path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    path = save(tmp_path, example)
    assert "3 entries are in order, 0 of them" in posebench("published", "validate", path).out
    assert "48.7 mm" in posebench("published", "list", "--file", path, "--method", "ExampleNet").out


def test_a_name_that_would_act_on_a_terminal_is_spelled_out(posebench, tmp_path) -> None:
    # Reads backwards on a terminal; control characters do not even come in (tests/fuzz).
    path = save(tmp_path, content(variant="\u202ered", note="=1+1"))
    assert "\\u202ered" in posebench("published", "show", "mine-mpjpe", "--file", path).out
    (row,) = csv.DictReader(
        posebench("published", "list", "--file", path, "--method", "Mine", "--format", "csv").out.splitlines()
    )
    assert (row["variant"], row["note"]) == ("\\u202ered", "'=1+1")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("list", "--format", "xml"), "there is no format 'xml'; known are text, json, csv, markdown"),
        (("show", "nobody", "--format", "xml"), "there is no format 'xml'"),
        (("show", "nobody"), "there is no published result 'nobody'"),
        (("list", "--dataset", "moon"), "there is no published result on 'moon'"),
        (("validate", "missing.yaml"), "missing.yaml: cannot be read: No such file"),
        (("list", "--file", "missing.yaml"), "missing.yaml: cannot be read: No such file"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(posebench, arguments, words) -> None:
    refused(posebench("published", *arguments), words)


def test_names_out_of_a_file_do_not_act_on_a_terminal_in_messages_either(posebench, tmp_path) -> None:
    path = save(tmp_path, content(method="\x1b[31mred"))
    run = posebench("published", "list", "--file", path, "--method", "nobody")
    refused(run, "\\x1b[31mred")
    refused(posebench("published", "validate", save(tmp_path, {"\u202ered": 1})), "found \\u202ered")


def test_a_faulty_file_ends_with_its_first_fault(posebench, tmp_path) -> None:
    path = save(tmp_path, content(value="48"))
    refused(
        posebench("published", "validate", path), f"{path}: entry mine-mpjpe: value is '48', expected a number in mm"
    )
