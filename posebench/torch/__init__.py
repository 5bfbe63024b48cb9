"""The metrics of posebench on tensors: on any device, as losses where they have a gradient.

The functions have the names, arguments and errors of those for arrays, and give tensors. Inputs in float64 are computed
in float64 and agree with the core to its precision; all else is computed and given in float32, bfloat16 and float16
too, whatever autocast says. `check=False` leaves out the checks that wait for the device: coordinates that are not
finite then end up in the result as NaN, and no pose to score gives NaN instead of an error.

Gradients flow to prediction and ground truth from all metrics of distance, of bones, angles and motion, from CPS, from
AUC with ``continuous=`` and from PSS with ``variant="soft"``. The others count what is correct and have none. Where a
metric has a kink (an error of 0, a tie of the worst joint) the gradient is one of the subgradients; where all joints of
a prediction coincide it is 0; where the optimal rotation is ambiguous it is damped and finite.
"""

from __future__ import annotations

from posebench.errors import MissingExtraError

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError:
    raise MissingExtraError("posebench.torch", "torch", "torch") from None

from posebench.torch.alignment import align_rigid, align_similarity
from posebench.torch.metrics import (
    auc,
    axis_error,
    bone_length_error,
    bone_length_spread,
    cps,
    joint_angle_error,
    mpjae,
    mpjpe,
    mpjve,
    mrpe,
    nmpjpe,
    npck,
    pck,
    per_pose,
    pmpjpe,
    symmetry_error,
    worst_joint,
)
from posebench.torch.pictures import pckh
from posebench.torch.structure_score import pss

__all__ = [
    "align_rigid",
    "align_similarity",
    "auc",
    "axis_error",
    "bone_length_error",
    "bone_length_spread",
    "cps",
    "joint_angle_error",
    "mpjae",
    "mpjpe",
    "mpjve",
    "mrpe",
    "nmpjpe",
    "npck",
    "pck",
    "pckh",
    "per_pose",
    "pmpjpe",
    "pss",
    "symmetry_error",
    "worst_joint",
]
