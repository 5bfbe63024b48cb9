"""Images that cover walls and floors: photographs bundled with scikit-image that anybody may use for anything.

Each split has images of its own. Pictures of people are left out, so that nobody else is in a scene.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from posebench.datasets.open4v.renderer import TEXTURE
from posebench.errors import InputError, MissingExtraError

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """A file in scikit-image's data folder, what it shows, by whom, and its licence as that project states it."""

    file: str
    shows: str
    licence: str


#: By name, as scikit-image 0.26 documents them.
PICTURES = {
    "brick": Picture("brick.png", "brick wall, from CC0Textures", "CC0"),
    "grass": Picture("grass.png", "grass, by Linolafett", "CC0"),
    "gravel": Picture("gravel.png", "gravel, from CC0Textures", "CC0"),
    "coffee": Picture("coffee.png", "a cup of coffee, by Rachel Michetti, courtesy of Pikolo Espresso Bar", "CC0"),
    "chelsea": Picture("chelsea.png", "Chelsea the cat, by Stefan van der Walt", "CC0"),
    "rocket": Picture("rocket.jpg", "launch of DSCOVR on a Falcon 9, by SpaceX", "public domain"),
    "hubble": Picture("hubble_deep_field.jpg", "Hubble eXtreme Deep Field, by NASA", "public domain"),
    "cell": Picture("cell.png", "a cell in saline, by Paul Müller", "CC0"),
    "coins": Picture("coins.png", "Greek coins from Pompeii, Brooklyn Museum", "no known copyright restrictions"),
    "retina": Picture("retina.jpg", "retina of a left eye, by Mikael Häggström", "CC0"),
    "clock": Picture("clock_motion.png", "a wall clock in motion, by Stefan van der Walt", "public domain"),
    "text": Picture("text.png", "handwriting", "public domain"),
    "microaneurysms": Picture("microaneurysms.png", "microaneurysms, by Andreas Maier", "CC0"),
}
#: What the splits' rooms are covered with.
STUDIO_IMAGES = ("brick", "grass", "gravel", "coffee", "chelsea")
PRETRAIN_IMAGES = ("rocket", "hubble", "cell", "coins")
WILD_IMAGES = ("retina", "clock", "text", "microaneurysms")


def load_images() -> dict[str, Pixels]:
    """All of `PICTURES` by name, as squares (TEXTURE, TEXTURE, 3) of equal mean brightness.

    Raises
    ------
    MissingExtraError
        If scikit-image or Pillow is not installed.
    InputError
        If the installed scikit-image lacks one.
    """
    try:
        from PIL import Image
    except ImportError:
        raise MissingExtraError("rendering", "Pillow", "data") from None
    found = {}
    for name, path in picture_files().items():
        with Image.open(path) as image:
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            square = image.convert("RGB").resize(
                (TEXTURE, TEXTURE), Image.Resampling.BOX, (left, top, left + side, top + side)
            )
        values = np.asarray(square, np.float64)
        values = 127.5 + (values - values.mean()) * (45 / max(values.std(), 1.0))
        found[name] = np.clip(values, 0, 255).round().astype(np.uint8)
    return found


def picture_files() -> dict[str, Path]:
    """Where the files of `PICTURES` are.

    Raises
    ------
    MissingExtraError, InputError
        As `load_images`.
    """
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise MissingExtraError("rendering", "scikit-image", "data")
    folder = Path(spec.origin).parent / "data"
    paths = {name: folder / picture.file for name, picture in PICTURES.items()}
    missing = [path for path in paths.values() if not path.is_file()]
    if missing:
        raise InputError(f"{missing[0]}: is not there; the backgrounds are those of scikit-image 0.26")
    return paths


def picture_hashes() -> dict[str, str]:
    """The SHA-256 of each file."""
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in picture_files().items()}


__all__ = [
    "PICTURES",
    "PRETRAIN_IMAGES",
    "STUDIO_IMAGES",
    "WILD_IMAGES",
    "Picture",
    "load_images",
    "picture_files",
    "picture_hashes",
]
