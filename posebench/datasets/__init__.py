"""Motion capture and pose data sets: found where the user keeps them, read into a `PoseSet`, their licence at hand.

`bvh` parses a file format and knows no data set; every other module here is one data set. Nothing is downloaded.
"""

from posebench.datasets.bvh import Bvh, parse_bvh, read_bvh
from posebench.datasets.cmu import CMU_ATTRIBUTION, cmu_clips, read_cmu

__all__ = ["CMU_ATTRIBUTION", "Bvh", "cmu_clips", "parse_bvh", "read_bvh", "read_cmu"]
