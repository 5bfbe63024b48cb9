"""`read` and `write` themselves: which file, which format, and what is asked for instead of what the file says."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from posebench.errors import InputError, PosebenchError, UsageError
from posebench.io import formats, read, write
from posebench.io.registry import Format, register
from posebench.poses import PoseSet
from posebench.skeletons import H36M17

SUFFIXES = [suffix for known in formats() for suffix in known.suffixes]


def test_importing_is_light():
    heavy = ("pandas", "numba", "scipy", "torch", "h5py", "pyarrow", "c3d")
    code = f"import sys, posebench.io; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_missing_file_is_named(suffix, tmp_path):
    with pytest.raises(InputError, match=rf"gone\{suffix}: cannot be read: No such file"):
        read(tmp_path / f"gone{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder_is_no_file(suffix, tmp_path):
    (tmp_path / f"a{suffix}").mkdir()
    with pytest.raises(InputError, match=rf"a\{suffix}: is a folder"):
        read(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_file_is_empty(suffix, tmp_path):
    (tmp_path / f"a{suffix}").touch()
    with pytest.raises(InputError, match=rf"a\{suffix}: is empty"):
        read(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(200),
        b"\x89HDF\r\n\x1a\n" + bytes(200),
        b"PK\3\4" + bytes(100),
        b"\0",
        b"\xff\xfe\0\0",
        b"hello world\n",
    ],
    ids=["png", "hdf5", "broken zip", "zero", "bom", "prose"],
)
def test_other_content_is_refused(suffix, content, tmp_path):
    (tmp_path / f"a{suffix}").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\{suffix}: ") as caught:
        read(tmp_path / f"a{suffix}")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"a\.npz: is no regular file"):
        read(tmp_path / "a.npz")


def test_an_unreadable_file_is_named(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.zeros((1, 17, 3)))

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)  # a superuser may read anything
    with pytest.raises(InputError, match=r"a\.npy: cannot be read: Permission denied"):
        read(tmp_path / "a.npy")


def test_what_does_not_fit_into_memory_is_said(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.zeros((1, 17, 3)))

    def refuse(*_args, **_kwargs):
        raise MemoryError

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(InputError, match="does not fit into memory"):
        read(tmp_path / "a.npy")


def test_an_unknown_suffix_lists_the_known(tmp_path):
    (tmp_path / "a.xyz").write_bytes(b"1")
    with pytest.raises(UsageError, match=r"a\.xyz: no format has this suffix; known are \.npz, \.npy, \.json"):
        read(tmp_path / "a.xyz")
    with pytest.raises(UsageError, match=r"known are \.npz"):
        write(PoseSet(np.zeros((1, 17, 3))), tmp_path / "a")


def test_a_path_with_nul_is_refused():
    with pytest.raises(PosebenchError):
        read("a\0.npz")


def test_suffixes_may_be_upper_case(tmp_path):
    write(PoseSet(np.zeros((1, 17, 3))), tmp_path / "A.NPZ")
    assert len(read(tmp_path / "A.NPZ")) == 1


def test_a_suffix_is_registered_once():
    with pytest.raises(UsageError, match=r"\.npz is registered already"):
        register(Format((".npz",), "another", read=lambda path: None))


@pytest.mark.parametrize("suffix", [".npz", ".json", ".csv", ".pkl"])
def test_what_is_asked_for_wins_and_the_difference_is_noted(suffix, full, tmp_path):
    path = tmp_path / f"pred{suffix}"
    write(full().replace(unit="m"), path)
    asked = read(path, unit="mm", reference="world", origin="absolute", fps=25)
    assert (asked.unit, asked.reference, asked.origin, asked.fps) == ("mm", "world", "absolute", 25)
    assert asked.notes == (
        f"{path} says unit m; read as mm as asked",
        f"{path} says reference camera; read as world as asked",
        f"{path} says origin root; read as absolute as asked",
        f"{path} says fps 49.97; read as 25 as asked",
    )


def test_asking_for_what_the_file_says_or_leaves_open_needs_no_note(tmp_path):
    write(PoseSet(np.zeros((1, 17, 3)), unit="mm", skeleton="h36m17"), tmp_path / "a.npz")
    poses = read(tmp_path / "a.npz", unit="mm", skeleton="H36M-17", reference="camera", fps=50)
    assert poses.notes == ()
    assert poses.reference == "camera"


def test_a_skeleton_asked_for_replaces_one_that_is_unknown(tmp_path):
    np.savez(tmp_path / "a.npz", poses=np.zeros((1, 17, 3)), skeleton="mine")
    with pytest.raises(InputError, match=r"a\.npz: there is no skeleton 'mine'; known are .*h36m17.*--gt-skeleton"):
        read(tmp_path / "a.npz")
    poses = read(tmp_path / "a.npz", skeleton=H36M17)
    assert poses.skeleton is H36M17
    assert poses.notes == (f"{tmp_path / 'a.npz'} says skeleton mine; read as h36m17 as asked",)


@pytest.mark.parametrize("asked", [{"unit": "cm"}, {"skeleton": "none"}, {"reference": "x"}, {"origin": "pelvis"}])
def test_asking_for_what_does_not_exist_is_the_callers_slip(asked, tmp_path):
    np.savez(tmp_path / "a.npz", poses=np.zeros((1, 17, 3)))
    with pytest.raises(UsageError, match=next(iter(asked.values()))):
        read(tmp_path / "a.npz", **asked)


def test_a_skeleton_that_does_not_fit_names_the_file(tmp_path):
    np.savez(tmp_path / "a.npz", poses=np.zeros((1, 16, 3)))
    with pytest.raises(InputError, match=r"a\.npz: the poses have 16 joints, but skeleton h36m17 has 17"):
        read(tmp_path / "a.npz", skeleton="h36m17")
