"""A small demonstration of Pose2Sim made up for tests: a body of known points, four cameras, the files of three wheels.

Everything is projected and written here by plain NumPy; nothing of posebench is used.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np

SIZE = (272, 480)
FRAMES = 3
VIDEOS = "Pose2Sim/Demo_SinglePerson"
POSE = "Pose2Sim/S01_Demo_SingleTrial/pose"
TRC = "Pose2Sim/Demo/opensim/Balancing_for_IK.trc"
#: BODY_25B as OpenPose orders it, with a place for each in a body that faces -y, in mm: x to its left, z up.
BODY = {
    "Nose": (0, -120, 1600), "LEye": (30, -110, 1640), "REye": (-30, -110, 1640), "LEar": (70, 0, 1620),
    "REar": (-70, 0, 1620), "LShoulder": (180, 0, 1400), "RShoulder": (-180, 0, 1400), "LElbow": (300, 20, 1150),
    "RElbow": (-300, 20, 1150), "LWrist": (320, -60, 920), "RWrist": (-320, -60, 920), "LHip": (110, 0, 900),
    "RHip": (-110, 0, 900), "LKnee": (120, -40, 490), "RKnee": (-120, -40, 490), "LAnkle": (120, 20, 90),
    "RAnkle": (-120, 20, 90), "UpperNeck": (0, -30, 1480), "HeadTop": (0, -20, 1750), "LBigToe": (130, -150, 30),
    "LSmallToe": (170, -130, 30), "LHeel": (120, 60, 30), "RBigToe": (-130, -150, 30), "RSmallToe": (-170, -130, 30),
    "RHeel": (-120, 60, 30),
}  # fmt: skip


def world(frame: int) -> np.ndarray:
    """The body (25, 3) in mm at a frame: it walks to its left."""
    return np.array(list(BODY.values()), float) + [40.0 * frame, 10.0 * frame, 0]


def rig() -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Name -> K, R, t of four cameras around the origin, which look at a point 900 mm above it."""
    found = {}
    for number, angle in enumerate((-60, -20, 100, 160), 1):
        a = np.radians(angle)
        place = np.array([3500 * np.cos(a), 3500 * np.sin(a), 1500 + 50.0 * number])
        forward = np.array([0, 0, 900.0]) - place
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        R = np.stack([right, np.cross(forward, right), forward])
        K = np.array([[400.0 + number, 0, 135.0], [0, 401.0 + number, 238.0], [0, 0, 1]])
        found[f"cam0{number}"] = K, R, -R @ place
    return found


def seen(points: np.ndarray, K: np.ndarray, R: np.ndarray, t: np.ndarray) -> np.ndarray:
    """World points (..., 3) as pixels (..., 2)."""
    inside = points @ R.T + t
    return inside[..., :2] / inside[..., 2:] * np.diag(K)[:2] + K[:2, 2]


def calibration(size: tuple[int, int] = SIZE) -> str:
    """As Qualisys writes it: pixels times 64, axes of a camera that looks along -z."""
    cameras = []
    for name, (K, R, t) in rig().items():
        rows, place = np.diag([1.0, -1, -1]) @ R, -R.T @ t
        turn = " ".join(f'r{i + 1}{j + 1}="{rows[i, j]!r}"' for i in range(3) for j in range(3)).replace(
            "np.float64", ""
        )
        where = " ".join(f'{axis}="{float(value)!r}"' for axis, value in zip("xyz", place, strict=True))
        lens = 'radialDistortion1="0" radialDistortion2="0" tangentalDistortion1="0" tangentalDistortion2="0"'
        cameras.append(
            f'<camera serial="{name}"><fov_video left="0" top="0" right="{size[0] - 1}" bottom="{size[1] - 1}"/>'
            f"<transform {turn.replace('(', '').replace(')', '')} {where}/>"
            f'<intrinsic focalLengthU="{K[0, 0] * 64}" focalLengthV="{K[1, 1] * 64}" '
            f'centerPointU="{K[0, 2] * 64}" centerPointV="{K[1, 2] * 64}" {lens}/></camera>'
        )
    return f"<calibration><cameras>{''.join(cameras)}</cameras></calibration>"


def detections(camera: str, frame: int, *, others: int = 0) -> dict:
    """What OpenPose writes: the person last, `others` before, who stand apart."""
    K, R, t = rig()[camera]
    people = []
    for number in range(others, -1, -1):
        pixels = seen(world(frame) + [900.0 * number, -400.0 * number, 0], K, R, t)
        people.append({"pose_keypoints_2d": np.column_stack([pixels, np.full(25, 0.9)]).reshape(-1).tolist()})
    return {"people": people}


def trc() -> str:
    """Three markers of the body in m, y up, frames from 1, 10 mm too high."""
    names = ("RHip", "LKnee", "Neck")
    joints = [list(BODY).index(name) for name in ("RHip", "LKnee", "UpperNeck")]
    lines = [
        "PathFileType\t4\t(X/Y/Z)\tdemo.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits",
        f"60\t60\t{FRAMES}\t3\tm",
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{n}" for n in (1, 2, 3) for axis in "XYZ"),
    ]
    for frame in range(FRAMES):
        points = world(frame)[joints] + [0, 0, 10.0]
        cells = [f"{value / 1000:.6f}" for x, y, z in points for value in (y, z, x)]
        lines.append("\t".join([str(frame + 1), f"{frame / 60:.4f}", *cells]))
    return "\n".join(lines) + "\n"


def parts() -> dict[str, dict[str, bytes]]:
    """Release -> file in its wheel -> content. The videos are no videos: only a decoder would see it."""
    videos = {f"{VIDEOS}/videos/{name}.mp4": f"video of {name}".encode() for name in rig()}
    pose = {
        f"{POSE}/{name}_json/{name}.{frame:04d}.json": json.dumps(
            detections(name, frame, others=2 if name in ("cam01", "cam02") else 0)
        ).encode()
        for name in rig()
        for frame in range(FRAMES)
    }
    return {
        "0.10.49": {
            **videos,
            f"{VIDEOS}/calibration/Calib.qca.txt": calibration().encode(),
            "pose2sim-0.10.49.dist-info/licenses/LICENSE": b"BSD 3-Clause License\n",
        },
        "0.8.4": {**pose, f"{POSE}/cam03_json/del_cam03.0001.json": b"left over"},
        "0.4.15": {TRC: trc().encode()},
    }


def write_folder(folder: Path) -> Path:
    """The demonstration unpacked, as `fetch` leaves it."""
    for release, files in parts().items():
        for name, content in files.items():
            path = folder / release / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return folder


def wheel_bytes(release: str) -> bytes:
    """A wheel of a release, with the metadata that a package client looks for and a file that nobody wants."""
    info = f"pose2sim-{release}.dist-info"
    files = {
        **parts()[release],
        "Pose2Sim/other.py": b"",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: pose2sim\nVersion: {release}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return held.getvalue()


def listing(files: dict[str, bytes]) -> str:
    """SHA-256 of the lines that sha256sum prints for some files, sorted by name."""
    lines = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def fake_wheels() -> list[dict[str, object]]:
    """The fields of the catalogue's wheels, for these files."""
    return [
        {
            "requirement": f"pose2sim=={release}",
            "file": f"pose2sim-{release}-py3-none-any.whl",
            "sha256": hashlib.sha256(wheel_bytes(release)).hexdigest(),
            "folders": tuple(files),
            "into": release,
            "listing": listing(files),
        }
        for release, files in parts().items()
    ]
