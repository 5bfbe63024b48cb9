"""What a rendered data set says of itself: how it was made, of what, under which licences, and its files' hashes."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from posebench.datasets.cmu import CMU_ATTRIBUTION, CMU_LICENCE
from posebench.datasets.hdm05 import HDM05_ATTRIBUTION, HDM05_LICENCE
from posebench.datasets.open4v.body import JOINTS
from posebench.datasets.open4v.images import PICTURES, picture_hashes
from posebench.datasets.open4v.splits import SPLITS, Clip

SCHEMA = "posebench.open4v/1"
#: Changes whenever the same seed gives other pictures or labels.
RECIPE = 1
CARD, SUMS, LICENCE = "card.json", "SHA256SUMS", "LICENCE.txt"

_BODY = {
    "package": "anny",
    "licence": "Apache-2.0, its data CC0 1.0",
    "attribution": "Anny, Copyright (C) 2025 NAVER Corp.; its shapes are those of MakeHuman.",
}
_SOURCES = {
    "cmu": {
        "database": "CMU Graphics Lab Motion Capture Database",
        "licence": CMU_LICENCE,
        "attribution": CMU_ATTRIBUTION,
    },
    "hdm05": {
        "database": "HDM05",
        "licence": HDM05_LICENCE,
        "attribution": HDM05_ATTRIBUTION,
        "share_alike": "Pictures and labels of these subjects derive from HDM05 and are passed on under CC BY-SA 3.0.",
    },
    "syn": {
        "database": "none: motions made up within the limits of joints",
        "licence": "none needed",
        "attribution": "",
    },
}
#: Packages whose versions decide bytes of pictures or labels.
_PACKAGES = ("anny", "moderngl", "numpy", "pillow", "scikit-image", "torch")


def recipe_of(
    *, size: str, pixels: int, motions: str, seed: int, image_format: str, clips: Sequence[Clip]
) -> dict[str, Any]:
    """What decides every byte of the pictures and labels, besides the machine; two renders are one if this is equal.

    The motions are known by the names of their files and by how long these are.
    """
    listed = "\n".join(
        f"{clip.split} {clip.subject} {clip.sequence} {clip.stride} {clip.frames} "
        f"{Path(clip.path).stat().st_size if clip.path else 0}"
        for clip in clips
    )
    return {
        "recipe": RECIPE,
        "size": size,
        "pixels": pixels,
        "motions": motions,
        "seed": seed,
        "image_format": image_format,
        "splits": sorted({clip.split for clip in clips}),
        "clips": len(clips),
        "clips_sha256": hashlib.sha256(listed.encode()).hexdigest(),
    }


def card_of(
    recipe: Mapping[str, Any],
    clips: Sequence[Clip],
    counts: Mapping[str, Mapping[str, int]],
    hashes: Mapping[str, str],
    versions: Mapping[str, str],
) -> dict[str, Any]:
    """The card, as plain data.

    Parameters
    ----------
    recipe : mapping
        As `recipe_of` makes it.
    clips : sequence of Clip
    counts : mapping
        Split -> subject -> number of pictures.
    hashes : mapping
        File, relative to the folder -> its SHA-256.
    versions : mapping
        What it was made with, as `versions_of` says.
    """
    from posebench import __version__

    splits = {}
    for name in recipe["splits"]:
        split = SPLITS[name]
        mine = [clip for clip in clips if clip.split == name]
        files = {path: value for path, value in hashes.items() if path.startswith(f"images/{name}/")}
        splits[name] = {
            "purpose": split.purpose,
            "dataset": split.dataset,
            "pictures": sum(counts[name].values()),
            "instants": sum(counts[name].values()) // split.views,
            "views": split.views,
            "sequences": len(mine),
            "pictures_by_subject": dict(sorted(counts[name].items())),
            "stride": mine[0].stride,
            "labels": [path for path in hashes if path.startswith(f"labels/{name}.")],
            "sources": sources_of(counts[name]),
            "backgrounds": list(split.images),
            "file_list_sha256": file_list_sha256(files),
        }
    labels = {path: value for path, value in hashes.items() if path.startswith("labels/")}
    return {
        "schema": SCHEMA,
        "name": "Open4V",
        "recipe": dict(recipe),
        "splits": splits,
        "body": _BODY,
        "backgrounds": _backgrounds(recipe["splits"]),
        "joints": {
            "skeleton": "h36m17",
            "bones": JOINTS,
            "pelvis": "middle of the hips",
            "thorax": "middle of the shoulders",
            "spine": "middle of pelvis and thorax",
            "nose": "vertex at the tip of the nose",
            "head": "vertex at the crown",
        },
        "file_list_sha256": file_list_sha256(hashes),
        "labels_sha256": dict(sorted(labels.items())),
        "versions": {"posebench": __version__, "python": platform.python_version(), **versions},
    }


def sources_of(subjects: Iterable[str]) -> list[dict[str, Any]]:
    """Where the motions of some subjects come from, with licence and attribution.

    Examples
    --------
    >>> [(source["database"], source["licence"]) for source in sources_of(["hdm05bd", "hdm05bk"])]
    [('HDM05', 'CC BY-SA 3.0')]
    """
    found = []
    for prefix, source in _SOURCES.items():
        mine = sorted(subject for subject in subjects if subject.startswith(prefix))
        if mine:
            found.append({**source, "subjects": mine})
    return found


def licence_text(card: Mapping[str, Any]) -> str:
    """The card's licences for people."""
    lines = ["Open4V: what it was made of, and under which terms it may be passed on.", ""]
    for name, split in card["splits"].items():
        lines.append(f"{name}: {split['purpose']}")
        for source in split["sources"]:
            lines.append(f"  subjects {', '.join(source['subjects'])}: {source['database']}. {source['licence']}")
            lines += [f"    {source[key]}" for key in ("attribution", "share_alike") if source.get(key)]
        lines.append("")
    lines.append(f"Bodies: {card['body']['package']}, {card['body']['licence']}. {card['body']['attribution']}")
    lines.append("Backgrounds, bundled with scikit-image:")
    lines += [f"  {each['file']}: {each['shows']}. {each['licence']}." for each in card["backgrounds"].values()]
    return "\n".join(lines) + "\n"


