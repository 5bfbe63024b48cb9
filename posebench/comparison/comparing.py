"""`compare`: paired differences of models on the same frames, with intervals and tests over sequences.

Every metric is a mean over frames, so all that is needed of a model are its sums per sequence. Those of two models
differ by the sums of their frames' differences: what is paired by frame is tested by sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.comparison.load import Comparable, Given, Model, Run, given_paths, load_models, pooled_groups
from posebench.comparison.model import (
    ActionDifference,
    Comparison,
    Interval,
    MetricComparison,
    ModelValue,
    Outcome,
    PairDifference,
    TestRecord,
)
from posebench.comparison.tests import ALPHA, DRAWS, effect_size, holm, letters, sign_flip, smallest_p
from posebench.frames import FrameTable
from posebench.report import MetricValue
from posebench.statistics import FEW_SUBJECTS, FEWEST, ClusterSums, intervals

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
#: Model b against model a, by their numbers; or model b alone.
_Of = tuple[int | None, int]


def compare(results: Given, *, metrics: Sequence[str] | None = None, seed: int = 0) -> Comparison:
    """Compare models on the same frames: differences with 95 % intervals, p-values, effect sizes, letters.

    All pairs are compared, the later model against the earlier. Intervals resample sequences (a subject's action and
    sequence, all cameras together), tests swap the two models in them, and Holm's adjustment is for all metrics and
    pairs together. Several results of one model are its seeds: their mean is compared, their spread stands beside.

    Parameters
    ----------
    results : sequence of paths, or mapping from name to path or paths
        Result files (.json), each with its numbers per frame beside it, as ``posebench score -o`` writes them.
    metrics : sequence of str, optional
        Spellings such as ``"PCK@100"``; by default all that the results share.
    seed : int
        Of the random sign patterns.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If results were not scored on the same ground truth, protocol, banks and frames, or are incomplete.
    UsageError
        If there are fewer than two models, or a metric is not shared.

    References
    ----------
    Sign-flip tests: Good, Permutation, Parametric, and Bootstrap Tests of Hypotheses, 2005, chapter 3.

    Examples
    --------
    >>> import tempfile
    >>> import posebench as pb
    >>> rng = np.random.default_rng(0)
    >>> gt = rng.normal(size=(40, 17, 3)) * 300
    >>> gt[:, 0] = (gt[:, 1] + gt[:, 4]) / 2  # the pelvis lies between the hips
    >>> clips = {"sequence": np.repeat(np.arange(10), 4).astype(str), "frame": np.arange(40)}
    >>> truth = pb.PoseSet(gt, skeleton="h36m17", unit="mm", reference="camera", **clips)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pb.write(truth, folder + "/gt.npz")
    ...     for name, noise in (("base", 40), ("ours", 30)):
    ...         pb.write(truth.replace(poses=gt + rng.normal(size=gt.shape) * noise), folder + f"/{name}.npz")
    ...         report = pb.score(folder + f"/{name}.npz", folder + "/gt.npz", metrics=["MPJPE"], frames=True)
    ...         report.save(folder + f"/{name}.json")
    ...         report.frames.save(folder + f"/{name}.frames.npz")
    ...     found = pb.compare([folder + "/base.json", folder + "/ours.json"])
    >>> pair = found.pair("MPJPE", "base", "ours")
    >>> round(pair.difference, 1), round(pair.p, 4)
    (-16.9, 0.0039)
    """
    return compare_models(load_models(given_paths(results), metrics), seed=seed)


def compare_models(found: Comparable, *, seed: int = 0) -> Comparison:
    """As `compare`, for results that are loaded and checked."""
    table = found.first.frames
    pooling = table.origin.pooling
    sequences = _Sequences.of(table)
    sums = {metric.name: _Sums.of(found, metric.name, sequences) for metric in found.metrics}
    pairs: list[_Of] = list(combinations(range(len(found.models)), 2))
    alone: list[_Of] = [(None, m) for m in range(len(found.models))]
    p = _p_values(sums, pairs, sequences, seed)
    tested = {key: value for key, value in p.items() if value is not None}
    actions = {}
    for action, rows in sequences.actions.items():
        part = {name: of.only(rows) for name, of in sums.items()}
        actions[action] = part, _intervals(part, pairs, sequences, pooling)
    every = _Found(
        sums,
        p,
        dict(zip(tested, holm(list(tested.values())).tolist(), strict=True)),
        _intervals(sums, [*alone, *pairs], sequences, pooling),
        actions,
    )
    compared = {metric.name: _compared(metric, found.models, pairs, sequences.known, every) for metric in found.metrics}
    count = sequences.count
    exact = None if not tested else count < 2 or 2 ** (count - 1) <= DRAWS
    report = found.first.report
    return Comparison(
        {model.name: [_record(run) for run in model.runs] for model in found.models},
        compared,
        found.not_compared,
        len(table),
        count if sequences.known else None,
        report.protocol,
        report.banks,
        report.inputs["gt"],
        TestRecord(
            "sign-flip randomisation over sequences, Holm over all pairs and metrics",
            exact,
            0 if exact is None else (2 ** (count - 1) if exact else DRAWS),
            seed,
            ALPHA,
            len(tested),
        ),
        _notes(found, sequences),
    )


@dataclass(frozen=True)
class _Sequences:
    """The sequences that frames belong to, and what they belong to themselves."""

    #: Whether the keys of the frames tell sequences apart.
    known: bool
    #: (frames,): number of each frame's sequence.
    codes: Codes
    #: (sequences,): number of the group whose mean the protocol takes the mean of.
    groups: Codes
    #: Action -> sequences (sequences,) that are of it; empty where the ground truth has no actions.
    actions: dict[str, npt.NDArray[np.bool_]]
    subjects: int | None

    @classmethod
    def of(cls, table: FrameTable) -> _Sequences:
        codes, _ = table.groups("subject", "action", "sequence")
        first = np.unique(codes, return_index=True)[1]
        actions: dict[str, npt.NDArray[np.bool_]] = {}
        if "action" in table.keys:
            numbers, of = table.groups("action")
            actions = {name: numbers[first] == number for number, (name,) in enumerate(of)}
        subjects = len(table.groups("subject")[1]) if "subject" in table.keys else None
        return cls("sequence" in table.keys, codes, pooled_groups(table)[0][first], actions, subjects)

    @property
    def count(self) -> int:
        return len(self.groups)


@dataclass(frozen=True)
class _Sums:
    """One metric's sums per sequence, from which every number follows."""

    #: (models, sequences): weighted sums of the frames' values, the mean over the model's results.
    values: Floats
    #: (sequences,): sums of the weights.
    weights: Floats
    groups: Codes

    @classmethod
    def of(cls, found: Comparable, metric: str, sequences: _Sequences) -> _Sums:
        weights = found.first.frames.weights_of(metric)
        rows = []
        for model in found.models:
            frames = np.mean([run.frames.of(metric).astype(np.float64) for run in model.runs], axis=0)
            rows.append(np.bincount(sequences.codes, np.where(weights, frames, 0.0) * weights, sequences.count))
        counts = np.bincount(sequences.codes, weights, sequences.count).astype(np.float64)
        return cls(np.array(rows, np.float64), counts, sequences.groups)

    def total(self, of: _Of) -> Floats:
        """(sequences,): sums of the frames' differences, model b minus model a, or of model b alone."""
        a, b = of
        total: Floats = self.values[b] - (0.0 if a is None else self.values[a])
        return total

    def parts(self, sums: Floats) -> Floats:
        """What each sequence (sequences,) adds to the pooled mean of its sums."""
        totals = np.bincount(self.groups, self.weights)
        return sums / np.where(totals, totals, 1.0)[self.groups] / max(int(np.count_nonzero(totals)), 1)

    def table(self, sums: Floats, pooling: str) -> tuple[Floats, Floats]:
        """Sums and weights (sequences, groups), each in the column of its group; sequence pooling needs no groups."""
        if pooling == "sequence":
            return sums[:, None], self.weights[:, None]
        place = np.eye(int(self.groups.max(initial=0)) + 1)[self.groups]
        return place * sums[:, None], place * self.weights[:, None]

    def means(self, sums: Floats) -> Floats:
        """Means of the sequences that were scored."""
        scored = self.weights > 0
        return sums[scored] / self.weights[scored]

    def only(self, sequences: npt.NDArray[np.bool_]) -> _Sums:
        """The sums of some of the sequences."""
        groups = np.unique(self.groups[sequences], return_inverse=True)[1].astype(np.int64)
        return _Sums(self.values[:, sequences], self.weights[sequences], groups)


