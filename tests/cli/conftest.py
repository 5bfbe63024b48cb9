"""Two small files to score, and the command line run in this process: exit code, stdout and stderr."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import posebench as pb
from tests.scoring.plain import pair, poseset

N = 12
KEYS = {
    "subject": ["S9"] * 6 + ["S11"] * 6,
    "action": ["Walking"] * 4 + ["Eating"] * 8,
    "frame": np.arange(N),
}


@dataclass(frozen=True)
class Run:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The last line of stderr; one about compilation may come before."""
        return self.err.splitlines()[-1] if self.err else ""


@pytest.fixture
def posebench(monkeypatch, capsys):
    """A function that runs `posebench` with some arguments; fails on an exception that a user would see."""
    from posebench.cli import main

    def run(*arguments: object) -> Run:
        monkeypatch.setattr(sys, "argv", ["posebench", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Run(ended.value.code or 0, captured.out, captured.err)

    return run


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The working directory, with pred.npz and gt.npz of twelve poses in it."""
    monkeypatch.chdir(tmp_path)
    pred, gt = pair(N)
    pb.write(poseset(pred, **KEYS), "pred.npz")
    pb.write(poseset(gt, **KEYS), "gt.npz")
    return tmp_path


@pytest.fixture
def score(posebench, folder):
    """`posebench score` on the two files, or on others."""

    def run(*arguments: object, pred: object = "pred.npz", gt: object = "gt.npz") -> Run:
        return posebench("score", "--pred", pred, "--gt", gt, *arguments)

    return run


def refused(run: Run, *words: str) -> None:
    """Exit code 2, nothing on stdout, and one sentence that holds the words."""
    assert run.code == 2
    assert run.out == ""
    assert run.sentence.startswith("posebench: ")
    for word in words:
        assert word in run.sentence
