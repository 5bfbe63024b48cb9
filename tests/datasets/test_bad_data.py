"""Damaged and contradictory data: each is one sentence, before a wrong number or a traceback comes of it."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from posebench.cameras import read_cameras
from posebench.datasets import pose2sim
from posebench.datasets.fetching import unpack
from posebench.datasets.footage import Video, fit_video, read_picture, read_video
from posebench.datasets.h36m import read_h36m_cameras
from posebench.datasets.mpi_inf_3dhp import read_3dhp_calibration, read_3dhp_train
from posebench.errors import InputError
from tests.datasets.test_mpi_inf_3dhp import annotations, sequence
from tests.support.matlab import save5
from tests.support.pose2sim import FRAMES, SIZE, write_folder

NOISE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


# Pictures and videos


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_that_is_cut_off_anywhere_is_one_sentence_or_whole(tmp_path: Path, kind: str) -> None:
    image = pytest.importorskip("PIL.Image")
    with io.BytesIO() as buffer:
        image.fromarray(NOISE[:4, :4]).save(buffer, format=kind)
        content = buffer.getvalue()
    path = tmp_path / "a.img"
    path.write_bytes(content)
    whole = read_picture(path)
    refused = 0
    for size in range(len(content)):
        path.write_bytes(content[:size])
        try:
            # What comes behind a .png file's last row is checksums and the mark of its end.
            np.testing.assert_array_equal(read_picture(path), whole)
        except InputError as error:
            assert "a.img: is no whole picture" in str(error)
            refused += 1
    assert refused >= len(content) - 20


def encoded(path: Path) -> bytearray:
    """Twelve frames of noise, each of which depends on the one before."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=60)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(np.roll(NOISE, number, axis=0), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return bytearray(path.read_bytes())


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7])
def test_a_hole_in_a_video_is_not_filled_with_guesses(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.mp4"
    content = encoded(path)
    start = content.index(b"mdat") + 8
    hole = start + int(share * (content.index(b"moov") - start))
    content[hole : hole + 150] = bytes(150)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a.mp4: (frame \d+ is damaged|cannot be decoded at frame \d+)"):
        list(read_video(path))


def test_a_video_that_is_cut_off_within_its_last_frame_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    content = encoded(path)
    # The index at the end goes, and some bytes of the last frame.
    path.write_bytes(content[: content.rindex(b"idx1") - 10])
    with pytest.raises(InputError, match=r"a.avi: is cut off within a frame; it is truncated"):
        list(read_video(path))


def test_a_video_of_an_unknown_coding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    content = encoded(path)
    # The index breaks off before it describes the samples.
    path.write_bytes(content[: content.index(b"stsd")])
    with pytest.raises(InputError, match=r"a.mp4: does not say how its frames are coded"):
        list(read_video(path))


@pytest.mark.parametrize("size", ["[1920.0, 1080.0]", "[640.0, 480.0]"])
def test_a_toml_calibration_of_another_resolution_does_not_fit_a_video(tmp_path: Path, size: str) -> None:
    path = tmp_path / "calibration.toml"
    path.write_text(
        f'[cam_0]\nname = "a"\nsize = {size}\n'
        "matrix = [[1000.0, 0.0, 640.0], [0.0, 1000.0, 360.0], [0.0, 0.0, 1.0]]\n"
        "distortions = [0.0, 0.0, 0.0, 0.0]\nrotation = [0.0, 0.0, 0.0]\ntranslation = [0.0, 0.0, 3.0]\n"
    )
    (camera,) = read_cameras(path).values()
    with pytest.raises(InputError, match=r"a.mp4: has frames of 1280 × 720 px, but camera a was calibrated for"):
        fit_video(Video(Path("a.mp4"), 1280, 720, 10, 60.0), camera)


# Annotations


@pytest.mark.parametrize("wrong", [10**400, "0.5", None, float("nan")], ids=["huge", "text", "null", "nan"])
def test_a_detection_that_is_no_number_is_refused(tmp_path: Path, wrong: object) -> None:
    path = tmp_path / "cam01.0000.json"
    path.write_text(json.dumps({"people": [{"pose_keypoints_2d": [wrong] + [0.5] * 74}]}))
    with pytest.raises(InputError, match=r"cam01\.0000\.json: (expected OpenPose's people|holds a number)"):
        pose2sim.read_detections(tmp_path, "cam01")


@pytest.mark.parametrize("wrong", [np.nan, 2.5])
def test_frames_that_have_no_number_are_refused(tmp_path: Path, wrong: float) -> None:
    held = annotations()
    held["frames"][3] = wrong
    sequence(tmp_path, held, save=save5)
    with pytest.raises(InputError, match="frame"):
        read_3dhp_train(tmp_path)


CALIBRATION = """Skeletool Camera Calibration File V1.0
name          0
  sensor      10 10
  size        2048 2048
  animated    0
  intrinsic   1500 0 1024 0 0 1500 1024 0 0 0 1 0 0 0 0 1
  extrinsic   1 0 0 0 0 1 0 0 0 0 1 3000 0 0 0 1
  radial      0
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name          0", "name nan", "no line 'name' with 1 numbers"),
        ("name          0", "name 1.5", "the camera's name is 1.5, expected whole numbers"),
        ("name          0", "name -1", "the camera's name is -1, expected whole numbers"),
        ("name          0", "name 1_0", "no line 'name' with 1 numbers"),
        ("2048 2048", "inf 2048", "no line 'size' with 2 numbers"),
        ("2048 2048", "-5 2048", "the camera's size is -5 2048, expected whole numbers"),
        ("3000", "nan", "no line 'extrinsic' with 16 numbers"),
        ("radial      0", "radial nan", "no line 'radial' with 1 numbers"),
    ],
)
def test_a_calibration_with_numbers_that_cannot_be_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "camera.calibration"
    path.write_text(CALIBRATION)
    assert list(read_3dhp_calibration(path)) == ["Cam0"]
    path.write_text(CALIBRATION.replace(old, new))
    with pytest.raises(InputError, match=f"camera.calibration: before line 9: .*{said}"):
        read_3dhp_calibration(path)


@pytest.mark.parametrize("wrong", ["nan", "inf", "1e400", "1_0"])
def test_metadata_with_something_else_than_numbers_is_refused(tmp_path: Path, wrong: str) -> None:
    numbers = ["0"] * 264 + ["1145", "1143", "512", "515", "0", "0", "0", "0", "0"] * 4
    path = tmp_path / "metadata.xml"
    path.write_text(f"<w0>[{' '.join(numbers)}]</w0>")
    assert len(read_h36m_cameras(path)) == 28
    for place in (0, 264):
        path.write_text(f"<w0>[{' '.join([*numbers[:place], wrong, *numbers[place + 1 :]])}]</w0>")
        with pytest.raises(InputError, match=r"metadata.xml: element w0 holds something other than numbers"):
            read_h36m_cameras(path)


# Archives


def archive(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


@pytest.mark.parametrize("members", [{"a": b"1", "a/b": b"2"}, {"a/b/c": b"1", "a": b"2"}])
def test_a_name_that_is_a_file_and_a_folder_is_refused_before_anything_is_written(tmp_path: Path, members) -> None:
    path = archive(tmp_path / "a.whl", members)
    with pytest.raises(InputError, match=r"a.whl: holds 'a' as a file and as a folder; nothing was unpacked"):
        unpack(path, tmp_path / "out", lambda name: True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_with_any_damaged_byte_is_whole_or_one_sentence(tmp_path: Path, method: int) -> None:
    path = archive(tmp_path / "a.whl", {"a": bytes(range(256)) * 2}, method)
    content = path.read_bytes()
    refused = 0
    for place in range(0, len(content), 5):
        damaged = bytearray(content)
        damaged[place] ^= 0x24
        path.write_bytes(damaged)
        try:
            unpack(path, tmp_path / str(place), lambda name: True)
        except InputError as error:
            assert str(error).startswith("a.whl: ")
            refused += 1
    assert refused > 20


# A folder of crops


@pytest.fixture
def demonstration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of Pose2Sim, whose videos are black."""
    monkeypatch.setattr(pose2sim, "video_facts", lambda path: Video(Path(path), *SIZE, FRAMES, 60.0))
    monkeypatch.setattr(pose2sim, "read_video", lambda path: iter(np.zeros((FRAMES, SIZE[1], SIZE[0], 3), np.uint8)))
    return write_folder(tmp_path / "pose2sim")


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_crops_that_a_killed_process_left_half_do_not_count(demonstration: Path, tmp_path: Path) -> None:
    pose2sim.prepare(tmp_path / "whole", folder=demonstration, pixels=16)
    for folder in (".", "labels", "images/real/P00/demo"):
        (tmp_path / "killed" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "killed" / folder / ".0123456789ab.jpg").write_bytes(b"half")
    pose2sim.prepare(tmp_path / "killed", folder=demonstration, pixels=16)
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


def test_a_list_of_hashes_does_not_outlive_what_it_lists(demonstration: Path, tmp_path: Path, monkeypatch) -> None:
    pose2sim.prepare(tmp_path / "out", folder=demonstration, pixels=16)
    monkeypatch.setattr(pose2sim, "read_video", lambda path: iter(()))
    with pytest.raises(InputError, match="has 0 frames, but there are detections of 3"):
        pose2sim.prepare(tmp_path / "out", folder=demonstration, pixels=24)
    assert not (tmp_path / "out" / "SHA256SUMS").exists()


def test_crops_are_not_written_over_a_file(demonstration: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("thesis")
    with pytest.raises(InputError, match="out: is a file; name a new folder"):
        pose2sim.prepare(tmp_path / "out", folder=demonstration, pixels=16)
    assert (tmp_path / "out").read_text() == "thesis"
