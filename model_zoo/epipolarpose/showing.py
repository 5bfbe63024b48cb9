"""Predictions to be looked at: a picture with the joints in 2D on it, and the pose in 3D beside it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from model_zoo.epipolarpose.inference import Prediction
from model_zoo.epipolarpose.pictures import Source
from posebench.datasets.footage import Picture, undistort_picture
from posebench.drawing import CAMERA_VIEW, View, draw_skeleton, new_figure, plain_style, put_sides, save_figure
from posebench.errors import InputError
from posebench.skeletons import H36M17

#: Inches: the height of a panel, and of the legend below.
_PANEL, _FOOT = 3.2, 0.3
#: Degrees that the viewer walks round the pose and climbs, so that its depth shows.
_AROUND, _ABOVE = 55.0, 10.0


class Sheets:
    """Writes a .png for each picture into a folder, which is made if it is not there.

    Parameters
    ----------
    folder : Path
    source : Source

    Raises
    ------
    InputError
        If the folder cannot be made.
    """

    def __init__(self, folder: Path, source: Source) -> None:
        self._folder, self._source = folder, source
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from None

    def __call__(self, first: int, pictures: Sequence[Picture], found: Prediction) -> None:
        """Draw some pictures, of which the first has the row `first`."""
        names = self._source.places(first + len(pictures))[first:]
        for row, (picture, name) in enumerate(zip(pictures, names, strict=True)):
            lens = self._source.camera
            if lens is not None:
                picture = undistort_picture(picture, dataclasses.replace(lens, K=found.intrinsics[row]))
            bare = re.sub(r"[^\w.-]+", "_", name.rpartition(".")[0] or name)[-80:]
            self._draw(self._folder / f"{first + row:06d}_{bare}.png", picture, found, row)

    def _draw(self, path: Path, picture: Picture, found: Prediction, row: int) -> None:
        height, width = picture.shape[:2]
        one = Prediction(*(getattr(found, name)[[row]] for name in _FIELDS))
        across = _PANEL * min(max(width / height, 0.4), 2.5)
        with plain_style():
            figure = new_figure(across + _PANEL, _PANEL + _FOOT)
            foot = _FOOT / (_PANEL + _FOOT)
            share = across / (across + _PANEL)
            left = figure.add_axes((0.0, foot, share, 1 - foot))
            right = figure.add_axes((share, foot, 1 - share, 1 - foot))
            draw_skeleton(left, one.joints[0], H36M17, view=CAMERA_VIEW, width=1.2)
            left.imshow(picture, extent=(-0.5, width - 0.5, 0.5 - height, 0.5), zorder=0)
            left.set_xlim(-0.5, width - 0.5)
            left.set_ylim(0.5 - height, 0.5)
            draw_skeleton(right, one.camera_points()[0], H36M17, view=View.of("-y", azimuth=_AROUND, elevation=_ABOVE))
            put_sides(figure, H36M17)
        save_figure(figure, [path])


_FIELDS = ("joints", "confidence", "box", "whole", "intrinsics")

__all__ = ["Sheets"]
