"""The public names stay, answer fast and are documented."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import posebench
from tests.support.loading import loaded_by

NAMES = Path(__file__).with_name("public_names.txt").read_text(encoding="utf-8").split()
HEAVY = ("numpy", "scipy", "sklearn", "numba", "pandas", "matplotlib", "torch", "model_zoo")
COMMANDS = (
    "",
    "score",
    "bank",
    "bank build",
    "bank show",
    "compare",
    "conformance",
    "convert",
    "protocols",
    "demo",
    "doctor",
    "data",
    "data fetch",
    "figure",
    "figure 4",
    "published",
    "published list",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_stays(name: str) -> None:
    assert name in posebench.__all__
    assert getattr(posebench, name) is not None


def test_the_list_of_public_names_is_complete_and_sorted() -> None:
    assert sorted(posebench.__all__) == NAMES, "enter new public names in tests/public_names.txt, in sorted order"


def test_importing_posebench_loads_nothing_heavy() -> None:
    loaded = loaded_by("import posebench")
    assert "posebench" in loaded
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"posebench {command}")
def test_help_loads_nothing_heavy(command: str) -> None:
    arguments = ["posebench", *command.split(), "--help"]
    loaded = loaded_by(f"import sys; sys.argv = {arguments}; import posebench.cli as cli; cli.main()")
    assert "typer" in loaded
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize("name", [name for name in NAMES if inspect.isfunction(getattr(posebench, name, None))])
def test_a_public_function_shows_an_example(name: str) -> None:
    text = inspect.getdoc(getattr(posebench, name)) or ""
    assert "\nExamples\n--------\n>>> " in text
