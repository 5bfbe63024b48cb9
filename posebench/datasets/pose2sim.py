"""Real footage: the single-person demonstration of Pose2Sim, as its three packages hold it.

One person, four calibrated cameras, 100 frames at 60 Hz: videos in release 0.10.49, OpenPose BODY_25B detections in
0.8.4, points triangulated by Pose2Sim itself in 0.4.15. Nobody wore evaluated markers, so the reference made here is a
four-camera triangulation of detections, and `Statistics` says how well the cameras agree with it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.cameras import Camera, read_cameras
from posebench.datasets import catalog
from posebench.datasets.footage import cut, fit_video, read_video, video_facts
from posebench.datasets.open4v.labels import Views, extrinsics_of, joined
from posebench.datasets.open4v.scene import Crop, box_of, crop_around
from posebench.datasets.triangulation import Triangulated, triangulate, undistort_points
from posebench.errors import InputError, MissingExtraError, UsageError
from posebench.io import read, write
from posebench.io.atomic import atomic_write, is_leftover, remove_leftovers
from posebench.io.hashing import sha256_of
from posebench.poses import PoseSet
from posebench.skeletons import H36M17, get_skeleton

Floats = npt.NDArray[np.float64]

VIDEOS = "0.10.49/Pose2Sim/Demo_SinglePerson/videos"
CALIBRATION = "0.10.49/Pose2Sim/Demo_SinglePerson/calibration/Calib.qca.txt"
DETECTIONS = "0.8.4/Pose2Sim/S01_Demo_SingleTrial/pose"
TRC = "0.4.15/Pose2Sim/Demo/opensim/Balancing_for_IK.trc"
LICENCE_FILE = "0.10.49/pose2sim-0.10.49.dist-info/licenses/LICENSE"

DATASET, SPLIT, SUBJECT, ACTION, SEQUENCE, FPS = "pose2sim-demo", "real", "P00", "Balancing", "demo", 60.0
#: A detection counts as a view from this confidence on, as in Pose2Sim.
MIN_CONFIDENCE = 0.3
#: A view disagrees with a point beyond this many px, some 100 mm on this person.
MAX_ERROR = 50.0
#: People in one picture that are looked at, and combinations of them over the cameras.
_MOST_PEOPLE, _MOST_CHOICES = 8, 4096
#: What `prepare` writes into its folder.
_OURS = {"images", "labels", "views", "reference", "cameras.json", "statistics.json", "LICENCE.txt", catalog.SUMS}
#: Bytes of a file of detections; those of three people have 4 kB.
_JSON_LIMIT = 1 << 20

_BODY = get_skeleton("body25b")
#: H36M-17 joint -> the BODY_25B joints whose mean it is. H36M's nose lies between thorax and head, near the upper neck.
H36M17_SOURCES: Mapping[str, tuple[str, ...]] = {
    **{joint: (joint,) for joint in H36M17.joints if joint in _BODY.joints},
    "pelvis": ("LHip", "RHip"),
    "spine": ("LHip", "RHip", "LShoulder", "RShoulder"),
    "thorax": ("LShoulder", "RShoulder"),
    "nose": ("upper_neck",),
    "head": ("head_top",),
}
#: Names in the .trc -> joints of BODY_25B; the others are called the same.
_TRC_NAMES = {"Neck": "upper_neck", "Head": "head_top", "Nose": "nose_tip"}


@dataclass(frozen=True)
class Material:
    """Where the demonstration's files lie: videos and cameras by name, folders of detections, Pose2Sim's own points."""

    folder: Path
    videos: Mapping[str, Path]
    cameras: Mapping[str, Camera]
    detections: Mapping[str, Path]
    trc: Path


def locate(folder: str | os.PathLike[str] | None = None) -> Material:
    """Find the demonstration's files and read its calibration.

    Parameters
    ----------
    folder : path, optional
        Where `posebench data fetch pose2sim` put them; by default where data sets are looked for.

    Raises
    ------
    UsageError
        If they are not there.
    InputError
        If one is missing, or the calibration has a camera that has no video or no detections.
    """
    place = catalog.locate("pose2sim") if folder is None else Path(folder)
    for name in (VIDEOS, CALIBRATION, DETECTIONS, TRC):
        if not (place / name).exists():
            raise InputError(f"{place / name}: is missing; run posebench data fetch pose2sim")
    cameras = {camera.name: camera.in_unit("mm") for camera in read_cameras(place / CALIBRATION).values()}
    videos = {name: place / VIDEOS / f"{name}.mp4" for name in cameras}
    detections = {name: place / DETECTIONS / f"{name}_json" for name in cameras}
    for name in cameras:
        for path in (videos[name], detections[name]):
            if not path.exists():
                raise InputError(f"{path}: is missing, but the calibration has a camera {name}; fetch the data again")
    return Material(place, videos, cameras, detections, place / TRC)


# ----------------------------------------------------------------------------------------------------------- detections


def read_detections(folder: Path, camera: str) -> dict[int, Floats]:
    """Frame -> the people that OpenPose found, (P, 25, 3): x and y in px, confidence; joints of BODY_25B.

    Only files `CAMERA.FRAME.json` are read: the folders hold others, left over.

    Raises
    ------
    InputError
        If there are none, or one is damaged or has other joints.
    """
    name = re.compile(rf"{re.escape(camera)}\.(\d{{1,9}})\.json")
    found = {int(match[1]): path for path in sorted(folder.iterdir()) if (match := name.fullmatch(path.name))}
    if not found:
        raise InputError(f"{folder}: holds no detections called {camera}.FRAME.json")
    return {frame: _people(path) for frame, path in sorted(found.items())}


def _people(path: Path) -> Floats:
    from posebench.io.array_file import read_bytes

    joints = len(_BODY.joints)
    try:
        data = json.loads(read_bytes(path, _JSON_LIMIT))
        people = [person["pose_keypoints_2d"] for person in data["people"]]
        found = np.array(people)
        if found.dtype.kind not in "fiu":
            raise ValueError
        numbers = found.astype(np.float64).reshape(len(people), joints, 3)
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        raise InputError(
            f"{path}: expected OpenPose's people, each with x, y and confidence of {joints} joints"
        ) from None
    if not np.isfinite(numbers).all() or (np.abs(numbers) > 1e6).any():
        raise InputError(f"{path}: holds a number that is no pixel")
    # Those seen best come first.
    return numbers[np.argsort(-numbers[..., 2].sum(1), kind="stable")][:_MOST_PEOPLE]


def choose_person(people: Sequence[Floats], cameras: Sequence[Camera]) -> Floats:
    """The person whom all cameras see, (V, 25, 3): of all combinations the one with the least reprojection error.

    A joint that a view does not see counts as if it were off by `MAX_ERROR`, and so does one that is off by more.

    Parameters
    ----------
    people : sequence of array, (P, 25, 3)
        Of each camera, undistorted; P may be 0.
    cameras : sequence of Camera
    """
    nobody = np.zeros((1, len(_BODY.joints), 3))
    choices = [each if len(each) else nobody for each in people]
    while int(np.prod([len(each) for each in choices])) > _MOST_CHOICES:
        longest = max(range(len(choices)), key=lambda view: len(choices[view]))
        choices[longest] = choices[longest][:-1]
    combinations = list(product(*(range(len(each)) for each in choices)))
    # (V, combinations, joints, 3)
    views = np.stack([choices[v][[c[v] for c in combinations]] for v in range(len(choices))])
    flat = views.reshape(len(choices), -1, 3)
    weights = _weights(flat)
    errors = triangulate(flat[..., :2], weights, cameras).errors
    errors = np.where((weights > 0) & np.isfinite(errors), np.fmin(errors, MAX_ERROR), MAX_ERROR)
    cost = errors.reshape(len(choices), len(combinations), -1).mean(axis=(0, 2))
    return np.asarray(views[:, int(cost.argmin())])


def _weights(detections: Floats) -> Floats:
    confidence = detections[..., 2]
    return np.where(confidence >= MIN_CONFIDENCE, confidence, 0.0)


# ------------------------------------------------------------------------------------------------------------ reference


@dataclass(frozen=True, eq=False)
class Reference:
    """The reference of V cameras and N frames.

    frames : (N,) int
    cameras : tuple of str
    detections : (V, N, 25, 3)
        Of the person, undistorted: x and y in px of the calibration, confidence.
    points : (N, 25, 3)
        BODY_25B in the world, mm, z up; NaN where they are unknown.
    used : (V, N, 25) bool
    offsets : (V, N, 25, 2)
        Detection minus projected point, px.
    """

    frames: npt.NDArray[np.int64]
    cameras: tuple[str, ...]
    detections: Floats
    points: Floats
    used: npt.NDArray[np.bool_]
    offsets: Floats


def reference_3d(material: Material) -> Reference:
    """Triangulate the detections of all cameras.

    Raises
    ------
    InputError
        If the cameras do not have the same frames, or a file is damaged.
    """
    cameras = list(material.cameras.values())
    people = [read_detections(material.detections[camera.name], camera.name) for camera in cameras]
    for camera, found in zip(cameras, people, strict=True):
        if list(found) != list(people[0]):
            raise InputError(
                f"{material.detections[camera.name]}: has detections of {len(found)} frames, but {cameras[0].name} of "
                f"{len(people[0])}, or of others; the cameras must have the same frames"
            )
    flat = [
        {
            frame: np.concatenate([undistort_points(each[..., :2], camera), each[..., 2:]], -1)
            for frame, each in found.items()
        }
        for camera, found in zip(cameras, people, strict=True)
    ]
    frames = np.array(list(people[0]), np.int64)
    chosen = np.stack([choose_person([found[frame] for found in flat], cameras) for frame in frames.tolist()], axis=1)
    shape = chosen.shape[:3]
    made: Triangulated = triangulate(
        chosen[..., :2].reshape(shape[0], -1, 2), _weights(chosen).reshape(shape[0], -1), cameras, max_error=MAX_ERROR
    )
    return Reference(
        frames,
        tuple(camera.name for camera in cameras),
        chosen,
        made.points.reshape(*shape[1:], 3),
        made.used.reshape(shape),
        made.offsets.reshape(*shape, 2),
    )


def to_h36m17(points: Floats) -> Floats:
    """BODY_25B points (..., 25, D) as H36M-17 (..., 17, D); NaN where a joint that it is made of is NaN."""
    picked = [[_BODY.joints.index(name) for name in H36M17_SOURCES[joint]] for joint in H36M17.joints]
    return np.stack([points[..., rows, :].mean(axis=-2) for rows in picked], axis=-2)


def read_own_points(material: Material) -> PoseSet:
    """The points that Pose2Sim triangulated itself (21 joints), in the world of the calibration: mm, z up.

    Frames are numbered like those of the detections, from 0. The file has y up: its y, z, x are the world's z, x, y.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    found = read(material.trc)
    if found.unit not in ("mm", "m") or found.frame is None:
        raise InputError(f"{material.trc}: expected positions in m or mm with frame numbers")
    scale = 1000.0 if found.unit == "m" else 1.0
    return found.replace(
        poses=found.poses[..., [2, 0, 1]] * scale,
        unit="mm",
        reference="world",
        origin="absolute",
        frame=found.frame - 1,
    )


