"""`posebench env`: versions without importing anything, and no value of a variable."""

from __future__ import annotations

import json
from importlib import metadata

from typer.testing import CliRunner

from posebench import __version__, environment
from posebench.cli.app import app


def run(*words: str) -> str:
    done = CliRunner().invoke(app, ["env", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_it_names_versions_of_what_is_needed_and_what_is_not_installed(monkeypatch) -> None:
    real = metadata.metadata

    def without_dask(name: str):
        if name == "dask":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(environment.metadata, "metadata", without_dask)
    told = run()
    assert told.startswith(f"posebench {__version__}, CPython 3.")
    assert f"  numpy {metadata.version('numpy')}\n" in told
    assert "extra distributed:\n  dask not installed\n" in told
    assert "pytest" not in told


def test_variables_are_named_and_their_values_are_not_told(monkeypatch) -> None:
    for name in environment.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert "variables set: none\n" in run()
    monkeypatch.setenv("POSEBENCH_RUNS", "secret")
    told = run() + run("--json")
    assert "variables set: POSEBENCH_RUNS\n" in told
    assert "secret" not in told


def test_licences_come_from_the_packages_metadata() -> None:
    told = run("--licences")
    assert f"  numpy {metadata.version('numpy')}, " in told
    packages = {package["name"]: package for package in json.loads(run("--json"))["packages"]}
    assert "BSD" in packages["numpy"]["licence"]
    assert all(len(package["licence"] or "") < 200 for package in packages.values())


def test_a_licence_is_told_by_its_name_not_by_its_text() -> None:
    class Facts(dict):
        def get_all(self, name: str):
            return [self[name]] if name in self else None

    long = Facts(
        License="Permission is hereby granted\n" + "x" * 900, Classifier="License :: OSI Approved :: MIT License"
    )
    assert environment._licence(long) == "MIT License"
    assert environment._licence(Facts({"License-Expression": "Apache-2.0", "License": "MIT"})) == "Apache-2.0"
    assert environment._licence(Facts(License="BSD-3-Clause")) == "BSD-3-Clause"
    assert environment._licence(Facts()) is None
