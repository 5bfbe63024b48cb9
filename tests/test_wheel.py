"""What the wheel holds, what it asks for, and under which licences that comes.

The wheel is the one that POSEBENCH_WHEEL names, as `.ci/test-wheel` has it, else one that is built of the checkout.
"""

from __future__ import annotations

import email
import os
import re
import zipfile
from email.message import Message
from importlib import metadata
from pathlib import Path

import pytest

import posebench as pb
from posebench import environment
from posebench.environment import Package

ROOT = Path(__file__).parents[1]

#: Licences that may be used beside Apache-2.0 with no more than naming them; as packages spell them.
ACCEPTED = {
    *("0BSD", "Apache-2.0", "Apache 2.0", "Apache Software License", "Apache-2.0 WITH LLVM-exception", "BSD"),
    *(
        "BSD License",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSD 3-Clause License",
        "BSL-1.0",
        "CC0-1.0",
        "HPND",
        "ISC",
        "MIT",
    ),
    *("MIT", "MIT License", "MIT-CMU", "PSF-2.0", "Python Software Foundation License", "Zlib", "Apache License 2.0"),
    *(
        "3-Clause BSD License",
        "BSD 3-Clause",
        "Apache License, Version 2.0",
        "Apache License, Version 2.0 (Apache-2.0)",
    ),
}
#: Packages whose metadata state none, and what their own files say.
STATED_ELSEWHERE = {"anny": "Apache-2.0, in LICENSE of its source; the body model's data are CC0-1.0"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """The wheel."""
    said = os.environ.get("POSEBENCH_WHEEL")
    if said is None:
        builder = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(ROOT))
        (said,) = builder.build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"])
    return zipfile.ZipFile(said)


@pytest.fixture(scope="module")
def facts(wheel) -> Message:
    """Its metadata."""
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return email.message_from_bytes(wheel.read(name))


@pytest.fixture
def listed(facts, monkeypatch) -> tuple[Package, ...]:
    """What `posebench env --licences` lists where this wheel is installed."""
    monkeypatch.setattr(environment.metadata, "requires", lambda name: facts.get_all("Requires-Dist"))
    return environment.environment().packages


def files(folder: str, *suffixes: str) -> list[str]:
    """Files of the checkout below a folder, by their ends."""
    place = ROOT / folder
    return [
        path.relative_to(place).as_posix()
        for path in place.rglob("*")
        if path.is_file() and path.suffix in suffixes and "__pycache__" not in path.parts
    ]


@pytest.mark.checkout
@pytest.mark.parametrize(
    ("folder", "inside", "suffixes"),
    [
        ("posebench", "posebench", (".py", ".yaml", ".css", ".js")),
        ("model_zoo", "model_zoo", (".py", ".yaml", ".safetensors", ".md")),
        ("clusters", "posebench/clusters", (".npz", ".json")),
        ("docs/results", "posebench/results", (".json", ".yaml")),
        ("examples/data/pose2sim", "posebench/examples/pose2sim", (".npz",)),
        ("examples/data/zoo", "posebench/examples/zoo", (".jpg", ".json", ".npz")),
    ],
)
def test_every_file_of_the_checkout_that_is_used_is_in_the_wheel(wheel, folder: str, inside: str, suffixes) -> None:
    wanted = files(folder, *suffixes)
    assert wanted
    held = set(wheel.namelist())
    assert [name for name in wanted if f"{inside}/{name}" not in held] == []
    for name in wanted:
        assert wheel.getinfo(f"{inside}/{name}").file_size == (ROOT / folder / name).stat().st_size


def test_the_wheel_holds_banks_protocols_published_numbers_results_and_a_model(wheel) -> None:
    held = wheel.namelist()
    assert wheel.testzip() is None
    for pattern, least in {
        r"posebench/clusters/.*-k\d+\.npz": 2,
        r"posebench/protocols/.*\.yaml": 5,
        r"posebench/published/.*\.yaml": 1,
        r"posebench/results/.*/open4v-seed0\.json": 1,
        r"model_zoo/weights/.*\.safetensors": 1,
        r"posebench/py\.typed": 1,
        r".*\.dist-info/licenses/.*LICENSE": 1,
    }.items():
        assert sum(bool(re.fullmatch(pattern, name)) for name in held) >= least, pattern
    assert not [name for name in held if name.startswith(("tests/", "docs/", ".ci/")) or "__pycache__" in name]


def test_the_version_stands_in_one_place(facts) -> None:
    assert facts["Version"] == pb.__version__


@pytest.mark.checkout
def test_whoever_cites_posebench_cites_this_version() -> None:
    assert f"version: {pb.__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    said = [path for path in (ROOT / "posebench").rglob("*.py") if "__version__ = " in path.read_text("utf-8")]
    assert [path.name for path in said] == ["__init__.py"]


def test_the_list_of_licences_covers_all_that_the_wheel_asks_for(facts, listed) -> None:
    own = re.compile(r"posebench-hpe\b")
    dev = re.compile(r"extra == ['\"]dev['\"]")
    asked = {re.split(r"[\s<>=!~\[;]", line)[0] for line in facts.get_all("Requires-Dist") if not dev.search(line)}
    assert {name for name in asked if not own.match(name)} == {package.name for package in listed}


@pytest.mark.checkout
def test_the_page_names_every_package_with_its_licence(listed) -> None:
    page = (ROOT / "docs" / "licences.md").read_text("utf-8")
    rows = {row.split(" | ")[0]: row.split(" | ")[2] for row in re.findall(r"^\| (.*) \|$", page, re.MULTILINE)}
    assert set(rows) - {"package"} == {package.name for package in listed}
    for package in listed:
        # Metadata may spell the same licence otherwise in another version.
        assert package.licence is None or rows[package.name].split()[0] == package.licence.split()[0], package


def test_no_licence_asks_for_more_than_to_be_named(listed) -> None:
    for package in listed:
        if package.version is None:
            continue
        if package.licence is None:
            assert package.name in STATED_ELSEWHERE, package
            continue
        parts = re.split(r" AND | OR |; ", package.licence)
        assert set(parts) <= ACCEPTED, package


def test_what_is_installed_is_what_the_metadata_say(facts) -> None:
    assert metadata.version("posebench-hpe") == pb.__version__
    assert facts["License-Expression"] == "Apache-2.0 AND BSD-3-Clause"
