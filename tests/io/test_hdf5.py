"""HDF5: read as h5py and others write it, in a process that may hang or crash; mapped where possible, and never
followed into other files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from posebench.errors import InputError, MissingExtraError
from posebench.io import child, child_main, hdf5, hdf5_child, read, write
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


# Numbers as they are in memory


def _odd(poses, kind):
    """Numbers of a type that HDF5 converts on reading, although its items are as wide as NumPy's."""
    if kind == "bias":
        odd = h5py.h5t.IEEE_F32LE.copy()
        odd.set_ebias(126)
        return odd, poses.astype("f4")
    odd = h5py.h5t.STD_I32LE.copy()
    odd.set_precision(16)
    odd.set_offset(8)
    return odd, poses.astype("i4")


@pytest.mark.parametrize("kind", ["bias", "offset"])
def test_numbers_of_an_odd_type_are_converted_not_mapped(kind, path, monkeypatch):
    monkeypatch.setattr(hdf5, "MAP_FROM", 0)
    odd, values = _odd(np.rint(POSES * 100), kind)
    with h5py.File(path, "w") as file:
        made = h5py.h5d.create(file.id, b"poses", odd, h5py.h5s.create_simple(values.shape))
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, values)
    assert path.read_bytes().find(values.tobytes()) == -1
    np.testing.assert_array_equal(read(path).poses, values)


def test_flags_are_true_wherever_they_are_not_zero(path):
    with h5py.File(path, "w") as file:
        file["poses"] = POSES
        flags = file.create_dataset("valid", data=np.arange(51).reshape(3, 17) % 3 > 0)
        where = flags.id.get_offset()
    with path.open("r+b") as file:
        file.seek(where + 1)
        file.write(b"\x07")
    assert read(path).valid.tolist() == (np.arange(51).reshape(3, 17) % 3 > 0).tolist()


# The process that parses


def test_the_hdf5_library_is_not_loaded_to_read(path):
    write(PoseSet(POSES, action="Walking"), path)
    code = f"import sys, posebench.io as io; print(io.read({str(path)!r}).action.names, 'h5py' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "('Walking',) False"


def _endless(path, where):
    """A heap of texts in which an object of no size follows itself for ever."""
    with h5py.File(path, "w") as file:
        file["poses"] = POSES
        if where == "attribute":
            file.attrs["unit"] = "mm"
        else:
            file["unit"] = "mm"
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL") + 16
    assert content[heap + 16 : heap + 18] == b"mm"
    content[heap : heap + 16] = bytes(16)
    path.write_bytes(content)


@pytest.mark.skipif(sys.platform == "win32", reason="there the clock alone ends the process, much later")
@pytest.mark.parametrize("where", ["attribute", "dataset"])
def test_a_file_that_hdf5_reads_for_ever_is_given_up(where, path, monkeypatch):
    monkeypatch.setattr(hdf5, "SECONDS", 1)
    _endless(path, where)
    with pytest.raises(InputError, match=r"a\.h5: was not read within 1 seconds; it is damaged"):
        read(path)


def test_a_tree_that_is_its_own_child_is_a_sentence(path):
    """HDF5 2.0 crashes on it."""
    with h5py.File(path, "w") as file:
        file["poses"] = POSES
    content = bytearray(path.read_bytes())
    tree = content.index(b"TREE")
    content[tree + 5] = 200  # so many levels above the leaves
    content[tree + 32 : tree + 40] = tree.to_bytes(8, "little")
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.h5: is "):
        read(path)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (-11, "the HDF5 library broke off"),
        (1, "the HDF5 library broke off"),
        (0, "broke off"),
        (None, "not read within"),
    ],
)
def test_a_process_that_dies_or_says_nothing_is_a_sentence(code, message, path, monkeypatch):
    write(PoseSet(POSES), path)
    monkeypatch.setattr(child, "run", lambda *_: code)
    with pytest.raises(InputError, match=rf"a\.h5: .*{message}"):
        read(path)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the system bounds no memory")
def test_a_file_cannot_take_more_memory_than_allowed(path, monkeypatch):
    with h5py.File(path, "w") as file:
        file.create_dataset("poses", data=np.zeros((4 * 10**5, 17, 3)), chunks=(4 * 10**5, 17, 3), compression="gzip")
    assert len(read(path)) == 4 * 10**5
    monkeypatch.setattr(hdf5, "MEMORY", 2**28)
    with pytest.raises(InputError, match=r"a\.h5: "):
        read(path)


