"""Total limb length of each pose: the quantity by which millimetres are told from metres, frame by frame."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from posebench.kernels.compiling import plain_kernel


@plain_kernel
def limb_totals(poses, valid, has_mask, limbs, totals):  # type: ignore[no-untyped-def]
    """Fill totals (N,) with the summed lengths of limbs (L, 2) of poses (N, J, 3); NaN where a limb is not valid."""
    for i in range(poses.shape[0]):
        total = 0.0
        for k in range(limbs.shape[0]):
            a, b = limbs[k, 0], limbs[k, 1]
            if has_mask and not (valid[i, a] and valid[i, b]):
                total = np.nan
                break
            x = np.float64(poses[i, a, 0]) - np.float64(poses[i, b, 0])
            y = np.float64(poses[i, a, 1]) - np.float64(poses[i, b, 1])
            z = np.float64(poses[i, a, 2]) - np.float64(poses[i, b, 2])
            total += math.sqrt(x * x + y * y + z * z)
        totals[i] = total


__all__: list[Any] = ["limb_totals"]
