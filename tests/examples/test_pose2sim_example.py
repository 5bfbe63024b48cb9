"""The shipped Pose2Sim example is what its page says, and the script that makes it computes what it claims.

The data are read with NumPy alone, so that a mistake in a reader cannot hide one in the files.
"""

from __future__ import annotations

import importlib.util
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DATA = EXAMPLES / "data" / "pose2sim"
PREDICTIONS = ("pred_cam01_cam02", "pred_cam01_cam04")
JOINTS = [
    "pelvis", "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "spine", "thorax", "nose", "head",
    "LShoulder", "LElbow", "LWrist", "RShoulder", "RElbow", "RWrist",
]  # fmt: skip
FACTS = {"skeleton": "h36m17", "unit": "mm", "reference": "camera", "origin": "absolute", "dataset": "pose2sim-demo"}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    name = "make_pose2sim_example"
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


def load(name: str) -> dict[str, np.ndarray]:
    with np.load(DATA / f"{name}.npz", allow_pickle=False) as file:
        return dict(file)


def joint(poses: np.ndarray, name: str) -> np.ndarray:
    return poses[:, JOINTS.index(name)].astype(np.float64)


def root_centred_errors(pred: np.ndarray, gt: np.ndarray) -> np.ndarray:
    pred, gt = pred.astype(np.float64), gt.astype(np.float64)
    return np.linalg.norm((pred - pred[:, :1]) - (gt - gt[:, :1]), axis=-1)


# The shipped files


@pytest.mark.parametrize("name", ["gt", *PREDICTIONS])
def test_a_file_holds_what_a_native_pose_file_must(name: str) -> None:
    file = load(name)
    assert file["poses"].shape == (100, 17, 3) and file["poses"].dtype == np.float32
    assert {key: str(file[key]) for key in FACTS} == FACTS
    assert float(file["fps"]) == 60
    assert file["intrinsics"].shape == (3, 3)
    for key in ("subject", "action", "sequence", "camera"):
        assert file[key].shape == (100,) and len(set(file[key])) == 1
    assert set(file["action"]) == {"Balancing"} and set(file["camera"]) == {"cam01"}
    np.testing.assert_array_equal(file["frame"], np.arange(100))


def test_exactly_the_valid_joints_of_the_ground_truth_are_finite() -> None:
    file = load("gt")
    valid = file["valid"]
    assert valid.shape == (100, 17) and valid.dtype == np.bool_
    np.testing.assert_array_equal(np.isfinite(file["poses"]), np.repeat(valid[..., None], 3, axis=-1))
    assert valid[:, 0].all() and valid.mean() > 0.99


@pytest.mark.parametrize("name", PREDICTIONS)
def test_predictions_know_every_joint(name: str) -> None:
    file = load(name)
    assert np.isfinite(file["poses"]).all() and "valid" not in file


def page_table(heading: str) -> list[list[str]]:
    """Cells of the table of the page whose header starts with `heading`, header included."""
    lines = (DATA / "README.md").read_text(encoding="utf-8").splitlines()
    table = lines[next(i for i, line in enumerate(lines) if line.startswith(f"| {heading} |")) :]
    rows = table[: table.index("")]
    return [[cell.strip(" `") for cell in row.strip("|").split("|")] for row in rows if not row.startswith("|---")]


@pytest.mark.parametrize("name", PREDICTIONS)
def test_the_page_counts_the_joints_that_the_files_hold(name: str) -> None:
    """A held joint repeats the offset from the thorax that it has in another frame; a located one never does."""
    poses = load(name)["poses"]
    counts = {}
    for each in JOINTS:
        offsets = joint(poses, each) - joint(poses, "thorax")
        gaps = np.abs(offsets[:, None] - offsets[None]).max(-1)
        repeated = (np.tril(gaps <= 0.03, k=-1)).any(1)  # twice the rounding to 0.01 mm, and float32
        counts[each] = int(repeated.sum()) if each != "thorax" else 0
    header, *rows = page_table("held joint")
    stated = {row[0]: int(row[header.index(f"{name}.npz")]) for row in rows}
    assert stated == {each: count for each, count in counts.items() if count}
    header, *rows = page_table("prediction")
    (row,) = (row for row in rows if row[0] == f"{name}.npz")
    assert row[header.index("held joints")] == f"{sum(counts.values())} of 1700"


