"""What a conformance case is, and what a scorer made of it: plain data, no call of any metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

SCHEMA = "posebench.conformance/1"

Floats = npt.NDArray[np.float64]
#: A number, or with `by` one for each label.
Value = float | Mapping[str, float]
Kind = Literal["defect", "convention"]


class Verdict(Enum):
    """What can come of a case, the best first."""

    CONFORMS = "conforms"
    NOT_OFFERED = "not offered"
    CONVENTION = "convention"
    DEFECT = "defect"
    OTHER = "other"
    FAILED = "failed"

    @property
    def fine(self) -> bool:
        """Whether it leaves the exit code at 0."""
        return self in (Verdict.CONFORMS, Verdict.NOT_OFFERED)


class Refusal:
    """The expected answer where no number is right: raise, or return NaN."""

    def __repr__(self) -> str:
        return "refusal"


REFUSAL = Refusal()


@dataclass(frozen=True)
class Deviation:
    """A wrong value that other codes are known to print, and what it comes from.

    A "defect" is wrong under any definition; a "convention" is another definition of the same name, which may be right
    where it is said, and does not compare.
    """

    name: str
    values: tuple[Value, ...]
    kind: Kind = "defect"


def defect(name: str, *values: Value) -> Deviation:
    """A deviation that is wrong under any definition."""
    return Deviation(name, values)


def convention(name: str, *values: Value) -> Deviation:
    """A deviation that is another definition of the same name."""
    return Deviation(name, values, "convention")


@dataclass(frozen=True, eq=False)
class Problem:
    """The input of a case and what may come out. `options` are keywords beyond those that every call has."""

    pred: npt.NDArray[Any]
    gt: npt.NDArray[Any]
    expected: Value | Refusal
    deviations: tuple[Deviation, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    #: In the unit of the metric. Wide enough for a scorer in float32, far narrower than any deviation.
    tolerance: float = 1e-3
    #: Further answers that are right.
    also: tuple[Value, ...] = ()
    #: What it is called if the scorer raises, or returns NaN, where a number is expected.
    raising: str = ""
    not_finite: str = ""
    #: Where refusal is expected: a prediction that must get a number, so that refusing everything is no refusal.
    sound: npt.NDArray[Any] | None = None


@dataclass(frozen=True, eq=False)
class Case:
    """A behaviour that a scorer must have.

    `trouble` says what goes wrong in other codes, `source` where that is known from.
    """

    id: str
    metric: str
    title: str
    trouble: str
    source: str
    build: Callable[[], Problem]


@dataclass(frozen=True)
class Result:
    """What a scorer made of a case."""

    case: Case
    verdict: Verdict
    #: Deviations that the answer was recognised by, or one sentence on what happened.
    what: tuple[str, ...] = ()
    expected: Value | Refusal | None = None
    got: Value | None = None
    tolerance: float = 0.0
    #: Characters that the scorer printed; no fault of the answer.
    printed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "id": self.case.id,
            "metric": self.case.metric,
            "title": self.case.title,
            "trouble": self.case.trouble,
            "source": self.case.source,
            "verdict": self.verdict.value,
            "what": list(self.what),
            "expected": "refusal" if isinstance(self.expected, Refusal) else _plain(self.expected),
            "got": _plain(self.got),
            "tolerance": self.tolerance,
            "printed": self.printed,
        }


@dataclass(frozen=True)
class Conformance:
    """The results of a scorer, in the order of the cases."""

    scorer: str
    results: tuple[Result, ...]

    def count(self, verdict: Verdict) -> int:
        """How many cases ended so."""
        return sum(result.verdict is verdict for result in self.results)

    @property
    def answered(self) -> int:
        """Cases that the scorer offers."""
        return len(self.results) - self.count(Verdict.NOT_OFFERED)

    @property
    def conforms(self) -> bool:
        """Whether every case that is offered conforms, and there is one."""
        return self.answered > 0 and all(result.verdict.fine for result in self.results)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, of schema ``posebench.conformance/1``."""
        return {
            "schema": SCHEMA,
            "scorer": self.scorer,
            "conforms": self.conforms,
            "counts": {verdict.value: self.count(verdict) for verdict in Verdict},
            "cases": [result.to_dict() for result in self.results],
        }


def _plain(value: Value | None) -> Any:
    if isinstance(value, Mapping):
        return {label: _plain(number) for label, number in value.items()}
    return None if value is None or not np.isfinite(value) else float(value)
