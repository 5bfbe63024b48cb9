"""Let atheris look for files that reach new code of a reader; run by hand, no part of the tests.

    pip install atheris
    python tests/fuzz/coverage_guided.py json -max_total_time=300

It begins with the whole files of that reader (tests/fuzz/targets.py) and stops at the first file of which comes
something else than a value or a sentence; libFuzzer leaves that file in the working folder, and takes more options.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import atheris

with atheris.instrument_imports(include=["posebench", "model_zoo"]):
    from posebench.errors import PosebenchError
    from tests.fuzz.targets import TARGETS, Target

from tests.fuzz.worker import check_message, check_set


def reading(target: Target, folder: Path) -> None:
    """Fuzz one reader until libFuzzer ends the process."""
    path = folder / target.file
    path.parent.mkdir(parents=True, exist_ok=True)
    if target.prepare is not None:
        target.prepare(folder)
    whole = folder / "whole"
    whole.mkdir()
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, content in enumerate(target.whole(whole)):
        (corpus / str(number)).write_bytes(content)

    def one(data: bytes) -> None:
        path.write_bytes(data)
        try:
            found = target.read(path)
        except PosebenchError as error:
            check_message(error, path)
        else:
            if target.scored:
                check_set(found)

    warnings.simplefilter("error")
    atheris.Setup([sys.argv[0], str(corpus), "-timeout=10", "-rss_limit_mb=3000", *sys.argv[2:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"name a reader, one of {', '.join(TARGETS)}")
    with tempfile.TemporaryDirectory() as scratch:
        reading(TARGETS[sys.argv[1]], Path(scratch))
