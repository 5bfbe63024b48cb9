"""The results that charts are drawn of: read, named, and refused where they were not measured alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from posebench.comparison.load import named_paths
from posebench.errors import InputError, UsageError
from posebench.frames import frames_path, read_frames
from posebench.metrics import resolve
from posebench.report import MetricValue, Report
from posebench.report.content import clean


@dataclass(frozen=True)
class Named:
    """A result and what the legend calls it."""

    name: str
    path: Path
    report: Report

    def metric(self, spelling: str) -> MetricValue:
        """A metric of the result, by any spelling.

        Raises
        ------
        UsageError
            If the result does not have it.
        """
        key = resolve(spelling).key
        found = self.report.metrics.get(key)
        if found is None:
            has = ", ".join(self.report.metrics) or "none"
            raise UsageError(f"{self.path}: has no {key}; it has {has}")
        return found

    def frames(self, spelling: str) -> npt.NDArray[np.float64]:
        """Values of a metric per scored frame, from the file beside the result.

        Raises
        ------
        InputError
            If that file is not there or belongs to another result.
        UsageError
            If it does not have the metric.
        """
        beside = frames_path(self.path)
        if not beside.is_file():
            raise InputError(
                f"{self.path}: its numbers per frame are not there: expected {beside.name} beside it; score again with "
                f"-o {self.path.name}"
            )
        table = read_frames(beside)
        table.refuse_foreign(self.report, str(self.path))
        values = table.of(spelling).astype(np.float64)
        return values[~np.isnan(values)]


def read_results(given: Sequence[str] | Mapping[str, str | Path]) -> list[Named]:
    """Results from ``FILE`` or ``NAME=FILE``, or from a mapping of names to files.

    Raises
    ------
    UsageError
        If a name stands twice or for several files.
    InputError
        If a file cannot be read, or was scored against another ground truth or under another protocol than the first.

    Examples
    --------
    >>> read_results(["ours=a.json,b.json"])
    Traceback (most recent call last):
    ...
    posebench.errors.UsageError: ours: 2 files; a chart shows one result per name
    """
    paths = {name: [Path(path)] for name, path in given.items()} if isinstance(given, Mapping) else named_paths(given)
    if not paths:
        raise UsageError("no result was given")
    for name, files in paths.items():
        if len(files) > 1:
            raise UsageError(f"{name}: {len(files)} files; a chart shows one result per name")
    found = [Named(clean(name), files[0], Report.load(files[0])) for name, files in paths.items()]
    first = found[0]
    for other in found[1:]:
        for what, one, two in (
            ("protocol", first.report.protocol.get("sha256"), other.report.protocol.get("sha256")),
            ("ground truth", *(each.report.inputs.get("gt", {}).get("sha256") for each in (first, other))),
            ("frames", first.report.coverage.gt_frames, other.report.coverage.gt_frames),
        ):
            if one != two:
                raise InputError(
                    f"{first.path} and {other.path} do not compare: their {what} differ ({one} and {two}); draw them "
                    "in charts of their own"
                )
    return found


__all__ = ["Named", "read_results"]
