"""JSON: the names of .npz, and the first place where something else stands."""

from __future__ import annotations

import json

import numpy as np
import pytest

from posebench.errors import InputError
from posebench.io import json_file, read, write
from posebench.poses import PoseSet

POSE = [[1, 2, 3], [4.5, 5, 6]]


def save(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_an_object_is_read(tmp_path):
    content = {
        "poses": [POSE, [[1, None, float("nan")], [4, 5, 6]]],
        "valid": [[True, True], [False, True]],
        "action": ["Eating", 5],
        "camera": "c1",
        "frame": [1, 2.0],
        "unit": "mm",
        "fps": 50,
        "intrinsics": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        "root_depth": [4000, None],
    }
    poses = read(save(tmp_path / "a.json", content))
    np.testing.assert_array_equal(poses.poses[0], POSE)
    assert np.isnan(poses.poses[1, 0]).tolist() == [False, True, True]
    assert poses.valid.tolist() == [[True, True], [False, True]]
    assert poses.action.values.tolist() == ["Eating", "5"]
    assert poses.camera.names == ("c1",)
    assert poses.frame.tolist() == [1, 2]
    assert (poses.unit, poses.fps) == ("mm", 50.0)
    assert poses.root_depth[0] == 4000


def test_a_bare_list_is_read(tmp_path):
    assert read(save(tmp_path / "a.json", [POSE])).poses.shape == (1, 2, 3)


def test_what_is_written_is_strict_json_with_null(tmp_path):
    write(PoseSet(np.array([[[1.0, np.nan, 3.0]]]), action="é"), tmp_path / "a.json")

    def refuse(word):
        raise AssertionError(word)

    content = json.loads((tmp_path / "a.json").read_text("utf-8"), parse_constant=refuse)
    assert content == {"poses": [[[1.0, None, 3.0]]], "action": ["é"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("{", "line 1, column 2: is not JSON"),
        ('{"poses": [],\n "poses": []}', "the name 'poses' stands twice"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("[" * 80 + "]" * 80, "poses"),
        ("[[[" + "9" * 5000 + ",0,0]]]", "number that cannot be read"),
        ("[[[" + "9" * 400 + ",0,0]]]", "64 bits"),
        ("5", "holds 5, expected an object"),
        ('"text"', "holds 'text', expected an object"),
        ("null", "holds null, expected an object"),
        ("[]", "expected"),
        ([POSE, [[1, 2, 3]]], r"poses\[1\] has 1 elements, expected 2"),
        ([POSE, [[1, 2, 3], [4, 5]]], r"poses\[1\]\[1\] has 2 elements, expected 3"),
        ([POSE, [[1, 2, 3], [4, 5, "6"]]], r"poses\[1\]\[1\]\[2\] is '6', expected a number or null"),
        ([POSE, [[1, 2, 3], None]], r"poses\[1\]\[1\] is null, expected a list of 3"),
        ([POSE, {"x": 1}], r"poses\[1\] is a dict, expected a list of 2"),
        ([POSE, [[1, 2, 3], [4, 5, [6]]]], r"poses\[1\]\[1\]\[2\] is a list, expected a number"),
        (POSE, r"poses\[None\]"),
        ([[[1, 2]]], r"\(1, 1, 2\), expected \(N, J, 3\)"),
        ([[[]]], "expected"),
        ({"poses": {}}, "poses is a dict"),
        ({"poses": "text"}, "poses is 'text'"),
        ({"keypoints": []}, "has no 'poses'.*it has 'keypoints'"),
        ({}, "it is empty"),
        ({"poses": [POSE], "valid": [[1]]}, "valid has shape"),
        ({"poses": [POSE], "valid": [["yes", "no"]]}, r"valid\[0\]\[0\] is 'yes'"),
        ({"poses": [POSE], "action": ["a", "b"]}, "action has 2 values for 1 poses"),
        ({"poses": [POSE], "action": [None]}, r"action\[0\] is null, expected text"),
        ({"poses": [POSE], "action": [["a"]]}, r"action\[0\] is a list, expected text"),
        ({"poses": [POSE], "action": {"a": 1}}, "action is a dict"),
        ({"poses": [POSE], "action": ["\ud800"]}, "control characters"),
        ({"poses": [POSE], "action": [10**300]}, r"action\[0\]"),
        ({"poses": [POSE], "frame": ["a"]}, "whole numbers"),
        ({"poses": [POSE], "frame": [0.5]}, "whole numbers"),
        ({"poses": [POSE], "frame": [10**30]}, "whole numbers"),
        ({"poses": [POSE], "frame": 3}, "frame has shape"),
        ({"poses": [POSE], "unit": 1}, "unit is 1, expected one text"),
        ({"poses": [POSE], "unit": ["mm"]}, "unit is a list"),
        ({"poses": [POSE], "fps": True}, "fps is True, expected one number"),
        ({"poses": [POSE], "fps": 10**400}, "too large"),
        ({"poses": [POSE], "intrinsics": [[1, 2], [3]]}, r"intrinsics\[1\] has 1 elements"),
    ],
)
def test_what_is_wrong_is_named(content, message, tmp_path):
    save(tmp_path / "bad.json", content)
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / "bad.json")
    assert "bad.json" in str(caught.value)
    assert len(str(caught.value)) < 400


def test_bytes_that_are_no_text_are_named(tmp_path):
    (tmp_path / "a.json").write_bytes(b'{"poses": "\xff"}')
    with pytest.raises(InputError, match=r"a\.json: byte 11 is not text"):
        read(tmp_path / "a.json")


def test_a_file_beyond_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(json_file, "SIZE_LIMIT", 10)
    with pytest.raises(InputError, match=r"convert it to \.npz"):
        read(save(tmp_path / "a.json", [POSE]))


def test_one_long_text_among_many_numbers_costs_no_memory(tmp_path):
    content = {"poses": [["x" * 10**6] + [0] * 20_000] * 5}
    with pytest.raises(InputError, match=r"poses\[0\]\[0\] is 'xxx"):
        read(save(tmp_path / "a.json", content))
