"""What the README shows is what posebench prints."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from posebench.cli import main
from posebench.resources import resource

README = Path(__file__).parents[1] / "README.md"


def test_the_output_shown_is_the_output_of_the_command_shown(monkeypatch, capsys):
    block = re.search(r"    \$ (posebench score .*)\n\n((?:    .*\n|\n)+)", README.read_text("utf-8"))
    command, shown = block[1], block[2]
    monkeypatch.chdir(resource("examples", "pose2sim"))
    monkeypatch.setattr(sys, "argv", command.split())
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0
    lines = [line.removeprefix("    ").rstrip() for line in shown.strip("\n").splitlines()]
    assert capsys.readouterr().out.strip("\n").splitlines() == lines
