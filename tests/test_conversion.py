"""Conversion by joint name: left stays left, what is derived is exact, what is missing is named."""

from __future__ import annotations

import numpy as np
import pytest

import posebench as pb
from posebench.conversion import SOURCES
from posebench.skeletons import Skeleton
from tests.scoring.plain import pair, protocol, values_of
from tests.support.poses import people

H36M = pb.get_skeleton("h36m17")
NAMES = pb.skeleton_names()
LIMBS = [side + joint for side in "LR" for joint in ("Hip", "Knee", "Ankle", "Shoulder", "Elbow", "Wrist")]


def sample(name: str, n: int = 3, **facts) -> pb.PoseSet:
    """Random joints, each in its own place."""
    skeleton = pb.get_skeleton(name)
    poses = np.random.default_rng(len(skeleton)).normal(0, 300, (n, len(skeleton), 3))
    return pb.PoseSet(poses, **{"skeleton": skeleton, "unit": "mm", "reference": "camera", **facts})


def at(poses: pb.PoseSet, joint: str) -> np.ndarray:
    return poses.poses[:, poses.skeleton.index(joint)]


def convertible() -> list[tuple[str, str]]:
    found = []
    for source in NAMES:
        for target in NAMES:
            try:
                pb.convert(sample(source, 1), target)
            except pb.InputError:
                continue
            found.append((source, target))
    return found


def as_3dhp17(h36m: np.ndarray) -> np.ndarray:
    """Joints of H36M-17 in the order of MPI-INF-3DHP's test set, written out by hand."""
    order = "head thorax RShoulder RElbow RWrist LShoulder LElbow LWrist RHip RKnee RAnkle LHip LKnee LAnkle"
    return h36m[:, [H36M.index(joint) for joint in f"{order} pelvis spine nose".split()]]


# What conversions there are


def test_the_conversions_between_two_skeletons_are_these() -> None:
    between = {pair for pair in convertible() if pair[0] != pair[1]}
    assert between == {
        ("3dhp17", "h36m17"), ("3dhp17", "lsp14"),
        ("3dhp28", "3dhp17"), ("3dhp28", "h36m17"), ("3dhp28", "lsp14"),
        ("blazepose33", "coco17"), ("blazepose33", "panoptic19"),
        ("body25", "coco17"), ("body25", "coco_wholebody_body"), ("body25", "panoptic19"),
        ("body25b", "3dhp17"), ("body25b", "body25"), ("body25b", "coco17"), ("body25b", "coco_wholebody_body"),
        ("body25b", "h36m17"), ("body25b", "lsp14"), ("body25b", "mpii16"), ("body25b", "panoptic19"),
        ("coco17", "panoptic19"),
        ("coco_wholebody_body", "body25"), ("coco_wholebody_body", "coco17"), ("coco_wholebody_body", "panoptic19"),
        ("h36m17", "3dhp17"), ("h36m17", "lsp14"),
        ("h36m32", "3dhp17"), ("h36m32", "h36m17"), ("h36m32", "lsp14"),
        ("mpii16", "3dhp17"), ("mpii16", "h36m17"), ("mpii16", "lsp14"),
        ("panoptic19", "coco17"),
    }  # fmt: skip


@pytest.mark.parametrize(("source", "target"), convertible())
def test_a_joint_that_both_have_is_the_same_and_left_stays_left(source: str, target: str) -> None:
    before = sample(source)
    after = pb.convert(before, target)
    shared = [joint for joint in after.skeleton.joints if joint in before.skeleton.joints]
    assert set(LIMBS) <= set(shared)
    for joint in shared:
        np.testing.assert_array_equal(at(after, joint), at(before, joint))


@pytest.mark.parametrize(("source", "target"), [pair for pair in convertible() if pair[::-1] in convertible()])
def test_there_and_back_again_is_the_same_where_names_are_shared(source: str, target: str) -> None:
    before = sample(source)
    back = pb.convert(pb.convert(before, target), source)
    for joint in set(before.skeleton.joints) & set(pb.get_skeleton(target).joints):
        np.testing.assert_array_equal(at(back, joint), at(before, joint))


