"""What the taxonomy of errors must know of a skeleton: its limbs, what can be swapped with what, and its bones.

Everything is by the place of a joint among the scored ones, never by its index in the skeleton.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from posebench.skeletons import Skeleton

#: Of more parts than this that have a left and a right, the last are swapped together.
MOST_SWAPS = 4


@dataclass(frozen=True, eq=False)
class Layout:
    """The scored joints as the kernels see them."""

    joints: tuple[str, ...]
    #: Limbs by name, and which each joint (K,) belongs to.
    limbs: tuple[str, ...]
    limb_of: npt.NDArray[np.int64]
    #: Parts whose left and right may be swapped, and for each (S, K) the joint that a joint changes places with.
    swaps: tuple[str, ...]
    partners: npt.NDArray[np.int64]
    #: (B, 2).
    bones: npt.NDArray[np.int64]
    #: The scored joint that both sides are centred on, whose error is zero whatever is predicted; -1 if there is none.
    root: int

    @classmethod
    def of(cls, skeleton: Skeleton, joints: Sequence[int], root: int | None) -> Layout:
        """The layout of some joints of a skeleton; `root` is what both sides are centred on, None if nothing is.

        Examples
        --------
        >>> from posebench.skeletons import H36M17
        >>> layout = Layout.of(H36M17, range(17), 0)
        >>> layout.limbs
        ('torso', 'right leg', 'left leg', 'left arm', 'right arm')
        >>> layout.swaps
        ('arms', 'legs')
        """
        place = {joint: at for at, joint in enumerate(joints)}
        part_of = {skeleton.index(name): part for part, names in skeleton.parts.items() for name in names}
        side = {left: "left" for left, _ in skeleton.left_right} | {right: "right" for _, right in skeleton.left_right}
        named = [_limb_name(part_of.get(joint, "rest"), side.get(joint)) for joint in joints]
        limbs = tuple(dict.fromkeys(named))
        pairs: dict[str, list[tuple[int, int]]] = {}
        for left, right in skeleton.left_right:
            if left in place and right in place:
                pairs.setdefault(part_of.get(left, "rest"), []).append((place[left], place[right]))
        order = [*(part for part in skeleton.parts if part in pairs), *(part for part in pairs if part == "rest")]
        groups = [(part, pairs[part]) for part in order]
        if len(groups) > MOST_SWAPS:
            kept, others = groups[: MOST_SWAPS - 1], groups[MOST_SWAPS - 1 :]
            groups = [
                *kept,
                (" and ".join(part for part, _ in others), [pair for _, found in others for pair in found]),
            ]
        partners = np.tile(np.arange(len(named)), (len(groups), 1))
        for row, (_, members) in enumerate(groups):
            for left_place, right_place in members:
                partners[row, left_place], partners[row, right_place] = right_place, left_place
        bones = [(place[a], place[b]) for a, b in skeleton.bones if a in place and b in place]
        return cls(
            tuple(skeleton.joints[joint] for joint in joints),
            limbs,
            np.array([limbs.index(name) for name in named], np.int64),
            tuple(part for part, _ in groups),
            partners.astype(np.int64),
            np.array(bones, np.int64).reshape(-1, 2),
            -1 if root is None else place.get(root, -1),
        )


def _limb_name(part: str, side: str | None) -> str:
    """`left arm` for the left of `arms`."""
    if side is None:
        return part
    return f"{side} {part[:-1] if part.endswith('s') else part}"


__all__ = ["Layout"]
