"""Finding protocols by name, and reading them from YAML, strictly: a field too many is as wrong as one that lacks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from posebench.errors import InputError, UsageError
from posebench.protocols.model import ABSOLUTE_PRED, Pooling, Protocol
from posebench.protocols.selection import Clip, Selection, dataset_name, plain
from posebench.skeletons import Skeleton, get_skeleton
from posebench.strict_yaml import briefly, load_yaml

_FIELDS = {"name", "version", "summary", "source", "definition"}
_DEFINITION = {"skeleton", "joints", "pred_root", "gt_root", "pooling", "metrics", "banks"}
_OPTIONAL_DEFINITION = {"absolute_pred", "metric_joints", "joint_groups", "settings"}
_SELECTION = {"dataset"}
_OPTIONAL_SELECTION = {"subjects", "stride", "skip"}
_GROUPS = ("subject", "action", "sequence", "camera", "joint", "part", "setting", "joint_group")


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
    with briefly():
        return _parse(load_yaml(path), str(path))


def _parse(data: Any, where: str) -> Protocol:
    # `posebench protocols show` prints the hash too; where it is given it must be the right one.
    stated = data.pop("sha256", None) if isinstance(data, dict) else None
    fields = _mapping(data, _FIELDS, where, {"selection", "by"})
    definition = _mapping(fields["definition"], _DEFINITION, f"{where}: definition", _OPTIONAL_DEFINITION)
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
    banks = definition["banks"]
    if not isinstance(banks, list) or not all(isinstance(bank, str) and bank for bank in banks):
        raise InputError(f"{where}: banks is {banks!r}, expected a list of names, or []")
    if len(set(banks)) < len(banks):
        raise InputError(f"{where}: banks: a name stands twice")
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
        " ".join(fields["source"].split()),
        skeleton,
        joints,
        definition["pred_root"],
        definition["gt_root"],
        definition["pooling"],
        metrics,
        tuple(banks),
        _absolute_pred(definition, where),
        _metric_joints(definition.get("metric_joints"), metrics, joints, where),
        _groups(definition.get("joint_groups"), f"{where}: definition: joint_groups", skeleton, joints),
        _groups(definition.get("settings"), f"{where}: definition: settings"),
        _by(fields.get("by"), definition, where),
        _selection(fields.get("selection"), where),
    )
    if stated is not None and stated != protocol.sha256:
        raise InputError(
            f"{where}: says its sha256 is {stated}, but what it says has {protocol.sha256}; remove the line"
        )
    return protocol


def _absolute_pred(definition: Mapping[str, Any], where: str) -> bool:
    """Whether absolute predictions are taken minus the ground truth's root."""
    if "absolute_pred" not in definition:
        return False
    if definition["absolute_pred"] != ABSOLUTE_PRED:
        raise InputError(
            f"{where}: definition: absolute_pred is {definition['absolute_pred']!r}, expected {ABSOLUTE_PRED!r}, or no "
            "such field"
        )
    if definition["pred_root"] is not None or definition["gt_root"] is None:
        raise InputError(f"{where}: definition: absolute_pred only applies where pred_root is null and gt_root is not")
    return True


def _metric_joints(
    data: Any, metrics: tuple[str, ...], joints: tuple[str, ...], where: str
) -> dict[str, tuple[str, ...]]:
    from posebench.metrics import resolve
    from posebench.metrics.registry import FieldKind

    where = f"{where}: definition: metric_joints"
    found = {}
    for spelling, members in _groups(data, where).items():
        try:
            metric = resolve(spelling)
        except UsageError as error:
            raise InputError(f"{where}: {error}") from None
        if metric.key not in metrics:
            raise InputError(f"{where}: {metric.key} is none of the metrics, which are {', '.join(metrics)}")
        if metric.field is not FieldKind.JOINTS or metric.alignment is None or metric.alignment.fits_pose:
            raise InputError(f"{where}: {metric.key} is fitted to all joints and cannot be taken over some of them")
        unknown = [joint for joint in members if joint not in joints]
        if unknown:
            raise InputError(f"{where}: {metric.key} has {', '.join(unknown)}, which is not among the joints")
        found[metric.key] = members
    return found


