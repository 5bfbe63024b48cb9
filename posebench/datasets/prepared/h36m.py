"""Human3.6M's videos and poses as takes: what is cut of the official release.

Videos are `S1/Videos/Directions 1.54138969.mp4`, where the release's archives unpack them; poses and calibration are
what `posebench.datasets.h36m` reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from posebench.cameras import Camera
from posebench.datasets.h36m import FPS, SIZES, SUBJECTS, damaged_h36m, iter_h36m, locate_h36m, read_h36m_cameras
from posebench.datasets.prepared.crops import Take, usable, video_length
from posebench.datasets.prepared.writer import Material
from posebench.errors import InputError
from posebench.io.layouts.image_names import action_and_sequence
from posebench.poses import PoseSet

#: The usual split of those whose poses are released.
TRAIN, TEST = ("S1", "S5", "S6", "S7", "S8"), ("S9", "S11")
#: Of test subjects: every so-manieth frame, as most protocols.
TEST_STRIDE = 64
#: Videos and poses of one clip end within so many frames of each other: they were not cut to the same length.
TAIL = 10
#: Its video is damaged in the release.
NO_VIDEO = ("S11", "Directions")

_GET = "get Videos of each subject from vision.imar.ro/human3.6m (log in, Download) and unpack them above the subjects"


def material(folder: Path, subjects: Collection[str] | None, stride: int) -> Material:
    """What is cut: of each clip and camera every so-manieth frame, 64 for S9 and S11.

    Parameters
    ----------
    folder : path
        As for `posebench.datasets.h36m.locate_h36m`; the videos lie in it too.
    subjects : collection of str, optional
    stride : int
        For training subjects.

    Raises
    ------
    InputError
        If poses, calibration or videos are missing or damaged, or if a video has another size than its camera, or
        another length than its poses.
    """
    wanted = tuple(dict.fromkeys(SUBJECTS if subjects is None else subjects))
    found = locate_h36m(folder)
    if found.calibration is None:
        raise InputError(
            f"{found.root}: has no calibration, without which no crop has a camera; put metadata.xml of the release "
            "there, or camera-parameters.json"
        )
    known = {key: camera.in_unit("mm") for key, camera in read_h36m_cameras(found.calibration).items()}
    videos = videos_of(found.root)
    takes: list[Take] = []
    left_out: Counter[str] = Counter()
    notes: list[str] = []
    missing: list[str] = []
    for clip in iter_h36m(found, subjects=wanted, cameras=known, stride=1, keep_gaps=True):
        assert clip.subject is not None
        assert clip.sequence is not None
        subject, sequence = clip.subject.names[0], clip.sequence.names[0]
        if (subject, sequence) == NO_VIDEO:
            notes.append(f"{subject} {sequence} left out: its video is damaged in the release")
            continue
        assert clip.camera is not None
        lacking = [name for name in clip.camera.names if (subject, sequence, name) not in videos]
        missing += [f"{subject}/Videos/{sequence}.{name}.mp4" for name in lacking]
        if lacking:
            continue
        takes += _clip_takes(clip, known, videos, stride, left_out, notes)
    if missing:
        raise InputError(f"{found.root}: lacks {len(missing)} videos, the first {missing[0]}; {_GET}")
    takes.sort(key=lambda take: take.split != "train")
    options = {"subjects": list(wanted), "stride": stride, "test_stride": TEST_STRIDE}
    return Material(takes, "h36m", options, FPS, +left_out, tuple(notes))


def videos_of(root: Path) -> dict[tuple[str, str, str], Path]:
    """Subject, sequence as the reader spells it, camera -> video; in one folder or one per archive."""
    found: dict[tuple[str, str, str], Path] = {}
    for above in ("", "*/", "*/*/"):
        for path in sorted(root.glob(f"{above}S*/Videos/*.mp4")):
            stem, _, camera = path.stem.rpartition(".")
            found.setdefault((path.parts[-3], action_and_sequence(stem)[1], camera), path)
    return found


def _clip_takes(
    clip: PoseSet,
    known: Mapping[str, Camera],
    videos: Mapping[tuple[str, str, str], Path],
    stride: int,
    left_out: Counter[str],
    notes: list[str],
) -> list[Take]:
    """One clip's takes, and what is left out of it."""
    assert clip.subject is not None
    assert clip.action is not None
    assert clip.sequence is not None
    assert clip.camera is not None
    subject, sequence, action = clip.subject.names[0], clip.sequence.names[0], clip.action.names[0]
    damaged = bool(damaged_h36m(clip).any())
    step = stride if subject in TRAIN else TEST_STRIDE
    takes: list[Take] = []
    lost: Counter[str] = Counter()
    for code, name in enumerate(clip.camera.names):
        poses = clip.poses[clip.camera.codes == code]
        camera = known[f"{subject}/{name}"]
        camera = replace(camera, size=camera.size or SIZES.get(name))
        video = videos[subject, sequence, name]
        length = video_length(video, camera, len(poses))
        if abs(length - len(poses)) > TAIL:
            told = f"has {length} frames, but there are poses of {len(poses)}"
            if not damaged:
                raise InputError(f"{video}: {told}, more than {TAIL} apart; fetch both again")
            notes.append(f"{subject} {sequence} left out: its video of {name} {told}")
            return []
        rows = np.arange(0, len(poses), step)
        split = "train" if subject in TRAIN else "test"
        take = Take(split, subject, sequence, camera, video, rows, rows, np.full(len(rows), action), poses[rows])
        takes += usable(take, length, lost)
    left_out.update(lost)
    if damaged and takes:
        notes.append(f"{subject} {sequence}: the ground truth is shifted against the pictures; some protocols skip it")
    return takes


__all__ = ["NO_VIDEO", "TAIL", "TEST", "TEST_STRIDE", "TRAIN", "material", "videos_of"]
