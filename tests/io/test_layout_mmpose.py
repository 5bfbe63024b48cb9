"""MMPose's files: annotations, dumps of predictions, and the .json of its demos and evaluations."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from posebench.errors import InputError
from posebench.io import read
from posebench.io.layouts.mmpose import handedness
from posebench.matching import match
from posebench.skeletons import H36M17
from posebench.units import settle_unit
from tests.support.layouts import IN_3DHP, standing
from tests.support.watchdog import watchdog

POSES = standing(4)
IMAGES = [f"S9/S9_Greeting_1.54138969/S9_Greeting_1.54138969_{i:06d}.jpg" for i in (1, 6, 11)] + [
    "S11/S11_WalkingDog.60457274/S11_WalkingDog.60457274_000001.jpg"
]


def check_keys(poses):
    """The keys that IMAGES name."""
    assert poses.subject.values.tolist() == ["S9"] * 3 + ["S11"]
    assert poses.action.values.tolist() == ["Greeting"] * 3 + ["WalkDog"]
    assert poses.sequence.values.tolist() == ["Greeting 1"] * 3 + ["WalkDog"]
    assert poses.camera.values.tolist() == ["54138969"] * 3 + ["60457274"]
    assert poses.frame.tolist() == [0, 5, 10, 0]
    assert (poses.skeleton.name, poses.reference, poses.dataset) == ("h36m17", "camera", "h36m")


def annotations(poses=POSES, names=IMAGES, visible=None):
    flags = np.ones(poses.shape[:2]) if visible is None else visible
    n = len(poses)
    return {
        "imgname": np.array(names),
        "center": np.zeros((n, 2)),
        "scale": np.ones(n),
        "part": np.zeros((n, poses.shape[1], 3)),
        "S": np.concatenate([poses, flags[..., None]], axis=2),
    }


# ------------------------------------------------------------------------------------------------------- annotations


def test_annotations_are_metres_in_the_camera(tmp_path):
    visible = np.ones((4, 17))
    visible[2, 5] = 0
    np.savez(tmp_path / "h36m_test.npz", **annotations(visible=visible))
    poses = read(tmp_path / "h36m_test.npz")
    np.testing.assert_array_equal(poses.poses, POSES)
    np.testing.assert_array_equal(poses.valid, visible == 1)
    check_keys(poses)
    assert (poses.unit, poses.origin, poses.notes) == ("m", "absolute", ())


def test_annotations_in_millimetres_are_doubted(tmp_path):
    np.savez(tmp_path / "a.npz", **annotations(1000 * POSES))
    with pytest.raises(InputError, match=r"says its unit is m, but .* a person in mm"):
        settle_unit(read(tmp_path / "a.npz"), H36M17, "--gt-unit", is_gt=True)


@pytest.mark.parametrize("names", [np.array(IMAGES).astype("S"), np.array(IMAGES, object)])
def test_names_may_be_bytes_or_objects(names, tmp_path):
    np.savez(tmp_path / "a.npz", **annotations() | {"imgname": names})
    check_keys(read(tmp_path / "a.npz"))


def test_annotations_of_mpi_inf_3dhp_have_its_joints(tmp_path):
    there = POSES[:, IN_3DHP]
    for names, keys in (
        (["TS1_000001.jpg", "TS1_000002.jpg", "TS5_000001.jpg", "TS6_000320.jpg"], {"subject", "frame"}),
        ([f"S1_Seq2_Cam{i}_000001.jpg" for i in range(4)], {"subject", "sequence", "camera", "frame"}),
    ):
        np.savez(tmp_path / "a.npz", **annotations(there, names))
        poses = read(tmp_path / "a.npz")
        np.testing.assert_array_equal(poses.poses, there)
        assert (poses.skeleton.name, poses.dataset, poses.unit) == ("3dhp17", "3dhp", "m")
        assert set(poses.keys) == keys
    assert poses.sequence.names == ("Seq2",)
    assert poses.camera.values.tolist() == ["Cam0", "Cam1", "Cam2", "Cam3"]


def test_of_annotations_with_other_names_nothing_is_assumed(tmp_path):
    np.savez(tmp_path / "a.npz", **annotations(names=["a.jpg", *IMAGES[1:]]))
    poses = read(tmp_path / "a.npz")
    np.testing.assert_array_equal(poses.poses, POSES)
    assert (poses.unit, poses.skeleton, poses.reference, poses.origin) == (None, None, "unknown", None)
    assert dict(poses.keys) == {}
    assert "no keys, for the image name 'a.jpg'" in poses.notes[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"S": POSES[..., :2]}, r"S has shape \(4, 17, 2\), expected \(N, J, 4\)"),
        ({"S": POSES[0]}, r"S has shape \(17, 3\)"),
        ({"S": POSES.astype(str)}, "S is an array of type <U"),
        ({"S": POSES[:0]}, r"S has shape \(0, 17, 3\)"),
        ({"S": np.array({})}, "array 'S': holds Python objects"),
        ({"imgname": np.array(IMAGES[:3])}, "imgname has 3 names for 4 poses"),
        ({"imgname": np.arange(4)}, "imgname is an array of type int64"),
        ({"imgname": np.array([*IMAGES[:3], None], object)}, "image name of pose 3 is null"),
        ({"imgname": np.array([IMAGES])}, r"shape \(1, 4\)"),
    ],
)
def test_wrong_annotations_are_named(changes, message, tmp_path):
    np.savez(tmp_path / "bad.npz", **annotations() | changes)
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / "bad.npz")
    assert "bad.npz: " in str(caught.value)


def test_characters_that_do_not_exist_are_refused(tmp_path):
    strange = np.array(["abcd"] * 4)
    strange.view("<u4")[3] = 0x110000
    np.savez(tmp_path / "bad.npz", **annotations() | {"imgname": strange})
    with pytest.raises(InputError, match="characters that do not exist"):
        read(tmp_path / "bad.npz")


# ------------------------------------------------------------------------------------------------------------- dumps


def sample(pose, image, **more):
    return {
        "id": 7,
        "category_id": 1,
        "target_img_path": image,
        "pred_instances": {"keypoints": pose[None].astype("f4"), "keypoint_scores": np.ones((1, 17), "f4")},
        "gt_instances": {
            "lifting_target": np.zeros((1, 17, 3), "f4"),
            "lifting_target_visible": np.ones((1, 17, 1), "f4"),
        },
        **more,
    }


def samples(**more):
    return [sample(pose, np.str_(name), **more) for pose, name in zip(POSES, IMAGES, strict=True)]


@pytest.mark.parametrize("protocol", range(6))
def test_the_predictions_of_a_dump_are_read(protocol, tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(samples(), protocol))
    poses = read(tmp_path / "a.pkl")
    np.testing.assert_array_equal(poses.poses, POSES.astype("f4"))
    check_keys(poses)
    assert (poses.unit, poses.origin) == (None, None)
    assert poses.notes == (f"{tmp_path / 'a.pkl'}: its predictions were read, its gt_instances were not",)


def test_a_dump_in_an_npy_is_read(tmp_path):
    np.save(tmp_path / "a.npy", np.array(samples(), object))
    check_keys(read(tmp_path / "a.npy"))


def test_a_dump_matches_the_annotations(tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(samples()[::-1]))
    np.savez(tmp_path / "a.npz", **annotations())
    found = match(read(tmp_path / "a.pkl"), read(tmp_path / "a.npz"))
    assert found.pred_rows.tolist() == [3, 2, 1, 0]


def test_a_sample_may_hold_as_many_frames_as_it_names(tmp_path):
    pair = {"pred_instances": {"keypoints": POSES[None, :2]}, "target_img_path": np.array(IMAGES[:2])}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([pair, *samples()[2:]]))
    poses = read(tmp_path / "a.pkl")
    np.testing.assert_allclose(poses.poses, POSES, atol=1e-6)
    check_keys(poses)


def test_a_dump_without_names_has_no_keys(tmp_path):
    content = [{"pred_instances": {"keypoints": pose[None]}} for pose in POSES]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
    poses = read(tmp_path / "a.pkl")
    np.testing.assert_array_equal(poses.poses, POSES)
    assert (dict(poses.keys), poses.skeleton, poses.notes) == ({}, None, ())
    content[0]["img_path"] = IMAGES[0]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
    poses = read(tmp_path / "a.pkl")
    assert dict(poses.keys) == {}
    assert "no keys, for 4 poses have 1 image names" in poses.notes[0]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (
            {"keypoints": np.stack([POSES[0]] * 2)},
            r"sample 1: pred_instances\.keypoints holds 2 poses.*select one person",
        ),
        ({"keypoints": np.zeros((2, 2, 17, 3))}, r"shape \(2, 2, 17, 3\), expected one person"),
        ({"keypoints": np.zeros((1, 17, 2))}, r"shape \(1, 17, 2\): 2D keypoints"),
        ({"keypoints": np.zeros((1, 16, 3))}, r"has 16 joints and sample 0.* has 17"),
        ({"keypoints": np.zeros((0, 17, 3))}, "holds 0 poses"),
        ({"keypoints": [[0.0, 0.0, 0.0]]}, "is a list, expected an array of numbers"),
        ({}, "keypoints is null"),
        (None, "sample 1: pred_instances is null, expected a dict with keypoints"),
        ([], "pred_instances is a list"),
    ],
)
def test_wrong_samples_are_named(second, message, tmp_path):
    content = [sample(POSES[0], IMAGES[0]), {"pred_instances": second, "target_img_path": IMAGES[1]}]
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / "bad.pkl")
    assert "bad.pkl: " in str(caught.value)
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps([content[0], 5]))
    with pytest.raises(InputError, match="sample 1 is 5, expected a dict"):
        read(tmp_path / "bad.pkl")


def test_samples_that_share_one_array_are_bounded(tmp_path):
    large = sample(POSES[0], IMAGES[0])
    large["pred_instances"]["keypoints"] = np.zeros((1, 200_000, 3))
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps([large] * 1000))
    with watchdog(), pytest.raises(InputError, match="more coordinates than the file holds"):
        read(tmp_path / "bad.pkl")


def test_samples_that_share_one_list_of_names_are_bounded(tmp_path):
    names = ["a.jpg"] * 100_000
    content = [{"pred_instances": {"keypoints": np.zeros((1, 1, 3), "i1")}, "img_paths": names} for _ in range(3000)]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
    with watchdog():
        assert len(read(tmp_path / "a.pkl")) == 3000


# -------------------------------------------------------------------------------------------------- json of version 1


def person(pose):
    return {"keypoints": pose.tolist(), "keypoint_scores": [1.0] * len(pose), "bbox": [[0, 0, 9, 9]], "bbox_score": 0.9}


def drawn(poses):
    """As MMPose's demo turns poses: (-x, z, -y), the lowest joint at height 0."""
    turned = np.stack([-poses[..., 0], poses[..., 2], -poses[..., 1]], axis=-1)
    turned[..., 2] -= turned[..., 2].min(axis=1, keepdims=True)
    return turned


