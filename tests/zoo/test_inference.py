"""Prediction: from pictures through boxes and crops to poses in the camera, and what is refused on the way."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("cv2")

from model_zoo import registry  # noqa: E402
from model_zoo.epipolarpose.detections import write_detections  # noqa: E402
from model_zoo.epipolarpose.inference import Prediction, fitting_batch, pose_set, predict  # noqa: E402
from model_zoo.epipolarpose.network import PoseNet, PoseNetConfig, save_network  # noqa: E402
from model_zoo.epipolarpose.pictures import choose_camera, open_source, read_boxes, read_root_depths  # noqa: E402
from model_zoo.epipolarpose.softargmax import Joints  # noqa: E402
from posebench import read, score  # noqa: E402
from posebench.errors import InputError, UsageError  # noqa: E402
from tests.cli import conftest  # noqa: E402
from tests.cli.conftest import refused  # noqa: E402
from tests.support.recordings import centroid, dot, write_video  # noqa: E402
from tests.support.zoo import SIZE, Footage, footage, standing  # noqa: E402

posebench = conftest.posebench

CONFIG = PoseNetConfig("resnet18", side=32, depth=4, channels=4)
S = CONFIG.side


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Oracle:
    """Stands in for a network: each time it is asked, it gives the next of its answers, and keeps the crops."""

    config = CONFIG

    def __init__(self, *answers: np.ndarray, confidence: list[np.ndarray] | float = 1.0) -> None:
        self.answers = list(answers)
        sure = confidence if isinstance(confidence, list) else [confidence] * len(answers)
        self.confidence = [np.full(each.shape[:2], said) for each, said in zip(answers, sure, strict=True)]
        self.crops: list[np.ndarray] = []

    def to(self, device: object) -> Oracle:
        return self

    def eval(self) -> Oracle:
        return self

    def __call__(self, crops):
        assert tuple(crops.shape[1:]) == (3, S, S)
        self.crops.append(crops.permute(0, 2, 3, 1).numpy().copy())
        return crops

    def joints_3d(self, crops) -> Joints:
        answer = self.answers.pop(0)
        assert len(answer) == len(crops)
        nothing = torch.zeros(0)
        return Joints(torch.from_numpy(answer), torch.from_numpy(self.confidence.pop(0)), nothing, nothing)


def in_crops(uvw: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Joints (N, 17, 3) of pictures as they are in crops, whose first pixel begins half a pixel before its middle."""
    seen = np.empty_like(uvw)
    for row, (left, top, side) in enumerate(boxes):
        seen[row, :, 0] = (uvw[row, :, 0] - left) / side * S - 0.5
        seen[row, :, 1] = (uvw[row, :, 1] - top) / side * S - 0.5
        seen[row, :, 2] = uvw[row, :, 2] / side * S
    return seen


