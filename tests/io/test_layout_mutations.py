"""Damaged files of other projects' layouts: bytes changed at random, and places in the content that hold anything."""

from __future__ import annotations

import copy
import json
import pickle
import warnings

import numpy as np
import pytest

from posebench.errors import InputError, PosebenchError
from posebench.io import npz, read
from posebench.poses import PoseSet
from tests.support.layouts import CAMERA, as_32, integral_list, projected, standing, toolbox_list

MUTATIONS = 300

POSES = standing(4)
SMALL = POSES[:, :4].astype("f4")
IMAGES = [f"S9_Greeting_1.54138969_{i:06d}.jpg" for i in range(4)]


def _videopose3d(poses):
    return {"positions_3d": {"S9": {"Walking 1": poses, "Sitting": poses[:2]}, "S11": {"Photo": poses[:1]}}}


def _views(poses):
    return {"positions_3d": {"S9": {"Walking": [poses, poses[:2]]}}}


def _annotations(poses):
    flags = np.ones((*poses.shape[:2], 1), poses.dtype)
    return {"imgname": np.array(IMAGES), "S": np.concatenate([poses, flags], axis=2)}


def _dump(poses):
    return [
        {"pred_instances": {"keypoints": pose[None]}, "target_img_path": name, "id": i}
        for i, (pose, name) in enumerate(zip(poses, IMAGES, strict=True))
    ]


def _demo(poses):
    frames = [{"frame_id": i, "instances": [{"keypoints": pose.tolist()}]} for i, pose in enumerate(poses)]
    return {"meta_info": {"dataset_name": "h36m"}, "instance_info": frames}


def _batches(poses):
    return [{"preds": poses[:3].tolist(), "target_image_paths": IMAGES[:3]}, {"preds": poses[3:].tolist()}]


def _results(poses):
    return [{"keypoints": pose.tolist(), "target_id": 3 - i} for i, pose in enumerate(poses)]


def _integral(poses):
    return {"uvd": projected(1000 * poses), "intrinsics": CAMERA, "root_depth": 1000 * poses[:, 0, 2], "unit": "mm"}


def _integral_list(poses):
    """Of 17 joints, as no other number is read."""
    names = [f"s_09_act_05_subact_02_ca_01_{i + 1:06d}.jpg" for i in range(len(poses))]
    return integral_list(1000 * POSES[: len(poses)], names)


def _toolbox_list(poses):
    placed = (np.eye(3), np.array([0.0, 0.0, -4000.0]))
    return toolbox_list(1000 * POSES[: len(poses)], [(9, 5, 2, 0, i + 1) for i in range(len(poses))], placed)


def _plain(value):
    """The same content with lists for arrays, as JSON has it."""
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case np.ndarray() | np.generic():
            return value.tolist()
    return value


def _save(path, content):
    """By NumPy, pickle or json themselves, as the suffix says."""
    match path.suffix:
        case ".npz":
            np.savez_compressed(path, **content)
        case ".npy":
            np.save(path, np.array(content, object), allow_pickle=True)
        case ".pkl":
            path.write_bytes(pickle.dumps(content))
        case _:
            path.write_text(json.dumps(_plain(content)))


#: Name of the file -> its content, from poses (4, J, 3).
LAYOUTS = {
    "videopose3d.npz": _videopose3d,
    "videopose3d.npy": _videopose3d,
    "views.npz": _views,
    "views.pkl": _views,
    "annotations.npz": _annotations,
    "dump.pkl": _dump,
    "dump.npy": _dump,
    "demo.json": _demo,
    "frames.json": lambda poses: _demo(poses)["instance_info"],
    "batches.json": _batches,
    "results.json": _results,
    "integral.npz": _integral,
    "integral.pkl": _integral,
    "integral.json": _integral,
    "integral_list.pkl": _integral_list,
    "toolbox_list.pkl": _toolbox_list,
}


def _check(target):
    """Read a file that may be damaged: True if it was refused, in one sentence with its name."""
    try:
        assert isinstance(read(target), PoseSet)
    except PosebenchError as error:
        assert isinstance(error, InputError)
        assert str(target) in str(error)
        assert "\n" not in str(error)
        assert len(str(error)) < 600 + len(str(target))
        return True
    return False


