"""A motion on another body: limbs keep their directions, feet stay above the floor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posebench.datasets.open4v.body import JOINTS
from posebench.datasets.open4v.motions import BONES, STRAIGHT, synthetic_motion
from posebench.datasets.open4v.retarget import least_turn, perform
from posebench.skeletons import H36M17
from tests.support.open4v import stick_body

BODY = stick_body()
MOTION = synthetic_motion("syn01", 1, frames=12, fps=4)
ENDS = {"Arm": "ForeArm", "ForeArm": "Hand", "UpLeg": "Leg", "Leg": "Foot"}


def test_limbs_of_the_body_point_where_those_of_the_motion_do() -> None:
    joints = perform(BODY, MOTION).joints
    by_bone = {bone: joints[:, H36M17.index(joint)] for joint, bone in JOINTS.items()}
    for bone in (bone for bone in STRAIGHT if "Hand" not in bone):
        side = "Left" if bone.startswith("Left") else "Right"
        along = by_bone[side + ENDS[bone.removeprefix(side)]] - by_bone[bone]
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        expected = MOTION.rotations[:, BONES.index(bone)] @ MOTION.directions[STRAIGHT.index(bone)]
        np.testing.assert_allclose(along, expected, atol=1e-9, err_msg=bone)


def test_bones_keep_their_lengths() -> None:
    joints = perform(BODY, MOTION).joints
    for parent, child in (("LHip", "LKnee"), ("RElbow", "RWrist"), ("LHip", "RHip"), ("nose", "head")):
        lengths = np.linalg.norm(joints[:, H36M17.index(child)] - joints[:, H36M17.index(parent)], axis=1)
        assert np.ptp(lengths) < 1e-6


def test_a_grounded_motion_touches_the_floor_in_every_frame() -> None:
    performance = perform(BODY, MOTION)
    lowest = BODY.skin(performance.transforms)[..., 1].min(axis=1)
    # Only every seventh vertex is held against the floor; a stick's ends are 40 mm wide.
    assert (np.abs(lowest) < 60).all()


def test_jumps_leave_the_floor_and_nothing_goes_below_it() -> None:
    pelvis = np.zeros((12, 3))
    pelvis[:, 1] = 850.0
    pelvis[4:6, 1] += 400  # a jump
    pelvis[9, 1] -= 200  # an error of the capture
    still = replace(MOTION, rotations=np.tile(np.eye(3), (12, len(BONES), 1, 1)), pelvis=pelvis, leg=BODY.leg)
    performance = perform(BODY, replace(still, grounded=False))
    lowest = BODY.skin(performance.transforms)[..., 1].min(axis=1)
    assert lowest.min() > -60
    jump = performance.joints[4, 0, 1] - performance.joints[3, 0, 1]
    assert jump == pytest.approx(400)


def test_the_path_is_scaled_by_the_length_of_the_legs() -> None:
    small, large = (perform(stick_body(scale), MOTION).joints[:, 0, [0, 2]] for scale in (1.0, 1.2))
    np.testing.assert_allclose(large, 1.2 * small, atol=1e-9)


def test_the_least_turn_leaves_alone_what_is_at_right_angles() -> None:
    turn = least_turn(np.array([1.0, 0, 0]), np.array([3.0, 4, 0]))
    np.testing.assert_allclose(turn @ [1, 0, 0], [0.6, 0.8, 0], atol=1e-12)
    np.testing.assert_allclose(turn @ [0, 0, 1], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
