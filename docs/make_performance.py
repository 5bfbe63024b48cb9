"""Put what the scripts of benchmarks/ printed into the pages: what stands between markers is made, never typed.

    python docs/make_performance.py                  # exit code 1 if a page shows something else than was saved
    python docs/make_performance.py --write          # put in what was saved
    python docs/make_performance.py --run score_speed --run "peers --poses 20000" --write   # measure again, put in

Markers are `<!-- measured: NAME -->` and `<!-- end: NAME -->`, each on a line; NAME is a script. Its output is saved as
performance_data/NAME.json beside this file, with the day, the command, and what else the machine did.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
SAVED = DOCS / "performance_data"
BENCHMARKS = DOCS.parent / "benchmarks"
BLOCK = re.compile(r"<!-- measured: (?P<name>\w+) -->\n(?P<body>.*?)<!-- end: (?P=name) -->\n", re.DOTALL)
#: The script whose numbers are saved instead of what it prints.
NUMBERS = "peers"


def main() -> None:
    """Measure what is asked for, then compare or write the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument(
        "--run", action="append", default=[], metavar="NAME", help="a script (with its arguments, quoted), or all"
    )
    parser.add_argument("--remark", help="what else the machine did; by default its load")
    asked = parser.parse_args()
    for words in shown() if asked.run == ["all"] else asked.run:
        name, *arguments = shlex.split(words)
        print(f"{words}: measuring", file=sys.stderr)
        save(name, measure(name, arguments, asked.remark))
    other = []
    for page in pages():
        before = page.read_text("utf-8")
        if (after := made(before)) != before:
            other.append(page.name)
            if asked.write:
                page.write_text(after, "utf-8")
    if other and not asked.write:
        raise SystemExit(f"{', '.join(other)}: not what was saved; put it in with --write")


def pages() -> list[Path]:
    """Pages with something between markers."""
    return [page for page in sorted(DOCS.rglob("*.md")) if BLOCK.search(page.read_text("utf-8"))]


def shown() -> list[str]:
    """The scripts that pages show."""
    return [found["name"] for page in pages() for found in BLOCK.finditer(page.read_text("utf-8"))]


def made(text: str) -> str:
    """A page with everything between markers made anew."""

    def block(found: re.Match[str]) -> str:
        name = found["name"]
        return f"<!-- measured: {name} -->\n\n{body(load(name))}\n<!-- end: {name} -->\n"

    return BLOCK.sub(block, text)


def body(data: dict[str, Any]) -> str:
    """What stands between the markers."""
    remark = f"; {data['remark']}" if data["remark"] else ""
    if "jobs" in data:
        sys.path.insert(0, str(BENCHMARKS))
        try:
            from peer_jobs.render import markdown
        finally:
            sys.path.remove(str(BENCHMARKS))
        output = markdown(data)
    else:
        output = data["output"]
    return f"`{data['command']}`, {data['measured']}{remark}.\n\n{output.strip()}\n"


def load(name: str) -> dict[str, Any]:
    """What was saved of a script."""
    path = SAVED / f"{name}.json"
    if not path.exists():
        raise SystemExit(f"{path.name} is not there; measure with --run {name}")
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def save(name: str, data: dict[str, Any]) -> None:
    """Keep what was measured."""
    SAVED.mkdir(exist_ok=True)
    path = SAVED / f"{name}.json"
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", "utf-8")


def measure(name: str, arguments: list[str], remark: str | None) -> dict[str, Any]:
    """Run a script with some arguments."""
    if not (BENCHMARKS / f"{name}.py").is_file():
        raise SystemExit(f"benchmarks has no script {name}.py")
    command = shlex.join(["python", f"benchmarks/{name}.py", *arguments])
    facts = {
        "command": command,
        "measured": datetime.now(UTC).date().isoformat(),
        "remark": remark or ("" if name == NUMBERS else f"load {os.getloadavg()[0]:.1f} when it began"),
    }
    with tempfile.TemporaryDirectory() as folder:
        numbers = Path(folder, "numbers.json")
        words = [sys.executable, str(BENCHMARKS / f"{name}.py"), *arguments]
        words += ["--json", str(numbers)] if name == NUMBERS else []
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False, cwd=DOCS.parent)  # noqa: S603
        if done.returncode:
            raise SystemExit(f"{command} ended with exit code {done.returncode}; nothing was saved of it")
        return facts | (json.loads(numbers.read_text("utf-8")) if name == NUMBERS else {"output": done.stdout})


if __name__ == "__main__":
    main()
