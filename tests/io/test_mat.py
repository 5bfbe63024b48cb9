"""MATLAB files: old ones through SciPy, 7.3 through h5py, each in a process whose crash is a sentence."""

from __future__ import annotations

import sys

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from posebench.errors import InputError, MissingExtraError, PosebenchError, UsageError
from posebench.io import child, mat, read, write
from posebench.poses import PoseSet
from tests.support.forking import forking
from tests.support.matlab import save5, save73

POSES = np.random.default_rng(0).normal(size=(4, 3, 3))
TEXTS = ["Walking 1", "b", "", "Walking 1"]
VARIABLES = {
    "poses": POSES,
    "valid": np.ones((4, 3), bool),
    "action": np.array(TEXTS, object),
    "subject": ["S9", "S9", "S11", "S11"],
    "camera": "cam",
    "frame": np.arange(4),
    "unit": "mm",
    "fps": 50.0,
    "root_depth": [1.0, 2.0, 3.0, 4.0],
    "intrinsics": np.eye(3),
}


SAVES = pytest.mark.parametrize("save", [save5, save73])


@SAVES
def test_every_fact_is_read(save, tmp_path):
    path = tmp_path / "a.mat"
    save(path, {**VARIABLES, "extra": 1})
    poses = read(path)
    np.testing.assert_array_equal(poses.poses, POSES)
    assert poses.valid.all()
    assert poses.action.values.tolist() == TEXTS
    assert poses.subject.values.tolist() == ["S9", "S9", "S11", "S11"]
    assert poses.camera.names == ("cam",)
    assert poses.frame.tolist() == [0, 1, 2, 3]
    assert (poses.unit, poses.fps) == ("mm", 50.0)
    assert poses.root_depth.tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(poses.intrinsics, np.eye(3))
    assert poses.notes == (f"{path}: ignored 'extra'",)


@SAVES
def test_the_only_array_of_that_shape_is_the_poses(save, tmp_path):
    save(tmp_path / "a.mat", {"pred": POSES.astype("f4"), "unit": "m", "score": 3.0})
    poses = read(tmp_path / "a.mat")
    np.testing.assert_array_equal(poses.poses, POSES.astype("f4"))
    assert poses.unit == "m"


@SAVES
@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"a": POSES, "b": POSES}, "has no variable 'poses' and several arrays .*'a' 4x3x3 'double', 'b' 4x3x3"),
        ({"a": np.zeros((3, 3)), "t": "abc"}, "has no variable 'poses' and no array .*'a' 3x3 'double'"),
        ({"poses": np.zeros((3, 3))}, "for one pose pass"),
        ({"poses": np.array(["a", "b"], object)}, "'poses'|poses is|poses.*numbers"),
        ({"poses": POSES, "frame": [1.5, 2, 3, 4]}, "whole numbers"),
        ({"poses": POSES, "action": np.array(["a", "b"], object)}, "action"),
        ({"poses": POSES, "unit": ["mm", "cm"]}, "unit has shape"),
    ],
)
def test_what_is_not_understood_is_refused(save, variables, message, tmp_path):
    save(tmp_path / "a.mat", variables)
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / "a.mat")
    assert "a.mat" in str(caught.value)


def test_a_struct_under_a_known_name_is_refused(tmp_path):
    save5(tmp_path / "a.mat", {"poses": POSES, "unit": {"a": 1}})
    with pytest.raises(InputError, match="variable 'unit' is neither numbers nor text"):
        read(tmp_path / "a.mat")


@pytest.mark.parametrize("code", [-11, 1, None])
def test_a_child_that_dies_or_never_ends_is_a_sentence(code, tmp_path, monkeypatch):
    save5(tmp_path / "a.mat", VARIABLES)
    monkeypatch.setattr(child, "run", lambda *_: code)
    with pytest.raises(InputError, match=r"a\.mat: (is damaged: SciPy|was not read within)"):
        read(tmp_path / "a.mat")


def test_a_child_that_runs_too_long_is_ended():
    assert child.run(["a.mat", "", "0", "1"], 0.001) is None


def test_the_child_cannot_take_more_memory_than_allowed(tmp_path, monkeypatch):
    savemat(tmp_path / "a.mat", {"poses": np.zeros((10**5, 17, 3))}, do_compression=True)
    monkeypatch.setattr(mat, "MEMORY", 10**6)
    with pytest.raises(InputError, match=r"a\.mat: is "):
        read(tmp_path / "a.mat")


def test_version_73_needs_h5py_and_version_5_does_not(tmp_path, monkeypatch):
    save73(tmp_path / "new.mat", VARIABLES)
    save5(tmp_path / "old.mat", VARIABLES)
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert len(read(tmp_path / "old.mat")) == 4
    with pytest.raises(MissingExtraError, match=r"new\.mat needs the package h5py: pip install 'posebench-hpe\[io\]'"):
        read(tmp_path / "new.mat")


def test_mat_is_only_read(tmp_path):
    with pytest.raises(UsageError, match="only read"):
        write(PoseSet(POSES), tmp_path / "a.mat")


def test_version_73_outside_the_file_is_not_read(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file["poses"] = h5py.ExternalLink("other.h5", "x")
    with pytest.raises(InputError, match="is a link"):
        read(tmp_path / "a.mat")


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
@pytest.mark.parametrize("compressed", [False, True])
def test_a_mutated_file_gives_a_set_or_a_sentence(compressed, mutate, tmp_path, monkeypatch):
    path = tmp_path / "a.mat"
    savemat(path, VARIABLES, do_compression=compressed)
    content, rng, refused = path.read_bytes(), np.random.default_rng(5), 0
    with forking() as run:
        monkeypatch.setattr(child, "run", run)
        for _ in range(200):
            path.write_bytes(mutate(content, rng) or b"x")
            try:
                assert isinstance(read(path), PoseSet)
            except PosebenchError as error:
                refused += 1
                assert str(path) in str(error)
                assert "\n" not in str(error)
    assert refused > 0
