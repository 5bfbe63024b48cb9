"""The BVH parser and its kinematics, on files written here and against 4x4 matrices multiplied one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posebench import InputError
from posebench.datasets import Bvh, bvh, parse_bvh, read_bvh
from posebench.datasets.parsing import LINE_LIMIT

#: Every joint has another order of channels; the elbow moves along one axis too, the wrist has no channels.
ARM = """HIERARCHY
ROOT Shoulder
{
    OFFSET 5 6 7
    CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
    JOINT Elbow
    {
        OFFSET 10 0 0
        CHANNELS 4 Xrotation Yposition Zrotation Yrotation
        JOINT Wrist
        {
            OFFSET 0 8 0.5
            CHANNELS 0
            End Site
            {
                OFFSET 0 0 2
            }
        }
    }
    JOINT Neck
    {
        OFFSET -1 3 0
        CHANNELS 1 Yrotation
        End Site
        {
            OFFSET 1 1 1
        }
    }
}
MOTION
Frames: 3
Frame Time: 0.02
0 0 0 0 0 0 0 0 0 0 0
1 2 3 90 0 0 0 0 90 0 0
-4 5.5 1e1 20 -35 110 47 -2 -160 81 33
"""


def translation(x: float, y: float, z: float) -> np.ndarray:
    return np.array([[1.0, 0, 0, x], [0, 1, 0, y], [0, 0, 1, z], [0, 0, 0, 1]])


def rotation(axis: str, degrees: float) -> np.ndarray:
    c, s = np.cos(np.pi * degrees / 180), np.sin(np.pi * degrees / 180)
    rows = {
        "X": [[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0]],
        "Y": [[c, 0, s, 0], [0, 1, 0, 0], [-s, 0, c, 0]],
        "Z": [[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0]],
    }
    return np.array([*rows[axis], [0, 0, 0, 1]])


def arm_by_hand(row: list[float]) -> list[np.ndarray]:
    """The joints of ARM for one row of channels: the matrices as the file lists them, nothing looped."""
    rx, ry, rz, a, b, c, d, y, e, f, g = row
    shoulder = translation(rx, ry, rz) @ rotation("Z", a) @ rotation("Y", b) @ rotation("X", c)
    elbow = shoulder @ translation(10, y, 0) @ rotation("X", d) @ rotation("Z", e) @ rotation("Y", f)
    wrist = elbow @ translation(0, 8, 0.5)
    neck = shoulder @ translation(-1, 3, 0) @ rotation("Y", g)
    ends = wrist @ translation(0, 0, 2), neck @ translation(1, 1, 1)
    return [matrix[:3, 3] for matrix in (shoulder, elbow, wrist, ends[0], neck, ends[1])]


def test_the_skeleton_is_read_as_it_stands() -> None:
    arm = parse_bvh(ARM)
    assert arm.names == ("Shoulder", "Elbow", "Wrist", "Wrist_End", "Neck", "Neck_End")
    assert arm.parents == (-1, 0, 1, 2, 0, 4)
    assert arm.offsets.tolist() == [[5, 6, 7], [10, 0, 0], [0, 8, 0.5], [0, 0, 2], [-1, 3, 0], [1, 1, 1]]
    assert arm.channels[1:5] == (("Xrotation", "Yposition", "Zrotation", "Yrotation"), (), (), ("Yrotation",))
    assert len(arm) == 3
    assert arm.motion[2].tolist() == [-4, 5.5, 10, 20, -35, 110, 47, -2, -160, 81, 33]
    assert (arm.frame_time, arm.fps) == (0.02, 50.0)


def test_a_pose_worked_out_on_paper() -> None:
    # The shoulder turns x into y, so the elbow lies 10 above it; it turns by another 90 degrees, so that the wrist's
    # y is the world's -y, and z stays z throughout.
    expected = [[1, 2, 3], [1, 12, 3], [1, 4, 3.5], [1, 4, 5.5], [-2, 1, 3], [-3, 2, 4]]
    np.testing.assert_allclose(parse_bvh(ARM).positions()[1], expected, atol=1e-12)


def test_positions_are_products_of_matrices() -> None:
    arm = parse_bvh(ARM)
    rows = np.random.default_rng(0).uniform(-200, 200, (40, 11))
    many = Bvh(arm.names, arm.parents, arm.offsets, arm.channels, arm.frame_time, np.vstack([arm.motion, rows]))
    expected = [arm_by_hand(row) for row in many.motion.tolist()]
    np.testing.assert_allclose(many.positions(), expected, atol=1e-10)


def test_frames_do_not_depend_on_their_block(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = parse_bvh(ARM).positions()
    monkeypatch.setattr(bvh, "BLOCK", 2)
    assert np.array_equal(parse_bvh(ARM).positions(), whole)


def test_layout_and_letter_case_do_not_matter() -> None:
    loose = ARM.replace("\n{", " {").replace("Zrotation", "ZROTATION").replace("End Site", "END SITE")
    loose = loose.replace("Frames: 3", "\nFRAMES:3\n").replace("\n1 2 3 90", "\n\n  1\t2 3 90") + "\n\n"
    assert np.array_equal(parse_bvh(loose).positions(), parse_bvh(ARM).positions())


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_file_reads_like_its_text(tmp_path: Path, newline: str) -> None:
    path = tmp_path / "arm.bvh"
    path.write_bytes(b"\xef\xbb\xbf" + ARM.replace("\n", newline).encode())
    found = read_bvh(path)
    assert found.source == str(path)
    assert np.array_equal(found.motion, parse_bvh(ARM).motion)


WRONG = {
    "empty": (ARM, "", "line 1: the file ends, expected HIERARCHY"),
    "another format": ("HIERARCHY", ":version 1.10", "line 1: expected HIERARCHY, got ':version'"),
    "no root": ("ROOT", "JOINT", "line 2: expected ROOT, got 'JOINT'"),
    "no name": ("ROOT Shoulder", "ROOT", "line 3: expected the name of a joint, got '{'"),
    "name of two words": ("JOINT Elbow", "JOINT Left Elbow", "line 6: expected {, got 'Elbow'"),
    "name twice": ("JOINT Neck", "JOINT Elbow", "line 20: a second joint is called 'Elbow'"),
    "no offset": ("        OFFSET 10 0 0\n", "", "line 8: expected OFFSET, got 'CHANNELS'"),
    "offset of two": ("OFFSET 10 0 0", "OFFSET 10 0", "line 9: an offset of 'Elbow' is 'CHANNELS', expected a number"),
    "offset of four": ("OFFSET 10 0 0", "OFFSET 10 0 0 0", "line 8: expected CHANNELS, got '0'"),
    "offset NaN": ("OFFSET 10 0 0", "OFFSET 10 nan 0", "line 8: an offset of 'Elbow' is nan, expected a number up to"),
    "offset in words": ("OFFSET 10 0 0", "OFFSET 10 1_0 0", "line 8: an offset of 'Elbow' is '1_0', expected a number"),
    "no channels": ("        CHANNELS 1 Yrotation\n", "", "line 23: expected CHANNELS, got 'End'"),
    "channels uncounted": ("CHANNELS 1 Yrot", "CHANNELS Yrot", "line 23: expected a number of channels from 0 to 6"),
    "seven channels": ("CHANNELS 1 Yrot", "CHANNELS 7 Yrot", "line 23: expected a number of channels from 0 to 6"),
    "too few channels": ("CHANNELS 1 Yrot", "CHANNELS 2 Yrot", "line 24: expected 2 channels out of Xposition, "),
    "too many channels": (
        "CHANNELS 1 Yrotation",
        "CHANNELS 1 Yrotation Xrotation",
        "line 23: expected JOINT, End Site",
    ),
    "unknown channel": ("CHANNELS 1 Yrotation", "CHANNELS 1 Wrotation", "Zrotation, got 'Wrotation'"),
    "scale channel": ("CHANNELS 1 Yrotation", "CHANNELS 1 Yscale", "line 23: expected 1 channels out of Xposition"),
    "odd letter": ("CHANNELS 1 Yrotation", "CHANNELS 1 Ypo\u017fition", "Zrotation, got 'Ypo\\u017fition'"),
    "channel twice": ("Xrotation Yposition", "Zrotation Yposition", "line 9: 'Elbow' has channel Zrotation twice"),
    "End Site with channels": ("OFFSET 1 1 1", "OFFSET 1 1 1 CHANNELS 0", "line 26: expected }, got 'CHANNELS'"),
    "two End Sites": (
        "OFFSET 0 0 2\n            }",
        "OFFSET 0 0 2 } End Site {",
        "a second joint is called 'Wrist_End'",
    ),
    "brace not closed": ("    }\n}\nMOTION", "    }\nMOTION", "the brace that closes 'Shoulder', got 'MOTION'"),
    "brace too many": ("}\nMOTION", "}\n}\nMOTION", "line 30: expected MOTION, got '}'"),
    "second root": ("}\nMOTION", "}\nROOT B {}\nMOTION", "line 30: expected MOTION, got 'ROOT'"),
    "no motion": (ARM[ARM.index("MOTION") :], "", "line 29: the file ends, expected MOTION"),
    "more after MOTION": ("MOTION", "MOTION 3", "line 30: expected the end of the line, got '3'"),
    "no frames line": ("Frames: 3\n", "", "line 31: expected 'Frames:', got 'Frame Time: 0.02'"),
    "no frame count": ("Frames: 3", "Frames:", "line 31: expected a number of frames from 1 on, got ''"),
    "half a frame": ("Frames: 3", "Frames: 2.5", "line 31: expected a number of frames from 1 on, got '2.5'"),
    "zero frames": ("Frames: 3", "Frames: 0", "line 31: expected a number of frames from 1 on, got '0'"),
    "negative frames": ("Frames: 3", "Frames: -3", "line 31: expected a number of frames from 1 on, got '-3'"),
    "huge count": ("Frames: 3", "Frames: 99999999999", "ends after 3 frames, expected 99999999999 as line 31 says"),
    "absurd count": ("Frames: 3", "Frames: " + "9" * 5000, "line 31: expected a number of frames from 1 on"),
    "too few frames": ("Frames: 3", "Frames: 4", "line 35: the file ends after 3 frames, expected 4 as line 31 says"),
    "too many frames": ("Frames: 3", "Frames: 2", "line 35: expected the end of the file after 2 frames, as line 31"),
    "no frame time": ("Frame Time: 0.02\n", "", "line 32: expected 'Frame Time:', got '0 0 0"),
    "frame time zero": ("0.02", "0", "line 32: the frame time is 0, expected seconds from 0.00001 to 10"),
    "frame time NaN": ("0.02", "nan", "line 32: the frame time is nan, expected seconds"),
    "frame time in words": ("0.02", "20 ms", "line 32: the frame time is '20 ms', expected a number"),
    "row cut off": (" 81 33\n", "", "line 35: has 9 numbers, expected 11: one for each channel"),
    "row too long": (" 81 33\n", " 81 33 1\n", "line 35: has 12 numbers, expected 11"),
    "no number": ("5.5", "5,5", "line 35: column 2 is '5,5', expected a number"),
    "underscore": ("5.5", "5_5", "line 35: column 2 is '5_5', expected a number"),
    "other digits": ("5.5", "\u0665", "line 35: column 2 is '\\u0665', expected a number"),
    "other blanks": ("-4 5.5", "-4\u00a05.5", "line 35: has characters other than ASCII"),
    "NaN": ("1e1", "nan", "line 35: column 3 is nan, expected a number up to 1e+09"),
    "infinite": ("1e1", "-inf", "line 35: column 3 is -inf, expected a number up to 1e+09"),
    "overflow": ("1e1", "1e400", "line 35: column 3 is inf, expected a number up to 1e+09"),
    "enormous": ("1e1", "1e12", "line 35: column 3 is 1e+12, expected a number up to 1e+09"),
}


@pytest.mark.parametrize(("old", "new", "complaint"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_refused_by_name_and_line(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert ARM.count(old) == 1, "the case spoils one place"
    path = tmp_path / "wrong.bvh"
    path.write_text(ARM.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_bvh(path)
    assert str(caught.value).startswith(f"{path}: line ")
    assert complaint in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 250


def test_a_motion_without_channels_is_refused() -> None:
    rigid = "HIERARCHY ROOT A { OFFSET 0 0 0 CHANNELS 0 End Site { OFFSET 1 0 0 } }"
    with pytest.raises(InputError, match="line 4: there is motion, but no joint has a channel"):
        parse_bvh(f"{rigid}\nMOTION\nFrames: 1\nFrame Time: 1\n")


def test_too_many_joints_are_refused() -> None:
    chain = "".join(f"JOINT j{i} {{ OFFSET 0 1 0 CHANNELS 0\n" for i in range(bvh.JOINT_LIMIT))
    with pytest.raises(InputError, match="there are more than 1000 joints"):
        parse_bvh(f"HIERARCHY\nROOT A {{ OFFSET 0 0 0 CHANNELS 1 Xposition\n{chain}")


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.bvh"
    path.write_text(ARM + " " * (LINE_LIMIT + 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"long.bvh: line 36: is longer than"):
        read_bvh(path)


def test_more_positions_than_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bvh, "POSITION_LIMIT", 50)
    with pytest.raises(InputError, match="arm: 3 frames of 6 joints are too many at once"):
        parse_bvh(ARM, "arm").positions()


def test_an_unknown_joint_is_named() -> None:
    with pytest.raises(InputError, match="arm: has no joint 'Knee'; it has Shoulder, Elbow"):
        parse_bvh(ARM, "arm").index("Knee")


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.bvh: cannot be read: No such file"):
        read_bvh(tmp_path / "none.bvh")
    with pytest.raises(InputError, match="is no regular file"):
        read_bvh(tmp_path)
    (tmp_path / "latin.bvh").write_bytes(ARM.replace("Neck", "Hälse").encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.bvh: holds byte 0xe4, expected text in UTF-8"):
        read_bvh(tmp_path / "latin.bvh")


def test_damaged_files_are_read_or_refused_never_more(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = ARM.encode()
    path = tmp_path / "damaged.bvh"
    refused = 0
    for _ in range(600):
        damaged = bytearray(whole)
        for at in rng.integers(len(whole), size=rng.integers(1, 4)):
            damaged[at] = rng.choice(list(b"0123456789.-+eE{} \n\t\x00:_XYZnaif\xff"))
        path.write_bytes(damaged[: rng.integers(1, len(whole)) if rng.random() < 0.3 else None])
        try:
            assert np.isfinite(read_bvh(path).positions()).all()
        except InputError as error:
            refused += 1
            assert str(error).startswith(f"{path}: ")
    assert 200 < refused < 600
