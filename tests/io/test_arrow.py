"""Parquet and Arrow: one row per frame, as pyarrow and pandas write it, without a copy where that is possible."""

from __future__ import annotations

import json
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, ipc, parquet

from posebench.errors import InputError, MissingExtraError
from posebench.io import read, write
from posebench.poses import PoseSet

POSES = np.random.default_rng(0).normal(size=(4, 3, 3))
SUFFIXES = [".parquet", ".arrow", ".feather"]


def save(table, path):
    if path.suffix == ".parquet":
        parquet.write_table(table, path, row_group_size=3)
    else:
        with ipc.new_file(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=3)


def binary(poses):
    return pa.array([row.tobytes() for row in poses], pa.binary(poses[0].nbytes))


def lists(poses, kind=None):
    return pa.array(poses.reshape(len(poses), -1).tolist(), kind or pa.list_(pa.float64()))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_binary_columns_by_pyarrow_are_read(suffix, dtype, tmp_path):
    path = tmp_path / f"a{suffix}"
    table = pa.table(
        {
            "poses": binary(POSES.astype(dtype)),
            "valid": pa.array([b"\1\1\0"] * 4, pa.binary(3)),
            "action": pa.array(["b", "a", "é", "a"]).dictionary_encode(),
            "subject": [9, 9, 11, 9],
            "frame": [1, 2, 3, 4],
            "mine": [None, None, 1, 2],
        }
    )
    stated = {"unit": "mm", "fps": 50, "reference": "camera", "intrinsics": np.eye(3).tolist(), "odd": 1}
    save(table.replace_schema_metadata({"posebench": json.dumps(stated), "dtype": dtype, "joints": "3"}), path)
    poses = read(path)
    assert poses.poses.dtype == dtype
    np.testing.assert_array_equal(poses.poses, POSES.astype(dtype))
    assert poses.valid.tolist() == [[True, True, False]] * 4
    assert poses.action.values.tolist() == ["b", "a", "é", "a"]
    assert poses.subject.values.tolist() == ["9", "9", "11", "9"]
    assert poses.frame.tolist() == [1, 2, 3, 4]
    assert (poses.unit, poses.fps, poses.reference) == ("mm", 50.0, "camera")
    np.testing.assert_array_equal(poses.intrinsics, np.eye(3))
    assert poses.notes == (f"{path}: ignored 'posebench.odd', 'mine'",)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float64()), pa.large_list(pa.float32()), pa.list_(pa.float32(), 9), pa.list_(pa.float64(), 9)]
)
def test_lists_are_read(suffix, kind, tmp_path):
    path = tmp_path / f"a{suffix}"
    flags = pa.array([[True, False, True]] * 4, pa.list_(pa.bool_(), 3))
    save(pa.table({"poses": lists(POSES, kind), "valid": flags}), path)
    poses = read(path)
    np.testing.assert_array_equal(poses.poses, POSES.astype(poses.poses.dtype))
    assert poses.valid.tolist() == [[True, False, True]] * 4


def test_nested_lists_and_nulls_for_unknown_coordinates_are_read(tmp_path):
    nested = pa.array([[[1.0, None, 3.0]] * 2] * 3, pa.list_(pa.list_(pa.float64(), 3), 2))
    save(pa.table({"poses": nested}), tmp_path / "a.arrow")
    np.testing.assert_array_equal(read(tmp_path / "a.arrow").poses, np.tile([1, np.nan, 3], (3, 2, 1)))


def test_a_table_by_pandas_is_read(tmp_path):
    frame = pd.DataFrame({"poses": list(POSES.reshape(4, 9)), "action": list("abca"), "frame": range(4)})
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_feather(tmp_path / "a.feather")
    for name in ("a.parquet", "a.feather"):
        poses = read(tmp_path / name)
        np.testing.assert_array_equal(poses.poses, POSES)
        assert poses.action.values.tolist() == list("abca")


def test_a_stream_is_read(tmp_path):
    table = pa.table({"poses": lists(POSES)})
    with ipc.new_stream(tmp_path / "a.arrow", table.schema) as writer:
        writer.write_table(table)
    np.testing.assert_array_equal(read(tmp_path / "a.arrow").poses, POSES)


def test_compressed_feather_is_read(tmp_path):
    feather.write_feather(pa.table({"poses": lists(POSES)}), tmp_path / "a.feather", "zstd")
    np.testing.assert_array_equal(read(tmp_path / "a.feather").poses, POSES)


def test_one_batch_is_mapped_without_a_copy(tmp_path):
    write(PoseSet(np.ones((4000, 17, 3), np.float32)), tmp_path / "a.arrow")
    before = pa.total_allocated_bytes()
    poses = read(tmp_path / "a.arrow").poses
    assert pa.total_allocated_bytes() - before < 10_000
    assert not poses.flags.writeable
    assert not poses.flags.owndata
    assert poses.flags.aligned