@pytest.mark.parametrize("name", PREDICTIONS)
def test_where_one_camera_saw_no_legs_they_are_held_from_the_frame_before(name: str) -> None:
    poses = load(name)["poses"]
    offsets = poses.astype(np.float64) - joint(poses, "thorax")[:, None]
    legs = list(range(JOINTS.index("spine") + 1))  # with pelvis and spine
    np.testing.assert_allclose(offsets[37, legs], offsets[36, legs], atol=0.03)


@pytest.mark.parametrize("name", ["gt", *PREDICTIONS])
@pytest.mark.parametrize("side", ["L", "R"])
def test_thighs_are_as_long_as_an_adult_has_them(name: str, side: str) -> None:
    poses = load(name)["poses"]
    thigh = np.nanmedian(np.linalg.norm(joint(poses, side + "Hip") - joint(poses, side + "Knee"), axis=-1))
    assert 350 < thigh < 480


@pytest.mark.parametrize("name", ["gt", *PREDICTIONS])
def test_the_person_stands_upright_in_front_of_the_camera(name: str) -> None:
    poses = load(name)["poses"]
    assert np.nanmin(poses[..., 2]) > 1000
    assert np.nanmax(joint(poses, "head")[:, 1] - joint(poses, "pelvis")[:, 1]) < 0
    feet = np.fmax(joint(poses, "LAnkle")[:, 1], joint(poses, "RAnkle")[:, 1])
    assert np.nanmin(feet - joint(poses, "pelvis")[:, 1]) > 0


def in_front(poses: np.ndarray, name: str, behind: tuple[str, str]) -> np.ndarray:
    """How far a joint lies before the middle of two others, where before is left × up of the body (right-handed)."""
    left = joint(poses, "LHip") - joint(poses, "RHip") + joint(poses, "LShoulder") - joint(poses, "RShoulder")
    forward = np.cross(left, joint(poses, "thorax") - joint(poses, "pelvis"))
    forward /= np.linalg.norm(forward, axis=-1, keepdims=True)
    offset = joint(poses, name) - (joint(poses, behind[0]) + joint(poses, behind[1])) / 2
    return np.sum(offset * forward, axis=-1)


def mirrored(poses: np.ndarray) -> np.ndarray:
    swapped = [{"L": "R", "R": "L"}.get(name[0], name[0]) + name[1:] for name in JOINTS]
    return poses[:, [JOINTS.index(name) for name in swapped]]


@pytest.mark.parametrize("name", ["gt", *PREDICTIONS])
@pytest.mark.parametrize("side", ["L", "R"])
def test_left_is_left_because_knees_bend_forwards(name: str, side: str) -> None:
    poses = load(name)["poses"]
    other = {"L": "R", "R": "L"}[side]
    bend = in_front(poses, side + "Knee", (side + "Hip", side + "Ankle"))
    swapped = in_front(mirrored(poses), other + "Knee", (other + "Hip", other + "Ankle"))
    np.testing.assert_allclose(swapped, -bend)  # so the criterion does tell the sides apart
    assert np.nanmedian(bend) > 50 and np.nanmin(bend) > 0


@pytest.mark.parametrize("name", ["gt", *PREDICTIONS])
def test_the_nose_lies_between_thorax_and_head(name: str) -> None:
    poses = load(name)["poses"]
    spine = joint(poses, "head") - joint(poses, "thorax")
    share = np.sum((joint(poses, "nose") - joint(poses, "thorax")) * spine, axis=-1) / np.sum(spine**2, axis=-1)
    assert 0 < np.nanmedian(share) < 0.3


@pytest.mark.parametrize("name", PREDICTIONS)
def test_predictions_differ_from_the_ground_truth_by_a_credible_amount(name: str) -> None:
    error = np.nanmean(root_centred_errors(load(name)["poses"], load("gt")["poses"]))
    assert 5 < error < 150


