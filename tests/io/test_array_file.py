"""Small .npz files of named arrays: the same bytes each time, and nothing believed that a file only claims."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from posebench.errors import InputError
from posebench.io.array_file import read_arrays, read_bytes, write_arrays

ARRAYS = {"a": np.arange(6.0).reshape(2, 3), "names": np.array(["x", "yy"])}


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "a.npz"
    with file.open("wb") as handle:
        write_arrays(handle, ARRAYS)
    return file


def test_numpy_reads_what_is_written(path):
    with np.load(path) as held:
        assert held.files == list(ARRAYS)
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(held[name], array)


def test_what_numpy_writes_is_read(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", **ARRAYS)
    held = read_arrays(tmp_path / "a.npz", ARRAYS, 10_000)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(held[name], array)
        assert held[name].dtype == array.dtype


def test_the_same_arrays_give_the_same_bytes(path):
    again = io.BytesIO()
    write_arrays(again, ARRAYS)
    assert again.getvalue() == path.read_bytes()


@pytest.mark.parametrize("names", [["a"], ["a", "names", "b"], ["a", "b"]])
def test_other_arrays_than_expected_are_refused(path, names):
    with pytest.raises(InputError, match=r"a\.npz: expected the arrays .*, it has 'a', 'names'"):
        read_arrays(path, names, 10_000)


def test_a_file_beyond_the_limit_is_refused_before_and_after_inflation(path, tmp_path):
    with pytest.raises(InputError, match="has more than 100 bytes"):
        read_arrays(path, ARRAYS, 100)
    np.savez_compressed(tmp_path / "b.npz", a=np.zeros(10_000))
    with pytest.raises(InputError, match="array 'a': claims 80128 bytes, at most 1000 are read"):
        read_arrays(tmp_path / "b.npz", ["a"], 1000)


def test_python_objects_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.array([{}, []], object))
    with pytest.raises(InputError, match="array 'a'"):
        read_arrays(tmp_path / "a.npz", ["a"], 10_000)


def test_every_file_that_is_cut_off_is_one_sentence(path):
    data = path.read_bytes()
    for size in range(0, len(data), 7):
        path.write_bytes(data[:size])
        with pytest.raises(InputError, match=r"a\.npz"):
            read_arrays(path, ARRAYS, 10_000)


def test_a_member_that_was_changed_is_noticed_by_its_checksum(path):
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("a.npy").header_offset
    data[start + 200] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"is not a complete \.npz archive"):
        read_arrays(path, ARRAYS, 10_000)


def test_a_folder_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="is no regular file"):
        read_bytes(tmp_path, 10)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_bytes(tmp_path / "none.npz", 10)
