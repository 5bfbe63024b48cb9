"""The ASF and AMC parsers and their kinematics, against a slow recursion with its own parser and SciPy's rotations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from posebench import InputError, UsageError
from posebench.datasets import acclaim, parse_amc, parse_asf, read_amc, read_asf, read_motion
from posebench.datasets.parsing import LINE_LIMIT
from posebench.skeletons import H36M17
from tests.support.mocap import ACCLAIM_BONES, amc_text, asf_text

#: Axes turned in many ways, dofs in many orders, a bone without dof that carries others, children before their turn.
LEG_ASF = """# made by hand
:version 1.10
:name leg
:units
  mass 1.0
  length 0.45
  angle deg
:documentation
  Any text, even begin
  and end.
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name hip
     direction 1 0 0
     length 2
     axis 0 0 0 XYZ
  end
  begin
     id 2
     name thigh
     direction 0 -1 0
     length 4
     axis 0 0 90 XYZ
    dof rx ry rz
    limits (-160.0 20.0)
           (-70.0 70.0)
           (-60.0 inf)
  end
  begin
     id 3
     name shin
     direction 0.6 -0.8 0
     length 5
     axis 30 -40 50 XYZ
    dof rz rx
    limits (-10.0 170.0) (0 1)
    bodymass 3
    cofmass 1
  end
  begin
     name back
     direction 0 0 1
     length 3
     axis -20 10 70 XYZ
    dof ry
  end
:hierarchy
  begin
    thigh shin
    root hip, back
    hip thigh
  end
