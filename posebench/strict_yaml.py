"""YAML that people write by hand, read strictly: plain data only, and a key that stands twice is an error.

Protocols and skeletons are read through it. What the fields mean is left to those who read them.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from posebench.errors import InputError

#: Largest file that is read; the definitions that come with posebench have a few kilobytes.
MAX_BYTES = 256 * 1024


def load_yaml(path: Path) -> Any:
    """The one document in a YAML file, as plain data.

    Raises
    ------
    InputError
        If the file cannot be read, is no regular file, is larger than `MAX_BYTES`, or is not YAML as above. References
        (`*name`) are refused, since a few lines of them unfold into gigabytes.
    """
    import yaml

    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path}: is no regular file, expected a .yaml file")
        if status.st_size > MAX_BYTES:
            raise InputError(f"{path}: has {status.st_size} bytes, expected at most {MAX_BYTES}")
        text = path.read_text("utf-8")
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.AliasToken):
                raise yaml.YAMLError(f"a reference (*{token.value}) stands in line {token.start_mark.line + 1}")
        return strict_loader()(text).get_single_data()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except InputError:
        raise
    # PyYAML's own constructors let these through on values such as `!!int abc` or a day that does not exist.
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: is not YAML: {' '.join(str(error).split())}") from None


def strict_loader() -> Any:
    """PyYAML's safe loader, but a key that stands twice is an error instead of the last one winning."""
    import yaml

    class Strict(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            for key in keys:
                if keys.count(key) > 1:
                    raise yaml.YAMLError(f"the field {key!r} stands twice")
            return super().construct_mapping(node, deep)

    return Strict
