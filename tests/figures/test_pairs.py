"""Pairs of wrong poses: a turned limb keeps its bones, noise is noise, and both lie at one MPJPE."""

from __future__ import annotations

import numpy as np
import pytest

from posebench.errors import InputError
from posebench.figures.pairs import Changes, descendants, turn_chain
from posebench.skeletons import H36M17, Skeleton
from tests.support.poses import people, rotations

POSES = people(np.random.default_rng(0), 60)
CENTRED = POSES - POSES[:, :1]
CHAINS = {
    "Hip": ("Knee", "Ankle"),
    "Knee": ("Ankle",),
    "Shoulder": ("Elbow", "Wrist"),
    "Elbow": ("Wrist",),
}


def bone_lengths(poses: np.ndarray) -> np.ndarray:
    parents = np.array([parent for parent, _ in H36M17.bones])
    return np.linalg.norm(poses[:, 1:] - poses[:, parents], axis=2)


def plain_mpjpe(pred: np.ndarray, gt: np.ndarray) -> np.ndarray:
    """Mean over the joints of the distances once both are centred on the pelvis."""
    return np.array(
        [
            sum(float(np.sqrt((((p[j] - p[0]) - (g[j] - g[0])) ** 2).sum())) for j in range(17)) / 17
            for p, g in zip(pred, gt, strict=True)
        ]
    )


@pytest.mark.parametrize("level", [5.0, 20.0, 35.0, 53.0, 75.0, 100.0])
def test_structure_and_noise_have_the_same_mpjpe(level: float) -> None:
    pairs = Changes(POSES, H36M17, seed=1).at(level)
    assert len(pairs.rows) > 0
    for wrong in (pairs.structural, pairs.noisy):
        np.testing.assert_allclose(plain_mpjpe(wrong, POSES[pairs.rows]), level, atol=1e-9)  # 0.1 mm would do


@pytest.mark.parametrize("level", [20.0, 75.0])
def test_a_changed_structure_keeps_every_bone_and_moves_only_what_hangs_from_the_joint(level: float) -> None:
    pairs = Changes(POSES, H36M17, seed=2).at(level)
    np.testing.assert_allclose(bone_lengths(pairs.structural), bone_lengths(POSES[pairs.rows]), rtol=1e-12)
    for pose, row, joint in zip(pairs.structural, pairs.rows, pairs.joints, strict=True):
        name = H36M17.joints[joint]
        chain = {name[0] + lower for lower in CHAINS[name[1:]]}
        moved = {H36M17.joints[j] for j in np.flatnonzero((pose != CENTRED[row]).any(1))}
        assert moved == chain


def test_every_kind_of_limb_is_turned_on_both_sides() -> None:
    pairs = Changes(people(np.random.default_rng(3), 400), H36M17).at(5.0)
    assert {H36M17.joints[j] for j in pairs.joints} == {side + upper for side in "LR" for upper in CHAINS}


def test_noise_is_gaussian_and_the_same_in_every_direction() -> None:
    poses = people(np.random.default_rng(4), 3000)
    pairs = Changes(poses, H36M17).at(40.0)
    # Relative to the root, joints share its noise: each coordinate has twice the variance, half of it in common.
    noise = (pairs.noisy - (poses - poses[:, :1])[pairs.rows])[:, 1:] / pairs.sigmas[:, None, None]
    np.testing.assert_allclose(noise.mean((0, 1)), 0, atol=0.1)
    np.testing.assert_allclose(noise.reshape(-1, 3).var(0), 2, rtol=0.1)
    np.testing.assert_allclose((noise[:, 3] * noise[:, 11]).mean(0), 1, rtol=0.2)
    kurtosis = ((noise[:, 3] / noise[:, 3].std()) ** 4).mean()
    assert kurtosis == pytest.approx(3, rel=0.1)


def test_levels_differ_in_the_size_of_the_noise_only() -> None:
    changes = Changes(POSES, H36M17, seed=5)
    small, large = (changes.at(level).noisy - CENTRED for level in (10.0, 30.0))
    np.testing.assert_allclose(3 * small, large, rtol=1e-9, atol=1e-9)


def test_no_limb_is_turned_by_more_than_120_degrees_and_poses_that_would_need_more_are_left_out() -> None:
    pairs = Changes(POSES, H36M17, seed=6).at(135.0)
    assert np.degrees(pairs.angles).max() <= 120 + 1e-9
    assert 0 < len(pairs.rows) < len(POSES)
    assert len(Changes(POSES, H36M17, seed=6).at(400.0).rows) == 0


def test_a_seed_says_all_that_is_drawn() -> None:
    one, same, other = (Changes(POSES, H36M17, seed=seed).at(20.0) for seed in (7, 7, 8))
    assert (one.structural == same.structural).all() and (one.noisy == same.noisy).all()
    assert (one.noisy != other.noisy).any(axis=(1, 2)).all()


def test_a_chain_turns_as_a_rotation_matrix_turns_it() -> None:
    matrix = rotations(np.random.default_rng(9), 1)[0]
    angle = np.arccos((np.trace(matrix) - 1) / 2)
    axis = np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]])
    joint = H36M17.index("RShoulder")
    turned = turn_chain(POSES[:1], H36M17, joint, (axis / np.linalg.norm(axis))[None], np.array([angle]))
    for name in ("RElbow", "RWrist"):
        j = H36M17.index(name)
        expected = POSES[0, joint] + matrix @ (POSES[0, j] - POSES[0, joint])
        np.testing.assert_allclose(turned[0, j], expected, atol=1e-9)


def test_descendants_are_all_below_and_none_beside() -> None:
    assert {H36M17.joints[j] for j in descendants(H36M17, H36M17.index("thorax"))} == {
        "nose", "head", "LShoulder", "LElbow", "LWrist", "RShoulder", "RElbow", "RWrist",
    }  # fmt: skip
    assert descendants(H36M17, H36M17.index("head")) == []


def test_a_skeleton_without_limbs_is_refused() -> None:
    trunk = Skeleton("trunk", ("pelvis", "head"), (-1, 0), 0, (), {})
    with pytest.raises(InputError, match="no limb to turn: skeleton trunk lacks"):
        Changes(np.zeros((1, 2, 3)), trunk)
