"""A comparison as text: terminal, Markdown and LaTeX for people, JSON and CSV for programs.

How a format sets a table is the business of `posebench.report`; which tables a comparison has is decided here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from posebench.comparison.model import ActionDifference, Comparison, Interval, MetricComparison, PairDifference
from posebench.errors import InputError, UsageError
from posebench.report.content import (
    DOWN,
    NOTHING,
    SHORT_HASH,
    UP,
    Cell,
    Column,
    Content,
    Footnote,
    Table,
    clean,
    number,
)
from posebench.report.data import safe_name, table_text
from posebench.report.latex import latex_of
from posebench.report.markdown import markdown_of

CSV_COLUMNS = (
    "kind",
    "metric",
    "model",
    "against",
    "key",
    "value",
    "unit",
    "higher_is_better",
    "n",
    "ci95_low",
    "ci95_high",
    "seeds",
    "seed_sd",
    "p",
    "p_holm",
    "effect_size",
    "result",
)


def render_comparison(comparison: Comparison, kind: str) -> str:
    """A comparison as text of a kind: "txt", "json", "csv", "md", "tex" or "html", with a newline at its end.

    Raises
    ------
    UsageError
        If the kind is unknown.
    InputError
        If a number of the comparison is not finite.
    """
    if kind == "json":
        try:
            return json.dumps(comparison.to_dict(), indent=2, allow_nan=False) + "\n"
        except ValueError as error:
            raise InputError(f"the comparison cannot be written as JSON: {error}") from None
    if kind == "csv":
        return table_text(_comments(comparison), CSV_COLUMNS, _records(comparison))
    parts = content_of(comparison)
    if kind == "md":
        return markdown_of(parts)
    if kind == "tex":
        return latex_of(parts, _facts(comparison, None))
    if kind == "html":
        from posebench.html.page import html_of

        return html_of(parts, "Comparison of predictions")
    if kind != "txt":
        raise UsageError(f"there is no comparison format {kind!r}; known are txt, json, csv, md, tex, html")
    from posebench.report.terminal import plain_text_of

    return plain_text_of(parts)


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Write in the format of the file's ending; the file is there whole, or as it was before."""
    from posebench.io.atomic import atomic_write
    from posebench.report.render import kind_of

    data = render_comparison(comparison, kind_of(path)).encode("utf-8")
    with atomic_write(path) as file:
        file.write(data)


def print_comparison(comparison: Comparison) -> None:
    """Print to stdout: with colours and to the width of a terminal, else as plain text."""
    from posebench.report.terminal import show_content

    show_content(content_of(comparison))


def content_of(comparison: Comparison) -> Content:
    """What every format for people sets."""
    tables = [_values(comparison)]
    models = (model for metric in comparison.metrics.values() for model in metric.models.values())
    if any(model.ci95 is not None or model.seed_sd is not None for model in models):
        tables.append(_spread(comparison))
    names: dict[tuple[str, str], list[tuple[MetricComparison, PairDifference]]] = {}
    for metric, pair in comparison.pairs():
        names.setdefault((pair.a, pair.b), []).append((metric, pair))
    tables += [_differences(a, b, of) for (a, b), of in names.items()]
    left_out = (f"{clean(name)} is not compared: {clean(why, None)}" for name, why in comparison.not_compared.items())
    notes = (*(clean(note, None) for note in comparison.notes), *left_out)
    return Content(_facts(comparison, SHORT_HASH), tuple(tables), notes, _footnotes(comparison))


