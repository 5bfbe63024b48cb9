"""Running the cases against a scorer: its keywords, its answer, and the verdict on it."""

from __future__ import annotations

import inspect
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from posebench.conformance.cases import all_cases
from posebench.conformance.isolation import Outcome, called
from posebench.conformance.model import Case, Conformance, Deviation, Problem, Refusal, Result, Value, Verdict
from posebench.errors import UsageError
from posebench.metrics.registry import resolve

#: Seconds for one call, compilation included.
TIME_LIMIT = 120.0
#: Keywords that every call has if the scorer takes them, with their values where a case says nothing.
COMMON: Mapping[str, Any] = {"unit": "mm", "valid": None, "root": 0}

_NOT_OFFERED = "not offered"


class _NotOfferedError(Exception):
    """The scorer says that it does not know the metric."""


class _WrongTypeError(Exception):
    """The answer is no number."""


def conformance(
    scorer: Callable[..., Any],
    *,
    name: str | None = None,
    only_metric: str | None = None,
    cases: Sequence[str] | None = None,
    limit: float = TIME_LIMIT,
) -> Conformance:
    """Run the conformance cases against a scorer, whose code runs in this process.

    Parameters
    ----------
    scorer : callable
        ``scorer(pred, gt, *, metric, unit, valid, root, ...)``, giving a number or a dict (docs/conformance.md).
    name : str, optional
        What the result calls it.
    only_metric : str, optional
        The scorer is a function of this metric alone and takes no `metric`.
    cases : sequence of str, optional
        Ids of the cases to run; all by default.
    limit : float
        Seconds for each call.

    Returns
    -------
    Conformance

    Raises
    ------
    UsageError
        If a case or the metric is unknown, or the limit is no positive number.

    Examples
    --------
    >>> def mpjpe(pred, gt):
    ...     return np.linalg.norm((pred - pred[:, :1]) - (gt - gt[:, :1]), axis=-1).mean()
    >>> found = conformance(mpjpe, only_metric="MPJPE", cases=["C-MPJPE", "C-BROADCAST", "C-PMPJPE"])
    >>> for result in found.results:
    ...     print(result.case.id, result.verdict.value, *result.what, sep=": ")
    C-MPJPE: conforms
    C-BROADCAST: defect: one prediction repeated for all poses
    C-PMPJPE: not offered: the scorer gives MPJPE alone
    """
    if not (math.isfinite(limit) and limit > 0):
        raise UsageError(f"a limit of {limit} s: expected a positive number of seconds")
    chosen = chosen_cases(cases)
    metrics = sorted({case.metric for case in all_cases()})
    if only_metric is not None and only_metric not in metrics:
        named = _canonical(only_metric)
        if named not in metrics:
            raise UsageError(f"there is no case of the metric {only_metric!r}; there are of {', '.join(metrics)}")
        only_metric = named
    results: list[Result] = []
    hung = ""
    for case in chosen:
        if hung:
            results.append(Result(case, Verdict.FAILED, (f"not run: the scorer still runs, since {hung}",)))
            continue
        result, alive = _run(case, scorer, only_metric, limit)
        results.append(result)
        hung = case.id if alive else ""
    return Conformance(name or str(getattr(scorer, "__name__", "scorer")), _undiagnosed(results))


def _canonical(metric: str) -> str | None:
    """The spelling of reports, None for what is no metric."""
    try:
        return resolve(metric).key
    except UsageError:
        return None


def _undiagnosed(results: Sequence[Result]) -> tuple[Result, ...]:
    """The results, without a diagnosis where a scorer never gave a number of the metric: failing says nothing then."""
    answered = {result.case.metric for result in results if result.got is not None}
    tried = Counter(result.case.metric for result in results if result.verdict is not Verdict.NOT_OFFERED)
    return tuple(
        replace(result, verdict=Verdict.FAILED, what=result.what[1:])
        if result.verdict is Verdict.DEFECT
        and result.got is None
        and result.case.metric not in answered
        and tried[result.case.metric] > 1
        else result
        for result in results
    )


def chosen_cases(ids: Sequence[str] | None) -> tuple[Case, ...]:
    """The cases of those ids, all if None, in their own order."""
    known = {case.id: case for case in all_cases()}
    for each in ids or ():
        if each not in known:
            raise UsageError(f"there is no case {each!r}; posebench conformance --list shows them")
    return tuple(case for case in known.values() if not ids or case.id in ids)


