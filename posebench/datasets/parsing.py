"""What the parsers of motion capture files share: lines and words with their numbers, and numbers that are plain.

Files come from strangers: lines are bounded, and what a message shows of a file is short ASCII.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TextIO

from posebench.errors import InputError

#: Characters in a line; 100,000 channels fit.
LINE_LIMIT = 2**20
#: No length and no angle is larger; beyond, sums would lose all digits.
LARGEST = 1e9


def lines_of(file: TextIO) -> Iterator[str]:
    """The lines of a file; one longer than `LINE_LIMIT` comes in pieces, the first of which is too long."""
    return iter(lambda: file.readline(LINE_LIMIT + 1), "")


class Words:
    """The words of a text one by one, or its lines, with the number of the line that was read last."""

    def __init__(self, lines: Iterable[str], source: str) -> None:
        self.number = 0
        self._source = source
        self._lines = iter(lines)
        self._left: list[str] = []

    def error(self, complaint: str) -> InputError:
        """An error at the current line."""
        return InputError(f"{self._source}: line {max(self.number, 1)}: {complaint}")

    def line(self) -> str | None:
        """The next line, None at the end; words of the current one that are left over are an error."""
        if self._left:
            raise self.error(f"expected the end of the line, got {shown(self._left[-1])}")
        line = next(self._lines, None)
        if line is None:
            return None
        self.number += 1
        if len(line) > LINE_LIMIT:
            raise self.error(f"is longer than {LINE_LIMIT} characters")
        return line

    def next(self, expected: str) -> str:
        """The next word; `expected` says what it should be, should the text end."""
        while not self._left:
            line = self.line()
            if line is None:
                raise self.error(f"the file ends, expected {expected}")
            self._left = line.split()[::-1]
        return self._left.pop()

    def expect(self, *words: str) -> None:
        """Read these words, in capital letters or not."""
        for word in words:
            found = self.next(word)
            if found.lower() != word.lower():
                raise self.error(f"expected {word}, got {shown(found)}")

    def labelled(self, label: str) -> str:
        """What follows `label` and a colon on the next line that is not blank."""
        line: str | None = ""
        while line is not None and not line.strip():
            line = self.line()
        if line is None:
            raise self.error(f"the file ends, expected '{label}:'")
        before, colon, value = line.partition(":")
        if not colon or before.lower().split() != label.lower().split():
            raise self.error(f"expected '{label}:', got {shown(line.strip())}")
        return value.strip()


def number(words: Words, what: str) -> float:
    """The next word as a number that is neither NaN nor huge."""
    value = parsed(words, words.next(what), what)
    if not abs(value) <= LARGEST:
        raise words.error(f"{what} is {value:g}, expected a number up to {LARGEST:g}")
    return value


def parsed(words: Words, text: str, what: str) -> float:
    """A word as a number, without what float() takes beyond plain numbers: 1_000, and digits of other scripts."""
    try:
        if "_" not in text and text.isascii():
            return float(text)
    except ValueError:
        pass
    raise words.error(f"{what} is {shown(text)}, expected a number")


def shown(text: str) -> str:
    """A piece of the file as a message shows it: quoted, plain ASCII, not long."""
    return ascii(text if len(text) <= 40 else f"{text[:37]}...")
