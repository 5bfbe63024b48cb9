"""PMPJPE: the optimal similarity, its six variants, and what happens where it is not unique."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebench.kernels import Alignment, aligned_errors
from posebench.metrics import pmpjpe
from tests.support import twins
from tests.support.compare import assert_values, sizes, uniqueness
from tests.support.poses import (
    FEW,
    KINDS,
    MODERATE,
    Case,
    cases,
    make_case,
    masked,
    near_ambiguous,
    people,
    rotations,
    seeds,
)

ALIGNMENTS = {
    "similarity": Alignment.SIMILARITY,
    "similarity_rerooted": Alignment.SIMILARITY_REROOTED,
    "rigid": Alignment.RIGID,
    "rigid_rerooted": Alignment.RIGID_REROOTED,
    "norm_ratio": Alignment.PROCRUSTES_NORM_RATIO,
    "norm_ratio_reflect": Alignment.PROCRUSTES_NORM_RATIO_REFLECT,
}

#: A corner: four joints that are neither in a plane nor their own mirror image.
CORNER = np.array([[[0, 0, 0], [100, 0, 0], [0, 200, 0], [0, 0, 300]]], float)
TURN = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], float)
MIRROR = np.array([-1.0, 1.0, 1.0])


def same_as_twin(case: Case, variant: str) -> None:
    """The same value where the rotation is unique, the same root mean square where it is not."""
    ours = pmpjpe(case.pred, case.gt, variant=variant, reduce="none", **case.options)
    twin = twins.pmpjpe(case.pred, case.gt, variant=variant, **case.options)
    unique = uniqueness(case, reflect=variant == "norm_ratio_reflect") > 1e-6
    # A prediction without extent has no rotation either, but its limit is one number.
    limit = np.array([twins.size(case.pose(i)[0], **case.pose(i)[2]) == 0 for i in range(len(case.gt))])
    rerooted_elsewhere = variant == "rigid_rerooted" and case.joints is not None and case.root not in case.joints
    compared = unique | (limit & (not rerooted_elsewhere))
    assert_values(np.where(compared, ours, 0), np.where(compared, twin, 0), case, sizes(case))
    if not variant.endswith("rerooted"):
        assert_values(rms_of_ours(case, variant), rms_of_twin(case, variant), case, sizes(case))


def rms_of_ours(case: Case, variant: str) -> np.ndarray:
    joints = np.arange(case.gt.shape[1]) if case.joints is None else np.array(case.joints)
    field = aligned_errors(
        case.pred, case.gt, case.valid, [ALIGNMENTS[variant]], joints=joints, pred_root=case.root, gt_root=case.root
    ).errors[0]
    return np.array([np.sqrt(twins.mean(row**2)) for row in field])


def rms_of_twin(case: Case, variant: str) -> np.ndarray:
    def value(p, g, options):
        with np.errstate(invalid="ignore", over="ignore"):
            return np.sqrt(twins.mean(twins.procrustes_row(p, g, variant=variant, root=case.root, **options) ** 2))

    return np.array([value(*case.pose(i)) for i in range(len(case.gt))])


def test_rotation_translation_and_scale_are_free():
    assert pmpjpe(3 * CORNER @ TURN.T + [7, 8, 9], CORNER) == pytest.approx(0, abs=1e-9)


def test_a_rigid_motion_does_not_scale():
    assert pmpjpe(CORNER @ TURN.T + [7, 8, 9], CORNER, variant="rigid") == pytest.approx(0, abs=1e-9)
    spread = np.linalg.norm(CORNER - CORNER.mean(1), axis=2).mean()
    assert pmpjpe(3 * CORNER @ TURN.T, CORNER, variant="rigid") == pytest.approx(2 * spread)


def test_the_ratio_of_norms_is_a_scale_too():
    assert pmpjpe(3 * CORNER @ TURN.T + 5, CORNER, variant="norm_ratio") == pytest.approx(0, abs=1e-9)


def test_a_mirrored_prediction_is_not_perfect():
    for variant in set(ALIGNMENTS) - {"norm_ratio_reflect"}:
        assert pmpjpe(CORNER * MIRROR, CORNER, variant=variant) > 10


def test_unless_reflections_are_asked_for():
    assert pmpjpe(5 * CORNER * MIRROR @ TURN.T + 5, CORNER, variant="norm_ratio_reflect") == pytest.approx(0, abs=1e-9)


def test_rerooting_afterwards_inflates_when_the_root_is_off():
    pred = CORNER.copy()
    pred[0, 0] = [40, 40, 40]
    for variant in ("similarity", "rigid"):
        assert pmpjpe(pred, CORNER, variant=variant + "_rerooted") > pmpjpe(pred, CORNER, variant=variant)


def test_a_flat_pose_is_turned_like_any_other():
    flat = np.array([[[0, 0, 0], [100, 0, 0], [0, 200, 0], [50, 250, 0]]], float)
    turned = 2 * flat @ rotations(np.random.default_rng(0), 1)[0].T + 100
    for variant in set(ALIGNMENTS) - {"rigid", "rigid_rerooted"}:
        assert pmpjpe(turned, flat, variant=variant) == pytest.approx(0, abs=1e-9)
    # The mirror image of a flat pose is itself, seen from behind.
    assert pmpjpe(flat * MIRROR, flat) == pytest.approx(0, abs=1e-9)


def test_a_prediction_without_extent_takes_the_limit():
    spread = np.linalg.norm(CORNER - CORNER.mean(1), axis=2).mean()
    for variant in ("similarity", "rigid", "norm_ratio", "norm_ratio_reflect"):
        assert pmpjpe(np.full_like(CORNER, 77.7), CORNER, variant=variant) == pytest.approx(spread)


def test_a_ground_truth_without_extent_is_out_of_the_mean():
    pred = np.concatenate([CORNER + np.eye(4, 3) * 9, CORNER])
    gt = np.concatenate([CORNER, np.full_like(CORNER, 3.0)])
    for variant in ALIGNMENTS:
        assert pmpjpe(pred, gt, variant=variant) == pmpjpe(pred[:1], gt[:1], variant=variant)


def test_only_the_rerooted_variants_need_the_true_root():
    valid = np.array([[False, True, True, True]])
    for variant in ALIGNMENTS:
        scorable = not np.isnan(pmpjpe(2 * CORNER, CORNER, variant=variant, valid=valid, reduce="none")).any()
        assert scorable == (not variant.endswith("rerooted"))


def test_an_outlier_in_a_masked_joint_does_not_disturb_the_alignment():
    rng = np.random.default_rng(0)
    gt = people(rng, 3)
    pred = gt + rng.normal(0, 30, gt.shape)
    valid = np.ones((3, 17), bool)
    valid[:, 5] = False
    clean = {variant: pmpjpe(pred, gt, variant=variant, valid=valid) for variant in ALIGNMENTS}
    pred[:, 5] += 1e5
    gt[:, 5] = np.nan
    for variant, value in clean.items():
        assert pmpjpe(pred, gt, variant=variant, valid=valid) == value


def test_a_joint_that_is_not_chosen_does_not_disturb_the_alignment_either():
    rng = np.random.default_rng(0)
    gt = people(rng, 3)
    pred = gt + rng.normal(0, 30, gt.shape)
    chosen = [j for j in range(17) if j != 5]
    clean = pmpjpe(pred, gt, joints=chosen)
    assert clean == pytest.approx(pmpjpe(pred[:, chosen], gt[:, chosen]), rel=1e-12)
    pred[:, 5] = np.inf
    assert pmpjpe(pred, gt, joints=chosen) == clean


@pytest.mark.parametrize("variant", ALIGNMENTS)
@pytest.mark.parametrize("kind", KINDS)
def test_equals_its_twin_on_every_kind_of_pose(kind, variant):
    for dtype in ("float64", "float32"):
        case = make_case(kind, n=3, dtype=dtype)
        same_as_twin(case, variant)
        same_as_twin(masked(case, np.random.default_rng(0)), variant)
        same_as_twin(replace(masked(case, np.random.default_rng(1)), root=4, joints=(0, 1, 2, 3, 9, 12)), variant)


@pytest.mark.parametrize("variant", ALIGNMENTS)
@MODERATE
@given(case=cases())
def test_every_variant_equals_its_twin(variant, case):
    same_as_twin(case, variant)


@pytest.mark.parametrize("ratio", [1e-5, 3e-5, 1e-4, 1e-3, 1e-2, 1e-1])
@pytest.mark.parametrize("mirrored", [True, False], ids=["mirrored", "needle"])
def test_nearly_ambiguous_poses_still_equal_the_twin(ratio, mirrored):
    rng = np.random.default_rng(int(1 / ratio))
    case = Case("near ambiguous", *near_ambiguous(rng, 40, 17, ratio, mirrored=mirrored))
    np.testing.assert_allclose(uniqueness(case), ratio, rtol=1e-6)
    for variant in ALIGNMENTS:
        same_as_twin(case, variant)


@pytest.mark.parametrize("ratio", [0.0, 1e-12, 1e-9, 1e-7])
@pytest.mark.parametrize("mirrored", [True, False], ids=["mirrored", "needle"])
def test_ambiguous_poses_have_the_optimal_root_mean_square(ratio, mirrored):
    rng = np.random.default_rng(7)
    case = Case("ambiguous", *near_ambiguous(rng, 20, 17, ratio, mirrored=mirrored))
    for variant in ("similarity", "rigid", "norm_ratio", "norm_ratio_reflect"):
        assert_values(rms_of_ours(case, variant), rms_of_twin(case, variant), case, sizes(case))


@MODERATE
@given(case=cases(dtypes=("float64",), kinds=("human", "gaussian", "planar", "near collinear")), seed=seeds)
def test_invariant_to_any_similarity_of_the_prediction(case, seed):
    rng = np.random.default_rng(seed)
    n = len(case.gt)
    scale = np.exp(rng.normal(0, 1, (n, 1, 1)))
    moved = scale * np.nan_to_num(case.pred, posinf=0, neginf=0) @ rotations(rng, n) + rng.normal(0, 500, (n, 1, 3))
    unique = uniqueness(case) > 1e-5
    before = pmpjpe(case.pred, case.gt, reduce="none", **case.options)
    after = pmpjpe(moved, case.gt, reduce="none", **case.options)
    # Moving the pose rounds its coordinates, which a nearly ambiguous rotation magnifies.
    loose = 1e-9 / np.maximum(uniqueness(case), 1e-5)
    assert_values(np.where(unique, after, 0), np.where(unique, before, 0), case, sizes(case) * loose)


@MODERATE
@given(case=cases(kinds=("human", "gaussian", "mirrored", "planar", "collinear"), masks=False, subsets=False))
def test_no_similarity_nearby_has_a_smaller_squared_error(case):
    joints = np.arange(case.gt.shape[1])
    best = rms_of_ours(case, "similarity")
    rng = np.random.default_rng(0)
    g = case.gt.astype(float)
    for i in range(len(g)):
        p = case.pred[i].astype(float)
        s, rotation = twins.similarity(p[joints], g[i][joints])
        for _ in range(5):
            turn = np.linalg.qr(np.eye(3) + 0.01 * rng.normal(size=(3, 3)))[0]
            turn = turn * np.sign(np.diag(turn))
            moved = s * rng.uniform(0.99, 1.01) * (p - p.mean(0)) @ (turn @ rotation).T + g[i].mean(0)
            assert np.sqrt(((moved - g[i]) ** 2).sum(1).mean()) >= best[i] * (1 - 1e-12)


@FEW
@given(st.integers(0, 17), seeds)
def test_a_collinear_pose_does_not_fall_over(masked_joints, seed):
    case = make_case("collinear", n=3, seed=seed)
    valid = np.ones((3, 17), bool)
    valid[:, :masked_joints] = False
    values = pmpjpe(case.pred, case.gt, valid=valid, reduce="none")
    assert np.isnan(values).all() if masked_joints >= 16 else np.isfinite(values).all()
