"""Every page is in the navigation, and every link leads somewhere: to a file, and to a heading of it."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.support.pages import DOCS, ROOT, pages, script

site_pages = script("site_pages")
PAGES = pages()


def navigation(entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        for target in entry.values() if isinstance(entry, dict) else (entry,):
            if isinstance(target, list):
                yield from navigation(target)
            else:
                yield target


NAVIGATION = list(navigation(yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]))


def headings(markdown: str) -> list[str]:
    """The text of each heading, without marks."""
    text = re.sub(r"^(```+).*?^\1[^\S\n]*$", "", markdown, flags=re.M | re.S)
    found = re.findall(r"^#{1,6} +(.+?)\s*$", text, flags=re.M)
    return [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "") for heading in found]


def of_github(heading: str) -> str:
    """The anchor of a heading on GitHub."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def of_site(heading: str) -> str:
    """The anchor of a heading as Python-Markdown makes it."""
    ascii_only = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", ascii_only).strip().lower())


def anchors(markdown: str, name) -> set[str]:
    seen: Counter[str] = Counter()
    found = set()
    for heading in headings(markdown):
        anchor = name(heading)
        found.add(anchor if not seen[anchor] else f"{anchor}-{seen[anchor]}")
        seen[anchor] += 1
    return found


# ----------------------------------------------------------------------------------------------------------- navigation


def test_every_page_of_the_documentation_is_in_the_navigation_once() -> None:
    written = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    missing = written - set(NAVIGATION)
    assert not missing, f"name in nav of mkdocs.yml: {', '.join(sorted(missing))}"
    assert [page for page, count in Counter(NAVIGATION).items() if count > 1] == []


def test_whatever_the_navigation_names_is_there() -> None:
    made = {**site_pages.generated_pages(), **site_pages.project_files({})}
    lost = [page for page in NAVIGATION if page not in made and not (DOCS / page).is_file()]
    assert lost == []


# ---------------------------------------------------------------------------------------------------------------- links


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_heading(page: str) -> None:
    wrong = []
    for link in site_pages.local_links(PAGES[page]):
        target, _, anchor = link[0].partition("#")
        name = posixpath.normpath(posixpath.join(posixpath.dirname(page), target)) if target else page
        if not (ROOT / name).is_file():
            wrong.append(f"{link[0]}: no such file")
        elif anchor and name.endswith(".md"):
            text = (ROOT / name).read_text("utf-8")
            if not (anchor in anchors(text, of_site) and anchor in anchors(text, of_github)):
                wrong.append(f"{link[0]}: no such heading, on the site or on GitHub")
    assert wrong == []


def test_links_are_found_and_code_is_none() -> None:
    text = (
        "[a](a.md#b) ![c](c.png) `[d](d.md)` ([e](e.md))\n\n    [f](f.md)\n\n```text\n[g](g.md)\n```\n\n[h](https://h)\n"
        "[i\nj](k.md)\n"
    )
    assert [link[0] for link in site_pages.local_links(text)] == ["a.md#b", "c.png", "e.md", "k.md"]


def test_anchors_are_those_of_both_renderers() -> None:
    text = "# Human3.6M's `lists`\n\n## A\n\n## A\n"
    assert anchors(text, of_site) == anchors(text, of_github) == {"human36ms-lists", "a", "a-1"}
    assert of_site("a / b") == "a-b"
    assert of_github("a / b") == "a--b"


# -------------------------------------------------------------------------------------------------- pages that are made


def test_links_that_leave_the_documentation_lead_to_copies_in_the_site() -> None:
    turned = site_pages.turn_links("[a](../../SECURITY.md#x) [b](../pss.md) [c](#d)", "howto/page.md")
    assert turned == "[a](../project/SECURITY.md#x) [b](../pss.md) [c](#d)"
    back = site_pages.turn_links("[a](docs/pss.md#x) [b](NOTICE)", "project/README.md")
    assert back == "[a](../pss.md#x) [b](NOTICE.md)"


def test_what_pages_link_to_is_copied_and_what_that_links_to() -> None:
    found = site_pages.project_files({"a.md": "[x](../clusters/README.md) [y](../NOTICE)"})
    assert {"project/clusters/README.md", "project/NOTICE.md"} <= set(found)
    assert found["project/NOTICE.md"].startswith("# NOTICE\n\n````text\n")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.md is linked to"):
        site_pages.project_files({"a.md": "[x](../nowhere.md)"})


def test_commands_in_blocks_of_console_are_marked() -> None:
    page = "a\n\n```console\n$ x \\\n  y\n1 %\n$ z\n```\n\nb\n"
    assert site_pages.mark_commands(page) == page.replace("```console", '```text hl_lines="1 2 4"')


def test_names_that_share_a_line_of_a_docstring_get_a_line_each() -> None:
    pytest.importorskip("griffe")
    change = script("docstring_names").one_by_one
    head, tail = "What, it is.\n\nParameters\n----------\n", "c : int\n    Text, more.\n\nReturns\n-------\nfloat\n"
    assert change(f"{head}a, b\n    As in d.\n{tail}") == f"{head}a\n    As in d.\nb\n    As in d.\n{tail}"
    assert change("Raises\n------\na, b\n    As in d.\n") == "Raises\n------\na, b\n    As in d.\n"


def test_every_public_name_stands_in_the_reference_once() -> None:
    made = site_pages.generated_pages()
    names = set((ROOT / "tests" / "public_names.txt").read_text("utf-8").split())
    top = Counter(
        name
        for place, text in made.items()
        if place.startswith("api/") and not place.startswith("api/modules/")
        for name in re.findall(r"^::: posebench\.(\w+)$", text, flags=re.M)
    )
    modules = {re.match(r"# (\S+)", made[place])[1] for place in made if place.startswith("api/modules/")}
    assert {name for name, count in top.items() if count > 1} == set()
    left = {name for name in names if f"posebench.{name}" not in modules} - {"__version__"}
    assert set(top) == left


def test_every_bank_data_set_and_model_has_its_card() -> None:
    from posebench.datasets.catalog import CATALOGUE

    made = site_pages.generated_pages()
    banks = {path.stem for path in (ROOT / "clusters").glob("*.json")}
    assert set(headings(made["cards/banks.md"])) - {"Cluster banks"} == banks
    assert set(headings(made["cards/datasets.md"])) - {"Data sets"} == set(CATALOGUE)
    models = {path.stem for path in (ROOT / "model_zoo" / "weights").glob("*.yaml")}
    assert set(headings(made["cards/models.md"])) - {"Models"} == models


def test_cards_say_what_the_files_say() -> None:
    import json

    card = json.loads((ROOT / "clusters" / "cmu-h36m17-k50.json").read_text("utf-8"))
    text = site_pages.generated_pages()["cards/banks.md"]
    assert card["sha256"]["centres"] in text
    assert f"{card['poses']['used']:,} used" in text


def test_pages_are_made_without_numba_and_torch() -> None:
    import subprocess
    import sys

    code = (
        "import runpy, sys; made = runpy.run_path('docs/site_pages.py')['generated_pages'](); "
        "assert made; print(sorted({'numba', 'torch', 'matplotlib', 'pandas', 'mkdocs'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