def test_h36m17_are_17_of_the_32_joints_as_everybody_picks_them() -> None:
    before = sample("h36m32")
    picked = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
    after = pb.convert(before, "h36m17")
    np.testing.assert_array_equal(after.poses, before.poses[:, picked])
    assert after.notes == ("array converted from h36m32 to h36m17: every joint under its own name",)


def test_3dhp17_are_17_of_the_28_joints_as_the_data_set_picks_them() -> None:
    before = sample("3dhp28")
    picked = np.array([8, 6, 15, 16, 17, 10, 11, 12, 24, 25, 26, 19, 20, 21, 5, 4, 7]) - 1
    np.testing.assert_array_equal(pb.convert(before, "3dhp17").poses, before.poses[:, picked])


# Derived joints


def test_derived_joints_are_exact_and_noted() -> None:
    before = sample("body25b", source="wild.npz")
    after = pb.convert(before, "h36m17")
    pelvis = (at(before, "LHip") + at(before, "RHip")) / 2
    thorax = (at(before, "LShoulder") + at(before, "RShoulder")) / 2
    np.testing.assert_array_equal(at(after, "pelvis"), pelvis)
    np.testing.assert_array_equal(at(after, "thorax"), thorax)
    np.testing.assert_array_equal(at(after, "spine"), (pelvis + thorax) / 2)
    np.testing.assert_array_equal(at(after, "head"), at(before, "head_top"))
    assert after.notes == (
        "wild.npz converted from body25b to h36m17: pelvis is the middle of LHip, RHip; spine is the middle of pelvis, "
        "thorax; thorax is the middle of LShoulder, RShoulder; nose is upper_neck; head is head_top",
    )


def test_a_joint_that_is_there_is_not_derived() -> None:
    before = sample("3dhp17")
    after = pb.convert(before, "h36m17")
    for joint in ("pelvis", "spine"):
        np.testing.assert_array_equal(at(after, joint), at(before, joint))
    np.testing.assert_array_equal(at(after, "nose"), at(before, "head_3dhp"))
    np.testing.assert_array_equal(at(after, "head"), at(before, "head_top"))


def test_what_is_derived_comes_from_both_sides_or_from_one_joint() -> None:
    for joint, parts in SOURCES.items():
        mirrored = {"LR"["RL".index(part[0])] + part[1:] if part[0] in "LR" else part for part in parts}
        assert joint[0] not in "LR"
        assert mirrored == set(parts)


# What cannot be converted


@pytest.mark.parametrize(
    ("source", "target", "missing"),
    [
        ("coco17", "h36m17", "nose, head"),
        ("blazepose33", "h36m17", "nose, head"),
        ("smpl24", "h36m17", "nose, head"),
        ("lsp14", "h36m17", "nose"),
        ("h36m17", "coco17", "nose_tip, LEye, REye, LEar, REar"),
        ("body25", "body25b", "upper_neck, head_top"),
        ("h36m17", "mpii16", "upper_neck"),
    ],
)
def test_missing_joints_are_named_and_no_joint_is_made_up(source: str, target: str, missing: str) -> None:
    with pytest.raises(
        pb.InputError, match=f"^wild holds {source} poses, which cannot be converted to {target}: they lack {missing}$"
    ):
        pb.convert(sample(source, source="wild"), target)


def test_poses_of_an_unknown_skeleton_are_refused() -> None:
    with pytest.raises(pb.InputError, match=r"a.npz does not say its skeleton"):
        pb.convert(pb.PoseSet(np.zeros((1, 25, 3)), source="a.npz"), "h36m17")
    with pytest.raises(pb.UsageError, match="there is no skeleton 'stick'"):
        pb.convert(sample("coco17"), "stick")


# Masks, facts, types


def test_a_derived_joint_is_valid_where_all_that_it_comes_from_is() -> None:
    body = pb.get_skeleton("body25b")
    valid = np.ones((3, 25), bool)
    valid[0, body.index("LHip")] = valid[1, body.index("RShoulder")] = valid[2, body.index("head_top")] = False
    poses = sample("body25b").poses.copy()
    poses[~valid] = np.nan
    after = pb.convert(sample("body25b").replace(poses=poses, valid=valid), "h36m17")
    lost = [{H36M.joints[j] for j in np.flatnonzero(~row)} for row in after.valid]
    assert lost == [{"LHip", "pelvis", "spine"}, {"RShoulder", "thorax", "spine"}, {"head"}]
    assert np.isfinite(after.poses[after.valid]).all()