def _run(case: Case, scorer: Callable[..., Any], only_metric: str | None, limit: float) -> tuple[Result, bool]:
    if only_metric is not None and case.metric != only_metric:
        return Result(case, Verdict.NOT_OFFERED, (f"the scorer gives {only_metric} alone",)), False
    problem = case.build()
    keywords, lacking = _keywords(case, problem, scorer, only_metric)
    if lacking:
        return Result(case, Verdict.NOT_OFFERED, (f"the scorer takes no {lacking}",), problem.expected), False
    outcome, changed = _called(case, problem, problem.pred, scorer, keywords, limit, only_metric)
    if problem.sound is not None and _refuses(outcome):
        # Only who answers for sound poses has refused these.
        other, _ = _called(case, problem, problem.sound, scorer, keywords, limit, only_metric)
        if other.error is not None or other.too_long or _refuses(other):
            found = _judged(case, problem, other, changed, limit)
            return replace(found, what=(*found.what, "for sound poses as well")), other.alive
        return _judged(case, problem, outcome, changed, limit, refused=True), False
    return _judged(case, problem, outcome, changed, limit), outcome.alive


def _refuses(outcome: Outcome) -> bool:
    """Whether the scorer raised on purpose or by accident, or answered NaN."""
    if outcome.error is not None:
        said_otherwise = (_NotOfferedError, NotImplementedError, _WrongTypeError)
        return isinstance(outcome.error, Exception) and not isinstance(outcome.error, said_otherwise)
    return isinstance(outcome.value, float) and math.isnan(outcome.value)


def _called(
    case: Case,
    problem: Problem,
    pred: np.ndarray[Any, Any],
    scorer: Callable[..., Any],
    keywords: Mapping[str, Any],
    limit: float,
    only_metric: str | None,
) -> tuple[Outcome, list[str]]:
    """What the scorer did with its own copies of the arrays, and which of them it changed."""
    arrays = {"pred": pred.copy(), "gt": problem.gt.copy()}
    given = {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in keywords.items()}
    held = arrays | {key: value for key, value in given.items() if isinstance(value, np.ndarray)}
    before = {key: _fingerprint(value) for key, value in held.items()}
    taken = _parameters(scorer)
    one = not only_metric and taken is not None and "metric" not in taken
    outcome = called(lambda: _taken(scorer(arrays["pred"], arrays["gt"], **given), case, problem, one), limit)
    return outcome, [key for key, value in held.items() if _fingerprint(value) != before[key]]


def _fingerprint(array: np.ndarray[Any, Any]) -> tuple[Any, ...]:
    return array.shape, array.dtype.str, array.tobytes()


def _keywords(
    case: Case, problem: Problem, scorer: Callable[..., Any], only_metric: str | None
) -> tuple[dict[str, Any], str]:
    """The keywords of the call, and the first that the case needs and the scorer does not take."""
    taken = _parameters(scorer)
    given: dict[str, Any] = {}
    if only_metric is None and (taken is None or "metric" in taken):
        given["metric"] = case.metric
    for key, value in {**COMMON, **problem.options}.items():
        if taken is None or key in taken:
            given[key] = value
        elif key in problem.options:
            return {}, key
    return given, ""


def _parameters(scorer: Callable[..., Any]) -> set[str] | None:
    """Names of the keywords that the scorer takes; None if it takes any, or does not say."""
    try:
        parameters = inspect.signature(scorer).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return None
    # The first two are pred and gt, whatever they are called.
    positional = [each.name for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    keyword = {each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)}
    return keyword - set(positional[:2])


def _taken(answer: Any, case: Case, problem: Problem, one: bool) -> Value:
    """The scorer's answer as plain numbers; runs its code where the answer is an object of its own.

    `one` says that nobody told the scorer the metric: what it answers has to name it.
    """
    if answer is NotImplemented:
        raise _NotOfferedError
    if one and not isinstance(answer, Mapping):
        raise _WrongTypeError(
            f"{_named(answer)} without being told a metric: give the scorer a parameter `metric`, have it return a "
            "dict by metric, or say which metric it gives: --metric"
        )
    labels = list(problem.expected) if isinstance(problem.expected, Mapping) else None
    if isinstance(answer, Mapping) and (labels is None or case.metric in answer):
        if case.metric not in answer:
            raise _NotOfferedError
        answer = answer[case.metric]
    if labels is None:
        return _number(answer)
    if not isinstance(answer, Mapping):
        raise _WrongTypeError(f"{_named(answer)}, expected a dict of numbers by label")
    texts = {str(key): value for key, value in answer.items()}
    if set(texts) != set(labels):
        raise _WrongTypeError(f"labels {', '.join(sorted(texts))}, expected {', '.join(labels)}")
    return {label: _number(texts[label]) for label in labels}


