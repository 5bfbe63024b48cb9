"""Report: what a scoring run found, with everything needed to know what its numbers mean.

A report is plain data. It can be saved and read back (`posebench.result/1`), grouped while it still has its scorer's
sums, and rendered by the modules beside this one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from posebench.errors import InputError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from posebench.frames import FrameTable
    from posebench.report.samples import Samples
    from posebench.taxonomy import Explanation

SCHEMA = "posebench.result/1"

T = TypeVar("T")


@dataclass(frozen=True)
class MetricValue:
    """One number of a report. `value` is None where nothing could be scored."""

    name: str
    value: float | None
    unit: str
    higher_is_better: bool
    #: Frames (or frame transitions) that the value is a mean over.
    n: int
    ci95: tuple[float, float] | None = None
    #: True for a distance that leaves out frames or joints which the prediction lacks: no comparison, no gate.
    incomplete: bool = False


@dataclass(frozen=True)
class Coverage:
    """What was scored, before how well. Counts are frames, except where named otherwise."""

    gt_frames: int
    #: Frames whose ground truth can be scored and whose prediction is complete.
    scored: int
    #: Frames whose prediction is absent or lacks a joint that the ground truth holds.
    missing: int
    #: Joints (of the protocol's) that the ground truth masks, over all frames.
    invalid_joints: int
    #: Predictions whose joints all coincide; they were given the limit of their metrics.
    degenerate: int
    #: How predictions found their ground truth: "by order", or "by" and the keys.
    matched: str
    #: Frames whose ground truth has no valid joint, no extent, or no valid root where one is needed.
    unscorable: int = 0
    #: Predictions for which the optimal rotation is not unique.
    ambiguous: int = 0
    #: Predictions that NMPJPE's least-squares scale reflected through their root.
    negative_scale: int = 0


#: (group) -> {key: {metric: value}}; a report read from a file has only the groups that were saved.
Grouper = Callable[[str], Mapping[str, Mapping[str, float | None]]]


@dataclass
class Report:
    """Result of scoring predictions against ground truth.

    `metrics` maps canonical spellings to values; `by("action")` gives the same per action, subject, sequence, camera,
    joint or part. `str(report)` is the table that the terminal shows.
    """

    metrics: dict[str, MetricValue]
    coverage: Coverage
    #: name, version, sha256, pooling, skeleton and the rest of the definition.
    protocol: dict[str, Any]
    banks: list[dict[str, Any]] = field(default_factory=list)
    #: {"pred": {"path", "sha256"}, "gt": {...}}; arrays have neither.
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    #: What was assumed or noticed, in sentences.
    notes: list[str] = field(default_factory=list)
    groups: dict[str, dict[str, dict[str, float | None]]] = field(default_factory=dict)
    #: Per PSS metric an array (k, k + 1), see `confusion`.
    confusions: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    #: Values per frame, where `score` was asked for them; saved beside the result, not in it.
    frames: FrameTable | None = field(default=None, repr=False, compare=False)
    #: Single poses and the spread of errors, where `score` was asked for them; for the HTML report.
    samples: Samples | None = field(default=None, repr=False, compare=False)
    #: How much of the error each fault has put there, where `score` was asked to explain.
    explanation: Explanation | None = field(default=None, repr=False)
    #: The command line that made it, for the HTML report.
    command: str | None = field(default=None, repr=False, compare=False)
    available_groups: tuple[str, ...] = field(default=(), compare=False)
    #: Groups that the protocol shows unless others are asked for.
    default_groups: tuple[str, ...] = field(default=(), compare=False)
    _grouper: Grouper | None = field(default=None, repr=False, compare=False)

    def by(self, group: str) -> dict[str, dict[str, float | None]]:
        """Values per member of a group: ``report.by("action")["Walking"]["MPJPE"]``.

        Parameters
        ----------
        group : {"action", "subject", "sequence", "camera", "joint", "part", "setting", "joint_group"}
            The last two where the protocol has them.
            A sequence is named by subject, action and sequence, as in ``"S9/Walking/1"``. Values per joint and part
            are means over all frames and joints, whatever the protocol's pooling.

        Raises
        ------
        UsageError
            If the ground truth has no such key.
        """
        if group not in self.groups:
            if group not in self.available_groups or self._grouper is None:
                has = ", ".join(sorted({*self.available_groups, *self.groups})) or "no keys"
                raise UsageError(f"cannot group by {group!r}: the ground truth has {has}")
            self.groups[group] = {key: dict(values) for key, values in self._grouper(group).items()}
        return self.groups[group]

    def confusion(self, metric: str) -> Any:
        """Which clusters a PSS metric's predictions fall into: array (k, k + 1) of frames.

        Rows are the ground truth's cluster, columns the prediction's; the last column counts predictions without one.

        Raises
        ------
        UsageError
            If the report has no such metric, or was read from a file, which does not hold confusions.
        """
        from posebench.metrics import resolve

        key = resolve(metric).key
        if key not in self.confusions:
            raise UsageError(f"the report has no confusion of {key}; it has {', '.join(self.confusions) or 'none'}")
        return self.confusions[key]

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data, in the layout of `posebench.result/1`."""
        for group in self.available_groups:
            self.by(group)
        return {
            "schema": SCHEMA,
            "metrics": {
                name: {
                    "value": m.value,
                    "unit": m.unit,
                    "higher_is_better": m.higher_is_better,
                    "n": m.n,
                    "ci95": None if m.ci95 is None else list(m.ci95),
                    **({"incomplete": True} if m.incomplete else {}),
                }
                for name, m in self.metrics.items()
            },
            "by": dict(sorted(self.groups.items())),
            "coverage": asdict(self.coverage),
            "protocol": self.protocol,
            "banks": self.banks,
            "inputs": self.inputs,
            "environment": self.environment,
            "notes": self.notes,
            **({} if self.explanation is None else {"explanation": self.explanation.to_dict()}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], source: str = "result") -> Report:
        """Read back what `to_dict` gave.

        Raises
        ------
        InputError
            If it is not a result of this schema.
        """
        from posebench.io.facts import brief, shown

        if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
            found = data.get("schema") if isinstance(data, Mapping) else type(data).__name__
            raise InputError(f"{source}: expected schema {SCHEMA!r}, found {shown(found)}; is it a posebench result?")
        try:
            metrics = {
                name: MetricValue(
                    name,
                    _number(m["value"]),
                    _typed(m["unit"], str),
                    _typed(m["higher_is_better"], bool),
                    _typed(m["n"], int),
                    None if m["ci95"] is None else (float(m["ci95"][0]), float(m["ci95"][1])),
                    _typed(m.get("incomplete", False), bool),
                )
                for name, m in data["metrics"].items()
            }
            report = cls(
                metrics,
                Coverage(**data["coverage"]),
                dict(_typed(data["protocol"], dict)),
                [_typed(bank, dict) for bank in _typed(data["banks"], list)],
                {name: _typed(side, dict) for name, side in _typed(data["inputs"], dict).items()},
                dict(_typed(data["environment"], dict)),
                [_typed(note, str) for note in data.get("notes", [])],
                {
                    group: {key: {m: _number(v) for m, v in values.items()} for key, values in members.items()}
                    for group, members in data["by"].items()
                },
            )
            explanation = data.get("explanation")
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
            raise InputError(f"{source}: the result is damaged: {type(error).__name__}: {brief(error)}") from None
        if explanation is not None:
            from posebench.taxonomy import Explanation

            report.explanation = Explanation.from_dict(explanation, source)
        return report

    @classmethod
    def load(cls, path: str | Path) -> Report:
        """Read a result JSON."""
        from posebench.io.array_file import refuse_irregular

        if Path(path).exists():
            refuse_irregular(Path(path))
        try:
            data = json.loads(Path(path).read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"{path}: cannot be read as a result: {error}") from None
        return cls.from_dict(data, str(path))

    def save(self, path: str | Path, *, by: tuple[str, ...] = ()) -> None:
        """Write the report in the format of the file's ending: .json, .csv, .md, .tex or .html.

        Parameters
        ----------
        path : str or Path
        by : tuple of str
            Groups to add to a table; the JSON and the HTML always have all of them.

        Raises
        ------
        UsageError
            If the ending is not known.
        """
        from posebench.report.render import write_report

        write_report(self, Path(path), by)

    def to_html(self, path: str | Path, *, by: tuple[str, ...] = ()) -> None:
        """Write the report as one HTML file that needs no network, whatever the file's ending.

        Parameters
        ----------
        path : str or Path
        by : tuple of str
            Groups in the tables that the copy buttons copy; the page shows all of them.

        Raises
        ------
        InputError
            If the file cannot be written.

        Notes
        -----
        Poses and curves are there if the report was made with ``score(..., samples=True)``.
        """
        from posebench.io.atomic import atomic_write
        from posebench.report.render import render

        data = render(self, "html", by).encode("utf-8")
        with atomic_write(path) as file:
            file.write(data)

    def to_pandas(self, by: Sequence[str] | None = None) -> pd.DataFrame:
        """One number per row, full precision: the totals as group "all", then the members of groups.

        Parameters
        ----------
        by : sequence of str, optional
            Groups such as "action"; all that the report has by default, () for the totals alone.

        Returns
        -------
        DataFrame
            Columns ``group``, ``key`` (the member), ``metric``, ``value``, ``unit``, ``higher_is_better``, ``n``,
            ``ci95_low``, ``ci95_high``, ``incomplete``. Members of a group have neither n nor interval.

        Raises
        ------
        UsageError
            If the report cannot be grouped so.

        Examples
        --------
        >>> import numpy as np
        >>> import posebench as pb
        >>> gt = np.random.default_rng(0).normal(size=(4, 17, 3)) * 300
        >>> table = pb.score(gt, gt, metrics=["MPJPE", "PCK"]).to_pandas(by=())
        >>> table[["group", "metric", "value", "n"]].values.tolist()
        [['all', 'MPJPE', 0.0, 4], ['all', 'PCK@150', 100.0, 4]]
        """
        from posebench.report.data import frame

        groups = dict.fromkeys([*self.available_groups, *self.groups]) if by is None else by
        return frame(self, tuple(groups))

    def _repr_html_(self) -> str:
        from posebench.html.tables import notebook_html

        return notebook_html(self)

    def _repr_markdown_(self) -> str:
        from posebench.report.render import render

        return render(self, "md")

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What IPython prints."""
        printer.text(str(self).rstrip("\n"))

    def __str__(self) -> str:
        from posebench.report.render import render

        return render(self, "txt", ())


def _typed(value: Any, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"expected {kind.__name__}, found {value!r}")
    return value


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"expected a finite number, found {value!r}")
    return float(value)
