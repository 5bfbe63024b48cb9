"""The paper's tables once more: printed numbers out of `published` beside numbers regenerated from result JSONs.

`definitions` says which rows a table has, `results` reads runs out of a folder, `building` puts both side by side and
`marks` says of each number what it does not compare with; `render` sets the table, `running` makes runs that are
missing. Nothing here computes a metric. docs/tables.md describes the folder.
"""

from __future__ import annotations

from posebench.tables.building import build_table
from posebench.tables.model import Missing, Number, PaperTable, Row

__all__ = ["Missing", "Number", "PaperTable", "Row", "build_table"]
