"""Comparison: which of several models is better, per metric and pair, with everything needed to know what that means.

Plain data; `comparing` makes it, `render` shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from posebench import __version__
from posebench.errors import UsageError

SCHEMA = "posebench.comparison/1"

Interval = tuple[float, float]
#: How the second model of a pair does: its difference lies beyond its interval or not; None where there is none.
Outcome = Literal["win", "tie", "loss"] | None


@dataclass(frozen=True)
class ModelValue:
    """One model under one metric."""

    #: Mean over the model's results (its seeds); what its result says if there is one.
    value: float
    #: What each of the results says.
    seeds: tuple[float, ...]
    #: Standard deviation over the results; None for fewer than two. It knows nothing of the choice of sequences.
    seed_sd: float | None
    #: 95 % interval over sequences of the mean over the results. It knows nothing of the choice of seeds.
    ci95: Interval | None
    #: Models that share a letter could not be told apart; None where nothing was tested.
    letters: str | None


@dataclass(frozen=True)
class ActionDifference:
    """A pair in one action."""

    difference: float
    ci95: Interval | None
    outcome: Outcome


@dataclass(frozen=True)
class PairDifference:
    """Model `b` against model `a` under one metric."""

    a: str
    b: str
    #: b's value minus a's.
    difference: float
    ci95: Interval | None
    #: Of the randomisation test; None for fewer than two sequences.
    p: float | None
    #: Adjusted by Holm's method for all tests of the comparison.
    p_holm: float | None
    #: Cohen's d_z of the sequences' mean differences.
    effect_size: float | None
    actions: dict[str, ActionDifference]

    def count(self, outcome: Outcome) -> int:
        """Number of actions with this outcome for `b`."""
        return sum(action.outcome == outcome for action in self.actions.values())


@dataclass(frozen=True)
class MetricComparison:
    """All models and pairs under one metric."""

    name: str
    unit: str
    higher_is_better: bool
    #: Frames that the values are means over.
    n: int
    models: dict[str, ModelValue]
    pairs: tuple[PairDifference, ...]


@dataclass(frozen=True)
class TestRecord:
    """How the p-values were made."""

    name: str
    #: Whether every pattern of signs was looked at; None if nothing was tested.
    exact: bool | None
    patterns: int
    seed: int
    alpha: float
    #: Number of tests that Holm's adjustment is for.
    family: int


@dataclass(frozen=True)
class Comparison:
    """What `compare` found. `str(comparison)` is what the terminal shows.

    `metrics` maps canonical spellings to the models' values and the differences of all pairs.
    """

    #: Model -> one record per result: path, sha256 and the prediction that was scored.
    models: dict[str, list[dict[str, Any]]]
    metrics: dict[str, MetricComparison]
    #: Metric -> why it is not compared.
    not_compared: dict[str, str]
    #: What is the same on all sides.
    frames: int
    sequences: int | None
    protocol: dict[str, Any]
    banks: list[dict[str, Any]]
    gt: dict[str, Any]
    test: TestRecord
    notes: list[str] = field(default_factory=list)

    def pair(self, metric: str, a: str, b: str) -> PairDifference:
        """The difference of `b` against `a` under a metric.

        Raises
        ------
        UsageError
            If the comparison has no such metric or pair, in this order.
        """
        from posebench.metrics import resolve

        key = metric if metric in self.metrics else resolve(metric).key
        if key not in self.metrics:
            raise UsageError(f"the comparison has no {key}; it has {', '.join(self.metrics)}")
        for pair in self.metrics[key].pairs:
            if (pair.a, pair.b) == (a, b):
                return pair
        raise UsageError(
            f"the comparison has no pair ({a!r}, {b!r}); its models are, in order, {', '.join(self.models)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain data, in the layout of `posebench.comparison/1`."""
        data = asdict(self)
        for metric in data["metrics"].values():
            del metric["name"]
        return {"schema": SCHEMA, **data, "environment": {"posebench": __version__}}

    def pairs(self) -> Iterator[tuple[MetricComparison, PairDifference]]:
        """All differences, metric by metric."""
        for metric in self.metrics.values():
            for pair in metric.pairs:
                yield metric, pair

    def save(self, path: str | Path) -> None:
        """Write the comparison in the format of the file's ending: .json, .csv, .md, .tex or .html.

        Raises
        ------
        UsageError
            If the ending is not known.
        """
        from posebench.comparison.render import write_comparison

        write_comparison(self, Path(path))

    def __str__(self) -> str:
        from posebench.comparison.render import render_comparison

        return render_comparison(self, "txt")


__all__ = [
    "SCHEMA",
    "ActionDifference",
    "Comparison",
    "Interval",
    "MetricComparison",
    "ModelValue",
    "Outcome",
    "PairDifference",
    "TestRecord",
]
