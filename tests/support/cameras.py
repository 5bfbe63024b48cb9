"""Cameras placed by hand, and one independent writer for each kind of camera file.

The writers start from a `Placed` camera, which is built from where it stands and looks, not from what a reader returns.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation


@dataclass(frozen=True)
class Placed:
    """A camera in a world in metres with z up; the rows of `axes` are its x (right), y (down), z (forward) there."""

    name: str
    centre: np.ndarray
    axes: np.ndarray
    focal: tuple[float, float] = (1000.0, 1100.0)
    middle: tuple[float, float] = (500.0, 510.0)
    size: tuple[int, int] = (1000, 1020)
    dist: tuple[float, ...] = field(default=(-0.1, 0.02, 0.001, -0.002))

    @property
    def K(self) -> np.ndarray:  # noqa: N802
        return np.array([[self.focal[0], 0, self.middle[0]], [0, self.focal[1], self.middle[1]], [0, 0, 1]])

    @property
    def t(self) -> np.ndarray:
        """The world's origin as the camera has it."""
        return np.array([axis @ (np.zeros(3) - self.centre) for axis in self.axes])

    def sees(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) along the camera's axes, coordinate by coordinate."""
        away = points - self.centre
        return np.stack([(away * axis).sum(-1) for axis in self.axes], axis=-1)


def looking(name: str, centre, target, **changes) -> Placed:
    """A camera at `centre` that looks at `target`, the horizon level."""
    centre = np.asarray(centre, float)
    forward = np.asarray(target, float) - centre
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    return Placed(name, centre, np.array([right, np.cross(forward, right), forward]), **changes)


def ring(n: int = 4, radius: float = 5.0) -> list[Placed]:
    """Cameras on a circle, 1.5 m up, that look at a point 1 m above the origin."""
    angles = 2 * np.pi * np.arange(n) / n + 0.3
    return [
        looking(
            f"cam_{i + 1:02}", [radius * np.cos(a), radius * np.sin(a), 1.5], [0, 0, 1], focal=(900.0 + 10 * i, 950.0)
        )
        for i, a in enumerate(angles)
    ]


def own_json(cameras: list[Placed], unit: str | None = "m", factor: float = 1.0, **changes) -> dict:
    """posebench's own schema."""
    entries = [
        {
            "name": each.name, "K": each.K.tolist(), "dist": list(each.dist), "R": each.axes.tolist(),
            "t": (each.t * factor).tolist(), "size": list(each.size), **changes,
        }
        for each in cameras
    ]  # fmt: skip
    return {"cameras": entries} | ({} if unit is None else {"unit": unit})


def panoptic_json(cameras: list[Placed]) -> dict:
    """CMU Panoptic's calibration_*.json, in centimetres, which it does not say."""
    return {
        "calibDataSource": "by hand",
        "cameras": [
            {
                "name": each.name, "type": "hd", "resolution": list(each.size), "panel": 0, "node": i,
                "K": each.K.tolist(), "distCoef": [*each.dist, 0.003], "R": each.axes.tolist(),
                "t": [[100 * value] for value in each.t.tolist()],
            }
            for i, each in enumerate(cameras)
        ],
    }  # fmt: skip


def videopose3d_entry(camera: Placed) -> dict:
    """The facts of one camera as VideoPose3D's tables have them, in mm."""
    x, y, z, w = Rotation.from_matrix(camera.axes.T).as_quat()
    return {
        "id": camera.name, "center": list(camera.middle), "focal_length": list(camera.focal),
        "radial_distortion": [-0.2, 0.2, 0.0], "tangential_distortion": [0.0, 0.0], "res_w": camera.size[0],
        "res_h": camera.size[1], "azimuth": 70, "orientation": [w, x, y, z],
        "translation": (1000 * camera.centre).tolist(),
    }  # fmt: skip


def toml_text(cameras: list[Placed], metadata: str = "adjusted = false\nerror = 0.0") -> str:
    """A calibration.toml as anipose and Pose2Sim write it."""
    lines = []
    for i, each in enumerate(cameras):
        lines += [
            f"[cam_{i}]",
            f'name = "{each.name}"',
            f"size = [ {each.size[0]}.0, {each.size[1]}.0,]",
            f"matrix = {each.K.tolist()}",
            f"distortions = {list(each.dist)}",
            f"rotation = {Rotation.from_matrix(each.axes).as_rotvec().tolist()}",
            f"translation = {each.t.tolist()}",
            "fisheye = false",
            "",
        ]
    return "\n".join([*lines, "[metadata]", metadata, ""])


def qca_camera(camera: Placed, left: int = 0, top: int = 0) -> str:
    """One camera of a .qca.txt; the picture begins at (left, top) of the sensor."""
    x, y, z = camera.axes
    rows = np.array([x, -y, -z])  # Qualisys' cameras have y up and look along -z
    transform = " ".join(f'r{i + 1}{j + 1}="{float(rows[i, j])!r}"' for i in range(3) for j in range(3))
    place = " ".join(f'{axis}="{value!r}"' for axis, value in zip("xyz", (1000 * camera.centre).tolist(), strict=True))
    k1, k2, p1, p2 = camera.dist
    width, height = camera.size
    return (
        (
            f'<camera active="1" serial="{camera.name}">'
            f'<fov_video left="{left}" top="{top}" right="{left + width - 1}" bottom="{top + height - 1}"/>'
            f"<transform {transform} {place}/>"
            f'<intrinsic focalLengthU="{camera.focal[0] * 64}" focalLengthV="{camera.focal[1] * 64}" '
            f'centerPointU="{(camera.middle[0] + left) * 64}" centerPointV="{(camera.middle[1] + top) * 64}" '
            f'radialDistortion1="{k1 * 64}" radialDistortion2="{k2 * 64}" '
            f'tangentalDistortion1="{p1 * 64}" tangentalDistortion2="{p2 * 64}"/></camera>'
        )
        .replace("np.float64(", "")
        .replace(')"', '"')
    )


def qca_text(*cameras: str) -> str:
    """A .qca.txt around its cameras."""
    return f"<?xml version='1.0'?>\n<calibration><cameras>{''.join(cameras)}</cameras></calibration>"


def write_json(path: Path, data: object) -> Path:
    path.write_text(json.dumps(data), encoding="utf-8")
    return path