def _mutated(name, save, mutate, tmp_path):
    save(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    rng = np.random.default_rng(sum(name.encode()))
    target = tmp_path / f"mutated.{name.split('.')[-1]}"
    refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(MUTATIONS):
            target.write_bytes(mutate(content, rng))
            refused += _check(target)
    assert refused > 0


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_mutated_file_gives_a_set_or_a_sentence(name, mutate, tmp_path):
    _mutated(name, lambda path: _save(path, LAYOUTS[name](SMALL)), mutate, tmp_path)


@pytest.mark.parametrize("name", ["videopose3d.npz", "views.npz", "annotations.npz", "integral.npz"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_mutated_file_that_is_mapped_gives_a_set_or_a_sentence(name, save, mutate, tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "MAP_FROM", 0)
    monkeypatch.setattr(npz, "MEMORY_LIMIT", 10)
    _mutated(name, lambda path: save(path, **LAYOUTS[name](SMALL)), mutate, tmp_path)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("content", [_dump, _views])
def test_a_mutated_pickle_of_any_protocol_gives_a_set_or_a_sentence(protocol, content, mutate, tmp_path):
    name = f"{content.__name__}{protocol}.pkl"
    arrays = {"a": np.array(content(SMALL), object), **(content(SMALL) if content is _views else {})}
    _mutated(name, lambda path: path.write_bytes(pickle.dumps(arrays, protocol)), mutate, tmp_path)
    plain = content(SMALL)
    _mutated(name, lambda path: path.write_bytes(pickle.dumps(plain, protocol)), mutate, tmp_path)


def _anything(rng):
    """What may stand where something else belongs."""
    looped: list = []
    looped.append(looped)
    choices = [
        *(None, True, -1, 0, 2**70, -1.5, float("nan"), float("inf"), "", "S9", "a\nb", "x" * 400, b"\xff", {}, [], ()),
        *({"keypoints": 1}, {"a": {"b": {}}}, [[]], [None], ["a"], [[1.0, 2.0, 3.0]], [[[1.0, 2.0], 3]], [{}], looped),
        *(np.zeros(0), np.zeros((4, 4, 2)), np.zeros((4, 0, 3)), np.zeros((0, 4, 3)), np.zeros((2, 2, 2, 4, 3), "f2")),
        *(np.full((4, 4, 3), np.nan), np.zeros((4, 4, 3), "i1"), np.ones((4, 4, 3), bool), np.zeros((1, 4, 3), ">f4")),
        *(np.array("S9"), np.array(["a", "b"]), np.array([b"a"]), np.array(None), np.array([{}, None], object)),
        *(np.float32(3), np.int8(2), np.str_("a"), np.array([[1, 2], [3, 4]], object), np.zeros((4, 4, 3), "f16")),
    ]
    return choices[int(rng.integers(len(choices)))]


def _places(value, path=()):
    """Every place in nested dicts and lists, as the keys that lead there."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _places(item, (*path, key))


def _replaced(content, rng):
    """The content with one or two places that hold anything, are gone, or have another name."""
    content = {"top": copy.deepcopy(content)}
    for _ in range(int(rng.integers(1, 3))):
        places = [path for path in _places(content["top"], ("top",)) if path[1:]]
        if not places:
            break
        *way, last = places[int(rng.integers(len(places)))]
        inside = content
        for key in way:
            inside = inside[key]
        match rng.integers(4):
            case 0:
                del inside[last]
            case 1 if isinstance(inside, dict):
                inside["keypoints" if last == "a" else "a"] = inside.pop(last)
            case _:
                inside[last] = _anything(rng)
    return content["top"]


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("poses", [SMALL, POSES, as_32(POSES)], ids=["4 joints", "17 joints", "32 joints"])
def test_content_that_holds_anything_anywhere_gives_a_set_or_a_sentence(name, poses, tmp_path):
    rng = np.random.default_rng(sum(name.encode()) + poses.shape[1])
    original = LAYOUTS[name](poses)
    if name.endswith(".json"):
        original = _plain(original)
    done = refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(MUTATIONS):
            try:
                _save(tmp_path / name, _replaced(original, rng))
            except (TypeError, ValueError, RecursionError, UnicodeEncodeError):
                continue  # the writer itself refuses it
            done += 1
            refused += _check(tmp_path / name)
    assert done > MUTATIONS / 2
    assert refused > done / 10
