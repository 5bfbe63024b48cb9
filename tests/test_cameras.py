"""Cameras see points where geometry by hand puts them; every kind of camera file gives the camera that was written."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import posebench as pb
from tests.support.cameras import (
    Placed,
    looking,
    own_json,
    panoptic_json,
    qca_camera,
    qca_text,
    ring,
    toml_text,
    videopose3d_entry,
    write_json,
)

K = [[1000.0, 0, 500], [0, 1000, 500], [0, 0, 1]]
#: Five metres south of the origin, 1.5 m up, looking north in a world with z up: right is x, down is -z, forward is y.
SOUTH = {"R": [[1, 0, 0], [0, 0, -1], [0, 1, 0]], "t": [0, 1.5, 5]}


def camera(**changes) -> pb.Camera:
    facts = {"name": "south", "K": K, "dist": [], **SOUTH, "unit": "m", **changes}
    return pb.Camera(**facts)


# Geometry


def test_a_camera_5_m_from_a_person_sees_the_pelvis_5_m_ahead() -> None:
    pelvis, head_right = [0, 0, 1.0], [0.2, 0, 1.7]
    np.testing.assert_allclose(camera().to_camera([pelvis, head_right]), [[0, 0.5, 5], [0.2, -0.2, 5]])
    np.testing.assert_allclose(camera().project([pelvis, head_right]), [[500, 600], [540, 460]])
    np.testing.assert_allclose(camera().centre, [0, -5, 1.5])


def test_world_to_camera_and_back_is_where_one_began() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(0, 3, (50, 17, 3))
    for placed in ring(5):
        there = pb.Camera(placed.name, placed.K, [], placed.axes, placed.t)
        np.testing.assert_allclose(there.to_camera(points), placed.sees(points), atol=1e-12)
        np.testing.assert_allclose(there.to_world(there.to_camera(points)), points, rtol=0, atol=1e-12)
        np.testing.assert_allclose(there.centre, placed.centre, atol=1e-12)


def test_a_rotation_that_was_rounded_gives_back_what_it_took() -> None:
    placed = looking("a", [3, 2, 1], [0, 0, 1])
    rounded = pb.Camera("a", K, [], placed.axes.round(4), placed.t)
    np.testing.assert_allclose(rounded.R, placed.axes, atol=1e-4)
    np.testing.assert_allclose(rounded.R @ rounded.R.T, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(rounded.to_world(rounded.to_camera([[5.0, 6, 7]])), [[5, 6, 7]], atol=1e-12)


@pytest.mark.parametrize(("unit", "t"), [("mm", [0, 1500, 5000]), ("cm", [0, 150, 500]), ("m", [0, 1.5, 5])])
def test_a_camera_in_another_unit_is_the_same_camera(unit: str, t: list[float]) -> None:
    np.testing.assert_allclose(camera().in_unit(unit).t, t)
    assert camera().in_unit(unit).unit == unit


def test_points_behind_the_camera_have_no_pixel() -> None:
    pixels = camera(dist=[0.1, 0, 0, 0]).project([[0, -6.0, 1], [0, -5, 1], [0, 0, 1]])
    assert np.isnan(pixels[:2]).all()
    assert np.isfinite(pixels[2]).all()


def opencv_pixel(x: float, y: float, dist: list[float]) -> tuple[float, float]:
    """x'' and y'' of OpenCV's documentation, written out for one point of the normalised image."""
    k1, k2, p1, p2, k3, k4, k5, k6 = [*dist, *[0.0] * (8 - len(dist))]
    r = (x**2 + y**2) ** 0.5
    factor = (1 + k1 * r**2 + k2 * r**4 + k3 * r**6) / (1 + k4 * r**2 + k5 * r**4 + k6 * r**6)
    return (
        x * factor + 2 * p1 * x * y + p2 * (r**2 + 2 * x**2),
        y * factor + p1 * (r**2 + 2 * y**2) + 2 * p2 * x * y,
    )


