"""The box of a person: against a loop, and where little is known."""

from __future__ import annotations

import numpy as np

from model_zoo.epipolarpose.boxes import MARGIN, boxes_of


def box_twin(points: np.ndarray, known: np.ndarray) -> list[float]:
    there = [point for point, sure in zip(points.tolist(), known, strict=True) if sure and np.isfinite(point).all()]
    if len(there) < 2:
        return [np.nan] * 3
    left, right = min(x for x, _ in there), max(x for x, _ in there)
    top, bottom = min(y for _, y in there), max(y for _, y in there)
    side = MARGIN * max(right - left, bottom - top)
    return [(left + right) / 2 - side / 2, (top + bottom) / 2 - side / 2, side]


def test_boxes_are_those_of_a_loop_over_what_is_known() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(0, 200, (40, 17, 2))
    points[rng.random((40, 17)) < 0.2] = np.nan
    points[rng.random((40, 17)) < 0.1, 1] = np.inf
    known = rng.random((40, 17)) < 0.7
    twin = [box_twin(*row) for row in zip(points, known, strict=True)]
    np.testing.assert_allclose(boxes_of(points, known), twin, rtol=1e-12, atol=1e-9)


def test_one_joint_makes_no_box() -> None:
    known = np.zeros((2, 17), np.bool_)
    known[0, 3] = True
    known[1, [3, 4]] = True
    points = np.random.default_rng(1).normal(0, 9, (2, 17, 2))
    points[1, 4] = np.nan
    assert np.isnan(boxes_of(points, known)).all()


def test_all_joints_lie_within_their_box() -> None:
    points = np.random.default_rng(2).normal(0, 50, (5, 17, 2))
    box = boxes_of(points, np.ones((5, 17), np.bool_))
    low, high = box[:, None, :2], box[:, None, :2] + box[:, None, 2:]
    assert ((low < points) & (points < high)).all()


def test_joints_in_one_place_make_a_box_without_size() -> None:
    box = boxes_of(np.full((1, 17, 2), 7.0), np.ones((1, 17), np.bool_))
    assert box.tolist() == [[7.0, 7.0, 0.0]]
