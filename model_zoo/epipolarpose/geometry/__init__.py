"""Where cameras stand and where joints are, from pixels alone: the geometry of two views and more.

Pixels are without lens distortion. A second camera's coordinates are R x + t of the first one's; without calibration t
is of length 1, and everything that follows is known up to scale. From the points to the result: `fundamental`,
`essential`, `estimators`, `refinement`, `scene` (the search), `robust` (which pose, or why none), `triangulation`,
`depth` (what a network learns).

References
----------
Hartley and Zisserman, Multiple View Geometry in Computer Vision, second edition, 2004; Kocabas et al., CVPR 2019.
"""

from __future__ import annotations

from model_zoo.epipolarpose.geometry.degeneracy import Reason
from model_zoo.epipolarpose.geometry.depth import from_image_space, to_image_space
from model_zoo.epipolarpose.geometry.essential import (
    Cheirality,
    cheirality,
    decompose,
    essential_from_fundamental,
    essential_from_pose,
    fundamental_from_essential,
    fundamental_from_pose,
)
from model_zoo.epipolarpose.geometry.estimators import (
    Estimator,
    eight_point_essential,
    opencv_essential,
    poselib_essential,
)
from model_zoo.epipolarpose.geometry.fundamental import Fundamental, eight_point, ransac_fundamental, sampson
from model_zoo.epipolarpose.geometry.refinement import Refined, refine_pose
from model_zoo.epipolarpose.geometry.robust import (
    FramePoses,
    RelativePose,
    estimate_noise,
    frame_poses,
    pooled_pose,
    pooled_pose_of_sequences,
    relative_pose,
)
from model_zoo.epipolarpose.geometry.scene import robust_scale
from model_zoo.epipolarpose.geometry.triangulation import (
    Corrected,
    PairPoints,
    correct_matches,
    triangulate_linear,
    triangulate_pair,
    triangulate_pose,
    triangulate_views,
    vector_median,
)

__all__ = [
    "Cheirality",
    "Corrected",
    "Estimator",
    "FramePoses",
    "Fundamental",
    "PairPoints",
    "Reason",
    "Refined",
    "RelativePose",
    "cheirality",
    "correct_matches",
    "decompose",
    "eight_point",
    "eight_point_essential",
    "essential_from_fundamental",
    "essential_from_pose",
    "estimate_noise",
    "frame_poses",
    "from_image_space",
    "fundamental_from_essential",
    "fundamental_from_pose",
    "opencv_essential",
    "pooled_pose",
    "pooled_pose_of_sequences",
    "poselib_essential",
    "ransac_fundamental",
    "refine_pose",
    "relative_pose",
    "robust_scale",
    "sampson",
    "to_image_space",
    "triangulate_linear",
    "triangulate_pair",
    "triangulate_pose",
    "triangulate_views",
    "vector_median",
]
