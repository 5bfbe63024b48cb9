"""The command line: `main` runs it and turns every expected error into one sentence and an exit code.

One file per command group; a command takes its options apart, calls one pure function and hands the result to a
renderer. Heavy imports happen inside commands, so that help answers at once.
"""

from __future__ import annotations

import sys
from typing import NoReturn

#: What shells say of a program that Ctrl-C ended: 128 and the number of the signal.
_INTERRUPTED = 130


def main() -> None:
    """Run `posebench`.

    Exit codes: 0 fine, 1 a check that was asked for fails, 2 bad usage or bad input, 130 interrupted.
    """
    try:
        _run()
    except KeyboardInterrupt:
        _interrupted()


def _run() -> None:
    import typer

    from posebench.cli.app import app
    from posebench.errors import PosebenchError

    # typer carries its own click; its usage errors are told by their common base.
    usage_error: type[Exception] = typer.BadParameter.__mro__[2]
    try:
        code = app(standalone_mode=False) or 0
        if code == _INTERRUPTED:  # typer makes this of Ctrl-C, and says nothing
            _interrupted()
        sys.exit(code)
    except SystemExit:
        # The reader of stdout has gone (`posebench ... | head`); typer notices first, and would call it a failure.
        if type(sys.stdout).__name__ == "PacifyFlushWrapper":
            sys.exit(0)
        raise
    except PosebenchError as error:
        _fail(str(error))
    except usage_error as error:
        context = getattr(error, "ctx", None)
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(context.get_help() if context is not None else str(error))
            sys.exit(2)
        message = error.format_message()  # type: ignore[attr-defined]
        _fail(f"{message} See: {context.command_path} --help" if context is not None else message)
    except typer.Abort:
        _interrupted()
    except OSError as error:
        _fail(f"{error.filename or 'the system'}: {error.strerror or error}")
    except MemoryError:
        _fail("not enough memory; an uncompressed .npz or .npy is read piece by piece")


def _interrupted() -> NoReturn:
    print("posebench: interrupted", file=sys.stderr)
    sys.exit(_INTERRUPTED)


def _fail(sentence: str) -> None:
    # Names from files may hold line breaks; a message is one line.
    print(f"posebench: {' '.join(sentence.splitlines())}", file=sys.stderr)
    sys.exit(2)
