"""Human3.6M in its seven layouts: small files of the same names and structure, as the release and others write them."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from posebench.datasets import h36m
from posebench.datasets.h36m import (
    CAMERAS,
    damaged_h36m,
    iter_h36m,
    locate_h36m,
    read_h36m,
    read_h36m_cameras,
)
from posebench.errors import InputError, MissingExtraError, UsageError
from posebench.io import child
from posebench.protocols import get_protocol
from tests.support.forking import forking
from tests.support.layouts import integral_list, standing, toolbox_list

cdfwrite = pytest.importorskip("cdflib.cdfwrite")

FRAMES = 7
#: Places of H36M-17 among the 32 joints, as the field counts them.
IN_32 = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
ACTIONS = ["Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases", "Sitting"]
ACTIONS += ["SittingDown", "Smoking", "TakingPhoto", "Waiting", "Walking", "WalkingDog", "WalkTogether"]


@pytest.fixture(scope="module", autouse=True)
def quick():
    """What these tests say of files holds in whatever process they are parsed."""
    if sys.platform == "win32":
        yield
        return
    with forking() as run, pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "run", run)
        yield


def rows(frames=FRAMES, seed=0, columns=96):
    return np.random.default_rng(seed).uniform(-900, 5000, (frames, columns)).astype(np.float32)


def write_cdf(path, poses, variable="Pose", majority="row_major", compress=6):
    """One record that holds all frames, as MATLAB's cdfwrite leaves it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    spec = {"Majority": majority, "Encoding": 6, "rDim_sizes": [], "Checksum": False, "Compressed": 0}
    # cdflib puts bytes down as they come, so an array by columns has to be turned before.
    data = poses if majority == "row_major" else np.ascontiguousarray(poses.T).reshape(poses.shape)
    file = cdfwrite.CDF(str(path), cdf_spec=spec)
    facts = {"Variable": variable, "Data_Type": 44, "Num_Elements": 1, "Rec_Vary": True, "Compress": compress}
    file.write_var(facts | {"Dim_Sizes": list(poses.shape)}, var_data=data[None])
    file.close()
    return path


def mono(root, subject="S9", sequence="Greeting", names=CAMERAS, folder="D3_Positions_mono", **options):
    """One clip with a file per camera; what each camera holds, (frames, 96)."""
    held = {}
    for i, name in enumerate(names):
        held[name] = rows(seed=i + 1)
        write_cdf(root / subject / "MyPoseFeatures" / folder / f"{sequence}.{name}.cdf", held[name], **options)
    return held


def world(root, subject="S9", sequence="Greeting", seed=0):
    held = rows(seed=seed)
    write_cdf(root / subject / "MyPoseFeatures" / "D3_Positions" / f"{sequence}.cdf", held)
    return held.reshape(FRAMES, 32, 3)


def metadata(root, seed=1):
    """metadata.xml with cameras of its own for each subject: angles and places, then lenses."""
    rng = np.random.default_rng(seed)
    placed = np.concatenate([rng.uniform(-3, 3, (4, 11, 3)), rng.uniform(-5000, 5000, (4, 11, 3))], axis=2)
    lenses = np.tile([1145.0, 1143.75, 512.5, 515.5, -0.207, 0.247, -0.003, -0.0014, -0.00098], (4, 1))
    lenses[:, 2] += np.arange(4)
    numbers = " ".join(repr(float(value)) for value in np.concatenate([placed.ravel(), lenses.ravel()]))
    path = root / "metadata.xml"
    path.write_text(f'<?xml version="1.0"?>\n<metadata><actionnames/>\n<w0>[{numbers}]</w0>\n</metadata>\n')
    return path, placed, lenses


def axis_rotation(axis, angle):
    """The rotation about an axis by Rodrigues' formula: another way than by three written matrices."""
    x, y, z = np.eye(3)[axis]
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def in_camera(points, place):
    """R (x - T), point by point."""
    R = axis_rotation(0, place[0]) @ axis_rotation(1, place[1]) @ axis_rotation(2, place[2])
    return np.array([[R @ (point - place[3:]) for point in pose] for pose in points.astype(np.float64)])


# Poses of cameras


