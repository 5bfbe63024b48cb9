"""Rendering a whole data set into a folder: in parallel, the same bytes for the same seed, to be resumed after a stop.

The folder holds `images/SPLIT/SUBJECT/SEQUENCE/CAMERA_FRAME.jpg`, `labels/SPLIT.npz` and `labels/SPLIT.views.npz`,
`card.json`, `LICENCE.txt` and `SHA256SUMS`. A clip is done when its labels lie in `.parts`, where they are put after
its pictures; whatever else is there of it is written again. A folder with `SHA256SUMS`, which comes last, is complete.
"""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.datasets.open4v.body import Body, make_bodies
from posebench.datasets.open4v.card import CARD, LICENCE, SUMS, card_of, licence_text, recipe_of, sums_text
from posebench.datasets.open4v.images import load_images
from posebench.datasets.open4v.labels import Views, joined, read_part, write_labels, write_part
from posebench.datasets.open4v.renderer import Renderer, open_context
from posebench.datasets.open4v.splits import SPLITS, Clip, clips_of
from posebench.datasets.open4v.stage import Stage, cast_of
from posebench.errors import InputError, MissingExtraError, UsageError
from posebench.io.atomic import atomic_write
from posebench.io.hashing import sha256_of

Progress = Callable[[float, float, str], None]

