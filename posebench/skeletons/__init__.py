"""Skeletons: which joint is which, who is whose parent, what is left and right.

A `Skeleton` is pure naming; it knows nothing of coordinates. Metrics ask it for bones, mirrored limbs, hinge
joints and body parts, so that no other module holds a joint index. H36M-17 stands here; the others are one YAML file
each beside this module, read when they are first asked for, and a user's own file is read the same way.

One vocabulary for all: the same name is the same point of the body, as far as data sets agree at all, so that poses
convert by name (`posebench.conversion`). Left and right are the person's, as a leading L or R.

- `pelvis`: the middle of the hips. `thorax`: the middle of the shoulders. `spine`: between pelvis and thorax.
- `neck`: the base of the neck (OpenPose, Panoptic, MPI-INF-3DHP, LSP). `upper_neck`: under the chin (MPII, BODY_25B).
- `nose`: the tip of the nose; in Human3.6M its neighbour inside the head, which the field calls nose.
- `head`: the upper end of Human3.6M's head bone. `head_top`: the crown, as people annotate it.
- Hip, Knee, Ankle, Shoulder, Elbow, Wrist, Eye, Ear, BigToe, SmallToe, Heel with their side.
- A point that only one source has carries its name: `head_3dhp` (the middle of the head), `pelvis_smpl`, `LHand_h36m`.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from posebench.errors import InputError, UsageError

#: The eight long bones whose lengths tell millimetres from metres, as (proximal, distal) joint names without side.
_LONG_BONES = (("Hip", "Knee"), ("Knee", "Ankle"), ("Shoulder", "Elbow"), ("Elbow", "Wrist"))


@dataclass(frozen=True)
class Skeleton:
    """Names and topology of a set of joints.

    `parents[j]` is the index of the joint that j hangs from, -1 for the root of the kinematic tree and for joints that
    hang from none: COCO's two sides are trees of their own. `parts` maps a body part to its joint names; together the
    parts need not cover the skeleton.
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
        for joint in range(len(self.joints)):
            above, steps = joint, 0
            while above != -1:
                if not 0 <= above < len(self.joints) or steps > len(self.joints):
                    what = "is no joint's index" if steps <= len(self.joints) else "is reached from itself"
                    raise UsageError(f"skeleton {self.name}: a parent above {self.joints[joint]} {what}")
                above, steps = self.parents[above], steps + 1
        if not 0 <= self.root < len(self.joints) or self.parents[self.root] != -1:
            raise UsageError(f"skeleton {self.name}: the root must be a joint without a parent")

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

#: By name without case and punctuation; shipped skeletons enter when they are first asked for.
_REGISTRY: dict[str, Skeleton] = {"h36m17": H36M17}

_FIELDS = ("name", "source", "count", "root", "joints", "parts")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
#: More joints than any body model has.
_MAX_JOINTS = 1000


def skeleton_names() -> tuple[str, ...]:
    """Names of all skeletons that come with posebench or were registered, sorted.

    Examples
    --------
    >>> [name for name in skeleton_names() if name.startswith("body25")]
    ['body25', 'body25b']
    """
    return tuple(sorted({*_shipped(), *(skeleton.name for skeleton in _REGISTRY.values())}))


def get_skeleton(skeleton: str | Path | Skeleton) -> Skeleton:
    """The skeleton of that name, or from a .yaml file; a `Skeleton` passes through.

    Raises
    ------
    UsageError
        If there is none of that name.
    InputError
        If the file is not a skeleton.

    Examples
    --------
    >>> get_skeleton("h36m17").joints[:3]
    ('pelvis', 'RHip', 'RKnee')
    """
    if isinstance(skeleton, Skeleton):
        return skeleton
    if str(skeleton).endswith((".yaml", ".yml")):
        return _from_file(Path(skeleton))
    return named_skeleton(str(skeleton))


