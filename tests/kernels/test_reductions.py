"""From an error field to pose values and to sums that merge, against a loop that reads like the definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebench.kernels.kinds import ITEM_COUNT, ITEM_SUM, POSE_COUNT, POSE_SUM, ReductionKind
from posebench.kernels.reductions import reduce_field
from tests.support import twins
from tests.support.poses import MODERATE, seeds

NAN, INF = np.nan, np.inf
THRESHOLDS = {
    ReductionKind.MEAN: (),
    ReductionKind.WORST: (),
    ReductionKind.SHARE_BELOW: (150.0,),
    ReductionKind.SHARE_UP_TO: (150.0,),
    ReductionKind.AREA: tuple(float(t) for t in range(0, 151, 5)),
    ReductionKind.AREA_CONTINUOUS: (150.0,),
    ReductionKind.AREA_TRAPEZOID: tuple(float(t) for t in range(0, 200)),
    ReductionKind.POSE_AREA: (300.0,),
}
COUNTS_MISSING = [k for k in ReductionKind if k not in (ReductionKind.MEAN, ReductionKind.WORST)]


def reduce(field, kind, thresholds=None, cells=None):
    field = np.asarray(field, np.float64)
    cells = np.zeros(len(field), np.int64) if cells is None else cells
    values = np.empty(len(field))
    cell_sums, item_sums = np.zeros((int(cells.max(initial=0)) + 1, 4)), np.zeros((field.shape[1], 2))
    limits = np.array(THRESHOLDS[kind] if thresholds is None else thresholds, np.float64)
    reduce_field(field, int(kind), limits, cells, values, cell_sums, item_sums)
    return values, cell_sums, item_sums


def item_scores(row, kind, thresholds):
    """Score of every item of one pose, NaN where it is not counted."""
    known = ~np.isnan(row)
    if kind in (ReductionKind.MEAN, ReductionKind.WORST, ReductionKind.POSE_AREA):
        return np.where(np.isfinite(row), row, NAN)
    single = [twins.share(np.array([e]), thresholds[0], inclusive=kind is ReductionKind.SHARE_UP_TO) for e in row]
    if kind is ReductionKind.AREA:
        single = [twins.area(np.array([e]), thresholds) for e in row]
    elif kind is ReductionKind.AREA_TRAPEZOID:
        single = [twins.area_trapezoid(np.array([e]), thresholds) for e in row]
    elif kind is ReductionKind.AREA_CONTINUOUS:
        single = [twins.area_continuous(np.array([e]), thresholds[0]) for e in row]
    return np.where(known, single, NAN)


def pose_value(row, kind, thresholds):
    if kind is ReductionKind.POSE_AREA:
        return twins.pose_area(row, thresholds[0])
    scores = item_scores(row, kind, thresholds)
    return twins.worst(scores) if kind is ReductionKind.WORST else twins.mean(scores)


@pytest.mark.parametrize(
    ("kind", "row", "value"),
    [
        (ReductionKind.MEAN, [10, 20, 60], 30),
        (ReductionKind.MEAN, [10, NAN, 60], 35),
        (ReductionKind.MEAN, [10, INF, 60], 35),
        (ReductionKind.WORST, [10, 20, 60], 60),
        (ReductionKind.WORST, [10, NAN, 20], 20),
        (ReductionKind.SHARE_BELOW, [149.9, 150, 150.1, 0], 50),
        (ReductionKind.SHARE_BELOW, [0, INF, NAN, 0], 200 / 3),
        (ReductionKind.SHARE_UP_TO, [149.9, 150, 150.1, 0], 75),
        (ReductionKind.SHARE_UP_TO, [INF, INF], 0),
        (ReductionKind.AREA, [0], 100 * 30 / 31),
        (ReductionKind.AREA, [145], 100 / 31),
        (ReductionKind.AREA, [150], 0),
        (ReductionKind.AREA, [0, INF], 50 * 30 / 31),
        (ReductionKind.AREA_TRAPEZOID, [0], 100),
        (ReductionKind.AREA_TRAPEZOID, [199], 50 / 199),
        (ReductionKind.AREA_TRAPEZOID, [198, 199.5], 50 * 1.5 / 199),
        (ReductionKind.AREA_TRAPEZOID, [0, INF], 50),
        (ReductionKind.AREA_CONTINUOUS, [0], 100),
        (ReductionKind.AREA_CONTINUOUS, [75, 300], 25),
        (ReductionKind.AREA_CONTINUOUS, [0, INF], 50),
        (ReductionKind.POSE_AREA, [10, 60], 240),
        (ReductionKind.POSE_AREA, [10, 400], 0),
        (ReductionKind.POSE_AREA, [10, INF], 0),
        (ReductionKind.POSE_AREA, [10, NAN], 290),
        (ReductionKind.POSE_AREA, [0, 0], 300),
    ],
)
def test_one_pose(kind, row, value):
    assert reduce([row], kind)[0][0] == pytest.approx(value)


@pytest.mark.parametrize("kind", ReductionKind)
def test_a_pose_with_nothing_to_score_is_not_counted(kind):
    values, cell_sums, _ = reduce([[NAN, NAN], [1.0, 2.0]], kind)
    assert np.isnan(values[0]) and np.isfinite(values[1])
    assert cell_sums[0, POSE_COUNT] == 1


@pytest.mark.parametrize("kind", COUNTS_MISSING)
def test_a_missing_item_never_raises_a_score(kind):
    row = np.array([[20.0, 100.0, 40.0, NAN]])
    complete = reduce(row, kind)[0][0]
    for k in range(3):
        broken = row.copy()
        broken[0, k] = INF
        assert reduce(broken, kind)[0][0] < complete


@pytest.mark.parametrize("kind", COUNTS_MISSING)
def test_a_pose_that_is_missing_altogether_scores_zero_and_counts(kind):
    values, cell_sums, _ = reduce([[INF, INF]], kind)
    assert values[0] == 0
    assert cell_sums[0, POSE_COUNT] == 1


@pytest.mark.parametrize("kind", [ReductionKind.MEAN, ReductionKind.WORST])
def test_a_pose_that_is_missing_altogether_has_no_distance(kind):
    values, cell_sums, _ = reduce([[INF, INF]], kind)
    assert np.isnan(values[0])
    assert not cell_sums.any()


def test_the_sums_of_a_cell():
    field = [[10.0, 30.0], [20.0, NAN], [1.0, 3.0]]
    _, sums, items = reduce(field, ReductionKind.MEAN, cells=np.array([1, 1, 0]))
    np.testing.assert_allclose(sums[1, [POSE_SUM, POSE_COUNT, ITEM_SUM, ITEM_COUNT]], [40, 2, 60, 3])
    np.testing.assert_allclose(sums[0, [POSE_SUM, POSE_COUNT, ITEM_SUM, ITEM_COUNT]], [2, 1, 4, 2])
    np.testing.assert_allclose(items, [[31, 3], [33, 2]])


def test_the_sums_add_to_what_is_there_already():
    cell_sums, item_sums = np.ones((1, 4)), np.ones((2, 2))
    values = np.empty(1)
    none = np.empty(0)
    reduce_field(np.array([[10.0, 30.0]]), 0, none, np.zeros(1, np.int64), values, cell_sums, item_sums)
    np.testing.assert_allclose(cell_sums, [[21, 2, 41, 3]])
    np.testing.assert_allclose(item_sums, [[11, 2], [31, 2]])


def draw_field(rng, n, k):
    field = np.abs(rng.normal(0, 150, (n, k)))
    field[rng.random((n, k)) < 0.2] = NAN
    field[rng.random((n, k)) < 0.1] = INF
    field[rng.random((n, k)) < 0.05] = 0
    field[rng.random((n, k)) < 0.05] = 150  # on the threshold
    return field


@pytest.mark.parametrize("kind", ReductionKind)
@MODERATE
@given(seed=seeds, n=st.sampled_from([1, 2, 3, 30]), k=st.sampled_from([1, 2, 17]), n_cells=st.integers(1, 4))
def test_equals_a_plain_loop(kind, seed, n, k, n_cells):
    rng = np.random.default_rng(seed)
    field, cells = draw_field(rng, n, k), rng.integers(0, n_cells, n)
    values, cell_sums, item_sums = reduce(field, kind, cells=cells)
    expected = np.array([pose_value(row, kind, THRESHOLDS[kind]) for row in field])
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    held = ~np.isnan(expected)
    for cell in range(len(cell_sums)):
        chosen = held & (cells == cell)
        np.testing.assert_allclose(cell_sums[cell, POSE_SUM], expected[chosen].sum(), rtol=1e-9, atol=1e-9)
        assert cell_sums[cell, POSE_COUNT] == chosen.sum()
    if kind not in (ReductionKind.WORST, ReductionKind.POSE_AREA):
        scores = np.array([item_scores(row, kind, THRESHOLDS[kind]) for row in field])
        np.testing.assert_allclose(item_sums[:, 0], np.nansum(scores, 0), rtol=1e-9, atol=1e-9)
        np.testing.assert_array_equal(item_sums[:, 1], (~np.isnan(scores)).sum(0))
        assert cell_sums[:, ITEM_COUNT].sum() == (~np.isnan(scores)).sum()
        np.testing.assert_allclose(cell_sums[:, ITEM_SUM].sum(), np.nansum(scores), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", ReductionKind)
@MODERATE
@given(seed=seeds, cut=st.integers(0, 30))
def test_two_halves_add_up_to_the_whole(kind, seed, cut):
    rng = np.random.default_rng(seed)
    field, cells = draw_field(rng, 30, 5), np.append(rng.integers(0, 3, 29), 2)
    whole = reduce(field, kind, cells=cells)
    values, cell_sums, item_sums = np.empty(30), np.zeros((3, 4)), np.zeros((5, 2))
    for rows in (slice(cut, 30), slice(0, cut)):
        limits = np.array(THRESHOLDS[kind], np.float64)
        reduce_field(field[rows], int(kind), limits, cells[rows], values[rows], cell_sums, item_sums)
    np.testing.assert_array_equal(values, whole[0])
    np.testing.assert_allclose(cell_sums, whole[1], rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(item_sums, whole[2], rtol=1e-12, atol=1e-9)
