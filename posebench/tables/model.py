"""What a table of the paper is, as data: rows of numbers, each with its source and with what speaks against it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from posebench import __version__
from posebench.published import PublishedResult

SCHEMA = "posebench.table/1"

Kind = Literal["published", "regenerated"]


@dataclass(frozen=True)
class Origin:
    """The file that a regenerated number was read from."""

    path: str
    sha256: str
    seed: int


@dataclass(frozen=True)
class Recipe:
    """A run: what it is, what its training took, and the commands that make it. The layout of `run.yaml`."""

    name: str
    description: str
    #: What it is measured on, in words.
    data: str
    #: Words of docs/published.md; None for unknown.
    supervision: tuple[str, ...] | None
    #: One per step; {open4v} and the like stand for the user's paths, {seed} for each seed in turn.
    commands: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    config: str | None = None
    source_2d: str | None = None
    gt_root_depth: bool | None = None
    gt_intrinsics: bool | None = None
    epoch_by_test_gt: bool | None = None
    #: What a reader of the table must know besides.
    note: str = ""
    #: One command that does all of `commands`, where there is one.
    command: str = ""
    #: Where the depths of the roots came from, in words.
    root_depth: str = ""

    @property
    def helped(self) -> tuple[bool | None, bool | None, bool | None]:
        """Whether ground truth helped: by its root depth, its intrinsics, and in choosing the epoch."""
        return self.gt_root_depth, self.gt_intrinsics, self.epoch_by_test_gt


@dataclass(frozen=True)
class Number:
    """One number of a table."""

    #: As it was measured: `NMPJPE(scale=procrustes)` in a column NMPJPE.
    metric: str
    #: Mean over the seeds; None where there is none.
    value: float | None
    unit: str
    higher_is_better: bool
    #: What each seed gave; empty for a published number.
    seeds: tuple[float, ...] = ()
    #: Standard deviation over the seeds; None for fewer than two.
    seed_sd: float | None = None
    #: 95 % interval over sequences: the means of the ends that the results of the seeds give.
    ci95: tuple[float, float] | None = None
    #: Why it does not compare with the table's regenerated numbers; a sentence each.
    reasons: tuple[str, ...] = ()
    #: What else a reader must know.
    remarks: tuple[str, ...] = ()
    #: Whether a number compares with this one, and none that does is better.
    best: bool = False
    #: Published: the entry.
    entry: PublishedResult | None = None
    #: Regenerated: what has to be equal for two numbers to compare; None for one that compares with nothing.
    terms: tuple[object, ...] | None = None

    @property
    def status(self) -> str:
        """`regenerated`, or the status of the entry."""
        return "regenerated" if self.entry is None else self.entry.status


@dataclass(frozen=True)
class Row:
    """One row: of what, and its numbers by column."""

    label: str
    kind: Kind
    #: The data set.
    data: str
    numbers: dict[str, Number]
    recipe: Recipe | None = None
    protocol: str | None = None
    origins: tuple[Origin, ...] = ()
    #: Rows of one line are of the same training, as far as its definition says so.
    line: int = 0


@dataclass(frozen=True)
class Missing:
    """A run that the table wants and the results do not hold, or not all of its seeds."""

    name: str
    protocol: str
    description: str
    #: How it is made, for the seeds that are missing; None where nobody has written it down.
    recipe: Recipe | None
    #: Whether some seeds are there.
    partly: bool = False


@dataclass(frozen=True)
class Checked:
    """A regenerated number held against the published one that it compares with."""

    id: str
    run: str
    metric: str
    published: float
    regenerated: float

    @property
    def difference(self) -> float:
        """Regenerated minus published."""
        return self.regenerated - self.published


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper, on one data set."""

    number: int
    title: str
    data: str
    columns: tuple[str, ...]
    #: Column -> unit and whether more is better.
    units: dict[str, tuple[str, bool]]
    rows: tuple[Row, ...]
    missing: tuple[Missing, ...]
    #: Protocol, ground truth and banks of the regenerated numbers that compare with one another.
    terms: tuple[str, ...]
    notes: tuple[str, ...]
    checked: tuple[Checked, ...]
    results: str

    def numbers(self) -> Iterator[tuple[Row, str, Number]]:
        """All numbers, row by row."""
        for row in self.rows:
            for column, number in row.numbers.items():
                yield row, column, number

    def with_rows(self, rows: tuple[Row, ...]) -> PaperTable:
        """The same with other rows."""
        return replace(self, rows=rows)

    def to_dict(self) -> dict[str, Any]:
        """The table as plain data, in the layout of `posebench.table/1`."""
        return {
            "schema": SCHEMA,
            "table": self.number,
            "title": self.title,
            "data": self.data,
            "columns": list(self.columns),
            "rows": [_row(row) for row in self.rows],
            "missing": [
                {
                    "run": each.name,
                    "protocol": each.protocol,
                    "description": each.description,
                    "seeds": [] if each.recipe is None else list(each.recipe.seeds),
                    "commands": [] if each.recipe is None else list(each.recipe.commands),
                }
                for each in self.missing
            ],
            "checked": [
                {
                    "published": each.id,
                    "run": each.run,
                    "metric": each.metric,
                    "published_value": each.published,
                    "regenerated_value": each.regenerated,
                }
                for each in self.checked
            ],
            "terms": list(self.terms),
            "notes": list(self.notes),
            "environment": {"posebench": __version__},
        }


def _row(row: Row) -> dict[str, Any]:
    recipe = row.recipe
    return {
        "label": row.label,
        "kind": row.kind,
        "data": row.data,
        "run": None if recipe is None else recipe.name,
        "description": None if recipe is None else recipe.description,
        "commands": [] if recipe is None else list(recipe.commands),
        "protocol": row.protocol,
        "results": [{"path": of.path, "sha256": of.sha256, "seed": of.seed} for of in row.origins],
        "numbers": {column: _number(number) for column, number in row.numbers.items()},
    }


def _number(number: Number) -> dict[str, Any]:
    return {
        "metric": number.metric,
        "value": number.value,
        "unit": number.unit,
        "higher_is_better": number.higher_is_better,
        "ci95": None if number.ci95 is None else list(number.ci95),
        "seeds": list(number.seeds),
        "seed_sd": number.seed_sd,
        "status": number.status,
        "best": number.best,
        "does_not_compare": list(number.reasons),
        "remarks": list(number.remarks),
        "published": None if number.entry is None else number.entry.id,
        "sources": [] if number.entry is None else [str(source) for source in number.entry.sources],
    }


__all__ = ["SCHEMA", "Checked", "Kind", "Missing", "Number", "Origin", "PaperTable", "Recipe", "Row"]
