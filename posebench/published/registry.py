"""Finding published results: those that come with posebench, and those of a file of one's own beside them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from posebench.errors import UsageError
from posebench.published.model import PublishedResult, bare
from posebench.published.reading import Library, read_library
from posebench.report.content import clean


def published_results(
    *, dataset: str | None = None, metric: str | None = None, method: str | None = None, file: Path | str | None = None
) -> tuple[PublishedResult, ...]:
    """Published numbers in the order of their files, those that could not be sourced among them.

    Parameters
    ----------
    dataset : str, optional
        Short name or another spelling of it: ``"h36m"``, ``"Human3.6M"``.
    metric : str, optional
        A family with all of its variants and thresholds (``"PCK"``), or one spelling of it (``"PCK@150"``).
    method : str, optional
        The method's whole name; case, spaces and hyphens do not matter.
    file : path, optional
        A YAML file of one's own, read beside those of posebench; its entries come last.

    Raises
    ------
    UsageError
        If there is no entry of that data set or method, or if the metric is no metric.
    InputError
        If the file is not understood.

    Examples
    --------
    >>> [entry.value for entry in published_results(method="CanonPose")]
    [74.3]
    >>> len(published_results(dataset="MPI-INF-3DHP", metric="MPJPE"))
    1
    """
    from posebench.protocols.selection import dataset_name

    entries = library(file).entries
    chosen = list(entries)
    if dataset is not None:
        name = dataset_name(dataset)
        datasets = dict.fromkeys(entry.dataset for entry in entries if entry.dataset)
        if name not in datasets:
            known = ", ".join(map(clean, datasets))
            raise UsageError(f"there is no published result on {dataset!r}; there are some on {known}")
        chosen = [entry for entry in chosen if entry.dataset == name]
    if method is not None:
        chosen = [entry for entry in chosen if _plain(entry.method) == _plain(method)]
        methods = dict.fromkeys(entry.method for entry in entries)
        if _plain(method) not in map(_plain, methods):
            known = ", ".join(map(clean, methods))
            raise UsageError(f"there is no published result of {method!r}; there are some of {known}")
    if metric is not None:
        chosen = _of_metric(chosen, metric)
    return tuple(chosen)


def published_result(id: str, *, file: Path | str | None = None) -> PublishedResult:
    """The entry of that id.

    Raises
    ------
    UsageError
        If there is none.
    InputError
        If the file is not understood.

    Examples
    --------
    >>> published_result("canonpose-nmpjpe").printed_as
    'MPJPE'
    """
    import difflib

    entries = {entry.id: entry for entry in library(file).entries}
    if id not in entries:
        near = difflib.get_close_matches(id, entries, n=3)
        hint = f"; near it are {', '.join(near)}" if near else ""
        raise UsageError(f"there is no published result {id!r}{hint}; see: posebench published list")
    return entries[id]


def library(file: Path | str | None = None) -> Library:
    """All documents and entries of posebench, with those of a file added."""
    shipped = _shipped()
    return shipped if file is None else shipped + read_library([Path(file)], beside=shipped)


@cache
def _shipped() -> Library:
    return read_library(sorted(Path(__file__).parent.glob("*.yaml")))


def _of_metric(entries: list[PublishedResult], metric: str) -> list[PublishedResult]:
    from posebench.metrics import MetricSpec, families, resolve
    from posebench.published.reading import OUTSIDE

    spec = MetricSpec.parse(metric)
    names = {bare(name): name for name in OUTSIDE}
    names |= {bare(name): key for key, family in families().items() for name in (key, *family.aliases)}
    family = names.get(bare(spec.name))
    if family is not None and spec.at is None and not spec.arguments:
        return [entry for entry in entries if MetricSpec.parse(entry.metric).name == family]
    key = resolve(spec).key
    return [entry for entry in entries if entry.metric == key]


def _plain(method: str) -> str:
    return "".join(character for character in method.lower() if character.isalnum())
