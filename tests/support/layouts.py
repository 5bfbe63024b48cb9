"""Known poses for the layouts of other projects: H36M-17, metres, in a camera; knees and all."""

from __future__ import annotations

import numpy as np

#: x to the right, y down, z away: somebody who faces the camera, with slightly bent knees; the image's left is R.
_STANDING = np.array(
    [
        [0, 0, 0],
        [-0.13, 0, 0], [-0.13, 0.43, -0.08], [-0.13, 0.87, 0], [0.13, 0, 0], [0.13, 0.43, -0.08], [0.13, 0.87, 0],
        [0, -0.24, 0], [0, -0.49, 0], [0, -0.60, -0.05], [0, -0.71, 0],
        [0.15, -0.45, 0], [0.2, -0.18, 0.03], [0.2, 0.06, -0.03],
        [-0.15, -0.45, 0], [-0.2, -0.18, 0.03], [-0.2, 0.06, -0.03],
    ]
)  # fmt: skip
#: Where the joints of H36M-17 stand among Human3.6M's 32.
IN_32 = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
#: Where those of MPI-INF-3DHP's 17 stand in H36M-17; its head_top and head are other points, and only stand for them.
IN_3DHP = [10, 8, 14, 15, 16, 11, 12, 13, 1, 2, 3, 4, 5, 6, 0, 7, 9]
#: A camera's intrinsics, in pixels.
CAMERA = np.array([[1145.0, 0, 512.5], [0, 1143.8, 515.5], [0, 0, 1]])


def standing(n: int, seed: int = 0) -> np.ndarray:
    """People (n, 17, 3) in metres, 4 to 5 m in front of the camera, each a little different."""
    rng = np.random.default_rng(seed)
    poses = _STANDING + rng.normal(0, 0.01, (n, 17, 3))
    poses[:, 0] = (poses[:, 1] + poses[:, 4]) / 2
    return poses + rng.uniform([-1, -0.5, 4], [1, 0.5, 5], (n, 3))[:, None]


def as_32(poses: np.ndarray) -> np.ndarray:
    """The same people with Human3.6M's 32 joints; what H36M-17 leaves out repeats its neighbour."""
    full = poses[:, [0, 1, 2, 3, 3, 3, 4, 5, 6, 6, 6, 0, 7, 8, 9, 10, 8, 11, 12, 13, 13, 13, 13, 13, 8, 14, 15, 16, 16, 16, 16, 16]]  # fmt: skip  # noqa: E501
    assert np.array_equal(full[:, IN_32], poses)
    return full


def projected(poses, camera=CAMERA):
    """Pixels and the depth relative to the root, by the pinhole's matrix alone."""
    image = np.einsum("...ij,njk->nik" if camera.ndim == 2 else "nij,njk->nik", camera, poses.transpose(0, 2, 1))
    image = image.transpose(0, 2, 1)
    return np.concatenate([image[..., :2] / image[..., 2:], poses[..., 2:] - poses[:, :1, 2:]], axis=2)


def integral_list(poses, names, camera=CAMERA):
    """A cache of Integral Human Pose: poses (N, 17, 3) in mm, in the camera, as one dict for each picture."""
    full = np.concatenate([poses, (poses[:, 11:12] + poses[:, 14:15]) / 2], axis=1)
    return [
        {
            "image": f"hm36/images/{name.rpartition('_')[0]}/{name}",
            "center_x": 500.0, "center_y": 510.5, "width": 600.0, "height": 600.0,
            "flip_pairs": np.array([[1, 4], [2, 5]]), "parent_ids": np.arange(18),
            "joints_3d": uvd, "joints_3d_vis": np.ones((18, 3)), "joints_3d_cam": pose, "pelvis": pose[0],
            "fl": camera[[0, 1], [0, 1]], "c_p": camera[:2, 2], "bone_len": 4500.0,
        }
        for name, pose, uvd in zip(names, full, projected(full, camera), strict=True)
    ]  # fmt: skip


def toolbox_list(poses, keys, placed, camera=CAMERA):
    """A list of H36M-Toolbox: keys are (subject, action, subaction, camera from 0, picture from 1); placed, R and T."""
    R, T = placed
    shared = {
        "R": R, "T": T.reshape(3, 1), "k": np.zeros((3, 1)), "p": np.zeros((2, 1)),
        "fx": camera[0, :1], "fy": camera[1, 1:2], "cx": camera[0, 2:], "cy": camera[1, 2:],
    }  # fmt: skip
    fields = ("subject", "action", "subaction", "camera_id", "image_id")
    return [
        {
            "image": f"{row}.jpg", "joints_2d": np.zeros((17, 2)), "joints_3d": 0.9 * pose, "joints_3d_camera": pose,
            "joints_vis": np.ones((17, 3)), "video_id": 0, **dict(zip(fields, key, strict=True)), "source": "h36m",
            "camera": shared, "center": (500.0, 500.0), "scale": (5.0, 5.0), "box": np.zeros(4),
        }
        for row, (pose, key) in enumerate(zip(poses, keys, strict=True))
    ]  # fmt: skip
