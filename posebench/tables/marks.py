"""What speaks against putting two numbers of a table side by side, and which number is the best of those that compare.

Published numbers are judged by `reasons_not_comparable`, as everywhere; a regenerated one is made an entry for that.
Between regenerated numbers everything that their results record has to be equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from posebench.metrics import MetricSpec, resolve
from posebench.metrics.registry import Needs
from posebench.protocols import Protocol, get_protocol, protocol_names
from posebench.protocols.selection import dataset_name
from posebench.published import PublishedResult, reasons_not_comparable
from posebench.published.model import UNKNOWN
from posebench.report import Report
from posebench.tables.definitions import On
from posebench.tables.model import Number, Row
from posebench.tables.results import Scored, bank_hashes, gt_hash, selection_applied

_HELP = (
    "the ground truth's root depth lifts the prediction",
    "the ground truth's intrinsics lift the prediction",
    "the epoch was chosen on ground truth of the test set",
)
#: Supervision by annotations in 3D; a number that had them does not compete with one that had none.
_ANNOTATED = {
    "full": "uses 3D",
    "subject-subset": "uses 3D of some subjects",
    UNKNOWN: "whether it uses 3D is unknown",
}
_GT_2D = "uses ground-truth 2D"
_UNKNOWN = " is unknown"
#: What help is called among others.
_SHORT = dict(zip(_HELP, ("root depth", "intrinsics", "choice of the epoch"), strict=True))
_DIFFERS = re.compile(rf"whether (?P<what>{'|'.join(map(re.escape, _SHORT))}) differs: (?P<print>yes|no) in print, .*")
_OF_FRAMES = ("the choice of subjects", "the stride of frames", "the pooling")


def column_of(metric: str, columns: Sequence[str]) -> str | None:
    """The column that a spelling stands in: that of its family, threshold and number of clusters.

    Examples
    --------
    >>> column_of("NMPJPE(scale=procrustes)", ["MPJPE", "NMPJPE"])
    'NMPJPE'
    >>> column_of("PCK@100", ["PCK@150"]) is None
    True
    """
    mine = MetricSpec.parse(metric)
    for column in columns:
        spec = MetricSpec.parse(column)
        if (spec.name, spec.at) == (mine.name, mine.at):
            return column
    return None


def uses(supervision: Sequence[str] | None, source_2d: str | None) -> tuple[str, ...]:
    """The annotations that a training took, as far as they forbid comparing with one that took none."""
    words = (UNKNOWN,) if supervision is None else supervision
    return tuple(text for word, text in _ANNOTATED.items() if word in words) + (
        (_GT_2D,) if source_2d == "ground-truth" else ()
    )


def as_entry(scored: Scored, metric: str, value: float | None) -> PublishedResult:
    """A regenerated number as an entry, so that one rule judges both kinds."""
    report, recipe = scored.report, scored.recipe
    shipped = shipped_protocol(report)
    applied = selection_applied(report)
    whole = shipped is not None and applied is not False
    chosen = shipped.selection if whole and shipped is not None else None
    return PublishedResult(
        id=recipe.name,
        method="posebench",
        variant=recipe.description,
        paper=None,
        sources=(),
        dataset=dataset_name(recipe.data) if chosen is None else chosen.dataset,
        metric=metric,
        metric_match="exact",
        printed_as=None,
        value=value,
        unit=resolve(metric).unit or resolve(metric).family.unit,
        status="verified",
        protocol=shipped.name if whole and shipped is not None else None,
        subjects=None if chosen is None else chosen.subjects,
        stride=None if chosen is None else chosen.stride,
        pooling=str(report.protocol.get("pooling")),
        source_2d=recipe.source_2d,  # type: ignore[arg-type]
        supervision=recipe.supervision,  # type: ignore[arg-type]
        scale_adjusted=not resolve(metric).needs & Needs.METRIC_SCALE,
        gt_root_depth=recipe.gt_root_depth,
        gt_intrinsics=recipe.gt_intrinsics,
        epoch_by_test_gt=recipe.epoch_by_test_gt,
    )


def shipped_protocol(report: Report) -> Protocol | None:
    """The protocol of that name that comes with posebench, if the result was scored under that very one."""
    name = report.protocol["name"]
    if name not in protocol_names():
        return None
    protocol = get_protocol(name)
    return protocol if protocol.sha256 == report.protocol["sha256"] else None


def against_terms(scored: Scored, metric: str, on: On, reference: Scored | None, protocol: str) -> tuple[str, ...]:
    """Why a regenerated number does not compare with the table's: those scored as `on` says, on one ground truth.

    Parameters
    ----------
    scored : Scored
    metric : str
    on : On
    reference : Scored or None
        The run whose ground truth and help the others are held against.
    protocol : str
        The one that it is expected to be scored under.
    """
    report = scored.report
    found = [f"protocol {report.protocol['name']}, not {on.protocol}"] if protocol != on.protocol else []
    if shipped_protocol(report) is None:
        now = f"version {get_protocol(protocol).version}" if protocol in protocol_names() else "none"
        found.append(
            f"scored under protocol {protocol} version {report.protocol['version']}, "
            f"sha256 {report.protocol['sha256'][:12]}; the one that ships now is {now} and differs"
        )
    if selection_applied(report) is not (on.selection if selection_applied(report) is not None else None):
        found.append("not the frames that the protocol selects" if on.selection else "the protocol's selection")
    missing = max(each.coverage.missing for each in scored.reports)
    if missing or any(each.metrics[metric].incomplete for each in scored.reports):
        found.append(f"incomplete: {missing} of {report.coverage.gt_frames} frames lack a prediction or a joint of it")
    if "(bank=" in metric or ",bank=" in metric:
        found.append("a bank that the protocol does not bind")
    found += _banks(report, metric)
    if reference is not None and scored is not reference:
        if gt_hash(report) is None or gt_hash(report) != gt_hash(reference.report):
            found.append(f"other ground truth than {reference.recipe.name}")
        help_differs = zip(_HELP, scored.recipe.helped, reference.recipe.helped, strict=True)
        found += [
            f"whether {words} is {_yes(mine)}; of {reference.recipe.name} it is {_yes(theirs)}"
            for words, mine, theirs in help_differs
            if mine != theirs
        ]
    return tuple(found)


def remarks_of(scored: Scored, metric: str) -> tuple[str, ...]:
    """What a reader must know of a run's number, besides."""
    recipe = scored.recipe
    helped = (words for words, holds in zip(_HELP, recipe.helped, strict=True) if holds)
    return (
        *uses(recipe.supervision, recipe.source_2d),
        *helped,
        *_masked(scored.report),
        *_partial(scored.report, metric),
        *([recipe.note] if recipe.note else []),
    )