def test_where_the_system_has_no_limits_none_are_set(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert child_main.limit(1, 1) is None


ARRAY = {"file": None, "offset": 0, "shape": [3, 17, 3], "dtype": "<f8"}


@pytest.mark.parametrize(
    "answer",
    [
        *([], "text", {}, {"entries": [], "values": []}, {"entries": [["poses"]], "values": {}}),
        *({"entries": [["poses", [], ""]], "values": {"poses": said}} for said in ("abc", 1, [], {})),
        *(
            {"entries": [["poses", [], ""]], "values": {"poses": ARRAY | wrong}}
            for wrong in (
                *({"offset": -1}, {"offset": 10**9}, {"offset": "x"}, {"offset": float("inf")}),
                *({"shape": [3, 17, -3]}, {"shape": [10**9] * 9}, {"shape": 3}, {"shape": [1] * 99}, {"shape": ["a"]}),
                *({"dtype": "O"}, {"dtype": "V8"}, {"dtype": "i3"}, {"dtype": "f8,f8"}, {"dtype": None}),
                *({"file": "../a.h5"}, {"file": "0.bin"}, {"file": "1.bin"}, {"file": 7}, {"file": "index.json"}),
            )
        ),
        {"entries": [["poses", [], ""]], "values": {"action": {"texts": ["a"], "codes": ARRAY | {"shape": [3]}}}},
        {
            "entries": [["poses", [], ""]],
            "values": {"action": {"texts": [], "codes": ARRAY | {"dtype": "<i4", "shape": [3], "offset": 8}}},
        },
    ],
)
@pytest.mark.parametrize("mapped", [False, True])
def test_a_process_that_lies_is_not_believed(answer, mapped, path, monkeypatch):
    """Whoever damages a file on purpose may be who answers."""
    write(PoseSet(POSES), path)
    if mapped:
        monkeypatch.setattr(hdf5, "MAP_FROM", 0)
        monkeypatch.setattr(hdf5, "MEMORY_LIMIT", 0)

    def run(arguments, _seconds):
        folder = Path(arguments[2])
        (folder / "0.bin").write_bytes(bytes(8))
        (folder / "index.json").write_text(json.dumps(answer))
        return 0

    monkeypatch.setattr(child, "run", run)
    with pytest.raises(InputError, match=r"a\.h5: is damaged: the HDF5 library (broke off|answered nonsense)"):
        read(path)


def test_what_a_process_refuses_is_one_line_of_bounded_length(path, monkeypatch):
    def run(arguments, _seconds):
        Path(arguments[2], "index.json").write_text(json.dumps({"refused": "no\n" * 10**5}))
        return 0

    write(PoseSet(POSES), path)
    monkeypatch.setattr(child, "run", run)
    with pytest.raises(InputError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600 + len(str(path))


@pytest.mark.parametrize("content", [b"[" * 10**5, b"{", b'{"a": 1' + b"0" * 10**4 + b"}", b"\xff"])
def test_an_answer_that_is_no_json_is_a_sentence(content, path, monkeypatch):
    def run(arguments, _seconds):
        Path(arguments[2], "index.json").write_bytes(content)
        return 0

    write(PoseSet(POSES), path)
    monkeypatch.setattr(child, "run", run)
    with pytest.raises(InputError, match="broke off"):
        read(path)


def test_a_file_that_changes_while_it_is_read_is_refused(path, monkeypatch):
    real = child.run

    def run(arguments, seconds):
        code = real(arguments, seconds)
        os.utime(path, ns=(0, 0))
        return code

    write(PoseSet(POSES), path)
    monkeypatch.setattr(child, "run", run)
    with pytest.raises(InputError, match=r"a\.h5: changed while it was read; read it again"):
        read(path)


@pytest.mark.parametrize("keeps", [False, True])
def test_large_chunked_coordinates_are_mapped_and_leave_nothing_behind(keeps, path, tmp_path, monkeypatch):
    with h5py.File(path, "w") as file:
        file.create_dataset("poses", data=POSES, chunks=(2, 17, 3), compression="gzip")
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(hdf5, "KEEPS_MAPPED_FILES", keeps)
    monkeypatch.setattr(hdf5, "MEMORY_LIMIT", 0)
    poses = read(path).poses
    assert isinstance(poses, np.memmap)
    assert list(folder.iterdir()) == []
    np.testing.assert_array_equal(poses, POSES)


def test_datasets_that_claim_more_together_than_the_file_can_hold_are_refused(path, tmp_path, monkeypatch):
    with h5py.File(path, "w") as file:
        for name in ("poses", "valid"):
            file.create_dataset(name, data=np.ones((4000, 17, 3)), chunks=(4000, 17, 3), compression="gzip")
    size = path.stat().st_size
    monkeypatch.setattr(hdf5_child, "RATIO", 8 * 4000 * 51 // size + 10)
    monkeypatch.setattr(hdf5_child, "BLOCK", 1)
    answer = hdf5_child.convert(str(path), tmp_path, ["h5", "poses,valid", ""])
    assert "claims" in answer["refused"]