# ----------------------------------------------------------------------------------------------------------- statistics


def statistics(reference: Reference, own: PoseSet | None = None, own_names: Sequence[str] = ()) -> dict[str, Any]:
    """How well the cameras agree with the reference, as plain data.

    Per camera: detections that were confident enough and used, the median and the root mean square of their distance
    from the projected reference, and the median offset, in px. With Pose2Sim's own points also the median distance
    from them, per joint, in mm. None stands for a median of nothing.
    """
    confident = _weights(reference.detections) > 0
    views = {}
    for view, name in enumerate(reference.cameras):
        offsets = reference.offsets[view][reference.used[view]]
        errors = np.linalg.norm(offsets, axis=-1)
        views[name] = {
            "confident": int(confident[view].sum()),
            "used": len(errors),
            "median_px": _median(errors),
            "rms_px": None if not len(errors) else round(float(np.sqrt((errors**2).mean())), 2),
            "median_offset_px": [_median(offsets[:, 0]), _median(offsets[:, 1])],
        }
    known = np.isfinite(reference.points).all(-1)
    thighs = {}
    for side in "LR":
        hip, knee = (reference.points[:, _BODY.joints.index(side + joint)] for joint in ("Hip", "Knee"))
        thighs[side] = _median(np.linalg.norm(hip - knee, axis=-1))
    facts = {
        "frames": len(reference.frames),
        "joints_known": int(known.sum()),
        "joints": int(known.size),
        "median_thigh_mm": thighs,
        "cameras": views,
    }
    return facts if own is None else {**facts, "own_points": _compared(reference, own, own_names)}


