"""CSV in both layouts: joints by name or number, in any order, and every slip with its line and column."""

from __future__ import annotations

import csv
import itertools

import numpy as np
import pytest

from posebench.errors import InputError
from posebench.io import csv_file, read
from posebench.skeletons import H36M17

RNG = np.random.default_rng(0)
POSES = RNG.normal(size=(4, 17, 3)).round(3)


def save(path, *rows, comments=()):
    with path.open("w", newline="", encoding="utf-8") as file:
        file.writelines(f"{comment}\n" for comment in comments)
        csv.writer(file).writerows(rows)
    return path


def wide(joints, order):
    header = ["action", "frame", *(f"{joints[j]}_{axis}" for j in order for axis in "xyz")]
    rows = [["Walking", i, *POSES[i][list(order)].ravel()] for i in range(4)]
    return header, *rows


def long(joints, pairs):
    return ["x", "joint", "z", "frame", "y"], *(
        [POSES[i, j, 0], joints[j], POSES[i, j, 2], i, POSES[i, j, 1]] for i, j in pairs
    )


def test_wide_joints_are_put_into_the_order_of_their_skeleton(tmp_path):
    order = RNG.permutation(17)
    poses = read(save(tmp_path / "a.csv", *wide(H36M17.joints, order)))
    assert poses.skeleton is H36M17
    np.testing.assert_array_equal(poses.poses, POSES)
    assert poses.frame.tolist() == [0, 1, 2, 3]
    assert poses.action.names == ("Walking",)


def test_wide_joints_by_number_are_put_in_order_and_leave_the_skeleton_open(tmp_path):
    poses = read(save(tmp_path / "a.csv", *wide(range(17), RNG.permutation(17))))
    assert poses.skeleton is None
    np.testing.assert_array_equal(poses.poses, POSES)


def test_comments_state_facts(tmp_path):
    comments = ["# by somebody", "#unit:m", "", "# skeleton: h36m17", "# fps: 25", "# Reference: camera", "# seen: 5"]
    poses = read(save(tmp_path / "a.csv", *wide(range(17), range(17)), comments=comments))
    assert (poses.unit, poses.skeleton, poses.fps, poses.reference) == ("m", H36M17, 25.0, "camera")


def test_joint_names_differ_in_case_only(tmp_path):
    poses = read(save(tmp_path / "a.csv", *wide([name.upper() for name in H36M17.joints], range(17))))
    assert poses.skeleton is H36M17


def test_joints_of_no_skeleton_stay_as_they_stand(tmp_path):
    poses = read(save(tmp_path / "a.csv", ["b_x", "b_y", "b_z", "a_x", "a_y", "a_z"], [1, 2, 3, 4, 5, 6]))
    assert poses.poses.tolist() == [[[1, 2, 3], [4, 5, 6]]]
    assert poses.notes == (f"{tmp_path / 'a.csv'}: joints 'b', 'a' are those of no known skeleton, kept as they stand",)


def test_long_rows_come_in_any_order(tmp_path):
    pairs = RNG.permutation(list(itertools.product(range(4), range(17))))
    poses = read(save(tmp_path / "a.csv", *long(H36M17.joints, pairs)))
    assert poses.skeleton is H36M17
    order = list(dict.fromkeys(int(i) for i, _ in pairs))
    assert poses.frame.tolist() == order
    np.testing.assert_array_equal(poses.poses, POSES[order])


def test_long_rows_with_flags(tmp_path):
    rows = [(0, 1, 1, 2, 3, 1), (0, 0, 4, 5, 6, 0)]
    poses = read(save(tmp_path / "a.csv", ["frame", "joint", "x", "y", "z", "valid"], *rows))
    assert poses.poses.tolist() == [[[4, 5, 6], [1, 2, 3]]]
    assert poses.valid.tolist() == [[False, True]]


def test_odd_but_clear_cells_are_read(tmp_path):
    text = '\ufeff frame ,"0_x", 0_y,0_z,note\r\n\r\n 1.0 ,"1e3", -.5,,"a\nb"\r\n2,nan,+1,  ,""\n'
    (tmp_path / "a.csv").write_bytes(text.encode())
    poses = read(tmp_path / "a.csv")
    np.testing.assert_array_equal(poses.poses, [[[1000, -0.5, np.nan]], [[np.nan, 1, np.nan]]])
    assert poses.frame.tolist() == [1, 2]
    assert poses.notes == (f"{tmp_path / 'a.csv'}: ignored 'note'",)


