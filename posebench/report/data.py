"""A report for programs: the result JSON, and a tidy CSV with one number per line; full precision in both.

Both are plain text that is safe to print and to open: the JSON is ASCII, the CSV spells out control characters and
keeps spreadsheets from reading a name as a formula.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from posebench.errors import InputError
from posebench.report.content import clean, facts, finite, footnotes, notes
from posebench.report.model import MetricValue, Report

if TYPE_CHECKING:
    import pandas as pd

Field = str | float | bool | None
Record = list[Field]

CSV_COLUMNS = (
    "group",
    "key",
    "metric",
    "value",
    "unit",
    "higher_is_better",
    "n",
    "ci95_low",
    "ci95_high",
    "incomplete",
)
#: What a spreadsheet may take for the start of a formula, full-width forms included.
_FORMULA = "=+\\-@\uff1d\uff0b\uff0d\uff20"


def json_text(report: Report, by: Sequence[str] = ()) -> str:
    """`Report.to_dict()`, whatever groups are asked for.

    Metrics and members keep their order, which means something (the protocol's metrics, the skeleton's joints); groups
    are sorted, since they stand in the order in which somebody asked for them.
    """
    data = report.to_dict()
    data["by"] = dict(sorted(data["by"].items()))
    try:
        return json.dumps(data, indent=2, allow_nan=False) + "\n"
    except ValueError as error:
        raise InputError(f"the report cannot be written as JSON: {error}") from None


def csv_text(report: Report, by: Sequence[str] = ()) -> str:
    r"""One line per number; the totals are the group "all", with an empty key.

    Lines before the header start with `#` and say coverage, protocol, banks, notes and marks. No other line starts so
    and every record is one line: skip them with ``pandas.read_csv(path, comment="#")``. A name that starts like a
    formula (= + - @, tab, line end) gets a leading apostrophe, control characters are spelled out (`\x1b`); the JSON
    has the names as they are. Members of a group have neither n nor interval, and count as incomplete where the total
    does.
    """
    return table_text(comments(report), CSV_COLUMNS, map(safe_record, records(report, by)))


def comments(report: Report) -> list[str]:
    """What a table of numbers cannot say: coverage, protocol, banks, notes and marks."""
    return [
        *facts(report, hash_digits=None),
        *(f"note: {note}" for note in notes(report)),
        *(f"{', '.join(footnote.metrics)}: {footnote.text}" for footnote in footnotes(report)),
    ]


def frame(report: Report, by: Sequence[str]) -> pd.DataFrame:
    """The records as a table of pandas, with names as they are; bytes in them that are no text are spelled out."""
    import pandas as pd

    rows = [[_text(field) if isinstance(field, str) else field for field in record] for record in records(report, by)]
    table = pd.DataFrame(rows, columns=list(CSV_COLUMNS))
    kinds = {"value": "float64", "n": "Int64", "ci95_low": "float64", "ci95_high": "float64"}
    return table.astype({**kinds, "higher_is_better": "bool", "incomplete": "bool"})


def records(report: Report, by: Sequence[str] = ()) -> Iterator[Record]:
    """One record of `CSV_COLUMNS` per number, with names as they are; `safe_record` is for files."""
    for metric in report.metrics.values():
        yield _record("all", "", metric, metric.value, metric.n, metric.ci95)
    for group in by:
        for key, values in report.by(group).items():
            for metric in report.metrics.values():
                if metric.name in values:
                    yield _record(group, key, metric, values[metric.name])
    yield from _explained(report, by)


def _explained(report: Report, by: Sequence[str]) -> Iterator[Record]:
    """The share of each fault, as a metric of its own: `MPJPE(fault=scale)`."""
    from posebench.report.explaining import explanation_records

    found = report.explanation
    if found is None:
        return
    metric = report.metrics.get(found.error)
    incomplete = metric is not None and metric.incomplete
    for group in ("all", *by):
        n = found.frames if group == "all" else None
        for key, fault, mm in explanation_records(found, group):
            share = MetricValue(f"{found.error}(fault={fault})", mm, "mm", False, found.frames, None, incomplete)
            yield _record(group, key, share, mm, n)


def table_text(lines: Iterable[str], columns: Sequence[str], rows: Iterable[Sequence[Field]]) -> str:
    """Comments, header and rows as CSV."""
    out = io.StringIO()
    for line in lines:
        out.write(f"# {_comment(line)}\n")
    csv.writer(out, lineterminator="\n").writerow(columns)
    # What is no number stands in quotes, where a # starts no comment.
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
    return out.getvalue()


def _record(
    group: str,
    key: str,
    metric: MetricValue,
    value: float | None,
    n: int | None = None,
    ci95: tuple[float, float] | None = None,
) -> Record:
    low, high = ci95 or (None, None)
    return [
        group,
        key,
        metric.name,
        finite(value, metric.name),
        metric.unit,
        metric.higher_is_better,
        n,
        finite(low, metric.name),
        finite(high, metric.name),
        metric.incomplete,
    ]


def _text(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def safe_record(record: Iterable[Field]) -> Record:
    """A record whose texts are those of `safe_name`."""
    return [safe_name(field) if isinstance(field, str) else field for field in record]


def safe_name(name: str) -> str:
    """A name that no spreadsheet computes and no terminal obeys."""
    return ("'" if re.match(rf"\s*[{_FORMULA}]|[\t\r\n]", name) else "") + clean(name, None)


def _comment(line: str) -> str:
    """A comment that stays text when a spreadsheet cuts it into cells."""
    return re.sub(rf"([,;]\s*)(?=[{_FORMULA}])", r"\1'", line.replace('"', "'"))
