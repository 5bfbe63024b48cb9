"""What is in memory after some code has run, in an interpreter of its own."""

from __future__ import annotations

import subprocess
import sys


def loaded_by(code: str, *, whole: bool = False) -> set[str]:
    """Modules in memory after `code` has run: top-level names, or whole ones."""
    report = "import atexit, sys; atexit.register(lambda: print('\\n' + ' '.join(sys.modules)))\n"
    run = subprocess.run([sys.executable, "-c", report + code], capture_output=True, text=True, check=True)
    names = run.stdout.splitlines()[-1].split()
    return set(names) if whole else {name.partition(".")[0] for name in names}