def _compared(reference: Reference, own: PoseSet, names: Sequence[str]) -> dict[str, Any]:
    """Distances of the reference from Pose2Sim's own points, over the frames that both have."""
    assert own.frame is not None
    frames, mine, theirs = np.intersect1d(reference.frames, own.frame, return_indices=True)
    distances = {}
    for column, name in enumerate(names):
        joint = _TRC_NAMES.get(name, name)
        if joint in _BODY.joints:
            away = reference.points[mine, _BODY.joints.index(joint)] - own.poses[theirs, column]
            distances[name] = _median(np.linalg.norm(away, axis=-1))
    held = np.array([value for value in distances.values() if value is not None])
    return {"frames": len(frames), "median_mm": _median(held), "median_mm_by_joint": distances}


def _median(values: Floats) -> float | None:
    """The median of what is known, to two decimals."""
    known = values[np.isfinite(values)]
    return round(float(np.median(known)), 2) if len(known) else None


def table(facts: Mapping[str, Any]) -> list[str]:
    """The residuals per camera, for people."""
    lines = ["camera  confident  used  median px  rms px  median dx, dy px"]
    for name, view in facts["cameras"].items():
        dx, dy = view["median_offset_px"]
        lines.append(
            f"{name:<6}  {view['confident']:>9}  {view['used']:>4}  {_shown(view['median_px']):>9}  "
            f"{_shown(view['rms_px']):>6}  {_shown(dx, '+'):>9}, {_shown(dy, '+')}"
        )
    lines.append(f"{facts['joints_known']} of {facts['joints']} joints are known")
    own = facts.get("own_points")
    if own is not None and own["median_mm"] is not None:
        lines.append(f"median over joints of the median distance from Pose2Sim's own points: {own['median_mm']:.1f} mm")
    return lines