def uvw_of(poses: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Pixels, and depths relative to the root in pixels, joint by joint."""
    found = np.empty(poses.shape)
    for row, (pose, k) in enumerate(zip(poses, K, strict=True)):
        for joint, point in enumerate(pose):
            found[row, joint, :2] = (k @ point)[:2] / point[2]
            found[row, joint, 2] = (point[2] - pose[0, 2]) / pose[0, 2] * np.sqrt(k[0, 0] * k[1, 1])
    return found


def boxes_about(points: np.ndarray) -> np.ndarray:
    """Squares 1.3 times as large as the joints (N, J, 2) need."""
    rows = []
    for low, high in zip(points.min(axis=1), points.max(axis=1), strict=True):
        side = 1.3 * max(high - low)
        rows.append([*((low + high) / 2 - side / 2), side])
    return np.array(rows)


def whole(n: int, width: int = SIZE, height: int = SIZE) -> np.ndarray:
    side = max(width, height)
    return np.tile([(width - side) / 2 - 0.5, (height - side) / 2 - 0.5, side], (n, 1))


def written(folder: Path) -> Footage:
    """Eight pictures of two instants, black, as a data set."""
    shown = footage({"S1/walk": standing(2)})
    shown.write(folder, "test")
    for path in (folder / "images").rglob("*.png"):
        PIL.Image.fromarray(np.zeros((SIZE, SIZE, 3), np.uint8)).save(path)
    return shown


def pictures(folder: Path, *names: str, size: tuple[int, int] = (64, 48)) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        PIL.Image.fromarray(np.zeros((size[1], size[0], 3), np.uint8)).save(folder / name)
    return folder


def camera_file(path: Path, *, dist: tuple[float, ...] = (), size: tuple[int, int] | None = None, n: int = 1) -> Path:
    camera = {"K": [[100.0, 0, 30], [0, 101, 25], [0, 0, 1]], "dist": list(dist), "R": np.eye(3).tolist(), "t": [0] * 3}
    if size is not None:
        camera["size"] = list(size)
    path.write_text(json.dumps({"unit": "mm", "cameras": [{"name": f"cam{i}", **camera} for i in range(n)]}))
    return path


@pytest.fixture(scope="module")
def network_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_network(path, PoseNet(CONFIG), half=False)
    return path


@pytest.fixture
def predicting(posebench, tmp_path, network_file):
    """`posebench zoo predict` with a network that nobody trained, into pred.npz."""

    def run(*arguments: object, model: Path = network_file) -> conftest.Run:
        pred = tmp_path / "pred.npz"
        return posebench("zoo", "predict", "--model", model, "--device", "cpu", "-o", pred, *arguments)

    return run


# Exactness


def test_true_joints_of_crops_become_the_poses_of_the_ground_truth(tmp_path) -> None:
    shown = written(tmp_path)
    uvw = uvw_of(shown.poses, shown.K)
    boxes = boxes_about(shown.joints)
    oracle = Oracle(in_crops(uvw, whole(len(shown))), in_crops(uvw, boxes))
    source = open_source(tmp_path)
    found = predict(oracle, source, device="cpu")
    np.testing.assert_allclose(found.box, boxes, atol=1e-9)
    depths = read_root_depths(tmp_path / "labels" / "test.npz", source)
    poses = pose_set(found, source, root_depth=depths)
    np.testing.assert_allclose(poses.poses, shown.poses, atol=1e-6)
    assert (poses.unit, poses.reference, poses.origin) == ("mm", "camera", "absolute")
    free = pose_set(found, source)
    assert free.unit == "scale-free"
    np.testing.assert_allclose(free.poses * shown.poses[:, :1, 2:], shown.poses, atol=1e-6)


def test_the_command_writes_what_score_matches_with_ground_truth(posebench, tmp_path, monkeypatch) -> None:
    shown = written(tmp_path)
    uvw = uvw_of(shown.poses, shown.K)
    oracle = Oracle(in_crops(uvw, whole(len(shown))), in_crops(uvw, boxes_about(shown.joints)))
    monkeypatch.setattr(registry, "open_model", lambda name: registry.Model("oracle", oracle, "0" * 64))
    monkeypatch.chdir(tmp_path)
    gt = "labels/test.npz"
    done = posebench("zoo", "predict", "--model", "oracle", "--images", ".", "--root-depth", gt, "--device", "cpu",
                     "-o", "pred.npz", "--draw", "drawn")  # fmt: skip
    assert done.code == 0, done.err
    assert done.out.splitlines()[0] == "pred.npz: 8 poses by oracle"
    report = score("pred.npz", gt)
    assert report.metrics["MPJPE"].value == pytest.approx(0, abs=1e-6)
    assert report.coverage.matched == "by subject, sequence, camera, frame"
    said = json.loads(Path("pred.json").read_text())
    assert (said["pictures"], said["root_depth"], said["unit"]) == (8, gt, "mm")
    assert len(list(Path("drawn").glob("*.png"))) == 8


def test_pictures_need_no_labels(tmp_path) -> None:
    shown = written(tmp_path)
    for path in (tmp_path / "labels").iterdir():
        path.unlink()
    answers = in_crops(uvw_of(shown.poses, shown.K), whole(8))
    found = predict(Oracle(answers, confidence=0.0), open_source(tmp_path), device="cpu")
    assert len(found) == 8


def test_given_boxes_and_a_camera_lead_to_the_pose_too(tmp_path) -> None:
    folder = pictures(tmp_path / "in", "a.png", "b.jpg")
    source = open_source(folder, camera=choose_camera(camera_file(tmp_path / "rig.json", size=(64, 48))))
    poses = standing(2) * 0.001 + [0, -1, 5]
    K = np.tile([[100.0, 0, 30], [0, 101, 25], [0, 0, 1]], (2, 1, 1))
    (tmp_path / "boxes.csv").write_text("picture,left,top,side\nb.jpg,3.5,2.25,40\na.png,-6,0,50.5\n")
    boxes = np.array([[-6, 0, 50.5], [3.5, 2.25, 40]])
    oracle = Oracle(in_crops(uvw_of(poses, K), boxes))
    found = predict(oracle, source, boxes=read_boxes(tmp_path / "boxes.csv"), device="cpu")
    (tmp_path / "depth.json").write_text(
        json.dumps(
            [{"picture": name, "root_depth": z} for name, z in zip(("a.png", "b.jpg"), poses[:, 0, 2], strict=True)]
        )
    )
    depths = read_root_depths(tmp_path / "depth.json", source)
    made = pose_set(found, source, root_depth=depths)
    np.testing.assert_allclose(made.poses, poses, atol=1e-6)
    assert made.sequence.values.tolist() == ["a.png", "b.jpg"]


def test_the_box_of_a_body_becomes_a_larger_square_about_its_middle(tmp_path) -> None:
    (tmp_path / "boxes.csv").write_text("frame,left,top,right,bottom\n0,10,20,30,70\n")
    ((left, top, side),) = read_boxes(tmp_path / "boxes.csv").by_place.values()
    np.testing.assert_allclose([left + side / 2, top + side / 2, side], [20, 45, 60])


@pytest.mark.parametrize("dist", [(), (-0.3, 0.1, 0.01, -0.01)], ids=["pinhole", "lens"])
def test_a_crop_shows_a_dot_where_its_ray_goes(tmp_path, dist) -> None:
    ray = np.array([0.13, -0.08])
    x, y = ray
    k1, k2, p1, p2 = dist or (0, 0, 0, 0)
    r2 = x * x + y * y
    bent = [x * (1 + k1 * r2 + k2 * r2**2) + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * (1 + k1 * r2 + k2 * r2**2) + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y]  # fmt: skip
    where = np.array([400 * bent[0] + 130, 400 * bent[1] + 110])
    (tmp_path / "in").mkdir()
    PIL.Image.fromarray(dot((256, 200), where, 6.0)).save(tmp_path / "in" / "a.png")
    camera = {"name": "c", "K": [[400.0, 0, 130], [0, 400, 110], [0, 0, 1]], "dist": list(dist)}
    camera |= {"R": np.eye(3).tolist(), "t": [0, 0, 0]}
    (tmp_path / "rig.json").write_text(json.dumps([camera]))
    (tmp_path / "boxes.csv").write_text("picture,left,top,side\na.png,120.3,40.7,80\n")
    oracle = Oracle(np.full((1, 17, 3), 5.0))
    source = open_source(tmp_path / "in", camera=choose_camera(tmp_path / "rig.json"))
    predict(oracle, source, boxes=read_boxes(tmp_path / "boxes.csv"), device="cpu")
    expected = (400 * ray + [130, 110] - [120.3, 40.7]) * S / 80 - 0.5
    np.testing.assert_allclose(centroid(oracle.crops[0][0]), expected, atol=0.15)


# The network's own boxes


def test_joints_that_the_network_doubts_make_no_box(tmp_path) -> None:
    folder = pictures(tmp_path / "in", "a.png")
    rng = np.random.default_rng(0)
    joints = rng.uniform(5, 25, (1, 17, 3)) * [1, 1, 0]
    confidence = np.where(np.arange(17) < 4, 0.9, 0.09)[None]
    oracle = Oracle(joints, joints, confidence=[confidence, confidence])
    found = predict(oracle, open_source(folder, fov=60), device="cpu")
    in_picture = (joints[..., :2] + 0.5) * 64 / S + [-0.5, -8.5]
    np.testing.assert_allclose(found.box, boxes_about(in_picture[:, :4]), atol=1e-9)


def test_a_box_smaller_than_a_tenth_of_the_picture_is_no_persons(tmp_path) -> None:
    folder = pictures(tmp_path / "in", "a.png", "b.png")
    # In crops of 32 px, with the margin: boxes of 3.12 and of 3.25 px.
    joints = np.full((2, 17, 3), 10.0)
    joints[:, 3, 1] += [2.4, 2.5]
    found = predict(Oracle(joints, joints[1:]), open_source(folder, fov=60), device="cpu")
    assert found.whole.tolist() == [True, False]


def test_where_no_person_is_found_the_whole_picture_is_taken(tmp_path) -> None:
    folder = pictures(tmp_path / "in", "a.png", "b.png")
    joints = np.random.default_rng(0).uniform(5, 25, (2, 17, 3))
    confidence = np.array([[0.05] * 17, [0.9] * 17])
    oracle = Oracle(joints, joints[1:], confidence=[confidence, confidence[1:]])
    found = predict(oracle, open_source(folder, fov=60), device="cpu")
    assert found.whole.tolist() == [True, False]
    np.testing.assert_allclose(found.box[0], whole(1, 64, 48)[0])
    np.testing.assert_allclose(found.joints[0, :, :2], (joints[0, :, :2] + 0.5) * 64 / S + [-0.5, -8.5])


def test_detections_give_the_boxes_of_a_data_set(posebench, tmp_path, monkeypatch) -> None:
    shown = written(tmp_path)
    uvw = uvw_of(shown.poses, shown.K)
    source = open_source(tmp_path)
    write_detections(shown.found(), source.view, tmp_path / "found.npz")
    oracle = Oracle(in_crops(uvw, boxes_about(shown.joints)))
    monkeypatch.setattr(registry, "open_model", lambda name: registry.Model("oracle", oracle, "0" * 64))
    pred = tmp_path / "pred.npz"
    done = posebench("zoo", "predict", "--model", "oracle", "--images", tmp_path, "--boxes", tmp_path / "found.npz",
                     "--device", "cpu", "-o", pred)  # fmt: skip
    assert done.code == 0, done.err
    scaled = read(pred).poses * shown.poses[:, :1, 2:]
    np.testing.assert_allclose(scaled, shown.poses, atol=1e-6)


# What is marked, masked and counted


def test_an_assumed_field_of_view_spans_the_longer_side_and_is_marked(tmp_path) -> None:
    source = open_source(pictures(tmp_path / "in", "a.png", size=(48, 64)), fov=90)
    found = predict(Oracle(np.full((1, 17, 3), 5.0), confidence=0.0), source, device="cpu")
    np.testing.assert_allclose(found.intrinsics, [[[32, 0, 23.5], [0, 32, 31.5], [0, 0, 1]]])
    poses = pose_set(found, source)
    assert poses.dataset == "pictures with an assumed field of view of 90 degrees"


def test_joints_behind_the_camera_are_masked(tmp_path) -> None:
    source = open_source(pictures(tmp_path / "in", "a.png"), fov=90)
    uvw = np.full((1, 17, 3), 10.0)
    uvw[0, 4, 2] = -1000.0
    found = predict(Oracle(uvw, confidence=0.0), source, device="cpu")
    poses = pose_set(found, source)
    assert np.flatnonzero(~poses.valid[0]).tolist() == [4]
    assert np.isfinite(poses.poses).all()


def test_the_root_lies_at_its_depth_whatever_the_network_says_of_it(tmp_path) -> None:
    source = open_source(pictures(tmp_path / "in", "a.png"), fov=90)
    uvw = np.random.default_rng(0).uniform(8, 12, (1, 17, 3))
    found = predict(Oracle(uvw, confidence=0.0), source, device="cpu")
    assert pose_set(found, source, root_depth=np.array([4000.0])).poses[0, 0, 2] == pytest.approx(4000)


def test_the_number_of_pictures_at_a_time_changes_nothing(tmp_path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(5):
        PIL.Image.fromarray(rng.integers(0, 256, (40 + i, 50, 3), np.uint8)).save(folder / f"{i}.png")
    network = PoseNet(CONFIG)
    told = []

    def tell(*words: object) -> None:
        told.append(words)

    runs = [
        predict(
            network, open_source(folder, fov=60), device="cpu", batch=batch, progress=lambda *told_: told.append(told_)
        )
        for batch in (1, 2, 32)
    ]
    for run in runs[1:]:
        np.testing.assert_allclose(run.joints, runs[0].joints, atol=1e-3)
    assert [done for done, _, _ in told] == [1, 2, 3, 4, 5, 2, 4, 5, 5]
    assert {total for _, total, _ in told} == {5}


def test_more_memory_takes_more_crops_up_to_a_limit(monkeypatch) -> None:
    config = PoseNetConfig()
    one = 3 * 4 * 17 * 64 * 64 * 64
    for free, crops in ((0, 1), (40 * one, 10), (10**13, 32)):
        monkeypatch.setattr("model_zoo.epipolarpose.inference._free_memory", lambda device, free=free: free)
        assert fitting_batch(config, torch.device("cpu")) == crops


# Videos


def test_frames_of_a_video_are_numbered_from_0(tmp_path) -> None:
    video = write_video(tmp_path / "walk.mp4", [np.full((48, 64, 3), value, np.uint8) for value in (0, 90, 200)])
    source = open_source(video, fov=60)
    oracle = Oracle(np.full((3, 17, 3), 9.0), confidence=0.0)
    poses = pose_set(predict(oracle, source, device="cpu"), source)
    assert poses.frame.tolist() == [0, 1, 2]
    assert poses.sequence.names == ("walk",)
    middles = [crop[S // 2, S // 2].mean() for crop in oracle.crops[0]]
    np.testing.assert_allclose(middles, [0, 90, 200], atol=6)


def test_a_truncated_video_is_refused(predicting, tmp_path) -> None:
    rng = np.random.default_rng(0)
    video = write_video(tmp_path / "walk.avi", [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(20)])
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    run = predicting("--images", video, "--assume-fov", 60)
    refused(run, "walk.avi", "truncated")
    assert not (tmp_path / "pred.npz").exists()


# Refusals


def test_the_command_predicts_from_a_picture(predicting, tmp_path) -> None:
    folder = pictures(tmp_path / "in", "a.png")
    run = predicting("--images", folder / "a.png", "--assume-fov", 60)
    assert run.code == 0, run.err
    poses = read(tmp_path / "pred.npz")
    assert (len(poses), poses.unit, poses.skeleton.name) == (1, "scale-free", "h36m17")
    assert "assumed field of view" in poses.dataset
    assert json.loads((tmp_path / "pred.json").read_text())["intrinsics"] == "assumed: field of view 60 degrees"


def test_without_intrinsics_there_is_no_pose(predicting, tmp_path) -> None:
    run = predicting("--images", pictures(tmp_path / "in", "a.png"))
    refused(run, "--camera FILE", "--assume-fov DEGREES")


def test_a_folder_without_pictures_is_refused(predicting, tmp_path) -> None:
    run = predicting("--images", pictures(tmp_path / "in"), "--assume-fov", 60)
    refused(run, "holds no pictures", ".png")


def test_a_path_that_is_not_there_is_refused(predicting, tmp_path) -> None:
    refused(predicting("--images", tmp_path / "nothing", "--assume-fov", 60), "is missing")


def test_a_damaged_picture_is_named(predicting, tmp_path) -> None:
    folder = pictures(tmp_path / "in", "a.png", "b.png")
    (folder / "b.png").write_bytes((folder / "b.png").read_bytes()[:60])
    refused(predicting("--images", folder, "--assume-fov", 60), "b.png", "no whole picture")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("picture,left,top,side\nc.png,0,0,9\n", ("no box for 'a.png'",)),
        ("picture,left,top,side\na.png,0,0,9\nc.png,0,0,9\n", ("'c.png'", "does not hold")),
        ("picture,left,top,side\na.png,nan,0,9\n", ("row 1: left", "expected a number")),
        ("picture,left,top,side\na.png,0,0,0\n", ("side 0", "no box")),
        ("picture,left,top,right,bottom\na.png,9,9,3,20\n", ("right 3", "no box")),
        ("picture,left,top,side\na.png,500,0,9\n", ("a.png", "outside")),
        ("picture,left,top,side\na.png,0,0,9\na.png,0,0,9\n", ("'a.png' stands twice",)),
        ("picture,x,y\na.png,0,0\n", ("'x'", "expected picture or frame, left, top, side")),
        ("", ("holds no rows",)),
    ],
)
def test_a_table_of_boxes_is_held_against_the_pictures(predicting, tmp_path, table, words) -> None:
    folder = pictures(tmp_path / "in", "a.png")
    (tmp_path / "boxes.csv").write_text(table)
    run = predicting("--images", folder, "--assume-fov", 60, "--boxes", tmp_path / "boxes.csv")
    refused(run, *words)


def test_boxes_in_json_must_be_a_list_of_rows(tmp_path) -> None:
    path = tmp_path / "boxes.json"
    for text, words in (
        ("{", "no table"),
        ("[1]", "no rows"),
        ('[{"picture": "a", "left": true, "top": 1, "side": 1}]', "left"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=words):
            read_boxes(path)


def test_boxes_of_a_data_set_are_detections(predicting, tmp_path) -> None:
    written(tmp_path)
    (tmp_path / "boxes.csv").write_text("frame,left,top,side\n0,0,0,9\n")
    run = predicting("--images", tmp_path, "--boxes", tmp_path / "boxes.csv")
    refused(run, "detections")
    folder = pictures(tmp_path / "in", "a.png")
    run = predicting("--images", folder, "--assume-fov", 60, "--boxes", tmp_path / "x.npz")
    refused(run, ".csv or .json")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("picture,root_depth\na.png,-4\n", ("'a.png' is -4", "expected mm")),
        ("picture,root_depth\nb.png,4000\n", ("no depth for 'a.png'",)),
    ],
)
def test_root_depths_are_held_against_the_pictures(predicting, tmp_path, table, words) -> None:
    folder = pictures(tmp_path / "in", "a.png")
    (tmp_path / "depths.csv").write_text(table)
    run = predicting("--images", folder, "--assume-fov", 60, "--root-depth", tmp_path / "depths.csv")
    refused(run, *words)


def test_poses_that_state_no_root_depth_give_none(predicting, tmp_path) -> None:
    shown = written(tmp_path)
    poses = pose_set(
        Prediction(shown.joints[..., [0, 1, 1]] * 0 + 1, np.ones((8, 17)), np.ones((8, 3)), np.ones(8, bool), shown.K),
        open_source(tmp_path),
    )
    import posebench as pb

    pb.write(poses, tmp_path / "free.npz")
    run = predicting("--images", tmp_path, "--root-depth", tmp_path / "free.npz")
    refused(run, "free.npz", "states no root_depth")


def test_poses_that_stand_in_the_camera_say_how_deep_their_roots_are(predicting, tmp_path) -> None:
    import posebench as pb

    folder = pictures(tmp_path / "in", "a.png")
    there = np.full((1, 17, 3), 100.0)
    there[0, 0] = [40.0, 20.0, 4321.0]
    known = pb.PoseSet(there, skeleton="h36m17", unit="mm", reference="camera", origin="absolute", sequence=["a.png"])
    pb.write(known, tmp_path / "known.npz")
    run = predicting("--images", folder, "--assume-fov", 60, "--root-depth", tmp_path / "known.npz")
    assert run.code == 0, run.err
    assert pb.read(tmp_path / "pred.npz").poses[0, 0, 2] == pytest.approx(4321.0, rel=1e-5)


def test_a_file_that_is_no_network_is_refused(predicting, tmp_path) -> None:
    from safetensors.torch import save_file

    folder = pictures(tmp_path / "in", "a.png")
    other = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, other)
    refused(predicting("--images", folder, "--assume-fov", 60, model=other), "holds no posebench")
    other.write_bytes(b"nonsense")
    refused(predicting("--images", folder, "--assume-fov", 60, model=other), "no whole safetensors")
    run = predicting("--images", folder, "--assume-fov", 60, model=Path("nobody"))
    refused(run, "there is no model 'nobody'")


def test_a_network_with_other_joints_is_refused(tmp_path) -> None:
    network = PoseNet(PoseNetConfig("resnet18", joints=2, side=32, depth=4, channels=4))
    with pytest.raises(UsageError, match="has 2 joints, expected the 17"):
        predict(network, open_source(pictures(tmp_path / "in", "a.png"), fov=60), device="cpu")


def test_weights_that_give_no_numbers_are_refused(tmp_path) -> None:
    source = open_source(pictures(tmp_path / "in", "a.png"), fov=60)
    with pytest.raises(InputError, match="no numbers"):
        predict(Oracle(np.full((1, 17, 3), np.nan)), source, device="cpu")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--device", "tpu"), ("no device 'tpu'", "cpu")),
        (("--batch", 0), ("--batch is 0",)),
        (("--assume-fov", 200), ("--assume-fov is 200", "1 to 170")),
        (("--split", "test"), ("no data set", "--split test")),
        (("--camera-name", "c"), ("--camera-name c needs --camera",)),
        (("--refine",), ("no refinement unit",)),
        (("-o", "pred.csv"), ("not called .npz",)),
    ],
)
def test_options_that_do_not_fit_are_refused(predicting, tmp_path, arguments, words) -> None:
    folder = pictures(tmp_path / "in", "a.png")
    refused(predicting("--images", folder, "--assume-fov", 60, *arguments), *words)


def test_a_graphics_card_that_is_not_there_is_refused(monkeypatch) -> None:
    from model_zoo.epipolarpose.inference import find_device

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(UsageError, match="no device 'cuda' here; there are auto, "):
        find_device("cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert find_device("auto") == torch.device("cuda:0")
    assert find_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(UsageError, match="cuda:2"):
        find_device("cuda:2")


def test_intrinsics_are_said_once(predicting, tmp_path) -> None:
    folder = pictures(tmp_path / "in", "a.png")
    rig = camera_file(tmp_path / "rig.json")
    refused(predicting("--images", folder, "--camera", rig, "--assume-fov", 60), "leave one out")
    written(tmp_path)
    refused(predicting("--images", tmp_path, "--assume-fov", 60), "knows its intrinsics")


def test_the_camera_is_chosen_and_must_be_that_of_the_pictures(predicting, tmp_path) -> None:
    folder = pictures(tmp_path / "in", "a.png")
    rig = camera_file(tmp_path / "rig.json", size=(32, 32), n=2)
    run = predicting("--images", folder, "--camera", rig)
    refused(run, "several cameras", "'cam0', 'cam1'")
    run = predicting("--images", folder, "--camera", rig, "--camera-name", "x")
    refused(run, "no camera x")
    run = predicting("--images", folder, "--camera", rig, "--camera-name", "cam1")
    refused(run, "a.png: has 64 × 48 px", "32 × 32")


def test_an_input_is_not_replaced(predicting, tmp_path) -> None:
    folder = pictures(tmp_path / "in", "a.png")
    depths = tmp_path / "pred.json"
    depths.write_text('[{"picture": "a.png", "root_depth": 4000}]')
    run = predicting("--images", folder, "--assume-fov", 60, "--root-depth", depths)
    refused(run, "it is the input")
