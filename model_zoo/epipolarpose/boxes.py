"""The box of a person: a square around the joints that the 2D branch found. One rule for every kind of training.

A box made from ground truth would tell how far away a person is; this one tells what anyone sees.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: The square is so many times as large as the joints need. With it, 96 % of poses stay within half a box of depth on
#: either side of the root, and all within a box.
MARGIN = 1.3
#: Of joints found in a whole picture: those that the network is less sure of do not enter the box of a second look.
_SURE = 0.1
#: And a box smaller than this share of the picture is no person's.
_LEAST = 0.1


def boxes_of(points: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    """Left edge, top edge and side (N, 3), in px, of the squares around joints; NaN where fewer than two are known.

    Parameters
    ----------
    points : (N, J, 2)
        In px; whole numbers are the middles of pixels.
    known : (N, J) bool

    Examples
    --------
    >>> boxes_of(np.array([[[10.0, 20], [30, 60]]]), np.ones((1, 2), bool)).tolist()
    [[-6.0, 14.0, 52.0]]
    """
    there = known & np.isfinite(points).all(axis=-1)
    low = np.where(there[..., None], points, np.inf).min(axis=1)
    high = np.where(there[..., None], points, -np.inf).max(axis=1)
    enough = there.sum(axis=1) >= 2
    with np.errstate(invalid="ignore"):
        side = MARGIN * (high - low).max(axis=1)
        corner = (low + high - side[:, None]) / 2
    return np.where(enough[:, None], np.column_stack([corner, side]), np.nan)


def whole_box(shape: tuple[int, ...]) -> Floats:
    """Left edge, top edge and side (3,) of the square around a whole picture (H, W, ...).

    Examples
    --------
    >>> whole_box((4, 8, 3)).tolist()
    [-0.5, -2.5, 8.0]
    """
    height, width = shape[:2]
    side = max(height, width)
    return np.array([(width - 1 - side) / 2, (height - 1 - side) / 2, side], np.float64)


def boxes_to_look_at(points: Floats, confidence: Floats, whole: Floats) -> Floats:
    """Boxes (N, 3) for a second look, out of joints found in whole pictures; NaN where no person was found.

    Parameters
    ----------
    points : (N, J, 2)
        In px of the pictures.
    confidence : (N, J)
        From 0 to 1.
    whole : (N, 3)
        `whole_box` of the pictures.
    """
    found = boxes_of(points, confidence >= _SURE)
    with np.errstate(invalid="ignore"):
        return np.where((found[:, 2] >= _LEAST * whole[:, 2])[:, None], found, np.nan)


__all__ = ["MARGIN", "boxes_of", "boxes_to_look_at", "whole_box"]