ONE = "0_x,0_y,0_z\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n\n", "has no header row"),
        ("# unit: mm\n", "has no header row"),
        (ONE, "holds no poses"),
        ("frame,joint,x,y,z\n", "holds no poses"),
        ("a,b\n1,2\n", "line 1: no coordinate columns such as RHip_x.*it has 'a', 'b'"),
        ("0_x;0_y;0_z\n1;2;3\n", "other than commas"),
        ("0_x,0_y\n1,2\n", "line 1: column '0_z' is missing"),
        ("0_x,0_y,0_z,1_x,1_y,1_z,0_valid\n", "column '1_valid' is missing"),
        ("0_x,0_x,0_y,0_z\n", "two columns are named '0_x'"),
        ("0_x,0_y,0_z,2_x,2_y,2_z\n", r"joints are numbered \[0, 2\], expected 0 to 1"),
        ("0_x,0_y,0_z,00_x,00_y,00_z\n", r"joints are numbered \[0, 0\]"),
        (ONE + "1,2\n", "line 2 has 2 cells, expected 3"),
        (ONE + "1,2,3\n\n1,2,3,4\n", "line 4 has 4 cells, expected 3"),
        (ONE + "1,2,3\n,\n", "line 3 has 2 cells"),
        (ONE + "1,abc,3\n", "line 2, column '0_y': expected a number, got 'abc'"),
        (ONE + "1,2,1_000\n", "line 2, column '0_z': expected a number, got '1_000'"),
        (ONE + "1,2,٣\n", "line 2, column '0_z': expected a number"),
        (ONE + "1,2,\x00\n", "line 2, column '0_z': expected a number"),
        (ONE + '1,2,"3\n', "line 2|not a comma-separated table"),
        (ONE + '1,2,"' + "3" * 200_000 + '"\n', "not a comma-separated table"),
        ("# unit: mm\n# unit: m\n" + ONE, "line 2 states unit a second time"),
        ("# fps: fast\n" + ONE + "1,2,3\n", "fps: expected a number, got 'fast'"),
        ("# unit: cm\n" + ONE + "1,2,3\n", "unit is 'cm'"),
        ("# skeleton: h36m17\n" + ONE + "1,2,3\n", "1 joints, but skeleton h36m17 has 17"),
        ("# skeleton: h36m17\na_x,a_y,a_z\n1,2,3\n", "says skeleton h36m17 but lacks 'pelvis'"),
        ("# skeleton: mine\na_x,a_y,a_z\n1,2,3\n", "no skeleton 'mine'"),
        ("frame," + ONE + "a,1,2,3\n", "line 2, column 'frame': expected a whole number, got 'a'"),
        ("frame," + ONE + ",1,2,3\n", "expected a whole number"),
        ("frame," + ONE + "1.5,1,2,3\n", "expected a whole number"),
        ("action," + ONE + "a\x1b,1,2,3\n", "control characters"),
        ("action," + ONE + "a" * 300 + ",1,2,3\n", "300 characters"),
        ("0_valid," + ONE + "2,1,2,3\n", "line 2, column '0_valid': expected 0 or 1, got '2'"),
        ("joint,x,y,z\n0,1,2,3\n", "needs a key column such as 'frame'"),
        ("frame,joint,x,y\n0,0,1,2\n", "column 'z' is missing"),
        ("frame,joint,x,y,z\n0,0,1,2,3\n0,0,1,2,3\n", "line 3: joint '0' comes a second time"),
        ("frame,joint,x,y,z\n0,0,1,2,3\n0,1,1,2,3\n1,0,1,2,3\n", "frame '1' has 1 joints, expected all 2"),
        ("frame,joint,x,y,z\n0,0,1,2,3\n0,0,1,2,3\n1,1,1,2,3\n1,1,1,2,3\n", "comes a second time"),
        ("frame,joint,x,y,z\n0,0,1,oops,3\n", "line 2, column 'y': expected a number, got 'oops'"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text, message, tmp_path):
    (tmp_path / "bad.csv").write_text(text, encoding="utf-8", newline="")
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / "bad.csv")
    assert "bad.csv" in str(caught.value)


def test_sparse_long_tables_do_not_allocate_their_product(tmp_path):
    rows = "".join(f"{i},j{i},0,0,0\n" for i in range(30_000))
    (tmp_path / "a.csv").write_text("frame,joint,x,y,z\n" + rows)
    with pytest.raises(InputError, match="has 1 joints, expected all 30000"):
        read(tmp_path / "a.csv")


def test_a_line_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_file, "LINE_LIMIT", 100)
    (tmp_path / "a.csv").write_text(ONE + "1" * 1000)
    with pytest.raises(InputError, match="line 2 is longer than 100"):
        read(tmp_path / "a.csv")


def test_bytes_that_are_no_text_are_named(tmp_path):
    (tmp_path / "a.csv").write_bytes(ONE.encode() + b"1,2,\xff\n")
    with pytest.raises(InputError, match=r"a\.csv: holds byte 0xff, expected text in UTF-8"):
        read(tmp_path / "a.csv")
