"""Which clips go where: nobody in two splits that must not meet, and nothing thinned but by a stride."""

from __future__ import annotations

from pathlib import Path

import pytest

from posebench import InputError, UsageError
from posebench.datasets.open4v.splits import SPLITS, STRIDES, TEST_SUBJECTS, TRAIN_SUBJECTS, clips_of
from posebench.protocols import get_protocol


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Files of the right names for every subject, without content."""
    for subject in (*TRAIN_SUBJECTS, *TEST_SUBJECTS):
        for number in range(1, 10):
            if subject.startswith("cmu"):
                path = tmp_path / f"cmu-mocap/bvh/{subject[3:]}/{subject[3:]}_{number:02d}.bvh"
            else:
                path = tmp_path / f"hdm05/{subject[5:]}/HDM_{subject[5:]}_squat1Reps_{number:03d}_120.amc"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return tmp_path


def test_the_test_subjects_are_those_of_the_protocol() -> None:
    assert TRAIN_SUBJECTS == ("cmu01", "cmu03", "cmu05", "cmu06", "cmu07", "hdm05bd", "hdm05bk", "hdm05dg")
    selection = get_protocol("open4v").selection
    assert selection is not None
    assert selection.subjects == TEST_SUBJECTS
    assert selection.dataset == SPLITS["test"].dataset


def test_no_subject_is_in_training_and_in_test(root: Path) -> None:
    clips = clips_of("small", "mocap", root=root)
    subjects = {split: {clip.subject for clip in clips if clip.split == split} for split in SPLITS}
    assert subjects["train"] == subjects["pretrain2d"] == set(TRAIN_SUBJECTS)
    assert subjects["test"] == subjects["wild"] == set(TEST_SUBJECTS)


def test_pretraining_sees_no_sequence_of_training(root: Path) -> None:
    clips = clips_of("small", "mocap", root=root)
    sequences = {split: {clip.sequence for clip in clips if clip.split == split} for split in SPLITS}
    assert not sequences["train"] & sequences["pretrain2d"]
    # Of nine clips of each of eight subjects every fourth is held out.
    assert (len(sequences["train"]), len(sequences["pretrain2d"])) == (56, 16)
    assert "01_04" in sequences["pretrain2d"]
    assert sequences["test"] == sequences["wild"]
    assert len(sequences["test"]) == 45


@pytest.mark.parametrize("size", STRIDES)
def test_every_clip_of_a_split_has_the_same_stride(root: Path, size: str) -> None:
    for clip in clips_of(size, "mocap", root=root):
        assert clip.stride == STRIDES[size][clip.split]


def test_synthetic_splits_keep_subjects_and_takes_apart() -> None:
    clips = clips_of("tiny", "synthetic")
    named = {split: {(clip.subject, clip.take) for clip in clips if clip.split == split} for split in SPLITS}
    assert not named["train"] & named["pretrain2d"]
    assert not {subject for subject, _ in named["train"]} & {subject for subject, _ in named["test"]}
    assert all(clip.path is None for clip in clips)


def test_names_of_files_are_unique(root: Path) -> None:
    for clips in (clips_of("small", "mocap", root=root), clips_of("small", "synthetic")):
        assert len({(clip.split, clip.name) for clip in clips}) == len({clip.folder for clip in clips}) == len(clips)


def test_a_missing_subject_is_named(root: Path) -> None:
    for path in (root / "hdm05" / "tr").iterdir():
        path.unlink()
    with pytest.raises(InputError, match=r"no clip of hdm05tr, which Open4V needs; .* synthetic"):
        clips_of("small", "mocap", root=root)


def test_without_motion_capture_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSEBENCH_DATA", raising=False)
    with pytest.raises(UsageError, match=r"POSEBENCH_DATA .*or render with synthetic motions"):
        clips_of("small", "mocap")


@pytest.mark.parametrize(
    ("size", "motions", "splits", "message"),
    [
        ("huge", "synthetic", ("train",), "size is 'huge', expected one of tiny, small, full"),
        ("tiny", "dance", ("train",), "motions is 'dance', expected one of mocap, synthetic"),
        ("tiny", "synthetic", ("train", "val"), r"expected splits out of train, .*, got val"),
        ("tiny", "synthetic", (), "got none"),
    ],
)
def test_unknown_names_are_refused(size, motions, splits, message) -> None:
    with pytest.raises(UsageError, match=message):
        clips_of(size, motions, splits=splits)


@pytest.mark.mocap
def test_the_small_size_is_as_large_as_it_says(mocap_root: Path) -> None:
    clips = clips_of("small", "mocap", root=mocap_root)
    counts = {split: sum(clip.split == split for clip in clips) for split in SPLITS}
    assert counts == {"train": 192, "test": 132, "wild": 132, "pretrain2d": 61}
