"""A table in every format, with names that a hostile file might hold."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from posebench.errors import UsageError
from posebench.tables import PaperTable, build_table
from posebench.tables.render import CSV_COLUMNS, KINDS, content_of, kind_of_file, rendered, write_table
from tests.report.reports import HOSTILE
from tests.tables.results import add_run

FS, RT, SS = (f"open4v-small-lite0-{kind}" for kind in ("fs", "ss-rt", "ss"))


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> PaperTable:
    """Table 3 with two rows, one of them with two seeds."""
    results = tmp_path_factory.mktemp("results")
    add_run(results, RT, noise=40, seeds=2, supervision=["multi-view-rt"])
    add_run(results, SS, noise=50, supervision=["multi-view"])
    return build_table(3, results=results)


@pytest.fixture(scope="module")
def hostile(table) -> PaperTable:
    """Hostile names wherever a file may put one."""
    rows = []
    for k, row in enumerate(table.rows):
        name = HOSTILE[k % len(HOSTILE)]
        numbers = {
            column: replace(number, reasons=(*number.reasons, name), remarks=(name, *number.remarks))
            for column, number in row.numbers.items()
        }
        origins = tuple(replace(origin, path=f"{name}/x.json") for origin in row.origins)
        recipe = row.recipe and replace(row.recipe, name=name, commands=(f"posebench {name}",))
        rows.append(replace(row, label=name, data=name, numbers=numbers, origins=origins, recipe=recipe))
    missing = tuple(
        replace(each, name=name, recipe=each.recipe and replace(each.recipe, commands=(f"posebench {name}",)))
        for each, name in zip(table.missing, HOSTILE, strict=False)
    )
    return replace(table, rows=tuple(rows), missing=missing, notes=HOSTILE)


class Page(HTMLParser):
    """What a browser would make of a page: tags, texts of cells, and their titles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[tuple[str, str | None]] = []
        self.strong: list[str] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "br"):
            self._open.append(tag)
        if tag in ("td", "th"):
            self.cells.append(("", dict(attrs).get("title")))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "strong" in self._open:
            self.strong.append(data)
        if {"td", "th"} & set(self._open):
            text, title = self.cells[-1]
            self.cells[-1] = (text + data, title)


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_is_deterministic_and_ends_with_a_new_line(table, kind: str) -> None:
    text = rendered(table, kind, sources=True)
    assert text == rendered(table, kind, sources=True)
    assert text.endswith("\n")


def test_the_terminals_tables_are_80_columns_wide_at_most(table) -> None:
    text = rendered(table, "terminal")
    lines = text[text.index("\n\n") : text.index("\nnote: ")].splitlines()
    assert max(map(len, lines)) <= 80
    row = next(line for line in lines if line.startswith(f"> {RT}"))
    assert row.count("◂") >= 3
    assert "◂ no number that compares with it is better" in text


def test_the_spread_over_seeds_and_the_interval_stand_apart(table) -> None:
    main, spread = content_of(table).tables
    heads = [column.heading for column in spread.columns]
    assert heads == ["regenerated", "metric", "value", "s.d. over seeds", "seeds", "95 % interval over sequences"]
    rows = [[cell.text for cell in row] for row in spread.rows]
    assert [row[4] for row in rows] == ["2"] * 5 + ["1"] * 5
    assert [row[3] == "–" for row in rows] == [False] * 5 + [True] * 5
    assert all(re.fullmatch(r"\[\d+\.\d\d, \d+\.\d\d\]", row[5]) for row in rows)
    assert len(main.rows) == len(table.rows)


def test_every_mark_has_its_footnote_and_every_footnote_its_mark(table) -> None:
    content = content_of(table)
    marks = {mark for part in content.tables for row in part.rows for cell in row for mark in cell.mark}
    assert marks == {footnote.mark for footnote in content.footnotes}
    assert len({footnote.text for footnote in content.footnotes}) == len(content.footnotes)


def test_sources_name_the_file_and_the_hash_of_each_regenerated_row(table) -> None:
    for kind in ("terminal", "md"):
        text = rendered(table, kind, sources=True).replace("\\", "")
        assert "source of" not in rendered(table, kind)
        for row in table.rows:
            assert all(f"{origin.path}, sha256 {origin.sha256}" in text for origin in row.origins)
    assert all(origin.sha256 in rendered(table, "tex") for row in table.rows for origin in row.origins)


