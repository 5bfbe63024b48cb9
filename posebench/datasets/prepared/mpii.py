"""MPII's people as crops with joints in 2D: what is cut of the release, or of the lists made of it.

Annotations count pixels from 1; what is written counts from 0.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np

from posebench.conversion import convert
from posebench.datasets.mpii import MpiiPeople, read_mpii
from posebench.datasets.prepared.crops import NOT_PLACED, Bools, Floats, Ints, People
from posebench.datasets.prepared.writer import Material
from posebench.datasets.views import check_names
from posebench.errors import InputError
from posebench.poses import PoseSet
from posebench.skeletons import H36M17

SPLIT = "pretrain2d"
#: Where annotations are looked for below the folder, the first first.
ANNOTATIONS = tuple(
    f"{below}{name}"
    for name in ("mpii_human_pose_v1_u12_1.mat", "trainval.json", "train.json")
    for below in ("", "annot/", "annotations/", "mpii_human_pose_v1_u12_2/")
)
#: People in one part.
_PART = 256

_GET = (
    "get mpii_human_pose_v1.tar.gz (images) and mpii_human_pose_v1_u12_2.zip from human-pose.mpi-inf.mpg.de, Download"
)


def material(folder: Path, annotations: str | os.PathLike[str] | None) -> Material:
    """What is cut: everybody with joints, in the release's training set.

    Parameters
    ----------
    folder : path
        Holds `images`.
    annotations : path, optional
        A file as `read_mpii` reads it; by default the first of `ANNOTATIONS` in the folder.

    Raises
    ------
    InputError
        If there are no annotations, they name no images or lead out of the folder, or images are missing.
    """
    path = next((folder / name for name in ANNOTATIONS if (folder / name).is_file()), None)
    path = path if annotations is None else Path(annotations)
    if path is None:
        raise InputError(f"{folder}: holds no annotations, such as {ANNOTATIONS[0]} or train.json; {_GET}")
    found = read_mpii(path)
    if not found.images:
        raise InputError(f"{path}: names no images; take the release's .mat, or a list such as train.json")
    check_names(np.array(found.images), path)
    rows, left_out = _chosen(found)
    place = folder / "images"
    missing = sorted({found.images[row] for row in rows.tolist() if not (place / found.images[row]).is_file()})
    if missing:
        raise InputError(f"{place / missing[0]}: is missing, as {len(missing)} pictures that {path.name} names; {_GET}")
    return Material(_parts(found, rows, place), "mpii", {"annotations": path.name}, None, left_out)


def _chosen(found: MpiiPeople) -> tuple[Ints, Counter[str]]:
    """The people who are cut out, and how many of the training set are not."""
    placed = np.isfinite(found.centres).all(-1) & np.isfinite(found.scales) & (found.scales > 0)
    usable = found.train & found.annotated.any(1) & placed
    # Of the test set nothing but places is known.
    left_out = Counter({NOT_PLACED: int((found.train & ~usable).sum())})
    return np.flatnonzero(usable), +left_out


def _parts(found: MpiiPeople, rows: Ints, place: Path) -> list[People]:
    points = found.points[rows] - 1
    flat = np.concatenate([points, np.zeros((*points.shape[:2], 1))], axis=-1)
    joints, _ = _converted(flat, np.asarray(np.isfinite(points).all(-1)), found.source)
    _, in_view = _converted(flat, found.in_view[rows], found.source)
    centres, scales = found.centres[rows] - 1, found.scales[rows]
    parts = []
    for number, start in enumerate(range(0, len(rows), _PART)):
        some = slice(start, start + _PART)
        images = tuple(found.images[row] for row in rows[some].tolist())
        parts.append(
            People(
                SPLIT,
                f"{number:04d}",
                place,
                images,
                rows[some],
                joints[some],
                in_view[some],
                centres[some],
                scales[some],
            )
        )
    return parts


def _converted(
    points: Floats,
    valid: Bools,
    source: str,
) -> tuple[Floats, Bools]:
    """Joints of mpii16 as H36M-17 (N, 17, 2), NaN where they are not valid, and which are; by the one table."""
    body = convert(PoseSet(points, valid=valid, skeleton="mpii16", source=source), H36M17)
    assert body.valid is not None
    return np.where(body.valid[..., None], body.poses[..., :2], np.nan), body.valid


__all__ = ["ANNOTATIONS", "SPLIT", "material"]
