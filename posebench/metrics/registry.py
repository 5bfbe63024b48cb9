"""What every metric is: name, unit, direction, range, what it needs; and how a spelling becomes something to compute.

A *family* (`PCK`) lives in the file of its kind and registers here with the facts that do not depend on arguments. A
`Metric` is one member of it (`PCK@100(inclusive)`): which error field to take and how to reduce it.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, Flag, auto

from posebench.errors import UsageError
from posebench.kernels.fields import Alignment
from posebench.kernels.kinds import ReductionKind
from posebench.metrics.clusters import ClusterUse
from posebench.metrics.grammar import MetricSpec, number, threshold_range


class Needs(Flag):
    """What the inputs must have for a metric to mean anything."""

    NOTHING = 0
    METRIC_SCALE = auto()  # a prediction in mm or m, not scale-free
    SAME_REFERENCE = auto()  # both sides in one coordinate system
    ABSOLUTE_PRED = auto()  # predicted coordinates that still hold the person's position
    ABSOLUTE_GT = auto()  # the same of the ground truth
    SEQUENCES = auto()  # sequence and frame keys, frames consecutive
    FPS = auto()  # the frame rate


class FieldKind(Enum):
    """What the items of an error field are."""

    JOINTS = "joints"
    ROOT = "root"
    BONES = "bones"
    MIRRORED_BONES = "mirrored bones"
    ANGLES = "angles"
    VELOCITY = "velocity"
    ACCELERATION = "acceleration"
    BONE_SPREAD = "bone spread"
    CLUSTERS = "clusters"
    KAPPA = "agreement beyond chance"


@dataclass(frozen=True)
class Reduction:
    """How an error field (N, K) becomes one value per pose."""

    kind: ReductionKind = ReductionKind.MEAN
    thresholds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Family:
    """The facts that all spellings of one metric share."""

    name: str
    meaning: str
    unit: str
    higher_is_better: bool
    #: Smallest and largest possible value; None where there is no bound.
    range: tuple[float | None, float | None]
    source: str
    aliases: tuple[str, ...] = ()
    #: What may stand in the brackets, for messages and documentation.
    arguments: str = ""


@dataclass(frozen=True)
class Metric:
    """One metric, ready to be computed."""

    #: Canonical spelling: the key of results.
    key: str
    family: Family
    field: FieldKind
    alignment: Alignment | None = None
    reduction: Reduction = Reduction()
    needs: Needs = Needs.NOTHING
    unit: str = ""
    #: How it uses cluster banks, if it does.
    cluster: ClusterUse | None = None

    def __str__(self) -> str:
        return self.key

    @property
    def is_distance(self) -> bool:
        """Whether missing predictions leave the number incomplete, instead of counting as wrong."""
        return self.cluster is None and self.reduction.kind in (ReductionKind.MEAN, ReductionKind.WORST)

    @property
    def needs_root(self) -> bool:
        """Whether it cannot be taken without a root joint."""
        if self.field in (FieldKind.ROOT, FieldKind.VELOCITY, FieldKind.ACCELERATION):
            return True
        return self.alignment is not None and self.alignment.needs_root

    @property
    def splits_by_joint(self) -> bool:
        """Whether the value is a mean over joints, so that each joint has a value of its own."""
        return self.field is FieldKind.JOINTS and self.reduction.kind not in (
            ReductionKind.WORST,
            ReductionKind.POSE_AREA,
        )


Builder = Callable[[MetricSpec, Family], Metric]

_FAMILIES: dict[str, tuple[Family, Builder]] = {}
_SPELLINGS: dict[str, str] = {}

#: Names that mean different things in different codes, and what to write instead.
_AMBIGUOUS = dict.fromkeys(
    ("p1", "p2", "protocol1", "protocol2"),
    "names different protocols in different codes; name the metric instead: MPJPE or PMPJPE",
) | {"accel": "is printed as mm/frame^2 and as mm/s^2; write MPJAE (mm/s^2) or MPJAE(per=frame)"}


def register(family: Family) -> Callable[[Builder], Builder]:
    """Decorator that registers a family with the function that builds its members."""

    def decorate(builder: Builder) -> Builder:
        _FAMILIES[family.name] = (family, builder)
        for spelling in (family.name, *family.aliases):
            _SPELLINGS[_bare(spelling)] = family.name
        return builder

    return decorate


def families() -> dict[str, Family]:
    """All families by name, in the order in which they registered.

    Examples
    --------
    >>> families()["PCK"].unit, families()["PCK"].higher_is_better
    ('%', True)
    """
    _load()
    return {name: family for name, (family, _) in _FAMILIES.items()}


def resolve(metric: str | MetricSpec | Metric) -> Metric:
    """The metric that a spelling names.

    Parameters
    ----------
    metric : str, MetricSpec or Metric
        ``"N-MPJPE"``, ``"PCK@100"``, ``"AUC(0:195:5)"``; case and hyphens do not matter.

    Raises
    ------
    UsageError
        If the name or an argument is unknown.

    Examples
    --------
    >>> resolve("pa-mpjpe").key, resolve("PCK").key, resolve("AUC").key
    ('PMPJPE', 'PCK@150', 'AUC(0:150:5)')
    """
    if isinstance(metric, Metric):
        return metric
    if not isinstance(metric, str | MetricSpec):
        raise UsageError(f"metric is {reprlib.repr(metric)}, expected its spelling, such as 'PCK@100'")
    _load()
    spec = MetricSpec.parse(metric) if isinstance(metric, str) else metric
    bare = _bare(spec.name)
    if bare in _AMBIGUOUS:
        raise UsageError(f"metric {reprlib.repr(spec.name)} {_AMBIGUOUS[bare]}")
    name = _SPELLINGS.get(bare)
    if name is None:
        raise UsageError(f"there is no metric {reprlib.repr(spec.name)}; known are {', '.join(_FAMILIES)}")
    family, builder = _FAMILIES[name]
    return builder(spec, family)


def _load() -> None:
    """Import the files whose families register themselves."""
    from posebench.metrics import correctness, distance, motion, structure, structure_score  # noqa: F401


def _bare(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


class Arguments:
    """The arguments of a spelling, taken out one by one; whatever is left over is an error."""

    def __init__(self, spec: MetricSpec, family: Family) -> None:
        self._spec = spec
        self._family = family
        self._left = dict(spec.arguments)
        self._at = spec.at

    def at(self, default: float) -> float:
        """The threshold after @."""
        value, self._at = self._at, None
        value = default if value is None else value
        if not 0 < value < float("inf"):
            raise UsageError(f"metric {self._spec}: the threshold must be positive, in mm")
        return value

    def choice(self, key: str, allowed: dict[str, Alignment], default: str) -> tuple[str, Alignment]:
        """A named variant and the alignment it stands for."""
        value = self._left.pop(key, default)
        if value not in allowed:
            raise UsageError(f"metric {self._spec}: {key}={value} is not one of {', '.join(allowed)}")
        return value, allowed[value]

    def word(self, key: str, allowed: tuple[str, ...], default: str) -> str:
        """A plain choice among words."""
        value = self._left.pop(key, default)
        if value not in allowed:
            raise UsageError(f"metric {self._spec}: {key}={value} is not one of {', '.join(allowed)}")
        return value

    def text(self, key: str) -> str | None:
        """Any text, None if it is not given."""
        return self._left.pop(key, None)

    def flag(self, key: str) -> bool:
        """Whether a bare word is there."""
        if key in self._left and self._left[key] == "":
            del self._left[key]
            return True
        return False

    def positive(self, key: str, default: float) -> float:
        """A positive number."""
        text = self._left.pop(key, None)
        try:
            value = default if text is None else float(text)
        except ValueError:
            value = -1.0
        if not 0 < value < float("inf"):
            raise UsageError(f"metric {self._spec}: {key}={text} is not a positive number")
        return value

    def has(self, key: str) -> bool:
        """Whether an argument of that name is still there."""
        return key in self._left

    def thresholds(self, default: str) -> tuple[str, tuple[float, ...]]:
        """A bare start:stop:step, spelled canonically, and its values."""
        text = self._left.pop("", default)
        values = threshold_range(text)
        return ":".join(number(float(part)) for part in text.split(":")), values

    def done(self) -> None:
        """Refuse what nobody asked for."""
        if self._at is not None:
            raise UsageError(f"metric {self._spec}: {self._family.name} takes no threshold after @")
        if self._left:
            unknown = ", ".join(key or value for key, value in self._left.items())
            takes = self._family.arguments or "no arguments"
            raise UsageError(f"metric {self._spec}: {unknown!r} is not understood; {self._family.name} takes {takes}")


def spelling(name: str, at: float | None = None, *arguments: str) -> str:
    """Canonical spelling from its parts; empty arguments fall away."""
    inside = ",".join(argument for argument in arguments if argument)
    return name + ("" if at is None else f"@{number(at)}") + (f"({inside})" if inside else "")