def _facts(comparison: Comparison, digits: int | None) -> tuple[str, ...]:
    """What is the same on all sides, and how it was tested; hashes cut to so many digits, or whole if None."""

    def hashed(of: object) -> str:
        return f"sha256 {clean(of)[:digits]}"

    protocol, test = comparison.protocol, comparison.test
    sequences = "" if comparison.sequences is None else f" in {_counted(comparison.sequences, 'sequence')}"
    method = "every pattern of signs" if test.exact else f"{test.patterns} random patterns of signs, seed {test.seed}"
    return (
        f"{len(comparison.models)} models on the same {_counted(comparison.frames, 'frame')}{sequences}",
        f"ground truth {clean(comparison.gt.get('path'))}, {hashed(comparison.gt.get('sha256'))}",
        f"protocol {clean(protocol.get('name'))}, version {clean(protocol.get('version'))}, "
        + hashed(protocol.get("sha256")),
        *(
            f"bank {clean(bank.get('name'))}, k = {clean(bank.get('k'))}, {hashed(bank.get('sha256'))}"
            for bank in comparison.banks
        ),
        *(
            []
            if test.exact is None
            else [f"p by randomisation over sequences, {method}; Holm's adjustment for {_counted(test.family, 'test')}"]
        ),
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _footnotes(comparison: Comparison) -> tuple[Footnote, ...]:
    names = tuple(comparison.metrics)
    found = []
    if comparison.test.exact is not None:
        level = f"{100 * comparison.test.alpha:g} %"
        text = f"models that share a letter do not differ significantly in this metric ({level}, p after Holm)"
        found += [
            Footnote("a, b, …", text, names),
            Footnote("d_z", "mean by standard deviation of the sequences' mean changes", names),
        ]
    if any(action.outcome for _, pair in comparison.pairs() for action in pair.actions.values()):
        text = "actions that the first of the two wins, ties, loses, of those with an interval: it holds 0 or does not"
        found.append(Footnote("w/t/l", text, names))
    return tuple(found)


def _values(comparison: Comparison) -> Table:
    """One row per model, one column per metric, with the letters."""
    rows = []
    for name, runs in comparison.models.items():
        cells = []
        for metric in comparison.metrics.values():
            model = metric.models[name]
            cells.append(
                Cell(number(model.value, metric.unit, metric.name), f" {model.letters}" if model.letters else "")
            )
        shown = clean(name) if len(runs) == 1 else f"{clean(name)} (mean of {len(runs)})"
        rows.append((Cell(shown), *cells))
    heads = (
        Column(clean(m.name), f"({clean(m.unit) or '1'}) {UP if m.higher_is_better else DOWN}")
        for m in comparison.metrics.values()
    )
    return Table((Column("model", right=False), *heads), tuple(rows))


def _spread(comparison: Comparison) -> Table:
    """Two kinds of spread side by side: over seeds, and over sequences. They are never added."""
    seeds = any(len(runs) > 1 for runs in comparison.models.values())
    columns = (
        Column("model", right=False),
        Column("metric", right=False),
        Column("value"),
        *([Column("s.d. over", "seeds"), Column("seeds")] if seeds else []),
        Column("95 % interval", "over sequences"),
    )
    rows = []
    for name in comparison.models:
        for metric in comparison.metrics.values():
            model = metric.models[name]
            of_seeds = (
                Cell(number(model.seed_sd, metric.unit, metric.name)),
                Cell(str(len(model.seeds))),
            )
            rows.append(
                (
                    Cell(clean(name)),
                    Cell(clean(metric.name)),
                    Cell(number(model.value, metric.unit, metric.name)),
                    *(of_seeds if seeds else ()),
                    Cell(_interval(model.ci95, metric)),
                )
            )
    return Table(columns, tuple(rows))


def _differences(a: str, b: str, rows: Sequence[tuple[MetricComparison, PairDifference]]) -> Table:
    """A pair: one row per metric."""
    actions = any(pair.actions for _, pair in rows)
    columns = (
        # LaTeX has no titles, so the head of the column says which pair it is.
        Column(f"{clean(b)} – {clean(a)}", right=False),
        Column("change"),
        Column("95 % interval"),
        Column("p"),
        Column("p (Holm)"),
        Column("d_z"),
        *([Column("w/t/l", "actions")] if actions else []),
    )
    return Table(
        columns,
        tuple(
            (
                Cell(f"{clean(metric.name)} {UP if metric.higher_is_better else DOWN}"),
                Cell(_signed(pair.difference, metric)),
                Cell(_interval(pair.ci95, metric)),
                Cell(_p(pair.p)),
                Cell(_p(pair.p_holm)),
                Cell(NOTHING if pair.effect_size is None else f"{pair.effect_size:+.2f}"),
                *([Cell(_outcomes(pair))] if actions else []),
            )
            for metric, pair in rows
        ),
    )


def _signed(value: float, metric: MetricComparison) -> str:
    text = number(value, metric.unit, metric.name)
    return f"+{text}" if value > 0 and text.strip("0.") else text


def _interval(ci95: Interval | None, metric: MetricComparison) -> str:
    ends = [number(end, metric.unit, metric.name) for end in ci95 or ()]
    return f"[{', '.join(ends)}]" if ends else NOTHING


def _p(p: float | None) -> str:
    """A p-value for reading; none is shown as 0."""
    if p is None:
        return NOTHING
    return f"{p:.4f}" if p >= 0.0001 else f"{p:.0e}"


def _outcomes(pair: PairDifference) -> str:
    """Wins, ties and losses; none where no action has an interval, and a word where some have not."""
    undecided = pair.count(None)
    if undecided == len(pair.actions):
        return NOTHING
    text = "/".join(str(pair.count(kind)) for kind in ("win", "tie", "loss"))
    return f"{text} of {len(pair.actions)}" if undecided else text


def _comments(comparison: Comparison) -> Iterator[str]:
    yield from _facts(comparison, None)
    for name, runs in comparison.models.items():
        for run in runs:
            yield f"model {clean(name)}: {clean(run['path'], None)}, sha256 {clean(run['sha256'])}"
    for note in comparison.notes:
        yield f"note: {clean(note, None)}"
    for name, why in comparison.not_compared.items():
        yield f"{clean(name)} is not compared: {clean(why, None)}"


def _records(comparison: Comparison) -> Iterator[list[str | float | bool | None]]:
    """One record of `CSV_COLUMNS` per model, pair, and pair's action."""
    for metric in comparison.metrics.values():
        for name, model in metric.models.items():
            yield _record(
                "model", metric, name, "", "", model.value, model.ci95,
                (len(model.seeds), model.seed_sd, None, None, None, model.letters),
            )  # fmt: skip
        for pair in metric.pairs:
            tested = (None, None, pair.p, pair.p_holm, pair.effect_size, None)
            yield _record("difference", metric, pair.b, pair.a, "", pair.difference, pair.ci95, tested)
            for key, action in pair.actions.items():
                yield _of_action(metric, pair, key, action)


def _of_action(
    metric: MetricComparison, pair: PairDifference, key: str, action: ActionDifference
) -> list[str | float | bool | None]:
    rest = (None, None, None, None, None, action.outcome)
    return _record("action", metric, pair.b, pair.a, key, action.difference, action.ci95, rest)


def _record(
    kind: str,
    metric: MetricComparison,
    model: str,
    against: str,
    key: str,
    value: float,
    ci95: Interval | None,
    rest: Sequence[str | float | None],
) -> list[str | float | bool | None]:
    n = metric.n if kind != "action" else None
    names = [kind, *(safe_name(text) for text in (metric.name, model, against, key))]
    return [*names, value, safe_name(metric.unit), metric.higher_is_better, n, *(ci95 or (None, None)), *rest]


__all__ = ["CSV_COLUMNS", "content_of", "print_comparison", "render_comparison", "write_comparison"]