@pytest.mark.parametrize("majority", ["row_major", "column_major"])
def test_the_release_by_camera_becomes_poses(majority, tmp_path):
    held = mono(tmp_path, majority=majority)
    poses = read_h36m(tmp_path, subjects=["S9"], stride=3)
    assert len(poses) == 4 * 3
    for i, name in enumerate(CAMERAS):
        for j, frame in enumerate((0, 3, 6)):
            row = held[name][frame]
            expected = [row[3 * joint : 3 * joint + 3] for joint in IN_32]
            np.testing.assert_array_equal(poses.poses[3 * i + j], expected)
    assert poses.camera.values.tolist() == [name for name in CAMERAS for _ in range(3)]
    assert poses.frame.tolist() == [0, 3, 6] * 4
    assert (poses.subject.names, poses.action.names, poses.sequence.names) == (("S9",), ("Greeting",), ("Greeting",))
    assert (poses.skeleton.name, poses.unit, poses.reference, poses.origin) == ("h36m17", "mm", "camera", "absolute")
    assert (poses.fps, poses.dataset, poses.poses.dtype, poses.intrinsics) == (50, "h36m", np.float32, None)


def test_all_32_joints_of_chosen_cameras_come_where_they_are_asked_for(tmp_path):
    held = mono(tmp_path, sequence="Walking 1")
    poses = read_h36m(tmp_path, subjects=["S9"], camera_names=[CAMERAS[2]], stride=1, skeleton="h36m32")
    np.testing.assert_array_equal(poses.poses, held[CAMERAS[2]].reshape(FRAMES, 32, 3))
    assert poses.skeleton.name == "h36m32"


@pytest.mark.parametrize(
    "folder",
    [
        "S1/MyPoseFeatures/D3_Positions_mono",
        "S1/Poses_D3_Positions_mono",
        "D3_Positions_mono_S1/S1/MyPoseFeatures/D3_Positions_mono",
        "archives/D3_Positions_mono_S1/S1/MyPoseFeatures/D3_Positions_mono",
    ],
)
def test_folders_as_archives_and_scripts_leave_them_are_found(folder, tmp_path):
    for name in CAMERAS:
        write_cdf(tmp_path / folder / f"TakingPhoto 1.{name}.cdf", rows())
    write_cdf(tmp_path / folder / f"_ALL 1.{CAMERAS[0]}.cdf", rows())
    poses = read_h36m(tmp_path, subjects=["S1"])
    assert (poses.action.names, poses.sequence.names, len(poses)) == (("Photo",), ("Photo 1",), 4)


def test_clips_come_one_at_a_time_by_subject_and_action(tmp_path):
    mono(tmp_path, "S9", "WalkingDog 1")
    mono(tmp_path, "S9", "Eating")
    mono(tmp_path, "S11", "Eating 2")
    clips = [(clip.subject.names, clip.action.names, len(clip)) for clip in iter_h36m(tmp_path, subjects=["S9", "S11"])]
    assert sorted(clips) == [(("S11",), ("Eating",), 4), (("S9",), ("Eating",), 4), (("S9",), ("WalkDog",), 4)]
    assert read_h36m(tmp_path, subjects=["S9"], actions=["WalkDog"]).sequence.names == ("WalkDog 1",)


def test_bones_of_one_size_are_a_reference_of_their_own(tmp_path):
    held = mono(tmp_path, folder="D3_Positions_mono_universal")
    poses = read_h36m(tmp_path, subjects=["S9"], reference="universal", skeleton="h36m32", stride=1)
    np.testing.assert_array_equal(poses.poses[:FRAMES], held[CAMERAS[0]].reshape(FRAMES, 32, 3))
    with pytest.raises(InputError, match="has no poses in the reference camera, which takes D3_Positions_mono, or"):
        read_h36m(tmp_path, subjects=["S9"])


def test_world_poses_become_those_of_cameras_by_the_calibration(tmp_path):
    points = world(tmp_path)
    _, placed, _ = metadata(tmp_path)
    poses = read_h36m(tmp_path, subjects=["S9"], stride=1, skeleton="h36m32")
    for i in range(4):
        expected = in_camera(points, placed[i, 9 - 1])
        np.testing.assert_allclose(poses.poses[i * FRAMES : (i + 1) * FRAMES], expected, atol=2e-3)
    R, t = poses.extrinsics[FRAMES][:, :3], poses.extrinsics[FRAMES][:, 3]
    np.testing.assert_allclose(points[0] @ R.T + t, poses.poses[FRAMES], atol=2e-3)
    assert poses.intrinsics[2 * FRAMES, 0].tolist() == [1145, 0, 514.5]


