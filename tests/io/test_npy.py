"""One array in a file: mapped, and nothing else made of it."""

from __future__ import annotations

import numpy as np
import pytest

from posebench.errors import InputError
from posebench.io import read

POSES = np.random.default_rng(0).normal(size=(3, 17, 3)).astype(np.float32)


@pytest.mark.parametrize("array", [POSES, np.asfortranarray(POSES)])
def test_a_file_by_numpy_is_mapped(array, tmp_path):
    np.save(tmp_path / "a.npy", array)
    poses = read(tmp_path / "a.npy")
    assert isinstance(poses.poses, np.memmap)
    assert poses.poses.dtype == np.float32
    np.testing.assert_array_equal(poses.poses, POSES)
    assert (poses.unit, poses.skeleton, dict(poses.keys)) == (None, None, {})


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (POSES[0], r"poses\[None\]"),
        (POSES[:0], "no poses"),
        (np.array([[{}]]), "holds Python objects"),
        (np.array("text"), "expected numbers"),
    ],
)
def test_other_arrays_are_refused(array, message, tmp_path):
    np.save(tmp_path / "bad.npy", array)
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / "bad.npy")
    assert "bad.npy" in str(caught.value)


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b[:60], lambda b: b[1:]])
def test_damage_is_refused(change, tmp_path):
    np.save(tmp_path / "a.npy", POSES)
    (tmp_path / "a.npy").write_bytes(change((tmp_path / "a.npy").read_bytes()))
    with pytest.raises(InputError, match=r"a\.npy"):
        read(tmp_path / "a.npy")


def test_a_header_that_promises_a_trillion_frames_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", POSES)
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content.replace(b"(3, 17, 3), }            ", b"(1000000000000, 17, 3), }"))
    with pytest.raises(InputError, match=r"promises \(1000000000000, 17, 3\) of float32"):
        read(tmp_path / "a.npy")


def test_a_saved_dict_is_read_like_a_pickle(tmp_path):
    np.save(tmp_path / "a.npy", {"poses": POSES, "unit": "mm", "action": ["Eating"] * 3})
    poses = read(tmp_path / "a.npy")
    np.testing.assert_array_equal(poses.poses, POSES)
    assert (poses.unit, poses.action.names) == ("mm", ("Eating",))