@pytest.mark.parametrize("n", [0, 4, 5, 8])
def test_lenses_bend_as_opencv_writes_it(n: int) -> None:
    dist = [-0.2, 0.11, 0.003, -0.004, 0.02, 0.05, -0.03, 0.01][:n]
    intrinsics = [[800.0, 3, 320], [0, 810, 240], [0, 0, 1]]
    seen = camera(R=np.eye(3), t=[0, 0, 0], K=intrinsics, dist=dist)
    points = np.random.default_rng(1).uniform([-1, -1, 2], [1, 1, 4], (20, 3))
    for point, pixel in zip(points, seen.project(points), strict=True):
        x, y = opencv_pixel(point[0] / point[2], point[1] / point[2], dist)
        np.testing.assert_allclose(pixel, [800 * x + 3 * y + 320, 810 * y + 240], rtol=1e-12)


def test_a_lens_by_hand() -> None:
    """x = 0.2, r² = 0.04: 0.2 (1 + 0.1 · 0.04) + p2 (0.04 + 0.08) across and p1 0.04 down."""
    pixel = camera(R=np.eye(3), t=[0, 0, 0], dist=[0.1, 0, 0.01, 0.02]).project([0.2, 0, 1])
    np.testing.assert_allclose(pixel, [500 + 1000 * (0.2008 + 0.0024), 500 + 1000 * 0.0004])


def test_a_fisheye_lens_shows_angles() -> None:
    seen = camera(R=np.eye(3), t=[0, 0, 0], fisheye=True)
    np.testing.assert_allclose(seen.project([[1, 0, 1], [0, 0, 1]]), [[500 + 1000 * np.pi / 4, 500], [500, 500]])
    angle = np.pi / 4
    bent = angle + 0.1 * angle**3 - 0.02 * angle**5 + 0.003 * angle**7 - 0.001 * angle**9
    seen = camera(R=np.eye(3), t=[0, 0, 0], fisheye=True, dist=[0.1, -0.02, 0.003, -0.001])
    np.testing.assert_allclose(seen.project([0, 1, 1]), [500, 500 + 1000 * bent])


BAD = {
    "a focal length of 0": ({"K": [[0, 0, 5], [0, 9, 5], [0, 0, 1]]}, r"focal lengths are 0 and 9 px"),
    "a negative focal length": ({"K": [[9, 0, 5], [0, -9, 5], [0, 0, 1]]}, r"focal lengths are 9 and -9 px"),
    "K transposed": ({"K": np.transpose(K)}, r"K is .*, expected \[\[fx, skew, cx\]"),
    "K of another shape": ({"K": np.eye(4)}, r"K has shape \(4, 4\), expected \(3, 3\)"),
    "no rotation": ({"R": np.eye(3) * 1.01}, r"R is no rotation: .* differs from the identity by 0.02"),
    "zeros": ({"R": np.zeros((3, 3))}, r"R is no rotation"),
    "a mirror": ({"R": np.diag([1, 1, -1])}, r"R is a reflection"),
    "NaN": ({"t": [0, np.nan, 1]}, r"t holds a number that is not finite"),
    "infinity": ({"K": [[np.inf, 0, 5], [0, 9, 5], [0, 0, 1]]}, r"K holds a number that is not finite"),
    "a vector of two": ({"t": [0, 1]}, r"t has shape \(2,\), expected \(3,\)"),
    "text": ({"t": ["0", "0", "1"]}, r"t is not an array of numbers"),
    "ragged numbers": ({"R": [[1, 0], [1]]}, r"R is not an array of numbers"),
    "three coefficients": ({"dist": [1, 2, 3]}, r"dist has 3 coefficients, expected 0 or 4 or 5 or 8"),
    "five for a fisheye": ({"dist": [0] * 5, "fisheye": True}, r"dist has 5 coefficients, expected 0 or 4$"),
    "another unit": ({"unit": "inch"}, r"unit is 'inch', expected one of mm, cm, m"),
}


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD.keys())
def test_what_is_no_camera_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(pb.InputError, match=rf"^camera: camera south: {message}"):
        camera(**changes)


