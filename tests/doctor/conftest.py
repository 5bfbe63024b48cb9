"""The command line as the tests of commands run it."""

from __future__ import annotations

from tests.cli.conftest import posebench

__all__ = ["posebench"]
