"""Small results with frames beside them, built by hand, and their means by plain loops."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from posebench.frames import FrameMetric, FrameTable, frames_path, origin_of
from posebench.poses import KeyColumn
from posebench.report import Coverage, MetricValue, Report

UNITS = {"MPJPE": ("mm", False), "PMPJPE": ("mm", False), "PCK@150": ("%", True), "BoneSpread": ("mm", False)}


def keys_of(sequences: int, *, subjects: int = 2, actions: int = 3, lengths: tuple[int, ...] = (4, 7, 2)) -> dict:
    """Text keys of sequences of unequal length, each in one of the actions, each seen by two cameras."""
    rows = []
    for s in range(sequences):
        for camera in ("c1", "c2"):
            rows += [(f"S{s % subjects}", f"A{s % actions}", f"q{s}", camera)] * lengths[s % len(lengths)]
    return dict(zip(("subject", "action", "sequence", "camera"), map(np.array, zip(*rows, strict=True)), strict=True))


def frame_sequences(keys: dict[str, np.ndarray]) -> list[tuple[str, ...]]:
    """The sequence of each frame."""
    columns = [keys[key] for key in ("subject", "action", "sequence") if key in keys]
    return [tuple(str(column[i]) for column in columns) for i in range(len(columns[0]))]


def pooled(values: np.ndarray, keys: dict[str, np.ndarray], pooling: str = "frame", weights=None) -> float:
    """The mean as the protocol takes it, frame by frame."""
    w = np.ones(len(values)) if weights is None else weights
    if pooling in ("frame", "joint"):
        names = ["all"] * len(values)
    elif pooling == "sequence":
        names = frame_sequences(keys)
    else:
        names = [str(name) for name in keys[pooling]]
    sums: dict[Any, list[float]] = {}
    for name, value, weight in zip(names, values, w, strict=True):
        if not np.isnan(value):
            total = sums.setdefault(name, [0.0, 0.0])
            total[0] += weight * value
            total[1] += weight
    return sum(total / weight for total, weight in sums.values()) / len(sums)


def report_of(
    values: dict[str, np.ndarray],
    keys: dict[str, np.ndarray],
    *,
    pooling: str = "frame",
    weights: np.ndarray | None = None,
    pred: str = "p",
    gt: str | None = "g" * 64,
    bank: str = "b" * 64,
) -> Report:
    """A result of frames with these values."""
    metrics = {
        name: MetricValue(name, pooled(of, keys, pooling, weights), *UNITS[name], int((~np.isnan(of)).sum()))
        for name, of in values.items()
    }
    n = len(next(iter(values.values())))
    protocol = {"name": "standard", "version": 1, "sha256": "f" * 64, "pooling": pooling, "selection": None}
    return Report(
        metrics,
        Coverage(n, n, 0, 0, 0, "by subject, action, frame"),
        protocol,
        [{"name": "cmu-50", "k": 50, "sha256": bank}],
        {"pred": {"path": f"{pred}.npz", "sha256": pred * 64}, "gt": {"path": "gt.npz", "sha256": gt}},
        {"posebench": "0.1.0"},
    )


def table_of(
    report: Report, values: dict[str, np.ndarray], keys: dict[str, np.ndarray], weights: np.ndarray | None = None
) -> FrameTable:
    """The frames of a result."""
    columns = {}
    for key, column in keys.items():
        names, codes = np.unique(column, return_inverse=True)
        columns[key] = KeyColumn(codes.astype(np.int32), tuple(names.tolist()))
    n = len(next(iter(values.values())))
    held = np.zeros((0, n), np.uint16) if weights is None else weights[None].astype(np.uint16)
    return FrameTable(
        tuple(FrameMetric(name, *UNITS[name], None if weights is None else 0) for name in values),
        np.array(list(values.values()), np.float64),
        held,
        columns,
        np.arange(n),
        origin_of(report),
        {"BoneSpread": "a standard deviation over frames"} if "BoneSpread" in report.metrics else {},
    )


def write_result(path: Path, values: dict[str, np.ndarray], keys: dict[str, np.ndarray], **facts: Any) -> Path:
    """A result and its frames; predictions get a hash of their own from the file's name."""
    report = report_of(values, keys, **{"pred": path.stem, **facts})
    report.save(path)
    table_of(report, values, keys, facts.get("weights")).save(frames_path(path))
    return path


def differing_words(sentence: str) -> list[str]:
    """The files that a refusal names."""
    return re.findall(r"\w+\.json", sentence)