def _groups(
    data: Any, where: str, skeleton: Skeleton | None = None, joints: tuple[str, ...] = ()
) -> dict[str, tuple[str, ...]]:
    """A mapping of names to lists of names; those of joints must be scored."""
    if data is None:
        return {}
    if not isinstance(data, dict) or not data or not all(isinstance(name, str) and name for name in data):
        raise InputError(f"{where}: expected names with a list of names each, found {data!r}")
    found = {}
    for name, members in data.items():
        try:
            texts = tuple(_texts(members))
            for joint in texts if skeleton is not None else ():
                skeleton.index(joint)  # type: ignore[union-attr]
        except (UsageError, TypeError) as error:
            raise InputError(f"{where}: {name}: {error}") from None
        if len(set(texts)) != len(texts):
            raise InputError(f"{where}: {name}: a name stands twice")
        missing = [joint for joint in texts if skeleton is not None and joint not in joints]
        if missing:
            raise InputError(f"{where}: {name}: {', '.join(missing)} is not among the joints that are scored")
        found[name] = texts
    return found


def _by(data: Any, definition: Mapping[str, Any], where: str) -> tuple[str, ...]:
    if data is None:
        return ()
    try:
        groups = tuple(_texts(data))
    except TypeError as error:
        raise InputError(f"{where}: by: {error}") from None
    for group in groups:
        known = group in _GROUPS
        if not known or (group == "setting" and not definition.get("settings")):
            raise InputError(f"{where}: by: cannot group by {group!r}")
        if group == "joint_group" and not definition.get("joint_groups"):
            raise InputError(f"{where}: by: cannot group by {group!r}, as the definition has no joint_groups")
    return groups


def _selection(data: Any, where: str) -> Selection | None:
    if data is None:
        return None
    where = f"{where}: selection"
    fields = _mapping(data, _SELECTION, where, _OPTIONAL_SELECTION)
    dataset, subjects = fields["dataset"], fields.get("subjects")
    if not isinstance(dataset, str) or not dataset or dataset != dataset_name(dataset):
        raise InputError(f"{where}: dataset is {dataset!r}, expected a data set's short name such as h36m")
    try:
        chosen = None if subjects is None else tuple(_texts(subjects))
    except TypeError as error:
        raise InputError(f"{where}: subjects: {error}") from None
    if chosen is not None and len({plain(subject) for subject in chosen}) < len(chosen):
        raise InputError(f"{where}: a subject stands twice")
    stride = fields.get("stride", 1)
    if not isinstance(stride, int) or isinstance(stride, bool) or stride < 1:
        raise InputError(f"{where}: stride is {stride!r}, expected a whole number from 1")
    skip = fields.get("skip") or []
    if not isinstance(skip, list):
        raise InputError(f"{where}: skip is {skip!r}, expected a list")
    pairs = []
    for item in skip:
        pair = _mapping(item, {"subject", "sequence"}, f"{where}: skip", {"release"})
        if not all(isinstance(value, str) and value for value in pair.values()):
            raise InputError(f"{where}: skip: {dict(pair)!r}, expected the names of a subject and a sequence")
        pairs.append(Clip(pair["subject"], pair["sequence"], pair.get("release")))
    return Selection(dataset, chosen, stride, tuple(pairs))


def _mapping(data: Any, expected: set[str], where: str, optional: set[str]) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise InputError(f"{where}: expected the fields {', '.join(sorted(expected))}, found {type(data).__name__}")
    amiss = (expected - set(data)) | (set(data) - expected - optional)
    if amiss:
        allowed = f", and perhaps {', '.join(sorted(optional))}" if optional else ""
        raise InputError(
            f"{where}: expected exactly the fields {', '.join(sorted(expected))}{allowed}; amiss: "
            f"{', '.join(sorted(map(str, amiss)))}"
        )
    return data


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise TypeError(f"expected a list of names, found {value!r}")
    return value


def _canonical(spelling: str) -> str:
    from posebench.metrics import resolve

    return resolve(spelling).key
