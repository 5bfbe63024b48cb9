"""The terminal: it fits, it shows names and does not obey them, and colour is for terminals only."""

from __future__ import annotations

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from posebench.report.render import print_report, render
from tests.report.reports import hostile_report, small_report, wide_report

TEXT = """\
scored 99 of 100 frames, matched by subject, action, frame; 1 missing
protocol standard, version 1, sha256 0123456789ab
bank cmu-50, k = 50, sha256 fedcba987654

metric   value  unit  best   n    95% interval
──────────────────────────────────────────────
MPJPE   52.31*  mm    ↓     99  [50.00, 54.12]
MPJVE    310.2  mm/s  ↓     98               –
PSS@50       –  %     ↑      0               –

by action
          MPJPE     MPJVE  PSS@50
action   (mm) ↓  (mm/s) ↓   (%) ↑
─────────────────────────────────
Walking  50.00*       0.3   75.00
Eating   60.12*         –    0.10

note: skeleton assumed: h36m17
* incomplete: leaves out what the prediction lacks; does not compare
"""


def terminal(width=80, encoding="utf-8", **options):
    file = io.TextIOWrapper(io.BytesIO(), encoding)
    return Console(file=file, width=width, force_terminal=True, legacy_windows=False, **options)


def printed(console, report, by=()):
    print_report(report, by, console)
    console.file.flush()
    return console.file.buffer.getvalue().decode(console.file.encoding)


def without_styles(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_the_text_in_full():
    assert render(small_report(), "txt", ("action",)) == TEXT
    assert str(small_report()) == render(small_report(), "txt")


def test_a_pipe_gets_the_plain_text_whatever_its_width():
    console = Console(file=io.StringIO(), width=33, force_terminal=False)
    print_report(small_report(), ("action",), console)
    assert console.file.getvalue() == TEXT


def test_stdout_is_where_it_goes_without_a_console(capsys):
    print_report(small_report(), ("action",))
    assert capsys.readouterr().out == TEXT


def test_a_terminal_gets_the_same_words_with_styles():
    text = printed(terminal(color_system="standard"), small_report(), ("action",))
    assert "\x1b[33m" in text
    assert [line.rstrip() for line in without_styles(text).splitlines()] == TEXT.splitlines()


def test_no_color_is_honoured(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    text = printed(terminal(color_system="standard"), small_report())
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", text)


@pytest.mark.parametrize("width", [50, 80, 120])
@pytest.mark.parametrize("report", [hostile_report(), wide_report()], ids=["hostile", "wide"])
def test_every_line_fits_the_terminal(width, report):
    lines = without_styles(printed(terminal(width), report, report.groups)).splitlines()
    assert max(cell_len(line.rstrip()) for line in lines) <= width


@pytest.mark.parametrize("width", [10, 50, 80, 200])
def test_no_number_is_cut_or_broken(width):
    report = wide_report()
    text = without_styles(printed(terminal(width), report, ("joint",)))
    assert text.count("[1.00, 20.00]") == len(report.metrics)
    assert text.count("12.50") == 3 * len(report.metrics)


def test_a_table_that_is_too_wide_is_continued_with_its_first_column():
    text = render(wide_report(), "txt", ("joint",))
    parts = text.split("by joint")[1:]
    assert len(parts) > 1
    assert all(part.startswith(" (continued)") for part in parts[1:])
    assert all(re.search(r"^hip +12\.50", part, re.MULTILINE) for part in parts)


def test_markup_and_escape_sequences_in_names_are_shown():
    text = printed(terminal(color_system=None), hostile_report(), ("action",))
    assert "[red]alert[/red]" in text
    assert r"\x1b[31mred\x1b[0m" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_without_unicode_gets_the_report_spelled_out(encoding, is_terminal):
    console = terminal(encoding=encoding, color_system=None)
    console._force_terminal = is_terminal
    text = printed(console, hostile_report(), ("action",))
    assert re.search(r"MPJPE[ |]+52\.31\*[ |]+mm[ |]+v", text)
    assert r"\u6b69\u304f" in text


def test_a_report_without_metrics_still_says_what_was_scored():
    report = small_report()
    report.metrics = {}
    text = render(report, "txt", ("action",))
    assert text.startswith(TEXT.splitlines()[0])
    assert re.search(r"^Walking$", text, re.MULTILINE)
