"""What was measured, in sentences: the protocol, the metrics and the banks of a report.

A report may come from a file, so that any field may be missing or hold anything; what cannot be read is not said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posebench.errors import PosebenchError
from posebench.report.content import clean
from posebench.report.model import Report

_POOLING = {
    "frame": "Every frame counts alike: a value is the mean over frames of each frame's mean over its joints.",
    "joint": "Every joint counts alike: a value is the mean over all joints of all frames.",
    "action": "Every action counts alike: a value is the mean over actions of each action's mean over its frames.",
    "subject": "Every subject counts alike: a value is the mean over subjects of each subject's mean over its frames.",
    "sequence": "Every sequence counts alike: a value is the mean over sequences of each one's mean over its frames.",
}


def protocol_words(protocol: Mapping[str, Any]) -> list[str]:
    """The protocol in sentences."""
    said = []
    summary = _summary(protocol)
    if summary:
        said.append(summary)
    joints = _names(protocol.get("joints"))
    if joints:
        said.append(
            f"{len(joints)} joints of skeleton {clean(protocol.get('skeleton'))} are scored: {', '.join(joints)}."
        )
    if "pred_root" in protocol and "gt_root" in protocol:
        said.append(_centred(protocol))
    pooling = protocol.get("pooling")
    if isinstance(pooling, str) and pooling in _POOLING:
        said.append(_POOLING[pooling])
    limited = protocol.get("metric_joints")
    if isinstance(limited, Mapping):
        said += [f"{clean(name)} is taken over {', '.join(_names(of))} only." for name, of in limited.items()]
    selection = protocol.get("selection")
    if isinstance(selection, Mapping):
        said.append(_selection(selection))
    elif "selection" in protocol:
        said.append("All frames of the ground truth count; the protocol selects none.")
    return said


def metric_words(report: Report) -> list[tuple[str, str, str]]:
    """Each metric with what it is and where it comes from."""
    from posebench.metrics import resolve

    found = []
    for name in report.metrics:
        try:
            family = resolve(name).family
        except PosebenchError:
            continue  # a metric of another version of posebench
        found.append((clean(name), family.meaning, family.source))
    return found


def bank_words(bank: Mapping[str, Any]) -> list[str]:
    """A cluster bank in sentences; more of a bank that ships with posebench."""
    from posebench.banks import bank_names, find_bank

    name, sha256 = bank.get("name"), bank.get("sha256")
    said = [f"Bank {clean(name)}: {clean(bank.get('k'))} typical poses, the centres of a k-means clustering."]
    if isinstance(name, str) and name in bank_names():
        known = find_bank(name)
        if known.sha256 == sha256:
            card = known.card
            sources = ", ".join(clean(source.name) for source in card.sources)
            centred = "their mean" if known.layout.root is None else clean(known.layout.root)
            said.append(
                f"Fitted to {card.poses.used:,} ground-truth poses of {sources} ({clean(card.split)}), centred on "
                f"{centred} and scaled to one size, in the {clean(known.layout.reference)} reference; seed "
                f"{card.kmeans.seed}. {100 * card.near_boundary:.0f} % of them lie near the boundary of two clusters."
            )
    return said


def _summary(protocol: Mapping[str, Any]) -> str:
    """The sentence that a shipped protocol of that hash has for itself."""
    from posebench.protocols import get_protocol, protocol_names

    name = protocol.get("name")
    if not isinstance(name, str) or name not in protocol_names():
        return ""
    known = get_protocol(name)
    return f"{known.summary} Source: {known.source}" if known.sha256 == protocol.get("sha256") else ""


def _centred(protocol: Mapping[str, Any]) -> str:
    def side(name: str, root: object) -> str:
        return f"{name} is left as it is" if root is None else f"{name} is centred on its {clean(root)}"

    both = f"{side('the prediction', protocol['pred_root'])}; {side('the ground truth', protocol['gt_root'])}."
    extra = " A prediction in absolute coordinates is taken minus the ground truth's root."
    return both[0].upper() + both[1:] + (extra if protocol.get("absolute_pred") else "")


def _selection(selection: Mapping[str, Any]) -> str:
    parts = [
        f"{clean(name)} {', '.join(_names(value)) if isinstance(value, list) else clean(value)}"
        for name, value in selection.items()
        if name != "applied" and value not in (None, [], {})
    ]
    applied = "It was applied." if selection.get("applied") else "It was not applied: see the notes."
    return f"The protocol selects frames ({'; '.join(parts)}). {applied}"


def _names(value: object) -> list[str]:
    return [clean(item) for item in value] if isinstance(value, list | tuple) else []