def test_poses_of_cameras_have_the_calibration_that_lies_beside_them(tmp_path):
    held = mono(tmp_path)
    path, placed, _ = metadata(tmp_path)
    poses = read_h36m(tmp_path, subjects=["S9"], cameras=read_h36m_cameras(path), stride=1)
    np.testing.assert_array_equal(poses.poses[0], held[CAMERAS[0]][0].reshape(32, 3)[IN_32])
    R, t = poses.extrinsics[0][:, :3], poses.extrinsics[0][:, 3]
    np.testing.assert_allclose(-R.T @ t, placed[0, 8, 3:], atol=1e-6)


# World poses


def h5(root, sequence="Photo 1"):
    held = rows().reshape(FRAMES, 32, 3)
    path = root / "S9/MyPoses/3D_positions" / f"{sequence}.h5"
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        # Frames are columns: x, y, z of the first joint, then of the second.
        file["3D_positions"] = np.stack([pose.ravel() for pose in held], axis=1)
    return held, "Photo 1"


def npz(root):
    held = rows().reshape(FRAMES, 32, 3)
    table = {"S1": {"Eating": np.zeros((2, 32, 3), np.float32) + held[:2] / 1000}, "S9": {"Photo 1": held / 1000}}
    np.savez_compressed(root / "data_3d_h36m.npz", positions_3d=np.array(table, object))
    return held, "Photo 1"


def joint_list(root):
    held = rows().reshape(FRAMES, 32, 3)
    (root / "annotations").mkdir()
    frames = {str(i): pose[IN_32].tolist() for i, pose in enumerate(held)}
    (root / "annotations/Human36M_subject9_joint_3d.json").write_text(json.dumps({"12": {"1": frames}}))
    return held, "Photo subact 1"


def cdf(root):
    return world(root, sequence="TakingPhoto 1"), "Photo 1"


@pytest.mark.parametrize("write", [cdf, h5, npz, joint_list])
def test_every_layout_gives_the_same_world(write, tmp_path):
    held, sequence = write(tmp_path)
    poses = read_h36m(tmp_path, subjects=["S9"], reference="world", stride=2)
    np.testing.assert_allclose(poses.poses, held[::2][:, IN_32], rtol=1e-6)
    assert poses.frame.tolist() == [0, 2, 4, 6]
    assert (poses.subject.names, poses.action.names, poses.sequence.names) == (("S9",), ("Photo",), (sequence,))
    assert (poses.camera, poses.unit, poses.reference, poses.fps, poses.dataset) == (None, "mm", "world", 50, "h36m")


def test_the_archive_of_world_poses_is_read_by_its_own_path(tmp_path):
    npz(tmp_path)
    assert len(read_h36m(tmp_path / "data_3d_h36m.npz", subjects=["S1", "S9"], reference="world")) == 2
    with pytest.raises(InputError, match=r"holds no poses of S11, only of S1, S9"):
        read_h36m(tmp_path, subjects=["S11"], reference="world")


def test_world_poses_without_a_calibration_are_no_poses_of_cameras(tmp_path):
    world(tmp_path)
    with pytest.raises(InputError, match=r"holds world poses \(world\) and no calibration; put metadata\.xml"):
        read_h36m(tmp_path, subjects=["S9"])


def test_seventeen_joints_cannot_become_thirty_two(tmp_path):
    joint_list(tmp_path)
    with pytest.raises(InputError, match="holds 17 joints, so h36m32 cannot be read; ask for h36m17"):
        read_h36m(tmp_path, subjects=["S9"], reference="world", skeleton="h36m32")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"17": {}}, "actions 2 to 16, got '17'"),
        ({"2": {"1": {"0": [[0, 0, 0]] * 17, "2": [[0, 0, 0]] * 17}}}, "frames 0, 1, 2 and so on; Directions subact 1"),
        ({"2": {"1": {"0": [[0, 0, 0]] * 16}}}, "a frame of Directions subact 1 is not 17 joints"),
        ([], "holds a list, expected an object"),
    ],
)
def test_what_is_wrong_with_a_list_of_joints_is_named(table, said, tmp_path):
    (tmp_path / "Human36M_subject9_joint_3d.json").write_text(json.dumps(table))
    with pytest.raises(InputError, match=said):
        read_h36m(tmp_path, subjects=["S9"], reference="world")


