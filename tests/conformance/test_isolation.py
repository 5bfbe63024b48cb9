"""Whatever a scorer does is a result of its case: it raises, hangs, prints, exits, spoils its inputs."""

from __future__ import annotations

import os
import random
import sys
import threading
import time

import numpy as np
import pytest

from posebench.conformance import Verdict, conformance
from posebench.conformance.isolation import called
from posebench.errors import UsageError
from tests.conformance.scorers import Plain

RIGHT = Plain()


def only(scorer, case: str = "C-MPJPE", **options):
    """The result of one case."""
    (result,) = conformance(scorer, cases=[case], **options).results
    return result


def answering(answer):
    return lambda pred, gt, **options: answer


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no\nsuch \x1b[31mjoint"), "raised ValueError: no such ?[31mjoint"),
        (SystemExit(3), "raised SystemExit: 3"),
        (KeyboardInterrupt(), "raised KeyboardInterrupt"),
        (MemoryError(), "raised MemoryError"),
    ],
)
def test_a_scorer_that_raises_fails_the_case(error: BaseException, said: str) -> None:
    def scorer(pred, gt, **options):
        raise error

    result = only(scorer)
    assert (result.verdict, result.what) == (Verdict.FAILED, (said,))


def test_an_error_that_cannot_be_shown_is_named_by_its_type() -> None:
    class HostileError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def scorer(pred, gt, **options):
        raise HostileError

    assert only(scorer).what == ("raised HostileError",)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (float("nan"), "returned nan"),
        (float("inf"), "returned inf"),
        (None, "returned NoneType, expected a number"),
        ("17.06", "returned str, expected a number"),
        (True, "returned bool, expected a number"),
        (1 + 2j, "returned complex, expected a number"),
        ([17.06], "returned list, expected a number"),
        (np.zeros(3), "returned ndarray of shape (3,), expected a number"),
        ({"MPJPE": np.zeros((3, 17))}, "returned ndarray of shape (3, 17), expected a number"),
    ],
)
def test_an_answer_that_is_no_number_fails_the_case(answer, said: str) -> None:
    result = only(answering(answer))
    assert (result.verdict, result.what) == (Verdict.FAILED, (said,))


def test_an_answer_that_raises_when_it_is_looked_at_fails_the_case() -> None:
    class Trap:
        def __float__(self) -> float:
            raise OSError("trap")

    assert only(answering(Trap())).what == ("raised OSError: trap",)


@pytest.mark.parametrize("kind", [float, np.float64, np.float32, np.asarray])
def test_numbers_of_any_make_are_numbers(kind) -> None:
    def scorer(pred, gt, **options):
        return kind(RIGHT(pred, gt, **options))

    assert only(scorer).verdict is Verdict.CONFORMS


def test_an_unknown_number_is_told_from_a_known_one() -> None:
    result = only(answering(1234.5))
    assert (result.verdict, result.got, result.what) == (Verdict.OTHER, 1234.5, ("not a deviation known",))


def test_labels_that_are_not_those_asked_for_fail_the_case() -> None:
    assert only(answering(1.0), "C-BY-ACTION").what == ("returned float, expected a dict of numbers by label",)
    result = only(answering({"walk": 1.0}), "C-BY-ACTION")
    assert result.what == ("returned labels walk, expected phone, sit, walk",)


def test_a_scorer_that_changes_its_inputs_is_named_though_its_number_is_right() -> None:
    def scorer(pred, gt, **options):
        found = RIGHT(pred, gt, **options)
        pred -= pred[:, :1]
        return found

    result = only(scorer)
    assert (result.verdict, result.what) == (Verdict.DEFECT, ("changes its inputs: pred",))
    assert result.got == pytest.approx(result.expected)


def test_a_scorer_that_changes_a_mask_or_a_shape_is_named() -> None:
    def scorer(pred, gt, *, valid, **options):
        found = RIGHT(pred, gt, valid=valid, **options)
        valid[:] = True
        gt.shape = (-1, 3)
        return found

    assert only(scorer, "C-MASK-MPJPE").what == ("changes its inputs: gt, valid",)


def test_what_a_scorer_prints_is_counted_and_not_shown(capfd) -> None:
    def scorer(pred, gt, **options):
        print("four")
        os.write(1, b"raw")
        sys.stderr.write("!")
        return RIGHT(pred, gt, **options)

    result = only(scorer)
    assert (result.verdict, result.printed) == (Verdict.CONFORMS, 9)
    print("after")
    assert capfd.readouterr() == ("after\n", "")


def test_a_scorer_that_asks_for_input_finds_none() -> None:
    assert only(lambda pred, gt, **options: input("number? ")).what == ("raised EOFError: EOF when reading a line",)


def test_a_scorer_that_takes_too_long_is_stopped_and_the_next_case_runs() -> None:
    def scorer(pred, gt, *, root, **options):
        while root:
            time.sleep(0.01)
        return RIGHT(pred, gt, root=root, **options)

    before = threading.active_count()
    found = conformance(scorer, cases=["C-MPJPE", "C-ROOT-INDEX", "C-BATCH-3"], limit=2)
    assert [result.verdict for result in found.results] == [Verdict.CONFORMS, Verdict.FAILED, Verdict.CONFORMS]
    assert found.results[1].what == ("took longer than 2 s",)
    assert threading.active_count() == before


