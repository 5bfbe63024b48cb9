"""Metrics: one file per family, a grammar for their names, a registry for their facts.

The functions take arrays (N, J, 3) and return a number or one number per pose; the scorer in `posebench.scoring` uses
the same kernels on whole sets.
"""

from __future__ import annotations

from posebench.metrics.correctness import auc, cps, npck, pck
from posebench.metrics.distance import axis_error, mpjpe, mrpe, nmpjpe, pmpjpe, worst_joint
from posebench.metrics.evaluate import per_pose
from posebench.metrics.grammar import MetricSpec
from posebench.metrics.head import pckh
from posebench.metrics.motion import mpjae, mpjve
from posebench.metrics.registry import Family, Metric, families, resolve
from posebench.metrics.structure import bone_length_error, bone_length_spread, joint_angle_error, symmetry_error
from posebench.metrics.structure_score import pss

__all__ = [
    "Family",
    "Metric",
    "MetricSpec",
    "auc",
    "axis_error",
    "bone_length_error",
    "bone_length_spread",
    "cps",
    "families",
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
    "resolve",
    "symmetry_error",
    "worst_joint",
]