def _shown(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.1f}"


# -------------------------------------------------------------------------------------------------------------- prepare


@dataclass(frozen=True)
class Prepared:
    """What `prepare` made: number of pictures and frames, and the residuals for people."""

    folder: Path
    pictures: int
    frames: int
    table: list[str]


def prepare(
    out: str | os.PathLike[str], *, folder: str | os.PathLike[str] | None = None, pixels: int = 256
) -> Prepared:
    """Cut the person out of all videos, and write pictures, labels, cameras and reference.

    The folder is laid out as Open4V, with one split, `real`: `images/real/P00/demo/CAMERA_FRAME.jpg`,
    `labels/real.npz`, `labels/real.views.npz`; `views/` holds the index without labels. Further `cameras.json`,
    `reference/world.npz` (BODY_25B), `reference/pose2sim.npz` (Pose2Sim's own points), `statistics.json`,
    `LICENCE.txt` and `SHA256SUMS`. Pictures are undistorted squares of 2 m around the body, or more.

    Parameters
    ----------
    out : path
        To be made, or empty, or of an earlier call.
    folder : path, optional
        That of the data set.
    pixels : int
        Side of the pictures, from 16 to 2048.

    Raises
    ------
    UsageError
        If `pixels` is out of range, or the data set is not there.
    MissingExtraError
        If the package av is not installed.
    InputError
        If a file is missing, damaged or truncated; if the cameras disagree about the number of frames; if a video has
        another size than its calibration; if `out` holds other files.
    """
    from posebench.datasets.views import strip_labels

    if not 16 <= pixels <= 2048:
        raise UsageError(f"pixels is {pixels}, expected 16 to 2048")
    material = locate(folder)
    place = Path(out)
    if place.exists() and not place.is_dir():
        raise InputError(f"{place}: is a file; name a new folder, or an empty one")
    if place.exists() and not {path.name for path in place.iterdir() if not is_leftover(path)} <= _OURS:
        raise InputError(f"{place}: holds other files; name a new folder, or an empty one")
    _check_videos(material)
    reference = reference_3d(material)
    own = read_own_points(material)
    facts = statistics(reference, own, trc_names(material.trc))
    facts["videos"] = _fits(material)
    parts = []
    if place.exists():
        # What an earlier call made is no longer whole, and what it left when it was killed must not count.
        (place / catalog.SUMS).unlink(missing_ok=True)
        remove_leftovers(place)
    for view, name in enumerate(reference.cameras):
        parts.append(_cut_camera(material, reference, view, name, place, pixels))
    views = joined(parts)
    _write_labels(views, place)
    _write_rest(material, reference, own, facts, place)
    strip_labels(place, place)
    hashes = catalog.hashes_of(place)
    with atomic_write(place / catalog.SUMS) as handle:
        handle.write(catalog.sums_text(hashes).encode())
    return Prepared(place, len(views), len(reference.frames), table(facts))