def test_units_are_known_or_asked_for() -> None:
    with pytest.raises(pb.InputError, match="camera south does not say the unit"):
        camera(unit=None).in_unit("mm")
    with pytest.raises(pb.UsageError, match="there is no unit 'feet' for cameras; known are mm, cm, m"):
        camera().in_unit("feet")


# Files: what was written comes back


def assert_same(found: dict[str, pb.Camera], expected: list[Placed], unit: str | None, factor: float, dist) -> None:
    assert list(found) == [each.name for each in expected]
    for have, want in zip(found.values(), expected, strict=True):
        np.testing.assert_allclose(have.K, want.K, rtol=1e-12)
        np.testing.assert_allclose(have.R, want.axes, atol=1e-12)
        np.testing.assert_allclose(have.t, want.t * factor, atol=1e-9)
        np.testing.assert_allclose(have.dist, dist(want), atol=1e-15)
        assert (have.unit, have.size, have.subject, have.unit_stated) == (unit, want.size, None, False)


def lens(camera: Placed) -> tuple[float, ...]:
    return camera.dist


@pytest.mark.parametrize(("unit", "factor"), [("m", 1.0), ("mm", 1000.0), ("cm", 100.0), (None, 1.0)])
def test_own_json_comes_back(tmp_path: Path, unit: str | None, factor: float) -> None:
    path = write_json(tmp_path / "rig.json", own_json(ring(), unit, factor))
    assert_same(pb.read_cameras(path), ring(), unit, factor, lens)


def test_a_unit_by_hand_is_believed_over_the_file(tmp_path: Path) -> None:
    found = pb.read_cameras(write_json(tmp_path / "rig.json", own_json(ring(), "mm")), unit="m")["cam_01"]
    assert (found.unit, found.unit_stated) == ("m", True)
    np.testing.assert_allclose(found.t, ring()[0].t)


def test_a_camera_may_say_a_unit_of_its_own(tmp_path: Path) -> None:
    data = own_json(ring(2), "m")
    data["cameras"][1] |= {"unit": "mm", "t": (1000 * ring(2)[1].t).tolist()}
    found = pb.read_cameras(write_json(tmp_path / "rig.json", data))
    assert [each.unit for each in found.values()] == ["m", "mm"]


def test_a_panoptic_calibration_has_no_unit(tmp_path: Path) -> None:
    path = write_json(tmp_path / "calibration_171204_pose1.json", panoptic_json(ring()))
    assert_same(pb.read_cameras(path), ring(), None, 100.0, lambda camera: [*camera.dist, 0.003])


def test_videopose3d_turns_cameras_into_the_world(tmp_path: Path) -> None:
    """Its orientation is the camera's in the world and its translation the camera's place; its lens model is left."""
    entries = [videopose3d_entry(each) for each in ring()]
    for name, data in {
        "list": entries,
        "names": {each["id"]: each for each in entries},
        "cameras": {"cameras": entries},
    }.items():
        found = pb.read_cameras(write_json(tmp_path / f"{name}.json", data))
        assert_same(found, ring(), None, 1000.0, lambda _: [])


def test_cameras_by_subject_are_named_with_it(tmp_path: Path) -> None:
    rigs = {"S1": ring(2, 5.0), "S9": ring(2, 6.0)}
    lists = {subject: [videopose3d_entry(each) for each in rig] for subject, rig in rigs.items()}
    nested = {subject: {entry["id"]: entry for entry in entries} for subject, entries in lists.items()}
    own = own_json(rigs["S1"], "mm", 1000, subject="S1")
    own["cameras"] += own_json(rigs["S9"], "mm", 1000, subject="S9")["cameras"]
    for name, data in {"lists": lists, "nested": nested, "own": own}.items():
        found = pb.read_cameras(write_json(tmp_path / f"{name}.json", data))
        assert list(found) == ["S1/cam_01", "S1/cam_02", "S9/cam_01", "S9/cam_02"]
        assert [(each.subject, each.name) for each in found.values()][::3] == [("S1", "cam_01"), ("S9", "cam_02")]
        np.testing.assert_allclose(found["S9/cam_02"].t, 1000 * rigs["S9"][1].t, atol=1e-9)


