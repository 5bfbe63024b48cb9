"""A small room with cameras and people for tests of labels: exact, by plain NumPy, in memory or as a folder."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from model_zoo.epipolarpose.detections import Detections
from posebench.cameras import Camera
from posebench.datasets.open4v.labels import Views, write_labels
from posebench.datasets.open4v.scene import sample_rig
from posebench.datasets.views import MultiViewSet, UnlabelledView, strip_labels
from posebench.errors import PosebenchError

#: px: the size of the pictures.
SIZE = 256
#: Somebody with bent arms and a step forward, mm, y up; joints as H36M-17 has them.
_UPRIGHT = np.array(
    [
        *(
            (0, 950, 0),
            (-130, 940, 0),
            (-140, 520, 120),
            (-140, 80, 0),
            (130, 940, 0),
            (140, 520, -60),
            (150, 80, -200),
        ),
        *((0, 1180, 20), (0, 1430, 0), (0, 1530, 60), (0, 1650, 30)),
        *((160, 1400, 0), (220, 1130, -80), (240, 950, 150), (-160, 1400, 0), (-230, 1130, 60), (-200, 1050, 300)),
    ],
    float,
)


@dataclass(frozen=True, eq=False)
class Footage:
    """N pictures, one row each. Poses are in mm in the camera; joints in px of the picture."""

    subject: np.ndarray
    sequence: np.ndarray
    camera: np.ndarray
    frame: np.ndarray
    K: np.ndarray
    whole: np.ndarray
    R: np.ndarray
    t: np.ndarray
    poses: np.ndarray
    joints: np.ndarray

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, rows: np.ndarray | Sequence[int]) -> Footage:
        return Footage(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def without(self, sequence: str, camera: str, frame: int) -> Footage:
        gone = (self.sequence == sequence) & (self.camera == camera) & (self.frame == frame)
        assert gone.sum() == 1
        return self.take(np.flatnonzero(~gone))

    def row(self, camera: str, frame: int = 0) -> int:
        """The picture of a camera and a frame, where there is one sequence."""
        (found,) = np.flatnonzero((self.camera == camera) & (self.frame == frame))
        return int(found)

    def with_joint(self, frame: int, joint: int, world: np.ndarray) -> Footage:
        """With one joint of an instant put elsewhere, as all cameras project it, even if it lies behind them."""
        poses, joints = self.poses.copy(), self.joints.copy()
        for row in np.flatnonzero(self.frame == frame):
            poses[row, joint] = self.R[row] @ world + self.t[row]
            seen = self.K[row] @ poses[row, joint]
            joints[row, joint] = seen[:2] / seen[2]
        return replace(self, poses=poses, joints=joints)

    def view(self, *, with_extrinsics: bool = False) -> UnlabelledView:
        ids = np.char.add(np.char.add(self.subject, "/"), self.sequence)
        poses = (self.R, self.t) if with_extrinsics else (None, None)
        return UnlabelledView(
            lambda index: np.zeros((SIZE, SIZE, 3), np.uint8), ids, self.camera, self.frame, self.K, *poses
        )

    def found(self, noise: float = 0.0, seed: int = 0) -> Detections:
        """The joints, with noise in px of the pictures."""
        points = self.joints + noise * np.random.default_rng(seed).normal(size=self.joints.shape)
        return Detections(points, np.ones(points.shape[:2]), "the room")

    def write(self, folder: Path, split: str = "train", *, flat: bool = False) -> MultiViewSet:
        """As a folder with pictures, labels and the index without labels; flat: with labels in 2D alone."""
        import PIL.Image

        n = len(self)
        images = [
            f"images/{split}/{row[0]}_{row[1]}_{row[2]}_{row[3]}.png"
            for row in zip(self.subject, self.sequence, self.camera, self.frame, strict=True)
        ]
        views = Views(
            image=np.array(images), subject=self.subject, action=np.full(n, "Walk"), sequence=self.sequence,
            camera=self.camera, frame=self.frame, joints=self.joints, visible=np.ones((n, 17), np.bool_),
            box=np.tile([0.0, 0, SIZE, SIZE], (n, 1)), crop=np.zeros((n, 3)), intrinsics=self.K,
            camera_intrinsics=self.whole, poses=None if flat else self.poses,
            extrinsics=None if flat else np.concatenate([self.R, self.t[..., None]], axis=2),
        )  # fmt: skip
        (folder / "labels").mkdir(parents=True, exist_ok=True)
        (folder / "images" / split).mkdir(parents=True, exist_ok=True)
        write_labels(views, folder / "labels", split, dataset="open4v", fps=10.0)
        for row, name in enumerate(images):
            PIL.Image.fromarray(np.full((8, 8, 3), row % 256, np.uint8)).save(folder / name)
        strip_labels(folder, folder)
        return MultiViewSet(folder, split)


def rig(n: int = 4, seed: int = 0) -> list[Camera]:
    """Neighbouring cameras in a room; two of them stand at corners that are next to each other."""
    return sample_rig(np.random.default_rng(seed), n=max(n, 3 if n == 3 else 4))[:n]


def standing(n: int, seed: int = 0) -> np.ndarray:
    """Poses (n, 17, 3) of the world in mm: upright, each of its own shape, facing and place in the room."""
    rng = np.random.default_rng(seed)
    poses = np.empty((n, 17, 3))
    for pose in poses:
        angle, (x, z) = rng.uniform(0, 2 * np.pi), rng.uniform(-800, 800, 2)
        turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        pose[:] = (_UPRIGHT + rng.normal(0, 70, (17, 3))) @ turn.T + [x, 0, z]
    return poses


def footage(
    sequences: Mapping[str, np.ndarray] | None = None,
    *,
    cameras: Sequence[Camera] | Mapping[str, Sequence[Camera]] | None = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
) -> Footage:
    """What cameras see of sequences: "subject/sequence" -> poses (n, 17, 3) of the world.

    Every picture is a crop with intrinsics of its own. A rig for each subject, or one for all; rows are shuffled.
    """
    sequences = {"S1/walk": standing(12)} if sequences is None else sequences
    rng = np.random.default_rng([seed, 99])
    rows = []
    for name, poses in sequences.items():
        subject, _, sequence = name.partition("/")
        given = rig() if cameras is None else cameras[subject] if isinstance(cameras, Mapping) else cameras
        for frame, world in enumerate(poses):
            for number, camera in enumerate(given):
                pose = np.array([camera.R @ joint + camera.t for joint in world])
                pixels = np.array([(camera.K @ joint)[:2] / joint[2] for joint in pose])
                # A square of the camera's picture about the person, drawn with SIZE px.
                side = 1.2 * np.ptp(pixels, axis=0).max() * rng.uniform(1, 1.3)
                left, top = pixels.mean(axis=0) - side / 2
                scale = SIZE / side
                K = np.array([[scale, 0, -scale * left - 0.5], [0, scale, -scale * top - 0.5], [0, 0, 1]]) @ camera.K
                joints = np.array([(K @ joint)[:2] / joint[2] for joint in pose])
                rows.append(
                    (subject, sequence, camera.name if names is None else names[number], frame, K, camera.K, camera.R,
                     camera.t, pose, joints)
                )  # fmt: skip
    order = rng.permutation(len(rows))
    return Footage(*(np.array(column)[order] for column in zip(*rows, strict=True)))


def lifted(uvw: np.ndarray, K: np.ndarray, depth: float) -> np.ndarray:
    """One pose (17, 3) in the camera out of pixels and relative depths, joint by joint."""
    f = np.sqrt(K[0, 0] * K[1, 1])
    pose = np.full((len(uvw), 3), np.nan)
    for joint, (u, v, w) in enumerate(uvw):
        z = depth * (1 + w / f)
        pose[joint] = [(u - K[0, 2]) / K[0, 0] * z, (v - K[1, 2]) / K[1, 1] * z, z]
    return pose


def rewritten(path: Path, **changes: np.ndarray | None) -> Path:
    """The file with other arrays; None takes one away."""
    with np.load(path) as held:
        arrays = {**held, **changes}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """One to four bytes changed: of the archive, or of a member, which is then packed with the right checksum."""

    def spoilt(content: bytes) -> bytes:
        changed = bytearray(content)
        where = rng.integers(min(len(changed), 200) if rng.random() < 0.5 else len(changed), size=rng.integers(1, 5))
        for place in where.tolist():
            changed[place] = int(rng.integers(256))
        return bytes(changed)

    if rng.random() < 0.5:
        return spoilt(data)
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as held, zipfile.ZipFile(packed, "w") as out:
        chosen = int(rng.integers(len(held.namelist())))
        for number, name in enumerate(held.namelist()):
            out.writestr(name, spoilt(held.read(name)) if number == chosen else held.read(name))
    return packed.getvalue()


def refusals(good: Path, read: Callable[[Path], object], *, seed: int) -> int:
    """How many of two thousand damaged copies of a file are refused by an error of the project; others are raised."""
    data, rng, refused = good.read_bytes(), np.random.default_rng(seed), 0
    bad = good.with_name("bad.npz")
    for _ in range(2000):
        bad.write_bytes(damaged(data, rng))
        try:
            read(bad)
        except PosebenchError:
            refused += 1
    return refused