def test_the_csv_has_one_record_for_each_number_with_its_file_and_hash(table) -> None:
    text = rendered(table, "csv")
    rows = list(csv.DictReader(io.StringIO("".join(line for line in io.StringIO(text) if not line.startswith("#")))))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert len(rows) == sum(1 for _ in table.numbers())
    mine = [row for row in rows if row["run"] == RT]
    row = next(row for row in table.rows if row.recipe and row.recipe.name == RT)
    assert [float(each["value"]) for each in mine] == [number.value for number in row.numbers.values()]
    assert {each["source"] for each in mine} == {f"{RT}/open4v-seed0.json; {RT}/open4v-seed1.json"}
    assert {each["sha256"] for each in mine} == {"; ".join(origin.sha256 for origin in row.origins)}
    assert [each["best"] for each in mine] == [str(number.best) for number in row.numbers.values()]
    published = next(each for each in rows if each["kind"] == "published")
    assert published["source"] == "epipolarpose-selfsup-rt-mpjpe: epipolarpose-readme; canonpose, table 1"
    assert published["does_not_compare"].startswith("the data sets differ: h36m and open4v")


def test_the_json_has_the_schema_and_every_number(table) -> None:
    data = json.loads(rendered(table, "json"))
    assert data["schema"] == "posebench.table/1"
    row = next(row for row in data["rows"] if row["run"] == RT)
    assert [result["path"] for result in row["results"]] == [f"{RT}/open4v-seed{k}.json" for k in (0, 1)]
    mine = next(row for row in table.rows if row.recipe and row.recipe.name == RT)
    assert row["numbers"]["PSS@50"]["seeds"] == list(mine.numbers["PSS@50"].seeds)
    assert {each["run"] for each in data["missing"]} == {each.name for each in table.missing}


def test_the_page_shows_the_source_of_a_number_on_hovering_and_the_best_in_bold(table) -> None:
    page = Page(rendered(table, "html"))
    row = next(row for row in table.rows if row.recipe and row.recipe.name == RT)
    title = "; ".join(f"{origin.path} sha256 {origin.sha256}" for origin in row.origins)
    value = f"{row.numbers['MPJPE'].value:.2f}"
    assert (value, title) in page.cells
    assert page.strong[:3] == [f"{row.numbers[column].value:.2f}" for column in table.columns[:3]]
    assert {"script", "img", "a"}.isdisjoint(page.tags)
    assert "default-src &#x27;none&#x27;" in rendered(table, "html")


def test_the_best_is_bold_in_markdown_and_latex(table) -> None:
    row = next(row for row in table.rows if row.recipe and row.recipe.name == RT)
    for number in (number for number in row.numbers.values() if number.best):
        assert f"**{number.value:.2f}**" in rendered(table, "md")
        assert rf"\textbf{{{number.value:.2f}}}" in rendered(table, "tex")
    assert "◂" not in rendered(table, "md") + rendered(table, "tex")


def test_latex_has_booktabs_and_balanced_braces(hostile) -> None:
    text = rendered(hostile, "tex")
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == text.count(r"\bottomrule") == 2
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    plain = re.sub(r"\\[{}%&#$_]", "", body)
    assert plain.count("{") == plain.count("}")
    assert not re.search(r"(?<!\\)[#%]", body)
    assert "<" not in plain and "ᵃ" not in body


def test_hostile_names_are_text_in_a_page(hostile) -> None:
    page = Page(rendered(hostile, "html", sources=True))
    assert {"script", "b", "img"}.isdisjoint(page.tags)
    assert any("</script><b>x" in text for text, _ in page.cells)


@pytest.mark.parametrize("kind", ["terminal", "md", "tex", "csv", "html"])
def test_no_control_character_reaches_any_format(hostile, kind: str) -> None:
    text = rendered(hostile, kind, sources=True)
    assert all(character.isprintable() or character == "\n" for character in text)
    text.encode("utf-8")


def test_a_spreadsheet_computes_nothing(hostile) -> None:
    text = rendered(hostile, "csv")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(not cell.startswith(("=", "+", "@", "\t")) for row in csv.reader(lines) for cell in row)


def test_more_footnotes_than_letters_get_two(table) -> None:
    row = table.rows[-1]
    remarks = tuple(f"remark {k}" for k in range(60))
    numbers = {column: replace(number, remarks=remarks) for column, number in row.numbers.items()}
    content = content_of(replace(table, rows=(replace(row, numbers=numbers),)))
    marks = [footnote.mark for footnote in content.footnotes]
    assert len(set(marks)) == len(marks) >= 60
    assert len(marks[-1]) == 2


def test_formats_are_known_by_the_ending_of_a_file(table, tmp_path) -> None:
    endings = {"md": "md", "tex": "tex", "csv": "csv", "html": "html", "json": "json", "txt": "terminal"}
    for ending, kind in endings.items():
        path = tmp_path / f"t.{ending.upper()}"
        write_table(table, path)
        assert path.read_text("utf-8") == rendered(table, kind)
    with pytest.raises(UsageError, match=r"t\.pdf: a table cannot be written so; known endings are \.txt, \.md"):
        kind_of_file(Path("t.pdf"))
    with pytest.raises(UsageError, match="--format pdf: there is no such format; known are terminal, md"):
        rendered(table, "pdf")
