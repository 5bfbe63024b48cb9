"""The taxonomy of errors: how much of an error is rotation, scale, depth, limbs, swapped sides, outliers, jitter.

`layout` is what must be known of a skeleton, `kernels` finds the faults of each pose and shares its error out, `state`
adds up in any order, `model` is what comes of it. What is explained, and of which poses, is decided in
`posebench.scoring`; docs/explain.md says what every number means.
"""

from posebench.taxonomy.model import MEANINGS, Explanation, Fault, explanation_of
from posebench.taxonomy.state import ORDER, Frames, TaxonomyState, windows

__all__ = [
    "MEANINGS",
    "ORDER",
    "Explanation",
    "Fault",
    "Frames",
    "TaxonomyState",
    "explanation_of",
    "windows",
]
