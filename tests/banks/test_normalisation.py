"""Centring and dividing by the norm: float64, the same bits everywhere, and a flag where a pose has no shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebench.banks import Layout
from posebench.errors import InputError, UsageError
from posebench.kernels import PoseFlag
from posebench.poses import PoseSet
from posebench.skeletons import H36M17
from tests.support.poses import GARBAGE, MODERATE, cases, make_case

MEAN = Layout("h36m17", H36M17.joints, None, "camera")
ROOT = Layout("h36m17", H36M17.joints, "pelvis", "camera")


def of_joints(n: int, root: int | None) -> Layout:
    names = tuple(f"joint{j}" for j in range(n))
    return Layout("test", names, None if root is None else names[root], "camera")


def plain(pose: np.ndarray, root: int | None) -> np.ndarray:
    pose = pose.astype(np.longdouble)
    pose = pose - (pose.mean(0) if root is None else pose[root])
    return pose / np.sqrt((pose * pose).sum())


@MODERATE
@given(cases(kinds=("human", "gaussian", "planar", "tiny", "huge", "whole numbers"), masks=False), st.booleans())
def test_a_normalised_pose_is_what_the_formula_says(case, by_mean):
    root = None if by_mean else case.root
    found = of_joints(case.gt.shape[1], root).normalise(case.gt)
    for i, pose in enumerate(case.gt):
        if found.flags[i]:
            assert len(np.unique(pose, axis=0)) == 1
            continue
        # Centring loses what a coordinate's size takes from its differences.
        lost = np.abs(pose).max() / np.abs(pose - pose[0]).max()
        np.testing.assert_allclose(found.poses[i], plain(pose, root).astype(float), rtol=0, atol=4e-16 * (1 + lost))


def test_float32_is_widened_before_anything_is_subtracted():
    pose = np.float32([[[1e7, 0, 0], [1e7 + 1, 3, 4]]])
    layout = of_joints(2, 0)
    np.testing.assert_array_equal(layout.normalise(pose).poses, layout.normalise(pose.astype(float)).poses)


@pytest.mark.parametrize("layout", [ROOT, MEAN], ids=["root", "mean"])
@pytest.mark.parametrize("power", [-900, -300, 7, 300])
def test_a_power_of_two_changes_no_bit(layout, power):
    poses = make_case("gaussian", n=5).gt
    np.testing.assert_array_equal(layout.normalise(poses * 2.0**power).poses, layout.normalise(poses).poses)


def test_a_shift_by_whole_numbers_changes_no_bit():
    poses = make_case("whole numbers", n=50).gt
    np.testing.assert_array_equal(ROOT.normalise(poses + [3, -700, 4096]).poses, ROOT.normalise(poses).poses)


@pytest.mark.parametrize("layout", [ROOT, MEAN], ids=["root", "mean"])
@pytest.mark.parametrize("place", [0.0, 0.1, 1e5 / 3, 1e149])
def test_joints_in_one_point_have_no_shape(layout, place):
    found = layout.normalise(np.full((1, 17, 3), place))
    assert found.flags.tolist() == [int(PoseFlag.DEGENERATE)]
    assert not found.poses.any()


def test_joints_apart_by_rounding_only_have_no_shape():
    poses = np.full((1, 17, 3), 5000.0)
    poses[0, 4, 1] = np.nextafter(5000.0, 6000.0)
    assert ROOT.normalise(poses).flags.tolist() == [int(PoseFlag.DEGENERATE)]


@pytest.mark.parametrize("scale", [1e-310, 1e140])
def test_squares_beyond_float64_do_no_harm(scale):
    poses = np.zeros((1, 17, 3))
    poses[0, 3] = [3 * scale, 0, 4 * scale]
    found = ROOT.normalise(poses)
    assert found.flags.tolist() == [0]
    np.testing.assert_allclose(found.poses[0, 3], [0.6, 0, 0.8], rtol=1e-12)  # the smallest has few digits itself


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_a_coordinate_that_is_no_length_is_flagged(value):
    poses = make_case("human", n=3).gt
    poses[1, 5, 2] = value
    found = ROOT.normalise(poses)
    assert found.flags.tolist() == [0, int(PoseFlag.MISSING), 0]
    assert not found.poses[1].any()


@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_masked_joint_is_not_looked_at(garbage):
    poses = make_case("human", n=2).gt
    valid = np.ones((2, 17), bool)
    poses[0, 9], valid[0, 9] = garbage, False
    assert ROOT.normalise(poses, valid).flags.tolist() == [int(PoseFlag.MASKED), 0]


def test_other_memory_layouts_give_the_same(gt):
    expected = ROOT.normalise(gt).poses
    strided = np.repeat(gt, 2, axis=0)[::2]
    for poses in (np.asfortranarray(gt), strided, gt.astype(">f8")):
        np.testing.assert_array_equal(ROOT.normalise(poses).poses, expected)


# What a layout takes


def test_joints_are_found_by_name_in_another_skeleton():
    layout = Layout("h36m17", ("RHip", "LHip", "pelvis"), "pelvis", "camera")
    poses = PoseSet(make_case("human", n=2).gt, skeleton="3dhp17", reference="camera")
    coordinates, valid = layout.fit(poses).take(slice(0, 2))
    at = [poses.skeleton.index(joint) for joint in layout.joints]
    np.testing.assert_array_equal(coordinates, poses.poses[:, at])
    assert valid is None


def test_joints_are_converted_where_another_skeleton_lacks_them():
    body = PoseSet(make_case("human", n=2).gt, skeleton="3dhp17", reference="camera", source="a.npz")
    fitted = ROOT.fit(body)
    coordinates, _ = fitted.take(slice(0, 2))
    thorax = (body.poses[:, body.skeleton.index("LShoulder")] + body.poses[:, body.skeleton.index("RShoulder")]) / 2
    np.testing.assert_allclose(coordinates[:, H36M17.index("thorax")], thorax)
    assert "a.npz converted from 3dhp17 to h36m17" in fitted.notes[0]


def test_a_skeleton_without_the_joints_is_refused():
    poses = PoseSet(make_case("human", n=1).gt, skeleton="coco17", reference="camera", source="a.npz")
    with pytest.raises(InputError, match=r"a\.npz holds coco17 poses, .* they lack nose, head"):
        ROOT.fit(poses)


def test_an_array_may_hold_the_joints_of_the_layout_or_of_its_whole_skeleton():
    layout = Layout("h36m17", ("head", "pelvis"), "pelvis", "camera")
    poses = make_case("human", n=2).gt
    whole = layout.normalise(*layout.fit(poses).take(slice(0, 2))).poses
    few = layout.normalise(*layout.fit(poses[:, [10, 0]]).take(slice(0, 2))).poses
    np.testing.assert_array_equal(whole, few)


def test_an_array_of_another_number_of_joints_is_refused():
    with pytest.raises(InputError, match="mine: the poses have 16 joints, expected the 17 of the bank"):
        ROOT.fit(np.zeros((1, 16, 3)), "mine")


def test_a_name_on_a_card_never_opens_a_file(tmp_path):
    path = tmp_path / "skeleton.yaml"
    path.write_text("not: a skeleton")
    layout = Layout(str(path), ("a", "b"), "a", "camera")
    with pytest.raises(InputError, match="expected the 2 of the bank"):
        layout.fit(np.zeros((1, 5, 3)))


def test_another_reference_is_refused():
    poses = PoseSet(make_case("human", n=1).gt, skeleton="h36m17", reference="world", source="a.npz")
    with pytest.raises(InputError, match=r"a\.npz is in the world reference, but the bank is in the camera reference"):
        ROOT.fit(poses)


def test_what_a_set_does_not_say_is_assumed_and_noted():
    fitted = ROOT.fit(PoseSet(make_case("human", n=1).gt, source="a.npz"))
    assert fitted.notes == ("skeleton of a.npz assumed: h36m17", "reference of a.npz assumed: camera")


def test_arrays_are_taken_as_they_are():
    assert ROOT.fit(make_case("human", n=1).gt).notes == ()


def test_a_mask_follows_its_joints():
    layout = Layout("h36m17", ("head", "pelvis"), "pelvis", "camera")
    valid = np.ones((1, 17), bool)
    valid[0, 10] = False
    poses = PoseSet(make_case("human", n=1).gt, valid=valid, skeleton="h36m17", reference="camera")
    assert layout.fit(poses).take(slice(0, 1))[1].tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a", ("x",), "x", "camera"), "at least 2 joints, got 1"),
        (("a", ("x", "x"), "x", "camera"), "repeat: x, x"),
        (("a", ("x", "y"), "z", "camera"), "root is 'z', which is not among the joints x, y"),
        (("a", ("x", "y"), "x", "unknown"), "reference is 'unknown', expected one of camera, world, canonical"),
    ],
)
def test_a_layout_that_means_nothing_is_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        Layout(*arguments)
