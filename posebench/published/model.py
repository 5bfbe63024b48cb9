"""What a published result is, as data. In every field None means unknown: nobody has found out, not "no"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["verified", "quoted", "not sourced", "not applicable"]
MetricMatch = Literal["exact", "family"]
Source2D = Literal["ground-truth", "target-domain", "pre-training-domain", "none"]
Supervision = Literal["none", "2d", "multi-view", "multi-view-rt", "subject-subset", "full", "unknown"]

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Document:
    """A paper, page or thread that numbers stand in.

    Examples
    --------
    >>> Document("mine", title="Poses", venue="CVPR", year=2019).label
    'CVPR 2019'
    """

    key: str
    title: str | None = None
    authors: str | None = None
    venue: str | None = None
    year: int | None = None
    arxiv: str | None = None
    url: str | None = None

    @property
    def label(self) -> str:
        """The shortest name by which it is found: arXiv number, venue and year, address, or its key."""
        if self.arxiv is not None:
            return f"arXiv {self.arxiv}"
        if self.venue is not None:
            return self.venue if self.year is None else f"{self.venue} {self.year}"
        return self.url or self.key

    def to_dict(self) -> dict[str, Any]:
        """Its fields as plain data."""
        fields = ("title", "authors", "venue", "year", "arxiv", "url")
        return {"key": self.key, **{name: _told(getattr(self, name)) for name in fields}}


@dataclass(frozen=True)
class Source:
    """Where a number was found: a document, the table or figure in it, and the row as it is printed there."""

    document: Document | None
    table: str | None = None
    row: str | None = None

    def __str__(self) -> str:
        parts = (UNKNOWN if self.document is None else self.document.key, self.table, self.row and f"row {self.row!r}")
        return ", ".join(part for part in parts if part)

    def to_dict(self) -> dict[str, Any]:
        """Its fields as plain data, the document by its key."""
        key = None if self.document is None else self.document.key
        return {"document": _told(key), "table": _told(self.table), "row": _told(self.row)}


@dataclass(frozen=True)
class PublishedResult:
    """One number that somebody published, or one that is known to be printed somewhere and could not be found.

    Examples
    --------
    >>> from posebench import published_result
    >>> entry = published_result("epipolarpose-full-r50-mpjpe")
    >>> entry.value, entry.unit, entry.status, entry.protocol
    (51.8, 'mm', 'quoted', 'h36m-epipolarpose')
    >>> entry.flags[0]
    'the epoch was chosen on ground truth of the test set'
    """

    id: str
    method: str
    #: What this number is of, among the method's numbers, in our words.
    variant: str
    #: The work that presents the method.
    paper: Document | None
    sources: tuple[Source, ...]
    #: Short name as protocols have it: h36m, 3dhp.
    dataset: str | None
    #: Canonical spelling (`posebench.resolve`), or a name of `OUTSIDE`.
    metric: str
    #: `exact`: the source is known to take the metric as it is spelled; `family`: threshold, scale or alignment are
    #: not known, and the spelling is the family's own.
    metric_match: MetricMatch
    #: The metric's name in the source.
    printed_as: str | None
    #: None unless the status is `verified` or `quoted`.
    value: float | None
    unit: str
    #: `verified`: read in a document of those who measured it, by whoever made the entry; `quoted`: taken from where
    #: somebody repeats it; `not sourced`: said to be printed, and not found; `not applicable`: cannot be measured.
    status: Status
    #: The protocol of posebench that scores in the same way.
    protocol: str | None = None
    subjects: tuple[str, ...] | None = None
    stride: int | None = None
    pooling: str | None = None
    #: Where the 2D poses of training come from.
    source_2d: Source2D | None = None
    #: What the training on the data set took; pre-training aside.
    supervision: tuple[Supervision, ...] | None = None
    #: Whether the prediction's scale was fitted to the ground truth.
    scale_adjusted: bool | None = None
    #: Whether the ground truth's root depth, and its intrinsics, lifted the prediction.
    gt_root_depth: bool | None = None
    gt_intrinsics: bool | None = None
    #: Whether the epoch was chosen on 3D ground truth of the test set.
    epoch_by_test_gt: bool | None = None
    #: Entries that give the same number differently.
    disagrees_with: tuple[str, ...] = ()
    #: The entry whose number this one measures again.
    reproduces: str | None = None
    note: str = ""

    @property
    def flags(self) -> tuple[str, ...]:
        """What a reader has to know before taking the number for what it seems, a sentence each."""
        found = (
            (self.epoch_by_test_gt, "the epoch was chosen on ground truth of the test set"),
            (self.gt_root_depth, "the ground truth's root depth lifts the prediction"),
            (self.gt_intrinsics, "the ground truth's intrinsics lift the prediction"),
            (self.metric_match == "family", "threshold, scale or alignment of the metric are not known"),
            (self.renamed, f"printed as {self.printed_as}"),
            (self.disagrees_with, f"disagrees with {', '.join(self.disagrees_with)}"),
        )
        return tuple(text for holds, text in found if holds)

    @property
    def metric_name(self) -> str:
        """The metric without its arguments: `NMPJPE` of `NMPJPE(scale=procrustes)`."""
        return self.metric.partition("(")[0]

    @property
    def renamed(self) -> bool:
        """Whether the source prints the metric under the name of another."""
        return self.printed_as is not None and bare(self.printed_as) != bare(self.metric.partition("@")[0])

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain data; what is unknown is the word `unknown`, a value that is not there is None."""
        return {
            "id": self.id,
            "method": self.method,
            "variant": self.variant,
            "paper": UNKNOWN if self.paper is None else self.paper.to_dict(),
            "sources": [source.to_dict() for source in self.sources],
            "dataset": _told(self.dataset),
            "protocol": _told(self.protocol),
            "subjects": _told(self.subjects),
            "stride": _told(self.stride),
            "pooling": _told(self.pooling),
            "source_2d": _told(self.source_2d),
            "supervision": _told(self.supervision),
            "metric": self.metric,
            "metric_match": self.metric_match,
            "printed_as": _told(self.printed_as),
            "value": self.value,
            "unit": self.unit,
            "scale_adjusted": _told(self.scale_adjusted),
            "gt_root_depth": _told(self.gt_root_depth),
            "gt_intrinsics": _told(self.gt_intrinsics),
            "epoch_by_test_gt": _told(self.epoch_by_test_gt),
            "status": self.status,
            "disagrees_with": list(self.disagrees_with),
            "reproduces": self.reproduces,
            "note": self.note,
            "flags": list(self.flags),
        }


def bare(name: str) -> str:
    """A metric's name without what spellings differ in.

    Examples
    --------
    >>> bare("PA-MPJPE"), bare("P-MPJPE(variant=rigid)")
    ('pmpjpe', 'pmpjpe')
    """
    plain = name.partition("(")[0].partition("@")[0].lower().replace("-", "").replace("_", "").strip()
    return {"pampjpe": "pmpjpe", "pck3d": "pck"}.get(plain, plain)


def _told(value: Any) -> Any:
    if value is None:
        return UNKNOWN
    return list(value) if isinstance(value, tuple) else value
