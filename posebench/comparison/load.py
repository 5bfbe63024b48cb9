"""Results and their frames, checked to be comparable: same ground truth, protocol, banks and frames, nothing missing.

Every refusal names the field that differs and the two files that it differs in.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from posebench.errors import InputError, UsageError
from posebench.frames import FrameTable, frames_path, read_frames
from posebench.report import MetricValue, Report

#: What `compare` takes: results, or names and the results of each (one per seed).
Given = Mapping[str, str | Path | Sequence[str | Path]] | Sequence[str | Path]


@dataclass(frozen=True)
class Run:
    """One result with its frames."""

    path: Path
    report: Report
    frames: FrameTable


@dataclass(frozen=True)
class Model:
    """What is one row: a model's results, one per seed."""

    name: str
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Comparable:
    """Models that may be compared, the metrics that all of them have per frame, and why others are left out."""

    models: tuple[Model, ...]
    metrics: tuple[MetricValue, ...]
    not_compared: dict[str, str]

    @property
    def first(self) -> Run:
        """The result that stands for what is the same in all."""
        return self.models[0].runs[0]


def named_paths(arguments: Sequence[str]) -> dict[str, list[Path]]:
    """Models from a command line's words: ``FILE``, ``NAME=FILE`` or ``NAME=FILE,FILE,...`` (one file per seed).

    A word that is the name of a file is that file, whatever signs it holds.

    Raises
    ------
    UsageError
        If a word is none of these, or two models have the same name.

    Examples
    --------
    >>> {name: [path.name for path in paths] for name, paths in named_paths(["ours=s0.json,s1.json", "b.json"]).items()}
    {'ours': ['s0.json', 's1.json'], 'b': ['b.json']}
    """
    return _unique(map(_named, arguments))


def _named(word: str) -> tuple[str, list[Path]]:
    name, equals, files = word.partition("=")
    if not equals or Path(word).is_file():
        return Path(word).stem, [Path(word)]
    paths = [Path(file.strip()) for file in files.split(",")]
    if not name.strip() or Path() in paths:
        raise UsageError(f"{word!r}: expected FILE, NAME=FILE or NAME=FILE,FILE,... as in ours=s0.json,s1.json")
    return name.strip(), paths


def given_paths(given: Given) -> dict[str, list[Path]]:
    """Models from what `compare` was called with.

    Raises
    ------
    UsageError
        If it is neither a list of files nor a mapping from names to files, or names repeat.
    """
    if isinstance(given, Mapping):
        pairs = [
            (str(name), [Path(of)] if isinstance(of, str | Path) else [Path(path) for path in of])
            for name, of in given.items()
        ]
        empty = [name for name, paths in pairs if not paths or not name]
        if empty:
            raise UsageError(f"model {empty[0]!r} has no name or no result; expected {{name: file or files}}")
        return _unique(pairs)
    if isinstance(given, str | Path):
        raise UsageError(f"results is {str(given)!r}, expected a list of files or {{name: file or files}}")
    return _unique((Path(path).stem, [Path(path)]) for path in given)


def _unique(pairs: Iterable[tuple[str, list[Path]]]) -> dict[str, list[Path]]:
    models: dict[str, list[Path]] = {}
    for name, paths in pairs:
        if name in models:
            raise UsageError(
                f"two models are called {name!r}: {models[name][0]} and {paths[0]}; name them, as in one={paths[0]}"
            )
        models[name] = paths
    return models


def load_models(paths: Mapping[str, Sequence[Path]], metrics: Sequence[str] | None = None) -> Comparable:
    """Read all results and refuse what does not compare.

    Parameters
    ----------
    paths : mapping from name to files
    metrics : sequence of str, optional
        Spellings; by default all that the results share.

    Raises
    ------
    UsageError
        If there are fewer than two models, a file is given twice, or a metric is asked for that is not shared.
    InputError
        If a file cannot be read, or results differ in ground truth, protocol, banks or frames, or lack frames.
    """
    if len(paths) < 2:
        raise UsageError(f"a comparison needs two models or more, got {len(paths)}; seeds of one model are one")
    seen: dict[Path, Path] = {}
    for path in (path for of in paths.values() for path in of):
        if path.resolve() in seen:
            raise UsageError(f"{path}: is given twice; a result compared with itself says nothing")
        seen[path.resolve()] = path
    models = tuple(Model(name, tuple(map(_read, of))) for name, of in paths.items())
    runs = [run for model in models for run in model.runs]
    for run in runs:
        _refuse_incomplete(run)
    for run in runs[1:]:
        _refuse_other_terms(runs[0], run)
        _refuse_other_frames(runs[0], run)
    found = _shared_metrics(models, runs, _resolved(metrics))
    for metric in found.metrics:
        _refuse_other_metric(metric.name, runs)
    return found