@pytest.mark.parametrize("name", PREDICTIONS)
def test_the_page_states_the_mpjpe_that_the_files_give(name: str) -> None:
    gt = load("gt")
    valid = gt["valid"] & gt["valid"][:, :1]
    errors = root_centred_errors(load(name)["poses"], gt["poses"])
    means = [frame[known].mean() for frame, known in zip(errors, valid, strict=True) if known.any()]
    header, *rows = page_table("prediction")
    (row,) = (row for row in rows if row[0] == f"{name}.npz")
    assert row[header.index("frames scored")] == str(len(means))
    assert row[header.index("MPJPE mm")] == f"{np.mean(means):.2f}"


def test_the_licence_and_its_copyright_notice_lie_beside_the_data() -> None:
    text = (DATA / "LICENSE.pose2sim").read_text(encoding="utf-8")
    assert "BSD 3-Clause License" in text and "Copyright (c) 2022, perfanalytics" in text


# The script


QCA_CAMERA = """<camera serial="{serial}">
  <transform r11="0" r12="1" r13="0" r21="0" r22="0" r23="1" r31="1" r32="0" r33="0" x="3000" y="20" z="1500"/>
  <intrinsic focalLengthU="64000" focalLengthV="70400" centerPointU="32000" centerPointV="64000"
   radialDistortion1="-6.4" radialDistortion2="1.28" tangentalDistortion1="0.064" tangentalDistortion2="-0.064"/>
</camera>"""


def qca(*cameras: str) -> str:
    return f"<calibration><cameras>{''.join(cameras)}</cameras></calibration>"


def test_a_qualisys_calibration_is_read(script: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "Calib.qca.txt"
    path.write_text(qca(QCA_CAMERA.format(serial="cam_02"), QCA_CAMERA.format(serial="cam_01")))
    cameras = script.read_qca(path)
    assert [camera.name for camera in cameras] == ["cam01", "cam02"]
    camera = cameras[0]
    np.testing.assert_allclose(camera.intrinsics, [[1000, 0, 500], [0, 1100, 1000], [0, 0, 1]])
    np.testing.assert_allclose(camera.distortion, [-0.1, 0.02, 0.001, -0.001])
    # It stands at x = 3 m and looks along -x with z up, so the world's origin lies 3 m before it and 1.5 m below.
    np.testing.assert_allclose(camera.to_camera(np.zeros(3)), [-20, 1500, 3000])
    np.testing.assert_allclose(camera.rotation @ camera.rotation.T, np.eye(3))
    assert np.linalg.det(camera.rotation) == pytest.approx(1)


@pytest.mark.parametrize(
    "text",
    ["no markup", qca(), qca(QCA_CAMERA.format(serial="cam_01").replace('r11="0"', "")), qca("<camera serial='a'/>")],
)
def test_what_is_no_calibration_is_refused(script: ModuleType, tmp_path: Path, text: str) -> None:
    path = tmp_path / "Calib.qca.txt"
    path.write_text(text)
    with pytest.raises(script.ExampleError, match=r"Calib\.qca\.txt"):
        script.read_qca(path)


def ring_of_cameras(script: ModuleType, count: int = 4) -> list:
    """Distorting cameras on a circle of 4 m around the origin, 1.5 m up, looking at a point 1 m up."""
    cameras = []
    for i in range(count):
        angle = 0.4 + 2 * np.pi * i / count
        position = np.array([4000 * np.cos(angle), 4000 * np.sin(angle), 1500.0])
        forward = np.array([0, 0, 1000.0]) - position
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(forward, right), forward])
        intrinsics = np.array([[1600.0 + i, 0, 540], [0, 1605, 960 + i], [0, 0, 1]])
        distortion = np.array([-0.12, 0.05, 0.002, -0.001])
        cameras.append(script.Camera(f"cam{i + 1:02d}", intrinsics, distortion, rotation, -rotation @ position))
    return cameras


