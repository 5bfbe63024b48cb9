"""Motions as rotations of bones: small files written here, made-up motions within their limits, and real clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posebench import InputError, UsageError
from posebench.datasets import cmu_clips, hdm05_clips, read_cmu, read_hdm05
from posebench.datasets.open4v.motions import (
    BONES,
    LIMITS,
    PARENTS,
    STRAIGHT,
    _half_turned,
    about_axis,
    read_clip,
    rng,
    synthetic_motion,
)
from posebench.skeletons import H36M17
from tests.support.mocap import clip_text, written

#: Straight bone -> the joints of H36M-17 at its ends.
ENDS = {
    "LeftArm": ("LShoulder", "LElbow"),
    "LeftForeArm": ("LElbow", "LWrist"),
    "LeftUpLeg": ("LHip", "LKnee"),
    "LeftLeg": ("LKnee", "LAnkle"),
    "RightArm": ("RShoulder", "RElbow"),
    "RightForeArm": ("RElbow", "RWrist"),
    "RightUpLeg": ("RHip", "RKnee"),
    "RightLeg": ("RKnee", "RAnkle"),
}
#: The whole skeleton of CMU's conversion to BVH, in round numbers.
WHOLE = (
    *(
        (f"{side}{bone}", above if above in ("Hips", "Spine1") else f"{side}{above}", (sign * x, y, z))
        for side, sign in (("Left", 1), ("Right", -1))
        for bone, above, (x, y, z) in (
            ("UpLeg", "Hips", (2, -2, 0)),
            ("Leg", "UpLeg", (3, -7, 0)),
            ("Foot", "Leg", (3, -8, 0)),
            ("ToeBase", "Foot", (0, -1, 2)),
            ("Shoulder", "Spine1", (0, 0, 0)),
            ("Arm", "Shoulder", (3, 1, 0)),
            ("ForeArm", "Arm", (5, 0, 0)),
            ("Hand", "ForeArm", (3, 0, 0)),
            ("FingerBase", "Hand", (0, 0, 0)),
            ("HandIndex1", "FingerBase", (1, 0, 0)),
        )
    ),
    ("LowerBack", "Hips", (0, 0, 0)),
    ("Spine", "LowerBack", (0, 2, 0)),
    ("Spine1", "Spine", (0, 3, 0)),
    ("Neck", "Spine1", (0, 0, 0)),
    ("Neck1", "Neck", (0, 1, 0)),
    ("Head", "Neck1", (0, 1, 0)),
)


def clip(tmp_path: Path, *turns: dict[str, float]) -> Path:
    """A clip whose first frame is the rest pose that read_cmu leaves out."""
    return written(tmp_path, clip_text({}, *turns, bones=WHOLE))


def angle(rotation: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))


# ----------------------------------------------------------------------------------------------------- a file made here


def test_a_bone_turns_with_what_it_hangs_from(tmp_path: Path) -> None:
    motion = read_clip(clip(tmp_path, {"LeftArm": 90, "LeftForeArm": -30}))
    turned = {bone: motion.rotations[0, BONES.index(bone)] for bone in BONES}
    np.testing.assert_allclose(turned["LeftArm"], [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-12)
    c, s = np.cos(np.pi / 3), np.sin(np.pi / 3)
    np.testing.assert_allclose(turned["LeftHand"], [[c, -s, 0], [s, c, 0], [0, 0, 1]], atol=1e-12)
    for bone in ("Hips", "Head", "RightHand", "LeftShoulder", "LeftFoot"):
        np.testing.assert_allclose(turned[bone], np.eye(3), atol=1e-12)


def test_a_forearm_takes_half_of_the_turn_of_its_wrist_along_it(tmp_path: Path) -> None:
    # At rest the left arm points along x; here it hangs down, so that z is across it and the wrist cannot twist.
    motion = read_clip(clip(tmp_path, {"LeftArm": -90, "LeftHand": 40}))
    arm, forearm, hand = (motion.rotations[0, BONES.index(f"Left{bone}")] for bone in ("Arm", "ForeArm", "Hand"))
    np.testing.assert_allclose(forearm, arm, atol=1e-12)
    assert angle(forearm.T @ hand) == pytest.approx(40)


def test_half_of_a_twist_goes_into_the_forearm_and_nothing_of_a_bend() -> None:
    along = np.array([1.0, 0, 0])
    for twist in (-2.9, 0.4, 3.0):
        bent = about_axis(2, 0.5) @ about_axis(0, twist)
        forearm = _half_turned(np.eye(3)[None], bent[None], along)[0]
        np.testing.assert_allclose(forearm, about_axis(0, twist / 2), atol=1e-12)


def test_the_directions_at_rest_and_the_legs_are_those_of_the_file(tmp_path: Path) -> None:
    motion = read_clip(clip(tmp_path, {}))
    given = dict(zip(STRAIGHT, motion.directions, strict=True))
    np.testing.assert_allclose(given["LeftUpLeg"], np.array([3, -7, 0]) / np.sqrt(58))
    np.testing.assert_allclose(given["RightHand"], [-1, 0, 0])
    assert motion.leg == pytest.approx((np.sqrt(58) + np.sqrt(73)) * 25.4 / 0.45)
    np.testing.assert_allclose(motion.pelvis, [[10 * 25.4 / 0.45, 18 * 25.4 / 0.45, 30 * 25.4 / 0.45]])


def test_a_clip_is_thinned_by_its_stride_from_the_first_usable_frame_on(tmp_path: Path) -> None:
    path = clip(tmp_path, *({"Spine": float(i)} for i in range(1, 8)))
    motion = read_clip(path, stride=3)
    assert motion.frame.tolist() == [1, 4, 7]
    assert [round(angle(rotation)) for rotation in motion.rotations[:, BONES.index("Spine")]] == [1, 4, 7]
    assert (motion.subject, motion.sequence, motion.fps) == ("cmu07", "07_12", 120)
    with pytest.raises(UsageError, match="stride is 0"):
        read_clip(path, stride=0)


def test_a_truncated_clip_is_refused_by_its_name(tmp_path: Path) -> None:
    path = clip(tmp_path, {}, {})
    path.write_text("\n".join(path.read_text().splitlines()[:-1]), encoding="utf-8")
    with pytest.raises(InputError, match=r"07_12\.bvh.*the file ends after 2 frames, expected 3"):
        read_clip(path)


def test_a_clip_of_rest_poses_only_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no usable frame"):
        read_clip(clip(tmp_path))


# ----------------------------------------------------------------------------------------------------------- synthetic


def local_angles(motion, bone: str) -> np.ndarray:
    """Degrees about x, y, z (N, 3) of a bone against its parent, R = Rz · Ry · Rx taken apart."""
    own = motion.rotations[:, BONES.index(bone)]
    above = np.eye(3)[None] if bone == "Hips" else motion.rotations[:, BONES.index(PARENTS[bone])]
    R = np.swapaxes(above, 1, 2) @ own
    x, z = np.arctan2(R[:, 2, 1], R[:, 2, 2]), np.arctan2(R[:, 1, 0], R[:, 0, 0])
    return np.degrees(np.stack([x, np.arcsin(-R[:, 2, 0]), z], axis=1))


@pytest.mark.parametrize("bone", [bone for bone in BONES if bone != "Hips" and "ForeArm" not in bone])
def test_joints_stay_within_their_limits(bone: str) -> None:
    angles = local_angles(synthetic_motion("syn01", 1, frames=200), bone)
    limits = np.array(LIMITS[bone.replace("Right", "Left")], float)
    if bone.startswith("Right"):
        limits[1:] = -limits[1:, ::-1]
    assert (angles >= limits[:, 0] - 1e-6).all()
    assert (angles <= limits[:, 1] + 1e-6).all()
    moved = limits[:, 1] > limits[:, 0]
    assert (np.ptp(angles, axis=0)[moved] > 0.3 * np.ptp(limits, axis=1)[moved]).all()


def test_made_up_motions_are_smooth() -> None:
    motion = synthetic_motion("syn02", 3, frames=100, fps=50)
    between = np.swapaxes(motion.rotations[:-1], 2, 3) @ motion.rotations[1:]
    steps = [angle(step) for frame in between for step in frame]
    assert max(steps) < 25
    assert np.median(steps) < 8


def test_a_made_up_motion_depends_on_its_names_and_the_seed_alone() -> None:
    first = synthetic_motion("syn01", 1, frames=4).rotations
    np.testing.assert_array_equal(first, synthetic_motion("syn01", 1, frames=4).rotations)
    np.testing.assert_array_equal(first, synthetic_motion("syn01", 1, frames=9).rotations[:4])
    for other in (("syn02", 1, 0), ("syn01", 2, 0), ("syn01", 1, 1)):
        subject, take, seed = other
        assert not np.allclose(first, synthetic_motion(subject, take, frames=4, seed=seed).rotations)


def test_synthetic_subjects_have_names_of_their_own() -> None:
    with pytest.raises(UsageError, match="expected a subject such as syn01"):
        synthetic_motion("cmu01", 1, frames=4)


def test_names_cannot_run_together_in_a_seed() -> None:
    assert rng(1, "a", "b").random() != rng(1, "ab").random()


# ---------------------------------------------------------------------------------------------------------- real clips


def clips_of_every_subject(root: Path) -> list[Path]:
    """The shortest clip of each subject of both databases."""
    found: dict[str, Path] = {}
    for path in [*cmu_clips(root), *hdm05_clips(root)]:
        if path.parent.name not in found or path.stat().st_size < found[path.parent.name].stat().st_size:
            found[path.parent.name] = path
    return list(found.values())


@pytest.mark.mocap
def test_limbs_point_where_the_joints_of_real_clips_are(mocap_root: Path) -> None:
    clips = clips_of_every_subject(mocap_root)
    assert len(clips) == 13
    for path in clips:
        motion = read_clip(path, stride=20)
        poses = read_cmu(path) if path.suffix == ".bvh" else read_hdm05(path)
        joints = poses.poses[np.isin(poses.frame, motion.frame)].astype(float)
        for bone, (start, end) in ENDS.items():
            along = joints[:, H36M17.index(end)] - joints[:, H36M17.index(start)]
            along /= np.linalg.norm(along, axis=1, keepdims=True)
            turned = motion.rotations[:, BONES.index(bone)] @ motion.directions[STRAIGHT.index(bone)]
            np.testing.assert_allclose(turned, along, atol=1e-6, err_msg=f"{path.name} {bone}")


@pytest.mark.mocap
def test_people_stand_upright_and_look_ahead(mocap_root: Path) -> None:
    # Independent of any joint: the axes that the files give hips, head and feet.
    for path in cmu_clips(mocap_root):
        if path.stem in ("02_01", "07_01", "08_01", "09_12"):
            motion = read_clip(path, stride=10)
            ahead = motion.rotations[..., 2]
            for bone in ("Hips", "Head", "LeftFoot", "RightFoot"):
                assert abs(np.median(ahead[:, BONES.index(bone), 1])) < 0.5
            level = ahead[:, [BONES.index("Hips"), BONES.index("Head")]] * [1, 0, 1]
            assert np.median(np.einsum("nk,nk->n", level[:, 0], level[:, 1])) > 0.7
