"""Folders of pictures made part by part: by several processes, resumed after a stop, the same bytes for any number.

A part is done when its labels lie in `.parts`, where they are put after its pictures, and the pictures have the hashes
that stand there; whatever else is there of it is made again. A folder with `SHA256SUMS`, which comes last, is complete.
What is in the pictures is the business of the callers: `writer.py` renders them, `posebench.datasets.prepared` cuts
them out of recordings.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from posebench.datasets.open4v.card import CARD, SUMS, sums_text
from posebench.datasets.open4v.labels import Views, joined, read_part, write_labels, write_part
from posebench.errors import InputError, MissingExtraError
from posebench.io.array_file import refuse_irregular
from posebench.io.atomic import atomic_write, remove_leftovers
from posebench.io.hashing import sha256_of
from posebench.workers import ONE_THREAD, environment, leave_with_parent, uninterrupted

Progress = Callable[[float, float, str], None]
Task = TypeVar("Task")

_PARTS = ".parts"
_RECIPE = "recipe.json"
_VERSIONS = "versions"
#: One thread in each process: processes are what work is spread over.
_ONE_THREAD = {"LP_NUM_THREADS": "0", **ONE_THREAD}


# ------------------------------------------------------------------------------------------------------------- folder


def look(place: Path, recipe: Mapping[str, Any], *, noun: str, verb: str) -> dict[str, Any] | None:
    """See that a folder is ours, or can be: its card if it is complete, None if there is work left; makes nothing.

    Parameters and errors as those of `claim`.
    """
    marker = place / _PARTS / _RECIPE
    if (place / SUMS).is_file():
        card = _json(place / CARD, verb)
        _same_recipe(place, recipe, card.get("recipe"), noun, verb)
        # What a process left that was killed while it tidied up.
        shutil.rmtree(place / _PARTS, ignore_errors=True)
        return card
    if marker.is_file():
        _same_recipe(place, recipe, _json(marker, verb), noun, verb)
        return None
    if place.exists() and not place.is_dir():
        raise InputError(f"{place}: is a file; name a new folder, or an empty one")
    try:
        # A folder of parts without a recipe is that of a process that came no further.
        if place.exists() and any(path.name != _PARTS for path in place.iterdir()):
            raise InputError(f"{place}: holds other files; name a new folder, or an empty one")
    except OSError as error:
        raise unwritable(place, error) from None
    return None


def claim(
    place: Path, recipe: Mapping[str, Any], *, noun: str, verb: str, versions: Mapping[str, str] | None = None
) -> dict[str, Any] | None:
    """Make a folder ours, or see that it is: its card if it is complete, None if there is work left.

    Parameters
    ----------
    place : path
    recipe : mapping
        What decides the bytes of pictures and labels, as plain data.
    noun, verb : str
        What messages call the content, and making it: ``"render"`` and ``"render"``.
    versions : mapping, optional
        What else decides bytes: packages and drivers, by name. A complete folder is left as it is; one that was begun
        with others is not gone on with.

    Raises
    ------
    InputError
        If it holds other files, or what another recipe made; if it was begun with other versions.
    """
    card = look(place, recipe, noun=noun, verb=verb)
    if card is not None:
        return card
    marker = place / _PARTS / _RECIPE
    if marker.is_file():
        _same_versions(place, versions or {}, _json(marker, verb).get(_VERSIONS), verb)
        return None
    try:
        marker.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(marker) as handle:
            handle.write(json.dumps({**recipe, _VERSIONS: dict(versions or {})}, indent=1).encode())
    except OSError as error:
        raise unwritable(place, error) from None
    return None


def _json(path: Path, verb: str) -> dict[str, Any]:
    if path.exists():
        refuse_irregular(path)
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: is missing; remove the folder, and {verb} again") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise InputError(f"{path}: is damaged; remove the folder, and {verb} again")
    return data


def _same_recipe(place: Path, recipe: Mapping[str, Any], found: object, noun: str, verb: str) -> None:
    if not isinstance(found, dict):
        raise InputError(f"{place / CARD}: does not say how it was made; remove the folder, and {verb} again")
    for name, value in recipe.items():
        if found.get(name) != value:
            raise InputError(
                f"{place}: holds another {noun}, with {name} {found.get(name)!r} instead of {value!r}; name another "
                "folder"
            )


def _same_versions(place: Path, versions: Mapping[str, str], begun: object, verb: str) -> None:
    """Refuse to go on with what was begun with other versions: one data set would hold two kinds of pictures."""
    for name, version in versions.items():
        before = begun.get(name) if isinstance(begun, dict) else None
        if before != version:
            raise InputError(
                f"{place}: was begun with {name} {before or 'of an unknown version'}, and here is {version}; go on "
                f"with what it was begun with, or remove the folder and {verb} again"
            )


def unwritable(place: Path, error: OSError) -> InputError:
    """What to say when a folder cannot be written."""
    return InputError(
        f"{place}: cannot be written: {error.strerror or error}; make room or name another folder, and run it again: "
        "what is finished is kept"
    )


# --------------------------------------------------------------------------------------------------------------- parts


def part_path(place: Path, split: str, name: str) -> Path:
    """Where the labels of a part lie until the folder is complete."""
    return place / _PARTS / split / f"{name}.npz"


def is_done(place: Path, split: str, name: str, *, labels_3d: bool) -> bool:
    """Whether a part's labels are there and all of its pictures, byte for byte: power may fail before they are kept."""
    path = part_path(place, split, name)
    if not path.is_file():
        return False
    try:
        views, hashes = read_part(path, labels_3d=labels_3d)
    except InputError:
        return False
    files = [place / image for image in views.image.tolist()]
    return all(file.is_file() and sha256_of(file) == value for file, value in zip(files, hashes, strict=True))


