"""Human3.6M for those who have its licence: found in the layouts in use, read as poses in mm, nothing passed on.

C. Ionescu, D. Papava, V. Olaru, C. Sminchisescu: Human3.6M, TPAMI 2014. The data come from the authors alone
(vision.imar.ro/human3.6m, an account that they grant). Read are, below one folder:

| layout | files | reference |
|---|---|---|
| `mono` | `S1/MyPoseFeatures/D3_Positions_mono/Directions 1.54138969.cdf` | each camera |
| `universal` | `.../D3_Positions_mono_universal/...`, everybody's bones of one size | each camera |
| `world` | `S1/MyPoseFeatures/D3_Positions/Directions 1.cdf` | world |
| `h5` | `S1/MyPoses/3D_positions/Directions 1.h5`, out of Martinez' h36m.zip | world |
| `npz` | `data_3d_h36m.npz`, VideoPose3D's | world |
| `json` | `annotations/Human36M_subject1_joint_3d.json`, the lists of 3DMPPE | world |
| `pkl` | `annot/h36m_train.pkl`, `h36m_validation.pkl` of H36M-Toolbox; any pickled list by its path | each camera |

World poses become those of a camera with the calibration: `metadata.xml` of the release, or a table of it as JSON.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from posebench.cameras import Camera, read_cameras
from posebench.datasets import children, h36m_child
from posebench.errors import InputError, MissingExtraError, UsageError
from posebench.io import hdf5
from posebench.io import read as read_file
from posebench.io.array_file import read_bytes
from posebench.io.facts import brief, listing, shown
from posebench.io.layouts.image_names import ACTIONS, action_and_sequence
from posebench.joining import concatenate
from posebench.poses import PoseSet
from posebench.protocols.selection import Clip, Selection
from posebench.skeletons import get_skeleton

Layout = Literal["mono", "universal", "world", "h5", "npz", "json", "pkl"]
Floats = npt.NDArray[Any]

#: To be cited wherever results on the data are.
H36M_ATTRIBUTION = (
    "C. Ionescu, D. Papava, V. Olaru, C. Sminchisescu: Human3.6M: Large Scale Datasets and Predictive Methods for 3D "
    "Human Sensing in Natural Environments. IEEE TPAMI 36 (7), 2014."
)
#: Under which terms.
H36M_LICENCE = "for academic use, by an account at vision.imar.ro/human3.6m; not to be passed on"
#: Those whose poses are released; S2, S3, S4 and S10 are the test set of the release.
SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
#: In the order of their numbers 1 to 4.
CAMERAS = ("54138969", "55011271", "58860488", "60457274")
#: Width and height of their pictures in px.
SIZES = {"54138969": (1000, 1002), "55011271": (1000, 1000), "58860488": (1000, 1000), "60457274": (1000, 1002)}
FPS = 50.0
#: Clips whose ground truth is shifted against the pictures (learnable triangulation, ICCV 2019).
DAMAGED = (
    Clip("S9", "Greeting 2", "Greeting"),
    Clip("S9", "SittingDown 2", "SittingDown 1"),
    Clip("S9", "Waiting 1", "Waiting 1"),
)

_FOLDERS: dict[Layout, str] = {
    "mono": "D3_Positions_mono",
    "universal": "D3_Positions_mono_universal",
    "world": "D3_Positions",
}
_BY_CAMERA: tuple[Layout, ...] = ("mono", "universal")
#: Files that hold many people, who are known once they are read.
_OF_MANY: tuple[Layout, ...] = ("npz", "pkl")
#: The order in which layouts are preferred, by reference.
_PREFERRED: dict[str, tuple[Layout, ...]] = {
    "camera": ("mono", "world", "h5", "npz", "json", "pkl"),
    "universal": ("universal",),
    "world": ("world", "h5", "npz", "json"),
}
_HOW = {
    "camera": "D3_Positions_mono, or world poses with a calibration",
    "universal": "D3_Positions_mono_universal",
    "world": "D3_Positions, h36m.zip or data_3d_h36m.npz",
}
_CALIBRATIONS = ("metadata.xml", "Release-v1.2/metadata.xml", "Release-v1.1/metadata.xml", "camera-parameters.json")
#: Pickled lists, and the folders that codes keep them in; others are read by their own path.
_LISTS = ("h36m_train.pkl", "h36m_validation.pkl")
_LIST_FOLDERS = ("", "annot/", "h36m/annot/")
_JSON_NAME = "Human36M_subject{}_joint_3d.json"
#: Beyond 100 m nobody stands; unwritten numbers of a .cdf file are -1e30.
_FURTHEST = 1e5
#: Bytes: metadata.xml has some hundred thousand; a list of joints, some hundred million.
_METADATA_LIMIT, _JSON_LIMIT = 8 * 2**20, 512 * 2**20
#: metadata.xml: six numbers for each of 4 cameras and 11 subjects, then nine for each camera.
_ROTATIONS, _INTRINSICS, _SUBJECTS_THERE = 6, 9, 11


@dataclass(frozen=True)
class H36MFiles:
    """What of Human3.6M lies below a folder.

    Attributes
    ----------
    root : path
    clips : dict
        By layout, then by subject and sequence: the file of each camera, or of ``""`` where one file has no camera.
        Layouts of one file for many clips (`npz`, `json`, `pkl`) have the sequence ``""``, or the file's name.
    calibration : path, optional
        The first of metadata.xml and camera-parameters.json that is there.
    """

    root: Path
    clips: Mapping[Layout, Mapping[tuple[str, str], Mapping[str, Path]]]
    calibration: Path | None = None
    subjects: Mapping[Layout, tuple[str, ...]] = field(init=False)

    def __post_init__(self) -> None:
        found = {
            layout: tuple(subject for subject in SUBJECTS if any(key[0] == subject for key in clips))
            for layout, clips in self.clips.items()
        }
        object.__setattr__(self, "subjects", found)

    @property
    def missing(self) -> tuple[str, ...]:
        """What a whole layout would hold and this one does not, one sentence each; empty if nothing is missing."""
        sentences = []
        for layout, clips in self.clips.items():
            if layout in _OF_MANY:
                continue
            lacking = [subject for subject in SUBJECTS if subject not in self.subjects[layout]]
            if lacking:
                sentences.append(f"{layout}: no files of {', '.join(lacking)}")
            if layout == "json":
                continue
            for subject in self.subjects[layout]:
                sequences = [sequence for owner, sequence in clips if owner == subject]
                for action in ACTIONS:
                    there = [each for each in sequences if action_and_sequence(each)[0] == action]
                    if len(there) != 2:
                        sentences.append(f"{layout}: {subject} has {len(there)} of 2 clips of {action}")
                for sequence in sequences if layout in _BY_CAMERA else ():
                    gone = [camera for camera in CAMERAS if camera not in clips[subject, sequence]]
                    if gone:
                        sentences.append(f"{layout}: {subject} {sequence} lacks camera {', '.join(gone)}")
        if self.calibration is None and not set(self.clips) & {*_BY_CAMERA, "pkl"}:
            sentences.append("no calibration: metadata.xml or camera-parameters.json, to turn the world into cameras")
        return tuple(sentences)

    @property
    def report(self) -> str:
        """What is there, what is missing and where it comes from, one line each."""
        lines = [f"Human3.6M below {self.root}"]
        for layout, clips in self.clips.items():
            many = "" if layout in (*_OF_MANY, "json") else f"{len(clips)} clips of "
            names = [path.name for files in clips.values() for path in files.values()]
            who = ", ".join(names if layout in _OF_MANY else self.subjects[layout])
            lines.append(f"  {layout}: {many}{who}")
        lines.append(f"  calibration: {self.calibration.name if self.calibration else 'none'}")
        missing = self.missing
        lines += [f"  missing, {sentence}" for sentence in missing[:20]]
        if len(missing) > 20:
            lines.append(f"  missing, and {len(missing) - 20} more")
        if missing:
            lines.append(f"  {_GET}")
        return "\n".join(lines)


_GET = (
    "get it from vision.imar.ro/human3.6m (log in, Download, Poses_D3_Positions_mono of each subject) and unpack the "
    "archives into one folder"
)


def locate_h36m(root: str | os.PathLike[str]) -> H36MFiles:
    """Look for Human3.6M below a folder, in the layouts that are read; only names are looked at.

    Parameters
    ----------
    root : path
        The folder that holds the subjects, or that the release's archives were unpacked into; or `data_3d_h36m.npz`, or
        a pickled list.

    Raises
    ------
    InputError
        If nothing of it is there; the sentence says what is looked for and where it comes from.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp(), "S1", "MyPoseFeatures", "D3_Positions")
    >>> folder.mkdir(parents=True)
    >>> (folder / "Directions 1.cdf").touch()
    >>> found = locate_h36m(folder.parents[2])
    >>> found.subjects, found.missing[:2]
    ({'world': ('S1',)}, ('world: no files of S5, S6, S7, S8, S9, S11', 'world: S1 has 1 of 2 clips of Directions'))
    """
    folder = Path(root)
    if folder.is_file() and folder.suffix in (".npz", ".pkl"):
        kind: Layout = "npz" if folder.suffix == ".npz" else "pkl"
        return H36MFiles(folder.parent, {kind: {("", ""): {"": folder}}}, _first(folder.parent, _CALIBRATIONS))
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder, expected the one that holds Human3.6M's subjects S1, S5 and so on")
    clips: dict[Layout, dict[tuple[str, str], dict[str, Path]]] = {}
    for layout, name in _FOLDERS.items():
        found = _cdf_clips(folder, name, by_camera=layout in _BY_CAMERA)
        if found:
            clips[layout] = found
    if held := _h5_clips(folder):
        clips["h5"] = held
    if (npz := _first(folder, ("data_3d_h36m.npz", "data/data_3d_h36m.npz"))) is not None:
        clips["npz"] = {("", ""): {"": npz}}
    lists = {
        (subject, ""): {"": path}
        for subject in SUBJECTS
        if (path := _first(folder, [below + _JSON_NAME.format(subject[1:]) for below in ("", "annotations/")]))
    }
    if lists:
        clips["json"] = lists
    pickled = {
        ("", name): {"": path}
        for name in _LISTS
        if (path := _first(folder, [below + name for below in _LIST_FOLDERS])) is not None
    }
    if pickled:
        clips["pkl"] = pickled
    if not clips:
        hint = ""
        if re.fullmatch(r"S[0-9]{1,2}|MyPoseFeatures|(?:Poses_)?D3_Positions\w*", folder.name):
            hint = f"; {folder.name} is inside of it, give the folder above the subjects"
        raise InputError(
            f"{folder}: holds nothing of Human3.6M that is read, such as S1/MyPoseFeatures/D3_Positions_mono/*.cdf or "
            f"data_3d_h36m.npz{hint or '; ' + _GET}"
        )
    return H36MFiles(folder, clips, _first(folder, _CALIBRATIONS))


def _first(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _cdf_clips(root: Path, name: str, *, by_camera: bool) -> dict[tuple[str, str], dict[str, Path]]:
    """Files of the release: as its archives unpack, in one folder per archive, and as h36m-fetch names the folders."""
    found: dict[tuple[str, str], dict[str, Path]] = {}
    for above in ("", "*/", "*/*/"):
        for inside in (f"MyPoseFeatures/{name}", f"Poses_{name}"):
            for path in sorted(root.glob(f"{above}S*/{inside}/*.cdf")):
                subject = path.parts[-4] if inside.startswith("My") else path.parts[-3]
                stem, dot, camera = path.stem.rpartition(".") if by_camera else (path.stem, ".", "")
                # _ALL are recordings of all actions in a row, and of the empty room.
                if subject not in SUBJECTS or stem.startswith("_ALL"):
                    continue
                if not dot or action_and_sequence(stem)[0] not in ACTIONS or (by_camera and camera not in CAMERAS):
                    wanted = "Directions 1.54138969.cdf" if by_camera else "Directions 1.cdf"
                    raise InputError(f"{path}: is no clip of Human3.6M by its name, expected one such as {wanted}")
                found.setdefault((subject, stem), {}).setdefault(camera, path)
    return found


def _h5_clips(root: Path) -> dict[tuple[str, str], dict[str, Path]]:
    found: dict[tuple[str, str], dict[str, Path]] = {}
    for above in ("", "h36m/"):
        for path in sorted(root.glob(f"{above}S*/MyPoses/3D_positions/*.h5")):
            subject = path.parts[-4]
            if subject in SUBJECTS and action_and_sequence(path.stem)[0] in ACTIONS:
                found.setdefault((subject, path.stem), {"": path})
    return found


def iter_h36m(
    root: str | os.PathLike[str] | H36MFiles,
    *,
    subjects: Collection[str] = SUBJECTS,
    actions: Collection[str] | None = None,
    reference: Literal["camera", "world", "universal"] = "camera",
    camera_names: Collection[str] = CAMERAS,
    cameras: Mapping[str, Camera] | str | os.PathLike[str] | None = None,
    stride: int = 64,
    skeleton: str = "h36m17",
    keep_gaps: bool = False,
) -> Iterator[PoseSet]:
    """One pose set per clip (subject and sequence, all cameras), so that a large data set need not fit into memory.

    Parameters, errors and keys as in `read_h36m`. With `keep_gaps`, what is no coordinate in mm is NaN rather than
    refused.
    """
    _check_choices(subjects, actions, camera_names, reference, stride, skeleton)
    found = root if isinstance(root, H36MFiles) else locate_h36m(root)
    layout = next((layout for layout in _PREFERRED[reference] if layout in found.clips), None)
    if layout is None:
        raise InputError(
            f"{found.root}: has no poses in the reference {reference}, which takes {_HOW[reference]}; it has "
            f"{', '.join(found.clips)}; {_GET}"
        )
    lacking = [subject for subject in subjects if layout not in _OF_MANY and subject not in found.subjects[layout]]
    if lacking:
        raise InputError(
            f"{found.root}: holds no poses of {', '.join(lacking)} in the layout {layout}, only of "
            f"{', '.join(found.subjects[layout])}; choose them with subjects=, or {_GET}"
        )
    wanted = None if actions is None else set(actions)
    if layout == "pkl":
        paths = [files[""] for files in found.clips["pkl"].values()]
        yield from _listed(paths, tuple(subjects), wanted, tuple(camera_names), stride, skeleton, keep_gaps)
        return
    known = _calibration(cameras, found)
    if reference == "camera" and layout != "mono" and known is None:
        raise InputError(
            f"{found.root}: holds world poses ({layout}) and no calibration; put metadata.xml or "
            "camera-parameters.json there, name one with cameras=, or read with reference='world'"
        )
    for clip in _READERS[layout](found.clips[layout], layout, tuple(subjects), wanted, tuple(camera_names), stride):
        yield _posed(clip, layout, reference, known, tuple(camera_names), skeleton, keep_gaps=keep_gaps)


def read_h36m(
    root: str | os.PathLike[str] | H36MFiles,
    *,
    subjects: Collection[str] = SUBJECTS,
    actions: Collection[str] | None = None,
    reference: Literal["camera", "world", "universal"] = "camera",
    camera_names: Collection[str] = CAMERAS,
    cameras: Mapping[str, Camera] | str | os.PathLike[str] | None = None,
    stride: int = 64,
    skeleton: str = "h36m17",
) -> PoseSet:
    """Human3.6M as poses (N, 17, 3) in mm, absolute, 50 frames per second.

    Keys are `subject` (S9), `action` (what stands before the space of a clip's name; TakingPhoto is Photo, WalkingDog
    is WalkDog), `sequence` (the clip's name in the release, such as ``Greeting`` or ``Greeting 1``), `camera`
    (54138969) and `frame`, from 0. A note names what of S9's three damaged clips is there; `damaged_h36m` finds them.

    Parameters
    ----------
    root : path or H36MFiles
        As for `locate_h36m`, or what that found.
    subjects : collection of str
        By default all whose poses are released.
    actions : collection of str, optional
        By default all 15.
    reference : {"camera", "world", "universal"}
        Poses of each camera, of the world (without the key `camera`), or of each camera with everybody's bones of one
        size.
    camera_names : collection of str
        By default all four.
    cameras : dict of Camera or path, optional
        The calibration, from `read_h36m_cameras` or for it; by default what lies below `root`. Poses of a camera then
        have `intrinsics` and `extrinsics`, and world poses can become poses of a camera.
    stride : int
        Every so-manieth frame of each clip, from its first; 64 as most protocols, 1 for all.
    skeleton : {"h36m17", "h36m32"}
        The 17 joints that are scored, or all 32 of the files.

    Raises
    ------
    InputError
        If files are missing, damaged, or disagree, such as cameras with other numbers of frames; one sentence.
    MissingExtraError
        If cdflib or h5py is needed and not installed.
    UsageError
        If there is no such subject, action, camera, reference or skeleton.

    References
    ----------
    Ionescu et al., TPAMI 2014. Poses of a camera are R (x - T), with R and T of the calibration.
    """
    clips = list(
        iter_h36m(
            root,
            subjects=subjects,
            actions=actions,
            reference=reference,
            camera_names=camera_names,
            cameras=cameras,
            stride=stride,
            skeleton=skeleton,
        )
    )
    if not clips:
        place = root.root if isinstance(root, H36MFiles) else os.fspath(root)
        raise InputError(f"{place}: holds no clips of the subjects and actions that were asked for")
    joined = concatenate(clips)
    found = damaged_h36m(joined)
    notes = []
    if found.any():
        assert joined.sequence is not None
        names = sorted({str(name) for name in joined.sequence.values[found]})
        notes.append(
            f"{joined.source}: the ground truth of S9 {', '.join(names)} ({int(found.sum())} poses) is shifted against "
            "the pictures; some protocols leave it out"
        )
    return joined.replace(notes=[*joined.notes, *notes])


def damaged_h36m(poses: PoseSet) -> npt.NDArray[np.bool_]:
    """Which poses (N,) are of S9's three clips whose ground truth is shifted, under either set of names.

    Raises
    ------
    InputError
        If the poses have no subject and sequence keys.

    Examples
    --------
    >>> clips = PoseSet(np.zeros((2, 17, 3)), subject="S9", action="Waiting", sequence=["Waiting", "Waiting 1"])
    >>> damaged_h36m(clips).tolist()
    [False, True]
    """
    if poses.subject is None or poses.sequence is None:
        raise InputError(f"{poses.source}: has no subject and sequence keys, so its clips are unknown")
    return ~Selection("h36m", skip=DAMAGED).rows(poses)


def _check_choices(
    subjects: Collection[str],
    actions: Collection[str] | None,
    camera_names: Collection[str],
    reference: str,
    stride: int,
    skeleton: str,
) -> None:
    for given, known, what in (
        (subjects, SUBJECTS, "subject whose poses are released"),
        (actions or (), ACTIONS, "action"),
        (camera_names, CAMERAS, "camera"),
        ((reference,), tuple(_PREFERRED), "reference"),
        ((skeleton,), ("h36m17", "h36m32"), "skeleton"),
    ):
        if isinstance(given, str):
            raise UsageError(f"expected a list of names, got {given!r}; write [{given!r}]")
        for name in given:
            if name not in known:
                raise UsageError(f"Human3.6M has no {what} {name!r}; known are {', '.join(known)}")
    if not subjects or not camera_names:
        raise UsageError("expected one subject and one camera or more, got none")
    if not isinstance(stride, int) or stride < 1:
        raise UsageError(f"stride is {stride!r}, expected a whole number from 1")


@dataclass(frozen=True)
class _Clip:
    """The poses of one clip: by camera, or of the world under the name ""."""

    subject: str
    sequence: str
    poses: Mapping[str, Floats]
    stride: int
    source: str


def _cdf(
    clips: Mapping[tuple[str, str], Mapping[str, Path]],
    layout: Layout,
    subjects: tuple[str, ...],
    actions: set[str] | None,
    names: tuple[str, ...],
    stride: int,
) -> Iterator[_Clip]:
    for (subject, sequence), files in clips.items():
        if not _taken(subject, sequence, subjects, actions):
            continue
        chosen = [name for name in names if name in files] if layout in _BY_CAMERA else [""]
        gone = [name for name in names if layout in _BY_CAMERA and name not in files]
        if gone:
            place = next(iter(files.values())).parent
            raise InputError(f"{place}: {sequence} lacks camera {', '.join(gone)}; {_GET}")
        paths = [files[name] for name in chosen]
        if importlib.util.find_spec("cdflib") is None:
            raise MissingExtraError(str(paths[0]), "cdflib", "io")
        arrays = _read_cdf(paths, stride)
        yield _Clip(subject, sequence, dict(zip(chosen, arrays, strict=True)), stride, str(paths[0]))


def _read_cdf(paths: Sequence[Path], stride: int) -> list[Floats]:
    """The poses (n, 32, 3) of the files of one clip, whose numbers of frames must agree."""
    size = sum(path.stat().st_size for path in paths)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        more = [str(stride), *(str(path.resolve()) for path in paths[1:])]
        answer = children.ask(h36m_child, paths[0], folder, ".cdf file", *more, size=size)
        frames = answer.get("frames")
        if not isinstance(frames, list) or len(frames) != len(paths):
            raise InputError(f"{paths[0]}: is damaged: its reader answered nonsense")
        arrays = [children.saved(folder, f"{i}.npy", (None, None), str(path)) for i, path in enumerate(paths)]
    for path, count in zip(paths, frames, strict=True):
        if count != frames[0]:
            raise InputError(
                f"{path}: has {count} frames and {paths[0].name} has {frames[0]}, expected as many from every camera; "
                "unpack both again, or fetch them again"
            )
    return [_joints(array, str(path)) for array, path in zip(arrays, paths, strict=True)]


def _joints(array: Floats, source: str) -> Floats:
    """Rows of 96 numbers as (n, 32, 3)."""
    if array.shape[1] != 96:
        raise InputError(
            f"{source}: has {array.shape[1]} numbers per frame, expected 96: x, y, z of 32 joints; it holds another "
            "feature (D2_Positions, D3_Angles), or lacks joints"
        )
    return array.reshape(len(array), 32, 3)


def _h5(
    clips: Mapping[tuple[str, str], Mapping[str, Path]],
    layout: Layout,
    subjects: tuple[str, ...],
    actions: set[str] | None,
    names: tuple[str, ...],
    stride: int,
) -> Iterator[_Clip]:
    name = "3D_positions"
    for (subject, sequence), files in clips.items():
        if not _taken(subject, sequence, subjects, actions):
            continue
        path = files[""]
        # The child opens datasets only where one is called as posebench calls its own, or as MATLAB's variables.
        found = hdf5.contents(path, "mat", [name])
        if name not in found.values:
            raise InputError(f"{path}: has no dataset {name!r}; {listing([entry[0] for entry in found.entries])}")
        # Read as MATLAB's, its axes are reversed: (96, N) in the file.
        array = found.values[name]
        if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind != "f":
            raise InputError(f"{path}: dataset {name!r} is no array of numbers (96, frames)")
        yield _Clip(subject, sequence, {"": _joints(np.asarray(array[::stride]), str(path))}, stride, str(path))


def _npz(
    clips: Mapping[tuple[str, str], Mapping[str, Path]],
    layout: Layout,
    subjects: tuple[str, ...],
    actions: set[str] | None,
    names: tuple[str, ...],
    stride: int,
) -> Iterator[_Clip]:
    path = clips["", ""][""]
    poses = read_file(path)
    if poses.reference != "world" or poses.subject is None or poses.sequence is None or poses.dataset != "h36m":
        raise InputError(
            f"{path}: is not VideoPose3D's data_3d_h36m.npz as its converter writes it, with world poses by subject "
            "and action; read other files with posebench.read"
        )
    lacking = [subject for subject in subjects if subject not in poses.subject.names]
    if lacking:
        raise InputError(f"{path}: holds no poses of {', '.join(lacking)}, only of {', '.join(poses.subject.names)}")
    assert poses.frame is not None
    for subject in subjects:
        mine = poses.subject.codes == poses.subject.names.index(subject)
        for code, sequence in enumerate(poses.sequence.names):
            if not _taken(subject, sequence, subjects, actions):
                continue
            rows = np.flatnonzero(mine & (poses.sequence.codes == code) & (poses.frame % stride == 0))
            if len(rows):
                source = f"{path}: {subject} {sequence}"
                yield _Clip(subject, sequence, {"": poses.poses[rows] * np.float32(1000)}, stride, source)


def _json(
    clips: Mapping[tuple[str, str], Mapping[str, Path]],
    layout: Layout,
    subjects: tuple[str, ...],
    actions: set[str] | None,
    names: tuple[str, ...],
    stride: int,
) -> Iterator[_Clip]:
    """Lists {action from 2: {subaction: {frame from 0: 17 joints}}}, world mm."""
    for subject in subjects:
        path = clips[subject, ""][""]
        expected = f"{path}: expected {{action: {{subaction: {{frame: 17 joints}}}}}}"
        table = _load_json(path)
        for act, trials in table.items():
            if not re.fullmatch(r"[0-9]{1,2}", act) or not 2 <= int(act) <= 16 or not isinstance(trials, dict):
                raise InputError(f"{expected} with actions 2 to 16, got {act[:20]!r}")
            action = ACTIONS[int(act) - 2]
            for trial, frames in trials.items():
                sequence = f"{action} subact {trial[:20]}"
                if not _taken(subject, sequence, subjects, actions):
                    continue
                if not isinstance(frames, dict) or list(frames) != [str(i) for i in range(len(frames))] or not frames:
                    raise InputError(f"{expected} with frames 0, 1, 2 and so on; {sequence} has others")
                rows = [frames[str(i)] for i in range(0, len(frames), stride)]
                try:
                    array = np.array(rows, np.float64)
                except (ValueError, TypeError, OverflowError):
                    array = np.zeros(0)
                if array.shape != (len(rows), 17, 3):
                    raise InputError(f"{expected}; a frame of {sequence} is not 17 joints of x, y, z")
                yield _Clip(subject, sequence, {"": array}, stride, f"{path}: {sequence}")


def _listed(
    paths: Sequence[Path],
    subjects: tuple[str, ...],
    actions: set[str] | None,
    names: tuple[str, ...],
    stride: int,
    skeleton: str,
    keep_gaps: bool,
) -> Iterator[PoseSet]:
    """The clips of pickled lists, which hold each camera's poses with what belongs to it, but not always all frames."""
    there: set[str] = set()
    chosen, given = 0, 0
    for path in paths:
        poses = read_file(path)
        if poses.dataset != "h36m" or poses.subject is None or poses.sequence is None or poses.camera is None:
            raise InputError(
                f"{path}: is no list of Human3.6M's pictures with their subject, action and camera; read other files "
                "with posebench.read"
            )
        assert poses.frame is not None
        numbers = {str(i + 1): name for i, name in enumerate(CAMERAS)}
        camera = np.array([numbers.get(name, "") for name in poses.camera.names])[poses.camera.codes]
        poses = poses.replace(poses=_chosen(poses.poses, skeleton, str(path), keep_gaps), camera=camera, fps=FPS)
        assert poses.subject is not None and poses.sequence is not None and poses.frame is not None
        there.update(poses.subject.names)
        taken, kept = np.isin(camera, names), poses.frame % stride == 0
        for subject in subjects:
            for code, sequence in enumerate(poses.sequence.names):
                if not _taken(subject, sequence, subjects, actions):
                    continue
                rows = taken & (poses.sequence.codes == code) & (poses.subject.values == subject)
                chosen += int(rows.sum())
                given += int((rows & kept).sum())
                if (rows & kept).any():
                    yield poses[np.flatnonzero(rows & kept)]
    lacking = [subject for subject in subjects if subject not in there]
    if lacking:
        raise InputError(
            f"{paths[0]}: holds no poses of {', '.join(lacking)}, only of {', '.join(sorted(there))}; choose them with "
            "subjects="
        )
    if chosen and not given:
        raise InputError(
            f"{paths[0]}: holds none of every {stride} frames; lists of the Integral line have frames drawn by chance, "
            "so read them with stride=1"
        )


_READERS = {"mono": _cdf, "universal": _cdf, "world": _cdf, "h5": _h5, "npz": _npz, "json": _json}


def _load_json(path: Path) -> dict[str, Any]:
    try:
        table = json.loads(read_bytes(path, _JSON_LIMIT))
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON, or cut off: {brief(error)}") from None
    if not isinstance(table, dict):
        raise InputError(f"{path}: holds a list, expected an object")
    return table


def _taken(subject: str, sequence: str, subjects: tuple[str, ...], actions: set[str] | None) -> bool:
    return subject in subjects and (actions is None or action_and_sequence(sequence)[0] in actions)


def _posed(
    clip: _Clip,
    layout: Layout,
    reference: str,
    known: Mapping[str, Camera] | None,
    names: tuple[str, ...],
    skeleton: str,
    *,
    keep_gaps: bool,
) -> PoseSet:
    """A clip as a pose set, in the reference that was asked for."""
    views = {name: _chosen(poses, skeleton, clip.source, keep_gaps) for name, poses in clip.poses.items()}
    used: list[Camera] = []
    if reference == "camera" and known is not None:
        used = [_camera(known, clip.subject, name) for name in names]
    if reference == "camera" and layout != "mono":
        seen = views[""]
        views = {camera.name: camera.to_camera(seen).astype(seen.dtype) for camera in used}
    n, many = len(next(iter(views.values()))), len(views)
    action, sequence = action_and_sequence(clip.sequence)
    facts: dict[str, Any] = {}
    if reference != "world":
        facts["camera"] = np.repeat(list(views), n)
    if used:
        matrices = [np.column_stack([camera.R, camera.t]) for camera in used]
        facts["intrinsics"] = np.repeat(np.stack([camera.K for camera in used]), n, axis=0)
        facts["extrinsics"] = np.repeat(np.stack(matrices), n, axis=0)
    return PoseSet(
        np.concatenate(list(views.values())),
        skeleton=skeleton,
        unit="mm",
        reference="world" if reference == "world" else "camera",
        origin="absolute",
        subject=clip.subject,
        action=action,
        sequence=sequence,
        frame=np.tile(np.arange(n, dtype=np.int64) * clip.stride, many),
        fps=FPS,
        dataset="h36m",
        source=clip.source,
        **facts,
    )


def _chosen(poses: Floats, skeleton: str, source: str, keep_gaps: bool) -> Floats:
    """The joints of a skeleton, once it is certain that they are coordinates in mm."""
    with np.errstate(invalid="ignore"):
        known = np.abs(poses) < _FURTHEST
    if not known.all():
        if not keep_gaps:
            frame = int(np.flatnonzero(~known.all(axis=(1, 2)))[0])
            raise InputError(f"{source}: row {frame} holds a number that is no coordinate in mm; the file is damaged")
        poses = np.where(known, poses, poses.dtype.type(np.nan))
    wanted, given = get_skeleton(skeleton), get_skeleton("h36m32" if poses.shape[1] == 32 else "h36m17")
    if poses.shape[1] == len(wanted):
        return poses
    if len(wanted) > poses.shape[1]:
        raise InputError(f"{source}: holds {poses.shape[1]} joints, so {skeleton} cannot be read; ask for h36m17")
    return np.ascontiguousarray(poses[:, [given.index(joint) for joint in wanted.joints]])


# ------------------------------------------------------------------------------------------------------------- cameras


def read_h36m_cameras(path: str | os.PathLike[str]) -> dict[str, Camera]:
    """Human3.6M's calibration, by subject and camera, translations in mm.

    Parameters
    ----------
    path : path
        `metadata.xml` of the release; `camera-parameters.json` ({"intrinsics": {camera: ...}, "extrinsics": {subject:
        {camera: ...}}}); or a table that `posebench.cameras.read_cameras` reads, by subject and camera, in mm.

    Returns
    -------
    dict
        ``"S1/54138969"`` and so on, each a `Camera` with the lens in OpenCV's order k1, k2, p1, p2, k3.

    Raises
    ------
    InputError
        If the file is none of these, or cut off; one sentence.

    References
    ----------
    The vector w0 of metadata.xml, as the release's H36MCamera.m takes it apart: three angles a (rad) and the camera's
    place T (mm) for each camera and subject, R = Rx(a1) Ry(a2) Rz(a3), x in the camera = R (x - T); then fx, fy, cx,
    cy, k1, k2, k3, p1, p2 for each camera. Its lens counts p1 x y + p2 x² (and the like for y)
    once, OpenCV's twice: 0.8 px in the corners of the pictures of camera 54138969, less elsewhere.
    """
    source = os.fspath(path)
    file = Path(path)
    if file.suffix.lower() == ".xml":
        return _metadata(file, source)
    if file.suffix.lower() == ".json":
        table = _load_json(file)
        if "intrinsics" in table and "extrinsics" in table:
            return _parameters(table, source)
    return read_cameras(path, unit="mm")


def _metadata(path: Path, source: str) -> dict[str, Camera]:
    content = read_bytes(path, _METADATA_LIMIT)
    # One element of numbers alone; parsing all of the XML would only add what can go wrong.
    begin, end = content.find(b"<w0>"), content.find(b"</w0>")
    if begin < 0 or end < begin:
        raise InputError(f"{source}: has no element w0 with the cameras, expected Human3.6M's metadata.xml")
    try:
        words = content[begin + 4 : end].strip(b" []\r\n\t").split()
        numbers = np.array([float(word) for word in words])
        # float() takes more than plain numbers, such as 1_000.
        if not np.isfinite(numbers).all() or any(b"_" in word for word in words):
            raise ValueError
    except ValueError:
        raise InputError(f"{source}: element w0 holds something other than numbers") from None
    expected = len(CAMERAS) * (_SUBJECTS_THERE * _ROTATIONS + _INTRINSICS)
    if len(numbers) != expected:
        raise InputError(f"{source}: element w0 has {len(numbers)} numbers, expected {expected}; the file is damaged")
    split = len(CAMERAS) * _SUBJECTS_THERE * _ROTATIONS
    placed = numbers[:split].reshape(len(CAMERAS), _SUBJECTS_THERE, _ROTATIONS)
    lenses = numbers[split:].reshape(len(CAMERAS), _INTRINSICS)
    cameras = {}
    for subject in SUBJECTS:
        for name, lens, place in zip(CAMERAS, lenses, placed[:, int(subject[1:]) - 1], strict=True):
            fx, fy, cx, cy, k1, k2, k3, p1, p2 = lens
            R = _turned(place[:3])
            cameras[f"{subject}/{name}"] = Camera(
                name, [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], [k1, k2, p1, p2, k3], R, -R @ place[3:],
                "mm", SIZES[name], subject, unit_stated=False, source=source,
            )  # fmt: skip
    return cameras


def _turned(angles: Floats) -> Floats:
    """Rx Ry Rz of three angles in radians."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_x @ about_y @ about_z)


def _parameters(table: Mapping[str, Any], source: str) -> dict[str, Camera]:
    cameras: dict[str, Camera] = {}

    def entry(holder: Any, name: str, where: str) -> Any:
        if not isinstance(holder, dict) or name not in holder:
            raise InputError(f"{source}: {where} has no {shown(name)}")
        return holder[name]

    for subject, views in table["extrinsics"].items() if isinstance(table["extrinsics"], dict) else ():
        for name in views if isinstance(views, dict) else ():
            where = f"extrinsics[{subject[:20]!r}][{name[:20]!r}]"
            lens = entry(table["intrinsics"], name, "intrinsics")
            placed = views[name]
            cameras[f"{subject}/{name}"] = Camera(
                name, entry(lens, "calibration_matrix", f"intrinsics[{name[:20]!r}]"),
                entry(lens, "distortion", f"intrinsics[{name[:20]!r}]"), entry(placed, "R", where),
                entry(placed, "t", where), "mm", SIZES.get(name), subject, unit_stated=False, source=source,
            )  # fmt: skip
    if not cameras:
        raise InputError(f"{source}: holds no cameras by subject under 'extrinsics'")
    return cameras


def _calibration(
    given: Mapping[str, Camera] | str | os.PathLike[str] | None, found: H36MFiles
) -> Mapping[str, Camera] | None:
    if isinstance(given, Mapping):
        return given
    path = given if given is not None else found.calibration
    return None if path is None else read_h36m_cameras(path)


def _camera(known: Mapping[str, Camera], subject: str, name: str) -> Camera:
    found = known.get(f"{subject}/{name}")
    if found is None:
        have = ", ".join(list(known)[:6])
        raise InputError(f"the calibration has no camera {name} of {subject}, expected {subject}/{name}; it has {have}")
    return found if found.unit == "mm" else found.in_unit("mm")


__all__ = [
    "CAMERAS",
    "DAMAGED",
    "FPS",
    "H36M_ATTRIBUTION",
    "H36M_LICENCE",
    "SUBJECTS",
    "H36MFiles",
    "damaged_h36m",
    "iter_h36m",
    "locate_h36m",
    "read_h36m",
    "read_h36m_cameras",
]
