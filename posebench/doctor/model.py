"""What a diagnosis says: findings with evidence and remedies, as data, as text and as JSON."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
#: The gravest first.
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
SCHEMA = "posebench.diagnosis/1"


@dataclass(frozen=True)
class Evidence:
    """A number before and after the suggested change, both measured; `after` is None where there is nothing to try.

    MPJPE here is in mm, each side centred on its root, the mean over the protocol's joints and over `n` poses.
    """

    what: str
    before: float
    after: float | None
    unit: str
    #: Poses that it was measured on.
    n: int

    def __str__(self) -> str:
        after = "" if self.after is None else f" → {_number(self.after)}"
        return f"{self.what} {_number(self.before)}{after} {self.unit}".rstrip() + f" on {self.n} poses"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a prediction file.

    `severity` is "error" where a number would be wrong or is refused, "warning" where something is odd that may be the
    model's own, "note" where scoring copes. `command` is what mends it, if a command can; `advice` says what to do
    where none can, or what else helps. `rows` are the first rows of the prediction that are concerned, if not all are.
    """

    code: str
    severity: Severity
    sentence: str
    evidence: tuple[Evidence, ...] = ()
    command: str | None = None
    advice: str | None = None
    rows: tuple[int, ...] = ()
    #: Options of `posebench convert` that mend it, to be joined with those of other findings.
    convert: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "evidence": [asdict(each) for each in self.evidence], "rows": list(self.rows)} | {
            "convert": [list(option) for option in self.convert]
        }


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` found: the findings, those first that explain others; nothing is wrong if `clean`.

    Examples
    --------
    >>> import posebench as pb
    >>> from posebench.resources import resource
    >>> folder = resource("examples", "pose2sim")
    >>> pb.diagnose(folder / "pred_cam01_cam04.npz", folder / "gt.npz").clean
    True
    """

    pred: str
    gt: str | None
    protocol: str
    #: Poses in the prediction, and of these matched with ground truth.
    n: int
    matched: int
    #: "by order", "by subject, frame", or None without ground truth.
    how: str | None
    #: Poses that alignments in time and space were searched on.
    sampled: int
    findings: tuple[Finding, ...] = ()
    #: The sentence by which `posebench score` refuses the two files as they are.
    refusal: str | None = None
    #: What could not be checked, and why.
    unchecked: tuple[str, ...] = ()
    #: One command that mends all that `posebench convert` can.
    command: str | None = None
    #: The order of joints that was found, as a skeleton file; None if it is a known one.
    joints: str | None = field(default=None, repr=False)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong; notes are harmless."""
        return all(finding.severity == "note" for finding in self.findings)

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the findings, notes included, in their order.

        Examples
        --------
        >>> Diagnosis("pred.npz", None, "standard", 5, 0, None, 5).codes
        ()
        """
        return tuple(finding.code for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, of schema ``posebench.diagnosis/1``."""
        own = {name: value for name, value in vars(self).items() if name not in ("findings", "unchecked")}
        return {
            "schema": SCHEMA,
            "clean": self.clean,
            **own,
            "unchecked": list(self.unchecked),
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write .json, or text under any other ending; the file is there whole or not at all.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        from posebench.io.atomic import atomic_write

        with atomic_write(os.fspath(path)) as handle:
            text = json_text(self) if Path(path).suffix.lower() == ".json" else str(self)
            handle.write(text.encode("utf-8", "backslashreplace"))

    def __str__(self) -> str:
        return "\n".join(_lines(self)) + "\n"


def json_text(diagnosis: Diagnosis) -> str:
    """The diagnosis as JSON, for programs and for people."""
    import json

    return json.dumps(diagnosis.to_dict(), indent=1, allow_nan=False) + "\n"


def _lines(found: Diagnosis) -> list[str]:
    side = f"{found.pred}: {found.n} poses"
    if found.gt is not None:
        side += (
            f", {found.matched} matched with {found.gt} {found.how}" if found.how else f", none matched with {found.gt}"
        )
    lines = [side]
    problems = [finding for finding in found.findings if finding.severity != "note"]
    if not problems:
        lines.append("nothing found")
    for finding in found.findings:
        lines += ["", f"{finding.severity} {finding.code}: {finding.sentence}"]
        lines += [f"  {evidence}" for evidence in finding.evidence]
        if finding.rows:
            lines.append(
                f"  rows {', '.join(map(str, finding.rows))}{', ...' if len(finding.rows) >= MAX_ROWS else ''}"
            )
        if finding.command is not None:
            lines.append(f"  fix: {finding.command}")
        if finding.advice is not None:
            lines.append(f"  {finding.advice}")
    if found.command is not None:
        lines += ["", f"all of it: {found.command}"]
    if found.refusal is not None:
        lines += ["", f"posebench score refuses: {found.refusal}"]
    lines += [f"not checked: {what}" for what in found.unchecked]
    return lines


#: At most so many rows are named.
MAX_ROWS = 10


def _number(value: float) -> str:
    return f"{value:.1f}" if 0.1 <= abs(value) < 1e5 or value == 0 else f"{value:.3g}"


__all__ = ["MAX_ROWS", "SEVERITIES", "Diagnosis", "Evidence", "Finding", "Severity", "json_text"]
