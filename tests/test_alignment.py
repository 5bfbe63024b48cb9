"""The public alignments: arrays in, arrays out, the textbook result, and words for what cannot be aligned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from posebench import InputError, UsageError, alignment
from tests.support import twins
from tests.support.poses import FEW, make_case, rotations, seeds

RNG = np.random.default_rng(0)
PRED, GT = RNG.normal(0, 300, (2, 6, 17, 3))


def test_centring_puts_the_root_or_the_mean_into_the_origin() -> None:
    assert np.abs(alignment.centre_root(GT, root=3)[:, 3]).max() == 0
    assert np.abs(alignment.centre_mean(GT).mean(1)).max() < 1e-10
    np.testing.assert_allclose(alignment.centre_root(GT, root=3), GT - GT[:, [3]])


@pytest.mark.parametrize("root", [-1, 17])
def test_a_root_outside_the_pose_is_refused(root: int) -> None:
    with pytest.raises(UsageError, match=f"root is {root}, expected a joint from 0 to 16"):
        alignment.centre_root(GT, root=root)


def test_the_least_squares_scale_leaves_the_least_squares() -> None:
    p, g = alignment.centre_root(PRED), alignment.centre_root(GT)
    scale = alignment.scale_least_squares(p, g)
    assert scale.shape == (6,)
    least = ((scale[:, None, None] * p - g) ** 2).sum((1, 2))
    for off in (0.99, 1.01):
        assert ((((off * scale)[:, None, None] * p - g) ** 2).sum((1, 2)) > least).all()


def test_the_least_squares_scale_may_be_negative_and_the_norm_ratio_never_is() -> None:
    assert alignment.scale_least_squares(-2 * GT, GT) == pytest.approx(np.full(6, -0.5))
    assert alignment.scale_norm_ratio(-2 * GT, GT) == pytest.approx(np.full(6, 0.5))


@pytest.mark.parametrize("fit", [alignment.scale_least_squares, alignment.scale_norm_ratio])
def test_a_prediction_without_extent_has_the_scale_zero(fit) -> None:
    assert fit(np.zeros((1, 17, 3)), GT[:1]).tolist() == [0.0]


@FEW
@given(seeds)
def test_the_similarity_is_umeyamas(seed: int) -> None:
    case = make_case("human", n=3, seed=seed)
    fitted = alignment.fit_similarity(case.pred, case.gt)
    for i in range(3):
        scale, rotation = twins.similarity(case.pred[i], case.gt[i])
        assert fitted.scale[i] == pytest.approx(scale)
        np.testing.assert_allclose(fitted.rotation[i], rotation, atol=1e-9)
    error = np.linalg.norm(fitted.apply(case.pred) - case.gt, axis=2).mean(1)
    np.testing.assert_allclose(error, twins.pmpjpe(case.pred, case.gt), rtol=1e-9)


@FEW
@given(seeds)
def test_a_similarity_is_undone_exactly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    turned = 2.5 * GT @ rotations(rng, 6) + rng.normal(0, 500, (6, 1, 3))
    np.testing.assert_allclose(alignment.align_similarity(turned, GT), GT, atol=1e-8)
    np.testing.assert_allclose(alignment.align_rigid(turned / 2.5, GT), GT, atol=1e-8)


def test_a_rigid_fit_keeps_the_size() -> None:
    assert alignment.fit_similarity(3 * GT, GT, scale=False).scale.tolist() == [1.0] * 6


def test_only_a_reflection_undoes_a_mirror() -> None:
    mirrored = GT * [-1, 1, 1]
    assert np.abs(alignment.align_similarity(mirrored, GT) - GT).max() > 1
    reflected = alignment.fit_similarity(mirrored, GT, reflect=True)
    np.testing.assert_allclose(reflected.apply(mirrored), GT, atol=1e-8)
    assert np.linalg.det(alignment.fit_similarity(mirrored, GT).rotation) == pytest.approx(np.ones(6))
    assert np.linalg.det(reflected.rotation) == pytest.approx(-np.ones(6))


def test_a_line_has_no_unique_rotation_and_a_person_has() -> None:
    line = make_case("collinear", n=2)
    assert alignment.fit_similarity(line.pred, line.gt).ambiguous.all()
    person = make_case("human", n=2)
    assert not alignment.fit_similarity(person.pred, person.gt).ambiguous.any()


def test_planar_poses_are_aligned() -> None:
    flat = GT * [1, 1, 0]
    turned = flat @ rotations(np.random.default_rng(1), 6)
    np.testing.assert_allclose(alignment.align_similarity(turned, flat), flat, atol=1e-8)


def test_a_prediction_without_extent_lands_on_the_mean() -> None:
    fitted = alignment.align_similarity(np.full((1, 17, 3), 5.0), GT[:1])
    np.testing.assert_allclose(fitted, np.broadcast_to(GT[:1].mean(1, keepdims=True), fitted.shape), atol=1e-9)


def test_single_precision_comes_out_double() -> None:
    assert alignment.align_similarity(PRED.astype("float32"), GT.astype("float32")).dtype == np.float64


@pytest.mark.parametrize("fit", [alignment.fit_similarity, alignment.scale_least_squares, alignment.scale_norm_ratio])
def test_shapes_must_agree_and_numbers_be_finite(fit) -> None:
    with pytest.raises(InputError, match=r"pred has shape \(5, 17, 3\) and gt has shape \(6, 17, 3\)"):
        fit(PRED[:5], GT)
    broken = PRED.copy()
    broken[4, 2, 1] = np.nan
    with pytest.raises(InputError, match="pred: pose 4 is not finite"):
        fit(broken, GT)
    with pytest.raises(InputError, match=r"poses\[None\]"):
        fit(PRED[0], GT[0])