def _backgrounds(splits: Sequence[str]) -> dict[str, dict[str, str]]:
    used = {image for split in splits for image in SPLITS[split].images}
    hashes = picture_hashes()
    return {
        name: {"file": each.file, "shows": each.shows, "licence": each.licence, "sha256": hashes[name]}
        for name, each in PICTURES.items()
        if name in used
    }


def versions_of(opengl: str) -> dict[str, str]:
    """The versions of everything outside posebench that decides bytes, of which one data set must have one each.

    Parameters
    ----------
    opengl : str
        What draws, as `renderer.opengl_version` says.
    """
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return {**found, "opengl": opengl}


def sums_text(hashes: Mapping[str, str]) -> str:
    r"""Files and hashes in the form that `sha256sum -c` reads.

    Examples
    --------
    >>> sums_text({"b.txt": "12", "a.txt": "34"})
    '34  a.txt\n12  b.txt\n'
    """
    return "".join(f"{value}  {path}\n" for path, value in sorted(hashes.items()))


def file_list_sha256(hashes: Mapping[str, str]) -> str:
    """The SHA-256 of a list of files, as `sums_text` writes it."""
    return hashlib.sha256(sums_text(hashes).encode()).hexdigest()


__all__ = [
    "CARD",
    "LICENCE",
    "RECIPE",
    "SCHEMA",
    "SUMS",
    "card_of",
    "file_list_sha256",
    "licence_text",
    "recipe_of",
    "sources_of",
    "sums_text",
    "versions_of",
]
