"""An explanation: how much of an error each fault has put there, in total and per group, as plain data.

Shares are pooled as the error itself is, so they add up to it in the whole and in every group.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError, UsageError
from posebench.taxonomy.state import MOVES, ORDER, Floats, TaxonomyState

SCHEMA = "posebench.explanation/1"

#: What each fault is, in a few words.
MEANINGS = {
    "swap": "left and right exchanged",
    "outliers": "single joints torn off",
    "jitter": "from frame to frame",
    "rotation": "the whole pose turned",
    "scale": "the whole pose too large or small",
    "root": "the whole pose off its root",
    "depth": "limbs, along the viewing axis",
    "limbs": "limbs, in the picture plane",
}
#: Faults of which a part may be jitter.
STEADY = (*MOVES, "depth", "limbs")


@dataclass(frozen=True)
class Fault:
    """What one fault costs.

    `mm` is its share of the error, `percent` the same of the whole, `squared` its share of the mean squared error in
    percent, `left` the error (mm) when this fault and those before it are taken away. None where it is not told apart.
    """

    mm: float | None
    percent: float | None
    squared: float | None
    left: float | None


@dataclass
class Explanation:
    """How an error splits into faults: `faults` add up to `value`, `by("action")` does so per action.

    Examples
    --------
    >>> import posebench as pb
    >>> rng = np.random.default_rng(0)
    >>> gt = rng.normal(size=(4, 17, 3)) * 300
    >>> explained = pb.explain(1.1 * gt, gt)
    >>> explained.error, round(explained.faults["scale"].percent, 6)
    ('MPJPE', 100.0)
    """

    #: The metric that is explained.
    error: str
    #: Its value in mm; None where nothing could be scored.
    value: float | None
    #: Mean squared distance, in mm².
    squared: float | None
    #: Frames that were scored, and those of them with three or more consecutive frames about them.
    frames: int
    consecutive: int
    #: Most frames of the window that jitter is told apart with; None where frames have no order in time.
    window: int | None
    faults: dict[str, Fault]
    #: {what: {"depth", "plane", "steady", "jitter", "sum"}}, mm, jitter included: each share along the viewing axis and
    #: across it, and what of it is steady in time; once for the faults (`limbs` with their depth), once for each limb.
    parts: dict[str, dict[str, float | None]]
    limbs: dict[str, dict[str, float | None]]
    #: Frames whose sides were exchanged, by part, and "any"; torn joints by name, and the "frames" that have any.
    swapped: dict[str, int]
    torn: dict[str, int]
    notes: list[str] = field(default_factory=list)
    #: {group: {key: {fault: mm}}}.
    groups: dict[str, dict[str, dict[str, float | None]]] = field(default_factory=dict)
    _grouper: Callable[[str], dict[str, dict[str, float | None]]] | None = field(
        default=None, repr=False, compare=False
    )

    def by(self, group: str) -> dict[str, dict[str, float | None]]:
        """Shares in mm per member of a group, and their sum under the error's name.

        Parameters
        ----------
        group : {"action", "subject", "sequence", "camera"}

        Raises
        ------
        UsageError
            If the ground truth has no such key.
        """
        if group not in self.groups:
            found = self._grouper(group) if self._grouper is not None else {}
            if not found:
                has = ", ".join(self.groups) or "nothing else"
                raise UsageError(f"cannot explain by {group!r}: the explanation has {has}")
            self.groups[group] = found
        return self.groups[group]

    def to_dict(self) -> dict[str, Any]:
        """As plain data, in the layout of `posebench.explanation/1`."""
        return {
            "schema": SCHEMA,
            "error": self.error,
            "value": self.value,
            "squared": self.squared,
            "frames": self.frames,
            "consecutive": self.consecutive,
            "window": self.window,
            "faults": {
                name: {"mm": f.mm, "percent": f.percent, "squared_percent": f.squared, "left": f.left}
                for name, f in self.faults.items()
            },
            "parts": self.parts,
            "limbs": self.limbs,
            "swapped": self.swapped,
            "torn": self.torn,
            "by": dict(sorted(self.groups.items())),
            "notes": self.notes,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], source: str = "explanation") -> Explanation:
        """Read back what `to_dict` gave.

        Raises
        ------
        InputError
            If it is not an explanation of this schema.
        """
        if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
            found = data.get("schema") if isinstance(data, Mapping) else type(data).__name__
            raise InputError(f"{source}: the explanation has the schema {found!r}, expected {SCHEMA!r}")
        try:
            return cls(
                str(data["error"]),
                _number(data["value"]),
                _number(data["squared"]),
                _count(data["frames"]),
                _count(data["consecutive"]),
                None if data["window"] is None else _count(data["window"]),
                {
                    str(name): Fault(*(_number(f[key]) for key in ("mm", "percent", "squared_percent", "left")))
                    for name, f in data["faults"].items()
                },
                _table(data["parts"]),
                _table(data["limbs"]),
                {str(name): _count(n) for name, n in data["swapped"].items()},
                {str(name): _count(n) for name, n in data["torn"].items()},
                [str(note) for note in data["notes"]],
                {str(group): _table(members) for group, members in data["by"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{source}: the explanation is damaged: {error!r}") from None

    def __str__(self) -> str:
        from posebench.report.explaining import explanation_text

        return explanation_text(self)


#: Takes pooled columns (Q,) of a choice of cells, None for all; None where nothing was scored.
Pool = Callable[[npt.NDArray[np.int64] | None], Floats | None]


def explanation_of(
    state: TaxonomyState, pool: Pool, *, error: str, notes: list[str], groups: Mapping[str, Mapping[str, list[int]]]
) -> Explanation:
    """The explanation of finished sums; `groups` gives the cells of each group's members."""
    columns, limbs = state.columns, state.layout.limbs
    timed = state.reach > 0
    pooled = pool(None)
    parts, block = columns.parts, columns.block

    moves = len(MOVES)

    def split(values: Floats) -> tuple[Floats, Floats, Floats]:
        """Shares along the viewing axis and across: of swap and outliers, of the rest, of the rest without jitter."""
        pairs = values[:parts].reshape(-1, 2)
        return pairs[:2], pairs[2 : 2 + block // 2], pairs[2 + block // 2 :]

    def mm(values: Floats | None) -> dict[str, float | None]:
        """Shares of the faults in order; what is not told apart is None."""
        if values is None:
            return dict.fromkeys(ORDER)
        events, both, steady = split(values)
        found: dict[str, float | None] = {
            "swap": float(events[0].sum()),
            "outliers": float(events[1].sum()),
            "jitter": float(both.sum() - steady.sum()) if timed else None,
            **{name: float(steady[m].sum()) for m, name in enumerate(MOVES)},
            "depth": float(steady[moves:, 0].sum()) if state.deep else None,
            "limbs": float(steady[moves:, 1].sum()),
        }
        return {name: found[name] for name in ORDER}

    value = None if pooled is None else float(pooled[columns.left])
    squared = None if pooled is None else float(pooled[columns.width - 1])
    shares = mm(pooled)
    squares = mm(None if pooled is None else pooled[parts:])
    left: list[float | None] = [None] * len(ORDER)
    if pooled is not None:
        left = [*map(float, pooled[columns.left + 1 : columns.left + len(ORDER)]), 0.0]

    def percent(part: float | None, whole: float | None) -> float | None:
        return None if part is None or not whole else 100 * part / whole

    faults = {
        name: Fault(
            shares[name],
            percent(shares[name], value),
            percent(squares[name], squared),
            None if shares[name] is None else left[n],
        )
        for n, name in enumerate(ORDER)
    }
    of_faults: dict[str, dict[str, float | None]] = {}
    of_limbs: dict[str, dict[str, float | None]] = {}
    if pooled is not None:

        def row(both: Floats, steady: Floats) -> dict[str, float | None]:
            kept = float(steady.sum()) if timed else None
            whole = float(both.sum())
            return {
                "depth": float(both[..., 0].sum()) if state.deep else None,
                "plane": float(both[..., 1].sum()) if state.deep else None,
                "steady": kept,
                "jitter": None if kept is None else whole - kept,
                "sum": whole,
            }

        events, both, steady = split(pooled)
        # Events are counted as they stand: nothing of them is jitter.
        of_faults = {name: row(events[n], events[n]) for n, name in enumerate(ORDER[:2])}
        of_faults |= {name: row(both[m], steady[m]) for m, name in enumerate(MOVES)}
        of_faults["limbs"] = row(both[moves:], steady[moves:])
        of_limbs = {limb: row(both[moves + n], steady[moves + n]) for n, limb in enumerate(limbs)}

    def grouped(group: str) -> dict[str, dict[str, float | None]]:
        result = {}
        for key, cells in groups.get(group, {}).items():
            found = pool(np.array(cells))
            result[key] = {error: None if found is None else float(found[columns.left]), **mm(found)}
        return result

    return Explanation(
        error,
        value,
        squared,
        int(state.counts[:, 0].sum()),
        int(state.poses[2]),
        2 * state.reach + 1 if timed else None,
        faults,
        of_faults,
        of_limbs,
        {"any": int(state.poses[0])} | dict(zip(state.layout.swaps, state.swapped.tolist(), strict=True)),
        {"frames": int(state.poses[1])}
        | {joint: n for joint, n in zip(state.layout.joints, state.torn.tolist(), strict=True) if n},
        notes,
        {group: grouped(group) for group in groups},
    )


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"expected a finite number, found {value!r}")
    return float(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"expected a whole number, found {value!r}")
    return value


def _table(rows: Any) -> dict[str, dict[str, float | None]]:
    return {str(key): {str(name): _number(v) for name, v in values.items()} for key, values in rows.items()}


__all__ = ["MEANINGS", "SCHEMA", "STEADY", "Explanation", "Fault", "explanation_of"]