def test_an_archive_of_something_else_is_refused(tmp_path):
    np.savez(tmp_path / "data_3d_h36m.npz", poses=np.zeros((2, 17, 3)))
    with pytest.raises(InputError, match=r"is not VideoPose3D's data_3d_h36m\.npz as its converter writes it"):
        read_h36m(tmp_path, subjects=["S9"], reference="world")


def test_an_h5_file_without_positions_says_what_it_has(tmp_path):
    h5(tmp_path)
    path = tmp_path / "S9/MyPoses/3D_positions/Photo 1.h5"
    with h5py.File(path, "w") as file:
        file["other"] = np.zeros((96, 3))
    with pytest.raises(InputError, match=r"has no dataset '3D_positions'; .*other"):
        read_h36m(tmp_path, subjects=["S9"], reference="world")


# Pickled lists


def toolbox(path, keys, seed=0):
    """A list of H36M-Toolbox with these rows; its poses in mm."""
    held = 1000 * standing(len(keys), seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(toolbox_list(held, keys, (np.eye(3), np.zeros(3)))))
    return held


def test_pickled_lists_of_a_folder_give_the_clips_of_all_cameras(tmp_path):
    toolbox(tmp_path / "annot/h36m_train.pkl", [(1, 2, 1, 0, 1)])
    rows = [(9, 5, 2, camera, picture) for camera in range(4) for picture in (1, 2, 65)] + [(11, 14, 1, 2, 1)]
    held = toolbox(tmp_path / "annot/h36m_validation.pkl", rows)
    found = locate_h36m(tmp_path)
    assert found.missing == ()
    assert "  pkl: h36m_train.pkl, h36m_validation.pkl" in found.report.splitlines()
    poses = read_h36m(found, subjects=["S9", "S11"])
    np.testing.assert_array_equal(poses.poses, held[[0, 2, 3, 5, 6, 8, 9, 11, 12]])
    assert poses.camera.values.tolist() == [name for name in CAMERAS for _ in range(2)] + [CAMERAS[2]]
    assert poses.frame.tolist() == [0, 64] * 4 + [0]
    assert poses.sequence.names == ("Greeting subact 2", "Walking subact 1")
    assert (poses.unit, poses.reference, poses.fps, poses.dataset) == ("mm", "camera", 50, "h36m")
    assert damaged_h36m(poses).tolist() == [True] * 8 + [False]
    one = read_h36m(found, subjects=["S9"], camera_names=[CAMERAS[3]], stride=1)
    np.testing.assert_array_equal(one.poses, held[9:12])
    assert read_h36m(found, subjects=["S11"], actions=["Walking"]).action.values.tolist() == ["Walking"]


def test_a_list_of_frames_drawn_by_chance_is_read_by_its_path_with_every_frame(tmp_path):
    held = 1000 * standing(2)
    names = [f"s_11_act_02_subact_01_ca_02_{number:06d}.jpg" for number in (8, 99)]
    path = tmp_path / "HM36_valid_w256xh256_keypoint_db_sample40.pkl"
    path.write_bytes(pickle.dumps(integral_list(held, names)))
    poses = read_h36m(path, subjects=["S11"], stride=1)
    np.testing.assert_array_equal(poses.poses, held)
    assert (poses.frame.tolist(), poses.camera.names) == ([7, 98], (CAMERAS[1],))
    with pytest.raises(InputError, match=r"holds none of every 64 frames; .* so read them with stride=1"):
        read_h36m(path, subjects=["S11"])
    with pytest.raises(InputError, match="holds no poses of S9, only of S11; choose them with subjects="):
        read_h36m(path, subjects=["S9", "S11"], stride=1)
    with pytest.raises(InputError, match="holds 17 joints, so h36m32 cannot be read; ask for h36m17"):
        read_h36m(path, subjects=["S11"], skeleton="h36m32")
    with pytest.raises(InputError, match="has no poses in the reference world"):
        read_h36m(path, subjects=["S11"], reference="world")


