"""The native format: mapped in place, believed only as far as its bytes go, never unpickled."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest
from numpy.lib import format as npy_format

from posebench.errors import InputError
from posebench.io import npz, read, write
from posebench.poses import PoseSet

POSES = np.random.default_rng(0).normal(size=(3, 17, 3))


def header_of(shape: str, descr: str = "'<f8'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode()


def zipped(path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_files_by_numpy_are_read(save, tmp_path):
    save(
        tmp_path / "a.npz",
        poses=POSES.astype(">f4"),
        valid=np.ones((3, 17), np.uint8),
        subject=np.array([9, 9, 11]),
        action=np.array([b"Eating", b"Eating", b"Walking"]),
        sequence=np.array("one"),
        frame=np.array([0.0, 1.0, 2.0]),
        unit=np.array(["m"]),
        skeleton=np.array("h36m17"),
        fps=np.array(50),
        intrinsics=np.eye(3, dtype=np.float32),
        root_depth=np.array([1, 2, 3]),
    )
    poses = read(tmp_path / "a.npz")
    np.testing.assert_array_equal(poses.poses, POSES.astype("f4"))
    assert poses.valid.dtype == bool
    assert poses.subject.values.tolist() == ["9", "9", "11"]
    assert poses.action.names == ("Eating", "Walking")
    assert poses.sequence.names == ("one",)
    assert poses.frame.tolist() == [0, 1, 2]
    assert (poses.unit, poses.skeleton.name, poses.fps) == ("m", "h36m17", 50.0)
    assert poses.root_depth.tolist() == [1, 2, 3]


def test_fortran_order_is_kept_right(tmp_path):
    np.savez(tmp_path / "a.npz", poses=np.asfortranarray(POSES))
    np.testing.assert_array_equal(read(tmp_path / "a.npz").poses, POSES)


def test_large_stored_coordinates_are_mapped_and_not_read(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", poses=np.zeros((40_000, 17, 3), np.float32), unit="mm")
    taken = 0
    original = zipfile.ZipExtFile.read

    def counting(self, n=-1):
        nonlocal taken
        block = original(self, n)
        taken += len(block)
        return block

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counting)
    poses = read(tmp_path / "a.npz").poses
    assert isinstance(poses, np.memmap)
    assert not poses.flags.writeable
    assert taken < 100_000


def test_a_mapped_array_holds_the_right_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "MAP_FROM", 0)
    for name, array in {"c": POSES, "f": np.asfortranarray(POSES)}.items():
        np.savez(tmp_path / f"{name}.npz", unit="mm", poses=array)
        poses = read(tmp_path / f"{name}.npz").poses
        assert isinstance(poses, np.memmap)
        np.testing.assert_array_equal(poses, POSES)


def test_what_is_written_here_is_aligned_when_mapped(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "MAP_FROM", 0)
    write(PoseSet(POSES, unit="mm", action="Walking", frame=[3, 4, 5]), tmp_path / "a.npz")
    poses = read(tmp_path / "a.npz").poses
    assert poses.flags.aligned
    assert poses.ctypes.data % 64 == 0
    np.testing.assert_array_equal(poses, POSES)


def test_numpy_reads_what_is_written_here(tmp_path):
    write(PoseSet(POSES, unit="mm", action=["a", "b", "c"]), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert sorted(file) == ["action", "poses", "unit"]
        np.testing.assert_array_equal(file["poses"], POSES)
        assert file["action"].tolist() == ["a", "b", "c"]
    assert zipfile.ZipFile(tmp_path / "a.npz").testzip() is None


def test_large_compressed_coordinates_go_through_a_temporary_file(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "MEMORY_LIMIT", 1000)
    np.savez_compressed(tmp_path / "a.npz", poses=np.asfortranarray(POSES), unit="mm")
    poses = read(tmp_path / "a.npz").poses
    assert isinstance(poses, np.memmap)
    np.testing.assert_array_equal(poses, POSES)


def test_spooling_needs_room(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "MEMORY_LIMIT", 1000)
    monkeypatch.setattr(npz.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 10}))
    np.savez_compressed(tmp_path / "a.npz", poses=POSES)
    with pytest.raises(InputError, match=r"a\.npz: array 'poses': needs 1224 bytes in .* not that much room"):
        read(tmp_path / "a.npz")


def test_unknown_arrays_are_noted_but_not_loaded(tmp_path):
    np.savez(tmp_path / "a.npz", poses=POSES, units="mm", junk=np.array([{}]))
    assert read(tmp_path / "a.npz").notes == (f"{tmp_path / 'a.npz'}: ignored 'units', 'junk'",)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pose": POSES}, r"has no array 'poses'.*it has 'pose'"),
        ({}, "it is empty"),
        ({"poses": np.array([{}])}, "array 'poses': holds Python objects"),
        ({"poses": POSES, "action": np.array(["a", None, 1], object)}, "array 'action': holds Python objects"),
        ({"poses": POSES[0]}, r"\(17, 3\).*poses\[None\]"),
        ({"poses": POSES[..., :2]}, r"\(3, 17, 2\), expected \(N, J, 3\)"),
        ({"poses": POSES[:0]}, "no poses"),
        ({"poses": POSES[:, :0]}, "no joints"),
        ({"poses": np.array("text")}, "expected numbers"),
        ({"poses": POSES * 1j}, "expected numbers"),
        ({"poses": np.zeros(3, [("x", "f8"), ("y", "f8")])}, "expected plain numbers"),
        ({"poses": POSES, "valid": np.ones((3, 16), bool)}, r"valid has shape \(3, 16\)"),
        ({"poses": POSES, "valid": np.full((3, 17), 2)}, "other than 0 and 1"),
        ({"poses": POSES, "valid": np.full((3, 17), "1")}, "valid is an array of type <U1"),
        ({"poses": POSES, "action": np.array(["a", "b"])}, r"'action' has shape \(2,\)"),
        ({"poses": POSES, "action": np.array(["a\x1b[2J"] * 3)}, "control characters"),
        ({"poses": POSES, "action": np.full((3, 2), "a")}, r"shape \(3, 2\)"),
        ({"poses": POSES, "action": np.array([1, 2, 3], "M8[D]")}, "action is an array of type datetime64"),
        ({"poses": POSES, "frame": np.array([0, 1])}, r"frame has shape \(2,\)"),
        ({"poses": POSES, "frame": np.array([0, 1, np.nan])}, "whole numbers"),
        ({"poses": POSES, "frame": np.array([0, 1, 2**63], np.uint64)}, "whole numbers"),
        ({"poses": POSES, "frame": np.array([0, 1, 1e300])}, "whole numbers"),
        ({"poses": POSES, "unit": np.array(["mm", "mm", "mm"])}, r"unit has shape \(3,\), expected a single value"),
        ({"poses": POSES, "unit": "cm"}, "unit is 'cm', expected one of mm"),
        ({"poses": POSES, "unit": 5}, "unit is 5, expected one text"),
        ({"poses": POSES, "skeleton": "coco"}, "no skeleton 'coco'"),
        ({"poses": POSES, "skeleton": "x" * 10_000}, "10000 characters"),
        ({"poses": POSES, "fps": 0.0}, "fps is 0.0"),
        ({"poses": POSES, "fps": np.nan}, "fps is nan"),
        ({"poses": POSES, "fps": "50"}, "fps is '50', expected one number"),
        ({"poses": POSES, "fps": np.ones(3)}, "fps has shape"),
        ({"poses": POSES, "intrinsics": np.eye(4)}, r"intrinsics has shape \(4, 4\)"),
        ({"poses": POSES, "root_depth": np.array("deep")}, "root_depth is an array of type <U4"),
    ],
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_wrong_content_is_named(save, arrays, message, tmp_path):
    save(tmp_path / "bad.npz", **arrays)
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / "bad.npz")
    assert str(tmp_path / "bad.npz") in str(caught.value)


def test_text_that_is_no_text_is_named(tmp_path):
    damaged = npy(np.array(["a", "b", "c"])).replace(b"a\0\0\0", b"\xff\xff\xff\xff")
    zipped(tmp_path / "a.npz", {"poses.npy": npy(POSES), "action.npy": damaged, "unit.npy": npy("mm")})
    with pytest.raises(InputError, match=r"a\.npz: action holds a text of characters that do not exist"):
        read(tmp_path / "a.npz")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    "header",
    [
        header_of("(1000000000000, 17, 3)"),
        header_of("(9223372036854775808, 17, 3)"),
        header_of(f"({10**30}, 0, 3)"),
        header_of("(-3, 17, 3)"),
        header_of("(3, 17, 3)", "'|O'"),
        header_of("(3, 17, 3)", "'<U0'"),
        header_of("(3, 17, 3)", "'V9999999999'"),
        header_of("(3, 17, 3)", "('<f8', (1000000, 1000000))"),
        header_of("(3, 17, 3)", "'nonsense'"),
        header_of("(3, 17, 3)", "5"),
        header_of("3"),
        header_of("(" * 300 + ")" * 300),
        header_of("-" * 3000 + "1"),
        header_of("(3,"),
        header_of("'''"),
        header_of("(" + "1, " * 100 + ")"),
        b"\x93NUMPY\2\0\xff\xff\xff\xff",
        b"\x93NUMPY\3\0",
        b"\x93NUMPY\1",
        b"",
        b"junk",
    ],
    ids=range(21),
)
def test_headers_that_lie_fail_fast(header, method, tmp_path):
    zipped(tmp_path / "a.npz", {"poses.npy": header + POSES.tobytes()}, method)
    with pytest.raises(InputError, match=r"a\.npz: array 'poses'"):
        read(tmp_path / "a.npz")


def test_more_data_than_the_header_says_is_refused(tmp_path):
    zipped(tmp_path / "a.npz", {"poses.npy": npy(POSES) + b"more"})
    with pytest.raises(InputError, match=r"promises \(3, 17, 3\) of float64, which is 1224 bytes, but 1228"):
        read(tmp_path / "a.npz")


def test_a_bomb_is_refused_by_its_ratio(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", poses=np.zeros((30_000, 17, 3)))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    at = content.rfind(b"PK\1\2")
    content[at + 24 : at + 28] = struct.pack("<I", 2**32 - 100)
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match="claims 4294967196 bytes in"):
        read(tmp_path / "a.npz")


@pytest.mark.parametrize("limit", [npz.MEMORY_LIMIT, 100], ids=["memory", "spool"])
def test_a_wrong_checksum_is_found(limit, tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "MEMORY_LIMIT", limit)
    for name, method in {"s": zipfile.ZIP_STORED, "d": zipfile.ZIP_DEFLATED}.items():
        zipped(tmp_path / f"{name}.npz", {"poses.npy": npy(POSES)}, method)
        content = bytearray((tmp_path / f"{name}.npz").read_bytes())
        at = content.rfind(b"PK\1\2")
        content[at + 16] ^= 1
        (tmp_path / f"{name}.npz").write_bytes(content)
        with pytest.raises(InputError, match=r"array 'poses': is damaged: Bad CRC-32"):
            read(tmp_path / f"{name}.npz")


@pytest.mark.parametrize("map_from", [npz.MAP_FROM, 0], ids=["read", "mapped"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_file_cut_off_anywhere_is_refused(save, map_from, tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "MAP_FROM", map_from)
    save(tmp_path / "whole.npz", poses=POSES, unit="mm")
    whole = (tmp_path / "whole.npz").read_bytes()
    for size in range(1, len(whole), 37):
        (tmp_path / "a.npz").write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"a\.npz"):
            read(tmp_path / "a.npz")


def test_a_stored_member_that_runs_past_the_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "MAP_FROM", 0)
    zipped(tmp_path / "a.npz", {"poses.npy": header_of("(1000000000, 17, 3)") + POSES.tobytes()})
    content = bytearray((tmp_path / "a.npz").read_bytes())
    size = 1_000_000_000 * 17 * 3 * 8
    at = content.rfind(b"PK\1\2")
    # 64-bit sizes in the central directory, as a forger would write them.
    name_end = at + 46 + len("poses.npy")
    extra = struct.pack("<HHQQ", 1, 16, size + 128, size + 128)
    content[at + 20 : at + 28] = b"\xff" * 8
    content[at + 30 : at + 32] = struct.pack("<H", len(extra))
    content[name_end:name_end] = extra
    end = content.rfind(b"PK\5\6")
    content[end + 12 : end + 16] = struct.pack("<I", 46 + len("poses.npy") + len(extra))
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"should end at byte .* cut off"):
        read(tmp_path / "a.npz")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("poses.npy", npy(POSES))
        archive.writestr("poses.npy", npy(POSES))
    with pytest.raises(InputError, match="two arrays named 'poses'"):
        read(tmp_path / "a.npz")


def test_encrypted_and_oddly_compressed_members_are_refused(tmp_path):
    zipped(tmp_path / "l.npz", {"poses.npy": npy(POSES)}, zipfile.ZIP_LZMA)
    with pytest.raises(InputError, match="compressed by method 14"):
        read(tmp_path / "l.npz")
    zipped(tmp_path / "e.npz", {"poses.npy": npy(POSES)})
    content = bytearray((tmp_path / "e.npz").read_bytes())
    content[6] |= 1
    content[content.rfind(b"PK\1\2") + 8] |= 1
    (tmp_path / "e.npz").write_bytes(content)
    with pytest.raises(InputError, match="encrypted"):
        read(tmp_path / "e.npz")


@pytest.mark.parametrize("content", ["npy", "json"])
def test_what_the_file_is_instead_is_said(content, tmp_path):
    (tmp_path / "a.npz").write_bytes(npy(POSES) if content == "npy" else b'{"poses": []}')
    with pytest.raises(InputError, match={"npy": r"begins with an \.npy header", "json": "JSON"}[content]):
        read(tmp_path / "a.npz")


def test_headers_by_python_2_are_read(tmp_path):
    text = header_of("(3L, 17L, 3L)")
    zipped(tmp_path / "a.npz", {"poses.npy": text + POSES.tobytes()})
    np.testing.assert_array_equal(read(tmp_path / "a.npz").poses, POSES)


def test_npy_version_2_is_read(tmp_path):
    file = io.BytesIO()
    npy_format.write_array(file, POSES, version=(2, 0))
    zipped(tmp_path / "a.npz", {"poses.npy": file.getvalue()})
    np.testing.assert_array_equal(read(tmp_path / "a.npz").poses, POSES)
