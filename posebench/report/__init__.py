"""Reports: the result of a scoring run as data (`model`), and its renderings (`render`)."""

from __future__ import annotations

from posebench.report.model import SCHEMA, Coverage, MetricValue, Report

__all__ = ["SCHEMA", "Coverage", "MetricValue", "Report"]
