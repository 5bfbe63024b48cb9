"""Reading camera files: JSON of several customs, TOML as anipose and Pose2Sim write it, Qualisys' .qca.txt.

Each reader turns one entry into a `Camera`, which checks the numbers. What a file does not say stays unknown: no unit
is guessed, and lens models other than OpenCV's are left out (docs/convert.md lists the conventions).
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from posebench.cameras.camera import UNITS, Camera, CameraUnit, Floats, as_numbers
from posebench.errors import InputError, UsageError
from posebench.io.facts import brief, check_texts, listing, shown, shown_kind
from posebench.poses import key_text

#: Bytes; a file of 500 cameras has 300 kB.
SIZE_LIMIT = 8 * 2**20
SUFFIXES = (".json", ".toml", ".qca.txt")


def read_cameras(path: str | os.PathLike[str], *, unit: CameraUnit | None = None) -> dict[str, Camera]:
    """Read a camera file; the suffix says which kind: .json, .toml or .qca.txt.

    Parameters
    ----------
    path : str or path
    unit : {"mm", "cm", "m"}, optional
        The unit of the translations, believed over the file. Only a .qca.txt and posebench's own JSON say it.

    Returns
    -------
    dict
        By name, in the order of the file; a camera that stands for one subject only is named ``SUBJECT/CAMERA``.

    Raises
    ------
    InputError
        If the file cannot be read or understood; one sentence with the file and the place in it.
    UsageError
        If the suffix or the unit is unknown.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "rig.json")
    >>> camera = {"name": "front", "K": [[1000, 0, 500], [0, 1000, 500], [0, 0, 1]], "dist": []}
    >>> camera |= {"R": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "t": [0, 0, 5]}
    >>> _ = path.write_text(json.dumps({"unit": "m", "cameras": [camera]}))
    >>> read_cameras(path)["front"].centre.tolist()
    [0.0, 0.0, -5.0]
    """
    source = os.fspath(path)
    if unit is not None and unit not in UNITS:
        raise UsageError(f"there is no unit {unit!r} for cameras; known are {', '.join(UNITS)}")
    name = os.path.basename(source).lower()
    reader = next((read for suffix, read in _READERS.items() if name.endswith(suffix)), None)
    if reader is None:
        raise UsageError(f"{source}: no camera file has this suffix; known are {', '.join(SUFFIXES)}")
    found: dict[str, Camera] = {}
    for camera in reader(_content(Path(path), source), source):
        if camera.key in found:
            raise InputError(f"{camera} stands twice in the file; each name may stand once")
        found[camera.key] = camera if unit is None else replace(camera, unit=unit, unit_stated=True)
    if not found:
        raise InputError(f"{source}: holds no cameras")
    return found


def _content(path: Path, source: str) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{source}: is a folder, expected a camera file")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{source}: is no regular file, expected a camera file")
        if status.st_size > SIZE_LIMIT:
            raise InputError(f"{source}: has {status.st_size} bytes, a camera file has at most {SIZE_LIMIT}")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror or error}") from None
    if not content.strip():
        raise InputError(f"{source}: is empty")
    return content


# ---------------------------------------------------------------------------------------------------------------- JSON


def _from_json(content: bytes, source: str) -> Iterator[Camera]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names: dict[str, Any] = {}
        for name, value in pairs:
            if name in names:
                raise InputError(f"{source}: the name {shown(name)} stands twice in one object")
            names[name] = value
        return names

    try:
        data = json.loads(content, object_pairs_hook=unique)
    except InputError:
        raise
    except RecursionError:
        raise InputError(f"{source}: is nested too deeply for a camera file") from None
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError, integers of thousands of digits
        raise InputError(f"{source}: is not JSON: {brief(error)}") from None
    unit = None
    if isinstance(data, dict):
        unit = _unit(data.get("unit"), source)
        data = data["cameras"] if "cameras" in data else {name: data[name] for name in data if name != "unit"}
    for place, named, entry in _entries(data, source):
        yield _json_camera(entry, place, named, unit, source)


def _entries(data: object, source: str) -> Iterator[tuple[str, dict[str, str], dict[str, Any]]]:
    """Every camera with its place and what its place says: {"name": ..., "subject": ...}.

    A list of cameras; cameras by name; or by subject, each with a list of cameras or cameras by name.
    """
    for place, key, value in _items(data, "cameras", source):
        if _is_camera(value):
            yield place, {} if key is None else {"name": key}, cast(dict[str, Any], value)
            continue
        if key is None or not isinstance(value, dict | list):
            raise InputError(f"{source}: {place} is {shown_kind(value)}, expected a camera with K, R and t")
        for inner, name, entry in _items(value, place, source):
            if not _is_camera(entry):
                raise InputError(f"{source}: {inner} is {shown_kind(entry)}, expected a camera with K, R and t")
            yield inner, {"subject": key} | ({} if name is None else {"name": name}), cast(dict[str, Any], entry)


def _items(data: object, place: str, source: str) -> Iterator[tuple[str, str | None, object]]:
    if isinstance(data, dict):
        yield from ((f"{place}[{shown(key)}]", key, value) for key, value in data.items())
    elif isinstance(data, list):
        yield from ((f"{place}[{i}]", None, value) for i, value in enumerate(data))
    else:
        raise InputError(f"{source}: {place} is {shown_kind(data)}, expected a list of cameras, or cameras by name")


#: What tells a camera from a group of cameras.
_POSES = ({"R", "t"}, {"orientation", "translation"})


def _is_camera(value: object) -> bool:
    return isinstance(value, dict) and any(names & value.keys() for names in _POSES)


def _json_camera(
    entry: Mapping[str, Any], place: str, named: Mapping[str, str], unit: CameraUnit | None, source: str
) -> Camera:
    where = f"{source}: {place}"
    # The place's own name comes first: in files by name, `id` and the like are further facts.
    name = _name([named.get("name"), entry.get("name"), entry.get("id")], where)
    subject = _name([named.get("subject"), entry.get("subject")], where, needed=False)
    size = next((entry[field] for field in ("size", "resolution") if entry.get(field) is not None), None)
    if size is None and {"res_w", "res_h"} <= entry.keys():
        size = [entry["res_w"], entry["res_h"]]
    if "R" in entry or "t" in entry:
        R = as_numbers(_field(entry, "R", where), ((3, 3),), f"{where}: R")
        t = _vector(_field(entry, "t", where), f"{where}: t")
    else:
        # VideoPose3D: the camera's axes and place in the world, not the world's in the camera.
        R = _quaternion(_field(entry, "orientation", where), f"{where}: orientation").T
        t = -R @ _vector(_field(entry, "translation", where), f"{where}: translation")
    return Camera(
        name or "",
        _intrinsics(entry, where),
        next((entry[field] for field in ("dist", "distCoef") if entry.get(field) is not None), []),
        R,
        t,
        _unit(entry.get("unit"), where) or unit,
        None if size is None else _size(size, f"{where}: size"),
        subject,
        unit_stated=False,
        source=source,
    )


def _intrinsics(entry: Mapping[str, Any], where: str) -> Floats:
    if "K" in entry:
        return as_numbers(entry["K"], ((3, 3),), f"{where}: K")
    for focal, centre in (("f", "c"), ("focal_length", "center")):
        if focal in entry or centre in entry:
            fx, fy = as_numbers(_field(entry, focal, where), ((2,),), f"{where}: {focal}")
            cx, cy = as_numbers(_field(entry, centre, where), ((2,),), f"{where}: {centre}")
            if 0 < fx < 20 and abs(cx) < 2:
                raise InputError(
                    f"{where}: {focal} is {fx:.4g}, which is a share of the picture's width, expected px: save the "
                    "camera before its coordinates are normalised"
                )
            return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    raise InputError(f"{where}: has no K, expected the intrinsics (3, 3) in px; {listing(entry)}")


def _quaternion(value: object, place: str) -> Floats:
    """The rotation of a unit quaternion w, x, y, z."""
    q = as_numbers(value, ((4,),), place)
    norm = float(np.linalg.norm(q))
    if not abs(norm - 1) < 1e-2:
        raise InputError(f"{place} has length {norm:.4g}, expected a unit quaternion w, x, y, z")
    w, x, y, z = q / norm
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


# ---------------------------------------------------------------------------------------------------------------- TOML


def _from_toml(content: bytes, source: str) -> Iterator[Camera]:
    """anipose's and Pose2Sim's tables: matrix, distortions, rotation (Rodrigues vector), translation, each a camera."""
    import tomllib

    try:
        data = tomllib.loads(content.decode("utf-8"))
    except RecursionError:
        raise InputError(f"{source}: is nested too deeply for a camera file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: byte {error.start} is not text, expected TOML in UTF-8") from None
    except ValueError as error:  # TOMLDecodeError, integers of thousands of digits
        raise InputError(f"{source}: is not TOML: {brief(error)}") from None
    facts = data.get("metadata", {})
    unit = _unit(facts.get("unit"), f"{source}: [metadata]") if isinstance(facts, dict) else None
    for section, entry in data.items():
        if isinstance(entry, dict) and "matrix" in entry:
            yield _toml_camera(entry, section, unit, source)


def _toml_camera(entry: Mapping[str, Any], section: str, unit: CameraUnit | None, source: str) -> Camera:
    where = f"{source}: [{shown(section)[1:-1]}]"
    fisheye = entry.get("fisheye", False)
    if not isinstance(fisheye, bool):
        raise InputError(f"{where}: fisheye is {shown_kind(fisheye)}, expected true or false")
    dist = as_numbers(entry.get("distortions", []), None, f"{where}: distortions").reshape(-1)
    return Camera(
        _name([entry.get("name"), section], where) or "",
        as_numbers(entry["matrix"], ((3, 3),), f"{where}: matrix"),
        # anipose writes five coefficients for every lens, of which a fisheye has four.
        dist[:4] if fisheye and not dist[4:].any() else dist,
        _rodrigues(_vector(_field(entry, "rotation", where), f"{where}: rotation")),
        _vector(_field(entry, "translation", where), f"{where}: translation"),
        unit,
        _size(entry["size"], f"{where}: size") if "size" in entry else None,
        fisheye=fisheye,
        unit_stated=False,
        source=source,
    )


def _rodrigues(vector: Floats) -> Floats:
    """The rotation about an axis by its length in radians (Rodrigues 1840)."""
    angle = float(np.linalg.norm(vector))
    if angle == 0:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * (cross @ cross))


# ------------------------------------------------------------------------------------------------------------ Qualisys


def _from_qca(content: bytes, source: str) -> Iterator[Camera]:
    """Qualisys' XML. Declarations, the place of entities that unfold into gigabytes, are refused where they begin."""
    from xml.parsers import expat

    cameras: list[dict[str, dict[str, str]]] = []
    path: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        path.append(tag)
        if tag == "camera":
            cameras.append({tag: attributes})
        elif path[-2:-1] == ["camera"]:
            if tag in cameras[-1]:
                raise InputError(f"{source}: camera {len(cameras)} has two {shown(tag)}")
            cameras[-1][tag] = attributes

    def refuse(*_: object) -> None:
        raise InputError(
            f"{source}: line {parser.CurrentLineNumber} declares a document type, which no calibration has"
        )

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda tag: path.pop()
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{source}: is not XML: {brief(error)}") from None
    for number, camera in enumerate(cameras, 1):
        yield _qca_camera(camera, number, source)