def _p_values(
    sums: dict[str, _Sums], pairs: Sequence[_Of], sequences: _Sequences, seed: int
) -> dict[tuple[str, _Of], float | None]:
    """p of every metric and pair, from the same sign patterns; None where fewer than two sequences were scored."""
    keys = [(name, of) for name in sums for of in pairs]
    parts = np.array([sums[name].parts(sums[name].total(of)) for name, of in keys])
    p = sign_flip(parts, seed=seed).p.tolist()
    testable = {name for name, of in sums.items() if sequences.known and np.count_nonzero(of.weights) > 1}
    return {key: value if key[0] in testable else None for key, value in zip(keys, p, strict=True)}


@dataclass(frozen=True)
class _Found:
    """What was computed for all metrics together."""

    sums: dict[str, _Sums]
    p: dict[tuple[str, _Of], float | None]
    p_holm: dict[tuple[str, _Of], float]
    ci95: dict[tuple[str, _Of], Interval | None]
    #: Action -> the sums of its sequences, and their intervals.
    actions: dict[str, tuple[dict[str, _Sums], dict[tuple[str, _Of], Interval | None]]]


def _compared(
    metric: MetricValue, models: Sequence[Model], pairs: Sequence[_Of], known: bool, found: _Found
) -> MetricComparison:
    sums = found.sums[metric.name]
    differences = []
    for of in pairs:
        key, total = (metric.name, of), sums.total(of)
        a, b = of
        assert a is not None
        differences.append(
            PairDifference(
                models[a].name,
                models[b].name,
                float(sums.parts(total).sum()),
                found.ci95[key],
                found.p[key],
                found.p_holm.get(key),
                effect_size(sums.means(total)) if known else None,
                _by_action(metric, of, found),
            )
        )
    values = {model.name: [_value(run.report.metrics[metric.name].value) for run in model.runs] for model in models}
    means = {name: float(np.mean(of)) for name, of in values.items()}
    shown = _letters(means, differences, metric.higher_is_better)
    rows = {
        name: ModelValue(
            means[name],
            tuple(of),
            float(np.std(of, ddof=1)) if len(of) > 1 else None,
            found.ci95[metric.name, (None, m)],
            shown.get(name),
        )
        for m, (name, of) in enumerate(values.items())
    }
    return MetricComparison(metric.name, metric.unit, metric.higher_is_better, metric.n, rows, tuple(differences))