def pooling_weights(table: FrameTable, metric: str) -> npt.NDArray[np.float64]:
    """What each frame (frames,) weighs in the value that the report gives: they sum to 1.

    Frames weigh alike, or as the number of their joints; where a protocol takes the mean of its actions' (subjects',
    sequences') means, the frames of each share what their action has.
    """
    weights = table.weights_of(metric)
    groups, names = pooled_groups(table)
    totals = np.bincount(groups, weights, len(names))
    return weights / np.where(totals, totals, 1.0)[groups] / max(int(np.count_nonzero(totals)), 1)


def pooled_groups(table: FrameTable) -> tuple[npt.NDArray[np.int64], list[tuple[str, ...]]]:
    """The groups of frames whose means the protocol takes the mean of; one where it takes the mean of all."""
    of = {"action": ("action",), "subject": ("subject",), "sequence": ("subject", "action", "sequence")}
    return table.groups(*of.get(table.origin.pooling, ()))


def _read(path: Path) -> Run:
    report = Report.load(path)
    beside = frames_path(path)
    if not beside.is_file():
        raise InputError(
            f"{path}: its numbers per frame are not there: expected {beside.name} beside it; score again with -o "
            f"{path.name}, or bring that file along"
        )
    frames = read_frames(beside)
    frames.refuse_foreign(report, str(path))
    for name in (metric.name for metric in frames.metrics):
        value = report.metrics[name].value
        values, weights = frames.of(name), pooling_weights(frames, name)
        mean = float(np.dot(np.nan_to_num(values.astype(np.float64)), weights)) if weights.any() else None
        if (mean is None) != (value is None) or (
            mean is not None and value is not None and not math.isclose(mean, value, rel_tol=1e-6, abs_tol=1e-6)
        ):
            raise InputError(
                f"{path}: says {name} = {value}, but the frames in {beside.name} give {mean}; one of them was changed; "
                "score again"
            )
    return Run(path, report, frames)


def _refuse_incomplete(run: Run) -> None:
    missing = run.report.coverage.missing
    marked = [metric.name for metric in run.report.metrics.values() if metric.incomplete]
    if missing or marked:
        what = (
            f"{missing} frames lack a prediction or a joint of it" if missing else f"{', '.join(marked)} are marked so"
        )
        raise InputError(f"{run.path}: is incomplete ({what}) and compares with nothing; predict every frame")


def _refuse_other_terms(one: Run, other: Run) -> None:
    """Raise if two results were not scored on the same terms: ground truth, protocol, selection, banks."""
    gt = [run.report.inputs.get("gt", {}).get("sha256") for run in (one, other)]
    for run, digest in zip((one, other), gt, strict=True):
        if not digest:
            raise InputError(
                f"{run.path}: does not say which ground truth it was scored against (it came from arrays); score "
                "files, which results record"
            )
    banks = [{bank.get("name"): bank.get("sha256") for bank in run.report.banks} for run in (one, other)]
    first, second = (run.report.protocol for run in (one, other))
    terms: list[tuple[str, object, object]] = [
        ("the sha256 of the ground truth", gt[0], gt[1]),
        ("the protocol", _versioned(first), _versioned(second)),
        ("the sha256 of the protocol", first.get("sha256"), second.get("sha256")),
        ("whether the protocol's selection was applied", _applied(first), _applied(second)),
        *(
            (f"the sha256 of bank {name}", digest, banks[1][name])
            for name, digest in banks[0].items()
            if name in banks[1]
        ),
    ]
    for what, mine, theirs in terms:
        _refuse_unless_equal(what, mine, theirs, one, other)


def _versioned(protocol: Mapping[str, object]) -> str:
    return f"{protocol.get('name')} version {protocol.get('version')}"


