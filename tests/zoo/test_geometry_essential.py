"""The essential matrix, its four poses and the choice among them, beside OpenCV's."""

from __future__ import annotations

import numpy as np
import pytest

from model_zoo.epipolarpose.geometry import (
    cheirality,
    decompose,
    essential_from_fundamental,
    essential_from_pose,
    fundamental_from_essential,
    fundamental_from_pose,
)
from posebench.errors import UsageError
from tests.support.two_views import BASELINE, K1, K2, R, T, crowd, degrees_between, pixels, rotation, seen

E = essential_from_pose(R, T)


def test_the_essential_matrix_and_the_fundamental_one_are_two_spellings_of_a_pose() -> None:
    F = fundamental_from_pose(R, T, K1, K2)
    back = essential_from_fundamental(F, K1, K2)
    np.testing.assert_allclose(back * np.sign((back * E).sum()), E, atol=1e-12)
    np.testing.assert_allclose(fundamental_from_essential(E, K1, K2), F, atol=1e-15)


def test_points_obey_the_matrix_of_their_pose() -> None:
    view = seen(crowd(20))
    F = fundamental_from_pose(R, T, K1, K2)
    u, v = (np.column_stack([picture, np.ones(20)]) for picture in (view.first, view.second))
    assert np.abs(np.einsum("ni,ij,nj->n", v, F, u)).max() < 1e-9


def test_a_noisy_matrix_becomes_an_essential_one() -> None:
    noisy = fundamental_from_pose(R, T, K1, K2) + np.random.default_rng(0).normal(0, 1e-7, (3, 3))
    values = np.linalg.svd(essential_from_fundamental(noisy, K1, K2), compute_uv=False)
    np.testing.assert_allclose(values, [np.sqrt(0.5), np.sqrt(0.5), 0], atol=1e-12)


def test_the_four_poses_are_those_of_opencv() -> None:
    cv2 = pytest.importorskip("cv2")
    one, other, t = cv2.decomposeEssentialMat(E)
    rotations, translations = decompose(E)
    for expected in ((one, t), (one, -t), (other, t), (other, -t)):
        off = [
            np.abs(mine - expected[0]).max() + np.abs(way - expected[1].ravel()).max()
            for mine, way in zip(rotations, translations, strict=True)
        ]
        assert min(off) < 1e-10


def test_decomposed_matrices_are_rotations_and_unit_translations_in_a_batch() -> None:
    rng = np.random.default_rng(0)
    many = np.stack([essential_from_pose(rotation(*rng.uniform(-180, 180, 3)), rng.normal(size=3)) for _ in range(20)])
    rotations, translations = decompose(-many)
    np.testing.assert_allclose(
        rotations @ np.swapaxes(rotations, -1, -2), np.broadcast_to(np.eye(3), (20, 4, 3, 3)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1)
    for i in range(4):
        again = essential_from_pose(rotations[:, i], translations[:, i])
        sign = np.sign((again * many).sum((1, 2)))[:, None, None]
        np.testing.assert_allclose(again * sign, many, atol=1e-12)


def test_the_pose_with_points_in_front_is_the_true_one_and_opencvs() -> None:
    cv2 = pytest.importorskip("cv2")
    view = seen(crowd(40), noise=1.0)
    chosen = cheirality(E, view.first, view.second, K1, K2)
    assert degrees_between(chosen.R, R) < 1e-5
    assert degrees_between(chosen.t, T) < 1e-5
    assert chosen.share == 1
    assert not chosen.tie
    # OpenCV takes pixels of one camera.
    u, v = (
        (np.column_stack([p, np.ones(40)]) @ np.linalg.inv(K).T)[:, :2]
        for p, K in ((view.first, K1), (view.second, K2))
    )
    _, theirs, t, _ = cv2.recoverPose(E, u, v, np.eye(3))
    np.testing.assert_allclose(chosen.R, theirs, atol=1e-9)
    np.testing.assert_allclose(chosen.t, t.ravel(), atol=1e-9)


def test_a_batch_chooses_for_each_and_ignores_what_is_not_valid() -> None:
    view = seen(crowd(3, 10))
    first = view.first.copy()
    first[1, :4] = 0.0
    valid = np.ones((3, 10), np.bool_)
    valid[1, :4] = False
    chosen = cheirality(np.stack([E] * 3), first, view.second, K1, K2, valid=valid)
    assert chosen.share.tolist() == [1, 1, 1]
    np.testing.assert_allclose(chosen.R, np.broadcast_to(R, (3, 3, 3)), atol=1e-10)


def test_points_half_of_which_belong_to_another_pose_of_the_matrix_are_a_tie() -> None:
    # The second picture of a camera that stands on the other side has its points behind: x becomes -x, the pixel stays.
    points = crowd(20)
    inside = points @ R.T + BASELINE * T
    other = points @ R.T - BASELINE * T
    first = pixels(points, K1)
    second = np.concatenate([pixels(inside[:10], K2), pixels(other[10:], K2)])
    chosen = cheirality(E, first, second, K1, K2)
    assert chosen.share == 0.5
    assert chosen.tie


def test_no_points_are_a_tie() -> None:
    view = seen(crowd(5))
    nothing = cheirality(E, view.first, view.second, K1, K2, valid=np.zeros(5, np.bool_))
    assert nothing.tie
    assert nothing.share == 0


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match=r"E has shape \(3, 2\)"):
        decompose(np.ones((3, 2)))
    with pytest.raises(UsageError, match=r"K1 has shape \(2, 2\)"):
        essential_from_fundamental(E, np.eye(2), K2)


def test_no_baseline_gives_no_matrix() -> None:
    assert np.isnan(essential_from_pose(R, np.zeros(3))).all()