def test_a_scorer_that_cannot_be_stopped_ends_the_run(monkeypatch) -> None:
    monkeypatch.setattr("posebench.conformance.isolation._GRACE", 0.2)
    freed = threading.Event()

    def scorer(pred, gt, **options):
        while not freed.is_set():
            try:
                freed.wait(0.01)
            except BaseException:  # noqa: S112
                continue
        return 0.0

    found = conformance(scorer, cases=["C-MPJPE", "C-BATCH-3"], limit=0.2)
    freed.set()
    first, second = found.results
    assert first.what == ("took longer than 0.2 s",)
    assert (second.verdict, second.what) == (Verdict.FAILED, ("not run: the scorer still runs, since C-MPJPE",))


def test_what_a_scorer_changes_for_everybody_is_put_back(tmp_path) -> None:
    def scorer(pred, gt, **options):
        np.random.seed(0)
        random.seed(0)
        os.chdir(tmp_path)
        sys.stdout = None
        np.seterr(all="raise")
        return RIGHT(pred, gt, **options)

    folder, stdout, errors = os.getcwd(), sys.stdout, np.geterr()
    legacy, own = np.random.get_state()[1].copy(), random.getstate()
    assert only(scorer).verdict is Verdict.CONFORMS
    assert (os.getcwd(), sys.stdout, np.geterr(), random.getstate()) == (folder, stdout, errors, own)
    np.testing.assert_array_equal(np.random.get_state()[1], legacy)


def test_a_call_without_descriptors_still_counts_what_is_printed() -> None:
    outcome = called(lambda: print("x"), 5)
    assert (outcome.error, outcome.printed) == (None, 2)


# ------------------------------------------------------------------------------------------------------- the protocol


@pytest.mark.parametrize(
    "scorer",
    [
        answering(NotImplemented),
        answering({"PMPJPE": 3.0}),
        lambda pred, gt, **options: (_ for _ in ()).throw(NotImplementedError()),
    ],
)
def test_a_metric_that_a_scorer_does_not_know_is_not_offered(scorer) -> None:
    found = conformance(scorer, cases=["C-MPJPE"])
    assert found.results[0].verdict is Verdict.NOT_OFFERED
    assert not found.conforms  # nothing was tested


def test_a_dict_of_metrics_is_looked_up() -> None:
    def scorer(pred, gt):
        return {"MPJPE": RIGHT(pred, gt, metric="MPJPE"), "PMPJPE": RIGHT(pred, gt, metric="PMPJPE")}

    found = conformance(scorer, cases=["C-MPJPE", "C-PMPJPE", "C-NMPJPE"])
    offered, conforms = Verdict.NOT_OFFERED, Verdict.CONFORMS
    assert [result.verdict for result in found.results] == [conforms, offered, conforms]
    assert found.conforms


def test_a_function_of_one_metric_is_asked_for_that_alone() -> None:
    def scorer(target, output):  # by position, whatever their names
        return RIGHT(target, output, metric="MPJPE")

    chosen = ["C-MPJPE", "C-ROOT-INDEX", "C-PMPJPE", "C-AUC"]
    found = conformance(scorer, only_metric="MPJPE", cases=chosen)
    asked = {result.case.metric for result in found.results if result.verdict is not Verdict.NOT_OFFERED}
    assert asked == {"MPJPE"}
    root = next(result for result in found.results if result.case.id == "C-ROOT-INDEX")
    assert (root.verdict, root.what) == (Verdict.NOT_OFFERED, ("the scorer takes no root",))


def test_refusing_everything_is_no_refusal() -> None:
    def scorer(pred, gt, **options):
        raise ValueError("never")

    result = only(scorer, "C-NAN-MPJPE")
    assert (result.verdict, result.what) == (Verdict.FAILED, ("raised ValueError: never", "for sound poses as well"))


def test_nan_is_a_refusal_where_one_is_expected() -> None:
    def scorer(pred, gt, **options):
        return RIGHT(pred, gt, **options) if np.isfinite(pred).all() else float("nan")

    assert only(scorer, "C-NAN-MPJPE").verdict is Verdict.CONFORMS
    assert only(answering(float("nan")), "C-NAN-MPJPE").what == ("returned nan", "for sound poses as well")
    assert only(answering(None), "C-NAN-MPJPE").what == ("returned NoneType, expected a number",)
    assert only(answering(float("inf")), "C-NAN-MPJPE").verdict is Verdict.FAILED


def test_an_unknown_case_metric_or_limit_is_refused() -> None:
    with pytest.raises(UsageError, match="no case 'C-NOPE'"):
        conformance(RIGHT, cases=["C-NOPE"])
    with pytest.raises(UsageError, match="no case of the metric 'P1'"):
        conformance(RIGHT, only_metric="P1")
    for limit in (0, -1, float("nan")):
        with pytest.raises(UsageError, match="positive number of seconds"):
            conformance(RIGHT, limit=limit)
