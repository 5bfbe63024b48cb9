"""HTML that is escaped by construction."""

from __future__ import annotations

import html
import json

import pytest

from posebench.html.markup import Markup, escape, join, json_text, tag
from posebench.html.tables import table_html
from posebench.report.content import Cell, Column, Table
from tests.html.pages import ATTACKS
from tests.report.reports import HOSTILE


@pytest.mark.parametrize("name", [*ATTACKS, *HOSTILE])
def test_a_name_is_text_in_an_element_and_in_an_attribute(name) -> None:
    made = tag("p", name, title=name)
    assert made.count("<") == made.count(">") == 2
    inside = made[made.index(">") + 1 : made.rindex("<")]
    assert html.unescape(inside) == "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in name
    )
    assert '"' not in made[len('<p title="') : made.index(">") - 1]


@pytest.mark.parametrize("name", [*ATTACKS, *HOSTILE])
def test_data_for_the_script_read_back_and_hold_no_bracket(name) -> None:
    made = json_text({"name": [name]})
    assert json.loads(made) == {"name": [name]}
    assert not set("<>&\u2028\u2029") & set(made)


def test_only_markup_is_not_escaped_again() -> None:
    assert tag("b", tag("i", "<")) == "<b><i>&lt;</i></b>"
    assert tag("b", str(tag("i"))) == "<b>&lt;i&gt;&lt;/i&gt;</b>"
    assert join(["a<", Markup("<br>"), None, ["b"]], ", ") == "a&lt;, <br>, , b"


def test_attributes_are_left_out_bare_or_renamed() -> None:
    assert tag("input", class_="a", aria_label="b", hidden=False, checked=True, id=None) == (
        '<input class="a" aria-label="b" checked>'
    )


def test_what_does_not_print_is_spelled_out() -> None:
    assert escape("a\x00\u202eb\ud800") == r"a\x00\u202eb\ud800"


def test_a_table_names_its_rows_and_columns_and_keeps_what_a_cell_says_of_itself() -> None:
    columns = (Column("metric", right=False), Column("value", "mm"))
    cells = (Cell("a<b"), Cell("1.0", "*", strong=True, title='from "x"'))
    made = table_html(Table(columns, (cells,), "T"))
    assert "<caption>T</caption>" in made
    assert '<th scope="col" class="number">value <small>mm</small></th>' in made
    assert '<th scope="row" align="left">a&lt;b</th>' in made
    assert '<td class="number" title="from &quot;x&quot;"><strong>1.0</strong><sup>*</sup></td>' in made
