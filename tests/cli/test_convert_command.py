"""`posebench convert`: what stands in the file that it writes, and that it writes none rather than a wrong one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

import posebench as pb
from posebench.resources import resource
from tests.cli.conftest import Run, refused
from tests.support.cameras import looking, own_json, qca_text, ring, toml_text, write_json
from tests.support.poses import people

FACTS = {"skeleton": "h36m17", "unit": "m", "reference": "world", "origin": "absolute"}


def persons(n: int = 6) -> np.ndarray:
    """People in metres around the origin of a world with z up."""
    rng = np.random.default_rng(0)
    poses = people(rng, n) / 1000
    return (poses - poses[:, :1])[..., [0, 2, 1]] + rng.uniform([-1, -1, 0.9], [1, 1, 1.1], (n, 3))[:, None]


def save(name: str, poses: np.ndarray | None = None, **facts) -> pb.PoseSet:
    known = {name: value for name, value in {**FACTS, **facts}.items() if value is not None}
    found = pb.PoseSet(persons() if poses is None else poses, **known)
    pb.write(found, name)
    return found


@pytest.fixture
def convert(posebench, tmp_path, monkeypatch):
    """`posebench convert` in an empty folder with world.npz and rig.json in it."""
    monkeypatch.chdir(tmp_path)
    save("world.npz", frame=np.arange(6))
    write_json(Path("rig.json"), own_json(ring()))

    def run(*arguments: object) -> Run:
        return posebench("convert", *arguments)

    return run


def load(name: object) -> dict[str, np.ndarray]:
    """What stands in a file, read with NumPy alone."""
    with np.load(name, allow_pickle=False) as file:
        return dict(file)


def notes(run: Run) -> list[str]:
    return [line.removeprefix("posebench: note: ") for line in run.err.splitlines() if "note:" in line]


def left(*names: str) -> bool:
    """Whether a refused command left exactly these files, so no output and nothing temporary."""
    return sorted(path.name for path in Path().iterdir()) == sorted(["rig.json", "world.npz", *names])


# Formats and facts


def test_another_format_holds_the_same(convert) -> None:
    run = convert("world.npz", "out.json")
    assert (run.code, run.err) == (0, "")
    found = json.loads(Path("out.json").read_text())
    np.testing.assert_allclose(found["poses"], persons(), rtol=1e-15)
    assert {fact: found[fact] for fact in FACTS} == FACTS
    assert run.out == (
        "out.json: 6 poses of 17 joints (h36m17), unit m, reference world, origin absolute, keys frame\n"
    )


def test_what_a_file_does_not_say_stays_unsaid_unless_the_user_says_it(convert) -> None:
    np.save("bare.npy", persons())
    run = convert("bare.npy", "out.npz")
    assert (
        run.out == "out.npz: 6 poses of 17 joints (unknown skeleton), unit unknown, reference unknown, origin unknown\n"
    )
    assert set(load("out.npz")) == {"poses"}
    said = ("--from-skeleton", "h36m17", "--from-unit", "m", "--from-reference", "world", "--from-origin", "absolute")
    assert convert("bare.npy", "out.npz", *said, "--fps", "50").code == 0
    found = load("out.npz")
    assert {fact: str(found[fact]) for fact in FACTS} == FACTS
    assert float(found["fps"]) == 50


def test_what_the_user_says_is_believed_over_the_file_with_a_note(convert) -> None:
    run = convert("world.npz", "out.npz", "--from-reference", "canonical")
    assert notes(run) == ["world.npz says reference world; read as canonical as asked"]
    assert pb.read("out.npz").reference == "canonical"


def test_what_a_format_cannot_hold_can_be_dropped(convert) -> None:
    save("rich.npz", frame=np.arange(6), intrinsics=np.eye(3), fps=50)
    refused(convert("rich.npz", "out.csv"), "out.csv: a .csv file cannot hold intrinsics", "--drop intrinsics")
    assert left("rich.npz")
    run = convert("rich.npz", "out.csv", "--unit", "mm", "--drop", "intrinsics, fps", "--drop", "reference")
    assert (run.code, run.err) == (0, "")
    found = pb.read("out.csv")
    np.testing.assert_allclose(found.poses, persons() * 1000)
    assert (found.intrinsics, found.fps, found.reference, found.unit) == (None, None, "unknown", "mm")
    every = ("frame", "skeleton", "unit", "reference", "origin", "intrinsics", "fps")
    assert convert("rich.npz", "out.npy", *(word for name in every for word in ("--drop", name))).code == 0
    np.testing.assert_array_equal(np.load("out.npy"), persons())


def test_an_output_that_exists_is_replaced(convert) -> None:
    Path("out.npz").write_text("old")
    assert convert("world.npz", "out.npz").code == 0
    assert len(pb.read("out.npz")) == 6


def test_the_same_input_gives_the_same_bytes(convert) -> None:
    for name in ("a.npz", "b.npz"):
        assert convert("world.npz", name, "--to", "camera", "--cameras", "rig.json", "--camera", "all").code == 0
    assert Path("a.npz").read_bytes() == Path("b.npz").read_bytes()


def test_names_with_spaces_and_foreign_letters_are_fine(convert) -> None:
    run = convert("world.npz", "mein Ergebnis ä.npz")
    assert run.out.startswith("mein Ergebnis ä.npz: 6 poses")


# Units


def test_another_unit(convert) -> None:
    assert convert("world.npz", "out.npz", "--unit", "mm").code == 0
    found = load("out.npz")
    np.testing.assert_allclose(found["poses"], persons() * 1000)
    assert str(found["unit"]) == "mm"


def test_an_unsaid_unit_is_read_off_the_limbs_with_a_note(convert) -> None:
    save("bare.npz", unit=None)
    run = convert("bare.npz", "out.npz", "--unit", "mm")
    (note,) = notes(run)
    assert note.startswith("unit of bare.npz inferred: m (limbs add up to ")
    np.testing.assert_allclose(load("out.npz")["poses"], persons() * 1000)


@pytest.mark.parametrize("arguments", [(), ("--unit", "mm"), ("--unit", "m"), ("--to", "root")])
@pytest.mark.parametrize("skeleton", ["h36m17", None])
def test_metres_that_are_marked_mm_are_refused(convert, arguments: tuple[str, ...], skeleton: str | None) -> None:
    save("wrong.npz", unit="mm", skeleton=skeleton)
    refused(
        convert("wrong.npz", "out.npz", *arguments), "wrong.npz says its unit is mm", "--from-unit m or --from-unit mm"
    )
    assert left("wrong.npz")
    if not arguments:
        run = convert("wrong.npz", "out.npz", "--from-unit", "mm")
        assert (run.code, str(load("out.npz")["unit"])) == (0, "mm")


def test_limbs_of_nobody_are_refused_where_the_unit_counts_and_noted_otherwise(convert) -> None:
    save("cm.npz", persons() * 100, unit="mm")
    refused(convert("cm.npz", "out.npz", "--unit", "m"), "cm.npz says its unit is mm", "which no person's do")
    assert left("cm.npz")
    run = convert("cm.npz", "out.npz")
    assert run.code == 0
    assert ["which no person's do" in note for note in notes(run)] == [True]


def test_no_unit_for_what_has_no_scale(convert) -> None:
    save("free.npz", unit="scale-free")
    refused(convert("free.npz", "out.npz", "--unit", "mm"), "free.npz is scale-free: no unit can be given")
    save("nobody.npz", unit=None, skeleton=None)
    refused(convert("nobody.npz", "out.npz", "--unit", "mm"), "nobody.npz does not say its unit", "--from-unit mm")
    assert left("free.npz", "nobody.npz")


# Skeletons


def test_another_skeleton_by_joint_name_with_a_note(convert) -> None:
    save("3dhp.npz", skeleton="3dhp17")
    run = convert("3dhp.npz", "out.npz", "--skeleton", "h36m17")
    assert notes(run) == [
        "3dhp.npz converted from 3dhp17 to h36m17: thorax is the middle of LShoulder, RShoulder; nose is head_3dhp; "
        "head is head_top"
    ]
    joints = pb.get_skeleton("3dhp17").joints
    np.testing.assert_array_equal(load("out.npz")["poses"][:, 1], persons()[:, joints.index("RHip")])


def test_joints_that_are_not_there_are_not_made_up(convert) -> None:
    save("coco.npz", skeleton="coco17")
    refused(convert("coco.npz", "out.npz", "--skeleton", "h36m17"), "coco.npz holds coco17 poses", "they lack")
    save("bare.npz", skeleton=None)
    refused(convert("bare.npz", "out.npz", "--skeleton", "h36m17"), "bare.npz does not say its skeleton")
    refused(convert("world.npz", "out.npz", "--skeleton", "stick"), "there is no skeleton 'stick'")
    assert left("coco.npz", "bare.npz")


def test_skeleton_unit_and_root_in_one_go(convert) -> None:
    save("3dhp.npz", skeleton="3dhp17", reference="camera")
    assert convert("3dhp.npz", "out.npz", "--skeleton", "h36m17", "--unit", "mm", "--to", "root").code == 0
    pelvis = persons()[:, pb.get_skeleton("3dhp17").index("pelvis")] * 1000
    found = load("out.npz")
    right_hip = persons()[:, pb.get_skeleton("3dhp17").index("RHip")] * 1000
    np.testing.assert_allclose(found["poses"][:, 1], right_hip - pelvis, atol=1e-9)
    np.testing.assert_allclose(found["root_depth"], pelvis[:, 2])
    assert (str(found["origin"]), str(found["reference"])) == ("root", "camera")


# Joining


def test_files_are_joined_in_their_order(convert) -> None:
    for i, name in enumerate(("TS2", "TS1", "TS3")):
        save(f"{name}.npz", persons() + i, sequence=name, frame=np.arange(6))
    run = convert("TS2.npz", "TS1.npz", "TS3.npz", "out.npz")
    assert run.out.endswith("keys sequence frame, from 3 files\n")
    found = load("out.npz")
    np.testing.assert_array_equal(found["poses"], np.concatenate([persons(), persons() + 1, persons() + 2]))
    assert found["sequence"].tolist() == ["TS2"] * 6 + ["TS1"] * 6 + ["TS3"] * 6


def test_files_that_do_not_belong_together_are_refused(convert) -> None:
    save("mm.npz", persons() * 1000, unit="mm", frame=np.arange(6, 12))
    refused(convert("world.npz", "mm.npz", "out.npz"), "world.npz and mm.npz cannot be joined", "m, of the second mm")
    save("no_keys.npz")
    refused(convert("world.npz", "no_keys.npz", "out.npz"), "world.npz has the key frame and no_keys.npz has not")
    refused(convert("world.npz", "world.npz", "out.npz"), "world.npz: row 0 and world.npz: row 0 have the same keys")
    assert left("mm.npz", "no_keys.npz")


# Cameras


def test_to_the_camera_and_back(convert) -> None:
    run = convert("world.npz", "seen.npz", "--to", "camera", "--cameras", "rig.json", "--camera", "cam_02")
    assert (run.code, run.err) == (0, "")
    np.testing.assert_allclose(load("seen.npz")["poses"], ring()[1].sees(persons()), atol=1e-12)
    for cameras in ((), ("--cameras", "rig.json")):
        assert convert("seen.npz", "back.npz", "--to", "world", *cameras).code == 0
        np.testing.assert_allclose(load("back.npz")["poses"], persons(), rtol=0, atol=1e-9)
        assert pb.read("back.npz").reference == "world"


def test_a_copy_per_camera(convert) -> None:
    run = convert("world.npz", "out.npz", "--unit", "mm", "--to", "camera", "--cameras", "rig.json", "--camera", "all")
    assert "24 poses" in run.out
    found = load("out.npz")
    for i, each in enumerate(ring()):
        np.testing.assert_allclose(found["poses"][6 * i : 6 * i + 6], 1000 * each.sees(persons()), atol=1e-9)
    assert found["camera"].tolist() == [each.name for each in ring() for _ in range(6)]


def test_a_unit_that_a_camera_file_does_not_say_is_asked_for(convert) -> None:
    Path("Calib.toml").write_text(toml_text(ring()))
    to_camera = ("--to", "camera", "--cameras", "Calib.toml", "--camera", "cam_01")
    refused(
        convert("world.npz", "out.npz", *to_camera),
        "Calib.toml does not say the unit of its translations, which are up to 5.22 long; say it with --cameras-unit m",
    )
    assert left("Calib.toml")
    assert convert("world.npz", "out.npz", *to_camera, "--cameras-unit", "m").code == 0
    np.testing.assert_allclose(load("out.npz")["poses"], ring()[0].sees(persons()), atol=1e-12)


def test_a_unit_of_the_cameras_is_believed_over_the_file_with_a_note(convert) -> None:
    write_json(Path("mm.json"), own_json(ring(), "mm"))
    to_camera = ("--to", "camera", "--cameras", "mm.json", "--camera", "cam_01")
    refused(
        convert("world.npz", "out.npz", *to_camera), "in mm, the world's origin is at most 5.22 mm", "--cameras-unit cm"
    )
    run = convert("world.npz", "out.npz", *to_camera, "--cameras-unit", "m")
    assert notes(run) == ["mm.json says that its unit is mm; read as m as asked"]
    np.testing.assert_allclose(load("out.npz")["poses"], ring()[0].sees(persons()), atol=1e-12)


def test_root_relative_poses_are_rotated_with_a_note(convert) -> None:
    centred = persons() - persons()[:, :1]
    save("root.npz", centred, origin="root")
    run = convert("root.npz", "out.npz", "--to", "camera", "--cameras", "rig.json", "--camera", "cam_01")
    assert notes(run) == ["root.npz is relative to the root: only the rotation of the cameras was applied"]
    seen = ring()[0].sees(persons())
    np.testing.assert_allclose(load("out.npz")["poses"], seen - seen[:, :1], atol=1e-12)


def test_roots_at_zero_are_not_absolute(convert) -> None:
    centred = persons() - persons()[:, :1]
    to_camera = ("--to", "camera", "--cameras", "rig.json", "--camera", "cam_01")
    save("wrong.npz", centred)
    refused(
        convert("wrong.npz", "out.npz", *to_camera), "wrong.npz says its coordinates are absolute", "--from-origin root"
    )
    save("unsaid.npz", centred, origin=None)
    run = convert("unsaid.npz", "out.npz", *to_camera)
    assert notes(run)[0] == "origin of unsaid.npz inferred: root (pelvis lies at 0, 0, 0 in every pose)"
    assert pb.read("out.npz").origin == "root"


def test_an_origin_or_reference_that_is_not_known_is_asked_for(convert) -> None:
    to_camera = ("--to", "camera", "--cameras", "rig.json", "--camera", "cam_01")
    save("a.npz", origin=None)
    refused(convert("a.npz", "out.npz", *to_camera), "a.npz does not say whether", "--from-origin absolute")
    assert convert("a.npz", "out.npz", *to_camera, "--from-origin", "absolute").code == 0
    save("b.npz", reference=None)
    refused(convert("b.npz", "out.npz", *to_camera), "b.npz does not say its reference", "--from-reference world")
    assert convert("b.npz", "out.npz", *to_camera, "--from-reference", "world").code == 0
    refused(convert("out.npz", "out2.npz", *to_camera), "out.npz is in the camera reference already")


def test_cameras_that_are_not_there_are_named_with_those_that_are(convert) -> None:
    to_camera = ("--to", "camera", "--cameras", "rig.json")
    refused(
        convert("world.npz", "out.npz", *to_camera), "does not say the cameras of its poses", "cam_01, cam_02, cam_03"
    )
    refused(convert("world.npz", "out.npz", *to_camera, "--camera", "front"), "rig.json has no camera front", "cam_01")
    save("keyed.npz", camera=["cam_01", "left"] * 3)
    refused(convert("keyed.npz", "out.npz", *to_camera), "rig.json has no camera left, which keyed.npz needs")
    refused(convert("world.npz", "out.npz", "--to", "camera"), "world.npz holds no extrinsics", "--cameras FILE")
    refused(convert("world.npz", "out.npz", "--to", "camera", "--cameras", "no.json"), "no.json: cannot be read")
    assert left("keyed.npz")


def test_poses_that_no_camera_can_have_seen_are_refused(convert) -> None:
    write_json(Path("away.json"), own_json([looking("a", [9, 0, 1], [20, 0, 1])]))
    refused(convert("world.npz", "out.npz", "--to", "camera", "--cameras", "away.json"), "every pose would lie behind")
    assert left("away.json")


# Usage

USAGE = {
    "no output": (("world.npz",), "Missing argument 'IN...'"),
    "another unit": (("world.npz", "out.npz", "--unit", "cm"), "--unit cm: expected mm or m"),
    "no scale": (("world.npz", "out.npz", "--unit", "scale-free"), "--unit scale-free: expected mm or m"),
    "another reference": (("world.npz", "out.npz", "--to", "moon"), "--to moon: expected one of camera, world, root"),
    "cameras for nothing": (
        ("world.npz", "out.npz", "--cameras", "rig.json"),
        "--cameras has nothing to do without --to",
    ),
    "a camera for a root": (("world.npz", "out.npz", "--to", "root", "--camera", "a"), "--camera has nothing to do"),
    "a unit of no cameras": (
        ("world.npz", "out.npz", "--to", "camera", "--cameras-unit", "m"),
        "--cameras-unit is the unit of a camera file",
    ),
    "another unit of cameras": (
        ("world.npz", "out.npz", "--to", "camera", "--cameras", "rig.json", "--cameras-unit", "km"),
        "--cameras-unit km: expected one of mm, cm, m",
    ),
    "another camera format": (
        ("world.npz", "out.npz", "--to", "camera", "--cameras", "rig.yml"),
        "rig.yml: no camera file has this suffix",
    ),
    "an ending of no format": (("nowhere.npz", "out.txt"), "out.txt: cannot be written: no format has this ending"),
    "an ending that is only read": (("nowhere.npz", "out.bvh"), "out.bvh: cannot be written: this format is only read"),
    "a folder that is not there": (("nowhere.npz", "no/out.npz"), "no/out.npz: cannot be written: No such file"),
    "an input that is not there": (("nowhere.npz", "out.npz"), "nowhere.npz: cannot be read: No such file"),
    "an unknown reference of the input": (
        ("world.npz", "out.npz", "--from-reference", "moon"),
        "there is no reference 'moon'",
    ),
    "nothing that can be dropped": (
        ("world.npz", "out.npz", "--drop", "valid"),
        "--drop valid: expected one of subject",
    ),
    "a fact that the format cannot hold": (("world.npz", "out.npy"), "out.npy: an .npy file cannot hold frame"),
}


@pytest.mark.parametrize(("arguments", "words"), USAGE.values(), ids=USAGE.keys())
def test_bad_usage_is_one_sentence_and_writes_nothing(convert, arguments: tuple[str, ...], words: str) -> None:
    refused(convert(*arguments), words)
    assert left()


def test_no_input_is_written_over(convert) -> None:
    before = Path("world.npz").read_bytes()
    os.link("world.npz", "link.npz")
    for output in ("world.npz", "./world.npz", "link.npz"):
        refused(convert("world.npz", output), "cannot be written: it is the input world.npz")
    save("b.npz")
    refused(convert("b.npz", "world.npz", "b.npz"), "b.npz: cannot be written: it is the input b.npz")
    pb.write(pb.read("world.npz"), "poses.json")
    same = ("poses.json", "rig.json", "--to", "camera", "--cameras", "rig.json", "--camera", "cam_01")
    refused(convert(*same), "rig.json: cannot be written: it is the input rig.json")
    assert Path("world.npz").read_bytes() == before


# Real material

#: Two of the four cameras of the shipped example: the published calibration of Pose2Sim's demonstration trial
#: (Calib.qca.txt of pose2sim 0.8.4, BSD 3-Clause, examples/data/pose2sim/LICENSE.pose2sim).
REAL = qca_text(
    """<camera serial="cam_01"><fov_video bottom="1919" left="0" right="1087" top="0"/>