def _applied(protocol: Mapping[str, object]) -> object:
    selection = protocol.get("selection")
    return selection.get("applied") if isinstance(selection, Mapping) else None


def _refuse_other_frames(one: Run, other: Run) -> None:
    """Raise if two results do not hold the same frames in the same order."""
    mine, theirs = one.frames, other.frames
    _refuse_unless_equal("the number of frames", len(mine), len(theirs), one, other)
    _refuse_unless_equal("the keys of the frames", ", ".join(mine.keys), ", ".join(theirs.keys), one, other)
    for (key, one_column), other_column in zip(_columns(mine), (column for _, column in _columns(theirs)), strict=True):
        differ = np.flatnonzero(one_column != other_column)
        if len(differ):
            row = differ[0]
            _refuse_unless_equal(f"the {key} of frame {row}", one_column[row], other_column[row], one, other)


def _columns(table: FrameTable) -> Iterator[tuple[str, npt.NDArray[np.str_] | npt.NDArray[np.int64]]]:
    for key, column in table.keys.items():
        yield key, np.array(column.names)[column.codes] if len(table) else np.zeros(0, np.str_)
    yield "number", np.arange(len(table)) if table.frame is None else table.frame


def _refuse_other_metric(name: str, runs: Sequence[Run]) -> None:
    """Raise if a metric does not mean the same in all results, or was not scored on the same frames."""
    first = runs[0]
    for run in runs[1:]:
        for fact in ("unit", "higher_is_better"):
            mine, theirs = (getattr(r.report.metrics[name], fact) for r in (first, run))
            _refuse_unless_equal(f"{fact} of {name}", mine, theirs, first, run)
        weights = [r.frames.weights_of(name) for r in (first, run)]
        differ = np.flatnonzero(weights[0] != weights[1])
        if len(differ):
            row = int(differ[0])
            mine, theirs = (f"{each[row]:g}" for each in weights)
            what = f"what frame {row} counts in {name} ({len(differ)} frames differ; 0 is not scored)"
            _refuse_unless_equal(what, mine, theirs, first, run)


def _refuse_unless_equal(what: str, mine: object, theirs: object, one: Run, other: Run) -> None:
    if mine != theirs:
        raise InputError(
            f"{one.path} and {other.path} do not compare: {what} is {mine} in the first and {theirs} in the second; "
            "score both again on the same terms"
        )


def _resolved(metrics: Sequence[str] | None) -> list[str] | None:
    from posebench.metrics import resolve

    return None if metrics is None else list(dict.fromkeys(resolve(name).key for name in metrics))


def _shared_metrics(models: tuple[Model, ...], runs: Sequence[Run], asked: Sequence[str] | None) -> Comparable:
    names = dict.fromkeys(name for run in runs for name in run.report.metrics)
    why = {name: reason for name in names if (reason := _why_not(name, models, runs)) is not None}
    if asked is not None:
        for name in asked:
            if name not in names or name in why:
                has = ", ".join(each for each in names if each not in why) or "none"
                raise UsageError(f"{name} cannot be compared: {why.get(name, 'no result has it')}; comparable: {has}")
    chosen = [name for name in names if name not in why] if asked is None else list(asked)
    if not chosen:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in why.items()) or "the results have none"
        raise InputError(f"{runs[0].path} and {runs[1].path} share no metric that can be compared: {reasons}")
    left_out = why if asked is None else {}
    return Comparable(models, tuple(runs[0].report.metrics[name] for name in chosen), left_out)


def _why_not(name: str, models: Sequence[Model], runs: Sequence[Run]) -> str | None:
    lacking = [str(run.path) for run in runs if name not in run.report.metrics]
    if lacking:
        having = [model.name for model in models if all(name in run.report.metrics for run in model.runs)]
        return f"only {', '.join(having) or 'some results'} {'have' if len(having) > 1 else 'has'} it"
    for run in runs:
        if run.report.metrics[name].value is None:
            return f"nothing was scored in {run.path}"
        if name in run.frames.absent:
            return f"has no value per frame: {run.frames.absent[name]}"
        if all(metric.name != name for metric in run.frames.metrics):
            return f"has no value per frame in {run.frames.source}"
    return None


__all__ = ["Comparable", "Given", "Model", "Run", "given_paths", "load_models", "named_paths", "pooled_groups"]
