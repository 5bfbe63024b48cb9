"""What pages show as output is what their commands print."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_SPEC = importlib.util.spec_from_file_location("run_examples", ROOT / "docs" / "run_examples.py")
run_examples = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(run_examples)
DOCS = ROOT / "docs"
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if "```console" in page.read_text("utf-8")]
WITH_MOCAP = [page for page in PAGES if "<!-- mocap -->" in page.read_text("utf-8")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_commands_print_what_the_page_shows(page: Path, tmp_path) -> None:
    text = page.read_text("utf-8")
    assert run_examples.fresh(text, tmp_path, mocap=False) == text


@pytest.mark.mocap
@pytest.mark.parametrize("page", WITH_MOCAP, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_commands_on_motion_capture_print_what_the_page_shows(page: Path, tmp_path) -> None:
    text = page.read_text("utf-8")
    assert run_examples.fresh(text, tmp_path, mocap=True) == text


def test_a_page_that_shows_something_else_is_noticed(tmp_path) -> None:
    page = "```console\n$ posebench protocols diff standard standard\nsomething else\n```\n"
    assert "score the same frames in the same way" in run_examples.fresh(page, tmp_path, mocap=False)
    with pytest.raises(SystemExit, match="ended with 2"):
        run_examples.fresh("```console\n$ posebench protocols show nope\n```\n", tmp_path, mocap=False)


def test_a_block_with_a_name_is_a_file_for_the_commands_below_it(tmp_path) -> None:
    page = '```python title="two.py"\nprint(1 + 1)\n```\n\n```console\n$ python two.py\n3\n```\n'
    assert run_examples.fresh(page, tmp_path, mocap=False) == page.replace("\n3\n", "\n2\n")
