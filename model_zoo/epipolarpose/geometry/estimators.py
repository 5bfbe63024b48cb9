"""The essential matrix from points of which some are wrong, by three methods behind one signature.

Each takes points (N, 2) in px of a camera whose focal length is `focal` and whose principal point is 0, the largest
residual of a point that agrees in px, and a seed; it returns E (3, 3), or None where it finds nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from model_zoo.epipolarpose.geometry.arrays import Floats
from model_zoo.epipolarpose.geometry.essential import essential_from_fundamental, essential_from_pose
from model_zoo.epipolarpose.geometry.fundamental import ransac_fundamental
from posebench.errors import MissingExtraError

Estimator = Callable[[Floats, Floats, float, float, int], Floats | None]

#: As PoseLib and OpenCV count: chance that no sample was free of wrong points, and the most samples.
CONFIDENCE, ITERATIONS = 0.9999, 10_000


def poselib_essential(first: Floats, second: Floats, focal: float, threshold: float, seed: int) -> Floats | None:
    """By PoseLib: five-point samples, locally optimised, then refined.

    Raises
    ------
    MissingExtraError
        If poselib is not installed.

    References
    ----------
    Larsson and others, PoseLib, 2020 (BSD-3-Clause); Nistér, PAMI 2004 (five points); Chum et al., DAGM 2003 (local
    optimisation).
    """
    try:
        import poselib
    except ImportError:
        raise MissingExtraError("estimating the pose of two cameras", "poselib", "zoo") from None
    camera = {"model": "SIMPLE_PINHOLE", "width": 1, "height": 1, "params": [focal, 0.0, 0.0]}
    options = {
        "max_epipolar_error": threshold,
        "seed": seed,
        "success_prob": CONFIDENCE,
        "max_iterations": ITERATIONS,
        "min_iterations": 100,
    }
    pose, found = poselib.estimate_relative_pose(first, second, camera, camera, options, {})
    if found["num_inliers"] == 0:
        return None
    E = essential_from_pose(pose.R, pose.t)
    return E if np.isfinite(E).all() else None


def opencv_essential(first: Floats, second: Floats, focal: float, threshold: float, seed: int) -> Floats | None:
    """By OpenCV: five-point samples scored by MAGSAC++, locally optimised.

    Raises
    ------
    MissingExtraError
        If OpenCV is not installed.

    References
    ----------
    Baráth et al., MAGSAC++, CVPR 2020; OpenCV's USAC framework (Apache-2.0).
    """
    try:
        import cv2
    except ImportError:
        raise MissingExtraError("estimating the pose of two cameras", "opencv-python-headless", "zoo") from None
    options = cv2.UsacParams()
    options.threshold, options.confidence, options.maxIterations = threshold, CONFIDENCE, ITERATIONS
    options.score, options.sampler = cv2.SCORE_METHOD_MAGSAC, cv2.SAMPLING_UNIFORM
    options.loMethod, options.final_polisher = cv2.LOCAL_OPTIM_SIGMA, cv2.MAGSAC
    options.randomGeneratorState, options.isParallel = seed, False
    K = np.diag([focal, focal, 1.0])
    try:
        E, _ = cv2.findEssentialMat(first, second, K, K, np.zeros(0), np.zeros(0), options)
    except cv2.error:  # raised instead of "nothing found" for some degenerate points
        return None
    return None if E is None or E.shape != (3, 3) or not np.isfinite(E).all() else np.asarray(E, np.float64)


def eight_point_essential(first: Floats, second: Floats, focal: float, threshold: float, seed: int) -> Floats | None:
    """By `ransac_fundamental` and K2ᵀ F K1, as the method's paper describes it; needs no library, and is less exact."""
    F, agrees = ransac_fundamental(first, second, threshold, seed=seed)
    if not agrees.any():
        return None
    K = np.diag([focal, focal, 1.0])
    return essential_from_fundamental(F, K, K)


__all__ = ["Estimator", "eight_point_essential", "opencv_essential", "poselib_essential"]