def test_a_pickle_of_something_else_is_no_list(tmp_path):
    (tmp_path / "h36m_train.pkl").write_bytes(pickle.dumps({"poses": np.zeros((2, 17, 3))}))
    with pytest.raises(InputError, match=r"is no list of Human3\.6M's pictures with their subject, action and camera"):
        read_h36m(tmp_path, subjects=["S1"])


# Damaged clips


def test_the_three_damaged_clips_are_flagged_and_those_that_a_protocol_skips(tmp_path):
    for i, action in enumerate(["Greeting", "SittingDown", "Waiting", "Walking"]):
        for j, number in enumerate(["", " 1", " 2"]):
            world(tmp_path, sequence=action + number, seed=3 * i + j)
    poses = read_h36m(tmp_path, subjects=["S9"], reference="world", stride=5)
    flagged = {str(name) for name in poses.sequence.values[damaged_h36m(poses)]}
    assert flagged == {"Greeting", "SittingDown 1", "Waiting 1"}
    selection = get_protocol("h36m-learnable-triangulation").selection
    np.testing.assert_array_equal(damaged_h36m(poses), ~selection.rows(poses))
    assert "S9 Greeting, SittingDown 1, Waiting 1 (6 poses) is shifted against the pictures" in poses.notes[-1]


def test_other_subjects_have_no_damaged_clips(tmp_path):
    world(tmp_path, "S11", "Greeting")
    poses = read_h36m(tmp_path, subjects=["S11"], reference="world")
    assert not damaged_h36m(poses).any()
    assert poses.notes == ()
    with pytest.raises(InputError, match="has no subject and sequence keys"):
        damaged_h36m(poses.replace(subject=None))


# What is there


def whole(root, layout):
    """Empty files of everything that a layout has: 7 subjects, 15 actions of two clips each."""
    for subject in ("S1", "S5", "S6", "S7", "S8", "S9", "S11"):
        folder = root / subject / "MyPoseFeatures" / layout
        folder.mkdir(parents=True)
        for action in ACTIONS:
            for number in (" 1", " 2"):
                for end in [f".{name}" for name in CAMERAS] if "mono" in layout else [""]:
                    (folder / f"{action}{number}{end}.cdf").touch()


def test_nothing_is_missing_of_a_whole_release(tmp_path):
    whole(tmp_path, "D3_Positions_mono")
    found = locate_h36m(tmp_path)
    assert found.missing == ()
    assert found.report.splitlines()[1:] == ["  mono: 210 clips of S1, S5, S6, S7, S8, S9, S11", "  calibration: none"]


def test_what_is_missing_is_said_with_where_it_comes_from(tmp_path):
    whole(tmp_path, "D3_Positions_mono")
    features = tmp_path / "S5/MyPoseFeatures/D3_Positions_mono"
    (features / f"Eating 1.{CAMERAS[1]}.cdf").unlink()
    for name in CAMERAS:
        (features / f"Waiting 2.{name}.cdf").unlink()
    for path in (tmp_path / "S11/MyPoseFeatures/D3_Positions_mono").iterdir():
        path.unlink()
    found = locate_h36m(tmp_path)
    assert found.missing == (
        "mono: no files of S11",
        "mono: S5 has 1 of 2 clips of Waiting",
        "mono: S5 Eating 1 lacks camera 55011271",
    )
    assert "missing, mono: no files of S11" in found.report
    assert "get it from vision.imar.ro/human3.6m" in found.report
    with pytest.raises(InputError, match="holds no poses of S11 in the layout mono, only of S1, S5"):
        read_h36m(found, subjects=["S11"])


def test_world_poses_miss_a_calibration(tmp_path):
    whole(tmp_path, "D3_Positions")
    assert locate_h36m(tmp_path).missing[0].startswith("no calibration: metadata.xml or")
    metadata(tmp_path)
    assert locate_h36m(tmp_path).missing == ()