@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf, 1e308])
def test_strange_numbers_pass_without_a_warning(strange: float) -> None:
    poses = sample("body25b").poses.copy()
    poses[0] = strange
    poses[0, ::2] *= -1
    after = pb.convert(sample("body25b").replace(poses=poses), "h36m17")
    assert after.valid is None
    assert np.isfinite(after.poses[1:]).all()


def test_keys_and_facts_are_kept_and_nothing_is_changed_in_place() -> None:
    before = sample(
        "3dhp17", action=["Walking", "Walking", "Eating"], subject="S1", frame=[4, 5, 6], unit="m", fps=25,
        reference="world", origin="absolute", dataset="3dhp", intrinsics=np.eye(3), extrinsics=np.eye(4)[:3],
        root_depth=[1.0, 2.0, 3.0], stated=["unit"], notes=["read"],
    )  # fmt: skip
    kept = before.poses.copy()
    after = pb.convert(before, "h36m17")
    for fact in ("unit", "fps", "reference", "origin", "dataset", "stated", "source"):
        assert getattr(after, fact) == getattr(before, fact), fact
    for fact in ("intrinsics", "extrinsics", "root_depth", "frame"):
        np.testing.assert_array_equal(getattr(after, fact), getattr(before, fact))
    assert list(after.action.values) == ["Walking", "Walking", "Eating"]
    assert after.notes[0] == "read"
    np.testing.assert_array_equal(before.poses, kept)


def test_the_depth_of_another_root_is_left_out() -> None:
    after = pb.convert(sample("coco17", root_depth=[1.0, 2.0, 3.0], source="a"), "panoptic19")
    assert after.root_depth is None
    assert after.notes[-1] == "root_depth of a left out: it was that of nose_tip"


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_coordinates_keep_their_type(kind: type) -> None:
    before = sample("body25b")
    after = pb.convert(before.replace(poses=before.poses.astype(kind)), "h36m17")
    assert after.poses.dtype == kind


def test_the_same_skeleton_and_no_poses_are_fine() -> None:
    before = sample("h36m17")
    assert pb.convert(before, "H36M-17") is before
    assert pb.convert(sample("body25b", 0), "h36m17").poses.shape == (0, 17, 3)


def test_a_converted_set_is_no_longer_that_of_its_file(tmp_path) -> None:
    pb.write(sample("3dhp17"), tmp_path / "a.npz")
    before = pb.read(tmp_path / "a.npz")
    after = pb.convert(before, "h36m17")
    assert (before.path, after.path) == (str(tmp_path / "a.npz"), None)


# Scoring


def test_a_file_of_another_skeleton_scores_as_if_converted_by_hand(tmp_path) -> None:
    pred, gt = pair(20)
    facts = {"unit": "mm", "reference": "camera"}
    order = as_3dhp17(pred)
    pb.write(pb.PoseSet(order, skeleton="3dhp17", **facts), tmp_path / "pred.npz")
    by_hand = pred.copy()
    by_hand[:, H36M.index("thorax")] = (by_hand[:, 11] + by_hand[:, 14]) / 2
    report = pb.score(tmp_path / "pred.npz", gt)
    assert values_of(report) == values_of(pb.score(by_hand, gt))
    assert report.notes == [
        f"{tmp_path / 'pred.npz'} converted from 3dhp17 to h36m17: thorax is the middle of LShoulder, RShoulder; "
        "nose is head_3dhp; head is head_top"
    ]
    assert report.inputs["pred"]["path"] == str(tmp_path / "pred.npz")


def test_a_converted_file_in_metres_scores_the_same(tmp_path) -> None:
    _, gt = pair(20)
    pred = gt + 10.0 * (np.arange(17)[:, None] == 3)
    np.savez(tmp_path / "m.npz", poses=as_3dhp17(pred) / 1000, skeleton="3dhp17", reference="camera")
    np.savez(tmp_path / "mm.npz", poses=as_3dhp17(pred), skeleton="3dhp17", reference="camera")
    metres, millimetres = (pb.score(tmp_path / f"{unit}.npz", gt) for unit in ("m", "mm"))
    np.testing.assert_allclose(metres.metrics["MPJPE"].value, millimetres.metrics["MPJPE"].value, rtol=1e-9)
    assert any("unit of" in note for note in metres.notes)