def detect(script: ModuleType, points: np.ndarray, cameras: list, confidence: float = 0.8) -> np.ndarray:
    """What a perfect detector sees: (V, N, J, 3)."""
    pixels = np.stack([script.project(points, camera) for camera in cameras])
    return np.concatenate([pixels, np.full((*pixels.shape[:-1], 1), confidence)], axis=-1)


@pytest.fixture
def points() -> np.ndarray:
    return np.random.default_rng(0).uniform((-700, -700, 0), (700, 700, 1900), size=(6, 25, 3))


def test_undistort_inverts_distort(script: ModuleType) -> None:
    rays = np.random.default_rng(1).uniform(-0.5, 0.5, size=(200, 2))
    distortion = np.array([-0.12, 0.05, 0.002, -0.001])
    np.testing.assert_allclose(script.undistort(script.distort(rays, distortion), distortion), rays, atol=1e-12)


@pytest.mark.parametrize("count", [2, 4])
def test_points_are_recovered_through_distorting_cameras(script: ModuleType, points: np.ndarray, count: int) -> None:
    # Five on the circle, so that no two stand opposite each other.
    cameras = ring_of_cameras(script, 5)[:count]
    found = script.reconstruct(detect(script, points, cameras), cameras)
    assert np.linalg.norm(found.points - points, axis=-1).max() < 0.01
    assert found.used.all()


def test_refinement_lowers_the_reprojection_error_of_noisy_detections(script: ModuleType, points: np.ndarray) -> None:
    cameras = ring_of_cameras(script)
    detections = detect(script, points, cameras)
    detections[..., :2] += np.random.default_rng(2).normal(0, 5, size=detections.shape[:-1] + (2,))
    pixels, weights = script.undistorted(detections, cameras)
    start = points + 30
    refined = script.refine(start, pixels, weights, cameras)
    again = script.refine(refined, pixels, weights, cameras)

    def cost(where: np.ndarray) -> np.ndarray:
        return (script.reprojection_errors(where, pixels, cameras) ** 2 * weights**2).sum(0)

    assert (cost(refined) < cost(start)).all()
    assert np.abs(again - refined).max() < 1e-3


def test_a_joint_seen_by_one_camera_is_unknown(script: ModuleType, points: np.ndarray) -> None:
    cameras = ring_of_cameras(script)
    detections = detect(script, points, cameras)
    detections[1:, 2, 7, 2] = 0.1
    found = script.reconstruct(detections, cameras)
    assert np.argwhere(np.isnan(found.points).any(-1)).tolist() == [[2, 7]]


def test_one_view_that_disagrees_is_dropped(script: ModuleType, points: np.ndarray) -> None:
    cameras = ring_of_cameras(script)
    detections = detect(script, points, cameras)
    detections[2, 3, 9, :2] += 300
    found = script.reconstruct(detections, cameras)
    assert np.linalg.norm(found.points - points, axis=-1).max() < 0.01
    assert np.argwhere(~found.used).tolist() == [[2, 3, 9]]


def test_two_views_that_disagree_leave_the_joint_unknown(script: ModuleType, points: np.ndarray) -> None:
    cameras = ring_of_cameras(script, 5)[:2]
    detections = detect(script, points, cameras)
    detections[0, 0, 0, 1] += 400
    found = script.reconstruct(detections, cameras)
    assert np.argwhere(np.isnan(found.points).any(-1)).tolist() == [[0, 0]]


def test_the_person_on_whom_the_views_agree_is_chosen(script: ModuleType, points: np.ndarray) -> None:
    cameras = ring_of_cameras(script)
    detections = detect(script, points, cameras)
    stranger = detections + np.array([150.0, -80.0, 0.0])
    # In every other image the stranger is found first, and in one camera not at all.
    people = [
        [
            np.stack([other, own] if (v + n) % 2 and v < 3 else [own])
            for n, (other, own) in enumerate(zip(*pair, strict=True))
        ]
        for v, pair in enumerate(zip(stranger, detections, strict=True))
    ]
    np.testing.assert_array_equal(script.choose_people(people, cameras), detections)


