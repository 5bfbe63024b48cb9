"""Small copies of Human3.6M, MPI-INF-3DHP and MPII for tests: a body that walks, and a white dot painted at one joint.

Where the dot is comes from the lens' formulas written out here in NumPy; nothing of posebench is used. In frame n it is
at joint n of H36M-17 (modulo 17), so that every label can be held against what a picture shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np
import PIL.Image
from scipy.spatial.transform import Rotation

from tests.support.cameras import Placed, looking
from tests.support.matlab import save5, save73

#: H36M-17 in a body that faces -y, in mm: x to its left, z up.
BODY = {
    "pelvis": (0, 0, 900), "RHip": (-110, 0, 900), "RKnee": (-120, -40, 490), "RAnkle": (-120, 20, 90),
    "LHip": (110, 0, 900), "LKnee": (120, -40, 490), "LAnkle": (120, 20, 90), "spine": (0, 0, 1150),
    "thorax": (0, 0, 1400), "nose": (0, -30, 1480), "head": (0, -20, 1750), "LShoulder": (180, 0, 1400),
    "LElbow": (300, 20, 1150), "LWrist": (320, -60, 920), "RShoulder": (-180, 0, 1400), "RElbow": (-300, 20, 1150),
    "RWrist": (-320, -60, 920),
}  # fmt: skip
JOINTS = tuple(BODY)
#: Places of H36M-17 among Human3.6M's 32 joints.
IN_32 = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
#: What MPI-INF-3DHP's test set calls the same points, in its order, and their places among the 28, from 1.
IN_3DHP = ("head", "thorax", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist", "RHip", "RKnee") + (
    *("RAnkle", "LHip", "LKnee", "LAnkle", "pelvis", "spine", "nose"),
)
RELEVANT = [8, 6, 15, 16, 17, 10, 11, 12, 24, 25, 26, 19, 20, 21, 5, 4, 7]
#: The same in MPII's order, whose upper neck is the nose of H36M-17.
IN_MPII = ("RAnkle", "RKnee", "RHip", "LHip", "LKnee", "LAnkle", "pelvis", "thorax", "nose", "head", "RWrist") + (
    *("RElbow", "RShoulder", "LShoulder", "LElbow", "LWrist"),
)
H36M_CAMERAS = ("54138969", "55011271", "58860488", "60457274")
H36M_SIZES = ((1000, 1002), (1000, 1000), (1000, 1000), (1000, 1002))
CHEST = (0, 2, 4, 7, 8)


def world(frame: int) -> np.ndarray:
    """The body (17, 3) in mm at a frame."""
    return np.array(list(BODY.values()), float) + [60.0 * frame - 100, 30.0 * frame, 0]


def places(names: Iterable[str]) -> list[int]:
    return [JOINTS.index(name) for name in names]


def seen(camera: Placed, points: np.ndarray, k3: float = 0.0) -> np.ndarray:
    """World points (..., 3) in mm as pixels (..., 2), lens included."""
    inside = camera.sees(points / 1000)
    x, y = inside[..., 0] / inside[..., 2], inside[..., 1] / inside[..., 2]
    k1, k2, p1, p2 = camera.dist
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    bent_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    bent_y = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    return np.stack([camera.focal[0] * bent_x + camera.middle[0], camera.focal[1] * bent_y + camera.middle[1]], -1)


def dot(size: tuple[int, int], pixel: np.ndarray, sigma: float) -> np.ndarray:
    """A black picture (H, W, 3) with a round white dot whose middle is at a pixel, fractions included."""
    x, y = (
        np.exp(-((np.arange(size[0]) - pixel[0]) ** 2) / 2 / sigma**2),
        np.exp(-((np.arange(size[1]) - pixel[1]) ** 2) / 2 / sigma**2),
    )
    return np.repeat(np.rint(255 * y[:, None] * x)[..., None], 3, axis=-1).astype(np.uint8)


def centroid(picture: np.ndarray) -> np.ndarray:
    """Where the dot of a picture is, in px."""
    bright = picture.astype(float).mean(-1)
    bright[bright < 60] = 0
    rows, columns = np.indices(bright.shape)
    return np.array([(columns * bright).sum(), (rows * bright).sum()]) / bright.sum()


def write_video(path: Path, pictures: Iterable[np.ndarray], fps: int = 50) -> Path:
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = None
        for picture in pictures:
            if stream is None:
                stream = container.add_stream("mpeg4", rate=fps)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt, stream.bit_rate = "yuv420p", 20_000_000
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


# ---------------------------------------------------------------------------------------------------------- Human3.6M


def h36m_cameras() -> list[Placed]:
    """Four on a circle of 5 m, with a lens like that of the release."""
    angles = np.radians([20, 110, 200, 290])
    return [
        looking(
            name, [5 * np.cos(a), 5 * np.sin(a), 1.6], [0, 0, 1], focal=(1145.0, 1143.0 + i), middle=(512.5 + i, 515.5),
            size=size, dist=(-0.207, 0.247, -0.0014, -0.00098),
        )
        for i, (name, size, a) in enumerate(zip(H36M_CAMERAS, H36M_SIZES, angles, strict=True))
    ]  # fmt: skip


def metadata_xml(cameras: list[Placed]) -> str:
    """The element w0, the same cameras for all eleven subjects; k3 is 0."""
    placed = [[*Rotation.from_matrix(each.axes).as_euler("XYZ"), *(1000 * each.centre)] for each in cameras]
    lenses = [
        [*each.focal, *each.middle, each.dist[0], each.dist[1], 0.0, each.dist[2], each.dist[3]] for each in cameras
    ]
    numbers = [float(n) for place in placed for _ in range(11) for n in place] + [
        float(n) for row in lenses for n in row
    ]
    return f"<metadata><w0>[{' '.join(map(repr, numbers))}]</w0></metadata>"


def write_h36m(root: Path, *clips: tuple[str, str], frames: int = 3, video_frames: int | None = None) -> Path:
    """World poses in the layout h5, metadata.xml, and a video of each camera."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "metadata.xml").write_text(metadata_xml(h36m_cameras()))
    for subject, sequence in clips:
        write_positions(root, subject, sequence, np.stack([world(frame) for frame in range(frames)]))
        for camera in h36m_cameras():
            pictures = (
                dot(camera.size, seen(camera, world(frame))[frame % 17], 6)
                for frame in range(frames if video_frames is None else video_frames)
            )
            write_video(root / subject / "Videos" / f"{sequence}.{camera.name}.mp4", pictures)
    return root