def frames(poses, first=1):
    return [{"frame_id": first + i, "instances": [person(pose)]} for i, pose in enumerate(poses)]


def save(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_the_json_of_the_demo_is_turned_back(tmp_path):
    content = {
        "meta_info": {"dataset_name": "h36m", "colors": {"__ndarray__": []}},
        "instance_info": frames(drawn(POSES)),
    }
    poses = read(save(tmp_path / "a.json", content))
    assert (poses.skeleton, poses.reference, poses.unit, poses.origin) == (H36M17, "camera", None, None)
    assert poses.frame.tolist() == [1, 2, 3, 4]
    assert list(poses.keys) == ["frame"]
    # Heights are lost, so only the root-relative poses come back.
    np.testing.assert_allclose(poses.poses - poses.poses[:, :1], POSES - POSES[:, :1], atol=1e-12)
    assert "turned back from (-x, z, -y)" in poses.notes[0]


def test_the_json_of_the_inferencer_is_a_list_of_frames(tmp_path):
    poses = read(save(tmp_path / "a.json", frames(drawn(POSES), 0)))
    assert poses.frame.tolist() == [0, 1, 2, 3]
    assert poses.skeleton is None
    np.testing.assert_allclose(poses.poses - poses.poses[:, :1], POSES - POSES[:, :1], atol=1e-12)


@pytest.mark.parametrize("poses", [POSES, -POSES[..., [0, 2, 1]], drawn(POSES)[:, :16], np.zeros((2, 17, 3))])
def test_what_is_not_seen_to_be_mirrored_stays_as_it_is(poses, tmp_path):
    found = read(save(tmp_path / "a.json", {"meta_info": {}, "instance_info": frames(poses)}))
    np.testing.assert_array_equal(found.poses, poses)
    assert found.reference == "unknown"
    assert "the axes were left as they are" in found.notes[0]


def test_people_are_told_from_their_mirror_images():
    mirrored = POSES * [-1, 1, 1]
    turned = POSES @ np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
    assert handedness(POSES) > 0.9
    assert handedness(mirrored) < -0.9
    assert abs(handedness(turned)) > 0.9
    half = np.concatenate([POSES, mirrored])
    half[0, 0] = np.nan
    assert abs(handedness(half)) < 0.5


def test_a_single_image_has_no_frame(tmp_path):
    for content in ({"instance_info": [person(POSES[0])]}, [person(POSES[0])]):
        poses = read(save(tmp_path / "a.json", content))
        np.testing.assert_array_equal(poses.poses, POSES[:1])
        assert dict(poses.keys) == {}


def test_frames_without_a_person_are_left_out_and_counted(tmp_path):
    content = [*frames(POSES[:2]), {"frame_id": 3, "instances": []}, {"frame_id": 4, "instances": [person(POSES[3])]}]
    poses = read(save(tmp_path / "a.json", content))
    assert poses.frame.tolist() == [1, 2, 4]
    assert any("1 of 4 frames hold nobody" in note for note in poses.notes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"frame_id": 7, "instances": [person(POSES[0])] * 2}], "frame_id 7 holds 2 people, expected one per frame"),
        ({"instance_info": [person(POSES[0])] * 3}, "frame 0 holds 3 people"),
        ([person(POSES[0])] * 2, "holds 2 poses, 0 with a target_id .* several people"),
        ([{"frame_id": 1, "instances": []}], "holds no poses"),
        ({"instance_info": []}, "instance_info is an empty list"),
        ({"instance_info": {}}, "instance_info is a dict"),
        ({"instance_info": [5]}, "frame 0 is 5"),
        ([{"frame_id": 1, "instances": None}], "frame_id 1 has null as instances"),
        ([{"frame_id": "1", "instances": []}], "frame_id is '1', expected a whole number"),
        ([{"frame_id": True, "instances": []}], "frame_id is True"),
        ([{"frame_id": 10**30, "instances": []}], "frame_id is an integer of 100 bits"),
        ([{"frame_id": 1, "instances": [None]}], "frame_id 1 is null, expected a dict with keypoints"),
        ([{"frame_id": 1, "instances": [{}]}], "frame_id 1: keypoints is null"),
        ([{"frame_id": 1, "instances": [{"keypoints": [[1, 2], [3, 4]]}]}], "2D keypoints"),
        ([{"frame_id": 1, "instances": [{"keypoints": [[1, 2, 3], [3, 4]]}]}], "lists of different lengths"),
        ([{"frame_id": 1, "instances": [{"keypoints": [[1, 2, "3"]]}]}], "keypoints holds '3', expected numbers"),
        ([{"frame_id": 1, "instances": [{"keypoints": [[1, 2, True]]}]}], "keypoints holds True"),
        ([{"frame_id": 1, "instances": [{"keypoints": [[1, 2, 10**400]]}]}], "64 bits"),
        ([{"frame_id": 1, "instances": [{"keypoints": [POSES[0].tolist()] * 2}]}], "holds 2 poses, expected one"),
        ([{"frame_id": 1, "instances": [{"keypoints": []}]}], r"shape \(0,\)"),
        ([*frames(POSES[:1]), *frames(POSES[:1, :5], 2)], "frame_id 2 has 5 joints and frame_id 1 has 17"),
    ],
)
def test_wrong_frames_are_named(content, message, tmp_path):
    with pytest.raises(InputError, match=message) as caught:
        read(save(tmp_path / "bad.json", content))
    assert "bad.json: " in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