"""
LEG_AMC = """#!OML:ASF made by hand
:FULLY-SPECIFIED
:DEGREES
1
root 0 0 0 0 0 0
back 0
thigh 0 0 0
shin 0 0
2
root 10 20 30 0 0 90
back 0
thigh 90 0 0
shin 0 0
3
root -4 5.5 1e1 20 -35 110
back 47.5
thigh -2 -160 81
shin 33 -3.97569e-015
"""


def leg(asf: str = LEG_ASF, amc: str = LEG_AMC) -> acclaim.AcclaimMotion:
    return parse_amc(amc, parse_asf(asf, "leg.asf"), "leg.amc")


# ------------------------------------------------------------------------------------------------------- the slow twin


def twin_bones(asf: str) -> tuple[dict[str, dict[str, list[str]]], dict[str, str]]:
    """Bone -> its lines by their first words; bone -> its parent. For files that are known to be whole."""
    bones: dict[str, dict[str, list[str]]] = {}
    parents: dict[str, str] = {}
    head, _, tree = asf.partition(":hierarchy")
    for block in head.partition(":bonedata")[2].split("begin")[1:]:
        lines = [line.split() for line in block.split("\n") if line.split()]
        found = {line[0]: line[1:] for line in lines}
        bones[found["name"][0]] = found
    for line in tree.replace(",", " ").split("\n"):
        parent, *children = line.split() or [""]
        parents.update(dict.fromkeys(children, parent))
    return bones, parents


def twin_frames(amc: str) -> list[dict[str, list[float]]]:
    frames: list[dict[str, list[float]]] = []
    for line in amc.replace("\r", "").split("\n"):
        words = line.split()
        if len(words) == 1 and words[0].isdigit():
            frames.append({})
        elif frames and words:
            frames[-1][words[0]] = [float(word) for word in words[1:]]
    return frames


def twin_end(bone: str, frame: dict[str, list[float]], bones: dict, parents: dict) -> tuple[np.ndarray, Rotation]:
    """Where a bone ends and how it is turned, from its parent, and so on down to the root."""
    if bone == "root":
        x, y, z, *angles = frame["root"]
        return np.array([x, y, z]), Rotation.from_euler("xyz", angles, degrees=True)
    start, turned = twin_end(parents[bone], frame, bones, parents)
    facts = bones[bone]
    axes = Rotation.from_euler("xyz", [float(angle) for angle in facts["axis"][:3]], degrees=True)
    if "dof" in facts:
        order = "".join(dof[1] for dof in facts["dof"])  # small letters: about axes that stay
        turned = turned * axes * Rotation.from_euler(order, frame[bone], degrees=True) * axes.inv()
    offset = np.array([float(part) for part in facts["direction"]]) * float(facts["length"][0])
    return start + turned.apply(offset), turned


def twin_ends(asf: str, amc: str, names: tuple[str, ...], rows: slice = slice(None)) -> np.ndarray:
    bones, parents = twin_bones(asf)
    return np.array([[twin_end(name, frame, bones, parents)[0] for name in names] for frame in twin_frames(amc)[rows]])


# ---------------------------------------------------------------------------------------------------------- kinematics


def test_the_skeleton_is_read_as_it_stands() -> None:
    skeleton = parse_asf(LEG_ASF)
    assert skeleton.names == ("root", "hip", "back", "thigh", "shin")
    assert skeleton.parents == (-1, 0, 0, 1, 3)
    assert skeleton.offsets.tolist() == [[0, 0, 0], [2, 0, 0], [0, 0, 3], [0, -4, 0], [3, -4, 0]]
    assert skeleton.dofs == (("tx", "ty", "tz", "rx", "ry", "rz"), (), ("ry",), ("rx", "ry", "rz"), ("rz", "rx"))
    assert (skeleton.length, skeleton.degrees, len(skeleton)) == (0.45, True, 5)
    np.testing.assert_allclose(skeleton.axes[3], [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-15)
    np.testing.assert_allclose(
        skeleton.axes[4], Rotation.from_euler("xyz", [30, -40, 50], degrees=True).as_matrix(), atol=1e-15
    )


def test_a_pose_worked_out_on_paper() -> None:
    motion = leg()
    # At rest the bones follow their directions.
    np.testing.assert_allclose(
        motion.positions()[0], [[0, 0, 0], [2, 0, 0], [0, 0, 3], [2, -4, 0], [5, -8, 0]], atol=1e-12
    )
    # The root turns x to y. The thigh's x axis is the world's y at rest: the thigh, which lies along it, does not move,
    # but what hangs from it turns z to x, so the shin's (3, -4, 0) becomes (0, -4, -3), and by the root (4, 0, -3).
    expected = [[10, 20, 30], [10, 22, 30], [10, 20, 33], [14, 22, 30], [18, 22, 27]]
    np.testing.assert_allclose(motion.positions()[1], expected, atol=1e-12)


def test_ends_of_bones_are_those_of_a_slow_recursion() -> None:
    rng = np.random.default_rng(0)
    amc = LEG_AMC
    for frame in range(4, 44):
        amc += f"{frame}\n"
        for name, dofs in (("root", 6), ("shin", 2), ("thigh", 3), ("back", 1)):
            amc += f"{name} {' '.join(map(str, rng.uniform(-200, 200, dofs)))}\n"
    motion = leg(amc=amc)
    assert len(motion) == 43
    expected = twin_ends(LEG_ASF, amc, motion.skeleton.names)
    np.testing.assert_allclose(motion.positions(), expected, atol=1e-11)


def test_frames_do_not_depend_on_their_block(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = leg().positions()
    monkeypatch.setattr(acclaim, "BLOCK", 2)
    np.testing.assert_allclose(leg().positions(), whole, rtol=0, atol=1e-13)


def test_the_root_turns_in_the_order_of_the_file() -> None:
    asf = LEG_ASF.replace("TX TY TZ RX RY RZ", "RZ TY RX TX TZ RY")
    found = leg(asf, LEG_AMC.replace("root -4 5.5 1e1 20 -35 110", "root 110 5.5 20 -4 1e1 -35")).positions()[2]
    turned = Rotation.from_euler("zxy", [110, 20, -35], degrees=True)
    np.testing.assert_allclose(found[:2], [[-4, 5.5, 10], [-4, 5.5, 10] + turned.apply([2, 0, 0])], atol=1e-12)


def in_radians(text: str, names: tuple[str, ...], skip: int) -> str:
    """The lines of a text that begin with one of these words, with their angles in rad; the first numbers are none."""
    lines = []
    for line in text.split("\n"):
        words = line.split()
        if words and words[0] in names and len(words) > 1:
            first = skip if words[0] == "root" else 0
            angles = [word if word == "XYZ" else repr(float(word) * np.pi / 180) for word in words[1 + first :]]
            line = " ".join((*words[: 1 + first], *angles))
        lines.append(line)
    return "\n".join(lines)


def test_angles_may_be_in_radians() -> None:
    expected = leg().positions()
    bones = ("root", "back", "thigh", "shin")
    amc = in_radians(LEG_AMC, bones, 3)
    asf = in_radians(LEG_ASF, ("axis",), 0).replace("angle deg", "angle rad").replace("axis XYZ", "axis xyz")
    for skeleton, motion in (
        (asf, amc.replace(":DEGREES", ":RADIANS")),
        (asf, amc.replace(":DEGREES\n", "")),  # as the skeleton says
        (asf, LEG_AMC),
        (LEG_ASF, amc.replace(":DEGREES", ":RADIANS")),
    ):
        np.testing.assert_allclose(leg(skeleton, motion).positions(), expected, atol=1e-12)


def test_frames_are_numbered_as_in_the_file() -> None:
    later = LEG_AMC.replace("\n3\n", "\n12\n").replace("\n2\n", "\n11\n").replace("\n1\n", "\n10\n")
    assert leg(amc=later).frame.tolist() == [10, 11, 12]


# --------------------------------------------------------------------------------------------------------------- files


def test_layout_letter_case_and_comments_do_not_matter() -> None:
    asf = LEG_ASF.replace("begin", "BEGIN").replace(":root", ":Root").replace("dof rx", "DOF RX").replace("\n", "  #\n")
    amc = (
        LEG_AMC.replace(":DEGREES", ":degrees\n\n").replace("back 0", "  back\t0 # straight").replace("root", "\nroot")
    )
    assert np.array_equal(leg(asf, amc).positions(), leg().positions())


def test_bones_stand_in_any_order() -> None:
    moved = LEG_AMC.replace("root 10 20 30 0 0 90\nback 0\n", "back 0\nroot 10 20 30 0 0 90\n")
    assert moved != LEG_AMC
    assert np.array_equal(leg(amc=moved).motion, leg().motion)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_files_read_like_their_text(tmp_path: Path, newline: str) -> None:
    asf, amc = tmp_path / "leg.asf", tmp_path / "leg.amc"
    asf.write_bytes(LEG_ASF.replace("# made", "# für Bonn").replace("\n", newline).encode("latin-1"))
    amc.write_bytes(LEG_AMC.replace("made", r"X:\für Bonn").replace("\n", newline).encode("latin-1"))
    motion = read_motion(amc, read_asf(asf))
    assert (motion.source, motion.skeleton.source) == (str(amc), str(asf))
    assert np.array_equal(motion.positions(), leg().positions())


def test_documentation_is_any_text() -> None:
    text = LEG_ASF.replace("Any text", "Für Bonn \u0151, (root) 3 :units")
    assert parse_asf(text).names == parse_asf(LEG_ASF).names


def test_a_motion_may_say_its_rate_and_its_skeleton() -> None:
    assert leg().fps is None
    head = ":ASF-FILE leg.asf\n:ASF-PATH ..\n:FRAME-RANGE 1 3\n:SAMPLES-PER-SECOND 60\n"
    assert leg(amc=head + LEG_AMC).fps == 60


WRONG_ASF = {
    "empty": (LEG_ASF, "", "line 1: the file ends without :root"),
    "another format": (":version 1.10", "HIERARCHY", "line 2: expected a keyword out of :version, :name, "),
    "unknown keyword": (":name leg", ":surname leg", "line 3: expected a keyword out of :version, :name, "),
    "keyword twice": (":name leg", ":version 2", "line 3: there is a second ':version'"),
    "unknown unit": ("mass 1.0", "weight 1.0", "line 5: expected mass, length or angle, got 'weight'"),
    "unit of mass in words": ("mass 1.0", "mass heavy", "line 5: the unit of mass is 'heavy', expected a number"),
    "two units of length": ("length 0.45", "length 0.45 1", "line 6: the unit of length has 2 numbers, expected 1"),
    "unit of length zero": ("length 0.45", "length 0", "line 6: the unit of length is 0, expected a positive number"),
    "unknown angle": ("angle deg", "angle grad", "line 7: expected angle deg or angle rad, got 'angle grad'"),
    "unknown line of the root": ("position 0", "place 0", "line 14: expected order, axis, position or orientation of"),
    "order of five": (" TX TY TZ RX RY RZ", " TX TY TZ RX RY", "line 12: expected an order of TX TY TZ RX RY RZ"),
    "order with repeats": (" TX TY TZ RX RY RZ", " TX TY TZ RX RY RY", "line 12: expected an order of TX TY TZ RX RY"),
    "no order": ("   order TX TY TZ RX RY RZ\n", "", "line 15: the root has no order, expected a line such as"),
    "root elsewhere": ("position 0 0 0", "position 0 0 1", "line 14: the root's position is '0 0 1', expected 0 0 0"),
    "root turned": ("orientation 0 0 0", "orientation 0 5 0", "line 15: the root's orientation is '0 5 0', expected"),
    "no begin": ("  begin\n     id 1", "     id 1", "line 17: expected begin, which opens a bone, got 'id 1'"),
    "no end": ("axis 0 0 0 XYZ\n  end", "axis 0 0 0 XYZ", "line 23: expected name, direction, length, axis, dof, id"),
    "unknown line of a bone": ("length 4", "width 4", "line 28: expected name, direction, length, axis, dof, id, "),
    "line twice": ("length 4", "length 4\nlength 4", "line 29: 'thigh' has length twice"),
    "no name": ("     name back\n", "", "line 51: a bone ends without name"),
    "name of two words": ("name back", "name lower back", "line 47: expected the name of a bone, one word, got 'lower"),
    "name twice": ("name back", "name thigh", "line 52: a second bone is called 'thigh'"),
    "bone called root": ("name back", "name root", "line 52: a second bone is called 'root'"),
    "no direction": ("     direction 0 0 1\n", "", "line 51: 'back' ends without direction"),
    "direction of two": ("direction 0 0 1", "direction 0 1", "line 48: the direction of 'back' has 2 numbers, expect"),
    "direction NaN": ("direction 0 0 1", "direction 0 nan 1", "line 48: the direction of 'back' is nan, expected a nu"),
    "underscore": ("direction 0 0 1", "direction 0 1_0 1", "line 48: the direction of 'back' is '1_0', expected a nu"),
    "other letters": (
        "direction 0 0 1",
        "direction 0 ² 1",
        "line 48: has characters other than ASCII outside comments",
    ),
    "no length": ("     length 3\n", "", "line 51: 'back' ends without length"),
    "negative length": ("length 3", "length -3", "line 49: the length of 'back' is -3, expected 0 or more"),
    "infinite length": (
        "length 3",
        "length inf",
        "line 49: the length of 'back' is inf, expected a number up to 1e+09",
    ),
    "no axis": ("     axis -20 10 70 XYZ\n", "", "line 51: 'back' ends without axis"),
    "axis of two": ("axis -20 10 70 XYZ", "axis -20 10 XYZ", "line 50: the axis of 'back' is 'XYZ', expected a number"),
    "axis in another order": (
        "-20 10 70 XYZ",
        "-20 10 70 ZYX",
        "line 50: the axis of 'back' is in the order 'ZYX', exp",
    ),
    "axis without order": (
        "-20 10 70 XYZ",
        "-20 10 70",
        "line 50: the axis of 'back' is in the order '', expected XYZ",
    ),
    "unknown dof": ("dof ry\n", "dof rw\n", "line 51: the dof of 'back' are 'rw', expected rx, ry, rz, each once"),
    "bone that moves": ("dof ry\n", "dof ry tx\n", "line 51: the dof of 'back' are 'ry tx', expected rx, ry, rz"),
    "dof twice": ("dof ry\n", "dof ry RY\n", "line 51: the dof of 'back' are 'ry RY', expected rx, ry, rz, each once"),
    "hierarchy not opened": (":hierarchy\n  begin", ":hierarchy", "line 54: expected begin, which opens the hierarchy"),
    "hierarchy not closed": (
        "hip thigh\n  end\n",
        "hip thigh\n",
        "line 57: the file ends, expected end, which closes t",
    ),
    "unknown child": ("root hip, back", "root hip, tail", "line 56: the hierarchy has 'tail', which is no bone above"),
    "unknown parent": ("hip thigh\n", "hop thigh\n", "line 57: the hierarchy has 'hop', which is no bone above"),
    "root as a child": ("hip thigh\n", "hip thigh root\n", "line 57: the hierarchy has 'root', which is no bone above"),
    "two parents": ("hip thigh\n", "hip thigh shin\n", "line 57: 'shin' has a second parent"),
    "bone left over": ("root hip, back", "root hip", "line 58: the hierarchy does not lead from root to 'back'"),
    "circle": (
        "thigh shin\n    root hip,",
        "thigh shin hip\n    root",
        "line 58: the hierarchy does not lead from root",
    ),
    "hierarchy first": (
        ":bonedata",
        ":hierarchy\nbegin\nroot hip\nend\n:bonedata",
        "line 18: the hierarchy has 'hip', whi",
    ),
    "no bones": (LEG_ASF[LEG_ASF.index(":bonedata") :], "", "line 15: the file ends without :bonedata"),
    "cut off in a bone": (
        LEG_ASF[LEG_ASF.index("name back") :],
        "",
        "line 47: the file ends, expected end, which closes",
    ),
    "no hierarchy": (LEG_ASF[LEG_ASF.index(":hierarchy") :], "", "line 52: the file ends without :hierarchy"),
}


@pytest.mark.parametrize(("old", "new", "complaint"), WRONG_ASF.values(), ids=WRONG_ASF)
def test_a_wrong_skeleton_is_refused_by_name_and_line(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert LEG_ASF.count(old) == 1, "the case spoils one place"
    path = tmp_path / "wrong.asf"
    path.write_text(LEG_ASF.replace(old, new), encoding="latin-1")
    with pytest.raises(InputError) as caught:
        read_asf(path)
    assert str(caught.value).startswith(f"{path}: {complaint}")
    assert len(str(caught.value)) < len(str(path)) + 250


WRONG_AMC = {
    "empty": (LEG_AMC, "", "line 1: the file ends without a frame"),
    "unknown keyword": (":DEGREES", ":GRADES", "line 3: expected a keyword out of :fully-specified, "),
    "rate in words": (
        ":DEGREES",
        ":SAMPLES-PER-SECOND fast",
        "line 3: the number of samples per second is 'fast', exp",
    ),
    "rate of zero": (
        ":DEGREES",
        ":SAMPLES-PER-SECOND 0",
        "line 3: there are 0 samples per second, expected 0.1 to 100,",
    ),
    "no frame number": (":DEGREES\n1\n", ":DEGREES\n", "line 4: expected the number of the first frame, got 'root'"),
    "keyword later": ("\n2\n", "\n:RADIANS\n2\n", "line 9: expected frame 2, got ':RADIANS'; leg.asf has no such bone"),
    "frame number huge": ("\n2\n", f"\n{'2' * 5000}\n", "line 9: expected frame 2, got '222"),
    "frame number negative": ("\n2\n", "\n-2\n", "line 9: expected frame 2, got '-2'; leg.asf has no such bone"),
    "frame twice": ("\n2\n", "\n1\n", "line 9: frame 1 follows frame 1"),
    "frame left out": ("\n2\n", "\n3\n", "line 9: frame 3 follows frame 1"),
    "no next frame number": ("\n2\n", "\n", "line 9: frame 1 has 'root' twice"),
    "bone missing": ("back 47.5\n", "", "line 17: frame 3 ends without 'back'"),
    "bone missing before the next frame": ("thigh 90 0 0\n", "", "line 13: frame 2 ends without 'thigh'"),
    "cut off": ("shin 33 -3.97569e-015\n", "", "line 17: frame 3 ends without 'shin'"),
    "bone twice": ("back 47.5\n", "back 47.5\nback 47.5\n", "line 17: frame 3 has 'back' twice"),
    "bone without dof": ("back 47.5\n", "back 47.5\nhip 1\n", "line 17: 'hip' moves, but has no dof in leg.asf"),
    "unknown bone": ("back 47.5\n", "tail 47.5\n", "line 16: expected the rest of frame 3, such as 'back', got 'tail'"),
    "too few numbers": (
        "thigh -2 -160 81",
        "thigh -2 -160",
        "line 17: 'thigh' has 2 numbers, expected 3: rx ry rz, as",
    ),
    "too many numbers": ("back 47.5", "back 47.5 1", "line 16: 'back' has 2 numbers, expected 1: ry, as leg.asf says"),
    "root of five": (
        "root -4 5.5 ",
        "root -4 ",
        "line 15: 'root' has 5 numbers, expected 6: tx ty tz rx ry rz, as leg",
    ),
    "no number": ("47.5", "47,5", "line 16: a number of 'back' is '47,5', expected a number"),
    "underscore": ("47.5", "4_7", "line 16: a number of 'back' is '4_7', expected a number"),
    "other digits": ("47.5", "4²", "line 16: a number of 'back' is '4\\xb2', expected a number"),
    "NaN": ("47.5", "nan", "line 16: ry of 'back' is nan, expected a number up to 1e+09"),
    "infinite": ("1e1", "-inf", "line 15: tz of 'root' is -inf, expected a number up to 1e+09"),
    "overflow": ("81", "1e400", "line 17: rz of 'thigh' is inf, expected a number up to 1e+09"),
    "enormous": ("33", "1e12", "line 18: rz of 'shin' is 1e+12, expected a number up to 1e+09"),
}


@pytest.mark.parametrize(("old", "new", "complaint"), WRONG_AMC.values(), ids=WRONG_AMC)
def test_a_wrong_motion_is_refused_by_name_and_line(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert LEG_AMC.count(old) == 1, "the case spoils one place"
    path = tmp_path / "wrong.amc"
    path.write_text(LEG_AMC.replace(old, new), encoding="latin-1")
    with pytest.raises(InputError) as caught:
        read_motion(path, parse_asf(LEG_ASF, "leg.asf"))
    assert str(caught.value).startswith(f"{path}: {complaint}")
    assert len(str(caught.value)) < len(str(path)) + 250


def test_a_bone_whose_name_has_an_underscore_is_read() -> None:
    asf, amc = LEG_ASF.replace("back", "h_torso_2"), LEG_AMC.replace("back", "h_torso_2")
    assert np.array_equal(leg(asf, amc).positions(), leg().positions())


def test_too_many_bones_are_refused() -> None:
    bones = "".join(
        f"begin\nname b{i}\ndirection 0 1 0\nlength 1\naxis 0 0 0 XYZ\nend\n" for i in range(acclaim.BONE_LIMIT)
    )
    with pytest.raises(InputError, match="there are more than 1000 bones"):
        parse_asf(f":bonedata\n{bones}")


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.asf"
    path.write_text(LEG_ASF + " " * (LINE_LIMIT + 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"long.asf: line 59: is longer than"):
        read_asf(path)
    path.write_text(LEG_AMC + "shin" * LINE_LIMIT, encoding="utf-8")
    with pytest.raises(InputError, match=r"long.asf: line 19: is longer than"):
        read_motion(path, parse_asf(LEG_ASF))


def test_more_positions_than_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acclaim, "POSITION_LIMIT", 44)
    with pytest.raises(InputError, match=r"leg\.amc: 3 frames of 5 bones are too many at once"):
        leg().positions()


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.asf: cannot be read: No such file"):
        read_asf(tmp_path / "none.asf")
    with pytest.raises(InputError, match="is no regular file"):
        read_motion(tmp_path, parse_asf(LEG_ASF))


def test_damaged_files_are_read_or_refused_never_more() -> None:
    rng = np.random.default_rng(0)
    refused = 0
    for turn in range(1000):
        texts = [LEG_ASF, LEG_AMC]
        damaged = bytearray(texts[turn % 2].encode())
        for at in rng.integers(len(damaged), size=rng.integers(1, 4)):
            damaged[at] = rng.choice(list(b"0123456789.-+eE \n\t\x00:#_rxyznaif()\xff"))
        cut = rng.integers(1, len(damaged)) if rng.random() < 0.3 else None
        texts[turn % 2] = damaged[:cut].decode("latin-1")
        try:
            assert np.isfinite(leg(*texts).positions()).all()
        except InputError as error:
            refused += 1
            assert str(error).startswith(("leg.asf: line ", "leg.amc: line "))
    assert 300 < refused < 1000


# --------------------------------------------------------------------------------------------------------------- poses

MM = 25.4 / 0.45


def files(folder: Path, asf: str, amc: str) -> tuple[Path, Path]:
    paths = folder / "body.asf", folder / "body.amc"
    for path, text in zip(paths, (asf, amc), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def test_joints_stand_where_bones_end(tmp_path: Path) -> None:
    expected = {
        "pelvis": (0, -2, 0),
        "RHip": (-1.5, -2, 0),
        "RKnee": (-1.5, -9, 0),
        "RAnkle": (-1.5, -17, 0),
        "LHip": (1.5, -2, 0),
        "LKnee": (1.5, -9, 0),
        "LAnkle": (1.5, -17, 0),
        "spine": (0, 2.5, 2),
        "thorax": (0, 7, 4),
        "nose": (0, 7, 4),
        "head": (0, 8, 4),
        "LShoulder": (3, 7, 4),
        "LElbow": (8, 7, 4),
        "LWrist": (11, 7, 4),
        "RShoulder": (-3, 7, 4),
        "RElbow": (-8, 7, 4),
        "RWrist": (-11, 7, 4),
    }
    assert tuple(expected) == H36M17.joints
    poses = read_amc(*files(tmp_path, asf_text(), amc_text({}, {"lfemur": 90}, first=7)))
    np.testing.assert_allclose(poses.poses[0] / MM, np.array([*expected.values()]) + [10, 20, 30], atol=1e-12)
    knee, ankle = H36M17.index("LKnee"), H36M17.index("LAnkle")
    np.testing.assert_allclose(poses.poses[1, [knee, ankle]] / MM, [[18.5, 18, 30], [26.5, 18, 30]], atol=1e-12)
    assert (poses.unit, poses.reference, poses.origin, poses.skeleton) == ("mm", "world", "absolute", H36M17)
    assert (poses.frame.tolist(), poses.fps, list(poses.keys)) == ([7, 8], None, ["frame"])
    assert poses.path == str(tmp_path / "body.amc")


def test_the_rate_is_that_of_the_caller_or_the_file(tmp_path: Path) -> None:
    paths = files(tmp_path, asf_text(), ":SAMPLES-PER-SECOND 60\n" + amc_text({}))
    assert read_amc(*paths).fps == 60
    assert read_amc(*paths, fps=120).fps == 120


def test_a_joint_map_names_other_bones(tmp_path: Path) -> None:
    paths = files(tmp_path, asf_text(), amc_text({}))
    moved = {**acclaim.JOINTS, "nose": "thorax"}
    assert read_amc(*paths, joints=moved).poses[0, H36M17.index("nose")] / MM == pytest.approx([10, 23, 34])
    with pytest.raises(UsageError, match=r"the joints are RHip, .*; expected RHip, "):
        read_amc(*paths, joints={**acclaim.JOINTS, "pelvis": "root"})
    with pytest.raises(InputError, match=r"body\.asf: has no bone 'skull'; it has root, lhipjoint"):
        read_amc(*paths, joints={**acclaim.JOINTS, "nose": "skull"})


def test_a_unit_that_is_not_known_is_not_guessed(tmp_path: Path) -> None:
    paths = files(tmp_path, asf_text(length="1.0"), amc_text({}))
    with pytest.raises(InputError, match=r"body\.asf: has a length of 1, and only of 0\.45 it is known .* mm_per_unit"):
        read_amc(*paths)
    assert read_amc(*paths, mm_per_unit=10).poses[0, H36M17.index("head")] == pytest.approx([100, 280, 340])
    for wrong in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UsageError, match=f"mm_per_unit is {wrong}, expected a positive number"):
            read_amc(*paths, mm_per_unit=wrong)


def test_a_motion_of_another_skeleton_is_refused(tmp_path: Path) -> None:
    fewer = tuple(bone for bone in ACCLAIM_BONES if bone[0] != "rradius")
    with pytest.raises(InputError, match=r"body\.amc: line 19: frame 1 ends without 'rradius'"):
        read_amc(*files(tmp_path, asf_text(), amc_text({}, {}, bones=fewer)))


# ---------------------------------------------------------------------------------------------------------- real files


@pytest.mark.mocap
@pytest.mark.parametrize("actor", ["bd", "bk", "dg", "mm", "tr"])
def test_real_motions_are_those_of_a_slow_recursion(mocap_root: Path, actor: str) -> None:
    folder = mocap_root / "hdm05" / actor
    asf = folder / f"HDM_{actor}.asf"
    amc = min(folder.glob("*.amc"), key=lambda path: path.stat().st_size)
    motion = read_motion(amc, read_asf(asf))
    assert len(motion.skeleton) == 31
    thin = slice(None, None, 25)
    expected = twin_ends(asf.read_text("latin-1"), amc.read_text("latin-1"), motion.skeleton.names, thin)
    np.testing.assert_allclose(motion.positions()[thin], expected, atol=1e-11)
