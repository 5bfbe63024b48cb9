"""MPI-INF-3DHP's test set in MATLAB files, and predictions for it: read, matched and scored without MATLAB."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import posebench as pb
from posebench.errors import InputError
from posebench.io import child, read
from posebench.matching import match
from posebench.poses import PoseSet
from posebench.skeletons import get_skeleton
from tests.support.forking import forking
from tests.support.matlab import save5, save73

RNG = np.random.default_rng(3)
FRAMES = 6
UNIVERSAL = RNG.normal(size=(3, 17, 1, FRAMES)) * 300
OWN = UNIVERSAL * 1.1
VALID = np.array([[1, 0, 1, 1, 0, 1]]).T
#: The official names of activities 7, 1, 4 and 5, those of the valid frames.
ACTIVITY, NAMES = np.array([[7, 2, 1, 4, 3, 5]]).T, ["Miscellaneous", "Standing/Walking", "Reaching/Crouching"]
NAMES.append("On The Floor")
ANNOTATIONS = {
    "annot2": OWN[:2],
    "annot3": OWN,
    "univ_annot3": UNIVERSAL,
    "bb_crop": np.zeros((FRAMES, 34)),
    "valid_frame": VALID,
    "activity_annotation": ACTIVITY,
}
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


def annotated(folder, variables=ANNOTATIONS, save=save5, name="TS2/annot_data.mat"):
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    save(path, variables)
    return path


def without(*names):
    return {name: value for name, value in ANNOTATIONS.items() if name not in names}


# Annotations


@SAVES
def test_valid_frames_become_the_ground_truth(save, tmp_path):
    path = annotated(tmp_path, save=save)
    poses = read(path)
    expected = [
        [[UNIVERSAL[axis, joint, 0, frame] for axis in range(3)] for joint in range(17)] for frame in (0, 2, 3, 5)
    ]
    np.testing.assert_array_equal(poses.poses, expected)
    assert poses.frame.tolist() == [0, 2, 3, 5]
    assert poses.subject.values.tolist() == ["TS2"] * 4
    assert poses.action.values.tolist() == NAMES
    assert (poses.skeleton.name, poses.unit, poses.reference, poses.origin) == ("3dhp17", "mm", "camera", "absolute")
    assert (poses.dataset, poses.valid, poses.sequence) == ("3dhp", None, None)
    assert poses.notes == (
        f"{path}: univ_annot3 taken, not annot3; 2 of 6 frames left out, as valid_frame says",
        f"{path}: has 4 valid frames, but TS2 as released has 540",
    )


@SAVES
def test_annotations_in_the_scale_of_each_person_are_read_where_there_are_no_others(save, tmp_path):
    poses = read(annotated(tmp_path, without("univ_annot3", "activity_annotation"), save))
    np.testing.assert_array_equal(poses.poses[1], OWN[:, :, 0, 2].T)
    assert poses.action is None
    assert any("has no univ_annot3, which the official evaluation uses" in note for note in poses.notes)


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("TS3/annot_data.mat", "TS3"),
        ("ts3/annot_data.mat", "TS3"),
        ("any/TS4_annot_data.mat", "TS4"),
        ("any/ts5.mat", "TS5"),
        ("TS1/TS6.mat", "TS6"),
        ("TS7/annot_data.mat", None),
        ("TS1x/annot_data.mat", None),
        ("any/TS12.mat", None),
    ],
)
def test_the_sequence_is_known_from_the_name_of_the_file_or_its_folder(name, subject, tmp_path):
    poses = read(annotated(tmp_path, name=name))
    assert (None if poses.subject is None else poses.subject.names) == (None if subject is None else (subject,))
    assert any("subject unknown" in note for note in poses.notes) == (subject is None)


def test_a_name_without_a_folder_belongs_to_where_one_is(tmp_path, monkeypatch):
    monkeypatch.chdir(annotated(tmp_path, name="TS5/annot_data.mat").parent)
    assert read("annot_data.mat").subject.names == ("TS5",)


@SAVES
def test_one_frame_alone_is_read(save, tmp_path):
    """MATLAB drops the last axes of length 1."""
    variables = {"univ_annot3": UNIVERSAL[:, :, 0, 0], "valid_frame": 1, "activity_annotation": 6}
    poses = read(annotated(tmp_path, variables, save))
    np.testing.assert_array_equal(poses.poses, UNIVERSAL[:, :, 0, :1].transpose(2, 1, 0))
    assert poses.action.names == ("Sports",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"univ_annot3": np.zeros((17, 3, 1, 6))},
            "'univ_annot3' has shape 17 x 3 x 1 x 6, expected 3 x 17 x 1 x frames",
        ),
        ({"univ_annot3": np.zeros((3, 28, 1, 6))}, "has shape 3 x 28 x 1 x 6, expected 3 x 17"),
        ({"univ_annot3": np.zeros((3, 17, 2, 6))}, "has shape 3 x 17 x 2 x 6, expected 3 x 17"),
        ({"univ_annot3": np.array(["a", "b"], object)}, "'univ_annot3' is no array of numbers"),
        ({"valid_frame": np.ones((5, 1))}, "'valid_frame' holds 5 values, expected 0 or 1 for each of the 6 frames"),
        ({"valid_frame": VALID * 2}, "'valid_frame' holds 6 values, expected 0 or 1"),
        ({"valid_frame": VALID * np.nan}, "'valid_frame' holds 6 values, expected 0 or 1"),
        ({"valid_frame": VALID * 0}, "has no valid frame"),
        ({"activity_annotation": ACTIVITY[:5]}, "'activity_annotation' holds 5 values, expected one for each of the 6"),
        ({"activity_annotation": ACTIVITY + 1}, "'activity_annotation' holds other values than 1 to 7"),
        ({"activity_annotation": ACTIVITY * 0.5}, "'activity_annotation' holds other values than 1 to 7"),
    ],
)
@SAVES
def test_annotations_that_do_not_belong_together_are_refused(save, changes, message, tmp_path):
    with pytest.raises(InputError, match=message) as caught:
        read(annotated(tmp_path, {**ANNOTATIONS, **changes}, save))
    assert "annot_data.mat" in str(caught.value)


def test_annotations_that_do_not_say_what_is_valid_are_refused(tmp_path):
    with pytest.raises(
        InputError, match="has no variable 'valid_frame', which says which frames are scored; it has 'annot2'"
    ):
        read(annotated(tmp_path, without("valid_frame")))


# Predictions


def predicted(folder, variables, save=save5):
    path = folder / "inference_data.mat"
    save(path, variables)
    return path


ORDERS = {
    "3 x 17 x 1 x N": lambda p: p.transpose(2, 1, 0)[:, :, None],
    "3 x 17 x N": lambda p: p.transpose(2, 1, 0),
    "3 x 17 x N x 1": lambda p: p.transpose(2, 1, 0)[..., None],
    "17 x 3 x N": lambda p: p.transpose(1, 2, 0),
    "N x 17 x 3": lambda p: p,
    "N x 3 x 17": lambda p: p.transpose(0, 2, 1),
    "1 x N x 17 x 3": lambda p: p[None],
}


@SAVES
@pytest.mark.parametrize("order", ORDERS)
def test_predictions_are_read_whatever_the_order_of_axes(order, save, tmp_path):
    one, two = RNG.normal(size=(5, 17, 3)), RNG.normal(size=(8, 17, 3)).astype("f4")
    path = predicted(tmp_path, {"TS6": ORDERS[order](two), "TS1": ORDERS[order](one), "epoch": 7}, save)
    poses = read(path)
    np.testing.assert_array_equal(poses.poses, np.concatenate([one, two]))
    assert poses.subject.values.tolist() == ["TS1"] * 5 + ["TS6"] * 8
    assert poses.frame is None
    assert (poses.skeleton.name, poses.unit, poses.reference, poses.dataset) == ("3dhp17", "mm", "camera", "3dhp")
    assert poses.notes == (f"{path}: does not say which frames its poses belong to", f"{path}: ignored 'epoch'")


def test_another_order_of_joints_is_what_the_user_says(tmp_path):
    path = predicted(tmp_path, {"TS1": np.ones((3, 17, 1, 5))})
    poses = read(path, skeleton="h36m17")
    assert poses.skeleton.name == "h36m17"
    assert f"{path} says skeleton 3dhp17; read as h36m17 as asked" in poses.notes


@pytest.mark.parametrize("pelvis", [0.0, 1.0])
def test_poses_are_relative_to_the_root_if_the_pelvis_is_zero(pelvis, tmp_path):
    poses = RNG.normal(size=(3, 17, 1, 5))
    poses[:, 14] = pelvis
    assert get_skeleton("3dhp17").joints[14] == "pelvis"
    assert read(predicted(tmp_path, {"TS1": poses})).origin == (None if pelvis else "root")


def test_axes_of_equal_length_are_refused_unless_another_sequence_tells(tmp_path):
    for ambiguous in ((3, 17, 1, 17), (3, 17, 1, 3)):
        shape = " x ".join(map(str, ambiguous))
        with pytest.raises(
            InputError, match=rf"cannot be told apart \(TS1 {shape}\); save them as 3 x 17 x 1 x frames"
        ):
            read(predicted(tmp_path, {"TS1": np.ones(ambiguous)}))
    three = RNG.normal(size=(3, 17, 3))
    poses = read(predicted(tmp_path, {"TS1": three[:, :, None], "TS2": np.ones((3, 17, 1, 4))}))
    np.testing.assert_array_equal(poses.poses[:3], three.transpose(2, 1, 0))
    with pytest.raises(InputError, match="cannot be told apart"):
        read(predicted(tmp_path, {"TS1": np.ones((4, 17, 3)), "TS2": np.ones((3, 17, 1, 4))}))


def test_a_single_pose_needs_no_axis_of_frames(tmp_path):
    pose = RNG.normal(size=(3, 17))
    poses = read(predicted(tmp_path, {"TS1": pose, "TS2": pose.T, "TS3": np.ones((3, 17, 1, 2))}))
    np.testing.assert_array_equal(poses.poses[:2], [pose.T, pose.T])


@SAVES
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            np.ones((3, 17, 5, 4)),
            "'TS1' has shape 3 x 17 x 5 x 4: several predictions for each frame; save one of them",
        ),
        (np.ones((3, 16, 1, 5)), "'TS1' has shape 3 x 16 x 1 x 5, expected 3 x 17 x 1 x frames"),
        (np.ones((2, 17, 1, 5)), "'TS1' has shape 2 x 17 x 1 x 5, expected 3 x 17 x 1 x frames"),
        (np.ones((17, 5, 3, 4)), "'TS1' has shape 17 x 5 x 3 x 4, expected 3 x 17"),
        (np.array(["a", "b"], object), "'TS1' is no array of numbers"),
    ],
)
def test_predictions_of_another_shape_are_refused(save, value, message, tmp_path):
    with pytest.raises(InputError, match=message) as caught:
        read(predicted(tmp_path, {"TS1": value}, save))
    assert "inference_data.mat" in str(caught.value)


@SAVES
def test_a_file_with_poses_is_read_by_that_name(save, tmp_path):
    variables = {"poses": np.ones((2, 17, 3)), "TS1": np.array(["a", "b"], object), "annot3": OWN}
    assert len(read(predicted(tmp_path, variables, save))) == 2


# Together


def counted(valid, frames, seed):
    """Annotations of a sequence with as many valid frames as the release has, spread at random."""
    rng = np.random.default_rng(seed)
    flags = np.zeros(frames)
    flags[rng.choice(frames, valid, replace=False)] = 1
    poses = rng.normal(size=(3, 17, 1, frames)) * 300
    return {"univ_annot3": poses, "annot3": poses * 1.1, "valid_frame": flags[:, None]}


#: Invented lengths; 276 and 452 are the numbers of valid frames of the release.
SEQUENCES = {"TS5": counted(276, 300, 5), "TS6": counted(452, 470, 6)}


@pytest.fixture
def ground_truth(tmp_path):
    """Both sequences as one set."""
    sets = [read(annotated(tmp_path, SEQUENCES[name], save73, f"{name}/annot_data.mat")) for name in SEQUENCES]
    return PoseSet(
        np.concatenate([each.poses for each in sets]),
        **{key: np.concatenate([getattr(each, key).values for each in sets]) for key in ("subject",)},
        frame=np.concatenate([each.frame for each in sets]),
        skeleton="3dhp17",
        **{name: getattr(sets[0], name) for name in ("unit", "reference", "origin", "dataset")},
    )


def official(predictions):
    """Mean error over the valid frames as the official script takes it: frame by frame, both sides as 3 x 17."""
    errors = []
    for name, sequence in SEQUENCES.items():
        number = 0
        for frame in range(len(sequence["valid_frame"])):
            if sequence["valid_frame"][frame, 0]:
                truth = sequence["univ_annot3"][:, :, 0, frame]
                truth = truth - truth[:, 14:15]
                errors.append(np.sqrt(((predictions[name][:, :, 0, number] - truth) ** 2).sum(0)).mean())
                number += 1
    return np.mean(errors)


@SAVES
def test_predictions_for_the_valid_frames_are_scored_without_frame_numbers(save, ground_truth, tmp_path):
    predictions = {}
    for name, sequence in SEQUENCES.items():
        valid = sequence["univ_annot3"][..., sequence["valid_frame"][:, 0] == 1]
        predictions[name] = valid - valid[:, 14:15] + RNG.normal(size=valid.shape) * 20
        predictions[name][:, 14] = 0
    path = predicted(tmp_path, predictions, save)
    poses = read(path)
    assert poses.notes == (
        f"{path}: holds as many poses as each sequence has valid frames, taken to be these in order",
    )
    (tmp_path / "given.yaml").write_text(
        "name: given\nversion: 1\nsummary: the prediction as given\nsource: this test\n"
        "definition: {skeleton: 3dhp17, joints: all, pred_root: null, gt_root: pelvis, pooling: frame, "
        "metrics: [MPJPE], banks: []}\n"
    )
    # Backwards, for order counts within each sequence alone.
    order = np.concatenate([np.arange(276, 728), np.arange(276)])
    for truth in (ground_truth, ground_truth[order]):
        report = pb.score(poses, truth, protocol=tmp_path / "given.yaml")
        assert report.metrics["MPJPE"].value == pytest.approx(official(predictions), rel=1e-12)
        assert report.coverage.matched == "by subject, in order within each"
        assert report.coverage.scored == 728


def test_predictions_that_lack_a_valid_frame_are_refused(ground_truth, tmp_path):
    path = predicted(tmp_path, {"TS5": np.ones((3, 17, 1, 275)), "TS6": np.ones((3, 17, 1, 452))})
    with pytest.raises(
        InputError, match=r"has 275 poses of subject=TS5 and array has 276, while .* has no frame numbers"
    ):
        match(read(path), ground_truth)


def test_predictions_for_all_frames_are_numbered_as_the_annotations_are(ground_truth, tmp_path):
    whole = {name: sequence["univ_annot3"] for name, sequence in SEQUENCES.items()}
    path = predicted(tmp_path, whole)
    poses = read(path)
    assert poses.frame.tolist() == [*range(300), *range(470)]
    assert poses.notes == (f"{path}: taken to hold all frames of each sequence, numbered from 0",)
    # Those that are not valid have no ground truth, and are not left out in silence.
    with pytest.raises(InputError, match="has 42 poses that array has not"):
        match(poses, ground_truth)
    valid = np.concatenate([sequence["valid_frame"][:, 0] == 1 for sequence in SEQUENCES.values()])
    kept = poses[np.flatnonzero(valid)]
    found = match(kept, ground_truth)
    assert found.how == "by subject, frame"
    np.testing.assert_array_equal(kept.take(found.chunk(slice(0, 728))), ground_truth.poses)