@pytest.mark.parametrize("below", ["S9", "S9/MyPoseFeatures", "S9/MyPoseFeatures/D3_Positions_mono"])
def test_a_folder_inside_of_the_data_is_told_from_its_root(below, tmp_path):
    mono(tmp_path)
    with pytest.raises(InputError, match=f"{Path(below).name} is inside of it, give the folder above the subjects"):
        locate_h36m(tmp_path / below)


def test_a_wrong_folder_says_what_is_looked_for(tmp_path):
    with pytest.raises(InputError, match=r"holds nothing of Human3\.6M that is read, such as .*; get it from vision"):
        read_h36m(tmp_path)
    with pytest.raises(InputError, match=r"is no folder, expected the one that holds Human3\.6M's subjects"):
        read_h36m(tmp_path / "nowhere")


def test_a_clip_of_another_name_is_refused(tmp_path):
    write_cdf(tmp_path / "S9/MyPoseFeatures/D3_Positions_mono/Swimming 1.54138969.cdf", rows())
    with pytest.raises(InputError, match=r"Swimming 1\.54138969\.cdf: is no clip of Human3\.6M by its name"):
        locate_h36m(tmp_path)


@pytest.mark.parametrize(
    "choice",
    [{"subjects": ["S2"]}, {"subjects": "S9"}, {"subjects": []}, {"actions": ["Swimming"]}, {"stride": 0}]
    + [{"camera_names": ["1"]}, {"reference": "room"}, {"skeleton": "coco17"}],
)
def test_choices_that_do_not_exist_are_refused(choice, tmp_path):
    mono(tmp_path)
    with pytest.raises(UsageError):
        read_h36m(tmp_path, **choice)


# Damaged files


def test_cameras_with_other_numbers_of_frames_are_refused(tmp_path):
    mono(tmp_path)
    folder = tmp_path / "S9/MyPoseFeatures/D3_Positions_mono"
    path = folder / f"Greeting.{CAMERAS[2]}.cdf"
    path.unlink()
    write_cdf(path, rows(FRAMES - 1))
    with pytest.raises(InputError) as caught:
        read_h36m(tmp_path, subjects=["S9"])
    assert str(caught.value).startswith(f"{path}: has 6 frames and Greeting.54138969.cdf has 7, expected as many from")


def test_a_clip_without_a_camera_is_refused(tmp_path):
    mono(tmp_path, names=CAMERAS[:3])
    with pytest.raises(InputError, match=r"D3_Positions_mono: Greeting lacks camera 60457274; get it from"):
        read_h36m(tmp_path, subjects=["S9"])
    assert len(read_h36m(tmp_path, subjects=["S9"], camera_names=CAMERAS[:3])) == 3


def only(tmp_path, poses, **options):
    path = tmp_path / "S9/MyPoseFeatures/D3_Positions/Greeting.cdf"
    write_cdf(path, poses, **options)
    return path


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (64, r"has 64 numbers per frame, expected 96: x, y, z of 32 joints; it holds another feature"),
        (93, r"has 93 numbers per frame, expected 96: .*, or lacks joints"),
    ],
)
def test_other_features_and_missing_joints_are_refused(columns, said, tmp_path):
    only(tmp_path, rows(columns=columns))
    with pytest.raises(InputError, match=said):
        read_h36m(tmp_path, subjects=["S9"], reference="world")


@pytest.mark.parametrize("number", [np.nan, -1e30])
def test_numbers_that_are_no_coordinates_are_refused(number, tmp_path):
    poses = rows()
    poses[5, 40] = number
    path = only(tmp_path, poses)
    with pytest.raises(InputError) as caught:
        read_h36m(tmp_path, subjects=["S9"], reference="world", stride=1)
    assert str(caught.value).startswith(f"{path}: row 5 holds a number that is no coordinate in mm")


def test_a_file_without_poses_says_what_it_has(tmp_path):
    path = only(tmp_path, rows(), variable="Angles")
    with pytest.raises(InputError) as caught:
        read_h36m(tmp_path, subjects=["S9"], reference="world")
    assert str(caught.value) == f"{path}: has no variable 'Pose'; it has Angles"