#: Kinds of pictures -> how Pillow saves them.
FORMATS: Mapping[str, dict[str, Any]] = {
    "jpg": {"format": "JPEG", "quality": 90},
    "png": {"format": "PNG", "compress_level": 6},
}
_PARTS = ".parts"
_RECIPE = "recipe.json"
#: One thread in each process: processes are what work is spread over.
_ONE_THREAD = {"LP_NUM_THREADS": "0", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Rendered:
    """A complete data set: its folder, the number of pictures in each split, and how many were rendered now."""

    folder: Path
    pictures: Mapping[str, int]
    new: int


def render(
    folder: str | os.PathLike[str],
    *,
    size: str = "small",
    pixels: int = 256,
    motions: str = "mocap",
    root: str | os.PathLike[str] | None = None,
    splits: Sequence[str] = tuple(SPLITS),
    seed: int = 0,
    image_format: str = "jpg",
    workers: int | None = None,
    progress: Progress | None = None,
) -> Rendered:
    """Render Open4V, or go on where an earlier call with the same arguments stopped.

    Scripts that call this need the usual guard ``if __name__ == "__main__":``, since processes are started afresh.

    Parameters
    ----------
    folder : path
        To be made, or empty, or of an earlier call.
    size : {"tiny", "small", "full"}
    pixels : int
        Side of the pictures: 128 or 256, or any other from 16 to 4096.
    motions : {"mocap", "synthetic"}
        Of CMU and HDM05, or made up where there is no motion capture.
    root : path, optional
        The folder with `cmu-mocap` and `hdm05`; by default what the environment variable POSEBENCH_DATA says.
    splits : sequence of str
        Out of train, test, wild, pretrain2d.
    seed : int
        From 0 on. Of everything that is chosen at random.
    image_format : {"jpg", "png"}
    workers : int, optional
        Processes; by default one for each core.
    progress : callable, optional
        Called with clips done, clips in all, and the one that was finished last.

    Returns
    -------
    Rendered

    Raises
    ------
    UsageError
        If an argument is out of range.
    MissingExtraError
        If the extra `data` is not installed.
    InputError
        If there is no EGL, if a motion is damaged, if the folder holds another render, or if it cannot be written,
        such as on a full disk; what is finished is kept.
    """
    if image_format not in FORMATS:
        raise UsageError(f"image_format is {image_format!r}, expected one of {', '.join(FORMATS)}")
    if workers is not None and workers < 1:
        raise UsageError(f"workers is {workers}, expected 1 or more")
    if not 16 <= pixels <= 4096:
        raise UsageError(f"pixels is {pixels}, expected 16 to 4096")
    if seed < 0:
        raise UsageError(f"seed is {seed}, expected 0 or more")
    place = Path(folder)
    clips = clips_of(size, motions, root=root, splits=tuple(splits))
    recipe = recipe_of(size=size, pixels=pixels, motions=motions, seed=seed, image_format=image_format, clips=clips)
    complete = _claim(place, recipe)
    if complete is not None:
        return Rendered(place, complete, 0)
    _need_pillow()
    open_context().release()
    waiting = [clip for clip in clips if not _is_done(place, clip)]
    new = 0
    if waiting:
        setting = _Setting(_bodies(waiting, seed), pixels, seed, image_format)
        new = _run(place, waiting, len(clips), setting, workers or os.cpu_count() or 1, progress)
    return Rendered(place, _finish(place, clips, recipe), new)


def verify(folder: str | os.PathLike[str]) -> list[str]:
    """Hold every file of a complete data set against its hash.

    Returns
    -------
    list of str
        One sentence for each file that is missing or differs; empty if all is well.

    Raises
    ------
    InputError
        If the folder holds no complete data set, or its list of hashes is damaged.
    """
    place = Path(folder)
    hashes = read_sums(place)
    wrong = []
    for name, expected in hashes.items():
        path = place / name
        if not path.is_file():
            wrong.append(f"{path}: is missing")
        elif sha256_of(path) != expected:
            wrong.append(f"{path}: is not the file that was rendered, its SHA-256 differs")
    return wrong


def read_sums(place: Path) -> dict[str, str]:
    """File -> SHA-256 out of a folder's list.

    Raises
    ------
    InputError
        If there is none, or it is damaged.
    """
    path = place / SUMS
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise InputError(
            f"{place}: holds no complete render: there is no {SUMS}; render it, or go on rendering"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    hashes = {}
    for number, line in enumerate(lines, 1):
        value, _, name = line.partition("  ")
        # A list of files may come from a stranger, and must not lead out of the folder.
        if len(value) != 64 or not name or Path(name).is_absolute() or ".." in Path(name).parts:
            raise InputError(f"{path}: line {number} is no SHA-256 with a file of this folder")
        hashes[name] = value
    return hashes


# ------------------------------------------------------------------------------------------------------------- folder


def _claim(place: Path, recipe: Mapping[str, Any]) -> dict[str, int] | None:
    """Make the folder ours, or see that it is; pictures by split if it is complete."""
    marker = place / _PARTS / _RECIPE
    try:
        if (place / SUMS).is_file():
            _same_recipe(place, recipe, _json(place / CARD).get("recipe"))
            return {name: int(split["pictures"]) for name, split in _json(place / CARD)["splits"].items()}
        if marker.is_file():
            _same_recipe(place, recipe, _json(marker))
            return None
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise InputError(f"{place}: holds other files; name a new folder, or an empty one")
        marker.parent.mkdir(parents=True)
        with atomic_write(marker) as handle:
            handle.write(json.dumps(recipe, indent=1).encode())
    except OSError as error:
        raise _unwritable(place, error) from None
    return None


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise InputError(f"{path}: is damaged; remove the folder, and render again")
    return data


def _same_recipe(place: Path, recipe: Mapping[str, Any], found: object) -> None:
    if not isinstance(found, dict):
        raise InputError(f"{place / CARD}: does not say how it was rendered; remove the folder, and render again")
    for name, value in recipe.items():
        if found.get(name) != value:
            raise InputError(
                f"{place}: holds another render, with {name} {found.get(name)!r} instead of {value!r}; name another "
                "folder"
            )


def _unwritable(place: Path, error: OSError) -> InputError:
    return InputError(
        f"{place}: cannot be written: {error.strerror or error}; make room or name another folder, and run it again: "
        "what is finished is kept"
    )


def _part(place: Path, clip: Clip) -> Path:
    return place / _PARTS / clip.split / f"{clip.name}.npz"


def _is_done(place: Path, clip: Clip) -> bool:
    """Whether a clip's labels are there and all of its pictures."""
    path = _part(place, clip)
    if not path.is_file():
        return False
    try:
        views, _ = read_part(path, labels_3d=SPLITS[clip.split].labels_3d)
    except InputError:
        return False
    return all((place / name).is_file() for name in views.image.tolist())


def _finish(place: Path, clips: Sequence[Clip], recipe: Mapping[str, Any]) -> dict[str, int]:
    """Join the labels, write card, licences and hashes, and tidy up."""
    hashes: dict[str, str] = {}
    counts: dict[str, dict[str, int]] = {}
    try:
        (place / "labels").mkdir(exist_ok=True)
        for name in recipe["splits"]:
            split, parts = SPLITS[name], []
            counts[name] = {}
            for clip in (clip for clip in clips if clip.split == name):
                views, sums = read_part(_part(place, clip), labels_3d=split.labels_3d)
                parts.append(views)
                hashes.update(zip(views.image.tolist(), sums, strict=True))
                counts[name][clip.subject] = counts[name].get(clip.subject, 0) + len(views)
            fps = 10.0 if recipe["motions"] == "synthetic" else 120.0
            for path in write_labels(joined(parts), place / "labels", name, dataset=split.dataset, fps=fps):
                hashes[path.relative_to(place).as_posix()] = sha256_of(path)
        # The index that training without labels reads: pictures, intrinsics and keys, nothing else.
        from posebench.datasets.views import INDEX, strip_labels

        strip_labels(place, place)
        for path in sorted((place / INDEX).iterdir()):
            hashes[path.relative_to(place).as_posix()] = sha256_of(path)
        card = card_of(recipe, clips, counts, hashes)
        texts = {CARD: json.dumps(card, indent=1, ensure_ascii=False) + "\n", LICENCE: licence_text(card)}
        for file, text in texts.items():
            with atomic_write(place / file) as handle:
                handle.write(text.encode())
            hashes[file] = hashlib.sha256(text.encode()).hexdigest()
        with atomic_write(place / SUMS) as handle:
            handle.write(sums_text(hashes).encode())
        shutil.rmtree(place / _PARTS)
    except OSError as error:
        raise _unwritable(place, error) from None
    return {name: sum(by_subject.values()) for name, by_subject in counts.items()}


# ---------------------------------------------------------------------------------------------------------- processes


def _need_pillow() -> None:
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise MissingExtraError("rendering", "Pillow", "data") from None


def _bodies(clips: Sequence[Clip], seed: int) -> dict[str, Body]:
    shapes = cast_of(clips, seed)
    return dict(zip(shapes, make_bodies(list(shapes.values())), strict=True))


def _run(
    place: Path,
    waiting: Sequence[Clip],
    total: int,
    setting: _Setting,
    workers: int,
    progress: Progress | None,
) -> int:
    """Render clips in processes of their own; how many pictures that were."""
    pictures, finished = 0, total - len(waiting)
    with _environment(_ONE_THREAD):
        pool = ProcessPoolExecutor(
            min(workers, len(waiting)),
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_open_stage,
            initargs=(setting,),
        )
        try:
            running = {pool.submit(_render_clip, place, clip): clip for clip in waiting}
            for future in as_completed(running):
                pictures += future.result()
                finished += 1
                if progress is not None:
                    progress(finished, total, f"{running[future].split} {running[future].sequence}")
        except BrokenProcessPool:
            raise InputError(
                f"{place}: a process that rendered was ended from outside, perhaps for want of memory; run it again: "
                "what is finished is kept"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)
    return pictures


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables that processes started inside inherit."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@dataclass(frozen=True)
class _Setting:
    """What a process needs before the first clip."""

    bodies: Mapping[str, Body]
    pixels: int
    seed: int
    image_format: str


#: Of a process that renders.
_stage: tuple[Stage, str] | None = None


def _open_stage(setting: _Setting) -> None:
    global _stage
    # Ctrl-C reaches every process; the first one lets the others finish their clips. Should it be killed, they end too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()
    _stage = Stage(Renderer(setting.pixels, load_images()), setting.bodies, setting.seed), setting.image_format


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _render_clip(place: Path, clip: Clip) -> int:
    """Render a clip into the folder; how many pictures it has."""
    assert _stage is not None
    stage, image_format = _stage
    labels: list[Views] = []
    hashes: list[str] = []
    try:
        (place / clip.folder).mkdir(parents=True, exist_ok=True)
        for shot in stage.shots(clip, image_format):
            data = encoded(shot.pixels, image_format)
            (place / str(shot.labels.image[0])).write_bytes(data)
            labels.append(shot.labels)
            hashes.append(hashlib.sha256(data).hexdigest())
        part = _part(place, clip)
        part.parent.mkdir(parents=True, exist_ok=True)
        write_part(joined(labels), hashes, part)
    except OSError as error:
        raise _unwritable(place, error) from None
    return len(labels)


def encoded(pixels: npt.NDArray[np.uint8], image_format: str) -> bytes:
    """A picture (H, W, 3) as the bytes of a file, of one of `FORMATS`."""
    from PIL import Image

    with io.BytesIO() as buffer:
        Image.fromarray(pixels).save(buffer, **FORMATS[image_format])
        return buffer.getvalue()


__all__ = ["FORMATS", "Rendered", "encoded", "read_sums", "render", "verify"]
