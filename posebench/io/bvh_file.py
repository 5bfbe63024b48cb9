"""Reading .bvh as poses: only files with the bones of the CMU conversion, of which it is known which joint is which."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posebench.errors import InputError
from posebench.io.facts import Facts


def read_bvh_poses(path: Path) -> Facts:
    """Read a .bvh file with the bones of the CMU conversion as H36M-17 poses in mm.

    Raises
    ------
    InputError
        If the file is no whole BVH file, or has other bones.
    """
    # Here, since this reader knows a data set, and `io` must load without those.
    from posebench.datasets.bvh import read_bvh
    from posebench.datasets.cmu import to_h36m17

    bvh = read_bvh(path)
    try:
        poses = to_h36m17(bvh)
    except InputError as error:
        raise InputError(f"{error}; a .bvh file is read only if it has the bones of the CMU conversion") from None
    return Facts(
        poses,
        skeleton="h36m17",
        unit="mm",
        reference="world",
        origin="absolute",
        frame=np.arange(len(bvh), dtype=np.int64),
        fps=bvh.fps,
        notes=[f"{path}: frame 0 of clips in the CMU conversion is a rest pose that was not captured"],
    )
