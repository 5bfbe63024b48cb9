"""VideoPose3D's positions_3d: a pickled dict of dicts in metres, in the world or by camera; nothing is unpickled."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from posebench.conversion import convert
from posebench.errors import InputError
from posebench.io import npz, read
from posebench.io.layouts import videopose3d
from posebench.skeletons import H36M17
from posebench.units import settle_unit
from tests.support.layouts import as_32, standing
from tests.support.watchdog import watchdog

WALK, SIT, PHOTO = standing(3, 1), standing(2, 2), standing(4, 3)
TABLE = {"S9": {"Directions 1": WALK, "SittingDown": SIT}, "S11": {"TakingPhoto 2": PHOTO}}


def table(change=lambda poses: poses, names=TABLE):
    return {subject: {name: change(poses) for name, poses in actions.items()} for subject, actions in names.items()}


def floats(poses):
    return as_32(poses).astype("f4")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("mapped", [False, True])
def test_the_file_that_its_converter_writes_is_read(save, mapped, tmp_path, monkeypatch):
    if mapped:
        monkeypatch.setattr(npz, "MAP_FROM", 0)
        monkeypatch.setattr(npz, "MEMORY_LIMIT", 10)
    save(tmp_path / "data_3d_h36m.npz", positions_3d=table(floats))
    poses = read(tmp_path / "data_3d_h36m.npz")
    np.testing.assert_array_equal(poses.poses, np.concatenate([floats(part) for part in (WALK, SIT, PHOTO)]))
    assert poses.poses.dtype == np.float32
    assert (poses.skeleton.name, poses.unit, poses.reference, poses.origin) == ("h36m32", "m", "world", "absolute")
    assert poses.dataset == "h36m"
    assert poses.subject.values.tolist() == ["S9"] * 5 + ["S11"] * 4
    assert poses.action.values.tolist() == ["Directions"] * 3 + ["SittingDown"] * 2 + ["Photo"] * 4
    assert poses.sequence.values.tolist() == ["Directions 1"] * 3 + ["SittingDown"] * 2 + ["Photo 2"] * 4
    assert poses.frame.tolist() == [0, 1, 2, 0, 1, 0, 1, 2, 3]
    assert poses.camera is None
    assert poses.notes == ()


def test_17_of_the_32_joints_are_h36m17(tmp_path):
    np.savez(tmp_path / "a.npz", positions_3d=table(floats))
    kept = convert(read(tmp_path / "a.npz"), "h36m17").poses
    np.savez(tmp_path / "b.npz", positions_3d=table(lambda poses: poses.astype("f4")))
    poses = read(tmp_path / "b.npz")
    assert poses.skeleton is H36M17
    np.testing.assert_array_equal(poses.poses, kept)


@pytest.mark.parametrize("kind", ["list", "array of objects", "one array"])
def test_arrays_by_camera_are_read(kind, tmp_path):
    second = {"one array": lambda poses: poses + 1}.get(kind, lambda poses: poses[:-1] + 1)

    def cameras(poses):
        views = [poses, second(poses)]
        if kind == "array of objects":
            views = np.array([None, *views], object)[1:]  # of its own shape, and not (2, frames, 17, 3)
        return np.stack(views) if kind == "one array" else views

    np.savez(tmp_path / "a.npz", positions_3d=table(cameras, {"S9": {"Walking 1": WALK}}))
    poses = read(tmp_path / "a.npz")
    np.testing.assert_array_equal(poses.poses, np.concatenate([WALK, second(WALK)]))
    rest = len(second(WALK))
    assert poses.camera.values.tolist() == ["0"] * 3 + ["1"] * rest
    assert poses.frame.tolist() == [0, 1, 2, *range(rest)]
    assert (poses.reference, poses.origin, poses.unit) == ("camera", "absolute", "m")


@pytest.mark.parametrize("full", [floats, lambda poses: poses])
def test_prepared_data_get_their_trajectory_back(full, tmp_path):
    prepared = full(WALK).copy()
    prepared[:, 1:] -= prepared[:, :1]
    np.savez(tmp_path / "a.npz", positions_3d={"S1": {"Walking": [prepared]}})
    poses = read(tmp_path / "a.npz")
    np.testing.assert_allclose(poses.poses, full(WALK), atol=1e-6)
    assert (poses.reference, poses.origin) == ("camera", "absolute")
    assert "only the root was absolute" in poses.notes[0]


def test_centred_poses_are_not_called_absolute(tmp_path):
    centred = WALK - WALK[:, :1]
    np.savez(tmp_path / "a.npz", positions_3d={"S1": {"Walking": [centred]}})
    poses = read(tmp_path / "a.npz")
    assert (poses.reference, poses.origin, poses.notes) == ("camera", "root", ())
    np.savez(tmp_path / "a.npz", positions_3d={"S1": {"Walking": centred}})
    poses = read(tmp_path / "a.npz")
    assert (poses.reference, poses.origin) == ("unknown", "root")
    assert "not taken to be in the world" in poses.notes[0]


@pytest.mark.parametrize(
    "names", [{"Train/S1": {"Jog 1 chunk0": WALK}}, {"S1": {"Seq1": WALK}}, {"S9": {"Walking": standing(3)[:, :15]}}]
)
def test_the_skeleton_is_stated_for_human36m_alone(names, tmp_path):
    np.savez(tmp_path / "a.npz", positions_3d=names)
    poses = read(tmp_path / "a.npz")
    assert (poses.skeleton, poses.unit, poses.reference, poses.origin) == (None, "m", "world", "absolute")
    assert len(poses) == 3


def test_an_action_ends_at_the_first_space(tmp_path):
    np.savez(tmp_path / "a.npz", positions_3d={"Train/S1": {"Jog 1 chunk0": WALK}})
    poses = read(tmp_path / "a.npz")
    assert (poses.action.names, poses.sequence.names) == (("Jog",), ("Jog 1 chunk0",))


@pytest.mark.parametrize("protocol", range(6))
def test_the_same_dict_in_a_pickle_or_an_npy_is_read(protocol, tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"positions_3d": table()}, protocol))
    np.save(tmp_path / "a.npy", {"positions_3d": table()})
    for name in ("a.pkl", "a.npy"):
        poses = read(tmp_path / name)
        np.testing.assert_array_equal(poses.poses, np.concatenate([WALK, SIT, PHOTO]))
        assert poses.subject.names == ("S11", "S9")


def test_a_stated_metre_is_doubted(tmp_path):
    np.savez(tmp_path / "a.npz", positions_3d=table(lambda poses: 1000 * poses))
    with pytest.raises(InputError, match=r"says its unit is m, but its limbs add up to .* a person in mm"):
        settle_unit(read(tmp_path / "a.npz"), H36M17, "--gt-unit", is_gt=True)


def test_a_file_of_2d_keypoints_is_refused_in_one_sentence(tmp_path):
    np.savez(tmp_path / "a.npz", positions_2d={"S9": {"Walking": [WALK[..., :2]]}}, metadata={"num_joints": 17})
    with pytest.raises(InputError, match=r"a\.npz: holds 2D keypoints \(positions_2d\) alone.*data_3d_\*\.npz"):
        read(tmp_path / "a.npz")


class Calls:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_nothing_that_the_dict_holds_is_run(tmp_path):
    np.savez(tmp_path / "bad.npz", positions_3d={"S9": {"a": Calls(os.system, f"touch {tmp_path / 'touched'}")}})
    with pytest.raises(InputError, match=r"bad\.npz: array 'positions_3d': byte \d+ names '(posix|nt)\.system'"):
        read(tmp_path / "bad.npz")
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (WALK, r"positions_3d is an array of type float64 and shape \(3, 17, 3\), expected \{subject"),
        ({}, "holds no poses"),
        ({"S9": {}}, "holds no poses"),
        ({"S9": {"Walking": WALK[:0]}}, "holds no poses"),
        ({"S9": {"Walking": []}}, "holds no poses"),
        ([None], "positions_3d is an array of type object"),
        ({"S9": WALK}, r"positions_3d\['S9'\] is an array of type float64.*expected a dict of actions"),
        ({"S9": {"Walking": {"a": WALK}}}, r"\['S9'\]\['Walking'\] is a dict, expected an array \(frames, J, 3\)"),
        ({"S9": {"Walking": None}}, "is null, expected an array"),
        ({"S9": {"Walking": [None]}}, r"\['Walking'\]\[0\] is null, expected an array of numbers"),
        ({"S9": {"Walking": [[WALK]]}}, r"\['Walking'\]\[0\] is a list"),
        ({"S9": {"Walking": WALK[0]}}, r"shape \(17, 3\), expected \(N, J, 3\)"),
        ({"S9": {"Walking": WALK[..., :2]}}, "2D keypoints"),
        ({"S9": {"Walking": WALK.astype(str)}}, "expected an array of numbers"),
        ({"S9": {"Walking": WALK[:, :0]}}, r"shape \(3, 0, 3\)"),
        ({"S9": {"Walking": WALK, "Sitting": SIT[:, :5]}}, r"\['Sitting'\] has 5 joints and .*\['Walking'\] has 17"),
        ({"S9": {"Walking": WALK, "Sitting": [SIT]}}, r"are not both by camera"),
        ({"S9": {"a\nb": WALK}}, "control characters"),
        ({"S" * 300: {"Walking": WALK}}, "a text of 300 characters"),
    ],
)
def test_what_is_wrong_is_named(content, message, tmp_path):
    np.savez(tmp_path / "bad.npz", positions_3d=content)
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / "bad.npz")
    assert "bad.npz: " in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


def test_a_dict_that_holds_itself_is_refused(tmp_path):
    looped: dict = {}
    looped["S9"] = looped
    for content in ({"positions_3d": looped}, {"positions_3d": {"S9": {"Walking": [[]]}}}):
        (tmp_path / "bad.pkl").write_bytes(pickle.dumps(content))
        with pytest.raises(InputError, match="expected an array"):
            read(tmp_path / "bad.pkl")
    views: list = []
    views.append(views)
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps({"positions_3d": {"S9": {"Walking": views}}}))
    with pytest.raises(InputError, match=r"\[0\] is a list, expected an array of numbers"):
        read(tmp_path / "bad.pkl")


def test_one_array_under_many_names_is_refused(tmp_path):
    large = np.zeros((20_000, 17, 3), "f4")
    content = {"positions_3d": {f"S{i}": dict.fromkeys(map(str, range(1000)), large) for i in range(2)}}
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(content))
    with watchdog(), pytest.raises(InputError, match="more coordinates than the file holds"):
        read(tmp_path / "bad.pkl")


def test_one_dict_under_many_subjects_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(videopose3d, "SEQUENCE_LIMIT", 1000)
    actions = dict.fromkeys(map(str, range(500)), np.zeros((1, 1, 3), "i1"))
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps({"positions_3d": dict.fromkeys(map(str, range(500)), actions)}))
    with pytest.raises(InputError, match="is array number 1001, expected at most 1000"):
        read(tmp_path / "bad.pkl")


def test_a_header_that_promises_other_objects_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", {"positions_3d": table()})
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content.replace(b"'shape': ()", b"'shape': (1,)", 1).replace(b"  \n", b"\n", 1))
    with pytest.raises(
        InputError, match=r"promises objects of shape \(1,\), but its pickle holds an array of type obj"
    ):
        read(tmp_path / "a.npy")
    (tmp_path / "a.npy").write_bytes(content[:128])
    with pytest.raises(InputError, match="past the end"):
        read(tmp_path / "a.npy")
