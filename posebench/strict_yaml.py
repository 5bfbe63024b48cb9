"""YAML that people write by hand, read strictly: plain data only, and a key that stands twice is an error.

Protocols and skeletons are read through it. What the fields mean is left to those who read them.
"""

from __future__ import annotations

import stat
import unicodedata
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from posebench.errors import InputError

#: Largest file that is read; the definitions that come with posebench have a few kilobytes.
MAX_BYTES = 256 * 1024
#: Deepest nesting; PyYAML takes time that grows with the square of it.
MAX_DEPTH = 50
#: Longest number, in characters, and the largest whole one, in bits: Python does not print any larger ones.
MAX_NUMBER, MAX_BITS = 100, 64
#: Longest message about what stands in a file.
MESSAGE_LIMIT = 600


def load_yaml(path: Path) -> Any:
    """The one document in a YAML file, as plain data.

    Raises
    ------
    InputError
        If the file cannot be read, is no regular file, is larger than `MAX_BYTES`, nested more deeply than `MAX_DEPTH`,
        or is not YAML as above. References (`*name`) are refused, since a few lines of them unfold into gigabytes.
    """
    import yaml

    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path}: is no regular file, expected a .yaml file")
        if status.st_size > MAX_BYTES:
            raise InputError(f"{path}: has {status.st_size} bytes, expected at most {MAX_BYTES}")
        text = path.read_text("utf-8")
        depth = 0
        flow = (yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken)
        block = (yaml.BlockSequenceStartToken, yaml.BlockMappingStartToken)
        closing = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.AliasToken):
                raise yaml.YAMLError(f"a reference (*{token.value[:60]}) stands in line {token.start_mark.line + 1}")
            depth += isinstance(token, flow + block) - isinstance(token, closing)
            if depth > MAX_DEPTH:
                raise yaml.YAMLError(f"line {token.start_mark.line + 1} is nested more than {MAX_DEPTH} deep")
        return strict_loader()(text).get_single_data()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except InputError:
        raise
    # PyYAML's own constructors let these through on values such as `!!int abc` or a day that does not exist.
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: is not YAML: {reason if len(reason) <= 300 else reason[:297] + '...'}") from None


@contextmanager
def briefly() -> Iterator[None]:
    """Shorten the message of an error that repeats a file at length, and escape what cannot be printed on one line.

    Examples
    --------
    >>> with briefly():  # doctest: +ELLIPSIS
    ...     raise InputError("a.yaml: found " + "x" * 10_000 + ", expected a name")
    Traceback (most recent call last):
    posebench.errors.InputError: a.yaml: found xxx...xxx, expected a name
    """
    try:
        yield
    except InputError as error:
        text = said = str(error)
        if len(text) > MESSAGE_LIMIT:
            text = f"{text[: MESSAGE_LIMIT - 200]}...{text[-180:]}"
        if not text.isprintable():
            text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
        if text == said:
            raise
        raise InputError(text) from None


def strict_loader() -> Any:
    """PyYAML's safe loader, but a key that stands twice is an error instead of the last one winning."""
    import yaml

    class Strict(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key in (self.construct_object(key, deep=True) for key, _ in node.value):
                if not isinstance(key, Hashable):
                    raise yaml.YAMLError(f"a field is called {type(key).__name__}, expected a name")
                if key in seen:
                    raise yaml.YAMLError(f"the field {ascii(key)[:80]} stands twice")
                seen.add(key)
            return super().construct_mapping(node, deep)

        def number(self, node: yaml.ScalarNode) -> int | float:
            kind = node.tag.rpartition(":")[2]
            if len(str(node.value)) > MAX_NUMBER:
                raise yaml.YAMLError(f"line {node.start_mark.line + 1}: a number has {len(node.value)} characters")
            value: int | float = self.construct_yaml_int(node) if kind == "int" else self.construct_yaml_float(node)
            if isinstance(value, int) and value.bit_length() > MAX_BITS:
                raise yaml.YAMLError(f"line {node.start_mark.line + 1}: a whole number has {value.bit_length()} bits")
            return value

        def text(self, node: yaml.ScalarNode) -> str:
            value = str(self.construct_yaml_str(node))
            # "\\e[2J" and the like, which would reach the terminal with the next message.
            if any(unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t" for letter in value):
                raise yaml.YAMLError(f"line {node.start_mark.line + 1}: a text holds {ascii(value)[:60]}")
            return value

    for kind in ("int", "float"):
        Strict.add_constructor(f"tag:yaml.org,2002:{kind}", Strict.number)
    Strict.add_constructor("tag:yaml.org,2002:str", Strict.text)
    return Strict