def make_part(place: Path, split: str, name: str, pictures: Iterable[tuple[bytes, Views]]) -> int:
    """Write the pictures of a part, then its labels; how many there are.

    Parameters
    ----------
    place : path
    split, name : str
    pictures : iterable of (bytes, Views)
        Files and the labels of each, which name it.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    labels: list[Views] = []
    hashes: list[str] = []
    try:
        for data, views in pictures:
            path = place / str(views.image[0])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            labels.append(views)
            hashes.append(hashlib.sha256(data).hexdigest())
        part = part_path(place, split, name)
        part.parent.mkdir(parents=True, exist_ok=True)
        write_part(joined(labels), hashes, part)
    except OSError as error:
        raise unwritable(place, error) from None
    return len(labels)


@dataclass(frozen=True)
class SplitParts:
    """A split: its parts by name in the order of its labels, and what its labels say of themselves."""

    name: str
    parts: tuple[str, ...]
    labels_3d: bool
    dataset: str
    fps: float | None


Counts = Mapping[str, Mapping[str, int]]


def finish(
    place: Path, splits: Sequence[SplitParts], texts: Callable[[Counts, Mapping[str, str]], Mapping[str, str]]
) -> dict[str, int]:
    """Join the labels, write the index without labels, texts and hashes, and tidy up; pictures by split.

    Parameters
    ----------
    place : path
    splits : sequence of SplitParts
        All of whose parts are done.
    texts : callable
        Given pictures by split and subject, and the hashes so far: file -> text, of card and licence.

    Raises
    ------
    InputError
        If a part is damaged, or the folder cannot be written.
    """
    from posebench.datasets.views import INDEX, strip_labels

    hashes: dict[str, str] = {}
    counts: dict[str, dict[str, int]] = {}
    try:
        # A process that was killed in here left files of temporary names, which must not count.
        remove_leftovers(place)
        (place / "labels").mkdir(exist_ok=True)
        for split in splits:
            parts = []
            counts[split.name] = {}
            for name in split.parts:
                views, sums = read_part(part_path(place, split.name, name), labels_3d=split.labels_3d)
                parts.append(views)
                hashes.update(zip(views.image.tolist(), sums, strict=True))
                subject = str(views.subject[0])
                counts[split.name][subject] = counts[split.name].get(subject, 0) + len(views)
            for path in write_labels(joined(parts), place / "labels", split.name, dataset=split.dataset, fps=split.fps):
                hashes[path.relative_to(place).as_posix()] = sha256_of(path)
        # The index that training without labels reads: pictures, intrinsics and keys, nothing else.
        strip_labels(place, place)
        for path in sorted((place / INDEX).iterdir()):
            hashes[path.relative_to(place).as_posix()] = sha256_of(path)
        for file, text in texts(counts, hashes).items():
            with atomic_write(place / file) as handle:
                handle.write(text.encode())
            hashes[file] = hashlib.sha256(text.encode()).hexdigest()
        with atomic_write(place / SUMS) as handle:
            handle.write(sums_text(hashes).encode())
        shutil.rmtree(place / _PARTS)
    except OSError as error:
        raise unwritable(place, error) from None
    return {name: sum(by_subject.values()) for name, by_subject in counts.items()}


# ---------------------------------------------------------------------------------------------------------- processes


def need_pillow(purpose: str) -> None:
    """Say before any work is done that pictures could not be written.

    Raises
    ------
    MissingExtraError
        If Pillow is not installed.
    """
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise MissingExtraError(purpose, "Pillow", "data") from None


def run_parts(
    place: Path,
    waiting: Sequence[Task],
    total: int,
    make: Callable[[Path, Task], int],
    words: Callable[[Task], str],
    *,
    workers: int,
    progress: Progress | None,
    start: Callable[..., None],
    given: tuple[Any, ...] = (),
) -> int:
    """Make parts in processes of their own; how many pictures that were.

    Parameters
    ----------
    place : path
    waiting : sequence of tasks
        That are not done.
    total : int
        Of all tasks.
    make : callable
        A module's function that makes one.
    words : callable
        What the progress is told of one.
    workers : int
    progress : callable, optional
        Called with parts done, parts in all, and words.
    start : callable
        A module's function that each process calls once with `given`; it calls `leave_with_parent`.

    Raises
    ------
    InputError
        If a process was ended from outside, or what `make` raises; what is finished is kept.
    """
    pictures, finished = 0, total - len(waiting)
    with environment(_ONE_THREAD):
        pool = ProcessPoolExecutor(
            min(workers, len(waiting)),
            mp_context=multiprocessing.get_context("spawn"),
            initializer=start,
            initargs=given,
        )
        try:
            with uninterrupted():
                running = {pool.submit(make, place, task): task for task in waiting}
            for future in as_completed(running):
                pictures += future.result()
                finished += 1
                if progress is not None:
                    progress(finished, total, words(running[future]))
        except BrokenProcessPool:
            raise InputError(
                f"{place}: a process that made pictures was ended from outside, perhaps for want of memory; run it "
                "again: what is finished is kept"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)
    return pictures


__all__ = [
    "Counts",
    "Progress",
    "SplitParts",
    "claim",
    "finish",
    "is_done",
    "leave_with_parent",
    "look",
    "make_part",
    "need_pillow",
    "part_path",
    "run_parts",
    "unwritable",
]