def test_an_unknown_coordinate_is_null(tmp_path):
    content = frames(POSES)
    content[1]["instances"][0]["keypoints"][3][2] = None
    assert np.isnan(read(save(tmp_path / "a.json", content)).poses[1, 3]).sum() == 1


# -------------------------------------------------------------------------------------------------- json of version 0


def test_batches_are_read_from_json_and_pickle(tmp_path):
    batches = [
        {"preds": POSES[:3], "target_image_paths": IMAGES[:3]},
        {"preds": POSES[3:], "target_image_paths": IMAGES[3:]},
    ]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(batches))
    save(tmp_path / "a.json", [batch | {"preds": batch["preds"].tolist()} for batch in batches])
    for name in ("a.pkl", "a.json"):
        poses = read(tmp_path / name)
        np.testing.assert_array_equal(poses.poses, POSES)
        check_keys(poses)
        assert (poses.unit, poses.origin, poses.notes) == (None, None, ())


def test_results_go_into_the_order_of_the_annotations(tmp_path):
    order = [2, 0, 3, 1]
    content = [{"keypoints": POSES[i].tolist(), "target_id": i} for i in order]
    poses = read(save(tmp_path / "result_keypoints.json", content))
    np.testing.assert_array_equal(poses.poses, POSES)
    assert dict(poses.keys) == {}
    assert "ordered by target_id" in poses.notes[0]


