"""What the tests of the HTML report share: reports with everything in them, and a parser that notices broken pages."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import numpy as np

import posebench as pb
from posebench.report import Report
from tests.report.reports import HOSTILE
from tests.scoring.plain import pair, poseset

N = 240
#: Names that would run or load something if they became HTML.
ATTACKS = (
    "</script><script>window.broken=1</script>",
    "<img src=x onerror=window.broken=1>",
    "</title><svg onload=window.broken=1>",
    '" onmouseover="window.broken=1',
    "<!--<script>",
    "]]>",
    "&lt;b&gt;",
)


def full_report(*, explain: bool = False) -> Report:
    """Two subjects, three actions, ten sequences, samples; frames of a run."""
    pred, gt = pair(N)
    rows = np.arange(N)
    keys = {
        "subject": [f"S{1 + row // 120}" for row in rows],
        "action": [("Walking", "Eating", "Sitting")[row // 40 % 3] for row in rows],
        "sequence": [str(row // 24) for row in rows],
        "frame": rows % 24,
    }
    report = pb.score(poseset(pred, **keys), poseset(gt, **keys), samples=True, explain=explain)
    report.environment["date"] = "2024-01-01T00:00:00+00:00"
    return report


def attacking_report() -> Report:
    """The same with attacks wherever a file may put a name."""
    names = [*ATTACKS, *HOSTILE]
    pred, gt = pair(len(names))
    keys = {"action": names, "subject": list(reversed(names)), "frame": np.arange(len(names))}
    report = pb.score(poseset(pred, **keys), poseset(gt, **keys), samples=True)
    worst = "".join(ATTACKS)
    report.notes += names
    report.protocol |= {
        "name": worst,
        "skeleton": worst,
        "joints": [worst],
        "pred_root": worst,
        "selection": {worst: worst},
    }
    report.banks[0] |= {"name": worst, "sha256": worst, "k": worst}
    report.inputs = {"pred": {"path": f"/data/{worst}", "sha256": worst}, "gt": {"path": worst, "sha256": None}}
    report.environment = {worst: worst}
    report.command = worst
    return report


@dataclass
class Page(HTMLParser):
    """A page taken apart."""

    text: str
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self.feed(self.text)
        self.close()
        assert self._open == [], f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br", "input"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open[-1] == tag, f"</{tag}> after {self._open[-3:]}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def shown(self) -> str:
        """All text that a person could read."""
        return " ".join(self.words)

    def all(self, name: str, **wanted: str) -> list[dict[str, str | None]]:
        """Attributes of the elements of a name, with these attributes among them."""
        return [
            given
            for tag, given in self.tags
            if tag == name and all(given.get(k.rstrip("_")) == v for k, v in wanted.items())
        ]

    @property
    def data(self) -> dict:
        """What the script reads."""
        return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', self.text, re.S)[1])

    @property
    def policy(self) -> str:
        """The Content-Security-Policy."""
        (meta,) = self.all("meta", **{"http-equiv": "Content-Security-Policy"})
        return str(meta["content"])


def hash_of(text: str) -> str:
    """What a policy calls a script or style by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
