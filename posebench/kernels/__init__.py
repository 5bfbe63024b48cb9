"""Error fields of pose sets: the compiled closed form with the SVD twin behind it, run on chunks in threads.

`aligned_errors` is the door; metrics and the scorer know nothing of what lies behind it.
"""

from __future__ import annotations

from posebench.kernels.dispatch import CHUNK, ErrorFields, aligned_errors, compiled_form, map_chunks, threads
from posebench.kernels.fields import AMBIGUOUS_RATIO, Alignment, PoseFlag

__all__ = [
    "AMBIGUOUS_RATIO",
    "CHUNK",
    "Alignment",
    "ErrorFields",
    "PoseFlag",
    "aligned_errors",
    "compiled_form",
    "map_chunks",
    "threads",
]
