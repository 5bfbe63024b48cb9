"""Pose files: `read` turns one into a `PoseSet`, `write` does the reverse, the suffix says how.

Formats register in `posebench.io.registry`; `atomic_write` and `sha256_of` serve whoever else handles files.
"""

from posebench.io.atomic import atomic_write
from posebench.io.hashing import sha256_of
from posebench.io.registry import Format, formats, read, register, write

__all__ = ["Format", "atomic_write", "formats", "read", "register", "sha256_of", "write"]
