"""HDF5: read as h5py and others write it, mapped where possible, never followed into other files."""

from __future__ import annotations

import sys

import h5py
import numpy as np
import pytest

from posebench.errors import InputError, MissingExtraError
from posebench.io import hdf5, read, write
from posebench.poses import PoseSet

POSES = np.random.default_rng(0).normal(size=(3, 17, 3))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.h5"


@pytest.mark.parametrize(
    "layout", [{}, {"chunks": (2, 17, 3)}, {"chunks": (1, 5, 3), "compression": "gzip", "shuffle": True}]
)
@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4"])
def test_files_by_h5py_are_read(layout, mapped, dtype, path, monkeypatch):
    if mapped:
        monkeypatch.setattr(hdf5, "MAP_FROM", 0)
        monkeypatch.setattr(hdf5, "MEMORY_LIMIT", 0)
    with h5py.File(path, "w", userblock_size=1024) as file:
        file.create_dataset("poses", data=POSES.astype(dtype), **layout)
        file["valid"] = np.ones((3, 17), np.uint8)
        file["subject"] = [9, 9, 11]
        file["action"] = np.array([b"Eating", b"Eating", b"Walking"])
        file["camera"] = ["a", "é", ""]
        file["sequence"] = "one"
        file["unit"] = "m"
        file.attrs["fps"] = 50
        file.attrs["skeleton"] = np.bytes_(b"h36m17")
        file["root_depth"] = np.array([1, 2, 3], "f4")
        file["mine/deep"] = 1
    poses = read(path)
    np.testing.assert_array_equal(poses.poses, POSES.astype(dtype))
    assert poses.subject.values.tolist() == ["9", "9", "11"]
    assert poses.action.names == ("Eating", "Walking")
    assert poses.camera.values.tolist() == ["a", "é", ""]
    assert poses.sequence.names == ("one",)
    assert (poses.unit, poses.skeleton.name, poses.fps) == ("m", "h36m17", 50.0)
    assert poses.valid.all()
    assert poses.notes == (f"{path}: ignored 'mine'",)


def test_large_coordinates_are_mapped_and_aligned(path):
    write(PoseSet(np.ones((4000, 17, 3)), unit="mm"), path)
    poses = read(path).poses
    assert isinstance(poses, np.memmap)
    assert poses.flags.aligned
    assert not poses.flags.writeable
    assert poses.ctypes.data % 64 == 0


def test_h5py_reads_what_is_written_here(path):
    write(PoseSet(POSES, unit="mm", action=["a", "b", "é"], frame=[3, 4, 5]), path)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["poses"], POSES)
        assert file["action"].asstr()[()].tolist() == ["a", "b", "é"]
        assert file["frame"][()].tolist() == [3, 4, 5]
        assert file.attrs["unit"] == b"mm"


def _external_storage(file, folder):
    (folder / "secret").write_bytes(POSES.tobytes())
    file.create_dataset("poses", POSES.shape, "f8", external=[(str(folder / "secret"), 0, POSES.nbytes)])


def _virtual(file, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other["x"] = POSES
    layout = h5py.VirtualLayout(POSES.shape, "f8")
    layout[:] = h5py.VirtualSource(folder / "other.h5", "x", POSES.shape)
    file.create_virtual_dataset("poses", layout)


def _put(name, value, **options):
    def put(file, _folder):
        if name != "poses":
            file["poses"] = POSES
        if isinstance(value, h5py.SoftLink | h5py.ExternalLink):
            file[name] = value
        else:
            file.create_dataset(name, data=value, **options)

    return put


def _cycle(file, _folder):
    file["poses"] = POSES
    file["action"] = file["/"]


def _twice(file, _folder):
    file["poses"] = POSES
    file["unit"] = "mm"
    file.attrs["unit"] = "m"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_external_storage, "another file"),
        (_virtual, "another file"),
        (_put("poses", h5py.ExternalLink("other.h5", "x")), "is a link"),
        (_put("poses", h5py.SoftLink("/gone")), "is a link"),
        (_cycle, "'action': is a group"),
        (_twice, "states unit both"),
        (_put("action", None, shape=(3,), dtype=h5py.vlen_dtype(np.int32)), "objects of variable size"),
        (_put("action", np.zeros(3, [("a", "i4")])), "expected plain numbers or text"),
        (_put("unit", None, shape=(3,), dtype=h5py.ref_dtype), "objects of variable size"),
        (_put("unit", h5py.Empty("f4")), "is empty"),
        (lambda file, _: file.create_dataset("pose", data=1), "has no dataset 'poses'.*it has 'pose'"),
        (lambda file, _: file.create_dataset("poses", (10**7, 17, 3), "f4"), "never filled"),
        (lambda file, _: file.create_dataset("poses", (10**12, 17, 3), "f4", chunks=(4, 17, 3)), "never filled"),
    ],
)
def test_what_is_no_plain_array_of_this_file_is_refused(make, message, path, tmp_path):
    with h5py.File(path, "w") as file:
        make(file, tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_a_link_under_a_name_that_means_nothing_is_not_followed(path):
    with h5py.File(path, "w") as file:
        file["poses"] = POSES
        file["mine"] = h5py.ExternalLink("gone.h5", "x")
        file["loop"] = h5py.SoftLink("/loop")
    assert read(path).notes == (f"{path}: ignored 'loop', 'mine'",)


def test_a_cut_off_file_is_said(path):
    write(PoseSet(np.ones((4000, 17, 3))), path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(InputError, match=r"a\.h5: "):
        read(path)


def test_without_h5py_the_pip_command_is_said(path, monkeypatch):
    write(PoseSet(POSES), path)
    monkeypatch.setitem(sys.modules, "h5py", None)
    for action in (lambda: read(path), lambda: write(PoseSet(POSES), path)):
        with pytest.raises(MissingExtraError, match=r"a\.h5 needs the package h5py: pip install 'posebench-hpe\[io\]'"):
            action()
