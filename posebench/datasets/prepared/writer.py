"""The folder of crops: which data set is cut, in parts and processes, with a card that says what was left out and why.

It holds `images`, `labels` and `views` as Open4V's, `card.json`, `LICENCE.txt` and `SHA256SUMS`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from posebench.datasets import catalog
from posebench.datasets.open4v.card import CARD, LICENCE
from posebench.datasets.open4v.parts import (
    Counts,
    Progress,
    SplitParts,
    claim,
    finish,
    is_done,
    leave_with_parent,
    make_part,
    need_pillow,
    run_parts,
)
from posebench.datasets.prepared.crops import People, Take
from posebench.errors import InputError, UsageError

SCHEMA = "posebench.crops/1"
#: Changes whenever the same recordings give other pictures or labels.
RECIPE = 1
#: What is prepared.
DATASETS = ("h36m", "mpi-inf-3dhp", "mpii")


@dataclass(frozen=True)
class Material:
    """What of a data set is cut.

    tasks : sequence of Take or People
        In the order of the labels.
    dataset : str
        What the labels call the data set.
    options : mapping
        What was chosen, as plain data.
    fps : float, optional
        If all recordings have one rate.
    left_out : Counter
        Why -> how many rows of annotations.
    notes : tuple of str
    """

    tasks: Sequence[Take] | Sequence[People]
    dataset: str
    options: Mapping[str, Any]
    fps: float | None = None
    left_out: Counter[str] = field(default_factory=Counter)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """A complete folder of crops: pictures of each split, how many were cut now, and what there is to know.

    left_out : mapping
        Why -> how many rows of annotations.
    """

    folder: Path
    pictures: Mapping[str, int]
    new: int
    left_out: Mapping[str, int]
    notes: tuple[str, ...]


def prepare(
    name: str,
    out: str | os.PathLike[str],
    *,
    folder: str | os.PathLike[str] | None = None,
    pixels: int = 256,
    stride: int | None = None,
    subjects: Collection[str] | None = None,
    annotations: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Prepared:
    """Cut the people out of a data set, or go on where an earlier call with the same arguments stopped.

    Scripts that call this need the usual guard ``if __name__ == "__main__":``, since processes are started afresh.

    Parameters
    ----------
    name : {"h36m", "mpi-inf-3dhp", "mpii"}
    out : path
        To be made, or empty, or of an earlier call.
    folder : path, optional
        That of the data set; by default where data sets are looked for.
    pixels : int
        Side of the crops, from 16 to 2048.
    stride : int, optional
        Every so-manieth frame for training, 5 by default; test sets keep their own (64 for Human3.6M, 1 for
        MPI-INF-3DHP).
    subjects : collection of str, optional
        By default all of Human3.6M, all that are there of MPI-INF-3DHP.
    annotations : path, optional
        MPII's list; by default the one that is in the folder.
    workers : int, optional
        Processes; by default one for each core.
    progress : callable, optional
        Called with recordings done, recordings in all, and the one that was finished last.

    Raises
    ------
    UsageError
        If an argument is out of range, or the data set is not there.
    MissingExtraError
        If the extra `data` is not installed.
    InputError
        If a recording or annotation is missing, damaged or does not fit the other, or if `out` holds something else.
    """
    if name not in DATASETS:
        raise UsageError(f"no crops are made of {name!r}; they are made of {', '.join(DATASETS)}")
    if not 16 <= pixels <= 2048:
        raise UsageError(f"pixels is {pixels}, expected 16 to 2048")
    if workers is not None and workers < 1:
        raise UsageError(f"workers is {workers}, expected 1 or more")
    if stride is not None and stride < 1:
        raise UsageError(f"stride is {stride}, expected 1 or more")
    if name == "mpii" and (stride is not None or subjects is not None):
        raise UsageError("MPII has single pictures and no subjects; leave out stride and subjects")
    if name != "mpii" and annotations is not None:
        raise UsageError(f"annotations are chosen for mpii alone; those of {name} lie beside its recordings")
    need_pillow("writing pictures")
    place = catalog.locate(name) if folder is None else Path(folder)
    material = _material(name, place, 5 if stride is None else stride, subjects, annotations)
    tasks = material.tasks
    if not tasks:
        raise InputError(f"{place}: holds nothing to cut out: {_counted(material.left_out) or 'no annotations'}")
    return _write(Path(out), name, material, pixels, workers or os.cpu_count() or 1, progress)


def _material(
    name: str,
    folder: Path,
    stride: int,
    subjects: Collection[str] | None,
    annotations: str | os.PathLike[str] | None,
) -> Material:
    from posebench.datasets.prepared import h36m, mpi_inf_3dhp, mpii

    if name == "h36m":
        return h36m.material(folder, subjects, stride)
    if name == "mpi-inf-3dhp":
        return mpi_inf_3dhp.material(folder, subjects, stride)
    return mpii.material(folder, annotations)


def _write(
    place: Path, name: str, material: Material, pixels: int, workers: int, progress: Progress | None
) -> Prepared:
    recipe = {
        "recipe": RECIPE,
        "dataset": name,
        "pixels": pixels,
        **material.options,
        "parts": len(material.tasks),
        "parts_sha256": _sha256_of(material.tasks),
    }
    card = claim(place, recipe, noun="preparation", verb="prepare")
    told = (dict(material.left_out), material.notes)
    if card is not None:
        return Prepared(place, {split: int(held["pictures"]) for split, held in card["splits"].items()}, 0, *told)
    waiting = [task for task in material.tasks if not is_done(place, task.split, task.name, labels_3d=task.labels_3d)]
    new = 0
    if waiting:
        new = run_parts(
            place, waiting, len(material.tasks), _cut, _words,
            workers=workers, progress=progress, start=_start, given=(pixels,),
        )  # fmt: skip
    splits = []
    for split in dict.fromkeys(task.split for task in material.tasks):
        mine = [task for task in material.tasks if task.split == split]
        splits.append(
            SplitParts(split, tuple(task.name for task in mine), mine[0].labels_3d, material.dataset, material.fps)
        )

    def texts(counts: Counts, hashes: Mapping[str, str]) -> dict[str, str]:
        made = _card(name, recipe, material, counts, hashes)
        return {CARD: json.dumps(made, indent=1, ensure_ascii=False) + "\n", LICENCE: _licence(name)}

    return Prepared(place, finish(place, splits, texts), new, *told)


def _sha256_of(tasks: Sequence[Take | People]) -> str:
    """A hash of all that decides the crops, but for the content of the recordings, which are known by their sizes."""
    digest = hashlib.sha256()
    for task in tasks:
        digest.update(f"{task.split}/{task.name}\n".encode())
        if isinstance(task, Take):
            size = task.recording.stat().st_size if task.recording.is_file() else 0
            digest.update(f"{task.recording.name} {size} {task.camera.size} {' '.join(task.actions.tolist())}".encode())
            arrays = [task.camera.K, task.camera.dist, task.camera.R, task.camera.t]
            arrays += [task.numbers, task.frames, task.poses]
        else:
            digest.update("\n".join(task.images).encode())
            arrays = [task.numbers, task.points, task.in_view, task.centres, task.scales]
        for array in arrays:
            digest.update(array.tobytes())
    return digest.hexdigest()


def _card(
    name: str, recipe: Mapping[str, Any], material: Material, counts: Counts, hashes: Mapping[str, str]
) -> dict[str, Any]:
    from posebench import __version__

    entry = catalog.get_dataset(name)
    return {
        "schema": SCHEMA,
        "made_of": entry.what,
        "licence": entry.licence,
        "attribution": entry.attribution,
        "redistribution": "not allowed",
        "posebench": __version__,
        "recipe": dict(recipe),
        "splits": {
            split: {"pictures": sum(by_subject.values()), "subjects": dict(by_subject)}
            for split, by_subject in counts.items()
        },
        "left_out": dict(material.left_out),
        "notes": list(material.notes),
        "labels_sha256": {file: value for file, value in sorted(hashes.items()) if file.startswith("labels/")},
    }


def _licence(name: str) -> str:
    entry = catalog.get_dataset(name)
    return (
        f"Derived from: {entry.what}.\nLicence: {entry.licence}\nAttribution: {entry.attribution}\n\n"
        "These crops and labels may not be redistributed: the terms that you accepted for the data set hold for them.\n"
    )


def _counted(left_out: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {why}" for why, count in sorted(left_out.items()) if count)


# ---------------------------------------------------------------------------------------------------------- processes

#: Of a process that cuts: the side of the crops.
_pixels: int | None = None


def _start(pixels: int) -> None:
    global _pixels
    leave_with_parent()
    _pixels = pixels


def _cut(place: Path, task: Take | People) -> int:
    assert _pixels is not None
    return make_part(place, task.split, task.name, task.shots(_pixels))


def _words(task: Take | People) -> str:
    return f"{task.split} {task.name}"


__all__ = ["DATASETS", "Material", "Prepared", "prepare"]
