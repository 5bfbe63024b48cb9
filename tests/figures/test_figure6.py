"""Figure 6: every centre once, under its number and share, the largest cluster first or in the bank's order."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from posebench.banks import ClusterBank
from posebench.errors import UsageError
from posebench.figures import figure6
from posebench.skeletons import Skeleton


def test_shares_are_those_of_the_poses_and_the_largest_comes_first(gt, banks) -> None:
    bank = banks[1]
    counts = Counter(bank.assign(gt).tolist())
    found = figure6.measure(bank)
    assert found.shares.tolist() == pytest.approx([100 * counts[number] / len(gt) for number in found.numbers])
    assert found.shares.tolist() == sorted(found.shares, reverse=True)
    assert sorted(found.numbers.tolist()) == list(range(12))


def test_centres_can_stand_in_the_banks_order(banks) -> None:
    assert figure6.measure(banks[0], order="number").numbers.tolist() == list(range(6))
    with pytest.raises(UsageError, match="order is 'best', expected one of size, number"):
        figure6.measure(banks[0], order="best")


def test_every_centre_is_drawn_in_its_place(banks) -> None:
    bank = banks[0]
    found = figure6.measure(bank)
    axes = figure6.draw(found).axes[0]
    titles = [text.get_text() for text in axes.texts]
    assert titles == [f"{n}\n{s:.1f} %" for n, s in zip(found.numbers, found.shares, strict=True)]
    scales = []
    for number, collection in zip(found.numbers, axes.collections, strict=True):
        points = np.concatenate(collection.get_segments())
        plane = bank.centres[number][:, :2] * [1, -1]
        scales.append(np.ptp(points, axis=0) / np.ptp(plane, axis=0))
    # One scale for all, in both directions; dots stick out by a thousandth of the height.
    np.testing.assert_allclose(scales, np.mean(scales), rtol=1e-2)


def test_a_bank_of_some_joints_is_drawn_with_the_bones_between_them(gt) -> None:
    bank = ClusterBank.build(gt, k=2, joints=["head", "thorax", "pelvis", "RHip", "LHip"])
    assert figure6.measure(bank).skeleton.bone_names == ("thorax-head", "pelvis-thorax", "pelvis-RHip", "pelvis-LHip")
    assert figure6.draw(figure6.measure(bank))


def test_a_bank_of_an_unknown_skeleton_needs_one(gt) -> None:
    mine = Skeleton("my-own", gt.skeleton.joints, gt.skeleton.parents, 0, gt.skeleton.left_right, {})
    bank = ClusterBank.build(gt.replace(skeleton=mine), k=2, skeleton=mine)
    with pytest.raises(
        UsageError, match=r"is of skeleton 'my-own', whose bones posebench does not know; give its .yaml"
    ):
        figure6.measure(bank)
    assert len(figure6.measure(bank, skeleton="h36m17").skeleton.bones) == 16
    with pytest.raises(UsageError, match="skeleton coco17 has no joint 'pelvis'"):
        figure6.measure(bank, skeleton="coco17")
