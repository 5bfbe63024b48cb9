"""The cases, one file per behaviour; each holds its input, its answer and the wrong answers that are known."""

from __future__ import annotations

from functools import cache

from posebench.conformance.model import Case


@cache
def all_cases() -> tuple[Case, ...]:
    """Every case, in the order in which they are run."""
    from posebench.conformance.cases import (
        alignment,
        areas,
        batches,
        distances,
        masks,
        missing,
        motion,
        shares,
        structure,
    )

    modules = (distances, batches, masks, missing, alignment, shares, areas, motion, structure)
    return tuple(case for module in modules for case in module.CASES.cases)
