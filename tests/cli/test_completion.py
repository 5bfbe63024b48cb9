"""Completion as shells ask for it: commands, options and names, by the environment variables that their scripts set."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from posebench.banks import bank_names
from posebench.cli import completion
from posebench.metrics.registry import families, resolve
from posebench.protocols import protocol_names
from posebench.skeletons import skeleton_names
from tests.support.loading import loaded_by


@pytest.fixture
def asked(posebench, monkeypatch):
    """What completes a line that somebody types, in a shell; without what a shell would say of each."""

    def ask(line: str, shell: str = "bash") -> list[str]:
        monkeypatch.setenv("_POSEBENCH_COMPLETE", f"complete_{shell}")
        words = line.split(" ")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        run = posebench()
        assert (run.code, run.err) == (0, "")
        if shell == "zsh":
            inside = run.out.partition("((")[2].rpartition("))")[0]
            return [entry.split('"')[1] for entry in inside.splitlines()]
        return [text.partition("\t")[0] for text in run.out.splitlines() if text]

    return ask


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_commands_options_and_names_are_completed_in_every_shell(asked, shell: str) -> None:
    assert asked("posebench pro", shell) == ["protocols"]
    assert asked("posebench bank ver", shell) == ["verify"]
    assert asked("posebench score --allow-m", shell) == ["--allow-missing"]
    assert asked("posebench score --protocol stan", shell) == ["standard"]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("posebench score --protocol ", [*protocol_names(), "all"]),
        ("posebench doctor --protocol ", protocol_names()),
        ("posebench protocols diff standard ", protocol_names()),
        ("posebench score -m ", families()),
        ("posebench compare a.json --metric ", families()),
        ("posebench figure joints --metric ", families()),
        ("posebench score --bank ", bank_names()),
        ("posebench bank show ", bank_names()),
        ("posebench bank verify ", bank_names()),
        ("posebench figure 6 --bank ", bank_names()),
        ("posebench convert --skeleton ", skeleton_names()),
        ("posebench score --gt-skeleton ", skeleton_names()),
    ],
)
def test_names_are_those_that_posebench_knows(asked, line: str, names) -> None:
    assert sorted(asked(line)) == sorted(names)


def test_models_and_configurations_are_those_of_the_zoo(asked) -> None:
    from model_zoo.configs import list_configs
    from model_zoo.registry import list_models

    assert asked("posebench zoo show ") == sorted(list_models()) != []
    assert asked("posebench zoo predict --model ") == sorted(list_models())
    assert asked("posebench zoo train --config open4v-tiny") == [
        name for name in sorted(list_configs()) if name.startswith("open4v-tiny")
    ]


def test_every_metric_that_is_offered_can_be_asked_for() -> None:
    for name in completion.metrics():
        assert resolve(f"{name}@50" if "PSS" in name else name).family.name == name


def test_where_nothing_fits_the_shell_may_complete_files(asked) -> None:
    assert asked("posebench score --protocol ./mine") == []


def test_nothing_heavy_is_loaded_while_somebody_types() -> None:
    start = "import sys, os; sys.argv = ['posebench']; from posebench.cli import main\n"
    for line, allowed in (("posebench score --protocol ", set()), ("posebench score -m ", {"numpy"})):
        said = {"_POSEBENCH_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
        loaded = loaded_by(f"{start}os.environ.update({said})\nmain()")
        heavy = {"numpy", "pandas", "numba", "scipy", "matplotlib", "sklearn", "yaml", "torch", "rich"}
        assert heavy & loaded <= allowed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_shown(posebench, monkeypatch, shell: str) -> None:
    monkeypatch.setenv("_POSEBENCH_COMPLETE", f"source_{shell}")
    run = posebench()
    assert run.code == 0
    assert f"_POSEBENCH_COMPLETE=complete_{shell}" in run.out
    assert "posebench" in run.out.splitlines()[-1 if shell == "fish" else -2]


@pytest.mark.skipif(os.name == "nt", reason="a shell of POSIX")
@pytest.mark.parametrize("option", ["--show-completion", "--install-completion"])
def test_the_shell_that_asks_is_the_one_that_is_served(tmp_path, option: str) -> None:
    command = f"'{sys.executable}' -m posebench {option}; true"
    found = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env={**os.environ, "HOME": str(tmp_path)}, check=True
    )
    said = found.stdout if option == "--show-completion" else (tmp_path / ".bashrc").read_text()
    assert "Traceback" not in found.stderr
    assert "posebench" in said
    if option == "--install-completion":
        assert any("complete_bash" in path.read_text() for path in tmp_path.rglob("*") if path.is_file())
