"""The folder of results: `<run>/run.yaml` says what a run is, `<run>/<protocol>-seed<k>.json` are its result JSONs.

The JSONs are those of `posebench score -o`, unchanged. Files come from strangers: what is damaged, too large or not
what its name says is a sentence.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from posebench.errors import InputError, UsageError
from posebench.io.hashing import sha256_of
from posebench.report import Report
from posebench.report.content import finite
from posebench.tables.definitions import NAME, read_recipe, recipes
from posebench.tables.model import Origin, Recipe

#: Largest result that is read; results of half a million poses, grouped by everything, have a few megabytes.
MAX_BYTES = 64 * 1024 * 1024

_FILE = re.compile(r"(?P<protocol>[a-z0-9][a-z0-9.-]*)-seed(?P<seed>\d{1,6})\.json")


@dataclass(frozen=True)
class Scored:
    """One run under one protocol: its results, a seed each, all on the same terms."""

    recipe: Recipe
    origins: tuple[Origin, ...]
    reports: tuple[Report, ...]

    @property
    def report(self) -> Report:
        """The first of them."""
        return self.reports[0]


class Results:
    """Runs in a folder; nothing is read before it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names = sorted(each.name for each in _entries(folder) if NAME.fullmatch(each.name) and each.is_dir())
        self._read: dict[tuple[str, str], Scored | None] = {}

    def names(self, pattern: str) -> list[str]:
        """Runs of that name, or of those that a pattern with `*` fits."""
        return [name for name in self._names if fnmatchcase(name, pattern)]

    def run(self, name: str, protocol: str) -> Scored | None:
        """A run under a protocol; None if there is no result of it.

        Raises
        ------
        InputError
            If one of its files is damaged, is not what its name says, or disagrees with another.
        """
        key = (name, protocol)
        if key not in self._read:
            self._read[key] = self._load(name, protocol)
        return self._read[key]

    def _load(self, name: str, protocol: str) -> Scored | None:
        folder = self.folder / name
        if name not in self._names:
            return None
        found = {int(of["seed"]): folder / of[0] for each in _entries(folder) if (of := _FILE.fullmatch(each.name))
                 and of["protocol"] == protocol}  # fmt: skip
        if not found:
            return None
        origins, reports = [], []
        for seed, path in sorted(found.items()):
            report = read_result(path)
            if report.protocol["name"] != protocol:
                raise InputError(
                    f"{path}: is named for protocol {protocol}, but was scored under {report.protocol['name']}; "
                    "rename it, or score again"
                )
            origins.append(Origin(f"{name}/{path.name}", sha256_of(path), seed))
            reports.append(report)
            _refuse_other_terms(found[min(found)], reports[0], path, report)
        return Scored(self._recipe(name), tuple(origins), tuple(reports))

    def _recipe(self, name: str) -> Recipe:
        path = self.folder / name / "run.yaml"
        if path.exists():
            return read_recipe(path)
        if name in recipes():
            return recipes()[name]
        raise InputError(f"{path}: is not there; say in it what the run is, as docs/tables.md shows")


def open_results(folder: Path | None) -> Results:
    """The runs in a folder, else those that come with posebench.

    Raises
    ------
    UsageError
        If there is no such folder.
    """
    if folder is None:
        return Results(default_folder())
    if not folder.is_dir():
        raise UsageError(f"--results {folder}: there is no such folder")
    return Results(folder)


def default_folder() -> Path:
    """The results that come with posebench: docs/results of the checkout, or package data."""
    from posebench.resources import resource

    return resource("results")


def read_result(path: Path) -> Report:
    """A result JSON, with what a table needs of it checked.

    Raises
    ------
    InputError
        If it is damaged, or too large.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
        raise InputError(f"{path}: is no result: expected a file of at most {MAX_BYTES} bytes")
    report = Report.load(path)
    protocol = report.protocol
    whole = [report.coverage.gt_frames, report.coverage.missing, report.coverage.invalid_joints]
    texts = [protocol.get("name"), protocol.get("sha256"), *(bank.get(k) for bank in report.banks for k in _NAMED)]
    numbers = [protocol.get("version"), *whole, *(bank.get("k") for bank in report.banks)]
    if not all(isinstance(text, str) for text in texts) or not all(type(number) is int for number in numbers):
        raise InputError(f"{path}: the result is damaged: protocol, banks or coverage are not as posebench writes them")
    for metric in report.metrics.values():
        for end in metric.ci95 or ():
            finite(end, f"interval of {metric.name} in {path}")
    return report


_NAMED = ("name", "sha256")


def selection_applied(report: Report) -> bool | None:
    """Whether the frames were those that the protocol selects; None where it selects none."""
    selection = report.protocol.get("selection")
    return bool(selection.get("applied")) if isinstance(selection, dict) else None


def gt_hash(report: Report) -> str | None:
    """SHA-256 of the ground truth; None for one that came from arrays."""
    digest = report.inputs.get("gt", {}).get("sha256")
    return digest if isinstance(digest, str) else None


def bank_hashes(report: Report, k: int | None) -> tuple[str, ...]:
    """SHA-256 of the banks of k clusters that a result used."""
    return tuple(str(bank["sha256"]) for bank in report.banks if bank["k"] == k)


def _refuse_other_terms(first: Path, one: Report, second: Path, other: Report) -> None:
    """Raise if two seeds of a run were not scored alike: their mean would mean nothing."""
    for what, mine, theirs in (
        ("the sha256 of the protocol", one.protocol["sha256"], other.protocol["sha256"]),
        ("the sha256 of the ground truth", gt_hash(one), gt_hash(other)),
        ("whether the selection was applied", selection_applied(one), selection_applied(other)),
        ("the banks", [bank["sha256"] for bank in one.banks], [bank["sha256"] for bank in other.banks]),
        ("the metrics", sorted(one.metrics), sorted(other.metrics)),
    ):
        if mine != theirs:
            raise InputError(
                f"{second}: is no other seed of {first.name}: {what} is {theirs} here, {mine} there; score both again"
            )


def _entries(folder: Path) -> Sequence[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror or error}") from None


__all__ = [
    "MAX_BYTES",
    "Results",
    "Scored",
    "bank_hashes",
    "default_folder",
    "gt_hash",
    "open_results",
    "read_result",
    "selection_applied",
]
