"""A whole file of published results, small, and ways to change one thing in it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

_CELL = {"id": "mine-mpjpe", "metric": "MPJPE", "value": 48.1}
_ROW = {
    "method": "Mine",
    "variant": "all subjects",
    "paper": "mine",
    "sources": [{"document": "mine", "table": "table 3", "row": "Ours"}],
    "dataset": "h36m",
    "metric_match": "exact",
    "unit": "mm",
    "status": "verified",
}
_DOCUMENT = {"authors": "A. Author", "title": "Poses", "venue": "CVPR", "year": 2031}


def content(*, drop: str = "", **changes: Any) -> dict[str, Any]:
    """A file with one entry, some of whose fields are replaced or dropped."""
    cell = {**_ROW, **_CELL, **changes}
    cell.pop(drop, None)
    return {"documents": {"mine": dict(_DOCUMENT)}, "rows": [{"cells": [copy.deepcopy(cell)]}]}


def cells(*changes: dict[str, Any], **shared: Any) -> dict[str, Any]:
    """A file with one row of several cells."""
    return {
        "documents": {"mine": dict(_DOCUMENT)},
        "rows": [{**_ROW, **shared, "cells": [{**_CELL, **change} for change in changes]}],
    }


def save(folder: Path, data: object) -> Path:
    """The data as a YAML file, or a text as it is."""
    path = folder / "mine.yaml"
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data), "utf-8")
    return path