def trc_names(path: Path) -> list[str]:
    """The markers of a .trc file, in its order."""
    with path.open(encoding="utf-8-sig") as file:
        lines = [file.readline(1 << 16) for _ in range(4)]
    return [cell.strip() for cell in lines[3].split("\t")[2::3] if cell.strip()]


def _check_videos(material: Material) -> None:
    """Refuse what cannot be right before any work is spent on it."""
    counts = {}
    for name, path in material.videos.items():
        video = video_facts(path)
        fit_video(video, material.cameras[name])
        counts[name] = video.frames
    known = {name: count for name, count in counts.items() if count is not None}
    if len(set(known.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in known.items())
        raise InputError(f"{material.folder}: the cameras disagree about the number of frames: {listed}")


def _fits(material: Material) -> dict[str, Any]:
    found = {}
    for name, path in material.videos.items():
        video = video_facts(path)
        fit = fit_video(video, material.cameras[name])
        found[name] = {"size": [video.width, video.height], "scale": round(fit.scale, 6), "down_px": round(fit.down, 3)}
    return found


def _cut_camera(material: Material, reference: Reference, view: int, name: str, place: Path, pixels: int) -> Views:
    """Cut the person out of one camera's video."""
    calibrated = material.cameras[name]
    video = video_facts(material.videos[name])
    fit = fit_video(video, calibrated)
    camera = fit.camera(calibrated, (video.width, video.height))
    body = camera.to_camera(reference.points)
    joints = to_h36m17(body)
    # What was detected, in px of the video without distortion.
    shift = (fit.scale - 1) / 2
    seen = reference.detections[view][..., :2] * fit.scale + [shift, shift + fit.down]
    seen[~(_weights(reference.detections[view]) > 0)] = np.nan
    crops = _crops(body, camera, pixels)
    folder = place / "images" / SPLIT / SUBJECT / SEQUENCE
    folder.mkdir(parents=True, exist_ok=True)
    rows = {int(frame): row for row, frame in enumerate(reference.frames)}
    parts = []
    count = 0
    for number, picture in enumerate(read_video(material.videos[name])):
        count += 1
        if number not in rows:
            continue
        row = rows[number]
        crop = crops[row]
        path = folder / f"{name}_{number:06d}.jpg"
        save_picture(cut(picture, camera, crop), path)
        scale = crop.size / crop.side
        found = to_h36m17((seen[row] - [crop.left, crop.top]) * scale - 0.5)
        known = body[row][np.isfinite(body[row]).all(-1)]
        outline = box_of(_flat(known, camera)) if len(known) else np.full(4, np.nan)
        parts.append(
            Views(
                image=np.array([path.relative_to(place).as_posix()]),
                subject=np.array([SUBJECT]),
                action=np.array([ACTION]),
                sequence=np.array([SEQUENCE]),
                camera=np.array([name]),
                frame=np.array([number], np.int64),
                joints=found[None],
                visible=np.asarray(np.isfinite(found).all(-1))[None],
                box=((outline - np.tile([crop.left, crop.top], 2)) * scale - 0.5)[None],
                crop=np.array([[crop.left, crop.top, crop.side]]),
                intrinsics=crop.intrinsics(camera.K)[None],
                camera_intrinsics=camera.K[None],
                poses=joints[row][None],
                extrinsics=extrinsics_of(camera)[None],
            )
        )
    if count != len(rows) or len(parts) != len(rows):
        raise InputError(
            f"{material.videos[name]}: has {count} frames, but there are detections of {len(rows)}; fetch them again"
        )
    return joined(parts)


def _flat(points: Floats, camera: Camera) -> Floats:
    projected = points @ camera.K.T
    return np.asarray(projected[..., :2] / projected[..., 2:])


def _crops(body: Floats, camera: Camera, pixels: int) -> list[Crop]:
    """The square of each frame (N, 25, 3); where the body is unknown, that of the nearest frame."""
    known = np.asarray(np.isfinite(body).all(-1))
    enough = np.flatnonzero(known.sum(1) >= 2)
    if not len(enough):
        raise InputError(f"{camera}: sees nobody whom the other cameras see")
    made = {}
    for row in enough.tolist():
        points = body[row][known[row]]
        made[row] = crop_around(box_of(_flat(points, camera)), camera.K[0, 0], float(np.median(points[:, 2])), pixels)
    return [made[int(enough[np.abs(enough - row).argmin()])] for row in range(len(body))]


def save_picture(picture: npt.NDArray[np.uint8], path: Path) -> None:
    """Write a picture as .jpg, whole or not at all.

    Raises
    ------
    MissingExtraError
        If Pillow is not installed.
    InputError
        If it cannot be written.
    """
    try:
        import PIL.Image
    except ImportError:
        raise MissingExtraError("writing pictures", "Pillow", "data") from None
    with atomic_write(path) as handle:
        PIL.Image.fromarray(picture).save(handle, format="JPEG", quality=92)


def _write_labels(views: Views, place: Path) -> None:
    from posebench.io.array_file import write_arrays

    assert views.poses is not None
    (place / "labels").mkdir(exist_ok=True)
    poses = PoseSet(
        views.poses,
        valid=np.isfinite(views.poses).all(-1),
        skeleton=H36M17,
        unit="mm",
        reference="camera",
        origin="absolute",
        subject=views.subject,
        action=views.action,
        sequence=views.sequence,
        camera=views.camera,
        frame=views.frame,
        fps=FPS,
        dataset=DATASET,
        intrinsics=views.intrinsics,
        extrinsics=views.extrinsics,
        source=DATASET,
    )
    write(poses, place / "labels" / f"{SPLIT}.npz")
    arrays = {name: array for name, array in views.arrays().items() if name not in ("poses", "extrinsics")}
    with atomic_write(place / "labels" / f"{SPLIT}.views.npz") as handle:
        write_arrays(handle, arrays)


def _write_rest(material: Material, reference: Reference, own: PoseSet, facts: Mapping[str, Any], place: Path) -> None:
    (place / "reference").mkdir(exist_ok=True)
    world = PoseSet(
        reference.points,
        valid=np.isfinite(reference.points).all(-1),
        skeleton="body25b",
        unit="mm",
        reference="world",
        origin="absolute",
        subject=SUBJECT,
        action=ACTION,
        sequence=SEQUENCE,
        frame=reference.frames,
        fps=FPS,
        dataset=DATASET,
        source=DATASET,
    )
    write(world, place / "reference" / "world.npz")
    write(own.replace(subject=SUBJECT, sequence=SEQUENCE, dataset=DATASET), place / "reference" / "pose2sim.npz")
    cameras = []
    for name, path in material.videos.items():
        video = video_facts(path)
        fit = fit_video(video, material.cameras[name])
        camera = fit.camera(material.cameras[name], (video.width, video.height))
        numbers = {field: getattr(camera, field).tolist() for field in ("K", "dist", "R", "t")}
        cameras.append({"name": name, **numbers, "size": [video.width, video.height]})
    entry = catalog.get_dataset("pose2sim")
    licence = material.folder / LICENCE_FILE
    words = licence.read_text(encoding="utf-8", errors="replace") if licence.is_file() else f"{entry.licence}\n"
    texts = {
        "cameras.json": json.dumps({"unit": "mm", "cameras": cameras}, indent=1) + "\n",
        "statistics.json": json.dumps(
            {**facts, "calibration_sha256": sha256_of(material.folder / CALIBRATION)}, indent=1
        )
        + "\n",
        "LICENCE.txt": f"Derived from: {entry.what}.\n{entry.attribution}\n\n{words}",
    }
    for name, text in texts.items():
        with atomic_write(place / name) as handle:
            handle.write(text.encode())


__all__ = [
    "Material",
    "Prepared",
    "Reference",
    "choose_person",
    "locate",
    "prepare",
    "read_detections",
    "read_own_points",
    "reference_3d",
    "statistics",
    "to_h36m17",
]
