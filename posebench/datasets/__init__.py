"""Motion capture and pose data sets: found where the user keeps them, read into a `PoseSet`, their licence at hand.

`bvh` and `acclaim` parse file formats; `cmu` and `hdm05` are one data set each. `actions` sorts what people did into
classes, `quality` finds the frames that were not captured. `catalog` lists all data sets; `fetching` downloads those
that it is asked for, and nothing else does.
"""

from posebench.datasets.acclaim import (
    AcclaimMotion,
    AcclaimSkeleton,
    parse_amc,
    parse_asf,
    read_amc,
    read_asf,
    read_motion,
)
from posebench.datasets.actions import ACTION_CLASSES, action_class
from posebench.datasets.bvh import Bvh, parse_bvh, read_bvh
from posebench.datasets.cmu import CMU_ATTRIBUTION, CMU_LICENCE, cmu_clips, read_cmu
from posebench.datasets.hdm05 import HDM05_ATTRIBUTION, HDM05_LICENCE, hdm05_clips, read_hdm05
from posebench.datasets.quality import unusable_frames, usable_frames

__all__ = [
    "ACTION_CLASSES",
    "CMU_ATTRIBUTION",
    "CMU_LICENCE",
    "HDM05_ATTRIBUTION",
    "HDM05_LICENCE",
    "AcclaimMotion",
    "AcclaimSkeleton",
    "Bvh",
    "action_class",
    "cmu_clips",
    "hdm05_clips",
    "parse_amc",
    "parse_asf",
    "parse_bvh",
    "read_amc",
    "read_asf",
    "read_bvh",
    "read_cmu",
    "read_hdm05",
    "read_motion",
    "unusable_frames",
    "usable_frames",
]
