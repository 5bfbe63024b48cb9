"""The HTML report in a headless Chromium: what its script does with keys and mouse, and how it looks in each medium."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import pytest

from posebench.report.render import render
from tests.html.pages import attacking_report, full_report
from tests.support.chromium import Browser

FULL = full_report()
STAGE = "document.querySelectorAll('.stage')[{}]"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        browser.size(1200, 900)
        yield browser


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    FULL.to_html(path, by=("action",))
    return path


@pytest.fixture
def page(browser, file):
    """The report, freshly opened."""
    browser.media()
    browser.open(file)
    return browser


def view(page: Browser, n: int = 0) -> tuple[int, int]:
    """From where the n-th pose is looked at."""
    return tuple(int(page.js(f"{STAGE.format(n)}.dataset.{name}")) for name in ("azimuth", "elevation"))


def ends(page: Browser, n: int, layer: str) -> np.ndarray:
    """Ends of the drawn bones of a pose, as points (bones, 4) sorted."""
    paths = page.js(f"[...{STAGE.format(n)}.querySelectorAll('.{layer} path')].map(p => p.getAttribute('d'))")
    return np.array(sorted([float(x) for x in re.findall(r"-?[\d.]+", d)] for d in paths))


def test_the_page_says_nothing_to_the_console_and_asks_for_nothing(page, file) -> None:
    assert page.js("document.documentElement.classList.contains('scripted')")
    assert page.said == []
    assert page.asked == [file.resolve().as_uri()]


def test_names_from_files_run_nothing(browser, tmp_path) -> None:
    path = tmp_path / "attack.html"
    attacking_report().to_html(path, by=("action",))
    browser.open(path)
    assert browser.js("typeof window.broken") == "undefined"
    assert browser.js("document.scripts.length") == 2
    assert browser.js("document.querySelectorAll('img, iframe, svg[onload]').length") == 0
    assert browser.said == []
    assert browser.asked == [path.resolve().as_uri()]
    assert browser.js("document.documentElement.classList.contains('scripted')")


def test_what_is_slipped_in_later_is_refused_by_the_policy(page) -> None:
    page.js(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=window.broken=1><p style=color:red>x</p>')"
    )
    page.js("new Promise(done => setTimeout(done, 100))")
    assert page.js("typeof window.broken") == "undefined"
    assert any("Content Security Policy" in said for said in page.said)
    assert page.js("fetch('https://example.org/').then(() => 'loaded', () => 'refused')") == "refused"


def test_arrow_keys_turn_a_pose_and_home_turns_it_back(page) -> None:
    page.js(f"{STAGE.format(0)}.focus()")
    assert view(page) == (25, 10)
    before = ends(page, 0, "gt")
    for key in ("ArrowRight", "ArrowRight", "ArrowUp"):
        page.press(key)
    assert view(page) == (45, 20)
    assert not np.allclose(ends(page, 0, "gt"), before, atol=1)
    page.press("ArrowLeft")
    page.press("ArrowDown")
    assert view(page) == (35, 10)
    page.press("Home")
    assert view(page) == (25, 10)
    assert ends(page, 0, "gt") == pytest.approx(before)


def test_a_turned_pose_is_the_pose_seen_from_there(page) -> None:
    """Against a camera that is turned by rotation matrices."""
    page.js(f"{STAGE.format(3)}.focus()")
    for key in ["ArrowRight"] * 4 + ["ArrowUp"] * 2:
        page.press(key)
    a, e = np.radians(view(page, 3))
    assert view(page, 3) == (65, 30)
    around = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    climb = np.array([[1, 0, 0], [0, np.cos(e), np.sin(e)], [0, -np.sin(e), np.cos(e)]])
    pose = FULL.samples.poses[3].pred * [1, -1, 1]
    size = float(page.js(f"{STAGE.format(3)}.querySelector('svg').dataset.size"))
    at = (pose @ around.T @ climb.T)[:, :2] / size * [100, -100]
    expected = np.array(sorted([*at[a].tolist(), *at[b].tolist()] for a, b in FULL.samples.skeleton.bones))
    assert ends(page, 3, "pred") == pytest.approx(expected, abs=0.11)


def test_poses_turn_together_unless_told_otherwise(page) -> None:
    page.js(f"{STAGE.format(0)}.focus()")
    page.press("ArrowRight")
    assert view(page, 8) == (35, 10)
    page.js("document.getElementById('together').click()")
    page.press("ArrowRight")
    assert view(page, 0) == (45, 10)
    assert view(page, 8) == (35, 10)


def test_a_pose_is_turned_by_dragging(page) -> None:
    page.js(f"{STAGE.format(1)}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
    box = page.js(f"(() => {{ const b = {STAGE.format(1)}.getBoundingClientRect(); return [b.x, b.y, b.width]; }})()")
    x, y, width = box[0] + box[2] / 2, box[1] + 100, box[2]
    page.mouse("mousePressed", x, y, pressed=True)
    page.mouse("mouseMoved", x - width / 4, y, pressed=True)
    page.mouse("mouseReleased", x - width / 4, y, pressed=True)
    assert view(page, 1) == (70, 10)
    page.mouse("mouseMoved", x, y)
    assert view(page, 1) == (70, 10)


def test_before_the_script_a_pose_is_drawn_as_it_is_after(page, file) -> None:
    still = re.findall(r'<g class="gt">(.*?)</g>', file.read_text("utf-8"))[2]
    drawn = np.array(
        sorted([float(x) for x in re.findall(r"-?\d[\d.]*", d)] for d in re.findall(r' d="([^"]*)"', still))
    )
    assert ends(page, 2, "gt") == pytest.approx(drawn, abs=0.11)


def test_a_view_is_reached_at_once_where_motion_is_unwanted(page) -> None:
    click = "document.querySelector('button[data-view=\"90 0\"]').click()"
    at_once = f"{click}, {STAGE.format(0)}.dataset.azimuth"
    page.media(prefers_reduced_motion="reduce")
    page.open_again()
    assert page.js(at_once) == "90"
    page.media(prefers_reduced_motion="no-preference")
    page.open_again()
    assert page.js(at_once) == "25"
    for _ in range(100):
        if view(page, 0) == (90, 0):
            break
        page.js("new Promise(done => setTimeout(done, 50))")
    assert view(page, 0) == (90, 0)


def test_everything_is_reached_by_tab_and_focus_is_seen(page) -> None:
    wanted = {"A", "BUTTON", "SELECT", "SUMMARY", "DIV", "INPUT"}
    reached: set[str] = set()
    unseen = []
    for _ in range(60):
        page.press("Tab")
        name, outline, label = page.js(
            "(() => { const e = document.activeElement; const s = getComputedStyle(e);"
            " return [e.tagName, s.outlineStyle + ' ' + s.outlineWidth, e.textContent.slice(0, 20)]; })()"
        )
        reached.add(name)
        if name in wanted and outline != "solid 3px":
            unseen.append((name, outline, label))
    assert wanted <= reached
    assert unseen == []


def test_a_button_copies_the_table(page) -> None:
    page.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    for kind, ending in (("markdown", "md"), ("latex", "tex")):
        page.js(f"document.querySelector('button[data-copy={kind}]').focus()")
        page.press("Enter")
        page.js("new Promise(done => setTimeout(done, 200))")
        assert page.js("document.getElementById('said').textContent") == "Copied"
        assert page.js("navigator.clipboard.readText()").replace("\r\n", "\n") == render(FULL, ending, ("action",))


def test_choosing_a_metric_changes_the_chart(page) -> None:
    figure = "[...document.querySelectorAll('.group')].find(f => f.querySelector('h3').textContent === 'By joint')"
    charts = f"[...{figure}.querySelectorAll('[data-chart]')].filter(chart => !chart.hidden)"
    shown = f"{charts}.map(chart => chart.querySelector('title').textContent)"
    assert page.js(shown) == ["MPJPE by joint: all of 17"]
    page.js(f"{figure}.querySelector('select').value = '2'")
    page.js(f"{figure}.querySelector('select').dispatchEvent(new Event('change'))")
    assert page.js(shown) == ["PMPJPE by joint: all of 17"]


def test_the_matrix_is_read_by_keys(page) -> None:
    counts = FULL.confusion("PSS@50")
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    r, c = (int(i) for i in np.unravel_index(wrong.argmax(), wrong.shape))
    reading = "document.querySelector('.reading').textContent"
    assert page.js(reading).startswith(f"cluster {r} → cluster {c}: {counts[r, c]} of {counts[r].sum()} frames")
    page.js("document.querySelector('.board').focus()")
    page.press("ArrowDown")
    r = min(r + 1, 49)
    assert page.js(reading).startswith(f"cluster {r} → cluster {c}: {counts[r, c]} of {counts[r].sum()} frames")
    for _ in range(60):
        page.press("ArrowRight")
    assert page.js(reading).startswith(f"cluster {r} → none: 0 of")
    assert page.js("document.querySelector('.inspector .from path') !== null")
    assert page.js("document.querySelector('.inspector .to').textContent") == "no cluster"


def test_dark_mode_is_dark_and_readable(page) -> None:
    colours = "['backgroundColor', 'color'].map(name => getComputedStyle(document.body)[name])"
    light = [luminance(colour) for colour in page.js(colours)]
    page.media(prefers_color_scheme="dark")
    dark = [luminance(colour) for colour in page.js(colours)]
    assert light[0] > 0.9 > 0.1 > light[1]
    assert dark[0] < 0.05 and dark[1] > 0.7
    for scheme in ("light", "dark"):
        page.media(prefers_color_scheme=scheme)
        paper, *inks = page.js(
            "[getComputedStyle(document.body).backgroundColor, ...['.hint', 'a', '.where', 'caption', '.legend']"
            ".map(s => getComputedStyle(document.querySelector(s)).color)]"
        )
        assert min(contrast(paper, ink) for ink in inks) > 4.5


def test_a_narrow_window_scrolls_in_one_direction_only(browser, file) -> None:
    browser.size(360, 740)
    browser.open(file)
    assert browser.js("document.documentElement.scrollWidth") <= 360
    browser.size(1200, 900)


def test_on_paper_there_are_poses_and_no_buttons(page) -> None:
    page.js(f"{STAGE.format(0)}.focus()")
    page.press("ArrowRight")
    page.media("print", prefers_color_scheme="dark")
    assert luminance(page.js("getComputedStyle(document.body).backgroundColor")) == 1
    assert page.js("[...document.querySelectorAll('button, select, nav')].every(e => e.getClientRects().length === 0)")
    assert page.js("document.querySelector('.stage svg').getClientRects().length") == 1
    page.media()
    paper = page.pdf()
    assert paper.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", paper)) >= 3


def test_without_scripts_the_numbers_and_poses_are_there(browser, file) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open_without_scripts(file)
        picture = base64.b64decode(browser.call("Page.captureScreenshot", format="png")["data"])
        assert picture.startswith(b"\x89PNG")
        text = browser.call("DOM.getOuterHTML", nodeId=browser.call("DOM.getDocument")["root"]["nodeId"])["outerHTML"]
        assert 'class="scripted"' not in text
        assert text.count('<g class="pred">') == 9
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def luminance(colour: str) -> float:
    """Relative luminance of rgb(r, g, b) by WCAG 2."""
    parts = np.array([float(x) for x in re.findall(r"[\d.]+", colour)[:3]]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    """Contrast of two colours by WCAG 2."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
