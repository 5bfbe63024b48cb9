"""The site builds without a warning, and asks no other machine for anything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pages import ROOT, script

site_pages = script("site_pages")


@pytest.mark.slow
def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path) -> None:
    beside = Path(sys.executable).with_name("mkdocs")
    mkdocs = os.environ.get("MKDOCS") or (str(beside) if beside.is_file() else shutil.which("mkdocs"))
    if mkdocs is None:
        pytest.skip("needs the extra [docs]: `make docs` makes an environment with it; MKDOCS may name it")
    done = subprocess.run(
        [mkdocs, "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    html = {
        path.relative_to(tmp_path / "site").as_posix(): path.read_text("utf-8") for path in tmp_path.rglob("*.html")
    }
    assert {"index.html", "api/index.html", "cards/banks.html", "extend/metric.html", "limits.html"} <= set(html)
    assert 'id="posebench.mpjpe"' in html["api/metrics.html"]
    for page, text in html.items():
        loaded = re.findall(r"<(?:script|iframe|img)\b[^>]*\bsrc=\"?([^\"\s>]+)", text)
        loaded += re.findall(r"<link\b[^>]*\brel=\"?(?:stylesheet|preload|icon)[^>]*\bhref=\"?([^\"\s>]+)", text)
        assert not [address for address in loaded if re.match(r"(https?:)?//", address)], page


def test_a_page_that_would_load_something_stops_the_build(tmp_path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<a href="https://example.org">a link is none</a><img src="figures/a.png">', "utf-8")
    site_pages.on_post_build({"site_dir": str(tmp_path)})
    page.write_text('<script async src="https://example.org/a.js"></script>', "utf-8")
    with pytest.raises(SystemExit, match=r"page.html loads https://example.org/a.js"):
        site_pages.on_post_build({"site_dir": str(tmp_path)})
