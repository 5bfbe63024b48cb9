"""Putting a table together: published entries and regenerated results, line by line, with what each number is worth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from posebench.errors import InputError, PosebenchError, UsageError
from posebench.metrics import resolve
from posebench.protocols import get_protocol
from posebench.published import PublishedResult, published_result
from posebench.report.content import clean
from posebench.tables.definitions import Definition, Line, On, definition, recipes
from posebench.tables.marks import (
    against_entry,
    against_terms,
    as_entry,
    column_of,
    compares,
    entry_remarks,
    remarks_of,
    shipped_protocol,
    spelling_remarks,
    terms_of,
    with_best,
)
from posebench.tables.model import Checked, Missing, Number, PaperTable, Row
from posebench.tables.results import Results, Scored, gt_hash, open_results, selection_applied

#: What a table is made on unless another data set is named.
DATA = "open4v"


def build_table(number: int, *, data: str = DATA, results: Path | str | None = None) -> PaperTable:
    """One of the paper's tables, with the rows that there are results for.

    Parameters
    ----------
    number : {1, 2, 3, 4}
    data : str
        The data set of the regenerated rows: ``"open4v"``, ``"h36m"`` or ``"3dhp"``, as far as the table has it.
    results : path, optional
        Folder of results (docs/tables.md); those that come with posebench if None.

    Raises
    ------
    UsageError
        If there is no such table or folder, or if the table is not made on that data set.
    InputError
        If a result is damaged, or not what its name says.

    Examples
    --------
    >>> table = build_table(4)
    >>> table.columns
    ('PCK@150', 'NPCK@150', 'PSS@50', 'PSS@100')
    """
    wanted = definition(number)
    if data not in wanted.data:
        raise UsageError(f"table {number} is not made on {data!r}; it is made on {', '.join(wanted.data)}")
    on = wanted.data[data]
    held = open_results(None if results is None else Path(results))
    lines = [(line, _scored(line, data, on, held)) for line in wanted.lines]
    reference = next((of for _, runs in lines for of in runs if of.report.protocol["name"] == on.protocol), None)
    rows: list[Row] = []
    entries: dict[tuple[int, str], PublishedResult] = {}
    for k, (line, runs) in enumerate(lines):
        rows += _published(line, wanted, runs, on, reference, k)
        for scored in runs:
            row = _regenerated(scored, line, wanted, on, reference, k)
            for column, cell in row.numbers.items():
                if cell.value is not None:
                    entries[len(rows), column] = as_entry(scored, cell.metric, cell.value)
            rows.append(row)
    marked = with_best(rows, wanted.columns, entries)
    return PaperTable(
        number,
        wanted.title,
        data,
        wanted.columns,
        {column: _facts(column) for column in wanted.columns},
        tuple(marked),
        tuple(_missing(wanted, data, on, held)),
        () if reference is None else _terms(reference),
        (*wanted.notes, *([] if reference is not None else [f"no result of {on.protocol} is there yet"])),
        tuple(_checked(marked, entries)),
        str(held.folder),
    )


def _scored(line: Line, data: str, on: On, held: Results) -> list[Scored]:
    """The runs of a line that there are results of."""
    found = []
    for pattern in line.runs.get(data, ()):
        for name in held.names(pattern):
            under = (held.run(name, protocol) for protocol in line.protocols or (on.protocol,))
            first = next((scored for scored in under if scored is not None), None)
            if first is not None and first not in found:
                found.append(first)
    return found


def _published(
    line: Line, wanted: Definition, runs: Sequence[Scored], on: On, reference: Scored | None, k: int
) -> Iterator[Row]:
    """The published row of a line, if it has one."""
    if not line.published:
        return
    entries = [published_result(id) for id in line.published]
    numbers = {}
    for entry in entries:
        column = column_of(entry.metric, wanted.columns)
        if column is None or column in numbers:
            raise UsageError(f"table {wanted.number} has no column, or two numbers, for {entry.id}")
        spelled, other = _counterpart([*runs, *([] if reference is None else [reference])], column)
        if other is None:
            reasons = against_entry(entry, get_protocol(on.protocol))
        else:
            regenerated = as_entry(other, spelled, other.report.metrics[spelled].value)
            reasons = against_entry(entry, regenerated, same_training=other in runs)
        numbers[column] = Number(
            entry.metric, entry.value, entry.unit, _facts(column)[1], reasons=reasons,
            remarks=(*spelling_remarks(entry.metric, column, reasons), *entry_remarks(entry)), entry=entry,
        )  # fmt: skip
    first = entries[0]
    variant = "" if first.variant == "unknown" else f", {first.variant}"
    yield Row(
        line.label or f"{first.method}{variant}", "published",
        first.dataset or "unknown", {column: numbers[column] for column in wanted.columns if column in numbers}, line=k,
    )  # fmt: skip


def _counterpart(runs: Sequence[Scored], column: str) -> tuple[str, Scored | None]:
    for scored in runs:
        spelled = _spelled(scored, column)
        if spelled is not None:
            return spelled, scored
    return "", None


def _regenerated(scored: Scored, line: Line, wanted: Definition, on: On, reference: Scored | None, k: int) -> Row:
    """The row of a run."""
    numbers = {}
    protocol = scored.report.protocol["name"]
    expected = on.protocol if not line.protocols else protocol
    for column in wanted.columns:
        spelled = _spelled(scored, column)
        if spelled is None:
            continue
        reasons = against_terms(scored, spelled, on, reference, protocol)
        if expected != on.protocol:
            reasons = (*reasons, f"other pictures: {scored.recipe.data}")
        numbers[column] = _number(scored, spelled, reasons, spelling_remarks(spelled, column))
    recipe = scored.recipe
    seeds = f" (mean of {len(scored.reports)} seeds)" if len(scored.reports) > 1 else ""
    return Row(
        f"{recipe.name}{seeds}", "regenerated", _data(scored), numbers, recipe, str(protocol), scored.origins, k,
    )  # fmt: skip


def _data(scored: Scored) -> str:
    """The short name of the data set that a protocol selected from, or what the run says."""
    protocol = shipped_protocol(scored.report)
    chosen = None if protocol is None or not selection_applied(scored.report) else protocol.selection
    return scored.recipe.data if chosen is None else chosen.dataset


def _spelled(scored: Scored, column: str) -> str | None:
    """How a result spells the metric of a column: as the column does, or else the only variant of it."""
    if column in scored.report.metrics:
        return column
    found = []
    for name in scored.report.metrics:
        try:
            if column_of(name, (column,)) is not None and resolve(name).key == name:
                found.append(name)
        except PosebenchError:  # a name that is no metric
            continue
    return found[0] if len(found) == 1 else None


def _number(scored: Scored, metric: str, reasons: tuple[str, ...], remarks: tuple[str, ...]) -> Number:
    """A run's number: the mean of its seeds, their standard deviation, and the mean of their intervals."""
    of = [report.metrics[metric] for report in scored.reports]
    unit, higher = _facts(metric)
    for origin, each in zip(scored.origins, of, strict=True):
        if (each.unit, each.higher_is_better) != (unit, higher):
            raise InputError(
                f"{origin.path}: {metric} is in {clean(each.unit)}, expected {unit}; it is no result of posebench score"
            )
    values = [each.value for each in of if each.value is not None]
    complete = len(values) == len(of)
    value = sum(values) / len(values) if complete else None
    ends = [each.ci95 for each in of if each.ci95 is not None]
    return Number(
        metric,
        value,
        unit,
        higher,
        tuple(values) if complete else (),
        _deviation(values) if complete and len(values) > 1 else None,
        (sum(low for low, _ in ends) / len(ends), sum(high for _, high in ends) / len(ends))
        if complete and len(ends) == len(of)
        else None,
        reasons if complete else (),
        (*remarks, *remarks_of(scored, metric)) if complete else ("nothing was scored",),
        terms=terms_of(scored, metric) if complete else None,
    )