def _letters(means: dict[str, float], pairs: Sequence[PairDifference], higher_is_better: bool) -> dict[str, str]:
    """Letters of the models, the best one first; none where nothing was tested."""
    if any(pair.p_holm is None for pair in pairs):
        return {}
    best_first = sorted(means, key=lambda name: -means[name] if higher_is_better else means[name])
    return letters(best_first, [(d.a, d.b) for d in pairs if d.p_holm is not None and d.p_holm <= ALPHA])


def _by_action(metric: MetricValue, of: _Of, found: _Found) -> dict[str, ActionDifference]:
    result = {}
    for action, (sums, ci95) in found.actions.items():
        part = sums[metric.name]
        if part.weights.any():
            interval = ci95[metric.name, of]
            won = outcome(interval, higher_is_better=metric.higher_is_better)
            result[action] = ActionDifference(float(part.parts(part.total(of)).sum()), interval, won)
    return result


def outcome(interval: Interval | None, *, higher_is_better: bool) -> Outcome:
    """How a difference went: a tie where its interval holds 0, None where there is no interval.

    Examples
    --------
    >>> outcome((-3.0, -1.0), higher_is_better=False), outcome((-1.0, 2.0), higher_is_better=False)
    ('win', 'tie')
    """
    if interval is None:
        return None
    low, high = interval
    if low <= 0 <= high:
        return "tie"
    return "win" if (low > 0) == higher_is_better else "loss"


