"""What a network predicts from: the pictures of a folder, of a video or of a data set, their keys and intrinsics.

Pictures come one by one and nobody keeps them. What the user says of them (boxes, depths of roots) comes in tables that
must name exactly these pictures. No label of a data set is opened here.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.cameras import Camera, read_cameras
from posebench.datasets.footage import Picture, fit_video, read_picture, read_video, video_facts
from posebench.datasets.views import INDEX, UnlabelledView, open_unlabelled
from posebench.errors import InputError, UsageError
from posebench.io.array_file import read_bytes
from posebench.io.facts import brief, shown, shown_names

Floats = npt.NDArray[np.float64]

PICTURES = (".jpg", ".jpeg", ".png")
#: A square about a whole body is so many times as large as the body: with that it is about as large as one of `boxes`,
#: which are made around joints. The median over Open4V's test pictures is 1.19.
BODY_MARGIN = 1.2
#: Bytes of a table: about 60 for each picture.
TABLE_LIMIT = 256 * 2**20


@dataclass(frozen=True, eq=False)
class Source:
    """Pictures of people.

    name : str
        As messages and files call it.
    count : int, optional
        How many pictures there are; None if a video does not say.
    pictures : callable
        Starts from the first one.
    keys : callable
        Number of pictures -> the keys of a `PoseSet`.
    places : callable
        Number of pictures -> what tables call each: the file, or the frame's number.
    intrinsics : callable
        Row and picture -> (3, 3), in px.
    camera : Camera, optional
        Whose lens distorts the pictures; boxes and joints are in px without distortion.
    assumed_fov : float, optional
        Degrees, where the intrinsics are nothing but an assumption.
    view : UnlabelledView, optional
        Of a data set.
    """

    name: str
    count: int | None
    pictures: Callable[[], Iterator[Picture]]
    keys: Callable[[int], Mapping[str, Any]]
    places: Callable[[int], Sequence[str]]
    intrinsics: Callable[[int, Picture], Floats]
    camera: Camera | None = None
    assumed_fov: float | None = None
    view: UnlabelledView | None = None


def open_source(
    path: str | os.PathLike[str], *, split: str | None = None, camera: Camera | None = None, fov: float | None = None
) -> Source:
    """The pictures that a path leads to.

    Parameters
    ----------
    path : path
        A data set (a folder with `views`), a folder of .jpg and .png, one such picture, or a video.
    split : str, optional
        Of a data set, by default ``test``.
    camera : Camera, optional
        That took the pictures of a folder or video. A data set knows its intrinsics.
    fov : float, optional
        Degrees across the longer side of a picture, to be assumed where no camera is known.

    Raises
    ------
    InputError
        If there are no pictures, or a file is damaged.
    UsageError
        If intrinsics are missing, or said twice.
    """
    place = Path(path)
    if camera is not None and fov is not None:
        raise UsageError("--camera says the intrinsics, so --assume-fov has no place; leave one out")
    if fov is not None and not 1 <= fov <= 170:
        raise UsageError(f"--assume-fov is {fov:g}, expected degrees from 1 to 170")
    if (place / INDEX).is_dir() or (place / "labels").is_dir():
        if camera is not None or fov is not None:
            raise UsageError(f"{place}: is a data set that knows its intrinsics; leave out --camera and --assume-fov")
        return _of_view(open_unlabelled(place, split or "test"), f"{place}: {split or 'test'}")
    if split is not None:
        raise UsageError(f"{place}: is no data set (it has no folder {INDEX}), so --split {split} has no place")
    if not place.exists():
        raise InputError(f"{place}: is missing; expected a folder of pictures, a video or a data set")
    if camera is None and fov is None:
        raise UsageError(
            f"{place}: nothing says the intrinsics of its camera, without which there is no pose in 3D; give --camera "
            "FILE, or let a field of view be assumed with --assume-fov DEGREES"
        )
    video = place.is_file() and place.suffix.lower() not in PICTURES
    return _of_video(place, camera, fov) if video else _of_files(place, camera, fov)


def choose_camera(path: str | os.PathLike[str], name: str | None = None) -> Camera:
    """The camera of a file that has one, or the one of that name.

    Raises
    ------
    InputError
        If the file cannot be read.
    UsageError
        If there is no such camera, or several and no name.
    """
    cameras = read_cameras(path)
    if name is None and len(cameras) == 1:
        return next(iter(cameras.values()))
    if name not in cameras:
        what = "has several cameras" if name is None else f"has no camera {name}"
        raise UsageError(f"{os.fspath(path)}: {what}; choose with --camera-name: {shown_names(list(cameras))}")
    return cameras[name]


def _of_view(view: UnlabelledView, name: str) -> Source:
    if not len(view):
        raise InputError(f"{name}: has no pictures")
    # A view's ids of sequences begin with the subject, which ground truth keeps in a column of its own.
    parts = [text.partition("/") for text in view.sequence.tolist()]
    keys: dict[str, Any] = {"camera": view.camera, "frame": view.frame}
    if all(slash for _, slash, _ in parts):
        keys |= {"subject": np.array([part[0] for part in parts]), "sequence": np.array([part[2] for part in parts])}
    else:
        keys["sequence"] = view.sequence
    return Source(
        name,
        len(view),
        view.images,
        lambda n: {key: column[:n] for key, column in keys.items()},
        lambda n: [f"picture {row}" for row in range(n)],
        lambda row, picture: view.intrinsics[row],
        view=view,
    )


def _of_files(place: Path, camera: Camera | None, fov: float | None) -> Source:
    root = place if place.is_dir() else place.parent
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    files = [path for path in files if path.suffix.lower() in PICTURES and path.is_file()]
    if not files:
        raise InputError(f"{place}: holds no pictures; expected files that end in {', '.join(PICTURES)}")
    names = [path.relative_to(root).as_posix() for path in files]

    def intrinsics(row: int, picture: Picture) -> Floats:
        height, width = picture.shape[:2]
        if camera is not None and camera.size not in (None, (width, height)):
            raise InputError(
                f"{files[row]}: has {width} × {height} px, but camera {camera.name} is one for {camera.size[0]} × "
                f"{camera.size[1]}; give the calibration of these pictures"
            )
        return _intrinsics(camera, fov, width, height)

    return Source(
        str(place),
        len(files),
        lambda: (read_picture(path) for path in files),
        lambda n: {"sequence": np.array(names[:n])},
        lambda n: names[:n],
        intrinsics,
        _lens(camera),
        fov,
    )


def _of_video(place: Path, camera: Camera | None, fov: float | None) -> Source:
    video = video_facts(place)
    if camera is not None and camera.size is not None:
        camera = fit_video(video, camera).camera(camera, (video.width, video.height))
    K = _intrinsics(camera, fov, video.width, video.height)
    return Source(
        str(place),
        video.frames,
        lambda: read_video(place),
        lambda n: {"sequence": place.stem, "frame": np.arange(n)},
        lambda n: [str(row) for row in range(n)],
        lambda row, picture: K,
        _lens(camera),
        fov,
    )


def _intrinsics(camera: Camera | None, fov: float | None, width: int, height: int) -> Floats:
    if camera is not None:
        return np.asarray(camera.K, np.float64)
    assert fov is not None
    f = max(width, height) / 2 / math.tan(math.radians(fov) / 2)
    return np.array([[f, 0, (width - 1) / 2], [0, f, (height - 1) / 2], [0, 0, 1]])


def _lens(camera: Camera | None) -> Camera | None:
    """The camera, if its lens distorts."""
    if camera is None or not (camera.fisheye or np.any(camera.dist)):
        return None
    return replace(camera, R=np.eye(3), t=np.zeros(3))


# --------------------------------------------------------------------------------------------------------------- tables


@dataclass(frozen=True)
class Boxes:
    """Squares that the user gives for each picture: left edge, top edge and side, in px."""

    path: Path
    by_place: Mapping[str, tuple[float, float, float]]

    def of(self, source: Source, rows: range) -> Floats:
        """Those of some pictures (N, 3).

        Raises
        ------
        InputError
            If a picture has none.
        """
        names = source.places(rows.stop)[rows.start :]
        missing = [name for name in names if name not in self.by_place]
        if missing:
            raise InputError(f"{self.path}: has no box for {shown_names(missing)}, which {source.name} holds")
        return np.array([self.by_place[name] for name in names], np.float64)

    def refuse_foreign(self, source: Source, n: int) -> None:
        """Raise if there are boxes of other pictures than the `n` of a source."""
        foreign = sorted(set(self.by_place) - set(source.places(n)))
        if foreign:
            raise InputError(f"{self.path}: has boxes for {shown_names(foreign)}, which {source.name} does not hold")


def read_boxes(path: str | os.PathLike[str]) -> Boxes:
    """Boxes out of .csv or .json, a row for each picture: `picture` (its file) or `frame` (its number).

    Then `left`, `top`, `side`: the square that is cut out; or `left`, `top`, `right`, `bottom`: the box of a body, from
    which a square `BODY_MARGIN` as large is made. Edges are lines between pixels, whole numbers are their middles.

    Raises
    ------
    InputError
        If the table is damaged, a number is not finite, a box is empty, or a picture stands twice.
    """
    columns, rows = _table(Path(path), (("left", "top", "side"), ("left", "top", "right", "bottom")))
    found = {}
    for place, numbers in rows.items():
        if len(columns) == 3:
            left, top, side = numbers
        else:
            width, height = numbers[2] - numbers[0], numbers[3] - numbers[1]
            side = BODY_MARGIN * max(width, height) if min(width, height) > 0 else 0.0
            left, top = (numbers[0] + numbers[2] - side) / 2, (numbers[1] + numbers[3] - side) / 2
        if not (0 < side <= 1e5 and abs(left) <= 1e5 and abs(top) <= 1e5):
            values = ", ".join(f"{name} {number:g}" for name, number in zip(columns, numbers, strict=True))
            raise InputError(f"{os.fspath(path)}: the box of {shown(place)} has {values}, which is no box in px")
        found[place] = (left, top, side)
    return Boxes(Path(path), found)


def read_root_depths(path: str | os.PathLike[str], source: Source) -> Floats:
    """Depths of the roots (N,) in mm, which the user knows, for exactly the pictures of a source.

    Parameters
    ----------
    path : path
        .csv or .json with `picture` or `frame`, and `root_depth` in mm; or a file of poses that states root depths
        or stands in the camera, such as the ground truth of a data set, whose keys say which are whose.

    Raises
    ------
    InputError
        If the file is damaged, lacks a depth, or one is no distance.
    UsageError
        If the number of pictures is not known beforehand.
    """
    where = os.fspath(path)
    if source.count is None:
        raise UsageError(f"{source.name}: does not say how many frames it has, so {where} cannot be held against it")
    n = source.count
    if Path(path).suffix.lower() in (".csv", ".json"):
        _, rows = _table(Path(path), (("root_depth",),))
        missing = [name for name in source.places(n) if name not in rows]
        if missing:
            raise InputError(f"{where}: has no depth for {shown_names(missing)}, which {source.name} holds")
        found = np.array([rows[name][0] for name in source.places(n)])
    else:
        found = _depths_of_poses(where, source, n)
    wrong = np.flatnonzero(~(np.isfinite(found) & (found > 0)))
    if len(wrong):
        raise InputError(
            f"{where}: the root depth of {shown(source.places(n)[wrong[0]])} is {found[wrong[0]]:g}, expected mm"
        )
    return found


def _depths_of_poses(where: str, source: Source, n: int) -> Floats:
    from posebench.io import read
    from posebench.matching import match
    from posebench.poses import PoseSet

    given = read(where)
    stated = given.root_depth
    if stated is None and given.reference == "camera" and given.origin == "absolute" and given.skeleton is not None:
        # Where poses stand in the camera, the root's own coordinate says it; NaN where that is unknown.
        stated = given.poses[:, given.skeleton.root][:, 2]
    if stated is None or given.unit not in ("mm", "m"):
        raise InputError(f"{where}: states no root_depth in mm or m; a table with picture and root_depth does")
    wanted = PoseSet(np.zeros((n, 1, 3)), source=source.name, **source.keys(n))
    rows = match(given, wanted, allow_extra=True).pred_rows
    depth = np.broadcast_to(stated, (len(given),)) * (1.0 if given.unit == "mm" else 1000.0)
    return np.asarray(depth if rows is None else depth[rows], np.float64)


def _table(path: Path, shapes: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], dict[str, tuple[float, ...]]]:
    """Which of the shapes the columns have, and the numbers of each picture."""
    if path.suffix.lower() not in (".csv", ".json"):
        raise UsageError(f"{path}: a table about pictures ends in .csv or .json")
    records = _records(path)
    expected = " or ".join(f"picture or frame, {', '.join(shape)}" for shape in shapes)
    found: dict[str, tuple[float, ...]] = {}
    columns: tuple[str, ...] = ()
    for number, record in enumerate(records, 1):
        key = next((key for key in ("picture", "frame") if key in record), "")
        columns = next((shape for shape in shapes if {*shape, key} == set(record)), ())
        if not columns:
            raise InputError(f"{path}: row {number} has {shown_names(list(map(str, record)))}, expected {expected}")
        place = str(record[key])
        if place in found:
            raise InputError(f"{path}: {shown(place)} stands twice")
        found[place] = tuple(_number(record[name], f"{path}: row {number}: {name}") for name in columns)
    if len({len(numbers) for numbers in found.values()}) > 1:
        raise InputError(f"{path}: its rows have different columns")
    return columns, found


def _records(path: Path) -> list[dict[str, Any]]:
    try:
        text = read_bytes(path, TABLE_LIMIT).decode("utf-8-sig")
        if path.suffix.lower() == ".json":
            records = json.loads(text)
        else:
            records = list(csv.DictReader(io.StringIO(text), strict=True, restkey="too many", restval="none"))
    except InputError:
        raise
    except (ValueError, RecursionError, csv.Error) as error:
        raise InputError(f"{path}: is no table: {brief(error)}") from None
    if not isinstance(records, list) or not records or not all(isinstance(record, dict) for record in records):
        raise InputError(
            f"{path}: holds no rows; expected a line of names and then a row for each picture, or a list of objects"
        )
    return records


def _number(value: Any, place: str) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (ValueError, TypeError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{place} is {shown(value)}, expected a number")
    return number


__all__ = ["BODY_MARGIN", "Boxes", "Source", "choose_camera", "open_source", "read_boxes", "read_root_depths"]