def _number(answer: Any) -> float:
    shape = getattr(answer, "shape", None)
    if isinstance(answer, bool | np.bool_ | str | bytes) or answer is None or shape not in (None, ()):
        raise _WrongTypeError(f"{_named(answer)}, expected a number")
    if isinstance(answer, complex | np.complexfloating) or not hasattr(answer, "__float__"):
        raise _WrongTypeError(f"{_named(answer)}, expected a number")
    return float(answer)


def _named(answer: Any) -> str:
    shape = getattr(answer, "shape", None)
    size = f" of shape {tuple(shape)}" if isinstance(shape, tuple) and shape else ""
    return f"{type(answer).__name__}{size}"


def _judged(
    case: Case, problem: Problem, outcome: Outcome, changed: list[str], limit: float, *, refused: bool = False
) -> Result:
    """The verdict on what came of the call; `refused` if the scorer refused what is to be refused, and only that."""

    def result(verdict: Verdict, *what: str, got: Value | None = None) -> Result:
        if changed and verdict is not Verdict.NOT_OFFERED:
            what = (*what, f"changes its inputs: {', '.join(changed)}")
            if verdict in (Verdict.CONFORMS, Verdict.CONVENTION):
                verdict = Verdict.DEFECT
        return Result(case, verdict, what, problem.expected, got, problem.tolerance, outcome.printed)

    if refused:
        return result(Verdict.CONFORMS)
    if outcome.too_long:
        return result(Verdict.FAILED, f"took longer than {limit:g} s")
    if isinstance(outcome.error, _NotOfferedError | NotImplementedError):
        return result(Verdict.NOT_OFFERED, _NOT_OFFERED)
    if isinstance(outcome.error, _WrongTypeError):
        return result(Verdict.FAILED, f"returned {outcome.error}")
    if outcome.error is not None:
        said = f"raised {outcome.error_text}"
        return result(Verdict.DEFECT, problem.raising, said) if problem.raising else result(Verdict.FAILED, said)
    got: Value = outcome.value
    numbers = list(got.values()) if isinstance(got, Mapping) else [got]
    if not all(math.isfinite(number) for number in numbers):
        said = f"returned {next(number for number in numbers if not math.isfinite(number))}"
        return result(Verdict.DEFECT, problem.not_finite, said) if problem.not_finite else result(Verdict.FAILED, said)
    right = (*(() if isinstance(problem.expected, Refusal) else (problem.expected,)), *problem.also)
    if any(_close(got, value, problem.tolerance) for value in right):
        return result(Verdict.CONFORMS, got=got)
    known = [deviation for deviation in problem.deviations if _is(deviation, got, problem.tolerance)]
    if not known:
        return _unknown(result, problem, got, case)
    grave = any(deviation.kind == "defect" for deviation in known)
    names = " or ".join(deviation.name for deviation in known)
    return result(Verdict.DEFECT if grave else Verdict.CONVENTION, names, got=got)


def _unknown(result: Callable[..., Result], problem: Problem, got: Value, case: Case) -> Result:
    """A value that no deviation of the case explains; perhaps another unit does."""
    if isinstance(problem.expected, float):
        in_percent = case.metric.startswith(("PCK", "NPCK", "AUC", "PSS"))
        units = {100.0: "a share of 1 in place of per cent"} if in_percent else {1000.0: "answers in metres"}
        for factor, name in units.items():
            scaled = got * factor if isinstance(got, float) else math.nan
            if problem.expected and _close(scaled, problem.expected, problem.tolerance):
                return result(Verdict.CONVENTION, name, got=got)
    said = "a number where refusal was expected" if isinstance(problem.expected, Refusal) else "not a deviation known"
    return result(Verdict.OTHER, said, got=got)


def _is(deviation: Deviation, got: Value, tolerance: float) -> bool:
    return any(_close(got, value, tolerance) for value in deviation.values)


def _close(got: Value, value: Value, tolerance: float) -> bool:
    if isinstance(got, Mapping) and isinstance(value, Mapping):
        return got.keys() == value.keys() and all(_close(got[key], value[key], tolerance) for key in got)
    if isinstance(got, Mapping) or isinstance(value, Mapping):
        return False
    return abs(got - value) <= tolerance
