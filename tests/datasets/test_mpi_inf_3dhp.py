"""MPI-INF-3DHP as released: annot.mat with cells by camera, camera.calibration, the test set's folders."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from posebench.datasets import mpi_inf_3dhp
from posebench.datasets.mpi_inf_3dhp import (
    CHEST_CAMERAS,
    iter_3dhp_train,
    read_3dhp_calibration,
    read_3dhp_test,
    read_3dhp_train,
)
from posebench.errors import InputError, UsageError
from posebench.io import child
from tests.support.forking import forking
from tests.support.matlab import save5, save73

FRAMES = 7
#: Places of the test set's 17 joints among the 28, as the release's mpii_get_joint_set.m lists them (from 1).
RELEVANT = [8, 6, 15, 16, 17, 10, 11, 12, 24, 25, 26, 19, 20, 21, 5, 4, 7]
SAVES = pytest.mark.parametrize("save", [save5, save73])


@pytest.fixture(scope="module", autouse=True)
def quick():
    """What these tests say of files holds in whatever process they are parsed."""
    if sys.platform == "win32":
        yield
        return
    with forking() as run, pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "run", run)
        yield


def cell(items):
    array = np.empty(len(items), object)
    for i, item in enumerate(items):
        array[i] = item
    return array


def annotations(frames=FRAMES, seed=0):
    """A row x1, y1, z1, x2, ... per frame for each of 14 cameras, in mm."""
    rng = np.random.default_rng(seed)
    own = [rng.uniform(-1000, 4000, (frames, 84)) for _ in range(14)]
    return {
        "annot2": cell([rng.uniform(0, 2048, (frames, 56)) for _ in range(14)]),
        "annot3": cell(own),
        "univ_annot3": cell([1.25 * rows for rows in own]),
        "cameras": np.arange(14, dtype=np.uint8)[None],
        "frames": np.arange(frames, dtype=np.float64)[:, None],
    }


def sequence(root, variables, subject="S1", name="Seq1", save=save5):
    folder = root / subject / name
    folder.mkdir(parents=True)
    save(folder / "annot.mat", variables)
    return folder


def place(camera):
    """A calibration that is another for each camera: turned about y, then moved."""
    angle = 0.3 * camera
    R = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    return np.array(R), np.array([10.0 * camera, -1325.5, 4562.25])


def calibration(folder, cameras=range(14)):
    """camera.calibration as the release spells it, trailing blanks and all."""
    lines = ["Skeletool Camera Calibration File V1.0"]
    for camera in cameras:
        R, t = place(camera)
        K = np.eye(4)
        K[:2, :3] = [[1497.693, 0, 1024.704], [0, 1497.103, 1051.394 + camera]]
        E = np.eye(4)
        E[:3, :3], E[:3, 3] = R, t
        lines += [
            f"name          {camera}",
            "  sensor      10 10",
            "  size        2048 2048",
            "  animated    0",
            "  intrinsic   " + " ".join(repr(float(value)) for value in K.ravel()) + " ",
            "  extrinsic   " + " ".join(repr(float(value)) for value in E.ravel()) + " ",
            "  radial      0",
        ]
    path = folder / "camera.calibration"
    path.write_text("\n".join(lines) + "\n")
    return path


# Training


@SAVES
def test_the_chest_cameras_of_a_sequence_become_poses(save, tmp_path):
    content = annotations()
    sequence(tmp_path, content, save=save)
    poses = read_3dhp_train(tmp_path)
    assert len(poses) == 5 * FRAMES
    for i, camera in enumerate((0, 2, 4, 7, 8)):
        for frame in range(FRAMES):
            row = content["annot3"][camera][frame]
            expected = [row[3 * (joint - 1) : 3 * joint] for joint in RELEVANT]
            np.testing.assert_array_equal(poses.poses[i * FRAMES + frame], expected)
    assert poses.camera.values.tolist() == [f"Cam{camera}" for camera in CHEST_CAMERAS for _ in range(FRAMES)]
    assert poses.frame.tolist() == list(range(FRAMES)) * 5
    assert (poses.subject.names, poses.sequence.names, poses.action) == (("S1",), ("Seq1",), None)
    assert (poses.skeleton.name, poses.unit, poses.reference, poses.origin) == ("3dhp17", "mm", "camera", "absolute")
    assert (poses.fps, poses.dataset, poses.intrinsics) == (25, "3dhp", None)


def test_cells_belong_to_the_cameras_that_the_file_names(tmp_path):
    content = annotations()
    content["cameras"] = content["cameras"][:, ::-1]
    sequence(tmp_path, content)
    poses = read_3dhp_train(tmp_path, cameras=[13], skeleton="3dhp28")
    np.testing.assert_array_equal(poses.poses, content["annot3"][0].reshape(FRAMES, 28, 3))


def test_a_stride_keeps_the_numbers_of_the_frames(tmp_path):
    content = annotations()
    sequence(tmp_path, content)
    poses = read_3dhp_train(tmp_path, cameras=[4], stride=3, skeleton="3dhp28")
    assert poses.frame.tolist() == [0, 3, 6]
    np.testing.assert_array_equal(poses.poses, content["annot3"][4][[0, 3, 6]].reshape(3, 28, 3))


def test_bones_of_one_size_are_read_where_they_are_asked_for(tmp_path):
    content = annotations()
    calibration(sequence(tmp_path, content))
    poses = read_3dhp_train(tmp_path, cameras=[2], universal=True, skeleton="3dhp28")
    np.testing.assert_array_equal(poses.poses, content["univ_annot3"][2].reshape(FRAMES, 28, 3))
    assert poses.intrinsics is None  # they do not fit the pictures


def test_annotations_behind_the_end_of_the_videos_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setitem(mpi_inf_3dhp.SEQUENCES, ("S1", "Seq1"), (5, 25))
    sequence(tmp_path, annotations())
    poses = read_3dhp_train(tmp_path, cameras=[0, 1])
    assert poses.frame.tolist() == [0, 1, 2, 3, 4] * 2
    assert poses.notes == (f"{tmp_path / 'S1/Seq1/annot.mat'}: 2 annotations behind the end of the videos left out",)
    assert read_3dhp_train(tmp_path, cameras=[0], stride=4).frame.tolist() == [0, 4]


def test_sequences_of_two_frame_rates_are_joined_without_one(tmp_path):
    for name in ("Seq1", "Seq2"):
        sequence(tmp_path, annotations(), name=name)
    assert [part.fps for part in iter_3dhp_train(tmp_path, cameras=[0])] == [25, 50]
    joined = read_3dhp_train(tmp_path, cameras=[0])
    assert (joined.fps, len(joined)) == (None, 2 * FRAMES)


def test_a_calibration_beside_the_annotations_goes_with_the_poses(tmp_path):
    calibration(sequence(tmp_path, annotations()))
    poses = read_3dhp_train(tmp_path, cameras=[8, 2])
    R, t = place(2)
    np.testing.assert_allclose(poses.extrinsics[FRAMES], np.column_stack([R, t]), atol=1e-9)
    assert poses.intrinsics[0].tolist() == [[1497.693, 0, 1024.704], [0, 1497.103, 1059.394], [0, 0, 1]]


def damaged(change):
    content = annotations()
    change(content)
    return content


@SAVES
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda held: held["annot3"].__setitem__(4, held["annot3"][4][:-2]),
            "annot3 has 5 frames of camera 4 and 7 of camera 0, expected as many from every camera",
        ),
        (
            lambda held: held["annot3"].__setitem__(2, held["annot3"][2][:, :81]),
            "annot3 of camera 2 has 81 columns, expected 84: x, y, z of 28 joints",
        ),
        (lambda held: held.pop("annot3"), "has no variable 'annot3'; it has "),
        (lambda held: held.pop("frames"), "has no variable 'frames'; it has "),
        (lambda held: held.pop("cameras"), "has no variable 'cameras'; it has "),
        (
            lambda held: held.update(frames=np.arange(9.0)[:, None]),
            "'frames' has 9 numbers for 7 rows of annot3, expected one for each",
        ),
        (
            lambda held: held.update(cameras=np.arange(3.0)[None]),
            "annot3 has 14 cells and 'cameras' 3 numbers, expected as many",
        ),
        (
            lambda held: held.update(annot3=np.zeros((7, 84))),
            "'annot3' is no cell array, expected one matrix per camera",
        ),
        (
            lambda held: held["annot3"][7].__setitem__((3, 5), np.nan),
            "row 3 lacks joints: it holds a number that is not finite",
        ),
    ],
)
def test_what_is_wrong_with_annotations_is_named(change, said, save, tmp_path):
    folder = sequence(tmp_path, damaged(change), save=save)
    with pytest.raises(InputError) as caught:
        read_3dhp_train(tmp_path)
    assert str(caught.value).startswith(f"{folder / 'annot.mat'}: {said}")


@SAVES
@pytest.mark.parametrize("share", [0.01, 0.5, 0.97])
def test_annotations_that_are_cut_off_are_one_sentence(share, save, tmp_path):
    path = sequence(tmp_path, annotations(), save=save) / "annot.mat"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError) as caught:
        read_3dhp_train(tmp_path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_wrong_folder_says_what_is_expected_and_where_it_comes_from(tmp_path):
    folder = sequence(tmp_path, annotations())
    with pytest.raises(InputError, match=r"expected the folder above S1 to S8; get it with get_dataset\.sh"):
        read_3dhp_train(folder)
    with pytest.raises(InputError, match=r"S2/Seq1: has no annot\.mat; choose others with subjects="):
        read_3dhp_train(tmp_path, subjects=["S2"])


@pytest.mark.parametrize(
    "choice",
    [{"subjects": ["S9"]}, {"subjects": "S1"}, {"cameras": [14]}, {"cameras": []}, {"cameras": [0, 0]}]
    + [{"stride": 0}, {"skeleton": "h36m17"}],
)
def test_choices_that_do_not_exist_are_refused(choice, tmp_path):
    with pytest.raises(UsageError):
        read_3dhp_train(tmp_path, **choice)


# Cameras


def test_the_calibration_projects_as_its_matrices_do(tmp_path):
    cameras = read_3dhp_calibration(calibration(tmp_path))
    assert list(cameras) == [f"Cam{i}" for i in range(14)]
    R, t = place(9)
    point = np.array([120.0, 900.0, 300.0])
    seen = R @ point + t
    pixel = [1497.693 * seen[0] / seen[2] + 1024.704, 1497.103 * seen[1] / seen[2] + 1060.394]
    np.testing.assert_allclose(cameras["Cam9"].project(point), pixel, atol=1e-6)
    assert (cameras["Cam9"].unit, cameras["Cam9"].size) == ("mm", (2048, 2048))


def test_a_calibration_that_is_cut_off_is_refused_by_line(tmp_path):
    path = calibration(tmp_path, range(2))
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:13]))
    with pytest.raises(InputError, match=r"before line 14: the camera has no line 'extrinsic' with 16 numbers"):
        read_3dhp_calibration(path)
    path.write_text("\n".join([*lines[:13], lines[13][:80]]))
    with pytest.raises(InputError, match="no line 'extrinsic' with 16 numbers"):
        read_3dhp_calibration(path)
    path.write_text("cameras: 14\n")
    with pytest.raises(InputError, match="does not begin with 'Skeletool Camera Calibration File'"):
        read_3dhp_calibration(path)


def test_a_calibration_without_a_camera_of_the_annotations_is_refused(tmp_path):
    calibration(sequence(tmp_path, annotations()), range(4))
    with pytest.raises(InputError, match=r"camera\.calibration: has no camera Cam4, which annot\.mat beside it has"):
        read_3dhp_train(tmp_path)


# Test set


def write_test_set(root, names=("TS1", "TS2", "TS3", "TS4", "TS5", "TS6")):
    """annot_data.mat as MATLAB -v7.3 writes it: HDF5, axes reversed."""
    arrays = {}
    for i, name in enumerate(names):
        (root / name).mkdir(parents=True)
        arrays[name] = np.random.default_rng(i).uniform(-900, 3000, (3, 17, 1, 4))
        content = {
            "annot2": arrays[name][:2],
            "annot3": arrays[name] * 0.9,
            "univ_annot3": arrays[name],
            "valid_frame": np.array([[1, 1, 0, 1]]).T,
            "activity_annotation": np.full((4, 1), 1 + i),
        }
        save73(root / name / "annot_data.mat", content)
    return arrays


@pytest.mark.parametrize("below", [".", "mpi_inf_3dhp_test_set"])
def test_the_test_set_is_the_valid_frames_of_six_sequences(below, tmp_path):
    arrays = write_test_set(tmp_path / below)
    poses = read_3dhp_test(tmp_path)
    assert poses.subject.values.tolist() == [name for name in arrays for _ in range(3)]
    assert poses.frame.tolist() == [0, 1, 3] * 6
    expected = [array[:, :, 0, frame].T for array in arrays.values() for frame in (0, 1, 3)]
    np.testing.assert_array_equal(poses.poses, expected)
    assert (poses.dataset, poses.skeleton.name) == ("3dhp", "3dhp17")


def test_a_test_set_without_a_sequence_says_which(tmp_path):
    write_test_set(tmp_path, ("TS1", "TS2", "TS4", "TS5", "TS6"))
    with pytest.raises(InputError, match=r"holds no annot_data\.mat of TS3, expected TS1/annot_data\.mat to TS6"):
        read_3dhp_test(tmp_path)
    with pytest.raises(InputError, match="holds none of the test sequences"):
        read_3dhp_test(tmp_path / "TS1")
