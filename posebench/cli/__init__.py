"""The command line: `main` runs it and turns every expected error into one sentence and an exit code.

One file per command group; a command takes its options apart, calls one pure function and hands the result to a
renderer. Heavy imports happen inside commands, so that help answers at once.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import NoReturn

#: What shells say of a program that Ctrl-C or SIGTERM ended: 128 and the number of the signal.
_INTERRUPTED, _TERMINATED = 130, 143


def main() -> None:
    """Run `posebench`.

    Exit codes: 0 fine, 1 a check that was asked for fails, 2 bad usage or bad input, 130 interrupted by Ctrl-C, 143
    ended by SIGTERM.
    """
    from posebench.ending import end_with_parent, termination_as_interrupt

    for stream in (sys.stdout, sys.stderr):
        # Names may hold bytes that are no text, and terminals lack letters.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    with termination_as_interrupt():
        try:
            end_with_parent()
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
        _refuse_empty(sys.argv[1:])
        code = app(prog_name="posebench", standalone_mode=False) or 0
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
    except RuntimeError as error:
        if not str(error).startswith("Symlink loop"):  # how pathlib says it up to Python 3.12
            raise
        _fail(f"{str(error).partition(' from ')[2].strip(chr(39))}: is a link that leads back to itself")
    except MemoryError:
        _fail("not enough memory; an uncompressed .npz or .npy is read piece by piece")


def _refuse_empty(words: Sequence[str]) -> None:
    """Raise at an empty word, which an unset variable of a shell leaves: as a path it would be the working folder."""
    from posebench.errors import UsageError

    for number, word in enumerate(words, 1):
        option, equals, value = word.partition("=")
        if word and not (word.startswith("--") and equals and not value):
            continue
        before = words[number - 2] if number > 1 and not word else option
        place = before if before.startswith("-") else f"argument {number}"
        raise UsageError(f"{place}: is empty; if it comes from a variable of the shell, that is not set")


def _interrupted() -> NoReturn:
    from posebench.ending import terminated

    print(f"posebench: {'terminated' if terminated() else 'interrupted'}", file=sys.stderr)
    sys.exit(_TERMINATED if terminated() else _INTERRUPTED)


def _fail(sentence: str) -> None:
    from posebench.ending import terminated

    if terminated():  # and that it all fell over is what came of it
        _interrupted()
    # Names from files may hold line breaks; a message is one line.
    print(f"posebench: {' '.join(sentence.splitlines())}", file=sys.stderr)
    sys.exit(2)