def _qca_camera(camera: Mapping[str, Mapping[str, str]], number: int, source: str) -> Camera:
    """One camera; the meaning of the numbers is as Pose2Sim reads them.

    Pixels and coefficients are stored times 64. The transform's rows are the camera's axes in the world for a camera
    that looks along -z with y up; diag(1, -1, -1) turns it to z forward and y down. Its x, y, z (mm) are the camera's
    place. `fov_video` is the part of the sensor that pictures show.
    """
    where = f"{source}: camera {number}"

    def numbers(tag: str, *names: str) -> Floats:
        held = camera.get(tag)
        if held is None:
            raise InputError(f"{where} has no {tag}; {listing(camera)}")
        values = []
        for name in names:
            if name not in held:
                raise InputError(f"{where}: {tag} has no {name}; {listing(held)}")
            try:
                values.append(float(held[name]))
            except ValueError:
                raise InputError(f"{where}: {tag}: {name} is {shown(held[name])}, expected a number") from None
        return as_numbers(values, ((len(names),),), f"{where}: {tag}")

    fx, fy, cx, cy = numbers("intrinsic", "focalLengthU", "focalLengthV", "centerPointU", "centerPointV") / 64
    lens = ("radialDistortion1", "radialDistortion2", "tangentalDistortion1", "tangentalDistortion2")
    rows = numbers("transform", *(f"r{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3))).reshape(3, 3)
    R = np.diag([1.0, -1.0, -1.0]) @ rows
    size = None
    if "fov_video" in camera:
        left, top, right, bottom = numbers("fov_video", "left", "top", "right", "bottom")
        cx, cy = cx - left, cy - top
        size = _size([right - left + 1, bottom - top + 1], f"{where}: fov_video")
    return Camera(
        _name([camera["camera"].get("serial")], f"{where}: serial") or "",
        [[fx, 0, cx], [0, fy, cy], [0, 0, 1]],
        numbers("intrinsic", *lens) / 64,
        R,
        -R @ numbers("transform", "x", "y", "z"),
        "mm",
        size,
        unit_stated=False,
        source=source,
    )


# -------------------------------------------------------------------------------------------------------------- fields


def _field(entry: Mapping[str, Any], name: str, where: str) -> Any:
    if name not in entry:
        raise InputError(f"{where}: has no {name}; {listing(entry)}")
    return entry[name]


def _name(given: Iterable[object], where: str, *, needed: bool = True) -> str | None:
    """The first of some names that is there, as text."""
    value = next((value for value in given if value is not None), None)
    if value is None:
        if needed:
            raise InputError(f"{where}: has no name, expected one for every camera")
        return None
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise InputError(f"{where}: name is {shown_kind(value)}, expected text")
    if isinstance(value, int) and value.bit_length() > 64:
        raise InputError(f"{where}: name is {shown_kind(value)}, expected text")
    text = key_text(value)
    check_texts([text], "name", where)
    return text


def _unit(value: object, where: str) -> CameraUnit | None:
    if value is None:
        return None
    if not isinstance(value, str) or value not in UNITS:
        raise InputError(f"{where}: unit is {shown_kind(value)}, expected one of {', '.join(UNITS)}")
    return cast(CameraUnit, value)


def _vector(value: object, place: str) -> Floats:
    return as_numbers(value, ((3,), (3, 1), (1, 3)), place).reshape(3)


def _size(value: object, place: str) -> tuple[int, int]:
    width, height = as_numbers(value, ((2,),), place)
    if not (1 <= width < 1e6 and 1 <= height < 1e6):
        raise InputError(f"{place} is {width:g} x {height:g}, expected width and height in px")
    return int(width), int(height)


_READERS = {".json": _from_json, ".toml": _from_toml, ".qca.txt": _from_qca}

__all__ = ["SUFFIXES", "read_cameras"]