def _deviation(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _missing(wanted: Definition, data: str, on: On, held: Results) -> Iterator[Missing]:
    """The runs that are asked for and have no result, or not of every seed: of each line the first without `*`."""
    for line in wanted.lines:
        names = [name for name in line.runs.get(data, ()) if "*" not in name]
        if not names:
            continue
        found = _scored(line, data, on, held)
        recipe = recipes().get(names[0])
        mine = next((scored for scored in found if scored.recipe.name == names[0]), None)
        if mine is not None and recipe is not None:
            there = {origin.seed for origin in mine.origins}
            recipe = replace(recipe, seeds=tuple(seed for seed in recipe.seeds if seed not in there))
        if found and (mine is None or recipe is None or not recipe.seeds):
            continue
        protocol = line.protocols[0] if line.protocols else on.protocol
        yield Missing(names[0], protocol, "" if recipe is None else recipe.description, recipe, partly=bool(found))


def _checked(rows: Sequence[Row], entries: dict[tuple[int, str], PublishedResult]) -> Iterator[Checked]:
    """Every regenerated number beside the published one of its line that it compares with."""
    for (k, column), regenerated in entries.items():
        row = rows[k]
        mine = row.numbers[column]
        for other in rows:
            printed = other.numbers.get(column)
            if other.kind != "published" or other.line != row.line or printed is None or printed.entry is None:
                continue
            if compares(printed.entry, mine, regenerated):
                assert printed.value is not None and mine.value is not None
                yield Checked(printed.entry.id, regenerated.id, mine.metric, printed.value, mine.value)


def _terms(reference: Scored) -> tuple[str, ...]:
    """What regenerated numbers that compare have in common."""
    report = reference.report
    protocol = report.protocol
    digest = gt_hash(report)
    named = [(f"protocol {protocol['name']}, version {protocol['version']}", str(protocol["sha256"]))]
    named += [("ground truth", digest or "unknown")]
    named += [(f"bank {bank['name']}, k = {bank['k']}", str(bank["sha256"])) for bank in report.banks]
    return tuple(f"{clean(what)}, sha256 {clean(sha256)}" for what, sha256 in named)


def _facts(metric: str) -> tuple[str, bool]:
    found = resolve(metric)
    return found.unit or found.family.unit, found.family.higher_is_better


__all__ = ["DATA", "build_table"]