@pytest.mark.parametrize("compress", [0, 6])
def test_every_file_that_is_cut_off_is_one_sentence(compress, tmp_path):
    path = only(tmp_path, rows(2), compress=compress)
    content = path.read_bytes()
    for length in [*range(0, 400, 23), *range(400, len(content), 131), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(InputError) as caught:
            read_h36m(tmp_path, subjects=["S9"], reference="world")
        assert str(caught.value).startswith(f"{path}: is "), length
        assert "\n" not in str(caught.value)


def test_a_file_of_another_format_is_refused(tmp_path):
    only(tmp_path, rows()).write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(3000))
    with pytest.raises(InputError, match=r"is no \.cdf file of version 2\.6 or later"):
        read_h36m(tmp_path, subjects=["S9"], reference="world")


def test_the_release_asks_for_cdflib_where_it_is_not_there(tmp_path, monkeypatch):
    world(tmp_path)
    monkeypatch.setattr(h36m.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"needs the package cdflib: pip install 'posebench-hpe\[io\]'"):
        read_h36m(tmp_path, subjects=["S9"], reference="world")


# Calibration


def test_metadata_projects_as_the_vector_says(tmp_path):
    path, placed, lenses = metadata(tmp_path)
    cameras = read_h36m_cameras(path)
    assert len(cameras) == 7 * 4
    # A point before the second camera of S11, chosen in the camera and moved into the world.
    place = placed[1, 10]
    R = axis_rotation(0, place[0]) @ axis_rotation(1, place[1]) @ axis_rotation(2, place[2])
    seen = np.array([300.0, -200.0, 4000.0])
    fx, fy, cx, cy, k1, k2, k3, p1, p2 = lenses[1]
    x, y = seen[:2] / seen[2]
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    pixel = [
        fx * (x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)) + cx,
        fy * (y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y) + cy,
    ]
    camera = cameras["S11/55011271"]
    np.testing.assert_allclose(camera.project(R.T @ seen + place[3:]), pixel, atol=1e-6)
    assert (camera.unit, camera.size, camera.subject) == ("mm", (1000, 1000), "S11")


def test_a_table_of_the_calibration_says_the_same_as_metadata(tmp_path):
    path, placed, lenses = metadata(tmp_path)
    table = {"intrinsics": {}, "extrinsics": {"S9": {}}}
    for i, name in enumerate(CAMERAS):
        fx, fy, cx, cy, k1, k2, k3, p1, p2 = lenses[i].tolist()
        lens = {"calibration_matrix": [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], "distortion": [k1, k2, p1, p2, k3]}
        table["intrinsics"][name] = lens
        a = placed[i, 8]
        R = axis_rotation(0, a[0]) @ axis_rotation(1, a[1]) @ axis_rotation(2, a[2])
        table["extrinsics"]["S9"][name] = {"R": R.tolist(), "t": (-R @ a[3:])[:, None].tolist()}
    other = tmp_path / "camera-parameters.json"
    other.write_text(json.dumps(table))
    one, two = read_h36m_cameras(path), read_h36m_cameras(other)
    point = one["S9/54138969"].to_world([100.0, 50.0, 3000.0])
    np.testing.assert_allclose(two["S9/54138969"].project(point), one["S9/54138969"].project(point), atol=1e-6)
    del table["intrinsics"]["60457274"]
    other.write_text(json.dumps(table))
    with pytest.raises(InputError, match="intrinsics has no '60457274'"):
        read_h36m_cameras(other)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("<metadata></metadata>", "has no element w0 with the cameras"),
        ("<w0>[1 2 3", "has no element w0 with the cameras"),
        ("<w0>[1 2 3]</w0>", "element w0 has 3 numbers, expected 300; the file is damaged"),
        ("<w0>[1 2 x]</w0>", "element w0 holds something other than numbers"),
    ],
)
def test_metadata_that_is_damaged_is_refused(content, said, tmp_path):
    (tmp_path / "metadata.xml").write_text(content)
    with pytest.raises(InputError, match=said):
        read_h36m_cameras(tmp_path / "metadata.xml")


def test_a_calibration_without_a_subject_is_refused(tmp_path):
    mono(tmp_path)
    path, _, _ = metadata(tmp_path)
    cameras = {key: camera for key, camera in read_h36m_cameras(path).items() if camera.subject != "S9"}
    with pytest.raises(InputError, match="the calibration has no camera 54138969 of S9, expected S9/54138969"):
        read_h36m(tmp_path, subjects=["S9"], cameras=cameras)