def terms_of(scored: Scored, metric: str) -> tuple[object, ...] | None:
    """What has to be equal for regenerated numbers to compare; None for a number that compares with nothing."""
    report, recipe = scored.report, scored.recipe
    if any(each.coverage.missing or each.metrics[metric].incomplete for each in scored.reports):
        return None
    if gt_hash(report) is None:
        return None
    return (
        metric,
        report.protocol["name"],
        report.protocol["sha256"],
        selection_applied(report),
        gt_hash(report),
        bank_hashes(report, _clusters(metric)),
        recipe.helped,
        uses(recipe.supervision, recipe.source_2d),
    )


def against_entry(
    entry: PublishedResult, other: PublishedResult | Protocol, *, same_training: bool = False
) -> tuple[str, ...]:
    """`reasons_not_comparable` for a footnote that several numbers share: shorter, and without ids.

    Supervision is a reason against a number that is to be of the same training.
    """
    if entry.value is None:
        return ()
    here = other.id if isinstance(other, PublishedResult) else None
    reasons = [_without_ids(reason, entry.id, here) for reason in reasons_not_comparable(entry, other)]
    if any(reason.startswith("the data sets differ") for reason in reasons):
        # Other data are other subjects.
        reasons = [reason for reason in reasons if not reason.startswith(_OF_FRAMES)]
    found: list[str] = []
    by: dict[str, list[str]] = {}
    for reason in reasons:
        words = reason.removesuffix(_UNKNOWN)
        short = _SHORT.get(words.removeprefix("whether "))
        if differs := _DIFFERS.fullmatch(reason):
            side = "in print and not here" if differs["print"] == "yes" else "here and not in print"
            by.setdefault(f"helped by ground truth of the test set {side}", []).append(_SHORT[differs["what"]])
        elif reason in _SHORT:
            by.setdefault("helped by ground truth of the test set", []).append(_SHORT[reason])
        elif reason.endswith(_UNKNOWN):
            by.setdefault("unknown", []).append(f"help by {short}" if short else words)
        else:
            found.append(reason)
    found += [f"{what}: {', '.join(dict.fromkeys(which))}" for what, which in by.items()]
    if same_training and isinstance(other, PublishedResult):
        in_print, again = (uses(each.supervision, each.source_2d) for each in (entry, other))
        if in_print != again:
            found.append(f"supervision: {_listed(in_print)} in print, {_listed(again)} here")
    return tuple(found)


def entry_remarks(entry: PublishedResult) -> tuple[str, ...]:
    """What a reader must know of a published number, whatever it stands beside."""
    if entry.value is None:
        said = "said to be printed, and found in no open source" if entry.status == "not sourced" else entry.note
        return (f"{entry.status}: {said}" if said else entry.status,)
    adjusted = ", after scaling to the ground truth" if entry.scale_adjusted else ""
    return (f"printed as {entry.printed_as}{adjusted}",) if entry.renamed else ()