def write_positions(root: Path, subject: str, sequence: str, poses: np.ndarray) -> None:
    path = root / subject / "MyPoses" / "3D_positions" / f"{sequence}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = np.zeros((len(poses), 32, 3))
    rows[:, IN_32] = poses
    with h5py.File(path, "w") as file:
        file["3D_positions"] = rows.reshape(len(poses), 96).T


# ------------------------------------------------------------------------------------------------------ MPI-INF-3DHP


def dhp_camera(number: int) -> Placed:
    """One of fourteen on a circle, without distortion, with small pictures."""
    a = np.radians(25.7 * number)
    return looking(
        f"Cam{number}", [4 * np.cos(a), 4 * np.sin(a), 1.4], [0, 0, 1], focal=(300.0, 301.0), middle=(160.0, 158.0),
        size=(320, 320), dist=(0.0, 0.0, 0.0, 0.0),
    )  # fmt: skip


def cell(items: list[np.ndarray]) -> np.ndarray:
    array = np.empty(len(items), object)
    for i, item in enumerate(items):
        array[i] = item
    return array


def write_3dhp_train(root: Path, frames: int = 3, first: int = 0, lost: tuple[int, int] | None = None) -> Path:
    """S1/Seq1: annot.mat, camera.calibration, and videos of the chest cameras; frames are numbered from `first`.

    A camera and a row that are `lost` have no coordinates.
    """
    folder = root / "S1" / "Seq1"
    folder.mkdir(parents=True)
    cells, lines = [], ["Skeletool Camera Calibration File V1.0"]
    for number in range(14):
        camera = dhp_camera(number)
        rows = np.zeros((frames, 28, 3))
        for frame in range(frames):
            rows[frame, np.array(RELEVANT) - 1] = 1000 * camera.sees(world(frame)[places(IN_3DHP)] / 1000)
        if lost is not None and number == lost[0]:
            rows[lost[1]] = np.nan
        cells.append(rows.reshape(frames, 84))
        K, E = np.eye(4), np.eye(4)
        K[:3, :3], E[:3, :3], E[:3, 3] = camera.K, camera.axes, 1000 * camera.t
        lines += [f"name {number}", "  sensor 10 10", "  size 320 320", "  animated 0"]
        lines += [
            f"  {word} " + " ".join(repr(float(n)) for n in M.ravel())
            for word, M in (("intrinsic", K), ("extrinsic", E))
        ]
        lines.append("  radial 0")
        if number in CHEST:
            pictures = (dot((320, 320), seen(camera, world(frame))[frame % 17], 4) for frame in range(frames))
            write_video(folder / "imageSequence" / f"video_{number}.avi", pictures, 25)
    (folder / "camera.calibration").write_text("\n".join(lines) + "\n")
    numbers = np.arange(first, first + frames, dtype=float)[:, None]
    save5(folder / "annot.mat", {"annot3": cell(cells), "univ_annot3": cell(cells),
                                 "cameras": np.arange(14, dtype=np.uint8)[None], "frames": numbers})  # fmt: skip
    return root


