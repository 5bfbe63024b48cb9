"""Joint lists of the Integral line of methods: `uvd` (N, J, 3), pixels and the depth relative to the root in mm.

They become poses with the `intrinsics` and the `root_depth` of the same file; every other name means what it means in
.npz. Where the depth of the root comes from the ground truth, as it does in the evaluations of that line, the poses
know more than the model did, so a note goes into every report; `root_depth_source` may say ``predicted`` instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from posebench.errors import InputError
from posebench.io.facts import NAMES, Facts, collect, shown, shown_kind
from posebench.io.layouts.common import Reading
from posebench.lifting import lift_uvd

#: Names under which the joints may stand.
JOINTS = ("uvd", "joints_uvd")
SOURCE = "root_depth_source"
LOADED = (*JOINTS, SOURCE, *(name for name in NAMES if name != "poses"))
#: Other than ``predicted``.
_TRUE = ("ground truth", "ground_truth", "ground-truth", "gt")


def read_uvd(raw: Mapping[str, Any], reading: Reading) -> Facts:
    """Lift `uvd` with `intrinsics` and `root_depth`.

    Raises
    ------
    InputError
        If one of them is missing or does not fit, a joint is not in front of the camera, or the file says of the poses
        what they cannot be: another reference than the camera, another origin than absolute, no scale.
    """
    source = reading.source
    if all(name in raw for name in JOINTS):
        raise InputError(f"{source}: has both {JOINTS[0]} and {JOINTS[1]}, expected one of them; remove the other")
    name = next(name for name in JOINTS if name in raw)
    for needed, meaning in (("intrinsics", "(3, 3) or (N, 3, 3)"), ("root_depth", "one depth in mm, or one per pose")):
        if raw.get(needed) is None:
            raise InputError(
                f"{source}: has {name} but no {needed}, without which pixels cannot be lifted; add it, {meaning}"
            )
    uvd = reading.numbers(raw[name], name)
    facts = collect({"poses": uvd, **{key: raw[key] for key in raw if key not in (*JOINTS, SOURCE, "poses")}}, source)
    facts.unit = facts.unit or "mm"
    possible = {"unit": ("mm", "m"), "reference": ("camera", "unknown"), "origin": ("absolute", None)}
    for fact, values in possible.items():
        if getattr(facts, fact) not in values:
            raise InputError(
                f"{source}: says {fact} {shown(getattr(facts, fact))}, but {name} lifted with the depth of the root is "
                "absolute, in the camera, in mm or m; leave it out, or save the lifted poses as poses"
            )
    facts.reference, facts.origin = "camera", "absolute"
    try:
        facts.poses = lift_uvd(facts.poses, facts.intrinsics, facts.root_depth, valid=_mask(facts))  # type: ignore[arg-type]
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    facts.notes.append(f"{source}: lifted with the file's root_depth and intrinsics: {_whose(raw.get(SOURCE), source)}")
    return facts


def _mask(facts: Facts) -> Any:
    """The mask as flags; one of another kind is left to `PoseSet`, which says what is wrong with it."""
    valid = facts.valid
    return valid.astype(np.bool_) if valid is not None and valid.shape == facts.poses.shape[:2] else None


def _whose(value: Any, source: str) -> str:
    """What the note says of the depth."""
    if isinstance(value, np.ndarray | np.generic) and value.size == 1:
        value = value.item()
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
    if text is None or (isinstance(text, str) and text in _TRUE):
        return "ground-truth depth was used"
    if isinstance(text, str) and text == "predicted":
        return "predicted depth was used"
    raise InputError(f"{source}: {SOURCE} is {shown_kind(text)}, expected 'predicted' or 'ground truth'")
