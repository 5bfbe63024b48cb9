"""Files of labels: what `posebench zoo labels` writes and training reads, held against the pictures that it is for."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_zoo.epipolarpose.labels import SCHEMA, LabelConfig, Labels, view_sha256
from posebench.datasets.views import UnlabelledView
from posebench.errors import InputError, UsageError
from posebench.io.array_file import read_arrays, write_arrays
from posebench.io.atomic import atomic_write
from posebench.skeletons import H36M17

#: Bytes of a file of labels: about 2 kB for each pair.
SIZE_LIMIT = 4 * 2**30
_ARRAYS = ("pictures", "joints", "known", "error", "root_depth", "pose", "box")


def write_labels(labels: Labels, path: str | os.PathLike[str]) -> None:
    """Keep labels in a file.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    report = json.dumps(labels.report, allow_nan=False, sort_keys=True)
    with atomic_write(path) as handle:
        write_arrays(handle, {**{name: getattr(labels, name) for name in _ARRAYS}, "report": np.array(report)})


def read_labels(path: str | os.PathLike[str], view: UnlabelledView | None = None) -> Labels:
    """Read labels, and hold them against the pictures that they are for.

    Raises
    ------
    InputError
        If the file is damaged, or its labels are of other pictures.
    """
    file = Path(path)
    arrays = read_arrays(file, (*_ARRAYS, "report"), SIZE_LIMIT)
    report = _report_of(arrays.pop("report"), file)
    p, v = arrays["pictures"].shape if arrays["pictures"].ndim == 2 else (0, 0)
    n = len(arrays["box"]) if arrays["box"].ndim else 0
    shapes = {
        "pictures": (p, v),
        "joints": (p, v, len(H36M17), 3),
        "known": (p, len(H36M17)),
        "error": (p, len(H36M17)),
        "root_depth": (p, v),
        "pose": (p, v, 3, 4),
        "box": (n, 3),
    }
    for name, shape in shapes.items():
        array = arrays[name]
        kind = {"pictures": "i", "known": "b"}.get(name, "f")
        if array.shape != shape or array.dtype.kind != kind or v not in (1, 2):
            raise InputError(
                f"{file}: array {name!r} has shape {array.shape} and type {array.dtype}, expected {shape}; make the "
                "labels again: posebench zoo labels"
            )
    labels = Labels(
        arrays["pictures"].astype(np.int64),
        known=arrays["known"].copy(),
        **{name: arrays[name].astype(np.float64) for name in ("joints", "error", "root_depth", "pose", "box")},
        report=report,
    )
    if (wrong := _damage(labels)) is not None:
        raise InputError(f"{file}: {wrong}; make the labels again: posebench zoo labels")
    if view is not None and (n != len(view) or report["view_sha256"] != view_sha256(view)):
        raise InputError(f"{file}: its labels are of other pictures; make them again from these: posebench zoo labels")
    return labels


def _damage(labels: Labels) -> str | None:
    """What contradicts itself in labels of the right shapes; None for nothing."""
    p, v = labels.pictures.shape
    if p and not (labels.pictures.min() >= 0 and labels.pictures.max() < len(labels.box)):
        return "names pictures that are not there"
    if not np.isfinite(labels.joints[np.broadcast_to(labels.known[:, None], (p, v, len(H36M17)))]).all():
        return "holds a known joint that is not finite"
    if not labels.known[:, H36M17.root].all():
        return "holds a label whose root is not known"
    if v == 2 and not np.isfinite(labels.pose).all():
        return "holds a pair whose cameras have no pose"
    with np.errstate(invalid="ignore"):
        far = np.isfinite(labels.root_depth) & (labels.root_depth > 0)
    return None if far.all() or np.isnan(labels.root_depth).all() else "holds a depth of a root that is no distance"


def _report_of(array: npt.NDArray[Any], file: Path) -> Mapping[str, Any]:
    try:
        report = json.loads(str(array[()])) if array.dtype.kind == "U" and not array.ndim else None
    except (ValueError, RecursionError):
        report = None
    if not isinstance(report, dict) or report.get("schema") != SCHEMA:
        raise InputError(f"{file}: is no file of labels ({SCHEMA}); make one: posebench zoo labels")
    try:
        LabelConfig(**report["config"])
        counts = [report["pairs"][name] for name in ("offered", "labelled")]
        sound = all(type(count) is int for count in counts) and isinstance(report["view_sha256"], str)
    except (KeyError, TypeError, UsageError):
        sound = False
    if not sound:
        raise InputError(f"{file}: its report is damaged; make the labels again: posebench zoo labels")
    return report


__all__ = ["read_labels", "write_labels"]