def test_cameras_by_index_with_f_and_c_are_world_to_camera(tmp_path: Path) -> None:
    """Human36M_subject1_camera.json, as the annotations around Human3.6M go."""
    data = {
        str(i): {"R": each.axes.tolist(), "t": (1000 * each.t).tolist(), "f": each.focal, "c": each.middle}
        for i, each in enumerate(ring(), 1)
    }
    found = pb.read_cameras(write_json(tmp_path / "Human36M_subject1_camera.json", data))
    assert list(found) == ["1", "2", "3", "4"]
    for have, want in zip(found.values(), ring(), strict=True):
        np.testing.assert_allclose(have.K, want.K)
        np.testing.assert_allclose(have.t, 1000 * want.t, atol=1e-9)
        assert (have.size, have.unit) == (None, None)


def test_toml_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "calibration.toml"
    path.write_text(toml_text(ring()))
    assert_same(pb.read_cameras(path), ring(), None, 1.0, lens)


def test_toml_may_say_its_unit_and_hold_other_tables(tmp_path: Path) -> None:
    path = tmp_path / "calibration.toml"
    path.write_text('[charuco]\ncolumns = 4\n[capture]\nname = "x"\n' + toml_text(ring(), 'unit = "m"'))
    assert_same(pb.read_cameras(path), ring(), "m", 1.0, lens)


def test_toml_without_names_takes_those_of_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "calibration.toml"
    path.write_text("\n".join(line for line in toml_text(ring(2)).splitlines() if not line.startswith("name")))
    assert list(pb.read_cameras(path)) == ["cam_0", "cam_1"]


@pytest.mark.parametrize("vector", [[0, 0, 0], [np.pi, 0, 0], [0, 1e-9, 0], [0.3, -1.2, 2.2]])
def test_rotation_vectors_turn_by_their_length(tmp_path: Path, vector: list[float]) -> None:
    path = tmp_path / "a.toml"
    text = toml_text([looking("a", [3, 2, 1], [0, 0, 1])])
    lines = [f"rotation = {list(map(float, vector))}" if "rotation" in line else line for line in text.splitlines()]
    path.write_text("\n".join(lines))
    np.testing.assert_allclose(pb.read_cameras(path)["a"].R, Rotation.from_rotvec(vector).as_matrix(), atol=1e-12)


