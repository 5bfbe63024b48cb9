"""Labels are those of exact arithmetic: near ties, real ties, any number of centres, joints and banks."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebench.banks import Assigner, Layout, squared_distances, two_nearest
from posebench.banks.assign import pack, settle
from posebench.kernels import PoseFlag
from tests.support.poses import MODERATE, make_case, seeds


def layout_of(n_joints: int, root: int | None = 0) -> Layout:
    names = tuple(f"joint{j}" for j in range(n_joints))
    return Layout("test", names, None if root is None else names[root], "camera")


def exact_ranking(pose: np.ndarray, centres: np.ndarray) -> list[int]:
    """Centres by exact distance to a normalised pose, ties by index."""
    point = [Fraction(value) for value in pose.ravel().tolist()]

    def square(j: int) -> Fraction:
        return sum(
            ((x - Fraction(c)) ** 2 for x, c in zip(point, centres[j].ravel().tolist(), strict=True)), Fraction()
        )

    return sorted(range(len(centres)), key=lambda j: (square(j), j))


def unit(points: np.ndarray) -> np.ndarray:
    return points / np.linalg.norm(points, axis=(1, 2), keepdims=True)


@MODERATE
@given(
    seed=seeds,
    n_joints=st.integers(2, 9),
    counts=st.lists(st.integers(2, 11), min_size=1, max_size=3),
    root=st.booleans(),
    dtype=st.sampled_from(["float32", "float64"]),
    size=st.sampled_from([1.0, 0.3, 1e-3]),
)
def test_labels_are_those_of_exact_arithmetic(seed, n_joints, counts, root, dtype, size):
    rng = np.random.default_rng(seed)
    layout = layout_of(n_joints, 0 if root else None)
    poses = rng.normal(size=(20, n_joints, 3)).astype(dtype)
    banks = [layout.normalise(rng.normal(size=(k, n_joints, 3))).poses * size for k in counts]
    labels, flags = Assigner(layout, banks).labels(poses)
    assert not flags.any()
    for i, pose in enumerate(layout.normalise(poses).poses):
        assert labels[:, i].tolist() == [exact_ranking(pose, centres)[0] for centres in banks]


@MODERATE
@given(seed=seeds, distance=st.sampled_from([0.0, 1e-17, 1e-16, 1e-15, 1e-12, 1e-8, 1e-7, 1e-6]))
def test_poses_at_a_boundary_get_the_exact_label(seed, distance):
    """Pairs of centres mirrored in a plane through the pose, then moved by next to nothing."""
    rng = np.random.default_rng(seed)
    layout = layout_of(5)
    poses = rng.normal(size=(8, 5, 3))
    normalised = layout.normalise(poses).poses
    aside = rng.normal(size=(8, 5, 3))
    aside[:, 0] = 0
    aside -= (aside * normalised).sum((1, 2), keepdims=True) * normalised
    centres = np.concatenate([0.5 * normalised + 0.3 * unit(aside), 0.5 * normalised - 0.3 * unit(aside)])
    centres += distance * rng.normal(size=centres.shape) * (np.arange(5)[:, None] > 0)
    labels, _ = Assigner(layout, [centres]).labels(poses)
    ranked = [exact_ranking(pose, centres)[:2] for pose in normalised]
    assert labels[0].tolist() == [first for first, _ in ranked]
    assert two_nearest(normalised.reshape(8, -1), centres.reshape(16, -1))[0].tolist() == ranked


def test_an_exact_tie_goes_to_the_lowest_index():
    layout = layout_of(2)
    pose = np.array([[[0.0, 0, 0], [0, 5, 0]]])
    right, left, up = [0.6, 0.8, 0], [-0.6, 0.8, 0], [0, 0, 1]
    for tips in ([right, left, up], [left, right, up], [up, left, right]):
        centres = np.zeros((3, 2, 3))
        centres[:, 1] = tips
        labels, _ = Assigner(layout, [centres]).labels(pose)
        assert labels[0, 0] == min(tips.index(right), tips.index(left))


def test_centres_that_are_the_same_give_the_lowest_index():
    layout = layout_of(4)
    pose = np.random.default_rng(0).normal(size=(1, 4, 3))
    centre = layout.normalise(pose).poses[0]
    far = -centre
    centres = np.stack([far, centre, centre, centre])
    assert Assigner(layout, [centres]).labels(pose)[0].tolist() == [[1]]
    labels, squares = two_nearest(centres[1:2].reshape(1, -1), centres.reshape(4, -1))
    assert labels.tolist() == [[1, 2]]
    assert squares.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("n", [1, 127, 128, 129, 300])
def test_blocks_that_are_not_full_are_right(n):
    layout = layout_of(17)
    poses = make_case("gaussian", n=n).gt
    centres = layout.normalise(make_case("gaussian", n=10, seed=1).gt).poses
    labels, _ = Assigner(layout, [centres]).labels(poses)
    normalised = layout.normalise(poses).poses.astype(np.longdouble)
    squares = ((normalised[:, None] - centres) ** 2).sum((2, 3))
    assert labels[0].tolist() == squares.argmin(1).tolist()


def test_a_pose_does_not_depend_on_its_neighbours():
    layout = layout_of(17)
    poses = make_case("human", n=200).gt
    assigner = Assigner(layout, [layout.normalise(poses[:9]).poses])
    together = assigner.labels(poses)[0]
    alone = np.concatenate([assigner.labels(poses[i : i + 1])[0] for i in range(200)], axis=1)
    np.testing.assert_array_equal(together, alone)


def test_poses_without_a_shape_have_no_label():
    layout = layout_of(17)
    poses = make_case("human", n=4).gt
    centres = layout.normalise(make_case("human", n=3, seed=5).gt).poses
    valid = np.ones((4, 17), bool)
    valid[1, 3] = False
    poses[2, 6, 1] = np.nan
    poses[3] = 7.0
    labels, flags = Assigner(layout, [centres, centres]).labels(poses, valid)
    assert flags.tolist() == [0, int(PoseFlag.MASKED), int(PoseFlag.MISSING), int(PoseFlag.DEGENERATE)]
    assert (labels[:, 1:] == -1).all()
    assert (labels[:, 0] >= 0).all()


def test_the_margin_covers_the_error_of_a_score_in_float32():
    rng = np.random.default_rng(0)
    layout = layout_of(17)
    rows = layout.normalise(rng.normal(size=(500, 17, 3))).rows
    centres = layout.normalise(rng.normal(size=(50, 17, 3))).rows * rng.uniform(0, 1, (50, 1))
    packed = pack([centres])
    x, c = rows[:, packed.columns].astype(np.float32), packed.screen[:50, : len(packed.columns)]
    score = np.tile(packed.halves[:50], (500, 1))
    for d in range(x.shape[1]):
        score -= x[:, d : d + 1] * c[:, d]
    exact = (centres.astype(np.longdouble) ** 2).sum(1) / 2 - rows.astype(np.longdouble) @ centres.T
    worst = np.abs(score - exact).max()
    assert 0 < worst < packed.margins[0] < 200 * worst


def test_squared_distances_are_taken_from_differences():
    rng = np.random.default_rng(0)
    rows = layout_of(17).normalise(rng.normal(size=(130, 17, 3))).rows
    centres = np.concatenate([rows[:3] + 1e-9, rows[3:7] * 0.5])
    expected = ((rows.astype(np.longdouble)[:, None] - centres) ** 2).sum(2).astype(float)
    np.testing.assert_allclose(squared_distances(rows, centres), expected, rtol=1e-14, atol=0)


def test_the_two_nearest_are_the_first_two_of_all_distances():
    rng = np.random.default_rng(1)
    rows = layout_of(6).normalise(rng.normal(size=(300, 6, 3))).rows
    centres = layout_of(6).normalise(rng.normal(size=(7, 6, 3))).rows * 0.4
    labels, squares = two_nearest(rows, centres)
    exact = ((rows.astype(np.longdouble)[:, None] - centres) ** 2).sum(2)
    np.testing.assert_array_equal(labels, exact.argsort(1, kind="stable")[:, :2])
    np.testing.assert_allclose(squares, np.sort(exact, 1)[:, :2].astype(float), rtol=1e-14)


def test_settling_ranks_what_float64_cannot_tell_apart():
    step = np.nextafter(0.5, 1.0) - 0.5
    row = np.zeros((1, 3))
    centres = np.array([[0.5 + step, 0, 0], [0.5, 0, 1e-12], [0, 0.5, 0], [0, 0, 0.5]])
    # Squares: 1/4 + 1.1e-16, 1/4 + 1e-24, 1/4 and 1/4; in float64 all but the first are the same.
    assert len(set(((centres - row) ** 2).sum(1)[1:])) == 1
    assert settle(row, centres).tolist() == [[2, 3]]
    assert settle(row, centres[:2]).tolist() == [[1, 0]]
