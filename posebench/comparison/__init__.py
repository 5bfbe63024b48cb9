"""Comparing results: `compare`, and the `Comparison` that it gives."""

from __future__ import annotations

from posebench.comparison.comparing import compare
from posebench.comparison.model import Comparison

__all__ = ["Comparison", "compare"]