<transform r11="0.5536380477336265" r12="0.8046719867383512" r13="0.2144479094331626" r21="-0.4345300743838753"
 r22="0.05946489349975602" r23="0.8986921279821063" r31="0.7104002579937896" r32="-0.5907342212870501"
 r33="0.3825762057979294" x="1460.2323709212087" y="-1909.1590482454608" z="1896.5058524092062"/>
<intrinsic centerPointU="34110.316406" centerPointV="60680.792969" focalLengthU="107599.671875"
 focalLengthV="107588.828125" radialDistortion1="-0.046183" radialDistortion2="0.139983"
 tangentalDistortion1="0.000608" tangentalDistortion2="0.00069"/></camera>""",
    """<camera serial="cam_04"><fov_video bottom="1919" left="0" right="1087" top="0"/>
<transform r11="0.2586331447643361" r12="-0.875095795920923" r13="-0.40904308378315923" r21="0.49590579729377593"
 r22="-0.24310718522469382" r23="0.8336524076031634" r31="-0.8289670298870364" r32="-0.4184569804097585"
 r33="0.3710895025551282" x="-3758.720480260634" y="-1415.6654017496533" z="1881.7941041388026"/>
<intrinsic centerPointU="34566.796875" centerPointV="61697.9375" focalLengthU="107215.039063"
 focalLengthV="107213.070313" radialDistortion1="-0.047633" radialDistortion2="0.134667"
 tangentalDistortion1="0.000277" tangentalDistortion2="0.000199"/></camera>""",
)


@pytest.mark.parametrize("name", ["gt.npz", "pred_cam01_cam04.npz"])
def test_the_shipped_person_stands_upright_in_the_real_world_and_before_another_real_camera(convert, name: str) -> None:
    Path("Calib.qca.txt").write_text(REAL)
    real = resource("examples", "pose2sim", name)
    run = convert(real, "real.npz", "--to", "world", "--cameras", "Calib.qca.txt")
    assert notes(run) == [f"camera cam01 of {real} taken to be cam_01"]
    found = pb.read("real.npz")
    joint = {joint: found.poses[:, i].astype(float) for i, joint in enumerate(found.skeleton.joints)}
    height = joint["head"][:, 2] - np.minimum(joint["LAnkle"], joint["RAnkle"])[:, 2]
    assert (found.unit, found.reference, len(found)) == ("mm", "world", 100)
    assert 1400 < np.median(height) < 1800
    assert (np.abs(joint["pelvis"][:, :2]) < 3000).all()
    lowest = np.minimum(joint["LAnkle"][:, 2], joint["RAnkle"][:, 2])
    assert ((lowest > -50) & (lowest < 600)).all()  # on a beam above the floor

    assert convert("real.npz", "back.npz", "--to", "camera", "--cameras", "Calib.qca.txt").code == 0
    np.testing.assert_allclose(load("back.npz")["poses"], load(real)["poses"], atol=1e-3)  # float32

    facts = dict.fromkeys(("camera", "intrinsics", "extrinsics"))
    pb.write(found.replace(**facts), "world2.npz")
    run = convert("world2.npz", "seen.npz", "--to", "camera", "--cameras", "Calib.qca.txt", "--camera", "cam_04")
    assert notes(run) == []
    seen = pb.read("seen.npz")
    pixels = seen.poses[..., :2] / seen.poses[..., 2:] @ seen.intrinsics[:2, :2].T + seen.intrinsics[:2, 2]
    assert (seen.poses[..., 2] > 1500).all()
    assert ((pixels > 0) & (pixels < [1088, 1920])).all()
    assert (pixels[:, 10, 1] < pixels[:, 0, 1]).all()  # the head above the pelvis
