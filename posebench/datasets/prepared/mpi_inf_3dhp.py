"""MPI-INF-3DHP's videos and test pictures as takes: what is cut of the release.

Training: `S1/Seq1/imageSequence/video_0.avi` with `annot.mat` and `camera.calibration`. Test:
`TS1/imageSequence/img_000001.jpg` with `annot_data.mat`, which has no intrinsics: they are fitted to its pixels and
millimetres, which a pinhole camera without distortion relates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path

import numpy as np

from posebench.cameras import Camera
from posebench.conversion import convert
from posebench.datasets.footage import read_picture
from posebench.datasets.mpi_inf_3dhp import CHEST_CAMERAS, SEQUENCES, iter_3dhp_train, read_3dhp_calibration
from posebench.datasets.prepared.crops import Floats, Take, numbered, usable, video_length
from posebench.datasets.prepared.writer import Material
from posebench.errors import InputError, UsageError
from posebench.io.layouts.mpi_inf_3dhp import VALID_FRAMES, read_annotations
from posebench.io.mat import read_variables
from posebench.poses import PoseSet

TRAIN = tuple(dict.fromkeys(subject for subject, _ in SEQUENCES))
TEST = tuple(VALID_FRAMES)
#: Videos and annotations of one sequence end within so many frames of each other.
TAIL = 10
#: px: how far the fitted camera may be off, as a root mean square over all joints.
MAX_RESIDUAL = 2.0

_GET = "get it with get_dataset.sh or get_testset.sh of vcai.mpi-inf.mpg.de/3dhp-dataset"
_VARIABLES = ("annot2", "annot3", "valid_frame", "activity_annotation")


def material(folder: Path, subjects: Collection[str] | None, stride: int) -> Material:
    """What is cut: every so-manieth frame of the five chest cameras, and the valid frames of the test set.

    Parameters
    ----------
    folder : path
        Holds S1 to S8, or TS1 to TS6 (here or in mpi_inf_3dhp_test_set), or both.
    subjects : collection of str, optional
        S1 to S8, TS1 to TS6; by default all that are there.
    stride : int
        Of the training set.

    Raises
    ------
    UsageError
        If there is no such subject.
    InputError
        If annotations, calibration, videos or pictures are missing, damaged, or do not fit each other.
    """
    inner = folder / "mpi_inf_3dhp_test_set"
    tests = inner if inner.is_dir() else folder
    if subjects is None:
        wanted = [name for name in TRAIN if any(folder.glob(f"{name}/Seq*/annot.mat"))]
        wanted += [name for name in TEST if (tests / name / "annot_data.mat").is_file()]
    else:
        wanted = list(dict.fromkeys(subjects))
    unknown = [name for name in wanted if name not in (*TRAIN, *TEST)]
    if unknown:
        raise UsageError(f"MPI-INF-3DHP has no subject {unknown[0]!r}; known are {', '.join((*TRAIN, *TEST))}")
    if not wanted:
        raise InputError(f"{folder}: holds neither S1/Seq1/annot.mat nor TS1/annot_data.mat, or others of them; {_GET}")
    left_out: Counter[str] = Counter()
    notes: list[str] = []
    takes: list[Take] = []
    train = [name for name in wanted if name in TRAIN]
    rates = set()
    if train:
        # By default the sequences that are there; of subjects that are named, both.
        named = None if subjects is None else train
        for clip in iter_3dhp_train(folder, subjects=named, stride=1, keep_gaps=True):
            takes += _train_takes(folder, clip, stride, left_out)
            rates.add(clip.fps)
    for name in (name for name in wanted if name in TEST):
        takes += _test_takes(tests / name, name, left_out, notes)
        rates.add(None)
    fps = rates.pop() if len(rates) == 1 else None
    options = {"subjects": wanted, "cameras": list(CHEST_CAMERAS), "stride": stride}
    return Material(takes, "3dhp", options, fps, +left_out, tuple(notes))


def _train_takes(root: Path, clip: PoseSet, stride: int, left_out: Counter[str]) -> list[Take]:
    """The takes of one sequence."""
    assert clip.subject is not None
    assert clip.sequence is not None
    assert clip.camera is not None
    assert clip.frame is not None
    subject, sequence = clip.subject.names[0], clip.sequence.names[0]
    folder = root / subject / sequence
    if not (folder / "camera.calibration").is_file():
        raise InputError(f"{folder}: has no camera.calibration, without which no crop has a camera; {_GET}")
    known = read_3dhp_calibration(folder / "camera.calibration")
    videos = {name: folder / "imageSequence" / f"video_{name.removeprefix('Cam')}.avi" for name in clip.camera.names}
    missing = [video for video in videos.values() if not video.is_file()]
    if missing:
        raise InputError(f"{missing[0]}: is missing, as {len(missing)} videos of {subject} {sequence}; {_GET}")
    converted = convert(clip, "h36m17")
    takes: list[Take] = []
    for code, (name, video) in enumerate(videos.items()):
        mine = clip.camera.codes == code
        poses, frames = converted.poses[mine], clip.frame[mine]
        length = video_length(video, known[name], len(poses))
        if abs(length - len(poses)) > TAIL:
            raise InputError(
                f"{video}: has {length} frames, but {len(poses)} of them are annotated, more than {TAIL} apart; fetch "
                "both again"
            )
        # Rows are counted as the video's frames are; the file numbers them as it likes.
        rows = np.arange(0, len(poses), stride)
        take = Take(
            "train", subject, sequence, known[name], video, rows, frames[rows], np.full(len(rows), ""), poses[rows]
        )
        takes += usable(take, length, left_out)
    return takes


# ----------------------------------------------------------------------------------------------------------------- test


def _test_takes(folder: Path, name: str, left_out: Counter[str], notes: list[str]) -> list[Take]:
    """The take of one test sequence: its valid frames, in its people's own size, which fits the pictures."""
    path = folder / "annot_data.mat"
    if not path.is_file():
        raise InputError(f"{path}: is missing; choose other subjects, or {_GET}")
    variables, values = read_variables(path, _VARIABLES)
    names = [each for each, _, _ in variables if each in _VARIABLES]
    for each in ("annot2", "annot3"):
        if each not in names:
            raise InputError(f"{path}: has no variable {each!r}, from which the camera is fitted; {_GET}")
    facts = read_annotations(values, names, path)
    assert facts.frame is not None
    frames = np.asarray(facts.frame, np.int64)
    pixels = _pixels(values["annot2"], path)
    if frames.max() >= len(pixels):
        raise InputError(f"{path}: annot2 has {len(pixels)} frames, but annot3 has more; fetch it again")
    points = np.asarray(facts.poses, np.float64)
    K, residual = fit_intrinsics(pixels[frames], points, path)
    notes.append(f"{name}: intrinsics fitted to annot2 and annot3 with a residual of {residual:.2f} px (rms)")
    missing = [frame for frame in frames.tolist() if not numbered(folder / "imageSequence", frame).is_file()]
    if missing:
        first = numbered(folder / "imageSequence", missing[0])
        raise InputError(f"{first}: is missing, as {len(missing)} pictures of {name}; {_GET}")
    picture = read_picture(numbered(folder / "imageSequence", int(frames[0])))
    camera = Camera(name, K, [], np.eye(3), np.zeros(3), "mm", (picture.shape[1], picture.shape[0]), source=str(path))
    body = convert(PoseSet(points, skeleton="3dhp17", source=str(path)), "h36m17")
    actions = np.full(len(frames), "") if facts.action is None else facts.action.values
    take = Take("test", name, name, camera, folder / "imageSequence", frames, frames, actions, body.poses)
    return usable(take, int(frames.max()) + 1, left_out)


