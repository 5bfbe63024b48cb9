"""Protocols: named, versioned, hashed definitions of a benchmark; one YAML file each, beside this module.

A protocol says which joints count, what each side is centred on, which metrics are taken and how frames are pooled. Its
hash covers exactly that, not comments or layout, and goes into every result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from posebench.errors import InputError, UsageError
from posebench.skeletons import Skeleton, get_skeleton
from posebench.strict_yaml import strict_loader as _strict_loader

Pooling = Literal["frame", "joint", "action", "sequence"]

_FIELDS = {"name", "version", "summary", "source", "definition"}
_DEFINITION = {"skeleton", "joints", "pred_root", "gt_root", "pooling", "metrics", "banks"}


@dataclass(frozen=True)
class Protocol:
    """One way to score: skeleton, joints, roots, metrics, pooling.

    Examples
    --------
    >>> standard = get_protocol("standard")
    >>> standard.skeleton.name, standard.pooling, len(standard.joints)
    ('h36m17', 'frame', 17)
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
    #: `frame`: mean over frames of each frame's mean; `joint`: over all valid joints; `action`, `sequence`: means of
    #: these groups' means.
    pooling: Pooling
    #: Canonical spellings.
    metrics: tuple[str, ...]
    banks: tuple[str, ...]

    def definition(self) -> dict[str, Any]:
        """Everything that a number depends on, as plain data."""
        return {
            "skeleton": self.skeleton.name,
            "joints": list(self.joints),
            "pred_root": self.pred_root,
            "gt_root": self.gt_root,
            "pooling": self.pooling,
            "metrics": list(self.metrics),
            "banks": list(self.banks),
        }

    @cached_property
    def sha256(self) -> str:
        """Hash of name, version and definition."""
        content = {"name": self.name, "version": self.version, "definition": self.definition()}
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """What a result records of its protocol."""
        return {"name": self.name, "version": self.version, "sha256": self.sha256, **self.definition()}


def protocol_names() -> tuple[str, ...]:
    """Names of the protocols that come with posebench; `standard` first.

    Examples
    --------
    >>> protocol_names()[0]
    'standard'
    """
    names = sorted(path.stem for path in Path(__file__).parent.glob("*.yaml"))
    return tuple(sorted(names, key=lambda name: (name != "standard", name)))


def get_protocol(protocol: str | Path | Protocol) -> Protocol:
    """The protocol of that name, or from a YAML file; a `Protocol` passes through.

    Raises
    ------
    UsageError
        If there is none of that name.
    InputError
        If the file is not a protocol.

    Examples
    --------
    >>> get_protocol("standard").metrics[:3]
    ('MPJPE', 'NMPJPE', 'PMPJPE')
    """
    if isinstance(protocol, Protocol):
        return protocol
    text = str(protocol)
    if text in protocol_names():
        return _load(Path(__file__).parent / f"{text}.yaml")
    if text.endswith((".yaml", ".yml")):
        return _load(Path(text))
    raise UsageError(
        f"there is no protocol {text!r}; known are {', '.join(protocol_names())}, or give the path of a .yaml file"
    )


def _load(path: Path) -> Protocol:
    import yaml

    try:
        data = _strict_loader()(path.read_text("utf-8")).get_single_data()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    # PyYAML's own constructors let these through on values such as `!!int abc` or a day that does not exist.
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: is not YAML: {' '.join(str(error).split())}") from None
    return _parse(data, str(path))


def _parse(data: Any, where: str) -> Protocol:
    # `posebench protocols show` prints the hash too; where it is given it must be the right one.
    stated = data.pop("sha256", None) if isinstance(data, dict) else None
    fields = _mapping(data, _FIELDS, where)
    definition = _mapping(fields["definition"], _DEFINITION, f"{where}: definition")
    version = fields["version"]
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InputError(f"{where}: version is {version!r}, expected a whole number from 1")
    for key in ("name", "summary", "source"):
        if not isinstance(fields[key], str) or not fields[key].strip():
            raise InputError(f"{where}: {key} is {fields[key]!r}, expected text")
    if definition["pooling"] not in get_args(Pooling):
        raise InputError(
            f"{where}: pooling is {definition['pooling']!r}, expected one of {', '.join(get_args(Pooling))}"
        )
    if definition["banks"] != []:
        raise InputError(f"{where}: binds banks, which this version of posebench cannot score with; leave `banks: []`")
    for side in ("pred_root", "gt_root"):
        if definition[side] is not None and (not isinstance(definition[side], str) or not definition[side]):
            raise InputError(f"{where}: {side} is {definition[side]!r}, which is no joint; expected a name, or null")
    try:
        skeleton = get_skeleton(str(definition["skeleton"]))
        joints = skeleton.joints if definition["joints"] == "all" else tuple(_texts(definition["joints"]))
        for joint in (*joints, *(definition[side] for side in ("pred_root", "gt_root") if definition[side])):
            skeleton.index(joint)
        metrics = tuple(_canonical(spelling) for spelling in _texts(definition["metrics"]))
    except (UsageError, TypeError) as error:
        raise InputError(f"{where}: {error}") from None
    if len(set(joints)) != len(joints) or len(set(metrics)) != len(metrics):
        raise InputError(f"{where}: a joint or a metric stands twice")
    protocol = Protocol(
        fields["name"],
        version,
        " ".join(fields["summary"].split()),
        fields["source"],
        skeleton,
        joints,
        definition["pred_root"],
        definition["gt_root"],
        definition["pooling"],
        metrics,
        (),
    )
    if stated is not None and stated != protocol.sha256:
        raise InputError(
            f"{where}: says its sha256 is {stated}, but its definition has {protocol.sha256}; remove the line"
        )
    return protocol


def _mapping(data: Any, expected: set[str], where: str) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise InputError(f"{where}: expected the fields {', '.join(sorted(expected))}, found {type(data).__name__}")
    if set(data) != expected:
        odd = ", ".join(sorted(map(str, set(data) ^ expected)))
        raise InputError(f"{where}: expected exactly the fields {', '.join(sorted(expected))}; amiss: {odd}")
    return data


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise TypeError(f"expected a list of names, found {value!r}")
    return value


def _canonical(spelling: str) -> str:
    from posebench.metrics import resolve

    return resolve(spelling).key
