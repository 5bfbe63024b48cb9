"""What a file says of its unit and origin, held against its coordinates before anything is converted.

Scoring asks the same of limbs under the skeleton of a protocol (`posebench.units`); here there may be no skeleton.
"""

from __future__ import annotations

import numpy as np

from posebench.errors import InputError
from posebench.poses import PoseSet
from posebench.skeletons import Skeleton
from posebench.units import settle_unit, some_of

#: From head to foot, curled up or stretched, in mm: tells millimetres from metres where no limb is known.
EXTENT_MM = (200.0, 5000.0)
_MM = {"mm": 1.0, "m": 1000.0}


def settle_facts(poses: PoseSet, *, matters: bool) -> PoseSet:
    """Unit and origin of a set as read from a file, held against its coordinates.

    Parameters
    ----------
    poses : PoseSet
    matters : bool
        Whether the unit is needed: then an unknown one is read off the limbs, and limbs of nobody are refused.

    Raises
    ------
    InputError
        If the coordinates contradict what the file says.
    """
    if poses.unit is not None or matters:
        if poses.skeleton is not None:
            poses = settle_unit(poses, poses.skeleton, "--from-unit", is_gt=matters)
        else:
            _refuse_extent(poses)
    return _settle_origin(poses, poses.skeleton) if poses.skeleton is not None else poses


def _refuse_extent(poses: PoseSet) -> None:
    """Without a skeleton there are no limbs, but a body that is a kilometre long is none."""
    if poses.unit not in ("mm", "m") or "unit" in poses.stated or poses.path is None:
        return
    _, sample = some_of(poses)
    sample[~np.isfinite(sample)] = np.nan
    some = sample[(~np.isnan(sample).any(2)).sum(1) >= 2]
    if not len(some):
        return
    extent = float(np.median(np.linalg.norm(np.nanmax(some, axis=1) - np.nanmin(some, axis=1), axis=1)))
    fits = [unit for unit in ("mm", "m") if EXTENT_MM[0] <= extent * _MM[unit] <= EXTENT_MM[1]]
    if fits and poses.unit not in fits:
        raise InputError(
            f"{poses.source} says its unit is {poses.unit}, but its poses are {extent:.4g} across, which is a person "
            f"in {fits[0]}; say which with --from-unit {fits[0]} or --from-unit {poses.unit}"
        )


def _settle_origin(poses: PoseSet, skeleton: Skeleton) -> PoseSet:
    """Roots that all lie at exactly 0 are origins, whatever the file says or leaves out."""
    if "origin" in poses.stated or poses.path is None or poses.origin == "root" or len(poses) < 2:
        return poses
    root = skeleton.root
    known = np.ones(len(poses), np.bool_) if poses.valid is None else poses.valid[:, root]
    roots = poses.poses[:, root][known]
    if not len(roots) or roots.any():
        return poses
    joint = skeleton.joints[root]
    if poses.origin == "absolute":
        raise InputError(
            f"{poses.source} says its coordinates are absolute, but its {joint} lies at 0, 0, 0 in every pose; say "
            "which with --from-origin root or --from-origin absolute"
        )
    note = f"origin of {poses.source} inferred: root ({joint} lies at 0, 0, 0 in every pose)"
    return poses.replace(origin="root", notes=(*poses.notes, note))


__all__ = ["settle_facts"]
