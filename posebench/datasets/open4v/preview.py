"""Contact sheets of a rendered split: pictures with the labels drawn on them, to be looked at."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from posebench.datasets.open4v.labels import Views, read_labels
from posebench.errors import InputError, MissingExtraError, UsageError
from posebench.skeletons import H36M17

#: Left, right and middle of the body.
_COLOURS = {"L": (0, 230, 90), "R": (255, 150, 0)}
_MIDDLE, _JOINT = (60, 160, 255), (255, 30, 30)


def contact_sheet(
    folder: str | os.PathLike[str], split: str, *, rows: int = 4, columns: int = 4, plain: bool = False
) -> npt.NDArray[np.uint8]:
    """Pictures of a split, spread over all of it, with skeletons on them: (height, width, 3).

    Filled dots are joints that the labels call visible. In splits of four views a row is one instant.

    Parameters
    ----------
    folder : path
        Of the data set.
    split : str
    rows, columns : int
    plain : bool
        Without anything drawn on them.

    Raises
    ------
    UsageError
        If there is nothing to show.
    InputError
        If labels or pictures cannot be read.
    """
    if rows < 1 or columns < 1:
        raise UsageError(f"a sheet of {rows} × {columns} pictures shows nothing")
    views = read_labels(folder, split)
    group = 4 if len(set(views.camera.tolist())) == 4 else 1
    starts = (
        np.unique(np.linspace(0, len(views) // group - 1, rows if group > 1 else rows * columns).astype(int)) * group
    )
    chosen = [start + i for start in starts for i in range(min(group, columns))]
    tiles = [_tile(Path(folder), views, row, plain=plain) for row in chosen]
    wide = min(group, columns) if group > 1 else columns
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % wide)
    return np.concatenate([np.concatenate(tiles[i : i + wide], axis=1) for i in range(0, len(tiles), wide)])


def _tile(folder: Path, views: Views, row: int, *, plain: bool) -> npt.NDArray[np.uint8]:
    try:
        from PIL import Image, ImageDraw
    except ImportError:
        raise MissingExtraError("a contact sheet", "Pillow", "data") from None
    path = folder / str(views.image[row])
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if not plain:
        draw = ImageDraw.Draw(image)
        joints = views.joints[row]
        for parent, child in H36M17.bones:
            colour = _COLOURS.get(H36M17.joints[child][0], _MIDDLE)
            draw.line([*joints[parent], *joints[child]], fill=colour, width=1)
        for (x, y), seen in zip(joints, views.visible[row], strict=True):
            draw.ellipse([x - 2, y - 2, x + 2, y + 2], fill=_JOINT if seen else None, outline=_JOINT)
        draw.rectangle([*views.box[row]], outline=(255, 255, 255))
    return np.asarray(image)


__all__ = ["contact_sheet"]
