"""A folder for each test in which every command can be called, and the command line run in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from posebench.datasets import catalog, fetching
from posebench.datasets.catalog import CATALOGUE, Wheel
from posebench.datasets.open4v import writer
from posebench.datasets.open4v.splits import Clip
from tests.cli.conftest import Run, posebench  # noqa: F401 - a fixture
from tests.faults import material
from tests.support.open4v import Blank, stick_body
from tests.support.pose2sim import fake_wheels, wheel_bytes

CLIPS = [Clip("train", f"syn0{n}", f"syn0{n}_01", 1, take=1, frames=2) for n in (1, 2)]


@pytest.fixture(scope="session")
def given(tmp_path_factory) -> Path:
    """The folder with everything that commands read."""
    return material.make(tmp_path_factory.mktemp("given"))


@pytest.fixture(autouse=True)
def _one_thread():
    if not material.NETWORKS:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def stand_ins(monkeypatch) -> None:
    """Small wheels in place of those of pose2sim, and blank pictures of two clips in place of Open4V."""
    wheels = tuple(Wheel(**fields) for fields in fake_wheels())
    entry = replace(CATALOGUE["pose2sim"], wheels=wheels)
    monkeypatch.setattr(catalog, "CATALOGUE", {**CATALOGUE, "pose2sim": entry})

    def download(requirement: str, folder: Path, **_: object) -> None:
        release = requirement.partition("==")[2]
        (folder / f"pose2sim-{release}-py3-none-any.whl").write_bytes(wheel_bytes(release))

    monkeypatch.setattr(fetching, "_by_pip", lambda wheel: download)
    bodies = {clip.subject: stick_body() for clip in CLIPS}
    monkeypatch.setattr(writer, "_stage", (writer.Stage(Blank(32), bodies, 0), "jpg"))
    monkeypatch.setattr(writer, "clips_of", lambda *_, **__: CLIPS)
    monkeypatch.setattr(writer, "opengl_version", lambda: "none")
    monkeypatch.setattr(writer, "_bodies", lambda *_: bodies)
    monkeypatch.setattr(
        writer, "run_parts", lambda place, waiting, total, make, *_, **__: sum(make(place, each) for each in waiting)
    )


@pytest.fixture
def work(tmp_path, given, monkeypatch, stand_ins) -> Path:
    """The working directory: links to what is given, and an empty `out`. Caches are here too."""
    for path in given.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POSEBENCH_DATA", raising=False)
    monkeypatch.setenv("POSEBENCH_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def call(work, posebench) -> Callable[..., Run]:  # noqa: F811 - the fixture
    """A function that calls the command of a case in the working directory, or with other arguments."""
    return lambda case, *arguments: posebench(*(arguments or case.arguments))


def content(folder: Path) -> dict[str, bytes]:
    """What the files below a folder hold."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def leftovers(folder: Path) -> list[str]:
    """Files of temporary names."""
    from posebench.io.atomic import is_leftover

    return [str(path) for path in folder.rglob("*") if is_leftover(path) or ".tmp" in path.name]


def sentence_of(run: Run) -> str:
    """The last line that was said, where a command was refused: exit code 2, and no line of Python."""
    assert run.code == 2, (run.out, run.err)
    said = run.sentence
    assert said.startswith("posebench: "), run.err
    assert "Error" not in said
    return said


def printed(argument: str) -> str:
    """How a name is told."""
    return argument.encode(sys.stdout.encoding or "utf-8", "backslashreplace").decode()
