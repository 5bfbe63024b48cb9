"""Comparing a metric with its twin: how close is close enough, and where a difference would mean nothing."""

from __future__ import annotations

import numpy as np

from tests.support import twins
from tests.support.poses import Case

#: Of the value itself.
RELATIVE = 1e-9
#: Of the largest coordinate: what one subtraction of two coordinates may lose, a few hundred times over.
ROUNDING = 1e-13


def assert_values(ours, twin, case: Case, size=0.0) -> None:
    """One value per pose on both sides: NaN in the same places, else equal to 1e-9 of the value and of `size`."""
    ours, twin = np.asarray(ours), np.asarray(twin)
    assert ours.shape == twin.shape
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(twin), err_msg=f"{case}: scorable poses differ")
    held = ~np.isnan(twin)
    allowed = RELATIVE * np.abs(twin) + ROUNDING * case.reach + RELATIVE * np.asarray(size)
    off = np.abs(np.where(held, ours - twin, 0.0))
    i = int(np.argmax(off))
    assert (off[held] <= np.broadcast_to(allowed, off.shape)[held]).all(), (
        f"{case}: pose {i} is off by {off[i]}: {ours[i]} against {twin[i]}"
    )


def same_values(metric, twin, case: Case, twin_options: dict | None = None, **options) -> None:
    """`metric(..., reduce="none")` against the twin's value per pose, and the mean against the mean."""
    expected = twin(case.pred, case.gt, **{**case.options, **(options if twin_options is None else twin_options)})
    values = metric(case.pred, case.gt, reduce="none", **case.options, **options)
    assert_values(values, expected, case)
    scored = values[~np.isnan(values)]
    if len(scored):
        mean = metric(case.pred, case.gt, **case.options, **options)
        assert isinstance(mean, float)
        np.testing.assert_allclose(mean, scored.mean(), rtol=1e-12, atol=0)


def sizes(case: Case) -> np.ndarray:
    """|g - mean g| per pose (N,)."""
    return np.array([twins.size(case.pose(i)[1], **case.pose(i)[2]) for i in range(len(case.gt))])


def uniqueness(case: Case, *, reflect: bool = False) -> np.ndarray:
    """(s2 + d s3) / s1 per pose (N,)."""
    found = []
    for i in range(len(case.gt)):
        p, g, options = case.pose(i)
        found.append(twins.uniqueness(p.astype(float), g.astype(float), reflect=reflect, **options))
    return np.array(found)
