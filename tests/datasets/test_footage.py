"""Videos, and the squares cut out of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posebench.cameras import Camera
from posebench.datasets.footage import Video, cut, fit_video, read_video, undistort_picture, video_facts
from posebench.datasets.open4v.scene import Crop
from posebench.errors import InputError, MissingExtraError

K = np.array([[200.0, 0, 95.0], [0, 210.0, 60.0], [0, 0, 1]])
#: Red is x, green is y.
RAMP = np.stack([*np.meshgrid(np.arange(200), np.arange(120)), np.zeros((120, 200))], -1).astype(np.uint8)


def camera(*dist: float, size: tuple[int, int] | None = (200, 120)) -> Camera:
    return Camera("cam", K, dist, np.eye(3), np.zeros(3), "mm", size)


def lens(x: np.ndarray, y: np.ndarray, k1: float, k2: float, p1: float, p2: float) -> tuple[np.ndarray, np.ndarray]:
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2**2
    across = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    return across, y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y


@pytest.mark.parametrize("dist", [(), (-0.2, 0.05, 0.003, -0.002)], ids=["pinhole", "lens"])
@pytest.mark.parametrize("pixels", [24, 80], ids=["smaller", "larger"])
def test_a_crops_intrinsics_say_which_ray_each_of_its_pixels_sees(dist, pixels: int) -> None:
    crop = Crop(50.3, 20.7, 60.0, pixels)
    found = cut(RAMP, camera(*dist), crop).astype(float)
    u, v = np.meshgrid(np.arange(pixels), np.arange(pixels))
    rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(crop.intrinsics(K)).T
    x, y = rays[..., 0], rays[..., 1]
    if dist:
        x, y = lens(x, y, *dist)
    # Colours are rounded to whole numbers.
    assert np.abs(found[..., 0] - (K[0, 0] * x + K[0, 2])).max() < 0.6
    assert np.abs(found[..., 1] - (K[1, 1] * y + K[1, 2])).max() < 0.6


def test_a_crop_beyond_the_picture_is_black_there() -> None:
    found = cut(np.full_like(RAMP, 200), camera(), Crop(-40.5, -0.5, 80, 40))
    assert (found[:, :20] == 0).all()
    assert (found[:, 20:] == 200).all()


def test_a_smaller_crop_is_the_mean_of_what_it_covers() -> None:
    stripes = np.zeros((120, 200, 3), np.uint8)
    stripes[:, ::2] = 100
    assert set(np.unique(cut(stripes, camera(), Crop(19.5, 19.5, 80, 20)))) == {50}


def test_an_undistorted_picture_has_the_same_intrinsics_without_the_lens() -> None:
    dist = (-0.2, 0.05, 0.003, -0.002)
    found = undistort_picture(RAMP, camera(*dist))
    x, y = lens((150 - 95) / 200, (30 - 60) / 210, *dist)
    assert found[30, 150, :2] == pytest.approx([200 * x + 95, 210 * y + 60], abs=0.6)


# Sizes


def video(width: int, height: int) -> Video:
    return Video(Path("cam.mp4"), width, height, 3, 60.0)


def test_a_video_of_the_calibrations_size_keeps_its_camera() -> None:
    fit = fit_video(video(200, 120), camera())
    assert (fit.scale, fit.down) == (1, 0)
    np.testing.assert_array_equal(fit.camera(camera(), (200, 120)).K, K)


def test_a_video_scaled_to_its_width_has_empty_rows_above_and_below() -> None:
    """1088 × 1920 fitted into 1080 × 1920: the corners of the picture lie on the edges of the frame's filled part."""
    calibrated = camera(size=(1088, 1920))
    fit = fit_video(video(1080, 1920), calibrated)
    rows = 1920 * 1080 / 1088
    corners = np.array([[-0.5, -0.5, 1], [1087.5, 1919.5, 1]]) @ np.linalg.inv(K).T
    moved = corners @ fit.camera(calibrated, (1080, 1920)).K.T
    expected = [[-0.5, (1920 - rows) / 2 - 0.5], [1079.5, (1920 + rows) / 2 - 0.5]]
    np.testing.assert_allclose(moved[:, :2], expected, atol=1e-9)


@pytest.mark.parametrize("size", [(100, 60), (100, 120), (200, 110), (400, 240), (120, 200)])
def test_a_calibration_for_another_resolution_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=r"cam.mp4: has frames of .* camera cam was calibrated for 200 × 120"):
        fit_video(video(*size), camera())


# Files


def encoded(path: Path, frames: int) -> Path:
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=60)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            picture = np.full((48, 64, 3), 40 * number, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def test_frames_come_one_by_one_in_order(tmp_path) -> None:
    path = encoded(tmp_path / "a.mp4", 5)
    facts = video_facts(path)
    assert (facts.width, facts.height, facts.frames, facts.fps) == (64, 48, 5, 60.0)
    levels = [frame.mean() for frame in read_video(path)]
    assert levels == pytest.approx([0, 40, 80, 120, 160], abs=8)


def test_a_truncated_video_is_one_sentence(tmp_path) -> None:
    path = encoded(tmp_path / "a.mp4", 5)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"a.mp4: (cannot be decoded|holds no video).*truncated"):
        list(read_video(path))


def test_a_video_that_ends_before_its_header_says_is_refused(tmp_path) -> None:
    path = encoded(tmp_path / "a.mp4", 5)
    content = path.read_bytes()
    start = content.index(b"mdat") + 4
    # The samples go, the index that promises five stays.
    path.write_bytes(
        content[: start + 40] + bytes(content.index(b"moov") - start - 44) + content[content.index(b"moov") - 4 :]
    )
    with pytest.raises(InputError, match=r"a.mp4: (ends after \d frames|cannot be decoded|frame \d is damaged)"):
        list(read_video(path))


def test_what_is_no_video_is_refused(tmp_path) -> None:
    pytest.importorskip("av")
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match=r"a.mp4: cannot be decoded"):
        video_facts(tmp_path / "a.mp4")


def test_without_av_the_extra_is_named(tmp_path, monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"package av: pip install .*\[data\]"):
        video_facts(tmp_path / "a.mp4")
