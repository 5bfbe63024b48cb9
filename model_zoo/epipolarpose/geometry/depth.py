"""Poses as a network learns them: pixels, and depth relative to the root in pixels at the root's depth.

A pose and its scaled copy look the same and have the same numbers, so labels need no scale.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from model_zoo.epipolarpose.geometry.arrays import Floats, as_matrices
from posebench.errors import UsageError
from posebench.lifting import lift_uvd


def to_image_space(points: npt.ArrayLike, K: npt.ArrayLike, *, root: int = 0) -> Floats:
    """Joints (N, J, 3) in a camera as (u, v, w): pixels, and (Z - Z_root) f / Z_root in px.

    f is the geometric mean of both focal lengths. With the intrinsics of a crop, u, v and w are in px of the crop.
    Joints that are not in front of the camera, and all joints of a pose whose root is not, are NaN.

    Parameters
    ----------
    points : array, (N, J, 3)
        In any unit.
    K : array, (3, 3) or (N, 3, 3)
        Intrinsics in px.
    root : int

    Raises
    ------
    UsageError
        If shapes do not fit or there is no such joint.

    References
    ----------
    Sun et al., Integral Human Pose Regression, ECCV 2018 (pixels and relative depth); Hartley and Zisserman, Multiple
    View Geometry, section 6.1 (the camera).

    Examples
    --------
    >>> K = [[1000.0, 0, 500], [0, 1000, 500], [0, 0, 1]]
    >>> to_image_space([[[0.0, 0, 4000], [400, 0, 4400]]], K).round(6).tolist()
    [[[500.0, 500.0, 0.0], [590.909091, 500.0, 100.0]]]
    """
    joints, camera = _joints(points, root), as_matrices(K, "K")
    depth = np.where(joints[..., 2] > 0, joints[..., 2], np.nan)
    root_depth = depth[:, [root]]
    seen = joints @ np.swapaxes(camera, -1, -2)
    pixels = seen[..., :2] / depth[..., None]
    relative = (depth - root_depth) * _focal(camera) / root_depth
    known = np.isfinite(relative)
    return np.concatenate([np.where(known[..., None], pixels, np.nan), relative[..., None]], axis=-1)


def from_image_space(
    uvw: npt.ArrayLike,
    K: npt.ArrayLike,
    root_depth: npt.ArrayLike = 1.0,
    *,
    valid: npt.ArrayLike | None = None,
) -> Floats:
    """Joints (N, J, 3) in the camera out of (u, v, w) as `to_image_space` makes them.

    Parameters
    ----------
    uvw : array, (N, J, 3)
        In px.
    K : array, (3, 3) or (N, 3, 3)
        Intrinsics in px.
    root_depth : array, () or (N,)
        In the unit of the result. Without it the pose comes back up to scale, its root at depth 1.
    valid : array of bool, (N, J), optional
        Other joints come back as NaN.

    Raises
    ------
    UsageError
        If uvw is not of that shape.
    InputError
        If a number is not finite, or a joint comes to lie behind the camera; see `posebench.lifting.lift_uvd`.

    Examples
    --------
    >>> K = [[1000.0, 0, 500], [0, 1000, 500], [0, 0, 1]]
    >>> from_image_space([[[500.0, 500, 0], [600, 500, 100]]], K, 4000).round(6).tolist()
    [[[0.0, 0.0, 4000.0], [440.0, 0.0, 4400.0]]]
    """
    given = _joints(uvw, 0)
    scale = np.asarray(root_depth, np.float64)[..., None] / _focal(as_matrices(K, "K"))
    uvd = np.concatenate([given[..., :2], (given[..., 2] * scale)[..., None]], axis=-1)
    return lift_uvd(uvd, K, root_depth, valid=valid)


def _joints(points: npt.ArrayLike, root: int) -> Floats:
    joints = np.asarray(points, np.float64)
    if joints.ndim != 3 or joints.shape[2] != 3 or not 0 <= root < joints.shape[1]:
        raise UsageError(
            f"joints have shape {joints.shape} and the root is {root}, expected (N, J, 3) and a joint of it"
        )
    return joints


def _focal(K: Floats) -> Floats:
    """The geometric mean of the focal lengths (1,) or (N, 1)."""
    return np.asarray(np.sqrt(K[..., 0, 0] * K[..., 1, 1])[..., None])
