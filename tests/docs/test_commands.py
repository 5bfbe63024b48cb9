"""Every command and every block of Python that a page shows is run.

Blocks of ```console are run and compared by tests/test_documentation.py. What cannot be run stands in not_run.py.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.not_run import COMMANDS, PYTHON, Left
from tests.docs.stage import PRELUDE, PREPARE, general
from tests.support.pages import ROOT, Shown, pages, run_examples, shown_commands, shown_python

PAGES = pages()
SHOWN = {page: list(shown_commands(page, text)) for page, text in PAGES.items()}
BLOCKS = {page: shown_python(text) for page, text in PAGES.items()}


def left(page: str, text: str, entries: tuple[Left, ...]) -> Left | None:
    """The entry that says why something is not run."""
    for entry in entries:
        lines = (text,) if entries is COMMANDS else text.splitlines()
        if entry.page in ("", page) and any(line.strip().startswith(entry.begins) for line in lines):
            return entry
    return None


def to_run(page: str) -> list[Shown]:
    return [each for each in SHOWN[page] if not each.is_synopsis and left(page, each.command, COMMANDS) is None]


def blocks_to_run(page: str) -> list[str]:
    return [block for block in BLOCKS[page] if left(page, block, PYTHON) is None]


def staged(page: str, folder: Path) -> None:
    """The files that a page speaks of, and those that it shows."""
    general(folder)
    for name in ("examples", "docs"):
        (folder / name).symlink_to(ROOT / name)
    for found in run_examples.BLOCK.finditer(PAGES[page]):
        if found["file"]:
            (folder / found["file"]).write_text(found["body"], "utf-8")
    for prepare in PREPARE.get(page, ()):
        prepare(folder)


def needs_torch(page: str) -> bool:
    return "<!-- zoo -->" in PAGES[page] or page in ("docs/models.md", "docs/adapters.md", "model_zoo/README.md")


# ------------------------------------------------------------------------------------------------------------------ run


@pytest.mark.parametrize("page", [page for page in PAGES if to_run(page)])
def test_the_commands_of_a_page_run(page: str, tmp_path) -> None:
    if needs_torch(page) and not find_spec("torch"):
        pytest.skip("needs torch")
    staged(page, tmp_path)
    for shown in to_run(page):
        if "--scheduler" in shown.command and not find_spec("distributed"):
            continue
        run_examples.run(re.sub(r"\s+(?:#|>).*$", "", shown.command), tmp_path)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_to_run(page)])
def test_the_python_of_a_page_runs(page: str, tmp_path) -> None:
    if needs_torch(page) and not find_spec("torch"):
        pytest.skip("needs torch")
    staged(page, tmp_path)
    code = "import posebench as pb\n" + PRELUDE.get(page, "") + "\n".join(blocks_to_run(page))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# ------------------------------------------------------------------------------------------------------------- spelling


def options_of(words: list[str]) -> tuple[set[str], str]:
    """All options of the command that words name, from its help; and what it is called."""
    from typer.main import get_command

    from posebench.cli.app import app

    command, name = get_command(app), ["posebench"]
    for word in words[1:]:
        inner = getattr(command, "commands", {}).get(word)
        if inner is None:
            break
        command, name = inner, [*name, word]
    assert not getattr(command, "commands", {}) or len(words) == 1 or words[1].startswith("-"), " ".join(words)
    options = {spelt for param in command.params for spelt in (*param.opts, *param.secondary_opts)}
    return options | {"-h", "--help"}, " ".join(name)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(s.command.startswith("posebench") for s in SHOWN[page])]
)
def test_commands_have_the_options_that_a_page_gives_them(page: str) -> None:
    for shown in SHOWN[page]:
        words = re.sub(r"\s+#.*$", "", shown.command).replace("[", " ").replace("]", " ").split()
        if words[0] != "posebench":
            continue
        options, name = options_of([word.partition("|")[0] for word in words])
        for word in words[1:]:
            if re.fullmatch(r"-[a-zA-Z]|--[a-z][\w-]*", word):
                assert word in options, f"{page}: {shown.command}\n{name} has no option {word}"


# --------------------------------------------------------------------------------------------------------- what is left


@pytest.mark.parametrize("entry", [*COMMANDS, *PYTHON], ids=lambda entry: f"{entry.page}:{entry.begins}"[:60])
def test_what_is_not_run_has_a_reason_and_something_that_runs_the_same(entry: Left) -> None:
    assert entry.why
    assert (ROOT / entry.instead).is_file(), entry.instead
    if entry in COMMANDS:
        fits = [s for page in SHOWN for s in SHOWN[page] if left(page, s.command, COMMANDS) is entry]
    else:
        fits = [block for page in BLOCKS for block in BLOCKS[page] if left(page, block, PYTHON) is entry]
    assert fits, "no page shows this any more"


def test_what_ci_runs_is_what_the_list_says() -> None:
    ci = "".join((ROOT / ".ci" / name).read_text("utf-8") for name in ("run", "test-wheel"))
    for command in ("make demo", "make test", "pip install", "apt-get install", ".ci/test-wheel core"):
        assert command in ci


def test_commands_are_found_in_indented_blocks_and_fences_and_joined() -> None:
    text = (
        "Text\n\n    $ posebench score --pred a \\\n        --gt b  # why\n    output\n\n"
        "```bash\nX=1 make all && cd b\n```\n"
        "\n```console\n$ posebench demo\n```\n\n    posebench score --pred P [-o FILE]\n"
    )
    found = list(shown_commands("p", text))
    assert [" ".join(shown.command.split()) for shown in found] == [
        "make all",
        "cd b",
        "posebench score --pred a --gt b # why",
        "posebench score --pred P [-o FILE]",
    ]
    assert [shown.is_synopsis for shown in found] == [False, False, False, True]
