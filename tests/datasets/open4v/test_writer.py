"""A whole folder: the same bytes however it came about, nothing half-written taken for done, errors in one sentence.

The bodies are stick figures, so that nothing but moderngl, EGL and scikit-image is needed.
"""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest

from posebench import read
from posebench.datasets.open4v import read_labels, render, verify, writer
from posebench.datasets.open4v.card import licence_text, sources_of
from posebench.datasets.open4v.preview import contact_sheet
from posebench.datasets.open4v.renderer import open_context
from posebench.datasets.open4v.splits import Clip
from posebench.errors import InputError, UsageError
from tests.support.mocap import clip_text, written
from tests.support.open4v import Blank, stick_body

PIXELS = 32
#: Two clips of one split and one of another: five pictures of single views, and 2 × 2 × 4 of four.
CLIPS = [
    Clip("train", "syn01", "syn01_01", 1, take=1, frames=2),
    Clip("train", "syn02", "syn02_01", 1, take=1, frames=2),
    Clip("pretrain2d", "syn01", "syn01_501", 1, take=501, frames=5),
]


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stick figures instead of bodies, three clips instead of a size; skips where nothing can be drawn."""
    pytest.importorskip("moderngl")
    pytest.importorskip("skimage")
    try:
        open_context().release()
    except InputError as error:
        pytest.skip(str(error))
    monkeypatch.setattr(writer, "make_bodies", lambda shapes: [stick_body(shape.height / 1710) for shape in shapes])
    monkeypatch.setattr(writer, "clips_of", lambda *_, **__: CLIPS)


def rendered(folder: Path, **given) -> Path:
    arguments = {"size": "tiny", "pixels": PIXELS, "motions": "synthetic", "workers": 1}
    render(folder, **{**arguments, **given})
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("toys")
def test_a_folder_holds_pictures_labels_card_and_hashes(tmp_path: Path) -> None:
    result = render(tmp_path / "new", size="tiny", pixels=PIXELS, motions="synthetic", workers=1)
    assert result.pictures == {"pretrain2d": 5, "train": 16}
    assert result.new == 21
    files = content(tmp_path / "new")
    assert len([name for name in files if name.endswith(".jpg")]) == 21
    assert {name for name in files if not name.endswith(".jpg")} == {
        "LICENCE.txt",
        "SHA256SUMS",
        "card.json",
        "labels/pretrain2d.views.npz",
        "labels/train.npz",
        "labels/train.views.npz",
        "views/pretrain2d.npz",
        "views/train.extrinsics.npz",
        "views/train.npz",
    }
    views = read_labels(tmp_path / "new", "train")
    assert set(views.image.tolist()) == {name for name in files if name.startswith("images/train/")}
    poses = read(tmp_path / "new" / "labels" / "train.npz")
    assert poses.subject.names == ("syn01", "syn02")
    np.testing.assert_array_equal(poses.poses, views.poses)
    card = json.loads(files["card.json"])
    assert card["recipe"]["seed"] == 0
    assert card["splits"]["train"]["instants"] == 4
    assert card["splits"]["pretrain2d"]["labels"] == ["labels/pretrain2d.views.npz"]
    assert verify(tmp_path / "new") == []
    # Pictures are drawn, and look at the body: the middle differs from picture to picture.
    sheet = contact_sheet(tmp_path / "new", "train", rows=2)
    assert sheet.shape == (2 * PIXELS, 4 * PIXELS, 3)
    assert contact_sheet(tmp_path / "new", "pretrain2d", rows=2, columns=2, plain=True).std() > 5


@pytest.mark.usefixtures("toys")
def test_one_process_and_two_write_the_same_bytes(tmp_path: Path) -> None:
    one, two = (content(rendered(tmp_path / str(n), workers=n)) for n in (1, 2))
    assert one == two
    other = content(rendered(tmp_path / "seed", seed=1))
    assert one["images/train/syn01/syn01_01/cam1_000000.jpg"] != other["images/train/syn01/syn01_01/cam1_000000.jpg"]


@pytest.mark.usefixtures("toys")
def test_a_render_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def kill(done: float, total: float, words: str) -> None:
        raise Killed

    folder = tmp_path / "killed"
    with pytest.raises(Killed):
        rendered(folder, progress=kill)
    parts = list((folder / ".parts").rglob("*.npz"))
    assert parts
    with pytest.raises(InputError, match="holds no complete render"):
        verify(folder)
    # Of what is not done there may be half of a file, and of what is done nothing is touched.
    finished = {path: path.stat().st_mtime_ns for path in (folder / "images").rglob("*.jpg")}
    for part in parts[1:]:
        part.unlink()
    kept = parts[0]
    mine = [path for path in finished if kept.stem.split("-")[1] in path.parts]
    others = [path for path in finished if path not in mine]
    for path in others:
        path.write_bytes(path.read_bytes()[:50])
    seen: list[tuple[float, float]] = []
    rendered(folder, progress=lambda done, total, words: seen.append((done, total)))
    assert seen == [(2, 3), (3, 3)]
    assert all(path.stat().st_mtime_ns == finished[path] for path in mine)
    assert content(folder) == content(rendered(tmp_path / "whole"))


@pytest.mark.usefixtures("toys")
def test_a_complete_folder_is_left_as_it_is(tmp_path: Path) -> None:
    rendered(tmp_path / "a")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*")}
    result = render(tmp_path / "a", size="tiny", pixels=PIXELS, motions="synthetic")
    assert (result.new, result.pictures) == (0, {"pretrain2d": 5, "train": 16})
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*")} == before


@pytest.mark.usefixtures("toys")
def test_a_folder_of_another_render_or_of_anything_else_is_refused(tmp_path: Path) -> None:
    folder = rendered(tmp_path / "a")
    with pytest.raises(InputError, match=r"a: holds another render, with seed 0 instead of 3; name another folder"):
        rendered(folder, seed=3)
    with pytest.raises(InputError, match="holds another render, with pixels 32 instead of 48"):
        rendered(folder, pixels=48)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.txt").touch()
    with pytest.raises(InputError, match="b: holds other files; name a new folder, or an empty one"):
        rendered(tmp_path / "b")
    (folder / "card.json").write_text("{")
    with pytest.raises(InputError, match=r"card\.json: is damaged"):
        rendered(folder)


@pytest.mark.usefixtures("toys")
def test_changed_and_missing_files_are_found(tmp_path: Path) -> None:
    folder = rendered(tmp_path / "a")
    pictures = sorted((folder / "images").rglob("*.jpg"))
    pictures[0].unlink()
    data = bytearray(pictures[1].read_bytes())
    data[-3] ^= 1
    pictures[1].write_bytes(data)
    wrong = verify(folder)
    assert len(wrong) == 2
    assert str(pictures[0]) in wrong[0]
    assert "is missing" in wrong[0]
    assert "differs" in wrong[1]


@pytest.mark.usefixtures("toys")
def test_a_truncated_motion_ends_in_one_sentence_and_keeps_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, clip_text({}, {}))
    path.write_text(path.read_text(encoding="utf-8").replace("Frames: 2", "Frames: 9"), encoding="utf-8")
    damaged = Clip("train", "cmu07", "07_12", 1, str(path))
    monkeypatch.setattr(writer, "clips_of", lambda *_, **__: [CLIPS[0], damaged])
    with pytest.raises(InputError, match=r"07_12\.bvh: .*the file ends after 2 frames, expected 9"):
        rendered(tmp_path / "a")
    assert [part.stem for part in (tmp_path / "a" / ".parts").rglob("*.npz")] == ["syn01-syn01_01"]


def test_a_full_disk_ends_in_one_sentence_and_leaves_nothing_that_counts_as_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("PIL")
    bodies = {"syn01": stick_body()}
    monkeypatch.setattr(writer, "_stage", (writer.Stage(Blank(PIXELS), bodies, 0), "jpg"))  # type: ignore[arg-type]
    real, calls = Path.write_bytes, []

    def full(path: Path, data: bytes) -> int:
        calls.append(path)
        if len(calls) == 4:
            real(path, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    message = r"out: cannot be written: No space left on device; make room or name another folder, and run it again"
    with pytest.raises(InputError, match=message):
        writer._render_clip(tmp_path / "out", CLIPS[0])
    assert not writer._is_done(tmp_path / "out", CLIPS[0])
    monkeypatch.setattr(Path, "write_bytes", real)
    assert writer._render_clip(tmp_path / "out", CLIPS[0]) == 8
    assert writer._is_done(tmp_path / "out", CLIPS[0])
    next((tmp_path / "out" / "images").rglob("*.jpg")).unlink()
    assert not writer._is_done(tmp_path / "out", CLIPS[0])


def test_lists_of_hashes_from_strangers_stay_inside_the_folder(tmp_path: Path) -> None:
    for name in ("/etc/passwd", "../other", "images/../../other", ""):
        (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  {name}\n")
        with pytest.raises(InputError, match="SHA256SUMS: line 1 is no SHA-256 with a file of this folder"):
            verify(tmp_path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"image_format": "gif"}, "image_format is 'gif', expected one of jpg, png"),
        ({"workers": 0}, "workers is 0, expected 1 or more"),
        ({"pixels": 8}, "pixels is 8, expected 16 to 4096"),
        ({"seed": -1}, "seed is -1, expected 0 or more"),
    ],
)
def test_arguments_are_checked_before_anything_is_made(tmp_path: Path, given, message) -> None:
    with pytest.raises(UsageError, match=message):
        rendered(tmp_path / "a", **given)
    assert not (tmp_path / "a").exists()


# ------------------------------------------------------------------------------------------------------------ licences


def test_what_derives_from_hdm05_says_so_and_cmu_is_named() -> None:
    sources = sources_of(["cmu02", "cmu08", "hdm05mm"])
    assert [(source["subjects"], source["database"]) for source in sources] == [
        (["cmu02", "cmu08"], "CMU Graphics Lab Motion Capture Database"),
        (["hdm05mm"], "HDM05"),
    ]
    card = {
        "splits": {"test": {"purpose": "test subjects", "sources": sources}},
        "body": {"package": "anny", "licence": "Apache-2.0", "attribution": "Anny"},
        "backgrounds": {"brick": {"file": "brick.png", "shows": "brick wall", "licence": "CC0"}},
    }
    text = licence_text(card)
    for words in (
        "mocap.cs.cmu.edu",
        "NSF EIA-0196217",
        "not to be resold",
        "CC BY-SA 3.0",
        "Universität Bonn",
        "brick.png",
    ):
        assert words in text
