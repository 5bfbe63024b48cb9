"""The errors that posebench raises on purpose, each phrased as one sentence for the person who typed the command.

Everything here is caught in one place, `posebench.cli`, and printed without a traceback; library users catch
`PosebenchError`, or `ValueError` as with any numerical library.
"""

from __future__ import annotations


class PosebenchError(Exception):
    """Base of every error raised on purpose; the command line turns it into exit code 2."""


class InputError(PosebenchError, ValueError):
    """A file or an array that cannot be understood, or two that do not belong together."""


class UsageError(PosebenchError, ValueError):
    """A name, option or argument that does not exist or does not fit."""


class MissingExtraError(PosebenchError, ImportError):
    """An optional dependency is not installed; the message holds the pip command that installs it."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f"{what} needs the package {package}: pip install 'posebench-hpe[{extra}]'")