def test_a_fisheye_of_anipose_has_four_coefficients(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    text = toml_text([looking("a", [3, 2, 1], [0, 0, 1], dist=(0.1, 0.2, 0.3, 0.4, 0.0))])
    path.write_text(text.replace("fisheye = false", "fisheye = true"))
    found = pb.read_cameras(path)["a"]
    assert (found.fisheye, found.dist.tolist()) == (True, [0.1, 0.2, 0.3, 0.4])


def test_qualisys_comes_back_in_mm(tmp_path: Path) -> None:
    path = tmp_path / "Calib.qca.txt"
    path.write_text(qca_text(*map(qca_camera, ring())))
    assert_same(pb.read_cameras(path), ring(), "mm", 1000.0, lens)


def test_a_picture_that_is_a_part_of_the_sensor_moves_the_principal_point(tmp_path: Path) -> None:
    path = tmp_path / "Calib.qca.txt"
    path.write_text(qca_text(qca_camera(ring()[0], left=100, top=40)))
    assert_same(pb.read_cameras(path), ring()[:1], "mm", 1000.0, lens)


def test_qualisys_in_another_encoding_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "Calib.qca.txt"
    path.write_text(qca_text(qca_camera(ring()[0])).replace("'1.0'", "'1.0' encoding='UTF-16'"), encoding="utf-16")
    assert list(pb.read_cameras(path)) == ["cam_01"]


@pytest.mark.checkout
def test_the_file_on_the_documentations_page_is_the_camera_described_there(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "convert.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    (tmp_path / "rig.json").write_text(block)
    front = pb.read_cameras(tmp_path / "rig.json")["front"]
    np.testing.assert_allclose(front.centre, [0, -5, 1.5])
    np.testing.assert_allclose(front.to_camera(front.centre + [0, 1, 0]), [0, 0, 1], atol=1e-12)
    assert (front.unit, front.size) == ("m", (1000, 1000))


# Files that are refused, each with its place


def refused(path: Path, content: object, message: str) -> None:
    """The message is one line that begins with the file."""
    if not isinstance(content, str | bytes):
        content = json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(pb.InputError, match=message) as caught:
        pb.read_cameras(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def one(**changes) -> dict:
    """A file of one camera with some fields changed; None takes a field away."""
    entry = own_json(ring(1))["cameras"][0] | changes
    return {"unit": "m", "cameras": [{name: value for name, value in entry.items() if value is not None}]}


BAD_JSON = {
    "no JSON": ("{", r"is not JSON: "),
    "no text": (b"\xff\xfe\xfa", r"is not JSON: "),
    "nothing": ("  \n", r"is empty$"),
    "no cameras": ({"cameras": []}, r"holds no cameras$"),
    "an empty object": ({}, r"holds no cameras$"),
    "a number": (5, r"cameras is 5, expected a list of cameras, or cameras by name$"),
    "cameras are a text": ({"cameras": "all"}, r"cameras is 'all', expected a list"),
    "an entry is a number": ([5], r"cameras\[0\] is 5, expected a camera with K, R and t"),
    "an entry is no camera": ([{"name": "a"}], r"cameras\[0\] is a dict, expected a camera with K, R and t"),
    "a group holds none": ({"S1": [{"id": 5}]}, r"cameras\['S1'\]\[0\] is a dict, expected a camera"),
    "another unit": ({**one(), "unit": "inch"}, r"unit is 'inch', expected one of mm, cm, m$"),
    "a unit that is none": (one(unit=3), r"cameras\[0\]: unit is 3, expected one of mm, cm, m$"),
    "no name": (one(name=None), r"cameras\[0\]: has no name"),
    "an empty name": (one(name=""), r"cameras\[0\]: name is '', expected text$"),
    "a name of true": (one(name=True), r"cameras\[0\]: name is True, expected text$"),
    "a name of digits without end": (one(name=10**40), r"cameras\[0\]: name is an integer of 133 bits"),
    "a name with a line break": (one(name="a\nb"), r"name holds 'a\\nb', expected text without control"),
    "no K": (one(K=None), r"cameras\[0\]: has no K, .* it has 'name', 'dist'"),
    "no t": (one(t=None), r"cameras\[0\]: has no t; it has"),
    "no R": (one(R=None), r"cameras\[0\]: has no R; it has"),
    "K of two rows": (one(K=[[1, 0, 0], [0, 1, 0]]), r"cameras\[0\]: K has shape \(2, 3\), expected \(3, 3\)$"),
    "K of text": (one(K=[["1", 0, 0], [0, 1, 0], [0, 0, 1]]), r"cameras\[0\]: K is not an array of numbers"),
    "NaN": (one(t=[0, float("nan"), 0]), r"cameras\[0\]: t holds a number that is not finite or beyond 1e\+15$"),
    "a huge number": (one(t=[0, -1e300, 0]), r"cameras\[0\]: t holds a number that is not finite or beyond 1e\+15$"),
    "digits without end": (one(t=[0, 10**400, 0]), r"cameras\[0\]: t is not an array of numbers"),
    "an object for a number": (one(t=[0, {}, 0]), r"cameras\[0\]: t is not an array of numbers"),
    "no rotation": (one(R=[[2, 0, 0], [0, 2, 0], [0, 0, 2]]), r"camera cam_01: R is no rotation"),
    "a reflection": (one(R=[[-1, 0, 0], [0, 1, 0], [0, 0, 1]]), r"camera cam_01: R is a reflection"),
    "a focal length of 0": (one(K=[[0, 0, 1], [0, 1, 1], [0, 0, 1]]), r"camera cam_01: focal lengths are 0 and 1 px"),
    "dist of three": (one(dist=[1, 2, 3]), r"camera cam_01: dist has 3 coefficients"),
    "dist of text": (one(dist="none"), r"camera cam_01: dist is not an array of numbers"),
    "a size of three": (one(size=[1, 2, 3]), r"cameras\[0\]: size has shape \(3,\), expected \(2,\)$"),
    "a size of 0": (one(size=[0, 5]), r"cameras\[0\]: size is 0 x 5, expected width and height in px$"),
    "two of one name": (own_json(ring(1) * 2), r"camera cam_01 stands twice in the file"),
    "a field twice": ('{"cameras": [], "cameras": []}', r"the name 'cameras' stands twice in one object$"),
    "lists without end": ("[" * 100_000, r"is nested too deeply"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), BAD_JSON.values(), ids=BAD_JSON.keys())
def test_json_that_is_no_calibration_is_refused(tmp_path: Path, content: object, message: str) -> None:
    refused(tmp_path / "rig.json", content, message)


BAD_VIDEOPOSE3D = {
    "three numbers": ({"orientation": [1, 0, 0]}, r"orientation has shape \(3,\), expected \(4,\)$"),
    "no unit quaternion": ({"orientation": [1, 1, 0, 0]}, r"orientation has length 1.414, expected a unit quaternion"),
    "zeros": ({"orientation": [0, 0, 0, 0]}, r"orientation has length 0, expected a unit quaternion"),
    "no place": ({"translation": None}, r"has no translation; it has"),
    "no centre": ({"center": None}, r"has no center; it has"),
    "normalised": ({"focal_length": [2.29, 2.28], "center": [0.02, 0.03]}, r"focal_length is 2.29, which is a share"),
}


@pytest.mark.parametrize(("changes", "message"), BAD_VIDEOPOSE3D.values(), ids=BAD_VIDEOPOSE3D.keys())
def test_videopose3d_cameras_that_are_incomplete_are_refused(tmp_path: Path, changes: dict, message: str) -> None:
    entry = videopose3d_entry(ring(1)[0]) | changes
    entry = {name: value for name, value in entry.items() if value is not None}
    refused(tmp_path / "rig.json", {"S1": [entry]}, rf"cameras\['S1'\]\[0\]: {message}")


GOOD_TOML = toml_text(ring(1))


def without(name: str) -> str:
    return "\n".join(line for line in GOOD_TOML.splitlines() if not line.startswith(name))


BAD_TOML = {
    "no TOML": ("[cam_0", r"is not TOML: "),
    "no text": (b"\xff\xfe", r"byte 0 is not text, expected TOML in UTF-8$"),
    "no cameras": ("[metadata]\nerror = 0.0\n", r"holds no cameras$"),
    "a table twice": (GOOD_TOML + GOOD_TOML, r"is not TOML: "),
    "one name twice": (toml_text(ring(1) * 2), r"camera cam_01 stands twice in the file"),
    "no rotation": (without("rotation"), r"\[cam_0\]: has no rotation; it has 'name', 'size'"),
    "no translation": (without("translation"), r"\[cam_0\]: has no translation"),
    "a rotation matrix": (
        without("rotation").replace("[cam_0]", "[cam_0]\nrotation = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]"),
        r"\[cam_0\]: rotation has shape \(3, 3\), expected \(3,\)$",
    ),
    "NaN": (without("translation").replace("[cam_0]", "[cam_0]\ntranslation = [nan, 0, 0]"), r"translation holds a"),
    "a matrix of text": (without("matrix").replace("[cam_0]", '[cam_0]\nmatrix = "no"'), r"matrix is not an array of"),
    "a day": (without("translation").replace("[cam_0]", "[cam_0]\ntranslation = 1979-05-27"), r"translation is not an"),
    "fisheye is a number": (GOOD_TOML.replace("fisheye = false", "fisheye = 1"), r"fisheye is 1, expected true or"),
    "another unit": (toml_text(ring(1), 'unit = "px"'), r"\[metadata\]: unit is 'px', expected one of mm, cm, m$"),
    "lists without end": ("a = " + "[" * 100_000, r"is nested too deeply"),
    "digits without end": ("a = " + "1" * 10_000, r"is not TOML: "),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), BAD_TOML.values(), ids=BAD_TOML.keys())
def test_toml_that_is_no_calibration_is_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    refused(tmp_path / "calibration.toml", content, message)


GOOD_QCA = qca_camera(ring(1)[0])
LAUGHS = "<!DOCTYPE lolz [<!ENTITY lol 'lol'><!ENTITY lol2 '&lol;&lol;&lol;'>]>"

BAD_QCA = {
    "no XML": ("camera 1", r"is not XML: "),
    "cut off": (qca_text(GOOD_QCA)[:-20], r"is not XML: "),
    "no cameras": (qca_text(), r"holds no cameras$"),
    "an empty intrinsic": (
        qca_text("<camera serial='a'><intrinsic/></camera>"),
        r"camera 1: intrinsic has no focalLengthU; it is empty$",
    ),
    "no transform": (
        qca_text(GOOD_QCA.replace("<transform", "<place")),
        r"camera 1 has no transform; it has 'camera', 'fov_video', 'place'",
    ),
    "an empty camera": (qca_text("<camera serial='a'/>"), r"camera 1 has no intrinsic; it has 'camera'$"),
    "no serial": (qca_text(GOOD_QCA.replace('serial="cam_01"', "")), r"camera 1: serial: has no name"),
    "no r22": (qca_text(GOOD_QCA.replace("r22=", "r222=")), r"camera 1: transform has no r22; it has 'r11'"),
    "no number": (qca_text(GOOD_QCA.replace('x="', 'x="about ')), r"camera 1: transform: x is 'about .*expected a num"),
    "NaN": (qca_text(GOOD_QCA.replace('x="', 'x="nan" a="')), r"camera 1: transform holds a number that is not"),
    "a picture of nothing": (qca_text(GOOD_QCA.replace('right="999"', 'right="-1"')), r"fov_video is 0 x 1020, exp"),
    "two transforms": (qca_text(GOOD_QCA.replace("<intrinsic", "<transform/><intrinsic")), r"has two 'transform'$"),
    "one serial twice": (qca_text(GOOD_QCA, GOOD_QCA), r"camera cam_01 stands twice in the file"),
    "a mirror": (
        qca_text(qca_camera(Placed("a", np.zeros(3), np.diag([1.0, 1.0, -1.0])))),
        r"camera a: R is a reflection",
    ),
    "a document type": (f"<?xml version='1.0'?>\n{LAUGHS}{qca_text()[21:]}", r"line 2 declares a document type"),
    "entities in UTF-16": (
        f"<?xml version='1.0' encoding='utf-16'?>\n{LAUGHS}<a>&lol2;</a>".encode("utf-16"),
        r"line 2 declares a document type",
    ),
    "an external entity": (
        "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><calibration>&x;</calibration>",
        r"line 1 declares a document type",
    ),
    "an encoding that does not exist": ("<?xml version='1.0' encoding='klingon'?><a/>", r"is not XML: "),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), BAD_QCA.values(), ids=BAD_QCA.keys())
def test_xml_that_is_no_calibration_is_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    refused(tmp_path / "Calib.qca.txt", content, message)


@pytest.mark.checkout
def test_the_reader_of_the_example_reads_the_same(tmp_path: Path) -> None:
    """examples/make_pose2sim_example.py needs NumPy only, and so has a reader of its own."""
    script = Path(__file__).parents[1] / "examples" / "make_pose2sim_example.py"
    spec = importlib.util.spec_from_file_location("qca_reader_of_the_example", script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    path = tmp_path / "Calib.qca.txt"
    path.write_text(qca_text(*map(qca_camera, ring())))
    points = np.random.default_rng(0).uniform(-1000, 1000, (20, 3))
    for theirs, ours in zip(module.read_qca(path), pb.read_cameras(path).values(), strict=True):
        np.testing.assert_allclose(module.project(points, theirs), ours.project(points), atol=1e-9)


def test_deep_xml_is_no_trouble(tmp_path: Path) -> None:
    depth = 200_000
    refused(tmp_path / "Calib.qca.txt", "<a>" * depth + "</a>" * depth, r"holds no cameras$")


WHOLE = {
    "own.json": json.dumps(own_json(ring(2))),
    "panoptic.json": json.dumps(panoptic_json(ring(2))),
    "videopose3d.json": json.dumps({"S1": [videopose3d_entry(each) for each in ring(2)]}),
    "anipose.toml": toml_text(ring(2), 'unit = "m"'),
    "Calib.qca.txt": qca_text(*map(qca_camera, ring(2))),
}
SHRAPNEL = (
    b"null",
    b"[]",
    b"{}",
    b"1e400",
    b"1e308",
    b"NaN",
    b"inf",
    b'""',
    b"[[",
    b"1" * 400,
    b"<",
    b"&x;",
    b"\xff",
    b"\0",
)


@pytest.mark.parametrize("name", WHOLE)
def test_a_damaged_file_gives_cameras_or_one_sentence(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    answers = {"cameras": 0, "sentence": 0}
    for _ in range(150):
        content = bytearray(WHOLE[name].encode())
        at, length = int(rng.integers(len(content))), int(rng.integers(1, 20))
        match int(rng.integers(4)):
            case 0:
                content[at] = int(rng.integers(256))
            case 1:
                del content[at : at + length]
            case 2:
                content[at : at + length] = SHRAPNEL[int(rng.integers(len(SHRAPNEL)))]
            case 3:
                content[at] = int(rng.choice(list(b"0123456789-.")))
        (tmp_path / name).write_bytes(content)
        try:
            for camera in pb.read_cameras(tmp_path / name).values():
                camera.project(np.ones((2, 3)))
            answers["cameras"] += 1
        except pb.InputError as error:
            assert "\n" not in str(error)
            answers["sentence"] += 1
    assert min(answers.values()) > 5  # some damage does no harm, some does


@pytest.mark.parametrize("name", ["rig.json", "rig.toml", "rig.qca.txt"])
def test_a_file_that_is_too_large_is_not_opened(tmp_path: Path, name: str) -> None:
    with (tmp_path / name).open("wb") as file:
        file.truncate(2**33)
    with pytest.raises(pb.InputError, match=r"has 8589934592 bytes, a camera file has at most"):
        pb.read_cameras(tmp_path / name)


def test_a_folder_and_a_file_that_is_not_there_are_refused(tmp_path: Path) -> None:
    (tmp_path / "rig.json").mkdir()
    with pytest.raises(pb.InputError, match=r"rig\.json: is a folder, expected a camera file$"):
        pb.read_cameras(tmp_path / "rig.json")
    with pytest.raises(pb.InputError, match=r"rig\.toml: cannot be read: No such file or directory$"):
        pb.read_cameras(tmp_path / "rig.toml")


@pytest.mark.parametrize("name", ["rig.yml", "rig.txt", "rig.xml", "rig"])
def test_another_suffix_is_refused_with_those_that_are_known(tmp_path: Path, name: str) -> None:
    with pytest.raises(pb.UsageError, match=r"no camera file has this suffix; known are .json, .toml, .qca.txt$"):
        pb.read_cameras(tmp_path / name)


def test_another_unit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(pb.UsageError, match="there is no unit 'feet' for cameras"):
        pb.read_cameras(write_json(tmp_path / "rig.json", own_json(ring())), unit="feet")