def write_3dhp_test(root: Path, name: str = "TS1", frames: int = 12, off: float = 0.0) -> Path:
    """annot_data.mat of version 7.3 and pictures; frames 0 and 2 are not valid. `off` moves every other joint."""
    folder = root / name
    (folder / "imageSequence").mkdir(parents=True)
    camera = dhp_camera(1)
    bodies = np.stack([world(frame % 4) for frame in range(frames)])
    points = 1000 * camera.sees(bodies[:, places(IN_3DHP)] / 1000)
    pixels = seen(camera, bodies[:, places(IN_3DHP)])
    pixels[:, ::2] += off
    for frame in range(frames):
        picture = dot(camera.size, seen(camera, bodies[frame])[frame % 17], 4)
        PIL.Image.fromarray(picture).save(folder / "imageSequence" / f"img_{frame + 1:06d}.jpg", quality=95)
    valid = np.ones((frames, 1))
    valid[[0, 2]] = 0
    save73(folder / "annot_data.mat", {
        "annot2": pixels.transpose(2, 1, 0)[:, :, None], "annot3": points.transpose(2, 1, 0)[:, :, None],
        "univ_annot3": 1.1 * points.transpose(2, 1, 0)[:, :, None], "valid_frame": valid,
        "activity_annotation": np.full((frames, 1), 2.0),
    })  # fmt: skip
    return root


# --------------------------------------------------------------------------------------------------------------- MPII


def mpii_points() -> np.ndarray:
    """MPII's 16 joints (16, 2) of the first body in a picture, counted from 0."""
    return seen(dhp_camera(3), world(0))[places(IN_MPII)]


def write_mpii(root: Path, images: list[str], **changes: object) -> Path:
    """train.json with one person per image, elbows not annotated; the dot is at joint n of MPII in image n."""
    (root / "images").mkdir(parents=True)
    items = []
    for number, name in enumerate(images):
        points = mpii_points()
        known = [0 if joint in ("RElbow", "LElbow") else 1 for joint in IN_MPII]
        joints = [point if there else [-1, -1] for point, there in zip((points + 1).tolist(), known, strict=True)]
        items.append(
            {"image": name, "center": [161.0, 171.0], "scale": 0.9, "joints": joints, "joints_vis": known} | changes
        )
        if ".." not in name:
            PIL.Image.fromarray(dot((320, 320), points[number], 4)).save(root / "images" / name, quality=95)
    (root / "train.json").write_text(json.dumps(items))
    return root