def named_skeleton(name: str) -> Skeleton:
    """The skeleton of that name, and never a file: for names that stand in a file of poses.

    Raises
    ------
    UsageError
        If there is none of that name.

    Examples
    --------
    >>> named_skeleton("BODY_25B").joints[17:19]
    ('upper_neck', 'head_top')
    """
    found = _known(name)
    if found is None:
        raise UsageError(
            f"there is no skeleton {name!r}; known are {', '.join(skeleton_names())}, or give the path of a .yaml file"
        )
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
    known = _known(skeleton.name) or _REGISTRY.setdefault(_bare(skeleton.name), skeleton)
    if known != skeleton:
        raise UsageError(f"a different skeleton named {known.name!r} is registered already")


def registered_skeletons() -> tuple[Skeleton, ...]:
    """All skeletons that are known in this process so far: what another must be told to know the same."""
    return tuple(_REGISTRY.values())


def _bare(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _shipped() -> dict[str, Path]:
    """Name -> file of the skeletons beside this module."""
    return {path.stem: path for path in Path(__file__).parent.glob("*.yaml")}


def _known(name: str) -> Skeleton | None:
    bare = _bare(name)
    if bare not in _REGISTRY:
        for stem, path in _shipped().items():
            if _bare(stem) == bare:
                _REGISTRY[bare] = _from_data(_read(path), str(path))
    return _REGISTRY.get(bare)


def _from_file(path: Path) -> Skeleton:
    """A user's skeleton; it may not pass for one that is known already."""
    skeleton = _from_data(_read(path), str(path))
    known = _known(skeleton.name)
    if known is not None and known != skeleton:
        raise InputError(f"{path}: name is {skeleton.name!r}, which is a different skeleton already; choose another")
    return skeleton


def _read(path: Path) -> Any:
    from posebench.strict_yaml import load_yaml

    return load_yaml(path)


def _from_data(data: Any, where: str) -> Skeleton:
    """A skeleton from the fields of its file; every slip is named with file and field."""

    def refuse(field: str, found: Any, expected: str) -> InputError:
        return InputError(f"{where}: {field} is {reprlib.repr(found)}, expected {expected}")

    if not isinstance(data, dict):
        raise InputError(f"{where}: holds {reprlib.repr(data)}, expected the fields {', '.join(_FIELDS)}")
    if set(data) != set(_FIELDS):
        odd = ", ".join(reprlib.repr(field) for field in sorted(set(data) ^ set(_FIELDS), key=str))
        odd = odd if len(odd) <= 300 else f"{odd[:297]}..."
        raise InputError(f"{where}: expected exactly the fields {', '.join(_FIELDS)}; amiss: {odd}")
    name, source, count, root, tree, parts = (data[field] for field in _FIELDS)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise refuse("name", name, "letters, digits, - and _")
    if not isinstance(source, str) or not source.strip():
        raise refuse("source", source, "a line of text that says where the order of the joints is written down")
    if not isinstance(tree, dict) or not 1 <= len(tree) <= _MAX_JOINTS:
        raise refuse("joints", tree, "each joint and the joint that it hangs from, or null: `RKnee: RHip`")
    for joint, parent in tree.items():
        if not isinstance(joint, str) or not _NAME.fullmatch(joint):
            raise refuse("a joint", joint, "a name of letters, digits, - and _")
        if parent is not None and (not isinstance(parent, str) or parent not in tree):
            raise refuse(f"joints: the parent of {joint}", parent, "one of the joints, or null")
    if not isinstance(count, int) or isinstance(count, bool) or count != len(tree):
        raise refuse("count", count, f"{len(tree)}, the number of joints")
    if not isinstance(root, str) or root not in tree or tree[root] is not None:
        raise refuse("root", root, "a joint whose parent is null")
    if not isinstance(parts, dict):
        raise refuse("parts", parts, "body parts with the names of their joints, or {}")
    for part, members in parts.items():
        if not isinstance(part, str) or not _NAME.fullmatch(part):
            raise refuse("a part", part, "a name of letters, digits, - and _")
        if not isinstance(members, list) or not members or not all(isinstance(joint, str) for joint in members):
            raise refuse(f"parts: {part}", members, "a list of joints")
        if not set(members) <= set(tree) or len(set(members)) != len(members):
            raise refuse(f"parts: {part}", members, "a list of joints, each once")
    try:
        return _skeleton(name, tuple(tree.items()), root, {part: tuple(joints) for part, joints in parts.items()})
    except UsageError as error:
        raise InputError(f"{where}: joints: {error}") from None
