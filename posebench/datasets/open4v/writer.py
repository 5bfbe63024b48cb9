"""Rendering a whole data set into a folder: in parallel, the same bytes for the same seed, to be resumed after a stop.

The folder holds `images/SPLIT/SUBJECT/SEQUENCE/CAMERA_FRAME.jpg`, `labels/SPLIT.npz` and `labels/SPLIT.views.npz`,
`card.json`, `LICENCE.txt` and `SHA256SUMS`. `parts.py` says when a clip and when the folder is done.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.datasets.open4v.body import Body, make_bodies
from posebench.datasets.open4v.card import CARD, LICENCE, SUMS, card_of, licence_text, recipe_of, versions_of
from posebench.datasets.open4v.images import load_images
from posebench.datasets.open4v.parts import (
    Counts,
    Progress,
    SplitParts,
    claim,
    finish,
    is_done,
    leave_with_parent,
    look,
    make_part,
    need_pillow,
    run_parts,
)
from posebench.datasets.open4v.renderer import Renderer, opengl_version
from posebench.datasets.open4v.splits import SPLITS, Clip, clips_of
from posebench.datasets.open4v.stage import Stage, cast_of
from posebench.errors import InputError, UsageError
from posebench.io.array_file import refuse_irregular
from posebench.io.hashing import sha256_of

#: Kinds of pictures -> how Pillow saves them.
FORMATS: Mapping[str, dict[str, Any]] = {
    "jpg": {"format": "JPEG", "quality": 90},
    "png": {"format": "PNG", "compress_level": 6},
}


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
        If there is no EGL, if a motion is damaged, if the folder holds another render or one begun with other versions
        of what makes it, or if it cannot be written, such as on a full disk; what is finished is kept.
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
    card = look(place, recipe, noun="render", verb="render")
    if card is not None:
        return Rendered(place, _pictures(card, place), 0)
    # Nothing is written before it is known that pictures and bodies can be made.
    need_pillow("rendering")
    versions = versions_of(opengl_version())
    waiting = [clip for clip in clips if not _is_done(place, clip)]
    bodies = _bodies(waiting, seed) if waiting else {}
    claim(place, recipe, noun="render", verb="render", versions=versions)
    new = 0
    if waiting:
        setting = _Setting(bodies, pixels, seed, image_format)
        new = run_parts(
            place, waiting, len(clips), _render_clip, _words,
            workers=workers or os.cpu_count() or 1, progress=progress, start=_open_stage, given=(setting,),
        )  # fmt: skip
    return Rendered(place, _finish(place, clips, recipe, versions), new)


def _pictures(card: Mapping[str, Any], place: Path) -> dict[str, int]:
    """Pictures by split, as the card says."""
    try:
        return {name: int(split["pictures"]) for name, split in card["splits"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"{place / CARD}: is damaged; remove the folder, and render again") from None


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
            wrong.append(f"{path}: is not the file that was made, its SHA-256 differs")
    return wrong


def read_sums(place: Path) -> dict[str, str]:
    """File -> SHA-256 out of a folder's list.

    Raises
    ------
    InputError
        If there is none, or it is damaged.
    """
    path = place / SUMS
    if path.exists():
        refuse_irregular(path)
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


def _is_done(place: Path, clip: Clip) -> bool:
    return is_done(place, clip.split, clip.name, labels_3d=SPLITS[clip.split].labels_3d)


def _finish(
    place: Path, clips: Sequence[Clip], recipe: Mapping[str, Any], versions: Mapping[str, str]
) -> dict[str, int]:
    """Join the labels, write card, licences and hashes, and tidy up."""
    fps = 10.0 if recipe["motions"] == "synthetic" else 120.0
    splits = [
        SplitParts(
            name,
            tuple(clip.name for clip in clips if clip.split == name),
            SPLITS[name].labels_3d,
            SPLITS[name].dataset,
            fps,
        )
        for name in recipe["splits"]
    ]

    def texts(counts: Counts, hashes: Mapping[str, str]) -> dict[str, str]:
        card = card_of(recipe, clips, counts, hashes, versions)
        return {CARD: json.dumps(card, indent=1, ensure_ascii=False) + "\n", LICENCE: licence_text(card)}

    return finish(place, splits, texts)


# ---------------------------------------------------------------------------------------------------------- processes


def _bodies(clips: Sequence[Clip], seed: int) -> dict[str, Body]:
    shapes = cast_of(clips, seed)
    return dict(zip(shapes, make_bodies(list(shapes.values())), strict=True))


def _words(clip: Clip) -> str:
    return f"{clip.split} {clip.sequence}"


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
    leave_with_parent()
    _stage = Stage(Renderer(setting.pixels, load_images()), setting.bodies, setting.seed), setting.image_format


def _render_clip(place: Path, clip: Clip) -> int:
    """Render a clip into the folder; how many pictures it has."""
    assert _stage is not None
    stage, image_format = _stage
    shots = ((encoded(shot.pixels, image_format), shot.labels) for shot in stage.shots(clip, image_format))
    return make_part(place, clip.split, clip.name, shots)


def encoded(pixels: npt.NDArray[np.uint8], image_format: str) -> bytes:
    """A picture (H, W, 3) as the bytes of a file, of one of `FORMATS`."""
    from PIL import Image

    with io.BytesIO() as buffer:
        Image.fromarray(pixels).save(buffer, **FORMATS[image_format])
        return buffer.getvalue()


__all__ = ["FORMATS", "Rendered", "encoded", "read_sums", "render", "verify"]
