"""A stick figure for tests of Open4V: a body of boxes with round numbers, and what stands in for the renderer."""

from __future__ import annotations

import numpy as np

from posebench.datasets.open4v.body import Body

#: Bone, parent, where it begins (mm, y up), and where its box ends.
STICKS = (
    ("Hips", None, (0, 950, 0), (0, 1000, 0)),
    ("LowerBack", "Hips", (0, 1000, 0), (0, 1120, 0)),
    ("Spine", "LowerBack", (0, 1120, 0), (0, 1240, 0)),
    ("Spine1", "Spine", (0, 1240, 0), (0, 1420, 0)),
    ("Neck", "Spine1", (0, 1440, 0), (0, 1480, 0)),
    ("Neck1", "Neck", (0, 1480, 0), (0, 1520, 0)),
    ("Head", "Neck1", (0, 1540, 0), (0, 1700, 0)),
    *(
        (f"{side}{bone}", parent if parent in ("Hips", "Spine1") else f"{side}{parent}", at(x), at(end))
        for side, sign in (("Left", 1), ("Right", -1))
        for at in [lambda point, sign=sign: (sign * point[0], *point[1:])]
        for bone, parent, x, end in (
            ("UpLeg", "Hips", (90, 900, 0), (110, 500, 20)),
            ("Leg", "UpLeg", (110, 500, 20), (130, 80, 0)),
            ("Foot", "Leg", (130, 80, 0), (130, 30, 120)),
            ("ToeBase", "Foot", (130, 30, 120), (130, 20, 180)),
            ("Shoulder", "Spine1", (20, 1400, 0), (150, 1400, 0)),
            ("Arm", "Shoulder", (170, 1400, 0), (350, 1200, 0)),
            ("ForeArm", "Arm", (350, 1200, 0), (500, 1050, 100)),
            ("Hand", "ForeArm", (500, 1050, 100), (540, 1000, 130)),
            ("FingerBase", "Hand", (540, 1000, 130), (570, 960, 150)),
        )
    ),
)
#: Half the width of a stick, mm.
WIDTH = 20.0


def stick_body(scale: float = 1.0) -> Body:
    """The body; its head is an octahedron, the tip of which in front is the nose and the one on top the crown."""
    bones = tuple(name for name, *_ in STICKS)
    vertices, faces, owners = [], [], []
    for number, (name, _, start, end) in enumerate(STICKS):
        points, triangles = octahedron() if name == "Head" else box(np.array(start, float), np.array(end, float))
        faces.append(triangles + sum(map(len, vertices)))
        vertices.append(points)
        owners += [number] * len(points)
    head = owners.index(bones.index("Head"))
    weights = np.eye(len(bones))[owners]
    return Body(
        vertices=np.concatenate(vertices) * scale,
        faces=np.concatenate(faces).astype(np.int32),
        bones=bones,
        parents=tuple(-1 if parent is None else bones.index(parent) for _, parent, *_ in STICKS),
        heads=np.array([start for *_, start, _ in STICKS], float) * scale,
        weights=weights,
        nose=head + 4,
        crown=head + 2,
        eyes=np.zeros(len(owners), np.bool_),
    )


def octahedron(
    centre: tuple[float, float, float] = (0, 1620, 0), radius: float = 90.0
) -> tuple[np.ndarray, np.ndarray]:
    """Tips at ±x, ±y, ±z in this order, and triangles seen from outside."""
    points = np.array(centre) + radius * np.array(
        [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float
    )
    triangles = np.array([[x, y, z] for x in (0, 1) for y in (2, 3) for z in (4, 5)])
    return points, outwards(points, triangles)


def box(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    along = (end - start) / np.linalg.norm(end - start)
    across = np.cross(along, [0, 0, 1.0] if abs(along[2]) < 0.9 else [1.0, 0, 0])
    across /= np.linalg.norm(across)
    third = np.cross(along, across)
    points = np.array([at + WIDTH * (a * across + b * third) for at in (start, end) for a in (-1, 1) for b in (-1, 1)])
    quads = [(0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5)]
    triangles = np.array([corner for a, b, c, d in quads for corner in ((a, b, c), (a, c, d))])
    return points, outwards(points, triangles)


def outwards(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Triangles of a convex shape, turned so that their corners run anticlockwise seen from outside."""
    middle = points.mean(axis=0)
    a, b, c = (points[triangles[:, i]] for i in range(3))
    inwards = np.einsum("fi,fi->f", np.cross(b - a, c - a), a - middle) < 0
    return np.where(inwards[:, None], triangles[:, ::-1], triangles)


class Blank:
    """Stands in for `Renderer`: remembers what it is given and draws nothing; nothing hides anything."""

    def __init__(self, size: int = 64) -> None:
        self.size = size
        self.vertices: list[np.ndarray] = []

    def take(self, faces: np.ndarray, dressed: object) -> None:
        self.faces = faces

    def pose(self, vertices: np.ndarray, normals: np.ndarray) -> None:
        self.vertices.append(vertices)

    def draw(self, intrinsics, rotation, translation, room, light, *, shadows, seed=0) -> np.ndarray:
        return np.zeros((self.size, self.size, 3), np.uint8)

    def backs(self, intrinsics, rotation, translation) -> np.ndarray:
        return np.full((self.size, self.size), np.inf, np.float32)
