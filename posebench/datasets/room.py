"""Motion capture seen by the cameras of a room: what makes poses of a laboratory comparable to a data set's.

The rig is that of Human3.6M in outline: four cameras in the corners of the capture area, at chest height, looking at
its middle. The room stands still, and each sequence is turned about the vertical by an angle of its own, so that all
facing directions occur although a laboratory's subjects mostly walk one way.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
import numpy.typing as npt

from posebench.cameras import Camera
from posebench.errors import InputError, UsageError
from posebench.poses import KeyColumn, PoseSet

Floats = npt.NDArray[np.float64]

#: Pixels of focal length, and the size of the pictures, as in Human3.6M.
FOCAL, SIZE = 1145.0, 1000


def room_cameras(
    n: int = 4, *, distance: float = 5000.0, height: float = 1500.0, target: float = 900.0
) -> list[Camera]:
    """Cameras around a room whose floor is y = 0 and whose middle is the origin, y up, in mm.

    Parameters
    ----------
    n : int
        Evenly spread; the first stands at 45 degrees between the x and the z axis, consecutive ones are neighbours.
    distance : float
        From the middle, along the floor, in mm.
    height, target : float
        Of the cameras, and of the point above the middle that they look at, in mm.

    Raises
    ------
    UsageError
        If there is no camera, or one would stand on what it looks at.

    Examples
    --------
    >>> cameras = room_cameras()
    >>> [camera.name for camera in cameras]
    ['cam1', 'cam2', 'cam3', 'cam4']
    >>> cameras[0].project([[0.0, 900.0, 0.0]]).round(6).tolist()
    [[500.0, 500.0]]
    """
    if n < 1 or not (distance > 0 and math.isfinite(distance)):
        raise UsageError(f"expected one camera or more at a positive distance, got {n} at {distance}")
    intrinsics = np.array([[FOCAL, 0, SIZE / 2], [0, FOCAL, SIZE / 2], [0, 0, 1]])
    cameras = []
    for i in range(n):
        angle = math.pi / 4 + 2 * math.pi * i / n
        place = np.array([distance * math.cos(angle), height, distance * math.sin(angle)])
        forward = np.array([0.0, target, 0.0]) - place
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 1.0, 0.0])
        right /= np.linalg.norm(right)
        # Rows: x right, y down, z forward. The picture is not tilted.
        rotation = np.stack([right, np.cross(forward, right), forward])
        cameras.append(
            Camera(
                f"cam{i + 1}", intrinsics, [], rotation, -rotation @ place, unit="mm", size=(SIZE, SIZE), source="room"
            )
        )
    return cameras


def yaw_of(sequence: str, seed: int = 0) -> float:
    """An angle in radians that a sequence is turned by: any, but always the same for its name and a seed.

    Examples
    --------
    >>> yaw_of("02_01") == yaw_of("02_01"), yaw_of("02_01") == yaw_of("02_02")
    (True, False)
    """
    digest = hashlib.sha256(f"{seed}/{sequence}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 * 2 * math.pi


def seen_by(poses: PoseSet, cameras: list[Camera], *, seed: int = 0) -> PoseSet:
    """Poses of a laboratory in the coordinates of each camera of a room, one camera after the other.

    Each sequence is centred in the room (by the mean of its root over time, along the floor) and turned by `yaw_of`.

    Parameters
    ----------
    poses : PoseSet
        In mm, in a world with y up, absolute, with a `sequence` key.
    cameras : list of Camera
        Of a room as `room_cameras` makes it.
    seed : int
        Of the angles.

    Returns
    -------
    PoseSet
        With the key `camera`, intrinsics and the reference "camera"; N poses for each camera.

    Raises
    ------
    InputError
        If the poses are not as above.
    """
    if poses.unit != "mm" or poses.reference != "world" or poses.origin != "absolute" or poses.sequence is None:
        raise InputError(
            f"{poses.source}: expected absolute world coordinates in mm with a sequence key; it has unit {poses.unit}, "
            f"reference {poses.reference}, origin {poses.origin}"
        )
    if poses.skeleton is None:
        raise InputError(f"{poses.source}: does not say its skeleton, so nobody knows its root")
    placed = np.empty(poses.poses.shape)
    for code, name in enumerate(poses.sequence.names):
        rows = np.flatnonzero(poses.sequence.codes == code)
        if len(rows):
            placed[rows] = _placed(poses.poses[rows].astype(np.float64), poses.skeleton.root, yaw_of(name, seed))
    views = [camera.to_camera(placed.reshape(-1, 3)).reshape(placed.shape) for camera in cameras]
    many = len(cameras)
    repeated: dict[str, object] = {
        key: np.tile(column.values if isinstance(column, KeyColumn) else column, many)
        for key, column in poses.keys.items()
        if key != "camera"
    }
    return poses.replace(
        poses=np.concatenate(views),
        valid=None if poses.valid is None else np.tile(poses.valid, (many, 1)),
        reference="camera",
        camera=np.repeat([camera.name for camera in cameras], len(poses)),
        intrinsics=np.repeat(np.stack([camera.K for camera in cameras]), len(poses), axis=0),
        extrinsics=None,
        root_depth=None,
        **repeated,
    )


def _placed(poses: Floats, root: int, yaw: float) -> Floats:
    middle = np.nanmean(poses[:, root], axis=0) * [1, 0, 1]
    turn = np.array([[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]])
    moved: Floats = (poses - middle) @ turn.T
    return moved
