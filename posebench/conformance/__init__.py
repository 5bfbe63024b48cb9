"""The conformance suite: known defects of public scorers as cases that any scorer can be run against.

Cases hold their input, their expected value by closed form or plain NumPy, and the wrong values by which defects are
recognised. Nothing in them calls posebench's metrics, which are measured like anybody's (`reference`).
"""

from __future__ import annotations

from posebench.conformance.cases import all_cases
from posebench.conformance.loading import load_scorer
from posebench.conformance.model import Case, Conformance, Result, Verdict
from posebench.conformance.own import reference
from posebench.conformance.running import conformance

__all__ = ["Case", "Conformance", "Result", "Verdict", "all_cases", "conformance", "load_scorer", "reference"]