def test_missing_joints_are_named_when_a_file_is_scored(tmp_path) -> None:
    pb.write(sample("coco17"), tmp_path / "pred.npz")
    with pytest.raises(pb.InputError, match=r"pred.npz holds coco17 poses, .* they lack nose, head$"):
        pb.score(tmp_path / "pred.npz", pair(3)[1])


def test_joints_that_are_not_scored_may_be_missing() -> None:
    pred, gt = pair(20)
    coco = pb.get_skeleton("coco17")
    poses = np.zeros((20, 17, 3))
    for joint in LIMBS:
        poses[:, coco.index(joint)] = pred[:, H36M.index(joint)]
    limbs = protocol(joints=tuple(LIMBS))
    report = pb.score(pb.PoseSet(poses, skeleton="coco17", unit="mm", reference="camera"), gt, protocol=limbs)
    by_hand = pred.copy()
    by_hand[:, 0] = (by_hand[:, 1] + by_hand[:, 4]) / 2
    by_hand[:, 8] = (by_hand[:, 11] + by_hand[:, 14]) / 2
    assert values_of(report) == pytest.approx(values_of(pb.score(by_hand, gt, protocol=limbs)), rel=1e-12)
    assert report.notes[0].endswith("without nose, head")
    assert report.coverage.scored == 20
    flipped = pb.score(pred, pb.PoseSet(poses, skeleton="coco17", unit="mm", reference="camera"), protocol=limbs)
    assert (flipped.coverage.scored, flipped.coverage.invalid_joints) == (20, 0)


def test_a_missing_root_is_missed_even_where_it_is_not_scored() -> None:
    smpl = sample("smpl24", source="smpl")
    legs = protocol(joints=("LKnee", "RKnee"), pred_root="head", gt_root="head")
    with pytest.raises(pb.InputError, match=r"they lack head$"):
        pb.score(smpl, pair(3)[1], protocol=legs)


def test_25_joints_of_a_file_are_never_guessed(tmp_path) -> None:
    body = pb.get_skeleton("body25")
    np.savez(tmp_path / "a.npz", poses=sample("body25").poses, unit="mm")
    for chosen in (protocol(), protocol(skeleton=body, joints=body.joints, pred_root="pelvis", gt_root="pelvis")):
        with pytest.raises(pb.InputError, match=r"25 joints .* BODY-25 or BODY_25B.*--pred-skeleton body25b"):
            pb.score(tmp_path / "a.npz", tmp_path / "a.npz", protocol=chosen)


def test_plain_arrays_hold_the_joints_of_the_protocol() -> None:
    pred, gt = pair(5)
    body = pb.get_skeleton("3dhp17")
    chosen = protocol(skeleton=body, joints=body.joints, pred_root="pelvis", gt_root="pelvis", metrics=("MPJPE",))
    report = pb.score(as_3dhp17(pred), as_3dhp17(gt), protocol=chosen)
    assert values_of(report) == pytest.approx(values_of(pb.score(pred, gt, metrics=["MPJPE"])), rel=1e-12)
    assert report.notes == ["skeleton of pred assumed: 3dhp17", "skeleton of gt assumed: 3dhp17"]


def test_a_user_skeleton_is_scored_by_name(tmp_path) -> None:
    _, gt = pair(4)
    shuffled = Skeleton("mine", H36M.joints[::-1], (-1,) * 17, 0, (), {})
    report = pb.score(pb.PoseSet(gt[:, ::-1], skeleton=shuffled, unit="mm", reference="camera"), gt)
    assert report.metrics["MPJPE"].value == 0


def test_people_keep_the_lengths_of_their_limbs() -> None:
    gt = people(np.random.default_rng(0), 5)
    after = pb.convert(pb.PoseSet(gt, skeleton="h36m17", unit="mm"), "3dhp17")
    for side in "LR":
        for a, b in (("Hip", "Knee"), ("Knee", "Ankle"), ("Shoulder", "Elbow"), ("Elbow", "Wrist")):
            length = np.linalg.norm(at(after, side + a) - at(after, side + b), axis=1)
            expected = np.linalg.norm(gt[:, H36M.index(side + a)] - gt[:, H36M.index(side + b)], axis=1)
            np.testing.assert_array_equal(length, expected)
