"""Each format by itself: tables that parse back, and names from files that stay text."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess

import pandas as pd
import pytest

from posebench.report import latex
from posebench.report.data import CSV_COLUMNS
from posebench.report.markdown import escape
from posebench.report.render import render
from tests.report.reports import HOSTILE, hostile_report, small_report, wide_report

MARKDOWN = r"""
- scored 99 of 100 frames, matched by subject, action, frame; 1 missing
- protocol standard, version 1, sha256 0123456789ab
- bank cmu-50, k = 50, sha256 fedcba987654

| metric | value | unit | best | n | 95% interval |
| :-- | --: | :-- | :-- | --: | --: |
| MPJPE | 52.31\* | mm | ↓ | 99 | \[50.00, 54.12\] |
| MPJVE | 310.2 | mm/s | ↓ | 98 | – |
| PSS@50 | – | % | ↑ | 0 | – |

**by joint**

| joint | MPJPE (mm) ↓ |
| :-- | --: |
| r\_hip | 10.00\* |
| l\_hip | – |

- note: skeleton assumed: h36m17
- \* incomplete: leaves out what the prediction lacks; does not compare
"""

LATEX = r"""
% scored 99 of 100 frames, matched by subject, action, frame; 1 missing
% protocol standard, version 1, sha256 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
% bank cmu-50, k = 50, sha256 fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210
% note: skeleton assumed: h36m17
% needs \usepackage{booktabs}
\begin{tabular}{lrllrr}
\toprule
metric & value & unit & best & n & 95\% interval \\
\midrule
MPJPE & 52.31{*} & mm & $\downarrow$ & 99 & {[}50.00, 54.12{]} \\
MPJVE & 310.2 & mm/s & $\downarrow$ & 98 & -- \\
PSS@50 & -- & \% & $\uparrow$ & 0 & -- \\
\bottomrule
\end{tabular}
\par\medskip
\begin{tabular}{lr}
\toprule
joint & MPJPE (mm) $\downarrow$ \\
\midrule
r\_hip & 10.00{*} \\
l\_hip & -- \\
\bottomrule
\end{tabular}
\par\smallskip
{\footnotesize Scored 99 of 100 frames, matched by subject, action, frame; 1 missing. Protocol standard, version 1, """
LATEX += (
    r"sha256 0123456789ab. Bank cmu-50, k = 50, sha256 fedcba987654. "
    r"{*} incomplete: leaves out what the prediction lacks; does not compare.\par}"
    "\n"
)

CSV = """\
# scored 99 of 100 frames, matched by subject, action, frame; 1 missing
# protocol standard, version 1, sha256 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
# bank cmu-50, k = 50, sha256 fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210
# note: skeleton assumed: h36m17
# MPJPE: incomplete: leaves out what the prediction lacks; does not compare
group,key,metric,value,unit,higher_is_better,n,ci95_low,ci95_high,incomplete
"all","","MPJPE",52.3149,"mm",False,99,50.0,54.125,True
"all","","MPJVE",310.25,"mm/s",False,98,"","",False
"all","","PSS@50","","%",True,0,"","",False
"joint","r_hip","MPJPE",10.0,"mm",False,"","","",True
"joint","l_hip","MPJPE","","mm",False,"","","",True
"""


# ------------------------------------------------------------------------------------------------------- Markdown


def test_the_markdown_in_full():
    assert render(small_report(), "md", ("joint",)) == MARKDOWN.lstrip()


@pytest.mark.parametrize("report", [small_report(), hostile_report()], ids=["small", "hostile"])
def test_every_line_of_a_markdown_table_has_the_columns_of_its_head(report):
    tables = [block for block in render(report, "md", ("action",)).split("\n\n") if block.startswith("|")]
    assert len(tables) == 2
    for table in tables:
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(counts) == 1
    assert len(tables[1].splitlines()) == 2 + len(report.groups["action"])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a|b", r"a\|b"),
        ("`c`", r"\`c\`"),
        ("\\|", r"\\\|"),
        ("</script>", "&lt;/script&gt;"),
        ("&amp;", "&amp;amp;"),
        ("$x_1$", r"\$x\_1\$"),
        ("[a](b)", r"\[a\](b)"),
        ("@octocat", "&#64;octocat"),
        ("PCK@150", "PCK@150"),
        ("http://x WWW.y", "http&#58;//x www&#46;y"),
        ("歩く", "歩く"),
    ],
)
def test_markdown_in_a_name_is_text(name, shown):
    assert escape(name) == shown


def test_no_name_puts_html_into_markdown():
    text = render(hostile_report(), "md", ("action",))
    assert not set("<>") & set(text)
    assert not re.search(r"(?<!\\)[`$]", text)


# ---------------------------------------------------------------------------------------------------------- LaTeX


def test_the_latex_in_full():
    assert render(small_report(), "tex", ("joint",)) == LATEX.lstrip()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("$x_1$", r"\$x\_1\$"),
        ("5% & #2 {y}", r"5\% \& \#2 \{y\}"),
        ("~^\\", r"\textasciitilde{}\textasciicircum{}\textbackslash{}"),
        ("PSS@50(bank=a_b)", r"PSS@50(bank=a\_b)"),
        ("mm/s²", "mm/s$^2$"),
        ("<a|b>", r"\textless{}a\textbar{}b\textgreater{}"),
        ("[2ex]", "{[}2ex{]}"),
        ("*", "{*}"),
    ],
)
def test_latex_in_a_name_is_text(name, shown):
    assert latex.escape(name) == shown


def test_every_row_of_a_latex_table_has_its_columns_and_no_name_acts():
    lines = [line for line in render(hostile_report(), "tex", ("action",)).splitlines() if not line.startswith("%")]
    columns = 0
    for line in lines:
        if begin := re.fullmatch(r"\\begin\{tabular\}\{([lr]+)\}", line):
            columns = len(begin[1])
        elif line.endswith(r" \\"):
            assert len(re.findall(r"(?<!\\)&", line)) == columns - 1
            # After \\ and \midrule, TeX looks for an argument or a star.
            assert not line.startswith(("[", "*"))
    bare = re.sub(r"\\[_%&#${}]|\$\\(?:up|down)arrow\$|\$\\dagger\$|\$\^2\$", "", "\n".join(lines))
    assert not re.search(r"[#$~^_%]", bare)
    assert bare.count("{") == bare.count("}")


def test_a_wide_latex_table_breaks_its_headings_and_shrinks_to_the_line_and_a_narrow_one_stays_plain():
    report = small_report()
    report.groups["action"] = {"a" * 60: {"MPJPE": 1.5}}
    text = render(report, "tex", ("action",))
    assert r"% needs \usepackage{booktabs,graphicx}" in text
    narrow, wide = text.split("\\par\\medskip\n")
    assert "resizebox" not in narrow
    lines = wide.splitlines()
    assert lines[0] == r"\begingroup\setbox0=\hbox{\ignorespaces"
    assert lines[3] == r"action & \shortstack[r]{MPJPE\\(mm) $\downarrow$} \\"
    fits = r"\noindent\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\box0}\else\box0\fi\endgroup"
    assert rf"\end{{tabular}}}}{fits}" in lines


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_sets_every_table_within_the_line(tmp_path):
    report = hostile_report()
    # pdflatex knows the letters of Latin and Greek alone.
    report.groups["action"] = {name: row for name, row in report.groups["action"].items() if name.isascii()}
    assert len(report.groups["action"]) > 5
    report.groups["action"]["a" * 90] = dict.fromkeys(report.metrics, 1.5)
    (tmp_path / "table.tex").write_text(render(report, "tex", ("action",)), "utf-8")
    begin = r"\documentclass[twocolumn]{article}\usepackage{booktabs,graphicx}\begin{document}"
    (tmp_path / "all.tex").write_text(begin + "\n\\input{table}\n\\end{document}\n", "utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    log = (tmp_path / "all.log").read_text("utf-8", "replace")
    assert [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log) if float(width) > 30] == []
    assert (tmp_path / "all.pdf").read_bytes().startswith(b"%PDF")


# ------------------------------------------------------------------------------------------------------------ CSV


def parsed(text):
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def test_the_csv_in_full():
    assert render(small_report(), "csv", ("joint",)) == CSV


def test_the_csv_parses_back_to_the_same_numbers():
    report = small_report()
    rows = parsed(render(report, "csv", ("action",)))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert {row["metric"]: row["value"] and float(row["value"]) for row in rows if row["group"] == "all"} == {
        name: "" if m.value is None else m.value for name, m in report.metrics.items()
    }
    walking = {row["metric"]: float(row["value"]) for row in rows if row["key"] == "Walking"}
    assert walking == report.groups["action"]["Walking"]


def test_pandas_reads_the_csv_whatever_the_names_hold():
    frame = pd.read_csv(io.StringIO(render(hostile_report(), "csv", ("action",))), comment="#")
    assert tuple(frame.columns) == CSV_COLUMNS
    assert len(frame) == 3 + 2 * len(HOSTILE)
    assert frame["value"].dtype == float
    assert frame["incomplete"].dtype == bool
    assert '"quoted", # no comment' in set(frame["key"])


def test_no_cell_of_the_csv_starts_a_formula():
    text = render(hostile_report(), "csv", ("action",))
    rows = list(csv.reader(text.splitlines()))
    assert not [cell for row in rows for cell in row if re.match(r"\s*[=+\-@]", cell)]
    keys = {row["key"] for row in parsed(text)}
    assert {"'=cmd()", r"'\t+1", "'@octocat www.example.org http://example.org", "a|b `c`"} <= keys


@pytest.mark.parametrize("name", ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "  =1", "\uff1d1"])
def test_a_name_that_starts_like_a_formula_gets_an_apostrophe(name):
    report = small_report()
    report.groups["action"] = {name: {"MPJPE": -1.5}}
    row = parsed(render(report, "csv", ("action",)))[-1]
    assert row["key"].startswith("'")
    assert row["value"] == "-1.5"


def test_a_foreign_bank_is_named_in_the_csv():
    assert "# PSS@50(bank=mine): a bank that the protocol does not bind" in render(wide_report(), "csv")
