"""`posebench conformance`: loading a scorer, the formats, the exit codes."""

from __future__ import annotations

import json
import sys

import pytest

from posebench.conformance import all_cases, conformance, load_scorer
from posebench.conformance.render import rendered
from posebench.errors import UsageError
from tests.cli.conftest import posebench, refused  # noqa: F401
from tests.support.loading import loaded_by

MPJPE = """\
import numpy as np
from helper_of_a_scorer import distance
def mpjpe(pred, gt):
    print("noise")
    return distance((pred - pred[:, :1]) - (gt - gt[:, :1])).mean()
class Metrics:
    @staticmethod
    def broken(pred, gt):
        raise OSError
value = 3
"""
HELPER = "import numpy as np\ndef distance(x): return np.linalg.norm(x, axis=-1)\n"
CASES = ("--case", "C-MPJPE", "--case", "C-BROADCAST", "--case", "C-PMPJPE")


@pytest.fixture
def scorer(tmp_path, monkeypatch):
    """A file with a scorer, and one beside it that it imports."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / "a scorer.py"
    path.write_text(MPJPE)
    (tmp_path / "helper_of_a_scorer.py").write_text(HELPER)
    yield path
    sys.modules.pop("helper_of_a_scorer", None)


def test_a_scorer_in_a_file_is_run_and_its_defect_named(posebench, scorer) -> None:  # noqa: F811
    run = posebench("conformance", "--scorer", f"{scorer}:mpjpe", "--metric", "MPJPE", *CASES)
    assert run.code == 1
    first, *_, defect, lacking, printed = run.out.splitlines()
    assert first == f"{scorer}:mpjpe: 1 of 2 cases conform; 1 with a known defect; 1 not offered"
    assert defect == "note: C-BROADCAST: defect: one prediction repeated for all poses"
    assert lacking == "note: not offered: the scorer gives MPJPE alone: C-PMPJPE"
    assert printed == "note: the scorer printed 12 characters in 2 cases, which are not shown"


def test_a_scorer_in_a_module_of_the_working_directory_is_found(posebench, scorer, monkeypatch) -> None:  # noqa: F811
    monkeypatch.chdir(scorer.parent)
    scorer.rename(scorer.with_name("scorer_in_a_module.py"))
    arguments = ("--scorer", "scorer_in_a_module:mpjpe", "--metric", "MPJPE", "--case", "C-MPJPE")
    assert posebench("conformance", *arguments).code == 0


def test_json_and_markdown_hold_the_same_verdicts(posebench, scorer) -> None:  # noqa: F811
    arguments = ("conformance", "--scorer", f"{scorer}:mpjpe", "--metric", "MPJPE", *CASES, "--exit-zero", "--format")
    run = posebench(*arguments, "json")
    data = json.loads(run.out)
    assert (run.code, data["schema"], data["conforms"]) == (0, "posebench.conformance/1", False)
    assert [case["verdict"] for case in data["cases"]] == ["conforms", "defect", "not offered"]
    assert data["cases"][1]["what"] == ["one prediction repeated for all poses"]
    assert data["cases"][0]["printed"] == 6
    lines = posebench(*arguments, "md").out.splitlines()
    assert "| C-MPJPE | MPJPE | 17.059 | 17.059 | conforms |" in lines
    assert "- note: C-BROADCAST: defect: one prediction repeated for all poses" in lines


def test_a_scorer_that_offers_nothing_fails(posebench, scorer) -> None:  # noqa: F811
    run = posebench("conformance", "--scorer", f"{scorer}:mpjpe", "--metric", "MPJPE", "--case", "C-CPS")
    assert run.code == 1
    assert "offers none of 1 cases, so that nothing was tested" in run.out


def test_the_cases_are_listed_in_every_format(posebench) -> None:  # noqa: F811
    ids = [case.id for case in all_cases()]
    text = posebench("conformance", "--list").out
    assert [line.split()[0] for line in text.splitlines() if line.startswith("C-")] == ids
    table = posebench("conformance", "--list", "--format", "md").out
    assert [line.split()[1] for line in table.splitlines()[2:]] == ids
    data = json.loads(posebench("conformance", "--list", "--format", "json").out)
    assert [case["id"] for case in data["cases"]] == ids


def test_a_name_with_brackets_and_pipes_stays_text() -> None:
    found = conformance(lambda pred, gt: 1.0, name="[red]a|b[/]", only_metric="MPJPE", cases=["C-MPJPE"])
    assert rendered(found, "terminal").startswith("[red]a|b[/]: ")
    assert "\\[red\\]a\\|b" in rendered(found, "md")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("mpjpe", ("expected MODULE:FUNCTION",)),
        ("module:", ("expected MODULE:FUNCTION",)),
        ("module:not a name", ("expected MODULE:FUNCTION",)),
        ("nowhere.py:score", ("there is no file nowhere.py",)),
        ("no_such_module_here:score", ("cannot be imported", "ModuleNotFoundError")),
        ("posebench.conformance:nope", ("posebench.conformance has no nope",)),
        ("posebench:__version__", ("__version__ is of type str, expected a function",)),
    ],
)
def test_a_scorer_that_cannot_be_loaded_is_refused(posebench, spec: str, words: tuple[str, ...]) -> None:  # noqa: F811
    refused(posebench("conformance", "--scorer", spec), *words)


@pytest.mark.parametrize(
    ("code", "words"),
    [("def (", "SyntaxError"), ("raise SystemExit(0)", "SystemExit"), ("1 / 0", "ZeroDivisionError")],
)
def test_a_file_that_fails_as_it_is_imported_is_refused(posebench, tmp_path, code: str, words: str) -> None:  # noqa: F811
    path = tmp_path / "broken.py"
    path.write_text(code)
    refused(posebench("conformance", "--scorer", f"{path}:score"), "cannot be imported", words)


def test_a_file_that_takes_too_long_to_import_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("posebench.conformance.loading.IMPORT_LIMIT", 0.3)
    path = tmp_path / "endless.py"
    path.write_text("import time\nwhile True: time.sleep(0.01)\n")
    with pytest.raises(UsageError, match=r"took longer than 0\.3 s"):
        load_scorer(f"{path}:score")


def test_a_method_of_a_class_can_be_a_scorer(scorer) -> None:
    assert load_scorer(f"{scorer}:Metrics.broken").__name__ == "broken"


def test_bad_options_are_refused(posebench) -> None:  # noqa: F811
    own = ("conformance", "--scorer", "posebench.conformance:reference")
    refused(posebench("conformance"), "say which scorer")
    refused(posebench(*own, "--list"), "--list shows the cases and runs no scorer")
    refused(posebench(*own, "--format", "html"), "expected terminal, md, json")
    refused(posebench(*own, "--case", "C-NOPE"), "no case 'C-NOPE'")
    refused(posebench(*own, "--metric", "P1"), "no case of the metric 'P1'")
    refused(posebench(*own, "--timeout", "0"), "positive number of seconds")


def test_help_loads_nothing_heavy() -> None:
    arguments = ["posebench", "conformance", "--help"]
    loaded = loaded_by(f"import sys; sys.argv = {arguments}; import posebench.cli as cli; cli.main()")
    assert loaded.isdisjoint({"numpy", "posebench.conformance", "posebench.report"})
