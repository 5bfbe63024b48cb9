"""Skeletons as SVG: what a browser shows before any script ran, and on paper; the script turns the same elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.drawing import View, sides
from posebench.html.markup import Child, Markup, tag
from posebench.skeletons import Skeleton

Floats = npt.NDArray[np.float64]

#: The view that is shown first: from a little to the side, and a little from above.
AZIMUTH, ELEVATION = 25.0, 10.0


def seen(poses: npt.ArrayLike, up: str) -> Floats:
    """Poses (..., J, 3) as (right, up, away from the viewer), seen from the front."""
    plane, depth = View.of(up).project(poses)
    return np.concatenate([plane, depth[..., None]], axis=-1)


def turned(points: Floats, azimuth: float, elevation: float) -> Floats:
    """Points (..., 3) as `seen`, after the viewer walked to their right and climbed by so many degrees."""
    a, e = np.radians(azimuth), np.radians(elevation)
    x, y, z = np.moveaxis(points, -1, 0)
    x, z = np.cos(a) * x + np.sin(a) * z, np.cos(a) * z - np.sin(a) * x
    y, z = np.cos(e) * y + np.sin(e) * z, np.cos(e) * z - np.sin(e) * y
    return np.stack([x, y, z], axis=-1)


def bones_of(skeleton: Skeleton) -> list[list[Any]]:
    """[parent, child, side] of every bone; l, r or m for the middle."""
    of = sides(skeleton)
    return [[a, b, of[b][0]] for a, b in skeleton.bones]


def rounded(pose: Floats, digits: int = 0) -> list[list[float] | None]:
    """Coordinates as short JSON; None for a joint that is not known."""
    return [
        None if not np.isfinite(joint).all() else [_short(value, digits) for value in joint.tolist()] for joint in pose
    ]


def extent(*poses: Floats) -> float:
    """Largest distance of a joint from the origin, so that no view cuts a pose off."""
    reach = [float(np.nanmax(np.linalg.norm(pose, axis=-1))) for pose in poses if np.isfinite(pose).any()]
    return max([*reach, 1e-9])


def overlay(pred: Floats, gt: Floats, skeleton: Skeleton, most: float, label: str) -> Markup:
    """A prediction over its ground truth, both (J, 3) as `seen`; the edge of the picture is `most` from its middle."""
    layers = [
        tag("g", _lines(turned(pose, AZIMUTH, ELEVATION), skeleton, most), class_=name)
        for name, pose in (("gt", gt), ("pred", pred))
    ]
    return tag("svg", tag("title", label), layers, viewBox="-100 -100 200 200", data_size=f"{most:.6g}")


def small(pose: Floats, skeleton: Skeleton, label: str) -> Markup:
    """One pose (J, 3) as `seen`, for a list of many."""
    points = turned(pose, AZIMUTH, ELEVATION)
    lines = _lines(points, skeleton, extent(pose))
    return tag("svg", tag("title", label), lines, viewBox=_box(points / extent(pose)), class_="structure", role="img")


def _box(points: Floats) -> str:
    """The square around a pose that fills it, as a viewBox of pictures that are 200 wide."""
    low, high = np.nanmin(points[:, :2], axis=0), np.nanmax(points[:, :2], axis=0)
    middle, half = 50 * (low + high), 54 * float((high - low).max())
    return f"{middle[0] - half:.1f} {-middle[1] - half:.1f} {2 * half:.1f} {2 * half:.1f}"


def _lines(points: Floats, skeleton: Skeleton, most: float) -> list[Child]:
    at = points / most * 100
    of = bones_of(skeleton)
    known: Sequence[int] = [i for i, (a, b, _) in enumerate(of) if np.isfinite(at[[a, b]]).all()]
    order = sorted(known, key=lambda i: -float(at[of[i][0], 2] + at[of[i][1], 2]))
    return [
        tag(
            "path",
            d=f"M{at[a, 0]:.1f} {-at[a, 1]:.1f}L{at[b, 0]:.1f} {-at[b, 1]:.1f}",
            class_=side,
        )
        for a, b, side in (of[i] for i in order)
    ]


def _short(value: float, digits: int) -> float:
    short = round(value, digits)
    return int(short) if short == int(short) else short
