"""Published results: one entry per number that somebody printed, with its source and what it was measured with.

The entries lie in the YAML files beside this module; docs/published.md says what an entry is and how to add one.
`reading` checks them, `comparability` says why two numbers do not compare. Nothing here computes a metric.
"""

from __future__ import annotations

from posebench.published.comparability import reasons_not_comparable
from posebench.published.model import Document, PublishedResult, Source
from posebench.published.registry import published_result, published_results

__all__ = [
    "Document",
    "PublishedResult",
    "Source",
    "published_result",
    "published_results",
    "reasons_not_comparable",
]