def test_results_with_names_have_keys(tmp_path):
    content = [{"keypoints": pose.tolist(), "image_path": name} for pose, name in zip(POSES, IMAGES, strict=True)]
    poses = read(save(tmp_path / "a.json", content))
    np.testing.assert_array_equal(poses.poses, POSES)
    check_keys(poses)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"keypoints": POSES[0].tolist(), "target_id": 4}] * 2, "target_id 4 stands twice"),
        ([{"keypoints": POSES[0].tolist(), "target_id": 0.5}], "target_id is 0.5, expected a whole number"),
        ([{"keypoints": POSES[0].tolist(), "target_id": 0}, person(POSES[1])], "holds 2 poses, 1 with a target_id"),
        ([{"keypoints": [0.0] * 51}], r"shape \(51,\)"),
        ([{"keypoints": None}], "keypoints is null"),
        ([{"preds": POSES.tolist(), "target_image_paths": IMAGES[:2]}], "batch 0 has 4 preds and 2 image names"),
        ([{"preds": POSES.tolist(), "target_image_paths": 5}], "target_image_paths is 5, expected texts"),
        ([{"preds": POSES[:1].tolist(), "target_image_paths": [5]}], "image name of pose 0 is 5"),
        ([{"preds": POSES[0].tolist()}], r"preds has shape \(17, 3\), expected \(N, J, 3\)"),
        ([{"preds": []}], "preds has shape"),
    ],
)
def test_wrong_results_are_named(content, message, tmp_path):
    with pytest.raises(InputError, match=message) as caught:
        read(save(tmp_path / "bad.json", content))
    assert "bad.json: " in str(caught.value)
