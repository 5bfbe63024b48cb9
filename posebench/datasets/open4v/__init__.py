"""Open4V, the open multi-view data set: real motions on parametric bodies, rendered from four calibrated cameras.

`render` makes it, `verify` holds it against its hashes, `read_labels` reads the labels of a split. What a motion, a
body, a room and a clip are stands in the modules; docs/open4v.md is about the files.
"""

from posebench.datasets.open4v.labels import Views, pose_set, read_labels
from posebench.datasets.open4v.splits import SPLITS, TEST_SUBJECTS, TRAIN_SUBJECTS
from posebench.datasets.open4v.writer import Rendered, render, verify

__all__ = [
    "SPLITS",
    "TEST_SUBJECTS",
    "TRAIN_SUBJECTS",
    "Rendered",
    "Views",
    "pose_set",
    "read_labels",
    "render",
    "verify",
]
