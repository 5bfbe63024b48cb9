"""A clip in front of the cameras: who acts it, on which body, in which room, and the pictures and labels that result.

Everything about a clip follows from the seed and its names, so clips can be rendered in any order and on any number of
processes. Frames are looked at one by one; nothing here writes a file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from posebench.cameras import Camera
from posebench.datasets.open4v.body import Body, Shape, sample_shape
from posebench.datasets.open4v.labels import Views, crop_row, extrinsics_of, project
from posebench.datasets.open4v.motions import Motion, rng
from posebench.datasets.open4v.renderer import Renderer, visible
from posebench.datasets.open4v.retarget import Performance, perform
from posebench.datasets.open4v.scene import (
    CROP_MM,
    Light,
    Room,
    box_of,
    crop_around,
    dress,
    sample_light,
    sample_look,
    sample_rig,
    sample_room,
)
from posebench.datasets.open4v.splits import SPLITS, Clip, Split
from posebench.datasets.room import yaw_of
from posebench.skeletons import H36M17

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]

#: Other bodies than those of the subjects, by split.
OTHERS = {"wild": 16, "pretrain2d": 48}
#: Bodies that share a sequence of single pictures.
SHARED = 4
#: Joints that darken the floor.
_SHADING = [H36M17.index(joint) for joint in ("pelvis", "RAnkle", "LAnkle", "LWrist", "RWrist", "head")]
_NOSE, _HEAD = H36M17.index("nose"), H36M17.index("head")
#: mm that nose and crown are moved into the head before it is asked what hides them.
_INWARDS = {_NOSE: 20.0, _HEAD: 40.0}
#: One vertex in a square of so many pixels looks like more of them.
_PIXELS_PER_VERTEX = 1.5


@dataclass(frozen=True, eq=False)
class Shot:
    """A picture (size, size, 3) and its labels."""

    pixels: Pixels
    labels: Views


def cast_of(clips: Sequence[Clip], seed: int) -> dict[str, Shape]:
    """The bodies that some clips need, by name."""
    names = {name for clip in clips for name in body_names(clip, seed)}
    return {name: sample_shape(rng(seed, "body", name)) for name in sorted(names)}


def body_names(clip: Clip, seed: int) -> tuple[str, ...]:
    """Who acts in a clip: the subject itself, or others that take turns."""
    split = SPLITS[clip.split]
    if not split.others:
        return (clip.subject,)
    count = SHARED if split.views == 1 else 1
    chosen = rng(seed, "cast", clip.split, clip.subject, clip.sequence).integers(OTHERS[clip.split], size=count)
    return tuple(f"{clip.split}/{number:02d}" for number in chosen)


class Stage:
    """Renders clips.

    Parameters
    ----------
    renderer : Renderer
    bodies : mapping of Body
        By the names of `body_names`.
    seed : int
    """

    def __init__(self, renderer: Renderer, bodies: Mapping[str, Body], seed: int) -> None:
        self.size, self.seed = renderer.size, seed
        self._renderer, self._bodies = renderer, bodies
        self._drawn: dict[str, Body] = {}

    def shots(self, clip: Clip, suffix: str) -> Iterator[Shot]:
        """All pictures of a clip, in the order of its frames; those of one instant are consecutive.

        Parameters
        ----------
        clip : Clip
        suffix : str
            Of the files that the labels name, such as ``jpg``.
        """
        motion, split = clip.motion(self.seed), SPLITS[clip.split]
        if split.views == 1:
            yield from self._single(clip, split, motion, suffix)
        else:
            yield from self._synchronised(clip, split, motion, suffix)

    def _synchronised(self, clip: Clip, split: Split, motion: Motion, suffix: str) -> Iterator[Shot]:
        # Who plays a subject stays dressed and keeps the cameras; others change them with the sequence.
        whole = (clip.split, clip.subject, clip.sequence) if split.others else ("studio", clip.subject)
        (name,) = body_names(clip, self.seed)
        actor = _Actor(self._simplified(name), rng(self.seed, "look", *whole), self._renderer)
        cameras = sample_rig(rng(self.seed, "rig", *whole), split.rig, n=split.views, subject=clip.subject)
        random = rng(self.seed, "room", clip.split, clip.subject, clip.sequence)
        room, light = sample_room(random, split.images, cameras), sample_light(random, wild=split.wild)
        performance = perform(self._bodies[name], motion)
        middle = (performance.joints[:, 0].min(axis=0) + performance.joints[:, 0].max(axis=0)) / 2
        performance = placed(performance, middle, yaw_of(f"{clip.split}/{clip.sequence}", self.seed))
        for row in range(len(motion)):
            actor.act(performance, row)
            for camera in cameras:
                noise = int(random.integers(2**32))
                yield self._shot(clip, motion, row, actor, camera, room, light, noise, suffix, f"{camera.name}_")

    def _single(self, clip: Clip, split: Split, motion: Motion, suffix: str) -> Iterator[Shot]:
        turns = []
        for turn, name in enumerate(body_names(clip, self.seed)):
            rows = slice(turn, None, SHARED)
            some = motion.take(rows)
            turns.append((self._simplified(name), some, perform(self._bodies[name], some) if len(some) else None))
        for row in range(len(motion)):
            body, some, performance = turns[row % SHARED]
            assert performance is not None
            at = row // SHARED
            random = rng(self.seed, "single", clip.subject, clip.sequence, str(int(motion.frame[row])))
            actor = _Actor(body, random, self._renderer)
            single = Performance(performance.transforms[at : at + 1], performance.joints[at : at + 1])
            actor.act(placed(single, single.joints[0, 0], random.uniform(0, 2 * math.pi)), 0)
            (camera,) = sample_rig(random, split.rig, n=1)
            room, light = sample_room(random, split.images, [camera]), sample_light(random, wild=split.wild)
            noise = int(random.integers(2**32))
            yield self._shot(clip, some, at, actor, camera, room, light, noise, suffix, "")

    def _simplified(self, name: str) -> Body:
        """What is drawn of a body. How it moves is computed from the whole body, so as not to depend on the size."""
        if name not in self._drawn:
            self._drawn[name] = self._bodies[name].simplified(_PIXELS_PER_VERTEX * CROP_MM / self.size)
        return self._drawn[name]

    def _shot(
        self,
        clip: Clip,
        motion: Motion,
        row: int,
        actor: _Actor,
        camera: Camera,
        room: Room,
        light: Light,
        noise: int,
        suffix: str,
        prefix: str,
    ) -> Shot:
        joints = camera.to_camera(actor.joints)
        outline = project(camera.to_camera(actor.vertices), camera.K)
        crop = crop_around(box_of(outline), camera.K[0, 0], joints[H36M17.root, 2], self.size)
        K = crop.intrinsics(camera.K)
        pixels = self._renderer.draw(K, camera.R, camera.t, room, light, shadows=actor.joints[_SHADING], seed=noise)
        hidden = camera.to_camera(actor.inner)
        seen = visible(self._renderer.backs(K, camera.R, camera.t), project(hidden, K), hidden[:, 2])
        in_picture = project(joints, K)
        seen &= ((in_picture >= -0.5) & (in_picture < self.size - 0.5)).all(axis=1)
        seen[_NOSE] &= bool(actor.nose_direction @ (camera.centre - actor.joints[_NOSE]) > 0)
        labels_3d = SPLITS[clip.split].labels_3d
        labels = Views(
            image=np.array([f"{clip.folder}/{prefix}{int(motion.frame[row]):06d}.{suffix}"]),
            subject=np.array([motion.subject]),
            action=np.array([motion.action]),
            sequence=np.array([motion.sequence]),
            camera=np.array([camera.name]),
            frame=motion.frame[row : row + 1],
            joints=in_picture[None],
            visible=seen[None],
            box=box_of((outline - [crop.left, crop.top]) * (crop.size / crop.side) - 0.5)[None],
            crop=np.array([crop_row(crop)]),
            intrinsics=K[None],
            camera_intrinsics=camera.K[None],
            poses=joints[None] if labels_3d else None,
            extrinsics=extrinsics_of(camera)[None] if labels_3d else None,
        )
        return Shot(pixels, labels)


class _Actor:
    """A dressed body in one pose after the other."""

    def __init__(self, body: Body, random: np.random.Generator, renderer: Renderer) -> None:
        dressed = dress(body, sample_look(random))
        self.body = body
        self._renderer = renderer
        self._weights = body.weights.astype(np.float32)
        self._points = np.column_stack([dressed.vertices, np.ones(len(dressed.vertices))]).astype(np.float32)
        self._normals = body.normals.astype(np.float32)
        self._head = body.index("Head")
        renderer.take(body.faces, dressed)

    def act(self, performance: Performance, row: int) -> None:
        """Take the pose of a row, and hand it to the renderer."""
        transforms = performance.transforms[row]
        self.joints = performance.joints[row]
        blended = (self._weights @ transforms.reshape(len(transforms), 12).astype(np.float32)).reshape(-1, 3, 4)
        self.vertices = np.einsum("vij,vj->vi", blended, self._points)
        normals = np.einsum("vij,vj->vi", blended[:, :, :3], self._normals)
        self._renderer.pose(self.vertices, normals)
        self.nose_direction = normals[self.body.nose].astype(np.float64)
        start = transforms[self._head, :, :3] @ self.body.heads[self._head] + transforms[self._head, :, 3]
        self.inner = self.joints.copy()
        for joint, depth in _INWARDS.items():
            towards = start - self.joints[joint]
            self.inner[joint] += towards * (depth / np.linalg.norm(towards))


def placed(performance: Performance, middle: Floats, yaw: float) -> Performance:
    """A performance turned about the vertical through `middle` (3,), which comes to stand in the middle of the room."""
    c, s = math.cos(yaw), math.sin(yaw)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    away = middle * [1, 0, 1]
    transforms = turn @ performance.transforms
    transforms[..., 3] -= turn @ away
    return replace(performance, transforms=transforms, joints=(performance.joints - away) @ turn.T)


__all__ = ["OTHERS", "SHARED", "Shot", "Stage", "body_names", "cast_of", "placed"]