def spelling_remarks(metric: str, column: str, reasons: Sequence[str] = ()) -> tuple[str, ...]:
    """What a number of a variant says of itself in the column of its family, unless a reason says it."""
    said = any(reason.startswith("the metrics differ") for reason in reasons)
    return () if said or metric == column else (f"measured as {metric}",)


def with_best(
    rows: Sequence[Row], columns: Iterable[str], entries: dict[tuple[int, str], PublishedResult]
) -> list[Row]:
    """The rows with the best of each column marked, among numbers that compare with one another.

    `entries` are regenerated numbers as entries, by place of the row and column.
    """
    found = list(rows)
    for column in columns:
        cells = [(k, row.numbers[column]) for k, row in enumerate(rows) if column in row.numbers]
        cells = [(k, number) for k, number in cells if number.value is not None]
        for k, number in cells:
            rivals = [
                other
                for j, other in cells
                if j != k and _compare(number, other, entries.get((k, column)), entries.get((j, column)))
            ]
            if rivals and all(_no_better(rival, number) for rival in rivals):
                marked = {**found[k].numbers, column: replace(number, best=True)}
                found[k] = replace(found[k], numbers=marked)
    return found


def compares(entry: PublishedResult, number: Number, regenerated: PublishedResult) -> bool:
    """Whether a published number and a regenerated one may be held against each other."""
    return (
        entry.value is not None
        and number.terms is not None
        and not reasons_not_comparable(entry, regenerated)
        and uses(entry.supervision, entry.source_2d) == uses(regenerated.supervision, regenerated.source_2d)
    )


def _compare(a: Number, b: Number, a_entry: PublishedResult | None, b_entry: PublishedResult | None) -> bool:
    if a.entry is not None and b.entry is not None:
        alike = uses(a.entry.supervision, a.entry.source_2d) == uses(b.entry.supervision, b.entry.source_2d)
        return alike and not reasons_not_comparable(a.entry, b.entry)
    if a.entry is not None and b_entry is not None:
        return compares(a.entry, b, b_entry)
    if b.entry is not None and a_entry is not None:
        return compares(b.entry, a, a_entry)
    return a.terms is not None and a.terms == b.terms


def _no_better(rival: Number, number: Number) -> bool:
    assert rival.value is not None and number.value is not None
    return rival.value <= number.value if number.higher_is_better else rival.value >= number.value


def _clusters(metric: str) -> int | None:
    use = resolve(metric).cluster
    return None if use is None else use.k


def _banks(report: Report, metric: str) -> list[str]:
    """A bank whose bytes are not those that ship under its name."""
    from posebench.banks import find_bank
    from posebench.errors import PosebenchError

    k = _clusters(metric)
    found = []
    for bank in report.banks:
        if k is None or bank["k"] != k:
            continue
        try:
            same = find_bank(str(bank["name"])).sha256 == bank["sha256"]
        except PosebenchError:
            same = False
        if not same:
            found.append(f"bank {bank['name']}, sha256 {bank['sha256'][:12]}, is not the one that ships")
    return found


def _without_ids(reason: str, printed: str, here: str | None) -> str:
    """A reason that a whole row can share: it says "in print" and "here" instead of names."""
    names = {printed: "in print"} | ({here: "here"} if here else {})
    one = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    text = re.sub(rf"(?: of|, in) (?:{one})(?: and (?:{one}))?(?![\w.-])", "", reason)
    return re.sub(rf"(for )?({one})(?![\w.-])", lambda match: names[match[2]] if match[1] else "the number", text)


def _masked(report: Report) -> tuple[str, ...]:
    """How much of the ground truth is not scored."""
    joints = report.protocol.get("joints")
    of = report.coverage.gt_frames * (len(joints) if isinstance(joints, list) else 0)
    share = 100 * report.coverage.invalid_joints / of if of else 0.0
    return (f"{share:.2g} % of the joints are masked in the ground truth",) if share else ()


def _partial(report: Report, metric: str) -> tuple[str, ...]:
    """Whether a number is over some poses only, such as PSS over those that are whole."""
    n, of, missing = report.metrics[metric].n, report.coverage.gt_frames, report.coverage.missing
    return () if n in (of, of - missing) else (f"over {n} of {of} poses",)


def _listed(words: tuple[str, ...]) -> str:
    return " and ".join(words) or "no annotations in 3D"


def _yes(value: bool | None) -> str:
    return "unknown" if value is None else "true" if value else "not true"


__all__ = [
    "against_entry",
    "against_terms",
    "as_entry",
    "column_of",
    "compares",
    "entry_remarks",
    "remarks_of",
    "shipped_protocol",
    "spelling_remarks",
    "terms_of",
    "uses",
    "with_best",
]
