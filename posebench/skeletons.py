"""Skeletons: which joint is which, who is whose parent, what is left and right.

A `Skeleton` is pure naming; it knows nothing of coordinates. Metrics ask it for bones, mirrored limbs, hinge
joints and body parts, so that no other module holds a joint index. Further skeletons register here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from posebench.errors import UsageError

#: The eight long bones whose lengths tell millimetres from metres, as (proximal, distal) joint names without side.
_LONG_BONES = (("Hip", "Knee"), ("Knee", "Ankle"), ("Shoulder", "Elbow"), ("Elbow", "Wrist"))


@dataclass(frozen=True)
class Skeleton:
    """Names and topology of a set of joints.

    `parents[j]` is the index of the joint that j hangs from, -1 for the root of the kinematic tree. `parts` maps a
    body part to its joint names; together the parts need not cover the skeleton.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    root: int
    left_right: tuple[tuple[int, int], ...]
    parts: Mapping[str, tuple[str, ...]] = field(hash=False)

    def __post_init__(self) -> None:
        if len(self.parents) != len(self.joints):
            raise UsageError(f"skeleton {self.name}: {len(self.joints)} joints but {len(self.parents)} parents")
        if len(set(self.joints)) != len(self.joints):
            raise UsageError(f"skeleton {self.name}: joint names repeat")

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Index of a joint by name; the name must match exactly."""
        try:
            return self.joints.index(joint)
        except ValueError:
            raise UsageError(f"skeleton {self.name} has no joint {joint!r}; it has {', '.join(self.joints)}") from None

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) index pairs, in the order of the children."""
        return tuple((parent, child) for child, parent in enumerate(self.parents) if parent >= 0)

    @cached_property
    def bone_names(self) -> tuple[str, ...]:
        """`parent-child` for every bone."""
        return tuple(f"{self.joints[a]}-{self.joints[b]}" for a, b in self.bones)

    @cached_property
    def mirrored_bones(self) -> tuple[tuple[int, int], ...]:
        """Pairs of indices into `bones`: the left bone and its mirror image on the right."""
        mirror = dict(self.left_right)
        where = {bone: i for i, bone in enumerate(self.bones)}
        pairs = []
        for (parent, child), i in where.items():
            if child in mirror:
                twin = where.get((mirror.get(parent, parent), mirror[child]))
                if twin is not None:
                    pairs.append((i, twin))
        return tuple(pairs)

    @cached_property
    def hinges(self) -> tuple[tuple[int, int, int], ...]:
        """(parent, joint, child) for every joint that has a parent and exactly one child: where an angle is defined."""
        children: dict[int, list[int]] = {}
        for parent, child in self.bones:
            children.setdefault(parent, []).append(child)
        return tuple(
            (self.parents[j], j, children[j][0])
            for j in range(len(self))
            if self.parents[j] >= 0 and len(children.get(j, ())) == 1
        )

    @cached_property
    def limbs(self) -> tuple[tuple[int, int], ...]:
        """The long bones (thighs, shins, upper arms, forearms) that this skeleton holds on both sides."""
        found = []
        for proximal, distal in _LONG_BONES:
            for side in "LR":
                ends = (side + proximal, side + distal)
                if all(end in self.joints for end in ends):
                    found.append((self.joints.index(ends[0]), self.joints.index(ends[1])))
        return tuple(found)


def _skeleton(
    name: str,
    tree: Sequence[tuple[str, str | None]],
    root: str,
    parts: Mapping[str, tuple[str, ...]],
) -> Skeleton:
    """Build a skeleton from (joint, parent) names; left and right are the names that differ in a leading L or R."""
    joints = tuple(joint for joint, _ in tree)
    parents = tuple(-1 if parent is None else joints.index(parent) for _, parent in tree)
    left_right = tuple(
        (joints.index(joint), joints.index("R" + joint[1:]))
        for joint in joints
        if joint.startswith("L") and "R" + joint[1:] in joints
    )
    return Skeleton(name, joints, parents, joints.index(root), left_right, dict(parts))


#: Human3.6M's 17 joints in the order that the field calls "H36M-17".
H36M17 = _skeleton(
    "h36m17",
    (
        ("pelvis", None),
        ("RHip", "pelvis"),
        ("RKnee", "RHip"),
        ("RAnkle", "RKnee"),
        ("LHip", "pelvis"),
        ("LKnee", "LHip"),
        ("LAnkle", "LKnee"),
        ("spine", "pelvis"),
        ("thorax", "spine"),
        ("nose", "thorax"),
        ("head", "nose"),
        ("LShoulder", "thorax"),
        ("LElbow", "LShoulder"),
        ("LWrist", "LElbow"),
        ("RShoulder", "thorax"),
        ("RElbow", "RShoulder"),
        ("RWrist", "RElbow"),
    ),
    root="pelvis",
    parts={
        "arms": ("LShoulder", "LElbow", "LWrist", "RShoulder", "RElbow", "RWrist"),
        "legs": ("RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle"),
        "torso": ("pelvis", "spine", "thorax", "nose", "head"),
    },
)

#: By name without case and punctuation.
_REGISTRY: dict[str, Skeleton] = {"h36m17": H36M17}


def _bare(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def skeleton_names() -> tuple[str, ...]:
    """Names of all registered skeletons, sorted.

    Examples
    --------
    >>> "h36m17" in skeleton_names()
    True
    """
    return tuple(sorted(skeleton.name for skeleton in _REGISTRY.values()))


def get_skeleton(skeleton: str | Skeleton) -> Skeleton:
    """The registered skeleton of that name; a `Skeleton` passes through.

    Examples
    --------
    >>> get_skeleton("h36m17").joints[:3]
    ('pelvis', 'RHip', 'RKnee')
    """
    if isinstance(skeleton, Skeleton):
        return skeleton
    found = _REGISTRY.get(_bare(skeleton))
    if found is None:
        raise UsageError(f"there is no skeleton {skeleton!r}; known are {', '.join(skeleton_names())}")
    return found


def register_skeleton(skeleton: Skeleton) -> None:
    """Make a skeleton known by its name; a name is registered once.

    Raises
    ------
    UsageError
        If a different skeleton has that name.

    Examples
    --------
    >>> register_skeleton(H36M17)  # the same again changes nothing
    """
    known = _REGISTRY.setdefault(_bare(skeleton.name), skeleton)
    if known != skeleton:
        raise UsageError(f"a different skeleton named {known.name!r} is registered already")
