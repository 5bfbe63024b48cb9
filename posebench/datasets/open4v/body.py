"""Bodies: a mesh with bones, its joints as H36M-17, and how it is posed.

The mesh, its shapes and its bones come from the parametric body `anny`; everything after that is NumPy here, so that a
renderer needs `anny` (and torch with it) once for each body and not for each frame. Lengths are mm, y is up, and a body
at rest looks along z with its left hand at +x.

H36M-17 on the body: hips, knees, ankles, shoulders, elbows and wrists are where the bones `UpLeg`, `Leg`, `Foot`,
`Arm`, `ForeArm` and `Hand` begin; pelvis and thorax are the middles of hips and shoulders, and the spine is between
them, as in every source of posebench; nose and head are vertices of the mesh: the tip of the nose and the crown.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.datasets.kinematics import h36m17_poses
from posebench.errors import MissingExtraError, UsageError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

#: H36M-17's joint -> the bone that begins there.
JOINTS = {
    "RHip": "RightUpLeg",
    "RKnee": "RightLeg",
    "RAnkle": "RightFoot",
    "LHip": "LeftUpLeg",
    "LKnee": "LeftLeg",
    "LAnkle": "LeftFoot",
    "LShoulder": "LeftArm",
    "LElbow": "LeftForeArm",
    "LWrist": "LeftHand",
    "RShoulder": "RightArm",
    "RElbow": "RightForeArm",
    "RWrist": "RightHand",
}
#: Parts of the mesh that nobody sees.
_HIDDEN = ("mouth_cavity", "tongue", "eye_back.L", "eye_back.R")
_EYES = ("eye_front.L", "eye_front.R")
#: anny's coordinates (x left, y back, z up, m) as ours (x left, y up, z front, mm).
_AXES = np.array([[1000.0, 0, 0], [0, 0, 1000], [0, -1000, 0]])


@dataclass(frozen=True, eq=False)
class Body:
    """A body at rest: V vertices, F triangles, B bones with parents before children.

    `vertices` (V, 3) and `heads` (B, 3), where bones begin, are in mm; `weights` (V, B) say by how much each bone moves
    each vertex and sum to 1; `nose` and `crown` are vertices. `eyes` (V,) marks the vertices of the eyes.
    """

    vertices: Floats
    faces: Ints
    bones: tuple[str, ...]
    parents: tuple[int, ...]
    heads: Floats
    weights: Floats
    nose: int
    crown: int
    eyes: npt.NDArray[np.bool_]

    def index(self, bone: str) -> int:
        """Index of a bone by name."""
        return self.bones.index(bone)

    @cached_property
    def leg(self) -> float:
        """Length of thigh and shin together in mm, mean of both sides."""
        chains = [[self.index(f"{side}{bone}") for bone in ("UpLeg", "Leg", "Foot")] for side in ("Left", "Right")]
        return float(np.linalg.norm(np.diff(self.heads[chains], axis=1), axis=-1).sum(axis=1).mean())

    @cached_property
    def normals(self) -> Floats:
        """Unit normals (V, 3) of the vertices at rest, outwards; 0 where no triangle is."""
        corners = self.vertices[self.faces]
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        summed = np.zeros_like(self.vertices)
        for corner in range(3):
            np.add.at(summed, self.faces[:, corner], across)
        lengths = np.linalg.norm(summed, axis=1, keepdims=True)
        return np.asarray(np.divide(summed, lengths, out=np.zeros_like(summed), where=lengths > 0))

    def bone_transforms(self, rotations: Floats, pelvis: Floats) -> Floats:
        """Where points at rest go with each bone: (N, B, 3, 4), x ↦ A x + b.

        Parameters
        ----------
        rotations : array, (N, B, 3, 3)
            Of each bone from its orientation at rest, in the world.
        pelvis : array, (N, 3)
            Where the middle of the hips goes, in mm.
        """
        n, count = rotations.shape[:2]
        at = np.empty((n, count, 3))
        for bone, parent in enumerate(self.parents):
            if parent < 0:
                at[:, bone] = 0
            else:
                offset = self.heads[bone] - self.heads[parent]
                at[:, bone] = at[:, parent] + rotations[:, parent] @ offset
        hips = at[:, [self.index("LeftUpLeg"), self.index("RightUpLeg")]].mean(axis=1)
        at += (pelvis - hips)[:, None]
        moved = np.empty((n, count, 3, 4))
        moved[..., :3] = rotations
        moved[..., 3] = at - np.einsum("nbij,bj->nbi", rotations, self.heads)
        return moved

    def joints(self, transforms: Floats) -> Floats:
        """H36M-17 poses (N, 17, 3) in mm of a body whose bones moved like `bone_transforms` says."""
        points = {
            joint: transforms[:, b, :, :3] @ self.heads[b] + transforms[:, b, :, 3]
            for joint, b in ((joint, self.index(bone)) for joint, bone in JOINTS.items())
        }
        ends = np.array([self.nose, self.crown])
        skinned = self.skin(transforms, ends)
        return h36m17_poses(points | {"nose": skinned[:, 0], "head": skinned[:, 1]})

    def skin(self, transforms: Floats, vertices: npt.NDArray[np.int_] | None = None) -> Floats:
        """Vertices (N, V, 3) in mm, all or some, by linear blend skinning."""
        rows: Any = slice(None) if vertices is None else vertices
        blended = np.tensordot(transforms, self.weights[rows], axes=(1, 1))  # (N, 3, 4, V)
        moved = np.einsum("nijv,vj->nvi", blended[:, :, :3], self.vertices[rows])
        return np.asarray(moved + np.swapaxes(blended[:, :, 3], 1, 2))

    def simplified(self, cell: float) -> Body:
        """The same body with fewer vertices: of those that share a cube of `cell` mm and a bone, one is left.

        Bones, joints, nose and crown stay as they are. At a cell of one and a half pixels no difference shows.
        """
        main = self.weights.argmax(axis=1)
        cubes = np.column_stack([np.floor(self.vertices / cell).astype(np.int64), main, self.eyes])
        _, cluster = np.unique(cubes, axis=0, return_inverse=True)
        cluster = cluster.reshape(-1)
        count = int(cluster.max()) + 1
        sizes = np.bincount(cluster, minlength=count)
        middle = np.stack([np.bincount(cluster, column, count) / sizes for column in self.vertices.T], axis=1)
        # The vertex nearest to the middle of each cluster, but nose and crown where they are; ties by number.
        far = np.linalg.norm(self.vertices - middle[cluster], axis=1)
        far[[self.nose, self.crown]] = -1
        order = np.lexsort((far, cluster))
        kept = order[np.concatenate(([0], np.cumsum(sizes)[:-1]))]
        faces = cluster[self.faces]
        a, b, c = faces.T
        faces = faces[(a != b) & (b != c) & (a != c)]
        _, first = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
        faces = faces[np.sort(first)]
        used = np.unique(np.concatenate([faces.reshape(-1), cluster[[self.nose, self.crown]]]))
        number = np.full(count, -1)
        number[used] = np.arange(len(used))
        rows = kept[used]
        return replace(
            self,
            vertices=self.vertices[rows],
            faces=number[faces].astype(np.int32),
            weights=self.weights[rows],
            nose=int(number[cluster[self.nose]]),
            crown=int(number[cluster[self.crown]]),
            eyes=self.eyes[rows],
        )


@dataclass(frozen=True)
class Shape:
    """What a body looks like, for `make_bodies`; all from 0 to 1 but the height in mm, from sole to crown.

    `gender` is 0 for a male body and 1 for a female one; adults have an `age` of 0.6 and more.
    """

    height: float
    gender: float
    age: float
    muscle: float
    weight: float
    proportions: float


def sample_shape(random: np.random.Generator) -> Shape:
    """An adult at random."""
    gender = float(np.clip(random.choice([0.1, 0.9]) + random.normal(0, 0.1), 0, 1))
    return Shape(
        height=float(np.clip(random.normal(1765 - 130 * gender, 60), 1500, 1960)),
        gender=gender,
        age=float(random.uniform(0.62, 0.9)),
        muscle=float(random.uniform(0.3, 0.8)),
        weight=float(random.uniform(0.25, 0.75)),
        proportions=float(random.uniform(0.3, 0.8)),
    )


def make_bodies(shapes: Sequence[Shape]) -> list[Body]:
    """Bodies of the given shapes, all with the same triangles, bones and weights.

    Needs the package anny, which the first time prepares its data for a minute or more and keeps them, about 0.8 GB, in
    the folder that the environment variable ANNY_CACHE_DIR names.

    Raises
    ------
    MissingExtraError
        If the package is not installed.
    UsageError
        If there are no shapes.
    """
    if not shapes:
        raise UsageError("there are no shapes to make bodies of")
    try:
        _hush()
        import anny
        import torch
        from anny.face_segmentation import get_face_segmentation_mask
    except ImportError:
        raise MissingExtraError("making bodies", "anny", "data") from None
    model = anny.Anny(rig="cmu_mb", pose_parameterization="world-orient", skinning_method="lbs")
    template = _ours(model.template_vertices)
    faces = model.faces.numpy()
    shown = ~np.asarray(get_face_segmentation_mask(model, list(_HIDDEN)))
    eyes = np.zeros(len(template), np.bool_)
    eyes[faces[np.asarray(get_face_segmentation_mask(model, list(_EYES)))]] = True
    weights = np.zeros((len(template), len(model.bone_labels)))
    np.add.at(
        weights,
        (np.arange(len(template))[:, None], model.vertex_bone_indices.numpy()),
        model.vertex_bone_weights.numpy().astype(np.float64),
    )
    weights /= weights.sum(axis=1, keepdims=True)
    nose, crown = _landmarks(template, weights[:, model.bone_labels.index("Head")])
    bodies = []
    for shape in shapes:
        given = {name: getattr(shape, name) for name in ("gender", "age", "muscle", "weight", "proportions")}
        with torch.no_grad():
            rest = model(pose_parameters=None, phenotype_kwargs={**given, "height": 0.5})
        vertices = _ours(rest["rest_vertices"][0])
        size = shape.height / np.ptp(vertices[:, 1])
        bodies.append(
            Body(
                vertices * size,
                np.ascontiguousarray(faces[shown], np.int32),
                tuple(model.bone_labels),
                tuple(int(parent) for parent in model.bone_parents),
                _ours(rest["rest_bone_heads"][0]) * size,
                weights,
                nose,
                crown,
                eyes,
            )
        )
    return bodies


def _hush() -> None:
    """Keep warp, which anny loads if it is there, from printing what machine it found."""
    with suppress(ImportError):
        import warp

        warp.config.quiet = True


def _ours(points: Any) -> Floats:
    return np.asarray(points.numpy().astype(np.float64) @ _AXES.T)


def _landmarks(template: Floats, head: Floats) -> tuple[int, int]:
    """The tip of the nose and the crown: the foremost and the highest vertex of the head in its middle plane."""
    middle = (np.abs(template[:, 0]) < 1.0) & (head > 0.5)
    candidates = np.flatnonzero(middle)
    return (
        int(candidates[np.argmax(template[candidates, 2])]),
        int(candidates[np.argmax(template[candidates, 1])]),
    )


__all__ = ["JOINTS", "Body", "Shape", "make_bodies", "sample_shape"]
