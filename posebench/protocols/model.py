"""What a protocol is, as data."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from posebench.protocols.selection import Selection
from posebench.skeletons import Skeleton

Pooling = Literal["frame", "joint", "action", "subject", "sequence"]

#: What `absolute_pred` says where it stands in a definition.
ABSOLUTE_PRED = "minus ground-truth root"


@dataclass(frozen=True)
class Protocol:
    """One way to score: skeleton, joints, roots, metrics, pooling; and the frames of its data set that count.

    Examples
    --------
    >>> from posebench import get_protocol
    >>> standard = get_protocol("standard")
    >>> standard.skeleton.name, standard.pooling, len(standard.joints), standard.selection
    ('h36m17', 'frame', 17, None)
    """

    name: str
    version: int
    summary: str
    source: str
    skeleton: Skeleton
    #: Joints that are aligned and scored.
    joints: tuple[str, ...]
    #: Joint that each side is centred on; None leaves that side as it is.
    pred_root: str | None
    gt_root: str | None
    #: `frame`: mean over frames of each frame's mean; `joint`: over all valid joints; `action`, `subject`, `sequence`:
    #: means of these groups' means.
    pooling: Pooling
    #: Canonical spellings.
    metrics: tuple[str, ...]
    banks: tuple[str, ...]
    #: Whether predictions in absolute coordinates are taken minus the ground truth's root; without, they are refused
    #: where `pred_root` is None.
    absolute_pred: bool = False
    #: Metrics that are taken over some of the joints only.
    metric_joints: dict[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    #: Joints that results are given for together, as `by("joint_group")`.
    joint_groups: dict[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    #: Subjects that results are given for together, as `by("setting")`.
    settings: dict[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    #: Groups that a result shows unless others are asked for.
    by: tuple[str, ...] = ()
    selection: Selection | None = None

    def definition(self) -> dict[str, Any]:
        """Everything that a number depends on, the choice of frames aside, as plain data."""
        optional = {
            name: {key: list(members) for key, members in value.items()}
            for name, value in (
                ("metric_joints", self.metric_joints),
                ("joint_groups", self.joint_groups),
                ("settings", self.settings),
            )
            if value
        }
        return {
            "skeleton": self.skeleton.name,
            "joints": list(self.joints),
            "pred_root": self.pred_root,
            "gt_root": self.gt_root,
            **({"absolute_pred": ABSOLUTE_PRED} if self.absolute_pred else {}),
            "pooling": self.pooling,
            "metrics": list(self.metrics),
            "banks": list(self.banks),
            **optional,
        }

    @cached_property
    def sha256(self) -> str:
        """Hash of name, version, definition and selection, with what the skeleton's name stands for."""
        content = {
            "name": self.name,
            "version": self.version,
            "definition": self.definition(),
            "skeleton": {
                "joints": list(self.skeleton.joints),
                "parents": list(self.skeleton.parents),
                "root": self.skeleton.root,
            },
            "selection": None if self.selection is None else self.selection.to_dict(),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """What a result records of its protocol, whether its selection was applied aside."""
        return {
            "name": self.name,
            "version": self.version,
            "sha256": self.sha256,
            **self.definition(),
            "selection": None if self.selection is None else self.selection.to_dict(),
        }
