"""PSS and its kin a second time, pose by pose in plain float64 NumPy, from the definitions in docs/pss.md."""

from __future__ import annotations

import numpy as np


def normalised(pose, root):
    """Centred on joint `root` (None: on the mean) and divided by its norm; None if that is zero."""
    centred = pose - (pose.mean(0) if root is None else pose[root])
    norm = np.sqrt((centred**2).sum())
    return None if norm == 0 else centred / norm


def distances(pose, centres, root):
    """Squared distance to each centre."""
    vector = normalised(pose, root)
    return None if vector is None else np.array([((vector - centre) ** 2).sum() for centre in centres])


def label(pose, centres, root):
    """Index of the nearest centre, the lowest of equals; -1 for a pose without extent or not finite."""
    if not np.isfinite(pose).all():
        return -1
    d = distances(pose, centres, root)
    return -1 if d is None else int(np.argmin(d))


def hits(pred, gt, centres, root=0, valid=None):
    """100 where the labels agree, 0 where not, NaN where the ground truth has none."""
    values = []
    for i in range(len(gt)):
        q = label(gt[i], centres, root) if valid is None or valid[i].all() else -1
        values.append(np.nan if q < 0 else 100.0 * (label(pred[i], centres, root) == q))
    return np.array(values)


def top2(pred, gt, centres, root=0):
    return np.array(
        [
            100.0 * (label(q, centres, root) in np.argsort(distances(p, centres, root), kind="stable")[:2])
            for p, q in zip(pred, gt, strict=True)
        ]
    )


def soft(pred, gt, centres, tau, root=0):
    def shares(pose):
        weights = np.exp(-distances(pose, centres, root) / tau)
        return weights / weights.sum()

    return np.array([100.0 * np.sqrt(shares(p) * shares(q)).sum() for p, q in zip(pred, gt, strict=True)])


def kappa(pred, gt, centres, root=0):
    p = np.array([label(pose, centres, root) for pose in pred])
    q = np.array([label(pose, centres, root) for pose in gt])
    chance = sum((p == j).mean() * (q == j).mean() for j in range(len(centres)))
    return ((p == q).mean() - chance) / (1 - chance)


def to_front(pose, right_hip, left_hip):
    """Turned about the y axis until the hips have no depth between them, the right one on the left of the picture."""
    across = pose[right_hip] - pose[left_hip]
    if np.degrees(np.arccos(abs(across[1]) / np.linalg.norm(across))) <= 10:
        return pose
    angle = np.arctan2(across[2], across[0])
    # Turning by `angle` about y takes (cos, sin) in (x, z) to (1, 0); half a turn more faces the camera.
    turn = np.pi - angle
    c, s = np.cos(turn), np.sin(turn)
    x, z = c * pose[:, 0] - s * pose[:, 2], s * pose[:, 0] + c * pose[:, 2]
    return np.stack([x, pose[:, 1], z], axis=1)
