"""A file without ground truth: what can be told from it alone."""

from __future__ import annotations

import numpy as np
import pytest

import posebench as pb
from tests.doctor.faults import AS_3DHP, FAULTS, MIRRORED, codes, example, exchanged, long_shins, planted

ALONE = {
    "metres": "D-UNITS",
    "centimetres": "D-UNITS",
    "metres in 3 %": "D-UNITS-MIXED",
    "no scale": "D-SCALE",
    "NaN": "D-NAN",
    "zeros": "D-ZEROS",
    "a kilometre away": "D-OUTLIERS",
    "1 % thrown by 500 mm": "D-OUTLIERS",
    "one pose": "D-CONSTANT",
    "stuck": "D-FROZEN",
    "doubled": "D-COPIES",
    "shins of nobody": "D-BONES",
    "joints in any order": "D-BONES",
}


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("cameras", ["cam01_cam02", "cam01_cam04"])
def test_a_fault_is_named_without_ground_truth(name: str, cameras: str) -> None:
    pred, _ = planted(FAULTS[name], *example(cameras))
    assert ALONE[name] in codes(pb.diagnose(pred))


def test_joints_of_another_known_skeleton_are_told_by_their_bones() -> None:
    pred, _ = example()
    found = pb.diagnose(pred.replace(poses=np.array(pred.poses)[:, AS_3DHP], path="pred.npz"))
    assert codes(found) == {"D-JOINTS"}
    assert "--from-skeleton 3dhp17" in found.findings[0].command


def crouching(n: int = 60) -> np.ndarray:
    """A person (n, 17, 3) in a camera who faces it with bent knees, y down, mm."""
    body = np.array(
        [
            [0, 0, 0], [-120, 0, 0], [-120, 250, -330], [-120, 560, -60], [120, 0, 0], [120, 250, -330],
            [120, 560, -60], [0, -240, 0], [0, -480, 0], [0, -580, -30], [0, -690, -10], [170, -480, 0],
            [220, -220, 30], [200, -80, -180], [-170, -480, 0], [-220, -220, 30], [-200, -80, -180],
        ],
        float,
    )  # fmt: skip
    sway = np.random.default_rng(0).normal(0, 5, (n, 17, 3))
    return body + sway + [0, 0, 4000]


FACTS = {"skeleton": "h36m17", "unit": "mm", "reference": "camera", "origin": "absolute"}


def test_knees_that_bend_forwards_are_right() -> None:
    assert pb.diagnose(pb.PoseSet(crouching(), **FACTS)).clean


@pytest.mark.parametrize("fault", [MIRRORED, exchanged], ids=["mirrored", "exchanged"])
def test_knees_that_bend_backwards_mean_a_mirror_or_exchanged_sides(fault) -> None:
    assert codes(pb.diagnose(pb.PoseSet(fault(crouching()), **FACTS))) == {"D-CHIRALITY"}


def test_feet_above_the_shoulders_mean_that_y_points_up() -> None:
    upside_down = crouching() * [1, -1, -1] + [0, 0, 8000]
    found = pb.diagnose(pb.PoseSet(upside_down, **FACTS))
    assert codes(found) == {"D-UP"}
    assert "--axes x,-y,-z" in found.findings[0].command


def test_a_world_may_have_any_axis_up() -> None:
    upside_down = crouching() * [1, -1, -1]
    assert pb.diagnose(pb.PoseSet(upside_down, **{**FACTS, "reference": "world"})).clean


def test_a_root_that_is_elsewhere_than_stated_is_named() -> None:
    found = pb.diagnose(pb.PoseSet(crouching(), **{**FACTS, "origin": "root"}))
    assert codes(found) == {"D-ORIGIN"}
    assert found.findings[0].evidence[0].before > 3000


def test_a_root_at_zero_that_is_said_to_be_absolute_is_named() -> None:
    poses = crouching() - crouching()[:, :1]
    assert codes(pb.diagnose(pb.PoseSet(poses, **FACTS))) == {"D-ORIGIN"}


def test_what_needs_ground_truth_is_said_not_to_be_checked() -> None:
    found = pb.diagnose(pb.PoseSet(crouching(), **FACTS))
    assert found.unchecked == ("joints, axes, left and right, and time need ground truth: --gt FILE",)
    assert "not checked: joints" in str(found)


def test_bones_of_nobody_are_measured() -> None:
    [finding] = pb.diagnose(pb.PoseSet(long_shins(crouching()), **FACTS)).findings
    assert "RKnee-RAnkle" in finding.sentence or "LKnee-LAnkle" in finding.sentence
