"""MPI-INF-3DHP for those who have it: the training set's annotations and cameras, and the test set as a whole.

D. Mehta et al.: Monocular 3D human pose estimation in the wild using improved CNN supervision, 3DV 2017. The data come
from vcai.mpi-inf.mpg.de/3dhp-dataset, for research, not to be passed on. Read are, below one folder:

- training: `S1/Seq1/annot.mat` to `S8/Seq2/annot.mat` with 14 cameras each, and `camera.calibration` beside them;
- test: `TS1/annot_data.mat` to `TS6/annot_data.mat`, here or in `mpi_inf_3dhp_test_set`. One of these files alone is
  read by `posebench.read`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.cameras import Camera
from posebench.datasets import children, mpi_inf_3dhp_child
from posebench.errors import InputError, UsageError
from posebench.io import read as read_file
from posebench.io.array_file import read_bytes
from posebench.io.layouts.mpi_inf_3dhp import VALID_FRAMES
from posebench.joining import concatenate
from posebench.poses import PoseSet
from posebench.skeletons import get_skeleton

#: To be cited wherever results on the data are.
MPI_INF_3DHP_ATTRIBUTION = (
    "D. Mehta, H. Rhodin, D. Casas, P. Fua, O. Sotnychenko, W. Xu, C. Theobalt: Monocular 3D Human Pose Estimation In "
    "The Wild Using Improved CNN Supervision. 3DV 2017."
)
#: Under which terms.
MPI_INF_3DHP_LICENCE = "for research that is not commercial; not to be passed on (vcai.mpi-inf.mpg.de/3dhp-dataset)"
#: Frames with pictures and frames per second of each training sequence (mpii_get_sequence_info.m of the release).
SEQUENCES = {
    ("S1", "Seq1"): (6416, 25), ("S1", "Seq2"): (12430, 50), ("S2", "Seq1"): (6502, 25), ("S2", "Seq2"): (6081, 25),
    ("S3", "Seq1"): (12488, 50), ("S3", "Seq2"): (12283, 50), ("S4", "Seq1"): (6171, 25), ("S4", "Seq2"): (6675, 25),
    ("S5", "Seq1"): (12820, 50), ("S5", "Seq2"): (12312, 50), ("S6", "Seq1"): (6188, 25), ("S6", "Seq2"): (6145, 25),
    ("S7", "Seq1"): (6239, 25), ("S7", "Seq2"): (6320, 25), ("S8", "Seq1"): (6468, 25), ("S8", "Seq2"): (6054, 25),
}  # fmt: skip
#: The five at the height of the chest that the paper trains on (set mm3d_chest of mpii_get_camera_set.m).
CHEST_CAMERAS = (0, 2, 4, 7, 8)
#: Chest and knee, and two that look down (set vnect); all 14 are 0 to 13, of which 11 to 13 hang from the ceiling.
VNECT_CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)

_GET = (
    "get it with get_dataset.sh and get_testset.sh of vcai.mpi-inf.mpg.de/3dhp-dataset, after reading its licence there"
)
_CAMERA_COUNT = 14
_CALIBRATION_LIMIT = 2**20


def iter_3dhp_train(
    root: str | os.PathLike[str],
    *,
    subjects: Collection[str] | None = None,
    cameras: Collection[int] = CHEST_CAMERAS,
    universal: bool = False,
    stride: int = 1,
    skeleton: str = "3dhp17",
    keep_gaps: bool = False,
) -> Iterator[PoseSet]:
    """One pose set per sequence, so that the training set need not fit into memory.

    Parameters, errors and keys as in `read_3dhp_train`. With `keep_gaps`, joints that are not finite stay rather than
    being refused.
    """
    known = tuple(dict.fromkeys(subject for subject, _ in SEQUENCES))
    _check_choices(subjects, known, cameras, stride, skeleton)
    folder = Path(root)
    found = {key: folder.joinpath(*key) for key in SEQUENCES if folder.joinpath(*key, "annot.mat").is_file()}
    if not found:
        raise InputError(
            f"{folder}: holds no training sequence such as S1/Seq1/annot.mat, expected the folder above S1 to S8; "
            f"{_GET}"
        )
    wanted = [key for key in (found if subjects is None else SEQUENCES) if subjects is None or key[0] in subjects]
    for key in wanted:
        if key not in found:
            raise InputError(f"{folder.joinpath(*key)}: has no annot.mat; choose others with subjects=, or {_GET}")
    for key in wanted:
        yield _sequence(found[key], *key, tuple(cameras), universal, stride, skeleton, keep_gaps)


def read_3dhp_train(
    root: str | os.PathLike[str],
    *,
    subjects: Collection[str] | None = None,
    cameras: Collection[int] = CHEST_CAMERAS,
    universal: bool = False,
    stride: int = 1,
    skeleton: str = "3dhp17",
) -> PoseSet:
    """The training set as poses (N, 17, 3) in mm of each camera, absolute.

    Keys are `subject` (S1), `sequence` (Seq1), `camera` (Cam0) and `frame`, as the file numbers it. Rows beyond the
    frames that have pictures are left out, as the release advises; a note says how many. Sequences have 25 or 50
    frames per second, so `fps` is unknown where both are read; `iter_3dhp_train` gives it for each.

    Parameters
    ----------
    root : path
        The folder that holds S1 to S8.
    subjects : collection of str, optional
        By default all whose files are there.
    cameras : collection of int
        From 0 to 13; by default the five that the paper trains on.
    universal : bool
        Take `univ_annot3`, everybody's bones of one size, which does not fit the pictures. By default `annot3`, which
        does, and then comes with the `intrinsics` and `extrinsics` of camera.calibration where that is there.
    stride : int
        Every so-manieth frame of each sequence.
    skeleton : {"3dhp17", "3dhp28"}
        The 17 joints of the test set, or all 28.

    Raises
    ------
    InputError
        If files are missing, damaged, or cameras have other numbers of frames; one sentence.
    UsageError
        If there is no such subject, camera or skeleton.

    References
    ----------
    Mehta et al., 3DV 2017; README.txt of the release.
    """
    parts = list(
        iter_3dhp_train(root, subjects=subjects, cameras=cameras, universal=universal, stride=stride, skeleton=skeleton)
    )
    if len({part.fps for part in parts}) > 1:
        parts = [part.replace(fps=None) for part in parts]
    return concatenate(parts)


def read_3dhp_test(root: str | os.PathLike[str]) -> PoseSet:
    """The test set, valid frames of TS1 to TS6, as the official evaluation takes them: (2929, 17, 3) in mm.

    Keys are `subject` (TS1), `action` and `frame` from 0. Coordinates are `univ_annot3`, of the camera.

    Parameters
    ----------
    root : path
        The folder that holds TS1 to TS6, or that holds `mpi_inf_3dhp_test_set` with them.

    Raises
    ------
    InputError
        If a sequence is missing or damaged; one sentence.
    MissingExtraError
        If the files are of version 7.3, as the release's are, and h5py is not installed.
    """
    folder = Path(root)
    inner = folder / "mpi_inf_3dhp_test_set"
    folder = inner if inner.is_dir() else folder
    paths = {name: folder / name / "annot_data.mat" for name in VALID_FRAMES}
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing:
        what = "none of the test sequences" if len(missing) == len(paths) else f"no annot_data.mat of {missing[0]}"
        raise InputError(f"{folder}: holds {what}, expected TS1/annot_data.mat to TS6/annot_data.mat; {_GET}")
    return concatenate([read_file(path) for path in paths.values()])


def read_3dhp_calibration(path: str | os.PathLike[str]) -> dict[str, Camera]:
    """Read camera.calibration: 14 cameras, translations in mm, lenses without distortion.

    Parameters
    ----------
    path : path
        A text whose first line is ``Skeletool Camera Calibration File V1.0``, then for each camera the lines name,
        sensor, size, animated, intrinsic (4 x 4 by rows), extrinsic (4 x 4 by rows, world to camera) and radial.

    Returns
    -------
    dict
        By name, ``Cam0`` to ``Cam13``, as the poses' key `camera` has it.

    Raises
    ------
    InputError
        If the file is cut off or something else; one sentence with the line.
    """
    source = os.fspath(path)
    content = read_bytes(Path(path), _CALIBRATION_LIMIT)
    lines = content.decode("utf-8", "replace").splitlines()
    if not lines or not lines[0].startswith("Skeletool Camera Calibration File"):
        raise InputError(
            f"{source}: does not begin with 'Skeletool Camera Calibration File', which camera.calibration does"
        )
    cameras: dict[str, Camera] = {}
    fields: dict[str, list[str]] = {}
    number = 1
    for number, line in enumerate(lines[1:], 2):
        word, *values = line.split() or [""]
        if word == "name":
            if fields:
                _add(cameras, fields, f"{source}: before line {number}")
            fields = {}
        if word:
            fields[word] = values
    _add(cameras, fields, f"{source}: before line {number + 1}")
    return cameras


def _add(cameras: dict[str, Camera], fields: dict[str, list[str]], where: str) -> None:
    """One camera out of its lines."""

    def numbers(word: str, count: int) -> npt.NDArray[np.float64]:
        values = fields.get(word, ())
        try:
            # float() takes more than plain numbers, such as 1_000.
            found = np.array([float(value) for value in values if "_" not in value])
        except ValueError:
            found = np.zeros(0)
        if len(found) != count or len(values) != count or not np.isfinite(found).all():
            raise InputError(
                f"{where}: the camera has no line {word!r} with {count} numbers; the file is cut off or damaged"
            )
        return found

    def whole(word: str, count: int, least: int) -> list[int]:
        found = numbers(word, count)
        if (found != np.rint(found)).any() or (found < least).any() or (found > 1e6).any():
            raise InputError(f"{where}: the camera's {word} is {' '.join(fields[word])[:60]}, expected whole numbers")
        return [int(value) for value in found]

    name = f"Cam{whole('name', 1, 0)[0]}"
    if name in cameras:
        raise InputError(f"{where}: camera {name} stands twice")
    width, height = whole("size", 2, 1)
    intrinsic, extrinsic = numbers("intrinsic", 16).reshape(4, 4), numbers("extrinsic", 16).reshape(4, 4)
    if np.any(numbers("radial", len(fields.get("radial", ())) or 1)):
        raise InputError(f"{where}: {name} has a radial distortion, which is not known to mean; the release's have 0")
    cameras[name] = Camera(
        name, intrinsic[:3, :3], [], extrinsic[:3, :3], extrinsic[:3, 3], "mm", (width, height),
        unit_stated=False, source=where.partition(": before")[0],
    )  # fmt: skip


def _check_choices(
    subjects: Collection[str] | None, known: tuple[str, ...], cameras: Collection[int], stride: int, skeleton: str
) -> None:
    if isinstance(subjects, str):
        raise UsageError(f"expected a list of subjects, got {subjects!r}; write [{subjects!r}]")
    for subject in subjects or ():
        if subject not in known:
            raise UsageError(f"MPI-INF-3DHP's training set has no subject {subject!r}; known are {', '.join(known)}")
    if not cameras or not set(cameras) <= set(range(_CAMERA_COUNT)) or len(set(cameras)) < len(list(cameras)):
        raise UsageError(f"cameras are {list(cameras)!r}, expected different numbers from 0 to {_CAMERA_COUNT - 1}")
    if not isinstance(stride, int) or stride < 1:
        raise UsageError(f"stride is {stride!r}, expected a whole number from 1")
    if skeleton not in ("3dhp17", "3dhp28"):
        raise UsageError(f"MPI-INF-3DHP has no skeleton {skeleton!r}; known are 3dhp17, 3dhp28")


def _sequence(
    folder: Path,
    subject: str,
    sequence: str,
    cameras: tuple[int, ...],
    universal: bool,
    stride: int,
    skeleton: str,
    keep_gaps: bool,
) -> PoseSet:
    path = folder / "annot.mat"
    source = str(path)
    name = "univ_annot3" if universal else "annot3"
    pictures, fps = SEQUENCES[subject, sequence]
    everything, wanted = get_skeleton("3dhp28"), get_skeleton(skeleton)
    joints = [everything.index(joint) for joint in wanted.joints]
    children.check_whole(path)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as out:
        arguments = [name, str(stride), str(3 * len(everything)), *map(str, cameras)]
        answer = children.ask(mpi_inf_3dhp_child, path, out, ".mat file", *arguments)
        views = [children.saved(out, f"{i}.npy", (None, 84), source) for i in range(len(cameras))]
        numbers = children.saved(out, "frames.npy", (len(views[0]),), source)
    # Rows, not numbers: some sequences have annotations behind the end of their videos.
    kept = min(len(views[0]), -(-pictures // stride))
    poses = np.concatenate([_poses(view[:kept], joints, source, keep_gaps) for view in views])
    notes = []
    beyond = int(answer.get("frames") or 0) - pictures
    if beyond > 0:
        notes.append(f"{source}: {beyond} annotations behind the end of the videos left out")
    facts: dict[str, Any] = {}
    calibration = folder / "camera.calibration"
    if not universal and calibration.is_file():
        known = read_3dhp_calibration(calibration)
        lacking = [f"Cam{number}" for number in cameras if f"Cam{number}" not in known]
        if lacking:
            raise InputError(f"{calibration}: has no camera {lacking[0]}, which annot.mat beside it has")
        used = [known[f"Cam{number}"] for number in cameras]
        facts["intrinsics"] = np.repeat(np.stack([each.K for each in used]), kept, axis=0)
        matrices = np.stack([np.column_stack([each.R, each.t]) for each in used])
        facts["extrinsics"] = np.repeat(matrices, kept, axis=0)
    return PoseSet(
        poses,
        skeleton=skeleton,
        unit="mm",
        reference="camera",
        origin="absolute",
        subject=subject,
        sequence=sequence,
        camera=np.repeat([f"Cam{number}" for number in cameras], kept),
        frame=np.tile(numbers[:kept], len(cameras)),
        fps=float(fps),
        dataset="3dhp",
        source=source,
        notes=notes,
        **facts,
    )


def _poses(rows: npt.NDArray[Any], joints: list[int], source: str, keep_gaps: bool) -> npt.NDArray[Any]:
    """Rows x1, y1, z1, x2, ... of 28 joints as (n, J, 3)."""
    if not keep_gaps and not np.isfinite(rows).all():
        row = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise InputError(f"{source}: row {row} lacks joints: it holds a number that is not finite")
    return np.ascontiguousarray(rows.reshape(len(rows), -1, 3)[:, joints])


__all__ = [
    "CHEST_CAMERAS",
    "MPI_INF_3DHP_ATTRIBUTION",
    "MPI_INF_3DHP_LICENCE",
    "SEQUENCES",
    "VNECT_CAMERAS",
    "iter_3dhp_train",
    "read_3dhp_calibration",
    "read_3dhp_test",
    "read_3dhp_train",
]
