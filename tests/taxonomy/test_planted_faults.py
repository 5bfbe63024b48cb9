"""A fault planted alone is found, with all of the error; several are told apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import posebench as pb
from tests.taxonomy.conftest import clip, exchanged, shares, turned

ALL = pytest.approx(100.0, abs=1e-6)


def others(found: dict[str, float], *names: str) -> float:
    """The largest share of another fault."""
    return max(abs(share) for name, share in found.items() if name not in names)


def test_a_rotation_is_a_rotation_for_every_pose(gt) -> None:
    turns = Rotation.random(len(gt), random_state=1).as_matrix()
    for i, turn in enumerate(turns):
        found = shares(pb.explain(gt[i : i + 1] @ turn.T, gt[i : i + 1]))
        assert found["rotation"] == ALL, i
        assert others(found, "rotation") < 1e-6


def test_a_scale_is_a_scale(gt) -> None:
    factor = np.random.default_rng(1).uniform(0.6, 1.6, (len(gt), 1, 1))
    assert shares(pb.explain(factor * gt, gt))["scale"] == ALL


def test_a_misplaced_root_is_a_misplaced_root(gt) -> None:
    wrong = gt.copy()
    wrong[:, 0] += np.random.default_rng(1).normal(0, 60, (len(gt), 3))
    assert shares(pb.explain(wrong, gt))["root"] == ALL


@pytest.mark.parametrize("parts", [("arms",), ("legs",), ("arms", "legs")], ids="-".join)
def test_exchanged_sides_are_a_swap(gt, parts) -> None:
    explained = pb.explain(exchanged(gt, *parts), gt)
    assert shares(explained)["swap"] == ALL
    assert explained.swapped == {"any": len(gt)} | {p: len(gt) * (p in parts) for p in ("arms", "legs")}


def test_noise_is_no_swap(gt) -> None:
    wrong = gt + np.random.default_rng(1).normal(0, 60, gt.shape)
    assert pb.explain(wrong, gt).swapped["any"] == 0


@pytest.mark.parametrize("joint", ["LElbow", "RWrist", "head"])
def test_a_joint_torn_off_is_an_outlier(gt, joint) -> None:
    wrong = gt.copy()
    wrong[:, pb.get_skeleton("h36m17").index(joint)] += [500, 300, -400]
    explained = pb.explain(wrong, gt)
    assert shares(explained)["outliers"] == ALL
    assert explained.torn == {"frames": len(gt), joint: len(gt)}


def test_of_many_misplaced_joints_two_are_torn_at_most(gt) -> None:
    wrong = gt.copy()
    wrong[:, [3, 6, 13, 16]] += np.random.default_rng(2).normal(0, 1000, (len(gt), 4, 3))
    explained = pb.explain(wrong, gt)
    assert sum(n for name, n in explained.torn.items() if name != "frames") <= 2 * len(gt)


def test_a_limb_turned_in_the_picture_plane_is_a_limb(gt) -> None:
    turn = Rotation.from_rotvec([0, 0, 0.8]).as_matrix()
    explained = pb.explain(turned(gt, [12, 13], 11, turn), gt)
    assert shares(explained)["limbs"] == pytest.approx(100, abs=0.1)
    assert explained.limbs["left arm"]["sum"] == pytest.approx(explained.value, rel=1e-3)


def test_a_limb_turned_in_space_is_that_limb_in_depth_and_plane(gt) -> None:
    turn = Rotation.from_rotvec([0.5, 0.3, 0.5]).as_matrix()
    explained = pb.explain(turned(gt, [2, 3], 1, turn), gt)
    found = shares(explained)
    assert found["depth"] + found["limbs"] == pytest.approx(100, abs=0.5)
    assert explained.limbs["right leg"]["sum"] == pytest.approx(explained.value, rel=5e-3)


def test_a_bent_elbow_is_a_limb_and_no_outlier_since_its_bone_is_whole(gt) -> None:
    turn = Rotation.from_rotvec([0.7, 0.7, 0.7]).as_matrix()
    found = shares(pb.explain(turned(gt, [13], 12, turn), gt))
    assert found["depth"] + found["limbs"] == pytest.approx(100, abs=0.1)


def test_an_error_in_depth_lies_along_the_viewing_axis_whatever_causes_it(gt) -> None:
    wrong = gt.copy()
    wrong[..., 2] += np.random.default_rng(1).normal(0, 40, gt.shape[:2])
    explained = pb.explain(wrong, gt)
    along = sum(of["depth"] for of in explained.parts.values())
    assert along == pytest.approx(explained.value, rel=1e-9)
    assert shares(explained)["limbs"] < 1


def test_what_the_documentation_says_of_faults_that_look_alike(gt) -> None:
    rng = np.random.default_rng(1)
    noisy, flat, mirrored = gt.copy(), gt * [1, 1, 0.5], gt * [1, 1, -1]
    noisy[:, 1:, 2] += rng.normal(0, 40, (len(gt), 16))
    assert shares(pb.explain(noisy, gt))["depth"] == pytest.approx(80, abs=5)
    found = shares(pb.explain(flat, gt))
    assert found["rotation"] + found["scale"] == pytest.approx(65, abs=5)
    assert shares(pb.explain(mirrored, gt))["rotation"] > 90


@pytest.mark.parametrize(("far", "share"), [(150, 0.8), (300, 1.0)])
def test_a_bone_that_keeps_its_length_by_chance_hides_an_outlier(gt, far, share) -> None:
    gt = np.tile(gt, (5, 1, 1))
    directions = np.random.default_rng(1).normal(size=gt[:, 0].shape)
    wrong = gt.copy()
    wrong[:, 12] += far * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    assert pb.explain(wrong, gt).torn["frames"] / len(gt) == pytest.approx(share, abs=0.05)


def test_limbs_too_deep_are_depth(gt) -> None:
    wrong = gt.copy()
    wrong[:, [12, 15], 2] += np.random.default_rng(1).uniform(20, 45, (len(gt), 2))  # too near to be torn off
    assert shares(pb.explain(wrong, gt))["depth"] == pytest.approx(100, abs=0.1)


@pytest.mark.parametrize(("fps", "percent"), [(50, 96), (10, 80)])
def test_noise_from_frame_to_frame_is_jitter_but_for_what_a_window_keeps_of_it(moving, fps, percent) -> None:
    wrong = moving + np.random.default_rng(1).normal(0, 20, moving.shape)
    explained = pb.explain(clip(wrong, fps=fps), clip(moving, fps=fps))
    assert shares(explained)["jitter"] == pytest.approx(percent, abs=2)
    assert explained.window == {50: 25, 10: 5}[fps]


def test_a_constant_fault_is_no_jitter_however_fast_the_person_moves(moving) -> None:
    wrong = 1.1 * moving @ Rotation.from_rotvec([0.2, 0.3, 0.1]).as_matrix().T
    order = np.random.default_rng(1).permutation(len(moving))
    explained = pb.explain(clip(wrong[order]), clip(moving[order]))
    assert abs(explained.faults["jitter"].mm) < 1e-9
    assert explained.faults["scale"].mm + explained.faults["rotation"].mm == pytest.approx(explained.value)


def test_faults_planted_together_are_all_found(moving) -> None:
    rng = np.random.default_rng(1)
    wrong = 1.1 * moving @ Rotation.from_rotvec([0, 0.4, 0]).as_matrix().T
    wrong[100:110] = exchanged(wrong, "legs")[100:110]
    wrong[200:203, 16] += [600, 0, 500]
    wrong += rng.normal(0, 5, moving.shape)
    explained = pb.explain(clip(wrong), clip(moving))
    assert explained.swapped == {"any": 10, "arms": 0, "legs": 10}
    assert explained.torn == {"frames": 3, "RWrist": 3}
    for name in ("swap", "outliers", "jitter", "rotation", "scale"):
        assert explained.faults[name].mm > 0.3, name


def test_what_the_faults_cost_is_what_their_vectors_put_into_each_error(gt) -> None:
    # p = R g / s - t': every vector is known beforehand.
    turn, scale, shift = Rotation.from_rotvec([0.2, -0.5, 0.3]).as_matrix(), 0.9, np.array([30.0, -20, 50])
    body = np.arange(17) > 0
    wrong = np.where(body[:, None], (gt - shift) @ turn / scale, 0.0)
    error = wrong - gt
    unit = error[:, body] / np.linalg.norm(error[:, body], axis=2, keepdims=True)
    back = wrong @ turn.T
    vectors = {"rotation": wrong - back, "scale": back - scale * back, "root": scale * back - gt}
    explained = pb.explain(wrong, gt)
    for name, vector in vectors.items():
        assert explained.faults[name].mm == pytest.approx((vector[:, body] * unit).sum() / gt[..., 0].size, abs=1e-6)
        squared = 100 * (vector * error).sum() / (error**2).sum()
        assert explained.faults[name].squared == pytest.approx(squared, abs=1e-6)
    left = [np.linalg.norm(p - gt, axis=2)[:, body].sum() / gt[..., 0].size for p in (back, scale * back)]
    assert [explained.faults[name].left for name in ("rotation", "scale")] == pytest.approx(left, abs=1e-6)
    assert explained.faults["root"].left == pytest.approx(0, abs=1e-6)