def test_pyarrow_reads_what_is_written_here(tmp_path):
    write(PoseSet(POSES, unit="mm", action=["a", "b", "a", "c"]), tmp_path / "a.parquet")
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table.column("action").to_pylist() == ["a", "b", "a", "c"]
    assert np.frombuffer(table.column("poses")[1].as_py()).tolist() == POSES[1].ravel().tolist()
    assert table.schema.metadata[b"joints"] == b"3"
    assert json.loads(table.schema.metadata[b"posebench"]) == {"unit": "mm"}


def _binary_table(**metadata):
    return pa.table({"poses": binary(POSES)}).replace_schema_metadata(metadata)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"pose": lists(POSES)}), "has no column 'poses'.*it has 'pose'"),
        (_binary_table(), "metadata 'dtype' is ''"),
        (_binary_table(dtype="int8"), "metadata 'dtype' is 'int8'"),
        (_binary_table(dtype="float64", joints="4"), "has 3 joints, but the schema metadata 'joints' says b'4'"),
        (_binary_table(dtype="float64", posebench="{"), "'posebench' is not JSON"),
        (_binary_table(dtype="float64", posebench="[]"), "'posebench' is a list, expected an object"),
        (_binary_table(dtype="float64", posebench='{"unit": 1}'), "unit is 1, expected one text"),
        (_binary_table(dtype="float64", posebench='{"intrinsics": [[1], 2]}'), "is no array of numbers"),
        (pa.table({"poses": lists(POSES)[:2].to_pylist() + [None]}), "holds nulls"),
        (pa.table({"poses": [[1.0, 2.0, 3.0], [1.0]]}), "different lengths"),
        (pa.table({"poses": [[1.0, 2.0]]}), "2 numbers per row, expected three per joint"),
        (pa.table({"poses": ["a"]}), "expected lists of numbers"),
        (pa.table({"poses": [1.0]}), "expected lists of numbers"),
        (pa.table({"poses": lists(POSES), "action": ["a", "b", None, "c"]}), "'action' holds nulls"),
        (pa.table({"poses": lists(POSES), "action": [1.5] * 4}), "'action' is of type 'double', expected text"),
        (pa.table({"poses": lists(POSES), "frame": list("abcd")}), "'frame' is of type 'string', expected numbers"),
        (pa.table({"poses": lists(POSES), "frame": [1, 2, None, 4]}), "'frame' holds nulls"),
        (pa.table({"poses": lists(POSES), "valid": [[True, None, True]] * 4}), "'valid' holds nulls inside"),
        (pa.table({"poses": lists(POSES), "action": ["a\nb"] * 4}), "control"),
        (pa.table({"poses": lists(POSES)})[:0], "holds no poses"),
    ],
)
def test_a_table_that_is_not_understood_is_refused(suffix, table, message, tmp_path):
    path = tmp_path / f"a{suffix}"
    save(table, path)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_a_small_file_that_claims_far_more_is_refused(tmp_path):
    column = pa.array([bytes(24 * 17)], pa.binary(24 * 17)).take(pa.array(np.zeros(400_000, np.int32)))
    table = pa.table({"poses": column}).replace_schema_metadata({"dtype": "float64"})
    parquet.write_table(table, tmp_path / "a.parquet", compression="zstd")
    with pytest.raises(InputError, match=r"a\.parquet: claims .* too many for its size"):
        read(tmp_path / "a.parquet")


def test_two_columns_of_one_name_are_refused(tmp_path):
    table = pa.Table.from_arrays([lists(POSES), lists(POSES)], ["poses", "poses"])
    save(table, tmp_path / "a.arrow")
    with pytest.raises(InputError, match="two columns are named 'poses'"):
        read(tmp_path / "a.arrow")


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_a_cut_off_file_is_said(suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    write(PoseSet(POSES), path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match=rf"a\{suffix}: is no complete \{suffix} file"):
        read(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_without_pyarrow_the_pip_command_is_said(suffix, tmp_path, monkeypatch):
    path = tmp_path / f"a{suffix}"
    write(PoseSet(POSES), path)
    for module in ("pyarrow", "pyarrow.parquet", "pyarrow.ipc"):
        monkeypatch.setitem(sys.modules, module, None)
    for action in (lambda: read(path), lambda: write(PoseSet(POSES), path)):
        with pytest.raises(MissingExtraError, match=r"the package pyarrow: pip install 'posebench-hpe\[io\]'"):
            action()


@pytest.mark.parametrize("width", [pa.int8(), pa.uint8(), pa.int64(), pa.uint64()])
def test_dictionaries_with_any_index_and_unused_texts_are_read(width, tmp_path):
    names = pa.DictionaryArray.from_arrays(pa.array([3, 1, 1, 3], width), ["unused", "b", "never", "a", "last"])
    table = pa.table({"poses": binary(POSES), "action": names}).replace_schema_metadata({"dtype": "float64"})
    save(table, tmp_path / "a.arrow")
    action = read(tmp_path / "a.arrow").action
    assert action.names == ("a", "b")
    assert action.values.tolist() == ["a", "b", "b", "a"]