def _value(value: float | None) -> float:
    assert value is not None  # metrics without a value are not compared
    return value


def _record(run: Run) -> dict[str, Any]:
    from posebench.io import sha256_of

    return {"path": str(run.path), "sha256": sha256_of(run.path), "pred": run.report.inputs.get("pred", {})}


def _intervals(
    sums: dict[str, _Sums], chosen: Sequence[_Of], sequences: _Sequences, pooling: str
) -> dict[tuple[str, _Of], Interval | None]:
    """95 % intervals of every metric's pooled means, by the project's method; None where it gives none."""
    keys = [(name, of) for name in sums for of in chosen]
    if not sequences.known:
        return dict.fromkeys(keys)
    numbers = []
    for name, of in keys:
        number = ClusterSums.of_means(*sums[name].table(sums[name].total(of), pooling))
        numbers.append(number.by_cluster() if pooling == "sequence" else number)
    return dict(zip(keys, intervals(numbers), strict=True))


def _notes(found: Comparable, sequences: _Sequences) -> list[str]:
    """What a reader must know before the numbers."""
    protocol = found.first.report.protocol
    selection = protocol.get("selection")
    runs = [run for model in found.models for run in model.runs]
    versions = {run.report.environment.get("posebench", "unknown"): run.path for run in runs}
    return [
        *_notes_on_sequences(sequences),
        *(
            f"{model.name} is the mean of {len(model.runs)} results: intervals and tests take these seeds as they are; "
            "how much another seed may change stands beside"
            for model in found.models
            if len(model.runs) > 1
        ),
        *_same_predictions(runs),
        *(
            ["the results were made by several versions of posebench: " + ", ".join(map(str, versions))]
            if len(versions) > 1
            else []
        ),
        *(
            [f"definition only: the selection of protocol {protocol.get('name')} was not applied"]
            if selection and not selection.get("applied")
            else []
        ),
    ]


def _notes_on_sequences(sequences: _Sequences) -> list[str]:
    count, subjects = sequences.count, sequences.subjects
    if not sequences.known:
        return [
            "the ground truth names no sequences, so nobody knows which frames belong together: no intervals, no tests"
        ]
    if count < 2:
        return [
            "one sequence says nothing about how others would differ: no intervals, no tests, whatever the number of "
            "frames"
        ]
    notes = []
    if count < FEWEST:
        notes.append(f"no 95 % intervals: {count} sequences, and they need {FEWEST}")
    least = smallest_p(count)
    if least > ALPHA:
        notes.append(f"{count} sequences: no p can be below {least:.4f}, so nothing can be significant")
    if subjects is not None and subjects < FEW_SUBJECTS:
        people = "1 subject" if subjects == 1 else f"{subjects} subjects"
        what = "tests" if count < FEWEST else "intervals and tests"
        notes.append(f"{people}: {what} are over their sequences, not over people")
    return notes


def _same_predictions(runs: Sequence[Run]) -> list[str]:
    seen: dict[str, Run] = {}
    notes = []
    for run in runs:
        digest = run.report.inputs.get("pred", {}).get("sha256")
        if digest and digest in seen:
            notes.append(f"{seen[digest].path} and {run.path} are of the same predictions")
        elif digest:
            seen[digest] = run
    return notes


__all__ = ["compare", "compare_models", "outcome"]