def test_h36m_joints_are_the_named_detections_and_middles(script: ModuleType, points: np.ndarray) -> None:
    assert list(script.H36M17) == JOINTS
    body = {name: points[:, i] for i, name in enumerate(script.BODY_25B)}
    poses = script.to_h36m17(points)
    hips, shoulders = (body["LHip"] + body["RHip"]) / 2, (body["LShoulder"] + body["RShoulder"]) / 2
    np.testing.assert_allclose(joint(poses, "pelvis"), hips)
    np.testing.assert_allclose(joint(poses, "thorax"), shoulders)
    np.testing.assert_allclose(joint(poses, "spine"), (hips + shoulders) / 2)
    np.testing.assert_allclose(joint(poses, "nose"), body["UpperNeck"])
    np.testing.assert_allclose(joint(poses, "head"), body["HeadTop"])
    np.testing.assert_allclose(joint(poses, "RWrist"), body["RWrist"])


def test_thighs_out_of_range_stop_the_script(script: ModuleType, points: np.ndarray) -> None:
    with pytest.raises(script.ExampleError, match="thigh"):
        script.check_thighs(points * 100)


def standing(script: ModuleType) -> np.ndarray:
    """A person who faces +y with z up and the left at -x: (1, 25, 3) in mm."""
    centre = {"Hip": (90, 0, 900), "Knee": (90, 60, 500), "Ankle": (90, 0, 90), "Shoulder": (170, 0, 1450)}
    centre |= {"Ear": (70, 20, 1650), "Heel": (90, -40, 30), "BigToe": (90, 180, 30)}
    points = np.zeros((1, 25, 3))
    for index, name in enumerate(script.BODY_25B):
        x, y, z = centre.get(name[1:], (0, 0, 0))
        points[0, index] = (-x if name[0] == "L" else x, y, z)
    points[0, script.BODY_25B.index("Nose")] = (0, 140, 1620)
    return points


def test_left_and_right_swapped_stop_the_script(script: ModuleType) -> None:
    points = standing(script)
    script.check_sides(points)
    swap = [
        script.BODY_25B.index({"L": "R", "R": "L"}[name[0]] + name[1:]) if name[0] in "LR" else index
        for index, name in enumerate(script.BODY_25B)
    ]
    with pytest.raises(script.ExampleError, match="left and right"):
        script.check_sides(points[:, swap])


@pytest.mark.parametrize("name", ["Nose", "LKnee", "RKnee", "LBigToe", "RBigToe"])
def test_each_joint_that_faces_backwards_stops_the_script(script: ModuleType, name: str) -> None:
    points = standing(script)
    points[0, script.BODY_25B.index(name), 1] *= -1
    with pytest.raises(script.ExampleError, match=f"^{name} lies behind"):
        script.check_sides(points)


@pytest.fixture
def moving() -> np.ndarray:
    """Seven frames of 17 joints, each with an offset of its own from a body that moves."""
    rng = np.random.default_rng(3)
    return rng.normal(0, 400, size=(7, 17, 3)) + np.arange(7)[:, None, None] * 1000.0


WRIST, THORAX, PELVIS = (JOINTS.index(name) for name in ("RWrist", "thorax", "pelvis"))


def test_a_held_joint_keeps_its_offset_from_the_thorax(script: ModuleType, moving: np.ndarray) -> None:
    poses = moving.copy()
    poses[[1, 2, 3, 6], WRIST] = np.nan
    before = poses.copy()
    filled = script.hold(poses, "pred")
    for frame, nearest in ((1, 0), (2, 0), (3, 4), (6, 5)):  # frame 2 is as near to 0 as to 4
        expected = moving[frame, THORAX] + moving[nearest, WRIST] - moving[nearest, THORAX]
        np.testing.assert_allclose(filled[frame, WRIST], expected)
    known = np.isfinite(poses)
    np.testing.assert_array_equal(filled[known], moving[known])
    np.testing.assert_array_equal(poses, before)


