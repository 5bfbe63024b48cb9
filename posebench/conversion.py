"""Conversion of poses from one skeleton to another, by joint name.

A joint of the wanted skeleton is the joint of the same name; failing that it is taken from `SOURCES`, the one table
of what may stand in for what, from the first alternative that the poses have. A joint that none gives is missing and
the conversion refused: no joint is made up.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError
from posebench.poses import PoseSet
from posebench.skeletons import Skeleton, get_skeleton

#: Joint -> alternatives, each the joints that it is the mean of. One joint stands for the same spot under another
#: definition: Human3.6M's head ends near the crown, and what the field calls its nose is the joint that carries the
#: head, near the upper neck and where MPI-INF-3DHP has its head; the tip of the nose (`nose_tip`) is 15 cm away.
SOURCES: dict[str, tuple[tuple[str, ...], ...]] = {
    "pelvis": (("LHip", "RHip"),),
    "thorax": (("LShoulder", "RShoulder"),),
    "spine": (("pelvis", "thorax"),),
    "neck": (("LShoulder", "RShoulder"),),
    "head": (("head_top",),),
    "head_top": (("head",),),
    "nose": (("head_3dhp",), ("upper_neck",)),
    "head_3dhp": (("nose",),),
}


def convert(poses: PoseSet, skeleton: str | Path | Skeleton) -> PoseSet:
    """The same poses with the joints of another skeleton.

    Parameters
    ----------
    poses : PoseSet
        Of a known skeleton.
    skeleton : str, path or Skeleton
        A name, the path of a .yaml file, or a `Skeleton`.

    Returns
    -------
    PoseSet
        Keys and facts are kept, coordinates keep their type. A derived joint is valid only where all that it comes from
        is. A note says which joints were derived or stand in for others. `root_depth` is kept only if the root stays
        the same joint. A set that has the wanted skeleton is returned as it is.

    Raises
    ------
    InputError
        If the skeleton of the poses is unknown, or if they lack joints; the message names them.
    UsageError
        If there is no such skeleton.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> body = PoseSet(rng.normal(size=(2, 17, 3)), skeleton="3dhp17", unit="m")
    >>> h36m = convert(body, "h36m17")
    >>> h36m.skeleton.name, h36m.unit
    ('h36m17', 'm')
    >>> h36m.notes
    ('array converted from 3dhp17 to h36m17: thorax is the middle of LShoulder, RShoulder; nose is head_3dhp; head is head_top',)
    """  # noqa: E501
    wanted = get_skeleton(skeleton)
    found = convert_needed(poses, wanted, wanted.joints)
    return found if found is poses else found.replace(path=None)  # no longer what stands in the file


def missing_joints(held: Skeleton, wanted: Skeleton) -> tuple[str, ...]:
    """The joints of a wanted skeleton that another one neither holds nor gives.

    Examples
    --------
    >>> missing_joints(get_skeleton("coco17"), get_skeleton("h36m17"))
    ('nose', 'head')
    """
    return tuple(joint for joint in wanted.joints if held != wanted and _recipe(joint, held, ()) is None)


def convert_needed(poses: PoseSet, wanted: Skeleton, needed: Collection[str]) -> PoseSet:
    """As `convert`, but of the joints that cannot be had only the `needed` ones are missed; others become invalid.

    Raises
    ------
    InputError
        As `convert`.
    """
    if poses.skeleton is None:
        raise InputError(f"{poses.source} does not say its skeleton, so its joints have no names to convert by")
    if poses.skeleton == wanted:
        return poses
    held = poses.skeleton
    recipes = [_recipe(joint, held, ()) for joint in wanted.joints]
    lacking = [joint for joint, recipe in zip(wanted.joints, recipes, strict=True) if recipe is None]
    missed = [joint for joint in lacking if joint in set(needed)]
    if missed:
        raise InputError(
            f"{poses.source} holds {held.name} poses, which cannot be converted to {wanted.name}: they lack "
            f"{', '.join(missed)}"
        )
    found = np.full((len(poses), len(wanted), 3), np.nan, poses.poses.dtype)
    valid = np.ones(found.shape[:2], np.bool_)
    for j, recipe in enumerate(recipes):
        if recipe is None:
            valid[:, j] = False
            continue
        with np.errstate(all="ignore"):  # what is not finite here is masked, or named when it is scored
            found[:, j] = recipe.coordinates(poses.poses)
        if poses.valid is not None:
            valid[:, j] = poses.valid[:, list(recipe.joints)].all(1)
    changes: dict[str, Any] = {"notes": (*poses.notes, _note(poses.source, held, wanted, recipes))}
    if poses.root_depth is not None and held.joints[held.root] != wanted.joints[wanted.root]:
        changes["root_depth"] = None
        changes["notes"] += (f"root_depth of {poses.source} left out: it was that of {held.joints[held.root]}",)
    return poses.replace(
        poses=found,
        valid=valid if lacking or poses.valid is not None else None,
        skeleton=wanted,
        path=poses.path,
        **changes,
    )


@dataclass(frozen=True)
class _Recipe:
    """How a joint is had: joint `index` of the poses at hand, or the mean of `parts`."""

    joint: str
    index: int | None
    parts: tuple[_Recipe, ...] = ()

    @property
    def joints(self) -> tuple[int, ...]:
        """Indices of all the joints that come in."""
        return (self.index,) if self.index is not None else tuple(i for part in self.parts for i in part.joints)

    def coordinates(self, poses: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(N, 3)."""
        if self.index is not None:
            return poses[:, self.index]
        total = np.zeros((len(poses), 3))
        for part in self.parts:
            total += part.coordinates(poses)
        total /= len(self.parts)
        return total

    def __str__(self) -> str:
        names = ", ".join(part.joint for part in self.parts)
        return f"{self.joint} is {names}" if len(self.parts) == 1 else f"{self.joint} is the middle of {names}"


def _recipe(joint: str, held: Skeleton, asked: tuple[str, ...]) -> _Recipe | None:
    """How to have a joint, or None; `asked` are the joints on the way to this one, since the table has circles."""
    if joint in held.joints:
        return _Recipe(joint, held.joints.index(joint))
    if joint not in SOURCES or joint in asked:
        return None
    for alternative in SOURCES[joint]:
        parts = [_recipe(part, held, (*asked, joint)) for part in alternative]
        known = tuple(part for part in parts if part is not None)
        if len(known) == len(parts):
            return _Recipe(joint, None, known)
    return None


def _note(source: str, held: Skeleton, wanted: Skeleton, recipes: list[_Recipe | None]) -> str:
    made = [str(recipe) for recipe in recipes if recipe is not None and recipe.index is None]
    lacking = [joint for joint, recipe in zip(wanted.joints, recipes, strict=True) if recipe is None]
    if lacking:
        made.append(f"without {', '.join(lacking)}")
    how = "; ".join(made) or "every joint under its own name"
    return f"{source} converted from {held.name} to {wanted.name}: {how}"


__all__ = ["SOURCES", "convert", "convert_needed", "missing_joints"]
