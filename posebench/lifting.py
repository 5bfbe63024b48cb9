"""From the image to the camera: joints as pixels and relative depth become points in the camera's coordinates.

This is how the Integral line of methods predicts poses: where a joint is in the image, and how far behind or in front
of the root it lies. Camera and depth of the root are not predicted, so whoever lifts has to know them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.poses import as_poses


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is not finite is refused by its place
def lift_uvd(
    uvd: npt.ArrayLike,
    intrinsics: npt.ArrayLike,
    root_depth: npt.ArrayLike,
    *,
    valid: npt.ArrayLike | None = None,
) -> npt.NDArray[np.float64]:
    """Joints (N, J, 3) in the camera out of pixels u, v and the depth d relative to the root.

    Z = d + Z_root, Y = (v - cy) / fy * Z and X = (u - cx) / fx * Z; with a skew s, s * Y / Z is taken from u - cx.

    Parameters
    ----------
    uvd : array, (N, J, 3)
        u and v in pixels, d in the unit of `root_depth`: negative in front of the root.
    intrinsics : array, (3, 3) or (N, 3, 3)
        [[fx, s, cx], [0, fy, cy], [0, 0, 1]], in pixels.
    root_depth : array, () or (N,)
        Depth of the root in the camera, above 0.
    valid : array of bool, (N, J), optional
        Joints that are not valid may hold anything and come back as NaN.

    Returns
    -------
    array of float64, (N, J, 3)
        x to the right, y down, z away from the camera, in the unit of `root_depth`.

    Raises
    ------
    InputError
        If shapes do not fit, a number is not finite, the intrinsics are no camera's, or a joint is not in front of it.

    References
    ----------
    Sun et al., Integral Human Pose Regression, ECCV 2018; Hartley and Zisserman, Multiple View Geometry, section 6.1.

    Examples
    --------
    >>> camera = [[1000.0, 0, 500], [0, 1000, 400], [0, 0, 1]]
    >>> lift_uvd([[[500.0, 400, 0], [600, 400, -500]]], camera, 4500).tolist()
    [[[0.0, 0.0, 4500.0], [400.0, 0.0, 4000.0]]]
    """
    joints = np.asarray(as_poses(uvd, "uvd"), np.float64)
    n, j = joints.shape[:2]
    camera = _camera(intrinsics, n)
    depth = _numbers(root_depth, "root_depth")
    if depth.shape not in ((), (n,)):
        raise InputError(f"root_depth has shape {depth.shape}, expected () or ({n},): one depth, or one per pose")
    if not (np.isfinite(depth) & (depth > 0)).all():
        row = int(np.flatnonzero(~(np.isfinite(depth) & (depth > 0)))[0])
        place = f" of pose {row}" if depth.ndim else ""
        raise InputError(f"root_depth{place} is {depth.reshape(-1)[row]:g}, expected a distance above 0")
    known = np.ones((n, j), np.bool_)
    if valid is not None:
        known = np.asarray(valid)
        if known.shape != (n, j) or known.dtype != np.bool_:
            raise InputError(f"valid is of type {known.dtype} and shape {known.shape}, expected bool and {(n, j)}")
        joints = np.where(known[..., None], joints, 0.0)
    strange = ~np.isfinite(joints).all(2)
    if strange.any():
        pose, joint = np.argwhere(strange)[0]
        raise InputError(f"uvd of pose {pose}, joint {joint} is not finite; mark unknown joints in valid")
    y = (joints[..., 1] - camera[:, None, 1, 2]) / camera[:, None, 1, 1]
    x = (joints[..., 0] - camera[:, None, 0, 2] - camera[:, None, 0, 1] * y) / camera[:, None, 0, 0]
    z = joints[..., 2] + depth[..., None]
    lifted = np.stack([x * z, y * z, z], axis=-1)
    behind = known & ~(z > 0)
    if behind.any():
        pose, joint = np.argwhere(behind)[0]
        raise InputError(
            f"uvd of pose {pose}, joint {joint} has the relative depth {joints[pose, joint, 2]:g}, which is not in "
            f"front of the camera with the root's {depth if depth.ndim == 0 else depth[pose]:g}; are both in one unit?"
        )
    endless = known & ~np.isfinite(lifted).all(2)
    if endless.any():
        pose, joint = np.argwhere(endless)[0]
        raise InputError(f"uvd of pose {pose}, joint {joint} is so far away that it cannot be lifted; it is damaged")
    lifted[~known] = np.nan
    return lifted


def _camera(intrinsics: npt.ArrayLike, n: int) -> npt.NDArray[np.float64]:
    """Intrinsics as (1, 3, 3) or (n, 3, 3), checked."""
    matrix = _numbers(intrinsics, "intrinsics")
    if matrix.shape not in ((3, 3), (n, 3, 3)):
        raise InputError(f"intrinsics have shape {matrix.shape}, expected (3, 3) or ({n}, 3, 3)")
    several = matrix.ndim == 3
    matrix = matrix.reshape(-1, 3, 3)
    fine = np.isfinite(matrix).all((1, 2)) & (matrix[:, 0, 0] > 0) & (matrix[:, 1, 1] > 0) & (matrix[:, 1, 0] == 0)
    fine &= (matrix[:, 2] == [0, 0, 1]).all(1)
    if not fine.all():
        place = f" of pose {np.flatnonzero(~fine)[0]}" if several else ""
        raise InputError(
            f"intrinsics{place} are no camera's, expected [[fx, s, cx], [0, fy, cy], [0, 0, 1]] with fx and fy above 0"
        )
    return matrix


def _numbers(value: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    try:
        return np.asarray(value, np.float64)
    except (ValueError, TypeError, OverflowError):
        raise InputError(f"{name} is no array of numbers") from None