def test_a_held_thorax_and_joints_without_one_go_by_the_pelvis(script: ModuleType, moving: np.ndarray) -> None:
    poses = moving.copy()
    poses[3, [THORAX, WRIST]] = np.nan
    filled = script.hold(poses, "pred")
    for index in (THORAX, WRIST):
        np.testing.assert_allclose(filled[3, index], moving[3, PELVIS] + moving[2, index] - moving[2, PELVIS])


def test_without_thorax_and_pelvis_a_joint_stays_where_it_was(script: ModuleType, moving: np.ndarray) -> None:
    poses = moving.copy()
    poses[[4, 5]] = np.nan
    filled = script.hold(poses, "pred")
    np.testing.assert_array_equal(filled[4], moving[3])
    np.testing.assert_array_equal(filled[5], moving[6])


def test_frames_without_the_thorax_give_no_offset_from_it(script: ModuleType, moving: np.ndarray) -> None:
    poses = moving.copy()
    poses[3, WRIST] = poses[2, THORAX] = np.nan
    expected = moving[3, THORAX] + moving[4, WRIST] - moving[4, THORAX]
    np.testing.assert_allclose(script.hold(poses, "pred")[3, WRIST], expected)


def test_a_joint_that_is_never_seen_stops_the_script(script: ModuleType, moving: np.ndarray) -> None:
    moving[:, WRIST] = np.nan
    with pytest.raises(script.ExampleError, match=r"^pred_cam03_cam04: these cameras never locate the joint 'RWrist'"):
        script.hold(moving, "pred_cam03_cam04")


@pytest.mark.parametrize("name", ["../out.json", "/etc/out.json", "a/../../out.json", "a\\..\\out.json", "C:/out.json"])
def test_unsafe_members_are_refused(script: ModuleType, tmp_path: Path, name: str) -> None:
    archive, target = tmp_path / "a.whl", tmp_path / "inside" / "target"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(name, "{}")
    with pytest.raises(script.ExampleError, match="unsafe"):
        script.extract(archive, target, lambda _: True)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a.whl"]


def test_links_and_oversized_members_are_refused(script: ModuleType, tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.json")
    link.external_attr = 0o120777 << 16
    for member, content, message in ((link, "/etc", "unsafe"), (zipfile.ZipInfo("big"), "0" * (1 << 21), "too large")):
        with zipfile.ZipFile(tmp_path / "a.whl", "w") as file:
            file.writestr(member, content, compress_type=zipfile.ZIP_DEFLATED)
        with pytest.raises(script.ExampleError, match=message):
            script.extract(tmp_path / "a.whl", tmp_path / "target", lambda _: True)


def test_only_wanted_members_are_extracted(script: ModuleType, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as file:
        for name in ("pose/cam01.0000.json", "pose/del_000000_0.json"):
            file.writestr(name, "{}")
    written = script.extract(tmp_path / "a.whl", tmp_path / "target", lambda name: "cam01" in name)
    assert written == [tmp_path / "target" / "pose" / "cam01.0000.json"] and written[0].is_file()


def test_stray_detections_are_not_wanted(script: ModuleType) -> None:
    folder = f"{script.TRIAL}/pose/cam03_json"
    assert script.DETECTIONS.fullmatch(f"{folder}/cam03.0000.json")
    assert not script.DETECTIONS.fullmatch(f"{folder}/del_000000_0.json")
    assert not script.DETECTIONS.fullmatch(f"{folder}/cam04.0000.json")


def test_another_wheel_is_refused_in_one_sentence(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = tmp_path / script.WHEEL
    wheel.write_bytes(b"not it")
    assert script.main(["--wheel", str(wheel), "--out", str(tmp_path / "out")]) == 2
    assert "sha256" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_same_arrays_give_the_same_bytes(script: ModuleType, tmp_path: Path) -> None:
    arrays = {"poses": np.arange(6, dtype=np.float32).reshape(1, 2, 3), "unit": np.asarray("mm")}
    for name in ("a.npz", "b.npz"):
        script.write_npz(tmp_path / name, arrays)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as file:
        assert {member.date_time for member in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["poses"], arrays["poses"])
