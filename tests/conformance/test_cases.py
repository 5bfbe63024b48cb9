"""Our own scorer conforms, a plain second one does, and every fault that the suite says it knows it finds and names."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

import posebench.conformance
from posebench.conformance import Verdict, all_cases, conformance, reference
from posebench.conformance.model import Refusal
from posebench.conformance.running import _close
from tests.conformance.scorers import FAULTS, Plain

#: Found by the runner in any case, without being entered there.
ANYWHERE = {"a share of 1 in place of per cent", "answers in metres"}
#: Seconds for a call: kernels are compiled at the first, perhaps on a busy machine.
PATIENT = 600


def test_our_own_scorer_conforms_in_every_case() -> None:
    found = conformance(reference, limit=PATIENT)
    assert [(r.case.id, r.what) for r in found.results if r.verdict is not Verdict.CONFORMS] == []
    for result in found.results:
        if result.got is not None and not isinstance(result.expected, Refusal):
            got, expected = (v.values() if isinstance(v, dict) else [v] for v in (result.got, result.expected))
            assert list(got) == pytest.approx(list(expected), rel=1e-9, abs=1e-8), result.case.id


def test_a_plain_scorer_by_the_definitions_conforms_in_every_case() -> None:
    found = conformance(Plain(), limit=PATIENT)
    assert [(r.case.id, r.verdict, r.what) for r in found.results if r.verdict is not Verdict.CONFORMS] == []


@pytest.mark.parametrize(("name", "cases", "scorer"), FAULTS, ids=[type(scorer).__name__ for *_, scorer in FAULTS])
def test_a_faulty_scorer_is_found_out_by_name(name: str, cases: tuple[str, ...], scorer: Plain) -> None:
    found = conformance(scorer, cases=cases, limit=PATIENT)
    assert len(found.results) == len(cases)
    assert not found.conforms
    for result in found.results:
        assert result.verdict in (Verdict.DEFECT, Verdict.CONVENTION), (result.case.id, result.verdict, result.what)
        assert any(name in said.split(" or ") or said == name for said in result.what), (result.case.id, result.what)


def test_every_deviation_that_a_case_knows_has_a_faulty_scorer() -> None:
    shown = {(case, name) for name, cases, _ in FAULTS for case in cases if name not in ANYWHERE}
    known = set()
    for case in all_cases():
        problem = case.build()
        known |= {(case.id, deviation.name) for deviation in problem.deviations}
        known |= {(case.id, name) for name in (problem.raising, problem.not_finite) if name}
    assert known - shown == set()
    assert shown - known == set()


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.id)
def test_a_wrong_value_is_far_from_the_right_one(case) -> None:
    problem = case.build()
    right = [*([] if isinstance(problem.expected, Refusal) else [problem.expected]), *problem.also]
    for deviation in problem.deviations:
        for value in deviation.values:
            for each in right:
                assert not _close(value, each, 10 * problem.tolerance), (deviation.name, value, each)


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.id)
def test_a_case_is_the_same_every_time_and_says_what_it_is_about(case) -> None:
    first, second = case.build(), case.build()
    for name in ("pred", "gt"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert all((case.title, case.trouble, case.source))
    assert isinstance(first.expected, Refusal) is (first.sound is not None)


def test_ids_of_cases_do_not_repeat() -> None:
    ids = [case.id for case in all_cases()]
    assert len(set(ids)) == len(ids)


def test_what_is_expected_comes_from_no_metric_of_posebench() -> None:
    folder = Path(posebench.conformance.__file__).parent
    allowed = {f"posebench.conformance.{name}" for name in ("model", "people", "plain", "cases.declaring")}
    for path in (*folder.glob("cases/*.py"), folder / "plain.py", folder / "people.py"):
        if path.name == "__init__.py":
            continue
        tree = ast.walk(ast.parse(path.read_text("utf-8")))
        used = {node.module for node in tree if isinstance(node, ast.ImportFrom) and node.module != "__future__"}
        assert {name for name in used if name.startswith("posebench")} <= allowed, path.name


def _mpjpe(pred, gt):
    return np.linalg.norm((pred - pred[:, :1]) - (gt - gt[:, :1]), axis=-1).mean()


def _always_raises(pred, gt, *, metric):
    raise RuntimeError("boom")


def _always_nan(pred, gt, *, metric):
    return float("nan")


def test_a_number_of_nobody_knows_which_metric_conforms_nowhere() -> None:
    found = conformance(_mpjpe, limit=PATIENT)
    assert {result.verdict for result in found.results} == {Verdict.FAILED, Verdict.NOT_OFFERED}
    failed = [result for result in found.results if result.verdict is Verdict.FAILED]
    assert all("without being told a metric" in result.what[0] and "--metric" in result.what[0] for result in failed)


def test_a_metric_may_be_named_by_any_of_its_spellings() -> None:
    named, alias = (conformance(_mpjpe, only_metric=name, limit=PATIENT) for name in ("MPJPE", "mpjpe"))
    assert [result.verdict for result in alias.results] == [result.verdict for result in named.results]
    assert Verdict.CONFORMS in {result.verdict for result in named.results}


@pytest.mark.parametrize("scorer", [_always_raises, _always_nan])
def test_a_scorer_that_never_answers_has_no_known_defect(scorer) -> None:
    found = conformance(scorer, limit=PATIENT)
    assert {result.verdict for result in found.results} <= {Verdict.FAILED, Verdict.NOT_OFFERED}
    assert any("boom" in said or "nan" in said for result in found.results for said in result.what)
