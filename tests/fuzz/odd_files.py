"""Let every reader read what is no file: folders, pipes, devices, links that lead nowhere, nothing at all.

    python -m tests.fuzz.odd_files [READER ...]

Prints a line of JSON for each reader and kind: `[reader, kind, the sentence]`, or what happened instead. It runs in a
process of its own with bounds of memory, for a reader that is wrong here waits for ever or takes all there is.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from posebench.errors import PosebenchError
from tests.fuzz.targets import TARGETS

#: Bytes that the process may take.
MEMORY = 6 * 2**30


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "inside").write_text("x")


def _unopenable(path: Path) -> None:
    path.symlink_to(path.name)


KINDS: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: None,
    "no bytes": lambda path: path.touch(),
    "a folder": _folder,
    "a pipe": lambda path: os.mkfifo(path),
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "an empty device": lambda path: path.symlink_to("/dev/null"),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a link to itself": _unopenable,
    "blanks": lambda path: path.write_bytes(b" \n" * 50),
    "zeros": lambda path: path.write_bytes(bytes(70_000)),
    "a hole of a terabyte": lambda path: _hole(path),
}
#: Kinds that a reader of text may find nothing wrong with.
HARMLESS = {("boxes-csv", "zeros")}


def _hole(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


def outcome(name: str, kind: str) -> str:
    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        path = place / target.file
        path.parent.mkdir(parents=True, exist_ok=True)
        if target.prepare is not None:
            target.prepare(place)
            path.unlink()
        KINDS[kind](path)
        try:
            return f"read: {target.read(path)!r:.200}"
        except PosebenchError as error:
            return f"refused: {error}"
        except BaseException as error:
            return f"raised: {error!r:.300}"


def main(names: list[str]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for name in names or TARGETS:
        for kind in KINDS:
            print(json.dumps([name, kind, "begun"]), flush=True)
            print(json.dumps([name, kind, outcome(name, kind)]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
