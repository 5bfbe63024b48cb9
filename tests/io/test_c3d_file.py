"""C3D files, written here byte by byte as the format's manual describes them."""

from __future__ import annotations

import struct
import sys

import numpy as np
import pytest

from posebench.errors import InputError, MissingExtraError, PosebenchError, UsageError
from posebench.io import read, write
from posebench.poses import PoseSet
from posebench.skeletons import H36M17

POSES = np.random.default_rng(0).normal(size=(3, 17, 3)).astype(np.float32) * 100


def parameter(group, name, kind, dims, data):
    body = struct.pack("bB", kind, len(dims)) + bytes(dims) + data + b"\0"
    return struct.pack("bb", len(name), group) + name + struct.pack("<h", len(body) + 2) + body


def named_group(number, name):
    return struct.pack("bb", len(name), -number) + name + struct.pack("<h", 3) + b"\0"


def content(poses=POSES, labels=H36M17.joints, unit=b"mm", seen=None, rate=120.0, first=4):
    """A file in the Intel format, with floating-point data."""
    n, joints, _ = poses.shape
    text = b"".join(label.encode().ljust(12) for label in labels)
    section = named_group(1, b"POINT") + named_group(2, b"ANALOG")
    section += parameter(1, b"USED", 2, [], struct.pack("<H", joints))
    section += parameter(1, b"FRAMES", 2, [], struct.pack("<H", n))
    section += parameter(1, b"DATA_START", 2, [], struct.pack("<H", 5))
    section += parameter(1, b"SCALE", 4, [], struct.pack("<f", -1))
    section += parameter(1, b"RATE", 4, [], struct.pack("<f", rate))
    section += parameter(1, b"LABELS", -1, [12, len(labels)], text)
    if unit is not None:
        section += parameter(1, b"UNITS", -1, [len(unit)], unit)
    section += parameter(2, b"USED", 2, [], struct.pack("<H", 0))
    section = (b"\1\x50\3\x54" + section).ljust(3 * 512, b"\0")
    header = struct.pack("<BBHHHHHfHHf", 2, 0x50, joints, 0, first, first + n - 1, 0, -1.0, 5, 0, rate)
    words = np.zeros((n, joints, 4), "<f4")
    words[..., :3] = poses
    words[..., 3] = 0 if seen is None else np.where(seen, 0, -1)
    data = words.tobytes()
    return header.ljust(512, b"\0") + section + data.ljust(-(-len(data) // 512) * 512, b"\0")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.c3d"


def test_a_file_is_read(path):
    path.write_bytes(content())
    poses = read(path)
    np.testing.assert_array_equal(poses.poses, POSES)
    assert (poses.unit, poses.fps, poses.skeleton) == ("mm", 120.0, H36M17)
    assert poses.frame.tolist() == [4, 5, 6]
    assert poses.valid is None
    assert poses.notes == ()


def test_points_that_were_not_seen_are_invalid(path):
    seen = np.random.default_rng(1).random((3, 17)) > 0.3
    path.write_bytes(content(seen=seen))
    np.testing.assert_array_equal(read(path).valid, seen)


def test_points_are_put_into_the_order_of_their_skeleton(path):
    seen = np.random.default_rng(1).random((3, 17)) > 0.3
    path.write_bytes(content(POSES[:, ::-1], H36M17.joints[::-1], seen=seen[:, ::-1]))
    poses = read(path)
    np.testing.assert_array_equal(poses.poses, POSES)
    np.testing.assert_array_equal(poses.valid, seen)


@pytest.mark.parametrize("labels", [("CLAV", "C7"), ("1", "2"), ("a", "a")])
def test_unknown_points_stay_as_they_are_with_a_note(labels, path):
    path.write_bytes(content(POSES[:, :2], labels))
    poses = read(path)
    np.testing.assert_array_equal(poses.poses, POSES[:, :2])
    assert poses.skeleton is None
    assert "are those of no known skeleton" in poses.notes[0]


def test_points_without_labels_stay_as_they_are(path):
    path.write_bytes(content(labels=("a",)))
    assert read(path).notes == (f"{path}: names 1 of its 17 points, kept as they stand",)


@pytest.mark.parametrize(("unit", "expected", "factor"), [(b"m", "m", 1), (b"cm", "mm", 10), (None, None, 1)])
def test_units_are_kept_or_become_millimetres(unit, expected, factor, path):
    path.write_bytes(content(unit=unit))
    poses = read(path)
    assert poses.unit == expected
    np.testing.assert_array_equal(poses.poses, POSES * np.float32(factor))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (content(unit=b"in"), "POINT:UNITS is 'in', expected one of m, mm, cm"),
        (content()[:-512], "ends after 1 of 3 frames; it is cut off"),
        (content()[:600], "is no complete .c3d file"),
        (content(POSES[:, :0], ("a",)), "holds 0 points"),
        (content(rate=-5.0), "fps is -5.0"),
    ],
)
def test_what_is_not_understood_is_refused(data, message, path):
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_c3d_is_only_read(path):
    with pytest.raises(UsageError, match="only read"):
        write(PoseSet(POSES), path)


def test_without_c3d_the_pip_command_is_said(path, monkeypatch):
    path.write_bytes(content())
    monkeypatch.setitem(sys.modules, "c3d", None)
    with pytest.raises(MissingExtraError, match=r"a\.c3d needs the package c3d: pip install 'posebench-hpe\[io\]'"):
        read(path)


def test_a_mutated_file_gives_a_set_or_a_sentence(path, mutate):
    original, rng, refused = content(), np.random.default_rng(1), 0
    for _ in range(300):
        path.write_bytes(mutate(original, rng))
        try:
            assert isinstance(read(path), PoseSet)
        except PosebenchError as error:
            refused += 1
            assert str(path) in str(error)
            assert "\n" not in str(error)
    assert refused > 0
