"""The command line: `main` runs it and turns every expected error into one sentence and an exit code.

One file per command group; a command takes its options apart, calls one pure function and hands the result to a
renderer. Heavy imports happen inside commands, so that help answers at once.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run `posebench`.

    Exit codes: 0 fine, 1 a check that was asked for fails, 2 bad usage or bad input.
    """
    from posebench.cli.app import app
    from posebench.errors import PosebenchError

    try:
        app()
    except PosebenchError as error:
        _fail(str(error))
    except BrokenPipeError:
        # The reader of stdout has gone (`posebench ... | head`): nothing is left to say, not even at shutdown.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        _fail(f"{error.filename or 'the system'}: {error.strerror or error}")
    except MemoryError:
        _fail("not enough memory; an uncompressed .npz or .npy is read piece by piece")


def _fail(sentence: str) -> None:
    print(f"posebench: {sentence}", file=sys.stderr)
    sys.exit(2)