def _pixels(array: object, path: Path) -> Floats:
    """Annotations (2, 17, 1, F) as (F, 17, 2)."""
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or array.shape[:2] != (2, 17):
        raise InputError(f"{path}: variable 'annot2' is no array of numbers 2 x 17 x 1 x frames")
    return np.asarray(array.reshape(2, 17, -1).transpose(2, 1, 0), np.float64)


def fit_intrinsics(pixels: Floats, points: Floats, source: Path) -> tuple[Floats, float]:
    """The pinhole camera without skew that maps points (N, J, 3) to pixels (N, J, 2), and its residual in px (rms).

    Least squares, across and down apart: u = fx X / Z + cx.

    Raises
    ------
    InputError
        If fewer than 100 joints are known, or the residual is larger than `MAX_RESIDUAL`.

    Examples
    --------
    >>> points = np.random.default_rng(0).uniform([-500, -900, 3000], [500, 900, 5000], (20, 17, 3))
    >>> pixels = points[..., :2] / points[..., 2:] * [1500, 1490] + [1024, 1020]
    >>> K, residual = fit_intrinsics(pixels, points, Path("annot_data.mat"))
    >>> K.round(3).tolist(), round(residual, 6)
    ([[1500.0, 0.0, 1024.0], [0.0, 1490.0, 1020.0], [0.0, 0.0, 1.0]], 0.0)
    """
    with np.errstate(invalid="ignore"):
        good = np.isfinite(pixels).all(-1) & np.isfinite(points).all(-1) & (points[..., 2] > 0)
    seen, placed = pixels[good], points[good]
    if len(seen) < 100:
        raise InputError(f"{source}: has {len(seen)} joints with pixels and mm, too few to fit its camera")
    K = np.eye(3)
    offsets = np.empty_like(seen)
    for axis in (0, 1):
        rows = np.column_stack([placed[:, axis] / placed[:, 2], np.ones(len(placed))])
        (focal, middle), *_ = np.linalg.lstsq(rows, seen[:, axis], rcond=None)
        K[axis, axis], K[axis, 2] = focal, middle
        offsets[:, axis] = rows @ [focal, middle] - seen[:, axis]
    residual = float(np.sqrt((offsets**2).sum(-1).mean()))
    if not residual <= MAX_RESIDUAL or not (K[0, 0] > 0 and K[1, 1] > 0):
        raise InputError(
            f"{source}: annot2 is not where a camera without distortion sees annot3: the best one is off by "
            f"{residual:.1f} px (rms), at most {MAX_RESIDUAL:g} are accepted; fetch it again"
        )
    return K, residual


__all__ = ["MAX_RESIDUAL", "TAIL", "TEST", "TRAIN", "fit_intrinsics", "material"]
