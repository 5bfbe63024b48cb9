"""`posebench figure joints|errors|pck|poses|faults`: what they write and print, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

import posebench as pb
from tests.cli.conftest import posebench as posebench
from tests.cli.conftest import refused
from tests.support.poses import people


@pytest.fixture
def here(tmp_path, monkeypatch, posebench):
    """The working directory, with gt.npz, a.npz, b.npz and their results."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    poses = people(rng, 40)
    facts = {"skeleton": "h36m17", "unit": "mm", "reference": "camera", "sequence": "walk", "frame": np.arange(40)}
    pb.write(pb.PoseSet(poses, **facts), "gt.npz")
    for name, noise in (("a", 50), ("b", 20)):
        pb.write(pb.PoseSet(poses + rng.normal(0, noise, poses.shape), **facts), f"{name}.npz")
        run = posebench(
            "score", "--pred", f"{name}.npz", "--gt", "gt.npz", "-m", "MPJPE", "--explain", "-o", f"{name}.json"
        )
        assert run.code == 0
    return tmp_path


def test_charts_of_results_are_written(posebench, here) -> None:
    for command, said in (
        ("joints", "MPJPE of 17 joints, base, b"),
        ("errors", "MPJPE of 40 frames of base and 40 frames of b"),
        ("faults", "MPJPE of base, b by fault"),
    ):
        run = posebench("figure", command, "base=a.json", "b.json", "-o", f"{command}.pdf", "-o", f"{command}.png")
        assert (run.code, run.err) == (0, "")
        assert run.out == f"{command}.pdf: {said}\n{command}.png: {said}\n"
        assert (here / f"{command}.pdf").read_bytes()[:4] == b"%PDF"
        assert (here / f"{command}.png").read_bytes()[1:4] == b"PNG"


def test_charts_of_predictions_are_written(posebench, here) -> None:
    value = pb.pck(pb.read("a.npz").poses, pb.read("gt.npz").poses, threshold=100)
    run = posebench(
        "figure", "pck", "--pred", "base=a.npz", "--pred", "b.npz", "--gt", "gt.npz", "--up-to", 100, "-o", "p.pdf"
    )
    assert run.code == 0
    assert run.out.startswith(f"p.pdf: PCK@100: base {value:.2f} %, b ")
    run = posebench("figure", "poses", "--pred", "a.npz", "--gt", "gt.npz", "--pick", "typical", "-o", "g.pdf")
    assert run.code == 0
    assert run.out.endswith("frames of a.npz\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("joints", "a.json", "-o", "f.gif"), ("ending '.gif'", ".png, .svg, .pdf")),
        (("joints", "a.json", "-o", "nowhere/f.png"), ("nowhere/f.png", "No such file or directory")),
        (("joints", "none.json", "-o", "f.png"), ("none.json", "cannot be read as a result")),
        (("joints", "a.json", "-m", "PCK", "-o", "f.png"), ("a.json: has no PCK@150; it has MPJPE",)),
        (("joints", "a.json", "a.json", "-o", "f.png"), ("two models are called 'a'",)),
        (("errors", "x=a.json,b.json", "-o", "f.png"), ("x: 2 files",)),
        (("pck", "--pred", "a.npz", "--pred", "a.npz", "--gt", "gt.npz", "-o", "f.png"), ("have the same name",)),
        (("pck", "--pred", "a.npz", "--gt", "gt.npz", "--protocol", "all", "-o", "f.png"), ("under one protocol",)),
        (("poses", "--pred", "a.npz", "--gt", "gt.npz", "--pick", "best", "-o", "f.png"), ("--pick best",)),
        (("poses", "--pred", "a.npz", "--gt", "none.npz", "-o", "f.png"), ("none.npz",)),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_sentence(posebench, here, arguments, words) -> None:
    refused(posebench("figure", *arguments), *words)
    assert not list(here.glob("f.*"))


@pytest.mark.parametrize("command", ["joints", "errors", "pck", "poses", "faults"])
def test_help_loads_nothing_heavy(command) -> None:
    from tests.support.loading import loaded_by
    from tests.test_public_api import HEAVY

    arguments = ["posebench", "figure", command, "--help"]
    loaded = loaded_by(f"import sys; sys.argv = {arguments}; import posebench.cli as cli; cli.main()")
    assert loaded.isdisjoint(HEAVY)
