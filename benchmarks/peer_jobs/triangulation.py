"""Points and camera poses from two pictures: OpenCV and kornia."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from model_zoo.epipolarpose.geometry import (
    fundamental_from_pose,
    relative_pose,
    triangulate_linear,
    triangulate_pair,
)
from peer_jobs.measure import Case, Job, Peers, Same, Size, close
from posebench.cameras import Camera
from posebench.datasets.room import room_cameras
from posebench.datasets.triangulation import undistort_points

JOINTS, NOISE = 17, 5.0
#: Frames that the pose of a camera is estimated from.
FRAMES = 100

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """Joints that two cameras see.

    points : (N, 3)
    exact, seen : (Floats, Floats)
        Their pixels (N, 2) in both pictures, without and with noise.
    projections : (Floats, Floats)
        Matrices (3, 4).
    """

    cameras: tuple[Camera, Camera]
    points: Floats
    exact: tuple[Floats, Floats]
    seen: tuple[Floats, Floats]
    projections: tuple[Floats, Floats]
    R: Floats
    t: Floats

    @classmethod
    def of(cls, n: int) -> Scene:
        """So many joints of people who walk about."""
        rng = np.random.default_rng(0)
        one, other = room_cameras(5)[0], room_cameras(5)[1]
        frames = -(-n // JOINTS)
        steps = rng.uniform(-800, 800, (frames, 1, 3)) * [1, 0, 1]
        points = (rng.uniform(-900, 900, (frames, JOINTS, 3)) + [0, 900, 0] + steps).reshape(-1, 3)[:n]
        exact = one.project(points), other.project(points)
        seen = tuple(pixels + rng.normal(0, NOISE, pixels.shape) for pixels in exact)
        projections = tuple(camera.K @ np.column_stack([camera.R, camera.t]) for camera in (one, other))
        R = other.R @ one.R.T
        return cls((one, other), points, exact, seen, projections, R, other.t - R @ one.t)  # type: ignore[arg-type]


def cases(size: Size, peers: Peers) -> Iterator[Case]:
    """Every peer in turn."""
    scene = Scene.of(size.poses)
    n = len(scene.points)
    kornia, torch = peers.get("kornia"), peers.get("torch")
    if kornia is not None and torch is not None:
        tensors = [torch.from_numpy(np.asarray(a)) for a in (*scene.projections, *scene.seen)]
        exact = [torch.from_numpy(np.asarray(a)) for a in (*scene.projections, *scene.exact)]
        for solver, why in (
            (
                "eigh",
                "which it does by an eigenvector of AᵀA (that squares the condition number), and ours by SVD of A",
            ),
            ("svd", "both by SVD, which takes nearly all of the time"),
        ):
            yield Case(
                "kornia",
                f'kornia: `triangulate_points(..., solver="{solver}")`',
                "`triangulate_linear`",
                lambda solver=solver: kornia.geometry.triangulate_points(*tensors, solver=solver).numpy(),
                lambda: triangulate_linear(scene.seen, scene.cameras),
                lambda a, b, solver=solver: as_linear(
                    a, b, kornia.geometry.triangulate_points(*exact, solver=solver).numpy(), scene
                ),
                (n, n),
                unit="joint",
                threads=True,
                differs="equations in pixels, ours in rays, so noise weighs otherwise",
                reason="both solve a batch of 4 × 4 systems, " + why,
            )
    cv2 = peers.get("cv2", "opencv-python-headless")
    if cv2 is not None:
        yield from with_opencv(cv2, scene, size)


def as_linear(theirs: Floats, ours: Floats, exact: Floats, scene: Scene) -> Same:
    """Linear solutions differ by how noise is weighed; without noise they must be the points."""
    found = close(exact, scene.points, 1e-3, "mm")
    median = np.median(np.linalg.norm(theirs - ours, axis=1))
    return Same(found.agrees, f"without noise {found.words}; with it {median:.1g} mm (median)")


def with_opencv(cv2: Any, scene: Scene, size: Size) -> Iterator[Case]:
    """Triangulation, linear and optimal; lenses; the pose of a camera."""
    n = len(scene.points)
    yield Case(
        "opencv-python-headless",
        "OpenCV: `triangulatePoints`, all points in one call",
        "`triangulate_linear`",
        lambda: linear(cv2, scene, *scene.seen),
        lambda: triangulate_linear(scene.seen, scene.cameras),
        lambda a, b: as_linear(a, b, linear(cv2, scene, *scene.exact), scene),
        (n, n),
        unit="joint",
        differs="two views, and no view may be missing; equations in pixels, ours in rays, so noise weighs otherwise",
        reason="a loop in C++ over 4 × 4 systems; ours calls NumPy's batched SVD, and takes any number of views with "
        "weights",
    )
    F = fundamental_from_pose(scene.R, scene.t, scene.cameras[0].K, scene.cameras[1].K)
    yield Case(
        "opencv-python-headless",
        "OpenCV: `correctMatches` and `triangulatePoints`, all points in one call",
        "`triangulate_pair`",
        lambda: optimal(cv2, scene, F, slice(None)),
        lambda: triangulate_pair(*scene.seen, scene.cameras).points,
        lambda a, b: close(a, b, 1e-3, "mm"),
        (n, n),
        unit="joint",
        differs="points behind a camera are given all the same",
    )
    few = min(size.looped, n)
    yield Case(
        "opencv-python-headless",
        "OpenCV: the same, joint by joint",
        "`triangulate_pair`",
        lambda: np.concatenate([optimal(cv2, scene, F, slice(i, i + 1)) for i in range(few)]),
        lambda: triangulate_pair(*scene.seen, scene.cameras).points,
        lambda a, b: close(a, b[:few], 1e-3, "mm"),
        (few, n),
        unit="joint",
        differs="as people write it who go through frames",
    )
    camera = replace(scene.cameras[0], dist=[-0.2, 0.05, 0.001, -0.001, 0.0])
    bent = camera.project(scene.points)
    stop = cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS
    for steps, words in ((5, "5 steps, OpenCV's default"), (50, "until it settles (50 steps, 1e-12)")):
        yield Case(
            "opencv-python-headless",
            f"OpenCV: `undistortPoints`, {words}",
            "`undistort_points`",
            lambda steps=steps: cv2.undistortPoints(
                bent[:, None], camera.K, camera.dist, None, None, camera.K, (stop, steps, 1e-12 if steps > 5 else 0.01)
            )[:, 0],
            lambda: undistort_points(bent, camera),
            lambda a, b, steps=steps: (
                close(a, b, 1e-6, "px") if steps > 5 else Same(None, f"at most {np.abs(a - b).max():.1g} px apart")
            ),
            (n, n),
            unit="joint",
            differs="stops before it has settled" if steps == 5 else "",
            reason="a loop in C++; ours takes steps of NumPy over 4,096 points at once, until each has settled to the "
            "last bit",
        )
    yield from camera_pose(cv2, scene)


def linear(cv2: Any, scene: Scene, first: Floats, second: Floats) -> Floats:
    """Points (N, 3) by the direct linear transform."""
    found = cv2.triangulatePoints(*scene.projections, first.T, second.T)
    return np.asarray((found[:3] / found[3]).T)


def optimal(cv2: Any, scene: Scene, F: Floats, rows: slice) -> Floats:
    """Points (N, 3) from pixels moved onto epipolar lines."""
    first, second = cv2.correctMatches(F, scene.seen[0][None, rows], scene.seen[1][None, rows])
    return linear(cv2, scene, first[0], second[0])


def camera_pose(cv2: Any, scene: Scene) -> Iterator[Case]:
    """Where the second camera stands, pooled over frames."""
    rows = slice(0, FRAMES * JOINTS)
    first, second = scene.seen[0][rows], scene.seen[1][rows]
    one, other = scene.cameras
    try:
        import poselib  # noqa: F401
    except ImportError:
        return

    def theirs() -> tuple[Floats, Floats]:
        threshold = 3 * NOISE
        E = cv2.findEssentialMat(first, second, one.K, None, other.K, None, cv2.USAC_MAGSAC, 0.999, threshold)[0]
        flat = [cv2.undistortPoints(x[:, None], camera.K, None)[:, 0] for x, camera in ((first, one), (second, other))]
        _, R, t, _ = cv2.recoverPose(E[:3], *flat, np.eye(3))
        return R, t[:, 0]

    def ours() -> tuple[Floats, Floats]:
        found = relative_pose(first, second, one.K, other.K)
        return found.R, found.t

    def compare(a: tuple[Floats, Floats], b: tuple[Floats, Floats]) -> Same:
        words = [f"{turned(R, scene.R):.2f}° and {turned_axis(t, scene.t):.2f}°" for R, t in (a, b)]
        return Same(None, f"R and t are off by {words[0]}, ours by {words[1]}")

    yield Case(
        "opencv-python-headless",
        f"OpenCV: `findEssentialMat` (MAGSAC) and `recoverPose` of {FRAMES} frames",
        "`relative_pose`",
        theirs,
        ours,
        compare,
        (1, 1),
        unit="pair of cameras",
        differs="the threshold is given, where ours estimates the noise; no word on how certain the pose is, and none "
        "on degenerate scenes",
        reason="ours searches again until pose and noise agree, and looks for other poses that fit about as well",
    )


def turned(R: Floats, truth: Floats) -> float:
    """The angle between two rotations in degrees."""
    return float(np.degrees(np.arccos(np.clip((np.trace(R @ truth.T) - 1) / 2, -1, 1))))


def turned_axis(t: Floats, truth: Floats) -> float:
    """The angle between two directions in degrees."""
    cosine = t @ truth / np.linalg.norm(t) / np.linalg.norm(truth)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


JOB = Job(
    "Triangulation",
    f"Joints of two pictures with {NOISE:g} px of noise, and what goes before: lenses, and the pose of a camera. "
    "`triangulate_linear`, `triangulate_pair` and `relative_pose` are in `model_zoo.epipolarpose.geometry`, "
    "`undistort_points` in `posebench.datasets.triangulation`.",
    cases,
)
