"""Stick figures painted into pictures of several cameras, as a folder that `MultiViewSet` opens: what training learns.

Every joint is a dot of a colour of its own, so that even a small network finds it after a few steps.
"""

from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw

from posebench.datasets.open4v.labels import Views, write_labels
from posebench.datasets.room import room_cameras
from posebench.datasets.views import strip_labels
from posebench.skeletons import H36M17

#: A person who stands in the middle of the room, arms away from the body; mm, y up.
STANDING = np.array(
    [
        *([0, 950, 0], [-130, 940, 0], [-150, 520, 40], [-170, 90, 0], [130, 940, 0], [150, 520, 40], [170, 90, 0]),
        *([0, 1190, 0], [0, 1430, 0], [0, 1540, 90], [0, 1690, 20], [180, 1400, 0], [400, 1230, 0], [520, 1040, 120]),
        *([-180, 1400, 0], [-400, 1230, 0], [-520, 1040, 120]),
    ],
    float,
)
COLOURS = [tuple(int(255 * c) for c in colorsys.hsv_to_rgb(i / 17, 1, 1)) for i in range(17)]


def bodies(count: int, seed: int) -> np.ndarray:
    """World poses (count, 17, 3): turned about the vertical, every joint moved a little."""
    random = np.random.default_rng(seed)
    moved = STANDING + random.normal(0, 60, (count, 17, 3))
    angle = random.uniform(-np.pi, np.pi, count)
    turn = np.zeros((count, 3, 3))
    turn[:, 0, 0] = turn[:, 2, 2] = np.cos(angle)
    turn[:, 0, 2], turn[:, 2, 0], turn[:, 1, 1] = np.sin(angle), -np.sin(angle), 1
    return moved @ np.swapaxes(turn, 1, 2)


def paint(
    folder: Path, split: str, *, sequences: int = 4, frames: int = 3, cameras: int = 2, side: int = 64, seed: int = 0,
    flat: bool = False,
) -> Path:  # fmt: skip
    """Paint a split; subjects are p0 and p1 in turn. Without depth and cameras if it is flat."""
    rig = room_cameras(4)[:cameras]
    rows: dict[str, list] = {name: [] for name in Views.__dataclass_fields__}
    for number in range(sequences):
        for frame, body in enumerate(bodies(frames, 1000 * seed + number)):
            for camera in rig:
                pose = body @ camera.R.T + camera.t
                seen = pose @ camera.K.T
                pixels = seen[:, :2] / seen[:, 2:]
                low, high = pixels.min(0), pixels.max(0)
                width = 1.3 * (high - low).max()
                corner = (low + high - width) / 2
                scale = side / width
                crop = np.array([[scale, 0, -scale * corner[0] - 0.5], [0, scale, -scale * corner[1] - 0.5], [0, 0, 1]])
                joints = pixels @ crop[:2, :2].T + crop[:2, 2]
                name = f"images/{split}/s{number}/{camera.name}_{frame:06d}.png"
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                figure(joints, side).save(folder / name)
                values = (
                    name, f"p{number % 2}", "Walk", f"s{number}", camera.name, frame, joints, np.ones(17, bool),
                    [*joints.min(0), *joints.max(0)], [*corner, width], crop @ camera.K, camera.K, pose,
                    np.column_stack([camera.R, camera.t]),
                )  # fmt: skip
                for key, value in zip(rows, values, strict=True):
                    rows[key].append(value)
    arrays = {name: np.array(column) for name, column in rows.items()}
    if flat:
        del arrays["poses"], arrays["extrinsics"]
    (folder / "labels").mkdir(exist_ok=True)
    write_labels(Views(**arrays), folder / "labels", split, dataset="painted", fps=10.0)
    strip_labels(folder, folder)
    return folder


def figure(joints: np.ndarray, side: int) -> PIL.Image.Image:
    """A picture of joints (17, 2)."""
    picture = PIL.Image.new("RGB", (side, side), (40, 40, 40))
    draw = PIL.ImageDraw.Draw(picture)
    radius = max(1.5, side / 40)
    for child, parent in enumerate(H36M17.parents):
        if parent >= 0:
            draw.line([tuple(joints[parent]), tuple(joints[child])], fill=(120, 120, 120), width=2)
    for joint, colour in zip(joints, COLOURS, strict=True):
        draw.ellipse([*(joint - radius), *(joint + radius)], fill=colour)
    return picture
