"""Run the commands that the documentation shows, and compare or replace what they print.

    python docs/run_examples.py docs/conventions.md           # exit code 1 if a page shows something else
    python docs/run_examples.py --write docs/conventions.md   # put in what the commands print now

A block that begins with ```console holds commands, each after `$ `, with the output (stdout) below. All blocks of a
page run in one folder of their own in which `examples` is the folder of this project. A block whose first line says
`title="NAME"` is a file, which is written into that folder for the commands after it. A block after the line
`<!-- mocap -->` needs the motion capture data that POSEBENCH_DATA names, one after `<!-- zoo -->` needs torch, one
after `<!-- torchmetrics -->` that package; they are left alone where these are not there.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(
    r"(?P<head>(?:<!-- (?P<need>\w+) -->\n)?```(?:console|\w+ title=\"(?P<file>[^\"/]+)\")\n)"
    r"(?P<body>.*?)(?P<tail>```\n)",
    re.DOTALL,
)

#: Package without which a block is left alone, by the word above the block.
PACKAGES = {"zoo": "torch", "torch": "torch", "torchmetrics": "torchmetrics", "mmengine": "mmengine"}


def fresh(text: str, folder: Path, *, mocap: bool) -> str:
    """A page with the output that its commands give now; they run in `folder`."""
    if not (folder / "examples").exists():
        (folder / "examples").symlink_to(ROOT / "examples")

    def block(found: re.Match[str]) -> str:
        if found["file"]:
            (folder / found["file"]).write_text(found["body"], "utf-8")
            return found[0]
        package = PACKAGES.get(found["need"])
        if (found["need"] == "mocap" and not mocap) or (package and not find_spec(package)):
            return found[0]
        return found["head"] + "".join(run(command, folder) for command in commands(found["body"])) + found["tail"]

    return BLOCK.sub(block, text)


def commands(body: str) -> Iterator[str]:
    """The commands of a block; one may go on in the next lines after a backslash."""
    lines = iter(body.splitlines())
    for line in lines:
        if line.startswith("$ "):
            command = line[2:]
            while command.endswith("\\"):
                command += "\n" + next(lines)
            yield command


def run(command: str, folder: Path) -> str:
    """A command and what it printed."""
    words = shlex.split(command.replace("\\\n", " "))
    programs = {"posebench": [sys.executable, "-m", "posebench"], "python": [sys.executable]}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    done = subprocess.run(  # noqa: S603
        [*programs[words[0]], *words[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command}\nended with {done.returncode}:\n{done.stderr}")
    return f"$ {command}\n{done.stdout}"


def main() -> int:
    """Compare or write the pages named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", type=Path, nargs="+")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    code = 0
    for page in arguments.pages:
        text = page.read_text("utf-8")
        with tempfile.TemporaryDirectory() as folder:
            now = fresh(text, Path(folder), mocap=bool(os.environ.get("POSEBENCH_DATA")))
        if now != text and arguments.write:
            page.write_text(now, "utf-8")
        elif now != text:
            print(f"{page}: shows something else than its commands print; run with --write", file=sys.stderr)
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
