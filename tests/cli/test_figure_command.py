"""`posebench figure`: what it writes and prints, and what it refuses before any work."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

import posebench as pb
from posebench.banks import ClusterBank
from tests.cli.conftest import refused
from tests.support.poses import people


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory, with gt.npz and a small bank in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POSEBENCH_DATA", raising=False)
    poses = people(np.random.default_rng(1), 60)
    pb.write(pb.PoseSet(poses, skeleton="h36m17", unit="mm", reference="camera", sequence="walk"), "gt.npz")
    ClusterBank.build(poses, k=4, n_init=1, name="four").save("bank.npz")
    return tmp_path


def files(folder) -> set[str]:
    return set(os.listdir(folder)) - {"gt.npz", "bank.npz", "bank.json"}


def test_figure_4_is_written_and_its_table_printed_and_written(posebench, here) -> None:
    found = posebench(
        "figure", "4", "--gt", "gt.npz", "--bank", "bank.npz", "--level", 20, "--row", 30, "--pairs", 25, "-o", "f.png",
        "-o", "f.pdf", "--table", "t.json", "--table", "t.md",
    )  # fmt: skip
    assert found.code == 0
    assert files(here) == {"f.png", "f.pdf", "t.json", "t.md"}
    data = json.loads((here / "t.json").read_text())
    score = data["levels"][0]["scores"][0]["noise"]["value"]
    assert data["poses"]["source"] == "25 of 60 poses of gt.npz"
    assert f"{score:.1f} [–]" in found.out
    assert f"{score:.1f} " in (here / "t.md").read_text()
    assert "scoring 25 pairs at 2 MPJPEs" in found.err


def test_figure_4_without_a_file_prints_the_table_alone(posebench, here) -> None:
    found = posebench("figure", "4", "--gt", "gt.npz", "--bank", "bank.npz", "--level", 20)
    assert (found.code, files(here)) == (0, set())
    assert "PSS@4 in four" in found.out


def test_figure_5_is_written_in_each_format(posebench, here) -> None:
    found = posebench("figure", "5", "--gt", "gt.npz", "-k", 3, "--poses", 20, "-o", "f.svg", "-o", "f.png")
    assert (found.code, files(here)) == (0, {"f.svg", "f.png"})
    assert found.out.splitlines() == [f"{name}: 20 of 60 poses of gt.npz in 3 clusters" for name in ("f.svg", "f.png")]
    assert "laying out 20 poses by t-SNE" in found.err


def test_figure_6_is_written(posebench, here) -> None:
    found = posebench("figure", "6", "--bank", "bank.npz", "--order", "number", "-o", "f.png")
    assert (found.code, found.out, found.err) == (0, "f.png: 4 centres of four\n", "")
    first = (here / "f.png").read_bytes()
    posebench("figure", "6", "--bank", "bank.npz", "--order", "number", "-o", "f.png")
    assert (here / "f.png").read_bytes() == first


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("4", "--bank", "bank.npz", "--gt", "gt.npz", "-o", "f.gif"), ("f.gif", "ending '.gif'", ".png, .svg, .pdf")),
        (("5", "--gt", "gt.npz", "-o", "f"), ("f: a figure cannot be written with no ending",)),
        (("6", "--bank", "bank.npz", "-o", "nowhere/f.png"), ("nowhere/f.png", "No such file or directory")),
        (("4", "--bank", "bank.npz", "--gt", "gt.npz", "--table", "t.txt"), ("t.txt", ".md, .csv, .json")),
        (("4", "--bank", "bank.npz", "--gt", "gt.npz", "--table", "bank.json"), ("it is the input bank.json",)),
        (("4", "--bank", "bank.npz", "--gt", "gt.npz", "--row", "20"), ("--row", "-o FILE")),
        (("6", "--bank", "bank.npz", "--up", "x", "-o", "f.png"), ("--up x: expected one of -y, y, z, -z",)),
        (("6", "--bank", "bank.npz", "--order", "best", "-o", "f.png"), ("'best'", "size, number")),
        (("6", "--bank", "none-k50", "-o", "f.png"), ("there is no bank 'none-k50'",)),
        (("5", "-o", "f.png"), ("give a file with --gt", "POSEBENCH_DATA")),
        (("4", "--bank", "bank.npz"), ("give a file with --gt", "POSEBENCH_DATA")),
        (("5", "--gt", "nowhere.npz", "-o", "f.png"), ("nowhere.npz: cannot be read",)),
        (("5", "--gt", "gt.npz", "-k", "1", "-o", "f.png"), ("the number of clusters is 1",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_one_sentence_and_nothing_is_written(posebench, here, arguments, words) -> None:
    refused(posebench("figure", *arguments), *words)
    assert files(here) == set()


def test_an_output_is_refused_before_the_inputs_are_read(posebench, here) -> None:
    (here / "gt.npz").write_bytes(b"no file of poses")
    refused(posebench("figure", "5", "--gt", "gt.npz", "-o", "f.gif"), "f.gif")


@pytest.mark.parametrize("arguments", [("5",), ("6",), ("7", "-o", "f.png")])
def test_bad_usage_is_refused(posebench, here, arguments: tuple[str, ...]) -> None:
    found = posebench("figure", *arguments)
    assert (found.code, found.out) == (2, "")
