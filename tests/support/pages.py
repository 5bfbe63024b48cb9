"""The project's pages of Markdown, and the commands and the Python that they show outside of ```console blocks."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

#: First words of a line of code that make it a command.
PROGRAMS = (
    ".ci/run", ".venv-test/bin/python", ".venv-test/bin/ruff", "apt-get", "cd", "clusters/build.sh", "dask", "git",
    "make", "mkdocs", "mpirun", "pip", "posebench", "pytest", "python", "torchrun",
)  # fmt: skip
FENCE = re.compile(r"^(?P<ticks>```+)(?P<word>[^\n]*)\n(?P<body>.*?)^(?P=ticks)[^\S\n]*$", re.M | re.S)
_INDENTED = re.compile(r"(?<=\n\n)(?: {4}[^\n]*\n(?:[^\S\n]*\n(?= {4}))*)+")
_ASSIGNMENT = re.compile(r"[A-Z_]+=\S+")


def script(name: str) -> ModuleType:
    """A script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


run_examples = script("run_examples")


@dataclass(frozen=True)
class Shown:
    """A command that a page shows."""

    page: str
    command: str

    @property
    def words(self) -> list[str]:
        """Its words, without comment."""
        return shlex.split(self.command, comments=True)

    @property
    def is_synopsis(self) -> bool:
        """Whether it says what a command takes, with [optional] parts, a|choice or PLACEHOLDERS; nothing to be run."""
        return bool(re.search(r"(^|\s)\[-|\s\.\.\.(\s|$)|\s\d\|\d|\b\w+\|\w+\|\w+", self.command)) or bool(
            re.search(r"\s(PRED|GT|RESULT|FILE|P|G|IN|OUT)(\s|$)", self.command)
        )


def pages() -> dict[str, str]:
    """All pages of the project by their path, as their text."""
    found = [*DOCS.rglob("*.md"), *ROOT.glob("*.md")]
    for folder in ("clusters", "model_zoo", "examples", "benchmarks", "posebench"):
        found += (ROOT / folder).rglob("*.md")
    return {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in sorted(found)}


def shown_commands(page: str, text: str) -> Iterator[Shown]:
    """Commands in indented blocks and in fences other than console."""
    blocks = [
        found["body"] for found in FENCE.finditer(text) if found["word"].split(" ")[0] in ("", "bash", "sh", "text")
    ]
    outside = FENCE.sub("", text)
    blocks += [re.sub(r"^ {4}", "", found[0], flags=re.M) for found in _INDENTED.finditer(outside)]
    for block in blocks:
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            for part in re.split(r"\s&&\s", line.removeprefix("$ ")):
                words = part.split()
                while words and _ASSIGNMENT.fullmatch(words[0]):
                    words = words[1:]
                if words and words[0] in PROGRAMS and not part.startswith(" "):
                    yield Shown(page, " ".join(words))


def shown_python(text: str) -> list[str]:
    """Blocks of Python that are no file of their own."""
    return [found["body"] for found in FENCE.finditer(text) if found["word"] == "python"]
