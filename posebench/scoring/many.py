"""The same two sets under many protocols: what each convention makes of them, in one pass over the poses where it can.

Every number is the one that `score` gives under that protocol alone. Protocols that select the same frames and score
the same skeleton go through the poses together, chunk by chunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from posebench.errors import InputError, UsageError
from posebench.metrics.evaluate import Poses
from posebench.poses import PoseSet
from posebench.protocols import Protocol, get_protocol, protocol_names
from posebench.report import Report
from posebench.scoring.scorer import Prepared, Progress, Scorer, _sha256, inputs, load, run
from posebench.scoring.sides import Sides, assume_skeleton

SCHEMA = "posebench.protocols/1"


@dataclass
class ProtocolReports:
    """One report per protocol that fits, and a sentence for each that does not. Their numbers do not compare."""

    reports: dict[str, Report]
    refused: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, in the layout of `posebench.protocols/1`: whole results by protocol."""
        return {
            "schema": SCHEMA,
            "results": {name: report.to_dict() for name, report in self.reports.items()},
            "refused": dict(self.refused),
        }

    def save(self, path: str | Path) -> None:
        """Write all reports in the format of the file's ending: .json, .csv, .md, .tex or .html.

        Raises
        ------
        UsageError
            If the ending is not known.
        """
        from posebench.report.many import write_reports

        write_reports(self.reports, self.refused, self.to_dict, Path(path))

    def __str__(self) -> str:
        from posebench.report.many import render_reports

        return render_reports(self.reports, self.refused, self.to_dict, "txt")


def score_protocols(
    pred: Poses | str | Path,
    gt: Poses | str | Path,
    *,
    protocols: Sequence[str | Path | Protocol] | None = None,
    allow_missing: bool = False,
    allow_extra: bool = False,
    progress: Progress | None = None,
) -> ProtocolReports:
    """Score predictions against ground truth under several protocols, all that posebench knows by default.

    Parameters
    ----------
    pred, gt : array (N, J, 3), PoseSet, or path
        As in `score`; plain arrays, and files that do not say their skeleton, must be H36M-17.
    protocols : sequence, optional
        Names, paths of .yaml files or `Protocol` objects.
    allow_missing, allow_extra : bool
        As in `score`.
    progress : callable, optional
        Called with the number of poses done since the last call; `pred` and `gt` are gone through once for each
        skeleton and selection.

    Returns
    -------
    ProtocolReports
        A protocol's selection is applied only where the ground truth says that it is of that data set; the report's
        notes say "definition only" where it was not.

    Raises
    ------
    InputError
        If no protocol fits.
    UsageError
        If a protocol is unknown, or stands twice.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> gt = rng.normal(size=(4, 17, 3)) * 300
    >>> gt -= gt[:, :1]
    >>> found = score_protocols(gt + rng.normal(size=gt.shape) * 30, gt, protocols=["standard", "h36m-rhodin"])
    >>> sorted(found.reports)
    ['h36m-rhodin', 'standard']
    """
    chosen = [get_protocol(name) for name in (protocol_names() if protocols is None else protocols)]
    if len({protocol.name for protocol in chosen}) < len(chosen) or not chosen:
        raise UsageError(f"expected different protocols, at least one; got {[p.name for p in chosen]}")
    with ThreadPoolExecutor(1) as background:
        given = [_named(load(poses, side), side) for poses, side in ((pred, "pred"), (gt, "gt"))]
        hashes = [background.submit(_sha256, side.path) for side in given]
        sides = Sides(*given, allow_missing=allow_missing, allow_extra=allow_extra, whole=True)
        prepared: dict[str, Prepared] = {}
        refused: dict[str, str] = {}
        for protocol in chosen:
            try:
                prepared[protocol.name] = Scorer(protocol, allow_missing=allow_missing).prepare(sides)
            except InputError as error:
                refused[protocol.name] = str(error)
        for piece in _passes(prepared):
            refused.update(_run_what_can(piece, progress))
        reports = {}
        for name, ready in prepared.items():
            if name not in refused:
                ready.commit()
                reports[name] = ready.scorer.report()
                reports[name].inputs = inputs(given, hashes)
    if not reports:
        names: dict[str, list[str]] = {}
        for name, why in refused.items():
            names.setdefault(why, []).append(name)
        if len(names) == 1 and len(refused) > 1:
            raise InputError(f"no protocol fits: {next(iter(names))}")
        raise InputError("no protocol fits: " + "; ".join(f"{', '.join(each)}: {why}" for why, each in names.items()))
    return ProtocolReports(reports, {p.name: refused[p.name] for p in chosen if p.name in refused})


def _named(poses: Poses, side: str) -> PoseSet:
    """A set that says its skeleton, so that not every protocol takes its joints for those of its own."""
    from posebench.metrics.evaluate import as_poseset

    found = as_poseset(poses, side)
    if found.skeleton is not None:
        return found
    return assume_skeleton(found, side, get_protocol("standard"))


def _passes(prepared: dict[str, Prepared]) -> list[dict[str, Prepared]]:
    """What goes through the poses together: the same sets and the same frames of them."""
    groups: dict[tuple[int, int, int], dict[str, Prepared]] = {}
    for name, piece in prepared.items():
        key = id(piece.pair.pred), id(piece.pair.gt), id(piece.pair.frames)
        groups.setdefault(key, {})[name] = piece
    return list(groups.values())


def _run_what_can(pieces: dict[str, Prepared], progress: Progress | None) -> dict[str, str]:
    """Run pieces together; where a pose is refused, each alone, so that one protocol's joints do not cost another's."""
    try:
        run(list(pieces.values()), progress)
        return {}
    except InputError as error:
        if len(pieces) == 1:
            return {next(iter(pieces)): str(error)}
    refused = {}
    for name, piece in pieces.items():
        piece.clear()
        refused.update(_run_what_can({name: piece}, None))
    return refused


__all__ = ["ProtocolReports", "score_protocols"]
